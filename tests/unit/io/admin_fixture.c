/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Turns of the loop are bounded in time, so that a test fails instead of hanging. */
#define PATIENCE_S 20

void admin_check_live(void *ctx, struct berth_buffer *reasons) {
    (void)ctx;
    (void)reasons;
}

void admin_check_ready(void *ctx, struct berth_buffer *reasons) {
    const struct fixture *fixture = ctx;
    if (fixture->reasons != NULL) {
        assert_int_equal(berth_buffer_append_text(reasons, fixture->reasons), BERTH_OK);
    }
}

void admin_metrics(void *ctx, struct berth_buffer *text) {
    (void)ctx;
    assert_int_equal(berth_buffer_append_text(text, "berth_partitions 3\n"), BERTH_OK);
}

int admin_setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL) {
        return -1;
    }
    *state = fixture;
    fixture->base = event_base_new();
    const struct berth_admin_checks checks = {.live = admin_check_live,
                                              .ready = admin_check_ready,
                                              .metrics = admin_metrics,
                                              .ctx = fixture};
    struct berth_error error = {0};
    if (fixture->base == NULL || berth_admin_http_new(fixture->base, "127.0.0.1:0", &checks,
                                                      &fixture->server, &error) != BERTH_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    return 0;
}

int admin_teardown(void **state) {
    struct fixture *fixture = *state;
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        leave(&fixture->clients[i]);
    }
    berth_admin_http_free(fixture->server);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

static void received_cb(struct bufferevent *events, void *arg) {
    struct client *client = arg;
    char bytes[4096];
    size_t len = 0;
    while ((len = bufferevent_read(events, bytes, sizeof(bytes))) > 0) {
        assert_int_equal(berth_buffer_append(&client->received, bytes, len), BERTH_OK);
    }
}

static void ended_cb(struct bufferevent *events, short what, void *arg) {
    (void)events;
    struct client *client = arg;
    client->ended = client->ended || (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0;
}

struct client *begin(struct fixture *fixture, size_t index, const char *text) {
    struct client *client = &fixture->clients[index];
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(berth_admin_http_port(fixture->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    berth_buffer_init(&client->received, 2 * BERTH_ADMIN_BODY_BYTES_MAX);
    client->events = bufferevent_socket_new(fixture->base, -1, BEV_OPT_CLOSE_ON_FREE);
    assert_non_null(client->events);
    bufferevent_setcb(client->events, received_cb, NULL, ended_cb, client);
    assert_int_equal(bufferevent_enable(client->events, EV_READ | EV_WRITE), 0);
    assert_int_equal(bufferevent_socket_connect(client->events, (const struct sockaddr *)&address,
                                                (int)sizeof(address)),
                     0);
    say(client, text);
    return client;
}

void say(struct client *client, const char *text) {
    assert_int_equal(bufferevent_write(client->events, text, strlen(text)), 0);
}

void leave(struct client *client) {
    if (client->events != NULL) {
        bufferevent_free(client->events);
        berth_buffer_deinit(&client->received);
        *client = (struct client){0};
    }
}

static void patience_ended_cb(evutil_socket_t fd, short what, void *arg) {
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

static const char *text_of(const struct client *client) {
    return client->received.len > 0 ? (const char *)client->received.data : "";
}

/* Any of: the client's end, the client's text, a count. */
static void wait_until(struct fixture *fixture, const struct client *client, const char *text,
                       const int *count, int wanted) {
    bool too_long = false;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct event *timer = evtimer_new(fixture->base, patience_ended_cb, &too_long);
    assert_non_null(timer);
    assert_int_equal(evtimer_add(timer, &patience), 0);
    while (!too_long && !(count != NULL  ? *count >= wanted
                          : text != NULL ? strstr(text_of(client), text) != NULL
                                         : client->ended)) {
        assert_int_equal(event_base_loop(fixture->base, EVLOOP_ONCE), 0);
    }
    event_free(timer);
    if (too_long && client != NULL) {
        print_error("received: %.2000s\n", text_of(client));
    }
    assert_false(too_long);
}

const char *wait_for_end(struct fixture *fixture, const struct client *client) {
    wait_until(fixture, client, NULL, NULL, 0);
    return text_of(client);
}

const char *wait_for_text(struct fixture *fixture, const struct client *client, const char *text) {
    wait_until(fixture, client, text, NULL, 0);
    return text_of(client);
}

void wait_for_count(struct fixture *fixture, const int *count, int wanted) {
    wait_until(fixture, NULL, NULL, count, wanted);
}

void turn(struct fixture *fixture) {
    for (int i = 0; i < 10; i++) {
        assert_true(event_base_loop(fixture->base, EVLOOP_NONBLOCK) >= 0);
    }
}

const char *ask(struct fixture *fixture, const char *request) {
    leave(&fixture->clients[0]);
    return wait_for_end(fixture, begin(fixture, 0, request));
}

void assert_answer(const char *answer, const char *status, const char *body) {
    assert_memory_equal(answer, status, strlen(status));
    const char *start = strstr(answer, "\r\n\r\n");
    assert_non_null(start);
    assert_string_equal(start + 4, body);
}

int count_of(const char *text, const char *part) {
    int count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}
