/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one space from Harbor for a lookup: all of it, and never a write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "berth/base/pool.h"
#include "berth/core/space_reading.h"
#include "model_harbor.h"

#define STEPS_MAX 200

static struct model_harbor harbor;
static struct berth_pool pool;
static struct berth_space_reading reading;

static int set_up(void **unused) {
    (void)unused;
    model_harbor_init(&harbor, "berth");
    berth_pool_init(&pool, BERTH_PLAN_BYTES_MAX);
    berth_space_reading_init(&reading, 3, "team-a", &pool);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    berth_space_reading_deinit(&reading);
    berth_pool_deinit(&pool); /* Asserts that all of it was given back. */
    return 0;
}

static struct berth_harbor_call next_call(enum berth_harbor_call_kind kind) {
    struct berth_harbor_call call;
    assert_int_equal(berth_space_reading_step(&reading, &call), BERTH_SPACE_READING_CALL);
    assert_int_equal(call.kind, kind);
    assert_int_equal(call.registry, 3);
    return call;
}

static enum berth_observed answered(const struct berth_harbor_call *call) {
    struct berth_harbor_answer answer = model_harbor_answer(&harbor, call);
    return berth_space_reading_observe(&reading, call, &answer);
}

static enum berth_observed answered_as(const struct berth_harbor_call *call,
                                       enum berth_harbor_verdict verdict) {
    struct berth_harbor_answer answer = {.verdict = verdict};
    return berth_space_reading_observe(&reading, call, &answer);
}

/* Reads to the end; every call is answered. */
static enum berth_space_reading_step read_all(void) {
    struct berth_harbor_call call;
    for (int i = 0; i < STEPS_MAX; i++) {
        enum berth_space_reading_step step = berth_space_reading_step(&reading, &call);
        if (step != BERTH_SPACE_READING_CALL) {
            return step;
        }
        assert_false(berth_harbor_call_is_write(call.kind));
        (void)answered(&call);
    }
    fail_msg("it doesn't end");
    return BERTH_SPACE_READING_TOO_LARGE;
}

static void add_bindings(int64_t project_id, int count) {
    for (int i = 0; i < count; i++) {
        char workspace[BERTH_WORKSPACE_BYTES];
        char robot[BERTH_ROBOT_NAME_BYTES];
        (void)snprintf(workspace, sizeof(workspace), "w%04d", i);
        (void)snprintf(robot, sizeof(robot), "ws-w%04d", i);
        (void)model_harbor_add_robot(&harbor, project_id, robot, workspace);
    }
}

/* What a lookup answers, and what the next command finds in Redis, comes from here alone. */
static void test_a_project_is_read_with_its_quota_and_its_robots(void **unused) {
    (void)unused;
    struct model_project *project = model_harbor_add(&harbor, "team-a", "somebody", BERTH_PUBLIC);
    project->quota_bytes = 4096;
    (void)model_harbor_add_robot(&harbor, project->id, "theirs", NULL);
    (void)model_harbor_add_robot(&harbor, project->id, "ws-red", "red");
    struct model_robot *blue = model_harbor_add_robot(&harbor, project->id, "ws-blue", "blue");
    blue->robot.disabled = true;

    assert_int_equal(read_all(), BERTH_SPACE_READING_DONE);
    const struct berth_space_state *state = berth_space_reading_state(&reading);
    assert_int_equal(state->knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(state->project_id, project->id);
    assert_int_equal(state->visibility, BERTH_PUBLIC);
    assert_int_equal(state->quota_bytes, 4096);
    assert_int_equal(state->version, 0);
    assert_int_equal(state->bindings_count, 2);
    assert_string_equal(state->bindings[0].workspace, "blue");
    assert_int_equal(state->bindings[0].robot_id, blue->robot.id);
    assert_true(state->bindings[0].disabled);
    assert_string_equal(state->bindings[0].key_id, "");
    assert_string_equal(state->bindings[1].workspace, "red");
    assert_false(state->bindings[1].disabled);
}

static void test_a_space_without_a_project_is_absent_after_one_call(void **unused) {
    (void)unused;
    struct berth_harbor_call call = next_call(BERTH_HARBOR_GET_PROJECT_NAME);
    assert_string_equal(call.space, "team-a");
    assert_int_equal(answered(&call), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(berth_space_reading_step(&reading, &call), BERTH_SPACE_READING_DONE);
    assert_int_equal(berth_space_reading_state(&reading)->knowledge, BERTH_SPACE_ABSENT);
}

/* Without the later pages a bound workspace would be told that it isn't. */
static void test_all_pages_of_robots_are_read(void **unused) {
    (void)unused;
    struct model_project *project = model_harbor_add(&harbor, "team-a", "berth", BERTH_PRIVATE);
    add_bindings(project->id, 2 * BERTH_HARBOR_PAGE_SIZE + 1);
    assert_int_equal(read_all(), BERTH_SPACE_READING_DONE);
    assert_int_equal(harbor.calls[BERTH_HARBOR_LIST_ROBOTS], 3);
    assert_int_equal(berth_space_reading_state(&reading)->bindings_count,
                     2 * BERTH_HARBOR_PAGE_SIZE + 1);
}

static void test_a_read_that_fails_is_asked_again_and_says_nothing(void **unused) {
    (void)unused;
    static const enum berth_harbor_verdict failures[] = {
        BERTH_HARBOR_UNKNOWN,   BERTH_HARBOR_NOT_SENT, BERTH_HARBOR_UNAUTHENTICATED,
        BERTH_HARBOR_FORBIDDEN, BERTH_HARBOR_BUSY,     BERTH_HARBOR_INVALID};
    (void)model_harbor_add(&harbor, "team-a", "berth", BERTH_PRIVATE);
    static const enum berth_harbor_call_kind kinds[] = {
        BERTH_HARBOR_GET_PROJECT_NAME, BERTH_HARBOR_GET_QUOTA, BERTH_HARBOR_LIST_ROBOTS};
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
            struct berth_harbor_call call = next_call(kinds[kind]);
            assert_int_not_equal(answered_as(&call, failures[i]), BERTH_OBSERVED_PROGRESS);
        }
        struct berth_harbor_call call = next_call(kinds[kind]);
        assert_int_equal(answered(&call), BERTH_OBSERVED_PROGRESS);
    }
    assert_int_equal(read_all(), BERTH_SPACE_READING_DONE);
    assert_int_equal(berth_space_reading_state(&reading)->knowledge, BERTH_SPACE_PRESENT);
}

/* Deleted and made anew while it is read: the parts of two projects are never put together. */
static void test_a_project_that_is_gone_in_between_is_read_anew(void **unused) {
    (void)unused;
    struct model_project *old = model_harbor_add(&harbor, "team-a", "berth", BERTH_PUBLIC);
    old->quota_bytes = 4096;
    struct berth_harbor_call call = next_call(BERTH_HARBOR_GET_PROJECT_NAME);
    (void)answered(&call);
    call = next_call(BERTH_HARBOR_GET_QUOTA);
    (void)answered(&call);
    call = next_call(BERTH_HARBOR_LIST_ROBOTS);
    model_harbor_remove(&harbor, old);
    struct model_project *other = model_harbor_add(&harbor, "team-a", "berth", BERTH_PRIVATE);
    (void)model_harbor_add_robot(&harbor, other->id, "ws-red", "red");
    (void)answered_as(&call, BERTH_HARBOR_ABSENT);

    assert_int_equal(read_all(), BERTH_SPACE_READING_DONE);
    const struct berth_space_state *state = berth_space_reading_state(&reading);
    assert_int_equal(state->project_id, other->id);
    assert_int_equal(state->visibility, BERTH_PRIVATE);
    assert_int_equal(state->quota_bytes, other->quota_bytes);
    assert_int_equal(state->bindings_count, 1);
}

/* A part of the bindings would be taken for all of them. */
static void test_more_bindings_than_a_space_may_have_are_too_many(void **unused) {
    (void)unused;
    struct model_project *project = model_harbor_add(&harbor, "team-a", "berth", BERTH_PRIVATE);
    add_bindings(project->id, BERTH_SPACE_BINDINGS_MAX + 1);
    assert_int_equal(read_all(), BERTH_SPACE_READING_TOO_LARGE);
}

static void test_as_many_bindings_as_a_space_may_have_fit_into_the_memory(void **unused) {
    (void)unused;
    struct model_project *project = model_harbor_add(&harbor, "team-a", "berth", BERTH_PRIVATE);
    add_bindings(project->id, BERTH_SPACE_BINDINGS_MAX);
    assert_int_equal(read_all(), BERTH_SPACE_READING_DONE);
    assert_int_equal(berth_space_reading_state(&reading)->bindings_count, BERTH_SPACE_BINDINGS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_project_is_read_with_its_quota_and_its_robots,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_space_without_a_project_is_absent_after_one_call,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_pages_of_robots_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_that_fails_is_asked_again_and_says_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_project_that_is_gone_in_between_is_read_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_more_bindings_than_a_space_may_have_are_too_many,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_as_many_bindings_as_a_space_may_have_fit_into_the_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("space_reading", tests, NULL, NULL);
}
