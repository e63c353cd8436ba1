/* SPDX-License-Identifier: Apache-2.0 */
/* An item: one record taken in. Its states and their moves are drawn in engine_parts.h. */
#ifndef BERTH_CORE_ENGINE_ITEM_H
#define BERTH_CORE_ENGINE_ITEM_H

#include <sys/queue.h>

#include "berth/core/engine.h"
#include "berth/core/plan.h"
#include "engine_timer.h"

enum item_state {
    ITEM_QUEUED,
    ITEM_CLAIMING,
    ITEM_WAITING,
    ITEM_REMEMBERING,
    ITEM_RUNNING,
    ITEM_BACKING_OFF,
    ITEM_READING_BACK,
    ITEM_STORING,
    ITEM_READY,
    ITEM_PUBLISHING,
    ITEM_SET_ASIDE,
};
#define ITEM_STATES 11

struct lane;
struct partition;

struct item {
    uint32_t slot;
    enum item_state state;
    struct partition *partition; /* NULL: an orphan. */
    struct lane *lane;           /* NULL: decided without one. */
    TAILQ_ENTRY(item) in_window;
    TAILQ_ENTRY(item) in_lane;
    /* Of the registry's lanes that wait for room, of its calls that wait for their turn, of its
     * partition's ready ones, or of a batch. */
    TAILQ_ENTRY(item) in_queue;
    bool queued_for_room;
    bool queued_for_call;
    bool has_room; /* Counted in its registry's lanes_active, and its memory is reserved. */

    struct berth_command command;
    struct berth_source source;
    int64_t timestamp_ms; /* The record's, and its checksum. */
    uint32_t checksum;
    /* What is settled with it: its offset, and those before it that are never delivered. */
    int64_t first_offset;
    uint32_t registry; /* registries_count: none. */
    uint32_t share;    /* Whose it takes of slots and memory: its topic's. */
    int64_t taken_ms;  /* When it was taken in, less the pauses of its registry until then. */

    /* The claim. */
    int64_t token;    /* From STORED or ALREADY on: under which the outcome was stored. */
    int64_t asked_ms; /* When the ledger call under way was made. */
    int64_t lease_end_ms;
    int64_t received_wall_ms;
    int attempts;
    uint32_t ledger_failures;
    bool holds_lane; /* CLAIM answered TAKEN and nothing since took it away. */
    bool lost;       /* It was taken away while calls were under way: claim again after them. */
    bool waits_for_lease;  /* Nothing is asked of Harbor before the renewal. */
    uint64_t claim_number; /* Of a CLAIM that wasn't answered: the next one repeats it; 0: none. */
    bool take_over;
    bool mark_seen;
    struct berth_lane_mark mark; /* What the lane bore when last seen held by another ... */
    int64_t mark_since_ms;       /* ... and since when, on our clock. */
    /* What the command met, of a claim that was lost; for the case that Redis lost it, too.
     * UNKNOWN: none. */
    struct berth_space_state before;

    /* The work. Alive from TAKEN to the end of STORING. */
    struct berth_work *work;
    uint32_t calls_outstanding;
    uint32_t calls_made;
    bool has_unsent; /* The plan's next call waits for its turn. */
    struct berth_harbor_call unsent;

    /* The budget, also over claims. */
    uint32_t burned;       /* Attempts. */
    uint32_t streak;       /* Of its registry, in which it burned last, ... */
    uint32_t streak_burns; /* ... and how many: given back if the registry turns out to be sick. */
    int64_t aged_ms;       /* At the claim. */
    int64_t paused_ms;     /* Time in which the age stood still, before the claim. */
    int64_t claimed_ms;    /* 0: it never was. */
    int64_t pause_mark_ms; /* The registry's pauses at the claim. */
    bool awaits_verdict;   /* Spent, unless the probe under way says that the registry is sick. */

    uint32_t burned_asked; /* What the last renewal told of it. */
    uint32_t failures;     /* In a row, burned or not: the back-off's exponent. */
    uint32_t read_backs;
    int64_t read_from_ms; /* What was written with unknown outcome isn't read back before. */
    bool failed_once;     /* Since the last step: back off before the next one. */
    bool burn;
    uint8_t refused_by; /* SET_ASIDE: the outputs that it waits for. */
    bool free_lane;     /* The outcome's STORE does. */
    enum berth_publish_form form;

    struct berth_outcome *outcome; /* From the decision until it is stored, or settled if DIRECT. */
    struct timer timer;
};

TAILQ_HEAD(item_list, item);

#endif
