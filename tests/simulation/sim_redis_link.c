/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linker puts the __wrap_ functions below in place of those that the ledger calls: the client
 * of Redis, libevent's timers, the random id of a rebuild and the wall clock. The link is what the
 * ledger takes for its event base.
 */
#include "sim_redis_link.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/random.h"
#include "berth/io/clock.h"
#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "sim_redis_link_parts.h"

struct sim_request {
    struct sim_link *link; /* NULL: its connection has ended. */
    struct sim_request *next;
    const struct berth_redis_script *script;
    struct berth_redis_args args; /* Its words are in one piece of text of its own. */
    char *text;
    size_t bytes;
    uint64_t number; /* Of its connection. */
    berth_redis_reply_fn fn;
    void *ctx;
    bool answered;
    struct redisReply *reply; /* NULL: not run yet. */
};

/* libevent's and the production's clients are opaque to the ledger, so these are ours. */
struct event {
    struct sim_link *link;
    event_callback_fn fn;
    void *ctx;
    int64_t due_ms; /* -1: not armed. */
};

struct berth_redis_client {
    struct sim_link *link;
    struct berth_redis_client_config config;
};

/* The link whose clocks the ledger reads; set with its time, and before each call back. */
static struct sim_link *current;

static void enter(struct sim_link *link) {
    current = link;
}

/* ---- What the ledger calls ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names. */
enum berth_rc __wrap_berth_redis_client_new(const struct berth_redis_client_config *config,
                                            struct berth_redis_client **ret_client,
                                            struct berth_error *reterr);
struct berth_redis_client *__wrap_berth_redis_client_free(struct berth_redis_client *client);
enum berth_rc __wrap_berth_redis_client_run(struct berth_redis_client *client, size_t script,
                                            struct berth_redis_args *args, berth_redis_reply_fn fn,
                                            void *ctx);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn fn, void *ctx);
int __wrap_event_add(struct event *event, const struct timeval *delay);
int __wrap_event_del(struct event *event);
void __wrap_event_free(struct event *event);
enum berth_rc __wrap_berth_uuid4(char ret_uuid[BERTH_UUID_BYTES]);
int64_t __wrap_berth_clock_wall_ms(void);
/* NOLINTEND(bugprone-reserved-identifier) */

enum berth_rc __wrap_berth_redis_client_new(const struct berth_redis_client_config *config,
                                            struct berth_redis_client **ret_client,
                                            struct berth_error *reterr) {
    (void)reterr;
    struct berth_redis_client *client = calloc(1, sizeof(*client));
    BERTH_ASSERT(client != NULL);
    *client = (struct berth_redis_client){(struct sim_link *)config->base, *config};
    client->link->client = client;
    *ret_client = client;
    return BERTH_OK;
}

/* Takes the oldest request off the connection and answers it. */
static void answer_first(struct sim_link *link, const struct redisReply *reply) {
    struct sim_request *request = link->pending;
    link->pending = request->next;
    link->pending_count--;
    link->pending_bytes -= request->bytes;
    request->link = NULL;
    request->next = NULL;
    request->answered = true;
    enter(link);
    request->fn(request->ctx, reply);
}

struct berth_redis_client *__wrap_berth_redis_client_free(struct berth_redis_client *client) {
    if (client == NULL) {
        return NULL;
    }
    struct sim_link *link = client->link;
    link->connected = false;
    while (link->pending != NULL) {
        answer_first(link, NULL);
    }
    link->client = NULL;
    free(client);
    return NULL;
}

/* A copy of the words: they are borrowed, and a request may arrive late. */
static struct sim_request *new_request(const struct berth_redis_args *args) {
    struct sim_request *request = calloc(1, sizeof(*request));
    BERTH_ASSERT(request != NULL);
    size_t bytes = 0;
    for (size_t i = 0; i < args->count; i++) {
        bytes += args->lens[i];
    }
    request->text = malloc(bytes + 1);
    BERTH_ASSERT(request->text != NULL);
    request->bytes = bytes;
    enum berth_rc rc = berth_redis_args_begin(&request->args, args->count, 0);
    BERTH_ASSERT(rc == BERTH_OK);
    char *at = request->text;
    for (size_t i = 0; i < args->count; i++) {
        memcpy(at, args->words[i], args->lens[i]);
        berth_redis_args_bytes(&request->args, at, args->lens[i]);
        at += args->lens[i];
    }
    return request;
}

enum berth_rc __wrap_berth_redis_client_run(struct berth_redis_client *client, size_t script,
                                            struct berth_redis_args *args, berth_redis_reply_fn fn,
                                            void *ctx) {
    struct sim_link *link = client->link;
    BERTH_ASSERT(script < client->config.scripts_count);
    if (!link->connected || link->pending_count >= client->config.pending_max ||
        link->pending_bytes >= client->config.pending_bytes_max) {
        return BERTH_BUSY;
    }
    struct sim_request *request = new_request(args);
    request->link = link;
    request->script = &client->config.scripts[script];
    request->number = ++link->sent;
    request->fn = fn;
    request->ctx = ctx;
    struct sim_request **last = &link->pending;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = request;
    link->pending_count++;
    link->pending_bytes += request->bytes;
    link->config.on_request(link->config.ctx, request);
    return BERTH_OK;
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn fn, void *ctx) {
    BERTH_ASSERT(fd == -1);
    BERTH_ASSERT(what == 0);
    struct event *event = calloc(1, sizeof(*event));
    BERTH_ASSERT(event != NULL);
    *event = (struct event){(struct sim_link *)base, fn, ctx, -1};
    BERTH_ASSERT(event->link->timer == NULL);
    event->link->timer = event;
    return event;
}

static void arm(struct event *event, int64_t due_ms) {
    event->due_ms = due_ms;
    sim_link_timer_changed(event->link);
}

int __wrap_event_add(struct event *event, const struct timeval *delay) {
    arm(event, event->link->now_ms + delay->tv_sec * 1000 + delay->tv_usec / 1000);
    return 0;
}

int __wrap_event_del(struct event *event) {
    arm(event, -1);
    return 0;
}

void __wrap_event_free(struct event *event) {
    event->link->timer = NULL;
    free(event);
}

enum berth_rc __wrap_berth_uuid4(char ret_uuid[BERTH_UUID_BYTES]) {
    BERTH_ASSERT(current != NULL);
    uint64_t high = berth_random_next(&current->random);
    uint64_t low = berth_random_next(&current->random);
    (void)snprintf(ret_uuid, BERTH_UUID_BYTES, "%08x-%04x-4%03x-a%03x-%012llx",
                   (unsigned)(high >> 32), (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xfff,
                   (unsigned)(low >> 48) & 0xfff,
                   (unsigned long long)(low & UINT64_C(0xffffffffffff)));
    return BERTH_OK;
}

int64_t __wrap_berth_clock_wall_ms(void) {
    BERTH_ASSERT(current != NULL);
    return current->wall_ms;
}

/* ---- The ledger's callbacks ---- */

static void answered(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                     struct berth_bytes stored) {
    struct sim_link *link = ctx;
    link->config.on_answer(link->config.ctx, call_id, answer, stored);
}

static void changed(void *ctx, bool available, const char *why) {
    struct sim_link *link = ctx;
    if (available) {
        sim_rebuild_available(link);
    }
    link->config.on_state(link->config.ctx, available, why);
}

/* A simulated Redis refuses only what it is told to (sim_redis_refuse_write()). */
static void warned(void *ctx, const char *text) {
    (void)ctx;
    BERTH_ASSERT(strstr(text, "can't be understood") == NULL);
}

/* ---- Life ---- */

struct sim_link *sim_link_new(const struct sim_link_config *config) {
    struct sim_link *link = calloc(1, sizeof(*link));
    BERTH_ASSERT(link != NULL);
    link->config = *config;
    berth_random_init(&link->random, config->seed);
    enter(link);
    const struct berth_ledger_config ledger = {
        .base = (struct event_base *)link,
        .server = {.address = "redis:6379", .timeout_ms = 2000},
        .prefix = SIM_REDIS_PREFIX,
        .instance = config->instance,
        .incarnation = config->incarnation,
        .memory_ms = config->memory_ms,
        .tombstone_ms = config->tombstone_ms,
        .pending_max = config->pending_max,
        .on_answer = answered,
        .on_state = changed,
        .on_warning = warned,
        .on_rebuild = sim_rebuild_event,
        .ctx = link,
    };
    struct berth_error error = {""};
    enum berth_rc rc = berth_ledger_new(&ledger, &link->ledger, &error);
    BERTH_ASSERT(rc == BERTH_OK);
    return link;
}

struct sim_link *sim_link_free(struct sim_link *link) {
    if (link != NULL) {
        enter(link);
        link->freeing = true;
        link->ledger = berth_ledger_free(link->ledger);
        sim_rebuild_deinit(link);
        free(link);
        current = NULL;
    }
    return NULL;
}

struct berth_ledger *sim_link_ledger(struct sim_link *link) {
    return link->ledger;
}

void sim_link_set_time(struct sim_link *link, int64_t now_ms, int64_t wall_ms) {
    enter(link);
    link->now_ms = now_ms;
    link->wall_ms = wall_ms;
}

void sim_link_connect(struct sim_link *link) {
    BERTH_ASSERT(!link->connected);
    enter(link);
    link->connected = true;
    link->sent = 0;
    link->ran = 0;
    link->client->config.on_state(link->client->config.ctx, true, "");
}

void sim_link_disconnect(struct sim_link *link, const char *why) {
    BERTH_ASSERT(link->connected);
    link->connected = false;
    while (link->pending != NULL) {
        answer_first(link, NULL);
    }
    enter(link);
    link->client->config.on_state(link->client->config.ctx, false, why);
}

bool sim_link_connected(const struct sim_link *link) {
    return link->connected;
}

/* ---- Timers ---- */

void sim_link_timer_changed(struct sim_link *link) {
    if (!link->freeing && link->config.on_timer != NULL) {
        link->config.on_timer(link->config.ctx);
    }
}

int64_t sim_link_due_ms(const struct sim_link *link) {
    int64_t due_ms = link->timer == NULL ? -1 : link->timer->due_ms;
    int64_t rebuild_ms = sim_rebuild_due_ms(link);
    return due_ms < 0 || (rebuild_ms >= 0 && rebuild_ms < due_ms) ? rebuild_ms : due_ms;
}

void sim_link_tick(struct sim_link *link) {
    enter(link);
    struct event *timer = link->timer;
    if (timer->due_ms >= 0 && timer->due_ms <= link->now_ms) {
        timer->due_ms = -1;
        timer->fn(-1, EV_TIMEOUT, timer->ctx);
    }
    enter(link);
    sim_rebuild_tick(link);
}

/* ---- Requests ---- */

const char *sim_request_name(const struct sim_request *request) {
    return request->script->name;
}

size_t sim_request_bytes(const struct sim_request *request) {
    return request->bytes;
}

void sim_request_run(struct sim_request *request, struct sim_redis *redis) {
    bool first = request->reply == NULL;
    if (first && request->link != NULL) {
        BERTH_ASSERT(request->number == request->link->ran + 1);
        request->link->ran++;
    }
    struct redisReply *reply = sim_redis_run(redis, request->script->source, &request->args);
    if (first) {
        request->reply = reply;
    } else {
        sim_redis_reply_free(reply);
    }
}

void sim_request_answer(struct sim_request *request) {
    BERTH_ASSERT(request->reply != NULL);
    struct sim_link *link = request->link;
    if (link == NULL) {
        return;
    }
    BERTH_ASSERT(link->pending == request);
    answer_first(link, request->reply);
}

bool sim_request_answered(const struct sim_request *request) {
    return request->answered;
}

void sim_request_free(struct sim_request *request) {
    if (request == NULL) {
        return;
    }
    /* Else the ledger would wait for it on a connection that is up. */
    BERTH_ASSERT(request->answered);
    sim_redis_reply_free(request->reply);
    berth_redis_args_deinit(&request->args);
    free(request->text);
    free(request);
}
