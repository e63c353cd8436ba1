/* SPDX-License-Identifier: Apache-2.0 */
/* BindWorkspace and UnbindWorkspace: call counts, robots of ours and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

static struct driver driver;

static void init(enum berth_command_type type) {
    driver_init(&driver, type);
    (void)driver_space(&driver, BERTH_PRIVATE);
}

/* ---- Bind ---- */

/* And one more, by id: POST goes by the project's name. */
static void test_binding_takes_two_calls_for_each_workspace(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_string_equal(driver.outcome.message, "Bound/Unbound workspace successfully");
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    driver_expect_detail(&driver, "workspaces", "a, b, c");
    driver_expect_detail(&driver, "effect", NULL);
    assert_int_equal(driver.calls, 7);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_GET_PROJECT_ID], 1);
    assert_int_equal(driver.most_outstanding, 3);
    assert_int_equal(driver.outcome.after.bindings_count, 3);
    assert_string_equal(driver.outcome.after.bindings[2].key_id, DRIVER_KEY);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* Cold: the space and its robots are read, and what was there is remembered before anything is
 * sent. */
static void test_a_cold_binding_takes_two_reads_more(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_forget(&driver);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_int_equal(driver.calls, 5);
    assert_int_equal(driver.remembered, 1);
    assert_true(driver.outcome.verified);
    driver_deinit(&driver);
}

/* Somebody sends it because a pull doesn't work, so nothing is answered from memory: project and
 * robots are read, and the secret, which nobody can read, is set again. */
static void test_binding_what_is_bound_is_seen_and_its_secret_is_set(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_SET_SECRET], 1);
    assert_true(driver.outcome.verified);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* What a lookup read from Harbor was never published: without this the topic of spaces would never
 * hear of a space whose commands change nothing. */
static void test_a_state_that_a_lookup_filled_in_is_published_by_the_next_command(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver.redis.version = 0;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* A new master key: the secret is set anew, which is no change of the binding; but its key id is
 * published. */
static void test_another_key_sets_the_secret_anew_without_a_change(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", "01d01d01");
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_int_equal(driver.calls, 3);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* It is remembered, and told that it does nothing yet. */
static void test_binding_a_public_space_succeeds_with_a_hint(void **state) {
    (void)state;
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PUBLIC);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    driver_expect_detail(&driver, "effect", "none_while_public");
    driver_deinit(&driver);
}

static void test_binding_to_an_absent_space_is_refused(void **state) {
    (void)state;
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_FOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_NOT_FOUND);
    driver_deinit(&driver);
}

/* 409, and the robot bears our mark: a lost attempt of ours. Its secret isn't known, so it is set.
 * It was there when the command came, so that is what it met. */
static void test_a_robot_of_ours_that_redis_missed_is_adopted(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", "a");
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_true(driver.harbor.robots[0].secret_derived);
    driver_deinit(&driver);
}

/* Somebody held the lane while this claim waited: what Redis knew then is `before`, and Harbor is
 * read all the same. */
static void test_a_known_before_does_not_make_a_cold_space_warm(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_claimed_before(&driver);
    driver.later_claim = false;
    driver.cold = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_int_equal(driver.calls, 5);
    assert_int_equal(driver.remembered, 0);
    driver_deinit(&driver);
}

/* A stranger's robot under our name is never touched; the other workspaces are bound all the same.
 */
static void test_a_foreign_robot_refuses_its_workspace_only(void **state) {
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        init(BERTH_BIND_WORKSPACE);
        driver.cold = cold == 1;
        int64_t id = driver.redis.project_id;
        (void)model_harbor_add_robot(&driver.harbor, id, "ws-a", NULL);
        driver_workspace(&driver, "a");
        driver_workspace(&driver, "b");
        driver_run(&driver);
        driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_BINDING_FOREIGN_ROBOT, true);
        driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_BINDING_FOREIGN_ROBOT);
        driver_expect_binding(&driver, "b", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
        driver_expect_detail(&driver, "workspace", "a");
        driver_expect_detail(&driver, "foreign_robot", "ws-a");
        assert_true(driver.outcome.publish_state);
        /* A complete list shows it beforehand; otherwise one 409 does. */
        assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_ROBOT], cold ? 1 : 2);
        const struct model_robot *robot = model_harbor_find_robot(&driver.harbor, id, "ws-a");
        assert_non_null(robot);
        assert_false(robot->secret_derived);
        driver_deinit(&driver);
    }
}

static void hide_robots(struct driver *target, unsigned number) {
    (void)number;
    /* A robot that the list doesn't show: Harbor has invisible ones. */
    for (size_t i = 0; i < target->harbor.robots_count; i++) {
        target->harbor.robots[i].project_id =
            target->work.calls_outstanding == 1 && target->work.robots_page > 0 ? -1 : 1;
    }
}

/* Twice 409, and the list shows nothing: it is in the way all the same, and asking goes no further.
 */
static void test_a_robot_that_the_list_hides_is_foreign(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", NULL);
    driver_workspace(&driver, "a");
    driver.on_call = hide_robots;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_BINDING_FOREIGN_ROBOT, false);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_ROBOT], 2);
    assert_int_equal(driver.calls, 5);
    driver_deinit(&driver);
}

/* Bind is explicit: it switches on what a human switched off, and sets the secret after that,
 * because Harbor's PUT writes a stale one. */
static void test_binding_enables_a_disabled_robot(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver.cold = true;
    driver_binding(&driver, "a", DRIVER_KEY)->robot.disabled = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_REPAIRED);
    assert_int_equal(driver.calls, 4);
    assert_true(driver.outcome.before.bindings[0].disabled);
    assert_true(driver.harbor.robots[0].secret_derived);
    driver_deinit(&driver);
}

/* An earlier claim switched it on and died before it set the secret: whatever Redis believes, it is
 * set now. */
static void test_a_robot_that_an_earlier_claim_enabled_gets_its_secret(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_binding(&driver, "a", DRIVER_KEY)->secret_derived = false;
    driver_claimed_before(&driver);
    driver.before.bindings[0].disabled = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_true(driver.harbor.robots[0].secret_derived);
    driver_deinit(&driver);
}

/* The same when Redis knows that it is off, whatever it says of the key. */
static void test_enabling_sets_the_secret_also_of_a_warm_space(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_binding(&driver, "a", DRIVER_KEY)->robot.disabled = true;
    driver.redis.bindings[0].disabled = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_int_equal(driver.calls, 4);
    assert_true(driver.harbor.robots[0].secret_derived);
    driver_deinit(&driver);
}

static void remove_robots(struct driver *target, unsigned number) {
    (void)number;
    for (size_t i = 0; i < target->harbor.robots_count; i++) {
        target->harbor.robots[i].exists = false;
    }
}

/* Somebody deleted the robot by hand, whatever Redis says: it is made anew. */
static void test_a_robot_that_went_is_made_anew(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", "01d01d01");
    remove_robots(&driver, 1);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    assert_int_equal(driver.calls, 5);
    driver_deinit(&driver);
}

static void remove_the_first_before_call_2(struct driver *target, unsigned number) {
    if (number == 2) {
        target->harbor.robots[0].exists = false;
    }
}

/* A list that is read for one workspace's sake tells of all: what had been fine is looked at again.
 */
static void test_a_binding_that_went_meanwhile_is_made_anew(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", "01d01d01");
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver.injections[0] = (struct driver_injection){1, DRIVER_LOST_REPLY};
    driver.injections_count = 1;
    driver.on_call = remove_the_first_before_call_2;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_non_null(model_harbor_find_robot(&driver.harbor, driver.redis.project_id, "ws-a"));
    driver_deinit(&driver);
}

/* Redis remembers a key id of another robot, or of one that was switched off: neither says anything
 * about the secret of the robot that is there. */
static void test_a_remembered_key_of_another_robot_does_not_count(void **state) {
    (void)state;
    for (int disabled = 0; disabled < 2; disabled++) {
        init(BERTH_BIND_WORKSPACE);
        driver_binding(&driver, "a", DRIVER_KEY)->secret_derived = false;
        driver.redis.bindings[0].disabled = disabled == 1;
        driver.redis.bindings[0].robot_id -= disabled == 0;
        driver.cold = true;
        driver_workspace(&driver, "a");
        driver_run(&driver);
        driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
        assert_int_equal(driver.calls, 3);
        assert_true(driver.harbor.robots[0].secret_derived);
        driver_deinit(&driver);
    }
}

/* What Harbor refuses for one workspace says nothing about the others. */
static void test_harbors_refusal_of_one_workspace_leaves_the_others(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver.harbor.refuses_robot = "b";
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_HARBOR_REFUSED, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    driver_expect_binding(&driver, "b", BERTH_BINDING_FAILED, BERTH_CODE_HARBOR_REFUSED);
    driver_expect_binding(&driver, "c", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    driver_expect_detail(&driver, "harbor", "BAD_REQUEST: bad robot");
    driver_expect_detail(&driver, "harbor_call", "POST /robots");
    assert_int_equal(driver.outcome.after.bindings_count, 2);
    driver_deinit(&driver);
}

/* ---- Unbind ---- */

static void test_unbinding_takes_one_call_for_each_workspace(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, true);
    assert_string_equal(driver.outcome.message, "Bound/Unbound workspace successfully");
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNBOUND, BERTH_CODE_WORKSPACE_UNBOUND);
    driver_expect_binding(&driver, "c", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    /* c is looked at. */
    assert_int_equal(driver.calls, 4);
    assert_int_equal(driver.outcome.after.bindings_count, 0);
    driver_deinit(&driver);
}

static void test_unbinding_what_is_bound_takes_one_call(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, true);
    assert_int_equal(driver.calls, 1);
    driver_deinit(&driver);
}

/* Gone is gone, whoever did it; what the command met is looked at. */
static void test_unbinding_a_robot_that_went_succeeds(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    remove_robots(&driver, 1);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_int_equal(driver.calls, 3);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* A stranger's robot is no binding, so there is nothing to undo, and nothing is touched. */
static void test_unbinding_leaves_a_foreign_robot_alone(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    driver.cold = true;
    /* Another deployment's: it is for the same workspace, and not ours all the same. */
    struct model_robot *robot =
        model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", "a");
    robot->robot.ours = false;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, false);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_DELETE_ROBOT], 0);
    driver_deinit(&driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_binding_takes_two_calls_for_each_workspace),
        cmocka_unit_test(test_a_cold_binding_takes_two_reads_more),
        cmocka_unit_test(test_binding_what_is_bound_is_seen_and_its_secret_is_set),
        cmocka_unit_test(test_a_state_that_a_lookup_filled_in_is_published_by_the_next_command),
        cmocka_unit_test(test_another_key_sets_the_secret_anew_without_a_change),
        cmocka_unit_test(test_binding_a_public_space_succeeds_with_a_hint),
        cmocka_unit_test(test_binding_to_an_absent_space_is_refused),
        cmocka_unit_test(test_a_robot_of_ours_that_redis_missed_is_adopted),
        cmocka_unit_test(test_a_known_before_does_not_make_a_cold_space_warm),
        cmocka_unit_test(test_a_foreign_robot_refuses_its_workspace_only),
        cmocka_unit_test(test_a_robot_that_the_list_hides_is_foreign),
        cmocka_unit_test(test_binding_enables_a_disabled_robot),
        cmocka_unit_test(test_a_robot_that_an_earlier_claim_enabled_gets_its_secret),
        cmocka_unit_test(test_enabling_sets_the_secret_also_of_a_warm_space),
        cmocka_unit_test(test_a_robot_that_went_is_made_anew),
        cmocka_unit_test(test_unbinding_what_is_bound_takes_one_call),
        cmocka_unit_test(test_a_binding_that_went_meanwhile_is_made_anew),
        cmocka_unit_test(test_a_remembered_key_of_another_robot_does_not_count),
        cmocka_unit_test(test_harbors_refusal_of_one_workspace_leaves_the_others),
        cmocka_unit_test(test_unbinding_takes_one_call_for_each_workspace),
        cmocka_unit_test(test_unbinding_a_robot_that_went_succeeds),
        cmocka_unit_test(test_unbinding_leaves_a_foreign_robot_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
