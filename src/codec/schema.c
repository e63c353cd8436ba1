/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

/* Parsers answer NULL, or false, after they have set rc and reterr. */
struct parser {
    struct berth_schema *schema;
    struct berth_error *reterr;
    enum berth_rc rc;
    size_t depth;
};

/* Each parses one form of a type. namespace: the enclosing one; empty: none. */
static const struct berth_schema_node *parse_type(struct parser *parser, const json_t *json,
                                                  const char *namespace);
static const struct berth_schema_node *parse_word(struct parser *parser, const json_t *json,
                                                  const char *namespace);
static const struct berth_schema_node *parse_union(struct parser *parser, const json_t *json,
                                                   const char *namespace);
static const struct berth_schema_node *parse_object(struct parser *parser, const json_t *json,
                                                    const char *namespace);
static const struct berth_schema_node *parse_container(struct parser *parser, const json_t *json,
                                                       enum berth_schema_type type,
                                                       const char *namespace);
static const struct berth_schema_node *parse_named(struct parser *parser, const json_t *json,
                                                   enum berth_schema_type type,
                                                   const char *namespace);
/* Each fills a named type. */
static bool parse_fields(struct parser *parser, const json_t *json, struct berth_schema_node *node);
static bool parse_symbols(struct parser *parser, const json_t *json,
                          struct berth_schema_node *node);
static bool parse_size(struct parser *parser, const json_t *json, struct berth_schema_node *node);

static void invalid(struct parser *parser, const char *what, const char *name);
static struct berth_schema_node *add_node(struct parser *parser, enum berth_schema_type type,
                                          size_t members);
static bool set_full_name(struct parser *parser, const json_t *json, const char *enclosing,
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
    struct parser parser = {.schema = schema, .reterr = reterr, .rc = BERTH_OK};
    json_error_t error;
    if (text_len > BERTH_SCHEMA_TEXT_BYTES_MAX) {
        invalid(&parser, "the text is too long", "");
        return parser.rc;
    }
    schema->json = json_loadb(text, text_len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (schema->json == NULL) {
        invalid(&parser, "it is no JSON:", error.text);
        return parser.rc;
    }
    schema->root = parse_type(&parser, schema->json, "");
    if (schema->root == NULL) {
        berth_schema_deinit(schema);
    }
    return parser.rc;
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

static const struct berth_schema_node *parse_type(struct parser *parser, const json_t *json,
                                                  const char *namespace) {
    if (parser->depth >= BERTH_SCHEMA_DEPTH_MAX) {
        invalid(parser, "types are nested too deeply", "");
        return NULL;
    }
    parser->depth++;
    const struct berth_schema_node *node = NULL;
    if (json_is_string(json)) {
        node = parse_word(parser, json, namespace);
    } else if (json_is_array(json)) {
        node = parse_union(parser, json, namespace);
    } else {
        node = parse_object(parser, json, namespace);
    }
    parser->depth--;
    return node;
}

/* A primitive's word or the name of a type that came before. */
static const struct berth_schema_node *parse_word(struct parser *parser, const json_t *json,
                                                  const char *namespace) {
    const char *word = json_string_value(json);
    enum berth_schema_type type;
    if (find_type(word, &type) && type <= BERTH_SCHEMA_STRING) {
        return add_node(parser, type, 0);
    }
    char full_name[BERTH_SCHEMA_NAME_BYTES];
    if (!is_dotted_name(word) || !join_name(word, namespace, full_name)) {
        invalid(parser, "not a type's name:", word);
        return NULL;
    }
    const struct berth_schema_node *node = find_named(parser->schema, full_name);
    if (node == NULL) {
        invalid(parser, "no such type was defined before:", full_name);
    }
    return node;
}

static const struct berth_schema_node *parse_union(struct parser *parser, const json_t *json,
                                                   const char *namespace) {
    struct berth_schema_node *node = add_node(parser, BERTH_SCHEMA_UNION, json_array_size(json));
    for (size_t i = 0; node != NULL && i < node->members_count; i++) {
        const struct berth_schema_node *branch =
            parse_type(parser, json_array_get(json, i), namespace);
        if (branch == NULL) {
            return NULL;
        }
        if (branch->type == BERTH_SCHEMA_UNION) {
            invalid(parser, "a union directly within a union", "");
            return NULL;
        }
        node->members[i].node = branch;
    }
    return node;
}

static const struct berth_schema_node *parse_object(struct parser *parser, const json_t *json,
                                                    const char *namespace) {
    const json_t *type_json = json_object_get(json, "type");
    if (json_is_object(type_json) || json_is_array(type_json)) {
        return parse_type(parser, type_json, namespace);
    }
    enum berth_schema_type type;
    if (!json_is_string(type_json) || !find_type(json_string_value(type_json), &type)) {
        invalid(parser, "a type without a known \"type\"", "");
        return NULL;
    }
    if (type == BERTH_SCHEMA_ARRAY || type == BERTH_SCHEMA_MAP) {
        return parse_container(parser, json, type, namespace);
    }
    if (type > BERTH_SCHEMA_STRING) {
        return parse_named(parser, json, type, namespace);
    }
    struct berth_schema_node *node = add_node(parser, type, 0);
    if (node != NULL && type == BERTH_SCHEMA_LONG) {
        const char *logical = json_string_value(json_object_get(json, "logicalType"));
        node->is_timestamp_ms = logical != NULL && strcmp(logical, "timestamp-millis") == 0;
    }
    return node;
}

static const struct berth_schema_node *parse_container(struct parser *parser, const json_t *json,
                                                       enum berth_schema_type type,
                                                       const char *namespace) {
    const json_t *inner = json_object_get(json, type == BERTH_SCHEMA_ARRAY ? "items" : "values");
    if (inner == NULL) {
        invalid(parser, "without its items or values:", berth_schema_type_name(type));
        return NULL;
    }
    struct berth_schema_node *node = add_node(parser, type, 1);
    if (node == NULL) {
        return NULL;
    }
    node->members[0].node = parse_type(parser, inner, namespace);
    return node->members[0].node == NULL ? NULL : node;
}

static const struct berth_schema_node *parse_named(struct parser *parser, const json_t *json,
                                                   enum berth_schema_type type,
                                                   const char *namespace) {
    if (type == BERTH_SCHEMA_UNION) {
        invalid(parser, "a union is written as an array", "");
        return NULL;
    }
    const json_t *members =
        json_object_get(json, type == BERTH_SCHEMA_RECORD ? "fields" : "symbols");
    if (type != BERTH_SCHEMA_FIXED && !json_is_array(members)) {
        invalid(parser, "without its fields or symbols:", berth_schema_type_name(type));
        return NULL;
    }
    size_t count = type == BERTH_SCHEMA_FIXED ? 0 : json_array_size(members);
    struct berth_schema_node *node = add_node(parser, type, count);
    if (node == NULL || !set_full_name(parser, json, namespace, node)) {
        return NULL;
    }
    bool fine;
    if (type == BERTH_SCHEMA_RECORD) {
        fine = parse_fields(parser, members, node);
    } else if (type == BERTH_SCHEMA_ENUM) {
        fine = parse_symbols(parser, members, node);
    } else {
        fine = parse_size(parser, json, node);
    }
    return fine ? node : NULL;
}

static bool parse_fields(struct parser *parser, const json_t *json,
                         struct berth_schema_node *node) {
    char namespace[BERTH_SCHEMA_NAME_BYTES];
    namespace_of(node->name, namespace);
    for (size_t i = 0; i < node->members_count; i++) {
        const json_t *field = json_array_get(json, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        const json_t *type = json_object_get(field, "type");
        if (name == NULL || !is_simple_name(name) || type == NULL) {
            invalid(parser, "a field without name or type in", node->name);
            return false;
        }
        node->members[i].name = name;
        node->members[i].node = parse_type(parser, type, namespace);
        if (node->members[i].node == NULL) {
            return false;
        }
    }
    return true;
}

static bool parse_symbols(struct parser *parser, const json_t *json,
                          struct berth_schema_node *node) {
    for (size_t i = 0; i < node->members_count; i++) {
        const char *symbol = json_string_value(json_array_get(json, i));
        if (symbol == NULL || !is_simple_name(symbol)) {
            invalid(parser, "a symbol that is no name in", node->name);
            return false;
        }
        node->members[i].name = symbol;
    }
    return true;
}

static bool parse_size(struct parser *parser, const json_t *json, struct berth_schema_node *node) {
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > BERTH_SCHEMA_FIXED_MAX) {
        invalid(parser, "a size that is none, or too large, in", node->name);
        return false;
    }
    node->fixed_bytes = (size_t)json_integer_value(size);
    return true;
}

static void invalid(struct parser *parser, const char *what, const char *name) {
    berth_error_set(parser->reterr, "not a usable Avro schema: %s%s%s", what,
                    name[0] == 0 ? "" : " ", name);
    parser->rc = BERTH_INVALID;
}

static struct berth_schema_node *add_node(struct parser *parser, enum berth_schema_type type,
                                          size_t members) {
    struct berth_schema *schema = parser->schema;
    if (schema->nodes_count >= BERTH_SCHEMA_NODES_MAX) {
        invalid(parser, "it has too many types", "");
        return NULL;
    }
    if (members > BERTH_SCHEMA_MEMBERS_MAX) {
        invalid(parser, "too many fields, branches or symbols", "");
        return NULL;
    }
    struct berth_schema_node *node = calloc(1, sizeof *node);
    /* One more, so that there's always something to point to. */
    struct berth_schema_member *list = calloc(members + 1, sizeof *list);
    if (node == NULL || list == NULL) {
        free(node);
        free(list);
        parser->rc = BERTH_FAULT_MEMORY;
        return NULL;
    }
    node->type = type;
    node->index = schema->nodes_count++;
    node->members = list;
    node->members_count = members;
    node->next = schema->nodes;
    schema->nodes = node;
    return node;
}

/* A name with a dot is full already; else its own "namespace" counts, else the enclosing one. */
static bool set_full_name(struct parser *parser, const json_t *json, const char *enclosing,
                          struct berth_schema_node *node) {
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *own = json_string_value(json_object_get(json, "namespace"));
    const char *namespace = own != NULL ? own : enclosing;
    if (name == NULL || !is_dotted_name(name) ||
        (namespace[0] != 0 && !is_dotted_name(namespace))) {
        invalid(parser, "a type without a legal name", "");
        return false;
    }
    char full_name[BERTH_SCHEMA_NAME_BYTES];
    if (!join_name(name, namespace, full_name)) {
        invalid(parser, "a name that is too long:", name);
        return false;
    }
    if (find_named(parser->schema, full_name) != NULL) {
        invalid(parser, "defined twice:", full_name);
        return false;
    }
    memcpy(node->name, full_name, sizeof full_name);
    return true;
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
