/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffer: bytes that grow up to a bound. The content is always followed by a NUL that is not
 * counted, so that text can be read as a C string.
 */
#ifndef BERTH_BASE_BUFFER_H
#define BERTH_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

/* A view of somebody else's bytes. */
struct berth_bytes {
    const uint8_t *data; /* NULL only when len is 0; NULL and "" differ for Kafka values. */
    size_t len;
};

struct berth_buffer {
    uint8_t *data; /* Owned; NULL until the first byte. */
    size_t len;
    size_t capacity;
    size_t limit; /* The most bytes it may hold. */
};

void berth_buffer_init(struct berth_buffer *buffer, size_t limit);
void berth_buffer_deinit(struct berth_buffer *buffer);

/* Empties it, keeping its memory. */
void berth_buffer_clear(struct berth_buffer *buffer);

/* Takes back what is beyond its first len bytes, of which there are so many (asserted). */
void berth_buffer_truncate(struct berth_buffer *buffer, size_t len);

/*
 * Appends.
 * BERTH_BUSY: the limit would be passed; nothing was appended.
 * BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_buffer_append(struct berth_buffer *buffer, const void *data,
                                                 size_t len);
BERTH_MUST_USE enum berth_rc berth_buffer_append_text(struct berth_buffer *buffer,
                                                      const char *text);
BERTH_MUST_USE enum berth_rc berth_buffer_printf(struct berth_buffer *buffer, const char *format,
                                                 ...) BERTH_PRINTF(2, 3);

/* A view of the content, valid until the next change. */
struct berth_bytes berth_buffer_view(const struct berth_buffer *buffer);

#endif
