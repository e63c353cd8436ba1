/* SPDX-License-Identifier: Apache-2.0 */
/* The admin server and clients of it, on real sockets of the loopback; all share one loop. */
#ifndef BERTH_TESTS_UNIT_IO_ADMIN_FIXTURE_H
#define BERTH_TESTS_UNIT_IO_ADMIN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/io/admin_http.h"

#define CLIENTS_MAX (BERTH_ADMIN_CONNECTIONS_MAX + 1)

struct bufferevent;
struct event_base;

struct client {
    struct bufferevent *events;
    struct berth_buffer received;
    bool ended;
};

struct fixture {
    struct event_base *base;
    struct berth_admin_http *server;
    const char *reasons; /* What the readiness check says. */
    struct client clients[CLIENTS_MAX];
    struct berth_admin_reply *held; /* Of the handler that answers later. */
    int asked;                      /* ... and how often it was asked. */
    int asked_of_others;
};

/* cmocka's; *state is the fixture. */
int admin_setup(void **state);
int admin_teardown(void **state);

void admin_check_live(void *ctx, struct berth_buffer *reasons);
void admin_check_ready(void *ctx, struct berth_buffer *reasons);
void admin_metrics(void *ctx, struct berth_buffer *text);

/* Connects and sends the text; what comes back gathers while the loop turns. */
struct client *begin(struct fixture *fixture, size_t index, const char *text);
/* Sends more. */
void say(struct client *client, const char *text);
/* Ends the client's side. */
void leave(struct client *client);

/* Each turns the loop until what is named is so, and fails if that takes too long. */
const char *wait_for_end(struct fixture *fixture, const struct client *client);
const char *wait_for_text(struct fixture *fixture, const struct client *client, const char *text);
void wait_for_count(struct fixture *fixture, const int *count, int wanted);
/* What waits in sockets and timers that are due has been seen to. */
void turn(struct fixture *fixture);

/* The whole conversation of a connection that the server ends, by client 0. */
const char *ask(struct fixture *fixture, const char *request);

void assert_answer(const char *answer, const char *status, const char *body);

/* How often the text occurs. */
int count_of(const char *text, const char *part);

#endif
