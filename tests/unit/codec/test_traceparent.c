/* SPDX-License-Identifier: Apache-2.0 */
#include "traceparent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "00-" TRACE "-b7ad6b7169203331-01"

static struct berth_header header(const char *name, const char *value) {
    return (struct berth_header){.name = name,
                                 .value = {.data = (const uint8_t *)value, .len = strlen(value)}};
}

static void assert_found(const char *value, const char *expected) {
    struct berth_header headers[] = {header("other", PARENT), header("traceparent", value)};
    char found[BERTH_TRACEPARENT_BYTES];
    berth_traceparent_find(headers, 2, found);
    assert_string_equal(found, expected);
}

static void test_a_well_formed_header_is_taken_over(void **state) {
    (void)state;
    assert_found(PARENT, PARENT);
}

/* W3C trace context, 3.2: a broken header is as good as none, and must not be passed on. */
static void test_a_broken_header_is_as_good_as_none(void **state) {
    (void)state;
    assert_found("", "");
    assert_found("00-" TRACE "-b7ad6b7169203331-0", "");
    assert_found(PARENT "x", "");
    assert_found(PARENT "-x", "");
    assert_found("00_" TRACE "-b7ad6b7169203331-01", "");
    assert_found("00-" TRACE "_b7ad6b7169203331-01", "");
    assert_found("00-" TRACE "-b7ad6b7169203331_01", "");
    assert_found("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "");
    assert_found("00-00000000000000000000000000000000-b7ad6b7169203331-01", "");
    assert_found("00-" TRACE "-0000000000000000-01", "");
    assert_found("ff-" TRACE "-b7ad6b7169203331-01", "");
    assert_found("00-" TRACE "-b7ad6b716920333\n-01", "");
}

/* A later version keeps these 55 characters; we say what we write, which is version 00. */
static void test_a_later_version_is_read_as_ours(void **state) {
    (void)state;
    assert_found("cc-" TRACE "-b7ad6b7169203331-01", PARENT);
    assert_found("cc-" TRACE "-b7ad6b7169203331-01-more", PARENT);
    assert_found("cc-" TRACE "-b7ad6b7169203331-01more", "");
}

static void test_of_two_headers_neither_counts(void **state) {
    (void)state;
    struct berth_header headers[] = {header("traceparent", PARENT), header("traceparent", "")};
    char found[BERTH_TRACEPARENT_BYTES];
    berth_traceparent_find(headers, 2, found);
    assert_string_equal(found, "");
}

static void test_an_event_continues_the_trace_under_its_own_span(void **state) {
    (void)state;
    char continued[BERTH_TRACEPARENT_BYTES];
    berth_traceparent_continue(PARENT, "891db6df-10b5-50a9-a0f7-cdc8716f068c", continued);
    assert_string_equal(continued, "00-" TRACE "-891db6df10b550a9-01");
}

static void test_without_a_trace_nothing_is_continued(void **state) {
    (void)state;
    char continued[BERTH_TRACEPARENT_BYTES];
    char trace_id[BERTH_TRACE_ID_BYTES];
    berth_traceparent_continue("", "891db6df-10b5-50a9-a0f7-cdc8716f068c", continued);
    assert_string_equal(continued, "");
    berth_traceparent_trace_id("", trace_id);
    assert_string_equal(trace_id, "");
    berth_traceparent_trace_id(PARENT, trace_id);
    assert_string_equal(trace_id, TRACE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_well_formed_header_is_taken_over),
        cmocka_unit_test(test_a_broken_header_is_as_good_as_none),
        cmocka_unit_test(test_a_later_version_is_read_as_ours),
        cmocka_unit_test(test_of_two_headers_neither_counts),
        cmocka_unit_test(test_an_event_continues_the_trace_under_its_own_span),
        cmocka_unit_test(test_without_a_trace_nothing_is_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
