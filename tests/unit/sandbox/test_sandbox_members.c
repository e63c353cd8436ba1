/* SPDX-License-Identifier: Apache-2.0 */
/* Members, their roles, and local users (paragraphs 1.8, 2.8 and 3.1 of the contract notes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_members.h"
#include "harbor_rules.h"
#include "model_fixture.h"

/* 0 unless added. */
static int64_t add(struct fixture *fixture, const struct berth_model_caller *caller,
                   const char *project, const char *user, int64_t role, int expected_status) {
    const struct berth_model_member_request request = {.role = role, .user_name = user};
    const struct berth_model_member *member = NULL;
    struct berth_model_verdict verdict =
        berth_model_add_member(fixture->model, caller, by_name(project), &request, &member);
    assert_int_equal(verdict.status, expected_status);
    return member == NULL ? 0 : member->id;
}

static size_t count(struct fixture *fixture, const char *user_name, int64_t expected_total) {
    struct berth_model_query query;
    struct berth_model_query_page page;
    berth_model_query_init(&query);
    struct berth_model_verdict verdict = berth_model_list_members(
        fixture->model, &fixture->berth, by_name("team-a"), user_name, &query, &page);
    assert_int_equal(verdict.status, 200);
    assert_int_equal(page.total, expected_total);
    size_t listed = page.count;
    berth_model_query_page_deinit(&page);
    return listed;
}

/* The owner's role comes from his membership, which a create makes and anybody may take away. */
static void test_whoever_creates_a_project_is_its_admin_until_removed(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->carol, "team-a", 201);
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_name("team-a"));
    assert_int_equal(berth_model_role(project, fixture->carol.user->id), BERTH_MODEL_ROLE_ADMIN);
    /* Member 1 is library's. */
    struct berth_model_verdict verdict =
        berth_model_delete_member(fixture->model, &fixture->berth, by_name("team-a"), 2);
    assert_int_equal(verdict.status, 200);
    delete_project(fixture, &fixture->carol, "team-a", 403);
}

static void test_a_second_membership_is_409_whatever_its_role(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_true(add(fixture, &fixture->berth, "team-a", "carol", 3, 201) > 0);
    add(fixture, &fixture->berth, "team-a", "carol", 1, 409);
    add(fixture, &fixture->berth, "team-a", "carol", 9, 409);
    assert_int_equal(count(fixture, NULL, 2), 2);
}

/* All looked before any wrote: the unique key's error isn't known to Harbor, and who deletes what
 * the other one has made doesn't meet it. */
static void test_adds_side_by_side_are_201_and_500_or_201_again(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_member_request request = {.role = 3, .user_name = "carol"};
    struct berth_model_reading readings[3];
    const int statuses[] = {201, 500, 201};
    for (size_t i = 0; i < 3; i++) {
        struct berth_model_verdict verdict = berth_model_read_for_member(
            fixture->model, &fixture->berth, by_name("team-a"), &request, &readings[i]);
        assert_int_equal(verdict.status, 200);
    }
    for (size_t i = 0; i < 3; i++) {
        const struct berth_model_member *member = NULL;
        struct berth_model_verdict verdict =
            berth_model_join_member(fixture->model, &request, &readings[i], &member);
        assert_int_equal(verdict.status, statuses[i]);
    }
    add(fixture, &fixture->berth, "team-a", "carol", 3, 409);
}

static void test_a_member_is_named_by_id_or_name_and_must_be_there(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_member_request by_unknown_id = {.role = 3, .user_id = 99};
    const struct berth_model_member_request by_nothing = {.role = 3};
    const struct berth_model_member *member = NULL;
    assert_int_equal(berth_model_add_member(fixture->model, &fixture->berth, by_name("team-a"),
                                            &by_unknown_id, &member)
                         .status,
                     400);
    assert_int_equal(berth_model_add_member(fixture->model, &fixture->berth, by_name("team-a"),
                                            &by_nothing, &member)
                         .status,
                     500);
    add(fixture, &fixture->berth, "team-a", "nobody", 3, 404);
    add(fixture, &fixture->berth, "team-a", "carol", 6, 400);
    add(fixture, &fixture->berth, "nope", "carol", 3, 404);
    add(fixture, &fixture->carol, "nope", "carol", 3, 403);
    add(fixture, &fixture->anonymous, "nope", "carol", 3, 401);
}

static void test_a_delete_of_no_member_is_200_and_of_zero_400(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    int64_t id = add(fixture, &fixture->berth, "team-a", "carol", 3, 201);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            berth_model_delete_member(fixture->model, &fixture->berth, by_name("team-a"), id)
                .status,
            200);
    }
    assert_int_equal(
        berth_model_delete_member(fixture->model, &fixture->berth, by_name("team-a"), 0).status,
        400);
    assert_int_equal(count(fixture, NULL, 1), 1);
    /* A member of another project isn't touched. */
    assert_int_equal(
        berth_model_update_member(fixture->model, &fixture->berth, by_name("library"), 2, 3).status,
        200);
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_name("team-a"));
    assert_int_equal(berth_model_role(project, fixture->berth.user->id), BERTH_MODEL_ROLE_ADMIN);
    assert_int_equal(
        berth_model_delete_member(fixture->model, &fixture->berth, by_name("library"), 2).status,
        200);
    assert_int_equal(count(fixture, NULL, 1), 1);
}

/* PUT checks nothing: no member, no role. */
static void test_an_unknown_role_takes_a_member_out_of_the_list(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    int64_t id = add(fixture, &fixture->berth, "team-a", "carol", 3, 201);
    assert_int_equal(
        berth_model_update_member(fixture->model, &fixture->berth, by_name("team-a"), id, 77)
            .status,
        200);
    assert_int_equal(
        berth_model_update_member(fixture->model, &fixture->berth, by_name("team-a"), 999, 1)
            .status,
        200);
    assert_int_equal(count(fixture, NULL, 2), 1);
}

/* The total ignores the name that the list is asked for. */
static void test_a_list_by_name_has_the_total_of_all(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    add(fixture, &fixture->berth, "team-a", "carol", 3, 201);
    assert_int_equal(count(fixture, "carol", 2), 1);
    assert_int_equal(count(fixture, "car", 2), 0);
}

static void test_roles_may_what_harbor_lets_them(void **state) {
    (void)state;
    static const struct {
        const char *resource;
        const char *action;
        bool may[6]; /* By role. */
    } CASES[] = {
        {"project", "read", {false, true, true, true, true, true}},
        {"project", "update", {false, true, false, false, false, false}},
        {"project", "delete", {false, true, false, false, false, false}},
        {"robot", "create", {false, true, false, false, false, false}},
        {"robot", "list", {false, true, true, true, true, false}},
        {"member", "list", {false, true, true, true, true, false}},
        {"member", "create", {false, true, false, false, false, false}},
        {"metadata", "update", {false, true, false, false, true, false}},
        {"repository", "pull", {false, true, true, true, true, true}},
        {"repository", "push", {false, true, true, false, true, false}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        for (int64_t role = 0; role < 6; role++) {
            assert_int_equal(berth_model_rules_role_may(role, CASES[i].resource, CASES[i].action),
                             CASES[i].may[role]);
        }
    }
}

/* 1.8 for somebody with a role: his project is his business, a missing one isn't. */
static void test_a_guest_sees_his_project_and_hears_403_of_none(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_project *project = NULL;
    assert_int_equal(berth_model_get_project(fixture->model, &fixture->carol, by_name("team-a"),
                                             "read", &project)
                         .status,
                     403);
    add(fixture, &fixture->berth, "team-a", "carol", 3, 201);
    assert_int_equal(berth_model_get_project(fixture->model, &fixture->carol, by_name("team-a"),
                                             "read", &project)
                         .status,
                     200);
    assert_int_equal(
        berth_model_get_project(fixture->model, &fixture->carol, by_name("nope"), "read", &project)
            .status,
        403);
    create_pull_robot(fixture, &fixture->carol, "team-a", "ws-1", "Secret123", 403);
}

static void test_users_are_made_and_deleted_by_administrators(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_user *user = NULL;
    assert_int_equal(
        berth_model_create_user(fixture->model, &fixture->carol, "dave", "Secret789", &user).status,
        403);
    assert_int_equal(
        berth_model_create_user(fixture->model, &fixture->berth, "dave", "short", &user).status,
        400);
    assert_int_equal(
        berth_model_create_user(fixture->model, &fixture->berth, "carol", "Secret789", &user)
            .status,
        409);
    assert_int_equal(
        berth_model_create_user(fixture->model, &fixture->berth, "dave", "Secret789", &user).status,
        201);
    int64_t id = user->id;
    assert_int_equal(login(fixture, "dave", "Secret789").kind, BERTH_MODEL_USER);
    assert_int_equal(berth_model_delete_user(fixture->model, &fixture->berth, id).status, 200);
    assert_int_equal(login(fixture, "dave", "Secret789").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(berth_model_delete_user(fixture->model, &fixture->berth, id).status, 404);
    assert_int_equal(berth_model_delete_user(fixture->model, &fixture->berth, 1).status, 403);
    assert_int_equal(berth_model_delete_user(fixture->model, &fixture->berth, 3).status, 403);
    /* The name is free again, its id isn't. */
    assert_int_equal(
        berth_model_create_user(fixture->model, &fixture->berth, "dave", "Secret789", &user).status,
        201);
    assert_true(user->id > id);
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_MODEL(test_whoever_creates_a_project_is_its_admin_until_removed),
        WITH_MODEL(test_a_second_membership_is_409_whatever_its_role),
        WITH_MODEL(test_adds_side_by_side_are_201_and_500_or_201_again),
        WITH_MODEL(test_a_member_is_named_by_id_or_name_and_must_be_there),
        WITH_MODEL(test_a_delete_of_no_member_is_200_and_of_zero_400),
        WITH_MODEL(test_an_unknown_role_takes_a_member_out_of_the_list),
        WITH_MODEL(test_a_list_by_name_has_the_total_of_all),
        cmocka_unit_test(test_roles_may_what_harbor_lets_them),
        WITH_MODEL(test_a_guest_sees_his_project_and_hears_403_of_none),
        WITH_MODEL(test_users_are_made_and_deleted_by_administrators),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
