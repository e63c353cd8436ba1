/* SPDX-License-Identifier: Apache-2.0 */
/* What faults make of a reply, and requests that outlive their connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "sandbox_spoil.h"

static const struct berth_sandbox_request REQUEST = {
    .method = BERTH_SANDBOX_GET, .path = "/", .request_id = "event-1/2", .now_ms = NOW_MS};

/* A reply as Harbor's, with the echo that its core makes. */
static struct berth_sandbox_reply spoiled(const struct berth_sandbox_fault *fault) {
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    if (!berth_sandbox_spoil_keeps_away(fault)) {
        berth_sandbox_reply_header(&reply, "X-Request-Id", "event-1/2");
        berth_sandbox_reply_header(&reply, "Location", "/api/v2.0/projects/7");
        berth_sandbox_reply_text(&reply, 201, "application/json", "{\"id\":1}");
    }
    berth_sandbox_spoil(&REQUEST, fault, &reply);
    return reply;
}

static void test_no_fault_leaves_a_reply_as_it_is(void **state) {
    (void)state;
    const struct berth_sandbox_fault fault = {.status = 0};
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, "{\"id\":1}");
    assert_int_equal(reply.header_count, 2);
    assert_int_equal(reply.delivery, BERTH_SANDBOX_WHOLE);
    berth_sandbox_reply_deinit(&reply);
}

/* From 500 on Harbor masks the cause; below, the code is the status' own. */
static void test_a_status_comes_with_harbors_body_or_none(void **state) {
    (void)state;
    struct berth_sandbox_fault fault = {.status = 403};
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_error(&reply, 403, "FORBIDDEN", "forbidden");
    assert_string_equal(header_of(&reply, "X-Request-Id", ""), "event-1/2");
    berth_sandbox_reply_deinit(&reply);
    fault.status = 503;
    reply = spoiled(&fault);
    assert_error(&reply, 503, "UNKNOWN", "internal server error");
    berth_sandbox_reply_deinit(&reply);
    fault.body = BERTH_SANDBOX_BODY_NONE;
    reply = spoiled(&fault);
    assert_int_equal(reply.status, 503);
    assert_null(reply.content_type);
    assert_int_equal(reply.body_bytes, 0);
    berth_sandbox_reply_deinit(&reply);
}

/* 504 after Harbor has done it: nginx lost patience. */
static void test_a_status_can_hide_that_the_request_was_applied(void **state) {
    (void)state;
    const struct berth_sandbox_fault fault = {
        .status = 504, .apply = true, .body = BERTH_SANDBOX_BODY_HTML};
    assert_false(berth_sandbox_spoil_keeps_away(&fault));
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_int_equal(reply.status, 504);
    assert_string_equal(reply.content_type, "text/html");
    assert_null(header_of(&reply, "Location", ""));
    berth_sandbox_reply_deinit(&reply);
}

static void test_retry_after_is_seconds_or_a_date(void **state) {
    (void)state;
    struct berth_sandbox_fault fault = {.status = 429, .retry_after_s = 120};
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_string_equal(header_of(&reply, "Retry-After", ""), "120");
    berth_sandbox_reply_deinit(&reply);
    fault.retry_after_date = true;
    reply = spoiled(&fault);
    assert_string_equal(header_of(&reply, "Retry-After", ""), "Wed, 18 Nov 2026 11:08:40 GMT");
    berth_sandbox_reply_deinit(&reply);
}

/* The portal's page with 200, as behind a wrong base URL: nothing was applied. */
static void test_html_without_a_status_is_a_200_of_the_portal(void **state) {
    (void)state;
    const struct berth_sandbox_fault fault = {.body = BERTH_SANDBOX_BODY_HTML};
    assert_true(berth_sandbox_spoil_keeps_away(&fault));
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "text/html");
    assert_non_null(strstr(reply.body, "<title>Harbor</title>"));
    berth_sandbox_reply_deinit(&reply);
}

static void test_bodies_are_cut_promised_streamed_dripped_and_mistyped(void **state) {
    (void)state;
    struct berth_sandbox_fault fault = {.body = BERTH_SANDBOX_BODY_CUT};
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_int_equal(reply.body_bytes, 4);
    berth_sandbox_reply_deinit(&reply);
    fault.body = BERTH_SANDBOX_BODY_TRUNCATED;
    reply = spoiled(&fault);
    assert_int_equal(reply.delivery, BERTH_SANDBOX_TRUNCATED);
    berth_sandbox_reply_deinit(&reply);
    fault.body = BERTH_SANDBOX_BODY_GIGABYTE;
    reply = spoiled(&fault);
    assert_int_equal(reply.delivery, BERTH_SANDBOX_ENDLESS);
    assert_int_equal(reply.stream_bytes, 1073741824);
    berth_sandbox_reply_deinit(&reply);
    fault.body = BERTH_SANDBOX_BODY_DRIP;
    fault.drip_ms = 5;
    reply = spoiled(&fault);
    assert_int_equal(reply.delivery, BERTH_SANDBOX_DRIPPING);
    assert_int_equal(reply.drip_ms, 5);
    berth_sandbox_reply_deinit(&reply);
    fault.body = BERTH_SANDBOX_BODY_WRONG_TYPE;
    reply = spoiled(&fault);
    assert_string_equal(reply.content_type, "text/plain; charset=utf-8");
    assert_int_equal(reply.body_bytes, 8);
    berth_sandbox_reply_deinit(&reply);
}

static void test_the_request_id_is_stripped_or_somebody_elses(void **state) {
    (void)state;
    struct berth_sandbox_fault fault = {.request_id = BERTH_SANDBOX_ECHO_STRIPPED};
    struct berth_sandbox_reply reply = spoiled(&fault);
    assert_null(header_of(&reply, "X-Request-Id", ""));
    assert_non_null(header_of(&reply, "Location", ""));
    berth_sandbox_reply_deinit(&reply);
    fault.request_id = BERTH_SANDBOX_ECHO_WRONG;
    reply = spoiled(&fault);
    assert_string_equal(header_of(&reply, "X-Request-Id", ""), "of-another-request");
    berth_sandbox_reply_deinit(&reply);
}

/* A delayed commit needs the whole request after its connection is gone. */
static void test_a_copy_of_a_request_has_its_own_memory(void **state) {
    (void)state;
    char path[] = "/api/v2.0/projects";
    char body[] = {'{', '\0', '}'};
    const struct berth_sandbox_request request = {.method = BERTH_SANDBOX_POST,
                                                  .path = path,
                                                  .authorization = BERTH,
                                                  .name_in_location = "true",
                                                  .body = body,
                                                  .body_bytes = sizeof(body),
                                                  .now_ms = NOW_MS};
    struct berth_sandbox_request *copy = berth_sandbox_request_copy(&request);
    memset(path, 'x', sizeof(path) - 1);
    memset(body, 'x', sizeof(body));
    assert_string_equal(copy->path, "/api/v2.0/projects");
    assert_string_equal(copy->authorization, BERTH);
    assert_string_equal(copy->name_in_location, "true");
    assert_null(copy->query);
    assert_int_equal(copy->body_bytes, 3);
    assert_memory_equal(copy->body, "{\0}", 3);
    assert_int_equal(copy->method, BERTH_SANDBOX_POST);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_fault_leaves_a_reply_as_it_is),
        cmocka_unit_test(test_a_status_comes_with_harbors_body_or_none),
        cmocka_unit_test(test_a_status_can_hide_that_the_request_was_applied),
        cmocka_unit_test(test_retry_after_is_seconds_or_a_date),
        cmocka_unit_test(test_html_without_a_status_is_a_200_of_the_portal),
        cmocka_unit_test(test_bodies_are_cut_promised_streamed_dripped_and_mistyped),
        cmocka_unit_test(test_the_request_id_is_stripped_or_somebody_elses),
        cmocka_unit_test(test_a_copy_of_a_request_has_its_own_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
