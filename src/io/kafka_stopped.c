/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that are ours but aren't read, and why: told once, and kept for whoever asks what is
 * wrong, until they are somebody else's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kafka_consumer_parts.h"

/* A stopped partition's metadata is the text, with its NUL. */

void berth_stopped_tell(struct berth_consumer *consumer, const char *topic, int32_t partition,
                        const char *text) {
    (void)rd_kafka_topic_partition_list_del(consumer->stopped, topic, partition);
    char *kept = strdup(text);
    if (kept != NULL) { /* Without memory it is told all the same. */
        rd_kafka_topic_partition_t *stopped =
            rd_kafka_topic_partition_list_add(consumer->stopped, topic, partition);
        stopped->metadata = kept;
        stopped->metadata_size = strlen(kept) + 1;
    }
    consumer->callbacks.on_stopped(consumer->ctx, topic, partition, text);
}

void berth_stopped_at_start(struct berth_consumer *consumer,
                            const rd_kafka_topic_partition_t *partition,
                            const struct berth_kafka_position *position) {
    char text[BERTH_ERROR_BYTES_MAX];
    if (position->kind == BERTH_POSITION_BEYOND) {
        bool has_committed = position->committed_offset >= 0;
        (void)snprintf(text, sizeof(text),
                       "the %s offset %" PRId64 ", but the log ends at %" PRId64
                       ": was the topic made anew? Stop every worker, delete %sthe %s%s/%" PRId32
                       ", and start again",
                       has_committed ? "group committed" : "last committed transaction ended at",
                       has_committed ? position->committed_offset : position->base,
                       position->log_end,
                       has_committed ? "the group's offsets of this topic and " : "",
                       consumer->bases_at, partition->topic, partition->partition);
    } else if (position->kind == BERTH_POSITION_UNKNOWN) {
        (void)snprintf(text, sizeof(text),
                       "its offsets can't be read (%s): repair that, then restart berthd",
                       rd_kafka_err2str(position->err));
    } else {
        (void)snprintf(text, sizeof(text),
                       "this worker takes %" PRIu32 " partitions at most: start more workers",
                       consumer->slots_count);
    }
    berth_stopped_tell(consumer, partition->topic, partition->partition, text);
}

void berth_stopped_tell_slots(struct berth_consumer *consumer) {
    for (uint32_t i = 0; i < consumer->slots_count; i++) {
        struct berth_slot *slot = &consumer->slots[i];
        if (slot->state != BERTH_SLOT_FREE && slot->stopped && !slot->stopped_told) {
            slot->stopped_told = true;
            char text[BERTH_ERROR_BYTES_MAX];
            (void)snprintf(text, sizeof(text),
                           "the record after offset %" PRId64
                           " is gone from the log while it was read: restart berthd, which goes on "
                           "at the log's start",
                           slot->last_offset);
            berth_stopped_tell(consumer, slot->topic, slot->partition, text);
        }
    }
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
