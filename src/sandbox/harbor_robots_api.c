/* SPDX-License-Identifier: Apache-2.0 */
/* /robots: bodies to the model, the model's verdicts and robots to replies. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

#define MADE_UP_SECRET_CHARS 32

/* A robot body bound to the model's request; the arrays are owned. */
struct robot_body {
    struct berth_model_robot_request request;
    struct berth_model_permission *permissions;
    size_t permission_count;
};

static bool bind_robot(struct berth_sandbox_call *call, struct robot_body *body);
static bool bind_permissions(struct berth_sandbox_call *call, struct robot_body *body);
static bool bind_permission(struct berth_sandbox_call *call, const json_t *json,
                            struct berth_model_permission *permission);
static struct berth_model_verdict create(struct berth_sandbox_call *call,
                                         const struct berth_model_robot_request *request,
                                         const char *secret,
                                         const struct berth_model_robot **ret_robot);
static bool stop_after_reading(struct berth_sandbox_call *call, int64_t id);
static void robot_body_deinit(struct robot_body *body);
static void make_up_secret(struct berth_sandbox_harbor *harbor,
                           char ret_secret[MADE_UP_SECRET_CHARS + 1]);
static json_t *robot_json(const struct berth_model *model, const struct berth_model_robot *robot);
static json_t *permission_json(const struct berth_model_permission *permission);

void berth_sandbox_create_robot(struct berth_sandbox_call *call) {
    struct robot_body body = {.request = {.name = "", .level = "", .description = ""}};
    if (!berth_sandbox_call_bind_body(call, "robot") || !bind_robot(call, &body)) {
        robot_body_deinit(&body);
        return;
    }
    if (call->ret_reading != NULL) {
        struct berth_model_verdict verdict = berth_model_read_for_robot(
            call->harbor->model, &call->caller, &body.request, call->ret_reading);
        call->has_read = verdict.status < 300;
        robot_body_deinit(&body);
        return;
    }
    /* "secret" and "disable" are in Harbor's schema, and ignored by its handler. */
    char secret[MADE_UP_SECRET_CHARS + 1];
    make_up_secret(call->harbor, secret);
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict = create(call, &body.request, secret, &robot);
    robot_body_deinit(&body);
    if (verdict.status != 201) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    BERTH_ASSERT(robot != NULL);
    char created[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    berth_sandbox_call_time(robot->created_ms, created);
    json_t *json =
        json_pack("{s:I,s:s+,s:s,s:s,s:I}", "id", (json_int_t)robot->id, "name",
                  berth_model_robot_prefix(call->harbor->model), robot->name, "secret", secret,
                  "creation_time", created, "expires_at", (json_int_t)robot->expires_at_s);
    berth_sandbox_reply_header(call->reply, "Location", "/api/v2.0/robots/%lld",
                               (long long)robot->id);
    berth_sandbox_reply_json(call->reply, 201, json);
}

void berth_sandbox_list_robots(struct berth_sandbox_call *call) {
    struct berth_model_query query;
    if (!berth_sandbox_call_bind_query(call, &query)) {
        return;
    }
    struct berth_model_query_page page;
    struct berth_model_verdict verdict =
        berth_model_list_robots(call->harbor->model, &call->caller, &query, &page);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < page.count; i++) {
        json_t *robot = robot_json(call->harbor->model, page.items[i]);
        BERTH_ASSERT(json_array_append_new(array, robot) == 0);
    }
    berth_sandbox_call_page_headers(call, &query, page.total);
    berth_sandbox_reply_json(call->reply, 200, array);
    berth_model_query_page_deinit(&page);
}

void berth_sandbox_get_robot(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 0, "robot_id", &id)) {
        return;
    }
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict =
        berth_model_get_robot(call->harbor->model, &call->caller, id, &robot);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_json(call->reply, 200, robot_json(call->harbor->model, robot));
}

void berth_sandbox_update_robot(struct berth_sandbox_call *call) {
    struct robot_body body = {.request = {.name = "", .level = "", .description = ""}};
    int64_t id = 0;
    if (berth_sandbox_call_bind_id(call, 0, "robot_id", &id) &&
        berth_sandbox_call_bind_body(call, "robot") && bind_robot(call, &body) &&
        !stop_after_reading(call, id)) {
        struct berth_model_verdict verdict = berth_model_update_robot(
            call->harbor->model, &call->caller, id, &body.request, call->request->now_ms);
        if (verdict.status == 200 && call->handling->reading != NULL) {
            berth_model_restore_robot_secret(call->harbor->model, id, call->handling->reading);
        }
        berth_sandbox_call_answer(call, &verdict);
    }
    robot_body_deinit(&body);
}

void berth_sandbox_refresh_robot_secret(struct berth_sandbox_call *call) {
    int64_t id = 0;
    const char *asked = "";
    if (!berth_sandbox_call_bind_id(call, 0, "robot_id", &id) ||
        !berth_sandbox_call_bind_body(call, "robot_sec") ||
        !berth_sandbox_call_bind_text(call, call->body, "secret", &asked) ||
        stop_after_reading(call, id)) {
        return;
    }
    bool chosen = asked[0] != '\0';
    char made_up[MADE_UP_SECRET_CHARS + 1];
    make_up_secret(call->harbor, made_up);
    struct berth_model_verdict verdict =
        berth_model_set_robot_secret(call->harbor->model, &call->caller, id,
                                     chosen ? asked : made_up, chosen, call->request->now_ms);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    if (call->handling->reading != NULL) {
        berth_model_restore_robot_state(call->harbor->model, id, call->handling->reading);
    }
    /* A secret is shown only when Harbor made it up. */
    json_t *json = chosen ? json_object() : json_pack("{s:s}", "secret", made_up);
    berth_sandbox_reply_json(call->reply, 200, json);
}

void berth_sandbox_delete_robot(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 0, "robot_id", &id)) {
        return;
    }
    struct berth_model_verdict verdict =
        berth_model_delete_robot(call->harbor->model, &call->caller, id);
    berth_sandbox_call_answer(call, &verdict);
}

static struct berth_model_verdict create(struct berth_sandbox_call *call,
                                         const struct berth_model_robot_request *request,
                                         const char *secret,
                                         const struct berth_model_robot **ret_robot) {
    struct berth_model *model = call->harbor->model;
    if (call->handling->reading == NULL) {
        return berth_model_create_robot(model, &call->caller, request, secret,
                                        call->request->now_ms, ret_robot);
    }
    struct berth_model_verdict verdict = berth_model_require_login(&call->caller);
    if (verdict.status != 200) {
        return verdict;
    }
    return berth_model_insert_robot(model, &call->caller, request, call->handling->reading, secret,
                                    call->request->now_ms, ret_robot);
}

/* For an update's first half: what it read of the robot. */
static bool stop_after_reading(struct berth_sandbox_call *call, int64_t id) {
    if (call->ret_reading == NULL) {
        return false;
    }
    struct berth_model_verdict verdict =
        berth_model_read_robot(call->harbor->model, &call->caller, id, call->ret_reading);
    call->has_read = verdict.status == 200;
    return true;
}

static bool bind_robot(struct berth_sandbox_call *call, struct robot_body *body) {
    struct berth_model_robot_request *request = &body->request;
    const char *unused = NULL;
    if (!berth_sandbox_call_bind_text(call, call->body, "name", &request->name) ||
        !berth_sandbox_call_bind_text(call, call->body, "level", &request->level) ||
        !berth_sandbox_call_bind_text(call, call->body, "description", &request->description) ||
        !berth_sandbox_call_bind_text(call, call->body, "secret", &unused) ||
        !berth_sandbox_call_bind_flag(call, call->body, "disable", &request->disable) ||
        !berth_sandbox_call_bind_number(call, call->body, "duration", &request->duration_days,
                                        &request->has_duration) ||
        !bind_permissions(call, body)) {
        return false;
    }
    request->permissions = body->permissions;
    request->permission_count = body->permission_count;
    return true;
}

static bool bind_permissions(struct berth_sandbox_call *call, struct robot_body *body) {
    json_t *array = NULL;
    if (!berth_sandbox_call_bind_array(call, call->body, "permissions", &array)) {
        return false;
    }
    if (array == NULL) {
        return true;
    }
    size_t count = json_array_size(array);
    if (count > BERTH_MODEL_PERMISSIONS_MAX) {
        berth_sandbox_call_invalid(call, "this stand-in takes at most %d permissions",
                                   BERTH_MODEL_PERMISSIONS_MAX);
        return false;
    }
    body->permissions = berth_sandbox_alloc(count * sizeof(body->permissions[0]));
    for (size_t i = 0; i < count; i++) {
        body->permission_count++;
        if (!bind_permission(call, json_array_get(array, i), &body->permissions[i])) {
            return false;
        }
    }
    return true;
}

/* null counts as a permission without access, which Harbor refuses with 400. */
static bool bind_permission(struct berth_sandbox_call *call, const json_t *json,
                            struct berth_model_permission *permission) {
    *permission = (struct berth_model_permission){.kind = "", .namespace = ""};
    json_t *array = NULL;
    if (json_is_null(json)) {
        return true;
    }
    if (!json_is_object(json)) {
        berth_sandbox_call_invalid(call, "permissions in body must be of type object");
        return false;
    }
    if (!berth_sandbox_call_bind_text(call, json, "kind", &permission->kind) ||
        !berth_sandbox_call_bind_text(call, json, "namespace", &permission->namespace) ||
        !berth_sandbox_call_bind_array(call, json, "access", &array)) {
        return false;
    }
    size_t count = json_array_size(array);
    if (count > BERTH_MODEL_PERMISSIONS_MAX) {
        berth_sandbox_call_invalid(call, "this stand-in takes at most %d accesses",
                                   BERTH_MODEL_PERMISSIONS_MAX);
        return false;
    }
    struct berth_model_access *access = berth_sandbox_alloc(count * sizeof(access[0]));
    permission->access = access;
    permission->access_count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        access[i] = (struct berth_model_access){.resource = "", .action = "", .effect = ""};
        if (!json_is_object(item) ||
            !berth_sandbox_call_bind_text(call, item, "resource", &access[i].resource) ||
            !berth_sandbox_call_bind_text(call, item, "action", &access[i].action) ||
            !berth_sandbox_call_bind_text(call, item, "effect", &access[i].effect)) {
            berth_sandbox_call_invalid(call, "access in body must be a list of objects of strings");
            return false;
        }
    }
    return true;
}

static void robot_body_deinit(struct robot_body *body) {
    for (size_t i = 0; i < body->permission_count; i++) {
        free((void *)(uintptr_t)body->permissions[i].access);
    }
    free(body->permissions);
    *body = (struct robot_body){0};
}

/* 32 letters and digits. Harbor sleeps half a second and tries again when they break its own rule
 * for secrets (one create in 250); here three of them are replaced. */
static void make_up_secret(struct berth_sandbox_harbor *harbor,
                           char ret_secret[MADE_UP_SECRET_CHARS + 1]) {
    static const char CHARS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    unsigned char random[MADE_UP_SECRET_CHARS];
    harbor->fill_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        ret_secret[i] = CHARS[random[i] % (sizeof(CHARS) - 1)];
    }
    ret_secret[MADE_UP_SECRET_CHARS] = '\0';
    if (!berth_model_rules_secret_legal(ret_secret)) {
        memcpy(ret_secret, "hB1", 3);
    }
}

static json_t *robot_json(const struct berth_model *model, const struct berth_model_robot *robot) {
    char created[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    char updated[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    berth_sandbox_call_time(robot->created_ms, created);
    berth_sandbox_call_time(robot->updated_ms, updated);
    json_t *permissions = json_array();
    for (size_t i = 0; i < robot->permission_count; i++) {
        const struct berth_model_permission *permission = &robot->permissions[i];
        if (berth_model_permission_visible(model, permission)) {
            BERTH_ASSERT(json_array_append_new(permissions, permission_json(permission)) == 0);
        }
    }
    json_t *json = json_pack(
        "{s:I,s:s+,s:s,s:I,s:I,s:b,s:b,s:o,s:s,s:s,s:s,s:I}", "id", (json_int_t)robot->id, "name",
        berth_model_robot_prefix(model), robot->name, "level", robot->level, "duration",
        (json_int_t)robot->duration_days, "expires_at", (json_int_t)robot->expires_at_s, "disable",
        (int)robot->disabled, "editable", 1, "permissions", permissions, "creation_time", created,
        "update_time", updated, "creator_type", robot->creator_type, "creator_ref",
        (json_int_t)robot->creator_id);
    BERTH_ASSERT(json != NULL);
    if (robot->description[0] != '\0') {
        json_t *description = json_string(robot->description);
        BERTH_ASSERT(json_object_set_new(json, "description", description) == 0);
    }
    return json;
}

static json_t *permission_json(const struct berth_model_permission *permission) {
    json_t *accesses = json_array();
    for (size_t i = 0; i < permission->access_count; i++) {
        const struct berth_model_access *access = &permission->access[i];
        json_t *json =
            json_pack("{s:s,s:s}", "resource", access->resource, "action", access->action);
        BERTH_ASSERT(json != NULL);
        if (access->effect[0] != '\0') {
            BERTH_ASSERT(json_object_set_new(json, "effect", json_string(access->effect)) == 0);
        }
        BERTH_ASSERT(json_array_append_new(accesses, json) == 0);
    }
    json_t *json = json_pack("{s:s,s:s,s:o}", "kind", permission->kind, "namespace",
                             permission->namespace, "access", accesses);
    BERTH_ASSERT(json != NULL);
    return json;
}
