/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of calls that Redis works off late, when everybody has given them up and the lane has gone
 * on (a frozen Redis does so with what an ended connection left in its buffers): each must leave
 * what is there as it is. And the same call twice, because a reply was lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define SPACE_KEY      "berth:v1:space:alpha/team-a"
#define COMMAND_KEY(n) "berth:v1:command:bbbbbbbb-0000-4000-8000-00000000000" #n

/* Runs a late copy of a call; nothing may change. The answer lives until the next ask. */
static const struct kept_answer *late(struct worker *worker, const struct berth_ledger_call *call,
                                      const char *publication) {
    char *before = redis_snapshot(worker->world);
    const struct kept_answer *kept = worker_ask(worker, call, publication);
    assert_false(kept->answer.unavailable);
    char *after = redis_snapshot(worker->world);
    assert_string_equal(before, after);
    free(before);
    free(after);
    return kept;
}

static struct berth_ledger_call a_remember(const struct berth_command *command, int64_t token,
                                           const struct berth_space_state *before) {
    return (struct berth_ledger_call){
        .kind = BERTH_LEDGER_REMEMBER,
        .remember = {.command = command, .token = token, .before = before}};
}

/* The lane of a settled command is free: its claim must not take it again, for nobody. */
static void test_a_late_claim_of_a_settled_command_takes_no_lane(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &command, &source, &space, "one");
    struct berth_ledger_call call = a_claim(&command, &source);
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_STORED);
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_STORED);
    worker_deinit(&worker);
}

/* Also while the next command is at work, whoever does it. */
static void test_a_late_claim_does_not_disturb_the_next_command(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");
    take(&worker, &second, &source);

    struct berth_ledger_call call = a_claim(&first, &source);
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_STORED);
    call = a_claim(&third, &source); /* Never ran before, and its worker has long forgotten it. */
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_HELD);
    worker_deinit(&worker);
}

/* Its mark is an old one: the lane has changed hands since. */
static void test_a_late_take_over_finds_another_mark(void **state) {
    struct world *world = *state;
    struct worker dead;
    struct worker slow;
    struct worker quick;
    worker_init(world, &dead, 1);
    worker_init(world, &slow, 2);
    worker_init(world, &quick, 3);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){take(&dead, &command, &source)->token, 0};
    assert_int_equal(worker_ask(&quick, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(late(&slow, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_HELD);
    worker_deinit(&dead);
    worker_deinit(&slow);
    worker_deinit(&quick);
}

/* `before` has done its work and is gone; a late copy must not bring it back. */
static void test_a_late_remember_brings_no_before_back(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call call = a_remember(&command, token, &space);
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    store.store.free_lane = false; /* So that only the outcome stands in its way. */
    worker_ask(&worker, &store, "one");
    assert_true(late(&worker, &call, NULL)->answer.remember.lost);

    store.store.free_lane = true;
    worker_ask(&worker, &store, "one");
    assert_true(late(&worker, &call, NULL)->answer.remember.lost);
    worker_deinit(&worker);
}

/* A lane that is free stays free, and a space that isn't there isn't made. */
static void test_a_late_renewal_holds_nothing(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_renewal lane = {.command = &command};
    lane.token = settle(&worker, &command, &source, &space, "one");
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_RENEW, .renew = {&lane, 1}};
    assert_false(late(&worker, &call, NULL)->answer.renew.held[0]);
    world_forget(world);
    assert_false(late(&worker, &call, NULL)->answer.renew.held[0]);
    worker_deinit(&worker);
}

/* ---- Dead letters and their replays ---- */

static int64_t fail_and_keep_lane(struct worker *worker, const struct berth_command *command,
                                  const struct berth_source *source) {
    int64_t token = take(worker, command, source)->token;
    struct berth_ledger_call store =
        a_store(command, source, token, an_outcome(BERTH_FAILED, NULL));
    store.store.free_lane = false;
    assert_int_equal(worker_ask(worker, &store, "failed")->answer.store.verdict,
                     BERTH_STORE_STORED);
    return token;
}

/*
 * The lane was kept, because a write may still arrive. The replay has the same id, and may come to
 * the same start of the same worker: it isn't the holder's claim again, waits for the lease, and
 * gets a token of its own.
 */
static void test_the_replay_of_a_dead_letter_waits_for_its_lane(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source replay = a_source(11);
    int64_t token = fail_and_keep_lane(&worker, &command, &source);

    struct berth_ledger_call call = a_claim(&command, &replay);
    const struct kept_answer *kept = late(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_HELD);
    assert_true(kept->answer.claim.mark.token == token);
    call.claim.take_over = true;
    call.claim.mark = kept->answer.claim.mark;
    kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_true(kept->answer.claim.token > token);
    assert_int_equal(kept->answer.claim.attempts, 1);
    assert_false(kept->answer.claim.first);
    worker_deinit(&worker);
}

/* The failed record's CLAIM once more: its record was answered, so nobody would work under it. It
 * must not take the replay's lane, nor, when that has failed, too, its outcome away. */
static void test_a_late_claim_of_a_dead_letter_does_not_undo_its_replay(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source replay = a_source(11);
    struct berth_ledger_call first = a_claim(&command, &source);
    int64_t token = worker_ask(&worker, &first, NULL)->answer.claim.token;
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    (void)worker_ask(&worker, &store, "failed");

    token = take(&worker, &command, &replay)->token;
    assert_int_equal(late(&worker, &first, NULL)->answer.claim.verdict, BERTH_CLAIM_HELD);
    store = a_store(&command, &replay, token, an_outcome(BERTH_FAILED, NULL));
    assert_int_equal(worker_ask(&worker, &store, "again")->answer.store.verdict,
                     BERTH_STORE_STORED);
    assert_int_equal(late(&worker, &first, NULL)->answer.claim.verdict, BERTH_CLAIM_STORED);
    worker_deinit(&worker);
}

/* The failed attempt's STORE once more, in the middle of the replay: it must neither end it nor
 * take its `before` away. */
static void test_a_late_store_of_a_dead_letter_does_not_end_its_replay(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source replay = a_source(11);
    int64_t token = fail_and_keep_lane(&worker, &command, &source);
    struct berth_ledger_call call = a_claim(&command, &replay);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    int64_t replay_token = worker_ask(&worker, &call, NULL)->answer.claim.token;
    struct berth_ledger_call remember = a_remember(&command, replay_token, &space);
    assert_false(worker_ask(&worker, &remember, NULL)->answer.remember.lost);

    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    store.store.free_lane = false;
    assert_int_equal(late(&worker, &store, "failed")->answer.store.verdict, BERTH_STORE_HELD);

    store = a_store(&command, &replay, replay_token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(worker_ask(&worker, &store, "replayed")->answer.store.verdict,
                     BERTH_STORE_STORED);
    /* From now on both records get that answer; only one of them is its own. */
    call = a_claim(&command, &source);
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_STORED);
    assert_false(kept->answer.claim.same_source);
    assert_memory_equal(kept->stored, "replayed", kept->stored_len);
    worker_deinit(&worker);
}

/* A crash in the middle of a replay: its record is claimed again, and what it met stays. The record
 * that once failed is no other replay meanwhile. */
static void test_a_replay_that_is_claimed_again_keeps_what_it_met(void **state) {
    struct worker worker;
    struct worker heir;
    worker_init(*state, &worker, 1);
    worker_init_as(*state, &heir, 1, 2);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source replay = a_source(11);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    worker_ask(&worker, &store, "failed");
    token = take(&worker, &command, &replay)->token;
    struct berth_ledger_call remember = a_remember(&command, token, &space);
    worker_ask(&worker, &remember, NULL);

    struct berth_ledger_call call = a_claim(&command, &replay);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    const struct kept_answer *kept = worker_ask(&heir, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(kept->answer.claim.attempts, 2);
    assert_false(kept->answer.claim.first);
    assert_int_equal(kept->answer.claim.before.knowledge, BERTH_SPACE_PRESENT);
    worker_deinit(&worker);
    worker_deinit(&heir);
}

/* Whoever reuses the id of a dead letter for something else is told so, and it can still be
 * replayed. */
static void test_the_id_of_a_dead_letter_stays_its_own(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command other = a_command(1, "team-a");
    other.digest[0] ^= 1;
    struct berth_source source = a_source(10);
    struct berth_source replay = a_source(11);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call store =
        a_store(&command, &source, token, an_outcome(BERTH_FAILED, NULL));
    worker_ask(&worker, &store, "failed");

    struct berth_ledger_call call = a_claim(&other, &replay);
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_REUSED);
    /* However old it is by now: it is known. */
    call = a_claim(&command, &replay);
    call.claim.issued = BERTH_ISSUED_TOO_OLD;
    assert_int_equal(worker_ask(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    worker_deinit(&worker);
}

/* What can't be told from a repetition, or isn't due, leaves nothing at all behind. */
static void test_a_refused_age_leaves_no_trace(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command before = a_command(2, "team-a");
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &before, &source, &space, "one");
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.issued = BERTH_ISSUED_TOO_OLD;
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_TOO_OLD);
    call.claim.issued = BERTH_ISSUED_IN_FUTURE;
    assert_int_equal(late(&worker, &call, NULL)->answer.claim.verdict, BERTH_CLAIM_IN_FUTURE);
    worker_deinit(&worker);
}

/* ---- The same call twice ---- */

/* A reply to a take-over was lost: the lane is the caller's already, under the same token. */
static void test_a_take_over_repeated_is_the_same_claim(void **state) {
    struct worker dead;
    struct worker heir;
    worker_init(*state, &dead, 1);
    worker_init(*state, &heir, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){take(&dead, &command, &source)->token, 0};
    int64_t token = worker_ask(&heir, &call, NULL)->answer.claim.token;

    const struct kept_answer *kept = worker_ask(&heir, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_true(kept->answer.claim.token == token);
    assert_int_equal(kept->answer.claim.attempts, 2);
    worker_deinit(&dead);
    worker_deinit(&heir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_late_claim_of_a_settled_command_takes_no_lane),
        TEST(a_late_claim_does_not_disturb_the_next_command),
        TEST(a_late_take_over_finds_another_mark),
        TEST(a_late_remember_brings_no_before_back),
        TEST(a_late_renewal_holds_nothing),
        TEST(the_replay_of_a_dead_letter_waits_for_its_lane),
        TEST(a_late_claim_of_a_dead_letter_does_not_undo_its_replay),
        TEST(a_late_store_of_a_dead_letter_does_not_end_its_replay),
        TEST(a_replay_that_is_claimed_again_keeps_what_it_met),
        TEST(the_id_of_a_dead_letter_stays_its_own),
        TEST(a_refused_age_leaves_no_trace),
        TEST(a_take_over_repeated_is_the_same_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
