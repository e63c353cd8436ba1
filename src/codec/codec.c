/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/codec/codec.h"

#include <avro.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "avro_check.h"
#include "berth/base/assert.h"
#include "codec_parts.h"
#include "publication.h"

/* Enough for a small command's result, so that most workers never grow it. */
#define SCRATCH_BYTES_FIRST 4096

static enum berth_rc start(struct berth_codec *codec, struct berth_error *reterr);
static enum berth_rc start_schema(struct berth_codec_schema *schema,
                                  const struct berth_shipped_schema *shipped,
                                  struct berth_error *reterr);
static void make_frame(uint64_t fingerprint, uint8_t ret_frame[BERTH_FRAME_BYTES]);
static void stop_schema(struct berth_codec_schema *schema);
static enum berth_rc check_frame(struct berth_bytes record, size_t bytes_max, const char **ret_code,
                                 struct berth_error *reterr);
static const struct berth_codec_schema *find_frame(const struct berth_codec *codec,
                                                   const uint8_t *frame);
static bool grow_scratch(struct berth_codec *codec);

enum berth_rc berth_codec_new(struct berth_codec **ret_codec, struct berth_error *reterr) {
    struct berth_codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    berth_buffer_init(&codec->pack, BERTH_PUBLICATION_BYTES_MAX);
    enum berth_rc rc = start(codec, reterr);
    if (rc != BERTH_OK) {
        berth_codec_free(codec);
        return rc;
    }
    *ret_codec = codec;
    return BERTH_OK;
}

struct berth_codec *berth_codec_free(struct berth_codec *codec) {
    if (codec == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        stop_schema(&codec->schemas[i]);
    }
    if (codec->reader != NULL) {
        avro_reader_free(codec->reader);
    }
    if (codec->writer != NULL) {
        avro_writer_free(codec->writer);
    }
    free(codec->scratch);
    berth_buffer_deinit(&codec->pack);
    free(codec);
    return NULL;
}

const struct berth_codec_schema *berth_codec_schema(const struct berth_codec *codec,
                                                    const char *name) {
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        if (strcmp(codec->schemas[i].name, name) == 0) {
            return &codec->schemas[i];
        }
    }
    BERTH_UNREACHABLE("every schema that is asked for is shipped");
}

enum berth_rc berth_codec_read(struct berth_codec *codec, struct berth_bytes record,
                               size_t bytes_max, const struct berth_codec_schema **ret_schema,
                               const char **ret_code, struct berth_error *reterr) {
    enum berth_rc rc = check_frame(record, bytes_max, ret_code, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    const struct berth_codec_schema *schema = find_frame(codec, record.data);
    if (schema == NULL) {
        uint64_t fingerprint = 0;
        for (size_t i = BERTH_FRAME_BYTES; i > 2; i--) {
            fingerprint = fingerprint << 8U | record.data[i - 1];
        }
        *ret_code = "record.unknown_schema";
        berth_error_set(reterr,
                        "The record's schema, fingerprint %016" PRIx64
                        ", is none that this version of berth ships.",
                        fingerprint);
        return BERTH_INVALID;
    }
    struct berth_bytes body = {.data = record.data + BERTH_FRAME_BYTES,
                               .len = record.len - BERTH_FRAME_BYTES};
    struct berth_error error = {{0}};
    rc = berth_avro_check(schema->tree.root, body, &error);
    if (rc != BERTH_OK) {
        *ret_code = "record.undecodable";
        berth_error_set(reterr, "The record is no valid %s: %s.", schema->name, error.text);
        return rc;
    }
    avro_reader_memory_set_source(codec->reader, (const char *)body.data, (int64_t)body.len);
    if (avro_value_read(codec->reader, schema->value) != 0) {
        *ret_code = "record.undecodable";
        berth_error_set(reterr, "The record is no valid %s: %s.", schema->name, avro_strerror());
        return BERTH_INVALID;
    }
    *ret_schema = schema;
    return BERTH_OK;
}

enum berth_rc berth_codec_write(struct berth_codec *codec, const struct berth_codec_schema *schema,
                                struct berth_bytes *ret_record, struct berth_error *reterr) {
    for (;;) {
        if (codec->scratch != NULL) {
            uint8_t *body = codec->scratch + BERTH_FRAME_BYTES;
            avro_writer_memory_set_dest(codec->writer, (const char *)body,
                                        (int64_t)(codec->scratch_bytes - BERTH_FRAME_BYTES));
            int failed = avro_value_write(codec->writer, schema->value);
            if (failed == 0) {
                break;
            }
            if (failed != ENOSPC || codec->scratch_bytes >= BERTH_WRITTEN_BYTES_MAX) {
                berth_error_set(reterr, "avro-c can't write a %s: %s", schema->name,
                                avro_strerror());
                return BERTH_FAULT_LIBRARY;
            }
        }
        if (!grow_scratch(codec)) {
            return BERTH_FAULT_MEMORY;
        }
    }
    memcpy(codec->scratch, schema->frame, BERTH_FRAME_BYTES);
    ret_record->data = codec->scratch;
    ret_record->len = BERTH_FRAME_BYTES + (size_t)avro_writer_tell(codec->writer);
    return BERTH_OK;
}

static enum berth_rc start(struct berth_codec *codec, struct berth_error *reterr) {
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        enum berth_rc rc = start_schema(&codec->schemas[i], &berth_shipped_schemas[i], reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    /* Their bytes are set anew for each record. */
    codec->reader = avro_reader_memory("", 0);
    codec->writer = avro_writer_memory("", 0);
    return codec->reader == NULL || codec->writer == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
}

static enum berth_rc start_schema(struct berth_codec_schema *schema,
                                  const struct berth_shipped_schema *shipped,
                                  struct berth_error *reterr) {
    schema->name = shipped->name;
    enum berth_rc rc = berth_schema_init(&schema->tree, shipped->text, shipped->text_len, reterr);
    /* A shipped schema that breaks our own rules is our fault, not an outcome. */
    BERTH_ASSERT(rc != BERTH_INVALID);
    if (rc == BERTH_OK) {
        rc = berth_schema_fingerprint(schema->tree.root, &schema->fingerprint);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    make_frame(schema->fingerprint, schema->frame);
    schema->value = calloc(1, sizeof *schema->value);
    if (schema->value == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    if (avro_schema_from_json_length((const char *)shipped->text, shipped->text_len,
                                     &schema->avro) != 0) {
        berth_error_set(reterr, "avro-c can't parse the schema %s: %s", shipped->name,
                        avro_strerror());
        return BERTH_FAULT_LIBRARY;
    }
    schema->class = avro_generic_class_from_schema(schema->avro);
    if (schema->class == NULL || avro_generic_value_new(schema->class, schema->value) != 0) {
        berth_error_set(reterr, "avro-c can't make a %s: %s", shipped->name, avro_strerror());
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static void make_frame(uint64_t fingerprint, uint8_t ret_frame[BERTH_FRAME_BYTES]) {
    ret_frame[0] = 0xc3;
    ret_frame[1] = 0x01;
    for (size_t i = 2; i < BERTH_FRAME_BYTES; i++) {
        ret_frame[i] = (uint8_t)fingerprint;
        fingerprint >>= 8U;
    }
}

static void stop_schema(struct berth_codec_schema *schema) {
    if (schema->value != NULL && schema->value->iface != NULL) {
        avro_value_decref(schema->value);
    }
    free(schema->value);
    if (schema->class != NULL) {
        avro_value_iface_decref(schema->class);
    }
    if (schema->avro != NULL) {
        avro_schema_decref(schema->avro);
    }
    berth_schema_deinit(&schema->tree);
}

static enum berth_rc check_frame(struct berth_bytes record, size_t bytes_max, const char **ret_code,
                                 struct berth_error *reterr) {
    if (record.len == 0) {
        *ret_code = "record.empty";
        berth_error_set(reterr, "The record has no value.");
        return BERTH_INVALID;
    }
    if (record.len > bytes_max) {
        *ret_code = "record.too_large";
        berth_error_set(reterr, "The record's value has %zu bytes, more than %zu.", record.len,
                        bytes_max);
        return BERTH_INVALID;
    }
    if (record.len < BERTH_FRAME_BYTES || record.data[0] != 0xc3 || record.data[1] != 0x01) {
        *ret_code = "record.undecodable";
        berth_error_set(reterr,
                        "The record is not Avro single-object encoding: it has %zu bytes and does "
                        "not begin with C3 01 and a fingerprint.",
                        record.len);
        return BERTH_INVALID;
    }
    return BERTH_OK;
}

static const struct berth_codec_schema *find_frame(const struct berth_codec *codec,
                                                   const uint8_t *frame) {
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        if (memcmp(codec->schemas[i].frame, frame, BERTH_FRAME_BYTES) == 0) {
            return &codec->schemas[i];
        }
    }
    return NULL;
}

static bool grow_scratch(struct berth_codec *codec) {
    size_t bytes = codec->scratch_bytes == 0 ? SCRATCH_BYTES_FIRST : codec->scratch_bytes * 2;
    uint8_t *scratch = realloc(codec->scratch, bytes);
    if (scratch == NULL) {
        return false;
    }
    codec->scratch = scratch;
    codec->scratch_bytes = bytes;
    return true;
}
