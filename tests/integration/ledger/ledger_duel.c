/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_duel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_US INT64_C(1800000000000000)

int64_t below(struct duel *duel, int64_t bound) {
    return berth_random_below(&duel->random, bound);
}

bool one_in(struct duel *duel, int64_t count) {
    return below(duel, count) == 0;
}

/* ---- One script on both ---- */

static const char *const time_call = "call('TIME')";

/* The script with the test's time in the place of the real one's. */
static char *with_time(const char *source, int64_t now_us) {
    size_t bytes = strlen(source) + 256;
    char *text = malloc(bytes);
    assert_non_null(text);
    const char *found = strstr(source, time_call);
    if (found == NULL) {
        snprintf(text, bytes, "%s", source);
        return text;
    }
    snprintf(text, bytes, "%.*s{'%" PRId64 "', '%" PRId64 "'}%s", (int)(found - source), source,
             now_us / 1000000, now_us % 1000000, found + strlen(time_call));
    assert_null(strstr(text, time_call));
    return text;
}

static redisReply *run_real(struct duel *duel, const char *source,
                            const struct berth_redis_args *args) {
    char *text = with_time(source, duel->now_us);
    const char **words = calloc(args->count, sizeof(*words));
    size_t *lens = calloc(args->count, sizeof(*lens));
    assert_non_null(words);
    assert_non_null(lens);
    memcpy(words, args->words, args->count * sizeof(*words));
    memcpy(lens, args->lens, args->count * sizeof(*lens));
    words[0] = "EVAL";
    lens[0] = 4;
    words[1] = text;
    lens[1] = strlen(text);
    redisReply *reply = redisCommandArgv(duel->world->redis, (int)args->count, words, lens);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s", reply->str);
    }
    free(words);
    free(lens);
    free(text);
    return reply;
}

static void assert_same_reply(const redisReply *real, const redisReply *sim) {
    assert_int_equal(real->type, sim->type);
    assert_int_equal(real->elements, sim->elements);
    if (real->type == REDIS_REPLY_INTEGER) {
        assert_int_equal(real->integer, sim->integer);
    }
    if (real->type == REDIS_REPLY_STRING) {
        assert_string_equal(real->str, sim->str);
        assert_int_equal(real->len, sim->len);
    }
    for (size_t i = 0; i < real->elements; i++) {
        assert_same_reply(real->element[i], sim->element[i]);
    }
}

/* A chill's cursor is each Redis' own: then only the verdict can be compared, and both go through
 * all of their keys. */
static void chill_to_the_end(struct duel *duel, const char *source,
                             const struct berth_redis_args *args, const redisReply *first) {
    struct berth_redis_args next = *args;
    const char *words[16];
    size_t lens[16];
    assert_true(args->count <= 16);
    memcpy(words, args->words, args->count * sizeof(*words));
    memcpy(lens, args->lens, args->count * sizeof(*lens));
    next.words = words;
    next.lens = lens;
    char cursor[32];
    snprintf(cursor, sizeof(cursor), "%s", first->element[1]->str);
    while (strcmp(cursor, "0") != 0) {
        words[5] = cursor;
        lens[5] = strlen(cursor);
        redisReply *reply = run_real(duel, source, &next);
        snprintf(cursor, sizeof(cursor), "%s", reply->element[1]->str);
        freeReplyObject(reply);
    }
}

static void run_both(void *ctx, const char *source, const struct berth_redis_args *args,
                     const redisReply *sim) {
    struct duel *duel = ctx;
    redisReply *real = run_real(duel, source, args);
    bool chilled = real->type == REDIS_REPLY_ARRAY && real->elements == 2 &&
                   real->element[0]->type == REDIS_REPLY_STRING &&
                   strcmp(real->element[0]->str, "chilled") == 0;
    if (chilled) {
        assert_string_equal(sim->element[0]->str, "chilled");
        chill_to_the_end(duel, source, args, real);
    } else {
        assert_same_reply(real, sim);
    }
    freeReplyObject(real);
    duel->runs++;
}

void advance(struct duel *duel, int64_t us) {
    duel->now_us += us;
    sim_redis_set_time(duel->sim, duel->now_us);
    for (size_t i = 0; i < WORKERS; i++) {
        sim_link_set_time(duel->fighters[i].link, duel->now_us / 1000, duel->now_us / 1000);
    }
}

/* ---- The workers' connections ---- */

static void on_request(void *ctx, struct sim_request *take_request) {
    struct fighter *fighter = ctx;
    assert_true(fighter->waiting_count < WAITING_MAX);
    sim_request_run(take_request, fighter->duel->sim);
    fighter->waiting[fighter->waiting_count++] = take_request;
}

static void keep_or_free(struct duel *duel, struct sim_request *request) {
    struct sim_request **place = &duel->copies[below(duel, KEPT_COPIES)];
    sim_request_free(*place);
    *place = request;
}

void answer_all(struct fighter *fighter) {
    while (fighter->waiting_count > 0) {
        struct sim_request *request = fighter->waiting[0];
        fighter->waiting_count--;
        memmove(fighter->waiting, fighter->waiting + 1,
                fighter->waiting_count * sizeof(struct sim_request *));
        sim_request_answer(request);
        keep_or_free(fighter->duel, request);
    }
}

static void on_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored) {
    (void)stored;
    struct fighter *fighter = ctx;
    if (answer->unavailable) {
        fighter->duel->lost++;
        return;
    }
    if (answer->kind == BERTH_LEDGER_STORE && answer->store.verdict == BERTH_STORE_STORED) {
        fighter->duel->stored++;
    }
    if (answer->kind != BERTH_LEDGER_CLAIM) {
        return;
    }
    struct known *known = &fighter->known[call_id];
    if (answer->claim.verdict == BERTH_CLAIM_TAKEN) {
        known->token = answer->claim.token;
        fighter->duel->taken++;
    } else if (answer->claim.verdict == BERTH_CLAIM_HELD) {
        known->mark = answer->claim.mark;
    }
}

static void on_state(void *ctx, bool available, const char *why) {
    (void)why;
    struct fighter *fighter = ctx;
    fighter->duel->opened += available ? 1 : 0;
}

static bool kafka_ends(void *ctx, const struct berth_source **ret_ends, size_t *ret_count,
                       bool *ret_committed, bool *ret_written) {
    struct fighter *fighter = ctx;
    static struct berth_source end;
    end = a_source(below(fighter->duel, 40));
    *ret_ends = &end;
    *ret_count = 1;
    *ret_committed = one_in(fighter->duel, 2);
    *ret_written = true;
    return !one_in(fighter->duel, 8);
}

static bool kafka_state(void *ctx, size_t index, const char **ret_registry, const char **ret_space,
                        const struct berth_space_state **ret_state) {
    struct fighter *fighter = ctx;
    struct duel *duel = fighter->duel;
    if (index >= duel->states_count) {
        return false;
    }
    *ret_registry = "alpha";
    *ret_space = duel->states[index].space;
    *ret_state = &duel->states[index].state;
    return true;
}

static const struct sim_rebuild_kafka kafka = {kafka_ends, kafka_state};

static void fighter_init(struct duel *duel, size_t index) {
    struct fighter *fighter = &duel->fighters[index];
    char instance[NAME_BYTES];
    char incarnation[NAME_BYTES];
    snprintf(instance, sizeof(instance), "worker-%zu", index);
    snprintf(incarnation, sizeof(incarnation), "aaaaaaaa-0000-4000-8000-%012zu", index);
    fighter->duel = duel;
    const struct sim_link_config config = {
        .instance = instance,
        .incarnation = incarnation,
        .memory_ms = MEMORY_MS,
        .tombstone_ms = MEMORY_MS,
        .lease_ms = 50,
        .pending_max = 16,
        .seed = index,
        .on_request = on_request,
        .on_answer = on_answer,
        .on_state = on_state,
        .kafka = &kafka,
        .ctx = fighter,
    };
    fighter->link = sim_link_new(&config);
    sim_link_set_time(fighter->link, duel->now_us / 1000, duel->now_us / 1000);
    berth_ledger_allow_rebuild(sim_link_ledger(fighter->link));
    sim_link_connect(fighter->link);
    answer_all(fighter);
}

static void reconnect(struct fighter *fighter) {
    sim_link_disconnect(fighter->link, "lost");
    while (fighter->waiting_count > 0) {
        keep_or_free(fighter->duel, fighter->waiting[--fighter->waiting_count]);
    }
    sim_link_connect(fighter->link);
}

/* ---- Trouble ---- */

static void forget_copy(struct duel *duel) {
    duel->sim_copy = sim_redis_copy_free(duel->sim_copy);
    for (size_t i = 0; i < duel->dumped_count; i++) {
        free(duel->dumped[i].key);
        freeReplyObject(duel->dumped[i].payload);
    }
    duel->dumped_count = 0;
}

static redisReply *real(struct duel *duel, const char *format, const char *key) {
    redisReply *reply = redisCommand(duel->world->redis, format, key);
    assert_non_null(reply);
    return reply;
}

static void make_copy(struct duel *duel) {
    forget_copy(duel);
    duel->sim_copy = sim_redis_copy(duel->sim);
    redisReply *keys = real(duel, "KEYS %s", "*");
    for (size_t i = 0; i < keys->elements; i++) {
        assert_true(duel->dumped_count < 256);
        struct dumped *dumped = &duel->dumped[duel->dumped_count++];
        dumped->key = strdup(keys->element[i]->str);
        assert_non_null(dumped->key);
        dumped->payload = real(duel, "DUMP %s", dumped->key);
        redisReply *life = real(duel, "PTTL %s", dumped->key);
        dumped->life_ms = life->integer > 0 ? life->integer : 0;
        freeReplyObject(life);
    }
    freeReplyObject(keys);
}

static void fail_over(struct duel *duel) {
    if (duel->sim_copy == NULL) {
        return;
    }
    sim_redis_fail_over(duel->sim, duel->sim_copy);
    assert_string_equal(redis_says(duel->world, "FLUSHALL"), "OK");
    for (size_t i = 0; i < duel->dumped_count; i++) {
        const struct dumped *dumped = &duel->dumped[i];
        redisReply *reply =
            redisCommand(duel->world->redis, "RESTORE %s %lld %b", dumped->key, dumped->life_ms,
                         dumped->payload->str, dumped->payload->len);
        assert_non_null(reply);
        assert_int_equal(reply->type, REDIS_REPLY_STATUS);
        freeReplyObject(reply);
    }
}

void run_a_late_copy(struct duel *duel) {
    struct sim_request *request = duel->copies[below(duel, KEPT_COPIES)];
    /* A late LOOK or a late step of a rebuild are what another incarnation does, too. */
    if (request != NULL) {
        sim_request_run(request, duel->sim);
    }
}

void trouble(struct duel *duel, struct fighter *fighter) {
    switch (below(duel, 12)) {
    case 0:
        sim_redis_flush(duel->sim);
        assert_string_equal(redis_says(duel->world, "FLUSHALL"), "OK");
        break;
    case 1:
        fail_over(duel);
        break;
    case 2:
    case 3:
        make_copy(duel);
        break;
    default:
        reconnect(fighter);
        break;
    }
}

/* ---- Life ---- */

void duel_init(struct duel *duel, struct world *world, uint64_t seed) {
    *duel = (struct duel){.world = world, .now_us = CLOCK_US, .sim = sim_redis_new()};
    berth_random_init(&duel->random, seed);
    berth_redis_args_init(&duel->args);
    sim_redis_observe(duel->sim, run_both, duel);
    sim_redis_set_time(duel->sim, duel->now_us);
    assert_string_equal(redis_says(world, "FLUSHALL"), "OK");
    for (size_t i = 0; i < WORKERS; i++) {
        fighter_init(duel, i);
    }
}

void duel_deinit(struct duel *duel) {
    for (size_t i = 0; i < WORKERS; i++) {
        struct fighter *fighter = &duel->fighters[i];
        fighter->link = sim_link_free(fighter->link);
        while (fighter->waiting_count > 0) {
            sim_request_free(fighter->waiting[--fighter->waiting_count]);
        }
    }
    for (size_t i = 0; i < KEPT_COPIES; i++) {
        sim_request_free(duel->copies[i]);
    }
    forget_copy(duel);
    berth_redis_args_deinit(&duel->args);
    duel->sim = sim_redis_free(duel->sim);
}
