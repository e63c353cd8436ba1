/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: what each is called, what people are told, and what to do about it. */
#include <stdint.h>

#include "berth/base/assert.h"
#include "berth/core/codes.h"
#include "plan_parts.h"
#include "text.h"

/* How many names a sentence spells out. */
#define NAMES_IN_SENTENCE    3
#define NAMES_SENTENCE_BYTES 160

/* Writes the sentence and adds details. item: the refused one, or NULL for a refusal of the whole. */
typedef void explain_fn(const struct berth_work *work, const struct berth_plan_item *item,
                        struct berth_outcome *outcome);

static explain_fn explain_already_exists;
static explain_fn explain_create_unproved;
static explain_fn explain_not_found;
static explain_fn explain_replaced;
static explain_fn explain_protected;
static explain_fn explain_bound;
static explain_fn explain_not_empty;
static explain_fn explain_foreign_robots;
static explain_fn explain_too_many_robots;
static explain_fn explain_too_many_bindings;
static explain_fn explain_quota_unsupported;
static explain_fn explain_harbor;
static explain_fn explain_foreign_robot;
static explain_fn explain_disabled;
static const char *name_bound(const struct berth_work *work, size_t index);
static void say(struct berth_outcome *outcome, ...) __attribute__((sentinel));

static const struct {
    const char *code;
    explain_fn *explain;
} REFUSALS[BERTH_REFUSALS] = {
    [BERTH_REFUSAL_ALREADY_EXISTS] = {BERTH_CODE_SPACE_ALREADY_EXISTS, explain_already_exists},
    [BERTH_REFUSAL_CREATE_UNPROVED] = {BERTH_CODE_SPACE_CREATE_UNPROVED, explain_create_unproved},
    [BERTH_REFUSAL_NOT_FOUND] = {BERTH_CODE_SPACE_NOT_FOUND, explain_not_found},
    [BERTH_REFUSAL_REPLACED] = {BERTH_CODE_SPACE_REPLACED, explain_replaced},
    [BERTH_REFUSAL_PROTECTED] = {BERTH_CODE_SPACE_PROTECTED, explain_protected},
    [BERTH_REFUSAL_BOUND] = {BERTH_CODE_SPACE_BOUND, explain_bound},
    [BERTH_REFUSAL_NOT_EMPTY] = {BERTH_CODE_SPACE_NOT_EMPTY, explain_not_empty},
    [BERTH_REFUSAL_FOREIGN_ROBOTS] = {BERTH_CODE_SPACE_FOREIGN_ROBOTS, explain_foreign_robots},
    [BERTH_REFUSAL_TOO_MANY_ROBOTS] = {BERTH_CODE_SPACE_TOO_MANY_ROBOTS, explain_too_many_robots},
    [BERTH_REFUSAL_TOO_MANY_BINDINGS] = {BERTH_CODE_SPACE_TOO_MANY_BINDINGS,
                                         explain_too_many_bindings},
    [BERTH_REFUSAL_QUOTA_UNSUPPORTED] = {BERTH_CODE_QUOTA_UNSUPPORTED, explain_quota_unsupported},
    [BERTH_REFUSAL_HARBOR] = {BERTH_CODE_HARBOR_REFUSED, explain_harbor},
    [BERTH_REFUSAL_FOREIGN_ROBOT] = {BERTH_CODE_BINDING_FOREIGN_ROBOT, explain_foreign_robot},
    [BERTH_REFUSAL_DISABLED] = {BERTH_CODE_BINDING_DISABLED, explain_disabled},
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
    text_set(outcome->code, sizeof(outcome->code), REFUSALS[refusal].code, NULL);
    REFUSALS[refusal].explain(work, item, outcome);
}

static void explain_already_exists(const struct berth_work *work,
                                   const struct berth_plan_item *item,
                                   struct berth_outcome *outcome) {
    (void)item;
    say(outcome, "Space '", work->command->space, "' already exists in registry '",
        work->command->registry,
        "': choose another name, or send it with if_exists ADOPT to take it over.", NULL);
}

static void explain_create_unproved(const struct berth_work *work,
                                    const struct berth_plan_item *item,
                                    struct berth_outcome *outcome) {
    (void)item;
    plan_detail(outcome, "owner", work->owner);
    say(outcome, "Space '", work->command->space, "' exists in registry '",
        work->command->registry,
        "', and whether this command or somebody else created it can't be proved: send it with "
        "if_exists ADOPT to take it over.",
        NULL);
}

static void explain_not_found(const struct berth_work *work, const struct berth_plan_item *item,
                              struct berth_outcome *outcome) {
    (void)item;
    say(outcome, "Space '", work->command->space, "' does not exist in registry '",
        work->command->registry, "': create it first.", NULL);
}

static void explain_replaced(const struct berth_work *work, const struct berth_plan_item *item,
                             struct berth_outcome *outcome) {
    (void)item;
    plan_detail_number(outcome, "project_id", work->now.project_id);
    say(outcome, "The space that this command was sent for is gone, and another project is called '",
        work->command->space, "' now: if that is to be deleted too, send the command again.", NULL);
}

static void explain_protected(const struct berth_work *work, const struct berth_plan_item *item,
                              struct berth_outcome *outcome) {
    (void)item;
    say(outcome, "Space '", work->command->space,
        "' is protected from deletion by berth's configuration.", NULL);
}

static void explain_bound(const struct berth_work *work, const struct berth_plan_item *item,
                          struct berth_outcome *outcome) {
    (void)item;
    size_t count = work->now.bindings_count;
    char names[BERTH_DETAIL_VALUE_BYTES];
    plan_join_names(work, name_bound, count, SIZE_MAX, names, sizeof(names));
    plan_detail(outcome, "workspaces", names);
    plan_detail_number(outcome, "workspaces_count", (int64_t)count);

    char few[NAMES_SENTENCE_BYTES];
    plan_join_names(work, name_bound, count, NAMES_IN_SENTENCE, few, sizeof(few));
    say(outcome, "Space '", work->command->space, "' is still bound to ", few,
        ": unbind first, or delete it with unbind.", NULL);
}

static void explain_not_empty(const struct berth_work *work, const struct berth_plan_item *item,
                              struct berth_outcome *outcome) {
    (void)item;
    if (work->repositories == 0) {
        say(outcome, "Harbor says that space '", work->command->space,
            "' still holds repositories: delete them there first.", NULL);
        return;
    }
    char digits[TEXT_NUMBER_BYTES];
    plan_detail_number(outcome, "repositories", work->repositories);
    say(outcome, "Space '", work->command->space, "' still holds ",
        text_number(work->repositories, digits),
        text_plural(work->repositories, " repository: delete it", " repositories: delete them"),
        " in Harbor first.", NULL);
}

static void explain_foreign_robots(const struct berth_work *work,
                                   const struct berth_plan_item *item,
                                   struct berth_outcome *outcome) {
    (void)item;
    int64_t count = (int64_t)work->foreign_robots;
    char digits[TEXT_NUMBER_BYTES];
    plan_detail_number(outcome, "foreign_robots", count);
    plan_detail(outcome, "foreign_robot", work->foreign_example);
    say(outcome, "Space '", work->command->space, "' has ", text_number(count, digits),
        text_plural(count, " robot account that is not berth's ('",
                    " robot accounts that are not berth's (such as '"),
        work->foreign_example, "'): delete it in Harbor first, or delete the space with unbind.",
        NULL);
}

static void explain_too_many_robots(const struct berth_work *work,
                                    const struct berth_plan_item *item,
                                    struct berth_outcome *outcome) {
    (void)item;
    say(outcome, "Space '", work->command->space,
        "' has more robot accounts than berth can handle (1,000 bindings, 10,000 in all): delete "
        "some in Harbor first.",
        NULL);
}

static void explain_too_many_bindings(const struct berth_work *work,
                                      const struct berth_plan_item *item,
                                      struct berth_outcome *outcome) {
    (void)item;
    char digits[TEXT_NUMBER_BYTES];
    say(outcome, "A space takes at most 1,000 bindings, and '", work->command->space,
        "' already has ", text_number((int64_t)work->now.bindings_count, digits),
        ": unbind some first, or send fewer workspaces.", NULL);
}

static void explain_quota_unsupported(const struct berth_work *work,
                                      const struct berth_plan_item *item,
                                      struct berth_outcome *outcome) {
    (void)item;
    bool created = work->created_id != 0 && work->created_id == work->now.project_id;
    say(outcome, "Registry '", work->command->registry, "' keeps no quota for space '",
        work->command->space, created ? "', which was created without one" : "'",
        ": switch on project quotas in Harbor, or send the command without quota_bytes.", NULL);
}

static void explain_harbor(const struct berth_work *work, const struct berth_plan_item *item,
                           struct berth_outcome *outcome) {
    plan_detail(outcome, "harbor", work->harbor_words);
    const char *words = work->harbor_words[0] != '\0' ? work->harbor_words : "no reason given";
    if (item != NULL) {
        say(outcome, "Harbor refuses workspace '", item->workspace, "' for space '",
            work->command->space, "' (", words, "): it has to be sent differently.", NULL);
    } else {
        say(outcome, "Harbor refuses this for space '", work->command->space, "' (", words,
            "): it has to be sent differently.", NULL);
    }
}

static void explain_foreign_robot(const struct berth_work *work,
                                  const struct berth_plan_item *item,
                                  struct berth_outcome *outcome) {
    plan_detail(outcome, "foreign_robot", item->robot_name);
    say(outcome, "Workspace '", item->workspace, "' can't be bound to space '",
        work->command->space, "': its robot account '", item->robot_name,
        "' there is not berth's; delete that in Harbor and send the command again.", NULL);
}

static void explain_disabled(const struct berth_work *work, const struct berth_plan_item *item,
                             struct berth_outcome *outcome) {
    say(outcome, "The robot account of workspace '", item->workspace, "' for space '",
        work->command->space,
        "' was disabled in Harbor: bind that workspace by itself to enable it again.", NULL);
}

static const char *name_bound(const struct berth_work *work, size_t index) {
    return work->now.bindings[index].workspace;
}

static void say(struct berth_outcome *outcome, ...) {
    struct text text;
    text_init(&text, outcome->message, sizeof(outcome->message));
    va_list parts;
    va_start(parts, outcome);
    text_add_list(&text, parts);
    va_end(parts);
}
