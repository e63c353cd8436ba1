/* SPDX-License-Identifier: Apache-2.0 */
#include "outage.h"

void outage_init(struct outage *outage, const char *const *options) {
    own_redis_init(&outage->redis);
    own_redis_start(&outage->redis, options);
    world_init(&outage->world, "127.0.0.1", outage->redis.port);
}

void outage_deinit(struct outage *outage) {
    world_deinit(&outage->world);
    own_redis_stop(&outage->redis);
}

void impatient_config(struct world *world, struct worker *worker,
                      struct berth_ledger_config *ret_config) {
    worker_config(world, worker, 1, ret_config);
    ret_config->server.timeout_ms = TIMEOUT_MS;
}

void impatient_worker(struct world *world, struct worker *worker) {
    struct berth_ledger_config config;
    impatient_config(world, worker, &config);
    worker_start(worker, &config);
    worker_wait_available(worker);
}
