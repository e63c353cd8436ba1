/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the topics at start: nothing is consumed before every topic that the configuration
 * names exists and takes records of the size that berth publishes. While one is missing, berthd
 * stays up, says which, and looks again; it makes none (design 3).
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/log.h"
#include "berth/io/kafka_topics.h"
#include "wiring.h"
#include "worker_parts.h"

#define CHECK_TIMEOUT_MS 10000
#define CHECK_AGAIN_S    2
#define STOP_MS          3000

#define PUBLISHED_BYTES_MAX 900000 /* librdkafka's message.max.bytes is 1,000,000. */

static void checked(void *ctx, enum berth_rc rc, const struct berth_topic_status *statuses,
                    size_t count, const char *cluster, const char *error_text);
static bool complain(struct worker *worker, const struct berth_topic_status *statuses,
                     size_t count);
static void not_ready(struct worker *worker, const char *why);
static void check_now(struct worker *worker);

static void check_again_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    check_now(ctx);
}

/* The outputs by enum berth_record_kind, then the command topics. */
static size_t name_topics(struct worker *worker) {
    const struct berth_config *config = worker->config;
    const char **names = worker->topics;
    names[BERTH_RECORD_RESULT] = config->topics.results;
    names[BERTH_RECORD_AUDIT] = config->topics.audit;
    names[BERTH_RECORD_SPACE] = config->topics.spaces;
    names[BERTH_RECORD_DEAD_LETTER] = config->topics.dlq;
    return BERTH_RECORD_KINDS + berth_config_command_topics(config, names + BERTH_RECORD_KINDS);
}

enum berth_rc wire_topics_check(struct worker *worker, struct berth_error *reterr) {
    worker->topics_count = name_topics(worker);
    worker->kafka_properties = (struct berth_kafka_properties){
        .items = worker->config->kafka.properties, .count = worker->config->kafka.properties_count};
    worker->topics_event = evtimer_new(worker->base, check_again_cb, worker);
    if (worker->topics_event == NULL) {
        berth_error_set(reterr, "no memory for a timer");
        return BERTH_FAULT_MEMORY;
    }
    enum berth_rc rc = berth_topics_check_new(worker->base, &worker->kafka_properties,
                                              worker->topics, worker->topics_count, checked, worker,
                                              &worker->topics_check, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    not_ready(worker, "asking the brokers");
    check_now(worker);
    return BERTH_OK;
}

void unwire_topics_check(struct worker *worker) {
    worker->topics_check = berth_topics_check_free(worker->topics_check, STOP_MS);
    if (worker->topics_event != NULL) {
        event_free(worker->topics_event);
        worker->topics_event = NULL;
    }
}

static void check_now(struct worker *worker) {
    struct berth_error error;
    if (berth_topics_check_start(worker->topics_check, CHECK_TIMEOUT_MS, &error) != BERTH_OK) {
        worker_fail(worker, "the topics can't be checked: %s", error.text);
    }
}

static void checked(void *ctx, enum berth_rc rc, const struct berth_topic_status *statuses,
                    size_t count, const char *cluster, const char *error_text) {
    struct worker *worker = ctx;
    if (worker->stopping) {
        return;
    }
    if (rc != BERTH_OK) {
        not_ready(worker, error_text);
    } else if (!complain(worker, statuses, count)) {
        worker->topics_why[0] = '\0';
        worker->topics_fine = true;
        berth_ledger_set_owner(worker->ledger, worker->config->deployment, worker->config->group,
                               cluster);
        berth_ledger_allow_rebuild(worker->ledger);
        worker_consume_when_ready(worker);
        return;
    }
    const struct timeval pause = {.tv_sec = CHECK_AGAIN_S};
    (void)event_add(worker->topics_event, &pause);
}

/* True when something is wrong, which is then the reason for not being ready. */
static bool complain(struct worker *worker, const struct berth_topic_status *statuses,
                     size_t count) {
    char why[sizeof(worker->topics_why)];
    for (size_t i = 0; i < count; i++) {
        if (!statuses[i].exists) {
            (void)snprintf(why, sizeof(why),
                           "topic %s is missing; make it: berth -c %s topics "
                           "--create",
                           worker->topics[i], worker->config->path);
            not_ready(worker, why);
            return true;
        }
        if (i >= BERTH_RECORD_KINDS) {
            continue;
        }
        int64_t bytes = statuses[i].message_bytes_max - BERTH_TOPIC_ROOM_BYTES;
        if (statuses[i].message_bytes_max < 0 || bytes > PUBLISHED_BYTES_MAX) {
            bytes = PUBLISHED_BYTES_MAX;
        }
        if (bytes < BERTH_TOPIC_MESSAGE_BYTES_MIN - BERTH_TOPIC_ROOM_BYTES) {
            (void)snprintf(why, sizeof(why),
                           "topic %s takes messages of %" PRId64
                           " bytes only; raise its max.message.bytes to %d at least",
                           worker->topics[i], statuses[i].message_bytes_max,
                           BERTH_TOPIC_MESSAGE_BYTES_MIN);
            not_ready(worker, why);
            return true;
        }
        worker->record_bytes_max[i] = (size_t)bytes;
    }
    return false;
}

/* Logged once for each reason, however often it is found again. */
static void not_ready(struct worker *worker, const char *why) {
    if (strcmp(worker->topics_why, why) != 0) {
        (void)snprintf(worker->topics_why, sizeof(worker->topics_why), "%s", why);
        berth_log(BERTH_LOG_WARNING, "worker.waits", "for=topics reason=\"%s\"", why);
    }
}
