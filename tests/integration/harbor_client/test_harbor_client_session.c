/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Harbor client in a session: what it sends, what it believes, and what it does when Harbor
 * forgets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "session_world.h"

static const struct berth_harbor_answer *ask_for(struct session_world *world,
                                                 enum berth_harbor_call_kind kind) {
    return ask(&world->world, kind);
}

static void submit(struct session_world *world, enum berth_harbor_call_kind kind, size_t count) {
    struct berth_harbor_call call = client_call(kind);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(client_submit(&world->world.fixture, &call), BERTH_OK);
    }
}

static void test_many_calls_share_one_login_and_carry_no_password(void **state) {
    struct session_world *world = *state;
    session_world_start(world);
    submit(world, BERTH_HARBOR_GET_PROJECT_NAME, 10);
    client_run_until(&world->world.fixture, 10);
    world->world.body = "";
    assert_int_equal(ask_for(world, BERTH_HARBOR_DELETE_PROJECT)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 1);
    assert_int_equal(world->calls, 11);
    assert_int_equal(world->basic, 0);
    assert_int_equal(world->unsaid, 0);
    assert_int_equal(counts_of(&world->world).requests, 11 + 3);
    assert_int_equal(world->notices, 0);
}

/* Also with characters that a form can't hold as they are. */
static void test_the_login_is_a_form(void **state) {
    struct session_world *world = *state;
    world->world.fixture.registries[0].username = "svc berth&co";
    world->world.fixture.registries[0].password = "a=b&c d%\xc3\xa4";
    session_world_log_in(world);
    assert_string_equal(world->last_form,
                        "principal=svc%20berth%26co&password=a%3Db%26c%20d%25%C3%A4");
}

/* The sign is the sid that the reply sets (harbor-contract 5.3b, 4). */
static void test_a_forgotten_session_is_made_anew_and_nobody_notices(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->known = false;
    world->stranger_status = 200;
    world->stranger_body = "[]"; /* Public data only: a list that is empty. */
    world->world.headers = "X-Total-Count: 1\r\n";
    world->world.body = "[" OUR_ROBOT "]";
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_LIST_ROBOTS);
    assert_int_equal(answer->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(answer->robots_total, 1);
    assert_int_equal(world->logins, 2);

    world->known = false;
    world->stranger_status = 401;
    world->stranger_body = UNAUTHORIZED;
    world->world.status = 201;
    world->world.headers = "Location: /api/v2.0/projects/77\r\n";
    world->world.body = "";
    assert_int_equal(ask_for(world, BERTH_HARBOR_CREATE_PROJECT)->project_id, 77);
    assert_int_equal(world->logins, 3);
    assert_int_equal(world->calls, 1 + 2 + 2);
}

/* A session can come back without its user, and without a sign. */
static void test_a_session_that_lost_its_user_is_made_anew(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->with_user = false;
    world->world.body = "";
    assert_int_equal(ask_for(world, BERTH_HARBOR_DELETE_ROBOT)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 2);
    world->with_user = false;
    assert_int_equal(ask_for(world, BERTH_HARBOR_PROBE)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 3);
}

/* "Nothing there" counts only when it was said to us: the strangest Harbor says 200 and [] to all.
 */
static void test_an_empty_answer_without_proof_is_asked_again(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->with_user = false;
    world->stranger_status = 200;
    world->stranger_body = "[]";
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_QUOTA);
    world->world.headers = "";
    world->world.body = "[{\"id\":5,\"ref\":{\"id\":12},\"hard\":{\"storage\":-1}}]";
    const struct berth_harbor_answer *answer = client_ask(&world->world.fixture, &call);
    assert_int_equal(answer->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(answer->quota_id, 5);
    assert_int_equal(world->proofs, 1);
    assert_int_equal(world->logins, 2);
}

static void test_an_empty_answer_with_proof_counts(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->world.headers = "X-Total-Count: 0\r\n";
    world->world.body = "[]";
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_LIST_ROBOTS);
    assert_int_equal(answer->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(answer->robots_total, 0);
    assert_int_equal(world->proofs, 1);
    world->world.status = 404;
    world->world.body =
        "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"project 12 not found\"}]}";
    assert_int_equal(ask_for(world, BERTH_HARBOR_GET_PROJECT_ID)->verdict, BERTH_HARBOR_ABSENT);
    assert_int_equal(world->proofs, 2);
    /* What a write is told was looked up behind its login. */
    assert_int_equal(ask_for(world, BERTH_HARBOR_DELETE_PROJECT)->verdict, BERTH_HARBOR_ABSENT);
    assert_int_equal(world->proofs, 2);
    assert_int_equal(world->logins, 1);
}

/* Harbor fails just then: nobody knows, and it is asked again by whoever wants to know. */
static void test_an_empty_answer_whose_proof_fails_is_unknown(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->proof_status = 500;
    world->world.body = "[]";
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_GET_QUOTA);
    assert_int_equal(answer->verdict, BERTH_HARBOR_UNKNOWN);
    assert_non_null(strstr(answer->error, "HTTP 500"));
    assert_int_equal(world->logins, 1);
}

static bool has_fewer_than_four_calls(void *ctx) {
    const struct session_world *world = ctx;
    return world->calls < 1 + 4;
}

/* One proof is for all replies that came before it was asked for. */
static void test_replies_that_wait_for_proof_share_it(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->as_user = hold;
    submit(world, BERTH_HARBOR_GET_QUOTA, 4);
    client_run_while(&world->world.fixture, has_fewer_than_four_calls, world);
    for (size_t i = 0; i < 4; i++) {
        static const char EMPTY[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: 2\r\n\r\n[]";
        scripted_send(world->world.held[i], EMPTY, sizeof EMPTY - 1);
    }
    client_run_until(&world->world.fixture, 1 + 4);
    assert_true(world->proofs <= 2);
    for (size_t i = 1; i <= 4; i++) {
        assert_int_equal(world->world.fixture.answers[i].answer.verdict, BERTH_HARBOR_DONE);
    }
}

/* Bad credentials are told from no connection, and nothing waits for the next login. */
static void test_a_refused_login_answers_everybody_at_once(void **state) {
    struct session_world *world = *state;
    world->login_status = 401;
    session_world_start(world);
    submit(world, BERTH_HARBOR_CREATE_PROJECT, 6);
    client_run_until(&world->world.fixture, 6);
    for (size_t i = 0; i < 6; i++) {
        const struct berth_harbor_answer *answer = &world->world.fixture.answers[i].answer;
        assert_int_equal(answer->verdict, BERTH_HARBOR_UNAUTHENTICATED);
        assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_CREDENTIALS);
        assert_null(strstr(answer->error, "Pass:word1"));
    }
    assert_int_equal(world->calls, 0);
    assert_int_equal(world->logins, 1);
    assert_int_equal(world->notices, 1);
    assert_non_null(strstr(world->notice, "refuses the login"));
}

static void test_a_registry_that_is_away_is_no_bad_password(void **state) {
    struct session_world *world = *state;
    world->world.script = close_hard;
    session_world_start(world);
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_SET_QUOTA);
    assert_int_equal(answer->verdict, BERTH_HARBOR_NOT_SENT);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_CONNECTION);
}

/* harbor-contract 5.3b, 5: the call itself goes on with Basic, and two at once are the most. */
static void test_csrf_failures_that_stay_lead_to_basic_two_at_once(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->csrf_broken = true;
    world->world.body = "";
    assert_int_equal(ask_for(world, BERTH_HARBOR_DELETE_ROBOT)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 2);
    assert_int_equal(world->basic, 1);
    assert_int_equal(world->notices, 1);
    assert_non_null(strstr(world->notice, "Basic for 10 minutes"));

    world->as_user = hold;
    submit(world, BERTH_HARBOR_DELETE_ROBOT, 4);
    while (world->basic < 1 + 2) {
        assert_int_equal(event_base_loop(world->world.fixture.base, EVLOOP_ONCE), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(event_base_loop(world->world.fixture.base, EVLOOP_NONBLOCK), 0);
    }
    assert_int_equal(world->basic, 1 + 2);
    world->as_user = reply_as_told;
    for (size_t i = 0; i < world->world.held_count; i++) {
        scripted_close(world->world.held[i], true);
    }
    client_run_until(&world->world.fixture, 2 + 4);
    assert_int_equal(world->basic, 1 + 4);
    assert_int_equal(world->unsaid, 0);
}

/* The account lacks the right: one new login, one repeat, and that is the answer. */
static void test_a_403_is_the_answer_after_one_new_login(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->world.status = 403;
    world->world.body = FORBIDDEN;
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_SET_QUOTA);
    assert_int_equal(answer->verdict, BERTH_HARBOR_FORBIDDEN);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_CREDENTIALS);
    assert_int_equal(world->logins, 2);
    assert_int_equal(world->calls, 1 + 2);
    (void)ask_for(world, BERTH_HARBOR_SET_QUOTA);
    assert_int_equal(world->logins, 2);
    assert_int_equal(world->calls, 1 + 3);
}

static void test_read_only_mode_takes_no_new_login(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->world.status = 403;
    world->world.body =
        "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"The system is in read only mode.\"}]}";
    const struct berth_harbor_answer *answer = ask_for(world, BERTH_HARBOR_SET_QUOTA);
    assert_int_equal(answer->verdict, BERTH_HARBOR_READ_ONLY);
    assert_int_equal(answer->trouble, BERTH_HARBOR_TROUBLE_READ_ONLY);
    assert_int_equal(world->logins, 1);
}

/* Design 4.5: whatever became of the session, what may have been done is not done again. */
static void test_a_write_of_unknown_outcome_is_never_repeated(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->known = false;
    static const int STATUSES[] = {201, 500, 502};
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        world->stranger_status = STATUSES[i];
        world->stranger_body = "";
        size_t before = world->calls;
        assert_int_equal(ask_for(world, BERTH_HARBOR_CREATE_PROJECT)->verdict,
                         BERTH_HARBOR_UNKNOWN);
        assert_int_equal(world->calls, before + 1);
        world->stranger_status = 200;
        world->stranger_body = PROJECT;
        assert_int_equal(ask_for(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict,
                         BERTH_HARBOR_DONE); /* With a new login. */
        world->known = false;
    }
    world->known = true;
    world->as_user = close_hard;
    size_t before = world->calls;
    assert_int_equal(ask_for(world, BERTH_HARBOR_SET_SECRET)->verdict, BERTH_HARBOR_UNKNOWN);
    assert_int_equal(world->calls, before + 1);
}

static bool holds_no_login(void *ctx) {
    const struct session_world *world = ctx;
    return world->world.held_count == 0;
}

/* A repeat is a new sending: its time is looked at again (design 4.7). */
static void test_a_repeat_that_comes_too_late_is_not_sent(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->known = false;
    world->hold_login = true;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_CREATE_PROJECT);
    call.not_after_ms = berth_clock_monotonic_ms() + 1000;
    assert_int_equal(client_submit(&world->world.fixture, &call), BERTH_OK);
    client_run_while(&world->world.fixture, holds_no_login, world);
    assert_int_equal(world->calls, 1 + 1);
    while (berth_clock_monotonic_ms() <= call.not_after_ms) {
    }
    static const char LOGGED_IN[] =
        "HTTP/1.1 200 OK\r\nSet-Cookie: sid=user-2\r\nContent-Length: 0\r\n\r\n";
    scripted_send(world->world.held[0], LOGGED_IN, sizeof LOGGED_IN - 1);
    client_run_until(&world->world.fixture, 2);
    assert_int_equal(world->world.fixture.answers[1].answer.verdict, BERTH_HARBOR_NOT_SENT);
    assert_non_null(strstr(world->world.fixture.answers[1].answer.error, "too late"));
    assert_int_equal(world->calls, 1 + 1);
}

/* The PUT overwrites the robot as a whole, so it is made only of what was told to us. */
static void test_a_robot_is_not_enabled_by_what_a_stranger_was_told(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->known = false;
    world->stranger_status = 200;
    world->stranger_body = OUR_ROBOT;
    world->world.status = 404;
    world->world.body =
        "{\"errors\":[{\"code\":\"NOT_FOUND\",\"message\":\"robot 34 not found\"}]}";
    assert_int_equal(ask_for(world, BERTH_HARBOR_MEND_ROBOT)->verdict, BERTH_HARBOR_ABSENT);
    assert_int_equal(world->logins, 2);
    assert_int_equal(world->proofs, 1);
    assert_int_equal(world->unsaid, 0); /* So there was no PUT. */
}

/* Logins, proofs and calls that wait are dropped without a word, and without a leak. */
static void test_freeing_the_client_while_it_logs_in_drops_what_waits(void **state) {
    struct session_world *world = *state;
    world->hold_login = true;
    session_world_start(world);
    submit(world, BERTH_HARBOR_SET_SECRET, 8);
    client_run_while(&world->world.fixture, holds_no_login, world);
    world->world.fixture.client = berth_harbor_client_free(world->world.fixture.client);
    assert_int_equal(world->world.fixture.answers_count, 0);
}

int main(void) {
#define SESSION_TEST(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, session_world_set_up, session_world_tear_down)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(test_many_calls_share_one_login_and_carry_no_password),
        SESSION_TEST(test_the_login_is_a_form),
        SESSION_TEST(test_a_forgotten_session_is_made_anew_and_nobody_notices),
        SESSION_TEST(test_a_session_that_lost_its_user_is_made_anew),
        SESSION_TEST(test_an_empty_answer_without_proof_is_asked_again),
        SESSION_TEST(test_an_empty_answer_with_proof_counts),
        SESSION_TEST(test_an_empty_answer_whose_proof_fails_is_unknown),
        SESSION_TEST(test_replies_that_wait_for_proof_share_it),
        SESSION_TEST(test_a_refused_login_answers_everybody_at_once),
        SESSION_TEST(test_a_registry_that_is_away_is_no_bad_password),
        SESSION_TEST(test_csrf_failures_that_stay_lead_to_basic_two_at_once),
        SESSION_TEST(test_a_403_is_the_answer_after_one_new_login),
        SESSION_TEST(test_read_only_mode_takes_no_new_login),
        SESSION_TEST(test_a_write_of_unknown_outcome_is_never_repeated),
        SESSION_TEST(test_a_repeat_that_comes_too_late_is_not_sent),
        SESSION_TEST(test_a_robot_is_not_enabled_by_what_a_stranger_was_told),
        SESSION_TEST(test_freeing_the_client_while_it_logs_in_drops_what_waits),
    };
    return cmocka_run_group_tests_name("harbor_client_session", tests, NULL, NULL);
}
