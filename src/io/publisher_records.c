/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/settled_map.h"
#include "kafka_reach.h"
#include "publisher_parts.h"

#define DESTROY_TIMEOUT_MS 2000
#define READ_TIMEOUT_MS    3000

static void limit_batches(struct berth_publisher *publisher, rd_kafka_conf_t *conf);
static void note_output(struct berth_publisher *publisher, const rd_kafka_message_t *message);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);
static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque);

enum berth_rc berth_publisher_make_producer(struct berth_publisher *publisher,
                                            struct berth_error *reterr) {
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(publisher->conf);
    rd_kafka_conf_set_opaque(conf, publisher);
    /* Without it a commit waits in steps of 10 ms. */
    rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
    rd_kafka_conf_set_error_cb(conf, rdkafka_error_cb);
    limit_batches(publisher, conf);
    enum berth_rc rc =
        berth_kafka_handle_new(BERTH_KAFKA_PUBLISHER, conf, &publisher->handle, reterr);
    for (size_t i = 0; rc == BERTH_OK && i < publisher->topics_count; i++) {
        /* Known from the start, or the first record of each topic waits for up to a second
         * (librdkafka before 2.10.1). */
        publisher->topics[i] =
            rd_kafka_topic_new(publisher->handle, publisher->topic_names[i], NULL);
        if (publisher->topics[i] == NULL) {
            berth_error_set(reterr, "topic %s: %s", publisher->topic_names[i],
                            rd_kafka_err2str(rd_kafka_last_error()));
            berth_publisher_drop_producer(publisher);
            rc = BERTH_INVALID;
        }
    }
    return rc;
}

/* [kafka] may have a smaller batch.size yet. */
static void limit_batches(struct berth_publisher *publisher, rd_kafka_conf_t *conf) {
    publisher->producer_batch_bytes = atomic_load(&publisher->batch_bytes);
    char text[32] = "";
    size_t size = sizeof(text);
    if (publisher->producer_batch_bytes == 0 ||
        rd_kafka_conf_get(conf, "batch.size", text, &size) != RD_KAFKA_CONF_OK ||
        strtoull(text, NULL, 10) <= publisher->producer_batch_bytes) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%zu", publisher->producer_batch_bytes);
    rd_kafka_conf_res_t set = rd_kafka_conf_set(conf, "batch.size", text, NULL, 0);
    BERTH_ASSERT(set == RD_KAFKA_CONF_OK);
}

void berth_publisher_drop_producer(struct berth_publisher *publisher) {
    for (size_t i = 0; i < publisher->topics_count; i++) {
        if (publisher->topics[i] != NULL) {
            rd_kafka_topic_destroy(publisher->topics[i]);
            publisher->topics[i] = NULL;
        }
    }
    (void)berth_kafka_handle_destroy(publisher->handle, 0, DESTROY_TIMEOUT_MS);
    publisher->handle = NULL;
}

enum berth_rc berth_publisher_read_committed(struct berth_publisher *publisher,
                                             rd_kafka_topic_partition_list_t **ret_committed,
                                             struct berth_error *reterr) {
    if (publisher->group_handle == NULL) {
        enum berth_rc rc =
            berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, rd_kafka_conf_dup(publisher->group_conf),
                                   &publisher->group_handle, reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    rd_kafka_topic_partition_list_t *ours = berth_batch_offsets(&publisher->batch);
    rd_kafka_resp_err_t err = berth_kafka_committed(publisher->group_handle, publisher->group, ours,
                                                    READ_TIMEOUT_MS, ret_committed);
    rd_kafka_topic_partition_list_destroy(ours);
    /* After a time-out the next try may need the connections that this one began. After any other
     * answer the handle may be one that would ask the wrong broker for ever. */
    if (err != RD_KAFKA_RESP_ERR__TIMED_OUT) {
        berth_publisher_drop_group_handle(publisher);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "%s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

void berth_publisher_drop_group_handle(struct berth_publisher *publisher) {
    (void)berth_kafka_handle_destroy(publisher->group_handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     DESTROY_TIMEOUT_MS);
    publisher->group_handle = NULL;
}

/* librdkafka copies the bytes (RD_KAFKA_MSG_F_COPY): a producer that has to be left behind may
 * still look at them after the batch was told to be aborted. */
rd_kafka_resp_err_t berth_publisher_produce(struct berth_publisher *publisher, size_t index) {
    const struct berth_batch_record *record = &publisher->batch.records[index];
    BERTH_ASSERT(record->topic < publisher->topics_count);
    rd_kafka_headers_t *headers = berth_kafka_headers_new(record->headers, record->headers_count);
    if (headers == NULL) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    union {
        const uint8_t *ours;
        void *theirs; /* Declared without const, and only read. */
    } value = {.ours = record->value.data}, key = {.ours = record->key.data};
    rd_kafka_resp_err_t err = rd_kafka_producev(
        publisher->handle, RD_KAFKA_V_RKT(publisher->topics[record->topic]),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.theirs, record->key.len),
        RD_KAFKA_V_VALUE(value.theirs, record->value.len), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE((void *)(intptr_t)index), RD_KAFKA_V_END);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_headers_destroy(headers); /* Taken only on success. */
    }
    return err;
}

rd_kafka_topic_partition_list_t *berth_batch_offsets(const struct berth_batch *batch) {
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)batch->offsets_count);
    for (size_t i = 0; i < batch->offsets_count; i++) {
        const struct berth_batch_offset *offset = &batch->offsets[i];
        rd_kafka_topic_partition_t *entry =
            rd_kafka_topic_partition_list_add(list, offset->topic, offset->partition);
        entry->offset = offset->offset;
        if (offset->metadata != NULL && offset->metadata[0] != '\0') {
            entry->metadata = strdup(offset->metadata); /* Freed with the list. */
            BERTH_ASSERT(entry->metadata != NULL);
            entry->metadata_size = strlen(offset->metadata);
        }
    }
    return list;
}

/* Whether everything that our map says is in theirs. */
static bool map_covers(const char *theirs, size_t theirs_len, const char *ours, int64_t base) {
    char text[BERTH_METADATA_MAX + 1];
    if (theirs_len > BERTH_METADATA_MAX) {
        return false;
    }
    memcpy(text, theirs, theirs_len);
    text[theirs_len] = '\0';
    struct berth_log_mark mark;
    const char *their_text;
    (void)berth_log_mark_read(text, &mark, &their_text);
    struct berth_settled_run *runs = calloc(2, BERTH_SETTLED_RUNS_MAX * sizeof(*runs));
    BERTH_ASSERT(runs != NULL);
    struct berth_settled_map their_map;
    struct berth_settled_map our_map;
    berth_settled_map_init(&their_map, runs, BERTH_SETTLED_RUNS_MAX, base);
    berth_settled_map_init(&our_map, runs + BERTH_SETTLED_RUNS_MAX, BERTH_SETTLED_RUNS_MAX, base);
    bool covers = berth_settled_map_read(&their_map, their_text) == BERTH_SETTLED_READ &&
                  berth_settled_map_read(&our_map, ours) == BERTH_SETTLED_READ &&
                  berth_settled_map_covers(&their_map, &our_map);
    free(runs);
    return covers;
}

/* Of another log, an offset that is higher tells nothing of ours. ret_map: ours, behind its mark.
 */
static bool same_log(const char *theirs, size_t theirs_len, const char *ours,
                     const char **ret_map) {
    char text[BERTH_LOG_MARK_TEXT_BYTES];
    size_t len = theirs_len < sizeof(text) - 1 ? theirs_len : sizeof(text) - 1;
    memcpy(text, theirs, len);
    text[len] = '\0';
    text[strcspn(text, " ")] = '\0';
    struct berth_log_mark our_mark = {0};
    struct berth_log_mark their_mark = {0};
    bool marked = berth_log_mark_read(ours, &our_mark, ret_map) &&
                  berth_log_mark_read(text, &their_mark, NULL);
    return !marked || !berth_log_other_id(our_mark.id, their_mark.id);
}

bool berth_batch_was_committed(const struct berth_batch *batch,
                               const rd_kafka_topic_partition_list_t *committed,
                               bool *ret_readable) {
    bool some_same = false;
    bool all_beyond = true;
    for (size_t i = 0; i < batch->offsets_count; i++) {
        const struct berth_batch_offset *ours = &batch->offsets[i];
        const rd_kafka_topic_partition_t *theirs =
            rd_kafka_topic_partition_list_find(committed, ours->topic, ours->partition);
        if (theirs == NULL || theirs->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            *ret_readable = false;
            return false;
        }
        const char *metadata = ours->metadata == NULL ? "" : ours->metadata;
        size_t len = strlen(metadata);
        const char *their_metadata = theirs->metadata == NULL ? "" : theirs->metadata;
        bool at_ours = theirs->offset == ours->offset;
        bool same =
            at_ours && theirs->metadata_size == len && memcmp(their_metadata, metadata, len) == 0;
        const char *map;
        bool one_log = same_log(their_metadata, theirs->metadata_size, metadata, &map);
        bool beyond =
            one_log && (theirs->offset > ours->offset ||
                        (at_ours && map[0] != '\0' &&
                         map_covers(their_metadata, theirs->metadata_size, map, ours->offset)));
        some_same = some_same || same;
        all_beyond = all_beyond && (same || beyond);
    }
    return some_same || all_beyond;
}

void berth_publisher_note(struct berth_publisher *publisher, rd_kafka_resp_err_t err,
                          const char *text) {
    if (publisher->failed_err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        publisher->failed_err = err;
        (void)snprintf(publisher->text, sizeof(publisher->text), "%s", text);
    }
}

/* In the publisher's thread, out of a commit, an abort or a poll. */
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    struct berth_publisher *publisher = opaque;
    bool purged = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                  message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    if (!purged) {
        note_output(publisher, message);
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || purged) {
        return;
    }
    publisher->sequence_broken = true;
    if (publisher->failed_records == 0) {
        /* Not rd_kafka_message_errstr(), which takes the record's own value for a text. */
        char text[BERTH_ERROR_BYTES_MAX];
        publisher->failed_record = (intptr_t)message->_private;
        (void)snprintf(text, sizeof(text), "record %" PRIdPTR " of the batch, to %s: %s",
                       (intptr_t)message->_private, rd_kafka_topic_name(message->rkt),
                       rd_kafka_err2str(message->err));
        publisher->failed_err = RD_KAFKA_RESP_ERR_NO_ERROR; /* More telling than what came of it. */
        berth_publisher_note(publisher, message->err, text);
    }
    publisher->failed_records++;
}

static void note_output(struct berth_publisher *publisher, const rd_kafka_message_t *message) {
    size_t index = (size_t)(intptr_t)message->_private;
    if (!publisher->has_batch || index >= publisher->batch.records_count) {
        return;
    }
    size_t topic = publisher->batch.records[index].topic;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        publisher->outputs[topic].delivered++;
        return;
    }
    if (publisher->outputs[topic].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        publisher->outputs[topic].err = message->err;
    }
    size_t bytes = message->len + message->key_len;
    if (publisher->outputs[topic].bytes == 0 || bytes < publisher->outputs[topic].bytes) {
        publisher->outputs[topic].bytes = bytes;
    }
}

struct berth_batch_output berth_publisher_output(const struct berth_publisher *publisher,
                                                 size_t topic) {
    rd_kafka_resp_err_t err = publisher->outputs[topic].err;
    struct berth_batch_output output = {.verdict = BERTH_OUTPUT_FINE,
                                        .text = rd_kafka_err2str(err),
                                        .bytes = publisher->outputs[topic].bytes};
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        output.verdict = BERTH_OUTPUT_DENIED;
        break;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        output.verdict = BERTH_OUTPUT_TOO_LARGE;
        break;
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        output.verdict = BERTH_OUTPUT_INVALID;
        break;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        for (size_t i = 0; i < publisher->topics_count; i++) {
            if (publisher->outputs[i].delivered > 0 && i != topic) {
                output.verdict = BERTH_OUTPUT_SILENT;
            }
        }
        break;
    default:
        break;
    }
    return output;
}

/* As above. Fatal errors are told by the call that they break; why all brokers are down is told by
 * itself. */
static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque) {
    (void)handle;
    if (err != RD_KAFKA_RESP_ERR__FATAL && err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        char reason[BERTH_ERROR_BYTES_MAX];
        berth_kafka_reason_text(text, reason, sizeof(reason));
        berth_publisher_trouble(opaque, reason);
    }
}
