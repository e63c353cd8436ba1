/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quotas: one row a project, made and removed with it; only system administrators see them.
 * Source: src/server/v2.0/handler/quota.go. Usage is always 0: there are no blobs here.
 */
#include <string.h>

#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

static const void **all_projects(const struct berth_model *model, size_t *ret_count);
static const void **one_project(const struct berth_model *model, int64_t id, size_t *ret_count);

static const struct berth_model_query_field FIELDS[] = {
    {"ID", "id", NULL, BERTH_MODEL_QUERY_NUMBER, offsetof(struct berth_model_project, quota_id)},
};

/* Harbor sorts quotas by their usage first; as that is always 0, the id decides. */
static const struct berth_model_query_table TABLE = {.fields = FIELDS, .field_count = 1};

struct berth_model_verdict berth_model_get_quota(const struct berth_model *model,
                                                 const struct berth_model_caller *caller,
                                                 int64_t quota_id,
                                                 const struct berth_model_project **ret_project) {
    struct berth_model_verdict verdict = berth_model_require_system(model, caller, "quota", "read");
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct project_row *project = berth_model_ids_get(&model->quotas, quota_id);
    if (project == NULL) {
        return berth_model_error("NOT_FOUND", "quota %lld not found", (long long)quota_id);
    }
    *ret_project = &project->view;
    return verdict;
}

struct berth_model_verdict berth_model_list_quotas(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t project_id,
                                                   const struct berth_model_query *query,
                                                   struct berth_model_query_page *ret_page) {
    struct berth_model_verdict verdict = berth_model_require_system(model, caller, "quota", "list");
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    size_t count = 0;
    const void **items =
        project_id == 0 ? all_projects(model, &count) : one_project(model, project_id, &count);
    if (berth_model_query_apply(query, &TABLE, items, count, ret_page) != BERTH_OK) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return verdict;
}

struct berth_model_verdict berth_model_update_quota(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t quota_id,
                                                    const struct berth_model_limit *limits,
                                                    size_t limit_count, int64_t now_ms) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    verdict = berth_model_require_system(model, caller, "quota", "update");
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (limit_count == 0) {
        return berth_model_error("BAD_REQUEST", "hard required in body");
    }
    struct project_row *project = berth_model_ids_get(&model->quotas, quota_id);
    if (project == NULL) {
        return berth_model_error("NOT_FOUND", "quota %lld not found", (long long)quota_id);
    }
    /* All are looked at before any is taken. */
    for (size_t i = 0; i < limit_count; i++) {
        if (strcmp(limits[i].resource, "storage") != 0) {
            return berth_model_error("BAD_REQUEST", "resource %s not support", limits[i].resource);
        }
        verdict = berth_model_check_storage(limits[i].value, "");
        if (!berth_model_is_ok(&verdict)) {
            return verdict;
        }
    }
    project->view.storage_limit_bytes = limits[limit_count - 1].value;
    project->view.quota_updated_ms = now_ms;
    return verdict;
}

struct berth_model_verdict berth_model_sync_quotas(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t now_ms) {
    struct berth_model_verdict verdict =
        berth_model_require_system(model, caller, "quota", "update");
    for (int64_t id = 1; berth_model_is_ok(&verdict) && id < model->projects.next; id++) {
        struct project_row *project = berth_model_project_by_id(model, id);
        if (project != NULL && project->view.quota_id == 0) {
            project->view.quota_id = berth_model_ids_take(&model->quotas);
            project->view.storage_limit_bytes = model->settings.storage_per_project_bytes;
            project->view.quota_updated_ms = now_ms;
            berth_model_ids_put(&model->quotas, project->view.quota_id, project);
        }
    }
    return verdict;
}

struct berth_model_verdict berth_model_check_storage(int64_t bytes, const char *prefix) {
    if (berth_model_rules_storage_legal(bytes)) {
        return berth_model_ok(200);
    }
    if (bytes <= 0) {
        return berth_model_error("BAD_REQUEST",
                                 "%sinvalid non-positive value for quota limit, value=%lld", prefix,
                                 (long long)bytes);
    }
    return berth_model_error("BAD_REQUEST",
                             "%sexceeded 1024TB, which is 1125899906842624 Bytes, value=%lld",
                             prefix, (long long)bytes);
}

/* The caller frees the arrays of these two. */
static const void **all_projects(const struct berth_model *model, size_t *ret_count) {
    const void **items = berth_sandbox_alloc(sizeof(items[0]) * HASH_COUNT(model->project_names));
    size_t count = 0;
    for (int64_t id = 1; id < model->projects.next; id++) {
        const struct project_row *project = berth_model_project_by_id(model, id);
        if (project != NULL && project->view.quota_id != 0) {
            items[count++] = &project->view;
        }
    }
    *ret_count = count;
    return items;
}

static const void **one_project(const struct berth_model *model, int64_t id, size_t *ret_count) {
    const void **items = berth_sandbox_alloc(sizeof(items[0]));
    const struct project_row *project = berth_model_project_by_id(model, id);
    bool has_quota = project != NULL && project->view.quota_id != 0;
    *ret_count = has_quota ? 1 : 0;
    items[0] = has_quota ? &project->view : NULL;
    return items;
}
