/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills an avro-c record by field names. The first failure stays and makes all further calls do
 * nothing, so that a record is filled without a check after each field.
 *
 * Nullable fields are unions of null and one other type, in this order. Text is made valid: what
 * isn't UTF-8 becomes '?' (core cuts sentences by bytes).
 */
#ifndef BERTH_SRC_CODEC_RECORD_WRITER_H
#define BERTH_SRC_CODEC_RECORD_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/command.h"

struct avro_value;

struct berth_record_writer {
    bool strict; /* Text that isn't UTF-8 is a failure, instead of being made valid. */
    /* BERTH_OK as long as nothing failed; then BERTH_INVALID (such text) or BERTH_FAULT_LIBRARY,
     * and the field that couldn't be written. */
    enum berth_rc rc;
    const char *failed;
};

/* Empties a record before it is filled anew. */
void berth_write_reset(struct berth_record_writer *writer, struct avro_value *record);

void berth_write_text(struct berth_record_writer *writer, struct avro_value *record,
                      const char *field, const char *text);
/* NULL or an empty text is null. */
void berth_write_text_or_null(struct berth_record_writer *writer, struct avro_value *record,
                              const char *field, const char *text);
void berth_write_int(struct berth_record_writer *writer, struct avro_value *record,
                     const char *field, int32_t number);
void berth_write_long(struct berth_record_writer *writer, struct avro_value *record,
                      const char *field, int64_t number);
void berth_write_long_or_null(struct berth_record_writer *writer, struct avro_value *record,
                              const char *field, bool given, int64_t number);
void berth_write_boolean(struct berth_record_writer *writer, struct avro_value *record,
                         const char *field, bool boolean);
void berth_write_symbol(struct berth_record_writer *writer, struct avro_value *record,
                        const char *field, const char *symbol);
/* A NULL symbol is null. */
void berth_write_symbol_or_null(struct berth_record_writer *writer, struct avro_value *record,
                                const char *field, const char *symbol);
void berth_write_null(struct berth_record_writer *writer, struct avro_value *record,
                      const char *field);

/* A field's value, or the other branch of a nullable one, to be filled by the caller. False:
 * failed. */
bool berth_write_enter(struct berth_record_writer *writer, struct avro_value *record,
                       const char *field, struct avro_value *ret_value);
bool berth_write_enter_nullable(struct berth_record_writer *writer, struct avro_value *record,
                                const char *field, struct avro_value *ret_value);
/* A new item of an array that was entered; field is named in a failure. */
bool berth_write_item(struct berth_record_writer *writer, struct avro_value *array,
                      const char *field, struct avro_value *ret_item);
/* A new item or entry that is text. */
void berth_write_item_text(struct berth_record_writer *writer, struct avro_value *array,
                           const char *field, const char *text);
void berth_write_entry_text(struct berth_record_writer *writer, struct avro_value *map,
                            const char *field, const char *key, const char *text);

/* "PRIVATE" or "PUBLIC"; NULL when it isn't set. */
const char *berth_visibility_symbol(enum berth_visibility visibility);

#endif
