/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static void on_request(void *ctx, const struct scripted_request *request) {
    struct world *world = ctx;
    if (world->seen_count < KEPT_MAX) {
        (void)snprintf(world->seen[world->seen_count++], KEPT_BYTES, "%s", request->text);
    }
    world->script(ctx, request);
}

void reply_as_told(void *ctx, const struct scripted_request *request) {
    struct world *world = ctx;
    scripted_reply(request, world->status, world->headers, world->body);
}

void hold(void *ctx, const struct scripted_request *request) {
    struct world *world = ctx;
    assert_true(world->held_count < KEPT_MAX);
    world->held[world->held_count++] = request->connection;
}

void close_softly(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    scripted_close(request->connection, false);
}

void close_hard(void *ctx, const struct scripted_request *request) {
    (void)ctx;
    scripted_close(request->connection, true);
}

void world_init(struct world *world) {
    client_fixture_init(&world->fixture, "");
    world->server = scripted_server_new(world->fixture.base, on_request, world);
    for (size_t i = 0; i < REGISTRIES_MAX; i++) {
        (void)snprintf(world->fixture.urls[i], sizeof world->fixture.urls[i], "http://127.0.0.1:%d",
                       scripted_server_port(world->server));
    }
    world->script = reply_as_told;
    world->status = 200;
    world->headers = "";
    world->body = PROJECT;
}

void world_deinit(struct world *world) {
    world->fixture.client = berth_harbor_client_free(world->fixture.client);
    scripted_server_free(world->server);
    client_fixture_deinit(&world->fixture);
}

int world_set_up(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world_init(world);
    *state = world;
    return 0;
}

int world_tear_down(void **state) {
    world_deinit(*state);
    free(*state);
    return 0;
}

struct scripted_counts counts_of(const struct world *world) {
    return scripted_server_counts(world->server);
}

const struct berth_harbor_answer *ask(struct world *world, enum berth_harbor_call_kind kind) {
    struct berth_harbor_call call = client_call(kind);
    return client_ask(&world->fixture, &call);
}

bool sees_fewer_than_four(void *ctx) {
    return counts_of(ctx).requests < 4;
}

bool sees_none(void *ctx) {
    return counts_of(ctx).requests == 0;
}

bool sees_no_reset(void *ctx) {
    return counts_of(ctx).resets == 0;
}
