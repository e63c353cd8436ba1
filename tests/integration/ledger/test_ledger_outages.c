/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger while Redis is away, frozen, restarted, forgetful or full. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "outage.h"

static void assert_busy(struct worker *worker) {
    struct berth_command command = a_command(9, "team-z");
    struct berth_source source = a_source(1);
    struct berth_ledger_call call = a_claim(&command, &source);
    assert_int_equal(berth_ledger_submit(worker->ledger, 1, &call, NULL), BERTH_BUSY);
}

/* Turns the loop for a while in which nothing is asked. */
static void run_for(struct world *world, int64_t duration_ms) {
    struct timeval duration = {.tv_sec = duration_ms / 1000,
                               .tv_usec = (duration_ms % 1000) * 1000};
    assert_int_equal(event_base_loopexit(world->base, &duration), 0);
    event_base_dispatch(world->base);
}

/* The kernel of a frozen host answers for it; only silence tells. */
static void test_a_frozen_redis_is_noticed_and_found_again(void **state) {
    (void)state;
    struct outage outage;
    struct worker worker;
    outage_init(&outage, NULL);
    impatient_worker(&outage.world, &worker);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);

    /* Some time after the last reply: that time is no silence. */
    run_for(&outage.world, TIMEOUT_MS * 2 / 3);
    own_redis_freeze(&outage.redis);
    int64_t began_ms = berth_clock_monotonic_ms();
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    int64_t took_ms = berth_clock_monotonic_ms() - began_ms;
    assert_true(kept->answer.unavailable);
    assert_true(took_ms >= TIMEOUT_MS);
    assert_true(took_ms < TIMEOUT_MS + 2000);
    worker_wait_unavailable(&worker);
    assert_string_equal(worker.why, "no reply for 300 ms");
    assert_busy(&worker);

    own_redis_thaw(&outage.redis);
    worker_wait_available(&worker);
    /* The first claim was in the ended connection's buffer: it ran, now or later, and is ours. */
    kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(kept->answer.claim.received_at_ms, WALL_MS);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

/* Silence counts only while something is asked: an idle night is no outage. */
static void test_an_idle_connection_stays(void **state) {
    (void)state;
    struct outage outage;
    struct worker worker;
    outage_init(&outage, NULL);
    impatient_worker(&outage.world, &worker);
    run_for(&outage.world, 2 * TIMEOUT_MS + 100);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    take(&worker, &command, &source);
    assert_int_equal(worker.changes, 1);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static void test_outcomes_survive_a_restart_of_redis(void **state) {
    (void)state;
    static const char *const appending[] = {"--appendonly", "yes", NULL};
    struct outage outage;
    struct worker worker;
    outage_init(&outage, appending);
    impatient_worker(&outage.world, &worker);
    assert_int_equal(worker.warnings, 0);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command settled = a_command(1, "team-a");
    struct berth_command claimed = a_command(2, "team-b");
    struct berth_source source = a_source(10);
    settle(&worker, &settled, &source, &space, "one");
    int64_t token = take(&worker, &claimed, &source)->token;

    own_redis_stop(&outage.redis);
    worker_wait_unavailable(&worker);
    assert_busy(&worker);
    own_redis_start(&outage.redis, appending);
    worker_wait_available(&worker);
    assert_int_equal(worker.changes, 3);

    struct berth_ledger_call claim = a_claim(&settled, &source);
    const struct kept_answer *kept = worker_ask(&worker, &claim, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_STORED);
    assert_memory_equal(kept->stored, "one", 3);
    struct berth_ledger_call store =
        a_store(&claimed, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    kept = worker_ask(&worker, &store, "two");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_STORED);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static void test_a_worker_that_starts_first_waits_for_redis(void **state) {
    (void)state;
    struct outage outage;
    struct worker worker;
    outage_init(&outage, NULL);
    own_redis_stop(&outage.redis);
    struct berth_ledger_config config;
    impatient_config(&outage.world, &worker, &config);
    worker_start(&worker, &config);
    worker_wait_unavailable(&worker);
    assert_string_equal(worker.why, "Connection refused");
    own_redis_start(&outage.redis, NULL);
    worker_wait_available(&worker);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static long connections_so_far(struct world *world) {
    const char *found = strstr(redis_says(world, "INFO stats"), "total_connections_received:");
    assert_non_null(found);
    return strtol(strchr(found, ':') + 1, NULL, 10);
}

static bool came_three_times(void *ctx) {
    return connections_so_far(ctx) >= 3;
}

/* An outage of a night must not fill the log. */
static void test_the_same_reason_again_is_said_once(void **state) {
    (void)state;
    static const char *const protected[] = {"--requirepass", "s3cret", NULL};
    struct outage outage;
    struct worker worker;
    outage_init(&outage, protected);
    redis_says(&outage.world, "AUTH s3cret");
    redis_says(&outage.world, "CONFIG RESETSTAT");
    struct berth_ledger_config config;
    impatient_config(&outage.world, &worker, &config);
    config.server.password = "wrong";
    worker_start(&worker, &config);
    world_run_until(&outage.world, came_three_times, &outage.world);
    assert_int_equal(worker.changes, 1);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

static void test_scripts_that_redis_forgot_are_loaded_again(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_source source = a_source(10);
    struct berth_command commands[3];
    assert_string_equal(redis_says(world, "SCRIPT FLUSH"), "OK");
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof(name), "team-%d", i);
        commands[i] = a_command(i + 1, name);
        struct berth_ledger_call call = a_claim(&commands[i], &source);
        worker_submit(&worker, (uint64_t)i, &call, NULL);
    }
    worker_wait_answers(&worker, 3);
    for (uint64_t i = 0; i < 3; i++) {
        const struct kept_answer *kept = worker_answer(&worker, i);
        assert_false(kept->answer.unavailable);
        assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
        assert_int_equal(kept->answer.claim.attempts, 1);
    }
    assert_int_equal(worker.changes, 1);
    assert_int_equal(worker.warnings, 0);
    worker_deinit(&worker);
}

static void test_calls_under_way_are_bounded(void **state) {
    struct worker worker;
    struct berth_ledger_config config;
    worker_config(*state, &worker, 1, &config);
    config.pending_max = 3;
    worker_start(&worker, &config);
    worker_wait_available(&worker);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    take(&worker, &command, &source);
    struct berth_ledger_call call = a_claim(&command, &source);
    for (uint64_t i = 0; i < 3; i++) {
        worker_submit(&worker, i, &call, NULL);
    }
    assert_busy(&worker);
    worker_wait_answers(&worker, 4);
    assert_int_equal(berth_ledger_submit(worker.ledger, 9, &call, NULL), BERTH_OK);
    worker_wait_answers(&worker, 5);
    worker_deinit(&worker);
}

/* Nobody is called back by something that was freed. */
static void test_what_is_under_way_at_the_end_is_not_answered(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    worker_submit(&worker, 1, &call, NULL);
    worker.ledger = berth_ledger_free(worker.ledger);
    assert_int_equal(worker.answers_count, 0);
    assert_int_equal(worker.changes, 1);
    worker_deinit(&worker);
}

static void claim_another(struct worker *worker) {
    static struct berth_command command;
    static struct berth_source source;
    command = a_command(2, "team-b");
    source = a_source(11);
    struct berth_ledger_call call = a_claim(&command, &source);
    worker->on_answer = NULL;
    enum berth_rc rc = berth_ledger_submit(worker->ledger, 2, &call, NULL);
    assert_int_equal(rc, worker->answers[0].answer.unavailable ? BERTH_BUSY : BERTH_OK);
}

/* The engine submits from within an answer, whichever it is. */
static void test_a_call_may_be_submitted_from_within_an_answer(void **state) {
    (void)state;
    struct outage outage;
    struct worker worker;
    outage_init(&outage, NULL);
    impatient_worker(&outage.world, &worker);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    worker.on_answer = claim_another;
    worker_submit(&worker, 1, &call, NULL);
    worker_wait_answers(&worker, 2);
    assert_int_equal(worker_answer(&worker, 2)->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    worker_deinit(&worker);

    impatient_worker(&outage.world, &worker);
    own_redis_freeze(&outage.redis);
    worker.on_answer = claim_another;
    worker_submit(&worker, 1, &call, NULL);
    worker_wait_answers(&worker, 1);
    assert_null(worker.on_answer);
    worker_deinit(&worker);
    own_redis_thaw(&outage.redis);
    outage_deinit(&outage);
}

/* Full memory refuses writes and goes on answering: that is not silence, and must be said. */
static void test_a_full_redis_refuses_and_recovers(void **state) {
    (void)state;
    static const char *const appending[] = {"--appendonly", "yes", NULL};
    struct outage outage;
    struct worker worker;
    outage_init(&outage, appending);
    impatient_worker(&outage.world, &worker);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    redis_says(&outage.world, "CONFIG SET maxmemory 1");
    assert_true(worker_ask(&worker, &call, NULL)->answer.unavailable);
    assert_true(worker_ask(&worker, &call, NULL)->answer.unavailable);
    assert_int_equal(worker.warnings, 1);
    assert_non_null(strstr(worker.warning, "OOM"));
    assert_true(worker.available);
    redis_says(&outage.world, "CONFIG SET maxmemory 0");
    assert_string_equal(redis_says(&outage.world, "KEYS *command*"), "");
    take(&worker, &command, &source);
    worker_deinit(&worker);
    outage_deinit(&outage);
}

int main(void) {
#define TEST(name)     cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
#define TEST_OWN(name) cmocka_unit_test(test_##name)
    const struct CMUnitTest tests[] = {
        TEST_OWN(a_frozen_redis_is_noticed_and_found_again),
        TEST_OWN(an_idle_connection_stays),
        TEST_OWN(outcomes_survive_a_restart_of_redis),
        TEST_OWN(a_worker_that_starts_first_waits_for_redis),
        TEST_OWN(the_same_reason_again_is_said_once),
        TEST(scripts_that_redis_forgot_are_loaded_again),
        TEST(calls_under_way_are_bounded),
        TEST(what_is_under_way_at_the_end_is_not_answered),
        TEST_OWN(a_call_may_be_submitted_from_within_an_answer),
        TEST_OWN(a_full_redis_refuses_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
