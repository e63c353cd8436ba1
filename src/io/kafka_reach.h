/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why brokers can't be reached, in librdkafka's own words. Its calls only say that time is up, or
 * "Broker transport failure"; what it met (a refused connection, a wrong password, a certificate
 * that isn't trusted) is in the error events of the handle, with the broker's address.
 * Private to src/io: it knows librdkafka's types.
 */
#ifndef BERTH_IO_KAFKA_REACH_H
#define BERTH_IO_KAFKA_REACH_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "kafka_client.h"

/* What a handle has met. Zeroed: nothing yet. */
struct berth_kafka_trouble {
    rd_kafka_resp_err_t err;
    char text[BERTH_ERROR_BYTES_MAX]; /* "": nothing. */
    int64_t all_down_ms;              /* Since when no broker is connected to; 0: unknown. */
};

/*
 * Keeps an error event if it says more than what is kept: that all brokers are down is less than
 * why, and that a connection failed less than that a login did.
 */
void berth_kafka_trouble_note(struct berth_kafka_trouble *trouble, rd_kafka_resp_err_t err,
                              const char *text, int64_t now_ms);

/*
 * librdkafka's text of an error, without what differs each time ("after 3ms in state CONNECT", how
 * many identical ones it kept to itself), so that the same trouble has the same text.
 */
void berth_kafka_reason_text(const char *library_text, char *ret_text, size_t size);

/*
 * Makes a handle for a tool's questions and waits until a broker has answered it. Takes conf in any
 * case. Soon after all brokers have turned it away, and at the latest after timeout_ms, it is given
 * up. Its error events go to its main queue: see berth_kafka_log_trouble().
 * BERTH_FAULT_UNREACHABLE: reterr says which broker, and why. Else as berth_kafka_handle_new().
 */
BERTH_MUST_USE enum berth_rc berth_kafka_reached_new(enum berth_kafka_kind kind,
                                                     rd_kafka_conf_t *take_conf, int timeout_ms,
                                                     rd_kafka_t **ret_handle,
                                                     struct berth_error *reterr);

/*
 * Waits until a broker has answered the handle, in the same way. A producer's error callback notes
 * what comes in trouble; of another handle its error events do.
 * BERTH_FAULT_UNREACHABLE.
 */
BERTH_MUST_USE enum berth_rc berth_kafka_reach(rd_kafka_t *handle,
                                               struct berth_kafka_trouble *trouble, int timeout_ms,
                                               struct berth_error *reterr);

/* For handles that last: tells the log what they have met since, unless it is what trouble holds.
 */
void berth_kafka_log_trouble(rd_kafka_t *handle, struct berth_kafka_trouble *trouble);

#endif
