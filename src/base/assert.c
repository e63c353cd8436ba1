/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void berth_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "berth: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
