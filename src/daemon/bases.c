/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where partitions go on whose committed offset is gone, or may be of another log: their bases,
 * read from Redis (design 4.10).
 *
 * The consumer asks for one partition after the other; what gathers within a turn is read with one
 * call. While Redis is away, or can't tell (its data set isn't complete), it is asked again: a
 * partition waits rather than start anywhere else. Nobody says when a partition that waits has
 * gone; then the answer is ignored.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "worker_parts.h"

#define READ_AGAIN_MS 1000
#define BASES_CALL_ID (UINT64_MAX - 2) /* None of the engine's. */

static void arm(struct worker *worker, int64_t delay_ms) {
    struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
    (void)event_add(worker->bases.read, &delay);
}

static void read_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    worker_read_bases(ctx);
}

enum berth_rc worker_bases_init(struct worker *worker) {
    worker->bases.read = evtimer_new(worker->base, read_cb, worker);
    return worker->bases.read == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
}

void worker_bases_deinit(struct worker *worker) {
    struct wanted_bases *bases = &worker->bases;
    if (bases->read != NULL) {
        event_free(bases->read);
    }
    free(bases->wanted);
    *bases = (struct wanted_bases){0};
}

static bool is_wanted(const struct wanted_bases *bases, const char *topic, int32_t partition) {
    for (size_t i = 0; i < bases->count; i++) {
        if (bases->wanted[i].partition == partition && strcmp(bases->wanted[i].topic, topic) == 0) {
            return true;
        }
    }
    return false;
}

static bool make_room(struct wanted_bases *bases) {
    if (bases->count < bases->capacity) {
        return true;
    }
    size_t capacity = bases->capacity == 0 ? 16 : 2 * bases->capacity;
    struct berth_base *wanted = realloc(bases->wanted, capacity * sizeof(*wanted));
    if (wanted == NULL) {
        return false;
    }
    bases->wanted = wanted;
    bases->capacity = capacity;
    return true;
}

void worker_base_wanted(void *ctx, const char *topic, int32_t partition, bool again) {
    struct worker *worker = ctx;
    struct wanted_bases *bases = &worker->bases;
    if (is_wanted(bases, topic, partition)) {
        return; /* It was taken away and came back before there was an answer. */
    }
    if (!make_room(bases)) {
        worker_fail(worker, "no memory for the partitions that are to start");
        return;
    }
    berth_log(again ? BERTH_LOG_DEBUG : BERTH_LOG_INFO, "partition.base_wanted",
              "topic=%s partition=%d", topic, partition);
    bases->wanted[bases->count++] =
        (struct berth_base){.topic = worker_lasting_topic(worker, topic), .partition = partition};
    if (bases->asked == 0) {
        arm(worker, 0);
    }
}

void worker_read_bases(struct worker *worker) {
    struct wanted_bases *bases = &worker->bases;
    if (bases->count == 0 || bases->asked > 0) {
        return;
    }
    const struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_BASES,
        .bases = {.partitions = bases->wanted, .count = bases->count},
    };
    if (berth_ledger_submit(worker->ledger, BASES_CALL_ID, &call, NULL) != BERTH_OK) {
        arm(worker, READ_AGAIN_MS);
        return;
    }
    bases->asked = bases->count;
}

void worker_bases_read(struct worker *worker, const struct berth_ledger_answer *answer) {
    struct wanted_bases *bases = &worker->bases;
    size_t asked = bases->asked;
    BERTH_ASSERT(asked > 0);
    bases->asked = 0;
    if (answer->unavailable) {
        arm(worker, READ_AGAIN_MS);
        return;
    }
    BERTH_ASSERT(answer->bases.count == asked);
    for (size_t i = 0; i < asked; i++) {
        berth_consumer_set_base(worker->consumer, bases->wanted[i].topic,
                                bases->wanted[i].partition, &answer->bases.kept[i]);
    }
    bases->count -= asked;
    memmove(bases->wanted, bases->wanted + asked, bases->count * sizeof(*bases->wanted));
    if (bases->count > 0) {
        arm(worker, 0);
    }
}
