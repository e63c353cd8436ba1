/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/harbor_call.h"

#include "berth/base/assert.h"
#include "text.h"

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

void berth_harbor_said_keep(struct berth_harbor_said *said, const struct berth_harbor_call *call,
                            const struct berth_harbor_answer *answer) {
    said->call = berth_harbor_call_name(call->kind);
    said->http_status = answer->http_status;
    text_set(said->request_id, sizeof(said->request_id), call->request_id, NULL);
    text_set(said->words, sizeof(said->words), answer->error, NULL);
}

void berth_harbor_said_text(const struct berth_harbor_said *said,
                            char ret_text[BERTH_HARBOR_SAID_BYTES]) {
    BERTH_ASSERT(said->call != NULL);
    struct text text;
    text_init(&text, ret_text, BERTH_HARBOR_SAID_BYTES);
    if (said->http_status > 0) {
        text_add(&text, "HTTP ");
        text_add_number(&text, said->http_status);
    } else {
        text_add(&text, "no reply");
    }
    text_add(&text, " to ");
    text_add(&text, said->call);
    text_add(&text, said->words[0] != '\0' ? ": " : "");
    text_add(&text, said->words);
    text_add(&text, " (request id ");
    text_add(&text, said->request_id);
    text_add(&text, ")");
    BERTH_ASSERT(!text.cut);
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
