/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls a registry gets at once (design 5), and who gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static struct world *served(uint32_t calls_max) {
    struct world *world = world_new(1);
    world->registries[0].calls_max = calls_max;
    world_serve(world, 1);
    return world;
}

static uint32_t limit(const struct world *world) {
    struct berth_engine_registry_figures figures;
    berth_engine_registry_figures(world->workers[0].engine, 0, &figures);
    return figures.calls_limit;
}

/* Rounds of commands, one for each of eight spaces; returns how long they took. */
static int64_t work(struct world *world, int *next_number, int rounds) {
    int64_t began_ms = world->now_ms;
    for (int round = 0; round < rounds; round++) {
        /* The other one each time: every command is one PUT. */
        bool public = *next_number / 8 % 2 == 0;
        for (int i = 0; i < 8; i++) {
            char space[32];
            (void)snprintf(space, sizeof(space), "team-%d", i);
            struct world_record *record =
                world_send(world, 0, BERTH_UPDATE_SPACE, (*next_number)++, space, "");
            record->command.visibility = public ? BERTH_PUBLIC : BERTH_PRIVATE;
            world_redigest(record);
        }
        do {
            world_run(world, 1);
        } while (world_figures(world, 0).taken_in > 0);
    }
    return world->now_ms - began_ms;
}

static void make_spaces(struct world *world, int *next_number) {
    for (int i = 0; i < 8; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, (*next_number)++, space, "");
    }
    world_run_idle(world);
}

static void slow(struct world *world, int count, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = delay_ms});
}

static void test_the_configured_limit_is_never_exceeded(void **state) {
    (void)state;
    struct world *world = served(3);
    int next = 1;
    make_spaces(world, &next);
    (void)work(world, &next, 2);
    assert_int_equal(world->calls_most[0], 3);
    world_finish(world);
}

/* A registry whose answers always take the same time keeps all it has, quick or slow. */
static void test_a_healthy_registry_stays_at_its_configured_limit(void **state) {
    (void)state;
    static const int64_t latencies_ms[] = {0, 400};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = served(8);
        slow(world, 1000, latencies_ms[i]);
        int next = 1;
        make_spaces(world, &next);
        (void)work(world, &next, 5);
        assert_int_equal(limit(world), 8);
        assert_int_equal(world->calls_most[0], 8);
        world_finish(world);
    }
}

static void test_a_registry_that_slows_down_is_asked_less_and_recovers(void **state) {
    (void)state;
    struct world *world = served(8);
    int next = 1;
    make_spaces(world, &next);
    (void)work(world, &next, 2);
    slow(world, 24, 2000);
    (void)work(world, &next, 3);
    uint32_t slowed = limit(world);
    assert_true(slowed < 6);
    assert_true(slowed >= 1);
    (void)work(world, &next, 1);
    assert_true(limit(world) > slowed);
    world_finish(world);
}

static void test_a_registry_that_says_429_is_asked_less_at_once(void **state) {
    (void)state;
    struct world *world = served(8);
    int next = 1;
    make_spaces(world, &next);
    world_rule(world,
               (struct world_rule){
                   .channel = WORLD_HARBOR, .kind = WORLD_ANY, .count = 8, .fault = WORLD_BUSY});
    for (int i = 0; i < 8; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        struct world_record *record = world_send(world, 0, BERTH_UPDATE_SPACE, next++, space, "");
        record->command.visibility = BERTH_PUBLIC;
        world_redigest(record);
    }
    while (world_traced(world, "notice command.retried") < 8) {
        world_run(world, 1);
    }
    /* Eight refusals of one moment halve it once. */
    assert_int_equal(limit(world), 4);
    world_finish(world);
}

/* Spaces that fail by themselves are tried with the others after a pause. Were their errors to keep
 * the limit at one, they'd be all that is asked, and look like a registry that is sick. */
static void test_errors_after_a_pause_do_not_keep_it_low(void **state) {
    (void)state;
    struct world *world = served(8);
    int next = 1;
    make_spaces(world, &next);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = 1000});
    (void)world_send(world, 0, BERTH_DELETE_SPACE, next++, "team-0", "");
    world_run(world, 100);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 4,
                                          .fault = WORLD_SERVER_ERROR});
    for (int i = 1; i < 8; i++) {
        char space[32];
        (void)snprintf(space, sizeof(space), "team-%d", i);
        (void)world_send(world, 0, BERTH_DELETE_SPACE, next++, space, "");
    }
    while (world_traced(world, "notice command.retried") < 4) {
        world_run(world, 1);
    }
    assert_true(limit(world) > 2);
    world_run_idle(world);
    world_finish(world);
}

/* Calls that were lost on the way say that it is too much; one space's say nothing. */
static void test_a_few_lost_calls_among_many_do_not_lower_it(void **state) {
    (void)state;
    struct world *world = served(8);
    int next = 1;
    make_spaces(world, &next);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_UPDATE_PROJECT,
                                          .skip = 2,
                                          .count = 2,
                                          .fault = WORLD_UNKNOWN_LOST});
    (void)work(world, &next, 3);
    assert_int_equal(limit(world), 8);
    world_finish(world);
}

/* Two commands that could both keep the registry busy get one call each in turn. */
static void test_a_command_with_many_calls_takes_no_more_than_its_turn(void **state) {
    (void)state;
    struct world *world = served(1);
    int next = 1;
    make_spaces(world, &next);
    world_trace_restart(world);
    int many = next++;
    int few = next++;
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, many, "team-0", "alpha beta delta gamma");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, few, "team-1", "alpha beta");
    char line[64];
    (void)snprintf(line, sizeof(line), "store #%d", few);
    while (world_traced(world, line) == 0) {
        world_run(world, 1);
    }
    (void)snprintf(line, sizeof(line), "harbor #%d", few);
    assert_int_equal(world_traced(world, line), 5);
    (void)snprintf(line, sizeof(line), "harbor #%d", many);
    assert_true(world_traced(world, line) >= 3);
    assert_true(world_traced(world, line) <= 7);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_configured_limit_is_never_exceeded),
        cmocka_unit_test(test_a_healthy_registry_stays_at_its_configured_limit),
        cmocka_unit_test(test_a_registry_that_slows_down_is_asked_less_and_recovers),
        cmocka_unit_test(test_a_registry_that_says_429_is_asked_less_at_once),
        cmocka_unit_test(test_errors_after_a_pause_do_not_keep_it_low),
        cmocka_unit_test(test_a_few_lost_calls_among_many_do_not_lower_it),
        cmocka_unit_test(test_a_command_with_many_calls_takes_no_more_than_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
