/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: taking a lane in the ledger, waiting for one that somebody else holds, keeping it, and
 * storing the outcome (design 4.2, 4.6, 4.7).
 *
 * Harbor knows no fencing token, so time must do it. A holder counts its lease from before it
 * asked; a waiter must have seen the same mark unchanged for a whole lease on its own clock.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/codes.h"
#include "engine_parts.h"
#include "engine_refused.h"
#include "text.h"

/* How often a lane that somebody else holds is looked at: it may be freed long before its lease. */
#define HELD_LOOK_MS   500
#define RENEW_AGAIN_MS 500 /* After a renewal that wasn't answered. */
/* A burned attempt is told with the next renewal, which comes no later than this. */
#define TELL_BUDGET_MS 250

static struct berth_effect *ask(struct berth_engine *engine, struct item *item,
                                enum berth_ledger_call_kind kind);
static void on_claim(struct berth_engine *engine, struct item *item,
                     const struct berth_claim_answer *claim);
static void on_taken(struct berth_engine *engine, struct item *item,
                     const struct berth_claim_answer *claim);
static void take_budget(struct berth_engine *engine, struct item *item,
                        const struct berth_claim_answer *claim);
static void on_held(struct berth_engine *engine, struct item *item,
                    const struct berth_claim_answer *claim);
static void on_remembered(struct berth_engine *engine, struct item *item, bool lost);
static void on_store(struct berth_engine *engine, struct item *item,
                     const struct berth_ledger_answer *answer);
static enum berth_publish_form stored_form(bool same_source, bool state_current);
static int64_t lease_end_ms(const struct berth_engine *engine, int64_t asked_ms);
static void take_renewals_in(struct berth_engine *engine, const struct berth_ledger_answer *answer);
static bool somebody_waits_for_lease(const struct berth_engine *engine);

/* ---- Asking ---- */

static struct berth_effect *ask(struct berth_engine *engine, struct item *item,
                                enum berth_ledger_call_kind kind) {
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_LEDGER);
    effect->slot = item->slot;
    effect->ledger.call_id = item->slot;
    effect->ledger.registry = item->registry;
    effect->ledger.call.kind = kind;
    item->calls_outstanding++;
    item->asked_ms = engine->now_ms;
    return effect;
}

static enum berth_issued issued_from_here(const struct berth_engine *engine,
                                          const struct item *item) {
    const struct berth_command *command = &item->command;
    if (item->claimed_ms > 0) {
        return BERTH_ISSUED_FINE; /* It is known here, also if Redis has lost it since. */
    }
    if (command->issued_at_ms < engine->wall_ms - engine->config->ledger_memory_ms) {
        return BERTH_ISSUED_TOO_OLD;
    }
    if (command->issued_at_ms > engine->wall_ms + engine->config->future_max_ms) {
        return BERTH_ISSUED_IN_FUTURE;
    }
    return BERTH_ISSUED_FINE;
}

void claim_ask(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(!item->holds_lane);
    BERTH_ASSERT(item->calls_outstanding == 0);
    if (item->partition == NULL) {
        /* Its record is somebody else's, who may have settled it; and if Redis has lost its data
         * since, a claim of ours would do it once more. */
        work_abandon(engine, item);
        return;
    }
    const struct berth_command *command = &item->command;
    if (item->claim_number == 0) {
        item->claim_number = ++engine->claims;
    }
    ask(engine, item, BERTH_LEDGER_CLAIM)->ledger.call.claim = (struct berth_claim_call){
        .command = command,
        .source = &item->source,
        .issued = issued_from_here(engine, item),
        .before_is_absent =
            command->type == BERTH_CREATE_SPACE && command->if_exists == BERTH_IF_EXISTS_FAIL,
        .warm_since_ms = engine->wall_ms - engine->config->cold_after_ms,
        .now_wall_ms = engine->wall_ms,
        .number = item->claim_number,
        .take_over = item->take_over,
        .mark = item->mark,
    };
    item_move(engine, item, ITEM_CLAIMING);
}

void claim_remember(struct berth_engine *engine, struct item *item) {
    ask(engine, item, BERTH_LEDGER_REMEMBER)->ledger.call.remember = (struct berth_remember_call){
        .command = &item->command,
        .token = item->token,
        .before = &item->work->before,
        .corrects = item->work->before_corrected,
    };
    if (item->state != ITEM_REMEMBERING) {
        item_move(engine, item, ITEM_REMEMBERING);
    }
}

void claim_store(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->outcome != NULL);
    bool told = item->outcome->after.knowledge != BERTH_SPACE_UNKNOWN;
    item->outcome->after.version = told ? item->token : 0;
    ask(engine, item, BERTH_LEDGER_STORE)->ledger.call.store = (struct berth_store_call){
        .command = &item->command,
        .source = &item->source,
        .token = item->token,
        .outcome = item->outcome,
        .write_state = told,
        .still_warm = item->outcome->kind == BERTH_REJECTED && !item->outcome->wrote,
        .free_lane = item->free_lane,
    };
    if (item->state != ITEM_STORING) {
        item_move(engine, item, ITEM_STORING);
    }
}

void claim_timer(struct berth_engine *engine, struct item *item) {
    switch (item->state) {
    case ITEM_CLAIMING:
        claim_ask(engine, item);
        break;
    case ITEM_WAITING:
        lane_claim(engine, item);
        break;
    case ITEM_REMEMBERING:
        claim_remember(engine, item);
        break;
    case ITEM_STORING:
        claim_store(engine, item);
        break;
    case ITEM_QUEUED:
    case ITEM_RUNNING:
    case ITEM_BACKING_OFF:
    case ITEM_READING_BACK:
    case ITEM_READY:
    case ITEM_PUBLISHING:
    case ITEM_SET_ASIDE:
        BERTH_UNREACHABLE("no ledger call is repeated in this state");
    }
}

/* ---- Answers ---- */

void claim_answered(struct berth_engine *engine, struct item *item,
                    const struct berth_ledger_answer *answer) {
    if (answer->unavailable) {
        refused_or_away(engine, item, answer);
        return;
    }
    item->ledger_failures = 0;
    item->claim_number = 0;
    switch (answer->kind) {
    case BERTH_LEDGER_CLAIM:
        on_claim(engine, item, &answer->claim);
        break;
    case BERTH_LEDGER_REMEMBER:
        on_remembered(engine, item, answer->remember.lost);
        break;
    case BERTH_LEDGER_STORE:
        on_store(engine, item, answer);
        break;
    case BERTH_LEDGER_RENEW:
    case BERTH_LEDGER_SETTLED:
    case BERTH_LEDGER_BASES:
        BERTH_UNREACHABLE("these belong to no item");
    }
}

static void on_claim(struct berth_engine *engine, struct item *item,
                     const struct berth_claim_answer *claim) {
    switch (claim->verdict) {
    case BERTH_CLAIM_TAKEN:
        on_taken(engine, item, claim);
        break;
    case BERTH_CLAIM_STORED:
        item_drop_outcome(engine, item);
        item->form = stored_form(claim->same_source, claim->state_current);
        item->token = claim->version;
        publish_ready(engine, item);
        break;
    case BERTH_CLAIM_HELD:
        on_held(engine, item, claim);
        break;
    case BERTH_CLAIM_REUSED:
        work_refuse(engine, item, BERTH_REJECTED, BERTH_CODE_COMMAND_ID_REUSED,
                    "This command id was used before for another command; send this one again "
                    "with an id of its own.");
        break;
    case BERTH_CLAIM_TOO_OLD:
        work_refuse(engine, item, BERTH_REJECTED, BERTH_CODE_COMMAND_TOO_OLD,
                    "The command was issued longer ago than berth remembers commands, so it "
                    "can't be told from a repetition; if it is still wanted, send it again with a "
                    "new id.");
        break;
    case BERTH_CLAIM_IN_FUTURE:
        work_refuse(engine, item, BERTH_REJECTED, BERTH_CODE_COMMAND_ISSUED_IN_FUTURE,
                    "issued_at is more than an hour ahead; check the producer's clock and send "
                    "the command again.");
        break;
    }
}

static void on_taken(struct berth_engine *engine, struct item *item,
                     const struct berth_claim_answer *claim) {
    item->holds_lane = true;
    item->lost = false;
    item->token = claim->token;
    item->attempts = claim->attempts;
    item->received_wall_ms = claim->received_at_ms;
    take_budget(engine, item, claim);
    item->lease_end_ms = lease_end_ms(engine, item->asked_ms);
    if (engine->lanes_held++ == 0) {
        engine_arm(engine, &engine->renew_timer, engine->config->renew_ms);
    }
    if (item->outcome != NULL) {
        /* Redis had lost the claim after the work was done: the same outcome is stored. */
        claim_store(engine, item);
        return;
    }
    work_start(engine, item, claim);
}

/* The budget goes on where whoever worked on the command before has left it: a restart doesn't
 * start it again, and neither does a Redis that lost it. Between two claims only the wall clocks
 * tell the time, which may be set back; within one it is the clock that can't be. */
static void take_budget(struct berth_engine *engine, struct item *item,
                        const struct berth_claim_answer *claim) {
    bool known = item->claimed_ms > 0;
    int64_t own_age_ms = known ? work_age_ms(engine, item) : 0;
    int64_t own_paused_ms = known ? work_paused_ms(engine, item) : 0;
    if (claim->burned > item->burned) {
        item->burned = claim->burned;
        item->streak_burns = 0;
    }
    item->paused_ms = claim->paused_ms > own_paused_ms ? claim->paused_ms : own_paused_ms;
    int64_t age_ms = engine->wall_ms - claim->received_at_ms - item->paused_ms;
    item->aged_ms = age_ms > own_age_ms ? age_ms : own_age_ms;
    item->claimed_ms = engine->now_ms;
    item->pause_mark_ms = breaker_paused_ms(engine, &engine->registries[item->registry]);
}

static void on_held(struct berth_engine *engine, struct item *item,
                    const struct berth_claim_answer *claim) {
    /* Whoever holds the lane now may have changed the space: what was decided before is void. */
    item_drop_outcome(engine, item);
    item_drop_before(engine, item);

    bool same = item->mark_seen && item->mark.token == claim->mark.token &&
                item->mark.renewals == claim->mark.renewals;
    if (!same) {
        item->mark_seen = true;
        item->mark = claim->mark;
        item->mark_since_ms = engine->now_ms;
        engine_notice(engine, item, "lane.held", "holder_instance=", claim->holder.instance,
                      " holder_command_id=", claim->holder.command_id, NULL);
    }
    /* An earlier incarnation of this instance is dead, its lock file is ours: a short grace for
     * what it still had under way is enough. */
    bool own_past = strcmp(claim->holder.instance, engine->config->instance) == 0 &&
                    strcmp(claim->holder.incarnation, engine->config->incarnation) != 0;
    int64_t patience_ms = own_past ? engine->config->restart_grace_ms : engine->config->lease_ms;
    int64_t left_ms = item->mark_since_ms + patience_ms - engine->now_ms;
    item->take_over = left_ms <= 0;
    if (!intake_may_wait(engine, item)) {
        return;
    }
    if (item->take_over) {
        claim_ask(engine, item);
        return;
    }
    /* Meanwhile its place is for others: else one dead worker's lanes would stop every space. */
    engine_arm(engine, &item->timer, left_ms < HELD_LOOK_MS ? left_ms : HELD_LOOK_MS);
    lane_leave_room(engine, item);
    item_move(engine, item, ITEM_WAITING);
}

static void on_remembered(struct berth_engine *engine, struct item *item, bool lost) {
    if (lost || item->lost) {
        claim_lost(engine, item);
        return;
    }
    item->work->before_known = true;
    work_resume(engine, item);
}

static void on_store(struct berth_engine *engine, struct item *item,
                     const struct berth_ledger_answer *answer) {
    claim_let_go(engine, item);
    switch (answer->store.verdict) {
    case BERTH_STORE_STORED:
        item->form = BERTH_PUBLISH_MADE;
        item_drop_outcome(engine, item);
        publish_ready(engine, item);
        break;
    case BERTH_STORE_ALREADY:
        item->form = stored_form(answer->store.same_source, answer->store.state_current);
        item->token = answer->store.version;
        item_drop_outcome(engine, item);
        publish_ready(engine, item);
        break;
    case BERTH_STORE_HELD:
        item_drop_outcome(engine, item);
        claim_ask(engine, item);
        break;
    case BERTH_STORE_GONE:
        claim_ask(engine, item);
        break;
    }
}

/* Design 4.3: the same record publishes everything again, but a space state only while it is still
 * the current one; another record with that id gets only a result. */
static enum berth_publish_form stored_form(bool same_source, bool state_current) {
    if (!same_source) {
        return BERTH_PUBLISH_REPLAY;
    }
    return state_current ? BERTH_PUBLISH_STORED : BERTH_PUBLISH_STORED_QUIETLY;
}

/* ---- Keeping the lane ---- */

void claim_let_go(struct berth_engine *engine, struct item *item) {
    item->lost = false;
    item->waits_for_lease = false;
    if (item->holds_lane) {
        item->holds_lane = false;
        if (--engine->lanes_held == 0) {
            engine_disarm(engine, &engine->renew_timer);
        }
    }
}

void claim_lost(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->calls_outstanding == 0);
    char token[TEXT_NUMBER_BYTES];
    engine_notice(engine, item, "lane.lost", "token=", text_number(item->token, token), NULL);
    engine_disarm(engine, &item->timer);
    work_put_down(engine, item);
    claim_ask(engine, item);
}

bool claim_may_call(struct berth_engine *engine, struct item *item) {
    if (engine->now_ms < claim_not_after_ms(engine, item)) {
        return true;
    }
    item->waits_for_lease = true;
    claim_renew(engine);
    return false;
}

int64_t claim_not_after_ms(const struct berth_engine *engine, const struct item *item) {
    return item->lease_end_ms - engine->config->request_timeout_ms;
}

/* From when it was asked; what was asked before a long sleep says nothing of the time after it. */
static int64_t lease_end_ms(const struct berth_engine *engine, int64_t asked_ms) {
    return asked_ms < engine->woke_ms ? engine->now_ms : asked_ms + engine->config->lease_ms;
}

void claim_distrust_leases(struct berth_engine *engine) {
    engine->woke_ms = engine->now_ms;
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item != NULL && item->holds_lane) {
            item->lease_end_ms = engine->now_ms;
        }
    }
    claim_renew(engine);
}

void claim_renew(struct berth_engine *engine) {
    if (engine->renewing || engine->lanes_held == 0) {
        return;
    }
    /* With copies of the commands: an item may be released before the effect is performed. */
    size_t per_lane = sizeof(struct berth_renewal) + sizeof(struct berth_command);
    void *attached;
    struct berth_effect *effect =
        engine_effect_with(engine, BERTH_EFFECT_LEDGER, engine->lanes_held * per_lane, &attached);
    struct berth_renewal *lanes = attached;
    struct berth_command *commands = (struct berth_command *)(lanes + engine->lanes_held);
    engine->renew_count = 0;
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item != NULL && item->holds_lane) {
            struct berth_command *command = &commands[engine->renew_count];
            *command = item->command;
            command->workspaces = NULL;
            command->workspaces_count = 0;
            lanes[engine->renew_count] = (struct berth_renewal){
                .command = command,
                .token = item->token,
                .slot = slot,
                .burned = item->burned,
                .paused_ms = work_paused_ms(engine, item),
            };
            item->burned_asked = item->burned;
            engine->renew_slots[engine->renew_count] = slot;
            engine->renew_tokens[engine->renew_count] = item->token;
            engine->renew_count++;
        }
    }
    BERTH_ASSERT(engine->renew_count == engine->lanes_held);
    effect->ledger.call_id = ENGINE_RENEW_CALL_ID;
    effect->ledger.call.kind = BERTH_LEDGER_RENEW;
    effect->ledger.call.renew.lanes = lanes;
    effect->ledger.call.renew.count = engine->renew_count;
    engine->renewing = true;
    engine->renew_asked_ms = engine->now_ms;
    engine_arm(engine, &engine->renew_timer, engine->config->renew_ms);
}

void claim_tell_budget(struct berth_engine *engine) {
    const struct berth_deadline *renews = &engine->renew_timer.deadline;
    if (berth_deadline_armed(renews) && renews->at_ms > engine->now_ms + TELL_BUDGET_MS) {
        engine_arm(engine, &engine->renew_timer, TELL_BUDGET_MS);
    }
}

void claim_renewed(struct berth_engine *engine, const struct berth_ledger_answer *answer) {
    BERTH_ASSERT(engine->renewing);
    if (!answer->unavailable) {
        take_renewals_in(engine, answer);
    }
    engine->renewing = false;
    if (engine->lanes_held == 0) {
        return;
    }
    if (answer->unavailable) {
        engine_arm(engine, &engine->renew_timer, RENEW_AGAIN_MS);
    } else if (somebody_waits_for_lease(engine) || engine->renew_asked_ms < engine->woke_ms) {
        claim_renew(engine);
    } else if (!berth_deadline_armed(&engine->renew_timer.deadline)) {
        /* It fired while this answer was under way. */
        engine_arm(engine, &engine->renew_timer, engine->config->renew_ms);
    }
}

/* A lane taken after the renewal was asked isn't in it; one asked too long ago is no good. */
static bool somebody_waits_for_lease(const struct berth_engine *engine) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        const struct item *item = engine->slots[slot];
        if (item != NULL && item->waits_for_lease) {
            return true;
        }
    }
    return false;
}

/* The renewal still counts as under way: nobody who goes on here may start another one. */
static void take_renewals_in(struct berth_engine *engine,
                             const struct berth_ledger_answer *answer) {
    BERTH_ASSERT(answer->renew.count == engine->renew_count);
    for (uint32_t i = 0; i < engine->renew_count; i++) {
        struct item *item = engine->slots[engine->renew_slots[i]];
        if (item == NULL || !item->holds_lane || item->token != engine->renew_tokens[i]) {
            continue; /* It ended meanwhile. */
        }
        if (answer->renew.held[i]) {
            item->lease_end_ms = lease_end_ms(engine, engine->renew_asked_ms);
        } else {
            item->lost = true;
        }
        bool waited = item->waits_for_lease;
        item->waits_for_lease = false;
        /* A pause is cut short only to let go: the next owner waits for nothing of ours. */
        if (item->state == ITEM_RUNNING && waited) {
            work_go_on(engine, item);
        } else if (!item->lost) {
            work_consider_stepping_aside(engine, item);
        } else if (item->lost && item->calls_outstanding == 0 && item->state != ITEM_STORING) {
            claim_lost(engine, item);
        }
    }
}
