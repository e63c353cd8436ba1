/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_positions.h"

#include <string.h>

#include "kafka_client.h"

/* The longest that one request may take; the loop goes on meanwhile, but a close waits for it. */
#define REQUEST_TIMEOUT_MS 3000

static rd_kafka_resp_err_t read_committed(struct berth_kafka_positions *positions);
static void note_errors(struct berth_kafka_positions *positions,
                        const rd_kafka_topic_partition_list_t *list);
static const rd_kafka_topic_partition_t *find(const rd_kafka_topic_partition_list_t *list,
                                              const rd_kafka_topic_partition_t *wanted);
static void place(struct berth_kafka_position *position, enum berth_kafka_position_kind kind,
                  int64_t offset, int64_t log_start);

void berth_kafka_positions_read(struct berth_kafka_positions *positions) {
    positions->partial_err = RD_KAFKA_RESP_ERR_NO_ERROR;
    positions->err = read_committed(positions);
    if (positions->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    note_errors(positions, positions->committed);
    if (berth_kafka_positions_unstable(positions)) {
        return; /* The log's ends would be out of date by the next reading. */
    }
    positions->lows = rd_kafka_topic_partition_list_copy(positions->partitions);
    positions->highs = rd_kafka_topic_partition_list_copy(positions->partitions);
    berth_kafka_log_ends(positions->handle, RD_KAFKA_OFFSET_BEGINNING, REQUEST_TIMEOUT_MS,
                         positions->lows);
    note_errors(positions, positions->lows);
    berth_kafka_log_ends(positions->handle, RD_KAFKA_OFFSET_END, REQUEST_TIMEOUT_MS,
                         positions->highs);
    note_errors(positions, positions->highs);
}

/* The consumer's handle would ask the coordinator that it knows for as long as that broker is up.
 */
static rd_kafka_resp_err_t read_committed(struct berth_kafka_positions *positions) {
    rd_kafka_resp_err_t err =
        berth_kafka_committed(positions->handle, positions->group, positions->partitions,
                              REQUEST_TIMEOUT_MS, &positions->committed);
    rd_kafka_t *another = NULL;
    if (err != RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
        berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, rd_kafka_conf_dup(positions->conf), &another,
                               NULL) != BERTH_OK) {
        return err;
    }
    err = berth_kafka_committed(another, positions->group, positions->partitions,
                                REQUEST_TIMEOUT_MS, &positions->committed);
    (void)berth_kafka_handle_destroy(another, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     REQUEST_TIMEOUT_MS);
    return err;
}

void berth_kafka_positions_deinit(struct berth_kafka_positions *positions) {
    rd_kafka_topic_partition_list_t **lists[] = {&positions->committed, &positions->lows,
                                                 &positions->highs};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (*lists[i] != NULL) {
            rd_kafka_topic_partition_list_destroy(*lists[i]);
            *lists[i] = NULL;
        }
    }
}

bool berth_kafka_positions_unstable(const struct berth_kafka_positions *positions) {
    for (int i = 0; positions->committed != NULL && i < positions->committed->cnt; i++) {
        if (positions->committed->elems[i].err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT) {
            return true;
        }
    }
    return false;
}

struct berth_kafka_position berth_kafka_position_of(const struct berth_kafka_positions *positions,
                                                    int index, int64_t base,
                                                    enum berth_config_start start) {
    const rd_kafka_topic_partition_t *wanted = &positions->partitions->elems[index];
    const rd_kafka_topic_partition_t *committed = find(positions->committed, wanted);
    const rd_kafka_topic_partition_t *low = find(positions->lows, wanted);
    const rd_kafka_topic_partition_t *high = find(positions->highs, wanted);
    const rd_kafka_topic_partition_t *all[] = {committed, low, high};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] == NULL || all[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return (struct berth_kafka_position){
                .kind = BERTH_POSITION_UNKNOWN,
                .err = all[i] == NULL ? RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION : all[i]->err};
        }
    }
    struct berth_kafka_position position = {
        .committed_offset = -1, .base = BERTH_BASE_NONE, .log_end = high->offset};
    if (committed->offset >= 0) {
        position.committed_offset = committed->offset;
        position.metadata = (struct berth_bytes){committed->metadata, committed->metadata_size};
        place(&position, BERTH_POSITION_COMMITTED, committed->offset, low->offset);
    } else if (base == BERTH_BASE_UNKNOWN) {
        position.kind = BERTH_POSITION_WANTS_BASE;
    } else if (base >= 0) {
        position.base = base;
        place(&position, BERTH_POSITION_BASE, base, low->offset);
    } else {
        position.kind = BERTH_POSITION_CHOSEN;
        position.offset = start == BERTH_START_EARLIEST ? low->offset : high->offset;
    }
    return position;
}

/* At this offset if the log has it. */
static void place(struct berth_kafka_position *position, enum berth_kafka_position_kind kind,
                  int64_t offset, int64_t log_start) {
    position->kind = kind;
    position->offset = offset;
    if (offset < log_start) {
        position->kind = BERTH_POSITION_SKIPPED;
        position->offset = log_start;
    } else if (offset > position->log_end) {
        position->kind = BERTH_POSITION_BEYOND;
    }
}

static void note_errors(struct berth_kafka_positions *positions,
                        const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        if (positions->partial_err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            positions->partial_err = list->elems[i].err;
        }
    }
}

static const rd_kafka_topic_partition_t *find(const rd_kafka_topic_partition_list_t *list,
                                              const rd_kafka_topic_partition_t *wanted) {
    return list == NULL
               ? NULL
               : rd_kafka_topic_partition_list_find(list, wanted->topic, wanted->partition);
}
