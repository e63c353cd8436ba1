/* SPDX-License-Identifier: Apache-2.0 */
#include "space_fields.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/buffer.h"

#define BINDING_PREFIX     "binding:"
#define BINDING_PREFIX_LEN (sizeof(BINDING_PREFIX) - 1)
/* Stands for an unknown key id: a value has three words. */
#define NO_KEY_ID "-"

/* ---- Writing ---- */

static void add_number(struct berth_redis_args *args, const char *field, int64_t number) {
    berth_redis_args_text(args, field);
    berth_redis_args_number(args, number);
}

static void add_text(struct berth_redis_args *args, const char *field, const char *text) {
    berth_redis_args_text(args, field);
    berth_redis_args_text(args, text);
}

static const char *visibility_text(enum berth_visibility visibility) {
    switch (visibility) {
    case BERTH_PUBLIC:
        return "PUBLIC";
    case BERTH_PRIVATE:
        return "PRIVATE";
    case BERTH_VISIBILITY_UNSET:
        return "";
    }
    BERTH_UNREACHABLE("visibility");
}

static void add_binding(struct berth_redis_args *args, const struct berth_binding *binding) {
    berth_redis_args_append(args, BINDING_PREFIX);
    berth_redis_args_append(args, binding->workspace);
    berth_redis_args_close(args);
    berth_redis_args_append_number(args, binding->robot_id);
    berth_redis_args_append(args, " ");
    berth_redis_args_append(args, binding->key_id[0] == '\0' ? NO_KEY_ID : binding->key_id);
    berth_redis_args_append(args, binding->disabled  ? " disabled"
                                  : binding->altered ? " altered"
                                                     : " active");
    berth_redis_args_close(args);
}

void space_fields_add(struct berth_redis_args *args, const struct berth_space_state *state,
                      int64_t version) {
    BERTH_ASSERT(state->knowledge != BERTH_SPACE_UNKNOWN);
    BERTH_ASSERT(state->bindings_count <= BERTH_SPACE_BINDINGS_MAX);
    bool present = state->knowledge == BERTH_SPACE_PRESENT;
    add_text(args, "state", present ? "present" : "absent");
    add_number(args, "version", version);
    add_text(args, "updated_by", state->updated_by);
    add_number(args, "updated_at", state->updated_at_ms);
    add_number(args, "verified_at", state->verified_at_ms);
    if (!present) {
        return;
    }
    add_number(args, "project_id", state->project_id);
    add_text(args, "visibility", visibility_text(state->visibility));
    add_number(args, "quota_bytes", state->quota_bytes);
    add_text(args, "created_by", state->created_by);
    for (size_t i = 0; i < state->bindings_count; i++) {
        add_binding(args, &state->bindings[i]);
    }
}

void space_fields_join(struct berth_redis_args *args, size_t from) {
    BERTH_ASSERT(from < args->count);
    for (size_t i = from; i < args->count; i++) {
        if (i > from) {
            berth_redis_args_append(args, "\n");
        }
        berth_redis_args_append_bytes(args, args->words[i], args->lens[i]);
    }
    args->count = from;
    berth_redis_args_close(args);
}

/* ---- Reading ---- */

struct lines {
    const char *at;
    const char *end; /* NULL once all were given out. */
};

/* The next line without its end, or false. */
static bool next_line(struct lines *lines, struct berth_bytes *ret_line) {
    if (lines->end == NULL) {
        return false;
    }
    const char *stop = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    const char *line_end = stop == NULL ? lines->end : stop;
    *ret_line = (struct berth_bytes){(const uint8_t *)lines->at, (size_t)(line_end - lines->at)};
    if (stop == NULL) {
        lines->end = NULL;
    } else {
        lines->at = stop + 1;
    }
    return true;
}

static bool equals(struct berth_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

static bool is_binding(struct berth_bytes field) {
    return field.len > BINDING_PREFIX_LEN &&
           memcmp(field.data, BINDING_PREFIX, BINDING_PREFIX_LEN) == 0;
}

/* False: not a decimal number that fits. */
static bool parse_number(struct berth_bytes text, int64_t *ret_number) {
    bool negative = text.len > 0 && text.data[0] == '-';
    size_t first = negative ? 1 : 0;
    if (text.len == first) {
        return false;
    }
    int64_t number = 0;
    for (size_t i = first; i < text.len; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return false;
        }
    }
    *ret_number = negative ? -number : number;
    return true;
}

/* False: too long. */
static bool copy_text(struct berth_bytes text, char *ret_text, size_t bytes) {
    if (text.len >= bytes) {
        return false;
    }
    memcpy(ret_text, text.data, text.len);
    /* Takes the state's list for lost here; space_fields_parse() frees it. */
    ret_text[text.len] = '\0'; // NOLINT(clang-analyzer-unix.Malloc)
    return true;
}

/* The text up to the next blank, which is taken off. */
static struct berth_bytes next_word(struct berth_bytes *rest) {
    const uint8_t *blank = rest->len == 0 ? NULL : memchr(rest->data, ' ', rest->len);
    size_t len = blank == NULL ? rest->len : (size_t)(blank - rest->data);
    struct berth_bytes word = {rest->data, len};
    size_t taken = blank == NULL ? len : len + 1;
    rest->data += taken;
    rest->len -= taken;
    return word;
}

static bool parse_binding(struct berth_bytes field, struct berth_bytes value,
                          struct berth_binding *ret_binding) {
    struct berth_bytes workspace = {field.data + BINDING_PREFIX_LEN,
                                    field.len - BINDING_PREFIX_LEN};
    struct berth_bytes robot_id = next_word(&value);
    struct berth_bytes key_id = next_word(&value);
    ret_binding->disabled = equals(value, "disabled");
    ret_binding->altered = equals(value, "altered");
    if (equals(key_id, NO_KEY_ID)) {
        key_id.len = 0;
    }
    return copy_text(workspace, ret_binding->workspace, sizeof(ret_binding->workspace)) &&
           parse_number(robot_id, &ret_binding->robot_id) &&
           copy_text(key_id, ret_binding->key_id, sizeof(ret_binding->key_id)) &&
           (ret_binding->disabled || ret_binding->altered || equals(value, "active"));
}

/* A field that isn't a binding. False: its value can't be understood. */
static bool parse_field(struct berth_bytes field, struct berth_bytes value,
                        struct berth_space_state *state) {
    if (equals(field, "state")) {
        bool present = equals(value, "present");
        state->knowledge = present ? BERTH_SPACE_PRESENT : BERTH_SPACE_ABSENT;
        return present || equals(value, "absent");
    }
    if (equals(field, "visibility")) {
        bool public = equals(value, "PUBLIC");
        bool private = equals(value, "PRIVATE");
        state->visibility = public    ? BERTH_PUBLIC
                            : private ? BERTH_PRIVATE
                                      : BERTH_VISIBILITY_UNSET;
        return public || private || value.len == 0;
    }
    if (equals(field, "project_id")) {
        return parse_number(value, &state->project_id);
    }
    if (equals(field, "quota_bytes")) {
        return parse_number(value, &state->quota_bytes);
    }
    if (equals(field, "created_by")) {
        return copy_text(value, state->created_by, sizeof(state->created_by));
    }
    if (equals(field, "updated_by")) {
        return copy_text(value, state->updated_by, sizeof(state->updated_by));
    }
    if (equals(field, "updated_at")) {
        return parse_number(value, &state->updated_at_ms);
    }
    if (equals(field, "verified_at")) {
        return parse_number(value, &state->verified_at_ms);
    }
    return !equals(field, "version") || parse_number(value, &state->version);
}

static size_t count_bindings(struct lines lines) {
    size_t count = 0;
    struct berth_bytes field;
    struct berth_bytes value;
    while (next_line(&lines, &field) && next_line(&lines, &value)) {
        count += is_binding(field) ? 1 : 0;
    }
    return count;
}

/* state has room for bindings_max bindings. */
static bool parse_lines(struct lines lines, size_t bindings_max, struct berth_space_state *state) {
    struct berth_bytes field;
    struct berth_bytes value;
    while (next_line(&lines, &field)) {
        if (!next_line(&lines, &value)) {
            return false;
        }
        if (!is_binding(field)) {
            if (!parse_field(field, value, state)) {
                return false;
            }
        } else if (state->bindings_count < bindings_max &&
                   parse_binding(field, value, &state->bindings[state->bindings_count])) {
            state->bindings_count++;
        } else {
            return false;
        }
    }
    return true;
}

static int compare_workspaces(const void *left, const void *right) {
    const struct berth_binding *a = left;
    const struct berth_binding *b = right;
    return strcmp(a->workspace, b->workspace);
}

enum berth_rc space_fields_parse(const char *text, size_t len,
                                 struct berth_space_state *ret_state) {
    struct lines lines = {text, text + len};
    struct berth_space_state state = {.knowledge = BERTH_SPACE_UNKNOWN};
    size_t bindings = count_bindings(lines);
    if (bindings > 0 && bindings <= BERTH_SPACE_BINDINGS_MAX) {
        state.bindings = calloc(bindings, sizeof(*state.bindings));
        if (state.bindings == NULL) {
            return BERTH_FAULT_MEMORY;
        }
    }
    bool understood = bindings <= BERTH_SPACE_BINDINGS_MAX && parse_lines(lines, bindings, &state);
    bool complete = state.knowledge == BERTH_SPACE_ABSENT ||
                    (state.knowledge == BERTH_SPACE_PRESENT && state.project_id > 0);
    if (!understood || !complete) {
        space_fields_free(&state);
    }
    if (state.bindings_count > 1) {
        qsort(state.bindings, state.bindings_count, sizeof(*state.bindings), compare_workspaces);
    }
    *ret_state = state;
    return BERTH_OK;
}

void space_fields_free(struct berth_space_state *state) {
    free(state->bindings);
    *state = (struct berth_space_state){.knowledge = BERTH_SPACE_UNKNOWN};
}
