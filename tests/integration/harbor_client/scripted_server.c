/* SPDX-License-Identifier: Apache-2.0 */
#include "scripted_server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "berth/base/assert.h"

struct scripted_connection {
    struct scripted_server *server;
    struct bufferevent *bev;
    bool unanswered;
    struct scripted_connection *next;
};

struct scripted_server {
    struct evconnlistener *listener;
    struct event_base *base;
    scripted_request_fn *on_request;
    void *ctx;
    int port;
    struct scripted_connection *connections;
    size_t at_once;
    struct scripted_counts counts;
};

static void libevent_accept_cb(struct evconnlistener *listener, evutil_socket_t fd,
                               struct sockaddr *address, int address_len, void *ctx);
static void libevent_read_cb(struct bufferevent *bev, void *ctx);
static void libevent_end_cb(struct bufferevent *bev, short what, void *ctx);
static size_t request_len(const char *text);
static void take_request(struct scripted_connection *connection, char *text);
static void answered(struct scripted_connection *connection);
static void forget(struct scripted_connection *connection);

struct scripted_server *scripted_server_new(struct event_base *base,
                                            scripted_request_fn *on_request, void *ctx) {
    struct scripted_server *server = calloc(1, sizeof *server);
    BERTH_ASSERT(server != NULL);
    *server = (struct scripted_server){.base = base, .on_request = on_request, .ctx = ctx};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server->listener = evconnlistener_new_bind(base, libevent_accept_cb, server,
                                               LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
                                               (struct sockaddr *)&address, sizeof address);
    BERTH_ASSERT(server->listener != NULL);
    socklen_t len = sizeof address;
    int failed =
        getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&address, &len);
    BERTH_ASSERT(failed == 0);
    server->port = ntohs(address.sin_port);
    return server;
}

void scripted_server_free(struct scripted_server *server) {
    while (server->connections != NULL) {
        forget(server->connections);
    }
    evconnlistener_free(server->listener);
    free(server);
}

int scripted_server_port(const struct scripted_server *server) {
    return server->port;
}

struct scripted_counts scripted_server_counts(const struct scripted_server *server) {
    return server->counts;
}

void scripted_send(struct scripted_connection *connection, const void *data, size_t len) {
    answered(connection);
    int failed = bufferevent_write(connection->bev, data, len);
    BERTH_ASSERT(failed == 0);
}

void scripted_reply(const struct scripted_request *request, int status, const char *headers,
                    const char *body) {
    char id[256];
    char head[4096];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d As It Says\r\nX-Request-Id: %s\r\n"
                       "Content-Type: application/json; charset=utf-8\r\n"
                       "Content-Length: %zu\r\n%s\r\n",
                       status, scripted_header(request, "X-Request-Id", id, sizeof id),
                       strlen(body), headers);
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT((size_t)len < sizeof head);
    scripted_send(request->connection, head, (size_t)len);
    scripted_send(request->connection, body, strlen(body));
}

void scripted_close(struct scripted_connection *connection, bool reset) {
    if (reset) {
        const struct linger hard = {.l_onoff = 1, .l_linger = 0};
        int failed = setsockopt(bufferevent_getfd(connection->bev), SOL_SOCKET, SO_LINGER, &hard,
                                sizeof hard);
        BERTH_ASSERT(failed == 0);
    }
    forget(connection);
}

const char *scripted_header(const struct scripted_request *request, const char *name, char *buffer,
                            size_t buffer_bytes) {
    char start[64];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strcasestr(request->text, start);
    buffer[0] = 0;
    if (at != NULL) {
        at += strlen(start);
        (void)snprintf(buffer, buffer_bytes, "%.*s", (int)strcspn(at, "\r"), at);
    }
    return buffer;
}

static void libevent_accept_cb(struct evconnlistener *listener, evutil_socket_t fd,
                               struct sockaddr *address, int address_len, void *ctx) {
    (void)listener;
    (void)address;
    (void)address_len;
    struct scripted_server *server = ctx;
    struct scripted_connection *connection = calloc(1, sizeof *connection);
    BERTH_ASSERT(connection != NULL);
    connection->server = server;
    connection->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    BERTH_ASSERT(connection->bev != NULL);
    connection->next = server->connections;
    server->connections = connection;
    server->counts.connections++;
    bufferevent_setcb(connection->bev, libevent_read_cb, NULL, libevent_end_cb, connection);
    int failed = bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
    BERTH_ASSERT(failed == 0);
}

static void libevent_read_cb(struct bufferevent *bev, void *ctx) {
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t have = evbuffer_get_length(input);
    char *text = calloc(1, have + 1);
    BERTH_ASSERT(text != NULL);
    (void)evbuffer_copyout(input, text, have);
    size_t len = request_len(text);
    if (len > 0 && len <= have) {
        (void)evbuffer_drain(input, len);
        text[len] = 0;
        take_request(ctx, text);
    }
    free(text);
}

static void libevent_end_cb(struct bufferevent *bev, short what, void *ctx) {
    (void)bev;
    struct scripted_connection *connection = ctx;
    if ((what & BEV_EVENT_ERROR) != 0) {
        connection->server->counts.resets++;
    } else if ((what & BEV_EVENT_EOF) != 0) {
        connection->server->counts.closed++;
    }
    forget(connection);
}

/* Of the first request in the text, its body included; 0 while its head isn't complete. */
static size_t request_len(const char *text) {
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t len = (size_t)(end - text) + 4;
    const char *body_len = strcasestr(text, "\r\ncontent-length: ");
    if (body_len != NULL && body_len < end) {
        len += strtoul(body_len + strlen("\r\ncontent-length: "), NULL, 10);
    }
    return len;
}

static void take_request(struct scripted_connection *connection, char *text) {
    struct scripted_server *server = connection->server;
    connection->unanswered = true;
    server->at_once++;
    server->counts.requests++;
    if (server->at_once > server->counts.at_once_max) {
        server->counts.at_once_max = server->at_once;
    }
    struct scripted_request request = {
        .connection = connection,
        .text = text,
        .body = strstr(text, "\r\n\r\n") + 4,
    };
    server->on_request(server->ctx, &request);
}

static void answered(struct scripted_connection *connection) {
    if (connection->unanswered) {
        connection->unanswered = false;
        connection->server->at_once--;
    }
}

static void forget(struct scripted_connection *connection) {
    answered(connection);
    struct scripted_connection **link = &connection->server->connections;
    while (*link != connection) {
        link = &(*link)->next;
    }
    *link = connection->next;
    bufferevent_free(connection->bev);
    free(connection);
}
