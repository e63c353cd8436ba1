/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: Redis, whether it keeps what it is given, and whose data it holds. */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "check_report.h"

#define SUBJECT   "redis"
#define KEY_BYTES 256
#define WORDS_MAX 5
/* Beside the configured time-out: a name to be looked up, and a few answers. */
#define MARGIN_MS 3000

struct redis {
    struct check_report *report;
    const struct berth_config *config;
    struct event_base *base;
    struct berth_redis_client *client;
    bool reached;
    bool flaws[BERTH_REDIS_FLAWS];
    char why[256]; /* Why it isn't ready. */
    char key[KEY_BYTES];
};

static enum berth_rc connect_to(struct redis *redis, struct berth_error *reterr);
static void changed(void *ctx, bool ready, const char *why);
static void warned(void *ctx, enum berth_redis_flaw flaw, const char *text);
static void ask_epoch(struct redis *redis);
static void epoch_answered(void *ctx, const struct redisReply *reply);
static void ask_owner(struct redis *redis);
static void owner_answered(void *ctx, const struct redisReply *reply);
static void report_flaws(const struct redis *redis);

void check_redis(const struct check_options *options) {
    struct redis redis = {.report = options->report,
                          .config = options->config,
                          .base = event_base_new(),
                          .why = "no answer in time"};
    struct berth_error error = {0};
    enum berth_rc rc = redis.base == NULL ? BERTH_FAULT_MEMORY : connect_to(&redis, &error);
    if (rc != BERTH_OK) {
        (void)cli_fault(rc, &error);
        redis.report->counts[CHECK_PROBLEM]++;
    } else {
        int64_t bound_ms = options->config->redis.timeout_ms + MARGIN_MS;
        const struct timeval bound = {.tv_sec = bound_ms / 1000,
                                      .tv_usec = (bound_ms % 1000) * 1000};
        (void)event_base_loopexit(redis.base, &bound);
        (void)event_base_dispatch(redis.base);
        if (!redis.reached) {
            check_say(redis.report, CHECK_PROBLEM, SUBJECT, "reachable",
                      "look at [redis]: address, username, password_file, database", "%s: %s",
                      options->config->redis.address, redis.why);
        }
    }
    redis.client = berth_redis_client_free(redis.client);
    if (redis.base != NULL) {
        event_base_free(redis.base);
    }
}

static enum berth_rc connect_to(struct redis *redis, struct berth_error *reterr) {
    const struct berth_redis_client_config client = {
        .base = redis->base,
        .server = berth_config_redis_server(redis->config),
        .pending_max = 16,
        .pending_bytes_max = (size_t)64 * 1024,
        .on_state = changed,
        .on_warning = warned,
        .ctx = redis,
    };
    return berth_redis_client_new(&client, &redis->client, reterr);
}

/* A refusal is told at once; whether a connection comes up is waited for. */
static void changed(void *ctx, bool ready, const char *why) {
    struct redis *redis = ctx;
    if (!ready) {
        (void)snprintf(redis->why, sizeof(redis->why), "%s", why);
        return;
    }
    redis->reached = true;
    check_say(redis->report, CHECK_OK, SUBJECT, "reachable", NULL,
              "%s answers: a single master, and it takes the login", redis->config->redis.address);
    report_flaws(redis);
    ask_epoch(redis);
}

static void warned(void *ctx, enum berth_redis_flaw flaw, const char *text) {
    struct redis *redis = ctx;
    redis->flaws[flaw] = true;
    bool evicts = flaw == BERTH_REDIS_FLAW_EVICTION;
    check_say(redis->report, CHECK_WARNING, SUBJECT, evicts ? "policy" : "persistence", NULL, "%s",
              text);
}

static void report_flaws(const struct redis *redis) {
    if (!redis->flaws[BERTH_REDIS_FLAW_EVICTION]) {
        check_say(redis->report, CHECK_OK, SUBJECT, "policy", NULL,
                  "it throws nothing away when its memory is full");
    }
    if (!redis->flaws[BERTH_REDIS_FLAW_PERSISTENCE]) {
        check_say(redis->report, CHECK_OK, SUBJECT, "persistence", NULL,
                  "it keeps its data over a restart");
    }
}

static void ask_epoch(struct redis *redis) {
    struct berth_redis_args args;
    berth_redis_args_init(&args);
    (void)snprintf(redis->key, sizeof(redis->key), "%sepoch", redis->config->redis.prefix);
    enum berth_rc rc = berth_redis_args_begin(&args, WORDS_MAX, 0);
    if (rc == BERTH_OK) {
        berth_redis_args_text(&args, "EXISTS");
        berth_redis_args_text(&args, redis->key);
        rc = berth_redis_client_ask(redis->client, &args, epoch_answered, redis);
    }
    berth_redis_args_deinit(&args);
    if (rc != BERTH_OK) {
        (void)event_base_loopbreak(redis->base);
    }
}

static void epoch_answered(void *ctx, const struct redisReply *reply) {
    struct redis *redis = ctx;
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        check_say(redis->report, CHECK_PROBLEM, SUBJECT, "data_set",
                  "allow its user every key that begins with the prefix", "%s can't be read: %s",
                  redis->key, reply == NULL ? "no reply" : reply->str);
    } else {
        redis->report->has_data_set = reply->integer > 0;
        check_say(redis->report, CHECK_OK, SUBJECT, "data_set", NULL, "%s",
                  reply->integer > 0
                      ? "it holds a data set of berth's"
                      : "it holds none of berth's data yet: the first berthd makes it");
        ask_owner(redis);
        return;
    }
    (void)event_base_loopbreak(redis->base);
}

static void ask_owner(struct redis *redis) {
    struct berth_redis_args args;
    berth_redis_args_init(&args);
    (void)snprintf(redis->key, sizeof(redis->key), "%sowner", redis->config->redis.prefix);
    enum berth_rc rc = berth_redis_args_begin(&args, WORDS_MAX, 0);
    if (rc == BERTH_OK) {
        const char *const words[] = {"HMGET", redis->key, "deployment", "group", "cluster"};
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            berth_redis_args_text(&args, words[i]);
        }
        rc = berth_redis_client_ask(redis->client, &args, owner_answered, redis);
    }
    berth_redis_args_deinit(&args);
    if (rc != BERTH_OK) {
        (void)event_base_loopbreak(redis->base);
    }
}

/* Whose it is; the cluster counts only if Kafka has said which one it is. */
static void owner_answered(void *ctx, const struct redisReply *reply) {
    struct redis *redis = ctx;
    const char *ours[] = {redis->config->deployment, redis->config->group, redis->report->cluster};
    const char *theirs[] = {"", "", ""};
    bool told = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3;
    bool same = true;
    for (size_t i = 0; told && i < 3; i++) {
        told = reply->element[i]->type == REDIS_REPLY_STRING;
        theirs[i] = told ? reply->element[i]->str : "";
        same = same && (ours[i][0] == '\0' || strcmp(ours[i], theirs[i]) == 0);
    }
    redis->report->is_ours = !told || same;
    if (told) {
        check_say(redis->report, same ? CHECK_OK : CHECK_PROBLEM, SUBJECT, "owner",
                  same ? NULL : "give this one a prefix of its own in [redis], or another database",
                  "what it holds under %s is %s: deployment %s, group %s, Kafka cluster %s",
                  redis->config->redis.prefix, same ? "this installation's" : "another's",
                  theirs[0], theirs[1], theirs[2]);
    }
    (void)event_base_loopbreak(redis->base);
}
