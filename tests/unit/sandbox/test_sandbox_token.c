/* SPDX-License-Identifier: Apache-2.0 */
/* Who may pull, as the token service and manifests tell; numbers in comments are paragraphs of the
 * contract notes. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "harbor_crypto.h"

#define API "/api/v2.0"
#define ROBOT                                                                                      \
    "{\"name\":\"ws-1\",\"level\":\"project\",\"duration\":-1,\"secret\":\"Chosen123\","           \
    "\"disable\":true,\"permissions\":[{\"kind\":\"project\",\"namespace\":\"team-a\","            \
    "\"access\":[{\"resource\":\"repository\",\"action\":\"pull\"}]}]}"

/* The access list in the token that the service gives to whoever has these credentials. */
static json_t *token_access(struct berth_sandbox_harbor *harbor, const char *authorization,
                            const char *query) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, "/service/token", NULL);
    request.authorization = authorization;
    request.query = query;
    struct berth_sandbox_reply reply = call(harbor, &request);
    assert_int_equal(reply.status, 200);
    json_t *body = json_loads(reply.body, 0, NULL);
    char *token = strdup(json_string_value(json_object_get(body, "token")));
    assert_non_null(token);
    char *payload_part = strchr(token, '.') + 1;
    *strrchr(payload_part, '.') = '\0';
    char *payload = berth_sandbox_crypto_base64url_text(payload_part);
    json_t *json = json_loads(payload, 0, NULL);
    json_t *access = json_incref(json_object_get(json, "access"));
    json_decref(json);
    json_decref(body);
    free(payload);
    free(token);
    berth_sandbox_reply_deinit(&reply);
    return access;
}

static void assert_actions(struct berth_sandbox_harbor *harbor, const char *authorization,
                           const char *expected) {
    json_t *access = token_access(harbor, authorization,
                                  "service=harbor-registry&scope=repository:team-a/img:pull");
    char *actions = json_dumps(json_object_get(json_array_get(access, 0), "actions"), JSON_COMPACT);
    assert_string_equal(actions, expected);
    free(actions);
    json_decref(access);
}

/* A robot of team-a; its login as an Authorization header (to be freed), with or without its real
 * secret. */
static char *robot_login(struct berth_sandbox_harbor *harbor, bool right_secret) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/robots", ROBOT);
    struct berth_sandbox_reply reply = call(harbor, &request);
    assert_int_equal(reply.status, 201);
    json_t *body = json_loads(reply.body, 0, NULL);
    const char *secret = right_secret ? json_string_value(json_object_get(body, "secret")) : "No1";
    char *credentials = NULL;
    assert_true(asprintf(&credentials, "%s:%s", json_string_value(json_object_get(body, "name")),
                         secret) > 0);
    char *encoded = berth_sandbox_crypto_base64url(credentials, strlen(credentials));
    char *header = NULL;
    static const char *const PADDING[] = {"", "===", "==", "="};
    assert_true(asprintf(&header, "Basic %s%s", encoded, PADDING[strlen(encoded) % 4]) > 0);
    free(encoded);
    free(credentials);
    json_decref(body);
    berth_sandbox_reply_deinit(&reply);
    return header;
}

/* 7.1: entitlement, not what was asked for, and 200 also for those who may nothing. */
static void test_the_token_service_tells_what_the_caller_may_do(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    char *robot = robot_login(*state, true);
    assert_actions(*state, robot, "[\"pull\"]");
    assert_actions(*state, BERTH, "[\"pull\",\"push\",\"delete\",\"scanner-pull\"]");
    assert_actions(*state, NOT_SO, "[]");
    assert_actions(*state, NULL, "[]");
    request = request_of(BERTH_SANDBOX_PUT, API "/projects/team-a",
                         "{\"metadata\":{\"public\":\"true\"}}");
    call_expecting(*state, &request, 200);
    assert_actions(*state, NULL, "[\"pull\"]");
    request = request_of(BERTH_SANDBOX_DELETE, API "/projects/team-a", NULL);
    call_expecting(*state, &request, 200);
    assert_actions(*state, robot, "[]");
    free(robot);
}

/* 7.1: without a scope it is a check of the credentials. */
static void test_the_token_service_without_scope_checks_the_login(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, "/service/token", NULL);
    request.query = "service=harbor-registry";
    call_expecting(*state, &request, 200);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 401);
    request.query = "service=nope";
    call_expecting(*state, &request, 400);
}

/* 7.2: whoever may pull finds nothing; whoever may not is told so. */
static void test_a_manifest_is_404_for_those_who_may_pull(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    char *robot = robot_login(*state, true);
    request = request_of(BERTH_SANDBOX_GET, "/v2/team-a/some/img/manifests/latest", NULL);
    request.authorization = robot;
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_error(&reply, 404, "NOT_FOUND", "artifact team-a/some/img:latest not found");
    berth_sandbox_reply_deinit(&reply);
    request.authorization = NOT_SO;
    reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_string_equal(header_of(&reply, "Www-Authenticate", ""), "Basic realm=\"harbor\"");
    berth_sandbox_reply_deinit(&reply);
    request.authorization = NULL;
    reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_non_null(header_of(&reply, "Www-Authenticate", "Bearer realm="));
    berth_sandbox_reply_deinit(&reply);
    free(robot);
}

/* The token of these credentials for team-a/img as an Authorization header; to be freed. */
static char *bearer_of(struct berth_sandbox_harbor *harbor, const char *authorization) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, "/service/token", NULL);
    request.authorization = authorization;
    request.query = "service=harbor-registry&scope=repository:team-a/img:pull";
    struct berth_sandbox_reply reply = call(harbor, &request);
    json_t *body = json_loads(reply.body, 0, NULL);
    char *header = NULL;
    assert_true(asprintf(&header, "Bearer %s", json_string_value(json_object_get(body, "token"))) >
                0);
    json_decref(body);
    berth_sandbox_reply_deinit(&reply);
    return header;
}

/* 7.4: a token is honoured without a look at the robot, until it expires; of this image only. */
static void test_a_token_outlives_its_robot_until_it_expires(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    char *robot = robot_login(*state, true);
    char *bearer = bearer_of(*state, robot);
    request = request_of(BERTH_SANDBOX_DELETE, API "/robots/1", NULL);
    call_expecting(*state, &request, 200);
    request = request_of(BERTH_SANDBOX_GET, "/v2/team-a/img/manifests/latest", NULL);
    request.authorization = robot;
    call_expecting(*state, &request, 401);
    request.authorization = bearer;
    request.now_ms = NOW_MS + INT64_C(1799000);
    call_expecting(*state, &request, 404);
    request.now_ms = NOW_MS + INT64_C(1800000);
    call_expecting(*state, &request, 401);
    request.now_ms = NOW_MS;
    request.path = "/v2/team-a/other/manifests/latest";
    call_expecting(*state, &request, 401);
    request.path = "/v2/team-a/img/manifests/latest";
    bearer[strlen(bearer) - 2] ^= 1;
    call_expecting(*state, &request, 401);
    free(bearer);
    free(robot);
}

/* 1.7: a token that is more than a minute older than the project was for another project. */
static void test_a_token_is_not_good_for_a_later_project_of_that_name(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    char *bearer = bearer_of(*state, BERTH);
    request = request_of(BERTH_SANDBOX_DELETE, API "/projects/team-a", NULL);
    call_expecting(*state, &request, 200);
    struct berth_sandbox_request manifest =
        request_of(BERTH_SANDBOX_GET, "/v2/team-a/img/manifests/latest", NULL);
    manifest.authorization = bearer;
    call_expecting(*state, &manifest, 401);
    request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    request.now_ms = NOW_MS + 61000;
    call_expecting(*state, &request, 201);
    manifest.now_ms = NOW_MS + 62000;
    call_expecting(*state, &manifest, 401);
    free(bearer);
}

/* 7.1: a robot whose secret is wrong is nobody, however right its name is. */
static void test_a_robot_with_a_wrong_secret_gets_no_actions(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    char *robot = robot_login(*state, false);
    assert_actions(*state, robot, "[]");
    free(robot);
}

/* 5.1: the check of one's own login. */
static void test_users_current_tells_users_robots_and_nobody_apart(void **state) {
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_GET, API "/users/current", NULL);
    call_expecting(*state, &request, 200);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 401);
    struct berth_sandbox_request create = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &create, 201);
    char *robot = robot_login(*state, true);
    request.authorization = robot;
    call_expecting(*state, &request, 412);
    free(robot);
}

#define WITH_HARBOR(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HARBOR(test_the_token_service_tells_what_the_caller_may_do),
        WITH_HARBOR(test_the_token_service_without_scope_checks_the_login),
        WITH_HARBOR(test_a_manifest_is_404_for_those_who_may_pull),
        WITH_HARBOR(test_a_token_outlives_its_robot_until_it_expires),
        WITH_HARBOR(test_a_token_is_not_good_for_a_later_project_of_that_name),
        WITH_HARBOR(test_a_robot_with_a_wrong_secret_gets_no_actions),
        WITH_HARBOR(test_users_current_tells_users_robots_and_nobody_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
