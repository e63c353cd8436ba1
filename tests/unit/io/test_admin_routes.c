/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: handlers that answer at once or later, kept connections, and their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin_fixture.h"
#include "admin_http_parts.h"

#define GET_ECHO  "GET /v1/echo/one HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_LATER "GET /v1/later HTTP/1.1\r\nHost: x\r\n\r\n"
/* More than the kernel takes at once. */
#define LARGE_BYTES BERTH_ADMIN_BODY_BYTES_MAX

static void send_text(struct berth_admin_reply *reply, const char *text) {
    struct berth_buffer body;
    berth_buffer_init(&body, LARGE_BYTES);
    assert_int_equal(berth_buffer_append_text(&body, text), BERTH_OK);
    berth_admin_reply_send(reply, 200, 0, &body);
    assert_null(body.data);
}

/* Answers at once with what stands for the pattern's {} and the first parameter's value. */
static void echo(void *ctx, const struct berth_http_request *request,
                 struct berth_admin_reply *take_reply) {
    struct fixture *fixture = ctx;
    fixture->asked_of_others++;
    char text[1024];
    (void)snprintf(text, sizeof(text), "<%s %s>", request->segments[2],
                   request->parameters_count > 0 ? request->parameters[0].value : "-");
    send_text(take_reply, text);
}

static void later(void *ctx, const struct berth_http_request *request,
                  struct berth_admin_reply *take_reply) {
    (void)request;
    struct fixture *fixture = ctx;
    fixture->held = take_reply;
    fixture->asked++;
}

static void large(void *ctx, const struct berth_http_request *request,
                  struct berth_admin_reply *take_reply) {
    (void)ctx;
    (void)request;
    struct berth_buffer body;
    berth_buffer_init(&body, LARGE_BYTES);
    char *block = calloc(1, LARGE_BYTES);
    assert_non_null(block);
    memset(block, 'x', LARGE_BYTES);
    assert_int_equal(berth_buffer_append(&body, block, LARGE_BYTES), BERTH_OK);
    free(block);
    berth_admin_reply_send(take_reply, 200, 0, &body);
}

static void failing(void *ctx, const struct berth_http_request *request,
                    struct berth_admin_reply *take_reply) {
    (void)ctx;
    (void)request;
    berth_admin_reply_error(take_reply, 503, 7, "redis.unavailable", "it said \"no\"");
}

static const struct berth_admin_route routes[] = {
    {"/v1/echo/{}", echo}, {"/v1/echo/{}/deep", later}, {"/v1/later", later},
    {"/v1/large", large},  {"/v1/failing", failing},
};

static int setup(void **state) {
    if (admin_setup(state) != 0) {
        return -1;
    }
    struct fixture *fixture = *state;
    berth_admin_http_serve(fixture->server, routes, sizeof(routes) / sizeof(routes[0]), fixture);
    return 0;
}

static void test_a_route_answers_at_once_with_json(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /v1/echo/a%20b?x=1%262 HTTP/1.1\r\n"
                                      "Connection: close\r\n\r\n");
    assert_answer(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "<a b 1&2>");
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 9\r\n"));
}

static void test_only_a_whole_path_matches(void **state) {
    struct fixture *fixture = *state;
    static const char *const others[] = {"/v1/echo",  "/v1/echo/",   "/v1/echo/a/b",
                                         "/v1/ech/a", "/v1/echoo/a", "/v2/echo/a",
                                         "/",         "/v1/echo/{}/"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char request[128];
        (void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", others[i]);
        assert_answer(ask(fixture, request), "HTTP/1.1 404 ",
                      "{\"error\":{\"code\":\"route.unknown\","
                      "\"message\":\"there is nothing at this path\"}}\n");
    }
    assert_int_equal(fixture->asked_of_others, 0);
    begin(fixture, 1, "GET /v1/echo/a/deep HTTP/1.0\r\n\r\n");
    wait_for_count(fixture, &fixture->asked, 1);
}

/* The length is the one that GET would have. */
static void test_head_is_answered_without_the_body(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "HEAD /v1/echo/a HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_answer(answer, "HTTP/1.1 200 ", "");
    assert_non_null(strstr(answer, "Content-Length: 5\r\n"));
}

static void test_an_error_says_when_to_come_back(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /v1/failing HTTP/1.0\r\n\r\n");
    assert_answer(
        answer, "HTTP/1.1 503 Service Unavailable\r\n",
        "{\"error\":{\"code\":\"redis.unavailable\",\"message\":\"it said \\\"no\\\"\"}}\n");
    assert_non_null(strstr(answer, "Retry-After: 7\r\n"));
}

static void test_a_later_answer_reaches_the_one_who_asked(void **state) {
    struct fixture *fixture = *state;
    struct client *client = begin(fixture, 0, GET_LATER);
    wait_for_count(fixture, &fixture->asked, 1);
    turn(fixture);
    assert_int_equal(client->received.len, 0);
    send_text(fixture->held, "at last");
    assert_answer(wait_for_text(fixture, client, "at last"), "HTTP/1.1 200 ", "at last");
    assert_false(client->ended);
}

/* A console asks again and again: a new connection each time would cost more than the answer. */
static void test_a_connection_serves_many_requests_and_then_ends(void **state) {
    struct fixture *fixture = *state;
    struct client *client = begin(fixture, 0, "");
    for (int i = 1; i <= BERTH_ADMIN_REQUESTS_MAX; i++) {
        assert_false(client->ended);
        berth_buffer_clear(&client->received);
        say(client, GET_ECHO);
        const char *answer = wait_for_text(fixture, client, "<one ->");
        bool last = i == BERTH_ADMIN_REQUESTS_MAX;
        assert_non_null(strstr(answer, last ? "Connection: close" : "Connection: keep-alive"));
    }
    wait_for_end(fixture, client);
}

/* The order is all that tells the client which answer is for which request. */
static void test_requests_sent_at_once_are_answered_in_their_order(void **state) {
    struct fixture *fixture = *state;
    struct client *client =
        begin(fixture, 0,
              GET_LATER "GET /v1/echo/two HTTP/1.1\r\n\r\n"
                        "HEAD /v1/echo/three HTTP/1.1\r\n\r\n"
                        "GET /v1/nothing HTTP/1.1\r\n\r\n"
                        "GET /v1/echo/last HTTP/1.1\r\nConnection: close\r\n\r\n"
                        "GET /v1/echo/beyond HTTP/1.1\r\n\r\n");
    wait_for_count(fixture, &fixture->asked, 1);
    turn(fixture);
    assert_int_equal(fixture->asked_of_others, 0);
    send_text(fixture->held, "<one ->");
    const char *answer = wait_for_end(fixture, client);
    const char *one = strstr(answer, "<one ->");
    const char *two = strstr(answer, "<two ->");
    const char *nothing = strstr(answer, "route.unknown");
    const char *last = strstr(answer, "<last ->");
    assert_true(one != NULL && one < two && two < nothing && nothing < last);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 5);
    assert_null(strstr(answer, "beyond"));
}

/* What is held of a client that sends and doesn't wait is bounded; all of it is answered. */
static void test_a_flood_of_requests_is_answered_one_by_one(void **state) {
    struct fixture *fixture = *state;
    struct client *client = begin(fixture, 0, "");
    for (int i = 0; i < BERTH_ADMIN_REQUESTS_MAX; i++) {
        say(client, GET_ECHO);
    }
    const char *answer = wait_for_end(fixture, client);
    assert_int_equal(count_of(answer, "<one ->"), BERTH_ADMIN_REQUESTS_MAX);
}

/* Else the body would be read as the next request: a way to smuggle one past a proxy. */
static void test_a_request_with_a_body_is_the_last(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /v1/echo/a HTTP/1.1\r\nContent-Length: 41\r\n\r\n"
                                      "GET /v1/echo/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_answer(answer, "HTTP/1.1 200 ", "<a ->");
    answer = ask(fixture, "POST /v1/echo/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "0\r\n\r\nGET /v1/echo/smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_memory_equal(answer, "HTTP/1.1 405 ", 13);
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    assert_null(strstr(answer, "smuggled"));
    assert_int_equal(fixture->asked_of_others, 1);
}

static void test_what_is_no_request_ends_the_connection(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /%00 HTTP/1.1\r\n\r\n" GET_ECHO);
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
    assert_int_equal(count_of(answer, "HTTP/1.1 "), 1);
}

/* Whose peer went is dropped, and so is who answers it. */
static void test_an_answer_for_one_who_has_gone_is_dropped(void **state) {
    struct fixture *fixture = *state;
    begin(fixture, 0, GET_LATER);
    wait_for_count(fixture, &fixture->asked, 1);
    leave(&fixture->clients[0]);
    turn(fixture);
    while (fixture->server->connections_count > 0) {
        turn(fixture);
    }
    send_text(fixture->held, "nobody listens");
    assert_int_equal(fixture->server->owed_count, 0);
    assert_int_equal(fixture->server->waiting_count, 0);
    assert_answer(ask(fixture, "GET /v1/echo/a HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ", "<a ->");
}

static void test_a_handler_that_takes_too_long_is_answered_for(void **state) {
    struct fixture *fixture = *state;
    fixture->server->timeouts.handler_ms = 20;
    const char *answer = ask(fixture, GET_LATER);
    assert_memory_equal(answer, "HTTP/1.1 504 ", 13);
    assert_non_null(strstr(answer, "server.too_slow"));
    assert_non_null(strstr(answer, "Connection: close"));
    send_text(fixture->held, "too late");
    assert_int_equal(fixture->server->owed_count, 0);
    turn(fixture);
}

static void test_the_server_can_end_while_an_answer_is_owed(void **state) {
    struct fixture *fixture = *state;
    begin(fixture, 0, GET_LATER);
    wait_for_count(fixture, &fixture->asked, 1);
    leave(&fixture->clients[0]);
    turn(fixture);
    begin(fixture, 0, GET_LATER);
    wait_for_count(fixture, &fixture->asked, 2);
    fixture->server = berth_admin_http_free(fixture->server);
}

static void test_a_large_answer_comes_whole(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /v1/large HTTP/1.0\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    assert_int_equal(strlen(body), LARGE_BYTES);
    assert_int_equal(strspn(body, "x"), LARGE_BYTES);
    assert_int_equal(fixture->server->bodies_bytes, 0);
}

/* Those who ask for much and don't read it must not use up the memory. */
static void test_answers_that_are_not_fetched_are_bounded(void **state) {
    struct fixture *fixture = *state;
    size_t served = 0;
    for (size_t i = 0; i < 12; i++) {
        begin(fixture, i, "");
        (void)bufferevent_disable(fixture->clients[i].events, EV_READ);
        say(&fixture->clients[i], "GET /v1/large HTTP/1.1\r\n\r\n");
        turn(fixture);
        assert_true(fixture->server->bodies_bytes <= BERTH_ADMIN_BODIES_BYTES_MAX);
    }
    while (fixture->server->bodies_bytes < BERTH_ADMIN_BODIES_BYTES_MAX) {
        turn(fixture);
    }
    for (size_t i = 0; i < 12; i++) {
        (void)bufferevent_enable(fixture->clients[i].events, EV_READ);
        const char *answer = wait_for_text(fixture, &fixture->clients[i], "\r\n\r\n");
        bool refused = strstr(answer, "server.overloaded") != NULL;
        served += refused ? 0 : 1;
    }
    assert_int_equal(served, BERTH_ADMIN_BODIES_BYTES_MAX / BERTH_ADMIN_BODY_BYTES_MAX);
}

static void test_an_idle_connection_ends_in_time(void **state) {
    struct fixture *fixture = *state;
    fixture->server->timeouts.idle_ms = 20;
    struct client *client = begin(fixture, 0, GET_ECHO);
    assert_non_null(strstr(wait_for_end(fixture, client), "<one ->"));
}

/* A client's pool of kept connections must not make an orchestrator restart a healthy worker. */
static void test_idle_connections_make_room_for_a_probe(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < BERTH_ADMIN_CONNECTIONS_MAX; i++) {
        wait_for_text(fixture, begin(fixture, i, GET_ECHO), "<one ->");
    }
    turn(fixture);
    assert_int_equal(fixture->server->connections_count, BERTH_ADMIN_CONNECTIONS_MAX);
    /* The first isn't the one that is idle for longest any more. */
    berth_buffer_clear(&fixture->clients[0].received);
    say(&fixture->clients[0], GET_ECHO);
    wait_for_text(fixture, &fixture->clients[0], "<one ->");
    struct client *probe =
        begin(fixture, BERTH_ADMIN_CONNECTIONS_MAX, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_answer(wait_for_end(fixture, probe), "HTTP/1.1 200 ", "ok\n");
    wait_for_end(fixture, &fixture->clients[1]);
    assert_false(fixture->clients[0].ended);
    assert_false(fixture->clients[2].ended);
}

/* A hanging Harbor must not, either: some connections never wait for a handler. */
static void test_waiting_connections_leave_room_for_a_probe(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < BERTH_ADMIN_WAITING_MAX; i++) {
        begin(fixture, i, GET_LATER);
    }
    wait_for_count(fixture, &fixture->asked, BERTH_ADMIN_WAITING_MAX);
    struct client *refused = begin(fixture, BERTH_ADMIN_WAITING_MAX, GET_LATER);
    const char *answer = wait_for_text(fixture, refused, "server.overloaded");
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    struct client *probe =
        begin(fixture, BERTH_ADMIN_WAITING_MAX + 1, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_answer(wait_for_end(fixture, probe), "HTTP/1.1 200 ", "ok\n");
}

/* printf ... | nc -N: the client has said all that it has to say, and reads. */
static void test_a_client_that_only_listens_any_more_gets_its_answers(void **state) {
    struct fixture *fixture = *state;
    struct client *client = begin(fixture, 0, GET_ECHO GET_ECHO "GET /v1/ec");
    wait_for_text(fixture, client, "<one ->");
    (void)shutdown(bufferevent_getfd(client->events), SHUT_WR);
    assert_int_equal(count_of(wait_for_end(fixture, client), "<one ->"), 2);

    /* Also while the answer is on its way. */
    leave(client);
    client = begin(fixture, 0, "");
    (void)bufferevent_disable(client->events, EV_READ);
    say(client, "GET /v1/large HTTP/1.1\r\n\r\n");
    while (fixture->server->bodies_bytes == 0) {
        turn(fixture);
    }
    (void)shutdown(bufferevent_getfd(client->events), SHUT_WR);
    turn(fixture);
    (void)bufferevent_enable(client->events, EV_READ);
    const char *answer = wait_for_end(fixture, client);
    assert_int_equal(strlen(strstr(answer, "\r\n\r\n") + 4), LARGE_BYTES);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, admin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_route_answers_at_once_with_json),
        TEST(test_only_a_whole_path_matches),
        TEST(test_head_is_answered_without_the_body),
        TEST(test_an_error_says_when_to_come_back),
        TEST(test_a_later_answer_reaches_the_one_who_asked),
        TEST(test_a_connection_serves_many_requests_and_then_ends),
        TEST(test_requests_sent_at_once_are_answered_in_their_order),
        TEST(test_a_flood_of_requests_is_answered_one_by_one),
        TEST(test_a_request_with_a_body_is_the_last),
        TEST(test_what_is_no_request_ends_the_connection),
        TEST(test_an_answer_for_one_who_has_gone_is_dropped),
        TEST(test_a_handler_that_takes_too_long_is_answered_for),
        TEST(test_the_server_can_end_while_an_answer_is_owed),
        TEST(test_a_large_answer_comes_whole),
        TEST(test_answers_that_are_not_fetched_are_bounded),
        TEST(test_an_idle_connection_ends_in_time),
        TEST(test_idle_connections_make_room_for_a_probe),
        TEST(test_waiting_connections_leave_room_for_a_probe),
        TEST(test_a_client_that_only_listens_any_more_gets_its_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
