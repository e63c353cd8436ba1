/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/space.h"

#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"

#define CAPACITY_FIRST 4

static size_t place_of(const struct berth_space_state *state, const char *workspace,
                       bool *ret_found);
static void grow(struct berth_space_state *state, struct berth_pool *pool);

void berth_space_state_init(struct berth_space_state *state) {
    *state = (struct berth_space_state){.knowledge = BERTH_SPACE_UNKNOWN};
}

void berth_space_state_deinit(struct berth_space_state *state, struct berth_pool *pool) {
    berth_pool_free(pool, state->bindings);
    berth_space_state_init(state);
}

void berth_space_state_copy(struct berth_space_state *target,
                            const struct berth_space_state *source, struct berth_pool *pool) {
    BERTH_ASSERT(target != source);
    BERTH_ASSERT(source->bindings_count <= BERTH_SPACE_BINDINGS_MAX);
    berth_pool_free(pool, target->bindings);
    *target = *source;
    target->bindings = NULL;
    target->bindings_capacity = source->bindings_count;
    if (source->bindings_count > 0) {
        size_t bytes = source->bindings_count * sizeof(*source->bindings);
        target->bindings = berth_pool_alloc(pool, bytes);
        memcpy(target->bindings, source->bindings, bytes);
    }
}

struct berth_binding *berth_space_state_find(const struct berth_space_state *state,
                                             const char *workspace) {
    bool found;
    size_t place = place_of(state, workspace, &found);
    return found ? &state->bindings[place] : NULL;
}

void berth_space_state_put(struct berth_space_state *state, const struct berth_binding *binding,
                           struct berth_pool *pool) {
    bool found;
    size_t place = place_of(state, binding->workspace, &found);
    if (!found) {
        BERTH_ASSERT(state->bindings_count < BERTH_SPACE_BINDINGS_MAX);
        if (state->bindings_count >= state->bindings_capacity) {
            grow(state, pool);
        }
        struct berth_binding *at = &state->bindings[place];
        memmove(at + 1, at, (state->bindings_count - place) * sizeof(*at));
        state->bindings_count++;
    }
    state->bindings[place] = *binding;
}

bool berth_space_state_remove(struct berth_space_state *state, const char *workspace) {
    bool found;
    size_t place = place_of(state, workspace, &found);
    if (found) {
        struct berth_binding *at = &state->bindings[place];
        state->bindings_count--;
        memmove(at, at + 1, (state->bindings_count - place) * sizeof(*at));
    }
    return found;
}

bool berth_space_state_equal(const struct berth_space_state *a, const struct berth_space_state *b) {
    if (a->knowledge != b->knowledge) {
        return false;
    }
    if (a->knowledge != BERTH_SPACE_PRESENT) {
        return true;
    }
    if (a->project_id != b->project_id || a->visibility != b->visibility ||
        a->quota_bytes != b->quota_bytes || strcmp(a->created_by, b->created_by) != 0 ||
        a->bindings_count != b->bindings_count) {
        return false;
    }
    for (size_t i = 0; i < a->bindings_count; i++) {
        const struct berth_binding *x = &a->bindings[i];
        const struct berth_binding *y = &b->bindings[i];
        if (strcmp(x->workspace, y->workspace) != 0 || x->robot_id != y->robot_id ||
            strcmp(x->key_id, y->key_id) != 0 || x->disabled != y->disabled ||
            x->altered != y->altered) {
            return false;
        }
    }
    return true;
}

/* Where the workspace's binding is, or would be inserted. */
static size_t place_of(const struct berth_space_state *state, const char *workspace,
                       bool *ret_found) {
    size_t low = 0;
    size_t high = state->bindings_count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(state->bindings[middle].workspace, workspace);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void grow(struct berth_space_state *state, struct berth_pool *pool) {
    size_t capacity = state->bindings_count * 2;
    if (capacity < CAPACITY_FIRST) {
        capacity = CAPACITY_FIRST;
    }
    if (capacity > BERTH_SPACE_BINDINGS_MAX) {
        capacity = BERTH_SPACE_BINDINGS_MAX;
    }
    struct berth_binding *bindings = berth_pool_alloc(pool, capacity * sizeof(*bindings));
    if (state->bindings_count > 0) {
        memcpy(bindings, state->bindings, state->bindings_count * sizeof(*bindings));
    }
    berth_pool_free(pool, state->bindings);
    state->bindings = bindings;
    state->bindings_capacity = capacity;
}
