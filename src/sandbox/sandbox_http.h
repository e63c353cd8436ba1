/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP as the stand-in's handlers see it: a request and a reply, without sockets.
 *
 * The server fills the request from evhttp and sends the reply; a test or a simulator can fill it
 * by hand.
 */
#ifndef BERTH_SANDBOX_HTTP_H
#define BERTH_SANDBOX_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

#define BERTH_SANDBOX_HEADERS_MAX      12
#define BERTH_SANDBOX_HEADER_BYTES_MAX 8192

struct json_t;

enum berth_sandbox_method {
    BERTH_SANDBOX_GET,
    BERTH_SANDBOX_HEAD,
    BERTH_SANDBOX_POST,
    BERTH_SANDBOX_PUT,
    BERTH_SANDBOX_PATCH,
    BERTH_SANDBOX_DELETE,
    BERTH_SANDBOX_OTHER,
};

/* Everything is borrowed; headers that weren't sent are NULL. */
struct berth_sandbox_request {
    enum berth_sandbox_method method;
    const char *path;  /* As sent, not decoded; begins with "/". */
    const char *query; /* What follows "?", not decoded; NULL if there is none. */
    const char *host;
    const char *authorization;
    const char *accept;
    const char *content_type;
    const char *cookie;
    const char *request_id;       /* X-Request-Id */
    const char *csrf_token;       /* X-Harbor-CSRF-Token */
    const char *is_resource_name; /* X-Is-Resource-Name */
    const char *name_in_location; /* X-Resource-Name-In-Location */
    const void *body;
    size_t body_bytes;
    int64_t now_ms; /* Milliseconds since 1970. */
};

struct berth_sandbox_header {
    const char *name; /* Static text. */
    char *value;      /* Owned by the reply. */
};

/* How the body goes out. */
enum berth_sandbox_delivery {
    BERTH_SANDBOX_WHOLE,
    BERTH_SANDBOX_TRUNCATED, /* Content-Length promises more, then the connection is closed. */
    BERTH_SANDBOX_DRIPPING,  /* A byte each drip_ms. */
    BERTH_SANDBOX_ENDLESS,   /* The body, then blanks, until there were stream_bytes. */
};

struct berth_sandbox_reply {
    int status;
    const char *content_type; /* Static text; NULL: the reply has no body. */
    char *body;               /* Owned by the reply. */
    size_t body_bytes;
    struct berth_sandbox_header headers[BERTH_SANDBOX_HEADERS_MAX];
    size_t header_count;
    int64_t delay_ms; /* It is sent so much later than it was made. */
    enum berth_sandbox_delivery delivery;
    int64_t drip_ms;
    int64_t stream_bytes;
};

/* A request of its own, for when its connection is gone; free it with free(). */
struct berth_sandbox_request *
berth_sandbox_request_copy(const struct berth_sandbox_request *request);

/* "GET", ...; "OTHER" for methods that nothing here has. */
const char *berth_sandbox_method_name(enum berth_sandbox_method method);

/* Whether the method changes nothing: GET, HEAD and what is unknown (OPTIONS among it). */
bool berth_sandbox_method_is_safe(enum berth_sandbox_method method);

void berth_sandbox_reply_init(struct berth_sandbox_reply *reply);
void berth_sandbox_reply_deinit(struct berth_sandbox_reply *reply);

/* Adds a header, cut at BERTH_SANDBOX_HEADER_BYTES_MAX; at most BERTH_SANDBOX_HEADERS_MAX of them
 * (asserted). */
void berth_sandbox_reply_header(struct berth_sandbox_reply *reply, const char *name,
                                const char *format, ...) BERTH_PRINTF(3, 4);

/* Takes all headers of that name out. */
void berth_sandbox_reply_drop_header(struct berth_sandbox_reply *reply, const char *name);

/* The bodies; each replaces what was there. */
void berth_sandbox_reply_empty(struct berth_sandbox_reply *reply, int status);
void berth_sandbox_reply_text(struct berth_sandbox_reply *reply, int status,
                              const char *content_type, const char *text);
void berth_sandbox_reply_json(struct berth_sandbox_reply *reply, int status,
                              struct json_t *take_json);

/* Harbor's error body: {"errors":[{"code":...,"message":...}]} and a newline. */
void berth_sandbox_reply_error(struct berth_sandbox_reply *reply, int status, const char *code,
                               const char *message);

#endif
