/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a partition begins: every position is known, so what can go on gets a slot and is told; what
 * can't waits for its base, or is stopped.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "kafka_consumer_parts.h"

static rd_kafka_topic_partition_list_t *claim_slots(struct berth_consumer *consumer);
static int claim_slot(struct berth_consumer *consumer, const rd_kafka_topic_partition_t *partition,
                      int64_t start_offset);
static void begin_partition(struct berth_consumer *consumer, int index, bool assigned);
static void tell_gained(struct berth_consumer *consumer, int slot_number,
                        const rd_kafka_topic_partition_t *partition,
                        const struct berth_log_position *position, const char *map);
static bool starts(const struct berth_log_position *position);

void berth_gain(struct berth_consumer *consumer) {
    const rd_kafka_topic_partition_list_t *list = consumer->rebalance.partitions;
    rd_kafka_topic_partition_list_t *taken = claim_slots(consumer);
    rd_kafka_error_t *error = rd_kafka_incremental_assign(consumer->member->handle, taken);
    rd_kafka_topic_partition_list_destroy(taken);
    if (error != NULL) {
        /* The group took the assignment back meanwhile; it says so in its next event. */
        consumer->callbacks.on_error(consumer->ctx, false, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    consumer->joined = error == NULL;
    for (int i = 0; i < list->cnt; i++) {
        begin_partition(consumer, i, error == NULL);
    }
}

static void begin_partition(struct berth_consumer *consumer, int index, bool assigned) {
    const rd_kafka_topic_partition_t *partition = &consumer->rebalance.partitions->elems[index];
    struct berth_log_position position = {0};
    bool read = berth_kafka_position_of(&consumer->rebalance.positions, index, &position);
    int slot = berth_slot_find(consumer, partition->topic, partition->partition);
    if (slot >= 0 && !assigned) {
        berth_slot_free(&consumer->slots[slot]);
    }
    if (read && position.origin == BERTH_LOG_WANTS_BASE) {
        berth_bases_park(consumer, partition->topic, partition->partition);
        return;
    }
    if (!read || position.origin == BERTH_LOG_STOPPED) {
        if (read) {
            berth_stopped_at_position(consumer, partition, &position);
        } else {
            berth_stopped_unreadable(consumer, partition,
                                     consumer->rebalance.positions.facts[index].err);
        }
        berth_bases_stop(consumer, partition->topic, partition->partition);
        return;
    }
    bool was_parked = berth_bases_forget(consumer, partition->topic, partition->partition);
    if (!assigned) {
        if (was_parked) {
            berth_bases_park(consumer, partition->topic, partition->partition);
        }
    } else if (slot >= 0) {
        berth_stopped_forget(consumer, partition->topic, partition->partition);
        tell_gained(consumer, slot, partition, &position,
                    consumer->rebalance.positions.facts[index].map);
    } else {
        berth_stopped_no_slot(consumer, partition);
    }
}

static bool starts(const struct berth_log_position *position) {
    return position->origin != BERTH_LOG_WANTS_BASE && position->origin != BERTH_LOG_STOPPED;
}

/* A slot for each partition that starts; returns what librdkafka shall have. */
static rd_kafka_topic_partition_list_t *claim_slots(struct berth_consumer *consumer) {
    const rd_kafka_topic_partition_list_t *list = consumer->rebalance.partitions;
    rd_kafka_topic_partition_list_t *taken = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *partition = &list->elems[i];
        struct berth_log_position position;
        if (!berth_kafka_position_of(&consumer->rebalance.positions, i, &position) ||
            !starts(&position)) {
            continue; /* It is parked. */
        }
        int slot = claim_slot(consumer, partition, position.offset);
        /* What has no slot is never read: any offset will do. */
        rd_kafka_topic_partition_list_add(taken, partition->topic, partition->partition)->offset =
            slot >= 0 ? position.offset : RD_KAFKA_OFFSET_END;
    }
    return taken;
}

/*
 * Detaches the partition's queue, before anything is fetched for it: otherwise early records would
 * land in the consumer's own queue. Then gives it a slot. Returns the slot's number; -1: none is
 * left.
 */
static int claim_slot(struct berth_consumer *consumer, const rd_kafka_topic_partition_t *partition,
                      int64_t start_offset) {
    static atomic_uint_fast64_t last_epoch;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_partition(consumer->member->handle,
                                                           partition->topic, partition->partition);
    BERTH_ASSERT(queue != NULL);
    rd_kafka_queue_forward(queue, NULL);
    uint32_t number = 0;
    while (number < consumer->slots_count && consumer->slots[number].state != BERTH_SLOT_FREE) {
        number++;
    }
    if (number == consumer->slots_count) {
        rd_kafka_queue_destroy(queue);
        return -1;
    }
    rd_kafka_queue_io_event_enable(queue, consumer->records_fd, &(uint64_t){1}, sizeof(uint64_t));
    struct berth_slot *slot = &consumer->slots[number];
    *slot = (struct berth_slot){.state = BERTH_SLOT_HELD,
                                .partition = partition->partition,
                                .epoch = atomic_fetch_add(&last_epoch, 1) + 1,
                                .last_offset = start_offset - 1,
                                .queue = queue};
    (void)snprintf(slot->topic, sizeof(slot->topic), "%s", partition->topic);
    return (int)number;
}

static enum berth_partition_origin origin_of(const struct berth_log_position *position) {
    switch (position->origin) {
    case BERTH_LOG_AT_COMMITTED:
        return BERTH_ORIGIN_COMMITTED;
    case BERTH_LOG_AT_BASE:
        return BERTH_ORIGIN_BASE;
    case BERTH_LOG_AT_DECISION:
        return BERTH_ORIGIN_DECISION;
    case BERTH_LOG_AT_START:
        return BERTH_ORIGIN_START;
    case BERTH_LOG_WANTS_BASE:
    case BERTH_LOG_STOPPED:
        break;
    }
    BERTH_UNREACHABLE("only what goes on is gained");
}

static void tell_gained(struct berth_consumer *consumer, int slot_number,
                        const rd_kafka_topic_partition_t *partition,
                        const struct berth_log_position *position, const char *map) {
    bool committed = position->origin == BERTH_LOG_AT_COMMITTED;
    struct berth_partition_info info = {.slot = (uint32_t)slot_number,
                                        .topic = partition->topic,
                                        .partition = partition->partition,
                                        .epoch = consumer->slots[slot_number].epoch,
                                        .start_offset = position->offset,
                                        .committed_offset = committed ? position->known : -1,
                                        .origin = origin_of(position),
                                        .lost = position->lost,
                                        .lost_from = position->lost_from,
                                        .committed = committed && position->lost == 0,
                                        .metadata = committed ? map : "",
                                        .log = position->log};
    consumer->callbacks.on_gained(consumer->ctx, &info);
}

int berth_slot_find(const struct berth_consumer *consumer, const char *topic, int32_t partition) {
    for (uint32_t i = 0; i < consumer->slots_count; i++) {
        const struct berth_slot *slot = &consumer->slots[i];
        if (slot->state != BERTH_SLOT_FREE && slot->partition == partition &&
            strcmp(slot->topic, topic) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void berth_slot_free(struct berth_slot *slot) {
    if (slot->untaken != NULL) {
        rd_kafka_message_destroy(slot->untaken);
    }
    rd_kafka_queue_io_event_enable(slot->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(slot->queue);
    *slot = (struct berth_slot){.state = BERTH_SLOT_FREE};
}
