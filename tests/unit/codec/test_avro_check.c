/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes made by hand, one broken rule each, and the bytes next to them that break none.
 */
#include "avro_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STRINGS "{\"type\":\"array\",\"items\":\"string\"}"
#define NULLS   "{\"type\":\"array\",\"items\":\"null\"}"
#define ENUM    "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"

static enum berth_rc check(const char *schema_text, const char *bytes, size_t len,
                           struct berth_error *reterr) {
    struct berth_schema schema;
    assert_int_equal(berth_schema_init(&schema, schema_text, strlen(schema_text), reterr),
                     BERTH_OK);
    /* A copy of exact size, so that asan sees each byte read beyond it. */
    uint8_t *body = malloc(len == 0 ? 1 : len);
    assert_non_null(body);
    memcpy(body, bytes, len);
    enum berth_rc rc =
        berth_avro_check(schema.root, (struct berth_bytes){.data = body, .len = len}, reterr);
    free(body);
    berth_schema_deinit(&schema);
    return rc;
}

static void assert_fine_bytes(const char *schema_text, const char *bytes, size_t len) {
    struct berth_error error = {{0}};
    if (check(schema_text, bytes, len, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
}

static void assert_refused_bytes(const char *schema_text, const char *bytes, size_t len,
                                 const char *why) {
    struct berth_error error = {{0}};
    assert_int_equal(check(schema_text, bytes, len, &error), BERTH_INVALID);
    if (strstr(error.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    }
}

/* With string literals, whose own NUL isn't meant. */
#define assert_fine(schema, literal) assert_fine_bytes(schema, literal, sizeof(literal) - 1)
#define assert_refused(schema, literal, why)                                                       \
    assert_refused_bytes(schema, literal, sizeof(literal) - 1, why)

/* avro-c 1.11 allocates what is declared here, and never gives it back. */
static void test_six_bytes_that_declare_a_gigabyte_are_refused(void **state) {
    (void)state;
    assert_refused("\"string\"", "\x80\x80\x80\x80\x08x", "a length runs past the end");
    assert_refused("\"bytes\"", "\x80\x80\x80\x80\x08x", "a length runs past the end");
}

static void test_lengths_end_where_the_bytes_end(void **state) {
    (void)state;
    assert_fine("\"string\"", "\x06"
                              "abc");
    assert_refused("\"string\"",
                   "\x08"
                   "abc",
                   "a length runs past the end");
    assert_fine("\"bytes\"", "\x04\xff\xff");
    assert_refused("\"bytes\"", "\x06\xff\xff", "a length runs past the end");
    assert_refused("\"string\"", "\x01", "a length is negative");
    assert_refused("\"bytes\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a length is negative");
    assert_refused("\"string\"", "", "ends within a number");
}

static void test_numbers_have_ten_bytes_at_most(void **state) {
    (void)state;
    assert_fine("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_fine("\"long\"", "\x80\x00");
    assert_refused("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "more than 64 bits");
    assert_refused("\"long\"", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "more than 64 bits");
    assert_refused("\"long\"", "\x80\x80", "ends within a number");
}

static void test_an_int_has_32_bits(void **state) {
    (void)state;
    assert_fine("\"int\"", "\xfe\xff\xff\xff\x0f");
    assert_fine("\"int\"", "\xff\xff\xff\xff\x0f");
    assert_refused("\"int\"", "\x80\x80\x80\x80\x10", "an int has more than 32 bits");
    assert_refused("\"int\"", "\x81\x80\x80\x80\x10", "an int has more than 32 bits");
}

static void test_a_boolean_is_0_or_1(void **state) {
    (void)state;
    assert_fine("\"boolean\"", "\x00");
    assert_fine("\"boolean\"", "\x01");
    assert_refused("\"boolean\"", "\x02", "a boolean is neither 0 nor 1");
    assert_refused("\"boolean\"", "", "ends within a value");
}

static void test_values_of_fixed_size_are_whole(void **state) {
    (void)state;
    assert_fine("\"float\"", "1234");
    assert_refused("\"float\"", "123", "ends within a value");
    assert_fine("\"double\"", "12345678");
    assert_refused("\"double\"", "1234567", "ends within a value");
    assert_fine("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "123");
    assert_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", "12", "ends within a value");
}

static void test_text_is_utf8(void **state) {
    (void)state;
    assert_fine("\"string\"", "\x06\xe2\x80\xa6");
    assert_refused("\"string\"", "\x04\xe2\x80", "text is not UTF-8");
    assert_refused("\"string\"", "\x02\xff", "text is not UTF-8");
    assert_refused("{\"type\":\"map\",\"values\":\"null\"}", "\x02\x02\xff\x00",
                   "text is not UTF-8");
}

/* avro-c takes any number, and has no symbol for it afterwards. */
static void test_an_enum_has_a_symbol_and_a_union_a_branch(void **state) {
    (void)state;
    assert_fine(ENUM, "\x02");
    assert_refused(ENUM, "\x04", "an enum's number has no symbol");
    assert_refused(ENUM, "\x01", "an enum's number has no symbol");
    assert_fine("[\"null\",\"int\"]", "\x02\x0e");
    assert_refused("[\"null\",\"int\"]", "\x04\x0e", "a union's number has no branch");
    assert_refused("[\"null\",\"int\"]", "\x01", "a union's number has no branch");
}

static void test_blocks_are_followed_to_their_end(void **state) {
    (void)state;
    assert_fine(STRINGS, "\x00");
    assert_fine(STRINGS, "\x04\x02"
                         "a\x02"
                         "b\x02\x02"
                         "c\x00");
    assert_fine("{\"type\":\"map\",\"values\":\"int\"}", "\x02\x02k\x0e\x00");
    assert_refused(STRINGS,
                   "\x04\x02"
                   "a\x02"
                   "b",
                   "ends within a number");
    assert_refused(STRINGS,
                   "\x04\x02"
                   "a",
                   "ends within a number");
    assert_refused("{\"type\":\"map\",\"values\":\"int\"}", "\x02\x02k", "ends within a number");
}

/* A block may say its size in bytes, so that it can be skipped: avro-c believes it, we compare. */
static void test_a_blocks_size_in_bytes_is_true(void **state) {
    (void)state;
    assert_fine(STRINGS, "\x01\x04\x02"
                         "a\x00");
    assert_refused(STRINGS,
                   "\x01\x02\x02"
                   "a\x00",
                   "size in bytes is wrong");
    assert_refused(STRINGS,
                   "\x01\x06\x02"
                   "a\x00",
                   "size in bytes is wrong");
    assert_refused(STRINGS,
                   "\x01\x7e\x02"
                   "a\x00",
                   "a length runs past the end");
    assert_refused(STRINGS,
                   "\x01\x01\x02"
                   "a\x00",
                   "a length is negative");
}

/* Items without bytes: nothing but a count of values stands between nine bytes and 2^62 items. */
static void test_items_without_bytes_are_counted(void **state) {
    (void)state;
    assert_fine(NULLS, "\x80\x01\x00");
    assert_refused(NULLS, "\xfe\xff\xff\xff\xff\xff\xff\xff\x7f\x00", "too many values");
    assert_refused(NULLS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "too many values");
    /* 16,384 at a time: the second block passes the limit, together with the array itself. */
    assert_refused(NULLS, "\x80\x80\x02\x80\x80\x02\x00", "too many values");
}

static void test_a_recursive_value_has_an_end(void **state) {
    (void)state;
    static const char list[] = "{\"type\":\"record\",\"name\":\"L\",\"fields\":["
                               "{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}";
    /* Each element is a record in a union: with the null at its end, 2k + 3 values deep. */
    enum { DEEPEST = (BERTH_SCHEMA_DEPTH_MAX - 3) / 2 };
    char bytes[DEEPEST + 2];
    memset(bytes, 2, sizeof bytes);
    bytes[DEEPEST] = 0;
    assert_fine_bytes(list, bytes, DEEPEST + 1);
    bytes[DEEPEST] = 2;
    bytes[DEEPEST + 1] = 0;
    assert_refused_bytes(list, bytes, DEEPEST + 2, "nested too deeply");
    /* A record that holds itself has no bytes at all, and no end. */
    assert_refused(
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"},"
        "{\"name\":\"s\",\"type\":\"R\"}]}",
        "", "nested too deeply");
}

static void test_nothing_follows_the_record(void **state) {
    (void)state;
    assert_fine("\"null\"", "");
    assert_refused("\"null\"", "\x00", "more bytes follow");
    assert_refused("\"string\"",
                   "\x02"
                   "ab",
                   "more bytes follow");
}

/* What a producer's developer needs: which field, and where. */
static void test_a_refusal_names_the_field_and_the_byte(void **state) {
    (void)state;
    assert_refused("{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                   "{\"name\":\"first\",\"type\":\"string\"},"
                   "{\"name\":\"second\",\"type\":\"boolean\"}]}",
                   "\x02"
                   "a\x07",
                   "byte 2 (field second): a boolean is neither 0 nor 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_six_bytes_that_declare_a_gigabyte_are_refused),
        cmocka_unit_test(test_lengths_end_where_the_bytes_end),
        cmocka_unit_test(test_numbers_have_ten_bytes_at_most),
        cmocka_unit_test(test_an_int_has_32_bits),
        cmocka_unit_test(test_a_boolean_is_0_or_1),
        cmocka_unit_test(test_values_of_fixed_size_are_whole),
        cmocka_unit_test(test_text_is_utf8),
        cmocka_unit_test(test_an_enum_has_a_symbol_and_a_union_a_branch),
        cmocka_unit_test(test_blocks_are_followed_to_their_end),
        cmocka_unit_test(test_a_blocks_size_in_bytes_is_true),
        cmocka_unit_test(test_items_without_bytes_are_counted),
        cmocka_unit_test(test_a_recursive_value_has_an_end),
        cmocka_unit_test(test_nothing_follows_the_record),
        cmocka_unit_test(test_a_refusal_names_the_field_and_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
