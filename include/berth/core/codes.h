/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The codes of results: stable, dotted, for programs (design 3). The table says what each means and
 * is the one source of docs/events.md; a result's message is for people and may change.
 */
#ifndef BERTH_CORE_CODES_H
#define BERTH_CORE_CODES_H

#include <stdbool.h>
#include <stddef.h>

/* Outcomes of a plan. */
#define BERTH_CODE_SPACE_CREATED           "space.created"
#define BERTH_CODE_SPACE_ADOPTED           "space.adopted"
#define BERTH_CODE_SPACE_UPDATED           "space.updated"
#define BERTH_CODE_SPACE_DELETED           "space.deleted"
#define BERTH_CODE_WORKSPACE_BOUND         "workspace.bound"
#define BERTH_CODE_WORKSPACE_UNBOUND       "workspace.unbound"
#define BERTH_CODE_WORKSPACE_UNCHANGED     "workspace.unchanged"
#define BERTH_CODE_WORKSPACE_REPAIRED      "workspace.repaired"
#define BERTH_CODE_WORKSPACE_BINDINGS_SET  "workspace.bindings_set"
#define BERTH_CODE_SPACE_ALREADY_EXISTS    "space.already_exists"
#define BERTH_CODE_SPACE_CREATE_UNPROVED   "space.create_unproved"
#define BERTH_CODE_SPACE_NOT_FOUND         "space.not_found"
#define BERTH_CODE_SPACE_REPLACED          "space.replaced"
#define BERTH_CODE_SPACE_BOUND             "space.bound"
#define BERTH_CODE_SPACE_NOT_EMPTY         "space.not_empty"
#define BERTH_CODE_SPACE_FOREIGN_ROBOTS    "space.foreign_robots"
#define BERTH_CODE_SPACE_TOO_MANY_ROBOTS   "space.too_many_robots"
#define BERTH_CODE_SPACE_TOO_MANY_BINDINGS "space.too_many_bindings"
#define BERTH_CODE_QUOTA_UNSUPPORTED       "quota.unsupported"
#define BERTH_CODE_BINDING_FOREIGN_ROBOT   "binding.foreign_robot"
#define BERTH_CODE_BINDING_DISABLED        "binding.disabled"
#define BERTH_CODE_HARBOR_REFUSED          "harbor.refused"

/* Giving up. */
#define BERTH_CODE_REGISTRY_UNAVAILABLE "registry.unavailable"
#define BERTH_CODE_SPACE_STATE_UNKNOWN  "space.state_unknown"
#define BERTH_CODE_LEDGER_KEY_UNUSABLE  "ledger.key_unusable"

/* Refusals before a command is claimed. */
#define BERTH_CODE_COMMAND_ID_INVALID          "command.id_invalid"
#define BERTH_CODE_REGISTRY_UNKNOWN            "registry.unknown"
#define BERTH_CODE_COMMAND_WRONG_TOPIC         "command.wrong_topic"
#define BERTH_CODE_SPACE_NAME_INVALID          "space.name_invalid"
#define BERTH_CODE_COMMAND_KEY_MISMATCH        "command.key_mismatch"
#define BERTH_CODE_QUOTA_INVALID               "quota.invalid"
#define BERTH_CODE_COMMAND_NOTHING_TO_UPDATE   "command.nothing_to_update"
#define BERTH_CODE_SPACE_PROTECTED             "space.protected"
#define BERTH_CODE_COMMAND_WORKSPACES_EMPTY    "command.workspaces_empty"
#define BERTH_CODE_COMMAND_WORKSPACES_TOO_MANY "command.workspaces_too_many"
#define BERTH_CODE_WORKSPACE_ID_INVALID        "workspace.id_invalid"

/* Refusals by the ledger. */
#define BERTH_CODE_COMMAND_ID_REUSED        "command.id_reused"
#define BERTH_CODE_COMMAND_TOO_OLD          "command.too_old"
#define BERTH_CODE_COMMAND_ISSUED_IN_FUTURE "command.issued_in_future"

/* Records that are no command: dead letters. */
#define BERTH_CODE_RECORD_EMPTY          "record.empty"
#define BERTH_CODE_RECORD_TOO_LARGE      "record.too_large"
#define BERTH_CODE_RECORD_UNDECODABLE    "record.undecodable"
#define BERTH_CODE_RECORD_UNKNOWN_SCHEMA "record.unknown_schema"
#define BERTH_CODE_RECORD_NOT_A_COMMAND  "record.not_a_command"
#define BERTH_CODE_COMMAND_FIELD_INVALID "command.field_invalid"

struct berth_code {
    const char *code;
    const char *meaning; /* One sentence. */
    bool dead_letter;    /* The record becomes a dead letter. */
};

#define BERTH_CODES_MAX 64

/* All of them, in the order above. */
extern const struct berth_code berth_codes[];
extern const size_t berth_codes_count;

#endif
