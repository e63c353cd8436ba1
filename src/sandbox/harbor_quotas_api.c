/* SPDX-License-Identifier: Apache-2.0 */
/* /quotas. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"

/* More resources than "storage" are a 400 anyway; more than this are not looked at. */
#define LIMITS_MAX 8

static int64_t referenced_project(const struct berth_sandbox_call *call);
static bool bind_limits(struct berth_sandbox_call *call,
                        struct berth_model_limit ret_limits[LIMITS_MAX], size_t *ret_count);
static json_t *quota_json(const struct berth_model_project *project);

void berth_sandbox_list_quotas(struct berth_sandbox_call *call) {
    struct berth_model_query query;
    if (!berth_sandbox_call_bind_query(call, &query)) {
        return;
    }
    query.term_count = 0; /* q= is not for quotas. */
    struct berth_model_query_page page = {0};
    struct berth_model_verdict verdict = berth_model_list_quotas(
        call->harbor->model, &call->caller, referenced_project(call), &query, &page);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < page.count; i++) {
        BERTH_ASSERT(json_array_append_new(array, quota_json(page.items[i])) == 0);
    }
    berth_sandbox_call_page_headers(call, &query, page.total);
    berth_sandbox_reply_json(call->reply, 200, array);
    berth_model_query_page_deinit(&page);
}

void berth_sandbox_get_quota(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 0, "id", &id)) {
        return;
    }
    const struct berth_model_project *project = NULL;
    struct berth_model_verdict verdict =
        berth_model_get_quota(call->harbor->model, &call->caller, id, &project);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_json(call->reply, 200, quota_json(project));
}

/* Not of the public API: what an administrator is told to do in Harbor's issues. */
void berth_sandbox_sync_quotas(struct berth_sandbox_call *call) {
    struct berth_model_verdict verdict =
        berth_model_sync_quotas(call->harbor->model, &call->caller, call->request->now_ms);
    berth_sandbox_call_answer(call, &verdict);
}

void berth_sandbox_update_quota(struct berth_sandbox_call *call) {
    int64_t id = 0;
    struct berth_model_limit limits[LIMITS_MAX];
    size_t count = 0;
    if (!berth_sandbox_call_bind_id(call, 0, "id", &id) ||
        !berth_sandbox_call_bind_body(call, "hard") || !bind_limits(call, limits, &count)) {
        return;
    }
    struct berth_model_verdict verdict = berth_model_update_quota(
        call->harbor->model, &call->caller, id, limits, count, call->request->now_ms);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_empty(call->reply, 200);
}

/* reference= and reference_id=: the project, 0 for all of them, -1 for what can't be one. */
static int64_t referenced_project(const struct berth_sandbox_call *call) {
    const char *reference = berth_sandbox_url_params_get(&call->query, "reference");
    const char *id = berth_sandbox_url_params_get(&call->query, "reference_id");
    if (reference != NULL && reference[0] != '\0' && strcmp(reference, "project") != 0) {
        return -1;
    }
    if (id == NULL || id[0] == '\0') {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(id, &end, 10);
    return *end == '\0' && errno == 0 && number > 0 ? number : -1;
}

static bool bind_limits(struct berth_sandbox_call *call,
                        struct berth_model_limit ret_limits[LIMITS_MAX], size_t *ret_count) {
    json_t *hard = NULL;
    if (!berth_sandbox_call_bind_object(call, call->body, "hard", &hard)) {
        return false;
    }
    const char *resource = NULL;
    json_t *value = NULL;
    json_object_foreach(hard, resource, value) {
        if (!json_is_integer(value)) {
            berth_sandbox_call_invalid(call, "hard.%s in body must be of type int64", resource);
            return false;
        }
        if (*ret_count < LIMITS_MAX) {
            ret_limits[(*ret_count)++] = (struct berth_model_limit){
                .resource = resource, .value = json_integer_value(value)};
        }
    }
    return true;
}

/* Of projects of the first user Harbor leaves out whose they are. */
static json_t *quota_json(const struct berth_model_project *project) {
    const char *owner = project->owner_id == BERTH_MODEL_ADMIN_ID ? "" : project->owner_name;
    char created[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    char updated[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    berth_sandbox_call_time(project->created_ms, created);
    berth_sandbox_call_time(project->quota_updated_ms, updated);
    json_t *json = json_pack("{s:I,s:{s:I,s:s,s:s},s:{s:I},s:{s:i},s:s,s:s}", "id",
                             (json_int_t)project->quota_id, "ref", "id", (json_int_t)project->id,
                             "name", project->name, "owner_name", owner, "hard", "storage",
                             (json_int_t)project->storage_limit_bytes, "used", "storage", 0,
                             "creation_time", created, "update_time", updated);
    BERTH_ASSERT(json != NULL);
    return json;
}
