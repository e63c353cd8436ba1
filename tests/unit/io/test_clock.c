/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* Leases are counted on it: it must be the clock that goes on while the machine is suspended. */
static void test_the_monotonic_clock_is_the_time_since_boot(void **state) {
    (void)state;
    int64_t before_ms = berth_clock_monotonic_ms();
    int64_t after_ms = berth_clock_monotonic_ms();
    assert_true(before_ms <= after_ms);
    struct timespec since_boot;
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &since_boot), 0);
    int64_t expected_ms = (int64_t)since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1000000;
    assert_in_range(expected_ms - after_ms, 0, 10000);
}

static void test_the_wall_clock_counts_milliseconds_since_1970(void **state) {
    (void)state;
    time_t before = time(NULL);
    int64_t now_ms = berth_clock_wall_ms();
    time_t after = time(NULL);
    /* time() may lag behind by a tick. */
    assert_in_range(now_ms, (int64_t)before * 1000, ((int64_t)after + 1) * 1000 + 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_monotonic_clock_is_the_time_since_boot),
        cmocka_unit_test(test_the_wall_clock_counts_milliseconds_since_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
