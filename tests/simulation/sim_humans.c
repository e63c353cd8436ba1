/* SPDX-License-Identifier: Apache-2.0 */
/* What people do in Harbor by hand. Where they did something, the reference isn't sure any more. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void make_project(struct sim *sim, int space);

static struct berth_model_caller human(void) {
    static const struct berth_model_user admin = {
        .id = BERTH_MODEL_ADMIN_ID, .name = "admin", .sysadmin = true};
    return berth_model_as_user(&admin);
}

static void all_dirty(struct sim *sim, int space) {
    for (int facet = 0; facet < SIM_FACETS; facet++) {
        sim_reference_dirty(sim, space, (enum sim_facet)facet);
    }
}

/* One of berth's robots there, chosen by chance; NULL: there is none. */
static const struct berth_model_robot *some_robot(struct sim *sim, int space) {
    const struct berth_model_project *project = sim_harbor_project(sim, space);
    struct berth_model_query_page page = {0};
    const struct berth_model_robot *found = NULL;
    if (project == NULL ||
        !sim_harbor_robots(sim, sim->spaces[space].registry, project->id, 1, &page)) {
        return NULL;
    }
    size_t first = page.count > 0 ? (size_t)sim_below(sim, (int64_t)page.count) : 0;
    for (size_t i = 0; i < page.count && found == NULL; i++) {
        const struct berth_model_robot *robot = page.items[(first + i) % page.count];
        int workspace;
        if (sim_harbor_is_ours(robot, &workspace)) {
            found = robot;
        }
    }
    berth_model_query_page_deinit(&page);
    return found;
}

/* What a person makes of one of berth's robots on Harbor's page. */
enum spoil {
    SPOIL_DISABLED,
    SPOIL_RIGHTS,
    SPOIL_MORE_RIGHTS,
    SPOIL_END,
    SPOIL_OLD_MARKER, /* Not a person but an older berth. */
};
#define SPOILS 5

static const char *const spoil_names[SPOILS] = {"disables", "changes the rights of",
                                                "adds rights to", "gives an end to",
                                                "puts an old marker on"};

static void spoil_robot(struct sim *sim, int space, const struct berth_model_robot *robot,
                        enum spoil spoil) {
    struct berth_model *model = sim->harbors[sim->spaces[space].registry];
    struct berth_model_caller caller = human();
    char name[BERTH_SPACE_BYTES + BERTH_ROBOT_NAME_BYTES + 16];
    (void)snprintf(name, sizeof(name), "%s%s", berth_model_robot_prefix(model), robot->name);
    char description[64]; /* Copies: the model frees what it has before it takes the new. */
    const char *workspace = strstr(robot->description, ";ws=");
    (void)snprintf(description, sizeof(description), "%s%s",
                   spoil == SPOIL_OLD_MARKER ? "berth=" SIM_DEPLOYMENT : robot->description,
                   spoil == SPOIL_OLD_MARKER ? workspace : "");
    const struct berth_model_access access[] = {
        {.resource = "repository", .action = spoil == SPOIL_RIGHTS ? "push" : "pull", .effect = ""},
        {.resource = "repository", .action = "push", .effect = ""},
    };
    const struct berth_model_permission permission = {.kind = "project",
                                                      .namespace = sim->spaces[space].name,
                                                      .access = access,
                                                      .access_count =
                                                          spoil == SPOIL_MORE_RIGHTS ? 2 : 1};
    const struct berth_model_robot_request request = {
        .name = name,
        .level = "project",
        .description = description,
        .disable = spoil == SPOIL_DISABLED,
        .duration_days = spoil == SPOIL_END ? 300 : -1,
        .has_duration = true,
        .permissions = &permission,
        .permission_count = 1,
    };
    sim_trace(sim, "a human %s robot %s", spoil_names[spoil], robot->name);
    sim_reference_dirty(sim, space, SIM_BINDINGS);
    (void)berth_model_update_robot(model, &caller, robot->id, &request, SIM_WALL_MS + sim->now_ms);
}

int sim_human_spoils(struct sim *sim, int space, bool disable) {
    const struct berth_model_robot *robot = some_robot(sim, space);
    int workspace = -1;
    if (robot != NULL && sim_harbor_is_ours(robot, &workspace)) {
        enum spoil altered = SPOIL_RIGHTS + (enum spoil)sim_below(sim, 3);
        spoil_robot(sim, space, robot, disable ? SPOIL_DISABLED : altered);
    }
    return workspace;
}

static void set_secret(struct sim *sim, int space, const struct berth_model_robot *robot) {
    struct berth_model_caller caller = human();
    int workspace = 0;
    if (sim_harbor_is_ours(robot, &workspace)) {
        sim_trace(sim, "a human sets the secret of robot %s", robot->name);
        sim_reference_dirty(sim, space, SIM_BINDINGS);
        sim->spaces[space].secrets_by_hand[workspace] = robot->id;
        (void)berth_model_set_robot_secret(sim->harbors[sim->spaces[space].registry], &caller,
                                           robot->id, "SetByHand1", true,
                                           SIM_WALL_MS + sim->now_ms);
    }
}

int sim_human_deletes(struct sim *sim, int space) {
    struct berth_model *model = sim->harbors[sim->spaces[space].registry];
    struct berth_model_caller caller = human();
    struct berth_model_project_ref ref = {.text = sim->spaces[space].name, .is_name = true};
    if (berth_model_delete_project(model, &caller, ref).status != 200) {
        return -1;
    }
    sim_trace(sim, "a human deletes project %s", ref.text);
    all_dirty(sim, space);
    return (int)sim_below(sim, SIM_WORKSPACES);
}

static void change_robot(struct sim *sim, int space) {
    const struct berth_model_robot *robot = some_robot(sim, space);
    if (robot == NULL) {
        return;
    }
    int64_t what = sim_below(sim, SPOILS + 2);
    if (what < SPOILS) {
        spoil_robot(sim, space, robot, (enum spoil)what);
        return;
    }
    if (what == SPOILS) {
        set_secret(sim, space, robot);
        return;
    }
    struct berth_model_caller caller = human();
    sim_trace(sim, "a human deletes robot %s", robot->name);
    sim_reference_dirty(sim, space, SIM_BINDINGS);
    (void)berth_model_delete_robot(sim->harbors[sim->spaces[space].registry], &caller, robot->id);
}

void sim_human_pushes(struct sim *sim, int space) {
    sim_trace(sim, "a human pushes to %s", sim->spaces[space].name);
    sim->spaces[space].touched_ms = sim->now_ms;
    (void)berth_model_put_repository(sim->harbors[sim->spaces[space].registry],
                                     sim->spaces[space].name, "image");
}

static void set_quota(struct sim *sim, int space, const struct berth_model_project *project) {
    struct berth_model_caller caller = human();
    const struct berth_model_limit limit = {.resource = "storage",
                                            .value = 1 + sim_below(sim, 1000)};
    sim_trace(sim, "a human sets the quota of %s", project->name);
    sim_reference_dirty(sim, space, SIM_QUOTA);
    (void)berth_model_update_quota(sim->harbors[sim->spaces[space].registry], &caller,
                                   project->quota_id, &limit, 1, SIM_WALL_MS + sim->now_ms);
}

static void change_project(struct sim *sim, int space, const struct berth_model_project *project) {
    struct berth_model *model = sim->harbors[sim->spaces[space].registry];
    struct berth_model_caller caller = human();
    struct berth_model_project_ref ref = {.text = sim->spaces[space].name, .is_name = true};
    switch (sim_below(sim, 5)) {
    case 0:
        sim_trace(sim, "a human turns the visibility of %s", project->name);
        sim_reference_dirty(sim, space, SIM_VISIBILITY);
        (void)berth_model_update_project(model, &caller, ref,
                                         strcmp(project->is_public, "true") == 0 ? "false" : "true",
                                         SIM_WALL_MS + sim->now_ms);
        break;
    case 1:
        set_quota(sim, space, project);
        break;
    case 2:
        sim_human_pushes(sim, space);
        break;
    case 3:
        sim_trace(sim, "a human removes the repository of %s", project->name);
        (void)berth_model_remove_repository(model, ref.text, "image");
        break;
    default:
        if (sim_chance(sim, 50)) {
            (void)sim_human_remakes(sim, space);
        } else {
            (void)sim_human_deletes(sim, space);
        }
        break;
    }
}

void sim_human_changes(struct sim *sim, int space) {
    sim->spaces[space].touched_ms = sim->now_ms;
    const struct berth_model_project *project = sim_harbor_project(sim, space);
    if (project == NULL) {
        sim_human_makes(sim, space, NULL);
    } else if (sim_chance(sim, 50)) {
        change_robot(sim, space);
    } else {
        change_project(sim, space, project);
    }
}

int sim_human_remakes(struct sim *sim, int space) {
    int workspace = sim_human_deletes(sim, space);
    if (workspace >= 0) {
        make_project(sim, space);
    }
    return workspace;
}

static void make_project(struct sim *sim, int space) {
    struct berth_model_caller caller = human();
    const struct berth_model_project_request request = {
        .name = sim->spaces[space].name, .is_public = sim_chance(sim, 30) ? "true" : "false"};
    const struct berth_model_project *project = NULL;
    sim_trace(sim, "a human makes project %s", sim->spaces[space].name);
    all_dirty(sim, space);
    (void)berth_model_create_project(sim->harbors[sim->spaces[space].registry], &caller, &request,
                                     SIM_WALL_MS + sim->now_ms, &project);
}

void sim_human_makes(struct sim *sim, int space, const struct berth_harbor_call *call) {
    struct sim_space *where = &sim->spaces[space];
    where->touched_ms = sim->now_ms;
    if (sim_harbor_project(sim, space) == NULL) {
        make_project(sim, space);
        return;
    }
    where->foreign_made_ms = sim->now_ms;
    char name[BERTH_ROBOT_NAME_BYTES];
    bool named = call != NULL && call->robot_name[0] != '\0';
    (void)snprintf(name, sizeof(name), named ? "%s" : "ci-%s",
                   named ? call->robot_name : sim->spaces[space].name);
    if (!named && sim_chance(sim, 50)) {
        (void)snprintf(name, sizeof(name), "ws-t%d", (int)sim_below(sim, SIM_WORKSPACES));
    }
    /* The last one: another installation's, for the workspace that the name is of. */
    char kin[128];
    (void)snprintf(kin, sizeof(kin), "berth=" SIM_DEPLOYMENT ";key=" SIM_OTHER_KEY_ID ";ws=%s",
                   strncmp(name, "ws-", 3) == 0 ? name + 3 : "t1");
    const char *const descriptions[] = {"made by hand", "berth=another;ws=t1", kin};
    const struct berth_model_access access = {
        .resource = "repository", .action = "push", .effect = ""};
    const struct berth_model_permission permission = {
        .kind = "project", .namespace = where->name, .access = &access, .access_count = 1};
    const struct berth_model_robot_request request = {
        .name = name,
        .level = "project",
        .description = descriptions[sim_below(sim, 3)],
        .duration_days = -1,
        .has_duration = true,
        .permissions = &permission,
        .permission_count = 1,
    };
    struct berth_model_caller caller = human();
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict =
        berth_model_create_robot(sim->harbors[where->registry], &caller, &request,
                                 "Hb1MadeByHand000000", SIM_WALL_MS + sim->now_ms, &robot);
    sim_trace(sim, "a human makes robot %s in %s: %d", name, where->name, verdict.status);
}
