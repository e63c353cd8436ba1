/* SPDX-License-Identifier: Apache-2.0 */
/* A registry that doesn't accept our login (design 5): no command of any space can be done there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static void refuse_logins(struct world *world, int count) {
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = WORLD_UNAUTHORIZED});
}

/* It says nothing of the space: one is enough, though a probe would be fine. Each further try may
 * be one too many for an account that is locked after some. */
static void test_one_refused_login_opens_the_breaker_at_once(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse_logins(world, 1);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    while (world->harbor_calls == 0) {
        world_run(world, 1);
    }
    world_run(world, 20);
    assert_int_equal(
        world_traced(world, "notice breaker.opened #0 reason=\"it doesn't accept our login"), 1);
    assert_int_equal(world->harbor_calls, 1);
    assert_int_equal(world->probes, 0); /* Nobody had to be asked. */
    world_run_idle(world);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->ledger_commands[1].burned, 0);
    world_finish(world);
}

/* The probe was fine a moment ago: then it is this space's, until three of them say so. */
static void test_after_a_fine_probe_a_refused_login_is_one_spaces(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse_logins(world, 2);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "notice breaker.opened"), 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_refused_login_opens_the_breaker_at_once),
        cmocka_unit_test(test_after_a_fine_probe_a_refused_login_is_one_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
