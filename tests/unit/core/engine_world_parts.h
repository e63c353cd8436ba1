/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of the virtual world, shared by its files:
 *
 *   engine_world.c          life, time, faults, what the end of a run must look like
 *   engine_world_scene.c    what a test makes happen: workers, partitions, commands
 *   engine_world_worker.c   performing effects: what the daemon's loop would do
 *   engine_world_checks.c   what is checked of a worker at each effect that it asks for
 *   engine_world_ledger.c   the scripts of the ledger, with the meaning of core/ledger_call.h
 *   engine_world_harbor.c   projects and robots
 *   engine_world_kafka.c    logs, transactions, and what follows from what was answered
 *   engine_world_text.c     states and answers as text, the trace
 */
#ifndef BERTH_TESTS_ENGINE_WORLD_PARTS_H
#define BERTH_TESTS_ENGINE_WORLD_PARTS_H

#include "engine_world.h"

enum world_event_kind {
    WORLD_LEDGER_RUNS,
    WORLD_LEDGER_ANSWERS,
    WORLD_HARBOR_HANDED, /* The adapter hands the request to the network. */
    WORLD_HARBOR_RUNS,
    WORLD_HARBOR_ANSWERS,
    WORLD_KAFKA_DECIDES,
    WORLD_KAFKA_ANSWERS,
    WORLD_TELLS, /* Partitions and drain: `tells` goes to the worker as it is. */
};

struct world_item {
    struct world_record *record;
    enum berth_publish_form form;
    struct world_publication publication;
};

struct world_lane {
    uint32_t slot;
    struct world_record *record;
    int64_t token;
    uint32_t burned;
    int64_t paused_ms;
};

/* Something on its way. What it needs of an effect is copied. */
struct world_event {
    TAILQ_ENTRY(world_event) link;
    int64_t at_ms;
    uint64_t order; /* Of posting; kept while it waits for a worker to thaw. */
    enum world_event_kind kind;
    int worker;
    uint32_t life;
    enum world_fault fault;
    int64_t delay_ms;
    int64_t asked_ms;

    uint64_t call_id;
    uint32_t slot;
    struct world_record *record;

    struct berth_ledger_call ledger_call; /* Its pointers are not used. */
    struct berth_space_state state;       /* REMEMBER's, STORE's. */
    struct world_publication publication; /* STORE's; then what CLAIM or STORE found. */
    bool publication_found;
    struct world_lane lanes[WORLD_SLOTS_MAX]; /* RENEW's. */
    bool lanes_held[WORLD_SLOTS_MAX];
    struct berth_settled settled[WORLD_SLOTS_MAX]; /* SETTLED's. */
    int64_t bases[WORLD_PARTITIONS];               /* SETTLED's; -1: none. */
    struct berth_ledger_answer ledger_answer;

    struct berth_harbor_call harbor_call;
    struct berth_harbor_answer harbor_answer;
    struct berth_harbor_robot *robots; /* Owned. */

    struct world_item *items; /* Owned. */
    size_t items_count;
    struct berth_publish_offset offsets[WORLD_NUMBERS];
    int partitions[WORLD_NUMBERS]; /* Of the offsets, and the epoch of their assignment. */
    uint32_t epochs[WORLD_NUMBERS];
    size_t offsets_count;
    bool committed;
    uint8_t refused_by[WORLD_SLOTS_MAX]; /* Of each item: the outputs that refuse it. */
    uint8_t refused;                     /* All of them. */

    struct berth_event tells;
};

/* ---- engine_world.c ---- */

/* A new event of a worker, copied from a draft, so much later. */
void world_post(struct world *world, const struct world_event *draft, int64_t delay_ms);
/* The fault of the next call of this kind, and how long it makes it. */
enum world_fault world_pick_fault(struct world *world, enum world_channel channel, int kind,
                                  int64_t *ret_delay_ms);

/* ---- engine_world_worker.c ---- */

/* Steps the engine, performs its effects, and lets it take in records. */
void worker_step(struct world *world, struct world_worker *worker, struct berth_event *event);
/* The moment has come for the worker that is to be stopped. */
void worker_stop(struct world *world);
void worker_take_in(struct world *world, struct world_worker *worker);
/* Posts an event to itself: now, or when it thaws. */
void worker_tell(struct world *world, struct world_worker *worker, const struct berth_event *event);
void worker_harbor_handed(struct world *world, struct world_event *event);
void worker_ledger_answers(struct world *world, struct world_event *event);
void worker_harbor_answers(struct world *world, struct world_event *event);

/* ---- engine_world_checks.c ---- */

/* The engine names command and source by pointers into itself: they must be those of the slot. */
void checks_names(struct world *world, const struct world_slot *slot,
                  const struct berth_command *command, const struct berth_source *source);
/* From its claim until it is released an item is the only one of its space. */
void checks_lane(struct world *world, const struct world_worker *worker,
                 const struct world_slot *slot);
/* Whether this turn follows a long sleep. */
void checks_slept(const struct world *world, struct world_worker *worker);
/* A request to Harbor, and what was answered: what may be written and read, and when. */
void checks_asked(struct world *world, const struct world_worker *worker, struct world_slot *slot,
                  const struct berth_harbor_call *call);
void checks_answered(struct world *world, const struct world_event *event);

/* ---- engine_world_ledger.c ---- */

void ledger_runs(struct world *world, struct world_event *event);
struct world_ledger_space *ledger_space(struct world *world, uint32_t registry, const char *name);
struct world_ledger_command *ledger_command(struct world *world, const struct world_record *record);
/* Whoever sent the event holds the lane of its record. */
bool ledger_lane_held(struct world *world, const struct world_event *event);

/* ---- engine_world_harbor.c ---- */

/* A request leaves its client, with the fault that it is to meet. */
void harbor_post(struct world *world, struct world_event *draft);
void harbor_runs(struct world *world, struct world_event *event);
struct world_project *harbor_project(struct world *world, uint32_t registry, const char *name);
/* What is there, as a state of the world's pool; what was in it is given back. */
void harbor_state(struct world *world, uint32_t registry, const char *name,
                  struct berth_space_state *ret_state);
/* The pull secret of the workspace's robot was set. */
bool harbor_secret_set(struct world *world, uint32_t registry, const char *name,
                       const char *workspace);

/* ---- engine_world_kafka.c ---- */

void kafka_decides(struct world *world, struct world_event *event);
void kafka_check(const struct world *world);
struct world_expected *kafka_expected(struct world *world, uint32_t registry, const char *name);

/* ---- engine_world_text.c ---- */

void text_of_state(const struct berth_space_state *state, char ret[WORLD_STATE_BYTES]);
void publication_of(const struct berth_outcome *outcome, struct world_publication *ret);
/* As bytes they would be published the same. */
bool same_publication(const struct world_publication *a, const struct world_publication *b);
/* The same of their results, of which one may be all that is left. */
bool same_result(const struct world_publication *a, const struct world_publication *b);
int number_of(const char *command_id);
/* The incarnation of one life of a worker. */
void incarnation_of(int worker, uint32_t life, char ret[BERTH_UUID_BYTES]);
void trace(struct world *world, const char *format, ...) BERTH_PRINTF(2, 3);
const char *form_name(enum berth_publish_form form);

#endif
