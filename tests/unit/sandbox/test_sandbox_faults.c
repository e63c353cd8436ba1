/* SPDX-License-Identifier: Apache-2.0 */
/* The switches of the stand-in, and its memory of what it was asked. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_api.h"
#include "sandbox_cores.h"
#include "sandbox_faults.h"
#include "sandbox_journal.h"

#define NOW_MS INT64_C(1795000000000)

static int setup(void **state) {
    struct berth_sandbox_faults *faults = malloc(sizeof(*faults));
    assert_non_null(faults);
    berth_sandbox_faults_init(faults);
    *state = faults;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

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
    struct berth_sandbox_faults *faults = *state;
    assert_int_equal(merge(faults, "{\"latency_ms\":20,\"password_ms\":7}", NULL), BERTH_OK);
    assert_int_equal(merge(faults, "{\"away\":\"hang\",\"count\":3}", NULL), BERTH_OK);
    assert_int_equal(faults->base.latency.low_ms, 20);
    assert_int_equal(faults->base.away, BERTH_SANDBOX_AWAY_HANG);
    assert_int_equal(faults->base.count, 3);
    assert_int_equal(faults->password_ms, 7);
    assert_int_equal(faults->cores, 2);
}

/* A misspelt fault would make a test pass that tests nothing. */
static void test_bad_values_and_unknown_keys_change_nothing(void **state) {
    struct berth_sandbox_faults *faults = *state;
    static const char *const BAD[] = {
        "[]",
        "{\"latency\":1}",
        "{\"latency_ms\":-1}",
        "{\"latency_ms\":600001}",
        "{\"latency_ms\":\"1\"}",
        "{\"latency_ms\":{\"uniform\":[5,4]}}",
        "{\"latency_ms\":{\"uniform\":[5]}}",
        "{\"latency_ms\":{\"p50\":5}}",
        "{\"latency_ms\":{\"p50\":0,\"p99\":9}}",
        "{\"away\":\"yes\"}",
        "{\"away\":false}",
        "{\"read_only\":1}",
        "{\"status\":200}",
        "{\"status\":600}",
        "{\"count\":-1}",
        "{\"route\":\"POST /nope\"}",
        "{\"route\":7}",
        "{\"body\":\"much\"}",
        "{\"cores\":0}",
        "{\"commit_ms\":5}",
        "{\"away\":\"refuse\",\"count\":1}",
        "{\"away\":\"refuse\",\"route\":\"POST /projects\"}",
        "{\"rules\":{}}",
        "{\"rules\":[7]}",
        "{\"rules\":[{\"status\":503},{\"away\":\"refuse\"}]}",
        "{\"rules\":[{\"password_ms\":1}]}",
        "{\"latency_ms\":5,\"nope\":1}",
    };
    faults->base.latency.low_ms = 7;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct berth_error error = {""};
        assert_int_equal(merge(faults, BAD[i], &error), BERTH_INVALID);
        assert_true(strlen(error.text) > 0);
        assert_int_equal(faults->base.latency.low_ms, 7);
        assert_int_equal(faults->base.away, BERTH_SANDBOX_AWAY_NO);
        assert_int_equal(faults->rule_count, 0);
    }
}

/* What is shown can be sent back: a test saves the faults and restores them. */
static void test_what_is_shown_can_be_set(void **state) {
    struct berth_sandbox_faults *faults = *state;
    assert_int_equal(
        merge(faults,
              "{\"away\":\"reset\",\"commit_ms\":9,\"latency_ms\":{\"p50\":2,\"p99\":90},"
              "\"login_lock_ms\":0,\"rules\":[{\"route\":\"GET /ping\",\"body\":"
              "\"drip\"},{\"latency_ms\":{\"uniform\":[1,3]}}]}",
              NULL),
        BERTH_OK);
    json_t *shown = berth_sandbox_faults_json(faults);
    struct berth_sandbox_faults other;
    berth_sandbox_faults_init(&other);
    assert_int_equal(berth_sandbox_faults_merge(&other, shown, NULL), BERTH_OK);
    json_t *again = berth_sandbox_faults_json(&other);
    assert_true(json_equal(shown, again));
    assert_int_equal(other.rule_count, 2);
    json_decref(shown);
    json_decref(again);
}

static void test_faults_end_after_the_last_counted_request(void **state) {
    struct berth_sandbox_faults *faults = *state;
    size_t route = berth_sandbox_find_route(BERTH_SANDBOX_POST, "/api/v2.0/projects");
    assert_int_equal(merge(faults, "{\"status\":503,\"count\":2}", NULL), BERTH_OK);
    assert_int_equal(berth_sandbox_faults_take(faults, route).status, 503);
    assert_int_equal(berth_sandbox_faults_take(faults, route).status, 503);
    assert_int_equal(berth_sandbox_faults_take(faults, route).status, 0);
    assert_int_equal(faults->base.status, 0);
}

static void test_a_route_keeps_other_requests_unharmed_and_uncounted(void **state) {
    struct berth_sandbox_faults *faults = *state;
    size_t create = berth_sandbox_find_route(BERTH_SANDBOX_POST, "/api/v2.0/projects");
    size_t get = berth_sandbox_find_route(BERTH_SANDBOX_GET, "/api/v2.0/projects/team-a");
    assert_int_equal(
        merge(faults, "{\"status\":503,\"count\":1,\"route\":\"POST /projects\"}", NULL), BERTH_OK);
    assert_int_equal(berth_sandbox_faults_take(faults, get).status, 0);
    assert_int_equal(berth_sandbox_faults_take(faults, create).status, 503);
    assert_int_equal(berth_sandbox_faults_take(faults, create).status, 0);
}

/* All at once: slow altogether, and in addition one route fails, but not the first time. */
static void test_rules_come_on_top_of_each_other_and_end_one_by_one(void **state) {
    struct berth_sandbox_faults *faults = *state;
    size_t create = berth_sandbox_find_route(BERTH_SANDBOX_POST, "/api/v2.0/projects");
    size_t ping = berth_sandbox_find_route(BERTH_SANDBOX_GET, "/api/v2.0/ping");
    assert_int_equal(merge(faults,
                           "{\"latency_ms\":20,\"rules\":[{\"status\":500,\"skip\":1,\"count\":1,"
                           "\"route\":\"POST /projects\"},{\"latency_ms\":5,\"count\":1}]}",
                           NULL),
                     BERTH_OK);
    struct berth_sandbox_fault first = berth_sandbox_faults_take(faults, create);
    assert_int_equal(first.status, 0);
    assert_int_equal(first.latency.low_ms, 5);
    struct berth_sandbox_fault second = berth_sandbox_faults_take(faults, create);
    assert_int_equal(second.status, 500);
    assert_int_equal(second.latency.low_ms, 20);
    assert_int_equal(faults->rule_count, 0);
    assert_int_equal(berth_sandbox_faults_take(faults, ping).latency.low_ms, 20);
    /* What a rule doesn't set stays as the record below has it. */
    assert_int_equal(merge(faults,
                           "{\"status\":502,\"body\":\"html\",\"read_only\":true,"
                           "\"rules\":[{\"request_id\":\"strip\"}]}",
                           NULL),
                     BERTH_OK);
    struct berth_sandbox_fault both = berth_sandbox_faults_take(faults, ping);
    assert_int_equal(both.status, 502);
    assert_int_equal(both.body, BERTH_SANDBOX_BODY_HTML);
    assert_true(both.read_only);
    assert_int_equal(both.request_id, BERTH_SANDBOX_ECHO_STRIPPED);
}

/* A rule may be for the route of no handler, too, and the list has its bound. */
static void test_rules_are_added_up_to_a_bound(void **state) {
    struct berth_sandbox_faults *faults = *state;
    json_t *rule = json_pack("{s:i,s:s}", "status", 404, "route", "other");
    for (int i = 0; i < BERTH_SANDBOX_RULES_MAX; i++) {
        assert_int_equal(berth_sandbox_faults_add_rule(faults, rule, NULL), BERTH_OK);
    }
    assert_int_equal(berth_sandbox_faults_add_rule(faults, rule, NULL), BERTH_INVALID);
    json_decref(rule);
    assert_int_equal(berth_sandbox_faults_take(faults, berth_sandbox_route_count() - 1).status,
                     404);
}

/* Half are faster than p50, one in a hundred slower than p99, and a seed repeats them all. */
static void test_latencies_have_the_shape_and_the_seed_that_were_asked_for(void **state) {
    struct berth_sandbox_faults *faults = *state;
    struct berth_sandbox_faults again;
    static const char TAIL[] = "{\"latency_ms\":{\"p50\":20,\"p99\":500},\"seed\":7}";
    berth_sandbox_faults_init(&again);
    assert_int_equal(merge(faults, TAIL, NULL), BERTH_OK);
    assert_int_equal(merge(&again, TAIL, NULL), BERTH_OK);
    int64_t first = berth_sandbox_faults_take(faults, 0).latency.low_ms;
    int64_t second = berth_sandbox_faults_take(faults, 0).latency.low_ms;
    assert_int_equal(merge(faults, "{\"seed\":7}", NULL), BERTH_OK);
    assert_int_equal(berth_sandbox_faults_take(faults, 0).latency.low_ms, first);
    assert_int_equal(berth_sandbox_faults_take(faults, 0).latency.low_ms, second);
    assert_int_equal(merge(faults, "{\"seed\":7}", NULL), BERTH_OK);
    int fast = 0;
    int slow = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t ms = berth_sandbox_faults_take(faults, 0).latency.low_ms;
        assert_int_equal(ms, berth_sandbox_faults_take(&again, 0).latency.low_ms);
        fast += ms < 20 ? 1 : 0;
        slow += ms >= 500 ? 1 : 0;
    }
    assert_in_range(fast, 4800, 5200);
    assert_in_range(slow, 70, 130);
    assert_int_equal(merge(faults, "{\"latency_ms\":{\"uniform\":[10,12]}}", NULL), BERTH_OK);
    int seen[3] = {0};
    for (int i = 0; i < 300; i++) {
        int64_t ms = berth_sandbox_faults_take(faults, 0).latency.low_ms;
        assert_in_range(ms, 10, 12);
        seen[ms - 10]++;
    }
    assert_true(seen[0] > 50 && seen[1] > 50 && seen[2] > 50);
}

/* Two cores do two checks at once; the third request waits for the first. */
static void test_password_checks_queue_for_the_cores(void **state) {
    (void)state;
    struct berth_sandbox_cores cores = {{0}};
    assert_int_equal(berth_sandbox_cores_take(&cores, 2, NOW_MS, 100), 100);
    assert_int_equal(berth_sandbox_cores_take(&cores, 2, NOW_MS, 100), 100);
    assert_int_equal(berth_sandbox_cores_take(&cores, 2, NOW_MS + 10, 100), 190);
    assert_int_equal(berth_sandbox_cores_take(&cores, 2, NOW_MS + 10, 0), 0);
    assert_int_equal(berth_sandbox_cores_take(&cores, 2, NOW_MS + 500, 100), 100);
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

#define WITH_FAULTS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FAULTS(test_a_merge_changes_only_what_it_names),
        WITH_FAULTS(test_bad_values_and_unknown_keys_change_nothing),
        WITH_FAULTS(test_what_is_shown_can_be_set),
        WITH_FAULTS(test_faults_end_after_the_last_counted_request),
        WITH_FAULTS(test_a_route_keeps_other_requests_unharmed_and_uncounted),
        WITH_FAULTS(test_rules_come_on_top_of_each_other_and_end_one_by_one),
        WITH_FAULTS(test_rules_are_added_up_to_a_bound),
        WITH_FAULTS(test_latencies_have_the_shape_and_the_seed_that_were_asked_for),
        cmocka_unit_test(test_password_checks_queue_for_the_cores),
        cmocka_unit_test(test_requests_are_counted_by_route),
        cmocka_unit_test(test_writes_are_bounded_and_the_loss_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
