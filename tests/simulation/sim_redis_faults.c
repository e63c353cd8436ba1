/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to Redis: it is away, empty, or an older copy of itself. */
#include <string.h>

#include "sim.h"

static void all_down(struct sim *sim) {
    for (int i = 0; i < sim->workers_count; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (worker->engine != NULL) {
            sim_link_breaks(sim, worker);
        }
    }
}

void sim_redis_goes(struct sim *sim, int64_t for_ms) {
    sim_trace(sim, "redis is away for %lld ms", (long long)for_ms);
    if (sim->redis_away_until_ms < sim->now_ms + for_ms) {
        sim->redis_away_until_ms = sim->now_ms + for_ms;
    }
    all_down(sim);
}

static void versions(struct sim *sim, int64_t ret_versions[SIM_SPACES_MAX]) {
    for (int i = 0; i < sim->spaces_count; i++) {
        const struct sim_space *space = &sim->spaces[i];
        struct sim_redis_space known;
        ret_versions[i] = 0;
        if (sim_redis_space(sim->redis, sim->registries[space->registry].name, space->name,
                            &known)) {
            ret_versions[i] = known.state.version;
            sim_redis_space_deinit(&known);
        }
    }
}

static void fail_over(struct sim *sim) {
    int64_t before[SIM_SPACES_MAX];
    int64_t after[SIM_SPACES_MAX];
    char data_set[BERTH_UUID_BYTES] = "";
    versions(sim, before);
    sim_redis_fail_over(sim->redis, sim->redis_copy);
    versions(sim, after);
    (void)sim_redis_data_set(sim->redis, data_set);
    for (int i = 0; i < sim->spaces_count; i++) {
        if (before[i] != after[i]) {
            memcpy(sim->spaces[i].stale_data_set, data_set, sizeof(data_set));
            for (int facet = 0; facet < SIM_FACETS; facet++) {
                sim_reference_dirty(sim, i, (enum sim_facet)facet);
            }
        }
    }
}

void sim_redis_loses(struct sim *sim, bool older) {
    older &= sim->redis_copy != NULL;
    sim_trace(sim, older ? "redis is an older copy" : "redis is empty");
    sim->redis_losses++;
    sim->redis_olders += older;
    sim->redis_lost_ms = sim->now_ms;
    if (older) {
        fail_over(sim);
    } else {
        sim_redis_flush(sim->redis);
    }
    if (older || sim_chance(sim, 50)) {
        all_down(sim); /* A FLUSHALL keeps the connections. */
    }
}
