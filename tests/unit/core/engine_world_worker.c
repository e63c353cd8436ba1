/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon's loop would do: performing an engine's effects, and taking in records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/core/space.h"
#include "engine_world_parts.h"

static void perform(struct world *world, struct world_worker *worker,
                    const struct berth_effect *effect);
static void ask_ledger(struct world *world, struct world_worker *worker,
                       const struct berth_effect *effect);
static void ask_harbor(struct world *world, struct world_worker *worker,
                       const struct berth_effect *effect);
static void publish(struct world *world, struct world_worker *worker,
                    const struct berth_effect *effect);
static void give_up(struct world *world, struct world_worker *worker, uint32_t number);

/* ---- Stepping ---- */

void worker_stop(struct world *world) {
    const struct world_worker *worker = world->stopping;
    world->stopping = NULL;
    if (worker->engine == NULL) {
        return;
    }
    if (world->stop_freezes_ms > 0) {
        world_freeze(world, worker->number, world->stop_freezes_ms);
    } else {
        world_crash(world, worker->number);
    }
}

static enum berth_rc step(struct world *world, struct world_worker *worker,
                          struct berth_event *event) {
    world->steps++;
    checks_slept(world, worker);
    event->now_ms = world->now_ms;
    event->wall_ms = WORLD_WALL_MS + world->now_ms + world->wall_jump_ms;
    enum berth_rc rc = berth_engine_step(worker->engine, event);
    berth_engine_check(worker->engine);
    struct berth_effect effect;
    while (worker->engine != NULL && berth_engine_next_effect(worker->engine, &effect)) {
        perform(world, worker, &effect);
        world->effects += effect.kind != BERTH_EFFECT_NOTICE;
        if (world->effects == world->stop_at_effect) {
            world->stop_at_effect = 0;
            world->stopping = worker;
            world->stop_at_ms = world->now_ms + world->stop_delay_ms;
            if (world->stop_delay_ms == 0) {
                worker_stop(world);
            }
        }
    }
    return rc;
}

void worker_step(struct world *world, struct world_worker *worker, struct berth_event *event) {
    enum berth_rc rc = step(world, worker, event);
    WORLD_CHECK(world, rc == BERTH_OK);
    worker_take_in(world, worker);
}

/* Fetching and decoding takes its time. Not past the moment at which somebody thaws: what waits for
 * that comes in its order. */
static void pass_intake_time(struct world *world) {
    int64_t until_ms = world->now_ms + world->intake_ms;
    for (size_t i = 0; i < WORLD_WORKERS; i++) {
        int64_t thaws_ms = world->workers[i].frozen_until_ms;
        if (thaws_ms > world->now_ms && thaws_ms <= until_ms) {
            until_ms = thaws_ms - 1;
        }
    }
    world->now_ms = until_ms;
}

static void offer(struct world *world, struct world_worker *worker, uint32_t number) {
    struct world_assignment *assignment = &worker->assignments[number];
    struct world_partition *partition = &world->partitions[assignment->partition];
    struct world_record *record = &partition->records[assignment->position];
    struct berth_event event = {.kind = BERTH_EVENT_RECORD};
    event.record = (struct berth_engine_record){
        .partition = number,
        .offset = record->offset,
        .key = record->key,
        .key_len = strlen(record->key),
        .command = &record->command,
        .reason = record->undecodable ? "record.undecodable" : NULL,
        .text = "The record is not an Avro command.",
    };
    /* What its owner was told to be settled isn't done again; who has lost it may not know. */
    bool owned = partition->owner == worker->number && partition->epoch == assignment->epoch;
    bool settled = owned && record->answers > 0 && !partition->map_was_lost;
    worker->stepping = record;
    pass_intake_time(world);
    enum berth_rc rc = step(world, worker, &event);
    /* Between the look and the step only time passed, so there is room. */
    WORLD_CHECK(world, rc == BERTH_OK);
    if (worker->stepping != NULL) {
        /* It was settled before. */
        WORLD_CHECK(world, record->answers > 0);
        trace(world, "skip #%d", record->number);
        worker->stepping = NULL;
    } else {
        WORLD_CHECK(world, !settled);
    }
    if (assignment->in_use) {
        assignment->position++;
    }
}

/* The next record that is there to be read. */
static bool has_more(const struct world *world, struct world_assignment *assignment) {
    const struct world_partition *partition = &world->partitions[assignment->partition];
    while (assignment->position < partition->end &&
           partition->records[assignment->position].marker) {
        assignment->position++;
    }
    return assignment->position < partition->end;
}

struct taking {
    struct world *world;
    struct world_worker *worker;
};

static bool may_take(const struct world_worker *worker, uint32_t number) {
    const struct world_assignment *assignment = &worker->assignments[number];
    return assignment->in_use && assignment->told && worker->engine != NULL &&
           berth_engine_can_take(worker->engine, number);
}

/* Whoever has records and could be taken from isn't passed over more often than there are others.
 */
static void check_fair(struct world *world, struct world_worker *worker, uint32_t taken_from) {
    for (uint32_t number = 0; number < WORLD_NUMBERS; number++) {
        struct world_assignment *assignment = &worker->assignments[number];
        bool waits =
            number != taken_from && may_take(worker, number) && has_more(world, assignment);
        assignment->passed_over = waits ? assignment->passed_over + 1 : 0;
        WORLD_CHECK(world, assignment->passed_over < WORLD_NUMBERS);
    }
}

static enum berth_rc take_one(void *ctx, uint32_t number) {
    struct world *world = ((struct taking *)ctx)->world;
    struct world_worker *worker = ((struct taking *)ctx)->worker;
    struct world_assignment *assignment = &worker->assignments[number];
    if (!assignment->in_use || !assignment->told || worker->engine == NULL ||
        !has_more(world, assignment)) {
        return BERTH_END;
    }
    if (!berth_engine_can_take(worker->engine, number)) {
        return BERTH_BUSY;
    }
    check_fair(world, worker, number);
    offer(world, worker, number);
    return BERTH_OK;
}

void worker_take_in(struct world *world, struct world_worker *worker) {
    struct taking taking = {.world = world, .worker = worker};
    bool held_back;
    if (!worker->reads_nothing) {
        (void)berth_turns_take(&worker->turns, WORLD_NUMBERS, UINT32_MAX, take_one, &taking,
                               &held_back);
    }
}

void worker_tell(struct world *world, struct world_worker *worker,
                 const struct berth_event *event) {
    struct world_event draft = {
        .kind = WORLD_TELLS, .worker = worker->number, .life = worker->life, .tells = *event};
    if (event->kind != BERTH_EVENT_DRAIN) {
        draft.epochs[0] = worker->assignments[event->partition.partition].epoch;
    }
    world_post(world, &draft, 0);
}

/* ---- Effects ---- */

static void perform(struct world *world, struct world_worker *worker,
                    const struct berth_effect *effect) {
    struct world_slot *slot = &worker->slots[effect->slot];
    switch (effect->kind) {
    case BERTH_EFFECT_TAKEN:
        WORLD_CHECK(world, !slot->taken);
        WORLD_CHECK(world, worker->stepping != NULL);
        *slot = (struct world_slot){.taken = true, .record = worker->stepping};
        worker->stepping = NULL;
        break;
    case BERTH_EFFECT_RELEASE:
        WORLD_CHECK(world, slot->taken);
        WORLD_CHECK(world, !slot->publishing);
        *slot = (struct world_slot){.taken = false};
        break;
    case BERTH_EFFECT_LEDGER:
        ask_ledger(world, worker, effect);
        break;
    case BERTH_EFFECT_HARBOR:
        ask_harbor(world, worker, effect);
        break;
    case BERTH_EFFECT_PUBLISH:
        publish(world, worker, effect);
        break;
    case BERTH_EFFECT_GIVE_UP_PARTITION:
        give_up(world, worker, effect->partition);
        break;
    case BERTH_EFFECT_DRAINED:
        WORLD_CHECK(world, !worker->drained);
        worker->drained = true;
        worker->drained_left = effect->drained.left;
        trace(world, "drained left=%u", effect->drained.left);
        break;
    case BERTH_EFFECT_NOTICE:
        trace(world, "notice %s #%d %s", effect->notice.event, number_of(effect->notice.command_id),
              effect->notice.text);
        break;
    }
}

static void copy_item_call(struct world *world, struct world_worker *worker,
                           const struct berth_effect *effect, struct world_event *draft) {
    struct world_slot *slot = &worker->slots[effect->slot];
    const struct berth_ledger_call *call = &effect->ledger.call;
    draft->record = slot->record;
    switch (call->kind) {
    case BERTH_LEDGER_CLAIM:
        checks_names(world, slot, call->claim.command, call->claim.source);
        checks_lane(world, worker, slot);
        slot->claim_asked_ms = world->now_ms;
        trace(world, "claim #%d%s%s", slot->record->number,
              slot->claimed && slot->claim_number == call->claim.number ? " again" : "",
              call->claim.take_over ? " take-over" : "");
        slot->claimed = true;
        slot->claim_number = call->claim.number;
        break;
    case BERTH_LEDGER_REMEMBER:
        checks_names(world, slot, call->remember.command, NULL);
        berth_space_state_copy(&draft->state, call->remember.before, &world->pool);
        trace(world, "remember #%d", slot->record->number);
        break;
    case BERTH_LEDGER_STORE:
        checks_names(world, slot, call->store.command, call->store.source);
        WORLD_CHECK(world, call->store.outcome->final);
        berth_space_state_copy(&draft->state, &call->store.outcome->after, &world->pool);
        publication_of(call->store.outcome, &draft->publication);
        slot->publication = draft->publication;
        slot->publication_known = true;
        trace(world, "store #%d %s %s%s", slot->record->number,
              berth_outcome_kind_name(call->store.outcome->kind), call->store.outcome->code,
              call->store.free_lane ? "" : " keep-lane");
        break;
    case BERTH_LEDGER_RENEW:
    case BERTH_LEDGER_SETTLED:
    case BERTH_LEDGER_BASES:
        WORLD_CHECK(world, !"a call that belongs to no item");
        break;
    }
}

static void copy_settled(struct world *world, const struct berth_ledger_call *call,
                         struct world_event *draft) {
    WORLD_CHECK(world, call->settled.commands_count <= WORLD_SLOTS_MAX);
    WORLD_CHECK(world, call->settled.commands_count + call->settled.bases_count > 0);
    for (size_t i = 0; i < call->settled.commands_count; i++) {
        draft->settled[i] = call->settled.commands[i];
        WORLD_CHECK(world,
                    strcmp(draft->settled[i].topic, world->registries[0].command_topic) == 0);
    }
    for (size_t i = 0; i < WORLD_PARTITIONS; i++) {
        draft->bases[i] = -1;
    }
    for (size_t i = 0; i < call->settled.bases_count; i++) {
        const struct berth_base *base = &call->settled.bases[i];
        WORLD_CHECK(world, strcmp(base->topic, world->registries[0].command_topic) == 0);
        WORLD_CHECK(world, draft->bases[base->partition] < 0);
        draft->bases[base->partition] = base->offset;
    }
}

static void copy_renewals(struct world *world, struct world_worker *worker,
                          const struct berth_ledger_call *call, struct world_event *draft) {
    WORLD_CHECK(world, call->renew.count <= WORLD_SLOTS_MAX);
    for (size_t i = 0; i < call->renew.count; i++) {
        const struct berth_renewal *lane = &call->renew.lanes[i];
        struct world_slot *slot = &worker->slots[lane->slot];
        checks_names(world, slot, lane->command, NULL);
        WORLD_CHECK(world, slot->token == lane->token);
        draft->lanes[i] = (struct world_lane){.slot = lane->slot,
                                              .record = slot->record,
                                              .token = lane->token,
                                              .burned = lane->burned,
                                              .paused_ms = lane->paused_ms};
    }
    trace(world, "renew %zu", call->renew.count);
}

static void ask_ledger(struct world *world, struct world_worker *worker,
                       const struct berth_effect *effect) {
    const struct berth_ledger_call *call = &effect->ledger.call;
    struct world_event draft = {.kind = WORLD_LEDGER_RUNS,
                                .worker = worker->number,
                                .life = worker->life,
                                .asked_ms = world->now_ms,
                                .call_id = effect->ledger.call_id,
                                .slot = effect->slot,
                                .ledger_call = *call};
    world->ledger_calls[call->kind]++;
    if (call->kind == BERTH_LEDGER_RENEW) {
        copy_renewals(world, worker, call, &draft);
    } else if (call->kind == BERTH_LEDGER_SETTLED) {
        copy_settled(world, call, &draft);
    } else {
        copy_item_call(world, worker, effect, &draft);
    }
    draft.fault = world_pick_fault(world, WORLD_LEDGER, (int)call->kind, &draft.delay_ms);
    if (draft.fault == WORLD_LATE_CALL) {
        struct world_event answer = {.kind = WORLD_LEDGER_ANSWERS,
                                     .worker = draft.worker,
                                     .life = draft.life,
                                     .call_id = draft.call_id,
                                     .slot = draft.slot,
                                     .record = draft.record,
                                     .asked_ms = draft.asked_ms,
                                     .ledger_call = draft.ledger_call};
        answer.ledger_answer.kind = call->kind;
        answer.ledger_answer.unavailable = true;
        world_post(world, &answer, WORLD_LEDGER_TIMEOUT_MS);
        world_post(world, &draft, WORLD_LEDGER_TIMEOUT_MS + draft.delay_ms);
        return;
    }
    world_post(world, &draft, 1);
}

static void ask_probe(struct world *world, struct world_worker *worker,
                      const struct berth_effect *effect) {
    world->probes++;
    trace(world, "probe %s", world->registries[effect->harbor.call.registry].name);
    struct world_event draft = {.kind = WORLD_HARBOR_HANDED,
                                .worker = worker->number,
                                .life = worker->life,
                                .asked_ms = world->now_ms,
                                .call_id = effect->harbor.call_id,
                                .harbor_call = effect->harbor.call};
    harbor_post(world, &draft);
}

static void ask_harbor(struct world *world, struct world_worker *worker,
                       const struct berth_effect *effect) {
    const struct berth_harbor_call *call = &effect->harbor.call;
    if (call->kind == BERTH_HARBOR_PROBE) {
        ask_probe(world, worker, effect);
        return;
    }
    struct world_slot *slot = &worker->slots[effect->slot];
    checks_asked(world, worker, slot, call);
    world->harbor_calls++;
    trace(world, "harbor #%d %s", slot->record->number, berth_harbor_call_name(call->kind));
    struct world_event draft = {.kind = WORLD_HARBOR_HANDED,
                                .worker = worker->number,
                                .life = worker->life,
                                .asked_ms = world->now_ms,
                                .call_id = effect->harbor.call_id,
                                .slot = effect->slot,
                                .record = slot->record,
                                .harbor_call = *call};
    int *under_way = &worker->calls_under_way[call->registry];
    if (++*under_way > world->calls_most[call->registry]) {
        world->calls_most[call->registry] = *under_way;
    }
    harbor_post(world, &draft);
}

static void publish(struct world *world, struct world_worker *worker,
                    const struct berth_effect *effect) {
    struct world_event draft = {.kind = WORLD_KAFKA_DECIDES,
                                .worker = worker->number,
                                .life = worker->life,
                                .asked_ms = world->now_ms};
    WORLD_CHECK(world, effect->publish.offsets_count <= WORLD_NUMBERS);
    WORLD_CHECK(world, effect->publish.items_count <= worker->config.batch_max);
    for (size_t i = 0; i < effect->publish.offsets_count; i++) {
        const struct world_assignment *assignment =
            &worker->assignments[effect->publish.offsets[i].partition];
        draft.offsets[i] = effect->publish.offsets[i];
        draft.partitions[i] = assignment->partition;
        draft.epochs[i] = assignment->epoch;
        trace(world, "offset p%d@%lld%s", assignment->partition, (long long)draft.offsets[i].offset,
              draft.offsets[i].metadata[0] == '\0' ? "" : " and a map");
    }
    draft.offsets_count = effect->publish.offsets_count;
    for (size_t i = 0; i < effect->publish.items_count; i++) {
        worker->slots[effect->publish.items[i].slot].publishing = true;
    }
    draft.items_count = effect->publish.items_count;
    draft.items = calloc(draft.items_count + 1, sizeof(*draft.items));
    for (size_t i = 0; i < draft.items_count; i++) {
        const struct berth_publish_item *item = &effect->publish.items[i];
        struct world_slot *slot = &worker->slots[item->slot];
        struct world_item *copy = &draft.items[i];
        checks_names(world, slot, item->command, item->source);
        copy->record = slot->record;
        copy->form = item->form;
        if (item->form == BERTH_PUBLISH_DIRECT) {
            publication_of(item->outcome, &copy->publication);
        } else {
            WORLD_CHECK(world, slot->publication_known);
            copy->publication = slot->publication;
        }
        trace(world, "publish #%d %s %s", slot->record->number, form_name(item->form),
              copy->publication.code);
    }
    world->transactions++;
    draft.fault = world_pick_fault(world, WORLD_KAFKA, 0, &draft.delay_ms);
    world_post(world, &draft, 5 + draft.delay_ms);
}

static void give_up(struct world *world, struct world_worker *worker, uint32_t number) {
    struct world_assignment *assignment = &worker->assignments[number];
    WORLD_CHECK(world, assignment->in_use);
    assignment->in_use = false;
    struct world_partition *partition = &world->partitions[assignment->partition];
    trace(world, "give up p%d", assignment->partition);
    if (partition->owner == worker->number && partition->epoch == assignment->epoch) {
        partition->owner = -1;
        if (partition->next_owner >= 0) {
            world_assign(world, partition->next_owner, assignment->partition);
        }
    }
}

/* ---- Answers on their way back ---- */

void worker_harbor_handed(struct world *world, struct world_event *event) {
    struct world_event next = *event;
    /* The adapter looks at not_after when it hands over, not when it was asked (design 4.7). */
    bool too_late = world->now_ms >= event->harbor_call.not_after_ms;
    bool down = world->now_ms < world->harbor_down_until_ms;
    if (event->fault == WORLD_NOT_SENT || too_late || down) {
        next.kind = WORLD_HARBOR_ANSWERS;
        next.harbor_answer.verdict = BERTH_HARBOR_NOT_SENT;
        next.harbor_answer.trouble =
            too_late ? BERTH_HARBOR_TROUBLE_NONE : BERTH_HARBOR_TROUBLE_CONNECTION;
        (void)snprintf(next.harbor_answer.error, sizeof(next.harbor_answer.error), "not sent");
        world_post(world, &next, 1);
        return;
    }
    next.kind = WORLD_HARBOR_RUNS;
    next.asked_ms = world->now_ms;
    world_post(world, &next, 5);
}

void worker_ledger_answers(struct world *world, struct world_event *event) {
    struct world_worker *worker = &world->workers[event->worker];
    struct berth_ledger_answer *answer = &event->ledger_answer;
    bool renew = answer->kind == BERTH_LEDGER_RENEW;
    struct world_slot *slot = &worker->slots[event->slot];
    if (renew) {
        answer->renew.held = event->lanes_held;
        for (size_t i = 0; i < event->ledger_call.renew.count && !answer->unavailable; i++) {
            struct world_slot *lane = &worker->slots[event->lanes[i].slot];
            if (lane->token == event->lanes[i].token && event->lanes_held[i]) {
                lane->lease_end_ms = event->asked_ms + worker->config.lease_ms;
                lane->lease_asked_ms = event->asked_ms;
            }
        }
    } else if (!answer->unavailable && answer->kind != BERTH_LEDGER_SETTLED) {
        if (event->publication_found) {
            slot->publication = event->publication;
            slot->publication_known = true;
        }
        if (answer->kind == BERTH_LEDGER_CLAIM && answer->claim.verdict == BERTH_CLAIM_TAKEN) {
            slot->token = answer->claim.token;
            slot->lease_end_ms = event->asked_ms + worker->config.lease_ms;
            slot->lease_asked_ms = event->asked_ms;
            slot->must_read |= event->ledger_call.claim.take_over;
        }
    }
    struct berth_event told = {.kind = BERTH_EVENT_LEDGER,
                               .ledger = {.call_id = event->call_id, .answer = answer}};
    worker_step(world, worker, &told);
}

void worker_harbor_answers(struct world *world, struct world_event *event) {
    struct world_worker *worker = &world->workers[event->worker];
    event->harbor_answer.robots = event->robots;
    if (event->harbor_call.kind != BERTH_HARBOR_PROBE) {
        worker->calls_under_way[event->harbor_call.registry]--;
        checks_answered(world, event);
    }
    struct berth_event told = {.kind = BERTH_EVENT_HARBOR,
                               .harbor = {.call_id = event->call_id,
                                          .call = &event->harbor_call,
                                          .answer = &event->harbor_answer}};
    worker_step(world, worker, &told);
}
