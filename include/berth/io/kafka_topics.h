/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: what exists, and making what doesn't, for `berth topics` and for berthd's check at start.
 * Asking never creates a topic, whatever the brokers' auto.create.topics.enable says.
 */
#ifndef BERTH_IO_KAFKA_TOPICS_H
#define BERTH_IO_KAFKA_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/io/kafka_properties.h"

struct event_base;
struct berth_topics_check;

/* As many as a configuration can name: a command topic for each registry, and the outputs. */
#define BERTH_TOPICS_MAX 128

#define BERTH_CLEANUP_POLICY_BYTES 32

/* Beside key, value and headers a record has a few bytes of its own, and a batch some more. */
#define BERTH_TOPIC_ROOM_BYTES 65536
/* The least max.message.bytes of a topic that berthd publishes to: with less, records would have to
 * leave out too much. */
#define BERTH_TOPIC_MESSAGE_BYTES_MIN (BERTH_TOPIC_ROOM_BYTES + 65536)

enum berth_permission {
    BERTH_PERMISSION_UNKNOWN, /* The brokers don't say. */
    BERTH_PERMISSION_DENIED,
    BERTH_PERMISSION_GRANTED,
};

struct berth_topic_status {
    bool exists; /* false also for a topic that may not be described: see `hidden`. */
    bool hidden; /* It may not be described: nothing else is known of it. */
    enum berth_permission may_read;
    enum berth_permission may_write;
    int32_t partitions;
    int32_t replication_factor;
    char
        cleanup_policy[BERTH_CLEANUP_POLICY_BYTES]; /* "delete", "compact", ...; "" not readable. */
    int64_t message_bytes_max;                      /* max.message.bytes; -1: not readable. */
};

/*
 * Asks for each of the names, in their order. Blocks for at most about timeout_ms.
 * Any thread. BERTH_INVALID: the properties. BERTH_FAULT_UNREACHABLE: no broker answers.
 * BERTH_FAULT_LIBRARY: they refuse. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_topics_describe(const struct berth_kafka_properties *properties,
                                                   const char *const *names, size_t count,
                                                   int timeout_ms,
                                                   struct berth_topic_status *ret_statuses,
                                                   struct berth_error *reterr);

/* Room for the cluster's id, which is a UUID in Base64 where nobody chose another. */
#define BERTH_KAFKA_CLUSTER_BYTES 128

/*
 * Which Kafka it is. Blocks for at most about timeout_ms. Any thread. BERTH_INVALID: the
 * properties. BERTH_FAULT_LIBRARY: the brokers can't be asked.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_cluster(const struct berth_kafka_properties *properties,
                                                 int timeout_ms,
                                                 char ret_id[BERTH_KAFKA_CLUSTER_BYTES],
                                                 struct berth_error *reterr);

struct berth_topic_spec {
    const char *name;
    int32_t partitions;         /* -1: the brokers' default. */
    int32_t replication_factor; /* -1: the brokers' default. */
    const char *cleanup_policy; /* NULL: the brokers' default. */
};

struct berth_topic_made {
    bool made; /* false: see the text; "exists already" when another was quicker. */
    bool existed;
    char text[BERTH_ERROR_BYTES_MAX];
};

/*
 * Makes the topics, each on its own: ret_made tells of each. Blocks for at most about timeout_ms.
 * Any thread. BERTH_INVALID: the properties. BERTH_FAULT_UNREACHABLE: no broker answers.
 * BERTH_FAULT_LIBRARY: they refuse. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_topics_create(const struct berth_kafka_properties *properties,
                                                 const struct berth_topic_spec *specs, size_t count,
                                                 int timeout_ms, struct berth_topic_made *ret_made,
                                                 struct berth_error *reterr);

/*
 * berth_topics_describe() without blocking the loop, in a short-lived thread: as often as wanted,
 * one at a time. Loop thread only.
 */

/* rc and error are those of berth_topics_describe() and berth_kafka_cluster(), whose id comes with
 * it; statuses as the names, valid for the callback only, NULL when rc isn't BERTH_OK. */
typedef void (*berth_topics_checked_fn)(void *ctx, enum berth_rc rc,
                                        const struct berth_topic_status *statuses, size_t count,
                                        const char *cluster, const char *error_text);

/* The names are copied; the properties are borrowed until it is freed. Faults: MEMORY, SYSTEM. */
BERTH_MUST_USE enum berth_rc berth_topics_check_new(struct event_base *base,
                                                    const struct berth_kafka_properties *properties,
                                                    const char *const *names, size_t count,
                                                    berth_topics_checked_fn on_checked, void *ctx,
                                                    struct berth_topics_check **ret_check,
                                                    struct berth_error *reterr);

/*
 * Starts a check; on_checked comes in a turn of its own.
 * BERTH_BUSY: one is under way. BERTH_FAULT_SYSTEM.
 */
BERTH_MUST_USE enum berth_rc berth_topics_check_start(struct berth_topics_check *check,
                                                      int timeout_ms, struct berth_error *reterr);

/* Waits at most timeout_ms for a check under way; one that takes longer is left behind, and then
 * the properties must stay. NULL is fine; returns NULL. Not from on_checked. */
struct berth_topics_check *berth_topics_check_free(struct berth_topics_check *check,
                                                   int timeout_ms);

#endif
