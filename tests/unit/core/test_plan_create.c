/* SPDX-License-Identifier: Apache-2.0 */
/* CreateSpace: how many calls it takes, and whose project it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

static struct driver driver;

static void inject(unsigned at, enum driver_fault fault) {
    driver.injections[driver.injections_count++] = (struct driver_injection){at, fault};
}

/* Nothing is read first and nothing is remembered: one request is the whole command. */
static void test_creating_takes_one_call(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_string_equal(driver.outcome.message, "Created registry space successfully");
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.remembered, 0);
    assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_ABSENT);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PRIVATE);
    assert_string_equal(driver.outcome.after.created_by, DRIVER_ID);
    assert_true(driver.outcome.publish_state);
    assert_true(driver.outcome.verified);
    assert_true(driver.outcome.audit);
    assert_true(driver.outcome.final);
    assert_false(driver.outcome.dead_letter);
    driver_deinit(&driver);
}

/* A quota that Harbor took is seen, not believed. */
static void test_creating_with_a_quota_takes_one_read_more(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.quota_given = true;
    driver.command.quota_bytes = 4096;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_int_equal(driver.calls, 2);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_GET_QUOTA], 1);
    assert_int_equal(driver.outcome.after.quota_bytes, 4096);
    driver_deinit(&driver);
}

/* Harbor drops the quota in silence for some accounts; setting it tells whether it can be had. */
static void test_a_quota_that_creation_ignored_is_set(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.harbor.quota_ignored = true;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 4096;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(model_harbor_find(&driver.harbor, DRIVER_SPACE)->quota_bytes, 4096);
    driver_deinit(&driver);
}

/* Without a quota where one was asked for, success would be a lie; the space is there all the same,
 * and told. */
static void test_a_registry_without_quotas_is_no_success(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.harbor.quotas_kept = false;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 4096;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_QUOTA_UNSUPPORTED, true);
    assert_non_null(strstr(driver.outcome.message, "was created, but without its quota"));
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_PRESENT);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* "Unlimited" is what a project without a quota is. */
static void test_unlimited_is_fine_where_no_quotas_are_kept(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.harbor.quotas_kept = false;
    driver.command.quota_given = true;
    driver.command.quota_bytes = BERTH_QUOTA_UNLIMITED;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    driver_deinit(&driver);
}

/* The first answer to the first request is proof that the space was there before. */
static void test_an_existing_space_is_refused_with_one_call(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, DRIVER_ACCOUNT, BERTH_PUBLIC);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_ALREADY_EXISTS, false);
    assert_string_equal(driver.outcome.message,
                        "Space 'team-a' already exists in registry 'harbor-1': choose another "
                        "name, or take it over with if_exists ADOPT (berth send "
                        "create-space --adopt).");
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_UNKNOWN);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* A request that certainly never left, or was certainly refused, leaves the next one the first. */
static void test_a_conflict_is_proof_also_after_requests_that_had_no_effect(void **state) {
    (void)state;
    static const enum driver_fault faults[] = {DRIVER_NOT_SENT, DRIVER_BUSY, DRIVER_READ_ONLY,
                                               DRIVER_UNAUTHENTICATED, DRIVER_FORBIDDEN};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        driver_init(&driver, BERTH_CREATE_SPACE);
        (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, DRIVER_ACCOUNT, BERTH_PUBLIC);
        inject(1, faults[i]);
        driver_run(&driver);
        driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_ALREADY_EXISTS, false);
        assert_int_equal(driver.calls, 2);
        driver_deinit(&driver);
    }
}

/* After a lost reply only the owner can tell; a stranger's project is never taken. */
static void test_after_a_lost_reply_a_strangers_space_is_not_ours(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PRIVATE);
    inject(1, DRIVER_LOST_REPLY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_CREATE_UNPROVED, false);
    driver_expect_detail(&driver, "owner", "alice");
    assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_UNKNOWN);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_PRESENT);
    assert_string_equal(driver.outcome.after.created_by, "");
    driver_deinit(&driver);
}

/* What an account is called decides only once something is in doubt, and is asked then: berth may
 * log in with a mail address. */
static void test_what_harbor_calls_our_account_is_asked_when_it_decides(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver_run(&driver);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_GET_ACCOUNT], 0);
    driver_deinit(&driver);

    driver_init(&driver, BERTH_CREATE_SPACE);
    inject(1, DRIVER_LOST_REPLY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_GET_ACCOUNT], 1);
    driver_deinit(&driver);
}

/* Harbor's first user, who is everybody: an answer without a name. */
static void test_an_account_that_proves_nothing_leaves_a_lost_attempt_unproved(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.harbor.account = "";
    inject(1, DRIVER_LOST_REPLY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_CREATE_UNPROVED, false);
    driver_deinit(&driver);
}

/* An account that others use too proves nothing. */
static void test_without_a_dedicated_account_a_lost_attempt_is_unproved(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.registry.dedicated = false;
    inject(1, DRIVER_LOST_REPLY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_CREATE_UNPROVED, false);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_PROJECT], 1);
    driver_deinit(&driver);
}

/* ... but if the request was lost, nothing is in doubt: it is sent again. */
static void test_a_lost_request_is_sent_again(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.registry.dedicated = false;
    inject(1, DRIVER_LOST_REQUEST);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(driver.retries, 1);
    driver_deinit(&driver);
}

/* An earlier claim without an outcome may have created it: 409 is no proof any more, and so the
 * space is looked at before anything is sent. */
static void test_a_later_claim_reads_first_and_finds_its_own_space(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, DRIVER_ACCOUNT, BERTH_PRIVATE);
    driver.later_claim = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_CREATE_PROJECT], 0);
    driver_deinit(&driver);
}

/* Redis knows who created a project, and that counts more than its owner. */
static void test_a_recorded_creator_decides_whose_space_it_is(void **state) {
    (void)state;
    for (int own = 0; own < 2; own++) {
        driver_init(&driver, BERTH_CREATE_SPACE);
        driver.registry.dedicated = false;
        (void)driver_space(&driver, BERTH_PRIVATE);
        if (own) {
            (void)snprintf(driver.redis.created_by, sizeof(driver.redis.created_by), DRIVER_ID);
        }
        driver.later_claim = true;
        driver.cold = true;
        driver_run(&driver);
        if (own) {
            driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
        } else {
            driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_ALREADY_EXISTS, false);
        }
        driver_deinit(&driver);
    }
}

/* What Redis records of a project that has gone says nothing of its namesake. */
static void test_the_creator_of_an_earlier_namesake_does_not_count(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    model_harbor_remove(&driver.harbor, driver_space(&driver, BERTH_PRIVATE));
    inject(1, DRIVER_LOST_REPLY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_CREATED, true);
    assert_string_equal(driver.outcome.after.created_by, DRIVER_ID);
    assert_int_equal(driver.outcome.after.bindings_count, 0);
    driver_deinit(&driver);
}

/* Harbor says that it will never work: final, in Harbor's words. */
static void test_what_harbor_refuses_is_final(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver_claim(&driver);
    struct berth_harbor_call call;
    size_t count;
    assert_int_equal(berth_work_step(&driver.work, &call, 1, &count, &driver.outcome),
                     BERTH_PLAN_CALLS);
    struct berth_harbor_answer answer = {
        .verdict = BERTH_HARBOR_INVALID, .http_status = 400, .error = "BAD_REQUEST: not today"};
    (void)snprintf(call.request_id, sizeof(call.request_id), "some-id/1.1");
    assert_int_equal(berth_work_observe(&driver.work, &call, &answer), BERTH_OBSERVED_PROGRESS);
    assert_int_equal(berth_work_step(&driver.work, &call, 1, &count, &driver.outcome),
                     BERTH_PLAN_DONE);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_HARBOR_REFUSED, false);
    driver_expect_detail(&driver, "harbor", "BAD_REQUEST: not today");
    assert_non_null(strstr(driver.outcome.message, "HTTP 400 to POST /projects: BAD_REQUEST: not "
                                                   "today (request id some-id/1.1)"));
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_UNKNOWN);
    driver_deinit(&driver);
}

/* ---- ADOPT ---- */

/* Adoption keeps what the command leaves open and takes in what bears our mark. */
static void test_adopting_takes_a_space_as_it_is(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    int64_t id = model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PUBLIC)->id;
    (void)model_harbor_add_robot(&driver.harbor, id, "ci", NULL);
    (void)model_harbor_add_robot(&driver.harbor, id, "deploy", NULL);
    (void)model_harbor_add_robot(&driver.harbor, id, "ws-a", "a");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_ADOPTED, false);
    assert_string_equal(driver.outcome.message, "Created registry space successfully");
    driver_expect_detail(&driver, "foreign_robots", "2");
    driver_expect_detail(&driver, "foreign_robot", "ci");
    assert_int_equal(driver.calls, 2);
    assert_int_equal(driver.remembered, 1);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PUBLIC);
    assert_int_equal(driver.outcome.after.bindings_count, 1);
    assert_string_equal(driver.outcome.after.bindings[0].workspace, "a");
    assert_string_equal(driver.outcome.after.bindings[0].key_id, "");
    assert_string_equal(driver.outcome.after.created_by, "");
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* What is asked for is done, and told as a change. */
static void test_adopting_applies_what_the_command_says(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    driver.command.visibility = BERTH_PRIVATE;
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PUBLIC);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_ADOPTED, true);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(driver.outcome.before.visibility, BERTH_PUBLIC);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PRIVATE);
    driver_deinit(&driver);
}

/* A space that Redis knows is looked at all the same: adoption is about what is really there. */
static void test_adopting_reads_a_warm_space_too(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    int64_t id = driver_space(&driver, BERTH_PRIVATE)->id;
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)model_harbor_add_robot(&driver.harbor, id, "ws-b", "b");
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_ADOPTED, false);
    assert_int_equal(driver.calls, 2);
    assert_int_equal(driver.outcome.after.bindings_count, 2);
    assert_string_equal(driver.outcome.after.bindings[0].key_id, DRIVER_KEY);
    assert_string_equal(driver.outcome.after.created_by, DRIVER_OTHER);
    driver_deinit(&driver);
}

/* Nothing of this command was lost, so it created nothing, whoever owns what is there. */
static void test_adopting_a_space_of_our_own_account_is_not_called_created(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, DRIVER_ACCOUNT, BERTH_PUBLIC);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_ADOPTED, false);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PUBLIC);
    driver_deinit(&driver);
}

static void add_namesake(struct driver *target, unsigned number) {
    if (number == 2) {
        (void)model_harbor_add(&target->harbor, DRIVER_SPACE, "alice", BERTH_PUBLIC);
    }
}

/* Somebody was quicker between the read and the request: that is adopted, not called created. */
static void test_adopting_what_appears_meanwhile(void **state) {
    (void)state;
    driver_init(&driver, BERTH_CREATE_SPACE);
    driver.command.if_exists = BERTH_IF_EXISTS_ADOPT;
    driver.on_call = add_namesake;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_ADOPTED, false);
    assert_string_equal(driver.outcome.after.created_by, "");
    assert_int_equal(driver.outcome.after.visibility, BERTH_PUBLIC);
    driver_deinit(&driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creating_takes_one_call),
        cmocka_unit_test(test_creating_with_a_quota_takes_one_read_more),
        cmocka_unit_test(test_a_quota_that_creation_ignored_is_set),
        cmocka_unit_test(test_a_registry_without_quotas_is_no_success),
        cmocka_unit_test(test_unlimited_is_fine_where_no_quotas_are_kept),
        cmocka_unit_test(test_an_existing_space_is_refused_with_one_call),
        cmocka_unit_test(test_a_conflict_is_proof_also_after_requests_that_had_no_effect),
        cmocka_unit_test(test_after_a_lost_reply_a_strangers_space_is_not_ours),
        cmocka_unit_test(test_what_harbor_calls_our_account_is_asked_when_it_decides),
        cmocka_unit_test(test_an_account_that_proves_nothing_leaves_a_lost_attempt_unproved),
        cmocka_unit_test(test_without_a_dedicated_account_a_lost_attempt_is_unproved),
        cmocka_unit_test(test_a_lost_request_is_sent_again),
        cmocka_unit_test(test_a_later_claim_reads_first_and_finds_its_own_space),
        cmocka_unit_test(test_a_recorded_creator_decides_whose_space_it_is),
        cmocka_unit_test(test_the_creator_of_an_earlier_namesake_does_not_count),
        cmocka_unit_test(test_what_harbor_refuses_is_final),
        cmocka_unit_test(test_adopting_takes_a_space_as_it_is),
        cmocka_unit_test(test_adopting_applies_what_the_command_says),
        cmocka_unit_test(test_adopting_reads_a_warm_space_too),
        cmocka_unit_test(test_adopting_a_space_of_our_own_account_is_not_called_created),
        cmocka_unit_test(test_adopting_what_appears_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
