/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our Kafka clients share: how a handle is made, how it goes away without hanging the exit,
 * and how offsets are asked for. Private to src/io: it knows librdkafka's types.
 */
#ifndef BERTH_IO_KAFKA_CLIENT_H
#define BERTH_IO_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/io/kafka_properties.h"
#include "berth/io/kafka_record.h"

/* The kinds of clients; bits, so that a property can belong to several. */
enum berth_kafka_kind {
    BERTH_KAFKA_CONSUMER = 1,  /* berthd's: in the group. */
    BERTH_KAFKA_PUBLISHER = 2, /* berthd's: transactional. */
    BERTH_KAFKA_READER = 4,    /* The tools': without a group. */
    BERTH_KAFKA_PRODUCER = 8,  /* The tools': idempotent. */
    BERTH_KAFKA_ADMIN = 16, /* Topics; a consumer handle, since a producer's asks create topics. */
};

/* What the publisher is handed by the consumer; owned by whoever holds it. */
struct berth_group_metadata {
    rd_kafka_consumer_group_metadata_t *handle;
};

/*
 * A configuration with our defaults, [kafka], and our fixed properties, and with librdkafka's lines
 * going to our log.
 * BERTH_INVALID: as berth_kafka_properties_check(). BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_conf_new(enum berth_kafka_kind kind,
                                                  const struct berth_kafka_properties *properties,
                                                  rd_kafka_conf_t **ret_conf,
                                                  struct berth_error *reterr);

/*
 * Sets one of our own properties. The name is ours, so a refusal is about the value.
 * BERTH_INVALID: reterr carries librdkafka's words.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_conf_set(rd_kafka_conf_t *conf, const char *name,
                                                  const char *value, struct berth_error *reterr);

/*
 * The same for a handle that has the group, as berth_kafka_committed() needs it. It joins the group
 * only if it subscribes to something. Before its destruction it has nothing to say to the group:
 * RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE. Kinds that read only (asserted): producers have no group.
 */
BERTH_MUST_USE enum berth_rc
berth_kafka_group_conf_new(enum berth_kafka_kind kind,
                           const struct berth_kafka_properties *properties, const char *group,
                           rd_kafka_conf_t **ret_conf, struct berth_error *reterr);

/*
 * Makes the handle. Takes conf in any case.
 * BERTH_INVALID: properties that don't go together. BERTH_FAULT_LIBRARY otherwise.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_handle_new(enum berth_kafka_kind kind,
                                                    rd_kafka_conf_t *take_conf,
                                                    rd_kafka_t **ret_handle,
                                                    struct berth_error *reterr);

/*
 * Destroys the handle (NULL is fine) in a thread of its own and waits at most timeout_ms for it:
 * rd_kafka_destroy() hangs for ever on some bugs of librdkafka, and on any leak.
 * false: it still runs, and is left behind; nothing that the handle refers to may be freed.
 */
bool berth_kafka_handle_destroy(rd_kafka_t *take_handle, int flags, int timeout_ms);

/* The same, waiting for nothing. */
void berth_kafka_handle_destroy_later(rd_kafka_t *take_handle, int flags);

/* Waits for the thread's end, at most so long; false: it still runs. */
bool berth_kafka_thread_join(pthread_t thread, int timeout_ms);

/* A condition whose time-outs are those of the next function: a wall clock that is set back would
 * make each of them longer by as much. */
void berth_kafka_condition_init(pthread_cond_t *condition);
struct timespec berth_kafka_time_after_ms(int timeout_ms);

/*
 * The offsets and metadata that the group has committed for the partitions of the list, into a new
 * list (rd_kafka_topic_partition_list_destroy()); a partition's own error is in its err. Blocks for
 * at most timeout_ms. While a transaction with an offset of a partition is undecided, that
 * partition's err is UNSTABLE_OFFSET_COMMIT (KIP-447): ask again.
 *
 * Only with a handle that has the group (asserted): when a broker answers that it isn't the group's
 * coordinator, librdkafka has the handle's own group look for it, and crashes if there is none
 * (its issue 5040; seen with 2.8.0). And a handle that asks again and again asks the broker that it
 * once knew as the coordinator for as long as that one is up: after NOT_COORDINATOR only a new
 * handle asks another.
 */
rd_kafka_resp_err_t berth_kafka_committed(rd_kafka_t *handle, const char *group,
                                          const rd_kafka_topic_partition_list_t *partitions,
                                          int timeout_ms,
                                          rd_kafka_topic_partition_list_t **ret_committed);

/*
 * Fills each offset of the list with the log's start (which = RD_KAFKA_OFFSET_BEGINNING) or its end
 * (RD_KAFKA_OFFSET_END; for read_committed clients the last stable offset). Blocks for at most
 * timeout_ms. Topic by topic, so that one that went away doesn't hide the others: what couldn't be
 * had is in each partition's err.
 */
void berth_kafka_log_ends(rd_kafka_t *handle, int64_t which, int timeout_ms,
                          rd_kafka_topic_partition_list_t *partitions);

struct berth_kafka_place {
    bool hidden;        /* It may not be described (and the answer is BERTH_FAULT_LIBRARY). */
    int32_t partitions; /* 0: the topic doesn't exist. */
    int32_t replication_factor;
};

/*
 * How a topic is spread over the brokers. Blocks for at most timeout_ms. Not with a producer's
 * handle, whose question would make the topic where brokers allow that. BERTH_FAULT_LIBRARY: the
 * brokers can't be asked, or refuse.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_place_of(rd_kafka_t *handle, const char *topic,
                                                  int timeout_ms,
                                                  struct berth_kafka_place *ret_place,
                                                  struct berth_error *reterr);

/* librdkafka's form of the headers, owned by the caller until a produce call took it; NULL: no
 * memory. */
rd_kafka_headers_t *berth_kafka_headers_new(const struct berth_header *headers, size_t count);

struct berth_member;

/* A record read: owns librdkafka's message, with which its views stay valid. */
struct berth_record {
    rd_kafka_message_t *message;
    struct berth_member *lender; /* Lives as long as the record; NULL: the reader's. */
    size_t headers_count;
    struct berth_header headers[];
};

/* NULL: no memory, and the message is still the caller's. */
struct berth_record *berth_record_new(rd_kafka_message_t *take_message,
                                      struct berth_member *lender);

#endif
