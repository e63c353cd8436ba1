/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Harbor client and a scripted server on one loop, for the tests of this folder. Include
 * <cmocka.h> first.
 */
#ifndef BERTH_TESTS_WORLD_H
#define BERTH_TESTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "client_fixture.h"
#include "scripted_server.h"

#define KEPT_MAX   48
#define KEPT_BYTES 4096
#define PROJECT    "{\"project_id\":12,\"name\":\"team-a\",\"owner_name\":\"svc\",\"repo_count\":0}"
#define CONFLICT   "{\"errors\":[{\"code\":\"CONFLICT\",\"message\":\"it exists\"}]}"
#define OUR_ROBOT                                                                                  \
    "{\"id\":34,\"name\":\"corp$team-a+ws-ws-alpha\",\"level\":\"project\",\"disable\":true,"      \
    "\"description\":\"berth=prod;ws=ws-alpha\"}"

/* The server's script, the client, and what the server saw. */
struct world {
    struct client_fixture fixture;
    struct scripted_server *server;
    scripted_request_fn *script;
    int status; /* For the script that replies always the same. */
    const char *headers;
    const char *body;
    char seen[KEPT_MAX][KEPT_BYTES];
    size_t seen_count;
    struct scripted_connection *held[KEPT_MAX];
    size_t held_count;
};

/* A zeroed world's server and fixture; the client is started by the test. */
void world_init(struct world *world);
void world_deinit(struct world *world);

/* For cmocka: *state is a world whose server replies as told, 200 with PROJECT. The client is
 * started by the test, client_start(), after it has changed the configuration. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* Scripts: reply with the world's status, headers and body; keep the connection and do nothing; end
 * the connection without a reply, by FIN or by a reset. ctx is the world. */
void reply_as_told(void *ctx, const struct scripted_request *request);
void hold(void *ctx, const struct scripted_request *request);
void close_softly(void *ctx, const struct scripted_request *request);
void close_hard(void *ctx, const struct scripted_request *request);

struct scripted_counts counts_of(const struct world *world);

/* Submits a call of this kind to the first registry, waits and gives the answer. */
const struct berth_harbor_answer *ask(struct world *world, enum berth_harbor_call_kind kind);

/* Conditions for client_run_while(), of a world. */
bool sees_none(void *ctx);
bool sees_fewer_than_four(void *ctx);
bool sees_no_reset(void *ctx);

#endif
