/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

static enum berth_rc make_room(struct berth_buffer *buffer, size_t more);

void berth_buffer_init(struct berth_buffer *buffer, size_t limit) {
    *buffer = (struct berth_buffer){.limit = limit};
}

void berth_buffer_deinit(struct berth_buffer *buffer) {
    free(buffer->data);
    *buffer = (struct berth_buffer){.limit = buffer->limit};
}

void berth_buffer_clear(struct berth_buffer *buffer) {
    buffer->len = 0;
    if (buffer->data != NULL) {
        buffer->data[0] = 0;
    }
}

void berth_buffer_truncate(struct berth_buffer *buffer, size_t len) {
    BERTH_ASSERT(len <= buffer->len);
    buffer->len = len;
    if (buffer->data != NULL) {
        buffer->data[len] = 0;
    }
}

enum berth_rc berth_buffer_append(struct berth_buffer *buffer, const void *data, size_t len) {
    enum berth_rc rc = make_room(buffer, len);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (len > 0) {
        memcpy(buffer->data + buffer->len, data, len);
    }
    buffer->len += len;
    buffer->data[buffer->len] = 0;
    return BERTH_OK;
}

enum berth_rc berth_buffer_append_text(struct berth_buffer *buffer, const char *text) {
    return berth_buffer_append(buffer, text, strlen(text));
}

enum berth_rc berth_buffer_printf(struct berth_buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    BERTH_ASSERT(needed >= 0);

    enum berth_rc rc = make_room(buffer, (size_t)needed);
    if (rc != BERTH_OK) {
        return rc;
    }
    va_start(arguments, format);
    (void)vsnprintf((char *)buffer->data + buffer->len, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    buffer->len += (size_t)needed;
    return BERTH_OK;
}

struct berth_bytes berth_buffer_view(const struct berth_buffer *buffer) {
    return (struct berth_bytes){.data = buffer->data, .len = buffer->len};
}

/* Room for more bytes and the NUL behind them. */
static enum berth_rc make_room(struct berth_buffer *buffer, size_t more) {
    BERTH_ASSERT(buffer->len <= buffer->limit);
    if (more > buffer->limit - buffer->len) {
        return BERTH_BUSY;
    }
    size_t needed = buffer->len + more + 1;
    if (needed <= buffer->capacity) {
        return BERTH_OK;
    }
    size_t capacity = buffer->capacity == 0 ? 64 : buffer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return BERTH_OK;
}
