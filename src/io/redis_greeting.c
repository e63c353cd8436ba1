/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "redis_client_parts.h"

static bool is_error(const redisReply *reply) {
    return reply->type == REDIS_REPLY_ERROR;
}

static bool is_text(const redisReply *reply) {
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

/* One answer less to wait for. */
static void greeting_answered(struct berth_redis_client *client) {
    BERTH_ASSERT(client->greetings > 0);
    client->greetings--;
    if (client->greetings == 0) {
        redis_greeted(client);
    }
}

/* After a drop the answers that are still to come are none of ours. */
static bool greeting_over(const struct berth_redis_client *client, const redisReply *reply) {
    return reply == NULL || client->phase != REDIS_GREETING;
}

static void login_answered(void *ctx, const struct redisReply *reply) {
    struct berth_redis_client *client = ctx;
    if (greeting_over(client, reply)) {
        return;
    }
    if (is_error(reply)) {
        redis_drop(client, "it refuses the login: %s", reply->str);
        return;
    }
    greeting_answered(client);
}

static void select_answered(void *ctx, const struct redisReply *reply) {
    struct berth_redis_client *client = ctx;
    if (greeting_over(client, reply)) {
        return;
    }
    if (is_error(reply)) {
        redis_drop(client, "it refuses database %" PRId64 ": %s", client->config.server.database,
                   reply->str);
        return;
    }
    greeting_answered(client);
}

/* The value of one line "name:value" of INFO, copied; empty when there is no such line. */
static void info_value(const char *info, const char *name, char *ret_value, size_t value_bytes) {
    ret_value[0] = '\0';
    size_t name_len = strlen(name);
    for (const char *line = info; line != NULL && *line != '\0';) {
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            int len = (int)strcspn(value, "\r\n");
            snprintf(ret_value, value_bytes, "%.*s", len, value);
            return;
        }
        line = strchr(line, '\n');
        if (line != NULL) {
            line++;
        }
    }
}

/* Says a flaw once, until it has been well again. */
static void note_flaw(struct berth_redis_client *client, enum berth_redis_flaw flaw, bool present,
                      const char *text) {
    if (present && !client->flaws_said[flaw]) {
        client->config.on_warning(client->config.ctx, flaw, text);
    }
    client->flaws_said[flaw] = present;
}

static void judge_eviction(struct berth_redis_client *client, const char *info) {
    char policy[64];
    char text[256];
    info_value(info, "maxmemory_policy", policy, sizeof(policy));
    bool evicts = policy[0] != '\0' && strcmp(policy, "noeviction") != 0;
    snprintf(text, sizeof(text),
             "Redis may throw the ledger away when its memory is full: maxmemory-policy is %s; set "
             "it to noeviction",
             policy);
    note_flaw(client, BERTH_REDIS_FLAW_EVICTION, evicts, text);
}

static void info_answered(void *ctx, const struct redisReply *reply) {
    struct berth_redis_client *client = ctx;
    if (greeting_over(client, reply)) {
        return;
    }
    if (is_error(reply) || !is_text(reply)) {
        redis_drop(client, "it doesn't answer INFO: %s",
                   is_error(reply) ? reply->str : "unexpected reply");
        return;
    }
    char value[64];
    info_value(reply->str, "role", value, sizeof(value));
    if (strcmp(value, "master") != 0) {
        redis_drop(client, "it is a replica (role %s); berth needs the master", value);
        return;
    }
    info_value(reply->str, "cluster_enabled", value, sizeof(value));
    if (strcmp(value, "1") == 0) {
        redis_drop(client, "it is part of a cluster; berth needs a single Redis");
        return;
    }
    judge_eviction(client, reply->str);
    info_value(reply->str, "aof_enabled", value, sizeof(value));
    client->appends = strcmp(value, "1") == 0;
    greeting_answered(client);
}

/* Asked after INFO and so answered after it. Where CONFIG is forbidden, nobody can tell. */
static void save_answered(void *ctx, const struct redisReply *reply) {
    struct berth_redis_client *client = ctx;
    if (greeting_over(client, reply)) {
        return;
    }
    bool told = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_STRING;
    bool saves = told && reply->element[1]->len > 0;
    const char *text = told ? "Redis keeps its data in memory only, so a restart loses the ledger: "
                              "set appendonly to yes"
                            : "Redis doesn't say whether it keeps its data (CONFIG GET save is "
                              "refused, appendonly is off)";
    note_flaw(client, BERTH_REDIS_FLAW_PERSISTENCE, !client->appends && !saves, text);
    greeting_answered(client);
}

/* Which script an answer belongs to. */
struct script_load {
    struct berth_redis_client *client;
    size_t script;
};

static void script_loaded(void *ctx, const struct redisReply *reply) {
    struct script_load *load = ctx;
    struct berth_redis_client *client = load->client;
    size_t script = load->script;
    free(load);
    client->loading[script] = false;
    if (reply == NULL) {
        return;
    }
    const char *name = client->config.scripts[script].name;
    if (!is_text(reply) || reply->len != REDIS_SHA_LEN) {
        redis_drop(client, "it refuses the script %s: %s", name,
                   is_error(reply) ? reply->str : "unexpected reply");
        return;
    }
    memcpy(client->sha[script], reply->str, REDIS_SHA_LEN + 1);
    if (client->phase == REDIS_GREETING) {
        greeting_answered(client);
    }
}

void redis_load_script(struct berth_redis_client *client, size_t script) {
    if (client->loading[script]) {
        return;
    }
    struct script_load *load = malloc(sizeof(*load));
    if (load == NULL || berth_redis_args_begin(&client->args, 3, 0) != BERTH_OK) {
        free(load);
        redis_drop(client, "out of memory");
        return;
    }
    *load = (struct script_load){.client = client, .script = script};
    berth_redis_args_text(&client->args, "SCRIPT");
    berth_redis_args_text(&client->args, "LOAD");
    berth_redis_args_text(&client->args, client->config.scripts[script].source);
    client->loading[script] = true;
    if (!redis_send(client, &client->args, REDIS_NO_SCRIPT, script_loaded, load)) {
        client->loading[script] = false;
        free(load);
        redis_drop(client, "a command can't be sent");
    }
}

/* Asks one of the greetings; text is at most three words. */
static void ask(struct berth_redis_client *client, const char *const *words, size_t count,
                berth_redis_reply_fn fn) {
    if (client->phase != REDIS_GREETING) {
        return; /* Dropped by one before. */
    }
    if (berth_redis_args_begin(&client->args, count, 0) != BERTH_OK) {
        redis_drop(client, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        berth_redis_args_text(&client->args, words[i]);
    }
    if (!redis_send(client, &client->args, REDIS_NO_SCRIPT, fn, client)) {
        redis_drop(client, "a command can't be sent");
    }
}

static bool given(const char *text) {
    return text != NULL && text[0] != '\0';
}

void redis_greet(struct berth_redis_client *client) {
    const struct berth_redis_server *server = &client->config.server;
    bool login = given(server->password);
    bool select = server->database != 0;
    /* Counted first: no answer comes before this function returns, but a drop may. */
    client->greetings = 2 + (login ? 1U : 0U) + (select ? 1U : 0U) + client->config.scripts_count;

    if (login && given(server->username)) {
        ask(client, (const char *[]){"AUTH", server->username, server->password}, 3,
            login_answered);
    } else if (login) {
        ask(client, (const char *[]){"AUTH", server->password}, 2, login_answered);
    }
    if (select) {
        char database[24];
        snprintf(database, sizeof(database), "%" PRId64, server->database);
        ask(client, (const char *[]){"SELECT", database}, 2, select_answered);
    }
    ask(client, (const char *[]){"INFO"}, 1, info_answered);
    ask(client, (const char *[]){"CONFIG", "GET", "save"}, 3, save_answered);
    for (size_t i = 0; i < client->config.scripts_count && client->phase == REDIS_GREETING; i++) {
        redis_load_script(client, i);
    }
}
