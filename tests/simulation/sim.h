/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: production engines in a world that one seed decides, and checkers that watch what
 * design.md promises. What is shared by its parts:
 *
 *   sim_main.c       options, seeds side by side, the table of faults and steps
 *   sim_world.c      life, the queue of what happens, the end, the trace
 *   sim_worker.c     one process berthd: what its loop does with events and effects
 *   sim_calls.c      calls of Harbor, there and back
 *   sim_kafka.c      logs, transactions, committed offsets
 *   sim_group.c      the consumer group: members, generations, who gets which partition
 *   sim_harbor.c     calls on the stand-in's model of Harbor's rules
 *   sim_humans.c     what people do in Harbor by hand
 *   sim_producers.c  which commands are sent, and when
 *   sim_faults.c     which fault meets which step
 *   sim_state.c      states and answers in a form that compares
 *   sim_checks.c     the promises
 *   sim_reference.c  what Harbor must be like by what was answered
 *   sim_link.c       a worker's connection to Redis, and what happens to Redis
 *
 * Time is virtual. `sim->now_ms` is the world's; a worker's clocks are that plus its own offsets.
 */
#ifndef BERTH_TESTS_SIM_H
#define BERTH_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/pool.h"
#include "berth/base/random.h"
#include "berth/core/codes.h"
#include "berth/core/engine.h"
#include "harbor_model.h"
#include "sim_redis_link.h"

/* Raised with every change that makes a seed another world; a scenario names the version it is of.
 */
#define SIM_VERSION 1

#define SIM_WORKERS_MAX     4
#define SIM_REGISTRIES      2
#define SIM_PARTITIONS_EACH 3 /* Of one registry's topic. */
#define SIM_PARTITIONS      (SIM_REGISTRIES * SIM_PARTITIONS_EACH)
#define SIM_SPACES_MAX      64
#define SIM_WORKSPACES      6
#define SIM_COMMANDS        200
#define SIM_RECORDS_MAX     512
#define SIM_FAULTS          20
#define SIM_SLOTS           48
#define SIM_NUMBERS         16 /* Names of a worker for assignments of partitions, at once. */
#define SIM_BATCH_MAX       16
#define SIM_METADATA_BYTES  4097

#define SIM_WALL_MS            INT64_C(1800000000000) /* Wall clock minus the world's time. */
#define SIM_LEASE_MS           15000
#define SIM_REQUEST_TIMEOUT_MS 5000
#define SIM_LEDGER_TIMEOUT_MS  2000
#define SIM_SESSION_MS         10000 /* A member that isn't heard of for so long is dead. */
#define SIM_TRANSACTION_MS     20000 /* The broker aborts an older one. */
#define SIM_REVOKE_BOUND_MS    30000
/* A request that Harbor got is carried out within so long after its sender gave up (design 4.7:
 * longer isn't promised). */
#define SIM_DELAY_MAX_MS 1900
/* After the last fault everything is settled within: the age budget of a command, some lanes that
 * are waited for, one transaction and one session that time out. */
#define SIM_CALM_BOUND_MS INT64_C(900000)

#define SIM_CRASHED_FOR_MS 60000

#define SIM_KEY_ID     "cafe0123"
#define SIM_DEPLOYMENT "sim"
#define SIM_ACCOUNT    "berth"

struct sim;
struct sim_line;

/* ---- States and answers (sim_state.c) ---- */

/* What is told of a space, without padding: compared as bytes. */
struct sim_state {
    int64_t project_id;
    int64_t quota_bytes;
    int64_t robots[SIM_WORKSPACES]; /* 0: not bound. */
    int32_t knowledge;
    int32_t visibility;
    int32_t created_by; /* Number of the command; 0: none. */
    uint8_t disabled[SIM_WORKSPACES];
    uint8_t keyed[SIM_WORKSPACES]; /* Its secret is known to be set. */
};

/* What the result says: what is left of a publication when it was settled. */
struct sim_result {
    struct sim_state before;
    struct sim_state after;
    int64_t received_at_ms;
    int64_t finished_at_ms;
    uint64_t message_hash;
    int32_t kind;
    int32_t changed;
    int32_t attempts;
    int32_t command; /* Its number: no other command's answer is mistaken for it. */
    char code[BERTH_CODE_BYTES];
    uint8_t changes[8]; /* 1 + kind of change of each workspace; 0: not told. */
};

/* And the rest. */
struct sim_rest {
    int64_t version;
    int64_t work_from_ms; /* World's time of the claim under which it was decided. */
    int32_t losses;       /* How often Redis had lost its data. */
    int32_t verified;
    int32_t publish_state;
    int32_t audit;
    int32_t dead_letter;
    int32_t padding;
};

struct sim_publication {
    bool made;
    bool whole; /* Else only the result is left. */
    struct sim_result result;
    struct sim_rest rest;
};

/* ---- Commands and where they are (sim_producers.c, sim_kafka.c) ---- */

struct sim_record {
    int partition; /* Of the world. */
    int64_t offset;
    int number; /* Of the command's id; 0: none can be read. */
    int space;  /* -1: none. */
    bool undecodable;
    bool wrong_key;
    struct berth_command command;
    struct berth_workspace workspaces[SIM_WORKSPACES];
    char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    int64_t sent_ms;
    /* What became of it. */
    bool in_lane; /* Some engine claimed for it. */
    int answers;
    int64_t answered_ms;
    enum berth_publish_form form;
    struct sim_publication answer;
};

/* A place in a partition's log; NULL: a marker of a transaction, or what compaction left. */
struct sim_partition {
    int registry;
    int number; /* In its topic. */
    struct sim_record *entries[SIM_RECORDS_MAX];
    int64_t end;
    int64_t committed; /* -1: never. */
    char metadata[SIM_METADATA_BYTES];
    int64_t checked; /* Everything below was checked to be answered. */
    int owner;       /* Member who has it or is giving it up; -1. */
    int target;      /* Who shall have it. */
    uint32_t epoch;  /* Of the assignment. */
    int pending;     /* Open transactions that carry an offset of it. */
};

/* What is known of one command id. */
struct sim_command {
    struct sim_record *first;
    bool answered; /* With a final outcome, other than FAILED. */
    struct sim_result result;
    int32_t losses;
    int audits;         /* Committed, since Redis last lost its data. */
    int audits_changed; /* Those that tell of a change. */
    int32_t audit_losses;
};

/* ---- Spaces ---- */

/* What may differ from the reference, because a human changed it or nobody knows. */
enum sim_facet { SIM_EXISTENCE, SIM_VISIBILITY, SIM_QUOTA, SIM_BINDINGS };
#define SIM_FACETS 4

struct sim_space {
    int registry;
    int partition;
    char name[BERTH_SPACE_BYTES];
    struct sim_state reference;
    int64_t dirty_ms[SIM_FACETS]; /* -1: as the reference says; else since when it may differ. */
    int64_t touched_ms;           /* When a human last did anything here; -1: never. */
    int64_t foreign_made_ms;      /* When a foreign robot was last made here; -1: never. */
    int64_t published_version;
    bool published; /* Some state of it is in the topic of spaces: the last one. */
    bool tombstone;
    struct sim_state published_state;
    /* Where an older copy of Redis lacked its last state; if nobody noticed, that stays so. */
    char stale_data_set[BERTH_UUID_BYTES];
    int64_t slow_until_ms; /* Every request about it takes for ever. */
};

/* ---- Faults ---- */

enum sim_fault {
    /* Of a call of the ledger. */
    SIM_LEDGER_LOST,    /* It never runs. */
    SIM_LEDGER_APPLIED, /* It runs, and the reply is lost. */
    SIM_LEDGER_LATE,    /* It runs long after its sender gave up. */
    /* Of a request to Harbor. */
    SIM_HARBOR_NOT_SENT,
    SIM_HARBOR_LOST,
    SIM_HARBOR_APPLIED,
    SIM_HARBOR_DELAYED,
    SIM_HARBOR_401,
    SIM_HARBOR_403,
    SIM_HARBOR_409,
    SIM_HARBOR_412,
    SIM_HARBOR_429,
    SIM_HARBOR_5XX,
    SIM_HARBOR_READ_ONLY,
    SIM_HUMAN_CHANGES, /* A human changes what berth made, just before the request arrives. */
    SIM_HUMAN_MAKES,   /* Or makes a project or a robot of that name. */
    /* Of a transaction. */
    SIM_ABORTED,
    SIM_FENCED,
    SIM_TIMED_OUT,
    /* Of a worker, or of all of them, at any step. */
    SIM_KILLED,
    SIM_FROZEN,      /* Longer than leases and sessions last. */
    SIM_FROZEN_LITE, /* Shorter. */
    SIM_CLOCK,       /* Its wall clock jumps. */
    SIM_LOST_PARTITIONS,
    SIM_LEAVES, /* It drains and leaves the group. */
    SIM_REGISTRY_SICK, /* For a while it answers nothing but this: 5xx, 401, read-only, nothing. */
    SIM_REDIS_AWAY,
    SIM_REDIS_EMPTIED,
    SIM_REDIS_OLDER,
    SIM_FAULT_KINDS,
};
#define SIM_NO_FAULT SIM_FAULT_KINDS

/* A step of a plan: a call of the ledger, a request to Harbor, being published. */
enum sim_step {
    SIM_STEP_CLAIM,
    SIM_STEP_REMEMBER,
    SIM_STEP_STORE,
    SIM_STEP_RENEW,
    SIM_STEP_PUBLISH,
    SIM_STEP_HARBOR, /* And then one for each kind of call. */
};
#define SIM_STEPS ((int)SIM_STEP_HARBOR + BERTH_HARBOR_CALL_KINDS)

/* "The next time that this plan comes to this step." */
struct sim_wish {
    enum sim_fault fault;
    int type; /* Of the command. */
    int step;
    int64_t from_ms;
    bool met;
};

/* How often each fault met each step of each plan; shared by all processes of a run. */
struct sim_meetings {
    uint64_t faults[SIM_FAULT_KINDS];
    uint64_t met[SIM_FAULT_KINDS][BERTH_COMMAND_TYPES][SIM_STEPS];
    uint64_t steps[BERTH_COMMAND_TYPES][SIM_STEPS];
    uint64_t answers;
    uint64_t commands;
    uint64_t writes;
    uint64_t virtual_ms;
    uint64_t calm_ms_max; /* The longest from the last fault to the last answer. */
    uint64_t calm_seed;
};

/* ---- Workers ---- */

struct sim_slot {
    bool taken;
    struct sim_record *record;
    int step; /* The last one asked for; -1: none. */
    bool must_read;
    int64_t token;
    int64_t lease_end_ms; /* World's time. */
    int64_t work_from_ms;
    int64_t asked_ms; /* The ledger. */
    int32_t losses;   /* Of Redis, when its claim was asked. */
    int32_t olders;   /* How often it had become an older copy then. */
    char data_set[BERTH_UUID_BYTES]; /* Where it was claimed. */
    struct sim_publication publication;
};

struct sim_assignment {
    bool in_use;
    bool told; /* The engine knows of it. */
    bool revoked;
    int partition;
    uint32_t epoch;
    int64_t position;
};

struct sim_worker {
    int number;
    uint32_t life; /* What is on its way to an earlier life is dropped. */
    char instance[32];
    char incarnation[BERTH_UUID_BYTES];
    struct berth_engine_config config;
    struct berth_pool pool;
    struct berth_engine *engine; /* NULL: it isn't running. */
    struct sim *sim;
    struct sim_line *line; /* Its ledger, and the connection to Redis. */
    uint32_t connection;   /* Its number; what is on its way of an earlier one is lost. */
    bool link_dead;        /* Nothing comes back on this connection any more, ... */
    bool link_late;        /* ... but what is asked is run, some time. */
    int64_t link_late_ms;
    int64_t link_runs_ms; /* Requests are run and answered in their order. */
    int64_t link_answers_ms;
    int64_t link_ticks_ms; /* When it was last arranged to tick; -1: not. */
    enum sim_fault asking; /* What is to happen to the call that is being submitted. */
    struct sim_slot *asking_slot;
    /* The renewal under way. */
    uint32_t renew_slots[SIM_SLOTS];
    int64_t renew_tokens[SIM_SLOTS];
    size_t renew_count;
    int64_t renew_asked_ms;
    int64_t boot_ms; /* Its CLOCK_BOOTTIME minus the world's time. */
    int64_t wall_ms; /* Its wall clock minus SIM_WALL_MS and the world's time. */
    int64_t frozen_until_ms;
    struct sim_slot slots[SIM_SLOTS];
    struct sim_assignment assignments[SIM_NUMBERS];
    struct sim_record *stepping;
    bool stop_asked; /* It is killed when the effects of this turn are performed so far. */
    bool drained;
    bool draining;
    /* The group: what the broker thinks of it, and what it knows itself. */
    bool member;
    bool waits_to_join; /* Its last life is a member still. */
    uint32_t member_id;
    uint32_t known_member_id;
    uint32_t known_generation;
    int64_t heard_ms;
    uint32_t producer_epoch;
};

/* ---- What happens ---- */

enum sim_event_kind {
    SIM_EVENT_REDIS_RUNS,
    SIM_EVENT_REDIS_ANSWERS,
    SIM_EVENT_LEDGER_REFUSES,
    SIM_EVENT_HARBOR_HANDED, /* The client hands the request to the network. */
    SIM_EVENT_HARBOR_RUNS,
    SIM_EVENT_HARBOR_ANSWERS,
    SIM_EVENT_TRANSACTION_OPENS,
    SIM_EVENT_TRANSACTION_ENDS,
    SIM_EVENT_TRANSACTION_ANSWERS,
    SIM_EVENT_TRANSACTION_EXPIRES,
    SIM_EVENT_TELLS, /* An event of the engine that needs nothing else. */
    SIM_EVENT_FETCHES_OFFSET,
    SIM_EVENT_JOINS, /* The member learns of a generation. */
    SIM_EVENT_SESSION,
    SIM_EVENT_SENDS,
    SIM_EVENT_STARTS,
    SIM_EVENT_FAULT,
    SIM_EVENT_HUMAN,
    SIM_EVENT_LINK_UP,
    SIM_EVENT_LINK_DOWN,
    SIM_EVENT_LINK_TICKS,
    SIM_EVENT_COPIES, /* A replica's copy of Redis is made. */
};

struct sim_transaction;

struct sim_event {
    int64_t at_ms;
    uint64_t order;
    enum sim_event_kind kind;
    int worker;
    uint32_t life;
    enum sim_fault fault;
    int64_t delay_ms;
    uint64_t call_id;
    uint32_t slot;
    struct sim_record *record;
    int64_t asked_ms;
    int number; /* Of whatever the kind is about. */
    uint32_t epoch;
    bool told; /* Its sender was answered already. */
    bool decided;
    int32_t olders; /* Of Redis, when it was claimed for. */
    char data_set[BERTH_UUID_BYTES];
    struct sim_request *request; /* Owned. */
    struct sim_transaction *transaction;
    struct berth_harbor_call call;
    struct berth_harbor_answer answer;
    struct berth_harbor_robot *robots; /* Owned. */
    struct sim_publication publication;
    struct berth_event tells;
};

/* ---- Transactions (sim_kafka.c) ---- */

enum sim_transaction_state { SIM_TRANSACTION_NEW, SIM_TRANSACTION_OPEN, SIM_TRANSACTION_ENDED };

struct sim_item {
    struct sim_record *record;
    enum berth_publish_form form;
    struct sim_publication publication;
};

struct sim_transaction {
    enum sim_transaction_state state;
    bool committed;
    int worker;
    uint32_t life;
    uint32_t producer_epoch;
    uint32_t member_id;
    uint32_t generation;
    enum sim_fault fault;
    size_t items_count;
    struct sim_item items[SIM_BATCH_MAX];
    size_t offsets_count;
    struct {
        int partition;
        int64_t offset;
        char *metadata; /* Owned. */
    } offsets[SIM_NUMBERS];
    int holders; /* Events that still name it, and the list of open ones. */
};

/* ---- The world ---- */

struct sim {
    uint64_t seed;
    struct berth_random random;
    int64_t now_ms;
    uint64_t next_order;
    struct sim_event **queue; /* A heap. */
    size_t queue_count;
    size_t queue_capacity;
    struct sim_event *spare[64];
    size_t spare_count;
    struct sim_meetings *meetings;

    struct sim_crash *crash;

    /* What kind of world the seed makes. */
    int workers_count;
    int spaces_count;
    bool static_members;
    bool humans;
    bool slow_world;       /* One space is slow, nothing else goes wrong. */
    int64_t sending_ms;    /* How long the producers go on. */
    int64_t faults_end_ms; /* After it nothing goes wrong any more. */
    int64_t calm_from_ms;  /* When the last consequence of a fault is over. */

    struct berth_engine_registry registries[SIM_REGISTRIES];
    struct berth_engine_config config;
    struct sim_worker workers[SIM_WORKERS_MAX];
    struct sim_partition partitions[SIM_PARTITIONS];
    struct sim_record *records;
    size_t records_count;
    struct sim_command *commands; /* By number, SIM_RECORDS_MAX + 1. */
    struct sim_space spaces[SIM_SPACES_MAX];
    struct berth_model *harbors[SIM_REGISTRIES];
    const struct berth_model_user *accounts[SIM_REGISTRIES];
    struct sim_makers *makers;
    struct sim_sickness {
        int64_t until_ms;
        enum sim_fault fault; /* Of every request, probes included. */
    } sick[SIM_REGISTRIES];
    struct sim_redis *redis;
    struct sim_redis_copy *redis_copy; /* A replica's. */
    struct sim_line *buried;           /* Lines of the dead, to be freed after this turn. */
    struct sim_request **dropped; /* Requests that nobody will answer. */
    size_t dropped_count;
    size_t dropped_capacity;
    int64_t redis_away_until_ms;
    int32_t redis_losses;
    int32_t redis_olders; /* Of these: became an older copy. */
    int64_t redis_lost_ms; /* When last; -1: never. */
    /* The topic of space states. */
    struct {
        int space;
        bool tombstone;
        int64_t version;
        struct sim_state state;
    } states[SIM_RECORDS_MAX];
    size_t states_count;

    uint32_t generation;
    uint32_t next_member_id;
    struct sim_transaction *open[64];
    size_t open_count;

    struct sim_wish wishes[SIM_FAULTS];
    int faults_done;
    int64_t last_answer_ms;
    int unanswered;

    bool printing;
    uint64_t hash;
    char *lines; /* The last ones, a ring. */
    size_t lines_next;
    size_t lines_count;
};

/* ---- sim_world.c ---- */

struct sim_options {
    uint64_t seed;
    bool trace;
    struct sim_meetings *meetings;
    /* NULL: a world of the seed. Else one in which nothing goes wrong but a crash. */
    struct sim_crash *crash;
};

/* A plan whose worker is killed after this effect of its (the first is 1), and so much later; for
 * so long that another takes over. */
struct sim_crash {
    enum berth_command_type type;
    int effect;
    int64_t delay_ms;
    int effects; /* Met so far. */
};

/* Runs the world of a seed to its end; returns the hash of its trace. A breach doesn't return. */
uint64_t sim_run(const struct sim_options *options);
struct sim_event *sim_event(struct sim *sim, enum sim_event_kind kind, int worker);
void sim_post(struct sim *sim, struct sim_event *event, int64_t delay_ms);
int64_t sim_below(struct sim *sim, int64_t bound);
bool sim_chance(struct sim *sim, int percent);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last lines of the run that is under way, once. */
void sim_print_last(void);
_Noreturn void sim_fail(struct sim *sim, const char *sentence, const char *file, int line);
#define SIM_CHECK(sim, condition, sentence)                                                        \
    ((condition) ? (void)0 : sim_fail((sim), (sentence), __FILE__, __LINE__))

/* ---- sim_worker.c ---- */

void sim_worker_start(struct sim *sim, struct sim_worker *worker);
void sim_worker_kill(struct sim *sim, struct sim_worker *worker, int64_t again_after_ms);
void sim_worker_step(struct sim *sim, struct sim_worker *worker, struct berth_event *event);
void sim_worker_take_in(struct sim *sim, struct sim_worker *worker);
void sim_worker_tell(struct sim *sim, struct sim_worker *worker, const struct berth_event *event,
                     uint32_t epoch);
void sim_worker_told(struct sim *sim, struct sim_event *event);
bool sim_worker_frozen(const struct sim *sim, const struct sim_worker *worker);

/* ---- sim_calls.c ---- */

void sim_ask_harbor(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_harbor_handed(struct sim *sim, struct sim_event *event);
void sim_harbor_arrives(struct sim *sim, struct sim_event *event);
void sim_harbor_answers(struct sim *sim, struct sim_event *event);

/* ---- sim_link.c ---- */

void sim_link_start(struct sim *sim, struct sim_worker *worker);
void sim_link_stop(struct sim *sim, struct sim_worker *worker);
void sim_ask_ledger(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_link_drop(struct sim *sim, struct sim_request *take_request);
void sim_link_bury(struct sim *sim);
void sim_link_event(struct sim *sim, struct sim_event *event);
void sim_redis_goes(struct sim *sim, int64_t for_ms);
void sim_redis_loses(struct sim *sim, bool older);

/* ---- sim_kafka.c ---- */

void sim_append(struct sim *sim, struct sim_record *record, int partition);
void sim_publish(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);
void sim_transaction_opens(struct sim *sim, struct sim_event *event);
void sim_transaction_ends(struct sim *sim, struct sim_event *event);
void sim_transaction_answers(struct sim *sim, struct sim_event *event);
void sim_transaction_expires(struct sim *sim, struct sim_event *event);
/* A new start of the same transactional.id: what its last life left open is aborted. */
void sim_producer_starts(struct sim *sim, struct sim_worker *worker);
void sim_transaction_unref(struct sim_transaction *transaction);

/* ---- sim_group.c ---- */

void sim_group_join(struct sim *sim, struct sim_worker *worker);
void sim_group_leave(struct sim *sim, struct sim_worker *worker);
/* The broker hasn't heard of the member for a session. */
void sim_group_expel(struct sim *sim, struct sim_worker *worker);
void sim_group_gave_up(struct sim *sim, struct sim_worker *worker, uint32_t name);
void sim_group_session(struct sim *sim, struct sim_event *event);
void sim_group_joins(struct sim *sim, struct sim_event *event);
void sim_group_fetches(struct sim *sim, struct sim_event *event);
/* Its process died, or stands still for so long. */
void sim_group_died(struct sim *sim, struct sim_worker *worker);
void sim_group_froze(struct sim *sim, struct sim_worker *worker, int64_t for_ms);

/* ---- sim_harbor.c ---- */

void sim_harbor_init(struct sim *sim);
void sim_harbor_deinit(struct sim *sim);
/* Carries the call out; with an answer if its sender is to hear one. */
void sim_harbor_apply(struct sim *sim, struct sim_event *event);
void sim_harbor_state(struct sim *sim, int space, struct sim_state *ret_state);
/* The command that made the project; 0: none of ours. */
int sim_harbor_maker(const struct sim *sim, int registry, int64_t project_id);
int64_t sim_harbor_repositories(struct sim *sim, int space);
const struct berth_model_project *sim_harbor_project(const struct sim *sim, int space);
/* The robots of a project; false: none can be listed. Ends with berth_model_query_page_deinit(). */
bool sim_harbor_robots(struct sim *sim, int registry, int64_t project_id, int64_t page,
                       struct berth_model_query_page *ret_page);
bool sim_harbor_is_ours(const struct berth_model_robot *robot, int *ret_workspace);
struct berth_model_caller sim_harbor_account(const struct sim *sim, int registry);

/* ---- sim_humans.c ---- */

void sim_human_changes(struct sim *sim, int space);
void sim_human_pushes(struct sim *sim, int space);
/* The workspace whose robot it was, or any; -1: it couldn't be done. */
int sim_human_disables(struct sim *sim, int space);
int sim_human_deletes(struct sim *sim, int space);
void sim_human_makes(struct sim *sim, int space, const struct berth_harbor_call *call);

/* ---- sim_producers.c ---- */

/* The command whose plan is crashed. */
#define SIM_CRASHED 3
void sim_producers_init(struct sim *sim);
void sim_producers_send(struct sim *sim, struct sim_event *event);
void sim_producers_bind(struct sim *sim, int space, enum berth_command_type type, int workspace);
void sim_producers_replay(struct sim *sim, const struct sim_record *record);

/* ---- sim_faults.c ---- */

void sim_faults_init(struct sim *sim);
/* The fault that is to happen to this call of this worker at this step; worker's faults happen at
 * once, or after the effect, by themselves. */
enum sim_fault sim_faults_meet(struct sim *sim, struct sim_worker *worker, struct sim_slot *slot,
                               int step);
void sim_faults_timed(struct sim *sim, struct sim_event *event);
/* How long a worker that is killed now stays dead. */
int64_t sim_dead_for_ms(struct sim *sim);
const char *sim_fault_name(enum sim_fault fault);
const char *sim_step_name(int step);
/* NULL: the fault can meet this step of this plan; else why not. */
const char *sim_no_cell(enum sim_fault fault, int type, int step);

/* ---- sim_table.c ---- */

/* Prints how often each fault met each step; returns how many cells are empty that shouldn't be. */
int sim_table(const struct sim_meetings *meetings);

/* ---- sim_state.c ---- */

void sim_state_of(const struct berth_space_state *state, struct sim_state *ret_state);
void sim_state_to(const struct sim_state *state, struct berth_space_state *ret_state,
                  struct berth_binding ret_bindings[SIM_WORKSPACES]);
void sim_publication_of(struct sim *sim, const struct sim_slot *slot,
                        const struct berth_outcome *outcome, struct sim_publication *ret);
bool sim_publication_read(struct berth_bytes bytes, struct sim_publication *ret);
const char *sim_state_text(const struct sim_state *state, char *ret_text, size_t bytes);
void sim_command_id(int number, char ret_id[BERTH_UUID_BYTES]);
int sim_number_of(const char *command_id);
int sim_workspace_of(const char *workspace);
int sim_space_of(const struct sim *sim, const char *registry, const char *space);

/* ---- sim_checks.c ---- */

void sim_check_handed(struct sim *sim, const struct sim_event *event);
void sim_check_write(struct sim *sim, const struct sim_event *event);
void sim_check_stored(struct sim *sim, const struct sim_event *event,
                      const struct sim_publication *publication);
void sim_check_commit(struct sim *sim, const struct sim_transaction *transaction);
void sim_check_worker(struct sim *sim, const struct sim_worker *worker);
void sim_check_end(struct sim *sim);

/* ---- sim_reference.c ---- */

void sim_reference_answer(struct sim *sim, const struct sim_item *item);
void sim_reference_dirty(struct sim *sim, int space, enum sim_facet facet);
bool sim_facet_equal(const struct sim_state *a, const struct sim_state *b, enum sim_facet facet);

#endif
