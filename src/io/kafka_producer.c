/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "kafka_reach.h"

#define DESTROY_TIMEOUT_MS 2000
#define PURGED_TIMEOUT_MS  1000

struct berth_producer {
    rd_kafka_t *handle;
    int record_timeout_ms;
    rd_kafka_topic_t *topics[BERTH_PRODUCER_TOPICS_MAX];
    size_t topics_count;
    berth_delivered_fn on_delivered;
    void *ctx;
    struct berth_kafka_trouble trouble;
    char reason[2 * BERTH_ERROR_BYTES_MAX]; /* Why the last record failed. */
};

static rd_kafka_topic_t *topic_of(struct berth_producer *producer, const char *name);
static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);

enum berth_rc berth_producer_new(const struct berth_kafka_properties *properties,
                                 int record_timeout_ms, berth_delivered_fn on_delivered, void *ctx,
                                 struct berth_producer **ret_producer, struct berth_error *reterr) {
    struct berth_producer *producer = malloc(sizeof(*producer));
    if (producer == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *producer = (struct berth_producer){
        .record_timeout_ms = record_timeout_ms, .on_delivered = on_delivered, .ctx = ctx};
    char timeout[16];
    (void)snprintf(timeout, sizeof(timeout), "%d", record_timeout_ms);
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc = berth_kafka_conf_new(BERTH_KAFKA_PRODUCER, properties, &conf, reterr);
    if (rc == BERTH_OK) {
        rc = berth_kafka_conf_set(conf, "message.timeout.ms", timeout, reterr);
        if (rc != BERTH_OK) {
            rd_kafka_conf_destroy(conf);
        }
    }
    if (rc == BERTH_OK) {
        rd_kafka_conf_set_opaque(conf, producer);
        rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
        rd_kafka_conf_set_error_cb(conf, rdkafka_error_cb);
        rc = berth_kafka_handle_new(BERTH_KAFKA_PRODUCER, conf, &producer->handle, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_kafka_reach(producer->handle, &producer->trouble, record_timeout_ms, reterr);
    }
    if (rc != BERTH_OK) {
        (void)berth_producer_free(producer);
        return rc;
    }
    *ret_producer = producer;
    return BERTH_OK;
}

enum berth_rc berth_producer_send(struct berth_producer *producer, const char *topic,
                                  struct berth_bytes key, struct berth_bytes value,
                                  const struct berth_header *headers, size_t headers_count,
                                  void *tag, struct berth_error *reterr) {
    rd_kafka_headers_t *list = berth_kafka_headers_new(headers, headers_count);
    if (list == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    union {
        const uint8_t *ours;
        void *theirs; /* Declared without const, and only read. */
    } key_data = {.ours = key.data}, value_data = {.ours = value.data};
    rd_kafka_topic_t *known = topic_of(producer, topic);
    if (known == NULL) {
        rd_kafka_headers_destroy(list);
        berth_error_set(reterr, "sending to %s: librdkafka makes no more topics", topic);
        return BERTH_INVALID;
    }
    rd_kafka_resp_err_t err = rd_kafka_producev(
        producer->handle, RD_KAFKA_V_RKT(known), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key_data.theirs, key.len), RD_KAFKA_V_VALUE(value_data.theirs, value.len),
        RD_KAFKA_V_HEADERS(list), RD_KAFKA_V_OPAQUE(tag), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return BERTH_OK;
    }
    rd_kafka_headers_destroy(list); /* Taken only on success. */
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return BERTH_BUSY;
    }
    berth_error_set(reterr, "sending to %s: %s", topic, rd_kafka_err2str(err));
    return BERTH_INVALID;
}

/*
 * The topic's handle, made and looked up on first use: a record to a topic that librdkafka doesn't
 * know yet often waits a whole second (kafka-notes 1.7; fixed in 2.10.1). When the brokers can't be
 * asked, the record's own time-out says so.
 */
static rd_kafka_topic_t *topic_of(struct berth_producer *producer, const char *name) {
    for (size_t i = 0; i < producer->topics_count; i++) {
        if (strcmp(rd_kafka_topic_name(producer->topics[i]), name) == 0) {
            return producer->topics[i];
        }
    }
    if (producer->topics_count == BERTH_PRODUCER_TOPICS_MAX) {
        return NULL;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->handle, name, NULL);
    if (topic == NULL) {
        return NULL;
    }
    producer->topics[producer->topics_count++] = topic;
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(producer->handle, 0, topic, &metadata, producer->record_timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
    }
    return topic;
}

void berth_producer_poll(struct berth_producer *producer, int timeout_ms) {
    (void)rd_kafka_poll(producer->handle, timeout_ms);
}

enum berth_rc berth_producer_flush(struct berth_producer *producer, int timeout_ms) {
    return rd_kafka_flush(producer->handle, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR ? BERTH_OK
                                                                                      : BERTH_BUSY;
}

struct berth_producer *berth_producer_free(struct berth_producer *producer) {
    if (producer != NULL) {
        if (producer->handle != NULL) {
            (void)rd_kafka_purge(producer->handle,
                                 RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            (void)rd_kafka_flush(producer->handle, PURGED_TIMEOUT_MS);
        }
        for (size_t i = 0; i < producer->topics_count; i++) {
            rd_kafka_topic_destroy(producer->topics[i]);
        }
        (void)berth_kafka_handle_destroy(producer->handle, 0, DESTROY_TIMEOUT_MS);
        free(producer);
    }
    return NULL;
}

static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    struct berth_producer *producer = opaque;
    bool failed = message->err != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (failed) {
        bool met = producer->trouble.text[0] != '\0';
        /* Not rd_kafka_message_errstr(), which takes the record's own value for a text. */
        (void)snprintf(producer->reason, sizeof(producer->reason), "%s%s%s",
                       rd_kafka_err2str(message->err), met ? "; last trouble: " : "",
                       producer->trouble.text);
    }
    struct berth_delivery delivery = {.tag = message->_private,
                                      .error_text = failed ? producer->reason : NULL,
                                      .topic = rd_kafka_topic_name(message->rkt),
                                      .partition = message->partition,
                                      .offset = message->offset};
    producer->on_delivered(producer->ctx, &delivery);
}

static void rdkafka_error_cb(rd_kafka_t *handle, int err, const char *text, void *opaque) {
    (void)handle;
    struct berth_producer *producer = opaque;
    berth_kafka_trouble_note(&producer->trouble, (rd_kafka_resp_err_t)err, text,
                             berth_clock_monotonic_ms());
}
