/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/codec/harbor.h"

static struct berth_harbor_call any_call(enum berth_harbor_call_kind kind) {
    return (struct berth_harbor_call){
        .kind = kind,
        .space = "team-a",
        .project_id = 12,
        .robot_id = 34,
        .quota_id = 56,
        .visibility = BERTH_PRIVATE,
        .quota_bytes = BERTH_QUOTA_UNSET,
        .page = 1,
        .workspace = "w1",
        .robot_name = "ws-w1",
    };
}

static const struct berth_robot_marker MARKER = {.deployment = "prod", .key_id = "0a1b2c3d"};

static const struct berth_harbor_request_context CONTEXT = {
    .marker = &MARKER,
    .secret = "Hb1secret",
    .login_name = "robot$team-a+ws-w1",
};

static void assert_request(const struct berth_harbor_call *call, const char *method,
                           const char *path, const char *body) {
    struct berth_harbor_request request;
    assert_int_equal(berth_harbor_request_make(call, &CONTEXT, &request), BERTH_OK);
    assert_string_equal(request.method, method);
    assert_string_equal(request.path, path);
    assert_int_equal(request.body.len, strlen(body));
    if (body[0] != 0) {
        assert_string_equal((const char *)request.body.data, body);
    }
    assert_int_equal(request.resource_name, call->kind == BERTH_HARBOR_GET_PROJECT_NAME);
    berth_harbor_request_deinit(&request);
}

/* Harbor wants the visibility as a string, and puts its default where no quota is named. */
static void test_a_project_is_created_with_what_the_command_names(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_CREATE_PROJECT);
    assert_request(&call, "POST", "/api/v2.0/projects",
                   "{\"project_name\":\"team-a\",\"metadata\":{\"public\":\"false\"}}");
    call.visibility = BERTH_PUBLIC;
    call.quota_bytes = 1099511627776;
    assert_request(&call, "POST", "/api/v2.0/projects",
                   "{\"project_name\":\"team-a\",\"metadata\":{\"public\":\"true\"},"
                   "\"storage_limit\":1099511627776}");
    call.quota_bytes = BERTH_QUOTA_UNLIMITED;
    assert_request(&call, "POST", "/api/v2.0/projects",
                   "{\"project_name\":\"team-a\",\"metadata\":{\"public\":\"true\"},"
                   "\"storage_limit\":-1}");
}

/* A space is never public by omission. */
static void test_a_project_without_a_visibility_is_created_private(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_CREATE_PROJECT);
    call.visibility = BERTH_VISIBILITY_UNSET;
    assert_request(&call, "POST", "/api/v2.0/projects",
                   "{\"project_name\":\"team-a\",\"metadata\":{\"public\":\"false\"}}");
}

/* Without the header, a space called 123 would be project number 123. */
static void test_a_name_is_asked_for_as_a_name(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_GET_PROJECT_NAME);
    (void)snprintf(call.space, sizeof call.space, "123");
    assert_request(&call, "GET", "/api/v2.0/projects/123", "");
}

/* Names are checked long before; what slips through must not become another path. */
static void test_a_name_can_not_leave_its_segment(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_GET_PROJECT_NAME);
    (void)snprintf(call.space, sizeof call.space, "a/b?c%%\xc3\xa9");
    assert_request(&call, "GET", "/api/v2.0/projects/a%2Fb%3Fc%25%C3%A9", "");
}

/* The longest name, each byte escaped, fits. */
static void test_the_longest_name_fits(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_GET_PROJECT_NAME);
    memset(call.space, '/', sizeof call.space - 1);
    struct berth_harbor_request request;
    assert_int_equal(berth_harbor_request_make(&call, &CONTEXT, &request), BERTH_OK);
    assert_int_equal(strlen(request.path),
                     strlen("/api/v2.0/projects/") + 3UL * (BERTH_SPACE_BYTES - 1));
    berth_harbor_request_deinit(&request);

    call = any_call(BERTH_HARBOR_CREATE_ROBOT);
    memset(call.space, '"', sizeof call.space - 1);
    memset(call.workspace, '"', sizeof call.workspace - 1);
    memset(call.robot_name, '"', sizeof call.robot_name - 1);
    assert_int_equal(berth_harbor_request_make(&call, &CONTEXT, &request), BERTH_OK);
    berth_harbor_request_deinit(&request);
}

static void test_everything_else_goes_by_id(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_GET_PROJECT_ID);
    assert_request(&call, "GET", "/api/v2.0/projects/12", "");
    call.kind = BERTH_HARBOR_UPDATE_PROJECT;
    assert_request(&call, "PUT", "/api/v2.0/projects/12", "{\"metadata\":{\"public\":\"false\"}}");
    call.kind = BERTH_HARBOR_DELETE_PROJECT;
    assert_request(&call, "DELETE", "/api/v2.0/projects/12", "");
    call.kind = BERTH_HARBOR_GET_QUOTA;
    assert_request(&call, "GET", "/api/v2.0/quotas?reference=project&reference_id=12", "");
    call.kind = BERTH_HARBOR_SET_QUOTA;
    call.quota_bytes = BERTH_QUOTA_UNLIMITED;
    assert_request(&call, "PUT", "/api/v2.0/quotas/56", "{\"hard\":{\"storage\":-1}}");
    call.kind = BERTH_HARBOR_GET_ACCOUNT;
    assert_request(&call, "GET", "/api/v2.0/users/current", "");
    call.kind = BERTH_HARBOR_DELETE_ROBOT;
    assert_request(&call, "DELETE", "/api/v2.0/robots/34", "");
    call.kind = BERTH_HARBOR_PROBE;
    assert_request(&call, "GET", "/api/v2.0/systeminfo", "");
}

/* "q" is decoded twice by Harbor, so only what means the same both times stands in it. */
static void test_robots_are_listed_by_project_in_the_order_of_ids(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_LIST_ROBOTS);
    call.page = 3;
    assert_request(&call, "GET",
                   "/api/v2.0/robots?q=Level%3Dproject%2CProjectID%3D12&sort=id&page=3"
                   "&page_size=100",
                   "");
}

/* Exactly the right to pull from this one project, without an end, and marked as ours. */
static void test_a_robot_may_pull_and_nothing_else(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_CREATE_ROBOT);
    assert_request(
        &call, "POST", "/api/v2.0/robots",
        "{\"name\":\"ws-w1\",\"level\":\"project\",\"disable\":false,\"duration\":-1,"
        "\"description\":\"berth=prod;key=0a1b2c3d;ws=w1\",\"permissions\":[{\"kind\":\"project\","
        "\"namespace\":\"team-a\",\"access\":[{\"resource\":\"repository\","
        "\"action\":\"pull\"}]}]}");
}

/* Harbor compares the name in the body with the one it shows, prefix and all (contract 2.7). */
static void test_a_robot_is_enabled_under_its_login_name(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_MEND_ROBOT);
    assert_request(
        &call, "PUT", "/api/v2.0/robots/34",
        "{\"name\":\"robot$team-a+ws-w1\",\"level\":\"project\",\"disable\":false,"
        "\"duration\":-1,\"description\":\"berth=prod;key=0a1b2c3d;ws=w1\",\"permissions\":[{"
        "\"kind\":\"project\",\"namespace\":\"team-a\",\"access\":[{\"resource\":"
        "\"repository\",\"action\":\"pull\"}]}]}");

    struct berth_harbor_request lookup;
    berth_harbor_request_make_lookup(&call, &lookup);
    assert_string_equal(lookup.method, "GET");
    assert_string_equal(lookup.path, "/api/v2.0/robots/34");
    assert_int_equal(lookup.body.len, 0);
    berth_harbor_request_deinit(&lookup);
}

static void test_a_secret_is_set_and_never_left_to_harbor(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_SET_SECRET);
    assert_request(&call, "PATCH", "/api/v2.0/robots/34", "{\"secret\":\"Hb1secret\"}");
}

static void test_text_can_not_leave_its_string(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_CREATE_PROJECT);
    (void)snprintf(call.space, sizeof call.space, "a\"b\\c\n\x01\xc3\xa9");
    assert_request(&call, "POST", "/api/v2.0/projects",
                   "{\"project_name\":\"a\\u0022b\\u005cc\\u000a\\u0001\xc3\xa9\","
                   "\"metadata\":{\"public\":\"false\"}}");
}

/* Whoever cleans up need not know how far the work had come. */
static void test_giving_a_request_back_twice_is_fine(void **state) {
    (void)state;
    struct berth_harbor_call call = any_call(BERTH_HARBOR_SET_SECRET);
    struct berth_harbor_request request;
    assert_int_equal(berth_harbor_request_make(&call, &CONTEXT, &request), BERTH_OK);
    berth_harbor_request_deinit(&request);
    assert_null(request.body.data);
    berth_harbor_request_deinit(&request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_project_is_created_with_what_the_command_names),
        cmocka_unit_test(test_a_project_without_a_visibility_is_created_private),
        cmocka_unit_test(test_a_name_is_asked_for_as_a_name),
        cmocka_unit_test(test_a_name_can_not_leave_its_segment),
        cmocka_unit_test(test_the_longest_name_fits),
        cmocka_unit_test(test_everything_else_goes_by_id),
        cmocka_unit_test(test_robots_are_listed_by_project_in_the_order_of_ids),
        cmocka_unit_test(test_a_robot_may_pull_and_nothing_else),
        cmocka_unit_test(test_a_robot_is_enabled_under_its_login_name),
        cmocka_unit_test(test_a_secret_is_set_and_never_left_to_harbor),
        cmocka_unit_test(test_text_can_not_leave_its_string),
        cmocka_unit_test(test_giving_a_request_back_twice_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
