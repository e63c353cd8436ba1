/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "lookup_parts.h"
#include "space_fields.h"

static const redisReply *element(const redisReply *reply, size_t index, int type) {
    bool there = reply->type == REDIS_REPLY_ARRAY && index < reply->elements;
    const redisReply *found = there ? reply->element[index] : NULL;
    return found != NULL && found->type == type ? found : NULL;
}

static bool says(const redisReply *reply, const char *word) {
    const redisReply *verdict = element(reply, 0, REDIS_REPLY_STRING);
    return verdict != NULL && strcmp(verdict->str, word) == 0;
}

/* Copies a text that isn't longer than it may be. */
static bool copy(const redisReply *text, char *ret_text, size_t bytes) {
    if (text == NULL || text->len >= bytes) {
        return false;
    }
    memcpy(ret_text, text->str, text->len);
    ret_text[text->len] = '\0';
    return true;
}

/* One line of somebody else's words. */
static void set_why(struct lookup_reply *reply, const char *text) {
    (void)snprintf(reply->why, sizeof(reply->why), "%s", text);
    for (char *at = reply->why; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = ' ';
        }
    }
}

/* ---- A page ---- */

/* "registry/space", split at its first slash. */
static bool read_name(const redisReply *name, struct berth_lookup_space *space) {
    const char *slash = name == NULL ? NULL : memchr(name->str, '/', name->len);
    if (slash == NULL) {
        return false;
    }
    size_t registry_len = (size_t)(slash - name->str);
    size_t space_len = name->len - registry_len - 1;
    if (registry_len >= sizeof(space->registry) || space_len >= sizeof(space->space)) {
        return false;
    }
    memcpy(space->registry, name->str, registry_len);
    memcpy(space->space, slash + 1, space_len);
    return true;
}

/* A list that leaves out what it can't read would be taken for the whole. */
static bool read_listed(const redisReply *name, const redisReply *fields,
                        struct berth_lookup_space *space, struct lookup_reply *reply) {
    if (!read_name(name, space) || fields == NULL) {
        set_why(reply, "Redis holds a space's name that isn't one");
        return false;
    }
    if (space_fields_parse(fields->str, fields->len, &space->state) != BERTH_OK) {
        set_why(reply, "out of memory");
        return false;
    }
    if (space->state.knowledge != BERTH_SPACE_PRESENT) {
        char why[LOOKUP_WHY_BYTES];
        (void)snprintf(why, sizeof(why),
                       "what Redis holds of %s/%s can't be understood; any command for that space "
                       "repairs it",
                       space->registry, space->space);
        set_why(reply, why);
        return false;
    }
    return true;
}

static bool read_page(const redisReply *redis_reply, struct lookup_reply *reply) {
    const redisReply *more = element(redis_reply, 1, REDIS_REPLY_INTEGER);
    if (more == NULL) {
        return false;
    }
    reply->kind = LOOKUP_REPLY_PAGE;
    reply->more = more->integer != 0;
    size_t count = (redis_reply->elements - 2) / 2;
    if (count == 0) {
        return true;
    }
    reply->spaces = calloc(count, sizeof(*reply->spaces));
    if (reply->spaces == NULL) {
        set_why(reply, "out of memory");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct berth_lookup_space *space = &reply->spaces[i];
        reply->spaces_count = i + 1;
        if (!read_listed(element(redis_reply, 2 + 2 * i, REDIS_REPLY_STRING),
                         element(redis_reply, 3 + 2 * i, REDIS_REPLY_STRING), space, reply)) {
            return false;
        }
    }
    return true;
}

/* ---- One space ---- */

static bool read_space(const redisReply *redis_reply, struct lookup_reply *reply) {
    const redisReply *held = element(redis_reply, 3, REDIS_REPLY_INTEGER);
    const redisReply *fields = element(redis_reply, 4, REDIS_REPLY_STRING);
    struct lookup_mark *mark = &reply->mark;
    if (held == NULL ||
        !copy(element(redis_reply, 1, REDIS_REPLY_STRING), mark->epoch, sizeof(mark->epoch))) {
        return false;
    }
    bool no_token = element(redis_reply, 2, REDIS_REPLY_NIL) != NULL;
    if (!no_token &&
        !copy(element(redis_reply, 2, REDIS_REPLY_STRING), mark->token, sizeof(mark->token))) {
        return false;
    }
    reply->kind = LOOKUP_REPLY_SPACE;
    /* What can't be understood is read from Harbor, but not overwritten. */
    mark->untouched = fields == NULL && held->integer == 0;
    if (fields != NULL && space_fields_parse(fields->str, fields->len, &reply->state) != BERTH_OK) {
        set_why(reply, "out of memory");
        return false;
    }
    return true;
}

static bool read(const redisReply *redis_reply, struct lookup_reply *reply) {
    if (says(redis_reply, "page")) {
        return read_page(redis_reply, reply);
    }
    if (says(redis_reply, "space")) {
        return read_space(redis_reply, reply);
    }
    reply->kind = says(redis_reply, "filled") ? LOOKUP_REPLY_FILLED : LOOKUP_REPLY_REBUILDING;
    return reply->kind == LOOKUP_REPLY_FILLED || says(redis_reply, "rebuilding");
}

void lookup_reply_read(const struct redisReply *reply, struct lookup_reply *ret_reply) {
    *ret_reply = (struct lookup_reply){.kind = LOOKUP_REPLY_TROUBLE};
    if (reply->type == REDIS_REPLY_ERROR) {
        char why[LOOKUP_WHY_BYTES];
        (void)snprintf(why, sizeof(why), "Redis refuses the lookup: %s", reply->str);
        set_why(ret_reply, why);
        return;
    }
    if (!read(reply, ret_reply)) {
        lookup_reply_deinit(ret_reply);
        ret_reply->kind = LOOKUP_REPLY_TROUBLE;
        if (ret_reply->why[0] == '\0') {
            set_why(ret_reply, "Redis gave a reply that can't be understood");
        }
    }
}

void lookup_reply_deinit(struct lookup_reply *reply) {
    for (size_t i = 0; i < reply->spaces_count; i++) {
        space_fields_free(&reply->spaces[i].state);
    }
    free(reply->spaces);
    reply->spaces = NULL;
    reply->spaces_count = 0;
    space_fields_free(&reply->state);
}
