/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_client_headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void take(struct berth_harbor_headers *headers, const char *line) {
    assert_true(berth_harbor_headers_take(headers, "ours", line, strlen(line)));
}

static void test_the_headers_that_matter_are_kept(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    take(&headers, "HTTP/1.1 200 OK\r\n");
    take(&headers, "CONTENT-TYPE:application/json\r\n");
    take(&headers, "location: \t /api/v2.0/projects/7 \t\r\n");
    take(&headers, "X-Request-Id: ours\r\n");
    take(&headers, "X-Total-Count: 12\r\n");
    take(&headers, "X-Total-Count-Of-Others: 13\r\n");
    take(&headers, "Location\r\n");
    take(&headers, "\r\n");
    assert_string_equal(headers.content_type, "application/json");
    assert_string_equal(headers.location, "/api/v2.0/projects/7");
    assert_string_equal(headers.request_id, "ours");
    assert_int_equal(headers.total_count, 12);
}

static void test_nothing_is_there_before_it_came(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    take(&headers, "HTTP/1.1 200 OK\r\n");
    assert_string_equal(headers.content_type, "");
    assert_string_equal(headers.location, "");
    assert_string_equal(headers.request_id, "");
    assert_int_equal(headers.total_count, -1);
}

/* What an interim reply says is not said of the final one. */
static void test_a_new_status_line_starts_anew(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    take(&headers, "HTTP/1.1 103 Early Hints\r\n");
    take(&headers, "X-Request-Id: ours\r\n");
    take(&headers, "X-Total-Count: 0\r\n");
    take(&headers, "HTTP/1.1 200 OK\r\n");
    assert_string_equal(headers.request_id, "");
    assert_int_equal(headers.total_count, -1);
}

/* Cut, it could look like something else. */
static void test_a_value_that_is_too_long_is_none(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    char line[400] = "Location: /projects/7";
    memset(line + strlen(line), '0', 300);
    take(&headers, line);
    assert_string_equal(headers.location, "?");
    take(&headers, "X-Total-Count: 00000000000000000000000000000000000000007\r\n");
    assert_int_equal(headers.total_count, -1);
}

static void test_a_count_is_digits_and_nothing_else(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "X-Total-Count:\r\n",      "X-Total-Count: -1\r\n", "X-Total-Count: 1 2\r\n",
        "X-Total-Count: 0x10\r\n", "X-Total-Count: +1\r\n", "X-Total-Count: many\r\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct berth_harbor_headers headers;
        berth_harbor_headers_init(&headers);
        take(&headers, BAD[i]);
        assert_int_equal(headers.total_count, -1);
    }
}

static void test_our_echo_stays_whichever_comes_first(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    take(&headers, "X-Request-Id: other\r\n");
    take(&headers, "X-Request-Id: ours\r\n");
    assert_string_equal(headers.request_id, "ours");
    take(&headers, "X-Request-Id: other\r\n");
    assert_string_equal(headers.request_id, "ours");
}

/* Over all replies to one request: interim ones could go on for ever. */
static void test_the_bytes_of_all_headers_are_bounded(void **state) {
    (void)state;
    struct berth_harbor_headers headers;
    berth_harbor_headers_init(&headers);
    static const char LINE[] = "HTTP/1.1 100 Continue\r\n";
    size_t taken = 0;
    while (berth_harbor_headers_take(&headers, "ours", LINE, sizeof LINE - 1)) {
        taken += sizeof LINE - 1;
        assert_true(taken <= BERTH_HARBOR_HEADERS_BYTES_MAX);
    }
    assert_true(taken + sizeof LINE - 1 > BERTH_HARBOR_HEADERS_BYTES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_headers_that_matter_are_kept),
        cmocka_unit_test(test_nothing_is_there_before_it_came),
        cmocka_unit_test(test_a_new_status_line_starts_anew),
        cmocka_unit_test(test_a_value_that_is_too_long_is_none),
        cmocka_unit_test(test_a_count_is_digits_and_nothing_else),
        cmocka_unit_test(test_our_echo_stays_whichever_comes_first),
        cmocka_unit_test(test_the_bytes_of_all_headers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
