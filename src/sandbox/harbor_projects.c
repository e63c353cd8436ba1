/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Projects: create, read, update, delete, list.
 * Sources: src/server/v2.0/handler/project.go, src/pkg/project/manager.go and dao/dao.go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

/* What decides whether a project is in a list, apart from its plain fields; made once a list. */
struct list_scope {
    const struct berth_model_caller *caller;
    const char *name_part;
    const char *owner_name;
    const char *is_public; /* "true", "false", or NULL: both. */
};

static struct berth_model_verdict check_create(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               const struct berth_model_project_request *request);
static struct project_row *insert_project(struct berth_model *model,
                                          const struct berth_model_caller *caller, int64_t id,
                                          const struct berth_model_project_request *request,
                                          int64_t now_ms);
static struct project_row *find_row(const struct berth_model *model,
                                    struct berth_model_project_ref ref);
static const char *visibility(const struct berth_model_project_request *request);
static const void **candidates(const struct berth_model *model,
                               const struct berth_model_caller *caller,
                               const struct berth_model_project_list *list, size_t *ret_count);
static struct list_scope make_scope(const struct berth_model_caller *caller,
                                    const struct berth_model_project_list *list);
static bool listed(const struct list_scope *scope, const struct berth_model_project *project);
static bool in_scope(const struct berth_model_caller *caller,
                     const struct berth_model_project *project, bool with_public);
static bool robot_in_scope(const struct berth_model_robot *robot,
                           const struct berth_model_project *project, bool with_public);
static const char *public_filter(const struct berth_model_project_list *list);
static const char *owner_filter(const struct berth_model_project_list *list);

/* What Harbor's mapper lets lists filter and sort by; "owner" and "public" have code of their own.
 */
static const struct berth_model_query_field FIELDS[] = {
    {"Name", "name", NULL, BERTH_MODEL_QUERY_TEXT, offsetof(struct berth_model_project, name)},
    {"ProjectID", "project_id", NULL, BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_project, id)},
    {"OwnerID", "owner_id", NULL, BERTH_MODEL_QUERY_NUMBER,
     offsetof(struct berth_model_project, owner_id)},
    {"CreationTime", "creation_time", NULL, BERTH_MODEL_QUERY_TIME,
     offsetof(struct berth_model_project, created_ms)},
    {"UpdateTime", "update_time", NULL, BERTH_MODEL_QUERY_TIME,
     offsetof(struct berth_model_project, updated_ms)},
};

static const struct berth_model_query_table TABLE = {
    .fields = FIELDS, .field_count = sizeof(FIELDS) / sizeof(FIELDS[0]), .default_sort = 0};

const struct berth_model_project *berth_model_find_project(const struct berth_model *model,
                                                           struct berth_model_project_ref ref) {
    const struct project_row *project = find_row(model, ref);
    return project == NULL ? NULL : &project->view;
}

struct berth_model_verdict berth_model_get_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   const struct berth_model_project **ret_project) {
    return berth_model_get_project_for(model, caller, ref, "project", action, ret_project);
}

struct berth_model_verdict
berth_model_get_project_for(const struct berth_model *model,
                            const struct berth_model_caller *caller,
                            struct berth_model_project_ref ref, const char *resource,
                            const char *action, const struct berth_model_project **ret_project) {
    const struct berth_model_project *project = berth_model_find_project(model, ref);
    struct berth_model_verdict verdict = berth_model_require(caller, project, resource, action);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (project == NULL) {
        return berth_model_error("NOT_FOUND", "project %s not found", ref.text);
    }
    *ret_project = project;
    return berth_model_ok(200);
}

struct berth_model_verdict
berth_model_create_project(struct berth_model *model, const struct berth_model_caller *caller,
                           const struct berth_model_project_request *request, int64_t now_ms,
                           const struct berth_model_project **ret_project) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    verdict = check_create(model, caller, request);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    int64_t id = berth_model_ids_take(&model->projects);
    if (id == 0) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    if (berth_model_project_by_name(model, request->name) != NULL) {
        return berth_model_error("CONFLICT", "The project named %s already exists", request->name);
    }
    *ret_project = &insert_project(model, caller, id, request, now_ms)->view;
    return berth_model_ok(201);
}

struct berth_model_verdict berth_model_update_project(struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      struct berth_model_project_ref ref,
                                                      const char *is_public, int64_t now_ms) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct berth_model_project *view = NULL;
    verdict = berth_model_get_project(model, caller, ref, "update", &view);
    if (!berth_model_is_ok(&verdict) || is_public == NULL) {
        return verdict;
    }
    BERTH_ASSERT(view != NULL);
    return berth_model_set_public(model, view, is_public, now_ms);
}

struct berth_model_verdict berth_model_set_public(struct berth_model *model,
                                                  const struct berth_model_project *view,
                                                  const char *is_public, int64_t now_ms) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    struct project_row *project = berth_model_project_by_id(model, view->id);
    free((void *)(uintptr_t)project->view.is_public);
    project->view.is_public = berth_sandbox_copy(is_public);
    project->view.updated_ms = now_ms;
    return verdict;
}

struct berth_model_verdict berth_model_set_metadata(struct berth_model *model,
                                                    const struct berth_model_project *view,
                                                    size_t key, const char *value, int64_t now_ms) {
    BERTH_ASSERT(key < BERTH_MODEL_METADATA_COUNT);
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    struct project_row *project = berth_model_project_by_id(model, view->id);
    free((void *)(uintptr_t)project->view.metadata[key]);
    project->view.metadata[key] = berth_sandbox_copy(value);
    project->view.updated_ms = now_ms;
    return verdict;
}

struct berth_model_verdict berth_model_delete_project(struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      struct berth_model_project_ref ref) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct berth_model_project *view = NULL;
    verdict = berth_model_get_project(model, caller, ref, "delete", &view);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    BERTH_ASSERT(view != NULL);
    if (view->repository_count > 0) {
        return berth_model_error(
            "PRECONDITION",
            "precondition failed: the project contains repositories, can not be deleted");
    }
    struct project_row *project = berth_model_project_by_id(model, view->id);
    while (project->robots != NULL) {
        berth_model_drop_robot(model, project->robots);
    }
    /* Harbor keeps the row and renames it to "<name>#<id>"; no request can reach it there. */
    HASH_DEL(model->project_names, project);
    berth_model_ids_put(&model->projects, project->view.id, NULL);
    if (project->view.quota_id != 0) {
        berth_model_ids_put(&model->quotas, project->view.quota_id, NULL);
    }
    berth_model_drop_members(model, project);
    berth_model_free_project(project);
    return verdict;
}

struct berth_model_verdict berth_model_list_projects(const struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     const struct berth_model_project_list *list,
                                                     struct berth_model_query_page *ret_page) {
    size_t count = 0;
    const void **items = candidates(model, caller, list, &count);
    if (berth_model_query_apply(list->query, &TABLE, items, count, ret_page) != BERTH_OK) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    return berth_model_ok(200);
}

struct project_row *berth_model_project_by_name(const struct berth_model *model, const char *name) {
    struct project_row *project = NULL;
    HASH_FIND_STR(model->project_names, name, project);
    return project;
}

struct project_row *berth_model_project_by_id(const struct berth_model *model, int64_t id) {
    return berth_model_ids_get(&model->projects, id);
}

void berth_model_free_project(struct project_row *project) {
    berth_model_drop_repositories(project);
    free((void *)(uintptr_t)project->view.name);
    free((void *)(uintptr_t)project->view.is_public);
    for (size_t i = 0; i < BERTH_MODEL_METADATA_COUNT; i++) {
        free((void *)(uintptr_t)project->view.metadata[i]);
    }
    free(project);
}

static struct berth_model_verdict check_create(const struct berth_model *model,
                                               const struct berth_model_caller *caller,
                                               const struct berth_model_project_request *request) {
    if (strlen(request->name) > BERTH_MODEL_NAME_BYTES_MAX) {
        return berth_model_error("UNPROCESSABLE_ENTITY",
                                 "validation failure list:\nproject_name in body should be at most"
                                 " %d chars long",
                                 BERTH_MODEL_NAME_BYTES_MAX);
    }
    struct berth_model_verdict verdict = berth_model_require_login(caller);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (caller->kind == BERTH_MODEL_ROBOT && strcmp(caller->robot->level, "system") != 0) {
        return berth_model_error("FORBIDDEN", "Only system level robot can create project");
    }
    bool trusted = berth_model_may_system(caller, "project", "create");
    if (model->settings.admins_create_only && !trusted) {
        return berth_model_error("FORBIDDEN", "Only system admin can create project");
    }
    if (request->has_registry && !trusted) {
        return berth_model_error("FORBIDDEN", "Only system admin can create proxy cache project");
    }
    const char *is_public = visibility(request);
    if (strcmp(is_public, "true") != 0 && strcmp(is_public, "false") != 0) {
        return berth_model_error("BAD_REQUEST",
                                 "metadata.public should only be 'true' or 'false', but got: '%s'",
                                 is_public);
    }
    if (request->has_registry && request->registry_id <= 0) {
        return berth_model_error("BAD_REQUEST",
                                 "bad request: %lld is invalid value of registry_id,"
                                 " it should be geater than 0",
                                 (long long)request->registry_id);
    }
    if (request->has_registry) {
        /* There are no registries here, so every id is unknown, which Harbor answers with 500. */
        return berth_model_error("UNKNOWN", "internal server error");
    }
    /* From callers without the right the limit is not refused but ignored. */
    if (trusted && request->storage_limit_bytes != 0) {
        verdict = berth_model_check_storage(request->storage_limit_bytes, "bad request: ");
        if (!berth_model_is_ok(&verdict)) {
            return verdict;
        }
    }
    if (!berth_model_rules_name_legal(request->name)) {
        return berth_model_error("BAD_REQUEST", "project name is not in lower case or contains"
                                                " illegal characters");
    }
    return berth_model_ok(200);
}

static struct project_row *insert_project(struct berth_model *model,
                                          const struct berth_model_caller *caller, int64_t id,
                                          const struct berth_model_project_request *request,
                                          int64_t now_ms) {
    /* A robot owns nothing: Harbor takes the system administrator with the lowest id instead. */
    const struct berth_model_user *owner =
        caller->kind == BERTH_MODEL_USER ? caller->user : &model->users[0]->view;
    bool limit_counts =
        request->storage_limit_bytes != 0 && berth_model_may_system(caller, "project", "create");
    bool has_quota = model->settings.quota_per_project;
    struct project_row *project = berth_sandbox_alloc(sizeof(*project));
    project->view = (struct berth_model_project){
        .id = id,
        .name = berth_sandbox_copy(request->name),
        .owner_id = owner->id,
        .owner_name = owner->name,
        .is_public = berth_sandbox_copy(visibility(request)),
        .created_ms = now_ms,
        .updated_ms = now_ms,
        .quota_updated_ms = now_ms,
        .quota_id = has_quota ? berth_model_ids_take(&model->quotas) : 0,
        .storage_limit_bytes =
            limit_counts ? request->storage_limit_bytes : model->settings.storage_per_project_bytes,
    };
    /* There are never more quotas than project ids, so their sequence can't run out first. */
    BERTH_ASSERT(!has_quota || project->view.quota_id != 0);
    berth_model_ids_put(&model->projects, id, project);
    if (has_quota) {
        berth_model_ids_put(&model->quotas, project->view.quota_id, project);
    }
    /* A membership can be deleted, so there are more of them than projects; but not that many. */
    BERTH_ASSERT(berth_model_insert_member(model, project, owner, BERTH_MODEL_ROLE_ADMIN) != NULL);
    HASH_ADD_KEYPTR(hh, model->project_names, project->view.name, strlen(project->view.name),
                    project);
    return project;
}

static struct project_row *find_row(const struct berth_model *model,
                                    struct berth_model_project_ref ref) {
    char *end = NULL;
    errno = 0;
    long long id = strtoll(ref.text, &end, 10);
    bool is_number = end != ref.text && *end == '\0' && errno == 0;
    if (is_number && !ref.is_name) {
        return berth_model_project_by_id(model, id);
    }
    return berth_model_project_by_name(model, ref.text);
}

static const char *visibility(const struct berth_model_project_request *request) {
    bool given = request->is_public != NULL && request->is_public[0] != '\0';
    return given ? request->is_public : "false";
}

/* The projects that can be in the list: one for an exact name, those from an id on for a scan by
 * id, else all of them. The caller frees the array. */
static const void **candidates(const struct berth_model *model,
                               const struct berth_model_caller *caller,
                               const struct berth_model_project_list *list, size_t *ret_count) {
    const struct list_scope scope = make_scope(caller, list);
    size_t count = 0;
    const struct berth_model_query_term *name = berth_model_query_find(list->query, "name", "Name");
    if (name != NULL && name->kind == BERTH_MODEL_QUERY_EXACT) {
        const void **one = berth_sandbox_alloc(sizeof(one[0]));
        const struct project_row *project = berth_model_project_by_name(model, name->value);
        if (project != NULL && listed(&scope, &project->view)) {
            one[count++] = &project->view;
        }
        *ret_count = count;
        return one;
    }
    const struct berth_model_query_term *id =
        berth_model_query_find(list->query, "project_id", "ProjectID");
    int64_t first = id == NULL ? 1 : berth_model_query_lower_bound(id);
    first = first < 1 ? 1 : first;
    int64_t end = id != NULL && id->kind == BERTH_MODEL_QUERY_EXACT && first < model->projects.next
                      ? first + 1
                      : model->projects.next;
    const void **items = berth_sandbox_alloc(sizeof(items[0]) * HASH_COUNT(model->project_names));
    for (int64_t i = first; i < end; i++) {
        const struct project_row *project = berth_model_project_by_id(model, i);
        if (project != NULL && listed(&scope, &project->view)) {
            items[count++] = &project->view;
        }
    }
    *ret_count = count;
    return items;
}

static struct list_scope make_scope(const struct berth_model_caller *caller,
                                    const struct berth_model_project_list *list) {
    return (struct list_scope){
        .caller = caller,
        .name_part = list->name_part,
        .owner_name = owner_filter(list),
        .is_public = public_filter(list),
    };
}

static bool listed(const struct list_scope *scope, const struct berth_model_project *project) {
    /* Unlike access, the filter compares with the two lower-case words exactly. */
    if (scope->is_public != NULL && strcmp(project->is_public, scope->is_public) != 0) {
        return false;
    }
    if (scope->name_part != NULL && strcasestr(project->name, scope->name_part) == NULL) {
        return false;
    }
    if (scope->owner_name != NULL && strcmp(project->owner_name, scope->owner_name) != 0) {
        return false;
    }
    bool with_public = scope->is_public == NULL || strcmp(scope->is_public, "true") == 0;
    return in_scope(scope->caller, project, with_public);
}

/* Whether the caller's list holds the project at all: everything for a system administrator, what
 * is his for others, what is public for everybody. */
static bool in_scope(const struct berth_model_caller *caller,
                     const struct berth_model_project *project, bool with_public) {
    if (berth_model_may_system(caller, "project", "list")) {
        return true;
    }
    bool is_public = strcmp(project->is_public, "true") == 0;
    switch (caller->kind) {
    case BERTH_MODEL_ANONYMOUS:
        return is_public;
    case BERTH_MODEL_USER:
        return berth_model_role(project, caller->user->id) != 0 || (with_public && is_public);
    case BERTH_MODEL_ROBOT:
        return robot_in_scope(caller->robot, project, with_public && is_public);
    }
    BERTH_UNREACHABLE("every kind of caller has its case");
}

static bool robot_in_scope(const struct berth_model_robot *robot,
                           const struct berth_model_project *project, bool with_public) {
    for (size_t i = 0; i < robot->permission_count; i++) {
        const struct berth_model_permission *permission = &robot->permissions[i];
        if (strcmp(permission->kind, "project") == 0 &&
            (permission->project_id == 0 || permission->project_id == project->id)) {
            return true;
        }
    }
    return with_public;
}

/* public= of the URL, or the same key in q=, brought to "true" or "false"; NULL: no filter. */
static const char *public_filter(const struct berth_model_project_list *list) {
    if (list->is_public != NULL) {
        return list->is_public;
    }
    const struct berth_model_query_term *term =
        berth_model_query_find(list->query, "public", "Public");
    if (term == NULL) {
        return NULL;
    }
    bool yes = term->kind == BERTH_MODEL_QUERY_EXACT && berth_model_rules_truth(term->value);
    return yes ? "true" : "false";
}

/* owner= of the URL, or the same key in q= with an exact name; NULL: no filter. */
static const char *owner_filter(const struct berth_model_project_list *list) {
    if (list->owner_name != NULL) {
        return list->owner_name;
    }
    const struct berth_model_query_term *term =
        berth_model_query_find(list->query, "owner", "Owner");
    return term != NULL && term->kind == BERTH_MODEL_QUERY_EXACT ? term->value : NULL;
}
