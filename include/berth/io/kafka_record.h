/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record read from Kafka, by the consumer or by the reader. Owned by whoever took it; its bytes
 * are librdkafka's and are not copied: all views are valid until berth_record_free().
 * Every record must be freed before the consumer or reader it came from, and in its thread.
 */
#ifndef BERTH_IO_KAFKA_RECORD_H
#define BERTH_IO_KAFKA_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/codec/codec.h"

struct berth_record;

/* NULL is fine; returns NULL. */
struct berth_record *berth_record_free(struct berth_record *record);

/* data is NULL for a null key or value (a tombstone), and isn't for an empty one. */
struct berth_bytes berth_record_key(const struct berth_record *record);
struct berth_bytes berth_record_value(const struct berth_record *record);

/* In the record's order; a name may occur more than once. */
const struct berth_header *berth_record_headers(const struct berth_record *record,
                                                size_t *ret_count);

const char *berth_record_topic(const struct berth_record *record);
int32_t berth_record_partition(const struct berth_record *record);
int64_t berth_record_offset(const struct berth_record *record);

/* The record's own timestamp, wall clock since 1970; -1: it has none. */
int64_t berth_record_time_ms(const struct berth_record *record);

#endif
