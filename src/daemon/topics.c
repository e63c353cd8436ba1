/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the topics at start: nothing is consumed before every topic that the configuration
 * names exists and takes records of the size that berth publishes. While one is missing, berthd
 * stays up, says which, and looks again; it makes none (design 3).
 *
 * Later they are looked at again when one of the outputs refuses a record: which one may not be
 * written to (the brokers' refusal doesn't say), how large its records may be now, and whether it
 * takes them again.
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

static void checked(void *ctx, enum berth_rc rc, const struct berth_topic_status *statuses,
                    size_t count, const char *cluster, const char *error_text);
static void all_there(struct worker *worker, const struct berth_topic_status *statuses,
                      const char *cluster);
static void looked_again(struct worker *worker, enum berth_rc rc,
                         const struct berth_topic_status *statuses);
static bool outputs_wait(const struct worker *worker);
static bool complain(struct worker *worker, const struct berth_topic_status *statuses,
                     size_t count);
static void say_missing(const struct worker *worker, const char *topic, char *ret_why,
                        size_t bytes);
static bool complain_of_size(struct worker *worker, const struct berth_topic_status *statuses);
static void look_at_outputs(struct worker *worker, const struct berth_topic_status *statuses);
static bool refusal_of(const struct berth_topic_status *status, char *ret_why, size_t size);
static void output_limit(struct worker *worker, enum berth_record_kind kind, int64_t bytes);
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
    /* For /readyz; nothing to log, unless they don't answer. */
    (void)snprintf(worker->topics_why, sizeof(worker->topics_why), "asking the brokers");
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
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_topics_check_start(worker->topics_check, CHECK_TIMEOUT_MS, &error);
    if (rc != BERTH_OK && rc != BERTH_BUSY) {
        worker_fail(worker, "the topics can't be checked: %s", berth_error_why(&error, rc));
    }
}

/* Nobody says when it is there again: a partition that is gained may be of any other topic, and
 * this one's may be gained by another worker. So it is looked for, as at the start. */
void worker_topic_missing(void *ctx, const char *topic) {
    struct worker *worker = ctx;
    say_missing(worker, topic, worker->topics_why, sizeof(worker->topics_why));
    berth_log(BERTH_LOG_ERROR, "topic.missing",
              "topic=%s remedy=\"make it: berth -c %s topics --create\"", topic,
              worker->config->path);
    const struct timeval pause = {.tv_sec = CHECK_AGAIN_S};
    (void)event_add(worker->topics_event, &pause);
}

static void checked(void *ctx, enum berth_rc rc, const struct berth_topic_status *statuses,
                    size_t count, const char *cluster, const char *error_text) {
    struct worker *worker = ctx;
    if (worker->stopping) {
        return;
    }
    if (worker->topics_fine && worker->topics_why[0] == '\0') {
        looked_again(worker, rc, statuses);
        return;
    }
    if (rc != BERTH_OK) {
        not_ready(worker, error_text);
    } else if (!complain(worker, statuses, count) && !complain_of_size(worker, statuses)) {
        all_there(worker, statuses, cluster);
        return;
    }
    const struct timeval pause = {.tv_sec = CHECK_AGAIN_S};
    (void)event_add(worker->topics_event, &pause);
}

/* At the start, or when one that went missing was found. */
static void all_there(struct worker *worker, const struct berth_topic_status *statuses,
                      const char *cluster) {
    bool first = !worker->topics_fine;
    worker->topics_why[0] = '\0';
    worker->topics_fine = true;
    look_at_outputs(worker, statuses);
    if (first) {
        berth_ledger_set_owner(worker->ledger, worker->config->deployment, worker->config->group,
                               cluster);
        berth_ledger_allow_rebuild(worker->ledger);
        worker_consume_when_ready(worker);
    }
    if (outputs_wait(worker)) {
        worker_look_at_topics(worker, false);
    }
}

/* Because an output refuses. */
static void looked_again(struct worker *worker, enum berth_rc rc,
                         const struct berth_topic_status *statuses) {
    if (rc == BERTH_OK) {
        look_at_outputs(worker, statuses);
    }
    if (rc != BERTH_OK || worker->topics_look_again || outputs_wait(worker)) {
        bool now = worker->topics_look_again && rc == BERTH_OK;
        worker->topics_look_again = false;
        worker_look_at_topics(worker, now);
    }
}

static void say_missing(const struct worker *worker, const char *topic, char *ret_why,
                        size_t bytes) {
    (void)snprintf(ret_why, bytes, "topic %s is missing; make it: berth -c %s topics --create",
                   topic, worker->config->path);
}

void worker_look_at_topics(struct worker *worker, bool now) {
    struct berth_error error;
    if (now) {
        enum berth_rc rc = berth_topics_check_start(worker->topics_check, CHECK_TIMEOUT_MS, &error);
        worker->topics_look_again = worker->topics_look_again || rc == BERTH_BUSY;
        if (rc == BERTH_OK || rc == BERTH_BUSY) {
            return;
        }
    }
    int64_t pause_ms = outputs_pause_ms(&worker->outputs);
    const struct timeval pause = {.tv_sec = pause_ms / 1000, .tv_usec = pause_ms % 1000 * 1000L};
    (void)event_add(worker->topics_event, &pause);
}

/* Whether something is to be looked for. */
static bool outputs_wait(const struct worker *worker) {
    struct berth_engine_figures figures;
    berth_engine_figures(worker->engine, &figures);
    return outputs_refusing(&worker->outputs) != 0 || figures.set_aside > 0;
}

/* What nothing speaks against any more is tried again: the brokers have the last word. */
static void look_at_outputs(struct worker *worker, const struct berth_topic_status *statuses) {
    unsigned open = OUTPUTS_ITSELF;
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        enum berth_record_kind kind = (enum berth_record_kind)i;
        char why[OUTPUTS_WHY_BYTES];
        if (refusal_of(&statuses[i], why, sizeof(why))) {
            if (outputs_refuse(&worker->outputs, kind, why)) {
                berth_log(BERTH_LOG_ERROR, "output.refuses", "topic=%s reason=\"%s\"",
                          worker->topics[i], why);
            }
            continue;
        }
        open |= 1U << i;
        output_limit(worker, kind, statuses[i].message_bytes_max);
        if (outputs_accept(&worker->outputs, kind)) {
            berth_log(BERTH_LOG_INFO, "output.tried_again", "topic=%s", worker->topics[i]);
        }
    }
    worker_step(worker, &(struct berth_event){.kind = BERTH_EVENT_OUTPUTS_OPEN,
                                              .outputs_open = (uint8_t)open});
}

static bool refusal_of(const struct berth_topic_status *status, char *ret_why, size_t size) {
    if (status->hidden) {
        (void)snprintf(ret_why, size, "it may not be described; allow Describe and Write of it");
    } else if (!status->exists) {
        (void)snprintf(ret_why, size, "it is missing; make it: berth topics --create");
    } else if (status->may_write == BERTH_PERMISSION_DENIED) {
        (void)snprintf(ret_why, size, "it may not be written to; allow Write of it");
    } else if (status->message_bytes_max >= 0 &&
               status->message_bytes_max < BERTH_TOPIC_MESSAGE_BYTES_MIN) {
        (void)snprintf(ret_why, size,
                       "it takes messages of %" PRId64 " bytes only; raise its max.message.bytes "
                       "to %d at least",
                       status->message_bytes_max, BERTH_TOPIC_MESSAGE_BYTES_MIN);
    } else {
        return false;
    }
    return true;
}

static void output_limit(struct worker *worker, enum berth_record_kind kind, int64_t bytes) {
    if (!outputs_limit(&worker->outputs, kind, bytes)) {
        return;
    }
    berth_publisher_limit_batches(worker->publisher, outputs_batch_bytes(&worker->outputs));
    if (worker->consumer != NULL) {
        berth_log(BERTH_LOG_INFO, "output.limit", "topic=%s message_bytes=%" PRId64,
                  worker->topics[kind], bytes);
    }
}

/* True when something is wrong, which is then the reason for not being ready. */
static bool complain(struct worker *worker, const struct berth_topic_status *statuses,
                     size_t count) {
    char why[sizeof(worker->topics_why)];
    for (size_t i = 0; i < count; i++) {
        if (statuses[i].hidden) {
            (void)snprintf(why, sizeof(why), "topic %s may not be described; allow Describe of it",
                           worker->topics[i]);
            not_ready(worker, why);
            return true;
        }
        if (!statuses[i].exists) {
            say_missing(worker, worker->topics[i], why, sizeof(why));
            not_ready(worker, why);
            return true;
        }
    }
    return false;
}

/* The same of the outputs' limits. */
static bool complain_of_size(struct worker *worker, const struct berth_topic_status *statuses) {
    char why[sizeof(worker->topics_why)];
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        if (statuses[i].message_bytes_max >= 0 &&
            statuses[i].message_bytes_max < BERTH_TOPIC_MESSAGE_BYTES_MIN) {
            (void)snprintf(why, sizeof(why),
                           "topic %s takes messages of %" PRId64
                           " bytes only; raise its max.message.bytes to %d at least",
                           worker->topics[i], statuses[i].message_bytes_max,
                           BERTH_TOPIC_MESSAGE_BYTES_MIN);
            not_ready(worker, why);
            return true;
        }
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
