/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings whose robots or project somebody changed by hand, and robots of another installation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

static struct driver driver;

static void init(enum berth_command_type type) {
    driver_init(&driver, type);
    (void)driver_space(&driver, BERTH_PRIVATE);
}

/* ---- A project that was made anew ---- */

static void replace_before_call_1(struct driver *target, unsigned number) {
    if (number == 1) {
        model_harbor_remove(&target->harbor, model_harbor_find(&target->harbor, DRIVER_SPACE));
        int64_t id = model_harbor_add(&target->harbor, DRIVER_SPACE, "alice", BERTH_PRIVATE)->id;
        (void)model_harbor_add_robot(&target->harbor, id, "ws-x", "x");
    }
}

static void replace_before_call_3(struct driver *target, unsigned number) {
    replace_before_call_1(target, number == 3 ? 1 : 0);
}

/* The space was made anew by somebody before anything was sent: what was read says so, and the
 * command is not for that one. */
static void test_a_replacement_is_told_and_left_alone(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver.on_call = replace_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_REPLACED, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_REPLACED);
    driver_expect_binding(&driver, "b", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_REPLACED);
    assert_int_equal(driver.outcome.after.bindings_count, 1);
    assert_int_not_equal(driver.outcome.after.project_id, driver.outcome.before.project_id);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_ROBOT], 0);
    driver_deinit(&driver);
}

/* Robots are made by the project's name: they landed in the new one, and are deleted there. What
 * was in the way in the old one is not told of the new one. */
static void test_nothing_is_left_in_a_namesake(void **state) {
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        init(BERTH_BIND_WORKSPACE);
        driver.cold = true;
        (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", NULL);
        driver_workspace(&driver, "a");
        driver_workspace(&driver, "b");
        driver_workspace(&driver, "c");
        driver.on_call = replace_before_call_3;
        driver.injections[0] = (struct driver_injection){3, DRIVER_LOST_REPLY};
        driver.injections_count = (size_t)lost;
        driver_run(&driver);
        driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_REPLACED, false);
        driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_REPLACED);
        driver_expect_binding(&driver, "b", BERTH_BINDING_FAILED, BERTH_CODE_SPACE_REPLACED);
        int64_t id = model_harbor_find(&driver.harbor, DRIVER_SPACE)->id;
        assert_null(model_harbor_find_robot(&driver.harbor, id, "ws-b"));
        assert_null(model_harbor_find_robot(&driver.harbor, id, "ws-c"));
        assert_non_null(model_harbor_find_robot(&driver.harbor, id, "ws-x"));
        assert_int_equal(driver.outcome.after.bindings_count, 1);
        driver_deinit(&driver);
    }
}

static void orphan_before_call_2(struct driver *target, unsigned number) {
    if (number == 2) {
        struct model_project *project = model_harbor_find(&target->harbor, DRIVER_SPACE);
        project->exists = false; /* Its deletion didn't see the robot that was being made. */
    }
}

/* A robot whose project went while it was made outlives it, and would share its login name with the
 * next one's (harbor-contract 6.3). */
static void test_an_orphan_is_deleted(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    driver_workspace(&driver, "a");
    driver.on_call = orphan_before_call_2;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_FOUND, false);
    assert_int_equal(driver.harbor.robots_count, 1);
    assert_false(driver.harbor.robots[0].exists);
    driver_deinit(&driver);
}

/* ---- A robot that was changed ---- */

/* Warm or cold, Bind or Set: what somebody changed of the robot by hand is mended and named. */
static void test_an_altered_robot_is_mended_and_named(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool set = i % 2 == 1;
        init(set ? BERTH_SET_WORKSPACE_BINDINGS : BERTH_BIND_WORKSPACE);
        driver.cold = i / 2 == 1;
        driver_binding(&driver, "a", DRIVER_KEY)->robot.altered = true;
        driver_workspace(&driver, "a");
        driver_run(&driver);
        driver_expect(&driver, BERTH_SUCCEEDED,
                      set ? BERTH_CODE_WORKSPACE_BINDINGS_SET : BERTH_CODE_WORKSPACE_BOUND, true);
        driver_expect_binding(&driver, "a", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_REPAIRED);
        assert_false(driver.harbor.robots[0].robot.altered);
        assert_true(driver.harbor.robots[0].secret_derived);
        assert_int_equal(driver.calls, 4);
        /* Also for the claim that comes after a crash. */
        assert_int_equal(driver.remembered, 1);
        assert_true(driver.outcome.before.bindings[0].altered);
        driver_deinit(&driver);
    }
}

/* Set is sent with hundreds of workspaces that nobody touched; their secrets are left. */
static void test_only_a_bind_sets_secrets_again(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_SET_SECRET], 0);
    driver_deinit(&driver);
}

/* ---- Two installations with one deployment name ---- */

static struct model_robot *kin_robot(void) {
    struct model_robot *robot =
        model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", "a");
    robot->robot.ours = false;
    robot->robot.kin = true;
    robot->robot.outdated = true;
    return robot;
}

/* It pulls with a secret of the other one's master key: to set ours would end that. */
static void test_a_robot_of_another_installation_is_left_alone(void **state) {
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        init(BERTH_BIND_WORKSPACE);
        driver.cold = cold == 1;
        const struct model_robot *robot = kin_robot();
        driver_workspace(&driver, "a");
        driver_run(&driver);
        driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_BINDING_FOREIGN_ROBOT, false);
        assert_int_equal(driver.harbor.calls[BERTH_HARBOR_SET_SECRET], 0);
        assert_int_equal(driver.harbor.calls[BERTH_HARBOR_MEND_ROBOT], 0);
        assert_false(robot->secret_derived);
        driver_deinit(&driver);
    }
}

/* What a lookup filled in says nothing of whose it is: it may have been read without a key. */
static void test_a_lookup_makes_no_robot_ours(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    struct model_robot *robot = driver_binding(&driver, "a", "");
    robot->robot.ours = false;
    robot->robot.kin = true;
    driver.redis.version = 0;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, false);
    assert_true(robot->exists);
    driver_deinit(&driver);
}

/* Our own robots, made under the master key of before: Redis knows that we have set their secrets.
 */
static void test_a_robot_of_the_master_key_of_before_stays_ours(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    struct model_robot *robot = driver_binding(&driver, "a", "01d01d01");
    robot->robot.ours = false;
    robot->robot.kin = true;
    robot->robot.outdated = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    assert_true(robot->secret_derived);
    assert_false(robot->robot.outdated);
    driver_deinit(&driver);
}

/* A marker of old is ours; the next Bind writes the one of today. */
static void test_a_bind_renews_an_old_marker(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    struct model_robot *robot = driver_binding(&driver, "a", DRIVER_KEY);
    robot->robot.outdated = true;
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, false);
    assert_false(robot->robot.outdated);
    assert_true(robot->secret_derived);
    driver_deinit(&driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_replacement_is_told_and_left_alone),
        cmocka_unit_test(test_nothing_is_left_in_a_namesake),
        cmocka_unit_test(test_an_orphan_is_deleted),
        cmocka_unit_test(test_an_altered_robot_is_mended_and_named),
        cmocka_unit_test(test_only_a_bind_sets_secrets_again),
        cmocka_unit_test(test_a_robot_of_another_installation_is_left_alone),
        cmocka_unit_test(test_a_lookup_makes_no_robot_ours),
        cmocka_unit_test(test_a_robot_of_the_master_key_of_before_stays_ours),
        cmocka_unit_test(test_a_bind_renews_an_old_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
