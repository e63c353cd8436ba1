/* SPDX-License-Identifier: Apache-2.0 */
#include "publication.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "digest.h"

#define VERSION      1
#define CHECK_BYTES  8
#define LENGTH_BYTES 4
#define PART_BYTES   (1 + LENGTH_BYTES)
#define NAME_LEN_MAX 255

static enum berth_rc put_text(struct berth_buffer *out, const void *data, size_t len);
static enum berth_rc put_header(struct berth_buffer *out, const struct berth_header *header);
static void write_length(uint8_t length[LENGTH_BYTES], size_t len);
static void make_check(const uint8_t *data, size_t len, uint8_t ret_check[CHECK_BYTES]);
static bool take_part(struct berth_bytes *parts, struct berth_bytes *ret_records);
static bool is_undamaged(const uint8_t *part, const struct berth_bytes *records);
static bool take_length(struct berth_bytes *rest, size_t *ret_len);
static bool take_byte(struct berth_bytes *rest, uint8_t *ret_byte);
static bool take_text(struct berth_bytes *rest, struct berth_bytes *ret_text);
static bool take_header(struct berth_bytes *rest, struct berth_header *ret_header);

void berth_publication_deinit(struct berth_publication *publication) {
    free(publication->data);
    *publication = (struct berth_publication){0};
}

enum berth_rc berth_publication_open(struct berth_bytes packed,
                                     struct berth_publication_reader *ret_reader) {
    /* All of it is looked at first: what is damaged anywhere publishes nothing. */
    struct berth_bytes parts = packed;
    while (parts.len > 0) {
        const uint8_t *part = parts.data;
        struct berth_bytes records;
        if (!take_part(&parts, &records) || !is_undamaged(part, &records)) {
            return BERTH_INVALID;
        }
    }
    *ret_reader = (struct berth_publication_reader){.parts = packed};
    return BERTH_OK;
}

void berth_publication_reopen(const struct berth_publication *made,
                              struct berth_publication_reader *ret_reader) {
    *ret_reader =
        (struct berth_publication_reader){.parts = {.data = made->data, .len = made->len}};
}

enum berth_rc berth_publication_next(struct berth_publication_reader *reader,
                                     struct berth_event_record *ret_record) {
    while (reader->rest.len == 0) {
        if (reader->parts.len == 0) {
            return BERTH_END;
        }
        bool taken = take_part(&reader->parts, &reader->rest);
        BERTH_ASSERT(taken); /* It was when the publication was opened, or made. */
    }
    struct berth_bytes rest = reader->rest;
    uint8_t kind;
    uint8_t has_value;
    uint8_t count;
    struct berth_bytes key;
    struct berth_bytes value;
    if (!take_byte(&rest, &kind) || kind >= BERTH_RECORD_KINDS || !take_byte(&rest, &has_value) ||
        has_value > 1 || !take_text(&rest, &key) || !take_text(&rest, &value) ||
        !take_byte(&rest, &count) || count > BERTH_EVENT_HEADERS_MAX) {
        return BERTH_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take_header(&rest, &ret_record->headers[i])) {
            return BERTH_INVALID;
        }
    }
    ret_record->kind = (enum berth_record_kind)kind;
    ret_record->key = key;
    ret_record->has_value = has_value == 1;
    ret_record->value = value;
    ret_record->headers_count = count;
    reader->rest = rest;
    return BERTH_OK;
}

void berth_pack_header(struct berth_event_record *record, const char *name, const char *value) {
    BERTH_ASSERT(record->headers_count < BERTH_EVENT_HEADERS_MAX);
    record->headers[record->headers_count++] = (struct berth_header){
        .name = name, .value = {.data = (const uint8_t *)value, .len = strlen(value)}};
}

enum berth_rc berth_pack_begin(struct berth_buffer *out, size_t *ret_part) {
    const uint8_t start[PART_BYTES] = {VERSION};
    size_t part = out->len;
    enum berth_rc rc = berth_buffer_append(out, start, sizeof start);
    if (rc == BERTH_OK) {
        *ret_part = part;
    }
    return rc;
}

enum berth_rc berth_pack_add(struct berth_buffer *out, const struct berth_event_record *record) {
    BERTH_ASSERT(record->headers_count <= BERTH_EVENT_HEADERS_MAX);
    const uint8_t start[2] = {(uint8_t)record->kind, record->has_value ? 1 : 0};
    const uint8_t count = (uint8_t)record->headers_count;
    enum berth_rc rc = berth_buffer_append(out, start, sizeof start);
    if (rc == BERTH_OK) {
        rc = put_text(out, record->key.data, record->key.len);
    }
    if (rc == BERTH_OK) {
        rc = put_text(out, record->value.data, record->has_value ? record->value.len : 0);
    }
    if (rc == BERTH_OK) {
        rc = berth_buffer_append(out, &count, 1);
    }
    for (size_t i = 0; rc == BERTH_OK && i < record->headers_count; i++) {
        rc = put_header(out, &record->headers[i]);
    }
    return rc;
}

enum berth_rc berth_pack_end(struct berth_buffer *out, size_t part) {
    BERTH_ASSERT(out->len >= part + PART_BYTES);
    uint8_t check[CHECK_BYTES];
    write_length(out->data + part + 1, out->len - part - PART_BYTES);
    make_check(out->data + part, out->len - part, check);
    return berth_buffer_append(out, check, sizeof check);
}

static void write_length(uint8_t length[LENGTH_BYTES], size_t len) {
    BERTH_ASSERT(len <= UINT32_MAX);
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        length[i] = (uint8_t)(len >> (8 * i));
    }
}

static enum berth_rc put_text(struct berth_buffer *out, const void *data, size_t len) {
    uint8_t length[LENGTH_BYTES];
    write_length(length, len);
    enum berth_rc rc = berth_buffer_append(out, length, sizeof length);
    return rc == BERTH_OK ? berth_buffer_append(out, data, len) : rc;
}

static enum berth_rc put_header(struct berth_buffer *out, const struct berth_header *header) {
    size_t name_len = strlen(header->name);
    BERTH_ASSERT(name_len <= NAME_LEN_MAX);
    const uint8_t length = (uint8_t)name_len;
    enum berth_rc rc = berth_buffer_append(out, &length, 1);
    if (rc == BERTH_OK) {
        rc = berth_buffer_append(out, header->name, name_len + 1);
    }
    return rc == BERTH_OK ? put_text(out, header->value.data, header->value.len) : rc;
}

static void make_check(const uint8_t *data, size_t len, uint8_t ret_check[CHECK_BYTES]) {
    uint8_t digest[BERTH_SHA256_BYTES];
    berth_digest_sha256(data, len, digest);
    memcpy(ret_check, digest, CHECK_BYTES);
}

/* Takes a part off the front, if it is whole; its check isn't looked at. */
static bool take_part(struct berth_bytes *parts, struct berth_bytes *ret_records) {
    struct berth_bytes rest = *parts;
    uint8_t version;
    size_t len;
    if (!take_byte(&rest, &version) || version != VERSION || !take_length(&rest, &len) ||
        rest.len < CHECK_BYTES || len > rest.len - CHECK_BYTES) {
        return false;
    }
    *ret_records = (struct berth_bytes){.data = rest.data, .len = len};
    *parts = (struct berth_bytes){.data = rest.data + len + CHECK_BYTES,
                                  .len = rest.len - len - CHECK_BYTES};
    return true;
}

static bool is_undamaged(const uint8_t *part, const struct berth_bytes *records) {
    uint8_t check[CHECK_BYTES];
    make_check(part, PART_BYTES + records->len, check);
    return memcmp(check, records->data + records->len, CHECK_BYTES) == 0;
}

static bool take_length(struct berth_bytes *rest, size_t *ret_len) {
    size_t len = 0;
    if (rest->len < LENGTH_BYTES) {
        return false;
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++) {
        len |= (size_t)rest->data[i] << (8 * i);
    }
    rest->data += LENGTH_BYTES;
    rest->len -= LENGTH_BYTES;
    *ret_len = len;
    return true;
}

static bool take_byte(struct berth_bytes *rest, uint8_t *ret_byte) {
    if (rest->len == 0) {
        return false;
    }
    *ret_byte = *rest->data++;
    rest->len--;
    return true;
}

static bool take_text(struct berth_bytes *rest, struct berth_bytes *ret_text) {
    size_t len;
    if (!take_length(rest, &len) || len > rest->len) {
        return false;
    }
    *ret_text = (struct berth_bytes){.data = len == 0 ? NULL : rest->data, .len = len};
    rest->data += len;
    rest->len -= len;
    return true;
}

static bool take_header(struct berth_bytes *rest, struct berth_header *ret_header) {
    uint8_t name_len;
    if (!take_byte(rest, &name_len) || rest->len < (size_t)name_len + 1 ||
        memchr(rest->data, 0, (size_t)name_len + 1) != rest->data + name_len) {
        return false;
    }
    ret_header->name = (const char *)rest->data;
    rest->data += name_len + 1;
    rest->len -= (size_t)name_len + 1;
    return take_text(rest, &ret_header->value);
}
