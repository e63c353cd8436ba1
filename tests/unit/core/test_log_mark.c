/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/log_mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_same(const struct berth_log_mark *a, const struct berth_log_mark *b) {
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->offset, b->offset);
    assert_int_equal(a->timestamp_ms, b->timestamp_ms);
    assert_int_equal(a->checksum, b->checksum);
}

static void assert_comes_back(const struct berth_log_mark *mark) {
    char text[BERTH_LOG_MARK_TEXT_BYTES + 8];
    struct berth_log_mark read;
    const char *rest = NULL;
    berth_log_mark_write(mark, text);
    assert_true(berth_log_mark_read(text, &read, &rest));
    assert_same(mark, &read);
    assert_string_equal(rest, "");
    size_t len = strlen(text);
    (void)snprintf(text + len, sizeof(text) - len, " a map");
    assert_true(berth_log_mark_read(text, &read, &rest));
    assert_same(mark, &read);
    assert_string_equal(rest, "a map");
}

static void test_a_mark_comes_back_as_it_was_written_and_what_follows_it(void **state) {
    (void)state;
    assert_comes_back(&(struct berth_log_mark){.id = "abcDEF-_0123456789abcd",
                                               .offset = 41,
                                               .timestamp_ms = INT64_C(1800000000000),
                                               .checksum = UINT32_MAX});
    struct berth_log_mark none = berth_log_mark_none("");
    assert_comes_back(&none);
    none = berth_log_mark_none("an-id");
    assert_int_equal(none.offset, -1);
    assert_comes_back(&none);
}

/* The longest fits: it is what the room of a map is reckoned with. */
static void test_the_longest_mark_fits(void **state) {
    (void)state;
    assert_comes_back(&(struct berth_log_mark){.id = "abcDEF-_0123456789abcde",
                                               .offset = INT64_C(999999999999999999),
                                               .timestamp_ms = INT64_C(-99999999999999999),
                                               .checksum = UINT32_MAX});
}

/* Of an earlier version, of a tool, or damaged: then the text is what it was. */
static void test_what_is_no_mark_is_left_alone(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "QgFyAAAAAAAAAAkB",
        "L2:id:1:2:3",
        "L1:id:1:2",
        "L1:id:1:2:3x",
        "L1:id:-2:2:3",
        "L1:id:1:2:-3",
        "L1:id:1:2:4294967296",
        "L1:id::2:3",
        "L1:a-name-that-is-much-too-long:1:2:3",
        "L1:id:9999999999999999999:2:3",
        "omitted x 1",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct berth_log_mark mark = {.offset = 7};
        const char *rest = NULL;
        assert_false(berth_log_mark_read(texts[i], &mark, &rest));
        assert_ptr_equal(rest, texts[i]);
        assert_int_equal(mark.offset, 7);
    }
}

static void test_ids_are_the_same_or_others_only_when_both_are_known(void **state) {
    (void)state;
    assert_true(berth_log_same_id("one", "one"));
    assert_true(berth_log_other_id("one", "two"));
    assert_false(berth_log_same_id("", ""));
    assert_false(berth_log_same_id("one", "two"));
    assert_false(berth_log_other_id("one", "one"));
    assert_false(berth_log_other_id("", "one"));
    assert_false(berth_log_other_id("one", ""));
}

/* A record differs when its key or its value does, or when bytes move from the one to the other. */
static void test_a_checksum_tells_keys_and_values_apart(void **state) {
    (void)state;
    uint32_t checksum = berth_log_checksum("alpha/a", 7, "value", 5);
    assert_int_equal(berth_log_checksum("alpha/a", 7, "value", 5), checksum);
    assert_int_not_equal(berth_log_checksum("alpha/b", 7, "value", 5), checksum);
    assert_int_not_equal(berth_log_checksum("alpha/a", 7, "valus", 5), checksum);
    assert_int_not_equal(berth_log_checksum("alpha/av", 8, "alue", 4), checksum);
    assert_int_not_equal(berth_log_checksum(NULL, 0, "alpha/avalue", 12), checksum);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_comes_back_as_it_was_written_and_what_follows_it),
        cmocka_unit_test(test_the_longest_mark_fits),
        cmocka_unit_test(test_what_is_no_mark_is_left_alone),
        cmocka_unit_test(test_ids_are_the_same_or_others_only_when_both_are_known),
        cmocka_unit_test(test_a_checksum_tells_keys_and_values_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
