/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command: one decoded record that asks for a change of one space.
 *
 * The struct is a value with one owned part, the array of workspaces. Its fields are what the
 * producer wrote, already mapped to our own defaults; whether they are acceptable is decided by
 * berth_command_check() (core/command_rules.h), so that a refusal can be answered.
 */
#ifndef BERTH_CORE_COMMAND_H
#define BERTH_CORE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/limits.h"
#include "berth/core/log_mark.h"

enum berth_command_type {
    BERTH_CREATE_SPACE,
    BERTH_UPDATE_SPACE,
    BERTH_DELETE_SPACE,
    BERTH_BIND_WORKSPACE,
    BERTH_UNBIND_WORKSPACE,
    BERTH_SET_WORKSPACE_BINDINGS,
};
#define BERTH_COMMAND_TYPES 6

enum berth_visibility {
    BERTH_VISIBILITY_UNSET, /* In a command: null. In a state: not known. */
    BERTH_PRIVATE,
    BERTH_PUBLIC,
};

enum berth_if_exists {
    BERTH_IF_EXISTS_FAIL,
    BERTH_IF_EXISTS_ADOPT,
};

#define BERTH_QUOTA_UNSET     0 /* 0 is never a valid quota. */
#define BERTH_QUOTA_UNLIMITED (-1)

/* A workspace as a command names it, with the robot name that the codec derived from it (its slug
 * may need a hash, and the core has none). */
struct berth_workspace {
    char id[BERTH_WORKSPACE_BYTES];
    char robot_name[BERTH_ROBOT_NAME_BYTES]; /* "ws-<slug>"; empty when the id is not legal. */
};

/* Where a record was read; the identity of "the same record, redelivered". */
struct berth_source {
    char topic[BERTH_TOPIC_BYTES];
    int32_t partition;
    int64_t offset;
    char log_id[BERTH_LOG_ID_BYTES]; /* Of the topic; empty: it can't be told. */
};

struct berth_command {
    enum berth_command_type type;
    char id[BERTH_UUID_BYTES]; /* Lower case. Empty when the record had none that is a UUID. */
    char registry[BERTH_REGISTRY_BYTES];
    char space[BERTH_SPACE_BYTES];
    char actor[BERTH_ACTOR_BYTES];
    int64_t issued_at_ms; /* Wall clock, since 1970. */
    enum berth_visibility visibility;
    bool quota_given;
    int64_t quota_bytes; /* Meaningful when quota_given; may be an invalid 0. */
    enum berth_if_exists if_exists;
    bool unbind;
    /* A set: sorted by bytes, without duplicates. Owned by whoever made the command. */
    struct berth_workspace *workspaces;
    size_t workspaces_count;
    /* SHA-256 over the content without issued_at (design 4.3): same id, other digest = reused. */
    uint8_t digest[BERTH_DIGEST_BYTES];
    char traceparent[BERTH_TRACEPARENT_BYTES]; /* The command's own header, or empty. */
};

/* "CreateSpace", ...: the name of the Avro record. Never NULL. */
const char *berth_command_type_name(enum berth_command_type type);

#endif
