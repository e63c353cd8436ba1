/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record to a command: by the names of the writer's fields, with our own defaults. Fields
 * that we don't know are ignored, so that a newer producer is understood.
 *
 * What a field says wrongly is not always a dead letter. A registry, space or workspace that is too
 * long or holds control characters is handed on in a form that no name can have (cut and ended with
 * "…", '?' for each control character), so that berth_command_check() refuses the command and its
 * producer gets an ordinary answer. Too many workspaces are handed on as one too many.
 */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/codec.h"
#include "berth/codec/identity.h"
#include "berth/core/command_rules.h"
#include "codec_parts.h"
#include "traceparent.h"
#include "utf8.h"

#define CUT_MARK "\xe2\x80\xa6" /* U+2026. Legal in no name. */

/* Reads the fields of one record; the first fault stays. */
struct reader {
    avro_value_t *record;
    struct berth_decoded *decoded;
    bool faulty;
};

enum text_flaw {
    TEXT_FINE,
    TEXT_CONTROL,
    TEXT_TOO_LONG,
};

static void read_command(avro_value_t *record, struct berth_decoded *decoded);
static void read_own_fields(struct reader *reader, struct berth_command *command);
static void read_id(struct reader *reader, char ret_id[BERTH_UUID_BYTES]);
static void read_name(struct reader *reader, const char *field, char *ret_text, size_t ret_bytes);
static void read_actor(struct reader *reader, char ret_actor[BERTH_ACTOR_BYTES]);
static void read_visibility(struct reader *reader, enum berth_visibility *ret_visibility);
static void read_quota(struct reader *reader, struct berth_command *command);
static void read_if_exists(struct reader *reader, enum berth_if_exists *ret_if_exists);
static void read_unbind(struct reader *reader, bool *ret_unbind);
static void read_workspaces(struct reader *reader, struct berth_command *command);
static void make_set(struct berth_command *command);
static int compare_workspaces(const void *left, const void *right);

static bool find(struct reader *reader, const char *field, bool mandatory, avro_value_t *ret_value);
static bool read_text(struct reader *reader, const char *field, avro_value_t *value,
                      const char **ret_text, size_t *ret_len);
static bool read_number(struct reader *reader, const char *field, avro_value_t *value,
                        int64_t *ret_number);
static const char *read_symbol(struct reader *reader, const char *field, avro_value_t *value);
static enum text_flaw copy_text(const char *text, size_t len, char *ret_text, size_t ret_bytes);
static void fault(struct reader *reader, const char *code, const char *field, const char *wrong);
static bool find_type(const char *name, enum berth_command_type *ret_type);
static void refuse(struct berth_decoded *decoded, const char *code, const char *text);

void berth_codec_decode_command(struct berth_codec *codec, struct berth_bytes value,
                                const struct berth_header *headers, size_t headers_count,
                                struct berth_decoded *ret_decoded) {
    *ret_decoded = (struct berth_decoded){0};
    const struct berth_codec_schema *schema;
    const char *code = "";
    struct berth_error error = {{0}};
    enum berth_rc rc =
        berth_codec_read(codec, value, BERTH_RECORD_BYTES_MAX, &schema, &code, &error);
    berth_traceparent_find(headers, headers_count, ret_decoded->command.traceparent);
    if (rc != BERTH_OK) {
        refuse(ret_decoded, code, error.text);
        return;
    }
    berth_command_from_record(schema->value, ret_decoded);
}

void berth_command_from_record(avro_value_t *value, struct berth_decoded *decoded) {
    avro_value_t record = *value;
    if (avro_value_get_type(value) == AVRO_UNION) {
        int failed = avro_value_get_current_branch(value, &record);
        BERTH_ASSERT(failed == 0);
    }
    const char *name = avro_schema_name(avro_value_get_schema(&record));
    if (find_type(name, &decoded->command.type)) {
        read_command(&record, decoded);
        return;
    }
    char text[BERTH_MESSAGE_BYTES];
    (void)snprintf(text, sizeof text, "The record is a %.100s, which is no command.", name);
    refuse(decoded, "record.not_a_command", text);
}

void berth_decoded_deinit(struct berth_decoded *decoded) {
    free(decoded->command.workspaces);
    decoded->command.workspaces = NULL;
    decoded->command.workspaces_count = 0;
}

static void read_command(avro_value_t *record, struct berth_decoded *decoded) {
    struct reader reader = {.record = record, .decoded = decoded};
    struct berth_command *command = &decoded->command;
    avro_value_t value;

    read_id(&reader, command->id);
    if (find(&reader, "issued_at", true, &value)) {
        (void)read_number(&reader, "issued_at", &value, &command->issued_at_ms);
    }
    read_actor(&reader, command->actor);
    read_name(&reader, "registry", command->registry, sizeof command->registry);
    read_name(&reader, "space", command->space, sizeof command->space);
    read_own_fields(&reader, command);

    if (!reader.faulty) {
        berth_command_digest(command, command->digest);
        decoded->is_command = true;
    }
}

static void read_own_fields(struct reader *reader, struct berth_command *command) {
    switch (command->type) {
    case BERTH_CREATE_SPACE:
        read_visibility(reader, &command->visibility);
        read_quota(reader, command);
        read_if_exists(reader, &command->if_exists);
        return;
    case BERTH_UPDATE_SPACE:
        read_visibility(reader, &command->visibility);
        read_quota(reader, command);
        return;
    case BERTH_DELETE_SPACE:
        read_unbind(reader, &command->unbind);
        return;
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        read_workspaces(reader, command);
        return;
    }
    BERTH_UNREACHABLE("every type of command has its own fields read");
}

/* Without an id nobody can be answered, so this is a dead letter whatever else is wrong. */
static void read_id(struct reader *reader, char ret_id[BERTH_UUID_BYTES]) {
    avro_value_t value;
    const char *text;
    size_t len;
    if (!find(reader, "command_id", true, &value) ||
        !read_text(reader, "command_id", &value, &text, &len)) {
        return;
    }
    /* The length first: text may go on behind a NUL. */
    if (len != BERTH_UUID_BYTES - 1 || !berth_uuid_legal(text)) {
        fault(reader, "command.id_invalid", "command_id", "is not a UUID");
        return;
    }
    for (size_t i = 0; i <= len; i++) {
        bool upper = text[i] >= 'A' && text[i] <= 'F';
        ret_id[i] = (char)(upper ? text[i] - 'A' + 'a' : text[i]);
    }
}

/* A text that berth_command_check() looks at: a flaw shows in it. */
static void read_name(struct reader *reader, const char *field, char *ret_text, size_t ret_bytes) {
    avro_value_t value;
    const char *text;
    size_t len;
    if (find(reader, field, true, &value) && read_text(reader, field, &value, &text, &len)) {
        (void)copy_text(text, len, ret_text, ret_bytes);
    }
}

/* Any text is an actor, so nobody else would refuse a flawed one. */
static void read_actor(struct reader *reader, char ret_actor[BERTH_ACTOR_BYTES]) {
    avro_value_t value;
    const char *text;
    size_t len;
    if (!find(reader, "actor", true, &value) || !read_text(reader, "actor", &value, &text, &len)) {
        return;
    }
    switch (copy_text(text, len, ret_actor, BERTH_ACTOR_BYTES)) {
    case TEXT_FINE:
        return;
    case TEXT_CONTROL:
        fault(reader, "command.field_invalid", "actor", "holds a control character");
        return;
    case TEXT_TOO_LONG:
        fault(reader, "command.field_invalid", "actor", "has more than 256 bytes");
        return;
    }
    BERTH_UNREACHABLE("every flaw of a text is handled");
}

static void read_visibility(struct reader *reader, enum berth_visibility *ret_visibility) {
    avro_value_t value;
    if (!find(reader, "visibility", false, &value)) {
        return;
    }
    const char *symbol = read_symbol(reader, "visibility", &value);
    if (strcmp(symbol, "PUBLIC") == 0) {
        *ret_visibility = BERTH_PUBLIC;
    } else if (strcmp(symbol, "PRIVATE") == 0) {
        *ret_visibility = BERTH_PRIVATE;
    } else {
        fault(reader, "command.field_invalid", "visibility", "is neither PRIVATE nor PUBLIC");
    }
}

static void read_quota(struct reader *reader, struct berth_command *command) {
    avro_value_t value;
    if (find(reader, "quota_bytes", false, &value)) {
        command->quota_given = read_number(reader, "quota_bytes", &value, &command->quota_bytes);
    }
}

static void read_if_exists(struct reader *reader, enum berth_if_exists *ret_if_exists) {
    avro_value_t value;
    if (!find(reader, "if_exists", false, &value)) {
        return;
    }
    const char *symbol = read_symbol(reader, "if_exists", &value);
    if (strcmp(symbol, "ADOPT") == 0) {
        *ret_if_exists = BERTH_IF_EXISTS_ADOPT;
    } else if (strcmp(symbol, "FAIL") != 0) {
        fault(reader, "command.field_invalid", "if_exists", "is neither FAIL nor ADOPT");
    }
}

static void read_unbind(struct reader *reader, bool *ret_unbind) {
    avro_value_t value;
    if (!find(reader, "unbind", false, &value)) {
        return;
    }
    int boolean = 0;
    if (avro_value_get_type(&value) != AVRO_BOOLEAN ||
        avro_value_get_boolean(&value, &boolean) != 0) {
        fault(reader, "record.undecodable", "unbind", "is not a boolean");
        return;
    }
    *ret_unbind = boolean != 0;
}

static void read_workspaces(struct reader *reader, struct berth_command *command) {
    avro_value_t array;
    if (!find(reader, "workspaces", true, &array)) {
        return;
    }
    size_t count = 0;
    if (avro_value_get_type(&array) != AVRO_ARRAY || avro_value_get_size(&array, &count) != 0) {
        fault(reader, "record.undecodable", "workspaces", "is not an array");
        return;
    }
    if (count > BERTH_COMMAND_WORKSPACES_MAX) {
        count = BERTH_COMMAND_WORKSPACES_MAX + 1;
    }
    if (count == 0) {
        return;
    }
    command->workspaces = calloc(count, sizeof *command->workspaces);
    /* Bounded at 200 KB; a process without that much is at its end anyway. */
    BERTH_ASSERT(command->workspaces != NULL);
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        const char *text;
        size_t len;
        int failed = avro_value_get_by_index(&array, i, &item, NULL);
        BERTH_ASSERT(failed == 0);
        if (!read_text(reader, "workspaces", &item, &text, &len)) {
            return;
        }
        (void)copy_text(text, len, command->workspaces[i].id, BERTH_WORKSPACE_BYTES);
    }
    command->workspaces_count = count;
    make_set(command);
}

/* Sorts, drops duplicates and derives the robots' names. One too many stay so, duplicates or not.
 */
static void make_set(struct berth_command *command) {
    struct berth_workspace *workspaces = command->workspaces;
    if (command->workspaces_count > BERTH_COMMAND_WORKSPACES_MAX) {
        return;
    }
    qsort(workspaces, command->workspaces_count, sizeof *workspaces, compare_workspaces);
    size_t kept = 0;
    for (size_t i = 0; i < command->workspaces_count; i++) {
        if (kept > 0 && strcmp(workspaces[kept - 1].id, workspaces[i].id) == 0) {
            continue;
        }
        if (kept != i) {
            workspaces[kept] = workspaces[i];
        }
        if (berth_workspace_id_legal(workspaces[kept].id)) {
            berth_robot_name(workspaces[kept].id, workspaces[kept].robot_name);
        }
        kept++;
    }
    command->workspaces_count = kept;
}

static int compare_workspaces(const void *left, const void *right) {
    return strcmp(((const struct berth_workspace *)left)->id,
                  ((const struct berth_workspace *)right)->id);
}

/* A field's value, a union's branch already chosen. False: absent or null, which is a fault when
 * the field is mandatory. */
static bool find(struct reader *reader, const char *field, bool mandatory,
                 avro_value_t *ret_value) {
    avro_value_t value;
    bool found = avro_value_get_by_name(reader->record, field, &value, NULL) == 0;
    if (found && avro_value_get_type(&value) == AVRO_UNION) {
        avro_value_t branch;
        int failed = avro_value_get_current_branch(&value, &branch);
        BERTH_ASSERT(failed == 0);
        value = branch;
    }
    if (!found || avro_value_get_type(&value) == AVRO_NULL) {
        if (mandatory) {
            fault(reader, "record.undecodable", field, "is missing");
        }
        return false;
    }
    *ret_value = value;
    return true;
}

static bool read_text(struct reader *reader, const char *field, avro_value_t *value,
                      const char **ret_text, size_t *ret_len) {
    size_t bytes = 0; /* With the NUL behind the text. */
    if (avro_value_get_type(value) != AVRO_STRING ||
        avro_value_get_string(value, ret_text, &bytes) != 0 || bytes == 0) {
        fault(reader, "record.undecodable", field, "is not text");
        return false;
    }
    *ret_len = bytes - 1;
    return true;
}

static bool read_number(struct reader *reader, const char *field, avro_value_t *value,
                        int64_t *ret_number) {
    int32_t small = 0;
    if (avro_value_get_type(value) == AVRO_INT64 && avro_value_get_long(value, ret_number) == 0) {
        return true;
    }
    if (avro_value_get_type(value) == AVRO_INT32 && avro_value_get_int(value, &small) == 0) {
        *ret_number = small;
        return true;
    }
    fault(reader, "record.undecodable", field, "is not a whole number");
    return false;
}

/* The empty text when it isn't an enum, which no caller takes for a symbol. */
static const char *read_symbol(struct reader *reader, const char *field, avro_value_t *value) {
    int number = 0;
    if (avro_value_get_type(value) != AVRO_ENUM || avro_value_get_enum(value, &number) != 0) {
        fault(reader, "record.undecodable", field, "is not an enum");
        return "";
    }
    return avro_schema_enum_get(avro_value_get_schema(value), number);
}

/* Copies valid UTF-8 into a field. What is too long or holds control characters bears a mark. */
static enum text_flaw copy_text(const char *text, size_t len, char *ret_text, size_t ret_bytes) {
    if (len >= ret_bytes) {
        berth_utf8_copy_clean(text, len, ret_text, ret_bytes - (sizeof CUT_MARK - 1));
        size_t kept = strlen(ret_text);
        memcpy(ret_text + kept, CUT_MARK, sizeof CUT_MARK);
        return TEXT_TOO_LONG;
    }
    if (berth_utf8_has_control(text, len)) {
        berth_utf8_copy_clean(text, len, ret_text, ret_bytes);
        return TEXT_CONTROL;
    }
    memcpy(ret_text, text, len);
    ret_text[len] = 0;
    return TEXT_FINE;
}

static void fault(struct reader *reader, const char *code, const char *field, const char *wrong) {
    if (reader->faulty) {
        return;
    }
    reader->faulty = true;
    char text[BERTH_MESSAGE_BYTES];
    (void)snprintf(text, sizeof text, "The field %s of %s %s.", field,
                   berth_command_type_name(reader->decoded->command.type), wrong);
    refuse(reader->decoded, code, text);
}

static bool find_type(const char *name, enum berth_command_type *ret_type) {
    for (int i = 0; i < BERTH_COMMAND_TYPES; i++) {
        if (strcmp(name, berth_command_type_name((enum berth_command_type)i)) == 0) {
            *ret_type = (enum berth_command_type)i;
            return true;
        }
    }
    return false;
}

static void refuse(struct berth_decoded *decoded, const char *code, const char *text) {
    (void)snprintf(decoded->reason, sizeof decoded->reason, "%s", code);
    berth_utf8_copy_clean(text, strlen(text), decoded->text, sizeof decoded->text);
}
