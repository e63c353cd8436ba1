/* SPDX-License-Identifier: Apache-2.0 */
/* CLAIM against a real Redis: each verdict, what is remembered, and whose lane it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define SPACE_KEY      "berth:v1:space:alpha/team-a"
#define COMMAND_KEY(n) "berth:v1:command:bbbbbbbb-0000-4000-8000-00000000000" #n

static void two_workers(struct world *world, struct worker *one, struct worker *two) {
    worker_init(world, one, 1);
    worker_init(world, two, 2);
}

/* A lane says nothing about the space: to take it for "absent" would make a cold delete succeed. */
static void test_a_first_claim_takes_the_lane_and_knows_nothing(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);

    const struct berth_claim_answer *claim = take(&worker, &command, &source);
    assert_int_equal(claim->attempts, 1);
    assert_true(claim->first);
    assert_int_equal(claim->received_at_ms, WALL_MS);
    assert_false(claim->before_known);
    assert_int_equal(claim->state.knowledge, BERTH_SPACE_UNKNOWN);
    /* Microseconds of Redis' clock: this test is younger than 2024-01-01. */
    assert_true(claim->token > INT64_C(1704067200000000));
    assert_string_equal(redis_says(world, "HLEN " SPACE_KEY), "5");
    assert_string_equal(redis_says(world,
                                   "HMGET " SPACE_KEY
                                   " holder_instance holder_incarnation holder_command renewals"),
                        "worker-1.example aaaaaaaa-0000-4000-8000-000000000001 "
                        "bbbbbbbb-0000-4000-8000-000000000001 0");
    assert_string_equal(redis_says(world, "HMGET " COMMAND_KEY(1) " source attempts received_at"),
                        "berth.commands.alpha 3 10 1 1800000000000");
    /* A claim without an outcome never expires. */
    assert_string_equal(redis_says(world, "TTL " COMMAND_KEY(1)), "-1");
    assert_string_equal(redis_says(world, "TTL " SPACE_KEY), "-1");
    worker_deinit(&worker);
}

static void test_a_create_remembers_that_there_was_nothing(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.before_is_absent = true;

    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_true(kept->answer.claim.before_known);
    assert_int_equal(kept->answer.claim.before.knowledge, BERTH_SPACE_ABSENT);
    assert_int_equal(kept->answer.claim.state.knowledge, BERTH_SPACE_UNKNOWN);
    worker_deinit(&worker);
}

static void assert_two_bindings(const struct berth_space_state *space) {
    assert_int_equal(space->knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(space->project_id, 41);
    assert_int_equal(space->visibility, BERTH_PUBLIC);
    assert_int_equal(space->quota_bytes, BERTH_QUOTA_UNLIMITED);
    assert_string_equal(space->created_by, "bbbbbbbb-0000-4000-8000-000000000001");
    assert_string_equal(space->updated_by, "bbbbbbbb-0000-4000-8000-000000000002");
    assert_int_equal(space->updated_at_ms, WALL_MS - 5);
    assert_int_equal(space->verified_at_ms, WALL_MS);
    assert_int_equal(space->bindings_count, 2);
    assert_string_equal(space->bindings[0].workspace, "blue");
    assert_int_equal(space->bindings[0].robot_id, 7);
    assert_string_equal(space->bindings[0].key_id, "0badc0de");
    assert_false(space->bindings[0].disabled);
    assert_string_equal(space->bindings[1].workspace, "red");
    assert_int_equal(space->bindings[1].robot_id, 8);
    assert_string_equal(space->bindings[1].key_id, "");
    assert_true(space->bindings[1].disabled);
}

/* With a warm cache a bind costs three Harbor calls and not five. */
static void test_a_warm_space_is_the_before_of_the_next_claim(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7), a_binding("red", 8)};
    bindings[1].key_id[0] = '\0';
    bindings[1].disabled = true;
    bindings[0].altered = true;
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 2);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source next = a_source(11);
    int64_t version = settle(&worker, &first, &source, &space, "one");

    const struct berth_claim_answer *claim = take(&worker, &second, &next);
    assert_true(claim->token > version);
    assert_true(claim->before_known);
    assert_two_bindings(&claim->before);
    assert_two_bindings(&claim->state);
    assert_true(claim->before.bindings[0].altered);
    assert_false(claim->before.bindings[1].altered);
    assert_int_equal(claim->before.version, version);
    worker_deinit(&worker);
}

static void test_a_space_that_was_verified_long_ago_is_cold(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    space.verified_at_ms = WALL_MS - HOUR_MS - 1;
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");

    const struct berth_claim_answer *claim = take(&worker, &second, &source);
    assert_false(claim->before_known);
    assert_int_equal(claim->state.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(claim->state.verified_at_ms, WALL_MS - HOUR_MS - 1);
    worker_deinit(&worker);
}

/* Harbor is asked before a deleted space counts as absent for a new command: somebody may have made
 * it by hand since. */
static void test_a_tombstone_is_told_but_is_nobodys_before(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &first, &source, &gone, "one");

    const struct berth_claim_answer *claim = take(&worker, &second, &source);
    assert_false(claim->before_known);
    assert_int_equal(claim->state.knowledge, BERTH_SPACE_ABSENT);
    assert_int_equal(claim->state.version, version);
    /* The lane must not vanish with the tombstone. */
    assert_string_equal(redis_says(world, "TTL " SPACE_KEY), "-1");
    worker_deinit(&worker);
}

/* A lost reply costs nothing: the same token, and still the first claim of this command. But the
 * lease is counted from the second call on, so whoever watches the lane must see a change. */
static void test_a_claim_repeated_after_a_lost_reply_is_the_same_claim(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    char *before = redis_snapshot(world);

    struct berth_ledger_call call = the_last_claim_again(&command, &source);
    call.claim.now_wall_ms = WALL_MS + 2500;
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_true(kept->answer.claim.token == token);
    assert_int_equal(kept->answer.claim.attempts, 1);
    assert_true(kept->answer.claim.first);
    assert_int_equal(kept->answer.claim.received_at_ms, WALL_MS);

    assert_string_equal(redis_says(world, "HGET " SPACE_KEY " renewals"), "1");
    redis_says(world, "HSET " SPACE_KEY " renewals 0");
    char *after = redis_snapshot(world);
    assert_string_equal(before, after);
    free(before);
    free(after);
    worker_deinit(&worker);
}

/* A partition that was lost and came back: the worker claims anew what it may have worked on. That
 * must count, or a 409 of its own create would read "it existed". The token stays, so that a late
 * copy of the earlier call can't take the lane from this one. */
static void test_claiming_again_under_the_same_holder_counts(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");
    int64_t token = take(&worker, &second, &source)->token;

    const struct berth_claim_answer *claim = take(&worker, &second, &source);
    assert_true(claim->token == token);
    assert_int_equal(claim->attempts, 2);
    assert_false(claim->first);
    assert_true(claim->before_known);
    assert_int_equal(claim->before.verified_at_ms, WALL_MS);
    assert_int_equal(claim->state.verified_at_ms, 0); /* Cold. */
    worker_deinit(&worker);
}

static void test_a_held_lane_names_its_holder_and_its_mark(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&one, &first, &source)->token;

    struct berth_ledger_call call = a_claim(&second, &source);
    const struct berth_claim_answer *claim = &worker_ask(&two, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_HELD);
    assert_string_equal(claim->holder.instance, "worker-1.example");
    assert_string_equal(claim->holder.incarnation, "aaaaaaaa-0000-4000-8000-000000000001");
    assert_string_equal(claim->holder.command_id, first.id);
    assert_true(claim->mark.token == token);
    assert_int_equal(claim->mark.renewals, 0);
    /* It left nothing behind: the command isn't known, its `before` not taken. */
    assert_string_equal(redis_says(*state, "EXISTS " COMMAND_KEY(2)), "0");
    worker_deinit(&one);
    worker_deinit(&two);
}

/* A restarted worker is another holder, and so is the next command of the same worker. */
static void test_each_part_of_the_holder_counts(void **state) {
    struct worker one;
    struct worker other_instance;
    struct worker restarted;
    worker_init(*state, &one, 1);
    worker_init_as(*state, &other_instance, 2, 1);
    worker_init_as(*state, &restarted, 1, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command other_command = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    take(&one, &command, &source);

    struct berth_ledger_call same = a_claim(&command, &source);
    struct berth_ledger_call next = a_claim(&other_command, &source);
    assert_int_equal(worker_ask(&other_instance, &same, NULL)->answer.claim.verdict,
                     BERTH_CLAIM_HELD);
    assert_int_equal(worker_ask(&restarted, &same, NULL)->answer.claim.verdict, BERTH_CLAIM_HELD);
    assert_int_equal(worker_ask(&one, &next, NULL)->answer.claim.verdict, BERTH_CLAIM_HELD);
    worker_deinit(&one);
    worker_deinit(&other_instance);
    worker_deinit(&restarted);
}

/* The one thing that keeps two workers from writing to one space: a mark that hasn't moved. */
static void test_a_lane_is_taken_over_only_while_its_mark_is_unchanged(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&one, &command, &source)->token;
    struct berth_renewal lane = {.command = &command, .token = token};
    struct berth_ledger_call renew = {.kind = BERTH_LEDGER_RENEW, .renew = {&lane, 1}};
    worker_ask(&one, &renew, NULL);

    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0}; /* As seen before the renewal. */
    const struct kept_answer *kept = worker_ask(&two, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_HELD);
    assert_int_equal(kept->answer.claim.mark.renewals, 1);

    call.claim.mark = (struct berth_lane_mark){token - 1, 1};
    kept = worker_ask(&two, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_HELD);

    call.claim.mark = (struct berth_lane_mark){token, 1};
    kept = worker_ask(&two, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_TAKEN);
    assert_true(kept->answer.claim.token > token);
    assert_int_equal(kept->answer.claim.attempts, 2);
    assert_false(kept->answer.claim.first);

    /* The one that it was taken from finds that out at its next renewal. */
    assert_false(worker_ask(&one, &renew, NULL)->answer.renew.held[0]);
    worker_deinit(&one);
    worker_deinit(&two);
}

/* The earlier holder may have written to Harbor, so Harbor is read first. */
static void test_a_lane_that_was_taken_over_leaves_the_space_cold(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    settle(&one, &first, &source, &space, "one");
    int64_t token = take(&one, &second, &source)->token;

    struct berth_ledger_call call = a_claim(&third, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    const struct berth_claim_answer *claim = &worker_ask(&two, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_TAKEN);
    assert_false(claim->before_known);
    assert_int_equal(claim->state.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(claim->state.verified_at_ms, 0);
    worker_deinit(&one);
    worker_deinit(&two);
}

/* The reply to a claim was lost, and before it was sent again somebody else had the lane and worked
 * on the same command: that is another claim than the one that is repeated. */
static void test_a_repetition_counts_when_the_lane_was_anothers_meanwhile(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    settle(&one, &first, &source, &space, "one");
    int64_t token = take(&two, &second, &source)->token;

    struct berth_ledger_call call = a_claim(&second, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    const struct berth_claim_answer *claim = &worker_ask(&one, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(claim->attempts, 2);
    assert_false(claim->first);
    assert_int_equal(claim->state.verified_at_ms, 0);
    worker_deinit(&one);
    worker_deinit(&two);
}

/* What an earlier claim remembered before it crashed stays: the change is counted from there. */
static void test_before_survives_a_crash_and_a_take_over(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    settle(&one, &first, &source, &space, "one");
    int64_t token = take(&one, &second, &source)->token;

    struct berth_ledger_call call = a_claim(&second, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    call.claim.now_wall_ms = WALL_MS + HOUR_MS;
    const struct berth_claim_answer *claim = &worker_ask(&two, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_TAKEN);
    assert_true(claim->before_known);
    assert_int_equal(claim->before.visibility, BERTH_PUBLIC);
    assert_int_equal(claim->before.verified_at_ms, WALL_MS);
    assert_int_equal(claim->received_at_ms, WALL_MS); /* The age runs from the first claim. */
    worker_deinit(&one);
    worker_deinit(&two);
}

static size_t count_taken(const struct worker *one, const struct worker *two) {
    const struct kept_answer *answers[] = {worker_answer(one, 1), worker_answer(two, 2)};
    size_t taken = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_false(answers[i]->answer.unavailable);
        taken += answers[i]->answer.claim.verdict == BERTH_CLAIM_TAKEN ? 1 : 0;
    }
    return taken;
}

static void test_of_two_claims_at_once_one_gets_the_lane(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    struct berth_ledger_call left = a_claim(&first, &source);
    struct berth_ledger_call right = a_claim(&second, &source);
    worker_submit(&one, 1, &left, NULL);
    worker_submit(&two, 2, &right, NULL);
    worker_wait_answers(&one, 1);
    worker_wait_answers(&two, 1);
    assert_int_equal(count_taken(&one, &two), 1);
    worker_deinit(&one);
    worker_deinit(&two);
}

static void test_of_two_take_overs_at_once_one_gets_the_lane(void **state) {
    struct worker one;
    struct worker two;
    two_workers(*state, &one, &two);
    struct worker dead;
    worker_init(*state, &dead, 3);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&dead, &command, &source)->token;
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.take_over = true;
    call.claim.mark = (struct berth_lane_mark){token, 0};
    worker_submit(&one, 1, &call, NULL);
    worker_submit(&two, 2, &call, NULL);
    worker_wait_answers(&one, 1);
    worker_wait_answers(&two, 1);
    assert_int_equal(count_taken(&one, &two), 1);
    worker_deinit(&one);
    worker_deinit(&two);
    worker_deinit(&dead);
}

/* Redis' clock went back, or the data comes from a machine that was ahead: versions rise anyway,
 * exactly by one where a double could have rounded. */
static void test_tokens_rise_whatever_the_clock_says(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command other = a_command(2, "team-b");
    struct berth_source source = a_source(10);
    redis_says(world, "HSET " SPACE_KEY " token 9007199254740000");
    assert_true(take(&worker, &command, &source)->token == INT64_C(9007199254740001));
    redis_says(world, "HSET berth:v1:space:alpha/team-b token 5 version 9007199254740002");
    assert_true(take(&worker, &other, &source)->token == INT64_C(9007199254740003));
    worker_deinit(&worker);
}

/* Somebody edited Redis by hand: Harbor is read rather than guessed at. */
static void test_a_damaged_space_is_not_known(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7), a_binding("red", 8)};
    struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 2);
    static const char *const damages[] = {
        "state maybe",
        "project_id 4x",
        "quota_bytes 99999999999999999999",
        "visibility secret",
        "binding:blue nonsense",
        "binding:green 9 0badc0de0badc0de active",
        "updated_by xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-and-more",
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        world_forget(world);
        struct berth_command first = a_command(1, "team-a");
        struct berth_command second = a_command(2, "team-a");
        struct berth_source source = a_source(10);
        settle(&worker, &first, &source, &space, "one");
        char field[64];
        snprintf(field, sizeof(field), "%.*s", (int)strcspn(damages[i], " "), damages[i]);
        redis_says(world, "HSET " SPACE_KEY " %s %s", field, damages[i] + strlen(field) + 1);

        const struct berth_claim_answer *claim = take(&worker, &second, &source);
        assert_false(claim->before_known);
        assert_int_equal(claim->state.knowledge, BERTH_SPACE_UNKNOWN);
        assert_int_equal(claim->state.bindings_count, 0);
    }
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_first_claim_takes_the_lane_and_knows_nothing),
        TEST(a_create_remembers_that_there_was_nothing),
        TEST(a_warm_space_is_the_before_of_the_next_claim),
        TEST(a_space_that_was_verified_long_ago_is_cold),
        TEST(a_tombstone_is_told_but_is_nobodys_before),
        TEST(a_claim_repeated_after_a_lost_reply_is_the_same_claim),
        TEST(claiming_again_under_the_same_holder_counts),
        TEST(a_held_lane_names_its_holder_and_its_mark),
        TEST(each_part_of_the_holder_counts),
        TEST(a_lane_is_taken_over_only_while_its_mark_is_unchanged),
        TEST(a_lane_that_was_taken_over_leaves_the_space_cold),
        TEST(a_repetition_counts_when_the_lane_was_anothers_meanwhile),
        TEST(before_survives_a_crash_and_a_take_over),
        TEST(of_two_claims_at_once_one_gets_the_lane),
        TEST(of_two_take_overs_at_once_one_gets_the_lane),
        TEST(tokens_rise_whatever_the_clock_says),
        TEST(a_damaged_space_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
