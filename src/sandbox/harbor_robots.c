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

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_robot_checks.h"
#include "harbor_robot_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

#define SECONDS_A_DAY 86400

static bool stored_name(const struct berth_model_robot_request *request,
                        const struct berth_model_reading *reading, char *ret_name, size_t size);
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
    struct berth_model_reading reading;
    struct berth_model_verdict verdict =
        berth_model_read_for_robot(model, caller, request, &reading);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    return berth_model_insert_robot(model, caller, request, &reading, secret, now_ms, ret_robot);
}

struct berth_model_verdict
berth_model_read_for_robot(const struct berth_model *model, const struct berth_model_caller *caller,
                           const struct berth_model_robot_request *request,
                           struct berth_model_reading *ret_reading) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct project_row *project = NULL;
    verdict = berth_model_check_robot_create(model, caller, request, &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    *ret_reading = (struct berth_model_reading){0};
    if (project != NULL) {
        ret_reading->project_id = project->view.id;
        (void)snprintf(ret_reading->project_name, sizeof(ret_reading->project_name), "%s",
                       project->view.name);
    }
    return verdict;
}

struct berth_model_verdict berth_model_insert_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    const struct berth_model_robot_request *request,
                                                    const struct berth_model_reading *reading,
                                                    const char *secret, int64_t now_ms,
                                                    const struct berth_model_robot **ret_robot) {
    char name[2 * (BERTH_MODEL_NAME_BYTES_MAX + 1)];
    int64_t id = berth_model_ids_take(&model->robots);
    if (id == 0 || !stored_name(request, reading, name, sizeof(name)) ||
        strlen(request->description) > BERTH_MODEL_DESCRIPTION_BYTES_MAX) {
        /* PostgreSQL refuses what is longer than its column, and Harbor doesn't say so. */
        return berth_model_error("UNKNOWN", "internal server error");
    }
    if (berth_model_robot_exists(model, name, reading->project_id)) {
        return berth_model_error("CONFLICT", "robot account %lld:%s already exists",
                                 (long long)reading->project_id, name);
    }
    bool orphan =
        reading->project_id != 0 && berth_model_project_by_id(model, reading->project_id) == NULL;
    if (!orphan) {
        struct berth_model_verdict verdict = berth_model_check_permission_scopes(model, request);
        if (!berth_model_is_ok(&verdict)) {
            return verdict;
        }
    }
    struct robot_row *robot =
        berth_model_add_robot(model, caller, id, request, name, reading->project_id);
    robot->secret = berth_sandbox_copy(secret);
    robot->view.created_ms = now_ms;
    robot->view.updated_ms = now_ms;
    robot->view.expires_at_s = expiry_s(now_ms, request->duration_days);
    *ret_robot = &robot->view;
    return berth_model_ok(201);
}

struct berth_model_verdict berth_model_read_robot(const struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  int64_t id,
                                                  struct berth_model_reading *ret_reading) {
    struct robot_row *robot = NULL;
    struct berth_model_verdict verdict = find_robot(model, caller, id, &robot);
    if (berth_model_is_ok(&verdict)) {
        *ret_reading = (struct berth_model_reading){.robot_disabled = robot->view.disabled};
        (void)snprintf(ret_reading->robot_secret, sizeof(ret_reading->robot_secret), "%s",
                       robot->secret);
    }
    return verdict;
}

void berth_model_restore_robot_secret(struct berth_model *model, int64_t id,
                                      const struct berth_model_reading *reading) {
    struct robot_row *robot = berth_model_ids_get(&model->robots, id);
    free(robot->secret);
    robot->secret = berth_sandbox_copy(reading->robot_secret);
}

void berth_model_restore_robot_state(struct berth_model *model, int64_t id,
                                     const struct berth_model_reading *reading) {
    struct robot_row *robot = berth_model_ids_get(&model->robots, id);
    robot->view.disabled = reading->robot_disabled;
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
    berth_model_replace_permissions(model, robot, request);
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
    size_t count = 0;
    const void **items = berth_model_robots_of(model, project_id, &count);
    if (berth_model_query_apply(query, &TABLE, items, count, ret_page) != BERTH_OK) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return verdict;
}

/* False: longer than the column. The name's part was checked; it can't hold a "+". */
static bool stored_name(const struct berth_model_robot_request *request,
                        const struct berth_model_reading *reading, char *ret_name, size_t size) {
    int len = reading->project_id == 0
                  ? snprintf(ret_name, size, "%s", request->name)
                  : snprintf(ret_name, size, "%s+%s", reading->project_name, request->name);
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
    return berth_model_require(caller, project == NULL ? NULL : &project->view, "robot", action);
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
    size_t prefix_len = strlen(model->settings.robot_name_prefix);
    if (strcmp(request->level, robot->view.level) != 0 ||
        strncmp(request->name, model->settings.robot_name_prefix, prefix_len) != 0 ||
        strcmp(request->name + prefix_len, robot->view.name) != 0) {
        return berth_model_error("BAD_REQUEST", "cannot update the level or name of robot");
    }
    if (strlen(request->description) > BERTH_MODEL_DESCRIPTION_BYTES_MAX) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return berth_model_check_permission_scopes(model, request);
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
