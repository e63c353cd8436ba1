/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session_world.h"

#define SYSTEM_INFO "{\"auth_mode\":\"db_auth\"}"
#define SYSTEM_INFO_OF_USER                                                                        \
    "{\"auth_mode\":\"db_auth\",\"harbor_version\":\"v2.14.4\",\"read_only\":false}"

static bool asks(const struct scripted_request *request, const char *what) {
    return strncmp(request->text, what, strlen(what)) == 0;
}

/* Whether the cookies hold the user's session. */
static bool is_users(const struct session_world *world, const char *cookies) {
    char sid[64];
    (void)snprintf(sid, sizeof sid, "sid=user-%d;", world->sessions);
    return world->known && strstr(cookies, sid) != NULL;
}

static void answer_login(struct session_world *world, const struct scripted_request *request,
                         const char *cookies, const char *token) {
    world->logins++;
    (void)snprintf(world->last_form, sizeof world->last_form, "%s", request->body);
    assert_non_null(strstr(cookies, "sid=anonymous; _gorilla_csrf=the-cookie"));
    assert_string_equal(token, "the-token");
    if (world->hold_login) {
        hold(world, request);
        return;
    }
    char headers[128] = "";
    if (world->login_status == 200) {
        world->known = true;
        world->with_user = true;
        (void)snprintf(headers, sizeof headers, "Set-Cookie: sid=user-%d; Path=/; HttpOnly\r\n",
                       ++world->sessions);
    }
    scripted_reply(request, world->login_status, headers, "");
}

static void answer_system_info(struct session_world *world, const struct scripted_request *request,
                               const char *cookies) {
    if (cookies[0] == 0) {
        scripted_reply(request, 200, "Set-Cookie: sid=anonymous; Path=/; HttpOnly\r\n",
                       SYSTEM_INFO);
    } else if (strstr(cookies, "sid=anonymous") != NULL) {
        scripted_reply(request, 200,
                       "Set-Cookie: _gorilla_csrf=the-cookie; Path=/; Max-Age=43200\r\n"
                       "X-Harbor-CSRF-Token: the-token\r\n",
                       SYSTEM_INFO);
    } else {
        scripted_reply(request, 200, is_users(world, cookies) ? "" : "Set-Cookie: sid=new\r\n",
                       is_users(world, cookies) && world->with_user ? SYSTEM_INFO_OF_USER
                                                                    : SYSTEM_INFO);
    }
}

static void answer_call(struct session_world *world, const struct scripted_request *request,
                        const char *cookies, const char *token) {
    char authorization[256];
    bool write = !asks(request, "GET ");
    bool proof = asks(request, "GET /api/v2.0/users/current ");
    (void)scripted_header(request, "Authorization", authorization, sizeof authorization);
    world->proofs += proof ? 1 : 0;
    world->calls += proof ? 0 : 1;
    if (authorization[0] != 0) {
        world->basic++;
        world->unsaid += cookies[0] != 0 ? 1 : 0;
        world->as_user(world, request);
        return;
    }
    world->unsaid += write != (token[0] != 0) ? 1 : 0;
    if (!is_users(world, cookies)) {
        scripted_reply(request, world->stranger_status, "Set-Cookie: sid=new; Path=/\r\n",
                       world->stranger_body);
    } else if (!world->with_user) {
        scripted_reply(request, proof ? 401 : world->stranger_status, "", world->stranger_body);
    } else if (proof) {
        scripted_reply(request, world->proof_status, "",
                       "{\"user_id\":3,\"username\":\"svc-berth\"}");
    } else if (write && world->csrf_broken) {
        scripted_reply(request, 403, "", BAD_CSRF);
    } else {
        world->as_user(world, request);
    }
}

static void answer(void *ctx, const struct scripted_request *request) {
    struct session_world *world = ctx;
    char cookies[512];
    char token[256];
    (void)scripted_header(request, "Cookie", cookies, sizeof cookies);
    (void)scripted_header(request, "X-Harbor-CSRF-Token", token, sizeof token);
    if (asks(request, "POST /c/login ")) {
        answer_login(world, request, cookies, token);
    } else if (asks(request, "GET /api/v2.0/systeminfo ")) {
        answer_system_info(world, request, cookies);
    } else {
        answer_call(world, request, cookies, token);
    }
}

static void on_notice(void *ctx, const char *registry, bool trouble, const char *text) {
    (void)trouble;
    struct session_world *world = ctx;
    assert_string_equal(registry, "alpha");
    world->notices++;
    (void)snprintf(world->notice, sizeof world->notice, "%s", text);
}

int session_world_set_up(void **state) {
    struct session_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world_init(&world->world);
    struct world *base = &world->world;
    base->script = answer;
    base->fixture.registries[0].basic_login = false;
    base->fixture.on_notice = on_notice;
    base->fixture.notice_ctx = world;
    world->login_status = 200;
    world->proof_status = 200;
    world->stranger_status = 401;
    world->stranger_body = UNAUTHORIZED;
    world->as_user = reply_as_told;
    *state = world;
    return 0;
}

int session_world_tear_down(void **state) {
    struct session_world *world = *state;
    world_deinit(&world->world);
    free(world);
    return 0;
}

void session_world_start(struct session_world *world) {
    client_start(&world->world.fixture, 1);
}

void session_world_log_in(struct session_world *world) {
    session_world_start(world);
    assert_int_equal(ask(&world->world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 1);
}
