/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "berth/codec/identity.h"
#include "berth/core/settled_map.h"
#include "berth/io/clock.h"
#include "wiring.h"
#include "worker_parts.h"

#define MIB           ((size_t)1024 * 1024)
#define DAY_MS        ((int64_t)24 * 3600 * 1000)
#define FUTURE_MAX_MS ((int64_t)3600 * 1000)
/* Revoked partitions are given up this long before the group would take them away. */
#define REVOKE_RESERVE_MS ((int64_t)10000)
#define POLL_INTERVAL_MS  300000 /* librdkafka's default for max.poll.interval.ms. */
/* A command spends part of its time with the ledger and with Kafka, so more lanes than requests
 * keep a registry's limit in use. */
#define LANES_PER_REQUEST 4
#define LANES_MIN         32

static int64_t revoke_bound_ms(const struct berth_config *config);
static enum berth_rc describe_registries(struct worker *worker, struct berth_error *reterr);
static uint64_t random_seed(void);

enum berth_rc wire_engine(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    enum berth_rc rc = berth_uuid4(worker->incarnation);
    if (rc != BERTH_OK) {
        berth_error_set(reterr, "the system gives no random numbers");
        return rc;
    }
    berth_key_id((struct berth_bytes){.data = (const uint8_t *)config->master_key.text,
                                      .len = config->master_key.len},
                 worker->key_id);
    rc = berth_codec_new(&worker->codec, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = describe_registries(worker, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    worker->engine_config = (struct berth_engine_config){
        .instance = config->instance,
        .incarnation = worker->incarnation,
        .key_id = worker->key_id,
        .registries = worker->engine_registries,
        .registries_count = config->registries_count,
        .protected_spaces = (const char *const *)config->protected_spaces.items,
        .protected_spaces_count = config->protected_spaces.count,
        .commands_max = (uint32_t)config->commands_max,
        .window_max = (uint32_t)config->window,
        .batch_max = (uint32_t)config->batch_max,
        .lease_ms = config->lease_ms,
        .renew_ms = config->renew_ms,
        .restart_grace_ms = config->restart_grace_ms,
        .request_timeout_ms = worker_longest_request_ms(config),
        .cold_after_ms = config->cold_after_ms,
        .ledger_memory_ms = config->ledger_days * DAY_MS,
        .future_max_ms = FUTURE_MAX_MS,
        .retry_attempts = (uint32_t)config->retry_attempts,
        .retry_age_ms = config->retry_age_ms,
        .backoff_ms = config->retry_backoff_ms,
        .backoff_max_ms = config->retry_backoff_max_ms,
        .revoke_bound_ms = revoke_bound_ms(config),
        .seed = random_seed(),
    };
    berth_pool_init(&worker->pool, (size_t)config->engine_memory_mib * MIB);
    size_t least = berth_engine_pool_bytes_min(&worker->engine_config);
    if (worker->pool.limit_bytes < least) {
        berth_error_set(reterr, "engine_memory_mib = %lld is too little: these limits need %zu",
                        (long long)config->engine_memory_mib, least / MIB + 1);
        return BERTH_INVALID;
    }
    worker->refused = calloc(worker->engine_config.commands_max + 2, sizeof(*worker->refused));
    rc = berth_slots_init(&worker->slots, worker->engine_config.commands_max);
    if (rc != BERTH_OK || worker->refused == NULL) {
        berth_error_set(reterr, "no memory for %u slots", worker->engine_config.commands_max);
        return BERTH_FAULT_MEMORY;
    }
    worker->map_len_max = BERTH_METADATA_MAX;
    outputs_init(&worker->outputs);
    worker->engine =
        berth_engine_new(&worker->engine_config, &worker->pool, berth_clock_monotonic_ms());
    return BERTH_OK;
}

void unwire_engine(struct worker *worker) {
    if (worker->engine != NULL) {
        worker->engine = berth_engine_free(worker->engine);
        berth_pool_deinit(&worker->pool);
    }
    free(worker->refused);
    free(worker->engine_registries);
    outbox_deinit(&worker->outbox);
    outputs_deinit(&worker->outputs);
    worker->codec = berth_codec_free(worker->codec);
}

static enum berth_rc describe_registries(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    worker->engine_registries =
        calloc(config->registries_count, sizeof(*worker->engine_registries));
    if (worker->engine_registries == NULL) {
        berth_error_set(reterr, "no memory");
        return BERTH_FAULT_MEMORY;
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        const struct berth_config_registry *registry = &config->registries[i];
        worker->engine_registries[i] = (struct berth_engine_registry){
            .name = registry->name,
            .command_topic = registry->command_topic,
            .dedicated = registry->dedicated,
            .lanes_max = worker_lanes_max(registry),
            .calls_max = (uint32_t)registry->limit,
        };
    }
    return BERTH_OK;
}

uint32_t worker_lanes_max(const struct berth_config_registry *registry) {
    int64_t lanes = registry->limit * LANES_PER_REQUEST;
    return (uint32_t)(lanes < LANES_MIN ? LANES_MIN : lanes);
}

int64_t worker_longest_request_ms(const struct berth_config *config) {
    int64_t longest_ms = 0;
    for (size_t i = 0; i < config->registries_count; i++) {
        if (config->registries[i].request_timeout_ms > longest_ms) {
            longest_ms = config->registries[i].request_timeout_ms;
        }
    }
    return longest_ms;
}

static int64_t revoke_bound_ms(const struct berth_config *config) {
    int64_t interval_ms = POLL_INTERVAL_MS;
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        if (strcmp(config->kafka.properties[i].name, "max.poll.interval.ms") == 0) {
            interval_ms = strtoll(config->kafka.properties[i].value, NULL, 10);
        }
    }
    return interval_ms > 2 * REVOKE_RESERVE_MS ? interval_ms - REVOKE_RESERVE_MS : interval_ms / 2;
}

/* Two workers that start together must not back off in step. */
static uint64_t random_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        seed = (uint64_t)berth_clock_wall_ms();
    }
    return seed;
}
