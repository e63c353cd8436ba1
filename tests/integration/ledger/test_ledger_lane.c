/* SPDX-License-Identifier: Apache-2.0 */
/* Whose lane it is when an outcome is stored, remembered or renewed, against a real Redis. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define SPACE_KEY      "berth:v1:space:alpha/team-a"
#define COMMAND_KEY(n) "berth:v1:command:bbbbbbbb-0000-4000-8000-00000000000" #n

static enum berth_store_verdict store(struct worker *worker, const struct berth_ledger_call *call,
                                      const char *publication) {
    const struct kept_answer *kept = worker_ask(worker, call, publication);
    assert_false(kept->answer.unavailable);
    return kept->answer.store.verdict;
}

static int64_t take_over(struct worker *worker, const struct berth_command *command,
                         const struct berth_source *source, int64_t token) {
    struct berth_ledger_call call = a_claim(command, source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    const struct kept_answer *kept = worker_ask(worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    return kept->answer.claim.token;
}

/* Two workers finish the same command: there is one answer to it, the one that was stored first. */
static void test_of_two_outcomes_the_first_one_counts(void **state) {
    struct world *world = *state;
    struct worker slow;
    struct worker quick;
    worker_init(world, &slow, 1);
    worker_init(world, &quick, 2);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t old_token = take(&slow, &command, &source)->token;
    int64_t token = take_over(&quick, &command, &source, old_token);
    struct berth_ledger_call call =
        a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&quick, &call, "quick"), BERTH_STORE_STORED);
    char *before = redis_snapshot(world);

    call = a_store(&command, &source, old_token, an_outcome(BERTH_SUCCEEDED, &space));
    const struct kept_answer *kept = worker_ask(&slow, &call, "slow");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_ALREADY);
    assert_true(kept->answer.store.same_source);
    assert_true(kept->answer.store.state_current);
    assert_int_equal(kept->stored_len, strlen("quick"));
    assert_memory_equal(kept->stored, "quick", kept->stored_len);
    char *after = redis_snapshot(world);
    assert_string_equal(before, after);
    free(before);
    free(after);

    /* What it left isn't the space's state any more: that must not be published late. */
    struct berth_command next = a_command(2, "team-a");
    struct berth_source next_source = a_source(11);
    settle(&quick, &next, &next_source, &space, "next");
    kept = worker_ask(&slow, &call, "slow");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_ALREADY);
    assert_false(kept->answer.store.state_current);
    worker_deinit(&slow);
    worker_deinit(&quick);
}

/* The same worker may end a command twice, too, when it lost the partition in between. */
static void test_another_outcome_under_the_same_token_does_not_replace_the_first(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = settle(&worker, &command, &source, &space, "one");
    struct berth_ledger_call call =
        a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&worker, &call, "two"), BERTH_STORE_ALREADY);
    worker_deinit(&worker);
}

static void test_a_store_is_refused_while_another_holds_the_lane(void **state) {
    struct world *world = *state;
    struct worker slow;
    struct worker next;
    worker_init(world, &slow, 1);
    worker_init(world, &next, 2);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t old_token = take(&slow, &first, &source)->token;
    int64_t token = take_over(&next, &second, &source, old_token);
    char *before = redis_snapshot(world);

    struct berth_ledger_call call =
        a_store(&first, &source, old_token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&slow, &call, "one"), BERTH_STORE_HELD);
    char *after = redis_snapshot(world);
    assert_string_equal(before, after);
    free(before);
    free(after);

    /* Also when that one is done by now: storing over it would bring an old state back. */
    struct berth_ledger_call done =
        a_store(&second, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&next, &done, "two"), BERTH_STORE_STORED);
    call = a_store(&first, &source, old_token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&slow, &call, "one"), BERTH_STORE_HELD);
    worker_deinit(&slow);
    worker_deinit(&next);
}

/* Redis lost its data under a claim: the outcome isn't lost with it. */
static void test_a_store_whose_claim_is_gone_can_be_claimed_and_stored_again(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    static const char *const losses[] = {"DEL " SPACE_KEY, "DEL " COMMAND_KEY(1)};
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        world_forget(world);
        int64_t token = take(&worker, &command, &source)->token;
        redis_says(world, losses[i]);
        struct berth_ledger_call call =
            a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
        assert_int_equal(store(&worker, &call, "one"), BERTH_STORE_GONE);
        call.store.token = take(&worker, &command, &source)->token;
        assert_int_equal(store(&worker, &call, "one"), BERTH_STORE_STORED);
    }
    worker_deinit(&worker);
}

/* A write whose outcome is unknown may still reach Harbor: nobody may follow before the lease ends.
 */
static void test_a_lane_stays_held_while_a_write_is_unknown(void **state) {
    struct worker one;
    struct worker two;
    worker_init(*state, &one, 1);
    worker_init(*state, &two, 2);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    const struct berth_space_state *afters[] = {NULL, &gone, &space};
    for (int i = 0; i < 3; i++) {
        world_forget(*state);
        struct berth_command first = a_command(1, "team-a");
        struct berth_command second = a_command(2, "team-a");
        struct berth_source source = a_source(10);
        int64_t token = take(&one, &first, &source)->token;
        struct berth_ledger_call call =
            a_store(&first, &source, token, an_outcome(BERTH_FAILED, afters[i]));
        call.store.free_lane = false;
        assert_int_equal(store(&one, &call, "one"), BERTH_STORE_STORED);

        struct berth_ledger_call claim = a_claim(&second, &source);
        const struct kept_answer *kept = worker_ask(&two, &claim, NULL);
        assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_HELD);
        assert_true(kept->answer.claim.mark.token == token);
        assert_int_equal(kept->answer.claim.mark.renewals, 0);

        /* The same store again, when the outcome is known after all. */
        call.store.free_lane = true;
        assert_int_equal(store(&one, &call, "one"), BERTH_STORE_STORED);
        kept = worker_ask(&two, &claim, NULL);
        assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    }
    worker_deinit(&one);
    worker_deinit(&two);
}

static void test_what_was_remembered_first_stays(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding binding = a_binding("blue", 7);
    struct berth_space_state space = a_space(BERTH_PRIVATE, &binding, 1);
    space.version = 12;
    struct berth_space_state absent = {.knowledge = BERTH_SPACE_ABSENT};
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_REMEMBER,
                                     .remember = {.command = &command,
                                                  .token = take(&worker, &command, &source)->token,
                                                  .before = &space}};
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    char *once = redis_snapshot(world);
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    call.remember.before = &absent;
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    char *thrice = redis_snapshot(world);
    assert_string_equal(once, thrice);
    free(once);
    free(thrice);

    const struct berth_claim_answer *claim = take(&worker, &command, &source);
    assert_true(claim->before_known);
    assert_int_equal(claim->before.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(claim->before.version, 12);
    assert_int_equal(claim->before.bindings_count, 1);
    assert_int_equal(claim->state.knowledge, BERTH_SPACE_UNKNOWN);
    worker_deinit(&worker);
}

/* What CLAIM took from the space's hash was wrong, as Harbor says: that is what the command met. */
static void test_what_was_taken_from_here_is_corrected(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding binding = a_binding("blue", 7);
    struct berth_space_state space = a_space(BERTH_PRIVATE, &binding, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_REMEMBER,
                                     .remember = {.command = &command,
                                                  .token = take(&worker, &command, &source)->token,
                                                  .before = &space}};
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    space.bindings_count = 0;
    call.remember.corrects = true;
    assert_false(worker_ask(&worker, &call, NULL)->answer.remember.lost);
    const struct berth_claim_answer *claim = take(&worker, &command, &source);
    assert_true(claim->before_known);
    assert_int_equal(claim->before.bindings_count, 0);
    worker_deinit(&worker);
}

/* Also when another command has changed the space between two claims. */
static void test_what_was_met_first_stays_though_the_space_went_on(void **state) {
    struct worker one;
    struct worker two;
    worker_init(*state, &one, 1);
    worker_init(*state, &two, 2);
    struct berth_space_state met = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_space_state changed = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    settle(&one, &first, &source, &met, "one");
    struct berth_ledger_call call = a_claim(&third, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){take(&one, &second, &source)->token, 0};
    int64_t token = worker_ask(&two, &call, NULL)->answer.claim.token;
    call = a_store(&third, &source, token, an_outcome(BERTH_SUCCEEDED, &changed));
    worker_ask(&two, &call, "three");

    const struct berth_claim_answer *claim = take(&one, &second, &source);
    assert_int_equal(claim->state.visibility, BERTH_PRIVATE);
    assert_int_equal(claim->before.visibility, BERTH_PUBLIC);
    worker_deinit(&one);
    worker_deinit(&two);
}

/* Whoever lost the lane must not write to Harbor: this is the last call before the first write. */
static void test_remembering_without_the_lane_says_so(void **state) {
    struct world *world = *state;
    struct worker one;
    struct worker two;
    worker_init(world, &one, 1);
    worker_init(world, &two, 2);
    struct berth_space_state absent = {.knowledge = BERTH_SPACE_ABSENT};
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&one, &first, &source)->token;
    take_over(&two, &second, &source, token);
    struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_REMEMBER,
        .remember = {.command = &first, .token = token, .before = &absent}};
    assert_true(worker_ask(&one, &call, NULL)->answer.remember.lost);
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(1) " before"), "0");

    world_forget(world);
    call.remember.token = take(&one, &first, &source)->token;
    redis_says(world, "DEL " COMMAND_KEY(1));
    assert_true(worker_ask(&one, &call, NULL)->answer.remember.lost);
    assert_string_equal(redis_says(world, "EXISTS " COMMAND_KEY(1)), "0");
    worker_deinit(&one);
    worker_deinit(&two);
}

static void test_one_renewal_is_for_many_lanes(void **state) {
    struct world *world = *state;
    struct worker one;
    struct worker two;
    worker_init(world, &one, 1);
    worker_init(world, &two, 2);
    struct berth_source source = a_source(10);
    struct berth_command mine = a_command(1, "team-a");
    struct berth_command taken = a_command(2, "team-b");
    struct berth_command lost = a_command(3, "team-c");
    struct berth_command also_mine = a_command(4, "123");
    struct berth_renewal lanes[] = {
        {.command = &mine, .token = take(&one, &mine, &source)->token},
        {.command = &taken, .token = take(&one, &taken, &source)->token},
        {.command = &lost, .token = take(&one, &lost, &source)->token},
        {.command = &also_mine, .token = take(&one, &also_mine, &source)->token},
    };
    take_over(&two, &taken, &source, lanes[1].token);
    redis_says(world, "DEL berth:v1:space:alpha/team-c");

    struct berth_ledger_call call = {.kind = BERTH_LEDGER_RENEW, .renew = {lanes, 4}};
    for (int i = 1; i <= 2; i++) {
        const struct kept_answer *kept = worker_ask(&one, &call, NULL);
        assert_int_equal(kept->answer.renew.count, 4);
        assert_true(kept->answer.renew.held[0]);
        assert_false(kept->answer.renew.held[1]);
        assert_false(kept->answer.renew.held[2]);
        assert_true(kept->answer.renew.held[3]);
        assert_int_equal(strtol(redis_says(world, "HGET " SPACE_KEY " renewals"), NULL, 10), i);
        assert_string_equal(redis_says(world, "HGET berth:v1:space:alpha/team-b renewals"), "0");
        assert_string_equal(redis_says(world, "EXISTS berth:v1:space:alpha/team-c"), "0");
    }
    worker_deinit(&one);
    worker_deinit(&two);
}

static bool renew_with(struct worker *worker, const struct berth_command *command, int64_t token,
                       uint32_t burned, int64_t paused_ms) {
    struct berth_renewal lane = {
        .command = command, .token = token, .burned = burned, .paused_ms = paused_ms};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_RENEW, .renew = {&lane, 1}};
    return worker_ask(worker, &call, NULL)->answer.renew.held[0];
}

/* Design 4.8: whoever claims the command next, after a restart or elsewhere, goes on with what it
 * has spent; only the lane's holder says how much that is. */
static void test_a_budget_goes_with_the_claim_until_there_is_an_outcome(void **state) {
    struct world *world = *state;
    struct worker one;
    struct worker two;
    worker_init(world, &one, 1);
    worker_init(world, &two, 2);
    struct berth_source source = a_source(10);
    struct berth_source replayed = a_source(11);
    struct berth_command command = a_command(1, "team-a");
    const struct berth_claim_answer *claim = take(&one, &command, &source);
    assert_int_equal(claim->burned, 0);
    assert_int_equal(claim->paused_ms, 0);
    int64_t token = claim->token;
    assert_true(renew_with(&one, &command, token, 0, 0));
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(1) " burned"), "0");
    assert_true(renew_with(&one, &command, token, 3, 7200000000));
    assert_true(renew_with(&one, &command, token, 2, 7200000001)); /* One was given back. */
    assert_false(renew_with(&two, &command, token, 9, 9));

    claim = take(&one, &command, &source);
    assert_int_equal(claim->burned, 2);
    assert_int_equal(claim->paused_ms, 7200000001);
    redis_says(world, "HSET " SPACE_KEY " renewals 0");
    take_over(&two, &command, &source, token);
    assert_false(renew_with(&one, &command, token, 9, 9));
    claim = take(&two, &command, &source);
    assert_int_equal(claim->burned, 2);
    assert_int_equal(claim->attempts, 4);

    struct berth_ledger_call failed =
        a_store(&command, &source, claim->token, an_outcome(BERTH_FAILED, NULL));
    assert_int_equal(store(&two, &failed, "failed"), BERTH_STORE_STORED);
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(1) " burned"), "0");
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(1) " paused_ms"), "0");
    assert_int_equal(take(&one, &command, &replayed)->burned, 0);
    worker_deinit(&one);
    worker_deinit(&two);
}

/* Redis lost the command, and not the lane: nothing is written of what isn't known. */
static void test_a_renewal_makes_no_command(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_source source = a_source(10);
    struct berth_command command = a_command(1, "team-a");
    int64_t token = take(&worker, &command, &source)->token;
    redis_says(world, "DEL " COMMAND_KEY(1));
    assert_true(renew_with(&worker, &command, token, 3, 1000));
    assert_string_equal(redis_says(world, "EXISTS " COMMAND_KEY(1)), "0");
    worker_deinit(&worker);
}

static void assert_not_mine(struct worker *worker, const struct berth_command *command,
                            int64_t token) {
    struct berth_space_state absent = {.knowledge = BERTH_SPACE_ABSENT};
    struct berth_source source = a_source(10);
    struct berth_renewal lane = {.command = command, .token = token};
    struct berth_ledger_call renew = {.kind = BERTH_LEDGER_RENEW, .renew = {&lane, 1}};
    struct berth_ledger_call remember = {
        .kind = BERTH_LEDGER_REMEMBER,
        .remember = {.command = command, .token = token, .before = &absent}};
    struct berth_ledger_call call =
        a_store(command, &source, token, an_outcome(BERTH_SUCCEEDED, &absent));
    assert_false(worker_ask(worker, &renew, NULL)->answer.renew.held[0]);
    assert_true(worker_ask(worker, &remember, NULL)->answer.remember.lost);
    assert_int_equal(store(worker, &call, "one"), BERTH_STORE_HELD);
}

/* Two data sets may hold the same token, and one worker the same lane twice. */
static void test_a_lane_is_mine_by_holder_and_token_together(void **state) {
    struct world *world = *state;
    struct worker one;
    struct worker other_instance;
    struct worker other_incarnation;
    worker_init(world, &one, 1);
    worker_init_as(world, &other_instance, 2, 1);
    worker_init_as(world, &other_incarnation, 1, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command other_command = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&one, &command, &source)->token;
    char *before = redis_snapshot(world);
    assert_not_mine(&other_instance, &command, token);
    assert_not_mine(&other_incarnation, &command, token);
    assert_not_mine(&one, &other_command, token);
    assert_not_mine(&one, &command, token - 1);
    char *after = redis_snapshot(world);
    assert_string_equal(before, after);
    free(before);
    free(after);
    worker_deinit(&one);
    worker_deinit(&other_instance);
    worker_deinit(&other_incarnation);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(of_two_outcomes_the_first_one_counts),
        TEST(another_outcome_under_the_same_token_does_not_replace_the_first),
        TEST(a_store_is_refused_while_another_holds_the_lane),
        TEST(a_store_whose_claim_is_gone_can_be_claimed_and_stored_again),
        TEST(a_lane_stays_held_while_a_write_is_unknown),
        TEST(what_was_remembered_first_stays),
        TEST(what_was_taken_from_here_is_corrected),
        TEST(what_was_met_first_stays_though_the_space_went_on),
        TEST(remembering_without_the_lane_says_so),
        TEST(one_renewal_is_for_many_lanes),
        TEST(a_budget_goes_with_the_claim_until_there_is_an_outcome),
        TEST(a_renewal_makes_no_command),
        TEST(a_lane_is_mine_by_holder_and_token_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
