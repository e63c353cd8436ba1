/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

struct parser {
    struct berth_schema *schema;
    struct berth_error *reterr;
    size_t depth;
};

/* Each parses one form of a type. namespace: the enclosing one; empty: none. */
static enum berth_rc parse_type(struct parser *parser, const json_t *json, const char *namespace,
                                const struct berth_schema_node **ret_node);
static enum berth_rc parse_word(struct parser *parser, const json_t *json, const char *namespace,
                                const struct berth_schema_node **ret_node);
static enum berth_rc parse_union(struct parser *parser, const json_t *json, const char *namespace,
                                 const struct berth_schema_node **ret_node);
static enum berth_rc parse_object(struct parser *parser, const json_t *json, const char *namespace,
                                  const struct berth_schema_node **ret_node);
static enum berth_rc parse_container(struct parser *parser, const json_t *json,
                                     enum berth_schema_type type, const char *namespace,
                                     const struct berth_schema_node **ret_node);
static enum berth_rc parse_named(struct parser *parser, const json_t *json,
                                 enum berth_schema_type type, const char *namespace,
                                 const struct berth_schema_node **ret_node);
/* Each fills a named type. */
static enum berth_rc parse_fields(struct parser *parser, const json_t *json, const char *namespace,
                                  struct berth_schema_node *node);
static enum berth_rc parse_symbols(struct parser *parser, const json_t *json,
                                   struct berth_schema_node *node);
static enum berth_rc parse_size(struct parser *parser, const json_t *json,
                                struct berth_schema_node *node);

static enum berth_rc invalid(struct parser *parser, const char *what, const char *name);
static enum berth_rc add_node(struct parser *parser, enum berth_schema_type type, size_t members,
                              struct berth_schema_node **ret_node);
static enum berth_rc set_full_name(struct parser *parser, const json_t *json, const char *enclosing,
                                   struct berth_schema_node *node);
static bool join_name(const char *name, const char *namespace,
                      char ret_name[BERTH_SCHEMA_NAME_BYTES]);
static void namespace_of(const char *full_name, char ret_namespace[BERTH_SCHEMA_NAME_BYTES]);
static const struct berth_schema_node *find_named(const struct berth_schema *schema,
                                                  const char *full_name);
static bool is_dotted_name(const char *name);
static bool is_simple_name(const char *name);
static bool find_type(const char *word, enum berth_schema_type *ret_type);

static const char *const TYPE_NAMES[BERTH_SCHEMA_TYPES] = {
    [BERTH_SCHEMA_NULL] = "null",     [BERTH_SCHEMA_BOOLEAN] = "boolean",
    [BERTH_SCHEMA_INT] = "int",       [BERTH_SCHEMA_LONG] = "long",
    [BERTH_SCHEMA_FLOAT] = "float",   [BERTH_SCHEMA_DOUBLE] = "double",
    [BERTH_SCHEMA_BYTES] = "bytes",   [BERTH_SCHEMA_STRING] = "string",
    [BERTH_SCHEMA_RECORD] = "record", [BERTH_SCHEMA_ENUM] = "enum",
    [BERTH_SCHEMA_FIXED] = "fixed",   [BERTH_SCHEMA_ARRAY] = "array",
    [BERTH_SCHEMA_MAP] = "map",       [BERTH_SCHEMA_UNION] = "union",
};

enum berth_rc berth_schema_init(struct berth_schema *schema, const void *text, size_t text_len,
                                struct berth_error *reterr) {
    *schema = (struct berth_schema){0};
    struct parser parser = {.schema = schema, .reterr = reterr};
    if (text_len > BERTH_SCHEMA_TEXT_BYTES_MAX) {
        return invalid(&parser, "the text is too long", "");
    }
    json_error_t error;
    schema->json = json_loadb(text, text_len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (schema->json == NULL) {
        return invalid(&parser, "it is no JSON:", error.text);
    }
    enum berth_rc rc = parse_type(&parser, schema->json, "", &schema->root);
    if (rc != BERTH_OK) {
        berth_schema_deinit(schema);
    }
    return rc;
}

void berth_schema_deinit(struct berth_schema *schema) {
    struct berth_schema_node *node = schema->nodes;
    while (node != NULL) {
        struct berth_schema_node *next = node->next;
        free(node->members);
        free(node);
        node = next;
    }
    json_decref(schema->json);
    *schema = (struct berth_schema){0};
}

const char *berth_schema_type_name(enum berth_schema_type type) {
    BERTH_ASSERT((size_t)type < BERTH_SCHEMA_TYPES);
    return TYPE_NAMES[type];
}

static enum berth_rc parse_type(struct parser *parser, const json_t *json, const char *namespace,
                                const struct berth_schema_node **ret_node) {
    if (parser->depth >= BERTH_SCHEMA_DEPTH_MAX) {
        return invalid(parser, "types are nested too deeply", "");
    }
    parser->depth++;
    enum berth_rc rc;
    if (json_is_string(json)) {
        rc = parse_word(parser, json, namespace, ret_node);
    } else if (json_is_array(json)) {
        rc = parse_union(parser, json, namespace, ret_node);
    } else {
        rc = parse_object(parser, json, namespace, ret_node);
    }
    parser->depth--;
    return rc;
}

/* A primitive's word or the name of a type that came before. */
static enum berth_rc parse_word(struct parser *parser, const json_t *json, const char *namespace,
                                const struct berth_schema_node **ret_node) {
    const char *word = json_string_value(json);
    enum berth_schema_type type;
    if (find_type(word, &type) && type <= BERTH_SCHEMA_STRING) {
        struct berth_schema_node *node;
        enum berth_rc rc = add_node(parser, type, 0, &node);
        if (rc == BERTH_OK) {
            *ret_node = node;
        }
        return rc;
    }
    char full_name[BERTH_SCHEMA_NAME_BYTES];
    if (!is_dotted_name(word) || !join_name(word, namespace, full_name)) {
        return invalid(parser, "not a type's name:", word);
    }
    const struct berth_schema_node *node = find_named(parser->schema, full_name);
    if (node == NULL) {
        return invalid(parser, "no such type was defined before:", full_name);
    }
    *ret_node = node;
    return BERTH_OK;
}

static enum berth_rc parse_union(struct parser *parser, const json_t *json, const char *namespace,
                                 const struct berth_schema_node **ret_node) {
    struct berth_schema_node *node;
    size_t count = json_array_size(json);
    enum berth_rc rc = add_node(parser, BERTH_SCHEMA_UNION, count, &node);
    for (size_t i = 0; rc == BERTH_OK && i < count; i++) {
        rc = parse_type(parser, json_array_get(json, i), namespace, &node->members[i].node);
        if (rc == BERTH_OK && node->members[i].node->type == BERTH_SCHEMA_UNION) {
            return invalid(parser, "a union directly within a union", "");
        }
    }
    if (rc == BERTH_OK) {
        *ret_node = node;
    }
    return rc;
}

static enum berth_rc parse_object(struct parser *parser, const json_t *json, const char *namespace,
                                  const struct berth_schema_node **ret_node) {
    const json_t *type_json = json_object_get(json, "type");
    if (json_is_object(type_json) || json_is_array(type_json)) {
        return parse_type(parser, type_json, namespace, ret_node);
    }
    enum berth_schema_type type;
    if (!json_is_string(type_json) || !find_type(json_string_value(type_json), &type)) {
        return invalid(parser, "a type without a known \"type\"", "");
    }
    if (type == BERTH_SCHEMA_ARRAY || type == BERTH_SCHEMA_MAP) {
        return parse_container(parser, json, type, namespace, ret_node);
    }
    if (type > BERTH_SCHEMA_STRING) {
        return parse_named(parser, json, type, namespace, ret_node);
    }
    struct berth_schema_node *node;
    enum berth_rc rc = add_node(parser, type, 0, &node);
    if (rc == BERTH_OK) {
        const char *logical = json_string_value(json_object_get(json, "logicalType"));
        node->is_timestamp_ms = type == BERTH_SCHEMA_LONG && logical != NULL &&
                                strcmp(logical, "timestamp-millis") == 0;
        *ret_node = node;
    }
    return rc;
}

static enum berth_rc parse_container(struct parser *parser, const json_t *json,
                                     enum berth_schema_type type, const char *namespace,
                                     const struct berth_schema_node **ret_node) {
    const json_t *inner = json_object_get(json, type == BERTH_SCHEMA_ARRAY ? "items" : "values");
    if (inner == NULL) {
        return invalid(parser, "without its items or values:", berth_schema_type_name(type));
    }
    struct berth_schema_node *node;
    enum berth_rc rc = add_node(parser, type, 1, &node);
    if (rc == BERTH_OK) {
        rc = parse_type(parser, inner, namespace, &node->members[0].node);
    }
    if (rc == BERTH_OK) {
        *ret_node = node;
    }
    return rc;
}

static enum berth_rc parse_named(struct parser *parser, const json_t *json,
                                 enum berth_schema_type type, const char *namespace,
                                 const struct berth_schema_node **ret_node) {
    if (type == BERTH_SCHEMA_UNION) {
        return invalid(parser, "a union is written as an array", "");
    }
    const json_t *members =
        json_object_get(json, type == BERTH_SCHEMA_RECORD ? "fields" : "symbols");
    if (type != BERTH_SCHEMA_FIXED && !json_is_array(members)) {
        return invalid(parser, "without its fields or symbols:", berth_schema_type_name(type));
    }
    struct berth_schema_node *node;
    size_t count = type == BERTH_SCHEMA_FIXED ? 0 : json_array_size(members);
    enum berth_rc rc = add_node(parser, type, count, &node);
    if (rc == BERTH_OK) {
        rc = set_full_name(parser, json, namespace, node);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    char own_namespace[BERTH_SCHEMA_NAME_BYTES];
    namespace_of(node->name, own_namespace);
    if (type == BERTH_SCHEMA_RECORD) {
        rc = parse_fields(parser, members, own_namespace, node);
    } else if (type == BERTH_SCHEMA_ENUM) {
        rc = parse_symbols(parser, members, node);
    } else {
        rc = parse_size(parser, json, node);
    }
    if (rc == BERTH_OK) {
        *ret_node = node;
    }
    return rc;
}

static enum berth_rc parse_fields(struct parser *parser, const json_t *json, const char *namespace,
                                  struct berth_schema_node *node) {
    enum berth_rc rc = BERTH_OK;
    for (size_t i = 0; rc == BERTH_OK && i < node->members_count; i++) {
        const json_t *field = json_array_get(json, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        const json_t *type = json_object_get(field, "type");
        if (name == NULL || !is_simple_name(name) || type == NULL) {
            return invalid(parser, "a field without name or type in", node->name);
        }
        node->members[i].name = name;
        rc = parse_type(parser, type, namespace, &node->members[i].node);
    }
    return rc;
}

static enum berth_rc parse_symbols(struct parser *parser, const json_t *json,
                                   struct berth_schema_node *node) {
    for (size_t i = 0; i < node->members_count; i++) {
        const char *symbol = json_string_value(json_array_get(json, i));
        if (symbol == NULL || !is_simple_name(symbol)) {
            return invalid(parser, "a symbol that is no name in", node->name);
        }
        node->members[i].name = symbol;
    }
    return BERTH_OK;
}

static enum berth_rc parse_size(struct parser *parser, const json_t *json,
                                struct berth_schema_node *node) {
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > BERTH_SCHEMA_FIXED_MAX) {
        return invalid(parser, "a size that is none, or too large, in", node->name);
    }
    node->fixed_bytes = (size_t)json_integer_value(size);
    return BERTH_OK;
}

static enum berth_rc invalid(struct parser *parser, const char *what, const char *name) {
    berth_error_set(parser->reterr, "not a usable Avro schema: %s%s%s", what,
                    name[0] == 0 ? "" : " ", name);
    return BERTH_INVALID;
}

static enum berth_rc add_node(struct parser *parser, enum berth_schema_type type, size_t members,
                              struct berth_schema_node **ret_node) {
    struct berth_schema *schema = parser->schema;
    if (schema->nodes_count >= BERTH_SCHEMA_NODES_MAX) {
        return invalid(parser, "it has too many types", "");
    }
    if (members > BERTH_SCHEMA_MEMBERS_MAX) {
        return invalid(parser, "too many fields, branches or symbols", "");
    }
    struct berth_schema_node *node = calloc(1, sizeof *node);
    struct berth_schema_member *list = NULL;
    if (node != NULL && members > 0) {
        list = calloc(members, sizeof *list);
    }
    if (node == NULL || (members > 0 && list == NULL)) {
        free(node);
        return BERTH_FAULT_MEMORY;
    }
    node->type = type;
    node->index = schema->nodes_count++;
    node->members = list;
    node->members_count = members;
    node->next = schema->nodes;
    schema->nodes = node;
    *ret_node = node;
    return BERTH_OK;
}

/* A name with a dot is full already; else its own "namespace" counts, else the enclosing one. */
static enum berth_rc set_full_name(struct parser *parser, const json_t *json, const char *enclosing,
                                   struct berth_schema_node *node) {
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *own = json_string_value(json_object_get(json, "namespace"));
    const char *namespace = own != NULL ? own : enclosing;
    if (name == NULL || !is_dotted_name(name) ||
        (namespace[0] != 0 && !is_dotted_name(namespace))) {
        return invalid(parser, "a type without a legal name", "");
    }
    char full_name[BERTH_SCHEMA_NAME_BYTES];
    if (!join_name(name, namespace, full_name)) {
        return invalid(parser, "a name that is too long:", name);
    }
    if (find_named(parser->schema, full_name) != NULL) {
        return invalid(parser, "defined twice:", full_name);
    }
    memcpy(node->name, full_name, sizeof full_name);
    return BERTH_OK;
}

static bool join_name(const char *name, const char *namespace,
                      char ret_name[BERTH_SCHEMA_NAME_BYTES]) {
    bool full = namespace[0] == 0 || strchr(name, '.') != NULL;
    size_t prefix_len = full ? 0 : strlen(namespace);
    size_t len = strlen(name);
    if (prefix_len + 1 + len >= BERTH_SCHEMA_NAME_BYTES) {
        return false;
    }
    memset(ret_name, 0, BERTH_SCHEMA_NAME_BYTES);
    if (prefix_len > 0) {
        memcpy(ret_name, namespace, prefix_len);
        ret_name[prefix_len++] = '.';
    }
    memcpy(ret_name + prefix_len, name, len);
    return true;
}

static void namespace_of(const char *full_name, char ret_namespace[BERTH_SCHEMA_NAME_BYTES]) {
    const char *dot = strrchr(full_name, '.');
    size_t len = dot == NULL ? 0 : (size_t)(dot - full_name);
    memcpy(ret_namespace, full_name, len);
    ret_namespace[len] = 0;
}

static const struct berth_schema_node *find_named(const struct berth_schema *schema,
                                                  const char *full_name) {
    for (const struct berth_schema_node *node = schema->nodes; node != NULL; node = node->next) {
        if (strcmp(node->name, full_name) == 0) {
            return node;
        }
    }
    return NULL;
}

static bool is_dotted_name(const char *name) {
    const char *part = name;
    for (;;) {
        const char *dot = strchr(part, '.');
        size_t len = dot == NULL ? strlen(part) : (size_t)(dot - part);
        char simple[BERTH_SCHEMA_NAME_BYTES];
        if (len >= sizeof simple) {
            return false;
        }
        memcpy(simple, part, len);
        simple[len] = 0;
        if (!is_simple_name(simple)) {
            return false;
        }
        if (dot == NULL) {
            return true;
        }
        part = dot + 1;
    }
}

/* [A-Za-z_][A-Za-z0-9_]* */
static bool is_simple_name(const char *name) {
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    static const char ALL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return strspn(name, LETTERS) > 0 && name[strspn(name, ALL)] == 0;
}

static bool find_type(const char *word, enum berth_schema_type *ret_type) {
    for (size_t i = 0; i < BERTH_SCHEMA_TYPES; i++) {
        if (strcmp(word, TYPE_NAMES[i]) == 0) {
            *ret_type = (enum berth_schema_type)i;
            return true;
        }
    }
    return false;
}
