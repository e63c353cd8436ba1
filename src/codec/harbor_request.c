/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/codec/harbor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

#define API "/api/v2.0"
/* More than the longest body takes: names of bounded length, each byte at most \u00XX. */
#define BODY_BYTES_MAX 8192

/* Writes JSON; after the first fault it writes nothing more. */
struct writer {
    struct berth_buffer *body;
    enum berth_rc rc;
};

typedef void set_path_fn(struct berth_harbor_request *request,
                         const struct berth_harbor_call *call);
typedef void write_body_fn(struct writer *writer, const struct berth_harbor_call *call,
                           const struct berth_harbor_request_context *context);

static set_path_fn set_projects_path;
static set_path_fn set_project_path;
static set_path_fn set_project_name_path;
static set_path_fn set_quotas_path;
static set_path_fn set_quota_path;
static set_path_fn set_robots_path;
static set_path_fn set_system_info_path;
static set_path_fn set_account_path;
static set_path_fn set_robot_list_path;
static set_path_fn set_robot_path;
static void set_path(struct berth_harbor_request *request, const char *format, ...)
    BERTH_PRINTF(2, 3);
static write_body_fn write_project;
static write_body_fn write_update;
static write_body_fn write_quota;
static write_body_fn write_new_robot;
static write_body_fn write_secret;
static write_body_fn write_mended_robot;
static void write_visibility(struct writer *writer, enum berth_visibility visibility);
static void write_robot(struct writer *writer, const struct berth_harbor_call *call,
                        const struct berth_robot_marker *marker, const char *name);
static void write_text(struct writer *writer, const char *text);
static void write_number(struct writer *writer, int64_t number);
static void write_string(struct writer *writer, const char *text);
static void write_escaped(struct writer *writer, const char *text);

/* Objects are addressed by id, except where only the name is known (contract 1.2). */
static const struct shape {
    const char *method;
    set_path_fn *set_path;
    write_body_fn *write_body; /* NULL: no body. */
} SHAPES[BERTH_HARBOR_CALL_KINDS] = {
    [BERTH_HARBOR_CREATE_PROJECT] = {"POST", set_projects_path, write_project},
    [BERTH_HARBOR_GET_PROJECT_NAME] = {"GET", set_project_name_path, NULL},
    [BERTH_HARBOR_GET_PROJECT_ID] = {"GET", set_project_path, NULL},
    [BERTH_HARBOR_UPDATE_PROJECT] = {"PUT", set_project_path, write_update},
    [BERTH_HARBOR_DELETE_PROJECT] = {"DELETE", set_project_path, NULL},
    [BERTH_HARBOR_GET_QUOTA] = {"GET", set_quotas_path, NULL},
    [BERTH_HARBOR_SET_QUOTA] = {"PUT", set_quota_path, write_quota},
    [BERTH_HARBOR_LIST_ROBOTS] = {"GET", set_robot_list_path, NULL},
    [BERTH_HARBOR_CREATE_ROBOT] = {"POST", set_robots_path, write_new_robot},
    [BERTH_HARBOR_SET_SECRET] = {"PATCH", set_robot_path, write_secret},
    [BERTH_HARBOR_MEND_ROBOT] = {"PUT", set_robot_path, write_mended_robot},
    [BERTH_HARBOR_DELETE_ROBOT] = {"DELETE", set_robot_path, NULL},
    [BERTH_HARBOR_PROBE] = {"GET", set_system_info_path, NULL},
    [BERTH_HARBOR_GET_ACCOUNT] = {"GET", set_account_path, NULL},
};

enum berth_rc berth_harbor_request_make(const struct berth_harbor_call *call,
                                        const struct berth_harbor_request_context *context,
                                        struct berth_harbor_request *ret_request) {
    const struct shape *shape = &SHAPES[call->kind];
    struct berth_harbor_request request = {.method = shape->method};
    berth_buffer_init(&request.body, BODY_BYTES_MAX);
    shape->set_path(&request, call);
    struct writer writer = {.body = &request.body, .rc = BERTH_OK};
    if (shape->write_body != NULL) {
        shape->write_body(&writer, call, context);
    }
    /* Its input has bounds, so the body never meets its own. */
    BERTH_ASSERT(writer.rc != BERTH_BUSY);
    if (writer.rc != BERTH_OK) {
        berth_harbor_request_deinit(&request);
        return writer.rc;
    }
    *ret_request = request;
    return BERTH_OK;
}

void berth_harbor_request_make_lookup(const struct berth_harbor_call *call,
                                      struct berth_harbor_request *ret_request) {
    BERTH_ASSERT(call->kind == BERTH_HARBOR_MEND_ROBOT);
    *ret_request = (struct berth_harbor_request){.method = "GET"};
    set_robot_path(ret_request, call);
}

void berth_harbor_request_deinit(struct berth_harbor_request *request) {
    if (request->body.data != NULL) {
        explicit_bzero(request->body.data, request->body.capacity);
    }
    berth_buffer_deinit(&request->body);
}

static void set_projects_path(struct berth_harbor_request *request,
                              const struct berth_harbor_call *call) {
    (void)call;
    set_path(request, API "/projects");
}

static void set_project_path(struct berth_harbor_request *request,
                             const struct berth_harbor_call *call) {
    set_path(request, API "/projects/%" PRId64, call->project_id);
}

/* A space called "123" is asked for as a name, never as an id (contract 1.2). */
static void set_project_name_path(struct berth_harbor_request *request,
                                  const struct berth_harbor_call *call) {
    static const char DIGITS[] = "0123456789ABCDEF";
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char escaped[3 * sizeof call->space];
    size_t len = 0;
    for (const char *at = call->space; *at != 0; at++) {
        if (strchr(PLAIN, *at) != NULL) {
            escaped[len++] = *at;
        } else {
            escaped[len++] = '%';
            escaped[len++] = DIGITS[(unsigned char)*at >> 4U];
            escaped[len++] = DIGITS[(unsigned char)*at & 0x0fU];
        }
    }
    escaped[len] = 0;
    set_path(request, API "/projects/%s", escaped);
    request->resource_name = true;
}

static void set_quotas_path(struct berth_harbor_request *request,
                            const struct berth_harbor_call *call) {
    set_path(request, API "/quotas?reference=project&reference_id=%" PRId64, call->project_id);
}

static void set_quota_path(struct berth_harbor_request *request,
                           const struct berth_harbor_call *call) {
    set_path(request, API "/quotas/%" PRId64, call->quota_id);
}

static void set_robots_path(struct berth_harbor_request *request,
                            const struct berth_harbor_call *call) {
    (void)call;
    set_path(request, API "/robots");
}

/* In the order of ids, so that a robot that is made meanwhile moves no other to a page that was
 * read already. "q" is decoded twice (contract 2.6): what stands in it means the same both times.
 */
static void set_robot_list_path(struct berth_harbor_request *request,
                                const struct berth_harbor_call *call) {
    set_path(request,
             API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64 "&sort=id&page=%" PRId32
                 "&page_size=%d",
             call->project_id, call->page, BERTH_HARBOR_PAGE_SIZE);
}

static void set_robot_path(struct berth_harbor_request *request,
                           const struct berth_harbor_call *call) {
    set_path(request, API "/robots/%" PRId64, call->robot_id);
}

static void set_system_info_path(struct berth_harbor_request *request,
                                 const struct berth_harbor_call *call) {
    (void)call;
    set_path(request, API "/systeminfo");
}

static void set_account_path(struct berth_harbor_request *request,
                             const struct berth_harbor_call *call) {
    (void)call;
    set_path(request, API "/users/current");
}

static void set_path(struct berth_harbor_request *request, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(request->path, sizeof request->path, format, arguments);
    va_end(arguments);
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT((size_t)len < sizeof request->path);
}

/* The quota goes in with the project: Harbor takes it from administrators, and ignores it from all
 * others (contract 1.3), so whoever asked for one reads it back. */
static void write_project(struct writer *writer, const struct berth_harbor_call *call,
                          const struct berth_harbor_request_context *context) {
    (void)context;
    write_text(writer, "{\"project_name\":");
    write_string(writer, call->space);
    write_text(writer, ",");
    write_visibility(writer, call->visibility);
    if (call->quota_bytes != BERTH_QUOTA_UNSET) {
        write_text(writer, ",\"storage_limit\":");
        write_number(writer, call->quota_bytes);
    }
    write_text(writer, "}");
}

static void write_update(struct writer *writer, const struct berth_harbor_call *call,
                         const struct berth_harbor_request_context *context) {
    (void)context;
    BERTH_ASSERT(call->visibility != BERTH_VISIBILITY_UNSET);
    write_text(writer, "{");
    write_visibility(writer, call->visibility);
    write_text(writer, "}");
}

static void write_quota(struct writer *writer, const struct berth_harbor_call *call,
                        const struct berth_harbor_request_context *context) {
    (void)context;
    write_text(writer, "{\"hard\":{\"storage\":");
    write_number(writer, call->quota_bytes);
    write_text(writer, "}}");
}

static void write_new_robot(struct writer *writer, const struct berth_harbor_call *call,
                            const struct berth_harbor_request_context *context) {
    write_robot(writer, call, context->marker, call->robot_name);
}

static void write_secret(struct writer *writer, const struct berth_harbor_call *call,
                         const struct berth_harbor_request_context *context) {
    (void)call;
    BERTH_ASSERT(context->secret != NULL);
    write_text(writer, "{\"secret\":");
    write_string(writer, context->secret);
    write_text(writer, "}");
}

/* Harbor compares the name with the one it shows, prefix and all (contract 2.7). */
static void write_mended_robot(struct writer *writer, const struct berth_harbor_call *call,
                               const struct berth_harbor_request_context *context) {
    BERTH_ASSERT(context->login_name != NULL);
    write_robot(writer, call, context->marker, context->login_name);
}

/* Two words, as strings: Harbor's PUT stores any other text unchecked (contract 1.6). */
static void write_visibility(struct writer *writer, enum berth_visibility visibility) {
    write_text(writer, "\"metadata\":{\"public\":");
    write_text(writer, visibility == BERTH_PUBLIC ? "\"true\"}" : "\"false\"}");
}

static void write_robot(struct writer *writer, const struct berth_harbor_call *call,
                        const struct berth_robot_marker *marker, const char *name) {
    write_text(writer, "{\"name\":");
    write_string(writer, name);
    write_text(writer, ",\"level\":\"project\",\"disable\":false,\"duration\":-1,"
                       "\"description\":\"berth=");
    write_escaped(writer, marker->deployment);
    write_text(writer, ";key=");
    write_escaped(writer, marker->key_id);
    write_text(writer, ";ws=");
    write_escaped(writer, call->workspace);
    write_text(writer, "\",\"permissions\":[{\"kind\":\"project\",\"namespace\":");
    write_string(writer, call->space);
    write_text(writer, ",\"access\":[{\"resource\":\"repository\",\"action\":\"pull\"}]}]}");
}

static void write_text(struct writer *writer, const char *text) {
    if (writer->rc == BERTH_OK) {
        writer->rc = berth_buffer_append_text(writer->body, text);
    }
}

static void write_number(struct writer *writer, int64_t number) {
    char text[sizeof "-9223372036854775808"];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    write_text(writer, text);
}

static void write_string(struct writer *writer, const char *text) {
    write_text(writer, "\"");
    write_escaped(writer, text);
    write_text(writer, "\"");
}

/* What RFC 8259 wants escaped; everything else goes as it is. */
static void write_escaped(struct writer *writer, const char *text) {
    const char *plain = text;
    for (const char *at = text;; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        if (writer->rc == BERTH_OK) {
            writer->rc = berth_buffer_append(writer->body, plain, (size_t)(at - plain));
        }
        if (c == 0) {
            return;
        }
        char escaped[sizeof "\\u0000"];
        (void)snprintf(escaped, sizeof escaped, "\\u%04x", c);
        write_text(writer, escaped);
        plain = at + 1;
    }
}
