/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_consumer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "kafka_client.h"
#include "kafka_consumer_parts.h"

/* What is handled before the loop's other parts get their turn. */
#define EVENTS_PER_TURN_MAX 64

/* Polling the queue is what max.poll.interval.ms looks at. */
#define TICK_MS         1000
#define TICK_CLOSING_MS 20
/* As rd_kafka_version() says 2.3.0. */
#define DESTROY_MENDED_VERSION 0x02030000

/* Handles that can't be destroyed. To leak checkers one that nobody points to is lost. */
static struct left_behind {
    rd_kafka_t *handle;
    struct left_behind *next;
} * left_behind;

static enum berth_rc copy_options(struct berth_consumer *consumer,
                                  const struct berth_consumer_options *options);
static enum berth_rc make_handle(struct berth_consumer *consumer,
                                 const struct berth_consumer_options *options,
                                 struct berth_error *reterr);
static enum berth_rc make_events(struct berth_consumer *consumer, struct event_base *base,
                                 struct berth_error *reterr);
static bool may_be_destroyed(const struct berth_consumer *consumer);
static void leave_behind(rd_kafka_t *handle);
static enum berth_rc subscribe(struct berth_consumer *consumer, struct berth_error *reterr);
static void set_tick(struct berth_consumer *consumer, int period_ms);
static void libevent_control_cb(evutil_socket_t fd, short what, void *ctx);
static void libevent_records_cb(evutil_socket_t fd, short what, void *ctx);
static void libevent_tick_cb(evutil_socket_t fd, short what, void *ctx);
static void on_event(struct berth_consumer *consumer, rd_kafka_event_t *event);
static void on_error_event(struct berth_consumer *consumer, rd_kafka_event_t *event);
static void on_message_error(struct berth_consumer *consumer, struct berth_slot *slot,
                             const rd_kafka_message_t *message);
static void turn(struct berth_consumer *consumer);

enum berth_rc berth_consumer_new(struct event_base *base,
                                 const struct berth_consumer_options *options,
                                 struct berth_consumer **ret_consumer, struct berth_error *reterr) {
    BERTH_ASSERT(options->topics_count > 0);
    BERTH_ASSERT(options->partitions_max > 0);
    BERTH_ASSERT(options->partitions_max <= BERTH_CONSUMER_PARTITIONS_MAX);
    struct berth_consumer *consumer = calloc(1, sizeof(*consumer));
    if (consumer == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    consumer->control_fd = -1;
    consumer->records_fd = -1;
    enum berth_rc rc = copy_options(consumer, options);
    if (rc == BERTH_OK) {
        rc = make_handle(consumer, options, reterr);
    }
    if (rc == BERTH_OK) {
        rc = make_events(consumer, base, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_assignment_init(consumer, base, options->partitions_max, reterr);
    }
    if (rc == BERTH_OK) {
        rc = subscribe(consumer, reterr);
    }
    if (rc != BERTH_OK) {
        (void)berth_consumer_free(consumer, TICK_MS);
        return rc;
    }
    *ret_consumer = consumer;
    return BERTH_OK;
}

struct berth_consumer *berth_consumer_free(struct berth_consumer *consumer, int timeout_ms) {
    if (consumer == NULL) {
        return NULL;
    }
    struct event *events[] = {consumer->control, consumer->records, consumer->tick};
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (!berth_assignment_deinit(consumer, timeout_ms)) {
        berth_log(BERTH_LOG_WARNING, "kafka.consumer_left_behind", "waited_ms=%d", timeout_ms);
        return NULL;
    }
    if (consumer->queue != NULL) {
        rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(consumer->queue);
    }
    if (may_be_destroyed(consumer)) {
        (void)berth_kafka_handle_destroy(consumer->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                         timeout_ms);
    } else {
        leave_behind(consumer->handle);
    }
    int fds[] = {consumer->control_fd, consumer->records_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    for (size_t i = 0; consumer->topics != NULL && i < consumer->topics_count; i++) {
        free(consumer->topics[i]);
    }
    free(consumer->topics);
    if (consumer->parked != NULL) {
        rd_kafka_topic_partition_list_destroy(consumer->parked);
    }
    if (consumer->stopped != NULL) {
        rd_kafka_topic_partition_list_destroy(consumer->stopped);
    }
    free(consumer->slots);
    free(consumer->bases_at);
    free(consumer->group);
    free(consumer);
    return NULL;
}

/*
 * Before 2.3.0 librdkafka aborts the process in the destruction of a member that the group took in
 * and that got no assignment yet (its issue 4312): while a group waits for members that died, that
 * is every new one. Such a handle is left behind, like one whose destruction hangs: the process is
 * about to end.
 */
static bool may_be_destroyed(const struct berth_consumer *consumer) {
    return consumer->assigned_once || consumer->handle == NULL ||
           rd_kafka_version() >= DESTROY_MENDED_VERSION;
}

static void leave_behind(rd_kafka_t *handle) {
    struct left_behind *left = malloc(sizeof(*left));
    if (left != NULL) {
        *left = (struct left_behind){.handle = handle, .next = left_behind};
        left_behind = left;
    }
}

enum berth_rc berth_consumer_take(struct berth_consumer *consumer, uint32_t slot_number,
                                  struct berth_record **ret_record) {
    BERTH_ASSERT(slot_number < consumer->slots_count);
    struct berth_slot *slot = &consumer->slots[slot_number];
    BERTH_ASSERT(slot->state != BERTH_SLOT_FREE);
    while (slot->state == BERTH_SLOT_HELD && !slot->stopped) {
        rd_kafka_message_t *message = slot->untaken;
        slot->untaken = NULL;
        if (message == NULL) {
            message = rd_kafka_consume_queue(slot->queue, 0);
        }
        if (message == NULL) {
            return BERTH_END;
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            on_message_error(consumer, slot, message);
        } else if (message->offset > slot->last_offset) {
            struct berth_record *record = berth_record_new(message);
            if (record == NULL) {
                slot->untaken = message;
                return BERTH_FAULT_MEMORY;
            }
            slot->last_offset = message->offset;
            *ret_record = record;
            return BERTH_OK;
        }
        rd_kafka_message_destroy(message);
    }
    return BERTH_END;
}

bool berth_consumer_joined(const struct berth_consumer *consumer) {
    return consumer->joined && consumer->rebalance.state == BERTH_REBALANCE_NONE;
}

enum berth_rc berth_consumer_group_metadata(struct berth_consumer *consumer,
                                            struct berth_group_metadata **ret_metadata) {
    struct berth_group_metadata *metadata = malloc(sizeof(*metadata));
    if (metadata == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    metadata->handle = rd_kafka_consumer_group_metadata(consumer->handle);
    if (metadata->handle == NULL) {
        free(metadata);
        return BERTH_FAULT_LIBRARY;
    }
    *ret_metadata = metadata;
    return BERTH_OK;
}

struct berth_group_metadata *berth_group_metadata_free(struct berth_group_metadata *metadata) {
    if (metadata != NULL) {
        rd_kafka_consumer_group_metadata_destroy(metadata->handle);
        free(metadata);
    }
    return NULL;
}

void berth_consumer_close(struct berth_consumer *consumer) {
    if (consumer->closing) {
        return;
    }
    consumer->closing = true;
    consumer->joined = false;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->handle, consumer->queue);
    if (error != NULL) {
        consumer->close_refused = true;
        rd_kafka_error_destroy(error);
    }
    set_tick(consumer, TICK_CLOSING_MS);
}

static enum berth_rc copy_options(struct berth_consumer *consumer,
                                  const struct berth_consumer_options *options) {
    consumer->start = options->start;
    consumer->callbacks = options->callbacks;
    consumer->ctx = options->ctx;
    consumer->group = strdup(options->group);
    consumer->bases_at = strdup(options->bases_at);
    consumer->parked = rd_kafka_topic_partition_list_new(0);
    consumer->stopped = rd_kafka_topic_partition_list_new(0);
    consumer->topics = calloc(options->topics_count, sizeof(consumer->topics[0]));
    if (consumer->group == NULL || consumer->bases_at == NULL || consumer->topics == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    consumer->topics_count = options->topics_count;
    for (size_t i = 0; i < options->topics_count; i++) {
        consumer->topics[i] = strdup(options->topics[i]);
        if (consumer->topics[i] == NULL) {
            return BERTH_FAULT_MEMORY;
        }
    }
    return BERTH_OK;
}

static enum berth_rc make_handle(struct berth_consumer *consumer,
                                 const struct berth_consumer_options *options,
                                 struct berth_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc =
        berth_kafka_conf_new(BERTH_KAFKA_CONSUMER, &options->properties, &conf, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_kafka_conf_set(conf, "group.id", options->group, reterr);
    if (rc == BERTH_OK && options->instance != NULL) {
        rc = berth_kafka_conf_set(conf, "group.instance.id", options->instance, reterr);
    }
    if (rc != BERTH_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR |
                                       RD_KAFKA_EVENT_FETCH);
    rc = berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, conf, &consumer->handle, reterr);
    if (rc == BERTH_OK) {
        (void)rd_kafka_poll_set_consumer(consumer->handle);
        consumer->queue = rd_kafka_queue_get_consumer(consumer->handle);
        BERTH_ASSERT(consumer->queue != NULL);
    }
    return rc;
}

static enum berth_rc make_events(struct berth_consumer *consumer, struct event_base *base,
                                 struct berth_error *reterr) {
    consumer->control_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    consumer->records_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (consumer->control_fd < 0 || consumer->records_fd < 0) {
        berth_error_set(reterr, "eventfd: %s", strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    consumer->control =
        event_new(base, consumer->control_fd, EV_READ | EV_PERSIST, libevent_control_cb, consumer);
    consumer->records =
        event_new(base, consumer->records_fd, EV_READ | EV_PERSIST, libevent_records_cb, consumer);
    consumer->tick = event_new(base, -1, EV_PERSIST, libevent_tick_cb, consumer);
    if (consumer->control == NULL || consumer->records == NULL || consumer->tick == NULL ||
        event_add(consumer->control, NULL) != 0 || event_add(consumer->records, NULL) != 0) {
        return BERTH_FAULT_MEMORY;
    }
    set_tick(consumer, TICK_MS);
    rd_kafka_queue_io_event_enable(consumer->queue, consumer->control_fd, &(uint64_t){1},
                                   sizeof(uint64_t));
    return BERTH_OK;
}

static enum berth_rc subscribe(struct berth_consumer *consumer, struct berth_error *reterr) {
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)consumer->topics_count);
    for (size_t i = 0; i < consumer->topics_count; i++) {
        rd_kafka_topic_partition_list_add(list, consumer->topics[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t err = rd_kafka_subscribe(consumer->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "subscribe: %s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static void set_tick(struct berth_consumer *consumer, int period_ms) {
    struct timeval period = {.tv_sec = period_ms / 1000, .tv_usec = period_ms % 1000 * 1000L};
    int failed = event_add(consumer->tick, &period);
    BERTH_ASSERT(failed == 0); /* Room for it was made when it was created. */
}

static void libevent_control_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    uint64_t count;
    (void)!read(fd, &count, sizeof(count)); /* Nothing there: it was activated by ourselves. */
    turn(ctx);
}

static void libevent_records_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)what;
    struct berth_consumer *consumer = ctx;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) == sizeof(count)) {
        consumer->callbacks.on_records(consumer->ctx);
    }
}

static void libevent_tick_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    turn(ctx);
}

/* librdkafka writes to the descriptor only when the queue was empty, so it is emptied, or the loop
 * comes back by itself. */
static void turn(struct berth_consumer *consumer) {
    int handled = 0;
    rd_kafka_event_t *event = NULL;
    while (handled < EVENTS_PER_TURN_MAX &&
           (event = rd_kafka_queue_poll(consumer->queue, 0)) != NULL) {
        on_event(consumer, event);
        handled++;
    }
    if (handled == EVENTS_PER_TURN_MAX) {
        event_active(consumer->control, EV_READ, 0);
    }
    berth_assignment_step(consumer);
    if (consumer->closed) {
        return;
    }
    bool over = consumer->close_refused || rd_kafka_consumer_closed(consumer->handle);
    if (consumer->closing && over && consumer->rebalance.state == BERTH_REBALANCE_NONE) {
        consumer->closed = true;
        set_tick(consumer, TICK_MS);
        consumer->callbacks.on_closed(consumer->ctx);
    }
}

static void on_event(struct berth_consumer *consumer, rd_kafka_event_t *event) {
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        consumer->assigned_once = true;
        berth_assignment_offer(consumer, event);
        return;
    case RD_KAFKA_EVENT_ERROR:
        on_error_event(consumer, event);
        break;
    case RD_KAFKA_EVENT_FETCH:
        /* Every partition's queue is detached before it is fetched from. */
        consumer->callbacks.on_error(consumer->ctx, true,
                                     "a record came outside of its partition's queue");
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static void on_error_event(struct berth_consumer *consumer, rd_kafka_event_t *event) {
    const char *text = rd_kafka_event_error_string(event);
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        /* The topic's name is nowhere but in the text. librdkafka says it once an absence. */
        static const char prefix[] = "Subscribed topic not available: ";
        for (size_t i = 0; i < consumer->topics_count; i++) {
            const char *topic = consumer->topics[i];
            size_t len = strlen(topic);
            if (strncmp(text, prefix, sizeof(prefix) - 1) == 0 &&
                strncmp(text + sizeof(prefix) - 1, topic, len) == 0 &&
                text[sizeof(prefix) - 1 + len] == ':') {
                consumer->callbacks.on_topic_missing(consumer->ctx, topic);
                return;
            }
        }
    }
    char fatal_text[BERTH_ERROR_BYTES_MAX];
    if (rd_kafka_event_error_is_fatal(event)) {
        (void)rd_kafka_fatal_error(consumer->handle, fatal_text, sizeof(fatal_text));
        consumer->callbacks.on_error(consumer->ctx, true, fatal_text);
        return;
    }
    consumer->callbacks.on_error(consumer->ctx, false, text);
}

/* Told in a turn of its own: berth_consumer_take() calls nothing back. */
static void on_message_error(struct berth_consumer *consumer, struct berth_slot *slot,
                             const rd_kafka_message_t *message) {
    bool position_is_gone = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                            message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    if (position_is_gone) {
        slot->stopped = true;
        event_active(consumer->control, EV_READ, 0);
        return;
    }
    berth_log(BERTH_LOG_WARNING, "kafka.fetch_failed", "topic=%s partition=%d text=\"%s\"",
              slot->topic, slot->partition, rd_kafka_message_errstr(message));
}
