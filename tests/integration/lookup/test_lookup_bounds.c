/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of lookups: at full size, with too many at once, and with a Redis that is away. */
#include "lookup_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lookup_parts.h"
#include "own_redis.h"

#define MANY       100000
#define BOUND_MANY 10000
#define SAMPLES    100

/* Four spaces. */
static void put_a_few(struct lookup_world *lookup) {
    static const char script[] =
        "for i, name in ipairs({'a', 'b', 'c', 'd'}) do "
        "redis.call('ZADD', 'berth:v1:registry:alpha', 0, 'alpha/' .. name) "
        "redis.call('HSET', 'berth:v1:space:alpha/' .. name, 'state', 'present', 'project_id', i) "
        "end return 'OK'";
    assert_string_equal(redis_says(lookup->world, "EVAL %s 0", script), "OK");
}

/* ---- At full size ---- */

static int compare_times(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double now_us(void) {
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void tell(const char *what, double *samples) {
    qsort(samples, SAMPLES, sizeof *samples, compare_times);
    print_message("%s: p50 %.0f us, p99 %.0f us\n", what, samples[SAMPLES / 2],
                  samples[SAMPLES * 99 / 100]);
}

/* In chunks, so that no script blocks Redis for long. Two bindings each; every tenth is public. */
static void put_many(struct lookup_world *lookup) {
    static const char script[] =
        "for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do "
        "local member = string.format('alpha/team-%06d', i) "
        "local own = 'w' .. i % 1000 "
        "local public = i % 10 == 0 "
        "redis.call('HSET', 'berth:v1:space:' .. member, 'state', 'present', 'version', '7', "
        "'project_id', i + 1, 'visibility', public and 'PUBLIC' or 'PRIVATE', 'quota_bytes', '-1', "
        "'created_by', '', 'updated_by', '', 'updated_at', '0', 'verified_at', '1800000000000', "
        "'token', '1800000000000000', 'binding:' .. own, '7 0badc0de active', "
        "i % 10 == 3 and 'binding:wide' or 'binding:other', '8 - active') "
        "redis.call('ZADD', 'berth:v1:registry:alpha', 0, member) "
        "redis.call('ZADD', 'berth:v1:workspace:' .. own, 0, member) "
        "if i % 10 == 3 then redis.call('ZADD', 'berth:v1:workspace:wide', 0, member) end "
        "if public then redis.call('ZADD', 'berth:v1:registry:alpha:public', 0, member) end end "
        "return 'OK'";
    /* Nobody needs it after a restart, and it is half of the time. */
    assert_string_equal(redis_says(lookup->world, "CONFIG SET appendonly no"), "OK");
    for (int i = 0; i < MANY; i += 5000) {
        assert_string_equal(redis_says(lookup->world, "EVAL %s 0 %d %d", script, i, i + 4999),
                            "OK");
    }
}

/* Goes through a list of any length; how many spaces it had. */
static size_t walk(struct lookup_world *lookup, struct berth_lookup_query query) {
    char after[BERTH_LOOKUP_CURSOR_BYTES] = "";
    size_t count = 0;
    bool more = true;
    while (more) {
        query.after = after;
        const struct seen_answer *seen = see_page(lookup, &query);
        assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
        assert_true(strcmp(seen->first, after) > 0);
        count += seen->spaces_count;
        more = seen->more;
        (void)snprintf(after, sizeof after, "%s", seen->last);
    }
    return count;
}

static void test_a_registry_of_100000_and_a_workspace_of_10000_are_read_page_by_page(void **state) {
    struct lookup_world *lookup = *state;
    struct berth_lookup_query query = {.registry = "alpha", .limit = BERTH_LOOKUP_PAGE_MAX};
    assert_string_equal(see_names(lookup, query), ""); /* Connects: the loop stands still next. */
    put_many(lookup);
    assert_int_equal(walk(lookup, query), MANY);
    query = (struct berth_lookup_query){.workspace = "wide", .limit = BERTH_LOOKUP_PAGE_MAX};
    assert_int_equal(walk(lookup, query), BOUND_MANY);
    query.public = true;
    assert_int_equal(walk(lookup, query), BOUND_MANY + MANY / 10);

    double pages[SAMPLES];
    double unions[SAMPLES];
    double spaces[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        char after[64];
        (void)snprintf(after, sizeof after, "alpha/team-%06d", i * (MANY / SAMPLES));
        query = (struct berth_lookup_query){
            .registry = "alpha", .after = after, .limit = BERTH_LOOKUP_PAGE_DEFAULT};
        double began = now_us();
        assert_int_equal(see_page(lookup, &query)->spaces_count, BERTH_LOOKUP_PAGE_DEFAULT);
        pages[i] = now_us() - began;
        query = (struct berth_lookup_query){.workspace = "wide",
                                            .public = true,
                                            .after = after,
                                            .limit = BERTH_LOOKUP_PAGE_DEFAULT};
        began = now_us();
        assert_true(see_page(lookup, &query)->spaces_count > 0);
        unions[i] = now_us() - began;
        began = now_us();
        assert_int_equal(see_space(lookup, "alpha", after + strlen("alpha/"))->outcome,
                         BERTH_LOOKUP_FOUND);
        spaces[i] = now_us() - began;
    }
    tell("a page of 100 of 100,000", pages);
    tell("a page of 100 of 10,000 bound and 10,000 public", unions);
    tell("one space of 100,000", spaces);
}

/* ---- Redis and its absence ---- */

static void test_a_redis_that_is_away_is_said_at_once_and_with_the_reason(void **state) {
    struct lookup_world *lookup = *state;
    (void)snprintf(lookup->address, sizeof lookup->address, "127.0.0.1:1");
    lookup_world_restart(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    for (int i = 0; i < 3; i++) {
        const struct seen_answer *seen = see_page(lookup, &query);
        assert_int_equal(seen->outcome, BERTH_LOOKUP_REDIS_UNAVAILABLE);
        assert_string_equal(seen->why, "Redis at 127.0.0.1:1: Connection refused");
        seen = see_space(lookup, "alpha", "a");
        assert_int_equal(seen->outcome, BERTH_LOOKUP_REDIS_UNAVAILABLE);
    }
}

/* However long it takes to connect: its time-out is short here. */
static void wait_for_redis(struct lookup_world *lookup, const struct berth_lookup_query *query) {
    while (see_page(lookup, query)->outcome == BERTH_LOOKUP_REDIS_UNAVAILABLE) {
    }
    assert_int_equal(lookup->answers[0].outcome, BERTH_LOOKUP_FOUND);
}

/* Those that were asked and those that still wait, and then it is found again. */
static void test_a_redis_that_falls_silent_ends_every_lookup(void **state) {
    struct lookup_world *lookup = *state;
    struct own_redis redis;
    own_redis_init(&redis);
    own_redis_start(&redis, NULL);
    (void)snprintf(lookup->address, sizeof lookup->address, "127.0.0.1:%u", redis.port);
    lookup->config.redis.timeout_ms = 300;
    lookup_world_restart(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    wait_for_redis(lookup, &query);
    own_redis_freeze(&redis);
    lookup->answers_count = 0;
    for (size_t i = 0; i < 100; i++) {
        list_spaces(lookup, &query);
    }
    wait_answers(lookup, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(lookup->answers[i].outcome, BERTH_LOOKUP_REDIS_UNAVAILABLE);
        assert_non_null(strstr(lookup->answers[i].why, "no reply for 300 ms"));
    }
    own_redis_thaw(&redis);
    wait_for_redis(lookup, &query);
    lookup->lookup = berth_lookup_free(lookup->lookup);
    own_redis_stop(&redis);
}

/* Redis works off in one go what it was asked, while commands wait. */
static void see_few_asked(struct lookup_world *lookup) {
    assert_true(lookup->lookup->asked <= LOOKUP_ASKED_MAX);
}

static void test_more_lookups_than_may_be_pending_are_told_so(void **state) {
    struct lookup_world *lookup = *state;
    lookup->on_answer = see_few_asked;
    put_a_few(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    for (size_t i = 0; i < BERTH_LOOKUP_PENDING_MAX + 3; i++) {
        list_spaces(lookup, &query);
    }
    wait_answers(lookup, BERTH_LOOKUP_PENDING_MAX + 3);
    size_t overloaded = 0;
    for (size_t i = 0; i < lookup->answers_count; i++) {
        bool too_many = lookup->answers[i].outcome == BERTH_LOOKUP_OVERLOADED;
        overloaded += too_many ? 1 : 0;
        assert_int_equal(lookup->answers[i].spaces_count, too_many ? 0 : 4);
    }
    assert_int_equal(overloaded, 3);
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_FOUND);
}

static void ask_again(struct lookup_world *lookup) {
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    if (lookup->answers_count < 20) {
        list_spaces(lookup, &query);
    }
}

static void test_who_is_answered_may_ask_again_from_within(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    lookup->on_answer = ask_again;
    ask_again(lookup);
    wait_answers(lookup, 20);
    assert_int_equal(lookup->answers[19].spaces_count, 4);
}

/* A program that ends doesn't wait for answers. */
static void test_lookups_that_are_freed_answer_nobody(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_FOUND);
    lookup->answers_count = 0;
    for (size_t i = 0; i < 40; i++) {
        list_spaces(lookup, &query); /* Some are asked of Redis, some wait. */
    }
    lookup_world_restart(lookup);
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_FOUND);
}

#define BOUNDS_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, lookup_world_setup, lookup_world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BOUNDS_TEST(test_a_registry_of_100000_and_a_workspace_of_10000_are_read_page_by_page),
        BOUNDS_TEST(test_a_redis_that_is_away_is_said_at_once_and_with_the_reason),
        BOUNDS_TEST(test_a_redis_that_falls_silent_ends_every_lookup),
        BOUNDS_TEST(test_more_lookups_than_may_be_pending_are_told_so),
        BOUNDS_TEST(test_who_is_answered_may_ask_again_from_within),
        BOUNDS_TEST(test_lookups_that_are_freed_answer_nobody),
    };
    return cmocka_run_group_tests_name("lookup_bounds", tests, NULL, NULL);
}
