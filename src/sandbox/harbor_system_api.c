/* SPDX-License-Identifier: Apache-2.0 */
/* What Harbor says about itself and about its caller. */
#include <jansson.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"

void berth_sandbox_get_current_user(struct berth_sandbox_call *call) {
    struct berth_model_verdict verdict = berth_model_require_login(&call->caller);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    if (call->caller.kind == BERTH_MODEL_ROBOT) {
        berth_sandbox_reply_error(call->reply, 412, "PRECONDITION",
                                  "get current user not available for security context: robot");
        return;
    }
    const struct berth_model_user *user = call->caller.user;
    json_t *json = json_pack("{s:I,s:s,s:s,s:b,s:b}", "user_id", (json_int_t)user->id, "username",
                             user->name, "realname", user->name, "sysadmin_flag",
                             (int)user->sysadmin, "admin_role_in_auth", 0);
    BERTH_ASSERT(json != NULL);
    berth_sandbox_reply_json(call->reply, 200, json);
}

void berth_sandbox_get_system_info(struct berth_sandbox_call *call) {
    json_t *json =
        json_pack("{s:s,s:b,s:b,s:s,s:s}", "auth_mode", "db_auth", "primary_auth_mode", 0,
                  "self_registration", 0, "banner_message", "", "oidc_provider_name", "");
    BERTH_ASSERT(json != NULL);
    if (call->caller.kind != BERTH_MODEL_ANONYMOUS) {
        char now[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
        berth_sandbox_call_time(call->request->now_ms, now);
        const char *host = call->request->host == NULL ? "localhost" : call->request->host;
        json_t *url = json_sprintf("%s://%s", call->harbor->scheme, host);
        /* No commit of Harbor's has this number. */
        json_t *version = json_sprintf("v%s-00000000", call->harbor->version);
        bool admins_only = berth_model_settings(call->harbor->model)->admins_create_only;
        json_t *more =
            json_pack("{s:o,s:b,s:o,s:s,s:s,s:b,s:s,s:b,s:s}", "harbor_version", version,
                      "read_only", (int)berth_model_read_only(call->harbor->model), "external_url",
                      url != NULL ? url : json_string(""), "registry_url", url != NULL ? host : "",
                      "project_creation_restriction", admins_only ? "adminonly" : "everyone",
                      "has_ca_root", 0, "current_time", now, "notification_enable", 1,
                      "registry_storage_provider_name", "filesystem");
        BERTH_ASSERT(more != NULL);
        BERTH_ASSERT(json_object_update_new(json, more) == 0);
    }
    berth_sandbox_reply_json(call->reply, 200, json);
}

void berth_sandbox_get_health(struct berth_sandbox_call *call) {
    static const char *const COMPONENTS[] = {"core",  "database", "jobservice", "portal",
                                             "redis", "registry", "registryctl"};
    json_t *components = json_array();
    for (size_t i = 0; i < sizeof(COMPONENTS) / sizeof(COMPONENTS[0]); i++) {
        json_t *component = json_pack("{s:s,s:s}", "name", COMPONENTS[i], "status", "healthy");
        BERTH_ASSERT(json_array_append_new(components, component) == 0);
    }
    json_t *json = json_pack("{s:s,s:o}", "status", "healthy", "components", components);
    BERTH_ASSERT(json != NULL);
    berth_sandbox_reply_json(call->reply, 200, json);
}

void berth_sandbox_get_version(struct berth_sandbox_call *call) {
    berth_sandbox_reply_json(call->reply, 200, json_pack("{s:s}", "version", "v2.0"));
}

void berth_sandbox_ping(struct berth_sandbox_call *call) {
    berth_sandbox_reply_text(call->reply, 200, "text/plain", "Pong");
}
