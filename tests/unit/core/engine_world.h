/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small virtual world around engines: time, a ledger, Harbor, Kafka, and workers that may freeze,
 * crash and start again. Everything happens in virtual time from one seed, so a run can be
 * repeated.
 *
 * The world performs effects as the daemon would and answers with events. While it runs it watches
 * what design.md promises, and fails the test at the first breach:
 *   - one item of a lane at a time, from its claim until it is settled;
 *   - Harbor is written to only by whoever holds the lane, within its lease, after a long sleep not
 *     before that was renewed, and after a take-over not before something was read;
 *   - what was written with unknown outcome isn't read back sooner than it may arrive;
 *   - each record is answered exactly once in what is committed; what the committed offset and the
 *     map in its metadata say to be settled is what was answered; and a repetition is the same
 *     answer, byte for byte;
 *   - what was settled is not taken in again, and no partition starves beside others;
 *   - no older state of a space is published after a newer one;
 *   - the ledger forgets nothing of an outcome before it was committed, and keeps no base beyond
 *     what was committed;
 *   - world_finish(): everything was answered, Harbor and ledger are as commanded, every slot was
 *     released and every pool is empty.
 *
 * What a test may read or set directly is in the structs below; functions starting with world_ are
 * the rest. A test makes its world with world_new() and ends it with world_finish() or
 * world_free().
 */
#ifndef BERTH_TESTS_ENGINE_WORLD_H
#define BERTH_TESTS_ENGINE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "berth/base/buffer.h"
#include "berth/base/pool.h"
#include "berth/base/random.h"
#include "berth/core/engine.h"
#include "berth/core/settled_map.h"
#include "berth/core/turns.h"

#define WORLD_WORKERS        2
#define WORLD_PARTITIONS     12
#define WORLD_RECORDS_MAX    64 /* Of one partition. */
#define WORLD_SLOTS_MAX      64
#define WORLD_NUMBERS        48 /* Names for assignments of partitions, at once. */
#define WORLD_SPACES_MAX     64
#define WORLD_COMMANDS_MAX   64
#define WORLD_PROJECTS_MAX   128
#define WORLD_WORKSPACES_MAX 4 /* In one command. */
#define WORLD_RULES_MAX      16
#define WORLD_STATE_BYTES    192

/* Wall clock minus CLOCK_BOOTTIME. */
#define WORLD_WALL_MS INT64_C(1800000000000)
/* No reply at all from the ledger for so long is "unavailable". */
#define WORLD_LEDGER_TIMEOUT_MS 2000
/* Design 4.4: what was written with unknown outcome isn't read back sooner. */
#define WORLD_READ_BACK_MS 2000
/* How late a timer may be without having slept. */
#define WORLD_TIMER_SLACK_MS 250

/* ---- Faults ---- */

/* What an answer is published to, as bits. */
enum world_output {
    WORLD_RESULTS = 1,
    WORLD_AUDIT = 2,
    WORLD_STATES = 4,
    WORLD_DEAD_LETTERS = 8,
};
#define WORLD_LOOK_MS 1000

enum world_channel { WORLD_LEDGER, WORLD_HARBOR, WORLD_KAFKA };

enum world_fault {
    WORLD_FINE,
    WORLD_SLOW,            /* Any: the answer takes delay_ms more. */
    WORLD_LOSE_CALL,       /* Ledger: never runs; no reply. */
    WORLD_LOSE_REPLY,      /* Ledger: runs; no reply. */
    WORLD_LATE_CALL,       /* Ledger: no reply, and it runs delay_ms after the worker gave up. */
    WORLD_NOT_SENT,        /* Harbor, like the following. */
    WORLD_UNKNOWN_APPLIED, /* Applied, then no reply. */
    WORLD_UNKNOWN_LOST,    /* Not applied, no reply. */
    WORLD_UNKNOWN_LATE,    /* No reply, and applied delay_ms after the worker was told. */
    WORLD_BUSY,            /* 429, Retry-After: delay_ms. */
    WORLD_READ_ONLY,
    WORLD_SERVER_ERROR, /* 500, and not applied. */
    WORLD_UNAUTHORIZED, /* 401. */
    WORLD_ABORT,        /* Kafka: the transaction aborts. */
    WORLD_BAD_KEY,      /* Ledger: refused, because a key holds something else. */
};

/* The next `count` calls of this kind, after `skip` of them, have this fault. WORLD_ANY doesn't
 * mean probes. */
struct world_rule {
    enum world_channel channel;
    int kind; /* Of ledger or Harbor call; WORLD_ANY. */
    int skip;
    int count;
    enum world_fault fault;
    int64_t delay_ms;
};
#define WORLD_ANY (-1)

/* ---- Kafka ---- */

/* What berth says to the world of one outcome; compared byte for byte. */
struct world_publication {
    enum berth_outcome_kind kind;
    bool changed;
    bool publish_state;
    bool audit;
    bool dead_letter;
    int attempts;
    int64_t received_at_ms;
    int64_t finished_at_ms;
    int64_t version; /* Of `after`. */
    int64_t quota_before;
    int64_t quota_after;
    char code[BERTH_CODE_BYTES];
    char message[BERTH_MESSAGE_BYTES];
    char before[WORLD_STATE_BYTES]; /* "absent", "unknown", "private", "public alpha beta", ... */
    char after[WORLD_STATE_BYTES];
    char bindings[WORLD_STATE_BYTES]; /* "BOUND alpha, UNCHANGED beta" */
    bool result_only;                 /* The rest was forgotten when it was settled. */
};

struct world_record {
    int partition;
    int64_t offset;
    bool marker; /* Of a producer's transaction: an offset that is never delivered. */
    bool undecodable;
    struct berth_command command;
    struct berth_workspace workspaces[WORLD_WORKSPACES_MAX];
    char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    int number;  /* Of the command's id. */
    int answers; /* In what is committed. */
    enum berth_publish_form form;
    struct world_publication answer;
};

struct world_partition {
    struct world_record *records; /* WORLD_RECORDS_MAX; NULL: there was none yet. */
    int64_t end;
    int64_t start;     /* Where a first assignment begins. */
    int64_t committed; /* -1: never. */
    /* Committed with it. A test may change it; then what it said may be done again. */
    char metadata[BERTH_SETTLED_TEXT_BYTES];
    bool map_was_lost;
    int64_t log_start;  /* What is below was removed by retention. */
    int64_t base;       /* What the ledger keeps of it; -1: nothing. */
    int64_t lost_below; /* Records that were there when the ledger lost its data. */
    int owner;          /* Worker, or -1. */
    int next_owner;     /* Who gets it when it is given up, or -1. */
    uint32_t epoch;     /* Of the assignment. */
};

/* ---- Ledger ---- */

struct world_ledger_space {
    char name[BERTH_SPACE_BYTES]; /* Empty: no such hash. */
    uint32_t registry;
    int64_t token;
    int64_t renewals;
    bool held;
    struct berth_holder holder;
    bool taken_over; /* The holder took it from another; says nothing to the engine. */
    struct berth_space_state state;
};

struct world_ledger_command {
    bool known;
    uint8_t digest[BERTH_DIGEST_BYTES];
    int source_partition;
    int64_t source_offset;
    int attempts;
    int claim_worker; /* Whose claim the last one was, ... */
    uint32_t claim_life;
    uint64_t claim_number; /* ... and which. */
    bool given_up; /* Answered without it, so its claim is open: the id's next one goes on with it.
                    */
    uint32_t burned;
    int64_t paused_ms;
    bool earlier; /* A claim that ended FAILED came before. */
    int64_t received_at_ms;
    bool before_known;
    struct berth_space_state before;
    bool stored;
    int64_t version;
    struct world_publication publication;
};

/* ---- Harbor ---- */

struct world_robot {
    int64_t id;
    char name[BERTH_ROBOT_NAME_BYTES];
    char workspace[BERTH_WORKSPACE_BYTES]; /* Empty: not ours. */
    bool disabled;
    bool altered;
    bool secret_set;
    int secret_sets; /* How often it was, by a request. */
};

struct world_project {
    int64_t id; /* 0: no such project. */
    uint32_t registry;
    char name[BERTH_SPACE_BYTES];
    enum berth_visibility visibility;
    int64_t quota_bytes;
    int64_t repositories;
    char owner[32];
    struct world_robot *robots;
    size_t robots_count;
    size_t robots_capacity;
};

/* What a space must be like in Harbor, by the answers that were committed. */
struct world_expected {
    char name[BERTH_SPACE_BYTES];
    uint32_t registry;
    struct berth_space_state state;
    bool ledger_may_differ; /* An answer said that its state is unknown. */
    /* What the topic of spaces says of it. */
    bool published;
    int64_t published_version;
    char published_state[WORLD_STATE_BYTES];
};

/* ---- Workers ---- */

struct world_slot {
    bool taken;
    struct world_record *record;
    bool claimed;          /* A claim was asked, ... */
    uint64_t claim_number; /* ... the last one with this number. */
    bool publishing;       /* The transaction under way borrows what is published for it. */
    bool must_read;
    int64_t claim_asked_ms;
    int64_t token;
    int64_t lease_end_ms;
    int64_t lease_asked_ms; /* When the claim or renewal was asked that it counts from. */
    int64_t read_from_ms;   /* What it wrote with unknown outcome isn't read before. */
    bool publication_known;
    struct world_publication publication;
};

struct world_assignment {
    bool in_use;
    bool told;     /* The engine knows of it. */
    bool revoking; /* It was told to give it up. */
    int partition;
    uint32_t epoch;
    int64_t position;
    uint32_t passed_over; /* Others were taken from, so often, while it could have been. */
};

struct world_worker {
    int number;
    uint32_t life; /* Events of earlier lives are dropped. */
    char instance[32];
    char incarnation[BERTH_UUID_BYTES];
    struct berth_engine_config config;
    struct berth_pool pool;
    struct berth_engine *engine; /* NULL: not running. */
    int64_t frozen_until_ms;
    int64_t stepped_ms; /* Its last turn, ... */
    int64_t woke_ms;    /* ... and the last one after a long sleep. */
    struct world_slot slots[WORLD_SLOTS_MAX];
    struct world_assignment assignments[WORLD_NUMBERS];
    struct berth_turns turns;
    struct world_record *stepping; /* The record under way into the engine. */
    bool reads_nothing;            /* Records stay where they are. */
    bool drained;
    uint32_t drained_left;
    int calls_under_way[2]; /* By registry, without probes. */
};

/* ---- The world ---- */

struct world_event;
TAILQ_HEAD(world_events, world_event);

struct world {
    uint64_t seed;
    struct berth_random random;
    int64_t now_ms;
    uint64_t steps;
    struct berth_pool pool; /* For states that the world keeps. */
    struct world_events events;
    uint64_t next_order;
    struct berth_buffer trace;
    bool tracing;

    struct berth_engine_config config; /* For workers started from now on. */
    size_t pool_bytes;
    struct berth_engine_registry registries[2]; /* "main" and "other". */

    struct world_rule rules[WORLD_RULES_MAX];
    size_t rules_count;
    bool spaces_keep_partitions;            /* A test says so: all commands of each are in one. */
    int chance_permille[WORLD_BAD_KEY + 1]; /* Of each fault, until ... */
    int64_t chances_until_ms;
    int64_t intake_ms; /* Time that passes between the look whether there is room and the record. */
    /* Outputs that refuse records, by enum world_output, until then. Whose answers were refused
     * tries again WORLD_LOOK_MS later. */
    uint8_t outputs_refused;
    int64_t outputs_refused_until_ms;
    int64_t ledger_down_until_ms;
    int64_t harbor_down_until_ms;
    /* What every call to a registry meets, probes included; or all but those. */
    struct {
        int64_t until_ms;
        enum world_fault fault;
        int64_t delay_ms;
        bool probes_fine;
    } sick[2];
    char sick_space[BERTH_SPACE_BYTES]; /* Every call about this space is answered 500. */
    int64_t wall_jump_ms;               /* The workers' wall clocks are wrong by so much. */
    /* Effects performed so far, notices apart. So long after this one (0: none) its worker is
     * killed, or frozen for so long (0: killed). At once means that a request to Harbor hasn't left
     * yet. */
    uint64_t effects;
    uint64_t stop_at_effect;
    int64_t stop_delay_ms;
    int64_t stop_freezes_ms;
    struct world_worker *stopping; /* NULL: nobody. */
    int64_t stop_at_ms;

    struct world_partition partitions[WORLD_PARTITIONS];
    struct world_ledger_space ledger_spaces[WORLD_SPACES_MAX];
    struct world_ledger_command *ledger_commands; /* WORLD_COMMANDS_MAX */
    bool ledger_was_lost;                         /* Who holds a lane can't be checked any more. */
    struct world_project projects[WORLD_PROJECTS_MAX];
    size_t projects_count;
    int64_t next_robot_id;
    struct world_expected expected[WORLD_SPACES_MAX];
    struct world_worker workers[WORLD_WORKERS];

    /* Counters for tests. */
    int harbor_calls;
    int harbor_writes;
    int probes;
    int calls_most[2]; /* At once by one worker, without probes. */
    int ledger_calls[BERTH_LEDGER_CALL_KINDS];
    int transactions;
    int aborts;
    int takeovers;
};

/* Nobody runs yet. */
struct world *world_new(uint64_t seed);
/* Frees it as it is. */
void world_free(struct world *world);
/* Runs until nothing is left to do, checks the promises, and frees it. */
void world_finish(struct world *world);

/* A config to change before world_start(): world->config. */
void world_start(struct world *world, int number);
/* kill -9. Its partitions stay with it until world_lose() or world_start(). */
void world_crash(struct world *world, int number);
/* SIGSTOP, and SIGCONT so much later. */
void world_freeze(struct world *world, int worker, int64_t for_ms);
void world_drain(struct world *world, int worker);
/* Starts worker 0 with so many partitions, whose start is committed, and begins a new trace. */
void world_serve(struct world *world, int partitions);
/* Partitions, by index; a worker that isn't running can only be taken from. */
void world_assign(struct world *world, int number, int index);
void world_revoke(struct world *world, int number, int index);
void world_lose(struct world *world, int number, int index);

/* Lets virtual time pass: so much, or until nothing is left to do (at most a virtual day). */
void world_run(struct world *world, int64_t for_ms);
void world_run_idle(struct world *world);

/*
 * Puts a command into the partition's log and returns its record. Workspaces are separated by
 * blanks. The id is made from number; the rest is as a well-behaved producer writes it, and a test
 * may change it before time passes (then world_redigest()).
 */
struct world_record *world_send(struct world *world, int partition, enum berth_command_type type,
                                int number, const char *space, const char *workspaces);
struct world_record *world_send_garbage(struct world *world, int partition);
void world_send_marker(struct world *world, int partition);
void world_redigest(struct world_record *record);

void world_rule(struct world *world, struct world_rule rule);

/* After something else was changed in Harbor by hand: what the ledger knows of the space is wrong
 * until an answer tells it. */
void world_changed_by_hand(struct world *world, const char *space);

/* A project made by somebody else, private; returns it to be changed. */
struct world_project *world_project_made(struct world *world, const char *space);
/* The living project of this name in "main", or NULL. */
struct world_project *world_project(struct world *world, const char *space);
/* Somebody deletes it by hand; or deletes it and makes another one of its name. */
void world_project_unmade(struct world *world, const char *space);
struct world_project *world_project_remade(struct world *world, const char *space);
struct world_robot *world_robot_made(struct world *world, struct world_project *project,
                                     const char *name, const char *workspace);
/* The hash of a space of "main" in the ledger, made if there was none. */
struct world_ledger_space *world_ledger_space(struct world *world, const char *space);
/* The lane of the space is held by a worker outside this world, which renews when told to. */
void world_hold(struct world *world, const char *space, const char *instance,
                const char *incarnation);
/* Everything in the ledger is gone. */
void world_ledger_lose(struct world *world);

struct berth_engine_figures world_figures(const struct world *world, int worker);

/* How often the trace has this line (all of them start at the beginning of a line). */
int world_traced(const struct world *world, const char *line);
/* The trace so far, from now on only what follows. */
void world_trace_restart(struct world *world);
const char *world_trace(const struct world *world);

/* Fails the test with everything that helps to find out why. */
_Noreturn void world_fail(const struct world *world, const char *what, const char *file, int line);
#define WORLD_CHECK(world, condition)                                                              \
    ((condition) ? (void)0 : world_fail((world), #condition, __FILE__, __LINE__))

#endif
