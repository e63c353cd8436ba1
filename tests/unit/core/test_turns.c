/* SPDX-License-Identifier: Apache-2.0 */
/* Every partition has its turn, however little room there is (core/turns.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "berth/core/turns.h"

#define PARTITIONS 7

struct shelf {
    uint32_t waiting[PARTITIONS]; /* Records. */
    uint32_t taken[PARTITIONS];
    uint32_t asked[PARTITIONS];
    uint32_t room;
    uint32_t closed; /* A partition without room of its own; PARTITIONS: none. */
};

static enum berth_rc take(void *ctx, uint32_t partition) {
    struct shelf *shelf = ctx;
    shelf->asked[partition]++;
    if (shelf->waiting[partition] == 0) {
        return BERTH_END;
    }
    if (shelf->room == 0 || partition == shelf->closed) {
        return BERTH_BUSY;
    }
    shelf->room--;
    shelf->waiting[partition]--;
    shelf->taken[partition]++;
    return BERTH_OK;
}

static struct shelf full(uint32_t room) {
    struct shelf shelf = {.room = room, .closed = PARTITIONS};
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        shelf.waiting[i] = 1000;
    }
    return shelf;
}

static void test_room_that_comes_one_by_one_goes_to_each_in_turn(void **state) {
    (void)state;
    struct shelf shelf = full(0);
    struct berth_turns turns = {0};
    bool held_back = false;
    for (uint32_t i = 0; i < 10 * PARTITIONS; i++) {
        shelf.room = 1;
        assert_int_equal(berth_turns_take(&turns, PARTITIONS, 256, take, &shelf, &held_back), 1);
        assert_true(held_back);
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(shelf.taken[i], 10);
    }
}

static void test_much_room_is_shared_evenly(void **state) {
    (void)state;
    struct shelf shelf = full(4 * PARTITIONS + 2);
    struct berth_turns turns = {.next = 3};
    bool held_back = false;
    (void)berth_turns_take(&turns, PARTITIONS, 256, take, &shelf, &held_back);
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(shelf.taken[i], i == 3 || i == 4 ? 5 : 4);
    }
}

static void test_whoever_has_no_room_of_its_own_holds_up_nobody(void **state) {
    (void)state;
    struct shelf shelf = full(12);
    shelf.closed = 2;
    struct berth_turns turns = {0};
    bool held_back = false;
    assert_int_equal(berth_turns_take(&turns, PARTITIONS, 256, take, &shelf, &held_back), 12);
    assert_true(held_back);
    assert_int_equal(shelf.taken[2], 0);
    assert_int_equal(shelf.taken[6], 2);
}

/* Each asking is a look into a queue of librdkafka's. */
static void test_whoever_has_nothing_is_asked_once(void **state) {
    (void)state;
    struct shelf shelf = {.waiting = {[5] = 100}, .room = 1000, .closed = PARTITIONS};
    struct berth_turns turns = {0};
    bool held_back = true;
    assert_int_equal(berth_turns_take(&turns, PARTITIONS, 256, take, &shelf, &held_back), 100);
    assert_false(held_back);
    assert_int_equal(shelf.asked[4], 1);
}

static void test_no_more_is_taken_than_was_asked_for(void **state) {
    (void)state;
    struct shelf shelf = full(1000);
    struct berth_turns turns = {0};
    bool held_back = false;
    assert_int_equal(berth_turns_take(&turns, PARTITIONS, 10, take, &shelf, &held_back), 10);
    assert_int_equal(berth_turns_take(&turns, PARTITIONS, 4, take, &shelf, &held_back), 4);
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(shelf.taken[i], 2);
    }
}

/* The last ones have gone. */
static void test_a_turn_of_somebody_who_has_gone_is_the_first_ones(void **state) {
    (void)state;
    struct shelf shelf = full(1);
    struct berth_turns turns = {.next = PARTITIONS};
    bool held_back = false;
    assert_int_equal(berth_turns_take(&turns, 3, 256, take, &shelf, &held_back), 1);
    assert_int_equal(shelf.taken[0], 1);
    assert_int_equal(berth_turns_take(&turns, 0, 256, take, &shelf, &held_back), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_that_comes_one_by_one_goes_to_each_in_turn),
        cmocka_unit_test(test_much_room_is_shared_evenly),
        cmocka_unit_test(test_whoever_has_no_room_of_its_own_holds_up_nobody),
        cmocka_unit_test(test_whoever_has_nothing_is_asked_once),
        cmocka_unit_test(test_no_more_is_taken_than_was_asked_for),
        cmocka_unit_test(test_a_turn_of_somebody_who_has_gone_is_the_first_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
