/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Positions: where each partition of an assignment starts (design 4.10). What the group committed,
 * where the log begins and ends, which log it is, and the record that its mark points to are read
 * with blocking calls, in a job's thread; the decision is a pure function (core/log_position.h).
 */
#ifndef BERTH_IO_KAFKA_POSITIONS_H
#define BERTH_IO_KAFKA_POSITIONS_H

#include <librdkafka/rdkafka.h>

#include "berth/base/result.h"
#include "berth/core/log_position.h"
#include "berth/io/config.h"

/* What was read of one partition. */
struct berth_kafka_facts {
    struct berth_kept_base kept; /* Filled by whoever starts the reading, ... */
    bool kept_told;              /* ... if the ledger has told. */
    struct berth_log_facts log;
    rd_kafka_resp_err_t err; /* It couldn't be read. */
    char *metadata;          /* Owned; committed with the offset. "" when there is none. */
    const char *map;         /* Its part behind the mark. */
};

/* One reading. Whoever starts it makes it and fills the first five; read by nobody else until it is
 * done. */
struct berth_kafka_positions {
    rd_kafka_t *handle;
    const rd_kafka_conf_t *conf; /* Borrowed; of another handle of the group. */
    const char *group;
    enum berth_config_start start;
    const rd_kafka_topic_partition_list_t *partitions; /* Borrowed; what was assigned. */
    struct berth_kafka_facts *facts;                   /* Owned; one for each. */
    int facts_count;
    bool unstable;                   /* An undecided transaction holds one of them. */
    rd_kafka_resp_err_t err;         /* Why there are none. */
    rd_kafka_resp_err_t partial_err; /* The first error of a single partition. */
};

/* Room for what will be read of these partitions. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc
berth_kafka_positions_init(struct berth_kafka_positions *positions,
                           const rd_kafka_topic_partition_list_t *partitions);

/* Blocks for at most some seconds. */
void berth_kafka_positions_read(struct berth_kafka_positions *positions);
/* Twice is fine. */
void berth_kafka_positions_deinit(struct berth_kafka_positions *positions);

/* The position of the partition at that index; false: it couldn't be read, its facts say why. */
bool berth_kafka_position_of(const struct berth_kafka_positions *positions, int index,
                             struct berth_log_position *ret_position);

#endif
