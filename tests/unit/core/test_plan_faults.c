/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can go wrong with a call must make no difference to what a command does: for each scenario,
 * each of its calls and each kind of fault, the outcome and what is in Harbor afterwards are the
 * same as without the fault. Then the same for each pair of faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

#define TEXT_BYTES 8192

static struct driver driver;

/* ---- Scenarios ---- */

static void create_private(void) {
    driver_init(&driver, BERTH_CREATE_SPACE);
}

static void create_public_with_quota(void) {
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.visibility = BERTH_PUBLIC;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 1000;
}

static void create_with_quota_that_is_ignored(void) {
    create_public_with_quota();
    driver.harbor.quota_ignored = true;
}

static void create_where_quotas_are_off(void) {
    create_public_with_quota();
    driver.harbor.quotas_kept = false;
}

static void adopt_what_is_absent(void) {
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
}

static void adopt_a_strangers_space(void) {
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    driver.command.visibility = BERTH_PRIVATE;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 7000;
    int64_t id = model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PUBLIC)->id;
    (void)model_harbor_add_robot(&driver.harbor, id, "ws-a", "a");
    (void)model_harbor_add_robot(&driver.harbor, id, "ci", NULL);
}

static void update_visibility(void) {
    driver_init(&driver, BERTH_UPDATE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver.command.visibility = BERTH_PUBLIC;
}

static void update_visibility_and_quota_cold(void) {
    update_visibility();
    driver.command.quota_given = true;
    driver.command.quota_bytes = 5000;
    driver_forget(&driver);
}

static void update_quota(void) {
    driver_init(&driver, BERTH_UPDATE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver.command.quota_given = true;
    driver.command.quota_bytes = 5000;
}

static void delete_empty(void) {
    driver_init(&driver, BERTH_DELETE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
}

static void delete_with_all_that_is_in_it(void) {
    driver_init(&driver, BERTH_DELETE_SPACE);
    int64_t id = driver_space(&driver, BERTH_PRIVATE)->id;
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    (void)model_harbor_add_robot(&driver.harbor, id, "ci", NULL);
    driver.command.unbind = true;
}

static void delete_cold(void) {
    delete_with_all_that_is_in_it();
    driver_forget(&driver);
}

static void delete_what_is_bound(void) {
    delete_with_all_that_is_in_it();
    driver.command.unbind = false;
}

static void delete_what_is_not_empty(void) {
    delete_empty();
    model_harbor_find(&driver.harbor, DRIVER_SPACE)->repositories = 3;
}

static void delete_what_is_not_there(void) {
    driver_init(&driver, BERTH_DELETE_SPACE);
}

static void bind_two(void) {
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
}

/* One to make, one bound with an old key, one disabled, one in a stranger's hands. */
static void bind_a_mixture(void) {
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    int64_t id = driver_space(&driver, BERTH_PUBLIC)->id;
    (void)driver_binding(&driver, "b", "01d01d01");
    driver_binding(&driver, "c", DRIVER_KEY)->robot.disabled = true;
    (void)model_harbor_add_robot(&driver.harbor, id, "ws-d", NULL);
    (void)driver_binding(&driver, "x", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
    driver_workspace(&driver, "d");
    driver.cold = true;
}

static void bind_where_nothing_is(void) {
    driver_init(&driver, BERTH_BIND_WORKSPACE);
    driver_workspace(&driver, "a");
}

static void unbind_two_of_three(void) {
    driver_init(&driver, BERTH_UNBIND_WORKSPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    (void)driver_binding(&driver, "c", DRIVER_KEY);
    driver_workspace(&driver, "a");
    driver_workspace(&driver, "c");
    driver_workspace(&driver, "never-bound");
}

static void set_other_bindings(void) {
    driver_init(&driver, BERTH_SET_WORKSPACE_BINDINGS);
    (void)driver_space(&driver, BERTH_PRIVATE);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)driver_binding(&driver, "b", DRIVER_KEY);
    driver_workspace(&driver, "b");
    driver_workspace(&driver, "c");
}

static void set_other_bindings_cold(void) {
    set_other_bindings();
    driver_forget(&driver);
}

static void set_around_a_disabled_one(void) {
    set_other_bindings();
    model_harbor_find_robot(&driver.harbor, driver.redis.project_id, "ws-b")->robot.disabled = true;
    driver.cold = true;
}

static const struct {
    const char *name;
    void (*set_up)(void);
} scenarios[] = {
    {"create private", create_private},
    {"create public with quota", create_public_with_quota},
    {"create with a quota that is ignored", create_with_quota_that_is_ignored},
    {"create where quotas are off", create_where_quotas_are_off},
    {"adopt what is absent", adopt_what_is_absent},
    {"adopt a stranger's space", adopt_a_strangers_space},
    {"update visibility", update_visibility},
    {"update visibility and quota, cold", update_visibility_and_quota_cold},
    {"update quota", update_quota},
    {"delete empty", delete_empty},
    {"delete with all that is in it", delete_with_all_that_is_in_it},
    {"delete cold", delete_cold},
    {"delete what is bound", delete_what_is_bound},
    {"delete what is not empty", delete_what_is_not_empty},
    {"delete what is not there", delete_what_is_not_there},
    {"bind two", bind_two},
    {"bind a mixture", bind_a_mixture},
    {"bind where nothing is", bind_where_nothing_is},
    {"unbind two of three", unbind_two_of_three},
    {"set other bindings", set_other_bindings},
    {"set other bindings, cold", set_other_bindings_cold},
    {"set around a disabled one", set_around_a_disabled_one},
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

/* ---- Runs ---- */

/* What is told must be what is there, ids included. */
static void check_told_is_true(void) {
    const struct berth_space_state *after = &driver.outcome.after;
    const struct model_project *project = model_harbor_find(&driver.harbor, DRIVER_SPACE);
    if (after->knowledge == BERTH_SPACE_ABSENT) {
        assert_null(project);
    }
    if (after->knowledge != BERTH_SPACE_PRESENT) {
        return;
    }
    assert_non_null(project);
    assert_int_equal(after->project_id, project->id);
    for (size_t i = 0; i < after->bindings_count; i++) {
        const struct berth_binding *binding = &after->bindings[i];
        char name[BERTH_ROBOT_NAME_BYTES];
        (void)snprintf(name, sizeof(name), "ws-%.50s", binding->workspace);
        const struct model_robot *robot =
            model_harbor_find_robot(&driver.harbor, project->id, name);
        assert_non_null(robot);
        assert_int_equal(binding->robot_id, robot->robot.id);
        assert_true(robot->secret_derived || strcmp(binding->key_id, DRIVER_KEY) != 0);
    }
}

static unsigned run(size_t scenario, enum driver_order order, const char *expected,
                    char *ret_description) {
    driver.order = order;
    driver_run(&driver);
    char description[TEXT_BYTES];
    driver_describe(&driver, description, sizeof(description));
    if (expected != NULL && strcmp(expected, description) != 0) {
        for (size_t i = 0; i < driver.injections_count; i++) {
            print_error("%s, order %d: call %u: %s\n", scenarios[scenario].name, (int)order,
                        driver.injections[i].at, driver_fault_name(driver.injections[i].fault));
        }
        assert_string_equal(description, expected);
    }
    check_told_is_true();
    if (ret_description != NULL) {
        memcpy(ret_description, description, sizeof(description));
    }
    unsigned calls = driver.calls;
    driver_deinit(&driver);
    return calls;
}

/* The undisturbed runs end as their names say; otherwise the comparisons below prove nothing. */
static void test_the_scenarios_end_with_these_codes(void **state) {
    (void)state;
    static const char *const codes[SCENARIOS] = {
        BERTH_CODE_SPACE_CREATED,
        BERTH_CODE_SPACE_CREATED,
        BERTH_CODE_SPACE_CREATED,
        BERTH_CODE_QUOTA_UNSUPPORTED,
        BERTH_CODE_SPACE_CREATED,
        BERTH_CODE_SPACE_ADOPTED,
        BERTH_CODE_SPACE_UPDATED,
        BERTH_CODE_SPACE_UPDATED,
        BERTH_CODE_SPACE_UPDATED,
        BERTH_CODE_SPACE_DELETED,
        BERTH_CODE_SPACE_DELETED,
        BERTH_CODE_SPACE_DELETED,
        BERTH_CODE_SPACE_BOUND,
        BERTH_CODE_SPACE_NOT_EMPTY,
        BERTH_CODE_SPACE_DELETED,
        BERTH_CODE_WORKSPACE_BOUND,
        BERTH_CODE_BINDING_FOREIGN_ROBOT,
        BERTH_CODE_SPACE_NOT_FOUND,
        BERTH_CODE_WORKSPACE_UNBOUND,
        BERTH_CODE_WORKSPACE_BINDINGS_SET,
        BERTH_CODE_WORKSPACE_BINDINGS_SET,
        BERTH_CODE_BINDING_DISABLED,
    };
    for (size_t i = 0; i < SCENARIOS; i++) {
        scenarios[i].set_up();
        driver_run(&driver);
        assert_string_equal(driver.outcome.code, codes[i]);
        driver_deinit(&driver);
    }
}

/* Which call of those side by side is answered first is Harbor's affair. */
static void test_the_order_of_answers_makes_no_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++) {
        char expected[TEXT_BYTES];
        scenarios[i].set_up();
        (void)run(i, DRIVER_ALL_THEN_STEP, NULL, expected);
        for (enum driver_order order = 0; order < DRIVER_ORDERS; order++) {
            for (size_t capacity = 1; capacity <= 2; capacity++) {
                scenarios[i].set_up();
                driver.capacity = capacity;
                (void)run(i, order, expected, NULL);
            }
        }
    }
}

/* One fault of each kind at each call, which includes a crash at each step. A fault may make a run
 * longer, and the calls behind it are reached by the pairs below. */
static void test_no_single_fault_makes_a_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++) {
        char expected[TEXT_BYTES];
        scenarios[i].set_up();
        unsigned calls = run(i, DRIVER_ALL_THEN_STEP, NULL, expected);
        for (enum driver_order order = 0; order < DRIVER_ORDERS; order++) {
            for (unsigned at = 1; at <= calls; at++) {
                for (enum driver_fault fault = 0; fault < DRIVER_FAULTS; fault++) {
                    scenarios[i].set_up();
                    driver.injections[0] = (struct driver_injection){at, fault};
                    driver.injections_count = 1;
                    (void)run(i, order, expected, NULL);
                }
            }
        }
    }
}

static void try_pairs(size_t scenario, unsigned at, enum driver_fault fault, unsigned calls,
                      const char *expected) {
    for (unsigned later = at + 1; later <= calls; later++) {
        for (enum driver_fault second = 0; second < DRIVER_FAULTS; second++) {
            scenarios[scenario].set_up();
            driver.injections[0] = (struct driver_injection){at, fault};
            driver.injections[1] = (struct driver_injection){later, second};
            driver.injections_count = 2;
            (void)run(scenario, DRIVER_OLDEST, expected, NULL);
        }
    }
}

/* A second fault strikes while the first is being dealt with: in the read-back, in the repetition,
 * in the claim after a crash. */
static void test_no_pair_of_faults_makes_a_difference(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++) {
        char expected[TEXT_BYTES];
        scenarios[i].set_up();
        unsigned calls = run(i, DRIVER_OLDEST, NULL, expected);
        for (unsigned at = 1; at <= calls; at++) {
            for (enum driver_fault fault = 0; fault < DRIVER_FAULTS; fault++) {
                scenarios[i].set_up();
                driver.injections[0] = (struct driver_injection){at, fault};
                driver.injections_count = 1;
                unsigned with_fault = run(i, DRIVER_OLDEST, expected, NULL);
                try_pairs(i, at, fault, with_fault, expected);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scenarios_end_with_these_codes),
        cmocka_unit_test(test_the_order_of_answers_makes_no_difference),
        cmocka_unit_test(test_no_single_fault_makes_a_difference),
        cmocka_unit_test(test_no_pair_of_faults_makes_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
