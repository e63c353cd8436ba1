/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "floor.h"
#include "load.h"

/* Polling is what max.poll.interval.ms looks at, also when there is nothing. */
#define TICK_MS 1000

struct floor_consumer {
    struct floor *floor;
    rd_kafka_t *handle;
    struct event *wake;
    struct event *tick;
};

static void rdkafka_rebalance_cb(rd_kafka_t *handle, rd_kafka_resp_err_t err,
                                 rd_kafka_topic_partition_list_t *partitions, void *opaque);
static void subscribe(struct floor_consumer *consumer, const char *topic);
static void wake_cb(evutil_socket_t fd, short what, void *ctx);
static void tick_cb(evutil_socket_t fd, short what, void *ctx);

struct floor_consumer *floor_consumer_new(struct floor *floor) {
    /* As berthd's (src/io/kafka_properties.c). */
    static const char *const properties[] = {"group.id",
                                             "bench-floor",
                                             "enable.auto.commit",
                                             "false",
                                             "enable.auto.offset.store",
                                             "false",
                                             "auto.offset.reset",
                                             "earliest",
                                             "isolation.level",
                                             "read_committed",
                                             "check.crcs",
                                             "true",
                                             "partition.assignment.strategy",
                                             "cooperative-sticky",
                                             "session.timeout.ms",
                                             "10000",
                                             "heartbeat.interval.ms",
                                             "1000",
                                             "topic.metadata.refresh.interval.ms",
                                             "5000",
                                             "queued.min.messages",
                                             "500",
                                             "queued.max.messages.kbytes",
                                             "256",
                                             "fetch.message.max.bytes",
                                             "65536",
                                             "fetch.max.bytes",
                                             "1048576",
                                             NULL};
    struct floor_consumer *consumer = load_memory(1, sizeof(*consumer));
    consumer->floor = floor;
    rd_kafka_conf_t *conf = load_conf(floor->options.brokers, properties);
    rd_kafka_conf_set_rebalance_cb(conf, rdkafka_rebalance_cb);
    consumer->handle = load_handle(RD_KAFKA_CONSUMER, conf);
    (void)rd_kafka_poll_set_consumer(consumer->handle);
    consumer->wake = floor_wake_event(floor, wake_cb, consumer);
    consumer->tick = event_new(floor->base, -1, EV_PERSIST, tick_cb, consumer);
    const struct timeval period = {.tv_sec = TICK_MS / 1000};
    (void)event_add(consumer->tick, &period);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer->handle);
    rd_kafka_queue_io_event_enable(queue, event_get_fd(consumer->wake), &(uint64_t){1},
                                   sizeof(uint64_t));
    rd_kafka_queue_destroy(queue);
    subscribe(consumer, floor->options.topic);
    return consumer;
}

void floor_consumer_take(struct floor_consumer *consumer) {
    struct floor *floor = consumer->floor;
    struct floor_job *job;
    while ((job = TAILQ_FIRST(&floor->free_jobs)) != NULL) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->handle, 0);
        if (message == NULL) {
            return;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            load_fail("consuming: %s", rd_kafka_message_errstr(message));
        }
        TAILQ_REMOVE(&floor->free_jobs, job, link);
        job->message = message;
        floor_on_message(floor, job);
    }
}

rd_kafka_t *floor_consumer_handle(struct floor_consumer *consumer) {
    return consumer->handle;
}

/* Says when it has its partitions: then it is ready. */
static void rdkafka_rebalance_cb(rd_kafka_t *handle, rd_kafka_resp_err_t err,
                                 rd_kafka_topic_partition_list_t *partitions, void *opaque) {
    (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        load_must(rd_kafka_incremental_assign(handle, partitions), "assigning");
        printf("ready: %d partitions\n", partitions->cnt);
        (void)fflush(stdout);
    } else {
        load_must(rd_kafka_incremental_unassign(handle, partitions), "unassigning");
    }
}

static void subscribe(struct floor_consumer *consumer, const char *topic) {
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->handle, topics);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        load_fail("subscribing to %s: %s", topic, rd_kafka_err2str(err));
    }
    rd_kafka_topic_partition_list_destroy(topics);
}

static void wake_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    uint64_t count;
    (void)!read(fd, &count, sizeof(count));
    floor_consumer_take(ctx);
}

static void tick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    floor_consumer_take(ctx);
}
