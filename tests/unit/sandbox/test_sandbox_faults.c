/* SPDX-License-Identifier: Apache-2.0 */
/* The switches of the stand-in, and its memory of what it was asked. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_api.h"
#include "sandbox_faults.h"
#include "sandbox_journal.h"

static enum berth_rc merge(struct berth_sandbox_faults *faults, const char *text,
                           struct berth_error *reterr) {
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    enum berth_rc rc = berth_sandbox_faults_merge(faults, json, reterr);
    json_decref(json);
    return rc;
}

/* What isn't named stays as it is: tests set one thing at a time. */
static void test_a_merge_changes_only_what_it_names(void **state) {
    (void)state;
    struct berth_sandbox_faults faults = {0};
    assert_int_equal(merge(&faults, "{\"latency_ms\":20}", NULL), BERTH_OK);
    assert_int_equal(merge(&faults, "{\"away\":\"hang\",\"count\":3}", NULL), BERTH_OK);
    assert_int_equal(faults.latency_ms, 20);
    assert_int_equal(faults.away, BERTH_SANDBOX_AWAY_HANG);
    assert_int_equal(faults.count, 3);
}

/* A misspelt fault would make a test pass that tests nothing. */
static void test_bad_values_and_unknown_keys_change_nothing(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "[]",
        "{\"latency\":1}",
        "{\"latency_ms\":-1}",
        "{\"latency_ms\":600001}",
        "{\"latency_ms\":\"1\"}",
        "{\"away\":\"yes\"}",
        "{\"away\":false}",
        "{\"read_only\":1}",
        "{\"status\":200}",
        "{\"status\":600}",
        "{\"count\":-1}",
        "{\"route\":\"POST /nope\"}",
        "{\"route\":7}",
        "{\"away\":\"refuse\",\"count\":1}",
        "{\"away\":\"refuse\",\"route\":\"POST /projects\"}",
        "{\"latency_ms\":5,\"nope\":1}",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct berth_sandbox_faults faults = {.latency_ms = 7};
        struct berth_error error = {""};
        assert_int_equal(merge(&faults, BAD[i], &error), BERTH_INVALID);
        assert_true(strlen(error.text) > 0);
        assert_int_equal(faults.latency_ms, 7);
        assert_int_equal(faults.away, BERTH_SANDBOX_AWAY_NO);
    }
}

static void test_faults_end_after_the_last_counted_request(void **state) {
    (void)state;
    struct berth_sandbox_faults faults = {0};
    size_t route = berth_sandbox_find_route(BERTH_SANDBOX_POST, "/api/v2.0/projects");
    assert_int_equal(merge(&faults, "{\"status\":503,\"count\":2}", NULL), BERTH_OK);
    assert_int_equal(berth_sandbox_faults_take(&faults, route).status, 503);
    assert_int_equal(berth_sandbox_faults_take(&faults, route).status, 503);
    assert_int_equal(berth_sandbox_faults_take(&faults, route).status, 0);
    assert_int_equal(faults.status, 0);
}

static void test_a_route_keeps_other_requests_unharmed_and_uncounted(void **state) {
    (void)state;
    struct berth_sandbox_faults faults = {0};
    size_t create = berth_sandbox_find_route(BERTH_SANDBOX_POST, "/api/v2.0/projects");
    size_t get = berth_sandbox_find_route(BERTH_SANDBOX_GET, "/api/v2.0/projects/team-a");
    assert_int_equal(
        merge(&faults, "{\"status\":503,\"count\":1,\"route\":\"POST /projects\"}", NULL),
        BERTH_OK);
    assert_int_equal(berth_sandbox_faults_take(&faults, get).status, 0);
    assert_int_equal(berth_sandbox_faults_take(&faults, create).status, 503);
    assert_int_equal(berth_sandbox_faults_take(&faults, create).status, 0);
}

static void test_requests_are_counted_by_route(void **state) {
    (void)state;
    struct berth_sandbox_journal *journal = berth_sandbox_journal_new();
    berth_sandbox_journal_count(
        journal, berth_sandbox_find_route(BERTH_SANDBOX_GET, "/api/v2.0/projects/a"));
    berth_sandbox_journal_count(
        journal, berth_sandbox_find_route(BERTH_SANDBOX_GET, "/api/v2.0/projects/b"));
    berth_sandbox_journal_count(
        journal, berth_sandbox_find_route(BERTH_SANDBOX_GET, "/v2/a/b/c/manifests/d"));
    berth_sandbox_journal_count(journal,
                                berth_sandbox_find_route(BERTH_SANDBOX_GET, "/v2/a/manifests/d"));
    json_t *counters = berth_sandbox_journal_counters(journal);
    assert_int_equal(json_integer_value(json_object_get(counters, "GET /projects/{name_or_id}")),
                     2);
    assert_int_equal(json_integer_value(json_object_get(
                         counters, "GET /v2/{project}/{repository...}/manifests/{reference}")),
                     1);
    assert_int_equal(json_integer_value(json_object_get(counters, "other")), 1);
    assert_int_equal(json_integer_value(json_object_get(counters, "POST /projects")), 0);
    json_decref(counters);
    berth_sandbox_journal_free(journal);
}

/* The ring forgets the oldest, and says how many it forgot. */
static void test_writes_are_bounded_and_the_loss_is_counted(void **state) {
    (void)state;
    struct berth_sandbox_journal *journal = berth_sandbox_journal_new();
    for (int i = 0; i < BERTH_SANDBOX_WRITES_MAX + 2; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%d", i);
        const struct berth_sandbox_request request = {
            .method = BERTH_SANDBOX_POST, .path = "/api/v2.0/projects", .request_id = id};
        berth_sandbox_journal_add(journal, &request, 201, true);
    }
    assert_int_equal(berth_sandbox_journal_dropped(journal), 2);
    json_t *writes = berth_sandbox_journal_writes(journal);
    assert_int_equal(json_array_size(writes), BERTH_SANDBOX_WRITES_MAX);
    const json_t *oldest = json_array_get(writes, 0);
    assert_string_equal(json_string_value(json_object_get(oldest, "request_id")), "2");
    assert_string_equal(json_string_value(json_object_get(oldest, "method")), "POST");
    assert_int_equal(json_integer_value(json_object_get(oldest, "status")), 201);
    json_decref(writes);
    berth_sandbox_journal_reset_writes(journal);
    assert_int_equal(berth_sandbox_journal_dropped(journal), 0);
    berth_sandbox_journal_free(journal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_merge_changes_only_what_it_names),
        cmocka_unit_test(test_bad_values_and_unknown_keys_change_nothing),
        cmocka_unit_test(test_faults_end_after_the_last_counted_request),
        cmocka_unit_test(test_a_route_keeps_other_requests_unharmed_and_uncounted),
        cmocka_unit_test(test_requests_are_counted_by_route),
        cmocka_unit_test(test_writes_are_bounded_and_the_loss_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
