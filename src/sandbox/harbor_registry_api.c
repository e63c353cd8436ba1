/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ways to see whether a caller may pull: the token service, and asking for a manifest.
 * Sources: src/core/service/token/{token,creator,authutils}.go,
 * src/server/middleware/v2auth/auth.go.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_crypto.h"
#include "harbor_token.h"
#include "sandbox_memory.h"

#define SERVICE       "harbor-registry"
#define SCOPES_MAX    16
#define BEARER_PREFIX "Bearer "
/* How much older than its project a token may be (2.13.5, 2.14.3, 2.15.0 and later). */
#define TOKEN_AGE_MS 60000

static json_t *access_list(struct berth_sandbox_call *call);
static void add_scopes(struct berth_sandbox_call *call, const char *scopes, json_t *access);
static json_t *scope_json(struct berth_sandbox_call *call, const char *scope);
static json_t *entitled_actions(struct berth_sandbox_call *call, const char *image);
static bool image_project(const char *image, char *ret_name, size_t size);
static void answer_token(struct berth_sandbox_call *call, json_t *take_access);
static bool may_pull(struct berth_sandbox_call *call, const struct berth_model_project *project,
                     const char *image);
static bool token_allows(struct berth_sandbox_call *call, const char *token,
                         const struct berth_model_project *project, const char *image);
static void refuse_manifest(struct berth_sandbox_call *call, const char *challenge,
                            const char *message);

void berth_sandbox_get_token(struct berth_sandbox_call *call) {
    const char *service = berth_sandbox_url_params_get(&call->query, "service");
    if (service == NULL || strcmp(service, SERVICE) != 0) {
        /* The name is not repeated: Harbor escapes it for HTML, which would need care for nothing.
         */
        berth_sandbox_reply_text(call->reply, 400, "text/plain; charset=utf-8",
                                 "Unable to handle service");
        return;
    }
    json_t *access = access_list(call);
    if (json_is_null(access) && call->caller.kind == BERTH_MODEL_ANONYMOUS) {
        json_decref(access);
        berth_sandbox_reply_empty(call->reply, 401);
        return;
    }
    answer_token(call, access);
}

void berth_sandbox_get_manifest(struct berth_sandbox_call *call) {
    char image[BERTH_MODEL_MESSAGE_BYTES];
    int len = snprintf(image, sizeof(image), "%s/%s", call->params[0], call->params[1]);
    if (len < 0 || (size_t)len >= sizeof(image) / 2) {
        berth_sandbox_reply_error(call->reply, 404, "NOT_FOUND", "the name is too long");
        return;
    }
    char message[2 * BERTH_MODEL_MESSAGE_BYTES];
    if (call->request->authorization == NULL) {
        (void)snprintf(message, sizeof(message),
                       "Bearer realm=\"%s://%s/service/token\",service=\"" SERVICE
                       "\",scope=\"repository:%s:pull\"",
                       call->harbor->scheme,
                       call->request->host == NULL ? "localhost" : call->request->host, image);
        refuse_manifest(call, message, "authorize header needed to send HEAD to repository");
        return;
    }
    const struct berth_model_project_ref ref = {.text = call->params[0], .is_name = true};
    const struct berth_model_project *project = berth_model_find_project(call->harbor->model, ref);
    if (project == NULL) {
        (void)snprintf(message, sizeof(message), "project %s not found", call->params[0]);
        refuse_manifest(call, "", message);
        return;
    }
    if (!may_pull(call, project, image)) {
        (void)snprintf(message, sizeof(message),
                       "unauthorized to access repository: %s, action: pull", image);
        refuse_manifest(call, "Basic realm=\"harbor\"", message);
        return;
    }
    /* There are no artifacts here, so whoever may look finds nothing. */
    (void)snprintf(message, sizeof(message), "artifact %s:%s not found", image, call->params[2]);
    berth_sandbox_reply_error(call->reply, 404, "NOT_FOUND", message);
}

/* What all scope= parameters together entitle to; null when there are none. */
static json_t *access_list(struct berth_sandbox_call *call) {
    json_t *access = json_array();
    for (size_t i = 0; i < call->query.count; i++) {
        if (strcmp(call->query.pairs[i].name, "scope") == 0) {
            add_scopes(call, call->query.pairs[i].value, access);
        }
    }
    if (json_array_size(access) == 0) {
        json_decref(access);
        return json_null();
    }
    return access;
}

static void add_scopes(struct berth_sandbox_call *call, const char *scopes, json_t *access) {
    char *copy = berth_sandbox_copy(scopes);
    char *rest = copy;
    for (const char *scope = strsep(&rest, " "); scope != NULL; scope = strsep(&rest, " ")) {
        if (scope[0] != '\0' && json_array_size(access) < SCOPES_MAX) {
            BERTH_ASSERT(json_array_append_new(access, scope_json(call, scope)) == 0);
        }
    }
    free(copy);
}

/* "<type>:<name>[:<actions>]"; the actions asked for don't matter. */
static json_t *scope_json(struct berth_sandbox_call *call, const char *scope) {
    char *type = berth_sandbox_copy(scope);
    char *name = strchr(type, ':');
    if (name != NULL) {
        *name++ = '\0';
        char *last = strrchr(name, ':');
        if (last != NULL) {
            *last = '\0';
        }
    }
    name = name == NULL ? type + strlen(type) : name;
    json_t *actions = strcmp(type, "repository") == 0 ? entitled_actions(call, name) : json_array();
    json_t *json = json_pack("{s:s,s:s,s:o}", "type", type, "name", name, "actions", actions);
    if (json == NULL) {
        /* The scope was not UTF-8, so nothing has such a name; json_pack has freed the actions. */
        json = json_pack("{s:s,s:s,s:[]}", "type", "repository", "name", "", "actions");
    }
    free(type);
    return json;
}

static json_t *entitled_actions(struct berth_sandbox_call *call, const char *image) {
    static const char *const ACTIONS[] = {"pull", "push", "delete", "scanner-pull"};
    json_t *actions = json_array();
    char name[BERTH_MODEL_MESSAGE_BYTES];
    const struct berth_model_project *project = NULL;
    if (image_project(image, name, sizeof(name))) {
        const struct berth_model_project_ref ref = {.text = name, .is_name = true};
        project = berth_model_find_project(call->harbor->model, ref);
    }
    for (size_t i = 0; project != NULL && i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (berth_model_may(&call->caller, project, "repository", ACTIONS[i])) {
            BERTH_ASSERT(json_array_append_new(actions, json_string(ACTIONS[i])) == 0);
        }
    }
    return actions;
}

static bool image_project(const char *image, char *ret_name, size_t size) {
    const char *slash = strchr(image, '/');
    if (slash == NULL || (size_t)(slash - image) >= size) {
        return false;
    }
    memcpy(ret_name, image, (size_t)(slash - image));
    ret_name[slash - image] = '\0';
    return true;
}

static void answer_token(struct berth_sandbox_call *call, json_t *take_access) {
    json_int_t life_s = berth_model_settings(call->harbor->model)->token_minutes * 60;
    char subject[BERTH_MODEL_MESSAGE_BYTES];
    berth_model_caller_name(call->harbor->model, &call->caller, subject, sizeof(subject));
    json_int_t now_s = call->request->now_ms / 1000;
    unsigned char random[8];
    char id[2 * sizeof(random) + 1];
    call->harbor->fill_random(random, sizeof(random));
    berth_sandbox_crypto_hex(random, sizeof(random), id);
    json_t *payload = json_pack("{s:s,s:s,s:[s],s:I,s:I,s:I,s:s,s:o}", "iss", "harbor-token-issuer",
                                "sub", subject, "aud", SERVICE, "exp", now_s + life_s, "nbf", now_s,
                                "iat", now_s, "jti", id, "access", take_access);
    BERTH_ASSERT(payload != NULL);
    char *token = berth_sandbox_token_sign(call->harbor, payload);
    json_decref(payload);
    char issued[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    berth_sandbox_call_time(call->request->now_ms, issued);
    json_t *body = json_pack("{s:s,s:s,s:I,s:s}", "token", token, "access_token", "", "expires_in",
                             life_s, "issued_at", issued);
    free(token);
    berth_sandbox_reply_json(call->reply, 200, body);
}

static bool may_pull(struct berth_sandbox_call *call, const struct berth_model_project *project,
                     const char *image) {
    const char *authorization = call->request->authorization;
    if (strncasecmp(authorization, BEARER_PREFIX, strlen(BEARER_PREFIX)) == 0) {
        return token_allows(call, authorization + strlen(BEARER_PREFIX), project, image);
    }
    return berth_model_may(&call->caller, project, "repository", "pull");
}

/* What a token allows was settled when it was made: the robot behind it may be gone since. */
static bool token_allows(struct berth_sandbox_call *call, const char *token,
                         const struct berth_model_project *project, const char *image) {
    json_t *payload = berth_sandbox_token_verify(call->harbor, token, call->request->now_ms);
    int64_t issued_ms = json_integer_value(json_object_get(payload, "iat")) * 1000;
    bool allowed = false;
    size_t index = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(payload, "access"), index, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        size_t action_index = 0;
        json_t *action = NULL;
        json_array_foreach(json_object_get(entry, "actions"), action_index, action) {
            allowed = allowed || (name != NULL && strcmp(name, image) == 0 &&
                                  strcmp(json_string_value(action), "pull") == 0);
        }
    }
    json_decref(payload);
    return allowed && issued_ms + TOKEN_AGE_MS >= project->created_ms;
}

static void refuse_manifest(struct berth_sandbox_call *call, const char *challenge,
                            const char *message) {
    berth_sandbox_reply_header(call->reply, "Docker-Distribution-Api-Version", "registry/2.0");
    berth_sandbox_reply_header(call->reply, "Www-Authenticate", "%s", challenge);
    berth_sandbox_reply_error(call->reply, 401, "UNAUTHORIZED", message);
}
