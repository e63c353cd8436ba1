/* SPDX-License-Identifier: Apache-2.0 */
/* What may go wrong in a world, and at which step of a plan. */
#ifndef BERTH_SIM_WISHES_H
#define BERTH_SIM_WISHES_H

#include <stdbool.h>
#include <stdint.h>

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
    SIM_LEAVES,        /* It drains and leaves the group. */
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

#endif
