/* SPDX-License-Identifier: Apache-2.0 */
/* The Harbor client when its registry is configured anew, and what else each registry can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "session_world.h"

static void reload(struct world *world) {
    struct berth_error error = {.text = ""};
    assert_int_equal(
        berth_harbor_client_reload(world->fixture.client, 0, &world->fixture.registries[0], &error),
        BERTH_OK);
}

static bool holds_nothing(void *ctx) {
    const struct session_world *world = ctx;
    return world->world.held_count == 0;
}

/* Lost work would be done again; so what is under way ends where it began. */
static void test_a_request_under_way_ends_as_it_began(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->as_user = hold;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_UPDATE_PROJECT);
    assert_int_equal(client_submit(&world->world.fixture, &call), BERTH_OK);
    client_run_while(&world->world.fixture, holds_nothing, world);
    world->world.fixture.registries[0].password = "another";
    reload(&world->world);
    static const char DONE[] =
        "HTTP/1.1 200 OK\r\nX-Request-Id: request-1\r\nContent-Length: 0\r\n\r\n";
    scripted_send(world->world.held[0], DONE, sizeof DONE - 1);
    client_run_until(&world->world.fixture, 2);
    assert_int_equal(world->world.fixture.answers[1].answer.verdict, BERTH_HARBOR_DONE);
}

static void test_the_old_session_serves_until_the_new_one_is_there(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->hold_login = true;
    world->world.fixture.registries[0].password = "another";
    reload(&world->world);
    client_run_while(&world->world.fixture, holds_nothing, world);
    assert_string_equal(world->last_form, "principal=svc-berth&password=another");
    assert_int_equal(ask(&world->world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->calls, 2);
    assert_int_equal(world->unsaid, 0);
}

/* The new password is wrong: the old session goes on, and one notice says it. */
static void test_a_wrong_new_password_does_not_end_the_old_session(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    world->login_status = 401;
    reload(&world->world);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(&world->world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict,
                         BERTH_HARBOR_DONE);
    }
    while (world->notices == 0) {
        assert_int_equal(event_base_loop(world->world.fixture.base, EVLOOP_ONCE), 0);
    }
    assert_int_equal(world->notices, 1);
}

static void test_a_login_under_way_begins_again_with_the_new_password(void **state) {
    struct session_world *world = *state;
    world->hold_login = true;
    session_world_start(world);
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(client_submit(&world->world.fixture, &call), BERTH_OK);
    client_run_while(&world->world.fixture, holds_nothing, world);
    world->hold_login = false;
    world->world.fixture.registries[0].password = "another";
    reload(&world->world);
    client_run_until(&world->world.fixture, 1);
    assert_int_equal(world->world.fixture.answers[0].answer.verdict, BERTH_HARBOR_DONE);
    assert_string_equal(world->last_form, "principal=svc-berth&password=another");
    assert_int_equal(world->logins, 2);
}

/* A session of one Harbor says nothing to another. */
static void test_another_url_is_asked_at_once_with_a_login_of_its_own(void **state) {
    struct session_world *world = *state;
    session_world_log_in(world);
    (void)snprintf(world->world.fixture.urls[0], sizeof world->world.fixture.urls[0],
                   "http://localhost:%d", scripted_server_port(world->world.server));
    reload(&world->world);
    size_t before = world->world.seen_count;
    assert_int_equal(ask(&world->world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
    assert_int_equal(world->logins, 2);
    for (size_t i = before; i < world->world.seen_count; i++) {
        assert_non_null(strstr(world->world.seen[i], "\r\nHost: localhost:"));
    }
}

static void test_basic_logins_change_with_the_next_request(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    world->fixture.registries[0].password = "another";
    reload(world);
    (void)ask(world, BERTH_HARBOR_GET_PROJECT_NAME);
    assert_non_null(strstr(world->seen[0], "Basic c3ZjLWJlcnRoOlBhc3M6d29yZDE="));
    assert_non_null(strstr(world->seen[1], "Basic c3ZjLWJlcnRoOmFub3RoZXI="));
}

/* Design 4.7: a request that may take longer must be sent that much sooner. */
static void test_a_longer_time_out_brings_the_end_of_waiting_writes_forward(void **state) {
    struct world *world = *state;
    world->fixture.registries[0].limit = 1;
    client_start(&world->fixture, 1);
    world->script = hold;
    struct berth_harbor_call call = client_call(BERTH_HARBOR_GET_PROJECT_NAME);
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    client_run_while(&world->fixture, sees_none, world);
    call = client_call(BERTH_HARBOR_CREATE_PROJECT);
    call.not_after_ms = berth_clock_monotonic_ms() + 30000;
    assert_int_equal(client_submit(&world->fixture, &call), BERTH_OK);
    world->fixture.registries[0].request_timeout_ms += 40000;
    reload(world);
    world->script = reply_as_told;
    scripted_close(world->held[0], true);
    client_run_until(&world->fixture, 2);
    /* Its turn comes before the read's answer is told. */
    bool first = world->fixture.answers[0].kind == BERTH_HARBOR_CREATE_PROJECT;
    const struct berth_harbor_answer *answer = &world->fixture.answers[first ? 0 : 1].answer;
    assert_int_equal(answer->verdict, BERTH_HARBOR_NOT_SENT);
    assert_non_null(strstr(answer->error, "too late"));
}

static void test_a_bad_url_changes_nothing(void **state) {
    struct world *world = *state;
    client_start(&world->fixture, 1);
    struct berth_harbor_registry_config bad = world->fixture.registries[0];
    bad.url = "ftp://nowhere";
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_harbor_client_reload(world->fixture.client, 0, &bad, &error),
                     BERTH_INVALID);
    assert_non_null(strstr(error.text, "registry alpha"));
    assert_int_equal(ask(world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
}

static void test_extra_headers_go_with_every_request(void **state) {
    struct session_world *world = *state;
    static const char *const EXTRA[] = {"X-Gateway-Route: harbor", "X-Team: platform"};
    world->world.fixture.registries[0].extra_headers = EXTRA;
    world->world.fixture.registries[0].extra_headers_count = 2;
    session_world_log_in(world);
    assert_int_equal(world->world.seen_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(strstr(world->world.seen[i], "\r\nX-Gateway-Route: harbor\r\n"));
        assert_non_null(strstr(world->world.seen[i], "\r\nX-Team: platform\r\n"));
    }
}

/* And only that: what the environment names is somebody else's. */
static void test_the_proxy_is_the_configured_one(void **state) {
    struct session_world *world = *state;
    char proxy[64];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d",
                   scripted_server_port(world->world.server));
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("no_proxy", "*", 1), 0);
    world->world.script = reply_as_told;
    world->world.fixture.registries[0].basic_login = true;
    world->world.fixture.registries[0].proxy = proxy;
    (void)snprintf(world->world.fixture.urls[0], sizeof world->world.fixture.urls[0],
                   "http://harbor.invalid");
    session_world_start(world);
    assert_int_equal(ask(&world->world, BERTH_HARBOR_GET_PROJECT_NAME)->verdict, BERTH_HARBOR_DONE);
    static const char LINE[] = "GET http://harbor.invalid/api/v2.0/projects/team-a HTTP/1.1\r\n";
    assert_memory_equal(world->world.seen[0], LINE, sizeof LINE - 1);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("no_proxy"), 0);
}

int main(void) {
#define IN_SESSION(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, session_world_set_up, session_world_tear_down)
#define WITH_BASIC(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        IN_SESSION(test_a_request_under_way_ends_as_it_began),
        IN_SESSION(test_the_old_session_serves_until_the_new_one_is_there),
        IN_SESSION(test_a_wrong_new_password_does_not_end_the_old_session),
        IN_SESSION(test_a_login_under_way_begins_again_with_the_new_password),
        IN_SESSION(test_another_url_is_asked_at_once_with_a_login_of_its_own),
        WITH_BASIC(test_basic_logins_change_with_the_next_request),
        WITH_BASIC(test_a_longer_time_out_brings_the_end_of_waiting_writes_forward),
        WITH_BASIC(test_a_bad_url_changes_nothing),
        IN_SESSION(test_extra_headers_go_with_every_request),
        IN_SESSION(test_the_proxy_is_the_configured_one),
    };
    return cmocka_run_group_tests_name("harbor_client_reload", tests, NULL, NULL);
}
