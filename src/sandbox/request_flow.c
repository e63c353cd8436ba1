/* SPDX-License-Identifier: Apache-2.0 */
#include "request_flow.h"

#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "berth/base/assert.h"
#include "reply_stream.h"
#include "sandbox_cores.h"
#include "sandbox_evhttp.h"
#include "sandbox_memory.h"
#include "sandbox_spoil.h"

struct berth_sandbox_flow {
    struct berth_sandbox_flow_options options;
    struct berth_sandbox_cores cores;
    struct held *held;
    size_t held_count;
};

enum stage {
    STAGE_WAITING,
    STAGE_BETWEEN,
    STAGE_REPLYING,
    STAGE_STREAMING,
    STAGE_HANGING,    /* Without a timer. */
    STAGE_COMMITTING, /* Without a connection. */
};

struct held {
    struct berth_sandbox_flow *flow;
    struct evhttp_request *request;     /* NULL when committing, */
    struct berth_sandbox_request *copy; /* which has its own. */
    struct berth_sandbox_fault fault;
    enum stage stage;
    struct event *timer;
    struct berth_model_reading reading;
    bool has_reading;
    struct berth_sandbox_reply reply;
    struct berth_sandbox_stream *stream;
    struct held *prev, *next;
};

static struct held *hold(struct berth_sandbox_flow *flow, struct evhttp_request *request,
                         const struct berth_sandbox_fault *fault);
static void forget(struct held *held);
static void arm(struct held *held, enum stage stage, int64_t delay_ms);
static void timer_cb(evutil_socket_t fd, short events, void *context);
static void on_waited(struct held *held);
static void on_stream(struct held *held);
static void apply(struct held *held);
static void deliver(struct held *held);
static void hang(struct held *held);
static void commit_later(struct held *held, const struct berth_sandbox_request *request);
static void reset(struct held *held);
static bool strip_base_path(const struct berth_sandbox_flow *flow,
                            struct berth_sandbox_request *view);
static int64_t password_delay_ms(struct berth_sandbox_flow *flow,
                                 const struct berth_sandbox_request *view);
static struct berth_sandbox_handling handling_of(const struct held *held);
static void note_write(struct berth_sandbox_flow *flow, const struct berth_sandbox_request *request,
                       int status, bool replied);

struct berth_sandbox_flow *
berth_sandbox_flow_new(const struct berth_sandbox_flow_options *options) {
    struct berth_sandbox_flow *flow = berth_sandbox_alloc(sizeof(*flow));
    flow->options = *options;
    return flow;
}

struct berth_sandbox_flow *berth_sandbox_flow_free(struct berth_sandbox_flow *flow) {
    if (flow != NULL) {
        berth_sandbox_flow_drop(flow);
        while (flow->held != NULL) {
            forget(flow->held);
        }
        free(flow);
    }
    return NULL;
}

void berth_sandbox_flow_begin(struct berth_sandbox_flow *flow, struct evhttp_request *request) {
    struct berth_sandbox_request view;
    berth_sandbox_read(request, &view);
    bool ours = strip_base_path(flow, &view);
    size_t route =
        ours ? berth_sandbox_find_route(view.method, view.path) : berth_sandbox_route_count() - 1;
    berth_sandbox_journal_count(flow->options.journal, route);
    struct berth_sandbox_fault fault = berth_sandbox_faults_take(flow->options.faults, route);
    if (!ours) {
        /* The portal answers whatever isn't Harbor's API. */
        fault.body = BERTH_SANDBOX_BODY_HTML;
    }
    if (flow->held_count == BERTH_SANDBOX_HELD_MAX) {
        fault = (struct berth_sandbox_fault){.away = BERTH_SANDBOX_AWAY_RESET};
    }
    int64_t delay_ms = fault.latency.low_ms + password_delay_ms(flow, &view);
    struct held *held = hold(flow, request, &fault);
    if (fault.away == BERTH_SANDBOX_AWAY_HANG) {
        hang(held);
    } else if (delay_ms == 0 && fault.away == BERTH_SANDBOX_AWAY_NO) {
        on_waited(held);
    } else {
        /* A connection can't be freed within its own callback, so even a reset at once takes a
         * turn. */
        arm(held, STAGE_WAITING, delay_ms);
    }
}

void berth_sandbox_flow_drop(struct berth_sandbox_flow *flow) {
    struct held *next = flow->held;
    while (next != NULL) {
        struct held *held = next;
        next = held->next;
        struct evhttp_request *request = held->request;
        if (request == NULL) {
            continue;
        }
        forget(held);
        /* evhttp frees requests with their connections, but not those whose client has gone. */
        if (evhttp_request_get_connection(request) == NULL) {
            evhttp_request_free(request);
        }
    }
}

void berth_sandbox_flow_reset_hanging(struct berth_sandbox_flow *flow) {
    struct held *next = flow->held;
    while (next != NULL) {
        struct held *held = next;
        next = held->next;
        if (held->stage == STAGE_HANGING) {
            reset(held);
        }
    }
}

static struct held *hold(struct berth_sandbox_flow *flow, struct evhttp_request *request,
                         const struct berth_sandbox_fault *fault) {
    struct held *held = berth_sandbox_alloc(sizeof(*held));
    held->flow = flow;
    held->request = request;
    held->fault = *fault;
    held->stage = STAGE_WAITING;
    berth_sandbox_reply_init(&held->reply);
    DL_APPEND(flow->held, held);
    flow->held_count++;
    return held;
}

/* Takes the request back from the held ones; what becomes of it is the caller's business. */
static void forget(struct held *held) {
    struct berth_sandbox_flow *flow = held->flow;
    DL_DELETE(flow->held, held);
    flow->held_count--;
    if (held->timer != NULL) {
        event_free(held->timer);
    }
    berth_sandbox_stream_free(held->stream);
    berth_sandbox_reply_deinit(&held->reply);
    free(held->copy);
    free(held);
}

static void arm(struct held *held, enum stage stage, int64_t delay_ms) {
    const struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
    held->stage = stage;
    if (held->timer == NULL) {
        held->timer = evtimer_new(held->flow->options.base, timer_cb, held);
        BERTH_ASSERT(held->timer != NULL);
    }
    BERTH_ASSERT(evtimer_add(held->timer, &delay) == 0);
}

static void timer_cb(evutil_socket_t fd, short events, void *context) {
    (void)fd;
    (void)events;
    struct held *held = context;
    switch (held->stage) {
    case STAGE_WAITING:
        on_waited(held);
        return;
    case STAGE_BETWEEN:
    case STAGE_COMMITTING:
        apply(held);
        return;
    case STAGE_REPLYING:
        deliver(held);
        return;
    case STAGE_STREAMING:
        on_stream(held);
        return;
    case STAGE_HANGING:
        break;
    }
    BERTH_UNREACHABLE("what hangs has no timer");
}

static void on_waited(struct held *held) {
    struct berth_sandbox_flow *flow = held->flow;
    struct berth_sandbox_request view;
    berth_sandbox_read(held->request, &view);
    (void)strip_base_path(flow, &view);
    if (held->fault.away == BERTH_SANDBOX_AWAY_RESET) {
        commit_later(held, &view);
        reset(held);
        return;
    }
    if (held->fault.between_ms > 0 && !berth_sandbox_spoil_keeps_away(&held->fault)) {
        const struct berth_sandbox_handling handling = handling_of(held);
        held->has_reading =
            berth_sandbox_harbor_read(flow->options.harbor, &view, &handling, &held->reading);
    }
    if (held->has_reading) {
        arm(held, STAGE_BETWEEN, held->fault.between_ms);
    } else {
        apply(held);
    }
}

static void on_stream(struct held *held) {
    int64_t pause_ms = berth_sandbox_stream_step(held->stream);
    if (pause_ms < 0) {
        forget(held);
    } else {
        arm(held, STAGE_STREAMING, pause_ms);
    }
}

static void apply(struct held *held) {
    struct berth_sandbox_flow *flow = held->flow;
    struct berth_sandbox_request view;
    const struct berth_sandbox_request *request = &view;
    if (held->copy != NULL) {
        held->copy->now_ms = berth_sandbox_now_ms();
        request = held->copy;
    } else {
        berth_sandbox_read(held->request, &view);
        (void)strip_base_path(flow, &view);
    }
    bool lost = held->copy != NULL || held->fault.away == BERTH_SANDBOX_AWAY_RESET_AFTER ||
                held->fault.apply;
    if (!berth_sandbox_spoil_keeps_away(&held->fault)) {
        const struct berth_sandbox_handling handling = handling_of(held);
        berth_sandbox_harbor_handle_with(flow->options.harbor, request, &handling, &held->reply);
    }
    int status = held->reply.status;
    berth_sandbox_spoil(request, &held->fault, &held->reply);
    note_write(flow, request, lost ? status : held->reply.status, !lost);
    if (held->copy != NULL) {
        forget(held);
    } else if (held->reply.delay_ms > 0) {
        arm(held, STAGE_REPLYING, held->reply.delay_ms);
    } else {
        deliver(held);
    }
}

static void deliver(struct held *held) {
    if (held->fault.away == BERTH_SANDBOX_AWAY_RESET_AFTER) {
        reset(held);
        return;
    }
    if (held->reply.delivery == BERTH_SANDBOX_WHOLE) {
        berth_sandbox_send(held->request, &held->reply);
        forget(held);
        return;
    }
    held->stream = berth_sandbox_stream_new(held->request, &held->reply);
    arm(held, STAGE_STREAMING, 0);
}

static void hang(struct held *held) {
    struct berth_sandbox_request view;
    berth_sandbox_read(held->request, &view);
    (void)strip_base_path(held->flow, &view);
    held->stage = STAGE_HANGING;
    commit_later(held, &view);
}

/* The client won't hear of it, but Harbor may apply the request all the same. */
static void commit_later(struct held *held, const struct berth_sandbox_request *request) {
    if (held->fault.commit_ms == 0) {
        note_write(held->flow, request, 0, false);
        return;
    }
    struct held *commit = hold(held->flow, NULL, &held->fault);
    commit->copy = berth_sandbox_request_copy(request);
    arm(commit, STAGE_COMMITTING, held->fault.commit_ms);
}

static void reset(struct held *held) {
    struct evhttp_request *request = held->request;
    forget(held);
    berth_sandbox_reset(request);
}

/* False: the path isn't below it. */
static bool strip_base_path(const struct berth_sandbox_flow *flow,
                            struct berth_sandbox_request *view) {
    size_t len = strlen(flow->options.base_path);
    if (strncmp(view->path, flow->options.base_path, len) != 0 || view->path[len] != '/') {
        return false;
    }
    view->path += len;
    return true;
}

static int64_t password_delay_ms(struct berth_sandbox_flow *flow,
                                 const struct berth_sandbox_request *view) {
    const struct berth_sandbox_faults *faults = flow->options.faults;
    if (faults->password_ms == 0) {
        return 0;
    }
    int checks = berth_sandbox_harbor_password_checks(flow->options.harbor, view);
    return berth_sandbox_cores_take(&flow->cores, (size_t)faults->cores, view->now_ms,
                                    checks * faults->password_ms);
}

static struct berth_sandbox_handling handling_of(const struct held *held) {
    return (struct berth_sandbox_handling){
        .read_only = held->fault.read_only,
        .session = held->fault.session,
        .reading = held->has_reading ? &held->reading : NULL,
    };
}

static void note_write(struct berth_sandbox_flow *flow, const struct berth_sandbox_request *request,
                       int status, bool replied) {
    if (!berth_sandbox_method_is_safe(request->method)) {
        berth_sandbox_journal_add(flow->options.journal, request, status, replied);
    }
}
