/* SPDX-License-Identifier: Apache-2.0 */
#include "avro_check.h"

#include <stdbool.h>
#include <string.h>

#include "berth/base/assert.h"
#include "utf8.h"

#define VARINT_BYTES_MAX 10

/* Walkers answer false after wrong was set. */
struct walk {
    const uint8_t *at;
    const uint8_t *end;
    size_t depth;
    size_t values;
    const char *field; /* The innermost field entered last. */
    const char *wrong; /* The rule that was broken. */
};

static bool walk_value(struct walk *walk, const struct berth_schema_node *node);
static bool walk_type(struct walk *walk, const struct berth_schema_node *node);
static bool walk_record(struct walk *walk, const struct berth_schema_node *node);
static bool walk_union(struct walk *walk, const struct berth_schema_node *node);
static bool walk_blocks(struct walk *walk, const struct berth_schema_node *node);
static bool walk_block(struct walk *walk, const struct berth_schema_node *node, int64_t count);
static bool walk_text(struct walk *walk);
static bool walk_number(struct walk *walk, int64_t *ret_number);
static bool walk_index(struct walk *walk, size_t count, const char *wrong, size_t *ret_index);
static bool walk_length(struct walk *walk, size_t *ret_len);
static bool walk_bytes(struct walk *walk, size_t len);
static bool refuse(struct walk *walk, const char *wrong);

enum berth_rc berth_avro_check(const struct berth_schema_node *node, struct berth_bytes body,
                               struct berth_error *reterr) {
    static const uint8_t nothing[1];
    const uint8_t *start = body.data == NULL ? nothing : body.data;
    struct walk walk = {.at = start, .end = start + body.len};
    if (walk_value(&walk, node) && walk.at == walk.end) {
        return BERTH_OK;
    }
    berth_error_set(reterr, "byte %zu%s%s%s: %s", (size_t)(walk.at - start),
                    walk.field == NULL ? "" : " (field ", walk.field == NULL ? "" : walk.field,
                    walk.field == NULL ? "" : ")",
                    walk.wrong == NULL ? "more bytes follow the record" : walk.wrong);
    return BERTH_INVALID;
}

static bool walk_value(struct walk *walk, const struct berth_schema_node *node) {
    if (walk->depth >= BERTH_SCHEMA_DEPTH_MAX) {
        return refuse(walk, "values are nested too deeply");
    }
    if (walk->values >= BERTH_AVRO_VALUES_MAX) {
        return refuse(walk, "there are too many values");
    }
    walk->values++;
    walk->depth++;
    bool fine = walk_type(walk, node);
    walk->depth--;
    return fine;
}

static bool walk_type(struct walk *walk, const struct berth_schema_node *node) {
    int64_t number;
    size_t index;
    switch (node->type) {
    case BERTH_SCHEMA_NULL:
        return true;
    case BERTH_SCHEMA_BOOLEAN:
        if (walk->at != walk->end && walk->at[0] > 1) {
            return refuse(walk, "a boolean is neither 0 nor 1");
        }
        return walk_bytes(walk, 1);
    case BERTH_SCHEMA_INT:
        if (!walk_number(walk, &number)) {
            return false;
        }
        return (number >= INT32_MIN && number <= INT32_MAX) ||
               refuse(walk, "an int has more than 32 bits");
    case BERTH_SCHEMA_LONG:
        return walk_number(walk, &number);
    case BERTH_SCHEMA_FLOAT:
        return walk_bytes(walk, 4);
    case BERTH_SCHEMA_DOUBLE:
        return walk_bytes(walk, 8);
    case BERTH_SCHEMA_BYTES:
        return walk_length(walk, &index) && walk_bytes(walk, index);
    case BERTH_SCHEMA_STRING:
        return walk_text(walk);
    case BERTH_SCHEMA_RECORD:
        return walk_record(walk, node);
    case BERTH_SCHEMA_ENUM:
        return walk_index(walk, node->members_count, "an enum's number has no symbol", &index);
    case BERTH_SCHEMA_FIXED:
        return walk_bytes(walk, node->fixed_bytes);
    case BERTH_SCHEMA_ARRAY:
    case BERTH_SCHEMA_MAP:
        return walk_blocks(walk, node);
    case BERTH_SCHEMA_UNION:
        return walk_union(walk, node);
    }
    BERTH_UNREACHABLE("every type of a schema is walked");
}

static bool walk_record(struct walk *walk, const struct berth_schema_node *node) {
    for (size_t i = 0; i < node->members_count; i++) {
        walk->field = node->members[i].name;
        if (!walk_value(walk, node->members[i].node)) {
            return false;
        }
    }
    return true;
}

static bool walk_union(struct walk *walk, const struct berth_schema_node *node) {
    size_t index;
    return walk_index(walk, node->members_count, "a union's number has no branch", &index) &&
           walk_value(walk, node->members[index].node);
}

/* Arrays and maps: blocks with a count each, until a count of 0. A negative count is followed by
 * the block's size in bytes. */
static bool walk_blocks(struct walk *walk, const struct berth_schema_node *node) {
    for (;;) {
        int64_t count;
        if (!walk_number(walk, &count)) {
            return false;
        }
        if (count == 0) {
            return true;
        }
        if (count > 0) {
            if (!walk_block(walk, node, count)) {
                return false;
            }
            continue;
        }
        size_t len;
        if (count < -BERTH_AVRO_VALUES_MAX) {
            return refuse(walk, "there are too many values");
        }
        if (!walk_length(walk, &len)) {
            return false;
        }
        const uint8_t *end = walk->at + len;
        if (!walk_block(walk, node, -count)) {
            return false;
        }
        if (walk->at != end) {
            return refuse(walk, "a block's size in bytes is wrong");
        }
    }
}

static bool walk_block(struct walk *walk, const struct berth_schema_node *node, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (node->type == BERTH_SCHEMA_MAP && !walk_text(walk)) {
            return false;
        }
        if (!walk_value(walk, node->members[0].node)) {
            return false;
        }
    }
    return true;
}

static bool walk_text(struct walk *walk) {
    size_t len;
    if (!walk_length(walk, &len)) {
        return false;
    }
    if (berth_utf8_valid_len(walk->at, len) != len) {
        return refuse(walk, "text is not UTF-8");
    }
    return walk_bytes(walk, len);
}

/* A zig-zag number of 7 bits a byte, lowest first. */
static bool walk_number(struct walk *walk, int64_t *ret_number) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        if (walk->at == walk->end) {
            return refuse(walk, "the record ends within a number");
        }
        uint8_t byte = *walk->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) {
            return refuse(walk, "a number has more than 64 bits");
        }
        bits |= (uint64_t)(byte & 0x7fU) << (7 * i);
        if (byte < 0x80) {
            *ret_number = (int64_t)((bits >> 1U) ^ (0U - (bits & 1U)));
            return true;
        }
    }
    return refuse(walk, "a number has more than 64 bits");
}

static bool walk_index(struct walk *walk, size_t count, const char *wrong, size_t *ret_index) {
    int64_t number;
    if (!walk_number(walk, &number)) {
        return false;
    }
    if (number < 0 || (uint64_t)number >= count) {
        return refuse(walk, wrong);
    }
    *ret_index = (size_t)number;
    return true;
}

static bool walk_length(struct walk *walk, size_t *ret_len) {
    int64_t number;
    if (!walk_number(walk, &number)) {
        return false;
    }
    if (number < 0) {
        return refuse(walk, "a length is negative");
    }
    if ((uint64_t)number > (size_t)(walk->end - walk->at)) {
        return refuse(walk, "a length runs past the end");
    }
    *ret_len = (size_t)number;
    return true;
}

static bool walk_bytes(struct walk *walk, size_t len) {
    if (len > (size_t)(walk->end - walk->at)) {
        return refuse(walk, "the record ends within a value");
    }
    walk->at += len;
    return true;
}

static bool refuse(struct walk *walk, const char *wrong) {
    walk->wrong = wrong;
    return false;
}
