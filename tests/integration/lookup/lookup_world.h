/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of lookups share: a real Redis, the stand-in for Harbor with its faults and
 * counters, lookups on one loop with them, and what they answered.
 */
#ifndef BERTH_TEST_LOOKUP_WORLD_H
#define BERTH_TEST_LOOKUP_WORLD_H

#include "ledger_world.h"

#include "berth/io/config.h"
#include "berth/io/lookup.h"
#include "client_fixture.h"

#define LOOKUP_WORLD_REGISTRIES 4
#define LOOKUP_WORLD_ANSWERS    2100

/* What became of one lookup, copied. */
struct seen_answer {
    enum berth_lookup_outcome outcome;
    char why[256];
    int64_t as_of_ms;
    size_t spaces_count;
    size_t bindings_count; /* Of all spaces. */
    bool more;
    char first[BERTH_LOOKUP_CURSOR_BYTES]; /* "registry/space" of the first and the last one. */
    char last[BERTH_LOOKUP_CURSOR_BYTES];
    struct berth_space_state state;   /* Of the first space; its bindings only the ones below. */
    struct berth_binding bindings[4]; /* Its first ones. */
};

struct lookup_world {
    struct world *world;
    struct berth_config config;
    struct berth_config_registry registries[LOOKUP_WORLD_REGISTRIES];
    char address[96];
    struct client_fixture harbor; /* Makes projects and robots, as a command would. */
    struct berth_lookup *lookup;
    struct seen_answer answers[LOOKUP_WORLD_ANSWERS];
    size_t answers_count;
    bool asking;                                    /* No answer may come while this is so. */
    void (*on_answer)(struct lookup_world *lookup); /* Called after it was kept; may be NULL. */
};

/* For cmocka: *state becomes a world with an empty Redis that has an epoch, a Harbor without faults
 * and with counters at zero, and lookups. The registries are alpha and beta (the stand-in), and
 * alpha-1 and alphab, where nobody listens. */
int lookup_world_setup(void **state);
int lookup_world_teardown(void **state);

/* Ends the lookups and starts others with the configuration as it is now. */
void lookup_world_restart(struct lookup_world *lookup);

/* Asks, without waiting. */
void list_spaces(struct lookup_world *lookup, const struct berth_lookup_query *query);
void look_up(struct lookup_world *lookup, const char *registry, const char *space);

/* Waits until as many were answered in all. */
void wait_answers(struct lookup_world *lookup, size_t count);

/* Asks, waits, and forgets all earlier answers. */
const struct seen_answer *see_page(struct lookup_world *lookup,
                                   const struct berth_lookup_query *query);
/* Marks it cold. */
const struct seen_answer *see_doubt(struct lookup_world *lookup, const char *registry,
                                    const char *space);
const struct seen_answer *see_space(struct lookup_world *lookup, const char *registry,
                                    const char *space);

/* Walks through all pages of a list; the names with blanks between them. Lives until the next. */
const char *see_names(struct lookup_world *lookup, struct berth_lookup_query query);

/* ---- Harbor ---- */

/* Makes a project, and a robot of ours in it. */
int64_t harbor_project(struct lookup_world *lookup, const char *space,
                       enum berth_visibility visibility);
int64_t harbor_robot(struct lookup_world *lookup, const char *space, int64_t project_id,
                     const char *workspace);

/* Sets faults of alpha, as JSON; what isn't named stays (sandbox_faults.h). Then all of them off.
 */
void harbor_faults(const char *json);
void harbor_recovers(void);
/* How often alpha was asked this, such as "GET /robots". */
int64_t harbor_calls(const char *route);
/* Turns the loop until alpha was asked this so often. */
void wait_harbor_calls(struct lookup_world *lookup, const char *route, int64_t count);

#endif
