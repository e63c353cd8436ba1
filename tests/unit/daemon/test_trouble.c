/* SPDX-License-Identifier: Apache-2.0 */
/* What the log and /readyz say of brokers that can't be reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "trouble.h"

#define REFUSED "127.0.0.1:9092: Connection refused"
#define WRONG   "127.0.0.1:9092: invalid credentials"

/* Clients try again each second, and take turns in what they say. */
static void test_each_trouble_is_told_once_and_again_after_a_while(void **state) {
    (void)state;
    struct trouble trouble = {.newest = 0};
    assert_true(trouble_met(&trouble, REFUSED, 1000));
    assert_true(trouble_met(&trouble, WRONG, 1001));
    for (int64_t now_ms = 2000; now_ms < TROUBLE_AGAIN_MS; now_ms += 1000) {
        assert_false(trouble_met(&trouble, REFUSED, now_ms));
        assert_false(trouble_met(&trouble, WRONG, now_ms));
    }
    assert_true(trouble_met(&trouble, REFUSED, 1000 + TROUBLE_AGAIN_MS));
}

static void test_what_was_met_last_is_said_while_it_lasts(void **state) {
    (void)state;
    struct trouble trouble = {.newest = 0};
    assert_null(trouble_now(&trouble, 1000));
    (void)trouble_met(&trouble, REFUSED, 1000);
    (void)trouble_met(&trouble, WRONG, 2000);
    assert_string_equal(trouble_now(&trouble, 3000), WRONG);
    (void)trouble_met(&trouble, REFUSED, 4000);
    assert_string_equal(trouble_now(&trouble, 4000), REFUSED);
    assert_null(trouble_now(&trouble, 4000 + TROUBLE_OVER_MS));
}

static void test_after_an_answer_the_next_trouble_is_told_at_once(void **state) {
    (void)state;
    struct trouble trouble = {.newest = 0};
    (void)trouble_met(&trouble, REFUSED, 1000);
    trouble_over(&trouble);
    assert_null(trouble_now(&trouble, 1001));
    assert_true(trouble_met(&trouble, REFUSED, 1002));
}

/* A cluster of many brokers: bounded, and the newest is known. */
static void test_more_texts_than_are_kept_do_no_harm(void **state) {
    (void)state;
    struct trouble trouble = {.newest = 0};
    char text[64];
    for (int i = 0; i < 3 * TROUBLE_TEXTS; i++) {
        (void)snprintf(text, sizeof(text), "broker %d is down", i);
        assert_true(trouble_met(&trouble, text, 1000 + i));
        assert_string_equal(trouble_now(&trouble, 1000 + i), text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_trouble_is_told_once_and_again_after_a_while),
        cmocka_unit_test(test_what_was_met_last_is_said_while_it_lasts),
        cmocka_unit_test(test_after_an_answer_the_next_trouble_is_told_at_once),
        cmocka_unit_test(test_more_texts_than_are_kept_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
