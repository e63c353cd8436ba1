/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/deadlines.h"

#include "berth/base/assert.h"
#include "berth/base/pool.h"

static bool earlier(const struct berth_deadline *a, const struct berth_deadline *b);
static void place(struct berth_deadlines *deadlines, size_t index, struct berth_deadline *deadline);
static void sift_up(struct berth_deadlines *deadlines, size_t index);
static void sift_down(struct berth_deadlines *deadlines, size_t index);

void berth_deadlines_init(struct berth_deadlines *deadlines, struct berth_pool *pool,
                          size_t capacity) {
    *deadlines = (struct berth_deadlines){.pool = pool, .capacity = capacity};
    deadlines->heap = berth_pool_alloc(pool, capacity * sizeof(struct berth_deadline *));
}

void berth_deadlines_deinit(struct berth_deadlines *deadlines) {
    berth_pool_free(deadlines->pool, deadlines->heap);
    *deadlines = (struct berth_deadlines){0};
}

void berth_deadlines_arm(struct berth_deadlines *deadlines, struct berth_deadline *deadline,
                         int64_t at_ms) {
    berth_deadlines_cancel(deadlines, deadline);
    BERTH_ASSERT(deadlines->count < deadlines->capacity);

    deadline->at_ms = at_ms;
    deadline->order = deadlines->next_order++;
    place(deadlines, deadlines->count, deadline);
    deadlines->count++;
    sift_up(deadlines, deadlines->count - 1);
}

void berth_deadlines_cancel(struct berth_deadlines *deadlines, struct berth_deadline *deadline) {
    if (!berth_deadline_armed(deadline)) {
        return;
    }
    size_t index = deadline->slot - 1;
    BERTH_ASSERT(deadlines->heap[index] == deadline);

    deadline->slot = 0;
    deadlines->count--;
    if (index == deadlines->count) {
        return;
    }
    struct berth_deadline *moved = deadlines->heap[deadlines->count];
    place(deadlines, index, moved);
    sift_up(deadlines, index);
    sift_down(deadlines, moved->slot - 1);
}

bool berth_deadline_armed(const struct berth_deadline *deadline) {
    return deadline->slot != 0;
}

struct berth_deadline *berth_deadlines_pop(struct berth_deadlines *deadlines, int64_t now_ms) {
    if (deadlines->count == 0 || deadlines->heap[0]->at_ms > now_ms) {
        return NULL;
    }
    struct berth_deadline *first = deadlines->heap[0];
    berth_deadlines_cancel(deadlines, first);
    return first;
}

int64_t berth_deadlines_next_ms(const struct berth_deadlines *deadlines) {
    return deadlines->count == 0 ? INT64_MAX : deadlines->heap[0]->at_ms;
}

static bool earlier(const struct berth_deadline *a, const struct berth_deadline *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void place(struct berth_deadlines *deadlines, size_t index,
                  struct berth_deadline *deadline) {
    deadlines->heap[index] = deadline;
    deadline->slot = index + 1;
}

static void sift_up(struct berth_deadlines *deadlines, size_t index) {
    struct berth_deadline *rising = deadlines->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!earlier(rising, deadlines->heap[parent])) {
            break;
        }
        place(deadlines, index, deadlines->heap[parent]);
        index = parent;
    }
    place(deadlines, index, rising);
}

static void sift_down(struct berth_deadlines *deadlines, size_t index) {
    struct berth_deadline *sinking = deadlines->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= deadlines->count) {
            break;
        }
        if (child + 1 < deadlines->count &&
            earlier(deadlines->heap[child + 1], deadlines->heap[child])) {
            child++;
        }
        if (!earlier(deadlines->heap[child], sinking)) {
            break;
        }
        place(deadlines, index, deadlines->heap[child]);
        index = child;
    }
    place(deadlines, index, sinking);
}
