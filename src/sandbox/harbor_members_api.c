/* SPDX-License-Identifier: Apache-2.0 */
/* /projects/{p}/members. */
#include "harbor_members.h"

#include <jansson.h>
#include <string.h>

#include "berth/base/assert.h"
#include "harbor_call.h"

static bool bind_member(struct berth_sandbox_call *call,
                        struct berth_model_member_request *ret_request);
static struct berth_model_verdict add(struct berth_sandbox_call *call,
                                      const struct berth_model_member_request *request,
                                      const struct berth_model_member **ret_member);
static json_t *member_json(const struct berth_model_member *member);

void berth_sandbox_list_members(struct berth_sandbox_call *call) {
    struct berth_model_query query;
    if (!berth_sandbox_call_bind_query(call, &query)) {
        return;
    }
    query.term_count = 0; /* q= is not for members. */
    const char *name = berth_sandbox_url_params_get(&call->query, "entityname");
    struct berth_model_query_page page;
    struct berth_model_verdict verdict = berth_model_list_members(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call),
        name != NULL && name[0] != '\0' ? name : NULL, &query, &page);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < page.count; i++) {
        BERTH_ASSERT(json_array_append_new(array, member_json(page.items[i])) == 0);
    }
    berth_sandbox_call_page_headers(call, &query, page.total);
    berth_sandbox_reply_json(call->reply, 200, array);
    berth_model_query_page_deinit(&page);
}

void berth_sandbox_create_member(struct berth_sandbox_call *call) {
    struct berth_model_member_request request = {0};
    if (!berth_sandbox_call_bind_body(call, "projectMember") || !bind_member(call, &request)) {
        return;
    }
    if (call->ret_reading != NULL) {
        struct berth_model_verdict verdict = berth_model_read_for_member(
            call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call), &request,
            call->ret_reading);
        call->has_read = verdict.status == 200;
        return;
    }
    const struct berth_model_member *member = NULL;
    struct berth_model_verdict verdict = add(call, &request, &member);
    if (verdict.status != 201) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    BERTH_ASSERT(member != NULL);
    berth_sandbox_reply_empty(call->reply, 201);
    berth_sandbox_reply_header(call->reply, "Location", "/api/v2.0/projects/%s/members/%lld",
                               call->params[0], (long long)member->id);
}

void berth_sandbox_get_member(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 1, "mid", &id)) {
        return;
    }
    const struct berth_model_member *member = NULL;
    struct berth_model_verdict verdict = berth_model_get_member(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call), id, &member);
    if (verdict.status != 200) {
        berth_sandbox_call_refuse(call, &verdict);
        return;
    }
    berth_sandbox_reply_json(call->reply, 200, member_json(member));
}

void berth_sandbox_update_member(struct berth_sandbox_call *call) {
    int64_t id = 0;
    int64_t role = 0;
    bool given = false;
    if (!berth_sandbox_call_bind_id(call, 1, "mid", &id) ||
        !berth_sandbox_call_bind_body(call, "role") ||
        !berth_sandbox_call_bind_number(call, call->body, "role_id", &role, &given)) {
        return;
    }
    struct berth_model_verdict verdict = berth_model_update_member(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call), id, role);
    berth_sandbox_call_answer(call, &verdict);
}

void berth_sandbox_delete_member(struct berth_sandbox_call *call) {
    int64_t id = 0;
    if (!berth_sandbox_call_bind_id(call, 1, "mid", &id)) {
        return;
    }
    struct berth_model_verdict verdict = berth_model_delete_member(
        call->harbor->model, &call->caller, berth_sandbox_call_project_ref(call), id);
    berth_sandbox_call_answer(call, &verdict);
}

/* Groups can't be there: with local users Harbor knows none (db_auth). */
static bool bind_member(struct berth_sandbox_call *call,
                        struct berth_model_member_request *ret_request) {
    json_t *user = NULL;
    json_t *group = NULL;
    bool given = false;
    return berth_sandbox_call_bind_number(call, call->body, "role_id", &ret_request->role,
                                          &given) &&
           berth_sandbox_call_bind_object(call, call->body, "member_user", &user) &&
           berth_sandbox_call_bind_object(call, call->body, "member_group", &group) &&
           berth_sandbox_call_bind_number(call, user, "user_id", &ret_request->user_id, &given) &&
           berth_sandbox_call_bind_text(call, user, "username", &ret_request->user_name);
}

static struct berth_model_verdict add(struct berth_sandbox_call *call,
                                      const struct berth_model_member_request *request,
                                      const struct berth_model_member **ret_member) {
    struct berth_model *model = call->harbor->model;
    if (call->handling->reading == NULL) {
        return berth_model_add_member(model, &call->caller, berth_sandbox_call_project_ref(call),
                                      request, ret_member);
    }
    struct berth_model_verdict verdict = berth_model_require_login(&call->caller);
    if (verdict.status != 200) {
        return verdict;
    }
    return berth_model_join_member(model, request, call->handling->reading, ret_member);
}

static json_t *member_json(const struct berth_model_member *member) {
    json_t *json =
        json_pack("{s:I,s:I,s:I,s:s,s:s,s:I,s:s}", "id", (json_int_t)member->id, "project_id",
                  (json_int_t)member->project_id, "entity_id", (json_int_t)member->user->id,
                  "entity_name", member->user->name, "entity_type", "u", "role_id",
                  (json_int_t)member->role, "role_name", berth_model_role_name(member->role));
    BERTH_ASSERT(json != NULL);
    return json;
}
