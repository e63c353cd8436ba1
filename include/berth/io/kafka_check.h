/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `berth check` asks of Kafka beside the topics themselves: how far the group has come, how
 * busy the command topics are, and whether berthd may publish.
 *
 * Blocking; any thread.
 */
#ifndef BERTH_IO_KAFKA_CHECK_H
#define BERTH_IO_KAFKA_CHECK_H

#include <stdint.h>

#include "berth/base/result.h"
#include "berth/io/kafka_properties.h"

/* Of one topic, over all its partitions. */
struct berth_group_progress {
    int64_t behind; /* Records that the group hasn't committed, up to the log's end. */
    int64_t hidden; /* Of these: behind the last stable offset, so that nobody is given them. */
    int64_t late;   /* Of these: older than was asked for ... */
    int32_t late_partition; /* ... and where the first of them is. */
    int64_t late_offset;
    int32_t partitions_new;        /* Partitions of which it has committed nothing yet. */
    int64_t busiest_last_hour;     /* Records of the busiest partition within the last hour ... */
    int32_t busiest_partition;     /* ... and which one that is. */
    int32_t partitions_unreadable; /* Of which it couldn't be asked just now. */
};

/*
 * How far the group has come with a topic of so many partitions. Joins nothing. late_ms: which age
 * is late. Blocks for at most about five times timeout_ms.
 * BERTH_INVALID: the properties. BERTH_FAULT_UNREACHABLE: no broker answers. BERTH_FAULT_LIBRARY:
 * they refuse; reterr carries their words.
 */
BERTH_MUST_USE enum berth_rc
berth_kafka_group_progress(const struct berth_kafka_properties *properties, const char *group,
                           const char *topic, int32_t partitions, int64_t late_ms, int timeout_ms,
                           struct berth_group_progress *ret_progress, struct berth_error *reterr);

/* How many members the group has now; one that was killed counts until its session ends. Faults as
 * above. */
BERTH_MUST_USE enum berth_rc
berth_kafka_group_members(const struct berth_kafka_properties *properties, const char *group,
                          int timeout_ms, int *ret_members, struct berth_error *reterr);

/*
 * Publishes an empty record to the topic in a transaction under this transactional id, and aborts
 * it: no reader of committed records ever sees it. The id must be nobody's who is at work, who
 * would be fenced. Blocks for at most about three times timeout_ms.
 * BERTH_INVALID: the properties. BERTH_FAULT_LIBRARY: it isn't allowed or isn't possible; reterr
 * carries the brokers' words.
 */
BERTH_MUST_USE enum berth_rc
berth_kafka_try_publishing(const struct berth_kafka_properties *properties,
                           const char *transactional_id, const char *topic, int timeout_ms,
                           struct berth_error *reterr);

#endif
