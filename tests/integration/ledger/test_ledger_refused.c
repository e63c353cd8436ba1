/* SPDX-License-Identifier: Apache-2.0 */
/* What a real Redis refuses, in its own words: whose it is, and how it is told. */
#include <stdio.h>
#include <string.h>

#include "ledger_world.h"

#define SPACE_KEY   "berth:v1:space:alpha/team-a"
#define COMMAND_KEY "berth:v1:command:bbbbbbbb-0000-4000-8000-000000000001"

struct fixture {
    struct world *world;
    struct worker worker;
    struct berth_command command;
    struct berth_source source;
};

static struct fixture begin(void **state) {
    struct fixture fixture = {
        .world = *state, .command = a_command(1, "team-a"), .source = a_source(10)};
    return fixture;
}

static const struct kept_answer *claim(struct fixture *fixture) {
    struct berth_ledger_call call = a_claim(&fixture->command, &fixture->source);
    return worker_ask(&fixture->worker, &call, NULL);
}

static const struct kept_answer *store_bound(struct fixture *fixture, int64_t token) {
    struct berth_binding bindings[1] = {a_binding("ant", 1)};
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 1);
    struct berth_ledger_call call =
        a_store(&fixture->command, &fixture->source, token, an_outcome(BERTH_SUCCEEDED, &space));
    return worker_ask(&fixture->worker, &call, "result|rest");
}

/* Nobody else's work depends on it. */
static void test_a_key_of_one_command_is_named_and_nothing_else_is_said(void **state) {
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    int warnings = (int)fixture.worker.warnings;
    redis_says(fixture.world, "SET %s x", SPACE_KEY);
    const struct kept_answer *kept = claim(&fixture);
    assert_true(kept->answer.unavailable);
    assert_string_equal(kept->answer.bad_key, SPACE_KEY);
    redis_says(fixture.world, "DEL %s", SPACE_KEY);

    redis_says(fixture.world, "SET %s x", COMMAND_KEY);
    assert_string_equal(claim(&fixture)->answer.bad_key, COMMAND_KEY);
    redis_says(fixture.world, "DEL %s", COMMAND_KEY);

    int64_t token = take(&fixture.worker, &fixture.command, &fixture.source)->token;
    redis_says(fixture.world, "SET berth:v1:workspace:ant x");
    assert_string_equal(store_bound(&fixture, token)->answer.bad_key, "berth:v1:workspace:ant");
    assert_null(berth_ledger_refusal(fixture.worker.ledger));
    assert_int_equal(fixture.worker.warnings, warnings);

    /* Once it is repaired, all of it is stored. */
    redis_says(fixture.world, "DEL berth:v1:workspace:ant");
    assert_false(store_bound(&fixture, token)->answer.unavailable);
    assert_string_equal(redis_says(fixture.world, "ZRANGE berth:v1:workspace:ant 0 -1"),
                        "alpha/team-a");
    worker_deinit(&fixture.worker);
}

/* A number that isn't one, and a field that is missing: Lua's words, and ours. */
static void test_a_field_that_is_none_of_berths_is_the_keys_fault(void **state) {
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    take(&fixture.worker, &fixture.command, &fixture.source);
    redis_says(fixture.world, "HSET %s renewals many", SPACE_KEY);
    assert_string_equal(claim(&fixture)->answer.bad_key, SPACE_KEY);
    redis_says(fixture.world, "HSET %s renewals 0", SPACE_KEY);
    redis_says(fixture.world, "HSET %s attempts many", COMMAND_KEY);
    assert_non_null(claim(&fixture)->answer.bad_key);
    worker_deinit(&fixture.worker);
}

/* A set that all spaces of a registry need, and what the whole data set hangs on. */
static void test_a_key_that_many_need_stops_nobody_for_good(void **state) {
    static const char *const keys[] = {"berth:v1:registry:alpha", "berth:v1:registry:alpha:public"};
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    int64_t token = take(&fixture.worker, &fixture.command, &fixture.source)->token;
    for (size_t i = 0; i < 2; i++) {
        redis_says(fixture.world, "SET %s x", keys[i]);
        const struct kept_answer *kept = store_bound(&fixture, token);
        assert_true(kept->answer.unavailable);
        assert_null(kept->answer.bad_key);
        assert_non_null(strstr(berth_ledger_refusal(fixture.worker.ledger), keys[i]));
        redis_says(fixture.world, "DEL %s", keys[i]);
    }
    worker_deinit(&fixture.worker);
}

static bool says_refusal(void *ctx) {
    struct fixture *fixture = ctx;
    return berth_ledger_refusal(fixture->worker.ledger) != NULL;
}

/* Redis refuses to grow: nobody's fault but the operator's, and told also where nothing is asked.
 */
static void test_no_memory_is_everybodys_and_is_noticed_without_a_command(void **state) {
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    redis_says(fixture.world, "CONFIG SET maxmemory 1");
    world_run_until(fixture.world, says_refusal, &fixture);
    assert_non_null(strstr(berth_ledger_refusal(fixture.worker.ledger), "OOM command not allowed"));
    assert_non_null(strstr(fixture.worker.warning, "Redis refuses to work on the ledger: OOM"));
    const struct kept_answer *kept = claim(&fixture);
    assert_true(kept->answer.unavailable);
    assert_null(kept->answer.bad_key);
    redis_says(fixture.world, "CONFIG SET maxmemory 0");
    take(&fixture.worker, &fixture.command, &fixture.source);
    worker_deinit(&fixture.worker);
}

/* As its access list has it: told with the command that is denied. */
static void test_a_right_that_is_missing_is_everybodys(void **state) {
    struct fixture fixture = begin(state);
    struct berth_ledger_config config;
    worker_config(fixture.world, &fixture.worker, 1, &config);
    redis_says(fixture.world, "ACL SETUSER limited on >secret ~* +@all -zadd");
    config.server.username = "limited";
    config.server.password = "secret";
    worker_start(&fixture.worker, &config);
    worker_wait_available(&fixture.worker);
    int64_t token = take(&fixture.worker, &fixture.command, &fixture.source)->token;
    const struct kept_answer *kept = store_bound(&fixture, token);
    assert_true(kept->answer.unavailable);
    assert_null(kept->answer.bad_key);
    assert_non_null(strstr(berth_ledger_refusal(fixture.worker.ledger), "(ZADD berth:v1:"));
    redis_says(fixture.world, "ACL SETUSER limited +zadd");
    assert_false(store_bound(&fixture, token)->answer.unavailable);
    assert_string_equal(redis_says(fixture.world, "ZRANGE berth:v1:registry:alpha 0 -1"),
                        "alpha/team-a");
    worker_deinit(&fixture.worker);
    redis_says(fixture.world, "ACL DELUSER limited");
}

/* Else one key that somebody has overwritten would take every lane from its holder. */
static void test_one_lane_that_can_not_be_renewed_costs_no_other(void **state) {
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    struct berth_command other = a_command(2, "team-b");
    struct berth_source other_source = a_source(11);
    int64_t token = take(&fixture.worker, &fixture.command, &fixture.source)->token;
    int64_t other_token = take(&fixture.worker, &other, &other_source)->token;
    redis_says(fixture.world, "SET %s x", SPACE_KEY);
    const struct berth_renewal lanes[2] = {{.command = &fixture.command, .token = token},
                                           {.command = &other, .token = other_token}};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_RENEW, .renew = {lanes, 2}};
    const struct kept_answer *kept = worker_ask(&fixture.worker, &call, NULL);
    assert_false(kept->answer.unavailable);
    assert_false(kept->answer.renew.held[0]);
    assert_true(kept->answer.renew.held[1]);
    worker_deinit(&fixture.worker);
}

/* The bases of the partitions are told with the same call. */
static void test_one_outcome_that_can_not_shrink_holds_up_no_other(void **state) {
    struct fixture fixture = begin(state);
    worker_init(fixture.world, &fixture.worker, 1);
    redis_says(fixture.world, "SET %s x", COMMAND_KEY);
    struct berth_settled settled = {.version = 1, .topic = "t", .offset = 1};
    snprintf(settled.command_id, sizeof(settled.command_id), "%s", fixture.command.id);
    const struct berth_base base = {.topic = "t", .offset = 7};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_SETTLED,
                                     .settled = {&settled, 1, &base, 1}};
    assert_false(worker_ask(&fixture.worker, &call, NULL)->answer.unavailable);
    assert_string_equal(redis_says(fixture.world, "GET berth:v1:offset:t/0"), "7");
    worker_deinit(&fixture.worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_key_of_one_command_is_named_and_nothing_else_is_said),
        TEST(a_field_that_is_none_of_berths_is_the_keys_fault),
        TEST(a_key_that_many_need_stops_nobody_for_good),
        TEST(no_memory_is_everybodys_and_is_noticed_without_a_command),
        TEST(a_right_that_is_missing_is_everybodys),
        TEST(one_lane_that_can_not_be_renewed_costs_no_other),
        TEST(one_outcome_that_can_not_shrink_holds_up_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
