/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /metrics says, in Prometheus' text format. Names are those of docs/operations.md: a test
 * compares them.
 */
#include <inttypes.h>

#include "berth/base/buffer.h"
#include "berth/base/log_writer.h"
#include "berth/core/settled_map.h"
#include "berth/io/clock.h"
#include "worker_parts.h"

enum kind {
    GAUGE,
    COUNTER,
};

/* What the getters look at: gathered once for an answer. */
struct view {
    const struct worker *worker;
    struct berth_engine_figures engine;
    int64_t now_ms;
};

typedef double get_fn(const struct view *view);

static double partitions(const struct view *view) {
    return view->engine.partitions;
}

static double partitions_stopped(const struct view *view) {
    const char *topic;
    int32_t partition;
    const char *text;
    const struct berth_consumer *consumer = view->worker->consumer;
    return consumer == NULL ? 0
                            : (double)berth_consumer_stopped(consumer, &topic, &partition, &text);
}

static double taken_in(const struct view *view) {
    return view->engine.taken_in;
}

static double worked_on(const struct view *view) {
    return view->engine.worked_on;
}

static double ready(const struct view *view) {
    return view->engine.ready;
}

static double set_aside(const struct view *view) {
    return view->engine.set_aside;
}

static double outputs_refusing_now(const struct view *view) {
    return __builtin_popcount(outputs_refusing(&view->worker->outputs));
}

static double refused(const struct view *view) {
    return (double)view->worker->outputs.refused_total;
}

static double settled(const struct view *view) {
    return (double)view->engine.settled_total;
}

static double skipped(const struct view *view) {
    return (double)view->engine.skipped_total;
}

static double maps_ignored(const struct view *view) {
    return (double)view->engine.maps_ignored_total;
}

static double map_fill(const struct view *view) {
    const size_t room_bytes = BERTH_SETTLED_ROOM_BYTES;
    return (double)view->engine.map_bytes_max / (double)room_bytes;
}

static double partitions_crowded(const struct view *view) {
    return view->engine.partitions_crowded;
}

static double lost(const struct view *view) {
    return (double)view->worker->records_lost_total;
}

static double redis_up(const struct view *view) {
    return view->worker->redis_available;
}

static double redis_refuses(const struct view *view) {
    return berth_ledger_refusal(view->worker->ledger) != NULL;
}

static double oldest(const struct view *view) {
    return (double)view->engine.oldest_ms / 1000;
}

static double harbor_calls(const struct view *view) {
    return (double)berth_harbor_client_in_flight(view->worker->harbor);
}

static double publisher_busy(const struct view *view) {
    return (double)berth_publisher_busy_ms(view->worker->publisher, view->now_ms) / 1000;
}

static double memory(const struct view *view) {
    const struct berth_pool *pool = &view->worker->pool;
    return (double)(pool->limit_bytes - berth_pool_free_bytes(pool));
}

static double log_lines_dropped(const struct view *view) {
    (void)view;
    return (double)berth_log_lines_dropped();
}

static const struct {
    const char *name;
    enum kind kind;
    const char *help;
    get_fn *get;
} metrics[] = {
    {"berth_partitions", GAUGE, "Partitions that this worker has.", partitions},
    {"berth_partitions_stopped", GAUGE, "Of these: not read, for a reason that /readyz says.",
     partitions_stopped},
    {"berth_records_taken_in", GAUGE, "Records that were read and aren't settled.", taken_in},
    {"berth_commands_worked_on", GAUGE, "Commands that are claimed or being claimed.", worked_on},
    {"berth_outcomes_ready", GAUGE, "Outcomes that wait for a Kafka transaction.", ready},
    {"berth_outcomes_set_aside", GAUGE, "Outcomes that wait for a topic that refuses them.",
     set_aside},
    {"berth_outputs_refusing", GAUGE, "Topics that take no records; /readyz says which and why.",
     outputs_refusing_now},
    {"berth_outputs_refused_total", COUNTER, "How often a topic was found to take no records.",
     refused},
    {"berth_records_settled_total", COUNTER, "Records that were answered, and that is committed.",
     settled},
    {"berth_records_skipped_total", COUNTER,
     "Records that were settled before they were read again.", skipped},
    {"berth_settled_maps_ignored_total", COUNTER,
     "Maps of what is settled that weren't usable: their commands are answered again.",
     maps_ignored},
    {"berth_settled_map_fill", GAUGE,
     "How full the fullest map is; above 0.75 nothing beyond it is read.", map_fill},
    {"berth_partitions_crowded", GAUGE, "Partitions that wait for an old command for that reason.",
     partitions_crowded},
    {"berth_records_lost_total", COUNTER,
     "Records that were never read: retention removed them, or an operator passed them over.",
     lost},
    {"berth_redis_up", GAUGE, "1 while the ledger can be worked on.", redis_up},
    {"berth_redis_refuses", GAUGE,
     "1 while Redis is there and refuses what berth writes: no memory, no disk, no right.",
     redis_refuses},
    {"berth_oldest_command_seconds", GAUGE,
     "How long the oldest unsettled command waits, without the pauses of its registry.", oldest},
    {"berth_harbor_calls", GAUGE, "Calls to Harbor that wait or are under way.", harbor_calls},
    {"berth_publisher_busy_seconds", GAUGE, "How long the transaction under way has taken so far.",
     publisher_busy},
    {"berth_engine_memory_bytes", GAUGE, "Of engine_memory_mib: what is in use or promised.",
     memory},
    {"berth_log_lines_dropped_total", COUNTER,
     "Lines of the log that weren't written, because nobody read them in time.", log_lines_dropped},
};

/* ---- For each registry ---- */

typedef double get_of_registry_fn(const struct berth_engine_registry_figures *figures);

static double registry_up(const struct berth_engine_registry_figures *figures) {
    return !figures->open;
}

static double registry_resting(const struct berth_engine_registry_figures *figures) {
    return figures->resting;
}

static double registry_paused(const struct berth_engine_registry_figures *figures) {
    return (double)figures->paused_total_ms / 1000;
}

static double registry_calls(const struct berth_engine_registry_figures *figures) {
    return figures->calls;
}

static double registry_limit(const struct berth_engine_registry_figures *figures) {
    return figures->calls_limit;
}

static const struct {
    const char *name;
    enum kind kind;
    const char *help;
    get_of_registry_fn *get;
} registry_metrics[] = {
    {"berth_registry_up", GAUGE, "0 while its breaker is open: only a probe is asked.",
     registry_up},
    {"berth_registry_resting", GAUGE, "1 while it is left alone, because it said Retry-After.",
     registry_resting},
    {"berth_registry_paused_seconds_total", COUNTER, "How long it was either.", registry_paused},
    {"berth_registry_calls", GAUGE, "Calls for commands that are under way.", registry_calls},
    {"berth_registry_calls_limit", GAUGE, "How many may be now; at most its limit.",
     registry_limit},
};

/* ---- Text ---- */

/* What finds no room is left out (admin_http.h). */
static void say_head(struct berth_buffer *text, const char *name, enum kind kind,
                     const char *help) {
    enum berth_rc rc = berth_buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                                           kind == GAUGE ? "gauge" : "counter");
    (void)rc;
}

static void say(struct berth_buffer *text, const char *name, enum kind kind, const char *help,
                double value) {
    say_head(text, name, kind, help);
    enum berth_rc rc = berth_buffer_printf(text, "%s %.15g\n", name, value);
    (void)rc;
}

static void say_of_registries(struct berth_buffer *text, const struct worker *worker,
                              size_t metric) {
    const struct berth_config *config = worker->config;
    const char *name = registry_metrics[metric].name;
    say_head(text, name, registry_metrics[metric].kind, registry_metrics[metric].help);
    for (size_t i = 0; i < config->registries_count; i++) {
        struct berth_engine_registry_figures figures;
        berth_engine_registry_figures(worker->engine, (uint32_t)i, &figures);
        enum berth_rc rc =
            berth_buffer_printf(text, "%s{registry=\"%s\"} %.15g\n", name,
                                config->registries[i].name, registry_metrics[metric].get(&figures));
        (void)rc;
    }
}

/* A reason that can be one is there from the start, so that its first rise is seen. */
static void say_dead_letters(struct berth_buffer *text, const struct worker *worker) {
    static const char name[] = "berth_dead_letters_total";
    say_head(text, name, COUNTER, "Records that became dead letters.");
    for (size_t i = 0; i < berth_codes_count; i++) {
        if (berth_codes[i].dead_letter || worker->dead_letters_total[i] > 0) {
            enum berth_rc rc =
                berth_buffer_printf(text, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
                                    berth_codes[i].code, worker->dead_letters_total[i]);
            (void)rc;
        }
    }
}

void worker_metrics(void *ctx, struct berth_buffer *text) {
    struct view view = {.worker = ctx, .now_ms = berth_clock_monotonic_ms()};
    berth_engine_figures(view.worker->engine, &view.engine);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        say(text, metrics[i].name, metrics[i].kind, metrics[i].help, metrics[i].get(&view));
    }
    say_dead_letters(text, view.worker);
    for (size_t i = 0; i < sizeof(registry_metrics) / sizeof(registry_metrics[0]); i++) {
        say_of_registries(text, view.worker, i);
    }
}
