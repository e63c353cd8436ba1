/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether anybody answers where Kafka should be: asked once by `berth`, before it waits for
 * anything. librdkafka goes on trying for ever, and what was asked of it ends with a time-out that
 * names neither the address nor the reason.
 */
#ifndef BERTH_IO_KAFKA_REACH_H
#define BERTH_IO_KAFKA_REACH_H

#include "berth/base/result.h"
#include "berth/io/kafka_properties.h"

/*
 * Blocks until a broker answers, or for as long as it takes to see that none does: two seconds when
 * connections are refused, at most timeout_ms when there is silence.
 * BERTH_NOT_FOUND: nobody answers; reterr names the addresses and the reason. BERTH_FAULT_LIBRARY:
 * a broker refuses us, or there is no handle. BERTH_INVALID: the properties. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_reach(const struct berth_kafka_properties *properties,
                                               int timeout_ms, struct berth_error *reterr);

#endif
