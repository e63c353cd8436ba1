/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a work, the step that all plans share, and the first look at each answer. */
#include "berth/core/plan.h"

#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"
#include "plan_parts.h"
#include "text.h"

static void start_cold(struct berth_work *work);
static void start_warm(struct berth_work *work);
static bool wants_fresh_project(const struct berth_command *command,
                                const struct berth_space_state *state);
static bool met_otherwise(const struct berth_work *work);
static bool is_untouched(const struct berth_work *work);
static void remember(struct berth_work *work);
static void plan(struct berth_work *work, struct plan_calls *calls);
static enum berth_harbor_verdict trusted_verdict(const struct berth_harbor_call *call,
                                                 const struct berth_harbor_answer *answer);
static enum berth_observed take_in(struct berth_work *work, const struct berth_harbor_call *call,
                                   const struct berth_harbor_answer *answer);
static enum berth_observed refused(struct berth_work *work, const struct berth_harbor_call *call,
                                   const struct berth_harbor_answer *answer);
static void note_write(struct berth_work *work, const struct berth_harbor_call *call);
static void forget_written(struct berth_work *work, const struct berth_harbor_call *call);

void berth_work_init(struct berth_work *work, const struct berth_command *command,
                     const struct berth_plan_registry *registry,
                     const struct berth_plan_settings *settings, struct berth_pool *pool) {
    *work = (struct berth_work){
        .command = command, .registry = *registry, .settings = settings, .pool = pool};
    berth_space_state_init(&work->before);
    berth_space_state_init(&work->known);
    berth_space_state_init(&work->now);
    berth_space_state_init(&work->listed);
}

void berth_work_claimed(struct berth_work *work, bool first_claim, bool before_known,
                        const struct berth_space_state *before,
                        const struct berth_space_state *state, bool cold) {
    const struct berth_command *command = work->command;
    bool only_create =
        command->type == BERTH_CREATE_SPACE && command->if_exists == BERTH_IF_EXISTS_FAIL;

    work->first_claim = first_claim;
    berth_space_state_copy(&work->known, state, work->pool);
    if (only_create) {
        work->before.knowledge = BERTH_SPACE_ABSENT;
        work->before_known = true;
    } else if (before_known && before->knowledge != BERTH_SPACE_UNKNOWN) {
        berth_space_state_copy(&work->before, before, work->pool);
        work->before_known = true;
    }
    if (plan_has_items(command)) {
        plan_items_make(work);
        plan_items_cover(work, &work->before);
    }
    /* An earlier claim without an outcome may have sent a create request (design 4.5). */
    work->create_unknown = command->type == BERTH_CREATE_SPACE && !first_claim;

    if (only_create && first_claim) {
        work->now.knowledge = BERTH_SPACE_ABSENT;
    } else if (cold || !first_claim || !work->before_known ||
               state->knowledge != BERTH_SPACE_PRESENT || state->version == 0) {
        /* A lookup that filled it in can't tell whose robots those are. */
        start_cold(work);
    } else {
        start_warm(work);
    }
}

static void start_cold(struct berth_work *work) {
    /* DeleteSpace means the project that was there when it was first claimed (design 4.11). */
    if (work->command->type == BERTH_DELETE_SPACE &&
        work->before.knowledge == BERTH_SPACE_PRESENT) {
        plan_set_project(work, work->before.project_id);
        work->now.knowledge = BERTH_SPACE_UNKNOWN;
        work->read_by_id = true;
    }
}

static void start_warm(struct berth_work *work) {
    berth_space_state_copy(&work->now, &work->known, work->pool);
    work->robots_known = true;
    if (wants_fresh_project(work->command, &work->known)) {
        work->now.knowledge = BERTH_SPACE_UNKNOWN;
        work->read_by_id = true;
    }
    if (work->command->type == BERTH_DELETE_SPACE || work->command->type == BERTH_CREATE_SPACE) {
        work->robots_known = false; /* Other people's robots matter too, and only Harbor knows. */
    }
}

/*
 * A warm space is read all the same: for deletion (is it empty?), for adoption (what is there?) and
 * when only the cache says that a visibility is already so. Who asks for "private" is to be told
 * that it is, not that it was an hour ago.
 */
static bool wants_fresh_project(const struct berth_command *command,
                                const struct berth_space_state *state) {
    switch (command->type) {
    case BERTH_CREATE_SPACE:
    case BERTH_DELETE_SPACE:
        return true;
    case BERTH_UPDATE_SPACE:
        return command->visibility == state->visibility;
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        return false;
    }
    BERTH_UNREACHABLE("a command has one of its types");
}

void berth_work_deinit(struct berth_work *work) {
    if (work->pool == NULL) {
        return;
    }
    plan_items_free(work);
    berth_space_state_deinit(&work->before, work->pool);
    berth_space_state_deinit(&work->known, work->pool);
    berth_space_state_deinit(&work->now, work->pool);
    berth_space_state_deinit(&work->listed, work->pool);
}

/* ---- Stepping ---- */

enum berth_plan_step berth_work_step(struct berth_work *work, struct berth_harbor_call *ret_calls,
                                     size_t capacity, size_t *ret_calls_count,
                                     struct berth_outcome *ret_outcome) {
    BERTH_ASSERT(capacity > 0);
    struct plan_calls calls = {.calls = ret_calls, .capacity = capacity};
    bool ended = work->refusal != BERTH_REFUSAL_NONE;

    if (!ended && plan_must_read(work)) {
        plan_read(work, &calls);
    } else if (!ended && (!work->before_known || met_otherwise(work))) {
        BERTH_ASSERT(work->calls_outstanding == 0);
        *ret_calls_count = 0;
        remember(work);
        return BERTH_PLAN_REMEMBER;
    } else if (!ended) {
        plan(work, &calls);
    }
    *ret_calls_count = calls.count;
    if (work->calls_outstanding > 0) {
        return BERTH_PLAN_CALLS;
    }
    plan_finish(work, ret_outcome);
    return BERTH_PLAN_DONE;
}

/*
 * `before` came from Redis, and Harbor, which was read since, says something else of that project:
 * that is what the command met, and what its changes are counted from, also by the claim that comes
 * after a crash. Once something was written, or may have been by an earlier claim, only that counts
 * which no command ever does: somebody disabled a robot, or altered it.
 */
static bool met_otherwise(const struct berth_work *work) {
    bool may_be = !work->before_read && work->calls_outstanding == 0 &&
                  work->before.knowledge == BERTH_SPACE_PRESENT &&
                  work->now.knowledge == BERTH_SPACE_PRESENT &&
                  work->before.project_id == work->now.project_id;
    if (may_be && is_untouched(work)) {
        return !berth_space_state_equal(&work->before, &work->now);
    }
    for (size_t i = 0; may_be && i < work->now.bindings_count; i++) {
        const struct berth_binding *is = &work->now.bindings[i];
        const struct berth_binding *was = berth_space_state_find(&work->before, is->workspace);
        if (was != NULL && ((is->disabled && !was->disabled) || (is->altered && !was->altered))) {
            return true;
        }
    }
    return false;
}

static bool is_untouched(const struct berth_work *work) {
    return work->first_claim && !work->wrote;
}

static void remember(struct berth_work *work) {
    work->before_corrected = work->before_known;
    work->before_read = true;
    if (!work->before_known || is_untouched(work)) {
        berth_space_state_copy(&work->before, &work->now, work->pool);
        work->before_known = true;
        return;
    }
    for (size_t i = 0; i < work->now.bindings_count; i++) {
        const struct berth_binding *is = &work->now.bindings[i];
        struct berth_binding *was = berth_space_state_find(&work->before, is->workspace);
        if (was != NULL) {
            was->disabled |= is->disabled;
            was->altered |= is->altered;
        }
    }
}

static void plan(struct berth_work *work, struct plan_calls *calls) {
    bool bindings = plan_has_items(work->command);
    if (!bindings && work->calls_outstanding > 0) {
        return;
    }
    switch (work->command->type) {
    case BERTH_CREATE_SPACE:
        plan_create(work, calls);
        break;
    case BERTH_UPDATE_SPACE:
        plan_update(work, calls);
        break;
    case BERTH_DELETE_SPACE:
        plan_delete(work, calls);
        break;
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        plan_bindings(work, calls);
        break;
    }
}

bool berth_work_read_back(struct berth_work *work, struct berth_harbor_call *ret_calls,
                          size_t capacity, size_t *ret_calls_count) {
    BERTH_ASSERT(capacity > 0);
    struct plan_calls calls = {.calls = ret_calls, .capacity = capacity};
    (void)plan_doubt_place(work);
    if (plan_must_read(work)) {
        plan_read(work, &calls);
    }
    *ret_calls_count = calls.count;
    return work->calls_outstanding > 0;
}

bool plan_has_room(const struct berth_work *work, const struct plan_calls *calls) {
    return calls->count < calls->capacity && work->calls_outstanding < BERTH_PLAN_CALLS_MAX;
}

struct berth_harbor_call *plan_call(struct berth_work *work, struct plan_calls *calls,
                                    enum berth_harbor_call_kind kind) {
    BERTH_ASSERT(plan_has_room(work, calls));
    struct berth_harbor_call *call = &calls->calls[calls->count++];
    *call = (struct berth_harbor_call){
        .kind = kind,
        .registry = work->registry.index,
        .project_id = work->now.project_id,
    };
    text_set(call->space, sizeof(call->space), work->command->space, NULL);
    work->calls_outstanding++;
    return call;
}

void plan_refuse(struct berth_work *work, enum berth_plan_refusal refusal) {
    if (work->refusal == BERTH_REFUSAL_NONE) {
        work->refusal = refusal;
    }
}

/* ---- Answers ---- */

typedef enum berth_observed take_in_fn(struct berth_work *work,
                                       const struct berth_harbor_call *call,
                                       const struct berth_harbor_answer *answer);

#define SAYS(verdict) (1U << (verdict))
#define SAYS_DONE     SAYS(BERTH_HARBOR_DONE)
#define SAYS_ABSENT   SAYS(BERTH_HARBOR_ABSENT)
#define SAYS_CONFLICT SAYS(BERTH_HARBOR_CONFLICT)

/* For each kind of call: which answers about its object it can have, and who takes them in. */
static const struct {
    unsigned says;
    take_in_fn *take_in;
} ANSWERS[BERTH_HARBOR_CALL_KINDS] = {
    [BERTH_HARBOR_CREATE_PROJECT] = {SAYS_DONE | SAYS_CONFLICT, plan_create_answered},
    [BERTH_HARBOR_GET_PROJECT_NAME] = {SAYS_DONE | SAYS_ABSENT, plan_project_answered},
    [BERTH_HARBOR_GET_PROJECT_ID] = {SAYS_DONE | SAYS_ABSENT, plan_project_answered},
    [BERTH_HARBOR_UPDATE_PROJECT] = {SAYS_DONE | SAYS_ABSENT, plan_update_answered},
    [BERTH_HARBOR_DELETE_PROJECT] = {SAYS_DONE | SAYS_ABSENT | SAYS(BERTH_HARBOR_NOT_EMPTY),
                                     plan_delete_answered},
    [BERTH_HARBOR_GET_QUOTA] = {SAYS_DONE | SAYS_ABSENT, plan_quota_answered},
    [BERTH_HARBOR_SET_QUOTA] = {SAYS_DONE | SAYS_ABSENT, plan_set_quota_answered},
    [BERTH_HARBOR_LIST_ROBOTS] = {SAYS_DONE | SAYS_ABSENT, plan_robots_answered},
    [BERTH_HARBOR_CREATE_ROBOT] = {SAYS_DONE | SAYS_CONFLICT | SAYS_ABSENT, plan_bind_answered},
    [BERTH_HARBOR_SET_SECRET] = {SAYS_DONE | SAYS_ABSENT, plan_robot_answered},
    [BERTH_HARBOR_MEND_ROBOT] = {SAYS_DONE | SAYS_ABSENT, plan_robot_answered},
    [BERTH_HARBOR_DELETE_ROBOT] = {SAYS_DONE | SAYS_ABSENT, plan_unbind_answered},
    [BERTH_HARBOR_GET_ACCOUNT] = {SAYS_DONE, plan_account_answered},
};

enum berth_observed berth_work_observe(struct berth_work *work,
                                       const struct berth_harbor_call *call,
                                       const struct berth_harbor_answer *answer) {
    BERTH_ASSERT((unsigned)call->kind < BERTH_HARBOR_CALL_KINDS);
    BERTH_ASSERT(work->calls_outstanding > 0);
    work->calls_outstanding--;

    enum berth_observed observed = take_in(work, call, answer);
    if (observed != BERTH_OBSERVED_PROGRESS) {
        berth_harbor_said_keep(&work->failed_by, call, answer);
    }
    work->write_unknown = work->unread != 0;
    return observed;
}

static enum berth_observed take_in(struct berth_work *work, const struct berth_harbor_call *call,
                                   const struct berth_harbor_answer *answer) {
    bool write = berth_harbor_call_is_write(call->kind);
    struct berth_plan_item *item =
        call->workspace[0] != '\0' ? plan_items_find(work, call->workspace) : NULL;
    if (item != NULL) {
        item->outstanding = false;
    }
    switch (trusted_verdict(call, answer)) {
    case BERTH_HARBOR_DONE:
    case BERTH_HARBOR_CONFLICT:
    case BERTH_HARBOR_ABSENT:
    case BERTH_HARBOR_NOT_EMPTY:
        if (write && answer->verdict == BERTH_HARBOR_DONE) {
            note_write(work, call);
        }
        return ANSWERS[call->kind].take_in(work, call, answer);
    case BERTH_HARBOR_INVALID:
        return refused(work, call, answer);
    case BERTH_HARBOR_UNAUTHENTICATED:
    case BERTH_HARBOR_READ_ONLY:
    case BERTH_HARBOR_BUSY:
    case BERTH_HARBOR_NOT_SENT:
        return BERTH_OBSERVED_RETRY_FREE;
    case BERTH_HARBOR_FORBIDDEN:
        return BERTH_OBSERVED_RETRY;
    case BERTH_HARBOR_UNKNOWN:
        if (write) {
            note_write(work, call);
            forget_written(work, call);
        }
        return BERTH_OBSERVED_RETRY;
    }
    BERTH_UNREACHABLE("a verdict is one of those");
}

/* What the call can't have been told, or was told without the id that it is about, is not believed.
 */
static enum berth_harbor_verdict trusted_verdict(const struct berth_harbor_call *call,
                                                 const struct berth_harbor_answer *answer) {
    enum berth_harbor_verdict verdict = answer->verdict;
    const unsigned about_object =
        SAYS_DONE | SAYS_CONFLICT | SAYS_ABSENT | SAYS(BERTH_HARBOR_NOT_EMPTY);
    if ((SAYS(verdict) & about_object & ~ANSWERS[call->kind].says) != 0) {
        return BERTH_HARBOR_UNKNOWN;
    }
    if (verdict == BERTH_HARBOR_DONE) {
        bool project = call->kind == BERTH_HARBOR_CREATE_PROJECT ||
                       call->kind == BERTH_HARBOR_GET_PROJECT_NAME ||
                       call->kind == BERTH_HARBOR_GET_PROJECT_ID;
        bool robot = call->kind == BERTH_HARBOR_CREATE_ROBOT;
        bool other =
            call->kind == BERTH_HARBOR_GET_PROJECT_ID && answer->project_id != call->project_id;
        if ((project && answer->project_id <= 0) || (robot && answer->robot_id <= 0) || other) {
            return BERTH_HARBOR_UNKNOWN;
        }
    }
    return verdict;
}

/*
 * Harbor says that the request will never work. Of one binding: that one is refused, the others go
 * on. A read says nothing about the command, so there it is the registry that isn't well: try
 * again.
 */
static enum berth_observed refused(struct berth_work *work, const struct berth_harbor_call *call,
                                   const struct berth_harbor_answer *answer) {
    if (!berth_harbor_call_is_write(call->kind)) {
        return BERTH_OBSERVED_RETRY;
    }
    if (work->refused_by.call == NULL) {
        berth_harbor_said_keep(&work->refused_by, call, answer);
    }
    struct berth_plan_item *item = plan_items_find(work, call->workspace);
    if (item != NULL) {
        item->refusal = BERTH_REFUSAL_WORKSPACE_HARBOR;
    } else {
        plan_refuse(work, BERTH_REFUSAL_HARBOR);
    }
    return BERTH_OBSERVED_PROGRESS;
}

/* A secret that is set anew is no change: mostly it was the same before. */
static void note_write(struct berth_work *work, const struct berth_harbor_call *call) {
    if (call->kind == BERTH_HARBOR_SET_SECRET) {
        work->wrote_secret = true;
    } else {
        work->wrote = true;
    }
}

/* A write of unknown outcome: what it touched is unknown until it is read back. */
static void forget_written(struct berth_work *work, const struct berth_harbor_call *call) {
    struct berth_binding *binding = berth_space_state_find(&work->now, call->workspace);
    struct berth_plan_item *item = plan_items_find(work, call->workspace);
    switch (call->kind) {
    case BERTH_HARBOR_CREATE_PROJECT:
        work->create_unknown = true;
        work->unread |= BERTH_UNREAD_PROJECT;
        plan_forget_project(work, false);
        break;
    case BERTH_HARBOR_UPDATE_PROJECT:
    case BERTH_HARBOR_DELETE_PROJECT:
        work->unread |= BERTH_UNREAD_PROJECT;
        plan_forget_project(work, true);
        break;
    case BERTH_HARBOR_SET_QUOTA:
        work->unread |= BERTH_UNREAD_QUOTA;
        work->quota_fresh = false;
        break;
    case BERTH_HARBOR_CREATE_ROBOT:
        item->maybe_made = true;
        work->place_unread = true;
        work->unread |= BERTH_UNREAD_ROBOTS;
        plan_forget_robots(work);
        break;
    case BERTH_HARBOR_DELETE_ROBOT:
    case BERTH_HARBOR_MEND_ROBOT:
        if (work->now.knowledge == BERTH_SPACE_ABSENT) {
            break; /* There is no list any more; it is deleted again until Harbor says so. */
        }
        work->unread |= BERTH_UNREAD_ROBOTS;
        plan_forget_robots(work);
        break;
    case BERTH_HARBOR_SET_SECRET:
        /* Nobody can read a secret back. It is set again, with the same value, until Harbor says
         * so; a late arrival of this request does no harm. */
        if (binding != NULL) {
            binding->key_id[0] = '\0';
        }
        break;
    case BERTH_HARBOR_GET_PROJECT_NAME:
    case BERTH_HARBOR_GET_PROJECT_ID:
    case BERTH_HARBOR_GET_QUOTA:
    case BERTH_HARBOR_LIST_ROBOTS:
    case BERTH_HARBOR_PROBE:
    case BERTH_HARBOR_GET_ACCOUNT:
        BERTH_UNREACHABLE("reads write nothing");
    }
}
