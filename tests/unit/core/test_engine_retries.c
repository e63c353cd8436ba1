/* SPDX-License-Identifier: Apache-2.0 */
/* When Harbor doesn't do it: back-off, budget, giving up (design 4.4, 4.8). */
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

static void harbor(struct world *world, int kind, int count, enum world_fault fault,
                   int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = kind,
                                          .count = count,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

/* The virtual time from now until something of the trace begins with this line. */
static int64_t time_until(struct world *world, const char *line) {
    int64_t began_ms = world->now_ms;
    world_trace_restart(world);
    while (world_traced(world, line) == 0) {
        world_run(world, 1);
    }
    return world->now_ms - began_ms;
}

static void test_an_unknown_outcome_is_read_back_and_tried_again(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice command.retried #1 burned=1"), 1);
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 1);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 2);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(record->answer.attempts, 2); /* The one that failed, and this one. */
    world_finish(world);
}

/* The request was carried out: what is found is our own lost attempt (design 4.5). */
static void test_a_request_carried_out_unseen_is_not_sent_again(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_APPLIED, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 1);
    assert_string_equal(record->answer.code, "space.created");
    assert_true(record->answer.changed);
    world_finish(world);
}

/* Exponential, with full jitter: uniform up to a ceiling that doubles to a bound. */
static void test_pauses_grow_and_differ(void **state) {
    (void)state;
    int64_t longest_first = 0;
    int64_t longest_fifth = 0;
    bool differ = false;
    int64_t first = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_new(seed);
        world->config.retry_attempts = 100;
        world_serve(world, 1);
        harbor(world, WORLD_ANY, 100, WORLD_BUSY, 0);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
        (void)time_until(world, "notice command.retried");
        int64_t pause = time_until(world, "harbor #1 POST /projects");
        assert_true(pause <= world->config.backoff_ms);
        longest_first = pause > longest_first ? pause : longest_first;
        differ = differ || (first != 0 && pause != first);
        first = pause;
        for (int i = 0; i < 4; i++) {
            (void)time_until(world, "notice command.retried");
        }
        pause = time_until(world, "harbor #1 POST /projects");
        longest_fifth = pause > longest_fifth ? pause : longest_fifth;
        assert_true(pause <= 16 * world->config.backoff_ms);
        world_free(world);
    }
    assert_true(differ);
    assert_true(longest_fifth > 4 * longest_first);
}

/* Harbor reads and doesn't write: each failed write is read back, and that this succeeds is no
 * reason to try again as soon as at first. */
static void test_pauses_grow_though_what_failed_is_read_back(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 20;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 100, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    int64_t took_ms = record->answer.finished_at_ms - record->answer.received_at_ms;
    /* Each attempt takes a time-out and the two seconds before it is read back; the rest grew. */
    assert_true(took_ms >= world->config.retry_attempts *
                               (world->config.request_timeout_ms + 2 * INT64_C(2000)));
    world_finish(world);
}

/* As many failing spaces as there are rooms: their long pauses are no reason to stop the others. */
static void test_the_room_of_a_command_that_pauses_goes_to_others(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 1;
    world->config.retry_attempts = 20;
    world_serve(world, 1);
    (void)snprintf(world->sick_space, sizeof(world->sick_space), "sick");
    const struct world_record *sick = world_send(world, 0, BERTH_CREATE_SPACE, 1, "sick", "");
    world_run(world, 30000);
    int64_t sent_ms = world->now_ms;
    const struct world_record *well = world_send(world, 0, BERTH_CREATE_SPACE, 2, "well", "");
    world_run(world, 20000);
    assert_string_equal(well->answer.code, "space.created");
    assert_true(well->answer.finished_at_ms - well->answer.received_at_ms < 1000);
    assert_true(world->now_ms - sent_ms <= 20000);
    world_run_idle(world);
    assert_int_equal(sick->answer.kind, BERTH_FAILED);
    assert_true(sick->answer.finished_at_ms - sick->answer.received_at_ms >=
                6 * world->config.backoff_max_ms);
    world_finish(world);
}

/* What the command met when it began is remembered, also if Redis loses its data meanwhile. */
static void test_a_command_that_steps_aside_keeps_what_it_met(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 1;
    world->config.retry_attempts = 20;
    world_serve(world, 1);
    (void)world_project_made(world, "sick");
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_SET_SECRET,
                                          .count = 12,
                                          .fault = WORLD_SERVER_ERROR});
    const struct world_record *sick = world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "sick", "blue");
    world_run(world, 5000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "well", "");
    while (world_traced(world, "claim #2") == 0) {
        world_run(world, 1);
    }
    assert_int_equal(world_project(world, "sick")->robots_count, 1);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_string_equal(sick->answer.before, "private");
    assert_string_equal(sick->answer.bindings, "BOUND blue");
    assert_true(sick->answer.changed);
    world_finish(world);
}

static void test_retry_after_is_honoured(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_BUSY, 30000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)time_until(world, "notice registry.rests #0 ms=30000");
    assert_true(time_until(world, "harbor #1 POST /projects") >= 30000);
    world_finish(world);
}

/* ---- The budget ---- */

static void test_the_budget_is_spent_by_attempts(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, WORLD_ANY, 100, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_true(record->answer.dead_letter);
    assert_int_equal(world_traced(world, "notice command.retried #1"),
                     world->config.retry_attempts - 1);
    /* Which call, what came of it, under which id Harbor's log has it, and what to type. */
    assert_int_equal(record->answer.attempts, world->config.retry_attempts);
    assert_non_null(strstr(record->answer.message, "attempts: 5 in "));
    assert_non_null(
        strstr(record->answer.message, "the last one: no reply to GET /projects/{name}: "));
    assert_non_null(strstr(record->answer.message, "berth send --id "));
    world_finish(world);
}

/* 429 without a time to wait: for so long every call is told so. */
static void keep_busy(struct world *world, int64_t for_ms) {
    world->sick[0].until_ms = world->now_ms + for_ms;
    world->sick[0].fault = WORLD_BUSY;
    world->sick[0].probes_fine = true;
}

/* What was certainly not carried out burns no attempt: only its age ends the command. */
static void test_requests_that_were_turned_away_burn_no_attempt(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, world->config.retry_age_ms - 20000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_true(world_traced(world, "notice command.retried #1 burned=0") > 20);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

static void test_the_budget_is_spent_by_age(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 10 * world->config.retry_age_ms);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_string_equal(record->answer.code, "registry.unavailable");
    int64_t took_ms = record->answer.finished_at_ms - record->answer.received_at_ms;
    assert_true(took_ms >= world->config.retry_age_ms);
    assert_true(took_ms <= world->config.retry_age_ms + world->config.backoff_max_ms);
    /* Nothing was sent, so there was nothing to read back, and the next one may begin at once. */
    assert_false(world_ledger_space(world, "team-a")->held);
    world_finish(world);
}

/* The age runs from the first claim: a restart doesn't start it again. */
static void test_a_restart_does_not_start_the_age_again(void **state) {
    (void)state;
    struct world *world = served();
    keep_busy(world, 10 * world->config.retry_age_ms);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, world->config.retry_age_ms - 60000);
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
    int64_t took_ms = record->answer.finished_at_ms - record->answer.received_at_ms;
    assert_true(took_ms <= world->config.retry_age_ms + world->config.backoff_max_ms);
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* ---- Giving up ---- */

/* The last write may still arrive: it is read back some time later, and the answer says what is
 * really there. */
static void test_giving_up_reads_back_what_is_really_there(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_LATE, 1000);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_string_equal(record->answer.code, "registry.unavailable");
    assert_string_equal(record->answer.before, "absent");
    assert_string_equal(record->answer.after, "private");
    assert_true(record->answer.publish_state);
    assert_int_equal(world_traced(world, "store #1 FAILED registry.unavailable\n"), 1);
    world_finish(world);
}

/* Nobody knows what is there: nothing is told of the space, it is cold, and its lane stays taken,
 * because a write may still be applied. */
static void test_after_five_failed_read_backs_nothing_is_told_and_the_lane_is_kept(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_APPLIED, 0);
    harbor(world, BERTH_HARBOR_GET_PROJECT_NAME, 5, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *failed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *next =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    (void)time_until(world, "committed");
    assert_string_equal(failed->answer.code, "space.state_unknown");
    assert_string_equal(failed->answer.after, "unknown");
    assert_false(failed->answer.publish_state);
    assert_true(failed->answer.dead_letter);
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 5);
    assert_int_equal(world_traced(world, "store #1 FAILED space.state_unknown keep-lane"), 1);
    assert_true(world_ledger_space(world, "team-a")->held);

    /* The next one takes the lane over after a whole lease, and reads first. */
    world_trace_restart(world);
    world_run(world, world->config.lease_ms - 1000);
    assert_int_equal(world->takeovers, 0);
    world_run_idle(world);
    assert_int_equal(world->takeovers, 1);
    assert_string_equal(next->answer.code, "workspace.bound");
    assert_string_equal(next->answer.before, "private");
    world_finish(world);
}

/* Each failed read-back is followed by a pause: what doesn't answer now may answer in a while. */
static void test_a_read_back_that_fails_once_is_tried_again(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_LOST, 0);
    harbor(world, BERTH_HARBOR_GET_PROJECT_NAME, 4, WORLD_NOT_SENT, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(record->answer.code, "registry.unavailable");
    assert_string_equal(record->answer.after, "absent");
    world_finish(world);
}

/* A command that fails again and again would hold up everything else in the partition, which nobody
 * else may take in: the next owner takes its lane over instead. */
static void test_a_revoked_partition_does_not_wait_for_another_try(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 2,
                                          .fault = WORLD_SERVER_ERROR});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_start(world, 1);
    world_run(world, 12); /* The first try has failed, or is about to. */
    world->partitions[0].next_owner = 1;
    world_revoke(world, 0, 0);
    world_run(world, 3000);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    assert_int_equal(world->partitions[0].owner, 1);
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_outcome_is_read_back_and_tried_again),
        cmocka_unit_test(test_a_request_carried_out_unseen_is_not_sent_again),
        cmocka_unit_test(test_pauses_grow_and_differ),
        cmocka_unit_test(test_pauses_grow_though_what_failed_is_read_back),
        cmocka_unit_test(test_the_room_of_a_command_that_pauses_goes_to_others),
        cmocka_unit_test(test_a_command_that_steps_aside_keeps_what_it_met),
        cmocka_unit_test(test_retry_after_is_honoured),
        cmocka_unit_test(test_the_budget_is_spent_by_attempts),
        cmocka_unit_test(test_requests_that_were_turned_away_burn_no_attempt),
        cmocka_unit_test(test_the_budget_is_spent_by_age),
        cmocka_unit_test(test_a_restart_does_not_start_the_age_again),
        cmocka_unit_test(test_giving_up_reads_back_what_is_really_there),
        cmocka_unit_test(test_after_five_failed_read_backs_nothing_is_told_and_the_lane_is_kept),
        cmocka_unit_test(test_a_read_back_that_fails_once_is_tried_again),
        cmocka_unit_test(test_a_revoked_partition_does_not_wait_for_another_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
