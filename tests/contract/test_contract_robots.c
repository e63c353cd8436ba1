/* SPDX-License-Identifier: Apache-2.0 */
/* Robots: making them, names and secrets (paragraphs 2.1 to 2.3, 2.5 and 2.8). */
#include "contract.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LONGEST_DESCRIPTION 1024
#define LONGEST_NAME        255

/* A body for a project robot, of which claims change one thing. */
#define BODY(name, level, duration, permissions)                                                   \
    "{'name':" name ",'level':" level ",'duration':" duration ",'permissions':" permissions "}"
#define PERMISSION(access)            "{'kind':'project','namespace':'PROJECT','access':" access "}"
#define WITH_NAME(name)               BODY("'" name "'", "'project'", "-1", "[" PERMISSION(PULL) "]")
#define WITH_LEVEL(level)             BODY("'w'", level, "-1", "[" PERMISSION(PULL) "]")
#define WITH_DURATION(days)           BODY("'w'", "'project'", days, "[" PERMISSION(PULL) "]")
#define WITH_PERMISSIONS(permissions) BODY("'w'", "'project'", "-1", permissions)

static const struct http_reply *post_robot(struct contract *c, const char *body) {
    return ask(c, &c->admin, "POST", json_text(c, "%s", body), API "/robots");
}

static const struct http_reply *robot_at(struct contract *c, int64_t id) {
    return ask(c, &c->admin, "GET", NULL, API "/robots/%" PRId64, id);
}

/* ---- 2.1 ---- */

static void makes_a_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *made = post_robot(c, robot_body(c, "ws-a", project, PULL));
    expect_status(c, made, 201);
    int64_t id = number_at(made->json, "id");
    expect(c, id > 0, "expected an id");
    expect_text(c, "Location", header_of(c, made, "Location"), text(c, API "/robots/%" PRId64, id));
    expect(c, text_at(made->json, "name")[0] != '\0', "expected a name");
    expect(c, text_at(made->json, "secret")[0] != '\0', "expected a secret");
    expect(c, text_at(made->json, "creation_time")[0] != '\0', "expected a creation_time");
    expect_number(c, "expires_at", number_at(made->json, "expires_at"), -1);
}

static void reads_a_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const struct http_reply *found = robot_at(c, robot.id);
    expect_status(c, found, 200);
    expect_text(c, "name", text_at(found->json, "name"), robot.name);
    expect_text(c, "level", text_at(found->json, "level"), "project");
    expect_text(c, "namespace", text_at(found->json, "permissions.0.namespace"), project.name);
    expect_text(c, "kind", text_at(found->json, "permissions.0.kind"), "project");
    expect_text(c, "action", text_at(found->json, "permissions.0.access.0.action"), "pull");
    expect_number(c, "duration", number_at(found->json, "duration"), -1);
}

static void missing_robot(struct contract *c, const struct claim *claim) {
    expect_error(
        c, ask(c, &c->admin, claim->input, claim->who == 0 ? NULL : "{}", API "/robots/%d", NO_ID),
        404, "NOT_FOUND");
}

static void rights_listed(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *rights = ask(c, &c->admin, "GET", NULL, API "/permissions");
    expect_status(c, rights, 200);
    const json_t *project = json_at(rights->json, "project");
    bool found = false;
    for (size_t i = 0; i < json_array_size(project); i++) {
        const json_t *one = json_array_get(project, i);
        found = found || (strcmp(text_at(one, "resource"), "repository") == 0 &&
                          strcmp(text_at(one, "action"), "pull") == 0);
    }
    expect(c, found, "expected repository:pull among the rights of projects");
}

static void test_2_1_endpoints(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.1", "POST /robots is 201 with id, name, secret, times and a Location",
              makes_a_robot),
        CLAIM("2.1", "GET of a robot has what it was made with", reads_a_robot),
        CLAIM("2.1", "GET of a missing robot is 404", missing_robot, .input = "GET",
              .needs = NEED_SYSADMIN),
        CLAIM("2.1", "PATCH of a missing robot is 404", missing_robot, .input = "PATCH", .who = 1,
              .needs = NEED_SYSADMIN),
        CLAIM("2.9", "DELETE of a missing robot is 404", missing_robot, .input = "DELETE",
              .needs = NEED_SYSADMIN),
        CLAIM("2.2", "GET /permissions lists what robots may be given", rights_listed,
              .since = 2010, .needs = NEED_SYSADMIN),
    };
    run_claims(state, MAP(claims));
}

/* ---- 2.2 ---- */

static void robot_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const struct http_reply *reply =
        post_robot(c, filled(c, claim->input, "PROJECT", project.name));
    expect_error(c, reply, claim->status, claim->code);
}

static void robot_accepted(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    expect_status(c, post_robot(c, filled(c, claim->input, "PROJECT", project.name)), 201);
}

/* So many letters in the description (who 0), or in the stored name (who 1). */
static void long_text(struct contract *c, const struct claim *claim, size_t count) {
    struct project project = make_project(c);
    char letters[LONGEST_DESCRIPTION + 2];
    memset(letters, 'a', sizeof(letters) - 1);
    letters[sizeof(letters) - 1] = '\0';
    bool description = claim->who == 0;
    size_t taken = description ? 0 : strlen(project.name) + strlen("+");
    const char *body =
        json_text(c,
                  "{'name':'%.*s','level':'project','duration':-1,'description':'%.*s',"
                  "'permissions':[{'kind':'project','namespace':'%s','access':" PULL "}]}",
                  description ? 1 : (int)(count - taken), letters, description ? (int)count : 0,
                  letters, project.name);
    const struct http_reply *reply = post_robot(c, body);
    if (claim->status == 201) {
        expect_status(c, reply, 201);
    } else {
        expect_error(c, reply, claim->status, claim->code);
    }
}

static void longest_text(struct contract *c, const struct claim *claim) {
    long_text(c, claim, claim->who == 0 ? LONGEST_DESCRIPTION : LONGEST_NAME);
}

static void too_long_text(struct contract *c, const struct claim *claim) {
    long_text(c, claim, (claim->who == 0 ? LONGEST_DESCRIPTION : LONGEST_NAME) + 1);
}

static void expires(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const struct http_reply *made =
        post_robot(c, filled(c, WITH_DURATION("2"), "PROJECT", project.name));
    expect_status(c, made, 201);
    int64_t left_s = number_at(made->json, "expires_at") - (int64_t)time(NULL);
    /* The clocks of two machines, and time zones. */
    expect(c, left_s > 86400 && left_s < 3 * (int64_t)86400,
           "expected expires_at in two days, got one in %" PRId64 " s", left_s);
}

/* "secret" and "disable" are in the schema, and ignored. */
static void ignores_secret_and_disable(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    const char *body = json_text(c,
                                 "{'name':'w','level':'project','duration':-1,"
                                 "'secret':'Chosen-Secret1','disable':true,"
                                 "'permissions':[{'kind':'project','namespace':'%s',"
                                 "'access':" PULL "}]}",
                                 project.name);
    const struct http_reply *made = post_robot(c, body);
    expect_status(c, made, 201);
    const char *secret = text_at(made->json, "secret");
    expect(c, strcmp(secret, "Chosen-Secret1") != 0, "the secret of the body was taken");
    const struct http_reply *found = robot_at(c, number_at(made->json, "id"));
    expect(c, !json_is_true(json_at(found->json, "disable")), "the robot was made disabled");
    struct http_login login = {.user = text_at(made->json, "name"), .password = secret};
    expect_status(c, ask(c, &login, "GET", NULL, API "/users/current"), 412);
}

#define ROBOT_REFUSED(what, body)                                                                  \
    CLAIM("2.2", what " is 400 BAD_REQUEST", robot_refused, .input = (body), .status = 400,        \
          .code = "BAD_REQUEST")

static void test_2_2_names(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.2", "single separators . _ - in a name are legal", robot_accepted,
              .input = WITH_NAME("w-a_b.c1")),
        ROBOT_REFUSED("an empty name", WITH_NAME("")),
        ROBOT_REFUSED("a name with an upper-case letter", WITH_NAME("Ws")),
        ROBOT_REFUSED("a name that begins with a separator", WITH_NAME("-w")),
        ROBOT_REFUSED("a name that ends with a separator", WITH_NAME("w-")),
        ROBOT_REFUSED("a name with two separators in a row", WITH_NAME("w__a")),
        ROBOT_REFUSED("a name with a plus", WITH_NAME("w+a")),
        ROBOT_REFUSED("a name with a $", WITH_NAME("w$a")),
        CLAIM("2.2", "a stored name of 255 bytes is legal", longest_text, .who = 1, .status = 201),
        CLAIM("2.2", "a stored name of 256 bytes is 500 UNKNOWN", too_long_text, .who = 1,
              .status = 500, .code = "UNKNOWN"),
    };
    run_claims(state, MAP(claims));
}

static void test_2_2_the_body_of_a_create(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.2", "a description of 1024 bytes is legal", longest_text, .status = 201),
        CLAIM("2.2", "a description of 1025 bytes is 500 UNKNOWN", too_long_text, .status = 500,
              .code = "UNKNOWN"),
        ROBOT_REFUSED("another level than project and system", WITH_LEVEL("'global'")),
        ROBOT_REFUSED("duration -2", WITH_DURATION("-2")),
        ROBOT_REFUSED("duration 2^31-1", WITH_DURATION("2147483647")),
        CLAIM("2.2", "duration 0 is 400 BAD_REQUEST", robot_refused, .input = WITH_DURATION("0"),
              .status = 400, .code = "BAD_REQUEST", .since = 2011),
        CLAIM("2.2", "duration is in days", expires),
        ROBOT_REFUSED("no permission", WITH_PERMISSIONS("[]")),
        ROBOT_REFUSED("a permission without access", WITH_PERMISSIONS("[" PERMISSION("[]") "]")),
        ROBOT_REFUSED("two permissions of a project robot",
                      WITH_PERMISSIONS("[" PERMISSION(PULL) "," PERMISSION(PULL) "]")),
        CLAIM("2.2", "an access that isn't listed is 400 BAD_REQUEST", robot_refused,
              .input = WITH_PERMISSIONS(
                  "[" PERMISSION("[{'resource':'repository','action':'fly'}]") "]"),
              .status = 400, .code = "BAD_REQUEST", .since = 2010),
        CLAIM("2.2", "secret and disable in the body are ignored", ignores_secret_and_disable),
    };
    run_claims(state, MAP(claims));
}

/* ---- 2.3 ---- */

static void named(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    bool of_system = claim->who == 1;
    struct robot robot =
        of_system ? make_system_robot(c, "[{'kind':'project','namespace':'*','access':" PULL "}]")
                  : make_robot(c, project);
    const char *stored =
        of_system ? robot.short_name : text(c, "%s+%s", project.name, robot.short_name);
    expect_text(c, "name", robot.name, text(c, "%s%s", c->robot_prefix, stored));
    expect_text(c, "name read back", text_at(robot_at(c, robot.id)->json, "name"), robot.name);
}

static void same_name_elsewhere(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project one = make_project(c);
    struct project other = make_project(c);
    const struct http_reply *first = post_robot(c, robot_body(c, "w", one, PULL));
    expect_status(c, first, 201);
    const struct http_reply *second = post_robot(c, robot_body(c, "w", other, PULL));
    expect_status(c, second, 201);
    expect(c, number_at(second->json, "id") > number_at(first->json, "id"), "expected a new id");
}

static void secret_made(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    bool plain = true;
    for (const char *at = robot.secret; *at != '\0'; at++) {
        plain = plain && isalnum((unsigned char)*at);
    }
    expect(c, strlen(robot.secret) == 32 && plain, "expected 32 letters and digits");
    expect_status(c, ask(c, &robot.login, "GET", NULL, API "/users/current"), 412);
}

static void secret_shown_once(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    expect(c, text_at(robot_at(c, robot.id)->json, "secret")[0] == '\0', "GET shows the secret");
    const struct http_reply *list =
        ask(c, &c->admin, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_status(c, list, 200);
    expect_number(c, "robots", (int64_t)json_array_size(list->json), 1);
    expect(c, text_at(list->json, "0.secret")[0] == '\0', "the list shows the secret");
}

/* ---- 2.5 and 2.8 ---- */

static void second_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    expect_error(c, post_robot(c, robot_body(c, robot.short_name, project, PULL)), 409, "CONFLICT");
    expect_status(c, ask(c, &robot.login, "GET", NULL, API "/users/current"), 412);
}

static void of_missing_project(struct contract *c, const struct claim *claim) {
    struct project missing = {.name = new_name(c)};
    const char *body = robot_body(c, "w", missing, PULL);
    const struct http_login *who = claim->who == 0 ? &c->admin : claim->who == 1 ? &c->user : NULL;
    expect_error(c, ask(c, who, "POST", body, API "/robots"), claim->status, claim->code);
}

static void users_own_project(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *name = new_name(c);
    struct project project =
        make_project_as(c, &c->user, json_text(c, "{'project_name':'%s'}", name), name);
    const struct http_reply *made =
        ask(c, &c->user, "POST", robot_body(c, "w", project, PULL), API "/robots");
    expect_status(c, made, 201);
    const char *path = text(c, API "/robots/%" PRId64, number_at(made->json, "id"));
    expect_status(c, ask(c, &c->user, "GET", NULL, "%s", path), 200);
    expect_status(c, ask(c, &c->user, "PATCH", "{\"secret\":\"Chosen-Secret1\"}", "%s", path), 200);
    const struct http_reply *list =
        ask(c, &c->user, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_status(c, list, 200);
    expect_number(c, "robots", (int64_t)json_array_size(list->json), 1);
    expect_status(c, ask(c, &c->user, "DELETE", NULL, "%s", path), 200);
}

static void member_with_role(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const char *body = json_text(c, "{'role_id':%d,'member_user':{'user_id':%" PRId64 "}}",
                                 claim->who, c->user_id);
    const struct http_reply *added =
        ask(c, &c->admin, "POST", body, API "/projects/%" PRId64 "/members", project.id);
    (void)require(c, added->status == 201, "no member can be added: %ld", added->status);
    const struct http_reply *list =
        ask(c, &c->user, "GET", NULL, API "/robots?q=Level%%3Dproject%%2CProjectID%%3D%" PRId64,
            project.id);
    expect_status(c, list, claim->status);
    const struct http_reply *made =
        ask(c, &c->user, "POST", robot_body(c, "w", project, PULL), API "/robots");
    expect_error(c, made, 403, "FORBIDDEN");
}

#define MAY_MAKE_ROBOTS                                                                            \
    "[{'resource':'repository','action':'pull'},{'resource':'robot','action':'create'},"           \
    "{'resource':'robot','action':'read'},{'resource':'robot','action':'list'},"                   \
    "{'resource':'robot','action':'delete'}]"

static void robot_makes_robot(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct robot robot = make_robot_with(c, project, MAY_MAKE_ROBOTS);
    const struct http_reply *made = ask(
        c, &robot.login, "POST", robot_body(c, "by-robot", project, claim->input), API "/robots");
    if (claim->status == 201) {
        expect_status(c, made, 201);
        expect_text(c, "creator_type",
                    text_at(robot_at(c, number_at(made->json, "id"))->json, "creator_type"),
                    "robot");
    } else {
        expect_error(c, made, claim->status, claim->code);
    }
}

static void robot_patches_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot_with(c, project, MAY_MAKE_ROBOTS);
    struct robot other = make_robot(c, project);
    expect_error(c,
                 ask(c, &robot.login, "PATCH", "{\"secret\":\"Chosen-Secret1\"}",
                     API "/robots/%" PRId64, other.id),
                 403, "FORBIDDEN");
}

static void test_2_3_names_and_secrets(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.3", "a project robot is called <prefix><project>+<short name>", named),
        CLAIM("2.3", "a system robot is called <prefix><short name>", named, .who = 1,
              .needs = NEED_SYSADMIN),
        CLAIM("2.3", "two projects may have robots of the same short name", same_name_elsewhere),
        CLAIM("2.3", "the secret has 32 letters and digits, and logs in", secret_made),
        CLAIM("2.3", "the secret is shown by neither GET nor lists", secret_shown_once),
        CLAIM("2.5", "a second robot of the same name is 409 CONFLICT, and changes nothing",
              second_robot),
        CLAIM("2.5", "a robot of a missing project is 404 to an administrator", of_missing_project,
              .status = 404, .code = "NOT_FOUND", .needs = NEED_SYSADMIN),
        CLAIM("2.5", "a robot of a missing project is 403 to a user", of_missing_project, .who = 1,
              .status = 403, .code = "FORBIDDEN", .needs = NEED_USER),
    };
    run_claims(state, MAP(claims));
}

static void test_2_8_who_may_manage_robots(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.8", "who owns a project makes, reads, changes, lists and deletes its robots",
              users_own_project, .needs = NEED_USER | NEED_EVERYONE),
        CLAIM("2.8", "a guest lists robots, but makes none: 403", member_with_role, .who = 3,
              .status = 200, .needs = NEED_USER),
        CLAIM("2.8", "a maintainer lists robots, but makes none: 403", member_with_role, .who = 4,
              .status = 200, .needs = NEED_USER),
        CLAIM("3.1", "a limited guest can't list robots", member_with_role, .who = 5, .status = 403,
              .needs = NEED_USER),
        CLAIM("2.8", "a robot may make robots with rights of its own", robot_makes_robot,
              .input = PULL, .status = 201, .since = 2012),
        CLAIM("2.8", "a robot that gives more than it has is 403 DENIED", robot_makes_robot,
              .input = "[{'resource':'repository','action':'push'}]", .status = 403,
              .code = "DENIED", .since = 2012),
        CLAIM("2.8", "a robot can't set another one's secret: 403", robot_patches_robot,
              .since = 2012),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_1_endpoints),
        cmocka_unit_test(test_2_2_names),
        cmocka_unit_test(test_2_2_the_body_of_a_create),
        cmocka_unit_test(test_2_3_names_and_secrets),
        cmocka_unit_test(test_2_8_who_may_manage_robots),
    };
    return cmocka_run_group_tests_name("robots", tests, contract_setup, contract_teardown);
}
