/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partition whose map of what is settled out of order becomes too long (design 5). The engine is
 * driven by hand: its partition has more offsets than the small world's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/pool.h"
#include "berth/core/engine.h"
#include "berth/core/settled_map.h"

#define TOPIC   "berth.commands.main"
#define WINDOW  1024
#define STRIDE  129 /* A gap and a run of one take three bytes. */
#define NOW_MS  1000
#define WALL_MS INT64_C(1800000000000)

/* What became of the effects of a step. */
struct bench {
    struct berth_engine_registry registry;
    struct berth_engine_config config;
    struct berth_pool pool;
    struct berth_engine *engine;
    int64_t now_ms;
    int taken;
    int claims;
    int released;
    int drained;
    int published; /* Transactions, and what was in the last one: */
    size_t items;
    int64_t offset;
    char map[BERTH_SETTLED_TEXT_BYTES];
    char notice[64];
};

static void perform_all(struct bench *bench) {
    struct berth_effect effect;
    while (berth_engine_next_effect(bench->engine, &effect)) {
        switch (effect.kind) {
        case BERTH_EFFECT_TAKEN:
            bench->taken++;
            break;
        case BERTH_EFFECT_RELEASE:
            bench->released++;
            break;
        case BERTH_EFFECT_LEDGER:
            bench->claims += effect.ledger.call.kind == BERTH_LEDGER_CLAIM;
            break;
        case BERTH_EFFECT_PUBLISH:
            bench->published++;
            bench->items = effect.publish.items_count;
            bench->offset = effect.publish.offsets[0].offset;
            (void)snprintf(bench->map, sizeof(bench->map), "%s",
                           effect.publish.offsets[0].metadata);
            break;
        case BERTH_EFFECT_NOTICE:
            (void)snprintf(bench->notice, sizeof(bench->notice), "%s", effect.notice.event);
            break;
        case BERTH_EFFECT_DRAINED:
            bench->drained++;
            break;
        case BERTH_EFFECT_HARBOR:
        case BERTH_EFFECT_GIVE_UP_PARTITION:
            break;
        }
    }
}

static void step(struct bench *bench, struct berth_event event) {
    event.now_ms = bench->now_ms;
    event.wall_ms = WALL_MS + bench->now_ms;
    assert_int_equal(berth_engine_step(bench->engine, &event), BERTH_OK);
    perform_all(bench);
}

static int setup(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->registry = (struct berth_engine_registry){
        .name = "main", .command_topic = TOPIC, .lanes_max = 8, .calls_max = 16};
    bench->config = (struct berth_engine_config){
        .instance = "instance",
        .incarnation = "00000000-0000-4000-8000-000000000000",
        .key_id = "cafe0123",
        .registries = &bench->registry,
        .registries_count = 1,
        .commands_max = WINDOW,
        .window_max = WINDOW,
        .batch_max = WINDOW,
        .lease_ms = 15000,
        .renew_ms = 5000,
        .restart_grace_ms = 2000,
        .request_timeout_ms = 5000,
        .cold_after_ms = 3600000,
        .ledger_memory_ms = INT64_C(7) * 24 * 3600 * 1000,
        .future_max_ms = 3600000,
        .retry_attempts = 5,
        .retry_age_ms = 600000,
        .backoff_ms = 200,
        .backoff_max_ms = 10000,
        .revoke_bound_ms = 290000,
    };
    bench->now_ms = NOW_MS;
    berth_pool_init(&bench->pool, berth_engine_pool_bytes_min(&bench->config) +
                                      (size_t)64 * BERTH_ENGINE_WORK_BYTES);
    bench->engine = berth_engine_new(&bench->config, &bench->pool, bench->now_ms);
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    struct bench *bench = *state;
    berth_engine_free(bench->engine);
    berth_pool_deinit(&bench->pool);
    free(bench);
    return 0;
}

/* The partition comes with so many runs above offset 0; returns one past the highest settled. */
static int64_t gain(struct bench *bench, int runs_count) {
    static struct berth_settled_run runs[BERTH_SETTLED_RUNS_MAX];
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, BERTH_SETTLED_RUNS_MAX, 0);
    for (int64_t i = 1; i <= runs_count; i++) {
        assert_int_equal(berth_settled_map_settle(&map, i * STRIDE - 1, i * STRIDE), BERTH_OK);
    }
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&map, text);
    step(bench, (struct berth_event){.kind = BERTH_EVENT_PARTITION_GAINED,
                                     .partition = {.topic = TOPIC, .metadata = text}});
    return berth_settled_map_end(&map);
}

/* One that can be answered at once. */
static void take_garbage(struct bench *bench, int64_t offset) {
    static const struct berth_command nothing;
    step(bench, (struct berth_event){.kind = BERTH_EVENT_RECORD,
                                     .record = {.offset = offset,
                                                .command = &nothing,
                                                .reason = "record.undecodable",
                                                .text = "The record is not an Avro command."}});
}

/* One whose claim is never answered, or, behind another, isn't even asked. */
static void take_stuck(struct bench *bench, int64_t offset) {
    struct berth_command command = {
        .type = BERTH_CREATE_SPACE,
        .id = "00000000-0000-4000-8000-000000000001",
        .registry = "main",
        .space = "stuck",
        .actor = "tester",
        .issued_at_ms = WALL_MS + bench->now_ms,
    };
    step(bench, (struct berth_event){.kind = BERTH_EVENT_RECORD,
                                     .record = {.offset = offset,
                                                .key = "main/stuck",
                                                .key_len = strlen("main/stuck"),
                                                .command = &command}});
    assert_true(bench->claims > 0);
}

/* And the pause after it. */
static void decide(struct bench *bench, bool committed) {
    step(bench, (struct berth_event){.kind = BERTH_EVENT_TRANSACTION,
                                     .transaction = {.committed = committed}});
    bench->now_ms += 10000;
    step(bench, (struct berth_event){.kind = BERTH_EVENT_TIME});
}

static struct berth_engine_figures figures_of(const struct bench *bench) {
    struct berth_engine_figures figures;
    berth_engine_figures(bench->engine, &figures);
    return figures;
}

/* The runs of which three quarters of the room are just not full. */
#define RUNS_BELOW (BERTH_SETTLED_ROOM_BYTES * 3 / 4 / 3)

/* What is below goes on: it makes the map no longer, and its front shorter. */
static void
test_above_three_quarters_nothing_beyond_is_taken_and_what_is_below_goes_on(void **state) {
    struct bench *bench = *state;
    int64_t end = gain(bench, RUNS_BELOW + 2);
    assert_int_equal(figures_of(bench).partitions_crowded, 1);
    assert_int_equal(figures_of(bench).map_bytes_max, 3 * (RUNS_BELOW + 2));
    assert_true(berth_engine_can_take(bench->engine, 0));
    take_stuck(bench, 0);
    take_garbage(bench, end - 2); /* Not settled, and below the highest that is. */
    assert_int_equal(bench->taken, 2);
    assert_int_equal(bench->published, 1);
    decide(bench, true);
    assert_string_equal(bench->notice, "partition.crowded");
    assert_true(berth_engine_can_take(bench->engine, 0));
    take_garbage(bench, end - 1); /* Settled: skipped. */
    assert_int_equal(bench->taken, 2);
    assert_int_equal(bench->published, 1);
    assert_false(berth_engine_can_take(bench->engine, 0));
}

static void test_below_three_quarters_reading_goes_on_beyond_the_highest_settled(void **state) {
    struct bench *bench = *state;
    int64_t end = gain(bench, RUNS_BELOW);
    take_stuck(bench, 0);
    take_garbage(bench, end - 1);
    assert_true(berth_engine_can_take(bench->engine, 0));
    assert_int_equal(figures_of(bench).partitions_crowded, 0);
}

/* A window's worth of answers that would make the map longer than a broker takes: those that fit
 * are published, the others wait. */
static void test_answers_wait_when_their_map_would_be_too_long_for_a_broker(void **state) {
    struct bench *bench = *state;
    int64_t end = gain(bench, RUNS_BELOW);
    take_stuck(bench, 0);
    take_garbage(bench, end - 2);
    for (int64_t i = 1; i < WINDOW / 2; i++) {
        take_stuck(bench, end + 2 * i * STRIDE);
        take_garbage(bench, end + (2 * i + 1) * STRIDE);
    }
    decide(bench, true); /* The first was alone. */
    int all = WINDOW / 2 - 1;
    assert_int_equal(figures_of(bench).ready + (uint32_t)bench->items, all);
    assert_true(bench->items > 100);
    assert_true(figures_of(bench).ready > 100);
    assert_true(strlen(bench->map) > BERTH_SETTLED_TEXT_MAX - 8);
    assert_int_equal(bench->offset, 0);

    /* An abort changes nothing in that. */
    size_t items = bench->items;
    decide(bench, false);
    assert_int_equal(bench->items, items);
    int published = bench->published;
    decide(bench, true);
    assert_int_equal(bench->published, published); /* Nothing fits, so nothing is tried. */
    assert_true(figures_of(bench).ready > 100);
}

/* What can't be committed before the front, which is the next owner's, is his as well. */
static void test_answers_that_do_not_fit_hold_up_no_drain(void **state) {
    struct bench *bench = *state;
    int64_t end = gain(bench, RUNS_BELOW);
    take_stuck(bench, 0);
    take_garbage(bench, end - 2);
    for (int64_t i = 1; i < WINDOW / 2; i++) {
        take_stuck(bench, end + 2 * i * STRIDE);
        take_garbage(bench, end + (2 * i + 1) * STRIDE);
    }
    decide(bench, true);
    decide(bench, true);
    assert_true(figures_of(bench).ready > 100);
    step(bench, (struct berth_event){.kind = BERTH_EVENT_DRAIN});
    assert_int_equal(figures_of(bench).ready, 0);
    assert_int_equal(figures_of(bench).taken_in, 1); /* The claim that is under way. */
    assert_string_equal(bench->notice, "command.left");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_above_three_quarters_nothing_beyond_is_taken_and_what_is_below_goes_on, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_below_three_quarters_reading_goes_on_beyond_the_highest_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_answers_wait_when_their_map_would_be_too_long_for_a_broker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_that_do_not_fit_hold_up_no_drain, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
