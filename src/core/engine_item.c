/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items: their moves, what must be true of one in each of its states, and their end.
 *
 * What is true of a state is asserted at each move into it, so that whoever breaks it is found
 * where that happens and not when it is stumbled over. Whoever moves an item makes it true first.
 */
#include "berth/base/assert.h"
#include "engine_parts.h"

static void check_lane(const struct berth_engine *engine, const struct item *item, unsigned state);
static void check_work(const struct berth_engine *engine, const struct item *item, unsigned state);
static void check_queues(const struct item *item, unsigned state);

#define TO(state) (1u << (state))

void item_move(struct berth_engine *engine, struct item *item, enum item_state to) {
    static const unsigned moves[ITEM_STATES] = {
        [ITEM_QUEUED] = TO(ITEM_CLAIMING) | TO(ITEM_READY),
        [ITEM_CLAIMING] = TO(ITEM_CLAIMING) | TO(ITEM_WAITING) | TO(ITEM_REMEMBERING) |
                          TO(ITEM_RUNNING) | TO(ITEM_BACKING_OFF) | TO(ITEM_STORING) |
                          TO(ITEM_READY),
        [ITEM_WAITING] = TO(ITEM_CLAIMING),
        [ITEM_REMEMBERING] =
            TO(ITEM_RUNNING) | TO(ITEM_BACKING_OFF) | TO(ITEM_CLAIMING) | TO(ITEM_READY),
        [ITEM_RUNNING] = TO(ITEM_REMEMBERING) | TO(ITEM_BACKING_OFF) | TO(ITEM_READING_BACK) |
                         TO(ITEM_STORING) | TO(ITEM_CLAIMING),
        [ITEM_BACKING_OFF] = TO(ITEM_RUNNING) | TO(ITEM_READING_BACK) | TO(ITEM_STORING) |
                             TO(ITEM_CLAIMING) | TO(ITEM_WAITING),
        [ITEM_READING_BACK] = TO(ITEM_STORING) | TO(ITEM_CLAIMING) | TO(ITEM_BACKING_OFF),
        [ITEM_STORING] = TO(ITEM_READY) | TO(ITEM_CLAIMING),
        [ITEM_READY] = TO(ITEM_PUBLISHING),
        [ITEM_PUBLISHING] = TO(ITEM_READY) | TO(ITEM_SET_ASIDE),
        [ITEM_SET_ASIDE] = TO(ITEM_READY),
    };
    BERTH_ASSERT((moves[item->state] & TO(to)) != 0);
    engine->ready -= item->state == ITEM_READY;
    engine->ready += to == ITEM_READY;
    engine->set_aside -= item->state == ITEM_SET_ASIDE;
    engine->set_aside += to == ITEM_SET_ASIDE;
    item->state = to;
    item_check(engine, item);
}

/* ---- What is true of each state ---- */

/* In which the lane is held in Redis, as far as we know. */
#define HOLDING                                                                                    \
    (TO(ITEM_REMEMBERING) | TO(ITEM_RUNNING) | TO(ITEM_BACKING_OFF) | TO(ITEM_READING_BACK) |      \
     TO(ITEM_STORING))
#define ASKING_LEDGER (TO(ITEM_CLAIMING) | TO(ITEM_REMEMBERING) | TO(ITEM_STORING))
#define ASKING_HARBOR (TO(ITEM_RUNNING) | TO(ITEM_READING_BACK))
#define ANSWERED      (TO(ITEM_READY) | TO(ITEM_PUBLISHING) | TO(ITEM_SET_ASIDE))

void item_check(const struct berth_engine *engine, const struct item *item) {
    unsigned state = TO(item->state);
    check_lane(engine, item, state);
    check_work(engine, item, state);
    check_queues(item, state);
}

static void check_lane(const struct berth_engine *engine, const struct item *item, unsigned state) {
    bool has_registry = item->registry < engine->config->registries_count;
    BERTH_ASSERT(has_registry || item->lane == NULL);
    BERTH_ASSERT(item->lane != NULL || (state & ANSWERED) != 0);
    /* What hasn't begun, or is over, is nobody's orphan. */
    unsigned orphans = HOLDING | TO(ITEM_CLAIMING) | TO(ITEM_PUBLISHING);
    BERTH_ASSERT(item->partition != NULL || (state & orphans) != 0);
    BERTH_ASSERT(item->holds_lane == ((state & HOLDING) != 0));
    BERTH_ASSERT(item->has_room == ((state & (HOLDING | TO(ITEM_CLAIMING))) != 0));
    BERTH_ASSERT(!item->lost || item->holds_lane);
}

static void check_work(const struct berth_engine *engine, const struct item *item, unsigned state) {
    bool working = (state & HOLDING & ~TO(ITEM_STORING)) != 0;
    BERTH_ASSERT((item->work != NULL) == working);
    BERTH_ASSERT(!working || item->outcome == NULL);
    BERTH_ASSERT(item->state != ITEM_STORING || item->outcome != NULL);
    bool direct = item->form == BERTH_PUBLISH_DIRECT;
    BERTH_ASSERT((state & ANSWERED) == 0 || (item->outcome != NULL) == direct);
    /* What it met is in its work, or here until it has one again. */
    bool claims = item->state == ITEM_CLAIMING || item->state == ITEM_WAITING;
    BERTH_ASSERT(claims || item->before.knowledge == BERTH_SPACE_UNKNOWN);

    bool at_rest = item->calls_outstanding == 0;
    bool too_early = engine->now_ms < item->read_from_ms;
    BERTH_ASSERT((state & ASKING_HARBOR) == 0 || !at_rest || !item->queued_for_call || !too_early);
    BERTH_ASSERT(!item->awaits_verdict || item->state == ITEM_BACKING_OFF);
    BERTH_ASSERT(!item->waits_for_lease || item->state == ITEM_RUNNING);
}

/* And that what it waits for is one thing, which will come. */
static void check_queues(const struct item *item, unsigned state) {
    unsigned calls = item->calls_outstanding;
    unsigned timer = berth_deadline_armed(&item->timer.deadline);
    BERTH_ASSERT(!item->queued_for_room || item->state == ITEM_QUEUED ||
                 item->state == ITEM_WAITING);
    BERTH_ASSERT(!item->queued_for_call || item->has_unsent);
    BERTH_ASSERT(!item->has_unsent || (state & ASKING_HARBOR) != 0);
    BERTH_ASSERT(calls == 0 || (state & (ASKING_LEDGER | ASKING_HARBOR)) != 0);

    unsigned untimed = TO(ITEM_QUEUED) | TO(ITEM_RUNNING) | ANSWERED;
    BERTH_ASSERT(timer == 0 || (state & untimed) == 0);
    BERTH_ASSERT((state & ASKING_LEDGER) == 0 || calls + timer == 1);
    BERTH_ASSERT(item->state != ITEM_WAITING || item->queued_for_room + timer == 1);
    BERTH_ASSERT(item->state != ITEM_BACKING_OFF || item->awaits_verdict + timer == 1);
    BERTH_ASSERT(item->state != ITEM_READING_BACK || item->queued_for_call + calls + timer == 1);
}

void berth_engine_check(const struct berth_engine *engine) {
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        const struct item *item = engine->slots[slot];
        if (item == NULL) {
            continue;
        }
        item_check(engine, item);
        bool renews = engine->renewing || berth_deadline_armed(&engine->renew_timer.deadline);
        /* These are moved before it is known what they wait for. */
        bool first = item->lane != NULL && TAILQ_PREV(item, item_list, in_lane) == NULL;
        BERTH_ASSERT(item->state != ITEM_QUEUED || !first || item->queued_for_room);
        BERTH_ASSERT(item->state != ITEM_RUNNING || item->calls_outstanding > 0 ||
                     item->queued_for_call || item->waits_for_lease);
        BERTH_ASSERT(!item->waits_for_lease || renews);
        BERTH_ASSERT(item->state != ITEM_PUBLISHING || engine->publishing);
    }
}

/* ---- Its end ---- */

size_t record_bytes(const struct item *item) {
    return sizeof(*item) + item->command.workspaces_count * sizeof(struct berth_workspace);
}

void item_release(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->calls_outstanding == 0);
    BERTH_ASSERT(!item->holds_lane);
    BERTH_ASSERT(item->work == NULL);

    engine_effect(engine, BERTH_EFFECT_RELEASE)->slot = item->slot;
    engine->ready -= item->state == ITEM_READY;
    engine->set_aside -= item->state == ITEM_SET_ASIDE;
    engine_disarm(engine, &item->timer);
    item_drop_outcome(engine, item);
    item_drop_before(engine, item);
    struct partition *partition = item->partition;
    if (partition != NULL) {
        TAILQ_REMOVE(&partition->window, item, in_window);
        partition->window_count--;
        if (item->state == ITEM_READY) {
            TAILQ_REMOVE(&partition->ready, item, in_queue);
        } else if (item->state == ITEM_SET_ASIDE) {
            TAILQ_REMOVE(&partition->set_aside, item, in_queue);
        }
    }
    if (item->lane != NULL) {
        lane_leave(engine, item);
    }
    struct share *share = &engine->shares[item->share];
    share->commands--;
    share->bytes -= record_bytes(item);
    engine->slots[item->slot] = NULL;
    engine->free_slots[engine->free_slots_count++] = item->slot;
    berth_pool_free(engine->pool, item->command.workspaces);
    berth_pool_free(engine->pool, item);
}

struct berth_outcome *item_outcome(struct berth_engine *engine, struct item *item) {
    item_drop_outcome(engine, item);
    item->outcome = berth_pool_alloc(engine->pool, sizeof(*item->outcome));
    berth_space_state_init(&item->outcome->before);
    berth_space_state_init(&item->outcome->after);
    return item->outcome;
}

void item_drop_outcome(struct berth_engine *engine, struct item *item) {
    if (item->outcome != NULL) {
        berth_outcome_deinit(item->outcome, engine->pool);
        berth_pool_free(engine->pool, item->outcome);
        item->outcome = NULL;
    }
}

void item_drop_before(struct berth_engine *engine, struct item *item) {
    berth_space_state_deinit(&item->before, engine->pool);
}
