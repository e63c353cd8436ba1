/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a plan as the engine would, against the model of Harbor and a ledger that is one struct:
 * claims, steps, answers in a chosen order, remembers, and injects faults and crashes at chosen
 * calls.
 */
#ifndef PLAN_DRIVER_H
#define PLAN_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/pool.h"
#include "berth/core/plan.h"
#include "model_harbor.h"

#define DRIVER_ID      "11111111-1111-4111-8111-111111111111"
#define DRIVER_OTHER   "22222222-2222-4222-8222-222222222222"
#define DRIVER_KEY     "0a1b2c3d"
#define DRIVER_ACCOUNT "berth"
#define DRIVER_SPACE   "team-a"

/* What happens to one call. */
enum driver_fault {
    DRIVER_NOT_SENT,
    DRIVER_UNAUTHENTICATED,
    DRIVER_READ_ONLY,
    DRIVER_BUSY,
    DRIVER_FORBIDDEN,
    DRIVER_LOST_REQUEST, /* Unknown outcome: it was not applied ... */
    DRIVER_LOST_REPLY,   /* ... it was ... */
    DRIVER_LATE_1,       /* ... it will be, after the next call, ... */
    DRIVER_LATE_2,       /* ... or after the one behind that. */
    DRIVER_NONSENSE,     /* An answer that such a call can't have. */
    DRIVER_OTHER_OBJECT, /* It is applied, but the answer is about another object, or none. */
    DRIVER_CRASH_BEFORE, /* The worker dies; nothing that it just asked for has left. */
    DRIVER_CRASH_AFTER,  /* The worker dies; all that it just asked for is applied. */
    DRIVER_CRASH_LATE,   /* The worker dies; what it asked for is applied during the next claim. */
};
#define DRIVER_FAULTS 14

const char *driver_fault_name(enum driver_fault fault);

/* In which order the calls that are under way are answered. */
enum driver_order {
    DRIVER_ALL_THEN_STEP, /* All of them, oldest first, then the next step. */
    DRIVER_OLDEST,        /* The oldest one, then the next step. */
    DRIVER_NEWEST,        /* The newest one, then the next step. */
};
#define DRIVER_ORDERS 3

struct driver_injection {
    unsigned at; /* Number of the call, from 1. */
    enum driver_fault fault;
};

#define DRIVER_INJECTIONS_MAX 2

struct driver {
    /* Set up by the test, with the workspaces and Harbor below. */
    struct berth_command command;
    struct berth_plan_registry registry;
    struct berth_plan_settings settings;
    struct berth_space_state redis; /* What Redis knows; UNKNOWN at first. */
    bool cold;                      /* Redis' knowledge is not to be relied on. */
    bool later_claim;               /* An earlier claim may have sent something. */
    bool before_known;              /* ... and has remembered `before`. */
    struct berth_space_state before;
    enum driver_order order;
    size_t capacity; /* Of one step. */
    struct driver_injection injections[DRIVER_INJECTIONS_MAX];
    size_t injections_count;
    void (*on_call)(struct driver *driver, unsigned number); /* Before a call is carried out. */

    /* What came of it. */
    struct berth_outcome outcome;
    unsigned calls;      /* Made, in all. */
    unsigned remembered; /* Times that `before` was written to the ledger. */
    unsigned retries;
    unsigned retries_free;
    size_t most_outstanding;

    struct berth_pool pool;
    struct berth_work work;
    /* Last: large, and cleared only by counting. */
    struct berth_workspace workspaces[BERTH_COMMAND_WORKSPACES_MAX];
    struct model_harbor harbor;
};

/* An empty Harbor and an empty Redis, and a command for DRIVER_SPACE. */
void driver_init(struct driver *driver, enum berth_command_type type);
/* Asserts that the pool is empty in the end. */
void driver_deinit(struct driver *driver);

/* Adds a workspace to the command; in order of bytes. */
void driver_workspace(struct driver *driver, const char *id);

/* Puts the space into Harbor, and into Redis as known and warm. */
struct model_project *driver_space(struct driver *driver, enum berth_visibility visibility);
/* A robot of ours in Harbor, with its binding in Redis. */
struct model_robot *driver_binding(struct driver *driver, const char *workspace,
                                   const char *key_id);
/* Redis knows nothing of the space. */
void driver_forget(struct driver *driver);
/* The ledger remembers what Redis knows as what an earlier claim met. */
void driver_claimed_before(struct driver *driver);

/* Works on the command until it has an outcome. Fails the test if it does not end. */
void driver_run(struct driver *driver);

/* For tests that go step by step. */
void driver_claim(struct driver *driver);

/* The outcome, and what is in Harbor, as text without ids; for comparing runs. */
void driver_describe(struct driver *driver, char *target, size_t size);

/* Asserts code, kind and changed. */
void driver_expect(const struct driver *driver, enum berth_outcome_kind kind, const char *code,
                   bool changed);
/* Asserts what became of one workspace, and its code. */
void driver_expect_binding(const struct driver *driver, const char *workspace,
                           enum berth_binding_change_kind kind, const char *code);
/* Asserts a detail's value; NULL: it is not there. */
void driver_expect_detail(const struct driver *driver, const char *name, const char *value);

#endif
