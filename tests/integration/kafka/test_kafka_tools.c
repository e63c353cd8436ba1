/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line needs of Kafka, against a real broker: topics, the reader, the producer;
 * and the check of [kafka]'s properties. */
#include "kafka_world.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "berth/io/kafka_producer.h"
#include "berth/io/kafka_reader.h"
#include "berth/io/kafka_topics.h"

/* ---- Topics ---- */

static void test_topics_are_described_and_the_missing_ones_made(void **state) {
    struct world *world = *state;
    char spaces[NAME_BYTES];
    char missing[NAME_BYTES];
    fresh_name(spaces, "spaces");
    fresh_name(missing, "missing");
    struct berth_topic_spec specs[] = {
        {.name = spaces, .partitions = 3, .replication_factor = 1, .cleanup_policy = "compact"}};
    struct berth_topic_made made[1];
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_topics_create(&world->properties, specs, 1, 10000, made, &error),
                     BERTH_OK);
    assert_true(made[0].made);

    const char *names[] = {missing, spaces};
    struct berth_topic_status statuses[2];
    assert_int_equal(berth_topics_describe(&world->properties, names, 2, 10000, statuses, &error),
                     BERTH_OK);
    assert_false(statuses[0].exists);
    assert_true(statuses[1].exists);
    assert_int_equal(statuses[1].partitions, 3);
    assert_int_equal(statuses[1].replication_factor, 1);
    assert_string_equal(statuses[1].cleanup_policy, "compact");
    assert_int_equal(statuses[1].message_bytes_max, 1048588); /* Kafka's own default. */

    /* Asking didn't make it. */
    assert_int_equal(berth_topics_describe(&world->properties, names, 1, 10000, statuses, &error),
                     BERTH_OK);
    assert_false(statuses[0].exists);
}

static void test_a_topic_that_exists_is_left_as_it_is(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "results");
    make_topic(world, topic, 2);
    char other[NAME_BYTES];
    fresh_name(other, "audit");
    struct berth_topic_spec specs[] = {
        {.name = topic, .partitions = 9, .replication_factor = 1},
        {.name = other, .partitions = 1, .replication_factor = 1},
        {.name = "not a name", .partitions = 1, .replication_factor = 1},
    };
    struct berth_topic_made made[3];
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_topics_create(&world->properties, specs, 3, 10000, made, &error),
                     BERTH_OK);
    assert_false(made[0].made);
    assert_true(made[0].existed);
    assert_true(made[1].made);
    assert_false(made[2].made);
    assert_false(made[2].existed);
    assert_string_not_equal(made[2].text, "");

    const char *name = topic;
    struct berth_topic_status status;
    assert_int_equal(berth_topics_describe(&world->properties, &name, 1, 10000, &status, &error),
                     BERTH_OK);
    assert_int_equal(status.partitions, 2);
}

struct checked {
    int count;
    enum berth_rc rc;
    bool exists[2];
    char cluster[BERTH_KAFKA_CLUSTER_BYTES];
    char error_text[BERTH_ERROR_BYTES_MAX];
};

static void on_checked(void *ctx, enum berth_rc rc, const struct berth_topic_status *statuses,
                       size_t count, const char *cluster, const char *error_text) {
    struct checked *checked = ctx;
    checked->count++;
    checked->rc = rc;
    snprintf(checked->cluster, sizeof(checked->cluster), "%s", cluster);
    for (size_t i = 0; rc == BERTH_OK && i < count; i++) {
        checked->exists[i] = statuses[i].exists;
    }
    snprintf(checked->error_text, sizeof(checked->error_text), "%s", error_text);
}

static bool was_checked_once(void *ctx) {
    const struct checked *checked = ctx;
    return checked->count == 1;
}

static bool was_checked_twice(void *ctx) {
    const struct checked *checked = ctx;
    return checked->count == 2;
}

static void test_a_check_does_not_block_the_loop_and_can_be_repeated(void **state) {
    struct world *world = *state;
    char there[NAME_BYTES];
    char later[NAME_BYTES];
    fresh_name(there, "there");
    fresh_name(later, "later");
    make_topic(world, there, 1);
    const char *names[] = {there, later};
    struct checked checked = {.count = 0};
    struct berth_topics_check *check = NULL;
    struct berth_error error;
    assert_int_equal(berth_topics_check_new(world->base, &world->properties, names, 2, on_checked,
                                            &checked, &check, &error),
                     BERTH_OK);
    assert_int_equal(berth_topics_check_start(check, 10000, &error), BERTH_OK);
    assert_int_equal(berth_topics_check_start(check, 10000, &error), BERTH_BUSY);
    assert_int_equal(checked.count, 0);
    run_until(world, was_checked_once, &checked);
    assert_int_equal(checked.rc, BERTH_OK);
    assert_true(checked.exists[0]);
    assert_false(checked.exists[1]);
    assert_string_not_equal(checked.cluster, "");

    make_topic(world, later, 1);
    assert_int_equal(berth_topics_check_start(check, 10000, &error), BERTH_OK);
    run_until(world, was_checked_twice, &checked);
    assert_true(checked.exists[1]);
    berth_topics_check_free(check, 5000);
}

static void test_brokers_that_are_not_there_are_told_in_time(void **state) {
    struct world *world = *state;
    world_set(world, "bootstrap.servers", "127.0.0.1:1");
    const char *name = "results";
    struct berth_topic_status status;
    struct berth_reader *reader = NULL;
    struct berth_error error = {.text = ""};
    int64_t from_ms = berth_clock_monotonic_ms();
    assert_int_equal(berth_topics_describe(&world->properties, &name, 1, 500, &status, &error),
                     BERTH_FAULT_UNREACHABLE);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
    assert_non_null(strstr(error.text, "refused"));
    assert_int_equal(
        berth_reader_new(&world->properties, &name, 1, BERTH_READER_FROM_END, 500, &reader, &error),
        BERTH_FAULT_UNREACHABLE);
    assert_in_range(berth_clock_monotonic_ms() - from_ms, 0, 5000);
}

/* ---- The producer ---- */

struct deliveries {
    int count;
    int partitions[16];
    int64_t last_offset;
    char last_error[256];
};

static void on_delivered(void *ctx, const struct berth_delivery *delivery) {
    struct deliveries *deliveries = ctx;
    deliveries->count++;
    snprintf(deliveries->last_error, sizeof(deliveries->last_error), "%s",
             delivery->error_text == NULL ? "" : delivery->error_text);
    deliveries->last_offset = delivery->offset;
    if (delivery->tag != NULL) {
        *(int *)delivery->tag = delivery->partition;
    }
}

static struct berth_bytes bytes_of(const char *text) {
    return (struct berth_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

/* Order per space depends on it that Java's producers, and every other, choose the same partition.
 * Expected: Java's Utils.toPositive(Utils.murmur2(key)) % 12. */
static void test_a_key_goes_to_the_partition_that_java_chooses(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 12);
    static const struct {
        const char *key;
        int partition;
    } expected[] = {{"alpha/team-a", 7}, {"alpha/team-b", 8}, {"alpha/123", 8}};
    struct deliveries deliveries = {.count = 0};
    struct berth_producer *producer = NULL;
    struct berth_error error;
    assert_int_equal(
        berth_producer_new(&world->properties, 10000, on_delivered, &deliveries, &producer, &error),
        BERTH_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(berth_producer_send(producer, topic, bytes_of(expected[i].key),
                                             bytes_of("v"), NULL, 0, &deliveries.partitions[i],
                                             &error),
                         BERTH_OK);
    }
    assert_int_equal(berth_producer_flush(producer, 10000), BERTH_OK);
    assert_int_equal(deliveries.count, 3);
    assert_string_equal(deliveries.last_error, "");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(deliveries.partitions[i], expected[i].partition);
    }
    berth_producer_free(producer);
}

static void test_many_records_are_delivered_in_order(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "commands");
    make_topic(world, topic, 1);
    struct deliveries deliveries = {.count = 0};
    struct berth_producer *producer = NULL;
    struct berth_error error;
    assert_int_equal(
        berth_producer_new(&world->properties, 10000, on_delivered, &deliveries, &producer, &error),
        BERTH_OK);
    for (int i = 0; i < 5000; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        assert_int_equal(berth_producer_send(producer, topic, bytes_of("k"), bytes_of(value), NULL,
                                             0, NULL, &error),
                         BERTH_OK);
    }
    assert_int_equal(berth_producer_flush(producer, 10000), BERTH_OK);
    assert_int_equal(deliveries.count, 5000);
    assert_int_equal(deliveries.last_offset, 4999);
    berth_producer_free(producer);
    assert_committed_once(world, topic, "4999");
}

/* An undelivered command must not look like a sent one. */
static void test_a_record_for_a_missing_topic_is_told_as_failed(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "missing");
    struct deliveries deliveries = {.count = 0};
    struct berth_producer *producer = NULL;
    struct berth_error error;
    assert_int_equal(
        berth_producer_new(&world->properties, 1000, on_delivered, &deliveries, &producer, &error),
        BERTH_OK);
    assert_int_equal(berth_producer_send(producer, topic, bytes_of("k"), bytes_of("value"), NULL, 0,
                                         NULL, &error),
                     BERTH_OK);
    assert_int_equal(berth_producer_flush(producer, 10000), BERTH_OK);
    assert_int_equal(deliveries.count, 1);
    assert_string_not_equal(deliveries.last_error, "");
    assert_string_not_equal(deliveries.last_error, "value");
    berth_producer_free(producer);
}

/* ---- The reader ---- */

static rd_kafka_t *transactional_producer(struct world *world, const char *id) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(
        rd_kafka_conf_set(conf, "bootstrap.servers", world->bootstrap, text, sizeof(text)),
        RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "transactional.id", id, text, sizeof(text)),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(producer);
    assert_null(rd_kafka_init_transactions(producer, 10000));
    return producer;
}

static void put(rd_kafka_t *producer, const char *topic, const char *value) {
    union {
        const char *ours;
        void *theirs;
    } bytes = {.ours = value};
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                       RD_KAFKA_V_VALUE(bytes.theirs, strlen(value)),
                                       RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void open_reader(struct world *world, const char *topic, int64_t start,
                        struct berth_reader **ret_reader) {
    struct berth_error error = {.text = ""};
    enum berth_rc rc =
        berth_reader_new(&world->properties, &topic, 1, start, 10000, ret_reader, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BERTH_OK);
}

static void assert_takes(struct berth_reader *reader, const char *value) {
    struct berth_record *record = NULL;
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_reader_take(reader, 10000, &record, &error), BERTH_OK);
    assert_int_equal(berth_record_value(record).len, strlen(value));
    assert_memory_equal(berth_record_value(record).data, value, strlen(value));
    berth_record_free(record);
}

/* Aborted records and the markers of transactions are offsets that never come; the last offset of
 * the log is such a marker. Whoever waits for "end - 1" waits for ever. */
static void test_a_reader_sees_only_what_is_committed_and_ends_at_the_end(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "results");
    make_topic(world, topic, 1);
    rd_kafka_t *producer = transactional_producer(world, topic);
    assert_null(rd_kafka_begin_transaction(producer));
    put(producer, topic, "committed");
    assert_null(rd_kafka_commit_transaction(producer, 10000));
    assert_null(rd_kafka_begin_transaction(producer));
    put(producer, topic, "aborted");
    assert_null(rd_kafka_abort_transaction(producer, 10000));
    assert_null(rd_kafka_begin_transaction(producer));
    put(producer, topic, "committed too");
    assert_null(rd_kafka_commit_transaction(producer, 10000));
    assert_null(rd_kafka_begin_transaction(producer));
    put(producer, topic, "undecided");

    struct berth_reader *reader = NULL;
    open_reader(world, topic, BERTH_READER_FROM_BEGINNING, &reader);
    assert_false(berth_reader_at_end(reader));
    assert_takes(reader, "committed");
    assert_takes(reader, "committed too");
    struct berth_record *record = NULL;
    struct berth_error error;
    int64_t from_ms = berth_clock_monotonic_ms();
    assert_int_equal(berth_reader_take(reader, 20000, &record, &error), BERTH_END);
    assert_true(berth_reader_at_end(reader));
    assert_in_range(berth_clock_monotonic_ms() - from_ms, 0, 10000);

    /* It can be read on. */
    assert_null(rd_kafka_commit_transaction(producer, 10000));
    assert_takes(reader, "undecided");
    assert_int_equal(berth_reader_take(reader, 100, &record, &error), BERTH_END);
    berth_reader_free(reader);
    rd_kafka_destroy(producer);
}

/* `berth send --wait` opens it before it sends: the answer must not come too early to be seen. */
static void test_a_reader_from_the_end_sees_what_comes_after_it_was_made(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "results");
    make_topic(world, topic, 2);
    produce(world, topic, 0, "old", 3);
    produce(world, topic, 1, "old", 3);
    struct berth_reader *reader = NULL;
    open_reader(world, topic, BERTH_READER_FROM_END, &reader);
    assert_true(berth_reader_at_end(reader));
    produce(world, topic, 1, "new", 1);
    assert_takes(reader, "new 0");
    produce(world, topic, 0, "newer", 1);
    assert_takes(reader, "newer 0");
    berth_reader_free(reader);
}

static void test_a_reader_of_an_empty_topic_is_at_its_end(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "results");
    make_topic(world, topic, 2);
    struct berth_reader *reader = NULL;
    open_reader(world, topic, BERTH_READER_FROM_BEGINNING, &reader);
    assert_true(berth_reader_at_end(reader));
    berth_reader_free(reader);
}

static void test_a_reader_of_a_missing_topic_says_so(void **state) {
    struct world *world = *state;
    char topic[NAME_BYTES];
    fresh_name(topic, "missing");
    const char *name = topic;
    struct berth_reader *reader = NULL;
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_reader_new(&world->properties, &name, 1, BERTH_READER_FROM_END, 10000,
                                      &reader, &error),
                     BERTH_NOT_FOUND);
    assert_non_null(strstr(error.text, topic));
}

/* ---- Properties ---- */

static enum berth_rc check(struct world *world, const char *name, const char *value, int *ret_line,
                           struct berth_error *error) {
    world->properties.count = 1;
    world_set(world, name, value);
    world->items[1].line = 12;
    error->text[0] = '\0';
    return berth_kafka_properties_check(&world->properties, ret_line, error);
}

/* Each of them, changed, would lose or repeat commands in silence. */
static void test_properties_that_berth_needs_cannot_be_changed(void **state) {
    static const struct {
        const char *name;
        const char *value;
    } refused[] = {
        {"enable.auto.commit", "true"},
        {"enable.auto.offset.store", "true"},
        {"auto.offset.reset", "latest"},
        {"auto.offset.reset", "earliest"},
        {"isolation.level", "read_uncommitted"},
        {"partition.assignment.strategy", "range"},
        {"allow.auto.create.topics", "true"},
        {"socket.nagle.disable", "false"},
        {"enable.idempotence", "false"},
        {"partitioner", "consistent_random"},
        {"group.id", "other"},
        {"group.instance.id", "other"},
        {"transactional.id", "other"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct berth_error error;
        int line = 0;
        assert_int_equal(check(*state, refused[i].name, refused[i].value, &line, &error),
                         BERTH_INVALID);
        assert_int_equal(line, 12);
        assert_non_null(strstr(error.text, refused[i].name));
        assert_non_null(strstr(error.text, "remove it here"));
    }
}

static void test_properties_that_say_what_berth_needs_are_fine(void **state) {
    struct berth_error error;
    assert_int_equal(check(*state, "enable.auto.commit", "false", NULL, &error), BERTH_OK);
    assert_int_equal(check(*state, "isolation.level", "read_committed", NULL, &error), BERTH_OK);
    assert_int_equal(check(*state, "linger.ms", "5", NULL, &error), BERTH_OK);
    assert_int_equal(check(*state, "sasl.mechanism", "PLAIN", NULL, &error), BERTH_OK);
}

static void test_properties_that_librdkafka_does_not_know_are_named(void **state) {
    struct berth_error error;
    int line = 0;
    assert_int_equal(check(*state, "bootstrap.server", "x", &line, &error), BERTH_INVALID);
    assert_int_equal(line, 12);
    assert_non_null(strstr(error.text, "bootstrap.server"));
    assert_int_equal(check(*state, "linger.ms", "soon", &line, &error), BERTH_INVALID);
    assert_non_null(strstr(error.text, "linger.ms"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_topics_are_described_and_the_missing_ones_made),
        TEST(test_a_topic_that_exists_is_left_as_it_is),
        TEST(test_a_check_does_not_block_the_loop_and_can_be_repeated),
        TEST(test_brokers_that_are_not_there_are_told_in_time),
        TEST(test_a_key_goes_to_the_partition_that_java_chooses),
        TEST(test_many_records_are_delivered_in_order),
        TEST(test_a_record_for_a_missing_topic_is_told_as_failed),
        TEST(test_a_reader_sees_only_what_is_committed_and_ends_at_the_end),
        TEST(test_a_reader_from_the_end_sees_what_comes_after_it_was_made),
        TEST(test_a_reader_of_an_empty_topic_is_at_its_end),
        TEST(test_a_reader_of_a_missing_topic_says_so),
        TEST(test_properties_that_berth_needs_cannot_be_changed),
        TEST(test_properties_that_say_what_berth_needs_are_fine),
        TEST(test_properties_that_librdkafka_does_not_know_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
