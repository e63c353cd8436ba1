/* SPDX-License-Identifier: Apache-2.0 */
/* UpdateSpace and DeleteSpace: call counts, refusals, what goes on when the project isn't there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"
#include "plan_driver.h"

static struct driver driver;

static void replace_at(struct driver *target, unsigned number, unsigned at) {
    if (number == at) {
        model_harbor_remove(&target->harbor, model_harbor_find(&target->harbor, DRIVER_SPACE));
        (void)model_harbor_add(&target->harbor, DRIVER_SPACE, "alice", BERTH_PRIVATE);
    }
}

static void replace_before_call_1(struct driver *target, unsigned number) {
    replace_at(target, number, 1);
}

static void remove_before_call_1(struct driver *target, unsigned number) {
    if (number == 1) {
        model_harbor_remove(&target->harbor, model_harbor_find(&target->harbor, DRIVER_SPACE));
    }
}

static void remove_before_call_3(struct driver *target, unsigned number) {
    if (number == 3) {
        model_harbor_remove(&target->harbor, model_harbor_find(&target->harbor, DRIVER_SPACE));
    }
}

/* ---- UpdateSpace ---- */

static void init_update(enum berth_visibility is, enum berth_visibility wanted) {
    driver_init(&driver, BERTH_UPDATE_SPACE);
    (void)driver_space(&driver, is);
    driver.command.visibility = wanted;
}

static void test_changing_the_visibility_takes_one_call(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PUBLIC);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, true);
    assert_string_equal(driver.outcome.message, "Updated registry space successfully");
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.outcome.before.visibility, BERTH_PRIVATE);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PUBLIC);
    assert_int_equal(driver.outcome.after.bindings_count, 1);
    assert_true(driver.outcome.publish_state);
    assert_false(driver.outcome.verified);
    driver_deinit(&driver);
}

static void test_changing_the_quota_takes_two_calls_more(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PUBLIC);
    driver.command.quota_given = true;
    driver.command.quota_bytes = 77;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, true);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(driver.outcome.after.quota_bytes, 77);
    driver_deinit(&driver);
}

static void test_a_cold_update_takes_two_reads_more(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PUBLIC);
    driver.cold = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, true);
    assert_int_equal(driver.calls, 3);
    assert_true(driver.outcome.verified);
    driver_deinit(&driver);
}

/* Who asks for "private" is told that it is, not that it was so an hour ago. */
static void test_already_so_is_seen_with_one_read(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PRIVATE);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, false);
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_GET_PROJECT_ID], 1);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

static void test_a_space_that_was_opened_by_hand_is_closed(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PRIVATE);
    model_harbor_find(&driver.harbor, DRIVER_SPACE)->visibility = BERTH_PUBLIC;
    driver_run(&driver);
    assert_int_equal(driver.outcome.kind, BERTH_SUCCEEDED);
    assert_int_equal(model_harbor_find(&driver.harbor, DRIVER_SPACE)->visibility, BERTH_PRIVATE);
    driver_deinit(&driver);
}

/* What Redis doesn't know of the quota is read before it is set, so `before` is what was there. */
static void test_an_unknown_quota_is_told_as_it_was_before(void **state) {
    (void)state;
    driver_init(&driver, BERTH_UPDATE_SPACE);
    driver_space(&driver, BERTH_PRIVATE)->quota_bytes = 500;
    driver.redis.quota_bytes = BERTH_QUOTA_UNSET;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 500;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, false);
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.outcome.before.quota_bytes, 500);
    driver_deinit(&driver);
}

/* ... unless an earlier claim may have set it: rather a change too many than one that nobody sees.
 */
static void test_a_quota_that_an_earlier_claim_may_have_set_is_a_change(void **state) {
    (void)state;
    driver_init(&driver, BERTH_UPDATE_SPACE);
    driver_space(&driver, BERTH_PRIVATE)->quota_bytes = 500;
    driver.redis.quota_bytes = BERTH_QUOTA_UNSET;
    driver.command.quota_given = true;
    driver.command.quota_bytes = 500;
    driver_claimed_before(&driver);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, true);
    driver_deinit(&driver);
}

static void test_updating_what_is_not_there_is_refused(void **state) {
    (void)state;
    driver_init(&driver, BERTH_UPDATE_SPACE);
    driver.command.visibility = BERTH_PUBLIC;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_FOUND, false);
    assert_int_equal(driver.calls, 1);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_ABSENT);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* Redis still had it: the topic of spaces gets its tombstone. */
static void test_a_space_that_went_is_not_found_and_its_tombstone_is_published(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PUBLIC);
    driver.on_call = remove_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_FOUND, false);
    assert_int_equal(driver.calls, 3);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_ABSENT);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* An empty list of quotas is also what Harbor says of a project that is gone. */
static void test_no_quota_of_a_space_that_went_is_not_found(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_VISIBILITY_UNSET);
    driver.command.quota_given = true;
    driver.command.quota_bytes = 77;
    driver.on_call = remove_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_FOUND, false);
    driver_deinit(&driver);
}

/* Another project has the name now: the command goes on with that one, and tells its bindings. */
static void test_updating_goes_on_with_a_replacement(void **state) {
    (void)state;
    init_update(BERTH_PRIVATE, BERTH_PUBLIC);
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver.on_call = replace_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_UPDATED, true);
    assert_int_equal(driver.outcome.after.visibility, BERTH_PUBLIC);
    assert_int_not_equal(driver.outcome.after.project_id, driver.outcome.before.project_id);
    assert_int_equal(driver.outcome.after.bindings_count, 0);
    assert_string_equal(driver.outcome.after.created_by, "");
    driver_deinit(&driver);
}

/* ---- DeleteSpace ---- */

static void init_delete(void) {
    driver_init(&driver, BERTH_DELETE_SPACE);
    (void)driver_space(&driver, BERTH_PRIVATE);
}

static void test_deleting_takes_three_calls_warm_or_cold(void **state) {
    (void)state;
    for (int cold = 0; cold < 2; cold++) {
        init_delete();
        driver.cold = cold == 1;
        driver_run(&driver);
        driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, true);
        assert_string_equal(driver.outcome.message, "Deleted registry space successfully");
        assert_int_equal(driver.calls, 3);
        assert_int_equal(driver.outcome.before.knowledge, BERTH_SPACE_PRESENT);
        assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_ABSENT);
        assert_true(driver.outcome.publish_state);
        driver_deinit(&driver);
    }
}

/* The sentence stays short; the details have all names. */
static void test_a_bound_space_is_refused_naming_its_workspaces(void **state) {
    (void)state;
    init_delete();
    (void)driver_binding(&driver, "w1", DRIVER_KEY);
    (void)driver_binding(&driver, "w2", DRIVER_KEY);
    (void)driver_binding(&driver, "w3", DRIVER_KEY);
    (void)driver_binding(&driver, "w4", DRIVER_KEY);
    (void)driver_binding(&driver, "w5", DRIVER_KEY);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_BOUND, false);
    assert_string_equal(driver.outcome.message,
                        "Space 'team-a' is still bound to w1, w2, w3 and others (5 in all): unbind "
                        "first, or delete it with unbind (berth send delete-space --unbind).");
    driver_expect_detail(&driver, "workspaces", "w1, w2, w3, w4, w5");
    driver_expect_detail(&driver, "workspaces_count", "5");
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_DELETE_PROJECT], 0);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* Harbor removes the robots with the project: they are never deleted first. */
static void test_deleting_with_unbind_is_one_request_and_tells_who_lost_access(void **state) {
    (void)state;
    init_delete();
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ci", NULL);
    driver.command.unbind = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, true);
    driver_expect_binding(&driver, "a", BERTH_BINDING_UNBOUND, BERTH_CODE_WORKSPACE_UNBOUND);
    driver_expect_detail(&driver, "workspaces", "a");
    driver_expect_detail(&driver, "foreign_robots", "1");
    driver_expect_detail(&driver, "foreign_robot", "ci");
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_DELETE_ROBOT], 0);
    assert_int_equal(driver.calls, 3);
    driver_deinit(&driver);
}

static void test_foreign_robots_are_refused_with_an_example(void **state) {
    (void)state;
    init_delete();
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "ci", NULL);
    (void)model_harbor_add_robot(&driver.harbor, driver.redis.project_id, "deploy", NULL);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_FOREIGN_ROBOTS, false);
    driver_expect_detail(&driver, "foreign_robots", "2");
    driver_expect_detail(&driver, "foreign_robot", "ci");
    assert_non_null(strstr(driver.outcome.message, "(number: 2, such as 'ci')"));
    driver_deinit(&driver);
}

static void test_repositories_are_counted_before_anything_is_sent(void **state) {
    (void)state;
    init_delete();
    model_harbor_find(&driver.harbor, DRIVER_SPACE)->repositories = 2;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_EMPTY, false);
    driver_expect_detail(&driver, "repositories", "2");
    assert_string_equal(driver.outcome.message, "Space 'team-a' is not empty (repositories: 2): "
                                                "delete its repositories in Harbor first.");
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_DELETE_PROJECT], 0);
    driver_deinit(&driver);
}

/* A push between the look and the deletion: Harbor's 412 is read back for the number. */
static void test_a_repository_that_appears_meanwhile_is_counted(void **state) {
    (void)state;
    init_delete();
    driver.harbor.refuses_deletion = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_EMPTY, false);
    driver_expect_detail(&driver, "repositories", "1");
    assert_int_equal(driver.calls, 4);
    assert_int_equal(driver.retries, 0);
    driver_deinit(&driver);
}

/* Harbor's word counts also when its count is behind: the command does not go round in circles. */
static void test_a_repository_that_is_not_counted_is_refused_too(void **state) {
    (void)state;
    init_delete();
    driver.harbor.refuses_deletion = true;
    driver.harbor.hides_repositories = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_NOT_EMPTY, false);
    driver_expect_detail(&driver, "repositories", "at least 1");
    assert_int_equal(driver.calls, 4);
    driver_deinit(&driver);
}

static void test_a_protected_space_is_never_deleted(void **state) {
    (void)state;
    static const char *const protected_spaces[] = {"library", DRIVER_SPACE};
    init_delete();
    driver.settings.protected_spaces = protected_spaces;
    driver.settings.protected_spaces_count = 2;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_PROTECTED, false);
    assert_int_equal(driver.harbor.calls[BERTH_HARBOR_DELETE_PROJECT], 0);
    driver_deinit(&driver);
}

/* Gone already: success without a change, and a tombstone if anybody may still believe in it. */
static void test_deleting_what_is_gone_succeeds_without_a_change(void **state) {
    (void)state;
    init_delete();
    (void)driver_binding(&driver, "a", DRIVER_KEY);
    driver.on_call = remove_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, false);
    assert_int_equal(driver.calls, 2);
    assert_true(driver.outcome.publish_state);
    assert_int_equal(driver.outcome.bindings_count, 0);
    driver_deinit(&driver);

    /* Redis has its own tombstone still: so has the topic. */
    driver_init(&driver, BERTH_DELETE_SPACE);
    driver.redis.knowledge = BERTH_SPACE_ABSENT;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, false);
    assert_int_equal(driver.calls, 1);
    assert_false(driver.outcome.publish_state);
    driver_deinit(&driver);

    /* Redis knows nothing: the topic may have anything. */
    driver_init(&driver, BERTH_DELETE_SPACE);
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, false);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* Gone between the look and the request: nobody can say that this command did it. */
static void test_a_space_that_goes_meanwhile_is_no_change_of_ours(void **state) {
    (void)state;
    init_delete();
    driver.on_call = remove_before_call_3;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, false);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_ABSENT);
    driver_deinit(&driver);
}

/* Harbor's cache goes on showing it; the answer to the deletion is the truth (6.4). */
static void test_a_cache_that_shows_a_deleted_space_is_not_believed(void **state) {
    (void)state;
    init_delete();
    driver.harbor.shows_deleted = true;
    driver.on_call = remove_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_SUCCEEDED, BERTH_CODE_SPACE_DELETED, false);
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_ABSENT);
    driver_deinit(&driver);
}

/* The command was sent for another project than the one that has the name now. */
static void test_a_replacement_is_not_deleted(void **state) {
    (void)state;
    init_delete();
    driver.on_call = replace_before_call_1;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_REPLACED, false);
    assert_non_null(model_harbor_find(&driver.harbor, DRIVER_SPACE));
    assert_int_equal(driver.outcome.after.knowledge, BERTH_SPACE_PRESENT);
    assert_true(driver.outcome.publish_state);
    driver_deinit(&driver);
}

/* The same after a crash: an earlier claim deleted it, or met nothing, and now there is another. */
static void test_a_later_claim_does_not_delete_what_it_did_not_meet(void **state) {
    (void)state;
    init_delete();
    driver_claimed_before(&driver);
    replace_at(&driver, 1, 1);
    driver.cold = true;
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_REPLACED, true);
    driver_deinit(&driver);

    driver_init(&driver, BERTH_DELETE_SPACE);
    driver.redis.knowledge = BERTH_SPACE_ABSENT;
    driver.redis.project_id = 1; /* Says nothing of what is absent, not even by chance. */
    driver_claimed_before(&driver);
    (void)model_harbor_add(&driver.harbor, DRIVER_SPACE, "alice", BERTH_PRIVATE);
    driver_run(&driver);
    driver_expect(&driver, BERTH_REJECTED, BERTH_CODE_SPACE_REPLACED, true);
    assert_non_null(model_harbor_find(&driver.harbor, DRIVER_SPACE));
    driver_deinit(&driver);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changing_the_visibility_takes_one_call),
        cmocka_unit_test(test_changing_the_quota_takes_two_calls_more),
        cmocka_unit_test(test_a_cold_update_takes_two_reads_more),
        cmocka_unit_test(test_already_so_is_seen_with_one_read),
        cmocka_unit_test(test_a_space_that_was_opened_by_hand_is_closed),
        cmocka_unit_test(test_an_unknown_quota_is_told_as_it_was_before),
        cmocka_unit_test(test_a_quota_that_an_earlier_claim_may_have_set_is_a_change),
        cmocka_unit_test(test_updating_what_is_not_there_is_refused),
        cmocka_unit_test(test_a_space_that_went_is_not_found_and_its_tombstone_is_published),
        cmocka_unit_test(test_no_quota_of_a_space_that_went_is_not_found),
        cmocka_unit_test(test_updating_goes_on_with_a_replacement),
        cmocka_unit_test(test_deleting_takes_three_calls_warm_or_cold),
        cmocka_unit_test(test_a_bound_space_is_refused_naming_its_workspaces),
        cmocka_unit_test(test_deleting_with_unbind_is_one_request_and_tells_who_lost_access),
        cmocka_unit_test(test_foreign_robots_are_refused_with_an_example),
        cmocka_unit_test(test_repositories_are_counted_before_anything_is_sent),
        cmocka_unit_test(test_a_repository_that_appears_meanwhile_is_counted),
        cmocka_unit_test(test_a_repository_that_is_not_counted_is_refused_too),
        cmocka_unit_test(test_a_protected_space_is_never_deleted),
        cmocka_unit_test(test_deleting_what_is_gone_succeeds_without_a_change),
        cmocka_unit_test(test_a_space_that_goes_meanwhile_is_no_change_of_ours),
        cmocka_unit_test(test_a_cache_that_shows_a_deleted_space_is_not_believed),
        cmocka_unit_test(test_a_replacement_is_not_deleted),
        cmocka_unit_test(test_a_later_claim_does_not_delete_what_it_did_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
