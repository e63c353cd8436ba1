/* SPDX-License-Identifier: Apache-2.0 */
#include "embedded_kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

#define BROKERS     1
#define REPLICATION 1

struct berth_sandbox_kafka {
    rd_kafka_t *handle; /* A client that is never used: the cluster's owner. */
    rd_kafka_mock_cluster_t *cluster;
};

static enum berth_rc make_cluster(struct berth_sandbox_kafka *kafka, struct berth_error *reterr);

enum berth_rc berth_sandbox_kafka_new(struct berth_sandbox_kafka **ret_kafka,
                                      struct berth_error *reterr) {
    struct berth_sandbox_kafka *kafka = berth_sandbox_alloc(sizeof(*kafka));
    sigset_t all;
    sigset_t before;
    /* The threads made below inherit this: signals stay with the thread that runs the loop. */
    BERTH_ASSERT(sigfillset(&all) == 0);
    BERTH_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    enum berth_rc rc = make_cluster(kafka, reterr);
    BERTH_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != BERTH_OK) {
        (void)berth_sandbox_kafka_free(kafka);
        return rc;
    }
    *ret_kafka = kafka;
    return BERTH_OK;
}

static enum berth_rc make_cluster(struct berth_sandbox_kafka *kafka, struct berth_error *reterr) {
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* Errors only (3, as in syslog): the owner has no brokers to talk with, and would warn so. */
    BERTH_ASSERT(rd_kafka_conf_set(conf, "log_level", "3", text, sizeof(text)) == RD_KAFKA_CONF_OK);
    kafka->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (kafka->handle == NULL) {
        rd_kafka_conf_destroy(conf); /* Taken by librdkafka only on success. */
        berth_error_set(reterr, "the embedded Kafka can't start: %s", text);
        return BERTH_FAULT_LIBRARY;
    }
    kafka->cluster = rd_kafka_mock_cluster_new(kafka->handle, BROKERS);
    if (kafka->cluster == NULL) {
        berth_error_set(reterr, "the embedded Kafka can't start: librdkafka made no mock cluster");
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

struct berth_sandbox_kafka *berth_sandbox_kafka_free(struct berth_sandbox_kafka *kafka) {
    if (kafka == NULL) {
        return NULL;
    }
    if (kafka->cluster != NULL) {
        rd_kafka_mock_cluster_destroy(kafka->cluster);
    }
    if (kafka->handle != NULL) {
        rd_kafka_destroy(kafka->handle);
    }
    free(kafka);
    return NULL;
}

bool berth_sandbox_kafka_name_is_legal(const char *topic) {
    static const char LEGAL[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(topic);
    return len > 0 && len <= BERTH_SANDBOX_TOPIC_CHARS_MAX && strspn(topic, LEGAL) == len &&
           strcmp(topic, ".") != 0 && strcmp(topic, "..") != 0;
}

enum berth_rc berth_sandbox_kafka_make_topic(struct berth_sandbox_kafka *kafka, const char *topic,
                                             int partitions, struct berth_error *reterr) {
    BERTH_ASSERT(berth_sandbox_kafka_name_is_legal(topic));
    BERTH_ASSERT(partitions > 0);
    BERTH_ASSERT(partitions <= BERTH_SANDBOX_TOPIC_PARTITIONS_MAX);
    rd_kafka_resp_err_t err =
        rd_kafka_mock_topic_create(kafka->cluster, topic, partitions, REPLICATION);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        berth_error_set(reterr, "topic %s: %s", topic, rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

const char *berth_sandbox_kafka_address(const struct berth_sandbox_kafka *kafka) {
    return rd_kafka_mock_cluster_bootstraps(kafka->cluster);
}
