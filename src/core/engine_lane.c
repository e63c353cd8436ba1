/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes: the commands of one space, one at a time, in the order in which they were taken in.
 *
 * A lane exists while it has items. Its first item is at work (or waits for room); it stays the
 * first until it is settled, so at most one command of a space can ever be found half done.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

/* The hash table's memory is the pool's; every function that touches it calls its engine `engine`.
 */
#define uthash_malloc(bytes)       berth_pool_alloc(engine->pool, (bytes))
#define uthash_free(memory, bytes) berth_pool_free(engine->pool, (memory))
#define uthash_fatal(message)      BERTH_UNREACHABLE(message)
#include <uthash.h>

#define LANE_KEY_BYTES (BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES)

struct lane {
    char key[LANE_KEY_BYTES]; /* registry/space */
    struct item_list items;
    UT_hash_handle hh;
};

static struct lane *find_or_make(struct berth_engine *engine, const struct berth_command *command);
static bool offer_room(struct berth_engine *engine, struct registry *registry);
static bool take_room(struct berth_engine *engine, struct item *item);

void lane_join(struct berth_engine *engine, struct item *item) {
    struct lane *lane = find_or_make(engine, &item->command);
    item->lane = lane;
    TAILQ_INSERT_TAIL(&lane->items, item, in_lane);
    if (TAILQ_FIRST(&lane->items) == item) {
        lane_claim(engine, item);
    }
}

void lane_leave(struct berth_engine *engine, struct item *item) {
    struct lane *lane = item->lane;
    bool was_first = TAILQ_FIRST(&lane->items) == item;
    TAILQ_REMOVE(&lane->items, item, in_lane);
    item->lane = NULL;
    if (item->queued_for_room) {
        TAILQ_REMOVE(&engine->registries[item->registry].waiting_for_room, item, in_queue);
        item->queued_for_room = false;
    }
    lane_leave_room(engine, item);

    struct item *next = TAILQ_FIRST(&lane->items);
    if (next == NULL) {
        HASH_DEL(engine->lanes, lane);
        berth_pool_free(engine->pool, lane);
    } else if (was_first) {
        lane_claim(engine, next);
    }
}

void lane_leave_room(struct berth_engine *engine, struct item *item) {
    if (!item->has_room) {
        return;
    }
    item->has_room = false;
    engine->registries[item->registry].lanes_active--;
    engine->shares[item->share].bytes -= BERTH_ENGINE_WORK_BYTES;
    engine->worked_on--;
    berth_pool_unreserve(engine->pool, BERTH_ENGINE_WORK_BYTES);

    /* The memory may be what a lane of another registry waits for, so each is offered it, this one
     * last: else one with a backlog would keep what there is for itself. */
    for (size_t i = 1; i <= engine->config->registries_count; i++) {
        size_t registry = (item->registry + i) % engine->config->registries_count;
        (void)offer_room(engine, &engine->registries[registry]);
    }
}

void lanes_resume(struct berth_engine *engine, struct registry *registry) {
    while (offer_room(engine, registry)) {
    }
}

/* To the lane that waits longest. False: nobody takes any. */
static bool offer_room(struct berth_engine *engine, struct registry *registry) {
    struct item *waiting = TAILQ_FIRST(&registry->waiting_for_room);
    if (waiting == NULL || !take_room(engine, waiting)) {
        return false;
    }
    TAILQ_REMOVE(&registry->waiting_for_room, waiting, in_queue);
    waiting->queued_for_room = false;
    claim_ask(engine, waiting);
    return true;
}

void lanes_free(struct berth_engine *engine) {
    struct lane *lane;
    struct lane *next;
    HASH_ITER(hh, engine->lanes, lane, next) {
        HASH_DEL(engine->lanes, lane);
        berth_pool_free(engine->pool, lane);
    }
}

static struct lane *find_or_make(struct berth_engine *engine, const struct berth_command *command) {
    char key[LANE_KEY_BYTES];
    struct text text;
    text_init(&text, key, sizeof(key));
    text_add(&text, command->registry);
    text_add(&text, "/");
    text_add(&text, command->space);
    BERTH_ASSERT(!text.cut);

    struct lane *lane;
    HASH_FIND(hh, engine->lanes, key, text.len, lane);
    if (lane == NULL) {
        lane = berth_pool_alloc(engine->pool, sizeof(*lane));
        memcpy(lane->key, key, sizeof(key));
        TAILQ_INIT(&lane->items);
        HASH_ADD_KEYPTR(hh, engine->lanes, lane->key, text.len, lane);
    }
    return lane;
}

void lane_claim(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(item->state == ITEM_QUEUED || item->state == ITEM_WAITING);
    BERTH_ASSERT(!item->queued_for_room);
    if (take_room(engine, item)) {
        claim_ask(engine, item);
        return;
    }
    item->queued_for_room = true;
    TAILQ_INSERT_TAIL(&engine->registries[item->registry].waiting_for_room, item, in_queue);
}

static bool take_room(struct berth_engine *engine, struct item *item) {
    struct registry *registry = &engine->registries[item->registry];
    if (registry->lanes_active >= engine->config->registries[item->registry].lanes_max ||
        breaker_blocks(registry) || !share_has_work_room(engine, item->share, registry)) {
        return false;
    }
    if (berth_pool_reserve(engine->pool, BERTH_ENGINE_WORK_BYTES) != BERTH_OK) {
        return false;
    }
    registry->lanes_active++;
    engine->shares[item->share].bytes += BERTH_ENGINE_WORK_BYTES;
    engine->worked_on++;
    item->has_room = true;
    return true;
}
