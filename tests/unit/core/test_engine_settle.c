/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ledger is told after a commit: which outcomes may shrink, and where partitions ended
 * (design 4.3, 4.10). That nothing is told before it was committed is checked by the world, and
 * that every base was told in the end by world_finish().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine_world.h"

static struct world *served(int partitions) {
    struct world *world = world_new(1);
    world_serve(world, partitions);
    world->ledger_calls[BERTH_LEDGER_SETTLED] = 0;
    return world;
}

static void fault(struct world *world, enum world_channel channel, int kind, int count,
                  enum world_fault fault, int64_t delay_ms) {
    world_rule(world, (struct world_rule){.channel = channel,
                                          .kind = kind,
                                          .count = count,
                                          .fault = fault,
                                          .delay_ms = delay_ms});
}

static bool shrunk(const struct world *world, int number) {
    const struct world_ledger_command *command = &world->ledger_commands[number];
    assert_true(command->stored);
    return command->publication.result_only;
}

/* An operator sets the group's offset back, and the worker starts again. */
static void set_back(struct world *world, struct world_record *record) {
    world_crash(world, 0);
    world->partitions[record->partition].committed = record->offset;
    world->partitions[record->partition].owner = -1;
    record->answers = 0;
    world_start(world, 0);
    world_assign(world, 0, record->partition);
}

/* One round trip a transaction, however many commands and partitions are in it. */
static void test_a_transaction_is_told_in_one_call(void **state) {
    (void)state;
    struct world *world = served(2);
    fault(world, WORLD_KAFKA, WORLD_ANY, 1, WORLD_SLOW, 1000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 100);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 2, "team-b", "");
    (void)world_send(world, 1, BERTH_CREATE_SPACE, 3, "team-c", "");
    (void)world_send_garbage(world, 1);
    world->transactions = 0;
    world_run_idle(world);
    assert_int_equal(world->transactions, 1);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_SETTLED], 2);
    for (int number = 1; number <= 3; number++) {
        assert_true(shrunk(world, number));
    }
    assert_int_equal(world->partitions[0].base, 2);
    assert_int_equal(world->partitions[1].base, 2);
    world_finish(world);
}

/* Transactions don't wait for the ledger: what they settle meanwhile is told together. */
static void test_what_is_committed_while_the_ledger_is_told_gathers(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 1, WORLD_SLOW, 1500);
    for (int number = 1; number <= 5; number++) {
        char space[24];
        (void)snprintf(space, sizeof(space), "space-%d", number);
        (void)world_send(world, 0, BERTH_CREATE_SPACE, number, space, "");
        world_run(world, 100);
    }
    assert_int_equal(world->partitions[0].committed, 5);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_SETTLED], 1);
    world_run_idle(world);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_SETTLED], 2);
    assert_true(shrunk(world, 5));
    world_finish(world);
}

/* Nothing waits for it: the next command of the space begins although the ledger says nothing. */
static void test_no_lane_waits_until_it_is_told(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 1, WORLD_LOSE_CALL, 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    (void)world_send(world, 0, BERTH_BIND_WORKSPACE, 2, "team-a", "blue");
    world_run(world, 500);
    assert_int_equal(world->partitions[0].committed, 2);
    world_finish(world);
}

/* A lost telling costs memory for the outcomes, and nothing for the base: it is told again. */
static void test_a_base_that_was_not_taken_is_told_again(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 3, WORLD_LOSE_CALL, 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_SETTLED], 4);
    assert_false(shrunk(world, 1));
    assert_int_equal(world->partitions[0].base, 1);
    world_finish(world);
}

/* The first of all bases is the start: without it an expired offset would choose another one. */
static void test_the_start_of_a_partition_is_a_base(void **state) {
    (void)state;
    struct world *world = world_new(1);
    for (int i = 0; i < 5; i++) {
        (void)world_send_garbage(world, 0);
        world->partitions[0].records[i].answers = 1; /* Before this group's time. */
    }
    world->partitions[0].start = 5;
    world_serve(world, 1);
    assert_int_equal(world->partitions[0].committed, 5);
    assert_int_equal(world->partitions[0].base, 5);
    world_finish(world);
}

/* Whoever committed may have died before it told the ledger; the next owner does. */
static void test_who_gains_a_partition_tells_what_was_committed(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 1, WORLD_LOSE_CALL, 0);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 500);
    assert_int_equal(world->partitions[0].committed, 1);
    world_crash(world, 0);
    assert_int_equal(world->partitions[0].base, 0);
    world_start(world, 1);
    world->partitions[0].owner = -1;
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].base, 1);
    world_finish(world);
}

/* A base is what was committed, so an aborted transaction tells none. */
static void test_an_aborted_transaction_tells_nothing(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_KAFKA, WORLD_ANY, 1, WORLD_ABORT, 0);
    fault(world, WORLD_KAFKA, WORLD_ANY, 1, WORLD_SLOW, 5000);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 3000);
    assert_int_equal(world->aborts, 1);
    assert_int_equal(world->ledger_calls[BERTH_LEDGER_SETTLED], 0);
    assert_false(shrunk(world, 1));
    world_finish(world);
    /* It was told in the end: world_finish() looks at the base. */
}

/* Audit and state were published long ago; the answer is there for as long as the id is known. */
static void test_after_it_was_settled_only_the_result_is_published_again(void **state) {
    (void)state;
    struct world *world = served(1);
    struct world_record *record = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run_idle(world);
    assert_true(record->answer.audit);
    const struct world_publication first = record->answer;
    set_back(world, record);
    world_run_idle(world);
    assert_int_equal(record->form, BERTH_PUBLISH_STORED);
    assert_true(record->answer.result_only);
    assert_false(record->answer.audit);
    assert_string_equal(record->answer.code, first.code);
    assert_int_equal(record->answer.finished_at_ms, first.finished_at_ms);
    world_finish(world);
}

/* The answer to a copy of a command says nothing of the record that was carried out: its audit
 * record isn't published yet. */
static void test_a_replay_does_not_settle_the_outcome(void **state) {
    (void)state;
    struct world *world = served(2);
    /* The transaction with the first record's answer is never decided, its worker dies. */
    fault(world, WORLD_KAFKA, WORLD_ANY, 1, WORLD_SLOW, 2000);
    struct world_record *first = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_run(world, 500);
    world_crash(world, 0);
    world_run(world, 3000);
    assert_int_equal(first->answers, 0);

    const struct world_record *copy = world_send(world, 1, BERTH_CREATE_SPACE, 1, "team-a", "");
    world_start(world, 1);
    world->partitions[1].owner = -1;
    world_assign(world, 1, 1);
    world_run_idle(world);
    assert_int_equal(copy->form, BERTH_PUBLISH_REPLAY);
    assert_false(shrunk(world, 1));

    world->partitions[0].owner = -1;
    world_assign(world, 1, 0);
    world_run_idle(world);
    assert_int_equal(first->form, BERTH_PUBLISH_STORED);
    assert_true(first->answer.audit);
    assert_true(shrunk(world, 1));
    world_finish(world);
}

/* The dead letter is sent again at once, while the ledger still has to be told of the first end:
 * that telling must not touch what is stored now. Its record isn't committed then, so the world
 * would say so. */
static void test_a_late_telling_does_not_touch_a_replayed_dead_letter(void **state) {
    (void)state;
    struct world *world = world_new(1);
    world->config.retry_attempts = 1;
    world_serve(world, 1);
    fault(world, WORLD_HARBOR, BERTH_HARBOR_CREATE_PROJECT, 1, WORLD_UNKNOWN_APPLIED, 0);
    fault(world, WORLD_HARBOR, BERTH_HARBOR_GET_PROJECT_NAME, 5, WORLD_UNKNOWN_LOST, 0);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 1, WORLD_LATE_CALL, 4000);
    const struct world_record *failed = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    const struct world_record *again = world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    /* The second one is stored, and its transaction takes longer than the late telling. */
    world_rule(world, (struct world_rule){.channel = WORLD_KAFKA,
                                          .kind = WORLD_ANY,
                                          .skip = 1,
                                          .count = 1,
                                          .fault = WORLD_SLOW,
                                          .delay_ms = 20000});
    world_run_idle(world);
    assert_int_equal(failed->answer.kind, BERTH_FAILED);
    assert_int_equal(again->form, BERTH_PUBLISH_MADE);
    assert_true(shrunk(world, 1));
    world_finish(world);
}

/* Redis lost what it had: nothing is made of what is told of it. */
static void test_an_entry_that_is_gone_stays_gone(void **state) {
    (void)state;
    struct world *world = served(1);
    fault(world, WORLD_LEDGER, BERTH_LEDGER_SETTLED, 1, WORLD_SLOW, 1500);
    (void)world_send(world, 0, BERTH_CREATE_SPACE, 1, "team-a", "");
    fault(world, WORLD_KAFKA, WORLD_ANY, 1, WORLD_SLOW, 500);
    world_run(world, 300);
    world_ledger_lose(world);
    world_run_idle(world);
    assert_int_equal(world->partitions[0].committed, 1);
    assert_false(world->ledger_commands[1].known);
    assert_int_equal(world->partitions[0].base, 1);
    world_finish(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transaction_is_told_in_one_call),
        cmocka_unit_test(test_what_is_committed_while_the_ledger_is_told_gathers),
        cmocka_unit_test(test_no_lane_waits_until_it_is_told),
        cmocka_unit_test(test_a_base_that_was_not_taken_is_told_again),
        cmocka_unit_test(test_the_start_of_a_partition_is_a_base),
        cmocka_unit_test(test_who_gains_a_partition_tells_what_was_committed),
        cmocka_unit_test(test_an_aborted_transaction_tells_nothing),
        cmocka_unit_test(test_after_it_was_settled_only_the_result_is_published_again),
        cmocka_unit_test(test_a_replay_does_not_settle_the_outcome),
        cmocka_unit_test(test_a_late_telling_does_not_touch_a_replayed_dead_letter),
        cmocka_unit_test(test_an_entry_that_is_gone_stays_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
