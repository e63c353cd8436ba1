/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Harbor client sends, how it takes replies, and its limits; the server's every byte is
 * the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "world.h"

static void test_each_verdict_comes_over_the_wire(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    static const struct {
        enum berth_harbor_call_kind kind;
        int status;
        const char *headers;
        const char *body;
        enum berth_harbor_verdict expected;
    } CASES[] = {
        {BERTH_HARBOR_CREATE_PROJECT, 201, "Location: /api/v2.0/projects/77\r\n", "",
         BERTH_HARBOR_DONE},
        {BERTH_HARBOR_CREATE_PROJECT, 409, "", CONFLICT, BERTH_HARBOR_CONFLICT},
        {BERTH_HARBOR_DELETE_PROJECT, 404, "",
         "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"project 12 not found\"}]}",
         BERTH_HARBOR_ABSENT},
        {BERTH_HARBOR_DELETE_PROJECT, 412, "",
         "{\"errors\":[{\"code\":\"PRECONDITION\",\"message\":\"contains repositories\"}]}",
         BERTH_HARBOR_NOT_EMPTY},
        {BERTH_HARBOR_CREATE_ROBOT, 400, "",
         "{\"errors\":[{\"code\":\"BAD_REQUEST\",\"message\":\"no\"}]}", BERTH_HARBOR_INVALID},
        {BERTH_HARBOR_LIST_ROBOTS, 401, "",
         "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"unauthorized\"}]}",
         BERTH_HARBOR_UNAUTHENTICATED},
        {BERTH_HARBOR_UPDATE_PROJECT, 403, "",
         "{\"errors\":[{\"code\":\"FORBIDDEN\",\"message\":\"forbidden\"}]}",
         BERTH_HARBOR_FORBIDDEN},
        {BERTH_HARBOR_SET_QUOTA, 403, "",
         "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"The system is in read only mode.\"}]}",
         BERTH_HARBOR_READ_ONLY},
        {BERTH_HARBOR_SET_SECRET, 429, "Retry-After: 7\r\n", "", BERTH_HARBOR_BUSY},
        {BERTH_HARBOR_DELETE_ROBOT, 500, "",
         "{\"errors\":[{\"code\":\"UNKNOWN\",\"message\":\"internal server error\"}]}",
         BERTH_HARBOR_UNKNOWN},
        {BERTH_HARBOR_GET_PROJECT_NAME, 200, "", PROJECT, BERTH_HARBOR_DONE},
        {BERTH_HARBOR_LIST_ROBOTS, 200, "X-Total-Count: 1\r\n", "[" OUR_ROBOT "]",
         BERTH_HARBOR_DONE},
        {BERTH_HARBOR_LIST_ROBOTS, 200, "", "[" OUR_ROBOT "]", BERTH_HARBOR_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        world->status = CASES[i].status;
        world->headers = CASES[i].headers;
        world->body = CASES[i].body;
        const struct berth_harbor_answer *answer = ask(world, CASES[i].kind);
        assert_int_equal(answer->verdict, CASES[i].expected);
        assert_int_equal(answer->http_status, CASES[i].status);
        assert_int_equal(world->fixture.answers[i].call_id, i);
        assert_int_equal(answer->retry_after_ms, CASES[i].status == 429 ? 7000 : 0);
    }
    assert_int_equal(world->fixture.answers[0].answer.project_id, 77);
    assert_true(world->fixture.answers[11].answer.robots[0].ours);
    assert_int_equal(berth_harbor_client_in_flight(world->fixture.client), 0);
}

/* What reaches Harbor, to the byte where it matters. */
static void test_a_request_carries_login_and_id_and_no_cookie(void **state) {
    struct world *world = *state;
    (void)snprintf(world->fixture.urls[0] + strlen(world->fixture.urls[0]), 16, "/harbor//");
    client_start(&world->fixture, 1);
    world->headers = "Set-Cookie: sid=abc; Path=/\r\nLocation: /api/v2.0/projects/77\r\n";
    world->status = 201;
    (void)ask(world, BERTH_HARBOR_CREATE_PROJECT);
    world->status = 200;
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);

    const char *create = world->seen[0];
    assert_memory_equal(create, "POST /harbor/api/v2.0/projects HTTP/1.1\r\n", 41);
    assert_non_null(strstr(create, "\r\nAuthorization: Basic c3ZjLWJlcnRoOlBhc3M6d29yZDE=\r\n"));
    assert_non_null(strstr(create, "\r\nX-Request-Id: request-0\r\n"));
    assert_non_null(strstr(create, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(create, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(create, "\r\nUser-Agent: berth/" BERTH_VERSION "\r\n"));
    assert_null(strcasestr(create, "\r\nExpect:"));
    assert_null(strcasestr(create, "\r\nX-Is-Resource-Name:"));

    const char *get = world->seen[1];
    assert_memory_equal(get, "GET /harbor/api/v2.0/projects/team-a HTTP/1.1\r\n", 47);
    assert_non_null(strstr(get, "\r\nX-Request-Id: request-1\r\n"));
    assert_non_null(strstr(get, "\r\nX-Is-Resource-Name: true\r\n"));
    assert_null(strcasestr(get, "\r\nContent-Type:"));
    assert_null(strcasestr(get, "\r\nCookie:"));
}

/* A handle that carried a body must not leave it to the next request. */
static void test_one_connection_serves_calls_of_all_kinds(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].limit = 1;
    client_start(&world->fixture, 1);
    world->body = "{}";
    (void)ask(world, BERTH_HARBOR_SET_SECRET);
    (void)ask(world, BERTH_HARBOR_DELETE_ROBOT);
    (void)ask(world, BERTH_HARBOR_UPDATE_PROJECT);
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_ID);
    (void)ask(world, BERTH_HARBOR_CREATE_ROBOT);
    static const char *const METHODS[] = {"PATCH ", "DELETE ", "PUT ", "GET ", "POST "};
    for (size_t i = 0; i < 5; i++) {
        assert_memory_equal(world->seen[i], METHODS[i], strlen(METHODS[i]));
        bool has_body = i % 2 == 0;
        assert_int_equal(strstr(world->seen[i], "\r\nContent-Length: ") != NULL, has_body);
    }
    assert_int_equal(counts_of(world).connections, 1);
}

/* Computed with Python's hmac: from the master key to the wire, for project 12 and robot 34. */
static void test_the_derived_secret_is_what_is_set(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->body = "{}";
    assert_int_equal(ask(world, BERTH_HARBOR_SET_SECRET)->verdict, BERTH_HARBOR_DONE);
    assert_non_null(strstr(
        world->seen[0], "\r\n\r\n{\"secret\":\"Hb1nGUJpX41euy8aDZpCnhb8BAefRHtTkPSBvmOd7AwB7I\"}"));
}

static void reply_to_enable(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    bool is_lookup = strncmp(request->text, "GET ", 4) == 0;
    scripted_reply(request, 200, "", is_lookup ? OUR_ROBOT : "");
}

/* Harbor wants the login name repeated, prefix and all, and only Harbor knows the prefix. */
static void test_a_robot_is_enabled_after_it_was_looked_up(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_to_enable;
    assert_int_equal(ask(world, BERTH_HARBOR_MEND_ROBOT)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(counts_of(world).requests, 2);
    assert_non_null(strstr(world->seen[1], "PUT /api/v2.0/robots/34 HTTP/1.1\r\n"));
    assert_non_null(strstr(world->seen[1], "{\"name\":\"corp$team-a+ws-ws-alpha\","));
    assert_int_equal(world->fixture.answers_count, 1);
}

static void test_the_limit_holds_and_calls_go_in_their_order(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = hold;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    }
    client_run_while(&world->fixture, sees_fewer_than_four, world);
    assert_int_equal(berth_harbor_client_in_flight(world->fixture.client), 10);
    assert_int_equal(world->fixture.answers_count, 0);

    world->script = reply_as_told;
    for (size_t i = 0; i < world->held_count; i++) {
        scripted_close(world->held[i], true);
    }
    client_run_until(&world->fixture, 10);
    assert_int_equal(counts_of(world).at_once_max, 4);
    for (size_t i = 0; i < 10; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "\r\nX-Request-Id: request-%zu\r\n", i);
        assert_non_null(strstr(world->seen[i], line));
    }
    assert_int_equal(berth_harbor_client_in_flight(world->fixture.client), 0);
}

static void test_a_full_queue_is_busy_and_takes_calls_again(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].limit = 1;
    world->fixture.registries[0].queue_max = 2;
    client_start(&world->fixture, 1);
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    }
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_BUSY);
    assert_int_equal(berth_harbor_client_in_flight(world->fixture.client), 3);
    client_run_until(&world->fixture, 3);
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    client_run_until(&world->fixture, 4);
}

/* A registry that hangs stops only itself. */
static void test_each_registry_has_its_own_limit(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].limit = 1;
    client_start(&world->fixture, 2);
    world->script = hold;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    client_run_while(&world->fixture, sees_none, world);

    world->script = reply_as_told;
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    call.registry = 1;
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    client_run_until(&world->fixture, 1);
    assert_int_equal(world->fixture.answers[0].call_id, 2);
    assert_int_equal(berth_harbor_client_in_flight(world->fixture.client), 2);
}

static void reply_with_a_page(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char PAGE[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                               "Content-Length: 13\r\n\r\n<html></html>";
    scripted_send(request->connection, PAGE, sizeof PAGE - 1);
}

/* A wrong base URL gives the portal's page. */
static void test_a_page_with_status_200_is_unknown(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_with_a_page;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(answer->http_status, 200);
    assert_int_equal(ask(world, BERTH_HARBOR_DELETE_PROJECT)->verdict, BERTH_HARBOR_UNKNOWN);
}

/* The login goes only to where the configuration says. */
static void test_a_redirect_is_not_followed(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->status = 302;
    world->headers = "Location: /elsewhere\r\n";
    world->body = "";
    assert_int_equal(ask(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(counts_of(world).requests, 1);
}

static void reply_with_two_ids(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char REPLY[] =
        "HTTP/1.1 100 Continue\r\nX-Request-Id: early\r\n\r\n"
        "HTTP/1.1 200 OK\r\nx-request-id: request-0\r\nX-Request-Id: of-the-front-end\r\n"
        "Content-Length: 0\r\n\r\n";
    scripted_send(request->connection, REPLY, sizeof REPLY - 1);
}

/* A front end may add an id of its own; Harbor's echo is there all the same. */
static void test_our_echo_counts_beside_another_id(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_with_two_ids;
    assert_int_equal(ask(world, BERTH_HARBOR_DELETE_PROJECT)->verdict, BERTH_HARBOR_DONE);
}

static void reply_without_echo(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char REPLY[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    scripted_send(request->connection, REPLY, sizeof REPLY - 1);
}

static void test_the_echo_can_be_waived_for_one_registry(void **state) {
    struct world *world = *state;
    world->fixture.registries[1].echo_waived = true;
    client_start(&world->fixture, 2);
    world->script = reply_without_echo;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_DELETE_PROJECT);
    assert_int_equal(client_ask(&world->fixture, &call)->verdict, BERTH_HARBOR_UNKNOWN);
    call.registry = 1;
    assert_int_equal(client_ask(&world->fixture, &call)->verdict, BERTH_HARBOR_DONE);
}

static void test_a_url_that_can_not_be_a_registry_is_refused(void **state) {
    struct world *world = *state;
    static const char *const BAD[] = {
        "",
        "harbor.example",
        "ftp://harbor.example",
        "http://",
        "http://harbor.example/?a=b",
        "http://harbor.example/#top",
        "http://user:password@harbor.example",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        (void)snprintf(world->fixture.urls[0], sizeof world->fixture.urls[0], "%s", BAD[i]);
        const struct berth_harbor_client_config config = {
            .base = world->fixture.base,
            .deployment = "prod",
            .registries = world->fixture.registries,
            .registries_count = 1,
        };
        struct berth_harbor_client *client = NULL;
        struct berth_error error = {.text = ""};
        assert_int_equal(berth_harbor_client_new(&config, &client, &error), BERTH_INVALID);
        assert_non_null(strstr(error.text, "registry alpha: the url"));
        assert_null(client);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_verdict_comes_over_the_wire, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_carries_login_and_id_and_no_cookie,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_one_connection_serves_calls_of_all_kinds, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_the_derived_secret_is_what_is_set, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_robot_is_enabled_after_it_was_looked_up,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_the_limit_holds_and_calls_go_in_their_order,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_queue_is_busy_and_takes_calls_again,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_each_registry_has_its_own_limit, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_page_with_status_200_is_unknown, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_redirect_is_not_followed, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_our_echo_counts_beside_another_id, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_the_echo_can_be_waived_for_one_registry, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_url_that_can_not_be_a_registry_is_refused,
                                        world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("harbor_client", tests, NULL, NULL);
}
