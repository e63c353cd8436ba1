/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log's files share.
 */
#ifndef BERTH_LOG_PARTS_H
#define BERTH_LOG_PARTS_H

#include <stddef.h>

#include "berth/base/log.h"

/* One record as a line, its newline included; returns its length. */
size_t berth_log_make_line(char line[BERTH_LOG_LINE_BYTES_MAX], enum berth_log_level level,
                           const char *event, const char *format, ...) BERTH_PRINTF(4, 5);

#endif
