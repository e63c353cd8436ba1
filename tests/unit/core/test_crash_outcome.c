/* SPDX-License-Identifier: Apache-2.0 */
/* A crash around the outcome: what is final for whom, what is published again, and what a worker
 * may not conclude from what it read too early (design 4.3, 4.4, 4.6). */
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

static void crash_at(struct world *world, const char *line) {
    for (int64_t i = 0; world_traced(world, line) == 0; i++) {
        WORLD_CHECK(world, i < 100000);
        world_run(world, 1);
    }
    world_crash(world, 0);
    world_trace_restart(world);
    world->harbor_calls = 0;
}

static void restart(struct world *world) {
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
}

/* ---- What is stored is what is published, whoever publishes it ---- */

/* A lost attempt is not tried again under the same record: its dead letter tells of it, whole. */
static void test_a_failed_outcome_is_published_again_with_its_dead_letter(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, WORLD_ANY, 5, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "publish #1 made");
    restart(world); /* Harbor is well again. */
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_true(record->answer.dead_letter);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/*
 * The replay of a dead letter is a command of its own until it is settled: what it met is what was
 * there then, and a crash doesn't make it the failed attempt again.
 */
static void test_the_replay_of_a_dead_letter_survives_a_crash(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    harbor(world, WORLD_ANY, 5, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *failed =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "beta");
    world_run_idle(world);
    assert_int_equal(failed->answer.kind, BERTH_FAILED);

    (void)world_robot_made(world, world_project(world, "team-a"), "ws-alpha", "alpha");
    const struct world_record *replayed =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "beta");
    crash_at(world, "harbor #1 PATCH /robots/{id}");
    restart(world);
    assert_int_equal(replayed->answer.kind, BERTH_SUCCEEDED);
    assert_int_equal(replayed->form, BERTH_PUBLISH_MADE);
    assert_string_equal(replayed->answer.before, "private alpha");
    assert_string_equal(replayed->answer.after, "private alpha beta");
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/*
 * Nobody knows what became of its last write, so its lane is kept for a lease. The replay has the
 * same id and may come to the same worker: it waits all the same, or a late write would hit it.
 */
static void test_the_replay_of_an_unknown_state_waits_for_the_lease(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_LOST, 0);
    harbor(world, BERTH_HARBOR_GET_PROJECT_NAME, 5, WORLD_UNKNOWN_LOST, 0);
    const struct world_record *failed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *replayed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    while (failed->answers == 0) {
        world_run(world, 1);
    }
    assert_string_equal(failed->answer.code, "space.state_unknown");
    int64_t token = world_ledger_space(world, "team-a")->token;
    int calls = world->harbor_calls;
    world_run(world, world->config.lease_ms - 100);
    assert_int_equal(world->harbor_calls, calls);
    world_run_idle(world);
    assert_string_equal(replayed->answer.code, "space.created");
    assert_true(world_ledger_space(world, "team-a")->token > token);
    world_finish(world);
}

/* A replay that was stored is final for the id again, also for the record that once failed. */
static void test_a_replay_that_succeeded_answers_every_later_record(void **state) {
    (void)state;
    struct world *world = served();
    harbor(world, WORLD_ANY, 5, WORLD_UNKNOWN_LOST, 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *third = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(third->answer.code, "space.created");
    assert_int_equal(third->form, BERTH_PUBLISH_REPLAY);
    world_finish(world);
}

/* It gets the result once more, and neither the audit record nor the state a second time. */
static void test_a_resend_is_a_replay_also_after_a_crash(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    const struct world_record *resent = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "publish #1 replay");
    restart(world);
    assert_int_equal(resent->form, BERTH_PUBLISH_REPLAY);
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/*
 * Stored, and its worker died before it was published. Meanwhile another worker has done the next
 * command of the space (the topic was given more partitions). The space state that comes late is an
 * old one: in a compacted topic it would stay.
 */
static void test_a_state_that_others_have_gone_past_is_not_published_late(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *first =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    crash_at(world, "publish #2 made");
    world_start(world, 1);
    world_assign(world, 1, 1);
    const struct world_record *second =
        world_send(world, 1, BERTH_BIND_WORKSPACE, 3, "team-a", "alpha beta");
    world_run_idle(world);
    assert_true(second->answer.publish_state);

    restart(world);
    assert_int_equal(first->form, BERTH_PUBLISH_STORED_QUIETLY);
    assert_true(first->answer.audit);
    /* That nothing older follows in the topic of spaces is checked by the world. */
    world_finish(world);
}

/* An abort, then a crash: what was stored is whole, result, audit and state. */
static void test_an_aborted_answer_is_whole_after_a_crash(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world,
               (struct world_rule){
                   .channel = WORLD_KAFKA, .kind = WORLD_ANY, .count = 1, .fault = WORLD_ABORT});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "aborted");
    restart(world);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_true(record->answer.audit);
    assert_true(record->answer.publish_state);
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/* STORE may have run. A restart must neither do it again nor count as another try. */
static void test_a_store_that_nobody_heard_of_is_found(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_at(world, "store #1");
    world_run(world, 100);
    restart(world);
    assert_int_equal(record->answer.attempts, 1);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/* ---- Giving up ---- */

/* It was about to say what is there. The next claim has the age of the first, so it gives up, too,
 * and has to read before it says anything. */
static void test_a_crash_before_giving_up_leaves_what_is_said_to_a_new_read(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_age_ms = 20000;
    world_serve(world, 1);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_BUSY, 19000);
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_APPLIED, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 19500);
    crash_at(world, "harbor #1 POST /projects");
    restart(world);
    assert_string_equal(record->answer.after, "private");
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 0);
    world_finish(world);
}

/* ---- Carried out late ---- */

/*
 * The connection breaks at once, Harbor goes on and is done 1.9 s later. Whoever reads at once sees
 * nothing, sends it again, is done, and the late one hits what the next command has made.
 */
static void late(struct world *world, enum berth_harbor_call_kind kind) {
    harbor(world, (int)kind, 1, WORLD_UNKNOWN_LATE, 1900);
}

static void test_a_late_create_does_not_bring_a_deleted_space_back(void **state) {
    (void)state;
    struct world *world = served();
    late(world, BERTH_HARBOR_CREATE_PROJECT);
    const struct world_record *created = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *deleted = world_send(world, 0, BERTH_DELETE_SPACE, 2, "team-a", "");
    world_run_idle(world);
    assert_string_equal(created->answer.code, "space.created");
    assert_string_equal(deleted->answer.code, "space.deleted");
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 1);
    world_finish(world);
}

static void test_a_late_robot_does_not_bring_a_binding_back(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    late(world, BERTH_HARBOR_CREATE_ROBOT);
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    (void)world_send(world, 0, BERTH_UNBIND_WORKSPACE, 3, "team-a", "alpha");
    world_run_idle(world);
    assert_int_equal(world_project(world, "team-a")->robots_count, 0);
    assert_int_equal(world_traced(world, "harbor #2 POST /robots"), 1);
    world_finish(world);
}

static void test_a_late_opening_does_not_open_a_closed_space(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    late(world, BERTH_HARBOR_UPDATE_PROJECT);
    world_send(world, 0, BERTH_UPDATE_SPACE, 2, "team-a", "")->command.visibility = BERTH_PUBLIC;
    world_send(world, 0, BERTH_UPDATE_SPACE, 3, "team-a", "")->command.visibility = BERTH_PRIVATE;
    world_run_idle(world);
    assert_int_equal(world_project(world, "team-a")->visibility, BERTH_PRIVATE);
    world_finish(world);
}

/* Deletion is by id, so a late one can't hit the next project of that name. */
static void test_a_late_deletion_does_not_hit_the_next_space_of_that_name(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    harbor(world, BERTH_HARBOR_DELETE_PROJECT, 1, WORLD_UNKNOWN_LATE, 9000);
    (void)world_send(world, 0, BERTH_DELETE_SPACE, 2, "team-a", "");
    const struct world_record *created = world_send(world, 0, BERTH_CREATE_SPACE, 3, "team-a", "");
    world_run_idle(world);
    assert_string_equal(created->answer.code, "space.created");
    assert_non_null(world_project(world, "team-a"));
    world_finish(world);
}

/* Later still: after the read-back said "not there" and before the second request. */
static void create_late_in_between(struct world *world) {
    harbor(world, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_LATE, 3000);
    harbor(world, BERTH_HARBOR_GET_PROJECT_NAME, 1, WORLD_SLOW, 2000);
}

/* The 409 is not the answer to the first create request, so it proves nothing against us: whose it
 * is is asked. */
static void test_a_create_carried_out_after_the_read_back_is_our_own(void **state) {
    (void)state;
    struct world *world = served();
    create_late_in_between(world);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 2);
    assert_string_equal(record->answer.code, "space.created");
    assert_true(record->answer.changed);
    world_finish(world);
}

static void test_a_create_carried_out_after_the_read_back_is_unproved_if_shared(void **state) {
    (void)state;
    struct world *world = served();
    world->registries[0].dedicated = false;
    create_late_in_between(world);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.create_unproved");
    world_finish(world);
}

static void test_a_robot_made_after_the_read_back_is_taken(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    harbor(world, BERTH_HARBOR_CREATE_ROBOT, 1, WORLD_UNKNOWN_LATE, 3000);
    /* The first list is the cold read, the second the read-back. */
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_LIST_ROBOTS,
                                          .skip = 1,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 2000});
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "harbor #1 POST /robots"), 2);
    assert_string_equal(record->answer.bindings, "BOUND alpha");
    assert_int_equal(world_project(world, "team-a")->robots_count, 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_outcome_is_published_again_with_its_dead_letter),
        cmocka_unit_test(test_the_replay_of_a_dead_letter_survives_a_crash),
        cmocka_unit_test(test_the_replay_of_an_unknown_state_waits_for_the_lease),
        cmocka_unit_test(test_a_replay_that_succeeded_answers_every_later_record),
        cmocka_unit_test(test_a_resend_is_a_replay_also_after_a_crash),
        cmocka_unit_test(test_a_state_that_others_have_gone_past_is_not_published_late),
        cmocka_unit_test(test_an_aborted_answer_is_whole_after_a_crash),
        cmocka_unit_test(test_a_store_that_nobody_heard_of_is_found),
        cmocka_unit_test(test_a_crash_before_giving_up_leaves_what_is_said_to_a_new_read),
        cmocka_unit_test(test_a_late_create_does_not_bring_a_deleted_space_back),
        cmocka_unit_test(test_a_late_robot_does_not_bring_a_binding_back),
        cmocka_unit_test(test_a_late_opening_does_not_open_a_closed_space),
        cmocka_unit_test(test_a_late_deletion_does_not_hit_the_next_space_of_that_name),
        cmocka_unit_test(test_a_create_carried_out_after_the_read_back_is_our_own),
        cmocka_unit_test(test_a_create_carried_out_after_the_read_back_is_unproved_if_shared),
        cmocka_unit_test(test_a_robot_made_after_the_read_back_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
