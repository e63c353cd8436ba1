/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: Harbor's evaluators (src/common/rbac, src/common/security), for the callers that
 * the model knows.
 */
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_rules.h"

static bool public_may(const struct berth_model_project *project, const char *resource,
                       const char *action);
static bool user_may(const struct berth_model_user *user, const struct berth_model_project *project,
                     const char *resource, const char *action);
static bool robot_may(const struct berth_model_robot *robot,
                      const struct berth_model_project *project, const char *resource,
                      const char *action);
static bool grants(const struct berth_model_permission *permission, bool push_pulls,
                   const char *resource, const char *action);

bool berth_model_may(const struct berth_model_caller *caller,
                     const struct berth_model_project *project, const char *resource,
                     const char *action) {
    switch (caller->kind) {
    case BERTH_MODEL_ANONYMOUS:
        return public_may(project, resource, action);
    case BERTH_MODEL_USER:
        return user_may(caller->user, project, resource, action);
    case BERTH_MODEL_ROBOT:
        return robot_may(caller->robot, project, resource, action);
    }
    BERTH_UNREACHABLE("every kind of caller has its case");
}

bool berth_model_may_system(const struct berth_model_caller *caller, const char *resource,
                            const char *action) {
    if (caller->kind == BERTH_MODEL_USER) {
        return caller->user->sysadmin;
    }
    if (caller->kind != BERTH_MODEL_ROBOT || strcmp(caller->robot->level, "system") != 0) {
        return false;
    }
    for (size_t i = 0; i < caller->robot->permission_count; i++) {
        const struct berth_model_permission *permission = &caller->robot->permissions[i];
        if (strcmp(permission->kind, "system") == 0 &&
            grants(permission, false, resource, action)) {
            return true;
        }
    }
    return false;
}

struct berth_model_verdict berth_model_require_login(const struct berth_model_caller *caller) {
    if (caller->kind == BERTH_MODEL_ANONYMOUS) {
        return berth_model_error("UNAUTHORIZED", "unauthorized");
    }
    return berth_model_ok(200);
}

struct berth_model_verdict berth_model_require(const struct berth_model_caller *caller,
                                               const struct berth_model_project *project,
                                               const char *resource, const char *action) {
    if (berth_model_may(caller, project, resource, action)) {
        return berth_model_ok(200);
    }
    struct berth_model_verdict verdict = berth_model_require_login(caller);
    return berth_model_is_ok(&verdict) ? berth_model_error("FORBIDDEN", "forbidden") : verdict;
}

struct berth_model_verdict berth_model_require_system(const struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      const char *resource, const char *action) {
    struct berth_model_verdict verdict = berth_model_require_login(caller);
    if (!berth_model_is_ok(&verdict) || berth_model_may_system(caller, resource, action)) {
        return verdict;
    }
    char name[BERTH_MODEL_MESSAGE_BYTES];
    berth_model_caller_name(model, caller, name, sizeof(name));
    return berth_model_error("FORBIDDEN", "%s", name);
}

void berth_model_caller_name(const struct berth_model *model,
                             const struct berth_model_caller *caller, char *ret_name, size_t size) {
    switch (caller->kind) {
    case BERTH_MODEL_ANONYMOUS:
        ret_name[0] = '\0';
        return;
    case BERTH_MODEL_USER:
        (void)snprintf(ret_name, size, "%s", caller->user->name);
        return;
    case BERTH_MODEL_ROBOT:
        (void)snprintf(ret_name, size, "%s%s", model->settings.robot_name_prefix,
                       caller->robot->name);
        return;
    }
}

/* What anybody may do with a public project, logged in or not. */
static bool public_may(const struct berth_model_project *project, const char *resource,
                       const char *action) {
    if (project == NULL || !berth_model_rules_truth(project->is_public)) {
        return false;
    }
    if (strcmp(resource, "project") == 0) {
        return strcmp(action, "read") == 0;
    }
    return strcmp(resource, "repository") == 0 &&
           (strcmp(action, "pull") == 0 || strcmp(action, "read") == 0 ||
            strcmp(action, "list") == 0);
}

static bool user_may(const struct berth_model_user *user, const struct berth_model_project *project,
                     const char *resource, const char *action) {
    if (user->sysadmin) {
        return true;
    }
    if (project == NULL) {
        return false;
    }
    int64_t role = berth_model_role(project, user->id);
    return berth_model_rules_role_may(role, resource, action) ||
           public_may(project, resource, action);
}

static bool robot_may(const struct berth_model_robot *robot,
                      const struct berth_model_project *project, const char *resource,
                      const char *action) {
    if (project == NULL) {
        return false;
    }
    bool push_pulls = strcmp(robot->level, "project") == 0;
    for (size_t i = 0; i < robot->permission_count; i++) {
        const struct berth_model_permission *permission = &robot->permissions[i];
        bool covers = strcmp(permission->kind, "project") == 0 &&
                      (permission->project_id == 0 || permission->project_id == project->id);
        if (covers && grants(permission, push_pulls, resource, action)) {
            return true;
        }
    }
    return public_may(project, resource, action);
}

/* For robots of a project, and only for those, the right to push is one to pull as well. */
static bool grants(const struct berth_model_permission *permission, bool push_pulls,
                   const char *resource, const char *action) {
    for (size_t i = 0; i < permission->access_count; i++) {
        const struct berth_model_access *access = &permission->access[i];
        bool allows = access->effect[0] == '\0' || strcmp(access->effect, "allow") == 0;
        if (!allows || strcmp(access->resource, resource) != 0) {
            continue;
        }
        if (strcmp(access->action, action) == 0 ||
            (push_pulls && strcmp(access->action, "push") == 0 && strcmp(action, "pull") == 0)) {
            return true;
        }
    }
    return false;
}
