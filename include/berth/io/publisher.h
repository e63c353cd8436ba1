/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The publisher: publishes a batch of records and the offsets that they settle in one Kafka
 * transaction (design 5; KIP-98, KIP-447).
 *
 * It owns the transactional producer in a thread of its own, because every call of a transaction
 * blocks, one of them far beyond its time-out (librdkafka issue 5456). The loop hands over one
 * batch at a time and gets one answer for it, in a turn of its own. The two share nothing else.
 *
 * What goes wrong in between is the publisher's affair: what is undecided is asked again until it
 * is decided, a broken producer is replaced by a new one. Only then the batch's fate is told.
 *
 * Loop thread only.
 */
#ifndef BERTH_IO_PUBLISHER_H
#define BERTH_IO_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/io/kafka_properties.h"

struct event_base;
struct berth_group_metadata; /* io/kafka_consumer.h */
struct berth_publisher;

#define BERTH_PUBLISHER_TOPICS_MAX 8

struct berth_batch_record {
    size_t topic; /* Index in the options' topics. */
    struct berth_bytes key;
    struct berth_bytes value; /* data NULL: a null value (a tombstone). */
    const struct berth_header *headers;
    size_t headers_count;
};

struct berth_batch_offset {
    const char *topic;
    int32_t partition;
    int64_t offset;       /* The next one to read. */
    const char *metadata; /* UTF-8, up to the broker's offset.metadata.max.bytes; NULL: none. */
};

/*
 * Everything is borrowed until on_done, but for the group metadata. There may be no record, but
 * there is at least one offset (asserted): when a commit gets no answer before its producer breaks,
 * the committed offsets tell what became of it. So no batch may leave a partition with the offset
 * and the metadata that the one before left it with.
 */
struct berth_batch {
    uint64_t id; /* The caller's own. */
    const struct berth_batch_record *records;
    size_t records_count;
    const struct berth_batch_offset *offsets;
    size_t offsets_count;
    struct berth_group_metadata *take_group_metadata;
};

enum berth_batch_outcome {
    BERTH_BATCH_COMMITTED, /* All of it, once. */
    BERTH_BATCH_ABORTED,   /* None of it is visible: hand it over again, if it still counts. */
    /* None of it is visible, and the same batch would fail again (a record too large for its topic,
     * metadata too long): hand it over without the culprit. */
    BERTH_BATCH_FAILED_FOR_GOOD,
    /* A twin with the same transactional id is alive: this process has to end. None of it is
     * visible, or the twin's start committed it. Every later batch is answered so, too. */
    BERTH_BATCH_FENCED,
};

const char *berth_batch_outcome_name(enum berth_batch_outcome outcome);

/* What became of a batch's records of one topic. */
enum berth_output_verdict {
    BERTH_OUTPUT_FINE,      /* Or nothing is known. */
    BERTH_OUTPUT_DENIED,    /* It may not be written to. */
    BERTH_OUTPUT_TOO_LARGE, /* A record, or the batch that it was in. */
    BERTH_OUTPUT_INVALID,   /* The brokers don't take such a record there, or have no such topic. */
    BERTH_OUTPUT_SILENT,    /* It took none in time, while others did. */
};

struct berth_batch_output {
    enum berth_output_verdict verdict;
    const char *text; /* The reason, unless it is FINE. */
    size_t bytes;     /* TOO_LARGE: of the smallest record that it refused, as far as we know. */
};

/* Valid for the callback only. */
struct berth_batch_result {
    uint64_t id;
    enum berth_batch_outcome outcome;
    const char *text;        /* Why, for the log; "" when COMMITTED. */
    ptrdiff_t culprit;       /* The record that is to blame, if one is known; else -1. */
    bool metadata_too_large; /* FAILED_FOR_GOOD because of an offset's metadata. */
    bool denied; /* One of its topics may not be written to; brokers didn't say which. */
    const struct berth_batch_output *outputs; /* Of each of the options' topics. */
};

/* Everything is copied. */
struct berth_publisher_options {
    struct berth_kafka_properties properties;
    const char *group;            /* Whose offsets are committed. */
    const char *transactional_id; /* Stable and unique for each instance: group and instance. */
    const char *const *topics;    /* All that is ever published to. */
    size_t topics_count;          /* Up to BERTH_PUBLISHER_TOPICS_MAX. */
    void (*on_done)(void *ctx, const struct berth_batch_result *result);
    /* Something is wrong and is being tried again; at most once a second. May be NULL. */
    void (*on_trouble)(void *ctx, const char *text);
    void *ctx;
};

/*
 * Starts the thread; it needs no broker yet.
 * BERTH_INVALID: the properties (see kafka_properties.h). Faults: MEMORY, SYSTEM, LIBRARY.
 * Freed with berth_publisher_free().
 */
BERTH_MUST_USE enum berth_rc berth_publisher_new(struct event_base *base,
                                                 const struct berth_publisher_options *options,
                                                 struct berth_publisher **ret_publisher,
                                                 struct berth_error *reterr);

/*
 * Hands a batch over; on_done tells what became of it, never from within this call. The struct
 * itself is copied.
 * BERTH_BUSY: on_done of the previous one hasn't come yet; nothing was taken.
 */
BERTH_MUST_USE enum berth_rc berth_publisher_submit(struct berth_publisher *publisher,
                                                    const struct berth_batch *take_batch);

/*
 * No topic takes a larger batch than that: brokers count batches, and librdkafka puts up to
 * batch.size bytes into one. From the next batch on; at first librdkafka's own default counts.
 */
void berth_publisher_limit_batches(struct berth_publisher *publisher, size_t bytes);

/* Whether a batch would be worked on at once: the transactional id is ours. For /readyz. */
bool berth_publisher_ready(const struct berth_publisher *publisher);

/* How long the batch in work has been in work; 0: none is. now_ms as berth_clock_monotonic_ms(). */
int64_t berth_publisher_busy_ms(const struct berth_publisher *publisher, int64_t now_ms);

/* How many steps its thread has taken. While it has a batch and this doesn't change, one call of
 * librdkafka is under way; those are asked to take a second at most. For a watchdog. */
uint64_t berth_publisher_steps(const struct berth_publisher *publisher);

/*
 * Stops it: the batch in work is finished first, if that takes no longer than timeout_ms; on_done
 * isn't called any more. NULL is fine. Not from on_done or on_trouble.
 * false: the thread still hangs in librdkafka and is left behind with the publisher. What its batch
 * borrows must not be freed, and the process has to end.
 */
BERTH_MUST_USE bool berth_publisher_free(struct berth_publisher *publisher, int timeout_ms);

#endif
