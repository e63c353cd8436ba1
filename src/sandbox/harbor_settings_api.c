/* SPDX-License-Identifier: Apache-2.0 */
/* /configurations, /permissions and /users: what a system administrator sets up. */
#include <jansson.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_members.h"
#include "harbor_rules.h"

static bool require(struct berth_sandbox_call *call, const char *action);
static bool bind_settings(struct berth_sandbox_call *call, struct berth_model_settings *settings,
                          const char **restriction, bool *read_only);
static json_t *rights_json(bool of_project);
static json_t *setting_json(json_t *take_value);

void berth_sandbox_get_configurations(struct berth_sandbox_call *call) {
    if (!require(call, "read")) {
        return;
    }
    const struct berth_model_settings *settings = berth_model_settings(call->harbor->model);
    json_t *json = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "auth_mode", setting_json(json_string("db_auth")),
        "robot_name_prefix", setting_json(json_string(settings->robot_name_prefix)),
        "token_expiration", setting_json(json_integer(settings->token_minutes)),
        "quota_per_project_enable", setting_json(json_boolean(settings->quota_per_project)),
        "storage_per_project", setting_json(json_integer(settings->storage_per_project_bytes)),
        "project_creation_restriction",
        setting_json(json_string(settings->admins_create_only ? "adminonly" : "everyone")),
        "read_only", setting_json(json_boolean(berth_model_read_only(call->harbor->model))));
    BERTH_ASSERT(json != NULL);
    berth_sandbox_reply_json(call->reply, 200, json);
}

/* Keys that aren't named stay, unknown ones are ignored. */
void berth_sandbox_update_configurations(struct berth_sandbox_call *call) {
    struct berth_model *model = call->harbor->model;
    struct berth_model_settings settings = *berth_model_settings(model);
    const char *restriction = settings.admins_create_only ? "adminonly" : "everyone";
    bool read_only = berth_model_read_only(model);
    if (!berth_sandbox_call_bind_body(call, "configurations") ||
        !bind_settings(call, &settings, &restriction, &read_only) || !require(call, "update")) {
        return;
    }
    bool admins_only = strcmp(restriction, "adminonly") == 0;
    if ((!admins_only && strcmp(restriction, "everyone") != 0) ||
        settings.robot_name_prefix[0] == '\0' || settings.token_minutes <= 0 ||
        !berth_model_rules_storage_legal(settings.storage_per_project_bytes)) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST", "invalid value of an item");
        return;
    }
    settings.admins_create_only = admins_only;
    berth_model_set_settings(model, &settings);
    berth_model_set_read_only(model, read_only);
    berth_sandbox_reply_empty(call->reply, 200);
}

/* What POST /robots takes. Harbor shows it to system administrators, and to those of projects. */
void berth_sandbox_get_permissions(struct berth_sandbox_call *call) {
    struct berth_model_verdict verdict = berth_model_require_login(&call->caller);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    bool sysadmin = call->caller.kind == BERTH_MODEL_USER && call->caller.user->sysadmin;
    if (!sysadmin && !berth_model_administers(call->harbor->model, &call->caller)) {
        berth_sandbox_reply_error(call->reply, 403, "FORBIDDEN",
                                  "only admins(system and project) can access permissions");
        return;
    }
    json_t *json = json_pack("{s:o}", "project", rights_json(true));
    BERTH_ASSERT(json != NULL);
    if (sysadmin) {
        BERTH_ASSERT(json_object_set_new(json, "system", rights_json(false)) == 0);
    }
    berth_sandbox_reply_json(call->reply, 200, json);
}

void berth_sandbox_create_user(struct berth_sandbox_call *call) {
    const char *name = "";
    const char *password = "";
    const char *email = "";
    const char *real_name = "";
    const char *comment = "";
    if (!berth_sandbox_call_bind_body(call, "userReq") ||
        !berth_sandbox_call_bind_text(call, call->body, "username", &name) ||
        !berth_sandbox_call_bind_text(call, call->body, "password", &password) ||
        !berth_sandbox_call_bind_text(call, call->body, "email", &email) ||
        !berth_sandbox_call_bind_text(call, call->body, "realname", &real_name) ||
        !berth_sandbox_call_bind_text(call, call->body, "comment", &comment)) {
        return;
    }
    struct berth_model_verdict verdict =
        berth_model_require_system(call->harbor->model, &call->caller, "user", "create");
    if (verdict.status == 200 && (strchr(email, '@') == NULL || real_name[0] == '\0' ||
                                  strpbrk(real_name, ",~#$%") != NULL || strlen(comment) > 30)) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST",
                                  "email, realname or comment with illegal format or length");
        return;
    }
    const struct berth_model_user *user = NULL;
    verdict = berth_model_create_user(call->harbor->model, &call->caller, name, password, &user);
    if (verdict.status != 201) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_empty(call->reply, 201);
    berth_sandbox_reply_header(call->reply, "Location", "/api/v2.0/users/%lld",
                               (long long)user->id);
}

void berth_sandbox_delete_user(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 0, "user_id", &id)) {
        return;
    }
    struct berth_model_verdict verdict =
        berth_model_delete_user(call->harbor->model, &call->caller, id);
    berth_sandbox_call_answer(call, &verdict);
}

static bool require(struct berth_sandbox_call *call, const char *action) {
    struct berth_model_verdict verdict =
        berth_model_require_system(call->harbor->model, &call->caller, "configuration", action);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return false;
    }
    return true;
}

static bool bind_settings(struct berth_sandbox_call *call, struct berth_model_settings *settings,
                          const char **restriction, bool *read_only) {
    bool given = false;
    return berth_sandbox_call_bind_text(call, call->body, "robot_name_prefix",
                                        &settings->robot_name_prefix) &&
           berth_sandbox_call_bind_number(call, call->body, "token_expiration",
                                          &settings->token_minutes, &given) &&
           berth_sandbox_call_bind_flag(call, call->body, "quota_per_project_enable",
                                        &settings->quota_per_project) &&
           berth_sandbox_call_bind_number(call, call->body, "storage_per_project",
                                          &settings->storage_per_project_bytes, &given) &&
           berth_sandbox_call_bind_text(call, call->body, "project_creation_restriction",
                                        restriction) &&
           berth_sandbox_call_bind_flag(call, call->body, "read_only", read_only);
}

static json_t *rights_json(bool of_project) {
    json_t *array = json_array();
    const char *resource = NULL;
    const char *action = NULL;
    for (size_t i = 0; berth_model_rules_right_at(of_project, i, &resource, &action); i++) {
        json_t *right = json_pack("{s:s,s:s}", "resource", resource, "action", action);
        BERTH_ASSERT(json_array_append_new(array, right) == 0);
    }
    return array;
}

static json_t *setting_json(json_t *take_value) {
    return json_pack("{s:o,s:b}", "value", take_value, "editable", 1);
}
