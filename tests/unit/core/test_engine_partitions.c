/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions come and go, and a worker is asked to drain (design 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static void slow_harbor(struct world *world, int count, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = delay_ms});
}

/* Keeps a command at work for so long, without a request under way. */
static void busy_harbor(struct world *world, int count, int64_t pause_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = pause_ms});
}

static struct world *served(int partitions) {
    struct world *world = world_new(1);
    world_serve(world, partitions);
    return world;
}

static struct world *served_without_side_by_side(void) {
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 1;
    world_serve(world, 2);
    return world;
}

/* ---- Revoked ---- */

static void test_an_idle_partition_is_given_up_at_once(void **state) {
    (void)state;
    struct world *world = served(2);
    world_revoke(world, 0, 1);
    world_run(world, 0);
    assert_int_equal(world_traced(world, "give up p1"), 1);
    assert_int_equal(world_figures(world, 0).partitions, 1);
    world_finish(world);
}

/* What has begun ends, and its outcome is committed; what hasn't is the next owner's. */
static void test_a_revoked_partition_ends_what_has_begun_then_is_given_up(void **state) {
    (void)state;
    struct world *world = served(1);
    slow_harbor(world, 1, 3000);
    const struct world_record *begun = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *behind = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    world_run(world, 100);
    world_revoke(world, 0, 0);
    world_run(world, 100);
    assert_int_equal(world_figures(world, 0).taken_in, 1);
    assert_int_equal(world_traced(world, "give up p0"), 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-b", "");
    world_run_idle(world);

    assert_int_equal(begun->answers, 1);
    assert_int_equal(behind->answers, 0);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "claim #3"), 0);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_finish(world);
}

/* Were one of those that wait begun when the place of another comes free, it would never end. */
static void test_nothing_of_a_revoked_partition_begins_in_the_place_of_another(void **state) {
    (void)state;
    struct world *world = served_without_side_by_side();
    slow_harbor(world, 1, 3000);
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 1, "slow", "");
    world_run(world, 100);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-c", "");
    world_run(world, 100); /* 2 and 3 wait for the place of 1. */
    world_revoke(world, 0, 0);
    world_run(world, 5000);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world_traced(world, "publish #1"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "claim #3"), 0);
    world_finish(world);
}

/* Wherever it stands in the window: the answers behind it go without it. */
static void test_what_has_not_begun_is_left_also_before_something_begun(void **state) {
    (void)state;
    struct world *world = served(1);
    slow_harbor(world, 2, 2000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *queued =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    const struct world_record *begun = world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-b", "");
    world_run(world, 100);
    world_revoke(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(queued->answers, 0);
    assert_int_equal(begun->answers, 1);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(queued->answers, 1);
    assert_int_equal(world_traced(world, "claim #3"), 1);
    world_finish(world);
}

/* It was being claimed when the partition was revoked; somebody else holds its lane, so it can be
 * left to the next owner after all. */
static void test_a_claim_that_has_to_wait_is_left_to_the_next_owner(void **state) {
    (void)state;
    struct world *world = served(1);
    world_hold(world, "team-a", "elsewhere", "alive");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 0);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    world_revoke(world, 0, 0);
    world_run(world, 100);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_ledger_space(world, "team-a")->held = false;
    world_finish(world);
}

/* Its lane is held when its partition is revoked: it isn't even asked for again. */
static void test_what_waits_for_a_held_lane_is_left_to_the_next_owner(void **state) {
    (void)state;
    struct world *world = served(1);
    world_hold(world, "team-a", "elsewhere", "alive");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 10);
    int claims = world_traced(world, "claim #1");
    world_revoke(world, 0, 0);
    world_run(world, 0);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world_traced(world, "claim #1"), claims);
    world_ledger_space(world, "team-a")->held = false;
    world_finish(world);
}

/* A transaction that is undecided may still carry its offset. */
static void test_a_revoked_partition_is_not_given_up_during_its_transaction(void **state) {
    (void)state;
    struct world *world = served(1);
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_revoke(world, 0, 0);
    world_run(world, 500);
    assert_int_equal(world_traced(world, "give up p0"), 0);
    world_run(world, 1000);
    assert_int_equal(world_traced(world, "committed"), 1);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_finish(world);
}

static void test_a_revoked_partition_is_not_given_up_while_its_start_is_committed(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run(world, 2);
    world_revoke(world, 0, 0);
    world_run(world, 1);
    assert_int_equal(world_traced(world, "give up p0"), 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world->partitions[0].committed, 0);
    world_finish(world);
}

/* In any case it is given up before the group would throw the worker out. */
static void test_a_revoked_partition_is_given_up_at_the_bound_in_any_case(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.revoke_bound_ms = 2000;
    world_serve(world, 1);
    slow_harbor(world, 1, 4000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_revoke(world, 0, 0);
    world_run(world, 1900);
    assert_int_equal(world_traced(world, "give up p0"), 0);
    world_run(world, 200);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    /* Its lane stays ours until the work has ended; nothing of it is published. */
    assert_int_equal(world_figures(world, 0).worked_on, 1);
    world_run_idle(world);
    assert_int_equal(record->answers, 0);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    world_finish(world);
}

/* The bound and the loss may come in one step: what the caller has lost isn't given up as well. */
static void test_a_partition_may_be_lost_at_the_moment_of_its_bound(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.revoke_bound_ms = 4000;
    world_serve(world, 1);
    slow_harbor(world, 1, 30000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_revoke(world, 0, 0);
    world_run(world, 1000);
    world_freeze(world, 0, 10000);
    world_lose(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "give up p0"), 0);
    assert_int_equal(world_figures(world, 0).partitions, 0);
    world_assign(world, 0, 0);
    world_finish(world);
}

/* ---- Lost ---- */

/* The work goes on under its lane's lock, for nobody; who gets the record next finds the outcome.
 */
static void test_a_lost_partitions_work_ends_unpublished_and_is_found_in_the_ledger(void **state) {
    (void)state;
    struct world *world = served(1);
    slow_harbor(world, 1, 3000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_lose(world, 0, 0);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_run(world, 1000);
    assert_int_equal(world_figures(world, 0).partitions, 0);
    assert_int_equal(world_figures(world, 0).worked_on, 1);
    world_run_idle(world);

    assert_int_equal(world->workers[0].engine != NULL, 1);
    assert_int_equal(world_traced(world, "store #1"), 1);
    assert_int_equal(record->answers, 1);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_int_equal(world->takeovers, 0);
    world_finish(world);
}

/* The same worker gets it back while its own orphan is still at work: the lane is one. */
static void test_a_record_that_comes_back_waits_for_its_own_orphan(void **state) {
    (void)state;
    struct world *world = served(1);
    slow_harbor(world, 1, 3000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_lose(world, 0, 0);
    world_assign(world, 0, 0);
    world_run(world, 1000);
    assert_int_equal(world_figures(world, 0).taken_in, 2);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_int_equal(world->harbor_calls, 1);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    world_finish(world);
}

/* An answer whose transaction is undecided when its partition is lost: Kafka refuses the offset. */
static void test_an_answer_in_the_transaction_of_a_lost_partition_is_not_repeated(void **state) {
    (void)state;
    struct world *world = served(2);
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    const struct world_record *lost = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *kept = world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 100);
    world_lose(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "publish #1"), 1);
    assert_int_equal(kept->answers, 1);
    assert_int_equal(lost->answers, 0);
    world_assign(world, 0, 0);
    world_finish(world);
}

/* A place that comes free, or a lane, must not begin another item of the lost partition. */
static void test_nothing_of_a_lost_partition_begins(void **state) {
    (void)state;
    struct world *world = served_without_side_by_side();
    world_hold(world, "held", "elsewhere", "alive");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "held", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "held", "");
    world_run(world, 100);
    slow_harbor(world, 1, 3000);
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 4, "slow", "");
    world_run(world, 100);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-b", "");
    world_run(world, 100); /* 1 waits for its lane, 2 behind it, 3 for the place of 4. */
    world_lose(world, 0, 0);
    world_run(world, 5000);
    assert_int_equal(world_traced(world, "publish #4"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "claim #3"), 0);
    assert_int_equal(world_figures(world, 0).taken_in, 0);
    world_ledger_space(world, "held")->held = false;
    world_finish(world);
}

/* Nobody waits for the answer of an orphan that hasn't begun: it doesn't wait for its lane. */
static void test_an_orphan_whose_lane_is_held_is_dropped(void **state) {
    (void)state;
    struct world *world = served(1);
    world_hold(world, "team-a", "elsewhere", "alive");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 0);
    world_lose(world, 0, 0);
    world_run(world, 100);
    assert_int_equal(world_figures(world, 0).taken_in, 0);
    world_ledger_space(world, "team-a")->held = false;
    world_finish(world);
}

/*
 * This worker has lost the network to Kafka and to Harbor, but not to Redis. Would it go on trying
 * and renewing, the next owner could do nothing for as long as a command may be tried.
 */
static void test_an_orphan_is_not_tried_again(void **state) {
    (void)state;
    struct world *world = served(2);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 2,
                                          .fault = WORLD_UNKNOWN_LOST});
    busy_harbor(world, 1, 60000);
    const struct world_record *at_work = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    const struct world_record *paused = world_send(world, 1, BERTH_CREATE_SPACE, 3, "team-c", "");
    world_run(world, 1000);
    world_lose(world, 0, 0);
    world_lose(world, 0, 1);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_assign(world, 1, 1);
    world_run(world, 5000 + world->config.lease_ms + 2000);
    assert_int_equal(world_figures(world, 0).taken_in, 0);
    assert_string_equal(at_work->answer.code, "space.created");
    assert_string_equal(paused->answer.code, "space.created");
    assert_int_equal(world->takeovers, 3);
    world_finish(world);
}

/* The lane still bears the orphan's name, which is also the next claim's: no first claim for that.
 */
static void test_what_an_orphan_asked_is_not_forgotten_when_its_record_comes_back(void **state) {
    (void)state;
    struct world *world = served(1);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_APPLIED});
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_CLAIM,
                                          .skip = 1,
                                          .count = 1,
                                          .fault = WORLD_LOSE_CALL});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_lose(world, 0, 0);
    world_run(world, 6000);
    world_assign(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 3);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* ---- Draining ---- */

static void test_draining_finishes_what_has_begun_and_tells_what_is_left(void **state) {
    (void)state;
    struct world *world = served(1);
    slow_harbor(world, 1, 3000);
    const struct world_record *begun = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 3, "team-a", "beta");
    world_run(world, 100);
    world_drain(world, 0);
    world_run(world, 100);
    assert_false(world->workers[0].drained);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 4, "team-b", "");
    world_run_idle(world);

    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 2);
    assert_int_equal(world_traced(world, "notice command.left"), 2);
    assert_int_equal(begun->answers, 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "claim #4"), 0);
    world_finish(world);
}

static void test_an_idle_worker_is_drained_at_once(void **state) {
    (void)state;
    struct world *world = served(2);
    world_drain(world, 0);
    world_run(world, 0);
    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 0);
    world_finish(world);
}

/* Draining during a rebalance: the partition is still given up, and what comes new is not begun. */
static void test_partitions_come_and_go_while_a_worker_drains(void **state) {
    (void)state;
    struct world *world = served(1);
    busy_harbor(world, 1, 2000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 100);
    world_drain(world, 0);
    world_revoke(world, 0, 0);
    world_assign(world, 0, 1);
    world_run_idle(world);
    assert_true(world->workers[0].drained);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_partition_is_given_up_at_once),
        cmocka_unit_test(test_a_revoked_partition_ends_what_has_begun_then_is_given_up),
        cmocka_unit_test(test_nothing_of_a_revoked_partition_begins_in_the_place_of_another),
        cmocka_unit_test(test_what_has_not_begun_is_left_also_before_something_begun),
        cmocka_unit_test(test_a_claim_that_has_to_wait_is_left_to_the_next_owner),
        cmocka_unit_test(test_what_waits_for_a_held_lane_is_left_to_the_next_owner),
        cmocka_unit_test(test_a_revoked_partition_is_not_given_up_during_its_transaction),
        cmocka_unit_test(test_a_revoked_partition_is_not_given_up_while_its_start_is_committed),
        cmocka_unit_test(test_a_revoked_partition_is_given_up_at_the_bound_in_any_case),
        cmocka_unit_test(test_a_partition_may_be_lost_at_the_moment_of_its_bound),
        cmocka_unit_test(test_a_lost_partitions_work_ends_unpublished_and_is_found_in_the_ledger),
        cmocka_unit_test(test_a_record_that_comes_back_waits_for_its_own_orphan),
        cmocka_unit_test(test_an_answer_in_the_transaction_of_a_lost_partition_is_not_repeated),
        cmocka_unit_test(test_nothing_of_a_lost_partition_begins),
        cmocka_unit_test(test_an_orphan_whose_lane_is_held_is_dropped),
        cmocka_unit_test(test_an_orphan_is_not_tried_again),
        cmocka_unit_test(test_what_an_orphan_asked_is_not_forgotten_when_its_record_comes_back),
        cmocka_unit_test(test_draining_finishes_what_has_begun_and_tells_what_is_left),
        cmocka_unit_test(test_an_idle_worker_is_drained_at_once),
        cmocka_unit_test(test_partitions_come_and_go_while_a_worker_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
