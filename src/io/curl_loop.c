/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_loop.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "berth/base/assert.h"

/*
 * What is watched for one socket. curl lets go of a connection's socket after each transfer and
 * takes it again for the next; reading goes on being watched meanwhile, so that the kernel needn't
 * be told twice a request. That is only for sockets whose end we are told of, as we opened them: a
 * descriptor that is closed behind our back (curl's resolver has some) could be anybody's next.
 */
struct watch {
    struct berth_curl_loop *loop;
    struct event *event; /* NULL: curl hasn't waited for this socket yet. */
    short kinds;         /* What the event watches, while it is pending. */
    bool wanted;         /* curl waits for it now. */
    bool ours;           /* Opened, and to be closed, by the loop. */
};

struct berth_curl_loop {
    CURLM *multi;
    struct event_base *base;
    struct event *timer;
    struct watch **watches; /* By socket. */
    size_t watches_count;
    berth_curl_done_fn *on_done;
    void *ctx;
};

static enum berth_rc set_up(struct berth_curl_loop *loop, long connections_max);
static curl_socket_t curl_open_cb(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
static int curl_close_cb(void *ctx, curl_socket_t fd);
static struct watch *watch_of(struct berth_curl_loop *loop, curl_socket_t fd);
static void forget(struct berth_curl_loop *loop, curl_socket_t fd);
static void watch_for(struct watch *watch, curl_socket_t fd, short kinds);
static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused);
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
    for (size_t i = 0; i < loop->watches_count; i++) {
        forget(loop, (curl_socket_t)i);
    }
    free(loop->watches);
    free(loop);
    return NULL;
}

enum berth_rc berth_curl_loop_prepare(struct berth_curl_loop *loop, CURL *easy) {
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, curl_open_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, loop);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, curl_close_cb);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, loop);
    return bad == 0 ? BERTH_OK : BERTH_FAULT_LIBRARY;
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

static curl_socket_t curl_open_cb(void *ctx, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        return CURL_SOCKET_BAD;
    }
    struct watch *watch = watch_of(ctx, fd);
    if (watch == NULL) {
        (void)close(fd);
        return CURL_SOCKET_BAD;
    }
    watch->ours = true;
    return fd;
}

static int curl_close_cb(void *ctx, curl_socket_t fd) {
    forget(ctx, fd); /* Before its number can be another's. */
    return close(fd);
}

/* NULL: out of memory. */
static struct watch *watch_of(struct berth_curl_loop *loop, curl_socket_t fd) {
    BERTH_ASSERT(fd >= 0);
    size_t index = (size_t)fd;
    if (index >= loop->watches_count) {
        size_t count = index + 16;
        struct watch **larger = realloc(loop->watches, count * sizeof(struct watch *));
        if (larger == NULL) {
            return NULL;
        }
        for (size_t i = loop->watches_count; i < count; i++) {
            larger[i] = NULL;
        }
        loop->watches = larger;
        loop->watches_count = count;
    }
    if (loop->watches[index] == NULL) {
        struct watch *watch = calloc(1, sizeof *watch);
        if (watch != NULL) {
            watch->loop = loop;
        }
        loop->watches[index] = watch;
    }
    return loop->watches[index];
}

static void forget(struct berth_curl_loop *loop, curl_socket_t fd) {
    size_t index = (size_t)fd;
    if (index >= loop->watches_count || loop->watches[index] == NULL) {
        return;
    }
    struct watch *watch = loop->watches[index];
    loop->watches[index] = NULL;
    if (watch->event != NULL) {
        event_free(watch->event);
    }
    free(watch);
}

/* Without an event the transfer ends by its time-out, as on a dead network. */
static void watch_for(struct watch *watch, curl_socket_t fd, short kinds) {
    if (watch->kinds == kinds) {
        return;
    }
    if (watch->event == NULL) {
        watch->event = event_new(watch->loop->base, fd, kinds, libevent_socket_cb, watch);
    } else {
        (void)event_del(watch->event);
        (void)event_assign(watch->event, watch->loop->base, fd, kinds, libevent_socket_cb, watch);
    }
    bool pending = watch->event != NULL && event_add(watch->event, NULL) == 0;
    watch->kinds = pending ? kinds : 0;
}

/* curl waits for something else on this socket now. */
static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused) {
    (void)easy;
    (void)unused;
    struct watch *watch = watch_of(ctx, fd);
    if (watch == NULL) {
        return 0;
    }
    watch->wanted = what != CURL_POLL_REMOVE;
    if (!watch->wanted && !watch->ours) {
        forget(ctx, fd);
        return 0;
    }
    short kinds = EV_PERSIST;
    kinds = (short)(kinds | ((what & CURL_POLL_OUT) != 0 && watch->wanted ? EV_WRITE : 0));
    kinds = (short)(kinds | ((what & CURL_POLL_IN) != 0 || !watch->wanted ? EV_READ : 0));
    watch_for(watch, fd, kinds);
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
    struct watch *watch = ctx;
    if (!watch->wanted) {
        /* The server closed an idle connection: curl sees it before it would use it again. */
        (void)event_del(watch->event);
        watch->kinds = 0;
        return;
    }
    int happened = 0;
    happened |= (what & EV_READ) != 0 ? CURL_CSELECT_IN : 0;
    happened |= (what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    act(watch->loop, fd, happened);
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
