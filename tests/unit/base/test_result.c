/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/result.h"

static void test_an_error_text_is_formatted(void **state) {
    (void)state;
    struct berth_error error;
    berth_error_set(&error, "line %d: %s", 7, "unknown key");
    assert_string_equal(error.text, "line 7: unknown key");
}

static void test_a_text_that_is_too_long_is_cut(void **state) {
    (void)state;
    struct berth_error error;
    char text[2 * BERTH_ERROR_BYTES_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    berth_error_set(&error, "%s", text);
    assert_int_equal(strlen(error.text), BERTH_ERROR_BYTES_MAX - 1);
}

/* Whoever doesn't care for the words passes NULL. */
static void test_nobody_has_to_ask_for_the_text(void **state) {
    (void)state;
    berth_error_set(NULL, "%s", "nobody reads this");
}

static void test_every_value_has_its_name(void **state) {
    (void)state;
    assert_string_equal(berth_rc_name(BERTH_OK), "BERTH_OK");
    assert_string_equal(berth_rc_name(BERTH_BUSY), "BERTH_BUSY");
    assert_string_equal(berth_rc_name(BERTH_NOT_FOUND), "BERTH_NOT_FOUND");
    assert_string_equal(berth_rc_name(BERTH_INVALID), "BERTH_INVALID");
    assert_string_equal(berth_rc_name(BERTH_END), "BERTH_END");
    assert_string_equal(berth_rc_name(BERTH_FAULT_MEMORY), "BERTH_FAULT_MEMORY");
    assert_string_equal(berth_rc_name(BERTH_FAULT_SYSTEM), "BERTH_FAULT_SYSTEM");
    assert_string_equal(berth_rc_name(BERTH_FAULT_LIBRARY), "BERTH_FAULT_LIBRARY");
    assert_string_equal(berth_rc_name(BERTH_FAULT_PROTOCOL), "BERTH_FAULT_PROTOCOL");
    assert_string_equal(berth_rc_name(BERTH_FAULT_UNREACHABLE), "BERTH_FAULT_UNREACHABLE");
    assert_string_equal(berth_rc_name((enum berth_rc)99), "BERTH_RC_UNKNOWN");
}

/* The sign tells what kind of thing it is (style.md). */
static void test_outcomes_are_positive_and_faults_negative(void **state) {
    (void)state;
    assert_int_equal(BERTH_OK, 0);
    assert_true(BERTH_BUSY > 0 && BERTH_NOT_FOUND > 0 && BERTH_INVALID > 0 && BERTH_END > 0);
    assert_true(BERTH_FAULT_MEMORY < 0 && BERTH_FAULT_SYSTEM < 0 && BERTH_FAULT_LIBRARY < 0 &&
                BERTH_FAULT_PROTOCOL < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_text_is_formatted),
        cmocka_unit_test(test_a_text_that_is_too_long_is_cut),
        cmocka_unit_test(test_nobody_has_to_ask_for_the_text),
        cmocka_unit_test(test_every_value_has_its_name),
        cmocka_unit_test(test_outcomes_are_positive_and_faults_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
