/* SPDX-License-Identifier: Apache-2.0 */
/* Members and quotas of projects (paragraphs 3.1 and 4). */
#include "contract.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- 3.1 ---- */

static const struct http_reply *add(struct contract *c, struct project project, const char *body) {
    const char *filled_body = filled(c, body, "USERNAME", c->user.user == NULL ? "" : c->user.user);
    filled_body = filled(c, filled_body, "USERID", text(c, "%" PRId64, c->user_id));
    return ask(c, &c->admin, "POST", filled_body, API "/projects/%" PRId64 "/members", project.id);
}

static const struct http_reply *members_of(struct contract *c, struct project project) {
    return ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/members", project.id);
}

static const json_t *our_member(struct contract *c, struct project project) {
    return json_with(members_of(c, project)->json, "entity_name", c->user.user);
}

static void adds(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const struct http_reply *added = add(c, project, claim->input);
    expect_status(c, added, 201);
    expect_empty(c, added);
    const json_t *member = our_member(c, project);
    expect_number(c, "role_id", number_at(member, "role_id"), 3);
    expect_text(
        c, "Location", header_of(c, added, "Location"),
        text(c, API "/projects/%" PRId64 "/members/%" PRId64, project.id, number_at(member, "id")));
}

static void location_as_given(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body =
        json_text(c, "{'role_id':3,'member_user':{'user_id':%" PRId64 "}}", c->user_id);
    const struct http_reply *added =
        ask(c, &c->admin, "POST", body, API "/projects/%s/members", project.name);
    expect_status(c, added, 201);
    expect_text(c, "Location", header_of(c, added, "Location"),
                text(c, API "/projects/%s/members/%" PRId64, project.name,
                     number_at(our_member(c, project), "id")));
}

static void add_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_error(c, add(c, project, claim->input), claim->status, claim->code);
    expect_number(c, "members", (int64_t)json_array_size(members_of(c, project)->json), 1);
}

static void adds_twice(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, add(c, project, "{'role_id':3,'member_user':{'user_id':USERID}}"), 201);
    expect_error(c, add(c, project, claim->input), 409, "CONFLICT");
    expect_number(c, "role_id", number_at(our_member(c, project), "role_id"), 3);
}

static void fields(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    expect_status(c, add(c, project, "{'role_id':2,'member_user':{'user_id':USERID}}"), 201);
    const json_t *member = our_member(c, project);
    expect(c, number_at(member, "id") > 0, "expected an id");
    expect_number(c, "project_id", number_at(member, "project_id"), project.id);
    expect_number(c, "entity_id", number_at(member, "entity_id"), c->user_id);
    expect_text(c, "entity_type", text_at(member, "entity_type"), "u");
    expect_number(c, "role_id", number_at(member, "role_id"), 2);
    expect_text(c, "role_name", text_at(member, "role_name"), "developer");
}

static void by_name(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, add(c, project, "{'role_id':3,'member_user':{'user_id':USERID}}"), 201);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/members?entityname=%s",
            project.id, filled(c, claim->input, "USERNAME", c->user.user));
    expect_status(c, list, 200);
    expect_number(c, "members", (int64_t)json_array_size(list->json), claim->who);
    expect_text(c, "X-Total-Count", header_of(c, list, "X-Total-Count"), "2");
}

static void changes_role(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, add(c, project, "{'role_id':3,'member_user':{'user_id':USERID}}"), 201);
    int64_t id = number_at(our_member(c, project), "id");
    const char *body = json_text(c, "{'role_id':%d}", claim->who);
    expect_status(c,
                  ask(c, &c->admin, "PUT", body, API "/projects/%" PRId64 "/members/%" PRId64,
                      project.id, id),
                  200);
    const json_t *member = our_member(c, project);
    if (claim->who > 5) {
        expect(c, member == NULL, "expected that the member vanishes from the list");
    } else {
        expect_number(c, "role_id", number_at(member, "role_id"), claim->who);
    }
}

static void missing_member(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const char *body = strcmp(claim->input, "PUT") == 0 ? "{\"role_id\":2}" : NULL;
    const struct http_reply *reply =
        ask(c, &c->admin, claim->input, body, API "/projects/%" PRId64 "/members/%d", project.id,
            claim->who);
    if (claim->status == 200) {
        expect_status(c, reply, 200);
    } else {
        expect_error(c, reply, claim->status, claim->code);
    }
}

static void removes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    expect_status(c, add(c, project, "{'role_id':3,'member_user':{'user_id':USERID}}"), 201);
    const char *path = text(c, API "/projects/%" PRId64 "/members/%" PRId64, project.id,
                            number_at(our_member(c, project), "id"));
    expect_status(c, ask(c, &c->admin, "DELETE", NULL, "%s", path), 200);
    expect(c, our_member(c, project) == NULL, "expected that the member is gone");
    expect_status(c, ask(c, &c->admin, "DELETE", NULL, "%s", path), 200);
}

static void sees_members(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const char *body = text(c, "{'role_id':%d,'member_user':{'user_id':USERID}}", claim->who);
    expect_status(c, add(c, project, body), 201);
    const struct http_reply *list =
        ask(c, &c->user, "GET", NULL, API "/projects/%" PRId64 "/members", project.id);
    if (claim->status == 200) {
        expect_status(c, list, 200);
    } else {
        expect_error(c, list, claim->status, claim->code);
    }
}

static void members_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const struct http_login *who = claim->who == 1 ? &c->user : NULL;
    const char *body = json_text(c, "{'role_id':3,'member_user':{'user_id':1}}");
    expect_error(c, ask(c, who, "POST", body, API "/projects/%" PRId64 "/members", project.id),
                 claim->status, claim->code);
}

/* Which of the two is told what is a matter of chance: 500; 409 when one came later; 201 when one
 * deleted what the other had just made, and made it anew. */
static void adds_side_by_side(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct http_request request = {.login = &c->admin, .method = "POST"};
    request.path = text(c, API "/projects/%" PRId64 "/members", project.id);
    request.body = json_text(c, "{'role_id':3,'member_user':{'user_id':%" PRId64 "}}", c->user_id);
    const struct http_request requests[] = {request, request};
    const struct http_reply *replies[2];
    set_stand_in(c, "{\"between_ms\":100}");
    ask_all(c, requests, 2, replies);
    set_stand_in(c, "{\"between_ms\":0}");
    size_t made = 0;
    for (size_t i = 0; i < 2; i++) {
        long status = replies[i]->status;
        made += status == 201 ? 1 : 0;
        expect(c, status == 201 || status == 409 || status == 500,
               "expected 201, 409 or 500, got %ld", status);
    }
    expect(c, made >= 1, "expected an add with 201");
    expect(c, our_member(c, project) != NULL, "expected one member");
    expect_error(c, ask_with(c, &request), 409, "CONFLICT");
}

static void test_3_1_adding_members(void **state) {
    static const struct claim claims[] = {
        CLAIM("3.1", "POST by user_id is 201 without a body, with a Location", adds,
              .input = "{'role_id':3,'member_user':{'user_id':USERID}}", .needs = NEED_USER),
        CLAIM("3.1", "POST by username is 201, too", adds,
              .input = "{'role_id':3,'member_user':{'username':'USERNAME'}}", .needs = NEED_USER),
        CLAIM("3.1", "the Location has the project as it was given", location_as_given,
              .needs = NEED_USER),
        CLAIM("3.1", "user_id goes before username", adds,
              .input = "{'role_id':3,'member_user':{'user_id':USERID,'username':'berth-nobody'}}",
              .needs = NEED_USER),
        CLAIM("3.1", "an unknown role is 400", add_refused,
              .input = "{'role_id':9,'member_user':{'user_id':USERID}}", .status = 400,
              .code = "BAD_REQUEST", .needs = NEED_USER),
        CLAIM("3.1", "an unknown user_id is 400", add_refused,
              .input = "{'role_id':3,'member_user':{'user_id':2147000000}}", .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("3.1", "an unknown username is 404", add_refused,
              .input = "{'role_id':3,'member_user':{'username':'berth-ct-nobody'}}", .status = 404,
              .code = "NOT_FOUND"),
        CLAIM("3.1", "neither user nor group is 400", add_refused, .input = "{'role_id':3}",
              .status = 400, .code = "BAD_REQUEST", .since = 2016),
        CLAIM("3.1", "neither user nor group is 500", add_refused, .input = "{'role_id':3}",
              .status = 500, .code = "UNKNOWN", .until = 2016),
        CLAIM("3.1", "a second add is 409 CONFLICT", adds_twice,
              .input = "{'role_id':3,'member_user':{'user_id':USERID}}", .needs = NEED_USER),
        CLAIM("3.1", "a second add with another role is 409, too, and changes nothing", adds_twice,
              .input = "{'role_id':2,'member_user':{'user_id':USERID}}", .needs = NEED_USER),
        CLAIM("3.1", "of two identical adds side by side at least one is 201", adds_side_by_side,
              .needs = NEED_USER),
        CLAIM("3.1", "POST of a user without rights is 403", members_refused, .who = 1,
              .status = 403, .code = "FORBIDDEN", .needs = NEED_USER),
        CLAIM("3.1", "POST without credentials is 401", members_refused, .status = 401,
              .code = "UNAUTHORIZED"),
    };
    run_claims(state, MAP(claims));
}

static void test_3_1_members(void **state) {
    static const struct claim claims[] = {
        CLAIM("3.1", "a member has its fields", fields, .needs = NEED_USER),
        CLAIM("3.1", "entityname is exact; X-Total-Count ignores it", by_name, .input = "USERNAME",
              .who = 1, .needs = NEED_USER),
        CLAIM("3.1", "entityname finds no part of a name", by_name, .input = "berth-ct-", .who = 0,
              .needs = NEED_USER),
        CLAIM("3.1", "PUT changes the role", changes_role, .who = 4, .needs = NEED_USER),
        CLAIM("3.1", "PUT takes an unknown role, and the member vanishes from lists", changes_role,
              .who = 99, .needs = NEED_USER),
        CLAIM("3.1", "PUT of a missing member is 200", missing_member, .input = "PUT", .who = NO_ID,
              .status = 200),
        CLAIM("3.1", "DELETE removes, and is 200 again", removes, .needs = NEED_USER),
        CLAIM("3.1", "DELETE of a missing member is 200", missing_member, .input = "DELETE",
              .who = NO_ID, .status = 200),
        CLAIM("3.1", "DELETE of member 0 is 400", missing_member, .input = "DELETE", .who = 0,
              .status = 400, .code = "BAD_REQUEST"),
        CLAIM("3.1", "a guest lists members", sees_members, .who = 3, .status = 200,
              .needs = NEED_USER),
        CLAIM("3.1", "a limited guest can't list members", sees_members, .who = 5, .status = 403,
              .code = "FORBIDDEN", .needs = NEED_USER),
    };
    run_claims(state, MAP(claims));
}

/* ---- 4 ---- */

static const struct http_reply *quotas_of(struct contract *c, int64_t project) {
    return ask(c, &c->admin, "GET", NULL, API "/quotas?reference=project&reference_id=%" PRId64,
               project);
}

static void quota_fields(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *list = quotas_of(c, project.id);
    expect_status(c, list, 200);
    expect_number(c, "quotas", (int64_t)json_array_size(list->json), 1);
    expect(c, number_at(list->json, "0.id") > 0, "expected an id");
    expect_number(c, "ref.id", number_at(list->json, "0.ref.id"), project.id);
    expect_text(c, "ref.name", text_at(list->json, "0.ref.name"), project.name);
    /* Harbor doesn't look up the first user's name. */
    const struct http_reply *who = ask(c, &c->admin, "GET", NULL, API "/users/current");
    const char *owner = number_at(who->json, "user_id") == 1 ? "" : c->admin.user;
    expect_text(c, "ref.owner_name", text_at(list->json, "0.ref.owner_name"), owner);
    expect_number(c, "hard.storage", number_at(list->json, "0.hard.storage"), c->default_storage);
    expect_number(c, "used.storage", number_at(list->json, "0.used.storage"), 0);
}

static void no_quota(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *list = quotas_of(c, NO_ID);
    expect_status(c, list, 200);
    expect_number(c, "quotas", (int64_t)json_array_size(list->json), 0);
}

/* claim->input is the body; code what is set afterwards. */
static void sets_quota(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    int64_t id = number_at(quotas_of(c, project.id)->json, "0.id");
    const char *body = json_text(c, "%s", claim->input);
    for (int i = 0; i < 2; i++) {
        expect_status(c, ask(c, &c->admin, "PUT", body, API "/quotas/%" PRId64, id), 200);
        expect_number(c, "hard.storage",
                      number_at(quotas_of(c, project.id)->json, "0.hard.storage"),
                      strtoll(claim->code, NULL, 10));
    }
}

static void quota_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    int64_t id = number_at(quotas_of(c, project.id)->json, "0.id");
    const char *body = json_text(c, "%s", claim->input);
    expect_error(c, ask(c, &c->admin, "PUT", body, API "/quotas/%" PRId64, id), claim->status,
                 claim->code);
    expect_number(c, "hard.storage", number_at(quotas_of(c, project.id)->json, "0.hard.storage"),
                  c->default_storage);
}

static void quota_missing(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *body = json_text(c, "{'hard':{'storage':4096}}");
    expect_error(c, ask(c, &c->admin, "PUT", body, API "/quotas/%d", NO_ID), 404, "NOT_FOUND");
}

static void quota_of_a_user(struct contract *c, const struct claim *claim) {
    const char *name = new_name(c);
    const char *made = json_text(c, "{'project_name':'%s'}", name);
    struct project project = make_project_as(c, &c->user, made, name);
    int64_t id = number_at(quotas_of(c, project.id)->json, "0.id");
    const char *body = json_text(c, "{'hard':{'storage':4096}}");
    const struct http_reply *reply =
        claim->who == 0 ? ask(c, &c->user, "GET", NULL,
                              API "/quotas?reference=project&reference_id=%" PRId64, project.id)
                        : ask(c, &c->user, "PUT", body, API "/quotas/%" PRId64, id);
    expect_error(c, reply, 403, "FORBIDDEN");
}

#define QUOTAS (NEED_SYSADMIN | NEED_QUOTAS)

static void test_4_quotas(void **state) {
    static const struct claim claims[] = {
        CLAIM("4", "a project has one quota, found by its id, with its fields", quota_fields,
              .needs = QUOTAS),
        CLAIM("4", "a project that isn't there has none: 200 and empty", no_quota, .needs = QUOTAS),
        CLAIM("4", "PUT of bytes sets the limit, once and again", sets_quota,
              .input = "{'hard':{'storage':4096}}", .code = "4096", .needs = QUOTAS),
        CLAIM("4", "PUT of -1 is unlimited", sets_quota, .input = "{'hard':{'storage':-1}}",
              .code = "-1", .needs = QUOTAS),
        CLAIM("4", "PUT of 2^50 is legal", sets_quota,
              .input = "{'hard':{'storage':1125899906842624}}", .code = "1125899906842624",
              .needs = QUOTAS),
        CLAIM("4", "PUT of more than 2^50 is 400", quota_refused,
              .input = "{'hard':{'storage':1125899906842625}}", .status = 400,
              .code = "BAD_REQUEST", .needs = QUOTAS),
        CLAIM("4", "PUT of 0 is 400", quota_refused, .input = "{'hard':{'storage':0}}",
              .status = 400, .code = "BAD_REQUEST", .needs = QUOTAS),
        CLAIM("4", "PUT of another resource is 400", quota_refused,
              .input = "{'hard':{'storage':4096,'count':3}}", .status = 400, .code = "BAD_REQUEST",
              .needs = QUOTAS),
        CLAIM("4", "PUT without storage is 400", quota_refused, .input = "{'hard':{}}",
              .status = 400, .code = "BAD_REQUEST", .needs = QUOTAS),
        CLAIM("4", "PUT of a missing quota is 404", quota_missing, .needs = QUOTAS),
        CLAIM("4", "a user lists no quotas, not even his own: 403", quota_of_a_user,
              .needs = QUOTAS | NEED_USER | NEED_EVERYONE),
        CLAIM("4", "a user sets no quota, not even his own: 403", quota_of_a_user, .who = 1,
              .needs = QUOTAS | NEED_USER | NEED_EVERYONE),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_3_1_adding_members),
        cmocka_unit_test(test_3_1_members),
        cmocka_unit_test(test_4_quotas),
    };
    return cmocka_run_group_tests_name("members and quotas", tests, contract_setup,
                                       contract_teardown);
}
