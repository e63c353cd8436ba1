/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES 1024

/* Set once at start. A pointer, so that whoever asserts needn't know of a log, nor of threads. */
static berth_last_words_fn *say_last_words = NULL;

void berth_assert_say_with(berth_last_words_fn *fn) {
    say_last_words = fn;
}

_Noreturn void berth_assert_failed(const char *condition, const char *file, int line) {
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "berth: %s:%d: assertion failed: %s\n", file, line,
                   condition);
    if (say_last_words != NULL) {
        say_last_words(text);
    } else {
        (void)fputs(text, stderr);
    }
    abort();
}
