/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_robot_checks.h"

#include <string.h>

#include "harbor_rules.h"

static struct berth_model_verdict check_permission(const struct berth_model_permission *permission);
static struct berth_model_verdict
check_creator_scope(const struct berth_model *model, const struct berth_model_robot *creator,
                    const struct berth_model_robot_request *request);
static const struct berth_model_permission *
creator_permission(const struct berth_model *model, const struct berth_model_robot *creator,
                   const struct berth_model_permission *asked);
static bool holds(const struct berth_model_permission *permission,
                  const struct berth_model_access *access);

struct berth_model_verdict berth_model_check_robot_create(
    const struct berth_model *model, const struct berth_model_caller *caller,
    const struct berth_model_robot_request *request, const struct project_row **ret_project) {
    if (!berth_model_rules_name_legal(request->name)) {
        return berth_model_error("BAD_REQUEST", "robot name is not in lower case or contains"
                                                " illegal characters");
    }
    struct berth_model_verdict verdict =
        berth_model_check_robot_body(request, request->duration_days);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    bool of_project = strcmp(request->level, "project") == 0;
    const char *namespace = request->permissions[0].namespace;
    const struct project_row *project =
        of_project ? berth_model_project_by_name(model, namespace) : NULL;
    if (of_project) {
        verdict =
            berth_model_require(caller, project == NULL ? NULL : &project->view, "robot", "create");
    } else {
        verdict = berth_model_require_system(model, caller, "robot", "create");
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (caller->kind == BERTH_MODEL_ROBOT) {
        verdict = check_creator_scope(model, caller->robot, request);
        if (!berth_model_is_ok(&verdict)) {
            return verdict;
        }
    }
    if (of_project && project == NULL) {
        return berth_model_error("NOT_FOUND", "project %s not found", namespace);
    }
    *ret_project = project;
    return verdict;
}

struct berth_model_verdict
berth_model_check_robot_body(const struct berth_model_robot_request *request,
                             int64_t duration_days) {
    bool of_project = strcmp(request->level, "project") == 0;
    if (!berth_model_rules_duration_legal(duration_days)) {
        return berth_model_error("BAD_REQUEST",
                                 "bad request error duration input: %lld, duration must be either"
                                 " -1(Never) or a positive integer",
                                 (long long)duration_days);
    }
    if (!of_project && strcmp(request->level, "system") != 0) {
        return berth_model_error("BAD_REQUEST", "bad request error level input: %s",
                                 request->level);
    }
    if (request->permission_count == 0) {
        return berth_model_error("BAD_REQUEST", "bad request empty permission");
    }
    for (size_t i = 0; i < request->permission_count; i++) {
        if (request->permissions[i].access_count == 0) {
            return berth_model_error("BAD_REQUEST", "bad request empty access");
        }
    }
    if (of_project && request->permission_count > 1) {
        return berth_model_error("BAD_REQUEST", "bad request permission");
    }
    for (size_t i = 0; i < request->permission_count; i++) {
        struct berth_model_verdict verdict = check_permission(&request->permissions[i]);
        if (!berth_model_is_ok(&verdict)) {
            return verdict;
        }
    }
    return berth_model_ok(200);
}

struct berth_model_verdict
berth_model_check_permission_scopes(const struct berth_model *model,
                                    const struct berth_model_robot_request *request) {
    for (size_t i = 0; i < request->permission_count; i++) {
        const struct berth_model_permission *permission = &request->permissions[i];
        if (strcmp(permission->kind, "system") == 0) {
            if (strcmp(permission->namespace, "/") != 0) {
                return berth_model_error("BAD_REQUEST", "unknown namespace");
            }
        } else if (strcmp(permission->namespace, "*") != 0 &&
                   berth_model_project_by_name(model, permission->namespace) == NULL) {
            return berth_model_error("NOT_FOUND", "project %s not found", permission->namespace);
        }
    }
    return berth_model_ok(200);
}

static struct berth_model_verdict
check_permission(const struct berth_model_permission *permission) {
    bool of_system = strcmp(permission->kind, "system") == 0;
    if (!of_system && strcmp(permission->kind, "project") != 0) {
        return berth_model_error("BAD_REQUEST", "bad request permission level: %s",
                                 permission->kind);
    }
    for (size_t i = 0; i < permission->access_count; i++) {
        const struct berth_model_access *access = &permission->access[i];
        bool known = of_system ? berth_model_rules_system_right(access->resource, access->action)
                               : berth_model_rules_project_right(access->resource, access->action);
        if (!known) {
            return berth_model_error("BAD_REQUEST", "bad request permission: %s:%s",
                                     access->resource, access->action);
        }
    }
    return berth_model_ok(200);
}

/* A robot can hand out only what it holds itself, compared as resource:action:effect. */
static struct berth_model_verdict
check_creator_scope(const struct berth_model *model, const struct berth_model_robot *creator,
                    const struct berth_model_robot_request *request) {
    for (size_t i = 0; i < request->permission_count; i++) {
        const struct berth_model_permission *asked = &request->permissions[i];
        const struct berth_model_permission *own = creator_permission(model, creator, asked);
        for (size_t j = 0; j < asked->access_count; j++) {
            if (own == NULL || !holds(own, &asked->access[j])) {
                return berth_model_error("DENIED",
                                         "permission scope is invalid. It must be equal to or more"
                                         " restrictive than the creator robot's permissions: %s%s",
                                         model->settings.robot_name_prefix, creator->name);
            }
        }
    }
    return berth_model_ok(200);
}

/* The creator's permission for the same namespace, else the one for all of this kind. */
static const struct berth_model_permission *
creator_permission(const struct berth_model *model, const struct berth_model_robot *creator,
                   const struct berth_model_permission *asked) {
    const struct berth_model_permission *for_all = NULL;
    for (size_t i = 0; i < creator->permission_count; i++) {
        const struct berth_model_permission *own = &creator->permissions[i];
        if (strcmp(own->kind, asked->kind) != 0 || !berth_model_permission_visible(model, own)) {
            continue;
        }
        if (strcmp(own->namespace, asked->namespace) == 0) {
            return own;
        }
        if (strcmp(own->namespace, "*") == 0) {
            for_all = own;
        }
    }
    return for_all;
}

static bool holds(const struct berth_model_permission *permission,
                  const struct berth_model_access *access) {
    for (size_t i = 0; i < permission->access_count; i++) {
        const struct berth_model_access *own = &permission->access[i];
        if (strcmp(own->resource, access->resource) == 0 &&
            strcmp(own->action, access->action) == 0 && strcmp(own->effect, access->effect) == 0) {
            return true;
        }
    }
    return false;
}
