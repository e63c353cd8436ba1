/* SPDX-License-Identifier: Apache-2.0 */
/* Listing robots (paragraph 2.6). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

#define OF_PROJECT "q=Level%3Dproject%2CProjectID%3D<ID>"

/* A project with three robots: ws-a, ws-b with another description, ws-c that is disabled. */
struct scene {
    struct project project;
    struct robot robots[3];
};

static struct scene make_scene(struct contract *c) {
    struct scene scene = {.project = make_project(c)};
    static const char *const NAMES[] = {"ws-a", "ws-b", "ws-c"};
    for (size_t i = 0; i < 3; i++) {
        const char *body = robot_body(c, NAMES[i], scene.project, PULL);
        body = i == 1 ? filled(c, body, text(c, "of %s", c->run), "another") : body;
        const struct http_reply *made = ask(c, &c->admin, "POST", body, API "/robots");
        (void)require(c, made->status == 201, "a robot can't be made: %ld", made->status);
        scene.robots[i] =
            (struct robot){.id = number_at(made->json, "id"), .name = text_at(made->json, "name")};
    }
    const char *body = json_text(c,
                                 "{'name':'%s','level':'project','duration':-1,'disable':true,"
                                 "'permissions':[{'kind':'project','namespace':'%s',"
                                 "'access':" PULL "}]}",
                                 scene.robots[2].name, scene.project.name);
    const struct http_reply *disabled =
        ask(c, &c->admin, "PUT", body, API "/robots/%" PRId64, scene.robots[2].id);
    (void)require(c, disabled->status == 200, "a robot can't be disabled: %ld", disabled->status);
    return scene;
}

/* The short names that a list has, in the order of their ids. */
static const char *names_in(struct contract *c, const struct http_reply *list) {
    const char *names = "";
    for (size_t i = 0; i < json_array_size(list->json); i++) {
        const char *name = text_at(json_array_get(list->json, i), "name");
        const char *plus = strchr(name, '+');
        names = text(c, "%s%s%s", names, i == 0 ? "" : " ", plus == NULL ? name : plus + 1);
    }
    return names;
}

/* claim->input is the query, with <ID>, <PROJECT> and <B> (the id of ws-b); code what is found, or
 * with another status the error. */
static void query(struct contract *c, const struct claim *claim) {
    struct scene scene = make_scene(c);
    const char *asked = filled(c, claim->input, "<ID>", text(c, "%" PRId64, scene.project.id));
    asked = filled(c, asked, "<PROJECT>", scene.project.name);
    asked = filled(c, asked, "<B>", text(c, "%" PRId64, scene.robots[1].id));
    const struct http_reply *list = ask(c, &c->admin, "GET", NULL, API "/robots?sort=id&%s", asked);
    if (claim->status != 0) {
        expect_error(c, list, claim->status, claim->code);
        return;
    }
    expect_status(c, list, 200);
    expect_text(c, "the names", names_in(c, list), claim->code);
    expect_text(c, "X-Total-Count", header_of(c, list, "X-Total-Count"),
                text(c, "%zu", json_array_size(list->json)));
}

/* Lists of robots of the system hold everybody's: only whether ours are among them is asked. */
static void system_list(struct contract *c, const struct claim *claim) {
    struct scene scene = make_scene(c);
    struct robot robot =
        make_system_robot(c, "[{'kind':'project','namespace':'*','access':" PULL "}]");
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/robots?page_size=-1&%s", claim->input);
    expect_status(c, list, 200);
    expect(c, json_with(list->json, "name", robot.name) != NULL, "the system's robot is missing");
    expect(c, json_with(list->json, "name", scene.robots[0].name) == NULL,
           "a project's robot is listed");
}

static void level_in_lower_case(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct scene scene = make_scene(c);
    const struct http_reply *list = ask(
        c, &c->admin, "GET", NULL,
        API "/robots?page_size=-1&q=level%%3Dproject%%2CProjectID%%3D%" PRId64, scene.project.id);
    expect_status(c, list, 200);
    expect(c, json_with(list->json, "name", scene.robots[0].name) == NULL,
           "the project's robots are listed");
}

static void fields(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct scene scene = make_scene(c);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL,
            API "/robots?sort=id&q=Level%%3Dproject%%2CProjectID%%3D%" PRId64, scene.project.id);
    const json_t *one = json_at(list->json, "0");
    expect_number(c, "id", number_at(one, "id"), scene.robots[0].id);
    expect_text(c, "name", text_at(one, "name"), scene.robots[0].name);
    expect_text(c, "description", text_at(one, "description"), text(c, "of %s", c->run));
    expect_text(c, "level", text_at(one, "level"), "project");
    expect_number(c, "duration", number_at(one, "duration"), -1);
    expect_number(c, "expires_at", number_at(one, "expires_at"), -1);
    expect(c, !json_is_true(json_at(one, "disable")), "expected one that isn't disabled");
    expect(c, json_is_true(json_at(one, "editable")), "expected \"editable\":true");
    expect_text(c, "permissions", text_at(one, "permissions.0.access.0.resource"), "repository");
    expect(c, text_at(one, "creation_time")[0] != '\0', "expected a creation_time");
    expect(c, text_at(one, "update_time")[0] != '\0', "expected an update_time");
    expect(c, json_is_true(json_at(list->json, "2.disable")), "expected the last one disabled");
}

static void creator(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    const struct http_reply *found =
        ask(c, &c->admin, "GET", NULL, API "/robots/%" PRId64, robot.id);
    const struct http_reply *me = ask(c, &c->admin, "GET", NULL, API "/users/current");
    expect_text(c, "creator_type", text_at(found->json, "creator_type"), "local");
    expect_number(c, "creator_ref", number_at(found->json, "creator_ref"),
                  number_at(me->json, "user_id"));
}

static void whole_list(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    for (int i = 0; i < 12; i++) {
        (void)make_robot(c, project);
    }
    const struct http_reply *list = ask(
        c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64 "%s",
        project.id, claim->input);
    expect_status(c, list, 200);
    expect_number(c, "robots", (int64_t)json_array_size(list->json), claim->who);
    expect_text(c, "X-Total-Count", header_of(c, list, "X-Total-Count"), "12");
}

static void of_deleted_project(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    (void)make_robot(c, project);
    (void)ask(c, &c->admin, "DELETE", NULL, API "/projects/%" PRId64, project.id);
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_status(c, list, 200);
    expect(c, json_is_array(list->json) || json_is_null(list->json), "expected a list");
    expect_number(c, "robots", (int64_t)json_array_size(list->json), 0);
}

static void test_2_6_listing(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.6", "GET /robots lists robots of the system alone", system_list, .input = "",
              .needs = NEED_SYSADMIN),
        CLAIM("2.6", "q=Level=system lists robots of the system alone", system_list,
              .input = "q=Level%3Dsystem", .since = 2013, .needs = NEED_SYSADMIN),
        CLAIM("2.6", "q=Level=project,ProjectID=N lists the robots of a project", query,
              .input = OF_PROJECT, .code = "ws-a ws-b ws-c"),
        CLAIM("2.6", "level in lower case isn't Level: the project's robots aren't listed",
              level_in_lower_case, .needs = NEED_SYSADMIN),
        CLAIM("2.6", "projectid in lower case isn't ProjectID: 400", query,
              .input = "q=Level%3Dproject%2Cprojectid%3D<ID>", .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("2.6", "ProjectID=0 is 400", query, .input = "q=Level%3Dproject%2CProjectID%3D0",
              .status = 400, .code = "BAD_REQUEST"),
        CLAIM("2.6", "ProjectID of no number is 400", query,
              .input = "q=Level%3Dproject%2CProjectID%3Dx", .status = 400, .code = "BAD_REQUEST"),
        CLAIM("2.6", "a list of a deleted project is 200 and empty", of_deleted_project,
              .needs = NEED_SYSADMIN),
        CLAIM("2.6", "an element has its fields", fields),
        CLAIM("2.6", "a robot that a user made has creator_type local, and him", creator,
              .since = 2012),
        CLAIM("2.6", "a page has 10 robots, X-Total-Count counts all", whole_list, .input = "",
              .who = 10),
        CLAIM("2.6", "page_size=0 is everything", whole_list, .input = "&page_size=0", .who = 12),
        CLAIM("2.6", "page_size=-1 is everything", whole_list, .input = "&page_size=-1", .who = 12),
        CLAIM("2.6", "page_size above 100 is 422", query, .input = OF_PROJECT "&page_size=101",
              .status = 422, .code = "UNPROCESSABLE_ENTITY"),
    };
    run_claims(state, MAP(claims));
}

static void test_2_6_filters(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.6", "Name=STORED is exact, with its + as %252B", query,
              .input = OF_PROJECT "%2CName%3D<PROJECT>%252Bws-a", .code = "ws-a"),
        CLAIM("2.6", "a + as %2B becomes a blank and finds nothing", query,
              .input = OF_PROJECT "%2CName%3D<PROJECT>%2Bws-a", .code = ""),
        CLAIM("2.6", "Name=SHORT finds nothing: the stored name is compared", query,
              .input = OF_PROJECT "%2CName%3Dws-a", .code = ""),
        CLAIM("2.6", "Name=~PART finds parts", query, .input = OF_PROJECT "%2CName%3D~ws-b",
              .code = "ws-b"),
        CLAIM("2.6", "the prefix isn't part of the stored name", query,
              .input = OF_PROJECT "%2CName%3D~robot%2524", .code = ""),
        CLAIM("2.6", "Description filters", query, .input = OF_PROJECT "%2CDescription%3Danother",
              .code = "ws-b"),
        CLAIM("2.6", "Disabled filters", query, .input = OF_PROJECT "%2CDisabled%3Dtrue",
              .code = "ws-c"),
        CLAIM("2.6", "id filters", query, .input = OF_PROJECT "%2Cid%3D<B>", .code = "ws-b"),
        CLAIM("2.6", "unknown keys are ignored", query, .input = OF_PROJECT "%2Ccolour%3Dblue",
              .code = "ws-a ws-b ws-c"),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_6_listing),
        cmocka_unit_test(test_2_6_filters),
    };
    return cmocka_run_group_tests_name("robot lists", tests, contract_setup, contract_teardown);
}
