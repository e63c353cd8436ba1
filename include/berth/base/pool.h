/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool: memory with a bound.
 *
 * The engine takes all its memory from one pool, so that its whole appetite is one number. Work
 * that must not run dry half-way reserves what it may need before it starts: berth_pool_reserve()
 * takes bytes out of what is free without allocating, and berth_pool_unreserve() gives them back.
 * Single-threaded.
 * Invariant: used_bytes + reserved_bytes <= limit_bytes, unless a reservation is being consumed.
 */
#ifndef BERTH_BASE_POOL_H
#define BERTH_BASE_POOL_H

#include <stddef.h>

#include "berth/base/result.h"

struct berth_pool {
    size_t limit_bytes;
    size_t used_bytes;
    size_t reserved_bytes;
};

/* Starts an empty pool. */
void berth_pool_init(struct berth_pool *pool, size_t limit_bytes);

/* Asserts that everything was given back: a leak is a bug of ours. */
void berth_pool_deinit(struct berth_pool *pool);

/*
 * Zeroed memory aligned for any type; the caller gives it back with berth_pool_free().
 * Counts against the limit but not against the reservation: whoever allocates has either checked
 * berth_pool_has() or holds a reservation that covers it. Running past the limit is asserted.
 */
void *berth_pool_alloc(struct berth_pool *pool, size_t bytes);

/* Gives memory back; NULL is fine. */
void berth_pool_free(struct berth_pool *pool, void *memory);

/* The bytes that an allocation of this size takes, book-keeping included. */
size_t berth_pool_cost(size_t bytes);

/*
 * Sets bytes aside.
 * BERTH_BUSY: the pool has fewer free; nothing changed.
 */
BERTH_MUST_USE enum berth_rc berth_pool_reserve(struct berth_pool *pool, size_t bytes);
void berth_pool_unreserve(struct berth_pool *pool, size_t bytes);

/* The bytes that are neither used nor reserved. */
size_t berth_pool_free_bytes(const struct berth_pool *pool);

#endif
