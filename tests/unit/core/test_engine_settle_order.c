/* SPDX-License-Identifier: Apache-2.0 */
/* Answers are settled in any order, and what was settled is not done again (design 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

/* One that Harbor keeps for so long, the first of its partition. */
static struct world_record *send_stuck(struct world *world, int number, int64_t for_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = for_ms});
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, number, "stuck", "");
    world_run(world, 3);
    return record;
}

static void send_creates(struct world *world, int first, int count) {
    for (int i = 0; i < count; i++) {
        char space[24];
        (void)snprintf(space, sizeof(space), "space-%d", first + i);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, first + i, space, "");
    }
}

static struct world *served(void) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    return world;
}

/* A stuck one and four behind it that are settled; the worker has just died. */
static struct world *crashed_behind_a_stuck_one(void) {
    struct world *world = served();
    (void)send_stuck(world, 1, 60000);
    send_creates(world, 2, 4);
    world_run(world, 1000);
    assert_int_equal(world->partitions[0].committed, 0);
    assert_true(strlen(world->partitions[0].metadata) > 0);
    world_crash(world, 0);
    world_run(world, 100);
    world_trace_restart(world);
    return world;
}

static void start_again(struct world *world, int worker) {
    world->harbor_calls = 0;
    world_start(world, worker);
    if (world->partitions[0].owner >= 0) {
        world_lose(world, world->partitions[0].owner, 0);
    }
    world_assign(world, worker, 0);
}

static void test_answers_are_committed_behind_one_that_takes_long(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *stuck = send_stuck(world, 1, 3000);
    send_creates(world, 2, 4);
    world_run(world, 1000);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(world->partitions[0].records[i].answers, 1);
    }
    assert_int_equal(stuck->answers, 0);
    assert_int_equal(world->partitions[0].committed, 0);
    /* Behind it a space's next command begins, too. */
    const struct world_record *next =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 9, "space-2", "alpha");
    world_run(world, 500);
    assert_int_equal(next->answers, 1);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 6);
    assert_string_equal(world->partitions[0].metadata, "");
    world_finish(world);
}

static void test_after_a_crash_only_what_was_not_settled_is_done_again(void **state) {
    (void)state;
    struct world *world = crashed_behind_a_stuck_one();
    start_again(world, 0);
    world_run_idle(world);
    assert_true(world_traced(world, "claim #1") > 0);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "claim #5"), 0);
    assert_int_equal(world_traced(world, "skip"), 4);
    assert_int_equal(world_figures(world, 0).skipped_total, 4);
    assert_int_equal(world_figures(world, 0).maps_ignored_total, 0);
    assert_int_equal(world->partitions[0].committed, 5);
    world_finish(world);
}

static void test_the_next_owner_repeats_nothing_that_was_settled(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.revoke_bound_ms = 2000;
    world_serve(world, 1);
    (void)send_stuck(world, 1, 60000);
    send_creates(world, 2, 4);
    world_run(world, 1000);
    world_start(world, 1);
    world->partitions[0].next_owner = 1;
    world_revoke(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world_figures(world, 1).skipped_total, 4);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(world->partitions[0].records[i].answers, 1);
    }
    world_finish(world);
}

/* Nothing of an aborted transaction is in the next map, unless it is in the next transaction. */
static void test_an_abort_leaves_the_map_as_it_was(void **state) {
    (void)state;
    struct world *world = served();
    world->config.batch_max = 2;
    world_crash(world, 0);
    start_again(world, 0);
    world_run_idle(world);
    (void)send_stuck(world, 1, 20000);
    world_rule(world,
               (struct world_rule){
                   .channel = WORLD_KAFKA, .kind = WORLD_ANY, .count = 5, .fault = WORLD_ABORT});
    send_creates(world, 2, 6);
    world_run(world, 30000);
    /* That each map says exactly what was answered is checked by the world at each commit. */
    assert_int_equal(world->aborts, 5);
    for (int i = 2; i <= 7; i++) {
        assert_int_equal(world->partitions[0].records[i - 1].answers, 1);
    }
    world_finish(world);
}

static void ignored(const char *metadata) {
    struct world *world = crashed_behind_a_stuck_one();
    struct world_partition *partition = &world->partitions[0];
    (void)snprintf(partition->metadata, sizeof(partition->metadata), "%s", metadata);
    partition->map_was_lost = true;
    start_again(world, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice partition.map_ignored"), 1);
    assert_int_equal(world_figures(world, 0).maps_ignored_total, 1);
    assert_int_equal(world_figures(world, 0).skipped_total, 0);
    /* They are answered again, from the ledger; only the stuck one asks Harbor. */
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(partition->records[i].answers, 2);
    }
    assert_int_equal(world_traced(world, "harbor #2"), 0);
    assert_int_equal(partition->records[0].answers, 1);
    assert_int_equal(partition->committed, 5);
    world_finish(world);
}

/* A tool that sets offsets may write what it likes there. */
static void test_metadata_of_somebody_else_means_repetition_not_loss(void **state) {
    (void)state;
    ignored("set by hand, ask Joe");
}

static void test_a_damaged_map_means_repetition_not_loss(void **state) {
    (void)state;
    struct world *world = crashed_behind_a_stuck_one();
    char metadata[BERTH_SETTLED_TEXT_BYTES];
    (void)snprintf(metadata, sizeof(metadata), "%s", world->partitions[0].metadata);
    world_free(world);
    metadata[strlen(metadata) / 2] ^= 1;
    ignored(metadata);
}

/* An offset was set by hand with the metadata of another: the map says nothing about it. */
static void test_a_map_for_another_offset_is_ignored(void **state) {
    (void)state;
    struct berth_settled_run runs[4];
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, 4, 1);
    assert_int_equal(berth_settled_map_settle(&map, 2, 4), BERTH_OK);
    char metadata[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&map, metadata);
    ignored(metadata);
}

/* Retention removed the stuck one: what was settled behind it is still not done again. */
static void test_a_log_that_starts_above_the_committed_offset_keeps_the_rest(void **state) {
    (void)state;
    struct world *world = crashed_behind_a_stuck_one();
    world->partitions[0].log_start = 2;
    start_again(world, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim"), 0);
    assert_int_equal(world_figures(world, 0).skipped_total, 3);
    assert_int_equal(world_traced(world, "offset p0@5"), 1);
    send_creates(world, 6, 1);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 6);
    assert_int_equal(world->partitions[0].records[5].answers, 1);
    world_free(world); /* "stuck" was never answered. */
}

/* A transactional producer leaves an offset after each of its records that is never delivered: no
 * committed offset waits for it, and the map doesn't grow by it. */
static void test_offsets_that_are_never_delivered_hold_nothing_back(void **state) {
    (void)state;
    struct world *world = served();
    world_send_marker(world, 0);
    world_send_marker(world, 0);
    send_creates(world, 2, 1);
    world_send_marker(world, 0);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 3);
    (void)send_stuck(world, 1, 3000);
    for (int i = 3; i < 9; i++) {
        world_send_marker(world, 0);
        send_creates(world, i, 1);
    }
    world_run(world, 1000);
    /* Base, one gap, one run. */
    struct berth_settled_run runs[4];
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, 4, world->partitions[0].committed);
    assert_int_equal(berth_settled_map_read(&map, world->partitions[0].metadata),
                     BERTH_SETTLED_READ);
    assert_int_equal(map.count, 1);
    world_crash(world, 0);
    start_again(world, 0);
    world_run_idle(world);
    assert_int_equal(world_figures(world, 0).skipped_total, 6);
    world_finish(world);
}

/* Compaction removed one that was never answered: what comes after it shows that it is gone, and
 * nothing waits for it. */
static void test_a_record_that_is_gone_holds_nothing_back(void **state) {
    (void)state;
    struct world *world = served();
    (void)send_stuck(world, 1, 60000);
    struct world_record *gone = world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "stuck", "alpha");
    send_creates(world, 3, 1);
    world_run(world, 1000);
    world_crash(world, 0);
    gone->marker = true;
    start_again(world, 0);
    world_run_idle(world);
    send_creates(world, 4, 1);
    world_run_idle(world);
    assert_int_equal(gone->answers, 0);
    assert_int_equal(world->partitions[0].committed, 4);
    world_finish(world);
}

/* Draining leaves what hasn't begun, in front of what was answered, to the next start. */
static void test_a_drain_leaves_gaps_that_the_next_start_fills(void **state) {
    (void)state;
    struct world *world = served();
    (void)send_stuck(world, 1, 3000);
    const struct world_record *queued =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "stuck", "alpha");
    send_creates(world, 3, 2);
    world_run(world, 1000);
    world_drain(world, 0);
    world_run_idle(world);
    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 1);
    assert_int_equal(world->partitions[0].committed, 1);
    assert_int_equal(queued->answers, 0);
    world_crash(world, 0);
    start_again(world, 0);
    world_run_idle(world);
    assert_int_equal(world_figures(world, 0).skipped_total, 2);
    assert_int_equal(queued->answers, 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_committed_behind_one_that_takes_long),
        cmocka_unit_test(test_after_a_crash_only_what_was_not_settled_is_done_again),
        cmocka_unit_test(test_the_next_owner_repeats_nothing_that_was_settled),
        cmocka_unit_test(test_an_abort_leaves_the_map_as_it_was),
        cmocka_unit_test(test_metadata_of_somebody_else_means_repetition_not_loss),
        cmocka_unit_test(test_a_damaged_map_means_repetition_not_loss),
        cmocka_unit_test(test_a_map_for_another_offset_is_ignored),
        cmocka_unit_test(test_a_log_that_starts_above_the_committed_offset_keeps_the_rest),
        cmocka_unit_test(test_offsets_that_are_never_delivered_hold_nothing_back),
        cmocka_unit_test(test_a_record_that_is_gone_holds_nothing_back),
        cmocka_unit_test(test_a_drain_leaves_gaps_that_the_next_start_fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
