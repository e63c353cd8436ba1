/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Performing what the engine asks for. Nothing here decides.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "worker_parts.h"

static void perform(struct worker *worker, const struct berth_effect *effect);
static void ask_ledger(struct worker *worker, const struct berth_effect *effect);
static void log_outcome(const struct berth_store_call *store);
static void log_notice(const struct berth_effect *effect);

void worker_perform_effects(struct worker *worker) {
    struct berth_effect effect;
    /* A worker that has failed does no more: what comes next may rest on what couldn't be done. */
    while (!worker->failed && berth_engine_next_effect(worker->engine, &effect)) {
        perform(worker, &effect);
    }
}

static void perform(struct worker *worker, const struct berth_effect *effect) {
    switch (effect->kind) {
    case BERTH_EFFECT_TAKEN:
        BERTH_ASSERT(worker->taking != NULL);
        berth_slot_at(&worker->slots, effect->slot)->record = worker->taking;
        worker->taking = NULL;
        break;
    case BERTH_EFFECT_RELEASE:
        berth_slot_clear(&worker->slots, effect->slot);
        break;
    case BERTH_EFFECT_LEDGER:
        ask_ledger(worker, effect);
        break;
    case BERTH_EFFECT_HARBOR: {
        /* The queue has room for every call that the engine may have under way. */
        enum berth_rc rc = berth_harbor_client_submit(worker->harbor, effect->harbor.call_id,
                                                      &effect->harbor.call);
        BERTH_ASSERT(rc == BERTH_OK);
        break;
    }
    case BERTH_EFFECT_PUBLISH:
        worker_publish(worker, effect);
        break;
    case BERTH_EFFECT_GIVE_UP_PARTITION:
        worker->partitions[effect->partition] = false;
        berth_consumer_give_up(worker->consumer, effect->partition);
        break;
    case BERTH_EFFECT_DRAINED:
        berth_log(effect->drained.left == 0 ? BERTH_LOG_INFO : BERTH_LOG_WARNING, "worker.drained",
                  "left=%u", effect->drained.left);
        worker_close(worker);
        break;
    case BERTH_EFFECT_NOTICE:
        log_notice(effect);
        break;
    }
}

static void ask_ledger(struct worker *worker, const struct berth_effect *effect) {
    const struct berth_ledger_call *call = &effect->ledger.call;
    const struct berth_publication *publication = NULL;
    if (call->kind == BERTH_LEDGER_STORE) {
        const struct berth_store_call *store = &call->store;
        worker_make_publication(worker, effect->slot, store->command, store->source,
                                effect->ledger.registry, store->token, store->outcome);
        if (worker->failed) {
            return; /* There is nothing to be stored. */
        }
        publication = &berth_slot_at(&worker->slots, effect->slot)->publication;
        log_outcome(store);
    }
    enum berth_rc rc =
        berth_ledger_submit(worker->ledger, effect->ledger.call_id, call, publication);
    if (rc == BERTH_OK) {
        return;
    }
    /* It is answered after this turn: an event can't be stepped while effects are performed. */
    BERTH_ASSERT(worker->refused_count < worker->engine_config.commands_max + 2);
    worker->refused[worker->refused_count++] =
        (struct refused_call){.call_id = effect->ledger.call_id, .kind = call->kind};
}

static void log_outcome(const struct berth_store_call *store) {
    const struct berth_outcome *outcome = store->outcome;
    berth_log(
        outcome->kind == BERTH_FAILED ? BERTH_LOG_WARNING : BERTH_LOG_INFO, "command.decided",
        "command_id=%s command=%s space=%s/%s source=%s-%d-%lld outcome=%s code=%s changed=%d "
        "attempts=%d ms=%lld",
        store->command->id, berth_command_type_name(store->command->type), store->command->registry,
        store->command->space, store->source->topic, store->source->partition,
        (long long)store->source->offset, berth_outcome_kind_name(outcome->kind), outcome->code,
        outcome->changed, outcome->attempts,
        (long long)(outcome->finished_at_ms - outcome->received_at_ms));
}

static void log_notice(const struct berth_effect *effect) {
    if (effect->notice.command_id[0] == '\0' && effect->notice.source.topic[0] == '\0') {
        berth_log(BERTH_LOG_WARNING, effect->notice.event, "registry=%s %s",
                  effect->notice.registry, effect->notice.text);
        return;
    }
    if (effect->notice.command_id[0] == '\0') {
        berth_log(BERTH_LOG_WARNING, effect->notice.event, "topic=%s partition=%d offset=%lld %s",
                  effect->notice.source.topic, effect->notice.source.partition,
                  (long long)effect->notice.source.offset, effect->notice.text);
        return;
    }
    berth_log(BERTH_LOG_WARNING, effect->notice.event,
              "command_id=%s space=%s/%s source=%s-%d-%lld %s", effect->notice.command_id,
              effect->notice.registry, effect->notice.space, effect->notice.source.topic,
              effect->notice.source.partition, (long long)effect->notice.source.offset,
              effect->notice.text);
}
