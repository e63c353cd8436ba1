/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server for tests of the Harbor client, on the test's own loop: the test decides for each
 * request what happens to it, down to the bytes and the fate of the connection.
 */
#ifndef BERTH_TESTS_SCRIPTED_SERVER_H
#define BERTH_TESTS_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct scripted_server;
struct scripted_connection;

struct scripted_request {
    struct scripted_connection *connection;
    const char *text; /* The whole request as it came: request line, headers, body. */
    const char *body;
};

/* Decides about a request: answers it, ends its connection, or keeps it for later. */
typedef void scripted_request_fn(void *ctx, const struct scripted_request *request);

/* Listens on a free port of 127.0.0.1. */
struct scripted_server *scripted_server_new(struct event_base *base,
                                            scripted_request_fn *on_request, void *ctx);
void scripted_server_free(struct scripted_server *server);
int scripted_server_port(const struct scripted_server *server);

/* Sends bytes as they are. */
void scripted_send(struct scripted_connection *connection, const void *data, size_t len);
/* Sends a reply like Harbor's: with the echo of the request's X-Request-Id, as JSON. headers:
 * further lines, each with its end, or "". */
void scripted_reply(const struct scripted_request *request, int status, const char *headers,
                    const char *body);
/* Ends the connection, by FIN or by a reset. The connection is gone afterwards. */
void scripted_close(struct scripted_connection *connection, bool reset);

/* The value of a header of the request, or "" (a copy in a buffer of the caller's). */
const char *scripted_header(const struct scripted_request *request, const char *name, char *buffer,
                            size_t buffer_bytes);

/* What happened so far. */
struct scripted_counts {
    size_t connections; /* Accepted. */
    size_t requests;    /* Received completely. */
    size_t at_once_max; /* The most requests that were without a reply at the same time. */
    size_t resets;      /* Connections that the client reset. */
    size_t closed;      /* Connections that the client closed, by FIN. */
};
struct scripted_counts scripted_server_counts(const struct scripted_server *server);

#endif
