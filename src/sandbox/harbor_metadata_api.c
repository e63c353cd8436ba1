/* SPDX-License-Identifier: Apache-2.0 */
/* /projects/{p}/metadatas: the other way to a project's visibility, and the one that checks it.
 * Source: src/server/v2.0/handler/project_metadata.go. */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_rules.h"

static bool find_project(struct berth_sandbox_call *call, const char *action,
                         const struct berth_model_project **ret_project);
static bool find_key(const char *name, size_t *ret_key);
static const char *go_bool(const char *text);
static const char *severity(const char *text);

struct json_t *berth_sandbox_call_metadata(const struct berth_model_project *project) {
    json_t *json = json_pack("{s:s}", "public", project->is_public);
    BERTH_ASSERT(json != NULL);
    for (size_t i = 0; i < BERTH_MODEL_METADATA_COUNT; i++) {
        if (project->metadata[i] != NULL) {
            json_t *value = json_string(project->metadata[i]);
            BERTH_ASSERT(json_object_set_new(json, berth_model_rules_metadata_key(i), value) == 0);
        }
    }
    return json;
}

void berth_sandbox_list_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (find_project(call, "list", &project)) {
        berth_sandbox_reply_json(call->reply, 200, berth_sandbox_call_metadata(project));
    }
}

void berth_sandbox_get_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (!find_project(call, "read", &project)) {
        return;
    }
    /* A key that isn't there is no error: the answer is an object without it. */
    json_t *all = berth_sandbox_call_metadata(project);
    json_t *value = json_object_get(all, call->params[1]);
    json_t *json = value == NULL ? json_object() : json_pack("{s:O}", call->params[1], value);
    berth_sandbox_reply_json(call->reply, 200, json);
    json_decref(all);
}

void berth_sandbox_update_metadata(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    const char *name = call->params[1];
    const char *value = ""; /* Other keys than the path's count for nothing. */
    if (!berth_sandbox_call_bind_body(call, "metadata") ||
        !berth_sandbox_call_bind_text(call, call->body, name, &value) ||
        !find_project(call, "update", &project)) {
        return;
    }
    size_t key = 0;
    bool is_public = strcmp(name, "public") == 0;
    if (!is_public && !find_key(name, &key)) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST", "invalid key");
        return;
    }
    bool is_flag = is_public || berth_model_rules_metadata_is_flag(key);
    const char *stored = is_flag ? go_bool(value) : severity(value);
    if (stored == NULL) {
        berth_sandbox_reply_error(call->reply, 400, "BAD_REQUEST", "invalid value");
        return;
    }
    int64_t now_ms = call->request->now_ms;
    struct berth_model_verdict verdict =
        is_public ? berth_model_set_public(call->harbor->model, project, stored, now_ms)
                  : berth_model_set_metadata(call->harbor->model, project, key, stored, now_ms);
    berth_sandbox_call_answer(call, &verdict);
}

/* Of the keys that a project may have these two can be set with the project only. */
static bool find_key(const char *name, size_t *ret_key) {
    if (strcmp(name, "auto_sbom_generation") == 0 || strcmp(name, "reuse_sys_cve_allowlist") == 0) {
        return false;
    }
    for (size_t i = 0; i < BERTH_MODEL_METADATA_COUNT; i++) {
        if (strcmp(berth_model_rules_metadata_key(i), name) == 0) {
            *ret_key = i;
            return true;
        }
    }
    return false;
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

/* In lower case, as Harbor stores it; NULL: none that it knows. */
static const char *severity(const char *text) {
    static const char *const WORDS[] = {"none", "low", "medium", "high", "critical"};
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcasecmp(text, WORDS[i]) == 0) {
            return WORDS[i];
        }
    }
    return NULL;
}
