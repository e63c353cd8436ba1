/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of world a seed makes. */
#include "sim.h"

static void configure(struct sim *sim) {
    static const char *const names[SIM_REGISTRIES] = {"main", "other"};
    static const char *const topics[SIM_REGISTRIES] = {"berth.commands.main",
                                                       "berth.commands.other"};
    for (int i = 0; i < SIM_REGISTRIES; i++) {
        sim->registries[i] = (struct berth_engine_registry){
            .name = names[i],
            .command_topic = topics[i],
            .account = SIM_ACCOUNT,
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
        .lease_ms = SIM_LEASE_MS,
        .renew_ms = 5000,
        .restart_grace_ms = 2000,
        .request_timeout_ms = SIM_REQUEST_TIMEOUT_MS,
        .cold_after_ms = 3600000,
        .ledger_memory_ms = INT64_C(7) * 24 * 3600 * 1000,
        .future_max_ms = 3600000,
        .retry_attempts = 8,
        .retry_age_ms = 300000,
        .backoff_ms = 200,
        .backoff_max_ms = 5000,
        .revoke_bound_ms = SIM_REVOKE_BOUND_MS,
    };
}

void sim_choose_world(struct sim *sim) {
    static const int spaces[] = {3, 6, 16, 40};
    configure(sim);
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
    sim->sending_ms = 20000 + sim_below(sim, 60000);
    sim->faults_end_ms = sim->now_ms + sim->sending_ms + 10000;
    sim->calm_from_ms = sim->faults_end_ms;
}
