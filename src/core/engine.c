/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/engine.h"

#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

static size_t runs_of_partition(const struct berth_engine_config *config);
static size_t maps_of_batch(const struct berth_engine_config *config);
static void make_tables(struct berth_engine *engine);
static void free_tables(struct berth_engine *engine);
static void pass_time(struct berth_engine *engine, int64_t slept_ms);
static void fire(struct berth_engine *engine, struct timer *timer);
static void dispatch(struct berth_engine *engine, const struct berth_event *event);
static struct item *item_of_call(struct berth_engine *engine, uint64_t call_id);
static struct registry *registry_of_probe(struct berth_engine *engine, uint64_t call_id);

/* How late a timer may be on a busy machine. */
#define TIMER_SLACK_MS 250

#define TIMERS_OF_REGISTRY 2

/* Beyond the fixed tables: one command at work, one large record, the effects of a turn. */
#define POOL_MARGIN_BYTES (2 * BERTH_ENGINE_WORK_BYTES)

size_t berth_engine_pool_bytes_min(const struct berth_engine_config *config) {
    size_t per_command = sizeof(struct item *) + 2 * sizeof(uint32_t) + sizeof(int64_t) +
                         sizeof(struct berth_settled) + sizeof(struct berth_deadline *);
    size_t per_partition = sizeof(struct partition) + sizeof(struct berth_publish_offset) +
                           sizeof(struct berth_base) + sizeof(struct berth_deadline *) +
                           runs_of_partition(config) * sizeof(struct berth_settled_run);
    size_t per_registry = sizeof(struct registry) + sizeof(struct share) + 2 * sizeof(char *) +
                          TIMERS_OF_REGISTRY * sizeof(struct berth_deadline *);
    return sizeof(struct berth_engine) + config->commands_max * per_command +
           BERTH_ENGINE_PARTITIONS_MAX * per_partition +
           config->batch_max * sizeof(struct berth_publish_item) +
           maps_of_batch(config) * BERTH_SETTLED_TEXT_BYTES +
           config->registries_count * per_registry + POOL_MARGIN_BYTES;
}

static size_t maps_of_batch(const struct berth_engine_config *config) {
    return config->batch_max < BERTH_ENGINE_PARTITIONS_MAX ? config->batch_max
                                                           : BERTH_ENGINE_PARTITIONS_MAX;
}

/* Between two runs something unsettled was taken in, or will be before anything else. */
static size_t runs_of_partition(const struct berth_engine_config *config) {
    size_t unsettled_max =
        config->window_max < config->commands_max ? config->window_max : config->commands_max;
    return unsettled_max + 2 < BERTH_SETTLED_RUNS_MAX ? unsettled_max + 2 : BERTH_SETTLED_RUNS_MAX;
}

struct berth_engine *berth_engine_new(const struct berth_engine_config *config,
                                      struct berth_pool *pool, int64_t now_ms) {
    BERTH_ASSERT(config->commands_max > 0);
    BERTH_ASSERT(config->batch_max > 0);
    BERTH_ASSERT(config->lease_ms > 2 * config->request_timeout_ms);
    BERTH_ASSERT(berth_pool_free_bytes(pool) >= berth_engine_pool_bytes_min(config));

    struct berth_engine *engine = berth_pool_alloc(pool, sizeof(*engine));
    engine->config = config;
    engine->pool = pool;
    engine->now_ms = now_ms;
    engine->plan_settings = (struct berth_plan_settings){
        .key_id = config->key_id,
        .protected_spaces = config->protected_spaces,
        .protected_spaces_count = config->protected_spaces_count,
    };
    engine->renew_timer.kind = TIMER_RENEW;
    engine->publish_timer.kind = TIMER_PUBLISH;
    engine->settle_timer.kind = TIMER_SETTLE;
    TAILQ_INIT(&engine->effects);
    TAILQ_INIT(&engine->publishable);
    TAILQ_INIT(&engine->batch);
    berth_random_init(&engine->random, config->seed);
    make_tables(engine);
    engine->shared_pool_bytes = berth_pool_free_bytes(pool);
    return engine;
}

static void make_tables(struct berth_engine *engine) {
    const struct berth_engine_config *config = engine->config;
    struct berth_pool *pool = engine->pool;

    berth_deadlines_init(&engine->deadlines, pool,
                         config->commands_max + BERTH_ENGINE_PARTITIONS_MAX + 3 +
                             TIMERS_OF_REGISTRY * config->registries_count);
    engine->partitions =
        berth_pool_alloc(pool, BERTH_ENGINE_PARTITIONS_MAX * sizeof(*engine->partitions));
    engine->slots = berth_pool_alloc(pool, config->commands_max * sizeof(struct item *));
    engine->free_slots = berth_pool_alloc(pool, config->commands_max * sizeof(uint32_t));
    for (uint32_t i = 0; i < config->commands_max; i++) {
        engine->free_slots[i] = config->commands_max - 1 - i;
    }
    engine->free_slots_count = config->commands_max;
    engine->renew_slots = berth_pool_alloc(pool, config->commands_max * sizeof(uint32_t));
    engine->renew_tokens = berth_pool_alloc(pool, config->commands_max * sizeof(int64_t));
    engine->batch_items =
        berth_pool_alloc(pool, config->batch_max * sizeof(struct berth_publish_item));
    engine->batch_offsets =
        berth_pool_alloc(pool, BERTH_ENGINE_PARTITIONS_MAX * sizeof(struct berth_publish_offset));
    engine->batch_maps =
        berth_pool_alloc(pool, maps_of_batch(config) * sizeof(*engine->batch_maps));
    engine->runs_of_partition = runs_of_partition(config);
    engine->runs = berth_pool_alloc(pool, BERTH_ENGINE_PARTITIONS_MAX * engine->runs_of_partition *
                                              sizeof(*engine->runs));
    engine->settled = berth_pool_alloc(pool, config->commands_max * sizeof(*engine->settled));
    engine->bases = berth_pool_alloc(pool, BERTH_ENGINE_PARTITIONS_MAX * sizeof(*engine->bases));

    size_t count = config->registries_count;
    engine->shares = berth_pool_alloc(pool, (count + 1) * sizeof(*engine->shares));
    engine->registries = berth_pool_alloc(pool, count * sizeof(*engine->registries));
    engine->registry_names = berth_pool_alloc(pool, count * sizeof(char *));
    engine->registry_topics = berth_pool_alloc(pool, count * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        struct registry *registry = &engine->registries[i];
        registry->number = (uint32_t)i;
        TAILQ_INIT(&registry->waiting_for_room);
        TAILQ_INIT(&registry->waiting_for_call);
        limit_init(&registry->limit, config->registries[i].calls_max, engine->now_ms);
        breaker_init(registry);
        engine->registry_names[i] = config->registries[i].name;
        engine->registry_topics[i] = config->registries[i].command_topic;
    }
    engine->rules = (struct berth_rules){
        .registry_names = engine->registry_names,
        .registry_topics = engine->registry_topics,
        .registries_count = count,
        .protected_spaces = config->protected_spaces,
        .protected_spaces_count = config->protected_spaces_count,
    };
}

struct berth_engine *berth_engine_free(struct berth_engine *engine) {
    if (engine == NULL) {
        return NULL;
    }
    struct berth_effect effect;
    while (berth_engine_next_effect(engine, &effect)) {
    }
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        if (item != NULL) {
            work_end(engine, item);
            item_drop_outcome(engine, item);
            item_drop_before(engine, item);
            if (item->has_room) {
                berth_pool_unreserve(engine->pool, BERTH_ENGINE_WORK_BYTES);
            }
            berth_pool_free(engine->pool, item->command.workspaces);
            berth_pool_free(engine->pool, item);
        }
    }
    lanes_free(engine);
    free_tables(engine);
    berth_pool_free(engine->pool, engine);
    return NULL;
}

static void free_tables(struct berth_engine *engine) {
    void *const tables[] = {
        engine->partitions,   engine->slots,       engine->free_slots,    engine->renew_slots,
        engine->renew_tokens, engine->batch_items, engine->batch_offsets, engine->registries,
        engine->settled,      engine->bases,       engine->batch_maps,    engine->runs,
        engine->shares,
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        berth_pool_free(engine->pool, tables[i]);
    }
    berth_pool_free(engine->pool, (void *)engine->registry_names);
    berth_pool_free(engine->pool, (void *)engine->registry_topics);
    berth_deadlines_deinit(&engine->deadlines);
}

/* ---- Events ---- */

enum berth_rc berth_engine_step(struct berth_engine *engine, const struct berth_event *event) {
    BERTH_ASSERT(event->now_ms >= engine->now_ms);
    int64_t slept_ms = event->now_ms - engine->now_ms;
    engine->now_ms = event->now_ms;
    engine->wall_ms = event->wall_ms;

    enum berth_rc rc = BERTH_OK;
    /* Before what is due: it may take the room that berth_engine_can_take() saw, or give up a
     * partition that the caller has already lost. */
    if (event->kind == BERTH_EVENT_RECORD) {
        rc = intake_record(engine, &event->record);
    } else if (event->kind == BERTH_EVENT_PARTITION_LOST) {
        intake_lost(engine, event->partition.partition);
    }
    pass_time(engine, slept_ms);
    dispatch(engine, event);
    if (engine->let_go_due) {
        intake_let_go(engine);
    }
    publish_gather(engine);
    settle_tell(engine);
    return rc;
}

static void dispatch(struct berth_engine *engine, const struct berth_event *event) {
    struct item *item;
    switch (event->kind) {
    case BERTH_EVENT_TIME:
    case BERTH_EVENT_RECORD: /* These two came before. */
    case BERTH_EVENT_PARTITION_LOST:
        break;
    case BERTH_EVENT_PARTITION_GAINED:
        intake_gained(engine, &event->partition);
        break;
    case BERTH_EVENT_PARTITION_REVOKED:
        intake_revoked(engine, event->partition.partition);
        break;
    case BERTH_EVENT_LEDGER:
        if (event->ledger.call_id == ENGINE_RENEW_CALL_ID) {
            claim_renewed(engine, event->ledger.answer);
            break;
        }
        if (event->ledger.call_id == ENGINE_SETTLE_CALL_ID) {
            settle_told(engine, event->ledger.answer);
            break;
        }
        item = item_of_call(engine, event->ledger.call_id);
        claim_answered(engine, item, event->ledger.answer);
        break;
    case BERTH_EVENT_HARBOR:
        if (event->harbor.call->kind == BERTH_HARBOR_PROBE) {
            breaker_probe_answered(engine, registry_of_probe(engine, event->harbor.call_id),
                                   event->harbor.answer);
            break;
        }
        item = item_of_call(engine, event->harbor.call_id);
        work_answered(engine, item, event->harbor.call, event->harbor.answer);
        break;
    case BERTH_EVENT_TRANSACTION:
        publish_done(engine, event->transaction.committed, event->transaction.refused_by);
        break;
    case BERTH_EVENT_OUTPUTS_OPEN:
        publish_outputs_open(engine, event->outputs_open);
        break;
    case BERTH_EVENT_DRAIN:
        intake_drain(engine);
        break;
    }
}

/* Every call is the item's slot: an item is never released while a call of its is outstanding. */
static struct item *item_of_call(struct berth_engine *engine, uint64_t call_id) {
    BERTH_ASSERT(call_id < engine->config->commands_max);
    struct item *item = engine->slots[call_id];
    BERTH_ASSERT(item != NULL);
    BERTH_ASSERT(item->calls_outstanding > 0);
    item->calls_outstanding--;
    return item;
}

static struct registry *registry_of_probe(struct berth_engine *engine, uint64_t call_id) {
    uint64_t number = ENGINE_PROBE_CALL_ID - call_id;
    BERTH_ASSERT(number < engine->config->registries_count);
    return &engine->registries[number];
}

static void pass_time(struct berth_engine *engine, int64_t slept_ms) {
    /* While lanes are held the renewal timer wakes the loop at least this often; a longer gap means
     * that the process, the machine or the loop stood still (design 4.7: a third of the lease, and
     * here a little more, because a timer is never early). */
    int64_t patience_ms = engine->config->lease_ms / 3;
    if (patience_ms < engine->config->renew_ms) {
        patience_ms = engine->config->renew_ms;
    }
    if (slept_ms > patience_ms + TIMER_SLACK_MS) {
        claim_distrust_leases(engine);
    }
    struct berth_deadline *due;
    while ((due = berth_deadlines_pop(&engine->deadlines, engine->now_ms)) != NULL) {
        fire(engine, (struct timer *)due);
    }
}

static void fire(struct berth_engine *engine, struct timer *timer) {
    switch (timer->kind) {
    case TIMER_ITEM: {
        struct item *item = timer->owner;
        if (item->state == ITEM_BACKING_OFF || item->state == ITEM_READING_BACK) {
            work_timer(engine, item);
        } else {
            claim_timer(engine, item);
        }
        break;
    }
    case TIMER_PARTITION:
        intake_revoke_bound(engine, timer->owner);
        break;
    case TIMER_RENEW:
        claim_renew(engine);
        break;
    case TIMER_PROBE:
        breaker_probe_timer(engine, timer->owner);
        break;
    case TIMER_REST:
        breaker_rest_timer(engine, timer->owner);
        break;
    case TIMER_PUBLISH:
    case TIMER_SETTLE:
        break; /* Every step ends with publish_gather() and settle_tell(). */
    }
}

/* ---- Effects ---- */

struct berth_effect *engine_effect(struct berth_engine *engine, enum berth_effect_kind kind) {
    struct effect_node *node = berth_pool_alloc(engine->pool, sizeof(*node));
    node->effect.kind = kind;
    TAILQ_INSERT_TAIL(&engine->effects, node, link);
    return &node->effect;
}

struct berth_effect *engine_effect_with(struct berth_engine *engine, enum berth_effect_kind kind,
                                        size_t attached_bytes, void **ret_attached) {
    struct berth_effect *effect = engine_effect(engine, kind);
    struct effect_node *node = TAILQ_LAST(&engine->effects, effect_list);
    node->attached = berth_pool_alloc(engine->pool, attached_bytes);
    *ret_attached = node->attached;
    return effect;
}

bool berth_engine_next_effect(struct berth_engine *engine, struct berth_effect *ret_effect) {
    if (engine->lent != NULL) {
        berth_pool_free(engine->pool, engine->lent->attached);
        berth_pool_free(engine->pool, engine->lent);
    }
    engine->lent = TAILQ_FIRST(&engine->effects);
    if (engine->lent == NULL) {
        return false;
    }
    TAILQ_REMOVE(&engine->effects, engine->lent, link);
    *ret_effect = engine->lent->effect;
    return true;
}

/* ---- Timers ---- */

void engine_arm(struct berth_engine *engine, struct timer *timer, int64_t delay_ms) {
    berth_deadlines_arm(&engine->deadlines, &timer->deadline, engine->now_ms + delay_ms);
}

void engine_disarm(struct berth_engine *engine, struct timer *timer) {
    berth_deadlines_cancel(&engine->deadlines, &timer->deadline);
}

int64_t engine_backoff_ms(struct berth_engine *engine, int64_t first_ms, int64_t cap_ms,
                          uint32_t failures) {
    int64_t ceiling_ms = first_ms;
    while (failures-- > 0 && ceiling_ms < cap_ms) {
        ceiling_ms *= 2;
    }
    if (ceiling_ms > cap_ms) {
        ceiling_ms = cap_ms;
    }
    return 1 + berth_random_below(&engine->random, ceiling_ms);
}

int64_t berth_engine_wake_at_ms(const struct berth_engine *engine) {
    return berth_deadlines_next_ms(&engine->deadlines);
}

void berth_engine_notice_left(struct berth_engine *engine) {
    static const char *const names[ITEM_STATES] = {
        "queued",       "claiming", "waiting", "remembering", "running",   "backing_off",
        "reading_back", "storing",  "ready",   "publishing",  "set_aside",
    };
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        const struct item *item = engine->slots[slot];
        if (item != NULL) {
            engine_notice(engine, item, "command.left", "state=", names[item->state], NULL);
        }
    }
}
