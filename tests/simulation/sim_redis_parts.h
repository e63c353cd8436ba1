/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the simulated Redis share.
 *
 *   sim_redis.c           its life, the interpreter, from words to a reply
 *   sim_redis_keys.c      keys and what they hold
 *   sim_redis_commands.c  the commands that scripts call
 *   sim_redis_reads.c     direct reads, text, digest
 */
#ifndef BERTH_SIM_REDIS_PARTS_H
#define BERTH_SIM_REDIS_PARTS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "sim_redis.h"

/* ---- Keys ---- */

struct sim_text {
    char *data; /* Owned, and NUL-terminated behind len. */
    size_t len;
};

enum sim_key_type {
    SIM_KEY_STRING,
    SIM_KEY_HASH,
    SIM_KEY_SORTED_SET,
};

struct sim_key; /* In sim_redis_keys.c only with its hash handle. */
struct sim_keyspace {
    struct sim_key *first; /* uthash's head; in the order in which the keys were made. */
    uint64_t serials;      /* Of the key made last. */
    int64_t now_ms;
};

/*
 * What a key holds. STRING: one item. HASH: field, value, field, value, in the order in which the
 * fields came, as a small hash of Redis has them. SORTED_SET: the members in byte order; all scores
 * are 0.
 */
struct sim_value {
    enum sim_key_type type;
    int64_t ends_ms; /* 0: stays. */
    struct sim_text *items;
    size_t count;
    size_t capacity;
};

void sim_keyspace_clear(struct sim_keyspace *keyspace);
/* Makes an empty target hold what source does. */
void sim_keyspace_copy(struct sim_keyspace *target, const struct sim_keyspace *source);

/* NULL: there is no such key (any more). Another type is asserted. */
struct sim_value *sim_find(struct sim_keyspace *keyspace, struct berth_bytes name,
                           enum sim_key_type type);
/* The same whatever it holds. */
struct sim_value *sim_find_any(struct sim_keyspace *keyspace, struct berth_bytes name);
struct sim_value *sim_find_or_make(struct sim_keyspace *keyspace, struct berth_bytes name,
                                   enum sim_key_type type);
bool sim_delete(struct sim_keyspace *keyspace, struct berth_bytes name);

/* The first key made after the one with this serial; NULL at the end. Expired ones are passed over.
 */
struct sim_value *sim_next_key(struct sim_keyspace *keyspace, uint64_t *serial,
                               struct berth_bytes *ret_name);

/* The value of a hash's field; NULL: none. */
struct sim_text *sim_field(struct sim_value *hash, struct berth_bytes field);
/* True when the field is new. */
bool sim_field_set(struct sim_value *hash, struct berth_bytes field, struct berth_bytes value);
bool sim_field_remove(struct sim_value *hash, struct berth_bytes field);

/* Where a member is, or would be. */
size_t sim_member_place(const struct sim_value *set, struct berth_bytes member, bool *ret_there);
bool sim_member_add(struct sim_value *set, struct berth_bytes member);
bool sim_member_remove(struct sim_value *set, struct berth_bytes member);

void sim_string_set(struct sim_value *string, struct berth_bytes value);

struct berth_bytes sim_bytes(const struct sim_text *text); /* NULL: {NULL, 0}. */
int sim_compare(struct berth_bytes a, struct berth_bytes b);

/* ---- Commands ---- */

#define SIM_SCRIPTS_MAX 32

struct sim_redis {
    struct sim_keyspace keyspace;
    int64_t now_us;
    lua_State *lua;
    struct {
        const char *source;
        int reference;
    } scripts[SIM_SCRIPTS_MAX];
    size_t scripts_count;
    struct berth_bytes *words; /* Of the command that a script calls. */
    size_t words_max;
    size_t writes_left; /* Until one is refused; 0: none will be. */
    bool refused;
    void (*observer)(void *ctx, const char *source, const struct berth_redis_args *args,
                     const struct redisReply *reply);
    void *observer_ctx;
};

/* Performs the command in redis->words and pushes its reply. */
void sim_command(struct sim_redis *redis, size_t count);

#endif
