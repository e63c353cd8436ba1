/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's rules about quotas; numbers in comments are paragraphs of the contract notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "model_fixture.h"

static int64_t quota_of(struct fixture *fixture, const char *project) {
    return berth_model_find_project(fixture->model, by_name(project))->quota_id;
}

static int update(struct fixture *fixture, const struct berth_model_caller *caller, int64_t id,
                  const char *resource, int64_t value) {
    const struct berth_model_limit limit = {.resource = resource, .value = value};
    return berth_model_update_quota(fixture->model, caller, id, &limit, 1, NOW_MS).status;
}

/* 4: a row of its own, with an id of its own: the project's may be another number. */
static void test_a_quota_is_found_by_its_own_id(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    create_project(fixture, &fixture->berth, "team-a", 409);
    int64_t id = create_project(fixture, &fixture->berth, "team-b", 201);
    int64_t quota = quota_of(fixture, "team-b");
    assert_int_not_equal(quota, id);
    const struct berth_model_project *project = NULL;
    assert_int_equal(berth_model_get_quota(fixture->model, &fixture->berth, quota, &project).status,
                     200);
    assert_string_equal(project->name, "team-b");
}

/* 4: which limits are legal. */
static void test_a_limit_is_unlimited_or_up_to_1024_tib(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    int64_t quota = quota_of(fixture, "team-a");
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", 5000), 200);
    assert_int_equal(
        berth_model_find_project(fixture->model, by_name("team-a"))->storage_limit_bytes, 5000);
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", 0), 400);
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", -2), 400);
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", 1125899906842625), 400);
    assert_int_equal(update(fixture, &fixture->berth, quota, "cpu", 1), 400);
    assert_int_equal(
        berth_model_update_quota(fixture->model, &fixture->berth, quota, NULL, 0, NOW_MS).status,
        400);
    assert_int_equal(
        berth_model_find_project(fixture->model, by_name("team-a"))->storage_limit_bytes, 5000);
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", -1), 200);
}

/* 4, 5.1: system administrators only, and 404 for an id that nobody has. */
static void test_quotas_are_for_system_administrators(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->carol, "carols", 201);
    int64_t quota = quota_of(fixture, "carols");
    assert_int_equal(update(fixture, &fixture->carol, quota, "storage", 1), 403);
    assert_int_equal(update(fixture, &fixture->anonymous, quota, "storage", 1), 401);
    assert_int_equal(update(fixture, &fixture->berth, 999, "storage", 1), 404);
    const struct berth_model_project *project = NULL;
    struct berth_model_verdict verdict =
        berth_model_get_quota(fixture->model, &fixture->carol, quota, &project);
    assert_int_equal(verdict.status, 403);
    /* For the system's rights Harbor's message is just the name. */
    assert_string_equal(verdict.message, "carol");
}

/* 1.7: the quota goes with its project. */
static void test_a_quota_vanishes_with_its_project(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    int64_t quota = quota_of(fixture, "team-a");
    int64_t id = project_id(fixture, "team-a");
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_int_equal(update(fixture, &fixture->berth, quota, "storage", 1), 404);
    struct berth_model_query query;
    struct berth_model_query_page page;
    berth_model_query_init(&query);
    assert_int_equal(
        berth_model_list_quotas(fixture->model, &fixture->berth, id, &query, &page).status, 200);
    assert_int_equal(page.total, 0);
    berth_model_query_page_deinit(&page);
}

/* 6.1: a refused request changes nothing, though its first limit was legal. */
static void test_a_limit_for_another_resource_leaves_storage_as_it_was(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_limit limits[] = {{.resource = "storage", .value = 4096},
                                               {.resource = "count", .value = 3}};
    struct berth_model_verdict verdict = berth_model_update_quota(
        fixture->model, &fixture->berth, quota_of(fixture, "team-a"), limits, 2, NOW_MS);
    assert_int_equal(verdict.status, 400);
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_name("team-a"));
    assert_int_equal(project->storage_limit_bytes, -1);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_a_quota_is_found_by_its_own_id),
        WITH_FIXTURE(test_a_limit_is_unlimited_or_up_to_1024_tib),
        WITH_FIXTURE(test_quotas_are_for_system_administrators),
        WITH_FIXTURE(test_a_limit_for_another_resource_leaves_storage_as_it_was),
        WITH_FIXTURE(test_a_quota_vanishes_with_its_project),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
