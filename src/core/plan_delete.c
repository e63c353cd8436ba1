/* SPDX-License-Identifier: Apache-2.0 */
/* DeleteSpace: one request by id that takes the robots with it, after everything that forbids it
 * was looked at (design 4.11). */
#include <string.h>

#include "plan_parts.h"

static bool is_protected(const struct berth_work *work);

void plan_delete(struct berth_work *work, struct plan_calls *calls) {
    const struct berth_space_state *now = &work->now;
    bool unbind = work->command->unbind;

    if (now->knowledge == BERTH_SPACE_ABSENT) {
        return;
    }
    if (plan_replaced(work)) {
        plan_refuse(work, BERTH_REFUSAL_REPLACED);
    } else if (is_protected(work)) {
        plan_refuse(work, BERTH_REFUSAL_PROTECTED);
    } else if (now->bindings_count > 0 && !unbind) {
        plan_refuse(work, BERTH_REFUSAL_BOUND);
    } else if (work->foreign_robots > 0 && !unbind) {
        plan_refuse(work, BERTH_REFUSAL_FOREIGN_ROBOTS);
    } else if (work->repositories > 0 || work->not_empty) {
        plan_refuse(work, BERTH_REFUSAL_NOT_EMPTY);
    } else {
        plan_call(work, calls, BERTH_HARBOR_DELETE_PROJECT);
    }
}

/* Refused before the claim already; deletion can't be undone, so the plan looks too. */
static bool is_protected(const struct berth_work *work) {
    for (size_t i = 0; i < work->settings->protected_spaces_count; i++) {
        if (strcmp(work->settings->protected_spaces[i], work->command->space) == 0) {
            return true;
        }
    }
    return false;
}

enum berth_observed plan_delete_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    if (answer->verdict == BERTH_HARBOR_DONE) {
        plan_set_absent(work);
        return BERTH_OBSERVED_PROGRESS;
    }
    if (answer->verdict == BERTH_HARBOR_NOT_EMPTY) {
        work->not_empty = true; /* Read on, to say how many there are. */
        return plan_doubt_project(work, true);
    }
    work->gone_id = call->project_id;
    return plan_doubt_project(work, false);
}
