/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, CSRF and the session login (paragraphs 5.3 and 5.3b). */
#include "contract.h"

#include <inttypes.h>
#include <string.h>

#define NOT_FOUND_MESSAGE "CSRF token not found in request"
#define INVALID_MESSAGE   "CSRF token invalid"

static const char *project_body(struct contract *c) {
    return json_text(c, "{'project_name':'%s'}", new_name(c));
}

static void csrf_error(struct contract *c, const struct http_reply *reply, const char *message) {
    expect_error(c, reply, 403, "FORBIDDEN");
    expect_text(c, "the message", text_at(reply->json, "errors.0.message"), message);
}

/* A session of the account that was given. */
static struct session our_session(struct contract *c) {
    struct session session = open_session(c);
    const struct http_reply *reply = log_in(c, &session, c->admin.user, c->admin.password);
    (void)require(c, reply->status == 200, "the login: expected 200, got %ld", reply->status);
    return session;
}

static void log_out(struct contract *c, const struct session *session) {
    (void)ask(c, &session->login, "GET", NULL, "/c/log_out");
}

/* ---- 5.3 ---- */

static void sets_sid(struct contract *c, const struct claim *claim) {
    const struct http_login *who = claim->who == 0 ? NULL : &c->admin;
    const struct http_reply *reply = ask(c, who, "GET", NULL, API "%s", claim->input);
    expect(c, cookie_of(c, reply, "sid")[0] != '\0', "expected Set-Cookie: sid=");
    expect_text(c, "X-Harbor-CSRF-Token", header_of(c, reply, "X-Harbor-CSRF-Token"), "");
}

/* who: 0 nobody, 1 the account by Basic. */
static void sid_alone(struct contract *c, const struct claim *claim) {
    struct project project = make_project(c);
    struct session session = open_session(c);
    struct http_login login = {.cookies = text(c, "sid=%s", session.sid)};
    if (claim->who == 1) {
        login.user = c->admin.user;
        login.password = c->admin.password;
    }
    const char *method = claim->input;
    if (strcmp(method, "POST") == 0) {
        csrf_error(c, ask(c, &login, method, project_body(c), API "/projects"), NOT_FOUND_MESSAGE);
    } else if (strcmp(method, "PATCH") == 0) {
        struct robot robot = make_robot(c, project);
        csrf_error(c, ask(c, &login, method, "{}", API "/robots/%" PRId64, robot.id),
                   NOT_FOUND_MESSAGE);
    } else {
        const char *body = strcmp(method, "PUT") == 0 ? "{}" : NULL;
        csrf_error(c, ask(c, &login, method, body, API "/projects/%" PRId64, project.id),
                   NOT_FOUND_MESSAGE);
    }
    expect_status(c, get_project(c, &c->admin, project.name), 200);
}

static void sid_on_reads(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project project = make_project(c);
    struct session session = open_session(c);
    struct http_login login = {.user = c->admin.user,
                               .password = c->admin.password,
                               .cookies = text(c, "sid=%s", session.sid)};
    expect_status(c, get_project(c, &login, project.name), 200);
}

static void wrong_token(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    struct session other = open_session(c);
    session.login.csrf_token = other.login.csrf_token;
    csrf_error(c, ask(c, &session.login, "POST", project_body(c), API "/projects"),
               INVALID_MESSAGE);
}

static void token_without_cookie(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    session.login.cookies = text(c, "sid=%s", session.sid);
    const struct http_reply *reply =
        ask(c, &session.login, "POST", project_body(c), API "/projects");
    expect_error(c, reply, 403, "FORBIDDEN");
    const char *message = text_at(reply->json, "errors.0.message");
    expect(c, strncmp(message, "CSRF token ", 11) == 0, "expected a CSRF error, got \"%s\"",
           message);
}

static void without_sid(struct contract *c, const struct claim *claim) {
    (void)claim;
    expect_status(c, ask(c, &c->admin, "POST", project_body(c), API "/projects"), 201);
}

static void outside_of_the_api(struct contract *c, const struct claim *claim) {
    (void)claim;
    const struct http_reply *page = ask(c, NULL, "GET", NULL, "/berth/projects");
    if (page->status == 200) {
        skip_claim(c, "a front end answers paths that aren't Harbor's, with 200");
        return;
    }
    expect_error(c, ask(c, &c->admin, "POST", project_body(c), "/berth/projects"), 403,
                 "FORBIDDEN");
}

static void test_5_3_cookies(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.3", "a reply to a request without cookies sets a sid", sets_sid,
              .input = "/systeminfo"),
        CLAIM("5.3", "so does one to a request with Basic", sets_sid, .input = "/users/current",
              .who = 1),
        CLAIM("5.3", "POST with a sid alone is 403, whoever asks: CSRF token not found", sid_alone,
              .input = "POST", .who = 1),
        CLAIM("5.3", "PUT with a sid alone is 403: CSRF token not found", sid_alone, .input = "PUT",
              .who = 1),
        CLAIM("5.3", "PATCH with a sid alone is 403: CSRF token not found", sid_alone,
              .input = "PATCH", .who = 1),
        CLAIM("5.3", "DELETE with a sid alone is 403: CSRF token not found", sid_alone,
              .input = "DELETE", .who = 1),
        CLAIM("5.3", "that is said before 401", sid_alone, .input = "POST"),
        CLAIM("5.3", "GET with a sid alone is served", sid_on_reads),
        CLAIM("5.3", "a token of another cookie is 403: CSRF token invalid", wrong_token),
        CLAIM("5.3", "a token without its cookie is a CSRF error", token_without_cookie),
        CLAIM("5.3", "a write without a sid needs no token", without_sid),
        CLAIM("5.3", "a POST outside of the API is 403 by CSRF", outside_of_the_api),
    };
    run_claims(state, MAP(claims));
}

/* ---- 5.3b ---- */

static void gives_the_pair(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    struct http_login sid = {.cookies = text(c, "sid=%s", session.sid)};
    const struct http_reply *again = ask(c, &sid, "GET", NULL, API "/systeminfo");
    expect_text(c, "a new sid for a known one", cookie_of(c, again, "sid"), "");
}

static void logs_in(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    const char *before = session.sid;
    expect_status(c, log_in(c, &session, c->admin.user, c->admin.password), 200);
    expect(c, session.sid[0] != '\0' && strcmp(session.sid, before) != 0, "expected a new sid");
    const struct http_reply *me = ask(c, &session.login, "GET", NULL, API "/users/current");
    expect_status(c, me, 200);
    expect_text(c, "username", text_at(me->json, "username"), c->admin.user);
    expect_text(c, "a new sid for a known one", cookie_of(c, me, "sid"), "");
    log_out(c, &session);
}

/* The name is nobody's: the account that was given is never locked. */
static void wrong_login(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    expect_status(c, log_in(c, &session, new_name(c), "Wrong-Password1"), 401);
}

static void login_without_pair(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = open_session(c);
    session.login.csrf_token = NULL;
    if (claim->who == 1) {
        session.login.cookies = NULL;
    }
    expect_status(c, log_in(c, &session, new_name(c), "Wrong-Password1"), 403);
}

static void robot_logs_in(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct robot robot = make_robot(c, make_project(c));
    struct session session = open_session(c);
    expect_status(c, log_in(c, &session, robot.name, robot.secret), 401);
}

static void writes(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = our_session(c);
    const char *name = new_name(c);
    const char *body = json_text(c, "{'project_name':'%s'}", name);
    expect_status(c, ask(c, &session.login, "POST", body, API "/projects"), 201);
    expect_status(c, ask(c, &session.login, "PUT", "{}", API "/projects/%s", name), 200);
    expect_status(c, ask(c, &session.login, "DELETE", NULL, API "/projects/%s", name), 200);
    log_out(c, &session);
}

static void writes_side_by_side(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = our_session(c);
    struct http_request requests[8];
    const struct http_reply *replies[8];
    for (size_t i = 0; i < 8; i++) {
        requests[i] = (struct http_request){.login = &session.login,
                                            .method = "POST",
                                            .path = API "/projects",
                                            .body = project_body(c)};
    }
    ask_all(c, requests, 8, replies);
    for (size_t i = 0; i < 8; i++) {
        expect_status(c, replies[i], 201);
    }
    log_out(c, &session);
}

static void write_without_token(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = our_session(c);
    struct http_login login = {.cookies = session.login.cookies};
    csrf_error(c, ask(c, &login, "POST", project_body(c), API "/projects"), NOT_FOUND_MESSAGE);
    log_out(c, &session);
}

/* What a session is when Harbor has forgotten it: an id that it has never given. */
static struct session forgotten_session(struct contract *c) {
    struct session session = open_session(c);
    char id[HTTP_VALUE_BYTES];
    (void)memcpy(id, session.sid, strlen(session.sid) + 1);
    id[0] = id[0] == 'a' ? 'b' : 'a';
    id[1] = id[1] == 'a' ? 'b' : 'a';
    session.login.cookies = text(c, "sid=%s; _gorilla_csrf=%s", id, session.csrf_cookie);
    return session;
}

static void forgotten_on_a_list(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct project closed = make_project(c);
    struct project open = make_public_project(c);
    struct session session = forgotten_session(c);
    const struct http_reply *list =
        ask(c, &session.login, "GET", NULL, API "/projects?page_size=100&q=name%%3D~%s", c->run);
    expect_status(c, list, 200);
    expect(c, json_with(list->json, "name", open.name) != NULL, "the public project is missing");
    expect(c, json_with(list->json, "name", closed.name) == NULL, "the private project is listed");
    expect(c, cookie_of(c, list, "sid")[0] != '\0', "expected a new sid");
}

static void forgotten_elsewhere(struct contract *c, const struct claim *claim) {
    struct session session = forgotten_session(c);
    const char *body = strcmp(claim->input, "POST") == 0 ? project_body(c) : NULL;
    const char *path = body == NULL ? "/users/current" : "/projects";
    const struct http_reply *reply = ask(c, &session.login, claim->input, body, API "%s", path);
    expect_error(c, reply, 401, "UNAUTHORIZED");
    expect(c, cookie_of(c, reply, "sid")[0] != '\0', "expected a new sid");
}

static void pair_of_another_key(struct contract *c, const struct claim *claim) {
    (void)claim;
    struct session session = our_session(c);
    char cookie[HTTP_VALUE_BYTES];
    (void)memcpy(cookie, session.csrf_cookie, strlen(session.csrf_cookie) + 1);
    char *middle = &cookie[strlen(cookie) / 2];
    *middle = *middle == 'A' ? 'B' : 'A';
    session.login.cookies = text(c, "sid=%s; _gorilla_csrf=%s", session.sid, cookie);
    const struct http_reply *reply =
        ask(c, &session.login, "POST", project_body(c), API "/projects");
    expect_error(c, reply, 403, "FORBIDDEN");
    const char *message = text_at(reply->json, "errors.0.message");
    expect(c, strncmp(message, "CSRF token ", 11) == 0, "expected a CSRF error, got \"%s\"",
           message);
    session.login.cookies = text(c, "sid=%s; _gorilla_csrf=%s", session.sid, session.csrf_cookie);
    log_out(c, &session);
}

static void test_5_3b_session_login(void **state) {
    static const struct claim claims[] = {
        CLAIM("5.3b", "1: a sid sent back brings _gorilla_csrf and X-Harbor-CSRF-Token, no new sid",
              gives_the_pair),
        CLAIM("5.3b", "2: the login with the pair is 200 with a new sid, which is the user",
              logs_in),
        CLAIM("5.3b", "2: a login with a wrong password is 401", wrong_login),
        CLAIM("5.3b", "2: a login without the token is 403", login_without_pair),
        CLAIM("5.3b", "2: a login without cookies is 403", login_without_pair, .who = 1),
        CLAIM("5.3b", "3: a session with its token writes", writes),
        CLAIM("5.3b", "3: one token serves requests side by side", writes_side_by_side),
        CLAIM("5.3b", "3: a session without its token doesn't write: 403", write_without_token),
        CLAIM("5.3b", "4: an unknown session lists as nobody: 200, public ones, a new sid",
              forgotten_on_a_list),
        CLAIM("5.3b", "4: users/current of an unknown session is 401, with a new sid",
              forgotten_elsewhere, .input = "GET"),
        CLAIM("5.3b", "4: a write of an unknown session is 401, with a new sid",
              forgotten_elsewhere, .input = "POST"),
        CLAIM("5.3b", "5: a pair that doesn't fit this Harbor's key is 403 with a CSRF message",
              pair_of_another_key),
        CLAIM("5.3b", "6: robots can't log in: 401", robot_logs_in),
    };
    run_claims(state, MAP(claims));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_5_3_cookies),
        cmocka_unit_test(test_5_3b_session_login),
    };
    return cmocka_run_group_tests_name("sessions", tests, contract_setup, contract_teardown);
}
