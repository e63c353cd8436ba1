/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intake: partitions, their windows, and records on their way in and, unfinished, out.
 *
 * A window holds the partition's items in the order of their offsets; they are settled in any
 * order. What is settled is in the partition's map, which comes from the offset's metadata when it
 * is gained. Offsets are counted as settled, too, that were never delivered: with the record behind
 * them.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

static struct partition *partition_at(struct berth_engine *engine, uint32_t number);
static struct item *make_item(struct berth_engine *engine, struct partition *partition,
                              const struct berth_engine_record *record);
static void copy_command(struct berth_engine *engine, struct item *item,
                         const struct berth_command *command);
static void decide_or_join(struct berth_engine *engine, struct item *item,
                           const struct berth_engine_record *record);
static void read_map(struct berth_engine *engine, struct partition *partition,
                     const struct berth_engine_partition *gained);
static void wind_down(struct berth_engine *engine, struct partition *partition);
static void drop_all(struct berth_engine *engine, struct partition *partition,
                     enum item_state state);
static void orphan_all(struct berth_engine *engine, struct partition *partition);
static void let_go(struct berth_engine *engine, struct partition *partition, struct item *item);
static void close_partition(struct berth_engine *engine, struct partition *partition);

/* The most that taking in one record takes from the pool. */
#define RECORD_BYTES_MAX                                                                           \
    (sizeof(struct item) + BERTH_COMMAND_WORKSPACES_MAX * sizeof(struct berth_workspace) +         \
     sizeof(struct berth_outcome) + (size_t)16 * 1024)

void intake_gained(struct berth_engine *engine, const struct berth_engine_partition *gained) {
    BERTH_ASSERT(gained->partition < BERTH_ENGINE_PARTITIONS_MAX);
    struct partition *partition = &engine->partitions[gained->partition];
    BERTH_ASSERT(partition->state == PARTITION_FREE);

    *partition = (struct partition){
        .state = engine->draining ? PARTITION_WINDING_DOWN : PARTITION_OPEN,
        .number = gained->partition,
        .kafka_number = gained->number,
        .start_offset = gained->start_offset,
        .next_offset = gained->start_offset,
        .commit_start = gained->commit_start,
        .log = gained->log,
        .base = -1,
        .timer = {.kind = TIMER_PARTITION, .owner = partition},
    };
    text_set(partition->topic, sizeof(partition->topic), gained->topic, NULL);
    partition->share = share_of(engine, gained->topic);
    engine->shares[partition->share].partitions++;
    TAILQ_INIT(&partition->window);
    TAILQ_INIT(&partition->ready);
    TAILQ_INIT(&partition->set_aside);
    read_map(engine, partition, gained);
    engine->partitions_open++;
    if (!gained->commit_start) {
        /* Whoever committed it may not have come to tell it. */
        settle_base(engine, partition, gained->start_offset);
    }
    publish_consider(engine, partition);
}

static void read_map(struct berth_engine *engine, struct partition *partition,
                     const struct berth_engine_partition *gained) {
    bool is_there = gained->metadata != NULL && gained->committed_offset >= 0;
    berth_settled_map_init(
        &partition->settled, engine->runs + partition->number * engine->runs_of_partition,
        engine->runs_of_partition, is_there ? gained->committed_offset : gained->start_offset);
    static const char *const reasons[] = {
        [BERTH_SETTLED_READ] = NULL,
        [BERTH_SETTLED_CUT] = "was written with a larger window: its upper part",
        [BERTH_SETTLED_FOREIGN] = "is no map of berth's: it",
        [BERTH_SETTLED_VERSION] = "was written by a later version: it",
        [BERTH_SETTLED_DAMAGED] = "is damaged: it",
        [BERTH_SETTLED_OTHER_BASE] = "was written for another offset: it",
    };
    const char *reason =
        reasons[is_there ? berth_settled_map_read(&partition->settled, gained->metadata)
                         : BERTH_SETTLED_READ];
    if (reason != NULL) {
        engine->maps_ignored_total++;
        engine_notice_partition(
            engine, partition, gained->committed_offset, "partition.map_ignored",
            "reason=\"the metadata of the committed offset ", reason,
            " is ignored; commands settled above it are answered again\"", NULL);
    }
    berth_settled_map_start_at(&partition->settled, gained->start_offset);
}

void intake_revoked(struct berth_engine *engine, uint32_t number) {
    struct partition *partition = partition_at(engine, number);
    partition->give_up = true;
    engine_arm(engine, &partition->timer, engine->config->revoke_bound_ms);
    wind_down(engine, partition);
    intake_check_finished(engine, partition);
}

void intake_lost(struct berth_engine *engine, uint32_t number) {
    struct partition *partition = partition_at(engine, number);
    orphan_all(engine, partition);
    close_partition(engine, partition);
    intake_check_finished(engine, NULL);
}

void intake_revoke_bound(struct berth_engine *engine, struct partition *partition) {
    orphan_all(engine, partition);
    engine_effect(engine, BERTH_EFFECT_GIVE_UP_PARTITION)->partition = partition->number;
    close_partition(engine, partition);
    intake_check_finished(engine, NULL);
}

void intake_drain(struct berth_engine *engine) {
    engine->draining = true;
    engine->left = 0;
    for (uint32_t i = 0; i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        if (engine->partitions[i].state == PARTITION_OPEN) {
            wind_down(engine, &engine->partitions[i]);
        }
    }
    intake_check_finished(engine, NULL);
}

void intake_check_finished(struct berth_engine *engine, struct partition *partition) {
    if (partition != NULL && partition->give_up && partition->window_count == 0 &&
        !partition->in_batch) {
        engine_effect(engine, BERTH_EFFECT_GIVE_UP_PARTITION)->partition = partition->number;
        close_partition(engine, partition);
    }
    bool idle = engine->free_slots_count == engine->config->commands_max && !engine->publishing;
    if (engine->draining && !engine->drained_told && idle) {
        engine->drained_told = true;
        engine_effect(engine, BERTH_EFFECT_DRAINED)->drained.left = engine->left;
    }
}

/* ---- Records ---- */

bool berth_engine_can_take(const struct berth_engine *engine, uint32_t number) {
    BERTH_ASSERT(number < BERTH_ENGINE_PARTITIONS_MAX);
    const struct partition *partition = &engine->partitions[number];
    bool start_committed =
        !partition->commit_start && !(partition->in_batch && partition->batch_start);
    /* Beyond the highest settled offset every record makes the map longer; below it doesn't. */
    bool map_has_room = !berth_settled_map_crowded(&partition->settled) ||
                        partition->next_offset < berth_settled_map_end(&partition->settled);
    /* While nobody works, what one needs for working stays free: nobody would give it back. */
    size_t kept_bytes = engine->worked_on == 0 ? BERTH_ENGINE_WORK_BYTES : 0;
    return partition->state == PARTITION_OPEN && start_committed && map_has_room &&
           partition->window_count < engine->config->window_max && engine->free_slots_count > 0 &&
           berth_pool_free_bytes(engine->pool) >= RECORD_BYTES_MAX + kept_bytes &&
           share_has_room(engine, partition->share, RECORD_BYTES_MAX + kept_bytes);
}

enum berth_rc intake_record(struct berth_engine *engine, const struct berth_engine_record *record) {
    if (!berth_engine_can_take(engine, record->partition)) {
        return BERTH_BUSY;
    }
    struct partition *partition = partition_at(engine, record->partition);
    BERTH_ASSERT(record->offset >= partition->next_offset);
    int64_t first_offset = berth_settled_map_gap_before(&partition->settled, record->offset);
    if (first_offset < partition->next_offset) {
        first_offset = partition->next_offset;
    }
    partition->next_offset = record->offset + 1;
    if (berth_settled_map_has(&partition->settled, record->offset)) {
        engine->skipped_total++;
        return BERTH_OK;
    }

    struct item *item = make_item(engine, partition, record);
    item->first_offset = first_offset;
    engine_effect(engine, BERTH_EFFECT_TAKEN)->slot = item->slot;
    decide_or_join(engine, item, record);
    return BERTH_OK;
}

static struct item *make_item(struct berth_engine *engine, struct partition *partition,
                              const struct berth_engine_record *record) {
    struct item *item = berth_pool_alloc(engine->pool, sizeof(*item));
    item->slot = engine->free_slots[--engine->free_slots_count];
    engine->slots[item->slot] = item;
    item->state = ITEM_QUEUED;
    item->timer = (struct timer){.kind = TIMER_ITEM, .owner = item};
    item->registry = (uint32_t)engine->config->registries_count;
    text_set(item->source.topic, sizeof(item->source.topic), partition->topic, NULL);
    item->source.partition = partition->kafka_number;
    item->source.offset = record->offset;
    memcpy(item->source.log_id, partition->log.id, sizeof(item->source.log_id));
    item->timestamp_ms = record->timestamp_ms;
    item->checksum = record->checksum;

    item->taken_ms = engine->now_ms;
    item->share = partition->share;
    engine->shares[item->share].commands++;
    item->partition = partition;
    TAILQ_INSERT_TAIL(&partition->window, item, in_window);
    partition->window_count++;
    return item;
}

static void copy_command(struct berth_engine *engine, struct item *item,
                         const struct berth_command *command) {
    item->command = *command;
    item->command.workspaces = NULL;
    size_t bytes = command->workspaces_count * sizeof(struct berth_workspace);
    if (bytes > 0) {
        item->command.workspaces = berth_pool_alloc(engine->pool, bytes);
        memcpy(item->command.workspaces, command->workspaces, bytes);
    }
}

/* What can be answered without ledger and Harbor is; the rest gets in line. */
static void decide_or_join(struct berth_engine *engine, struct item *item,
                           const struct berth_engine_record *record) {
    copy_command(engine, item, record->command);
    engine->shares[item->share].bytes += record_bytes(item);
    if (record->reason != NULL) {
        work_refuse(engine, item, BERTH_FAILED, record->reason, record->text);
        return;
    }
    size_t registry;
    struct berth_refusal refusal;
    if (!berth_command_check(&item->command, item->source.topic, record->key, record->key_len,
                             &engine->rules, &registry, &refusal)) {
        work_refuse(engine, item, BERTH_REJECTED, refusal.code, refusal.message);
        return;
    }
    item->registry = (uint32_t)registry;
    item->taken_ms = engine->now_ms - breaker_paused_ms(engine, &engine->registries[registry]);
    lane_join(engine, item);
}

/* ---- Winding down ---- */

/* Nothing new begins: what hasn't begun is dropped, the next owner will read it again. */
static void wind_down(struct berth_engine *engine, struct partition *partition) {
    partition->state = PARTITION_WINDING_DOWN;
    /* Those that wait for their turn go first: else the place of another would start them. */
    drop_all(engine, partition, ITEM_QUEUED);
    drop_all(engine, partition, ITEM_WAITING);
    publish_drop_set_aside(engine, partition);
    publish_consider(engine, partition); /* What waits for room in the map is let go there. */
    engine->let_go_due = true;
}

static void drop_all(struct berth_engine *engine, struct partition *partition,
                     enum item_state state) {
    struct item *item = TAILQ_FIRST(&partition->window);
    while (item != NULL) {
        struct item *next = TAILQ_NEXT(item, in_window);
        if (item->state == state) {
            intake_drop(engine, item);
        }
        item = next;
    }
}

void intake_drop(struct berth_engine *engine, struct item *item) {
    if (engine->draining) {
        engine_notice(engine, item, "command.left",
                      item->state == ITEM_READY       ? "state=ready"
                      : item->state == ITEM_SET_ASIDE ? "state=set_aside"
                                                      : "state=queued",
                      NULL);
        engine->left++;
    }
    item_release(engine, item);
}

bool intake_may_wait(struct berth_engine *engine, struct item *item) {
    struct partition *partition = item->partition;
    if (partition == NULL) {
        item_release(engine, item);
    } else if (partition->state == PARTITION_WINDING_DOWN) {
        intake_drop(engine, item);
    } else {
        return true;
    }
    intake_check_finished(engine, partition);
    return false;
}

/* Of a partition that is to be given up: a pause before another try, and perhaps many more, would
 * hold up everything else in it. */
static bool waits_to_retry(const struct item *item) {
    return item->state == ITEM_BACKING_OFF && !item->awaits_verdict && item->partition != NULL &&
           item->partition->give_up;
}

/* An item that waits for a registry that isn't asked may wait for hours. It is let go, its lane
 * left to whoever gets its record next. */
void intake_let_go(struct berth_engine *engine) {
    engine->let_go_due = false;
    for (uint32_t slot = 0; slot < engine->config->commands_max; slot++) {
        struct item *item = engine->slots[slot];
        struct partition *partition = item != NULL ? item->partition : NULL;
        if (item == NULL || (!breaker_holds(engine, item) && !waits_to_retry(item))) {
            continue;
        }
        if (partition == NULL) {
            work_abandon(engine, item);
        } else if (partition->state == PARTITION_WINDING_DOWN) {
            let_go(engine, partition, item);
            intake_check_finished(engine, partition);
        }
    }
}

static void let_go(struct berth_engine *engine, struct partition *partition, struct item *item) {
    if (engine->draining) {
        engine_notice(engine, item, "command.left", "state=let-go", NULL);
    }
    engine->left++;
    TAILQ_REMOVE(&partition->window, item, in_window);
    partition->window_count--;
    item->partition = NULL;
    work_abandon(engine, item);
}

/* What is at work goes on without a window until its calls are back; what waits is dropped. An item
 * in the transaction under way stays until that is decided. */
static void orphan_all(struct berth_engine *engine, struct partition *partition) {
    struct item *item;
    struct item *before;
    engine->let_go_due |= !TAILQ_EMPTY(&partition->window);
    /* From the end, and those that wait for their turn first: else the place of another would start
     * them. */
    for (item = TAILQ_LAST(&partition->window, item_list); item != NULL; item = before) {
        before = TAILQ_PREV(item, item_list, in_window);
        if (engine->draining && item->state != ITEM_PUBLISHING) {
            engine_notice(engine, item, "command.left", "state=let-go", NULL);
        }
        engine->left += item->state != ITEM_PUBLISHING;
        if (item->state == ITEM_QUEUED || item->state == ITEM_SET_ASIDE) {
            item_release(engine, item);
        }
    }
    while ((item = TAILQ_FIRST(&partition->window)) != NULL) {
        if (item->state == ITEM_WAITING || item->state == ITEM_READY) {
            item_release(engine, item);
            continue;
        }
        TAILQ_REMOVE(&partition->window, item, in_window);
        partition->window_count--;
        item->partition = NULL;
        if (item->state == ITEM_BACKING_OFF) {
            work_abandon(engine, item);
        }
    }
}

static void close_partition(struct berth_engine *engine, struct partition *partition) {
    BERTH_ASSERT(partition->window_count == 0);
    engine_disarm(engine, &partition->timer);
    if (partition->publishable) {
        TAILQ_REMOVE(&engine->publishable, partition, in_publishable);
        partition->publishable = false;
    }
    partition->state = PARTITION_FREE;
    partition->give_up = false;
    partition->in_batch = false;
    engine->shares[partition->share].partitions--;
    engine->partitions_open--;
}

static struct partition *partition_at(struct berth_engine *engine, uint32_t number) {
    BERTH_ASSERT(number < BERTH_ENGINE_PARTITIONS_MAX);
    struct partition *partition = &engine->partitions[number];
    BERTH_ASSERT(partition->state != PARTITION_FREE);
    return partition;
}
