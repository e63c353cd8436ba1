/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The adapters and their callbacks: each turns what it is told into an event for the engine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/core/plan.h"
#include "berth/io/clock.h"
#include "wiring.h"
#include "worker_parts.h"

/* How long the process waits for librdkafka's threads when it ends. */
#define STOP_MS 3000

static enum berth_rc wire_harbor(struct worker *worker, struct berth_error *reterr);
static enum berth_rc wire_ledger(struct worker *worker, struct berth_error *reterr);
static enum berth_rc wire_lookups(struct worker *worker, struct berth_error *reterr);
static enum berth_rc wire_publisher(struct worker *worker, struct berth_error *reterr);

enum berth_rc wire_adapters(struct worker *worker, struct berth_error *reterr) {
    const struct berth_admin_checks checks = {
        .live = worker_live, .ready = worker_ready, .metrics = worker_metrics, .ctx = worker};
    enum berth_rc rc = berth_admin_http_new(worker->base, worker->config->admin_listen, &checks,
                                            &worker->admin, reterr);
    if (rc == BERTH_OK) {
        rc = wire_harbor(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_ledger(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_lookups(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_topics_check(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_rebuild(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_publisher(worker, reterr);
    }
    return rc;
}

void unwire_adapters(struct worker *worker) {
    unwire_topics_check(worker);
    unwire_rebuild(worker);
    /* The publisher first: its batch borrows what the slots hold. If it hangs, the process must end
     * with everything as it is (the caller does). */
    if (worker->publisher != NULL && !berth_publisher_free(worker->publisher, STOP_MS)) {
        berth_log(BERTH_LOG_ERROR, "publisher.hangs", "remedy=\"none needed: ending without it\"");
        _Exit(EXIT_FAILURE);
    }
    berth_slots_deinit(&worker->slots);
    worker->consumer = berth_consumer_free(worker->consumer, STOP_MS);
    if (worker->harbor != NULL && !worker->at_once) {
        berth_harbor_client_log_out(worker->harbor);
    }
    worker->harbor = berth_harbor_client_free(worker->harbor);
    worker->ledger = berth_ledger_free(worker->ledger);
    /* Its answers become replies of the admin server. */
    worker->lookups.lookup = berth_lookup_free(worker->lookups.lookup);
    worker->admin = berth_admin_http_free(worker->admin);
}

/* ---- Harbor ---- */

static void harbor_answered(void *ctx, uint64_t call_id, const struct berth_harbor_call *call,
                            const struct berth_harbor_answer *answer) {
    worker_step(
        ctx, &(struct berth_event){.kind = BERTH_EVENT_HARBOR,
                                   .harbor = {.call_id = call_id, .call = call, .answer = answer}});
}

static void harbor_noticed(void *ctx, const char *registry, bool trouble, const char *text) {
    (void)ctx;
    berth_log(trouble ? BERTH_LOG_WARNING : BERTH_LOG_INFO, "harbor.login",
              "registry=%s reason=\"%s\"", registry, text);
}

struct berth_harbor_registry_config worker_harbor_registry(const struct worker *worker,
                                                           size_t index) {
    const struct berth_config_registry *registry = &worker->config->registries[index];
    struct berth_harbor_registry_config harbor = berth_harbor_registry_configured(registry);
    harbor.limit = (size_t)registry->limit;
    /* All that the engine may have under way, and a probe: submitting never fails for want of
     * room. */
    harbor.queue_max = (size_t)worker_lanes_max(registry) * BERTH_PLAN_CALLS_MAX + 1;
    return harbor;
}

static enum berth_rc wire_harbor(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    struct berth_harbor_registry_config *registries =
        calloc(config->registries_count, sizeof(*registries));
    if (registries == NULL) {
        berth_error_set(reterr, "no memory");
        return BERTH_FAULT_MEMORY;
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        registries[i] = worker_harbor_registry(worker, i);
    }
    const struct berth_harbor_client_config client = {
        .base = worker->base,
        .deployment = config->deployment,
        .registries = registries,
        .registries_count = config->registries_count,
        .master_key = {.data = (const uint8_t *)config->master_key.text,
                       .len = config->master_key.len},
        .seed = worker->engine_config.seed + 2, /* Not in step with anything else. */
        .on_answer = harbor_answered,
        .on_notice = harbor_noticed,
        .ctx = worker,
    };
    enum berth_rc rc = berth_harbor_client_new(&client, &worker->harbor, reterr);
    free(registries);
    return rc;
}

/* ---- The ledger ---- */

static void ledger_answered(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                            struct berth_bytes stored) {
    struct worker *worker = ctx;
    if (answer->kind == BERTH_LEDGER_BASES) {
        worker_bases_read(worker, answer);
        return;
    }
    if (stored.len > 0) {
        /* Only claims and stores bring bytes, and their call is their slot. */
        enum berth_rc rc =
            berth_slot_keep(berth_slot_at(&worker->slots, (uint32_t)call_id), stored);
        if (rc != BERTH_OK) {
            worker_fail(worker, "no memory for a stored outcome");
            return;
        }
    }
    worker_step(worker, &(struct berth_event){.kind = BERTH_EVENT_LEDGER,
                                              .ledger = {.call_id = call_id, .answer = answer}});
}

static void ledger_state(void *ctx, bool available, const char *why) {
    struct worker *worker = ctx;
    berth_log(available ? BERTH_LOG_INFO : BERTH_LOG_WARNING,
              available ? "redis.available" : "redis.unavailable", "address=%s reason=\"%s\"",
              worker->config->redis.address, why);
    worker->redis_available = available;
    if (available) {
        worker_read_bases(worker);
    }
    (void)snprintf(worker->redis_why, sizeof(worker->redis_why), "%s: %s",
                   worker->config->redis.address, why);
    if (available) {
        worker_rebuild_available(worker);
        worker_consume_when_ready(worker);
    }
}

static void ledger_warning(void *ctx, const char *text) {
    (void)ctx;
    berth_log(BERTH_LOG_WARNING, "redis.warning", "reason=\"%s\"", text);
}

static void ledger_foreign(void *ctx, const char *text) {
    worker_fail(ctx, "Redis: %s", text);
}

static enum berth_rc wire_ledger(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    (void)snprintf(worker->redis_why, sizeof(worker->redis_why), "not connected yet");

    const struct berth_ledger_config ledger = {
        .base = worker->base,
        .server = berth_config_redis_server(config),
        .prefix = config->redis.prefix,
        .instance = config->instance,
        .incarnation = worker->incarnation,
        .memory_ms = worker->engine_config.ledger_memory_ms,
        .tombstone_ms = worker->engine_config.ledger_memory_ms,
        /* One for each command, a renewal, what was settled, and the bases that are asked for. */
        .pending_max = worker->engine_config.commands_max + 3,
        .seed = worker->engine_config.seed,
        .on_answer = ledger_answered,
        .on_state = ledger_state,
        .on_warning = ledger_warning,
        .on_foreign = ledger_foreign,
        .on_rebuild = worker_rebuild_event,
        .ctx = worker,
    };
    return berth_ledger_new(&ledger, &worker->ledger, reterr);
}

/* ---- Lookups ---- */

static enum berth_rc wire_lookups(struct worker *worker, struct berth_error *reterr) {
    const struct berth_lookup_config lookup = {
        .base = worker->base,
        .config = worker->config,
        .seed = worker->engine_config.seed + 1, /* Not in step with the ledger's connection. */
    };
    worker->lookups.config = worker->config;
    enum berth_rc rc = berth_lookup_new(&lookup, &worker->lookups.lookup, reterr);
    if (rc == BERTH_OK) {
        lookups_serve(&worker->lookups, worker->admin);
    }
    return rc;
}

/* ---- The publisher ---- */

static void publisher_trouble(void *ctx, const char *text) {
    struct worker *worker = ctx;
    if (trouble_met(&worker->kafka_trouble, text, berth_clock_monotonic_ms())) {
        berth_log(BERTH_LOG_WARNING, "publisher.trouble", "reason=\"%s\"", text);
    }
}

static enum berth_rc wire_publisher(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    char transactional_id[512];
    (void)snprintf(transactional_id, sizeof(transactional_id), "%s-%s", config->group,
                   config->instance);
    const struct berth_publisher_options options = {
        .properties = worker->kafka_properties,
        .group = config->group,
        .transactional_id = transactional_id,
        .topics = worker->topics,
        .topics_count = BERTH_RECORD_KINDS,
        .on_done = worker_published,
        .on_trouble = publisher_trouble,
        .ctx = worker,
    };
    return berth_publisher_new(worker->base, &options, &worker->publisher, reterr);
}

/* ---- The consumer ---- */

/* What says where a partition starts, for the log. */
static const char *origin_name(enum berth_partition_origin origin) {
    switch (origin) {
    case BERTH_ORIGIN_COMMITTED:
        return "committed";
    case BERTH_ORIGIN_BASE:
        return "base";
    case BERTH_ORIGIN_START:
        return "start";
    case BERTH_ORIGIN_DECISION:
        return "decision";
    }
    BERTH_UNREACHABLE("origin");
}

static void gained(void *ctx, const struct berth_partition_info *info) {
    struct worker *worker = ctx;
    worker->partitions[info->slot] = true;
    if (worker->partitions_end <= info->slot) {
        worker->partitions_end = info->slot + 1;
    }
    worker->records_waiting = true;
    trouble_over(&worker->kafka_trouble);
    berth_log(BERTH_LOG_INFO, "partition.gained",
              "topic=%s partition=%d offset=%lld from=%s epoch=%llu", info->topic, info->partition,
              (long long)info->start_offset, origin_name(info->origin),
              (unsigned long long)info->epoch);
    if (info->lost > 0) {
        worker->records_lost_total += (uint64_t)info->lost;
        berth_log(BERTH_LOG_ERROR, "partition.records_lost",
                  "topic=%s partition=%d lost=%lld first=%lld last=%lld reason=\"%s\"", info->topic,
                  info->partition, (long long)info->lost, (long long)info->lost_from,
                  (long long)(info->lost_from + info->lost - 1),
                  info->origin == BERTH_ORIGIN_DECISION
                      ? "an operator had it go on behind them"
                      : "the topic's retention removed them before they were read; raise it");
    }
    worker_step(worker,
                &(struct berth_event){.kind = BERTH_EVENT_PARTITION_GAINED,
                                      .partition = {.partition = info->slot,
                                                    .topic = info->topic,
                                                    .number = info->partition,
                                                    .start_offset = info->start_offset,
                                                    .commit_start = !info->committed,
                                                    .committed_offset = info->committed_offset,
                                                    .log = info->log,
                                                    .metadata = info->metadata}});
}

static void revoked(void *ctx, uint32_t slot) {
    berth_log(BERTH_LOG_INFO, "partition.revoked", "slot=%u", slot);
    worker_step(ctx, &(struct berth_event){.kind = BERTH_EVENT_PARTITION_REVOKED,
                                           .partition = {.partition = slot}});
}

static void lost(void *ctx, uint32_t slot) {
    struct worker *worker = ctx;
    berth_log(BERTH_LOG_WARNING, "partition.lost", "slot=%u", slot);
    worker->partitions[slot] = false;
    worker_step(worker, &(struct berth_event){.kind = BERTH_EVENT_PARTITION_LOST,
                                              .partition = {.partition = slot}});
}

static void records(void *ctx) {
    struct worker *worker = ctx;
    worker->records_waiting = true;
}

static void stopped(void *ctx, const char *topic, int32_t partition, const char *text) {
    (void)ctx;
    berth_log(BERTH_LOG_ERROR, "partition.stopped", "topic=%s partition=%d reason=\"%s\"", topic,
              partition, text);
}

static void consumer_error(void *ctx, bool fatal, const char *text) {
    if (fatal) {
        worker_fail(ctx, "Kafka consumer: %s", text);
        return;
    }
    struct worker *worker = ctx;
    if (trouble_met(&worker->kafka_trouble, text, berth_clock_monotonic_ms())) {
        berth_log(BERTH_LOG_WARNING, "consumer.trouble", "reason=\"%s\"", text);
    }
}

static void closed(void *ctx) {
    struct worker *worker = ctx;
    worker->done = true;
}

void worker_consume_when_ready(struct worker *worker) {
    if (worker->consumer != NULL || worker->stopping || !worker->topics_fine ||
        !worker->redis_available || !berth_ledger_is_ours(worker->ledger)) {
        return;
    }
    struct berth_error error = {{0}};
    enum berth_rc rc = wire_consumer(worker, &error);
    if (rc != BERTH_OK) {
        worker_fail(worker, "the Kafka consumer can't be made: %s", berth_error_why(&error, rc));
    }
}

enum berth_rc wire_consumer(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    const struct berth_consumer_options options = {
        .properties = worker->kafka_properties,
        .group = config->group,
        .instance = config->static_membership ? config->instance : NULL,
        .topics = worker->topics + BERTH_RECORD_KINDS,
        .topics_count = worker->topics_count - BERTH_RECORD_KINDS,
        .start = (enum berth_config_start)config->start,
        .partitions_max = BERTH_ENGINE_PARTITIONS_MAX,
        .callbacks = {.on_gained = gained,
                      .on_base_wanted = worker_base_wanted,
                      .on_revoked = revoked,
                      .on_lost = lost,
                      .on_records = records,
                      .on_stopped = stopped,
                      .on_topic_missing = worker_topic_missing,
                      .on_error = consumer_error,
                      .on_closed = closed},
        .ctx = worker,
    };
    return berth_consumer_new(worker->base, &options, &worker->consumer, reterr);
}
