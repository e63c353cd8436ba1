/* SPDX-License-Identifier: Apache-2.0 */
/* The publisher against a real broker: all of a batch or nothing, once, whatever happens. */
#include "kafka_world.h"

#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "berth/io/kafka_reader.h"

/* A command topic with records, a result topic, a member that holds the first, and an outlet to the
 * second. All names are the command topic's. */
struct stage {
    char commands[NAME_BYTES];
    char results[NAME_BYTES];
    const char *topics[1];
    struct member member;
    struct outlet outlet;
};

static void stage_set(struct stage *stage, struct world *world) {
    fresh_name(stage->commands, "commands");
    fresh_name(stage->results, "results");
    stage->topics[0] = stage->results;
    make_topic(world, stage->commands, 1);
    make_topic(world, stage->results, 1);
    produce(world, stage->commands, 0, "command", 10);
    member_join(&stage->member, world, stage->commands, NULL, stage->commands,
                BERTH_START_EARLIEST);
    outlet_open(&stage->outlet, world, stage->commands, stage->commands, stage->topics, 1);
    member_wait_held(&stage->member, 1);
}

static void stage_strike(struct stage *stage) {
    outlet_close(&stage->outlet);
    member_leave(&stage->member);
}

/* Where the group would go on, seen by a member that comes next. */
static void assert_committed(struct stage *stage, int64_t offset, const char *metadata) {
    struct member next;
    member_leave(&stage->member);
    member_join(&next, stage->outlet.world, stage->commands, NULL, stage->commands,
                BERTH_START_EARLIEST);
    member_wait_held(&next, 1);
    assert_int_equal(next.slots[0].committed_offset, offset);
    assert_string_equal(next.slots[0].metadata, metadata);
    member_leave(&next);
    member_join(&stage->member, stage->outlet.world, stage->commands, NULL, stage->commands,
                BERTH_START_EARLIEST);
    member_wait_held(&stage->member, 1);
}

/* ---- Committed ---- */

static void test_a_committed_batch_is_visible_with_its_offset(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);

    /* A starting position that `start` chose is committed on its own. */
    outlet_submit(&stage.outlet, &stage.member, NULL, stage.commands, 0, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_committed(&stage, 0, "");
    outlet_submit(&stage.outlet, &stage.member, "first", stage.commands, 1, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_string_equal(stage.outlet.text, "");
    outlet_submit(&stage.outlet, &stage.member, "second", stage.commands, 3, "v1:map");
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);

    assert_committed_once(world, stage.results, "first");
    assert_committed_once(world, stage.results, "second");
    assert_committed(&stage, 3, "v1:map");
    stage_strike(&stage);
}

/* What a key, an empty value, a null value and headers were must be what the readers get. */
static void test_records_arrive_as_they_were_handed_over(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    const struct berth_header headers[] = {
        {.name = "ce_id", .value = {.data = (const uint8_t *)"7", .len = 1}},
        {.name = "empty", .value = {.data = (const uint8_t *)"", .len = 0}},
    };
    const struct berth_batch_record records[] = {
        {.key = {.data = (const uint8_t *)"alpha/team-a", .len = 12},
         .value = {.data = (const uint8_t *)"a\0b", .len = 3},
         .headers = headers,
         .headers_count = 2},
        {.key = {.data = (const uint8_t *)"alpha/team-a", .len = 12}},
        {.value = {.data = (const uint8_t *)"", .len = 0}},
    };
    const struct berth_batch_offset offset = {.topic = stage.commands, .partition = 0, .offset = 1};
    struct berth_batch batch = {
        .id = 1001, .records = records, .records_count = 3, .offsets = &offset, .offsets_count = 1};
    assert_int_equal(
        berth_consumer_group_metadata(stage.member.consumer, &batch.take_group_metadata), BERTH_OK);
    assert_int_equal(berth_publisher_submit(stage.outlet.publisher, &batch), BERTH_OK);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);

    struct berth_reader *reader = NULL;
    struct berth_error error;
    const char *topic = stage.results;
    assert_int_equal(berth_reader_new(&world->properties, &topic, 1, BERTH_READER_FROM_BEGINNING,
                                      10000, &reader, &error),
                     BERTH_OK);
    struct berth_record *record = NULL;
    assert_int_equal(berth_reader_take(reader, 10000, &record, &error), BERTH_OK);
    assert_int_equal(berth_record_key(record).len, 12);
    assert_memory_equal(berth_record_key(record).data, "alpha/team-a", 12);
    assert_int_equal(berth_record_value(record).len, 3);
    assert_memory_equal(berth_record_value(record).data, "a\0b", 3);
    assert_in_range(berth_record_time_ms(record), berth_clock_wall_ms() - 60000,
                    berth_clock_wall_ms() + 1000);
    size_t count = 0;
    const struct berth_header *found = berth_record_headers(record, &count);
    assert_int_equal(count, 2);
    assert_string_equal(found[0].name, "ce_id");
    assert_memory_equal(found[0].value.data, "7", 1);
    assert_string_equal(found[1].name, "empty");
    assert_int_equal(found[1].value.len, 0);
    berth_record_free(record);

    assert_int_equal(berth_reader_take(reader, 10000, &record, &error), BERTH_OK);
    assert_null(berth_record_value(record).data);
    berth_record_free(record);
    assert_int_equal(berth_reader_take(reader, 10000, &record, &error), BERTH_OK);
    assert_null(berth_record_key(record).data);
    assert_non_null(berth_record_value(record).data);
    assert_int_equal(berth_record_value(record).len, 0);
    berth_record_free(record);
    berth_reader_free(reader);
    stage_strike(&stage);
}

static void test_only_one_batch_is_taken_at_a_time(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    assert_int_equal(berth_publisher_busy_ms(stage.outlet.publisher, berth_clock_monotonic_ms()),
                     0);
    outlet_submit(&stage.outlet, &stage.member, "first", stage.commands, 1, NULL);
    assert_true(berth_publisher_busy_ms(stage.outlet.publisher, berth_clock_monotonic_ms()) > 0);

    struct berth_batch_offset offset = {.topic = stage.commands, .offset = 2};
    struct berth_batch batch = {.id = 9, .offsets = &offset, .offsets_count = 1};
    assert_int_equal(
        berth_consumer_group_metadata(stage.member.consumer, &batch.take_group_metadata), BERTH_OK);
    assert_int_equal(berth_publisher_submit(stage.outlet.publisher, &batch), BERTH_BUSY);
    berth_group_metadata_free(batch.take_group_metadata); /* Still ours. */
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_true(berth_publisher_ready(stage.outlet.publisher));
    stage_strike(&stage);
}

/* ---- Aborted ---- */

/* The group has taken the partition away meanwhile: nothing of the batch may be seen, and when it
 * is handed over again with what holds now, all of it once. */
static void test_an_aborted_batch_is_invisible_until_it_is_handed_over_again(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    outlet_submit(&stage.outlet, &stage.member, "before", stage.commands, 1, "before");
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);

    struct berth_group_metadata *stale = NULL;
    assert_int_equal(berth_consumer_group_metadata(stage.member.consumer, &stale), BERTH_OK);
    member_leave(&stage.member);
    member_join(&stage.member, world, stage.commands, NULL, stage.commands, BERTH_START_EARLIEST);
    member_wait_held(&stage.member, 1);
    const struct berth_batch_record record = {
        .value = {.data = (const uint8_t *)"again", .len = 5}};
    const struct berth_batch_offset offset = {
        .topic = stage.commands, .partition = 0, .offset = 5, .metadata = "after"};
    struct berth_batch batch = {.id = 1002,
                                .records = &record,
                                .records_count = 1,
                                .offsets = &offset,
                                .offsets_count = 1,
                                .take_group_metadata = stale};
    assert_int_equal(berth_publisher_submit(stage.outlet.publisher, &batch), BERTH_OK);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_ABORTED);
    assert_string_not_equal(stage.outlet.text, "");
    print_message("aborted: %s\n", stage.outlet.text);
    assert_int_equal(count_committed(world, stage.results, "again"), 0);
    assert_committed(&stage, 1, "before");

    outlet_submit(&stage.outlet, &stage.member, "again", stage.commands, 5, "after");
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_committed_once(world, stage.results, "again");
    assert_committed(&stage, 5, "after");
    stage_strike(&stage);
}

/* Otherwise it would be handed over for ever, and everything behind it would wait. */
static void test_a_record_that_no_repetition_helps_is_told_apart(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    size_t len = 2000000;
    uint8_t *big = calloc(1, len);
    assert_non_null(big);
    const struct berth_batch_record records[] = {
        {.value = {.data = (const uint8_t *)"small", .len = 5}},
        {.value = {.data = big, .len = len}},
    };
    const struct berth_batch_offset offset = {.topic = stage.commands, .partition = 0, .offset = 2};
    struct berth_batch batch = {
        .id = 1001, .records = records, .records_count = 2, .offsets = &offset, .offsets_count = 1};
    assert_int_equal(
        berth_consumer_group_metadata(stage.member.consumer, &batch.take_group_metadata), BERTH_OK);
    assert_int_equal(berth_publisher_submit(stage.outlet.publisher, &batch), BERTH_OK);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_FAILED_FOR_GOOD);
    assert_int_equal(stage.outlet.culprit, 1);
    free(big);
    assert_int_equal(count_committed(world, stage.results, "small"), 0);

    char metadata[5001];
    memset(metadata, 'm', sizeof(metadata) - 1);
    metadata[sizeof(metadata) - 1] = '\0';
    outlet_submit(&stage.outlet, &stage.member, "small", stage.commands, 2, metadata);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_FAILED_FOR_GOOD);
    assert_int_equal(stage.outlet.culprit, -1);
    assert_true(stage.outlet.metadata_too_large);

    outlet_submit(&stage.outlet, &stage.member, "small", stage.commands, 2, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_committed_once(world, stage.results, "small");
    stage_strike(&stage);
}

/* A topic that takes only small records. */
static void make_narrow_topic(struct world *world, const char *topic) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(
        rd_kafka_conf_set(conf, "bootstrap.servers", world->bootstrap, text, sizeof(text)),
        RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(client);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, 1, 1, text, sizeof(text));
    assert_int_equal(rd_kafka_NewTopic_set_config(wanted, "max.message.bytes", "1000"),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_destroy(client);
}

/* What only the broker knows to be too large comes back the same way, with a text that names the
 * record: it is all that a human will get to see. */
static void test_a_record_that_the_broker_refuses_is_told_apart(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    char narrow[NAME_BYTES];
    fresh_name(narrow, "narrow");
    make_narrow_topic(world, narrow);
    outlet_close(&stage.outlet);
    stage.topics[0] = narrow;
    outlet_open(&stage.outlet, world, stage.commands, stage.commands, stage.topics, 1);

    char value[2001];
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    outlet_submit(&stage.outlet, &stage.member, value, stage.commands, 2, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_FAILED_FOR_GOOD);
    assert_int_equal(stage.outlet.culprit, 0);
    assert_non_null(strstr(stage.outlet.text, "record 0 of the batch, to narrow"));
    outlet_submit(&stage.outlet, &stage.member, "small", stage.commands, 2, NULL);
    enum berth_batch_outcome outcome = outlet_wait(&stage.outlet);
    assert_string_equal(stage.outlet.text, "");
    assert_int_equal(outcome, BERTH_BATCH_COMMITTED);
    assert_committed_once(world, narrow, "small");
    assert_int_equal(count_committed(world, narrow, value), 0);
    stage_strike(&stage);
}

static void submit_three(struct stage *stage, const struct berth_batch_record *records) {
    static struct berth_batch_offset offset; /* Borrowed until it is done. */
    offset = (struct berth_batch_offset){.topic = stage->commands, .partition = 0, .offset = 2};
    struct berth_batch batch = {.id = 1000 + (uint64_t)stage->outlet.done_count + 1,
                                .records = records,
                                .records_count = 3,
                                .offsets = &offset,
                                .offsets_count = 1};
    assert_int_equal(
        berth_consumer_group_metadata(stage->member.consumer, &batch.take_group_metadata),
        BERTH_OK);
    assert_int_equal(berth_publisher_submit(stage->outlet.publisher, &batch), BERTH_OK);
}

/* Brokers count batches: three records that each fit don't fit together. */
static void test_batches_are_kept_below_what_the_topic_takes(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    char narrow[NAME_BYTES];
    fresh_name(narrow, "narrow");
    make_narrow_topic(world, narrow);
    outlet_close(&stage.outlet);
    stage.topics[0] = narrow;
    outlet_open(&stage.outlet, world, stage.commands, stage.commands, stage.topics, 1);

    uint8_t value[400];
    memset(value, 'v', sizeof(value));
    const struct berth_bytes bytes = {.data = value, .len = sizeof(value)};
    const struct berth_batch_record records[] = {
        {.value = bytes}, {.value = bytes}, {.value = bytes}};
    submit_three(&stage, records);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_FAILED_FOR_GOOD);
    assert_int_equal(stage.outlet.verdict, BERTH_OUTPUT_TOO_LARGE);
    berth_publisher_limit_batches(stage.outlet.publisher, 900);
    submit_three(&stage, records);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_int_equal(stage.outlet.verdict, BERTH_OUTPUT_FINE);
    stage_strike(&stage);
}

/* ---- Fenced ---- */

/* Being fenced once proves nothing (a coordinator that timed a transaction out says the same), so
 * the producer is replaced and the batch handed over again. */
static void test_a_fenced_producer_is_replaced(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    outlet_submit(&stage.outlet, &stage.member, "before", stage.commands, 1, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    struct outlet usurper;
    outlet_open(&usurper, world, stage.commands, stage.commands, stage.topics, 1);
    outlet_wait_ready(&usurper);
    outlet_close(&usurper);

    outlet_submit(&stage.outlet, &stage.member, "after", stage.commands, 2, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_ABORTED);
    print_message("fenced: %s\n", stage.outlet.text);
    assert_int_equal(count_committed(world, stage.results, "after"), 0);
    outlet_submit(&stage.outlet, &stage.member, "after", stage.commands, 2, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);
    assert_committed_once(world, stage.results, "after");
    stage_strike(&stage);
}

/* Two workers under one instance name would fence each other for ever. */
static void test_a_twin_is_noticed_at_the_second_fencing(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    outlet_wait_ready(&stage.outlet);
    for (int round = 0; round < 2; round++) {
        struct outlet twin;
        outlet_open(&twin, world, stage.commands, stage.commands, stage.topics, 1);
        outlet_wait_ready(&twin);
        outlet_submit(&stage.outlet, &stage.member, "mine", stage.commands, 2, NULL);
        assert_int_equal(outlet_wait(&stage.outlet),
                         round == 0 ? BERTH_BATCH_ABORTED : BERTH_BATCH_FENCED);
        if (round == 0) {
            outlet_wait_ready(&stage.outlet);
        }
        outlet_close(&twin);
    }
    assert_false(berth_publisher_ready(stage.outlet.publisher));
    outlet_submit(&stage.outlet, &stage.member, "mine", stage.commands, 2, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_FENCED);
    assert_int_equal(count_committed(world, stage.results, "mine"), 0);
    stage_strike(&stage);
}

/* ---- The broker stands still ---- */

static pid_t broker_pid(void) {
    const char *text = getenv("BERTH_TEST_KAFKA_PID");
    pid_t pid = text == NULL ? 0 : (pid_t)strtol(text, NULL, 10);
    assert_true(pid > 1);
    return pid;
}

/* Whether every thread of the process stands still (state T of proc(5)). */
static bool stands_still(pid_t pid) {
    char folder[64];
    snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(folder);
    if (tasks == NULL) {
        fail_msg("there is no process %d", (int)pid);
        return false;
    }
    bool all = true;
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char path[512];
        char line[512] = "";
        snprintf(path, sizeof(path), "%s/%s/stat", folder, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file != NULL) {
            const char *name_end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
            all = all && name_end != NULL && name_end[2] == 'T';
            fclose(file);
        }
    }
    closedir(tasks);
    return all;
}

/* Returns when the broker does nothing any more: a signal takes a while to reach every thread. */
static void freeze_broker(void) {
    assert_int_equal(kill(broker_pid(), SIGSTOP), 0);
    int64_t until_ms = berth_clock_monotonic_ms() + WORLD_PATIENCE_MS;
    while (!stands_still(broker_pid())) {
        assert_true(berth_clock_monotonic_ms() < until_ms);
    }
}

static void thaw_broker(void) {
    assert_int_equal(kill(broker_pid(), SIGCONT), 0);
}

static bool never(void *ctx) {
    (void)ctx;
    return false;
}

/* A commit without an answer is neither done nor not done: it is asked for again until it is
 * decided, and never aborted or published twice. */
static void test_a_commit_outlives_a_broker_that_stands_still(void **state) {
    struct world *world = *state;
    struct stage stage;
    stage_set(&stage, world);
    outlet_submit(&stage.outlet, &stage.member, "before", stage.commands, 1, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);

    freeze_broker();
    outlet_submit(&stage.outlet, &stage.member, "during", stage.commands, 2, "m");
    int64_t from_ms = berth_clock_monotonic_ms();
    (void)turn_until(world, never, NULL, 3000);
    assert_int_equal(stage.outlet.done_count, 1);
    assert_true(berth_publisher_busy_ms(stage.outlet.publisher, berth_clock_monotonic_ms()) >=
                2900);
    thaw_broker();
    enum berth_batch_outcome outcome = outlet_wait(&stage.outlet);
    print_message("decided %d ms after it was handed over: %s %s\n",
                  (int)(berth_clock_monotonic_ms() - from_ms), berth_batch_outcome_name(outcome),
                  stage.outlet.text);
    assert_int_equal(outcome, BERTH_BATCH_COMMITTED);
    assert_committed_once(world, stage.results, "during");
    stage_strike(&stage);
}

/* The end of the process must not wait for a broker; what the thread still uses is left to it. */
static void test_a_stop_is_bounded_while_the_broker_stands_still(void **state) {
    static struct stage stage; /* Left behind with its thread. */
    static struct berth_publisher *left_behind;
    struct world *world = *state;
    stage_set(&stage, world);
    outlet_submit(&stage.outlet, &stage.member, "before", stage.commands, 1, NULL);
    assert_int_equal(outlet_wait(&stage.outlet), BERTH_BATCH_COMMITTED);

    freeze_broker();
    outlet_submit(&stage.outlet, &stage.member, "during", stage.commands, 2, NULL);
    left_behind = stage.outlet.publisher;
    int64_t from_ms = berth_clock_monotonic_ms();
    bool stopped = berth_publisher_free(left_behind, 500);
    int64_t took_ms = berth_clock_monotonic_ms() - from_ms;
    thaw_broker();
    assert_false(stopped);
    assert_in_range(took_ms, 450, 1500);
    member_leave(&stage.member);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_committed_batch_is_visible_with_its_offset),
        TEST(test_records_arrive_as_they_were_handed_over),
        TEST(test_only_one_batch_is_taken_at_a_time),
        TEST(test_an_aborted_batch_is_invisible_until_it_is_handed_over_again),
        TEST(test_a_record_that_no_repetition_helps_is_told_apart),
        TEST(test_a_record_that_the_broker_refuses_is_told_apart),
        TEST(test_batches_are_kept_below_what_the_topic_takes),
        TEST(test_a_fenced_producer_is_replaced),
        TEST(test_a_twin_is_noticed_at_the_second_fencing),
        TEST(test_a_commit_outlives_a_broker_that_stands_still),
        TEST(test_a_stop_is_bounded_while_the_broker_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
