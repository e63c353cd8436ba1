/* SPDX-License-Identifier: Apache-2.0 */
/* How far a group is, as `berth check` tells it: to the log's end, whatever stands in the way. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "berth/io/kafka_check.h"
#include "kafka_world.h"
#include "raw_kafka.h"

#define LONG_MS 3600000

static struct berth_group_progress progress_of(struct world *world, const char *group,
                                               const char *topic, int64_t late_ms) {
    struct berth_group_progress progress;
    struct berth_error error = {.text = ""};
    if (berth_kafka_group_progress(&world->properties, group, topic, 1, late_ms, 10000, &progress,
                                   &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
    return progress;
}

static void assert_fine(rd_kafka_error_t *error) {
    if (error != NULL) {
        fail_msg("%s", rd_kafka_error_string(error));
    }
}

/* What is behind it is given to nobody, and "0 records behind" would be the last thing to say. */
static void test_records_behind_an_open_transaction_are_counted_and_told(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "hanging");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "before", 2);
    commit_offset(world, topic, topic, 2, "");
    assert_int_equal(progress_of(world, topic, topic, LONG_MS).behind, 0);

    rd_kafka_t *producer = raw_client(world, RD_KAFKA_PRODUCER, "transactional.id", topic);
    assert_fine(rd_kafka_init_transactions(producer, 10000));
    assert_fine(rd_kafka_begin_transaction(producer));
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE("open", 4), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    produce(world, topic, 0, "behind", 3);
    struct berth_group_progress progress = progress_of(world, topic, topic, LONG_MS);
    assert_int_equal(progress.behind, 4);
    assert_int_equal(progress.hidden, 4);

    assert_fine(rd_kafka_commit_transaction(producer, 10000));
    progress = progress_of(world, topic, topic, LONG_MS);
    assert_int_equal(progress.hidden, 0);
    assert_true(progress.behind >= 4); /* And the marker. */
    rd_kafka_destroy(producer);
}

static void test_records_that_wait_for_too_long_are_told_with_their_place(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "late");
    make_topic(world, topic, 1);
    produce(world, topic, 0, "one", 5);
    commit_offset(world, topic, topic, 2, "");
    assert_int_equal(progress_of(world, topic, topic, LONG_MS).late, 0);
    /* As if a minute had passed: no record is that young. */
    struct berth_group_progress progress = progress_of(world, topic, topic, -60000);
    assert_int_equal(progress.late, 3);
    assert_int_equal(progress.late_offset, 2);
    assert_int_equal(progress.late_partition, 0);
}

static void test_a_group_without_members_has_none(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "deserted");
    make_topic(world, topic, 1);
    commit_offset(world, topic, topic, 0, "");
    int members = -1;
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_kafka_group_members(&world->properties, topic, 10000, &members, &error),
                     BERTH_OK);
    assert_int_equal(members, 0);
    take_place_and_vanish(world, topic, "gone", topic);
    assert_int_equal(berth_kafka_group_members(&world->properties, topic, 10000, &members, &error),
                     BERTH_OK);
    assert_int_equal(members, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_records_behind_an_open_transaction_are_counted_and_told),
        TEST(test_records_that_wait_for_too_long_are_told_with_their_place),
        TEST(test_a_group_without_members_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
