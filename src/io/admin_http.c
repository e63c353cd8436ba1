/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written on libevent's buffers and not on its HTTP server, because that one (2.1) bounds neither
 * the number of its connections nor the whole time of one: whoever opens many and says little could
 * use up the worker's file descriptors. What is needed of HTTP is one line.
 */
#include "berth/io/admin_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "berth/base/assert.h"

#define BACKLOG      64
#define METHOD_BYTES 8
#define TARGET_BYTES 256

/*
 * READING -- whole request, or what can't be one --> ANSWERING -- all sent --> LINGERING --> freed
 *
 * Each of them also ends by the peer's going, by an error, or by the connection's one time-out.
 * LINGERING: our side is shut and what still comes is dropped, because closing a socket with unread
 * bytes makes the kernel throw the answer away.
 */
enum connection_state {
    READING,
    ANSWERING,
    LINGERING,
};

struct connection {
    LIST_ENTRY(connection) link;
    struct berth_admin_http *server;
    enum connection_state state;
    struct bufferevent *events;
    struct event *deadline;
};

struct berth_admin_http {
    struct event_base *base;
    struct evconnlistener *listener;
    struct berth_admin_checks checks;
    uint16_t port;
    int connections_count;
    LIST_HEAD(, connection) connections;
};

struct request {
    char method[METHOD_BYTES];
    char target[TARGET_BYTES];
};

static struct evconnlistener *make_listener(struct berth_admin_http *server, const char *address,
                                            struct berth_error *reterr);
static bool split_address(const char *address, char *host, size_t host_size, char *port,
                          size_t port_size);
static uint16_t port_of(struct evconnlistener *listener);
static void accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int address_len, void *arg);
static void close_connection(struct connection *connection);
static void read_cb(struct bufferevent *events, void *arg);
static void sent_cb(struct bufferevent *events, void *arg);
static void end_cb(struct bufferevent *events, short what, void *arg);
static void deadline_cb(evutil_socket_t fd, short what, void *arg);
static bool parse(struct evbuffer *input, struct request *ret_request);
static void answer(struct connection *connection, const struct request *request);
static void answer_check(struct connection *connection, bool with_body,
                         berth_admin_check_fn *check);
static void send_answer(struct connection *connection, const char *status, bool with_body,
                        const char *text);

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
    LIST_INIT(&server->connections);
    server->listener = make_listener(server, address, reterr);
    if (server->listener == NULL) {
        free(server);
        return BERTH_INVALID;
    }
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
        close_connection(connection);
        connection = next;
    }
    evconnlistener_free(server->listener);
    free(server);
    return NULL;
}

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
    (void)address;
    (void)address_len;
    struct berth_admin_http *server = arg;
    static const struct timeval timeout = {.tv_sec = BERTH_ADMIN_TIMEOUT_MS / 1000,
                                           .tv_usec = (BERTH_ADMIN_TIMEOUT_MS % 1000) * 1000L};
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        (void)evutil_closesocket(fd);
        return;
    }
    connection->server = server;
    connection->events = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    connection->deadline = evtimer_new(server->base, deadline_cb, connection);
    LIST_INSERT_HEAD(&server->connections, connection, link);
    server->connections_count++;
    if (server->connections_count == BERTH_ADMIN_CONNECTIONS_MAX) {
        (void)evconnlistener_disable(listener);
    }
    if (connection->events == NULL) {
        (void)evutil_closesocket(fd);
    }
    if (connection->events == NULL || connection->deadline == NULL ||
        evtimer_add(connection->deadline, &timeout) != 0) {
        close_connection(connection);
        return;
    }
    /* Nothing is read beyond this, so what is held of a request is bounded. */
    bufferevent_setwatermark(connection->events, EV_READ, 0, BERTH_ADMIN_REQUEST_BYTES);
    bufferevent_setcb(connection->events, read_cb, sent_cb, end_cb, connection);
    (void)bufferevent_enable(connection->events, EV_READ | EV_WRITE);
}

static void close_connection(struct connection *connection) {
    struct berth_admin_http *server = connection->server;
    if (server->connections_count == BERTH_ADMIN_CONNECTIONS_MAX) {
        (void)evconnlistener_enable(server->listener);
    }
    server->connections_count--;
    LIST_REMOVE(connection, link);
    if (connection->events != NULL) {
        bufferevent_free(connection->events);
    }
    if (connection->deadline != NULL) {
        event_free(connection->deadline);
    }
    free(connection);
}

static void read_cb(struct bufferevent *events, void *arg) {
    struct connection *connection = arg;
    struct evbuffer *input = bufferevent_get_input(events);
    if (connection->state != READING) {
        (void)evbuffer_drain(input, evbuffer_get_length(input));
        return;
    }
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n\r\n", 4, NULL);
    if (end.pos >= 0) {
        struct request request = {0};
        bool understood = parse(input, &request);
        connection->state = ANSWERING;
        if (understood) {
            answer(connection, &request);
        } else {
            send_answer(connection, "400 Bad Request", true, "not a request\n");
        }
    } else if (evbuffer_get_length(input) >= BERTH_ADMIN_REQUEST_BYTES) {
        connection->state = ANSWERING;
        send_answer(connection, "431 Request Header Fields Too Large", true,
                    "the request is too large\n");
    }
}

/* The answer has left. */
static void sent_cb(struct bufferevent *events, void *arg) {
    struct connection *connection = arg;
    if (connection->state != ANSWERING) {
        return;
    }
    connection->state = LINGERING;
    (void)shutdown(bufferevent_getfd(events), SHUT_WR);
    struct evbuffer *input = bufferevent_get_input(events);
    (void)evbuffer_drain(input, evbuffer_get_length(input));
}

static void end_cb(struct bufferevent *events, short what, void *arg) {
    (void)events;
    (void)what;
    close_connection(arg);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    close_connection(arg);
}

/* The request line, which is "METHOD TARGET HTTP/1.x"; the headers mean nothing here. */
static bool parse(struct evbuffer *input, struct request *ret_request) {
    char line[METHOD_BYTES + TARGET_BYTES + sizeof("HTTP/1.1")];
    struct evbuffer_ptr end = evbuffer_search(input, "\r\n", 2, NULL);
    if (end.pos < 0 || (size_t)end.pos >= sizeof(line)) {
        return false;
    }
    ev_ssize_t len = evbuffer_copyout(input, line, (size_t)end.pos);
    BERTH_ASSERT(len == end.pos);
    line[len] = '\0';
    size_t method_len = strcspn(line, " ");
    const char *target = line + method_len + (line[method_len] == ' ' ? 1 : 0);
    size_t path_len = strcspn(target, " ?");
    const char *version = target + strcspn(target, " ");
    if (strlen(line) != (size_t)len || method_len == 0 || method_len >= METHOD_BYTES ||
        path_len >= TARGET_BYTES || target[0] != '/' ||
        (strcmp(version, " HTTP/1.1") != 0 && strcmp(version, " HTTP/1.0") != 0)) {
        return false;
    }
    memcpy(ret_request->method, line, method_len);
    memcpy(ret_request->target, target, path_len);
    return true;
}

static void answer(struct connection *connection, const struct request *request) {
    const struct berth_admin_checks *checks = &connection->server->checks;
    bool head = strcmp(request->method, "HEAD") == 0;
    if (!head && strcmp(request->method, "GET") != 0) {
        send_answer(connection, "405 Method Not Allowed\r\nAllow: GET, HEAD", true,
                    "only GET and HEAD\n");
    } else if (strcmp(request->target, "/livez") == 0) {
        answer_check(connection, !head, checks->live);
    } else if (strcmp(request->target, "/readyz") == 0) {
        answer_check(connection, !head, checks->ready);
    } else {
        send_answer(connection, "404 Not Found", !head, "there are /livez and /readyz\n");
    }
}

static void answer_check(struct connection *connection, bool with_body,
                         berth_admin_check_fn *check) {
    struct berth_buffer reasons;
    berth_buffer_init(&reasons, BERTH_ADMIN_ANSWER_BYTES);
    check(connection->server->checks.ctx, &reasons);
    if (reasons.len == 0) {
        send_answer(connection, "200 OK", with_body, "ok\n");
    } else {
        send_answer(connection, "503 Service Unavailable", with_body, (const char *)reasons.data);
    }
    berth_buffer_deinit(&reasons);
}

/* Without memory for the answer there is none: the peer sees the connection end. */
static void send_answer(struct connection *connection, const char *status, bool with_body,
                        const char *text) {
    struct evbuffer *output = bufferevent_get_output(connection->events);
    (void)evbuffer_add_printf(output,
                              "HTTP/1.1 %s\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\n"
                              "Content-Length: %zu\r\n"
                              "Cache-Control: no-store\r\n"
                              "Connection: close\r\n"
                              "\r\n%s",
                              status, strlen(text), with_body ? text : "");
}
