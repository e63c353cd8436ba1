/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a credential pulls: tried where every pull begins, on the registry's token service
 * (harbor-contract 7.1).
 */
#ifndef BERTH_CLI_PULL_PROOF_H
#define BERTH_CLI_PULL_PROOF_H

#include <stdbool.h>

#include "berth/base/buffer.h"
#include "credential.h"
#include "harbor_get.h"

/*
 * What is wrong is told on standard error. CLI_FAILED with ret_refused: it doesn't work, and to
 * bind the workspace again repairs that; without: this can't be tried here. CLI_NO_ANSWER: the
 * registry can't be reached, is late, or is out of order.
 */
enum cli_exit cli_prove_pull(struct cli_harbor *harbor, const struct cli_credential *credential,
                             const char *workspace, bool *ret_refused);

/* Whether the body of the token service's reply holds a token that allows to pull. It isn't
 * checked who signed it: it came from the registry itself. */
bool cli_token_allows_pull(struct berth_bytes body);

#endif
