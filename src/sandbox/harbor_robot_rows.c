/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_robot_rows.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

static void add_name(struct berth_model *model, struct robot_row *robot);
static void remove_name(struct berth_model *model, struct robot_row *robot);
static void set_permissions(const struct berth_model *model, struct robot_row *robot,
                            const struct berth_model_robot_request *request);
static void free_permissions(struct robot_row *robot);

struct robot_row *berth_model_add_robot(struct berth_model *model,
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
    add_name(model, robot);
    struct project_row *project = berth_model_project_by_id(model, project_id);
    if (project_id == 0) {
        DL_APPEND(model->system_robots, robot);
        model->system_robot_count++;
    } else if (project == NULL) {
        robot->orphaned = true;
        DL_APPEND(model->orphans, robot);
    } else {
        DL_APPEND(project->robots, robot);
        project->view.robot_count++;
    }
    return robot;
}

void berth_model_drop_robot(struct berth_model *model, struct robot_row *robot) {
    if (robot->orphaned) {
        DL_DELETE(model->orphans, robot);
    } else if (robot->view.project_id == 0) {
        DL_DELETE(model->system_robots, robot);
        model->system_robot_count--;
    } else {
        struct project_row *project = berth_model_project_by_id(model, robot->view.project_id);
        DL_DELETE(project->robots, robot);
        project->view.robot_count--;
    }
    remove_name(model, robot);
    berth_model_ids_put(&model->robots, robot->view.id, NULL);
    free_permissions(robot);
    free((void *)(uintptr_t)robot->view.name);
    free((void *)(uintptr_t)robot->view.description);
    free(robot->secret);
    free(robot);
}

bool berth_model_robot_exists(const struct berth_model *model, const char *name,
                              int64_t project_id) {
    const struct robot_row *robot = NULL;
    HASH_FIND_STR(model->robot_names, name, robot);
    while (robot != NULL && robot->view.project_id != project_id) {
        robot = robot->namesake;
    }
    return robot != NULL;
}

const void **berth_model_robots_of(const struct berth_model *model, int64_t project_id,
                                   size_t *ret_count) {
    const struct project_row *project = berth_model_project_by_id(model, project_id);
    const struct robot_row *robot = project == NULL ? NULL : project->robots;
    const struct robot_row *orphan = NULL;
    int64_t room = project == NULL ? 0 : project->view.robot_count;
    if (project_id == 0) {
        robot = model->system_robots;
        room = model->system_robot_count;
    } else if (project == NULL) {
        DL_FOREACH(model->orphans, orphan) {
            room++;
        }
        robot = model->orphans;
    }
    const void **items = berth_sandbox_alloc(sizeof(items[0]) * (size_t)room);
    size_t count = 0;
    for (; robot != NULL; robot = robot->next) {
        if (robot->view.project_id == project_id) {
            items[count++] = &robot->view;
        }
    }
    *ret_count = count;
    return items;
}

void berth_model_replace_permissions(const struct berth_model *model, struct robot_row *robot,
                                     const struct berth_model_robot_request *request) {
    free_permissions(robot);
    set_permissions(model, robot, request);
}

bool berth_model_permission_visible(const struct berth_model *model,
                                    const struct berth_model_permission *permission) {
    return permission->project_id == 0 ||
           berth_model_project_by_id(model, permission->project_id) != NULL;
}

/* Ids rise, so the newest of its name goes last. */
static void add_name(struct berth_model *model, struct robot_row *robot) {
    struct robot_row *namesake = NULL;
    HASH_FIND_STR(model->robot_names, robot->view.name, namesake);
    if (namesake == NULL) {
        HASH_ADD_KEYPTR(hh, model->robot_names, robot->view.name, strlen(robot->view.name), robot);
        return;
    }
    while (namesake->namesake != NULL) {
        namesake = namesake->namesake;
    }
    namesake->namesake = robot;
}

static void remove_name(struct berth_model *model, struct robot_row *robot) {
    struct robot_row *first = NULL;
    HASH_FIND_STR(model->robot_names, robot->view.name, first);
    if (first == robot) {
        struct robot_row *next = robot->namesake;
        HASH_DEL(model->robot_names, robot);
        if (next != NULL) {
            HASH_ADD_KEYPTR(hh, model->robot_names, next->view.name, strlen(next->view.name), next);
        }
        return;
    }
    BERTH_ASSERT(first != NULL);
    while (first->namesake != robot) {
        first = first->namesake;
        BERTH_ASSERT(first != NULL);
    }
    first->namesake = robot->namesake;
}

/* Copies the request's permissions, whose scopes were checked. A project robot's is on its project,
 * even when that is gone by now. */
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
        int64_t project_id = robot->view.project_id;
        if (project_id == 0 && strcmp(asked->kind, "project") == 0 &&
            strcmp(asked->namespace, "*") != 0) {
            project_id = berth_model_project_by_name(model, asked->namespace)->view.id;
        }
        permissions[i] = (struct berth_model_permission){
            .kind = berth_sandbox_copy(asked->kind),
            .namespace = berth_sandbox_copy(asked->namespace),
            .project_id = project_id,
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
