/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is: lanes, and the bounds that hold records back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

#define SLOW(ms)                                                                                   \
    (struct world_rule) {                                                                          \
        .channel = WORLD_HARBOR, .kind = WORLD_ANY, .count = 1, .fault = WORLD_SLOW,               \
        .delay_ms = (ms)                                                                           \
    }

static void send_creates(struct world *world, int partition, int first, int count) {
    for (int i = 0; i < count; i++) {
        char space[24];
        (void)snprintf(space, sizeof(space), "space-%d", first + i);
        (void)world_send(world, partition, BERTH_CREATE_SPACE, first + i, space, "");
    }
}

/* At most one command of a space can ever be found half done (design 4.1). */
static void test_commands_of_one_space_go_one_after_the_other(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 700});
    world_run(world, 600);
    /* The first is done and stored, but not settled: the second has not begun. */
    assert_int_equal(world_traced(world, "store #1"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    world_run(world, 200);
    assert_int_equal(world_traced(world, "claim #2"), 1);
    world_finish(world);
}

static void test_different_spaces_go_side_by_side(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    send_creates(world, 0, 1, 5);
    world_run(world, 3);
    assert_int_equal(world->harbor_calls, 5);
    assert_int_equal(world_figures(world, 0).worked_on, 5);
    world_finish(world);
}

/* Registries may share a topic; a space of one has nothing to do with its namesake in another. */
static void test_a_namesake_in_another_registry_is_another_lane(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[1].command_topic = world->registries[0].command_topic;
    world_serve(world, 1);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-a", "");
    (void)snprintf(record->command.registry, sizeof(record->command.registry), "other");
    (void)snprintf(record->key, sizeof(record->key), "other/team-a");
    world_redigest(record);
    world_run(world, 3);
    assert_int_equal(world_figures(world, 0).worked_on, 2);
    world_finish(world);
}

/* Neither in its partition nor in another: offsets settle in any order (design 5). */
static void test_a_slow_command_holds_back_no_other_space(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 2);
    world_rule(world, SLOW(3000));
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "slow", "");
    world_run(world, 3);
    const struct world_record *behind = world_send(world, 0, BERTH_CREATE_SPACE, 2, "behind", "");
    const struct world_record *beside = world_send(world, 1, BERTH_CREATE_SPACE, 3, "beside", "");
    world_run(world, 2000);

    assert_int_equal(world_traced(world, "store #2"), 1);
    assert_int_equal(behind->answers, 1);
    assert_int_equal(beside->answers, 1);
    assert_int_equal(world->partitions[0].committed, 0);
    world_run(world, 1200);
    assert_int_equal(world->partitions[0].committed, 2);
    world_finish(world);
}

/* ---- Bounds ---- */

static void test_no_more_lanes_of_a_registry_work_than_it_allows(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 2;
    world_serve(world, 1);
    send_creates(world, 0, 1, 5);
    world_run(world, 3);
    assert_int_equal(world->harbor_calls, 2);

    /* Another registry is not held up by that. */
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 9, "elsewhere", "");
    (void)snprintf(record->command.registry, sizeof(record->command.registry), "other");
    (void)snprintf(record->key, sizeof(record->key), "other/elsewhere");
    world_run(world, 3);
    assert_int_equal(world->harbor_calls, 3);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 6);
    world_free(world); /* world_finish() looks for "elsewhere" in "main". */
}

/* Else the lanes of one dead worker would keep every other space of the registry waiting for it. */
static void test_a_held_lane_leaves_its_place_to_others(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 1;
    world_serve(world, 2);
    (void)world_project_made(world, "team-a");
    world_hold(world, "team-a", "elsewhere", "gone");
    struct world_record *held = world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run(world, 100);
    struct world_record *other = world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 1000);
    assert_int_equal(held->answers, 0);
    assert_int_equal(other->answers, 1);
    world_finish(world);
}

static void test_a_window_that_is_full_stops_its_partition(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.window_max = 3;
    world_serve(world, 2);
    for (int i = 0; i < 6; i++) {
        world_rule(world, SLOW(2000));
    }
    send_creates(world, 0, 1, 6);
    world_run(world, 1000);
    assert_int_equal(world_figures(world, 0).taken_in, 3);
    for (int i = 0; i < 6; i++) {
        world->rules[i].count = 0;
    }
    send_creates(world, 1, 7, 2);
    world_run(world, 100);
    assert_int_equal(world->partitions[1].committed, 2);
    world_finish(world);
}

static void test_no_more_commands_are_taken_in_than_allowed(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.commands_max = 4;
    world_serve(world, 2);
    for (int i = 0; i < 4; i++) {
        world_rule(world, SLOW(1500));
    }
    send_creates(world, 0, 1, 6);
    send_creates(world, 1, 7, 6);
    world_run(world, 1000);
    assert_int_equal(world_figures(world, 0).taken_in, 4);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 6);
    world_finish(world);
}

/* The least pool there may be still does everything, if slowly. */
static void test_the_least_pool_is_enough(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->pool_bytes = berth_engine_pool_bytes_min(&world->config);
    world_serve(world, 1);
    send_creates(world, 0, 1, 12);
    world_run(world, 3);
    assert_int_equal(world->harbor_calls, 1); /* Its memory is enough for one command at work. */
    world_finish(world);
}

/* As large as a command may be. */
static void send_large(struct world *world, int number) {
    static struct berth_workspace many[BERTH_COMMAND_WORKSPACES_MAX];
    for (int i = 0; i < BERTH_COMMAND_WORKSPACES_MAX; i++) {
        (void)snprintf(many[i].id, sizeof(many[i].id), "w%04d", i);
        (void)snprintf(many[i].robot_name, sizeof(many[i].robot_name), "ws-w%04d", i);
    }
    struct world_record *record = world_send(world, 0, BERTH_BIND_WORKSPACE, number, "team-a", "");
    record->command.workspaces = many;
    record->command.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX;
}

/*
 * Records of one space can fill the pool while the one at work has given its room back and waits to
 * be settled. If they took what the next one needs for working, nothing would ever move again.
 */
static void test_waiting_records_leave_memory_to_work(void **state) {
    (void)state;
    /* Where exactly the pool is full when depends on its size: some of these hit the gap. */
    for (size_t more = 0; more < BERTH_ENGINE_WORK_BYTES; more += 65536) {
        struct world *world = world_new(1);
        world->pool_bytes = berth_engine_pool_bytes_min(&world->config) + more;
        world_serve(world, 1);
        for (int i = 1; i <= 16; i++) {
            send_large(world, i);
        }
        world_finish(world);
    }
}

/*
 * Time passes between the look whether there is room and the record, because it must be fetched and
 * decoded; what falls due meanwhile (here a renewal) takes memory too. Whoever looked must not be
 * told "busy" after all: the record can't be put back. That it isn't is checked by the world.
 */
static void test_a_record_for_which_there_was_room_is_taken_in(void **state) {
    (void)state;
    /* At some of these sizes the room is just enough. */
    for (size_t more = 0; more < BERTH_ENGINE_WORK_BYTES / 4; more += 1024) {
        struct world *world = world_new(1);
        world->tracing = false;
        world->pool_bytes = berth_engine_pool_bytes_min(&world->config) + more;
        world_serve(world, 1);
        world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                              .kind = WORLD_ANY,
                                              .count = 1,
                                              .fault = WORLD_BUSY,
                                              .delay_ms = 60000});
        (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-b", "");
        world_run(world, 100);
        for (int i = 2; i <= 9; i++) {
            send_large(world, i);
            world->intake_ms = i == 7 ? 6000 : 0;
            world_run(world, 0);
        }
        world_free(world);
    }
}

/* There is memory for one command at a time: it goes from registry to registry, not to whoever has
 * most that waits. */
static void test_scarce_memory_goes_to_each_registry_in_turn(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->pool_bytes = berth_engine_pool_bytes_min(&world->config);
    world_serve(world, 2);
    char space[32];
    for (int number = 1; number <= 8; number++) {
        (void)snprintf(space, sizeof(space), "team-%d", number);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, number, space, "");
    }
    struct world_record *other = world_send(world, 1, BERTH_CREATE_SPACE, 9, "team-9", "");
    (void)snprintf(other->command.registry, sizeof(other->command.registry), "other");
    (void)snprintf(other->key, sizeof(other->key), "other/team-9");
    while (other->answers == 0) {
        world_run(world, 1);
    }
    assert_true(world_traced(world, "claim") < 5);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_of_one_space_go_one_after_the_other),
        cmocka_unit_test(test_different_spaces_go_side_by_side),
        cmocka_unit_test(test_a_namesake_in_another_registry_is_another_lane),
        cmocka_unit_test(test_a_slow_command_holds_back_no_other_space),
        cmocka_unit_test(test_no_more_lanes_of_a_registry_work_than_it_allows),
        cmocka_unit_test(test_a_held_lane_leaves_its_place_to_others),
        cmocka_unit_test(test_a_window_that_is_full_stops_its_partition),
        cmocka_unit_test(test_no_more_commands_are_taken_in_than_allowed),
        cmocka_unit_test(test_the_least_pool_is_enough),
        cmocka_unit_test(test_waiting_records_leave_memory_to_work),
        cmocka_unit_test(test_a_record_for_which_there_was_room_is_taken_in),
        cmocka_unit_test(test_scarce_memory_goes_to_each_registry_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
