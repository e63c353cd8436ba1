/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor as far as the engine sees it: projects, their quotas and robots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/space.h"
#include "engine_world_parts.h"

#define FIRST_PROJECT_ID 1000
#define QUOTA_ID_OFFSET  500000
#define PROBE_TIMEOUT_MS 2000 /* As in the client. */
/* What every worker's settings call the master key. */
#define KEY_ID "cafe0123"
/* What Harbor calls berth's account. */
#define ACCOUNT "berth"

static void apply(struct world *world, struct world_event *event);
static void answer(struct world *world, struct world_event *event);

/* What the registry as a whole does to a call, before any rule. */
static bool sick(struct world *world, const struct berth_harbor_call *call,
                 struct world_event *draft) {
    bool probe = call->kind == BERTH_HARBOR_PROBE;
    if (world->now_ms < world->sick[call->registry].until_ms &&
        !(probe && world->sick[call->registry].probes_fine)) {
        draft->fault = world->sick[call->registry].fault;
        draft->delay_ms = world->sick[call->registry].delay_ms;
        return true;
    }
    if (!probe && world->sick_space[0] != '\0' && strcmp(call->space, world->sick_space) == 0) {
        draft->fault = WORLD_SERVER_ERROR;
        return true;
    }
    return false;
}

void harbor_post(struct world *world, struct world_event *draft) {
    const struct berth_harbor_call *call = &draft->harbor_call;
    if (!sick(world, call, draft)) {
        draft->fault = world_pick_fault(world, WORLD_HARBOR, (int)call->kind, &draft->delay_ms);
    }
    world_post(world, draft, 0);
}

/*
 * One request arrives. Whether it is carried out and what its sender hears are two things.
 */
void harbor_runs(struct world *world, struct world_event *event) {
    bool write = berth_harbor_call_is_write(event->harbor_call.kind);
    if (event->fault == WORLD_UNKNOWN_LATE &&
        event->harbor_answer.verdict == BERTH_HARBOR_UNKNOWN) {
        apply(world, event); /* The second coming: nobody is told. */
        return;
    }
    if (write && !world->ledger_was_lost) {
        WORLD_CHECK(world, ledger_lane_held(world, event));
    }
    switch (event->fault) {
    case WORLD_BUSY:
        event->harbor_answer.verdict = BERTH_HARBOR_BUSY;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_RATE;
        event->harbor_answer.http_status = 429;
        event->harbor_answer.retry_after_ms = event->delay_ms;
        event->delay_ms = 0;
        break;
    case WORLD_READ_ONLY:
        event->harbor_answer.verdict = BERTH_HARBOR_READ_ONLY;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_READ_ONLY;
        break;
    case WORLD_SERVER_ERROR:
        event->harbor_answer.verdict = BERTH_HARBOR_UNKNOWN;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_SERVER;
        event->harbor_answer.http_status = 500;
        break;
    case WORLD_UNAUTHORIZED:
        event->harbor_answer.verdict = BERTH_HARBOR_UNAUTHENTICATED;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_CREDENTIALS;
        event->harbor_answer.http_status = 401;
        break;
    case WORLD_UNKNOWN_LOST:
    case WORLD_UNKNOWN_LATE:
        event->harbor_answer.verdict = BERTH_HARBOR_UNKNOWN;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_CONNECTION;
        break;
    case WORLD_UNKNOWN_APPLIED:
        apply(world, event);
        event->harbor_answer.verdict = BERTH_HARBOR_UNKNOWN;
        event->harbor_answer.trouble = BERTH_HARBOR_TROUBLE_CONNECTION;
        break;
    case WORLD_FINE:
    case WORLD_SLOW:
    case WORLD_LOSE_CALL:
    case WORLD_LOSE_REPLY:
    case WORLD_LATE_CALL:
    case WORLD_NOT_SENT:
    case WORLD_ABORT:
    case WORLD_BAD_KEY:
        apply(world, event);
        break;
    }
    answer(world, event);
}

static void answer(struct world *world, struct world_event *event) {
    struct world_event told = *event;
    event->robots = NULL; /* The copy owns them now. */
    told.kind = WORLD_HARBOR_ANSWERS;
    (void)snprintf(told.harbor_answer.error, sizeof(told.harbor_answer.error), "said %s",
                   berth_harbor_verdict_name(told.harbor_answer.verdict));
    int64_t delay_ms = 5;
    if (event->fault == WORLD_SLOW) {
        delay_ms += event->delay_ms;
    } else if (event->harbor_answer.trouble == BERTH_HARBOR_TROUBLE_CONNECTION) {
        int64_t timeout_ms = world->workers[event->worker].config.request_timeout_ms;
        if (event->harbor_call.kind == BERTH_HARBOR_PROBE && timeout_ms > PROBE_TIMEOUT_MS) {
            timeout_ms = PROBE_TIMEOUT_MS;
        }
        delay_ms =
            event->fault == WORLD_UNKNOWN_LATE ? 5 : event->asked_ms + timeout_ms - world->now_ms;
    }
    if (event->fault == WORLD_UNKNOWN_LATE) {
        struct world_event late = told;
        late.kind = WORLD_HARBOR_RUNS;
        late.robots = NULL;
        world_post(world, &late, delay_ms + event->delay_ms);
    }
    world_post(world, &told, delay_ms);
}

/* ---- Projects ---- */

struct world_project *harbor_project(struct world *world, uint32_t registry, const char *name) {
    for (size_t i = 0; i < world->projects_count; i++) {
        struct world_project *project = &world->projects[i];
        if (project->id != 0 && project->registry == registry && strcmp(project->name, name) == 0) {
            return project;
        }
    }
    return NULL;
}

static struct world_project *project_by_id(struct world *world, int64_t id) {
    size_t index = (size_t)(id - FIRST_PROJECT_ID);
    bool known = id >= FIRST_PROJECT_ID && index < world->projects_count;
    return known && world->projects[index].id != 0 ? &world->projects[index] : NULL;
}

static struct world_project *make_project(struct world *world, uint32_t registry,
                                          const char *name) {
    WORLD_CHECK(world, world->projects_count < WORLD_PROJECTS_MAX);
    struct world_project *project = &world->projects[world->projects_count];
    *project = (struct world_project){.id = FIRST_PROJECT_ID + (int64_t)world->projects_count,
                                      .registry = registry,
                                      .visibility = BERTH_PRIVATE,
                                      .quota_bytes = BERTH_QUOTA_UNLIMITED};
    world->projects_count++;
    (void)snprintf(project->name, sizeof(project->name), "%s", name);
    (void)snprintf(project->owner, sizeof(project->owner), "%s", ACCOUNT);
    return project;
}

static struct world_robot *make_robot(struct world *world, struct world_project *project,
                                      const char *name, const char *workspace) {
    if (project->robots_count == project->robots_capacity) {
        project->robots_capacity = 2 * project->robots_capacity + 4;
        project->robots =
            realloc(project->robots, project->robots_capacity * sizeof(*project->robots));
        WORLD_CHECK(world, project->robots != NULL);
    }
    struct world_robot *robot = &project->robots[project->robots_count++];
    *robot = (struct world_robot){.id = ++world->next_robot_id};
    (void)snprintf(robot->name, sizeof(robot->name), "%s", name);
    (void)snprintf(robot->workspace, sizeof(robot->workspace), "%s", workspace);
    return robot;
}

/* The robot of this id and its project. */
static struct world_robot *robot_by_id(struct world *world, int64_t id,
                                       struct world_project **ret_project) {
    for (size_t i = 0; i < world->projects_count; i++) {
        struct world_project *project = &world->projects[i];
        for (size_t j = 0; j < project->robots_count; j++) {
            if (project->robots[j].id == id) {
                *ret_project = project;
                return &project->robots[j];
            }
        }
    }
    return NULL;
}

/* ---- Requests ---- */

static enum berth_harbor_verdict create_project(struct world *world, struct world_event *event) {
    const struct berth_harbor_call *call = &event->harbor_call;
    if (harbor_project(world, call->registry, call->space) != NULL) {
        return BERTH_HARBOR_CONFLICT;
    }
    struct world_project *project = make_project(world, call->registry, call->space);
    project->visibility = call->visibility;
    if (call->quota_bytes != BERTH_QUOTA_UNSET) {
        project->quota_bytes = call->quota_bytes;
    }
    event->harbor_answer.project_id = project->id;
    return BERTH_HARBOR_DONE;
}

static enum berth_harbor_verdict get_project(struct world_event *event,
                                             const struct world_project *project) {
    if (project == NULL) {
        return BERTH_HARBOR_ABSENT;
    }
    struct berth_harbor_answer *answer = &event->harbor_answer;
    answer->project_id = project->id;
    answer->visibility = project->visibility;
    answer->repositories = project->repositories;
    (void)snprintf(answer->owner, sizeof(answer->owner), "%s", project->owner);
    return BERTH_HARBOR_DONE;
}

static enum berth_harbor_verdict delete_project(struct world_project *project) {
    if (project->repositories > 0) {
        return BERTH_HARBOR_NOT_EMPTY;
    }
    free(project->robots);
    *project = (struct world_project){.id = 0};
    return BERTH_HARBOR_DONE;
}

/* Of a project that is gone, an administrator is shown what is left of its robots: none. */
static enum berth_harbor_verdict list_robots(struct world *world, struct world_event *event) {
    static const struct world_project gone = {.id = 0};
    const struct world_project *project = project_by_id(world, event->harbor_call.project_id);
    project = project == NULL ? &gone : project;
    size_t first = (size_t)(event->harbor_call.page - 1) * BERTH_HARBOR_PAGE_SIZE;
    size_t count = project->robots_count > first ? project->robots_count - first : 0;
    count = count > BERTH_HARBOR_PAGE_SIZE ? BERTH_HARBOR_PAGE_SIZE : count;
    event->robots = calloc(count + 1, sizeof(*event->robots));
    WORLD_CHECK(world, event->robots != NULL);
    for (size_t i = 0; i < count; i++) {
        const struct world_robot *robot = &project->robots[first + i];
        struct berth_harbor_robot *told = &event->robots[i];
        told->id = robot->id;
        told->disabled = robot->disabled;
        told->altered = robot->altered;
        told->ours = robot->workspace[0] != '\0';
        (void)snprintf(told->name, sizeof(told->name), "%s", robot->name);
        (void)snprintf(told->workspace, sizeof(told->workspace), "%s", robot->workspace);
    }
    event->harbor_answer.robots_count = count;
    event->harbor_answer.robots_total = (int64_t)project->robots_count;
    return BERTH_HARBOR_DONE;
}

static enum berth_harbor_verdict create_robot(struct world *world, struct world_event *event,
                                              struct world_project *project) {
    const struct berth_harbor_call *call = &event->harbor_call;
    for (size_t i = 0; i < project->robots_count; i++) {
        if (strcmp(project->robots[i].name, call->robot_name) == 0) {
            return BERTH_HARBOR_CONFLICT;
        }
    }
    event->harbor_answer.robot_id =
        make_robot(world, project, call->robot_name, call->workspace)->id;
    return BERTH_HARBOR_DONE;
}

static enum berth_harbor_verdict change_robot(struct world *world, struct world_event *event) {
    struct world_project *project;
    struct world_robot *robot = robot_by_id(world, event->harbor_call.robot_id, &project);
    if (robot == NULL) {
        return BERTH_HARBOR_ABSENT;
    }
    if (event->harbor_call.kind == BERTH_HARBOR_SET_SECRET) {
        robot->secret_set = true;
        robot->secret_sets++;
    } else if (event->harbor_call.kind == BERTH_HARBOR_MEND_ROBOT) {
        robot->disabled = false;
        robot->altered = false;
    } else {
        size_t place = (size_t)(robot - project->robots);
        project->robots_count--;
        memmove(robot, robot + 1, (project->robots_count - place) * sizeof(*robot));
    }
    return BERTH_HARBOR_DONE;
}

/* Requests about a project that must be there. */
static enum berth_harbor_verdict in_project(struct world_event *event,
                                            struct world_project *project) {
    const struct berth_harbor_call *call = &event->harbor_call;
    if (project == NULL) {
        return BERTH_HARBOR_ABSENT;
    }
    if (call->kind == BERTH_HARBOR_UPDATE_PROJECT) {
        project->visibility = call->visibility;
        return BERTH_HARBOR_DONE;
    }
    if (call->kind == BERTH_HARBOR_DELETE_PROJECT) {
        return delete_project(project);
    }
    if (call->kind == BERTH_HARBOR_GET_QUOTA) {
        event->harbor_answer.quota_id = project->id + QUOTA_ID_OFFSET;
        event->harbor_answer.quota_bytes = project->quota_bytes;
        return BERTH_HARBOR_DONE;
    }
    BERTH_ASSERT(call->kind == BERTH_HARBOR_SET_QUOTA);
    project->quota_bytes = call->quota_bytes;
    return BERTH_HARBOR_DONE;
}

static void apply(struct world *world, struct world_event *event) {
    const struct berth_harbor_call *call = &event->harbor_call;
    enum berth_harbor_verdict verdict = BERTH_HARBOR_UNKNOWN;
    switch (call->kind) {
    case BERTH_HARBOR_CREATE_PROJECT:
        verdict = create_project(world, event);
        break;
    case BERTH_HARBOR_GET_PROJECT_NAME:
        verdict = get_project(event, harbor_project(world, call->registry, call->space));
        break;
    case BERTH_HARBOR_GET_PROJECT_ID:
        verdict = get_project(event, project_by_id(world, call->project_id));
        break;
    case BERTH_HARBOR_SET_QUOTA:
        verdict = in_project(event, project_by_id(world, call->quota_id - QUOTA_ID_OFFSET));
        break;
    case BERTH_HARBOR_UPDATE_PROJECT:
    case BERTH_HARBOR_DELETE_PROJECT:
    case BERTH_HARBOR_GET_QUOTA:
        verdict = in_project(event, project_by_id(world, call->project_id));
        break;
    case BERTH_HARBOR_LIST_ROBOTS:
        verdict = list_robots(world, event);
        break;
    case BERTH_HARBOR_CREATE_ROBOT: {
        struct world_project *project = harbor_project(world, call->registry, call->space);
        verdict = project == NULL ? BERTH_HARBOR_ABSENT : create_robot(world, event, project);
        break;
    }
    case BERTH_HARBOR_SET_SECRET:
    case BERTH_HARBOR_MEND_ROBOT:
    case BERTH_HARBOR_DELETE_ROBOT:
        verdict = change_robot(world, event);
        break;
    case BERTH_HARBOR_GET_ACCOUNT:
        (void)snprintf(event->harbor_answer.owner, sizeof(event->harbor_answer.owner), "%s",
                       ACCOUNT);
        verdict = BERTH_HARBOR_DONE;
        break;
    case BERTH_HARBOR_PROBE:
        verdict = BERTH_HARBOR_DONE;
        break;
    }
    event->harbor_answer.verdict = verdict;
}

/* ---- What is there ---- */

void harbor_state(struct world *world, uint32_t registry, const char *name,
                  struct berth_space_state *ret_state) {
    berth_space_state_deinit(ret_state, &world->pool);
    const struct world_project *project = harbor_project(world, registry, name);
    if (project == NULL) {
        ret_state->knowledge = BERTH_SPACE_ABSENT;
        return;
    }
    ret_state->knowledge = BERTH_SPACE_PRESENT;
    ret_state->project_id = project->id;
    ret_state->visibility = project->visibility;
    ret_state->quota_bytes = project->quota_bytes;
    for (size_t i = 0; i < project->robots_count; i++) {
        if (project->robots[i].workspace[0] != '\0') {
            struct berth_binding binding = {.robot_id = project->robots[i].id, .key_id = KEY_ID};
            (void)snprintf(binding.workspace, sizeof(binding.workspace), "%s",
                           project->robots[i].workspace);
            berth_space_state_put(ret_state, &binding, &world->pool);
        }
    }
}

bool harbor_secret_set(struct world *world, uint32_t registry, const char *name,
                       const char *workspace) {
    const struct world_project *project = harbor_project(world, registry, name);
    for (size_t i = 0; project != NULL && i < project->robots_count; i++) {
        if (strcmp(project->robots[i].workspace, workspace) == 0) {
            return project->robots[i].secret_set;
        }
    }
    return false;
}

static void expect_by_hand(struct world *world, uint32_t registry, const char *space) {
    struct world_expected *expected = kafka_expected(world, registry, space);
    harbor_state(world, registry, space, &expected->state);
    expected->ledger_may_differ = true;
}

void world_changed_by_hand(struct world *world, const char *space) {
    expect_by_hand(world, 0, space);
}

struct world_project *world_project(struct world *world, const char *space) {
    return harbor_project(world, 0, space);
}

struct world_project *world_project_made(struct world *world, const char *space) {
    struct world_project *project = make_project(world, 0, space);
    (void)snprintf(project->owner, sizeof(project->owner), "%s", "somebody");
    expect_by_hand(world, 0, space);
    return project;
}

void world_project_unmade(struct world *world, const char *space) {
    (void)delete_project(world_project(world, space));
    expect_by_hand(world, 0, space);
}

struct world_project *world_project_remade(struct world *world, const char *space) {
    world_project_unmade(world, space);
    return world_project_made(world, space);
}

struct world_robot *world_robot_made(struct world *world, struct world_project *project,
                                     const char *name, const char *workspace) {
    struct world_robot *robot = make_robot(world, project, name, workspace);
    robot->secret_set = true;
    expect_by_hand(world, project->registry, project->name);
    return robot;
}
