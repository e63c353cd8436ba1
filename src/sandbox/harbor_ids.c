/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_ids.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

void berth_model_ids_init(struct berth_model_ids *ids) {
    *ids = (struct berth_model_ids){.next = 1};
}

void berth_model_ids_deinit(struct berth_model_ids *ids) {
    free((void *)ids->rows);
    berth_model_ids_init(ids);
}

int64_t berth_model_ids_take(struct berth_model_ids *ids) {
    if (ids->next > BERTH_MODEL_IDS_MAX) {
        return 0;
    }
    if ((size_t)ids->next >= ids->capacity) {
        size_t capacity = ids->capacity == 0 ? 64 : ids->capacity * 2;
        ids->rows = berth_sandbox_resize((void *)ids->rows, capacity, sizeof(ids->rows[0]));
        memset((void *)&ids->rows[ids->capacity], 0,
               (capacity - ids->capacity) * sizeof(ids->rows[0]));
        ids->capacity = capacity;
    }
    return ids->next++;
}

void berth_model_ids_put(struct berth_model_ids *ids, int64_t id, void *row) {
    BERTH_ASSERT(id > 0);
    BERTH_ASSERT(id < ids->next);
    ids->rows[id] = row;
}

void *berth_model_ids_get(const struct berth_model_ids *ids, int64_t id) {
    return id > 0 && id < ids->next ? ids->rows[id] : NULL;
}
