/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/codec/lookup_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "berth/base/assert.h"
#include "utf8.h"
#include "wall_time.h"

/* "-9223372036854775808" */
#define NUMBER_BYTES 20

/* The first append that fails ends the writing; what comes after it does nothing. */
struct writer {
    struct berth_buffer *out;
    enum berth_rc rc;
};

static void put(struct writer *writer, const char *text);
static void put_bytes(struct writer *writer, const char *bytes, size_t len);
static void put_number(struct writer *writer, int64_t number);
static void put_string(struct writer *writer, const char *text);
static void put_string_part(struct writer *writer, const char *text);
static void put_string_or_null(struct writer *writer, const char *text);
static void put_time_or_null(struct writer *writer, int64_t time_ms);
static void put_fields(struct writer *writer, const char *registry, const char *space,
                       const struct berth_space_state *state);
static void put_bindings(struct writer *writer, const struct berth_space_state *state);
static const char *visibility_json(enum berth_visibility visibility);
static const char *binding_state(const struct berth_binding *binding);

enum berth_rc berth_space_json_write(const char *registry, const char *space,
                                     const struct berth_space_state *state,
                                     struct berth_buffer *out) {
    struct writer writer = {.out = out};
    put(&writer, "{");
    put_fields(&writer, registry, space, state);
    put(&writer, "}");
    return writer.rc;
}

enum berth_rc berth_space_json_write_as_of(int64_t as_of_ms, const char *registry,
                                           const char *space, const struct berth_space_state *state,
                                           struct berth_buffer *out) {
    struct writer writer = {.out = out};
    put(&writer, "{\"as_of\":");
    put_time_or_null(&writer, as_of_ms);
    put(&writer, ",");
    put_fields(&writer, registry, space, state);
    put(&writer, "}\n");
    return writer.rc;
}

enum berth_rc berth_spaces_json_begin(int64_t as_of_ms, struct berth_buffer *out) {
    struct writer writer = {.out = out};
    put(&writer, "{\"as_of\":");
    put_time_or_null(&writer, as_of_ms);
    put(&writer, ",\"spaces\":[");
    return writer.rc;
}

enum berth_rc berth_spaces_json_add(const char *registry, const char *space,
                                    const struct berth_space_state *state,
                                    struct berth_buffer *out) {
    BERTH_ASSERT(out->len > 0); /* The page was begun. */
    struct writer writer = {.out = out};
    put(&writer, out->data[out->len - 1] == '[' ? "{" : ",{");
    put_fields(&writer, registry, space, state);
    put(&writer, "}");
    return writer.rc;
}

enum berth_rc berth_spaces_json_end(const char *next, struct berth_buffer *out) {
    struct writer writer = {.out = out};
    put(&writer, "],\"next\":");
    put_string_or_null(&writer, next == NULL ? "" : next);
    put(&writer, "}\n");
    return writer.rc;
}

enum berth_rc berth_error_json_write(const char *code, const char *message,
                                     struct berth_buffer *out) {
    struct writer writer = {.out = out};
    put(&writer, "{\"error\":{\"code\":");
    put_string(&writer, code);
    put(&writer, ",\"message\":");
    put_string(&writer, message);
    put(&writer, "}}\n");
    return writer.rc;
}

static void put_fields(struct writer *writer, const char *registry, const char *space,
                       const struct berth_space_state *state) {
    BERTH_ASSERT(state->knowledge == BERTH_SPACE_PRESENT);
    put(writer, "\"registry\":");
    put_string(writer, registry);
    put(writer, ",\"space\":");
    put_string(writer, space);
    put(writer, ",\"visibility\":");
    put(writer, visibility_json(state->visibility));
    put(writer, ",\"quota_bytes\":");
    if (state->quota_bytes == BERTH_QUOTA_UNSET) {
        put(writer, "null");
    } else {
        put_number(writer, state->quota_bytes);
    }
    put(writer, ",\"project_id\":");
    put_number(writer, state->project_id);
    put_bindings(writer, state);
    put(writer, ",\"created_by\":");
    put_string_or_null(writer, state->created_by);
    put(writer, ",\"updated_by\":");
    put_string_or_null(writer, state->updated_by);
    put(writer, ",\"updated_at\":");
    put_time_or_null(writer, state->updated_at_ms);
    put(writer, ",\"verified_at\":");
    put_time_or_null(writer, state->verified_at_ms);
    put(writer, ",\"version\":");
    if (state->version == 0) {
        put(writer, "null");
    } else {
        put_number(writer, state->version);
    }
}

/* The list, and the console's `Workspace` column. */
static void put_bindings(struct writer *writer, const struct berth_space_state *state) {
    put(writer, ",\"bindings\":[");
    for (size_t i = 0; i < state->bindings_count; i++) {
        const struct berth_binding *binding = &state->bindings[i];
        put(writer, i == 0 ? "{\"workspace\":" : ",{\"workspace\":");
        put_string(writer, binding->workspace);
        put(writer, ",\"robot_id\":");
        put_number(writer, binding->robot_id);
        put(writer, ",\"state\":\"");
        put(writer, binding_state(binding));
        put(writer, "\"}");
    }
    put(writer, "],\"workspace_column\":\"");
    if (state->bindings_count == 0) {
        put(writer, "No binding");
    }
    for (size_t i = 0; i < state->bindings_count; i++) {
        put(writer, i == 0 ? "" : ", ");
        put_string_part(writer, state->bindings[i].workspace);
    }
    put(writer, "\"");
}

static const char *visibility_json(enum berth_visibility visibility) {
    switch (visibility) {
    case BERTH_VISIBILITY_UNSET:
        return "null";
    case BERTH_PRIVATE:
        return "\"PRIVATE\"";
    case BERTH_PUBLIC:
        return "\"PUBLIC\"";
    }
    BERTH_UNREACHABLE("every visibility is listed");
}

/* A robot that is switched off pulls nothing, whatever its secret is; what one that was altered may
 * do is anybody's guess. */
static const char *binding_state(const struct berth_binding *binding) {
    if (binding->disabled) {
        return "DISABLED";
    }
    if (binding->altered) {
        return "ALTERED";
    }
    return binding->key_id[0] == '\0' ? "SECRET_UNKNOWN" : "ACTIVE";
}

static void put(struct writer *writer, const char *text) {
    put_bytes(writer, text, strlen(text));
}

static void put_bytes(struct writer *writer, const char *bytes, size_t len) {
    if (writer->rc == BERTH_OK) {
        writer->rc = berth_buffer_append(writer->out, bytes, len);
    }
}

/* Not printf, which takes longer for a number than all the rest of a binding. */
static void put_number(struct writer *writer, int64_t number) {
    char digits[NUMBER_BYTES];
    size_t at = sizeof(digits);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    put_bytes(writer, digits + at, sizeof(digits) - at);
}

static void put_string(struct writer *writer, const char *text) {
    put(writer, "\"");
    put_string_part(writer, text);
    put(writer, "\"");
}

static bool is_plain(char byte) {
    return byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
}

/* What must not stand in a JSON string as it is (RFC 8259, 7), or isn't UTF-8. */
static void put_string_part(struct writer *writer, const char *text) {
    static const char hex[] = "0123456789abcdef";
    while (*text != '\0' && writer->rc == BERTH_OK) {
        size_t plain = 0;
        while (is_plain(text[plain])) {
            plain++;
        }
        put_bytes(writer, text, plain);
        text += plain;
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            put_bytes(writer, (const char[]){'\\', *text}, 2);
            text++;
        } else if (byte == 0x7f || (byte > 0 && byte < ' ')) {
            put(writer, "\\u00");
            put_bytes(writer, (const char[]){hex[byte >> 4], hex[byte & 15]}, 2);
            text++;
        } else if (byte >= 0x80) {
            size_t beyond_ascii = 1;
            while ((unsigned char)text[beyond_ascii] >= 0x80) {
                beyond_ascii++;
            }
            size_t valid = berth_utf8_valid_len(text, beyond_ascii);
            put_bytes(writer, text, valid);
            put(writer, valid == 0 ? "\\ufffd" : "");
            text += valid == 0 ? 1 : valid;
        }
    }
}

static void put_string_or_null(struct writer *writer, const char *text) {
    if (text[0] == '\0') {
        put(writer, "null");
    } else {
        put_string(writer, text);
    }
}

static void put_time_or_null(struct writer *writer, int64_t time_ms) {
    char text[BERTH_WALL_TIME_BYTES];
    if (time_ms == 0 || !berth_wall_time_text(time_ms, text)) {
        put(writer, "null");
    } else {
        put_string(writer, text);
    }
}
