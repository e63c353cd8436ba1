/* SPDX-License-Identifier: Apache-2.0 */
#include "wall_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define DAY_MS INT64_C(86400000)

static void assert_time(int64_t time_ms, const char *expected) {
    char text[BERTH_WALL_TIME_BYTES];
    assert_true(berth_wall_time_text(time_ms, text));
    assert_string_equal(text, expected);
}

static void test_times_are_written_in_utc_with_milliseconds(void **state) {
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(-1, "1969-12-31T23:59:59.999Z");
    assert_time(1700000000123, "2023-11-14T22:13:20.123Z");
    assert_time(951827696789, "2000-02-29T12:34:56.789Z");
}

/* libc is the witness: every day from 1600 to 2400 has each of the calendar's special cases. */
static void test_every_day_of_eight_centuries_is_the_one_that_libc_says(void **state) {
    (void)state;
    for (int64_t day = -135140; day < 157054; day++) {
        time_t seconds = (time_t)(day * 86400);
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        char expected[64];
        (void)snprintf(expected, sizeof expected, "%04d-%02d-%02dT00:00:00.000Z",
                       parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
        assert_time(day * DAY_MS, expected);
    }
}

static void test_years_of_more_than_four_digits_are_not_written(void **state) {
    (void)state;
    char text[BERTH_WALL_TIME_BYTES];
    assert_time(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    assert_false(berth_wall_time_text(INT64_C(253402300800000), text));
    assert_time(INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z");
    assert_false(berth_wall_time_text(INT64_C(-62167219200001), text));
    assert_false(berth_wall_time_text(INT64_MAX, text));
    assert_false(berth_wall_time_text(INT64_MIN, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(test_every_day_of_eight_centuries_is_the_one_that_libc_says),
        cmocka_unit_test(test_years_of_more_than_four_digits_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
