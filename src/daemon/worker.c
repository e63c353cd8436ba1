/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/io/clock.h"
#include "berth/io/kafka_record.h"
#include "instance_lock.h"
#include "wiring.h"
#include "worker_parts.h"

/* Records taken in per turn, so that a flood of them doesn't keep everything else waiting. */
#define TAKE_PER_TURN_MAX 256
/* How long leaving the group may take before the process ends anyway. */
#define CLOSE_MS 5000

static enum berth_rc start(struct worker *worker, struct berth_error *reterr);
static struct event_base *make_base(void);
static enum berth_rc make_timers(struct worker *worker, struct berth_error *reterr);
static void stop(struct worker *worker);
static void arm_next_deadline(struct worker *worker);
static void answer_refused_calls(struct worker *worker);
static void take_records(struct worker *worker);
static enum berth_rc take_from(void *ctx, uint32_t partition);
static void step_record(struct worker *worker, uint32_t partition,
                        struct berth_record *take_record);

enum berth_rc berth_worker_run(struct berth_config *config, struct berth_error *reterr) {
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        berth_error_set(reterr, "no memory");
        return BERTH_FAULT_MEMORY;
    }
    worker->config = config;
    worker->lock_fd = -1;
    enum berth_rc rc = start(worker, reterr);
    if (rc == BERTH_OK) {
        berth_log(BERTH_LOG_INFO, "worker.started", "version=%s instance=%s incarnation=%s",
                  BERTH_VERSION, config->instance, worker->incarnation);
    }
    while (rc == BERTH_OK && !worker->done) {
        take_records(worker);
        answer_refused_calls(worker);
        worker_answer_refused_batch(worker);
        arm_next_deadline(worker);
        if (event_base_loop(worker->base, EVLOOP_ONCE) < 0) {
            worker_fail(worker, "libevent's loop failed");
        }
    }
    if (rc == BERTH_OK && worker->failed) {
        berth_error_set(reterr, "%s", worker->error.text);
        rc = BERTH_FAULT_LIBRARY;
    }
    stop(worker);
    free(worker);
    if (rc == BERTH_OK) {
        berth_log(BERTH_LOG_INFO, "worker.stopped", "instance=%s", config->instance);
    }
    return rc;
}

/* ---- Life ---- */

static enum berth_rc start(struct worker *worker, struct berth_error *reterr) {
    const struct berth_config *config = worker->config;
    enum berth_rc rc =
        berth_instance_lock(config->state_dir, config->instance, &worker->lock_fd, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    worker->base = make_base();
    if (worker->base == NULL) {
        berth_error_set(reterr, "libevent can't make a loop");
        return BERTH_FAULT_LIBRARY;
    }
    rc = make_timers(worker, reterr);
    if (rc == BERTH_OK) {
        rc = worker_bases_init(worker);
    }
    if (rc == BERTH_OK) {
        rc = wire_engine(worker, reterr);
    }
    if (rc == BERTH_OK) {
        rc = wire_adapters(worker, reterr);
    }
    return rc;
}

static void stop(struct worker *worker) {
    unwire_adapters(worker);
    unwire_engine(worker);
    worker_bases_deinit(worker);
    struct event *const events[] = {worker->term_event,  worker->int_event,   worker->wake_event,
                                    worker->drain_event, worker->watch_event, worker->reload_event};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (worker->base != NULL) {
        event_base_free(worker->base);
    }
    worker_free_old_names(worker);
    if (worker->lock_fd >= 0) {
        (void)close(worker->lock_fd);
    }
}

/* Changes to the set of sockets are handed to the kernel once a turn: measured, it saves about 4 us
 * of system time for each Harbor call. Nothing here watches one file through two descriptors, which
 * that mode can't bear. */
static struct event_base *make_base(void) {
    struct event_config *config = event_config_new();
    if (config == NULL) {
        return NULL;
    }
    (void)event_config_set_flag(config,
                                EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST | EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static struct timeval interval(int64_t ms) {
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void told_to_stop_cb(evutil_socket_t signal_number, short what, void *ctx) {
    (void)what;
    struct worker *worker = ctx;
    if (worker->stopping) {
        berth_log(BERTH_LOG_WARNING, "worker.stopping_at_once", "signal=%d", (int)signal_number);
        worker->at_once = true;
        worker->done = true;
        return;
    }
    berth_log(BERTH_LOG_INFO, "worker.draining", "signal=%d timeout_ms=%lld", (int)signal_number,
              (long long)worker->config->drain_timeout_ms);
    worker->stopping = true;
    struct timeval bound = interval(worker->config->drain_timeout_ms);
    (void)event_add(worker->drain_event, &bound);
    worker_step(worker, &(struct berth_event){.kind = BERTH_EVENT_DRAIN});
}

static void drain_ended_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct worker *worker = ctx;
    if (!worker->closing) {
        struct berth_engine_figures figures;
        berth_engine_figures(worker->engine, &figures);
        berth_log(BERTH_LOG_WARNING, "worker.drain_timed_out", "left=%u worked_on=%u",
                  figures.taken_in, figures.worked_on);
        berth_engine_notice_left(worker->engine);
        worker_perform_effects(worker);
    }
    worker->done = true;
}

static void wake_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    worker_step(ctx, &(struct berth_event){.kind = BERTH_EVENT_TIME});
}

static void watch_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct worker *worker = ctx;
    int64_t busy_ms = berth_publisher_busy_ms(worker->publisher, berth_clock_monotonic_ms());
    bool slow = busy_ms > PUBLISHER_WATCH_SLOW_MS;
    if (slow && !worker->publisher_slow_told) {
        berth_log(BERTH_LOG_WARNING, "publisher.slow", "busy_ms=%lld", (long long)busy_ms);
    }
    worker->publisher_slow_told = slow;
    publisher_watch_tick(&worker->watch, busy_ms > 0, berth_publisher_steps(worker->publisher));
    if (publisher_watch_stuck(&worker->watch)) {
        /* Here, because the end waits in vain for the thread, and nothing comes after that. */
        berth_log(BERTH_LOG_ERROR, "publisher.stuck",
                  "busy_ms=%lld remedy=\"none needed: it ends, to be started anew\"",
                  (long long)busy_ms);
        worker_fail(worker,
                    "a call of librdkafka's transactional producer hasn't come back for %d s; what "
                    "is under way is found again by the next start",
                    PUBLISHER_WATCH_STUCK_TICKS * PUBLISHER_WATCH_TICK_MS / 1000);
    }
}

static enum berth_rc make_timers(struct worker *worker, struct berth_error *reterr) {
    worker->term_event = evsignal_new(worker->base, SIGTERM, told_to_stop_cb, worker);
    worker->int_event = evsignal_new(worker->base, SIGINT, told_to_stop_cb, worker);
    worker->reload_event = evsignal_new(worker->base, SIGHUP, worker_reload_cb, worker);
    worker->wake_event = evtimer_new(worker->base, wake_cb, worker);
    worker->drain_event = evtimer_new(worker->base, drain_ended_cb, worker);
    worker->watch_event = event_new(worker->base, -1, EV_PERSIST, watch_cb, worker);
    if (worker->term_event == NULL || worker->int_event == NULL || worker->wake_event == NULL ||
        worker->drain_event == NULL || worker->watch_event == NULL ||
        worker->reload_event == NULL) {
        berth_error_set(reterr, "no memory for the loop's timers");
        return BERTH_FAULT_MEMORY;
    }
    struct timeval watch = interval(PUBLISHER_WATCH_TICK_MS);
    (void)event_add(worker->term_event, NULL);
    (void)event_add(worker->int_event, NULL);
    (void)event_add(worker->reload_event, NULL);
    (void)event_add(worker->watch_event, &watch);
    return BERTH_OK;
}

void worker_fail(struct worker *worker, const char *format, ...) {
    if (!worker->failed) {
        struct berth_error error; /* What was written before may be among the arguments. */
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error.text, sizeof(error.text), format, arguments);
        va_end(arguments);
        worker->error = error;
    }
    worker->failed = true;
    worker->done = true;
}

void worker_close(struct worker *worker) {
    if (worker->closing) {
        return;
    }
    worker->closing = true;
    struct timeval bound = interval(CLOSE_MS);
    (void)event_add(worker->drain_event, &bound);
    if (worker->consumer == NULL) {
        worker->done = true; /* The topics were never there. */
        return;
    }
    berth_consumer_close(worker->consumer);
}

/* ---- Turns ---- */

void worker_step(struct worker *worker, struct berth_event *event) {
    if (worker->failed) {
        return; /* Not everything that the engine asked for was performed. */
    }
    event->now_ms = berth_clock_monotonic_ms();
    event->wall_ms = berth_clock_wall_ms();
    enum berth_rc rc = berth_engine_step(worker->engine, event);
    BERTH_ASSERT(rc == BERTH_OK);
    worker_perform_effects(worker);
}

static void arm_next_deadline(struct worker *worker) {
    int64_t at_ms = berth_engine_wake_at_ms(worker->engine);
    bool at_once = worker->records_waiting || worker->refused_count > 0 || worker->batch_refused;
    if (at_ms == INT64_MAX && !at_once) {
        (void)event_del(worker->wake_event);
        return;
    }
    int64_t delay_ms = at_ms - berth_clock_monotonic_ms();
    if (delay_ms < 0 || at_once) {
        delay_ms = 0;
    }
    struct timeval delay = interval(delay_ms);
    (void)event_add(worker->wake_event, &delay);
}

/* Calls that the ledger didn't take: to the engine they are calls that Redis didn't answer. A step
 * may add to them (something fell due meanwhile), so each is taken off before it is answered; what
 * is added waits for the next turn at the latest. */
static void answer_refused_calls(struct worker *worker) {
    for (size_t left = worker->refused_count; left > 0; left--) {
        struct refused_call call = worker->refused[--worker->refused_count];
        struct berth_ledger_answer answer = {.kind = call.kind, .unavailable = true};
        worker_step(worker,
                    &(struct berth_event){.kind = BERTH_EVENT_LEDGER,
                                          .ledger = {.call_id = call.call_id, .answer = &answer}});
    }
}

/* Takes records from the partitions in turn while the engine has room; what is left is taken next
 * turn. */
static void take_records(struct worker *worker) {
    if (!worker->records_waiting && !worker->records_held_back) {
        return;
    }
    bool held_back;
    uint32_t taken = berth_turns_take(&worker->turns, worker->partitions_end, TAKE_PER_TURN_MAX,
                                      take_from, worker, &held_back);
    worker->records_waiting = taken == TAKE_PER_TURN_MAX;
    worker->records_held_back = held_back && taken < TAKE_PER_TURN_MAX;
}

static enum berth_rc take_from(void *ctx, uint32_t partition) {
    struct worker *worker = ctx;
    if (!worker->partitions[partition]) {
        return BERTH_END;
    }
    if (!berth_engine_can_take(worker->engine, partition)) {
        return BERTH_BUSY;
    }
    struct berth_record *record;
    enum berth_rc rc = berth_consumer_take(worker->consumer, partition, &record);
    if (rc == BERTH_OK) {
        step_record(worker, partition, record);
    }
    return rc;
}

static void step_record(struct worker *worker, uint32_t partition,
                        struct berth_record *take_record) {
    struct berth_bytes key = berth_record_key(take_record);
    struct berth_bytes value = berth_record_value(take_record);
    size_t headers_count;
    const struct berth_header *headers = berth_record_headers(take_record, &headers_count);
    struct berth_decoded decoded;
    berth_codec_decode_command(worker->codec, value, headers, headers_count, &decoded);
    struct berth_event event = {
        .kind = BERTH_EVENT_RECORD,
        .record = {.partition = partition,
                   .offset = berth_record_offset(take_record),
                   .key = key.data,
                   .key_len = key.len,
                   .timestamp_ms = berth_record_time_ms(take_record),
                   .checksum = berth_log_checksum(key.data, key.len, value.data, value.len),
                   .command = &decoded.command,
                   .reason = decoded.is_command ? NULL : decoded.reason,
                   .text = decoded.text},
    };
    worker->taking = take_record;
    worker_step(worker, &event);
    /* What was settled before isn't taken in. */
    worker->taking = berth_record_free(worker->taking);
    berth_decoded_deinit(&decoded);
}
