/* SPDX-License-Identifier: Apache-2.0 */
/* The session with a Harbor without a network: when there is a login, and what is believed. */
#include "harbor_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)
#define START   INT64_C(1000000)

static int set_up(void **state) {
    struct berth_harbor_session *session = malloc(sizeof *session);
    assert_non_null(session);
    berth_harbor_session_init(session, 7);
    *state = session;
    return 0;
}

static int tear_down(void **state) {
    berth_harbor_session_deinit(*state);
    free(*state);
    return 0;
}

static enum berth_harbor_errand errand_of(struct berth_harbor_session *session) {
    const struct berth_harbor_keys *keys;
    return berth_harbor_session_errand(session, &keys);
}

/* A reply with these keys, "" for none. */
static struct berth_harbor_errand_reply reply(int status, const char *sid, const char *csrf,
                                              const char *token) {
    struct berth_harbor_errand_reply its_reply = {.status = status, .words = "refused"};
    (void)snprintf(its_reply.brought.sid, sizeof its_reply.brought.sid, "%s", sid);
    (void)snprintf(its_reply.brought.csrf, sizeof its_reply.brought.csrf, "%s", csrf);
    (void)snprintf(its_reply.brought.token, sizeof its_reply.brought.token, "%s", token);
    return its_reply;
}

static enum berth_harbor_errand_end take(struct berth_harbor_session *session, int64_t now_ms,
                                         struct berth_harbor_errand_reply its_reply) {
    return berth_harbor_session_take(session, now_ms, errand_of(session), &its_reply);
}

static void log_in(struct berth_harbor_session *session, int64_t now_ms) {
    assert_int_equal(take(session, now_ms, reply(200, "first", "", "")),
                     BERTH_HARBOR_ERRAND_GOES_ON);
    assert_int_equal(take(session, now_ms, reply(200, "", "cookie", "token")),
                     BERTH_HARBOR_ERRAND_GOES_ON);
    assert_int_equal(take(session, now_ms, reply(200, "second", "", "")), BERTH_HARBOR_LOGGED_IN);
}

static void begin_logged_in(struct berth_harbor_session *session) {
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_WAIT);
    log_in(session, START);
}

static struct berth_harbor_seen seen(enum berth_harbor_call_kind kind,
                                     enum berth_harbor_verdict verdict, int status) {
    return (struct berth_harbor_seen){.kind = kind,
                                      .verdict = verdict,
                                      .status = status,
                                      .written = berth_harbor_call_is_write(kind)};
}

static enum berth_harbor_belief judge(struct berth_harbor_session *session,
                                      struct berth_harbor_seen it) {
    return berth_harbor_session_judge(session, START, session->generation, &it);
}

/* harbor-contract 5.3b, 1 to 3. */
static void test_a_login_takes_three_requests_and_ends_in_a_new_sid(void **state) {
    struct berth_harbor_session *session = *state;
    const struct berth_harbor_keys *keys;
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_WAIT);

    assert_int_equal(berth_harbor_session_errand(session, &keys), BERTH_HARBOR_ERRAND_GREET);
    assert_null(keys);
    assert_int_equal(take(session, START, reply(200, "first", "", "")),
                     BERTH_HARBOR_ERRAND_GOES_ON);

    assert_int_equal(berth_harbor_session_errand(session, &keys), BERTH_HARBOR_ERRAND_TOKEN);
    assert_string_equal(keys->sid, "first");
    assert_int_equal(take(session, START, reply(200, "", "cookie", "token")),
                     BERTH_HARBOR_ERRAND_GOES_ON);

    assert_int_equal(berth_harbor_session_errand(session, &keys), BERTH_HARBOR_ERRAND_LOGIN);
    assert_string_equal(keys->csrf, "cookie");
    assert_string_equal(keys->token, "token");
    assert_int_equal(take(session, START, reply(200, "second", "", "")), BERTH_HARBOR_LOGGED_IN);

    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_SESSION);
    assert_string_equal(session->keys.sid, "second");
    assert_string_equal(session->keys.csrf, "cookie");
    assert_string_equal(session->keys.token, "token");
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);
}

/* However many ask. */
static void test_there_is_one_login_at_a_time(void **state) {
    struct berth_harbor_session *session = *state;
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_WAIT);
    (void)take(session, START, reply(200, "first", "", ""));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(berth_harbor_session_ask(session, START, true), BERTH_HARBOR_ACCESS_WAIT);
    }
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_TOKEN);
}

/* Bad credentials must look different from no connection, and nobody may wait for ever. */
static void test_a_failed_login_answers_with_its_reason_until_its_pause_is_over(void **state) {
    struct berth_harbor_session *session = *state;
    static const struct {
        int status;
        enum berth_harbor_verdict verdict;
        enum berth_harbor_trouble trouble;
    } CASES[] = {
        {0, BERTH_HARBOR_NOT_SENT, BERTH_HARBOR_TROUBLE_CONNECTION},
        {401, BERTH_HARBOR_UNAUTHENTICATED, BERTH_HARBOR_TROUBLE_CREDENTIALS},
        {429, BERTH_HARBOR_NOT_SENT, BERTH_HARBOR_TROUBLE_RATE},
        {500, BERTH_HARBOR_NOT_SENT, BERTH_HARBOR_TROUBLE_SERVER},
        {503, BERTH_HARBOR_NOT_SENT, BERTH_HARBOR_TROUBLE_RATE},
    };
    int64_t now_ms = START;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(berth_harbor_session_ask(session, now_ms, false),
                         BERTH_HARBOR_ACCESS_WAIT);
        assert_int_equal(take(session, now_ms, reply(CASES[i].status, "", "", "")),
                         BERTH_HARBOR_LOGIN_FAILED);
        assert_int_equal(berth_harbor_session_ask(session, now_ms + 1999, false),
                         BERTH_HARBOR_ACCESS_NONE);
        assert_int_equal(session->failure.verdict, CASES[i].verdict);
        assert_int_equal(session->failure.trouble, CASES[i].trouble);
        assert_true(session->failure.error[0] != 0);
        now_ms += INT64_C(2) * BERTH_HARBOR_LOGIN_PAUSE_MAX_MS;
    }
}

static void test_the_pause_grows_from_two_seconds_to_sixty_with_jitter(void **state) {
    struct berth_harbor_session *session = *state;
    int64_t now_ms = START;
    int64_t least_ms = BERTH_HARBOR_LOGIN_PAUSE_MS;
    bool jitter = false;
    for (int i = 0; i < 12; i++) {
        (void)berth_harbor_session_ask(session, now_ms, false);
        (void)take(session, now_ms, reply(0, "", "", ""));
        int64_t pause_ms = session->retry_at_ms - now_ms;
        assert_true(pause_ms >= least_ms && pause_ms <= BERTH_HARBOR_LOGIN_PAUSE_MAX_MS);
        assert_true(pause_ms <= least_ms + least_ms / 2 + 1);
        jitter = jitter || pause_ms != least_ms;
        least_ms = least_ms * 2 > 40000 ? 40000 : least_ms * 2;
        now_ms += pause_ms;
        assert_int_equal(berth_harbor_session_ask(session, now_ms - 1, false),
                         BERTH_HARBOR_ACCESS_NONE);
    }
    assert_true(jitter);
}

static void test_harbors_retry_after_is_waited_for(void **state) {
    struct berth_harbor_session *session = *state;
    (void)berth_harbor_session_ask(session, START, false);
    struct berth_harbor_errand_reply busy = reply(503, "", "", "");
    busy.retry_after_ms = 30000;
    (void)take(session, START, busy);
    assert_int_equal(berth_harbor_session_ask(session, START + 29999, false),
                     BERTH_HARBOR_ACCESS_NONE);
    assert_int_equal(berth_harbor_session_ask(session, START + 30000, false),
                     BERTH_HARBOR_ACCESS_WAIT);
}

/* A breaker's probe must not be told of a back-off instead of the registry. */
static void test_a_probe_logs_in_within_the_back_off_two_seconds_after_the_last_try(void **state) {
    struct berth_harbor_session *session = *state;
    for (int i = 0; i < 5; i++) {
        (void)berth_harbor_session_ask(session, session->retry_at_ms, false);
        (void)take(session, session->retry_at_ms, reply(0, "", "", ""));
    }
    int64_t now_ms = session->attempted_ms;
    assert_int_equal(berth_harbor_session_ask(session, now_ms + 1999, true),
                     BERTH_HARBOR_ACCESS_NONE);
    assert_int_equal(berth_harbor_session_ask(session, now_ms + 2000, false),
                     BERTH_HARBOR_ACCESS_NONE);
    assert_int_equal(berth_harbor_session_ask(session, now_ms + 2000, true),
                     BERTH_HARBOR_ACCESS_WAIT);
}

/* The CSRF cookie lives 12 hours. */
static void test_a_session_is_renewed_before_eleven_hours_and_serves_meanwhile(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    assert_int_equal(berth_harbor_session_ask(session, START + 10 * HOUR_MS - 1, false),
                     BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);
    int64_t now_ms = START + 10 * HOUR_MS + HOUR_MS / 2;
    assert_int_equal(berth_harbor_session_ask(session, now_ms, false), BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_GREET);
    (void)take(session, now_ms, reply(200, "third", "", ""));
    assert_string_equal(session->keys.sid, "second");
    (void)take(session, now_ms, reply(200, "", "cookie", "token"));
    assert_int_equal(take(session, now_ms, reply(200, "fourth", "", "")), BERTH_HARBOR_LOGGED_IN);
    assert_string_equal(session->keys.sid, "fourth");
    assert_int_equal(session->generation, 2);
}

/* Also when the renewal fails; at eleven hours it is over. */
static void test_an_old_session_serves_while_its_renewal_fails(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    int64_t now_ms = START + 10 * HOUR_MS + HOUR_MS / 2;
    (void)berth_harbor_session_ask(session, now_ms, false);
    assert_int_equal(take(session, now_ms, reply(401, "", "", "")), BERTH_HARBOR_LOGIN_FAILED);
    assert_int_equal(berth_harbor_session_ask(session, now_ms, false), BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);
    assert_int_equal(berth_harbor_session_ask(session, session->retry_at_ms, false),
                     BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_GREET);
    assert_int_equal(berth_harbor_session_ask(session, START + 11 * HOUR_MS, false),
                     BERTH_HARBOR_ACCESS_WAIT);
}

static void test_a_reload_logs_in_anew_while_the_old_session_serves(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    berth_harbor_session_renew(session, START);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_GREET);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_SESSION);
    (void)take(session, START, reply(401, "", "", ""));
    assert_int_equal(berth_harbor_session_ask(session, session->retry_at_ms, false),
                     BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_GREET); /* It tries again. */
}

/* A front end that loses cookies, or shows its own pages: what every step must bring is missing. */
static void test_where_sessions_do_not_work_basic_is_used_for_ten_minutes(void **state) {
    static const struct {
        int steps; /* Good ones before. */
        struct {
            int status;
            const char *sid;
            const char *csrf;
            const char *token;
        } bad;
    } CASES[] = {
        {0, {200, "", "", ""}},  {1, {200, "", "", ""}},        {1, {200, "", "cookie", ""}},
        {1, {200, "", "", "t"}}, {1, {200, "other", "c", "t"}}, {2, {403, "", "", ""}},
        {2, {200, "", "", ""}},  {2, {404, "", "", ""}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct berth_harbor_session session;
        berth_harbor_session_init(&session, i);
        (void)berth_harbor_session_ask(&session, START, false);
        for (int attempt = 0; attempt < 2; attempt++) {
            if (CASES[i].steps > 0) {
                (void)take(&session, START, reply(200, "first", "", ""));
            }
            if (CASES[i].steps > 1) {
                (void)take(&session, START, reply(200, "", "cookie", "token"));
            }
            assert_int_equal(take(&session, START,
                                  reply(CASES[i].bad.status, CASES[i].bad.sid, CASES[i].bad.csrf,
                                        CASES[i].bad.token)),
                             attempt == 0 ? BERTH_HARBOR_ERRAND_GOES_ON : BERTH_HARBOR_LOGIN_UNFIT);
        }
        assert_int_equal(berth_harbor_session_ask(&session, START + 599999, false),
                         BERTH_HARBOR_ACCESS_BASIC);
        assert_int_equal(errand_of(&session), BERTH_HARBOR_ERRAND_NONE);
        assert_int_equal(berth_harbor_session_ask(&session, START + 600000, false),
                         BERTH_HARBOR_ACCESS_WAIT);
        berth_harbor_session_deinit(&session);
    }
    (void)state;
}

/* harbor-contract 5.3b, 4. */
static void test_a_reply_that_sets_a_sid_was_a_strangers_and_is_repeated(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    struct berth_harbor_seen it = seen(BERTH_HARBOR_LIST_ROBOTS, BERTH_HARBOR_DONE, 200);
    it.new_sid = true;
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_WAIT);
}

/* Whatever the reply says: only one that says that nothing was done lets a write go again. */
static void test_a_strangers_write_is_repeated_only_when_it_was_refused(void **state) {
    (void)state;
    for (int verdict = 0; verdict < BERTH_HARBOR_VERDICTS; verdict++) {
        struct berth_harbor_session session;
        berth_harbor_session_init(&session, 1);
        begin_logged_in(&session);
        struct berth_harbor_seen it =
            seen(BERTH_HARBOR_CREATE_PROJECT, (enum berth_harbor_verdict)verdict, 200);
        it.new_sid = true;
        enum berth_harbor_belief expected = BERTH_HARBOR_REPEAT;
        if (verdict == BERTH_HARBOR_DONE || verdict == BERTH_HARBOR_UNKNOWN) {
            expected = BERTH_HARBOR_DOUBT;
        } else if (verdict == BERTH_HARBOR_READ_ONLY || verdict == BERTH_HARBOR_BUSY) {
            expected = BERTH_HARBOR_BELIEVE;
        }
        assert_int_equal(judge(&session, it), expected);
        assert_int_equal(session.generation, 0);
        berth_harbor_session_deinit(&session);
    }
}

/* Several Harbors behind one name that don't share their Redis. */
static void test_a_session_that_is_forgotten_at_once_ends_in_basic(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    struct berth_harbor_seen it = seen(BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_DONE, 200);
    it.new_sid = true;
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    (void)berth_harbor_session_ask(session, START, false);
    log_in(session, START);
    it.repeats = 1;
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_BASIC);
}

/* One new login, one repeat; the same again is the answer. */
static void test_a_refusal_is_the_answer_when_a_new_login_does_not_cure_it(void **state) {
    (void)state;
    static const enum berth_harbor_verdict REFUSALS[] = {BERTH_HARBOR_UNAUTHENTICATED,
                                                         BERTH_HARBOR_FORBIDDEN};
    for (size_t i = 0; i < 2; i++) {
        struct berth_harbor_session session;
        berth_harbor_session_init(&session, 1);
        begin_logged_in(&session);
        struct berth_harbor_seen it = seen(BERTH_HARBOR_UPDATE_PROJECT, REFUSALS[i], 403);
        assert_int_equal(judge(&session, it), BERTH_HARBOR_REPEAT);
        assert_int_equal(berth_harbor_session_ask(&session, START, false),
                         BERTH_HARBOR_ACCESS_WAIT);
        log_in(&session, START);
        it.repeats = 1;
        assert_int_equal(judge(&session, it), BERTH_HARBOR_BELIEVE);
        /* An account without the right isn't logged in again for each of its calls. */
        it.repeats = 0;
        assert_int_equal(judge(&session, it), BERTH_HARBOR_BELIEVE);
        assert_int_equal(berth_harbor_session_ask(&session, START, false),
                         BERTH_HARBOR_ACCESS_SESSION);
        berth_harbor_session_deinit(&session);
    }
}

static void test_read_only_mode_is_no_matter_of_the_session(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    assert_int_equal(judge(session, seen(BERTH_HARBOR_SET_QUOTA, BERTH_HARBOR_READ_ONLY, 403)),
                     BERTH_HARBOR_BELIEVE);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_SESSION);
}

/* Ten calls of one lost session make one login. */
static void test_an_older_sessions_refusal_is_repeated_without_another_login(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    struct berth_harbor_seen it = seen(BERTH_HARBOR_GET_QUOTA, BERTH_HARBOR_UNAUTHENTICATED, 401);
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    (void)berth_harbor_session_ask(session, START, false);
    log_in(session, START);
    /* Even when the new session was just refused something, too. */
    it.repeats = 1;
    assert_int_equal(judge(session, it), BERTH_HARBOR_BELIEVE);
    it.repeats = 0;
    assert_int_equal(berth_harbor_session_judge(session, START, 1, &it), BERTH_HARBOR_REPEAT);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_SESSION);
    assert_int_equal(session->generation, 2);
}

/* harbor-contract 5.3b, 5. */
static void test_a_csrf_failure_that_a_new_login_does_not_cure_ends_in_basic(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    struct berth_harbor_seen it = seen(BERTH_HARBOR_CREATE_ROBOT, BERTH_HARBOR_FORBIDDEN, 403);
    it.csrf = true;
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    (void)berth_harbor_session_ask(session, START, false);
    log_in(session, START);
    it.repeats = 1;
    assert_int_equal(judge(session, it), BERTH_HARBOR_REPEAT);
    assert_int_equal(berth_harbor_session_ask(session, START, false), BERTH_HARBOR_ACCESS_BASIC);
}

/* The table, as a whole: who finds nothing proves that it was us who looked. */
static void test_reads_that_find_nothing_are_proved_and_writes_are_not(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    for (int i = 0; i < BERTH_HARBOR_CALL_KINDS; i++) {
        enum berth_harbor_call_kind kind = (enum berth_harbor_call_kind)i;
        bool reads = !berth_harbor_call_is_write(kind) && kind != BERTH_HARBOR_PROBE &&
                     kind != BERTH_HARBOR_GET_ACCOUNT;
        bool lists = kind == BERTH_HARBOR_LIST_ROBOTS || kind == BERTH_HARBOR_GET_QUOTA;
        /* Of the robot that is looked up first. */
        bool looks_up = kind == BERTH_HARBOR_MEND_ROBOT;
        struct berth_harbor_seen it = seen(kind, BERTH_HARBOR_ABSENT, 404);
        assert_int_equal(judge(session, it),
                         reads || looks_up ? BERTH_HARBOR_PROVE : BERTH_HARBOR_BELIEVE);
        it = seen(kind, BERTH_HARBOR_DONE, 200);
        assert_int_equal(judge(session, it), BERTH_HARBOR_BELIEVE);
        it.empty = true;
        assert_int_equal(judge(session, it), lists ? BERTH_HARBOR_PROVE : BERTH_HARBOR_BELIEVE);
    }
}

static void test_a_proof_is_of_the_session_it_was_asked_of(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    assert_int_equal(judge(session, seen(BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_ABSENT, 404)),
                     BERTH_HARBOR_PROVE);
    struct berth_harbor_errand_reply it = reply(200, "", "", "");
    it.names_us = true;
    assert_int_equal(take(session, START, it), BERTH_HARBOR_PROVED);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);

    static const struct {
        int status;
        const char *sid;
        bool names_us;
        enum berth_harbor_errand_end expected;
    } CASES[] = {
        {500, "", false, BERTH_HARBOR_UNPROVED},    {0, "", false, BERTH_HARBOR_UNPROVED},
        {401, "", false, BERTH_HARBOR_DISPROVED},   {200, "", false, BERTH_HARBOR_DISPROVED},
        {200, "new", true, BERTH_HARBOR_DISPROVED},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        if (session->generation == 0) {
            (void)berth_harbor_session_ask(session, START, false);
            log_in(session, START);
        }
        (void)judge(session, seen(BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_ABSENT, 404));
        it = reply(CASES[i].status, CASES[i].sid, "", "");
        it.names_us = CASES[i].names_us;
        assert_int_equal(take(session, START, it), CASES[i].expected);
        assert_int_equal(session->generation == 0, CASES[i].expected == BERTH_HARBOR_DISPROVED);
    }
}

/* Only the session that was asked could prove it; asking again is as good. */
static void test_nothing_found_on_an_older_session_is_asked_again(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    berth_harbor_session_renew(session, START);
    log_in(session, START);
    struct berth_harbor_seen it = seen(BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_ABSENT, 404);
    assert_int_equal(berth_harbor_session_judge(session, START, 1, &it), BERTH_HARBOR_REPEAT);
    assert_int_equal(errand_of(session), BERTH_HARBOR_ERRAND_NONE);
}

static bool holds(const struct berth_harbor_session *session, const char *text) {
    return memmem(session, sizeof *session, text, strlen(text)) != NULL;
}

static void test_the_keys_are_wiped_when_they_are_done_with(void **state) {
    struct berth_harbor_session *session = *state;
    begin_logged_in(session);
    assert_false(holds(session, "first"));
    assert_true(holds(session, "second"));
    berth_harbor_session_lose(session, session->generation);
    assert_false(holds(session, "second"));
    assert_false(holds(session, "cookie"));
    assert_false(holds(session, "token"));
}

int main(void) {
#define SESSION_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SESSION_TEST(test_a_login_takes_three_requests_and_ends_in_a_new_sid),
        SESSION_TEST(test_there_is_one_login_at_a_time),
        SESSION_TEST(test_a_failed_login_answers_with_its_reason_until_its_pause_is_over),
        SESSION_TEST(test_the_pause_grows_from_two_seconds_to_sixty_with_jitter),
        SESSION_TEST(test_harbors_retry_after_is_waited_for),
        SESSION_TEST(test_a_probe_logs_in_within_the_back_off_two_seconds_after_the_last_try),
        SESSION_TEST(test_a_session_is_renewed_before_eleven_hours_and_serves_meanwhile),
        SESSION_TEST(test_an_old_session_serves_while_its_renewal_fails),
        SESSION_TEST(test_a_reload_logs_in_anew_while_the_old_session_serves),
        SESSION_TEST(test_where_sessions_do_not_work_basic_is_used_for_ten_minutes),
        SESSION_TEST(test_a_reply_that_sets_a_sid_was_a_strangers_and_is_repeated),
        SESSION_TEST(test_a_strangers_write_is_repeated_only_when_it_was_refused),
        SESSION_TEST(test_a_session_that_is_forgotten_at_once_ends_in_basic),
        SESSION_TEST(test_a_refusal_is_the_answer_when_a_new_login_does_not_cure_it),
        SESSION_TEST(test_read_only_mode_is_no_matter_of_the_session),
        SESSION_TEST(test_an_older_sessions_refusal_is_repeated_without_another_login),
        SESSION_TEST(test_a_csrf_failure_that_a_new_login_does_not_cure_ends_in_basic),
        SESSION_TEST(test_reads_that_find_nothing_are_proved_and_writes_are_not),
        SESSION_TEST(test_a_proof_is_of_the_session_it_was_asked_of),
        SESSION_TEST(test_nothing_found_on_an_older_session_is_asked_again),
        SESSION_TEST(test_the_keys_are_wiped_when_they_are_done_with),
    };
    return cmocka_run_group_tests_name("harbor_session", tests, NULL, NULL);
}
