/* SPDX-License-Identifier: Apache-2.0 */
/* SETTLED and BASES against a real Redis: what is left of an outcome, and where partitions ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define COMMAND_KEY(n) "berth:v1:command:bbbbbbbb-0000-4000-8000-00000000000" #n
#define TOPIC          "berth.commands.alpha"
#define BASE_KEY(n)    "berth:v1:offset:" TOPIC "/" #n

static struct berth_settled a_settled(const struct berth_command *command,
                                      const struct berth_source *source, int64_t version) {
    struct berth_settled settled = {.version = version,
                                    .topic = TOPIC,
                                    .partition = source->partition,
                                    .offset = source->offset};
    memcpy(settled.command_id, command->id, sizeof(settled.command_id));
    return settled;
}

static void tell(struct worker *worker, const struct berth_settled *commands, size_t commands_count,
                 const struct berth_base *bases, size_t bases_count) {
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_SETTLED,
                                     .settled = {.commands = commands,
                                                 .commands_count = commands_count,
                                                 .bases = bases,
                                                 .bases_count = bases_count}};
    assert_false(worker_ask(worker, &call, NULL)->answer.unavailable);
}

static void tell_one(struct worker *worker, const struct berth_command *command,
                     const struct berth_source *source, int64_t version) {
    struct berth_settled settled = a_settled(command, source, version);
    tell(worker, &settled, 1, NULL, 0);
}

static void tell_base(struct worker *worker, int32_t partition, int64_t offset) {
    struct berth_base base = {.topic = TOPIC, .partition = partition, .offset = offset};
    tell(worker, NULL, 0, &base, 1);
}

static void assert_left(struct worker *worker, const struct berth_command *command,
                        const struct berth_source *source, const char *publication) {
    struct berth_ledger_call call = a_claim(command, source);
    const struct kept_answer *kept = worker_ask(worker, &call, NULL);
    assert_int_equal(kept->answer.claim.verdict, BERTH_CLAIM_STORED);
    assert_true(kept->answer.claim.same_source);
    assert_int_equal(kept->stored_len, strlen(publication));
    assert_memory_equal(kept->stored, publication, kept->stored_len);
}

/* What is left is the result, byte for byte, for as long as the whole would have been kept. */
static void test_a_settled_outcome_shrinks_to_its_result(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one|and more");
    assert_left(&worker, &command, &source, "one|and more");
    tell_one(&worker, &command, &source, version);
    assert_left(&worker, &command, &source, "one");
    assert_string_equal(redis_says(world, "HMGET " COMMAND_KEY(1) " kind result rest source"),
                        "SUCCEEDED one (nil) " TOPIC " 3 10");
    assert_true(strtoll(redis_says(world, "PTTL " COMMAND_KEY(1)), NULL, 10) > MEMORY_MS - 60000);
    worker_deinit(&worker);
}

/* Its first reply was lost, and it comes again when everything is over. */
static void test_a_store_repeated_after_that_is_still_the_same_outcome(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one|and more");
    tell_one(&worker, &command, &source, version);

    struct berth_ledger_call call =
        a_store(&command, &source, version, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(worker_ask(&worker, &call, "one|and more")->answer.store.verdict,
                     BERTH_STORE_STORED);
    assert_left(&worker, &command, &source, "one");
    const struct kept_answer *other = worker_ask(&worker, &call, "two|and more");
    assert_int_equal(other->answer.store.verdict, BERTH_STORE_ALREADY);
    assert_int_equal(other->answer.store.version, version);
    call.store.token++;
    assert_int_equal(worker_ask(&worker, &call, "one|and more")->answer.store.verdict,
                     BERTH_STORE_ALREADY);
    worker_deinit(&worker);
}

/* Both halves of an outcome count while both are there. */
static void test_another_rest_is_another_outcome(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one|and more");
    struct berth_ledger_call call =
        a_store(&command, &source, version, an_outcome(BERTH_SUCCEEDED, &space));
    const struct kept_answer *kept = worker_ask(&worker, &call, "one|and less");
    assert_int_equal(kept->answer.store.verdict, BERTH_STORE_ALREADY);
    assert_int_equal(kept->stored_len, strlen("one|and more"));
    assert_memory_equal(kept->stored, "one|and more", kept->stored_len);
    worker_deinit(&worker);
}

/* A publication may be its result alone. */
static void test_an_outcome_without_a_rest_is_whole(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one");
    assert_string_equal(redis_says(*state, "HEXISTS " COMMAND_KEY(1) " rest"), "0");
    struct berth_ledger_call call =
        a_store(&command, &source, version, an_outcome(BERTH_SUCCEEDED, &space));
    assert_int_equal(worker_ask(&worker, &call, "one")->answer.store.verdict, BERTH_STORE_STORED);
    tell_one(&worker, &command, &source, version);
    assert_left(&worker, &command, &source, "one");
    worker_deinit(&worker);
}

/* A late copy: whatever was stored under another version or for another record isn't meant. */
static void test_what_was_stored_anew_is_not_touched(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    struct berth_source other = a_source(11);
    int64_t version = settle(&worker, &command, &source, &space, "one|and more");
    tell_one(&worker, &command, &other, version);
    assert_left(&worker, &command, &source, "one|and more");
    tell_one(&worker, &command, &source, version - 1);
    assert_left(&worker, &command, &source, "one|and more");
    worker_deinit(&worker);
}

/* Of a command that is being worked on, or that Redis doesn't know, nothing is stored. */
static void test_what_is_not_stored_is_not_touched(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command unknown = a_command(2, "team-a");
    struct berth_source source = a_source(10);
    int64_t token = take(&worker, &command, &source)->token;
    char *before = redis_snapshot(world);
    tell_one(&worker, &command, &source, token);
    tell_one(&worker, &unknown, &source, token);
    char *after = redis_snapshot(world);
    assert_string_equal(after, before);
    free(before);
    free(after);
    worker_deinit(&worker);
}

/* A late copy must not have records read again that were settled since. */
static void test_a_base_only_rises(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    tell_base(&worker, 3, 0);
    assert_string_equal(redis_says(world, "GET " BASE_KEY(3)), "0");
    tell_base(&worker, 3, 9);
    tell_base(&worker, 3, 10);
    assert_string_equal(redis_says(world, "GET " BASE_KEY(3)), "10");
    tell_base(&worker, 3, 9);
    assert_string_equal(redis_says(world, "GET " BASE_KEY(3)), "10");
    tell_base(&worker, 3, INT64_C(9007199254740991));
    assert_string_equal(redis_says(world, "GET " BASE_KEY(3)), "9007199254740991");
    assert_string_equal(redis_says(world, "TTL " BASE_KEY(3)), "-1");
    worker_deinit(&worker);
}

static void test_one_call_tells_of_many_commands_and_partitions(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    struct berth_command first = a_command(1, "team-a");
    struct berth_command second = a_command(2, "team-b");
    struct berth_source source = a_source(10);
    struct berth_source next = a_source(11);
    struct berth_settled settled[2] = {
        a_settled(&first, &source, settle(&worker, &first, &source, &space, "one|and more")),
        a_settled(&second, &next, settle(&worker, &second, &next, &space, "two|and more")),
    };
    struct berth_base bases[2] = {{.topic = TOPIC, .partition = 3, .offset = 12},
                                  {.topic = TOPIC, .partition = 4, .offset = 7}};
    tell(&worker, settled, 2, bases, 2);
    assert_left(&worker, &first, &source, "one");
    assert_left(&worker, &second, &next, "two");
    assert_string_equal(redis_says(world, "MGET " BASE_KEY(3) " " BASE_KEY(4)), "12 7");
    worker_deinit(&worker);
}

/* A worker may have as many partitions as this. */
static void test_the_bases_of_many_partitions_are_read_at_once(void **state) {
    enum { PARTITIONS = 4096 };
    struct worker worker;
    worker_init(*state, &worker, 1);
    tell_base(&worker, 0, 0);
    tell_base(&worker, 1, 77);
    tell_base(&worker, PARTITIONS - 1, 5);
    struct berth_base *partitions = calloc(PARTITIONS, sizeof(*partitions));
    assert_non_null(partitions);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        partitions[i] = (struct berth_base){.topic = TOPIC, .partition = i};
    }
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_BASES,
                                     .bases = {.partitions = partitions, .count = PARTITIONS}};
    const struct kept_answer *kept = worker_ask(&worker, &call, NULL);
    assert_false(kept->answer.unavailable);
    assert_int_equal(kept->answer.bases.count, PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        int64_t wanted = i == 0 ? 0 : i == 1 ? 77 : -1;
        assert_int_equal(kept->answer.bases.kept[i].offset, i == PARTITIONS - 1 ? 5 : wanted);
    }
    free(partitions);
    worker_deinit(&worker);
}

/* -2: nothing can be said. */
static int64_t read_base(struct worker *worker, int32_t partition) {
    struct berth_base base = {.topic = TOPIC, .partition = partition};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_BASES,
                                     .bases = {.partitions = &base, .count = 1}};
    const struct berth_ledger_answer *answer = &worker_ask(worker, &call, NULL)->answer;
    return answer->unavailable ? -2 : answer->bases.kept[0].offset;
}

static void test_a_base_is_read_as_it_was_told(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    assert_int_equal(read_base(&worker, 3), -1);
    tell_base(&worker, 3, 0);
    assert_int_equal(read_base(&worker, 3), 0);
    tell_base(&worker, 3, INT64_C(9007199254740991));
    assert_int_equal(read_base(&worker, 3), INT64_C(9007199254740991));
    worker_deinit(&worker);
}

/* Redis lost its data: that there is no base there means nothing. */
static void test_an_incomplete_data_set_knows_no_bases(void **state) {
    struct worker worker;
    worker_init(*state, &worker, 1);
    tell_base(&worker, 3, 5);
    redis_says(*state, "DEL berth:v1:epoch");
    assert_int_equal(read_base(&worker, 3), -2);
    assert_int_equal(worker.warnings, 0);
    worker_deinit(&worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_settled_outcome_shrinks_to_its_result),
        TEST(a_store_repeated_after_that_is_still_the_same_outcome),
        TEST(another_rest_is_another_outcome),
        TEST(an_outcome_without_a_rest_is_whole),
        TEST(what_was_stored_anew_is_not_touched),
        TEST(what_is_not_stored_is_not_touched),
        TEST(a_base_only_rises),
        TEST(one_call_tells_of_many_commands_and_partitions),
        TEST(the_bases_of_many_partitions_are_read_at_once),
        TEST(a_base_is_read_as_it_was_told),
        TEST(an_incomplete_data_set_knows_no_bases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
