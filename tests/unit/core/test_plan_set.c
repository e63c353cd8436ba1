/* SPDX-License-Identifier: Apache-2.0 */
/* SetWorkspaceBindings, and how many bindings one command and one space may have. */
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

static void number_workspace(char *target, size_t size, int number) {
    (void)snprintf(target, size, "w%04d", number);
}

/* ---- Set ---- */

static void test_setting_bindings_does_the_difference(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNBOUND, BERTH_CODE_WORKSPACE_UNBOUND);
    driver_expect_binding(&driver, "b", BERTH_BINDING_UNCHANGED, BERTH_CODE_WORKSPACE_UNCHANGED);
    driver_expect_binding(&driver, "c", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    assert_int_equal(driver.calls, 6);
    driver_deinit(&driver);
}

static void test_an_empty_set_unbinds_all(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, true);
    assert_int_equal(driver.outcome.bindings_count, 2);
    assert_int_equal(driver.outcome.after.bindings_count, 0);
    driver_deinit(&driver);
}

static void test_setting_what_is_set_is_seen_and_writes_nothing(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, false);
    assert_int_equal(driver.calls, 2);
    assert_true(driver.outcome.verified);
    driver_deinit(&driver);
}

/* Also that nobody is bound: somebody may be whom Redis doesn't know. */
static void test_an_empty_set_of_a_space_without_bindings_is_seen(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ws-a", "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNBOUND, BERTH_CODE_WORKSPACE_UNBOUND);
    assert_false(driver.harbor.robots[0].exists);
    driver_deinit(&driver);
}

/* Redis remembers a key id of another robot, or of one that was switched off: neither says anything
 * about the secret of the robot that is there. */
static void test_setting_bindings_sets_a_secret_that_is_not_known(void **state) {
    (void)state;
    for (int disabled = 0; disabled < 2; disabled++) {
        init(BERTH_SET_WORKSPACE_BINDINGS);
        driver_binding(&driver, "a", DRIVER_KEY)->secret_derived = false;
        driver.redis.bindings[0].disabled = disabled == 1;
        driver.redis.bindings[0].robot_id -= disabled == 0;
        driver_workspace(&driver, "a");
        driver_run(&driver);
        driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, false);
        assert_true(driver.harbor.robots[0].secret_derived);
        driver_deinit(&driver);
    }
}

/* Another key, or none that is known: set. One whose outcome nobody saw: set again. */
static void test_setting_bindings_sets_secrets_of_another_key(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", "01d01d01");
    driver_workspace(&driver, "a");
    driver.injections[0] = (struct driver_injection){3, DRIVER_LOST_REQUEST};
    driver.injections_count = 1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, false);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_SET_SECRET], 1);
    assert_true(driver.harbor.robots[0].secret_derived);
    driver_deinit(&driver);
}

/* Whoever sends the whole set doesn't necessarily mean what a human switched off. */
static void test_setting_bindings_leaves_a_disabled_robot(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    driver.cold = true;
    driver_binding(&driver, "a", DRIVER_KEY)->robot.disabled = true;
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_BINDING_DISABLED, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_FAILED, BERTH_CODE_BINDING_DISABLED);
    driver_expect_binding(&driver, "b", BERTH_BINDING_BOUND, BERTH_CODE_WORKSPACE_BOUND);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_MEND_ROBOT], 0);
    assert_true(driver.harbor.robots[0].robot.disabled);
    driver_deinit(&driver);
}

/* An earlier claim did a part; what it undid is told as undone. */
static void test_a_later_claim_tells_what_an_earlier_one_unbound(void **state) {
    (void)state;
    init(BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    driver_claimed_before(&driver);
    driver.harbor.robots[0].exists = false;
    driver_workspace(&driver, "b");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNBOUND, BERTH_CODE_WORKSPACE_UNBOUND);
    assert_int_equal(driver.calls, 2);
    driver_deinit(&driver);
}

/* ---- Bounds ---- */

static void bind_all(int first, int count) {
    char id[BERTH_WORKSPACE_BYTES];
    for (int i = first; i < first + count; i++) {
        number_workspace(id, sizeof(id), i);
        (void)driver_binding(&driver, id, DRIVER_KEY);
    }
}

static void name_all(int first, int count) {
    char id[BERTH_WORKSPACE_BYTES];
    for (int i = first; i < first + count; i++) {
        number_workspace(id, sizeof(id), i);
        driver_workspace(&driver, id);
    }
}

static void test_a_thousand_workspaces_are_bound_side_by_side(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    name_all(0, 1000);
    driver.order = DRIVER_OLDEST;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BOUND, true);
    assert_int_equal(driver.calls, 2001);
    assert_int_equal(driver.most_outstanding, BERTH_PLAN_CALLS_MAX);
    assert_int_equal(driver.outcome.after.bindings_count, 1000);
    driver_deinit(&driver);
}

/* The list has 100 robots a page, and is read to its end. */
static void test_a_thousand_bindings_are_read_page_by_page(void **state) {
    (void)state;
    init(BERTH_UNBIND_WORKSPACE);
    bind_all(0, 1000);
    driver_forget(&driver);
    name_all(999, 1);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_UNBOUND, true);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_LIST_ROBOTS], 10);
    assert_int_equal(driver.outcome.before.bindings_count, 1000);
    assert_int_equal(driver.outcome.after.bindings_count, 999);
    driver_deinit(&driver);
}

/* The most that one command can be: the pool's bound holds, and never are more bound than may be.
 */
static void test_a_thousand_bindings_are_replaced_within_the_bounds(void **state) {
    (void)state;
    for (enum driver_order order = 0; order < DRIVER_ORDERS; order++) {
        init(BERTH_SET_WORKSPACE_BINDINGS);
        bind_all(0, 1000);
        name_all(1000, 1000);
        driver.order = order;
        driver.cold = true;
        /* What the driver keeps of Redis and the ledger is not the work's. */
        driver.pool.limit_bytes =
            driver.pool.used_bytes +
            berth_pool_cost(BERTH_SPACE_BINDINGS_MAX * sizeof(struct berth_binding)) +
            BERTH_PLAN_BYTES_MAX;
        driver_run(&driver);
        driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_WORKSPACE_BINDINGS_SET, true);
        assert_int_equal(driver.outcome.bindings_count, 2000);
        assert_int_equal(driver.outcome.after.bindings_count, 1000);
        assert_string_equal(driver.outcome.after.bindings[0].workspace, "w1000");
        driver_deinit(&driver);
    }
}

static void test_more_bindings_than_a_space_may_have_are_refused_as_a_whole(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    bind_all(0, 999);
    name_all(998, 3);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_TOO_MANY_BINDINGS, false);
    driver_expect_binding(&driver, "w0998", BERTH_BINDING_UNCHANGED,
                          BERTH_CODE_WORKSPACE_UNCHANGED);
    driver_expect_binding(&driver, "w1000", BERTH_BINDING_FAILED,
                          BERTH_CODE_SPACE_TOO_MANY_BINDINGS);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_ROBOT], 0);
    driver_deinit(&driver);
}

static void test_more_robots_of_ours_than_bindings_may_be_are_refused(void **state) {
    (void)state;
    init(BERTH_BIND_WORKSPACE);
    char name[BERTH_ROBOT_NAME_BYTES];
    for (int i = 0; i < 1001; i++) {
        (void)snprintf(name, sizeof(name), "ws-w%04d", i);
        (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, name, name + 3);
    }
    driver_forget(&driver);
    name_all(0, 1);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_TOO_MANY_ROBOTS, false);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    driver_deinit(&driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setting_bindings_does_the_difference),
        cmocka_unit_test(test_an_empty_set_unbinds_all),
        cmocka_unit_test(test_setting_what_is_set_is_seen_and_writes_nothing),
        cmocka_unit_test(test_an_empty_set_of_a_space_without_bindings_is_seen),
        cmocka_unit_test(test_setting_bindings_sets_a_secret_that_is_not_known),
        cmocka_unit_test(test_setting_bindings_sets_secrets_of_another_key),
        cmocka_unit_test(test_setting_bindings_leaves_a_disabled_robot),
        cmocka_unit_test(test_a_later_claim_tells_what_an_earlier_one_unbound),
        cmocka_unit_test(test_a_thousand_workspaces_are_bound_side_by_side),
        cmocka_unit_test(test_a_thousand_bindings_are_read_page_by_page),
        cmocka_unit_test(test_a_thousand_bindings_are_replaced_within_the_bounds),
        cmocka_unit_test(test_more_bindings_than_a_space_may_have_are_refused_as_a_whole),
        cmocka_unit_test(test_more_robots_of_ours_than_bindings_may_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
