/* SPDX-License-Identifier: Apache-2.0 */
/* Figures for logs, metrics and readiness. */
#include "engine_parts.h"

/* Without those whose registry isn't asked: they wait for that. */
static void find_oldest(const struct berth_engine *engine, struct berth_engine_figures *ret) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        const struct item *item = engine->slots[slot];
        bool known = item != NULL && item->registry < engine->config->registries_count;
        const struct registry *registry = known ? &engine->registries[item->registry] : NULL;
        if (item == NULL || (known && breaker_blocks(registry))) {
            continue;
        }
        int64_t paused_ms = known ? breaker_paused_ms(engine, registry) : 0;
        int64_t age_ms = engine->now_ms - paused_ms - item->taken_ms;
        if (ret->oldest == NULL || age_ms > ret->oldest_ms) {
            ret->oldest_ms = age_ms;
            ret->oldest = &item->source;
        }
    }
}

void berth_engine_figures(const struct berth_engine *engine, struct berth_engine_figures *ret) {
    uint32_t crowded = 0;
    size_t fullest = 0;
    for (size_t i = 0; i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        const struct partition *partition = &engine->partitions[i];
        if (partition->state == PARTITION_FREE) {
            continue;
        }
        size_t bytes = berth_settled_map_bytes(&partition->settled);
        fullest = bytes > fullest ? bytes : fullest;
        crowded += berth_settled_map_crowded(&partition->settled);
    }
    *ret = (struct berth_engine_figures){
        .partitions = engine->partitions_open,
        .taken_in = engine->config->commands_max - engine->free_slots_count,
        .worked_on = engine->worked_on,
        .ready = engine->ready,
        .set_aside = engine->set_aside,
        .publishing = engine->publishing,
        .publishing_since_ms = engine->publishing_since_ms,
        .settled_total = engine->settled_total,
        .skipped_total = engine->skipped_total,
        .maps_ignored_total = engine->maps_ignored_total,
        .partitions_crowded = crowded,
        .map_bytes_max = fullest,
    };
    find_oldest(engine, ret);
}
