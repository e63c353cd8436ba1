/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between evhttp and the handlers: what both servers of the stand-in share.
 */
#ifndef BERTH_SANDBOX_EVHTTP_H
#define BERTH_SANDBOX_EVHTTP_H

#include <stdint.h>

#include "berth/base/result.h"
#include "sandbox_http.h"

/* What a request may bring; more is answered by evhttp with 400 or 413. */
#define BERTH_SANDBOX_HEADERS_BYTES_MAX 32768
#define BERTH_SANDBOX_BODY_BYTES_MAX    4194304
/* A connection that is idle for longer is closed, as nginx does in front of Harbor. */
#define BERTH_SANDBOX_IDLE_S 65

struct event_base;
struct evhttp;
struct evhttp_request;

/* Milliseconds since 1970. */
int64_t berth_sandbox_now_ms(void);

/*
 * A socket bound to 127.0.0.1, not listening yet: connections are refused, but the port is taken.
 * port 0: a free one. The caller closes it.
 * BERTH_FAULT_SYSTEM.
 */
BERTH_MUST_USE enum berth_rc berth_sandbox_bind(uint16_t port, int *ret_socket, uint16_t *ret_port,
                                                struct berth_error *reterr);

/*
 * A server with the limits above on a bound socket, which becomes the server's on success.
 * BERTH_FAULT_SYSTEM, BERTH_FAULT_LIBRARY.
 */
BERTH_MUST_USE enum berth_rc
berth_sandbox_serve(struct event_base *base, int socket,
                    void (*on_request)(struct evhttp_request *request, void *context),
                    void *context, struct evhttp **ret_server, struct berth_error *reterr);

/* A view of the request, valid as long as the request itself. */
void berth_sandbox_read(struct evhttp_request *request, struct berth_sandbox_request *ret_request);

/* Sends the reply and gives the request back to evhttp. */
void berth_sandbox_send(struct evhttp_request *request, const struct berth_sandbox_reply *reply);

/* Sends status and headers only; the body, content_length bytes, follows as evhttp's chunks and its
 * end. The connection is closed after a truncated one. */
void berth_sandbox_start(struct evhttp_request *request, const struct berth_sandbox_reply *reply,
                         const char *content_length);

/*
 * Resets the request's connection: the client sees it break, not end. Both are freed, so never from
 * within the callback that evhttp called with this request.
 */
void berth_sandbox_reset(struct evhttp_request *request);

#endif
