/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/harbor_call.h"

#include "berth/base/assert.h"

static const struct {
    const char *name;
    bool write;
} CALLS[BERTH_HARBOR_CALL_KINDS] = {
    [BERTH_HARBOR_CREATE_PROJECT] = {"POST /projects", true},
    [BERTH_HARBOR_GET_PROJECT_NAME] = {"GET /projects/{name}", false},
    [BERTH_HARBOR_GET_PROJECT_ID] = {"GET /projects/{id}", false},
    [BERTH_HARBOR_UPDATE_PROJECT] = {"PUT /projects/{id}", true},
    [BERTH_HARBOR_DELETE_PROJECT] = {"DELETE /projects/{id}", true},
    [BERTH_HARBOR_GET_QUOTA] = {"GET /quotas", false},
    [BERTH_HARBOR_SET_QUOTA] = {"PUT /quotas/{id}", true},
    [BERTH_HARBOR_LIST_ROBOTS] = {"GET /robots", false},
    [BERTH_HARBOR_CREATE_ROBOT] = {"POST /robots", true},
    [BERTH_HARBOR_SET_SECRET] = {"PATCH /robots/{id}", true},
    [BERTH_HARBOR_MEND_ROBOT] = {"PUT /robots/{id}", true},
    [BERTH_HARBOR_DELETE_ROBOT] = {"DELETE /robots/{id}", true},
    [BERTH_HARBOR_PROBE] = {"GET /systeminfo", false},
    [BERTH_HARBOR_GET_ACCOUNT] = {"GET /users/current", false},
};

bool berth_harbor_call_is_write(enum berth_harbor_call_kind kind) {
    BERTH_ASSERT((unsigned)kind < BERTH_HARBOR_CALL_KINDS);
    return CALLS[kind].write;
}

const char *berth_harbor_call_name(enum berth_harbor_call_kind kind) {
    BERTH_ASSERT((unsigned)kind < BERTH_HARBOR_CALL_KINDS);
    return CALLS[kind].name;
}

const char *berth_harbor_verdict_name(enum berth_harbor_verdict verdict) {
    static const char *const names[BERTH_HARBOR_VERDICTS] = {
        [BERTH_HARBOR_DONE] = "done",           [BERTH_HARBOR_CONFLICT] = "conflict",
        [BERTH_HARBOR_ABSENT] = "absent",       [BERTH_HARBOR_NOT_EMPTY] = "not empty",
        [BERTH_HARBOR_INVALID] = "invalid",     [BERTH_HARBOR_UNAUTHENTICATED] = "unauthenticated",
        [BERTH_HARBOR_FORBIDDEN] = "forbidden", [BERTH_HARBOR_READ_ONLY] = "read-only",
        [BERTH_HARBOR_BUSY] = "busy",           [BERTH_HARBOR_NOT_SENT] = "not sent",
        [BERTH_HARBOR_UNKNOWN] = "unknown",
    };
    BERTH_ASSERT((unsigned)verdict < BERTH_HARBOR_VERDICTS);
    return names[verdict];
}
