/* SPDX-License-Identifier: Apache-2.0 */
#include "bindings.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "berth/base/assert.h"
#include "berth/core/command_rules.h"

/* Prefix, "space:", registry, "/", space; each with room to spare. */
#define KEY_BYTES   512
#define FIELD_BYTES (sizeof("binding:") + BERTH_WORKSPACE_BYTES)
/* What a field of a space's hash has at most here, with its NUL. */
#define VALUE_BYTES 64
/* Stands for an unknown key id (docs/redis.md). */
#define NO_KEY_ID "-"

/* One connection, and what is asked over it. */
struct lookup {
    const struct berth_config *config;
    const struct cli_bindings_query *query;
    redisContext *redis;
};

static enum cli_exit greet(const struct lookup *lookup);
static enum cli_exit connect_to(struct lookup *lookup);
static enum cli_exit ask(const struct lookup *lookup, int type, const char **words, int count,
                         redisReply **ret_reply);
static enum cli_exit read_all(const struct lookup *lookup, struct cli_bindings *bindings);
static enum cli_exit read_members(const struct lookup *lookup, redisReply **ret_members);
static enum cli_exit explain_empty(const struct lookup *lookup);
static enum cli_exit read_one(const struct lookup *lookup, const redisReply *member,
                              struct cli_bindings *bindings);
static bool split_member(const redisReply *member, struct cli_binding *binding);
static bool wanted(const struct cli_bindings_query *query, const struct cli_binding *binding);
static enum cli_exit read_space(const struct lookup *lookup, struct cli_binding *binding,
                                bool *ret_bound);
static bool copy_reply(const redisReply *reply, char ret_text[VALUE_BYTES]);
static bool parse_id(const char *text, char **ret_end, int64_t *ret_id);
static int compare(const void *left, const void *right);

enum cli_exit cli_bindings_read(const struct berth_config *config,
                                const struct cli_bindings_query *query,
                                struct cli_bindings *ret_bindings) {
    struct lookup lookup = {.config = config, .query = query};
    struct cli_bindings bindings = {0};
    enum cli_exit status = connect_to(&lookup);
    if (status == CLI_SUCCEEDED) {
        status = greet(&lookup);
    }
    if (status == CLI_SUCCEEDED) {
        status = read_all(&lookup, &bindings);
    }
    if (lookup.redis != NULL) {
        redisFree(lookup.redis);
    }
    if (status != CLI_SUCCEEDED) {
        cli_bindings_deinit(&bindings);
        return status;
    }
    *ret_bindings = bindings;
    return CLI_SUCCEEDED;
}

void cli_bindings_deinit(struct cli_bindings *bindings) {
    free(bindings->items);
    *bindings = (struct cli_bindings){0};
}

bool cli_binding_parse(const char *value, struct cli_binding *ret_binding) {
    char *rest = NULL;
    int64_t robot_id = 0;
    if (!parse_id(value, &rest, &robot_id) || *rest != ' ') {
        return false;
    }
    const char *key_id = rest + 1;
    size_t key_id_len = strcspn(key_id, " ");
    const char *condition = key_id + key_id_len;
    bool known = strncmp(key_id, NO_KEY_ID " ", strlen(NO_KEY_ID " ")) != 0;
    if ((known && key_id_len != BERTH_KEY_ID_BYTES - 1) ||
        (strcmp(condition, " active") != 0 && strcmp(condition, " disabled") != 0)) {
        return false;
    }
    ret_binding->robot_id = robot_id;
    (void)snprintf(ret_binding->key_id, sizeof(ret_binding->key_id), "%.*s",
                   known ? (int)key_id_len : 0, key_id);
    return true;
}

static enum cli_exit connect_to(struct lookup *lookup) {
    const struct berth_config *config = lookup->config;
    const char *colon = strrchr(config->redis.address, ':');
    BERTH_ASSERT(colon != NULL); /* The configuration's table says so. */
    char *host = strndup(config->redis.address, (size_t)(colon - config->redis.address));
    if (host == NULL) {
        (void)cli_fault(BERTH_FAULT_MEMORY, NULL);
        return CLI_FAILED;
    }
    const struct timeval timeout = {.tv_sec = config->redis.timeout_ms / 1000,
                                    .tv_usec = config->redis.timeout_ms % 1000 * 1000};
    lookup->redis = redisConnectWithTimeout(host, (int)strtol(colon + 1, NULL, 10), timeout);
    free(host);
    if (lookup->redis == NULL) {
        (void)cli_fault(BERTH_FAULT_MEMORY, NULL);
        return CLI_FAILED;
    }
    if (lookup->redis->err != 0 || redisSetTimeout(lookup->redis, timeout) != REDIS_OK) {
        cli_complain("Redis at %s can't be reached: %s", config->redis.address,
                     lookup->redis->errstr);
        return CLI_NO_ANSWER;
    }
    return CLI_SUCCEEDED;
}

/* Login and database. */
static enum cli_exit greet(const struct lookup *lookup) {
    const struct berth_config *config = lookup->config;
    enum cli_exit status = CLI_SUCCEEDED;
    redisReply *reply = NULL;
    if (config->redis.password.text != NULL) {
        const char *words[3] = {"AUTH"};
        int count = 1;
        if (config->redis.username != NULL) {
            words[count++] = config->redis.username;
        }
        words[count++] = config->redis.password.text;
        status = ask(lookup, REDIS_REPLY_STATUS, words, count, &reply);
        freeReplyObject(reply);
    }
    if (status == CLI_SUCCEEDED && config->redis.database != 0) {
        char number[VALUE_BYTES];
        (void)snprintf(number, sizeof(number), "%lld", (long long)config->redis.database);
        const char *words[] = {"SELECT", number};
        reply = NULL;
        status = ask(lookup, REDIS_REPLY_STATUS, words, 2, &reply);
        freeReplyObject(reply);
    }
    return status;
}

/* ret_reply: of this type, the caller's; NULL when it fails. */
static enum cli_exit ask(const struct lookup *lookup, int type, const char **words, int count,
                         redisReply **ret_reply) {
    *ret_reply = NULL;
    const char *address = lookup->config->redis.address;
    redisReply *reply = redisCommandArgv(lookup->redis, count, words, NULL);
    if (reply == NULL) {
        bool late = lookup->redis->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT);
        cli_complain("Redis at %s doesn't answer: %s", address,
                     late ? "timed out" : lookup->redis->errstr);
        return CLI_NO_ANSWER;
    }
    if (reply->type == type) {
        *ret_reply = reply;
        return CLI_SUCCEEDED;
    }
    cli_complain("Redis at %s refuses %s: %s", address, words[0],
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of another type");
    freeReplyObject(reply);
    return CLI_FAILED;
}

static enum cli_exit read_all(const struct lookup *lookup, struct cli_bindings *bindings) {
    redisReply *members = NULL;
    enum cli_exit status = read_members(lookup, &members);
    if (status == CLI_SUCCEEDED && members->elements > 0) {
        bindings->items = calloc(members->elements, sizeof(*bindings->items));
        if (bindings->items == NULL) {
            (void)cli_fault(BERTH_FAULT_MEMORY, NULL);
            status = CLI_FAILED;
        }
    }
    for (size_t i = 0; status == CLI_SUCCEEDED && i < members->elements; i++) {
        status = read_one(lookup, members->element[i], bindings);
    }
    bool empty = status == CLI_SUCCEEDED && members->elements == 0;
    freeReplyObject(members);
    if (status == CLI_SUCCEEDED && bindings->count == 0) {
        return empty ? explain_empty(lookup) : CLI_SUCCEEDED;
    }
    if (status == CLI_SUCCEEDED) {
        qsort(bindings->items, bindings->count, sizeof(*bindings->items), compare);
    }
    return status;
}

/* "registry/space" each; the caller's. */
static enum cli_exit read_members(const struct lookup *lookup, redisReply **ret_members) {
    *ret_members = NULL;
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%sworkspace:%s", lookup->config->redis.prefix,
                   lookup->query->workspace);
    const char *count_words[] = {"ZCARD", key};
    redisReply *reply = NULL;
    enum cli_exit status = ask(lookup, REDIS_REPLY_INTEGER, count_words, 2, &reply);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    long long count = reply->integer;
    freeReplyObject(reply);
    if (count > CLI_BINDINGS_MAX) {
        cli_complain("workspace %s is bound to %lld spaces, and %d are the most that are read",
                     lookup->query->workspace, count, CLI_BINDINGS_MAX);
        return CLI_FAILED;
    }
    const char *words[] = {"ZRANGE", key, "0", "-1"};
    return ask(lookup, REDIS_REPLY_ARRAY, words, 4, ret_members);
}

/* A Redis that berthd has never seen binds nobody to anything either: that must not be taken for an
 * answer. */
static enum cli_exit explain_empty(const struct lookup *lookup) {
    const struct berth_config *config = lookup->config;
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%sepoch", config->redis.prefix);
    const char *words[] = {"EXISTS", key};
    redisReply *reply = NULL;
    enum cli_exit status = ask(lookup, REDIS_REPLY_INTEGER, words, 2, &reply);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    if (reply->integer == 0) {
        cli_complain("Redis at %s holds nothing of berth's under %s in database %lld: is it the "
                     "one that berthd uses?",
                     config->redis.address, config->redis.prefix,
                     (long long)config->redis.database);
        status = CLI_FAILED;
    }
    freeReplyObject(reply);
    return status;
}

static enum cli_exit read_one(const struct lookup *lookup, const redisReply *member,
                              struct cli_bindings *bindings) {
    struct cli_binding binding = {.robot_id = 0};
    if (!split_member(member, &binding)) {
        cli_complain("Redis at %s holds a space's name that isn't one",
                     lookup->config->redis.address);
        return CLI_FAILED;
    }
    bool bound = false;
    if (!wanted(lookup->query, &binding)) {
        return CLI_SUCCEEDED;
    }
    enum cli_exit status = read_space(lookup, &binding, &bound);
    if (status == CLI_SUCCEEDED && bound) {
        bindings->items[bindings->count++] = binding;
    }
    return status;
}

/* Only what berth itself writes: it is printed as it is, into JSON too. */
static bool split_member(const redisReply *member, struct cli_binding *binding) {
    if (member->type != REDIS_REPLY_STRING || strlen(member->str) != (size_t)member->len) {
        return false;
    }
    size_t registry_len = strcspn(member->str, "/");
    if (registry_len >= sizeof(binding->registry) || member->str[registry_len] != '/') {
        return false;
    }
    const char *space = member->str + registry_len + 1;
    if (strspn(member->str, "abcdefghijklmnopqrstuvwxyz0123456789-") != registry_len ||
        strlen(space) >= sizeof(binding->space) || !berth_harbor_name_legal(space)) {
        return false;
    }
    memcpy(binding->registry, member->str, registry_len);
    memcpy(binding->space, space, strlen(space));
    return true;
}

static bool wanted(const struct cli_bindings_query *query, const struct cli_binding *binding) {
    return (query->registry == NULL || strcmp(query->registry, binding->registry) == 0) &&
           (query->space == NULL || strcmp(query->space, binding->space) == 0);
}

/* ret_bound is false when it was unbound since the set was read. */
static enum cli_exit read_space(const struct lookup *lookup, struct cli_binding *binding,
                                bool *ret_bound) {
    char key[KEY_BYTES];
    char field[FIELD_BYTES];
    (void)snprintf(key, sizeof(key), "%sspace:%s/%s", lookup->config->redis.prefix,
                   binding->registry, binding->space);
    (void)snprintf(field, sizeof(field), "binding:%s", lookup->query->workspace);
    const char *words[] = {"HMGET", key, "state", "project_id", field};
    redisReply *reply = NULL;
    enum cli_exit status = ask(lookup, REDIS_REPLY_ARRAY, words, 5, &reply);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    BERTH_ASSERT(reply->elements == 3);
    char state[VALUE_BYTES];
    char project[VALUE_BYTES];
    char value[VALUE_BYTES];
    char *end = NULL;
    *ret_bound = copy_reply(reply->element[0], state) && strcmp(state, "present") == 0 &&
                 copy_reply(reply->element[2], value);
    if (*ret_bound && (!copy_reply(reply->element[1], project) ||
                       !parse_id(project, &end, &binding->project_id) || *end != '\0' ||
                       !cli_binding_parse(value, binding))) {
        cli_complain("Redis at %s holds a binding of %s/%s that can't be read",
                     lookup->config->redis.address, binding->registry, binding->space);
        status = CLI_FAILED;
    }
    freeReplyObject(reply);
    return status;
}

/* false: it isn't there. What is too long is cut, and then isn't understood. */
static bool copy_reply(const redisReply *reply, char ret_text[VALUE_BYTES]) {
    if (reply->type != REDIS_REPLY_STRING) {
        return false;
    }
    (void)snprintf(ret_text, VALUE_BYTES, "%s", reply->str);
    return true;
}

/* Harbor's ids are positive. */
static bool parse_id(const char *text, char **ret_end, int64_t *ret_id) {
    errno = 0;
    long long id = strtoll(text, ret_end, 10);
    *ret_id = id;
    return text[0] >= '1' && text[0] <= '9' && errno == 0;
}

static int compare(const void *left, const void *right) {
    const struct cli_binding *a = left;
    const struct cli_binding *b = right;
    int order = strcmp(a->registry, b->registry);
    return order != 0 ? order : strcmp(a->space, b->space);
}
