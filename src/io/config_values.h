/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options: text to typed field, and back. */
#ifndef BERTH_IO_CONFIG_VALUES_H
#define BERTH_IO_CONFIG_VALUES_H

#include "berth/base/buffer.h"
#include "config_table.h"

/*
 * Checks the text and writes the field; `base` is the struct that the option's offset counts in. A
 * field is written at most once.
 * BERTH_INVALID: reterr says what is allowed instead. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_option_parse(const struct berth_config_option *option,
                                                const char *text, void *base,
                                                struct berth_error *reterr);

/* False for a text that was not given and has no default. */
bool berth_option_is_set(const struct berth_config_option *option, const void *base);

/*
 * Appends the field, which is set, as the file would hold it.
 * BERTH_BUSY: the buffer's limit. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_option_format(const struct berth_config_option *option,
                                                 const void *base, struct berth_buffer *out);

/* Frees the field's memory. */
void berth_option_free(const struct berth_config_option *option, void *base);

/* Up to max of the lower-case letters, the digits and '-'. */
bool berth_label_legal(const char *text, size_t max);
/* Up to max letters, digits, '.', '_', '-'. */
bool berth_word_legal(const char *text, size_t max);

#endif
