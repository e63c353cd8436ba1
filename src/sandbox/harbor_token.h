/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token: the JSON Web Token that lets a client pull from the registry.
 *
 * Harbor signs with RS256 and a key that the registry knows; here nobody but the stand-in itself
 * checks a token, so it is signed with HS256 and a key of its own. Payload and meaning are
 * Harbor's: "access" lists what the caller may do, whatever was asked for.
 */
#ifndef BERTH_SANDBOX_HARBOR_TOKEN_H
#define BERTH_SANDBOX_HARBOR_TOKEN_H

#include <stdbool.h>

#include "harbor_call.h"

/* Signs the payload; the result is the caller's to free(). */
char *berth_sandbox_token_sign(const struct berth_sandbox_harbor *harbor,
                               const struct json_t *payload);

/* The payload of a token of this Harbor whose time has not run out, or NULL; a new reference. */
struct json_t *berth_sandbox_token_verify(const struct berth_sandbox_harbor *harbor,
                                          const char *token, int64_t now_ms);

#endif
