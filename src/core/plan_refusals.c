/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: what each is called, what people are told, and what to do about it. */
#include "berth/base/assert.h"
#include "berth/core/codes.h"
#include "plan_parts.h"
#include "text.h"

/* Adds the details that the sentence, or its translation, needs besides registry and space, and for
 * a workspace's refusal the workspace. */
typedef void details_fn(const struct berth_work *work, const struct berth_plan_item *item,
                        struct berth_outcome *outcome);

static details_fn tell_owner;
static details_fn tell_project;
static details_fn tell_bindings;
static details_fn tell_repositories;
static details_fn tell_foreign_robots;
static details_fn tell_bindings_count;
static details_fn tell_harbors_words;
static details_fn tell_robot_name;

/* {name} stands for the detail of that name. */
static const struct {
    const char *code;
    const char *sentence;
    details_fn *tell; /* NULL: nothing more. */
} REFUSALS[BERTH_REFUSALS] = {
    [BERTH_REFUSAL_ALREADY_EXISTS] =
        {BERTH_CODE_SPACE_ALREADY_EXISTS,
         "Space '{space}' already exists in registry '{registry}': choose another name, or take it "
         "over with if_exists ADOPT (berth send create-space --adopt).",
         NULL},
    [BERTH_REFUSAL_CREATE_UNPROVED] =
        {BERTH_CODE_SPACE_CREATE_UNPROVED,
         "Space '{space}' exists in registry '{registry}', and whether this command or somebody "
         "else created it can't be proved: take it over with if_exists ADOPT (berth send "
         "create-space "
         "--adopt).",
         tell_owner},
    [BERTH_REFUSAL_NOT_FOUND] =
        {BERTH_CODE_SPACE_NOT_FOUND,
         "Space '{space}' does not exist in registry '{registry}': create it first (berth send "
         "create-space).",
         NULL},
    [BERTH_REFUSAL_REPLACED] =
        {BERTH_CODE_SPACE_REPLACED,
         "The space that this command was sent for is gone, and another project in registry "
         "'{registry}' is called '{space}' now, in which nothing was changed: if that is meant, "
         "send "
         "a new command.",
         tell_project},
    [BERTH_REFUSAL_PROTECTED] =
        {BERTH_CODE_SPACE_PROTECTED,
         "Space '{space}' is protected from deletion by berth's configuration.", NULL},
    [BERTH_REFUSAL_BOUND] =
        {BERTH_CODE_SPACE_BOUND,
         "Space '{space}' is still bound to {workspaces}: unbind first, or delete it with unbind "
         "(berth send delete-space --unbind).",
         tell_bindings},
    [BERTH_REFUSAL_NOT_EMPTY] =
        {BERTH_CODE_SPACE_NOT_EMPTY,
         "Space '{space}' is not empty (repositories: {repositories}): delete its repositories in "
         "Harbor first.",
         tell_repositories},
    [BERTH_REFUSAL_FOREIGN_ROBOTS] =
        {BERTH_CODE_SPACE_FOREIGN_ROBOTS,
         "Space '{space}' has robot accounts that are not berth's (number: {foreign_robots}, such "
         "as '{foreign_robot}'): delete them in Harbor first, or delete the space with unbind "
         "(berth send "
         "delete-space --unbind).",
         tell_foreign_robots},
    [BERTH_REFUSAL_TOO_MANY_ROBOTS] =
        {BERTH_CODE_SPACE_TOO_MANY_ROBOTS,
         "Space '{space}' has more robot accounts than berth can handle (1,000 bindings, 10,000 in "
         "all): delete some in Harbor first.",
         NULL},
    [BERTH_REFUSAL_TOO_MANY_BINDINGS] =
        {BERTH_CODE_SPACE_TOO_MANY_BINDINGS,
         "A space takes at most 1,000 bindings, and '{space}' already has {bindings}: unbind some "
         "first, or send fewer workspaces.",
         tell_bindings_count},
    [BERTH_REFUSAL_QUOTA_UNSUPPORTED] =
        {BERTH_CODE_QUOTA_UNSUPPORTED,
         "Registry '{registry}' keeps no quota for space '{space}': switch on project quotas in "
         "Harbor and, for a project that was made before, POST /api/internal/syncquota there; or "
         "send the command without quota_bytes (--quota).",
         NULL},
    [BERTH_REFUSAL_CREATED_WITHOUT_QUOTA] =
        {BERTH_CODE_QUOTA_UNSUPPORTED,
         "Space '{space}' was created, but without its quota, because registry '{registry}' keeps "
         "none: switch on project quotas in Harbor, POST /api/internal/syncquota there and send "
         "UpdateSpace (berth send update-space --quota), or leave it so.",
         NULL},
    [BERTH_REFUSAL_HARBOR] =
        {BERTH_CODE_HARBOR_REFUSED,
         "Harbor refuses this for space '{space}': HTTP {harbor_status} to {harbor_call}: {harbor} "
         "(request id {harbor_request}); it will not work as it was sent.",
         tell_harbors_words},
    [BERTH_REFUSAL_WORKSPACE_HARBOR] =
        {BERTH_CODE_HARBOR_REFUSED,
         "Harbor refuses workspace '{workspace}' for space '{space}': HTTP {harbor_status} to "
         "{harbor_call}: {harbor} (request id {harbor_request}); it will not work as it was sent.",
         tell_harbors_words},
    [BERTH_REFUSAL_WORKSPACE_FOREIGN_ROBOT] =
        {BERTH_CODE_BINDING_FOREIGN_ROBOT,
         "Workspace '{workspace}' can't be bound to space '{space}': the robot account "
         "'{foreign_robot}' there was not made by this installation of berth; if nobody pulls with "
         "it, delete it in Harbor, then send a new command.",
         tell_robot_name},
    [BERTH_REFUSAL_WORKSPACE_DISABLED] =
        {BERTH_CODE_BINDING_DISABLED,
         "The robot account of workspace '{workspace}' for space '{space}' was disabled in Harbor: "
         "to enable it again, send BindWorkspace for that workspace (berth send bind-workspace "
         "--workspace).",
         NULL},
};

const char *plan_refusal_code(enum berth_plan_refusal refusal) {
    BERTH_ASSERT((unsigned)refusal < BERTH_REFUSALS);
    return REFUSALS[refusal].code;
}

const struct berth_plan_item *plan_refused_item(const struct berth_work *work) {
    for (size_t i = 0; i < work->items_count; i++) {
        if (work->items[i].refusal != BERTH_REFUSAL_NONE) {
            return &work->items[i];
        }
    }
    return NULL;
}

void plan_explain_refusal(const struct berth_work *work, struct berth_outcome *outcome) {
    const struct berth_plan_item *item = NULL;
    enum berth_plan_refusal refusal = work->refusal;
    if (refusal == BERTH_REFUSAL_NONE) {
        item = plan_refused_item(work);
        BERTH_ASSERT(item != NULL);
        refusal = item->refusal;
        plan_detail(outcome, "workspace", item->workspace);
    }
    if (REFUSALS[refusal].tell != NULL) {
        REFUSALS[refusal].tell(work, item, outcome);
    }
    text_set(outcome->code, sizeof(outcome->code), REFUSALS[refusal].code, NULL);
    plan_say(outcome, REFUSALS[refusal].sentence);
}

static void tell_owner(const struct berth_work *work, const struct berth_plan_item *item,
                       struct berth_outcome *outcome) {
    (void)item;
    plan_detail(outcome, "owner", work->owner);
}

static void tell_project(const struct berth_work *work, const struct berth_plan_item *item,
                         struct berth_outcome *outcome) {
    (void)item;
    plan_detail_number(outcome, "project_id", work->now.project_id);
}

static void tell_bindings(const struct berth_work *work, const struct berth_plan_item *item,
                          struct berth_outcome *outcome) {
    (void)item;
    plan_detail_bindings(outcome, &work->now);
}

static void tell_repositories(const struct berth_work *work, const struct berth_plan_item *item,
                              struct berth_outcome *outcome) {
    (void)item;
    if (work->repositories > 0) {
        plan_detail_number(outcome, "repositories", work->repositories);
    } else {
        plan_detail(outcome, "repositories",
                    "at least 1"); /* Harbor's 412 said so, its count not. */
    }
}

static void tell_foreign_robots(const struct berth_work *work, const struct berth_plan_item *item,
                                struct berth_outcome *outcome) {
    (void)item;
    plan_detail_foreign(outcome, work);
}

static void tell_bindings_count(const struct berth_work *work, const struct berth_plan_item *item,
                                struct berth_outcome *outcome) {
    (void)item;
    plan_detail_number(outcome, "bindings", (int64_t)work->now.bindings_count);
}

static void tell_harbors_words(const struct berth_work *work, const struct berth_plan_item *item,
                               struct berth_outcome *outcome) {
    (void)item;
    plan_detail_said(outcome, &work->refused_by);
}

static void tell_robot_name(const struct berth_work *work, const struct berth_plan_item *item,
                            struct berth_outcome *outcome) {
    (void)work;
    plan_detail(outcome, "foreign_robot", item->robot_name);
}
