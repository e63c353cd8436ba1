/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: what is unknown, how it is asked for, and what an answer makes of it. */
#include <string.h>

#include "berth/base/assert.h"
#include "plan_parts.h"
#include "text.h"

/* More robots than on so many pages are not walked through: 10,000. */
#define PAGES_MAX 100

static bool must_know_quota(const struct berth_work *work);
static bool is_ours(const struct berth_work *work, const struct berth_harbor_robot *robot);
static void take_hints(struct berth_work *work);
static void start_list(struct berth_work *work);
static bool take_robot(struct berth_work *work, const struct berth_harbor_robot *robot);
static void note_foreign(struct berth_work *work, const struct berth_harbor_robot *robot);
static const char *remembered_key_id(const struct berth_work *work,
                                     const struct berth_harbor_robot *robot);
static void finish_list(struct berth_work *work);

bool plan_must_read(const struct berth_work *work) {
    switch (work->now.knowledge) {
    case BERTH_SPACE_UNKNOWN:
        return true;
    case BERTH_SPACE_ABSENT:
        return false;
    case BERTH_SPACE_PRESENT:
        return !work->robots_known || must_know_quota(work) || plan_create_must_know_account(work);
    }
    BERTH_UNREACHABLE("knowledge is one of those");
}

void plan_read(struct berth_work *work, struct plan_calls *calls) {
    if (work->calls_outstanding > 0) {
        return; /* What is read while something is being written may be neither old nor new. */
    }
    if (work->now.knowledge == BERTH_SPACE_UNKNOWN) {
        plan_call(work, calls,
                  work->read_by_id ? BERTH_HARBOR_GET_PROJECT_ID : BERTH_HARBOR_GET_PROJECT_NAME);
    } else if (must_know_quota(work)) {
        plan_call(work, calls, BERTH_HARBOR_GET_QUOTA);
    } else if (plan_create_must_know_account(work)) {
        plan_call(work, calls, BERTH_HARBOR_GET_ACCOUNT);
    } else {
        if (work->robots_page == 0) {
            start_list(work);
        }
        plan_call(work, calls, BERTH_HARBOR_LIST_ROBOTS)->page = work->robots_page;
    }
}

/* A quota is read before it is set, for its id, and after a project was created with one: Harbor
 * ignores it in silence from some accounts and with some settings (harbor-contract 1.3). */
static bool must_know_quota(const struct berth_work *work) {
    const struct berth_command *command = work->command;
    bool sets_quota = command->quota_given &&
                      (command->type == BERTH_CREATE_SPACE || command->type == BERTH_UPDATE_SPACE);
    return sets_quota && !work->quota_fresh;
}

void plan_forget_project(struct berth_work *work, bool by_id) {
    work->now.knowledge = BERTH_SPACE_UNKNOWN;
    work->project_fresh = false;
    work->read_by_id = by_id && work->now.project_id != 0;
}

void plan_forget_robots(struct berth_work *work) {
    work->robots_known = false;
    work->robots_page = 0;
}

bool plan_doubt_place(struct berth_work *work) {
    bool doubt = work->place_unread && work->calls_outstanding == 0 &&
                 work->now.knowledge == BERTH_SPACE_PRESENT;
    if (doubt) {
        plan_forget_project(work, true);
    }
    return doubt;
}

enum berth_observed plan_doubt_project(struct berth_work *work, bool by_id) {
    if (work->now.knowledge == BERTH_SPACE_UNKNOWN) {
        return BERTH_OBSERVED_PROGRESS; /* Another call side by side said so first. */
    }
    plan_forget_project(work, by_id);
    return ++work->contradictions == 1 ? BERTH_OBSERVED_PROGRESS : BERTH_OBSERVED_RETRY;
}

/* ---- The project ---- */

bool plan_replaced(const struct berth_work *work) {
    return work->before.knowledge != BERTH_SPACE_PRESENT ||
           work->before.project_id != work->now.project_id;
}

void plan_set_absent(struct berth_work *work) {
    berth_space_state_deinit(&work->now, work->pool);
    work->now.knowledge = BERTH_SPACE_ABSENT;
    work->project_fresh = true;
    work->robots_known = true;
    work->robots_fresh = true;
    work->unread = 0;
    work->place_unread = false;
}

void plan_set_project(struct berth_work *work, int64_t project_id) {
    if (work->now.project_id != project_id) {
        berth_space_state_deinit(&work->now, work->pool);
        work->now.project_id = project_id;
        take_hints(work);
        work->quota_fresh = false;
        work->quota_id = 0;
        plan_forget_robots(work);
        work->robots_fresh = false;
        work->unread = 0;
        work->place_unread = false;
        plan_items_forget_project(work);
    }
    work->now.knowledge = BERTH_SPACE_PRESENT;
}

/* What Redis knows of this very project, for want of better: its creator, its quota, key ids. */
static void take_hints(struct berth_work *work) {
    int64_t project_id = work->now.project_id;
    if (work->known.knowledge != BERTH_SPACE_PRESENT || work->known.project_id != project_id) {
        return;
    }
    berth_space_state_copy(&work->now, &work->known, work->pool);
    if (work->before.project_id != project_id) {
        return;
    }
    for (size_t i = 0; i < work->before.bindings_count; i++) {
        const struct berth_binding *was = &work->before.bindings[i];
        struct berth_binding *hint = berth_space_state_find(&work->now, was->workspace);
        if ((was->disabled || was->altered) && hint != NULL) {
            /* Should it be well now, an earlier claim did so, and nobody knows its secret: Harbor
             * writes a stale one with everything else (harbor-contract 2.7). */
            hint->key_id[0] = '\0';
        }
    }
}

enum berth_observed plan_project_answered(struct berth_work *work,
                                          const struct berth_harbor_call *call,
                                          const struct berth_harbor_answer *answer) {
    bool gone = answer->verdict == BERTH_HARBOR_ABSENT;
    if (gone && call->kind == BERTH_HARBOR_GET_PROJECT_ID) {
        work->read_by_id = false; /* One read by name: another project may have the name now. */
        return BERTH_OBSERVED_PROGRESS;
    }
    /* A caching Harbor shows a deleted project for hours; its answer to the deletion counts
     * (harbor-contract 6.4). */
    if (gone || answer->project_id == work->gone_id) {
        plan_set_absent(work);
        return BERTH_OBSERVED_PROGRESS;
    }
    plan_set_project(work, answer->project_id);
    work->now.visibility = answer->visibility;
    work->repositories = answer->repositories;
    text_set(work->owner, sizeof(work->owner), answer->owner, NULL);
    work->project_fresh = true;
    work->unread &= ~(unsigned)BERTH_UNREAD_PROJECT;
    work->place_unread = false; /* Ids and names are for ever: it had its name all the time. */
    return BERTH_OBSERVED_PROGRESS;
}

enum berth_observed plan_account_answered(struct berth_work *work,
                                          const struct berth_harbor_call *call,
                                          const struct berth_harbor_answer *answer) {
    (void)call;
    text_set(work->account, sizeof(work->account), answer->owner, NULL);
    work->account_known = true;
    return BERTH_OBSERVED_PROGRESS;
}

enum berth_observed plan_quota_answered(struct berth_work *work,
                                        const struct berth_harbor_call *call,
                                        const struct berth_harbor_answer *answer) {
    (void)call;
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        return plan_doubt_project(work, true);
    }
    work->quota_id = answer->quota_id;
    work->now.quota_bytes = answer->quota_id == 0 ? BERTH_QUOTA_UNLIMITED : answer->quota_bytes;
    work->quota_fresh = true;
    work->unread &= ~(unsigned)BERTH_UNREAD_QUOTA;
    if (work->quota_id == 0 && !work->project_fresh) {
        plan_forget_project(work, true); /* No quota, or no project? Harbor's answer is the same. */
    }
    /* Redis didn't know the quota when `before` was taken from there. Nothing was written yet, so
     * this is what the command met. */
    bool met = work->first_claim && work->before.project_id == work->now.project_id;
    if (met && work->before.quota_bytes == BERTH_QUOTA_UNSET) {
        work->before.quota_bytes = work->now.quota_bytes;
    }
    return BERTH_OBSERVED_PROGRESS;
}

/* ---- The list of robots ---- */

static void start_list(struct berth_work *work) {
    berth_space_state_deinit(&work->listed, work->pool);
    work->robots_page = 1;
    work->foreign_robots = 0;
    work->foreign_example[0] = '\0';
}

enum berth_observed plan_robots_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        return plan_doubt_project(work, true);
    }
    for (size_t i = 0; i < answer->robots_count; i++) {
        if (!take_robot(work, &answer->robots[i])) {
            plan_refuse(work, BERTH_REFUSAL_TOO_MANY_ROBOTS);
            work->unread = 0; /* It can't be read back, now or later. */
            return BERTH_OBSERVED_PROGRESS;
        }
    }
    int64_t seen = (int64_t)call->page * BERTH_HARBOR_PAGE_SIZE;
    if (seen >= answer->robots_total) {
        finish_list(work);
        return BERTH_OBSERVED_PROGRESS;
    }
    if (answer->robots_count < BERTH_HARBOR_PAGE_SIZE) {
        work->robots_page =
            0; /* Less than it says: the list is changing, or the answer is wrong. */
        return BERTH_OBSERVED_RETRY;
    }
    if (call->page >= PAGES_MAX) {
        plan_refuse(work, BERTH_REFUSAL_TOO_MANY_ROBOTS);
        work->unread = 0;
        return BERTH_OBSERVED_PROGRESS;
    }
    work->robots_page = call->page + 1;
    return BERTH_OBSERVED_PROGRESS;
}

/* False: more bindings than a space may have. */
static bool take_robot(struct berth_work *work, const struct berth_harbor_robot *robot) {
    if (!is_ours(work, robot)) {
        note_foreign(work, robot);
        return true;
    }
    if (work->listed.bindings_count == BERTH_SPACE_BINDINGS_MAX &&
        berth_space_state_find(&work->listed, robot->workspace) == NULL) {
        return false;
    }
    struct berth_binding binding = {.robot_id = robot->id,
                                    .disabled = robot->disabled,
                                    .altered = robot->altered,
                                    .outdated = robot->outdated};
    text_set(binding.workspace, sizeof(binding.workspace), robot->workspace, NULL);
    text_set(binding.key_id, sizeof(binding.key_id), remembered_key_id(work, robot), NULL);
    berth_space_state_put(&work->listed, &binding, work->pool);
    return true;
}

/* What was made under another master key is of this installation if Redis knows that a secret of
 * ours was set there. Else it is another installation's, and so is the secret: to set ours would
 * take the pulls of its workspace away. */
static bool is_ours(const struct berth_work *work, const struct berth_harbor_robot *robot) {
    if (robot->workspace[0] == '\0' || !robot->kin) {
        return robot->workspace[0] != '\0' && robot->ours;
    }
    const struct berth_binding *known = berth_space_state_find(&work->known, robot->workspace);
    return known != NULL && known->robot_id == robot->id && known->key_id[0] != '\0';
}

static void note_foreign(struct berth_work *work, const struct berth_harbor_robot *robot) {
    if (work->foreign_robots++ == 0) {
        text_set(work->foreign_example, sizeof(work->foreign_example), robot->name, NULL);
    }
    plan_items_mark_foreign(work, robot->name);
}

/* Harbor doesn't tell with which key a secret was made. What is remembered counts for the same
 * robot as long as nobody switched it off: switching it on again writes its secret anew. */
static const char *remembered_key_id(const struct berth_work *work,
                                     const struct berth_harbor_robot *robot) {
    const struct berth_binding *hint = berth_space_state_find(&work->now, robot->workspace);
    bool counts = hint != NULL && hint->robot_id == robot->id && !hint->disabled;
    return counts && !robot->disabled ? hint->key_id : "";
}

static void finish_list(struct berth_work *work) {
    struct berth_space_state *now = &work->now;
    struct berth_space_state *listed = &work->listed;
    struct berth_space_state old = *now;
    now->bindings = listed->bindings;
    now->bindings_count = listed->bindings_count;
    now->bindings_capacity = listed->bindings_capacity;
    berth_space_state_init(listed);
    berth_space_state_deinit(&old, work->pool);

    work->robots_page = 0;
    work->robots_known = true;
    work->robots_fresh = true;
    work->unread &= ~(unsigned)BERTH_UNREAD_ROBOTS;
    plan_items_reopen(work);
    plan_items_cover(work, now);
}
