/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of what Harbor doesn't have: short, bounded, and about one time before any command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lookup_absent.h"

#define NOW_MS  1000
#define WALL_MS INT64_C(1800000000000)

static struct lookup_absent absent;

static int set_up(void **state) {
    (void)state;
    absent = (struct lookup_absent){.next = 0};
    return 0;
}

static void test_an_absence_is_remembered_for_a_while_with_its_time(void **state) {
    (void)state;
    lookup_absent_add(&absent, 2, "team-a", "17", WALL_MS, NOW_MS);
    const struct lookup_absence *found = lookup_absent_find(&absent, 2, "team-a", "17", NOW_MS);
    assert_non_null(found);
    assert_int_equal(found->as_of_ms, WALL_MS);
    int64_t end_ms = NOW_MS + BERTH_LOOKUP_NEGATIVE_MS;
    assert_non_null(lookup_absent_find(&absent, 2, "team-a", "17", end_ms - 1));
    assert_null(lookup_absent_find(&absent, 2, "team-a", "17", end_ms));
}

static void test_an_absence_is_of_one_space_in_one_registry(void **state) {
    (void)state;
    lookup_absent_add(&absent, 2, "team-a", "", WALL_MS, NOW_MS);
    assert_null(lookup_absent_find(&absent, 1, "team-a", "", NOW_MS));
    assert_null(lookup_absent_find(&absent, 2, "team-b", "", NOW_MS));
    assert_null(lookup_absent_find(&absent, 0, "", "", NOW_MS));
}

/* A command may have made the space since. */
static void test_another_token_ends_an_absence(void **state) {
    (void)state;
    lookup_absent_add(&absent, 2, "team-a", "", WALL_MS, NOW_MS);
    assert_null(lookup_absent_find(&absent, 2, "team-a", "17", NOW_MS));
    lookup_absent_add(&absent, 2, "team-a", "17", WALL_MS, NOW_MS);
    assert_non_null(lookup_absent_find(&absent, 2, "team-a", "17", NOW_MS));
    assert_null(lookup_absent_find(&absent, 2, "team-a", "18", NOW_MS));
}

static void test_a_newer_absence_takes_the_place_of_an_older_one(void **state) {
    (void)state;
    lookup_absent_add(&absent, 2, "team-a", "", WALL_MS, NOW_MS);
    lookup_absent_add(&absent, 2, "team-a", "", WALL_MS + 9, NOW_MS + BERTH_LOOKUP_NEGATIVE_MS);
    const struct lookup_absence *found =
        lookup_absent_find(&absent, 2, "team-a", "", NOW_MS + BERTH_LOOKUP_NEGATIVE_MS);
    assert_non_null(found);
    assert_int_equal(found->as_of_ms, WALL_MS + 9);
    assert_int_equal(absent.next, 1);
}

/* Whoever asks for a thousand names must not make us grow. */
static void test_the_oldest_absence_makes_room(void **state) {
    (void)state;
    char name[32];
    for (int i = 0; i <= BERTH_LOOKUP_NEGATIVE_MAX; i++) {
        (void)snprintf(name, sizeof name, "team-%d", i);
        lookup_absent_add(&absent, 0, name, "", WALL_MS, NOW_MS);
    }
    assert_null(lookup_absent_find(&absent, 0, "team-0", "", NOW_MS));
    assert_non_null(lookup_absent_find(&absent, 0, "team-1", "", NOW_MS));
    assert_non_null(lookup_absent_find(&absent, 0, name, "", NOW_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_absence_is_remembered_for_a_while_with_its_time, set_up),
        cmocka_unit_test_setup(test_an_absence_is_of_one_space_in_one_registry, set_up),
        cmocka_unit_test_setup(test_another_token_ends_an_absence, set_up),
        cmocka_unit_test_setup(test_a_newer_absence_takes_the_place_of_an_older_one, set_up),
        cmocka_unit_test_setup(test_the_oldest_absence_makes_room, set_up),
    };
    return cmocka_run_group_tests_name("lookup_absent", tests, NULL, NULL);
}
