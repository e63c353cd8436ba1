/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's rules about robot accounts; numbers in comments are paragraphs of the contract notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"

#define DAY_MS INT64_C(86400000)

static const struct berth_model_access PULL = {
    .resource = "repository", .action = "pull", .effect = ""};

/* A body that Harbor takes for a project robot of team-a; tests bend one field of it. */
static struct berth_model_robot_request legal_request(void) {
    static const struct berth_model_permission permission = {
        .kind = "project", .namespace = "team-a", .access = &PULL, .access_count = 1};
    return (struct berth_model_robot_request){
        .name = "ws-1",
        .level = "project",
        .description = "",
        .duration_days = -1,
        .has_duration = true,
        .permissions = &permission,
        .permission_count = 1,
    };
}

static int create_status(struct fixture *fixture, const struct berth_model_caller *caller,
                         const struct berth_model_robot_request *request) {
    const struct berth_model_robot *robot = NULL;
    return berth_model_create_robot(fixture->model, caller, request, "Secret123", NOW_MS, &robot)
        .status;
}

static int update_status(struct fixture *fixture, int64_t id,
                         const struct berth_model_robot_request *request) {
    return berth_model_update_robot(fixture->model, &fixture->berth, id, request, NOW_MS).status;
}

static const struct berth_model_robot *get_robot(struct fixture *fixture, int64_t id) {
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict =
        berth_model_get_robot(fixture->model, &fixture->berth, id, &robot);
    assert_int_equal(verdict.status, 200);
    return robot;
}

static bool may_pull(struct fixture *fixture, const struct berth_model_caller *caller,
                     const char *project) {
    return berth_model_may(caller, berth_model_find_project(fixture->model, by_name(project)),
                           "repository", "pull");
}

/* The status of a list, and how many robots it has. */
static int list_robots(struct fixture *fixture, const struct berth_model_caller *caller,
                       const char *q, int64_t *ret_total) {
    struct berth_model_query query;
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, q, NULL), BERTH_OK);
    struct berth_model_query_page page = {0};
    struct berth_model_verdict verdict =
        berth_model_list_robots(fixture->model, caller, &query, &page);
    *ret_total = page.total;
    berth_model_query_page_deinit(&page);
    return verdict.status;
}

/* A system robot that holds one permission of one access. */
static struct berth_model_caller system_robot(struct fixture *fixture, const char *name,
                                              const char *kind, const char *namespace,
                                              const char *resource, const char *action) {
    const struct berth_model_access access = {.resource = resource, .action = action, .effect = ""};
    const struct berth_model_permission permission = {
        .kind = kind, .namespace = namespace, .access = &access, .access_count = 1};
    struct berth_model_robot_request request = legal_request();
    request.name = name;
    request.level = "system";
    request.permissions = &permission;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
    char full_name[64];
    (void)snprintf(full_name, sizeof(full_name), "robot$%s", name);
    struct berth_model_caller caller = login(fixture, full_name, "Secret123");
    assert_int_equal(caller.kind, BERTH_MODEL_ROBOT);
    return caller;
}

static int setup(void **state) {
    (void)fixture_setup(state);
    create_project(*state, &((struct fixture *)*state)->berth, "team-a", 201);
    return 0;
}

/* 2.3, 7.1: stored as project+name, shown with the prefix, and good for a login that pulls. */
static void test_a_bound_robot_logs_in_with_its_full_name_and_pulls(void **state) {
    struct fixture *fixture = *state;
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    const struct berth_model_robot *robot = get_robot(fixture, id);
    assert_string_equal(robot->name, "team-a+ws-1");
    assert_string_equal(robot->creator_type, "local");
    assert_int_equal(robot->creator_id, 3);
    struct berth_model_caller caller = login(fixture, "robot$team-a+ws-1", "Secret123");
    assert_int_equal(caller.kind, BERTH_MODEL_ROBOT);
    assert_true(may_pull(fixture, &caller, "team-a"));
    assert_false(berth_model_may(&caller,
                                 berth_model_find_project(fixture->model, by_name("team-a")),
                                 "repository", "push"));
}

/* 5.1: wrong credentials are nobody's, not an error. */
static void test_wrong_credentials_are_anonymous(void **state) {
    struct fixture *fixture = *state;
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret124").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(login(fixture, "team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(login(fixture, "berth", "Secret124").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(login(fixture, "berth", "Secret123").kind, BERTH_MODEL_USER);
}

/* 7.1: a robot pulls from its own project and from public ones. */
static void test_a_robot_pulls_only_from_its_own_and_public_projects(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-b", 201);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    struct berth_model_caller caller = login(fixture, "robot$team-a+ws-1", "Secret123");
    assert_false(may_pull(fixture, &caller, "team-b"));
    assert_true(may_pull(fixture, &caller, "library"));
}

/* 2.2: push implies pull, for robots of a project. */
static void test_the_right_to_push_is_one_to_pull_for_project_robots(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_access push = {
        .resource = "repository", .action = "push", .effect = "allow"};
    const struct berth_model_permission permission = {
        .kind = "project", .namespace = "team-a", .access = &push, .access_count = 1};
    struct berth_model_robot_request request = legal_request();
    request.permissions = &permission;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
    struct berth_model_caller caller = login(fixture, "robot$team-a+ws-1", "Secret123");
    assert_true(may_pull(fixture, &caller, "team-a"));
}

/* 2.5: the same name in the same project; elsewhere it is another robot. */
static void test_a_second_robot_of_the_same_name_is_a_conflict(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-b", 201);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    const struct berth_model_robot_request request = legal_request();
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict = berth_model_create_robot(
        fixture->model, &fixture->berth, &request, "Secret123", NOW_MS, &robot);
    assert_int_equal(verdict.status, 409);
    assert_string_equal(verdict.message, "robot account 2:team-a+ws-1 already exists");
    create_pull_robot(fixture, &fixture->berth, "team-b", "ws-1", "Secret123", 201);
}

/* 2.2: every 400 of a create, one fault each. */
static void test_faulty_bodies_are_400(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_access unknown = {
        .resource = "repository", .action = "fly", .effect = ""};
    const struct berth_model_permission permissions[] = {
        {.kind = "project", .namespace = "team-a", .access = &PULL, .access_count = 0},
        {.kind = "project", .namespace = "team-a", .access = &unknown, .access_count = 1},
        {.kind = "galaxy", .namespace = "team-a", .access = &PULL, .access_count = 1},
    };
    for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++) {
        struct berth_model_robot_request request = legal_request();
        request.permissions = &permissions[i];
        assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    }
    const struct berth_model_permission two[] = {legal_request().permissions[0],
                                                 legal_request().permissions[0]};
    struct berth_model_robot_request request = legal_request();
    request.permissions = two;
    request.permission_count = 2;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    request.permission_count = 0;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    request = legal_request();
    request.name = "ws+1";
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    request = legal_request();
    request.level = "galaxy";
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    request = legal_request();
    request.duration_days = 0;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    request.duration_days = INT32_MAX;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 400);
    assert_int_equal(berth_model_find_project(fixture->model, by_name("team-a"))->robot_count, 0);
}

/* 2.2: what is too long for its column is 500, without a word why. */
static void test_what_does_not_fit_its_column_is_500(void **state) {
    struct fixture *fixture = *state;
    char text[1026];
    memset(text, 'a', sizeof(text));
    text[1025] = '\0';
    struct berth_model_robot_request request = legal_request();
    request.description = text;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 500);
    text[1024] = '\0';
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
    /* "team-a+" and the name: 255 fit, 256 don't. */
    request.description = "";
    text[249] = '\0';
    request.name = text;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 500);
    text[248] = '\0';
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
}

/* 2.5, 2.8: who may create, and what a missing project is for whom. */
static void test_robots_are_made_by_administrators_and_owners(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->carol, "carols", 201);
    create_pull_robot(fixture, &fixture->carol, "carols", "ws-1", "Secret123", 201);
    create_pull_robot(fixture, &fixture->carol, "team-a", "ws-1", "Secret123", 403);
    create_pull_robot(fixture, &fixture->anonymous, "team-a", "ws-1", "Secret123", 401);
    create_pull_robot(fixture, &fixture->berth, "nope", "ws-1", "Secret123", 404);
    create_pull_robot(fixture, &fixture->carol, "nope", "ws-1", "Secret123", 403);
}

/* 2.2: a namespace is a name, never an id. */
static void test_a_namespace_of_digits_is_a_name(void **state) {
    struct fixture *fixture = *state;
    create_pull_robot(fixture, &fixture->berth, "2", "ws-1", "Secret123", 404);
    create_project(fixture, &fixture->berth, "2", 201);
    int64_t id = create_pull_robot(fixture, &fixture->berth, "2", "ws-1", "Secret123", 201);
    assert_int_equal(get_robot(fixture, id)->project_id, project_id(fixture, "2"));
}

/* 2.4: a chosen secret must be legal and replaces the old one; the same again changes nothing. */
static void test_a_chosen_secret_replaces_the_old_one(void **state) {
    struct fixture *fixture = *state;
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    static const char *const ILLEGAL[] = {"Short1a", "alllower1", "ALLUPPER1", "NoDigitsHere"};
    for (size_t i = 0; i < sizeof(ILLEGAL) / sizeof(ILLEGAL[0]); i++) {
        assert_int_equal(berth_model_set_robot_secret(fixture->model, &fixture->berth, id,
                                                      ILLEGAL[i], true, NOW_MS)
                             .status,
                         400);
    }
    char longest[130];
    memset(longest, 'a', sizeof(longest));
    longest[0] = 'A';
    longest[1] = '1';
    longest[129] = '\0';
    assert_int_equal(
        berth_model_set_robot_secret(fixture->model, &fixture->berth, id, longest, true, NOW_MS)
            .status,
        400);
    longest[128] = '\0';
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            berth_model_set_robot_secret(fixture->model, &fixture->berth, id, longest, true, NOW_MS)
                .status,
            200);
    }
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", longest).kind, BERTH_MODEL_ROBOT);
}

/* 2.7: name with prefix, everything overwritten: what is left out is emptied or enabled. */
static void test_an_update_wants_the_full_name_and_overwrites_the_rest(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_robot_request request = legal_request();
    request.description = "ws=1";
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    assert_int_equal(update_status(fixture, id, &request), 400);
    request.name = "robot$team-a+ws-1";
    request.disable = true;
    request.has_duration = false;
    assert_int_equal(update_status(fixture, id, &request), 200);
    assert_true(get_robot(fixture, id)->disabled);
    assert_string_equal(get_robot(fixture, id)->description, "ws=1");
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
    request.disable = false;
    request.description = "";
    assert_int_equal(update_status(fixture, id, &request), 200);
    assert_false(get_robot(fixture, id)->disabled);
    assert_string_equal(get_robot(fixture, id)->description, "");
    /* The secret is none of its fields. */
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ROBOT);
}

/* 2.7: a robot stays in its project and at its level. */
static void test_an_update_moves_no_robot(void **state) {
    struct fixture *fixture = *state;
    create_project(fixture, &fixture->berth, "team-b", 201);
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    const struct berth_model_permission elsewhere = {
        .kind = "project", .namespace = "team-b", .access = &PULL, .access_count = 1};
    struct berth_model_robot_request request = legal_request();
    request.name = "robot$team-a+ws-1";
    request.permissions = &elsewhere;
    assert_int_equal(update_status(fixture, id, &request), 400);
    request = legal_request();
    request.name = "robot$team-a+ws-1";
    request.level = "system";
    assert_int_equal(update_status(fixture, id, &request), 400);
}

/* 2.3: -1 is for ever, else the days count from the creation. */
static void test_a_robot_expires_after_its_days(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_robot_request request = legal_request();
    request.duration_days = 2;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
    assert_int_equal(berth_model_authenticate(fixture->model, "robot$team-a+ws-1", "Secret123",
                                              NOW_MS + 2 * DAY_MS - 1000)
                         .kind,
                     BERTH_MODEL_ROBOT);
    assert_int_equal(berth_model_authenticate(fixture->model, "robot$team-a+ws-1", "Secret123",
                                              NOW_MS + 2 * DAY_MS)
                         .kind,
                     BERTH_MODEL_ANONYMOUS);
}

/* 2.9, 5.1: gone is 404 for whoever is logged in, before any right is asked for. */
static void test_a_deleted_robot_is_404_and_cannot_log_in(void **state) {
    struct fixture *fixture = *state;
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->carol, id).status, 403);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->anonymous, id).status, 401);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->berth, id).status, 200);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->berth, id).status, 404);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->carol, id).status, 404);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
}

/* 1.7: robots vanish with their project, in the same transaction. */
static void test_robots_vanish_with_their_project(void **state) {
    struct fixture *fixture = *state;
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->berth, id).status, 404);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
    /* Its name is free for a new project's robot, with a new id. */
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_true(create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret456", 201) >
                id);
}

/* 2.6: which robots a list is about, and who may ask. */
static void test_lists_are_of_one_project_or_of_the_system(void **state) {
    struct fixture *fixture = *state;
    int64_t total = 0;
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-2", "Secret123", 201);
    (void)system_robot(fixture, "sys", "project", "*", "repository", "pull");
    assert_int_equal(list_robots(fixture, &fixture->berth, "", &total), 200);
    assert_int_equal(total, 1);
    assert_int_equal(list_robots(fixture, &fixture->berth, "Level=system", &total), 200);
    assert_int_equal(total, 1);
    assert_int_equal(list_robots(fixture, &fixture->berth, "Level=project,ProjectID=2", &total),
                     200);
    assert_int_equal(total, 2);
    assert_int_equal(list_robots(fixture, &fixture->carol, "Level=project,ProjectID=2", &total),
                     403);
    assert_int_equal(list_robots(fixture, &fixture->anonymous, "", &total), 401);
}

/* 2.6: the keys are case-sensitive and the id a positive integer. */
static void test_a_list_of_a_project_wants_its_id(void **state) {
    struct fixture *fixture = *state;
    int64_t total = 0;
    static const char *const BAD[] = {"Level=project", "Level=galaxy", "Level=project,ProjectID=0",
                                      "Level=project,ProjectID=x", "Level=~project"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_int_equal(list_robots(fixture, &fixture->berth, BAD[i], &total), 400);
    }
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    assert_int_equal(list_robots(fixture, &fixture->berth, "level=project,ProjectID=2", &total),
                     200);
    assert_int_equal(total, 0);
}

/* 2.6: needed to look for orphans: the id of a deleted project is still a legal question. */
static void test_the_robots_of_a_deleted_project_can_be_listed(void **state) {
    struct fixture *fixture = *state;
    int64_t total = 0;
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_int_equal(list_robots(fixture, &fixture->berth, "Level=project,ProjectID=2", &total),
                     200);
    assert_int_equal(total, 0);
}

/* 2.8: a robot may hold create and delete for robots, never update. */
static void test_a_robot_can_make_robots_but_not_change_them(void **state) {
    struct fixture *fixture = *state;
    const struct berth_model_access accesses[] = {
        {.resource = "robot", .action = "create", .effect = ""},
        {.resource = "robot", .action = "delete", .effect = ""},
        {.resource = "repository", .action = "pull", .effect = ""},
    };
    const struct berth_model_permission permission = {
        .kind = "project", .namespace = "*", .access = accesses, .access_count = 3};
    struct berth_model_robot_request request = legal_request();
    request.name = "maker";
    request.level = "system";
    request.permissions = &permission;
    assert_int_equal(create_status(fixture, &fixture->berth, &request), 201);
    struct berth_model_caller maker = login(fixture, "robot$maker", "Secret123");
    int64_t id = create_pull_robot(fixture, &maker, "team-a", "ws-1", "Secret123", 201);
    assert_string_equal(get_robot(fixture, id)->creator_type, "robot");
    assert_int_equal(
        berth_model_set_robot_secret(fixture->model, &maker, id, "Secret456", true, NOW_MS).status,
        403);
    assert_int_equal(berth_model_delete_robot(fixture->model, &maker, id).status, 200);
}

/* 2.8: nobody hands out what he does not hold. */
static void test_a_robot_cannot_hand_out_more_than_it_holds(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_caller maker =
        system_robot(fixture, "maker", "project", "*", "robot", "create");
    const struct berth_model_robot_request request = legal_request();
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict =
        berth_model_create_robot(fixture->model, &maker, &request, "Secret123", NOW_MS, &robot);
    assert_int_equal(verdict.status, 403);
    assert_string_equal(verdict.code, "DENIED");
}

/* 1.3, 5.1: any system robot may create projects; they are the first administrator's. */
static void test_a_system_robot_creates_projects_for_admin(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_caller robot =
        system_robot(fixture, "sys", "project", "*", "repository", "pull");
    create_project(fixture, &robot, "by-robot", 201);
    assert_int_equal(berth_model_find_project(fixture->model, by_name("by-robot"))->owner_id, 1);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "Secret123", 201);
    struct berth_model_caller project_robot = login(fixture, "robot$team-a+ws-1", "Secret123");
    create_project(fixture, &project_robot, "by-project-robot", 403);
}

/* 1.8: even a robot that covers all projects can't tell a missing one from a forbidden one. */
static void test_a_missing_project_is_403_for_a_system_robot(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_caller robot =
        system_robot(fixture, "sys", "project", "*", "project", "delete");
    delete_project(fixture, &robot, "nope", 403);
    delete_project(fixture, &robot, "team-a", 200);
}

/* 1.7: a system robot keeps its permission on a deleted project, but Harbor hides it, and the next
 * project of that name is none of its business. */
static void test_a_permission_on_a_deleted_project_is_hidden_and_void(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_caller robot =
        system_robot(fixture, "sys", "project", "team-a", "repository", "pull");
    assert_true(may_pull(fixture, &robot, "team-a"));
    assert_true(berth_model_permission_visible(fixture->model, &robot.robot->permissions[0]));
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_false(berth_model_permission_visible(fixture->model, &robot.robot->permissions[0]));
    create_project(fixture, &fixture->berth, "team-a", 201);
    assert_false(may_pull(fixture, &robot, "team-a"));
}

#define WITH_PROJECT(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PROJECT(test_a_bound_robot_logs_in_with_its_full_name_and_pulls),
        WITH_PROJECT(test_wrong_credentials_are_anonymous),
        WITH_PROJECT(test_a_robot_pulls_only_from_its_own_and_public_projects),
        WITH_PROJECT(test_the_right_to_push_is_one_to_pull_for_project_robots),
        WITH_PROJECT(test_a_second_robot_of_the_same_name_is_a_conflict),
        WITH_PROJECT(test_faulty_bodies_are_400),
        WITH_PROJECT(test_what_does_not_fit_its_column_is_500),
        WITH_PROJECT(test_robots_are_made_by_administrators_and_owners),
        WITH_PROJECT(test_a_namespace_of_digits_is_a_name),
        WITH_PROJECT(test_a_chosen_secret_replaces_the_old_one),
        WITH_PROJECT(test_an_update_wants_the_full_name_and_overwrites_the_rest),
        WITH_PROJECT(test_an_update_moves_no_robot),
        WITH_PROJECT(test_a_robot_expires_after_its_days),
        WITH_PROJECT(test_a_deleted_robot_is_404_and_cannot_log_in),
        WITH_PROJECT(test_robots_vanish_with_their_project),
        WITH_PROJECT(test_lists_are_of_one_project_or_of_the_system),
        WITH_PROJECT(test_a_list_of_a_project_wants_its_id),
        WITH_PROJECT(test_the_robots_of_a_deleted_project_can_be_listed),
        WITH_PROJECT(test_a_robot_can_make_robots_but_not_change_them),
        WITH_PROJECT(test_a_robot_cannot_hand_out_more_than_it_holds),
        WITH_PROJECT(test_a_system_robot_creates_projects_for_admin),
        WITH_PROJECT(test_a_missing_project_is_403_for_a_system_robot),
        WITH_PROJECT(test_a_permission_on_a_deleted_project_is_hidden_and_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
