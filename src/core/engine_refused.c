/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis away, or refusing: which of the two matters only where a key is one command's own. Whatever
 * stops everybody is waited for; a key that somebody put something else into stops this command
 * alone, and would stop it for ever.
 */
#include "engine_refused.h"
#include "berth/base/assert.h"
#include "berth/core/codes.h"
#include "engine_parts.h"
#include "text.h"

#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS   2000

/* Whose key it is when Redis doesn't say which. */
static const char *key_of(const struct berth_ledger_answer *answer) {
    return answer->bad_key[0] != '\0' ? answer->bad_key : "of this command or of its space";
}

static void say_refused(struct berth_engine *engine, const struct item *item,
                        const struct berth_ledger_answer *answer) {
    char burned[TEXT_NUMBER_BYTES];
    engine_notice(engine, item, "command.key_refused", "burned=", text_number(item->burned, burned),
                  " key=\"", key_of(answer), "\" reason=\"", answer->bad_key_why, "\"", NULL);
}

/* Of a decision that can't be stored: what was done stays told, and what the space has become
 * isn't; whoever works on it next reads it first. */
static void spoil(struct berth_engine *engine, struct berth_outcome *outcome, const char *message) {
    outcome->kind = BERTH_FAILED;
    text_set(outcome->code, sizeof(outcome->code), BERTH_CODE_LEDGER_KEY_UNUSABLE, NULL);
    text_set(outcome->message, sizeof(outcome->message), message, NULL);
    outcome->details_count = 0;
    berth_space_state_deinit(&outcome->after, engine->pool);
    berth_space_state_init(&outcome->after);
    outcome->publish_state = false;
    outcome->verified = false;
    outcome->audit = true;
    outcome->dead_letter = true;
}

/* It can't be kept in the ledger, so it is published as it is. */
static void give_up(struct berth_engine *engine, struct item *item,
                    const struct berth_ledger_answer *answer) {
    bool wrote = item->outcome != NULL && item->outcome->wrote;
    char message[BERTH_MESSAGE_BYTES];
    text_set(message, sizeof(message), "The key ", key_of(answer),
             " in Redis holds something that is not berth's. ",
             wrote ? "What was done in Harbor could not be recorded" : "Nothing was changed",
             "; have the key looked at and removed, then replay the dead letter or send the "
             "command again.",
             NULL);
    claim_let_go(engine, item);
    if (item->outcome == NULL) {
        work_refuse(engine, item, BERTH_FAILED, BERTH_CODE_LEDGER_KEY_UNUSABLE, message);
        return;
    }
    spoil(engine, item->outcome, message);
    item->form = BERTH_PUBLISH_DIRECT;
    publish_ready(engine, item);
}

/* True when that was the end of it. */
static bool burn(struct berth_engine *engine, struct item *item,
                 const struct berth_ledger_answer *answer) {
    item->burned++;
    say_refused(engine, item, answer);
    if (item->burned < engine->config->retry_attempts) {
        return false;
    }
    give_up(engine, item, answer);
    return true;
}

/* It may have run or not; every script may run twice, so it is simply asked again. */
void refused_or_away(struct berth_engine *engine, struct item *item,
                     const struct berth_ledger_answer *answer) {
    if (item->lost && item->state != ITEM_STORING) {
        claim_lost(engine, item);
        return;
    }
    if (answer->bad_key != NULL && burn(engine, item, answer)) {
        return;
    }
    int64_t pause_ms =
        engine_backoff_ms(engine, PAUSE_FIRST_MS, PAUSE_MAX_MS, item->ledger_failures);
    item->ledger_failures++;
    engine_arm(engine, &item->timer, pause_ms);
}
