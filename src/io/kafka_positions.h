/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions: where each partition of an assignment starts (design 4.10). What the group committed
 * and where the log begins and ends are read with blocking calls, in a job's thread; the decision
 * is a pure function.
 */
#ifndef BERTH_IO_KAFKA_POSITIONS_H
#define BERTH_IO_KAFKA_POSITIONS_H

#include <librdkafka/rdkafka.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/io/config.h"

/* Instead of a base. */
#define BERTH_BASE_NONE    (-1) /* There is none. */
#define BERTH_BASE_UNKNOWN (-2) /* Whoever keeps the bases hasn't answered. */

/* One reading. Whoever starts it fills the first four; read by nobody else until it is done. */
struct berth_kafka_positions {
    rd_kafka_t *handle;
    const rd_kafka_conf_t *conf; /* Borrowed; of another handle of the group. */
    const char *group;
    rd_kafka_topic_partition_list_t *partitions; /* Borrowed; what was assigned. */
    /* Filled; all NULL unless it came to an answer of the group's coordinator. */
    rd_kafka_topic_partition_list_t *committed;
    rd_kafka_topic_partition_list_t *lows;
    rd_kafka_topic_partition_list_t *highs;
    rd_kafka_resp_err_t err;         /* Why there are none. */
    rd_kafka_resp_err_t partial_err; /* The first error of a single partition. */
};

/* Blocks for at most some seconds. */
void berth_kafka_positions_read(struct berth_kafka_positions *positions);
void berth_kafka_positions_deinit(struct berth_kafka_positions *positions);

/* Whether an undecided transaction holds one of the committed offsets: read again soon. */
bool berth_kafka_positions_unstable(const struct berth_kafka_positions *positions);

enum berth_kafka_position_kind {
    BERTH_POSITION_COMMITTED,  /* Where the group left off. */
    BERTH_POSITION_WANTS_BASE, /* Nothing is committed, and the base is unknown: wait. */
    BERTH_POSITION_BASE,       /* Nothing is committed: at the base. */
    BERTH_POSITION_CHOSEN,     /* Nothing is committed, and there is no base: at `start`. */
    BERTH_POSITION_SKIPPED,    /* The committed offset, or the base, is below the log's start. */
    BERTH_POSITION_BEYOND,     /* It is above the log's end: don't start. */
    BERTH_POSITION_UNKNOWN,    /* Couldn't be read. */
};

struct berth_kafka_position {
    enum berth_kafka_position_kind kind;
    int64_t offset;           /* Where to start. */
    int64_t committed_offset; /* -1: none. */
    int64_t base;             /* Where nothing is committed; BERTH_BASE_NONE. */
    int64_t log_end;
    struct berth_bytes metadata; /* Committed with that offset; a view of the reading. */
    rd_kafka_resp_err_t err;     /* UNKNOWN: why. */
};

/* The position of the partition at that index of `partitions`, with this base. Pure. */
struct berth_kafka_position berth_kafka_position_of(const struct berth_kafka_positions *positions,
                                                    int index, int64_t base,
                                                    enum berth_config_start start);

#endif
