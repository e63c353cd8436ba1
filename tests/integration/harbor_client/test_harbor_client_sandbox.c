/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Harbor client and the codec against the stand-in, which follows Harbor's API: each call's
 * path, body and answer as a whole. Its address and account are in the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_fixture.h"

#define QUOTA_BYTES 1073741824

static char password[256];

static const char *from_environment(const char *name) {
    const char *value = getenv(name);
    assert_non_null(value);
    return value;
}

static int set_up(void **state) {
    struct client_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    FILE *file = fopen(from_environment("BERTH_TEST_HARBOR_PASSWORD_FILE"), "re");
    assert_non_null(file);
    assert_non_null(fgets(password, sizeof password, file));
    (void)fclose(file);

    client_fixture_init(fixture, from_environment("BERTH_TEST_HARBOR_ALPHA"));
    for (size_t i = 0; i < REGISTRIES_MAX; i++) {
        fixture->registries[i].username = from_environment("BERTH_TEST_HARBOR_USER");
        fixture->registries[i].password = password;
        fixture->registries[i].basic_login = false;
    }
    fixture->registries[1].url = from_environment("BERTH_TEST_HARBOR_BETA");
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    client_fixture_deinit(*state);
    free(*state);
    return 0;
}

static struct berth_harbor_call call_about(enum berth_harbor_call_kind kind, const char *space) {
    struct berth_harbor_call call = client_call(kind);
    call.quota_bytes = BERTH_QUOTA_UNSET;
    (void)snprintf(call.space, sizeof call.space, "%s", space);
    return call;
}

static const struct berth_harbor_answer *ask(struct client_fixture *fixture,
                                             struct berth_harbor_call *call,
                                             enum berth_harbor_call_kind kind,
                                             enum berth_harbor_verdict expected) {
    call->kind = kind;
    const struct berth_harbor_answer *answer = client_ask(fixture, call);
    if (answer->verdict != expected) {
        print_error("%s: %s (HTTP %d, %s)\n", berth_harbor_call_name(kind),
                    berth_harbor_verdict_name(answer->verdict), answer->http_status, answer->error);
    }
    assert_int_equal(answer->verdict, expected);
    return answer;
}

/* Also for a name that looks like an id. */
static void live_and_die(struct client_fixture *fixture, const char *space) {
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, space);
    (void)ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_NAME, BERTH_HARBOR_ABSENT);
    int64_t project_id =
        ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_DONE)->project_id;
    (void)ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_CONFLICT);

    const struct berth_harbor_answer *answer =
        ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_NAME, BERTH_HARBOR_DONE);
    assert_int_equal(answer->project_id, project_id);
    assert_int_equal(answer->visibility, BERTH_PRIVATE);
    assert_int_equal(answer->repositories, 0);
    assert_string_equal(answer->owner, fixture->registries[0].username);

    call.project_id = project_id;
    call.visibility = BERTH_PUBLIC;
    (void)ask(fixture, &call, BERTH_HARBOR_UPDATE_PROJECT, BERTH_HARBOR_DONE);
    answer = ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_DONE);
    assert_int_equal(answer->visibility, BERTH_PUBLIC);

    (void)ask(fixture, &call, BERTH_HARBOR_DELETE_PROJECT, BERTH_HARBOR_DONE);
    (void)ask(fixture, &call, BERTH_HARBOR_DELETE_PROJECT, BERTH_HARBOR_ABSENT);
    (void)ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_ABSENT);
    (void)ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_NAME, BERTH_HARBOR_ABSENT);
    (void)ask(fixture, &call, BERTH_HARBOR_CREATE_ROBOT, BERTH_HARBOR_ABSENT);
}

static void test_a_project_lives_and_dies(void **state) {
    client_start(*state, 1);
    live_and_die(*state, "client-project");
}

static void test_a_project_lives_and_dies_with_a_password_each_time(void **state) {
    struct client_fixture *fixture = *state;
    fixture->registries[0].basic_login = true;
    client_start(fixture, 1);
    live_and_die(fixture, "client-basic");
}

/* As berthd does when it stops; whoever goes on logs in again. */
static void test_a_session_ends_with_the_log_out(void **state) {
    struct client_fixture *fixture = *state;
    client_start(fixture, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_PROBE, "");
    (void)ask(fixture, &call, BERTH_HARBOR_PROBE, BERTH_HARBOR_DONE);
    berth_harbor_client_log_out(fixture->client);
    (void)ask(fixture, &call, BERTH_HARBOR_PROBE, BERTH_HARBOR_DONE);
}

static void test_a_project_called_123_lives_and_dies(void **state) {
    client_start(*state, 1);
    live_and_die(*state, "123");
}

static void test_a_quota_is_set_and_read_back(void **state) {
    struct client_fixture *fixture = *state;
    client_start(fixture, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, "client-quota");
    call.quota_bytes = QUOTA_BYTES;
    call.project_id =
        ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_DONE)->project_id;
    const struct berth_harbor_answer *answer =
        ask(fixture, &call, BERTH_HARBOR_GET_QUOTA, BERTH_HARBOR_DONE);
    assert_int_equal(answer->quota_bytes, QUOTA_BYTES);
    call.quota_id = answer->quota_id;
    call.quota_bytes = BERTH_QUOTA_UNLIMITED;
    (void)ask(fixture, &call, BERTH_HARBOR_SET_QUOTA, BERTH_HARBOR_DONE);
    answer = ask(fixture, &call, BERTH_HARBOR_GET_QUOTA, BERTH_HARBOR_DONE);
    assert_int_equal(answer->quota_bytes, BERTH_QUOTA_UNLIMITED);
}

static void test_a_robot_is_made_found_enabled_and_removed(void **state) {
    struct client_fixture *fixture = *state;
    client_start(fixture, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, "client-robot");
    call.project_id =
        ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_DONE)->project_id;
    const struct berth_harbor_answer *answer =
        ask(fixture, &call, BERTH_HARBOR_LIST_ROBOTS, BERTH_HARBOR_DONE);
    assert_int_equal(answer->robots_count, 0);
    assert_int_equal(answer->robots_total, 0);

    call.robot_id = ask(fixture, &call, BERTH_HARBOR_CREATE_ROBOT, BERTH_HARBOR_DONE)->robot_id;
    (void)ask(fixture, &call, BERTH_HARBOR_CREATE_ROBOT, BERTH_HARBOR_CONFLICT);
    (void)ask(fixture, &call, BERTH_HARBOR_SET_SECRET, BERTH_HARBOR_DONE);
    (void)ask(fixture, &call, BERTH_HARBOR_MEND_ROBOT, BERTH_HARBOR_DONE);

    answer = ask(fixture, &call, BERTH_HARBOR_LIST_ROBOTS, BERTH_HARBOR_DONE);
    assert_int_equal(answer->robots_total, 1);
    assert_int_equal(answer->robots_count, 1);
    assert_int_equal(answer->robots[0].id, call.robot_id);
    assert_true(answer->robots[0].ours);
    assert_false(answer->robots[0].disabled);
    assert_string_equal(answer->robots[0].name, "ws-ws-alpha");
    assert_string_equal(answer->robots[0].workspace, "ws-alpha");

    (void)ask(fixture, &call, BERTH_HARBOR_DELETE_ROBOT, BERTH_HARBOR_DONE);
    (void)ask(fixture, &call, BERTH_HARBOR_DELETE_ROBOT, BERTH_HARBOR_ABSENT);
    (void)ask(fixture, &call, BERTH_HARBOR_SET_SECRET, BERTH_HARBOR_ABSENT);
    (void)ask(fixture, &call, BERTH_HARBOR_MEND_ROBOT, BERTH_HARBOR_ABSENT);
}

/* Harbor takes a mail address for a login, and calls its owner by the user name all the same. */
static void test_who_logs_in_with_a_mail_address_has_a_name(void **state) {
    struct client_fixture *fixture = *state;
    const char *user = from_environment("BERTH_TEST_HARBOR_USER");
    char mail[256];
    (void)snprintf(mail, sizeof mail, "%s@example.com", user);
    fixture->registries[0].username = mail;
    client_start(fixture, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, "client-mail");
    call.project_id =
        ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_DONE)->project_id;
    assert_string_equal(ask(fixture, &call, BERTH_HARBOR_GET_ACCOUNT, BERTH_HARBOR_DONE)->owner,
                        user);
    assert_string_equal(ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_ID, BERTH_HARBOR_DONE)->owner,
                        user);
    (void)ask(fixture, &call, BERTH_HARBOR_DELETE_PROJECT, BERTH_HARBOR_DONE);
}

static void test_an_illegal_name_is_invalid(void **state) {
    client_start(*state, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, "Client Project");
    (void)ask(*state, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_INVALID);
}

/* Whoever isn't logged in sees lists as empty, or not at all: never "nothing is bound". */
static void test_a_wrong_password_is_never_an_empty_answer(void **state) {
    struct client_fixture *fixture = *state;
    fixture->registries[1].password = "wrong-Passw0rd"; /* Not where others are logged in. */
    client_start(fixture, 2);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_LIST_ROBOTS, "client-nobody");
    call.registry = 1;
    (void)ask(fixture, &call, BERTH_HARBOR_LIST_ROBOTS, BERTH_HARBOR_UNAUTHENTICATED);
    (void)ask(fixture, &call, BERTH_HARBOR_GET_QUOTA, BERTH_HARBOR_UNAUTHENTICATED);
    (void)ask(fixture, &call, BERTH_HARBOR_GET_PROJECT_NAME, BERTH_HARBOR_UNAUTHENTICATED);
    (void)ask(fixture, &call, BERTH_HARBOR_CREATE_PROJECT, BERTH_HARBOR_UNAUTHENTICATED);
}

static void test_of_many_that_create_one_project_one_wins(void **state) {
    struct client_fixture *fixture = *state;
    client_start(fixture, 1);
    struct berth_harbor_call call = call_about(BERTH_HARBOR_CREATE_PROJECT, "client-race");
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(client_submit(fixture, &call), BERTH_OK);
    }
    client_run_until(fixture, 12);
    size_t done = 0;
    for (size_t i = 0; i < 12; i++) {
        enum berth_harbor_verdict verdict = fixture->answers[i].answer.verdict;
        assert_true(verdict == BERTH_HARBOR_DONE || verdict == BERTH_HARBOR_CONFLICT);
        done += verdict == BERTH_HARBOR_DONE ? 1 : 0;
    }
    assert_int_equal(done, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_project_lives_and_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_project_lives_and_dies_with_a_password_each_time,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_session_ends_with_the_log_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_project_called_123_lives_and_dies, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_quota_is_set_and_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_robot_is_made_found_enabled_and_removed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_who_logs_in_with_a_mail_address_has_a_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_illegal_name_is_invalid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_password_is_never_an_empty_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_of_many_that_create_one_project_one_wins, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("harbor_client_sandbox", tests, NULL, NULL);
}
