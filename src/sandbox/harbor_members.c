/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "berth/base/assert.h"
#include "harbor_model_rows.h"
#include "harbor_rules.h"
#include "sandbox_memory.h"

static struct berth_model_verdict writable_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   struct project_row **ret_project);
static struct berth_model_verdict readable_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   struct project_row **ret_project);
static struct berth_model_verdict find_asked_user(const struct berth_model *model,
                                                  const struct berth_model_member_request *request,
                                                  const struct berth_model_user **ret_user);
static void delete_member(struct berth_model *model, struct project_row *project,
                          struct member_row *member);
static struct member_row *find_member(const struct project_row *project, int64_t user_id);
static struct member_row *member_of(const struct berth_model *model,
                                    const struct project_row *project, int64_t member_id);

static const struct berth_model_query_field FIELDS[] = {
    {"ID", "id", NULL, BERTH_MODEL_QUERY_NUMBER, offsetof(struct berth_model_member, id)},
};

static const struct berth_model_query_table TABLE = {.fields = FIELDS, .field_count = 1};

struct berth_model_verdict berth_model_add_member(struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  struct berth_model_project_ref ref,
                                                  const struct berth_model_member_request *request,
                                                  const struct berth_model_member **ret_member) {
    struct berth_model_reading reading = {0};
    struct berth_model_verdict verdict =
        berth_model_read_for_member(model, caller, ref, request, &reading);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    return berth_model_join_member(model, request, &reading, ret_member);
}

struct berth_model_verdict berth_model_read_for_member(
    const struct berth_model *model, const struct berth_model_caller *caller,
    struct berth_model_project_ref ref, const struct berth_model_member_request *request,
    struct berth_model_reading *ret_reading) {
    struct project_row *project = NULL;
    struct berth_model_verdict verdict = writable_project(model, caller, ref, "create", &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct berth_model_user *user = NULL;
    verdict = find_asked_user(model, request, &user);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    BERTH_ASSERT(project != NULL);
    BERTH_ASSERT(user != NULL);
    bool exists = find_member(project, user->id) != NULL;
    if (!exists && berth_model_role_name(request->role)[0] == '\0') {
        return berth_model_error("BAD_REQUEST", "Failed to update project member, role is not"
                                                " valid");
    }
    *ret_reading =
        (struct berth_model_reading){.project_id = project->view.id, .member_exists = exists};
    return verdict;
}

struct berth_model_verdict berth_model_join_member(struct berth_model *model,
                                                   const struct berth_model_member_request *request,
                                                   const struct berth_model_reading *reading,
                                                   const struct berth_model_member **ret_member) {
    struct project_row *project = berth_model_project_by_id(model, reading->project_id);
    const struct berth_model_user *user = NULL;
    struct berth_model_verdict verdict = find_asked_user(model, request, &user);
    if (reading->member_exists) {
        return berth_model_error("CONFLICT", "The project member specified already exist");
    }
    if (!berth_model_is_ok(&verdict) || project == NULL) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    struct member_row *other = find_member(project, user->id);
    if (other != NULL && model->member_races++ % 2 == 0) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    if (other != NULL) {
        delete_member(model, project, other);
    }
    struct member_row *member = berth_model_insert_member(model, project, user, request->role);
    if (member == NULL) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    *ret_member = &member->view;
    return berth_model_ok(201);
}

struct berth_model_verdict berth_model_update_member(struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     struct berth_model_project_ref ref,
                                                     int64_t member_id, int64_t role) {
    struct project_row *project = NULL;
    struct berth_model_verdict verdict = writable_project(model, caller, ref, "update", &project);
    struct member_row *member =
        berth_model_is_ok(&verdict) ? member_of(model, project, member_id) : NULL;
    if (member != NULL) {
        member->view.role = role;
    }
    return verdict;
}

struct berth_model_verdict berth_model_delete_member(struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     struct berth_model_project_ref ref,
                                                     int64_t member_id) {
    struct project_row *project = NULL;
    struct berth_model_verdict verdict = writable_project(model, caller, ref, "delete", &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (member_id == 0) {
        return berth_model_error("BAD_REQUEST", "Project member id can not be zero");
    }
    struct member_row *member = member_of(model, project, member_id);
    if (member != NULL) {
        BERTH_ASSERT(project != NULL);
        delete_member(model, project, member);
    }
    return verdict;
}

static void delete_member(struct berth_model *model, struct project_row *project,
                          struct member_row *member) {
    DL_DELETE(project->members, member);
    berth_model_ids_put(&model->members, member->view.id, NULL);
    free(member);
}

struct berth_model_verdict berth_model_get_member(const struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  struct berth_model_project_ref ref,
                                                  int64_t member_id,
                                                  const struct berth_model_member **ret_member) {
    struct project_row *project = NULL;
    struct berth_model_verdict verdict = readable_project(model, caller, ref, "read", &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    const struct member_row *member = member_of(model, project, member_id);
    if (member == NULL) {
        return berth_model_error("NOT_FOUND", "the project member %lld not found",
                                 (long long)member_id);
    }
    *ret_member = &member->view;
    return verdict;
}

struct berth_model_verdict berth_model_list_members(const struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    struct berth_model_project_ref ref,
                                                    const char *user_name,
                                                    const struct berth_model_query *query,
                                                    struct berth_model_query_page *ret_page) {
    struct project_row *project = NULL;
    struct berth_model_verdict verdict = readable_project(model, caller, ref, "list", &project);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    BERTH_ASSERT(project != NULL);
    int64_t total = 0;
    const struct member_row *member = NULL;
    DL_FOREACH(project->members, member) {
        total++;
    }
    const void **items = berth_sandbox_alloc(sizeof(items[0]) * (size_t)total);
    size_t count = 0;
    DL_FOREACH(project->members, member) {
        bool shown = berth_model_role_name(member->view.role)[0] != '\0' &&
                     (user_name == NULL || strcmp(member->view.user->name, user_name) == 0);
        if (shown) {
            items[count++] = &member->view;
        }
    }
    if (berth_model_query_apply(query, &TABLE, items, count, ret_page) != BERTH_OK) {
        return berth_model_error("UNKNOWN", "internal server error");
    }
    ret_page->total = total;
    return verdict;
}

int64_t berth_model_role(const struct berth_model_project *project, int64_t user_id) {
    const struct member_row *member = find_member((const struct project_row *)project, user_id);
    return member == NULL ? 0 : member->view.role;
}

bool berth_model_administers(const struct berth_model *model,
                             const struct berth_model_caller *caller) {
    bool found = false;
    for (int64_t id = 1; id < model->members.next && !found; id++) {
        const struct member_row *member = berth_model_ids_get(&model->members, id);
        found = member != NULL && caller->kind == BERTH_MODEL_USER &&
                member->view.user == caller->user && member->view.role == BERTH_MODEL_ROLE_ADMIN;
    }
    return found;
}

int64_t berth_model_role_count(const struct berth_model_project *project, int64_t role) {
    int64_t count = 0;
    const struct member_row *member = NULL;
    DL_FOREACH(((const struct project_row *)project)->members, member) {
        count += member->view.role == role ? 1 : 0;
    }
    return count;
}

const char *berth_model_role_name(int64_t role) {
    static const char *const NAMES[] = {"",      "projectAdmin", "developer",
                                        "guest", "maintainer",   "limitedGuest"};
    bool known = role > 0 && (size_t)role < sizeof(NAMES) / sizeof(NAMES[0]);
    return NAMES[known ? role : 0];
}

struct member_row *berth_model_insert_member(struct berth_model *model, struct project_row *project,
                                             const struct berth_model_user *user, int64_t role) {
    int64_t id = berth_model_ids_take(&model->members);
    if (id == 0) {
        return NULL;
    }
    struct member_row *member = berth_sandbox_alloc(sizeof(*member));
    member->project = project;
    member->view = (struct berth_model_member){
        .id = id, .project_id = project->view.id, .user = user, .role = role};
    DL_APPEND(project->members, member);
    berth_model_ids_put(&model->members, id, member);
    return member;
}

void berth_model_drop_members(struct berth_model *model, struct project_row *project) {
    while (project->members != NULL) {
        struct member_row *member = project->members;
        DL_DELETE(project->members, member);
        berth_model_ids_put(&model->members, member->view.id, NULL);
        free(member);
    }
}

static struct berth_model_verdict writable_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   struct project_row **ret_project) {
    struct berth_model_verdict verdict = berth_model_check_writable(model);
    return berth_model_is_ok(&verdict) ? readable_project(model, caller, ref, action, ret_project)
                                       : verdict;
}

/* The project, if the caller may do this with its members: as with projects, only a system
 * administrator hears that there is none. */
static struct berth_model_verdict readable_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   struct project_row **ret_project) {
    const struct berth_model_project *project = berth_model_find_project(model, ref);
    struct berth_model_verdict verdict = berth_model_require(caller, project, "member", action);
    if (!berth_model_is_ok(&verdict)) {
        return verdict;
    }
    if (project == NULL) {
        return berth_model_error("NOT_FOUND", "project %s not found", ref.text);
    }
    *ret_project = berth_model_project_by_id(model, project->id);
    return verdict;
}

static struct berth_model_verdict find_asked_user(const struct berth_model *model,
                                                  const struct berth_model_member_request *request,
                                                  const struct berth_model_user **ret_user) {
    bool by_name = request->user_name != NULL && request->user_name[0] != '\0';
    if (request->user_id > 0) {
        *ret_user = berth_model_find_user_id(model, request->user_id);
        return *ret_user != NULL ? berth_model_ok(200)
                                 : berth_model_error("BAD_REQUEST", "user %lld not found",
                                                     (long long)request->user_id);
    }
    if (!by_name) {
        /* A 400 only from 2.16 on. */
        return berth_model_error("UNKNOWN", "internal server error");
    }
    *ret_user = berth_model_find_user(model, request->user_name);
    return *ret_user != NULL
               ? berth_model_ok(200)
               : berth_model_error("NOT_FOUND", "user %s not found", request->user_name);
}

static struct member_row *find_member(const struct project_row *project, int64_t user_id) {
    struct member_row *member = project->members;
    while (member != NULL && member->view.user->id != user_id) {
        member = member->next;
    }
    return member;
}

static struct member_row *member_of(const struct berth_model *model,
                                    const struct project_row *project, int64_t member_id) {
    struct member_row *member = berth_model_ids_get(&model->members, member_id);
    return member != NULL && member->project == project ? member : NULL;
}
