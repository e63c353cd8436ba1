/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of bounded size: writing messages and details. What does not fit is cut at the end of a
 * character, so that UTF-8 stays UTF-8. The core is kept free of stdio, whose formatting depends on
 * the process's locale.
 */
#ifndef BERTH_CORE_TEXT_H
#define BERTH_CORE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "-9223372036854775808" and the NUL. */
#define TEXT_NUMBER_BYTES 21

struct text {
    char *data; /* Borrowed; always ends with a NUL. */
    size_t size;
    size_t len;
    bool cut; /* Something did not fit; nothing more is taken. */
};

/* Starts an empty text in data[size]; size > 0. */
void text_init(struct text *text, char *data, size_t size);
void text_add(struct text *text, const char *more);
/* The first len bytes of more, which is longer or ends in a NUL there. */
void text_add_bytes(struct text *text, const char *more, size_t len);
void text_add_number(struct text *text, int64_t number);

/* Adds the strings of the list, up to a NULL. */
void text_add_list(struct text *text, va_list parts);

/* Adds at most bytes_max bytes of more, the last three of them "..." when it is longer. */
void text_add_short(struct text *text, const char *more, size_t bytes_max);

/* Room that is left, without the NUL. */
size_t text_room(const struct text *text);

/* Sets target[size] to the concatenation of the strings that follow, up to a NULL. */
void text_set(char *target, size_t size, ...) __attribute__((sentinel));

/* The number in decimal; returns target. */
const char *text_number(int64_t number, char target[TEXT_NUMBER_BYTES]);

#endif
