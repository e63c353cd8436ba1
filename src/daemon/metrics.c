/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /metrics says, in Prometheus' text format. Names are those of docs/operations.md: a test
 * compares them.
 */
#include <inttypes.h>

#include "berth/base/buffer.h"
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
    {"berth_records_lost_total", COUNTER, "Records that retention removed before they were read.",
     lost},
    {"berth_redis_up", GAUGE, "1 while the ledger can be worked on.", redis_up},
    {"berth_harbor_calls", GAUGE, "Calls to Harbor that wait or are under way.", harbor_calls},
    {"berth_publisher_busy_seconds", GAUGE, "How long the transaction under way has taken so far.",
     publisher_busy},
    {"berth_engine_memory_bytes", GAUGE, "Of engine_memory_mib: what is in use or promised.",
     memory},
};

/* What finds no room is left out (admin_http.h). */
static void say(struct berth_buffer *text, const char *name, enum kind kind, const char *help,
                double value) {
    enum berth_rc rc =
        berth_buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name,
                            kind == GAUGE ? "gauge" : "counter", name, value);
    (void)rc;
}

void worker_metrics(void *ctx, struct berth_buffer *text) {
    struct view view = {.worker = ctx, .now_ms = berth_clock_monotonic_ms()};
    berth_engine_figures(view.worker->engine, &view.engine);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        say(text, metrics[i].name, metrics[i].kind, metrics[i].help, metrics[i].get(&view));
    }
}
