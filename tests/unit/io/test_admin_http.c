/* SPDX-License-Identifier: Apache-2.0 */
/* The admin server over real sockets of the loopback; server and clients share one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "berth/io/admin_http.h"

#define CLIENTS_MAX (BERTH_ADMIN_CONNECTIONS_MAX + 1)

/* Turns of the loop are bounded in time, so that a test fails instead of hanging. */
#define PATIENCE_S 20

struct client {
    struct bufferevent *events;
    struct berth_buffer received;
    bool ended;
};

struct fixture {
    struct event_base *base;
    struct berth_admin_http *server;
    const char *reasons; /* What the checks say. */
    struct client clients[CLIENTS_MAX];
};

static void check_live(void *ctx, struct berth_buffer *reasons) {
    (void)ctx;
    (void)reasons;
}

static void check_ready(void *ctx, struct berth_buffer *reasons) {
    const struct fixture *fixture = ctx;
    if (fixture->reasons != NULL) {
        assert_int_equal(berth_buffer_append_text(reasons, fixture->reasons), BERTH_OK);
    }
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL) {
        return -1;
    }
    *state = fixture;
    fixture->base = event_base_new();
    const struct berth_admin_checks checks = {
        .live = check_live, .ready = check_ready, .ctx = fixture};
    struct berth_error error = {0};
    if (fixture->base == NULL || berth_admin_http_new(fixture->base, "127.0.0.1:0", &checks,
                                                      &fixture->server, &error) != BERTH_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (fixture->clients[i].events != NULL) {
            bufferevent_free(fixture->clients[i].events);
            berth_buffer_deinit(&fixture->clients[i].received);
        }
    }
    berth_admin_http_free(fixture->server);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

static void received_cb(struct bufferevent *events, void *arg) {
    struct client *client = arg;
    char bytes[1024];
    size_t len = 0;
    while ((len = bufferevent_read(events, bytes, sizeof(bytes))) > 0) {
        assert_int_equal(berth_buffer_append(&client->received, bytes, len), BERTH_OK);
    }
}

static void ended_cb(struct bufferevent *events, short what, void *arg) {
    (void)events;
    struct client *client = arg;
    client->ended = client->ended || (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0;
}

/* Connects and sends the text; what comes back gathers while the loop turns. */
static struct client *begin(struct fixture *fixture, size_t index, const char *text) {
    struct client *client = &fixture->clients[index];
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(berth_admin_http_port(fixture->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    berth_buffer_init(&client->received, (size_t)64 * 1024);
    client->events = bufferevent_socket_new(fixture->base, -1, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(client->events);
    bufferevent_setcb(client->events, received_cb, NULL, ended_cb, client);
    assert_int_equal(bufferevent_enable(client->events, EV_READ | EV_WRITE), 0);
    assert_int_equal(bufferevent_socket_connect(client->events, (const struct sockaddr *)&address,
                                                (int)sizeof(address)),
                     0);
    assert_int_equal(bufferevent_write(client->events, text, strlen(text)), 0);
    return client;
}

static void patience_ended_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

/* Turns the loop until the server has closed the connection. */
static const char *wait_for_end(struct fixture *fixture, const struct client *client) {
    bool too_long = false;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct event *timer = evtimer_new(fixture->base, patience_ended_cb, &too_long);
    assert_non_null(timer);
    assert_int_equal(evtimer_add(timer, &patience), 0);
    while (!client->ended && !too_long) {
        assert_int_equal(event_base_loop(fixture->base, EVLOOP_ONCE), 0);
    }
    event_free(timer);
    assert_true(client->ended);
    return client->received.len > 0 ? (const char *)client->received.data : "";
}

static const char *ask(struct fixture *fixture, const char *request) {
    struct client *client = &fixture->clients[0];
    if (client->events != NULL) {
        bufferevent_free(client->events);
        berth_buffer_deinit(&client->received);
        *client = (struct client){0};
    }
    return wait_for_end(fixture, begin(fixture, 0, request));
}

static void assert_answer(const char *answer, const char *status, const char *body) {
    assert_memory_equal(answer, status, strlen(status));
    const char *start = strstr(answer, "\r\n\r\n");
    assert_non_null(start);
    assert_string_equal(start + 4, body);
}

static void test_a_healthy_worker_is_live_and_ready(void **state) {
    struct fixture *fixture = *state;
    assert_answer(ask(fixture, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
    assert_answer(ask(fixture, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
    assert_answer(ask(fixture, "HEAD /readyz HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ", "");
}

/* The reasons are for whoever looks at a pod that isn't ready. */
static void test_a_worker_that_is_not_ready_says_why(void **state) {
    struct fixture *fixture = *state;
    fixture->reasons = "topic berth.results is missing: run berth topics --create\n"
                       "redis doesn't answer\n";
    assert_answer(ask(fixture, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 503 ",
                  fixture->reasons);
    assert_answer(ask(fixture, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 ", "ok\n");
}

static void test_anything_else_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"GET /metricz HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
        {"GET /livez/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "},
        {"DELETE /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "},
        {"GET /livez\r\n\r\n", "HTTP/1.1 400 "},
        {"GET http://x/livez HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /livez HTTP/2\r\n\r\n", "HTTP/1.1 400 "},
        {"\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /livez?verbose HTTP/1.1\r\n\r\n", "HTTP/1.1 200 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = ask(fixture, cases[i].request);
        assert_memory_equal(answer, cases[i].status, strlen(cases[i].status));
    }
}

static void test_a_request_that_is_too_large_is_refused(void **state) {
    struct fixture *fixture = *state;
    char request[4 * BERTH_ADMIN_REQUEST_BYTES];
    int len = snprintf(request, sizeof(request), "GET /livez HTTP/1.1\r\nX: ");
    memset(request + len, 'x', sizeof(request) - (size_t)len);
    memcpy(request + sizeof(request) - 5, "\r\n\r\n", 5);
    assert_answer(ask(fixture, request), "HTTP/1.1 431 ", "the request is too large\n");

    len = snprintf(request, sizeof(request), "GET /");
    memset(request + len, 'x', 1000);
    (void)snprintf(request + len + 1000, 100, " HTTP/1.1\r\n\r\n");
    assert_answer(ask(fixture, request), "HTTP/1.1 400 ", "not a request\n");
}

/* Whoever opens connections and says nothing must not use up the worker's file descriptors: those
 * beyond the bound wait, and are served when the silent ones have run out of time. */
static void test_connections_are_bounded_and_silent_ones_end(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < BERTH_ADMIN_CONNECTIONS_MAX; i++) {
        begin(fixture, i, "GET /live");
    }
    struct client *last =
        begin(fixture, BERTH_ADMIN_CONNECTIONS_MAX, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_answer(wait_for_end(fixture, last), "HTTP/1.1 200 ", "ok\n");
    size_t ended = 0;
    for (size_t i = 0; i < BERTH_ADMIN_CONNECTIONS_MAX; i++) {
        ended += fixture->clients[i].ended ? 1 : 0;
    }
    assert_true(ended > 0);
}

static void test_it_can_end_with_connections_open(void **state) {
    struct fixture *fixture = *state;
    begin(fixture, 0, "GET /live");
    assert_answer(wait_for_end(fixture, begin(fixture, 1, "GET /livez HTTP/1.0\r\n\r\n")),
                  "HTTP/1.1 200 ", "ok\n");
    fixture->server = berth_admin_http_free(fixture->server);
    wait_for_end(fixture, &fixture->clients[0]);
}

static void test_an_address_that_cannot_be_used_says_why(void **state) {
    struct fixture *fixture = *state;
    const struct berth_admin_checks checks = {.live = check_live, .ready = check_ready};
    struct berth_admin_http *server = NULL;
    struct berth_error error = {0};
    char taken[32];
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u",
                   (unsigned)berth_admin_http_port(fixture->server));
    assert_int_equal(berth_admin_http_new(fixture->base, taken, &checks, &server, &error),
                     BERTH_INVALID);
    assert_non_null(strstr(error.text, "Address already in use"));
    assert_int_equal(berth_admin_http_new(fixture->base, "8080", &checks, &server, &error),
                     BERTH_INVALID);
    assert_string_equal(error.text, "8080 is not HOST:PORT");
    assert_null(server);
}

static void test_it_listens_on_ipv6(void **state) {
    struct fixture *fixture = *state;
    const struct berth_admin_checks checks = {.live = check_live, .ready = check_ready};
    struct berth_admin_http *server = NULL;
    struct berth_error error = {0};
    enum berth_rc rc = berth_admin_http_new(fixture->base, "[::1]:0", &checks, &server, &error);
    /* A machine may have no IPv6 at all; then that is what is said. */
    if (rc == BERTH_OK) {
        assert_true(berth_admin_http_port(server) > 0);
    } else {
        assert_non_null(strstr(error.text, "[::1]:0"));
    }
    berth_admin_http_free(server);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_healthy_worker_is_live_and_ready),
        TEST(test_a_worker_that_is_not_ready_says_why),
        TEST(test_anything_else_is_refused),
        TEST(test_a_request_that_is_too_large_is_refused),
        TEST(test_connections_are_bounded_and_silent_ones_end),
        TEST(test_it_can_end_with_connections_open),
        TEST(test_an_address_that_cannot_be_used_says_why),
        TEST(test_it_listens_on_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
