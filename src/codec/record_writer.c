/* SPDX-License-Identifier: Apache-2.0 */
#include "record_writer.h"

#include <avro.h>
#include <string.h>

#include "berth/base/assert.h"
#include "utf8.h"

/* The longest text of a struct that is made valid: a detail's value. */
#define TEXT_BYTES_MAX 1024

static void check(struct berth_record_writer *writer, const char *field, int failed);
static void set_text(struct berth_record_writer *writer, avro_value_t *value, const char *field,
                     const char *text);
static void set_symbol(struct berth_record_writer *writer, avro_value_t *value, const char *field,
                       const char *symbol);

void berth_write_reset(struct berth_record_writer *writer, avro_value_t *record) {
    check(writer, "", avro_value_reset(record));
}

void berth_write_text(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                      const char *text) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        set_text(writer, &value, field, text);
    }
}

void berth_write_text_or_null(struct berth_record_writer *writer, avro_value_t *record,
                              const char *field, const char *text) {
    avro_value_t value;
    if (text == NULL || text[0] == 0) {
        berth_write_null(writer, record, field);
    } else if (berth_write_enter_nullable(writer, record, field, &value)) {
        set_text(writer, &value, field, text);
    }
}

void berth_write_int(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                     int32_t number) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        check(writer, field, avro_value_set_int(&value, number));
    }
}

void berth_write_long(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                      int64_t number) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        check(writer, field, avro_value_set_long(&value, number));
    }
}

void berth_write_long_or_null(struct berth_record_writer *writer, avro_value_t *record,
                              const char *field, bool given, int64_t number) {
    avro_value_t value;
    if (!given) {
        berth_write_null(writer, record, field);
    } else if (berth_write_enter_nullable(writer, record, field, &value)) {
        check(writer, field, avro_value_set_long(&value, number));
    }
}

void berth_write_boolean(struct berth_record_writer *writer, avro_value_t *record,
                         const char *field, bool boolean) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        check(writer, field, avro_value_set_boolean(&value, boolean ? 1 : 0));
    }
}

void berth_write_symbol(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                        const char *symbol) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        set_symbol(writer, &value, field, symbol);
    }
}

void berth_write_symbol_or_null(struct berth_record_writer *writer, avro_value_t *record,
                                const char *field, const char *symbol) {
    avro_value_t value;
    if (symbol == NULL) {
        berth_write_null(writer, record, field);
    } else if (berth_write_enter_nullable(writer, record, field, &value)) {
        set_symbol(writer, &value, field, symbol);
    }
}

void berth_write_null(struct berth_record_writer *writer, avro_value_t *record, const char *field) {
    avro_value_t value;
    if (berth_write_enter(writer, record, field, &value)) {
        check(writer, field, avro_value_set_branch(&value, 0, NULL));
    }
}

bool berth_write_enter(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                       avro_value_t *ret_value) {
    if (writer->rc == BERTH_OK) {
        check(writer, field, avro_value_get_by_name(record, field, ret_value, NULL));
    }
    return writer->rc == BERTH_OK;
}

bool berth_write_enter_nullable(struct berth_record_writer *writer, avro_value_t *record,
                                const char *field, avro_value_t *ret_value) {
    avro_value_t nullable;
    if (berth_write_enter(writer, record, field, &nullable)) {
        check(writer, field, avro_value_set_branch(&nullable, 1, ret_value));
    }
    return writer->rc == BERTH_OK;
}

bool berth_write_item(struct berth_record_writer *writer, avro_value_t *array, const char *field,
                      avro_value_t *ret_item) {
    if (writer->rc == BERTH_OK) {
        check(writer, field, avro_value_append(array, ret_item, NULL));
    }
    return writer->rc == BERTH_OK;
}

void berth_write_item_text(struct berth_record_writer *writer, avro_value_t *array,
                           const char *field, const char *text) {
    avro_value_t item;
    if (berth_write_item(writer, array, field, &item)) {
        set_text(writer, &item, field, text);
    }
}

void berth_write_entry_text(struct berth_record_writer *writer, avro_value_t *map,
                            const char *field, const char *key, const char *text) {
    avro_value_t entry;
    if (writer->rc == BERTH_OK) {
        check(writer, field, avro_value_add(map, key, &entry, NULL, NULL));
    }
    if (writer->rc == BERTH_OK) {
        set_text(writer, &entry, field, text);
    }
}

const char *berth_visibility_symbol(enum berth_visibility visibility) {
    switch (visibility) {
    case BERTH_VISIBILITY_UNSET:
        return NULL;
    case BERTH_PRIVATE:
        return "PRIVATE";
    case BERTH_PUBLIC:
        return "PUBLIC";
    }
    BERTH_UNREACHABLE("every visibility has a symbol");
}

static void check(struct berth_record_writer *writer, const char *field, int failed) {
    if (failed != 0) {
        writer->rc = BERTH_FAULT_LIBRARY;
        writer->failed = field;
    }
}

static void set_text(struct berth_record_writer *writer, avro_value_t *value, const char *field,
                     const char *text) {
    size_t len = strlen(text);
    char clean[TEXT_BYTES_MAX];
    if (berth_utf8_valid_len(text, len) != len) {
        if (writer->strict) {
            writer->rc = BERTH_INVALID;
            writer->failed = field;
            return;
        }
        berth_utf8_copy_clean(text, len, clean, sizeof clean);
        text = clean;
        len = strlen(clean);
    }
    /* avro-c counts the NUL. */
    check(writer, field, avro_value_set_string_len(value, text, len + 1));
}

static void set_symbol(struct berth_record_writer *writer, avro_value_t *value, const char *field,
                       const char *symbol) {
    int number = avro_schema_enum_get_by_name(avro_value_get_schema(value), symbol);
    check(writer, field, number < 0 ? number : avro_value_set_enum(value, number));
}
