/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of spaces on a real Redis: which, in which order, page by page. */
#include "lookup_world.h"

#include <stdio.h>
#include <string.h>

#include "berth/io/clock.h"

/* ---- Spaces as commands leave them ---- */

static struct worker worker;
static int commands;

/* A settled command makes the space what it shall be; bindings: of one letter each. */
static void put(struct lookup_world *lookup, const char *registry, const char *space,
                enum berth_visibility visibility, const char *bound) {
    struct berth_binding bindings[8];
    size_t count = strlen(bound);
    assert_true(count <= 8);
    for (size_t i = 0; i < count; i++) {
        const char workspace[] = {bound[i], '\0'};
        bindings[i] = a_binding(workspace, 7 + (int64_t)i);
    }
    struct berth_space_state state = a_space(visibility, bindings, count);
    struct berth_command command = a_command(++commands, space);
    struct berth_source source = a_source(commands);
    (void)snprintf(command.registry, sizeof command.registry, "%s", registry);
    if (worker.ledger == NULL) {
        worker_init(lookup->world, &worker, 1);
    }
    (void)settle(&worker, &command, &source, &state, "one");
}

static int list_setup(void **state) {
    commands = 0;
    worker = (struct worker){.ledger = NULL};
    return lookup_world_setup(state);
}

static int list_teardown(void **state) {
    worker_deinit(&worker);
    return lookup_world_teardown(state);
}

/* A few of everything. */
static void put_a_few(struct lookup_world *lookup) {
    put(lookup, "alpha", "zoo", BERTH_PUBLIC, "b");
    put(lookup, "alpha", "a", BERTH_PRIVATE, "br");
    put(lookup, "alpha", "a-b", BERTH_PRIVATE, "");
    put(lookup, "alpha", "a.b", BERTH_PUBLIC, "");
    put(lookup, "alpha-1", "m", BERTH_PUBLIC, "r");
    put(lookup, "alphab", "m", BERTH_PRIVATE, "br");
    put(lookup, "beta", "a", BERTH_PRIVATE, "b");
    put(lookup, "beta", "open", BERTH_PUBLIC, "");
}

/* ---- Which ---- */

static void test_a_registry_lists_its_spaces_with_all_that_is_known_of_them(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    assert_string_equal(see_names(lookup, query), "alpha/a alpha/a-b alpha/a.b alpha/zoo");

    const struct seen_answer *seen = see_page(lookup, &query);
    assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
    assert_int_equal(seen->spaces_count, 4);
    assert_false(seen->more);
    assert_true(seen->as_of_ms <= berth_clock_wall_ms());
    assert_true(seen->as_of_ms > berth_clock_wall_ms() - 60000);
    assert_int_equal(seen->state.project_id, 41);
    assert_int_equal(seen->state.visibility, BERTH_PRIVATE);
    assert_int_equal(seen->state.quota_bytes, BERTH_QUOTA_UNLIMITED);
    assert_true(seen->state.version > 0);
    assert_int_equal(seen->state.verified_at_ms, WALL_MS);
    assert_int_equal(seen->state.bindings_count, 2);
    assert_string_equal(seen->bindings[1].workspace, "r");
    assert_string_equal(seen->bindings[1].key_id, "0badc0de");
    assert_int_equal(seen->bindings[1].robot_id, 8);
}

static void test_a_registry_lists_its_public_spaces(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.registry = "alpha", .public = true, .limit = 100};
    assert_string_equal(see_names(lookup, query), "alpha/a.b alpha/zoo");
}

/* '-' is before '/', so that "alpha-1/m" is before "alpha/a": the order in which cursors go on. */
static void
test_a_workspace_lists_its_spaces_of_all_registries_in_the_order_of_their_names(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.workspace = "b", .limit = 100};
    assert_string_equal(see_names(lookup, query), "alpha/a alpha/zoo alphab/m beta/a");
    query.workspace = "r";
    assert_string_equal(see_names(lookup, query), "alpha-1/m alpha/a alphab/m");
    query.registry = "alpha";
    assert_string_equal(see_names(lookup, query), "alpha/a");
    query.registry = "alpha-1";
    assert_string_equal(see_names(lookup, query), "alpha-1/m");
}

/* What the members of a workspace may pull; a space that is public and bound too is there once. */
static void test_a_workspace_with_public_spaces_lists_each_space_once(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.workspace = "b", .public = true};
    for (query.limit = 1; query.limit <= 7; query.limit++) {
        assert_string_equal(see_names(lookup, query),
                            "alpha-1/m alpha/a alpha/a.b alpha/zoo alphab/m beta/a beta/open");
    }
    query.registry = "beta";
    assert_string_equal(see_names(lookup, query), "beta/a beta/open");
    query.workspace = "nobody";
    assert_string_equal(see_names(lookup, query), "beta/open");
}

static void test_nothing_to_list_is_an_answer(void **state) {
    struct lookup_world *lookup = *state;
    struct berth_lookup_query query = {.registry = "alpha", .limit = 1};
    assert_string_equal(see_names(lookup, query), "");
    query.workspace = "b";
    assert_string_equal(see_names(lookup, query), "");
}

/* A registry that was taken out of the configuration leaves its members in the workspaces' sets. */
static void test_a_registry_that_is_not_configured_has_no_spaces(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    put(lookup, "retired", "a", BERTH_PUBLIC, "b");
    struct berth_lookup_query query = {.registry = "retired", .limit = 100};
    assert_string_equal(see_names(lookup, query), "");
    query = (struct berth_lookup_query){.workspace = "b", .public = true, .limit = 100};
    assert_string_equal(see_names(lookup, query),
                        "alpha-1/m alpha/a alpha/a.b alpha/zoo alphab/m beta/a beta/open");
}

/* What isn't a workspace's id must not reach another key, nor be cut down to somebody's. */
static void test_an_id_that_no_workspace_has_is_bound_to_nothing(void **state) {
    struct lookup_world *lookup = *state;
    char workspace[BERTH_WORKSPACE_BYTES];
    char longer[BERTH_WORKSPACE_BYTES + 1];
    memset(workspace, 'w', sizeof workspace);
    workspace[sizeof workspace - 1] = '\0';
    memset(longer, 'w', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_string_equal(
        redis_says(lookup->world, "ZADD berth:v1:workspace:%s 0 alpha/a", workspace), "1");
    put(lookup, "alpha", "a", BERTH_PRIVATE, "b");
    struct berth_lookup_query query = {.workspace = workspace, .limit = 100};
    assert_string_equal(see_names(lookup, query), "alpha/a");
    query.workspace = longer;
    assert_string_equal(see_names(lookup, query), "");
    query.workspace = "";
    assert_string_equal(see_names(lookup, query), "");
    query.workspace = "b\n";
    assert_string_equal(see_names(lookup, query), "");
}

/* Members and hashes change in one step, so this is what nobody should ever see. */
static void test_a_member_without_a_present_space_is_passed_over(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    assert_string_equal(redis_says(lookup->world, "DEL berth:v1:space:alpha/a-b"), "1");
    assert_string_equal(redis_says(lookup->world, "HSET berth:v1:space:alpha/a.b state absent"),
                        "0");
    assert_string_equal(redis_says(lookup->world, "HDEL berth:v1:space:alpha/zoo state"), "1");
    struct berth_lookup_query query = {.registry = "alpha", .limit = 1};
    const struct seen_answer *seen = see_page(lookup, &query);
    assert_string_equal(seen->last, "alpha/a");
    assert_false(seen->more); /* Nothing that could be listed follows. */

    /* However many of them a page begins with, the others are there once. */
    static const char *const names[] = {"0", "1", "2", "3", "b", "c", "d", "e"};
    for (size_t i = 0; i < 8; i++) {
        put(lookup, "alpha", names[i], BERTH_PRIVATE, "");
    }
    for (size_t i = 0; i < 4; i++) {
        (void)redis_says(lookup->world, "DEL berth:v1:space:alpha/%s", names[i]);
    }
    for (query.limit = 1; query.limit <= 9; query.limit++) {
        assert_string_equal(see_names(lookup, query), "alpha/a alpha/b alpha/c alpha/d alpha/e");
    }
}

/* A list without it would be taken for the whole. */
static void test_a_space_that_cannot_be_understood_fails_its_page(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    assert_string_equal(
        redis_says(lookup->world, "HSET berth:v1:space:alpha/a.b project_id twelve"), "0");
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    const struct seen_answer *seen = see_page(lookup, &query);
    assert_int_equal(seen->outcome, BERTH_LOOKUP_REDIS_UNAVAILABLE);
    assert_non_null(strstr(seen->why, "alpha/a.b can't be understood"));
    assert_int_equal(seen->spaces_count, 0);
}

static void test_without_an_epoch_nothing_is_listed(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    assert_string_equal(redis_says(lookup->world, "DEL berth:v1:epoch"), "1");
    struct berth_lookup_query query = {.registry = "alpha", .limit = 100};
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_REBUILDING);
    query.registry = "retired";
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_REBUILDING);
    assert_string_equal(redis_says(lookup->world, "SET berth:v1:epoch 2"), "OK");
    assert_int_equal(see_page(lookup, &query)->outcome, BERTH_LOOKUP_FOUND);
}

/* ---- Page by page ---- */

/* A cursor is a name, not a place: whatever comes and goes before it shifts nothing. */
static void test_a_page_begins_after_a_name_that_is_gone(void **state) {
    struct lookup_world *lookup = *state;
    put_a_few(lookup);
    struct berth_lookup_query query = {.workspace = "b", .public = true, .limit = 2};
    static const struct {
        const char *after;
        const char *first;
        bool more;
    } cases[] = {
        {"alpha/a-a", "alpha/a.b", true},
        {"alpha/", "alpha/a", true},
        {"alpha", "alpha-1/m", true},
        {"alpha0", "alphab/m", true},
        {"alpha/zoo", "alphab/m", true},
        {"alpha-1/m", "alpha/a", true},
        {"beta/a", "beta/open", false},
        {"beta/open", "", false},
        {"\xff", "", false},
        {"!", "alpha-1/m", true},
        {"alpha-1/zzz", "alpha/a", true},
        {"alpha/zoo!", "alphab/m", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        query.after = cases[i].after;
        const struct seen_answer *seen = see_page(lookup, &query);
        assert_int_equal(seen->outcome, BERTH_LOOKUP_FOUND);
        assert_string_equal(seen->first, cases[i].first);
        assert_int_equal(seen->more, cases[i].more);
    }
}

/* Bytes from 0x80 on are after all others, which a comparison of signed characters gets wrong, and
 * one by the server's locale may. */
static void test_two_sets_are_merged_in_the_order_of_bytes(void **state) {
    struct lookup_world *lookup = *state;
    static const char script[] =
        "for i, name in ipairs({'B', 'a', '_', '\\195\\164', 'Z', 'z', '-', '9'}) do "
        "local member = 'alpha/' .. name "
        "redis.call('ZADD', i % 2 == 0 and 'berth:v1:workspace:b' or "
        "'berth:v1:registry:alpha:public', 0, member) "
        "redis.call('HSET', 'berth:v1:space:' .. member, 'state', 'present', 'project_id', i) end "
        "return 'OK'";
    assert_string_equal(redis_says(lookup->world, "EVAL %s 0", script), "OK");
    struct berth_lookup_query query = {.workspace = "b", .public = true};
    for (query.limit = 1; query.limit <= 9; query.limit++) {
        assert_string_equal(see_names(lookup, query),
                            "alpha/- alpha/9 alpha/B alpha/Z alpha/_ alpha/a alpha/z "
                            "alpha/\xc3\xa4");
    }
}

/* What is held for a page is bounded, and a space is never cut. */
static void test_a_page_ends_before_its_spaces_have_too_many_bindings(void **state) {
    struct lookup_world *lookup = *state;
    static const char script[] =
        "for s = 1, 25 do "
        "local member = string.format('alpha/s%02d', s) "
        "local key = 'berth:v1:space:' .. member "
        "redis.call('ZADD', 'berth:v1:registry:alpha', 0, member) "
        "redis.call('HSET', key, 'state', 'present', 'project_id', s) "
        "for w = 1, 999 do redis.call('HSET', key, 'binding:w' .. w, w .. ' - active') end end "
        "return 'OK'";
    assert_string_equal(redis_says(lookup->world, "EVAL %s 0", script), "OK");
    struct berth_lookup_query query = {.registry = "alpha", .limit = BERTH_LOOKUP_PAGE_MAX};
    const struct seen_answer *seen = see_page(lookup, &query);
    assert_int_equal(seen->spaces_count, 10);
    assert_int_equal(seen->bindings_count, 9990);
    assert_true(seen->more);
    query.after = "alpha/s20";
    seen = see_page(lookup, &query);
    assert_int_equal(seen->spaces_count, 5);
    assert_int_equal(seen->bindings_count, 4995);
    assert_false(seen->more);
}

#define LIST_TEST(test) cmocka_unit_test_setup_teardown(test, list_setup, list_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIST_TEST(test_a_registry_lists_its_spaces_with_all_that_is_known_of_them),
        LIST_TEST(test_a_registry_lists_its_public_spaces),
        LIST_TEST(test_a_workspace_lists_its_spaces_of_all_registries_in_the_order_of_their_names),
        LIST_TEST(test_a_workspace_with_public_spaces_lists_each_space_once),
        LIST_TEST(test_nothing_to_list_is_an_answer),
        LIST_TEST(test_a_registry_that_is_not_configured_has_no_spaces),
        LIST_TEST(test_an_id_that_no_workspace_has_is_bound_to_nothing),
        LIST_TEST(test_a_member_without_a_present_space_is_passed_over),
        LIST_TEST(test_a_space_that_cannot_be_understood_fails_its_page),
        LIST_TEST(test_without_an_epoch_nothing_is_listed),
        LIST_TEST(test_a_page_begins_after_a_name_that_is_gone),
        LIST_TEST(test_two_sets_are_merged_in_the_order_of_bytes),
        LIST_TEST(test_a_page_ends_before_its_spaces_have_too_many_bindings),
    };
    return cmocka_run_group_tests_name("lookup_list", tests, NULL, NULL);
}
