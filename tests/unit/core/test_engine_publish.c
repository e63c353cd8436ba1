/* SPDX-License-Identifier: Apache-2.0 */
/* Batches and transactions: what is published together, and what an abort means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static void send_creates(struct world *world, int partition, int first, int count) {
    for (int i = 0; i < count; i++) {
        char space[24];
        (void)snprintf(space, sizeof(space), "space-%d", first + i);
        (void)world_send(world, partition, BERTH_CREATE_SPACE, first + i, space, "");
    }
}

static void kafka(struct world *world, int count, enum world_fault fault, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .count = count,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

/* Group commit: a transaction costs the same for one answer and for many (design 5). */
static void test_what_gathers_during_a_transaction_goes_into_the_next(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 2);
    world->transactions = 0;
    kafka(world, 1, WORLD_SLOW, 1000);
    send_creates(world, 0, 1, 1);
    world_run(world, 100);
    send_creates(world, 0, 2, 3);
    send_creates(world, 1, 5, 3);
    world_run_idle(world);
    assert_int_equal(world->transactions, 2);
    world_finish(world);
}

/* What waits goes at once: a pause would be time that a console waits. */
static void test_the_next_transaction_begins_when_the_one_before_is_committed(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world->transactions = 0;
    kafka(world, 1, WORLD_SLOW, 1000);
    send_creates(world, 0, 1, 1);
    world_run(world, 100);
    (void)world_send_garbage(world, 0); /* Ready to be published long before the commit. */
    int committed = world_traced(world, "committed");
    while (world_traced(world, "committed") == committed) {
        assert_int_equal(world->transactions, 1);
        world_run(world, 1);
    }
    assert_int_equal(world->transactions, 2);
    world_finish(world);
}

static void test_a_batch_holds_no_more_than_allowed(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.batch_max = 4;
    world_serve(world, 1);
    world->transactions = 0;
    kafka(world, 1, WORLD_SLOW, 1000);
    send_creates(world, 0, 1, 10);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 10);
    assert_true(world->transactions >= 3); /* That none was larger is checked by the world. */
    world_finish(world);
}

/* Outcomes are kept until their commit succeeded: nothing is asked of anybody again (design 5). */
static void test_an_aborted_transaction_is_published_again_not_executed_again(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    kafka(world, 3, WORLD_ABORT, 0);
    const struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *garbage = world_send_garbage(world, 0);
    world_run_idle(world);

    assert_int_equal(world->aborts, 3);
    /* The first transaction had only what could be answered at once. */
    assert_int_equal(world_traced(world, "publish #1 made"), 3);
    assert_int_equal(world_traced(world, "publish #0 direct"), 4);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    assert_int_equal(world_traced(world, "store #1"), 1);
    assert_int_equal(world->harbor_calls, 1);
    assert_int_equal(record->answers, 1);
    assert_int_equal(garbage->answers, 1);
    world_finish(world);
}

/* Halving finds a culprit only if it is tried again and again. */
static void test_an_aborted_batch_is_the_first_to_be_tried_again(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.batch_max = 2;
    world_serve(world, 1);
    kafka(world, 1, WORLD_SLOW, 500);
    kafka(world, 1, WORLD_ABORT, 0);
    send_creates(world, 0, 1, 5);
    world_run(world, 100);
    world_trace_restart(world);
    world_run_idle(world);
    const char *trace = world_trace(world);
    const char *aborted = strstr(trace, "aborted");
    assert_non_null(aborted);
    static const char publish[] = "publish #";
    long first = strtol(strstr(trace, publish) + strlen(publish), NULL, 10);
    long again = strtol(strstr(aborted, publish) + strlen(publish), NULL, 10);
    assert_true(first > 0);
    assert_int_equal(again, first);
    world_finish(world);
}

/* A broker in trouble isn't hammered. */
static void test_aborts_in_a_row_are_paused_between_for_longer_and_longer(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    world->transactions = 0;
    kafka(world, 1000, WORLD_ABORT, 0);
    send_creates(world, 0, 1, 1);
    world_run(world, 60000);
    /* At 6 ms each there would be ten thousand. The pauses are drawn from up to 5 s. */
    assert_true(world->transactions < 60);
    assert_true(world->transactions > 12);
    world_free(world);
}

/* After two aborts in a row the batch is halved each time, to find the culprit (design 5). */
static void test_the_batch_is_halved_after_two_aborts_in_a_row(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.batch_max = 8;
    world_serve(world, 1);
    kafka(world, 1, WORLD_SLOW, 500);
    kafka(world, 4, WORLD_ABORT, 0);
    send_creates(world, 0, 1, 9);
    world_run(world, 100);
    world_trace_restart(world);
    world_run_idle(world);

    /* The first alone, slowly; then eight of which 8, 8, 4 and 2 are tried, and then one commits.
     */
    const char *at = world_trace(world);
    int sizes[8] = {0};
    int transactions = 0;
    while (at != NULL && *at != '\0' && transactions < 8) {
        transactions += strncmp(at, "offset", 6) == 0;
        sizes[transactions > 0 ? transactions - 1 : 0] += strncmp(at, "publish", 7) == 0;
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    assert_int_equal(sizes[0], 8);
    assert_int_equal(sizes[1], 8);
    assert_int_equal(sizes[2], 4);
    assert_int_equal(sizes[3], 2);
    assert_int_equal(sizes[4], 1);
    assert_int_equal(sizes[5], 7); /* And back to whole batches. */
    world_finish(world);
}

/*
 * Were a record taken in before the start is committed, a crash could begin the partition at a
 * later start and lose it (design 4.10).
 */
static void test_the_start_of_a_new_partition_is_committed_before_anything(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->partitions[0].start = 3;
    for (int i = 1; i <= 5; i++) {
        char space[24];
        (void)snprintf(space, sizeof(space), "space-%d", i);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, i, space, "");
    }
    world_start(world, 0);
    kafka(world, 2, WORLD_ABORT, 0);
    world_assign(world, 0, 0);
    world_run(world, 6);
    assert_int_equal(world->aborts, 1);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_CLAIM], 0);
    world_run_idle(world);
    assert_int_equal(world->aborts, 2);
    assert_int_equal(world_traced(world, "claim"), 2);
    assert_int_equal(world->partitions[0].records[2].answers, 0);
    assert_int_equal(world->partitions[0].records[3].answers, 1);
    world_finish(world);
}

/* It isn't committed again: others may have moved on since. */
static void test_a_committed_start_is_not_committed_again(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    send_creates(world, 0, 1, 1);
    world_run_idle(world);
    world_revoke(world, 0, 0);
    world_run_idle(world);
    int before = world->transactions;
    world_assign(world, 0, 0);
    world_run_idle(world);
    assert_int_equal(world->transactions, before);
    world_finish(world);
}

/* ---- Outputs that refuse ---- */

static void refuse(struct world *world, int outputs, int64_t for_ms) {
    world->outputs_refused = (uint8_t)outputs;
    world->outputs_refused_until_ms = world->now_ms + for_ms;
}

/* One junk record must not stop the answers of others, whose transaction it shares. */
static void test_an_answer_that_an_output_refuses_is_set_aside_and_the_others_go_on(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 2);
    refuse(world, WORLD_DEAD_LETTERS, 60000);
    const struct world_record *junk = world_send_garbage(world, 0);
    send_creates(world, 0, 1, 3);
    send_creates(world, 1, 4, 3);
    world_run(world, 900);
    assert_int_equal(junk->answers, 0);
    assert_int_equal(world->partitions[0].committed, 0); /* The junk's own offset isn't. */
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(world->partitions[0].records[i].answers, 1);
    }
    assert_int_equal(world->partitions[1].committed, 3);
    assert_int_equal(world_figures(world, 0).set_aside, 1);
    assert_int_equal(world_figures(world, 0).ready, 0);
    assert_int_equal(world->aborts, 1); /* It is to blame, so nothing is halved nor waited for. */
    world_run(world, 80000);
    assert_int_equal(junk->answers, 1);
    assert_int_equal(world->partitions[0].committed, 4);
    assert_int_equal(world_figures(world, 0).set_aside, 0);
    world_finish(world);
}

/* Else a later answer of the space would be read before an earlier one. */
static void test_the_commands_of_a_space_wait_for_its_answer_that_is_set_aside(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse(world, WORLD_AUDIT, 30000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "alpha");
    world_run(world, 20000);
    assert_int_equal(world_traced(world, "claim #1"), 1);
    assert_int_equal(world_traced(world, "claim #2"), 0);
    assert_int_equal(world_traced(world, "store #1"), 1);
    world_run_idle(world);
    assert_int_equal(world_traced(world, "claim #1"), 1); /* It isn't done again. */
    assert_int_equal(world_traced(world, "store #1"), 1);
    assert_int_equal(world->partitions[0].committed, 2);
    world_finish(world);
}

/* What waits for an output is bounded by what bounds any slow command. */
static void test_what_is_set_aside_fills_no_more_than_its_partitions_window(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.window_max = 4;
    world_serve(world, 2);
    refuse(world, WORLD_DEAD_LETTERS, 30000);
    for (int i = 0; i < 8; i++) {
        (void)world_send_garbage(world, 0);
    }
    send_creates(world, 1, 1, 8);
    world_run(world, 20000);
    assert_int_equal(world_figures(world, 0).set_aside, 4);
    assert_int_equal(world->partitions[1].committed, 8);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 8);
    world_finish(world);
}

/* It may wait for hours: the partition isn't held back for it. */
static void test_a_partition_is_given_up_without_what_is_set_aside(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse(world, WORLD_DEAD_LETTERS | WORLD_AUDIT, INT64_C(40000));
    const struct world_record *junk = world_send_garbage(world, 0);
    const struct world_record *create = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, WORLD_LOOK_MS / 2); /* Nothing is tried again yet. */
    assert_int_equal(world_figures(world, 0).set_aside, 2);
    world_start(world, 1);
    world_revoke(world, 0, 0);
    world_run(world, 100);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(junk->answers, 1);
    assert_int_equal(create->answers, 1);
    assert_int_equal(create->form, BERTH_PUBLISH_STORED);
    assert_int_equal(world_traced(world, "store #1"), 1);
    world_finish(world);
}

/* The refusal may come after the order to give the partition up: it isn't set aside then. */
static void test_a_refusal_that_comes_while_a_partition_winds_down_holds_nothing_up(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse(world, WORLD_DEAD_LETTERS, INT64_C(40000));
    kafka(world, 1, WORLD_SLOW, 300);
    (void)world_send_garbage(world, 0);
    world_run(world, 100); /* Its transaction is under way. */
    world_revoke(world, 0, 0);
    world_run(world, 300);
    assert_int_equal(world->aborts, 1);
    assert_int_equal(world_traced(world, "give up p0"), 1);
    world_free(world);
}

static void test_a_worker_that_drains_does_not_wait_for_what_is_set_aside(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse(world, WORLD_DEAD_LETTERS, INT64_C(40000));
    (void)world_send_garbage(world, 0);
    world_run(world, WORLD_LOOK_MS / 2);
    world_drain(world, 0);
    world_run(world, 100);
    assert_true(world->workers[0].drained);
    assert_int_equal(world->workers[0].drained_left, 1);
    world_free(world);
}

/* An output that opens says nothing about another one. */
static void test_an_answer_waits_for_its_own_output(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world_serve(world, 1);
    refuse(world, WORLD_AUDIT | WORLD_DEAD_LETTERS, 20000);
    const struct world_record *junk = world_send_garbage(world, 0);
    const struct world_record *create = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 5000);
    world->outputs_refused = WORLD_DEAD_LETTERS;
    world_run(world, 5000);
    assert_int_equal(create->answers, 1);
    assert_int_equal(junk->answers, 0);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_gathers_during_a_transaction_goes_into_the_next),
        cmocka_unit_test(test_the_next_transaction_begins_when_the_one_before_is_committed),
        cmocka_unit_test(test_a_batch_holds_no_more_than_allowed),
        cmocka_unit_test(test_an_aborted_transaction_is_published_again_not_executed_again),
        cmocka_unit_test(test_an_aborted_batch_is_the_first_to_be_tried_again),
        cmocka_unit_test(test_aborts_in_a_row_are_paused_between_for_longer_and_longer),
        cmocka_unit_test(test_the_batch_is_halved_after_two_aborts_in_a_row),
        cmocka_unit_test(test_the_start_of_a_new_partition_is_committed_before_anything),
        cmocka_unit_test(test_a_committed_start_is_not_committed_again),
        cmocka_unit_test(test_an_answer_that_an_output_refuses_is_set_aside_and_the_others_go_on),
        cmocka_unit_test(test_the_commands_of_a_space_wait_for_its_answer_that_is_set_aside),
        cmocka_unit_test(test_what_is_set_aside_fills_no_more_than_its_partitions_window),
        cmocka_unit_test(test_a_partition_is_given_up_without_what_is_set_aside),
        cmocka_unit_test(test_a_refusal_that_comes_while_a_partition_winds_down_holds_nothing_up),
        cmocka_unit_test(test_a_worker_that_drains_does_not_wait_for_what_is_set_aside),
        cmocka_unit_test(test_an_answer_waits_for_its_own_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
