/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching the topics while they are read: one that is made anew under a member isn't told by
 * librdkafka (2.8, "FIXME: an offset reset must be triggered"), which fetches on at its old place.
 * It keeps the old log's leader epoch besides, by which brokers may refuse the new one for good. So
 * then the member is replaced, and everything is judged anew when it is gained.
 *
 * Where brokers can't tell a topic's id, its having been missing is all that shows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/io/clock.h"
#include "kafka_consumer_parts.h"

#define WATCH_MS       5000
#define ASK_TIMEOUT_MS 3000
#define TEXT_BYTES     (BERTH_TOPIC_BYTES + 128)

static void work(void *ctx);
static void done(void *ctx);

enum berth_rc berth_watch_init(struct berth_consumer *consumer, struct event_base *base,
                               struct berth_error *reterr) {
    struct berth_watch *watch = &consumer->watch;
    size_t count = (size_t)consumer->topics->cnt;
    watch->topics = calloc(count, sizeof(*watch->topics));
    watch->known = calloc(count, sizeof(*watch->known));
    if (watch->topics == NULL || watch->known == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        watch->topics[i].topic = consumer->topics->elems[i].topic;
    }
    return berth_kafka_job_init(&watch->job, base, work, done, consumer, reterr);
}

bool berth_watch_deinit(struct berth_consumer *consumer, int timeout_ms) {
    struct berth_watch *watch = &consumer->watch;
    if (!berth_kafka_job_deinit(&watch->job, timeout_ms)) {
        return false;
    }
    free(watch->topics);
    free(watch->known);
    watch->topics = NULL;
    watch->known = NULL;
    return true;
}

void berth_watch_forget(struct berth_consumer *consumer) {
    memset(consumer->watch.known, 0,
           (size_t)consumer->topics->cnt * sizeof(*consumer->watch.known));
}

void berth_watch_missing(struct berth_consumer *consumer, const char *topic) {
    for (int i = 0; i < consumer->topics->cnt; i++) {
        if (strcmp(consumer->topics->elems[i].topic, topic) == 0) {
            consumer->watch.known[i].missing = true;
        }
    }
}

void berth_watch_step(struct berth_consumer *consumer) {
    struct berth_watch *watch = &consumer->watch;
    int64_t now_ms = berth_clock_monotonic_ms();
    if (watch->job.running || berth_consumer_gains_nothing(consumer) ||
        now_ms - watch->began_ms < WATCH_MS) {
        return;
    }
    watch->began_ms = now_ms;
    watch->handle = consumer->member->handle;
    struct berth_error error;
    if (berth_kafka_job_start(&watch->job, &error) != BERTH_OK) {
        consumer->callbacks.on_error(consumer->ctx, false, error.text);
    }
}

/* In the job's thread; the member stays as long as it runs. */
static void work(void *ctx) {
    struct berth_consumer *consumer = ctx;
    struct berth_watch *watch = &consumer->watch;
    watch->err = berth_kafka_topic_ids(watch->handle, watch->topics, (size_t)consumer->topics->cnt,
                                       ASK_TIMEOUT_MS);
}

/* True when it isn't the topic any more that this member began with. */
static bool was_made_anew(struct berth_watched *known, const struct berth_kafka_topic_id *topic) {
    if (topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        known->missing = known->seen;
        return false;
    }
    if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    bool anew = berth_log_other_id(known->id, topic->id) ||
                (known->missing && known->seen && !berth_log_same_id(known->id, topic->id));
    known->missing = false;
    known->seen = true;
    memcpy(known->id, topic->id, sizeof(known->id));
    return anew;
}

static void done(void *ctx) {
    struct berth_consumer *consumer = ctx;
    struct berth_watch *watch = &consumer->watch;
    for (int i = 0; watch->err == RD_KAFKA_RESP_ERR_NO_ERROR && i < consumer->topics->cnt; i++) {
        if (was_made_anew(&watch->known[i], &watch->topics[i])) {
            char text[TEXT_BYTES];
            (void)snprintf(text, sizeof(text),
                           "topic %s was made anew: all positions are looked at again, by a new "
                           "member",
                           watch->topics[i].topic);
            berth_consumer_cast_out(consumer, text);
        }
    }
    berth_consumer_wake(consumer);
}
