/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member: librdkafka's side of a consumer. A consumer that is turned away by its group gets a
 * member anew; the old one lives on until the last record that was taken from it is freed.
 *
 *   new --retire--> retired --last record freed--> destroyed, in a thread of its own
 *   new --free----> destroyed
 */
#ifndef BERTH_IO_KAFKA_MEMBER_H
#define BERTH_IO_KAFKA_MEMBER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "berth/base/result.h"

struct berth_member {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue; /* Everything but records. */
    size_t records_lent;     /* Taken and not freed yet. */
    bool retired;
};

/*
 * Makes a member and subscribes it; it needs no broker yet. conf is copied; control_fd is written
 * to when the queue isn't empty any more. BERTH_INVALID: properties that don't go together. Faults:
 * MEMORY, LIBRARY. Ended with either of the next two.
 */
BERTH_MUST_USE enum berth_rc berth_member_new(const rd_kafka_conf_t *conf,
                                              const rd_kafka_topic_partition_list_t *topics,
                                              int control_fd, struct berth_member **ret_member,
                                              struct berth_error *reterr);

/* Destroys it when no record of it is left. Never blocks. */
void berth_member_retire(struct berth_member *take_member);

/* No record of it is left (asserted). Blocks for at most timeout_ms. NULL is fine; returns NULL. */
struct berth_member *berth_member_free(struct berth_member *member, int timeout_ms);

/* A record that was lent is freed. */
void berth_member_record_freed(struct berth_member *member);

#endif
