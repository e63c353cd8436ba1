/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ledger's tests share: a real Redis seen from outside, workers with a ledger each on one
 * loop, and calls made of few words.
 */
#ifndef BERTH_TEST_LEDGER_WORLD_H
#define BERTH_TEST_LEDGER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "berth/io/ledger.h"

struct event_base;
struct redisContext;

#define WALL_MS   INT64_C(1800000000000)
#define HOUR_MS   INT64_C(3600000)
#define MEMORY_MS (INT64_C(168) * HOUR_MS)

/* One Redis as a reader of docs/redis.md sees it. */
struct world {
    struct event_base *base;
    struct redisContext *redis;
    char host[64];
    uint16_t port;
    char address[72]; /* Both. */
};

#define WORLD_ANSWERS_MAX 16

/* What became of one call: a copy that lives until the worker ends or asks with this id again. */
struct kept_answer {
    uint64_t call_id;
    struct berth_ledger_answer answer;
    char bad_key[384]; /* What answer.bad_key shows. */
    uint8_t *stored;
    size_t stored_len;
};

struct worker {
    struct world *world;
    struct berth_ledger *ledger;
    bool available;
    size_t changes; /* Of the state. */
    char why[256];
    size_t warnings;
    char warning[512]; /* The last one. */
    struct kept_answer answers[WORLD_ANSWERS_MAX];
    size_t answers_count;
    bool submitting;                          /* No answer may come while this is so. */
    void (*on_answer)(struct worker *worker); /* Called after the answer was kept; may be NULL. */
};

/* ---- The world ---- */

/* For cmocka: *state becomes a world on BERTH_TEST_REDIS with an empty data set. */
int world_setup(void **state);
int world_teardown(void **state);

void world_init(struct world *world, const char *host, uint16_t port);
void world_deinit(struct world *world);

/* Turns the loop until done says so; fails after ten seconds. */
void world_run_until(struct world *world, bool (*done)(void *ctx), void *ctx);

/* What a rebuild leaves in an empty Redis: a data set that is whole. */
#define WORLD_EPOCH "dddddddd-0000-4000-8000-000000000001"
void world_begin_data_set(struct world *world);

/* Deletes everything but the signs of the data set: to the workers it is the same one. */
void world_forget(struct world *world);

/* A command to Redis itself; the reply as text: an integer, a string, "(nil)", the elements of an
 * array with blanks between. Lives until the next two calls. */
const char *redis_says(struct world *world, const char *format, ...);

/* Everything that is in Redis, as one text; the caller frees it. */
char *redis_snapshot(struct world *world);

/* ---- Workers ---- */

/* A configuration for this world; number makes instance and incarnation. */
void worker_config(struct world *world, struct worker *worker, int number,
                   struct berth_ledger_config *ret_config);
void worker_start(struct worker *worker, const struct berth_ledger_config *config);
/* Both, and waits until it is available. */
void worker_init(struct world *world, struct worker *worker, int number);
/* One that has the instance of one number and the incarnation of another. */
void worker_init_as(struct world *world, struct worker *worker, int instance, int incarnation);
void worker_deinit(struct worker *worker);
void worker_wait_available(struct worker *worker);
void worker_wait_unavailable(struct worker *worker);

/* Submits (must be taken), and waits until as many calls were answered. Of a publication, the part
 * up to a "|" is the result. */
void worker_submit(struct worker *worker, uint64_t call_id, const struct berth_ledger_call *call,
                   const char *publication);
void worker_wait_answers(struct worker *worker, size_t count);
/* The answer to a call, which must have come. */
const struct kept_answer *worker_answer(const struct worker *worker, uint64_t call_id);

/* Submits, waits, and forgets all earlier answers. */
const struct kept_answer *worker_ask(struct worker *worker, const struct berth_ledger_call *call,
                                     const char *publication);

/* ---- Calls ---- */

struct berth_command a_command(int number, const char *space);
struct berth_source a_source(int64_t offset);
/* Each is another claim; or the last one again, whose reply was lost. */
struct berth_ledger_call the_last_claim_again(const struct berth_command *command,
                                              const struct berth_source *source);
struct berth_ledger_call a_claim(const struct berth_command *command,
                                 const struct berth_source *source);

/* Claims, and must get the lane; the answer lives until the next ask. */
const struct berth_claim_answer *take(struct worker *worker, const struct berth_command *command,
                                      const struct berth_source *source);

/* A present space that was verified at WALL_MS, with the bindings given (borrowed). */
struct berth_space_state a_space(enum berth_visibility visibility, struct berth_binding *bindings,
                                 size_t count);
struct berth_binding a_binding(const char *workspace, int64_t robot_id);

/* An outcome, final; after: NULL for one that tells nothing. Static: one at a time. */
struct berth_outcome *an_outcome(enum berth_outcome_kind kind,
                                 const struct berth_space_state *after);
/* Writes the state when the outcome tells one, and frees the lane. */
struct berth_ledger_call a_store(const struct berth_command *command,
                                 const struct berth_source *source, int64_t token,
                                 const struct berth_outcome *outcome);

/* Claims and stores; both must work. Returns the token. */
int64_t settle(struct worker *worker, const struct berth_command *command,
               const struct berth_source *source, const struct berth_space_state *after,
               const char *publication);

#endif
