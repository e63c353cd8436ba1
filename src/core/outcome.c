/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/outcome.h"

#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"
#include "text.h"

const char *berth_outcome_kind_name(enum berth_outcome_kind kind) {
    static const char *const names[] = {
        [BERTH_SUCCEEDED] = "SUCCEEDED",
        [BERTH_REJECTED] = "REJECTED",
        [BERTH_FAILED] = "FAILED",
    };
    BERTH_ASSERT((size_t)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}

const char *berth_binding_change_kind_name(enum berth_binding_change_kind kind) {
    static const char *const names[] = {
        [BERTH_BINDING_UNCHANGED] = "UNCHANGED",
        [BERTH_BINDING_BOUND] = "BOUND",
        [BERTH_BINDING_UNBOUND] = "UNBOUND",
        [BERTH_BINDING_FAILED] = "FAILED",
    };
    BERTH_ASSERT((size_t)kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}

void berth_outcome_refuse(struct berth_outcome *outcome, enum berth_outcome_kind kind,
                          const char *code, const char *message) {
    *outcome = (struct berth_outcome){
        .kind = kind,
        .audit = kind == BERTH_REJECTED,
        .dead_letter = kind == BERTH_FAILED,
    };
    berth_space_state_init(&outcome->before);
    berth_space_state_init(&outcome->after);
    text_set(outcome->code, sizeof(outcome->code), code, NULL);
    text_set(outcome->message, sizeof(outcome->message), message, NULL);
}

void berth_outcome_deinit(struct berth_outcome *outcome, struct berth_pool *pool) {
    berth_pool_free(pool, outcome->bindings);
    outcome->bindings = NULL;
    outcome->bindings_count = 0;
    berth_space_state_deinit(&outcome->before, pool);
    berth_space_state_deinit(&outcome->after, pool);
}
