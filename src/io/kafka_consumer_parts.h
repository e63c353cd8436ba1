/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer's inside, shared by kafka_consumer.c (events, start, end), kafka_assignment.c
 * (what is ours and what becomes of it), kafka_gain.c (how a partition begins), kafka_bases.c (what
 * waits for its base, or is stopped), kafka_stopped.c (why something isn't read) and kafka_watch.c
 * (whether topics are made anew). kafka_member.h is what it is towards the group.
 */
#ifndef BERTH_IO_KAFKA_CONSUMER_PARTS_H
#define BERTH_IO_KAFKA_CONSUMER_PARTS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "berth/core/limits.h"
#include "berth/io/kafka_consumer.h"
#include "kafka_job.h"
#include "kafka_log.h"
#include "kafka_member.h"
#include "kafka_positions.h"

struct event;

/*
 * A slot:
 *
 *   FREE --gained--> HELD --revoked--> REVOKED --given up, lost--> FREE
 *                    HELD --lost-----> FREE
 */
enum berth_slot_state {
    BERTH_SLOT_FREE,
    BERTH_SLOT_HELD,
    BERTH_SLOT_REVOKED,
};

/*
 * A partition of ours that librdkafka isn't given:
 *
 *   ASKED --told--> TOLD --judged--> gained
 *     ^              |  +----------> ASKED (the answer changed nothing)
 *     |              v
 *     +--again--- STOPPED
 */
enum berth_parked_state {
    BERTH_PARKED_ASKED,
    BERTH_PARKED_TOLD,
    BERTH_PARKED_STOPPED,
};

struct berth_parked {
    char topic[BERTH_TOPIC_BYTES];
    int32_t partition;
    enum berth_parked_state state;
    struct berth_kept_base kept;
    bool stopped;     /* It was; why is in the consumer's list of those. */
    int64_t since_ms; /* STOPPED. */
};

/* What is known of a topic, for as long as a member lives. */
struct berth_watched {
    char id[BERTH_LOG_ID_BYTES];
    bool seen;
    bool missing; /* It was, since. */
};

struct berth_watch {
    struct berth_kafka_job job;
    rd_kafka_t *handle;
    struct berth_kafka_topic_id *topics; /* As the consumer's; filled by the job. */
    rd_kafka_resp_err_t err;
    struct berth_watched *known;
    int64_t began_ms;
};

struct berth_slot {
    enum berth_slot_state state;
    char topic[BERTH_TOPIC_BYTES];
    int32_t partition;
    uint64_t epoch;
    int64_t last_offset; /* Handed out last. What isn't above it was read again, and isn't. */
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *untaken; /* Read, but there was no memory to hand it out. */
    bool stopped;                /* Yields nothing more. */
    bool stopped_told;
};

/*
 * A rebalance: the one event of librdkafka that isn't answered yet. It sends no other until then.
 *
 *   NONE --assign--> READING --read--------> NONE       (gained, answered with incremental_assign)
 *                    READING --not yet-----> WAITING    (undecided transaction, broker away)
 *                    WAITING --retry time--> READING
 *   NONE --revoke--> DRAINING --given up---> NONE       (answered with incremental_unassign)
 *   NONE --revoke of what is lost or has no slot--> NONE (at once)
 *   DRAINING --member cast out-------------> NONE       (all of it is lost)
 *   READING, WAITING --close, cast out-----> NONE       (answered, nothing gained)
 *   NONE --bases told--> READING                        (no event: parked partitions, read anew)
 *   READING, WAITING without an event --event--> NONE   (that goes first; they stay parked)
 *
 * librdkafka notices a member that is thrown out while it drains only when it is answered.
 *
 * Invariant: in NONE and only there event and told are both NULL; draining_count counts the slots
 * in REVOKED and is 0 except in DRAINING.
 */
enum berth_rebalance_state {
    BERTH_REBALANCE_NONE,
    BERTH_REBALANCE_READING,
    BERTH_REBALANCE_WAITING,
    BERTH_REBALANCE_DRAINING,
};

struct berth_rebalance {
    enum berth_rebalance_state state;
    rd_kafka_event_t *event;
    rd_kafka_topic_partition_list_t *told;       /* Owned: parked ones whose bases were told. */
    rd_kafka_topic_partition_list_t *partitions; /* The event's, or told. */
    struct berth_kafka_positions positions;
    struct berth_kafka_job job;
    struct event *retry;
    int64_t began_ms;
    int64_t reported_ms; /* When a reading that doesn't succeed was last reported. */
    uint32_t draining_count;
};

/* More than librdkafka ever sends before the first is answered: one. */
#define BERTH_REBALANCES_WAITING_MAX 4

struct berth_consumer {
    struct berth_member *member;
    rd_kafka_conf_t *conf; /* Every new member gets a copy. */
    rd_kafka_topic_partition_list_t *topics;
    char *group;
    enum berth_config_start start;
    struct berth_consumer_callbacks callbacks;
    void *ctx;

    struct berth_slot *slots;
    uint32_t slots_count;
    struct berth_rebalance rebalance;
    /* Ours, but not librdkafka's yet: they wait for their bases. No slot, no event. */
    struct berth_parked *parked;
    size_t parked_count;
    size_t parked_capacity;
    rd_kafka_topic_partition_list_t *stopped;
    struct berth_watch watch;
    rd_kafka_event_t *waiting[BERTH_REBALANCES_WAITING_MAX]; /* Oldest first. */
    size_t waiting_count;

    int control_fd; /* librdkafka writes here when `queue` isn't empty any more, */
    int records_fd; /* and here when a partition's queue isn't. */
    struct event *control;
    struct event *records;
    struct event *tick;

    bool joined;
    bool cast_out; /* The group knows the member no more: it gets another one. */
    char cast_out_why[BERTH_ERROR_BYTES_MAX];
    int64_t cast_out_ms; /* When it last was for a position that was gone; 0: never. */
    int64_t fenced_ms;   /* When it last was turned away for another one; 0: never. */
    char *held_as; /* The member id under which what is ours was gained; NULL: nothing was yet. */
    bool closing;
    bool close_refused; /* librdkafka is broken for good, so nothing more comes from it. */
    bool closed;        /* on_closed was called. */
};

/* kafka_consumer.c */

/* The group has forgotten the member under which what is ours was gained, whatever librdkafka makes
 * of it: it may have given that to others. Then the member is cast out. */
bool berth_consumer_is_forgotten(struct berth_consumer *consumer);
/* Before anything is gained: it is, under the id of this moment. False: that isn't the one under
 * which the rest is held, or there is none; the member is cast out. */
bool berth_consumer_hold_as(struct berth_consumer *consumer);
/* Whatever librdkafka makes of it, this member ends: another one joins in a turn of its own. */
void berth_consumer_cast_out(struct berth_consumer *consumer, const char *why);
/* The next turn comes soon. */
void berth_consumer_wake(struct berth_consumer *consumer);
/* It leaves the group, or is cast out. */
bool berth_consumer_gains_nothing(const struct berth_consumer *consumer);

/* kafka_bases.c */

/* Asks for the base of a partition that is ours now. */
void berth_bases_park(struct berth_consumer *consumer, const char *topic, int32_t partition);
/* It can't go on where it should: looked at again later. */
void berth_bases_stop(struct berth_consumer *consumer, const char *topic, int32_t partition);
/* Asks again for what is stopped, when its time has come. */
void berth_bases_step(struct berth_consumer *consumer);
/* Whether it was parked. */
bool berth_bases_forget(struct berth_consumer *consumer, const char *topic, int32_t partition);
/* Forgets what is revoked, and takes it out of the list: nobody was told of it, and librdkafka
 * never had it, so it can't give it back. */
void berth_bases_take_out(struct berth_consumer *consumer, rd_kafka_topic_partition_list_t *list);
void berth_bases_forget_all(struct berth_consumer *consumer);
/* What is kept of a partition; NULL: it wasn't told, or isn't parked. */
const struct berth_kept_base *berth_bases_of(const struct berth_consumer *consumer,
                                             const char *topic, int32_t partition);
/* A new list of the parked ones whose bases were told; NULL: none. */
rd_kafka_topic_partition_list_t *berth_bases_told(const struct berth_consumer *consumer);

/* kafka_stopped.c */

void berth_stopped_tell(struct berth_consumer *consumer, const char *topic, int32_t partition,
                        const char *text);
/* Why a partition isn't started. */
void berth_stopped_at_position(struct berth_consumer *consumer,
                               const rd_kafka_topic_partition_t *partition,
                               const struct berth_log_position *position);
void berth_stopped_unreadable(struct berth_consumer *consumer,
                              const rd_kafka_topic_partition_t *partition, rd_kafka_resp_err_t err);
void berth_stopped_no_slot(struct berth_consumer *consumer,
                           const rd_kafka_topic_partition_t *partition);
/* It is read after all. */
void berth_stopped_forget(struct berth_consumer *consumer, const char *topic, int32_t partition);
/* Those of the slots whose position is gone: they are told, or the member is cast out for them. */
void berth_stopped_step(struct berth_consumer *consumer);
void berth_stopped_forget_these(struct berth_consumer *consumer,
                                const rd_kafka_topic_partition_list_t *list);
void berth_stopped_forget_all(struct berth_consumer *consumer);

/* kafka_watch.c */

BERTH_MUST_USE enum berth_rc berth_watch_init(struct berth_consumer *consumer,
                                              struct event_base *base, struct berth_error *reterr);
/* False: a question is under way for longer, and the consumer can't be freed. */
bool berth_watch_deinit(struct berth_consumer *consumer, int timeout_ms);
/* A new member begins. */
void berth_watch_forget(struct berth_consumer *consumer);
/* librdkafka says so. */
void berth_watch_missing(struct berth_consumer *consumer, const char *topic);
/* Asks, when the time has come. */
void berth_watch_step(struct berth_consumer *consumer);

/* kafka_gain.c */

/* All positions are known: takes the partitions, then tells about them. */
void berth_gain(struct berth_consumer *consumer);
/* The number of a partition's slot; -1: it has none. */
int berth_slot_find(const struct berth_consumer *consumer, const char *topic, int32_t partition);
void berth_slot_free(struct berth_slot *slot);

/* kafka_assignment.c; each is called from the loop, never from a public function. */

BERTH_MUST_USE enum berth_rc berth_assignment_init(struct berth_consumer *consumer,
                                                   struct event_base *base, uint32_t slots_count,
                                                   struct berth_error *reterr);

/* Before the handle is destroyed; nothing is called back. Waits for a reading that is under way:
 * false if it takes longer, and the consumer can't be freed. */
bool berth_assignment_deinit(struct berth_consumer *consumer, int timeout_ms);

/* Takes a rebalance event over. */
void berth_assignment_offer(struct berth_consumer *consumer, rd_kafka_event_t *take_event);

/* Does what can be done now: reports, answers, goes on with the next event. */
void berth_assignment_step(struct berth_consumer *consumer);

/* The group has another member in our place: everything that is held is lost. */
void berth_assignment_lose_held(struct berth_consumer *consumer);

#endif
