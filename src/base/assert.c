/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#include "berth/base/log_writer.h"

/* For the last lines of the log, which tell what led here, to be written. */
#define LAST_WORDS_MS 1000
#define TEXT_BYTES    1024

_Noreturn void berth_assert_failed(const char *condition, const char *file, int line) {
    char text[TEXT_BYTES];
    int len =
        snprintf(text, sizeof(text), "berth: %s:%d: assertion failed: %s\n", file, line, condition);
    if (len > 0) {
        berth_log_write(text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
    }
    berth_log_writer_stop(LAST_WORDS_MS);
    abort();
}
