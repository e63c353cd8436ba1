/* SPDX-License-Identifier: Apache-2.0 */
/* When the publisher's thread is given up (design 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "publisher_watch.h"

static void tick(struct publisher_watch *watch, int times, bool busy, uint64_t steps) {
    for (int i = 0; i < times; i++) {
        publisher_watch_tick(watch, busy, steps);
    }
}

static void test_a_call_that_does_not_come_back_is_given_up_at_the_bound(void **state) {
    (void)state;
    struct publisher_watch watch = {0};
    tick(&watch, PUBLISHER_WATCH_STUCK_TICKS, true, 7); /* The first tick sees it at step 7. */
    assert_false(publisher_watch_stuck(&watch));
    tick(&watch, 1, true, 7);
    assert_true(publisher_watch_stuck(&watch));
}

/* Kafka is away for hours: each try is a step. */
static void test_a_thread_that_tries_again_and_again_is_not_stuck(void **state) {
    (void)state;
    struct publisher_watch watch = {0};
    for (uint64_t step = 0; step < 10000; step++) {
        tick(&watch, 2, true, step);
        assert_false(publisher_watch_stuck(&watch));
    }
}

static void test_a_thread_without_a_batch_may_wait_for_ever(void **state) {
    (void)state;
    struct publisher_watch watch = {0};
    tick(&watch, 2 * PUBLISHER_WATCH_STUCK_TICKS, false, 7);
    assert_false(publisher_watch_stuck(&watch));
    /* What it waited for doesn't count when there is a batch. */
    tick(&watch, PUBLISHER_WATCH_STUCK_TICKS - 1, true, 7);
    assert_false(publisher_watch_stuck(&watch));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_that_does_not_come_back_is_given_up_at_the_bound),
        cmocka_unit_test(test_a_thread_that_tries_again_and_again_is_not_stuck),
        cmocka_unit_test(test_a_thread_without_a_batch_may_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
