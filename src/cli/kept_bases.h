/* SPDX-License-Identifier: Apache-2.0 */
/* What Redis keeps of partitions, read and decided upon with the ledger's own scripts. Blocking. */
#ifndef BERTH_CLI_KEPT_BASES_H
#define BERTH_CLI_KEPT_BASES_H

#include <stddef.h>

#include "berth/core/ledger_call.h"
#include "cli.h"

struct event_base;
struct berth_ledger;

struct cli_kept_bases {
    struct event_base *base;
    struct berth_ledger *ledger;
    struct berth_kept_base *into; /* Of the question under way. */
    size_t count;
    int64_t bound_ms; /* The longest that an answer is waited for. */
    bool answered;
    bool done; /* As it should be. */
    char why[256];
};

/* Connects, and sees that the data set is this configuration's, in this cluster. CLI_FAILED,
 * CLI_NO_ANSWER: told on standard error. Ends with cli_kept_bases_close() in any case. */
enum cli_exit cli_kept_bases_open(const struct berth_config *config, const char *cluster,
                                  struct cli_kept_bases *ret_kept);
void cli_kept_bases_close(struct cli_kept_bases *kept);

enum cli_exit cli_kept_bases_read(struct cli_kept_bases *kept, const struct berth_base *partitions,
                                  size_t count, struct berth_kept_base *ret_bases);
/* The partition goes on at place->offset of the log that place->log names. */
enum cli_exit cli_kept_bases_decide(struct cli_kept_bases *kept, const struct berth_base *place);

#endif
