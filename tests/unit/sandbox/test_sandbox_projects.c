/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's rules about projects; numbers in comments are paragraphs of the contract notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"

static struct berth_model_verdict get(struct fixture *fixture,
                                      const struct berth_model_caller *caller,
                                      struct berth_model_project_ref ref) {
    const struct berth_model_project *project = NULL;
    return berth_model_get_project(fixture->model, caller, ref, "read", &project);
}

static struct berth_model_verdict create(struct fixture *fixture,
                                         const struct berth_model_caller *caller,
                                         const struct berth_model_project_request *request) {
    const struct berth_model_project *project = NULL;
    return berth_model_create_project(fixture->model, caller, request, NOW_MS, &project);
}

static int64_t list_total(struct fixture *fixture, const struct berth_model_caller *caller,
                          const char *q, const char *is_public) {
    struct berth_model_query query;
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, q, NULL), BERTH_OK);
    const struct berth_model_project_list list = {.query = &query, .is_public = is_public};
    struct berth_model_query_page page;
    struct berth_model_verdict verdict =
        berth_model_list_projects(fixture->model, caller, &list, &page);
    assert_int_equal(verdict.status, 200);
    int64_t total = page.total;
    berth_model_query_page_deinit(&page);
    return total;
}

/* 1.7: a fresh Harbor has "library", public, owned by admin, with id 1. */
static void test_a_fresh_harbor_has_the_public_project_library(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_project *library =
        berth_model_find_project(fixture->model, by_name("library"));
    assert_non_null(library);
    assert_int_equal(library->id, 1);
    assert_string_equal(library->owner_name, "admin");
    assert_string_equal(library->is_public, "true");
}

/* 1.3: private and without a limit unless asked otherwise; the caller is the owner. */
static void test_a_new_project_is_private_unlimited_and_its_callers(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_name("team-a"));
    assert_string_equal(project->is_public, "false");
    assert_int_equal(project->storage_limit_bytes, -1);
    assert_int_equal(project->owner_id, 3);
    assert_string_equal(project->owner_name, "berth");
}

/* 1.3: the regular expression of names, at its edges. */
static void test_names_are_lower_case_with_single_separators(void **state) {
    struct fixture *fixture = *state;
    static const char *const LEGAL[] = {"a", "0", "123", "a-b", "a.b_c-d", "x1"};
    static const char *const ILLEGAL[] = {"",     "A",   "-a",  "a-",  "a--b",
                                          "a._b", "a b", "a/b", "a#1", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(LEGAL) / sizeof(LEGAL[0]); i++) {
        create_project(fixture, &fixture->berth, LEGAL[i], 201);
    }
    for (size_t i = 0; i < sizeof(ILLEGAL) / sizeof(ILLEGAL[0]); i++) {
        create_project(fixture, &fixture->berth, ILLEGAL[i], 400);
    }
}

/* 1.3: 255 bytes fit, one more is a matter of the schema. */
static void test_a_name_of_256_bytes_is_422(void **state) {
    struct fixture *fixture = *state;
    char name[257];
    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    create_project(fixture, &fixture->berth, name, 201);
    name[255] = 'a';
    name[256] = '\0';
    create_project(fixture, &fixture->berth, name, 422);
}

/* 1.3: create checks the word, 1.6: update does not. */
static void test_visibility_is_checked_by_create_only(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_project_request request = {.name = "team-a", .is_public = "True"};
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 400);
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_int_equal(berth_model_update_project(fixture->model, &fixture->berth, by_name("team-a"),
                                                "True", NOW_MS)
                         .status,
                     200);
    /* Access takes "True" for public, the filter of lists does not. */
    assert_int_equal(get(fixture, &fixture->anonymous, by_name("team-a")).status, 200);
    assert_int_equal(list_total(fixture, &fixture->berth, "name=team-a", "true"), 0);
    assert_int_equal(list_total(fixture, &fixture->berth, "name=team-a", "false"), 0);
}

/* 1.3: what a quota may be. */
static void test_a_storage_limit_is_unlimited_or_up_to_1024_tib(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_project_request request = {.name = "a",
                                                  .storage_limit_bytes = 1125899906842624};
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 201);
    request.name = "b";
    request.storage_limit_bytes = 1125899906842625;
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 400);
    request.storage_limit_bytes = -2;
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 400);
    request.storage_limit_bytes = -1;
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 201);
}

/* 1.3: a limit from somebody without the system's right is silently ignored, even a wrong one. */
static void test_a_storage_limit_from_a_plain_user_is_ignored(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_project_request request = {.name = "carols",
                                                        .storage_limit_bytes = -7};
    assert_int_equal(create(fixture, &fixture->carol, &request).status, 201);
    assert_int_equal(
        berth_model_find_project(fixture->model, by_name("carols"))->storage_limit_bytes, -1);
}

/* 1.4: 409 means that the name is taken, and a sequence is not rolled back. */
static void test_a_second_create_is_a_conflict_and_uses_up_an_id(void **state) {
    struct fixture *fixture = *state;
    int64_t first = create_project(fixture, &fixture->berth, "team-a", 201);
    struct berth_model_verdict verdict =
        create(fixture, &fixture->carol, &(struct berth_model_project_request){.name = "team-a"});
    assert_int_equal(verdict.status, 409);
    assert_string_equal(verdict.code, "CONFLICT");
    assert_string_equal(verdict.message, "The project named team-a already exists");
    assert_int_equal(create_project(fixture, &fixture->berth, "team-b", 201), first + 2);
}

/* 1.2: digits are an id unless the header says that they are a name. */
static void test_a_number_is_an_id_unless_it_must_be_a_name(void **state) {
    struct fixture *fixture = *state;
    int64_t numeric = create_project(fixture, &fixture->berth, "1", 201);
    const struct berth_model_project *project =
        berth_model_find_project(fixture->model, by_id_or_name("1"));
    assert_string_equal(project->name, "library");
    assert_int_equal(project_id(fixture, "1"), numeric);
    /* An id that nobody has is not tried as a name. */
    create_project(fixture, &fixture->berth, "777", 201);
    assert_null(berth_model_find_project(fixture->model, by_id_or_name("777")));
}

/* 1.7: ids are never used again; the name is, and nothing of the old project is left. */
static void test_a_name_that_is_used_again_gets_a_new_id(void **state) {
    struct fixture *fixture = *state;
    int64_t first = create_project(fixture, &fixture->berth, "team-a", 201);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    int64_t second = create_project(fixture, &fixture->berth, "team-a", 201);
    assert_true(second > first);
    assert_int_equal(berth_model_find_project(fixture->model, by_name("team-a"))->robot_count, 0);
}

/* 1.7: the second delete finds nothing, which is a success for whoever wanted it gone. */
static void test_a_second_delete_is_404(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    delete_project(fixture, &fixture->berth, "team-a", 404);
}

/* 1.7: only repositories hold a delete up. */
static void test_a_project_with_repositories_cannot_be_deleted(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_int_equal(berth_model_put_repository(fixture->model, "team-a", "img").status, 201);
    assert_int_equal(berth_model_put_repository(fixture->model, "team-a", "img").status, 200);
    struct berth_model_verdict verdict =
        berth_model_delete_project(fixture->model, &fixture->berth, by_name("team-a"));
    assert_int_equal(verdict.status, 412);
    assert_string_equal(verdict.code, "PRECONDITION");
    assert_string_equal(
        verdict.message,
        "precondition failed: the project contains repositories, can not be deleted");
    assert_int_equal(berth_model_remove_repository(fixture->model, "team-a", "img").status, 200);
    assert_int_equal(berth_model_remove_repository(fixture->model, "team-a", "img").status, 404);
    delete_project(fixture, &fixture->berth, "team-a", 200);
}

/* 1.7: "library" is not protected. */
static void test_library_can_be_deleted(void **state) {
    struct fixture *fixture = *state;
    delete_project(fixture, &fixture->berth, "library", 200);
}

/* 1.8: the whole table. Absence is told to system administrators only. */
static void test_a_missing_project_is_404_only_for_system_administrators(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(get(fixture, &fixture->berth, by_name("nope")).status, 404);
    assert_int_equal(get(fixture, &fixture->carol, by_name("nope")).status, 403);
    assert_int_equal(get(fixture, &fixture->anonymous, by_name("nope")).status, 401);
    delete_project(fixture, &fixture->berth, "nope", 404);
    delete_project(fixture, &fixture->carol, "nope", 403);
    delete_project(fixture, &fixture->anonymous, "nope", 401);
}

/* 1.8, 5.1: somebody else's private project looks like a missing one. */
static void test_a_private_project_is_403_for_others_and_401_for_nobody(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_int_equal(get(fixture, &fixture->carol, by_name("team-a")).status, 403);
    assert_int_equal(get(fixture, &fixture->anonymous, by_name("team-a")).status, 401);
}

/* 5.1: the owner is project administrator, nobody else's projects are his. */
static void test_a_plain_user_manages_his_own_projects_only(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->carol, "carols", 201);
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_int_equal(get(fixture, &fixture->carol, by_name("carols")).status, 200);
    delete_project(fixture, &fixture->carol, "team-a", 403);
    delete_project(fixture, &fixture->carol, "carols", 200);
}

/* 1.5, 5.1: anonymous lists are not refused, they are just short. */
static void test_lists_show_what_the_caller_may_see(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    create_project(fixture, &fixture->carol, "carols", 201);
    assert_int_equal(list_total(fixture, &fixture->berth, NULL, NULL), 3);
    assert_int_equal(list_total(fixture, &fixture->carol, NULL, NULL), 2);
    assert_int_equal(list_total(fixture, &fixture->carol, NULL, "false"), 1);
    assert_int_equal(list_total(fixture, &fixture->anonymous, NULL, NULL), 1);
    assert_int_equal(list_total(fixture, &fixture->anonymous, NULL, "false"), 0);
}

/* 1.5: the ways in which berth asks. */
static void test_lists_filter_by_name_id_owner_and_visibility(void **state) {
    struct fixture *fixture = *state;
    int64_t id = create_project(fixture, &fixture->berth, "team-a", 201);
    create_project(fixture, &fixture->berth, "team-b", 201);
    char q[64];
    assert_int_equal(list_total(fixture, &fixture->berth, "name=team-a", NULL), 1);
    assert_int_equal(list_total(fixture, &fixture->berth, "name=team", NULL), 0);
    assert_int_equal(list_total(fixture, &fixture->berth, "name=~TEAM", NULL), 2);
    assert_int_equal(list_total(fixture, &fixture->berth, "owner=berth", NULL), 2);
    assert_int_equal(list_total(fixture, &fixture->berth, "public=true", NULL), 1);
    (void)snprintf(q, sizeof(q), "project_id=[%lld~]", (long long)id + 1);
    assert_int_equal(list_total(fixture, &fixture->berth, q, NULL), 1);
    (void)snprintf(q, sizeof(q), "project_id=%lld", (long long)id);
    assert_int_equal(list_total(fixture, &fixture->berth, q, NULL), 1);
    assert_int_equal(list_total(fixture, &fixture->berth, "nonsense=1", NULL), 3);
}

/* 5.4: read-only mode is 403 DENIED for every write and for no read. */
static void test_read_only_mode_denies_writes_and_no_reads(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-a", 201);
    berth_model_set_read_only(fixture->model, true);
    struct berth_model_verdict verdict =
        create(fixture, &fixture->anonymous, &(struct berth_model_project_request){.name = "b"});
    assert_int_equal(verdict.status, 403);
    assert_string_equal(verdict.code, "DENIED");
    delete_project(fixture, &fixture->berth, "team-a", 403);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 403);
    assert_int_equal(get(fixture, &fixture->berth, by_name("team-a")).status, 200);
    berth_model_set_read_only(fixture->model, false);
    delete_project(fixture, &fixture->berth, "team-a", 200);
}

/* 1.3: proxy-cache projects are not for here: 403, 400 and 500 as Harbor gives them. */
static void test_a_proxy_cache_project_is_refused_as_harbor_refuses_it(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_project_request request = {
        .name = "proxy", .has_registry = true, .registry_id = 5};
    assert_int_equal(create(fixture, &fixture->carol, &request).status, 403);
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 500);
    request.registry_id = 0;
    assert_int_equal(create(fixture, &fixture->berth, &request).status, 400);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_a_fresh_harbor_has_the_public_project_library),
        WITH_FIXTURE(test_a_new_project_is_private_unlimited_and_its_callers),
        WITH_FIXTURE(test_names_are_lower_case_with_single_separators),
        WITH_FIXTURE(test_a_name_of_256_bytes_is_422),
        WITH_FIXTURE(test_visibility_is_checked_by_create_only),
        WITH_FIXTURE(test_a_storage_limit_is_unlimited_or_up_to_1024_tib),
        WITH_FIXTURE(test_a_storage_limit_from_a_plain_user_is_ignored),
        WITH_FIXTURE(test_a_second_create_is_a_conflict_and_uses_up_an_id),
        WITH_FIXTURE(test_a_number_is_an_id_unless_it_must_be_a_name),
        WITH_FIXTURE(test_a_name_that_is_used_again_gets_a_new_id),
        WITH_FIXTURE(test_a_second_delete_is_404),
        WITH_FIXTURE(test_a_project_with_repositories_cannot_be_deleted),
        WITH_FIXTURE(test_library_can_be_deleted),
        WITH_FIXTURE(test_a_missing_project_is_404_only_for_system_administrators),
        WITH_FIXTURE(test_a_private_project_is_403_for_others_and_401_for_nobody),
        WITH_FIXTURE(test_a_plain_user_manages_his_own_projects_only),
        WITH_FIXTURE(test_lists_show_what_the_caller_may_see),
        WITH_FIXTURE(test_lists_filter_by_name_id_owner_and_visibility),
        WITH_FIXTURE(test_read_only_mode_denies_writes_and_no_reads),
        WITH_FIXTURE(test_a_proxy_cache_project_is_refused_as_harbor_refuses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
