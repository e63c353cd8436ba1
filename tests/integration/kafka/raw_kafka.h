/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw clients, for what no adapter of ours does.
 */
#ifndef BERTH_TESTS_RAW_KAFKA_H
#define BERTH_TESTS_RAW_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "kafka_world.h"

/* A client of the broker with one property more. */
rd_kafka_t *raw_client(struct world *world, rd_kafka_type_t type, const char *name,
                       const char *value);
/* Joins the group as this instance, and is never heard of again once it has a partition. */
void take_place_and_vanish(struct world *world, const char *group, const char *instance,
                           const char *topic);
/* Commits an offset of the topic's first partition for a group that nobody is in. */
void commit_offset(struct world *world, const char *group, const char *topic, int64_t offset,
                   const char *metadata);
/* What retention does, to the topic's first partition. */
void delete_records_below(struct world *world, const char *topic, int64_t offset);

#endif
