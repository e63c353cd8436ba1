/* SPDX-License-Identifier: Apache-2.0 */
/* A key in Redis that is one command's own and holds something else: that command ends, in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

#define ATTEMPTS 4

static struct world *served(void) {
    struct world *world = world_new(1);
    world->config.retry_attempts = ATTEMPTS;
    world_serve(world, 1);
    return world;
}

static void ledger(struct world *world, int kind, int count) {
    world_rule(world,
               (struct world_rule){
                   .channel = WORLD_LEDGER, .kind = kind, .count = count, .fault = WORLD_BAD_KEY});
}

static void assert_ended(const struct world_record *record) {
    assert_int_equal(record->answers, 1);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_string_equal(record->answer.code, "ledger.key_unusable");
    assert_non_null(strstr(record->answer.message, "berth:v1:space:main/team-a"));
    assert_true(record->answer.dead_letter);
}

/* It burns the budget meanwhile, each time with a line that names key and command. */
static void test_a_command_that_can_not_be_claimed_ends_failed(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, ATTEMPTS);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_ended(record);
    assert_int_equal(world_traced(world, "notice command.key_refused #1"), ATTEMPTS);
    assert_int_equal(world_traced(world, "notice command.key_refused #1 burned=1 "
                                         "key=\"berth:v1:space:main/team-a\" reason=\"WRONGTYPE\""),
                     1);
    assert_int_equal(world_traced(world, "harbor #1"), 0);
    assert_non_null(strstr(record->answer.message, "Nothing was changed"));
    world_finish(world);
}

/* Whoever repairs it in time loses nothing. */
static void test_a_key_that_is_repaired_in_time_costs_attempts_only(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, ATTEMPTS - 1);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* Other spaces, and the commands behind it, aren't held up. */
static void test_the_next_command_of_the_space_goes_on(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, ATTEMPTS);
    const struct world_record *first = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *next = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    world_run_idle(world);
    assert_ended(first);
    assert_string_equal(next->answer.code, "space.created");
    world_finish(world);
}

/* Before its first write to Harbor. */
static void test_a_command_that_can_not_remember_what_it_met_ends_failed(void **state) {
    (void)state;
    struct world *world = served();
    world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    world_ledger_space(world, "team-a")->state.verified_at_ms = 0;
    ledger(world, BERTH_LEDGER_REMEMBER, ATTEMPTS);
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run_idle(world);
    assert_ended(record);
    assert_int_equal(world_traced(world, "harbor #2 POST /robots"), 0);
    world_finish(world);
}

/* Harbor has it, the ledger can't: the audit record says so, nothing is said of the space, and the
 * next command reads it first. */
static void test_what_was_done_and_can_not_be_stored_is_told(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, ATTEMPTS);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *next =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run_idle(world);
    assert_ended(record);
    assert_true(record->answer.audit);
    assert_false(record->answer.publish_state);
    assert_string_equal(record->answer.after, "unknown");
    assert_non_null(strstr(record->answer.message, "What was done in Harbor"));
    assert_string_equal(next->answer.code, "workspace.bound");
    assert_true(world_traced(world, "harbor #2 GET /projects/{name}") >= 1);
    world_finish(world);
}

/* How long the oldest command waits says whether one that is sent now would be answered. */
static void test_the_age_of_the_oldest_command_is_known(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, 2);
    world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 60);
    struct berth_engine_figures figures;
    berth_engine_figures(world->workers[0].engine, &figures);
    assert_true(figures.oldest_ms > 0);
    assert_true(figures.oldest_ms <= 60);
    world_run_idle(world);
    berth_engine_figures(world->workers[0].engine, &figures);
    assert_int_equal(figures.oldest_ms, 0);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_that_can_not_be_claimed_ends_failed),
        cmocka_unit_test(test_a_key_that_is_repaired_in_time_costs_attempts_only),
        cmocka_unit_test(test_the_next_command_of_the_space_goes_on),
        cmocka_unit_test(test_a_command_that_can_not_remember_what_it_met_ends_failed),
        cmocka_unit_test(test_what_was_done_and_can_not_be_stored_is_told),
        cmocka_unit_test(test_the_age_of_the_oldest_command_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
