/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told what: missing projects, credentials, locked logins (paragraphs 1.8, 5.1 and 5.2). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

/* Longer than the 1.5 s for which a failed login locks its name. */
#define UNLOCKED_MS 3000
#define EVERYTHING  "[{'kind':'project','namespace':'*','access':" PULL "}]"

enum caller { ADMIN, USER, SYSTEM_ROBOT, NOBODY, WRONG_PASSWORD };

/* Wrong passwords are of a name that nobody has: the account that was given is never locked. */
static struct http_login caller(struct contract *c, const struct claim *claim) {
    switch ((enum caller)claim->who) {
    case ADMIN:
        return c->admin;
    case USER:
        return c->user;
    case SYSTEM_ROBOT:
        return make_system_robot(c, EVERYTHING).login;
    case NOBODY:
        return (struct http_login){0};
    case WRONG_PASSWORD:
        return (struct http_login){.user = new_name(c), .password = "Wrong-Password1"};
    }
    return (struct http_login){0};
}

/* ---- 1.8 ---- */

/* claim->input: method, path behind the project, body. */
static void missing(struct contract *c, const struct claim *claim) {
    struct http_login login = caller(c, claim);
    const char *rest = strchr(claim->input, ' ') + 1;
    const char *method = text(c, "%.*s", (int)(rest - claim->input - 1), claim->input);
    const char *body = strcmp(method, "PUT") == 0 ? "{\"metadata\":{\"public\":\"true\"}}" : NULL;
    const char *which[] = {new_name(c), text(c, "%d", NO_ID)};
    for (size_t i = 0; i < 2; i++) {
        const struct http_reply *reply =
            ask(c, &login, method, body, API "/projects/%s%s", which[i], rest);
        expect_error(c, reply, claim->status, claim->code);
    }
}

static void head_missing(struct contract *c, const struct claim *claim) {
    struct http_login login = caller(c, claim);
    expect_status(c, ask(c, &login, "HEAD", NULL, API "/projects?project_name=%s", new_name(c)),
                  claim->status);
}

static void head_of_private(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct http_login login = caller(c, claim);
    expect_status(c, ask(c, &login, "HEAD", NULL, API "/projects?project_name=%s", project.name),
                  200);
}

static void private_project(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct http_login login = caller(c, claim);
    expect_error(c, ask(c, &login, claim->input, NULL, API "/projects/%" PRId64, project.id),
                 claim->status, claim->code);
    expect_status(c, get_project(c, &c->admin, project.name), 200);
}

static void public_project(struct contract *c, const struct claim *claim) {
    struct project project = make_public_project(c);
    struct http_login login = caller(c, claim);
    expect_status(c, get_project(c, &login, project.name), 200);
}

static void wrong_path(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, API "/no-such-thing");
    expect_status(c, reply, 404);
    expect_text(c, "code", text_at(reply->json, "errors.0.code"), "NOT_FOUND");
    const char *message = text_at(reply->json, "errors.0.message");
    expect(c, strncmp(message, "path ", 5) == 0, "expected a message that begins with \"path \"");
}

/* One call on missing projects: to an administrator, a user, a robot and nobody. */
#define MISSING(call, asked)                                                                       \
    CLAIM("1.8", call " is 404 NOT_FOUND to an administrator", missing, .input = (asked),          \
          .who = ADMIN, .status = 404, .code = "NOT_FOUND", .needs = NEED_SYSADMIN),               \
        CLAIM("1.8", call " is 403 FORBIDDEN to a user", missing, .input = (asked), .who = USER,   \
              .status = 403, .code = "FORBIDDEN", .needs = NEED_USER),                             \
        CLAIM("1.8", call " is 403 FORBIDDEN to a robot with rights on *", missing,                \
              .input = (asked), .who = SYSTEM_ROBOT, .status = 403, .code = "FORBIDDEN",           \
              .needs = NEED_SYSADMIN),                                                             \
        CLAIM("1.8", call " is 401 UNAUTHORIZED without credentials", missing, .input = (asked),   \
              .who = NOBODY, .status = 401, .code = "UNAUTHORIZED")

static void test_1_8_missing_projects(void **state) {
    static const struct claim claims[] = {
        MISSING("GET of a missing project", "GET "),
        MISSING("PUT of a missing project", "PUT "),
        MISSING("DELETE of a missing project", "DELETE "),
        MISSING("_deletable of a missing project", "GET /_deletable"),
        MISSING("the members of a missing project", "GET /members"),
        CLAIM("1.8", "GET of a missing project is 401 with a wrong password", missing,
              .input = "GET ", .who = WRONG_PASSWORD, .status = 401, .code = "UNAUTHORIZED"),
        CLAIM("1.8", "HEAD of a missing project is 404 to an administrator", head_missing,
              .who = ADMIN, .status = 404),
        CLAIM("1.8", "HEAD of a missing project is 404 to a user", head_missing, .who = USER,
              .status = 404, .needs = NEED_USER),
        CLAIM("1.8", "HEAD of a missing project is 404 to a robot", head_missing,
              .who = SYSTEM_ROBOT, .status = 404, .needs = NEED_SYSADMIN),
        CLAIM("1.8", "HEAD of a missing project is 401 without credentials", head_missing,
              .who = NOBODY, .status = 401),
        CLAIM("1.8", "HEAD of a missing project is 401 with a wrong password", head_missing,
              .who = WRONG_PASSWORD, .status = 401),
    };
    run_claims(state, MAP(claims));
}

static void test_1_8_others_projects(void **state) {
    static const struct claim claims[] = {
        CLAIM("1.8", "HEAD tells a user of somebody else's private project", head_of_private,
              .who = USER, .needs = NEED_USER),
        CLAIM("1.8", "GET of somebody else's private project is 403 to a user", private_project,
              .input = "GET", .who = USER, .status = 403, .code = "FORBIDDEN", .needs = NEED_USER),
        CLAIM("1.8", "DELETE of somebody else's private project is 403 to a user", private_project,
              .input = "DELETE", .who = USER, .status = 403, .code = "FORBIDDEN",
              .needs = NEED_USER),
        CLAIM("1.8", "GET of a private project is 401 without credentials", private_project,
              .input = "GET", .who = NOBODY, .status = 401, .code = "UNAUTHORIZED"),
        CLAIM("1.8", "DELETE of a private project is 401 without credentials", private_project,
              .input = "DELETE", .who = NOBODY, .status = 401, .code = "UNAUTHORIZED"),
        CLAIM("1.8", "GET of a public project is 200 without credentials", public_project,
              .who = NOBODY),
        CLAIM("1.8", "a path that doesn't exist is 404 with a message that begins with \"path \"",
              wrong_path),
    };
    run_claims(state, MAP(claims));
}

/* ---- 5.1 ---- */

static void wrong_password_on_a_list(struct contract *c, const struct claim *claim) {
    struct project closed = make_project(c);
    struct project open = make_public_project(c);
    struct http_login login = caller(c, claim);
    const struct http_reply *list =
        ask(c, &login, "GET", NULL, API "/projects?page_size=100&q=name%%3D~%s", c->run);
    expect_status(c, list, 200);
    expect(c, json_with(list->json, "name", open.name) != NULL, "the public project is missing");
    expect(c, json_with(list->json, "name", closed.name) == NULL, "the private project is listed");
}

static void refused_login(struct contract *c, const struct claim *claim) {
    struct http_login login = caller(c, claim);
    const char *body = strcmp(claim->input, "POST /projects") == 0
                           ? json_text(c, "{'project_name':'%s'}", new_name(c))
                           : NULL;
    const char *path = strchr(claim->input, ' ') + 1;
    const char *method = text(c, "%.*s", (int)(path - claim->input - 1), claim->input);
    expect_error(c, ask(c, &login, method, body, API "%s", path), 401, "UNAUTHORIZED");
}

static void current_user(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *me = ask(c, &c->admin, "GET", NULL, API "/users/current");
    expect_status(c, me, 200);
    expect_text(c, "username", text_at(me->json, "username"), c->admin.user);
    expect(c, json_is_boolean(json_at(me->json, "sysadmin_flag")), "expected sysadmin_flag");
    expect(c, json_is_boolean(json_at(me->json, "admin_role_in_auth")),
           "expected admin_role_in_auth");
}

static void current_user_of_a_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    expect_error(c, ask(c, &robot.login, "GET", NULL, API "/users/current"), 412, "PRECONDITION");
}

static void test_5_1_credentials(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.1", "users/current of a user is 200 with sysadmin_flag and admin_role_in_auth",
              current_user),
        CLAIM("5.1", "users/current of a robot is 412 PRECONDITION", current_user_of_a_robot),
        CLAIM("5.1", "users/current without credentials is 401", refused_login,
              .input = "GET /users/current", .who = NOBODY),
        CLAIM("5.1", "users/current with a wrong password is 401", refused_login,
              .input = "GET /users/current", .who = WRONG_PASSWORD),
        CLAIM("5.1", "with a wrong password the list of projects is 200 with the public ones",
              wrong_password_on_a_list, .who = WRONG_PASSWORD),
        CLAIM("5.2", "POST /projects with a wrong password is 401 UNAUTHORIZED", refused_login,
              .input = "POST /projects", .who = WRONG_PASSWORD),
        CLAIM("5.2", "GET /robots without credentials is 401 UNAUTHORIZED", refused_login,
              .input = "GET /robots", .who = NOBODY),
    };
    run_claims(state, MAP(claims));
}

/* ---- 5.2 ---- */

static void validated_before_login(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *body = json_text(c, "{'project_name':7}");
    expect_error(c, ask(c, NULL, "POST", body, API "/projects"), 422, "UNPROCESSABLE_ENTITY");
}

/* While a failed login of the second user is being answered, his right password fails, too. */
static void failed_login_locks(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct http_login wrong = {.user = c->user.user, .password = "Wrong-Password1"};
    struct http_request requests[6];
    const struct http_reply *replies[6];
    for (size_t i = 0; i < 6; i++) {
        requests[i] = (struct http_request){.login = i == 0 ? &wrong : &c->user,
                                            .method = "GET",
                                            .path = API "/users/current",
                                            .delay_ms = (long)i * 250};
    }
    set_stand_in(c, "{\"login_lock_ms\":1500}");
    ask_all(c, requests, 6, replies);
    size_t refused = 0;
    for (size_t i = 1; i < 6; i++) {
        expect_status_in(c, replies[i], 200, 401);
        refused += replies[i]->status == 401 ? 1 : 0;
    }
    expect_status(c, replies[0], 401);
    expect(c, refused > 0, "the right password was never refused");
    const struct http_reply *later = NULL;
    ask_all(c,
            &(struct http_request){.login = &c->user,
                                   .method = "GET",
                                   .path = API "/users/current",
                                   .delay_ms = UNLOCKED_MS},
            1, &later);
    set_stand_in(c, "{\"login_lock_ms\":100}");
    expect_status(c, later, 200);
}

static void failed_robot_login_does_not_lock(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    struct http_login wrong = {.user = robot.name, .password = "Wrong-Password1"};
    const struct http_request requests[] = {
        {.login = &wrong, .method = "GET", .path = API "/users/current"},
        {.login = &robot.login, .method = "GET", .path = API "/users/current", .delay_ms = 400},
        {.login = &robot.login, .method = "GET", .path = API "/users/current", .delay_ms = 800},
    };
    const struct http_reply *replies[3];
    ask_all(c, requests, 3, replies);
    expect_status(c, replies[0], 401);
    expect_status(c, replies[1], 412);
    expect_status(c, replies[2], 412);
}

static void rights(struct contract *c, const struct claim *claim) {
    (void)claim;
    expect_error(c, ask(c, &c->user, "GET", NULL, API "/robots"), 403, "FORBIDDEN");
}

static void test_5_2_refusals(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.2", "the body is validated before the login: 422 without credentials",
              validated_before_login),
        CLAIM("5.2", "rights that a user doesn't have are 403 FORBIDDEN", rights,
              .needs = NEED_USER),
        CLAIM("5.2", "a failed login locks its name while it is answered, and not after",
              failed_login_locks, .needs = NEED_USER),
        CLAIM("5.2", "a failed login of a robot doesn't lock it", failed_robot_login_does_not_lock),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_1_8_missing_projects),
        cmocka_unit_test(test_1_8_others_projects),
        cmocka_unit_test(test_5_1_credentials),
        cmocka_unit_test(test_5_2_refusals),
    };
    return cmocka_run_group_tests_name("access", tests, contract_setup, contract_teardown);
}
