/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BindWorkspace, UnbindWorkspace, SetWorkspaceBindings: each workspace is a small plan of its own,
 * and they run side by side. What is to be unbound goes first: it takes rights away, and it keeps
 * the number of bindings within its bound.
 *
 *   not bound --POST--> robot without a known secret --PATCH--> bound
 *   disabled  --PUT---> robot without a known secret
 *   bound     --DELETE--> not bound
 */
#include <string.h>

#include "berth/base/assert.h"
#include "plan_parts.h"
#include "text.h"

/* With a complete list and no robot of ours in it, so many 409s mean that a robot is in the way
 * which the list doesn't show. */
#define CONFLICTS_MAX 2

static bool too_many(const struct berth_work *work);
static bool ask_for_items(struct berth_work *work, bool wanted, struct plan_calls *calls);
static void ask_for_item(struct berth_work *work, struct berth_plan_item *item,
                         struct plan_calls *calls);
static void ask_to_unbind(struct berth_work *work, struct berth_plan_item *item,
                          const struct berth_binding *binding, struct plan_calls *calls);
static void ask_to_bind(struct berth_work *work, struct berth_plan_item *item,
                        const struct berth_binding *binding, struct plan_calls *calls);
static struct berth_harbor_call *item_call(struct berth_work *work, struct berth_plan_item *item,
                                           const struct berth_binding *binding,
                                           enum berth_harbor_call_kind kind,
                                           struct plan_calls *calls);

void plan_bindings(struct berth_work *work, struct plan_calls *calls) {
    if (work->now.knowledge == BERTH_SPACE_ABSENT) {
        plan_refuse(work, BERTH_REFUSAL_NOT_FOUND);
        return;
    }
    if (work->calls_outstanding == 0 && too_many(work)) {
        plan_refuse(work, BERTH_REFUSAL_TOO_MANY_BINDINGS);
        return;
    }
    bool unbound = ask_for_items(work, false, calls);
    if (unbound) {
        (void)ask_for_items(work, true, calls);
    }
}

/* Whether there would be more bindings than a space may have, once all that is asked for is done.
 */
static bool too_many(const struct berth_work *work) {
    size_t count = work->now.bindings_count;
    for (size_t i = 0; i < work->items_count; i++) {
        const struct berth_plan_item *item = &work->items[i];
        if (item->settled || item->refusal != BERTH_REFUSAL_NONE) {
            continue;
        }
        bool bound = berth_space_state_find(&work->now, item->workspace) != NULL;
        if (item->wanted && !bound) {
            count++;
        } else if (!item->wanted && bound) {
            count--;
        }
    }
    return count > BERTH_SPACE_BINDINGS_MAX;
}

/* Asks for what the items that are (not) wanted lack. True: there is nothing left to do for them.
 */
static bool ask_for_items(struct berth_work *work, bool wanted, struct plan_calls *calls) {
    bool done = true;
    for (size_t i = 0; i < work->items_count; i++) {
        struct berth_plan_item *item = &work->items[i];
        if (item->wanted != wanted || item->settled || item->refusal != BERTH_REFUSAL_NONE) {
            continue;
        }
        if (!item->outstanding) {
            if (!plan_has_room(work, calls)) {
                return false;
            }
            ask_for_item(work, item, calls);
        }
        done &= item->settled || item->refusal != BERTH_REFUSAL_NONE;
    }
    return done;
}

static void ask_for_item(struct berth_work *work, struct berth_plan_item *item,
                         struct plan_calls *calls) {
    const struct berth_binding *binding = berth_space_state_find(&work->now, item->workspace);
    if (item->wanted) {
        ask_to_bind(work, item, binding, calls);
    } else {
        ask_to_unbind(work, item, binding, calls);
    }
}

static void ask_to_unbind(struct berth_work *work, struct berth_plan_item *item,
                          const struct berth_binding *binding, struct plan_calls *calls) {
    if (binding == NULL) {
        item->settled = true;
    } else {
        (void)item_call(work, item, binding, BERTH_HARBOR_DELETE_ROBOT, calls);
    }
}

static void ask_to_bind(struct berth_work *work, struct berth_plan_item *item,
                        const struct berth_binding *binding, struct plan_calls *calls) {
    if (binding == NULL) {
        if (item->foreign || item->conflicts >= CONFLICTS_MAX) {
            item->refusal = BERTH_REFUSAL_WORKSPACE_FOREIGN_ROBOT;
        } else {
            (void)item_call(work, item, NULL, BERTH_HARBOR_CREATE_ROBOT, calls);
        }
    } else if (binding->disabled) {
        if (work->command->type == BERTH_BIND_WORKSPACE) {
            (void)item_call(work, item, binding, BERTH_HARBOR_ENABLE_ROBOT, calls);
        } else {
            /* Whoever sends the whole set doesn't necessarily mean what a human switched off. */
            item->refusal = BERTH_REFUSAL_WORKSPACE_DISABLED;
        }
    } else if (strcmp(binding->key_id, work->settings->key_id) != 0) {
        (void)item_call(work, item, binding, BERTH_HARBOR_SET_SECRET, calls);
    } else {
        item->settled = true;
    }
}

static struct berth_harbor_call *item_call(struct berth_work *work, struct berth_plan_item *item,
                                           const struct berth_binding *binding,
                                           enum berth_harbor_call_kind kind,
                                           struct plan_calls *calls) {
    struct berth_harbor_call *call = plan_call(work, calls, kind);
    call->robot_id = binding != NULL ? binding->robot_id : 0;
    text_set(call->workspace, sizeof(call->workspace), item->workspace, NULL);
    text_set(call->robot_name, sizeof(call->robot_name), item->robot_name, NULL);
    item->outstanding = true;
    return call;
}

/* ---- Answers ---- */

/* CREATE_ROBOT */
enum berth_observed plan_bind_answered(struct berth_work *work,
                                       const struct berth_harbor_call *call,
                                       const struct berth_harbor_answer *answer) {
    struct berth_plan_item *item = plan_items_find(work, call->workspace);
    BERTH_ASSERT(item != NULL);
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        return plan_doubt_project(work, true);
    }
    if (answer->verdict == BERTH_HARBOR_CONFLICT) {
        item->conflicts++;
        plan_forget_robots(work);
        return BERTH_OBSERVED_PROGRESS;
    }
    struct berth_binding binding = {.robot_id = answer->robot_id};
    text_set(binding.workspace, sizeof(binding.workspace), call->workspace, NULL);
    berth_space_state_put(&work->now, &binding, work->pool);
    return BERTH_OBSERVED_PROGRESS;
}

/* SET_SECRET, ENABLE_ROBOT */
enum berth_observed plan_robot_answered(struct berth_work *work,
                                        const struct berth_harbor_call *call,
                                        const struct berth_harbor_answer *answer) {
    struct berth_plan_item *item = plan_items_find(work, call->workspace);
    BERTH_ASSERT(item != NULL);
    if (answer->verdict == BERTH_HARBOR_ABSENT) {
        plan_forget_robots(work);
        item->surprises = 1 + (item->surprises > 0);
        return item->surprises == 1 ? BERTH_OBSERVED_PROGRESS : BERTH_OBSERVED_RETRY;
    }
    struct berth_binding *binding = berth_space_state_find(&work->now, call->workspace);
    BERTH_ASSERT(binding != NULL);
    if (call->kind == BERTH_HARBOR_ENABLE_ROBOT) {
        /* PUT writes the secret that Harbor read before, whatever was set meanwhile (2.7). */
        binding->disabled = false;
        binding->key_id[0] = '\0';
    } else {
        text_set(binding->key_id, sizeof(binding->key_id), work->settings->key_id, NULL);
    }
    return BERTH_OBSERVED_PROGRESS;
}

/* DELETE_ROBOT: gone is gone. */
enum berth_observed plan_unbind_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    (void)answer;
    (void)berth_space_state_remove(&work->now, call->workspace);
    return BERTH_OBSERVED_PROGRESS;
}
