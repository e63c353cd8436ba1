/* SPDX-License-Identifier: Apache-2.0 */
/* The bindings of one workspace, as Redis has them (docs/redis.md). */
#ifndef BERTH_CLI_BINDINGS_H
#define BERTH_CLI_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/limits.h"
#include "cli.h"

/* A workspace is bound to at most so many spaces; with more, nothing is read. */
#define CLI_BINDINGS_MAX 10000

struct cli_binding {
    char registry[BERTH_REGISTRY_BYTES];
    char space[BERTH_SPACE_BYTES];
    int64_t project_id;
    int64_t robot_id;
    char key_id[BERTH_KEY_ID_BYTES]; /* Empty: it isn't known with which key the secret was set. */
};

struct cli_bindings {
    struct cli_binding *items; /* Owned; sorted by registry and space. */
    size_t count;
};

/* What is asked for. */
struct cli_bindings_query {
    const char *workspace;
    const char *registry; /* NULL: any. */
    const char *space;    /* NULL: any. */
};

/*
 * Reads them. What is wrong is told on standard error: CLI_FAILED when there are none or Redis
 * refuses, CLI_NO_ANSWER when it can't be reached or doesn't answer in its configured time.
 * ret_bindings is written on success only and freed with cli_bindings_deinit(), which is fine on a
 * zeroed one.
 */
enum cli_exit cli_bindings_read(const struct berth_config *config,
                                const struct cli_bindings_query *query,
                                struct cli_bindings *ret_bindings);
void cli_bindings_deinit(struct cli_bindings *bindings);

/* The value of a field binding:<workspace>: "<robot id> <key id> active", or "disabled", which
 * Harbor is asked about anyway. false: it is neither. Writes only robot_id and key_id. */
bool cli_binding_parse(const char *value, struct cli_binding *ret_binding);

#endif
