/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's insides, shared by its files:
 *   engine.c          life, dispatch of events, effects, timers
 *   engine_item.c     an item's moves, and what is true of it in each state
 *   engine_intake.c   partitions and their windows, records taken in, winding down
 *   engine_lane.c     lanes: whose turn it is
 *   engine_claim.c    CLAIM, waiting for a held lane, REMEMBER, STORE, renewal
 *   engine_work.c     stepping a plan, Harbor's answers, retries, giving up
 *   engine_calls.c    the queue in which calls wait for their turn, and sending them
 *   engine_limit.c    how many calls a registry may have under way
 *   engine_breaker.c  whether a registry is asked at all
 *   engine_share.c    what one topic may take of the slots and of the memory
 *   engine_publish.c  batches and transactions, in any order of the window
 *   engine_settle.c   telling the ledger what was committed
 *   engine_notice.c   something an operator may want to read
 *   engine_refused.c  ledger calls that aren't answered, or are refused
 *
 * The states of an item (one record taken in) and its moves; `*`: it holds the lane in Redis, as
 * far as we know. Not drawn: REMEMBERING to READY, when Redis refuses a key of it for good.
 *
 *   QUEUED ----> CLAIMING ----> REMEMBERING* <--> RUNNING* <--> BACKING_OFF* (-> WAITING, STORING)
 *     |           |  ^  |             |             |             | ^
 *     |           v  |  |             |             |             v | (an orphan)
 *     |         WAITING |             |             |         READING_BACK*
 *     |                 |             v             v              |
 *     |                 |          (claim lost: CLAIMING)          |
 *     |                 v                           v              v
 *     +-----------> READY <-------------------- STORING* <---------+
 *                     |  ^ ^-------------+
 *                     v  | (aborted)     | (an output takes it again)
 *                 PUBLISHING ----> SET_ASIDE
 *                     +----------> settled: the slot is released
 *
 * Whatever leads to RUNNING leads to BACKING_OFF while it is too early to read what was written.
 *
 * An item whose partition was lost is an *orphan*: it has no window any more, its lane goes on
 * waiting for it until its calls have come back, and it is released at READY without being
 * published (design 5: a lane's lock outlives the assignment's epoch), or instead of a pause.
 *
 * Invariants: an item is in a partition's window or an orphan; the first item of a lane is the only
 * one beyond QUEUED; calls_outstanding counts the effects of the item that were not answered. Those
 * of each state are in item_check().
 */
#ifndef BERTH_CORE_ENGINE_PARTS_H
#define BERTH_CORE_ENGINE_PARTS_H

#include <sys/queue.h>

#include "berth/base/deadlines.h"
#include "berth/base/pool.h"
#include "berth/base/random.h"
#include "berth/core/command_rules.h"
#include "berth/core/engine.h"
#include "berth/core/plan.h"
#include "berth/core/settled_map.h"
#include "engine_item.h"
#include "engine_limit.h"
#include "engine_publish.h"
#include "engine_timer.h"

/* The ledger calls that belong to no item; the id of any other is its item's slot. */
#define ENGINE_RENEW_CALL_ID  UINT64_MAX
#define ENGINE_SETTLE_CALL_ID (UINT64_MAX - 1)
/* The Harbor calls that belong to no item: a registry's probe has this id less its index. */
#define ENGINE_PROBE_CALL_ID (UINT64_MAX - 2)

/* What one topic has taken of the slots and of the pool. */
struct share {
    uint32_t partitions; /* Open ones. */
    uint32_t commands;
    size_t bytes; /* Records, and what is reserved for work. */
};

enum partition_state {
    PARTITION_FREE,
    PARTITION_OPEN,
    PARTITION_WINDING_DOWN, /* Revoked or draining: nothing new begins. */
};

struct partition {
    enum partition_state state;
    uint32_t number; /* Index in the engine's table: the caller's name for it. */
    char topic[BERTH_TOPIC_BYTES];
    int32_t kafka_number;
    struct berth_log_mark log, batch_log; /* As committed, and with the batch under way. */
    uint32_t share;                       /* Index of its topic's. */
    bool give_up;                         /* Revoked: to be given up when its window is empty. */
    bool commit_start;                    /* Its start offset is still to be committed. */
    int64_t base;      /* Told to the ledger: where the last transaction ended; -1: none has. */
    bool base_unsaved; /* It wasn't told yet, ... */
    bool base_asked;   /* ... or the telling wasn't answered. */
    int64_t start_offset;
    bool in_batch;    /* The transaction under way carries its offset, ... */
    bool batch_start; /* ... and with it the start that commit_start asked for. */
    int64_t batch_offset;
    struct item_list window; /* What was taken in and isn't settled, by offset. */
    uint32_t window_count;
    struct item_list ready; /* Of the window: whose answers wait for a transaction; oldest first. */
    struct item_list set_aside; /* Of the window: those that an output refuses. */
    int64_t next_offset;        /* One past the last that was delivered. */
    /* What is settled of what was delivered, and of what the map said that came with the partition.
     * With a transaction under way: as if that were committed. */
    struct berth_settled_map settled;
    bool crowded_told;
    TAILQ_ENTRY(partition) in_publishable;
    bool publishable;
    struct timer timer;
};

TAILQ_HEAD(partition_list, partition);

struct effect_node {
    TAILQ_ENTRY(effect_node) link;
    struct berth_effect effect;
    void *attached; /* Pool memory that the effect points to. */
};

TAILQ_HEAD(effect_list, effect_node);

/* Whether a registry is asked: states and moves are in engine_breaker.c. */
enum breaker_state { BREAKER_CLOSED, BREAKER_DOUBTED, BREAKER_OPEN, BREAKER_PROBING };
#define BREAKER_STATES 4

/* So many spaces must fail with nothing well in between. */
#define BREAKER_SUSPECTS 3

struct breaker {
    enum breaker_state state;
    int64_t opened_ms;
    struct timer probe_timer;
    uint32_t probes;         /* So far: for their request ids. */
    uint32_t probes_failed;  /* Since it opened. */
    int64_t probe_began_ms;  /* The last one; 0: none. */
    int64_t probe_fine_ms;   /* The last that was; 0: none. */
    uint32_t reopenings;     /* In a row, each soon after a fine probe. */
    struct timer rest_timer; /* Armed: Retry-After asked not to be asked before. */
    /* What has happened since a command's call was last answered as it should be: */
    uint32_t streak;                                    /* Its number. */
    uint32_t unreached;                                 /* Calls that found no connection. */
    char suspects[BREAKER_SUSPECTS][BERTH_SPACE_BYTES]; /* Spaces that failed. */
    uint32_t suspects_count;
    int64_t suspected_ms; /* When the first of them did. */
    /* The pauses: open or resting. */
    bool pausing;
    int64_t pause_began_ms;
    int64_t paused_ms; /* Those before. */
};

struct registry {
    uint32_t number;
    uint32_t lanes_active;
    struct item_list waiting_for_room;
    struct item_list waiting_for_call; /* Each item has one call there, however many it wants. */
    uint32_t calls_outstanding;        /* Without the probe. */
    struct limit limit;
    struct breaker breaker;
};

struct berth_engine {
    const struct berth_engine_config *config;
    struct berth_pool *pool;
    struct berth_random random;
    struct berth_deadlines deadlines;
    int64_t now_ms;
    int64_t wall_ms;

    struct berth_plan_settings plan_settings;
    struct berth_rules rules;
    const char **registry_names;
    const char **registry_topics;
    struct registry *registries;
    struct share *shares; /* registries_count + 1: by a topic's first registry; the last: none. */
    size_t shared_pool_bytes; /* What the pool had for records and work at the beginning. */

    struct partition *partitions; /* BERTH_ENGINE_PARTITIONS_MAX */
    uint32_t partitions_open;
    struct item **slots; /* commands_max */
    uint32_t *free_slots;
    uint32_t free_slots_count;
    struct lane *lanes; /* A hash table; only engine_lane.c looks inside. */

    struct effect_list effects;
    struct effect_node *lent; /* The effect that the caller is looking at. */

    /* Renewal. */
    struct timer renew_timer;
    bool renewing;
    int64_t renew_asked_ms;
    int64_t woke_ms; /* After the last long sleep: a lease that was asked for before is none. */
    uint32_t *renew_slots; /* commands_max: what the renewal under way asked, in its order. */
    int64_t *renew_tokens;
    uint32_t renew_count;
    uint32_t lanes_held;
    uint64_t claims; /* Asked for so far, each once however often it was repeated. */

    /* Publishing. */
    struct partition_list publishable;
    struct item_list batch;
    size_t batch_count;
    struct berth_publish_item *batch_items;       /* batch_max */
    struct berth_publish_offset *batch_offsets;   /* BERTH_ENGINE_PARTITIONS_MAX */
    char (*batch_maps)[BERTH_SETTLED_TEXT_BYTES]; /* What goes with each of them, which aren't more
                                                   * than batch_max. */
    struct berth_settled_run *runs;               /* So many for each partition: */
    size_t runs_of_partition;
    bool publishing;
    int64_t publishing_since_ms;
    uint32_t aborts_in_row;
    struct timer publish_timer;

    /* Telling the ledger. */
    struct berth_settled *settled; /* commands_max: not told yet. */
    uint32_t settled_count;
    struct berth_base *bases; /* BERTH_ENGINE_PARTITIONS_MAX */
    bool bases_unsaved;       /* Some partition's. */
    bool settling;            /* A call is under way. */
    uint32_t settle_failures;
    struct timer settle_timer;

    bool let_go_due; /* Somebody may wait for a sick registry and hold up who winds down. */
    bool draining;
    bool drained_told;
    uint32_t left;
    uint32_t worked_on;
    uint32_t ready;
    uint32_t set_aside;
    uint64_t settled_total;
    uint64_t skipped_total;
    uint64_t maps_ignored_total;
};

/* ---- engine.c ---- */

/* A new effect at the end of the list, zeroed but for its kind. */
struct berth_effect *engine_effect(struct berth_engine *engine, enum berth_effect_kind kind);
/* The same with pool memory of so many bytes, which lives as long as the effect. */
struct berth_effect *engine_effect_with(struct berth_engine *engine, enum berth_effect_kind kind,
                                        size_t attached_bytes, void **ret_attached);
/* The text is the concatenation of the strings that follow, up to a NULL. */
void engine_notice(struct berth_engine *engine, const struct item *item, const char *event, ...)
    __attribute__((sentinel));
/* The same of a partition, at an offset of it. */
void engine_notice_partition(struct berth_engine *engine, const struct partition *partition,
                             int64_t offset, const char *event, ...) __attribute__((sentinel));
/* The same of a registry. */
void engine_notice_registry(struct berth_engine *engine, uint32_t registry, const char *event, ...)
    __attribute__((sentinel));
void engine_arm(struct berth_engine *engine, struct timer *timer, int64_t delay_ms);
void engine_disarm(struct berth_engine *engine, struct timer *timer);
/* Exponential back-off with full jitter: uniform in [1, min(cap, first * 2^failures)]. */
int64_t engine_backoff_ms(struct berth_engine *engine, int64_t first_ms, int64_t cap_ms,
                          uint32_t failures);
/* ---- engine_item.c ---- */

/* Moves an item; a move that the table doesn't have is asserted, and what must be true of an item
 * in its new state. */
void item_move(struct berth_engine *engine, struct item *item, enum item_state to);
void item_check(const struct berth_engine *engine, const struct item *item);
/* What a record takes of the pool while it is here. */
size_t record_bytes(const struct item *item);
/* Ends an item: out of its lane, its window and every queue; its slot is free. */
void item_release(struct berth_engine *engine, struct item *item);
/* The outcome of an item, made empty when there was none. */
struct berth_outcome *item_outcome(struct berth_engine *engine, struct item *item);
void item_drop_outcome(struct berth_engine *engine, struct item *item);
void item_drop_before(struct berth_engine *engine, struct item *item);

/* ---- engine_intake.c ---- */

void intake_gained(struct berth_engine *engine, const struct berth_engine_partition *gained);
void intake_revoked(struct berth_engine *engine, uint32_t number);
void intake_lost(struct berth_engine *engine, uint32_t number);
enum berth_rc intake_record(struct berth_engine *engine, const struct berth_engine_record *record);
void intake_drain(struct berth_engine *engine);
/* A lane was found held by another. False: the item's partition is gone or winding down, nothing
 * waits for the item's answer, and it was released. */
bool intake_may_wait(struct berth_engine *engine, struct item *item);
/* An item of a partition that winds down isn't finished: it is the next owner's. */
void intake_drop(struct berth_engine *engine, struct item *item);
/* The bound of a revocation has come: whatever is left becomes an orphan. */
void intake_revoke_bound(struct berth_engine *engine, struct partition *partition);
/* Nobody who winds down waits for a registry that isn't asked: its items are let go. */
void intake_let_go(struct berth_engine *engine);
/* Tells what became possible after an item left a window: giving up, being drained. */
void intake_check_finished(struct berth_engine *engine, struct partition *partition);

/* ---- engine_lane.c ---- */

/* Puts the item at the end of its space's lane, and starts it when it is the first. */
void lane_join(struct berth_engine *engine, struct item *item);
/* Claims for the first item of a lane, as soon as its registry has room for it. */
void lane_claim(struct berth_engine *engine, struct item *item);
/* Takes the item out of its lane and of any queue; the next one of the lane starts. */
void lane_leave(struct berth_engine *engine, struct item *item);
/* The item's work is over: its room goes to a lane that waits for some. */
void lane_leave_room(struct berth_engine *engine, struct item *item);
/* The registry is asked again: its lanes that wait for room get what there is. */
void lanes_resume(struct berth_engine *engine, struct registry *registry);
void lanes_free(struct berth_engine *engine);

/* ---- engine_claim.c ---- */

/* CLAIMING: asks for the lane. */
void claim_ask(struct berth_engine *engine, struct item *item);
/* STORING: writes the outcome. */
void claim_store(struct berth_engine *engine, struct item *item);
/* REMEMBERING: writes `before`. */
void claim_remember(struct berth_engine *engine, struct item *item);
void claim_answered(struct berth_engine *engine, struct item *item,
                    const struct berth_ledger_answer *answer);
/* The pause in CLAIMING, WAITING, REMEMBERING or STORING is over: ask again. */
void claim_timer(struct berth_engine *engine, struct item *item);
/* Renews every held lane, unless a renewal is under way. */
void claim_renew(struct berth_engine *engine);
void claim_renewed(struct berth_engine *engine, const struct berth_ledger_answer *answer);
/* The loop slept for long: nothing is asked of Harbor before every held lane was renewed. */
void claim_distrust_leases(struct berth_engine *engine);
/* Whether Harbor may be asked under the item's lease. If not, a renewal is on its way, which goes
 * on with the item. */
bool claim_may_call(struct berth_engine *engine, struct item *item);
int64_t claim_not_after_ms(const struct berth_engine *engine, const struct item *item);
/* The lane is somebody else's, no call is outstanding: drops what was done and claims again. */
void claim_lost(struct berth_engine *engine, struct item *item);
/* An attempt was burned: the ledger is told soon. */
void claim_tell_budget(struct berth_engine *engine);
/* The lane isn't held any more as far as we know. */
void claim_let_go(struct berth_engine *engine, struct item *item);

/* ---- engine_work.c ---- */

/* The claim was taken: from here on Harbor is asked. */
void work_start(struct berth_engine *engine, struct item *item,
                const struct berth_claim_answer *claim);
/* BACKING_OFF: leaves its room, if a lane waits for one, the pause is long and its budget told. */
void work_consider_stepping_aside(struct berth_engine *engine, struct item *item);
/* Frees the plan's work. */
void work_end(struct berth_engine *engine, struct item *item);
/* The lane isn't held any more, and the work is to begin anew with another claim: what the command
 * met is kept for it. */
void work_put_down(struct berth_engine *engine, struct item *item);
/* RUNNING, as soon as what was written with unknown outcome may be read. */
void work_resume(struct berth_engine *engine, struct item *item);
void work_go_on(struct berth_engine *engine, struct item *item);
/* Steps the plan until its next call waits for its turn, or it is done. */
void work_prepare(struct berth_engine *engine, struct item *item);
/* How long the command has been worked on by whichever worker, without pauses of its registry. */
int64_t work_age_ms(const struct berth_engine *engine, const struct item *item);
/* How long its age has stood still. */
int64_t work_paused_ms(const struct berth_engine *engine, const struct item *item);
/* The registry turned out to be sick: what was burned meanwhile wasn't the commands' fault. */
void work_give_back_burns(struct berth_engine *engine, const struct registry *registry);
/* A probe has answered: whoever waited for that to be given up is, or tries on. */
void work_verdict(struct berth_engine *engine, const struct registry *registry);
/* The registry is asked again: nobody sits out a long pause. */
void work_wake(struct berth_engine *engine, const struct registry *registry);
/* Lets go of an orphan whose calls are back and that would have to be tried again: whoever has its
 * record now takes the lane over after a lease, instead of waiting for as long as we would try. */
void work_abandon(struct berth_engine *engine, struct item *item);
void work_answered(struct berth_engine *engine, struct item *item,
                   const struct berth_harbor_call *call, const struct berth_harbor_answer *answer);
/* The pause in BACKING_OFF or READING_BACK is over. */
void work_timer(struct berth_engine *engine, struct item *item);
/* Decides an item without a plan: a refusal or a dead letter, which no ledger keeps. */
void work_refuse(struct berth_engine *engine, struct item *item, enum berth_outcome_kind kind,
                 const char *code, const char *message);

/* ---- engine_calls.c ---- */

/* The item's next call gets in line. */
void calls_queue(struct berth_engine *engine, struct item *item);
/* Out of the line; the call stays the item's. */
void calls_unqueue(struct berth_engine *engine, struct item *item);
/* The item's next call isn't made after all. */
void calls_take_back(struct berth_engine *engine, struct item *item);
/* Makes calls as long as the registry may be asked. */
void calls_serve(struct berth_engine *engine, struct registry *registry);
/* A call of an item's was answered: what that says about the registry. */
void calls_answered(struct berth_engine *engine, struct registry *registry,
                    const struct berth_harbor_call *call, const struct berth_harbor_answer *answer);

/* ---- engine_breaker.c ---- */

void breaker_init(struct registry *registry);
/* Nothing is asked of the registry now, but whether it is well. */
bool breaker_blocks(const struct registry *registry);
/* Whether the item waits for a registry that isn't asked, and for nothing else. */
bool breaker_holds(const struct berth_engine *engine, const struct item *item);
int64_t breaker_paused_ms(const struct berth_engine *engine, const struct registry *registry);
void breaker_call_answered(struct berth_engine *engine, struct registry *registry,
                           const struct berth_harbor_call *call,
                           const struct berth_harbor_answer *answer);
/* Asks whether the registry is well, unless that is being asked; work_verdict() follows. */
void breaker_doubt(struct berth_engine *engine, struct registry *registry);
void breaker_probe_answered(struct berth_engine *engine, struct registry *registry,
                            const struct berth_harbor_answer *answer);
void breaker_probe_timer(struct berth_engine *engine, struct registry *registry);
void breaker_rest_timer(struct berth_engine *engine, struct registry *registry);

/* ---- engine_share.c ---- */

/* The index of a topic's share. */
uint32_t share_of(const struct berth_engine *engine, const char *topic);
/* Whether a record of this share may be taken in, which needs so many bytes at most. */
bool share_has_room(const struct berth_engine *engine, uint32_t share, size_t bytes);
/* Whether another command of this registry may be worked on. */
bool share_has_work_room(const struct berth_engine *engine, uint32_t share,
                         const struct registry *registry);

#endif
