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
    size_t value_bytes[BERTH_RECORD_KINDS];
    size_t value_headers[BERTH_RECORD_KINDS];
    size_t batch_bytes; /* The publisher's limit. */
    int looks;
    bool looked_now;
    uint8_t refused_by; /* What the engine was told of the batch's first item. */
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
        stage->value_bytes[batch->records[i].topic] = batch->records[i].value.len;
        stage->value_headers[batch->records[i].topic] = batch->records[i].headers_count;
    }
    assert_int_equal(batch->offsets_count, 1);
    assert_string_equal(batch->offsets[0].topic, TOPIC);
    stage->offset = batch->offsets[0].offset;
    (void)snprintf(stage->map, sizeof(stage->map), "%s", batch->offsets[0].metadata);
    return BERTH_OK;
}

void berth_publisher_limit_batches(struct berth_publisher *publisher, size_t bytes) {
    (void)publisher;
    stage->batch_bytes = bytes;
}

void worker_look_at_topics(struct worker *worker, bool now) {
    (void)worker;
    stage->looks++;
    stage->looked_now = now;
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
    const uint8_t *by = event->transaction.refused_by;
    stage->refused_by = event->kind == BERTH_EVENT_TRANSACTION && by != NULL ? by[0] : 0;
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
    outputs_init(&stage->worker.outputs);
    assert_int_equal(berth_codec_new(&stage->worker.codec, &stage->worker.error), BERTH_OK);
    assert_int_equal(berth_slots_init(&stage->worker.slots, 1), BERTH_OK);
    *state = stage;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    outbox_deinit(&stage->worker.outbox);
    outputs_deinit(&stage->worker.outputs);
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

static uint64_t dead_letters(const char *reason) {
    for (size_t i = 0; i < berth_codes_count; i++) {
        if (strcmp(berth_codes[i].code, reason) == 0) {
            return stage->worker.dead_letters_total[i];
        }
    }
    fail_msg("no code %s", reason);
    return 0;
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

/* Whoever watches the log or a metric hears of each, once: when it is committed. */
static void test_a_dead_letter_is_counted_by_its_reason_once_it_is_committed(void **state) {
    (void)state;
    static struct berth_outcome outcome;
    berth_outcome_refuse(&outcome, BERTH_FAILED, "record.undecodable", "It is no Avro.");
    worker_make_publication(&stage->worker, 0, &command, &source, 0, 0, &outcome);
    const struct berth_batch_output fine[BERTH_RECORD_KINDS] = {{.verdict = BERTH_OUTPUT_FINE}};
    publish(BERTH_PUBLISH_MADE);
    worker_published(&stage->worker, &(struct berth_batch_result){.outcome = BERTH_BATCH_ABORTED,
                                                                  .culprit = -1,
                                                                  .outputs = fine});
    assert_int_equal(dead_letters("record.undecodable"), 0);
    publish(BERTH_PUBLISH_MADE);
    worker_published(&stage->worker,
                     &(struct berth_batch_result){.outcome = BERTH_BATCH_COMMITTED});
    assert_int_equal(dead_letters("record.undecodable"), 1);
    assert_int_equal(dead_letters("record.empty"), 0);
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

/* ---- Outputs that refuse ---- */

#define BIT(kind) (1U << BERTH_RECORD_##kind)

/* The publisher's answer to the batch. */
static void answer(enum berth_batch_outcome outcome, enum berth_record_kind kind,
                   enum berth_output_verdict verdict, bool denied) {
    struct berth_batch_output outputs[BERTH_RECORD_KINDS] = {{.verdict = BERTH_OUTPUT_FINE}};
    outputs[kind] =
        (struct berth_batch_output){.verdict = verdict, .text = "refused", .bytes = 400000};
    const struct berth_batch_result result = {
        .outcome = outcome, .text = "refused", .culprit = -1, .denied = denied, .outputs = outputs};
    worker_published(&stage->worker, &result);
}

/* Its records name it: there is nothing to be found out. */
static void test_a_topic_that_refuses_a_record_is_blamed_at_once(void **state) {
    (void)state;
    store();
    publish(BERTH_PUBLISH_MADE);
    answer(BERTH_BATCH_ABORTED, BERTH_RECORD_AUDIT, BERTH_OUTPUT_INVALID, false);
    assert_int_equal(stage->refused_by, BIT(AUDIT));
    assert_string_equal(stage->worker.outputs.list[BERTH_RECORD_AUDIT].why, "refused");
    assert_int_equal(stage->looks, 1);
    assert_false(stage->looked_now); /* After a pause. */
    /* What needs it isn't even tried, and what doesn't is. */
    size_t batches = stage->batches;
    publish(BERTH_PUBLISH_MADE);
    worker_answer_refused_batch(&stage->worker);
    assert_int_equal(stage->batches, batches);
    assert_int_equal(stage->refused_by, BIT(AUDIT));
    publish(BERTH_PUBLISH_REPLAY);
    assert_int_equal(stage->batches, batches + 1);
}

/* Brokers that deny a transaction its partitions don't say which. */
static void test_a_denied_batch_is_looked_into_at_once(void **state) {
    (void)state;
    store();
    publish(BERTH_PUBLISH_MADE);
    answer(BERTH_BATCH_ABORTED, BERTH_RECORD_AUDIT, BERTH_OUTPUT_FINE, true);
    assert_int_equal(stage->refused_by, 0);
    assert_int_equal(stage->looks, 1);
    assert_true(stage->looked_now);
}

/* Nobody knows why: it must not be tried for ever without a pause. */
static void test_an_item_that_is_refused_alone_again_and_again_is_set_aside(void **state) {
    (void)state;
    store();
    for (int i = 0; i < 2; i++) {
        publish(BERTH_PUBLISH_MADE);
        answer(BERTH_BATCH_FAILED_FOR_GOOD, BERTH_RECORD_AUDIT, BERTH_OUTPUT_FINE, false);
        assert_int_equal(stage->refused_by, 0);
    }
    publish(BERTH_PUBLISH_MADE);
    answer(BERTH_BATCH_FAILED_FOR_GOOD, BERTH_RECORD_AUDIT, BERTH_OUTPUT_FINE, false);
    assert_int_equal(stage->refused_by, OUTPUTS_ITSELF);
}

/* What is stored stays whole: another topic, another day may take it. */
static void test_a_record_that_its_topic_does_not_take_goes_in_its_smaller_form(void **state) {
    (void)state;
    store();
    publish(BERTH_PUBLISH_STORED);
    size_t whole = stage->value_bytes[BERTH_RECORD_AUDIT];
    size_t headers = stage->value_headers[BERTH_RECORD_AUDIT];
    stage->worker.outputs.list[BERTH_RECORD_AUDIT].record_bytes_max = whole - 1;
    publish(BERTH_PUBLISH_STORED);
    assert_true(stage->value_bytes[BERTH_RECORD_AUDIT] <= whole);
    assert_int_equal(stage->value_headers[BERTH_RECORD_AUDIT], headers + 1);
    assert_int_equal(stage->value_headers[BERTH_RECORD_RESULT], headers);
    stage->worker.outputs.list[BERTH_RECORD_AUDIT].record_bytes_max = whole;
    publish(BERTH_PUBLISH_STORED);
    assert_int_equal(stage->value_bytes[BERTH_RECORD_AUDIT], whole);
    assert_int_equal(stage->value_headers[BERTH_RECORD_AUDIT], headers);
}

/* The limit was lowered, or could never be read. */
static void test_what_was_too_large_lowers_what_the_topic_is_thought_to_take(void **state) {
    (void)state;
    store();
    publish(BERTH_PUBLISH_MADE);
    answer(BERTH_BATCH_FAILED_FOR_GOOD, BERTH_RECORD_RESULT, BERTH_OUTPUT_TOO_LARGE, false);
    assert_int_equal(stage->refused_by, 0); /* It is made smaller first. */
    assert_true(stage->looked_now);
    assert_int_equal(stage->worker.outputs.list[BERTH_RECORD_RESULT].message_bytes, 200000);
    assert_true(stage->batch_bytes < 200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_outcome_is_published_whole_with_its_offset, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_state_that_is_no_longer_current_is_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_a_dead_letter_is_counted_by_its_reason_once_it_is_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_record_with_a_known_id_gets_the_result_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_batch_bears_the_groups_generation_of_its_moment,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_published_for_a_group_that_has_forgotten_us,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_topic_that_refuses_a_record_is_blamed_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_denied_batch_is_looked_into_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_an_item_that_is_refused_alone_again_and_again_is_set_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_record_that_its_topic_does_not_take_goes_in_its_smaller_form, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_what_was_too_large_lowers_what_the_topic_is_thought_to_take, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
