/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /livez and /readyz say.
 */
#include <stdio.h>

#include "berth/base/buffer.h"
#include "berth/io/clock.h"
#include "worker_parts.h"

/* Beyond retry_age_ms: until a command that is given up is published. */
#define OLDEST_MARGIN_MS 60000

static void say(struct berth_buffer *reasons, const char *what, const char *why) {
    /* What doesn't fit is left out: one reason is enough not to be ready. */
    enum berth_rc rc = berth_buffer_printf(reasons, "%s: %s\n", what, why);
    (void)rc;
}

void worker_live(void *ctx, struct berth_buffer *reasons) {
    const struct worker *worker = ctx;
    if (publisher_watch_stuck(&worker->watch)) {
        say(reasons, "kafka publisher", "its transaction hangs: ending, to be started anew");
    }
}

/* Partitions that are ours and aren't read. */
static void say_partitions(const struct worker *worker, struct berth_buffer *reasons) {
    char why[BERTH_ERROR_BYTES_MAX + BERTH_TOPIC_BYTES + 64];
    size_t wanted = berth_consumer_bases_wanted(worker->consumer);
    if (wanted > 0) {
        (void)snprintf(why, sizeof(why), "%zu wait until Redis says where they start", wanted);
        say(reasons, "kafka partitions", why);
    }
    const char *topic;
    int32_t partition;
    const char *text;
    size_t stopped = berth_consumer_stopped(worker->consumer, &topic, &partition, &text);
    if (stopped > 0) {
        (void)snprintf(why, sizeof(why), "%zu stopped; %s-%d: %s", stopped, topic, partition, text);
        say(reasons, "kafka partitions", why);
    }
}

static void say_publisher(const struct worker *worker, struct berth_buffer *reasons) {
    if (!berth_publisher_ready(worker->publisher)) {
        say(reasons, "kafka publisher", "its transactional id is not acquired yet");
    }
    int64_t busy_ms = berth_publisher_busy_ms(worker->publisher, berth_clock_monotonic_ms());
    if (busy_ms > PUBLISHER_WATCH_SLOW_MS) {
        char why[64];
        (void)snprintf(why, sizeof(why), "its transaction is under way for %lld s",
                       (long long)busy_ms / 1000);
        say(reasons, "kafka publisher", why);
    }
}

static void say_outputs(const struct worker *worker, struct berth_buffer *reasons) {
    struct berth_engine_figures figures;
    berth_engine_figures(worker->engine, &figures);
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        const char *refuses = worker->outputs.list[i].why;
        if (refuses[0] != '\0') {
            char why[BERTH_TOPIC_BYTES + OUTPUTS_WHY_BYTES + 96];
            (void)snprintf(why, sizeof(why), "%s: %s (answers that wait for such: %u)",
                           worker->topics[i], refuses, figures.set_aside);
            say(reasons, "kafka topic", why);
        }
    }
    if (figures.set_aside > 0 && outputs_refusing(&worker->outputs) == 0) {
        say(reasons, "kafka topics", "an answer is refused; see output.refuses_one in the log");
    }
}

/* Of a broker of several that is away nothing is said: the others do its work. */
static void say_trouble(const struct worker *worker, struct berth_buffer *reasons) {
    int64_t now_ms = berth_clock_monotonic_ms();
    const char *trouble = trouble_now(&worker->kafka_trouble, now_ms);
    bool works = worker->consumer != NULL && berth_consumer_joined(worker->consumer) &&
                 berth_publisher_ready(worker->publisher) &&
                 berth_publisher_busy_ms(worker->publisher, now_ms) <= PUBLISHER_WATCH_SLOW_MS;
    if (trouble != NULL && !works) {
        say(reasons, "kafka", trouble);
    }
}

/* Redis is there and takes nothing. */
static void say_refusal(const struct worker *worker, struct berth_buffer *reasons) {
    const char *refusal = berth_ledger_refusal(worker->ledger);
    if (refusal != NULL) {
        char why[sizeof(worker->redis_why) + 512];
        (void)snprintf(why, sizeof(why), "%s: it refuses to work: %s",
                       worker->config->redis.address, refusal);
        say(reasons, "redis", why);
    }
}

/* Whatever the cause: a command that is sent now would wait as well. Each is given up after
 * retry_age_ms, and until then others may wait for it. */
static void say_oldest(const struct worker *worker, struct berth_buffer *reasons) {
    struct berth_engine_figures figures;
    berth_engine_figures(worker->engine, &figures);
    if (figures.oldest_ms > worker->config->retry_age_ms + OLDEST_MARGIN_MS) {
        char why[128 + BERTH_TOPIC_BYTES];
        (void)snprintf(why, sizeof(why), "the oldest, %s-%d at offset %lld, waits for %lld s",
                       figures.oldest->topic, figures.oldest->partition,
                       (long long)figures.oldest->offset, (long long)figures.oldest_ms / 1000);
        say(reasons, "commands", why);
    }
}

void worker_ready(void *ctx, struct berth_buffer *reasons) {
    const struct worker *worker = ctx;
    if (worker->stopping) {
        say(reasons, "stopping", "finishing what is under way");
    }
    if (!worker->redis_available) {
        say(reasons, "redis", worker->redis_why);
    }
    say_refusal(worker, reasons);
    say_oldest(worker, reasons);
    char rebuild[128 + BERTH_TOPIC_BYTES];
    if (worker_rebuild_says(worker, rebuild, sizeof(rebuild))) {
        say(reasons, "redis data", rebuild);
    }
    if (worker->topics_why[0] != '\0') {
        say(reasons, "kafka topics", worker->topics_why);
    }
    if (worker->consumer == NULL || !berth_consumer_joined(worker->consumer)) {
        say(reasons, "kafka consumer", "not a member of its group yet");
    }
    if (worker->consumer != NULL) {
        say_partitions(worker, reasons);
    }
    say_publisher(worker, reasons);
    say_outputs(worker, reasons);
    say_trouble(worker, reasons);
}
