/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups (io/lookup.h) for a program that waits for the answer. */
#ifndef BERTH_CLI_LOOKUPS_H
#define BERTH_CLI_LOOKUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/io/lookup.h"
#include "cli.h"

struct event_base;

struct cli_lookups {
    const struct berth_config *config; /* Borrowed. */
    struct event_base *base;
    struct berth_lookup *lookup;
    bool redis_only;
    bool wants_harbor; /* Redis alone was asked, and only Harbor could tell. */
};

/* Starts to connect. redis_only: what Redis doesn't know isn't asked of Harbor. CLI_USAGE,
 * CLI_FAILED, told on standard error. Freed with cli_lookups_close(), which is fine after a failure
 * too. */
enum cli_exit cli_lookups_open(const struct berth_config *config, bool redis_only,
                               struct cli_lookups *ret_lookups);
void cli_lookups_close(struct cli_lookups *lookups);

/* Is shown what was FOUND, which is valid for the call only; false: it has seen enough. */
typedef bool cli_lookups_fn(void *ctx, const struct berth_lookup_answer *answer);

/*
 * Shows all pages of a list, or as many as hold `limit` spaces (0: all). The query's own cursor and
 * limit don't count.
 * Told on standard error: CLI_FAILED, Redis refuses, or holds no whole data set of berth's;
 * CLI_NO_ANSWER, it isn't reached or doesn't answer. Pages before that have been shown then.
 */
enum cli_exit cli_lookups_list(struct cli_lookups *lookups, const struct berth_lookup_query *query,
                               size_t limit, cli_lookups_fn *fn, void *ctx);

/* Shows one space of a configured registry; its name is a legal one. The same outcomes; also
 * CLI_FAILED: there is no such space; CLI_NO_ANSWER: only Harbor could tell, and doesn't (with
 * wants_harbor: it wasn't asked, and nothing is told). */
enum cli_exit cli_lookups_one(struct cli_lookups *lookups, const char *registry, const char *space,
                              cli_lookups_fn *fn, void *ctx);

/* Marks a space of a configured registry cold, see berth_lookup_doubt(). The same outcomes. */
enum cli_exit cli_lookups_doubt(struct cli_lookups *lookups, const char *registry,
                                const char *space);

#endif
