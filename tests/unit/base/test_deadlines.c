/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "berth/base/deadlines.h"
#include "berth/base/pool.h"
#include "berth/base/random.h"

#define MANY 200

struct fixture {
    struct berth_pool pool;
    struct berth_deadlines deadlines;
    struct berth_deadline nodes[MANY];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    berth_pool_init(&fixture->pool, 1 << 20);
    berth_deadlines_init(&fixture->deadlines, &fixture->pool, MANY);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    berth_deadlines_deinit(&fixture->deadlines);
    berth_pool_deinit(&fixture->pool);
    free(fixture);
    return 0;
}

static void test_nothing_is_due_in_an_empty_heap(void **state) {
    struct fixture *fixture = *state;
    assert_null(berth_deadlines_pop(&fixture->deadlines, INT64_MAX));
    assert_true(berth_deadlines_next_ms(&fixture->deadlines) == INT64_MAX);
}

static void test_deadlines_come_earliest_first_and_not_before_their_time(void **state) {
    struct fixture *fixture = *state;
    struct berth_deadline *nodes = fixture->nodes;
    berth_deadlines_arm(&fixture->deadlines, &nodes[0], 30);
    berth_deadlines_arm(&fixture->deadlines, &nodes[1], 10);
    berth_deadlines_arm(&fixture->deadlines, &nodes[2], 20);
    assert_int_equal(berth_deadlines_next_ms(&fixture->deadlines), 10);
    assert_null(berth_deadlines_pop(&fixture->deadlines, 9));
    assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 20), &nodes[1]);
    assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 20), &nodes[2]);
    assert_null(berth_deadlines_pop(&fixture->deadlines, 20));
    assert_false(berth_deadline_armed(&nodes[1]));
    assert_true(berth_deadline_armed(&nodes[0]));
}

/* The simulator relies on it: the same events in the same order give the same run. */
static void test_equal_times_come_in_the_order_of_arming(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < MANY; i++) {
        berth_deadlines_arm(&fixture->deadlines, &fixture->nodes[i], 5);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 5), &fixture->nodes[i]);
    }
}

/* Armed again it is the last of its time, as if it were new. */
static void test_arming_again_moves_a_deadline(void **state) {
    struct fixture *fixture = *state;
    struct berth_deadline *nodes = fixture->nodes;
    berth_deadlines_arm(&fixture->deadlines, &nodes[0], 5);
    berth_deadlines_arm(&fixture->deadlines, &nodes[1], 5);
    berth_deadlines_arm(&fixture->deadlines, &nodes[0], 5);
    assert_int_equal(fixture->deadlines.count, 2);
    assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 5), &nodes[1]);
    assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 5), &nodes[0]);
}

static void test_a_cancelled_deadline_never_comes(void **state) {
    struct fixture *fixture = *state;
    struct berth_deadline *nodes = fixture->nodes;
    berth_deadlines_cancel(&fixture->deadlines, &nodes[0]); /* Not armed: fine. */
    berth_deadlines_arm(&fixture->deadlines, &nodes[0], 1);
    berth_deadlines_arm(&fixture->deadlines, &nodes[1], 2);
    berth_deadlines_cancel(&fixture->deadlines, &nodes[0]);
    assert_false(berth_deadline_armed(&nodes[0]));
    assert_ptr_equal(berth_deadlines_pop(&fixture->deadlines, 9), &nodes[1]);
    assert_null(berth_deadlines_pop(&fixture->deadlines, 9));
}

/* Taking one out of the middle leaves the others in order, whichever place it had. */
static void test_the_order_survives_arming_moving_and_cancelling_at_random(void **state) {
    struct fixture *fixture = *state;
    struct berth_random random;
    berth_random_init(&random, 7);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < MANY; i++) {
            size_t which = (size_t)berth_random_below(&random, MANY);
            if (berth_random_below(&random, 4) == 0) {
                berth_deadlines_cancel(&fixture->deadlines, &fixture->nodes[which]);
            } else {
                berth_deadlines_arm(&fixture->deadlines, &fixture->nodes[which],
                                    berth_random_below(&random, 50));
            }
        }
        size_t armed = 0;
        for (size_t i = 0; i < MANY; i++) {
            armed += berth_deadline_armed(&fixture->nodes[i]);
        }
        assert_int_equal(fixture->deadlines.count, armed);
        int64_t last_ms = -1;
        uint64_t last_order = 0;
        for (size_t i = 0; i < armed; i++) {
            struct berth_deadline *due = berth_deadlines_pop(&fixture->deadlines, INT64_MAX);
            assert_non_null(due);
            assert_true(due->at_ms > last_ms || (due->at_ms == last_ms && due->order > last_order));
            last_ms = due->at_ms;
            last_order = due->order;
        }
        assert_null(berth_deadlines_pop(&fixture->deadlines, INT64_MAX));
    }
}

#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HEAP(test_nothing_is_due_in_an_empty_heap),
        WITH_HEAP(test_deadlines_come_earliest_first_and_not_before_their_time),
        WITH_HEAP(test_equal_times_come_in_the_order_of_arming),
        WITH_HEAP(test_arming_again_moves_a_deadline),
        WITH_HEAP(test_a_cancelled_deadline_never_comes),
        WITH_HEAP(test_the_order_survives_arming_moving_and_cancelling_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
