/* SPDX-License-Identifier: Apache-2.0 */
#include <avro.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/state_record.h"
#include "berth/core/command_rules.h"
#include "codec_parts.h"

/* A version is compared as a double in the ledger's scripts. */
#define VERSION_MAX (INT64_C(1) << 53)

/* Reads fields; the first one that breaks a rule stays. The schema is ours, so every field is
 * there and has its type. */
struct reader {
    avro_value_t *record;
    const char *broken; /* NULL: none. */
};

static void broken(struct reader *reader, const char *field) {
    if (reader->broken == NULL) {
        reader->broken = field;
    }
}

/* The value of a field, or false for null. */
static bool find(struct reader *reader, const char *field, avro_value_t *ret_value) {
    int failed = avro_value_get_by_name(reader->record, field, ret_value, NULL);
    BERTH_ASSERT(failed == 0);
    if (avro_value_get_type(ret_value) == AVRO_UNION) {
        avro_value_t branch;
        failed = avro_value_get_current_branch(ret_value, &branch);
        BERTH_ASSERT(failed == 0);
        *ret_value = branch;
    }
    return avro_value_get_type(ret_value) != AVRO_NULL;
}

/* Null is the empty text. */
static void read_text(struct reader *reader, const char *field, char *ret_text, size_t bytes) {
    avro_value_t value;
    const char *text = NULL;
    size_t len = 0; /* With the NUL behind the text. */
    ret_text[0] = '\0';
    if (!find(reader, field, &value)) {
        return;
    }
    int failed = avro_value_get_string(&value, &text, &len);
    BERTH_ASSERT(failed == 0);
    if (len > bytes || memchr(text, '\0', len) != text + len - 1) {
        broken(reader, field);
        return;
    }
    memcpy(ret_text, text, len);
}

static void read_id(struct reader *reader, const char *field, char ret_id[BERTH_UUID_BYTES]) {
    read_text(reader, field, ret_id, BERTH_UUID_BYTES);
    if (ret_id[0] != '\0' && !berth_uuid_legal(ret_id)) {
        broken(reader, field);
    }
}

/* Null is the number that is given for it. */
static int64_t read_number(struct reader *reader, const char *field, int64_t null, int64_t least,
                           int64_t most) {
    avro_value_t value;
    int64_t number = null;
    if (!find(reader, field, &value)) {
        return number;
    }
    int failed = avro_value_get_long(&value, &number);
    BERTH_ASSERT(failed == 0);
    if (number < least || number > most) {
        broken(reader, field);
    }
    return number;
}

static enum berth_visibility read_visibility(struct reader *reader) {
    avro_value_t value;
    int number = 0;
    if (!find(reader, "visibility", &value)) {
        return BERTH_VISIBILITY_UNSET;
    }
    int failed = avro_value_get_enum(&value, &number);
    BERTH_ASSERT(failed == 0);
    const char *symbol = avro_schema_enum_get(avro_value_get_schema(&value), number);
    return strcmp(symbol, "PUBLIC") == 0 ? BERTH_PUBLIC : BERTH_PRIVATE;
}

static bool key_id_legal(const char *key_id) {
    return key_id[0] == '\0' || strspn(key_id, "0123456789abcdef") == strlen(key_id);
}

static void read_binding(struct reader *reader, avro_value_t *item,
                         struct berth_binding *ret_binding) {
    struct reader fields = {.record = item};
    *ret_binding = (struct berth_binding){0};
    read_text(&fields, "workspace", ret_binding->workspace, sizeof(ret_binding->workspace));
    read_text(&fields, "key_id", ret_binding->key_id, sizeof(ret_binding->key_id));
    ret_binding->robot_id = read_number(&fields, "robot_id", 0, 1, INT64_MAX);
    if (!berth_workspace_id_legal(ret_binding->workspace) || !key_id_legal(ret_binding->key_id) ||
        fields.broken != NULL) {
        broken(reader, "bindings");
    }
}

static enum berth_rc read_bindings(struct reader *reader, struct berth_space_state *state) {
    avro_value_t array;
    size_t count = 0;
    (void)find(reader, "bindings", &array);
    int failed = avro_value_get_size(&array, &count);
    BERTH_ASSERT(failed == 0);
    if (count > BERTH_SPACE_BINDINGS_MAX) {
        broken(reader, "bindings");
        return BERTH_OK;
    }
    if (count == 0) {
        return BERTH_OK;
    }
    state->bindings = calloc(count, sizeof(*state->bindings));
    if (state->bindings == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    state->bindings_count = count;
    for (size_t i = 0; i < count; i++) {
        avro_value_t item;
        failed = avro_value_get_by_index(&array, i, &item, NULL);
        BERTH_ASSERT(failed == 0);
        read_binding(reader, &item, &state->bindings[i]);
    }
    return BERTH_OK;
}

static enum berth_rc read_state(struct reader *reader, struct berth_space_state *state) {
    state->knowledge = BERTH_SPACE_PRESENT;
    state->project_id = read_number(reader, "project_id", 0, 1, INT64_MAX);
    state->visibility = read_visibility(reader);
    state->quota_bytes = read_number(reader, "quota_bytes", BERTH_QUOTA_UNSET, -1, INT64_MAX);
    read_id(reader, "created_by", state->created_by);
    read_id(reader, "updated_by", state->updated_by);
    state->updated_at_ms = read_number(reader, "updated_at", 0, 0, INT64_MAX);
    state->version = read_number(reader, "version", 0, 1, VERSION_MAX);
    return read_bindings(reader, state);
}

/* The design's [a-z0-9-]{1,63}; the field is shorter than any longer one. */
static bool registry_legal(const char *name) {
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && name[len] == '\0';
}

/* Takes "registry/space" apart. */
static bool read_key(struct berth_bytes key, struct berth_state_record *record) {
    const uint8_t *slash = key.data == NULL ? NULL : memchr(key.data, '/', key.len);
    if (slash == NULL) {
        return false;
    }
    size_t registry_len = (size_t)(slash - key.data);
    size_t space_len = key.len - registry_len - 1;
    if (registry_len >= sizeof(record->registry) || space_len >= sizeof(record->space)) {
        return false;
    }
    memcpy(record->registry, key.data, registry_len);
    record->registry[registry_len] = '\0';
    memcpy(record->space, slash + 1, space_len);
    record->space[space_len] = '\0';
    return strlen(record->space) == space_len && registry_legal(record->registry) &&
           berth_harbor_name_legal(record->space);
}

static bool names_match(struct reader *reader, const struct berth_state_record *record) {
    char registry[BERTH_REGISTRY_BYTES];
    char space[BERTH_SPACE_BYTES];
    read_text(reader, "registry", registry, sizeof(registry));
    read_text(reader, "space", space, sizeof(space));
    return strcmp(registry, record->registry) == 0 && strcmp(space, record->space) == 0;
}

static enum berth_rc read_value(struct berth_codec *codec, struct berth_bytes value,
                                struct berth_state_record *record, struct berth_error *reterr) {
    const struct berth_codec_schema *schema = NULL;
    const char *code = "";
    enum berth_rc rc =
        berth_codec_read(codec, value, BERTH_WRITTEN_BYTES_MAX, &schema, &code, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (strcmp(schema->name, "SpaceState") != 0) {
        berth_error_set(reterr, "The record is a %s, not a SpaceState.", schema->name);
        return BERTH_INVALID;
    }
    struct reader reader = {.record = schema->value};
    if (!names_match(&reader, record)) {
        berth_error_set(reterr, "The record's key is not that of its space.");
        return BERTH_INVALID;
    }
    read_id(&reader, "registry_uid", record->registry_uid);
    rc = read_state(&reader, &record->state);
    if (rc == BERTH_OK && reader.broken != NULL) {
        berth_error_set(reterr, "The field %s of the SpaceState breaks a rule.", reader.broken);
        return BERTH_INVALID;
    }
    return rc;
}

enum berth_rc berth_state_record_decode(struct berth_codec *codec, struct berth_bytes key,
                                        struct berth_bytes value,
                                        struct berth_state_record *ret_record,
                                        struct berth_error *reterr) {
    struct berth_state_record record = {.state = {.knowledge = BERTH_SPACE_UNKNOWN}};
    if (!read_key(key, &record)) {
        berth_error_set(reterr, "The record's key is not registry/space.");
        return BERTH_INVALID;
    }
    if (value.data != NULL) {
        enum berth_rc rc = read_value(codec, value, &record, reterr);
        if (rc != BERTH_OK) {
            berth_state_record_deinit(&record);
            return rc;
        }
    }
    *ret_record = record;
    return BERTH_OK;
}

void berth_state_record_deinit(struct berth_state_record *record) {
    free(record->state.bindings);
    record->state.bindings = NULL;
    record->state.bindings_count = 0;
}
