/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a rebuild of the data set reads from Kafka (design 4.9): where the command topics end, and
 * the topic of space states from its beginning to its end. Blocking calls of librdkafka are made in
 * short-lived threads, one at a time; what is read is handed to the loop in batches, and the next
 * one is read only when it is asked for, so memory is bounded.
 *
 * Loop thread only. Callbacks come in turns of their own and may call every function here but
 * berth_kafka_rebuild_free().
 */
#ifndef BERTH_IO_KAFKA_REBUILD_H
#define BERTH_IO_KAFKA_REBUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"
#include "berth/core/command.h"
#include "berth/io/kafka_properties.h"
#include "berth/io/kafka_record.h"

struct event_base;
struct berth_kafka_rebuild;

/* Records in one batch, at most. */
#define BERTH_REBUILD_BATCH_MAX 256

/* Valid for the callback only. */
struct berth_kafka_ends {
    /* One for each partition of the command topics: where its log ends, behind every record that
     * anybody can have read. Sorted by topic. */
    const struct berth_source *ends;
    size_t count;
    bool group_committed; /* The group has, or is about to have, a committed offset on one of them.
                           */
    bool states_written;  /* There was ever a record in the topic of space states. */
};

struct berth_kafka_rebuild_options {
    struct berth_kafka_properties properties; /* Borrowed, like the strings, until it is freed. */
    const char *group;
    const char *const *command_topics;
    size_t command_topics_count;
    const char *states_topic;

    /* ends: NULL when it couldn't be read, for the reason in text. */
    void (*on_ends)(void *ctx, const struct berth_kafka_ends *ends, const char *text);
    /* records: count of them, in each partition's order, valid until the next call of this module.
     * at_end: there are no more. text: NULL, or why nothing more can be read; then count is 0. A
     * batch may be empty: nothing came for a while. */
    void (*on_states)(void *ctx, struct berth_record *const *records, size_t count, bool at_end,
                      const char *text);
    void *ctx;
};

/* Faults: MEMORY, SYSTEM. */
BERTH_MUST_USE enum berth_rc
berth_kafka_rebuild_new(struct event_base *base, const struct berth_kafka_rebuild_options *options,
                        struct berth_kafka_rebuild **ret_rebuild, struct berth_error *reterr);

/* Waits at most timeout_ms for what is under way; what takes longer is left behind, and then the
 * options' strings and properties must stay. NULL is fine; returns NULL. */
struct berth_kafka_rebuild *berth_kafka_rebuild_free(struct berth_kafka_rebuild *rebuild,
                                                     int timeout_ms);

/* Nothing is under way, and nothing is left of what was: a new start is possible. */
bool berth_kafka_rebuild_idle(const struct berth_kafka_rebuild *rebuild);

/* Idle only (asserted): on_ends follows. BERTH_FAULT_SYSTEM: no thread could be made. */
BERTH_MUST_USE enum berth_rc berth_kafka_rebuild_ends(struct berth_kafka_rebuild *rebuild,
                                                      struct berth_error *reterr);

/* Begins to read the states (idle only), or reads on, after on_states: on_states follows. The same
 * fault. */
BERTH_MUST_USE enum berth_rc berth_kafka_rebuild_read(struct berth_kafka_rebuild *rebuild,
                                                      struct berth_error *reterr);

/* Ends what is under way: nothing is called back any more until the next start. It becomes idle
 * within seconds. */
void berth_kafka_rebuild_stop(struct berth_kafka_rebuild *rebuild);

#endif
