/* SPDX-License-Identifier: Apache-2.0 */
/* Changing and deleting robots (paragraphs 2.4, 2.7 and 2.9). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

#define SECRET "Chosen-Secret1"
#define PUSH   "[{'resource':'repository','action':'push'}]"

static const struct http_reply *patch(struct contract *c, struct robot robot, const char *body) {
    return ask(c, &c->admin, "PATCH", json_text(c, "%s", body), API "/robots/%" PRId64, robot.id);
}

static const struct http_reply *read_robot(struct contract *c, struct robot robot) {
    return ask(c, &c->admin, "GET", NULL, API "/robots/%" PRId64, robot.id);
}

/* 412 for a robot that is known, 401 for anybody else. */
static int logs_in(struct contract *c, struct robot robot, const char *secret) {
    struct http_login login = {.user = robot.name, .password = secret};
    return (int)ask(c, &login, "GET", NULL, API "/users/current")->status;
}

/* ---- 2.4 ---- */

static void sets_the_secret(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    const struct http_reply *reply = patch(c, robot, "{'secret':'" SECRET "'}");
    expect_status(c, reply, 200);
    expect(c, json_is_object(reply->json) && json_object_size(reply->json) == 0, "expected {}");
    expect_number(c, "login with it", logs_in(c, robot, SECRET), 412);
    expect_number(c, "login with the one before", logs_in(c, robot, robot.secret), 401);
}

static void sets_it_twice(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    expect_status(c, patch(c, robot, "{'secret':'" SECRET "'}"), 200);
    expect_status(c, patch(c, robot, "{'secret':'" SECRET "'}"), 200);
    expect_number(c, "login with it", logs_in(c, robot, SECRET), 412);
}

static void rotates(struct contract *c, const struct claim *claim) {
    struct robot robot = make_robot(c, make_project(c));
    const struct http_reply *first = patch(c, robot, claim->input);
    expect_status(c, first, 200);
    const char *one = text_at(first->json, "secret");
    expect(c, one[0] != '\0', "expected a secret");
    const char *other = text_at(patch(c, robot, claim->input)->json, "secret");
    expect(c, strcmp(one, other) != 0 && other[0] != '\0', "expected another secret");
    expect_number(c, "login with the last one", logs_in(c, robot, other), 412);
    expect_number(c, "login with the one before", logs_in(c, robot, one), 401);
}

static void secret_refused(struct contract *c, const struct claim *claim) {
    struct robot robot = make_robot(c, make_project(c));
    expect_error(c, patch(c, robot, claim->input), 400, "BAD_REQUEST");
    expect_number(c, "login with the one before", logs_in(c, robot, robot.secret), 412);
}

static void secret_of_bytes(struct contract *c, const struct claim *claim) {
    char secret[256];
    memset(secret, 'x', sizeof(secret));
    memcpy(secret, "Aa1", 3);
    secret[claim->who] = '\0';
    struct robot robot = make_robot(c, make_project(c));
    const struct http_reply *reply = patch(c, robot, text(c, "{'secret':'%s'}", secret));
    if (claim->status == 200) {
        expect_status(c, reply, 200);
        expect_number(c, "login with it", logs_in(c, robot, secret), 412);
    } else {
        expect_error(c, reply, claim->status, claim->code);
    }
}

static void other_characters(struct contract *c, const struct claim *claim) {
    (void)claim;
    static const char secret[] = "Aa1 :/+=%$\xc3\xa4";
    struct robot robot = make_robot(c, make_project(c));
    expect_status(c, patch(c, robot, text(c, "{'secret':'%s'}", secret)), 200);
    expect_number(c, "login with it", logs_in(c, robot, secret), 412);
}

static void test_2_4_secrets(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.4", "PATCH with a secret answers {}; it logs in, the one before doesn't",
              sets_the_secret),
        CLAIM("2.4", "PATCH with the same secret again changes nothing", sets_it_twice),
        CLAIM("2.4", "PATCH of {} makes a new secret each time and shows it", rotates,
              .input = "{}"),
        CLAIM("2.4", "PATCH with an empty secret makes a new one, too", rotates,
              .input = "{'secret':''}"),
        CLAIM("2.4", "a secret of 7 bytes is 400", secret_of_bytes, .who = 7, .status = 400,
              .code = "BAD_REQUEST"),
        CLAIM("2.4", "a secret of 8 bytes is legal", secret_of_bytes, .who = 8, .status = 200),
        CLAIM("2.4", "a secret of 128 bytes is legal", secret_of_bytes, .who = 128, .status = 200),
        CLAIM("2.4", "a secret of 129 bytes is 400", secret_of_bytes, .who = 129, .status = 400,
              .code = "BAD_REQUEST", .since = 2009),
        CLAIM("2.4", "a secret without a lower-case letter is 400", secret_refused,
              .input = "{'secret':'SECRETS-1'}"),
        CLAIM("2.4", "a secret without an upper-case letter is 400", secret_refused,
              .input = "{'secret':'secrets-1'}"),
        CLAIM("2.4", "a secret without a digit is 400", secret_refused,
              .input = "{'secret':'Secrets-x'}"),
        CLAIM("2.4", "a secret may have any other characters", other_characters),
    };
    run_claims(state, MAP(claims));
}

/* ---- 2.7 ---- */

struct change {
    const char *name;
    const char *level;
    const char *more; /* Fields in front of the permissions. */
    const char *namespace;
    const char *access;
};

static const struct http_reply *put(struct contract *c, struct robot robot,
                                    const struct change *change) {
    const char *body =
        json_text(c,
                  "{'name':'%s','level':'%s',%s'permissions':[{'kind':'project',"
                  "'namespace':'%s','access':%s}]}",
                  change->name, change->level, change->more, change->namespace, change->access);
    return ask(c, &c->admin, "PUT", body, API "/robots/%" PRId64, robot.id);
}

static struct change no_change(struct robot robot, struct project project) {
    return (struct change){.name = robot.name,
                           .level = "project",
                           .more = "'duration':-1,'description':'kept','disable':false,",
                           .namespace = project.name,
                           .access = PULL};
}

static void overwrites(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    change.access = PUSH;
    expect_status(c, put(c, robot, &change), 200);
    const struct http_reply *found = read_robot(c, robot);
    expect_number(c, "rights",
                  (int64_t)json_array_size(json_at(found->json, "permissions.0.access")), 1);
    expect_text(c, "action", text_at(found->json, "permissions.0.access.0.action"), "push");
    expect_text(c, "description", text_at(found->json, "description"), "kept");
    expect_number(c, "login afterwards", logs_in(c, robot, robot.secret), 412);
}

/* who: 1 short name, 2 stored name, 3 level, 4 namespace of another project, 5 without access. */
static void put_refused(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    switch (claim->who) {
    case 1:
        change.name = robot.short_name;
        break;
    case 2:
        change.name = text(c, "%s+%s", project.name, robot.short_name);
        break;
    case 3:
        change.level = "system";
        break;
    case 4:
        change.namespace = make_project(c).name;
        break;
    default:
        change.access = "[]";
        break;
    }
    expect_error(c, put(c, robot, &change), 400, "BAD_REQUEST");
    const struct http_reply *found = read_robot(c, robot);
    expect_text(c, "name afterwards", text_at(found->json, "name"), robot.name);
    expect_text(c, "namespace afterwards", text_at(found->json, "permissions.0.namespace"),
                project.name);
}

static void empties_description(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    expect_status(c, put(c, robot, &change), 200);
    change.more = "'duration':-1,";
    expect_status(c, put(c, robot, &change), 200);
    expect_text(c, "description", text_at(read_robot(c, robot)->json, "description"), "");
}

static void disables(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    change.more = "'duration':-1,'disable':true,";
    expect_status(c, put(c, robot, &change), 200);
    expect(c, json_is_true(json_at(read_robot(c, robot)->json, "disable")), "it isn't disabled");
    expect_number(c, "login of a disabled robot", logs_in(c, robot, robot.secret), 401);
}

static void enables(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    change.more = "'duration':-1,'disable':true,";
    expect_status(c, put(c, robot, &change), 200);
    change.more = "'duration':-1,";
    expect_status(c, put(c, robot, &change), 200);
    expect(c, !json_is_true(json_at(read_robot(c, robot)->json, "disable")), "it is disabled");
    expect_number(c, "login afterwards", logs_in(c, robot, robot.secret), 412);
}

static void without_duration(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    change.more = "";
    expect_status(c, put(c, robot, &change), 200);
}

static void put_missing(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    struct change change = no_change(robot, project);
    robot.id = NO_ID;
    expect_error(c, put(c, robot, &change), 404, "NOT_FOUND");
}

static void test_2_7_updates(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.7", "PUT overwrites all permissions and keeps the secret", overwrites),
        CLAIM("2.7", "PUT with the short name is 400", put_refused, .who = 1),
        CLAIM("2.7", "PUT with the name without its prefix is 400", put_refused, .who = 2),
        CLAIM("2.7", "PUT with another level is 400", put_refused, .who = 3),
        CLAIM("2.7", "PUT with another project is 400", put_refused, .who = 4),
        CLAIM("2.7", "PUT without access is 400", put_refused, .who = 5),
        CLAIM("2.7", "PUT without a description empties it", empties_description),
        CLAIM("2.7", "PUT disables: the login is that of nobody", disables),
        CLAIM("2.7", "PUT without disable enables again", enables),
        CLAIM("2.7", "PUT may leave the duration out", without_duration, .since = 2011),
        CLAIM("2.1", "PUT of a missing robot is 404", put_missing, .needs = NEED_SYSADMIN),
    };
    run_claims(state, MAP(claims));
}

/* ---- 2.9 ---- */

static void deletes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    const char *path = text(c, API "/robots/%" PRId64, robot.id);
    expect_status(c, ask(c, &c->admin, "DELETE", NULL, "%s", path), 200);
    expect_error(c, ask(c, &c->admin, "DELETE", NULL, "%s", path), 404, "NOT_FOUND");
    expect_number(c, "login of a deleted robot", logs_in(c, robot, robot.secret), 401);
}

static void ids_are_new(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot first = make_robot(c, project);
    (void)ask(c, &c->admin, "DELETE", NULL, API "/robots/%" PRId64, first.id);
    const char *body = robot_body(c, first.short_name, project, PULL);
    const struct http_reply *made = ask(c, &c->admin, "POST", body, API "/robots");
    expect_status(c, made, 201);
    expect(c, number_at(made->json, "id") > first.id, "expected a new id");
    expect(c, strcmp(text_at(made->json, "secret"), first.secret) != 0, "expected a new secret");
}

static void test_2_9_deleting(void **state) {
    static const struct claim claims[] = {
        CLAIM("2.9", "DELETE is 200, the second 404 NOT_FOUND; the robot can't log in", deletes,
              .needs = NEED_SYSADMIN),
        CLAIM("2.9", "a robot of the same name gets another id", ids_are_new),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_4_secrets),
        cmocka_unit_test(test_2_7_updates),
        cmocka_unit_test(test_2_9_deleting),
    };
    return cmocka_run_group_tests_name("robot changes", tests, contract_setup, contract_teardown);
}
