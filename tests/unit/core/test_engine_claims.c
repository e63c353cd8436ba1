/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a lane, waiting for one that somebody else holds, and what a lost reply means. */
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

static void ledger(struct world *world, enum berth_ledger_call_kind kind, enum world_fault fault,
                   int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = (int)kind,
                                          .count = 1,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

/* A project of somebody else, whose lane a worker outside this world holds. */
static const struct world_record *bind_held(struct world *world, const char *instance,
                                            const char *incarnation) {
    (void)world_project_made(world, "team-a");
    world_hold(world, "team-a", instance, incarnation);
    return world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
}

/* Harbor knows no fencing token, so a dead holder's last requests must have run out (design 4.7).
 */
static void test_a_held_lane_is_taken_over_after_a_whole_lease_unchanged(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = bind_held(world, "elsewhere", "gone");
    world_run(world, world->config.lease_ms);
    assert_int_equal(world_traced(world, "claim #1 take-over"), 0);
    assert_int_equal(world->harbor_calls, 0);

    world_run(world, 1000);
    assert_int_equal(world->takeovers, 1);
    assert_int_equal(record->answers, 1);
    /* That it read before it wrote is checked by the world. */
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 1);
    world_finish(world);
}

static void test_a_lane_is_not_taken_over_while_it_is_renewed(void **state) {
    (void)state;
    struct world *world = served();
    const struct world_record *record = bind_held(world, "elsewhere", "alive");
    for (int i = 0; i < 20; i++) {
        world_run(world, world->config.renew_ms);
        world_ledger_space(world, "team-a")->renewals++;
    }
    assert_int_equal(world->takeovers, 0);
    assert_int_equal(world_traced(world, "claim #1 take-over"), 0);

    world_ledger_space(world, "team-a")->held = false;
    world_run(world, 1000); /* It is looked at more often than once a lease. */
    assert_int_equal(record->answers, 1);
    world_finish(world);
}

/* Another take-over was quicker: its mark is new, and waiting begins again. */
static void test_a_lane_that_changed_hands_is_waited_for_anew(void **state) {
    (void)state;
    struct world *world = served();
    (void)bind_held(world, "elsewhere", "gone");
    world_run(world, world->config.lease_ms - 1000);
    world_hold(world, "team-a", "third", "alive");
    world_run(world, world->config.lease_ms - 1000);
    assert_int_equal(world->takeovers, 0);
    world_run(world, 2000);
    assert_int_equal(world->takeovers, 1);
    world_finish(world);
}

/* Its lock file says that no earlier incarnation runs any more: a restart is quick. */
static void test_the_lanes_of_an_earlier_incarnation_are_taken_over_after_the_grace(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 1000});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_crash(world, 0);
    world_start(world, 0);
    world_assign(world, 0, 0);
    world_run(world, world->config.restart_grace_ms);
    assert_int_equal(world->takeovers, 0);
    world_run(world, 200);
    assert_int_equal(world->takeovers, 1);
    /* The project is there: this account is berth's alone, so it is our own lost attempt. */
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* ---- Lost replies ---- */

/* It ran, nobody heard: asked again it is the same claim, and still the first one. */
static void test_a_lost_reply_to_a_claim_costs_nothing_but_time(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, WORLD_LOSE_REPLY, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1 again"), 1);
    assert_int_equal(record->answer.attempts, 1);
    assert_int_equal(world->harbor_calls, 1);
    world_finish(world);
}

static void test_a_lost_reply_to_remember_is_asked_again(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    ledger(world, BERTH_LEDGER_REMEMBER, WORLD_LOSE_REPLY, 0);
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "remember #1"), 2);
    assert_string_equal(record->answer.before, "private");
    world_finish(world);
}

static void test_a_lost_reply_to_store_is_asked_again(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_REPLY, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "store #1"), 2);
    assert_int_equal(record->form, BERTH_PUBLISH_MADE);
    assert_int_equal(world->harbor_calls, 1);
    world_finish(world);
}

/* Harbor was asked since: the next claim is another one, whatever became of the first reply. */
static void test_a_claim_after_work_was_done_repeats_nothing(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, WORLD_LOSE_REPLY, 0);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = 20000});
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 4000);
    assert_int_equal(world_traced(world, "claim #1 again"), 1);
    world_hold(world, "team-a", "elsewhere", "gone");
    world_run_idle(world);
    assert_true(world_traced(world, "claim #1\n") > 1);
    assert_int_equal(world_traced(world, "claim #1 again"), 1);
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* A call that was thought lost runs when everything is over: then it changes nothing. */
static void test_calls_that_run_long_after_they_were_given_up_change_nothing(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_CLAIM, WORLD_LATE_CALL, 9000);
    ledger(world, BERTH_LEDGER_STORE, WORLD_LATE_CALL, 9000);
    ledger(world, BERTH_LEDGER_RENEW, WORLD_LATE_CALL, 9000);
    const struct world_record *created = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *bound =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run_idle(world);
    assert_string_equal(created->answer.code, "space.created");
    assert_string_equal(bound->answer.code, "workspace.bound");
    world_finish(world);
}

/* ---- STORE is refused ---- */

/* The lane is another's: what was decided is for that one to find, and ours is void. */
static void test_an_outcome_is_dropped_when_another_holds_the_lane(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_CALL, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_hold(world, "team-a", "elsewhere", "gone");
    world_run_idle(world);
    /* Claimed again after the other's lease, and read before anything is said. */
    assert_int_equal(world->takeovers, 1);
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 1);
    assert_string_equal(record->answer.code, "space.created");
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* Another has held the lane and freed it meanwhile: it may have changed what was decided upon. */
static void test_an_outcome_is_dropped_when_another_has_held_the_lane_since(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_CALL, 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_hold(world, "team-a", "elsewhere", "done");
    struct world_ledger_space *space = world_ledger_space(world, "team-a");
    space->held = false;
    space->token += 1000000000; /* As if it had taken the lane just now. */
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 1);
    assert_int_equal(world->ledger_commands[1].attempts, 2);
    world_finish(world);
}

/* The claim is gone, and before it is claimed again somebody else has the lane: what was decided is
 * void as well. */
static void test_an_outcome_without_a_claim_is_dropped_when_the_lane_is_held(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_CALL, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_ledger_lose(world);
    while (world_traced(world, "claim #1") < 2) {
        world_run(world, 1);
    }
    world_hold(world, "team-a", "elsewhere", "gone");
    world_run_idle(world);
    assert_int_equal(world->takeovers, 1);
    assert_int_equal(world_traced(world, "harbor #1 GET /projects/{name}"), 1);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* Redis has lost the claim: it is claimed again and the same outcome stored, without Harbor. */
static void test_an_outcome_is_stored_again_when_the_claim_is_gone(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_CALL, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_int_equal(world_traced(world, "store #1"), 3);
    assert_int_equal(world->harbor_calls, 1);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* Somebody else was first with the same command: what is stored is what is published. */
static void test_the_stored_outcome_is_published_when_somebody_was_quicker(void **state) {
    (void)state;
    struct world *world = served();
    ledger(world, BERTH_LEDGER_STORE, WORLD_LOSE_CALL, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    struct world_ledger_command *command = &world->ledger_commands[1];
    command->stored = true;
    command->source_offset = 77;
    command->publication.kind = BERTH_SUCCEEDED;
    (void)snprintf(command->publication.code, sizeof(command->publication.code), "by.another");
    world_run_idle(world);
    assert_int_equal(record->form, BERTH_PUBLISH_REPLAY);
    assert_string_equal(record->answer.code, "by.another");
    assert_int_equal(world->harbor_calls, 1);
    world_free(world);
}

/*
 * Redis has lost the claim under which a create request was sent. That the ledger calls the next
 * claim the first one is no reason to take the project for somebody else's.
 */
static void test_a_worker_remembers_that_it_asked_harbor_when_redis_does_not(void **state) {
    (void)state;
    struct world *world = served();
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_PROJECT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_APPLIED});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 4900);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_string_equal(record->answer.code, "space.created");
    world_finish(world);
}

/* A worker that ends while it still knows what a command met, and has no claim any more, gives that
 * memory back, too. */
static void test_a_worker_may_end_between_a_lost_claim_and_the_next(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run_idle(world);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_ROBOT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_APPLIED});
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 3, "team-a", "beta");
    world_run(world, 4900);
    world_ledger_lose(world);
    while (world_traced(world, "notice lane.lost #3") == 0) {
        world_run(world, 1);
    }
    world->ledger_down_until_ms = world->now_ms + 60000;
    world_run(world, 1000);
    world_crash(world, 0); /* Its pool must be empty then. */
    world_free(world);
}

/*
 * A worker that has lost a partition doesn't claim for its records any more: whoever has them now
 * may have settled them, and when Redis has lost its data since, the claim would be the first.
 */
static void test_an_orphan_whose_claim_is_lost_does_nothing_more(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_ROBOT,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 4000});
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run(world, 100);
    world_lose(world, 0, 0);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "harbor #2 POST /robots"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 1);
    assert_int_equal(world_figures(world, 0).worked_on, 0);
    world_free(world);
}

/*
 * Redis has lost what the command met, after it was partly done: the worker still knows it, and
 * remembers it once more. Else the command would be told to have changed nothing.
 */
static void test_what_a_command_met_survives_the_loss_of_its_claim(void **state) {
    (void)state;
    struct world *world = served();
    (void)world_project_made(world, "team-a");
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_ROBOT,
                                          .count = 1,
                                          .fault = WORLD_UNKNOWN_APPLIED});
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run(world, 4900);
    assert_int_equal(world_traced(world, "harbor #1 POST /robots"), 1);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 2);
    assert_int_equal(world_traced(world, "remember #1"), 2);
    assert_int_equal(world_traced(world, "harbor #1 POST /robots"), 1);
    assert_string_equal(record->answer.code, "workspace.bound");
    assert_true(record->answer.changed);
    world_finish(world);
}

/* Another had the lane in between: what this worker met before that is no longer what it meets. */
static void test_what_a_command_met_is_met_anew_after_another_held_the_lane(void **state) {
    (void)state;
    struct world *world = served();
    struct world_project *project = world_project_made(world, "team-a");
    world_rule(world, (struct world_rule){.channel = WORLD_HARBOR,
                                          .kind = BERTH_HARBOR_CREATE_ROBOT,
                                          .count = 1,
                                          .fault = WORLD_BUSY,
                                          .delay_ms = 60000});
    const struct world_record *record =
        world_send(world, 0, BERTH_BIND_WORKSPACE, 1, "team-a", "alpha");
    world_run(world, 1000);
    assert_int_equal(world_traced(world, "remember #1"), 1);
    world_ledger_lose(world);
    world_hold(world, "team-a", "elsewhere", "gone");
    project->visibility = BERTH_PUBLIC;
    world->expected[0].state.visibility = BERTH_PUBLIC;
    world_run_idle(world);
    assert_string_equal(record->answer.before, "public");
    assert_string_equal(record->answer.after, "public alpha");
    world_finish(world);
}

/* To a Redis that lost its data the id is new, and the clock says that it is of the future; but it
 * was worked on: what was done is neither denied nor left half done. */
static void test_a_command_that_was_claimed_here_is_not_refused_for_its_age(void **state) {
    (void)state;
    for (int decided = 0; decided < 2; decided++) {
        struct world *world = world_new(1);
        world_serve(world, 1);
        world_rule(world,
                   (struct world_rule){.channel = decided ? WORLD_LEDGER : WORLD_HARBOR,
                                       .kind = decided ? (int)BERTH_LEDGER_STORE
                                                       : (int)BERTH_HARBOR_CREATE_PROJECT,
                                       .count = 1,
                                       .fault = decided ? WORLD_LOSE_CALL : WORLD_UNKNOWN_APPLIED});
        const struct world_record *record =
            world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
        world_run(world, 1500);
        assert_non_null(world_project(world, "team-a"));
        world_ledger_lose(world);
        world->wall_jump_ms = -2 * world->config.future_max_ms;
        world_run_idle(world);
        assert_string_equal(record->answer.code, "space.created");
        world_finish(world);
    }
}

/* Whatever another command has gone through: a lost reply makes no second claim. */
static void
test_a_command_that_stepped_aside_does_not_make_others_claims_count_twice(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->registries[0].lanes_max = 1;
    world->config.retry_attempts = 20;
    world_serve(world, 1);
    (void)snprintf(world->sick_space, sizeof(world->sick_space), "sick");
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "sick", "");
    world_run(world, 30000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "well", "");
    world_run(world, 20000);
    world->sick_space[0] = '\0';
    world_run_idle(world);
    world_rule(world, (struct world_rule){.channel = WORLD_LEDGER,
                                          .kind = BERTH_LEDGER_CLAIM,
                                          .count = 1,
                                          .fault = WORLD_LOSE_REPLY});
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 3, "third", "");
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #3 again"), 1);
    assert_int_equal(record->answer.attempts, 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_held_lane_is_taken_over_after_a_whole_lease_unchanged),
        cmocka_unit_test(test_a_lane_is_not_taken_over_while_it_is_renewed),
        cmocka_unit_test(test_a_lane_that_changed_hands_is_waited_for_anew),
        cmocka_unit_test(test_the_lanes_of_an_earlier_incarnation_are_taken_over_after_the_grace),
        cmocka_unit_test(test_a_lost_reply_to_a_claim_costs_nothing_but_time),
        cmocka_unit_test(test_a_lost_reply_to_remember_is_asked_again),
        cmocka_unit_test(test_a_lost_reply_to_store_is_asked_again),
        cmocka_unit_test(test_a_claim_after_work_was_done_repeats_nothing),
        cmocka_unit_test(test_calls_that_run_long_after_they_were_given_up_change_nothing),
        cmocka_unit_test(test_an_outcome_is_dropped_when_another_holds_the_lane),
        cmocka_unit_test(test_an_outcome_is_dropped_when_another_has_held_the_lane_since),
        cmocka_unit_test(test_an_outcome_without_a_claim_is_dropped_when_the_lane_is_held),
        cmocka_unit_test(test_an_outcome_is_stored_again_when_the_claim_is_gone),
        cmocka_unit_test(test_the_stored_outcome_is_published_when_somebody_was_quicker),
        cmocka_unit_test(test_a_worker_remembers_that_it_asked_harbor_when_redis_does_not),
        cmocka_unit_test(test_a_worker_may_end_between_a_lost_claim_and_the_next),
        cmocka_unit_test(test_an_orphan_whose_claim_is_lost_does_nothing_more),
        cmocka_unit_test(test_what_a_command_met_survives_the_loss_of_its_claim),
        cmocka_unit_test(test_what_a_command_met_is_met_anew_after_another_held_the_lane),
        cmocka_unit_test(test_a_command_that_was_claimed_here_is_not_refused_for_its_age),
        cmocka_unit_test(test_a_command_that_stepped_aside_does_not_make_others_claims_count_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
