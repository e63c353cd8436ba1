/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Parsing Canonical Form and its fingerprint (Avro 1.11 specification, "Parsing Canonical Form
 * for Schemas" and "Schema Fingerprints").
 */
#include <stdio.h>

#include "berth/base/assert.h"
#include "schema.h"

/* Enough for BERTH_SCHEMA_TEXT_BYTES_MAX of schema, whose names grow by their namespaces. */
#define CANONICAL_BYTES_MAX (1024L * 1024)

struct printer {
    struct berth_buffer *out;
    enum berth_rc rc; /* The first failure stays. */
    bool printed[BERTH_SCHEMA_NODES_MAX];
};

static void print(struct printer *printer, const struct berth_schema_node *node);
static void print_definition(struct printer *printer, const struct berth_schema_node *node);
static void print_members(struct printer *printer, const struct berth_schema_node *node);
static void put(struct printer *printer, const char *text);
static void put_quoted(struct printer *printer, const char *text);

enum berth_rc berth_schema_canonical(const struct berth_schema_node *node,
                                     struct berth_buffer *out) {
    struct printer printer = {.out = out, .rc = BERTH_OK};
    print(&printer, node);
    return printer.rc;
}

/* Bit by bit: it runs once for each schema at start, so no table is worth its lines. */
uint64_t berth_schema_crc64(const void *data, size_t len) {
    const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
    const uint8_t *bytes = data;
    uint64_t crc = empty;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1U) ^ (empty & (0U - (crc & 1U)));
        }
    }
    return crc;
}

enum berth_rc berth_schema_fingerprint(const struct berth_schema_node *node,
                                       uint64_t *ret_fingerprint) {
    struct berth_buffer text;
    berth_buffer_init(&text, CANONICAL_BYTES_MAX);
    enum berth_rc rc = berth_schema_canonical(node, &text);
    if (rc == BERTH_OK) {
        *ret_fingerprint = berth_schema_crc64(text.data, text.len);
    }
    berth_buffer_deinit(&text);
    return rc;
}

/* A named type is written in full where it comes first, then by its name. */
static void print(struct printer *printer, const struct berth_schema_node *node) {
    if (node->name[0] != 0) {
        BERTH_ASSERT(node->index < BERTH_SCHEMA_NODES_MAX);
        if (printer->printed[node->index]) {
            put_quoted(printer, node->name);
            return;
        }
        printer->printed[node->index] = true;
        print_definition(printer, node);
    } else if (node->type == BERTH_SCHEMA_UNION) {
        put(printer, "[");
        print_members(printer, node);
        put(printer, "]");
    } else if (node->type == BERTH_SCHEMA_ARRAY) {
        put(printer, "{\"type\":\"array\",\"items\":");
        print(printer, node->members[0].node);
        put(printer, "}");
    } else if (node->type == BERTH_SCHEMA_MAP) {
        put(printer, "{\"type\":\"map\",\"values\":");
        print(printer, node->members[0].node);
        put(printer, "}");
    } else {
        put_quoted(printer, berth_schema_type_name(node->type));
    }
}

static void print_definition(struct printer *printer, const struct berth_schema_node *node) {
    put(printer, "{\"name\":");
    put_quoted(printer, node->name);
    put(printer, ",\"type\":");
    put_quoted(printer, berth_schema_type_name(node->type));
    if (node->type == BERTH_SCHEMA_FIXED) {
        char size[32];
        (void)snprintf(size, sizeof size, ",\"size\":%zu}", node->fixed_bytes);
        put(printer, size);
        return;
    }
    put(printer, node->type == BERTH_SCHEMA_RECORD ? ",\"fields\":[" : ",\"symbols\":[");
    print_members(printer, node);
    put(printer, "]}");
}

static void print_members(struct printer *printer, const struct berth_schema_node *node) {
    for (size_t i = 0; i < node->members_count; i++) {
        const struct berth_schema_member *member = &node->members[i];
        if (i > 0) {
            put(printer, ",");
        }
        if (member->node == NULL) {
            put_quoted(printer, member->name);
        } else if (member->name == NULL) {
            print(printer, member->node);
        } else {
            put(printer, "{\"name\":");
            put_quoted(printer, member->name);
            put(printer, ",\"type\":");
            print(printer, member->node);
            put(printer, "}");
        }
    }
}

static void put(struct printer *printer, const char *text) {
    if (printer->rc == BERTH_OK) {
        printer->rc = berth_buffer_append_text(printer->out, text);
    }
}

/* Names were checked to be letters, digits, '_' and '.', so nothing needs an escape. */
static void put_quoted(struct printer *printer, const char *text) {
    put(printer, "\"");
    put(printer, text);
    put(printer, "\"");
}
