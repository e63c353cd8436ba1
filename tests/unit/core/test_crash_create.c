/* SPDX-License-Identifier: Apache-2.0 */
/* A crash after a create request: whose project is it that is found there? (design 4.5) */
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
    return world;
}

/* The worker is killed right after it has sent the create request, which never arrives. */
static const struct world_record *crash_with_a_lost_request(struct world *world) {
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_LOST});
    world_run(world, 100);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 1);
    world_crash(world, 0);
    return record;
}

static void restart(struct world *world) {
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
}

/* Wherever it died: without an account of our own nothing can be proved, and nothing is taken. */
static void test_without_a_dedicated_account_a_crash_never_makes_a_space_ours(void **state) {
    (void)state;
    int created = 0;
    int unproved = 0;
    for (uint64_t effect = 1; effect <= 8; effect++) {
        struct world *world = served();
        world->registries[0].dedicated = false;
        world->effects = 0;
        world->stop_at_effect = effect;
        world->stop_delay_ms = 7; /* A request was carried out by then, unanswered. */
        const struct world_record *record =
            world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
        world_run_idle(world);
        if (world->workers[0].engine == NULL) {
            restart(world);
        }
        created += strcmp(record->answer.code, "space.created") == 0;
        unproved += strcmp(record->answer.code, "space.create_unproved") == 0;
        world_finish(world);
    }
    assert_int_equal(created + unproved, 8);
    /* After taking it in, claiming it and sending the request: each time the latter was out. */
    assert_int_equal(unproved, 3);
}

/* While it was dead somebody made a space of that name. Ours never arrived. */
static void test_a_strangers_space_made_meanwhile_is_not_ours(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = crash_with_a_lost_request(world);
    (void)world_project_made(world, "team-a");
    restart(world);
    assert_string_equal(record->answer.code, "space.create_unproved");
    assert_false(record->answer.changed);
    assert_int_equal(world_traced(world, "harbor #1 PUT"), 0);
    world_finish(world);
}

/*
 * Another command has made it meanwhile, through another worker, under the same account: the owner
 * is ours, but the creator is recorded, and it is not this command.
 */
static void test_a_space_that_another_command_made_meanwhile_is_not_ours(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *first = crash_with_a_lost_request(world);
    world_start(world, 1);
    world_assign(world, 1, 1);
    const struct world_record *second = world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-a", "");
    world_run_idle(world);
    assert_string_equal(second->answer.code, "space.created");

    restart(world);
    assert_string_equal(first->answer.code, "space.already_exists");
    assert_int_equal(first->answer.kind, BERTH_REJECTED);
    assert_false(first->answer.changed);
    world_finish(world);
}

/* Its own space, made and then deleted by hand while it was dead: it is made again. */
static void test_an_own_space_that_went_meanwhile_is_made_again(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_STORE,
                                          .count = 1,
                                          .fault = WORLD_LOSE_CALL});
    world_run(world, 100);
    world_crash(world, 0);
    world_project_unmade(world, "team-a");
    restart(world);
    assert_string_equal(record->answer.code, "space.created");
    assert_non_null(world_project(world, "team-a"));
    world_finish(world);
}

/* A claim that asked nothing of Harbor counts all the same: nobody can know that it didn't. */
static void test_after_a_crash_a_conflict_is_no_proof_that_it_existed(void **state) {
    (void)state;
    struct world *world = served();
    world->effects = 0;
    world->stop_at_effect = 2; /* Taken in, claimed. */
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_project_made(world, "team-a");
    world_run_idle(world);
    restart(world);
    assert_string_equal(record->answer.code, "space.create_unproved");
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_dedicated_account_a_crash_never_makes_a_space_ours),
        cmocka_unit_test(test_a_strangers_space_made_meanwhile_is_not_ours),
        cmocka_unit_test(test_a_space_that_another_command_made_meanwhile_is_not_ours),
        cmocka_unit_test(test_an_own_space_that_went_meanwhile_is_made_again),
        cmocka_unit_test(test_after_a_crash_a_conflict_is_no_proof_that_it_existed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
