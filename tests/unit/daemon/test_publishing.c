/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the engine asks to be published to one batch: which records of a publication go into
 * it, and whose group metadata. The consumer and the publisher are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/io/kafka_record.h"
#include "worker_parts.h"

#define TOPIC       "berth.commands.alpha"
#define RECORDS_MAX 8

struct berth_group_metadata {
    int generation;
};

struct stage {
    struct worker worker; /* First, so that the worker is the stage. */
    struct berth_config_registry registry;
    struct berth_config config;
    int generation; /* Of the group, at this moment; below 0: it has forgotten us. */
    int aborted;    /* What the engine was told. */
    size_t batches;
    int batch_generation; /* Of the last one ... */
    size_t kinds[RECORDS_MAX];
    size_t records_count;
    int64_t offset;
    char map[32];
};

/* ---- What the publishing calls ---- */

static struct stage *stage;

enum berth_rc berth_consumer_group_metadata(struct berth_consumer *consumer,
                                            struct berth_group_metadata **ret_metadata) {
    (void)consumer;
    if (stage->generation < 0) {
        return BERTH_NOT_FOUND;
    }
    *ret_metadata = malloc(sizeof(**ret_metadata));
    assert_non_null(*ret_metadata);
    (*ret_metadata)->generation = stage->generation;
    return BERTH_OK;
}

struct berth_group_metadata *berth_group_metadata_free(struct berth_group_metadata *metadata) {
    free(metadata);
    return NULL;
}

enum berth_rc berth_publisher_submit(struct berth_publisher *publisher,
                                     const struct berth_batch *batch) {
    (void)publisher;
    stage->batches++;
    stage->batch_generation = batch->take_group_metadata->generation;
    free(batch->take_group_metadata);
    assert_true(batch->records_count <= RECORDS_MAX);
    stage->records_count = batch->records_count;
    for (size_t i = 0; i < batch->records_count; i++) {
        stage->kinds[i] = batch->records[i].topic;
    }
    assert_int_equal(batch->offsets_count, 1);
    assert_string_equal(batch->offsets[0].topic, TOPIC);
    stage->offset = batch->offsets[0].offset;
    (void)snprintf(stage->map, sizeof(stage->map), "%s", batch->offsets[0].metadata);
    return BERTH_OK;
}

const char *berth_batch_outcome_name(enum berth_batch_outcome outcome) {
    (void)outcome;
    return "aborted";
}

int64_t berth_record_time_ms(const struct berth_record *record) {
    (void)record;
    return -1;
}

struct berth_bytes berth_record_key(const struct berth_record *record) {
    (void)record;
    return (struct berth_bytes){(const uint8_t *)"alpha/team-a", 12};
}

struct berth_bytes berth_record_value(const struct berth_record *record) {
    (void)record;
    return (struct berth_bytes){(const uint8_t *)"command", 7};
}

const struct berth_header *berth_record_headers(const struct berth_record *record,
                                                size_t *ret_count) {
    (void)record;
    *ret_count = 0;
    return NULL;
}

struct berth_record *berth_record_free(struct berth_record *record) {
    (void)record;
    return NULL;
}

void worker_step(struct worker *worker, struct berth_event *event) {
    (void)worker;
    stage->aborted += event->kind == BERTH_EVENT_TRANSACTION && !event->transaction.committed;
}

void worker_fail(struct worker *worker, const char *format, ...) {
    (void)worker;
    fail_msg("%s", format);
}

/* ---- The stage ---- */

static int setup(void **state) {
    stage = calloc(1, sizeof(*stage));
    assert_non_null(stage);
    stage->registry = (struct berth_config_registry){
        .name = "alpha", .uid = "6c1f4d20-0000-4000-8000-000000000001", .command_topic = TOPIC};
    stage->config = (struct berth_config){.registries = &stage->registry,
                                          .registries_count = 1,
                                          .deployment = "test",
                                          .group = "berth"};
    stage->worker.config = &stage->config;
    stage->worker.map_len_max = 4096;
    for (size_t kind = 0; kind < BERTH_RECORD_KINDS; kind++) {
        stage->worker.record_bytes_max[kind] = 100000;
    }
    assert_int_equal(berth_codec_new(&stage->worker.codec, &stage->worker.error), BERTH_OK);
    assert_int_equal(berth_slots_init(&stage->worker.slots, 1), BERTH_OK);
    *state = stage;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    outbox_deinit(&stage->worker.outbox);
    berth_slots_deinit(&stage->worker.slots);
    stage->worker.codec = berth_codec_free(stage->worker.codec);
    free(stage);
    return 0;
}

static const struct berth_command command = {
    .type = BERTH_CREATE_SPACE,
    .id = "bbbbbbbb-0000-4000-8000-000000000001",
    .registry = "alpha",
    .space = "team-a",
    .actor = "ann",
};
static const struct berth_source source = {.topic = TOPIC, .partition = 0, .offset = 7};

/* Stored, with everything that an outcome can publish but a dead letter. */
static void store(void) {
    static struct berth_outcome outcome;
    outcome = (struct berth_outcome){.kind = BERTH_SUCCEEDED,
                                     .changed = true,
                                     .code = "space.created",
                                     .message = "Created registry space successfully",
                                     .attempts = 1,
                                     .before = {.knowledge = BERTH_SPACE_ABSENT},
                                     .after = {.knowledge = BERTH_SPACE_PRESENT,
                                               .project_id = 4,
                                               .visibility = BERTH_PRIVATE,
                                               .quota_bytes = BERTH_QUOTA_UNLIMITED,
                                               .version = 9},
                                     .publish_state = true,
                                     .audit = true,
                                     .final = true};
    worker_make_publication(&stage->worker, 0, &command, &source, 0, 9, &outcome);
}

static void publish(enum berth_publish_form form) {
    const struct berth_publish_item item = {
        .slot = 0, .form = form, .command = &command, .source = &source};
    const struct berth_log_mark mark = {
        .id = "an-id", .offset = 7, .timestamp_ms = 5, .checksum = 3};
    const struct berth_publish_offset offset = {
        .topic = TOPIC, .offset = 8, .log = mark, .metadata = "a map"};
    const struct berth_effect effect = {
        .kind = BERTH_EFFECT_PUBLISH,
        .publish = {.items = &item, .items_count = 1, .offsets = &offset, .offsets_count = 1}};
    worker_publish(&stage->worker, &effect);
}

static void assert_published(size_t count, const size_t *kinds) {
    assert_int_equal(stage->records_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(stage->kinds[i], kinds[i]);
    }
    assert_int_equal(stage->offset, 8);
    assert_string_equal(stage->map, "L1:an-id:7:5:3 a map");
}

static void test_an_outcome_is_published_whole_with_its_offset(void **state) {
    (void)state;
    const size_t all[] = {BERTH_RECORD_RESULT, BERTH_RECORD_AUDIT, BERTH_RECORD_SPACE};
    store();
    publish(BERTH_PUBLISH_MADE);
    assert_published(3, all);
    publish(BERTH_PUBLISH_STORED);
    assert_published(3, all);
}

/* Others have gone past it: an old state must not come after theirs in the topic. */
static void test_a_state_that_is_no_longer_current_is_left_out(void **state) {
    (void)state;
    const size_t but_state[] = {BERTH_RECORD_RESULT, BERTH_RECORD_AUDIT};
    store();
    publish(BERTH_PUBLISH_STORED_QUIETLY);
    assert_published(2, but_state);
}

/* Also when it is published twice, because the first transaction was aborted. */
static void test_another_record_with_a_known_id_gets_the_result_only(void **state) {
    (void)state;
    const size_t result[] = {BERTH_RECORD_RESULT};
    store();
    publish(BERTH_PUBLISH_REPLAY);
    assert_published(1, result);
    publish(BERTH_PUBLISH_REPLAY);
    assert_published(1, result);
}

/* The group may have had a rebalance in between: an old generation's offsets are refused. */
static void test_each_batch_bears_the_groups_generation_of_its_moment(void **state) {
    (void)state;
    store();
    stage->generation = 4;
    publish(BERTH_PUBLISH_MADE);
    assert_int_equal(stage->batch_generation, 4);
    stage->generation = 5;
    publish(BERTH_PUBLISH_MADE); /* Aborted, and handed over again. */
    assert_int_equal(stage->batch_generation, 5);
    assert_int_equal(stage->batches, 2);
}

/* Else offsets of partitions that are others' by now would be put back to where we were. */
static void test_nothing_is_published_for_a_group_that_has_forgotten_us(void **state) {
    (void)state;
    store();
    stage->generation = -1;
    publish(BERTH_PUBLISH_MADE);
    assert_int_equal(stage->batches, 0);
    worker_answer_refused_batch(&stage->worker);
    worker_answer_refused_batch(&stage->worker);
    assert_int_equal(stage->aborted, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_outcome_is_published_whole_with_its_offset, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_state_that_is_no_longer_current_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_another_record_with_a_known_id_gets_the_result_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_batch_bears_the_groups_generation_of_its_moment,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_published_for_a_group_that_has_forgotten_us,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
