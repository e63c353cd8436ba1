/* SPDX-License-Identifier: Apache-2.0 */
/* STORE against a real Redis: the outcome, the space and the indexes, written at once and once. */
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

/* Who reads the toast reads the new binding: everything is there at once. */
static void test_a_store_writes_outcome_space_and_indexes(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7), a_binding("red", 8)};
    bindings[1].key_id[0] = '\0';
    bindings[1].disabled = true;
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = settle(&worker, &command, &source, &space, "one|more");

    char expected[512];
    snprintf(expected, sizeof(expected),
             "present 41 PUBLIC -1 bbbbbbbb-0000-4000-8000-000000000001 "
             "bbbbbbbb-0000-4000-8000-000000000002 1799999999995 1800000000000 %lld %lld "
             "7 0badc0de active|8 - disabled",
             (long long)token, (long long)token);
    char *bar = strchr(expected, '|');
    *bar = ' ';
    assert_string_equal(redis_says(world,
                                   "HMGET " SPACE_KEY
                                   " state project_id visibility quota_bytes created_by updated_by "
                                   "updated_at verified_at version token binding:blue binding:red"),
                        expected);
    assert_string_equal(redis_says(world, "HLEN " SPACE_KEY), "12"); /* The lane is free. */
    assert_string_equal(redis_says(world, "TTL " SPACE_KEY), "-1");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha 0 -1"), "alpha/team-a");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha:public 0 -1"),
                        "alpha/team-a");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"), "alpha/team-a");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:red 0 -1"), "alpha/team-a");
    assert_string_equal(redis_says(world, "GET berth:v1:sequence"), "2");
    assert_string_equal(
        redis_says(world, "HMGET " COMMAND_KEY(1) " kind result rest source before"),
        "SUCCEEDED one |more berth.commands.alpha 3 10 (nil)");
    assert_true(strtoll(redis_says(world, "PTTL " COMMAND_KEY(1)), NULL, 10) > MEMORY_MS - 60000);
    worker_deinit(&worker);
}

/* A reply can be lost, so the same call comes twice. */
static void test_a_repeated_store_says_stored_and_changes_nothing(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding binding = a_binding("blue", 7);
    struct berth_space_state space = a_space(BERTH_PUBLIC, &binding, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call call =
        a_store(&command, &source, token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(store(&worker, &call, "one"), BERTH_STORE_STORED);
    char *once = redis_snapshot(world);
    assert_int_equal(store(&worker, &call, "one"), BERTH_STORE_STORED);
    char *twice = redis_snapshot(world);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    worker_deinit(&worker);
}

/* A frozen Redis works off what an ended connection still had in its buffers: by then the space may
 * have gone on. */
static void test_a_late_copy_of_a_store_does_not_bring_the_old_state_back(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding binding = a_binding("blue", 7);
    struct berth_space_state bound = a_space(BERTH_PUBLIC, &binding, 1);
    struct berth_space_state unbound = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = settle(&worker, &first, &source, &bound, "one");
    settle(&worker, &second, &source, &unbound, "two");
    take(&worker, &third, &source);
    char *before = redis_snapshot(world);

    struct berth_ledger_call late =
        a_store(&first, &source, token, an_outcome(BERTH_SUCCEEDED, &bound));
    assert_int_equal(store(&worker, &late, "one"), BERTH_STORE_STORED);
    char *after = redis_snapshot(world);
    assert_string_equal(before, after);
    free(before);
    free(after);
    worker_deinit(&worker);
}

static void test_unbinding_removes_the_binding_everywhere(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7), a_binding("green", 8),
                                       a_binding("red", 9)};
    struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 3);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");
    space.bindings = &bindings[1];
    space.bindings_count = 1;
    settle(&worker, &second, &source, &space, "two");

    assert_string_equal(
        redis_says(world, "HMGET " SPACE_KEY " binding:blue binding:green binding:red"),
        "(nil) 8 0badc0de active (nil)");
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "berth:v1:workspace:green");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha:public 0 -1"), "");
    worker_deinit(&worker);
}

static void test_visibility_moves_a_space_into_and_out_of_the_public_ones(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_source source = a_source(10);
    static const enum berth_visibility visibilities[] = {BERTH_PRIVATE, BERTH_PUBLIC,
                                                         BERTH_PRIVATE};
    static const char *const expected[] = {"", "alpha/team-a", ""};
    for (int i = 0; i < 3; i++) {
        struct berth_space_state space = a_space(visibilities[i], NULL, 0);
        struct berth_command command = a_command(i + 1, "team-a");
        settle(&worker, &command, &source, &space, "one");
        assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha:public 0 -1"),
                            expected[i]);
        assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha 0 -1"),
                            "alpha/team-a");
    }
    worker_deinit(&worker);
}

/* A reader must be able to tell "it was deleted" from "nothing is known", for a while. */
static void test_a_deleted_space_leaves_a_tombstone_for_a_while(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7), a_binding("red", 8)};
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 2);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");
    settle(&worker, &second, &source, &gone, "two");

    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "");
    assert_string_equal(redis_says(world, "KEYS berth:v1:registry:*"), "");
    assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " state project_id holder_command"),
                        "absent (nil) (nil)");
    assert_true(strtoll(redis_says(world, "PTTL " SPACE_KEY), NULL, 10) > MEMORY_MS - 60000);

    settle(&worker, &third, &source, &space, "three");
    assert_string_equal(redis_says(world, "TTL " SPACE_KEY), "-1");
    assert_string_equal(redis_says(world, "HGET " SPACE_KEY " state"), "present");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha 0 -1"), "alpha/team-a");
    worker_deinit(&worker);
}

static void test_an_outcome_that_tells_nothing_leaves_the_space_as_it_was_but_cold(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding binding = a_binding("blue", 7);
    struct berth_space_state space = a_space(BERTH_PUBLIC, &binding, 1);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &first, &source, &space, "one");
    settle(&worker, &second, &source, NULL, "two");

    char expected[64];
    snprintf(expected, sizeof(expected), "present 0 %lld 7 0badc0de active", (long long)version);
    assert_string_equal(
        redis_says(world, "HMGET " SPACE_KEY " state verified_at version binding:blue"), expected);
    /* The second command had a `before`; what it was is told by its outcome from now on. */
    assert_string_equal(redis_says(world, "HEXISTS " COMMAND_KEY(2) " before"), "0");
    struct berth_ledger_call call = a_claim(&first, &source);
    assert_true(worker_ask(&worker, &call, NULL)->answer.claim.state_current);
    worker_deinit(&worker);
}

/* A refusal without a write costs the next command no look at Harbor. */
static void test_an_outcome_without_a_write_may_leave_the_space_warm(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &first, &source, &space, "one");
    struct berth_ledger_call call = a_store(
        &second, &source, take(&worker, &second, &source)->token, an_outcome(BERTH_REJECTED, NULL));
    call.store.still_warm = true;
    assert_int_equal(store(&worker, &call, "two"), BERTH_STORE_STORED);

    const struct berth_claim_answer *claim = take(&worker, &third, &source);
    assert_true(claim->before_known);
    assert_int_equal(claim->state.verified_at_ms, WALL_MS);
    assert_int_equal(claim->state.version, version);
    worker_deinit(&worker);
}

/* Refusals for names that don't exist must not fill Redis for ever. */
static void test_a_space_that_never_was_is_forgotten(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &command, &source, NULL, "one");
    assert_true(strtoll(redis_says(world, "PTTL " SPACE_KEY), NULL, 10) > MEMORY_MS - 60000);
    assert_string_equal(redis_says(world, "HKEYS " SPACE_KEY), "token");
    worker_deinit(&worker);
}

/* The largest space that there may be, with the longest ids, there and back. */
static void test_a_space_with_a_thousand_bindings(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    static struct berth_binding bindings[BERTH_SPACE_BINDINGS_MAX];
    for (int i = 0; i < BERTH_SPACE_BINDINGS_MAX; i++) {
        bindings[i] = (struct berth_binding){.robot_id = INT64_MAX - i, .key_id = "0badc0de"};
        memset(bindings[i].workspace, 'w', BERTH_WORKSPACE_BYTES - 1);
        char number[16];
        snprintf(number, sizeof(number), "%04d", i);
        memcpy(bindings[i].workspace, number, strlen(number));
        assert_int_equal(strlen(bindings[i].workspace), BERTH_WORKSPACE_BYTES - 1);
    }
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, BERTH_SPACE_BINDINGS_MAX);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-a");
    struct berth_command third = a_command(3, "team-a");
    struct berth_source source = a_source(10);
    settle(&worker, &first, &source, &space, "one");

    const struct berth_claim_answer *claim = take(&worker, &second, &source);
    assert_int_equal(claim->before.bindings_count, BERTH_SPACE_BINDINGS_MAX);
    assert_memory_equal(claim->before.bindings, bindings, sizeof(bindings));
    struct berth_space_state empty = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_ledger_call call =
        a_store(&second, &source, claim->token, an_outcome(BERTH_SUCCEEDED, &empty));
    assert_int_equal(store(&worker, &call, "two"), BERTH_STORE_STORED);
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "");

    /* Remembered after a cold read, and known again to the next claim. */
    int64_t token = take(&worker, &third, &source)->token;
    redis_says(world, "HDEL " COMMAND_KEY(3) " before");
    struct berth_ledger_call remember = {
        .kind = BERTH_LEDGER_REMEMBER,
        .remember = {.command = &third, .token = token, .before = &space}};
    assert_false(worker_ask(&worker, &remember, NULL)->answer.remember.lost);
    claim = take(&worker, &third, &source);
    assert_int_equal(claim->before.bindings_count, BERTH_SPACE_BINDINGS_MAX);
    assert_memory_equal(claim->before.bindings, bindings, sizeof(bindings));
    worker_deinit(&worker);
}

/* Names that look like numbers, or like parts of our keys. */
static void test_odd_names_are_names_like_any_other(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {
        a_binding("-", 1),       a_binding("...", 2), a_binding("1e3", 3),
        a_binding("A.b_C-d", 4), a_binding("_", 5),
    };
    static const char *const spaces[] = {"123", "a.b_c-d", "public", "000"};
    struct berth_source source = a_source(10);
    for (int i = 0; i < 4; i++) {
        struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 5);
        struct berth_command first = a_command(1 + i, spaces[i]);
        struct berth_command second = a_command(5 + i, spaces[i]);
        settle(&worker, &first, &source, &space, "one");
        const struct berth_claim_answer *claim = take(&worker, &second, &source);
        assert_int_equal(claim->before.bindings_count, 5);
        assert_memory_equal(claim->before.bindings, bindings, sizeof(bindings));
    }
    static const char *const workspaces[] = {"-", "...", "1e3", "A.b_C-d", "_"};
    for (int i = 0; i < 5; i++) {
        assert_string_equal(redis_says(world, "ZCARD berth:v1:workspace:%s", workspaces[i]), "4");
        assert_string_equal(
            redis_says(world, "ZSCORE berth:v1:workspace:%s alpha/123", workspaces[i]), "0");
    }
    worker_deinit(&worker);
}

static void test_a_publication_is_bytes(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PUBLIC, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    uint8_t bytes[256];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)(255 - i);
    }
    struct berth_publication publication = {bytes, sizeof(bytes), 100};
    struct berth_ledger_call call =
        a_store(&command, &source, take(&worker, &command, &source)->token,
                an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(berth_ledger_submit(worker.ledger, 1, &call, &publication), BERTH_OK);
    worker_wait_answers(&worker, 2);
    call = a_claim(&command, &source);
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_int_equal(kept->stored_len, sizeof(bytes));
    assert_memory_equal(kept->stored, bytes, sizeof(bytes));
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_store_writes_outcome_space_and_indexes),
        TEST(a_repeated_store_says_stored_and_changes_nothing),
        TEST(a_late_copy_of_a_store_does_not_bring_the_old_state_back),
        TEST(unbinding_removes_the_binding_everywhere),
        TEST(visibility_moves_a_space_into_and_out_of_the_public_ones),
        TEST(a_deleted_space_leaves_a_tombstone_for_a_while),
        TEST(an_outcome_that_tells_nothing_leaves_the_space_as_it_was_but_cold),
        TEST(an_outcome_without_a_write_may_leave_the_space_warm),
        TEST(a_space_that_never_was_is_forgotten),
        TEST(a_space_with_a_thousand_bindings),
        TEST(odd_names_are_names_like_any_other),
        TEST(a_publication_is_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
