/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a command to a record, as a producer writes it.
 */
#include <avro.h>

#include "berth/base/assert.h"
#include "berth/codec/codec.h"
#include "codec_parts.h"
#include "record_writer.h"

static void write_own_fields(struct berth_record_writer *writer, avro_value_t *record,
                             const struct berth_command *command);
static void write_workspaces(struct berth_record_writer *writer, avro_value_t *record,
                             const struct berth_command *command);

enum berth_rc berth_codec_encode_command(struct berth_codec *codec,
                                         const struct berth_command *command,
                                         struct berth_buffer *out, struct berth_error *reterr) {
    const struct berth_codec_schema *schema =
        berth_codec_schema(codec, berth_command_type_name(command->type));
    avro_value_t *record = schema->value;
    struct berth_record_writer writer = {.strict = true};

    berth_write_reset(&writer, record);
    berth_write_text(&writer, record, "command_id", command->id);
    berth_write_long(&writer, record, "issued_at", command->issued_at_ms);
    berth_write_text(&writer, record, "actor", command->actor);
    berth_write_text(&writer, record, "registry", command->registry);
    berth_write_text(&writer, record, "space", command->space);
    write_own_fields(&writer, record, command);
    if (writer.rc != BERTH_OK) {
        berth_error_set(reterr,
                        writer.rc == BERTH_INVALID
                            ? "the field %s is not UTF-8, so Avro can't hold it"
                            : "avro-c can't fill the field %s",
                        writer.failed);
        return writer.rc;
    }
    struct berth_bytes bytes;
    enum berth_rc rc = berth_codec_write(codec, schema, &bytes, reterr);
    return rc == BERTH_OK ? berth_buffer_append(out, bytes.data, bytes.len) : rc;
}

static void write_own_fields(struct berth_record_writer *writer, avro_value_t *record,
                             const struct berth_command *command) {
    switch (command->type) {
    case BERTH_CREATE_SPACE:
        berth_write_symbol(writer, record, "if_exists",
                           command->if_exists == BERTH_IF_EXISTS_ADOPT ? "ADOPT" : "FAIL");
        /* Fall through: it has the fields of UpdateSpace too. */
        __attribute__((fallthrough));
    case BERTH_UPDATE_SPACE:
        berth_write_symbol_or_null(writer, record, "visibility",
                                   berth_visibility_symbol(command->visibility));
        berth_write_long_or_null(writer, record, "quota_bytes", command->quota_given,
                                 command->quota_bytes);
        return;
    case BERTH_DELETE_SPACE:
        berth_write_boolean(writer, record, "unbind", command->unbind);
        return;
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        write_workspaces(writer, record, command);
        return;
    }
    BERTH_UNREACHABLE("every type of command has its own fields written");
}

static void write_workspaces(struct berth_record_writer *writer, avro_value_t *record,
                             const struct berth_command *command) {
    avro_value_t array;
    if (!berth_write_enter(writer, record, "workspaces", &array)) {
        return;
    }
    for (size_t i = 0; i < command->workspaces_count; i++) {
        berth_write_item_text(writer, &array, "workspaces", command->workspaces[i].id);
    }
}
