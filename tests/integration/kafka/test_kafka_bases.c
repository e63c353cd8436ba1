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

/* ---- Whose log it is ---- */

static struct berth_kept_base a_kept_base(const struct berth_log_mark *mark, int64_t offset) {
    return (struct berth_kept_base){.offset = offset, .marked = true, .mark = *mark, .from = -1};
}

/* What a member that reads the topic knows of its log, and the fourth of its records. */
static void learn(struct world *world, const char *topic, struct berth_log_mark *ret_mark) {
    char group[NAME_BYTES];
    struct member member;
    struct berth_record *record = NULL;
    fresh_name(group, "looks");
    member_join_at(&member, world, group, topic, 3);
    member_wait_held(&member, 1);
    *ret_mark = member.slots[0].log;
    assert_string_not_equal(ret_mark->id, "");
    while (berth_consumer_take(member.consumer, 0, &record) == BERTH_END) {
        (void)turn_until(world, holds_something, &member, 10);
    }
    struct berth_bytes key = berth_record_key(record);
    struct berth_bytes value = berth_record_value(record);
    ret_mark->offset = berth_record_offset(record);
    ret_mark->timestamp_ms = berth_record_time_ms(record);
    ret_mark->checksum = berth_log_checksum(key.data, key.len, value.data, value.len);
    assert_int_equal(ret_mark->offset, 3);
    (void)berth_record_free(record);
    member_leave(&member);
}

static void join_kept(struct member *member, struct world *world, const char *topic,
                      const struct berth_kept_base *kept) {
    member_join_unanswered(member, world, topic, topic);
    member->kept = *kept;
}

/* The record that was settled last is there, as it was; or retention has removed it, and the
 * topic's id says that it is the same log. */
static void test_a_marked_base_goes_on_in_its_log(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    struct berth_log_mark mark;
    struct member member;
    make_commands(world, topic, 1);
    learn(world, topic, &mark);
    struct berth_kept_base kept = a_kept_base(&mark, 4);
    join_kept(&member, world, topic, &kept);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 4);
    assert_int_equal(member.slots[0].log.offset, 3);
    assert_int_equal(member.slots[0].log.checksum, mark.checksum);
    member_leave(&member);

    delete_records_below(world, topic, 6);
    join_kept(&member, world, topic, &kept);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 6);
    assert_int_equal(member.slots[0].lost, 2);
    assert_int_equal(member.slots[0].lost_from, 4);
    member_leave(&member);
}

static void assert_stops(struct world *world, const char *topic, const struct berth_kept_base *kept,
                         const char *text) {
    struct member member;
    join_kept(&member, world, topic, kept);
    run_until(world, was_told_stopped, &member);
    assert_true(member_was_told(&member, text));
    assert_int_equal(member.held_count, 0);
    member_leave(&member);
}

/* With the id of another topic, or with another record at its place. */
static void test_a_marked_base_of_another_log_stops_the_partition(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    struct berth_log_mark mark;
    make_commands(world, topic, 1);
    learn(world, topic, &mark);
    struct berth_kept_base kept = a_kept_base(&mark, 4);
    kept.mark.id[0] ^= 1;
    assert_stops(world, topic, &kept, "the topic was made anew");
    kept = a_kept_base(&mark, 4);
    kept.mark.checksum++;
    assert_stops(world, topic, &kept, "another record is where the last settled one was");
    kept = a_kept_base(&mark, 4);
    kept.mark.id[0] = '\0';
    kept.mark.timestamp_ms--;
    assert_stops(world, topic, &kept, "another record is where the last settled one was");
}

static bool was_asked_again(void *ctx) {
    return member_was_told(ctx, "base wanted again 0");
}

/* It is asked for again, and what an operator decided is followed, without a restart. */
static void test_a_stopped_partition_goes_on_where_an_operator_says(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    struct berth_log_mark mark;
    struct member member;
    make_commands(world, topic, 1);
    learn(world, topic, &mark);
    struct berth_kept_base kept = a_kept_base(&mark, 4);
    kept.mark.id[0] ^= 1;
    member_join_unanswered(&member, world, topic, topic);
    run_until(world, is_asked_for_one, &member);
    berth_consumer_set_base(member.consumer, topic, 0, &kept);
    run_until(world, was_told_stopped, &member);
    run_until(world, was_asked_again, &member);
    kept.from = 7;
    memcpy(kept.from_id, mark.id, sizeof(kept.from_id));
    berth_consumer_set_base(member.consumer, topic, 0, &kept);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 7);
    assert_int_equal(member.slots[0].origin, BERTH_ORIGIN_DECISION);
    assert_int_equal(member.slots[0].lost, 7);
    assert_int_equal(member.slots[0].lost_from, 0);
    assert_false(member.slots[0].committed);
    member_wait_records(&member, 0, 3);
    const char *name = NULL;
    const char *text = NULL;
    int32_t partition = -1;
    assert_int_equal(berth_consumer_stopped(member.consumer, &name, &partition, &text), 0);
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
        TEST(test_a_marked_base_goes_on_in_its_log),
        TEST(test_a_marked_base_of_another_log_stops_the_partition),
        TEST(test_a_stopped_partition_goes_on_where_an_operator_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
