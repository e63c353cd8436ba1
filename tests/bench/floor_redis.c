/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two scripts a command, which read and write as much as berth's claim.lua and store.lua do of a
 * new space, in as many calls, without any rule.
 */
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.h"
#include "load.h"

#define HOST     "127.0.0.1"
#define DIGEST   "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02"
#define INSTANCE "worker-1"
#define INCARNATION                                                                                \
    "0f8fad5b-d9cb-469f-a165-70867728950e" /* As long as one of berthd's; no two are needed. */

/* The result, audit record and state that berth keeps until they are published. */
#define PUBLICATION_BYTES 900
#define MEMORY_MS         "604800000"
#define SHA_BYTES         64

#define KEY_BYTES (2 * FLOOR_NAME_BYTES + 32)

static const char claim_script[] =
    "local space, command = KEYS[1], KEYS[2]\n"
    "redis.call('HMGET', command, 'digest', 'source', 'kind', 'version', 'attempts')\n"
    "redis.call('HMGET', space, 'holder_command', 'token', 'renewals', 'version', 'state')\n"
    "local clock = redis.call('TIME')\n"
    "local token = string.format('%.0f', clock[1] * 1000000 + clock[2])\n"
    "redis.call('HSET', space, 'token', token, 'renewals', '0', 'holder_instance', ARGV[1],\n"
    "    'holder_incarnation', ARGV[2], 'holder_command', ARGV[3])\n"
    "redis.call('HSET', command, 'digest', ARGV[4], 'source', ARGV[5], 'attempts', '1',\n"
    "    'received_at', clock[1])\n"
    "return token\n";

static const char store_script[] =
    "local space, command, registry = KEYS[1], KEYS[2], KEYS[3]\n"
    "redis.call('HMGET', space, 'holder_command', 'token', 'state', 'visibility', 'version')\n"
    "redis.call('HMGET', command, 'digest', 'kind', 'source', 'version')\n"
    "local token, now = ARGV[1], '1700000000000'\n"
    "redis.call('HSET', space, 'state', 'present', 'version', token, 'project_id', '100',\n"
    "    'visibility', 'PRIVATE', 'quota_bytes', '-1', 'created_by', ARGV[2],\n"
    "    'updated_by', ARGV[2], 'updated_at', now, 'verified_at', now)\n"
    "redis.call('ZADD', registry, 0, ARGV[3])\n"
    "redis.call('HSET', command, 'source', ARGV[4], 'kind', 'SUCCEEDED', 'version', token,\n"
    "    'result', ARGV[5])\n"
    "redis.call('PEXPIRE', command, ARGV[6])\n"
    "redis.call('HDEL', space, 'holder_instance', 'holder_incarnation', 'holder_command')\n"
    "return token\n";

struct floor_redis {
    struct floor *floor;
    redisAsyncContext *connection;
    char claim_sha[SHA_BYTES];
    char store_sha[SHA_BYTES];
    char publication[PUBLICATION_BYTES];
};

static void load_scripts(struct floor_redis *redis, int port);
static void load_script(redisContext *connection, const char *script, char ret_sha[SHA_BYTES]);
static void make_keys(const struct floor_job *job, char ret_space[KEY_BYTES],
                      char ret_command[KEY_BYTES]);
static void make_source(const struct floor_job *job, char ret_source[KEY_BYTES]);
static void send_words(struct floor_redis *redis, redisCallbackFn *callback, struct floor_job *job,
                       const char **words, int words_count);
static const char *text_of(redisAsyncContext *connection, const redisReply *reply);
static void hiredis_claimed_cb(redisAsyncContext *connection, void *reply, void *ctx);
static void hiredis_stored_cb(redisAsyncContext *connection, void *reply, void *ctx);

struct floor_redis *floor_redis_new(struct floor *floor) {
    struct floor_redis *redis = load_memory(1, sizeof(*redis));
    redis->floor = floor;
    memset(redis->publication, 'p', sizeof(redis->publication) - 1);
    int port = (int)load_number(floor->options.redis_port, "REDIS_PORT");
    load_scripts(redis, port);
    redis->connection = redisAsyncConnect(HOST, port);
    if (redis->connection == NULL || redis->connection->err != 0 ||
        redisLibeventAttach(redis->connection, floor->base) != REDIS_OK) {
        load_fail("no connection to Redis");
    }
    redis->connection->data = redis;
    return redis;
}

void floor_redis_claim(struct floor_redis *redis, struct floor_job *job) {
    char space[KEY_BYTES];
    char command[KEY_BYTES];
    char source[KEY_BYTES];
    make_keys(job, space, command);
    make_source(job, source);
    const char *words[] = {"EVALSHA", redis->claim_sha, "2",     space,  command,
                           INSTANCE,  INCARNATION,      job->id, DIGEST, source};
    send_words(redis, hiredis_claimed_cb, job, words, sizeof(words) / sizeof(words[0]));
}

void floor_redis_store(struct floor_redis *redis, struct floor_job *job) {
    char space[KEY_BYTES];
    char command[KEY_BYTES];
    char source[KEY_BYTES];
    char member[KEY_BYTES];
    make_keys(job, space, command);
    make_source(job, source);
    (void)snprintf(member, sizeof(member), "%s/%s", job->registry, job->space);
    const char *words[] = {"EVALSHA",          redis->store_sha, "3",     space,  command,
                           "floor:registry",   job->token,       job->id, member, source,
                           redis->publication, MEMORY_MS};
    send_words(redis, hiredis_stored_cb, job, words, sizeof(words) / sizeof(words[0]));
}

static void load_scripts(struct floor_redis *redis, int port) {
    redisContext *connection = redisConnect(HOST, port);
    if (connection == NULL || connection->err != 0) {
        load_fail("no connection to Redis");
    }
    load_script(connection, claim_script, redis->claim_sha);
    load_script(connection, store_script, redis->store_sha);
    redisFree(connection);
}

static void load_script(redisContext *connection, const char *script, char ret_sha[SHA_BYTES]) {
    redisReply *reply = redisCommand(connection, "SCRIPT LOAD %s", script);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        load_fail("a script: %s", reply == NULL ? connection->errstr : reply->str);
    }
    (void)snprintf(ret_sha, SHA_BYTES, "%s", reply->str);
    freeReplyObject(reply);
}

static void make_keys(const struct floor_job *job, char ret_space[KEY_BYTES],
                      char ret_command[KEY_BYTES]) {
    (void)snprintf(ret_space, KEY_BYTES, "floor:space:%s/%s", job->registry, job->space);
    (void)snprintf(ret_command, KEY_BYTES, "floor:command:%s", job->id);
}

static void make_source(const struct floor_job *job, char ret_source[KEY_BYTES]) {
    (void)snprintf(ret_source, KEY_BYTES, "%s %" PRId32 " %" PRId64,
                   rd_kafka_topic_name(job->message->rkt), job->message->partition,
                   job->message->offset);
}

static void send_words(struct floor_redis *redis, redisCallbackFn *callback, struct floor_job *job,
                       const char **words, int words_count) {
    if (redisAsyncCommandArgv(redis->connection, callback, job, words_count, words, NULL) !=
        REDIS_OK) {
        load_fail("asking Redis: %s", redis->connection->errstr);
    }
}

static const char *text_of(redisAsyncContext *connection, const redisReply *reply) {
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        load_fail("Redis: %s", reply == NULL ? connection->errstr : reply->str);
    }
    return reply->str;
}

static void hiredis_claimed_cb(redisAsyncContext *connection, void *reply, void *ctx) {
    struct floor_redis *redis = connection->data;
    struct floor_job *job = ctx;
    (void)snprintf(job->token, sizeof(job->token), "%s", text_of(connection, reply));
    floor_on_claimed(redis->floor, job);
}

static void hiredis_stored_cb(redisAsyncContext *connection, void *reply, void *ctx) {
    struct floor_redis *redis = connection->data;
    (void)text_of(connection, reply);
    floor_on_stored(redis->floor, ctx);
}
