/* SPDX-License-Identifier: Apache-2.0 */
/* Which lookup a request asks for, and what is said to its answer. */
#include "lookups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_fixture.h"

/* Stands for io's: keeps what it is asked, in words, until the test answers. */
struct berth_lookup {
    char asked[1024];
    int asked_count;
    enum berth_rc rc;
    berth_lookup_fn *fn;
    void *ctx;
};

static struct berth_config_registry registries[] = {{.name = "alpha"}, {.name = "beta"}};
static const struct berth_config config = {.registries = registries, .registries_count = 2};
static struct berth_lookup lookup;
static struct lookups lookups = {.config = &config, .lookup = &lookup};

static enum berth_rc keep(berth_lookup_fn *fn, void *ctx) {
    lookup.asked_count++;
    lookup.fn = fn;
    lookup.ctx = ctx;
    return lookup.rc;
}

enum berth_rc berth_lookup_list(struct berth_lookup *asked, const struct berth_lookup_query *query,
                                berth_lookup_fn *fn, void *ctx) {
    (void)snprintf(asked->asked, sizeof(asked->asked), "registry=%s workspace=%s %s after=%s %zu",
                   query->registry == NULL ? "-" : query->registry,
                   query->workspace == NULL ? "-" : query->workspace,
                   query->public ? "public" : "any", query->after == NULL ? "-" : query->after,
                   query->limit);
    return keep(fn, ctx);
}

enum berth_rc berth_lookup_one(struct berth_lookup *asked, const char *registry, const char *space,
                               berth_lookup_fn *fn, void *ctx) {
    (void)snprintf(asked->asked, sizeof(asked->asked), "one %s/%s", registry, space);
    return keep(fn, ctx);
}

static int setup(void **state) {
    lookup = (struct berth_lookup){.rc = BERTH_OK};
    if (admin_setup(state) != 0) {
        return -1;
    }
    struct fixture *fixture = *state;
    lookups_serve(&lookups, fixture->server);
    return 0;
}

/* Client 0 asks; what comes back is read with one of the functions below. */
static struct client *get(struct fixture *fixture, const char *target) {
    char request[8192];
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", target);
    leave(&fixture->clients[0]);
    return begin(fixture, 0, request);
}

static void assert_asks(struct fixture *fixture, const char *target, const char *asked) {
    int before = lookup.asked_count;
    struct client *client = get(fixture, target);
    wait_for_count(fixture, &lookup.asked_count, before + 1);
    assert_string_equal(lookup.asked, asked);
    lookup.fn(lookup.ctx, &(struct berth_lookup_answer){.outcome = BERTH_LOOKUP_NOT_FOUND});
    wait_for_end(fixture, client);
}

static json_t *body_of(const char *answer) {
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    json_t *json = json_loads(body + 4, 0, NULL);
    assert_non_null(json);
    return json;
}

static void assert_error(const char *answer, int status, const char *code, const char *says) {
    char line[64];
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    assert_memory_equal(answer, line, strlen(line));
    json_t *json = body_of(answer);
    const json_t *error = json_object_get(json, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    const char *message = json_string_value(json_object_get(error, "message"));
    if (strstr(message, says) == NULL) {
        print_error("%s: not in: %s\n", says, message);
    }
    assert_non_null(strstr(message, says));
    json_decref(json);
}

static void assert_refused(struct fixture *fixture, const char *target, int status,
                           const char *code, const char *says) {
    int before = lookup.asked_count;
    assert_error(wait_for_end(fixture, get(fixture, target)), status, code, says);
    assert_int_equal(lookup.asked_count, before);
}

/* The server's answer to the lookup's. */
static const char *relay(struct fixture *fixture, const char *target,
                         const struct berth_lookup_answer *answer) {
    int before = lookup.asked_count;
    struct client *client = get(fixture, target);
    wait_for_count(fixture, &lookup.asked_count, before + 1);
    lookup.fn(lookup.ctx, answer);
    return wait_for_end(fixture, client);
}

static void test_a_request_asks_for_what_its_path_and_query_say(void **state) {
    struct fixture *fixture = *state;
    assert_asks(fixture, "/v1/registries/alpha/spaces",
                "registry=alpha workspace=- any after=- 100");
    assert_asks(fixture, "/v1/registries/alpha/spaces?public=true&limit=7&after=alpha%2Fteam-a",
                "registry=alpha workspace=- public after=alpha/team-a 7");
    assert_asks(fixture, "/v1/registries/beta/spaces?workspace=Blue_1.x&public=false&limit=1000",
                "registry=beta workspace=Blue_1.x any after=- 1000");
    assert_asks(fixture,
                "/v1/registries/beta/spaces?after=", "registry=beta workspace=- any after= 100");
    assert_asks(fixture, "/v1/workspaces/blue/spaces", "registry=- workspace=blue any after=- 100");
    assert_asks(fixture, "/v1/workspaces/blue/spaces?registry=beta&public=true&after=beta/b",
                "registry=beta workspace=blue public after=beta/b 100");
    assert_asks(fixture, "/v1/registries/alpha/spaces/team-a", "one alpha/team-a");
    assert_asks(fixture, "/v1/registries/al%70ha/spaces/te%61m.b_c", "one alpha/team.b_c");
}

/* A slip in a filter must not show more than was asked for. */
static void test_a_parameter_that_is_not_understood_is_named(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *target;
        const char *says;
    } cases[] = {
        {"/v1/registries/alpha/spaces?worksapce=blue", "worksapce: there is no such parameter"},
        {"/v1/registries/alpha/spaces?registry=beta", "registry: there is no such parameter"},
        {"/v1/workspaces/blue/spaces?workspace=red", "workspace: there is no such parameter"},
        {"/v1/registries/alpha/spaces?public=yes", "public is true or false"},
        {"/v1/registries/alpha/spaces?public", "public is true or false"},
        {"/v1/registries/alpha/spaces?public=true&public=false", "public is given twice"},
        {"/v1/registries/alpha/spaces?limit=0", "limit is a number from 1 to 1000"},
        {"/v1/registries/alpha/spaces?limit=1001", "limit is a number"},
        {"/v1/registries/alpha/spaces?limit=-1", "limit is a number"},
        {"/v1/registries/alpha/spaces?limit=10x", "limit is a number"},
        {"/v1/registries/alpha/spaces?limit=", "limit is a number"},
        {"/v1/registries/alpha/spaces?limit=99999999999999999999", "limit is a number"},
        {"/v1/registries/alpha/spaces?workspace=", "workspace: ''"},
        {"/v1/registries/alpha/spaces?workspace=a/b", "workspace: 'a/b'"},
        {"/v1/workspaces/a%20b/spaces", "workspace: 'a b'"},
        {"/v1/registries/alpha/spaces?after=alpha", "after: 'alpha'"},
        {"/v1/registries/alpha/spaces?after=beta/b", "after: 'beta/b'"},
        {"/v1/registries/alpha/spaces?after=alph/b", "after: 'alph/b'"},
        {"/v1/registries/alpha/spaces?after=alpha/", "after: 'alpha/'"},
        {"/v1/registries/alpha/spaces?after=alpha/A", "after: 'alpha/A'"},
        {"/v1/workspaces/blue/spaces?after=/b", "after: '/b'"},
        {"/v1/workspaces/blue/spaces?registry=beta&after=alpha/b", "after: 'alpha/b'"},
        {"/v1/registries/alpha/spaces/team-a?limit=1", "limit: there is no such parameter"},
        {"/v1/registries/alpha/spaces/Team-A", "Team-A can't be the name of a space"},
        {"/v1/registries/alpha/spaces/a%2Fb", "a/b can't be the name"},
        {"/v1/registries/alpha/spaces/a%22%ff", "a\"\xef\xbf\xbd can't be the name"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(fixture, cases[i].target, 400, "request.invalid", cases[i].says);
    }
}

/* Names that are as long as they can be, and longer. */
static void test_names_that_are_too_long_are_refused(void **state) {
    struct fixture *fixture = *state;
    char name[300] = "";
    memset(name, 'a', 256);
    char target[1024];
    (void)snprintf(target, sizeof(target), "/v1/registries/alpha/spaces/%.190s", name);
    char asked[512];
    (void)snprintf(asked, sizeof(asked), "one alpha/%.190s", name);
    assert_asks(fixture, target, asked);
    (void)snprintf(target, sizeof(target), "/v1/registries/alpha/spaces/%.191s", name);
    assert_refused(fixture, target, 400, "request.invalid", "can't be the name");
    (void)snprintf(target, sizeof(target), "/v1/workspaces/%.129s/spaces", name);
    assert_refused(fixture, target, 400, "request.invalid", "workspace: 'aaa");
    (void)snprintf(target, sizeof(target), "/v1/registries/alpha/spaces?after=alpha/%.256s", name);
    assert_refused(fixture, target, 400, "request.invalid", "after: 'alpha/aaa");
    (void)snprintf(target, sizeof(target), "/v1/workspaces/blue/spaces?after=%.64s/a", name);
    assert_refused(fixture, target, 400, "request.invalid", "after: 'aaa");
}

static void test_a_registry_that_is_not_configured_is_unknown(void **state) {
    struct fixture *fixture = *state;
    static const char *const targets[] = {
        "/v1/registries/gamma/spaces", "/v1/registries/gamma/spaces/a",
        "/v1/workspaces/blue/spaces?registry=gamma", "/v1/registries/gamma/spaces?limit=none"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_refused(fixture, targets[i], 404, "registry.unknown",
                       "no registry gamma is configured");
    }
}

static struct berth_lookup_space space_named(const char *registry, const char *name) {
    struct berth_lookup_space space = {
        .state = {.knowledge = BERTH_SPACE_PRESENT, .project_id = 5, .visibility = BERTH_PRIVATE}};
    (void)snprintf(space.registry, sizeof(space.registry), "%s", registry);
    (void)snprintf(space.space, sizeof(space.space), "%s", name);
    return space;
}

static void test_a_page_is_sent_with_the_cursor_of_the_next(void **state) {
    struct fixture *fixture = *state;
    const struct berth_lookup_space spaces[] = {space_named("alpha", "a"),
                                                space_named("beta", "b")};
    struct berth_lookup_answer answer = {.outcome = BERTH_LOOKUP_FOUND,
                                         .as_of_ms = 1700000000123,
                                         .spaces = spaces,
                                         .spaces_count = 2,
                                         .more = true};
    json_t *json = body_of(relay(fixture, "/v1/workspaces/blue/spaces", &answer));
    assert_int_equal(json_array_size(json_object_get(json, "spaces")), 2);
    assert_string_equal(json_string_value(json_object_get(json, "next")), "beta/b");
    assert_string_equal(json_string_value(json_object_get(json, "as_of")),
                        "2023-11-14T22:13:20.123Z");
    json_decref(json);

    answer.more = false;
    json = body_of(relay(fixture, "/v1/workspaces/blue/spaces", &answer));
    assert_true(json_is_null(json_object_get(json, "next")));
    json_decref(json);
}

static void test_one_space_is_sent_as_an_object(void **state) {
    struct fixture *fixture = *state;
    const struct berth_lookup_space space = space_named("alpha", "team-a");
    const struct berth_lookup_answer answer = {.outcome = BERTH_LOOKUP_FOUND,
                                               .as_of_ms = 1700000000123,
                                               .spaces = &space,
                                               .spaces_count = 1};
    const char *says = relay(fixture, "/v1/registries/alpha/spaces/team-a", &answer);
    assert_non_null(strstr(says, "Content-Type: application/json\r\n"));
    json_t *json = body_of(says);
    assert_string_equal(json_string_value(json_object_get(json, "space")), "team-a");
    assert_string_equal(json_string_value(json_object_get(json, "visibility")), "PRIVATE");
    assert_int_equal(json_integer_value(json_object_get(json, "project_id")), 5);
    json_decref(json);
}

/* A part of a list would be taken for the whole: whatever is missing, the answer is an error. */
static void test_what_cannot_be_told_now_says_why_and_when_to_ask_again(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        enum berth_lookup_outcome outcome;
        const char *code;
        const char *retry;
    } cases[] = {
        {BERTH_LOOKUP_REBUILDING, "lookup.rebuilding", "Retry-After: 5\r\n"},
        {BERTH_LOOKUP_REDIS_UNAVAILABLE, "redis.unavailable", "Retry-After: 2\r\n"},
        {BERTH_LOOKUP_HARBOR_UNAVAILABLE, "registry.unavailable", "Retry-After: 2\r\n"},
        {BERTH_LOOKUP_OVERLOADED, "lookup.overloaded", "Retry-After: 1\r\n"},
    };
    static const char *const targets[] = {"/v1/registries/alpha/spaces",
                                          "/v1/registries/alpha/spaces/a"};
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        const struct berth_lookup_answer answer = {.outcome = cases[i / 2].outcome,
                                                   .why = "as it said"};
        const char *says = relay(fixture, targets[i % 2], &answer);
        assert_error(says, 503, cases[i / 2].code, "as it said");
        assert_non_null(strstr(says, cases[i / 2].retry));
    }
    const struct berth_lookup_answer absent = {.outcome = BERTH_LOOKUP_NOT_FOUND};
    assert_error(relay(fixture, targets[1], &absent), 404, "space.not_found", "no such space");
}

static void test_a_lookup_that_cannot_be_asked_is_answered_at_once(void **state) {
    struct fixture *fixture = *state;
    lookup.rc = BERTH_FAULT_MEMORY;
    const char *says = wait_for_end(fixture, get(fixture, "/v1/registries/alpha/spaces"));
    assert_error(says, 503, "lookup.overloaded", "no memory");
    says = wait_for_end(fixture, get(fixture, "/v1/registries/alpha/spaces/a"));
    assert_error(says, 503, "lookup.overloaded", "no memory");
}

/* The bound of an answer is above the largest page that there can be: names at their longest, as
 * many spaces and bindings as a page may have. */
static void test_the_largest_page_has_room(void **state) {
    struct fixture *fixture = *state;
    char name[BERTH_SPACE_BYTES] = "";
    memset(name, 'n', sizeof(name) - 1);
    char registry[BERTH_REGISTRY_BYTES] = "";
    memset(registry, 'r', sizeof(registry) - 1);
    struct berth_binding *bindings = calloc(BERTH_SPACE_BINDINGS_MAX, sizeof(*bindings));
    struct berth_lookup_space *spaces = calloc(BERTH_LOOKUP_PAGE_MAX, sizeof(*spaces));
    assert_non_null(bindings);
    assert_non_null(spaces);
    for (size_t i = 0; i < BERTH_SPACE_BINDINGS_MAX; i++) {
        memset(bindings[i].workspace, 'w', sizeof(bindings[i].workspace) - 1);
        bindings[i].robot_id = INT64_MAX;
    }
    /* A page ends once there are so many, and the last space is never cut. */
    size_t bindings_left = BERTH_LOOKUP_PAGE_BINDINGS_MAX + BERTH_SPACE_BINDINGS_MAX;
    for (size_t i = 0; i < BERTH_LOOKUP_PAGE_MAX; i++) {
        spaces[i] = space_named(registry, name);
        spaces[i].state.quota_bytes = INT64_MAX;
        spaces[i].state.updated_at_ms = 1700000000123;
        spaces[i].state.verified_at_ms = 1700000000123;
        spaces[i].state.version = INT64_MAX;
        memset(spaces[i].state.created_by, '0', BERTH_UUID_BYTES - 1);
        memset(spaces[i].state.updated_by, '0', BERTH_UUID_BYTES - 1);
        size_t count =
            bindings_left < BERTH_SPACE_BINDINGS_MAX ? bindings_left : BERTH_SPACE_BINDINGS_MAX;
        spaces[i].state.bindings = bindings;
        spaces[i].state.bindings_count = count;
        bindings_left -= count;
    }
    const struct berth_lookup_answer answer = {.outcome = BERTH_LOOKUP_FOUND,
                                               .spaces = spaces,
                                               .spaces_count = BERTH_LOOKUP_PAGE_MAX,
                                               .more = true};
    const char *says = relay(fixture, "/v1/registries/alpha/spaces?limit=1000", &answer);
    assert_true(strlen(says) < BERTH_ADMIN_BODY_BYTES_MAX);
    json_t *json = body_of(says);
    assert_int_equal(json_array_size(json_object_get(json, "spaces")), BERTH_LOOKUP_PAGE_MAX);
    json_decref(json);
    free(bindings);
    free(spaces);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, admin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_asks_for_what_its_path_and_query_say),
        TEST(test_a_parameter_that_is_not_understood_is_named),
        TEST(test_names_that_are_too_long_are_refused),
        TEST(test_a_registry_that_is_not_configured_is_unknown),
        TEST(test_a_page_is_sent_with_the_cursor_of_the_next),
        TEST(test_one_space_is_sent_as_an_object),
        TEST(test_what_cannot_be_told_now_says_why_and_when_to_ask_again),
        TEST(test_a_lookup_that_cannot_be_asked_is_answered_at_once),
        TEST(test_the_largest_page_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
