/* SPDX-License-Identifier: Apache-2.0 */
#include "registry_server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <utlist.h>

#include "berth/base/assert.h"
#include "harbor_api.h"
#include "sandbox_evhttp.h"
#include "sandbox_memory.h"

struct berth_sandbox_registry {
    struct event_base *base;
    char *name;
    uint16_t port;
    struct evhttp *http; /* NULL while connections are refused. */
    int closed_socket;   /* Keeps the port then: bound, but not listening. Else -1. */
    struct berth_sandbox_harbor *harbor;
    struct berth_sandbox_faults faults;
    struct berth_sandbox_journal *journal;
    struct held *held;
    size_t held_count;
};

/* A request with a fault, until its timer fires or, if it hangs, until the faults change. */
struct held {
    struct berth_sandbox_registry *server;
    struct evhttp_request *request;
    struct berth_sandbox_faults fault;
    struct event *timer;
    struct held *prev, *next;
};

static void registry_request_cb(struct evhttp_request *request, void *context);
static void held_timer_cb(evutil_socket_t fd, short events, void *context);
static void hold(struct berth_sandbox_registry *server, struct evhttp_request *request,
                 struct berth_sandbox_faults fault);
static void settle(struct berth_sandbox_registry *server, struct evhttp_request *request,
                   const struct berth_sandbox_faults *fault);
static void answer(struct berth_sandbox_registry *server,
                   const struct berth_sandbox_request *request,
                   const struct berth_sandbox_faults *fault, struct berth_sandbox_reply *reply);
static void answer_status(const struct berth_sandbox_request *request, int status,
                          struct berth_sandbox_reply *reply);
static void note_write(struct berth_sandbox_registry *server,
                       const struct berth_sandbox_request *request, int status, bool replied);
static void forget(struct held *held);
static void drop_all(struct berth_sandbox_registry *server);
static void reset_hanging(struct berth_sandbox_registry *server);
static enum berth_rc close_port(struct berth_sandbox_registry *server, struct berth_error *reterr);
static enum berth_rc open_port(struct berth_sandbox_registry *server, struct berth_error *reterr);
static void fill_random(void *memory, size_t bytes);

enum berth_rc berth_sandbox_registry_new(struct event_base *base,
                                         const struct berth_sandbox_registry_options *options,
                                         struct berth_sandbox_registry **ret_server,
                                         struct berth_error *reterr) {
    struct berth_sandbox_registry *server = berth_sandbox_alloc(sizeof(*server));
    server->base = base;
    server->closed_socket = -1;
    enum berth_rc rc =
        berth_sandbox_bind(options->port, &server->closed_socket, &server->port, reterr);
    if (rc == BERTH_OK) {
        rc = open_port(server, reterr);
    }
    if (rc != BERTH_OK) {
        berth_sandbox_registry_free(server);
        return rc;
    }
    const struct berth_sandbox_harbor_options harbor_options = {.user_name = options->user_name,
                                                                .password = options->password,
                                                                .fill_random = fill_random,
                                                                .now_ms = berth_sandbox_now_ms()};
    server->name = berth_sandbox_copy(options->name);
    server->harbor = berth_sandbox_harbor_new(&harbor_options);
    server->journal = berth_sandbox_journal_new();
    *ret_server = server;
    return BERTH_OK;
}

struct berth_sandbox_registry *berth_sandbox_registry_free(struct berth_sandbox_registry *server) {
    if (server == NULL) {
        return NULL;
    }
    drop_all(server);
    if (server->http != NULL) {
        evhttp_free(server->http);
    }
    if (server->closed_socket >= 0) {
        (void)close(server->closed_socket);
    }
    berth_sandbox_harbor_free(server->harbor);
    berth_sandbox_journal_free(server->journal);
    free(server->name);
    free(server);
    return NULL;
}

const char *berth_sandbox_registry_name(const struct berth_sandbox_registry *server) {
    return server->name;
}

uint16_t berth_sandbox_registry_port(const struct berth_sandbox_registry *server) {
    return server->port;
}

struct berth_model *berth_sandbox_registry_model(struct berth_sandbox_registry *server) {
    return berth_sandbox_harbor_model(server->harbor);
}

struct berth_sandbox_journal *
berth_sandbox_registry_journal(struct berth_sandbox_registry *server) {
    return server->journal;
}

const struct berth_sandbox_faults *
berth_sandbox_registry_faults(const struct berth_sandbox_registry *server) {
    return &server->faults;
}

enum berth_rc berth_sandbox_registry_set_faults(struct berth_sandbox_registry *server,
                                                const struct berth_sandbox_faults *faults,
                                                struct berth_error *reterr) {
    bool refuse = faults->away == BERTH_SANDBOX_AWAY_REFUSE;
    enum berth_rc rc = BERTH_OK;
    if (refuse && server->http != NULL) {
        rc = close_port(server, reterr);
    } else if (!refuse && server->http == NULL) {
        rc = open_port(server, reterr);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    if (faults->away != BERTH_SANDBOX_AWAY_HANG) {
        reset_hanging(server);
    }
    server->faults = *faults;
    return BERTH_OK;
}

static void registry_request_cb(struct evhttp_request *request, void *context) {
    struct berth_sandbox_registry *server = context;
    struct berth_sandbox_request view;
    berth_sandbox_read(request, &view);
    size_t route = berth_sandbox_find_route(view.method, view.path);
    berth_sandbox_journal_count(server->journal, route);
    struct berth_sandbox_faults fault = berth_sandbox_faults_take(&server->faults, route);
    if (fault.latency_ms == 0 && fault.away == BERTH_SANDBOX_AWAY_NO) {
        settle(server, request, &fault);
        return;
    }
    if (server->held_count == BERTH_SANDBOX_HELD_MAX) {
        /* A connection can't be freed within its own callback, so even this one is held for a turn;
         * its fault says that nothing is applied. */
        fault = (struct berth_sandbox_faults){.away = BERTH_SANDBOX_AWAY_RESET};
    }
    hold(server, request, fault);
}

static void held_timer_cb(evutil_socket_t fd, short events, void *context) {
    (void)fd;
    (void)events;
    struct held held = *(struct held *)context;
    forget(context);
    settle(held.server, held.request, &held.fault);
}

static void hold(struct berth_sandbox_registry *server, struct evhttp_request *request,
                 struct berth_sandbox_faults fault) {
    struct held *held = berth_sandbox_alloc(sizeof(*held));
    *held = (struct held){.server = server, .request = request, .fault = fault};
    DL_APPEND(server->held, held);
    server->held_count++;
    if (fault.away == BERTH_SANDBOX_AWAY_HANG) {
        struct berth_sandbox_request view;
        berth_sandbox_read(request, &view);
        note_write(server, &view, 0, false);
        return;
    }
    const struct timeval delay = {.tv_sec = fault.latency_ms / 1000,
                                  .tv_usec = fault.latency_ms % 1000 * 1000};
    held->timer = evtimer_new(server->base, held_timer_cb, held);
    BERTH_ASSERT(held->timer != NULL);
    BERTH_ASSERT(evtimer_add(held->timer, &delay) == 0);
}

/* Does to a request what its fault says, now; the request is gone afterwards. */
static void settle(struct berth_sandbox_registry *server, struct evhttp_request *request,
                   const struct berth_sandbox_faults *fault) {
    struct berth_sandbox_request view;
    berth_sandbox_read(request, &view);
    if (fault->away == BERTH_SANDBOX_AWAY_RESET) {
        note_write(server, &view, 0, false);
        berth_sandbox_reset(request);
        return;
    }
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    answer(server, &view, fault, &reply);
    bool lost = fault->away == BERTH_SANDBOX_AWAY_RESET_AFTER;
    note_write(server, &view, reply.status, !lost);
    if (lost) {
        berth_sandbox_reset(request);
    } else {
        berth_sandbox_send(request, &reply);
    }
    berth_sandbox_reply_deinit(&reply);
}

static void answer(struct berth_sandbox_registry *server,
                   const struct berth_sandbox_request *request,
                   const struct berth_sandbox_faults *fault, struct berth_sandbox_reply *reply) {
    if (fault->status != 0) {
        answer_status(request, fault->status, reply);
        return;
    }
    berth_model_set_read_only(berth_sandbox_harbor_model(server->harbor), fault->read_only);
    berth_sandbox_harbor_handle(server->harbor, request, reply);
}

/* An error as Harbor's core would write it: from 500 on, its cause is masked. */
static void answer_status(const struct berth_sandbox_request *request, int status,
                          struct berth_sandbox_reply *reply) {
    static const struct {
        int status;
        const char *code;
        const char *message;
    } ERRORS[] = {
        {401, "UNAUTHORIZED", "unauthorized"},
        {403, "FORBIDDEN", "forbidden"},
        {404, "NOT_FOUND", "not found"},
        {409, "CONFLICT", "conflict"},
        {412, "PRECONDITION", "precondition failed"},
        {422, "UNPROCESSABLE_ENTITY", "validation failure list:\ninjected"},
        {429, "TOO_MANY_REQUEST", "too many requests"},
    };
    const char *code = status >= 500 ? "UNKNOWN" : "BAD_REQUEST";
    const char *message = status >= 500 ? "internal server error" : "bad request";
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        if (ERRORS[i].status == status) {
            code = ERRORS[i].code;
            message = ERRORS[i].message;
        }
    }
    if (request->request_id != NULL) {
        berth_sandbox_reply_header(reply, "X-Request-Id", "%s", request->request_id);
    }
    berth_sandbox_reply_error(reply, status, code, message);
}

static void note_write(struct berth_sandbox_registry *server,
                       const struct berth_sandbox_request *request, int status, bool replied) {
    if (!berth_sandbox_method_is_safe(request->method)) {
        berth_sandbox_journal_add(server->journal, request, status, replied);
    }
}

/* Takes the request back from the held ones; what becomes of it is the caller's business. */
static void forget(struct held *held) {
    struct berth_sandbox_registry *server = held->server;
    DL_DELETE(server->held, held);
    server->held_count--;
    if (held->timer != NULL) {
        event_free(held->timer);
    }
    free(held);
}

/* Before the whole server goes: evhttp frees requests with their connections, but not those whose
 * client has gone already. */
static void drop_all(struct berth_sandbox_registry *server) {
    struct held *next = server->held;
    while (next != NULL) {
        struct evhttp_request *request = next->request;
        struct held *held = next;
        next = held->next;
        forget(held);
        if (evhttp_request_get_connection(request) == NULL) {
            evhttp_request_free(request);
        }
    }
}

static void reset_hanging(struct berth_sandbox_registry *server) {
    struct held *next = server->held;
    while (next != NULL) {
        struct held *held = next;
        next = held->next;
        if (held->fault.away == BERTH_SANDBOX_AWAY_HANG) {
            struct evhttp_request *request = held->request;
            forget(held);
            berth_sandbox_reset(request);
        }
    }
}

static enum berth_rc close_port(struct berth_sandbox_registry *server, struct berth_error *reterr) {
    drop_all(server);
    evhttp_free(server->http);
    server->http = NULL;
    /* Two sockets can't hold one port, so for a moment nobody has it. */
    uint16_t port = 0;
    enum berth_rc rc = berth_sandbox_bind(server->port, &server->closed_socket, &port, reterr);
    BERTH_ASSERT(rc != BERTH_OK || port == server->port);
    return rc;
}

static enum berth_rc open_port(struct berth_sandbox_registry *server, struct berth_error *reterr) {
    enum berth_rc rc = BERTH_OK;
    if (server->closed_socket < 0) {
        uint16_t port = 0;
        rc = berth_sandbox_bind(server->port, &server->closed_socket, &port, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_sandbox_serve(server->base, server->closed_socket, registry_request_cb, server,
                                 &server->http, reterr);
    }
    if (rc == BERTH_OK) {
        server->closed_socket = -1;
    }
    return rc;
}

static void fill_random(void *memory, size_t bytes) {
    /* Up to 256 bytes come at once or not at all; nobody here wants more. */
    BERTH_ASSERT(bytes <= 256);
    BERTH_ASSERT(getrandom(memory, bytes, 0) == (ssize_t)bytes);
}
