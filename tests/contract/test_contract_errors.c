/* SPDX-License-Identifier: Apache-2.0 */
/* Error bodies, headers, what Harbor says about itself (paragraphs 5.4 to 5.7). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

/* ---- 5.4 ---- */

static void read_only(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    const struct http_login *who = claim->who == 0 ? &c->admin : NULL;
    set_stand_in(c, "{\"read_only\":true}");
    const char *body = json_text(c, "{'project_name':'%s'}", new_name(c));
    expect_error(c, ask(c, who, "POST", body, API "/projects"), 403, "DENIED");
    expect_error(c, ask(c, who, "DELETE", NULL, API "/projects/%" PRId64, project.id), 403,
                 "DENIED");
    const struct http_reply *system = ask(c, &c->admin, "GET", NULL, API "/systeminfo");
    expect(c, json_is_true(json_at(system->json, "read_only")), "expected \"read_only\":true");
    expect_status(c, get_project(c, &c->admin, project.name), 200);
    set_stand_in(c, "{\"read_only\":false}");
}

/* ---- 5.5 ---- */

static void body_shape(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, API "/robots/%d", NO_ID);
    expect_error(c, reply, 404, "NOT_FOUND");
    expect_number(c, "errors", (int64_t)json_array_size(json_at(reply->json, "errors")), 1);
    expect(c, reply->body_bytes > 0 && reply->body[reply->body_bytes - 1] == '\n',
           "expected a newline at the end");
}

static void unprocessable(struct contract *c, const struct claim *claim) {
    const char *body = filled(c, claim->input, "NAME", new_name(c));
    expect_error(c, ask(c, &c->admin, "POST", body, API "/projects"), 422, "UNPROCESSABLE_ENTITY");
}

static void wrong_accept(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct http_request request = {.login = &c->admin, .method = "GET"};
    request.path = API "/projects?page_size=1";
    request.header = "Accept: text/xml";
    expect_error(c, ask_with(c, &request), 422, "UNPROCESSABLE_ENTITY");
}

static void wrong_method(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "PATCH", "{}", API "/projects");
    expect_error(c, reply, 405, "METHOD_NOT_ALLOWED");
}

static void masked(struct contract *c, const struct claim *claim) {
    (void)claim;
    const char *body = json_text(c, "{'project_name':'%s','registry_id':%d}", new_name(c), NO_ID);
    const struct http_reply *reply = ask(c, &c->admin, "POST", body, API "/projects");
    expect_error(c, reply, 500, "UNKNOWN");
    expect_text(c, "the message", text_at(reply->json, "errors.0.message"),
                "internal server error");
}

/* Harbor's core alone says 404, the portal in front of it 200: never JSON. */
static void wrong_base(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, "/berth/projects");
    expect_status_in(c, reply, 404, 200);
    const char *type = header_of(c, reply, "Content-Type");
    expect(c, strncmp(type, "text/html", 9) == 0, "expected text/html, got \"%s\"", type);
}

static void test_5_5_error_bodies(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.5", "an error is {\"errors\":[{code, message}]} and a newline", body_shape,
              .needs = NEED_SYSADMIN),
        CLAIM("5.5", "malformed JSON is 422 UNPROCESSABLE_ENTITY", unprocessable,
              .input = "{'project_name':'NAME'"),
        CLAIM("5.5", "a number for a name is 422 UNPROCESSABLE_ENTITY", unprocessable,
              .input = "{'project_name':7}"),
        CLAIM("5.5", "text for a number is 422 UNPROCESSABLE_ENTITY", unprocessable,
              .input = "{'project_name':'NAME','storage_limit':'much'}"),
        CLAIM("5.5", "an Accept of text/xml is 422 UNPROCESSABLE_ENTITY", wrong_accept),
        CLAIM("5.5", "a method that a path doesn't have is 405 METHOD_NOT_ALLOWED", wrong_method),
        CLAIM("5.5", "an error of Harbor's own is masked: UNKNOWN, internal server error", masked,
              .needs = NEED_SYSADMIN),
        CLAIM("5.5", "a wrong base path is text/html, with 404 or 200", wrong_base),
        CLAIM("5.4", "in read-only mode writes are 403 DENIED", read_only, .needs = NEED_STAND_IN),
        CLAIM("5.4", "in read-only mode writes without credentials are 403 DENIED, too", read_only,
              .who = 1, .needs = NEED_STAND_IN),
    };
    run_claims(state, MAP(claims));
}

/* ---- 5.6 ---- */

/* who: 0 the account, 1 nobody, 2 nobody with a sid. */
static void echoes(struct contract *c, const struct claim *claim) {
    const char *id = text(c, "%s/%zu", c->run, ++c->names);
    struct http_request request = {.method = strcmp(claim->code, "") == 0 ? "GET" : "POST"};
    struct http_login sid = {0};
    if (claim->who == 0) {
        request.login = &c->admin;
    } else if (claim->who == 2) {
        sid.cookies = text(c, "sid=%s", open_session(c).sid);
        request.login = &sid;
    }
    request.path = text(c, API "%s", claim->input);
    request.body =
        strcmp(claim->code, "") == 0 ? NULL : filled(c, claim->code, "NAME", new_name(c));
    request.header = text(c, "X-Request-Id: %s", id);
    const struct http_reply *reply = ask_with(c, &request);
    expect_status(c, reply, claim->status);
    expect_text(c, "X-Request-Id", header_of(c, reply, "X-Request-Id"), id);
}

static void makes_up_an_id(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, API "/users/current");
    const char *id = header_of(c, reply, "X-Request-Id");
    expect(c, strlen(id) == 36 && id[8] == '-' && id[13] == '-', "expected a UUID, got \"%s\"", id);
}

static void no_other_headers(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *found = get_project(c, &c->admin, make_project(c).name);
    expect_text(c, "ETag", header_of(c, found, "ETag"), "");
    expect_text(c, "Retry-After", header_of(c, found, "Retry-After"), "");
    expect_text(c, "X-Harbor-CSRF-Token", header_of(c, found, "X-Harbor-CSRF-Token"), "");
}

#define PROJECT "{'project_name':'NAME'}"

static void test_5_6_headers(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.6", "X-Request-Id is echoed with 200", echoes, .input = "/users/current",
              .code = "", .status = 200),
        CLAIM("5.6", "X-Request-Id is echoed with 201", echoes, .input = "/projects",
              .code = PROJECT, .status = 201),
        CLAIM("5.6", "X-Request-Id is echoed with 400", echoes, .input = "/projects",
              .code = "{'project_name':'-'}", .status = 400),
        CLAIM("5.6", "X-Request-Id is echoed with 401", echoes, .input = "/projects",
              .code = PROJECT, .status = 401, .who = 1),
        CLAIM("5.6", "X-Request-Id is echoed with 403 by CSRF", echoes, .input = "/projects",
              .code = PROJECT, .status = 403, .who = 2),
        CLAIM("5.6", "X-Request-Id is echoed with 404", echoes, .input = "/robots/2147000000",
              .code = "", .status = 404, .needs = NEED_SYSADMIN),
        CLAIM("5.6", "X-Request-Id is echoed with 422", echoes, .input = "/projects",
              .code = "{'project_name':7}", .status = 422),
        CLAIM("5.6", "without one, X-Request-Id is a UUID", makes_up_an_id),
        CLAIM("5.6", "there is no ETag, no Retry-After, and no CSRF token without a sid",
              no_other_headers),
    };
    run_claims(state, MAP(claims));
}

/* ---- 5.7 ---- */

static void ping(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, NULL, "GET", NULL, API "/ping");
    expect_status(c, reply, 200);
    expect(c, strncmp(reply->body, "Pong", 4) == 0, "expected Pong, got \"%.20s\"", reply->body);
    const char *type = header_of(c, reply, "Content-Type");
    expect(c, strncmp(type, "text/plain", 10) == 0, "expected text/plain, got \"%s\"", type);
}

static void health(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, NULL, "GET", NULL, API "/health");
    expect_status(c, reply, 200);
    const char *status = text_at(reply->json, "status");
    expect(c, strcmp(status, "healthy") == 0 || strcmp(status, "unhealthy") == 0,
           "expected healthy or unhealthy, got \"%s\"", status);
    const json_t *components = json_at(reply->json, "components");
    static const char *const NAMES[] = {"core", "database", "redis"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const json_t *one = json_with(components, "name", NAMES[i]);
        expect(c, text_at(one, "status")[0] != '\0', "expected a status of %s", NAMES[i]);
    }
}

static void system_info(struct contract *c, const struct claim *claim) {
    const struct http_reply *reply =
        ask(c, claim->who == 0 ? NULL : &c->admin, "GET", NULL, API "/systeminfo");
    expect_status(c, reply, 200);
    expect(c, text_at(reply->json, "auth_mode")[0] != '\0', "expected auth_mode");
    static const char *const MORE[] = {"harbor_version", "external_url", "registry_url",
                                       "project_creation_restriction", "current_time"};
    if (claim->who == 0) {
        expect_text(c, "harbor_version", text_at(reply->json, "harbor_version"), "");
        return;
    }
    for (size_t i = 0; i < sizeof(MORE) / sizeof(MORE[0]); i++) {
        expect(c, json_is_string(json_at(reply->json, MORE[i])), "expected %s", MORE[i]);
    }
    expect(c, json_is_boolean(json_at(reply->json, "read_only")), "expected read_only");
}

static void api_version(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, NULL, "GET", NULL, "/api/version");
    expect_status(c, reply, 200);
    expect_text(c, "version", text_at(reply->json, "version"), "v2.0");
}

static void configurations(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *reply = ask(c, &c->admin, "GET", NULL, API "/configurations");
    expect_status(c, reply, 200);
    static const char *const NAMES[] = {"robot_name_prefix", "token_expiration",
                                        "quota_per_project_enable", "storage_per_project"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        expect(c, json_at(reply->json, NAMES[i]) != NULL, "expected %s", NAMES[i]);
    }
}

static void configurations_refused(struct contract *c, const struct claim *claim) {
    (void)claim;
    expect_error(c, ask(c, &c->user, "GET", NULL, API "/configurations"), 403, "FORBIDDEN");
}

static void test_5_7_about_itself(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.7", "ping is 200 text/plain Pong, without credentials", ping),
        CLAIM("5.7", "health is 200 with a status and components", health),
        CLAIM("5.7", "systeminfo without credentials has auth_mode, no harbor_version",
              system_info),
        CLAIM("5.7", "systeminfo with credentials has harbor_version, read_only and more",
              system_info, .who = 1),
        CLAIM("5.7", "/api/version says v2.0", api_version),
        CLAIM("5.7", "configurations has the settings that berth asks for", configurations,
              .needs = NEED_SYSADMIN),
        CLAIM("5.7", "configurations is for administrators: 403 to a user", configurations_refused,
              .needs = NEED_USER),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_5_5_error_bodies),
        cmocka_unit_test(test_5_6_headers),
        cmocka_unit_test(test_5_7_about_itself),
    };
    return cmocka_run_group_tests_name("errors", tests, contract_setup, contract_teardown);
}
