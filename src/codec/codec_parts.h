/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codec's insides, shared by its files:
 *
 *   codec.c            life, framing, avro-c behind the bounded check
 *   schema*.c          schemas: parsing, canonical form, fingerprint
 *   avro_check.c       the bounded check
 *   record_writer.c    filling an avro-c record by field names
 *   command_decode.c   from a record to a command
 *   command_encode.c   from a command to a record
 *   event_records.c    result, audit record, space state
 *   events.c           publications: which records, their headers and ids
 *   publication.c      publications as bytes
 *   avro_json.c        any record as JSON
 */
#ifndef BERTH_SRC_CODEC_CODEC_PARTS_H
#define BERTH_SRC_CODEC_CODEC_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "schema.h"
#include "shipped_schemas.h"

/* avro-c's, whose headers only .c files include. */
struct avro_obj_t;
struct avro_reader_t_;
struct avro_writer_t_;
struct avro_value;
struct avro_value_iface;

/* Single-object encoding: C3 01 and the fingerprint, lowest byte first. */
#define BERTH_FRAME_BYTES 10

/* The most bytes of a record that is written, frame included. The largest possible is an audit
 * record with BERTH_SPACE_BINDINGS_MAX workspaces three times over. */
#define BERTH_WRITTEN_BYTES_MAX (1024L * 1024)

/* A schema that berth ships, ready for use. */
struct berth_codec_schema {
    const char *name; /* Of its file: the record's, or "Command" for the union. */
    struct berth_schema tree;
    uint64_t fingerprint;
    uint8_t frame[BERTH_FRAME_BYTES];
    struct avro_obj_t *avro;
    struct avro_value_iface *class;
    struct avro_value *value; /* One value of it, used again for each record. */
};

struct berth_codec {
    struct berth_codec_schema schemas[BERTH_SHIPPED_SCHEMAS];
    struct avro_reader_t_ *reader;
    struct avro_writer_t_ *writer;
    uint8_t *scratch; /* A record as it is written; grows up to BERTH_WRITTEN_BYTES_MAX. */
    size_t scratch_bytes;
    struct berth_buffer pack; /* A publication as it is packed. */
};

/* The shipped schema of this name, which must exist (asserted). */
const struct berth_codec_schema *berth_codec_schema(const struct berth_codec *codec,
                                                    const char *name);

/*
 * Reads a framed record of at most bytes_max into its schema's value, after the bounded check.
 * BERTH_INVALID: ret_code is one of record.empty, record.too_large, record.undecodable and
 * record.unknown_schema; reterr is the sentence to it.
 */
BERTH_MUST_USE enum berth_rc berth_codec_read(struct berth_codec *codec, struct berth_bytes record,
                                              size_t bytes_max,
                                              const struct berth_codec_schema **ret_schema,
                                              const char **ret_code, struct berth_error *reterr);

/*
 * Writes the schema's value, framed. ret_record is a view that is valid until the next writing.
 * Faults: MEMORY, LIBRARY (the value has an unset part, or passes BERTH_WRITTEN_BYTES_MAX).
 */
BERTH_MUST_USE enum berth_rc berth_codec_write(struct berth_codec *codec,
                                               const struct berth_codec_schema *schema,
                                               struct berth_bytes *ret_record,
                                               struct berth_error *reterr);

/* Reads a command out of a record (or a union's) of whatever writer's schema, into a decoded answer
 * that is empty but for the traceparent. */
void berth_command_from_record(struct avro_value *value, struct berth_decoded *decoded);

#endif
