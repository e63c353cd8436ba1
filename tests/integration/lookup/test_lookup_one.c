/* SPDX-License-Identifier: Apache-2.0 */
/* One space: what Redis knows, else what Harbor says, asked once for all; and when neither does. */
#include "lookup_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "lookup_parts.h"

#define GET_PROJECT "GET /projects/{name_or_id}"
#define GET_QUOTA   "GET /quotas"
#define GET_ROBOTS  "GET /robots"

static int64_t all_calls(void) {
    return harbor_calls(GET_PROJECT) + harbor_calls(GET_QUOTA) + harbor_calls(GET_ROBOTS);
}

/* ---- Redis knows ---- */

static void test_a_space_that_redis_knows_takes_no_call_to_harbor(void **state) {
    struct lookup_world *lookup = *state;
    struct worker worker;
    worker_init(lookup->world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7)};
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 1);
    struct berth_command command = a_command(1, "one-known");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one");

    const struct seen_answer *seen = see_space(lookup, "alpha", "one-known");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(seen->first, "alpha/one-known");
    assert_int_equal(seen->state.version, version);
    assert_string_equal(seen->bindings[0].key_id, "0badc0de");
    assert_int_equal(all_calls(), 0);
    worker_deinit(&worker);
}

/* Somebody met something else in Harbor: the next command reads it first. What isn't there stays
 * so.
 */
static void test_a_space_that_is_doubted_becomes_cold(void **state) {
    struct lookup_world *lookup = *state;
    struct worker worker;
    worker_init(lookup->world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 7)};
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 1);
    struct berth_command command = a_command(1, "one-doubted");
    struct berth_source source = a_source(10);
    (void)settle(&worker, &command, &source, &space, "one");
    assert_int_equal(see_doubt(lookup, "alpha", "one-doubted")->outcome, BERTH_LOOKUP_FOUND);
    const struct seen_answer *seen = see_space(lookup, "alpha", "one-doubted");
    assert_int_equal(seen->state.verified_at_ms, 0);
    assert_string_equal(seen->bindings[0].key_id, "0badc0de");

    assert_int_equal(see_doubt(lookup, "alpha", "one-nobody-knows")->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(redis_says(lookup->world, "EXISTS berth:v1:space:alpha/one-nobody-knows"),
                        "0");
    assert_int_equal(all_calls(), 0);
    worker_deinit(&worker);
}

/* Harbor may still show it from a cache (harbor-contract 6.4); the tombstone counts. */
static void test_a_space_that_was_deleted_is_not_looked_for_in_harbor(void **state) {
    struct lookup_world *lookup = *state;
    struct worker worker;
    worker_init(lookup->world, &worker, 1);
    (void)harbor_project(lookup, "one-deleted", BERTH_PUBLIC);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    struct berth_command command = a_command(1, "one-deleted");
    struct berth_source source = a_source(10);
    (void)settle(&worker, &command, &source, &gone, "one");
    assert_int_equal(see_space(lookup, "alpha", "one-deleted")->outcome, BERTH_LOOKUP_NOT_FOUND);
    assert_int_equal(all_calls(), 0);
    worker_deinit(&worker);
}

static void test_without_an_epoch_no_space_is_looked_up(void **state) {
    struct lookup_world *lookup = *state;
    (void)harbor_project(lookup, "one-rebuilding", BERTH_PUBLIC);
    assert_string_equal(redis_says(lookup->world, "DEL berth:v1:epoch"), "1");
    const struct seen_answer *seen = see_space(lookup, "alpha", "one-rebuilding");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_REBUILDING);
    assert_string_not_equal(seen->why, "");
    assert_int_equal(all_calls(), 0);
}

/* ---- Harbor knows ---- */

static void test_a_space_that_only_harbor_knows_is_read_and_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    struct world *world = lookup->world;
    int64_t id = harbor_project(lookup, "one-filled", BERTH_PUBLIC);
    int64_t red = harbor_robot(lookup, "one-filled", id, "red");
    int64_t blue = harbor_robot(lookup, "one-filled", id, "blue");
    int64_t before_ms = berth_clock_wall_ms();

    const struct seen_answer *seen = see_space(lookup, "alpha", "one-filled");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_string_equal(seen->first, "alpha/one-filled");
    assert_int_equal(seen->state.project_id, id);
    assert_int_equal(seen->state.visibility, BERTH_PUBLIC);
    assert_int_equal(seen->state.quota_bytes, BERTH_QUOTA_UNLIMITED);
    assert_int_equal(seen->state.version, 0);
    assert_int_equal(seen->state.bindings_count, 2);
    assert_string_equal(seen->bindings[0].workspace, "blue");
    assert_int_equal(seen->bindings[0].robot_id, blue);
    assert_string_equal(seen->bindings[0].key_id, "");
    assert_true(seen->as_of_ms >= before_ms);
    assert_true(seen->as_of_ms <= berth_clock_wall_ms());
    assert_int_equal(seen->state.verified_at_ms, seen->as_of_ms);
    assert_int_equal(all_calls(), 3);

    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "present %lld PUBLIC -1 0 %lld (nil) (nil) %lld - active %lld - active",
                   (long long)id, (long long)seen->as_of_ms, (long long)blue, (long long)red);
    assert_string_equal(redis_says(world, "HMGET berth:v1:space:alpha/one-filled state project_id "
                                          "visibility quota_bytes version verified_at token "
                                          "holder_command binding:blue binding:red"),
                        expected);
    assert_string_equal(redis_says(world, "TTL berth:v1:space:alpha/one-filled"), "-1");
    static const char *const sets[] = {"registry:alpha", "registry:alpha:public", "workspace:blue",
                                       "workspace:red"};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(redis_says(world, "ZRANGE berth:v1:%s 0 -1 WITHSCORES", sets[i]),
                            "alpha/one-filled 0");
    }
    assert_int_equal(see_space(lookup, "alpha", "one-filled")->outcome, BERTH_LOOKUP_FOUND);
    assert_int_equal(all_calls(), 3); /* From Redis. */
}

/* Its name is a name, not an id. */
static void test_a_private_space_called_123_is_not_among_the_public_ones(void **state) {
    struct lookup_world *lookup = *state;
    int64_t id = harbor_project(lookup, "123", BERTH_PRIVATE);
    const struct seen_answer *seen = see_space(lookup, "alpha", "123");
    assert_int_equal(seen->state.project_id, id);
    assert_int_equal(seen->state.visibility, BERTH_PRIVATE);
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:registry:*"),
                        "berth:v1:registry:alpha");
}

static void test_all_pages_of_robots_are_filled_in(void **state) {
    struct lookup_world *lookup = *state;
    int64_t id = harbor_project(lookup, "one-wide", BERTH_PRIVATE);
    for (int i = 0; i <= BERTH_HARBOR_PAGE_SIZE; i++) {
        char workspace[16];
        (void)snprintf(workspace, sizeof workspace, "w%03d", i);
        (void)harbor_robot(lookup, "one-wide", id, workspace);
    }
    assert_int_equal(see_space(lookup, "alpha", "one-wide")->state.bindings_count,
                     BERTH_HARBOR_PAGE_SIZE + 1);
    assert_int_equal(harbor_calls(GET_ROBOTS), 2);
    assert_string_equal(redis_says(lookup->world, "ZCARD berth:v1:workspace:w100"), "1");
    assert_int_equal(see_space(lookup, "alpha", "one-wide")->bindings_count,
                     BERTH_HARBOR_PAGE_SIZE + 1);
}

static void test_of_many_who_ask_for_one_space_harbor_is_asked_for_one(void **state) {
    struct lookup_world *lookup = *state;
    (void)harbor_project(lookup, "one-wanted", BERTH_PRIVATE);
    harbor_faults("{\"away\":\"hang\",\"route\":\"" GET_ROBOTS "\"}");
    for (size_t i = 0; i < 100; i++) {
        look_up(lookup, "alpha", "one-wanted");
    }
    wait_harbor_calls(lookup, GET_ROBOTS, 1);
    for (size_t i = 0; i < 100; i++) {
        look_up(lookup, "alpha", "one-wanted"); /* Join later. */
    }
    look_up(lookup, "alpha", "one-other");
    wait_answers(lookup, 1);
    assert_int_equal(lookup->answers[0].outcome, BERTH_LOOKUP_NOT_FOUND);
    assert_int_equal(harbor_calls(GET_PROJECT), 2); /* One for each of the two spaces. */
    harbor_recovers();
    wait_answers(lookup, 201);
    for (size_t i = 1; i < 201; i++) {
        assert_int_equal(lookup->answers[i].outcome, BERTH_LOOKUP_FOUND);
        assert_string_equal(lookup->answers[i].first, "alpha/one-wanted");
    }
    assert_int_equal(harbor_calls(GET_PROJECT), 2);
    assert_int_equal(harbor_calls(GET_QUOTA), 1);
    assert_int_equal(harbor_calls(GET_ROBOTS), 2); /* The one that hung was asked again. */
}

/* ---- Harbor says there is none ---- */

static void test_a_space_that_nobody_knows_is_remembered_here_and_written_nowhere(void **state) {
    struct lookup_world *lookup = *state;
    char *before = redis_snapshot(lookup->world);
    const struct seen_answer *seen = see_space(lookup, "alpha", "one-nowhere");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_NOT_FOUND);
    int64_t as_of_ms = seen->as_of_ms;
    assert_int_equal(all_calls(), 1);
    seen = see_space(lookup, "alpha", "one-nowhere");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_NOT_FOUND);
    assert_int_equal(seen->as_of_ms, as_of_ms);
    assert_int_equal(all_calls(), 1);
    char *after = redis_snapshot(lookup->world);
    assert_string_equal(after, before);
    free(before);
    free(after);
    /* Of another registry nothing was said. */
    assert_int_equal(see_space(lookup, "beta", "one-nowhere")->outcome, BERTH_LOOKUP_NOT_FOUND);
    assert_true(lookup->answers[0].as_of_ms >= as_of_ms);
}

/* Whoever reads the toast "created" must find the space. */
static void test_a_space_that_is_created_is_seen_at_once(void **state) {
    struct lookup_world *lookup = *state;
    struct worker worker;
    worker_init(lookup->world, &worker, 1);
    assert_int_equal(see_space(lookup, "alpha", "one-new")->outcome, BERTH_LOOKUP_NOT_FOUND);
    struct berth_command command = a_command(1, "one-new");
    struct berth_source source = a_source(10);
    struct berth_space_state space = a_space(BERTH_PRIVATE, NULL, 0);
    (void)settle(&worker, &command, &source, &space, "one");
    assert_int_equal(see_space(lookup, "alpha", "one-new")->outcome, BERTH_LOOKUP_FOUND);
    worker_deinit(&worker);
}

/* The command may have made it: "none" was said of the time before. */
static void test_a_command_that_takes_a_token_ends_the_memory_of_none(void **state) {
    struct lookup_world *lookup = *state;
    struct worker worker;
    worker_init(lookup->world, &worker, 1);
    assert_int_equal(see_space(lookup, "alpha", "one-claimed")->outcome, BERTH_LOOKUP_NOT_FOUND);
    struct berth_command command = a_command(1, "one-claimed");
    struct berth_source source = a_source(10);
    (void)take(&worker, &command, &source);
    (void)harbor_project(lookup, "one-claimed", BERTH_PRIVATE);
    assert_int_equal(see_space(lookup, "alpha", "one-claimed")->outcome, BERTH_LOOKUP_FOUND);
    worker_deinit(&worker);
}

/* ---- Harbor is not well ---- */

static void test_a_harbor_that_fails_now_and_then_is_asked_again(void **state) {
    struct lookup_world *lookup = *state;
    (void)harbor_project(lookup, "one-flaky", BERTH_PRIVATE);
    harbor_faults("{\"status\":500,\"count\":2,\"route\":\"" GET_QUOTA "\"}");
    assert_int_equal(see_space(lookup, "alpha", "one-flaky")->outcome, BERTH_LOOKUP_FOUND);
    assert_int_equal(harbor_calls(GET_PROJECT), 1);
    assert_int_equal(harbor_calls(GET_QUOTA), 3);
}

/* An error of Harbor's must never be taken for "there is none". */
static void test_a_harbor_that_goes_on_failing_is_said_with_the_reason(void **state) {
    struct lookup_world *lookup = *state;
    (void)harbor_project(lookup, "one-broken", BERTH_PRIVATE);
    harbor_faults("{\"status\":502}");
    const struct seen_answer *seen = see_space(lookup, "alpha", "one-broken");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_HARBOR_UNAVAILABLE);
    assert_non_null(strstr(seen->why, "registry alpha, GET /projects/{name}: "));
    assert_non_null(strstr(seen->why, "(HTTP 502)"));
    assert_int_equal(all_calls(), 3);
    assert_string_equal(redis_says(lookup->world, "KEYS berth:v1:space:*"), "");
    harbor_recovers();
    assert_int_equal(see_space(lookup, "alpha", "one-broken")->outcome, BERTH_LOOKUP_FOUND);
}

static void test_a_harbor_that_is_away_is_said_with_the_reason(void **state) {
    struct lookup_world *lookup = *state;
    const struct seen_answer *seen = see_space(lookup, "alphab", "one");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_HARBOR_UNAVAILABLE);
    assert_non_null(strstr(seen->why, "registry alphab, GET /projects/{name}: "));
}

static void test_a_password_that_harbor_refuses_is_never_an_absence(void **state) {
    struct lookup_world *lookup = *state;
    static char wrong[] = "wrong-Passw0rd";
    lookup->registries[0].password.text = wrong; /* Of beta: nobody else is logged in there. */
    lookup_world_restart(lookup);
    const struct seen_answer *seen = see_space(lookup, "beta", "one");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_HARBOR_UNAVAILABLE);
    assert_non_null(strstr(seen->why, "(HTTP 401)"));
}

/* Nobody waits for ever, and a late answer finds nobody. */
static void test_a_harbor_that_does_not_answer_in_time_is_left(void **state) {
    struct lookup_world *lookup = *state;
    (void)harbor_project(lookup, "one-slow", BERTH_PRIVATE);
    lookup->lookup->patience_ms = 150;
    harbor_faults("{\"away\":\"hang\"}");
    const struct seen_answer *seen = see_space(lookup, "alpha", "one-slow");
    assert_int_equal(seen->outcome, BERTH_LOOKUP_HARBOR_UNAVAILABLE);
    assert_string_equal(seen->why, "registry alpha didn't answer within 150 ms");
    lookup->lookup->patience_ms = LOOKUP_PATIENCE_MS;
    lookup->answers_count = 0;
    look_up(lookup, "alpha", "one-slow"); /* Doesn't join the one that was left. */
    wait_harbor_calls(lookup, GET_PROJECT, 2);
    harbor_recovers();
    wait_answers(lookup, 1);
    assert_int_equal(lookup->answers[0].outcome, BERTH_LOOKUP_FOUND);
}

static void test_more_spaces_than_may_be_read_at_once_are_told_so(void **state) {
    struct lookup_world *lookup = *state;
    harbor_faults("{\"away\":\"hang\"}");
    for (int i = 0; i < LOOKUP_FLIGHTS_MAX + 5; i++) {
        char space[32];
        (void)snprintf(space, sizeof space, "one-crowd-%d", i);
        look_up(lookup, "alpha", space);
    }
    wait_answers(lookup, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(lookup->answers[i].outcome, BERTH_LOOKUP_OVERLOADED);
    }
    look_up(lookup, "beta", "one-crowd-0"); /* Another registry has room of its own. */
    wait_answers(lookup, 6);
    assert_int_equal(lookup->answers[5].outcome, BERTH_LOOKUP_NOT_FOUND);
    harbor_recovers();
    wait_answers(lookup, LOOKUP_FLIGHTS_MAX + 6);
    for (size_t i = 6; i < lookup->answers_count; i++) {
        assert_int_equal(lookup->answers[i].outcome, BERTH_LOOKUP_NOT_FOUND);
    }
}

/* Whatever is under way: requests, flights, pauses. */
static void test_lookups_are_freed_while_harbor_is_being_read(void **state) {
    struct lookup_world *lookup = *state;
    harbor_faults("{\"away\":\"hang\"}");
    look_up(lookup, "alpha", "one-freed");
    look_up(lookup, "alpha", "one-freed");
    wait_harbor_calls(lookup, GET_PROJECT, 1);
    lookup_world_restart(lookup);
    harbor_faults("{\"away\":\"no\",\"status\":500}");
    look_up(lookup, "alpha", "one-freed");
    wait_harbor_calls(lookup, GET_PROJECT, 2);
    lookup_world_restart(lookup);
    assert_int_equal(lookup->answers_count, 0);
}

#define ONE_TEST(test)                                                                             \
    cmocka_unit_test_setup_teardown(test, lookup_world_setup, lookup_world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        ONE_TEST(test_a_space_that_redis_knows_takes_no_call_to_harbor),
        ONE_TEST(test_a_space_that_is_doubted_becomes_cold),
        ONE_TEST(test_a_space_that_was_deleted_is_not_looked_for_in_harbor),
        ONE_TEST(test_without_an_epoch_no_space_is_looked_up),
        ONE_TEST(test_a_space_that_only_harbor_knows_is_read_and_filled_in),
        ONE_TEST(test_a_private_space_called_123_is_not_among_the_public_ones),
        ONE_TEST(test_all_pages_of_robots_are_filled_in),
        ONE_TEST(test_of_many_who_ask_for_one_space_harbor_is_asked_for_one),
        ONE_TEST(test_a_space_that_nobody_knows_is_remembered_here_and_written_nowhere),
        ONE_TEST(test_a_space_that_is_created_is_seen_at_once),
        ONE_TEST(test_a_command_that_takes_a_token_ends_the_memory_of_none),
        ONE_TEST(test_a_harbor_that_fails_now_and_then_is_asked_again),
        ONE_TEST(test_a_harbor_that_goes_on_failing_is_said_with_the_reason),
        ONE_TEST(test_a_harbor_that_is_away_is_said_with_the_reason),
        ONE_TEST(test_a_password_that_harbor_refuses_is_never_an_absence),
        ONE_TEST(test_a_harbor_that_does_not_answer_in_time_is_left),
        ONE_TEST(test_more_spaces_than_may_be_read_at_once_are_told_so),
        ONE_TEST(test_lookups_are_freed_while_harbor_is_being_read),
    };
    return cmocka_run_group_tests_name("lookup_one", tests, NULL, NULL);
}
