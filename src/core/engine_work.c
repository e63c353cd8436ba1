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
/* A registry that is asked again is not asked by all at once. */
#define WAKE_MS 500
/* A pause that is left of this length is long enough to claim again for. */
#define STEP_ASIDE_MS 1000

static bool lost_meanwhile(struct berth_engine *engine, struct item *item);
static void back_off_or_give_up(struct berth_engine *engine, struct item *item);
static void burn(struct berth_engine *engine, struct item *item);
static bool budget_spent(const struct berth_engine *engine, const struct item *item);
static void spent(struct berth_engine *engine, struct item *item);
static void back_off(struct berth_engine *engine, struct item *item);
static int64_t pause_for(struct berth_engine *engine, struct item *item, int64_t pause_ms);
static int64_t arm_pause(struct berth_engine *engine, struct item *item, int64_t pause_ms);
static void read_back(struct berth_engine *engine, struct item *item);
static void give_up(struct berth_engine *engine, struct item *item, bool state_unknown);
static void decided(struct berth_engine *engine, struct item *item, bool free_lane);
static int attempts_of(const struct item *item, enum berth_outcome_kind kind);
static void stamp_states(struct berth_engine *engine, struct item *item);

void work_start(struct berth_engine *engine, struct item *item,
                const struct berth_claim_answer *claim) {
    const struct berth_engine_registry *registry = &engine->config->registries[item->registry];
    struct berth_plan_registry plan_registry = {.index = item->registry,
                                                .dedicated = registry->dedicated};
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
    item->take_over = false;
    item->read_backs = 0; /* The row of failures goes on. */
    item->failed_once = false;
    item->burn = false;
    if (lost_before) {
        claim_remember(engine, item);
        return;
    }
    work_resume(engine, item);
}

void work_put_down(struct berth_engine *engine, struct item *item) {
    claim_let_go(engine, item);
    if (item->work != NULL && item->work->before_known) {
        berth_space_state_copy(&item->before, &item->work->before, engine->pool);
    }
    work_end(engine, item);
    item_drop_outcome(engine, item);
    item->mark_seen = false;
    item->take_over = false;
}

void work_end(struct berth_engine *engine, struct item *item) {
    calls_unqueue(engine, item);
    item->has_unsent = false;
    item->awaits_verdict = false;
    if (item->work != NULL) {
        berth_work_deinit(item->work);
        berth_pool_free(engine->pool, item->work);
        item->work = NULL;
    }
}

void work_resume(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->calls_outstanding == 0);
    if (engine->now_ms < item->read_from_ms) {
        pause_for(engine, item, 0);
        return;
    }
    item_move(engine, item, ITEM_RUNNING);
    work_go_on(engine, item);
}

void work_go_on(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->state == ITEM_RUNNING);
    if (lost_meanwhile(engine, item)) {
        return;
    }
    if (item->failed_once) {
        calls_take_back(engine, item);
        if (item->calls_outstanding == 0) {
            back_off_or_give_up(engine, item);
        }
        return;
    }
    struct registry *registry = &engine->registries[item->registry];
    work_prepare(engine, item);
    calls_serve(engine, registry);
}

void work_prepare(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->state == ITEM_RUNNING);
    if (item->has_unsent) {
        calls_queue(engine, item);
        return;
    }
    if (item->calls_outstanding == BERTH_PLAN_CALLS_MAX) {
        return;
    }
    size_t count = 0;
    struct berth_outcome outcome = {0};
    switch (berth_work_step(item->work, &item->unsent, 1, &count, &outcome)) {
    case BERTH_PLAN_CALLS:
        item->has_unsent = count > 0;
        if (item->has_unsent) {
            calls_queue(engine, item);
        }
        BERTH_ASSERT(item->has_unsent || item->calls_outstanding > 0);
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

void work_answered(struct berth_engine *engine, struct item *item,
                   const struct berth_harbor_call *call, const struct berth_harbor_answer *answer) {
    BERTH_ASSERT(item->state == ITEM_RUNNING || item->state == ITEM_READING_BACK);
    struct registry *registry = &engine->registries[item->registry];
    calls_answered(engine, registry, call, answer);
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
    if (item->state == ITEM_READING_BACK) {
        read_back(engine, item);
    } else {
        work_go_on(engine, item);
    }
    calls_serve(engine, registry);
}

/* ---- Retries ---- */

static void back_off_or_give_up(struct berth_engine *engine, struct item *item) {
    if (item->partition == NULL) {
        work_abandon(engine, item);
        return;
    }
    if (item->burn) {
        burn(engine, item);
    }
    if (budget_spent(engine, item)) {
        item->awaits_verdict = true;
        item_move(engine, item, ITEM_BACKING_OFF);
        breaker_doubt(engine, &engine->registries[item->registry]);
    } else {
        back_off(engine, item);
    }
}

/* Nothing burns while the registry is sick; what burned in its last streak of failures is given
 * back when it turns out to be. */
static void burn(struct berth_engine *engine, struct item *item) {
    const struct registry *registry = &engine->registries[item->registry];
    if (breaker_blocks(registry)) {
        return;
    }
    if (item->streak != registry->breaker.streak) {
        item->streak = registry->breaker.streak;
        item->streak_burns = 0;
    }
    item->streak_burns++;
    item->burned++;
    claim_tell_budget(engine);
}

void work_give_back_burns(struct berth_engine *engine, const struct registry *registry) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item != NULL && item->registry == registry->number &&
            item->streak == registry->breaker.streak) {
            BERTH_ASSERT(item->burned >= item->streak_burns);
            item->burned -= item->streak_burns;
            item->streak_burns = 0;
        }
    }
}

/* Attempts and age; nobody is given up while the registry is sick. */
static bool budget_spent(const struct berth_engine *engine, const struct item *item) {
    return !breaker_blocks(&engine->registries[item->registry]) &&
           (item->burned >= engine->config->retry_attempts ||
            work_age_ms(engine, item) >= engine->config->retry_age_ms);
}

int64_t work_age_ms(const struct berth_engine *engine, const struct item *item) {
    int64_t paused_ms = work_paused_ms(engine, item) - item->paused_ms;
    return item->aged_ms + engine->now_ms - item->claimed_ms - paused_ms;
}

int64_t work_paused_ms(const struct berth_engine *engine, const struct item *item) {
    const struct registry *registry = &engine->registries[item->registry];
    return item->paused_ms + breaker_paused_ms(engine, registry) - item->pause_mark_ms;
}

static void spent(struct berth_engine *engine, struct item *item) {
    item->failed_once = false;
    if (!item->work->write_unknown && !item->work->place_unread) {
        give_up(engine, item, false);
        return;
    }
    engine_arm(engine, &item->timer, READ_BACK_PAUSE_MS);
    item_move(engine, item, ITEM_READING_BACK);
}

void work_verdict(struct berth_engine *engine, const struct registry *registry) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item == NULL || item->registry != registry->number || !item->awaits_verdict) {
            continue;
        }
        item->awaits_verdict = false;
        if (budget_spent(engine, item)) {
            spent(engine, item);
        } else {
            arm_pause(engine, item, 0);
        }
    }
}

static void back_off(struct berth_engine *engine, struct item *item) {
    if (breaker_blocks(&engine->registries[item->registry])) {
        /* It waits for the registry, not for itself. */
        engine->let_go_due = true;
        pause_for(engine, item, 0);
        return;
    }
    int64_t pause_ms = engine_backoff_ms(engine, engine->config->backoff_ms,
                                         engine->config->backoff_max_ms, item->failures);
    pause_ms = pause_for(engine, item, pause_ms);
    item->failures++;
    char burned[TEXT_NUMBER_BYTES];
    char number[TEXT_NUMBER_BYTES];
    char said[BERTH_HARBOR_SAID_BYTES];
    berth_harbor_said_text(&item->work->failed_by, said);
    engine_notice(engine, item, "command.retried", "burned=", text_number(item->burned, burned),
                  " pause_ms=", text_number(pause_ms, number), " reason=\"", said, "\"", NULL);
}

/* BACKING_OFF for so long, or longer; returns for how long. */
static int64_t pause_for(struct berth_engine *engine, struct item *item, int64_t pause_ms) {
    pause_ms = arm_pause(engine, item, pause_ms);
    item_move(engine, item, ITEM_BACKING_OFF);
    engine->let_go_due |= item->partition != NULL && item->partition->give_up;
    return pause_ms;
}

/* No pause ends before what was written with unknown outcome may be read back. */
static int64_t arm_pause(struct berth_engine *engine, struct item *item, int64_t pause_ms) {
    int64_t read_back_ms = item->read_from_ms - engine->now_ms;
    pause_ms = pause_ms > read_back_ms ? pause_ms : read_back_ms;
    pause_ms = pause_ms > 1 ? pause_ms : 1;
    engine_arm(engine, &item->timer, pause_ms);
    return pause_ms;
}

/*
 * There are only so many rooms: without this as many failing spaces would stop all others for as
 * long as their commands have. It goes on as after a crash: with a claim of its own, reading first.
 * What it met is in the ledger.
 */
void work_consider_stepping_aside(struct berth_engine *engine, struct item *item) {
    const struct registry *registry = &engine->registries[item->registry];
    bool told = item->burned == item->burned_asked;
    bool paused = item->state == ITEM_BACKING_OFF && !item->awaits_verdict && told &&
                  berth_deadline_armed(&item->timer.deadline) &&
                  item->timer.deadline.at_ms - engine->now_ms >= STEP_ASIDE_MS;
    if (!paused || item->partition == NULL || TAILQ_EMPTY(&registry->waiting_for_room) ||
        breaker_blocks(registry)) {
        return;
    }
    work_put_down(engine, item);
    lane_leave_room(engine, item);
    item_move(engine, item, ITEM_WAITING);
}

void work_wake(struct berth_engine *engine, const struct registry *registry) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item == NULL || item->registry != registry->number || item->state != ITEM_BACKING_OFF ||
            item->awaits_verdict) {
            continue;
        }
        int64_t pause_ms = 1 + berth_random_below(&engine->random, WAKE_MS);
        if (engine->now_ms + pause_ms < item->timer.deadline.at_ms) {
            arm_pause(engine, item, pause_ms);
        }
    }
}

void work_timer(struct berth_engine *engine, struct item *item) {
    if (item->partition == NULL && item->state == ITEM_BACKING_OFF) {
        work_abandon(engine, item);
        return;
    }
    item->failed_once = false;
    item->burn = false;
    if (item->state == ITEM_READING_BACK) {
        read_back(engine, item);
        return;
    }
    work_resume(engine, item);
}

void work_abandon(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->calls_outstanding == 0);
    if (item->holds_lane && item->read_from_ms > engine->now_ms) {
        /* Its last write may yet arrive. Whoever has the record now may be ourselves, who don't
         * wait for a lease: so the lane stays taken until what is there can be believed. */
        calls_take_back(engine, item);
        item->awaits_verdict = false;
        arm_pause(engine, item, 0);
        if (item->state != ITEM_BACKING_OFF) {
            item_move(engine, item, ITEM_BACKING_OFF);
        }
        return;
    }
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
    struct registry *registry = &engine->registries[item->registry];
    if (item->failed_once) {
        /* That a sick registry can't be read says nothing. */
        item->read_backs += !breaker_blocks(registry);
        if (item->read_backs >= READ_BACKS_MAX) {
            give_up(engine, item, true);
        } else {
            engine_arm(engine, &item->timer, READ_BACK_PAUSE_MS);
        }
        return;
    }
    size_t count = 0;
    if (!item->has_unsent && !berth_work_read_back(item->work, &item->unsent, 1, &count)) {
        give_up(engine, item, false);
        return;
    }
    item->has_unsent = true;
    calls_queue(engine, item);
    calls_serve(engine, registry);
}

static void give_up(struct berth_engine *engine, struct item *item, bool state_unknown) {
    char message[BERTH_MESSAGE_BYTES];
    const char *code =
        state_unknown ? BERTH_CODE_SPACE_STATE_UNKNOWN : BERTH_CODE_REGISTRY_UNAVAILABLE;
    char attempts[TEXT_NUMBER_BYTES];
    char seconds[TEXT_NUMBER_BYTES];
    char said[BERTH_HARBOR_SAID_BYTES];
    berth_harbor_said_text(&item->work->failed_by, said);
    text_set(
        message, sizeof(message), "Registry '", item->command.registry,
        "' could not do it, attempts: ", text_number(attempts_of(item, BERTH_FAILED), attempts),
        " in ", text_number(work_age_ms(engine, item) / 1000, seconds), " s; the last one: ", said,
        ". The command is in the dead letters: when the registry is well, replay it, or send "
        "it again with its id (berth send --id ",
        item->command.id, ").", state_unknown ? " What is there now could not be read." : "", NULL);
    berth_work_give_up(item->work, code, message, state_unknown, item_outcome(engine, item));
    /* Something may still be applied late: the lane stays taken until its lease has run out. */
    decided(engine, item, !state_unknown);
}

/* ---- Deciding ---- */

static void decided(struct berth_engine *engine, struct item *item, bool free_lane) {
    struct berth_outcome *outcome = item->outcome;
    outcome->attempts = attempts_of(item, outcome->kind);
    outcome->received_at_ms = item->received_wall_ms;
    outcome->finished_at_ms = engine->wall_ms;
    outcome->final = true;
    stamp_states(engine, item);
    item->free_lane = free_lane;
    work_end(engine, item);
    claim_store(engine, item);
}

/* What retry_attempts counts; the one that led to the outcome isn't a failed one, unless all were.
 */
static int attempts_of(const struct item *item, enum berth_outcome_kind kind) {
    bool failed = kind == BERTH_FAILED && item->burned > 0;
    return (int)item->burned + (failed ? 0 : 1);
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
    outcome->received_at_ms = engine->wall_ms;
    outcome->finished_at_ms = engine->wall_ms;
    item->form = BERTH_PUBLISH_DIRECT;
    publish_ready(engine, item);
}
