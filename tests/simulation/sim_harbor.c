/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the engine on the stand-in's model of Harbor's rules, and its verdicts as answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

#define ACCOUNT_ID   3
#define SECRET       "Hb1SimulatedSecret0"
#define PROJECTS_MAX 4096

/* Which command made which project. */
struct sim_makers {
    int commands[SIM_REGISTRIES][PROJECTS_MAX];
};

void sim_harbor_init(struct sim *sim) {
    sim->makers = calloc(1, sizeof(*sim->makers));
    BERTH_ASSERT(sim->makers != NULL);
    for (int i = 0; i < SIM_REGISTRIES; i++) {
        const struct berth_model_options options = {.admin_password = "Harbor12345",
                                                    .now_ms = SIM_WALL_MS};
        sim->harbors[i] = berth_model_new(&options);
        sim->accounts[i] =
            berth_model_add_user(sim->harbors[i], ACCOUNT_ID, SIM_ACCOUNT, "Harbor12345", true);
    }
}

void sim_harbor_deinit(struct sim *sim) {
    for (int i = 0; i < SIM_REGISTRIES; i++) {
        sim->harbors[i] = berth_model_free(sim->harbors[i]);
    }
    free(sim->makers);
}

int sim_harbor_maker(const struct sim *sim, int registry, int64_t project_id) {
    return project_id < PROJECTS_MAX ? sim->makers->commands[registry][project_id] : 0;
}

struct berth_model_caller sim_harbor_account(const struct sim *sim, int registry) {
    return berth_model_as_user(sim->accounts[registry]);
}

/* Whether the robot bears a marker of this deployment with this in front of the workspace, and the
 * name that fits. */
static bool bears(const struct berth_model_robot *robot, const char *key, int *ret_workspace) {
    char marker[64];
    int len = snprintf(marker, sizeof(marker), "berth=" SIM_DEPLOYMENT "%s;ws=", key);
    const char *workspace = robot->description + len;
    const char *name = strchr(robot->name, '+');
    if (strncmp(robot->description, marker, (size_t)len) != 0 || workspace[0] != 't' ||
        name == NULL || strncmp(name, "+ws-", 4) != 0 || strcmp(name + 4, workspace) != 0) {
        return false;
    }
    *ret_workspace = sim_workspace_of(workspace);
    return true;
}

bool sim_harbor_is_ours(const struct berth_model_robot *robot, int *ret_workspace) {
    return bears(robot, ";key=" SIM_KEY_ID, ret_workspace) || bears(robot, "", ret_workspace);
}

/* Anything but exactly a pull from its own project, without an end. */
static bool is_altered(const struct berth_model_robot *robot) {
    const struct berth_model_permission *permission = robot->permissions;
    size_t len = robot->permission_count == 1 ? strlen(permission->namespace) : 0;
    return robot->expires_at_s != -1 || robot->permission_count != 1 ||
           permission->access_count != 1 ||
           strcmp(permission->access[0].resource, "repository") != 0 ||
           strcmp(permission->access[0].action, "pull") != 0 ||
           strncmp(robot->name, permission->namespace, len) != 0 || robot->name[len] != '+';
}

bool sim_harbor_robots(struct sim *sim, int registry, int64_t project_id, int64_t page,
                       struct berth_model_query_page *ret_page) {
    char text[64];
    struct berth_model_query query;
    berth_model_query_init(&query);
    (void)snprintf(text, sizeof(text), "Level=project,ProjectID=%lld", (long long)project_id);
    struct berth_error error;
    BERTH_ASSERT(berth_model_query_parse(&query, text, &error) == BERTH_OK);
    berth_model_query_parse_sort(&query, "id");
    query.page = page;
    query.page_size = BERTH_HARBOR_PAGE_SIZE;
    struct berth_model_caller caller = sim_harbor_account(sim, registry);
    struct berth_model_verdict verdict =
        berth_model_list_robots(sim->harbors[registry], &caller, &query, ret_page);
    return verdict.status == 200;
}

const struct berth_model_project *sim_harbor_project(const struct sim *sim, int space) {
    return berth_model_find_project(
        sim->harbors[sim->spaces[space].registry],
        (struct berth_model_project_ref){.text = sim->spaces[space].name, .is_name = true});
}

/* ---- Requests ---- */

struct request {
    struct sim *sim;
    struct sim_event *event;
    struct berth_model *model;
    struct berth_model_caller caller;
    char id[24]; /* Of the project, as a URL names it. */
    int64_t wall_ms;
};

static struct berth_model_project_ref by_id(const struct request *request) {
    return (struct berth_model_project_ref){.text = request->id};
}

static struct berth_model_verdict create_project(struct request *request) {
    const struct berth_harbor_call *call = &request->event->call;
    const struct berth_model_project_request wanted = {
        .name = call->space,
        .is_public = call->visibility == BERTH_PUBLIC ? "true" : "false",
        .storage_limit_bytes = call->quota_bytes,
    };
    const struct berth_model_project *project = NULL;
    struct berth_model_verdict verdict = berth_model_create_project(
        request->model, &request->caller, &wanted, request->wall_ms, &project);
    if (verdict.status == 201) {
        BERTH_ASSERT(project->id < PROJECTS_MAX);
        request->event->answer.project_id = project->id;
        request->sim->makers->commands[call->registry][project->id] =
            request->event->record->number;
    }
    return verdict;
}

static struct berth_model_verdict get_project(struct request *request, bool by_name) {
    const struct berth_model_project *project = NULL;
    struct berth_model_project_ref ref = by_id(request);
    if (by_name) {
        ref = (struct berth_model_project_ref){.text = request->event->call.space, .is_name = true};
    }
    struct berth_model_verdict verdict =
        berth_model_get_project(request->model, &request->caller, ref, "read", &project);
    if (verdict.status == 200) {
        struct berth_harbor_answer *answer = &request->event->answer;
        answer->project_id = project->id;
        answer->visibility = strcmp(project->is_public, "true") == 0 ? BERTH_PUBLIC : BERTH_PRIVATE;
        answer->repositories = project->repository_count;
        (void)snprintf(answer->owner, sizeof(answer->owner), "%s", project->owner_name);
    }
    return verdict;
}

static struct berth_model_verdict get_quota(struct request *request) {
    struct berth_model_query query;
    struct berth_model_query_page page = {0};
    berth_model_query_init(&query);
    struct berth_model_verdict verdict = berth_model_list_quotas(
        request->model, &request->caller, request->event->call.project_id, &query, &page);
    if (verdict.status == 200) {
        if (page.count == 1) {
            const struct berth_model_project *project = page.items[0];
            request->event->answer.quota_id = project->quota_id;
            request->event->answer.quota_bytes = project->storage_limit_bytes;
        }
        berth_model_query_page_deinit(&page);
    }
    return verdict;
}

static struct berth_model_verdict list_robots(struct request *request) {
    const struct berth_harbor_call *call = &request->event->call;
    struct berth_model_query_page page = {0};
    struct berth_model_verdict verdict = {.status = 500, .code = ""};
    if (!sim_harbor_robots(request->sim, (int)call->registry, call->project_id, call->page,
                           &page)) {
        return verdict;
    }
    struct berth_harbor_robot *robots = calloc(page.count + 1, sizeof(*robots));
    BERTH_ASSERT(robots != NULL);
    for (size_t i = 0; i < page.count; i++) {
        const struct berth_model_robot *robot = page.items[i];
        const char *name = strchr(robot->name, '+');
        int workspace;
        robots[i].id = robot->id;
        robots[i].disabled = robot->disabled;
        (void)snprintf(robots[i].name, sizeof(robots[i].name), "%s", name == NULL ? "" : name + 1);
        robots[i].ours = sim_harbor_is_ours(robot, &workspace);
        robots[i].kin = !robots[i].ours && bears(robot, ";key=" SIM_OTHER_KEY_ID, &workspace);
        if (robots[i].ours || robots[i].kin) {
            robots[i].altered = is_altered(robot);
            robots[i].outdated = robots[i].kin || bears(robot, "", &workspace);
            (void)snprintf(robots[i].workspace, sizeof(robots[i].workspace), "t%d", workspace);
        }
    }
    request->event->robots = robots;
    request->event->answer.robots_count = page.count;
    request->event->answer.robots_total = page.total;
    berth_model_query_page_deinit(&page);
    verdict.status = 200;
    return verdict;
}

/* What a robot of ours looks like. The permission is one of a kind, so nobody else needs it. */
struct robot_text {
    char description[160];
    char name[BERTH_SPACE_BYTES + BERTH_ROBOT_NAME_BYTES + 16];
    struct berth_model_access access;
    struct berth_model_permission permission;
    struct berth_model_robot_request request;
};

static void describe_robot(const struct berth_harbor_call *call, struct robot_text *text) {
    (void)snprintf(text->description, sizeof(text->description), "berth=%s;key=%s;ws=%s",
                   SIM_DEPLOYMENT, SIM_KEY_ID, call->workspace);
    (void)snprintf(text->name, sizeof(text->name), "%s", call->robot_name);
    text->access =
        (struct berth_model_access){.resource = "repository", .action = "pull", .effect = ""};
    text->permission = (struct berth_model_permission){
        .kind = "project", .namespace = call->space, .access = &text->access, .access_count = 1};
    text->request = (struct berth_model_robot_request){
        .name = text->name,
        .level = "project",
        .description = text->description,
        .duration_days = -1,
        .has_duration = true,
        .permissions = &text->permission,
        .permission_count = 1,
    };
}

static struct berth_model_verdict create_robot(struct request *request) {
    struct robot_text text;
    const struct berth_model_robot *robot = NULL;
    describe_robot(&request->event->call, &text);
    struct berth_model_verdict verdict =
        berth_model_create_robot(request->model, &request->caller, &text.request,
                                 "Hb1MadeUpByHarbor00", request->wall_ms, &robot);
    if (verdict.status == 201) {
        request->event->answer.robot_id = robot->id;
    }
    return verdict;
}

/* Whatever is written to a robot is written to one of ours. */
static const struct berth_model_robot *own_robot(struct request *request) {
    const struct berth_model_robot *robot = NULL;
    int workspace;
    struct berth_model_verdict verdict = berth_model_get_robot(
        request->model, &request->caller, request->event->call.robot_id, &robot);
    if (verdict.status != 200) {
        return NULL;
    }
    SIM_CHECK(request->sim, sim_harbor_is_ours(robot, &workspace),
              "no foreign object is touched: a write to a robot that isn't berth's");
    return robot;
}

static struct berth_model_verdict mend_robot(struct request *request) {
    static const struct berth_model_verdict absent = {.status = 404, .code = "NOT_FOUND"};
    const struct berth_model_robot *robot = own_robot(request);
    struct robot_text text;
    if (robot == NULL) {
        return absent; /* The client looks at it first. */
    }
    describe_robot(&request->event->call, &text);
    (void)snprintf(text.name, sizeof(text.name), "%s%s", berth_model_robot_prefix(request->model),
                   robot->name);
    return berth_model_update_robot(request->model, &request->caller, robot->id, &text.request,
                                    request->wall_ms);
}

static struct berth_model_verdict delete_project(struct request *request) {
    const struct berth_model_project *project =
        berth_model_find_project(request->model, by_id(request));
    SIM_CHECK(request->sim,
              project == NULL || strcmp(project->name, request->event->call.space) == 0,
              "only the project of the command's space is deleted");
    return berth_model_delete_project(request->model, &request->caller, by_id(request));
}

static struct berth_model_verdict carry_out(struct request *request) {
    const struct berth_harbor_call *call = &request->event->call;
    switch (call->kind) {
    case BERTH_HARBOR_CREATE_PROJECT:
        return create_project(request);
    case BERTH_HARBOR_GET_PROJECT_NAME:
        return get_project(request, true);
    case BERTH_HARBOR_GET_PROJECT_ID:
        return get_project(request, false);
    case BERTH_HARBOR_UPDATE_PROJECT:
        return berth_model_update_project(request->model, &request->caller, by_id(request),
                                          call->visibility == BERTH_PUBLIC ? "true" : "false",
                                          request->wall_ms);
    case BERTH_HARBOR_DELETE_PROJECT:
        return delete_project(request);
    case BERTH_HARBOR_GET_QUOTA:
        return get_quota(request);
    case BERTH_HARBOR_SET_QUOTA: {
        const struct berth_model_limit limit = {.resource = "storage", .value = call->quota_bytes};
        return berth_model_update_quota(request->model, &request->caller, call->quota_id, &limit, 1,
                                        request->wall_ms);
    }
    case BERTH_HARBOR_LIST_ROBOTS:
        return list_robots(request);
    case BERTH_HARBOR_CREATE_ROBOT:
        return create_robot(request);
    case BERTH_HARBOR_SET_SECRET:
        (void)own_robot(request);
        return berth_model_set_robot_secret(request->model, &request->caller, call->robot_id,
                                            SECRET, true, request->wall_ms);
    case BERTH_HARBOR_MEND_ROBOT:
        return mend_robot(request);
    case BERTH_HARBOR_DELETE_ROBOT:
        (void)own_robot(request);
        return berth_model_delete_robot(request->model, &request->caller, call->robot_id);
    case BERTH_HARBOR_GET_ACCOUNT:
        (void)snprintf(request->event->answer.owner, sizeof(request->event->answer.owner), "%s",
                       SIM_ACCOUNT);
        return (struct berth_model_verdict){.status = 200, .code = ""};
    case BERTH_HARBOR_PROBE:
        return (struct berth_model_verdict){.status = 200, .code = ""};
    }
    BERTH_UNREACHABLE("every call is known");
}

/* As src/codec/harbor_reply.c judges. */
static enum berth_harbor_verdict judge(const struct berth_harbor_call *call,
                                       const struct berth_model_verdict *said) {
    bool creates =
        call->kind == BERTH_HARBOR_CREATE_PROJECT || call->kind == BERTH_HARBOR_CREATE_ROBOT;
    bool lists = call->kind == BERTH_HARBOR_GET_QUOTA || call->kind == BERTH_HARBOR_LIST_ROBOTS;
    switch (said->status) {
    case 200:
    case 201:
        return BERTH_HARBOR_DONE;
    case 404:
        return lists || call->kind == BERTH_HARBOR_CREATE_PROJECT ? BERTH_HARBOR_UNKNOWN
                                                                  : BERTH_HARBOR_ABSENT;
    case 409:
        return creates ? BERTH_HARBOR_CONFLICT : BERTH_HARBOR_UNKNOWN;
    case 412:
        return call->kind == BERTH_HARBOR_DELETE_PROJECT ? BERTH_HARBOR_NOT_EMPTY
                                                         : BERTH_HARBOR_UNKNOWN;
    case 400:
    case 422:
        return BERTH_HARBOR_INVALID;
    case 401:
        return BERTH_HARBOR_UNAUTHENTICATED;
    case 403:
        return BERTH_HARBOR_FORBIDDEN;
    default:
        return BERTH_HARBOR_UNKNOWN;
    }
}

void sim_harbor_apply(struct sim *sim, struct sim_event *event) {
    struct request request = {
        .sim = sim,
        .event = event,
        .model = sim->harbors[event->call.registry],
        .caller = sim_harbor_account(sim, (int)event->call.registry),
        .wall_ms = SIM_WALL_MS + sim->now_ms,
    };
    (void)snprintf(request.id, sizeof(request.id), "%lld", (long long)event->call.project_id);
    struct berth_model_verdict said = carry_out(&request);
    event->answer.http_status = said.status;
    event->answer.verdict = judge(&event->call, &said);
    if (berth_harbor_call_is_write(event->call.kind)) {
        __atomic_add_fetch(&sim->meetings->writes, 1, __ATOMIC_RELAXED);
    }
}

/* ---- What is there ---- */

void sim_harbor_state(struct sim *sim, int space, struct sim_state *ret_state) {
    memset(ret_state, 0, sizeof(*ret_state));
    int registry = sim->spaces[space].registry;
    struct berth_model *model = sim->harbors[registry];
    const struct berth_model_project *project = sim_harbor_project(sim, space);
    ret_state->knowledge = project != NULL ? BERTH_SPACE_PRESENT : BERTH_SPACE_ABSENT;
    if (project == NULL) {
        return;
    }
    ret_state->project_id = project->id;
    ret_state->visibility = strcmp(project->is_public, "true") == 0 ? BERTH_PUBLIC : BERTH_PRIVATE;
    ret_state->quota_bytes = project->storage_limit_bytes;
    struct berth_model_query_page page = {0};
    if (!sim_harbor_robots(sim, registry, project->id, 1, &page)) {
        return;
    }
    for (size_t i = 0; i < page.count; i++) {
        const struct berth_model_robot *robot = page.items[i];
        int workspace;
        if (!sim_harbor_is_ours(robot, &workspace)) {
            continue;
        }
        char login[BERTH_SPACE_BYTES + BERTH_ROBOT_NAME_BYTES + 16];
        (void)snprintf(login, sizeof(login), "%s%s", berth_model_robot_prefix(model), robot->name);
        struct berth_model_caller caller =
            berth_model_authenticate(model, login, SECRET, SIM_WALL_MS + sim->now_ms);
        ret_state->robots[workspace] = robot->id;
        ret_state->disabled[workspace] = robot->disabled;
        ret_state->altered[workspace] = is_altered(robot);
        /* A disabled one can't show it. */
        ret_state->keyed[workspace] = robot->disabled || caller.kind == BERTH_MODEL_ROBOT;
    }
    berth_model_query_page_deinit(&page);
}

int64_t sim_harbor_repositories(struct sim *sim, int space) {
    const struct berth_model_project *project = sim_harbor_project(sim, space);
    return project == NULL ? 0 : project->repository_count;
}
