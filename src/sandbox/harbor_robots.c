/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robot accounts.
 * Sources: src/server/v2.0/handler/robot.go, src/controller/robot/controller.go and
 * src/pkg/robot/dao/dao.go. The order of the checks is Harbor's, since it decides which answer a
 * request with two faults gets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_robot_checks.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

#define SECONDS_A_DAY 86400

static struct robot_row *insert_robot(struct berth_model *model,
                                      const struct berth_model_caller *caller, int64_t id,
                                      const struct berth_model_robot_request *request,
                                      const char *stored_name, int64_t project_id);
static bool stored_name(const struct berth_model_robot_request *request,
                        const struct project_row *project, char *ret_name, size_t size);
static int64_t expiry_s(int64_t created_ms, int64_t duration_days);
static struct berth_model_verdict find_robot(const struct berth_model *model,
                                             const struct berth_model_caller *caller, int64_t id,
                                             struct robot_row **ret_robot);
static struct berth_model_verdict require_robot(const struct berth_model *model,
                                                const struct berth_model_caller *caller,
                                                const struct robot_row *robot, const char *action);
static struct berth_model_verdict check_update(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               const struct robot_row *robot,
                                               const struct berth_model_robot_request *request);
static void set_permissions(const struct berth_model *model, struct robot_row *robot,
                            const struct berth_model_robot_request *request);
static void free_permissions(struct robot_row *robot);
static void replace_text(const char **text, const char *new_text);
static struct berth_model_verdict list_scope(const struct berth_model_query *query,
                                             int64_t *ret_project_id);
static struct berth_model_verdict require_list(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               int64_t project_id);

static const struct berth_model_query_field FIELDS[] = {
    {"Name", "name", NULL, BERTH_MODEL_QUERY_TEXT, offsetof(struct berth_model_robot, name)},
    {"ID", "id", NULL, BERTH_MODEL_QUERY_NUMBER, offsetof(struct berth_model_robot, id)},
    {"Description", "description", NULL, BERTH_MODEL_QUERY_TEXT,
     offsetof(struct berth_model_robot, description)},
    {"Duration", "duration", NULL, BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_robot, duration_days)},
    {"ProjectID", "project_id", NULL, BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_robot, project_id)},
    {"ExpiresAt", "expiresat", "expires_at", BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_robot, expires_at_s)},
    {"Disabled", "disabled", NULL, BERTH_MODEL_QUERY_FLAG,
     offsetof(struct berth_model_robot, disabled)},
    {"CreatorType", "creator_type", NULL, BERTH_MODEL_QUERY_TEXT,
     offsetof(struct berth_model_robot, creator_type)},
    {"CreatorRef", "creator_ref", NULL, BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_robot, creator_id)},
    {"CreationTime", "creation_time", NULL, BERTH_MODEL_QUERY_TIME,
     offsetof(struct berth_model_robot, created_ms)},
    {"UpdateTime", "update_time", NULL, BERTH_MODEL_QUERY_TIME,
     offsetof(struct berth_model_robot, updated_ms)},
};

static const struct berth_model_query_table TABLE = {
    .fields = FIELDS, .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]), .default_sort = 0};

struct berth_model_verdict berth_model_create_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    const struct berth_model_robot_request *request,
                                                    const char *secret, int64_t now_ms,
                                                    const struct berth_model_robot **ret_robot) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct project_row *project = NULL;
    verdict = berth_model_check_robot_create(model, caller, request, &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    char name[2 * (BERTH_MODEL_NAME_BYTES_MAX + 1)];
    int64_t id = berth_model_ids_take(&model->robots);
    if (id == 0 || !stored_name(request, project, name, sizeof(name)) ||
        strlen(request->description) > BERTH_MODEL_DESCRIPTION_BYTES_MAX) {
        /* PostgreSQL refuses what is longer than its column, and Harbor doesn't say so. */
        return berth_model_error("UNKNOWN", "internal server error");
    }
    const struct robot_row *existing = NULL;
    HASH_FIND_STR(model->robot_names, name, existing);
    int64_t project_id = project == NULL ? 0 : project->view.id;
    if (existing != NULL) {
        return berth_model_error("CONFLICT", "robot account %lld:%s already exists",
                                 (long long)project_id, name);
    }
    verdict = berth_model_check_permission_scopes(model, request);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    struct robot_row *robot = insert_robot(model, caller, id, request, name, project_id);
    robot->secret = berth_sandbox_copy(secret);
    robot->view.created_ms = now_ms;
    robot->view.updated_ms = now_ms;
    robot->view.expires_at_s = expiry_s(now_ms, request->duration_days);
    *ret_robot = &robot->view;
    return berth_model_ok(201);
}

struct berth_model_verdict berth_model_get_robot(const struct berth_model *model,
                                                 const struct berth_model_caller *caller,
                                                 int64_t id,
                                                 const struct berth_model_robot **ret_robot) {
    struct robot_row *robot = NULL;
    struct berth_model_verdict verdict = find_robot(model, caller, id, &robot);
    if (berth_model_is_ok(&verdict)) {
        verdict = require_robot(model, caller, robot, "read");
    }
    if (berth_model_is_ok(&verdict)) {
        *ret_robot = &robot->view;
    }
    return verdict;
}

struct berth_model_verdict berth_model_update_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t id,
                                                    const struct berth_model_robot_request *request,
                                                    int64_t now_ms) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    struct robot_row *robot = NULL;
    if (berth_model_is_ok(&verdict)) {
        verdict = find_robot(model, caller, id, &robot);
    }
    if (berth_model_is_ok(&verdict)) {
        verdict = check_update(model, caller, robot, request);
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (request->has_duration && request->duration_days != robot->view.duration_days) {
        robot->view.duration_days = request->duration_days;
        robot->view.expires_at_s = expiry_s(robot->view.created_ms, request->duration_days);
    }
    robot->view.disabled = request->disable;
    replace_text(&robot->view.description, request->description);
    free_permissions(robot);
    set_permissions(model, robot, request);
    robot->view.updated_ms = now_ms;
    return verdict;
}

struct berth_model_verdict berth_model_set_robot_secret(struct berth_model *model,
                                                        const struct berth_model_caller *caller,
                                                        int64_t id, const char *secret, bool chosen,
                                                        int64_t now_ms) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    struct robot_row *robot = NULL;
    if (berth_model_is_ok(&verdict)) {
        verdict = find_robot(model, caller, id, &robot);
    }
    if (berth_model_is_ok(&verdict)) {
        verdict = require_robot(model, caller, robot, "update");
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (chosen && !berth_model_rules_secret_legal(secret)) {
        return berth_model_error("BAD_REQUEST",
                                 "the secret must be 8-128, inclusively, characters long with at"
                                 " least 1 uppercase letter, 1 lowercase letter and 1 number");
    }
    free(robot->secret);
    robot->secret = berth_sandbox_copy(secret);
    robot->view.updated_ms = now_ms;
    return verdict;
}

struct berth_model_verdict berth_model_delete_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t id) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    struct robot_row *robot = NULL;
    if (berth_model_is_ok(&verdict)) {
        verdict = find_robot(model, caller, id, &robot);
    }
    if (berth_model_is_ok(&verdict)) {
        verdict = require_robot(model, caller, robot, "delete");
    }
    if (berth_model_is_ok(&verdict)) {
        berth_model_drop_robot(model, robot);
    }
    return verdict;
}

struct berth_model_verdict berth_model_list_robots(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   const struct berth_model_query *query,
                                                   struct berth_model_query_page *ret_page) {
    struct berth_model_verdict verdict = berth_model_require_login(caller);
    int64_t project_id = 0;
    if (berth_model_is_ok(&verdict)) {
        verdict = list_scope(query, &project_id);
    }
    if (berth_model_is_ok(&verdict)) {
        verdict = require_list(model, caller, project_id);
    }
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct project_row *project = berth_model_project_by_id(model, project_id);
    int64_t room = model->system_robot_count;
    struct robot_row *robot = model->system_robots;
    if (project_id != 0) {
        /* Of a deleted project there are none: they went with it. */
        room = project == NULL ? 0 : project->view.robot_count;
        robot = project == NULL ? NULL : project->robots;
    }
    const void **items = berth_sandbox_alloc(sizeof(items[0]) * (size_t)room);
    size_t count = 0;
    for (; robot != NULL; robot = robot->next) {
        items[count++] = &robot->view;
    }
    BERTH_ASSERT(count == (size_t)room);
    if (berth_model_query_apply(query, &TABLE, items, count, ret_page) != BERTH_OK) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return verdict;
}

bool berth_model_permission_visible(const struct berth_model *model,
                                    const struct berth_model_permission *permission) {
    return permission->project_id == 0 ||
           berth_model_project_by_id(model, permission->project_id) != NULL;
}

void berth_model_drop_robot(struct berth_model *model, struct robot_row *robot) {
    if (robot->view.project_id == 0) {
        DL_DELETE(model->system_robots, robot);
        model->system_robot_count--;
    } else {
        struct project_row *project = berth_model_project_by_id(model, robot->view.project_id);
        DL_DELETE(project->robots, robot);
        project->view.robot_count--;
    }
    HASH_DEL(model->robot_names, robot);
    berth_model_ids_put(&model->robots, robot->view.id, NULL);
    free_permissions(robot);
    free((void *)(uintptr_t)robot->view.name);
    free((void *)(uintptr_t)robot->view.description);
    free(robot->secret);
    free(robot);
}

static struct robot_row *insert_robot(struct berth_model *model,
                                      const struct berth_model_caller *caller, int64_t id,
                                      const struct berth_model_robot_request *request,
                                      const char *name, int64_t project_id) {
    bool by_user = caller->kind == BERTH_MODEL_USER;
    struct robot_row *robot = berth_sandbox_alloc(sizeof(*robot));
    robot->view = (struct berth_model_robot){
        .id = id,
        .name = berth_sandbox_copy(name),
        .level = project_id == 0 ? "system" : "project",
        .project_id = project_id,
        .description = berth_sandbox_copy(request->description),
        .duration_days = request->duration_days,
        .creator_type = by_user ? "local" : "robot",
        .creator_id = by_user ? caller->user->id : caller->robot->id,
    };
    set_permissions(model, robot, request);
    berth_model_ids_put(&model->robots, id, robot);
    HASH_ADD_KEYPTR(hh, model->robot_names, robot->view.name, strlen(robot->view.name), robot);
    if (project_id == 0) {
        DL_APPEND(model->system_robots, robot);
        model->system_robot_count++;
    } else {
        struct project_row *project = berth_model_project_by_id(model, project_id);
        DL_APPEND(project->robots, robot);
        project->view.robot_count++;
    }
    return robot;
}

/* False: longer than the column. The name's part was checked; it can't hold a "+". */
static bool stored_name(const struct berth_model_robot_request *request,
                        const struct project_row *project, char *ret_name, size_t size) {
    int len = project == NULL
                  ? snprintf(ret_name, size, "%s", request->name)
                  : snprintf(ret_name, size, "%s+%s", project->view.name, request->name);
    return len > 0 && len <= BERTH_MODEL_NAME_BYTES_MAX;
}

static int64_t expiry_s(int64_t created_ms, int64_t duration_days) {
    return duration_days == -1 ? -1 : created_ms / 1000 + duration_days * SECONDS_A_DAY;
}

/* 200 with the robot; 401 and then 404, before any right is looked at. */
static struct berth_model_verdict find_robot(const struct berth_model *model,
                                             const struct berth_model_caller *caller, int64_t id,
                                             struct robot_row **ret_robot) {
    struct berth_model_verdict verdict = berth_model_require_login(caller);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    *ret_robot = berth_model_ids_get(&model->robots, id);
    if (*ret_robot == NULL) {
        return berth_model_error("NOT_FOUND", "robot %lld not found", (long long)id);
    }
    return verdict;
}

static struct berth_model_verdict require_robot(const struct berth_model *model,
                                                const struct berth_model_caller *caller,
                                                const struct robot_row *robot, const char *action) {
    if (robot->view.project_id == 0) {
        return berth_model_require_system(model, caller, "robot", action);
    }
    const struct project_row *project = berth_model_project_by_id(model, robot->view.project_id);
    return berth_model_require(caller, &project->view, "robot", action);
}

static struct berth_model_verdict check_update(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               const struct robot_row *robot,
                                               const struct berth_model_robot_request *request) {
    int64_t duration_days =
        request->has_duration ? request->duration_days : robot->view.duration_days;
    struct berth_model_verdict verdict = berth_model_check_robot_body(request, duration_days);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (robot->view.project_id != 0) {
        const char *namespace = request->permissions[0].namespace;
        const struct project_row *project = berth_model_project_by_name(model, namespace);
        if (project == NULL) {
            return berth_model_error("NOT_FOUND", "project %s not found", namespace);
        }
        if (project->view.id != robot->view.project_id) {
            return berth_model_error("BAD_REQUEST", "cannot update the project id of robot");
        }
    }
    verdict = require_robot(model, caller, robot, "update");
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    size_t prefix_len = strlen(model->robot_name_prefix);
    if (strcmp(request->level, robot->view.level) != 0 ||
        strncmp(request->name, model->robot_name_prefix, prefix_len) != 0 ||
        strcmp(request->name + prefix_len, robot->view.name) != 0) {
        return berth_model_error("BAD_REQUEST", "cannot update the level or name of robot");
    }
    if (strlen(request->description) > BERTH_MODEL_DESCRIPTION_BYTES_MAX) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return berth_model_check_permission_scopes(model, request);
}

/* Copies the request's permissions, whose scopes were checked. */
static void set_permissions(const struct berth_model *model, struct robot_row *robot,
                            const struct berth_model_robot_request *request) {
    struct berth_model_permission *permissions =
        berth_sandbox_alloc(request->permission_count * sizeof(permissions[0]));
    for (size_t i = 0; i < request->permission_count; i++) {
        const struct berth_model_permission *asked = &request->permissions[i];
        struct berth_model_access *access =
            berth_sandbox_alloc(asked->access_count * sizeof(access[0]));
        for (size_t j = 0; j < asked->access_count; j++) {
            access[j].resource = berth_sandbox_copy(asked->access[j].resource);
            access[j].action = berth_sandbox_copy(asked->access[j].action);
            access[j].effect = berth_sandbox_copy(asked->access[j].effect);
        }
        bool one_project =
            strcmp(asked->kind, "project") == 0 && strcmp(asked->namespace, "*") != 0;
        permissions[i] = (struct berth_model_permission){
            .kind = berth_sandbox_copy(asked->kind),
            .namespace = berth_sandbox_copy(asked->namespace),
            .project_id =
                one_project ? berth_model_project_by_name(model, asked->namespace)->view.id : 0,
            .access = access,
            .access_count = asked->access_count,
        };
    }
    robot->view.permissions = permissions;
    robot->view.permission_count = request->permission_count;
}

static void free_permissions(struct robot_row *robot) {
    for (size_t i = 0; i < robot->view.permission_count; i++) {
        const struct berth_model_permission *permission = &robot->view.permissions[i];
        for (size_t j = 0; j < permission->access_count; j++) {
            free((void *)(uintptr_t)permission->access[j].resource);
            free((void *)(uintptr_t)permission->access[j].action);
            free((void *)(uintptr_t)permission->access[j].effect);
        }
        free((void *)(uintptr_t)permission->access);
        free((void *)(uintptr_t)permission->kind);
        free((void *)(uintptr_t)permission->namespace);
    }
    free((void *)(uintptr_t)robot->view.permissions);
    robot->view.permissions = NULL;
    robot->view.permission_count = 0;
}

static void replace_text(const char **text, const char *new_text) {
    free((void *)(uintptr_t)*text);
    *text = berth_sandbox_copy(new_text);
}

/* Which robots the query is about: of a project, or (0) of the system. The two keys are
 * case-sensitive, and without Level=project a ProjectID is overwritten by Harbor. */
static struct berth_model_verdict list_scope(const struct berth_model_query *query,
                                             int64_t *ret_project_id) {
    const struct berth_model_query_term *level = berth_model_query_find(query, "Level", NULL);
    if (level == NULL) {
        return berth_model_ok(200);
    }
    bool of_project = strcmp(level->value, "project") == 0;
    if (level->kind != BERTH_MODEL_QUERY_EXACT ||
        (!of_project && strcmp(level->value, "system") != 0)) {
        return berth_model_error("BAD_REQUEST", "bad request error level input");
    }
    if (!of_project) {
        return berth_model_ok(200);
    }
    const struct berth_model_query_term *project = berth_model_query_find(query, "ProjectID", NULL);
    if (project == NULL) {
        return berth_model_error("BAD_REQUEST",
                                 "must with project ID when to query project robots");
    }
    char *end = NULL;
    errno = 0;
    long long id = strtoll(project->value, &end, 10);
    if (project->kind != BERTH_MODEL_QUERY_EXACT || *end != '\0' || errno != 0 || id <= 0) {
        return berth_model_error("BAD_REQUEST", "ProjectID must be a positive integer");
    }
    *ret_project_id = id;
    return berth_model_ok(200);
}

static struct berth_model_verdict require_list(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               int64_t project_id) {
    if (project_id == 0) {
        return berth_model_require_system(model, caller, "robot", "list");
    }
    const struct project_row *project = berth_model_project_by_id(model, project_id);
    return berth_model_require(caller, project == NULL ? NULL : &project->view, "robot", "list");
}
