/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BindWorkspace, UnbindWorkspace, SetWorkspaceBindings: each workspace is a small plan of its own,
 * and they run side by side. What is to be unbound goes first: it takes rights away, and it keeps
 * the number of bindings within its bound.
 *
 *   not bound --POST--> robot without a known secret --PATCH--> bound
 *   disabled or altered by hand --PUT--> robot without a known secret
 *   bound     --DELETE--> not bound
 *
 * Somebody sends a Bind because a pull doesn't work, so nothing is taken for right that wasn't
 * looked at: what Redis remembers only tells what has to be written. A secret can't be looked at.
 * To try it on the token service would say that it is wrong no surer than that Harbor's database
 * was busy, and would cost each such try a second and a half; to set it again takes one request,
 * which changes nothing when it was right, and pulls go on meanwhile. So an explicit Bind always
 * sets it. Set, which dialogs send with hundreds of workspaces that nobody touched, doesn't.
 *
 * POST goes by the project's name, all else by id. So when robots were made the project is read
 * once more, by id: if it is still there, its name was its own all the time. If not, they are in a
 * namesake, or in none, and are deleted again.
 */
#include <string.h>

#include "berth/base/assert.h"
#include "plan_parts.h"
#include "text.h"

/* With a complete list and no robot of ours in it, so many 409s mean that a robot is in the way
 * which the list doesn't show. */
#define CONFLICTS_MAX 2

static bool rests_on_memory(const struct berth_work *work);
static void ask_to_leave(struct berth_work *work, struct plan_calls *calls);
static int64_t left_robot(const struct berth_work *work, const struct berth_plan_item *item);
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
    bool absent = work->now.knowledge == BERTH_SPACE_ABSENT;
    if (absent || plan_replaced(work)) {
        ask_to_leave(work, calls);
        if (work->calls_outstanding == 0) {
            plan_refuse(work, absent ? BERTH_REFUSAL_NOT_FOUND : BERTH_REFUSAL_REPLACED);
        }
        return;
    }
    if (work->calls_outstanding == 0 && rests_on_memory(work)) {
        plan_forget_project(work, true);
        plan_forget_robots(work);
        plan_read(work, calls);
        return;
    }
    bool full = work->calls_outstanding == 0 && too_many(work);
    bool done = full || (ask_for_items(work, false, calls) && ask_for_items(work, true, calls));
    if (done && plan_doubt_place(work)) {
        plan_read(work, calls);
    } else if (full) {
        plan_refuse(work, BERTH_REFUSAL_TOO_MANY_BINDINGS);
    }
}

/* Whether of some workspace, or of all of them, nothing else than what Redis remembers says that it
 * is as it is wanted. */
static bool rests_on_memory(const struct berth_work *work) {
    if (work->project_fresh && work->robots_fresh) {
        return false;
    }
    for (size_t i = 0; i < work->items_count; i++) {
        const struct berth_plan_item *item = &work->items[i];
        bool bound = berth_space_state_find(&work->now, item->workspace) != NULL;
        if (bound == item->wanted && !item->written && item->refusal == BERTH_REFUSAL_NONE) {
            return true;
        }
    }
    return work->items_count == 0;
}

/* Deletes what this command made where it doesn't belong. */
static void ask_to_leave(struct berth_work *work, struct plan_calls *calls) {
    for (size_t i = 0; i < work->items_count && plan_has_room(work, calls); i++) {
        struct berth_plan_item *item = &work->items[i];
        const struct berth_binding left = {.robot_id = left_robot(work, item)};
        if (left.robot_id != 0 && !item->outstanding) {
            (void)item_call(work, item, &left, BERTH_HARBOR_DELETE_ROBOT, calls);
        }
    }
}

/* The robot that this command made for the item, or that a request of it whose reply nobody saw may
 * have made: no other command of this space has been at work since. 0: none. */
static int64_t left_robot(const struct berth_work *work, const struct berth_plan_item *item) {
    if (item->refusal != BERTH_REFUSAL_NONE) {
        return 0; /* Harbor refuses its deletion for good. */
    }
    if (item->made_id != 0 || !item->maybe_made) {
        return item->made_id;
    }
    const struct berth_binding *binding = berth_space_state_find(&work->now, item->workspace);
    return binding != NULL ? binding->robot_id : 0;
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
    bool explicit = work->command->type == BERTH_BIND_WORKSPACE;
    if (binding == NULL) {
        if (item->foreign || item->conflicts >= CONFLICTS_MAX) {
            item->refusal = BERTH_REFUSAL_WORKSPACE_FOREIGN_ROBOT;
        } else {
            (void)item_call(work, item, NULL, BERTH_HARBOR_CREATE_ROBOT, calls);
        }
    } else if (binding->disabled && !explicit) {
        /* Whoever sends the whole set doesn't necessarily mean what a human switched off. */
        item->refusal = BERTH_REFUSAL_WORKSPACE_DISABLED;
    } else if (binding->disabled || binding->altered || (binding->outdated && explicit)) {
        (void)item_call(work, item, binding, BERTH_HARBOR_MEND_ROBOT, calls);
    } else if (strcmp(binding->key_id, work->settings->key_id) != 0 ||
               (explicit && !item->secret_set)) {
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
        work->place_unread = true; /* Who is in the way there may be in a namesake, too. */
        plan_forget_robots(work);
        return BERTH_OBSERVED_PROGRESS;
    }
    item->written = true;
    item->made_id = answer->robot_id;
    work->place_unread = true;
    struct berth_binding binding = {.robot_id = answer->robot_id};
    text_set(binding.workspace, sizeof(binding.workspace), call->workspace, NULL);
    berth_space_state_put(&work->now, &binding, work->pool);
    return BERTH_OBSERVED_PROGRESS;
}

/* SET_SECRET, MEND_ROBOT */
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
    item->written = true;
    if (call->kind == BERTH_HARBOR_MEND_ROBOT) {
        binding->disabled = false;
        binding->altered = false;
        binding->outdated = false;
        /* PUT writes the secret that Harbor read before, whatever was set meanwhile (2.7). */
        binding->key_id[0] = '\0';
        item->secret_set = false;
    } else {
        item->secret_set = true;
        text_set(binding->key_id, sizeof(binding->key_id), work->settings->key_id, NULL);
    }
    return BERTH_OBSERVED_PROGRESS;
}

/* DELETE_ROBOT: gone is gone. That it was there before is then only remembered. */
enum berth_observed plan_unbind_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer) {
    struct berth_plan_item *item = plan_items_find(work, call->workspace);
    BERTH_ASSERT(item != NULL);
    item->written |= answer->verdict == BERTH_HARBOR_DONE;
    item->made_id = 0;
    item->maybe_made = false;
    (void)berth_space_state_remove(&work->now, call->workspace);
    return BERTH_OBSERVED_PROGRESS;
}
