/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/buffer.h"

static void test_what_is_appended_can_be_read_as_text(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 100);
    assert_int_equal(berth_buffer_append_text(&buffer, "a space"), BERTH_OK);
    assert_int_equal(berth_buffer_append(&buffer, "!?", 1), BERTH_OK);
    assert_int_equal(berth_buffer_printf(&buffer, " %d", 123), BERTH_OK);
    assert_string_equal((const char *)buffer.data, "a space! 123");
    struct berth_bytes view = berth_buffer_view(&buffer);
    assert_int_equal(view.len, 12);
    assert_ptr_equal(view.data, buffer.data);
    berth_buffer_deinit(&buffer);
}

static void test_bytes_may_be_any(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 100);
    assert_int_equal(berth_buffer_append(&buffer, "a\0b", 3), BERTH_OK);
    assert_int_equal(buffer.len, 3);
    assert_memory_equal(buffer.data, "a\0b", 4);
    berth_buffer_deinit(&buffer);
}

/* The NUL behind the content doesn't count. */
static void test_a_buffer_holds_exactly_its_limit(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 8);
    assert_int_equal(berth_buffer_append_text(&buffer, "12345678"), BERTH_OK);
    assert_int_equal(berth_buffer_append(&buffer, "9", 1), BERTH_BUSY);
    assert_int_equal(berth_buffer_append(&buffer, "", 0), BERTH_OK);
    berth_buffer_deinit(&buffer);
}

/* All or nothing: half a line is worse than none. */
static void test_what_does_not_fit_changes_nothing(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 8);
    assert_int_equal(berth_buffer_append_text(&buffer, "123456"), BERTH_OK);
    assert_int_equal(berth_buffer_append_text(&buffer, "789"), BERTH_BUSY);
    assert_int_equal(berth_buffer_printf(&buffer, "%s", "789"), BERTH_BUSY);
    assert_string_equal((const char *)buffer.data, "123456");
    assert_int_equal(berth_buffer_printf(&buffer, "%d", 78), BERTH_OK);
    assert_string_equal((const char *)buffer.data, "12345678");
    berth_buffer_deinit(&buffer);
}

static void test_it_grows_far_beyond_its_first_size(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 100000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(berth_buffer_printf(&buffer, "%04d", i), BERTH_OK);
    }
    assert_int_equal(buffer.len, 40000);
    assert_memory_equal(buffer.data + 39996, "9999", 5);
    berth_buffer_deinit(&buffer);
}

static void test_clearing_empties_it_and_keeps_its_memory(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 100);
    berth_buffer_clear(&buffer); /* Nothing was ever in it: fine. */
    assert_int_equal(berth_buffer_append_text(&buffer, "old"), BERTH_OK);
    const uint8_t *memory = buffer.data;
    berth_buffer_clear(&buffer);
    assert_int_equal(buffer.len, 0);
    assert_string_equal((const char *)buffer.data, "");
    assert_int_equal(berth_buffer_append_text(&buffer, "new"), BERTH_OK);
    assert_ptr_equal(buffer.data, memory);
    berth_buffer_deinit(&buffer);
    berth_buffer_deinit(&buffer); /* Twice is fine. */
    assert_null(berth_buffer_view(&buffer).data);
}

static void test_truncating_takes_back_the_end(void **state) {
    (void)state;
    struct berth_buffer buffer;
    berth_buffer_init(&buffer, 100);
    berth_buffer_truncate(&buffer, 0); /* Nothing was ever in it: fine. */
    assert_int_equal(berth_buffer_append_text(&buffer, "kept and not"), BERTH_OK);
    berth_buffer_truncate(&buffer, 4);
    assert_string_equal((const char *)buffer.data, "kept");
    assert_int_equal(berth_buffer_append_text(&buffer, "!"), BERTH_OK);
    assert_string_equal((const char *)buffer.data, "kept!");
    berth_buffer_deinit(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_appended_can_be_read_as_text),
        cmocka_unit_test(test_bytes_may_be_any),
        cmocka_unit_test(test_a_buffer_holds_exactly_its_limit),
        cmocka_unit_test(test_what_does_not_fit_changes_nothing),
        cmocka_unit_test(test_it_grows_far_beyond_its_first_size),
        cmocka_unit_test(test_clearing_empties_it_and_keeps_its_memory),
        cmocka_unit_test(test_truncating_takes_back_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
