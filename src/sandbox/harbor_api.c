/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_crypto.h"
#include "sandbox_memory.h"

#define USER_ID 3

static void add_request_id(struct berth_sandbox_call *call);
static void authenticate(struct berth_sandbox_call *call);
static bool check_read_only(struct berth_sandbox_call *call);

struct berth_sandbox_harbor *
berth_sandbox_harbor_new(const struct berth_sandbox_harbor_options *options) {
    struct berth_sandbox_harbor *harbor = berth_sandbox_alloc(sizeof(*harbor));
    const struct berth_model_options model_options = {.admin_password = options->password,
                                                      .now_ms = options->now_ms};
    harbor->model = berth_model_new(&model_options);
    (void)berth_model_add_user(harbor->model, USER_ID, options->user_name, options->password, true);
    harbor->sessions = berth_sandbox_sessions_new();
    harbor->fill_random = options->fill_random;
    harbor->fill_random(harbor->key, sizeof(harbor->key));
    return harbor;
}

struct berth_sandbox_harbor *berth_sandbox_harbor_free(struct berth_sandbox_harbor *harbor) {
    if (harbor != NULL) {
        berth_sandbox_sessions_free(harbor->sessions);
        berth_model_free(harbor->model);
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
    struct berth_sandbox_call call = {
        .harbor = harbor,
        .request = request,
        .reply = reply,
        .caller = berth_model_as_anonymous(),
    };
    size_t query_len = request->query == NULL ? 0 : strlen(request->query);
    char *path = berth_sandbox_copy(request->path);
    berth_sandbox_url_params_init(&call.query, request->query, query_len);
    add_request_id(&call);
    if (berth_sandbox_admit(&call)) {
        authenticate(&call);
        if (check_read_only(&call)) {
            berth_sandbox_dispatch(&call, path);
        }
    }
    json_decref(call.body);
    berth_sandbox_url_params_deinit(&call.query);
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
    static const char BASIC[] = "Basic ";
    const char *authorization = call->request->authorization;
    if (authorization == NULL || strncasecmp(authorization, BASIC, strlen(BASIC)) != 0) {
        return;
    }
    char *credentials = berth_sandbox_crypto_base64_text(authorization + strlen(BASIC));
    char *secret = credentials == NULL ? NULL : strchr(credentials, ':');
    if (secret != NULL) {
        *secret++ = '\0';
        struct berth_model_caller caller = berth_model_authenticate(
            call->harbor->model, credentials, secret, call->request->now_ms);
        if (caller.kind != BERTH_MODEL_ANONYMOUS) {
            call->caller = caller;
        }
    }
    free(credentials);
}

/* Before the route and the body, and for anonymous callers too, but never for a login. */
static bool check_read_only(struct berth_sandbox_call *call) {
    const struct berth_sandbox_request *request = call->request;
    if (berth_sandbox_method_is_safe(request->method) || strcmp(request->path, "/c/login") == 0 ||
        strcmp(request->path, "/service/token") == 0) {
        return true;
    }
    struct berth_model_verdict verdict = berth_model_check_writable(call->harbor->model);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return false;
    }
    return true;
}
