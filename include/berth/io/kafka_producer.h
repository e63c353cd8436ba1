/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The producer: an idempotent producer for `berth send`. Keys go to the partition that every other
 * producer of ours, and Java's, chooses for them (murmur2).
 *
 * Many records may be under way. Blocking; one thread at a time.
 */
#ifndef BERTH_IO_KAFKA_PRODUCER_H
#define BERTH_IO_KAFKA_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/io/kafka_properties.h"

struct berth_producer;

/* As many as a configuration can name, and one that somebody tries. */
#define BERTH_PRODUCER_TOPICS_MAX 72

/* Valid for the callback only. */
struct berth_delivery {
    void *tag;              /* As given to berth_producer_send(). */
    const char *error_text; /* NULL: the brokers have it. */
    const char *topic;
    int32_t partition;
    int64_t offset;
};

/* Called out of berth_producer_poll(), _flush() and _free(), once for each record sent. */
typedef void (*berth_delivered_fn)(void *ctx, const struct berth_delivery *delivery);

/*
 * record_timeout_ms: a record that isn't delivered by then has failed. Blocks until a broker has
 * answered, or for about as long.
 * BERTH_FAULT_UNREACHABLE: none did. BERTH_INVALID: the properties. BERTH_FAULT_LIBRARY.
 * BERTH_FAULT_MEMORY. Freed with berth_producer_free().
 */
BERTH_MUST_USE enum berth_rc berth_producer_new(const struct berth_kafka_properties *properties,
                                                int record_timeout_ms,
                                                berth_delivered_fn on_delivered, void *ctx,
                                                struct berth_producer **ret_producer,
                                                struct berth_error *reterr);

/*
 * Sends one record; the bytes are copied. A value with data NULL is a null value. The first record
 * to a topic blocks until the brokers told about it, record_timeout_ms at most. Up to
 * BERTH_PRODUCER_TOPICS_MAX topics.
 * BERTH_BUSY: too many are under way: poll, then try again.
 * BERTH_INVALID: it can't be sent at all (too large, no such topic, ...); reterr says why.
 * BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_producer_send(struct berth_producer *producer, const char *topic,
                                                 struct berth_bytes key, struct berth_bytes value,
                                                 const struct berth_header *headers,
                                                 size_t headers_count, void *tag,
                                                 struct berth_error *reterr);

/* Delivers what there is to be told, waiting up to timeout_ms for the first. */
void berth_producer_poll(struct berth_producer *producer, int timeout_ms);

/* Waits until every record sent has been told about. BERTH_BUSY: timeout_ms was over first. */
BERTH_MUST_USE enum berth_rc berth_producer_flush(struct berth_producer *producer, int timeout_ms);

/* Records under way are dropped, and told as failed. Blocks for at most about 2 s. NULL is fine;
 * returns NULL. */
struct berth_producer *berth_producer_free(struct berth_producer *producer);

#endif
