/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping a lane: renewal, and writes only within the lease (design 4.7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static struct world *served(void) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    return world;
}

static void harbor(struct world *world, enum berth_harbor_call_kind kind, int count,
                   enum world_fault fault, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = (int)kind,
                                          .count = count,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

static void renewals(struct world *world, int count, enum world_fault fault, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_RENEW,
                                          .count = count,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

/* Keeps a command at work for long: Harbor is busy, again and again. */
static void keep_busy(struct world *world, int count, int64_t pause_ms) {
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, count, WORLD_BUSY, pause_ms);
}

static void test_all_held_lanes_are_renewed_in_time_by_one_call(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 9, 12000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-c", "");
    world_run(world, 30100);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_RENEW], 6);
    assert_int_equal(world_traced(world, "renew 3"), 6);
    assert_int_equal(world_ledger_space(world, "team-b")->renewals, 6);
    world_finish(world);
    /* That each write's not_after was its lease's end less the time-out is checked by the world. */
}

static void test_nothing_is_renewed_while_no_lane_is_held(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 60000);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_RENEW], 0);
    world_finish(world);
}

/* A claimed command goes on until its lease ends, then waits for the ledger (design 4.9). */
static void test_without_the_ledger_a_command_goes_on_until_its_lease_ends(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 100, 900);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world->ledger_down_until_ms = world->now_ms + 60000;
    world_run(world, 9000); /* Until the lease's end less the time-out. */
    assert_true(world->harbor_writes > 5);
    world_run(world, 1000);
    int writes = world->harbor_writes;
    world_run(world, 49000);
    assert_int_equal(world->harbor_writes, writes);
    world_run(world, 10000);
    assert_true(world->harbor_writes > writes);
    world_finish(world);
}

/* A reply that comes after the timer's next turn must not be the last renewal ever asked. */
static void test_renewal_goes_on_after_a_reply_that_came_late(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.renew_ms = 1000;
    world_serve(world, 1);
    renewals(world, 1, WORLD_SLOW, 1800);
    keep_busy(world, 3, 12000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 10000);
    assert_true(world_ledger_space(world, "team-a")->renewals >= 8);
    world_finish(world);
}

static void test_a_lost_renewal_is_asked_again_well_before_the_lease_ends(void **state) {
    (void)state;
    struct world *world = served();
    renewals(world, 1, WORLD_LOSE_CALL, 0);
    keep_busy(world, 2, 12000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 8000);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_RENEW], 2);
    assert_int_equal(world_ledger_space(world, "team-a")->renewals, 1);
    world_finish(world);
}

/* Whatever woke it, a loop that slept for more than a third of the lease renews before it writes.
 */
static void test_a_loop_that_slept_renews_before_the_next_write(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 1, 6000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5500); /* One renewal is behind us, the pause ends at 6 s. */
    world_trace_restart(world);
    world_freeze(world, 0, 6500);
    world_run_idle(world);
    const char *renewed = strstr(world_trace(world), "renew 1");
    const char *written = strstr(world_trace(world), "harbor #1 POST /projects");
    assert_non_null(renewed);
    assert_non_null(written);
    assert_true(renewed < written);
    world_finish(world);
}

/* What was asked before the sleep says nothing of the time after it, and it is answered at once. */
static void test_a_renewal_asked_before_the_sleep_is_not_enough_to_write(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 1, 6000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    renewals(world, 1, WORLD_SLOW, 200);
    world_run(world, 5100); /* The renewal is under way; the pause ends at 6 s. */
    assert_int_equal(world_traced(world, "renew 1"), 1);
    world_trace_restart(world);
    world_freeze(world, 0, 6500); /* Its lease would last for long. */
    world_run_idle(world);
    assert_true(world_traced(world, "renew 1") > 0);
    world_finish(world);
}

/* The same of a claim: it is held from now on, and its lease counts from before the sleep. */
static void test_a_claim_asked_before_the_sleep_is_not_enough_to_write(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 0);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    world_freeze(world, 0, 6500);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "renew 1"), 1);
    world_finish(world);
}

/*
 * It slept while a renewal was under way, so long that the answer is worth nothing: those who wait
 * for it need another one, and its answer must not be taken for theirs.
 */
static void test_a_renewal_that_was_slept_through_is_asked_again(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 3, 8000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-c", "");
    renewals(world, 1, WORLD_SLOW, 200);
    world_run(world, 5100); /* The renewal is on its way; the pauses end while it sleeps. */
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_RENEW], 1);
    world_freeze(world, 0, 12000);
    world_run(world, 12010);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_RENEW], 2);
    world_finish(world);
}

/* Nobody took over while it slept for more than a lease: it still holds the lane, and says so. */
static void test_a_lane_that_nobody_took_is_kept_over_a_long_sleep(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 1, 1000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_freeze(world, 0, 40000);
    world_run_idle(world);
    assert_int_equal(record->answer.attempts, 1);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* However it was lost: its calls come back first, then it is claimed again. */
static void test_a_lane_taken_away_is_claimed_again_when_all_calls_are_back(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.renew_ms = 3000;
    world_serve(world, 1);
    (void)world_project_made(world, "team-a");
    harbor(world, BERTH_HARBOR_CREATE_ROBOT, 2, WORLD_SLOW, 4500);
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha beta");
    world_run(world, 2000);
    world_hold(world, "team-a", "elsewhere", "gone");
    world->ledger_was_lost = true; /* Nobody may take a lane within its lease; here it is tried. */
    world_run(world, 2000);        /* The renewal at 3 s said so, the slow calls are still out. */
    assert_int_equal(world_traced(world, "renew 1"), 1);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    world_run(world, 1000);
    assert_true(world_traced(world, "claim #1") > 1);
    world_run_idle(world);
    assert_int_equal(world->takeovers, 1);
    assert_string_equal(record->answer.after, "private alpha beta");
    assert_string_equal(record->answer.before, "private");
    world_finish(world);
}

/* Nothing of ours keeps the next owner waiting: a pause is cut short to let go. */
static void test_a_lane_taken_away_during_a_pause_is_let_go_at_once(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 1, 60000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 1000);
    world_hold(world, "team-a", "elsewhere", "gone");
    world_run(world, 4100);
    assert_int_equal(world_traced(world, "notice lane.lost #1"), 1);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    world_finish(world);
}

/* A renewal names commands that may be over before the call is made. */
static void test_a_renewal_and_the_end_of_its_command_may_meet(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 1, 4990);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_STORE,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    world_run(world, 4000);
    world_lose(world, 0, 0);
    /* The orphan's STORE is answered within the sleep, and so is the renewal due: one step. */
    world_run(world, 1100);
    world_freeze(world, 0, 6000);
    world_run_idle(world);
    assert_int_equal(world_figures(world, 0).taken_in, 0);
    world_free(world);
}

/*
 * The same slot, and before the answer another command in it: that its predecessor's lane isn't
 * held any more says nothing about its own. Where the end and the renewal meet is tried out.
 */
static void test_a_renewal_is_of_the_claim_it_was_asked_for(void **state) {
    (void)state;
    for (int64_t pause_ms = 4960; pause_ms <= 5000; pause_ms++) {
        struct world *world = world_new(1);
        world->config.commands_max = 1;
        world_serve(world, 1);
        keep_busy(world, 1, pause_ms);
        renewals(world, 1, WORLD_SLOW, 1500);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
        world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                              .kind = BERTH_HARBOR_CREATE_PROJECT,
                                              .skip = 1,
                                              .count = 1,
                                              .fault = WORLD_SLOW,
                                              .delay_ms = 3000});
        world_run_idle(world);
        assert_int_equal(world_traced(world, "notice lane.lost #2"), 0);
        world_finish(world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_held_lanes_are_renewed_in_time_by_one_call),
        cmocka_unit_test(test_nothing_is_renewed_while_no_lane_is_held),
        cmocka_unit_test(test_without_the_ledger_a_command_goes_on_until_its_lease_ends),
        cmocka_unit_test(test_renewal_goes_on_after_a_reply_that_came_late),
        cmocka_unit_test(test_a_lost_renewal_is_asked_again_well_before_the_lease_ends),
        cmocka_unit_test(test_a_loop_that_slept_renews_before_the_next_write),
        cmocka_unit_test(test_a_renewal_asked_before_the_sleep_is_not_enough_to_write),
        cmocka_unit_test(test_a_claim_asked_before_the_sleep_is_not_enough_to_write),
        cmocka_unit_test(test_a_renewal_that_was_slept_through_is_asked_again),
        cmocka_unit_test(test_a_lane_that_nobody_took_is_kept_over_a_long_sleep),
        cmocka_unit_test(test_a_lane_taken_away_is_claimed_again_when_all_calls_are_back),
        cmocka_unit_test(test_a_lane_taken_away_during_a_pause_is_let_go_at_once),
        cmocka_unit_test(test_a_renewal_and_the_end_of_its_command_may_meet),
        cmocka_unit_test(test_a_renewal_is_of_the_claim_it_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
