/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_reply_fixture.h"

#define SYSTEM_INFO(more) "{\"auth_mode\":\"db_auth\"" more "}"

/* The reply that makes a call DONE. */
static struct berth_harbor_reply success_of(enum berth_harbor_call_kind kind) {
    switch (kind) {
    case BERTH_HARBOR_CREATE_PROJECT:
        return any_reply(201, "");
    case BERTH_HARBOR_GET_PROJECT_NAME:
    case BERTH_HARBOR_GET_PROJECT_ID:
        return any_reply(200, PROJECT);
    case BERTH_HARBOR_GET_QUOTA:
        return any_reply(200, "[{\"id\":5,\"ref\":{\"id\":12},\"hard\":{\"storage\":-1}}]");
    case BERTH_HARBOR_LIST_ROBOTS:
        return any_reply(200, "[" ROBOT(34, "robot$team-a+ws-w1", "berth=prod;ws=w1") "]");
    case BERTH_HARBOR_CREATE_ROBOT:
        return any_reply(201, "{\"id\":34,\"name\":\"robot$team-a+ws-w1\",\"secret\":\"x\"}");
    case BERTH_HARBOR_SET_SECRET:
        return any_reply(200, "{}");
    case BERTH_HARBOR_PROBE:
        return any_reply(200, SYSTEM_INFO(",\"harbor_version\":\"v2.14.4\",\"read_only\":false"));
    case BERTH_HARBOR_GET_ACCOUNT:
        return any_reply(200, "{\"user_id\":3,\"username\":\"svc\"}");
    case BERTH_HARBOR_UPDATE_PROJECT:
    case BERTH_HARBOR_DELETE_PROJECT:
    case BERTH_HARBOR_SET_QUOTA:
    case BERTH_HARBOR_MEND_ROBOT:
    case BERTH_HARBOR_DELETE_ROBOT:
        return any_reply(200, "");
    }
    fail_msg("a kind of call without a reply");
    return any_reply(0, "");
}

static void test_each_call_is_done_by_the_reply_that_the_contract_names(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        assert_verdict(kind, success_of(kind), BERTH_HARBOR_DONE);
    }
}

/* Design 4.4: what proves a write is the echo of its id; nobody else's reply may end it. */
static void test_a_write_counts_only_with_its_own_echo(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        struct berth_harbor_reply reply = success_of(kind);
        reply.request_id = NULL;
        enum berth_harbor_verdict without =
            berth_harbor_call_is_write(kind) ? BERTH_HARBOR_UNKNOWN : BERTH_HARBOR_DONE;
        assert_verdict(kind, reply, without);
        /* A read's reply with another's id comes out of a cache. */
        reply.request_id = "request-2";
        assert_verdict(kind, reply, BERTH_HARBOR_UNKNOWN);
        struct berth_harbor_decoded decoded = decode_as(kind, true, reply);
        assert_int_equal(decoded.answer.verdict, BERTH_HARBOR_DONE);
        berth_harbor_decoded_deinit(&decoded);
    }
}

/* A refusal without the echo may be a front end's, about a request that went on. */
static void test_a_refused_write_needs_the_echo_too(void **state) {
    (void)state;
    struct berth_harbor_reply reply = any_reply(409, ERROR("CONFLICT"));
    reply.request_id = NULL;
    assert_verdict(BERTH_HARBOR_CREATE_PROJECT, reply, BERTH_HARBOR_UNKNOWN);
}

struct verdict_case {
    int status;
    const char *body;
    enum berth_harbor_verdict read;
    enum berth_harbor_verdict write;
};

/* The rows of harbor-contract 5.8 that hold for every call. */
static void test_refusals_mean_the_same_for_every_call(void **state) {
    (void)state;
    static const struct verdict_case CASES[] = {
        {400, ERROR("BAD_REQUEST"), BERTH_HARBOR_INVALID, BERTH_HARBOR_INVALID},
        {413, ERROR("REQUEST_ENTITY_TOO_LARGE"), BERTH_HARBOR_INVALID, BERTH_HARBOR_INVALID},
        {415, ERROR("UNSUPPORTED"), BERTH_HARBOR_INVALID, BERTH_HARBOR_INVALID},
        {422, ERROR("UNPROCESSABLE_ENTITY"), BERTH_HARBOR_INVALID, BERTH_HARBOR_INVALID},
        {401, ERROR("UNAUTHORIZED"), BERTH_HARBOR_UNAUTHENTICATED, BERTH_HARBOR_UNAUTHENTICATED},
        {403, ERROR("FORBIDDEN"), BERTH_HARBOR_FORBIDDEN, BERTH_HARBOR_FORBIDDEN},
        {403, ERROR("DENIED"), BERTH_HARBOR_FORBIDDEN, BERTH_HARBOR_READ_ONLY},
        {429, "", BERTH_HARBOR_BUSY, BERTH_HARBOR_BUSY},
        {500, ERROR("UNKNOWN"), BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {502, "<html>bad gateway</html>", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {503, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {504, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {301, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {408, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {425, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {202, "{}", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {404, ERROR("SOMETHING_ELSE"), BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {412, ERROR("PROJECTPOLICYVIOLATION"), BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {401, "<html>please log in</html>", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
        {403, "", BERTH_HARBOR_UNKNOWN, BERTH_HARBOR_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
            enum berth_harbor_verdict expected =
                berth_harbor_call_is_write(kind) ? CASES[i].write : CASES[i].read;
            assert_verdict(kind, any_reply(CASES[i].status, CASES[i].body), expected);
        }
    }
}

/* A front end says 503 also of a request that it has passed on. */
static void test_503_with_retry_after_is_busy_for_reads_only(void **state) {
    (void)state;
    struct berth_harbor_reply reply = any_reply(503, "");
    reply.retry_after_ms = 7000;
    struct berth_harbor_answer answer = answer_to(BERTH_HARBOR_GET_PROJECT_NAME, reply);
    assert_int_equal(answer.verdict, BERTH_HARBOR_BUSY);
    assert_int_equal(answer.retry_after_ms, 7000);
    answer = answer_to(BERTH_HARBOR_CREATE_PROJECT, reply);
    assert_int_equal(answer.verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(answer.retry_after_ms, 7000);
}

static void test_409_is_a_conflict_only_for_what_creates(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        bool creates = kind == BERTH_HARBOR_CREATE_PROJECT || kind == BERTH_HARBOR_CREATE_ROBOT;
        assert_verdict(kind, any_reply(409, ERROR("CONFLICT")),
                       creates ? BERTH_HARBOR_CONFLICT : BERTH_HARBOR_UNKNOWN);
    }
    assert_verdict(BERTH_HARBOR_CREATE_PROJECT, any_reply(409, "<html></html>"),
                   BERTH_HARBOR_UNKNOWN);
}

/* Lists and POST /projects name no object that could be missing. */
static void test_404_means_absent_only_where_an_object_is_named(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        bool names_none = kind == BERTH_HARBOR_CREATE_PROJECT || kind == BERTH_HARBOR_GET_QUOTA ||
                          kind == BERTH_HARBOR_LIST_ROBOTS || kind == BERTH_HARBOR_PROBE ||
                          kind == BERTH_HARBOR_GET_ACCOUNT;
        assert_verdict(kind, any_reply(404, ERROR("NOT_FOUND")),
                       names_none ? BERTH_HARBOR_UNKNOWN : BERTH_HARBOR_ABSENT);
    }
}

/* A wrong base URL must never look like a space that is gone (contract 1.8). */
static void test_404_of_a_path_is_never_absent(void **state) {
    (void)state;
    static const char BODY[] = "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"path "
                               "/x/api/v2.0/projects/team-a was not found\"}]}";
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        assert_verdict(kind, any_reply(404, BODY), BERTH_HARBOR_UNKNOWN);
    }
    struct berth_harbor_reply page = any_reply(404, "404 page not found");
    page.content_type = "text/html";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, page, BERTH_HARBOR_UNKNOWN);
}

static void test_412_is_not_empty_for_the_deletion_of_a_project(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        assert_verdict(kind, any_reply(412, ERROR("PRECONDITION")),
                       kind == BERTH_HARBOR_DELETE_PROJECT ? BERTH_HARBOR_NOT_EMPTY
                                                           : BERTH_HARBOR_UNKNOWN);
    }
}

/* A wrong base URL gives the portal's page with status 200 (contract 5.5). */
static void test_a_page_with_status_200_is_no_success(void **state) {
    (void)state;
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        struct berth_harbor_reply reply = any_reply(200, "<!doctype html><html></html>");
        reply.content_type = "text/html";
        assert_verdict(kind, reply, BERTH_HARBOR_UNKNOWN);
    }
    /* Good JSON under another type is nobody's API either. */
    struct berth_harbor_reply reply = any_reply(200, PROJECT);
    reply.content_type = "text/plain";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, reply, BERTH_HARBOR_UNKNOWN);
    reply.content_type = "application/jsonp";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, reply, BERTH_HARBOR_UNKNOWN);
    reply.content_type = NULL;
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, reply, BERTH_HARBOR_UNKNOWN);
    reply.content_type = "Application/JSON";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, reply, BERTH_HARBOR_DONE);
}

static void test_the_error_names_harbors_code_and_words(void **state) {
    (void)state;
    struct berth_harbor_answer answer =
        answer_to(BERTH_HARBOR_CREATE_PROJECT, any_reply(409, ERROR("CONFLICT")));
    assert_string_equal(answer.error, "CONFLICT: as it says");
}

/* A parser that recurses is a way to the end of the stack. */
static void test_deep_nesting_is_not_parsed(void **state) {
    (void)state;
    char body[201];
    memset(body, '[', 100);
    memset(body + 100, ']', 100);
    body[200] = 0;
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, body), BERTH_HARBOR_UNKNOWN);
    /* Brackets within a text nest nothing. */
    static const char TEXT[] =
        PROJECT_PREFIX ",\"x\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, TEXT), BERTH_HARBOR_DONE);
}

static void test_a_body_beyond_the_bound_is_not_parsed(void **state) {
    (void)state;
    size_t len = BERTH_HARBOR_BODY_BYTES_MAX + 1;
    char *body = malloc(len + 1);
    assert_non_null(body);
    memset(body, ' ', len);
    body[len] = 0;
    memcpy(body, PROJECT, strlen(PROJECT));
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, body), BERTH_HARBOR_UNKNOWN);
    body[len - 1] = 0;
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, body), BERTH_HARBOR_DONE);
    free(body);
}

/* Only users are told the version (contract 5.7): without it the login doesn't hold. */
static void test_a_probe_tells_whether_it_was_us_and_whether_writes_are_taken(void **state) {
    (void)state;
    assert_verdict(BERTH_HARBOR_PROBE, any_reply(200, SYSTEM_INFO("")),
                   BERTH_HARBOR_UNAUTHENTICATED);
    assert_verdict(
        BERTH_HARBOR_PROBE,
        any_reply(200, SYSTEM_INFO(",\"harbor_version\":\"v2.14.4\",\"read_only\":true")),
        BERTH_HARBOR_READ_ONLY);
    assert_verdict(BERTH_HARBOR_PROBE, any_reply(200, "[]"), BERTH_HARBOR_UNKNOWN);
    assert_verdict(BERTH_HARBOR_PROBE, any_reply(200, "<html></html>"), BERTH_HARBOR_UNKNOWN);
}

/* What the breaker is fed with; that a 403 is perhaps about one space only is its business. */
static void test_an_answer_tells_what_troubles_the_registry(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum berth_harbor_trouble read;
        enum berth_harbor_trouble write;
    } CASES[] = {
        {400, ERROR("BAD_REQUEST"), BERTH_HARBOR_TROUBLE_NONE, BERTH_HARBOR_TROUBLE_NONE},
        {401, ERROR("UNAUTHORIZED"), BERTH_HARBOR_TROUBLE_CREDENTIALS,
         BERTH_HARBOR_TROUBLE_CREDENTIALS},
        {403, ERROR("FORBIDDEN"), BERTH_HARBOR_TROUBLE_CREDENTIALS,
         BERTH_HARBOR_TROUBLE_CREDENTIALS},
        {403, ERROR("DENIED"), BERTH_HARBOR_TROUBLE_CREDENTIALS, BERTH_HARBOR_TROUBLE_READ_ONLY},
        {404, ERROR("NOT_FOUND"), BERTH_HARBOR_TROUBLE_NONE, BERTH_HARBOR_TROUBLE_NONE},
        {409, ERROR("CONFLICT"), BERTH_HARBOR_TROUBLE_NONE, BERTH_HARBOR_TROUBLE_NONE},
        {429, "", BERTH_HARBOR_TROUBLE_RATE, BERTH_HARBOR_TROUBLE_RATE},
        {500, ERROR("UNKNOWN"), BERTH_HARBOR_TROUBLE_SERVER, BERTH_HARBOR_TROUBLE_SERVER},
        {502, "<html></html>", BERTH_HARBOR_TROUBLE_SERVER, BERTH_HARBOR_TROUBLE_SERVER},
        {503, "", BERTH_HARBOR_TROUBLE_RATE, BERTH_HARBOR_TROUBLE_RATE},
        {504, "", BERTH_HARBOR_TROUBLE_SERVER, BERTH_HARBOR_TROUBLE_SERVER},
        {200, "<html></html>", BERTH_HARBOR_TROUBLE_NONE, BERTH_HARBOR_TROUBLE_NONE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
            enum berth_harbor_trouble expected =
                berth_harbor_call_is_write(kind) ? CASES[i].write : CASES[i].read;
            struct berth_harbor_answer answer =
                answer_to(kind, any_reply(CASES[i].status, CASES[i].body));
            assert_int_equal(answer.trouble, expected);
        }
    }
    for (int kind = 0; kind < BERTH_HARBOR_CALL_KINDS; kind++) {
        assert_int_equal(answer_to(kind, success_of(kind)).trouble, BERTH_HARBOR_TROUBLE_NONE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_is_done_by_the_reply_that_the_contract_names),
        cmocka_unit_test(test_a_write_counts_only_with_its_own_echo),
        cmocka_unit_test(test_a_refused_write_needs_the_echo_too),
        cmocka_unit_test(test_refusals_mean_the_same_for_every_call),
        cmocka_unit_test(test_503_with_retry_after_is_busy_for_reads_only),
        cmocka_unit_test(test_409_is_a_conflict_only_for_what_creates),
        cmocka_unit_test(test_404_means_absent_only_where_an_object_is_named),
        cmocka_unit_test(test_404_of_a_path_is_never_absent),
        cmocka_unit_test(test_412_is_not_empty_for_the_deletion_of_a_project),
        cmocka_unit_test(test_a_page_with_status_200_is_no_success),
        cmocka_unit_test(test_the_error_names_harbors_code_and_words),
        cmocka_unit_test(test_a_probe_tells_whether_it_was_us_and_whether_writes_are_taken),
        cmocka_unit_test(test_an_answer_tells_what_troubles_the_registry),
        cmocka_unit_test(test_deep_nesting_is_not_parsed),
        cmocka_unit_test(test_a_body_beyond_the_bound_is_not_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
