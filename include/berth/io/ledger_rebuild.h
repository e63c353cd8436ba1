/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebuilding the data set in Redis from the topic of space states (design 4.9): Redis' side of it.
 *
 * A ledger that is allowed to looks after the data set by itself. When it isn't whole, or older
 * than this worker has seen it, the ledger takes a lock that one worker can have, says BEGUN, and
 * keeps the lock. The caller then brings the data set up, in this order:
 *
 *   BEGUN ──> chill ──CHILLED──> put, put, put (each answered by PUT) ──> open
 *
 * and the end shows in on_state(available). At any moment LOST may come instead: the lock is gone,
 * or Redis is away, and what is under way isn't answered any more; the ledger looks again by
 * itself. Each step may be repeated over what an earlier attempt left, and nothing is worked on
 * until the last one, so a rebuild may be cut off anywhere.
 *
 * Loop thread only. Events come out of turns of the loop, never out of a call.
 */
#ifndef BERTH_IO_LEDGER_REBUILD_H
#define BERTH_IO_LEDGER_REBUILD_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/command.h"
#include "berth/core/space.h"

struct berth_ledger;

enum berth_rebuild_event {
    BERTH_REBUILD_BEGUN,
    BERTH_REBUILD_CHILLED,
    BERTH_REBUILD_PUT,
    BERTH_REBUILD_LOST,
};

/* From now on the ledger may begin. Twice is fine. */
void berth_ledger_allow_rebuild(struct berth_ledger *ledger);

/* Makes every space cold that is there already. BERTH_BUSY: the rebuild was lost; its LOST comes or
 * came. BERTH_FAULT_MEMORY. The same for all that follow. */
BERTH_MUST_USE enum berth_rc berth_ledger_rebuild_chill(struct berth_ledger *ledger);

/*
 * Puts one state of the topic, cold, unless what is there is as new: `state` is PRESENT and its
 * version counts, or UNKNOWN for a tombstone. All is borrowed for the call.
 * BERTH_BUSY, too: as much is under way as may be; try again after a PUT.
 */
BERTH_MUST_USE enum berth_rc berth_ledger_rebuild_put(struct berth_ledger *ledger,
                                                      const char *registry, const char *space,
                                                      const struct berth_space_state *state);

/* Everything is put: the data set is whole. beginnings: for each partition of the command topics,
 * the first offset that no command can have had that was claimed in a lost data set. */
BERTH_MUST_USE enum berth_rc berth_ledger_rebuild_open(struct berth_ledger *ledger,
                                                       const struct berth_source *beginnings,
                                                       size_t count);

/* Gives the rebuild up, with the reason: whoever comes first begins anew. Nothing happens when it
 * was lost. No LOST follows. */
void berth_ledger_rebuild_drop(struct berth_ledger *ledger, const char *why);

#endif
