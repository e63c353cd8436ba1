/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares: what one topic's records may take of the slots and of the pool, so that a registry that
 * is down, or just slow, leaves room for the others.
 *
 * Half of both is divided evenly among the topics that have partitions here: each may always take
 * that much. The other half belongs to whoever comes first. So a topic alone has everything, and a
 * registry that comes to a stop with all it could take has stopped nobody else; its partitions are
 * then simply not read. Registries that share a topic share this, too (design 3).
 */
#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"

/* What is kept for the others. */
struct kept {
    size_t topics;
    uint32_t commands;
    size_t bytes;
};

static struct kept keep_for_others(const struct berth_engine *engine, uint32_t share);
static uint32_t own_commands(const struct berth_engine *engine, size_t topics);
static size_t own_bytes(const struct berth_engine *engine, size_t topics);

uint32_t share_of(const struct berth_engine *engine, const char *topic) {
    uint32_t share = 0;
    while (share < engine->config->registries_count &&
           strcmp(engine->registry_topics[share], topic) != 0) {
        share++;
    }
    return share;
}

bool share_has_room(const struct berth_engine *engine, uint32_t share, size_t bytes) {
    const struct share *own = &engine->shares[share];
    struct kept kept = keep_for_others(engine, share);
    bool slots = own->commands < own_commands(engine, kept.topics) ||
                 engine->free_slots_count > kept.commands;
    bool memory = own->bytes < own_bytes(engine, kept.topics) ||
                  berth_pool_free_bytes(engine->pool) >= bytes + kept.bytes;
    return slots && memory;
}

bool share_has_work_room(const struct berth_engine *engine, uint32_t share,
                         const struct registry *registry) {
    if (registry->lanes_active == 0) {
        return true; /* Or nobody would give anything back. */
    }
    struct kept kept = keep_for_others(engine, share);
    return engine->shares[share].bytes < own_bytes(engine, kept.topics) ||
           berth_pool_free_bytes(engine->pool) >= BERTH_ENGINE_WORK_BYTES + kept.bytes;
}

static struct kept keep_for_others(const struct berth_engine *engine, uint32_t share) {
    struct kept kept = {.topics = 1};
    for (uint32_t i = 0; i <= engine->config->registries_count; i++) {
        kept.topics += i != share && engine->shares[i].partitions > 0;
    }
    uint32_t commands = own_commands(engine, kept.topics);
    size_t bytes = own_bytes(engine, kept.topics);
    for (uint32_t i = 0; i <= engine->config->registries_count; i++) {
        const struct share *other = &engine->shares[i];
        if (i == share || other->partitions == 0) {
            continue;
        }
        kept.commands += other->commands < commands ? commands - other->commands : 0;
        kept.bytes += other->bytes < bytes ? bytes - other->bytes : 0;
    }
    return kept;
}

static uint32_t own_commands(const struct berth_engine *engine, size_t topics) {
    return engine->config->commands_max / 2 / (uint32_t)topics;
}

static size_t own_bytes(const struct berth_engine *engine, size_t topics) {
    return engine->shared_pool_bytes / 2 / topics;
}
