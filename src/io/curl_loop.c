/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/time.h>

#include "berth/base/assert.h"

struct berth_curl_loop {
    CURLM *multi;
    struct event_base *base;
    struct event *timer;
    berth_curl_done_fn *on_done;
    void *ctx;
};

static enum berth_rc set_up(struct berth_curl_loop *loop, long connections_max);
static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watch);
static int curl_timer_cb(CURLM *multi, long timeout_ms, void *ctx);
static void libevent_socket_cb(evutil_socket_t fd, short what, void *ctx);
static void libevent_timer_cb(evutil_socket_t fd, short what, void *ctx);
static void act(struct berth_curl_loop *loop, curl_socket_t fd, int what);

enum berth_rc berth_curl_loop_new(struct event_base *base, long connections_max,
                                  berth_curl_done_fn *on_done, void *ctx,
                                  struct berth_curl_loop **ret_loop, struct berth_error *reterr) {
    struct berth_curl_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    *loop = (struct berth_curl_loop){.base = base, .on_done = on_done, .ctx = ctx};
    enum berth_rc rc = set_up(loop, connections_max);
    if (rc != BERTH_OK) {
        berth_error_set(reterr, "libcurl's multi interface can't be set up on the loop");
        (void)berth_curl_loop_free(loop);
        return rc;
    }
    *ret_loop = loop;
    return BERTH_OK;
}

struct berth_curl_loop *berth_curl_loop_free(struct berth_curl_loop *loop) {
    if (loop == NULL) {
        return NULL;
    }
    if (loop->multi != NULL) {
        CURLMcode code = curl_multi_cleanup(loop->multi);
        BERTH_ASSERT(code == CURLM_OK);
    }
    if (loop->timer != NULL) {
        event_free(loop->timer);
    }
    free(loop);
    return NULL;
}

enum berth_rc berth_curl_loop_add(struct berth_curl_loop *loop, CURL *easy) {
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? BERTH_OK : BERTH_FAULT_LIBRARY;
}

void berth_curl_loop_remove(struct berth_curl_loop *loop, CURL *easy) {
    CURLMcode code = curl_multi_remove_handle(loop->multi, easy);
    BERTH_ASSERT(code == CURLM_OK);
}

static enum berth_rc set_up(struct berth_curl_loop *loop, long connections_max) {
    loop->timer = evtimer_new(loop->base, libevent_timer_cb, loop);
    loop->multi = curl_multi_init();
    if (loop->timer == NULL || loop->multi == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    int bad = 0;
    bad |= (int)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, curl_socket_cb);
    bad |= (int)curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    bad |= (int)curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, curl_timer_cb);
    bad |= (int)curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    bad |= (int)curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, connections_max);
    return bad == 0 ? BERTH_OK : BERTH_FAULT_LIBRARY;
}

/* curl waits for something else on this socket now. watch is what was assigned to it last. */
static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watch) {
    (void)easy;
    struct berth_curl_loop *loop = ctx;
    if (watch != NULL) {
        event_free(watch);
    }
    if (what == CURL_POLL_REMOVE) {
        return 0;
    }
    short kinds = EV_PERSIST;
    kinds = (short)(kinds | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0));
    kinds = (short)(kinds | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    struct event *event = event_new(loop->base, fd, kinds, libevent_socket_cb, loop);
    if (event != NULL && event_add(event, NULL) != 0) {
        event_free(event);
        event = NULL;
    }
    /* Without an event the transfer ends by its time-out, as on a dead network. */
    (void)curl_multi_assign(loop->multi, fd, event);
    return 0;
}

/* curl wants to be called after this time; 0 is "soon", never from within this callback. */
static int curl_timer_cb(CURLM *multi, long timeout_ms, void *ctx) {
    (void)multi;
    struct berth_curl_loop *loop = ctx;
    if (timeout_ms < 0) {
        return evtimer_del(loop->timer);
    }
    struct timeval after = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    return evtimer_add(loop->timer, &after);
}

static void libevent_socket_cb(evutil_socket_t fd, short what, void *ctx) {
    int happened = 0;
    happened |= (what & EV_READ) != 0 ? CURL_CSELECT_IN : 0;
    happened |= (what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    act(ctx, fd, happened);
}

static void libevent_timer_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* Lets curl act, then tells of every transfer that has ended. */
static void act(struct berth_curl_loop *loop, curl_socket_t fd, int what) {
    int running = 0;
    CURLMcode code = curl_multi_socket_action(loop->multi, fd, what, &running);
    BERTH_ASSERT(code == CURLM_OK);
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(loop->multi, &left); message != NULL;
         message = curl_multi_info_read(loop->multi, &left)) {
        /* Removing the handle takes the message's memory with it. */
        CURL *easy = message->easy_handle;
        CURLcode result = message->data.result;
        berth_curl_loop_remove(loop, easy);
        loop->on_done(loop->ctx, easy, result);
    }
}
