/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, CSRF and the login of the web page (paragraphs 5.3 and 5.3b of the contract notes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "harbor_sessions.h"

#define PROJECTS   "/api/v2.0/projects"
#define SYSTEMINFO "/api/v2.0/systeminfo"
/* Of admin:Secret123 and of nobody:Secret123. */
#define ADMIN  "Basic YWRtaW46U2VjcmV0MTIz"
#define NOBODY "Basic bm9ib2R5OlNlY3JldDEyMw=="
#define LOGIN  "principal=berth&password=Secret123"

/* What a client of a session keeps. */
struct jar {
    char sid[64];
    char csrf[128];
    char token[128];
    char cookie[256];
};

/* Takes over what the reply sets. */
static void keep(struct jar *jar, const struct berth_sandbox_reply *reply) {
    const char *sid = header_of(reply, "Set-Cookie", "sid=");
    const char *csrf = header_of(reply, "Set-Cookie", "_gorilla_csrf=");
    const char *token = header_of(reply, "X-Harbor-CSRF-Token", "");
    if (sid != NULL) {
        assert_int_equal(sscanf(sid, "%63[^;]", jar->sid), 1);
    }
    if (csrf != NULL) {
        assert_int_equal(sscanf(csrf, "%127[^;]", jar->csrf), 1);
    }
    if (token != NULL) {
        (void)snprintf(jar->token, sizeof(jar->token), "%s", token);
    }
    (void)snprintf(jar->cookie, sizeof(jar->cookie), "%s; %s", jar->sid, jar->csrf);
}

static struct berth_sandbox_request in_session(const struct jar *jar,
                                               enum berth_sandbox_method method, const char *path,
                                               const char *body) {
    struct berth_sandbox_request request = request_of(method, path, body);
    request.authorization = NULL;
    request.cookie = jar->cookie;
    request.csrf_token = jar->token[0] == '\0' ? NULL : jar->token;
    return request;
}

/* Steps 1 and 2 of the way in. */
static void log_in(struct berth_sandbox_harbor *harbor, struct jar *jar, const char *form,
                   int expected_status) {
    struct berth_sandbox_request request = in_session(jar, BERTH_SANDBOX_GET, SYSTEMINFO, NULL);
    for (int i = 0; i < 2; i++) {
        struct berth_sandbox_reply reply = call(harbor, &request);
        assert_int_equal(reply.status, 200);
        keep(jar, &reply);
        berth_sandbox_reply_deinit(&reply);
    }
    request = in_session(jar, BERTH_SANDBOX_POST, "/c/login", form);
    request.content_type = "application/x-www-form-urlencoded";
    struct berth_sandbox_reply reply = call(harbor, &request);
    assert_int_equal(reply.status, expected_status);
    keep(jar, &reply);
    berth_sandbox_reply_deinit(&reply);
}

/* A session is begun for whoever comes without one, and only then. */
static void test_a_reply_sets_a_sid_unless_a_known_one_was_sent(void **state) {
    struct jar jar = {.sid = ""};
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, SYSTEMINFO, NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    keep(&jar, &reply);
    berth_sandbox_reply_deinit(&reply);
    request.cookie = jar.cookie;
    reply = call(*state, &request);
    assert_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
    request.cookie = "sid=never-heard-of";
    reply = call(*state, &request);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
}

/* The trap: a client that keeps cookies can't write, however right its password is. */
static void test_a_sid_that_comes_back_alone_is_rejected_on_writes(void **state) {
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_POST, PROJECTS, "{\"project_name\":\"team-a\"}");
    request.cookie = "sid=whatever";
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_error(&reply, 403, "FORBIDDEN", "CSRF token not found in request");
    berth_sandbox_reply_deinit(&reply);
    request.csrf_token = "wrong";
    reply = call(*state, &request);
    assert_error(&reply, 403, "FORBIDDEN", "CSRF token invalid");
    berth_sandbox_reply_deinit(&reply);
    request.cookie = NULL;
    call_expecting(*state, &request, 201);
}

/* Steps 1 to 3, and the session serves any number of requests. */
static void test_a_session_login_needs_no_password_afterwards(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    struct berth_sandbox_request request = in_session(&jar, BERTH_SANDBOX_POST, PROJECTS, PROJECT);
    call_expecting(*state, &request, 201);
    call_expecting(*state, &request, 409);
    request = in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    call_expecting(*state, &request, 200);
}

/* 5.1: the first login that succeeds wins, and one that fails takes nothing away. */
static void test_wrong_credentials_do_not_spoil_a_session(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    struct berth_sandbox_request request =
        in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 200);
}

/* A login makes a new sid: the one before it is nobody's. */
static void test_a_login_changes_the_sid(void **state) {
    struct jar before = {.sid = ""};
    struct berth_sandbox_request request = in_session(&before, BERTH_SANDBOX_GET, SYSTEMINFO, NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    keep(&before, &reply);
    berth_sandbox_reply_deinit(&reply);
    struct jar jar = before;
    log_in(*state, &jar, LOGIN, 200);
    assert_string_not_equal(jar.sid, before.sid);
    request = in_session(&before, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
}

static void test_a_login_wants_password_and_csrf_pair(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, "principal=berth&password=wrong", 401);
    log_in(*state, &jar, "principal=berth", 401);
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, "/c/login", LOGIN);
    request.authorization = NULL;
    call_expecting(*state, &request, 403);
}

/* Step 4: expired is not an error, just anonymous, with a new sid as the only sign. */
static void test_a_session_that_expired_goes_on_as_anonymous(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    struct berth_sandbox_request request =
        in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    request.now_ms = NOW_MS + BERTH_SANDBOX_SESSION_TIMEOUT_MS - 1;
    call_expecting(*state, &request, 200);
    /* That use has begun the hour anew. */
    request.now_ms += BERTH_SANDBOX_SESSION_TIMEOUT_MS - 1;
    call_expecting(*state, &request, 200);
    request.now_ms += BERTH_SANDBOX_SESSION_TIMEOUT_MS;
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
}

static void test_a_logout_ends_the_session(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    struct berth_sandbox_request request = in_session(&jar, BERTH_SANDBOX_GET, "/c/log_out", NULL);
    call_expecting(*state, &request, 200);
    request = in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    call_expecting(*state, &request, 401);
}

/* A write outside of the programs' paths wants the pair even without a session. */
static void test_a_write_elsewhere_is_rejected_by_csrf(void **state) {
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_POST, "/projects", PROJECT);
    call_expecting(*state, &request, 403);
}

/* Strangers by the thousand don't push a logged-in session out. */
static void test_anonymous_sessions_never_push_out_logged_in_ones(void **state) {
    (void)state;
    static const struct berth_model_user USER = {.id = 3, .name = "berth"};
    const struct berth_model_user *user = NULL;
    struct berth_sandbox_sessions *sessions = berth_sandbox_sessions_new();
    berth_sandbox_sessions_begin(sessions, "login00000000000000000000000000a", &USER, 0);
    char id[BERTH_SANDBOX_SESSION_ID_CHARS + 1];
    for (int i = 0; i < BERTH_SANDBOX_SESSIONS_ANONYMOUS_MAX + 1; i++) {
        (void)snprintf(id, sizeof(id), "%032d", i);
        berth_sandbox_sessions_begin(sessions, id, NULL, 0);
    }
    assert_true(berth_sandbox_sessions_use(sessions, "login00000000000000000000000000a", 0, &user));
    assert_ptr_equal(user, &USER);
    assert_true(berth_sandbox_sessions_use(sessions, id, 0, &user));
    (void)snprintf(id, sizeof(id), "%032d", 0);
    assert_false(berth_sandbox_sessions_use(sessions, id, 0, &user));
    berth_sandbox_sessions_free(sessions);
}

static void login_lock_is(struct berth_sandbox_harbor *harbor, int64_t ms) {
    berth_sandbox_harbor_set_login_lock(harbor, ms);
}

/* 5.2: after a failed login the right password fails too, at once, until the time is up. Only that
 * name's; and lists answer as to anybody. */
static void test_a_failed_login_locks_its_name_for_a_while(void **state) {
    login_lock_is(*state, 1500);
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    request.authorization = NOT_SO;
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_int_equal(reply.delay_ms, 1500);
    berth_sandbox_reply_deinit(&reply);
    request.authorization = BERTH;
    request.now_ms = NOW_MS + 1499;
    reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_int_equal(reply.delay_ms, 0);
    berth_sandbox_reply_deinit(&reply);
    request.authorization = ADMIN;
    call_expecting(*state, &request, 200);
    request.authorization = BERTH;
    request.now_ms = NOW_MS + 1500;
    call_expecting(*state, &request, 200);
}

/* A login over the web page shares the lock, and a session outlives it. */
static void test_the_lock_is_shared_with_the_login_page_and_spares_sessions(void **state) {
    struct jar jar = {.sid = ""};
    struct jar other = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    login_lock_is(*state, 1500);
    struct berth_sandbox_request request =
        request_of(BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 401);
    log_in(*state, &other, LOGIN, 401);
    request = in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    call_expecting(*state, &request, 200);
}

/* 5.3b: what a check of a password costs is paid by Basic and by a login, by nothing else. */
static void test_only_passwords_of_users_that_are_there_cost(void **state) {
    struct jar jar = {.sid = ""};
    struct berth_sandbox_request request = request_of(BERTH_SANDBOX_GET, SYSTEMINFO, NULL);
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 1);
    request.authorization = NOBODY;
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 0);
    request.authorization = NULL;
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 0);
    log_in(*state, &jar, LOGIN, 200);
    request = in_session(&jar, BERTH_SANDBOX_POST, "/c/login", LOGIN);
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 1);
    request.authorization = BERTH;
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 2);
    request = in_session(&jar, BERTH_SANDBOX_POST, PROJECTS, PROJECT);
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 0);
    /* While a name is locked its password isn't looked at. */
    login_lock_is(*state, 1500);
    request = request_of(BERTH_SANDBOX_GET, SYSTEMINFO, NULL);
    request.authorization = NOT_SO;
    call_expecting(*state, &request, 200);
    assert_int_equal(berth_sandbox_harbor_password_checks(*state, &request), 0);
}

/* Harbor's Redis hiccups: a known session comes without its user, and no cookie tells. */
static void test_a_session_can_lose_its_user_without_a_sign(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    struct berth_sandbox_request request =
        in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    struct berth_sandbox_handling handling = {.session = BERTH_SANDBOX_SESSION_USERLESS};
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    berth_sandbox_harbor_handle_with(*state, &request, &handling, &reply);
    assert_int_equal(reply.status, 401);
    assert_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
    handling.session = BERTH_SANDBOX_SESSION_UNKNOWN;
    berth_sandbox_harbor_handle_with(*state, &request, &handling, &reply);
    assert_int_equal(reply.status, 401);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
    call_expecting(*state, &request, 200);
}

static void test_all_sessions_can_be_forgotten_at_once(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    berth_sandbox_harbor_forget_sessions(*state);
    struct berth_sandbox_request request =
        in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_int_equal(reply.status, 401);
    assert_non_null(header_of(&reply, "Set-Cookie", "sid="));
    berth_sandbox_reply_deinit(&reply);
}

/* A restart without a fixed CSRF_KEY: reads go on in the session, writes fail until a new login. */
static void test_a_new_csrf_key_spoils_the_writes_of_a_session(void **state) {
    struct jar jar = {.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    berth_sandbox_harbor_change_csrf_key(*state);
    struct berth_sandbox_request request =
        in_session(&jar, BERTH_SANDBOX_GET, "/api/v2.0/users/current", NULL);
    call_expecting(*state, &request, 200);
    request = in_session(&jar, BERTH_SANDBOX_POST, PROJECTS, PROJECT);
    struct berth_sandbox_reply reply = call(*state, &request);
    assert_error(&reply, 403, "FORBIDDEN", "CSRF token invalid");
    berth_sandbox_reply_deinit(&reply);
    jar = (struct jar){.sid = ""};
    log_in(*state, &jar, LOGIN, 200);
    request = in_session(&jar, BERTH_SANDBOX_POST, PROJECTS, PROJECT);
    call_expecting(*state, &request, 201);
}

#define WITH_HARBOR(test) cmocka_unit_test_setup_teardown(test, api_setup, api_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_HARBOR(test_a_reply_sets_a_sid_unless_a_known_one_was_sent),
        WITH_HARBOR(test_a_sid_that_comes_back_alone_is_rejected_on_writes),
        WITH_HARBOR(test_a_session_login_needs_no_password_afterwards),
        WITH_HARBOR(test_wrong_credentials_do_not_spoil_a_session),
        WITH_HARBOR(test_a_login_changes_the_sid),
        WITH_HARBOR(test_a_login_wants_password_and_csrf_pair),
        WITH_HARBOR(test_a_session_that_expired_goes_on_as_anonymous),
        WITH_HARBOR(test_a_logout_ends_the_session),
        WITH_HARBOR(test_a_write_elsewhere_is_rejected_by_csrf),
        WITH_HARBOR(test_a_failed_login_locks_its_name_for_a_while),
        WITH_HARBOR(test_the_lock_is_shared_with_the_login_page_and_spares_sessions),
        WITH_HARBOR(test_only_passwords_of_users_that_are_there_cost),
        WITH_HARBOR(test_a_session_can_lose_its_user_without_a_sign),
        WITH_HARBOR(test_all_sessions_can_be_forgotten_at_once),
        WITH_HARBOR(test_a_new_csrf_key_spoils_the_writes_of_a_session),
        cmocka_unit_test(test_anonymous_sessions_never_push_out_logged_in_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
