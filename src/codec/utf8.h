/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, nothing above U+10FFFF.
 */
#ifndef BERTH_SRC_CODEC_UTF8_H
#define BERTH_SRC_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes at the start that are whole, valid characters: len if all is valid. Control characters
 * are valid, NUL too. */
size_t berth_utf8_valid_len(const void *text, size_t len);

/* Whether valid UTF-8 holds a control character: below U+0020, U+007F, U+0080 to U+009F. */
bool berth_utf8_has_control(const void *text, size_t len);

/*
 * Copies text into a field of ret_bytes bytes so that it is valid UTF-8 without control characters
 * and ends with a NUL: each bad byte becomes '?', and what is too long is cut between two
 * characters.
 */
void berth_utf8_copy_clean(const void *text, size_t len, char *ret_text, size_t ret_bytes);

#endif
