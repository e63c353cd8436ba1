/* SPDX-License-Identifier: Apache-2.0 */
/* A sick registry stops only itself, and nothing of it becomes a dead letter (design 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

#define TEN_MINUTES_MS INT64_C(600000)
/* Commands are done so soon after their registry's return. */
#define SOON_MS 5000

static struct world *served(void) {
    struct world *world = world_new(1);
    world_serve(world, 2);
    return world;
}

static void make_sick(struct world *world, uint32_t registry, enum world_fault fault,
                      int64_t for_ms) {
    world->sick[registry].until_ms = world->now_ms + for_ms;
    world->sick[registry].fault = fault;
}

/* For the other registry, on partition 1. */
static struct world_record *send_other(struct world *world, int number, const char *space) {
    struct world_record *record = world_send(world, 1, BERTH_CREATE_SPACE, number, space, "");
    (void)snprintf(record->command.registry, sizeof(record->command.registry), "other");
    (void)snprintf(record->key, sizeof(record->key), "other/%s", space);
    return record;
}

static bool open(const struct world *world, uint32_t registry) {
    struct berth_engine_registry_figures figures;
    berth_engine_registry_figures(world->workers[0].engine, registry, &figures);
    return figures.open;
}

/* Ten minutes of it, with one command alone or with several: all are done soon after, though each
 * has but one attempt. */
static void survive(enum world_fault fault, int commands) {
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 2);
    make_sick(world, 0, fault, TEN_MINUTES_MS);
    const struct world_record *records[4];
    for (int i = 0; i < commands; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        records[i] = world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, space, "");
    }
    world_run(world, TEN_MINUTES_MS - 1);
    assert_true(open(world, 0));
    assert_int_equal(world_traced(world, "notice breaker.opened"), 1);
    world_run(world, SOON_MS);
    for (int i = 0; i < commands; i++) {
        assert_string_equal(records[i]->answer.code, "space.created");
        assert_int_equal(records[i]->answer.attempts, 1);
    }
    assert_int_equal(world_traced(world, "notice breaker.closed"), 1);
    assert_false(open(world, 0));
    world_finish(world);
}

static void test_a_registry_that_is_away_for_ten_minutes_makes_no_dead_letter(void **state) {
    (void)state;
    survive(WORLD_NOT_SENT, 4);
    survive(WORLD_NOT_SENT, 1);
}

/* A lone command would burn its attempts on what isn't its fault: a probe tells. */
static void test_a_registry_that_fails_or_hangs_for_ten_minutes_makes_no_dead_letter(void **state) {
    (void)state;
    survive(WORLD_SERVER_ERROR, 4);
    survive(WORLD_SERVER_ERROR, 1);
    survive(WORLD_UNKNOWN_LOST, 4);
    survive(WORLD_UNKNOWN_LOST, 1);
}

static void test_read_only_mode_and_a_refused_login_only_make_commands_wait(void **state) {
    (void)state;
    survive(WORLD_READ_ONLY, 1);
    survive(WORLD_UNAUTHORIZED, 1);
}

/* The last attempt burns while nobody knows yet whose fault it is. */
static void test_nobody_is_given_up_before_a_probe_has_answered(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    make_sick(world, 0, WORLD_UNKNOWN_LOST, 60000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 60000 + SOON_MS);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

static void test_while_it_is_open_only_probes_are_asked_and_lanes_are_kept(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5000);
    assert_true(open(world, 0));
    int calls = world->harbor_calls;
    int claims = world->ledger_calls[BERTH_LEDGER_CLAIM];
    int probes = world->probes;
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 60000);
    assert_int_equal(world->harbor_calls, calls);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_CLAIM], claims);
    assert_true(world_ledger_space(world, "team-a")->held);
    assert_true(world->ledger_calls[BERTH_LEDGER_RENEW] >= 12);
    /* One at a time, at most three seconds apart, and not much more often. */
    assert_true(world->probes - probes >= 20);
    assert_true(world->probes - probes <= 41);
    world_free(world);
}

static void test_another_registry_goes_on_beside_a_sick_one(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5000);
    const struct world_record *beside = send_other(world, 2, "team-a");
    world_run(world, 200);
    assert_string_equal(beside->answer.code, "space.created");
    assert_false(open(world, 1));
    world_finish(world);
}

/* ---- Whose fault it is ---- */

/* That is never a space's: nobody has to ask. */
static void test_no_connection_opens_it_without_a_probe(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    while (world_traced(world, "notice breaker.opened") == 0) {
        world_run(world, 1);
    }
    assert_int_equal(world->probes, 0);
    world_free(world);
}

static void test_one_bad_space_never_opens_it_and_is_given_up(void **state) {
    (void)state;
    struct world *world = served();
    (void)snprintf(world->sick_space, sizeof(world->sick_space), "bad");
    const struct world_record *bad = world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    world_run_idle(world);
    assert_int_equal(bad->answer.kind, BERTH_FAILED);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 0);
    assert_int_equal(world_traced(world, "notice command.retried #1"),
                     world->config.retry_attempts - 1);
    world->sick_space[0] = '\0';
    world_free(world);
}

static void fail_once(struct world *world, int count) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = WORLD_SERVER_ERROR});
}

/* Of many calls a second any three of a row may be of spaces that fail. */
static void test_three_spaces_that_fail_among_others_that_do_not_open_nothing(void **state) {
    (void)state;
    struct world *world = served();
    fail_once(world, 3);
    for (int i = 0; i < 6; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, space, "");
    }
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice command.retried"), 3);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 0);
    world_finish(world);
}

static void test_what_is_well_in_between_clears_all_suspicion(void **state) {
    (void)state;
    struct world *world = served();
    for (int i = 0; i < 4; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        fail_once(world, 1);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, space, "");
        world_run(world, 20000);
    }
    assert_int_equal(world_traced(world, "notice command.retried"), 4);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 0);
    world_finish(world);
}

/* Harbor's database may be gone while its front page still answers. */
static void test_three_failing_spaces_open_it_though_probes_are_fine(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_SERVER_ERROR, TEN_MINUTES_MS);
    world->sick[0].probes_fine = true;
    const struct world_record *records[3];
    static const char *const spaces[] = {"team-a", "team-b", "team-c"};
    for (int i = 0; i < 3; i++) {
        records[i] = world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, spaces[i], "");
    }
    world_run(world, TEN_MINUTES_MS);
    /* It opens again and again, each time for longer. */
    int opened = world_traced(world, "notice breaker.opened");
    assert_true(opened >= 10);
    assert_true(opened <= 60);
    world_run(world, 40000);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(records[i]->answer.code, "space.created");
    }
    world_finish(world);
}

static void test_two_failing_spaces_do_not_open_it(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_SERVER_ERROR, TEN_MINUTES_MS);
    world->sick[0].probes_fine = true;
    const struct world_record *one = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *two = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, TEN_MINUTES_MS);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 0);
    world_run_idle(world);
    assert_int_equal(one->answer.kind, BERTH_FAILED);
    assert_int_equal(two->answer.kind, BERTH_FAILED);
    world_finish(world);
}

/* Many spaces may fail now and then: what counts is that nothing is well in between. */
static void test_failures_with_something_well_in_between_do_not_open_it(void **state) {
    (void)state;
    struct world *world = served();
    for (int i = 0; i < 5; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                              .kind = BERTH_HARBOR_CREATE_PROJECT,
                                              .count = 1,
                                              .fault = WORLD_SERVER_ERROR});
        const struct world_record *record =
            world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, space, "");
        world_run(world, 10000);
        assert_string_equal(record->answer.code, "space.created");
    }
    assert_int_equal(world_traced(world, "notice breaker.opened"), 0);
    world_finish(world);
}

/* What the probe contradicts is this space's or our account's: 403 DENIED has other causes. */
static void test_read_only_that_a_probe_denies_ends_with_the_commands_age(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_READ_ONLY, 10 * TEN_MINUTES_MS);
    world->sick[0].probes_fine = true;
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 2 * world->config.retry_age_ms);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    world_finish(world);
}

/* ---- The way back ---- */

/* It was just sick: one call, then more, not all at once. */
static void test_after_its_return_it_is_asked_little_first(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, 20000);
    for (int i = 0; i < 8; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1 + i, space, "");
    }
    world_run(world, 20000);
    world->calls_most[0] = 0;
    world_trace_restart(world);
    while (world_traced(world, "harbor #") == 0) {
        world_run(world, 1);
    }
    assert_int_equal(world->calls_most[0], 1);
    world_run(world, SOON_MS);
    assert_int_equal(world_traced(world, "answer #"), 8);
    world_finish(world);
}

/* Nobody sits out a pause that was long before the outage. */
static void test_a_long_pause_ends_with_the_outage(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.backoff_ms = 300000;
    world->config.backoff_max_ms = 300000;
    world_serve(world, 1);
    world_rule(world,
               (struct world_rule){
                   .channel = WORLD_HARBOR, .kind = WORLD_ANY, .count = 1, .fault = WORLD_BUSY});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    assert_int_equal(world_traced(world, "notice command.retried #1"), 1);
    make_sick(world, 0, WORLD_NOT_SENT, 2000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 2000 + SOON_MS);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* ---- Winding down ---- */

static void test_a_drain_does_not_wait_for_a_sick_registry(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 5000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-c", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 4, "team-a", "alpha");
    world_run(world, 100);
    world_drain(world, 0);
    world_run(world, 100);
    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 4);

    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run(world, TEN_MINUTES_MS + SOON_MS);
    assert_int_equal(world->partitions[0].committed, 4);
    world_finish(world);
}

/* What waits for a moment in a healthy registry isn't let go with what waits for the sick one. */
static void test_a_drain_finishes_what_a_healthy_registry_has_begun(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5000);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_SERVER_ERROR});
    const struct world_record *record = send_other(world, 2, "team-z");
    while (world_traced(world, "notice command.retried #2") == 0) {
        world_run(world, 1);
    }
    world_drain(world, 0);
    world_run(world, 10000);
    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 1);
    assert_string_equal(record->answer.code, "space.created");
    world_free(world);
}

static void test_a_revoked_partition_is_given_up_without_its_sick_registry(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, TEN_MINUTES_MS);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)send_other(world, 2, "team-z");
    world_run(world, 100);
    world_start(world, 1);
    world->partitions[0].next_owner = 1;
    world_revoke(world, 0, 0);
    world_run(world, 5000);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_run(world, TEN_MINUTES_MS + SOON_MS);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* What stands behind it in its window doesn't wait for it, so nobody does it again. */
static void test_what_stands_behind_a_sick_registrys_command_is_settled(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, 30000);
    const struct world_record *front = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    struct world_record *behind = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    (void)snprintf(behind->command.registry, sizeof(behind->command.registry), "other");
    (void)snprintf(behind->key, sizeof(behind->key), "other/team-b");
    world_run(world, 5000);
    assert_int_equal(behind->answers, 1);
    world_start(world, 1);
    world->partitions[0].next_owner = 1;
    world_revoke(world, 0, 0);
    world_run(world, 1000);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #2"), 1);
    assert_string_equal(front->answer.code, "space.created");
    world_finish(world);
}

static void test_an_orphan_does_not_wait_for_a_sick_registry(void **state) {
    (void)state;
    struct world *world = served();
    make_sick(world, 0, WORLD_NOT_SENT, 60000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5000);
    world_lose(world, 0, 0);
    world_run(world, 10);
    assert_int_equal(world_figures(world, 0).taken_in, 0);
    /* Here nobody is at work whose end would begin it. */
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_run(world, 60000 + SOON_MS);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* ---- Retry-After ---- */

static void test_retry_after_pauses_the_whole_registry_and_no_one_grows_older(void **state) {
    (void)state;
    struct world *world = served();
    int64_t rest_ms = 2 * world->config.retry_age_ms;
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = rest_ms});
    const struct world_record *one = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    const struct world_record *two = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, rest_ms - 1000);
    assert_int_equal(world_traced(world, "harbor #"), 1);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = 0});
    world_run(world, 1000 + SOON_MS);
    assert_string_equal(one->answer.code, "space.created");
    assert_string_equal(two->answer.code, "space.created");
    world_finish(world);
}

static void test_nobody_may_ask_for_more_than_an_hour(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = INT64_C(1000) * 3600 * 1000});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, INT64_C(3600) * 1000 + SOON_MS);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_registry_that_is_away_for_ten_minutes_makes_no_dead_letter),
        cmocka_unit_test(test_a_registry_that_fails_or_hangs_for_ten_minutes_makes_no_dead_letter),
        cmocka_unit_test(test_read_only_mode_and_a_refused_login_only_make_commands_wait),
        cmocka_unit_test(test_nobody_is_given_up_before_a_probe_has_answered),
        cmocka_unit_test(test_while_it_is_open_only_probes_are_asked_and_lanes_are_kept),
        cmocka_unit_test(test_another_registry_goes_on_beside_a_sick_one),
        cmocka_unit_test(test_no_connection_opens_it_without_a_probe),
        cmocka_unit_test(test_one_bad_space_never_opens_it_and_is_given_up),
        cmocka_unit_test(test_three_spaces_that_fail_among_others_that_do_not_open_nothing),
        cmocka_unit_test(test_what_is_well_in_between_clears_all_suspicion),
        cmocka_unit_test(test_three_failing_spaces_open_it_though_probes_are_fine),
        cmocka_unit_test(test_two_failing_spaces_do_not_open_it),
        cmocka_unit_test(test_failures_with_something_well_in_between_do_not_open_it),
        cmocka_unit_test(test_read_only_that_a_probe_denies_ends_with_the_commands_age),
        cmocka_unit_test(test_after_its_return_it_is_asked_little_first),
        cmocka_unit_test(test_a_long_pause_ends_with_the_outage),
        cmocka_unit_test(test_a_drain_does_not_wait_for_a_sick_registry),
        cmocka_unit_test(test_a_drain_finishes_what_a_healthy_registry_has_begun),
        cmocka_unit_test(test_a_revoked_partition_is_given_up_without_its_sick_registry),
        cmocka_unit_test(test_what_stands_behind_a_sick_registrys_command_is_settled),
        cmocka_unit_test(test_an_orphan_does_not_wait_for_a_sick_registry),
        cmocka_unit_test(test_retry_after_pauses_the_whole_registry_and_no_one_grows_older),
        cmocka_unit_test(test_nobody_may_ask_for_more_than_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
