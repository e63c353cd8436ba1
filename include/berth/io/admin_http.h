/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin HTTP server: what an orchestrator asks a worker, and what else is asked of it in the
 * same way.
 *
 *   GET /livez    200 "ok", or 503 with one line for each reason: start the process anew
 *   GET /readyz   the same: the worker runs, but isn't at work (yet, or for now)
 *   GET /metrics  figures in Prometheus' text format 0.0.4
 *
 * Other paths are *routes*, whose handlers answer at once or later, with JSON.
 *
 * HTTP/1.1: connections are kept, and requests that are sent without waiting for answers are
 * answered one after the other. These three end their connection, as probes do.
 *
 * Everything is bounded: connections, how long each may take to send its request, to be answered,
 * to take the answer, and to do nothing; the requests of one connection, the size of a request, of
 * an answer, and of all answers together. Where all connections are taken, the one that has done
 * nothing for longest makes room for a new one, so that clients that keep connections for later
 * never keep a probe waiting; if all are at work, a new one waits in the kernel's queue.
 *
 * No authentication and no encryption: it listens on loopback unless configured otherwise, and
 * tells nothing secret.
 *
 * Loop thread only.
 */
#ifndef BERTH_IO_ADMIN_HTTP_H
#define BERTH_IO_ADMIN_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/io/http_request.h"

struct event_base;
struct berth_admin_http;
struct berth_admin_reply;

#define BERTH_ADMIN_CONNECTIONS_MAX 256
/* After so many a connection ends, in good order. */
#define BERTH_ADMIN_REQUESTS_MAX  1000
#define BERTH_ADMIN_REQUEST_BYTES 8192
/* What a check may say, and all metrics of as many registries as there may be. */
#define BERTH_ADMIN_ANSWER_BYTES  16384
#define BERTH_ADMIN_METRICS_BYTES ((size_t)256 * 1024)
/* A page of a thousand spaces with ten thousand bindings, all names at their longest, has half of
 * it. */
#define BERTH_ADMIN_BODY_BYTES_MAX ((size_t)8 * 1024 * 1024)
/* Of all answers that have not left yet. */
#define BERTH_ADMIN_BODIES_BYTES_MAX (8 * BERTH_ADMIN_BODY_BYTES_MAX)
/* Connections that wait for a handler: the others are left for probes. */
#define BERTH_ADMIN_WAITING_MAX 192
/* Replies that handlers owe, also to those who have gone meanwhile. */
#define BERTH_ADMIN_OWED_MAX 1024
/* For a request to come whole, and for the peer to end the connection after the last answer. */
#define BERTH_ADMIN_TIMEOUT_MS 2000
/* Longer than what a lookup takes to give a hanging Harbor up, so that its reason is told. */
#define BERTH_ADMIN_HANDLER_MS 15000
#define BERTH_ADMIN_SEND_MS    10000
#define BERTH_ADMIN_IDLE_MS    60000

/*
 * Appends one line, with its newline, for each reason why the answer is no; nothing means yes.
 * Called for each request, in a turn of the loop; must not block. What finds no room in the buffer
 * may be left out.
 */
typedef void berth_admin_check_fn(void *ctx, struct berth_buffer *reasons);

/* Appends the figures; as berth_admin_check_fn otherwise. */
typedef void berth_admin_metrics_fn(void *ctx, struct berth_buffer *text);

struct berth_admin_checks {
    berth_admin_check_fn *live;
    berth_admin_check_fn *ready;
    berth_admin_metrics_fn *metrics;
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

/* Closes all connections. Replies that are still owed are freed with it: whoever owes them may not
 * answer any more. Not from within a check or a handler. NULL is fine; returns NULL. */
struct berth_admin_http *berth_admin_http_free(struct berth_admin_http *server);

/* ---- Routes ---- */

/*
 * Answers a GET (or HEAD, which the server answers without the body). The request is valid for the
 * call only. The reply is owed from now on: exactly one of the functions below takes it, within
 * this call or later from the loop. If the peer has gone by then, or has been told after
 * BERTH_ADMIN_HANDLER_MS that it took too long (504), the answer is dropped.
 */
typedef void berth_admin_handler_fn(void *ctx, const struct berth_http_request *request,
                                    struct berth_admin_reply *take_reply);

struct berth_admin_route {
    /* "/v1/registries/{}/spaces": a "{}" stands for one segment that isn't empty. */
    const char *pattern;
    berth_admin_handler_fn *handler;
};

/* Serves these besides; once, before the loop turns. The routes are borrowed. */
void berth_admin_http_serve(struct berth_admin_http *server, const struct berth_admin_route *routes,
                            size_t count, void *ctx);

/*
 * Answers with a status and a JSON body of up to BERTH_ADMIN_BODY_BYTES_MAX (asserted), whose
 * memory is taken: the buffer is empty afterwards. retry_after_s 0: no such header. With too much
 * on its way out already, the answer is 503 `server.overloaded` instead.
 */
void berth_admin_reply_send(struct berth_admin_reply *take_reply, int status, int retry_after_s,
                            struct berth_buffer *take_body);

/* The same with {"error":{"code","message"}}. */
void berth_admin_reply_error(struct berth_admin_reply *take_reply, int status, int retry_after_s,
                             const char *code, const char *message);

#endif
