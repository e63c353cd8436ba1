/* SPDX-License-Identifier: Apache-2.0 */
/* Proving pull permission: the token service and manifests (paragraph 7). */
#include "contract.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#define TOKEN        "/service/token?service=harbor-registry"
#define PAYLOAD_MAX  4096
#define WRONG_SECRET "Wrong-Secret1"

/* The second part of a JWT, decoded; NULL: it isn't one. The reference is the caller's. */
static json_t *payload_of(const char *token) {
    const char *dot = strchr(token, '.');
    size_t len = dot == NULL ? 0 : strcspn(dot + 1, ".");
    unsigned char coded[PAYLOAD_MAX];
    unsigned char plain[PAYLOAD_MAX];
    if (len == 0 || len + 4 > sizeof(coded)) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        char letter = dot[1 + i];
        coded[i] = (unsigned char)(letter == '-' ? '+' : letter == '_' ? '/' : letter);
    }
    size_t padding = (4 - len % 4) % 4;
    memcpy(coded + len, "===", padding);
    int bytes = EVP_DecodeBlock(plain, coded, (int)(len + padding));
    return bytes < 0 ? NULL : json_loadb((const char *)plain, (size_t)bytes - padding, 0, NULL);
}

static const struct http_reply *get_token(struct contract *c, const struct http_login *login,
                                          const char *project, const char *action) {
    return ask(c, login, "GET", NULL, TOKEN "&scope=repository:%s/" IMAGE ":%s", project, action);
}

/* What a token entitles to, in the order of the alphabet: "", "pull", "delete pull push". */
static const char *actions_of(struct contract *c, const struct http_reply *reply,
                              const char *project) {
    json_t *payload = payload_of(text_at(reply->json, "token"));
    const json_t *access = json_at(payload, "access");
    const char *found = "";
    expect(c, payload != NULL, "expected a token in the reply");
    if (json_array_size(access) > 0) {
        expect_text(c, "the type", text_at(access, "0.type"), "repository");
        expect_text(c, "the name", text_at(access, "0.name"), text(c, "%s/" IMAGE, project));
    }
    static const char *const ACTIONS[] = {"delete", "pull", "push"};
    const json_t *actions = json_at(access, "0.actions");
    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        for (size_t j = 0; j < json_array_size(actions); j++) {
            const char *action = json_string_value(json_array_get(actions, j));
            if (action != NULL && strcmp(action, ACTIONS[i]) == 0) {
                found = text(c, "%s%s%s", found, found[0] == '\0' ? "" : " ", action);
            }
        }
    }
    json_decref(payload);
    return found;
}

static void disable(struct contract *c, struct robot robot, struct project project) {
    const char *body = json_text(c,
                                 "{'name':'%s','level':'project','duration':-1,'disable':true,"
                                 "'permissions':[{'kind':'project','namespace':'%s',"
                                 "'access':" PULL "}]}",
                                 robot.name, project.name);
    const struct http_reply *done =
        ask(c, &c->admin, "PUT", body, API "/robots/%" PRId64, robot.id);
    (void)require(c, done->status == 200, "a robot can't be disabled: %ld", done->status);
}

static void delete_robot(struct contract *c, struct robot robot) {
    (void)ask(c, &c->admin, "DELETE", NULL, API "/robots/%" PRId64, robot.id);
}

enum caller { BOUND, OF_ANOTHER, DISABLED, DELETED, WRONG, NOBODY, ADMIN };

/* A robot of the project, or what has become of it. */
static struct http_login caller(struct contract *c, const struct claim *claim,
                                struct project project) {
    struct robot robot;
    switch ((enum caller)claim->who) {
    case OF_ANOTHER:
        return make_robot(c, make_project(c)).login;
    case BOUND:
        return make_robot(c, project).login;
    case DISABLED:
        robot = make_robot(c, project);
        disable(c, robot, project);
        return robot.login;
    case DELETED:
        robot = make_robot(c, project);
        delete_robot(c, robot);
        return robot.login;
    case WRONG:
        robot = make_robot(c, project);
        robot.login.password = WRONG_SECRET;
        return robot.login;
    case NOBODY:
        return (struct http_login){0};
    case ADMIN:
        return c->admin;
    }
    return (struct http_login){0};
}

/* ---- 7.1, 7.3 ---- */

/* claim->input: "public" or "private"; code: the actions. */
static void token(struct contract *c, const struct claim *claim) {
    struct project project =
        strcmp(claim->input, "public") == 0 ? make_public_project(c) : make_project(c);
    struct http_login login = caller(c, claim, project);
    const struct http_reply *reply = get_token(c, &login, project.name, "pull");
    expect_status(c, reply, 200);
    expect_text(c, "the actions", actions_of(c, reply, project.name), claim->code);
}

static void token_fields(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const struct http_reply *reply = get_token(c, &robot.login, project.name, "pull");
    expect_status(c, reply, 200);
    expect(c, text_at(reply->json, "token")[0] != '\0', "expected a token");
    expect_text(c, "access_token", text_at(reply->json, "access_token"), "");
    expect(c, number_at(reply->json, "expires_in") > 0, "expected expires_in");
    expect(c, text_at(reply->json, "issued_at")[0] != '\0', "expected issued_at");
}

static void more_than_asked(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const struct http_reply *push = get_token(c, &robot.login, project.name, "push");
    expect_text(c, "the actions of a robot that asks for push", actions_of(c, push, project.name),
                "pull");
    const struct http_reply *pull = get_token(c, &c->admin, project.name, "pull");
    const char *actions = actions_of(c, pull, project.name);
    expect(c, strstr(actions, "push") != NULL && strstr(actions, "pull") != NULL,
           "expected pull and push for the account that asks for pull, got \"%s\"", actions);
}

static void missing_project(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const char *missing = new_name(c);
    const struct http_reply *reply = get_token(c, &robot.login, missing, "pull");
    expect_status(c, reply, 200);
    expect_text(c, "the actions", actions_of(c, reply, missing), "");
}

static void without_scope(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct http_login login = caller(c, claim, project);
    expect_status(c, ask(c, &login, "GET", NULL, TOKEN), claim->status);
}

static void unknown_service(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply =
        ask(c, &c->admin, "GET", NULL, "/service/token?service=berth-nobody");
    expect_status(c, reply, 400);
    const char *type = header_of(c, reply, "Content-Type");
    expect(c, strncmp(type, "text/plain", 10) == 0, "expected text/plain, got \"%s\"", type);
}

static void follows_visibility(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_public_project(c);
    expect_status(c,
                  ask(c, &c->admin, "PUT", "{\"metadata\":{\"public\":\"false\"}}",
                      API "/projects/%" PRId64, project.id),
                  200);
    const struct http_reply *reply = get_token(c, NULL, project.name, "pull");
    expect_status(c, reply, 200);
    expect_text(c, "the actions", actions_of(c, reply, project.name), "");
}

#define TOKENS .needs = NEED_TOKENS

static void test_7_1_token_service(void **state) {
    static const struct claim claims[] = {
        CLAIM("7.1", "a reply has token, access_token \"\", expires_in and issued_at", token_fields,
              TOKENS),
        CLAIM("7.1", "a bound robot's token has pull, of an image that needn't exist", token,
              .input = "private", .who = BOUND, .code = "pull", TOKENS),
        CLAIM("7.1", "another project's robot gets 200 without actions", token, .input = "private",
              .who = OF_ANOTHER, .code = "", TOKENS),
        CLAIM("7.1", "a disabled robot gets 200 without actions", token, .input = "private",
              .who = DISABLED, .code = "", TOKENS),
        CLAIM("7.1", "a deleted robot gets 200 without actions", token, .input = "private",
              .who = DELETED, .code = "", TOKENS),
        CLAIM("7.1", "a wrong secret gets 200 without actions", token, .input = "private",
              .who = WRONG, .code = "", TOKENS),
        CLAIM("7.1", "a wrong secret gets pull of a public project", token, .input = "public",
              .who = WRONG, .code = "pull", TOKENS),
        CLAIM("7.1", "a disabled robot gets pull of a public project", token, .input = "public",
              .who = DISABLED, .code = "pull", TOKENS),
        CLAIM("7.1", "actions are what one is entitled to, not what was asked for", more_than_asked,
              TOKENS),
        CLAIM("7.1", "a missing project has no actions", missing_project, TOKENS),
        CLAIM("7.1", "without a scope a robot's right secret is 200", without_scope, .who = BOUND,
              .status = 200, TOKENS),
        CLAIM("7.1", "without a scope a wrong secret is 401", without_scope, .who = WRONG,
              .status = 401, TOKENS),
        CLAIM("7.1", "without a scope a deleted robot is 401", without_scope, .who = DELETED,
              .status = 401, TOKENS),
        CLAIM("7.1", "an unknown service is 400 text/plain", unknown_service),
        CLAIM("7.3", "without credentials a public project gives pull", token, .input = "public",
              .who = NOBODY, .code = "pull", TOKENS),
        CLAIM("7.3", "without credentials a private project gives nothing", token,
              .input = "private", .who = NOBODY, .code = "", TOKENS),
        CLAIM("7.3", "every robot may pull from a public project", token, .input = "public",
              .who = OF_ANOTHER, .code = "pull", TOKENS),
        CLAIM("7.3", "a project that was made private gives nothing any more", follows_visibility,
              TOKENS),
    };
    run_claims(state, MAP(claims));
}

/* ---- 7.2, 7.4 ---- */

static void manifest(struct contract *c, const struct claim *claim) {
    struct project project =
        strcmp(claim->input, "public") == 0 ? make_public_project(c) : make_project(c);
    struct http_login login = caller(c, claim, project);
    const struct http_reply *reply =
        ask(c, &login, "GET", NULL, "/v2/%s/" IMAGE "/manifests/none", project.name);
    if (claim->status == 404) {
        expect_error(c, reply, 404, "NOT_FOUND");
    } else {
        expect_status(c, reply, claim->status);
        expect(c, header_of(c, reply, "Www-Authenticate")[0] != '\0', "expected Www-Authenticate");
    }
}

static void manifest_by_token(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct http_login login = caller(c, claim, project);
    const struct http_reply *reply = get_token(c, &login, project.name, "pull");
    struct http_login bearer = {.bearer = text_at(reply->json, "token")};
    expect_status(c, ask(c, &bearer, "GET", NULL, "/v2/%s/" IMAGE "/manifests/none", project.name),
                  claim->status);
}

static void token_outlives_robot(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct robot robot = make_robot(c, project);
    const struct http_reply *reply = get_token(c, &robot.login, project.name, "pull");
    struct http_login bearer = {.bearer = text_at(reply->json, "token")};
    delete_robot(c, robot);
    expect_status(c, ask(c, &bearer, "GET", NULL, "/v2/%s/" IMAGE "/manifests/none", project.name),
                  404);
    expect_status(
        c, ask(c, &robot.login, "GET", NULL, "/v2/%s/" IMAGE "/manifests/none", project.name), 401);
}

static void test_7_2_manifests(void **state) {
    static const struct claim claims[] = {
        CLAIM("7.2", "a bound robot may pull: a missing image is 404 NOT_FOUND", manifest,
              .input = "private", .who = BOUND, .status = 404),
        CLAIM("7.2", "another project's robot may not: 401 with Www-Authenticate", manifest,
              .input = "private", .who = OF_ANOTHER, .status = 401),
        CLAIM("7.2", "a disabled robot may not: 401", manifest, .input = "private", .who = DISABLED,
              .status = 401),
        CLAIM("7.2", "a wrong secret may not: 401", manifest, .input = "private", .who = WRONG,
              .status = 401),
        CLAIM("7.2", "nobody may not: 401 with Www-Authenticate", manifest, .input = "private",
              .who = NOBODY, .status = 401),
        CLAIM("7.2", "another project's robot may pull what is public: 404 NOT_FOUND", manifest,
              .input = "public", .who = OF_ANOTHER, .status = 404),
        CLAIM("7.2", "a bound robot's bearer token does as well: 404", manifest_by_token,
              .who = BOUND, .status = 404, TOKENS),
        CLAIM("7.2", "the bearer token of another's robot doesn't: 401", manifest_by_token,
              .who = OF_ANOTHER, .status = 401, TOKENS),
        CLAIM("7.4", "Basic of a deleted robot is refused at once: 401", manifest,
              .input = "private", .who = DELETED, .status = 401),
        CLAIM("7.4", "a token issued before is honoured, the robot's Basic isn't",
              token_outlives_robot, .needs = NEED_TOKENS),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_7_1_token_service),
        cmocka_unit_test(test_7_2_manifests),
    };
    return cmocka_run_group_tests_name("pulls", tests, contract_setup, contract_teardown);
}
