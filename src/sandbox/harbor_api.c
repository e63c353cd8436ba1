/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_crypto.h"
#include "harbor_members.h"
#include "sandbox_memory.h"

#define USER_ID    3
#define LOGIN_PATH "/c/login"
/* The release whose behaviour is closest. */
#define VERSION "2.14.4"

static void run(struct berth_sandbox_call *call);
static char *basic_name(const struct berth_sandbox_request *request, const char **ret_secret);
static bool costs(const struct berth_sandbox_harbor *harbor, const char *name, int64_t now_ms);
static void add_request_id(struct berth_sandbox_call *call);
static void authenticate(struct berth_sandbox_call *call);
static bool check_read_only(struct berth_sandbox_call *call);

struct berth_sandbox_harbor *
berth_sandbox_harbor_new(const struct berth_sandbox_harbor_options *options) {
    struct berth_sandbox_harbor *harbor = berth_sandbox_alloc(sizeof(*harbor));
    const struct berth_model_options model_options = {.admin_password = options->password,
                                                      .now_ms = options->now_ms};
    const char *const *plain_users = options->plain_users;
    int64_t id = USER_ID;
    harbor->model = berth_model_new(&model_options);
    (void)berth_model_add_user(harbor->model, id, options->user_name, options->password, true);
    for (; plain_users != NULL && *plain_users != NULL; plain_users++) {
        id++;
        (void)berth_model_add_user(harbor->model, id, *plain_users, options->password, false);
    }
    harbor->sessions = berth_sandbox_sessions_new();
    harbor->login_lock.ms = BERTH_SANDBOX_LOGIN_LOCK_MS;
    harbor->version = berth_sandbox_copy(options->version != NULL ? options->version : VERSION);
    harbor->scheme = options->with_tls ? "https" : "http";
    harbor->fill_random = options->fill_random;
    harbor->fill_random(harbor->key, sizeof(harbor->key));
    berth_sandbox_harbor_change_csrf_key(harbor);
    return harbor;
}

struct berth_sandbox_harbor *berth_sandbox_harbor_free(struct berth_sandbox_harbor *harbor) {
    if (harbor != NULL) {
        berth_sandbox_sessions_free(harbor->sessions);
        berth_model_free(harbor->model);
        free(harbor->version);
        free(harbor);
    }
    return NULL;
}

struct berth_model *berth_sandbox_harbor_model(struct berth_sandbox_harbor *harbor) {
    return harbor->model;
}

void berth_sandbox_harbor_handle(struct berth_sandbox_harbor *harbor,
                                 const struct berth_sandbox_request *request,
                                 struct berth_sandbox_reply *reply) {
    static const struct berth_sandbox_handling NOTHING;
    berth_sandbox_harbor_handle_with(harbor, request, &NOTHING, reply);
}

void berth_sandbox_harbor_handle_with(struct berth_sandbox_harbor *harbor,
                                      const struct berth_sandbox_request *request,
                                      const struct berth_sandbox_handling *handling,
                                      struct berth_sandbox_reply *reply) {
    struct berth_sandbox_call call = {
        .harbor = harbor, .request = request, .handling = handling, .reply = reply};
    run(&call);
}

bool berth_sandbox_harbor_read(struct berth_sandbox_harbor *harbor,
                               const struct berth_sandbox_request *request,
                               const struct berth_sandbox_handling *handling,
                               struct berth_model_reading *ret_reading) {
    struct berth_sandbox_reply reply;
    struct berth_model_reading reading;
    struct berth_sandbox_call call = {.harbor = harbor,
                                      .request = request,
                                      .handling = handling,
                                      .reply = &reply,
                                      .ret_reading = &reading};
    berth_sandbox_reply_init(&reply);
    run(&call);
    berth_sandbox_reply_deinit(&reply);
    if (call.has_read) {
        *ret_reading = reading;
    }
    return call.has_read;
}

int berth_sandbox_harbor_password_checks(const struct berth_sandbox_harbor *harbor,
                                         const struct berth_sandbox_request *request) {
    const char *secret = NULL;
    char *name = basic_name(request, &secret);
    int checks = costs(harbor, name, request->now_ms) ? 1 : 0;
    free(name);
    if (request->method == BERTH_SANDBOX_POST && strcmp(request->path, LOGIN_PATH) == 0) {
        struct berth_sandbox_url_params form;
        berth_sandbox_url_params_init(&form, request->body, request->body_bytes);
        const char *principal = berth_sandbox_url_params_get(&form, "principal");
        checks += costs(harbor, principal, request->now_ms) ? 1 : 0;
        berth_sandbox_url_params_deinit(&form);
    }
    return checks;
}

void berth_sandbox_harbor_set_login_lock(struct berth_sandbox_harbor *harbor, int64_t ms) {
    harbor->login_lock.ms = ms;
}

void berth_sandbox_harbor_forget_sessions(struct berth_sandbox_harbor *harbor) {
    berth_sandbox_sessions_free(harbor->sessions);
    harbor->sessions = berth_sandbox_sessions_new();
}

void berth_sandbox_harbor_change_csrf_key(struct berth_sandbox_harbor *harbor) {
    harbor->fill_random(harbor->csrf_key, sizeof(harbor->csrf_key));
}

struct berth_model_caller berth_sandbox_call_login(struct berth_sandbox_call *call,
                                                   const char *name, const char *secret) {
    struct berth_sandbox_login_lock *lock = &call->harbor->login_lock;
    int64_t now_ms = call->request->now_ms;
    struct berth_model_caller caller =
        berth_model_authenticate(call->harbor->model, name, secret, now_ms);
    if (caller.kind == BERTH_MODEL_ROBOT) {
        return caller;
    }
    if (berth_sandbox_login_locked(lock, name, now_ms)) {
        return berth_model_as_anonymous();
    }
    if (caller.kind == BERTH_MODEL_ANONYMOUS && call->ret_reading == NULL) {
        berth_sandbox_login_failed(lock, name, now_ms);
        call->reply->delay_ms = lock->ms;
    }
    return caller;
}

static void run(struct berth_sandbox_call *call) {
    const struct berth_sandbox_request *request = call->request;
    struct berth_model *model = call->harbor->model;
    bool was_read_only = berth_model_read_only(model);
    size_t query_len = request->query == NULL ? 0 : strlen(request->query);
    char *path = berth_sandbox_copy(request->path);
    call->caller = berth_model_as_anonymous();
    berth_sandbox_url_params_init(&call->query, request->query, query_len);
    berth_model_set_read_only(model, was_read_only || call->handling->read_only);
    add_request_id(call);
    if (berth_sandbox_admit(call)) {
        authenticate(call);
        if (check_read_only(call)) {
            berth_sandbox_dispatch(call, path);
        }
    }
    if (call->handling->read_only) {
        berth_model_set_read_only(model, was_read_only);
    }
    json_decref(call->body);
    berth_sandbox_url_params_deinit(&call->query);
    free(path);
}

/* Echoes the client's id, or makes up a UUID (version 4). */
static void add_request_id(struct berth_sandbox_call *call) {
    const char *sent = call->request->request_id;
    if (sent != NULL && sent[0] != '\0') {
        berth_sandbox_reply_header(call->reply, "X-Request-Id", "%s", sent);
        return;
    }
    unsigned char random[16];
    char hex[2 * sizeof(random) + 1];
    call->harbor->fill_random(random, sizeof(random));
    random[6] = (unsigned char)((random[6] & 0x0f) | 0x40);
    random[8] = (unsigned char)((random[8] & 0x3f) | 0x80);
    berth_sandbox_crypto_hex(random, sizeof(random), hex);
    berth_sandbox_reply_header(call->reply, "X-Request-Id", "%.8s-%.4s-%.4s-%.4s-%.12s", hex,
                               hex + 8, hex + 12, hex + 16, hex + 20);
}

/* Basic credentials that are right win over a session; wrong ones count for nothing. */
static void authenticate(struct berth_sandbox_call *call) {
    const char *secret = NULL;
    char *name = basic_name(call->request, &secret);
    if (name != NULL) {
        struct berth_model_caller caller = berth_sandbox_call_login(call, name, secret);
        if (caller.kind != BERTH_MODEL_ANONYMOUS) {
            call->caller = caller;
        }
    }
    free(name);
}

/* The name in Basic credentials, on the heap with the secret behind it; NULL: there are none. */
static char *basic_name(const struct berth_sandbox_request *request, const char **ret_secret) {
    static const char BASIC[] = "Basic ";
    const char *authorization = request->authorization;
    if (authorization == NULL || strncasecmp(authorization, BASIC, strlen(BASIC)) != 0) {
        return NULL;
    }
    char *credentials = berth_sandbox_crypto_base64_text(authorization + strlen(BASIC));
    char *secret = credentials == NULL ? NULL : strchr(credentials, ':');
    if (secret == NULL) {
        free(credentials);
        return NULL;
    }
    *secret = '\0';
    *ret_secret = secret + 1;
    return credentials;
}

/* Only for a user that is there and not locked is a password's hash computed. */
static bool costs(const struct berth_sandbox_harbor *harbor, const char *name, int64_t now_ms) {
    return name != NULL && berth_model_find_user(harbor->model, name) != NULL &&
           !berth_sandbox_login_locked(&harbor->login_lock, name, now_ms);
}

/* Before the route and the body, and for anonymous callers too, but never for a login
 * or for what ends it. */
static bool check_read_only(struct berth_sandbox_call *call) {
    const struct berth_sandbox_request *request = call->request;
    if (berth_sandbox_method_is_safe(request->method) || strcmp(request->path, LOGIN_PATH) == 0 ||
        strcmp(request->path, "/service/token") == 0 ||
        strcmp(request->path, "/api/v2.0/configurations") == 0) {
        return true;
    }
    struct berth_model_verdict verdict = berth_model_check_writable(call->harbor->model);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return false;
    }
    return true;
}
