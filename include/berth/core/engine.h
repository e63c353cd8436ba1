/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: from records to settled commands (design 4 and 5).
 *
 * Pure: an event goes in, effects come out, time arrives in the event. No clock, no I/O, no
 * globals; memory from one bounded pool. The daemon performs the effects with real parts, a
 * simulator with its own; neither has a way around them.
 *
 * A record's way (each arrow is an event; the full table of moves is in src/core/engine_parts.h):
 *
 *   taken in -> QUEUED in its lane -> CLAIMING -> RUNNING (Harbor calls) -> STORING -> READY
 *            -> PUBLISHING (in one Kafka transaction with the offsets) -> settled
 *
 * Records of a partition are settled in any order: what is settled above the first that isn't goes
 * with the offset, as its metadata, and comes back with the partition.
 *
 * After each step the caller performs all effects, then steps the next event.
 */
#ifndef BERTH_CORE_ENGINE_H
#define BERTH_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/command.h"
#include "berth/core/harbor_call.h"
#include "berth/core/ledger_call.h"
#include "berth/core/outcome.h"

struct berth_engine;
struct berth_pool;

#define BERTH_ENGINE_PARTITIONS_MAX 1024

struct berth_engine_registry {
    const char *name;
    const char *command_topic;
    bool dedicated;
    uint32_t lanes_max; /* Commands of this registry that are worked on side by side. */
    uint32_t calls_max; /* The most calls to it under way, probes apart; it may be asked less. */
};

/* Borrowed for the engine's life. Times in milliseconds. */
struct berth_engine_config {
    const char *instance;
    const char *incarnation;
    const char *key_id;
    const struct berth_engine_registry *registries;
    size_t registries_count;
    const char *const *protected_spaces;
    size_t protected_spaces_count;

    uint32_t commands_max; /* Records taken in and not settled, in all. */
    uint32_t window_max;   /* The same for one partition. */
    uint32_t batch_max;    /* Records answered in one transaction. */

    int64_t lease_ms;
    int64_t renew_ms;
    int64_t restart_grace_ms;   /* For lanes of an earlier incarnation of this instance. */
    int64_t request_timeout_ms; /* Of one Harbor request, at most, over all registries. */
    int64_t cold_after_ms;      /* A space not compared with Harbor for longer is cold. */
    int64_t ledger_memory_ms;   /* issued_at older than this is too old for an unknown id. */
    int64_t future_max_ms;      /* issued_at further ahead than this is in the future. */

    uint32_t retry_attempts; /* Burned attempts until a command is given up. */
    int64_t retry_age_ms;    /* Age, from the first claim, until it is given up. */
    int64_t backoff_ms;      /* First ceiling of the back-off; it doubles. */
    int64_t backoff_max_ms;
    int64_t revoke_bound_ms; /* How long a revoked partition may take to finish. */
    uint64_t seed;           /* For jitter. */
};

/* ---- Events ---- */

enum berth_event_kind {
    BERTH_EVENT_TIME, /* Only time passed. */
    BERTH_EVENT_PARTITION_GAINED,
    BERTH_EVENT_PARTITION_REVOKED,
    BERTH_EVENT_PARTITION_LOST, /* Not after GIVE_UP_PARTITION, which isn't said any more. */
    BERTH_EVENT_RECORD,
    BERTH_EVENT_LEDGER,
    BERTH_EVENT_HARBOR,
    BERTH_EVENT_TRANSACTION,
    BERTH_EVENT_OUTPUTS_OPEN, /* Outputs that refused take records again, or may. */
    BERTH_EVENT_DRAIN,
};

struct berth_engine_partition {
    uint32_t partition; /* The caller's small number for this assignment of a partition. */
    /* GAINED only: */
    const char *topic;
    int32_t number;
    int64_t start_offset;
    bool
        commit_start; /* Nothing was ever committed: the start is committed before anything else. */
    /* What was committed, and with it; -1 and NULL: nothing. The start may be above it, where the
     * log begins. A map of what is settled is found in it if it is ours and whole and was made for
     * this very offset; else a notice tells, and what it may have said is done again. */
    int64_t committed_offset;
    const char *metadata;
    struct berth_log_mark log; /* Which log this is, and what of it was settled last. */
};

struct berth_engine_record {
    uint32_t partition;
    int64_t offset;
    const void *key;
    size_t key_len;
    int64_t timestamp_ms; /* The record's own, and the checksum of what it holds: for the mark. */
    uint32_t checksum;
    /* The command, whose parts the engine copies; of a dead letter, what could be read of it. */
    const struct berth_command *command;
    const char *reason; /* NULL, or why it is a dead letter: code and sentence. */
    const char *text;
};

struct berth_engine_harbor {
    uint64_t call_id;
    const struct berth_harbor_call *call; /* As it was asked. */
    const struct berth_harbor_answer *answer;
};

struct berth_engine_ledger {
    uint64_t call_id;
    const struct berth_ledger_answer *answer;
};

struct berth_event {
    enum berth_event_kind kind;
    int64_t now_ms;  /* CLOCK_BOOTTIME; never goes back (asserted). */
    int64_t wall_ms; /* For what people read; may jump. */
    union {
        struct berth_engine_partition partition;
        struct berth_engine_record record;
        struct berth_engine_ledger ledger;
        struct berth_engine_harbor harbor;
        struct {
            bool committed; /* Else aborted: nothing of it is visible. */
            /* Not committed: for each item of the batch, by its index, the outputs that keep it
             * from being published (bits as the caller likes); 0: none does. Such items are set
             * aside until BERTH_EVENT_OUTPUTS_OPEN names one of theirs. NULL: nobody is to blame.
             */
            const uint8_t *refused_by;
        } transaction;
        uint8_t outputs_open; /* OUTPUTS_OPEN: their bits. */
    };
};

/* ---- Effects ---- */

enum berth_effect_kind {
    BERTH_EFFECT_TAKEN,   /* The record just stepped has this slot; keep it until RELEASE. */
    BERTH_EFFECT_RELEASE, /* Nothing of this slot is needed any more. */
    BERTH_EFFECT_LEDGER,
    BERTH_EFFECT_HARBOR,  /* A BERTH_HARBOR_PROBE is of no record; it is answered like any other. */
    BERTH_EFFECT_PUBLISH, /* One transaction; answer with BERTH_EVENT_TRANSACTION. */
    BERTH_EFFECT_GIVE_UP_PARTITION,
    BERTH_EFFECT_DRAINED, /* Nothing is under way any more. */
    BERTH_EFFECT_NOTICE,  /* Something an operator may want to read. */
};

/* What of a slot is published. */
enum berth_publish_form {
    BERTH_PUBLISH_MADE,           /* What was made for STORE, whole. */
    BERTH_PUBLISH_DIRECT,         /* Never stored: make it from `outcome` now. */
    BERTH_PUBLISH_STORED,         /* The ledger's bytes, whole. */
    BERTH_PUBLISH_STORED_QUIETLY, /* The same without the space state, which is no longer current.
                                   */
    BERTH_PUBLISH_REPLAY,         /* Another record with a known id: only a result. */
};

struct berth_publish_item {
    uint32_t slot;
    enum berth_publish_form form;
    const struct berth_command *command;
    const struct berth_source *source;
    const struct berth_outcome *outcome; /* DIRECT only. */
    uint32_t registry; /* Index; registries_count when the command names no known one. */
};

struct berth_publish_offset {
    uint32_t partition; /* The caller's number for it, and what it stands for. */
    const char *topic;
    int32_t number;
    int64_t offset;            /* Everything below it is settled, with this transaction. */
    struct berth_log_mark log; /* Of what is settled with it; goes before the map. */
    /* What is settled above it: to be committed as the offset's metadata, at most
     * BERTH_SETTLED_TEXT_MAX characters; empty: nothing. Valid until the transaction's end. */
    const char *metadata;
};

struct berth_effect {
    enum berth_effect_kind kind;
    uint32_t slot; /* TAKEN, RELEASE, LEDGER (not RENEW), HARBOR (not PROBE), NOTICE. */
    union {
        struct {
            uint64_t call_id;
            struct berth_ledger_call call;
            uint32_t registry;
        } ledger;
        struct {
            uint64_t call_id;
            struct berth_harbor_call call;
        } harbor;
        struct {
            const struct berth_publish_item *items;
            size_t items_count;
            const struct berth_publish_offset *offsets;
            size_t offsets_count;
        } publish;
        uint32_t partition; /* GIVE_UP_PARTITION */
        struct {
            uint32_t left; /* Records taken in that were not settled. */
        } drained;
        struct {
            const char *event; /* A string constant: command.retried, lane.held, ... */
            char command_id[BERTH_UUID_BYTES];
            char registry[BERTH_REGISTRY_BYTES];
            char space[BERTH_SPACE_BYTES];
            struct berth_source source; /* No topic: it is about the registry as a whole. */
            char text[384];
        } notice;
    };
};

/* ---- The engine ---- */

/* What one command may take from the pool while it is worked on, at most: reserved before its
 * claim. */
#define BERTH_ENGINE_WORK_BYTES ((size_t)1024 * 1024)

/* The least limit of a pool with which an engine can work at all. */
size_t berth_engine_pool_bytes_min(const struct berth_engine_config *config);

/* An empty engine with its fixed tables, from the pool. Never fails with a pool of that size. */
struct berth_engine *berth_engine_new(const struct berth_engine_config *config,
                                      struct berth_pool *pool, int64_t now_ms);

/* Gives everything back to the pool, whatever is under way. NULL is fine; returns NULL. */
struct berth_engine *berth_engine_free(struct berth_engine *engine);

/*
 * Steps one event. A record that was settled before (the map that came with its partition says so)
 * is not taken in: BERTH_OK, but no BERTH_EFFECT_TAKEN; nothing more is needed of it.
 * BERTH_BUSY: only for a record, when a bound is reached; it was not taken in, offer it again
 * later. Never when berth_engine_can_take() was asked just before, however much time has passed
 * since.
 */
BERTH_MUST_USE enum berth_rc berth_engine_step(struct berth_engine *engine,
                                               const struct berth_event *event);

/* Takes the next effect out; false: there is none. Its pointers are valid until the next call of
 * this function or of berth_engine_step(). */
bool berth_engine_next_effect(struct berth_engine *engine, struct berth_effect *ret_effect);

/* Whether a record of this partition would be taken in now: the window, the number of commands and
 * the pool have room, its start is committed, and it is not being given up. While the map of what
 * is settled out of order is three quarters full, nothing is taken in beyond the highest settled
 * offset (core/settled_map.h). It may become true with any step, so whoever was refused asks again
 * after each. */
bool berth_engine_can_take(const struct berth_engine *engine, uint32_t partition);

/* When BERTH_EVENT_TIME is wanted at the latest; INT64_MAX: never. */
int64_t berth_engine_wake_at_ms(const struct berth_engine *engine);

/* A notice (command.left) for each record that was taken in and isn't settled: for a worker whose
 * time to drain has run out. */
void berth_engine_notice_left(struct berth_engine *engine);

/* Between two steps: asserts what must be true of each record that is here, above all that there is
 * something that it waits for. For tests; a part of it is asserted at each move anyway. */
void berth_engine_check(const struct berth_engine *engine);

/* Figures for logs and metrics. */
struct berth_engine_figures {
    uint32_t partitions;
    uint32_t taken_in;  /* Records in all windows. */
    uint32_t worked_on; /* Claimed or being claimed. */
    uint32_t ready;     /* Outcomes that wait for a transaction. */
    uint32_t set_aside; /* Outcomes that wait for an output that refuses them. */
    bool publishing;
    int64_t publishing_since_ms;
    uint64_t settled_total;
    uint64_t skipped_total;      /* Records that were settled before; not read again. */
    uint64_t maps_ignored_total; /* Metadata of others, or damaged: repetition. */
    uint32_t partitions_crowded; /* Nothing beyond what is settled is taken in from them. */
    size_t map_bytes_max;        /* Of the fullest map; of BERTH_SETTLED_ROOM_BYTES. */
    /* How long the oldest command has been here, without the pauses of its registry; those that
     * wait for one that is paused don't count. 0: there is none. */
    int64_t oldest_ms;
    const struct berth_source *oldest; /* Its record; a view, until the next step. NULL: none. */
};
void berth_engine_figures(const struct berth_engine *engine, struct berth_engine_figures *ret);

/* The same of one registry, by its index. */
struct berth_engine_registry_figures {
    bool open;               /* Its breaker is: nothing but a probe is asked of it. */
    bool resting;            /* It said Retry-After. */
    int64_t paused_total_ms; /* How long it was either. */
    uint32_t calls;          /* Under way, ... */
    uint32_t calls_limit;    /* ... and how many may be now. */
};
void berth_engine_registry_figures(const struct berth_engine *engine, uint32_t number,
                                   struct berth_engine_registry_figures *ret);

#endif
