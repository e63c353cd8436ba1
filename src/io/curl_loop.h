/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl's multi socket interface on a libevent loop (private to io): curl says which sockets and
 * which time it waits for, libevent waits, and what happened is told to curl again.
 */
#ifndef BERTH_IO_CURL_LOOP_H
#define BERTH_IO_CURL_LOOP_H

#include <curl/curl.h>

#include "berth/base/result.h"

struct event_base;
struct berth_curl_loop;

/* A transfer has ended and its handle is out of the loop: it may be added again, or cleaned up. */
typedef void berth_curl_done_fn(void *ctx, CURL *easy, CURLcode code);

/*
 * connections_max: the connections that are kept open while nobody uses them.
 * Faults: MEMORY, LIBRARY.
 */
BERTH_MUST_USE enum berth_rc berth_curl_loop_new(struct event_base *base, long connections_max,
                                                 berth_curl_done_fn *on_done, void *ctx,
                                                 struct berth_curl_loop **ret_loop,
                                                 struct berth_error *reterr);

/* Every handle was removed before. Closes the connections. NULL is fine; returns NULL. */
struct berth_curl_loop *berth_curl_loop_free(struct berth_curl_loop *loop);

/* Once for each handle, before it is added first: its sockets are opened and closed by the loop.
 * Faults: LIBRARY. */
BERTH_MUST_USE enum berth_rc berth_curl_loop_prepare(struct berth_curl_loop *loop, CURL *easy);

/* Starts a transfer; on_done is never called from within. Faults: LIBRARY. */
BERTH_MUST_USE enum berth_rc berth_curl_loop_add(struct berth_curl_loop *loop, CURL *easy);

/* Stops a transfer, closing its connection; on_done is not called for it. */
void berth_curl_loop_remove(struct berth_curl_loop *loop, CURL *easy);

#endif
