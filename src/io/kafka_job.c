/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_job.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "kafka_client.h"

static void *run(void *ctx);
static void libevent_finished_cb(evutil_socket_t fd, short what, void *ctx);

enum berth_rc berth_kafka_job_init(struct berth_kafka_job *job, struct event_base *base,
                                   void (*work)(void *ctx), void (*done)(void *ctx), void *ctx,
                                   struct berth_error *reterr) {
    *job = (struct berth_kafka_job){.work = work, .done = done, .ctx = ctx, .fd = -1};
    job->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (job->fd < 0) {
        berth_error_set(reterr, "eventfd: %s", strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    job->event = event_new(base, job->fd, EV_READ | EV_PERSIST, libevent_finished_cb, job);
    if (job->event == NULL || event_add(job->event, NULL) != 0) {
        (void)berth_kafka_job_deinit(job, 0);
        return BERTH_FAULT_MEMORY;
    }
    return BERTH_OK;
}

bool berth_kafka_job_deinit(struct berth_kafka_job *job, int timeout_ms) {
    if (job->work == NULL) {
        return true; /* Never initialized. */
    }
    if (job->event != NULL) {
        event_free(job->event);
        job->event = NULL;
    }
    if (job->running) {
        if (!berth_kafka_thread_join(job->thread, timeout_ms)) {
            (void)pthread_detach(job->thread);
            return false;
        }
        job->running = false;
    }
    if (job->fd >= 0) {
        (void)close(job->fd);
        job->fd = -1;
    }
    return true;
}

enum berth_rc berth_kafka_job_start(struct berth_kafka_job *job, struct berth_error *reterr) {
    BERTH_ASSERT(!job->running);
    int failed = pthread_create(&job->thread, NULL, run, job);
    if (failed != 0) {
        berth_error_set(reterr, "pthread_create: %s", strerror(failed));
        return BERTH_FAULT_SYSTEM;
    }
    job->running = true;
    return BERTH_OK;
}

static void *run(void *ctx) {
    struct berth_kafka_job *job = ctx;
    job->work(job->ctx);
    ssize_t written = write(job->fd, &(uint64_t){1}, sizeof(uint64_t));
    BERTH_ASSERT(written == sizeof(uint64_t));
    return NULL;
}

static void libevent_finished_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    struct berth_kafka_job *job = ctx;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) != sizeof(count)) {
        return;
    }
    (void)pthread_join(job->thread, NULL);
    job->running = false;
    job->done(job->ctx); /* Last: it may start the job again. */
}
