/* SPDX-License-Identifier: Apache-2.0 */
/* /projects: bodies to the model, the model's verdicts and projects to replies. */
#include <jansson.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"
#include "harbor_members.h"
#include "harbor_rules.h"

/* What a body says; NULL: nothing about that key. */
struct metadata {
    const char *is_public;
    const char *others[BERTH_MODEL_METADATA_COUNT];
};

static void add_role_counts(const struct berth_model_project *project, json_t *body);
static bool bind_project(struct berth_sandbox_call *call,
                         struct berth_model_project_request *ret_request,
                         struct metadata *ret_metadata);
static bool bind_metadata(struct berth_sandbox_call *call, const json_t *body,
                          struct metadata *ret_metadata);
static void set_metadata(struct berth_sandbox_call *call, const struct berth_model_project *project,
                         const struct metadata *metadata);
static bool bind_retention(struct berth_sandbox_call *call, const json_t *body);
static bool find_for(struct berth_sandbox_call *call, const char *action,
                     const struct berth_model_project **ret_project);
static json_t *project_json(const struct berth_model_project *project,
                            const struct berth_model_caller *caller, bool with_metadata);

void berth_sandbox_create_project(struct berth_sandbox_call *call) {
    struct berth_model_project_request request = {0};
    struct metadata metadata = {0};
    if (!berth_sandbox_call_bind_body(call, "project") ||
        !bind_project(call, &request, &metadata)) {
        return;
    }
    const struct berth_model_project *project = NULL;
    struct berth_model_verdict verdict = berth_model_create_project(
        call->harbor->model, &call->caller, &request, call->request->now_ms, &project);
    if (verdict.status != 201) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    set_metadata(call, project, &metadata);
    berth_sandbox_reply_empty(call->reply, 201);
    if (berth_sandbox_call_truth(call->request->name_in_location)) {
        berth_sandbox_reply_header(call->reply, "Location", "/api/v2.0/projects/%s", project->name);
    } else {
        berth_sandbox_reply_header(call->reply, "Location", "/api/v2.0/projects/%lld",
                                   (long long)project->id);
    }
}

void berth_sandbox_list_projects(struct berth_sandbox_call *call) {
    struct berth_model_query query;
    if (!berth_sandbox_call_bind_query(call, &query)) {
        return;
    }
    const char *is_public = berth_sandbox_url_params_get(&call->query, "public");
    const char *owner = berth_sandbox_url_params_get(&call->query, "owner");
    const char *name = berth_sandbox_url_params_get(&call->query, "name");
    const char *detail = berth_sandbox_url_params_get(&call->query, "with_detail");
    struct berth_model_project_list list = {
        .query = &query,
        .owner_name = owner != NULL && owner[0] != '\0' ? owner : NULL,
        .name_part = name != NULL && name[0] != '\0' ? name : NULL,
    };
    if (is_public != NULL) {
        list.is_public = berth_sandbox_call_truth(is_public) ? "true" : "false";
    }
    struct berth_model_query_page page;
    struct berth_model_verdict verdict =
        berth_model_list_projects(call->harbor->model, &call->caller, &list, &page);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < page.count; i++) {
        BERTH_ASSERT(json_array_append_new(
                         array, project_json(page.items[i], &call->caller,
                                             detail == NULL || berth_sandbox_call_truth(detail))) ==
                     0);
    }
    berth_sandbox_call_page_headers(call, &query, page.total);
    berth_sandbox_reply_json(call->reply, 200, array);
    berth_model_query_page_deinit(&page);
}

void berth_sandbox_head_project(struct berth_sandbox_call *call) {
    const char *name = berth_sandbox_url_params_get(&call->query, "project_name");
    struct berth_model_verdict verdict = berth_model_require_login(&call->caller);
    int status = verdict.status;
    if (name == NULL) {
        status = 422;
    } else if (status == 200 && (name[0] == '\0' || strchr(name, ' ') != NULL)) {
        status = 400;
    } else if (status == 200) {
        const struct berth_model_project_ref ref = {.text = name, .is_name = true};
        status = berth_model_find_project(call->harbor->model, ref) == NULL ? 404 : 200;
    }
    /* A HEAD never has a body, so neither code nor message. */
    berth_sandbox_reply_empty(call->reply, status);
}

void berth_sandbox_get_project(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (find_for(call, "read", &project)) {
        berth_sandbox_reply_json(call->reply, 200, project_json(project, &call->caller, true));
    }
}

void berth_sandbox_update_project(struct berth_sandbox_call *call) {
    struct metadata metadata = {0};
    if (!berth_sandbox_call_bind_body(call, "project") ||
        !bind_metadata(call, call->body, &metadata)) {
        return;
    }
    struct berth_model_project_ref ref = berth_sandbox_call_project_ref(call);
    const struct berth_model_project *project = NULL;
    /* Rights come before the one thing that Harbor refuses in a body of legal types. */
    if (!find_for(call, "update", &project) || !bind_retention(call, call->body)) {
        return;
    }
    struct berth_model_verdict verdict = berth_model_update_project(
        call->harbor->model, &call->caller, ref, metadata.is_public, call->request->now_ms);
    if (verdict.status == 200) {
        set_metadata(call, project, &metadata);
    }
    berth_sandbox_call_answer(call, &verdict);
}

void berth_sandbox_delete_project(struct berth_sandbox_call *call) {
    struct berth_model_verdict verdict = berth_model_delete_project(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call));
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_empty(call->reply, 200);
}

void berth_sandbox_get_project_deletable(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (!find_for(call, "delete", &project)) {
        return;
    }
    json_t *body = project->repository_count == 0
                       ? json_pack("{s:b}", "deletable", 1)
                       : json_pack("{s:s}", "message",
                                   "the project contains repositories, can not be deleted");
    berth_sandbox_reply_json(call->reply, 200, body);
}

void berth_sandbox_get_project_summary(struct berth_sandbox_call *call) {
    const struct berth_model_project *project = NULL;
    if (!find_for(call, "read", &project)) {
        return;
    }
    json_t *body = json_pack("{s:I}", "repo_count", (json_int_t)project->repository_count);
    BERTH_ASSERT(body != NULL);
    if (project->quota_id != 0 && berth_model_may(&call->caller, project, "quota", "read")) {
        json_t *quota = json_pack("{s:{s:I},s:{s:i}}", "hard", "storage",
                                  (json_int_t)project->storage_limit_bytes, "used", "storage", 0);
        BERTH_ASSERT(json_object_set_new(body, "quota", quota) == 0);
    }
    if (berth_model_may(&call->caller, project, "member", "list")) {
        add_role_counts(project, body);
    }
    berth_sandbox_reply_json(call->reply, 200, body);
}

static void add_role_counts(const struct berth_model_project *project, json_t *body) {
    static const struct {
        const char *key;
        int64_t role;
    } COUNTS[] = {
        {"project_admin_count", BERTH_MODEL_ROLE_ADMIN},
        {"maintainer_count", BERTH_MODEL_ROLE_MAINTAINER},
        {"developer_count", BERTH_MODEL_ROLE_DEVELOPER},
        {"guest_count", BERTH_MODEL_ROLE_GUEST},
        {"limited_guest_count", BERTH_MODEL_ROLE_LIMITED_GUEST},
    };
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
        /* What is 0 is left out, as Go's omitempty does. */
        int64_t count = berth_model_role_count(project, COUNTS[i].role);
        if (count > 0) {
            json_t *number = json_integer(count);
            BERTH_ASSERT(json_object_set_new(body, COUNTS[i].key, number) == 0);
        }
    }
}

static bool bind_project(struct berth_sandbox_call *call,
                         struct berth_model_project_request *ret_request,
                         struct metadata *ret_metadata) {
    const char *name = "";
    bool deprecated_public = false;
    bool given = false;
    if (!berth_sandbox_call_bind_text(call, call->body, "project_name", &name) ||
        !bind_metadata(call, call->body, ret_metadata) ||
        !berth_sandbox_call_bind_flag(call, call->body, "public", &deprecated_public) ||
        !berth_sandbox_call_bind_number(call, call->body, "storage_limit",
                                        &ret_request->storage_limit_bytes, &given) ||
        !berth_sandbox_call_bind_number(call, call->body, "registry_id", &ret_request->registry_id,
                                        &ret_request->has_registry)) {
        return false;
    }
    const char *is_public = ret_metadata->is_public;
    if ((is_public == NULL || is_public[0] == '\0') && deprecated_public) {
        is_public = "true";
    }
    ret_request->name = name;
    ret_request->is_public = is_public;
    return true;
}

/* All known keys are strings. Unknown ones Harbor drops as well. */
static bool bind_metadata(struct berth_sandbox_call *call, const json_t *body,
                          struct metadata *ret_metadata) {
    const char *unused = NULL;
    json_t *object = NULL;
    if (!berth_sandbox_call_bind_object(call, body, "metadata", &object)) {
        return false;
    }
    for (size_t i = 0; i < BERTH_MODEL_METADATA_COUNT; i++) {
        if (!berth_sandbox_call_bind_text(call, object, berth_model_rules_metadata_key(i),
                                          &ret_metadata->others[i])) {
            return false;
        }
    }
    return berth_sandbox_call_bind_text(call, object, "retention_id", &unused) &&
           berth_sandbox_call_bind_text(call, object, "public", &ret_metadata->is_public);
}

/* As part of the create or update that has just been done. */
static void set_metadata(struct berth_sandbox_call *call, const struct berth_model_project *project,
                         const struct metadata *metadata) {
    for (size_t i = 0; i < BERTH_MODEL_METADATA_COUNT; i++) {
        if (metadata->others[i] != NULL) {
            (void)berth_model_set_metadata(call->harbor->model, project, i, metadata->others[i],
                                           call->request->now_ms);
        }
    }
}

/* No project here has a retention policy, so any id is another one than the stored. */
static bool bind_retention(struct berth_sandbox_call *call, const json_t *body) {
    const json_t *id = json_object_get(json_object_get(body, "metadata"), "retention_id");
    if (json_is_string(id)) {
        berth_sandbox_reply_error(
            call->reply, 400, "BAD_REQUEST",
            "the retention_id in the request's payload when updating a project should be omitted,"
            " alternatively passing the one that has already been associated to this project");
        return false;
    }
    return true;
}

/* The project of the path; false when the reply says why not. */
static bool find_for(struct berth_sandbox_call *call, const char *action,
                     const struct berth_model_project **ret_project) {
    struct berth_model_verdict verdict =
        berth_model_get_project(call->harbor->model, &call->caller,
                                berth_sandbox_call_project_ref(call), action, ret_project);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return false;
    }
    return true;
}

static json_t *project_json(const struct berth_model_project *project,
                            const struct berth_model_caller *caller, bool with_metadata) {
    char created[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    char updated[BERTH_SANDBOX_CALL_TIME_BYTES_MAX];
    berth_sandbox_call_time(project->created_ms, created);
    berth_sandbox_call_time(project->updated_ms, updated);
    json_t *json = json_pack(
        "{s:I,s:s,s:I,s:s,s:s,s:s,s:I,s:{s:I,s:[],s:s,s:s}}", "project_id", (json_int_t)project->id,
        "name", project->name, "owner_id", (json_int_t)project->owner_id, "owner_name",
        project->owner_name, "creation_time", created, "update_time", updated, "repo_count",
        (json_int_t)project->repository_count, "cve_allowlist", "project_id",
        (json_int_t)project->id, "items", "creation_time", created, "update_time", updated);
    BERTH_ASSERT(json != NULL);
    if (with_metadata) {
        BERTH_ASSERT(json_object_set_new(json, "metadata", berth_sandbox_call_metadata(project)) ==
                     0);
    }
    int64_t role =
        caller->kind == BERTH_MODEL_USER ? berth_model_role(project, caller->user->id) : 0;
    if (role != 0) {
        json_t *roles = json_pack("[I]", (json_int_t)role);
        BERTH_ASSERT(json_object_set_new(json, "current_user_role_id", json_integer(role)) == 0);
        BERTH_ASSERT(json_object_set_new(json, "current_user_role_ids", roles) == 0);
    }
    return json;
}
