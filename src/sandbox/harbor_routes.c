/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: which handler answers which method and path.
 *
 * A pattern is a path whose segments in braces match any one segment; "{name...}" matches one or
 * more. One table serves the dispatch, the counters and the faults.
 */
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "url_text.h"

#define API_BASE        "/api/v2.0"
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct route {
    enum berth_sandbox_method method;
    const char *pattern;
    berth_sandbox_handler_fn *handler;
    bool reads_first; /* Harbor's reading and its writing can be told apart, and fall apart. */
};

static const struct route ROUTES[] = {
    {BERTH_SANDBOX_POST, API_BASE "/projects", berth_sandbox_create_project, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects", berth_sandbox_list_projects, false},
    {BERTH_SANDBOX_HEAD, API_BASE "/projects", berth_sandbox_head_project, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}", berth_sandbox_get_project, false},
    {BERTH_SANDBOX_PUT, API_BASE "/projects/{name_or_id}", berth_sandbox_update_project, false},
    {BERTH_SANDBOX_DELETE, API_BASE "/projects/{name_or_id}", berth_sandbox_delete_project, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/_deletable",
     berth_sandbox_get_project_deletable, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/summary",
     berth_sandbox_get_project_summary, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/metadatas/", berth_sandbox_list_metadata,
     false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/metadatas/{meta_name}",
     berth_sandbox_get_metadata, false},
    {BERTH_SANDBOX_PUT, API_BASE "/projects/{name_or_id}/metadatas/{meta_name}",
     berth_sandbox_update_metadata, false},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/members", berth_sandbox_list_members,
     false},
    {BERTH_SANDBOX_POST, API_BASE "/projects/{name_or_id}/members", berth_sandbox_create_member,
     true},
    {BERTH_SANDBOX_GET, API_BASE "/projects/{name_or_id}/members/{mid}", berth_sandbox_get_member,
     false},
    {BERTH_SANDBOX_PUT, API_BASE "/projects/{name_or_id}/members/{mid}",
     berth_sandbox_update_member, false},
    {BERTH_SANDBOX_DELETE, API_BASE "/projects/{name_or_id}/members/{mid}",
     berth_sandbox_delete_member, false},
    {BERTH_SANDBOX_POST, API_BASE "/robots", berth_sandbox_create_robot, true},
    {BERTH_SANDBOX_GET, API_BASE "/robots", berth_sandbox_list_robots, false},
    {BERTH_SANDBOX_GET, API_BASE "/robots/{robot_id}", berth_sandbox_get_robot, false},
    {BERTH_SANDBOX_PUT, API_BASE "/robots/{robot_id}", berth_sandbox_update_robot, true},
    {BERTH_SANDBOX_PATCH, API_BASE "/robots/{robot_id}", berth_sandbox_refresh_robot_secret, true},
    {BERTH_SANDBOX_DELETE, API_BASE "/robots/{robot_id}", berth_sandbox_delete_robot, false},
    {BERTH_SANDBOX_GET, API_BASE "/quotas", berth_sandbox_list_quotas, false},
    {BERTH_SANDBOX_GET, API_BASE "/quotas/{id}", berth_sandbox_get_quota, false},
    {BERTH_SANDBOX_PUT, API_BASE "/quotas/{id}", berth_sandbox_update_quota, false},
    {BERTH_SANDBOX_POST, "/api/internal/syncquota", berth_sandbox_sync_quotas, false},
    {BERTH_SANDBOX_GET, API_BASE "/permissions", berth_sandbox_get_permissions, false},
    {BERTH_SANDBOX_POST, API_BASE "/users", berth_sandbox_create_user, false},
    {BERTH_SANDBOX_DELETE, API_BASE "/users/{user_id}", berth_sandbox_delete_user, false},
    {BERTH_SANDBOX_GET, API_BASE "/configurations", berth_sandbox_get_configurations, false},
    {BERTH_SANDBOX_PUT, API_BASE "/configurations", berth_sandbox_update_configurations, false},
    {BERTH_SANDBOX_GET, API_BASE "/users/current", berth_sandbox_get_current_user, false},
    {BERTH_SANDBOX_GET, API_BASE "/systeminfo", berth_sandbox_get_system_info, false},
    {BERTH_SANDBOX_GET, API_BASE "/health", berth_sandbox_get_health, false},
    {BERTH_SANDBOX_GET, API_BASE "/ping", berth_sandbox_ping, false},
    {BERTH_SANDBOX_GET, "/api/version", berth_sandbox_get_version, false},
    {BERTH_SANDBOX_GET, "/service/token", berth_sandbox_get_token, false},
    {BERTH_SANDBOX_GET, "/v2/{project}/{repository...}/manifests/{reference}",
     berth_sandbox_get_manifest, false},
    {BERTH_SANDBOX_HEAD, "/v2/{project}/{repository...}/manifests/{reference}",
     berth_sandbox_get_manifest, false},
    {BERTH_SANDBOX_POST, "/c/login", berth_sandbox_login, false},
    {BERTH_SANDBOX_GET, "/c/log_out", berth_sandbox_logout, false},
};

/* What a parameter of the pattern matched, in the path. */
struct capture {
    size_t start;
    size_t len;
};

static bool match(const char *pattern, const char *path,
                  struct capture ret_captures[BERTH_SANDBOX_CALL_PARAMS_MAX]);
static bool take_segments(const char *pattern, const char *path, size_t *len);
static size_t segment_count(const char *path);
static bool bind_params(struct berth_sandbox_call *call, char *path,
                        const struct capture captures[BERTH_SANDBOX_CALL_PARAMS_MAX]);
static bool check_accept(struct berth_sandbox_call *call, const char *pattern);
static void refuse_method(struct berth_sandbox_call *call, const char *path);
static void refuse_path(struct berth_sandbox_call *call);

size_t berth_sandbox_route_count(void) {
    return COUNT_OF(ROUTES) + 1;
}

size_t berth_sandbox_find_route(enum berth_sandbox_method method, const char *path) {
    struct capture captures[BERTH_SANDBOX_CALL_PARAMS_MAX];
    size_t route = 0;
    while (route < COUNT_OF(ROUTES) &&
           !(ROUTES[route].method == method && match(ROUTES[route].pattern, path, captures))) {
        route++;
    }
    return route;
}

void berth_sandbox_route_name(size_t route, char *ret_name, size_t size) {
    BERTH_ASSERT(route <= COUNT_OF(ROUTES));
    if (route == COUNT_OF(ROUTES)) {
        (void)snprintf(ret_name, size, "other");
        return;
    }
    const char *pattern = ROUTES[route].pattern;
    if (strncmp(pattern, API_BASE "/", strlen(API_BASE "/")) == 0) {
        pattern += strlen(API_BASE);
    }
    (void)snprintf(ret_name, size, "%s %s", berth_sandbox_method_name(ROUTES[route].method),
                   pattern);
}

void berth_sandbox_dispatch(struct berth_sandbox_call *call, char *path) {
    size_t route = berth_sandbox_find_route(call->request->method, path);
    struct capture captures[BERTH_SANDBOX_CALL_PARAMS_MAX] = {{0}};
    if (route == COUNT_OF(ROUTES)) {
        refuse_method(call, path);
        return;
    }
    BERTH_ASSERT(match(ROUTES[route].pattern, path, captures));
    if (!bind_params(call, path, captures)) {
        refuse_path(call);
        return;
    }
    if (!check_accept(call, ROUTES[route].pattern)) {
        return;
    }
    if (call->ret_reading == NULL || ROUTES[route].reads_first) {
        ROUTES[route].handler(call);
    }
}

/* Both begin with a slash. What the parameters matched is written also when the rest doesn't. */
static bool match(const char *pattern, const char *path,
                  struct capture ret_captures[BERTH_SANDBOX_CALL_PARAMS_MAX]) {
    size_t captured = 0;
    const char *at = path;
    while (*pattern == '/' && *at == '/') {
        pattern++;
        at++;
        size_t pattern_len = strcspn(pattern, "/");
        size_t len = strcspn(at, "/");
        if (*pattern == '{') {
            if (!take_segments(pattern, at, &len)) {
                return false;
            }
            BERTH_ASSERT(captured < BERTH_SANDBOX_CALL_PARAMS_MAX);
            ret_captures[captured++] = (struct capture){.start = (size_t)(at - path), .len = len};
        } else if (len != pattern_len || memcmp(pattern, at, len) != 0) {
            return false;
        }
        pattern += pattern_len;
        at += len;
    }
    return *pattern == '\0' && *at == '\0';
}

/* How many characters of path the parameter at pattern takes: one segment, or with "..." as many as
 * leave one for each segment of the pattern that follows. False: it would take nothing. */
static bool take_segments(const char *pattern, const char *path, size_t *len) {
    static const char MANY[] = "...}";
    size_t pattern_len = strcspn(pattern, "/");
    bool many = pattern_len > strlen(MANY) &&
                memcmp(pattern + pattern_len - strlen(MANY), MANY, strlen(MANY)) == 0;
    size_t wanted = segment_count(pattern);
    size_t given = segment_count(path);
    while (many && given > wanted) {
        *len += 1 + strcspn(path + *len + 1, "/");
        given--;
    }
    return *len > 0;
}

static size_t segment_count(const char *path) {
    size_t count = 1;
    for (const char *at = path; *at != '\0'; at++) {
        count += *at == '/' ? 1 : 0;
    }
    return count;
}

/* Cuts the parameters out of the path, in place. False: one can't be decoded. */
static bool bind_params(struct berth_sandbox_call *call, char *path,
                        const struct capture captures[BERTH_SANDBOX_CALL_PARAMS_MAX]) {
    for (size_t i = 0; i < BERTH_SANDBOX_CALL_PARAMS_MAX && captures[i].len > 0; i++) {
        char *param = path + captures[i].start;
        param[captures[i].len] = '\0';
        if (!berth_sandbox_url_decode(param, false)) {
            return false;
        }
        call->params[i] = param;
    }
    return true;
}

/* go-openapi refuses clients that want no JSON, before it looks at who they are. */
static bool check_accept(struct berth_sandbox_call *call, const char *pattern) {
    static const char *const JSON[] = {"*/*", "application/*", "application/json"};
    const char *accept = call->request->accept;
    bool speaks_json = strncmp(pattern, API_BASE "/", strlen(API_BASE "/")) == 0 &&
                       strcmp(pattern, API_BASE "/ping") != 0;
    if (!speaks_json || accept == NULL || accept[0] == '\0') {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(JSON); i++) {
        if (strcasestr(accept, JSON[i]) != NULL) {
            return true;
        }
    }
    berth_sandbox_call_invalid(call, "unsupported media type requested, only [application/json]"
                                     " are available");
    return false;
}

/* 405 when another method has this path, else 404. */
static void refuse_method(struct berth_sandbox_call *call, const char *path) {
    struct capture captures[BERTH_SANDBOX_CALL_PARAMS_MAX];
    char allowed[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(ROUTES); i++) {
        if (match(ROUTES[i].pattern, path, captures)) {
            int written =
                snprintf(allowed + len, sizeof(allowed) - len, "%s%s", len == 0 ? "" : ",",
                         berth_sandbox_method_name(ROUTES[i].method));
            BERTH_ASSERT(written > 0);
            len += (size_t)written;
            BERTH_ASSERT(len < sizeof(allowed));
        }
    }
    if (len == 0) {
        refuse_path(call);
        return;
    }
    char message[BERTH_MODEL_MESSAGE_BYTES];
    (void)snprintf(message, sizeof(message), "method %s is not allowed, but [%s] are",
                   berth_sandbox_method_name(call->request->method), allowed);
    berth_sandbox_reply_header(call->reply, "Allow", "%s", allowed);
    berth_sandbox_reply_error(call->reply, 405, "METHOD_NOT_ALLOWED", message);
}

/* Below /api/ go-openapi answers, elsewhere beego with a page of HTML. */
static void refuse_path(struct berth_sandbox_call *call) {
    if (strncmp(call->request->path, "/api/", strlen("/api/")) != 0) {
        berth_sandbox_reply_text(call->reply, 404, "text/html; charset=utf-8",
                                 "<!DOCTYPE html><title>404</title>Page Not Found\n");
        return;
    }
    char message[BERTH_MODEL_MESSAGE_BYTES];
    (void)snprintf(message, sizeof(message), "path %s was not found", call->request->path);
    berth_sandbox_reply_error(call->reply, 404, "NOT_FOUND", message);
}
