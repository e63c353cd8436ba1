/* SPDX-License-Identifier: Apache-2.0 */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.h"
#include "load.h"

/* Of Avro's single-object encoding: two bytes and the schema's fingerprint, which isn't looked at,
 * since only one kind of command is sent. */
#define HEAD_BYTES       10
#define SCHEMA_BYTES_MAX 65536

struct floor_decoder {
    avro_value_t value;
    avro_reader_t reader;
};

static void copy_text(avro_value_t *record, const char *field, char ret_text[FLOOR_NAME_BYTES]);

struct floor_decoder *floor_decoder_new(const char *schema_file) {
    struct floor_decoder *decoder = load_memory(1, sizeof(*decoder));
    char *text = load_memory(1, SCHEMA_BYTES_MAX);
    FILE *file = fopen(schema_file, "r");
    size_t len = file == NULL ? 0 : fread(text, 1, SCHEMA_BYTES_MAX, file);
    avro_schema_t schema = NULL;
    if (len == 0 || avro_schema_from_json_length(text, len, &schema) != 0) {
        load_fail("%s is no schema", schema_file);
    }
    (void)fclose(file);
    free(text);
    avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
    if (avro_generic_value_new(iface, &decoder->value) != 0) {
        load_fail("no value of the schema: %s", avro_strerror());
    }
    decoder->reader = avro_reader_memory(NULL, 0);
    return decoder;
}

void floor_decode(struct floor_decoder *decoder, struct floor_job *job) {
    const char *bytes = job->message->payload;
    size_t len = job->message->len;
    if (len <= HEAD_BYTES) {
        load_fail("a record of %zu bytes", len);
    }
    avro_reader_memory_set_source(decoder->reader, bytes + HEAD_BYTES, (int64_t)(len - HEAD_BYTES));
    if (avro_value_read(decoder->reader, &decoder->value) != 0) {
        load_fail("a record can't be decoded: %s", avro_strerror());
    }
    copy_text(&decoder->value, "command_id", job->id);
    copy_text(&decoder->value, "registry", job->registry);
    copy_text(&decoder->value, "space", job->space);
}

static void copy_text(avro_value_t *record, const char *field, char ret_text[FLOOR_NAME_BYTES]) {
    avro_value_t value;
    const char *text = NULL;
    size_t bytes = 0; /* With the ending NUL. */
    if (avro_value_get_by_name(record, field, &value, NULL) != 0 ||
        avro_value_get_string(&value, &text, &bytes) != 0 || bytes > FLOOR_NAME_BYTES) {
        load_fail("field %s: %s", field, avro_strerror());
    }
    memcpy(ret_text, text, bytes);
}
