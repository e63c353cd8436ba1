/* SPDX-License-Identifier: Apache-2.0 */
/* Between what a write of robots reads and what it inserts (paragraphs 2.7 and 6.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "model_fixture.h"

static const struct berth_model_access PULL = {
    .resource = "repository", .action = "pull", .effect = ""};
static const struct berth_model_permission ON_TEAM_A = {
    .kind = "project", .namespace = "team-a", .access = &PULL, .access_count = 1};
static const struct berth_model_robot_request REQUEST = {
    .name = "ws-1",
    .level = "project",
    .description = "",
    .duration_days = -1,
    .has_duration = true,
    .permissions = &ON_TEAM_A,
    .permission_count = 1,
};

static void read_team_a(struct fixture *fixture, struct berth_model_reading *reading) {
    struct berth_model_verdict verdict =
        berth_model_read_for_robot(fixture->model, &fixture->berth, &REQUEST, reading);
    assert_int_equal(verdict.status, 200);
}

static const struct berth_model_robot *insert(struct fixture *fixture,
                                              const struct berth_model_reading *reading,
                                              const char *secret, int expected_status) {
    const struct berth_model_robot *robot = NULL;
    struct berth_model_verdict verdict = berth_model_insert_robot(
        fixture->model, &fixture->berth, &REQUEST, reading, secret, NOW_MS, &robot);
    assert_int_equal(verdict.status, expected_status);
    return robot;
}

static size_t robots_of(struct fixture *fixture, const struct berth_model_caller *caller,
                        const char *q, int expected_status) {
    struct berth_model_query query;
    struct berth_model_query_page page = {0};
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, q, NULL), BERTH_OK);
    assert_int_equal(berth_model_list_robots(fixture->model, caller, &query, &page).status,
                     expected_status);
    size_t count = page.count;
    berth_model_query_page_deinit(&page);
    return count;
}

/* The orphan: its project went between the two halves of its create. */
static void test_a_robot_can_outlive_the_project_that_it_was_made_for(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_reading reading;
    int64_t project = create_project(fixture, &fixture->berth, "team-a", 201);
    assert_int_equal(project, 2);
    read_team_a(fixture, &reading);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    const struct berth_model_robot *robot = insert(fixture, &reading, "Secret123", 201);
    assert_string_equal(robot->name, "team-a+ws-1");
    assert_false(berth_model_permission_visible(fixture->model, &robot->permissions[0]));
    /* Only a system administrator finds it, and deletes it. */
    assert_int_equal(robots_of(fixture, &fixture->berth, "Level=project,ProjectID=2", 200), 1);
    robots_of(fixture, &fixture->carol, "Level=project,ProjectID=2", 403);
    int64_t id = robot->id;
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->carol, id).status, 403);
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->berth, id).status, 200);
    assert_int_equal(robots_of(fixture, &fixture->berth, "Level=project,ProjectID=2", 200), 0);
}

/* And then the name is used again: two robots, one login name, and the older one is asked. */
static void test_an_orphan_takes_the_logins_of_its_successor(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_reading reading;
    create_project(fixture, &fixture->berth, "team-a", 201);
    read_team_a(fixture, &reading);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    create_project(fixture, &fixture->berth, "team-a", 201);
    const struct berth_model_robot *orphan = insert(fixture, &reading, "OldSecret1", 201);
    int64_t orphan_id = orphan->id;
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "NewSecret1", 201);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "NewSecret1").kind, BERTH_MODEL_ANONYMOUS);
    struct berth_model_caller caller = login(fixture, "robot$team-a+ws-1", "OldSecret1");
    assert_int_equal(caller.kind, BERTH_MODEL_ROBOT);
    /* The orphan may do nothing in the project that only has the same name. */
    assert_false(berth_model_may(&caller,
                                 berth_model_find_project(fixture->model, by_name("team-a")),
                                 "repository", "pull"));
    assert_int_equal(berth_model_delete_robot(fixture->model, &fixture->berth, orphan_id).status,
                     200);
    caller = login(fixture, "robot$team-a+ws-1", "NewSecret1");
    assert_int_equal(caller.kind, BERTH_MODEL_ROBOT);
    assert_int_equal(caller.robot->id, id);
}

/* The younger of the two may go first as well. */
static void test_namesakes_are_deleted_in_any_order(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_reading reading;
    create_project(fixture, &fixture->berth, "team-a", 201);
    read_team_a(fixture, &reading);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    create_project(fixture, &fixture->berth, "team-a", 201);
    (void)insert(fixture, &reading, "OldSecret1", 201);
    (void)insert(fixture, &reading, "OldSecret1", 409);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "NewSecret1", 201);
    create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "NewSecret1", 409);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "OldSecret1").kind, BERTH_MODEL_ROBOT);
}

/* Nothing came between: as if it had been one call. */
static void test_the_two_halves_of_a_create_are_the_create(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_reading reading;
    create_project(fixture, &fixture->berth, "team-a", 201);
    read_team_a(fixture, &reading);
    const struct berth_model_robot *robot = insert(fixture, &reading, "Secret123", 201);
    assert_true(berth_model_permission_visible(fixture->model, &robot->permissions[0]));
    (void)insert(fixture, &reading, "Secret123", 409);
    delete_project(fixture, &fixture->berth, "team-a", 200);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "Secret123").kind, BERTH_MODEL_ANONYMOUS);
}

/* PUT writes the secret back that it has read, PATCH the state: each can undo the other's. */
static void test_updates_write_back_what_they_have_read(void **state) {
    struct fixture *fixture = *state;
    struct berth_model_reading reading;
    create_project(fixture, &fixture->berth, "team-a", 201);
    int64_t id = create_pull_robot(fixture, &fixture->berth, "team-a", "ws-1", "OldSecret1", 201);
    assert_int_equal(berth_model_read_robot(fixture->model, &fixture->berth, id, &reading).status,
                     200);
    assert_int_equal(berth_model_set_robot_secret(fixture->model, &fixture->berth, id, "NewSecret1",
                                                  true, NOW_MS)
                         .status,
                     200);
    struct berth_model_robot_request put = REQUEST;
    put.name = "robot$team-a+ws-1";
    put.disable = true;
    assert_int_equal(
        berth_model_update_robot(fixture->model, &fixture->berth, id, &put, NOW_MS).status, 200);
    berth_model_restore_robot_secret(fixture->model, id, &reading);
    berth_model_restore_robot_state(fixture->model, id, &reading);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "NewSecret1").kind, BERTH_MODEL_ANONYMOUS);
    assert_int_equal(login(fixture, "robot$team-a+ws-1", "OldSecret1").kind, BERTH_MODEL_ROBOT);
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_MODEL(test_a_robot_can_outlive_the_project_that_it_was_made_for),
        WITH_MODEL(test_an_orphan_takes_the_logins_of_its_successor),
        WITH_MODEL(test_namesakes_are_deleted_in_any_order),
        WITH_MODEL(test_the_two_halves_of_a_create_are_the_create),
        WITH_MODEL(test_updates_write_back_what_they_have_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
