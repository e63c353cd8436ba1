/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer against a real broker: what it gains and where it starts, how it gives back. */
#include "kafka_world.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "raw_kafka.h"

static void assert_no_error(rd_kafka_error_t *error) {
    assert_string_equal(error == NULL ? "" : rd_kafka_error_string(error), "");
}

/* ---- Where a partition starts ---- */

/* What the window has settled above the base travels as metadata of the offset: not a byte of it
 * may change on the way. */
static void test_a_partition_goes_on_where_the_group_left_off(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    char results[NAME_BYTES];
    fresh_name(topic, "commands");
    fresh_name(results, "results");
    make_topic(world, topic, 1);
    make_topic(world, results, 1);
    produce(world, topic, 0, "command", 10);
    const char *topics[] = {results};
    char metadata[4097]; /* As long as a broker takes. */
    for (size_t i = 0; i < sizeof(metadata) - 1; i++) {
        metadata[i] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i * 7 % 64];
    }
    metadata[sizeof(metadata) - 1] = '\0';

    struct member first;
    struct outlet outlet;
    member_join(&first, world, topic, NULL, topic, BERTH_START_EARLIEST);
    outlet_open(&outlet, world, topic, topic, topics, 1);
    member_wait_held(&first, 1);
    outlet_submit(&outlet, &first, "result", topic, 4, metadata);
    assert_int_equal(outlet_wait(&outlet), BERTH_BATCH_COMMITTED);
    uint64_t first_epoch = first.slots[0].epoch;
    member_leave(&first);

    struct member second;
    member_join(&second, world, topic, NULL, topic, BERTH_START_EARLIEST);
    member_wait_held(&second, 1);
    uint32_t slot = member_slot_of(&second, 0);
    assert_int_equal(second.slots[slot].start_offset, 4);
    assert_int_equal(second.slots[slot].committed_offset, 4);
    assert_true(second.slots[slot].committed);
    assert_string_equal(second.slots[slot].metadata, metadata);
    assert_true(second.slots[slot].epoch > first_epoch);
    member_wait_records(&second, slot, 6);
    assert_string_equal(second.slots[slot].last_value, "command 9");
    member_leave(&second);
    outlet_close(&outlet);
}

static void test_without_a_committed_offset_start_decides(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    char other_group[NAME_BYTES];
    fresh_name(topic, "commands");
    fresh_name(other_group, "group");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 5);

    struct member earliest;
    struct member latest;
    member_join(&earliest, world, topic, NULL, topic, BERTH_START_EARLIEST);
    member_join(&latest, world, other_group, NULL, topic, BERTH_START_LATEST);
    member_wait_held(&earliest, 1);
    member_wait_held(&latest, 1);
    assert_int_equal(earliest.slots[0].start_offset, 0);
    assert_int_equal(latest.slots[0].start_offset, 5);
    assert_int_equal(earliest.slots[0].committed_offset, -1);
    assert_false(earliest.slots[0].committed);
    assert_false(latest.slots[0].committed);
    assert_string_equal(latest.slots[0].metadata, "");
    produce(world, topic, 0, "later", 1);
    member_wait_records(&latest, 0, 1);
    assert_string_equal(latest.slots[0].last_value, "later 0");
    assert_int_equal(latest.slots[0].last_offset, 5);
    member_leave(&earliest);
    member_leave(&latest);
}

/* Retention was quicker than the worker: it goes on, and can say how many records nobody will see.
 */
static void test_a_position_below_the_log_starts_at_the_logs_start(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 10);
    commit_offset(world, topic, topic, 2, "map");
    delete_records_below(world, topic, 7);

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_LATEST);
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 7);
    assert_int_equal(member.slots[0].committed_offset, 2);
    assert_false(member.slots[0].committed);
    assert_string_equal(member.slots[0].metadata, "map");
    member_wait_records(&member, 0, 3);
    member_leave(&member);
}

static bool was_told_stopped(void *ctx) {
    return member_was_told(ctx, "stopped");
}

/* A topic that was deleted and made anew has other records at the old offsets. */
static void test_a_position_above_the_log_stops_the_partition(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 3);
    commit_offset(world, topic, topic, 50, "");

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_EARLIEST);
    run_until(world, was_told_stopped, &member);
    assert_true(member_was_told(&member, "go on at offset 50, but the log ends before that"));
    assert_true(member_was_told(&member, "berth offsets --partition"));
    assert_int_equal(member.held_count, 0);
    member_leave(&member);
}

static bool takes_until_stopped(void *ctx) {
    struct member *member = ctx;
    if (member->slots[0].held) {
        (void)member_take(member, 0, 1000);
    }
    return was_told_stopped(ctx);
}

static bool goes_on_at_the_logs_start(void *ctx) {
    const struct member *member = ctx;
    return member->slots[0].held && member->slots[0].start_offset == 39990;
}

/* Retention overtakes a worker that is held up: what is left isn't taken as if nothing were
 * missing.
 */
static void test_a_position_that_the_log_leaves_behind_stops_the_partition(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 40000); /* More than is fetched ahead. */

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_EARLIEST);
    member_wait_held(&member, 1);
    member_wait_records(&member, 0, 10);
    delete_records_below(world, topic, 39990);
    run_until(world, takes_until_stopped, &member);
    assert_true(member.slots[0].last_offset < 39990);
    /* Another member has it go on where the log begins now. */
    run_until(world, goes_on_at_the_logs_start, &member);
    member_leave(&member);
}

static bool holds_one(void *ctx) {
    const struct member *member = ctx;
    return member->held_count == 1;
}

/* A dead worker's transaction may still commit an offset: whoever starts below it would do its
 * commands again. */
static void test_an_undecided_transaction_is_waited_for(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 8);
    commit_offset(world, topic, topic, 1, "");
    rd_kafka_t *dying = raw_client(world, RD_KAFKA_PRODUCER, "transactional.id", topic);
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 6;
    assert_no_error(rd_kafka_init_transactions(dying, 10000));
    assert_no_error(rd_kafka_begin_transaction(dying));
    assert_no_error(rd_kafka_send_offsets_to_transaction(dying, list, metadata, 10000));

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_EARLIEST);
    assert_false(turn_until(world, holds_one, &member, 2000));
    assert_no_error(rd_kafka_commit_transaction(dying, 10000));
    member_wait_held(&member, 1);
    assert_int_equal(member.slots[0].start_offset, 6);
    assert_true(member.slots[0].committed);
    member_leave(&member);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    rd_kafka_destroy(dying);
}

/* ---- Records ---- */

/* Back-pressure: not taking is all it needs, and it holds up nobody else. */
static void test_a_slot_that_is_not_taken_from_holds_up_only_itself(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 2);
    produce(world, topic, 0, "left", 3000);
    produce(world, topic, 1, "right", 3000);

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_EARLIEST);
    member_wait_held(&member, 2);
    uint32_t left = member_slot_of(&member, 0);
    uint32_t right = member_slot_of(&member, 1);
    member_wait_records(&member, left, 10);
    member_wait_records(&member, right, 3000);
    assert_int_equal(member.slots[left].records_count, 10);
    assert_string_equal(member.slots[right].last_value, "right 2999");

    member_wait_records(&member, left, 3000);
    assert_string_equal(member.slots[left].last_value, "left 2999");
    assert_int_equal(member.slots[left].last_offset, 2999);
    member_leave(&member);
}

/* ---- Giving back ---- */

static bool second_holds_one(void *ctx) {
    const struct member *members = ctx;
    return members[1].held_count == 1;
}

static bool first_has_one_revoked(void *ctx) {
    const struct member *members = ctx;
    return members[0].revoked_count == 1;
}

/* The other worker must not start a command that this one has in flight. */
static void test_a_revoked_partition_stays_ours_until_it_is_given_up(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 2);
    produce(world, topic, 0, "zero", 5);
    produce(world, topic, 1, "one", 5);

    struct member members[2];
    member_join(&members[0], world, topic, NULL, topic, BERTH_START_EARLIEST);
    members[0].gives_up = false;
    member_wait_held(&members[0], 2);
    member_wait_records(&members[0], 0, 2);
    member_wait_records(&members[0], 1, 2);
    member_join(&members[1], world, topic, NULL, topic, BERTH_START_EARLIEST);
    run_until(world, first_has_one_revoked, members);
    uint32_t revoked = members[0].slots[0].revoked ? 0 : 1;
    assert_int_equal(member_take(&members[0], revoked, 1), 0);
    assert_false(berth_consumer_joined(members[0].consumer));
    assert_false(turn_until(world, second_holds_one, members, 1500));

    members[0].slots[revoked].held = false;
    members[0].held_count--;
    berth_consumer_give_up(members[0].consumer, revoked);
    run_until(world, second_holds_one, members);
    /* librdkafka has dropped what it had fetched for the one that stays, and fetches it again: it
     * goes on where it was (member_take() checks the order). */
    member_wait_records(&members[0], 1 - revoked, 5);
    assert_int_equal(members[0].held_count, 1);
    uint32_t slot = member_slot_of(&members[1], members[0].slots[revoked].partition);
    member_wait_records(&members[1], slot, 5);
    member_leave(&members[1]);
    member_wait_held(&members[0], 2);
    assert_true(berth_consumer_joined(members[0].consumer));
    member_leave(&members[0]);
}

static bool was_told_fatal(void *ctx) {
    return member_was_told(ctx, "fatal");
}

/* Two workers under one instance name turn each other away: that has to end. */
static void test_of_two_members_with_one_instance_the_first_ends(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);

    struct member first;
    struct member second;
    member_join(&first, world, topic, "worker-1", topic, BERTH_START_EARLIEST);
    member_wait_held(&first, 1);
    member_join(&second, world, topic, "worker-1", topic, BERTH_START_EARLIEST);
    run_until(world, was_told_fatal, &first);
    assert_true(member_was_told(&first, "fenced"));
    assert_false(member_was_told(&second, "fatal"));
    member_wait_held(&second, 1);
    member_leave(&first);
    member_leave(&second);
}

struct taking {
    struct member *member;
    struct berth_record **ret_record;
};

static bool has_a_record(void *ctx) {
    struct taking *taking = ctx;
    uint32_t slot = member_slot_of(taking->member, 0);
    return *taking->ret_record != NULL ||
           berth_consumer_take(taking->member->consumer, slot, taking->ret_record) == BERTH_OK;
}

static bool lost_its_partition(void *ctx) {
    return member_was_told(ctx, "lost");
}

/* After a broker hung, a request to join that its sender has given up may be carried out behind a
 * newer one: then a member that nobody answers for has the place of the one that works. */
static void test_an_instance_turned_away_for_a_ghost_of_its_own_joins_anew(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "command", 5);
    commit_offset(world, topic, topic, 1, "");

    struct member member;
    member_join(&member, world, topic, "worker-1", topic, BERTH_START_EARLIEST);
    member_wait_held(&member, 1);
    struct berth_record *record = NULL;
    struct taking taking = {.member = &member, .ret_record = &record};
    run_until(world, has_a_record, &taking);
    take_place_and_vanish(world, topic, "worker-1", topic);

    run_until(world, lost_its_partition, &member);
    assert_true(member_was_told(&member, "error: the group knows this member no more"));
    /* What it had taken before stays readable. */
    assert_memory_equal(berth_record_value(record).data, "command 1", strlen("command 1"));
    berth_record_free(record);
    member_wait_held(&member, 1);
    assert_true(berth_consumer_joined(member.consumer));
    member_wait_records(&member, member_slot_of(&member, 0), 4);
    assert_false(member_was_told(&member, "fatal"));
    member_leave(&member);
}

/* A static member that comes back finds its partitions at once; nothing waits for a session. */
static void test_an_instance_that_comes_back_has_its_partitions_again(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    world_set(world, "session.timeout.ms", "25000");

    struct member first;
    struct member second;
    member_join(&first, world, topic, "worker-1", topic, BERTH_START_EARLIEST);
    member_wait_held(&first, 1);
    member_vanish(&first);
    member_join(&second, world, topic, "worker-1", topic, BERTH_START_EARLIEST);
    member_wait_held(&second, 1); /* Its patience is shorter than the session. */
    member_leave(&second);
}

/* ---- Topics ---- */

static bool was_told_missing(void *ctx) {
    return member_was_told(ctx, "missing");
}

static void test_a_missing_topic_is_told_once_and_found_when_it_was_made(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");

    struct member member;
    member_join(&member, world, topic, NULL, topic, BERTH_START_EARLIEST);
    run_until(world, was_told_missing, &member);
    char line[NAME_BYTES + 32];
    snprintf(line, sizeof(line), "missing %s\n", topic);
    assert_string_equal((const char *)member.told.data, line);

    make_topic(world, topic, 1);
    int64_t made_ms = berth_clock_monotonic_ms();
    member_wait_held(&member, 1);
    print_message("found %d ms after it was made\n", (int)(berth_clock_monotonic_ms() - made_ms));
    snprintf(line, sizeof(line), "missing %s\ngained 0\n", topic);
    assert_string_equal((const char *)member.told.data, line);
    member_leave(&member);
}

/* ---- The end ---- */

/* The end of the process must not depend on a broker that answers. */
static void test_a_consumer_without_a_broker_ends_quickly(void **state) {
    struct world *world = *state;
    world_set(world, "bootstrap.servers", "127.0.0.1:1");
    struct member member;
    member_join(&member, world, "group", NULL, "commands", BERTH_START_EARLIEST);
    assert_false(turn_until(world, was_told_missing, &member, 300));
    int64_t from_ms = berth_clock_monotonic_ms();
    member_leave(&member);
    assert_in_range(berth_clock_monotonic_ms() - from_ms, 0, 5000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_partition_goes_on_where_the_group_left_off),
        TEST(test_without_a_committed_offset_start_decides),
        TEST(test_a_position_below_the_log_starts_at_the_logs_start),
        TEST(test_a_position_above_the_log_stops_the_partition),
        TEST(test_a_position_that_the_log_leaves_behind_stops_the_partition),
        TEST(test_an_undecided_transaction_is_waited_for),
        TEST(test_a_slot_that_is_not_taken_from_holds_up_only_itself),
        TEST(test_a_revoked_partition_stays_ours_until_it_is_given_up),
        TEST(test_of_two_members_with_one_instance_the_first_ends),
        TEST(test_an_instance_turned_away_for_a_ghost_of_its_own_joins_anew),
        TEST(test_an_instance_that_comes_back_has_its_partitions_again),
        TEST(test_a_missing_topic_is_told_once_and_found_when_it_was_made),
        TEST(test_a_consumer_without_a_broker_ends_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
