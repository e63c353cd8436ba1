/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work: stepping the plan of a claimed command, what Harbor answered, retries, giving up, deciding
 * (design 4.4, 4.8).
 */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/codes.h"
#include "engine_parts.h"
#include "text.h"

/* Design 4.4: a read-back comes some time after the last write of unknown outcome. Harbor may still
 * be carrying it out behind a connection that broke: what is read at once proves nothing. As long
 * as the grace after a restart, which waits for the same thing. */
#define READ_BACK_PAUSE_MS 2000
/* When giving up, and the read-back fails so often, nothing is told of the space. */
#define READ_BACKS_MAX 5

static bool lost_meanwhile(struct berth_engine *engine, struct item *item);
static void ask_harbor(struct berth_engine *engine, struct item *item,
                       struct berth_harbor_call *calls, size_t count);
static void back_off_or_give_up(struct berth_engine *engine, struct item *item);
static bool budget_spent(const struct berth_engine *engine, const struct item *item);
static void read_back(struct berth_engine *engine, struct item *item);
static void give_up(struct berth_engine *engine, struct item *item, bool state_unknown);
static void decided(struct berth_engine *engine, struct item *item, bool free_lane);
static void stamp_states(struct berth_engine *engine, struct item *item);

void work_start(struct berth_engine *engine, struct item *item,
                const struct berth_claim_answer *claim) {
    const struct berth_engine_registry *registry = &engine->config->registries[item->registry];
    struct berth_plan_registry plan_registry = {
        .index = item->registry, .account = registry->account, .dedicated = registry->dedicated};
    /* Redis may have lost a claim under which this worker asked Harbor. */
    bool first_claim = claim->first && item->calls_made == 0;
    bool cold = !first_claim || item->take_over || claim->state.knowledge == BERTH_SPACE_UNKNOWN ||
                claim->state.verified_at_ms < engine->wall_ms - engine->config->cold_after_ms;

    /* When Redis lost its data under the claim before: what was met then is remembered again. */
    bool lost_before = !claim->before_known && item->before.knowledge != BERTH_SPACE_UNKNOWN;
    const struct berth_space_state *before = lost_before ? &item->before : &claim->before;

    BERTH_ASSERT(item->work == NULL);
    item->work = berth_pool_alloc(engine->pool, sizeof(*item->work));
    berth_work_init(item->work, &item->command, &plan_registry, &engine->plan_settings,
                    engine->pool);
    berth_work_claimed(item->work, first_claim, claim->before_known || lost_before, before,
                       &claim->state, cold);
    item_drop_before(engine, item);
    item->burned = 0;
    item->failures = 0;
    item->read_backs = 0;
    item->failed_once = false;
    item->burn = false;
    item->retry_after_ms = 0;
    item->last_error[0] = '\0';
    if (lost_before) {
        claim_remember(engine, item);
        return;
    }
    item_move(engine, item, ITEM_RUNNING);
    work_go_on(engine, item);
}

void work_end(struct berth_engine *engine, struct item *item) {
    if (item->work != NULL) {
        berth_work_deinit(item->work);
        berth_pool_free(engine->pool, item->work);
        item->work = NULL;
    }
}

void work_go_on(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->state == ITEM_RUNNING);
    if (lost_meanwhile(engine, item)) {
        return;
    }
    if (item->failed_once) {
        if (item->calls_outstanding == 0) {
            back_off_or_give_up(engine, item);
        }
        return;
    }
    size_t capacity = BERTH_PLAN_CALLS_MAX - item->calls_outstanding;
    if (capacity == 0 || !claim_may_call(engine, item)) {
        return;
    }
    struct berth_harbor_call calls[BERTH_PLAN_CALLS_MAX];
    size_t count = 0;
    struct berth_outcome outcome = {0};
    switch (berth_work_step(item->work, calls, capacity, &count, &outcome)) {
    case BERTH_PLAN_CALLS:
        ask_harbor(engine, item, calls, count);
        BERTH_ASSERT(item->calls_outstanding > 0);
        break;
    case BERTH_PLAN_REMEMBER:
        BERTH_ASSERT(item->calls_outstanding == 0);
        claim_remember(engine, item);
        break;
    case BERTH_PLAN_DONE:
        *item_outcome(engine, item) = outcome;
        decided(engine, item, true);
        break;
    }
}

static bool lost_meanwhile(struct berth_engine *engine, struct item *item) {
    if (!item->lost) {
        return false;
    }
    if (item->calls_outstanding == 0) {
        claim_lost(engine, item);
    }
    return true;
}

static void ask_harbor(struct berth_engine *engine, struct item *item,
                       struct berth_harbor_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_HARBOR);
        effect->slot = item->slot;
        effect->harbor.call_id = item->slot;
        effect->harbor.call = calls[i];
        struct berth_harbor_call *call = &effect->harbor.call;
        char attempt[TEXT_NUMBER_BYTES];
        char number[TEXT_NUMBER_BYTES];
        text_set(call->request_id, sizeof(call->request_id), item->command.id, "/",
                 text_number(item->attempts, attempt), ".", text_number(++item->calls_made, number),
                 NULL);
        call->not_after_ms =
            berth_harbor_call_is_write(call->kind) ? claim_not_after_ms(engine, item) : INT64_MAX;
        item->calls_outstanding++;
    }
}

void work_answered(struct berth_engine *engine, struct item *item,
                   const struct berth_harbor_call *call, const struct berth_harbor_answer *answer) {
    BERTH_ASSERT(item->state == ITEM_RUNNING || item->state == ITEM_READING_BACK);
    bool write = berth_harbor_call_is_write(call->kind);
    switch (berth_work_observe(item->work, call, answer)) {
    case BERTH_OBSERVED_PROGRESS:
        if (write) { /* A read between two failed writes says nothing of the next one. */
            item->failures = 0;
        }
        break;
    case BERTH_OBSERVED_RETRY:
        item->burn = true;
        item->failed_once = true;
        break;
    case BERTH_OBSERVED_RETRY_FREE:
        item->failed_once = true;
        break;
    }
    if (write && item->work->write_unknown) {
        item->read_from_ms = engine->now_ms + READ_BACK_PAUSE_MS;
    }
    if (item->failed_once) {
        text_set(item->last_error, sizeof(item->last_error),
                 berth_harbor_verdict_name(answer->verdict), ": ", answer->error, NULL);
        if (answer->retry_after_ms > item->retry_after_ms) {
            item->retry_after_ms = answer->retry_after_ms;
        }
    }
    if (item->state == ITEM_READING_BACK) {
        read_back(engine, item);
    } else {
        work_go_on(engine, item);
    }
}

/* ---- Retries ---- */

static void back_off_or_give_up(struct berth_engine *engine, struct item *item) {
    if (item->partition == NULL) {
        work_abandon(engine, item);
        return;
    }
    item->burned += item->burn;
    if (budget_spent(engine, item)) {
        item_move(engine, item, ITEM_READING_BACK);
        item->failed_once = false;
        if (item->work->write_unknown) {
            engine_arm(engine, &item->timer, READ_BACK_PAUSE_MS);
        } else {
            give_up(engine, item, false);
        }
        return;
    }
    int64_t pause_ms = engine_backoff_ms(engine, engine->config->backoff_ms,
                                         engine->config->backoff_max_ms, item->failures);
    if (pause_ms < item->retry_after_ms) {
        pause_ms = item->retry_after_ms;
    }
    if (pause_ms < item->read_from_ms - engine->now_ms) {
        pause_ms = item->read_from_ms - engine->now_ms;
    }
    item->failures++;
    char burned[TEXT_NUMBER_BYTES];
    char pause[TEXT_NUMBER_BYTES];
    engine_notice(engine, item, "command.retried", "burned=", text_number(item->burned, burned),
                  " pause_ms=", text_number(pause_ms, pause), " reason=\"", item->last_error, "\"",
                  NULL);
    item_move(engine, item, ITEM_BACKING_OFF);
    engine_arm(engine, &item->timer, pause_ms);
}

/* Attempts and age; the age runs from the first claim by whichever worker. */
static bool budget_spent(const struct berth_engine *engine, const struct item *item) {
    return item->burned >= engine->config->retry_attempts ||
           engine->wall_ms - item->received_wall_ms >= engine->config->retry_age_ms;
}

void work_timer(struct berth_engine *engine, struct item *item) {
    item->failed_once = false;
    item->burn = false;
    item->retry_after_ms = 0;
    if (item->state == ITEM_READING_BACK) {
        read_back(engine, item);
        return;
    }
    item_move(engine, item, ITEM_RUNNING);
    work_go_on(engine, item);
}

void work_abandon(struct berth_engine *engine, struct item *item) {
    engine->abandoned = true;
    claim_let_go(engine, item);
    work_end(engine, item);
    item_release(engine, item);
    intake_check_finished(engine, NULL);
}

/* ---- Giving up ---- */

static void read_back(struct berth_engine *engine, struct item *item) {
    if (item->calls_outstanding > 0 || lost_meanwhile(engine, item)) {
        return;
    }
    if (item->failed_once) {
        if (++item->read_backs >= READ_BACKS_MAX) {
            give_up(engine, item, true);
        } else {
            engine_arm(engine, &item->timer, READ_BACK_PAUSE_MS);
        }
        return;
    }
    struct berth_harbor_call calls[BERTH_PLAN_CALLS_MAX];
    size_t count = 0;
    if (berth_work_read_back(item->work, calls, BERTH_PLAN_CALLS_MAX, &count)) {
        ask_harbor(engine, item, calls, count);
    } else {
        give_up(engine, item, false);
    }
}

static void give_up(struct berth_engine *engine, struct item *item, bool state_unknown) {
    char message[BERTH_MESSAGE_BYTES];
    const char *code =
        state_unknown ? BERTH_CODE_SPACE_STATE_UNKNOWN : BERTH_CODE_REGISTRY_UNAVAILABLE;
    char burned[TEXT_NUMBER_BYTES];
    char seconds[TEXT_NUMBER_BYTES];
    text_set(message, sizeof(message), "Registry '", item->command.registry,
             "' could not do it after ", text_number(item->burned, burned), " attempts in ",
             text_number((engine->wall_ms - item->received_wall_ms) / 1000, seconds), " s (",
             item->last_error,
             "); the command is in the dead letters: replay it or send it again when the registry "
             "is well.",
             state_unknown ? " What is there now could not be read." : "", NULL);
    berth_work_give_up(item->work, code, message, state_unknown, item_outcome(engine, item));
    /* Something may still be applied late: the lane stays taken until its lease has run out. */
    decided(engine, item, !state_unknown);
}

/* ---- Deciding ---- */

static void decided(struct berth_engine *engine, struct item *item, bool free_lane) {
    struct berth_outcome *outcome = item->outcome;
    outcome->attempts = item->attempts;
    outcome->received_at_ms = item->received_wall_ms;
    outcome->finished_at_ms = engine->wall_ms;
    outcome->final = true;
    stamp_states(engine, item);
    item->free_lane = free_lane;
    work_end(engine, item);
    claim_store(engine, item);
}

/* Who changed the space and when; what was compared as a whole counts as verified now. */
static void stamp_states(struct berth_engine *engine, struct item *item) {
    struct berth_space_state *after = &item->outcome->after;
    if (after->knowledge == BERTH_SPACE_UNKNOWN) {
        return;
    }
    if (item->outcome->verified) {
        after->verified_at_ms = engine->wall_ms;
    }
    if (item->outcome->changed) {
        text_set(after->updated_by, sizeof(after->updated_by), item->command.id, NULL);
        after->updated_at_ms = engine->wall_ms;
    }
}

void work_refuse(struct berth_engine *engine, struct item *item, enum berth_outcome_kind kind,
                 const char *code, const char *message) {
    struct berth_outcome *outcome = item_outcome(engine, item);
    berth_outcome_refuse(outcome, kind, code, message);
    outcome->attempts = 1;
    outcome->received_at_ms = engine->wall_ms;
    outcome->finished_at_ms = engine->wall_ms;
    item->form = BERTH_PUBLISH_DIRECT;
    publish_ready(engine, item);
}
