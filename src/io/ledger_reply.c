/* SPDX-License-Identifier: Apache-2.0 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "ledger_parts.h"
#include "space_fields.h"

/* The elements of a script's reply, by position; each getter is false when the element isn't there
 * or isn't what it should be. */

static const redisReply *element(const redisReply *reply, size_t index) {
    bool there = reply->type == REDIS_REPLY_ARRAY && index < reply->elements;
    return there ? reply->element[index] : NULL;
}

static bool get_bytes(const redisReply *reply, size_t index, struct berth_bytes *ret_bytes) {
    const redisReply *found = element(reply, index);
    if (found == NULL || found->type != REDIS_REPLY_STRING) {
        return false;
    }
    *ret_bytes = (struct berth_bytes){(const uint8_t *)found->str, found->len};
    return true;
}

/* A number that Lua gave as one, or as the string that it was kept as. */
static bool get_number(const redisReply *reply, size_t index, int64_t *ret_number) {
    const redisReply *found = element(reply, index);
    if (found != NULL && found->type == REDIS_REPLY_INTEGER) {
        *ret_number = found->integer;
        return true;
    }
    if (found == NULL || found->type != REDIS_REPLY_STRING || found->len == 0) {
        return false;
    }
    char *end = NULL;
    *ret_number = strtoll(found->str, &end, 10);
    return *end == '\0';
}

static bool get_flag(const redisReply *reply, size_t index, bool *ret_flag) {
    int64_t number = 0;
    if (!get_number(reply, index, &number)) {
        return false;
    }
    *ret_flag = number == 1;
    return true;
}

bool ledger_reply_is(const struct redisReply *reply, const char *word) {
    struct berth_bytes verdict;
    return get_bytes(reply, 0, &verdict) && verdict.len == strlen(word) &&
           memcmp(verdict.data, word, verdict.len) == 0;
}

/* One part of a holder. What is too long is nobody we know: it is left empty, and the waiter
 * watches the mark all the same. */
static bool get_holder(const redisReply *reply, size_t index, char *ret_text, size_t bytes) {
    struct berth_bytes part;
    if (!get_bytes(reply, index, &part)) {
        return false;
    }
    size_t len = part.len < bytes ? part.len : 0;
    memcpy(ret_text, part.data, len);
    ret_text[len] = '\0';
    return true;
}

static bool read_held(const redisReply *reply, struct berth_claim_answer *claim) {
    struct berth_holder *holder = &claim->holder;
    claim->verdict = BERTH_CLAIM_HELD;
    return get_holder(reply, 1, holder->instance, sizeof(holder->instance)) &&
           get_holder(reply, 2, holder->incarnation, sizeof(holder->incarnation)) &&
           get_holder(reply, 3, holder->command_id, sizeof(holder->command_id)) &&
           get_number(reply, 4, &claim->mark.token) && get_number(reply, 5, &claim->mark.renewals);
}

/* A space's state; nil is UNKNOWN. False: out of memory, or not a text. */
static bool get_state(const redisReply *reply, size_t index, struct berth_space_state *ret_state) {
    const redisReply *found = element(reply, index);
    if (found == NULL) {
        return false;
    }
    if (found->type == REDIS_REPLY_NIL) {
        *ret_state = (struct berth_space_state){.knowledge = BERTH_SPACE_UNKNOWN};
        return true;
    }
    return found->type == REDIS_REPLY_STRING &&
           space_fields_parse(found->str, found->len, ret_state) == BERTH_OK;
}

/* The sequence that a script raised; 0: it didn't. */
static int64_t raised(const redisReply *reply, size_t index) {
    int64_t sequence = 0;
    return get_number(reply, index, &sequence) ? sequence : 0;
}

static bool read_taken(const redisReply *reply, struct ledger_reply *ret) {
    struct berth_claim_answer *claim = &ret->answer.claim;
    int64_t attempts = 0;
    bool read = get_number(reply, 1, &claim->token) && get_number(reply, 2, &attempts) &&
                get_number(reply, 3, &claim->received_at_ms) && get_flag(reply, 4, &claim->first);
    int64_t burned = 0;
    read = read && get_number(reply, 8, &burned) && get_number(reply, 9, &claim->paused_ms);
    if (!read || !get_state(reply, 5, &claim->before)) {
        return false;
    }
    claim->burned = burned > INT32_MAX ? INT32_MAX : (uint32_t)burned;
    claim->verdict = BERTH_CLAIM_TAKEN;
    claim->attempts = attempts > INT32_MAX ? INT32_MAX : (int)attempts;
    claim->before_known = claim->before.knowledge != BERTH_SPACE_UNKNOWN;
    struct berth_bytes state;
    ret->sequence = raised(reply, 7);
    bool same = get_bytes(reply, 6, &state) && state.len == 1 && state.data[0] == '=';
    return get_state(reply, same ? 5 : 6, &claim->state);
}

static bool read_claim(const redisReply *reply, struct ledger_reply *ret) {
    struct berth_claim_answer *claim = &ret->answer.claim;
    if (ledger_reply_is(reply, "taken")) {
        return read_taken(reply, ret);
    }
    if (ledger_reply_is(reply, "stored")) {
        claim->verdict = BERTH_CLAIM_STORED;
        return get_flag(reply, 1, &claim->same_source) &&
               get_flag(reply, 2, &claim->state_current) && get_bytes(reply, 3, &ret->stored) &&
               get_number(reply, 4, &claim->version);
    }
    if (ledger_reply_is(reply, "held")) {
        return read_held(reply, claim);
    }
    claim->verdict = BERTH_CLAIM_REUSED;
    if (ledger_reply_is(reply, "too_old")) {
        claim->verdict = BERTH_CLAIM_TOO_OLD;
    } else if (ledger_reply_is(reply, "in_future")) {
        claim->verdict = BERTH_CLAIM_IN_FUTURE;
    }
    return claim->verdict != BERTH_CLAIM_REUSED || ledger_reply_is(reply, "reused");
}

static bool read_store(const redisReply *reply, struct ledger_reply *ret) {
    struct berth_ledger_answer *answer = &ret->answer;
    if (ledger_reply_is(reply, "already")) {
        answer->store.verdict = BERTH_STORE_ALREADY;
        return get_flag(reply, 1, &answer->store.same_source) &&
               get_flag(reply, 2, &answer->store.state_current) &&
               get_bytes(reply, 3, &ret->stored) && get_number(reply, 4, &answer->store.version);
    }
    answer->store.verdict = BERTH_STORE_STORED;
    if (ledger_reply_is(reply, "held")) {
        answer->store.verdict = BERTH_STORE_HELD;
    } else if (ledger_reply_is(reply, "gone")) {
        answer->store.verdict = BERTH_STORE_GONE;
    }
    ret->sequence = answer->store.verdict == BERTH_STORE_STORED ? raised(reply, 1) : 0;
    return answer->store.verdict != BERTH_STORE_STORED || ledger_reply_is(reply, "stored");
}

static bool read_renew(const redisReply *reply, size_t lanes, struct ledger_reply *ret) {
    if (reply->type != REDIS_REPLY_STRING || reply->len != lanes) {
        return false;
    }
    ret->held = calloc(lanes, sizeof(*ret->held));
    if (ret->held == NULL) {
        return false;
    }
    for (size_t i = 0; i < lanes; i++) {
        ret->held[i] = reply->str[i] == '1';
    }
    ret->answer.renew.held = ret->held;
    ret->answer.renew.count = lanes;
    return true;
}

/* An offset as it is kept, or nothing. ret_rest: what is behind it. */
static bool read_offset(const char *text, int64_t *ret_offset, const char **ret_rest) {
    *ret_offset = -1;
    *ret_rest = text;
    if (text[0] == '\0') {
        return true;
    }
    char *end = NULL;
    *ret_offset = strtoll(text, &end, 10);
    *ret_rest = *end == ' ' ? end + 1 : end;
    return end != text && (*end == '\0' || *end == ' ') && *ret_offset >= 0;
}

/* A base, the mark of its log, and a decision. A mark that can't be understood is none. */
static bool read_base(const redisReply *reply, size_t first, struct berth_kept_base *ret_kept) {
    const char *texts[3];
    for (size_t i = 0; i < 3; i++) {
        const redisReply *found = element(reply, first + i);
        if (found == NULL || found->type != REDIS_REPLY_STRING) {
            return false;
        }
        texts[i] = found->str;
    }
    const char *rest;
    if (!read_offset(texts[0], &ret_kept->offset, &rest) || rest[0] != '\0' ||
        !read_offset(texts[2], &ret_kept->from, &rest) || strlen(rest) >= BERTH_LOG_ID_BYTES) {
        return false;
    }
    (void)snprintf(ret_kept->from_id, sizeof(ret_kept->from_id), "%s", rest);
    ret_kept->marked = berth_log_mark_read(texts[1], &ret_kept->mark, NULL);
    return true;
}

static bool read_bases(const redisReply *reply, size_t count, struct ledger_reply *ret) {
    if (ledger_reply_is(reply, "unknown")) {
        ret->answer.unavailable = true;
        return true;
    }
    if (!ledger_reply_is(reply, "bases") || reply->elements != 1 + 3 * count) {
        return false;
    }
    ret->bases = calloc(count, sizeof(*ret->bases));
    if (ret->bases == NULL) {
        return false;
    }
    ret->answer.bases.kept = ret->bases;
    ret->answer.bases.count = count;
    bool read = true;
    for (size_t i = 0; read && i < count; i++) {
        read = read_base(reply, 1 + 3 * i, &ret->bases[i]);
    }
    return read;
}

static bool read_kind(const redisReply *reply, size_t count, struct ledger_reply *ret) {
    switch (ret->answer.kind) {
    case BERTH_LEDGER_CLAIM:
        return read_claim(reply, ret);
    case BERTH_LEDGER_REMEMBER:
        ret->answer.remember.lost = ledger_reply_is(reply, "lost");
        return ret->answer.remember.lost || ledger_reply_is(reply, "kept");
    case BERTH_LEDGER_STORE:
        return read_store(reply, ret);
    case BERTH_LEDGER_RENEW:
        return read_renew(reply, count, ret);
    case BERTH_LEDGER_SETTLED:
        return ledger_reply_is(reply, "settled");
    case BERTH_LEDGER_BASES:
        return read_bases(reply, count, ret);
    }
    BERTH_UNREACHABLE("ledger call");
}

const char *ledger_reply_text(const struct redisReply *reply) {
    return reply->type == REDIS_REPLY_ERROR ? reply->str : LEDGER_NOT_UNDERSTOOD;
}

void ledger_reply_read(const struct redisReply *reply, enum berth_ledger_call_kind kind,
                       size_t count, struct ledger_reply *ret_reply) {
    *ret_reply = (struct ledger_reply){.answer.kind = kind};
    bool stale = reply != NULL && ledger_reply_is(reply, "stale");
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR && !stale &&
        read_kind(reply, count, ret_reply)) {
        return;
    }
    ledger_reply_deinit(ret_reply);
    *ret_reply = (struct ledger_reply){.answer = {.kind = kind, .unavailable = true}};
    ret_reply->stale = stale;
    if (reply != NULL && !stale) {
        snprintf(ret_reply->trouble, sizeof(ret_reply->trouble), "%s", ledger_reply_text(reply));
    }
}

void ledger_reply_deinit(struct ledger_reply *reply) {
    if (reply->answer.kind == BERTH_LEDGER_CLAIM) {
        space_fields_free(&reply->answer.claim.before);
        space_fields_free(&reply->answer.claim.state);
    }
    free(reply->held);
    reply->held = NULL;
    free(reply->bases);
    reply->bases = NULL;
}
