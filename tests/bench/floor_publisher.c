/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit as berth has it: while one transaction is under way outcomes gather, and all of them
 * go into the next, after a short pause.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "floor.h"
#include "load.h"

#define TIMEOUT_MS 30000

struct floor_publisher {
    struct floor *floor;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topics[FLOOR_TOPIC_COUNT];
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct event *wake;
    /* Under the mutex: */
    struct floor_jobs gathered;
    struct floor_jobs committed;
};

static void *publisher_thread(void *ctx);
static void commit(struct floor_publisher *publisher, struct floor_jobs *batch);
static rd_kafka_topic_partition_list_t *offsets_of(struct floor_jobs *batch);
static void wake_cb(evutil_socket_t fd, short what, void *ctx);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);

struct floor_publisher *floor_publisher_new(struct floor *floor) {
    /* As berthd's (src/io/kafka_properties.c). */
    const char *const properties[] = {"transactional.id",
                                      "bench-floor",
                                      "retry.backoff.ms",
                                      floor->options.retry_backoff_ms,
                                      "linger.ms",
                                      "1",
                                      "partitioner",
                                      "murmur2_random",
                                      "topic.metadata.refresh.interval.ms",
                                      "5000",
                                      "transaction.timeout.ms",
                                      "15000",
                                      "message.timeout.ms",
                                      "8000",
                                      NULL};
    struct floor_publisher *publisher = load_memory(1, sizeof(*publisher));
    publisher->floor = floor;
    TAILQ_INIT(&publisher->gathered);
    TAILQ_INIT(&publisher->committed);
    rd_kafka_conf_t *conf = load_conf(floor->options.brokers, properties);
    rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
    publisher->producer = load_handle(RD_KAFKA_PRODUCER, conf);
    for (size_t i = 0; i < FLOOR_TOPIC_COUNT; i++) {
        publisher->topics[i] =
            rd_kafka_topic_new(publisher->producer, floor->options.topics[i], NULL);
    }
    load_must(rd_kafka_init_transactions(publisher->producer, TIMEOUT_MS), "init_transactions");
    publisher->wake = floor_wake_event(floor, wake_cb, publisher);
    (void)pthread_mutex_init(&publisher->mutex, NULL);
    (void)pthread_cond_init(&publisher->changed, NULL);
    if (pthread_create(&publisher->thread, NULL, publisher_thread, publisher) != 0) {
        load_fail("no thread for the publisher");
    }
    return publisher;
}

void floor_publisher_add(struct floor_publisher *publisher, struct floor_job *job) {
    (void)pthread_mutex_lock(&publisher->mutex);
    TAILQ_INSERT_TAIL(&publisher->gathered, job, link);
    (void)pthread_cond_signal(&publisher->changed);
    (void)pthread_mutex_unlock(&publisher->mutex);
}

static void *publisher_thread(void *ctx) {
    struct floor_publisher *publisher = ctx;
    for (;;) {
        struct floor_jobs batch = TAILQ_HEAD_INITIALIZER(batch);
        (void)pthread_mutex_lock(&publisher->mutex);
        while (TAILQ_EMPTY(&publisher->gathered)) {
            (void)pthread_cond_wait(&publisher->changed, &publisher->mutex);
        }
        TAILQ_CONCAT(&batch, &publisher->gathered, link);
        (void)pthread_mutex_unlock(&publisher->mutex);
        commit(publisher, &batch);
        (void)pthread_mutex_lock(&publisher->mutex);
        TAILQ_CONCAT(&publisher->committed, &batch, link);
        (void)pthread_mutex_unlock(&publisher->mutex);
        (void)!write(event_get_fd(publisher->wake), &(uint64_t){1}, sizeof(uint64_t));
        (void)rd_kafka_poll(publisher->producer, 0);
        if (publisher->floor->options.pause_us > 0) {
            (void)usleep((useconds_t)publisher->floor->options.pause_us);
        }
    }
    return NULL;
}

static void commit(struct floor_publisher *publisher, struct floor_jobs *batch) {
    load_must(rd_kafka_begin_transaction(publisher->producer), "begin");
    struct floor_job *job;
    TAILQ_FOREACH(job, batch, link) {
        load_records_produce(publisher->producer, publisher->topics, job->message->key,
                             job->message->key_len, (size_t)job->message->offset);
    }
    rd_kafka_topic_partition_list_t *offsets = offsets_of(batch);
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata(floor_consumer_handle(publisher->floor->consumer));
    load_must(rd_kafka_send_offsets_to_transaction(publisher->producer, offsets, group, TIMEOUT_MS),
              "send_offsets");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    load_must(rd_kafka_commit_transaction(publisher->producer, TIMEOUT_MS), "commit");
}

/* The highest of each partition: what is under way below it isn't waited for. */
static rd_kafka_topic_partition_list_t *offsets_of(struct floor_jobs *batch) {
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
    struct floor_job *job;
    TAILQ_FOREACH(job, batch, link) {
        const char *topic = rd_kafka_topic_name(job->message->rkt);
        rd_kafka_topic_partition_t *partition =
            rd_kafka_topic_partition_list_find(offsets, topic, job->message->partition);
        if (partition == NULL) {
            partition = rd_kafka_topic_partition_list_add(offsets, topic, job->message->partition);
        }
        if (partition->offset <= job->message->offset) {
            partition->offset = job->message->offset + 1;
        }
    }
    return offsets;
}

static void wake_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    struct floor_publisher *publisher = ctx;
    struct floor_jobs done = TAILQ_HEAD_INITIALIZER(done);
    uint64_t count;
    (void)!read(fd, &count, sizeof(count));
    (void)pthread_mutex_lock(&publisher->mutex);
    TAILQ_CONCAT(&done, &publisher->committed, link);
    (void)pthread_mutex_unlock(&publisher->mutex);
    floor_on_committed(publisher->floor, &done);
}

static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("a record wasn't delivered: %s", rd_kafka_err2str(message->err));
    }
}
