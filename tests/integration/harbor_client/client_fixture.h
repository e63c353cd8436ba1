/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Harbor client on a loop of its own, and what it answered. Include <cmocka.h> first.
 */
#ifndef BERTH_TESTS_CLIENT_FIXTURE_H
#define BERTH_TESTS_CLIENT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/io/harbor_client.h"

#define ANSWERS_MAX    64
#define REGISTRY_UID   "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21"
#define REGISTRIES_MAX 2

struct answered_call {
    uint64_t call_id;
    enum berth_harbor_call_kind kind;
    struct berth_harbor_answer answer; /* Its robots point to the first one of the page, below. */
    struct berth_harbor_robot robot;
};

struct client_fixture {
    struct event_base *base;
    struct berth_harbor_client *client;
    struct berth_harbor_registry_config registries[REGISTRIES_MAX];
    char urls[REGISTRIES_MAX][256];
    struct answered_call answers[ANSWERS_MAX];
    size_t answers_count;
    bool submitting; /* Asserts that no answer comes from within submit. */
    uint64_t calls_made;
    berth_harbor_notice_fn *on_notice; /* NULL: nobody is told. Its ctx is the next one. */
    void *notice_ctx;
};

/* A loop, and one registry's configuration to be changed by the test before client_start(). */
void client_fixture_init(struct client_fixture *fixture, const char *url);
void client_fixture_deinit(struct client_fixture *fixture);

/* Makes the client; registries_count of the configurations are used. */
void client_start(struct client_fixture *fixture, size_t registries_count);

/* A call of this kind about space "team-a", project 12, robot 34, workspace "ws-alpha". */
struct berth_harbor_call client_call(enum berth_harbor_call_kind kind);

/* Submits with a request id of its own; the call's id is the number of calls before it. */
enum berth_rc client_submit(struct client_fixture *fixture, const struct berth_harbor_call *call);

/* Runs the loop until there are that many answers in all; 20 seconds without are a failure. */
void client_run_until(struct client_fixture *fixture, size_t answers_count);

/* Runs the loop until the condition holds, with the same patience. */
void client_run_while(struct client_fixture *fixture, bool (*is_so)(void *ctx), void *ctx);

/* Submits, waits and gives the answer. */
const struct berth_harbor_answer *client_ask(struct client_fixture *fixture,
                                             const struct berth_harbor_call *call);

#endif
