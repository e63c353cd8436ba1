/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that hold a command up, reading back, and giving up with the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

static struct driver driver;
static struct berth_harbor_call calls[BERTH_PLAN_CALLS_MAX];
static size_t calls_count;

static void step_for_calls(size_t expected) {
    assert_int_equal(
        berth_work_step(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count, &driver.outcome),
        BERTH_PLAN_CALLS);
    assert_int_equal(calls_count, expected);
}

static enum berth_observed say(const struct berth_harbor_call *call,
                               enum berth_harbor_verdict verdict) {
    struct berth_harbor_answer answer = {.verdict = verdict};
    return berth_work_observe(&driver.work, call, &answer);
}

static enum berth_observed carry_out(const struct berth_harbor_call *call) {
    struct berth_harbor_answer answer = model_harbor_answer(&driver.harbor, call);
    return berth_work_observe(&driver.work, call, &answer);
}

/* What is bound is looked at before anything is done for it. */
static void look_first(void) {
    driver_claim(&driver);
    for (int i = 0; i < 2; i++) {
        step_for_calls(1);
        assert_false(berth_harbor_call_is_write(calls[0].kind));
        assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    }
}

static void start_binding(void) {
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_claim(&driver);
    step_for_calls(2);
}

/* Which answers burn an attempt: only what may be the command's own doing. */
static void test_only_some_answers_burn_an_attempt(void **state) {
    (void)state;
    static const struct {
        enum berth_harbor_verdict verdict;
        enum berth_observed observed;
        bool write_unknown;
    } table[] = {
        {BERTH_HARBOR_NOT_SENT, BERTH_OBSERVED_RETRY_FREE, false},
        {BERTH_HARBOR_BUSY, BERTH_OBSERVED_RETRY_FREE, false},
        {BERTH_HARBOR_READ_ONLY, BERTH_OBSERVED_RETRY_FREE, false},
        {BERTH_HARBOR_UNAUTHENTICATED, BERTH_OBSERVED_RETRY_FREE, false},
        {BERTH_HARBOR_FORBIDDEN, BERTH_OBSERVED_RETRY, false},
        {BERTH_HARBOR_UNKNOWN, BERTH_OBSERVED_RETRY, true},
        {BERTH_HARBOR_NOT_EMPTY, BERTH_OBSERVED_RETRY, true}, /* No answer to a robot. */
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        start_binding();
        assert_int_equal(say(&calls[0], table[i].verdict), table[i].observed);
        assert_int_equal(driver.work.write_unknown, table[i].write_unknown);
        driver_deinit(&driver);
    }
}

/* 400 to a read says nothing about the command: nothing final comes of it. */
static void test_a_refused_read_is_tried_again(void **state) {
    (void)state;
    driver_init(&driver, BERTH_UPDATE_SPACE);
    driver.command.visibility = BERTH_PUBLIC;
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_INVALID), BERTH_OBSERVED_RETRY);
    step_for_calls(1);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_GET_PROJECT_NAME);
    driver_deinit(&driver);
}

/* A list that ends before it has shown as many as it counted is read again from its start. */
static void test_a_list_that_contradicts_itself_is_read_again(void **state) {
    (void)state;
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_forget(&driver);
    driver_workspace(&driver, "a");
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    step_for_calls(1);
    struct berth_harbor_answer answer = {.verdict = BERTH_HARBOR_DONE, .robots_total = 150};
    assert_int_equal(berth_work_observe(&driver.work, &calls[0], &answer), BERTH_OBSERVED_RETRY);
    step_for_calls(1);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_LIST_ROBOTS);
    assert_int_equal(calls[0].page, 1);
    driver_deinit(&driver);
}

/* A registry that says "created" without an id may have done it: it is read back. */
static void test_an_answer_without_its_id_is_not_believed(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_DONE), BERTH_OBSERVED_RETRY);
    assert_true(driver.work.write_unknown);
    step_for_calls(1);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_GET_PROJECT_NAME);
    driver_deinit(&driver);
}

/* Asked for one project, it shows another: that is no answer. */
static void test_another_project_than_asked_for_is_not_believed(void **state) {
    (void)state;
    driver_init(&driver, BERTH_DELETE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_GET_PROJECT_ID);
    struct berth_harbor_answer answer = {.verdict = BERTH_HARBOR_DONE,
                                         .project_id = calls[0].project_id + 1};
    assert_int_equal(berth_work_observe(&driver.work, &calls[0], &answer), BERTH_OBSERVED_RETRY);
    driver_deinit(&driver);
}

/* A registry that goes on contradicting itself burns attempts, or the command would never end. */
static void test_a_registry_that_contradicts_itself_burns_attempts(void **state) {
    (void)state;
    driver_init(&driver, BERTH_UPDATE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver.command.visibility = BERTH_PUBLIC;
    driver_claim(&driver);
    for (int i = 0; i < 3; i++) {
        step_for_calls(1);
        assert_int_equal(calls[0].kind, BERTH_HARBOR_UPDATE_PROJECT);
        assert_int_equal(say(&calls[0], BERTH_HARBOR_ABSENT),
                         i == 0 ? BERTH_OBSERVED_PROGRESS : BERTH_OBSERVED_RETRY);
        step_for_calls(1);
        assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    }
    driver_deinit(&driver);
}

/* Giving up tells what is there: one workspace was bound before the registry refused the other. */
static void test_giving_up_tells_what_was_done(void **state) {
    (void)state;
    start_binding();
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(say(&calls[1], BERTH_HARBOR_FORBIDDEN), BERTH_OBSERVED_RETRY);
    step_for_calls(2);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_SET_SECRET);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(say(&calls[1], BERTH_HARBOR_FORBIDDEN), BERTH_OBSERVED_RETRY);

    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "It could not be done.",
                       false, &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE, true);
    assert_string_equal(driver.outcome.message, "It could not be done.");
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    driver_expect_binding(&driver, "b", BERTH_BINDING_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE);
    assert_int_equal(driver.outcome.after.bindings_count, 1);
    assert_true(driver.outcome.publish_state);
    assert_true(driver.outcome.dead_letter);
    assert_true(driver.outcome.audit);
    driver_deinit(&driver);
}

/* A robot without its secret lets nobody pull: that is not bound. */
static void test_a_robot_without_its_secret_is_not_told_as_bound(void **state) {
    (void)state;
    start_binding();
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(carry_out(&calls[1]), BERTH_OBSERVED_PROGRESS);
    step_for_calls(2);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(say(&calls[1], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    /* The secret can't be read back, and setting it late does no harm: nothing is left unread. */
    assert_false(driver.work.write_unknown);
    /* But in which project the robots are. */
    assert_true(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));
    assert_int_equal(calls[0].kind, BERTH_HARBOR_GET_PROJECT_ID);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_false(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    driver_expect_binding(&driver, "b", BERTH_BINDING_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE);
    assert_int_equal(driver.outcome.after.bindings_count, 2);
    assert_string_equal(driver.outcome.after.bindings[1].key_id, "");
    driver_deinit(&driver);
}

/* A key that may or may not have been replaced is not known. */
static void test_a_secret_of_unknown_outcome_has_no_known_key(void **state) {
    (void)state;
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    (void)driver_binding(&driver, "a", "01d01d01");
    driver_workspace(&driver, "a");
    look_first();
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    assert_string_equal(driver.outcome.after.bindings[0].key_id, "");
    driver_deinit(&driver);
}

/* A robot that is switched off lets nobody pull, whatever is known of its secret. */
static void test_a_disabled_robot_is_not_told_as_bound(void **state) {
    (void)state;
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_binding(&driver, "a", "")->robot.disabled = true;
    driver.redis.bindings[0].disabled = true;
    driver_workspace(&driver, "a");
    look_first();
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_FORBIDDEN), BERTH_OBSERVED_RETRY);
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE);
    driver_deinit(&driver);
}

/* Before giving up, everything of unknown outcome is read back, whatever it takes. */
static void test_reading_back_finds_what_was_applied(void **state) {
    (void)state;
    start_binding();
    (void)model_harbor_answer(&driver.harbor, &calls[0]);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    assert_true(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));
    assert_int_equal(calls_count, 0); /* The other call is still under way. */
    struct berth_harbor_call other = calls[1];
    assert_int_equal(carry_out(&other), BERTH_OBSERVED_PROGRESS);

    assert_true(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));
    assert_int_equal(calls_count, 1);
    assert_int_equal(calls[0].kind, BERTH_HARBOR_GET_PROJECT_ID);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_true(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));
    assert_int_equal(calls[0].kind, BERTH_HARBOR_LIST_ROBOTS);
    assert_true(driver.work.write_unknown);
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_false(driver.work.write_unknown);
    assert_false(berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count));

    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    assert_true(driver.outcome.changed);
    assert_int_equal(driver.outcome.after.bindings_count, 2);
    driver_deinit(&driver);
}

/* A lost creation that is found again is recorded as this command's, so that its dead letter can be
 * replayed. */
static void test_a_space_that_was_created_after_all_is_read_back(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver_claim(&driver);
    step_for_calls(1);
    (void)model_harbor_answer(&driver.harbor, &calls[0]);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    while (berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count)) {
        assert_int_equal(calls_count, 1);
        assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    }
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE, true);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_PRESENT);
    assert_string_equal(driver.outcome.after.created_by, DRIVER_ID);
    driver_deinit(&driver);
}

/* ... and a stranger's space that is found instead is not told as a change of ours. */
static void test_a_strangers_space_that_is_read_back_is_no_change(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PRIVATE);
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    while (berth_work_read_back(&driver.work, calls, BERTH_PLAN_CALLS_MAX, &calls_count)) {
        assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    }
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE, false);
    assert_string_equal(driver.outcome.after.created_by, "");
    driver_deinit(&driver);
}

/* The read-back itself failed: nothing is told of the space, and nothing is published of it. */
static void test_an_unknown_state_is_not_told(void **state) {
    (void)state;
    start_binding();
    assert_int_equal(carry_out(&calls[0]), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(say(&calls[1], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    berth_work_give_up(&driver.work, BERTH_CODE_SPACE_STATE_UNKNOWN, "Nobody knows.", true,
                       &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_SPACE_STATE_UNKNOWN, true);
    assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    assert_false(driver.outcome.publish_state);
    driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_STATE_UNKNOWN);
    driver_deinit(&driver);
}

/* CreateSpace assumes "absent" to begin with; what was only assumed is not told, or a tombstone
 * would be published for a space that is there. */
static void test_an_assumed_absence_is_not_told(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_FORBIDDEN), BERTH_OBSERVED_RETRY);
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE, false);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* The cold read never came to an end: there is nothing to tell, and nothing was changed. */
static void test_giving_up_in_the_cold_read_tells_nothing(void **state) {
    (void)state;
    driver_init(&driver, BERTH_DELETE_SPACE);
    driver_claim(&driver);
    step_for_calls(1);
    assert_int_equal(say(&calls[0], BERTH_HARBOR_UNKNOWN), BERTH_OBSERVED_RETRY);
    assert_false(driver.work.write_unknown);
    berth_work_give_up(&driver.work, BERTH_CODE_REGISTRY_UNAVAILABLE, "No.", false,
                       &driver.outcome);
    driver_expect(&driver, BERTH_FAILED, BERTH_CODE_REGISTRY_UNAVAILABLE, false);
    assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_UNKNOWN);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    driver_deinit(&driver);
}

/* The engine drops a work whose partition was lost, calls under way or not. */
static void test_a_work_can_be_dropped_at_any_time(void **state) {
    (void)state;
    start_binding();
    berth_work_deinit(&driver.work);
    driver_deinit(&driver);

    struct berth_work zeroed = {0};
    berth_work_deinit(&zeroed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_some_answers_burn_an_attempt),
        cmocka_unit_test(test_a_refused_read_is_tried_again),
        cmocka_unit_test(test_a_list_that_contradicts_itself_is_read_again),
        cmocka_unit_test(test_an_answer_without_its_id_is_not_believed),
        cmocka_unit_test(test_another_project_than_asked_for_is_not_believed),
        cmocka_unit_test(test_a_registry_that_contradicts_itself_burns_attempts),
        cmocka_unit_test(test_giving_up_tells_what_was_done),
        cmocka_unit_test(test_a_robot_without_its_secret_is_not_told_as_bound),
        cmocka_unit_test(test_a_secret_of_unknown_outcome_has_no_known_key),
        cmocka_unit_test(test_a_disabled_robot_is_not_told_as_bound),
        cmocka_unit_test(test_reading_back_finds_what_was_applied),
        cmocka_unit_test(test_a_space_that_was_created_after_all_is_read_back),
        cmocka_unit_test(test_a_strangers_space_that_is_read_back_is_no_change),
        cmocka_unit_test(test_an_unknown_state_is_not_told),
        cmocka_unit_test(test_an_assumed_absence_is_not_told),
        cmocka_unit_test(test_giving_up_in_the_cold_read_tells_nothing),
        cmocka_unit_test(test_a_work_can_be_dropped_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
