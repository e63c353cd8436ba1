/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream: a reply whose body goes out bit by bit, or not to its end (enum berth_sandbox_delivery).
 * However long it is, only a little of it is in memory: the rest waits until the client reads.
 */
#ifndef BERTH_SANDBOX_REPLY_STREAM_H
#define BERTH_SANDBOX_REPLY_STREAM_H

#include <stdint.h>

#include "sandbox_http.h"

struct evhttp_request;
struct berth_sandbox_stream;

/* Sends status and headers. The reply becomes the stream's, the request stays evhttp's. */
struct berth_sandbox_stream *berth_sandbox_stream_new(struct evhttp_request *request,
                                                      struct berth_sandbox_reply *take_reply);
struct berth_sandbox_stream *berth_sandbox_stream_free(struct berth_sandbox_stream *stream);

/*
 * Sends what goes next. -1: that was all, or the client is gone, and the request was given back to
 * evhttp; otherwise after how many milliseconds to come again.
 */
int64_t berth_sandbox_stream_step(struct berth_sandbox_stream *stream);

#endif
