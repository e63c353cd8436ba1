/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells one log from another: the ids of topics, and the record at a place. Blocking; for
 * jobs' threads and for the tools.
 */
#ifndef BERTH_IO_KAFKA_LOG_H
#define BERTH_IO_KAFKA_LOG_H

#include <librdkafka/rdkafka.h>

#include "berth/core/log_position.h"

/* A topic, and what the brokers say of it. */
struct berth_kafka_topic_id {
    const char *topic;           /* Borrowed. */
    rd_kafka_resp_err_t err;     /* UNKNOWN_TOPIC_OR_PART: it doesn't exist. */
    char id[BERTH_LOG_ID_BYTES]; /* Empty: they can't tell (before Kafka 2.8). */
};

/* Fills err and id of each; the error of the request as a whole is returned. Blocks for at most
 * about timeout_ms. */
rd_kafka_resp_err_t berth_kafka_topic_ids(rd_kafka_t *handle, struct berth_kafka_topic_id *topics,
                                          size_t count, int timeout_ms);

/* A place in a log, and what is there. */
struct berth_kafka_place_look {
    const char *topic; /* Borrowed. */
    int32_t partition;
    int64_t offset; /* Below the log's end. */
    enum berth_log_look look;
    int64_t timestamp_ms;
    uint32_t checksum;
    rd_kafka_resp_err_t err; /* It couldn't be looked at. */
};

/* Looks at each, with a client of its own that reads what is committed only; conf is borrowed, of
 * another handle of the group. Blocks for at most about timeout_ms for each 32 of them. */
void berth_kafka_look_at(const rd_kafka_conf_t *conf, struct berth_kafka_place_look *places,
                         size_t count, int timeout_ms);

#endif
