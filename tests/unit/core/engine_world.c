/* SPDX-License-Identifier: Apache-2.0 */
/* Life of the world, time, workers, what is sent, and what the end of a run must look like. */
#include "engine_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/core/space.h"
#include "engine_world_parts.h"

#define POOL_BYTES  ((size_t)64 * 1024 * 1024)
#define TRACE_BYTES ((size_t)256 * 1024)
/* Longer than any back-off, lease or budget: whoever isn't done by then never will be. */
#define IDLE_BOUND_MS ((int64_t)24 * 60 * 60 * 1000)
#define TOPIC         "berth.commands.main"

static void deliver(struct world *world, struct world_event *event);
static void free_event(struct world *world, struct world_event *event);
static bool turn(struct world *world, int64_t until_ms);
static void check_end(struct world *world);

/* ---- Life ---- */

static void configure(struct world *world) {
    for (size_t i = 0; i < 2; i++) {
        world->registries[i] = (struct berth_engine_registry){.name = i == 0 ? "main" : "other",
                                                              .command_topic = TOPIC,
                                                              .dedicated = true,
                                                              .lanes_max = 8,
                                                              .calls_max = 16};
    }
    world->config = (struct berth_engine_config){
        .key_id = "cafe0123",
        .registries = world->registries,
        .registries_count = 2,
        .commands_max = 32,
        .window_max = 16,
        .batch_max = 16,
        .lease_ms = 15000,
        .renew_ms = 5000,
        .restart_grace_ms = 2000,
        .request_timeout_ms = 5000,
        .cold_after_ms = 3600000,
        .ledger_memory_ms = INT64_C(7) * 24 * 3600 * 1000,
        .future_max_ms = 3600000,
        .retry_attempts = 5,
        .retry_age_ms = 600000,
        .backoff_ms = 200,
        .backoff_max_ms = 10000,
        .revoke_bound_ms = 290000,
        .seed = world->seed,
    };
    world->pool_bytes =
        berth_engine_pool_bytes_min(&world->config) + 32 * (size_t)BERTH_ENGINE_WORK_BYTES;
}

struct world *world_new(uint64_t seed) {
    struct world *world = calloc(1, sizeof(*world));
    world->seed = seed;
    world->now_ms = 1000000;
    world->tracing = true;
    berth_random_init(&world->random, seed);
    berth_pool_init(&world->pool, POOL_BYTES);
    berth_buffer_init(&world->trace, TRACE_BYTES);
    TAILQ_INIT(&world->events);
    configure(world);
    world->ledger_commands = calloc(WORLD_COMMANDS_MAX, sizeof(*world->ledger_commands));
    for (int i = 0; i < WORLD_PARTITIONS; i++) {
        world->partitions[i] = (struct world_partition){
            .committed = -1,
            .base = -1,
            .owner = -1,
            .next_owner = -1,
        };
    }
    for (int i = 0; i < WORLD_WORKERS; i++) {
        world->workers[i].number = i;
        (void)snprintf(world->workers[i].instance, sizeof(world->workers[i].instance),
                       "instance-%d", i);
    }
    return world;
}

static void stop_engine(struct world_worker *worker) {
    if (worker->engine != NULL) {
        worker->engine = berth_engine_free(worker->engine);
        berth_pool_deinit(&worker->pool);
    }
}

void world_free(struct world *world) {
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        stop_engine(&world->workers[i]);
    }
    struct world_event *event;
    while ((event = TAILQ_FIRST(&world->events)) != NULL) {
        TAILQ_REMOVE(&world->events, event, link);
        free_event(world, event);
    }
    for (size_t i = 0; i < WORLD_SPACES_MAX; i++) {
        berth_space_state_deinit(&world->ledger_spaces[i].state, &world->pool);
        berth_space_state_deinit(&world->expected[i].state, &world->pool);
    }
    for (size_t i = 0; i < WORLD_COMMANDS_MAX; i++) {
        berth_space_state_deinit(&world->ledger_commands[i].before, &world->pool);
    }
    for (size_t i = 0; i < world->projects_count; i++) {
        free(world->projects[i].robots);
    }
    for (size_t i = 0; i < WORLD_PARTITIONS; i++) {
        free(world->partitions[i].records);
    }
    free(world->ledger_commands);
    berth_buffer_deinit(&world->trace);
    berth_pool_deinit(&world->pool);
    free(world);
}

void world_finish(struct world *world) {
    world_run_idle(world);
    check_end(world);
    world_free(world);
}

/* ---- Time ---- */

/* In order of time, then of posting. */
static void insert(struct world *world, struct world_event *event) {
    struct world_event *before = TAILQ_LAST(&world->events, world_events);
    while (before != NULL && (before->at_ms > event->at_ms ||
                              (before->at_ms == event->at_ms && before->order > event->order))) {
        before = TAILQ_PREV(before, world_events, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&world->events, event, link);
    } else {
        TAILQ_INSERT_AFTER(&world->events, before, event, link);
    }
}

void world_post(struct world *world, const struct world_event *draft, int64_t delay_ms) {
    struct world_event *event = malloc(sizeof(*event));
    *event = *draft;
    event->at_ms = world->now_ms + (delay_ms > 0 ? delay_ms : 0);
    event->order = ++world->next_order;
    insert(world, event);
}

static void free_event(struct world *world, struct world_event *event) {
    berth_space_state_deinit(&event->state, &world->pool);
    if (event->ledger_answer.kind == BERTH_LEDGER_CLAIM) {
        berth_space_state_deinit(&event->ledger_answer.claim.before, &world->pool);
        berth_space_state_deinit(&event->ledger_answer.claim.state, &world->pool);
    }
    free(event->robots);
    free(event->items);
    free(event);
}

static bool frozen(const struct world *world, const struct world_worker *worker) {
    return world->now_ms < worker->frozen_until_ms;
}

/* The worker that must be awake for this event, or NULL. */
static struct world_worker *awaited_worker(struct world *world, const struct world_event *event) {
    switch (event->kind) {
    case WORLD_LEDGER_RUNS:
    case WORLD_HARBOR_RUNS:
    case WORLD_KAFKA_DECIDES:
        return NULL;
    case WORLD_LEDGER_ANSWERS:
    case WORLD_HARBOR_HANDED:
    case WORLD_HARBOR_ANSWERS:
    case WORLD_KAFKA_ANSWERS:
    case WORLD_TELLS:
        return &world->workers[event->worker];
    }
    return NULL;
}

/* The next thing that happens, not after until_ms. False: there is none. */
static bool turn(struct world *world, int64_t until_ms) {
    struct world_event *event = TAILQ_FIRST(&world->events);
    int64_t at_ms = event != NULL ? event->at_ms : INT64_MAX;
    struct world_worker *wakes = NULL;
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        struct world_worker *worker = &world->workers[i];
        int64_t wake_ms =
            worker->engine != NULL ? berth_engine_wake_at_ms(worker->engine) : INT64_MAX;
        if (wake_ms < worker->frozen_until_ms) {
            wake_ms = worker->frozen_until_ms;
        }
        if (wake_ms < at_ms) {
            at_ms = wake_ms;
            wakes = worker;
        }
    }
    if (world->stopping != NULL && world->stop_at_ms <= at_ms && world->stop_at_ms <= until_ms) {
        world->now_ms = world->stop_at_ms;
        worker_stop(world);
        return true;
    }
    if (at_ms == INT64_MAX || at_ms > until_ms) {
        return false;
    }
    world->now_ms = at_ms > world->now_ms ? at_ms : world->now_ms;
    if (wakes != NULL) {
        struct berth_event time = {.kind = BERTH_EVENT_TIME};
        worker_step(world, wakes, &time);
        return true;
    }
    TAILQ_REMOVE(&world->events, event, link);
    deliver(world, event);
    return true;
}

void world_run(struct world *world, int64_t for_ms) {
    int64_t until_ms = world->now_ms + for_ms;
    while (turn(world, until_ms)) {
    }
    world->now_ms = until_ms > world->now_ms ? until_ms : world->now_ms;
}

void world_run_idle(struct world *world) {
    int64_t until_ms = world->now_ms + IDLE_BOUND_MS;
    while (turn(world, until_ms)) {
    }
}

static void tell(struct world *world, struct world_worker *worker, struct world_event *event) {
    struct world_assignment *assignment = &worker->assignments[0];
    bool partition = event->tells.kind != BERTH_EVENT_DRAIN &&
                     event->tells.kind != BERTH_EVENT_TIME &&
                     event->tells.kind != BERTH_EVENT_OUTPUTS_OPEN;
    if (partition) {
        assignment = &worker->assignments[event->tells.partition.partition];
    }
    if (partition && (!assignment->in_use || assignment->epoch != event->epochs[0])) {
        return; /* It was given up before its owner heard of this. */
    }
    static const char *const names[] = {"time",   "gained", "revoked",     "lost", "record",
                                        "ledger", "harbor", "transaction", "open", "drain"};
    if (event->tells.kind != BERTH_EVENT_TIME) {
        trace(world, "tell w%d %s p%d", worker->number, names[event->tells.kind],
              partition ? assignment->partition : -1);
    }
    if (event->tells.kind == BERTH_EVENT_PARTITION_GAINED) {
        assignment->told = true;
    }
    if (event->tells.kind == BERTH_EVENT_PARTITION_LOST) {
        assignment->in_use = false;
    }
    worker_step(world, worker, &event->tells);
}

static void deliver(struct world *world, struct world_event *event) {
    struct world_worker *worker = awaited_worker(world, event);
    if (worker != NULL && worker->life != event->life) {
        free_event(world, event);
        return;
    }
    if (worker != NULL && frozen(world, worker)) {
        event->at_ms = worker->frozen_until_ms;
        insert(world, event);
        return;
    }
    switch (event->kind) {
    case WORLD_LEDGER_RUNS:
        ledger_runs(world, event);
        break;
    case WORLD_LEDGER_ANSWERS:
        worker_ledger_answers(world, event);
        break;
    case WORLD_HARBOR_HANDED:
        worker_harbor_handed(world, event);
        break;
    case WORLD_HARBOR_RUNS:
        harbor_runs(world, event);
        break;
    case WORLD_HARBOR_ANSWERS:
        worker_harbor_answers(world, event);
        break;
    case WORLD_KAFKA_DECIDES:
        kafka_decides(world, event);
        break;
    case WORLD_KAFKA_ANSWERS: {
        struct berth_event told = {
            .kind = BERTH_EVENT_TRANSACTION,
            .transaction = {.committed = event->committed, .refused_by = event->refused_by}};
        if (event->refused != 0) {
            struct world_event look = {
                .kind = WORLD_TELLS,
                .worker = event->worker,
                .life = event->life,
                .tells = {.kind = BERTH_EVENT_OUTPUTS_OPEN, .outputs_open = event->refused}};
            world_post(world, &look, WORLD_LOOK_MS);
        }
        trace(world, event->committed ? "committed" : "aborted");
        for (size_t slot = 0; slot < WORLD_SLOTS_MAX; slot++) {
            worker->slots[slot].publishing = false;
        }
        worker_step(world, worker, &told);
        break;
    }
    case WORLD_TELLS:
        tell(world, worker, event);
        break;
    }
    free_event(world, event);
}

/* ---- Faults ---- */

static bool faults_of(enum world_channel channel, enum world_fault fault) {
    switch (fault) {
    case WORLD_FINE:
        return false;
    case WORLD_SLOW:
        return true;
    case WORLD_LOSE_CALL:
    case WORLD_LOSE_REPLY:
    case WORLD_LATE_CALL:
    case WORLD_BAD_KEY:
        return channel == WORLD_LEDGER;
    case WORLD_NOT_SENT:
    case WORLD_UNKNOWN_APPLIED:
    case WORLD_UNKNOWN_LOST:
    case WORLD_UNKNOWN_LATE:
    case WORLD_BUSY:
    case WORLD_READ_ONLY:
    case WORLD_SERVER_ERROR:
    case WORLD_UNAUTHORIZED:
        return channel == WORLD_HARBOR;
    case WORLD_ABORT:
        return channel == WORLD_KAFKA;
    }
    return false;
}

/* A slow answer still comes before its sender would give up; and what is carried out after its
 * sender was told that nobody knows is carried out before he looks (design 4.4). */
static int64_t some_delay_ms(struct world *world, enum world_channel channel,
                             enum world_fault fault) {
    bool soon = channel == WORLD_LEDGER || fault == WORLD_UNKNOWN_LATE;
    int64_t patience_ms = fault == WORLD_SLOW && channel == WORLD_HARBOR
                              ? world->config.request_timeout_ms - 20
                              : 4000;
    return berth_random_below(&world->random, soon ? 1900 : patience_ms);
}

enum world_fault world_pick_fault(struct world *world, enum world_channel channel, int kind,
                                  int64_t *ret_delay_ms) {
    for (size_t i = 0; i < world->rules_count; i++) {
        struct world_rule *rule = &world->rules[i];
        bool any =
            rule->kind == WORLD_ANY && !(channel == WORLD_HARBOR && kind == BERTH_HARBOR_PROBE);
        bool fits = rule->channel == channel && (any || rule->kind == kind);
        if (!fits || rule->count == 0) {
            continue;
        }
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        rule->count--;
        *ret_delay_ms = rule->delay_ms;
        return rule->fault;
    }
    for (int fault = WORLD_SLOW; fault <= WORLD_BAD_KEY; fault++) {
        if (world->now_ms < world->chances_until_ms &&
            faults_of(channel, (enum world_fault)fault) &&
            berth_random_below(&world->random, 1000) < world->chance_permille[fault]) {
            *ret_delay_ms = some_delay_ms(world, channel, (enum world_fault)fault);
            return (enum world_fault)fault;
        }
    }
    *ret_delay_ms = 0;
    return WORLD_FINE;
}

void world_rule(struct world *world, struct world_rule rule) {
    WORLD_CHECK(world, world->rules_count < WORLD_RULES_MAX);
    world->rules[world->rules_count++] = rule;
}

/* ---- The end ---- */

static void check_space(struct world *world, const struct world_expected *expected) {
    char wanted[WORLD_STATE_BYTES];
    char there[WORLD_STATE_BYTES];
    text_of_state(&expected->state, wanted);
    struct berth_space_state state = {.knowledge = BERTH_SPACE_UNKNOWN};
    harbor_state(world, expected->registry, expected->name, &state);
    text_of_state(&state, there);
    bool quota_right =
        state.knowledge != BERTH_SPACE_PRESENT || state.quota_bytes == expected->state.quota_bytes;
    int64_t project_id = state.project_id;
    berth_space_state_deinit(&state, &world->pool);
    trace(world, "%s: expected \"%s\", Harbor \"%s\"", expected->name, wanted, there);
    WORLD_CHECK(world, strcmp(wanted, there) == 0);
    WORLD_CHECK(world, quota_right);

    const struct world_ledger_space *known =
        ledger_space(world, expected->registry, expected->name);
    if (expected->ledger_may_differ || known->state.knowledge == BERTH_SPACE_UNKNOWN) {
        return;
    }
    text_of_state(&known->state, there);
    trace(world, "ledger \"%s\"", there);
    WORLD_CHECK(world, strcmp(wanted, there) == 0);
    WORLD_CHECK(world, known->state.project_id == project_id);
    trace(world, "published \"%s\"", expected->published_state);
    WORLD_CHECK(world, !expected->published || strcmp(expected->published_state, wanted) == 0);
    for (size_t i = 0; i < known->state.bindings_count; i++) {
        const struct berth_binding *binding = &known->state.bindings[i];
        WORLD_CHECK(world, binding->key_id[0] == '\0' ||
                               harbor_secret_set(world, expected->registry, expected->name,
                                                 binding->workspace));
    }
}

static void check_worker(struct world *world, struct world_worker *worker) {
    if (worker->engine == NULL) {
        return;
    }
    struct berth_engine_figures figures;
    berth_engine_figures(worker->engine, &figures);
    WORLD_CHECK(world, figures.taken_in == 0);
    WORLD_CHECK(world, figures.worked_on == 0);
    WORLD_CHECK(world, figures.ready == 0);
    WORLD_CHECK(world, !figures.publishing);
    WORLD_CHECK(world, berth_engine_wake_at_ms(worker->engine) == INT64_MAX);
    WORLD_CHECK(world, worker->pool.reserved_bytes == 0);
    for (size_t i = 0; i < WORLD_SLOTS_MAX; i++) {
        WORLD_CHECK(world, !worker->slots[i].taken);
    }
}

/* Every promise that only the end can show. */
static void check_end(struct world *world) {
    WORLD_CHECK(world, TAILQ_EMPTY(&world->events));
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        check_worker(world, &world->workers[i]);
    }
    kafka_check(world);
    for (size_t i = 0; i < WORLD_PARTITIONS; i++) {
        const struct world_partition *partition = &world->partitions[i];
        bool served = partition->owner >= 0 && !world->workers[partition->owner].drained &&
                      !world->workers[partition->owner].reads_nothing;
        for (int64_t at = partition->committed; served && at < partition->end; at++) {
            WORLD_CHECK(world, partition->records[at].marker);
        }
        WORLD_CHECK(world, !served || partition->metadata[0] == '\0');
        /* Who died right after a commit leaves it to the next owner to tell the base. */
        bool alive = served && world->workers[partition->owner].engine != NULL;
        bool told = partition->base == partition->committed;
        WORLD_CHECK(world, !alive || told || world->ledger_was_lost);
    }
    for (size_t i = 0; i < WORLD_SPACES_MAX; i++) {
        if (world->expected[i].name[0] != '\0') {
            check_space(world, &world->expected[i]);
        }
    }
}

struct berth_engine_figures world_figures(const struct world *world, int worker) {
    struct berth_engine_figures figures;
    berth_engine_figures(world->workers[worker].engine, &figures);
    return figures;
}
