/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions without a committed offset, on a real broker: where they start, and how they wait for
 * whoever knows it (design 4.10).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw_kafka.h"

/* Long enough to see what must not happen. */
#define LOOK_MS 1000

static void make_commands(struct world *world, char topic[NAME_BYTES], int partitions) {
    fresh_name(topic, "commands");
    make_topic(world, topic, partitions);
    for (int i = 0; i < partitions; i++) {
        produce(world, topic, i, "command", 10);
    }
}

/* Kafka forgets the offsets of a group that nobody is in after a week. */
static void test_without_a_committed_offset_a_partition_starts_at_its_base(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 1);

    struct member member;
    member_join_at(&member, world, topic, topic, 4);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 4);
    assert_int_equal(member.slots[0].committed_offset, -1);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_BASE);
    assert_int_equal(member.slots[0].lost, 0);
    assert_false(member.slots[0].committed);
    assert_string_equal(member.slots[0].metadata, "");
    member_wait_records(&member, 0, 6);
    assert_string_equal(member.slots[0].last_value, "command 9");
    member_leave(&member);
}

/* Everything was done; the next record is the first. */
static void test_a_base_at_the_logs_end_is_a_place_like_any_other(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 1);

    struct member member;
    member_join_at(&member, world, topic, topic, 10);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 10);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_BASE);
    produce(world, topic, 0, "later", 1);
    member_wait_records(&member, 0, 1);
    assert_string_equal(member.slots[0].last_value, "later 0");
    member_leave(&member);
}

/* The base is what is left when there is no committed offset, not a second opinion. */
static void test_a_committed_offset_goes_before_the_base(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 1);
    commit_offset(world, topic, topic, 3, "");

    struct member member;
    member_join_at(&member, world, topic, topic, 8);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 3);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_COMMITTED);
    assert_true(member.slots[0].committed);
    member_leave(&member);
}

static void test_a_base_below_the_log_starts_at_the_logs_start(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 1);
    delete_records_below(world, topic, 7);

    struct member member;
    member_join_at(&member, world, topic, topic, 2);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 7);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_BASE);
    assert_int_equal(member.slots[0].lost, 5);
    assert_false(member.slots[0].committed);
    member_wait_records(&member, 0, 3);
    member_leave(&member);
}

static bool was_told_stopped(void *ctx) {
    return member_was_told(ctx, "stopped");
}

/* A topic that was deleted and made anew: Kafka deletes the group's offsets with it, the base
 * stays.
 */
static void test_a_base_above_the_log_stops_the_partition(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    char remedy[NAME_BYTES + 64];
    make_commands(world, topic, 1);

    struct member member;
    member_join_at(&member, world, topic, topic, 50);
    run_until(world, was_told_stopped, &member);
    assert_true(member_was_told(&member, "go on at offset 50, but the log ends before that"));
    (void)snprintf(remedy, sizeof(remedy), "berth offsets --partition %s/0 --from start", topic);
    assert_true(member_was_told(&member, remedy));
    assert_int_equal(member.held_count, 0);

    const char *name = NULL;
    const char *text = NULL;
    int32_t partition = -1;
    assert_int_equal(berth_consumer_stopped(member.consumer, &name, &partition, &text), 1);
    assert_string_equal(name, topic);
    assert_int_equal(partition, 0);
    assert_non_null(strstr(text, remedy));
    member_leave(&member);
}

static bool is_asked_for_two(void *ctx) {
    const struct member *member = ctx;
    return berth_consumer_bases_wanted(member->consumer) == 2;
}

static bool is_asked_for_one(void *ctx) {
    const struct member *member = ctx;
    return berth_consumer_bases_wanted(member->consumer) == 1;
}

static bool holds_something(void *ctx) {
    const struct member *member = ctx;
    return member->held_count > 0;
}

/* Redis is away: not even `start` is chosen, and whoever has a committed offset works meanwhile. */
static void test_an_unanswered_partition_waits_and_holds_up_only_itself(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 2);
    commit_offset(world, topic, topic, 6, "");

    struct member member;
    member_join_unanswered(&member, world, topic, topic);
    member_wait_held(&member, 1);
    assert_true(member_was_told(&member, "base wanted 1"));
    assert_false(member_was_told(&member, "base wanted 0"));
    member_wait_records(&member, member_slot_of(&member, 0), 4);
    assert_false(member_was_told(&member, "gained 1"));
    assert_int_equal(berth_consumer_bases_wanted(member.consumer), 1);
    assert_true(berth_consumer_joined(member.consumer));

    member_set_base(&member, topic, 1, 9);
    assert_int_equal(member.held_count, 1); /* Never from within the call. */
    member_wait_held(&member, 2);
    assert_int_equal(berth_consumer_bases_wanted(member.consumer), 0);
    uint32_t slot = member_slot_of(&member, 1);
    assert_int_equal(member.slots[slot].start_offset, 9);
    member_wait_records(&member, slot, 1);
    assert_string_equal(member.slots[slot].last_value, "command 9");
    member_leave(&member);
}

/* The answer took long, and retention was quicker: what holds is how the log is then. */
static void test_the_log_is_looked_at_when_the_answer_comes(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 1);

    struct member member;
    member_join_unanswered(&member, world, topic, topic);
    run_until(world, is_asked_for_one, &member);
    delete_records_below(world, topic, 8);
    member_set_base(&member, topic, 0, 5);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 8);
    assert_int_equal(member.slots[0].lost, 3);
    member_leave(&member);
}

/* An operator put the group somewhere while the answer was under way. */
static void test_an_offset_that_was_committed_meanwhile_goes_before_the_answer(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    char results[NAME_BYTES];
    make_commands(world, topic, 1);
    fresh_name(results, "results");
    make_topic(world, results, 1);
    const char *topics[] = {results};

    struct member member;
    struct outlet outlet;
    member_join_unanswered(&member, world, topic, topic);
    run_until(world, is_asked_for_one, &member);
    outlet_open(&outlet, world, topic, topic, topics, 1);
    outlet_submit(&outlet, &member, NULL, topic, 7, "");
    assert_int_equal(outlet_wait(&outlet), BERTH_BATCH_COMMITTED);
    member_set_base(&member, topic, 0, 2);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 7);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_COMMITTED);
    member_leave(&member);
    outlet_close(&outlet);
}

/* The group doesn't wait for the answer: others come and take their share. */
static void test_an_unanswered_partition_can_be_revoked(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 2);

    struct member waits;
    struct member comes;
    member_join_unanswered(&waits, world, topic, topic);
    run_until(world, is_asked_for_two, &waits);
    member_join_at(&comes, world, topic, topic, 3);
    member_wait_held(&comes, 1);
    int32_t moved = comes.slots[0].partition;
    assert_int_equal(comes.slots[0].start_offset, 3);
    assert_int_equal(berth_consumer_bases_wanted(waits.consumer), 1);
    assert_int_equal(waits.revoked_count, 0); /* It was never told of it. */

    /* Late answers: of the one that has gone, and of the one that stayed. */
    member_set_base(&waits, topic, moved, 0);
    assert_false(turn_until(world, holds_something, &waits, LOOK_MS));
    member_set_base(&waits, topic, 1 - moved, 8);
    member_wait_held(&waits, 1);
    assert_int_equal(waits.slots[0].partition, 1 - moved);
    member_wait_records(&waits, 0, 2);
    assert_false(member_was_told(&waits, "error"));

    /* And it can come back: then it is asked for again. */
    berth_buffer_clear(&waits.told);
    member_leave(&comes);
    run_until(world, is_asked_for_one, &waits);
    member_set_base(&waits, topic, moved, 4);
    member_wait_held(&waits, 2);
    assert_int_equal(waits.slots[member_slot_of(&waits, moved)].start_offset, 4);
    assert_false(member_was_told(&waits, "error"));
    member_leave(&waits);
}

/* Told to stop while Redis is away. */
static void test_a_consumer_with_unanswered_partitions_can_be_closed(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    make_commands(world, topic, 2);
    struct member member;
    member_join_unanswered(&member, world, topic, topic);
    run_until(world, is_asked_for_two, &member);
    member_set_base(&member, topic, 1, 3); /* Just before. */
    member_leave(&member);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_committed_offset_a_partition_starts_at_its_base),
        TEST(test_a_base_at_the_logs_end_is_a_place_like_any_other),
        TEST(test_a_committed_offset_goes_before_the_base),
        TEST(test_a_base_below_the_log_starts_at_the_logs_start),
        TEST(test_a_base_above_the_log_stops_the_partition),
        TEST(test_an_unanswered_partition_waits_and_holds_up_only_itself),
        TEST(test_the_log_is_looked_at_when_the_answer_comes),
        TEST(test_an_offset_that_was_committed_meanwhile_goes_before_the_answer),
        TEST(test_an_unanswered_partition_can_be_revoked),
        TEST(test_a_consumer_with_unanswered_partitions_can_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
