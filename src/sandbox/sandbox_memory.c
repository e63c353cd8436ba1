/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory);

void *berth_sandbox_alloc(size_t bytes) {
    return need(calloc(1, bytes > 0 ? bytes : 1));
}

void *berth_sandbox_resize(void *array, size_t count, size_t size) {
    return need(reallocarray(array, count, size));
}

char *berth_sandbox_copy(const char *text) {
    return need(strdup(text));
}

static void *need(void *memory) {
    if (memory == NULL) {
        (void)fputs("berth-sandbox: out of memory\n", stderr);
        abort();
    }
    return memory;
}
