/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that are ours and wait: where they go on isn't known before whoever keeps the bases
 * has answered, or it can't be proved that it is of this log, or they couldn't be read. Those that
 * are stopped are asked for again now and then: an operator may have decided.
 *
 * librdkafka isn't given such a partition before that, so that the group's next rebalance doesn't
 * wait for the answer; of what is revoked meanwhile it must not be given back, either.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "kafka_consumer_parts.h"

#define ASK_AGAIN_MS 5000

static struct berth_parked *find(const struct berth_consumer *consumer, const char *topic,
                                 int32_t partition);
static struct berth_parked *find_or_add(struct berth_consumer *consumer, const char *topic,
                                        int32_t partition);

void berth_bases_park(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    struct berth_parked *parked = find_or_add(consumer, topic, partition);
    if (parked != NULL) {
        parked->state = BERTH_PARKED_ASKED;
        consumer->callbacks.on_base_wanted(consumer->ctx, topic, partition, parked->stopped);
    }
}

void berth_bases_stop(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    struct berth_parked *parked = find_or_add(consumer, topic, partition);
    if (parked != NULL) {
        parked->state = BERTH_PARKED_STOPPED;
        parked->stopped = true;
        parked->since_ms = berth_clock_monotonic_ms();
    }
}

void berth_bases_step(struct berth_consumer *consumer) {
    int64_t now_ms = berth_clock_monotonic_ms();
    for (size_t i = 0; i < consumer->parked_count; i++) {
        struct berth_parked *parked = &consumer->parked[i];
        if (parked->state == BERTH_PARKED_STOPPED && now_ms - parked->since_ms >= ASK_AGAIN_MS) {
            parked->state = BERTH_PARKED_ASKED;
            consumer->callbacks.on_base_wanted(consumer->ctx, parked->topic, parked->partition,
                                               true);
        }
    }
}

bool berth_bases_forget(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    struct berth_parked *parked = find(consumer, topic, partition);
    if (parked == NULL) {
        return false;
    }
    *parked = consumer->parked[--consumer->parked_count];
    return true;
}

void berth_bases_take_out(struct berth_consumer *consumer, rd_kafka_topic_partition_list_t *list) {
    for (int i = list->cnt - 1; i >= 0; i--) {
        if (berth_bases_forget(consumer, list->elems[i].topic, list->elems[i].partition)) {
            (void)rd_kafka_topic_partition_list_del_by_idx(list, i);
        }
    }
}

void berth_bases_forget_all(struct berth_consumer *consumer) {
    consumer->parked_count = 0;
}

const struct berth_kept_base *berth_bases_of(const struct berth_consumer *consumer,
                                             const char *topic, int32_t partition) {
    const struct berth_parked *parked = find(consumer, topic, partition);
    return parked != NULL && parked->state == BERTH_PARKED_TOLD ? &parked->kept : NULL;
}

rd_kafka_topic_partition_list_t *berth_bases_told(const struct berth_consumer *consumer) {
    rd_kafka_topic_partition_list_t *told = NULL;
    for (size_t i = 0; i < consumer->parked_count; i++) {
        const struct berth_parked *parked = &consumer->parked[i];
        if (parked->state != BERTH_PARKED_TOLD) {
            continue;
        }
        if (told == NULL) {
            told = rd_kafka_topic_partition_list_new((int)consumer->parked_count);
        }
        rd_kafka_topic_partition_list_add(told, parked->topic, parked->partition);
    }
    return told;
}

void berth_consumer_set_base(struct berth_consumer *consumer, const char *topic, int32_t partition,
                             const struct berth_kept_base *kept) {
    BERTH_ASSERT(kept->offset >= -1);
    struct berth_parked *parked = find(consumer, topic, partition);
    if (parked == NULL) {
        return;
    }
    parked->kept = *kept;
    parked->state = BERTH_PARKED_TOLD;
    berth_consumer_wake(consumer); /* It is gained in a turn of its own. */
}

size_t berth_consumer_bases_wanted(const struct berth_consumer *consumer) {
    size_t count = 0;
    for (size_t i = 0; i < consumer->parked_count; i++) {
        count += consumer->parked[i].state == BERTH_PARKED_ASKED && !consumer->parked[i].stopped;
    }
    return count;
}

static struct berth_parked *find(const struct berth_consumer *consumer, const char *topic,
                                 int32_t partition) {
    for (size_t i = 0; i < consumer->parked_count; i++) {
        struct berth_parked *parked = &consumer->parked[i];
        if (parked->partition == partition && strcmp(parked->topic, topic) == 0) {
            return parked;
        }
    }
    return NULL;
}

/* NULL: no memory, and the consumer is at its end. */
static struct berth_parked *find_or_add(struct berth_consumer *consumer, const char *topic,
                                        int32_t partition) {
    struct berth_parked *parked = find(consumer, topic, partition);
    if (parked != NULL) {
        return parked;
    }
    if (consumer->parked_count == consumer->parked_capacity) {
        size_t capacity = consumer->parked_capacity == 0 ? 16 : 2 * consumer->parked_capacity;
        struct berth_parked *more = realloc(consumer->parked, capacity * sizeof(*more));
        if (more == NULL) {
            consumer->callbacks.on_error(consumer->ctx, true, "no memory for its partitions");
            return NULL;
        }
        consumer->parked = more;
        consumer->parked_capacity = capacity;
    }
    parked = &consumer->parked[consumer->parked_count++];
    *parked = (struct berth_parked){.partition = partition};
    (void)snprintf(parked->topic, sizeof(parked->topic), "%s", topic);
    return parked;
}
