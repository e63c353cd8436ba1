/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: which partition a record is taken from next.
 *
 * One record from each in a ring, going on where it stopped the last time: whatever bound holds up
 * the taking, and however little room comes free at once, each partition that has something to be
 * taken gets the next room after the others had one each. (Taken from the first that has some, five
 * partitions with a backlog and room for four meant that the fifth was never read.)
 */
#ifndef BERTH_CORE_TURNS_H
#define BERTH_CORE_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/result.h"

struct berth_turns {
    uint32_t next; /* Whose turn it is. Zeroed: the first one's. */
};

/*
 * Takes a record from this partition.
 * BERTH_END: it has none. BERTH_BUSY: there may be one, and there is no room for it.
 */
typedef enum berth_rc berth_turn_fn(void *ctx, uint32_t partition);

/*
 * Gives turns to partitions 0 to count - 1, until none takes anything any more or `max` records
 * were taken. Returns how many were. ret_held_back: some partition had no room.
 * Partitions are at most BERTH_ENGINE_PARTITIONS_MAX.
 */
uint32_t berth_turns_take(struct berth_turns *turns, uint32_t count, uint32_t max,
                          berth_turn_fn *take, void *ctx, bool *ret_held_back);

#endif
