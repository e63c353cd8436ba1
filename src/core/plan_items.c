/* SPDX-License-Identifier: Apache-2.0 */
/* The workspaces of a binding command: which are wanted, and what was seen of each. */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"
#include "plan_parts.h"
#include "text.h"

static size_t count_uncovered(const struct berth_work *work, const struct berth_space_state *state);
static struct berth_plan_item unwanted_item(struct berth_work *work, const char *workspace);

bool plan_has_items(const struct berth_command *command) {
    return command->type == BERTH_BIND_WORKSPACE || command->type == BERTH_UNBIND_WORKSPACE ||
           command->type == BERTH_SET_WORKSPACE_BINDINGS;
}

void plan_items_make(struct berth_work *work) {
    const struct berth_command *command = work->command;
    BERTH_ASSERT(work->items == NULL);
    if (command->workspaces_count == 0) {
        return;
    }
    work->items = berth_pool_alloc(work->pool, command->workspaces_count * sizeof(*work->items));
    for (size_t i = 0; i < command->workspaces_count; i++) {
        const struct berth_workspace *workspace = &command->workspaces[i];
        BERTH_ASSERT(i == 0 || strcmp(command->workspaces[i - 1].id, workspace->id) < 0);
        work->items[i] = (struct berth_plan_item){
            .workspace = workspace->id,
            .robot_name = workspace->robot_name,
            .wanted = command->type != BERTH_UNBIND_WORKSPACE,
            .maybe_made = !work->first_claim,
        };
    }
    work->items_count = command->workspaces_count;
}

void plan_items_free(struct berth_work *work) {
    for (size_t i = 0; i < work->items_count; i++) {
        berth_pool_free(work->pool, work->items[i].copy);
    }
    berth_pool_free(work->pool, work->items);
    work->items = NULL;
    work->items_count = 0;
}

void plan_items_cover(struct berth_work *work, const struct berth_space_state *state) {
    if (work->command->type != BERTH_SET_WORKSPACE_BINDINGS) {
        return;
    }
    size_t uncovered = count_uncovered(work, state);
    if (uncovered == 0) {
        return;
    }
    size_t count = work->items_count + uncovered;
    struct berth_plan_item *items = berth_pool_alloc(work->pool, count * sizeof(*items));
    size_t old = 0;
    size_t binding = 0;
    for (size_t i = 0; i < count; i++) {
        /* A merge of two sorted lists; bindings that have an item are passed by. */
        while (binding < state->bindings_count &&
               plan_items_find(work, state->bindings[binding].workspace) != NULL) {
            binding++;
        }
        bool take_old = binding == state->bindings_count ||
                        (old < work->items_count && strcmp(work->items[old].workspace,
                                                           state->bindings[binding].workspace) < 0);
        items[i] = take_old ? work->items[old++]
                            : unwanted_item(work, state->bindings[binding++].workspace);
    }
    berth_pool_free(work->pool, work->items);
    work->items = items;
    work->items_count = count;
}

static size_t count_uncovered(const struct berth_work *work,
                              const struct berth_space_state *state) {
    size_t uncovered = 0;
    for (size_t i = 0; i < state->bindings_count; i++) {
        uncovered += plan_items_find(work, state->bindings[i].workspace) == NULL;
    }
    return uncovered;
}

/* The name is copied, because bindings come and go while the item stays. */
static struct berth_plan_item unwanted_item(struct berth_work *work, const char *workspace) {
    size_t size = strlen(workspace) + 1;
    char *copy = berth_pool_alloc(work->pool, size);
    memcpy(copy, workspace, size);
    return (struct berth_plan_item){.workspace = copy, .robot_name = "", .copy = copy};
}

void plan_items_reopen(struct berth_work *work) {
    for (size_t i = 0; i < work->items_count; i++) {
        work->items[i].settled = false;
    }
}

void plan_items_forget_project(struct berth_work *work) {
    for (size_t i = 0; i < work->items_count; i++) {
        struct berth_plan_item *item = &work->items[i];
        item->settled = false;
        item->foreign = false;
        item->conflicts = 0;
        item->surprises = 0;
        item->refusal = BERTH_REFUSAL_NONE;
    }
}

void plan_items_mark_foreign(struct berth_work *work, const char *robot_name) {
    for (size_t i = 0; i < work->items_count; i++) {
        if (strcmp(work->items[i].robot_name, robot_name) == 0) {
            work->items[i].foreign = true;
        }
    }
}

struct berth_plan_item *plan_items_find(const struct berth_work *work, const char *workspace) {
    size_t low = 0;
    size_t high = work->items_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(work->items[middle].workspace, workspace);
        if (order == 0) {
            return &work->items[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
