/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "berth/base/assert.h"
#include "berth/base/pool.h"

/* Runs it in a child and returns what the child said; it must have aborted. */
static void assert_aborts(void (*run)(void), char *ret_said, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        run();
        _exit(0);
    }
    (void)close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(ends[0], ret_said + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    ret_said[len] = '\0';
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void break_a_condition(void) {
    int two = 2;
    BERTH_ASSERT(two == 3);
}

static void test_a_broken_condition_ends_the_process_and_says_which(void **state) {
    (void)state;
    char said[512];
    assert_aborts(break_a_condition, said, sizeof(said));
    assert_non_null(strstr(said, "two == 3"));
    assert_non_null(strstr(said, "test_assert.c"));
}

static void reach_the_unreachable(void) {
    BERTH_UNREACHABLE("nobody comes here");
}

static void test_an_unreachable_place_ends_the_process_and_says_why(void **state) {
    (void)state;
    char said[512];
    assert_aborts(reach_the_unreachable, said, sizeof(said));
    assert_non_null(strstr(said, "nobody comes here"));
}

static void test_a_condition_that_holds_changes_nothing(void **state) {
    (void)state;
    int evaluated = 0;
    BERTH_ASSERT(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

/* ---- What the pool asserts ---- */

static void keep_memory(void) {
    struct berth_pool pool;
    berth_pool_init(&pool, 100);
    void *kept = berth_pool_alloc(&pool, 1);
    if (kept != NULL) {
        berth_pool_deinit(&pool);
    }
}

static void take_too_much(void) {
    struct berth_pool pool;
    berth_pool_init(&pool, 100);
    berth_pool_free(&pool, berth_pool_alloc(&pool, 100));
}

static void test_memory_that_was_not_given_back_is_a_bug_of_ours(void **state) {
    (void)state;
    char said[512];
    assert_aborts(keep_memory, said, sizeof(said));
    assert_non_null(strstr(said, "used_bytes"));
}

static void test_running_past_a_pools_limit_is_a_bug_of_ours(void **state) {
    (void)state;
    char said[512];
    assert_aborts(take_too_much, said, sizeof(said));
    assert_non_null(strstr(said, "limit_bytes"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_condition_ends_the_process_and_says_which),
        cmocka_unit_test(test_an_unreachable_place_ends_the_process_and_says_why),
        cmocka_unit_test(test_a_condition_that_holds_changes_nothing),
        cmocka_unit_test(test_memory_that_was_not_given_back_is_a_bug_of_ours),
        cmocka_unit_test(test_running_past_a_pools_limit_is_a_bug_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
