/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that are ours and wait: nothing is committed for them, and whoever keeps the bases
 * hasn't said yet where their last committed transaction ended.
 *
 * librdkafka isn't given such a partition before that, so that the group's next rebalance doesn't
 * wait for the answer; of what is revoked meanwhile it must not be given back, either.
 */
#include <event2/event.h>

#include "berth/base/assert.h"
#include "kafka_consumer_parts.h"

/* A parked partition's offset is its base. */

void berth_bases_park(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    rd_kafka_topic_partition_t *parked =
        rd_kafka_topic_partition_list_find(consumer->parked, topic, partition);
    if (parked == NULL) {
        parked = rd_kafka_topic_partition_list_add(consumer->parked, topic, partition);
    }
    parked->offset = BERTH_BASE_UNKNOWN;
    consumer->callbacks.on_base_wanted(consumer->ctx, topic, partition);
}

bool berth_bases_forget(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    return rd_kafka_topic_partition_list_del(consumer->parked, topic, partition) == 1;
}

void berth_bases_take_out(struct berth_consumer *consumer, rd_kafka_topic_partition_list_t *list) {
    for (int i = list->cnt - 1; i >= 0; i--) {
        if (berth_bases_forget(consumer, list->elems[i].topic, list->elems[i].partition)) {
            (void)rd_kafka_topic_partition_list_del_by_idx(list, i);
        }
    }
}

void berth_bases_forget_all(struct berth_consumer *consumer) {
    while (consumer->parked->cnt > 0) {
        (void)rd_kafka_topic_partition_list_del_by_idx(consumer->parked, consumer->parked->cnt - 1);
    }
}

int64_t berth_bases_of(const struct berth_consumer *consumer, const char *topic,
                       int32_t partition) {
    const rd_kafka_topic_partition_t *parked =
        rd_kafka_topic_partition_list_find(consumer->parked, topic, partition);
    return parked == NULL ? BERTH_BASE_UNKNOWN : parked->offset;
}

rd_kafka_topic_partition_list_t *berth_bases_told(const struct berth_consumer *consumer) {
    rd_kafka_topic_partition_list_t *told = NULL;
    for (int i = 0; i < consumer->parked->cnt; i++) {
        const rd_kafka_topic_partition_t *parked = &consumer->parked->elems[i];
        if (parked->offset == BERTH_BASE_UNKNOWN) {
            continue;
        }
        if (told == NULL) {
            told = rd_kafka_topic_partition_list_new(consumer->parked->cnt);
        }
        rd_kafka_topic_partition_list_add(told, parked->topic, parked->partition);
    }
    return told;
}

void berth_consumer_set_base(struct berth_consumer *consumer, const char *topic, int32_t partition,
                             int64_t base) {
    BERTH_ASSERT(base >= BERTH_BASE_NONE);
    rd_kafka_topic_partition_t *parked =
        rd_kafka_topic_partition_list_find(consumer->parked, topic, partition);
    if (parked == NULL) {
        return;
    }
    parked->offset = base;
    event_active(consumer->control, EV_READ, 0); /* It is gained in a turn of its own. */
}

size_t berth_consumer_bases_wanted(const struct berth_consumer *consumer) {
    size_t count = 0;
    for (int i = 0; i < consumer->parked->cnt; i++) {
        count += consumer->parked->elems[i].offset == BERTH_BASE_UNKNOWN;
    }
    return count;
}
