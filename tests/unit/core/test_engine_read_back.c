/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was written with unknown outcome may still arrive: it isn't read back, and its lane isn't
 * left, sooner than that (design 4.4), whatever else happens meanwhile. The world checks each read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

/* The creating of team-a is answered by nobody, and carried out so much later. */
static struct world *with_a_late_create(int64_t late_ms) {
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 2);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_LATE,
                                          .delay_ms = late_ms});
    return world;
}

static void run_until(struct world *world, const char *line) {
    while (world_traced(world, line) == 0) {
        world_run(world, 1);
    }
}

/* Its budget is spent, and it waits to be read back, when its registry asks to be left alone. */
static const struct world_record *read_back_while_its_registry_rests(struct world *world) {
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    run_until(world, "harbor #1 POST /projects");
    world_run(world, 100);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = 30000});
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 2, "team-b", "");
    run_until(world, "notice registry.rests");
    assert_true(world->now_ms < world->workers[0].slots[0].read_from_ms);
    return record;
}

static void test_a_partition_is_revoked_while_a_command_waits_to_be_read_back(void **state) {
    (void)state;
    struct world *world = with_a_late_create(1500);
    const struct world_record *record = read_back_while_its_registry_rests(world);
    world_start(world, 1);
    world->partitions[0].next_owner = 1;
    world_revoke(world, 0, 0);
    world_run(world, 1000);
    assert_true(world_ledger_space(world, "team-a")->held);
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    assert_string_equal(record->answer.after, "private");
    world_finish(world);
}

static void test_it_drains_while_a_command_waits_to_be_read_back(void **state) {
    (void)state;
    struct world *world = with_a_late_create(1500);
    const struct world_record *record = read_back_while_its_registry_rests(world);
    world_drain(world, 0);
    world_run(world, 4000);
    assert_true(world->workers[0].drained);
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_assign(world, 0, 1);
    world_run_idle(world);
    assert_string_equal(record->answer.after, "private");
    world_finish(world);
}

/* Nobody gives it up or tries it again: it only waits until what it wrote may have arrived. */
static void test_an_orphan_waits_for_no_verdict(void **state) {
    (void)state;
    struct world *world = with_a_late_create(1500);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_PROBE,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    run_until(world, "probe main");
    world_lose(world, 0, 0);
    world_run(world, 1500);
    assert_int_equal(world_figures(world, 0).taken_in, 1);
    world_assign(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "store #1 FAILED"), 0);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* The probe says that it is the registry's fault: the command is tried again, not at once. */
static void test_a_verdict_does_not_make_a_read_back_come_sooner(void **state) {
    (void)state;
    struct world *world = with_a_late_create(1900);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_PROBE,
                                          .count = 1,
                                          .fault = WORLD_SERVER_ERROR});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 1);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 1);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* Redis has lost the claim meanwhile: the new one is taken at once, and reads no sooner. */
static void test_a_new_claim_does_not_make_a_read_back_come_sooner(void **state) {
    (void)state;
    struct world *world = with_a_late_create(1900);
    world->config.retry_attempts = 5;
    world->config.renew_ms = 500;
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    run_until(world, "notice command.retried #1");
    world_ledger_lose(world);
    world_run(world, 1000);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "harbor #1 POST /projects"), 1);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_partition_is_revoked_while_a_command_waits_to_be_read_back),
        cmocka_unit_test(test_it_drains_while_a_command_waits_to_be_read_back),
        cmocka_unit_test(test_an_orphan_waits_for_no_verdict),
        cmocka_unit_test(test_a_verdict_does_not_make_a_read_back_come_sooner),
        cmocka_unit_test(test_a_new_claim_does_not_make_a_read_back_come_sooner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
