/* SPDX-License-Identifier: Apache-2.0 */
/* berth check: Redis, whether it keeps what it is given, and whose data it holds. */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "check_report.h"

#define SUBJECT    "redis"
#define KEY_BYTES  256
#define WORDS_MAX  16
#define TEXT_BYTES 768

extern const char berth_script_try[];

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
static const char *remedy_of(const char *why);
static void try_commands(struct redis *redis);
static void tried(void *ctx, const struct redisReply *reply);
static void report_refused(const struct redis *redis, const struct redisReply *reply);

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
            check_say(redis.report, CHECK_PROBLEM, SUBJECT, "reachable", remedy_of(redis.why),
                      "%s: %s", options->config->redis.address, redis.why);
        }
    }
    redis.client = berth_redis_client_free(redis.client);
    if (redis.base != NULL) {
        event_base_free(redis.base);
    }
}

static enum berth_rc connect_to(struct redis *redis, struct berth_error *reterr) {
    static const struct berth_redis_script script = {"try", berth_script_try};
    const struct berth_redis_client_config client = {
        .base = redis->base,
        .scripts = &script,
        .scripts_count = 1,
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
    try_commands(redis);
}

static const char *remedy_of(const char *why) {
    if (strstr(why, "TLS") != NULL) {
        return "look at [redis]: tls, ca_file, client_cert_file, server_name";
    }
    if (strstr(why, "NOPERM") != NULL) {
        return "give its user the rights that docs/redis.md lists";
    }
    return "look at [redis]: address, username, password_file, database";
}

/* ---- Whether it does what the scripts ask ---- */

/* Under names of this process, which nobody else uses. */
static void try_commands(struct redis *redis) {
    static const char *const kinds[] = {"hash", "string", "set"};
    struct berth_redis_args args;
    berth_redis_args_init(&args);
    enum berth_rc rc = berth_redis_args_begin(&args, WORDS_MAX, 3 * (size_t)KEY_BYTES);
    if (rc == BERTH_OK) {
        berth_redis_client_script_words(&args, 3);
        for (size_t i = 0; i < 3; i++) {
            berth_redis_args_append(&args, redis->config->redis.prefix);
            berth_redis_args_append(&args, "check:");
            berth_redis_args_append(&args, kinds[i]);
            berth_redis_args_append_number(&args, getpid());
            berth_redis_args_close(&args);
        }
        rc = berth_redis_client_run(redis->client, 0, &args, tried, redis);
    }
    berth_redis_args_deinit(&args);
    if (rc != BERTH_OK) {
        (void)event_base_loopbreak(redis->base);
    }
}

static void tried(void *ctx, const struct redisReply *reply) {
    struct redis *redis = ctx;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        check_say(redis->report, CHECK_PROBLEM, SUBJECT, "write",
                  "give its user the rights that docs/redis.md lists", "scripts can't be run: %s",
                  reply == NULL ? "no reply" : reply->str);
    } else if (reply->elements <= 1) {
        check_say(redis->report, CHECK_OK, SUBJECT, "write", NULL,
                  "it does every command that berthd's scripts use");
    } else {
        report_refused(redis, reply);
    }
    (void)event_base_loopbreak(redis->base);
}

/* "<command> <what Redis said>" each, behind one word; mostly all say the same. */
static void report_refused(const struct redis *redis, const struct redisReply *reply) {
    char names[TEXT_BYTES] = "";
    size_t len = 0;
    const char *why = strchr(reply->element[1]->str, ' ');
    for (size_t i = 1; i < reply->elements && len < sizeof(names); i++) {
        const char *line = reply->element[i]->str;
        int written = snprintf(names + len, sizeof(names) - len, "%s%.*s", i == 1 ? "" : ", ",
                               (int)strcspn(line, " "), line);
        len += written > 0 ? (size_t)written : sizeof(names);
    }
    bool rights = strstr(why, "can't run") != NULL || strstr(why, "can't access") != NULL ||
                  strstr(why, "ACL") != NULL;
    check_say(redis->report, CHECK_PROBLEM, SUBJECT, "write",
              rights ? "give its user the rights that docs/redis.md lists"
                     : "see to its memory (maxmemory), its disk and its replicas: until then "
                       "every command waits",
              "it refuses %s:%s", names, why);
}
