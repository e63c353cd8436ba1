/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/pool.h"

static void test_memory_is_zeroed_aligned_and_counted(void **state) {
    (void)state;
    struct berth_pool pool;
    berth_pool_init(&pool, 10000);
    unsigned char *memory = berth_pool_alloc(&pool, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(memory[i], 0);
    }
    assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
    assert_int_equal(pool.used_bytes, berth_pool_cost(100));
    assert_int_equal(berth_pool_free_bytes(&pool), 10000 - berth_pool_cost(100));
    berth_pool_free(&pool, memory);
    assert_int_equal(pool.used_bytes, 0);
    berth_pool_deinit(&pool);
}

/* The whole appetite is one number: book-keeping counts too. */
static void test_a_pool_gives_exactly_its_limit(void **state) {
    (void)state;
    struct berth_pool pool;
    berth_pool_init(&pool, 3 * berth_pool_cost(64));
    void *memory[3];
    for (size_t i = 0; i < 3; i++) {
        memory[i] = berth_pool_alloc(&pool, 64);
    }
    assert_int_equal(berth_pool_free_bytes(&pool), 0);
    for (size_t i = 0; i < 3; i++) {
        berth_pool_free(&pool, memory[i]);
    }
    berth_pool_deinit(&pool);
}

static void test_giving_back_nothing_is_fine(void **state) {
    (void)state;
    struct berth_pool pool;
    berth_pool_init(&pool, 100);
    berth_pool_free(&pool, NULL);
    berth_pool_deinit(&pool);
}

static void test_a_reservation_takes_from_what_is_free(void **state) {
    (void)state;
    struct berth_pool pool;
    berth_pool_init(&pool, 1000);
    assert_int_equal(berth_pool_reserve(&pool, 700), BERTH_OK);
    assert_int_equal(berth_pool_free_bytes(&pool), 300);
    assert_int_equal(berth_pool_reserve(&pool, 301), BERTH_BUSY);
    assert_int_equal(berth_pool_free_bytes(&pool), 300);
    assert_int_equal(berth_pool_reserve(&pool, 300), BERTH_OK);
    berth_pool_unreserve(&pool, 1000);
    assert_int_equal(berth_pool_free_bytes(&pool), 1000);
    berth_pool_deinit(&pool);
}

/* Whoever reserved may use it, even if both together look like more than there is. */
static void test_a_reservation_being_used_counts_twice_but_never_below_zero(void **state) {
    (void)state;
    struct berth_pool pool;
    berth_pool_init(&pool, 1000);
    assert_int_equal(berth_pool_reserve(&pool, 900), BERTH_OK);
    void *memory = berth_pool_alloc(&pool, 500);
    assert_int_equal(berth_pool_free_bytes(&pool), 0);
    assert_int_equal(berth_pool_reserve(&pool, 1), BERTH_BUSY);
    berth_pool_free(&pool, memory);
    berth_pool_unreserve(&pool, 900);
    berth_pool_deinit(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_counted),
        cmocka_unit_test(test_a_pool_gives_exactly_its_limit),
        cmocka_unit_test(test_giving_back_nothing_is_fine),
        cmocka_unit_test(test_a_reservation_takes_from_what_is_free),
        cmocka_unit_test(test_a_reservation_being_used_counts_twice_but_never_below_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
