/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_evhttp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "berth/base/assert.h"

#define BACKLOG 1024

static enum berth_rc bind_loopback(int fd, uint16_t port, uint16_t *ret_port);
static void add_headers(struct evhttp_request *request, const struct berth_sandbox_reply *reply);
static const char *reason_of(int status);
static enum berth_sandbox_method method_of(const struct evhttp_request *request);

int64_t berth_sandbox_now_ms(void) {
    struct timespec now;
    BERTH_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum berth_rc berth_sandbox_bind(uint16_t port, int *ret_socket, uint16_t *ret_port,
                                 struct berth_error *reterr) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        berth_error_set(reterr, "socket: %s", strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    if (bind_loopback(fd, port, ret_port) != BERTH_OK) {
        berth_error_set(reterr, "cannot bind 127.0.0.1:%u: %s", (unsigned)port, strerror(errno));
        (void)close(fd);
        return BERTH_FAULT_SYSTEM;
    }
    *ret_socket = fd;
    return BERTH_OK;
}

enum berth_rc berth_sandbox_serve(struct event_base *base, int socket,
                                  void (*on_request)(struct evhttp_request *request, void *context),
                                  void *context, struct evhttp **ret_server,
                                  struct berth_error *reterr) {
    struct evhttp *server = evhttp_new(base);
    if (server == NULL) {
        berth_error_set(reterr, "evhttp_new failed");
        return BERTH_FAULT_LIBRARY;
    }
    /* Everything that evhttp can parse: what the stand-in doesn't know is its own 404 or 405. */
    evhttp_set_allowed_methods(server, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                           EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                                           EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
                                           EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(server, BERTH_SANDBOX_HEADERS_BYTES_MAX);
    evhttp_set_max_body_size(server, BERTH_SANDBOX_BODY_BYTES_MAX);
    evhttp_set_timeout(server, BERTH_SANDBOX_IDLE_S);
    evhttp_set_default_content_type(server, NULL);
    evhttp_set_gencb(server, on_request, context);
    if (listen(socket, BACKLOG) != 0) {
        berth_error_set(reterr, "listen: %s", strerror(errno));
        evhttp_free(server);
        return BERTH_FAULT_SYSTEM;
    }
    if (evhttp_accept_socket(server, socket) != 0) {
        berth_error_set(reterr, "evhttp_accept_socket failed");
        evhttp_free(server);
        return BERTH_FAULT_LIBRARY;
    }
    *ret_server = server;
    return BERTH_OK;
}

void berth_sandbox_read(struct evhttp_request *request, struct berth_sandbox_request *ret_request) {
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    *ret_request = (struct berth_sandbox_request){
        .method = method_of(request),
        .path = path == NULL || path[0] != '/' ? "/" : path,
        .query = uri == NULL ? NULL : evhttp_uri_get_query(uri),
        .host = evhttp_find_header(headers, "Host"),
        .authorization = evhttp_find_header(headers, "Authorization"),
        .accept = evhttp_find_header(headers, "Accept"),
        .content_type = evhttp_find_header(headers, "Content-Type"),
        .cookie = evhttp_find_header(headers, "Cookie"),
        .request_id = evhttp_find_header(headers, "X-Request-Id"),
        .csrf_token = evhttp_find_header(headers, "X-Harbor-CSRF-Token"),
        .is_resource_name = evhttp_find_header(headers, "X-Is-Resource-Name"),
        .name_in_location = evhttp_find_header(headers, "X-Resource-Name-In-Location"),
        .body = evbuffer_pullup(body, -1),
        .body_bytes = evbuffer_get_length(body),
        .now_ms = berth_sandbox_now_ms(),
    };
}

void berth_sandbox_send(struct evhttp_request *request, const struct berth_sandbox_reply *reply) {
    add_headers(request, reply);
    if (reply->body_bytes > 0 && evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
        struct evbuffer *output = evhttp_request_get_output_buffer(request);
        BERTH_ASSERT(evbuffer_add(output, reply->body, reply->body_bytes) == 0);
    }
    evhttp_send_reply(request, reply->status, reason_of(reply->status), NULL);
}

void berth_sandbox_start(struct evhttp_request *request, const struct berth_sandbox_reply *reply,
                         const char *content_length) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    add_headers(request, reply);
    BERTH_ASSERT(evhttp_add_header(headers, "Content-Length", content_length) == 0);
    if (reply->delivery == BERTH_SANDBOX_TRUNCATED) {
        BERTH_ASSERT(evhttp_add_header(headers, "Connection", "close") == 0);
    }
    evhttp_send_reply_start(request, reply->status, reason_of(reply->status));
}

void berth_sandbox_reset(struct evhttp_request *request) {
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    if (connection == NULL) {
        /* The client was faster, and left us the request. */
        evhttp_request_free(request);
        return;
    }
    /* evhttp would shut the connection down before it closes it, which looks like a polite end. On
     * Linux connecting a TCP socket to nowhere resets it (connect(2)). */
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    int failed = connect(fd, &nowhere, sizeof(nowhere));
    (void)failed; /* Then the end is a polite one. */
    evhttp_connection_free(connection);
}

static enum berth_rc bind_loopback(int fd, uint16_t port, uint16_t *ret_port) {
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    /* Connections inherit TCP_NODELAY. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return BERTH_FAULT_SYSTEM;
    }
    *ret_port = ntohs(address.sin_port);
    return BERTH_OK;
}

static void add_headers(struct evhttp_request *request, const struct berth_sandbox_reply *reply) {
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    /* evhttp refuses a value with a line break; such a header is then missing, as it should. */
    for (size_t i = 0; i < reply->header_count; i++) {
        (void)evhttp_add_header(headers, reply->headers[i].name, reply->headers[i].value);
    }
    if (reply->content_type != NULL) {
        (void)evhttp_add_header(headers, "Content-Type", reply->content_type);
    }
}

/* evhttp doesn't know these two; NULL leaves the phrase to it. */
static const char *reason_of(int status) {
    if (status == 422) {
        return "Unprocessable Entity";
    }
    return status == 429 ? "Too Many Requests" : NULL;
}

static enum berth_sandbox_method method_of(const struct evhttp_request *request) {
    enum evhttp_cmd_type command = evhttp_request_get_command(request);
    if (command == EVHTTP_REQ_GET) {
        return BERTH_SANDBOX_GET;
    }
    if (command == EVHTTP_REQ_HEAD) {
        return BERTH_SANDBOX_HEAD;
    }
    if (command == EVHTTP_REQ_POST) {
        return BERTH_SANDBOX_POST;
    }
    if (command == EVHTTP_REQ_PUT) {
        return BERTH_SANDBOX_PUT;
    }
    if (command == EVHTTP_REQ_PATCH) {
        return BERTH_SANDBOX_PATCH;
    }
    return command == EVHTTP_REQ_DELETE ? BERTH_SANDBOX_DELETE : BERTH_SANDBOX_OTHER;
}
