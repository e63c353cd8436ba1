/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that are ours but aren't read, and why: told once, and kept for whoever asks what is
 * wrong, until they are somebody else's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "berth/io/clock.h"
#include "kafka_consumer_parts.h"

#define CAST_OUT_MS 30000

/* A stopped partition's metadata is the text, with its NUL. */

void berth_stopped_tell(struct berth_consumer *consumer, const char *topic, int32_t partition,
                        const char *text) {
    const rd_kafka_topic_partition_t *before =
        rd_kafka_topic_partition_list_find(consumer->stopped, topic, partition);
    if (before != NULL && strcmp(before->metadata, text) == 0) {
        return; /* It was looked at again, and nothing has changed. */
    }
    berth_stopped_forget(consumer, topic, partition);
    char *kept = strdup(text);
    if (kept != NULL) { /* Without memory it is told all the same. */
        rd_kafka_topic_partition_t *stopped =
            rd_kafka_topic_partition_list_add(consumer->stopped, topic, partition);
        stopped->metadata = kept;
        stopped->metadata_size = strlen(kept) + 1;
    }
    consumer->callbacks.on_stopped(consumer->ctx, topic, partition, text);
}

void berth_stopped_at_position(struct berth_consumer *consumer,
                               const rd_kafka_topic_partition_t *partition,
                               const struct berth_log_position *position) {
    char text[BERTH_ERROR_BYTES_MAX];
    (void)snprintf(
        text, sizeof(text),
        "it should go on at offset %" PRId64
        ", but %s. Look at it with berth offsets, then say where to go on, such as berth "
        "offsets --partition %s/%" PRId32 " --from start",
        position->known, berth_log_doubt_text(position->doubt), partition->topic,
        partition->partition);
    berth_stopped_tell(consumer, partition->topic, partition->partition, text);
}

void berth_stopped_unreadable(struct berth_consumer *consumer,
                              const rd_kafka_topic_partition_t *partition,
                              rd_kafka_resp_err_t err) {
    char text[BERTH_ERROR_BYTES_MAX];
    (void)snprintf(text, sizeof(text), "its offsets can't be read (%s): it is tried again",
                   rd_kafka_err2str(err));
    berth_stopped_tell(consumer, partition->topic, partition->partition, text);
}

void berth_stopped_no_slot(struct berth_consumer *consumer,
                           const rd_kafka_topic_partition_t *partition) {
    char text[BERTH_ERROR_BYTES_MAX];
    (void)snprintf(text, sizeof(text),
                   "this worker takes %" PRIu32 " partitions at most: start more workers",
                   consumer->slots_count);
    berth_stopped_tell(consumer, partition->topic, partition->partition, text);
}

/* Another member reads the positions anew. Not again and again: a log may lose its start as fast as
 * it is read. */
void berth_stopped_step(struct berth_consumer *consumer) {
    int64_t now_ms = berth_clock_monotonic_ms();
    bool soon_after = consumer->cast_out_ms != 0 && now_ms - consumer->cast_out_ms < CAST_OUT_MS;
    for (uint32_t i = 0; i < consumer->slots_count; i++) {
        struct berth_slot *slot = &consumer->slots[i];
        if (slot->state == BERTH_SLOT_FREE || !slot->stopped || consumer->cast_out) {
            continue;
        }
        char text[BERTH_ERROR_BYTES_MAX];
        (void)snprintf(text, sizeof(text),
                       "the record after offset %" PRId64
                       " is gone from the log while it was read: it goes on in a moment, where "
                       "the log has records",
                       slot->last_offset);
        if (!slot->stopped_told) {
            slot->stopped_told = true;
            berth_stopped_tell(consumer, slot->topic, slot->partition, text);
        }
        if (!soon_after && !consumer->closing && slot->state == BERTH_SLOT_HELD) {
            consumer->cast_out_ms = now_ms;
            berth_consumer_cast_out(consumer, "a position is gone from its log: all are looked at "
                                              "again, by a new member");
        }
    }
}

void berth_stopped_forget(struct berth_consumer *consumer, const char *topic, int32_t partition) {
    (void)rd_kafka_topic_partition_list_del(consumer->stopped, topic, partition);
}

void berth_stopped_forget_these(struct berth_consumer *consumer,
                                const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        (void)rd_kafka_topic_partition_list_del(consumer->stopped, list->elems[i].topic,
                                                list->elems[i].partition);
    }
}

void berth_stopped_forget_all(struct berth_consumer *consumer) {
    while (consumer->stopped->cnt > 0) {
        (void)rd_kafka_topic_partition_list_del_by_idx(consumer->stopped,
                                                       consumer->stopped->cnt - 1);
    }
}

size_t berth_consumer_stopped(const struct berth_consumer *consumer, const char **ret_topic,
                              int32_t *ret_partition, const char **ret_text) {
    if (consumer->stopped->cnt == 0) {
        return 0;
    }
    const rd_kafka_topic_partition_t *first = &consumer->stopped->elems[0];
    *ret_topic = first->topic;
    *ret_partition = first->partition;
    *ret_text = first->metadata;
    return (size_t)consumer->stopped->cnt;
}
