/* SPDX-License-Identifier: Apache-2.0 */
/* CreateSpace. The hard part is not creating but knowing whose project it is (design 4.5). */
#include <string.h>

#include "berth/base/assert.h"
#include "plan_parts.h"
#include "text.h"

static void ask_create(struct berth_work *work, struct plan_calls *calls);
static bool proved_own(const struct berth_work *work);
static void set_created(struct berth_work *work);
static enum berth_visibility visibility_of_new(const struct berth_command *command);

void plan_create(struct berth_work *work, struct plan_calls *calls) {
    if (work->now.knowledge == BERTH_SPACE_ABSENT) {
        ask_create(work, calls);
        return;
    }
    bool own = plan_create_owns(work);
    if (!own && work->command->if_exists == BERTH_IF_EXISTS_FAIL) {
        /* Somebody is recorded as its creator, and it is not this command; or nobody is. */
        plan_refuse(work, work->now.created_by[0] != '\0' ? BERTH_REFUSAL_ALREADY_EXISTS
                                                          : BERTH_REFUSAL_CREATE_UNPROVED);
        return;
    }
    plan_converge_project(work, own ? visibility_of_new(work->command) : work->command->visibility,
                          calls);
}

static void ask_create(struct berth_work *work, struct plan_calls *calls) {
    struct berth_harbor_call *call = plan_call(work, calls, BERTH_HARBOR_CREATE_PROJECT);
    call->project_id = 0;
    call->visibility = visibility_of_new(work->command);
    call->quota_bytes = work->command->quota_given ? work->command->quota_bytes : BERTH_QUOTA_UNSET;
}

static enum berth_visibility visibility_of_new(const struct berth_command *command) {
    return command->visibility == BERTH_VISIBILITY_UNSET ? BERTH_PRIVATE : command->visibility;
}

bool plan_create_owns(struct berth_work *work) {
    BERTH_ASSERT(work->now.knowledge == BERTH_SPACE_PRESENT);
    if (work->created_id != work->now.project_id && work->create_unknown && proved_own(work)) {
        set_created(work);
    }
    return work->created_id == work->now.project_id;
}

bool plan_create_must_know_account(const struct berth_work *work) {
    return work->command->type == BERTH_CREATE_SPACE && work->create_unknown &&
           work->registry.dedicated && !work->account_known &&
           work->created_id != work->now.project_id && work->now.created_by[0] == '\0';
}

/*
 * A create request of this command may have been applied without our seeing it. It was, if no other
 * command is recorded as the project's creator, its owner is our account, and nobody else uses that
 * account (design 4.5). Times are never evidence. What Harbor calls the account isn't always what
 * it logs in with: a mail address will do for that, and so does another spelling.
 */
static bool proved_own(const struct berth_work *work) {
    const char *creator = work->now.created_by;
    if (creator[0] != '\0') {
        return strcmp(creator, work->command->id) == 0;
    }
    return work->registry.dedicated && work->account[0] != '\0' &&
           strcmp(work->owner, work->account) == 0;
}

static void set_created(struct berth_work *work) {
    work->created_id = work->now.project_id;
    text_set(work->now.created_by, sizeof(work->now.created_by), work->command->id, NULL);
}

enum berth_observed plan_create_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    if (answer->verdict == BERTH_HARBOR_DONE) {
        work->unread = 0;
        plan_set_project(work, answer->project_id);
        set_created(work);
        work->now.visibility = call->visibility;
        work->project_fresh = true;
        work->robots_known = true; /* It is new: it has none. */
        work->robots_fresh = true;
        return BERTH_OBSERVED_PROGRESS;
    }
    BERTH_ASSERT(answer->verdict == BERTH_HARBOR_CONFLICT);
    bool first_ever = work->first_claim && !work->create_unknown;
    if (first_ever && work->command->if_exists == BERTH_IF_EXISTS_FAIL) {
        work->create_conflict = true;
        plan_refuse(work, BERTH_REFUSAL_ALREADY_EXISTS);
        return BERTH_OBSERVED_PROGRESS;
    }
    return plan_doubt_project(work, false);
}
