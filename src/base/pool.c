/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/pool.h"

#include <stdalign.h>
#include <stdlib.h>

#include "berth/base/assert.h"

/* Each block is preceded by its size, so that giving it back needs no size from the caller. */
struct block {
    alignas(max_align_t) size_t cost;
};

void berth_pool_init(struct berth_pool *pool, size_t limit_bytes) {
    *pool = (struct berth_pool){.limit_bytes = limit_bytes};
}

void berth_pool_deinit(struct berth_pool *pool) {
    BERTH_ASSERT(pool->used_bytes == 0);
    BERTH_ASSERT(pool->reserved_bytes == 0);
}

size_t berth_pool_cost(size_t bytes) {
    return bytes + sizeof(struct block);
}

void *berth_pool_alloc(struct berth_pool *pool, size_t bytes) {
    size_t cost = berth_pool_cost(bytes);
    BERTH_ASSERT(cost > bytes);
    BERTH_ASSERT(cost <= pool->limit_bytes - pool->used_bytes);

    struct block *block = calloc(1, cost);
    /* The pool's limit was promised to fit the machine; without memory nothing can be decided. */
    BERTH_ASSERT(block != NULL);
    block->cost = cost;
    pool->used_bytes += cost;
    return block + 1;
}

void berth_pool_free(struct berth_pool *pool, void *memory) {
    if (memory == NULL) {
        return;
    }
    struct block *block = (struct block *)memory - 1;
    BERTH_ASSERT(block->cost <= pool->used_bytes);
    pool->used_bytes -= block->cost;
    free(block);
}

size_t berth_pool_free_bytes(const struct berth_pool *pool) {
    size_t taken = pool->used_bytes + pool->reserved_bytes;
    return taken >= pool->limit_bytes ? 0 : pool->limit_bytes - taken;
}

enum berth_rc berth_pool_reserve(struct berth_pool *pool, size_t bytes) {
    if (bytes > berth_pool_free_bytes(pool)) {
        return BERTH_BUSY;
    }
    pool->reserved_bytes += bytes;
    return BERTH_OK;
}

void berth_pool_unreserve(struct berth_pool *pool, size_t bytes) {
    BERTH_ASSERT(bytes <= pool->reserved_bytes);
    pool->reserved_bytes -= bytes;
}
