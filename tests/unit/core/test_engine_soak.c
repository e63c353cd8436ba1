/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many short worlds with everything going wrong at once: a fixed set, and outside of CI some that
 * nobody has run before. The seed of one that fails is printed, and BERTH_SOAK_SEED=<seed> runs
 * that one again with its trace. BERTH_SOAK_WORLDS=<n>: so many of the fixed set;
 * BERTH_FRESH_SEED=<seed>: the first of the fresh ones.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <cmocka.h>

#include "soak_world.h"

#define WORLDS       1500
#define FRESH_WORLDS 300
/* Seeds that are easily typed, and none of the fixed ones. */
#define FRESH_BASE_MIN 1000000
#define FRESH_BASE_MAX 1000000000

/* For whoever is told of an abort: which world it was. */
static char seed_under_way[96];

static void run_worlds(uint64_t first, uint64_t count) {
    for (uint64_t seed = first; seed < first + count; seed++) {
        (void)snprintf(seed_under_way, sizeof(seed_under_way),
                       "soak: repeat it with BERTH_SOAK_SEED=%llu, or ./dev soak --seed %llu\n",
                       (unsigned long long)seed, (unsigned long long)seed);
        soak_run_world(seed, false);
    }
    seed_under_way[0] = '\0';
}

static void tell_seed(void) {
    (void)!write(STDERR_FILENO, seed_under_way, strlen(seed_under_way));
}

static void on_abort(int signal_number) {
    (void)signal_number;
    tell_seed();
}

static uint64_t number_from(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Whatever goes wrong, and in whatever order: the promises at the top of engine_world.h hold. */
static void test_every_world_ends_as_commanded(void **state) {
    (void)state;
    uint64_t only = number_from("BERTH_SOAK_SEED", 0);
    if (only != 0) {
        soak_run_world(only, true);
        return;
    }
    run_worlds(1, number_from("BERTH_SOAK_WORLDS", WORLDS));
}

/* Whether it passes doesn't depend on luck where that decides about a change. */
static void test_worlds_that_nobody_has_run_before_end_so_too(void **state) {
    (void)state;
    const char *ci = getenv("CI");
    if ((ci != NULL && strcmp(ci, "true") == 0) || getenv("BERTH_SOAK_SEED") != NULL) {
        skip();
    }
    uint64_t random = 0;
    assert_int_equal(getrandom(&random, sizeof(random), 0), sizeof(random));
    uint64_t base = number_from("BERTH_FRESH_SEED",
                                FRESH_BASE_MIN + random % (FRESH_BASE_MAX - FRESH_BASE_MIN));
    print_message("soak: %d fresh worlds from seed %llu\n", FRESH_WORLDS, (unsigned long long)base);
    run_worlds(base, FRESH_WORLDS);
}

int main(void) {
    (void)signal(SIGABRT, on_abort);
    (void)atexit(tell_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_world_ends_as_commanded),
        cmocka_unit_test(test_worlds_that_nobody_has_run_before_end_so_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
