/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the world, the queue of what happens, the trace, and how a run ends. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

#define LINE_BYTES 240
#define LINES      160
#define STEPS_MAX  2000000

static struct sim *running; /* For the abort of an assertion. */

/* ---- Chance ---- */

int64_t sim_below(struct sim *sim, int64_t bound) {
    return berth_random_below(&sim->random, bound);
}

bool sim_chance(struct sim *sim, int percent) {
    return sim_below(sim, 100) < percent;
}

/* ---- The trace ---- */

void sim_trace(struct sim *sim, const char *format, ...) {
    char *line = sim->lines + (sim->lines_next % LINES) * LINE_BYTES;
    int len = snprintf(line, LINE_BYTES, "%8.3f ", (double)sim->now_ms / 1000.0);
    va_list arguments;
    va_start(arguments, format);
    len += vsnprintf(line + len, LINE_BYTES - (size_t)len, format, arguments);
    va_end(arguments);
    len = len < LINE_BYTES ? len : LINE_BYTES - 1;
    for (int i = 0; i < len; i++) {
        sim->hash = (sim->hash ^ (uint8_t)line[i]) * UINT64_C(1099511628211);
    }
    sim->lines_next++;
    if (sim->printing) {
        puts(line);
    }
}

void sim_print_last(void) {
    struct sim *sim = running;
    if (sim == NULL) {
        return;
    }
    running = NULL;
    size_t first = sim->lines_next > LINES ? sim->lines_next - LINES : 0;
    fprintf(stderr, "---- the last lines of seed %llu\n", (unsigned long long)sim->seed);
    for (size_t i = first; i < sim->lines_next && !sim->printing; i++) {
        fprintf(stderr, "%s\n", sim->lines + (i % LINES) * LINE_BYTES);
    }
    fprintf(stderr, "---- repeat it: ./dev sim --seed %llu --trace\n",
            (unsigned long long)sim->seed);
}

_Noreturn void sim_fail(struct sim *sim, const char *sentence, const char *file, int line) {
    const char *name = strrchr(file, '/');
    fflush(stdout);
    sim_print_last();
    fprintf(stderr, "seed %llu failed at %.3f s: %s (%s:%d)\n", (unsigned long long)sim->seed,
            (double)sim->now_ms / 1000.0, sentence, name != NULL ? name + 1 : file, line);
    fflush(stderr);
    _Exit(1);
}

/* ---- The queue ---- */

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void sift_up(struct sim *sim, size_t at) {
    struct sim_event **queue = sim->queue;
    while (at > 0 && before(queue[at], queue[(at - 1) / 2])) {
        struct sim_event *event = queue[at];
        queue[at] = queue[(at - 1) / 2];
        queue[(at - 1) / 2] = event;
        at = (at - 1) / 2;
    }
}

static struct sim_event *pop(struct sim *sim) {
    struct sim_event **queue = sim->queue;
    struct sim_event *first = queue[0];
    queue[0] = queue[--sim->queue_count];
    size_t at = 0;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < sim->queue_count && before(queue[child], queue[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        struct sim_event *event = queue[at];
        queue[at] = queue[least];
        queue[least] = event;
        at = least;
    }
}

static void push(struct sim *sim, struct sim_event *event) {
    if (sim->queue_count == sim->queue_capacity) {
        sim->queue_capacity = sim->queue_capacity * 2 + 256;
        sim->queue = realloc((void *)sim->queue, sim->queue_capacity * sizeof(struct sim_event *));
        BERTH_ASSERT(sim->queue != NULL);
    }
    sim->queue[sim->queue_count] = event;
    sift_up(sim, sim->queue_count++);
}

struct sim_event *sim_event(struct sim *sim, enum sim_event_kind kind, int worker) {
    struct sim_event *event =
        sim->spare_count > 0 ? sim->spare[--sim->spare_count] : malloc(sizeof(*event));
    BERTH_ASSERT(event != NULL);
    memset(event, 0, offsetof(struct sim_event, call));
    event->kind = kind;
    event->worker = worker;
    event->fault = SIM_NO_FAULT;
    event->robots = NULL;
    if (worker >= 0) {
        event->life = sim->workers[worker].life;
    }
    return event;
}

void sim_post(struct sim *sim, struct sim_event *event, int64_t delay_ms) {
    event->at_ms = sim->now_ms + (delay_ms > 0 ? delay_ms : 0);
    event->order = ++sim->next_order;
    push(sim, event);
}

static void free_event(struct sim *sim, struct sim_event *event) {
    if (event->request != NULL) {
        sim_link_drop(sim, event->request);
    }
    if (event->transaction != NULL) {
        sim_transaction_unref(event->transaction);
    }
    free(event->robots);
    if (sim->spare_count < sizeof(sim->spare) / sizeof(sim->spare[0])) {
        sim->spare[sim->spare_count++] = event;
    } else {
        free(event);
    }
}

/* ---- What happens ---- */

/* What its worker must be alive and awake for; the rest happens elsewhere. */
static bool is_workers(const struct sim_event *event) {
    switch (event->kind) {
    case SIM_EVENT_REDIS_ANSWERS:
    case SIM_EVENT_LEDGER_REFUSES:
    case SIM_EVENT_HARBOR_HANDED:
    case SIM_EVENT_HARBOR_ANSWERS:
    case SIM_EVENT_TRANSACTION_ANSWERS:
    case SIM_EVENT_TELLS:
    case SIM_EVENT_FETCHES_OFFSET:
    case SIM_EVENT_JOINS:
    case SIM_EVENT_LINK_UP:
    case SIM_EVENT_LINK_DOWN:
    case SIM_EVENT_LINK_TICKS:
    case SIM_EVENT_TRANSACTION_OPENS: /* Its thread is frozen with it, ... */
    case SIM_EVENT_TRANSACTION_ENDS:
        return true;
    case SIM_EVENT_REDIS_RUNS: /* ... but what has left it goes on. */
    case SIM_EVENT_HARBOR_RUNS:
    case SIM_EVENT_TRANSACTION_EXPIRES:
    case SIM_EVENT_SESSION:
    case SIM_EVENT_SENDS:
    case SIM_EVENT_STARTS:
    case SIM_EVENT_FAULT:
    case SIM_EVENT_HUMAN:
    case SIM_EVENT_COPIES:
    case SIM_EVENT_TOPIC:
        return false;
    }
    BERTH_UNREACHABLE("every kind of event is somebody's");
}

static void happen(struct sim *sim, struct sim_event *event) {
    switch (event->kind) {
    case SIM_EVENT_REDIS_RUNS:
    case SIM_EVENT_REDIS_ANSWERS:
    case SIM_EVENT_LEDGER_REFUSES:
    case SIM_EVENT_LINK_UP:
    case SIM_EVENT_LINK_DOWN:
    case SIM_EVENT_LINK_TICKS:
    case SIM_EVENT_COPIES:
        sim_link_event(sim, event);
        break;
    case SIM_EVENT_HARBOR_HANDED:
        sim_harbor_handed(sim, event);
        break;
    case SIM_EVENT_HARBOR_RUNS:
        sim_harbor_arrives(sim, event);
        break;
    case SIM_EVENT_HARBOR_ANSWERS:
        sim_harbor_answers(sim, event);
        break;
    case SIM_EVENT_TRANSACTION_OPENS:
        sim_transaction_opens(sim, event);
        break;
    case SIM_EVENT_TRANSACTION_ENDS:
        sim_transaction_ends(sim, event);
        break;
    case SIM_EVENT_TRANSACTION_ANSWERS:
        sim_transaction_answers(sim, event);
        break;
    case SIM_EVENT_TRANSACTION_EXPIRES:
        sim_transaction_expires(sim, event);
        break;
    case SIM_EVENT_TELLS:
        sim_worker_told(sim, event);
        break;
    case SIM_EVENT_FETCHES_OFFSET:
        sim_group_fetches(sim, event);
        break;
    case SIM_EVENT_JOINS:
        sim_group_joins(sim, event);
        break;
    case SIM_EVENT_SESSION:
        sim_group_session(sim, event);
        break;
    case SIM_EVENT_SENDS:
        sim_producers_send(sim, event);
        break;
    case SIM_EVENT_STARTS:
        sim_worker_start(sim, &sim->workers[event->worker]);
        break;
    case SIM_EVENT_FAULT:
        sim_faults_timed(sim, event);
        break;
    case SIM_EVENT_HUMAN:
        sim_human_changes(sim, event->number);
        break;
    case SIM_EVENT_TOPIC:
        sim_topic_event(sim, event);
        break;
    }
}

static void deliver(struct sim *sim, struct sim_event *event) {
    if (is_workers(event)) {
        struct sim_worker *worker = &sim->workers[event->worker];
        if (worker->engine == NULL || worker->life != event->life) {
            free_event(sim, event);
            return;
        }
        if (sim_worker_frozen(sim, worker)) {
            event->at_ms = worker->frozen_until_ms;
            push(sim, event);
            return;
        }
    }
    happen(sim, event);
    free_event(sim, event);
    sim_link_bury(sim);
}

/* The worker that wants to be woken first, and when. */
static struct sim_worker *next_wake(struct sim *sim, int64_t *ret_at_ms) {
    struct sim_worker *first = NULL;
    *ret_at_ms = INT64_MAX;
    for (int i = 0; i < sim->workers_count; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (worker->engine == NULL) {
            continue;
        }
        int64_t at_ms = berth_engine_wake_at_ms(worker->engine);
        at_ms = at_ms == INT64_MAX ? at_ms : at_ms - worker->boot_ms;
        if (at_ms != INT64_MAX && at_ms < worker->frozen_until_ms) {
            at_ms = worker->frozen_until_ms;
        }
        if (at_ms < *ret_at_ms) {
            *ret_at_ms = at_ms;
            first = worker;
        }
    }
    return first;
}

static bool quiet(const struct sim *sim) {
    if (sim->unanswered > 0 || sim->now_ms < sim->faults_end_ms) {
        return false;
    }
    for (int i = 0; i < sim->workers_count; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        struct berth_engine_figures figures;
        if (worker->engine == NULL || sim_worker_frozen(sim, worker)) {
            return false;
        }
        berth_engine_figures(worker->engine, &figures);
        if (figures.taken_in > 0 || figures.publishing) {
            return false;
        }
    }
    return true;
}

/* Who still waits for what. */
static void tell_who_waits(struct sim *sim) {
    for (int i = 0; i < sim->workers_count; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        struct berth_engine_figures figures = {0};
        if (worker->engine != NULL) {
            berth_engine_figures(worker->engine, &figures);
        }
        sim_trace(sim, "w%d %s%s%s: taken in %u, worked on %u, ready %u, publishing %d", i,
                  worker->engine != NULL ? "runs" : "is dead", worker->draining ? ", drains" : "",
                  worker->member ? "" : ", is no member", figures.taken_in, figures.worked_on,
                  figures.ready, figures.publishing);
    }
    for (int i = 0; i < sim->partitions_count; i++) {
        const struct sim_partition *partition = &sim->partitions[i];
        sim_trace(sim, "p%d: owner %d, target %d, committed %lld of %lld, pending %d", i,
                  partition->owner, partition->target, (long long)partition->committed,
                  (long long)partition->end, partition->pending);
    }
}

static void run(struct sim *sim) {
    int64_t quiet_from_ms = -1;
    for (uint64_t steps = 0;; steps++) {
        SIM_CHECK(sim, steps < STEPS_MAX, "the world doesn't come to rest: too many steps");
        int64_t wake_ms;
        struct sim_worker *wakes = next_wake(sim, &wake_ms);
        int64_t event_ms = sim->queue_count > 0 ? sim->queue[0]->at_ms : INT64_MAX;
        int64_t at_ms = event_ms < wake_ms ? event_ms : wake_ms;
        SIM_CHECK(sim, at_ms != INT64_MAX, "nothing happens any more, and not everything is done");
        /* What is on its way when everything was answered has a while to arrive. */
        quiet_from_ms = !quiet(sim) ? -1 : quiet_from_ms < 0 ? sim->now_ms : quiet_from_ms;
        if (quiet_from_ms >= 0 && at_ms > quiet_from_ms + SIM_TRANSACTION_MS) {
            return;
        }
        bool in_time = at_ms < sim->calm_from_ms + SIM_CALM_BOUND_MS;
        if (!in_time) {
            tell_who_waits(sim);
        }
        SIM_CHECK(sim, in_time,
                  "after the faults stopped not everything was settled within the bound");
        sim->now_ms = at_ms > sim->now_ms ? at_ms : sim->now_ms;
        if (wake_ms < event_ms) {
            struct berth_event time = {.kind = BERTH_EVENT_TIME};
            sim_worker_step(sim, wakes, &time);
        } else {
            deliver(sim, pop(sim));
        }
    }
}

/* ---- Life ---- */

static struct sim *sim_new(const struct sim_options *options) {
    struct sim *sim = calloc(1, sizeof(*sim));
    BERTH_ASSERT(sim != NULL);
    sim->seed = options->seed;
    sim->printing = options->trace;
    sim->meetings = options->meetings;
    sim->crash = options->crash;
    sim->hash = UINT64_C(14695981039346656037);
    sim->now_ms = 1000;
    sim->redis_lost_ms = -1;
    berth_random_init(&sim->random, options->seed);
    sim->lines = malloc((size_t)LINES * LINE_BYTES);
    sim->records = calloc(SIM_RECORDS_MAX, sizeof(*sim->records));
    sim->commands = calloc(SIM_RECORDS_MAX + 1, sizeof(*sim->commands));
    BERTH_ASSERT(sim->lines != NULL && sim->records != NULL && sim->commands != NULL);
    running = sim;
    for (int i = 0; i < SIM_WORKERS_MAX; i++) {
        sim->workers[i].number = i;
        sim->workers[i].sim = sim;
        sim->workers[i].boot_ms = INT64_C(100000) * (i + 1);
        (void)snprintf(sim->workers[i].instance, sizeof(sim->workers[i].instance), "instance-%d",
                       i);
    }
    sim_configure(sim);
    for (int i = 0; i < sim->partitions_count; i++) {
        sim->partitions[i].registry = i / sim->partitions_each;
        sim->partitions[i].number = i % sim->partitions_each;
        sim->partitions[i].committed = -1;
        sim->partitions[i].owner = -1;
        sim->partitions[i].target = -1;
    }
    sim->redis = sim_redis_new();
    sim_harbor_init(sim);
    sim_producers_init(sim);
    sim_faults_init(sim);
    sim_topics_init(sim);
    for (int i = 0; i < sim->workers_count; i++) {
        sim_post(sim, sim_event(sim, SIM_EVENT_STARTS, i), sim_below(sim, 3000));
    }
    sim_post(sim, sim_event(sim, SIM_EVENT_COPIES, -1), 5000);
    return sim;
}

static void sim_free(struct sim *sim) {
    for (int i = 0; i < sim->workers_count; i++) {
        sim_worker_kill(sim, &sim->workers[i], -1);
    }
    sim_link_bury(sim);
    while (sim->queue_count > 0) {
        free_event(sim, pop(sim));
    }
    sim_link_bury(sim);
    free((void *)sim->dropped);
    while (sim->open_count > 0) {
        sim_transaction_unref(sim->open[--sim->open_count]);
    }
    while (sim->spare_count > 0) {
        free(sim->spare[--sim->spare_count]);
    }
    (void)sim_redis_copy_free(sim->redis_copy);
    (void)sim_redis_free(sim->redis);
    sim_harbor_deinit(sim);
    free((void *)sim->queue);
    free(sim->records);
    free(sim->commands);
    free(sim->lines);
    free(sim);
}

uint64_t sim_run(const struct sim_options *options) {
    struct sim *sim = sim_new(options);
    run(sim);
    sim_check_end(sim);
    uint64_t hash = sim->hash;
    struct sim_meetings *meetings = sim->meetings;
    __atomic_add_fetch(&meetings->commands, SIM_COMMANDS, __ATOMIC_RELAXED);
    __atomic_add_fetch(&meetings->virtual_ms, (uint64_t)sim->now_ms, __ATOMIC_RELAXED);
    running = NULL;
    sim_free(sim);
    return hash;
}
