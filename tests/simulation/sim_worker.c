/* SPDX-License-Identifier: Apache-2.0 */
/* One process berthd: what its loop does with events and effects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

#define TIMER_SLACK_MS 250

static void perform(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect);

bool sim_worker_frozen(const struct sim *sim, const struct sim_worker *worker) {
    return sim->now_ms < worker->frozen_until_ms;
}

/* ---- Life ---- */

void sim_worker_start(struct sim *sim, struct sim_worker *worker) {
    if (worker->engine != NULL) {
        return;
    }
    worker->life++;
    (void)snprintf(worker->incarnation, sizeof(worker->incarnation),
                   "00000000-0000-4000-9000-%04d%08u", worker->number, worker->life);
    worker->config = sim->config;
    worker->config.instance = worker->instance;
    worker->config.incarnation = worker->incarnation;
    worker->config.seed = sim->seed * 31 + (uint64_t)worker->number * 7 + worker->life;
    memset(worker->slots, 0, sizeof(worker->slots));
    memset(worker->assignments, 0, sizeof(worker->assignments));
    worker->stepping = NULL;
    worker->stop_asked = false;
    worker->drained = false;
    worker->draining = false;
    worker->frozen_until_ms = 0;
    worker->stepped_ms = sim->now_ms;
    worker->woke_ms = 0;
    worker->waits_to_join = false;
    worker->known_member_id = 0;
    worker->known_generation = 0;
    berth_pool_init(&worker->pool, sim->pool_bytes);
    worker->engine =
        berth_engine_new(&worker->config, &worker->pool, sim->now_ms + worker->boot_ms);
    sim_trace(sim, "w%d starts, life %u", worker->number, worker->life);
    sim_producer_starts(sim, worker);
    sim_link_start(sim, worker);
    sim_group_join(sim, worker);
}

void sim_worker_kill(struct sim *sim, struct sim_worker *worker, int64_t again_after_ms) {
    if (worker->engine == NULL) {
        return;
    }
    worker->engine = berth_engine_free(worker->engine);
    berth_pool_deinit(&worker->pool);
    sim_link_stop(sim, worker);
    sim_trace(sim, "w%d dies", worker->number);
    if (again_after_ms >= 0) {
        sim_group_died(sim, worker);
        sim_post(sim, sim_event(sim, SIM_EVENT_STARTS, worker->number), again_after_ms);
    }
}

/* ---- Stepping ---- */

/* Whether this turn follows a long sleep: so long that no timer of who holds a lane is so late. */
static void note_sleep(const struct sim *sim, struct sim_worker *worker) {
    int64_t patience_ms = worker->config.lease_ms / 3;
    patience_ms = patience_ms < worker->config.renew_ms ? worker->config.renew_ms : patience_ms;
    if (sim->now_ms - worker->stepped_ms > patience_ms + TIMER_SLACK_MS) {
        worker->woke_ms = sim->now_ms;
    }
    worker->stepped_ms = sim->now_ms;
}

static enum berth_rc step(struct sim *sim, struct sim_worker *worker, struct berth_event *event) {
    note_sleep(sim, worker);
    event->now_ms = sim->now_ms + worker->boot_ms;
    event->wall_ms = SIM_WALL_MS + sim->now_ms + worker->wall_ms;
    enum berth_rc rc = berth_engine_step(worker->engine, event);
    berth_engine_check(worker->engine);
    struct berth_effect effect;
    while (!worker->stop_asked && berth_engine_next_effect(worker->engine, &effect)) {
        perform(sim, worker, &effect);
    }
    if (worker->stop_asked) {
        sim_worker_kill(sim, worker, sim_dead_for_ms(sim));
    } else {
        sim_check_worker(sim, worker);
    }
    return rc;
}

void sim_worker_step(struct sim *sim, struct sim_worker *worker, struct berth_event *event) {
    enum berth_rc rc = step(sim, worker, event);
    SIM_CHECK(sim, rc == BERTH_OK, "only a record may be refused");
    sim_worker_take_in(sim, worker);
    if (worker->engine != NULL && worker->drained) {
        /* Whoever is drained ends in order, and is started again some time. */
        sim_group_leave(sim, worker);
        sim_worker_kill(sim, worker, 500 + sim_below(sim, 5000));
    }
}

static void offer(struct sim *sim, struct sim_worker *worker, uint32_t number,
                  struct sim_record *record) {
    struct sim_assignment *assignment = &worker->assignments[number];
    struct berth_event event = {.kind = BERTH_EVENT_RECORD};
    event.record = (struct berth_engine_record){
        .partition = number,
        .offset = record->offset,
        .key = record->key,
        .key_len = strlen(record->key),
        .timestamp_ms = record->sent_ms,
        .checksum = sim_record_checksum(sim, record),
        .command = &record->command,
        .reason = record->undecodable ? BERTH_CODE_RECORD_UNDECODABLE : NULL,
        .text = "The record is not an Avro command.",
    };
    worker->stepping = record;
    int was_answered = record->answers;
    assignment->position = record->offset + 1;
    enum berth_rc rc = step(sim, worker, &event);
    SIM_CHECK(sim, rc == BERTH_OK, "a record that could be taken was refused");
    if (worker->engine == NULL) {
        return;
    }
    /* What its owner was told to be settled isn't done again; who has lost it may not know. */
    const struct sim_partition *partition = &sim->partitions[assignment->partition];
    bool owned = partition->owner == worker->number && partition->epoch == assignment->epoch;
    if (worker->stepping != NULL) {
        SIM_CHECK(sim, record->answers > 0, "only what was settled is passed over");
        sim_trace(sim, "w%d passes over #%d", worker->number, record->number);
        worker->stepping = NULL;
    } else {
        SIM_CHECK(sim, !owned || was_answered == 0, "what was settled is not taken in again");
    }
}

static enum berth_rc take_one(void *ctx, uint32_t number) {
    struct sim_worker *worker = ctx;
    struct sim *sim = worker->sim;
    struct sim_assignment *assignment = &worker->assignments[number];
    if (worker->engine == NULL || !assignment->in_use || !assignment->told) {
        return BERTH_END;
    }
    if (!berth_engine_can_take(worker->engine, number)) {
        return BERTH_BUSY;
    }
    const struct sim_partition *partition = &sim->partitions[assignment->partition];
    while (assignment->position < partition->end && assignment->log == partition->log &&
           partition->entries[assignment->position] == NULL) {
        assignment->position++;
    }
    if (assignment->position >= partition->end || assignment->log != partition->log) {
        return BERTH_END;
    }
    offer(sim, worker, number, partition->entries[assignment->position]);
    return BERTH_OK;
}

void sim_worker_take_in(struct sim *sim, struct sim_worker *worker) {
    (void)sim;
    bool held_back;
    (void)berth_turns_take(&worker->turns, SIM_NUMBERS, UINT32_MAX, take_one, worker, &held_back);
}

/* ---- What it is told ---- */

void sim_worker_tell(struct sim *sim, struct sim_worker *worker, const struct berth_event *event,
                     uint32_t epoch) {
    struct sim_event *tells = sim_event(sim, SIM_EVENT_TELLS, worker->number);
    tells->tells = *event;
    tells->epoch = epoch;
    sim_post(sim, tells, 0);
}

void sim_worker_told(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    enum berth_event_kind kind = event->tells.kind;
    if (kind == BERTH_EVENT_PARTITION_GAINED || kind == BERTH_EVENT_PARTITION_REVOKED ||
        kind == BERTH_EVENT_PARTITION_LOST) {
        struct sim_assignment *assignment = &worker->assignments[event->tells.partition.partition];
        if (!assignment->in_use || assignment->epoch != event->epoch) {
            return; /* It was given up before. */
        }
        if (kind == BERTH_EVENT_PARTITION_GAINED) {
            assignment->told = true;
        } else if (!assignment->told) {
            /* Taken away while its offset was being asked for. */
            assignment->in_use = false;
            if (kind == BERTH_EVENT_PARTITION_REVOKED) {
                sim_group_gave_up(sim, worker, event->tells.partition.partition);
            }
            return;
        }
        assignment->in_use = kind != BERTH_EVENT_PARTITION_LOST;
        sim_trace(sim, "w%d %s p%d", worker->number,
                  kind == BERTH_EVENT_PARTITION_GAINED    ? "gains"
                  : kind == BERTH_EVENT_PARTITION_REVOKED ? "is to give up"
                                                          : "loses",
                  assignment->partition);
    }
    if (kind == BERTH_EVENT_DRAIN) {
        sim_trace(sim, "w%d drains", worker->number);
        worker->draining = true;
    }
    sim_worker_step(sim, worker, &event->tells);
}

/* ---- Effects ---- */

static void perform(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect) {
    struct sim_slot *slot = &worker->slots[effect->slot < SIM_SLOTS ? effect->slot : 0];
    switch (effect->kind) {
    case BERTH_EFFECT_TAKEN:
        SIM_CHECK(sim, !slot->taken && worker->stepping != NULL, "a slot is taken once");
        *slot = (struct sim_slot){.taken = true, .record = worker->stepping, .step = -1};
        worker->stepping = NULL;
        break;
    case BERTH_EFFECT_RELEASE:
        SIM_CHECK(sim, slot->taken, "a slot is released once");
        slot->taken = false;
        break;
    case BERTH_EFFECT_LEDGER:
        sim_ask_ledger(sim, worker, effect);
        break;
    case BERTH_EFFECT_HARBOR:
        sim_ask_harbor(sim, worker, effect);
        break;
    case BERTH_EFFECT_PUBLISH:
        sim_publish(sim, worker, effect);
        break;
    case BERTH_EFFECT_GIVE_UP_PARTITION: {
        struct sim_assignment *assignment = &worker->assignments[effect->partition];
        SIM_CHECK(sim, assignment->in_use && assignment->told, "a partition is given up once");
        assignment->in_use = false;
        sim_trace(sim, "w%d gives up p%d", worker->number, assignment->partition);
        sim_group_gave_up(sim, worker, effect->partition);
        break;
    }
    case BERTH_EFFECT_DRAINED:
        SIM_CHECK(sim, !worker->drained, "drained is told once");
        worker->drained = true;
        sim_trace(sim, "w%d drained, left=%u", worker->number, effect->drained.left);
        break;
    case BERTH_EFFECT_NOTICE:
        sim_trace(sim, "w%d notice %s #%d %s", worker->number, effect->notice.event,
                  sim_number_of(effect->notice.command_id), effect->notice.text);
        break;
    }
}
