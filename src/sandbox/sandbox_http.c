/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_http.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void take_body(struct berth_sandbox_reply *reply, int status, const char *content_type,
                      char *take_text);

/* The texts stand behind the struct, in its own memory. */
struct berth_sandbox_request *
berth_sandbox_request_copy(const struct berth_sandbox_request *request) {
    const char *const texts[] = {request->path,
                                 request->query,
                                 request->host,
                                 request->accept,
                                 request->authorization,
                                 request->content_type,
                                 request->cookie,
                                 request->request_id,
                                 request->csrf_token,
                                 request->is_resource_name,
                                 request->name_in_location};
    size_t bytes = sizeof(*request) + request->body_bytes;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bytes += texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    }
    struct berth_sandbox_request *copy = berth_sandbox_alloc(bytes);
    char *room = (char *)(copy + 1);
    *copy = *request;
    const char **const copies[] = {&copy->path,
                                   &copy->query,
                                   &copy->host,
                                   &copy->accept,
                                   &copy->authorization,
                                   &copy->content_type,
                                   &copy->cookie,
                                   &copy->request_id,
                                   &copy->csrf_token,
                                   &copy->is_resource_name,
                                   &copy->name_in_location};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i] != NULL) {
            size_t len = strlen(texts[i]) + 1;
            memcpy(room, texts[i], len);
            *copies[i] = room;
            room += len;
        }
    }
    if (request->body_bytes > 0) {
        memcpy(room, request->body, request->body_bytes);
    }
    copy->body = room;
    return copy;
}

const char *berth_sandbox_method_name(enum berth_sandbox_method method) {
    switch (method) {
    case BERTH_SANDBOX_GET:
        return "GET";
    case BERTH_SANDBOX_HEAD:
        return "HEAD";
    case BERTH_SANDBOX_POST:
        return "POST";
    case BERTH_SANDBOX_PUT:
        return "PUT";
    case BERTH_SANDBOX_PATCH:
        return "PATCH";
    case BERTH_SANDBOX_DELETE:
        return "DELETE";
    case BERTH_SANDBOX_OTHER:
        return "OTHER";
    }
    BERTH_UNREACHABLE("every method has its case");
}

bool berth_sandbox_method_is_safe(enum berth_sandbox_method method) {
    return method == BERTH_SANDBOX_GET || method == BERTH_SANDBOX_HEAD ||
           method == BERTH_SANDBOX_OTHER;
}

void berth_sandbox_reply_init(struct berth_sandbox_reply *reply) {
    *reply = (struct berth_sandbox_reply){.status = 200};
}

void berth_sandbox_reply_deinit(struct berth_sandbox_reply *reply) {
    for (size_t i = 0; i < reply->header_count; i++) {
        free(reply->headers[i].value);
    }
    free(reply->body);
    berth_sandbox_reply_init(reply);
}

void berth_sandbox_reply_header(struct berth_sandbox_reply *reply, const char *name,
                                const char *format, ...) {
    BERTH_ASSERT(reply->header_count < BERTH_SANDBOX_HEADERS_MAX);
    char value[BERTH_SANDBOX_HEADER_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    reply->headers[reply->header_count++] =
        (struct berth_sandbox_header){.name = name, .value = berth_sandbox_copy(value)};
}

void berth_sandbox_reply_drop_header(struct berth_sandbox_reply *reply, const char *name) {
    size_t kept = 0;
    for (size_t i = 0; i < reply->header_count; i++) {
        if (strcmp(reply->headers[i].name, name) == 0) {
            free(reply->headers[i].value);
        } else {
            reply->headers[kept++] = reply->headers[i];
        }
    }
    reply->header_count = kept;
}

void berth_sandbox_reply_empty(struct berth_sandbox_reply *reply, int status) {
    take_body(reply, status, NULL, NULL);
}

void berth_sandbox_reply_text(struct berth_sandbox_reply *reply, int status,
                              const char *content_type, const char *text) {
    take_body(reply, status, content_type, berth_sandbox_copy(text));
}

void berth_sandbox_reply_json(struct berth_sandbox_reply *reply, int status,
                              struct json_t *take_json) {
    char *text = json_dumps(take_json, JSON_COMPACT);
    json_decref(take_json);
    BERTH_ASSERT(text != NULL);
    take_body(reply, status, "application/json", text);
}

void berth_sandbox_reply_error(struct berth_sandbox_reply *reply, int status, const char *code,
                               const char *message) {
    /* What a client sent may be in the message, and need not be UTF-8. */
    json_t *text = json_string(message);
    json_t *body = json_pack("{s:[{s:s,s:o}]}", "errors", "code", code, "message",
                             text != NULL ? text : json_string(code));
    BERTH_ASSERT(body != NULL);
    char *json = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    BERTH_ASSERT(json != NULL);
    char *line = NULL;
    BERTH_ASSERT(asprintf(&line, "%s\n", json) > 0);
    free(json);
    take_body(reply, status, "application/json; charset=utf-8", line);
}

static void take_body(struct berth_sandbox_reply *reply, int status, const char *content_type,
                      char *take_text) {
    free(reply->body);
    reply->status = status;
    reply->content_type = content_type;
    reply->body = take_text;
    reply->body_bytes = take_text == NULL ? 0 : strlen(take_text);
}
