/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Harbor client when connections fail, when time runs out, and when replies never end: what was
 * certainly not sent, and what may have been applied.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "berth/io/clock.h"
#include "world.h"

/* Then the robot was not touched, whatever became of the look-up. */
static void test_a_lookup_without_reply_means_that_nothing_was_sent(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = close_hard;
    assert_int_equal(ask(world, BERTH_HARBOR_MEND_ROBOT)->verdict, BERTH_HARBOR_NOT_SENT);
}

static void test_a_refused_connection_means_not_sent(void **state) {
    struct world *world = *state;
    /* A port that was free a moment ago, and that nobody listens on. */
    struct scripted_server *gone = scripted_server_new(world->fixture.base, hold, world);
    (void)snprintf(world->fixture.urls[0], sizeof world->fixture.urls[0], "http://127.0.0.1:%d",
                   scripted_server_port(gone));
    scripted_server_free(gone);
    client_start(&world->fixture, 1);
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_CREATE_PROJECT);
    assert_int_equal(answer->verdict, BERTH_HARBOR_NOT_SENT);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_CONNECTION);
    assert_int_equal(answer->http_status, 0);
    assert_non_null(strstr(answer->error, "refused"));
}

static void test_a_name_that_is_not_resolved_means_not_sent(void **state) {
    struct world *world = *state;
    (void)snprintf(world->fixture.urls[0], sizeof world->fixture.urls[0],
                   "http://no-such-host.invalid");
    client_start(&world->fixture, 1);
    assert_int_equal(ask(world, BERTH_HARBOR_CREATE_PROJECT)->verdict, BERTH_HARBOR_NOT_SENT);
}

/* Nothing of a request leaves before TLS stands. */
static void test_a_failed_tls_handshake_means_not_sent(void **state) {
    struct world *world = *state;
    (void)snprintf(world->fixture.urls[0], sizeof world->fixture.urls[0], "https://127.0.0.1:%d",
                   scripted_server_port(world->server));
    world->fixture.registries[0].request_timeout_ms = 300; /* The server waits for a request. */
    client_start(&world->fixture, 1);
    assert_int_equal(ask(world, BERTH_HARBOR_CREATE_PROJECT)->verdict, BERTH_HARBOR_NOT_SENT);
    assert_int_equal(counts_of(world).connections, 1);
    assert_int_equal(counts_of(world).requests, 0);
}

/* Harbor may have done it before its reply was lost. */
static void test_a_reset_after_the_write_was_read_is_unknown(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = close_hard;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_CREATE_PROJECT);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(answer->http_status, 0);
    assert_true(answer->error[0] != 0);
    assert_int_equal(counts_of(world).requests, 1);
}

static void reply_in_part(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char PART[] = "HTTP/1.1 201 Created\r\nX-Request-Id: request-0\r\nLocation: "
                               "/api/v2.0/projects/77\r\nContent-Length: 10\r\n\r\nabc";
    scripted_send(request->connection, PART, sizeof PART - 1);
    scripted_close(request->connection, false);
}

/* However good it looks: what is cut off is no reply. */
static void test_a_reply_that_is_cut_off_is_unknown(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_in_part;
    assert_int_equal(ask(world, BERTH_HARBOR_CREATE_PROJECT)->verdict, BERTH_HARBOR_UNKNOWN);
}

/*
 * libcurl sends a request again, without a word, when a reused connection ends before the reply.
 * The read shows that it does so here; a write must not go twice (design 4.5).
 */
static void test_a_write_is_not_sent_again_when_a_reused_connection_dies(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].limit = 1;
    client_start(&world->fixture, 1);
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(counts_of(world).connections, 1);

    world->script = close_softly;
    assert_int_equal(ask(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(counts_of(world).requests, 3); /* The one read went twice. */
    assert_int_equal(counts_of(world).connections, 2);

    world->script = reply_as_told;
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(counts_of(world).requests, 4);
    world->script = close_softly;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_CREATE_PROJECT);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_non_null(strstr(answer->error, "never sent twice"));
    assert_int_equal(counts_of(world).requests, 5);

    world->script = reply_as_told;
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    world->script = close_hard;
    assert_int_equal(ask(world, BERTH_HARBOR_DELETE_PROJECT)->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(counts_of(world).requests, 7);
}

/* And nothing of it arrives later: the connection is reset, not closed in good order. */
static void test_a_write_that_times_out_is_unknown_and_its_connection_reset(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].request_timeout_ms = 100;
    client_start(&world->fixture, 1);
    world->script = hold;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_CREATE_PROJECT);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_non_null(strstr(answer->error, "timed out"));
    client_run_while(&world->fixture, sees_no_reset, world);
    assert_int_equal(counts_of(world).closed, 0);
    assert_int_equal(counts_of(world).requests, 1);
}

static void test_a_write_whose_time_has_passed_never_reaches_the_server(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    struct berth_harbor_call call = client_call(BERTH_HARBOR_CREATE_PROJECT);
    call.not_after_ms = berth_clock_monotonic_ms() - 1;
    const struct berth_harbor_answer *answer = client_ask(&world->fixture, &call);
    assert_int_equal(answer->verdict, BERTH_HARBOR_NOT_SENT);
    assert_non_null(strstr(answer->error, "too late"));
    assert_int_equal(counts_of(world).connections, 0);
    /* A read does no harm at any time. */
    call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    call.not_after_ms = 0;
    assert_int_equal(client_ask(&world->fixture, &call)->verdict, BERTH_HARBOR_DONE);
}

/* Connecting takes time too; the last look at the clock is right before the first byte. */
static void test_a_write_that_becomes_late_while_connecting_is_not_sent(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    struct berth_harbor_call call = client_call(BERTH_HARBOR_CREATE_PROJECT);
    call.not_after_ms = berth_clock_monotonic_ms() + 200;
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    /* One turn hands it to curl, which only makes a note; then the loop stands still. */
    assert_int_equal(event_base_loop(world->fixture.base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
    assert_int_equal(world->fixture.answers_count, 0);
    while (berth_clock_monotonic_ms() <= call.not_after_ms) {
    }
    client_run_until(&world->fixture, 1);
    assert_int_equal(world->fixture.answers[0].answer.verdict, BERTH_HARBOR_NOT_SENT);
    assert_non_null(strstr(world->fixture.answers[0].answer.error, "too late"));
    assert_int_equal(counts_of(world).connections, 1);
    assert_int_equal(counts_of(world).requests, 0);
}

static void reply_without_end(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Content-Length: 1048577\r\n\r\n";
    char *body = malloc(1048577);
    assert_non_null(body);
    memset(body, ' ', 1048577);
    scripted_send(request->connection, HEAD, sizeof HEAD - 1);
    scripted_send(request->connection, body, 1048577);
    free(body);
}

static void test_a_body_beyond_the_bound_is_unknown(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_without_end;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_non_null(strstr(answer->error, "longer than any"));
    world->script = reply_as_told;
    assert_int_equal(ask(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
}

static void reply_with_many_headers(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char START[] = "HTTP/1.1 200 OK\r\n";
    static const char LINE[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    scripted_send(request->connection, START, sizeof START - 1);
    for (size_t sent = 0; sent <= 65536; sent += sizeof LINE - 1) {
        scripted_send(request->connection, LINE, sizeof LINE - 1);
    }
}

static void test_headers_beyond_the_bound_are_unknown(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_with_many_headers;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_non_null(strstr(answer->error, "headers"));
}

static void reply_with_the_beginning(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    static const char BEGINNING[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 1000\r\n\r\n{";
    scripted_send(request->connection, BEGINNING, sizeof BEGINNING - 1);
}

/* A reply that drips in never keeps a request longer than its time. */
static void test_a_reply_that_does_not_end_in_time_is_unknown(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].request_timeout_ms = 300;
    client_start(&world->fixture, 1);
    world->script = reply_with_the_beginning;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_CONNECTION);
    assert_int_equal(ask(world, BERTH_HARBOR_SET_QUOTA)->verdict, BERTH_HARBOR_UNKNOWN);
}

static void reply_with_an_error_page(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    char id[256];
    char page[1024];
    int len = snprintf(page, sizeof page,
                       "HTTP/1.1 502 Bad Gateway\r\nX-Request-Id: %s\r\n"
                       "Content-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
                       scripted_header(request, "X-Request-Id", id, sizeof id));
    scripted_send(request->connection, page, (size_t)len);
}

/* A front end says it of requests that it has handed on, too. */
static void test_a_front_ends_error_page_is_unknown_and_the_servers_trouble(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_with_an_error_page;
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_CREATE_PROJECT);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_SERVER);
}

/* Good JSON that says that it is none. */
static void reply_as_text(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    char text[512];
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       sizeof PROJECT - 1, PROJECT);
    scripted_send(request->connection, text, (size_t)len);
}

static void test_a_wrong_content_type_is_not_believed(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = reply_as_text;
    assert_int_equal(ask(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_UNKNOWN);
}

static void test_retry_after_is_read_in_seconds_and_as_a_date(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->status = 503;
    world->body = "";
    world->headers = "Retry-After: 120\r\n";
    const struct berth_harbor_answer *answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->verdict, BERTH_HARBOR_BUSY);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_RATE);
    assert_int_equal(answer->retry_after_ms, 120000);

    char date[96];
    time_t then = time(NULL) + 600;
    struct tm parts;
    assert_non_null(gmtime_r(&then, &parts));
    assert_true(strftime(date, sizeof date, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts) >
                0);
    world->headers = date;
    answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_true(answer->retry_after_ms > 0 && answer->retry_after_ms <= 600000);

    world->headers = "Retry-After: 999999\r\n"; /* Nobody waits for a week. */
    answer = ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(answer->retry_after_ms, 3600000);
}

/* Requests under way and calls in the queue are dropped without a word, and without a leak. */
static void test_freeing_the_client_drops_what_is_in_flight(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    world->script = hold;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_SET_SECRET);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    }
    client_run_while(&world->fixture, sees_fewer_than_four, world);
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    world->fixture.client = berth_harbor_client_free(world->fixture.client);
    client_run_while(&world->fixture, sees_no_reset, world);
    assert_int_equal(world->fixture.answers_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lookup_without_reply_means_that_nothing_was_sent,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_connection_means_not_sent, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_that_is_not_resolved_means_not_sent,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_tls_handshake_means_not_sent, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_reset_after_the_write_was_read_is_unknown,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_reply_that_is_cut_off_is_unknown, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_write_is_not_sent_again_when_a_reused_connection_dies, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_write_that_times_out_is_unknown_and_its_connection_reset, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_write_whose_time_has_passed_never_reaches_the_server,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_write_that_becomes_late_while_connecting_is_not_sent,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_body_beyond_the_bound_is_unknown, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_headers_beyond_the_bound_are_unknown, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_reply_that_does_not_end_in_time_is_unknown,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_front_ends_error_page_is_unknown_and_the_servers_trouble, world_set_up,
            world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_content_type_is_not_believed, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_retry_after_is_read_in_seconds_and_as_a_date,
                                        world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_freeing_the_client_drops_what_is_in_flight,
                                        world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests_name("harbor_client_faults", tests, NULL, NULL);
}
