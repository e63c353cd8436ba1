/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose data set it is, and which log a source or a base is of (docs/redis.md), against a real
 * Redis.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define TOPIC     "berth.commands.alpha"
#define OFFSET    "berth:v1:offset:" TOPIC "/3"
#define LOG       "berth:v1:log:" TOPIC "/3"
#define FROM      "berth:v1:from:" TOPIC "/3"
#define OWNER     "berth:v1:owner"
#define EPOCH_KEY "berth:v1:epoch"

/* ---- Sources ---- */

static struct berth_source in_log(int64_t offset, const char *id) {
    struct berth_source source = a_source(offset);
    snprintf(source.log_id, sizeof(source.log_id), "%s", id);
    return source;
}

static bool is_same_source(struct worker *worker, const struct berth_command *command,
                           const struct berth_source *source) {
    struct berth_ledger_call call = a_claim(command, source);
    const struct kept_answer *kept = worker_ask(worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_STORED);
    return kept->answer.claim.same_source;
}

/* A topic that was made anew has other records at the old places. Where an id can't be told, or
 * wasn't when the outcome was stored, the place is what there is. */
static void test_a_record_at_the_place_of_an_old_one_is_another_record(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = in_log(10, "one");
    struct berth_source other = in_log(10, "other");
    struct berth_source elsewhere = in_log(11, "one");
    struct berth_source unknown = in_log(10, "");
    settle(&worker, &command, &source, &space, "one");
    assert_true(is_same_source(&worker, &command, &source));
    assert_true(is_same_source(&worker, &command, &unknown));
    assert_false(is_same_source(&worker, &command, &other));
    assert_false(is_same_source(&worker, &command, &elsewhere));

    struct berth_command before = a_command(2, "team-b");
    struct berth_source nameless = in_log(12, "");
    struct berth_source named = in_log(12, "one");
    settle(&worker, &before, &nameless, &space, "two");
    assert_true(is_same_source(&worker, &before, &named));
    worker_deinit(&worker);
}

/* What is settled in a new log mustn't take the rest of an outcome that the old one's record had.
 */
static void test_settled_looks_at_the_log_as_well(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = in_log(10, "one");
    struct berth_settled settled = {.topic = source.topic, .partition = 3, .offset = 10};
    settled.version = settle(&worker, &command, &source, &space, "one|and more");
    memcpy(settled.command_id, command.id, sizeof(settled.command_id));
    snprintf(settled.log_id, sizeof(settled.log_id), "other");
    const struct berth_ledger_call call = {.kind = BERTH_LEDGER_SETTLED,
                                           .settled = {.commands = &settled, .commands_count = 1}};
    worker_ask(&worker, &call, NULL);
    assert_string_equal(redis_says(world, "HEXISTS berth:v1:command:%s rest", command.id), "1");
    snprintf(settled.log_id, sizeof(settled.log_id), "one");
    worker_ask(&worker, &call, NULL);
    assert_string_equal(redis_says(world, "HEXISTS berth:v1:command:%s rest", command.id), "0");
    worker_deinit(&worker);
}

/* ---- Bases ---- */

static struct berth_log_mark a_mark(const char *id, int64_t offset) {
    struct berth_log_mark mark = berth_log_mark_none(id);
    mark.offset = offset;
    mark.timestamp_ms = 1000 + offset;
    mark.checksum = 7;
    return mark;
}

static void tell_base(struct worker *worker, int64_t offset, const struct berth_log_mark *mark) {
    const struct berth_base base = {.topic = TOPIC, .partition = 3, .offset = offset, .log = *mark};
    const struct berth_ledger_call call = {.kind = BERTH_LEDGER_SETTLED,
                                           .settled = {.bases = &base, .bases_count = 1}};
    assert_false(worker_ask(worker, &call, NULL)->answer.unavailable);
}

static struct berth_kept_base read_base(struct worker *worker) {
    const struct berth_base base = {.topic = TOPIC, .partition = 3};
    const struct berth_ledger_call call = {.kind = BERTH_LEDGER_BASES,
                                           .bases = {.partitions = &base, .count = 1}};
    const struct berth_ledger_answer *answer = &worker_ask(worker, &call, NULL)->answer;
    assert_false(answer->unavailable);
    return answer->bases.kept[0];
}

static void test_a_base_bears_the_mark_of_its_log(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_kept_base kept = read_base(&worker);
    assert_int_equal(kept.offset, -1);
    assert_int_equal(kept.from, -1);
    assert_false(kept.marked);
    struct berth_log_mark mark = a_mark("one", 8);
    tell_base(&worker, 9, &mark);
    kept = read_base(&worker);
    assert_int_equal(kept.offset, 9);
    assert_true(kept.marked);
    assert_memory_equal(&kept.mark.id, "one", 4);
    assert_int_equal(kept.mark.offset, 8);
    assert_int_equal(kept.mark.timestamp_ms, 1008);
    assert_int_equal(kept.mark.checksum, 7);
    worker_deinit(&worker);
}

/* What an earlier version left. */
static void test_a_base_without_a_mark_is_read_as_one(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    redis_says(world, "SET " OFFSET " 12");
    struct berth_kept_base kept = read_base(&worker);
    assert_int_equal(kept.offset, 12);
    assert_false(kept.marked);
    worker_deinit(&worker);
}

/* A late copy of an earlier telling. */
static void test_within_a_log_base_and_mark_only_rise(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_log_mark high = a_mark("one", 15);
    struct berth_log_mark low = a_mark("one", 8);
    tell_base(&worker, 9, &high);
    tell_base(&worker, 9, &low);
    assert_int_equal(read_base(&worker).mark.offset, 15);
    tell_base(&worker, 7, &high);
    assert_int_equal(read_base(&worker).offset, 9);
    high.offset = 16;
    tell_base(&worker, 9, &high);
    assert_int_equal(read_base(&worker).mark.offset, 16);
    worker_deinit(&worker);
}

static void test_the_base_of_another_log_begins_anew(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_log_mark old = a_mark("one", 15);
    struct berth_log_mark fresh = berth_log_mark_none("other");
    tell_base(&worker, 16, &old);
    tell_base(&worker, 0, &fresh);
    struct berth_kept_base kept = read_base(&worker);
    assert_int_equal(kept.offset, 0);
    assert_string_equal(kept.mark.id, "other");
    worker_deinit(&worker);
}

/* ---- Decisions ---- */

static void on_decided(void *ctx, bool decided, const char *why) {
    assert_true(decided);
    assert_string_equal(why, "");
    *(bool *)ctx = true;
}

static bool is_true(void *ctx) {
    return *(bool *)ctx;
}

static bool is_ours(void *ctx) {
    const struct worker *worker = ctx;
    return berth_ledger_is_ours(worker->ledger);
}

static void own(struct worker *worker) {
    berth_ledger_set_owner(worker->ledger, "demo", "berth", "a-cluster");
    world_run_until(worker->world, is_ours, worker);
}

static void decide(struct worker *worker, int64_t offset, const char *id) {
    bool done = false;
    const struct berth_base place = {
        .topic = TOPIC, .partition = 3, .offset = offset, .log = berth_log_mark_none(id)};
    assert_int_equal(berth_ledger_decide(worker->ledger, &place, on_decided, &done), BERTH_OK);
    world_run_until(worker->world, is_true, &done);
}

/* Its worker may die before anything comes of it; and a telling about the old log means nothing. */
static void test_a_decision_stays_until_a_base_of_its_log_is_told(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    own(&worker);
    struct berth_log_mark old = a_mark("one", 8);
    struct berth_log_mark fresh = berth_log_mark_none("other");
    tell_base(&worker, 9, &old);
    decide(&worker, 4, "other");
    struct berth_kept_base kept = read_base(&worker);
    assert_int_equal(kept.from, 4);
    assert_string_equal(kept.from_id, "other");
    tell_base(&worker, 9, &old);
    assert_int_equal(read_base(&worker).from, 4);
    tell_base(&worker, 4, &fresh);
    kept = read_base(&worker);
    assert_int_equal(kept.from, -1);
    assert_int_equal(kept.offset, 4);
    assert_string_equal(redis_says(world, "EXISTS " FROM), "0");
    worker_deinit(&worker);
}

/* Within the same log a base falls only that way, once. */
static void test_a_decision_may_set_a_base_back(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    own(&worker);
    struct berth_log_mark mark = a_mark("one", 8);
    struct berth_log_mark none = berth_log_mark_none("one");
    tell_base(&worker, 9, &mark);
    decide(&worker, 2, "one");
    tell_base(&worker, 2, &none);
    assert_int_equal(read_base(&worker).offset, 2);
    tell_base(&worker, 1, &none);
    assert_int_equal(read_base(&worker).offset, 2);
    worker_deinit(&worker);
}

/* ---- Owners ---- */

static char foreign_text[512];

static void on_foreign(void *ctx, const char *text) {
    (void)ctx;
    snprintf(foreign_text, sizeof(foreign_text), "%s", text);
}

static bool is_foreign(void *ctx) {
    (void)ctx;
    return foreign_text[0] != '\0';
}

static void start_watching(struct world *world, struct worker *worker, int number) {
    struct berth_ledger_config config;
    foreign_text[0] = '\0';
    worker_config(world, worker, number, &config);
    config.on_foreign = on_foreign;
    worker_start(worker, &config);
}

static bool has_owner(void *ctx) {
    return strcmp(redis_says(ctx, "EXISTS " OWNER), "1") == 0;
}

/* A data set from before says nothing: it becomes its first worker's. */
static void test_who_comes_first_is_written_down_and_others_are_told(void **state) {
    struct world *world = *state;
    struct worker first;
    start_watching(world, &first, 1);
    worker_wait_available(&first);
    assert_false(berth_ledger_is_ours(first.ledger));
    assert_string_equal(redis_says(world, "EXISTS " OWNER), "0");
    own(&first); /* As a tool does, which only looks. */
    assert_string_equal(redis_says(world, "EXISTS " OWNER), "0");
    berth_ledger_allow_rebuild(first.ledger);
    world_run_until(world, has_owner, world);
    assert_string_equal(redis_says(world, "HMGET " OWNER " deployment group cluster"),
                        "demo berth a-cluster");

    static const char *const others[][3] = {{"prod", "berth", "a-cluster"},
                                            {"demo", "second", "a-cluster"},
                                            {"demo", "berth", "another"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct worker stranger;
        char *before = redis_snapshot(world);
        start_watching(world, &stranger, 2);
        berth_ledger_set_owner(stranger.ledger, others[i][0], others[i][1], others[i][2]);
        world_run_until(world, is_foreign, NULL);
        assert_non_null(
            strstr(foreign_text, "deployment demo, group berth, Kafka cluster a-cluster"));
        assert_non_null(strstr(foreign_text, "prefix of its own in [redis]"));
        assert_false(berth_ledger_is_ours(stranger.ledger));
        assert_false(berth_ledger_available(stranger.ledger));
        worker_deinit(&stranger);
        char *after = redis_snapshot(world);
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
    worker_deinit(&first);
}

/* Its epoch is gone, but it is still somebody's: no stranger rebuilds it. */
static void test_a_strangers_data_set_is_not_rebuilt(void **state) {
    struct world *world = *state;
    struct worker stranger;
    redis_says(world, "HSET " OWNER " deployment demo group berth cluster a-cluster");
    redis_says(world, "DEL " EPOCH_KEY);
    start_watching(world, &stranger, 2);
    berth_ledger_set_owner(stranger.ledger, "demo", "berth", "another");
    berth_ledger_allow_rebuild(stranger.ledger);
    world_run_until(world, is_foreign, NULL);
    assert_string_equal(redis_says(world, "EXISTS berth:v1:rebuild"), "0");
    worker_deinit(&stranger);
}

/* ---- Where a data set began ---- */

static bool is_first(struct worker *worker, int number, const struct berth_source *source) {
    struct berth_command command = a_command(number, number % 2 == 0 ? "team-a" : "team-b");
    struct berth_ledger_call call = a_claim(&command, source);
    const struct berth_ledger_answer *answer = &worker_ask(worker, &call, NULL)->answer;
    assert_int_equal(answer->claim.verdict, BERTH_CLAIM_TAKEN);
    return answer->claim.first;
}

/* A record of a topic that was made anew since can't have been claimed in the lost one. */
static void test_what_a_data_set_began_with_counts_in_its_log_only(void **state) {
    struct world *world = *state;
    struct worker worker;
    redis_says(world, "SET " EPOCH_KEY " %s", WORLD_EPOCH " 1700000000000\n" TOPIC " 3 20 one");
    worker_init(world, &worker, 1);
    struct berth_source old = in_log(10, "one");
    struct berth_source unknown = in_log(11, "");
    struct berth_source fresh = in_log(10, "other");
    assert_false(is_first(&worker, 1, &old));
    assert_false(is_first(&worker, 2, &unknown));
    world_forget(world);
    assert_true(is_first(&worker, 3, &fresh));
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_record_at_the_place_of_an_old_one_is_another_record),
        TEST(settled_looks_at_the_log_as_well),
        TEST(a_base_bears_the_mark_of_its_log),
        TEST(a_base_without_a_mark_is_read_as_one),
        TEST(within_a_log_base_and_mark_only_rise),
        TEST(the_base_of_another_log_begins_anew),
        TEST(a_decision_stays_until_a_base_of_its_log_is_told),
        TEST(a_decision_may_set_a_base_back),
        TEST(who_comes_first_is_written_down_and_others_are_told),
        TEST(a_strangers_data_set_is_not_rebuilt),
        TEST(what_a_data_set_began_with_counts_in_its_log_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
