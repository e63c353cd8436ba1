/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome of a command: everything from which its result, audit record, space state and dead
 * letter are made. Decided by the engine; turned into bytes by codec/events.h; those bytes are what
 * the ledger stores and what is published, so that a repetition is byte for byte the same.
 */
#ifndef BERTH_CORE_OUTCOME_H
#define BERTH_CORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"
#include "berth/core/space.h"

struct berth_pool;

enum berth_outcome_kind {
    BERTH_SUCCEEDED,
    BERTH_REJECTED, /* Cannot be done as asked. */
    BERTH_FAILED,   /* Given up after retries; the record is also a dead letter. */
};

enum berth_binding_change_kind {
    BERTH_BINDING_UNCHANGED,
    BERTH_BINDING_BOUND,
    BERTH_BINDING_UNBOUND,
    BERTH_BINDING_FAILED,
};

struct berth_binding_change {
    char workspace[BERTH_WORKSPACE_BYTES];
    enum berth_binding_change_kind kind;
    const char *code; /* A string constant: workspace.bound, binding.foreign_robot, ... */
};

/* One parameter for a localised text: details[name] = value. */
#define BERTH_DETAIL_NAME_BYTES  32
#define BERTH_DETAIL_VALUE_BYTES 512
#define BERTH_DETAILS_MAX        8

struct berth_detail {
    char name[BERTH_DETAIL_NAME_BYTES];
    char value[BERTH_DETAIL_VALUE_BYTES];
};

struct berth_outcome {
    enum berth_outcome_kind kind;
    bool changed; /* Something in Harbor is different from the claim's `before`. */
    char code[BERTH_CODE_BYTES];
    char message[BERTH_MESSAGE_BYTES];
    struct berth_detail details[BERTH_DETAILS_MAX];
    size_t details_count;
    /* Owned (pool): one for each workspace of the command; of SetWorkspaceBindings and DeleteSpace
     * also those that it unbinds. */
    struct berth_binding_change *bindings;
    size_t bindings_count;
    /* How often it was tried: those that failed and counted (retry_attempts), and the one that led
     * to this outcome; 0: it was refused before anything was tried. */
    int attempts;
    int64_t received_at_ms; /* Wall clock: first claimed, by whichever worker. */
    int64_t finished_at_ms; /* Wall clock: this outcome was made. */

    struct berth_space_state before; /* What the command met; UNKNOWN: not told. */
    struct berth_space_state after;  /* What is there now; UNKNOWN: not told. */
    bool publish_state; /* `after` goes to the topic of spaces (ABSENT: as a tombstone). */
    bool verified;      /* `after` was compared with Harbor as a whole, just now. */
    bool wrote;         /* A write to Harbor was done, or may have been. */
    bool audit;         /* An audit record is published. */
    bool dead_letter;   /* The original record goes to the topic of dead letters. */
    bool final;         /* The ledger keeps it for the command id (a FAILED one: for its record). */
};

/*
 * An outcome that is decided without a plan: a refusal (REJECTED, with an audit record) or a dead
 * letter (FAILED, without one). Nothing is told of the space or of single workspaces, because
 * nothing was looked at; the caller may set more. Whatever outcome held before is overwritten.
 */
void berth_outcome_refuse(struct berth_outcome *outcome, enum berth_outcome_kind kind,
                          const char *code, const char *message);

/* Gives an outcome's owned parts back; fine on a zeroed one, and twice. */
void berth_outcome_deinit(struct berth_outcome *outcome, struct berth_pool *pool);

/* "SUCCEEDED", "BOUND", ...: the Avro symbols. Never NULL. */
const char *berth_outcome_kind_name(enum berth_outcome_kind kind);
const char *berth_binding_change_kind_name(enum berth_binding_change_kind kind);

#endif
