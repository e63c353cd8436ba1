/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines: a binary heap of points in time, earliest first.
 *
 * A node is embedded in whatever waits, so arming, moving and cancelling need no look-up. Equal
 * times fire in the order in which they were armed: the simulator relies on that.
 * Memory: one array of pointers, from the pool.
 */
#ifndef BERTH_BASE_DEADLINES_H
#define BERTH_BASE_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct berth_pool;

struct berth_deadline {
    int64_t at_ms;
    uint64_t order; /* Private: breaks ties. */
    size_t slot;    /* Private: index in the heap plus one; 0 when not armed. */
};

struct berth_deadlines {
    struct berth_pool *pool;
    struct berth_deadline **heap;
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

/* Room for capacity deadlines is taken from the pool at once, so arming never fails. */
void berth_deadlines_init(struct berth_deadlines *deadlines, struct berth_pool *pool,
                          size_t capacity);
void berth_deadlines_deinit(struct berth_deadlines *deadlines);

/* Arms the deadline, or moves it if it is armed. More than capacity at once is asserted. */
void berth_deadlines_arm(struct berth_deadlines *deadlines, struct berth_deadline *deadline,
                         int64_t at_ms);

/* Disarms it; fine if it is not armed. */
void berth_deadlines_cancel(struct berth_deadlines *deadlines, struct berth_deadline *deadline);

bool berth_deadline_armed(const struct berth_deadline *deadline);

/* Takes the earliest deadline with at_ms <= now_ms out of the heap, or NULL. */
struct berth_deadline *berth_deadlines_pop(struct berth_deadlines *deadlines, int64_t now_ms);

/* When the earliest deadline is due; INT64_MAX when there is none. */
int64_t berth_deadlines_next_ms(const struct berth_deadlines *deadlines);

#endif
