/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

#include "berth/base/assert.h"

static size_t end_of_character(const char *text, size_t len);

void text_init(struct text *text, char *data, size_t size) {
    BERTH_ASSERT(size > 0);
    *text = (struct text){.data = data, .size = size};
    data[0] = '\0';
}

size_t text_room(const struct text *text) {
    return text->cut ? 0 : text->size - 1 - text->len;
}

void text_add(struct text *text, const char *more) {
    text_add_bytes(text, more, strlen(more));
}

void text_add_bytes(struct text *text, const char *more, size_t len) {
    if (len > text_room(text)) {
        len = end_of_character(more, text_room(text));
        text->cut = true;
    }
    memcpy(text->data + text->len, more, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_add_short(struct text *text, const char *more, size_t bytes_max) {
    static const char dots[] = "...";
    BERTH_ASSERT(bytes_max > strlen(dots));
    if (strlen(more) <= bytes_max) {
        text_add(text, more);
        return;
    }
    text_add_bytes(text, more, end_of_character(more, bytes_max - strlen(dots)));
    text_add(text, dots);
}

void text_add_number(struct text *text, int64_t number) {
    char digits[TEXT_NUMBER_BYTES];
    text_add(text, text_number(number, digits));
}

void text_set(char *target, size_t size, ...) {
    struct text text;
    text_init(&text, target, size);
    va_list parts;
    va_start(parts, size);
    text_add_list(&text, parts);
    va_end(parts);
}

void text_add_list(struct text *text, va_list parts) {
    const char *part;
    while ((part = va_arg(parts, const char *)) != NULL) {
        text_add(text, part);
    }
}

const char *text_number(int64_t number, char target[TEXT_NUMBER_BYTES]) {
    /* Unsigned, because the least number has no positive counterpart. */
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char digits[TEXT_NUMBER_BYTES];
    size_t at = sizeof(digits);
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    memcpy(target, digits + at, sizeof(digits) - at);
    return target;
}

/* The most bytes of the text, up to len, that end with a whole character. */
static size_t end_of_character(const char *text, size_t len) {
    /* A continuation byte (10xxxxxx) behind the end: its character began before the end. */
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}
