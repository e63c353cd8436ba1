/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's connection to Redis, and what happens to Redis.
 *
 * One connection works off its requests in their order. So a lost reply means a dead connection:
 * whatever is asked after it isn't answered either, until the client's time-out ends it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

#define MEMORY_MS    (INT64_C(7) * 24 * 3600 * 1000)
#define LATE_MAX_MS  9000
#define COPY_EACH_MS 7000

/* One life's line. */
struct sim_line {
    struct sim *sim;
    struct sim_worker *worker;
    struct sim_link *link;
    bool dead;
    struct sim_line *next;
    /* What a rebuild is shown. */
    struct berth_source ends[SIM_PARTITIONS_MAX];
    struct berth_space_state state;
    struct berth_binding bindings[SIM_WORKSPACES];
};

static void arrange_tick(void *ctx);

static void set_time(struct sim_line *line) {
    const struct sim_worker *worker = line->worker;
    sim_link_set_time(line->link, line->sim->now_ms + worker->boot_ms,
                      SIM_WALL_MS + line->sim->now_ms + worker->wall_ms);
}

/* ---- What the ledger says ---- */

static void down_soon(struct sim *sim, struct sim_worker *worker, int64_t delay_ms) {
    struct sim_event *down = sim_event(sim, SIM_EVENT_LINK_DOWN, worker->number);
    down->epoch = worker->connection;
    sim_post(sim, down, delay_ms);
}

/* From now on nothing comes back on this connection. */
static void let_die(struct sim *sim, struct sim_worker *worker, bool late) {
    if (worker->link_dead) {
        return;
    }
    worker->link_dead = true;
    worker->link_late = late;
    worker->link_late_ms = sim->now_ms + SIM_LEDGER_TIMEOUT_MS + sim_below(sim, LATE_MAX_MS);
    bool reset = !late && sim_chance(sim, 30);
    down_soon(sim, worker, reset ? sim_below(sim, 100) : SIM_LEDGER_TIMEOUT_MS);
}

static void on_request(void *ctx, struct sim_request *take_request) {
    struct sim_line *line = ctx;
    struct sim *sim = line->sim;
    struct sim_worker *worker = line->worker;
    if (line->dead) {
        sim_link_drop(sim, take_request);
        return;
    }
    enum sim_fault fault = worker->asking;
    worker->asking = SIM_NO_FAULT;
    bool was_dead = worker->link_dead;
    if (fault == SIM_LEDGER_LOST || fault == SIM_LEDGER_LATE) {
        let_die(sim, worker, fault == SIM_LEDGER_LATE);
    }
    if (worker->link_dead && !worker->link_late) {
        sim_link_drop(sim, take_request);
        return;
    }
    struct sim_event *runs = sim_event(sim, SIM_EVENT_REDIS_RUNS, worker->number);
    runs->request = take_request;
    runs->epoch = worker->connection;
    runs->told = worker->link_dead;
    if (worker->asking_slot != NULL) {
        runs->record = worker->asking_slot->record;
        runs->publication = worker->asking_slot->publication;
    } else {
        runs->publication.made = false;
    }
    int64_t at_ms = sim->now_ms + sim_below(sim, 3);
    if (worker->link_dead && at_ms < worker->link_late_ms) {
        at_ms = worker->link_late_ms;
    }
    if (at_ms < worker->link_runs_ms) {
        at_ms = worker->link_runs_ms;
    }
    worker->link_runs_ms = at_ms;
    sim_post(sim, runs, at_ms - sim->now_ms);
    if (fault == SIM_LEDGER_APPLIED && !was_dead) {
        let_die(sim, worker, false);
        runs->told = true;
    }
}

static void note_renewed(struct sim_worker *worker, const struct berth_ledger_answer *answer) {
    for (size_t i = 0; i < worker->renew_count && !answer->unavailable; i++) {
        struct sim_slot *slot = &worker->slots[worker->renew_slots[i]];
        if (slot->taken && slot->token == worker->renew_tokens[i] && answer->renew.held[i]) {
            slot->lease_end_ms = worker->renew_asked_ms + worker->config.lease_ms;
            slot->lease_asked_ms = worker->renew_asked_ms;
        }
    }
}

static void note_answer(struct sim *sim, struct sim_slot *slot,
                        const struct berth_ledger_answer *answer, struct berth_bytes stored) {
    SIM_CHECK(sim, slot->taken, "a call is answered to an item that is there");
    if (answer->unavailable) {
        return;
    }
    if (answer->kind == BERTH_LEDGER_CLAIM && answer->claim.verdict == BERTH_CLAIM_TAKEN) {
        slot->token = answer->claim.token;
        (void)sim_redis_data_set(sim->redis, slot->data_set);
        slot->lease_end_ms = slot->asked_ms + sim->config.lease_ms;
        slot->lease_asked_ms = slot->asked_ms;
        if (slot->work_from_ms == 0 || !slot->publication.made) {
            slot->work_from_ms = slot->asked_ms;
        }
    }
    if (stored.len > 0) {
        SIM_CHECK(sim, sim_publication_read(stored, &slot->publication),
                  "the ledger gives back what it was given");
        SIM_CHECK(sim, slot->publication.result.command == slot->record->number,
                  "the ledger gives back the outcome of this very command");
    }
}

static void on_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored) {
    struct sim_line *line = ctx;
    struct sim *sim = line->sim;
    struct sim_worker *worker = line->worker;
    if (line->dead) {
        return;
    }
    if (answer->kind == BERTH_LEDGER_RENEW) {
        note_renewed(worker, answer);
    } else if (answer->kind != BERTH_LEDGER_SETTLED) {
        note_answer(sim, &worker->slots[call_id], answer, stored);
        sim_trace(sim, "w%d #%d ledger answers %d/%d", worker->number,
                  worker->slots[call_id].record->number,
                  answer->unavailable ? -1 : (int)answer->kind,
                  answer->kind == BERTH_LEDGER_CLAIM   ? (int)answer->claim.verdict
                  : answer->kind == BERTH_LEDGER_STORE ? (int)answer->store.verdict
                                                       : (int)answer->remember.lost);
    }
    struct berth_event told = {.kind = BERTH_EVENT_LEDGER,
                               .ledger = {.call_id = call_id, .answer = answer}};
    sim_worker_step(sim, worker, &told);
}

static void on_state(void *ctx, bool available, const char *why) {
    struct sim_line *line = ctx;
    if (!line->dead) {
        sim_trace(line->sim, "w%d redis %s %s", line->worker->number,
                  available ? "is there" : "is away:", why);
    }
}

static void arrange_tick(void *ctx) {
    struct sim_line *line = ctx;
    if (line->dead || line->link == NULL) {
        return;
    }
    struct sim_worker *worker = line->worker;
    int64_t due_ms = sim_link_due_ms(line->link);
    if (due_ms >= 0 && worker->link_ticks_ms != due_ms) {
        worker->link_ticks_ms = due_ms;
        sim_post(line->sim, sim_event(line->sim, SIM_EVENT_LINK_TICKS, worker->number),
                 due_ms - worker->boot_ms - line->sim->now_ms);
    }
}

/* ---- What a rebuild reads of Kafka ---- */

static bool show_ends(void *ctx, const struct berth_source **ret_ends, size_t *ret_count,
                      bool *ret_committed, bool *ret_written) {
    struct sim_line *line = ctx;
    struct sim *sim = line->sim;
    *ret_committed = false;
    for (int i = 0; i < sim->partitions_count; i++) {
        const struct sim_partition *partition = &sim->partitions[i];
        struct berth_source *end = &line->ends[i];
        (void)snprintf(end->topic, sizeof(end->topic), "%s",
                       sim->registries[partition->registry].command_topic);
        end->partition = partition->number;
        end->offset = partition->end;
        sim_log_id(partition, end->log_id);
        *ret_committed |= partition->committed >= 0;
    }
    *ret_ends = line->ends;
    *ret_count = (size_t)sim->partitions_count;
    *ret_written = sim->states_count > 0;
    return true;
}

static bool show_state(void *ctx, size_t index, const char **ret_registry, const char **ret_space,
                       const struct berth_space_state **ret_state) {
    struct sim_line *line = ctx;
    struct sim *sim = line->sim;
    if (index >= sim->states_count) {
        return false;
    }
    const struct sim_space *space = &sim->spaces[sim->states[index].space];
    *ret_registry = sim->registries[space->registry].name;
    *ret_space = space->name;
    berth_space_state_init(&line->state);
    if (!sim->states[index].tombstone) {
        sim_state_to(&sim->states[index].state, &line->state, line->bindings);
    }
    line->state.version = sim->states[index].version;
    *ret_state = &line->state;
    return true;
}

/* ---- Life ---- */

void sim_link_start(struct sim *sim, struct sim_worker *worker) {
    static const struct sim_rebuild_kafka kafka = {.ends = show_ends, .state = show_state};
    struct sim_line *line = calloc(1, sizeof(*line));
    BERTH_ASSERT(line != NULL);
    line->sim = sim;
    line->worker = worker;
    const struct sim_link_config config = {
        .instance = worker->instance,
        .incarnation = worker->incarnation,
        .memory_ms = MEMORY_MS,
        .tombstone_ms = MEMORY_MS,
        .lease_ms = sim->config.lease_ms,
        .pending_max = (size_t)4 * SIM_SLOTS,
        .seed = worker->config.seed,
        .on_request = on_request,
        .on_answer = on_answer,
        .on_state = on_state,
        .on_timer = arrange_tick,
        .kafka = &kafka,
        .ctx = line,
    };
    worker->line = line;
    worker->connection++;
    worker->link_dead = false;
    worker->link_runs_ms = 0;
    worker->link_answers_ms = 0;
    worker->link_ticks_ms = -1;
    worker->asking = SIM_NO_FAULT;
    worker->asking_slot = NULL;
    line->link = sim_link_new(&config);
    set_time(line);
    berth_ledger_allow_rebuild(sim_link_ledger(line->link));
    sim_post(sim, sim_event(sim, SIM_EVENT_LINK_UP, worker->number), sim_below(sim, 20));
}

/* It may be under way within one of its own callbacks, so it is freed after this turn. */
void sim_link_stop(struct sim *sim, struct sim_worker *worker) {
    struct sim_line *line = worker->line;
    line->dead = true;
    line->next = sim->buried;
    sim->buried = line;
    worker->line = NULL;
}

void sim_link_bury(struct sim *sim) {
    while (sim->buried != NULL) {
        struct sim_line *line = sim->buried;
        sim->buried = line->next;
        (void)sim_link_free(line->link);
        free(line);
    }
    size_t kept = 0;
    for (size_t i = 0; i < sim->dropped_count; i++) {
        if (sim_request_answered(sim->dropped[i])) {
            sim_request_free(sim->dropped[i]);
        } else {
            sim->dropped[kept++] = sim->dropped[i];
        }
    }
    sim->dropped_count = kept;
}

/* Its client still waits for it until the connection ends. */
void sim_link_drop(struct sim *sim, struct sim_request *take_request) {
    if (sim->dropped_count == sim->dropped_capacity) {
        sim->dropped_capacity = 2 * sim->dropped_capacity + 64;
        sim->dropped =
            realloc((void *)sim->dropped, sim->dropped_capacity * sizeof(struct sim_request *));
        BERTH_ASSERT(sim->dropped != NULL);
    }
    sim->dropped[sim->dropped_count++] = take_request;
}

/* ---- Asking ---- */

static enum sim_fault meet_renewal(struct sim *sim, struct sim_worker *worker,
                                   const struct berth_ledger_call *call) {
    enum sim_fault fault = SIM_NO_FAULT;
    worker->renew_count = call->renew.count;
    worker->renew_asked_ms = sim->now_ms;
    for (size_t i = 0; i < call->renew.count; i++) {
        const struct berth_renewal *lane = &call->renew.lanes[i];
        worker->renew_slots[i] = lane->slot;
        worker->renew_tokens[i] = lane->token;
        struct sim_slot *slot = &worker->slots[lane->slot];
        SIM_CHECK(sim, slot->taken && slot->token == lane->token,
                  "a lane is renewed under its own token");
        enum sim_fault met = sim_faults_meet(sim, worker, slot, SIM_STEP_RENEW);
        fault = met != SIM_NO_FAULT ? met : fault;
    }
    sim_trace(sim, "w%d renews %zu", worker->number, call->renew.count);
    return fault;
}

void sim_ask_ledger(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect) {
    const struct berth_ledger_call *call = &effect->ledger.call;
    struct sim_line *line = worker->line;
    struct sim_slot *slot = NULL;
    uint8_t bytes[sizeof(struct sim_result) + sizeof(struct sim_rest)];
    struct berth_publication publication = {
        .data = bytes, .len = sizeof(bytes), .result_len = sizeof(struct sim_result)};
    enum sim_fault fault = SIM_NO_FAULT;
    if (call->kind == BERTH_LEDGER_RENEW) {
        fault = meet_renewal(sim, worker, call);
    } else if (call->kind != BERTH_LEDGER_SETTLED) {
        slot = &worker->slots[effect->slot];
        SIM_CHECK(sim, slot->taken, "the ledger is asked for an item that is there");
        slot->asked_ms = sim->now_ms;
        int step = call->kind == BERTH_LEDGER_CLAIM      ? SIM_STEP_CLAIM
                   : call->kind == BERTH_LEDGER_REMEMBER ? SIM_STEP_REMEMBER
                                                         : SIM_STEP_STORE;
        sim_trace(sim, "w%d #%d %s", worker->number, slot->record->number, sim_step_name(step));
        if (step == SIM_STEP_CLAIM) {
            slot->record->in_lane = true;
            slot->losses = sim->redis_losses;
            slot->olders = sim->redis_olders;
        }
        fault = sim_faults_meet(sim, worker, slot, step);
    }
    if (call->kind == BERTH_LEDGER_STORE) {
        sim_publication_of(sim, slot, call->store.outcome, &slot->publication);
        memcpy(bytes, &slot->publication.result, sizeof(struct sim_result));
        memcpy(bytes + sizeof(struct sim_result), &slot->publication.rest, sizeof(struct sim_rest));
    }
    worker->asking = fault;
    worker->asking_slot = call->kind == BERTH_LEDGER_STORE ? slot : NULL;
    set_time(line);
    enum berth_rc rc =
        berth_ledger_submit(sim_link_ledger(line->link), effect->ledger.call_id, call,
                            call->kind == BERTH_LEDGER_STORE ? &publication : NULL);
    worker->asking = SIM_NO_FAULT;
    worker->asking_slot = NULL;
    if (rc != BERTH_OK) {
        struct sim_event *refuses = sim_event(sim, SIM_EVENT_LEDGER_REFUSES, worker->number);
        refuses->call_id = effect->ledger.call_id;
        refuses->number = (int)call->kind;
        sim_post(sim, refuses, 0);
    }
    arrange_tick(line);
}

/* ---- What happens on the way ---- */

static void run(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    if (sim->now_ms < sim->redis_away_until_ms) {
        return; /* It never arrives; its connection ends. */
    }
    struct sim_redis_command known;
    char id[BERTH_UUID_BYTES] = "";
    bool stores = event->publication.made;
    bool was_stored = false;
    int64_t was_version = 0;
    if (stores) {
        sim_command_id(event->record->number, id);
        was_stored = sim_redis_command(sim->redis, id, &known) && known.kind.data != NULL;
        was_version = was_stored ? known.version : 0;
    }
    sim_redis_set_time(sim->redis, (SIM_WALL_MS + sim->now_ms) * 1000);
    sim_request_run(event->request, sim->redis);
    if (stores && sim_redis_command(sim->redis, id, &known) && known.kind.data != NULL &&
        (!was_stored || known.version != was_version)) {
        sim_check_stored(sim, event, &event->publication);
    }
    bool alive = worker->life == event->life && worker->connection == event->epoch;
    if (!alive || event->told || worker->link_dead) {
        return;
    }
    struct sim_event *answers = sim_event(sim, SIM_EVENT_REDIS_ANSWERS, event->worker);
    answers->request = event->request;
    answers->epoch = event->epoch;
    event->request = NULL;
    int64_t at_ms = sim->now_ms + sim_below(sim, 3);
    if (at_ms < worker->link_answers_ms) {
        at_ms = worker->link_answers_ms;
    }
    worker->link_answers_ms = at_ms;
    sim_post(sim, answers, at_ms - sim->now_ms);
}

static void connect_or_wait(struct sim *sim, struct sim_worker *worker) {
    struct sim_line *line = worker->line;
    if (sim_link_connected(line->link)) {
        return;
    }
    if (sim->now_ms < sim->redis_away_until_ms) {
        sim_post(sim, sim_event(sim, SIM_EVENT_LINK_UP, worker->number), 200 + sim_below(sim, 800));
        return;
    }
    worker->connection++;
    worker->link_dead = false;
    worker->link_late = false;
    worker->link_runs_ms = 0;
    worker->link_answers_ms = 0;
    set_time(line);
    sim_link_connect(line->link);
}

static void disconnect(struct sim *sim, struct sim_worker *worker, uint32_t connection) {
    struct sim_line *line = worker->line;
    if (!sim_link_connected(line->link) || worker->connection != connection) {
        return;
    }
    worker->connection++;
    worker->link_dead = false;
    set_time(line);
    sim_link_disconnect(line->link, "the connection ended");
    sim_post(sim, sim_event(sim, SIM_EVENT_LINK_UP, worker->number), 50 + sim_below(sim, 500));
}

static void refuse(struct sim *sim, const struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    struct berth_ledger_answer answer = {.kind = (enum berth_ledger_call_kind)event->number,
                                         .unavailable = true};
    struct berth_event told = {.kind = BERTH_EVENT_LEDGER,
                               .ledger = {.call_id = event->call_id, .answer = &answer}};
    sim_worker_step(sim, worker, &told);
}

void sim_link_breaks(struct sim *sim, struct sim_worker *worker) {
    if (sim_link_connected(worker->line->link) && !worker->link_dead) {
        worker->link_dead = true;
        worker->link_late = false;
        down_soon(sim, worker, sim_below(sim, SIM_LEDGER_TIMEOUT_MS));
    }
}

/* What its worker must be there for. */
static void happen(struct sim *sim, struct sim_worker *worker, struct sim_event *event) {
    struct sim_line *line = worker->line;
    switch ((int)event->kind) {
    case SIM_EVENT_REDIS_ANSWERS:
        if (worker->connection == event->epoch && !worker->link_dead) {
            set_time(line);
            sim_request_answer(event->request);
        }
        break;
    case SIM_EVENT_LEDGER_REFUSES:
        refuse(sim, event);
        break;
    case SIM_EVENT_LINK_UP:
        connect_or_wait(sim, worker);
        break;
    case SIM_EVENT_LINK_DOWN:
        disconnect(sim, worker, event->epoch);
        break;
    case SIM_EVENT_LINK_TICKS:
        worker->link_ticks_ms = -1;
        set_time(line);
        if (sim_link_due_ms(line->link) >= 0 &&
            sim_link_due_ms(line->link) <= sim->now_ms + worker->boot_ms) {
            sim_link_tick(line->link);
        }
        break;
    default:
        BERTH_UNREACHABLE("an event of a line");
    }
    if (!line->dead) {
        arrange_tick(line);
    }
}

void sim_link_event(struct sim *sim, struct sim_event *event) {
    if (event->kind == SIM_EVENT_REDIS_RUNS) {
        run(sim, event);
    } else if (event->kind == SIM_EVENT_COPIES) {
        (void)sim_redis_copy_free(sim->redis_copy);
        sim->redis_copy = sim_redis_copy(sim->redis);
        if (sim->now_ms < sim->faults_end_ms) {
            sim_post(sim, sim_event(sim, SIM_EVENT_COPIES, -1), COPY_EACH_MS);
        }
    } else {
        happen(sim, &sim->workers[event->worker], event);
    }
}
