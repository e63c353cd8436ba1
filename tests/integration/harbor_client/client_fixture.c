/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "berth/io/clock.h"
#include "client_fixture.h"

#define PATIENCE_MS 20000

static void on_answer(void *ctx, uint64_t call_id, const struct berth_harbor_call *call,
                      const struct berth_harbor_answer *answer) {
    struct client_fixture *fixture = ctx;
    assert_false(fixture->submitting);
    assert_true(fixture->answers_count < ANSWERS_MAX);
    struct answered_call *kept = &fixture->answers[fixture->answers_count++];
    *kept = (struct answered_call){.call_id = call_id, .kind = call->kind, .answer = *answer};
    kept->answer.robots = NULL;
    if (answer->robots_count > 0) {
        kept->robot = answer->robots[0];
        kept->answer.robots = &kept->robot;
    }
}

static void on_notice(void *ctx, const char *registry, bool trouble, const char *text);

void client_fixture_init(struct client_fixture *fixture, const char *url) {
    *fixture = (struct client_fixture){.base = event_base_new()};
    assert_non_null(fixture->base);
    for (size_t i = 0; i < REGISTRIES_MAX; i++) {
        (void)snprintf(fixture->urls[i], sizeof fixture->urls[i], "%s", url);
        fixture->registries[i] = (struct berth_harbor_registry_config){
            .name = i == 0 ? "alpha" : "beta",
            .uid = REGISTRY_UID,
            .url = fixture->urls[i],
            .username = "svc-berth",
            .password = "Pass:word1",
            .basic_login = true,
            .limit = 4,
            .queue_max = 16,
            .connect_timeout_ms = 5000,
            .request_timeout_ms = 10000,
        };
    }
}

void client_fixture_deinit(struct client_fixture *fixture) {
    fixture->client = berth_harbor_client_free(fixture->client);
    event_base_free(fixture->base);
}

void client_start(struct client_fixture *fixture, size_t registries_count) {
    static const uint8_t KEY[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    const struct berth_harbor_client_config config = {
        .base = fixture->base,
        .deployment = "prod",
        .registries = fixture->registries,
        .registries_count = registries_count,
        .master_key = {.data = KEY, .len = sizeof KEY},
        .seed = 11,
        .on_answer = on_answer,
        .on_notice = on_notice,
        .ctx = fixture,
    };
    struct berth_error error = {.text = ""};
    assert_int_equal(berth_harbor_client_new(&config, &fixture->client, &error), BERTH_OK);
}

struct berth_harbor_call client_call(enum berth_harbor_call_kind kind) {
    return (struct berth_harbor_call){
        .kind = kind,
        .space = "team-a",
        .project_id = 12,
        .robot_id = 34,
        .quota_id = 56,
        .visibility = BERTH_PRIVATE,
        .page = 1,
        .workspace = "ws-alpha",
        .robot_name = "ws-ws-alpha",
        .not_after_ms = INT64_MAX,
    };
}

enum berth_rc client_submit(struct client_fixture *fixture, const struct berth_harbor_call *call) {
    struct berth_harbor_call numbered = *call;
    (void)snprintf(numbered.request_id, sizeof numbered.request_id, "request-%" PRIu64,
                   fixture->calls_made);
    fixture->submitting = true;
    enum berth_rc rc = berth_harbor_client_submit(fixture->client, fixture->calls_made, &numbered);
    fixture->submitting = false;
    fixture->calls_made++;
    return rc;
}

static void on_notice(void *ctx, const char *registry, bool trouble, const char *text) {
    struct client_fixture *fixture = ctx;
    if (fixture->on_notice != NULL) {
        fixture->on_notice(fixture->notice_ctx, registry, trouble, text);
    }
}

static void libevent_impatient_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    *(bool *)ctx = true;
}

void client_run_while(struct client_fixture *fixture, bool (*is_so)(void *ctx), void *ctx) {
    bool impatient = false;
    struct event *patience = evtimer_new(fixture->base, libevent_impatient_cb, &impatient);
    assert_non_null(patience);
    const struct timeval limit = {.tv_sec = PATIENCE_MS / 1000};
    assert_int_equal(evtimer_add(patience, &limit), 0);
    while (is_so(ctx) && !impatient) {
        assert_int_equal(event_base_loop(fixture->base, EVLOOP_ONCE), 0);
    }
    event_free(patience);
    assert_false(impatient);
}

struct count_wanted {
    const struct client_fixture *fixture;
    size_t answers_count;
};

static bool has_too_few(void *ctx) {
    const struct count_wanted *wanted = ctx;
    return wanted->fixture->answers_count < wanted->answers_count;
}

void client_run_until(struct client_fixture *fixture, size_t answers_count) {
    struct count_wanted wanted = {.fixture = fixture, .answers_count = answers_count};
    client_run_while(fixture, has_too_few, &wanted);
}

const struct berth_harbor_answer *client_ask(struct client_fixture *fixture,
                                             const struct berth_harbor_call *call) {
    size_t before = fixture->answers_count;
    assert_int_equal(client_submit(fixture, call), BERTH_OK);
    client_run_until(fixture, before + 1);
    return &fixture->answers[before].answer;
}
