/* SPDX-License-Identifier: Apache-2.0 */
/* From a work to its outcome: what happened, compared with what the command met. */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"
#include "berth/core/codes.h"
#include "plan_parts.h"
#include "text.h"

static void begin(const struct berth_work *work, struct berth_outcome *outcome,
                  enum berth_outcome_kind kind);
static void say_success(const struct berth_work *work, struct berth_outcome *outcome);
static void conclude(struct berth_work *work, bool told, const char *code,
                     struct berth_outcome *outcome);
static bool is_told(const struct berth_work *work);
static bool was_somebody_elses(const struct berth_work *work);
static bool has_changed(const struct berth_work *work, bool told);
static bool left_nothing(const struct berth_work *work);
static bool differs(const struct berth_work *work);
static bool bindings_differ(const struct berth_space_state *a, const struct berth_space_state *b);
static bool is_news(const struct berth_work *work);
static void tell_items(struct berth_work *work, bool told, const char *code,
                       struct berth_outcome *outcome);
static void tell_item(const struct berth_work *work, const struct berth_plan_item *item, bool told,
                      const char *code, struct berth_binding_change *ret_change);
static void tell_deleted_bindings(struct berth_work *work, struct berth_outcome *outcome);
static void move_state(struct berth_space_state *target, struct berth_space_state *source);

void plan_finish(struct berth_work *work, struct berth_outcome *ret_outcome) {
    BERTH_ASSERT(!work->write_unknown);
    bool refused = work->refusal != BERTH_REFUSAL_NONE || plan_refused_item(work) != NULL;
    begin(work, ret_outcome, refused ? BERTH_REJECTED : BERTH_SUCCEEDED);
    if (refused) {
        plan_explain_refusal(work, ret_outcome);
    } else {
        say_success(work, ret_outcome);
    }
    const char *code = refused ? plan_refusal_code(work->refusal) : NULL;
    conclude(work, is_told(work), code, ret_outcome);
}

void berth_work_give_up(struct berth_work *work, const char *code, const char *message,
                        bool state_unknown, struct berth_outcome *ret_outcome) {
    BERTH_ASSERT(work->calls_outstanding == 0);
    begin(work, ret_outcome, BERTH_FAILED);
    text_set(ret_outcome->code, sizeof(ret_outcome->code), code, NULL);
    text_set(ret_outcome->message, sizeof(ret_outcome->message), message, NULL);
    if (work->failed_by.call != NULL) {
        plan_detail_said(ret_outcome, &work->failed_by);
    }
    bool told = !state_unknown && is_told(work);
    if (told && work->command->type == BERTH_CREATE_SPACE &&
        work->now.knowledge == BERTH_SPACE_PRESENT) {
        (void)plan_create_owns(work); /* So that its dead letter can be replayed. */
    }
    conclude(work, told, code, ret_outcome);
}

static void begin(const struct berth_work *work, struct berth_outcome *outcome,
                  enum berth_outcome_kind kind) {
    *outcome = (struct berth_outcome){
        .kind = kind, .audit = true, .final = true, .dead_letter = kind == BERTH_FAILED};
    berth_space_state_init(&outcome->before);
    berth_space_state_init(&outcome->after);
    plan_detail(outcome, "registry", work->command->registry);
    plan_detail(outcome, "space", work->command->space);
}

/* ---- Success: the toast texts of design 3 ---- */

static void say_success(const struct berth_work *work, struct berth_outcome *outcome) {
    static const struct {
        const char *code;
        const char *toast;
    } texts[BERTH_COMMAND_TYPES] = {
        [BERTH_CREATE_SPACE] = {BERTH_CODE_SPACE_CREATED, "Created registry space successfully"},
        [BERTH_UPDATE_SPACE] = {BERTH_CODE_SPACE_UPDATED, "Updated registry space successfully"},
        [BERTH_DELETE_SPACE] = {BERTH_CODE_SPACE_DELETED, "Deleted registry space successfully"},
        [BERTH_BIND_WORKSPACE] = {BERTH_CODE_WORKSPACE_BOUND,
                                  "Bound/Unbound workspace successfully"},
        [BERTH_UNBIND_WORKSPACE] = {BERTH_CODE_WORKSPACE_UNBOUND,
                                    "Bound/Unbound workspace successfully"},
        [BERTH_SET_WORKSPACE_BINDINGS] = {BERTH_CODE_WORKSPACE_BINDINGS_SET,
                                          "Bound/Unbound workspace successfully"},
    };
    const struct berth_command *command = work->command;
    const char *code = texts[command->type].code;
    bool adopted = command->type == BERTH_CREATE_SPACE && work->created_id != work->now.project_id;
    text_set(outcome->code, sizeof(outcome->code), adopted ? BERTH_CODE_SPACE_ADOPTED : code, NULL);
    text_set(outcome->message, sizeof(outcome->message), texts[command->type].toast, NULL);

    bool binds = plan_has_items(command) && command->type != BERTH_UNBIND_WORKSPACE &&
                 command->workspaces_count > 0;
    if (command->type == BERTH_DELETE_SPACE) {
        plan_detail_bindings(outcome, &work->before);
    } else {
        plan_detail_workspaces(outcome, command);
    }
    if (binds && work->now.visibility == BERTH_PUBLIC) {
        plan_detail(outcome, "effect", "none_while_public");
    }
    if ((command->type == BERTH_DELETE_SPACE || adopted) && work->foreign_robots > 0) {
        plan_detail_foreign(outcome, work);
    }
}

/* ---- What every outcome says ---- */

/* told: what is there now is known. code: of a refusal of the whole, or of giving up; else NULL. */
static void conclude(struct berth_work *work, bool told, const char *code,
                     struct berth_outcome *outcome) {
    outcome->changed = has_changed(work, told);
    outcome->publish_state = told && is_news(work);
    outcome->verified = told && work->project_fresh && work->robots_fresh;
    outcome->wrote = work->wrote || work->wrote_secret;
    if (plan_has_items(work->command)) {
        tell_items(work, told, code, outcome);
    } else if (work->command->type == BERTH_DELETE_SPACE && outcome->changed &&
               outcome->kind == BERTH_SUCCEEDED) {
        tell_deleted_bindings(work, outcome);
    }
    if (work->before_known && !was_somebody_elses(work)) {
        move_state(&outcome->before, &work->before);
    }
    if (told) {
        move_state(&outcome->after, &work->now);
    }
}

/* "Absent" counts only when Harbor said so; CreateSpace begins by assuming it. */
static bool is_told(const struct berth_work *work) {
    switch (work->now.knowledge) {
    case BERTH_SPACE_UNKNOWN:
        return false;
    case BERTH_SPACE_ABSENT:
        return work->project_fresh;
    case BERTH_SPACE_PRESENT:
        return work->robots_known;
    }
    BERTH_UNREACHABLE("knowledge is one of those");
}

/* The space turned out to be somebody else's: CreateSpace's assumption that it was absent was
 * wrong, and what is there is not this command's change. */
static bool was_somebody_elses(const struct berth_work *work) {
    bool only_create = work->command->type == BERTH_CREATE_SPACE &&
                       work->command->if_exists == BERTH_IF_EXISTS_FAIL;
    bool found =
        work->now.knowledge == BERTH_SPACE_PRESENT && work->created_id != work->now.project_id;
    return only_create && (work->create_conflict || found);
}

/* What others changed in Harbor meanwhile is not this command's change, as far as can be told:
 * without a write of its own, in this claim or possibly in an earlier one, it changed nothing. */
static bool has_changed(const struct berth_work *work, bool told) {
    if (was_somebody_elses(work) || !work->before_known || left_nothing(work)) {
        return false;
    }
    if (!told) {
        return work->wrote || work->wrote_secret;
    }
    return (work->wrote || !work->first_claim) && differs(work);
}

/* Bindings of a project that is gone are gone with it, and in a namesake none of this command's are
 * left. */
static bool left_nothing(const struct berth_work *work) {
    return plan_has_items(work->command) && work->refusal != BERTH_REFUSAL_NONE &&
           plan_replaced(work);
}

static bool differs(const struct berth_work *work) {
    const struct berth_space_state *before = &work->before;
    const struct berth_space_state *now = &work->now;
    if (before->knowledge != now->knowledge) {
        return true;
    }
    if (now->knowledge != BERTH_SPACE_PRESENT) {
        return false;
    }
    /* An unknown quota differs from nothing, unless this command was to set it. */
    bool quota_known = before->quota_bytes != BERTH_QUOTA_UNSET || work->command->quota_given;
    return before->project_id != now->project_id || before->visibility != now->visibility ||
           (quota_known && before->quota_bytes != now->quota_bytes) || bindings_differ(before, now);
}

/* A secret that was set anew is no difference; another robot is, or one that was mended. */
static bool bindings_differ(const struct berth_space_state *a, const struct berth_space_state *b) {
    if (a->bindings_count != b->bindings_count) {
        return true;
    }
    for (size_t i = 0; i < a->bindings_count; i++) {
        const struct berth_binding *x = &a->bindings[i];
        const struct berth_binding *y = &b->bindings[i];
        if (strcmp(x->workspace, y->workspace) != 0 || x->robot_id != y->robot_id ||
            x->disabled != y->disabled || x->altered != y->altered) {
            return true;
        }
    }
    return false;
}

/*
 * Whether the topic of spaces says something else than what is there. What is there is compared
 * with what Redis knows, which is what was published last, unless a lookup filled it in: then it
 * has no version, and nothing was published. When Redis knows nothing, the topic may still hold an
 * old record: a deleted space gets its tombstone then, too.
 */
static bool is_news(const struct berth_work *work) {
    if (work->now.knowledge == BERTH_SPACE_ABSENT && work->known.knowledge == BERTH_SPACE_UNKNOWN) {
        return work->command->type == BERTH_DELETE_SPACE;
    }
    bool filled_in = work->known.knowledge == BERTH_SPACE_PRESENT && work->known.version == 0;
    return filled_in || !berth_space_state_equal(&work->now, &work->known);
}

/* ---- Single workspaces ---- */

static void tell_items(struct berth_work *work, bool told, const char *code,
                       struct berth_outcome *outcome) {
    if (work->items_count == 0) {
        return;
    }
    outcome->bindings =
        berth_pool_alloc(work->pool, work->items_count * sizeof(*outcome->bindings));
    for (size_t i = 0; i < work->items_count; i++) {
        tell_item(work, &work->items[i], told, code, &outcome->bindings[i]);
    }
    outcome->bindings_count = work->items_count;
}

static void tell_item(const struct berth_work *work, const struct berth_plan_item *item, bool told,
                      const char *code, struct berth_binding_change *ret_change) {
    const struct berth_binding *was = berth_space_state_find(&work->before, item->workspace);
    const struct berth_binding *is = berth_space_state_find(&work->now, item->workspace);
    bool bound = is != NULL && !is->disabled && !is->altered &&
                 strcmp(is->key_id, work->settings->key_id) == 0;
    bool as_wanted = item->wanted ? bound : is == NULL;

    text_set(ret_change->workspace, sizeof(ret_change->workspace), item->workspace, NULL);
    if (item->refusal != BERTH_REFUSAL_NONE) {
        ret_change->kind = BERTH_BINDING_FAILED;
        ret_change->code = plan_refusal_code(item->refusal);
    } else if (!told || !as_wanted) {
        BERTH_ASSERT(code != NULL);
        ret_change->kind = BERTH_BINDING_FAILED;
        ret_change->code = code;
    } else if (!item->wanted && was != NULL) {
        ret_change->kind = BERTH_BINDING_UNBOUND;
        ret_change->code = BERTH_CODE_WORKSPACE_UNBOUND;
    } else if (item->wanted && (was == NULL || was->robot_id != is->robot_id)) {
        ret_change->kind = BERTH_BINDING_BOUND;
        ret_change->code = BERTH_CODE_WORKSPACE_BOUND;
    } else if (item->wanted && (was->disabled || was->altered)) {
        ret_change->kind = BERTH_BINDING_BOUND;
        ret_change->code = BERTH_CODE_WORKSPACE_REPAIRED;
    } else {
        ret_change->kind = BERTH_BINDING_UNCHANGED;
        ret_change->code = BERTH_CODE_WORKSPACE_UNCHANGED;
    }
}

/* Harbor deletes the robots with the project. */
static void tell_deleted_bindings(struct berth_work *work, struct berth_outcome *outcome) {
    size_t count = work->before.bindings_count;
    if (count == 0) {
        return;
    }
    outcome->bindings = berth_pool_alloc(work->pool, count * sizeof(*outcome->bindings));
    for (size_t i = 0; i < count; i++) {
        struct berth_binding_change *change = &outcome->bindings[i];
        change->kind = BERTH_BINDING_UNBOUND;
        change->code = BERTH_CODE_WORKSPACE_UNBOUND;
        text_set(change->workspace, sizeof(change->workspace), work->before.bindings[i].workspace,
                 NULL);
    }
    outcome->bindings_count = count;
}

static void move_state(struct berth_space_state *target, struct berth_space_state *source) {
    *target = *source;
    berth_space_state_init(source);
}
