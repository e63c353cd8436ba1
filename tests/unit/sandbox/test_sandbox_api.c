/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor over HTTP, without sockets; numbers in comments are paragraphs of the contract notes. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"

#define API "/api/v2.0"
#define ROBOT                                                                                      \
    "{\"name\":\"ws-1\",\"level\":\"project\",\"duration\":-1,\"secret\":\"Chosen123\","           \
    "\"disable\":true,\"permissions\":[{\"kind\":\"project\",\"namespace\":\"team-a\","            \
    "\"access\":[{\"resource\":\"repository\",\"action\":\"pull\"}]}]}"

/* 1.1, 1.3: no body, and the id, or on demand the name, in a relative Location. */
static void test_a_create_answers_201_with_a_location(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 201);
    assert_null(reply.body);
    assert_string_equal(header_of(&reply, "Location", ""), "/api/v2.0/projects/2");
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_POST, API "/projects", "{\"project_name\":\"b\"}");
    request.name_in_location = "true";
    reply = call(*state, &request);
    assert_string_equal(header_of(&reply, "Location", ""), "/api/v2.0/projects/b");
    berth_sandbox_reply_deinit(&reply);
}

/* 5.5: the error body, to the letter. */
static void test_errors_have_harbors_body(void **state) {
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_GET, API "/projects/nope", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 404);
    assert_string_equal(
        reply.body,
        "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"project nope not found\"}]}\n");
    berth_sandbox_reply_deinit(&reply);
}

/* 1.8: an unknown path tells itself apart from a missing object by its message only. */
static void test_an_unknown_path_is_404_with_a_message_that_says_path(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/nope", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_error(&reply, 404, "NOT_FOUND", "path /api/v2.0/nope was not found");
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_PATCH, API "/projects", NULL);
    reply = call(*state, &request);
    assert_error(&reply, 405, "METHOD_NOT_ALLOWED",
                 "method PATCH is not allowed, but [POST,GET,HEAD] are");
    berth_sandbox_reply_deinit(&reply);
}

/* 5.2, 5.5: what can't be bound is 422, and that comes before 401. */
static void test_bodies_that_cannot_be_bound_are_422(void **state) {
    static const char *const BODIES[] = {
        "",
        "{",
        "[]",
        "{\"project_name\":1}",
        "{\"project_name\":\"x\",\"metadata\":{\"public\":true}}",
        "{\"project_name\":\"x\",\"metadata\":7}",
        "{\"project_name\":\"x\",\"storage_limit\":\"1\"}",
        "{\"project_name\":\"x\",\"storage_limit\":1.5}",
        "{\"project_name\":\"x\",\"public\":\"true\"}",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        struct berth_sandbox_request request =
            request_of(BERTH_SANDBOX_POST, API "/projects", BODIES[i]);
        call_expecting(*state, &request, 422);
        request.authorization = NULL;
        call_expecting(*state, &request, 422);
    }
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    request.content_type = "text/plain";
    call_expecting(*state, &request, 422);
    request.content_type = "application/json; charset=utf-8";
    call_expecting(*state, &request, 201);
}

/* 1.1: HEAD has statuses and no bodies, and tells of private projects to whoever is logged in. */
static void test_head_tells_whether_a_project_exists(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_HEAD, API "/projects", NULL);
    call_expecting(*state, &request, 422);
    request.query = "project_name=library";
    call_expecting(*state, &request, 200);
    request.query = "project_name=nope";
    call_expecting(*state, &request, 404);
    request.query = "project_name=a+b";
    call_expecting(*state, &request, 400);
    request.query = "project_name=library";
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 401);
}

/* 5.1: wrong credentials don't make a list fail, they make it short. */
static void test_wrong_credentials_still_list_public_projects(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 401);
    request = request_of(BERTH_SANDBOX_GET, API "/projects", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_string_equal(header_of(&reply, "X-Total-Count", ""), "2");
    berth_sandbox_reply_deinit(&reply);
    request.authorization = NOT_SO;
    reply = call(*state, &request);
    assert_int_equal(reply.status, 200);
    assert_string_equal(header_of(&reply, "X-Total-Count", ""), "1");
    berth_sandbox_reply_deinit(&reply);
}

/* 1.5: pages of at most 100, links with the URL's text decoded. */
static void test_lists_are_paged(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    request = request_of(BERTH_SANDBOX_GET, API "/projects", NULL);
    request.query = "page_size=101";
    call_expecting(*state, &request, 422);
    request.query = "page=x";
    call_expecting(*state, &request, 422);
    request.query = "q=name";
    call_expecting(*state, &request, 400);
    request.query = "page_size=1&page=1&sort=name&q=name%3D~a";
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_string_equal(
        header_of(&reply, "Link", ""),
        "</api/v2.0/projects?page=2&page_size=1&q=name=~a&sort=name>; rel=\"next\"");
    berth_sandbox_reply_deinit(&reply);
    request.query = "page_size=1&page=2";
    reply = call(*state, &request);
    assert_string_equal(header_of(&reply, "Link", ""),
                        "</api/v2.0/projects?page=1&page_size=1>; rel=\"prev\"");
    berth_sandbox_reply_deinit(&reply);
    request.query = "name=nope";
    reply = call(*state, &request);
    assert_string_equal(reply.body, "[]");
    assert_string_equal(header_of(&reply, "X-Total-Count", ""), "0");
    assert_null(header_of(&reply, "Link", ""));
    berth_sandbox_reply_deinit(&reply);
}

/* 1.5: without details there is no visibility. */
static void test_with_detail_false_drops_the_metadata(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/projects", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_non_null(strstr(reply.body, "\"metadata\":{\"public\":\"true\"}"));
    berth_sandbox_reply_deinit(&reply);
    request.query = "with_detail=false";
    reply = call(*state, &request);
    assert_null(strstr(reply.body, "metadata"));
    berth_sandbox_reply_deinit(&reply);
}

/* 1.2: the header decides, in a path of digits. */
static void test_the_header_makes_a_number_a_name(void **state) {
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_POST, API "/projects", "{\"project_name\":\"1\"}");
    call_expecting(*state, &request, 201);
    request = request_of(BERTH_SANDBOX_DELETE, API "/projects/1", NULL);
    request.is_resource_name = "true";
    call_expecting(*state, &request, 200);
    call_expecting(*state, &request, 404);
    request.is_resource_name = NULL;
    call_expecting(*state, &request, 200);
    request = request_of(BERTH_SANDBOX_GET, API "/projects/library", NULL);
    call_expecting(*state, &request, 404);
}

/* 2.2, 2.3: the secret is shown once, and what the body chose is ignored. */
static void test_a_robots_secret_is_made_up_and_shown_once(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    request = request_of(BERTH_SANDBOX_POST, API "/robots", ROBOT);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 201);
    assert_string_equal(header_of(&reply, "Location", ""), "/api/v2.0/robots/1");
    json_t *body = json_loads(reply.body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(body, "name")), "robot$team-a+ws-1");
    const char *secret = json_string_value(json_object_get(body, "secret"));
    assert_int_equal(strlen(secret), 32);
    assert_string_not_equal(secret, "Chosen123");
    json_decref(body);
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_GET, API "/robots/1", NULL);
    reply = call(*state, &request);
    assert_null(strstr(reply.body, "secret"));
    assert_non_null(strstr(reply.body, "\"disable\":false"));
    berth_sandbox_reply_deinit(&reply);
}

/* 2.4: a chosen secret is not repeated, a made-up one is told. */
static void test_patch_answers_with_made_up_secrets_only(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", PROJECT);
    call_expecting(*state, &request, 201);
    request = request_of(BERTH_SANDBOX_POST, API "/robots", ROBOT);
    call_expecting(*state, &request, 201);
    request = request_of(BERTH_SANDBOX_PATCH, API "/robots/1", "{\"secret\":\"Chosen123\"}");
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "{}");
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_PATCH, API "/robots/1", "{}");
    reply = call(*state, &request);
    assert_non_null(strstr(reply.body, "{\"secret\":\""));
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_PATCH, API "/robots/x", "{}");
    call_expecting(*state, &request, 422);
}

/* Robot bodies of wrong types are 422 wherever they are wrong; null is an empty permission. */
static void test_robot_bodies_of_wrong_types_are_422(void **state) {
    static const struct {
        const char *body;
        int status;
    } CASES[] = {
        {"{\"name\":7}", 422},
        {"{\"duration\":\"1\"}", 422},
        {"{\"permissions\":{}}", 422},
        {"{\"permissions\":[7]}", 422},
        {"{\"permissions\":[{\"access\":7}]}", 422},
        {"{\"permissions\":[{\"access\":[7]}]}", 422},
        {"{\"permissions\":[{\"access\":[{\"action\":7}]}]}", 422},
        {"{\"name\":\"a\",\"level\":\"project\",\"duration\":1,\"permissions\":[null]}", 400},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct berth_sandbox_request request =
            request_of(BERTH_SANDBOX_POST, API "/robots", CASES[i].body);
        call_expecting(*state, &request, CASES[i].status);
    }
}

/* 5.4: before body, route and rights; visible to whoever is logged in. */
static void test_read_only_mode_comes_before_everything_but_csrf(void **state) {
    berth_model_set_read_only(berth_sandbox_harbor_model(*state), true);
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, API "/projects", "{");
    request.authorization = NULL;
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_error(&reply, 403, "DENIED",
                 "The system is in read only mode. Any modification is prohibited.");
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_GET, API "/systeminfo", NULL);
    reply = call(*state, &request);
    assert_non_null(strstr(reply.body, "\"read_only\":true"));
    berth_sandbox_reply_deinit(&reply);
}

/* 5.7: without a login there is no version: a check of the credentials, too. */
static void test_systeminfo_keeps_the_version_from_strangers(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/systeminfo", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_non_null(strstr(reply.body, "harbor_version"));
    berth_sandbox_reply_deinit(&reply);
    request.authorization = NOT_SO;
    reply = call(*state, &request);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.body, "harbor_version"));
    berth_sandbox_reply_deinit(&reply);
}

/* 5.6: echoed on success, refusal and CSRF error alike; made up when there is none. */
static void test_the_request_id_is_echoed_or_made_up(void **state) {
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_GET, API "/projects/nope", NULL);
    request.request_id = "event-1/2";
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_string_equal(header_of(&reply, "X-Request-Id", ""), "event-1/2");
    berth_sandbox_reply_deinit(&reply);
    request.method = BERTH_SANDBOX_DELETE;
    request.cookie = "sid=stale";
    reply = call(*state, &request);
    assert_int_equal(reply.status, 403);
    assert_string_equal(header_of(&reply, "X-Request-Id", ""), "event-1/2");
    berth_sandbox_reply_deinit(&reply);
    request.request_id = NULL;
    reply = call(*state, &request);
    assert_int_equal(strlen(header_of(&reply, "X-Request-Id", "")), 36);
    berth_sandbox_reply_deinit(&reply);
}

/* 4: the quota of a project is found by the project's id and changed by its own. */
static void test_quotas_are_listed_by_project_and_updated_by_id(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, API "/quotas", NULL);
    request.query = "reference=project&reference_id=1";
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_string_equal(header_of(&reply, "X-Total-Count", ""), "1");
    berth_sandbox_reply_deinit(&reply);
    request.query = "reference=project&reference_id=99";
    reply = call(*state, &request);
    assert_string_equal(reply.body, "[]");
    berth_sandbox_reply_deinit(&reply);
    request = request_of(BERTH_SANDBOX_PUT, API "/quotas/1", "{\"hard\":{\"storage\":\"1\"}}");
    call_expecting(*state, &request, 422);
    request = request_of(BERTH_SANDBOX_PUT, API "/quotas/1", "{\"hard\":{\"storage\":1000}}");
    call_expecting(*state, &request, 200);
    request = request_of(BERTH_SANDBOX_GET, API "/quotas/1", NULL);
    reply = call(*state, &request);
    assert_non_null(strstr(reply.body, "\"hard\":{\"storage\":1000}"));
    berth_sandbox_reply_deinit(&reply);
}

#define WITH_HARBOR(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HARBOR(test_a_create_answers_201_with_a_location),
        WITH_HARBOR(test_errors_have_harbors_body),
        WITH_HARBOR(test_an_unknown_path_is_404_with_a_message_that_says_path),
        WITH_HARBOR(test_bodies_that_cannot_be_bound_are_422),
        WITH_HARBOR(test_head_tells_whether_a_project_exists),
        WITH_HARBOR(test_wrong_credentials_still_list_public_projects),
        WITH_HARBOR(test_lists_are_paged),
        WITH_HARBOR(test_with_detail_false_drops_the_metadata),
        WITH_HARBOR(test_the_header_makes_a_number_a_name),
        WITH_HARBOR(test_a_robots_secret_is_made_up_and_shown_once),
        WITH_HARBOR(test_patch_answers_with_made_up_secrets_only),
        WITH_HARBOR(test_robot_bodies_of_wrong_types_are_422),
        WITH_HARBOR(test_read_only_mode_comes_before_everything_but_csrf),
        WITH_HARBOR(test_systeminfo_keeps_the_version_from_strangers),
        WITH_HARBOR(test_the_request_id_is_echoed_or_made_up),
        WITH_HARBOR(test_quotas_are_listed_by_project_and_updated_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
