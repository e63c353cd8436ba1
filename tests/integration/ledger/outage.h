/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of outages share: a Redis of the test's own with a world on it, and workers that
 * lose their patience soon.
 */
#ifndef BERTH_TEST_OUTAGE_H
#define BERTH_TEST_OUTAGE_H

#include "ledger_world.h"
#include "own_redis.h"

/* Of silence, for an impatient worker. */
#define TIMEOUT_MS 300

struct outage {
    struct own_redis redis;
    struct world world;
};

/* Starts the Redis with these options; see own_redis_start(). */
void outage_init(struct outage *outage, const char *const *options);
void outage_deinit(struct outage *outage);

/* A worker's configuration with that time-out, and such a worker that is available. */
void impatient_config(struct world *world, struct worker *worker,
                      struct berth_ledger_config *ret_config);
void impatient_worker(struct world *world, struct worker *worker);

#endif
