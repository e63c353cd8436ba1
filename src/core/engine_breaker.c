/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakers: a registry that is down, or in read-only mode, or doesn't know us any more, stops only
 * itself (design 5). Its lanes are kept and wait; no attempt is burned and no command grows older;
 * a probe finds out when it is well again.
 *
 * What opens it must not be the fault of a command or of its space. No connection is the registry's
 * own, and so are read-only mode and a refused login. Anything else that fails (5xx, no reply in
 * time, what isn't Harbor's) may be one space's: three spaces must fail for a while with nothing
 * well in between. Before that the failing command would burn its attempts, even while everything
 * is down and it is just the only one there; so a single failure raises a doubt, and a probe
 * decides whose fault it was. What was burned in doubt is given back when the breaker opens.
 *
 * Retry-After is a pause of the same kind, which ends by itself.
 *
 *            a failure that may be its own              a probe is fine
 *   CLOSED ------------------------------> DOUBTED --------------------> CLOSED
 *     |                                      |  |
 *     | evidence                     a probe |  | evidence
 *     v                                fails |  v
 *    OPEN <----------------------------------+  |
 *     |  ^  a probe fails                       |
 *     |  +------------------ PROBING <----------+
 *     |  time for a probe       ^ |  a probe is fine
 *     +-------------------------+ +--------------------> CLOSED
 *
 * In CLOSED and DOUBTED the registry's lanes go on; in OPEN and PROBING nothing but the probe is
 * asked. Invariant: the probe's timer is armed in OPEN only; a probe is under way in DOUBTED and
 * PROBING only.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

/* Calls in a row that find no connection; or all that were under way. */
#define UNREACHED_MAX 3
/* With many calls a second, any three of a row may be failing spaces. */
#define SUSPECTED_FOR_MS 1000
/* How often one failing space may have the registry probed. */
#define DOUBT_EVERY_MS 1000
/* The pauses before probes. The longest is short: who waits for a registry to come back sees its
 * commands done within seconds. */
#define PROBE_FIRST_MS 500
#define PROBE_MAX_MS   3000
/* Registries whose probes are fine while their calls fail are left alone for longer each time. */
#define FINE_LATELY_MS  30000
#define REOPENED_MAX_MS 30000
/* The longest wait that anybody may ask for. */
#define REST_MAX_MS ((int64_t)3600 * 1000)

static void breaker_move(struct breaker *breaker, enum breaker_state to);
static bool evidence(struct berth_engine *engine, struct registry *registry,
                     const struct berth_harbor_call *call, const struct berth_harbor_answer *answer,
                     const char **ret_reason);
static bool note_unreached(struct registry *registry);
static bool note_suspect(struct berth_engine *engine, struct breaker *breaker, const char *space);
static void note_fine(struct breaker *breaker);
static bool probed_lately(const struct berth_engine *engine, const struct breaker *breaker);
static void open_breaker(struct berth_engine *engine, struct registry *registry,
                         enum breaker_state to, const char *reason,
                         const struct berth_harbor_answer *answer);
static void wait_for_probe(struct berth_engine *engine, struct registry *registry);
static void probe(struct berth_engine *engine, struct registry *registry);
static void close_breaker(struct berth_engine *engine, struct registry *registry);
static void rest(struct berth_engine *engine, struct registry *registry, int64_t for_ms);
static void pause_or_resume(struct berth_engine *engine, struct registry *registry);
static bool fine_lately(const struct berth_engine *engine, const struct breaker *breaker);

void breaker_init(struct registry *registry) {
    registry->breaker = (struct breaker){
        .probe_timer = {.kind = TIMER_PROBE, .owner = registry},
        .rest_timer = {.kind = TIMER_REST, .owner = registry},
    };
}

static void breaker_move(struct breaker *breaker, enum breaker_state to) {
    static const unsigned moves[BREAKER_STATES] = {
        [BREAKER_CLOSED] = 1u << BREAKER_DOUBTED | 1u << BREAKER_OPEN,
        [BREAKER_DOUBTED] = 1u << BREAKER_CLOSED | 1u << BREAKER_OPEN | 1u << BREAKER_PROBING,
        [BREAKER_OPEN] = 1u << BREAKER_PROBING,
        [BREAKER_PROBING] = 1u << BREAKER_OPEN | 1u << BREAKER_CLOSED,
    };
    BERTH_ASSERT((moves[breaker->state] & 1u << to) != 0);
    BERTH_ASSERT(!berth_deadline_armed(&breaker->probe_timer.deadline));
    breaker->state = to;
}

/* ---- What others ask ---- */

bool breaker_blocks(const struct registry *registry) {
    const struct breaker *breaker = &registry->breaker;
    return breaker->state == BREAKER_OPEN || breaker->state == BREAKER_PROBING ||
           berth_deadline_armed(&breaker->rest_timer.deadline);
}

bool breaker_holds(const struct berth_engine *engine, const struct item *item) {
    if (item->registry == engine->config->registries_count ||
        !breaker_blocks(&engine->registries[item->registry])) {
        return false;
    }
    switch (item->state) {
    case ITEM_QUEUED:
    case ITEM_WAITING:
    case ITEM_BACKING_OFF:
    case ITEM_RUNNING:
    case ITEM_READING_BACK:
        return item->calls_outstanding == 0;
    case ITEM_CLAIMING:
    case ITEM_REMEMBERING:
    case ITEM_STORING:
    case ITEM_READY:
    case ITEM_PUBLISHING:
    case ITEM_SET_ASIDE:
        return false;
    }
    BERTH_UNREACHABLE("an item is in one of its states");
}

int64_t breaker_paused_ms(const struct berth_engine *engine, const struct registry *registry) {
    const struct breaker *breaker = &registry->breaker;
    int64_t under_way_ms = breaker->pausing ? engine->now_ms - breaker->pause_began_ms : 0;
    return breaker->paused_ms + under_way_ms;
}

/* ---- What answers say ---- */

void breaker_call_answered(struct berth_engine *engine, struct registry *registry,
                           const struct berth_harbor_call *call,
                           const struct berth_harbor_answer *answer) {
    struct breaker *breaker = &registry->breaker;
    if (answer->retry_after_ms > 0) {
        rest(engine, registry, answer->retry_after_ms);
    }
    if (breaker->state == BREAKER_OPEN || breaker->state == BREAKER_PROBING) {
        return; /* It was asked before: the probe knows better. */
    }
    const char *reason = NULL;
    if (evidence(engine, registry, call, answer, &reason)) {
        bool again = breaker->suspects_count == BREAKER_SUSPECTS && fine_lately(engine, breaker);
        breaker->reopenings = again ? breaker->reopenings + 1 : 0;
        bool doubted = breaker->state == BREAKER_DOUBTED;
        open_breaker(engine, registry, doubted ? BREAKER_PROBING : BREAKER_OPEN, reason, answer);
    } else if (reason != NULL && !probed_lately(engine, breaker)) {
        breaker_doubt(engine, registry);
    }
}

/* True: it is the registry. False with a reason: it may be. */
static bool evidence(struct berth_engine *engine, struct registry *registry,
                     const struct berth_harbor_call *call, const struct berth_harbor_answer *answer,
                     const char **ret_reason) {
    struct breaker *breaker = &registry->breaker;
    bool one_spaces = false;
    switch (answer->trouble) {
    case BERTH_HARBOR_TROUBLE_NONE:
        if (answer->verdict == BERTH_HARBOR_NOT_SENT) {
            return false; /* Our own doing. */
        }
        if (answer->verdict != BERTH_HARBOR_UNKNOWN) {
            note_fine(breaker);
            return false;
        }
        *ret_reason = "its answers aren't Harbor's";
        one_spaces = true;
        break;
    case BERTH_HARBOR_TROUBLE_CONNECTION:
        *ret_reason = "it can't be reached";
        if (answer->verdict == BERTH_HARBOR_NOT_SENT) {
            return note_unreached(registry);
        }
        *ret_reason = "it doesn't reply";
        one_spaces = true;
        break;
    case BERTH_HARBOR_TROUBLE_RATE:
        if (answer->http_status != 503 || answer->retry_after_ms > 0) {
            return false; /* It is well, and busy. */
        }
        *ret_reason = "it isn't available";
        one_spaces = true;
        break;
    case BERTH_HARBOR_TROUBLE_SERVER:
        *ret_reason = "its server fails";
        one_spaces = true;
        break;
    case BERTH_HARBOR_TROUBLE_READ_ONLY:
        *ret_reason = "it is in read-only mode";
        /* Unless the probe has just said the opposite: then it is this space or our account. */
        one_spaces = fine_lately(engine, breaker);
        break;
    case BERTH_HARBOR_TROUBLE_CREDENTIALS:
        *ret_reason = "it doesn't accept our login";
        one_spaces =
            answer->verdict != BERTH_HARBOR_UNAUTHENTICATED || fine_lately(engine, breaker);
        break;
    }
    return !one_spaces || note_suspect(engine, breaker, call->space);
}

static bool note_unreached(struct registry *registry) {
    return ++registry->breaker.unreached >= UNREACHED_MAX || registry->calls_outstanding == 0;
}

static bool note_suspect(struct berth_engine *engine, struct breaker *breaker, const char *space) {
    if (breaker->suspects_count == 0) {
        breaker->suspected_ms = engine->now_ms;
    }
    bool known = false;
    for (uint32_t i = 0; i < breaker->suspects_count; i++) {
        known = known || strcmp(breaker->suspects[i], space) == 0;
    }
    if (!known && breaker->suspects_count < BREAKER_SUSPECTS) {
        text_set(breaker->suspects[breaker->suspects_count++], sizeof(breaker->suspects[0]), space,
                 NULL);
    }
    return breaker->suspects_count == BREAKER_SUSPECTS &&
           engine->now_ms - breaker->suspected_ms >= SUSPECTED_FOR_MS;
}

static void note_fine(struct breaker *breaker) {
    breaker->streak++;
    breaker->unreached = 0;
    breaker->suspects_count = 0;
}

static bool fine_lately(const struct berth_engine *engine, const struct breaker *breaker) {
    return breaker->probe_fine_ms > 0 && engine->now_ms - breaker->probe_fine_ms < FINE_LATELY_MS;
}

/* ---- Moves ---- */

static bool probed_lately(const struct berth_engine *engine, const struct breaker *breaker) {
    return breaker->probe_began_ms > 0 && engine->now_ms - breaker->probe_began_ms < DOUBT_EVERY_MS;
}

void breaker_doubt(struct berth_engine *engine, struct registry *registry) {
    struct breaker *breaker = &registry->breaker;
    if (breaker->state == BREAKER_CLOSED) {
        breaker_move(breaker, BREAKER_DOUBTED);
        probe(engine, registry);
    }
}

static void open_breaker(struct berth_engine *engine, struct registry *registry,
                         enum breaker_state to, const char *reason,
                         const struct berth_harbor_answer *answer) {
    struct breaker *breaker = &registry->breaker;
    breaker->opened_ms = engine->now_ms;
    breaker->probes_failed = 0;
    engine_notice_registry(engine, registry->number, "breaker.opened", "reason=\"", reason, ": ",
                           berth_harbor_verdict_name(answer->verdict), ": ", answer->error, "\"",
                           NULL);
    breaker_move(breaker, to);
    if (to == BREAKER_OPEN) {
        wait_for_probe(engine, registry);
    }
    pause_or_resume(engine, registry);
    work_give_back_burns(engine, registry);
    work_verdict(engine, registry);
}

/* Exponential back-off; jitter takes up to half of it away, so that workers don't probe in step. */
static void wait_for_probe(struct berth_engine *engine, struct registry *registry) {
    struct breaker *breaker = &registry->breaker;
    bool first = breaker->probes_failed == 0;
    int64_t cap_ms = first ? REOPENED_MAX_MS : PROBE_MAX_MS;
    uint32_t doublings = first ? breaker->reopenings : breaker->probes_failed;
    int64_t pause_ms = PROBE_FIRST_MS;
    for (uint32_t i = 0; i < doublings && pause_ms < cap_ms; i++) {
        pause_ms *= 2;
    }
    pause_ms = pause_ms > cap_ms ? cap_ms : pause_ms;
    pause_ms -= berth_random_below(&engine->random, pause_ms / 2);
    const struct berth_deadline *rests = &breaker->rest_timer.deadline;
    if (berth_deadline_armed(rests) && rests->at_ms - engine->now_ms > pause_ms) {
        pause_ms = rests->at_ms - engine->now_ms;
    }
    engine_arm(engine, &breaker->probe_timer, pause_ms);
}

void breaker_probe_timer(struct berth_engine *engine, struct registry *registry) {
    breaker_move(&registry->breaker, BREAKER_PROBING);
    probe(engine, registry);
}

static void probe(struct berth_engine *engine, struct registry *registry) {
    struct breaker *breaker = &registry->breaker;
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_HARBOR);
    effect->harbor.call_id = ENGINE_PROBE_CALL_ID - registry->number;
    struct berth_harbor_call *call = &effect->harbor.call;
    *call = (struct berth_harbor_call){
        .kind = BERTH_HARBOR_PROBE,
        .registry = registry->number,
        .not_after_ms = INT64_MAX,
        .asked_ms = engine->now_ms,
    };
    char number[TEXT_NUMBER_BYTES];
    text_set(call->request_id, sizeof(call->request_id), engine->config->incarnation, "/probe.",
             text_number(++breaker->probes, number), NULL);
    breaker->probe_began_ms = engine->now_ms;
}

void breaker_probe_answered(struct berth_engine *engine, struct registry *registry,
                            const struct berth_harbor_answer *answer) {
    struct breaker *breaker = &registry->breaker;
    BERTH_ASSERT(breaker->state == BREAKER_DOUBTED || breaker->state == BREAKER_PROBING);
    bool busy = answer->retry_after_ms > 0;
    if (busy) {
        rest(engine, registry, answer->retry_after_ms);
    }
    bool fine = answer->verdict == BERTH_HARBOR_DONE;
    if (fine) {
        breaker->probe_fine_ms = engine->now_ms;
    }
    if (breaker->state == BREAKER_PROBING && fine) {
        close_breaker(engine, registry);
    } else if (breaker->state == BREAKER_PROBING) {
        breaker->probes_failed++;
        breaker_move(breaker, BREAKER_OPEN);
        wait_for_probe(engine, registry);
    } else if (fine || busy) {
        breaker_move(breaker, BREAKER_CLOSED);
        work_verdict(engine, registry);
    } else {
        breaker->reopenings = 0;
        open_breaker(engine, registry, BREAKER_OPEN, "a probe failed", answer);
    }
}

static void close_breaker(struct berth_engine *engine, struct registry *registry) {
    struct breaker *breaker = &registry->breaker;
    breaker_move(breaker, BREAKER_CLOSED);
    breaker->unreached = 0;
    breaker->suspects_count = 0;
    char number[TEXT_NUMBER_BYTES];
    engine_notice_registry(engine, registry->number, "breaker.closed",
                           "ms=", text_number(engine->now_ms - breaker->opened_ms, number), NULL);
    pause_or_resume(engine, registry);
}

/* ---- Pauses ---- */

static void rest(struct berth_engine *engine, struct registry *registry, int64_t for_ms) {
    struct timer *timer = &registry->breaker.rest_timer;
    for_ms = for_ms > REST_MAX_MS ? REST_MAX_MS : for_ms;
    if (berth_deadline_armed(&timer->deadline) &&
        timer->deadline.at_ms >= engine->now_ms + for_ms) {
        return;
    }
    if (!berth_deadline_armed(&timer->deadline)) {
        char number[TEXT_NUMBER_BYTES];
        engine_notice_registry(engine, registry->number, "registry.rests",
                               "ms=", text_number(for_ms, number), " reason=\"Retry-After\"", NULL);
    }
    engine_arm(engine, timer, for_ms);
    pause_or_resume(engine, registry);
}

void breaker_rest_timer(struct berth_engine *engine, struct registry *registry) {
    pause_or_resume(engine, registry);
}

/* Called whenever breaker_blocks() may have changed. */
static void pause_or_resume(struct berth_engine *engine, struct registry *registry) {
    struct breaker *breaker = &registry->breaker;
    bool blocks = breaker_blocks(registry);
    if (blocks == breaker->pausing) {
        return;
    }
    if (blocks) {
        breaker->pausing = true;
        breaker->pause_began_ms = engine->now_ms;
        engine->let_go_due = true;
        return;
    }
    breaker->paused_ms = breaker_paused_ms(engine, registry);
    breaker->pausing = false;
    limit_start_low(&registry->limit, engine->now_ms);
    work_wake(engine, registry);
    lanes_resume(engine, registry);
    calls_serve(engine, registry);
}

/* ---- Figures ---- */

void berth_engine_registry_figures(const struct berth_engine *engine, uint32_t number,
                                   struct berth_engine_registry_figures *ret) {
    BERTH_ASSERT(number < engine->config->registries_count);
    const struct registry *registry = &engine->registries[number];
    const struct breaker *breaker = &registry->breaker;
    *ret = (struct berth_engine_registry_figures){
        .open = breaker->state == BREAKER_OPEN || breaker->state == BREAKER_PROBING,
        .resting = berth_deadline_armed(&breaker->rest_timer.deadline),
        .paused_total_ms = breaker_paused_ms(engine, registry),
        .calls = registry->calls_outstanding,
        .calls_limit = registry->limit.calls,
    };
}
