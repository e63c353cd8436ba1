/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written on libevent's buffers and not on its HTTP server, because that one (2.1) bounds neither
 * the number of its connections nor the whole time of one: whoever opens many and says little could
 * use up the worker's file descriptors. What is needed of HTTP is a line, a few headers and the end
 * of a request.
 */
#include "berth/io/admin_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admin_http_parts.h"
#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/codec/lookup_json.h"

/* Those that wait for room; the kernel drops what is beyond, and it comes again a second later. */
#define BACKLOG (2 * BERTH_ADMIN_CONNECTIONS_MAX)
/* Where everything that is owed is late already, a client that comes back at once helps nobody. */
#define OVERLOADED_RETRY_S 1
/* After a connection that couldn't be accepted. */
#define ACCEPT_REST_MS 200
/* "code" and "message" with what is around them. */
#define ERROR_BYTES_MAX 4096

static struct evconnlistener *make_listener(struct berth_admin_http *server, const char *address,
                                            struct berth_error *reterr);
static bool split_address(const char *address, char *host, size_t host_size, char *port,
                          size_t port_size);
static uint16_t port_of(struct evconnlistener *listener);
static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg);
static void accept_failed_cb(struct evconnlistener *listener, void *arg);
static void rested_cb(evutil_socket_t fd, short what, void *arg);
static bool is_path(const struct berth_http_request *request, const char *segment);
static bool matches(const char *pattern, const struct berth_http_request *request);
static void handle(struct connection *connection, const struct berth_http_request *request,
                   const struct berth_admin_route *route);
static void answer_metrics(struct connection *connection);
static void answer_check(struct connection *connection, berth_admin_check_fn *check);

enum berth_rc berth_admin_http_new(struct event_base *base, const char *address,
                                   const struct berth_admin_checks *checks,
                                   struct berth_admin_http **ret_server,
                                   struct berth_error *reterr) {
    struct berth_admin_http *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    server->base = base;
    server->checks = *checks;
    server->timeouts = (struct admin_timeouts){.request_ms = BERTH_ADMIN_TIMEOUT_MS,
                                               .handler_ms = BERTH_ADMIN_HANDLER_MS,
                                               .send_ms = BERTH_ADMIN_SEND_MS,
                                               .idle_ms = BERTH_ADMIN_IDLE_MS};
    LIST_INIT(&server->connections);
    TAILQ_INIT(&server->idle);
    LIST_INIT(&server->owed);
    server->rest = evtimer_new(base, rested_cb, server);
    if (server->rest == NULL) {
        free(server);
        return BERTH_FAULT_MEMORY;
    }
    server->listener = make_listener(server, address, reterr);
    if (server->listener == NULL) {
        event_free(server->rest);
        free(server);
        return BERTH_INVALID;
    }
    evconnlistener_set_error_cb(server->listener, accept_failed_cb);
    server->listening = true;
    server->port = port_of(server->listener);
    *ret_server = server;
    return BERTH_OK;
}

uint16_t berth_admin_http_port(const struct berth_admin_http *server) {
    return server->port;
}

struct berth_admin_http *berth_admin_http_free(struct berth_admin_http *server) {
    if (server == NULL) {
        return NULL;
    }
    struct connection *connection = LIST_FIRST(&server->connections);
    while (connection != NULL) {
        struct connection *next = LIST_NEXT(connection, link);
        connection_close(connection);
        connection = next;
    }
    struct berth_admin_reply *reply = LIST_FIRST(&server->owed);
    while (reply != NULL) {
        struct berth_admin_reply *next = LIST_NEXT(reply, link);
        free(reply);
        reply = next;
    }
    evconnlistener_free(server->listener);
    event_free(server->rest);
    free(server);
    return NULL;
}

void berth_admin_http_serve(struct berth_admin_http *server, const struct berth_admin_route *routes,
                            size_t count, void *ctx) {
    BERTH_ASSERT(server->routes == NULL);
    server->routes = routes;
    server->routes_count = count;
    server->routes_ctx = ctx;
}

/* ---- Listening ---- */

static struct evconnlistener *make_listener(struct berth_admin_http *server, const char *address,
                                            struct berth_error *reterr) {
    char host[256];
    char port[8];
    if (!split_address(address, host, sizeof(host), port, sizeof(port))) {
        berth_error_set(reterr, "%s is not HOST:PORT", address);
        return NULL;
    }
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem != 0) {
        berth_error_set(reterr, "%s: %s", address, gai_strerror(problem));
        return NULL;
    }
    struct evconnlistener *listener =
        evconnlistener_new_bind(server->base, accept_cb, server,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                BACKLOG, found->ai_addr, (int)found->ai_addrlen);
    if (listener == NULL) {
        berth_error_set(reterr, "%s can't be listened on: %s", address, strerror(errno));
    }
    freeaddrinfo(found);
    return listener;
}

static bool split_address(const char *address, char *host, size_t host_size, char *port,
                          size_t port_size) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL) {
        return false;
    }
    const char *start = address;
    size_t host_len = (size_t)(colon - address);
    if (host_len > 1 && start[0] == '[' && start[host_len - 1] == ']') {
        start++;
        host_len -= 2;
    }
    size_t port_len = strlen(colon + 1);
    if (host_len == 0 || host_len >= host_size || port_len == 0 || port_len >= port_size) {
        return false;
    }
    memcpy(host, start, host_len);
    host[host_len] = '\0';
    memcpy(port, colon + 1, port_len + 1);
    return true;
}

static uint16_t port_of(struct evconnlistener *listener) {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } bound = {0};
    socklen_t len = sizeof(bound);
    int rc = getsockname(evconnlistener_get_fd(listener), &bound.any, &len);
    BERTH_ASSERT(rc == 0);
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.ipv6.sin6_port : bound.ipv4.sin_port);
}

static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg) {
    (void)listener;
    (void)address;
    (void)address_len;
    struct berth_admin_http *server = arg;
    server->accept_failed = false;
    if (server->connections_count >= BERTH_ADMIN_CONNECTIONS_MAX) {
        connection_close_idle(server);
    }
    if (server->connections_count >= BERTH_ADMIN_CONNECTIONS_MAX) {
        (void)evutil_closesocket(fd);
        return;
    }
    connection_new(server, fd);
    admin_listen_if_room(server);
}

/* The table of descriptors is full, most often: whoever waits goes on waiting, so without a rest
 * the loop would do nothing else any more. */
static void accept_failed_cb(struct evconnlistener *listener, void *arg) {
    (void)listener;
    struct berth_admin_http *server = arg;
    if (!server->accept_failed) {
        berth_log(BERTH_LOG_WARNING, "admin.accept_failed",
                  "reason=\"%s\" again_after_ms=%d remedy=\"raise the limit of open files\"",
                  evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()), ACCEPT_REST_MS);
    }
    server->accept_failed = true;
    server->resting = true;
    const struct timeval rest = {.tv_usec = ACCEPT_REST_MS * 1000L};
    (void)event_add(server->rest, &rest);
    admin_listen_if_room(server);
}

static void rested_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    struct berth_admin_http *server = arg;
    server->resting = false;
    admin_listen_if_room(server);
}

void admin_listen_if_room(struct berth_admin_http *server) {
    bool room = !server->resting && (server->connections_count < BERTH_ADMIN_CONNECTIONS_MAX ||
                                     !TAILQ_EMPTY(&server->idle));
    if (room != server->listening) {
        server->listening = room;
        (void)(room ? evconnlistener_enable(server->listener)
                    : evconnlistener_disable(server->listener));
    }
}

/* ---- Requests ---- */

void admin_take_request(struct connection *connection, const struct berth_http_request *request) {
    const struct berth_admin_http *server = connection->server;
    if (request->method == BERTH_HTTP_OTHER) {
        connection_answer_error(connection, 405, "method.not_allowed", "only GET and HEAD");
        return;
    }
    if (is_path(request, "livez")) {
        answer_check(connection, server->checks.live);
        return;
    }
    if (is_path(request, "readyz")) {
        answer_check(connection, server->checks.ready);
        return;
    }
    if (is_path(request, "metrics")) {
        answer_metrics(connection);
        return;
    }
    for (size_t i = 0; i < server->routes_count; i++) {
        if (matches(server->routes[i].pattern, request)) {
            handle(connection, request, &server->routes[i]);
            return;
        }
    }
    connection_answer_error(connection, 404, "route.unknown", "there is nothing at this path");
}

static bool is_path(const struct berth_http_request *request, const char *segment) {
    return request->segments_count == 1 && strcmp(request->segments[0], segment) == 0;
}

static bool matches(const char *pattern, const struct berth_http_request *request) {
    for (size_t i = 0; i < request->segments_count; i++) {
        if (*pattern != '/') {
            return false;
        }
        pattern++;
        size_t len = strcspn(pattern, "/");
        const char *segment = request->segments[i];
        bool any = len == 2 && strncmp(pattern, "{}", 2) == 0;
        if (any ? segment[0] == '\0'
                : strlen(segment) != len || strncmp(segment, pattern, len) != 0) {
            return false;
        }
        pattern += len;
    }
    return *pattern == '\0';
}

static void handle(struct connection *connection, const struct berth_http_request *request,
                   const struct berth_admin_route *route) {
    struct berth_admin_http *server = connection->server;
    bool room = server->owed_count < BERTH_ADMIN_OWED_MAX &&
                server->waiting_count < BERTH_ADMIN_WAITING_MAX;
    struct berth_admin_reply *reply = room ? calloc(1, sizeof(*reply)) : NULL;
    if (reply == NULL) {
        connection_answer_overloaded(connection);
        return;
    }
    reply->server = server;
    LIST_INSERT_HEAD(&server->owed, reply, link);
    server->owed_count++;
    connection_owe(connection, reply);
    route->handler(server->routes_ctx, request, reply);
}

static void answer_check(struct connection *connection, berth_admin_check_fn *check) {
    struct berth_buffer reasons;
    berth_buffer_init(&reasons, BERTH_ADMIN_ANSWER_BYTES);
    check(connection->server->checks.ctx, &reasons);
    int status = 503;
    if (reasons.len == 0) {
        status = 200;
        /* Without memory for the words the status says it all. */
        enum berth_rc rc = berth_buffer_append_text(&reasons, "ok\n");
        (void)rc;
    }
    connection->last = true;
    connection_answer(connection, &(struct answer){.status = status,
                                                   .content_type = "text/plain; charset=utf-8",
                                                   .body = &reasons});
    berth_buffer_deinit(&reasons);
}

static void answer_metrics(struct connection *connection) {
    const struct berth_admin_checks *checks = &connection->server->checks;
    struct berth_buffer text;
    berth_buffer_init(&text, BERTH_ADMIN_METRICS_BYTES);
    checks->metrics(checks->ctx, &text);
    connection->last = true;
    connection_answer(connection,
                      &(struct answer){.status = 200,
                                       .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                       .body = &text});
    berth_buffer_deinit(&text);
}

/* ---- Replies ---- */

void berth_admin_reply_send(struct berth_admin_reply *take_reply, int status, int retry_after_s,
                            struct berth_buffer *take_body) {
    BERTH_ASSERT(take_body->len <= BERTH_ADMIN_BODY_BYTES_MAX);
    struct berth_admin_http *server = take_reply->server;
    struct connection *connection = take_reply->connection;
    if (connection != NULL) {
        connection_owe_no_more(connection);
    }
    LIST_REMOVE(take_reply, link);
    server->owed_count--;
    free(take_reply);
    if (connection != NULL) {
        if (server->bodies_bytes + take_body->len > BERTH_ADMIN_BODIES_BYTES_MAX) {
            connection_answer_overloaded(connection);
        } else {
            connection_answer(connection, &(struct answer){.status = status,
                                                           .content_type = JSON_TYPE,
                                                           .retry_after_s = retry_after_s,
                                                           .body = take_body});
        }
    }
    berth_buffer_deinit(take_body);
}

void berth_admin_reply_error(struct berth_admin_reply *take_reply, int status, int retry_after_s,
                             const char *code, const char *message) {
    struct berth_buffer body;
    berth_buffer_init(&body, ERROR_BYTES_MAX);
    if (berth_error_json_write(code, message, &body) != BERTH_OK) {
        berth_buffer_deinit(&body); /* The status alone. */
    }
    berth_admin_reply_send(take_reply, status, retry_after_s, &body);
}

void connection_answer_error(struct connection *connection, int status, const char *code,
                             const char *message) {
    struct berth_buffer body;
    berth_buffer_init(&body, ERROR_BYTES_MAX);
    if (berth_error_json_write(code, message, &body) != BERTH_OK) {
        berth_buffer_deinit(&body);
    }
    connection_answer(connection,
                      &(struct answer){.status = status,
                                       .content_type = JSON_TYPE,
                                       .retry_after_s = status == 503 ? OVERLOADED_RETRY_S : 0,
                                       .body = &body});
    berth_buffer_deinit(&body);
}

void connection_answer_overloaded(struct connection *connection) {
    connection_answer_error(connection, 503, "server.overloaded",
                            "more is being asked and answered than there is room for");
}
