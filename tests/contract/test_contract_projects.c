/* SPDX-License-Identifier: Apache-2.0 */
/* Projects: making, changing and deleting them (paragraphs 1 to 1.4, 1.6 and 1.7). */
#include "contract.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PRIVATE    "{'project_name':'NAME'}"
#define STORAGE(n) "{'project_name':'NAME','storage_limit':" n "}"

/* ---- 1.1 ---- */

static void makes_a_project(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *body = filled(c, PRIVATE, "NAME", new_name(c));
    const struct http_reply *made = ask(c, &c->admin, "POST", body, API "/projects");
    expect_status(c, made, 201);
    expect_empty(c, made);
    expect_text(c, "Location", header_of(c, made, "Location"),
                text(c, API "/projects/%" PRId64, location_id(made)));
    expect(c, location_id(made) > 0, "expected an id in the Location");
}

static void location_names_it(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    struct http_request request = {.login = &c->admin, .method = "POST", .path = API "/projects"};
    request.body = filled(c, PRIVATE, "NAME", name);
    request.header = "X-Resource-Name-In-Location: true";
    const struct http_reply *made = ask_with(c, &request);
    expect_status(c, made, 201);
    expect_text(c, "Location", header_of(c, made, "Location"), text(c, API "/projects/%s", name));
}

static void wants_json(struct contract *c, const struct claim *claim) {
    struct http_request request = {.login = &c->admin, .method = "POST", .path = API "/projects"};
    request.body = filled(c, PRIVATE, "NAME", new_name(c));
    request.content_type = claim->input;
    expect_error(c, ask_with(c, &request), 422, "UNPROCESSABLE_ENTITY");
}

static void content_types(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    const char *type = header_of(c, found, "Content-Type");
    expect(c, strncmp(type, "application/json", 16) == 0, "got a project as \"%s\"", type);
    const struct http_reply *missing = ask(c, &c->admin, "GET", NULL, API "/projects/%d", NO_ID);
    expect_text(c, "Content-Type of an error", header_of(c, missing, "Content-Type"),
                "application/json; charset=utf-8");
}

static void head(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const char *query = filled(c, claim->input, "NAME", project.name);
    const struct http_reply *reply =
        ask(c, claim->who == 0 ? &c->admin : NULL, "HEAD", NULL, API "/projects%s", query);
    expect_status(c, reply, claim->status);
    expect_empty(c, reply);
}

static void summary(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *reply =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/summary", project.id);
    expect_status(c, reply, 200);
    expect_number(c, "repo_count", number_at(reply->json, "repo_count"), 0);
    if (c->quotas && c->sysadmin) {
        expect_number(c, "quota.hard.storage", number_at(reply->json, "quota.hard.storage"),
                      c->default_storage);
        expect_number(c, "quota.used.storage", number_at(reply->json, "quota.used.storage"), 0);
    }
}

static void deletable(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *reply =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/_deletable", project.id);
    expect_status(c, reply, 200);
    expect(c, json_is_true(json_at(reply->json, "deletable")), "expected \"deletable\":true");
}

static void one_metadata(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_public_project(c);
    const struct http_reply *reply =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/metadatas/public", project.id);
    expect_status(c, reply, 200);
    expect_text(c, "public", text_at(reply->json, "public"), "true");
}

static void put_metadata(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const char *key = claim->who == 0 ? "public" : "berth-colour";
    const struct http_reply *reply = ask(c, &c->admin, "PUT", json_text(c, "%s", claim->input),
                                         API "/projects/%" PRId64 "/metadatas/%s", project.id, key);
    if (claim->status == 200) {
        expect_status(c, reply, 200);
        const struct http_reply *found = get_project(c, &c->admin, project.name);
        expect_text(c, "metadata.public", text_at(found->json, "metadata.public"), "true");
        expect_text(c, "metadata.auto_scan", text_at(found->json, "metadata.auto_scan"), "");
        return;
    }
    expect_error(c, reply, claim->status, claim->code);
}

static void test_1_1_endpoints(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.1",
              "POST /projects is 201 without a body, with a Location of the id, without host",
              makes_a_project),
        CLAIM("1.3", "X-Resource-Name-In-Location puts the name into the Location",
              location_names_it),
        CLAIM("1", "a body that is called text/plain is 422 UNPROCESSABLE_ENTITY", wants_json,
              .input = "text/plain"),
        CLAIM("1", "bodies are application/json, of errors with charset=utf-8", content_types,
              .needs = NEED_SYSADMIN),
        CLAIM("1.1", "HEAD of a project that exists is 200 without a body", head,
              .input = "?project_name=NAME", .status = 200),
        CLAIM("1.1", "HEAD of a project that doesn't exist is 404", head,
              .input = "?project_name=NAME-not", .status = 404),
        CLAIM("1.1", "HEAD with a blank in the name is 400", head,
              .input = "?project_name=NAME%20x", .status = 400),
        CLAIM("1.1", "HEAD without the parameter is 422", head, .input = "", .status = 422),
        CLAIM("1.1", "HEAD without credentials is 401", head, .input = "?project_name=NAME",
              .status = 401, .who = 1),
        CLAIM("1.1", "summary has counts and the quota", summary),
        CLAIM("1.1", "_deletable of an empty project is {\"deletable\":true}", deletable),
        CLAIM("1.1", "GET metadatas/public is 200", one_metadata),
        CLAIM("1.1", "PUT metadatas/public of no bool is 400", put_metadata,
              .input = "{'public':'perhaps'}", .status = 400, .code = "BAD_REQUEST"),
        CLAIM("1.1", "PUT metadatas of an unknown key is 400", put_metadata,
              .input = "{'berth-colour':'blue'}", .status = 400, .code = "BAD_REQUEST", .who = 1),
        CLAIM("1.6", "PUT metadatas/public makes \"true\" of \"True\"", put_metadata,
              .input = "{'public':'True'}", .status = 200),
        CLAIM("1.6", "PUT metadatas/public takes no other key", put_metadata,
              .input = "{'public':'true','auto_scan':'true'}", .status = 200),
    };
    run_claims(state, MAP(claims));
}

/* ---- 1.2 ---- */

/* Digits that no project's id has come to. */
static const char *number_name(struct contract *c, const char *more) {
    unsigned long number = strtoul(c->run + strlen("berth-ct-"), NULL, 16);
    return text(c, "%lu%s", 2000000000UL + (number + ++c->names) % 147000000UL, more);
}

static struct project make_named(struct contract *c, const char *name) {
    return make_project_as(c, &c->admin, filled(c, PRIVATE, "NAME", name), name);
}

static void digits_are_a_name(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_named(c, number_name(c, ""));
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    expect_status(c, found, 200);
    expect_text(c, "name", text_at(found->json, "name"), project.name);
    expect_number(c, "project_id", number_at(found->json, "project_id"), project.id);
}

static void digits_are_an_id(struct contract *c, const struct claim *claim) {
    struct project project = make_named(c, number_name(c, ""));
    const char *body = claim->who == 0 ? NULL : "{}";
    expect_error(c, ask(c, &c->admin, claim->input, body, API "/projects/%s", project.name), 404,
                 "NOT_FOUND");
    expect_status(c, get_project(c, &c->admin, project.name), 200);
}

static void id_of_digits(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_named(c, number_name(c, ""));
    const struct http_reply *found =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64, project.id);
    expect_status(c, found, 200);
    expect_text(c, "name", text_at(found->json, "name"), project.name);
    struct http_request request = {.login = &c->admin, .method = "GET"};
    request.path = text(c, API "/projects/%" PRId64, project.id);
    request.header = "X-Is-Resource-Name: true";
    expect_error(c, ask_with(c, &request), 404, "NOT_FOUND");
}

static void longer_than_an_id(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_named(c, number_name(c, "00000000000000000000"));
    const struct http_reply *found =
        ask(c, &c->admin, "GET", NULL, API "/projects/%s", project.name);
    expect_status(c, found, 200);
    expect_number(c, "project_id", number_at(found->json, "project_id"), project.id);
}

static void header_on_writes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_named(c, number_name(c, ""));
    struct http_request request = {.login = &c->admin, .method = "PUT"};
    request.path = text(c, API "/projects/%s", project.name);
    request.header = "X-Is-Resource-Name: true";
    request.body = "{\"metadata\":{\"public\":\"true\"}}";
    expect_status(c, ask_with(c, &request), 200);
    request.method = "DELETE";
    request.body = NULL;
    expect_status(c, ask_with(c, &request), 200);
    expect_status(c, get_project(c, &c->admin, project.name), 404);
}

static void test_1_2_identifying_a_project(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.2", "a name may be all digits, and is found by the header", digits_are_a_name),
        CLAIM("1.2", "GET of digits without the header is of an id", digits_are_an_id,
              .input = "GET", .needs = NEED_SYSADMIN),
        CLAIM("1.2", "PUT of digits without the header is of an id", digits_are_an_id,
              .input = "PUT", .needs = NEED_SYSADMIN, .who = 1),
        CLAIM("1.2", "DELETE of digits without the header is of an id", digits_are_an_id,
              .input = "DELETE", .needs = NEED_SYSADMIN),
        CLAIM("1.2", "an id in the path is an id, with the header it is a name", id_of_digits,
              .needs = NEED_SYSADMIN),
        CLAIM("1.2", "digits that don't fit into an int64 are a name", longer_than_an_id),
        CLAIM("1.2", "with the header, PUT and DELETE take digits as a name", header_on_writes,
              .needs = NEED_SYSADMIN),
    };
    run_claims(state, MAP(claims));
}

/* ---- 1.3 ---- */

static void create_is_refused(struct contract *c, const struct claim *claim) {
    const char *name = new_name(c);
    const char *body = filled(c, claim->input, "NAME", name);
    expect_error(c, ask(c, &c->admin, "POST", body, API "/projects"), claim->status, claim->code);
    expect_status(c, ask(c, &c->admin, "HEAD", NULL, API "/projects?project_name=%s", name), 404);
}

static void name_of_bytes(struct contract *c, const struct claim *claim) {
    char name[512];
    const char *start = new_name(c);
    memset(name, 'a', sizeof(name));
    memcpy(name, start, strlen(start));
    name[claim->who] = '\0';
    const char *body = filled(c, PRIVATE, "NAME", name);
    const struct http_reply *reply = ask(c, &c->admin, "POST", body, API "/projects");
    if (claim->status == 201) {
        expect_status(c, reply, 201);
    } else {
        expect_error(c, reply, claim->status, claim->code);
    }
}

static void name_with_separators(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = text(c, "%s.a_b-c.1", new_name(c));
    expect_status(c, ask(c, &c->admin, "POST", filled(c, PRIVATE, "NAME", name), API "/projects"),
                  201);
    expect_status(c, ask(c, &c->admin, "GET", NULL, API "/projects/%s", name), 200);
}

static void visibility(struct contract *c, const struct claim *claim) {
    const char *name = new_name(c);
    (void)make_project_as(c, &c->admin, filled(c, claim->input, "NAME", name), name);
    const struct http_reply *found = get_project(c, &c->admin, name);
    expect_text(c, "metadata.public", text_at(found->json, "metadata.public"), claim->code);
}

static void drops_unknown_metadata(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    const char *body = json_text(
        c, "{'project_name':'%s','metadata':{'public':'false','berth-colour':'blue'}}", name);
    (void)make_project_as(c, &c->admin, body, name);
    const struct http_reply *found = get_project(c, &c->admin, name);
    expect(c, json_at(found->json, "metadata.berth-colour") == NULL, "an unknown key was kept");
}

static int64_t storage_of(struct contract *c, int64_t project) {
    const struct http_reply *list = ask(
        c, &c->admin, "GET", NULL, API "/quotas?reference=project&reference_id=%" PRId64, project);
    return number_at(list->json, "0.hard.storage");
}

static void storage(struct contract *c, const struct claim *claim) {
    const char *name = new_name(c);
    struct project project =
        make_project_as(c, &c->admin, filled(c, claim->input, "NAME", name), name);
    int64_t wanted = strtoll(claim->code, NULL, 10);
    expect_number(c, "hard.storage", storage_of(c, project.id),
                  wanted == 0 ? c->default_storage : wanted);
}

static void storage_of_a_user(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    struct project project =
        make_project_as(c, &c->user, filled(c, STORAGE("4096"), "NAME", name), name);
    expect_number(c, "hard.storage", storage_of(c, project.id), c->default_storage);
}

static void registry_of_a_user(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *body = json_text(c, "{'project_name':'%s','registry_id':%d}", new_name(c), NO_ID);
    expect_error(c, ask(c, &c->user, "POST", body, API "/projects"), 403, "FORBIDDEN");
}

static void owner(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *found = get_project(c, &c->admin, project.name);
    expect_text(c, "owner_name", text_at(found->json, "owner_name"), c->admin.user);
    const struct http_reply *members =
        ask(c, &c->admin, "GET", NULL, API "/projects/%" PRId64 "/members", project.id);
    expect_status(c, members, 200);
    expect_number(c, "members", (int64_t)json_array_size(members->json), 1);
    expect_text(c, "the member's name", text_at(members->json, "0.entity_name"), c->admin.user);
    expect_number(c, "the member's role", number_at(members->json, "0.role_id"), 1);
}

static void robot_of_a_project_creates(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    const char *body = filled(c, PRIVATE, "NAME", new_name(c));
    expect_error(c, ask(c, &robot.login, "POST", body, API "/projects"), 403, "FORBIDDEN");
}

static void robot_of_the_system_creates(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot =
        make_system_robot(c, "[{'kind':'project','namespace':'*','access':" PULL "}]");
    const char *name = new_name(c);
    const char *body = filled(c, PRIVATE, "NAME", name);
    expect_status(c, ask(c, &robot.login, "POST", body, API "/projects"), 201);
    const struct http_reply *found = get_project(c, &c->admin, name);
    expect_status(c, found, 200);
    expect(c, number_at(found->json, "owner_id") > 0, "expected a user as its owner");
    expect(c, strcmp(text_at(found->json, "owner_name"), robot.name) != 0,
           "expected an administrator as its owner, not the robot");
}

static void user_creates(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    (void)make_project_as(c, &c->user, filled(c, PRIVATE, "NAME", name), name);
    const struct http_reply *found = get_project(c, &c->user, name);
    expect_status(c, found, 200);
    expect_text(c, "owner_name", text_at(found->json, "owner_name"), c->user.user);
}

#define REFUSED_NAME(what, name)                                                                   \
    CLAIM("1.3", "a name " what " is 400 BAD_REQUEST", create_is_refused,                          \
          .input = "{'project_name':'" name "'}", .status = 400, .code = "BAD_REQUEST")

static void test_1_3_names(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.3", "a name of 255 bytes is legal", name_of_bytes, .who = 255, .status = 201),
        CLAIM("1.3", "a name of 256 bytes is 422", name_of_bytes, .who = 256, .status = 422,
              .code = "UNPROCESSABLE_ENTITY"),
        CLAIM("1.3", "single separators . _ - within a name are legal", name_with_separators),
        REFUSED_NAME("that is empty", ""),
        REFUSED_NAME("with an upper-case letter", "NAME-Abc"),
        REFUSED_NAME("that begins with a separator", "-NAME"),
        REFUSED_NAME("that ends with a separator", "NAME_"),
        REFUSED_NAME("with two separators in a row", "NAME..a"),
        REFUSED_NAME("with a slash", "NAME/a"),
        REFUSED_NAME("with a plus", "NAME+a"),
        REFUSED_NAME("with a #", "NAME#1"),
        REFUSED_NAME("with a blank", "NAME a"),
        REFUSED_NAME("with a letter beyond ASCII", "NAME\\u00e4"),
    };
    run_claims(state, MAP(claims));
}

static void test_1_3_the_body_of_a_create(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.3", "a project is private by default", visibility, .input = PRIVATE,
              .code = "false"),
        CLAIM("1.3", "metadata.public \"true\" makes it public", visibility,
              .input = "{'project_name':'NAME','metadata':{'public':'true'}}", .code = "true"),
        CLAIM("1.3", "the deprecated public counts without metadata.public", visibility,
              .input = "{'project_name':'NAME','public':true}", .code = "true"),
        CLAIM("1.3", "the deprecated public doesn't count beside metadata.public", visibility,
              .input = "{'project_name':'NAME','public':true,'metadata':{'public':'false'}}",
              .code = "false"),
        CLAIM("1.3", "metadata.public of other text is 400", create_is_refused,
              .input = "{'project_name':'NAME','metadata':{'public':'perhaps'}}", .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("1.3", "metadata.public as a JSON boolean is 422", create_is_refused,
              .input = "{'project_name':'NAME','metadata':{'public':true}}", .status = 422,
              .code = "UNPROCESSABLE_ENTITY"),
        CLAIM("1.3", "unknown metadata keys are dropped", drops_unknown_metadata),
        CLAIM("1.3", "storage_limit absent is the system's default", storage, .input = PRIVATE,
              .code = "0", .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit 0 is the system's default", storage, .input = STORAGE("0"),
              .code = "0", .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit null is the system's default", storage,
              .input = STORAGE("null"), .code = "0", .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit -1 is unlimited", storage, .input = STORAGE("-1"), .code = "-1",
              .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit 1 is legal", storage, .input = STORAGE("1"), .code = "1",
              .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit of 1024 TiB is legal", storage,
              .input = STORAGE("1125899906842624"), .code = "1125899906842624",
              .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit above 1024 TiB is 400", create_is_refused,
              .input = STORAGE("1125899906842625"), .status = 400, .code = "BAD_REQUEST",
              .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit -2 is 400", create_is_refused, .input = STORAGE("-2"),
              .status = 400, .code = "BAD_REQUEST", .needs = NEED_SYSADMIN | NEED_QUOTAS),
        CLAIM("1.3", "storage_limit of a normal user is replaced by the default", storage_of_a_user,
              .needs = NEED_SYSADMIN | NEED_QUOTAS | NEED_USER | NEED_EVERYONE),
        CLAIM("1.3", "an unknown registry_id is 500, and the name stays free", create_is_refused,
              .input = "{'project_name':'NAME','registry_id':2147000000}", .status = 500,
              .code = "UNKNOWN", .needs = NEED_SYSADMIN),
        CLAIM("1.3", "a registry_id of a normal user is 403", registry_of_a_user,
              .needs = NEED_USER | NEED_EVERYONE),
        CLAIM("1.3", "the caller owns the project and is its only member, with role 1", owner),
        CLAIM("1.3", "every user may create", user_creates, .needs = NEED_USER | NEED_EVERYONE),
        CLAIM("1.3", "a robot of a project may not create: 403", robot_of_a_project_creates),
        CLAIM("1.3", "any robot of the system may create; an administrator owns it",
              robot_of_the_system_creates, .needs = NEED_SYSADMIN | NEED_EVERYONE),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_1_endpoints),
        cmocka_unit_test(test_1_2_identifying_a_project),
        cmocka_unit_test(test_1_3_names),
        cmocka_unit_test(test_1_3_the_body_of_a_create),
    };
    return cmocka_run_group_tests_name("projects", tests, contract_setup, contract_teardown);
}
