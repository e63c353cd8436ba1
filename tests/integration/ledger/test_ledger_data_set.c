/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is worked on in a data set that isn't whole, or is older than it was seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define EPOCH_KEY "berth:v1:epoch"
#define OTHER     "eeeeeeee-0000-4000-8000-000000000002"

static bool mentions(void *ctx) {
    struct worker *worker = ctx;
    return !worker->available && strstr(worker->why, "waits for being ") != NULL;
}

/* A worker without the right to rebuild, on a Redis without a data set. */
static void worker_without_data_set(struct world *world, struct worker *worker) {
    struct berth_ledger_config config;
    redis_says(world, "DEL " EPOCH_KEY);
    worker_config(world, worker, 1, &config);
    worker_start(worker, &config);
    world_run_until(world, mentions, worker);
}

/* Not even what Redis holds may be taken for the whole. */
static void test_without_an_epoch_nothing_is_taken(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_without_data_set(world, &worker);
    assert_false(berth_ledger_available(worker.ledger));
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    assert_int_equal(berth_ledger_submit(worker.ledger, 1, &call, NULL), BERTH_BUSY);

    /* Somebody else makes it whole. */
    world_begin_data_set(world);
    worker_wait_available(&worker);
    take(&worker, &command, &source);
    worker_deinit(&worker);
}

/* The number of an older program, and anything else that isn't an epoch of ours. */
static void test_what_is_no_epoch_is_none(void **state) {
    struct world *world = *state;
    static const char *const texts[] = {"1700000000000", "", "dddddddd-0000"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct worker worker;
        struct berth_ledger_config config;
        redis_says(world, "SET " EPOCH_KEY " %s", texts[i]);
        worker_config(world, &worker, 1, &config);
        worker_start(&worker, &config);
        world_run_until(world, mentions, &worker);
        worker_deinit(&worker);
    }
}

/* Each kind of call, in the moment after the data is gone: it does nothing. */
static void test_a_loss_is_noticed_by_the_next_call_whatever_it_is(void **state) {
    struct world *world = *state;
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_renewal lane = {.command = &command};
    for (int kind = 0; kind < 4; kind++) {
        struct worker worker;
        world_begin_data_set(world);
        worker_init(world, &worker, 1);
        lane.token = take(&worker, &command, &source)->token;
        struct berth_ledger_call calls[] = {
            [BERTH_LEDGER_CLAIM] = a_claim(&command, &source),
            [BERTH_LEDGER_REMEMBER] = {.kind = BERTH_LEDGER_REMEMBER,
                                       .remember = {.command = &command,
                                                    .token = lane.token,
                                                    .before = &space}},
            [BERTH_LEDGER_STORE] =
                a_store(&command, &source, lane.token, an_outcome(BERTH_SUCCEEDED, &space)),
            [BERTH_LEDGER_RENEW] = {.kind = BERTH_LEDGER_RENEW,
                                    .renew = {.lanes = &lane, .count = 1}},
        };
        redis_says(world, "FLUSHALL");
        const struct kept_answer *kept =
            worker_ask(&worker, &calls[kind], kind == BERTH_LEDGER_STORE ? "one" : NULL);
        assert_true(kept->answer.unavailable);
        assert_false(berth_ledger_available(worker.ledger));
        assert_int_equal(worker.warnings, 0);
        assert_string_equal(redis_says(world, "DBSIZE"), "0");
        worker_deinit(&worker);
    }
}

/* Another worker has rebuilt it: what was claimed before is gone, and the work goes on. */
static void test_a_new_data_set_is_adopted_and_lost_claims_are_gone(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;

    redis_says(world, "FLUSHALL");
    redis_says(world, "SET berth:v1:sequence 100");
    redis_says(world, "SET " EPOCH_KEY " %s", OTHER " 1700000000001");
    struct berth_ledger_call call =
        a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_true(worker_ask(&worker, &call, "one")->answer.unavailable);
    worker_wait_available(&worker);
    assert_int_equal(worker_ask(&worker, &call, "one")->answer.store.verdict, BERTH_STORE_GONE);
    call.store.token = take(&worker, &command, &source)->token;
    assert_int_equal(worker_ask(&worker, &call, "one")->answer.store.verdict, BERTH_STORE_STORED);
    worker_deinit(&worker);
}

/* The copy of a fail-over has its epoch, and lacks the last claims and outcomes: whoever made them
 * closes it for everybody. */
static void test_an_older_copy_is_closed_by_who_has_seen_more(void **state) {
    struct world *world = *state;
    struct worker worker;
    struct worker other;
    worker_init(world, &worker, 1);
    worker_init(world, &other, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command another = a_command(2, "team-b");
    struct berth_source source = a_source(10);
    take(&worker, &command, &source);

    redis_says(world, "DEL berth:v1:sequence"); /* As it was before that claim. */
    struct berth_ledger_call claim = a_claim(&another, &source);
    assert_true(worker_ask(&worker, &claim, NULL)->answer.unavailable);
    world_run_until(world, mentions, &worker);
    assert_string_equal(redis_says(world, "EXISTS " EPOCH_KEY), "0");
    assert_true(worker_ask(&other, &claim, NULL)->answer.unavailable);
    worker_deinit(&worker);
    worker_deinit(&other);
}

/* Others who had seen nothing newer have worked on the copy, and raised its sequence, before
 * whoever had done what is lost came back: he can tell all the same. */
static void test_an_older_copy_is_closed_though_others_have_raised_it_since(void **state) {
    struct world *world = *state;
    struct worker worker;
    struct worker other;
    worker_init(world, &other, 2);
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command another = a_command(2, "team-b");
    struct berth_command third = a_command(3, "team-c");
    struct berth_source source = a_source(10);
    take(&worker, &command, &source);

    /* As they were before that claim. */
    redis_says(world, "DEL berth:v1:sequence");
    redis_says(world, "DEL berth:v1:sequence:raised");
    take(&other, &another, &source);
    take(&other, &third, &source);
    struct berth_ledger_call claim = a_claim(&another, &source);
    assert_true(worker_ask(&worker, &claim, NULL)->answer.unavailable);
    world_run_until(world, mentions, &worker);
    assert_string_equal(redis_says(world, "EXISTS " EPOCH_KEY), "0");
    assert_true(worker_ask(&other, &claim, NULL)->answer.unavailable);
    worker_deinit(&worker);
    worker_deinit(&other);
}

/* Its id says nothing about which data set is the newer one; the sequence does. */
static void test_an_older_data_set_with_another_id_is_not_adopted(void **state) {
    struct world *world = *state;
    struct worker worker;
    redis_says(world, "SET berth:v1:sequence 500");
    worker_init(world, &worker, 1);
    redis_says(world, "SET " EPOCH_KEY " %s", OTHER " 1600000000000");
    redis_says(world, "SET berth:v1:sequence 499");
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call claim = a_claim(&command, &source);
    assert_true(worker_ask(&worker, &claim, NULL)->answer.unavailable);
    world_run_until(world, mentions, &worker);
    worker_deinit(&worker);
}

/* Nobody asks anything, and lookups would see an empty Redis. */
static void test_an_idle_worker_notices_a_loss_by_itself(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    redis_says(world, "FLUSHALL");
    world_run_until(world, mentions, &worker);
    worker_deinit(&worker);
}

/* Such a command may have been claimed, and its create request sent, in what was lost (design 4.5).
 */
static void test_a_record_below_the_beginning_is_never_a_first_claim(void **state) {
    struct world *world = *state;
    struct worker worker;
    redis_says(world, "SET " EPOCH_KEY " %s",
               WORLD_EPOCH " 1700000000000\n"
                           "berth.commands.alpha 2 900\n"
                           "berth.commands.alpha 3 50\n"
                           "berth.commands.beta 3 900");
    worker_init(world, &worker, 1);
    static const struct {
        int64_t offset;
        bool first;
    } cases[] = {{0, false}, {49, false}, {50, true}, {51, true}};
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "team-%d", i);
        struct berth_command command = a_command(i + 1, name);
        struct berth_source source = a_source(cases[i].offset);
        const struct berth_claim_answer *claim = take(&worker, &command, &source);
        assert_int_equal(claim->first, cases[i].first);
        assert_int_equal(claim->attempts, 1);
    }
    worker_deinit(&worker);
}

/* A repetition whose first reply was lost is that very claim, and no more a first one. */
static void test_a_later_claim_of_such_a_record_is_not_a_first_one_either(void **state) {
    struct world *world = *state;
    struct worker worker;
    redis_says(world, "SET " EPOCH_KEY " %s",
               WORLD_EPOCH " 1700000000000\nberth.commands.alpha 3 50");
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(49);
    assert_false(take(&worker, &command, &source)->first);
    struct berth_ledger_call call = the_last_claim_again(&command, &source);
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.attempts, 1);
    assert_false(kept->answer.claim.first);

    /* The same command in another record, which is above: it was claimed before. */
    struct berth_source resent = a_source(60);
    call = the_last_claim_again(&command, &resent);
    assert_false(worker_ask(&worker, &call, NULL)->answer.claim.first);
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_an_epoch_nothing_is_taken),
        TEST(what_is_no_epoch_is_none),
        TEST(a_loss_is_noticed_by_the_next_call_whatever_it_is),
        TEST(a_new_data_set_is_adopted_and_lost_claims_are_gone),
        TEST(an_older_copy_is_closed_by_who_has_seen_more),
        TEST(an_older_copy_is_closed_though_others_have_raised_it_since),
        TEST(an_older_data_set_with_another_id_is_not_adopted),
        TEST(an_idle_worker_notices_a_loss_by_itself),
        TEST(a_record_below_the_beginning_is_never_a_first_claim),
        TEST(a_later_claim_of_such_a_record_is_not_a_first_one_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
