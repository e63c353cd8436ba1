/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/turns.h"

#include "berth/base/assert.h"
#include "berth/core/engine.h"

uint32_t berth_turns_take(struct berth_turns *turns, uint32_t count, uint32_t max,
                          berth_turn_fn *take, void *ctx, bool *ret_held_back) {
    BERTH_ASSERT(count <= BERTH_ENGINE_PARTITIONS_MAX);
    bool empty[BERTH_ENGINE_PARTITIONS_MAX] = {false}; /* Whoever has none isn't asked again. */
    uint32_t taken = 0;
    *ret_held_back = false;
    uint32_t passed = 0; /* In a row. */
    while (passed < count && taken < max) {
        uint32_t partition = turns->next < count ? turns->next : 0;
        turns->next = partition + 1;
        enum berth_rc rc = empty[partition] ? BERTH_END : take(ctx, partition);
        empty[partition] = rc == BERTH_END;
        if (rc == BERTH_OK) {
            taken++;
            passed = 0;
            *ret_held_back = false;
        } else {
            passed++;
            *ret_held_back |= rc != BERTH_END;
        }
    }
    return taken;
}
