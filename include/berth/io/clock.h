/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. The loop reads each once a turn and hands the time on; only an adapter that must
 * know the time at one exact moment asks again.
 */
#ifndef BERTH_IO_CLOCK_H
#define BERTH_IO_CLOCK_H

#include <stdint.h>

/*
 * Milliseconds of CLOCK_BOOTTIME: never goes back, and goes on while the machine is suspended, so
 * that a lease ends for its holder when it ends for everybody else (design 4.7). The same for every
 * process of one machine; never compared between machines.
 */
int64_t berth_clock_monotonic_ms(void);

/* Milliseconds since 1970, as the machine believes (CLOCK_REALTIME): for what people and other
 * machines read, never for measuring. */
int64_t berth_clock_wall_ms(void);

#endif
