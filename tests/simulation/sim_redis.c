/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_redis.h"

#include <hiredis/hiredis.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "sim_redis_parts.h"

struct sim_redis_copy {
    struct sim_keyspace keyspace;
};

/* ---- The interpreter ---- */

/* An argument of redis.call as the bytes that Redis makes of it; the view stays while the argument
 * is on the stack. */
static struct berth_bytes argument(lua_State *lua, int index) {
    if (lua_type(lua, index) == LUA_TNUMBER) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%.17g", lua_tonumber(lua, index));
        lua_pushstring(lua, text);
        lua_replace(lua, index);
    }
    if (lua_type(lua, index) != LUA_TSTRING) {
        (void)luaL_error(lua, "Lua redis() command arguments must be strings or integers");
    }
    size_t len = 0;
    const char *data = lua_tolstring(lua, index, &len);
    return (struct berth_bytes){(const uint8_t *)data, len};
}

/* redis.call(...) */
static int redis_call(lua_State *lua) {
    struct sim_redis *redis = lua_touserdata(lua, lua_upvalueindex(1));
    int count = lua_gettop(lua);
    if ((size_t)count > redis->words_max) {
        redis->words_max = 2 * (size_t)count;
        redis->words = realloc(redis->words, redis->words_max * sizeof(*redis->words));
        BERTH_ASSERT(redis->words != NULL);
    }
    for (int i = 0; i < count; i++) {
        redis->words[i] = argument(lua, i + 1);
    }
    sim_command(redis, (size_t)count);
    return 1;
}

/* As in Redis, a script must not make or read globals that aren't there. */
static int no_global(lua_State *lua) {
    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                      lua_tostring(lua, 2));
}

static void open_interpreter(struct sim_redis *redis) {
    lua_State *lua = luaL_newstate();
    BERTH_ASSERT(lua != NULL);
    redis->lua = lua;
    static const lua_CFunction libraries[] = {luaopen_base, luaopen_table, luaopen_string,
                                              luaopen_math};
    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
        lua_pushcfunction(lua, libraries[i]);
        lua_call(lua, 0, 0);
    }
    lua_newtable(lua);
    lua_pushlightuserdata(lua, redis);
    lua_pushcclosure(lua, redis_call, 1);
    lua_setfield(lua, -2, "call");
    lua_setglobal(lua, "redis");
    lua_newtable(lua);
    lua_setglobal(lua, "KEYS");
    lua_newtable(lua);
    lua_setglobal(lua, "ARGV");
    lua_newtable(lua);
    lua_pushcfunction(lua, no_global);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, no_global);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, LUA_GLOBALSINDEX);
}

/* Pushes the compiled script. */
static void push_script(struct sim_redis *redis, const char *source) {
    for (size_t i = 0; i < redis->scripts_count; i++) {
        if (redis->scripts[i].source == source) {
            lua_rawgeti(redis->lua, LUA_REGISTRYINDEX, redis->scripts[i].reference);
            return;
        }
    }
    BERTH_ASSERT(redis->scripts_count < SIM_SCRIPTS_MAX);
    if (luaL_loadbuffer(redis->lua, source, strlen(source), "@user_script") != 0) {
        (void)fprintf(stderr, "%s\n", lua_tostring(redis->lua, -1));
        BERTH_UNREACHABLE("a script that can't be compiled");
    }
    lua_pushvalue(redis->lua, -1);
    redis->scripts[redis->scripts_count].source = source;
    redis->scripts[redis->scripts_count].reference = luaL_ref(redis->lua, LUA_REGISTRYINDEX);
    redis->scripts_count++;
}

static void set_words(struct sim_redis *redis, const char *name,
                      const struct berth_redis_args *args, size_t from, size_t end) {
    lua_createtable(redis->lua, (int)(end - from), 0);
    for (size_t i = from; i < end; i++) {
        lua_pushlstring(redis->lua, args->words[i], args->lens[i]);
        lua_rawseti(redis->lua, -2, (int)(i - from) + 1);
    }
    lua_setfield(redis->lua, LUA_GLOBALSINDEX, name);
}

/* ---- Replies ---- */

static redisReply *new_reply(int type) {
    redisReply *reply = calloc(1, sizeof(*reply));
    BERTH_ASSERT(reply != NULL);
    reply->type = type;
    return reply;
}

static redisReply *text_reply(int type, const char *data, size_t len) {
    redisReply *reply = new_reply(type);
    reply->str = malloc(len + 1);
    BERTH_ASSERT(reply->str != NULL);
    memcpy(reply->str, data, len);
    reply->str[len] = '\0';
    reply->len = len;
    return reply;
}

/* What Redis makes of a script's result at the top of the stack: scripts nest no deeper than one
 * array. */
static redisReply *to_reply(lua_State *lua, bool nested) {
    size_t len = 0;
    const char *data = NULL;
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        data = lua_tolstring(lua, -1, &len);
        return text_reply(REDIS_REPLY_STRING, data, len);
    case LUA_TNUMBER: {
        redisReply *reply = new_reply(REDIS_REPLY_INTEGER);
        reply->integer = (long long)trunc(lua_tonumber(lua, -1));
        return reply;
    }
    case LUA_TBOOLEAN: {
        bool set = lua_toboolean(lua, -1) != 0;
        redisReply *reply = new_reply(set ? REDIS_REPLY_INTEGER : REDIS_REPLY_NIL);
        reply->integer = set ? 1 : 0;
        return reply;
    }
    case LUA_TTABLE:
        break;
    default:
        return new_reply(REDIS_REPLY_NIL);
    }
    BERTH_ASSERT(!nested);
    redisReply *reply = new_reply(REDIS_REPLY_ARRAY);
    size_t capacity = lua_objlen(lua, -1) + 1;
    reply->element = calloc(capacity, sizeof(redisReply *));
    BERTH_ASSERT(reply->element != NULL);
    for (int i = 1;; i++) {
        lua_rawgeti(lua, -1, i);
        if (lua_isnil(lua, -1)) { /* As in Redis, what is behind a hole is lost. */
            lua_pop(lua, 1);
            return reply;
        }
        BERTH_ASSERT(reply->elements < capacity);
        reply->element[reply->elements++] = to_reply(lua, true);
        lua_pop(lua, 1);
    }
}

void sim_redis_reply_free(struct redisReply *reply) {
    if (reply == NULL) {
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        sim_redis_reply_free(reply->element[i]);
    }
    free(reply->element);
    free(reply->str);
    free(reply);
}

struct redisReply *sim_redis_run(struct sim_redis *redis, const char *source,
                                 const struct berth_redis_args *args) {
    BERTH_ASSERT(args->count > BERTH_REDIS_SCRIPT_WORDS);
    char keys_text[24];
    BERTH_ASSERT(args->lens[2] < sizeof(keys_text));
    memcpy(keys_text, args->words[2], args->lens[2]);
    keys_text[args->lens[2]] = '\0';
    size_t keys = (size_t)strtoul(keys_text, NULL, 10);
    BERTH_ASSERT(BERTH_REDIS_SCRIPT_WORDS + keys <= args->count);

    set_words(redis, "KEYS", args, BERTH_REDIS_SCRIPT_WORDS, BERTH_REDIS_SCRIPT_WORDS + keys);
    set_words(redis, "ARGV", args, BERTH_REDIS_SCRIPT_WORDS + keys, args->count);
    push_script(redis, source);
    redisReply *reply;
    bool refused = redis->refused;
    if (lua_pcall(redis->lua, 0, 1, 0) == 0) {
        reply = to_reply(redis->lua, false);
    } else if (redis->refused && !refused) {
        size_t len = 0;
        const char *text = lua_tolstring(redis->lua, -1, &len);
        reply = text_reply(REDIS_REPLY_ERROR, text, len);
    } else {
        (void)fprintf(stderr, "%s\n", lua_tostring(redis->lua, -1));
        BERTH_UNREACHABLE("a script that failed");
    }
    lua_pop(redis->lua, 1);
    BERTH_ASSERT(lua_gettop(redis->lua) == 0);
    if (redis->observer != NULL) {
        redis->observer(redis->observer_ctx, source, args, reply);
    }
    return reply;
}

void sim_redis_refuse_write(struct sim_redis *redis, size_t nth) {
    redis->writes_left = nth;
    redis->refused = false;
}

bool sim_redis_refused(const struct sim_redis *redis) {
    return redis->refused;
}

/* ---- Life ---- */

struct sim_redis *sim_redis_new(void) {
    struct sim_redis *redis = calloc(1, sizeof(*redis));
    BERTH_ASSERT(redis != NULL);
    open_interpreter(redis);
    return redis;
}

struct sim_redis *sim_redis_free(struct sim_redis *redis) {
    if (redis != NULL) {
        sim_keyspace_clear(&redis->keyspace);
        lua_close(redis->lua);
        free(redis->words);
        free(redis);
    }
    return NULL;
}

void sim_redis_observe(struct sim_redis *redis,
                       void (*fn)(void *ctx, const char *source,
                                  const struct berth_redis_args *args,
                                  const struct redisReply *reply),
                       void *ctx) {
    redis->observer = fn;
    redis->observer_ctx = ctx;
}

void sim_redis_set_time(struct sim_redis *redis, int64_t now_us) {
    redis->now_us = now_us;
    redis->keyspace.now_ms = now_us / 1000;
}

void sim_redis_flush(struct sim_redis *redis) {
    sim_keyspace_clear(&redis->keyspace);
}

struct sim_redis_copy *sim_redis_copy(const struct sim_redis *redis) {
    struct sim_redis_copy *copy = calloc(1, sizeof(*copy));
    BERTH_ASSERT(copy != NULL);
    sim_keyspace_copy(&copy->keyspace, &redis->keyspace);
    return copy;
}

struct sim_redis_copy *sim_redis_copy_free(struct sim_redis_copy *copy) {
    if (copy != NULL) {
        sim_keyspace_clear(&copy->keyspace);
        free(copy);
    }
    return NULL;
}

void sim_redis_fail_over(struct sim_redis *redis, const struct sim_redis_copy *copy) {
    sim_keyspace_clear(&redis->keyspace);
    sim_keyspace_copy(&redis->keyspace, &copy->keyspace);
}
