/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin HTTP server: what an orchestrator asks a worker.
 *
 *   GET /livez    200 "ok", or 503 with one line for each reason: start the process anew
 *   GET /readyz   the same: the worker runs, but isn't at work (yet, or for now)
 *
 * Everything is bounded: connections (further ones wait in the kernel's queue), the size of a
 * request, the whole time that a connection may take, the size of an answer. Each connection
 * carries one request. No authentication and no encryption: it listens on loopback unless
 * configured otherwise, and tells nothing secret.
 *
 * Loop thread only.
 */
#ifndef BERTH_IO_ADMIN_HTTP_H
#define BERTH_IO_ADMIN_HTTP_H

#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"

struct event_base;
struct berth_admin_http;

#define BERTH_ADMIN_CONNECTIONS_MAX 32
#define BERTH_ADMIN_REQUEST_BYTES   8192
#define BERTH_ADMIN_ANSWER_BYTES    16384
#define BERTH_ADMIN_TIMEOUT_MS      2000

/*
 * Appends one line, with its newline, for each reason why the answer is no; nothing means yes.
 * Called for each request, in a turn of the loop; must not block. What finds no room in the buffer
 * may be left out.
 */
typedef void berth_admin_check_fn(void *ctx, struct berth_buffer *reasons);

struct berth_admin_checks {
    berth_admin_check_fn *live;
    berth_admin_check_fn *ready;
    void *ctx;
};

/*
 * Listens on "HOST:PORT" or "[ADDRESS]:PORT"; port 0 takes a free one. A host name is resolved
 * here, which may block: this is for the start of a program. checks is copied. BERTH_INVALID: the
 * address can't be listened on; reterr says why. Faults: MEMORY. Freed with
 * berth_admin_http_free().
 */
BERTH_MUST_USE enum berth_rc berth_admin_http_new(struct event_base *base, const char *address,
                                                  const struct berth_admin_checks *checks,
                                                  struct berth_admin_http **ret_server,
                                                  struct berth_error *reterr);

/* The port it listens on. */
uint16_t berth_admin_http_port(const struct berth_admin_http *server);

/* Closes all connections. Not from within a check. NULL is fine; returns NULL. */
struct berth_admin_http *berth_admin_http_free(struct berth_admin_http *server);

#endif
