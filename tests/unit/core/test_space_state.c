/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a space: a sorted set of bindings with a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/pool.h"
#include "berth/core/space.h"

static struct berth_pool pool;
static struct berth_space_state state;

static int set_up(void **unused) {
    (void)unused;
    berth_pool_init(&pool, (size_t)4 * 1024 * 1024);
    berth_space_state_init(&state);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    berth_space_state_deinit(&state, &pool);
    berth_pool_deinit(&pool);
    return 0;
}

static void put(struct berth_space_state *target, const char *workspace, int64_t robot_id) {
    struct berth_binding binding = {.robot_id = robot_id};
    (void)snprintf(binding.workspace, sizeof(binding.workspace), "%s", workspace);
    berth_space_state_put(target, &binding, &pool);
}

/* Nothing known is not "absent". */
static void test_a_new_state_is_unknown(void **unused) {
    (void)unused;
    assert_int_equal(state.knowledge, BERTH_SPACE_UNKNOWN);
    assert_int_equal(state.bindings_count, 0);
    assert_null(berth_space_state_find(&state, "a"));
    assert_false(berth_space_state_remove(&state, "a"));
}

static void test_bindings_stay_sorted_and_unique(void **unused) {
    (void)unused;
    put(&state, "m", 1);
    put(&state, "z", 2);
    put(&state, "a", 3);
    put(&state, "m", 4);
    assert_int_equal(state.bindings_count, 3);
    assert_string_equal(state.bindings[0].workspace, "a");
    assert_string_equal(state.bindings[1].workspace, "m");
    assert_string_equal(state.bindings[2].workspace, "z");
    assert_int_equal(berth_space_state_find(&state, "m")->robot_id, 4);
    assert_true(berth_space_state_remove(&state, "m"));
    assert_false(berth_space_state_remove(&state, "m"));
    assert_int_equal(state.bindings_count, 2);
    assert_string_equal(state.bindings[1].workspace, "z");
}

static void test_a_space_takes_a_thousand_bindings(void **unused) {
    (void)unused;
    char name[BERTH_WORKSPACE_BYTES];
    for (int i = BERTH_SPACE_BINDINGS_MAX - 1; i >= 0; i--) {
        (void)snprintf(name, sizeof(name), "w%04d", i);
        put(&state, name, i);
    }
    assert_int_equal(state.bindings_count, BERTH_SPACE_BINDINGS_MAX);
    for (int i = 0; i < BERTH_SPACE_BINDINGS_MAX; i++) {
        assert_int_equal(state.bindings[i].robot_id, i);
    }
    put(&state, "w0500", 7); /* Overwriting needs no room. */
    assert_int_equal(berth_space_state_find(&state, "w0500")->robot_id, 7);
}

/* An array that somebody made to measure has no room, and must not be written beyond. */
static void test_an_array_made_to_measure_grows(void **unused) {
    (void)unused;
    state.bindings = berth_pool_alloc(&pool, sizeof(*state.bindings));
    state.bindings_count = 1;
    (void)snprintf(state.bindings[0].workspace, sizeof(state.bindings[0].workspace), "b");
    put(&state, "a", 1);
    assert_int_equal(state.bindings_count, 2);
    assert_string_equal(state.bindings[1].workspace, "b");
}

static void test_a_copy_is_equal_and_independent(void **unused) {
    (void)unused;
    struct berth_space_state copy;
    berth_space_state_init(&copy);
    put(&copy, "old", 9);
    state.knowledge = BERTH_SPACE_PRESENT;
    state.project_id = 5;
    put(&state, "a", 1);
    berth_space_state_copy(&copy, &state, &pool);
    assert_true(berth_space_state_equal(&copy, &state));
    put(&copy, "b", 2);
    assert_false(berth_space_state_equal(&copy, &state));
    assert_int_equal(state.bindings_count, 1);
    berth_space_state_deinit(&copy, &pool);
    berth_space_state_deinit(&copy, &pool);
}

/* Who changed it last, and when, is no difference of the space; everything that others see is. */
static void test_equality_is_about_what_others_see(void **unused) {
    (void)unused;
    struct berth_space_state a = {.knowledge = BERTH_SPACE_PRESENT, .project_id = 1};
    struct berth_space_state b = a;
    b.version = 7;
    b.updated_at_ms = 8;
    b.verified_at_ms = 9;
    assert_true(berth_space_state_equal(&a, &b));
    b.visibility = BERTH_PUBLIC;
    assert_false(berth_space_state_equal(&a, &b));
    b = a;
    b.quota_bytes = 3;
    assert_false(berth_space_state_equal(&a, &b));
    b = a;
    b.created_by[0] = 'x';
    assert_false(berth_space_state_equal(&a, &b));

    struct berth_binding x = {.workspace = "w", .robot_id = 1};
    struct berth_binding y = x;
    a.bindings = &x;
    a.bindings_count = 1;
    b = a;
    b.bindings = &y;
    assert_true(berth_space_state_equal(&a, &b));
    y.key_id[0] = '1';
    assert_false(berth_space_state_equal(&a, &b));

    struct berth_space_state absent = {.knowledge = BERTH_SPACE_ABSENT};
    struct berth_space_state unknown = {.knowledge = BERTH_SPACE_UNKNOWN};
    assert_false(berth_space_state_equal(&absent, &unknown));
    assert_false(berth_space_state_equal(&absent, &a));
}

#define SPACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SPACE_TEST(test_a_new_state_is_unknown),
        SPACE_TEST(test_bindings_stay_sorted_and_unique),
        SPACE_TEST(test_a_space_takes_a_thousand_bindings),
        SPACE_TEST(test_an_array_made_to_measure_grows),
        SPACE_TEST(test_a_copy_is_equal_and_independent),
        SPACE_TEST(test_equality_is_about_what_others_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
