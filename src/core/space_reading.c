/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/space_reading.h"

#include "berth/base/assert.h"
#include "text.h"

void berth_space_reading_init(struct berth_space_reading *reading, uint32_t registry,
                              const char *space, struct berth_pool *pool) {
    static const struct berth_space_state nothing = {.knowledge = BERTH_SPACE_UNKNOWN};
    const struct berth_plan_registry where = {.index = registry};
    /* An update that sets a quota is the one that must know all of it: see must_know_quota(). It
     * is only ever read back, never stepped, so it writes nothing. */
    reading->command =
        (struct berth_command){.type = BERTH_UPDATE_SPACE, .quota_given = true, .quota_bytes = 1};
    text_set(reading->command.space, sizeof(reading->command.space), space, NULL);
    reading->settings = (struct berth_plan_settings){.key_id = ""};
    berth_work_init(&reading->work, &reading->command, &where, &reading->settings, pool);
    berth_work_claimed(&reading->work, true, false, &nothing, &nothing, true);
}

void berth_space_reading_deinit(struct berth_space_reading *reading) {
    berth_work_deinit(&reading->work);
}

enum berth_space_reading_step berth_space_reading_step(struct berth_space_reading *reading,
                                                       struct berth_harbor_call *ret_call) {
    BERTH_ASSERT(reading->work.calls_outstanding == 0);
    if (reading->work.refusal != BERTH_REFUSAL_NONE) {
        return BERTH_SPACE_READING_TOO_LARGE;
    }
    size_t count = 0;
    if (berth_work_read_back(&reading->work, ret_call, 1, &count)) {
        BERTH_ASSERT(count == 1);
        BERTH_ASSERT(!berth_harbor_call_is_write(ret_call->kind));
        return BERTH_SPACE_READING_CALL;
    }
    BERTH_ASSERT(reading->work.now.knowledge != BERTH_SPACE_UNKNOWN);
    return BERTH_SPACE_READING_DONE;
}

enum berth_observed berth_space_reading_observe(struct berth_space_reading *reading,
                                                const struct berth_harbor_call *call,
                                                const struct berth_harbor_answer *answer) {
    return berth_work_observe(&reading->work, call, answer);
}

const struct berth_space_state *
berth_space_reading_state(const struct berth_space_reading *reading) {
    BERTH_ASSERT(reading->work.now.knowledge != BERTH_SPACE_UNKNOWN);
    return &reading->work.now;
}
