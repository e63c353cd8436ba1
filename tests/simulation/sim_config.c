/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of world a seed makes, and what its workers are configured with: the defaults in every
 * fourth world, else whatever the configuration may say, small bounds and budgets above all.
 */
#include "sim.h"

static void set_defaults(struct sim *sim) {
    static const char *const names[SIM_REGISTRIES] = {"main", "other"};
    static const char *const topics[SIM_REGISTRIES] = {"berth.commands.main",
                                                       "berth.commands.other"};
    for (int i = 0; i < SIM_REGISTRIES; i++) {
        sim->registries[i] = (struct berth_engine_registry){
            .name = names[i],
            .command_topic = topics[i],
            .dedicated = i == 0,
            .lanes_max = 8,
            .calls_max = 16,
        };
    }
    static const char *const protected_spaces[] = {"library"};
    sim->config = (struct berth_engine_config){
        .key_id = SIM_KEY_ID,
        .registries = sim->registries,
        .registries_count = SIM_REGISTRIES,
        .protected_spaces = protected_spaces,
        .protected_spaces_count = 1,
        .commands_max = SIM_SLOTS,
        .window_max = 24,
        .batch_max = SIM_BATCH_MAX,
        .lease_ms = 15000,
        .renew_ms = 5000,
        .restart_grace_ms = 2000,
        .request_timeout_ms = 5000,
        .cold_after_ms = 3600000,
        .ledger_memory_ms = INT64_C(7) * 24 * 3600 * 1000,
        .future_max_ms = 3600000,
        .retry_attempts = 8,
        .retry_age_ms = 300000,
        .backoff_ms = 200,
        .backoff_max_ms = 5000,
        .revoke_bound_ms = 30000,
    };
    sim->pool_bytes =
        berth_engine_pool_bytes_min(&sim->config) + 24 * (size_t)BERTH_ENGINE_WORK_BYTES;
    sim->rest_max_ms = 4000;
    sim->partitions_each = 3;
}

/* From `least` to `most`; half of the range above `least` is as likely as any other doubling. */
static int64_t spread(struct sim *sim, int64_t least, int64_t most) {
    int doublings = 0;
    while (least << doublings < most) {
        doublings++;
    }
    int64_t ceiling = least << sim_below(sim, doublings + 1);
    ceiling = ceiling < most ? ceiling : most;
    return least + sim_below(sim, ceiling - least + 1);
}

static void draw_times(struct sim *sim) {
    struct berth_engine_config *config = &sim->config;
    config->request_timeout_ms = 2000 + sim_below(sim, 6000);
    /* What -t demands of them. */
    config->lease_ms =
        2 * config->request_timeout_ms + SIM_LEDGER_TIMEOUT_MS + spread(sim, 1, 16000);
    config->renew_ms = spread(sim, 200, (config->lease_ms - 1) / 2);
    config->restart_grace_ms = SIM_READ_BACK_MS + sim_below(sim, 1000);
    config->cold_after_ms = sim_chance(sim, 70) ? 3600000 : spread(sim, 1, 3600000);
    config->retry_age_ms = spread(sim, 1000, 300000);
    config->backoff_ms = spread(sim, 1, 2000);
    config->backoff_max_ms = spread(sim, 1, 20000);
    config->revoke_bound_ms = spread(sim, 200, 60000);
    sim->rest_max_ms = spread(sim, 1000, 30000);
}

static void draw_bounds(struct sim *sim) {
    struct berth_engine_config *config = &sim->config;
    config->window_max = (uint32_t)spread(sim, 1, SIM_SLOTS);
    config->commands_max = (uint32_t)spread(sim, 1, SIM_SLOTS);
    config->batch_max = (uint32_t)spread(sim, 1, SIM_BATCH_MAX);
    config->retry_attempts = (uint32_t)spread(sim, 1, 20);
    for (int i = 0; i < SIM_REGISTRIES; i++) {
        sim->registries[i].lanes_max = (uint32_t)spread(sim, 1, 16);
        sim->registries[i].calls_max = (uint32_t)spread(sim, 1, 32);
    }
    sim->pool_bytes =
        berth_engine_pool_bytes_min(config) + (size_t)sim_below(sim, 24) * BERTH_ENGINE_WORK_BYTES;
    sim->partitions_each = (int)spread(sim, 1, SIM_PARTITIONS_EACH);
}

static void choose_world(struct sim *sim) {
    static const int spaces[] = {3, 6, 16, 40};
    if (sim->crash != NULL) {
        sim->workers_count = 3;
        sim->spaces_count = 2;
        sim->faults_end_ms = sim->now_ms + 20000;
        sim->calm_from_ms = sim->faults_end_ms + SIM_CRASHED_FOR_MS;
        return;
    }
    sim->workers_count = 3 + (int)sim_below(sim, 2);
    sim->spaces_count = spaces[sim_below(sim, 4)];
    sim->static_members = sim_chance(sim, 50);
    sim->humans = sim_chance(sim, 50);
    sim->slow_world = sim_chance(sim, 10);
    if (sim->slow_world) {
        sim->config.window_max = SIM_SLOTS; /* Nor do its commands fill the window. */
        sim->spaces_count = 40;             /* Else a space's own commands are what it waits for. */
    }
    if (!sim->slow_world && sim_chance(sim, 75)) {
        draw_times(sim);
        draw_bounds(sim);
    }
    sim->sending_ms = 20000 + sim_below(sim, 60000);
    sim->faults_end_ms = sim->now_ms + sim->sending_ms + 10000;
    sim->calm_from_ms = sim->faults_end_ms;
}

void sim_configure(struct sim *sim) {
    set_defaults(sim);
    choose_world(sim);
    sim->partitions_count = SIM_REGISTRIES * sim->partitions_each;
}
