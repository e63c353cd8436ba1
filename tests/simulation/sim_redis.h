/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis in memory that runs the production's Lua scripts, in virtual time.
 *
 * It has the commands that the scripts use and no others: anything else is an assertion failure
 * that names it. The interpreter is Lua 5.1, as in Redis. Nothing in it depends on real time, on
 * addresses or on the order of a hash table's buckets, so the same calls give the same replies.
 *
 * The production's client for it is in sim_redis_link.h; the integration test
 * tests/integration/ledger/test_ledger_model.c compares it with a real Redis.
 */
#ifndef BERTH_SIM_REDIS_H
#define BERTH_SIM_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/core/ledger_call.h"
#include "berth/core/space.h"

struct redisReply;
struct berth_redis_args;
struct sim_redis;
struct sim_redis_copy;

/* The prefix of every key that the simulator's ledgers use. */
#define SIM_REDIS_PREFIX "berth:v1:"

/* One without keys. Out of memory is asserted, here and everywhere in the simulator. */
struct sim_redis *sim_redis_new(void);
struct sim_redis *sim_redis_free(struct sim_redis *redis); /* NULL is fine; returns NULL. */

/* What TIME says from now on, and by what keys expire (microseconds since 1970). It may go back,
 * as the clock of a machine may. */
void sim_redis_set_time(struct sim_redis *redis, int64_t now_us);

/* FLUSHALL: all keys are gone. */
void sim_redis_flush(struct sim_redis *redis);

/* A replica's copy, and a fail-over to it: the data becomes what it was then. The copy stays and
 * may be used again; it may come from another sim_redis. */
struct sim_redis_copy *sim_redis_copy(const struct sim_redis *redis);
struct sim_redis_copy *sim_redis_copy_free(struct sim_redis_copy *copy);
void sim_redis_fail_over(struct sim_redis *redis, const struct sim_redis_copy *copy);

/*
 * Runs a script: args are the words as the production makes them, EVALSHA's three first
 * (berth_redis_client_script_words()). source: the embedded text; it is compiled once for each
 * pointer. The reply is sim_redis_reply_free()'s.
 */
struct redisReply *sim_redis_run(struct sim_redis *redis, const char *source,
                                 const struct berth_redis_args *args);
void sim_redis_reply_free(struct redisReply *reply);

/* The nth write from now on (1: the next one) is refused as by an access list, whichever script
 * makes it; what the script wrote before stays. */
void sim_redis_refuse_write(struct sim_redis *redis, size_t nth);
/* Whether it was, meanwhile. */
bool sim_redis_refused(const struct sim_redis *redis);

/* Calls fn after each script that was run; for the comparison with a real Redis. */
void sim_redis_observe(struct sim_redis *redis,
                       void (*fn)(void *ctx, const char *source,
                                  const struct berth_redis_args *args,
                                  const struct redisReply *reply),
                       void *ctx);

/* ---- Direct reads, for checkers. What is expired isn't there. ---- */

/* The value of a field, or of a string; {NULL, 0}: it isn't there. Views, until the next change. */
struct berth_bytes sim_redis_hash_get(struct sim_redis *redis, const char *key, const char *field);
struct berth_bytes sim_redis_string_get(struct sim_redis *redis, const char *key);

/* What is known of a space. */
struct sim_redis_space {
    struct berth_space_state state; /* UNKNOWN: no state there. */
    int64_t token;                  /* 0: none. */
    struct berth_holder holder;     /* Empty: its lane is free. */
    int64_t renewals;
};

/* False: there is no such hash. Ends with sim_redis_space_deinit(). */
bool sim_redis_space(struct sim_redis *redis, const char *registry, const char *space,
                     struct sim_redis_space *ret_space);
void sim_redis_space_deinit(struct sim_redis_space *space);

/* A command's entry. Views, until the next change; {NULL, 0}: the field isn't there. */
struct sim_redis_command {
    struct berth_bytes digest;
    struct berth_bytes source; /* "<topic> <partition> <offset>" */
    struct berth_bytes kind;   /* Without it the command has no outcome yet. */
    struct berth_bytes before;
    struct berth_bytes result;
    struct berth_bytes rest;
    int64_t version;
    int64_t attempts;
    int64_t received_at_ms;
    bool earlier;
};

/* False: the id isn't known. */
bool sim_redis_command(struct sim_redis *redis, const char *command_id,
                       struct sim_redis_command *ret_command);

/* Calls fn for every key that begins with prefix, or every member of a sorted set, in byte order.
 * fn changes nothing. */
void sim_redis_each_key(struct sim_redis *redis, const char *prefix,
                        void (*fn)(void *ctx, const char *key), void *ctx);
void sim_redis_each_member(struct sim_redis *redis, const char *key,
                           void (*fn)(void *ctx, const char *member), void *ctx);
bool sim_redis_has_member(struct sim_redis *redis, const char *key, const char *member);

/* The id of the data set; false: it isn't whole. And the number of the last STORE or claim. */
bool sim_redis_data_set(struct sim_redis *redis, char ret_id[BERTH_UUID_BYTES]);
int64_t sim_redis_sequence(struct sim_redis *redis);

/* A hash over everything that is in it, expiry included, for traces. */
uint64_t sim_redis_digest(struct sim_redis *redis);

/* Everything that is in it as text, one key with its fields, members or value after the other,
 * sorted; for people and for the comparison with a real Redis. The caller frees it. */
char *sim_redis_text(struct sim_redis *redis);

#endif
