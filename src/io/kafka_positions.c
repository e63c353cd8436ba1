/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_positions.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "kafka_client.h"
#include "kafka_log.h"

/* The longest that one request may take; the loop goes on meanwhile, but a close waits for it. */
#define REQUEST_TIMEOUT_MS 3000

static rd_kafka_resp_err_t ask_committed(struct berth_kafka_positions *positions,
                                         rd_kafka_topic_partition_list_t **ret_committed);
static rd_kafka_resp_err_t take_committed(struct berth_kafka_positions *positions,
                                          const rd_kafka_topic_partition_list_t *committed);
static rd_kafka_resp_err_t read_ids(struct berth_kafka_positions *positions);
static void read_ends(struct berth_kafka_positions *positions, int64_t which);
static rd_kafka_resp_err_t look(struct berth_kafka_positions *positions);
static void note(struct berth_kafka_positions *positions, int index, rd_kafka_resp_err_t err);

enum berth_rc berth_kafka_positions_init(struct berth_kafka_positions *positions,
                                         const rd_kafka_topic_partition_list_t *partitions) {
    berth_kafka_positions_deinit(positions);
    positions->partitions = partitions;
    positions->facts = calloc((size_t)partitions->cnt + 1, sizeof(*positions->facts));
    if (positions->facts == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    positions->facts_count = partitions->cnt;
    return BERTH_OK;
}

void berth_kafka_positions_deinit(struct berth_kafka_positions *positions) {
    for (int i = 0; i < positions->facts_count; i++) {
        free(positions->facts[i].metadata);
    }
    free(positions->facts);
    positions->facts = NULL;
    positions->facts_count = 0;
}

void berth_kafka_positions_read(struct berth_kafka_positions *positions) {
    positions->unstable = false;
    positions->partial_err = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_t *committed = NULL;
    positions->err = ask_committed(positions, &committed);
    if (positions->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        positions->err = take_committed(positions, committed);
        rd_kafka_topic_partition_list_destroy(committed);
    }
    if (positions->err != RD_KAFKA_RESP_ERR_NO_ERROR || positions->unstable) {
        return; /* The log's ends would be out of date by the next reading. */
    }
    /* The ids first: a topic that is made anew after that is noticed by the next question. */
    positions->err = read_ids(positions);
    if (positions->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        read_ends(positions, RD_KAFKA_OFFSET_BEGINNING);
        read_ends(positions, RD_KAFKA_OFFSET_END);
        positions->err = look(positions);
    }
}

/* The consumer's handle would ask the coordinator that it knows for as long as that broker is up.
 */
static rd_kafka_resp_err_t ask_committed(struct berth_kafka_positions *positions,
                                         rd_kafka_topic_partition_list_t **ret_committed) {
    rd_kafka_resp_err_t err =
        berth_kafka_committed(positions->handle, positions->group, positions->partitions,
                              REQUEST_TIMEOUT_MS, ret_committed);
    rd_kafka_t *another = NULL;
    if (err != RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
        berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, rd_kafka_conf_dup(positions->conf), &another,
                               NULL) != BERTH_OK) {
        return err;
    }
    err = berth_kafka_committed(another, positions->group, positions->partitions,
                                REQUEST_TIMEOUT_MS, ret_committed);
    (void)berth_kafka_handle_destroy(another, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     REQUEST_TIMEOUT_MS);
    return err;
}

static rd_kafka_resp_err_t take_committed(struct berth_kafka_positions *positions,
                                          const rd_kafka_topic_partition_list_t *committed) {
    for (int i = 0; i < positions->facts_count; i++) {
        const rd_kafka_topic_partition_t *wanted = &positions->partitions->elems[i];
        const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find(
            (rd_kafka_topic_partition_list_t *)(uintptr_t)committed, wanted->topic,
            wanted->partition);
        struct berth_kafka_facts *facts = &positions->facts[i];
        note(positions, i, found == NULL ? RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION : found->err);
        positions->unstable |= facts->err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
        size_t len = found == NULL ? 0 : found->metadata_size;
        facts->metadata = calloc(1, len + 1); /* librdkafka's has a length, ours an end. */
        if (facts->metadata == NULL) {
            return RD_KAFKA_RESP_ERR__FAIL;
        }
        if (len > 0) {
            memcpy(facts->metadata, found->metadata, len);
        }
        facts->log.committed = found == NULL || found->offset < 0 ? -1 : found->offset;
        facts->log.marked = berth_log_mark_read(facts->metadata, &facts->log.mark, &facts->map);
        facts->log.from_end = positions->start == BERTH_START_LATEST;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Each topic is asked for once. */
static rd_kafka_resp_err_t read_ids(struct berth_kafka_positions *positions) {
    size_t count = 0;
    struct berth_kafka_topic_id *topics =
        calloc((size_t)positions->facts_count + 1, sizeof(*topics));
    if (topics == NULL) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    for (int i = 0; i < positions->facts_count; i++) {
        size_t at = 0;
        while (at < count && strcmp(topics[at].topic, positions->partitions->elems[i].topic) != 0) {
            at++;
        }
        topics[at].topic = positions->partitions->elems[i].topic;
        count += at == count;
    }
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (count > 0) {
        err = berth_kafka_topic_ids(positions->handle, topics, count, REQUEST_TIMEOUT_MS);
    }
    if (err == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) {
        err = RD_KAFKA_RESP_ERR_NO_ERROR; /* Brokers that know no ids. */
        count = 0;
    }
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < positions->facts_count; i++) {
        for (size_t at = 0; at < count; at++) {
            if (strcmp(topics[at].topic, positions->partitions->elems[i].topic) == 0) {
                memcpy(positions->facts[i].log.id, topics[at].id, sizeof(topics[at].id));
                note(positions, i, topics[at].err);
            }
        }
    }
    free(topics);
    return err;
}

static void read_ends(struct berth_kafka_positions *positions, int64_t which) {
    rd_kafka_topic_partition_list_t *ends =
        rd_kafka_topic_partition_list_copy(positions->partitions);
    berth_kafka_log_ends(positions->handle, which, REQUEST_TIMEOUT_MS, ends);
    for (int i = 0; i < positions->facts_count; i++) {
        const rd_kafka_topic_partition_t *wanted = &positions->partitions->elems[i];
        const rd_kafka_topic_partition_t *end =
            rd_kafka_topic_partition_list_find(ends, wanted->topic, wanted->partition);
        BERTH_ASSERT(end != NULL);
        struct berth_log_facts *facts = &positions->facts[i].log;
        *(which == RD_KAFKA_OFFSET_BEGINNING ? &facts->start : &facts->end) = end->offset;
        note(positions, i, end->err);
    }
    rd_kafka_topic_partition_list_destroy(ends);
}

static rd_kafka_resp_err_t look(struct berth_kafka_positions *positions) {
    struct berth_kafka_place_look *places =
        calloc((size_t)positions->facts_count + 1, sizeof(*places));
    int *owners = calloc((size_t)positions->facts_count + 1, sizeof(*owners));
    size_t count = 0;
    for (int i = 0; places != NULL && owners != NULL && i < positions->facts_count; i++) {
        struct berth_kafka_facts *facts = &positions->facts[i];
        facts->log.kept = facts->kept_told ? &facts->kept : NULL;
        const struct berth_log_mark *mark = facts->err == RD_KAFKA_RESP_ERR_NO_ERROR
                                                ? berth_log_mark_in_question(&facts->log)
                                                : NULL;
        if (mark != NULL) {
            owners[count] = i;
            places[count++] = (struct berth_kafka_place_look){
                .topic = positions->partitions->elems[i].topic,
                .partition = positions->partitions->elems[i].partition,
                .offset = mark->offset};
        }
    }
    if (count > 0) {
        berth_kafka_look_at(positions->conf, places, count, REQUEST_TIMEOUT_MS);
    }
    for (size_t i = 0; i < count; i++) {
        struct berth_log_facts *facts = &positions->facts[owners[i]].log;
        facts->look = places[i].look;
        facts->timestamp_ms = places[i].timestamp_ms;
        facts->checksum = places[i].checksum;
        note(positions, owners[i], places[i].err);
    }
    bool had_memory = places != NULL && owners != NULL;
    free(places);
    free(owners);
    return had_memory ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__FAIL;
}

static void note(struct berth_kafka_positions *positions, int index, rd_kafka_resp_err_t err) {
    struct berth_kafka_facts *facts = &positions->facts[index];
    if (facts->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        facts->err = err;
    }
    if (positions->partial_err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        positions->partial_err = err;
    }
}

bool berth_kafka_position_of(const struct berth_kafka_positions *positions, int index,
                             struct berth_log_position *ret_position) {
    BERTH_ASSERT(index < positions->facts_count);
    const struct berth_kafka_facts *facts = &positions->facts[index];
    if (facts->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    *ret_position = berth_log_position_of(&facts->log);
    return true;
}
