/* SPDX-License-Identifier: Apache-2.0 */
#include "event_records.h"

#include <avro.h>
#include <string.h>

#include "berth/base/assert.h"
#include "record_writer.h"
#include "traceparent.h"

static void write_result(struct berth_record_writer *writer, avro_value_t *record,
                         const struct berth_event_context *context,
                         const struct berth_outcome *outcome);
static void write_command(struct berth_record_writer *writer, avro_value_t *record,
                          const struct berth_command *command);
static void write_details(struct berth_record_writer *writer, avro_value_t *record,
                          const struct berth_outcome *outcome);
static void write_view(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                       const struct berth_space_state *state);
static void write_binding_results(struct berth_record_writer *writer, avro_value_t *record,
                                  const struct berth_outcome *outcome);
static void write_source(struct berth_record_writer *writer, avro_value_t *record,
                         const struct berth_source *source);
static void write_workspaces(struct berth_record_writer *writer, avro_value_t *record,
                             const struct berth_command *command);
static void write_bindings(struct berth_record_writer *writer, avro_value_t *record,
                           const struct berth_space_state *state);
static void empty_list(avro_value_t *record, const char *field);
static const char *action_name(enum berth_command_type type);
static enum berth_rc finish(struct berth_codec *codec, const struct berth_codec_schema *schema,
                            const struct berth_record_writer *writer,
                            struct berth_bytes *ret_record, struct berth_error *reterr);

int64_t berth_event_received_ms(const struct berth_outcome *outcome) {
    return outcome->received_at_ms > 0 ? outcome->received_at_ms : outcome->finished_at_ms;
}

enum berth_rc berth_event_result(struct berth_codec *codec,
                                 const struct berth_event_context *context,
                                 const struct berth_outcome *outcome, bool with_details,
                                 struct berth_bytes *ret_record, struct berth_error *reterr) {
    const struct berth_codec_schema *schema = berth_codec_schema(codec, "CommandResult");
    struct berth_record_writer writer = {0};
    berth_write_reset(&writer, schema->value);
    write_result(&writer, schema->value, context, outcome);
    if (with_details) {
        write_details(&writer, schema->value, outcome);
    }
    return finish(codec, schema, &writer, ret_record, reterr);
}

enum berth_rc berth_event_audit(struct berth_codec *codec,
                                const struct berth_event_context *context,
                                const struct berth_outcome *outcome, const char *audit_id,
                                struct berth_bytes *ret_record, struct berth_error *reterr) {
    const struct berth_codec_schema *schema = berth_codec_schema(codec, "AuditRecord");
    const struct berth_command *command = context->command;
    avro_value_t *record = schema->value;
    struct berth_record_writer writer = {0};
    char trace_id[BERTH_TRACE_ID_BYTES];
    berth_traceparent_trace_id(command->traceparent, trace_id);

    berth_write_reset(&writer, record);
    berth_write_text(&writer, record, "audit_id", audit_id);
    berth_write_text(&writer, record, "action", action_name(command->type));
    berth_write_text(&writer, record, "actor", command->actor);
    berth_write_text(&writer, record, "registry", command->registry);
    berth_write_text(&writer, record, "space", command->space);
    write_workspaces(&writer, record, command);
    write_view(&writer, record, "before", &outcome->before);
    write_view(&writer, record, "after", &outcome->after);
    berth_write_symbol(&writer, record, "outcome", berth_outcome_kind_name(outcome->kind));
    berth_write_text(&writer, record, "code", outcome->code);
    berth_write_text(&writer, record, "command_id", command->id);
    berth_write_long(&writer, record, "occurred_at", outcome->finished_at_ms);
    berth_write_text_or_null(&writer, record, "trace_id", trace_id);
    return finish(codec, schema, &writer, ret_record, reterr);
}

enum berth_rc berth_event_state(struct berth_codec *codec,
                                const struct berth_event_context *context,
                                const struct berth_outcome *outcome, struct berth_bytes *ret_record,
                                struct berth_error *reterr) {
    BERTH_ASSERT(outcome->after.knowledge == BERTH_SPACE_PRESENT);
    const struct berth_codec_schema *schema = berth_codec_schema(codec, "SpaceState");
    const struct berth_space_state *state = &outcome->after;
    avro_value_t *record = schema->value;
    struct berth_record_writer writer = {0};

    berth_write_reset(&writer, record);
    berth_write_text(&writer, record, "registry", context->command->registry);
    berth_write_text(&writer, record, "registry_uid", context->registry_uid);
    berth_write_text(&writer, record, "space", context->command->space);
    berth_write_long(&writer, record, "project_id", state->project_id);
    berth_write_symbol_or_null(&writer, record, "visibility",
                               berth_visibility_symbol(state->visibility));
    berth_write_long_or_null(&writer, record, "quota_bytes",
                             state->quota_bytes != BERTH_QUOTA_UNSET, state->quota_bytes);
    write_bindings(&writer, record, state);
    berth_write_text_or_null(&writer, record, "created_by", state->created_by);
    berth_write_text_or_null(&writer, record, "updated_by", state->updated_by);
    berth_write_long(&writer, record, "updated_at", state->updated_at_ms);
    berth_write_long(&writer, record, "version", context->version);
    return finish(codec, schema, &writer, ret_record, reterr);
}

enum berth_rc berth_event_result_replay(struct berth_codec *codec, struct berth_bytes record,
                                        const struct berth_source *source,
                                        char ret_command_id[BERTH_UUID_BYTES],
                                        struct berth_bytes *ret_record,
                                        struct berth_error *reterr) {
    const struct berth_codec_schema *schema;
    const char *code;
    enum berth_rc rc =
        berth_codec_read(codec, record, BERTH_WRITTEN_BYTES_MAX, &schema, &code, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    avro_value_t field;
    const char *text = NULL;
    size_t bytes = 0;
    if (strcmp(schema->name, "CommandResult") != 0 ||
        avro_value_get_by_name(schema->value, "command_id", &field, NULL) != 0 ||
        avro_value_get_string(&field, &text, &bytes) != 0 || bytes != BERTH_UUID_BYTES) {
        berth_error_set(reterr, "the stored answer is no CommandResult with an id");
        return BERTH_INVALID;
    }
    memcpy(ret_command_id, text, BERTH_UUID_BYTES);
    struct berth_record_writer writer = {0};
    write_source(&writer, schema->value, source);
    return finish(codec, schema, &writer, ret_record, reterr);
}

enum berth_rc berth_event_smaller(struct berth_codec *codec, struct berth_bytes value,
                                  struct berth_bytes *ret_value, struct berth_error *reterr) {
    static const char *const lists[] = {"details", "bindings", "workspaces"};
    static const char *const views[] = {"space_state", "before", "after"};
    const struct berth_codec_schema *schema;
    const char *code;
    enum berth_rc rc =
        berth_codec_read(codec, value, BERTH_WRITTEN_BYTES_MAX, &schema, &code, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (strcmp(schema->name, "CommandResult") != 0 && strcmp(schema->name, "AuditRecord") != 0 &&
        strcmp(schema->name, "SpaceState") != 0) {
        berth_error_set(reterr, "%s has no smaller form", schema->name);
        return BERTH_INVALID;
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        empty_list(schema->value, lists[i]);
    }
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        avro_value_t view;
        avro_value_t branch;
        if (avro_value_get_by_name(schema->value, views[i], &view, NULL) == 0 &&
            avro_value_get_current_branch(&view, &branch) == 0 &&
            avro_value_get_type(&branch) == AVRO_RECORD) {
            empty_list(&branch, "workspaces");
        }
    }
    return berth_codec_write(codec, schema, ret_value, reterr);
}

/* If the record has it. */
static void empty_list(avro_value_t *record, const char *field) {
    avro_value_t list;
    if (avro_value_get_by_name(record, field, &list, NULL) == 0) {
        int failed = avro_value_reset(&list);
        BERTH_ASSERT(failed == 0);
    }
}

static void write_result(struct berth_record_writer *writer, avro_value_t *record,
                         const struct berth_event_context *context,
                         const struct berth_outcome *outcome) {
    write_command(writer, record, context->command);
    berth_write_symbol(writer, record, "outcome", berth_outcome_kind_name(outcome->kind));
    berth_write_boolean(writer, record, "changed", outcome->changed);
    berth_write_text(writer, record, "code", outcome->code);
    berth_write_text(writer, record, "message", outcome->message);
    write_view(writer, record, "space_state", &outcome->after);
    write_binding_results(writer, record, outcome);
    berth_write_int(writer, record, "attempts", outcome->attempts);
    berth_write_long(writer, record, "received_at", berth_event_received_ms(outcome));
    berth_write_long(writer, record, "finished_at", outcome->finished_at_ms);
    write_source(writer, record, context->source);
}

/* Of a dead letter sometimes nothing but the id is known; its type then means nothing. */
static void write_command(struct berth_record_writer *writer, avro_value_t *record,
                          const struct berth_command *command) {
    bool known = command->registry[0] != 0 || command->space[0] != 0;
    berth_write_text(writer, record, "command_id", command->id);
    berth_write_symbol(writer, record, "command",
                       known ? berth_command_type_name(command->type) : "UNKNOWN");
    berth_write_text(writer, record, "registry", command->registry);
    berth_write_text(writer, record, "space", command->space);
    berth_write_text(writer, record, "actor", command->actor);
}

static void write_details(struct berth_record_writer *writer, avro_value_t *record,
                          const struct berth_outcome *outcome) {
    BERTH_ASSERT(outcome->details_count <= BERTH_DETAILS_MAX);
    avro_value_t map;
    if (!berth_write_enter(writer, record, "details", &map)) {
        return;
    }
    for (size_t i = 0; i < outcome->details_count; i++) {
        const struct berth_detail *detail = &outcome->details[i];
        berth_write_entry_text(writer, &map, "details", detail->name, detail->value);
    }
}

static void write_view(struct berth_record_writer *writer, avro_value_t *record, const char *field,
                       const struct berth_space_state *state) {
    avro_value_t view;
    avro_value_t workspaces;
    if (state->knowledge != BERTH_SPACE_PRESENT) {
        berth_write_null(writer, record, field);
        return;
    }
    if (!berth_write_enter_nullable(writer, record, field, &view) ||
        !berth_write_enter(writer, &view, "workspaces", &workspaces)) {
        return;
    }
    berth_write_symbol_or_null(writer, &view, "visibility",
                               berth_visibility_symbol(state->visibility));
    for (size_t i = 0; i < state->bindings_count; i++) {
        berth_write_item_text(writer, &workspaces, "workspaces", state->bindings[i].workspace);
    }
    berth_write_long_or_null(writer, &view, "quota_bytes", state->quota_bytes != BERTH_QUOTA_UNSET,
                             state->quota_bytes);
    berth_write_long(writer, &view, "project_id", state->project_id);
}

static void write_binding_results(struct berth_record_writer *writer, avro_value_t *record,
                                  const struct berth_outcome *outcome) {
    avro_value_t array;
    avro_value_t item;
    if (!berth_write_enter(writer, record, "bindings", &array)) {
        return;
    }
    for (size_t i = 0; i < outcome->bindings_count; i++) {
        const struct berth_binding_change *change = &outcome->bindings[i];
        if (!berth_write_item(writer, &array, "bindings", &item)) {
            return;
        }
        berth_write_text(writer, &item, "workspace", change->workspace);
        berth_write_symbol(writer, &item, "change", berth_binding_change_kind_name(change->kind));
        berth_write_text(writer, &item, "code", change->code);
    }
}

static void write_source(struct berth_record_writer *writer, avro_value_t *record,
                         const struct berth_source *source) {
    avro_value_t place;
    if (berth_write_enter(writer, record, "source", &place)) {
        berth_write_text(writer, &place, "topic", source->topic);
        berth_write_int(writer, &place, "partition", source->partition);
        berth_write_long(writer, &place, "offset", source->offset);
    }
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

static void write_bindings(struct berth_record_writer *writer, avro_value_t *record,
                           const struct berth_space_state *state) {
    avro_value_t array;
    avro_value_t item;
    if (!berth_write_enter(writer, record, "bindings", &array)) {
        return;
    }
    for (size_t i = 0; i < state->bindings_count; i++) {
        const struct berth_binding *binding = &state->bindings[i];
        if (!berth_write_item(writer, &array, "bindings", &item)) {
            return;
        }
        berth_write_text(writer, &item, "workspace", binding->workspace);
        berth_write_long(writer, &item, "robot_id", binding->robot_id);
        berth_write_text_or_null(writer, &item, "key_id", binding->key_id);
    }
}

/* The platform's style. It knows no action for a whole set of bindings, which is a bind dialog's
 * OK. */
static const char *action_name(enum berth_command_type type) {
    switch (type) {
    case BERTH_CREATE_SPACE:
        return "Create-RegistrySpace";
    case BERTH_UPDATE_SPACE:
        return "Update-RegistrySpace";
    case BERTH_DELETE_SPACE:
        return "Delete-RegistrySpace";
    case BERTH_BIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        return "Bind-Workspace";
    case BERTH_UNBIND_WORKSPACE:
        return "Unbind-Workspace";
    }
    BERTH_UNREACHABLE("every type of command has an action");
}

static enum berth_rc finish(struct berth_codec *codec, const struct berth_codec_schema *schema,
                            const struct berth_record_writer *writer,
                            struct berth_bytes *ret_record, struct berth_error *reterr) {
    if (writer->rc != BERTH_OK) {
        berth_error_set(reterr, "avro-c can't fill the field %s of a %s", writer->failed,
                        schema->name);
        return writer->rc;
    }
    return berth_codec_write(codec, schema, ret_record, reterr);
}
