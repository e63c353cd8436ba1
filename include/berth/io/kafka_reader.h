/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: reads whole topics without a consumer group, for `berth tail` and `berth send
 * --wait`. It sees only what is committed, of all partitions, in each one's order.
 *
 * At its start it fixes the position of every partition, by asking where each log begins and ends
 * (the last stable offset: nothing undecided is behind it). So whatever is published after
 * berth_reader_new() returned is read.
 *
 * Blocking; one thread at a time.
 */
#ifndef BERTH_IO_KAFKA_READER_H
#define BERTH_IO_KAFKA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/io/kafka_properties.h"
#include "berth/io/kafka_record.h"

struct berth_reader;

#define BERTH_READER_TOPICS_MAX 16

/* Where reading starts: so many offsets before the end of each partition. */
#define BERTH_READER_FROM_BEGINNING INT64_MAX
#define BERTH_READER_FROM_END       0

/*
 * Fixes the positions of all partitions of the topics and starts to read. Blocks for at most about
 * timeout_ms.
 * BERTH_NOT_FOUND: a topic doesn't exist; reterr names it. BERTH_INVALID: the properties.
 * BERTH_FAULT_UNREACHABLE: no broker answers. BERTH_FAULT_LIBRARY: they refuse. BERTH_FAULT_MEMORY.
 * Freed with berth_reader_free().
 */
BERTH_MUST_USE enum berth_rc berth_reader_new(const struct berth_kafka_properties *properties,
                                              const char *const *topics, size_t topics_count,
                                              int64_t back_offsets, int timeout_ms,
                                              struct berth_reader **ret_reader,
                                              struct berth_error *reterr);

/*
 * The next record of any partition, waiting up to timeout_ms for it. The caller frees it.
 * BERTH_END: none came in time, or the last partition has just reached the end that it had at the
 * start (see berth_reader_at_end()).
 * BERTH_FAULT_LIBRARY: a partition can't be read on. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_reader_take(struct berth_reader *reader, int timeout_ms,
                                               struct berth_record **ret_record,
                                               struct berth_error *reterr);

/* Whether every record that was committed when the reader was made has been taken. */
bool berth_reader_at_end(const struct berth_reader *reader);

/* Whether each partition has given so many records, or was read from its beginning: then the last
 * so many of the topic are among those that were taken, once berth_reader_at_end(). */
bool berth_reader_gave(const struct berth_reader *reader, int64_t count);

/* All records must have been freed. Blocks for at most about 2 s. NULL is fine; returns NULL. */
struct berth_reader *berth_reader_free(struct berth_reader *reader);

#endif
