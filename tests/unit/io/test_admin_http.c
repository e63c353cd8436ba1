/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin server says to probes, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin_fixture.h"
#include "berth/io/admin_http.h"

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

/* Prometheus asks for it, on a connection that it ends. */
static void test_metrics_are_told_in_prometheus_text_format(void **state) {
    struct fixture *fixture = *state;
    const char *answer = ask(fixture, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
    assert_answer(answer, "HTTP/1.1 200 ", "berth_partitions 3\n");
}

static void test_anything_else_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"GET /metricz HTTP/1.1\r\n", "HTTP/1.1 404 "},
        {"GET /livez/ HTTP/1.1\r\n", "HTTP/1.1 404 "},
        {"DELETE /livez HTTP/1.1\r\n", "HTTP/1.1 405 "},
        {"GET /livez\r\n", "HTTP/1.1 400 "},
        {"GET http://x/livez HTTP/1.1\r\n", "HTTP/1.1 400 "},
        {"GET /livez HTTP/2\r\n", "HTTP/1.1 400 "},
        {"\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /livez?verbose HTTP/1.1\r\n", "HTTP/1.1 200 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[256];
        (void)snprintf(request, sizeof(request), "%sConnection: close\r\n\r\n", cases[i].request);
        const char *answer = ask(fixture, request);
        assert_memory_equal(answer, cases[i].status, strlen(cases[i].status));
    }
}

static void test_a_request_that_is_too_large_is_refused(void **state) {
    struct fixture *fixture = *state;
    char request[4 * BERTH_ADMIN_REQUEST_BYTES];
    int len = snprintf(request, sizeof(request), "GET /livez HTTP/1.1\r\nX: ");
    memset(request + len, 'x', sizeof(request) - (size_t)len);
    memcpy(request + sizeof(request) - 5, "\r\n\r\n", 5);
    assert_answer(ask(fixture, request), "HTTP/1.1 431 ",
                  "{\"error\":{\"code\":\"request.too_large\","
                  "\"message\":\"the request is larger than 8192 bytes\"}}\n");

    len = snprintf(request, sizeof(request), "GET /");
    memset(request + len, 'x', 5000);
    (void)snprintf(request + len + 5000, 100, " HTTP/1.1\r\n\r\n");
    assert_answer(ask(fixture, request), "HTTP/1.1 414 ",
                  "{\"error\":{\"code\":\"request.target_too_long\","
                  "\"message\":\"the path with its query is longer than 4096 bytes\"}}\n");
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

/* Takes every descriptor that is left of so many; returns how many that were. */
static size_t use_up_descriptors(int *ret_fds, size_t count) {
    size_t used = 0;
    while (used < count && (ret_fds[used] = dup(STDERR_FILENO)) >= 0) {
        used++;
    }
    return used;
}

static void note_time_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

/* With no descriptor left nobody can be let in; that is no reason to do nothing else any more. */
static void test_a_full_table_of_descriptors_does_not_make_the_loop_spin(void **state) {
    struct fixture *fixture = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct client *client =
        begin(fixture, 0, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int fds[64];
    size_t used = use_up_descriptors(fds, 64);

    bool over = false;
    int turns = 0;
    const struct timeval half_a_second = {.tv_usec = 500000};
    assert_int_equal(
        event_base_once(fixture->base, -1, EV_TIMEOUT, note_time_cb, &over, &half_a_second), 0);
    while (!over && turns < 1000) {
        (void)event_base_loop(fixture->base, EVLOOP_ONCE);
        turns++;
    }
    for (size_t i = 0; i < used; i++) {
        (void)close(fds[i]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(used > 0);
    assert_true(turns < 100);
    assert_answer(wait_for_end(fixture, client), "HTTP/1.1 200 ", "ok\n");
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
    const struct berth_admin_checks checks = {.live = admin_check_live, .ready = admin_check_ready};
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
    const struct berth_admin_checks checks = {.live = admin_check_live, .ready = admin_check_ready};
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
#define TEST(function) cmocka_unit_test_setup_teardown(function, admin_setup, admin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_healthy_worker_is_live_and_ready),
        TEST(test_a_worker_that_is_not_ready_says_why),
        TEST(test_metrics_are_told_in_prometheus_text_format),
        TEST(test_anything_else_is_refused),
        TEST(test_a_request_that_is_too_large_is_refused),
        TEST(test_connections_are_bounded_and_silent_ones_end),
        TEST(test_a_full_table_of_descriptors_does_not_make_the_loop_spin),
        TEST(test_it_can_end_with_connections_open),
        TEST(test_an_address_that_cannot_be_used_says_why),
        TEST(test_it_listens_on_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
