/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the partitions of the command topics stand, read and judged as berthd does it, for `berth
 * offsets`. Joins nothing, changes nothing. Blocking; any thread.
 */
#ifndef BERTH_IO_KAFKA_OFFSETS_H
#define BERTH_IO_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"
#include "berth/core/log_position.h"
#include "berth/io/config.h"

struct berth_partition_offsets {
    /* The caller's: */
    const char *topic; /* Borrowed. */
    int32_t partition;
    struct berth_kept_base kept; /* As the ledger told. */
    /* Filled: */
    struct berth_log_facts log;
    struct berth_log_position position;
    const char *unreadable; /* NULL, or why nothing of this is known: a string constant. */
};

/*
 * Fills them. Blocks for some seconds, and for up to timeout_ms while they can't be had.
 * BERTH_INVALID: the properties. BERTH_FAULT_LIBRARY: the brokers can't be asked.
 * BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_offsets(const struct berth_config *config,
                                                 struct berth_partition_offsets *partitions,
                                                 size_t count, int timeout_ms,
                                                 struct berth_error *reterr);

#endif
