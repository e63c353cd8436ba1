/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Avro schema as a tree of our own (Avro 1.11 specification).
 *
 * avro-c's schema knows no logical types, no canonical form and no fingerprint, and must not be
 * given a schema that nobody has looked at. The tree is what the bounded check walks the bytes
 * with, what the fingerprint is made from, and what says which long is a time. Everything is
 * bounded, so that a schema from outside can be parsed too.
 */
#ifndef BERTH_SRC_CODEC_SCHEMA_H
#define BERTH_SRC_CODEC_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"

#define BERTH_SCHEMA_NODES_MAX      1024
#define BERTH_SCHEMA_DEPTH_MAX      32
#define BERTH_SCHEMA_MEMBERS_MAX    1024 /* Fields, branches or symbols of one type. */
#define BERTH_SCHEMA_NAME_BYTES     256
#define BERTH_SCHEMA_TEXT_BYTES_MAX (256L * 1024)
#define BERTH_SCHEMA_FIXED_MAX      (256L * 1024)

enum berth_schema_type {
    BERTH_SCHEMA_NULL,
    BERTH_SCHEMA_BOOLEAN,
    BERTH_SCHEMA_INT,
    BERTH_SCHEMA_LONG,
    BERTH_SCHEMA_FLOAT,
    BERTH_SCHEMA_DOUBLE,
    BERTH_SCHEMA_BYTES,
    BERTH_SCHEMA_STRING,
    BERTH_SCHEMA_RECORD,
    BERTH_SCHEMA_ENUM,
    BERTH_SCHEMA_FIXED,
    BERTH_SCHEMA_ARRAY,
    BERTH_SCHEMA_MAP,
    BERTH_SCHEMA_UNION,
};
#define BERTH_SCHEMA_TYPES 14

struct berth_schema_node;

struct berth_schema_member {
    const char *name;                     /* A field or a symbol; NULL otherwise. */
    const struct berth_schema_node *node; /* NULL for a symbol. */
};

struct berth_schema_node {
    enum berth_schema_type type;
    size_t index;                       /* Its own number in its schema. */
    bool is_timestamp_ms;               /* A long with the logical type timestamp-millis. */
    char name[BERTH_SCHEMA_NAME_BYTES]; /* Full name of a record, enum or fixed; else empty. */
    size_t fixed_bytes;
    /* Fields, branches or symbols; the one item or value type of an array or a map. */
    struct berth_schema_member *members;
    size_t members_count;
    struct berth_schema_node *next; /* All nodes of a schema, newest first. */
};

struct berth_schema {
    const struct berth_schema_node *root;
    struct berth_schema_node *nodes; /* Owned. A recursive type makes a graph of them. */
    size_t nodes_count;
    struct json_t *json; /* Owned: names of fields and symbols are views of it. */
};

/*
 * Parses a schema from its JSON text. Freed with berth_schema_deinit().
 * BERTH_INVALID: it is no Avro schema, or passes a bound; reterr says which. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_schema_init(struct berth_schema *schema, const void *text,
                                               size_t text_len, struct berth_error *reterr);
void berth_schema_deinit(struct berth_schema *schema);

/*
 * Appends the Parsing Canonical Form of a node to out.
 * BERTH_BUSY: out's limit would be passed. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_schema_canonical(const struct berth_schema_node *node,
                                                    struct berth_buffer *out);

/* CRC-64-AVRO of bytes. */
uint64_t berth_schema_crc64(const void *data, size_t len);

/* The fingerprint of a schema: CRC-64-AVRO of its canonical form. Faults: MEMORY. */
BERTH_MUST_USE enum berth_rc berth_schema_fingerprint(const struct berth_schema_node *node,
                                                      uint64_t *ret_fingerprint);

/* "record", ...: the type's word in Avro. Never NULL. */
const char *berth_schema_type_name(enum berth_schema_type type);

#endif
