/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/io/kafka_topics.h"
#include "kafka_job.h"

struct berth_topics_check {
    struct berth_kafka_properties properties;
    char **names;
    size_t count;
    berth_topics_checked_fn on_checked;
    void *ctx;
    struct berth_kafka_job job;
    /* Written by the job's thread, read when it is done. */
    int timeout_ms;
    enum berth_rc rc;
    struct berth_error error;
    struct berth_topic_status *statuses;
    char cluster[BERTH_KAFKA_CLUSTER_BYTES];
};

static void work(void *ctx);
static void done(void *ctx);

enum berth_rc berth_topics_check_new(struct event_base *base,
                                     const struct berth_kafka_properties *properties,
                                     const char *const *names, size_t count,
                                     berth_topics_checked_fn on_checked, void *ctx,
                                     struct berth_topics_check **ret_check,
                                     struct berth_error *reterr) {
    BERTH_ASSERT(count > 0);
    BERTH_ASSERT(count <= BERTH_TOPICS_MAX);
    struct berth_topics_check *check = calloc(1, sizeof(*check));
    if (check == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    check->properties = *properties;
    check->on_checked = on_checked;
    check->ctx = ctx;
    enum berth_rc rc = berth_kafka_job_init(&check->job, base, work, done, check, reterr);
    check->names = calloc(count, sizeof(check->names[0]));
    check->statuses = calloc(count, sizeof(check->statuses[0]));
    if (rc == BERTH_OK && (check->names == NULL || check->statuses == NULL)) {
        rc = BERTH_FAULT_MEMORY;
    }
    while (rc == BERTH_OK && check->count < count) {
        check->names[check->count] = strdup(names[check->count]);
        if (check->names[check->count] == NULL) {
            rc = BERTH_FAULT_MEMORY;
        } else {
            check->count++;
        }
    }
    if (rc != BERTH_OK) {
        (void)berth_topics_check_free(check, 0);
        return rc;
    }
    *ret_check = check;
    return BERTH_OK;
}

enum berth_rc berth_topics_check_start(struct berth_topics_check *check, int timeout_ms,
                                       struct berth_error *reterr) {
    if (check->job.running) {
        return BERTH_BUSY;
    }
    check->timeout_ms = timeout_ms;
    return berth_kafka_job_start(&check->job, reterr);
}

struct berth_topics_check *berth_topics_check_free(struct berth_topics_check *check,
                                                   int timeout_ms) {
    if (check == NULL) {
        return NULL;
    }
    if (!berth_kafka_job_deinit(&check->job, timeout_ms)) {
        berth_log(BERTH_LOG_WARNING, "kafka.topics_check_left_behind", "waited_ms=%d", timeout_ms);
        return NULL;
    }
    for (size_t i = 0; i < check->count; i++) {
        free(check->names[i]);
    }
    free(check->names);
    free(check->statuses);
    free(check);
    return NULL;
}

static void work(void *ctx) {
    struct berth_topics_check *check = ctx;
    check->error.text[0] = '\0';
    check->rc =
        berth_topics_describe(&check->properties, (const char *const *)check->names, check->count,
                              check->timeout_ms, check->statuses, &check->error);
    if (check->rc == BERTH_OK) {
        check->rc = berth_kafka_cluster(&check->properties, check->timeout_ms, check->cluster,
                                        &check->error);
    }
}

static void done(void *ctx) {
    struct berth_topics_check *check = ctx;
    check->on_checked(check->ctx, check->rc, check->rc == BERTH_OK ? check->statuses : NULL,
                      check->count, check->cluster, check->error.text);
}
