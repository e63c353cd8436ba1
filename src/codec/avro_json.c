/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any record of ours as JSON for people and scripts: plain values, fields in the schema's order.
 */
#include <avro.h>
#include <jansson.h>
#include <stdlib.h>

#include "berth/base/assert.h"
#include "berth/codec/codec.h"
#include "codec_parts.h"
#include "wall_time.h"

/* Each makes a value, or NULL when there is no memory. node is the schema of the value. */
static json_t *make_json(avro_value_t *value, const struct berth_schema_node *node);
static json_t *make_long(avro_value_t *value, const struct berth_schema_node *node);
static json_t *make_text(avro_value_t *value);
static json_t *make_object(avro_value_t *value, const struct berth_schema_node *node);
static json_t *make_array(avro_value_t *value, const struct berth_schema_node *node);
static json_t *make_union(avro_value_t *value, const struct berth_schema_node *node);
static void must(int failed);

enum berth_rc berth_codec_to_json(struct berth_codec *codec, struct berth_bytes value,
                                  struct berth_buffer *out, const char **ret_name,
                                  struct berth_error *reterr) {
    const struct berth_codec_schema *schema;
    const char *code;
    enum berth_rc rc =
        berth_codec_read(codec, value, BERTH_WRITTEN_BYTES_MAX, &schema, &code, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    json_t *json = make_json(schema->value, schema->tree.root);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (text == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    rc = berth_buffer_append_text(out, text);
    free(text);
    if (rc == BERTH_OK && ret_name != NULL) {
        avro_value_t record = *schema->value;
        if (avro_value_get_type(&record) == AVRO_UNION) {
            must(avro_value_get_current_branch(schema->value, &record));
        }
        *ret_name = avro_schema_name(avro_value_get_schema(&record));
    }
    return rc;
}

static json_t *make_json(avro_value_t *value, const struct berth_schema_node *node) {
    int number = 0;
    switch (node->type) {
    case BERTH_SCHEMA_NULL:
        return json_null();
    case BERTH_SCHEMA_BOOLEAN:
        must(avro_value_get_boolean(value, &number));
        return json_boolean(number);
    case BERTH_SCHEMA_INT:
        must(avro_value_get_int(value, &number));
        return json_integer(number);
    case BERTH_SCHEMA_LONG:
        return make_long(value, node);
    case BERTH_SCHEMA_STRING:
        return make_text(value);
    case BERTH_SCHEMA_ENUM:
        must(avro_value_get_enum(value, &number));
        return json_string(node->members[number].name);
    case BERTH_SCHEMA_RECORD:
    case BERTH_SCHEMA_MAP:
        return make_object(value, node);
    case BERTH_SCHEMA_ARRAY:
        return make_array(value, node);
    case BERTH_SCHEMA_UNION:
        return make_union(value, node);
    case BERTH_SCHEMA_FLOAT:
    case BERTH_SCHEMA_DOUBLE:
    case BERTH_SCHEMA_BYTES:
    case BERTH_SCHEMA_FIXED:
        break;
    }
    BERTH_UNREACHABLE("no shipped schema has such a type");
}

static json_t *make_long(avro_value_t *value, const struct berth_schema_node *node) {
    int64_t number = 0;
    char text[BERTH_WALL_TIME_BYTES];
    must(avro_value_get_long(value, &number));
    if (node->is_timestamp_ms && berth_wall_time_text(number, text)) {
        return json_string(text);
    }
    return json_integer(number);
}

static json_t *make_text(avro_value_t *value) {
    const char *text = "";
    size_t bytes = 1; /* With the NUL behind it; others may be within. */
    must(avro_value_get_string(value, &text, &bytes));
    return json_stringn(text, bytes - 1);
}

static json_t *make_object(avro_value_t *value, const struct berth_schema_node *node) {
    json_t *object = json_object();
    size_t count = 0;
    must(avro_value_get_size(value, &count));
    for (size_t i = 0; object != NULL && i < count; i++) {
        avro_value_t member;
        const char *name = "";
        size_t kind = node->type == BERTH_SCHEMA_MAP ? 0 : i;
        must(avro_value_get_by_index(value, i, &member, &name));
        if (json_object_set_new(object, name, make_json(&member, node->members[kind].node)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *make_array(avro_value_t *value, const struct berth_schema_node *node) {
    json_t *array = json_array();
    size_t count = 0;
    must(avro_value_get_size(value, &count));
    for (size_t i = 0; array != NULL && i < count; i++) {
        avro_value_t item;
        must(avro_value_get_by_index(value, i, &item, NULL));
        if (json_array_append_new(array, make_json(&item, node->members[0].node)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *make_union(avro_value_t *value, const struct berth_schema_node *node) {
    int branch_index = 0;
    avro_value_t branch;
    must(avro_value_get_discriminant(value, &branch_index));
    must(avro_value_get_current_branch(value, &branch));
    return make_json(&branch, node->members[branch_index].node);
}

/* A getter can't fail: the value was made from the schema that the node stands for. */
static void must(int failed) {
    BERTH_ASSERT(failed == 0);
}
