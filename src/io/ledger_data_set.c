/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether there is a data set in Redis that can be worked on (design 4.9; phases in
 * ledger_parts.h). LOOK tells, right after connecting, when a script says stale, and by the timer;
 * every script of the ledger is guarded besides, so that what is lost between two looks is noticed
 * by the next call.
 *
 * The interleavings that were thought of:
 *  - Data that is lost while connected (FLUSHALL, a fail-over behind a proxy): the guard.
 *  - Data that is lost while away: the look after connecting.
 *  - An older copy: only a worker that has seen a higher sequence can tell; its look closes the
 *    data set for all of them. One that has seen nothing newer may work on the copy until then, and
 *    raises the sequence. So each worker's own last number is kept besides: whoever lost something
 *    notices, however late it looks.
 *  - Another worker has rebuilt it: its id is another one, its sequence is above all that were
 *    seen (lua/open.lua). The look adopts it; what this worker had claimed is gone, and is claimed
 *    again.
 *  - An older copy of an older data set: the id is another one, the sequence below: older.
 *  - Replies come in the order of the calls, so a call that was made under an old id is answered
 *    before the look that finds the new one.
 *  - A rebuilder that dies or freezes: its lock ends, another one begins anew with its own attempt;
 *    late calls of the old attempt find another lock and do nothing.
 */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "berth/io/redis_client.h"
#include "ledger_parts.h"

/* The lock of a rebuild ends by itself after so long; it is renewed well before. */
#define LOCK_MS       10000
#define LOCK_RENEW_MS 2000
/* How often a data set is looked at that isn't whole, and one that is. */
#define LOOK_CLOSED_MS 500
#define LOOK_OPEN_MS   5000
/* After a rebuild that came to nothing: what stood in its way may still be there. */
#define LOOK_GAVE_UP_MS 2000

/* An epoch has a line for each partition, after the first one. */
#define BEGINNINGS_MAX 16384

static void look(struct berth_ledger *ledger);

/* ---- Phases ---- */

static const bool moves[DATA_SET_PHASES][DATA_SET_PHASES] = {
    [DATA_SET_AWAY] = {[DATA_SET_LOOKING] = true},
    [DATA_SET_LOOKING] = {[DATA_SET_AWAY] = true,
                          [DATA_SET_CLOSED] = true,
                          [DATA_SET_REBUILDING] = true,
                          [DATA_SET_OPEN] = true},
    [DATA_SET_CLOSED] = {[DATA_SET_AWAY] = true,
                         [DATA_SET_CLOSED] = true,
                         [DATA_SET_REBUILDING] = true,
                         [DATA_SET_OPEN] = true},
    [DATA_SET_REBUILDING] =
        {[DATA_SET_AWAY] = true, [DATA_SET_CLOSED] = true, [DATA_SET_OPEN] = true},
    [DATA_SET_OPEN] = {[DATA_SET_AWAY] = true,
                       [DATA_SET_LOOKING] = true,
                       [DATA_SET_CLOSED] = true,
                       [DATA_SET_REBUILDING] = true,
                       [DATA_SET_OPEN] = true},
};

/* Says a change, and a new reason for the same; the last thing that is done in a turn. */
static void say(struct berth_ledger *ledger, const char *why) {
    struct ledger_data_set *data_set = &ledger->data_set;
    bool available = data_set->phase == DATA_SET_OPEN;
    if (data_set->said && data_set->said_available == available &&
        (available || strcmp(data_set->said_why, why) == 0)) {
        return;
    }
    data_set->said = true;
    data_set->said_available = available;
    snprintf(data_set->said_why, sizeof(data_set->said_why), "%s", why);
    ledger->on_state(ledger->ctx, available, data_set->said_why);
}

static void arm(struct ledger_data_set *data_set, int64_t ms) {
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    int rc = evtimer_add(data_set->timer, &delay);
    BERTH_ASSERT(rc == 0);
}

/* True when a rebuild of ours ended with this move. */
static bool move_to(struct ledger_data_set *data_set, enum data_set_phase to) {
    enum data_set_phase from = data_set->phase;
    BERTH_ASSERT(moves[from][to]);
    data_set->phase = to;
    BERTH_ASSERT(to != DATA_SET_OPEN || data_set->id[0] != '\0');
    return from == DATA_SET_REBUILDING && to != DATA_SET_REBUILDING;
}

static void say_lost(struct berth_ledger *ledger, bool lost) {
    if (lost && ledger->on_rebuild != NULL) {
        ledger->on_rebuild(ledger->ctx, BERTH_REBUILD_LOST);
    }
}

static void close_it(struct berth_ledger *ledger, int64_t look_after_ms, const char *why) {
    bool lost = move_to(&ledger->data_set, DATA_SET_CLOSED);
    arm(&ledger->data_set, look_after_ms);
    say_lost(ledger, lost);
    say(ledger, why);
}

/* ---- The epoch ---- */

/* The first line: "<id> <ms>". */
static bool parse_id(const char *text, char ret_id[BERTH_UUID_BYTES]) {
    size_t len = strcspn(text, " ");
    if (len != BERTH_UUID_BYTES - 1) {
        return false;
    }
    memcpy(ret_id, text, len);
    ret_id[len] = '\0';
    return true;
}

/* A line "<topic> <partition> <offset>", and behind it the topic's id where that can be told. */
static bool parse_beginning(const char *line, struct berth_source *ret_beginning) {
    size_t topic_len = strcspn(line, " \n");
    if (topic_len == 0 || topic_len >= BERTH_TOPIC_BYTES || line[topic_len] != ' ') {
        return false;
    }
    memcpy(ret_beginning->topic, line, topic_len);
    ret_beginning->topic[topic_len] = '\0';
    char *end = NULL;
    ret_beginning->partition = (int32_t)strtol(line + topic_len + 1, &end, 10);
    if (*end != ' ') {
        return false;
    }
    ret_beginning->offset = strtoll(end + 1, &end, 10);
    const char *id = *end == ' ' ? end + 1 : end;
    size_t id_len = strcspn(id, "\n");
    if ((*end != ' ' && id_len > 0) || id_len >= BERTH_LOG_ID_BYTES) {
        return false;
    }
    memcpy(ret_beginning->log_id, id, id_len);
    ret_beginning->log_id[id_len] = '\0';
    return true;
}

static bool parse_beginnings(const char *text, struct berth_source **ret_beginnings,
                             size_t *ret_count) {
    size_t lines = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        lines++;
    }
    if (lines > BEGINNINGS_MAX) {
        return false;
    }
    struct berth_source *beginnings = calloc(lines + 1, sizeof(*beginnings));
    if (beginnings == NULL) {
        return false;
    }
    size_t count = 0;
    for (const char *at = strchr(text, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        if (!parse_beginning(at + 1, &beginnings[count++])) {
            free(beginnings);
            return false;
        }
    }
    *ret_beginnings = beginnings;
    *ret_count = count;
    return true;
}

/* From now on the calls are made in the data set of this epoch. False: it can't be understood. */
static bool adopt(struct ledger_data_set *data_set, const char *epoch, const char *sequence) {
    char id[BERTH_UUID_BYTES];
    struct berth_source *beginnings = NULL;
    size_t count = 0;
    if (!parse_id(epoch, id) || !parse_beginnings(epoch, &beginnings, &count)) {
        return false;
    }
    free(data_set->beginnings);
    data_set->beginnings = beginnings;
    data_set->beginnings_count = count;
    if (strcmp(data_set->id, id) != 0) {
        data_set->raised = 0;
    }
    memcpy(data_set->id, id, sizeof(id));
    int64_t number = strtoll(sequence, NULL, 10);
    if (number > data_set->seen) {
        data_set->seen = number;
    }
    return true;
}

bool ledger_is_before_data_set(const struct ledger_data_set *data_set,
                               const struct berth_source *source) {
    for (size_t i = 0; i < data_set->beginnings_count; i++) {
        const struct berth_source *beginning = &data_set->beginnings[i];
        if (beginning->partition == source->partition &&
            strcmp(beginning->topic, source->topic) == 0) {
            /* What was made anew since is younger than the data set. */
            return source->offset < beginning->offset &&
                   !berth_log_other_id(source->log_id, beginning->log_id);
        }
    }
    /* A partition that wasn't there when the data set began: its records are all younger. */
    return false;
}

void ledger_data_set_opened(struct berth_ledger *ledger, const struct redisReply *reply) {
    struct ledger_data_set *data_set = &ledger->data_set;
    bool texts = reply->elements == 3 && reply->element[1]->type == REDIS_REPLY_STRING &&
                 reply->element[2]->type == REDIS_REPLY_STRING;
    bool other = texts && strncmp(reply->element[1]->str, data_set->id, BERTH_UUID_BYTES - 1) != 0;
    bool usable = texts;
    if (other || (texts && data_set->phase != DATA_SET_OPEN)) {
        usable = adopt(data_set, reply->element[1]->str, reply->element[2]->str);
    }
    if (!usable) {
        close_it(ledger, LOOK_GAVE_UP_MS,
                 "its epoch key can't be understood; if nothing but berth writes there, delete it, "
                 "and berth rebuilds the data");
        return;
    }
    /* A rebuild of ours that ends well ends in ledger_rebuild.c; here somebody else was quicker. */
    bool lost = move_to(data_set, DATA_SET_OPEN) &&
                strncmp(reply->element[1]->str, data_set->attempt, BERTH_UUID_BYTES - 1) != 0;
    bool look_again = data_set->deployment[0] != '\0' &&
                      (!data_set->asked_owner || data_set->may_rebuild != data_set->asked_begin);
    arm(data_set, look_again ? 0 : LOOK_OPEN_MS);
    say_lost(ledger, lost);
    if (!data_set->ours && data_set->asked_owner) {
        data_set->ours = true;
        data_set->said = false; /* Whoever waits for that is told. */
    }
    say(ledger, "");
}

/* ---- Looking ---- */

/* Nothing was ever seen there: a first start, as far as this worker can tell. */
static bool is_unknown(const struct ledger_data_set *data_set) {
    return data_set->id[0] == '\0' && data_set->seen == 0;
}

static void begun(struct berth_ledger *ledger) {
    struct ledger_data_set *data_set = &ledger->data_set;
    arm(data_set, LOCK_RENEW_MS);
    if (data_set->phase == DATA_SET_REBUILDING) {
        return;
    }
    (void)move_to(data_set, DATA_SET_REBUILDING);
    say(ledger,
        is_unknown(data_set)
            ? "it holds no data set of berth's yet: one is being made, from what the topic of "
              "spaces holds"
            : "its data set is missing or older than it was, and is being rebuilt");
    ledger->on_rebuild(ledger->ctx, BERTH_REBUILD_BEGUN);
}

/* Whose it is, and what to do. It is never written to. */
static void foreign(struct berth_ledger *ledger, const struct redisReply *reply) {
    const char *words[3];
    for (size_t i = 0; i < 3; i++) {
        bool there = i + 1 < reply->elements && reply->element[i + 1]->type == REDIS_REPLY_STRING;
        words[i] = there ? reply->element[i + 1]->str : "?";
    }
    char why[BERTH_ERROR_BYTES_MAX];
    (void)snprintf(why, sizeof(why),
                   "what it holds under %s is another installation's: deployment %.32s, group "
                   "%.128s, Kafka cluster %.64s; give this one a prefix of its own in [redis], or "
                   "another database",
                   ledger->prefix, words[0], words[1], words[2]);
    ledger->data_set.ours = false;
    close_it(ledger, LOOK_GAVE_UP_MS, why);
    if (ledger->on_foreign != NULL) {
        ledger->on_foreign(ledger->ctx, why);
    }
}

static void looked(void *ctx, const struct redisReply *reply) {
    struct berth_ledger *ledger = ctx;
    ledger->data_set.looking = false;
    if (ledger->freeing || reply == NULL || ledger->data_set.phase == DATA_SET_AWAY) {
        return; /* The end of the connection is told, too. */
    }
    char why[256];
    if (ledger_reply_is(reply, "open")) {
        ledger_data_set_opened(ledger, reply);
    } else if (ledger_reply_is(reply, "foreign")) {
        foreign(ledger, reply);
    } else if (ledger_reply_is(reply, "begun")) {
        begun(ledger);
    } else if (ledger_reply_is(reply, "busy") && reply->elements == 2) {
        snprintf(why, sizeof(why), "its data set is being rebuilt by another worker (%s)",
                 reply->element[1]->type == REDIS_REPLY_STRING ? reply->element[1]->str : "?");
        close_it(ledger, LOOK_CLOSED_MS, why);
    } else if (ledger_reply_is(reply, "closed")) {
        close_it(ledger, LOOK_CLOSED_MS,
                 is_unknown(&ledger->data_set)
                     ? "it holds no data set of berth's yet, and waits for being given one"
                     : "its data set is missing or older than it was, and waits for being rebuilt");
    } else {
        snprintf(why, sizeof(why), "its data set can't be looked at: %s", ledger_reply_text(reply));
        close_it(ledger, LOOK_GAVE_UP_MS, why);
    }
}

/* Puts the words of a LOOK together. False: no memory. */
static bool look_words(struct berth_ledger *ledger, const char *what) {
    struct berth_redis_args *args = &ledger->args;
    struct ledger_data_set *data_set = &ledger->data_set;
    if (berth_redis_args_begin(args, 20, 5 * (BERTH_LEDGER_PREFIX_BYTES + 32) + 128) != BERTH_OK) {
        return false;
    }
    berth_redis_client_script_words(args, 4);
    ledger_add_key(ledger, "epoch", "", "");
    ledger_add_key(ledger, "sequence", "", "");
    ledger_add_key(ledger, "rebuild", "", "");
    ledger_add_key(ledger, "owner", "", "");
    berth_redis_args_text(args, what);
    berth_redis_args_text(args, ledger->incarnation);
    berth_redis_args_text(args, data_set->attempt);
    berth_redis_args_number(args, data_set->seen);
    berth_redis_args_number(args, LOCK_MS);
    berth_redis_args_text(args, data_set->id);
    berth_redis_args_number(args, data_set->raised);
    berth_redis_args_text(args, ledger->instance);
    ledger_add_owner(ledger);
    return true;
}

static void look(struct berth_ledger *ledger) {
    struct ledger_data_set *data_set = &ledger->data_set;
    if (data_set->looking || data_set->phase == DATA_SET_AWAY) {
        return;
    }
    data_set->asked_owner = data_set->deployment[0] != '\0';
    data_set->asked_begin = data_set->may_rebuild;
    bool named =
        data_set->phase == DATA_SET_REBUILDING || berth_uuid4(data_set->attempt) == BERTH_OK;
    data_set->looking = named && look_words(ledger, data_set->may_rebuild ? "begin" : "look") &&
                        berth_redis_client_run(ledger->client, LEDGER_LOOK, &ledger->args, looked,
                                               ledger) == BERTH_OK;
    if (!data_set->looking) {
        arm(data_set, LOOK_CLOSED_MS); /* As much as may be is under way; or no memory. */
    }
}

static void timer_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_ledger *ledger = ctx;
    if (ledger->data_set.phase == DATA_SET_OPEN) {
        ledger_refusal_probe(ledger);
    }
    look(ledger);
}

static void dropped(void *ctx, const struct redisReply *reply) {
    (void)ctx; /* If it didn't work the lock ends by itself. */
    (void)reply;
}

void ledger_data_set_gave_up(struct berth_ledger *ledger, const char *why, bool drop) {
    if (drop && look_words(ledger, "drop")) {
        enum berth_rc rc =
            berth_redis_client_run(ledger->client, LEDGER_LOOK, &ledger->args, dropped, ledger);
        (void)rc;
    }
    bool lost = move_to(&ledger->data_set, DATA_SET_CLOSED);
    arm(&ledger->data_set, LOOK_GAVE_UP_MS);
    say_lost(ledger, lost && !drop);
    say(ledger, why);
}

void ledger_data_set_stale(struct berth_ledger *ledger) {
    if (ledger->data_set.phase != DATA_SET_OPEN) {
        return; /* One of several calls that were under way. */
    }
    (void)move_to(&ledger->data_set, DATA_SET_LOOKING);
    look(ledger);
    say(ledger, "its data set has changed, is missing or older than it was");
}

void ledger_data_set_connected(struct berth_ledger *ledger, bool ready, const char *why) {
    struct ledger_data_set *data_set = &ledger->data_set;
    if (!ready) {
        bool lost = data_set->phase != DATA_SET_AWAY && move_to(data_set, DATA_SET_AWAY);
        (void)evtimer_del(data_set->timer);
        ledger_refusal_forget(ledger);
        say_lost(ledger, lost);
        say(ledger, why);
        return;
    }
    (void)move_to(data_set, DATA_SET_LOOKING);
    look(ledger);
}

void ledger_add_owner(struct berth_ledger *ledger) {
    berth_redis_args_text(&ledger->args, ledger->data_set.deployment);
    berth_redis_args_text(&ledger->args, ledger->data_set.group);
    berth_redis_args_text(&ledger->args, ledger->data_set.cluster);
}

static void copy(char *target, size_t bytes, const char *text) {
    BERTH_ASSERT(strlen(text) < bytes);
    (void)snprintf(target, bytes, "%s", text);
}

void berth_ledger_set_owner(struct berth_ledger *ledger, const char *deployment, const char *group,
                            const char *cluster) {
    struct ledger_data_set *data_set = &ledger->data_set;
    copy(data_set->deployment, sizeof(data_set->deployment), deployment);
    copy(data_set->group, sizeof(data_set->group), group);
    copy(data_set->cluster, sizeof(data_set->cluster), cluster);
    if (data_set->phase == DATA_SET_OPEN) {
        (void)move_to(data_set, DATA_SET_LOOKING);
        look(ledger);
    }
}

bool berth_ledger_is_ours(const struct berth_ledger *ledger) {
    return ledger->data_set.phase == DATA_SET_OPEN && ledger->data_set.ours;
}

void berth_ledger_allow_rebuild(struct berth_ledger *ledger) {
    struct ledger_data_set *data_set = &ledger->data_set;
    data_set->may_rebuild = true;
    /* Whose it is may have to be written down. */
    bool unowned = data_set->phase == DATA_SET_OPEN && data_set->deployment[0] != '\0';
    if (data_set->phase == DATA_SET_CLOSED || unowned) {
        look(ledger);
    }
}

/* ---- Life ---- */

enum berth_rc ledger_data_set_init(struct berth_ledger *ledger, struct event_base *base) {
    ledger->data_set = (struct ledger_data_set){.phase = DATA_SET_AWAY};
    ledger->data_set.timer = evtimer_new(base, timer_cb, ledger);
    return ledger->data_set.timer == NULL ? BERTH_FAULT_LIBRARY : BERTH_OK;
}

void ledger_data_set_deinit(struct berth_ledger *ledger) {
    if (ledger->data_set.timer != NULL) {
        event_free(ledger->data_set.timer);
    }
    free(ledger->data_set.beginnings);
}
