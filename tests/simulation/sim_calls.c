/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to Harbor on their way, there and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

/* ---- There ---- */

/* Of the command that it is for; 0: a probe. */
static int number(const struct sim_event *event) {
    return event->record != NULL ? event->record->number : 0;
}

static void ask_probe(struct sim *sim, struct sim_worker *worker,
                      const struct berth_effect *effect) {
    sim_trace(sim, "w%d probes %s", worker->number,
              sim->registries[effect->harbor.call.registry].name);
    struct sim_event *handed = sim_event(sim, SIM_EVENT_HARBOR_HANDED, worker->number);
    handed->call_id = effect->harbor.call_id;
    handed->call = effect->harbor.call;
    sim_post(sim, handed, 0);
}

void sim_ask_harbor(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect) {
    const struct berth_harbor_call *call = &effect->harbor.call;
    if (call->kind == BERTH_HARBOR_PROBE) {
        ask_probe(sim, worker, effect);
        return;
    }
    struct sim_slot *slot = &worker->slots[effect->slot];
    SIM_CHECK(sim, slot->taken, "Harbor is asked for an item that is there");
    bool write = berth_harbor_call_is_write(call->kind);
    int64_t not_after_ms =
        call->not_after_ms == INT64_MAX ? INT64_MAX : call->not_after_ms - worker->boot_ms;
    SIM_CHECK(sim, strncmp(call->request_id, slot->record->command.id, BERTH_UUID_BYTES - 1) == 0,
              "a request bears its command's id");
    if (write) {
        SIM_CHECK(sim, not_after_ms <= slot->lease_end_ms - sim->config.request_timeout_ms,
                  "a write may be handed over only while its lease covers the whole request");
        SIM_CHECK(sim, slot->lease_asked_ms >= worker->woke_ms,
                  "after a long sleep a lease is renewed before anything is written under it");
        SIM_CHECK(sim, !slot->must_read || call->kind == BERTH_HARBOR_CREATE_PROJECT,
                  "whoever took a lane over reads Harbor before it writes");
    } else {
        SIM_CHECK(sim, sim->now_ms >= slot->read_from_ms,
                  "what was written with unknown outcome is read back some time later");
        slot->must_read = false;
    }
    sim_trace(sim, "w%d #%d %s", worker->number, slot->record->number,
              berth_harbor_call_name(call->kind));
    struct sim_event *handed = sim_event(sim, SIM_EVENT_HARBOR_HANDED, worker->number);
    handed->call_id = effect->harbor.call_id;
    handed->slot = effect->slot;
    handed->record = slot->record;
    handed->call = *call;
    handed->olders = slot->olders;
    memcpy(handed->data_set, slot->data_set, sizeof(handed->data_set));
    handed->fault = sim_faults_meet(sim, worker, slot, (int)SIM_STEP_HARBOR + (int)call->kind);
    bool crowded = !sim->slow_world && sim_chance(sim, 3);
    int64_t queued_ms = crowded ? sim_below(sim, 9000) : sim_below(sim, 2);
    sim_post(sim, handed, queued_ms);
}

static struct sim_event *next_of(struct sim *sim, struct sim_event *event,
                                 enum sim_event_kind kind) {
    struct sim_event *next = sim_event(sim, kind, event->worker);
    int64_t at_ms = next->at_ms;
    *next = *event;
    next->at_ms = at_ms;
    next->kind = kind;
    event->robots = NULL; /* The copy owns them now. */
    return next;
}

/* What the answer says about the registry as a whole. */
static enum berth_harbor_trouble trouble_of(const struct sim_event *event,
                                            enum berth_harbor_verdict verdict) {
    switch ((int)event->fault) {
    case SIM_HARBOR_NOT_SENT:
    case SIM_HARBOR_LOST:
    case SIM_HARBOR_APPLIED:
    case SIM_HARBOR_DELAYED:
        return BERTH_HARBOR_TROUBLE_CONNECTION;
    case SIM_HARBOR_401:
    case SIM_HARBOR_403:
        return BERTH_HARBOR_TROUBLE_CREDENTIALS;
    case SIM_HARBOR_429:
        return BERTH_HARBOR_TROUBLE_RATE;
    case SIM_HARBOR_5XX:
        return BERTH_HARBOR_TROUBLE_SERVER;
    case SIM_HARBOR_READ_ONLY:
        return BERTH_HARBOR_TROUBLE_READ_ONLY;
    default:
        /* A space that answers nothing: its requests time out. */
        return verdict == BERTH_HARBOR_UNKNOWN && event->answer.http_status == 0
                   ? BERTH_HARBOR_TROUBLE_CONNECTION
                   : BERTH_HARBOR_TROUBLE_NONE;
    }
}

static void answer(struct sim *sim, struct sim_event *event, enum berth_harbor_verdict verdict,
                   int64_t delay_ms) {
    struct sim_event *answers = next_of(sim, event, SIM_EVENT_HARBOR_ANSWERS);
    answers->answer.verdict = verdict;
    answers->answer.trouble = trouble_of(event, verdict);
    if (verdict != BERTH_HARBOR_DONE) {
        (void)snprintf(answers->answer.error, sizeof(answers->answer.error), "said %s",
                       berth_harbor_verdict_name(verdict));
    }
    sim_post(sim, answers, delay_ms);
}

void sim_harbor_handed(struct sim *sim, struct sim_event *event) {
    const struct sim_worker *worker = &sim->workers[event->worker];
    memset(&event->answer, 0, sizeof(event->answer));
    /* The adapter looks at not_after when it hands over, not when it was asked (design 4.7). */
    bool too_late = event->call.not_after_ms != INT64_MAX &&
                    sim->now_ms + worker->boot_ms >= event->call.not_after_ms;
    const struct sim_sickness *sick = &sim->sick[event->call.registry];
    if (sim->now_ms < sick->until_ms) {
        event->fault = sick->fault;
    }
    if (event->fault == SIM_HARBOR_NOT_SENT || too_late) {
        answer(sim, event, BERTH_HARBOR_NOT_SENT, 1);
        return;
    }
    if (berth_harbor_call_is_write(event->call.kind)) {
        sim_check_handed(sim, event);
    }
    struct sim_event *runs = next_of(sim, event, SIM_EVENT_HARBOR_RUNS);
    runs->asked_ms = sim->now_ms;
    sim_post(sim, runs,
             sim_chance(sim, 3) ? sim_below(sim, SIM_ARRIVES_MAX_MS) : sim_below(sim, 30));
}

/* ---- At Harbor ---- */

/* Its sender gives up, or loses the connection before that. */
static int64_t unknown_after_ms(struct sim *sim, const struct sim_event *event) {
    return sim_chance(sim, 40) ? sim_below(sim, 200)
                               : event->asked_ms + sim->config.request_timeout_ms - sim->now_ms;
}

/* Carried out after its sender gave up, but within what the lease covers. */
static void delay(struct sim *sim, struct sim_event *event) {
    const struct sim_worker *worker = &sim->workers[event->worker];
    int64_t told_ms = unknown_after_ms(sim, event);
    int64_t applied_ms = told_ms + sim_below(sim, SIM_DELAY_MAX_MS);
    int64_t covered_ms = event->call.not_after_ms == INT64_MAX
                             ? told_ms
                             : event->call.not_after_ms - worker->boot_ms +
                                   sim->config.request_timeout_ms - 1 - sim->now_ms;
    struct sim_event *later = next_of(sim, event, SIM_EVENT_HARBOR_RUNS);
    later->told = true;
    sim_post(sim, later, applied_ms < covered_ms ? applied_ms : covered_ms);
    answer(sim, event, BERTH_HARBOR_UNKNOWN, told_ms);
}

static void apply_and_answer(struct sim *sim, struct sim_event *event) {
    int64_t slow_until_ms =
        event->record != NULL ? sim->spaces[event->record->space].slow_until_ms : 0;
    if (sim->now_ms < slow_until_ms) {
        answer(sim, event, BERTH_HARBOR_UNKNOWN,
               event->asked_ms + sim->config.request_timeout_ms - sim->now_ms);
        return;
    }
    sim_harbor_apply(sim, event);
    int64_t patience_ms = sim->config.request_timeout_ms - SIM_ARRIVES_MAX_MS;
    int64_t delay_ms = sim_chance(sim, 3) ? sim_below(sim, patience_ms) : sim_below(sim, 30);
    answer(sim, event, event->answer.verdict, delay_ms);
}

static void refuse_creation(struct sim *sim, struct sim_event *event) {
    bool creates = event->call.kind == BERTH_HARBOR_CREATE_PROJECT ||
                   event->call.kind == BERTH_HARBOR_CREATE_ROBOT;
    if (creates) {
        sim_human_makes(sim, event->record->space, &event->call);
        apply_and_answer(sim, event);
    } else {
        event->answer.http_status = 409;
        answer(sim, event, BERTH_HARBOR_UNKNOWN, 5);
    }
}

static void refuse_deletion(struct sim *sim, struct sim_event *event) {
    if (event->call.kind == BERTH_HARBOR_DELETE_PROJECT) {
        sim_human_pushes(sim, event->record->space);
        apply_and_answer(sim, event);
    } else {
        event->answer.http_status = 412;
        answer(sim, event, BERTH_HARBOR_UNKNOWN, 5);
    }
}

void sim_harbor_arrives(struct sim *sim, struct sim_event *event) {
    bool write = berth_harbor_call_is_write(event->call.kind);
    if (event->told) {
        sim_trace(sim, "late #%d %s", number(event), berth_harbor_call_name(event->call.kind));
        sim_harbor_apply(sim, event); /* Nobody is told. */
        return;
    }
    if (write) {
        sim_check_write(sim, event);
    }
    if (event->fault != SIM_NO_FAULT) {
        sim_trace(sim, "#%d %s meets %s", number(event), berth_harbor_call_name(event->call.kind),
                  sim_fault_name(event->fault));
    }
    switch ((int)event->fault) {
    case SIM_HARBOR_LOST:
        answer(sim, event, BERTH_HARBOR_UNKNOWN, unknown_after_ms(sim, event));
        return;
    case SIM_HARBOR_APPLIED:
        sim_harbor_apply(sim, event);
        answer(sim, event, BERTH_HARBOR_UNKNOWN, unknown_after_ms(sim, event));
        return;
    case SIM_HARBOR_DELAYED:
        delay(sim, event);
        return;
    case SIM_HARBOR_401:
        answer(sim, event, BERTH_HARBOR_UNAUTHENTICATED, 5);
        return;
    case SIM_HARBOR_403:
        answer(sim, event, BERTH_HARBOR_FORBIDDEN, 5);
        return;
    case SIM_HARBOR_409:
        refuse_creation(sim, event);
        return;
    case SIM_HARBOR_412:
        refuse_deletion(sim, event);
        return;
    case SIM_HARBOR_429:
        event->answer.retry_after_ms = 1000 * (1 + sim_below(sim, sim->rest_max_ms / 1000));
        answer(sim, event, BERTH_HARBOR_BUSY, 5);
        return;
    case SIM_HARBOR_5XX:
        if (sim_chance(sim, 50)) {
            sim_harbor_apply(sim, event);
        }
        event->answer.http_status = 500;
        answer(sim, event, BERTH_HARBOR_UNKNOWN, 5);
        return;
    case SIM_HARBOR_READ_ONLY:
        if (write || event->call.kind == BERTH_HARBOR_PROBE) {
            answer(sim, event, BERTH_HARBOR_READ_ONLY, 5);
            return;
        }
        event->fault = SIM_NO_FAULT; /* It stops no read. */
        break;
    case SIM_HUMAN_CHANGES:
        sim_human_changes(sim, event->record->space);
        break;
    case SIM_HUMAN_MAKES:
        sim_human_makes(sim, event->record->space, &event->call);
        break;
    default:
        break;
    }
    apply_and_answer(sim, event);
}

/* ---- Back ---- */

/* A secret can't be read back: it is set again. */
static void note_unknown(struct sim *sim, struct sim_slot *slot, const struct sim_event *event) {
    if (event->answer.verdict == BERTH_HARBOR_UNKNOWN &&
        event->call.kind != BERTH_HARBOR_SET_SECRET &&
        berth_harbor_call_is_write(event->call.kind)) {
        slot->read_from_ms = sim->now_ms + SIM_READ_BACK_MS;
    }
}

void sim_harbor_answers(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    note_unknown(sim, &worker->slots[event->slot], event);
    event->answer.robots = event->robots;
    sim_trace(sim, "w%d #%d %s: %s", worker->number, number(event),
              berth_harbor_call_name(event->call.kind),
              berth_harbor_verdict_name(event->answer.verdict));
    struct berth_event told = {
        .kind = BERTH_EVENT_HARBOR,
        .harbor = {.call_id = event->call_id, .call = &event->call, .answer = &event->answer}};
    sim_worker_step(sim, worker, &told);
}
