/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_reader.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "kafka_reach.h"

#define DESTROY_TIMEOUT_MS 2000

struct partition {
    size_t topic;
    int32_t number;
    int64_t next_offset; /* The first that may still come. */
    int64_t end_offset;  /* Where the log ended when the reader was made. */
    bool whole;          /* It is read from its beginning. */
    int64_t given;       /* Records that were taken. */
};

struct berth_reader {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue; /* Of all partitions. */
    rd_kafka_topic_t *topics[BERTH_READER_TOPICS_MAX];
    size_t topics_count;
    struct partition *partitions;
    size_t partitions_count;
    size_t started_count;
    size_t behind_count; /* Partitions that haven't reached their end_offset. */
    struct berth_kafka_trouble trouble;
};

static enum berth_rc make_handle(struct berth_reader *reader,
                                 const struct berth_kafka_properties *properties, int timeout_ms,
                                 struct berth_error *reterr);
static enum berth_rc list_partitions(struct berth_reader *reader, const char *const *topics,
                                     size_t topics_count, int64_t until_ms,
                                     rd_kafka_topic_partition_list_t *list,
                                     struct berth_error *reterr);
static enum berth_rc fix_positions(struct berth_reader *reader,
                                   rd_kafka_topic_partition_list_t *list, int64_t back_offsets,
                                   int64_t until_ms, struct berth_error *reterr);
static enum berth_rc start_reading(struct berth_reader *reader, struct berth_error *reterr);
static int left_ms(int64_t until_ms);
static struct partition *find_partition(struct berth_reader *reader,
                                        const rd_kafka_message_t *message);
static void move_to(struct berth_reader *reader, struct partition *partition, int64_t next_offset);

enum berth_rc berth_reader_new(const struct berth_kafka_properties *properties,
                               const char *const *topics, size_t topics_count, int64_t back_offsets,
                               int timeout_ms, struct berth_reader **ret_reader,
                               struct berth_error *reterr) {
    BERTH_ASSERT(topics_count > 0);
    BERTH_ASSERT(topics_count <= BERTH_READER_TOPICS_MAX);
    struct berth_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    enum berth_rc rc = make_handle(reader, properties, timeout_ms, reterr);
    if (rc == BERTH_OK) {
        rc = list_partitions(reader, topics, topics_count, until_ms, list, reterr);
    }
    if (rc == BERTH_OK) {
        rc = fix_positions(reader, list, back_offsets, until_ms, reterr);
    }
    if (rc == BERTH_OK) {
        rc = start_reading(reader, reterr);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (rc != BERTH_OK) {
        (void)berth_reader_free(reader);
        return rc;
    }
    *ret_reader = reader;
    return BERTH_OK;
}

enum berth_rc berth_reader_take(struct berth_reader *reader, int timeout_ms,
                                struct berth_record **ret_record, struct berth_error *reterr) {
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    for (;;) {
        int64_t left = until_ms - berth_clock_monotonic_ms();
        rd_kafka_message_t *message =
            rd_kafka_consume_queue(reader->queue, left > 0 ? (int)left : 0);
        if (message == NULL) {
            berth_kafka_log_trouble(reader->handle, &reader->trouble);
            return BERTH_END;
        }
        struct partition *partition = find_partition(reader, message);
        bool had_more = reader->behind_count > 0;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && partition != NULL) {
            /* The end of the log: the last offsets may be those of transaction markers. */
            move_to(reader, partition, message->offset);
            rd_kafka_message_destroy(message);
            if (had_more && reader->behind_count == 0) {
                return BERTH_END;
            }
            continue;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || partition == NULL) {
            berth_error_set(reterr, "topic %s: %s",
                            message->rkt == NULL ? "?" : rd_kafka_topic_name(message->rkt),
                            rd_kafka_message_errstr(message));
            rd_kafka_message_destroy(message);
            return BERTH_FAULT_LIBRARY;
        }
        struct berth_record *record = berth_record_new(message, NULL);
        if (record == NULL) {
            rd_kafka_message_destroy(message);
            return BERTH_FAULT_MEMORY;
        }
        move_to(reader, partition, message->offset + 1);
        partition->given++;
        *ret_record = record;
        return BERTH_OK;
    }
}

bool berth_reader_at_end(const struct berth_reader *reader) {
    return reader->behind_count == 0;
}

bool berth_reader_gave(const struct berth_reader *reader, int64_t count) {
    for (size_t i = 0; i < reader->partitions_count; i++) {
        if (!reader->partitions[i].whole && reader->partitions[i].given < count) {
            return false;
        }
    }
    return true;
}

struct berth_reader *berth_reader_free(struct berth_reader *reader) {
    if (reader == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < reader->started_count; i++) {
        const struct partition *partition = &reader->partitions[i];
        (void)rd_kafka_consume_stop(reader->topics[partition->topic], partition->number);
    }
    if (reader->queue != NULL) {
        rd_kafka_queue_destroy(reader->queue);
    }
    for (size_t i = 0; i < reader->topics_count; i++) {
        rd_kafka_topic_destroy(reader->topics[i]);
    }
    (void)berth_kafka_handle_destroy(reader->handle, 0, DESTROY_TIMEOUT_MS);
    free(reader->partitions);
    free(reader);
    return NULL;
}

static enum berth_rc make_handle(struct berth_reader *reader,
                                 const struct berth_kafka_properties *properties, int timeout_ms,
                                 struct berth_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc = berth_kafka_conf_new(BERTH_KAFKA_READER, properties, &conf, reterr);
    if (rc == BERTH_OK) {
        rc = berth_kafka_reached_new(BERTH_KAFKA_READER, conf, timeout_ms, &reader->handle, reterr);
    }
    if (rc == BERTH_OK) {
        reader->queue = rd_kafka_queue_new(reader->handle);
    }
    return rc;
}

static enum berth_rc list_partitions(struct berth_reader *reader, const char *const *topics,
                                     size_t topics_count, int64_t until_ms,
                                     rd_kafka_topic_partition_list_t *list,
                                     struct berth_error *reterr) {
    for (size_t i = 0; i < topics_count; i++) {
        struct berth_kafka_place place;
        enum berth_rc rc =
            berth_kafka_place_of(reader->handle, topics[i], left_ms(until_ms), &place, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
        if (place.partitions == 0) {
            berth_error_set(reterr, "topic %s does not exist", topics[i]);
            return BERTH_NOT_FOUND;
        }
        rd_kafka_topic_partition_list_add_range(list, topics[i], 0, place.partitions - 1);
        reader->topics[reader->topics_count] = rd_kafka_topic_new(reader->handle, topics[i], NULL);
        BERTH_ASSERT(reader->topics[reader->topics_count] != NULL); /* As just before. */
        reader->topics_count++;
    }
    return BERTH_OK;
}

static enum berth_rc fix_positions(struct berth_reader *reader,
                                   rd_kafka_topic_partition_list_t *list, int64_t back_offsets,
                                   int64_t until_ms, struct berth_error *reterr) {
    reader->partitions = calloc((size_t)list->cnt, sizeof(reader->partitions[0]));
    if (reader->partitions == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    rd_kafka_topic_partition_list_t *lows = rd_kafka_topic_partition_list_copy(list);
    berth_kafka_log_ends(reader->handle, RD_KAFKA_OFFSET_BEGINNING, left_ms(until_ms), lows);
    berth_kafka_log_ends(reader->handle, RD_KAFKA_OFFSET_END, left_ms(until_ms), list);
    enum berth_rc rc = BERTH_OK;
    for (int i = 0; i < list->cnt && rc == BERTH_OK; i++) {
        const rd_kafka_topic_partition_t *high = &list->elems[i];
        const rd_kafka_topic_partition_t *low =
            rd_kafka_topic_partition_list_find(lows, high->topic, high->partition);
        rd_kafka_resp_err_t err = low->err != RD_KAFKA_RESP_ERR_NO_ERROR ? low->err : high->err;
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            berth_error_set(reterr, "topic %s, partition %d: %s", high->topic, high->partition,
                            rd_kafka_err2str(err));
            rc = BERTH_FAULT_LIBRARY;
            break;
        }
        struct partition *partition = &reader->partitions[reader->partitions_count++];
        while (strcmp(rd_kafka_topic_name(reader->topics[partition->topic]), high->topic) != 0) {
            partition->topic++;
        }
        partition->number = high->partition;
        partition->end_offset = high->offset;
        partition->whole = high->offset - low->offset <= back_offsets;
        partition->next_offset = partition->whole ? low->offset : high->offset - back_offsets;
        if (partition->next_offset < partition->end_offset) {
            reader->behind_count++;
        }
    }
    rd_kafka_topic_partition_list_destroy(lows);
    return rc;
}

static enum berth_rc start_reading(struct berth_reader *reader, struct berth_error *reterr) {
    for (size_t i = 0; i < reader->partitions_count; i++) {
        const struct partition *partition = &reader->partitions[i];
        if (rd_kafka_consume_start_queue(reader->topics[partition->topic], partition->number,
                                         partition->next_offset, reader->queue) != 0) {
            berth_error_set(reterr, "topic %s, partition %d: %s",
                            rd_kafka_topic_name(reader->topics[partition->topic]),
                            partition->number, rd_kafka_err2str(rd_kafka_last_error()));
            return BERTH_FAULT_LIBRARY;
        }
        reader->started_count++;
    }
    return BERTH_OK;
}

static int left_ms(int64_t until_ms) {
    int64_t left = until_ms - berth_clock_monotonic_ms();
    return left > 1 ? (int)left : 1;
}

static struct partition *find_partition(struct berth_reader *reader,
                                        const rd_kafka_message_t *message) {
    for (size_t i = 0; message->rkt != NULL && i < reader->partitions_count; i++) {
        struct partition *partition = &reader->partitions[i];
        if (partition->number == message->partition &&
            strcmp(rd_kafka_topic_name(reader->topics[partition->topic]),
                   rd_kafka_topic_name(message->rkt)) == 0) {
            return partition;
        }
    }
    return NULL;
}

static void move_to(struct berth_reader *reader, struct partition *partition, int64_t next_offset) {
    bool was_behind = partition->next_offset < partition->end_offset;
    if (next_offset > partition->next_offset) {
        partition->next_offset = next_offset;
    }
    if (was_behind && partition->next_offset >= partition->end_offset) {
        reader->behind_count--;
    }
}
