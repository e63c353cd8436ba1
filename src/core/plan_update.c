/* SPDX-License-Identifier: Apache-2.0 */
/* UpdateSpace, and setting visibility and quota for CreateSpace. */
#include "plan_parts.h"

void plan_update(struct berth_work *work, struct plan_calls *calls) {
    if (work->now.knowledge == BERTH_SPACE_ABSENT) {
        plan_refuse(work, BERTH_REFUSAL_NOT_FOUND);
        return;
    }
    plan_converge_project(work, work->command->visibility, calls);
}

void plan_converge_project(struct berth_work *work, enum berth_visibility visibility,
                           struct plan_calls *calls) {
    const struct berth_command *command = work->command;
    if (visibility != BERTH_VISIBILITY_UNSET && visibility != work->now.visibility) {
        plan_call(work, calls, BERTH_HARBOR_UPDATE_PROJECT)->visibility = visibility;
    } else if (command->quota_given && command->quota_bytes != work->now.quota_bytes) {
        if (work->quota_id == 0) {
            plan_refuse(work, work->created_id == work->now.project_id
                                  ? BERTH_REFUSAL_CREATED_WITHOUT_QUOTA
                                  : BERTH_REFUSAL_QUOTA_UNSUPPORTED);
            return;
        }
        struct berth_harbor_call *call = plan_call(work, calls, BERTH_HARBOR_SET_QUOTA);
        call->quota_id = work->quota_id;
        call->quota_bytes = command->quota_bytes;
    }
}

enum berth_observed plan_update_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        return plan_doubt_project(work, true);
    }
    work->now.visibility = call->visibility;
    return BERTH_OBSERVED_PROGRESS;
}

enum berth_observed plan_set_quota_answered(struct berth_work *work,
                                            const struct berth_harbor_call *call,
                                            const struct berth_harbor_answer *answer) {
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        work->quota_fresh = false; /* It went, with the project or without. */
        return plan_doubt_project(work, true);
    }
    work->now.quota_bytes = call->quota_bytes;
    return BERTH_OBSERVED_PROGRESS;
}
