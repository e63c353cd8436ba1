/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define valid_len(literal) berth_utf8_valid_len(literal, sizeof(literal) - 1)

static void test_whole_characters_of_every_length_are_valid(void **state) {
    (void)state;
    assert_int_equal(valid_len("a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"), 12);
    assert_int_equal(valid_len("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 8);
    assert_int_equal(valid_len("a\0b"), 3);
}

/* RFC 3629: each of these has been used to smuggle something past a check. */
static void test_what_rfc_3629_forbids_is_invalid(void **state) {
    (void)state;
    assert_int_equal(valid_len("a\x80"), 1);            /* A continuation alone. */
    assert_int_equal(valid_len("\xc0\xaf"), 0);         /* Overlong '/'. */
    assert_int_equal(valid_len("\xc1\xbf"), 0);         /* Overlong. */
    assert_int_equal(valid_len("\xe0\x9f\xbf"), 0);     /* Overlong. */
    assert_int_equal(valid_len("\xf0\x8f\xbf\xbf"), 0); /* Overlong. */
    assert_int_equal(valid_len("\xed\xa0\x80"), 0);     /* A surrogate. */
    assert_int_equal(valid_len("\xf4\x90\x80\x80"), 0); /* Above U+10FFFF. */
    assert_int_equal(valid_len("\xf5\x80\x80\x80"), 0); /* Above U+10FFFF. */
    assert_int_equal(valid_len("\xe2\x82"
                               "a"),
                     0); /* Broken off by a letter. */
    assert_int_equal(valid_len("\xf0\x90\x80"
                               "a"),
                     0); /* Likewise. */
}

static void test_a_character_cut_off_at_the_end_is_invalid(void **state) {
    (void)state;
    assert_int_equal(valid_len("ab\xe2\x80"), 2);
    assert_int_equal(valid_len("ab\xc2"), 2);
    assert_int_equal(valid_len("ab\xf0\x90\x80"), 2);
}

static void test_control_characters_are_found(void **state) {
    (void)state;
    assert_true(berth_utf8_has_control("a\0b", 3));
    assert_true(berth_utf8_has_control("a\nb", 3));
    assert_true(berth_utf8_has_control("a\x7f", 2));
    assert_true(berth_utf8_has_control("\xc2\x85", 2)); /* U+0085, next line. */
    assert_false(berth_utf8_has_control("a b~", 4));
    assert_false(berth_utf8_has_control("\xc2\xa0", 2)); /* U+00A0 is none. */
    assert_false(berth_utf8_has_control("\xe2\x80\xa6", 3));
    /* U+4080: its bytes look like a control character's, behind another first byte. */
    assert_false(berth_utf8_has_control("\xe4\x82\x80", 3));
}

static void test_a_clean_copy_is_valid_and_has_no_control_characters(void **state) {
    (void)state;
    char text[32];
    berth_utf8_copy_clean("a\nb\xff\xe2\x80\xa6\xc2\x85", 9, text, sizeof text);
    assert_string_equal(text, "a?b?\xe2\x80\xa6?");
}

static void test_a_copy_is_cut_between_two_characters(void **state) {
    (void)state;
    char text[6];
    berth_utf8_copy_clean("abc\xe2\x80\xa6", 6, text, sizeof text);
    assert_string_equal(text, "abc");
    berth_utf8_copy_clean("ab\xe2\x80\xa6"
                          "d",
                          6, text, sizeof text);
    assert_string_equal(text, "ab\xe2\x80\xa6");
    berth_utf8_copy_clean("abcde", 5, text, sizeof text);
    assert_string_equal(text, "abcde");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_characters_of_every_length_are_valid),
        cmocka_unit_test(test_what_rfc_3629_forbids_is_invalid),
        cmocka_unit_test(test_a_character_cut_off_at_the_end_is_invalid),
        cmocka_unit_test(test_control_characters_are_found),
        cmocka_unit_test(test_a_clean_copy_is_valid_and_has_no_control_characters),
        cmocka_unit_test(test_a_copy_is_cut_between_two_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
