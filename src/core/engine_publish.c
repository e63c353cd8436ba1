/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: outcomes gather while one transaction is under way and for a short pause after it;
 * all that has gathered goes into the next (group commit, design 5). An aborted transaction is
 * published again, never executed again.
 *
 * Answers are taken as they became ready, wherever they are in their partition's window. With them
 * goes the offset below which everything is settled, and in its metadata the map of what is settled
 * above, so that the transaction covers exactly what it answers.
 *
 * An answer that an output refuses (it may not be written to, it takes no record so large) must not
 * hold up the others: it is set aside. It stays in its partition's window, unsettled: its offset
 * isn't committed, the map tells what is settled above it, its lane waits, so that the answers of a
 * space stay in their order. What bounds it is what bounds any slow command: the window, the map,
 * and its topic's share. When the output takes records again it is published, from the same bytes.
 */
#include "berth/base/assert.h"
#include "engine_parts.h"
#include "text.h"

/* After an abort: a pause, so that a broker in trouble is not hammered. */
#define ABORT_PAUSE_FIRST_MS 50
#define ABORT_PAUSE_MAX_MS   5000

static uint32_t batch_bound(const struct berth_engine *engine);
static uint32_t take_ready(struct berth_engine *engine, struct partition *partition, uint32_t room);
static void mark_log(struct partition *partition, const struct item *item);
static void put_offset(struct berth_engine *engine, struct partition *partition, size_t index);
static void put_batch_together(struct berth_engine *engine, size_t items, size_t offsets);
static void settle(struct berth_engine *engine, struct item *item);
static void take_back(struct berth_engine *engine, struct item *item, uint8_t refused_by);
static void pause_after(struct berth_engine *engine, bool committed, bool blamed);
static void decided(struct berth_engine *engine, struct partition *partition, bool committed);
static void forget_settled(struct partition *partition);
static void tell_crowded(struct berth_engine *engine, struct partition *partition);

void publish_ready(struct berth_engine *engine, struct item *item) {
    BERTH_ASSERT(!item->holds_lane);
    work_end(engine, item);
    item_drop_before(engine, item);
    struct partition *partition = item->partition;
    if (partition == NULL) {
        item_release(engine, item);
        intake_check_finished(engine, NULL);
        return;
    }
    lane_leave_room(engine, item);
    item_move(engine, item, ITEM_READY);
    TAILQ_INSERT_TAIL(&partition->ready, item, in_queue);
    publish_consider(engine, partition);
}

/* Queues the partition for the next transaction when there is something in it to publish. */
void publish_consider(struct berth_engine *engine, struct partition *partition) {
    bool something = partition->commit_start || !TAILQ_EMPTY(&partition->ready);
    if (something && !partition->publishable) {
        partition->publishable = true;
        TAILQ_INSERT_TAIL(&engine->publishable, partition, in_publishable);
    }
}

void publish_gather(struct berth_engine *engine) {
    if (engine->publishing || TAILQ_EMPTY(&engine->publishable) ||
        berth_deadline_armed(&engine->publish_timer.deadline)) {
        return;
    }
    uint32_t room = batch_bound(engine);
    size_t items = 0;
    size_t offsets = 0;
    struct partition *partition;
    while (room > 0 && (partition = TAILQ_FIRST(&engine->publishable)) != NULL) {
        TAILQ_REMOVE(&engine->publishable, partition, in_publishable);
        partition->publishable = false;
        uint32_t taken = take_ready(engine, partition, room);
        items += taken;
        if (taken > 0 || partition->commit_start) {
            room -= taken > 0 ? taken : 1;
            put_offset(engine, partition, offsets++);
        } else {
            intake_check_finished(engine, partition);
        }
    }
    if (offsets > 0) {
        put_batch_together(engine, items, offsets);
    }
}

/* After two aborts in a row the batch is halved each time, to find the culprit (design 5). */
static uint32_t batch_bound(const struct berth_engine *engine) {
    uint32_t bound = engine->config->batch_max;
    for (uint32_t i = 1; i < engine->aborts_in_row && bound > 1; i++) {
        bound /= 2;
    }
    return bound;
}

/*
 * Takes what the partition's map has room for, the oldest first. What doesn't fit waits until what
 * is below it makes room, which always fits; if that is the next owner's affair, so is this.
 */
static uint32_t take_ready(struct berth_engine *engine, struct partition *partition,
                           uint32_t room) {
    uint32_t taken = 0;
    partition->batch_log = partition->log;
    struct item *item = TAILQ_FIRST(&partition->ready);
    while (item != NULL && taken < room) {
        struct item *next = TAILQ_NEXT(item, in_queue);
        if (berth_settled_map_settle(&partition->settled, item->first_offset,
                                     item->source.offset + 1) == BERTH_OK) {
            TAILQ_REMOVE(&partition->ready, item, in_queue);
            item_move(engine, item, ITEM_PUBLISHING);
            TAILQ_INSERT_TAIL(&engine->batch, item, in_queue);
            mark_log(partition, item);
            taken++;
        } else if (partition->state == PARTITION_WINDING_DOWN) {
            intake_drop(engine, item);
        }
        item = next;
    }
    return taken;
}

/* The highest that is settled, be it with this transaction or before. */
static void mark_log(struct partition *partition, const struct item *item) {
    struct berth_log_mark *log = &partition->batch_log;
    if (item->source.offset > log->offset) {
        log->offset = item->source.offset;
        log->timestamp_ms = item->timestamp_ms;
        log->checksum = item->checksum;
    }
}

static void put_offset(struct berth_engine *engine, struct partition *partition, size_t index) {
    partition->batch_offset = berth_settled_map_base(&partition->settled);
    berth_settled_map_write(&partition->settled, engine->batch_maps[index]);
    engine->batch_offsets[index] = (struct berth_publish_offset){
        .partition = partition->number,
        .topic = partition->topic,
        .number = partition->kafka_number,
        .offset = partition->batch_offset,
        .log = partition->batch_log,
        .metadata = engine->batch_maps[index],
    };
    partition->in_batch = true;
    partition->batch_start = partition->commit_start;
    partition->commit_start = false;
}

static void put_batch_together(struct berth_engine *engine, size_t items, size_t offsets) {
    size_t i = 0;
    struct item *item;
    TAILQ_FOREACH(item, &engine->batch, in_queue) {
        engine->batch_items[i++] = (struct berth_publish_item){
            .slot = item->slot,
            .form = item->form,
            .command = &item->command,
            .source = &item->source,
            .outcome = item->outcome,
            .registry = item->registry,
        };
    }
    BERTH_ASSERT(i == items);
    engine->batch_count = items;
    struct berth_effect *effect = engine_effect(engine, BERTH_EFFECT_PUBLISH);
    effect->publish.items = engine->batch_items;
    effect->publish.items_count = items;
    effect->publish.offsets = engine->batch_offsets;
    effect->publish.offsets_count = offsets;
    engine->publishing = true;
    engine->publishing_since_ms = engine->now_ms;
}

void publish_done(struct berth_engine *engine, bool committed, const uint8_t *refused_by) {
    BERTH_ASSERT(engine->publishing);
    engine->publishing = false;
    /* From the end: what is taken back goes to where it was, and its map to what it was. */
    size_t index = engine->batch_count;
    bool blamed = false;
    struct item *item;
    while ((item = TAILQ_LAST(&engine->batch, item_list)) != NULL && !committed) {
        uint8_t by = refused_by != NULL ? refused_by[--index] : 0;
        blamed = blamed || by != 0;
        TAILQ_REMOVE(&engine->batch, item, in_queue);
        take_back(engine, item, by);
    }
    pause_after(engine, committed, blamed);
    while ((item = TAILQ_FIRST(&engine->batch)) != NULL) {
        TAILQ_REMOVE(&engine->batch, item, in_queue);
        settle(engine, item);
    }
    for (uint32_t i = 0; i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        struct partition *partition = &engine->partitions[i];
        if (partition->state != PARTITION_FREE && partition->in_batch) {
            decided(engine, partition, committed);
        }
    }
    intake_check_finished(engine, NULL);
}

/* Without those that are to blame the others are tried again at once; each time there are fewer. */
static void pause_after(struct berth_engine *engine, bool committed, bool blamed) {
    if (committed) {
        engine->aborts_in_row = 0;
    } else if (!blamed) {
        engine->aborts_in_row++;
        engine_arm(engine, &engine->publish_timer,
                   engine_backoff_ms(engine, ABORT_PAUSE_FIRST_MS, ABORT_PAUSE_MAX_MS,
                                     engine->aborts_in_row - 1));
    }
}

static void decided(struct berth_engine *engine, struct partition *partition, bool committed) {
    partition->in_batch = false;
    partition->commit_start = partition->batch_start && !committed;
    if (committed) {
        partition->log = partition->batch_log;
        settle_base(engine, partition, partition->batch_offset);
        forget_settled(partition);
        tell_crowded(engine, partition);
    }
    publish_consider(engine, partition);
    intake_check_finished(engine, partition);
}

static void forget_settled(struct partition *partition) {
    if (partition->state == PARTITION_OPEN) {
        /* Nothing that isn't settled comes any more from below the window, or, when that is empty,
         * from below the next record. It would, if something was dropped. */
        const struct item *front = TAILQ_FIRST(&partition->window);
        berth_settled_map_start_at(&partition->settled,
                                   front == NULL ? partition->next_offset : front->first_offset);
    } else {
        berth_settled_map_commit(&partition->settled);
    }
}

/* When reading stops; again only after much room was made. */
static void tell_crowded(struct berth_engine *engine, struct partition *partition) {
    bool crowded = berth_settled_map_crowded(&partition->settled);
    bool roomy = berth_settled_map_bytes(&partition->settled) < BERTH_SETTLED_ROOM_BYTES / 2;
    if (crowded && !partition->crowded_told) {
        char ahead[TEXT_NUMBER_BYTES];
        int64_t base = berth_settled_map_base(&partition->settled);
        (void)text_number(berth_settled_map_end(&partition->settled) - base, ahead);
        engine_notice_partition(engine, partition, base, "partition.crowded",
                                "reason=\"settled up to ", ahead,
                                " offsets ahead of this one: nothing beyond is read until it is "
                                "answered\"",
                                NULL);
    }
    partition->crowded_told = crowded || (partition->crowded_told && !roomy);
}

/* The answer is durable and the offset is committed: the next command of the lane may begin. */
static void settle(struct berth_engine *engine, struct item *item) {
    engine->settled_total++;
    settle_outcome(engine, item);
    item_release(engine, item);
}

/* Nothing of it is visible: it is published again, unless its partition has gone meanwhile, or an
 * output refuses it. */
static void take_back(struct berth_engine *engine, struct item *item, uint8_t refused_by) {
    struct partition *partition = item->partition;
    if (partition == NULL) {
        item_release(engine, item);
        return;
    }
    bool refused = refused_by != 0;
    item_move(engine, item, refused ? ITEM_SET_ASIDE : ITEM_READY);
    berth_settled_map_unsettle(&partition->settled, item->first_offset, item->source.offset + 1);
    if (!refused) {
        TAILQ_INSERT_HEAD(&partition->ready, item, in_queue);
        return;
    }
    item->refused_by = refused_by;
    TAILQ_INSERT_HEAD(&partition->set_aside, item, in_queue);
    if (partition->state == PARTITION_WINDING_DOWN) {
        intake_drop(engine, item); /* It may wait for hours; the next owner has the time. */
    }
}

void publish_outputs_open(struct berth_engine *engine, uint8_t outputs) {
    for (uint32_t i = 0; i < BERTH_ENGINE_PARTITIONS_MAX; i++) {
        struct partition *partition = &engine->partitions[i];
        if (partition->state == PARTITION_FREE) {
            continue;
        }
        struct item *item = TAILQ_FIRST(&partition->set_aside);
        while (item != NULL) {
            struct item *next = TAILQ_NEXT(item, in_queue);
            if ((item->refused_by & outputs) != 0) {
                TAILQ_REMOVE(&partition->set_aside, item, in_queue);
                item_move(engine, item, ITEM_READY);
                TAILQ_INSERT_TAIL(&partition->ready, item, in_queue);
            }
            item = next;
        }
        publish_consider(engine, partition);
    }
}

void publish_drop_set_aside(struct berth_engine *engine, struct partition *partition) {
    struct item *item;
    while ((item = TAILQ_FIRST(&partition->set_aside)) != NULL) {
        intake_drop(engine, item);
    }
}
