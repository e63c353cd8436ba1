/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wall clock times as text. Not libc's gmtime(), which reads the machine's time zone file.
 */
#ifndef BERTH_SRC_CODEC_WALL_TIME_H
#define BERTH_SRC_CODEC_WALL_TIME_H

#include <stdbool.h>
#include <stdint.h>

#define BERTH_WALL_TIME_BYTES 25

/* Milliseconds since 1970 as RFC 3339 in UTC, such as 2026-11-22T03:04:05.678Z.
 * False: outside of the years 0 to 9999, which that format can't say; nothing is written. */
bool berth_wall_time_text(int64_t time_ms, char ret_text[BERTH_WALL_TIME_BYTES]);

#endif
