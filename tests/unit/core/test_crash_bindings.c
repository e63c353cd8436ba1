/* SPDX-License-Identifier: Apache-2.0 */
/* A crash within deletion and binding, with the world changing meanwhile (design 4.11, "Bindings").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static struct world *served(void) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    world_trace_restart(world);
    return world;
}

/* Killed right after it has sent this; it arrives (what is under way gets its time). */
static void crash_at(struct world *world, const char *line) {
    for (int64_t i = 0; world_traced(world, line) == 0; i++) {
        WORLD_CHECK(world, i < 100000);
        world_run(world, 1);
    }
    world_run(world, 6);
    world_crash(world, 0);
    world_trace_restart(world);
}

static void restart(struct world *world) {
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
}

/* ---- Deletion ---- */

/* Its request was carried out; then somebody made a project of that name. It is not what the
 * command meant, and stays. */
static void test_a_space_made_after_the_deletion_is_not_deleted_too(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_DELETE_SPACE, 2, "team-a", "");
    crash_at(world, "harbor #2 DELETE /projects/{id}");
    assert_null(world_project(world, "team-a"));
    int64_t id = world_project_made(world, "team-a")->id;
    restart(world);
    assert_string_equal(record->answer.code, "space.replaced");
    assert_non_null(world_project(world, "team-a"));
    assert_int_equal(world_project(world, "team-a")->id, id);
    world_finish(world);
}

/* One request for the project and its robots: a crash leaves both or none. */
static void test_a_crash_never_leaves_a_space_without_its_bindings(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha beta");
    world_run_idle(world);
    struct world_record *record = world_send(world, 0, BERTH_DELETE_SPACE, 3, "team-a", "");
    record->command.unbind = true;
    while (record->answers == 0) {
        const struct world_project *project = world_project(world, "team-a");
        assert_true(project == NULL || project->robots_count == 2);
        world_run(world, 1);
    }
    assert_int_equal(world_traced(world, "harbor #3 DELETE"), 1);
    assert_string_equal(record->answer.bindings, "UNBOUND alpha, UNBOUND beta");
    world_finish(world);
}

/* ---- Bindings ---- */

/* The robot is there, nobody has its secret: it is set before the binding counts. */
static void test_a_robot_without_a_known_secret_gets_one_after_a_crash(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    crash_at(world, "harbor #2 POST /robots");
    assert_int_equal(world_project(world, "team-a")->robots_count, 1);
    restart(world);
    assert_int_equal(world_traced(world, "harbor #2 POST /robots"), 0);
    assert_int_equal(world_traced(world, "harbor #2 PATCH /robots/{id}"), 1);
    assert_string_equal(record->answer.bindings, "BOUND alpha");
    world_finish(world);
}

/* It was set, but nothing was stored: only what Redis says counts, so it is set again. */
static void test_a_secret_that_redis_does_not_know_of_is_set_again(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    crash_at(world, "harbor #2 PATCH /robots/{id}");
    restart(world);
    assert_int_equal(world_project(world, "team-a")->robots[0].secret_sets, 2);
    world_finish(world);
}

/* Somebody deleted the new robot and made one of that name for himself: his is not touched. */
static void test_a_robot_that_became_somebody_elses_meanwhile_is_left_alone(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    crash_at(world, "harbor #2 POST /robots");
    struct world_project *project = world_project(world, "team-a");
    project->robots_count = 0;
    (void)world_robot_made(world, project, "ws-alpha", "");
    restart(world);
    assert_string_equal(record->answer.code, "binding.foreign_robot");
    assert_string_equal(record->answer.bindings, "FAILED alpha");
    assert_int_equal(project->robots_count, 1);
    assert_int_equal(project->robots[0].secret_sets, 0);
    world_finish(world);
}

/* What a dead claim unbound was bound when the command came: it is told as unbound by it. */
static void test_what_was_unbound_before_the_crash_is_told_as_unbound(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha beta");
    world_run_idle(world);
    const struct world_record *record =
        world_send(world, 0, BERTH_UNBIND_WORKSPACE, 3, "team-a", "alpha gamma");
    crash_at(world, "harbor #3 DELETE /robots/{id}");
    restart(world);
    assert_string_equal(record->answer.bindings, "UNBOUND alpha, UNCHANGED gamma");
    assert_string_equal(record->answer.before, "private alpha beta");
    assert_true(record->answer.changed);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_space_made_after_the_deletion_is_not_deleted_too),
        cmocka_unit_test(test_a_crash_never_leaves_a_space_without_its_bindings),
        cmocka_unit_test(test_a_robot_without_a_known_secret_gets_one_after_a_crash),
        cmocka_unit_test(test_a_secret_that_redis_does_not_know_of_is_set_again),
        cmocka_unit_test(test_a_robot_that_became_somebody_elses_meanwhile_is_left_alone),
        cmocka_unit_test(test_what_was_unbound_before_the_crash_is_told_as_unbound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
