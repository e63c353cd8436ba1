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
#include "berth/io/clock.h"
#include "kafka_client.h"
#include "kafka_consumer_parts.h"
#include "kafka_reach.h"

/* What is handled before the loop's other parts get their turn. */
#define EVENTS_PER_TURN_MAX 64

/* Polling the queue is what max.poll.interval.ms looks at. */
#define TICK_MS         1000
#define TICK_CLOSING_MS 20

#define FORGOTTEN "the group knows this member no more: it joins anew, and what it held is lost"

static enum berth_rc copy_options(struct berth_consumer *consumer,
                                  const struct berth_consumer_options *options);
static enum berth_rc make_conf(struct berth_consumer *consumer,
                               const struct berth_consumer_options *options,
                               struct berth_error *reterr);
static enum berth_rc make_events(struct berth_consumer *consumer, struct event_base *base,
                                 struct berth_error *reterr);
static void set_tick(struct berth_consumer *consumer, int period_ms);
static void libevent_control_cb(evutil_socket_t fd, short what, void *ctx);
static void libevent_records_cb(evutil_socket_t fd, short what, void *ctx);
static void libevent_tick_cb(evutil_socket_t fd, short what, void *ctx);
static void on_event(struct berth_consumer *consumer, rd_kafka_event_t *event);
static void on_error_event(struct berth_consumer *consumer, rd_kafka_event_t *event);
static void on_fatal_error(struct berth_consumer *consumer);
static bool holds_something(const struct berth_consumer *consumer);
static char *member_id(const struct berth_consumer *consumer);
static void join_anew(struct berth_consumer *consumer);
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
        rc = make_conf(consumer, options, reterr);
    }
    if (rc == BERTH_OK) {
        rc = make_events(consumer, base, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_assignment_init(consumer, base, options->partitions_max, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_watch_init(consumer, base, reterr);
    }
    if (rc == BERTH_OK) {
        rc = berth_member_new(consumer->conf, consumer->topics, consumer->control_fd,
                              &consumer->member, reterr);
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
    if (!berth_watch_deinit(consumer, timeout_ms) ||
        !berth_assignment_deinit(consumer, timeout_ms)) {
        berth_log(BERTH_LOG_WARNING, "kafka.consumer_left_behind", "waited_ms=%d", timeout_ms);
        return NULL;
    }
    consumer->member = berth_member_free(consumer->member, timeout_ms);
    int fds[] = {consumer->control_fd, consumer->records_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    rd_kafka_topic_partition_list_t *lists[] = {consumer->topics, consumer->stopped};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (lists[i] != NULL) {
            rd_kafka_topic_partition_list_destroy(lists[i]);
        }
    }
    if (consumer->conf != NULL) {
        rd_kafka_conf_destroy(consumer->conf);
    }
    free(consumer->slots);
    free(consumer->parked);
    free(consumer->held_as);
    free(consumer->group);
    free(consumer);
    return NULL;
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
            struct berth_record *record = berth_record_new(message, consumer->member);
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
    metadata->handle = rd_kafka_consumer_group_metadata(consumer->member->handle);
    if (metadata->handle == NULL) {
        free(metadata);
        return BERTH_FAULT_LIBRARY;
    }
    /* In this order: an id that is still the same afterwards was the same before. */
    if (berth_consumer_is_forgotten(consumer)) {
        berth_group_metadata_free(metadata);
        return BERTH_NOT_FOUND;
    }
    *ret_metadata = metadata;
    return BERTH_OK;
}

/*
 * librdkafka (2.8.0, and 2.12 still) doesn't say that what it holds is lost when the group answers
 * a request to join with UNKNOWN_MEMBER_ID: it joins under another id and goes on. A static member
 * meets that when it was frozen for longer than its session while the group rebalanced; one without
 * an id of its own is asked to join twice, and that is told. With the new id brokers take its
 * offsets although the partitions were others' meanwhile. An id never comes back.
 */
bool berth_consumer_is_forgotten(struct berth_consumer *consumer) {
    if (!consumer->cast_out && holds_something(consumer)) {
        char *id = member_id(consumer);
        if (id == NULL || strcmp(id, consumer->held_as) != 0) {
            berth_consumer_cast_out(consumer, FORGOTTEN);
        }
        free(id);
    }
    return consumer->cast_out;
}

bool berth_consumer_hold_as(struct berth_consumer *consumer) {
    char *id = member_id(consumer);
    bool another = holds_something(consumer) && id != NULL && strcmp(id, consumer->held_as) != 0;
    if (id == NULL || another) {
        berth_consumer_cast_out(consumer, FORGOTTEN);
        free(id);
        return false;
    }
    free(consumer->held_as);
    consumer->held_as = id;
    return true;
}

static bool holds_something(const struct berth_consumer *consumer) {
    bool holds = consumer->parked_count > 0;
    for (uint32_t i = 0; i < consumer->slots_count && !holds; i++) {
        holds = consumer->slots[i].state != BERTH_SLOT_FREE;
    }
    return holds;
}

/* Owned by the caller. NULL: it is no member at the moment, or there is no memory. */
static char *member_id(const struct berth_consumer *consumer) {
    char *id = rd_kafka_memberid(consumer->member->handle);
    char *copy = id != NULL && id[0] != '\0' ? strdup(id) : NULL;
    if (id != NULL) {
        rd_kafka_mem_free(consumer->member->handle, id);
    }
    return copy;
}

bool berth_consumer_gains_nothing(const struct berth_consumer *consumer) {
    return consumer->closing || consumer->cast_out;
}

void berth_consumer_cast_out(struct berth_consumer *consumer, const char *why) {
    if (!consumer->cast_out) {
        consumer->cast_out = true;
        (void)snprintf(consumer->cast_out_why, sizeof(consumer->cast_out_why), "%s", why);
    }
    berth_consumer_wake(consumer);
}

void berth_consumer_wake(struct berth_consumer *consumer) {
    event_active(consumer->control, EV_READ, 0);
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
    rd_kafka_error_t *error =
        rd_kafka_consumer_close_queue(consumer->member->handle, consumer->member->queue);
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
    consumer->stopped = rd_kafka_topic_partition_list_new(0);
    consumer->topics = rd_kafka_topic_partition_list_new((int)options->topics_count);
    for (size_t i = 0; i < options->topics_count; i++) {
        rd_kafka_topic_partition_list_add(consumer->topics, options->topics[i],
                                          RD_KAFKA_PARTITION_UA);
    }
    return consumer->group == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
}

static enum berth_rc make_conf(struct berth_consumer *consumer,
                               const struct berth_consumer_options *options,
                               struct berth_error *reterr) {
    enum berth_rc rc = berth_kafka_group_conf_new(BERTH_KAFKA_CONSUMER, &options->properties,
                                                  options->group, &consumer->conf, reterr);
    if (rc == BERTH_OK && options->instance != NULL) {
        rc = berth_kafka_conf_set(consumer->conf, "group.instance.id", options->instance, reterr);
    }
    if (rc == BERTH_OK) {
        rd_kafka_conf_set_events(consumer->conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR |
                                                     RD_KAFKA_EVENT_FETCH);
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
    struct berth_consumer *consumer = ctx;
    if (!consumer->closing) {
        (void)berth_consumer_is_forgotten(consumer);
    }
    turn(consumer);
}

/* librdkafka writes to the descriptor only when the queue was empty, so it is emptied, or the loop
 * comes back by itself. */
static void turn(struct berth_consumer *consumer) {
    int handled = 0;
    rd_kafka_event_t *event = NULL;
    while (handled < EVENTS_PER_TURN_MAX &&
           (event = rd_kafka_queue_poll(consumer->member->queue, 0)) != NULL) {
        on_event(consumer, event);
        handled++;
    }
    if (handled == EVENTS_PER_TURN_MAX) {
        event_active(consumer->control, EV_READ, 0);
    }
    berth_assignment_step(consumer);
    berth_bases_step(consumer);
    berth_watch_step(consumer);
    /* A question under way is asked with this member's handle. */
    if (consumer->cast_out && !consumer->closing && !consumer->watch.job.running &&
        consumer->rebalance.state == BERTH_REBALANCE_NONE) {
        join_anew(consumer);
    }
    if (consumer->closed) {
        return;
    }
    bool over = consumer->close_refused || rd_kafka_consumer_closed(consumer->member->handle);
    if (consumer->closing && over && consumer->rebalance.state == BERTH_REBALANCE_NONE) {
        consumer->closed = true;
        set_tick(consumer, TICK_MS);
        consumer->callbacks.on_closed(consumer->ctx);
    }
}

static void on_event(struct berth_consumer *consumer, rd_kafka_event_t *event) {
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
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
        for (int i = 0; i < consumer->topics->cnt; i++) {
            const char *topic = consumer->topics->elems[i].topic;
            size_t len = strlen(topic);
            if (strncmp(text, prefix, sizeof(prefix) - 1) == 0 &&
                strncmp(text + sizeof(prefix) - 1, topic, len) == 0 &&
                text[sizeof(prefix) - 1 + len] == ':') {
                berth_watch_missing(consumer, topic);
                consumer->callbacks.on_topic_missing(consumer->ctx, topic);
                return;
            }
        }
    }
    if (rd_kafka_event_error_is_fatal(event)) {
        on_fatal_error(consumer);
        return;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) { /* Why is told. */
        char reason[BERTH_ERROR_BYTES_MAX];
        berth_kafka_reason_text(text, reason, sizeof(reason));
        consumer->callbacks.on_error(consumer->ctx, false, reason);
    }
}

static void on_fatal_error(struct berth_consumer *consumer) {
    if (consumer->cast_out) {
        return;
    }
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(consumer->member->handle, text, sizeof(text));
    int64_t now_ms = berth_clock_monotonic_ms();
    bool twin = consumer->fenced_ms != 0 && now_ms - consumer->fenced_ms < BERTH_KAFKA_TWIN_MS;
    consumer->cast_out = err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID && !twin && !consumer->closing;
    if (!consumer->cast_out) {
        consumer->callbacks.on_error(consumer->ctx, true, text);
        return;
    }
    consumer->fenced_ms = now_ms;
    (void)snprintf(consumer->cast_out_why, sizeof(consumer->cast_out_why), "%s", FORGOTTEN);
    consumer->callbacks.on_error(consumer->ctx, false, text);
}

/*
 * Whoever has our place may be nobody: after a broker hung, a request to join of ours that we had
 * given up is carried out behind a newer one, and its answer goes to a connection that is gone.
 * What was revoked before is given up by now.
 */
static void join_anew(struct berth_consumer *consumer) {
    consumer->callbacks.on_error(consumer->ctx, false, consumer->cast_out_why);
    berth_watch_forget(consumer);
    consumer->joined = false;
    berth_assignment_lose_held(consumer);
    consumer->cast_out = false;
    if (consumer->closing) {
        return; /* It had waited for what is lost now. */
    }
    struct berth_member *member = NULL;
    struct berth_error error = {.text = "no memory for another member"};
    enum berth_rc rc =
        berth_member_new(consumer->conf, consumer->topics, consumer->control_fd, &member, &error);
    if (rc != BERTH_OK) {
        consumer->callbacks.on_error(consumer->ctx, true, error.text);
        return;
    }
    berth_member_retire(consumer->member);
    consumer->member = member;
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
