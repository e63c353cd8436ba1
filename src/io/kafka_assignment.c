/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "kafka_client.h"
#include "kafka_consumer_parts.h"

/* An undecided transaction takes milliseconds, or its time-out when its producer died. */
#define RETRY_UNSTABLE_MS 100
#define RETRY_MS          1000
/* A transaction of a dead producer (15 s) is not worth a word. */
#define REPORT_AFTER_MS 20000
/* A single partition that can't be asked about for so long, while the others can, has been deleted
 * or is closed to us: the others go on without it. */
#define PARTITION_TRIED_MS 30000
/* One that was parked is asked about again in any case. */
#define PARKED_TRIED_MS 5000

static void libevent_retry_cb(evutil_socket_t fd, short what, void *ctx);
static void begin(struct berth_consumer *consumer, rd_kafka_event_t *take_event);
static void begin_assign(struct berth_consumer *consumer);
static void begin_revoke(struct berth_consumer *consumer);
static void begin_told(struct berth_consumer *consumer);
static void put_off(struct berth_consumer *consumer);
static void add_kept(struct berth_consumer *consumer);
static void read_positions(struct berth_consumer *consumer);
static void work_on_positions(void *ctx);
static void on_positions(void *ctx);
static bool worth_waiting(const struct berth_consumer *consumer);
static void wait_to_read_again(struct berth_consumer *consumer);
static void lose(struct berth_consumer *consumer, enum berth_slot_state state);
static void answer(struct berth_consumer *consumer,
                   rd_kafka_error_t *(*call)(rd_kafka_t *,
                                             const rd_kafka_topic_partition_list_t *));
static void forget_told(struct berth_rebalance *rebalance);
static void finish(struct berth_consumer *consumer);

enum berth_rc berth_assignment_init(struct berth_consumer *consumer, struct event_base *base,
                                    uint32_t slots_count, struct berth_error *reterr) {
    consumer->slots = calloc(slots_count, sizeof(consumer->slots[0]));
    consumer->rebalance.retry = event_new(base, -1, 0, libevent_retry_cb, consumer);
    if (consumer->slots == NULL || consumer->rebalance.retry == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    consumer->slots_count = slots_count;
    consumer->rebalance.positions.conf = consumer->conf;
    consumer->rebalance.positions.group = consumer->group;
    consumer->rebalance.positions.start = consumer->start;
    return berth_kafka_job_init(&consumer->rebalance.job, base, work_on_positions, on_positions,
                                consumer, reterr);
}

bool berth_assignment_deinit(struct berth_consumer *consumer, int timeout_ms) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    if (rebalance->retry != NULL) {
        event_free(rebalance->retry);
        rebalance->retry = NULL;
    }
    if (!berth_kafka_job_deinit(&rebalance->job, timeout_ms)) {
        return false;
    }
    berth_kafka_positions_deinit(&rebalance->positions);
    for (uint32_t i = 0; i < consumer->slots_count; i++) {
        if (consumer->slots[i].state != BERTH_SLOT_FREE) {
            berth_slot_free(&consumer->slots[i]);
        }
    }
    rd_kafka_event_destroy(rebalance->event);
    rebalance->event = NULL;
    forget_told(rebalance);
    for (size_t i = 0; i < consumer->waiting_count; i++) {
        rd_kafka_event_destroy(consumer->waiting[i]);
    }
    consumer->waiting_count = 0;
    return true;
}

void berth_assignment_offer(struct berth_consumer *consumer, rd_kafka_event_t *take_event) {
    if (consumer->waiting_count == BERTH_REBALANCES_WAITING_MAX) {
        rd_kafka_event_destroy(take_event);
        consumer->callbacks.on_error(consumer->ctx, true,
                                     "librdkafka sends rebalances without waiting for answers");
        return;
    }
    consumer->waiting[consumer->waiting_count++] = take_event;
}

void berth_assignment_step(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    berth_stopped_step(consumer);
    bool superseded = rebalance->event == NULL && consumer->waiting_count > 0;
    if (rebalance->state == BERTH_REBALANCE_WAITING &&
        (berth_consumer_gains_nothing(consumer) || superseded)) {
        (void)event_del(rebalance->retry);
        put_off(consumer);
    }
    if (rebalance->state == BERTH_REBALANCE_DRAINING && consumer->cast_out) {
        lose(consumer, BERTH_SLOT_REVOKED);
    }
    if (rebalance->state == BERTH_REBALANCE_DRAINING && rebalance->draining_count == 0) {
        answer(consumer, rd_kafka_incremental_unassign);
    }
    while (rebalance->state == BERTH_REBALANCE_NONE && consumer->waiting_count > 0) {
        rd_kafka_event_t *event = consumer->waiting[0];
        consumer->waiting_count--;
        for (size_t i = 0; i < consumer->waiting_count; i++) {
            consumer->waiting[i] = consumer->waiting[i + 1];
        }
        begin(consumer, event);
    }
    if (rebalance->state == BERTH_REBALANCE_NONE && !berth_consumer_gains_nothing(consumer)) {
        begin_told(consumer);
    }
    if (consumer->close_refused) {
        berth_assignment_lose_held(consumer);
    }
}

void berth_consumer_give_up(struct berth_consumer *consumer, uint32_t slot_number) {
    BERTH_ASSERT(slot_number < consumer->slots_count);
    struct berth_slot *slot = &consumer->slots[slot_number];
    BERTH_ASSERT(slot->state == BERTH_SLOT_REVOKED);
    BERTH_ASSERT(consumer->rebalance.draining_count > 0);
    berth_slot_free(slot);
    consumer->rebalance.draining_count--;
    event_active(consumer->control, EV_READ, 0); /* The group is answered in a turn of its own. */
}

static void begin(struct berth_consumer *consumer, rd_kafka_event_t *take_event) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    BERTH_ASSERT(rebalance->event == NULL);
    rebalance->event = take_event;
    rebalance->partitions = rd_kafka_event_topic_partition_list(take_event);
    rebalance->began_ms = berth_clock_monotonic_ms();
    rebalance->reported_ms = rebalance->began_ms;
    switch ((int)rd_kafka_event_error(take_event)) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        begin_assign(consumer);
        return;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        begin_revoke(consumer);
        return;
    default:
        /* librdkafka's advice for anything else is to start over with nothing. */
        berth_assignment_lose_held(consumer);
        (void)rd_kafka_assign(consumer->member->handle, NULL);
        finish(consumer);
    }
}

static void begin_assign(struct berth_consumer *consumer) {
    if (berth_consumer_gains_nothing(consumer) || consumer->rebalance.partitions->cnt == 0) {
        /* While closing librdkafka takes any answer as "nothing". */
        consumer->joined = !berth_consumer_gains_nothing(consumer);
        answer(consumer, rd_kafka_incremental_assign);
        return;
    }
    read_positions(consumer);
}

static void begin_revoke(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    /* Any call that changes the assignment resets this flag. */
    bool lost = rd_kafka_assignment_lost(consumer->member->handle) != 0 ||
                berth_consumer_is_forgotten(consumer);
    berth_bases_take_out(consumer, rebalance->partitions);
    berth_stopped_forget_these(consumer, rebalance->partitions);
    const rd_kafka_topic_partition_list_t *list = rebalance->partitions;
    rebalance->state = BERTH_REBALANCE_DRAINING;
    for (int i = 0; i < list->cnt; i++) {
        int slot = berth_slot_find(consumer, list->elems[i].topic, list->elems[i].partition);
        if (slot >= 0) {
            consumer->slots[slot].state = BERTH_SLOT_REVOKED;
            rebalance->draining_count++;
        }
    }
    if (lost) {
        consumer->joined = false;
        lose(consumer, BERTH_SLOT_REVOKED);
    }
    for (int i = 0; i < list->cnt; i++) {
        int slot = berth_slot_find(consumer, list->elems[i].topic, list->elems[i].partition);
        if (slot >= 0) {
            consumer->callbacks.on_revoked(consumer->ctx, (uint32_t)slot);
        }
    }
    if (rebalance->draining_count == 0) {
        answer(consumer, rd_kafka_incremental_unassign);
    }
}

/* Takes up the parked partitions whose bases were told. Their positions are read anew: the answer
 * may have taken hours. */
static void begin_told(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    /* What was lost is revoked with the next event; any call here would hide that. */
    if (rd_kafka_assignment_lost(consumer->member->handle) != 0) {
        return;
    }
    rebalance->told = berth_bases_told(consumer);
    if (rebalance->told == NULL) {
        return;
    }
    rebalance->partitions = rebalance->told;
    rebalance->began_ms = berth_clock_monotonic_ms();
    rebalance->reported_ms = rebalance->began_ms;
    read_positions(consumer);
}

/* Ends a reading without gaining anything: the group is answered; parked partitions stay so. */
static void put_off(struct berth_consumer *consumer) {
    if (consumer->rebalance.event != NULL) {
        answer(consumer, rd_kafka_incremental_assign);
    } else {
        finish(consumer);
    }
}

static void add_kept(struct berth_consumer *consumer) {
    struct berth_kafka_positions *positions = &consumer->rebalance.positions;
    for (int i = 0; i < positions->facts_count; i++) {
        const rd_kafka_topic_partition_t *partition = &positions->partitions->elems[i];
        const struct berth_kept_base *kept =
            berth_bases_of(consumer, partition->topic, partition->partition);
        positions->facts[i].kept_told = kept != NULL;
        if (kept != NULL) {
            positions->facts[i].kept = *kept;
        }
    }
}

static void read_positions(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    struct berth_error error = {{0}};
    rebalance->positions.handle = consumer->member->handle;
    rebalance->state = BERTH_REBALANCE_READING;
    enum berth_rc rc = berth_kafka_positions_init(&rebalance->positions, rebalance->partitions);
    if (rc == BERTH_OK) {
        add_kept(consumer);
        rc = berth_kafka_job_start(&rebalance->job, &error);
    }
    if (rc != BERTH_OK) {
        consumer->callbacks.on_error(consumer->ctx, false, berth_error_why(&error, rc));
        wait_to_read_again(consumer);
    }
}

/* In the job's thread: the loop doesn't look at the positions before it is done. */
static void work_on_positions(void *ctx) {
    struct berth_consumer *consumer = ctx;
    berth_kafka_positions_read(&consumer->rebalance.positions);
}

static void on_positions(void *ctx) {
    struct berth_consumer *consumer = ctx;
    struct berth_rebalance *rebalance = &consumer->rebalance;
    BERTH_ASSERT(rebalance->state == BERTH_REBALANCE_READING);
    bool superseded = rebalance->event == NULL && consumer->waiting_count > 0;
    bool void_now = berth_consumer_gains_nothing(consumer) || superseded;
    if (!void_now && worth_waiting(consumer)) {
        wait_to_read_again(consumer);
    } else if (void_now || !berth_consumer_hold_as(consumer)) {
        put_off(consumer);
    } else {
        berth_gain(consumer);
        finish(consumer);
    }
    event_active(consumer->control, EV_READ, 0);
}

/* Whether another reading may tell more. */
static bool worth_waiting(const struct berth_consumer *consumer) {
    const struct berth_rebalance *rebalance = &consumer->rebalance;
    const struct berth_kafka_positions *positions = &rebalance->positions;
    if (positions->err != RD_KAFKA_RESP_ERR_NO_ERROR || positions->unstable) {
        return true;
    }
    int64_t patience_ms = rebalance->event == NULL ? PARKED_TRIED_MS : PARTITION_TRIED_MS;
    return positions->partial_err != RD_KAFKA_RESP_ERR_NO_ERROR &&
           berth_clock_monotonic_ms() - rebalance->began_ms < patience_ms;
}

static void wait_to_read_again(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    const struct berth_kafka_positions *positions = &rebalance->positions;
    int64_t now_ms = berth_clock_monotonic_ms();
    if (now_ms - rebalance->reported_ms >= REPORT_AFTER_MS) {
        char text[BERTH_ERROR_BYTES_MAX];
        rd_kafka_resp_err_t err =
            positions->err != RD_KAFKA_RESP_ERR_NO_ERROR ? positions->err : positions->partial_err;
        (void)snprintf(text, sizeof(text),
                       "the offsets of %d assigned partitions can't be read for %" PRId64
                       " s (%s); it is tried again and again",
                       rebalance->partitions->cnt, (now_ms - rebalance->began_ms) / 1000,
                       rd_kafka_err2str(err));
        rebalance->reported_ms = now_ms;
        consumer->callbacks.on_error(consumer->ctx, false, text);
    }
    int wait_ms = positions->unstable ? RETRY_UNSTABLE_MS : RETRY_MS;
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L};
    int failed = event_add(rebalance->retry, &wait);
    BERTH_ASSERT(failed == 0);
    rebalance->state = BERTH_REBALANCE_WAITING;
}

static void libevent_retry_cb(evutil_socket_t fd, short what, void *ctx) {
    (void)fd;
    (void)what;
    struct berth_consumer *consumer = ctx;
    BERTH_ASSERT(consumer->rebalance.state == BERTH_REBALANCE_WAITING);
    read_positions(consumer);
}

static void lose(struct berth_consumer *consumer, enum berth_slot_state state) {
    for (uint32_t i = 0; i < consumer->slots_count; i++) {
        if (consumer->slots[i].state == state) {
            berth_slot_free(&consumer->slots[i]);
            consumer->rebalance.draining_count -= state == BERTH_SLOT_REVOKED;
            consumer->callbacks.on_lost(consumer->ctx, i);
        }
    }
}

void berth_assignment_lose_held(struct berth_consumer *consumer) {
    berth_bases_forget_all(consumer);
    berth_stopped_forget_all(consumer);
    lose(consumer, BERTH_SLOT_HELD);
}

/* Answers the rebalance under way; nothing is gained by it. */
static void answer(struct berth_consumer *consumer,
                   rd_kafka_error_t *(*call)(rd_kafka_t *,
                                             const rd_kafka_topic_partition_list_t *)) {
    rd_kafka_error_t *error = call(consumer->member->handle, consumer->rebalance.partitions);
    if (error != NULL) {
        /* While it closes or has lost its assignment the group doesn't need this answer. */
        if (!berth_consumer_gains_nothing(consumer)) {
            consumer->callbacks.on_error(consumer->ctx, false, rd_kafka_error_string(error));
        }
        rd_kafka_error_destroy(error);
    }
    finish(consumer);
}

static void forget_told(struct berth_rebalance *rebalance) {
    if (rebalance->told != NULL) {
        rd_kafka_topic_partition_list_destroy(rebalance->told);
        rebalance->told = NULL;
    }
}

static void finish(struct berth_consumer *consumer) {
    struct berth_rebalance *rebalance = &consumer->rebalance;
    BERTH_ASSERT(rebalance->draining_count == 0);
    BERTH_ASSERT(!rebalance->job.running);
    berth_kafka_positions_deinit(&rebalance->positions);
    rd_kafka_event_destroy(rebalance->event);
    rebalance->event = NULL;
    forget_told(rebalance);
    rebalance->partitions = NULL;
    rebalance->state = BERTH_REBALANCE_NONE;
}
