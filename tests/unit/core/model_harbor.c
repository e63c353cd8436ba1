/* SPDX-License-Identifier: Apache-2.0 */
#include "model_harbor.h"

#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

static struct model_project *project_by_id(struct model_harbor *harbor, int64_t id);
static struct model_robot *robot_by_id(struct model_harbor *harbor, int64_t id);
static void answer_project_call(struct model_harbor *harbor, const struct berth_harbor_call *call,
                                struct berth_harbor_answer *answer);
static void answer_robot_call(struct model_harbor *harbor, const struct berth_harbor_call *call,
                              struct berth_harbor_answer *answer);

void model_harbor_init(struct model_harbor *harbor, const char *account) {
    memset(harbor, 0, offsetof(struct model_harbor, robots));
    harbor->account = account;
    harbor->quotas_kept = true;
}

struct model_project *model_harbor_add(struct model_harbor *harbor, const char *name,
                                       const char *owner, enum berth_visibility visibility) {
    BERTH_ASSERT(harbor->projects_count < MODEL_PROJECTS_MAX);
    struct model_project *project = &harbor->projects[harbor->projects_count++];
    *project = (struct model_project){
        .id = (int64_t)harbor->projects_count,
        .exists = true,
        .visibility = visibility,
        .quota_id = harbor->quotas_kept ? 500 + (int64_t)harbor->projects_count : 0,
        .quota_bytes = BERTH_QUOTA_UNLIMITED,
    };
    (void)snprintf(project->name, sizeof(project->name), "%s", name);
    (void)snprintf(project->owner, sizeof(project->owner), "%s", owner);
    return project;
}

struct model_robot *model_harbor_add_robot(struct model_harbor *harbor, int64_t project_id,
                                           const char *name, const char *workspace) {
    BERTH_ASSERT(harbor->robots_count < MODEL_ROBOTS_MAX);
    struct model_robot *robot = &harbor->robots[harbor->robots_count++];
    *robot = (struct model_robot){
        .project_id = project_id,
        .exists = true,
        .robot = {.id = 1000 + (int64_t)harbor->robots_count, .ours = workspace != NULL},
    };
    (void)snprintf(robot->robot.name, sizeof(robot->robot.name), "%s", name);
    (void)snprintf(robot->robot.workspace, sizeof(robot->robot.workspace), "%s",
                   workspace != NULL ? workspace : "");
    return robot;
}

struct model_project *model_harbor_find(struct model_harbor *harbor, const char *name) {
    for (size_t i = 0; i < harbor->projects_count; i++) {
        struct model_project *project = &harbor->projects[i];
        if (project->exists && strcmp(project->name, name) == 0) {
            return project;
        }
    }
    return NULL;
}

struct model_robot *model_harbor_find_robot(struct model_harbor *harbor, int64_t project_id,
                                            const char *name) {
    for (size_t i = 0; i < harbor->robots_count; i++) {
        struct model_robot *robot = &harbor->robots[i];
        if (robot->exists && robot->project_id == project_id &&
            strcmp(robot->robot.name, name) == 0) {
            return robot;
        }
    }
    return NULL;
}

void model_harbor_remove(struct model_harbor *harbor, struct model_project *project) {
    project->exists = false;
    for (size_t i = 0; i < harbor->robots_count; i++) {
        if (harbor->robots[i].project_id == project->id) {
            harbor->robots[i].exists = false;
        }
    }
}

struct berth_harbor_answer model_harbor_answer(struct model_harbor *harbor,
                                               const struct berth_harbor_call *call) {
    struct berth_harbor_answer answer = {.verdict = BERTH_HARBOR_DONE};
    harbor->calls[call->kind]++;
    if (call->kind == BERTH_HARBOR_GET_ACCOUNT) {
        (void)snprintf(answer.owner, sizeof(answer.owner), "%s", harbor->account);
    } else if (call->kind < BERTH_HARBOR_LIST_ROBOTS) {
        answer_project_call(harbor, call, &answer);
    } else {
        answer_robot_call(harbor, call, &answer);
    }
    return answer;
}

void model_harbor_later(struct model_harbor *harbor, const struct berth_harbor_call *call,
                        int calls_left) {
    BERTH_ASSERT(harbor->late_count < MODEL_LATE_MAX);
    harbor->late[harbor->late_count++] =
        (struct model_late){.call = *call, .calls_left = calls_left};
}

/* As a whole, only later: a PUT of a robot reads and writes the secret of that time. (A Harbor that
 * holds one half-done for longer than a time-out is beyond what design 4.7 promises.) */
static void carry_out_late(struct model_harbor *harbor, const struct berth_harbor_call *call) {
    struct model_robot *robot = robot_by_id(harbor, call->robot_id);
    bool derived = robot != NULL && robot->secret_derived;
    (void)model_harbor_answer(harbor, call);
    if (robot != NULL && call->kind == BERTH_HARBOR_MEND_ROBOT) {
        robot->secret_derived = derived;
    }
}

void model_harbor_tick(struct model_harbor *harbor) {
    size_t left = 0;
    for (size_t i = 0; i < harbor->late_count; i++) {
        if (harbor->late[i].calls_left-- == 0) {
            carry_out_late(harbor, &harbor->late[i].call);
        } else {
            harbor->late[left++] = harbor->late[i];
        }
    }
    harbor->late_count = left;
}

/* ---- Projects ---- */

static void create_project(struct model_harbor *harbor, const struct berth_harbor_call *call,
                           struct berth_harbor_answer *answer) {
    if (model_harbor_find(harbor, call->space) != NULL) {
        answer->verdict = BERTH_HARBOR_CONFLICT;
        return;
    }
    struct model_project *project =
        model_harbor_add(harbor, call->space, harbor->account, call->visibility);
    if (harbor->quotas_kept && !harbor->quota_ignored && call->quota_bytes != BERTH_QUOTA_UNSET) {
        project->quota_bytes = call->quota_bytes;
    }
    answer->project_id = project->id;
}

static void show_project(const struct model_harbor *harbor, const struct model_project *project,
                         struct berth_harbor_answer *answer) {
    if (project == NULL) {
        answer->verdict = BERTH_HARBOR_ABSENT;
        return;
    }
    answer->project_id = project->id;
    answer->visibility = project->visibility;
    answer->repositories = harbor->hides_repositories ? 0 : project->repositories;
    (void)snprintf(answer->owner, sizeof(answer->owner), "%s", project->owner);
}

/* A deleted project that a cache still shows. */
static struct model_project *cached(struct model_harbor *harbor, int64_t id, const char *name) {
    for (size_t i = 0; harbor->shows_deleted && i < harbor->projects_count; i++) {
        struct model_project *project = &harbor->projects[i];
        if (project->id == id || (name != NULL && strcmp(project->name, name) == 0)) {
            return project;
        }
    }
    return NULL;
}

static void delete_project(struct model_harbor *harbor, struct model_project *project,
                           struct berth_harbor_answer *answer) {
    if (harbor->refuses_deletion) {
        project->repositories++;
    }
    if (project->repositories > 0) {
        answer->verdict = BERTH_HARBOR_NOT_EMPTY;
    } else {
        model_harbor_remove(harbor, project);
    }
}

static void set_quota(struct model_harbor *harbor, const struct berth_harbor_call *call,
                      struct berth_harbor_answer *answer) {
    for (size_t i = 0; i < harbor->projects_count; i++) {
        struct model_project *project = &harbor->projects[i];
        if (project->exists && project->quota_id == call->quota_id) {
            project->quota_bytes = call->quota_bytes;
            return;
        }
    }
    answer->verdict = BERTH_HARBOR_ABSENT;
}

static void answer_project_call(struct model_harbor *harbor, const struct berth_harbor_call *call,
                                struct berth_harbor_answer *answer) {
    struct model_project *project = project_by_id(harbor, call->project_id);
    if (call->kind == BERTH_HARBOR_CREATE_PROJECT) {
        create_project(harbor, call, answer);
    } else if (call->kind == BERTH_HARBOR_GET_PROJECT_NAME) {
        project = model_harbor_find(harbor, call->space);
        show_project(harbor, project != NULL ? project : cached(harbor, 0, call->space), answer);
    } else if (call->kind == BERTH_HARBOR_GET_PROJECT_ID) {
        show_project(harbor, project != NULL ? project : cached(harbor, call->project_id, NULL),
                     answer);
    } else if (call->kind == BERTH_HARBOR_GET_QUOTA) {
        /* The list of quotas is simply empty for a project that is gone. */
        answer->quota_id = project != NULL ? project->quota_id : 0;
        answer->quota_bytes = project != NULL ? project->quota_bytes : 0;
    } else if (call->kind == BERTH_HARBOR_SET_QUOTA) {
        set_quota(harbor, call, answer);
    } else if (project == NULL) {
        answer->verdict = BERTH_HARBOR_ABSENT;
    } else if (call->kind == BERTH_HARBOR_UPDATE_PROJECT) {
        project->visibility = call->visibility;
    } else {
        delete_project(harbor, project, answer);
    }
}

static struct model_project *project_by_id(struct model_harbor *harbor, int64_t id) {
    for (size_t i = 0; i < harbor->projects_count; i++) {
        if (harbor->projects[i].exists && harbor->projects[i].id == id) {
            return &harbor->projects[i];
        }
    }
    return NULL;
}

/* ---- Robots ---- */

static void list_robots(struct model_harbor *harbor, const struct berth_harbor_call *call,
                        struct berth_harbor_answer *answer) {
    size_t skip = (size_t)(call->page - 1) * BERTH_HARBOR_PAGE_SIZE;
    answer->robots = harbor->page;
    for (size_t i = 0; i < harbor->robots_count; i++) {
        const struct model_robot *robot = &harbor->robots[i];
        if (!robot->exists || robot->project_id != call->project_id) {
            continue;
        }
        if ((size_t)answer->robots_total++ >= skip &&
            answer->robots_count < BERTH_HARBOR_PAGE_SIZE) {
            harbor->page[answer->robots_count++] = robot->robot;
        }
    }
}

static void create_robot(struct model_harbor *harbor, const struct berth_harbor_call *call,
                         struct berth_harbor_answer *answer) {
    struct model_project *project = model_harbor_find(harbor, call->space);
    if (project == NULL) { /* It goes by the name, whichever project that is by now. */
        answer->verdict = BERTH_HARBOR_ABSENT;
    } else if (harbor->refuses_robot != NULL &&
               strcmp(harbor->refuses_robot, call->workspace) == 0) {
        answer->verdict = BERTH_HARBOR_INVALID;
        (void)snprintf(answer->error, sizeof(answer->error), "BAD_REQUEST: bad robot");
    } else if (model_harbor_find_robot(harbor, project->id, call->robot_name) != NULL) {
        answer->verdict = BERTH_HARBOR_CONFLICT;
    } else {
        answer->robot_id =
            model_harbor_add_robot(harbor, project->id, call->robot_name, call->workspace)
                ->robot.id;
    }
}

static void answer_robot_call(struct model_harbor *harbor, const struct berth_harbor_call *call,
                              struct berth_harbor_answer *answer) {
    struct model_robot *robot = robot_by_id(harbor, call->robot_id);
    if (call->kind == BERTH_HARBOR_LIST_ROBOTS) {
        list_robots(harbor, call, answer);
    } else if (call->kind == BERTH_HARBOR_CREATE_ROBOT) {
        create_robot(harbor, call, answer);
    } else if (robot == NULL) {
        answer->verdict = BERTH_HARBOR_ABSENT;
    } else if (call->kind == BERTH_HARBOR_SET_SECRET) {
        robot->secret_derived = true;
    } else if (call->kind == BERTH_HARBOR_MEND_ROBOT) {
        robot->robot.disabled = false;
        robot->robot.altered = false;
        robot->robot.outdated = false;
        robot->robot.ours = true;
        robot->robot.kin = false;
        robot->secret_derived = false; /* At worst: PUT writes a secret that it read before. */
    } else {
        robot->exists = false;
    }
}

static struct model_robot *robot_by_id(struct model_harbor *harbor, int64_t id) {
    for (size_t i = 0; i < harbor->robots_count; i++) {
        if (harbor->robots[i].exists && harbor->robots[i].robot.id == id) {
            return &harbor->robots[i];
        }
    }
    return NULL;
}
