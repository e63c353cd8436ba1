/* SPDX-License-Identifier: Apache-2.0 */
/* CLAIM of ids that are known, or can't be, against a real Redis. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define SPACE_KEY      "berth:v1:space:alpha/team-a"
#define COMMAND_KEY(n) "berth:v1:command:bbbbbbbb-0000-4000-8000-00000000000" #n

static void test_an_id_with_other_content_is_refused(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command other = a_command(1, "team-b");
    other.digest[31] ^= 1;
    struct berth_source source = a_source(10);
    struct berth_source next = a_source(11);
    struct berth_ledger_call call = a_claim(&other, &next);

    int64_t token = take(&worker, &command, &source)->token;
    assert_int_equal(worker_ask(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_REUSED);
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    worker_ask(&worker, &store, "one");
    assert_int_equal(worker_ask(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_REUSED);
    assert_string_equal(redis_says(*state, "EXISTS berth:v1:space:alpha/team-b"), "0");
    worker_deinit(&worker);
}

static void test_the_age_matters_only_for_an_id_that_is_not_known(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.issued = BERTH_ISSUED_TOO_OLD;
    assert_int_equal(worker_ask(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_TOO_OLD);
    call.claim.issued = BERTH_ISSUED_IN_FUTURE;
    assert_int_equal(worker_ask(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_IN_FUTURE);
    assert_string_equal(redis_says(*state, "KEYS *command*"), "");

    take(&worker, &command, &source);
    struct berth_ledger_call next = a_claim(&command, &source);
    next.claim.issued = BERTH_ISSUED_TOO_OLD;
    assert_int_equal(worker_ask(&worker, &next, NULL)->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    worker_deinit(&worker);
}

static void assert_stored(const struct kept_answer *kept, const char *publication, bool same_source,
                          bool state_current) {
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_STORED);
    assert_int_equal(kept->stored_len, strlen(publication));
    assert_memory_equal(kept->stored, publication, kept->stored_len);
    assert_int_equal(kept->answer.claim.same_source, same_source);
    assert_int_equal(kept->answer.claim.state_current, state_current);
}

static void test_a_stored_outcome_is_the_answer_from_then_on(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source copy = a_source(11);
    settle(&worker, &first, &source, &space, "one");
    struct berth_ledger_call redelivered = a_claim(&first, &source);
    struct berth_ledger_call resent = a_claim(&first, &copy);
    assert_stored(worker_ask(&worker, &redelivered, NULL), "one", true, true);
    assert_stored(worker_ask(&worker, &resent, NULL), "one", false, true);
    assert_string_equal(redis_says(*state, "HEXISTS " SPACE_KEY " holder_command"), "0");

    /* The next command has changed the space: the old state must not be published over it. */
    settle(&worker, &second, &copy, &space, "two");
    assert_stored(worker_ask(&worker, &redelivered, NULL), "one", true, false);
    worker_deinit(&worker);
}

/* A dead letter is replayed by sending it again: it gets a new try with a new `before`, a new age,
 * and no new claim to be the first under its id. */
static void test_a_failed_outcome_is_final_for_its_own_record_only(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source replayed = a_source(99);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    worker_ask(&worker, &store, "gave up");

    struct berth_ledger_call call = a_claim(&command, &source);
    assert_stored(worker_ask(&worker, &call, NULL), "gave up", true, false);

    redis_says(world, "HSET " COMMAND_KEY(1) " burned 3 paused_ms 7"); /* By a late renewal. */
    call = a_claim(&command, &replayed);
    call.claim.now_wall_ms = WALL_MS + HOUR_MS;
    call.claim.issued = BERTH_ISSUED_TOO_OLD; /* The id is known, so that doesn't matter. */
    const struct berth_claim_answer *claim = &worker_ask(&worker, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(claim->attempts, 1);
    assert_false(claim->first);
    assert_int_equal(claim->received_at_ms, WALL_MS + HOUR_MS);
    assert_int_equal(claim->burned, 0);
    assert_int_equal(claim->paused_ms, 0);
    assert_false(claim->before_known);
    assert_string_equal(redis_says(world, "TTL " COMMAND_KEY(1)), "-1");
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(1) " result"), "0");
    worker_deinit(&worker);
}

/* Whatever the entry still says of the record that failed: the replay's outcome is its own. */
static void test_a_failed_outcome_does_not_end_the_replay_of_its_dead_letter(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source replay = a_source(20);
    int64_t token = take(&worker, &command, &replay)->token;
    redis_says(world, "HSET berth:v1:command:%s kind FAILED version 1 result old source %s",
               command.id, "berth.commands.alpha_3_10");
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_ledger_call call =
        a_store(&command, &replay, token, an_outcome(BERTH_SUCCEEDED, &space));
    const struct kept_answer *kept = worker_ask(&worker, &call, "new");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_STORED);
    worker_deinit(&worker);
}

/* Which record an outcome is of decides what is published again. */
static void test_the_same_bytes_of_another_record_are_another_outcome(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source copy = a_source(11);
    int64_t token = settle(&worker, &command, &source, &space, "one");
    struct berth_ledger_call call =
        a_store(&command, &copy, token, an_outcome(BERTH_SUCCEEDED, &space));
    const struct kept_answer *kept = worker_ask(&worker, &call, "one");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_ALREADY);
    assert_false(kept->answer.store.same_source);
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_id_with_other_content_is_refused),
        TEST(the_age_matters_only_for_an_id_that_is_not_known),
        TEST(a_stored_outcome_is_the_answer_from_then_on),
        TEST(a_failed_outcome_is_final_for_its_own_record_only),
        TEST(a_failed_outcome_does_not_end_the_replay_of_its_dead_letter),
        TEST(the_same_bytes_of_another_record_are_another_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
