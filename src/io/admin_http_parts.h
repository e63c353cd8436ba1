/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin server's insides, shared by its files: admin_http.c decides what is answered,
 * admin_connection.c carries requests in and answers out.
 */
#ifndef BERTH_SRC_IO_ADMIN_HTTP_PARTS_H
#define BERTH_SRC_IO_ADMIN_HTTP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "berth/base/buffer.h"
#include "berth/io/admin_http.h"

#define JSON_TYPE "application/json"

struct bufferevent;
struct evconnlistener;
struct event;

/*
 *                  some of         the whole          the handler's
 *                a request         request               answer             the last one has left
 *   CLIENT_IDLE ----------> READING -------> OWED ---------------> SENDING ----------> LINGERING
 *        ^         new -----^  ^ |                                  ^  | |                 |
 *        |                     | +-- what can't be one, or is ------+  | |               freed
 *        |                     |     answered at once                  | |
 *        |                     +------- has left, more is there -------+ |
 *        +----------------- has left, another request may come ----------+
 *
 * Each of them also ends by an error and by its time-out, except that an OWED one that times out is
 * answered 504; all but SENDING also by the peer's end.
 * CLIENT_IDLE: kept from one request to the next; may be closed for another's sake.
 * LINGERING: our side is shut and what still comes is dropped, because closing a socket with unread
 * bytes makes the kernel throw the answer away.
 */
enum connection_state {
    READING,
    CLIENT_IDLE,
    OWED,
    SENDING,
    LINGERING,
};

struct connection {
    LIST_ENTRY(connection) link;
    TAILQ_ENTRY(connection) idle_link; /* While CLIENT_IDLE. */
    struct berth_admin_http *server;
    enum connection_state state;
    struct bufferevent *events;
    struct event *deadline;
    struct berth_admin_reply *owed; /* While OWED. */
    size_t body_bytes;              /* While SENDING: what counts for the server's bound. */
    int requests;
    bool with_body; /* The answer: not to HEAD. */
    bool last;      /* ... after which the connection ends. */
    bool ended;     /* The peer sends no more. */
};

/* One answer that a handler owes. Outlives its connection. */
struct berth_admin_reply {
    LIST_ENTRY(berth_admin_reply) link;
    struct berth_admin_http *server;
    struct connection *connection; /* NULL: nobody waits for it any more. */
};

/* Each state's bound; the constants of the header, unless a test can't wait for so long. */
struct admin_timeouts {
    int request_ms;
    int handler_ms;
    int send_ms;
    int idle_ms;
};

struct berth_admin_http {
    struct event_base *base;
    struct evconnlistener *listener;
    bool listening;
    bool accept_failed; /* The last time. */
    bool resting;       /* ... until this: */
    struct event *rest;
    struct berth_admin_checks checks;
    const struct berth_admin_route *routes;
    size_t routes_count;
    void *routes_ctx;
    uint16_t port;
    struct admin_timeouts timeouts;
    int connections_count;
    LIST_HEAD(, connection) connections;
    TAILQ_HEAD(idle_connections, connection) idle; /* The one that is idle for longest first. */
    LIST_HEAD(, berth_admin_reply) owed;
    size_t owed_count;
    int waiting_count;                    /* Connections that are OWED. */
    size_t bodies_bytes;                  /* Of all answers that have not left. */
    char head[BERTH_ADMIN_REQUEST_BYTES]; /* The request that is being taken. */
};

struct answer {
    int status;
    const char *content_type;
    int retry_after_s;         /* 0: not said. */
    struct berth_buffer *body; /* Its memory may be taken. */
};

/* ---- admin_http.c ---- */

/* Answers the request, or has it answered later. */
void admin_take_request(struct connection *connection, const struct berth_http_request *request);
/* Accepts connections, or leaves them in the kernel's queue, as there is room. */
void admin_listen_if_room(struct berth_admin_http *server);

void connection_answer_error(struct connection *connection, int status, const char *code,
                             const char *message);
void connection_answer_overloaded(struct connection *connection);

/* ---- admin_connection.c ---- */

/* Takes the socket; without memory it is closed. */
void connection_new(struct berth_admin_http *server, int take_fd);
void connection_close(struct connection *connection);
/* Closes the one that is idle for longest, if there is one. */
void connection_close_idle(struct berth_admin_http *server);
/* The request that was taken is answered later, by this reply. */
void connection_owe(struct connection *connection, struct berth_admin_reply *reply);
/* ... or isn't: it is being answered, or the peer has gone. */
void connection_owe_no_more(struct connection *connection);
/* Answers the request that was taken. */
void connection_answer(struct connection *connection, const struct answer *answer);

#endif
