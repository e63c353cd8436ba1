/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer: berthd's member of its consumer group, on a libevent loop (design 5, 4.10).
 *
 * It says which partitions it gained and where they start, lends their records one by one, and
 * gives a partition back only when told to, so that what is in flight can be finished first.
 *
 *  - A gained partition has a slot, a small number that names it until it is given up or lost, and
 * an epoch, which no other assignment of this process ever has.
 *  - Records are taken from each slot on its own, in offset order. A slot that isn't taken from
 * holds nothing up but itself; what is fetched ahead for it is bounded. Nothing is ever paused.
 *  - Where a partition without a committed offset starts, its owner is asked: it may keep a base,
 * the place where the last committed transaction ended. The partition waits for the answer; the
 * others, and the group, don't.
 *  - Nothing blocks the loop: what librdkafka can only do blocking is done in a short-lived thread.
 *  - Forgotten by its group, it joins anew, as another process would, and all that it held is lost.
 * The same when it is turned away for another member with its instance id, which may have been a
 * late request of its own; but only once (BERTH_KAFKA_TWIN_MS).
 *  - Offsets are never committed here but by the publisher, with the group metadata of the
 * consumer.
 *
 * Loop thread only. Callbacks come out of turns of the loop, never out of a call of yours; they may
 * call every function here except berth_consumer_free().
 */
#ifndef BERTH_IO_KAFKA_CONSUMER_H
#define BERTH_IO_KAFKA_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/log_position.h"
#include "berth/io/config.h"
#include "berth/io/kafka_properties.h"
#include "berth/io/kafka_record.h"

struct event_base;
struct berth_consumer;

/* The group's member id and generation at one moment, for a transaction (KIP-447). */
struct berth_group_metadata;

/* The most partitions that may be asked for. */
#define BERTH_CONSUMER_PARTITIONS_MAX 4096

/* What says where a partition starts. */
enum berth_partition_origin {
    BERTH_ORIGIN_COMMITTED, /* The group's committed offset. */
    BERTH_ORIGIN_BASE,      /* There is none: the base. */
    BERTH_ORIGIN_START,     /* There is neither: `start`. */
    BERTH_ORIGIN_DECISION,  /* It was stopped, and an operator said where it goes on. */
};

/* A partition that was gained. Valid for the callback only. */
struct berth_partition_info {
    uint32_t slot; /* Below partitions_max. */
    const char *topic;
    int32_t partition;
    uint64_t epoch;           /* Rises with each assignment in this process; never 0. */
    int64_t start_offset;     /* The first offset that will be read, if it exists. */
    int64_t committed_offset; /* What the group had committed; -1: nothing. */
    enum berth_partition_origin origin;
    /* So many offsets are passed over: gone from the log between where the origin says and its
     * start, where it goes on, or by the operator's decision. 0 for BERTH_ORIGIN_START. */
    int64_t lost;
    int64_t lost_from; /* The first of them. */
    /* start_offset is committed. Otherwise commit it before the first record is taken in: the base,
     * an offset chosen by `start`, or the log's start above either of the first two. */
    bool committed;
    const char *metadata;      /* The map committed with committed_offset; "" when there is none. */
    struct berth_log_mark log; /* Which log it is, and what is known to be settled of it. */
};

/* All are required. ctx is the one of the options. */
struct berth_consumer_callbacks {
    void (*on_gained)(void *ctx, const struct berth_partition_info *partition);
    /* A partition is ours and has no committed offset: where did its last committed transaction
     * end? Answer with berth_consumer_set_base(), at once or ever so late; until then it isn't
     * gained, and not even `start` is chosen. If it is revoked or lost meanwhile nothing more is
     * said of it. Asked again whenever it is ours anew, and, again then, every few seconds for one
     * that is stopped: an operator may have decided. */
    void (*on_base_wanted)(void *ctx, const char *topic, int32_t partition, bool again);
    /* The group wants it back: nothing more can be taken from it. Answer with
     * berth_consumer_give_up() when what is in flight is done, within max.poll.interval.ms. Until
     * all are answered librdkafka fetches nothing for the partitions that stay, either. */
    void (*on_revoked)(void *ctx, uint32_t slot);
    /* It belongs to somebody else already: drop what is in flight. The slot is free after this
     * call; there is nothing to give up. A revoked one may be lost, too, instead of being given up,
     * when the group turns out to have forgotten this member. A group that merely didn't wait shows
     * in the batches, which are aborted. */
    void (*on_lost)(void *ctx, uint32_t slot);
    /* There may be records in some slot that had none. Take from every slot until BERTH_END, or
     * take again later: there is no second call for records that were left. */
    void (*on_records)(void *ctx);
    /* The partition is ours but isn't read; text says why and what to do. It has no slot, or its
     * slot yields nothing more. */
    void (*on_stopped)(void *ctx, const char *topic, int32_t partition, const char *text);
    /* A topic doesn't exist; once for each absence. It is found within
     * topic.metadata.refresh.interval.ms (default 5 s) after it was made. */
    void (*on_topic_missing)(void *ctx, const char *topic);
    /* Something is wrong. fatal: this consumer never works again (another process has the same
     * instance id, for example); else it goes on by itself. */
    void (*on_error)(void *ctx, bool fatal, const char *text);
    /* The close that was asked for is complete. */
    void (*on_closed)(void *ctx);
};

/* Everything is copied. */
struct berth_consumer_options {
    struct berth_kafka_properties properties;
    const char *group;
    const char *instance; /* Static membership (KIP-345) under this id; NULL: none. */
    const char *const *topics;
    size_t topics_count;
    enum berth_config_start start; /* For partitions with neither committed offset nor base. */
    uint32_t partitions_max; /* Up to BERTH_CONSUMER_PARTITIONS_MAX; more than it are stopped. */
    struct berth_consumer_callbacks callbacks;
    void *ctx;
};

/*
 * Makes the consumer and subscribes it; it needs no broker yet.
 * BERTH_INVALID: the properties (see kafka_properties.h). Faults: MEMORY, SYSTEM, LIBRARY.
 * Freed with berth_consumer_free().
 */
BERTH_MUST_USE enum berth_rc berth_consumer_new(struct event_base *base,
                                                const struct berth_consumer_options *options,
                                                struct berth_consumer **ret_consumer,
                                                struct berth_error *reterr);

/*
 * The next record of a slot that was gained and neither given up nor lost (asserted). The caller
 * frees it.
 * BERTH_END: none now, or the partition is revoked or stopped.
 * BERTH_FAULT_MEMORY: nothing is lost; take it again.
 */
BERTH_MUST_USE enum berth_rc berth_consumer_take(struct berth_consumer *consumer, uint32_t slot,
                                                 struct berth_record **ret_record);

/* The answer to on_base_wanted. Ignored if the partition
 * isn't waited for (any more), so a late answer to an earlier question does no harm: a committed
 * offset that was made meanwhile goes before. */
void berth_consumer_set_base(struct berth_consumer *consumer, const char *topic, int32_t partition,
                             const struct berth_kept_base *kept);

/* How many partitions wait for their bases; for /readyz. */
size_t berth_consumer_bases_wanted(const struct berth_consumer *consumer);

/* How many partitions are ours but aren't read (on_stopped); for /readyz. 0: none, else the first
 * one of them, with views that are valid until the next turn of the loop. */
size_t berth_consumer_stopped(const struct berth_consumer *consumer, const char **ret_topic,
                              int32_t *ret_partition, const char **ret_text);

/* The answer to on_revoked (asserted): nothing undecided holds the partition any more. The slot is
 * free. When all that were revoked together are given up, the group gets them. */
void berth_consumer_give_up(struct berth_consumer *consumer, uint32_t slot);

/* Whether the consumer holds an assignment and every step of it is done; for /readyz. An assignment
 * may be empty when there are more members than partitions. */
bool berth_consumer_joined(const struct berth_consumer *consumer);

/* The group's metadata now, for the publisher: take it right before a batch is handed over. Owned
 * by the caller. BERTH_NOT_FOUND: the group has forgotten the member that gained what is held; it
 * will be lost in a turn, and nothing of it may be published. BERTH_FAULT_LIBRARY,
 * BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc
berth_consumer_group_metadata(struct berth_consumer *consumer,
                              struct berth_group_metadata **ret_metadata);
struct berth_group_metadata *berth_group_metadata_free(struct berth_group_metadata *metadata);

/* Starts leaving the group: every partition is revoked (on_revoked), then on_closed comes. With
 * static membership the group keeps the partitions for this instance until its session times out.
 * Nothing happens if it is closing already. */
void berth_consumer_close(struct berth_consumer *consumer);

/*
 * Frees it, closed or not. NULL is fine; returns NULL. Blocks for up to timeout_ms; a librdkafka
 * that isn't done by then is left behind with a line in the log, and the process should end soon.
 * All records must have been freed.
 */
struct berth_consumer *berth_consumer_free(struct berth_consumer *consumer, int timeout_ms);

#endif
