/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to Harbor: a fair queue for each registry. An item stands in it once, with its plan's next
 * call, and gets in line again behind the others with the one after that: so a command with many
 * calls side by side takes no more than its turn.
 */
#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

static void send_call(struct berth_engine *engine, struct registry *registry, struct item *item);

void calls_queue(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->has_unsent);
    if (item->queued_for_call) {
        return;
    }
    struct registry *registry = &engine->registries[item->registry];
    BERTH_ASSERT(!item->queued_for_room);
    TAILQ_INSERT_TAIL(&registry->waiting_for_call, item, in_queue);
    item->queued_for_call = true;
    if (breaker_blocks(registry)) {
        engine->let_go_due = true;
    }
}

void calls_unqueue(struct berth_engine *engine, struct item *item) {
    if (item->queued_for_call) {
        TAILQ_REMOVE(&engine->registries[item->registry].waiting_for_call, item, in_queue);
        item->queued_for_call = false;
    }
}

void calls_take_back(struct berth_engine *engine, struct item *item) {
    if (!item->has_unsent) {
        return;
    }
    calls_unqueue(engine, item);
    item->has_unsent = false;
    item->waits_for_lease = false;
    struct berth_harbor_answer answer = {.verdict = BERTH_HARBOR_NOT_SENT};
    /* It says nothing that the caller doesn't know. */
    (void)berth_work_observe(item->work, &item->unsent, &answer);
}

void calls_serve(struct berth_engine *engine, struct registry *registry) {
    struct item *item;
    while (!breaker_blocks(registry) && registry->calls_outstanding < registry->limit.calls &&
           (item = TAILQ_FIRST(&registry->waiting_for_call)) != NULL) {
        calls_unqueue(engine, item);
        if (item->lost) {
            continue; /* Its calls that are under way end it. */
        }
        bool running = item->state == ITEM_RUNNING;
        if (running && !claim_may_call(engine, item)) {
            continue; /* It gets in line again after the renewal. */
        }
        send_call(engine, registry, item);
        if (running) {
            work_prepare(engine, item);
        }
    }
}

static void send_call(struct berth_engine *engine, struct registry *registry, struct item *item) {
    BERTH_ASSERT(engine->now_ms >= item->read_from_ms);
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_HARBOR);
    effect->slot = item->slot;
    effect->harbor.call_id = item->slot;
    effect->harbor.call = item->unsent;
    struct berth_harbor_call *call = &effect->harbor.call;
    char attempt[TEXT_NUMBER_BYTES];
    char number[TEXT_NUMBER_BYTES];
    text_set(call->request_id, sizeof(call->request_id), item->command.id, "/",
             text_number(item->attempts, attempt), ".", text_number(++item->calls_made, number),
             NULL);
    call->not_after_ms =
        berth_harbor_call_is_write(call->kind) ? claim_not_after_ms(engine, item) : INT64_MAX;
    call->asked_ms = engine->now_ms;
    item->has_unsent = false;
    item->calls_outstanding++;
    registry->calls_outstanding++;
}

void calls_answered(struct berth_engine *engine, struct registry *registry,
                    const struct berth_harbor_call *call,
                    const struct berth_harbor_answer *answer) {
    BERTH_ASSERT(registry->calls_outstanding > 0);
    registry->calls_outstanding--;
    struct limit *limit = &registry->limit;
    switch (answer->trouble) {
    case BERTH_HARBOR_TROUBLE_NONE:
        if (answer->verdict != BERTH_HARBOR_UNKNOWN && answer->verdict != BERTH_HARBOR_NOT_SENT) {
            limit_answered(limit, call->kind, LIMIT_ANSWERED, call->asked_ms, engine->now_ms);
        }
        break;
    case BERTH_HARBOR_TROUBLE_RATE: {
        enum limit_sign sign = answer->http_status == 503 ? LIMIT_OVERLOADED : LIMIT_REFUSED;
        limit_answered(limit, call->kind, sign, call->asked_ms, engine->now_ms);
        break;
    }
    case BERTH_HARBOR_TROUBLE_CONNECTION:
        /* Without a connection it wasn't asked. */
        if (answer->verdict == BERTH_HARBOR_UNKNOWN) {
            limit_answered(limit, call->kind, LIMIT_OVERLOADED, call->asked_ms, engine->now_ms);
        }
        break;
    case BERTH_HARBOR_TROUBLE_SERVER:
        /* Its own error, not a front end's: there is somebody who has time to answer. Else a few
         * spaces that fail would keep the limit at one after each pause, and be all that is asked
         * until the breaker takes them for the registry. */
        if (answer->http_status == 500) {
            limit_answered(limit, call->kind, LIMIT_FAILED, call->asked_ms, engine->now_ms);
        }
        break;
    case BERTH_HARBOR_TROUBLE_READ_ONLY:
    case BERTH_HARBOR_TROUBLE_CREDENTIALS:
        break;
    }
    breaker_call_answered(engine, registry, call, answer);
}
