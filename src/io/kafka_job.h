/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job: one blocking call of librdkafka, made in a short-lived thread so that the loop goes on.
 * Embedded in its owner; one run at a time, which may be started again when it is done.
 */
#ifndef BERTH_IO_KAFKA_JOB_H
#define BERTH_IO_KAFKA_JOB_H

#include <pthread.h>
#include <stdbool.h>

#include "berth/base/result.h"

struct event;
struct event_base;

struct berth_kafka_job {
    void (*work)(void *ctx); /* In the job's thread: touches only what was prepared for it. */
    void (*done)(void *ctx); /* In the loop's thread, in a turn of its own, after work returned. */
    void *ctx;
    pthread_t thread;
    struct event *event;
    int fd; /* The thread writes here when work returned; -1: none. */
    bool running;
};

/* Faults: MEMORY, SYSTEM. */
BERTH_MUST_USE enum berth_rc berth_kafka_job_init(struct berth_kafka_job *job,
                                                  struct event_base *base, void (*work)(void *ctx),
                                                  void (*done)(void *ctx), void *ctx,
                                                  struct berth_error *reterr);

/* Waits at most timeout_ms for work that runs; done isn't called. Twice is fine, and so is a zeroed
 * job that was never initialized.
 * false: it still runs, and neither the job nor what it touches may be freed. */
bool berth_kafka_job_deinit(struct berth_kafka_job *job, int timeout_ms);

/* Starts work; not while it runs (asserted). BERTH_FAULT_SYSTEM: no thread could be made. */
BERTH_MUST_USE enum berth_rc berth_kafka_job_start(struct berth_kafka_job *job,
                                                   struct berth_error *reterr);

#endif
