/* SPDX-License-Identifier: Apache-2.0 */
/* What a system administrator sets up over the API: configuration, users, members, metadata. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"

#define API    "/api/v2.0"
#define CONFIG API "/configurations"
#define ROBOT                                                                                      \
    "{\"name\":\"ws-1\",\"level\":\"project\",\"duration\":-1,\"permissions\":[{\"kind\":"         \
    "\"project\",\"namespace\":\"team-a\",\"access\":[{\"resource\":\"repository\",\"action\":"    \
    "\"pull\"}]}]}"
#define DAVE                                                                                       \
    "{\"username\":\"dave\",\"email\":\"dave@example.com\",\"realname\":\"Dave\",\"password\":"    \
    "\"Secret123\"}"

static void send(struct berth_sandbox_harbor *harbor, enum berth_sandbox_method method,
                 const char *path, const char *body, int expected_status) {
    struct berth_sandbox_request request = request_of(method, path, body);
    call_expecting(harbor, &request, expected_status);
}

static void send_as(struct berth_sandbox_harbor *harbor, const char *authorization,
                    enum berth_sandbox_method method, const char *path, const char *body,
                    int expected_status) {
    struct berth_sandbox_request request = request_of(method, path, body);
    request.authorization = authorization;
    call_expecting(harbor, &request, expected_status);
}

/* Asserts that the answer to a GET holds the text, or doesn't. */
static void shows(struct berth_sandbox_harbor *harbor, const char *path, const char *query,
                  const char *text, bool expected) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, path, NULL);
    request.query = query;
    struct berth_sandbox_reply reply = call(harbor, &request);
    assert_int_equal(reply.status, 200);
    assert_int_equal(strstr(reply.body, text) != NULL, expected);
    berth_sandbox_reply_deinit(&reply);
}

/* 5.7: what berth looks up, each with its value. */
static void test_the_configuration_is_for_administrators(void **state) {
    shows(*state, CONFIG, NULL, "\"robot_name_prefix\":{\"value\":\"robot$\"", true);
    shows(*state, CONFIG, NULL, "\"token_expiration\":{\"value\":30", true);
    shows(*state, CONFIG, NULL, "\"quota_per_project_enable\":{\"value\":true", true);
    shows(*state, CONFIG, NULL, "\"storage_per_project\":{\"value\":-1", true);
    send_as(*state, CAROL, BERTH_SANDBOX_GET, CONFIG, NULL, 403);
    send_as(*state, NULL, BERTH_SANDBOX_GET, CONFIG, NULL, 401);
    send_as(*state, CAROL, BERTH_SANDBOX_PUT, CONFIG, "{\"read_only\":true}", 403);
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"token_expiration\":0}", 400);
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"read_only\":1}", 422);
}

/* 2.3: all robots are called otherwise at once. */
static void test_a_new_prefix_renames_the_robots_that_are_there(void **state) {
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    send(*state, BERTH_SANDBOX_POST, API "/robots", ROBOT, 201);
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"robot_name_prefix\":\"bot:\"}", 200);
    shows(*state, API "/robots/1", NULL, "\"name\":\"bot:team-a+ws-1\"", true);
}

/* 4: projects made without quotas have none afterwards either, until they are made some. */
static void test_projects_can_be_without_a_quota(void **state) {
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"quota_per_project_enable\":false}", 200);
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    shows(*state, API "/quotas", "reference=project&reference_id=2", "storage", false);
    shows(*state, API "/projects/team-a/summary", NULL, "quota", false);
    send(*state, BERTH_SANDBOX_PUT, CONFIG,
         "{\"quota_per_project_enable\":true,\"storage_per_project\":4096}", 200);
    send(*state, BERTH_SANDBOX_POST, API "/projects", "{\"project_name\":\"team-b\"}", 201);
    shows(*state, API "/quotas", "reference=project&reference_id=3", "\"hard\":{\"storage\":4096}",
          true);
    shows(*state, API "/quotas", "reference=project&reference_id=2", "storage", false);
    send_as(*state, CAROL, BERTH_SANDBOX_POST, "/api/internal/syncquota", NULL, 403);
    send(*state, BERTH_SANDBOX_POST, "/api/internal/syncquota", NULL, 200);
    shows(*state, API "/quotas", "reference=project&reference_id=2", "\"hard\":{\"storage\":4096}",
          true);
    send(*state, BERTH_SANDBOX_DELETE, API "/projects/team-a", NULL, 200);
}

/* 1.3: and /systeminfo says so. */
static void test_creating_projects_can_be_for_administrators_only(void **state) {
    send_as(*state, CAROL, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"project_creation_restriction\":\"adminonly\"}",
         200);
    shows(*state, API "/systeminfo", NULL, "\"project_creation_restriction\":\"adminonly\"", true);
    send_as(*state, CAROL, BERTH_SANDBOX_POST, API "/projects", "{\"project_name\":\"b\"}", 403);
    send(*state, BERTH_SANDBOX_POST, API "/projects", "{\"project_name\":\"b\"}", 201);
}

/* 5.4: the one write that read-only mode lets through, or it would never end. */
static void test_read_only_mode_is_ended_where_it_was_begun(void **state) {
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"read_only\":true}", 200);
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 403);
    send(*state, BERTH_SANDBOX_PUT, CONFIG, "{\"read_only\":false}", 200);
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
}

/* 1.6: what a PUT doesn't name stays. */
static void test_a_put_leaves_other_metadata_alone(void **state) {
    send(*state, BERTH_SANDBOX_POST, API "/projects",
         "{\"project_name\":\"team-a\",\"metadata\":{\"auto_scan\":\"true\",\"colour\":\"red\"}}",
         201);
    send(*state, BERTH_SANDBOX_PUT, API "/projects/team-a", "{\"metadata\":{\"public\":\"true\"}}",
         200);
    shows(*state, API "/projects/team-a", NULL, "\"auto_scan\":\"true\"", true);
    shows(*state, API "/projects/team-a", NULL, "\"public\":\"true\"", true);
    shows(*state, API "/projects/team-a", NULL, "colour", false);
}

/* 1.6: unlike a PUT of the project, this one checks, and writes what it understood. */
static void test_metadata_by_key_are_checked_and_normalised(void **state) {
    static const char AT[] = API "/projects/team-a/metadatas/public";
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    send(*state, BERTH_SANDBOX_PUT, AT, "{\"public\":\"T\"}", 200);
    shows(*state, AT, NULL, "{\"public\":\"true\"}", true);
    shows(*state, API "/projects/team-a/metadatas/", NULL, "{\"public\":\"true\"}", true);
    send(*state, BERTH_SANDBOX_PUT, AT, "{\"public\":\"yes\"}", 400);
    send(*state, BERTH_SANDBOX_PUT, AT, "{\"auto_scan\":\"true\"}", 400);
    send(*state, BERTH_SANDBOX_PUT, AT, "{\"public\":true}", 422);
    send(*state, BERTH_SANDBOX_PUT, API "/projects/team-a/metadatas/colour", "{\"colour\":\"1\"}",
         400);
    send(*state, BERTH_SANDBOX_PUT, API "/projects/team-a/metadatas/severity",
         "{\"severity\":\"High\"}", 200);
    shows(*state, API "/projects/team-a/metadatas/severity", NULL, "\"high\"", true);
    send_as(*state, CAROL, BERTH_SANDBOX_PUT, AT, "{\"public\":\"false\"}", 403);
    send(*state, BERTH_SANDBOX_PUT, API "/projects/nope/metadatas/public", "{\"public\":\"1\"}",
         404);
}

/* 3.1: the Location has the project as it was given. */
static void test_members_are_added_changed_and_removed(void **state) {
    send(*state, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_POST, API "/projects/team-a/members",
                   "{\"role_id\":3,\"member_user\":{\"username\":\"carol\"}}");
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 201);
    assert_string_equal(header_of(&reply, "Location", ""), "/api/v2.0/projects/team-a/members/3");
    berth_sandbox_reply_deinit(&reply);
    call_expecting(*state, &request, 409);
    shows(*state, API "/projects/team-a/members", "entityname=carol", "\"role_name\":\"guest\"",
          true);
    send(*state, BERTH_SANDBOX_PUT, API "/projects/team-a/members/3", "{\"role_id\":1}", 200);
    shows(*state, API "/projects/team-a/members/3", NULL, "\"role_name\":\"projectAdmin\"", true);
    send(*state, BERTH_SANDBOX_DELETE, API "/projects/team-a/members/3", NULL, 200);
    send(*state, BERTH_SANDBOX_DELETE, API "/projects/team-a/members/3", NULL, 200);
    send(*state, BERTH_SANDBOX_GET, API "/projects/team-a/members/3", NULL, 404);
    send(*state, BERTH_SANDBOX_POST, API "/projects/team-a/members", "{\"role_id\":\"3\"}", 422);
}

/* 1.8: members of no project, for each kind of caller. */
static void test_members_of_a_missing_project_are_404_403_or_401(void **state) {
    send(*state, BERTH_SANDBOX_GET, API "/projects/nope/members", NULL, 404);
    send_as(*state, CAROL, BERTH_SANDBOX_GET, API "/projects/nope/members", NULL, 403);
    send_as(*state, NULL, BERTH_SANDBOX_GET, API "/projects/nope/members", NULL, 401);
}

static void test_users_come_and_go(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/users", DAVE);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 201);
    assert_string_equal(header_of(&reply, "Location", ""), "/api/v2.0/users/5");
    berth_sandbox_reply_deinit(&reply);
    call_expecting(*state, &request, 409);
    send(*state, BERTH_SANDBOX_POST, API "/users",
         "{\"username\":\"eve\",\"realname\":\"Eve\",\"password\":\"Secret123\"}", 400);
    send_as(*state, CAROL, BERTH_SANDBOX_POST, API "/users", DAVE, 403);
    send(*state, BERTH_SANDBOX_DELETE, API "/users/5", NULL, 200);
    send(*state, BERTH_SANDBOX_DELETE, API "/users/5", NULL, 404);
}

/* 2.2: exactly what POST /robots takes; of the system's a project's administrator hears nothing. */
static void test_the_rights_that_robots_may_hold_are_listed(void **state) {
    send_as(*state, CAROL, BERTH_SANDBOX_GET, API "/permissions", NULL, 403);
    shows(*state, API "/permissions", NULL, "{\"resource\":\"repository\",\"action\":\"pull\"}",
          true);
    shows(*state, API "/permissions", NULL, "\"system\":[", true);
    send_as(*state, CAROL, BERTH_SANDBOX_POST, API "/projects", PROJECT, 201);
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/permissions", NULL);
    request.authorization = CAROL;
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.body, "\"system\""));
    berth_sandbox_reply_deinit(&reply);
}

/* 5.5: before the question who it is. */
static void test_who_wants_no_json_gets_422(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/projects", NULL);
    request.accept = "text/xml";
    call_expecting(*state, &request, 422);
    request.accept = "text/xml, */*;q=0.1";
    call_expecting(*state, &request, 200);
    request.accept = "text/plain";
    request.path = API "/ping";
    call_expecting(*state, &request, 200);
}

/* A fault's read-only mode is over with its request; the configuration's stays. */
static void test_a_read_only_fault_leaves_the_configuration_alone(void **state) {
    const struct berth_sandbox_handling handling = {.read_only = true};
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    berth_sandbox_harbor_handle_with(*state, &request, &handling, &reply);
    assert_int_equal(reply.status, 403);
    berth_sandbox_reply_deinit(&reply);
    call_expecting(*state, &request, 201);
}

/* The halves over HTTP: only where there are two, and nothing is done by the first. */
static void test_a_request_can_stop_after_reading(void **state) {
    const struct berth_sandbox_handling nothing = {.read_only = false};
    struct berth_model_reading reading;
    struct berth_sandbox_request project = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    assert_false(berth_sandbox_harbor_read(*state, &project, &nothing, &reading));
    call_expecting(*state, &project, 201);
    struct berth_sandbox_request robot = request_of(BERTH_SANDBOX_POST, API "/robots", ROBOT);
    assert_true(berth_sandbox_harbor_read(*state, &robot, &nothing, &reading));
    send(*state, BERTH_SANDBOX_GET, API "/robots/1", NULL, 404);
    send(*state, BERTH_SANDBOX_DELETE, API "/projects/team-a", NULL, 200);
    const struct berth_sandbox_handling handling = {.reading = &reading};
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    berth_sandbox_harbor_handle_with(*state, &robot, &handling, &reply);
    assert_int_equal(reply.status, 201);
    berth_sandbox_reply_deinit(&reply);
    shows(*state, API "/robots/1", NULL, "\"permissions\":[]", true);
}

#define WITH_HARBOR(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HARBOR(test_the_configuration_is_for_administrators),
        WITH_HARBOR(test_a_new_prefix_renames_the_robots_that_are_there),
        WITH_HARBOR(test_projects_can_be_without_a_quota),
        WITH_HARBOR(test_creating_projects_can_be_for_administrators_only),
        WITH_HARBOR(test_read_only_mode_is_ended_where_it_was_begun),
        WITH_HARBOR(test_a_put_leaves_other_metadata_alone),
        WITH_HARBOR(test_metadata_by_key_are_checked_and_normalised),
        WITH_HARBOR(test_members_are_added_changed_and_removed),
        WITH_HARBOR(test_members_of_a_missing_project_are_404_403_or_401),
        WITH_HARBOR(test_users_come_and_go),
        WITH_HARBOR(test_the_rights_that_robots_may_hold_are_listed),
        WITH_HARBOR(test_who_wants_no_json_gets_422),
        WITH_HARBOR(test_a_read_only_fault_leaves_the_configuration_alone),
        WITH_HARBOR(test_a_request_can_stop_after_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
