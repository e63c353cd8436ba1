/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The properties of our Kafka clients: what [kafka] passes through to librdkafka, on top of
 * defaults of our own, below what berth can't do without.
 *
 * A property that berth fixes may be written in [kafka] only with the same value; one that another
 * option sets (group.id and the like) not at all. Everything else is librdkafka's, see its
 * CONFIGURATION.md. The defaults that differ from librdkafka's, and the fixed ones with their
 * reasons, are the two tables in src/io/kafka_properties.c.
 */
#ifndef BERTH_IO_KAFKA_PROPERTIES_H
#define BERTH_IO_KAFKA_PROPERTIES_H

#include <stddef.h>

#include "berth/base/result.h"
#include "berth/io/config.h"

/* The group and the transaction coordinator turn a client away ("fence" it) when a newer one has
 * its id. Once proves nothing: a request of its own, from a connection that it gave up, may have
 * come late. A second time within this means that a twin with the same instance is alive. */
#define BERTH_KAFKA_TWIN_MS 60000

/* A view of [kafka], as loaded. */
struct berth_kafka_properties {
    const struct berth_config_property *items;
    size_t count;
};

/*
 * Looks for properties that librdkafka doesn't know or that contradict what berth fixes, without
 * connecting to anything.
 * BERTH_INVALID: reterr names the first one and says what to do; *ret_line (may be NULL) is its
 * line. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc
berth_kafka_properties_check(const struct berth_kafka_properties *properties, int *ret_line,
                             struct berth_error *reterr);

#endif
