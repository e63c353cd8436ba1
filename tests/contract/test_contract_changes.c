/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a project: conflicts, visibility, its end (paragraphs 1.4, 1.6 and 1.7). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

/* ---- 1.4 ---- */

static void second_create(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body = json_text(c, "{'project_name':'%s'}", project.name);
    expect_error(c, ask(c, &c->admin, "POST", body, API "/projects"), 409, "CONFLICT");
}

static void conflict_changes_nothing(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body =
        json_text(c, "{'project_name':'%s','metadata':{'public':'true'}}", project.name);
    expect_error(c, ask(c, &c->admin, "POST", body, API "/projects"), 409, "CONFLICT");
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    expect_text(c, "metadata.public", text_at(found->json, "metadata.public"), "false");
    expect_number(c, "project_id", number_at(found->json, "project_id"), project.id);
}

static void conflict_with_what_one_cannot_see(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body = json_text(c, "{'project_name':'%s'}", project.name);
    expect_error(c, ask(c, &c->user, "POST", body, API "/projects"), 409, "CONFLICT");
}

static void seen_at_once(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    expect_status(c, get_project(c, &c->admin, project.name), 200);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/projects?q=name%%3D%s", project.name);
    expect_number(c, "projects of that name", (int64_t)json_array_size(list->json), 1);
}

static void test_1_4_creating(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.4", "a second create of the same name is 409 CONFLICT", second_create),
        CLAIM("1.4", "a 409 says nothing of what was asked for, and changes nothing",
              conflict_changes_nothing),
        CLAIM("1.4", "a name that somebody else's private project has is 409, too",
              conflict_with_what_one_cannot_see, .needs = NEED_USER | NEED_EVERYONE),
        CLAIM("1.4", "after the 201 the project is there, by name and in lists", seen_at_once),
    };
    run_claims(state, MAP(claims));
}

/* ---- 1.6 ---- */

static const struct http_reply *put(struct contract *c, struct project project, const char *body) {
    return ask(c, &c->admin, "PUT", json_text(c, "%s", body), API "/projects/%" PRId64, project.id);
}

static const char *public_of(struct contract *c, struct project project) {
    return text_at(get_project(c, &c->admin, project.name)->json, "metadata.public");
}

static void changes_visibility(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *changed = put(c, project, "{'metadata':{'public':'true'}}");
    expect_status(c, changed, 200);
    expect_empty(c, changed);
    expect_text(c, "metadata.public", public_of(c, project), "true");
    expect_status(c, put(c, project, "{'metadata':{'public':'false'}}"), 200);
    expect_text(c, "metadata.public", public_of(c, project), "false");
}

static void changes_only_what_is_there(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    const char *body = json_text(
        c, "{'project_name':'%s','metadata':{'public':'false','auto_scan':'true'}}", name);
    struct project project = make_project_as(c, &c->admin, body, name);
    expect_status(c, put(c, project, "{'metadata':{'public':'true'}}"), 200);
    const struct http_reply *found = get_project(c, &c->admin, name);
    expect_text(c, "metadata.public", text_at(found->json, "metadata.public"), "true");
    expect_text(c, "metadata.auto_scan", text_at(found->json, "metadata.auto_scan"), "true");
}

static void ignores(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, put(c, project, claim->input), 200);
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    expect_status(c, found, 200);
    expect_number(c, "project_id", number_at(found->json, "project_id"), project.id);
    expect_text(c, "metadata.public", text_at(found->json, "metadata.public"), "false");
    int64_t registry = number_at(found->json, "registry_id");
    expect(c, registry == 0 || registry == INT64_MIN, "registry_id was changed");
    if (c->quotas && c->sysadmin) {
        const struct http_reply *quota =
            ask(c, &c->admin, "GET", NULL, API "/quotas?reference=project&reference_id=%" PRId64,
                project.id);
        expect_number(c, "hard.storage", number_at(quota->json, "0.hard.storage"),
                      c->default_storage);
    }
}

static void put_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_error(c, put(c, project, claim->input), claim->status, claim->code);
}

/* "True" and "1" count as public, but aren't found as such. */
static void stores_any_text(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, put(c, project, filled(c, "{'metadata':{'public':'X'}}", "X", claim->input)),
                  200);
    expect_text(c, "metadata.public", public_of(c, project), claim->input);
}

static void other_truths(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, put(c, project, filled(c, "{'metadata':{'public':'X'}}", "X", claim->input)),
                  200);
    expect_status(c, ask(c, NULL, "GET", NULL, API "/projects/%s", project.name), 200);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/projects?public=true&q=name%%3D%s", project.name);
    expect_status(c, list, 200);
    expect_number(c, "projects in the list of public ones", (int64_t)json_array_size(list->json),
                  0);
}

static void test_1_6_visibility(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.6", "PUT of metadata.public is 200 without a body, and is seen at once",
              changes_visibility),
        CLAIM("1.6", "PUT leaves other metadata alone", changes_only_what_is_there),
        CLAIM("1.6", "PUT of {} is 200 and changes nothing", ignores, .input = "{}"),
        CLAIM("1.6", "PUT ignores project_name", ignores,
              .input = "{'project_name':'berth-ct-another'}"),
        CLAIM("1.6", "PUT ignores storage_limit", ignores, .input = "{'storage_limit':4096}"),
        CLAIM("1.6", "PUT ignores registry_id", ignores, .input = "{'registry_id':2147000000}"),
        CLAIM("1.6", "PUT of another retention_id is 400", put_refused,
              .input = "{'metadata':{'retention_id':'2147000000'}}", .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("1.6", "PUT stores any text as public: \"perhaps\"", stores_any_text,
              .input = "perhaps"),
        CLAIM("1.6", "PUT stores any text as public: \"True\"", stores_any_text, .input = "True"),
        CLAIM("1.6", "\"True\" counts as public for access, not for the list's filter",
              other_truths, .input = "True"),
        CLAIM("1.6", "\"1\" counts as public for access, not for the list's filter", other_truths,
              .input = "1"),
    };
    run_claims(state, MAP(claims));
}

/* ---- 1.7 ---- */

static const struct http_reply *delete_project(struct contract *c, struct project project) {
    return ask(c, &c->admin, "DELETE", NULL, API "/projects/%" PRId64, project.id);
}

static void deletes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *gone = delete_project(c, project);
    expect_status(c, gone, 200);
    expect_empty(c, gone);
    expect_status(c, get_project(c, &c->admin, project.name), 404);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/projects?q=project_id%%3D%" PRId64, project.id);
    expect_number(c, "projects of that id", (int64_t)json_array_size(list->json), 0);
}

static void deletes_once(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    expect_status(c, delete_project(c, project), 200);
    expect_error(c, delete_project(c, project), 404, "NOT_FOUND");
}

static void keeps_repositories(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    push_image(c, project);
    const struct http_reply *refused = delete_project(c, project);
    expect_error(c, refused, 412, "PRECONDITION");
    expect_status(c, get_project(c, &c->admin, project.name), 200);
}

static void not_deletable(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    push_image(c, project);
    const struct http_reply *reply =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/_deletable", project.id);
    expect_status(c, reply, 200);
    expect(c, json_at(reply->json, "deletable") == NULL, "expected no \"deletable\"");
    expect(c, json_is_string(json_at(reply->json, "message")), "expected a message");
}

static void deletes_without_repositories(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    push_image(c, project);
    expect_status(c, delete_project(c, project), 412);
    remove_image(c, project.name);
    expect_status(c, delete_project(c, project), 200);
}

static void deletes_with_robots(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    expect_status(c, delete_project(c, project), 200);
    expect_status(c, ask(c, &c->admin, "GET", NULL, API "/robots/%" PRId64, robot.id), 404);
    expect_status(c, ask(c, &robot.login, "GET", NULL, API "/users/current"), 401);
}

static void deletes_with_members(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body =
        json_text(c, "{'role_id':3,'member_user':{'user_id':%" PRId64 "}}", c->user_id);
    expect_status(
        c, ask(c, &c->admin, "POST", body, API "/projects/%" PRId64 "/members", project.id), 201);
    expect_status(c, delete_project(c, project), 200);
}

static void quota_goes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    expect_status(c, delete_project(c, project), 200);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/quotas?reference=project&reference_id=%" PRId64,
            project.id);
    expect_status(c, list, 200);
    expect_number(c, "quotas", (int64_t)json_array_size(list->json), 0);
}

static void name_is_free(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project first = make_public_project(c);
    (void)make_robot(c, first);
    const char *member =
        json_text(c, "{'role_id':3,'member_user':{'user_id':%" PRId64 "}}", c->user_id);
    expect_status(
        c, ask(c, &c->admin, "POST", member, API "/projects/%" PRId64 "/members", first.id), 201);
    expect_status(c, delete_project(c, first), 200);
    const char *body = json_text(c, "{'project_name':'%s'}", first.name);
    struct project second = make_project_as(c, &c->admin, body, first.name);
    expect(c, second.id > first.id, "expected a new id, got %" PRId64 " after %" PRId64, second.id,
           first.id);
    expect_text(c, "metadata.public", public_of(c, second), "false");
    const struct http_reply *robots =
        ask(c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            second.id);
    expect_status(c, robots, 200);
    expect_number(c, "robots", (int64_t)json_array_size(robots->json), 0);
    const struct http_reply *members =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/members", second.id);
    expect_number(c, "members", (int64_t)json_array_size(members->json), 1);
    /* An id in the path can't hit the namesake. */
    expect_status(c, delete_project(c, first), 404);
    expect_status(c, get_project(c, &c->admin, second.name), 200);
}

static void test_1_7_deleting(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.7", "DELETE is 200 without a body; the project is gone, by name and in lists",
              deletes, .needs = NEED_SYSADMIN),
        CLAIM("1.7", "a second DELETE is 404 NOT_FOUND", deletes_once, .needs = NEED_SYSADMIN),
        CLAIM("1.7", "a project with a repository is 412 PRECONDITION, and stays",
              keeps_repositories),
        CLAIM("1.1", "_deletable of a project with a repository is a message alone", not_deletable),
        CLAIM("1.7", "without its repositories it is deleted", deletes_without_repositories),
        CLAIM("1.7", "robots don't block, and are gone with the project", deletes_with_robots,
              .needs = NEED_SYSADMIN),
        CLAIM("1.7", "members don't block", deletes_with_members, .needs = NEED_USER),
        CLAIM("1.7", "the quota is gone with the project", quota_goes,
              .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.7", "the name is free at once, with a new id, and nothing of the old one's",
              name_is_free, .needs = NEED_SYSADMIN | NEED_USER),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_4_creating),
        cmocka_unit_test(test_1_6_visibility),
        cmocka_unit_test(test_1_7_deleting),
    };
    return cmocka_run_group_tests_name("changes", tests, contract_setup, contract_teardown);
}
