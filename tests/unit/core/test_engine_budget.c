/* SPDX-License-Identifier: Apache-2.0 */
/* The retry budget is the command's, whoever works on it and however often it is claimed (design
 * 4.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

#define TEN_MINUTES_MS INT64_C(600000)

/* A command whose space fails every time; its registry is well. */
static struct world *with_a_bad_space(void) {
    struct world *world = world_new(1);
    world_serve(world, 1);
    (void)snprintf(world->sick_space, sizeof(world->sick_space), "bad");
    return world;
}

static void restart(struct world *world) {
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
}

static void run_until_burned(struct world *world, int number, uint32_t burned) {
    while (world->ledger_commands[number].burned < burned) {
        world_run(world, 10);
    }
}

static void test_a_restart_does_not_give_attempts_back(void **state) {
    (void)state;
    struct world *world = with_a_bad_space();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    uint32_t attempts = world->config.retry_attempts;
    run_until_burned(world, 1, attempts - 2);
    restart(world);
    world_trace_restart(world);
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_int_equal(record->answer.attempts, attempts); /* As the message says, and the docs. */
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    /* Two were left: the first of them failed and was tried again, the second was the last. */
    assert_int_equal(world_traced(world, "notice command.retried #1"), 1);
    world_free(world);
}

static void test_whoever_takes_a_lane_over_goes_on_with_its_budget(void **state) {
    (void)state;
    struct world *world = with_a_bad_space();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    run_until_burned(world, 1, world->config.retry_attempts - 1);
    world_crash(world, 0);
    world_lose(world, 0, 0);
    world_start(world, 1);
    world_assign(world, 1, 0);
    world_trace_restart(world);
    world_run_idle(world);
    assert_int_equal(record->answer.kind, BERTH_FAILED);
    assert_int_equal(world_traced(world, "notice command.retried #1"), 0);
    world_free(world);
}

/* Redis knew nothing of it any more, but the worker does. */
static void test_a_claim_that_redis_lost_does_not_give_attempts_back(void **state) {
    (void)state;
    struct world *world = with_a_bad_space();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    run_until_burned(world, 1, world->config.retry_attempts - 1);
    world_ledger_lose(world);
    world_trace_restart(world);
    world_run_idle(world);
    assert_true(world_traced(world, "notice command.retried #1") <= 1);
    assert_int_equal(world_traced(world, "store #1 FAILED"), 1);
    world_free(world);
}

/* A dead letter that is replayed begins anew. */
static void test_a_replayed_dead_letter_has_a_budget_of_its_own(void **state) {
    (void)state;
    struct world *world = with_a_bad_space();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    world_run_idle(world);
    world_trace_restart(world);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice command.retried #1"),
                     world->config.retry_attempts - 1);
    world_free(world);
}

/* Neither attempts nor age are spent on an outage, and a restart in its middle changes nothing. */
static void test_an_outage_with_a_restart_in_its_middle_spends_nothing(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world->sick[0].until_ms = world->now_ms + 2 * TEN_MINUTES_MS;
    world->sick[0].fault = WORLD_UNKNOWN_LOST;
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, TEN_MINUTES_MS);
    restart(world);
    world_run(world, TEN_MINUTES_MS);
    /* What fails once more then finds most of the budget there. */
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 2,
                                          .fault = WORLD_SERVER_ERROR});
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->ledger_commands[1].received_at_ms, record->answer.received_at_ms);
    world_finish(world);
}

/* An outage gives back what burned in it, not what burned before, while others were well. */
static void test_an_outage_does_not_give_earlier_attempts_back(void **state) {
    (void)state;
    struct world *world = with_a_bad_space();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "bad", "");
    run_until_burned(world, 1, 3);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "well", "");
    world_run(world, 100);
    world->sick[0].until_ms = world->now_ms + TEN_MINUTES_MS;
    world->sick[0].fault = WORLD_NOT_SENT;
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 3, "well-too", "");
    world_run(world, 60000);
    assert_int_equal(world->ledger_commands[1].burned, 3);
    world_free(world);
}

/* What was under way when the breaker opened comes back as a failure, too. */
static void test_a_call_that_fails_while_it_is_open_burns_nothing(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world->sick[0].until_ms = world->now_ms + TEN_MINUTES_MS;
    world->sick[0].fault = WORLD_UNKNOWN_LOST;
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 3000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    world_run(world, 4500);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 1);
    world_run(world, 20000);
    assert_int_equal(world->ledger_commands[1].burned, 0);
    assert_int_equal(world->ledger_commands[2].burned, 0);
    world_free(world);
}

/* Its age is spent at the very moment when its registry goes down. */
static void test_nobody_is_given_up_by_age_while_it_is_open(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.backoff_ms = world->config.backoff_max_ms;
    world_serve(world, 1);
    world->sick[0].until_ms = world->now_ms + world->config.retry_age_ms - 1;
    world->sick[0].fault = WORLD_BUSY;
    world->sick[0].probes_fine = true;
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, world->config.retry_age_ms - 1);
    world->sick[0].until_ms = world->now_ms + 60000;
    world->sick[0].fault = WORLD_NOT_SENT;
    world->sick[0].probes_fine = false;
    world_run(world, 30000);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 1);
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* The wall clock is set back, or forth, while a command is worked on: its age doesn't jump. */
static void test_a_jump_of_the_wall_clock_does_not_change_an_age(void **state) {
    (void)state;
    static const int64_t jumps_ms[] = {-3600000, 3600000};
    for (size_t i = 0; i < 2; i++) {
        struct world *world = world_new(1);
        world_serve(world, 1);
        world->sick[0].until_ms = world->now_ms + 10 * world->config.retry_age_ms;
        world->sick[0].fault = WORLD_BUSY;
        world->sick[0].probes_fine = true;
        const struct world_record *record =
            world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
        int64_t began_ms = world->now_ms;
        world_run(world, 1000);
        world->wall_jump_ms = jumps_ms[i];
        while (record->answers == 0) {
            world_run(world, 1000);
        }
        int64_t took_ms = world->now_ms - began_ms;
        assert_true(took_ms >= world->config.retry_age_ms);
        assert_true(took_ms <= world->config.retry_age_ms + 2 * world->config.backoff_max_ms);
        world->wall_jump_ms = 0;
        world_free(world);
    }
}

/* Set back between two claims: the command isn't younger than new. */
static void test_a_clock_that_was_set_back_makes_no_age_below_zero(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world->sick[0].until_ms = world->now_ms + 10 * world->config.retry_age_ms;
    world->sick[0].fault = WORLD_BUSY;
    world->sick[0].probes_fine = true;
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 1000);
    world->wall_jump_ms = -3600000;
    restart(world);
    int64_t began_ms = world->now_ms;
    while (record->answers == 0) {
        world_run(world, 1000);
    }
    assert_true(world->now_ms - began_ms <=
                world->config.retry_age_ms + 3 * world->config.backoff_max_ms);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restart_does_not_give_attempts_back),
        cmocka_unit_test(test_whoever_takes_a_lane_over_goes_on_with_its_budget),
        cmocka_unit_test(test_a_claim_that_redis_lost_does_not_give_attempts_back),
        cmocka_unit_test(test_a_replayed_dead_letter_has_a_budget_of_its_own),
        cmocka_unit_test(test_an_outage_with_a_restart_in_its_middle_spends_nothing),
        cmocka_unit_test(test_an_outage_does_not_give_earlier_attempts_back),
        cmocka_unit_test(test_a_call_that_fails_while_it_is_open_burns_nothing),
        cmocka_unit_test(test_nobody_is_given_up_by_age_while_it_is_open),
        cmocka_unit_test(test_a_jump_of_the_wall_clock_does_not_change_an_age),
        cmocka_unit_test(test_a_clock_that_was_set_back_makes_no_age_below_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
