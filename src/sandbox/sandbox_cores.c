/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_cores.h"

#include "berth/base/assert.h"

int64_t berth_sandbox_cores_take(struct berth_sandbox_cores *cores, size_t count, int64_t now_ms,
                                 int64_t work_ms) {
    BERTH_ASSERT(count > 0);
    BERTH_ASSERT(count <= BERTH_SANDBOX_CORES_MAX);
    if (work_ms == 0) {
        return 0;
    }
    size_t first = 0;
    for (size_t i = 1; i < count; i++) {
        first = cores->free_ms[i] < cores->free_ms[first] ? i : first;
    }
    int64_t start_ms = cores->free_ms[first] > now_ms ? cores->free_ms[first] : now_ms;
    cores->free_ms[first] = start_ms + work_ms;
    return cores->free_ms[first] - now_ms;
}
