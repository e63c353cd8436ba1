/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as they come, and as nobody should send them. */
#include "berth/io/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/random.h"

/* The head of the last parse; a copy in memory of its very size, so that reading on is seen. */
struct parsed {
    char *head;
    struct berth_http_request request;
    struct berth_http_flaw flaw;
    enum berth_rc rc;
};

static struct parsed parse_bytes(const char *bytes, size_t len) {
    struct parsed parsed = {.head = malloc(len)};
    assert_non_null(parsed.head);
    memcpy(parsed.head, bytes, len);
    parsed.rc = berth_http_request_parse(parsed.head, len, &parsed.request, &parsed.flaw);
    return parsed;
}

static struct parsed parse(const char *head) {
    return parse_bytes(head, strlen(head));
}

static struct parsed parse_target(const char *target) {
    char head[8192];
    int len = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    assert_true(len > 0 && (size_t)len < sizeof(head));
    return parse(head);
}

static void assert_refused(const char *head, int status) {
    struct parsed parsed = parse(head);
    assert_int_equal(parsed.rc, BERTH_INVALID);
    assert_int_equal(parsed.flaw.status, status);
    assert_true(strlen(parsed.flaw.message) > 0);
    free(parsed.head);
}

static void test_a_path_is_cut_into_decoded_segments(void **state) {
    (void)state;
    struct parsed parsed = parse_target("/v1/registries/al%70ha/spaces/a%2Fb+c");
    assert_int_equal(parsed.rc, BERTH_OK);
    assert_int_equal(parsed.request.method, BERTH_HTTP_GET);
    assert_int_equal(parsed.request.segments_count, 5);
    assert_string_equal(parsed.request.segments[0], "v1");
    assert_string_equal(parsed.request.segments[2], "alpha");
    assert_string_equal(parsed.request.segments[4], "a/b+c");
    assert_int_equal(parsed.request.parameters_count, 0);
    free(parsed.head);
}

/* "/livez/" isn't "/livez". */
static void test_an_empty_segment_is_one(void **state) {
    (void)state;
    struct parsed parsed = parse_target("/livez/");
    assert_int_equal(parsed.request.segments_count, 2);
    assert_string_equal(parsed.request.segments[1], "");
    free(parsed.head);
    parsed = parse_target("/");
    assert_int_equal(parsed.request.segments_count, 1);
    assert_string_equal(parsed.request.segments[0], "");
    free(parsed.head);
}

static void test_a_query_is_cut_into_decoded_parameters(void **state) {
    (void)state;
    struct parsed parsed = parse_target("/a?x=1&&after=alpha%2fteam%26a&verbose&y=a+b=c&=");
    assert_int_equal(parsed.rc, BERTH_OK);
    const struct berth_http_parameter *parameters = parsed.request.parameters;
    assert_int_equal(parsed.request.parameters_count, 4);
    assert_string_equal(parameters[0].name, "x");
    assert_string_equal(parameters[0].value, "1");
    assert_string_equal(parameters[1].name, "after");
    assert_string_equal(parameters[1].value, "alpha/team&a");
    assert_string_equal(parameters[2].name, "verbose");
    assert_string_equal(parameters[2].value, "");
    assert_string_equal(parameters[3].name, "y");
    assert_string_equal(parameters[3].value, "a b=c");
    free(parsed.head);
}

/* Whether a client may send its next request over the same connection. */
static void test_a_connection_is_kept_as_version_and_header_say(void **state) {
    (void)state;
    static const struct {
        const char *head;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nconnection:\tUpgrade , CLOSE \r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: close, keep-alive\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nX-Connection: close\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed parsed = parse(cases[i].head);
        assert_int_equal(parsed.rc, BERTH_OK);
        assert_int_equal(parsed.request.keep_alive, cases[i].keep_alive);
        free(parsed.head);
    }
}

/* A body that isn't noticed would be taken for the next request. */
static void test_a_body_is_noticed(void **state) {
    (void)state;
    static const struct {
        const char *head;
        bool has_body;
    } cases[] = {
        {"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false},
        {"POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n", true},
        {"GET / HTTP/1.1\r\ncontent-length: 00\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n", true},
        {"PUT / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed parsed = parse(cases[i].head);
        assert_int_equal(parsed.rc, BERTH_OK);
        assert_int_equal(parsed.request.has_body, cases[i].has_body);
        free(parsed.head);
    }
}

static void test_the_method_is_told(void **state) {
    (void)state;
    struct parsed parsed = parse("HEAD / HTTP/1.1\r\n\r\n");
    assert_int_equal(parsed.request.method, BERTH_HTTP_HEAD);
    free(parsed.head);
    parsed = parse("get / HTTP/1.1\r\n\r\n");
    assert_int_equal(parsed.request.method, BERTH_HTTP_OTHER);
    free(parsed.head);
}

static void test_what_is_not_a_request_is_refused(void **state) {
    (void)state;
    static const char *const heads[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET /livez\r\n\r\n",
        "GET  /livez HTTP/1.1\r\n\r\n",
        " GET /livez HTTP/1.1\r\n\r\n",
        "GET /livez HTTP/2\r\n\r\n",
        "GET /livez HTTP/1.1 \r\n\r\n",
        "GET /livez HTTP/1.11\r\n\r\n",
        "GET http://x/livez HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "GET /a#b HTTP/1.1\r\n\r\n",
        "GET /\x80 HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET /a\nHost: x HTTP/1.1\r\n\r\n",
        "G(T / HTTP/1.1\r\n\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n",
        "GET /% HTTP/1.1\r\n\r\n",
        "GET /a%0 HTTP/1.1\r\n\r\n",
        "GET /a%00b HTTP/1.1\r\n\r\n",
        "GET /a?b=%4 HTTP/1.1\r\n\r\n",
        "GET /a?%=b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \x7f\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        assert_refused(heads[i], 400);
    }
}

/* A NUL would hide from us what another reader of the same bytes sees. */
static void test_a_nul_is_refused_wherever_it_stands(void **state) {
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (size_t i = 0; i < sizeof(head) - 1 - 4; i++) {
        char bytes[sizeof(head) - 1];
        memcpy(bytes, head, sizeof(bytes));
        bytes[i] = '\0';
        struct parsed parsed = parse_bytes(bytes, sizeof(bytes));
        assert_int_equal(parsed.rc, BERTH_INVALID);
        free(parsed.head);
    }
}

static void test_what_is_too_much_is_refused(void **state) {
    (void)state;
    char target[BERTH_HTTP_TARGET_BYTES_MAX + 2] = "/";
    memset(target + 1, 'a', BERTH_HTTP_TARGET_BYTES_MAX);
    struct parsed parsed = parse_target(target);
    assert_int_equal(parsed.flaw.status, 414);
    free(parsed.head);
    target[BERTH_HTTP_TARGET_BYTES_MAX] = '\0';
    parsed = parse_target(target);
    assert_int_equal(parsed.rc, BERTH_OK);
    free(parsed.head);

    assert_refused("GET /1/2/3/4/5/6/7/8/9 HTTP/1.1\r\n\r\n", 404);
    parsed = parse_target("/1/2/3/4/5/6/7/8");
    assert_int_equal(parsed.request.segments_count, BERTH_HTTP_SEGMENTS_MAX);
    free(parsed.head);

    assert_refused("GET /?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17 HTTP/1.1\r\n\r\n", 400);
    parsed = parse_target("/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&");
    assert_int_equal(parsed.request.parameters_count, BERTH_HTTP_PARAMETERS_MAX);
    free(parsed.head);
}

/* Whatever bytes come, the sanitizers see no read or write beyond them, and what is returned lies
 * within them. */
static void test_no_bytes_lead_out_of_the_head(void **state) {
    (void)state;
    static const char alphabet[] = "GET /%?&=+:\r\n \t,0aF\x80\x01HTTP/1.1";
    struct berth_random random;
    berth_random_init(&random, 1);
    for (int round = 0; round < 20000; round++) {
        char head[96] = "GET /v1/registries/alpha/spaces?after=a%2fb&x HTTP/1.1\r\nHost: x";
        size_t len = strlen(head);
        for (int64_t changes = berth_random_below(&random, 8); changes > 0; changes--) {
            head[berth_random_below(&random, (int64_t)len)] =
                alphabet[berth_random_below(&random, (int64_t)sizeof(alphabet) - 1)];
        }
        memcpy(head + len, "\r\n\r\n", 5);
        len += 4;
        struct parsed parsed = parse_bytes(head, len);
        for (size_t i = 0; parsed.rc == BERTH_OK && i < parsed.request.segments_count; i++) {
            const char *segment = parsed.request.segments[i];
            assert_true(segment > parsed.head && segment + strlen(segment) < parsed.head + len);
        }
        free(parsed.head);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_is_cut_into_decoded_segments),
        cmocka_unit_test(test_an_empty_segment_is_one),
        cmocka_unit_test(test_a_query_is_cut_into_decoded_parameters),
        cmocka_unit_test(test_a_connection_is_kept_as_version_and_header_say),
        cmocka_unit_test(test_a_body_is_noticed),
        cmocka_unit_test(test_the_method_is_told),
        cmocka_unit_test(test_what_is_not_a_request_is_refused),
        cmocka_unit_test(test_a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(test_what_is_too_much_is_refused),
        cmocka_unit_test(test_no_bytes_lead_out_of_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
