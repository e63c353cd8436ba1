/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log: one line a record, to standard error.
 *
 * A record is an event name, then key=value pairs: `command.settled command_id=... offset=...`; a
 * value that may hold blanks is written between double quotes by the caller's format. Control
 * characters and bytes outside UTF-8 are written as \xNN, and a line is cut at
 * BERTH_LOG_LINE_BYTES_MAX, so that nothing from outside can forge or flood a line.
 * A failure is logged once, by the layer that decides what to do about it. Core and codec never
 * log. Bodies and secrets are never logged.
 */
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include <stdbool.h>

#include "berth/base/result.h"

#define BERTH_LOG_LINE_BYTES_MAX 2048

enum berth_log_level {
    BERTH_LOG_ERROR,   /* Somebody has to do something. */
    BERTH_LOG_WARNING, /* It goes on, but not as it should. */
    BERTH_LOG_INFO,    /* What an operator wants to see of a healthy worker. */
    BERTH_LOG_DEBUG,   /* What a developer wants to see. */
};

/* Which levels are written (this one and those above), and whether each line starts with the
 * journal's priority prefix ("<6>"; sd-daemon(3)) instead of time and level. */
void berth_log_setup(enum berth_log_level level, bool journal_prefix);

bool berth_log_enabled(enum berth_log_level level);

void berth_log(enum berth_log_level level, const char *event, const char *format, ...)
    BERTH_PRINTF(3, 4);

#endif
