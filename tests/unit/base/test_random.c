/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "berth/base/random.h"

/* A run can be repeated from its seed, on any machine: these are the algorithm's own numbers
 * (splitmix64 of 0 as the state of xoshiro256**). */
static void test_the_numbers_of_a_seed_are_always_the_same(void **state) {
    (void)state;
    struct berth_random random;
    berth_random_init(&random, 0);
    assert_true(random.state[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(random.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(random.state[2] == UINT64_C(0x06c45d188009454f));
    assert_true(random.state[3] == UINT64_C(0xf88bb8a8724c81ec));
    assert_true(berth_random_next(&random) == UINT64_C(0x99ec5f36cb75f2b4));
    assert_true(berth_random_next(&random) == UINT64_C(0xbf6e1f784956452a));
    assert_true(berth_random_next(&random) == UINT64_C(0x1a5f849d4933e6e0));
}

static void test_seeds_differ(void **state) {
    (void)state;
    struct berth_random one;
    struct berth_random two;
    berth_random_init(&one, 1);
    berth_random_init(&two, 2);
    assert_true(berth_random_next(&one) != berth_random_next(&two));
}

static void test_numbers_stay_below_their_bound(void **state) {
    (void)state;
    static const int64_t bounds[] = {1, 2, 3, 10, 1000, INT64_MAX / 2 + 2, INT64_MAX};
    struct berth_random random;
    berth_random_init(&random, 42);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (int n = 0; n < 1000; n++) {
            int64_t drawn = berth_random_below(&random, bounds[i]);
            assert_true(drawn >= 0);
            assert_true(drawn < bounds[i]);
        }
    }
}

/* 2^64 is two and two thirds times the large bound: were no number drawn again, its lower two
 * thirds would come three times where the rest comes twice, and its lower half in 56 of 100 draws.
 */
static void test_no_number_is_favoured(void **state) {
    (void)state;
    struct berth_random random;
    berth_random_init(&random, 42);
    int counts[3] = {0};
    int64_t bound = INT64_MAX / 4 * 3;
    int low = 0;
    for (int n = 0; n < 30000; n++) {
        counts[berth_random_below(&random, 3)]++;
        low += berth_random_below(&random, bound) < bound / 2;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(counts[i], 9700, 10300);
    }
    assert_in_range(low, 14700, 15300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_numbers_of_a_seed_are_always_the_same),
        cmocka_unit_test(test_seeds_differ),
        cmocka_unit_test(test_numbers_stay_below_their_bound),
        cmocka_unit_test(test_no_number_is_favoured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
