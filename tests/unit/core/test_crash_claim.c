/* SPDX-License-Identifier: Apache-2.0 */
/* A crash around the claim: whose turn it is, what was met, how often it was tried
 * (design 4.1, 4.2).
 */
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

/* Runs until the effect that leaves this line was performed, and kills the worker there. */
static void crash_at(struct world *world, const char *line) {
    for (int64_t i = 0; world_traced(world, line) == 0; i++) {
        WORLD_CHECK(world, i < 100000);
        world_run(world, 1);
    }
    world_crash(world, 0);
    world_trace_restart(world);
}

static void restart(struct world *world) {
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
}

static bool in_order(const struct world *world, const char *first, const char *second) {
    const char *a = strstr(world_trace(world), first);
    const char *b = strstr(world_trace(world), second);
    return a != NULL && b != NULL && a < b;
}

/*
 * CLAIM ran, its reply found nobody. The next claim can't know whether Harbor was asked, so it
 * counts as another one and looks before it creates; the command's age began with the first.
 */
static void test_a_claim_that_nobody_heard_of_counts(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "claim #1");
    int64_t first_claim_ms = WORLD_WALL_MS + world->now_ms;
    world_run(world, 5000);
    restart(world);
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    assert_in_range(record->answer.received_at_ms, first_claim_ms - 10, first_claim_ms);
    assert_true(in_order(world, "harbor #1 GET /projects/{name}", "harbor #1 POST /projects"));
    world_finish(world);
}

/* Both records are read again; the second must not begin before the first is settled this time. */
static void test_the_next_command_waits_for_the_first_to_settle_also_after_a_crash(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    crash_at(world, "publish #1");
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 700});
    restart(world);
    assert_int_equal(world_traced(world, "publish #1 stored"), 1);
    assert_true(in_order(world, "committed", "claim #2"));
    world_finish(world);
}

/* The transaction was committed, its end found nobody: what is settled is not read again. */
static void test_a_settled_command_is_not_done_again(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "answer #1");
    restart(world);
    assert_int_equal(world_traced(world, "claim #1"), 0);
    assert_int_equal(record->answers, 1);
    world_finish(world);
}

/* `before` was written down before the first write, so what a dead claim did is not "before". */
static void test_what_was_met_is_remembered_before_anything_is_written(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha beta");
    crash_at(world, "harbor #1 POST /robots");
    restart(world);
    assert_string_equal(record->answer.before, "private");
    assert_string_equal(record->answer.bindings, "BOUND alpha, BOUND beta");
    assert_true(record->answer.changed);
    world_finish(world);
}

/* It died before `before` was written, so before any write: then the next one's is the right one.
 */
static void test_a_crash_before_remembering_leaves_it_to_the_next_claim(void **state) {
    (void)state;
    struct world *world = served();
    struct world_project *project = world_project_made(world, "team-a");
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_REMEMBER,
                                          .count = 1,
                                          .fault = WORLD_LOSE_CALL});
    crash_at(world, "remember #1");
    (void)world_robot_made(world, project, "ws-beta", "beta"); /* What a lost Redis left behind. */
    restart(world);
    assert_string_equal(record->answer.before, "private beta");
    assert_string_equal(record->answer.after, "private alpha beta");
    world_finish(world);
}

/* REMEMBER is the last call before the first write: whoever hears there that the lane is another's
 * must not write. */
static void test_a_lane_lost_before_remembering_is_not_written_under(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_REMEMBER,
                                          .count = 1,
                                          .fault = WORLD_LOSE_CALL});
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run(world, 100);
    assert_int_equal(world_traced(world, "remember #1"), 1);
    world_hold(world, "team-a", "elsewhere", "gone");
    /* It is asked again when the reply has been waited for. */
    world_run(world, WORLD_LEDGER_TIMEOUT_MS + 1000);
    assert_int_equal(world_traced(world, "remember #1"), 2);
    assert_int_equal(world_traced(world, "notice lane.lost #1"), 1);
    assert_int_equal(world->harbor_writes, 0);
    world_run_idle(world);
    assert_int_equal(world->takeovers, 1);
    assert_string_equal(record->answer.code, "workspace.bound");
    world_finish(world);
}

/*
 * Its partition went to another worker while a request of its was under way. That one has the
 * record too: it waits until the lane is free, and finds the outcome in the ledger.
 */
static void test_two_workers_with_one_record_do_it_once(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 4000});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_start(world, 1);
    world_lose(world, 0, 0);
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(world->takeovers, 0);
    assert_int_equal(world->harbor_calls, 1);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    world_finish(world);
}

/* What a crash leaves of a lane that was waited for is nothing: the wait begins anew. */
static void test_a_crash_while_waiting_does_not_shorten_the_wait(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    world_hold(world, "team-a", "elsewhere", "gone");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run(world, world->config.lease_ms - 1000);
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run(world, world->config.lease_ms - 1000);
    assert_int_equal(world->takeovers, 0);
    assert_int_equal(world->harbor_calls, 0);
    world_run(world, 2000);
    assert_int_equal(world->takeovers, 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_claim_that_nobody_heard_of_counts),
        cmocka_unit_test(test_the_next_command_waits_for_the_first_to_settle_also_after_a_crash),
        cmocka_unit_test(test_a_settled_command_is_not_done_again),
        cmocka_unit_test(test_what_was_met_is_remembered_before_anything_is_written),
        cmocka_unit_test(test_a_crash_before_remembering_leaves_it_to_the_next_claim),
        cmocka_unit_test(test_a_lane_lost_before_remembering_is_not_written_under),
        cmocka_unit_test(test_two_workers_with_one_record_do_it_once),
        cmocka_unit_test(test_a_crash_while_waiting_does_not_shorten_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
