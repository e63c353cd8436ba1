/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Space reading: what Harbor says of one space, without a command.
 *
 * Asks the same calls in the same order as a command on a cold space does (plan_read.c): the
 * project by its name, its quota, its robots page by page. It only reads; retries and time are the
 * caller's.
 *
 * Pure. Memory: the bindings, from the pool, which must have BERTH_PLAN_BYTES_MAX free.
 * Life: init -> { step -> the call -> observe }* -> step says how it ended -> deinit.
 */
#ifndef BERTH_CORE_SPACE_READING_H
#define BERTH_CORE_SPACE_READING_H

#include <stdint.h>

#include "berth/core/command.h"
#include "berth/core/harbor_call.h"
#include "berth/core/plan.h"
#include "berth/core/space.h"

struct berth_pool;

/* Its parts point at each other: it stays where it was initialised. */
struct berth_space_reading {
    struct berth_command command; /* Stands for the reader: it asks for everything there is. */
    struct berth_plan_settings settings;
    struct berth_work work;
};

enum berth_space_reading_step {
    BERTH_SPACE_READING_CALL, /* ret_call is the next call; request_id and not_after_ms are left. */
    BERTH_SPACE_READING_DONE, /* berth_space_reading_state() is PRESENT or ABSENT. */
    BERTH_SPACE_READING_TOO_LARGE, /* More robots, or bindings, than can be read. */
};

/* Starts to read the space of the registry with this index (of the configuration). The name is
 * copied. Ended with berth_space_reading_deinit(), at any time. */
void berth_space_reading_init(struct berth_space_reading *reading, uint32_t registry,
                              const char *space, struct berth_pool *pool);
void berth_space_reading_deinit(struct berth_space_reading *reading);

/* The next call, or how it ended. No call may be under way (asserted). */
enum berth_space_reading_step berth_space_reading_step(struct berth_space_reading *reading,
                                                       struct berth_harbor_call *ret_call);

/* Takes the answer to the last call in. PROGRESS: step again; else after a pause, which then asks
 * again what wasn't answered. */
enum berth_observed berth_space_reading_observe(struct berth_space_reading *reading,
                                                const struct berth_harbor_call *call,
                                                const struct berth_harbor_answer *answer);

/* What is there, after DONE: project, visibility, quota, bindings without key ids (Harbor doesn't
 * tell them); no creator, version nor times. A view, valid until deinit. */
const struct berth_space_state *
berth_space_reading_state(const struct berth_space_reading *reading);

#endif
