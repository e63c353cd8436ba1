/* SPDX-License-Identifier: Apache-2.0 */
/* What a simulated world consists of; sim.h has what its parts do with it. */
#ifndef BERTH_TESTS_SIM_WORLD_H
#define BERTH_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/pool.h"
#include "berth/base/random.h"
#include "berth/core/codes.h"
#include "berth/core/engine.h"
#include "berth/core/turns.h"
#include "harbor_model.h"
#include "sim_redis_link.h"
#include "sim_wishes.h"

/* Raised with every change that makes a seed another world; a scenario names the version it is of.
 */
#define SIM_VERSION 3

#define SIM_WORKERS_MAX     4
#define SIM_REGISTRIES      2
#define SIM_PARTITIONS_EACH 8 /* Of one registry's topic, at most. */
#define SIM_PARTITIONS_MAX  (SIM_REGISTRIES * SIM_PARTITIONS_EACH)
#define SIM_SPACES_MAX      64
#define SIM_WORKSPACES      6
#define SIM_COMMANDS        200
#define SIM_RECORDS_MAX     512
#define SIM_FAULTS          20
#define SIM_SLOTS           48
#define SIM_NUMBERS         48 /* Names of a worker for assignments of partitions, at once. */
#define SIM_BATCH_MAX       16
#define SIM_METADATA_BYTES  4097

#define SIM_WALL_MS           INT64_C(1800000000000) /* Wall clock minus the world's time. */
#define SIM_LEDGER_TIMEOUT_MS 2000
#define SIM_SESSION_MS        10000 /* A member that isn't heard of for so long is dead. */
#define SIM_TRANSACTION_MS    20000 /* The broker aborts an older one. */
/* A request that Harbor got is carried out within so long after its sender gave up (design 4.7:
 * longer isn't promised). */
#define SIM_DELAY_MAX_MS 1900
/* So nobody reads back sooner than this (design 4.4). */
#define SIM_READ_BACK_MS 2000
/* A request that has left arrives within the grace of a restart. */
#define SIM_ARRIVES_MAX_MS 1500
/* After the last fault everything is settled within: the age budget of a command, some lanes that
 * are waited for, one transaction and one session that time out. */
#define SIM_CALM_BOUND_MS INT64_C(900000)

/* Beside a space that answers nothing, every other command is answered within: the start of the
 * workers, some commands in front of it, and a probe of the registry. */
#define SIM_NEIGHBOUR_MS   12000
#define SIM_CRASHED_FOR_MS 60000

#define SIM_KEY_ID "cafe0123"
/* Of another installation that was given our deployment's name. */
#define SIM_OTHER_KEY_ID "01d01d01"
#define SIM_DEPLOYMENT   "sim"
#define SIM_ACCOUNT      "berth"

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
    uint8_t altered[SIM_WORKSPACES];
    uint8_t keyed[SIM_WORKSPACES];                     /* Its secret is known to be set. */
    uint8_t unused[(20 - 3 * SIM_WORKSPACES % 8) % 8]; /* So that nothing lies between bytes. */
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
    int number;   /* Of the command's id; 0: none can be read. */
    int space;    /* -1: none. */
    int log;      /* Of its topic, when it was sent. */
    bool dropped; /* It went with its log, unanswered. */
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
    int log; /* How often its topic was made anew. */
    bool deciding;
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
    int64_t secrets_by_hand[SIM_WORKSPACES]; /* Robots whose secret a human set; 0: none. */
    int64_t published_version;
    bool published; /* Some state of it is in the topic of spaces: the last one. */
    bool tombstone;
    struct sim_state published_state;
    /* Where an older copy of Redis lacked its last state; if nobody noticed, that stays so. */
    char stale_data_set[BERTH_UUID_BYTES];
    int stored_by; /* Whose outcome was the last one, ... */
    uint32_t stored_life;
    int64_t slow_until_ms; /* Every request about it takes for ever. */
};

/* ---- Workers ---- */

struct sim_slot {
    bool taken;
    struct sim_record *record;
    int step; /* The last one asked for; -1: none. */
    bool must_read;
    int64_t token;
    int64_t lease_end_ms; /* World's time. */
    int64_t lease_asked_ms;
    int64_t read_from_ms; /* What was written with unknown outcome isn't read before. */
    int64_t work_from_ms;
    int64_t asked_ms;                /* The ledger. */
    int32_t losses;                  /* Of Redis, when its claim was asked. */
    int32_t olders;                  /* How often it had become an older copy then. */
    char data_set[BERTH_UUID_BYTES]; /* Where it was claimed. */
    struct sim_publication publication;
};

struct sim_assignment {
    bool in_use;
    bool told; /* The engine knows of it. */
    bool revoked;
    int partition;
    uint32_t epoch;
    int log; /* As it was when it was gained. */
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
    struct berth_turns turns;
    int64_t stepped_ms; /* Its last turn, ... */
    int64_t woke_ms;    /* ... and the last one after a long sleep. */
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
    SIM_EVENT_TOPIC,
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
    uint8_t refused_by[SIM_BATCH_MAX]; /* Of each item: the outputs that refuse it. */
    uint8_t refused;                   /* All of them. */
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
    size_t pool_bytes;
    int64_t rest_max_ms; /* What Retry-After asks for. */
    struct sim_worker workers[SIM_WORKERS_MAX];
    struct sim_partition partitions[SIM_PARTITIONS_MAX];
    int partitions_each; /* Of one registry's topic. */
    int partitions_count;
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
    struct sim_request **dropped;      /* Requests that nobody will answer. */
    size_t dropped_count;
    size_t dropped_capacity;
    int64_t redis_away_until_ms;
    int32_t redis_losses;
    int32_t redis_olders;  /* Of these: became an older copy. */
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

    /* Topics that take no records, until then. */
    struct {
        struct berth_random random;
        bool draws;
        uint8_t refusing;
        const struct sim_record *large; /* Or only this one isn't taken. */
        int64_t until_ms;
    } outputs;

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

#endif
