/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the topics that are published to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "outputs.h"

#define BIT(kind) (1U << BERTH_RECORD_##kind)

static int setup(void **state) {
    static struct outputs outputs;
    outputs_init(&outputs);
    *state = &outputs;
    return 0;
}

static int teardown(void **state) {
    outputs_deinit(*state);
    return 0;
}

/* A batch of one item that needs these. */
static void batch(struct outputs *outputs, unsigned kinds) {
    outputs_begin(outputs);
    assert_int_equal(outputs_add_item(outputs), BERTH_OK);
    for (int kind = 0; kind < BERTH_RECORD_KINDS; kind++) {
        if ((kinds & 1U << kind) != 0) {
            outputs_need(outputs, (enum berth_record_kind)kind);
        }
    }
}

static void test_only_what_needs_an_output_that_refuses_is_to_blame(void **state) {
    struct outputs *outputs = *state;
    outputs_begin(outputs);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(outputs_add_item(outputs), BERTH_OK);
        outputs_need(outputs, i % 2 == 0 ? BERTH_RECORD_RESULT : BERTH_RECORD_DEAD_LETTER);
    }
    assert_null(outputs_blame(outputs));
    assert_true(outputs_refuse(outputs, BERTH_RECORD_DEAD_LETTER, "denied"));
    assert_int_equal(outputs_refusing(outputs), BIT(DEAD_LETTER));
    const uint8_t *blame = outputs_blame(outputs);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(blame[i], i % 2 == 0 ? 0 : BIT(DEAD_LETTER));
    }
}

/* It is found out again and again. */
static void test_a_refusal_is_news_once_and_each_is_counted(void **state) {
    struct outputs *outputs = *state;
    assert_true(outputs_refuse(outputs, BERTH_RECORD_AUDIT, "denied"));
    assert_false(outputs_refuse(outputs, BERTH_RECORD_AUDIT, "denied"));
    assert_true(outputs_refuse(outputs, BERTH_RECORD_AUDIT, "missing"));
    assert_int_equal(outputs->refused_total, 3);
    assert_true(outputs_accept(outputs, BERTH_RECORD_AUDIT));
    assert_false(outputs_accept(outputs, BERTH_RECORD_AUDIT));
    assert_int_equal(outputs_refusing(outputs), 0);
}

/* Each try costs everybody a transaction; but what was granted is to go on soon. */
static void
test_the_pause_between_two_looks_grows_until_something_is_committed_there(void **state) {
    struct outputs *outputs = *state;
    (void)outputs_refuse(outputs, BERTH_RECORD_AUDIT, "invalid");
    assert_int_equal(outputs_pause_ms(outputs), OUTPUTS_LOOK_FIRST_MS);
    assert_int_equal(outputs_pause_ms(outputs), 2 * OUTPUTS_LOOK_FIRST_MS);
    (void)outputs_accept(outputs, BERTH_RECORD_AUDIT);
    batch(outputs, BIT(RESULT));
    outputs_committed(outputs); /* Others go on, which says nothing of this one. */
    assert_int_equal(outputs_pause_ms(outputs), 4 * OUTPUTS_LOOK_FIRST_MS);
    for (int i = 0; i < 10; i++) {
        (void)outputs_pause_ms(outputs);
    }
    assert_int_equal(outputs_pause_ms(outputs), OUTPUTS_LOOK_MAX_MS);
    batch(outputs, BIT(RESULT) | BIT(AUDIT));
    outputs_committed(outputs);
    assert_int_equal(outputs_pause_ms(outputs), OUTPUTS_LOOK_FIRST_MS);
}

/* Brokers count batches, and one producer has one batch.size. */
static void test_batches_are_kept_below_what_each_topic_takes(void **state) {
    struct outputs *outputs = *state;
    assert_true(outputs_batch_bytes(outputs) < OUTPUTS_MESSAGE_BYTES);
    assert_true(outputs_limit(outputs, BERTH_RECORD_AUDIT, 200000));
    assert_true(outputs_batch_bytes(outputs) < 200000);
    assert_true(outputs_batch_bytes(outputs) > outputs->list[BERTH_RECORD_AUDIT].record_bytes_max);
    assert_true(outputs->list[BERTH_RECORD_RESULT].record_bytes_max > 800000);
    assert_true(outputs_limit(outputs, BERTH_RECORD_AUDIT, 1048588));
    assert_true(outputs_batch_bytes(outputs) > 1000000);
}

/* Some limits can't be read, others are the brokers' own. */
static void test_what_was_refused_counts_more_than_what_was_read(void **state) {
    struct outputs *outputs = *state;
    struct output *results = &outputs->list[BERTH_RECORD_RESULT];
    assert_false(outputs_limit(outputs, BERTH_RECORD_RESULT, -1));
    outputs_too_large(outputs, BERTH_RECORD_RESULT, 600000);
    assert_int_equal(results->message_bytes, 300000);
    assert_false(outputs_limit(outputs, BERTH_RECORD_RESULT, 1048588)); /* As it was read before. */
    assert_int_equal(results->message_bytes, 300000);
    assert_true(outputs_limit(outputs, BERTH_RECORD_RESULT, 500000));
    assert_int_equal(results->message_bytes, 500000);
    for (int i = 0; i < 20; i++) {
        outputs_too_large(outputs, BERTH_RECORD_RESULT, 400);
    }
    assert_true(results->record_bytes_max >= 65536);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_what_needs_an_output_that_refuses_is_to_blame),
        TEST(test_a_refusal_is_news_once_and_each_is_counted),
        TEST(test_the_pause_between_two_looks_grows_until_something_is_committed_there),
        TEST(test_batches_are_kept_below_what_each_topic_takes),
        TEST(test_what_was_refused_counts_more_than_what_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
