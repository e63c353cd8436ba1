/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One POST a command over kept connections. A connection's socket stays watched between two
 * requests, as in berthd, so that the kernel needn't be told twice a request.
 */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"
#include "load.h"

#define BODY_BYTES (FLOOR_NAME_BYTES + 128)
#define URL_BYTES  512
#define FDS_MAX    4096
#define CREATED    201

/* What one request at a time is made with. */
struct transfer {
    TAILQ_ENTRY(transfer) link;
    CURL *easy;
    struct floor_job *job;
    char body[BODY_BYTES];
};
TAILQ_HEAD(transfers, transfer);

struct floor_harbor {
    struct floor *floor;
    CURLM *multi;
    struct event *timer;
    struct curl_slist *headers;
    char url[URL_BYTES];
    struct transfers free_transfers;
    struct floor_jobs waiting; /* For a transfer. */
    struct {
        struct event *event;
        short kinds; /* What the event watches; 0: nothing. */
        bool wanted; /* curl waits for it now. */
    } sockets[FDS_MAX];
};

static void add_transfer(struct floor_harbor *harbor);
static void begin(struct floor_harbor *harbor, struct floor_job *job);
static void act(struct floor_harbor *harbor, curl_socket_t fd, int what);
static void end_transfer(struct floor_harbor *harbor, CURL *easy, CURLcode code);
static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused);
static int curl_close_cb(void *ctx, curl_socket_t fd);
static int curl_timer_cb(CURLM *multi, long timeout_ms, void *ctx);
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx);
static void socket_cb(evutil_socket_t fd, short what, void *ctx);
static void timer_cb(evutil_socket_t fd, short what, void *ctx);

struct floor_harbor *floor_harbor_new(struct floor *floor) {
    struct floor_harbor *harbor = load_memory(1, sizeof(*harbor));
    harbor->floor = floor;
    TAILQ_INIT(&harbor->free_transfers);
    TAILQ_INIT(&harbor->waiting);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    (void)snprintf(harbor->url, sizeof(harbor->url), "%s/api/v2.0/projects",
                   floor->options.harbor_url);
    harbor->headers = curl_slist_append(harbor->headers, "Content-Type: application/json");
    harbor->headers = curl_slist_append(harbor->headers, "X-Is-Resource-Name: true");
    harbor->headers = curl_slist_append(harbor->headers, "Accept: application/json");
    harbor->timer = evtimer_new(floor->base, timer_cb, harbor);
    harbor->multi = curl_multi_init();
    (void)curl_multi_setopt(harbor->multi, CURLMOPT_SOCKETFUNCTION, curl_socket_cb);
    (void)curl_multi_setopt(harbor->multi, CURLMOPT_SOCKETDATA, harbor);
    (void)curl_multi_setopt(harbor->multi, CURLMOPT_TIMERFUNCTION, curl_timer_cb);
    (void)curl_multi_setopt(harbor->multi, CURLMOPT_TIMERDATA, harbor);
    (void)curl_multi_setopt(harbor->multi, CURLMOPT_MAXCONNECTS, (long)floor->options.harbor_limit);
    for (size_t i = 0; i < floor->options.harbor_limit; i++) {
        add_transfer(harbor);
    }
    return harbor;
}

void floor_harbor_post(struct floor_harbor *harbor, struct floor_job *job) {
    if (TAILQ_EMPTY(&harbor->free_transfers)) {
        TAILQ_INSERT_TAIL(&harbor->waiting, job, link);
    } else {
        begin(harbor, job);
    }
}

static void add_transfer(struct floor_harbor *harbor) {
    struct transfer *transfer = load_memory(1, sizeof(*transfer));
    CURL *easy = curl_easy_init();
    transfer->easy = easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_URL, harbor->url);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, harbor->headers);
    (void)curl_easy_setopt(easy, CURLOPT_USERPWD, harbor->floor->options.harbor_login);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_body_cb);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, curl_close_cb);
    (void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, harbor);
    TAILQ_INSERT_TAIL(&harbor->free_transfers, transfer, link);
}

static void begin(struct floor_harbor *harbor, struct floor_job *job) {
    struct transfer *transfer = TAILQ_FIRST(&harbor->free_transfers);
    TAILQ_REMOVE(&harbor->free_transfers, transfer, link);
    transfer->job = job;
    int len = snprintf(transfer->body, sizeof(transfer->body),
                       "{\"project_name\":\"%s\",\"metadata\":{\"public\":\"false\"}}", job->space);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE, (long)len);
    (void)curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, transfer->body);
    if (curl_multi_add_handle(harbor->multi, transfer->easy) != CURLM_OK) {
        load_fail("a request can't be begun");
    }
}

static void act(struct floor_harbor *harbor, curl_socket_t fd, int what) {
    int running;
    if (curl_multi_socket_action(harbor->multi, fd, what, &running) != CURLM_OK) {
        load_fail("libcurl failed");
    }
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(harbor->multi, &left)) != NULL) {
        end_transfer(harbor, message->easy_handle, message->data.result);
    }
}

static void end_transfer(struct floor_harbor *harbor, CURL *easy, CURLcode code) {
    char *private = NULL; /* curl's documentation has it as text. */
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != CREATED) {
        load_fail("Harbor: %s, status %ld", curl_easy_strerror(code), status);
    }
    struct transfer *transfer = (void *)private;
    struct floor_job *job = transfer->job;
    (void)curl_multi_remove_handle(harbor->multi, easy);
    TAILQ_INSERT_HEAD(&harbor->free_transfers, transfer, link);
    struct floor_job *next = TAILQ_FIRST(&harbor->waiting);
    if (next != NULL) {
        TAILQ_REMOVE(&harbor->waiting, next, link);
        begin(harbor, next);
    }
    floor_on_posted(harbor->floor, job);
}

static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused) {
    (void)easy;
    (void)unused;
    struct floor_harbor *harbor = ctx;
    if (fd >= FDS_MAX) {
        load_fail("too many connections");
    }
    struct event *event = harbor->sockets[fd].event;
    harbor->sockets[fd].wanted = what != CURL_POLL_REMOVE;
    short kinds = (short)((what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EV_WRITE : 0) |
                          EV_READ | EV_PERSIST);
    if (what == CURL_POLL_REMOVE || harbor->sockets[fd].kinds == kinds) {
        return 0;
    }
    if (event == NULL) {
        event = event_new(harbor->floor->base, fd, kinds, socket_cb, harbor);
    } else {
        (void)event_del(event);
        (void)event_assign(event, harbor->floor->base, fd, kinds, socket_cb, harbor);
    }
    if (event == NULL || event_add(event, NULL) != 0) {
        load_fail("a connection can't be watched");
    }
    harbor->sockets[fd].event = event;
    harbor->sockets[fd].kinds = kinds;
    return 0;
}

static int curl_close_cb(void *ctx, curl_socket_t fd) {
    struct floor_harbor *harbor = ctx;
    if (harbor->sockets[fd].event != NULL) {
        event_free(harbor->sockets[fd].event);
        harbor->sockets[fd].event = NULL;
        harbor->sockets[fd].kinds = 0;
    }
    return close(fd);
}

static int curl_timer_cb(CURLM *multi, long timeout_ms, void *ctx) {
    (void)multi;
    struct floor_harbor *harbor = ctx;
    if (timeout_ms < 0) {
        (void)evtimer_del(harbor->timer);
        return 0;
    }
    const struct timeval delay = {.tv_sec = timeout_ms / 1000,
                                  .tv_usec = (timeout_ms % 1000) * 1000};
    return evtimer_add(harbor->timer, &delay);
}

/* A new project's reply has none that matters. */
static size_t curl_body_cb(char *data, size_t size, size_t count, void *ctx) {
    (void)data;
    (void)ctx;
    return size * count;
}

static void socket_cb(evutil_socket_t fd, short what, void *ctx) {
    struct floor_harbor *harbor = ctx;
    if (!harbor->sockets[fd].wanted) {
        /* Closed by Harbor, most likely: curl finds out when it takes the connection again. */
        (void)event_del(harbor->sockets[fd].event);
        harbor->sockets[fd].kinds = 0;
        return;
    }
    act(harbor, fd,
        ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
            ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void timer_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}
