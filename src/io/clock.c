/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/clock.h"

#include <time.h>

#include "berth/base/assert.h"

static int64_t read_ms(clockid_t clock);

int64_t berth_clock_monotonic_ms(void) {
    return read_ms(CLOCK_BOOTTIME);
}

int64_t berth_clock_wall_ms(void) {
    return read_ms(CLOCK_REALTIME);
}

static int64_t read_ms(clockid_t clock) {
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    BERTH_ASSERT(failed == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
