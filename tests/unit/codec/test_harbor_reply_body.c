/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_reply_fixture.h"

static void test_a_created_project_needs_its_id_in_location(void **state) {
    (void)state;
    struct berth_harbor_reply reply = any_reply(201, "");
    struct berth_harbor_answer answer = answer_to(BERTH_HARBOR_CREATE_PROJECT, reply);
    assert_int_equal(answer.project_id, 77);
    reply.location = "https://harbor.example/proxy/api/v2.0/projects/78";
    assert_int_equal(answer_to(BERTH_HARBOR_CREATE_PROJECT, reply).project_id, 78);

    static const char *const BAD[] = {
        NULL,
        "",
        "/api/v2.0/projects/",
        "/api/v2.0/projects/team-a",
        "/api/v2.0/projects/7x",
        "/api/v2.0/projects/-7",
        "/api/v2.0/projects/0",
        "/api/v2.0/projects/99999999999999999999",
        "/api/v2.0/robots/7",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        reply.location = BAD[i];
        answer = answer_to(BERTH_HARBOR_CREATE_PROJECT, reply);
        assert_int_equal(answer.verdict, BERTH_HARBOR_UNKNOWN);
        assert_int_equal(answer.project_id, 0);
    }
}

static void test_a_project_is_read_as_harbor_tells_it(void **state) {
    (void)state;
    struct berth_harbor_answer answer =
        answer_to(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, PROJECT));
    assert_int_equal(answer.project_id, 12);
    assert_int_equal(answer.repositories, 3);
    assert_int_equal(answer.visibility, BERTH_PUBLIC);
    assert_string_equal(answer.owner, "svc");
}

/* PUT stores any text; what Harbor grants access by is Go's idea of true (contract 1.6). */
static void test_visibility_is_what_harbor_grants_by(void **state) {
    (void)state;
    static const struct {
        const char *body;
        enum berth_visibility expected;
    } CASES[] = {
        {PROJECT_PREFIX ",\"metadata\":{\"public\":\"false\"}}", BERTH_PRIVATE},
        {PROJECT_PREFIX ",\"metadata\":{\"public\":\"True\"}}", BERTH_PUBLIC},
        {PROJECT_PREFIX ",\"metadata\":{\"public\":\"1\"}}", BERTH_PUBLIC},
        {PROJECT_PREFIX ",\"metadata\":{\"public\":\"yes\"}}", BERTH_PRIVATE},
        {PROJECT_PREFIX ",\"metadata\":{}}", BERTH_PRIVATE},
        {PROJECT_PREFIX "}", BERTH_PRIVATE},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct berth_harbor_answer answer =
            answer_to(BERTH_HARBOR_GET_PROJECT_ID, any_reply(200, CASES[i].body));
        assert_int_equal(answer.verdict, BERTH_HARBOR_DONE);
        assert_int_equal(answer.visibility, CASES[i].expected);
    }
}

/* Addressed by name or by id, the answer must be about that one. */
static void test_another_project_than_the_one_asked_for_is_not_believed(void **state) {
    (void)state;
    static const char OTHER_NAME[] = "{\"project_id\":12,\"name\":\"team-b\",\"repo_count\":0}";
    static const char OTHER_ID[] = "{\"project_id\":13,\"name\":\"team-a\",\"repo_count\":0}";
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, OTHER_NAME), BERTH_HARBOR_UNKNOWN);
    assert_verdict(BERTH_HARBOR_GET_PROJECT_NAME, any_reply(200, OTHER_ID), BERTH_HARBOR_DONE);
    assert_verdict(BERTH_HARBOR_GET_PROJECT_ID, any_reply(200, OTHER_ID), BERTH_HARBOR_UNKNOWN);
    assert_verdict(BERTH_HARBOR_GET_PROJECT_ID, any_reply(200, OTHER_NAME), BERTH_HARBOR_DONE);
}

static void test_a_body_of_another_shape_is_not_believed(void **state) {
    (void)state;
    static const struct {
        enum berth_harbor_call_kind kind;
        const char *body;
    } CASES[] = {
        {BERTH_HARBOR_GET_PROJECT_NAME, ""},
        {BERTH_HARBOR_GET_PROJECT_NAME, "[]"},
        {BERTH_HARBOR_GET_PROJECT_NAME, "{}"},
        {BERTH_HARBOR_GET_PROJECT_NAME, PROJECT "x"},
        {BERTH_HARBOR_GET_PROJECT_NAME, "{\"project_id\":12,\"name\":\"team-a\"}"},
        {BERTH_HARBOR_GET_PROJECT_NAME,
         "{\"project_id\":\"12\",\"name\":\"team-a\",\"repo_count\":1}"},
        {BERTH_HARBOR_GET_PROJECT_NAME, "{\"project_id\":0,\"name\":\"team-a\",\"repo_count\":1}"},
        {BERTH_HARBOR_GET_PROJECT_NAME,
         "{\"project_id\":12,\"project_id\":13,\"name\":\"team-a\",\"repo_count\":1}"},
        {BERTH_HARBOR_GET_QUOTA, "null"},
        {BERTH_HARBOR_GET_QUOTA, "[1,2]"},
        {BERTH_HARBOR_GET_QUOTA, "[{\"id\":5,\"ref\":{\"id\":12}}]"},
        {BERTH_HARBOR_GET_QUOTA, "[{\"id\":5,\"ref\":{\"id\":13},\"hard\":{\"storage\":1}}]"},
        {BERTH_HARBOR_LIST_ROBOTS, "{}"},
        {BERTH_HARBOR_LIST_ROBOTS, "null"}, /* With a count of 1. */
        {BERTH_HARBOR_LIST_ROBOTS, "[{\"id\":1,\"name\":\"robot$x\",\"level\":\"system\"}]"},
        {BERTH_HARBOR_LIST_ROBOTS, "[{\"name\":\"robot$x+y\",\"level\":\"project\"}]"},
        {BERTH_HARBOR_LIST_ROBOTS, "[" ROBOT(1, "a+b", "") "," ROBOT(2, "a+c", "") "]"},
        {BERTH_HARBOR_LIST_ROBOTS, "[" ROBOT(3, "robot$team-b+ws-w1", "berth=prod;ws=w1") "]"},
        {BERTH_HARBOR_SET_SECRET, ""},
        {BERTH_HARBOR_SET_SECRET, "{\"secret\":\"Harbor'sOwn1\"}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_verdict(CASES[i].kind, any_reply(200, CASES[i].body), BERTH_HARBOR_UNKNOWN);
    }
    static const char *const NO_NEW_ROBOT[] = {
        "",
        "{}",
        "{\"id\":34}",
        "{\"id\":34,\"name\":\"robot$team-a+ws-w2\"}",
        "{\"id\":34,\"name\":\"robot$team-b+ws-w1\"}",
        "{\"id\":-1,\"name\":\"robot$team-a+ws-w1\"}",
    };
    for (size_t i = 0; i < sizeof NO_NEW_ROBOT / sizeof NO_NEW_ROBOT[0]; i++) {
        assert_verdict(BERTH_HARBOR_CREATE_ROBOT, any_reply(201, NO_NEW_ROBOT[i]),
                       BERTH_HARBOR_UNKNOWN);
    }
}

static void test_a_quota_is_read_and_may_be_missing(void **state) {
    (void)state;
    struct berth_harbor_answer answer =
        answer_to(BERTH_HARBOR_GET_QUOTA,
                  any_reply(200, "[{\"id\":5,\"ref\":{\"id\":12},\"hard\":{\"storage\":-1}}]"));
    assert_int_equal(answer.quota_id, 5);
    assert_int_equal(answer.quota_bytes, BERTH_QUOTA_UNLIMITED);
    answer = answer_to(BERTH_HARBOR_GET_QUOTA, any_reply(200, "[]"));
    assert_int_equal(answer.verdict, BERTH_HARBOR_DONE);
    assert_int_equal(answer.quota_id, 0);
    assert_int_equal(answer.quota_bytes, BERTH_QUOTA_UNSET);
}

static void test_a_created_robot_tells_its_id(void **state) {
    (void)state;
    struct berth_harbor_answer answer =
        answer_to(BERTH_HARBOR_CREATE_ROBOT,
                  any_reply(201, "{\"id\":34,\"name\":\"robot$team-a+ws-w1\",\"secret\":\"x\"}"));
    assert_int_equal(answer.robot_id, 34);
}

/* Only the whole marker of this very deployment, with the name that fits, makes a robot ours. */
static void test_a_robot_is_ours_by_marker_and_name(void **state) {
    (void)state;
    static const char BODY[] =
        "[" ROBOT(1, "robot$team-a+ws-w1", "berth=prod;ws=w1") "," ROBOT(2, "my+prefix:team-a+ws-w2", "berth=prod;ws=w2") "," ROBOT(
            3, "robot$team-a+ws-w3",
            "berth=test;ws=w3") "," ROBOT(4, "robot$team-a+ws-w4",
                                          "berth=prod;ws=w5") "," ROBOT(5, "robot$team-a+ws-w6",
                                                                        "made by hand") "," ROBOT(6,
                                                                                                  "robo"
                                                                                                  "t$"
                                                                                                  "team"
                                                                                                  "-a+"
                                                                                                  "ws-"
                                                                                                  "w7",
                                                                                                  "bert"
                                                                                                  "h="
                                                                                                  "prod"
                                                                                                  ";ws="
                                                                                                  "w7 "
                                                                                                  "(min"
                                                                                                  "e)") "," ROBOT(7,
                                                                                                                  "robot$team-a+ws-w8",
                                                                                                                  "berth=prod;ws=") ","
                                                                                                                                    "{\"id\":8,\"name\":\"robot$legacy\",\"level\":\"project\",\"disable\":true}]";
    struct berth_harbor_reply reply = any_reply(200, BODY);
    reply.total_count = 108;
    struct berth_harbor_decoded decoded = decode_as(BERTH_HARBOR_LIST_ROBOTS, false, reply);
    assert_int_equal(decoded.answer.verdict, BERTH_HARBOR_DONE);
    assert_int_equal(decoded.answer.robots_count, 8);
    assert_int_equal(decoded.answer.robots_total, 108);
    for (size_t i = 0; i < 8; i++) {
        const struct berth_harbor_robot *robot = &decoded.answer.robots[i];
        assert_int_equal(robot->id, i + 1);
        assert_int_equal(robot->ours, i < 2);
        assert_int_equal(robot->disabled, i == 7);
    }
    assert_string_equal(decoded.answer.robots[0].workspace, "w1");
    assert_string_equal(decoded.answer.robots[1].workspace, "w2");
    assert_string_equal(decoded.answer.robots[1].name, "ws-w2");
    assert_string_equal(decoded.answer.robots[2].workspace, "");
    assert_string_equal(decoded.answer.robots[7].name, "robot$legacy");
    berth_harbor_decoded_deinit(&decoded);
    berth_harbor_decoded_deinit(&decoded);
}

/* Two installations may have been given one deployment name; their master keys differ. */
static void test_a_marker_tells_installations_apart_by_their_key(void **state) {
    (void)state;
    static const struct {
        const char *marker;
        bool ours;
        bool kin;
        bool outdated;
    } CASES[] = {
        {"berth=prod;key=0a1b2c3d;ws=w1", true, false, false},
        {"berth=prod;ws=w1", true, false, true}, /* As it was written once. */
        {"berth=prod;key=01d01d01;ws=w1", false, true, true},
        {"berth=prod;key=;ws=w1", false, true, true},
        {"berth=test;key=0a1b2c3d;ws=w1", false, false, false},
        {"berth=prod;key=0a1b2c3d;ws=w2", false, false, false},
        {"berth=prod;key=0a1b2c3d", false, false, false},
        {"berth=prod;key", false, false, false},
        {"berth=prod", false, false, false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char body[512];
        (void)snprintf(body, sizeof body, "[" MARKED(1, "ws-w1", "%s", "\"x\":0") "]",
                       CASES[i].marker);
        struct berth_harbor_decoded decoded =
            decode_as(BERTH_HARBOR_LIST_ROBOTS, false, any_reply(200, body));
        const struct berth_harbor_robot *robot = &decoded.answer.robots[0];
        assert_int_equal(robot->ours, CASES[i].ours);
        assert_int_equal(robot->kin, CASES[i].kin);
        assert_int_equal(robot->outdated, CASES[i].outdated);
        assert_string_equal(robot->workspace, CASES[i].ours || CASES[i].kin ? "w1" : "");
        berth_harbor_decoded_deinit(&decoded);
    }
}

/* Who has no master key can't tell, and only looks. */
static void test_a_reader_without_a_key_takes_any(void **state) {
    (void)state;
    const struct berth_robot_marker marker = {.deployment = "prod", .key_id = ""};
    struct berth_harbor_call call = any_call(BERTH_HARBOR_LIST_ROBOTS);
    struct berth_harbor_reply reply =
        any_reply(200, "[" MARKED(1, "ws-w1", "berth=prod;key=01d01d01;ws=w1", "\"x\":0") "]");
    struct berth_harbor_decoded decoded;
    berth_harbor_reply_decode(&call, &marker, false, &reply, &decoded);
    assert_true(decoded.answer.robots[0].ours);
    berth_harbor_decoded_deinit(&decoded);
}

/* A binding is one right, to pull from its project, for ever: whatever else somebody made of its
 * robot by hand is seen. */
static void test_what_a_robot_may_do_is_read_with_it(void **state) {
    (void)state;
#define MORE(permissions) "\"permissions\":[" permissions "]"
#define OTHER(kind, space, access)                                                                 \
    "{\"kind\":\"" kind "\",\"namespace\":\"" space "\",\"access\":[" access "]}"
#define PULL "{\"resource\":\"repository\",\"action\":\"pull\"}"
    static const struct {
        const char *more;
        bool altered;
    } CASES[] = {
        {MORE(RIGHT("pull")), false},
        {MORE(RIGHT("pull")) ",\"expires_at\":-1", false},
        {MORE(RIGHT("pull")) ",\"expires_at\":1924992000", true},
        {MORE(RIGHT("pull")) ",\"expires_at\":0", true},
        {MORE(RIGHT("push")), true},
        {MORE(RIGHT("pull") "," RIGHT("pull")), true},
        {MORE(""), true},
        {"\"x\":0", true},
        {MORE(
             OTHER("project", "team-a", PULL ",{\"resource\":\"repository\",\"action\":\"push\"}")),
         true},
        {MORE(OTHER("project", "team-b", PULL)), true},
        {MORE(OTHER("system", "team-a", PULL)), true},
        {MORE(OTHER("project", "team-a", "{\"resource\":\"artifact\",\"action\":\"pull\"}")), true},
        {MORE(OTHER("project", "team-a",
                    "{\"resource\":\"repository\",\"action\":\"pull\",\"effect\":\"allow\"}")),
         false},
        {MORE(OTHER("project", "team-a",
                    "{\"resource\":\"repository\",\"action\":\"pull\",\"effect\":\"deny\"}")),
         true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char body[512];
        (void)snprintf(body, sizeof body, "[" MARKED(1, "ws-w1", "berth=prod;ws=w1", "%s") "]",
                       CASES[i].more);
        struct berth_harbor_decoded decoded =
            decode_as(BERTH_HARBOR_LIST_ROBOTS, false, any_reply(200, body));
        assert_int_equal(decoded.answer.verdict, BERTH_HARBOR_DONE);
        assert_int_equal(decoded.answer.robots[0].altered, CASES[i].altered);
        berth_harbor_decoded_deinit(&decoded);
    }
}

/* Who logs in with a mail address owns his projects under his user name. */
static void test_an_account_has_the_name_that_harbor_gives_it(void **state) {
    (void)state;
    struct berth_harbor_answer answer =
        answer_to(BERTH_HARBOR_GET_ACCOUNT,
                  any_reply(200, "{\"user_id\":3,\"username\":\"svc\",\"email\":\"svc@corp\"}"));
    assert_string_equal(answer.owner, "svc");
    /* The first user is everybody's. */
    answer = answer_to(BERTH_HARBOR_GET_ACCOUNT,
                       any_reply(200, "{\"user_id\":1,\"username\":\"admin\"}"));
    assert_int_equal(answer.verdict, BERTH_HARBOR_DONE);
    assert_string_equal(answer.owner, "");
    assert_verdict(BERTH_HARBOR_GET_ACCOUNT, any_reply(200, "{\"user_id\":3}"),
                   BERTH_HARBOR_UNKNOWN);
    assert_verdict(BERTH_HARBOR_GET_ACCOUNT, any_reply(200, "{\"username\":\"svc\"}"),
                   BERTH_HARBOR_UNKNOWN);
    /* A robot account is no user. */
    assert_verdict(BERTH_HARBOR_GET_ACCOUNT, any_reply(412, ERROR("PRECONDITION")),
                   BERTH_HARBOR_UNKNOWN);
}

/* 200 from GET /robots proves that we were logged in; the count proves that it is a list. */
static void test_an_empty_list_of_robots_counts_with_its_total(void **state) {
    (void)state;
    struct berth_harbor_reply reply = any_reply(200, "[]");
    reply.total_count = 0;
    assert_verdict(BERTH_HARBOR_LIST_ROBOTS, reply, BERTH_HARBOR_DONE);
    reply.total_count = -1;
    assert_verdict(BERTH_HARBOR_LIST_ROBOTS, reply, BERTH_HARBOR_UNKNOWN);
    reply = any_reply(200, "null");
    reply.total_count = 0;
    assert_verdict(BERTH_HARBOR_LIST_ROBOTS, reply, BERTH_HARBOR_DONE);
}

/* Somebody else's names may be longer than any of ours; they are cut, between characters. */
static void test_a_long_foreign_name_is_cut(void **state) {
    (void)state;
    char body[512];
    (void)snprintf(body, sizeof body,
                   "[{\"id\":1,\"name\":\"robot$team-a+%s\xc3\xa9%s\",\"level\":\"project\"}]",
                   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "ccc");
    struct berth_harbor_decoded decoded =
        decode_as(BERTH_HARBOR_LIST_ROBOTS, false, any_reply(200, body));
    assert_int_equal(decoded.answer.verdict, BERTH_HARBOR_DONE);
    assert_string_equal(decoded.answer.robots[0].name,
                        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    berth_harbor_decoded_deinit(&decoded);
}

static enum berth_harbor_verdict look_up(struct berth_harbor_reply reply, char *ret_login_name) {
    struct berth_harbor_call call = any_call(BERTH_HARBOR_MEND_ROBOT);
    struct berth_harbor_answer answer;
    berth_harbor_lookup_decode(&call, &fixture_marker, false, &reply, &answer, ret_login_name);
    assert_true(answer.verdict == BERTH_HARBOR_DONE || answer.error[0] != 0);
    return answer.verdict;
}

/* PUT overwrites a robot as a whole, so it goes only to one that is still ours. */
static void test_a_lookup_finds_the_login_name_of_our_robot(void **state) {
    (void)state;
    char login_name[BERTH_HARBOR_LOGIN_BYTES] = "";
    static const char OURS[] = ROBOT(34, "corp:team-a+ws-w1", "berth=prod;ws=w1");
    assert_int_equal(look_up(any_reply(200, OURS), login_name), BERTH_HARBOR_DONE);
    assert_string_equal(login_name, "corp:team-a+ws-w1");

    static const char TAKEN[] = ROBOT(34, "robot$team-a+ws-w1", "taken over by hand");
    assert_int_equal(look_up(any_reply(200, TAKEN), login_name), BERTH_HARBOR_ABSENT);
    assert_int_equal(look_up(any_reply(404, ERROR("NOT_FOUND")), login_name), BERTH_HARBOR_ABSENT);
}

/* A read that fails leaves no doubt about the write that was to follow. */
static void test_a_lookup_that_fails_means_that_nothing_was_sent(void **state) {
    (void)state;
    char login_name[BERTH_HARBOR_LOGIN_BYTES];
    static const char OTHER_ID[] = ROBOT(35, "robot$team-a+ws-w1", "berth=prod;ws=w1");
    assert_int_equal(look_up(any_reply(200, OTHER_ID), login_name), BERTH_HARBOR_NOT_SENT);
    assert_int_equal(look_up(any_reply(500, ERROR("UNKNOWN")), login_name), BERTH_HARBOR_NOT_SENT);
    assert_int_equal(look_up(any_reply(401, ERROR("UNAUTHORIZED")), login_name),
                     BERTH_HARBOR_UNAUTHENTICATED);
    assert_int_equal(look_up(any_reply(429, ""), login_name), BERTH_HARBOR_BUSY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_created_project_needs_its_id_in_location),
        cmocka_unit_test(test_a_project_is_read_as_harbor_tells_it),
        cmocka_unit_test(test_visibility_is_what_harbor_grants_by),
        cmocka_unit_test(test_another_project_than_the_one_asked_for_is_not_believed),
        cmocka_unit_test(test_a_body_of_another_shape_is_not_believed),
        cmocka_unit_test(test_a_quota_is_read_and_may_be_missing),
        cmocka_unit_test(test_a_created_robot_tells_its_id),
        cmocka_unit_test(test_a_robot_is_ours_by_marker_and_name),
        cmocka_unit_test(test_a_marker_tells_installations_apart_by_their_key),
        cmocka_unit_test(test_a_reader_without_a_key_takes_any),
        cmocka_unit_test(test_what_a_robot_may_do_is_read_with_it),
        cmocka_unit_test(test_an_account_has_the_name_that_harbor_gives_it),
        cmocka_unit_test(test_an_empty_list_of_robots_counts_with_its_total),
        cmocka_unit_test(test_a_long_foreign_name_is_cut),
        cmocka_unit_test(test_a_lookup_finds_the_login_name_of_our_robot),
        cmocka_unit_test(test_a_lookup_that_fails_means_that_nothing_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
