/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "kafka_client.h"

#define DESTROY_TIMEOUT_MS 2000
/* Of each, brokers send a batch of records at least, which may have a megabyte. */
#define LOOKED_AT_ONCE 32

static rd_kafka_resp_err_t find_broker(rd_kafka_t *handle, int timeout_ms, int32_t *ret_broker);
static void take_ids(const rd_kafka_event_t *event, struct berth_kafka_topic_id *topics,
                     size_t count);
static rd_kafka_t *make_handle(const rd_kafka_conf_t *conf, rd_kafka_resp_err_t *ret_err);
static void look_at_some(rd_kafka_t *handle, struct berth_kafka_place_look *places, size_t count,
                         int timeout_ms);
static size_t take(const rd_kafka_message_t *message, struct berth_kafka_place_look *places,
                   size_t count);

rd_kafka_resp_err_t berth_kafka_topic_ids(rd_kafka_t *handle, struct berth_kafka_topic_id *topics,
                                          size_t count, int timeout_ms) {
    BERTH_ASSERT(count > 0);
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    int32_t broker = -1;
    rd_kafka_resp_err_t err = find_broker(handle, timeout_ms, &broker);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err;
    }
    const char **names = calloc(count, sizeof(*names));
    if (names == NULL) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = topics[i].topic;
        topics[i].id[0] = '\0';
        topics[i].err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    rd_kafka_TopicCollection_t *wanted = rd_kafka_TopicCollection_of_topic_names(names, count);
    free(names);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    char text[BERTH_ERROR_BYTES_MAX];
    int64_t left_ms = until_ms - berth_clock_monotonic_ms();
    timeout_ms = left_ms > 1 ? (int)left_ms : 1;
    err = rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    err = rd_kafka_AdminOptions_set_broker(options, broker, text, sizeof(text));
    BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_DescribeTopics(handle, wanted, options, queue);
    /* librdkafka answers in any case when its own time-out is over. */
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    err = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_ids(event, topics, count);
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(wanted);
    return err;
}

/* Any will do. Unasked, librdkafka would wait for the controller, and the embedded Kafka of
 * berth-sandbox has none. */
static rd_kafka_resp_err_t find_broker(rd_kafka_t *handle, int timeout_ms, int32_t *ret_broker) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(handle, 0, NULL, &metadata, timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err;
    }
    if (metadata->broker_cnt > 0) {
        *ret_broker = metadata->brokers[0].id;
    } else {
        err = RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE;
    }
    rd_kafka_metadata_destroy(metadata);
    return err;
}

static void take_ids(const rd_kafka_event_t *event, struct berth_kafka_topic_id *topics,
                     size_t count) {
    size_t told_count = 0;
    const rd_kafka_TopicDescription_t **told = rd_kafka_DescribeTopics_result_topics(
        rd_kafka_event_DescribeTopics_result((rd_kafka_event_t *)(uintptr_t)event), &told_count);
    for (size_t i = 0; i < told_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (strcmp(rd_kafka_TopicDescription_name(told[i]), topics[j].topic) != 0) {
                continue;
            }
            const rd_kafka_error_t *error = rd_kafka_TopicDescription_error(told[i]);
            topics[j].err = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
            const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(told[i]);
            bool known = topics[j].err == RD_KAFKA_RESP_ERR_NO_ERROR && id != NULL &&
                         (rd_kafka_Uuid_most_significant_bits(id) != 0 ||
                          rd_kafka_Uuid_least_significant_bits(id) != 0);
            if (known) {
                (void)snprintf(topics[j].id, sizeof(topics[j].id), "%s",
                               rd_kafka_Uuid_base64str(id));
            }
        }
    }
}

void berth_kafka_look_at(const rd_kafka_conf_t *conf, struct berth_kafka_place_look *places,
                         size_t count, int timeout_ms) {
    if (count == 0) {
        return;
    }
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__FAIL;
    rd_kafka_t *handle = make_handle(conf, &err);
    for (size_t i = 0; i < count; i += LOOKED_AT_ONCE) {
        size_t some = count - i < LOOKED_AT_ONCE ? count - i : LOOKED_AT_ONCE;
        for (size_t j = i; j < i + some; j++) {
            places[j].look = BERTH_LOG_NOT_LOOKED;
            places[j].err = handle == NULL ? err : RD_KAFKA_RESP_ERR__TIMED_OUT;
        }
        if (handle != NULL) {
            look_at_some(handle, places + i, some, timeout_ms);
        }
    }
    (void)berth_kafka_handle_destroy(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     DESTROY_TIMEOUT_MS);
}

/* It has the group, but subscribes to nothing: it is told what to read. */
static rd_kafka_t *make_handle(const rd_kafka_conf_t *conf, rd_kafka_resp_err_t *ret_err) {
    static const char *const settings[][2] = {
        {"enable.partition.eof", "true"},     {"isolation.level", "read_committed"},
        {"queued.min.messages", "1"},         {"fetch.wait.max.ms", "25"},
        {"fetch.message.max.bytes", "16384"}, {"fetch.error.backoff.ms", "20"},
    };
    rd_kafka_conf_t *own = rd_kafka_conf_dup(conf);
    rd_kafka_conf_set_events(own, 0);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct berth_error error;
        if (berth_kafka_conf_set(own, settings[i][0], settings[i][1], &error) != BERTH_OK) {
            rd_kafka_conf_destroy(own);
            return NULL;
        }
    }
    rd_kafka_t *handle = NULL;
    if (berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, own, &handle, NULL) != BERTH_OK) {
        return NULL;
    }
    *ret_err = rd_kafka_poll_set_consumer(handle);
    return handle;
}

static void look_at_some(rd_kafka_t *handle, struct berth_kafka_place_look *places, size_t count,
                         int timeout_ms) {
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, places[i].topic, places[i].partition)->offset =
            places[i].offset;
    }
    (void)rd_kafka_assign(handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    size_t left = count;
    int64_t left_ms = timeout_ms;
    while (left > 0 && left_ms > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, (int)left_ms);
        if (message != NULL) {
            left -= take(message, places, count);
            rd_kafka_message_destroy(message);
        }
        left_ms = until_ms - berth_clock_monotonic_ms();
    }
    (void)rd_kafka_assign(handle, NULL);
}

/* The first of each partition counts. Returns how many are known with it: one or none. */
static size_t take(const rd_kafka_message_t *message, struct berth_kafka_place_look *places,
                   size_t count) {
    for (size_t i = 0; i < count && message->rkt != NULL; i++) {
        struct berth_kafka_place_look *place = &places[i];
        if (place->partition != message->partition ||
            strcmp(place->topic, rd_kafka_topic_name(message->rkt)) != 0 ||
            place->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            continue;
        }
        bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) {
            place->err = message->err;
            return 0; /* It may pass. */
        }
        place->err = RD_KAFKA_RESP_ERR_NO_ERROR;
        bool there = !at_end && message->offset == place->offset;
        place->look = there ? BERTH_LOG_RECORD : BERTH_LOG_NO_RECORD;
        if (there) {
            rd_kafka_timestamp_type_t type;
            place->timestamp_ms = rd_kafka_message_timestamp(message, &type);
            place->checksum =
                berth_log_checksum(message->key, message->key_len, message->payload, message->len);
        }
        return 1;
    }
    return 0;
}
