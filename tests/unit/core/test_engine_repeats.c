/* SPDX-License-Identifier: Apache-2.0 */
/* What was answered once is answered the same again: by the ledger, without Harbor (design 4.3). */
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

/* The worker dies between STORE and the end of the transaction, and comes back. */
static void crash_before_settling(struct world *world) {
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    world_run(world, 500);
    world_crash(world, 0);
    world_run(world, 1000); /* Its open transaction comes to nothing. */
    world_trace_restart(world);
    world->harbor_calls = 0;
}

static void come_back(struct world *world) {
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run_idle(world);
}

/* That the answer is the stored one byte for byte is checked by the world. */
static void test_the_same_record_redelivered_is_answered_from_the_ledger(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_before_settling(world);
    assert_int_equal(record->answers, 0);
    come_back(world);

    assert_int_equal(record->answers, 1);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/* What is known of the space has gone on since, so the old state isn't published again. */
static void test_a_redelivered_record_publishes_no_state_that_is_no_longer_current(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    crash_before_settling(world);
    world_ledger_space(world, "team-a")->state.version++;
    come_back(world);

    assert_int_equal(record->form, BERTH_PUBLISH_STORED_QUIETLY);
    assert_int_equal(world->harbor_calls, 0);
    world_finish(world);
}

/* A producer that had no answer sends it again, with the same id. */
static void test_another_record_with_the_same_id_gets_a_replay(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *first = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *second = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);

    assert_int_equal(first->form, BERTH_PUBLISH_MADE);
    assert_int_equal(second->form, BERTH_PUBLISH_REPLAY);
    assert_int_equal(second->answers, 1);
    assert_memory_equal(&second->answer, &first->answer, sizeof(first->answer));
    assert_int_equal(world->harbor_calls, 1);
    world_finish(world);
}

static void test_an_id_with_other_content_is_refused(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *reused = world_send(world, 0, BERTH_DELETE_SPACE, 1, "team-a", "");
    world_run_idle(world);

    assert_int_equal(reused->answer.kind, BERTH_REJECTED);
    assert_string_equal(reused->answer.code, "command.id_reused");
    assert_int_equal(reused->form, BERTH_PUBLISH_DIRECT);
    assert_non_null(world_project(world, "team-a"));
    world_finish(world);
}

/* FAILED is final only for its own record: a dead letter may be replayed from another one. */
static void test_a_failed_command_is_tried_anew_from_another_record(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = WORLD_ANY,
                                          .count = (int)world->config.retry_attempts,
                                          .fault = WORLD_SERVER_ERROR});
    const struct world_record *failed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(failed->answer.kind, BERTH_FAILED);
    assert_true(failed->answer.dead_letter);

    world_run(world, world->config.retry_age_ms);
    const struct world_record *replayed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(replayed->answer.code, "space.created");
    assert_int_equal(replayed->form, BERTH_PUBLISH_MADE);
    world_finish(world);
}

/*
 * The first attempt's request may have been carried out, so "it exists" proves nothing against the
 * command: without a dedicated account it is unproved, never "already exists" (design 4.5).
 */
static void test_a_replayed_dead_letter_is_no_first_claim(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].dedicated = false;
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    /* The request is carried out, nobody hears of it, and it can't be read back either. */
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_APPLIED});
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_GET_PROJECT_NAME,
                                          .count = 5,
                                          .fault = WORLD_UNKNOWN_LOST});
    const struct world_record *failed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(failed->answer.code, "space.state_unknown");

    const struct world_record *replayed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_string_equal(replayed->answer.code, "space.create_unproved");
    world_finish(world);
}

/* What the orphan wrote last may still arrive. Whoever waits for a lease comes later than that; the
 * worker itself must not read, and decide, before. */
static void test_a_record_that_comes_back_waits_for_what_its_orphan_wrote(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_LATE,
                                          .delay_ms = 1500});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 2);
    world_lose(world, 0, 0);
    world_assign(world, 0, 0);
    world_run(world, 1400);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_record_redelivered_is_answered_from_the_ledger),
        cmocka_unit_test(test_a_redelivered_record_publishes_no_state_that_is_no_longer_current),
        cmocka_unit_test(test_another_record_with_the_same_id_gets_a_replay),
        cmocka_unit_test(test_an_id_with_other_content_is_refused),
        cmocka_unit_test(test_a_failed_command_is_tried_anew_from_another_record),
        cmocka_unit_test(test_a_replayed_dead_letter_is_no_first_claim),
        cmocka_unit_test(test_a_record_that_comes_back_waits_for_what_its_orphan_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
