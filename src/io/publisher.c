/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/publisher.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "berth/io/kafka_consumer.h"
#include "kafka_client.h"
#include "publisher_parts.h"

static enum berth_rc copy_options(struct berth_publisher *publisher,
                                  const struct berth_publisher_options *options);
static enum berth_rc make_conf(struct berth_publisher *publisher,
                               const struct berth_publisher_options *options,
                               struct berth_error *reterr);
static enum berth_rc start(struct berth_publisher *publisher, struct event_base *base,
                           struct berth_error *reterr);
static void release(struct berth_publisher *publisher);
static void libevent_mail_cb(evutil_socket_t fd, short what, void *ctx);

const char *berth_batch_outcome_name(enum berth_batch_outcome outcome) {
    switch (outcome) {
    case BERTH_BATCH_COMMITTED:
        return "COMMITTED";
    case BERTH_BATCH_ABORTED:
        return "ABORTED";
    case BERTH_BATCH_FAILED_FOR_GOOD:
        return "FAILED_FOR_GOOD";
    case BERTH_BATCH_FENCED:
        return "FENCED";
    }
    BERTH_UNREACHABLE("no such outcome");
}

enum berth_rc berth_publisher_new(struct event_base *base,
                                  const struct berth_publisher_options *options,
                                  struct berth_publisher **ret_publisher,
                                  struct berth_error *reterr) {
    BERTH_ASSERT(options->topics_count <= BERTH_PUBLISHER_TOPICS_MAX);
    BERTH_ASSERT(options->on_done != NULL);
    struct berth_publisher *publisher = calloc(1, sizeof(*publisher));
    if (publisher == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    publisher->mail_fd = -1;
    int failed = pthread_mutex_init(&publisher->mutex, NULL);
    BERTH_ASSERT(failed == 0);
    berth_kafka_condition_init(&publisher->changed);

    enum berth_rc rc = copy_options(publisher, options);
    if (rc == BERTH_OK) {
        rc = make_conf(publisher, options, reterr);
    }
    if (rc == BERTH_OK) {
        /* The first one here, so that what is wrong with the properties is said at once. */
        rc = berth_publisher_make_producer(publisher, reterr);
    }
    if (rc == BERTH_OK) {
        publisher->state = BERTH_PUBLISHER_INIT;
        rc = start(publisher, base, reterr);
    }
    if (rc != BERTH_OK) {
        berth_publisher_drop_producer(publisher);
        release(publisher);
        return rc;
    }
    *ret_publisher = publisher;
    return BERTH_OK;
}

bool berth_publisher_free(struct berth_publisher *publisher, int timeout_ms) {
    if (publisher == NULL) {
        return true;
    }
    event_free(publisher->mail_event);
    publisher->mail_event = NULL;
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->stopping = true;
    (void)pthread_cond_signal(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
    if (!berth_kafka_thread_join(publisher->thread, timeout_ms)) {
        (void)pthread_detach(publisher->thread);
        return false;
    }
    release(publisher);
    return true;
}

enum berth_rc berth_publisher_submit(struct berth_publisher *publisher,
                                     const struct berth_batch *take_batch) {
    BERTH_ASSERT(take_batch->offsets_count > 0);
    BERTH_ASSERT(take_batch->take_group_metadata != NULL);
    if (publisher->busy) {
        return BERTH_BUSY;
    }
    publisher->busy = true;
    publisher->busy_since_ms = berth_clock_monotonic_ms();
    publisher->batch_id = take_batch->id;
    (void)pthread_mutex_lock(&publisher->mutex);
    BERTH_ASSERT(!publisher->handed_over);
    publisher->offered = *take_batch;
    publisher->handed_over = true;
    (void)pthread_cond_signal(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
    return BERTH_OK;
}

void berth_publisher_limit_batches(struct berth_publisher *publisher, size_t bytes) {
    atomic_store(&publisher->batch_bytes, bytes);
}

bool berth_publisher_ready(const struct berth_publisher *publisher) {
    return atomic_load(&publisher->ready);
}

int64_t berth_publisher_busy_ms(const struct berth_publisher *publisher, int64_t now_ms) {
    if (!publisher->busy) {
        return 0;
    }
    /* At least 1, also when the loop's time was read before the batch was handed over. */
    int64_t busy_ms = now_ms - publisher->busy_since_ms;
    return busy_ms > 0 ? busy_ms : 1;
}

uint64_t berth_publisher_steps(const struct berth_publisher *publisher) {
    return atomic_load(&publisher->steps);
}

static enum berth_rc copy_options(struct berth_publisher *publisher,
                                  const struct berth_publisher_options *options) {
    publisher->on_done = options->on_done;
    publisher->on_trouble = options->on_trouble;
    publisher->ctx = options->ctx;
    publisher->group = strdup(options->group);
    if (publisher->group == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    for (size_t i = 0; i < options->topics_count; i++) {
        publisher->topic_names[i] = strdup(options->topics[i]);
        if (publisher->topic_names[i] == NULL) {
            return BERTH_FAULT_MEMORY;
        }
        publisher->topics_count++;
    }
    return BERTH_OK;
}

static enum berth_rc make_conf(struct berth_publisher *publisher,
                               const struct berth_publisher_options *options,
                               struct berth_error *reterr) {
    enum berth_rc rc =
        berth_kafka_conf_new(BERTH_KAFKA_PUBLISHER, &options->properties, &publisher->conf, reterr);
    if (rc == BERTH_OK) {
        rc = berth_kafka_conf_set(publisher->conf, "transactional.id", options->transactional_id,
                                  reterr);
    }
    if (rc == BERTH_OK) {
        /* Of the consumer's kind: berthd makes one at the start, so what is wrong with the
         * properties is said then, and not when a commit has to be looked up. */
        rc = berth_kafka_group_conf_new(BERTH_KAFKA_CONSUMER, &options->properties, options->group,
                                        &publisher->group_conf, reterr);
    }
    return rc;
}

static enum berth_rc start(struct berth_publisher *publisher, struct event_base *base,
                           struct berth_error *reterr) {
    publisher->mail_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (publisher->mail_fd < 0) {
        berth_error_set(reterr, "eventfd: %s", strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    publisher->mail_event =
        event_new(base, publisher->mail_fd, EV_READ | EV_PERSIST, libevent_mail_cb, publisher);
    if (publisher->mail_event == NULL || event_add(publisher->mail_event, NULL) != 0) {
        return BERTH_FAULT_MEMORY;
    }
    int failed = pthread_create(&publisher->thread, NULL, berth_publisher_thread, publisher);
    if (failed != 0) {
        berth_error_set(reterr, "pthread_create: %s", strerror(failed));
        return BERTH_FAULT_SYSTEM;
    }
    return BERTH_OK;
}

static void release(struct berth_publisher *publisher) {
    if (publisher->mail_event != NULL) {
        event_free(publisher->mail_event);
    }
    if (publisher->handed_over) {
        (void)berth_group_metadata_free(publisher->offered.take_group_metadata);
    }
    if (publisher->mail_fd >= 0) {
        (void)close(publisher->mail_fd);
    }
    for (size_t i = 0; i < publisher->topics_count; i++) {
        free(publisher->topic_names[i]);
    }
    if (publisher->conf != NULL) {
        rd_kafka_conf_destroy(publisher->conf);
    }
    if (publisher->group_conf != NULL) {
        rd_kafka_conf_destroy(publisher->group_conf);
    }
    free(publisher->group);
    (void)pthread_cond_destroy(&publisher->changed);
    (void)pthread_mutex_destroy(&publisher->mutex);
    free(publisher);
}

static void libevent_mail_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    struct berth_publisher *publisher = ctx;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) != sizeof(count)) {
        return;
    }
    (void)pthread_mutex_lock(&publisher->mutex);
    struct berth_publisher_mail mail = publisher->mail;
    publisher->mail.done = false;
    publisher->mail.trouble = false;
    (void)pthread_mutex_unlock(&publisher->mutex);

    if (mail.trouble && publisher->on_trouble != NULL) {
        publisher->on_trouble(publisher->ctx, mail.trouble_text);
    }
    if (mail.done) {
        BERTH_ASSERT(publisher->busy);
        publisher->busy = false;
        struct berth_batch_result result = {.id = publisher->batch_id,
                                            .outcome = mail.outcome,
                                            .text = mail.text,
                                            .culprit = mail.culprit,
                                            .metadata_too_large = mail.metadata_too_large,
                                            .denied = mail.denied,
                                            .outputs = mail.outputs};
        publisher->on_done(publisher->ctx, &result);
    }
}
