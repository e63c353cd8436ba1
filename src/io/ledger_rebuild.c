/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a rebuild, each a script that works only under the lock of this attempt. */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "berth/io/redis_client.h"
#include "ledger_parts.h"
#include "space_fields.h"

#define NAME_TEXT ((size_t)(BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES))
#define KEY_TEXT  (BERTH_LEDGER_PREFIX_BYTES + NAME_TEXT + 32)
/* What each of the calls has besides fields: five keys and parts of keys, some numbers. */
#define FIXED_TEXT  (6 * KEY_TEXT + 2 * (size_t)BERTH_UUID_BYTES + 256)
#define FIXED_WORDS 20
#define LINE_TEXT   ((size_t)BERTH_TOPIC_BYTES + BERTH_LOG_ID_BYTES + 48)

static enum berth_rc chill_from(struct berth_ledger *ledger, const char *cursor);

/* True when the reply is one to go on with; else the rebuild is over. */
static bool goes_on(struct berth_ledger *ledger, const struct redisReply *reply) {
    if (ledger->freeing || reply == NULL || ledger->data_set.phase != DATA_SET_REBUILDING) {
        return false; /* It is told elsewhere, or was. */
    }
    if (ledger_reply_is(reply, "lost")) {
        ledger_data_set_gave_up(ledger, "the lock of the rebuild was lost", false);
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        char why[LEDGER_TROUBLE_BYTES + 64];
        snprintf(why, sizeof(why), "it refuses to be rebuilt: %s", ledger_reply_text(reply));
        ledger_data_set_gave_up(ledger, why, false);
        return false;
    }
    return true;
}

static enum berth_rc begin(struct berth_ledger *ledger, size_t words, size_t text) {
    if (ledger->data_set.phase != DATA_SET_REBUILDING) {
        return BERTH_BUSY;
    }
    return berth_redis_args_begin(&ledger->args, FIXED_WORDS + words, FIXED_TEXT + text);
}

/* ---- CHILL ---- */

static void chilled(void *ctx, const struct redisReply *reply) {
    struct berth_ledger *ledger = ctx;
    if (!goes_on(ledger, reply)) {
        return;
    }
    bool told = ledger_reply_is(reply, "chilled") && reply->elements == 2 &&
                reply->element[1]->type == REDIS_REPLY_STRING;
    if (told && strcmp(reply->element[1]->str, "0") == 0) {
        ledger->on_rebuild(ledger->ctx, BERTH_REBUILD_CHILLED);
    } else if (!told || chill_from(ledger, reply->element[1]->str) != BERTH_OK) {
        ledger_data_set_gave_up(ledger, "its spaces can't be gone through", false);
    }
}

static enum berth_rc chill_from(struct berth_ledger *ledger, const char *cursor) {
    enum berth_rc rc = begin(ledger, 0, 0);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_redis_args *args = &ledger->args;
    berth_redis_client_script_words(args, 1);
    ledger_add_key(ledger, "rebuild", "", "");
    ledger_add_attempt(ledger);
    berth_redis_args_text(args, cursor);
    ledger_add_key(ledger, "space:", "", "");
    berth_redis_args_number(args, ledger->tombstone_ms);
    return berth_redis_client_run(ledger->client, LEDGER_CHILL, args, chilled, ledger);
}

enum berth_rc berth_ledger_rebuild_chill(struct berth_ledger *ledger) {
    return chill_from(ledger, "0");
}

/* ---- PUT ---- */

static void put(void *ctx, const struct redisReply *reply) {
    struct berth_ledger *ledger = ctx;
    if (goes_on(ledger, reply)) {
        ledger->on_rebuild(ledger->ctx, BERTH_REBUILD_PUT);
    }
}

enum berth_rc berth_ledger_rebuild_put(struct berth_ledger *ledger, const char *registry,
                                       const char *space, const struct berth_space_state *state) {
    BERTH_ASSERT(state->knowledge != BERTH_SPACE_ABSENT);
    bool present = state->knowledge == BERTH_SPACE_PRESENT;
    enum berth_rc rc = begin(ledger, SPACE_FIELDS_WORDS(state->bindings_count),
                             SPACE_FIELDS_TEXT(state->bindings_count));
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_redis_args *args = &ledger->args;
    char name[NAME_TEXT + 1];
    struct berth_space_state cold = *state; /* Its texts are borrowed until the call is made. */
    cold.verified_at_ms = 0;
    snprintf(name, sizeof(name), "%s/%s", registry, space);
    berth_redis_client_script_words(args, 4);
    ledger_add_key(ledger, "rebuild", "", "");
    ledger_add_key(ledger, "space:", name, "");
    ledger_add_key(ledger, "registry:", registry, "");
    ledger_add_key(ledger, "registry:", registry, ":public");
    ledger_add_attempt(ledger);
    berth_redis_args_text(args, present ? "present" : "removed");
    berth_redis_args_number(args, state->version);
    berth_redis_args_number(args, ledger->tombstone_ms);
    berth_redis_args_text(args, name);
    ledger_add_key(ledger, "workspace:", "", "");
    if (present) {
        space_fields_add(args, &cold, state->version);
    }
    return berth_redis_client_run(ledger->client, LEDGER_PUT, args, put, ledger);
}

/* ---- OPEN ---- */

static void opened(void *ctx, const struct redisReply *reply) {
    struct berth_ledger *ledger = ctx;
    if (goes_on(ledger, reply)) {
        ledger_data_set_opened(ledger, reply);
    }
}

enum berth_rc berth_ledger_rebuild_open(struct berth_ledger *ledger,
                                        const struct berth_source *beginnings, size_t count) {
    enum berth_rc rc = begin(ledger, 0, count * LINE_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_redis_args *args = &ledger->args;
    berth_redis_client_script_words(args, 4);
    ledger_add_key(ledger, "epoch", "", "");
    ledger_add_key(ledger, "sequence", "", "");
    ledger_add_key(ledger, "rebuild", "", "");
    ledger_add_key(ledger, "owner", "", "");
    ledger_add_attempt(ledger);
    berth_redis_args_append(args, ledger->data_set.attempt);
    berth_redis_args_append(args, " ");
    berth_redis_args_append_number(args, berth_clock_wall_ms());
    for (size_t i = 0; i < count; i++) {
        berth_redis_args_append(args, "\n");
        berth_redis_args_append(args, beginnings[i].topic);
        berth_redis_args_append(args, " ");
        berth_redis_args_append_number(args, beginnings[i].partition);
        berth_redis_args_append(args, " ");
        berth_redis_args_append_number(args, beginnings[i].offset);
        if (beginnings[i].log_id[0] != '\0') {
            berth_redis_args_append(args, " ");
            berth_redis_args_append(args, beginnings[i].log_id);
        }
    }
    berth_redis_args_close(args);
    berth_redis_args_number(args, ledger->data_set.seen);
    ledger_add_owner(ledger);
    return berth_redis_client_run(ledger->client, LEDGER_OPEN, args, opened, ledger);
}

void berth_ledger_rebuild_drop(struct berth_ledger *ledger, const char *why) {
    if (ledger->data_set.phase == DATA_SET_REBUILDING) {
        ledger_data_set_gave_up(ledger, why, true);
    }
}
