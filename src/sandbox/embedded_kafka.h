/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embedded Kafka: one broker inside this process, for trying berth without Java.
 *
 * It is librdkafka's mock cluster: a real protocol on a port of 127.0.0.1, with consumer groups and
 * transactional producers, everything in memory. It is no broker to judge berth by: it acknowledges
 * the offsets of a transaction and throws them away, shows records of aborted transactions, fences
 * nobody and has no administration. A partition keeps its newest 5 MiB or 100,000 batches; what is
 * older is dropped. See docs/sandbox.md.
 *
 * Its broker runs in threads of librdkafka's own; these functions are called from one thread.
 */
#ifndef BERTH_SANDBOX_EMBEDDED_KAFKA_H
#define BERTH_SANDBOX_EMBEDDED_KAFKA_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/result.h"

#define BERTH_SANDBOX_TOPIC_CHARS_MAX      249 /* Kafka's own rule. */
#define BERTH_SANDBOX_TOPIC_PARTITIONS     3   /* Of topics of which nobody said anything else. */
#define BERTH_SANDBOX_TOPIC_PARTITIONS_MAX 1000

struct berth_sandbox_kafka;

/*
 * Starts it on a free port: the library has no way to choose one.
 * BERTH_FAULT_LIBRARY: librdkafka refused.
 */
BERTH_MUST_USE enum berth_rc berth_sandbox_kafka_new(struct berth_sandbox_kafka **ret_kafka,
                                                     struct berth_error *reterr);

/* Closes every connection and forgets every record. */
struct berth_sandbox_kafka *berth_sandbox_kafka_free(struct berth_sandbox_kafka *kafka);

/* Whether Kafka takes this as a topic's name. */
bool berth_sandbox_kafka_name_is_legal(const char *topic);

/*
 * Makes a topic with 1 to BERTH_SANDBOX_TOPIC_PARTITIONS_MAX partitions; its name is legal. One
 * that is there already stays as it is, and that is BERTH_OK too.
 * BERTH_FAULT_LIBRARY: librdkafka refused.
 */
BERTH_MUST_USE enum berth_rc berth_sandbox_kafka_make_topic(struct berth_sandbox_kafka *kafka,
                                                            const char *topic, int partitions,
                                                            struct berth_error *reterr);

/* What clients are given as bootstrap.servers: HOST:PORT. A view. */
const char *berth_sandbox_kafka_address(const struct berth_sandbox_kafka *kafka);

#endif
