/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_server.h"

#include <event2/http.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "harbor_members.h"
#include "registry_server.h"
#include "sandbox_evhttp.h"
#include "sandbox_memory.h"
#include "url_text.h"

/* registries, NAME, what, PROJECT, REPO */
#define SEGMENTS_MAX 5

struct berth_sandbox_admin {
    struct evhttp *http;
    uint16_t port;
    struct berth_sandbox_registry **registries; /* Borrowed. */
    size_t registry_count;
};

struct admin_call {
    const struct berth_sandbox_request *request;
    struct berth_sandbox_reply *reply;
    struct berth_sandbox_registry *registry;
    const char *segments[SEGMENTS_MAX];
    size_t segment_count;
};

typedef void admin_handler_fn(struct admin_call *call);
typedef enum berth_rc change_fn(struct berth_sandbox_faults *faults, const json_t *json,
                                struct berth_error *reterr);

struct admin_route {
    const char *what; /* The third segment. */
    size_t segment_count;
    enum berth_sandbox_method method;
    admin_handler_fn *handler;
};

static admin_handler_fn get_counters;
static admin_handler_fn reset_counters;
static admin_handler_fn get_writes;
static admin_handler_fn reset_writes;
static admin_handler_fn get_faults;
static admin_handler_fn put_faults;
static admin_handler_fn add_rule;
static admin_handler_fn remove_faults;
static admin_handler_fn forget_sessions;
static admin_handler_fn change_csrf_key;
static admin_handler_fn put_user;
static admin_handler_fn put_repository;
static admin_handler_fn remove_repository;

static const struct admin_route ROUTES[] = {
    {"counters", 3, BERTH_SANDBOX_GET, get_counters},
    {"counters", 3, BERTH_SANDBOX_DELETE, reset_counters},
    {"writes", 3, BERTH_SANDBOX_GET, get_writes},
    {"writes", 3, BERTH_SANDBOX_DELETE, reset_writes},
    {"faults", 3, BERTH_SANDBOX_GET, get_faults},
    {"faults", 3, BERTH_SANDBOX_PUT, put_faults},
    {"faults", 3, BERTH_SANDBOX_POST, add_rule},
    {"faults", 3, BERTH_SANDBOX_DELETE, remove_faults},
    {"sessions", 3, BERTH_SANDBOX_DELETE, forget_sessions},
    {"csrf-key", 3, BERTH_SANDBOX_DELETE, change_csrf_key},
    {"users", 4, BERTH_SANDBOX_PUT, put_user},
    {"repositories", 5, BERTH_SANDBOX_PUT, put_repository},
    {"repositories", 5, BERTH_SANDBOX_DELETE, remove_repository},
};

static void admin_request_cb(struct evhttp_request *request, void *context);
static void dispatch(const struct berth_sandbox_admin *server, struct admin_call *call);
static bool split_path(struct admin_call *call, char *path);
static struct berth_sandbox_registry *find_registry(const struct berth_sandbox_admin *server,
                                                    const char *name);
static void change_faults(struct admin_call *call, change_fn *change);
static void set_faults(struct admin_call *call, const struct berth_sandbox_faults *faults);
static json_t *bind_json(struct admin_call *call);
static struct berth_model *model_of(const struct admin_call *call);
static void refuse(struct admin_call *call, int status, const char *format, ...) BERTH_PRINTF(3, 4);
static void answer_verdict(struct admin_call *call, const struct berth_model_verdict *verdict);

enum berth_rc berth_sandbox_admin_new(struct event_base *base, uint16_t port,
                                      struct berth_sandbox_registry **registries,
                                      size_t registry_count,
                                      struct berth_sandbox_admin **ret_server,
                                      struct berth_error *reterr) {
    struct berth_sandbox_admin *server = berth_sandbox_alloc(sizeof(*server));
    server->registries = registries;
    server->registry_count = registry_count;
    int fd = -1;
    enum berth_rc rc = berth_sandbox_bind(port, &fd, &server->port, reterr);
    if (rc == BERTH_OK) {
        rc = berth_sandbox_serve(base, fd, admin_request_cb, server, &server->http, reterr);
        if (rc != BERTH_OK) {
            (void)close(fd);
        }
    }
    if (rc != BERTH_OK) {
        free(server);
        return rc;
    }
    *ret_server = server;
    return BERTH_OK;
}

struct berth_sandbox_admin *berth_sandbox_admin_free(struct berth_sandbox_admin *server) {
    if (server != NULL) {
        evhttp_free(server->http);
        free(server);
    }
    return NULL;
}

uint16_t berth_sandbox_admin_port(const struct berth_sandbox_admin *server) {
    return server->port;
}

static void admin_request_cb(struct evhttp_request *request, void *context) {
    struct berth_sandbox_request view;
    struct berth_sandbox_reply reply;
    berth_sandbox_read(request, &view);
    berth_sandbox_reply_init(&reply);
    struct admin_call call = {.request = &view, .reply = &reply};
    char *path = berth_sandbox_copy(view.path);
    if (split_path(&call, path)) {
        dispatch(context, &call);
    } else {
        refuse(&call, 404, "no such path; it begins with /registries/NAME/");
    }
    free(path);
    berth_sandbox_send(request, &reply);
    berth_sandbox_reply_deinit(&reply);
}

static void dispatch(const struct berth_sandbox_admin *server, struct admin_call *call) {
    call->registry = find_registry(server, call->segments[1]);
    if (call->registry == NULL) {
        refuse(call, 404, "there is no registry \"%s\"", call->segments[1]);
        return;
    }
    bool known = false;
    for (size_t i = 0; i < sizeof(ROUTES) / sizeof(ROUTES[0]); i++) {
        const struct admin_route *route = &ROUTES[i];
        if (call->segment_count != route->segment_count ||
            strcmp(call->segments[2], route->what) != 0) {
            continue;
        }
        known = true;
        if (call->request->method == route->method) {
            route->handler(call);
            return;
        }
    }
    if (known) {
        refuse(call, 405, "not a method of this path");
    } else {
        refuse(call, 404,
               "no such path; a registry has counters, writes, faults, sessions, csrf-key,"
               " users/NAME and repositories/PROJECT/REPO");
    }
}

/* Cuts the path into decoded segments, in place. False: it doesn't begin as all paths here do. */
static bool split_path(struct admin_call *call, char *path) {
    char *rest = path + 1;
    for (char *segment = strsep(&rest, "/"); segment != NULL; segment = strsep(&rest, "/")) {
        if (call->segment_count == SEGMENTS_MAX || segment[0] == '\0' ||
            !berth_sandbox_url_decode(segment, false)) {
            return false;
        }
        call->segments[call->segment_count++] = segment;
    }
    return call->segment_count >= 3 && strcmp(call->segments[0], "registries") == 0;
}

static struct berth_sandbox_registry *find_registry(const struct berth_sandbox_admin *server,
                                                    const char *name) {
    for (size_t i = 0; i < server->registry_count; i++) {
        if (strcmp(berth_sandbox_registry_name(server->registries[i]), name) == 0) {
            return server->registries[i];
        }
    }
    return NULL;
}

static void get_counters(struct admin_call *call) {
    berth_sandbox_reply_json(
        call->reply, 200,
        berth_sandbox_journal_counters(berth_sandbox_registry_journal(call->registry)));
}

static void reset_counters(struct admin_call *call) {
    berth_sandbox_journal_reset_counters(berth_sandbox_registry_journal(call->registry));
    berth_sandbox_reply_empty(call->reply, 200);
}

static void get_writes(struct admin_call *call) {
    const struct berth_sandbox_journal *journal = berth_sandbox_registry_journal(call->registry);
    berth_sandbox_reply_header(call->reply, "X-Dropped-Count", "%lld",
                               (long long)berth_sandbox_journal_dropped(journal));
    berth_sandbox_reply_json(call->reply, 200, berth_sandbox_journal_writes(journal));
}

static void reset_writes(struct admin_call *call) {
    berth_sandbox_journal_reset_writes(berth_sandbox_registry_journal(call->registry));
    berth_sandbox_reply_empty(call->reply, 200);
}

static void get_faults(struct admin_call *call) {
    berth_sandbox_reply_json(
        call->reply, 200, berth_sandbox_faults_json(berth_sandbox_registry_faults(call->registry)));
}

static void put_faults(struct admin_call *call) {
    change_faults(call, berth_sandbox_faults_merge);
}

static void add_rule(struct admin_call *call) {
    change_faults(call, berth_sandbox_faults_add_rule);
}

static void change_faults(struct admin_call *call, change_fn *change) {
    struct berth_sandbox_faults faults = *berth_sandbox_registry_faults(call->registry);
    struct berth_error error = {""};
    json_t *json = bind_json(call);
    if (json == NULL) {
        return;
    }
    if (call->request->query != NULL && strcmp(call->request->query, "reset") == 0) {
        berth_sandbox_faults_init(&faults);
    }
    enum berth_rc rc = change(&faults, json, &error);
    json_decref(json);
    if (rc != BERTH_OK) {
        refuse(call, 400, "%s", error.text);
        return;
    }
    set_faults(call, &faults);
}

static void remove_faults(struct admin_call *call) {
    struct berth_sandbox_faults faults;
    berth_sandbox_faults_init(&faults);
    set_faults(call, &faults);
}

static void set_faults(struct admin_call *call, const struct berth_sandbox_faults *faults) {
    struct berth_error error = {""};
    if (berth_sandbox_registry_set_faults(call->registry, faults, &error) != BERTH_OK) {
        refuse(call, 500, "%s", error.text);
        return;
    }
    get_faults(call);
}

static void forget_sessions(struct admin_call *call) {
    berth_sandbox_harbor_forget_sessions(berth_sandbox_registry_harbor(call->registry));
    berth_sandbox_reply_empty(call->reply, 200);
}

static void change_csrf_key(struct admin_call *call) {
    berth_sandbox_harbor_change_csrf_key(berth_sandbox_registry_harbor(call->registry));
    berth_sandbox_reply_empty(call->reply, 200);
}

/* Harbor's own rules for names and passwords, and a number of the system administrator's own. */
static void put_user(struct admin_call *call) {
    struct berth_model *model = model_of(call);
    json_t *json = bind_json(call);
    if (json == NULL) {
        return;
    }
    const struct berth_model_user *admin = berth_model_find_user_id(model, BERTH_MODEL_ADMIN_ID);
    const struct berth_model_caller caller = berth_model_as_user(admin);
    const struct berth_model_user *user = NULL;
    const char *password = json_string_value(json_object_get(json, "password"));
    struct berth_model_verdict verdict = berth_model_create_user(
        model, &caller, call->segments[3], password == NULL ? "" : password, &user);
    if (verdict.status == 201 && json_is_true(json_object_get(json, "sysadmin"))) {
        berth_model_make_sysadmin(model, user->id);
    }
    json_decref(json);
    answer_verdict(call, &verdict);
}

static json_t *bind_json(struct admin_call *call) {
    json_error_t error;
    json_t *json = json_loadb(call->request->body, call->request->body_bytes, 0, &error);
    if (json == NULL) {
        refuse(call, 400, "the body is not JSON: %s", error.text);
    }
    return json;
}

static struct berth_model *model_of(const struct admin_call *call) {
    return berth_sandbox_harbor_model(berth_sandbox_registry_harbor(call->registry));
}

static void put_repository(struct admin_call *call) {
    struct berth_model_verdict verdict =
        berth_model_put_repository(model_of(call), call->segments[3], call->segments[4]);
    answer_verdict(call, &verdict);
}

static void remove_repository(struct admin_call *call) {
    struct berth_model_verdict verdict =
        berth_model_remove_repository(model_of(call), call->segments[3], call->segments[4]);
    answer_verdict(call, &verdict);
}

static void answer_verdict(struct admin_call *call, const struct berth_model_verdict *verdict) {
    if (verdict->status >= 300) {
        refuse(call, verdict->status, "%s", verdict->message);
        return;
    }
    berth_sandbox_reply_empty(call->reply, verdict->status);
}

static void refuse(struct admin_call *call, int status, const char *format, ...) {
    char message[BERTH_MODEL_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    json_t *text = json_string(message);
    json_t *json = json_pack("{s:o}", "error", text != NULL ? text : json_string("not UTF-8"));
    BERTH_ASSERT(json != NULL);
    berth_sandbox_reply_json(call->reply, status, json);
}
