/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cores: Harbor's processors, for which checks of passwords queue. Pure: time is handed in.
 */
#ifndef BERTH_SANDBOX_CORES_H
#define BERTH_SANDBOX_CORES_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox_faults.h"

struct berth_sandbox_cores {
    int64_t free_ms[BERTH_SANDBOX_CORES_MAX]; /* When each has done what it was given. */
};

/* Gives work to the first of count cores that is free; how long from now until it is done. */
int64_t berth_sandbox_cores_take(struct berth_sandbox_cores *cores, size_t count, int64_t now_ms,
                                 int64_t work_ms);

#endif
