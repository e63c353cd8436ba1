/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for the stand-in.
 *
 * A stand-in that has no memory left can only answer wrongly, and a test would take the wrong
 * answer for Harbor's. So these functions never fail: they say so on standard error and abort.
 */
#ifndef BERTH_SANDBOX_MEMORY_H
#define BERTH_SANDBOX_MEMORY_H

#include <stddef.h>

/* Zeroed memory that the caller gives back with free(). */
void *berth_sandbox_alloc(size_t bytes);

/* Resizes an array to count elements of size bytes; what is new is not zeroed. May move it. */
void *berth_sandbox_resize(void *array, size_t count, size_t size);

/* A copy of text that the caller gives back with free(). */
char *berth_sandbox_copy(const char *text);

#endif
