/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that scripts call, no more than they use of each. Replies are pushed as Redis shows
 * them to a script: "nothing there" is false, a status is a table with "ok". */
#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "sim_redis_parts.h"

/* What one step of SCAN goes through at most, so that a rebuild takes several. */
#define SCAN_KEYS_MAX 40

/* ---- Words and replies ---- */

static struct berth_bytes word(const struct sim_redis *redis, size_t index) {
    return redis->words[index];
}

static bool is(struct berth_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && strncasecmp((const char *)bytes.data, text, bytes.len) == 0;
}

static int64_t number(struct berth_bytes bytes) {
    char text[32];
    BERTH_ASSERT(bytes.len > 0);
    BERTH_ASSERT(bytes.len < sizeof(text));
    memcpy(text, bytes.data, bytes.len);
    text[bytes.len] = '\0';
    char *end = NULL;
    int64_t value = strtoll(text, &end, 10);
    BERTH_ASSERT(*end == '\0');
    return value;
}

static void push_bytes(struct sim_redis *redis, struct berth_bytes bytes) {
    if (bytes.data == NULL) {
        lua_pushboolean(redis->lua, 0);
    } else {
        lua_pushlstring(redis->lua, (const char *)bytes.data, bytes.len);
    }
}

static void push_integer(struct sim_redis *redis, int64_t value) {
    lua_pushnumber(redis->lua, (lua_Number)value);
}

static void push_ok(struct sim_redis *redis) {
    lua_createtable(redis->lua, 0, 1);
    lua_pushliteral(redis->lua, "OK");
    lua_setfield(redis->lua, -2, "ok");
}

static struct sim_value *hash(struct sim_redis *redis) {
    return sim_find(&redis->keyspace, word(redis, 1), SIM_KEY_HASH);
}

/* Redis has no empty hashes and sets. */
static void drop_if_empty(struct sim_redis *redis, const struct sim_value *value) {
    if (value->count == 0) {
        (void)sim_delete(&redis->keyspace, word(redis, 1));
    }
}

/* ---- Strings ---- */

static struct berth_bytes string(struct sim_redis *redis) {
    struct sim_value *found = sim_find(&redis->keyspace, word(redis, 1), SIM_KEY_STRING);
    return sim_bytes(found == NULL ? NULL : &found->items[0]);
}

static void on_get(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    push_bytes(redis, string(redis));
}

/* From 0 to a place in it, both counted. */
static void on_getrange(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 4);
    BERTH_ASSERT(number(word(redis, 2)) == 0);
    size_t len = (size_t)number(word(redis, 3)) + 1;
    struct berth_bytes bytes = string(redis);
    lua_pushlstring(redis->lua, bytes.data == NULL ? "" : (const char *)bytes.data,
                    bytes.len < len ? bytes.len : len);
}

static void on_set(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 3 || (count == 5 && is(word(redis, 3), "PX")));
    (void)sim_delete(&redis->keyspace, word(redis, 1));
    struct sim_value *made = sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_STRING);
    sim_string_set(made, word(redis, 2));
    made->ends_ms = count == 5 ? redis->keyspace.now_ms + number(word(redis, 4)) : 0;
    push_ok(redis);
}

static void on_incr(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    struct berth_bytes before = string(redis);
    int64_t value = before.data == NULL ? 1 : number(before) + 1;
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);
    sim_string_set(sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_STRING),
                   (struct berth_bytes){(const uint8_t *)text, (size_t)len});
    push_integer(redis, value);
}

/* ---- Hashes ---- */

static void on_hget(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 3);
    struct sim_value *found = hash(redis);
    push_bytes(redis, sim_bytes(found == NULL ? NULL : sim_field(found, word(redis, 2))));
}

static void on_hmget(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count >= 3);
    struct sim_value *found = hash(redis);
    lua_createtable(redis->lua, (int)count - 2, 0);
    for (size_t i = 2; i < count; i++) {
        push_bytes(redis, sim_bytes(found == NULL ? NULL : sim_field(found, word(redis, i))));
        lua_rawseti(redis->lua, -2, (int)i - 1);
    }
}

static void on_hset(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count >= 4);
    BERTH_ASSERT(count % 2 == 0);
    struct sim_value *target = sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_HASH);
    int64_t added = 0;
    for (size_t i = 2; i < count; i += 2) {
        added += sim_field_set(target, word(redis, i), word(redis, i + 1)) ? 1 : 0;
    }
    push_integer(redis, added);
}

static void on_hsetnx(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 4);
    struct sim_value *target = sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_HASH);
    bool new = sim_field(target, word(redis, 2)) == NULL;
    if (new) {
        (void)sim_field_set(target, word(redis, 2), word(redis, 3));
    }
    push_integer(redis, new ? 1 : 0);
}

static void on_hdel(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count >= 3);
    struct sim_value *found = hash(redis);
    int64_t removed = 0;
    for (size_t i = 2; found != NULL && i < count; i++) {
        removed += sim_field_remove(found, word(redis, i)) ? 1 : 0;
    }
    if (found != NULL) {
        drop_if_empty(redis, found);
    }
    push_integer(redis, removed);
}

static void on_hincrby(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 4);
    struct sim_value *target = sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_HASH);
    const struct sim_text *before = sim_field(target, word(redis, 2));
    int64_t value = (before == NULL ? 0 : number(sim_bytes(before))) + number(word(redis, 3));
    char text[32];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);
    (void)sim_field_set(target, word(redis, 2),
                        (struct berth_bytes){(const uint8_t *)text, (size_t)len});
    push_integer(redis, value);
}

/* Every step-th item from the first on. */
static void push_items(struct sim_redis *redis, const struct sim_value *value, size_t step) {
    size_t count = value == NULL ? 0 : value->count;
    lua_createtable(redis->lua, (int)(count / step), 0);
    for (size_t i = 0; i < count; i += step) {
        push_bytes(redis, sim_bytes(&value->items[i]));
        lua_rawseti(redis->lua, -2, (int)(i / step) + 1);
    }
}

static void on_hgetall(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    push_items(redis, hash(redis), 1);
}

static void on_hkeys(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    push_items(redis, hash(redis), 2);
}

/* ---- Sorted sets ---- */

static void on_zadd(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 4);
    BERTH_ASSERT(number(word(redis, 2)) == 0);
    struct sim_value *set = sim_find_or_make(&redis->keyspace, word(redis, 1), SIM_KEY_SORTED_SET);
    push_integer(redis, sim_member_add(set, word(redis, 3)) ? 1 : 0);
}

static void on_zrem(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 3);
    struct sim_value *set = sim_find(&redis->keyspace, word(redis, 1), SIM_KEY_SORTED_SET);
    bool removed = set != NULL && sim_member_remove(set, word(redis, 2));
    if (set != NULL) {
        drop_if_empty(redis, set);
    }
    push_integer(redis, removed ? 1 : 0);
}

/* The place of the first member that isn't before a bound "[text" or "(text". end: the bound ends
 * the range. */
static size_t bound_place(const struct sim_value *set, struct berth_bytes bound, bool end) {
    BERTH_ASSERT(bound.len > 0);
    BERTH_ASSERT(bound.data[0] == '[' || bound.data[0] == '(');
    bool there = false;
    size_t place =
        sim_member_place(set, (struct berth_bytes){bound.data + 1, bound.len - 1}, &there);
    bool counts = bound.data[0] == '[';
    return there && counts == end ? place + 1 : place;
}

static void on_zrangebylex(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 7);
    BERTH_ASSERT(is(word(redis, 4), "LIMIT"));
    BERTH_ASSERT(number(word(redis, 5)) == 0);
    size_t limit = (size_t)number(word(redis, 6));
    lua_newtable(redis->lua);
    struct sim_value *set = sim_find(&redis->keyspace, word(redis, 1), SIM_KEY_SORTED_SET);
    if (set == NULL) {
        return;
    }
    size_t first = bound_place(set, word(redis, 2), false);
    size_t end = bound_place(set, word(redis, 3), true);
    for (size_t i = first; i < end && i - first < limit; i++) {
        push_bytes(redis, sim_bytes(&set->items[i]));
        lua_rawseti(redis->lua, -2, (int)(i - first) + 1);
    }
}

/* ---- Keys and the clock ---- */

static void on_exists(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    push_integer(redis, sim_find_any(&redis->keyspace, word(redis, 1)) == NULL ? 0 : 1);
}

static void on_del(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    push_integer(redis, sim_delete(&redis->keyspace, word(redis, 1)) ? 1 : 0);
}

static void on_pexpire(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 3);
    struct sim_value *found = sim_find_any(&redis->keyspace, word(redis, 1));
    int64_t life_ms = number(word(redis, 2));
    BERTH_ASSERT(life_ms > 0);
    if (found != NULL) {
        found->ends_ms = redis->keyspace.now_ms + life_ms;
    }
    push_integer(redis, found == NULL ? 0 : 1);
}

static void on_persist(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 2);
    struct sim_value *found = sim_find_any(&redis->keyspace, word(redis, 1));
    bool ended = found != NULL && found->ends_ms != 0;
    if (ended) {
        found->ends_ms = 0;
    }
    push_integer(redis, ended ? 1 : 0);
}

static void on_time(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 1);
    char text[32];
    lua_createtable(redis->lua, 2, 0);
    (void)snprintf(text, sizeof(text), "%" PRId64, redis->now_us / 1000000);
    lua_pushstring(redis->lua, text);
    lua_rawseti(redis->lua, -2, 1);
    (void)snprintf(text, sizeof(text), "%" PRId64, redis->now_us % 1000000);
    lua_pushstring(redis->lua, text);
    lua_rawseti(redis->lua, -2, 2);
}

/* A pattern that is literal up to one "*" at its end, with "\" before what means something else. */
static bool matches(struct berth_bytes pattern, struct berth_bytes name) {
    BERTH_ASSERT(pattern.len > 0);
    BERTH_ASSERT(pattern.data[pattern.len - 1] == '*');
    size_t at = 0;
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        if (pattern.data[i] == '\\') {
            i++;
        }
        if (at == name.len || name.data[at] != pattern.data[i]) {
            return false;
        }
        at++;
    }
    return true;
}

/* A cursor is the serial of the last key that was seen: every key that is there from the first step
 * to the last is seen once. */
static void on_scan(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count == 6);
    BERTH_ASSERT(is(word(redis, 2), "MATCH"));
    BERTH_ASSERT(is(word(redis, 4), "COUNT"));
    uint64_t serial = (uint64_t)number(word(redis, 1));
    struct berth_bytes name;
    bool more = true;
    int found = 0;
    lua_createtable(redis->lua, 2, 0);
    lua_newtable(redis->lua);
    for (size_t seen = 0; more && seen < SCAN_KEYS_MAX; seen++) {
        more = sim_next_key(&redis->keyspace, &serial, &name) != NULL;
        if (more && matches(word(redis, 3), name)) {
            push_bytes(redis, name);
            lua_rawseti(redis->lua, -2, ++found);
        }
    }
    lua_rawseti(redis->lua, -2, 2);
    char cursor[32];
    (void)snprintf(cursor, sizeof(cursor), "%" PRIu64, more ? serial : 0);
    lua_pushstring(redis->lua, cursor);
    lua_rawseti(redis->lua, -2, 1);
}

/* ---- All of them ---- */

static const struct {
    const char *name;
    void (*perform)(struct sim_redis *redis, size_t count);
    bool writes;
} commands[] = {
    {"HMGET", on_hmget, false},
    {"HSET", on_hset, true},
    {"GETRANGE", on_getrange, false},
    {"GET", on_get, false},
    {"HGET", on_hget, false},
    {"HGETALL", on_hgetall, false},
    {"HDEL", on_hdel, true},
    {"INCR", on_incr, true},
    {"HKEYS", on_hkeys, false},
    {"PEXPIRE", on_pexpire, true},
    {"ZADD", on_zadd, true},
    {"ZREM", on_zrem, true},
    {"TIME", on_time, false},
    {"HINCRBY", on_hincrby, true},
    {"HSETNX", on_hsetnx, true},
    {"PERSIST", on_persist, true},
    {"SET", on_set, true},
    {"DEL", on_del, true},
    {"EXISTS", on_exists, false},
    {"SCAN", on_scan, false},
    {"ZRANGEBYLEX", on_zrangebylex, false},
};

static void refuse_if_due(struct sim_redis *redis) {
    if (redis->writes_left > 0 && --redis->writes_left == 0) {
        redis->refused = true;
        (void)luaL_error(redis->lua, "NOPERM no permissions to run the command");
    }
}

void sim_command(struct sim_redis *redis, size_t count) {
    BERTH_ASSERT(count > 0);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (is(word(redis, 0), commands[i].name)) {
            if (commands[i].writes) {
                refuse_if_due(redis);
            }
            commands[i].perform(redis, count);
            return;
        }
    }
    (void)fprintf(stderr, "the simulated Redis has no command %.*s\n", (int)word(redis, 0).len,
                  (const char *)word(redis, 0).data);
    BERTH_UNREACHABLE("a command that the simulated Redis doesn't have");
}
