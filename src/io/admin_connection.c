/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "admin_http_parts.h"
#include "berth/base/assert.h"

/* libevent writes 16 KiB a turn by itself; more at once is fewer turns, and still no long one. */
#define WRITE_BYTES_MAX ((size_t)256 * 1024)
/* Up to here a body is copied, which is cheaper than to hand its memory over. */
#define COPY_BYTES_MAX 1024

static void read_cb(struct bufferevent *events, void *arg);
static void sent_cb(struct bufferevent *events, void *arg);
static void end_cb(struct bufferevent *events, short what, void *arg);
static void deadline_cb(evutil_socket_t fd, short what, void *arg);
static void take_request(struct connection *connection);
static void understand(struct connection *connection, size_t head_bytes);
static void begin_idle(struct connection *connection);
static void begin_reading(struct connection *connection);
static void begin_lingering(struct connection *connection);
static void forget_idle(struct connection *connection);
static void arm(struct connection *connection, int timeout_ms);
static bool has_unread(const struct connection *connection);
static bool add_body(struct evbuffer *output, struct berth_buffer *body);
static void free_body_cb(const void *data, size_t len, void *arg);
static const char *reason_of(int status);

void connection_new(struct berth_admin_http *server, int take_fd) {
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        (void)evutil_closesocket(take_fd);
        return;
    }
    connection->server = server;
    connection->events = bufferevent_socket_new(server->base, take_fd, BEV_OPT_CLOSE_ON_FREE);
    connection->deadline = evtimer_new(server->base, deadline_cb, connection);
    LIST_INSERT_HEAD(&server->connections, connection, link);
    server->connections_count++;
    if (connection->events == NULL) {
        (void)evutil_closesocket(take_fd);
    }
    if (connection->events == NULL || connection->deadline == NULL) {
        connection_close(connection);
        return;
    }
    /* Nothing is read beyond this, so what is held of a request is bounded. */
    bufferevent_setwatermark(connection->events, EV_READ, 0, BERTH_ADMIN_REQUEST_BYTES);
    bufferevent_setcb(connection->events, read_cb, sent_cb, end_cb, connection);
    (void)bufferevent_set_max_single_write(connection->events, WRITE_BYTES_MAX);
    (void)bufferevent_enable(connection->events, EV_READ | EV_WRITE);
    begin_reading(connection);
}

void connection_close(struct connection *connection) {
    struct berth_admin_http *server = connection->server;
    if (connection->state == CLIENT_IDLE) {
        forget_idle(connection);
    }
    if (connection->state == OWED) {
        connection_owe_no_more(connection);
    }
    server->bodies_bytes -= connection->body_bytes;
    server->connections_count--;
    LIST_REMOVE(connection, link);
    if (connection->events != NULL) {
        bufferevent_free(connection->events);
    }
    if (connection->deadline != NULL) {
        event_free(connection->deadline);
    }
    free(connection);
    admin_listen_if_room(server);
}

/* One whose next request is in the kernel already isn't idle; only if all are such, the first has
 * to go, and its client asks again, as clients do that keep connections (RFC 9112, 9.3.1). */
void connection_close_idle(struct berth_admin_http *server) {
    struct connection *connection = TAILQ_FIRST(&server->idle);
    while (connection != NULL && has_unread(connection)) {
        connection = TAILQ_NEXT(connection, idle_link);
    }
    if (connection == NULL) {
        connection = TAILQ_FIRST(&server->idle);
    }
    if (connection != NULL) {
        connection_close(connection);
    }
}

static bool has_unread(const struct connection *connection) {
    int bytes = 0;
    return ioctl(bufferevent_getfd(connection->events), FIONREAD, &bytes) == 0 && bytes > 0;
}

/* ---- Events ---- */

static void read_cb(struct bufferevent *events, void *arg) {
    struct connection *connection = arg;
    struct evbuffer *input = bufferevent_get_input(events);
    switch (connection->state) {
    case CLIENT_IDLE:
        forget_idle(connection);
        begin_reading(connection);
        take_request(connection);
        admin_listen_if_room(connection->server);
        break;
    case READING:
        take_request(connection);
        break;
    case OWED:
    case SENDING:
        break; /* The next request waits for this one's answer. */
    case LINGERING:
        (void)evbuffer_drain(input, evbuffer_get_length(input));
        break;
    }
}

/* Everything has left. Also called when a buffer was empty before anything was answered. */
static void sent_cb(struct bufferevent *events, void *arg) {
    struct connection *connection = arg;
    if (connection->state != SENDING) {
        return;
    }
    connection->server->bodies_bytes -= connection->body_bytes;
    connection->body_bytes = 0;
    if (!connection->last && evbuffer_get_length(bufferevent_get_input(events)) > 0) {
        begin_reading(connection);
        take_request(connection);
        if (connection->state == READING && connection->ended) {
            connection_close(connection); /* The rest of this one won't come. */
        }
    } else if (connection->ended) {
        connection_close(connection);
    } else if (connection->last) {
        begin_lingering(connection);
    } else {
        begin_idle(connection);
    }
}

static void end_cb(struct bufferevent *events, short what, void *arg) {
    (void)events;
    struct connection *connection = arg;
    if (connection->state == SENDING && (what & BEV_EVENT_EOF) != 0) {
        /* It said all that it had to say, and may well read. */
        connection->ended = true;
        return;
    }
    connection_close(connection);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct connection *connection = arg;
    if (connection->state != OWED) {
        connection_close(connection);
        return;
    }
    connection_owe_no_more(connection);
    connection->last = true;
    connection_answer_error(connection, 504, "server.too_slow",
                            "the answer didn't come in time; ask again");
}

/* ---- Requests ---- */

static void take_request(struct connection *connection) {
    BERTH_ASSERT(connection->state == READING);
    struct evbuffer *input = bufferevent_get_input(connection->events);
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    if (end.pos >= 0 && (size_t)end.pos + 4 <= BERTH_ADMIN_REQUEST_BYTES) {
        understand(connection, (size_t)end.pos + 4);
    } else if (evbuffer_get_length(input) >= BERTH_ADMIN_REQUEST_BYTES) {
        connection->with_body = true;
        connection->last = true;
        connection_answer_error(connection, 431, "request.too_large",
                                "the request is larger than 8192 bytes");
    }
}

static void understand(struct connection *connection, size_t head_bytes) {
    struct berth_admin_http *server = connection->server;
    struct evbuffer *input = bufferevent_get_input(connection->events);
    int removed = evbuffer_remove(input, server->head, head_bytes);
    BERTH_ASSERT(removed == (int)head_bytes);
    struct berth_http_request request;
    struct berth_http_flaw flaw;
    connection->requests++;
    if (berth_http_request_parse(server->head, head_bytes, &request, &flaw) != BERTH_OK) {
        connection->with_body = true;
        connection->last = true;
        connection_answer_error(connection, flaw.status, flaw.code, flaw.message);
        return;
    }
    connection->with_body = request.method != BERTH_HTTP_HEAD;
    connection->last =
        !request.keep_alive || request.has_body || connection->requests >= BERTH_ADMIN_REQUESTS_MAX;
    admin_take_request(connection, &request);
}

void connection_owe(struct connection *connection, struct berth_admin_reply *reply) {
    connection->state = OWED;
    connection->owed = reply;
    reply->connection = connection;
    connection->server->waiting_count++;
    arm(connection, connection->server->timeouts.handler_ms);
}

void connection_owe_no_more(struct connection *connection) {
    connection->owed->connection = NULL;
    connection->owed = NULL;
    connection->server->waiting_count--;
}

static void begin_reading(struct connection *connection) {
    connection->state = READING;
    arm(connection, connection->server->timeouts.request_ms);
}

static void begin_idle(struct connection *connection) {
    connection->state = CLIENT_IDLE;
    TAILQ_INSERT_TAIL(&connection->server->idle, connection, idle_link);
    arm(connection, connection->server->timeouts.idle_ms);
    admin_listen_if_room(connection->server);
}

static void forget_idle(struct connection *connection) {
    TAILQ_REMOVE(&connection->server->idle, connection, idle_link);
}

static void begin_lingering(struct connection *connection) {
    connection->state = LINGERING;
    (void)shutdown(bufferevent_getfd(connection->events), SHUT_WR);
    struct evbuffer *input = bufferevent_get_input(connection->events);
    (void)evbuffer_drain(input, evbuffer_get_length(input));
    arm(connection, connection->server->timeouts.request_ms);
}

/* A timer that isn't armed for want of memory would be a connection for ever: rather none. */
static void arm(struct connection *connection, int timeout_ms) {
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                                    .tv_usec = (timeout_ms % 1000) * 1000L};
    if (evtimer_add(connection->deadline, &timeout) != 0) {
        event_active(connection->deadline, EV_TIMEOUT, 1);
    }
}

/* ---- Answers ---- */

/* Without memory for the answer there is none: the peer sees the connection end. */
void connection_answer(struct connection *connection, const struct answer *answer) {
    struct evbuffer *output = bufferevent_get_output(connection->events);
    size_t body_bytes = answer->body->len;
    char retry[64] = "";
    if (answer->retry_after_s > 0) {
        (void)snprintf(retry, sizeof(retry), "Retry-After: %d\r\n", answer->retry_after_s);
    }
    int added = evbuffer_add_printf(output,
                                    "HTTP/1.1 %d %s\r\n"
                                    "Content-Type: %s\r\n"
                                    "Content-Length: %zu\r\n"
                                    "Cache-Control: no-store\r\n"
                                    "%s%s"
                                    "Connection: %s\r\n"
                                    "\r\n",
                                    answer->status, reason_of(answer->status), answer->content_type,
                                    body_bytes, answer->status == 405 ? "Allow: GET, HEAD\r\n" : "",
                                    retry, connection->last ? "close" : "keep-alive");
    connection->state = SENDING;
    arm(connection, connection->server->timeouts.send_ms);
    if (added < 0 || (connection->with_body && !add_body(output, answer->body))) {
        /* Not closed here: whoever answers may be in the midst of something with it. */
        (void)evbuffer_drain(output, evbuffer_get_length(output));
        connection->last = true;
        connection->ended = true;
        event_active(connection->deadline, EV_TIMEOUT, 1);
        return;
    }
    if (connection->with_body) {
        connection->body_bytes = body_bytes;
        connection->server->bodies_bytes += body_bytes;
    }
}

/* Large ones go without a copy: the output takes the buffer's memory. */
static bool add_body(struct evbuffer *output, struct berth_buffer *body) {
    if (body->len <= COPY_BYTES_MAX) {
        return evbuffer_add(output, body->data, body->len) == 0;
    }
    if (evbuffer_add_reference(output, body->data, body->len, free_body_cb, body->data) != 0) {
        return false;
    }
    berth_buffer_init(body, body->limit);
    return true;
}

static void free_body_cb(const void *data, size_t len, void *arg) {
    (void)data;
    (void)len;
    free(arg);
}

static const char *reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        BERTH_UNREACHABLE("each status that is answered is listed");
    }
}
