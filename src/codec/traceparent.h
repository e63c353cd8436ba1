/* SPDX-License-Identifier: Apache-2.0 */
/*
 * W3C trace context: the header traceparent, 00-<trace id>-<span id>-<flags> in lower-case hex.
 */
#ifndef BERTH_SRC_CODEC_TRACEPARENT_H
#define BERTH_SRC_CODEC_TRACEPARENT_H

#include <stddef.h>

#include "berth/codec/codec.h"
#include "berth/core/limits.h"

#define BERTH_TRACE_ID_BYTES 33

/*
 * The command's traceparent, in version 00 whatever later version it was written in; the empty text
 * when there is none that is well-formed, or more than one (then neither can be trusted).
 */
void berth_traceparent_find(const struct berth_header *headers, size_t headers_count,
                            char ret_traceparent[BERTH_TRACEPARENT_BYTES]);

/* The trace id of a traceparent; the empty text of an empty one. */
void berth_traceparent_trace_id(const char *traceparent, char ret_trace_id[BERTH_TRACE_ID_BYTES]);

/*
 * The same trace, continued by an event: the span id is made from the event's id (a UUID), so that
 * it is the same each time the event is published. An empty traceparent stays empty.
 */
void berth_traceparent_continue(const char *traceparent, const char *event_id,
                                char ret_traceparent[BERTH_TRACEPARENT_BYTES]);

#endif
