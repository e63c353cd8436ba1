/* SPDX-License-Identifier: Apache-2.0 */
/* /projects/{p}/metadatas: the other way to a project's visibility, and the one that checks it.
 * Source: src/server/v2.0/handler/project_metadata.go. */
#include <jansson.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"

static bool find_project(struct berth_sandbox_call *call, const char *action,
                         const struct berth_model_project **ret_project);
static const char *go_bool(const char *text);

void berth_sandbox_list_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (find_project(call, "list", &project)) {
        berth_sandbox_reply_json(call->reply, 200,
                                 json_pack("{s:s}", "public", project->is_public));
    }
}

void berth_sandbox_get_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (!find_project(call, "read", &project)) {
        return;
    }
    if (strcmp(call->params[1], "public") != 0) {
        berth_sandbox_reply_error(call->reply, 404, "NOT_FOUND", "metadata not found");
        return;
    }
    berth_sandbox_reply_json(call->reply, 200, json_pack("{s:s}", "public", project->is_public));
}

void berth_sandbox_update_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    const char *value = NULL;
    if (!berth_sandbox_call_bind_body(call, "metadata") ||
        !berth_sandbox_call_bind_text(call, call->body, "public", &value) ||
        !find_project(call, "update", &project)) {
        return;
    }
    if (json_object_size(call->body) != 1 || value == NULL ||
        strcmp(call->params[1], "public") != 0) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST",
                                  "only one metadata is allowed, the one of the path");
        return;
    }
    const char *truth = go_bool(value);
    if (truth == NULL) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST", "invalid value: not a bool");
        return;
    }
    struct berth_model_verdict verdict =
        berth_model_set_public(call->harbor->model, project, truth, call->request->now_ms);
    berth_sandbox_call_answer(call, &verdict);
}

static bool find_project(struct berth_sandbox_call *call, const char *action,
                         const struct berth_model_project **ret_project) {
    struct berth_model_verdict verdict = berth_model_get_project_for(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call), "metadata",
        action, ret_project);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return false;
    }
    return true;
}

/* What Go's strconv.ParseBool takes, as Harbor stores it; NULL: it takes it not. */
static const char *go_bool(const char *text) {
    static const char *const TRUE[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const FALSE[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < sizeof(TRUE) / sizeof(TRUE[0]); i++) {
        if (strcmp(text, TRUE[i]) == 0) {
            return "true";
        }
        if (strcmp(text, FALSE[i]) == 0) {
            return "false";
        }
    }
    return NULL;
}
