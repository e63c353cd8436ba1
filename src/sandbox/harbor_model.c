/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

struct code_status {
    const char *code;
    int status;
};

/* codeMap of src/lib/http/error.go, and go-openapi's own 422. */
static const struct code_status CODES[] = {
    {"BAD_REQUEST", 400},  {"UNAUTHORIZED", 401},
    {"FORBIDDEN", 403},    {"DENIED", 403},
    {"NOT_FOUND", 404},    {"CONFLICT", 409},
    {"PRECONDITION", 412}, {"UNPROCESSABLE_ENTITY", 422},
    {"UNKNOWN", 500},
};

static void create_library(struct berth_model *model, int64_t now_ms);
static struct berth_model_caller authenticate_robot(const struct berth_model *model,
                                                    const char *stored_name, const char *secret,
                                                    int64_t now_ms);

struct berth_model *berth_model_new(const struct berth_model_options *options) {
    struct berth_model *model = berth_sandbox_alloc(sizeof(*model));
    const char *prefix = options->robot_name_prefix;
    model->settings = (struct berth_model_settings){
        .robot_name_prefix = berth_sandbox_copy(prefix != NULL ? prefix : "robot$"),
        .quota_per_project = true,
        .storage_per_project_bytes = BERTH_MODEL_UNLIMITED,
        .token_minutes = 30,
    };
    berth_model_ids_init(&model->projects);
    berth_model_ids_init(&model->quotas);
    berth_model_ids_init(&model->robots);
    berth_model_ids_init(&model->members);
    (void)berth_model_add_user(model, BERTH_MODEL_ADMIN_ID, "admin", options->admin_password, true);
    create_library(model, options->now_ms);
    return model;
}

struct berth_model *berth_model_free(struct berth_model *model) {
    if (model == NULL) {
        return NULL;
    }
    for (int64_t id = 1; id < model->robots.next; id++) {
        struct robot_row *robot = berth_model_ids_get(&model->robots, id);
        if (robot != NULL) {
            berth_model_drop_robot(model, robot);
        }
    }
    for (int64_t id = 1; id < model->members.next; id++) {
        free(berth_model_ids_get(&model->members, id));
    }
    HASH_CLEAR(hh, model->project_names);
    for (int64_t id = 1; id < model->projects.next; id++) {
        struct project_row *project = berth_model_ids_get(&model->projects, id);
        if (project != NULL) {
            berth_model_free_project(project);
        }
    }
    for (size_t i = 0; i < model->user_count; i++) {
        free((void *)(uintptr_t)model->users[i]->view.name);
        free(model->users[i]->password);
        free(model->users[i]);
    }
    berth_model_ids_deinit(&model->projects);
    berth_model_ids_deinit(&model->quotas);
    berth_model_ids_deinit(&model->robots);
    berth_model_ids_deinit(&model->members);
    free((void *)(uintptr_t)model->settings.robot_name_prefix);
    free(model);
    return NULL;
}

const char *berth_model_robot_prefix(const struct berth_model *model) {
    return model->settings.robot_name_prefix;
}

const struct berth_model_settings *berth_model_settings(const struct berth_model *model) {
    return &model->settings;
}

void berth_model_set_settings(struct berth_model *model,
                              const struct berth_model_settings *settings) {
    char *prefix = berth_sandbox_copy(settings->robot_name_prefix);
    free((void *)(uintptr_t)model->settings.robot_name_prefix);
    model->settings = *settings;
    model->settings.robot_name_prefix = prefix;
}

void berth_model_set_read_only(struct berth_model *model, bool read_only) {
    model->read_only = read_only;
}

bool berth_model_read_only(const struct berth_model *model) {
    return model->read_only;
}

struct berth_model_verdict berth_model_check_writable(const struct berth_model *model) {
    if (model->read_only) {
        return berth_model_error(
            "DENIED", "The system is in read only mode. Any modification is prohibited.");
    }
    return berth_model_ok(200);
}

struct berth_model_caller berth_model_authenticate(const struct berth_model *model,
                                                   const char *name, const char *secret,
                                                   int64_t now_ms) {
    size_t prefix_len = strlen(model->settings.robot_name_prefix);
    if (strncmp(name, model->settings.robot_name_prefix, prefix_len) == 0) {
        return authenticate_robot(model, name + prefix_len, secret, now_ms);
    }
    for (size_t i = 0; i < model->user_count; i++) {
        const struct user_row *user = model->users[i];
        if (!user->view.deleted && berth_model_is_login_of(&user->view, name) &&
            strcmp(user->password, secret) == 0) {
            return berth_model_as_user(&user->view);
        }
    }
    return berth_model_as_anonymous();
}

struct berth_model_caller berth_model_as_user(const struct berth_model_user *user) {
    return (struct berth_model_caller){.kind = BERTH_MODEL_USER, .user = user};
}

struct berth_model_caller berth_model_as_anonymous(void) {
    return (struct berth_model_caller){.kind = BERTH_MODEL_ANONYMOUS};
}

struct berth_model_verdict berth_model_ok(int status) {
    return (struct berth_model_verdict){.status = status, .code = ""};
}

struct berth_model_verdict berth_model_error(const char *code, const char *format, ...) {
    struct berth_model_verdict verdict = {.code = code};
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        if (strcmp(CODES[i].code, code) == 0) {
            verdict.status = CODES[i].status;
        }
    }
    BERTH_ASSERT(verdict.status != 0);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict.message, sizeof(verdict.message), format, arguments);
    va_end(arguments);
    return verdict;
}

static void create_library(struct berth_model *model, int64_t now_ms) {
    struct berth_model_caller admin = berth_model_as_user(&model->users[0]->view);
    const struct berth_model_project_request request = {.name = "library", .is_public = "true"};
    const struct berth_model_project *library = NULL;
    struct berth_model_verdict verdict =
        berth_model_create_project(model, &admin, &request, now_ms, &library);
    BERTH_ASSERT(verdict.status == 201);
    BERTH_ASSERT(library->id == BERTH_MODEL_LIBRARY_ID);
}

static struct berth_model_caller authenticate_robot(const struct berth_model *model,
                                                    const char *stored_name, const char *secret,
                                                    int64_t now_ms) {
    const struct robot_row *robot = NULL;
    /* By name alone: of namesakes the oldest is taken, though it be an orphan. */
    HASH_FIND_STR(model->robot_names, stored_name, robot);
    if (robot == NULL || robot->view.disabled || strcmp(robot->secret, secret) != 0) {
        return berth_model_as_anonymous();
    }
    if (robot->view.expires_at_s != -1 && robot->view.expires_at_s <= now_ms / 1000) {
        return berth_model_as_anonymous();
    }
    return (struct berth_model_caller){.kind = BERTH_MODEL_ROBOT, .robot = &robot->view};
}
