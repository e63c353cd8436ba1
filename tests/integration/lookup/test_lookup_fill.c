/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lookup read from Harbor, and what commands do meanwhile: the old must never be written
 * over the new, and what is filled in must serve the next command.
 *
 * Harbor is held while it is read: the list of robots, its last part, isn't answered until the test
 * says so.
 */
#include "lookup_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "lookup_parts.h"

#define GET_ROBOTS "GET /robots"
#define SPACE_KEY  "berth:v1:space:alpha/"

extern const char berth_script_fill[];

static struct worker worker;

static int fill_setup(void **state) {
    if (lookup_world_setup(state) != 0) {
        return -1;
    }
    struct lookup_world *lookup = *state;
    worker_init(lookup->world, &worker, 1);
    return 0;
}

static int fill_teardown(void **state) {
    worker_deinit(&worker);
    return lookup_world_teardown(state);
}

/* A lookup of a space that only Harbor knows, until Harbor is being read. */
static void begin(struct lookup_world *lookup, const char *space) {
    int64_t id = harbor_project(lookup, space, BERTH_PUBLIC);
    (void)harbor_robot(lookup, space, id, "blue");
    int64_t calls = harbor_calls(GET_ROBOTS);
    harbor_faults("{\"away\":\"hang\",\"route\":\"" GET_ROBOTS "\"}");
    lookup->answers_count = 0;
    look_up(lookup, "alpha", space);
    wait_harbor_calls(lookup, GET_ROBOTS, calls + 1);
    assert_int_equal(lookup->answers_count, 0);
}

/* Harbor goes on; how the lookup ends. */
static const struct seen_answer *finish(struct lookup_world *lookup) {
    harbor_recovers();
    wait_answers(lookup, 1);
    return &lookup->answers[0];
}

static void assert_indexed_nowhere(struct lookup_world *lookup) {
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:workspace:*"), "");
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:registry:*"), "");
}

static struct berth_ledger_call a_failure(const struct berth_command *command,
                                          const struct berth_source *source, int64_t token) {
    struct berth_ledger_call call = a_store(command, source, token, an_outcome(BERTH_FAILED, NULL));
    assert_false(call.store.write_state);
    return call;
}

/* ---- Commands while Harbor is being read ---- */

static void test_a_space_that_is_claimed_meanwhile_is_not_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-claimed");
    struct berth_command command = a_command(1, "fill-claimed");
    struct berth_source source = a_source(10);
    (void)take(&worker, &command, &source);
    const struct seen_answer *seen = finish(lookup);
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND); /* Harbor's answer, as of then. */
    assert_int_equal(seen->bindings_count, 1);
    assert_string_equal(redis_says(lookup->world, "HEXISTS " SPACE_KEY "fill-claimed state"), "0");
    assert_indexed_nowhere(lookup);
}

/* It may have changed Harbor without knowing what: nothing in the hash but its token says so. */
static void test_a_command_that_failed_meanwhile_keeps_the_space_unknown(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-failed");
    struct berth_command command = a_command(1, "fill-failed");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call call = a_failure(&command, &source, token);
    assert_int_equal(worker_ask(&worker, &call, "one")->answer.store.verdict, BERTH_STORE_STORED);
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "HKEYS " SPACE_KEY "fill-failed"), "token");
    assert_indexed_nowhere(lookup);
}

static void test_a_space_that_is_deleted_meanwhile_stays_deleted(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-deleted");
    struct berth_command command = a_command(1, "fill-deleted");
    struct berth_source source = a_source(10);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    (void)settle(&worker, &command, &source, &gone, "one");
    /* The project is still there for the one who reads, as a cache of Harbor's may show it. */
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_NOT_FOUND);
    assert_string_equal(redis_says(lookup->world, "HGET " SPACE_KEY "fill-deleted state"),
                        "absent");
    assert_indexed_nowhere(lookup);
}

static void test_a_space_that_is_stored_meanwhile_is_answered_as_stored(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-stored");
    struct berth_command command = a_command(1, "fill-stored");
    struct berth_source source = a_source(10);
    struct berth_binding bindings[] = {a_binding("green", 3), a_binding("red", 4)};
    struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 2);
    int64_t version = settle(&worker, &command, &source, &space, "one");
    const struct seen_answer *seen = finish(lookup);
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_int_equal(seen->state.version, version);
    assert_int_equal(seen->bindings_count, 2);
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:workspace:blue"), "");
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:registry:alpha:public"), "");
}

/* The one that holds the lane may write to Harbor at any moment, under a token that was there
 * before. */
static void test_a_space_whose_lane_is_held_is_read_and_not_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    struct berth_command command = a_command(1, "fill-held");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    begin(lookup, "fill-held");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "HEXISTS " SPACE_KEY "fill-held state"), "0");

    /* Not even when it lets go while Harbor is being read. */
    harbor_faults("{\"away\":\"hang\",\"route\":\"" GET_ROBOTS "\"}");
    int64_t calls = harbor_calls(GET_ROBOTS);
    lookup->answers_count = 0;
    look_up(lookup, "alpha", "fill-held");
    wait_harbor_calls(lookup, GET_ROBOTS, calls + 1);
    struct berth_ledger_call call = a_failure(&command, &source, token);
    (void)worker_ask(&worker, &call, "one");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "HKEYS " SPACE_KEY "fill-held"), "token");
    assert_indexed_nowhere(lookup);
}

/* What a command left that found out nothing: a token, and an end. */
static void test_a_space_with_nothing_but_a_token_is_filled_in_and_stays(void **state) {
    struct lookup_world *lookup = *state;
    struct berth_command command = a_command(1, "fill-token");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    struct berth_ledger_call call = a_failure(&command, &source, token);
    (void)worker_ask(&worker, &call, "one");
    assert_string_not_equal(redis_says(lookup->world, "TTL " SPACE_KEY "fill-token"), "-1");
    begin(lookup, "fill-token");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    char expected[64];
    (void)snprintf(expected, sizeof expected, "present %lld 0", (long long)token);
    assert_string_equal(
        redis_says(lookup->world, "HMGET " SPACE_KEY "fill-token state token version"), expected);
    assert_string_equal(redis_says(lookup->world, "TTL " SPACE_KEY "fill-token"), "-1");
}

/* ---- Redis meanwhile ---- */

/* Redis was emptied: what it is being rebuilt from knows more than one lookup. */
static void test_a_redis_that_was_emptied_meanwhile_is_not_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-emptied");
    assert_string_equal(redis_says(lookup->world, "FLUSHALL"), "OK");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_REBUILDING);
    assert_string_equal(redis_says(lookup->world, "DBSIZE"), "0");
}

/* Emptied and rebuilt: a deletion in between has left no trace, neither token nor tombstone. */
static void test_another_data_set_is_not_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-rebuilt");
    assert_string_equal(redis_says(lookup->world, "FLUSHALL"), "OK");
    assert_string_equal(redis_says(lookup->world, "SET berth:v1:epoch 2"), "OK");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "KEYS *"), "berth:v1:epoch");
}

/* An epoch goes on after its name: with where each partition began. */
static void test_a_long_epoch_is_the_same_data_set(void **state) {
    struct lookup_world *lookup = *state;
    char epoch[2001];
    memset(epoch, 'e', sizeof epoch);
    epoch[sizeof epoch - 1] = '\0';
    assert_string_equal(redis_says(lookup->world, "SET berth:v1:epoch %s", epoch), "OK");
    begin(lookup, "fill-epoch");
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "EXISTS " SPACE_KEY "fill-epoch"), "1");
}

/* Redis may have come back as it was before a command took its token. */
static void test_nothing_is_filled_in_over_another_connection(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-cut");
    uint64_t connections = lookup->lookup->connections;
    (void)redis_says(lookup->world, "CLIENT KILL TYPE normal SKIPME yes");
    struct berth_lookup_query query = {.registry = "alpha", .limit = 1};
    while (lookup->lookup->connections == connections) {
        lookup->answers_count = 0;
        list_spaces(lookup, &query);
        wait_answers(lookup, 1);
    }
    lookup->answers_count = 0;
    assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "KEYS *"), "berth:v1:epoch");
}

static void test_a_redis_that_refuses_to_write_leaves_harbors_answer(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-gone");
    /* As when its memory is full. */
    assert_string_equal(redis_says(lookup->world, "CONFIG SET maxmemory 1"), "OK");
    const struct seen_answer *seen = finish(lookup);
    assert_string_equal(redis_says(lookup->world, "CONFIG SET maxmemory 0"), "OK");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "KEYS *"), "berth:v1:epoch");
}

/* The rights that docs/redis.md names: for lookups, and for filling in besides. */
static void test_a_user_of_redis_who_may_only_read_gets_harbors_answer(void **state) {
    struct lookup_world *lookup = *state;
    static char user[] = "reader";
    static char sesame[] = "sesame";
    static const char *const rights[] = {"", " +hset +zadd +persist"};
    static const char *const spaces[] = {"fill-reader", "fill-writer"};
    static const char *const exists[] = {"0", "1"};
    lookup->config.redis.username = user;
    lookup->config.redis.password = (struct berth_secret){.text = sesame, .len = strlen(sesame)};
    for (size_t i = 0; i < 2; i++) {
        char rule[256];
        (void)snprintf(rule, sizeof rule,
                       "ACL SETUSER reader reset on >sesame ~* +@read +@scripting +select +info "
                       "+config|get%s",
                       rights[i]);
        assert_string_equal(redis_says(lookup->world, rule), "OK");
        lookup_world_restart(lookup);
        begin(lookup, spaces[i]);
        assert_int_equal(finish(lookup)->outcome, BERTH_LOOKUP_FOUND);
        assert_string_equal(redis_says(lookup->world, "EXISTS " SPACE_KEY "%s", spaces[i]),
                            exists[i]);
    }
    lookup->lookup = berth_lookup_free(lookup->lookup);
    assert_string_equal(redis_says(lookup->world, "ACL DELUSER reader"), "1");
}

/* ---- Calls that come late, or twice ---- */

/* The script itself, as a frozen Redis would run it long after. */
static const char *fill(struct lookup_world *lookup, const char *space, const char *token) {
    return redis_says(lookup->world,
                      "EVAL %s 4 berth:v1:epoch " SPACE_KEY "%s berth:v1:registry:alpha "
                      "berth:v1:registry:alpha:public %s %s alpha/%s berth:v1:workspace: "
                      "state present version 0 project_id 7 visibility PUBLIC verified_at 5 "
                      "binding:blue %s",
                      berth_script_fill, space, WORLD_EPOCH " 1700000000000", token, space,
                      "9 - active");
}

static bool is_filled(const char *reply) {
    return strcmp(reply, "filled") == 0;
}

static void test_a_fill_that_comes_twice_finds_its_own_work(void **state) {
    struct lookup_world *lookup = *state;
    assert_true(is_filled(fill(lookup, "late", "")));
    char *before = redis_snapshot(lookup->world);
    assert_false(is_filled(fill(lookup, "late", "")));
    char *after = redis_snapshot(lookup->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
}

/* First filled in, then bound to others, deleted, and made anew: the second copy comes after each.
 */
static void test_a_late_copy_of_a_fill_brings_nothing_back(void **state) {
    struct lookup_world *lookup = *state;
    assert_true(is_filled(fill(lookup, "late", "")));
    struct berth_source source = a_source(10);
    struct berth_binding bindings[] = {a_binding("green", 3)};
    struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 1);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    const struct berth_space_state *const steps[] = {&space, &gone, &space, &gone};
    for (int i = 0; i < 4; i++) {
        struct berth_command command = a_command(1 + i, "late");
        (void)settle(&worker, &command, &source, steps[i], "one");
        char *before = redis_snapshot(lookup->world);
        assert_false(is_filled(fill(lookup, "late", "")));
        char *after = redis_snapshot(lookup->world);
        assert_string_equal(after, before);
        free(before);
        free(after);
    }
    assert_indexed_nowhere(lookup);
}

static void test_a_fill_under_an_old_token_writes_nothing(void **state) {
    struct lookup_world *lookup = *state;
    assert_string_equal(redis_says(lookup->world, "HSET " SPACE_KEY "late token 6"), "1");
    assert_false(is_filled(fill(lookup, "late", "5")));
    assert_false(is_filled(fill(lookup, "late", "")));
    assert_indexed_nowhere(lookup);
    assert_string_equal(redis_says(lookup->world, "HSET " SPACE_KEY "late holder_command c"), "1");
    assert_false(is_filled(fill(lookup, "late", "6"))); /* The lane is held under it. */
    assert_indexed_nowhere(lookup);
    assert_string_equal(redis_says(lookup->world, "HDEL " SPACE_KEY "late holder_command"), "1");
    assert_true(is_filled(fill(lookup, "late", "6")));
}

/* Two processes read Harbor side by side. */
static void test_of_two_lookups_that_fill_in_the_second_takes_what_is_there(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-both");
    assert_true(is_filled(fill(lookup, "fill-both", "")));
    const struct seen_answer *seen = finish(lookup);
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_int_equal(seen->state.project_id, 7);
}

/* ---- The next command ---- */

/* Warm, with what is there, and never taken for what was published: its version is 0. */
static void test_the_next_command_finds_what_was_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    struct world *world = lookup->world;
    begin(lookup, "fill-next");
    const struct seen_answer *seen = finish(lookup);
    struct berth_command command = a_command(1, "fill-next");
    struct berth_source source = a_source(10);
    struct berth_ledger_call call = a_claim(&command, &source);
    call.claim.warm_since_ms = seen->as_of_ms;
    const struct berth_claim_answer *claim = &worker_ask(&worker, &call, NULL)->answer.claim;
    assert_int_equal(claim->verdict, BERTH_CLAIM_TAKEN);
    assert_true(claim->before_known);
    assert_int_equal(claim->before.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(claim->state.project_id, seen->state.project_id);
    assert_int_equal(claim->state.version, 0);
    assert_int_equal(claim->state.bindings_count, 1);
    assert_string_equal(claim->state.bindings[0].key_id, "");
    assert_int_equal(claim->state.verified_at_ms, seen->as_of_ms);

    /* Its store moves the indexes from what was filled in to what it made. */
    struct berth_binding bindings[] = {a_binding("green", 3)};
    struct berth_space_state space = a_space(BERTH_PRIVATE, bindings, 1);
    call = a_store(&command, &source, claim->token, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(worker_ask(&worker, &call, "one")->answer.store.verdict, BERTH_STORE_STORED);
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "berth:v1:workspace:green");
    assert_string_equal(redis_says(world, "KEYS berth:v1:registry:*"), "berth:v1:registry:alpha");
}

static void test_a_deletion_takes_what_was_filled_in_out_of_every_index(void **state) {
    struct lookup_world *lookup = *state;
    begin(lookup, "fill-then-delete");
    (void)finish(lookup);
    struct berth_command command = a_command(1, "fill-then-delete");
    struct berth_source source = a_source(10);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    (void)settle(&worker, &command, &source, &gone, "one");
    assert_indexed_nowhere(lookup);
}

#define FILL_TEST(test) cmocka_unit_test_setup_teardown(test, fill_setup, fill_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILL_TEST(test_a_space_that_is_claimed_meanwhile_is_not_filled_in),
        FILL_TEST(test_a_command_that_failed_meanwhile_keeps_the_space_unknown),
        FILL_TEST(test_a_space_that_is_deleted_meanwhile_stays_deleted),
        FILL_TEST(test_a_space_that_is_stored_meanwhile_is_answered_as_stored),
        FILL_TEST(test_a_space_whose_lane_is_held_is_read_and_not_filled_in),
        FILL_TEST(test_a_space_with_nothing_but_a_token_is_filled_in_and_stays),
        FILL_TEST(test_a_redis_that_was_emptied_meanwhile_is_not_filled_in),
        FILL_TEST(test_another_data_set_is_not_filled_in),
        FILL_TEST(test_a_long_epoch_is_the_same_data_set),
        FILL_TEST(test_nothing_is_filled_in_over_another_connection),
        FILL_TEST(test_a_redis_that_refuses_to_write_leaves_harbors_answer),
        FILL_TEST(test_a_user_of_redis_who_may_only_read_gets_harbors_answer),
        FILL_TEST(test_a_fill_that_comes_twice_finds_its_own_work),
        FILL_TEST(test_a_late_copy_of_a_fill_brings_nothing_back),
        FILL_TEST(test_a_fill_under_an_old_token_writes_nothing),
        FILL_TEST(test_of_two_lookups_that_fill_in_the_second_takes_what_is_there),
        FILL_TEST(test_the_next_command_finds_what_was_filled_in),
        FILL_TEST(test_a_deletion_takes_what_was_filled_in_out_of_every_index),
    };
    return cmocka_run_group_tests_name("lookup_fill", tests, NULL, NULL);
}
