/* SPDX-License-Identifier: Apache-2.0 */
#include "crash_scenes.h"

#include <stdio.h>
#include <string.h>

#define STRANGERS_SPACE "strangers"
#define STRANGERS_ROBOT "robot-of-ci"

/* ---- What is there before ---- */

static void nothing(struct world *world) {
    (void)world;
}

static void send_first(struct world *world, enum berth_command_type type, int number,
                       const char *workspaces) {
    (void)world_send(world, 0, type, number, SCENE_SPACE, workspaces);
    world_run_idle(world);
}

/* Made by an earlier command, so Redis knows it well. */
static void own_space(struct world *world) {
    send_first(world, BERTH_CREATE_SPACE, 1, "");
}

static void own_space_with_a_quota(struct world *world) {
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, SCENE_SPACE, "");
    record->command.quota_given = true;
    record->command.quota_bytes = 500;
    world_redigest(record);
    world_run_idle(world);
}

static void one_bound(struct world *world) {
    own_space(world);
    send_first(world, BERTH_BIND_WORKSPACE, 2, "alpha");
}

static void two_bound(struct world *world) {
    own_space(world);
    send_first(world, BERTH_BIND_WORKSPACE, 2, "alpha beta");
}

static void public_space(struct world *world) {
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, SCENE_SPACE, "");
    record->command.visibility = BERTH_PUBLIC;
    world_redigest(record);
    world_run_idle(world);
}

/* Made by somebody else, with a robot of his. Redis knows nothing of it. */
static void strangers_space(struct world *world) {
    struct world_project *project = world_project_made(world, SCENE_SPACE);
    (void)world_robot_made(world, project, STRANGERS_ROBOT, "");
}

/* The same with a robot that bears our marker: what a lost Redis leaves behind. */
static void strangers_space_with_a_binding(struct world *world) {
    strangers_space(world);
    (void)world_robot_made(world, world_project(world, SCENE_SPACE), "ws-alpha", "alpha");
}

/* Somebody else's robot has the name that ours would have. */
static void name_taken(struct world *world) {
    strangers_space(world);
    (void)world_robot_made(world, world_project(world, SCENE_SPACE), "ws-alpha", "");
}

static void one_disabled(struct world *world) {
    strangers_space_with_a_binding(world);
    world_project(world, SCENE_SPACE)->robots[1].disabled = true;
}

/* What people do in Harbor to a binding that Redis shows. */
static void robot_gone_by_hand(struct world *world) {
    one_bound(world);
    world_project(world, SCENE_SPACE)->robots_count = 0;
    world_changed_by_hand(world, SCENE_SPACE);
}

static void robot_altered_by_hand(struct world *world) {
    one_bound(world);
    world_project(world, SCENE_SPACE)->robots[0].altered = true;
}

static void robot_disabled_by_hand(struct world *world) {
    one_bound(world);
    world_project(world, SCENE_SPACE)->robots[0].disabled = true;
}

static void remade_by_hand(struct world *world) {
    own_space(world);
    (void)world_robot_made(world, world_project_remade(world, SCENE_SPACE), STRANGERS_ROBOT, "");
}

/* It went by hand after it was bound; Redis still shows it. */
static void gone_by_hand(struct world *world) {
    one_bound(world);
    world_project_unmade(world, SCENE_SPACE);
}

/* ---- The scenes ---- */

const struct scene SCENES[] = {
    {.name = "create a private space",
     .set_up = nothing,
     .type = BERTH_CREATE_SPACE,
     .visibility = BERTH_PRIVATE,
     .code = "space.created",
     .harbor_calls = 1},
    {.name = "create a public space",
     .set_up = nothing,
     .type = BERTH_CREATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .code = "space.created",
     .harbor_calls = 1},
    {.name = "create with a quota",
     .set_up = nothing,
     .type = BERTH_CREATE_SPACE,
     .quota_bytes = 4096,
     .code = "space.created",
     .harbor_calls = 2},
    {.name = "create what is somebody else's",
     .set_up = strangers_space,
     .type = BERTH_CREATE_SPACE,
     .code = "space.already_exists",
     .otherwise = "space.create_unproved",
     .harbor_calls = 1},
    {.name = "create what an earlier command has created",
     .set_up = own_space,
     .type = BERTH_CREATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .code = "space.already_exists",
     .harbor_calls = 1},
    {.name = "adopt a space as it is",
     .set_up = strangers_space_with_a_binding,
     .type = BERTH_CREATE_SPACE,
     .if_exists = BERTH_IF_EXISTS_ADOPT,
     .code = "space.adopted",
     .harbor_calls = 2},
    {.name = "adopt a space and change it",
     .set_up = strangers_space_with_a_binding,
     .type = BERTH_CREATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .quota_bytes = 4096,
     .if_exists = BERTH_IF_EXISTS_ADOPT,
     .code = "space.adopted",
     .harbor_calls = 5},
    {.name = "create with ADOPT where nothing is",
     .set_up = nothing,
     .type = BERTH_CREATE_SPACE,
     .if_exists = BERTH_IF_EXISTS_ADOPT,
     .code = "space.created",
     .harbor_calls = 2},
    {.name = "update the visibility",
     .set_up = one_bound,
     .type = BERTH_UPDATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .code = "space.updated",
     .harbor_calls = 1},
    {.name = "update the quota",
     .set_up = own_space_with_a_quota,
     .type = BERTH_UPDATE_SPACE,
     .quota_bytes = 4096,
     .code = "space.updated",
     .harbor_calls = 2},
    {.name = "update both of a space that is cold",
     .set_up = strangers_space,
     .type = BERTH_UPDATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .quota_bytes = 4096,
     .code = "space.updated",
     .harbor_calls = 5},
    {.name = "update what is so already",
     .set_up = public_space,
     .type = BERTH_UPDATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .code = "space.updated",
     .harbor_calls = 1},
    {.name = "update what is not there",
     .set_up = nothing,
     .type = BERTH_UPDATE_SPACE,
     .visibility = BERTH_PUBLIC,
     .code = "space.not_found",
     .harbor_calls = 1},
    {.name = "delete",
     .set_up = own_space,
     .type = BERTH_DELETE_SPACE,
     .code = "space.deleted",
     .harbor_calls = 3},
    {.name = "delete with its bindings",
     .set_up = two_bound,
     .type = BERTH_DELETE_SPACE,
     .unbind = true,
     .code = "space.deleted",
     .harbor_calls = 3},
    {.name = "delete a space that is cold",
     .set_up = strangers_space,
     .type = BERTH_DELETE_SPACE,
     .unbind = true,
     .code = "space.deleted",
     .harbor_calls = 3},
    {.name = "delete what is bound",
     .set_up = one_bound,
     .type = BERTH_DELETE_SPACE,
     .code = "space.bound",
     .harbor_calls = 2},
    {.name = "delete what has gone by hand",
     .set_up = gone_by_hand,
     .type = BERTH_DELETE_SPACE,
     .unbind = true,
     .code = "space.deleted",
     .maybe_changed = true,
     .harbor_calls = 2},
    {.name = "bind one workspace",
     .set_up = own_space,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.bound",
     .harbor_calls = 3},
    {.name = "bind three workspaces, one of them bound",
     .set_up = one_bound,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha beta gamma",
     .code = "workspace.bound",
     .harbor_calls = 8},
    {.name = "bind three workspaces of a space that is cold",
     .set_up = strangers_space,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha beta gamma",
     .code = "workspace.bound",
     .harbor_calls = 9},
    {.name = "bind a workspace that was disabled",
     .set_up = one_disabled,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.bound",
     .harbor_calls = 4},
    {.name = "bind what is bound",
     .set_up = one_bound,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.bound",
     .harbor_calls = 3},
    {.name = "bind what was deleted by hand",
     .set_up = robot_gone_by_hand,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.bound",
     .known_before = "private alpha",
     .harbor_calls = 5},
    {.name = "bind what was altered by hand",
     .set_up = robot_altered_by_hand,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.bound",
     .harbor_calls = 4},
    {.name = "bind what was disabled by hand, while it is warm",
     .set_up = robot_disabled_by_hand,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha beta",
     .code = "workspace.bound",
     .harbor_calls = 7},
    {.name = "bind in a project that was made anew by hand",
     .set_up = remade_by_hand,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "space.replaced",
     .late_stays = true,
     .harbor_calls = 6},
    {.name = "bind where a name is taken by somebody else's robot",
     .set_up = name_taken,
     .type = BERTH_BIND_WORKSPACE,
     .workspaces = "alpha beta",
     .code = "binding.foreign_robot",
     .harbor_calls = 5},
    {.name = "unbind one of two",
     .set_up = two_bound,
     .type = BERTH_UNBIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.unbound",
     .harbor_calls = 1},
    {.name = "unbind two and one that isn't bound",
     .set_up = two_bound,
     .type = BERTH_UNBIND_WORKSPACE,
     .workspaces = "alpha beta gamma",
     .code = "workspace.unbound",
     .harbor_calls = 4},
    {.name = "unbind what isn't bound",
     .set_up = own_space,
     .type = BERTH_UNBIND_WORKSPACE,
     .workspaces = "alpha",
     .code = "workspace.unbound",
     .harbor_calls = 2},
    {.name = "set what is set",
     .set_up = two_bound,
     .type = BERTH_SET_WORKSPACE_BINDINGS,
     .workspaces = "alpha beta",
     .code = "workspace.bindings_set",
     .harbor_calls = 2},
    {.name = "set what was altered by hand",
     .set_up = robot_altered_by_hand,
     .type = BERTH_SET_WORKSPACE_BINDINGS,
     .workspaces = "alpha",
     .code = "workspace.bindings_set",
     .harbor_calls = 4},
    {.name = "set with adds and removes",
     .set_up = two_bound,
     .type = BERTH_SET_WORKSPACE_BINDINGS,
     .workspaces = "beta delta gamma",
     .code = "workspace.bindings_set",
     .harbor_calls = 8},
    {.name = "set to nothing",
     .set_up = two_bound,
     .type = BERTH_SET_WORKSPACE_BINDINGS,
     .workspaces = "",
     .code = "workspace.bindings_set",
     .harbor_calls = 2},
};

const size_t SCENES_COUNT = sizeof(SCENES) / sizeof(SCENES[0]);

/* ---- Running one ---- */

struct world *scene_open(const struct scene *scene) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    struct world_project *project = world_project_made(world, STRANGERS_SPACE);
    (void)world_robot_made(world, project, "ws-alpha", "");
    scene->set_up(world);
    world_trace_restart(world);
    world->harbor_calls = 0;
    world->effects = 0;
    return world;
}

struct world_record *scene_send(struct world *world, const struct scene *scene) {
    const char *workspaces = scene->workspaces != NULL ? scene->workspaces : "";
    struct world_record *record =
        world_send(world, 0, scene->type, SCENE_COMMAND, SCENE_SPACE, workspaces);
    struct berth_command *command = &record->command;
    command->visibility = scene->visibility;
    command->quota_given = scene->quota_bytes != 0;
    command->quota_bytes = scene->quota_bytes;
    command->if_exists = scene->if_exists;
    command->unbind = scene->unbind;
    world_redigest(record);
    return record;
}

static const struct world_robot *robot_of(const struct world_project *project, const char *name) {
    for (size_t i = 0; i < project->robots_count; i++) {
        if (strcmp(project->robots[i].name, name) == 0) {
            return &project->robots[i];
        }
    }
    return NULL;
}

void scene_check_strangers(struct world *world, const struct scene *scene) {
    const struct world_project *project = world_project(world, STRANGERS_SPACE);
    WORLD_CHECK(world, project != NULL);
    WORLD_CHECK(world, project->visibility == BERTH_PRIVATE);
    WORLD_CHECK(world, project->quota_bytes == BERTH_QUOTA_UNLIMITED);
    WORLD_CHECK(world, project->robots_count == 1);
    WORLD_CHECK(world, project->robots[0].secret_sets == 0);

    project = world_project(world, SCENE_SPACE);
    if (project == NULL || strcmp(project->owner, "somebody") != 0) {
        return;
    }
    WORLD_CHECK(world, scene->type != BERTH_DELETE_SPACE);
    const struct world_robot *robot = robot_of(project, STRANGERS_ROBOT);
    WORLD_CHECK(world, robot != NULL);
    WORLD_CHECK(world, !robot->disabled);
    WORLD_CHECK(world, robot->secret_sets == 0);
}
