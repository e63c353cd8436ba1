/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The publisher's inside, shared by publisher.c (the loop's side) and publisher_thread.c (the
 * transaction's side).
 */
#ifndef BERTH_IO_PUBLISHER_PARTS_H
#define BERTH_IO_PUBLISHER_PARTS_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "berth/io/publisher.h"

struct event;

/*
 * The publisher's thread:
 *
 *   NEW ---made---> INIT ---id is ours---> READY ---batch---> OPEN ---produced---> OFFSETS
 *    ^               |                     ^ ^ ^                |                  |    |
 *    |               | its fate unknown    | | |                |        refused   |    | sent
 *    |               +---> RESOLVING ------+ | |                v                  |    v
 *    |                                       | +---aborted-- ABORTING <------------+ COMMITTING
 *    |                                       |                  ^                       |  |
 *    |                                       |                  +-------refused---------+  |
 *    |                                       +---committed---------------------------------+
 *    |
 *    +---waited--- REBUILD <---broken--- INIT, OPEN, OFFSETS, COMMITTING, ABORTING
 *                     |
 *                     +---fenced twice within BERTH_KAFKA_TWIN_MS---> GONE
 *
 *   state       does                            stays while       leaves to
 *   NEW         makes a producer                it can't be made  INIT
 *   INIT        claims the transactional id     retriable         READY, RESOLVING, REBUILD
 *   RESOLVING   reads the group's offsets       not readable      READY
 *   READY       waits for a batch               none comes        OPEN, REBUILD
 *   OPEN        begins, hands the records over  -                 OFFSETS, ABORTING, REBUILD
 *   OFFSETS     adds the offsets                retriable         COMMITTING, ABORTING, REBUILD
 *   COMMITTING  commits; a time-out is resumed  retriable         READY, ABORTING, REBUILD
 *   ABORTING    aborts                          retriable         READY, REBUILD
 *   REBUILD     destroys the producer, waits    -                 NEW, GONE
 *   GONE        answers a batch with FENCED     always            -
 *
 * ENDED is entered from any state when it is asked to stop and no transaction is open.
 *
 * Invariant: a producer exists but in NEW, GONE and ENDED; the batch is in hand from OPEN until its
 * outcome is told, on the way out of COMMITTING, ABORTING, RESOLVING, REBUILD or GONE.
 */
enum berth_publisher_state {
    BERTH_PUBLISHER_NEW,
    BERTH_PUBLISHER_INIT,
    BERTH_PUBLISHER_RESOLVING,
    BERTH_PUBLISHER_READY,
    BERTH_PUBLISHER_OPEN,
    BERTH_PUBLISHER_OFFSETS,
    BERTH_PUBLISHER_COMMITTING,
    BERTH_PUBLISHER_ABORTING,
    BERTH_PUBLISHER_REBUILD,
    BERTH_PUBLISHER_GONE,
    BERTH_PUBLISHER_ENDED,
};
#define BERTH_PUBLISHER_STATES 11

/* What the thread has to say about one batch, or in between. */
struct berth_publisher_mail {
    bool done;
    enum berth_batch_outcome outcome;
    ptrdiff_t culprit;
    bool metadata_too_large;
    bool denied;
    struct berth_batch_output outputs[BERTH_PUBLISHER_TOPICS_MAX];
    char text[BERTH_ERROR_BYTES_MAX];
    bool trouble;
    char trouble_text[BERTH_ERROR_BYTES_MAX];
};

struct berth_publisher {
    /* Set before the thread starts, then read by both. */
    rd_kafka_conf_t *conf;       /* Every new producer gets a copy. */
    rd_kafka_conf_t *group_conf; /* And every new group_handle of this one. */
    char *group;
    char *topic_names[BERTH_PUBLISHER_TOPICS_MAX];
    size_t topics_count;
    int mail_fd;

    /* The loop's. */
    void (*on_done)(void *ctx, const struct berth_batch_result *result);
    void (*on_trouble)(void *ctx, const char *text);
    void *ctx;
    struct event *mail_event;
    pthread_t thread;
    bool busy;
    uint64_t batch_id;
    int64_t busy_since_ms;

    /* Both threads', under the mutex; but for ready and steps, which are atomic. */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* handed_over or stopping. */
    bool handed_over;
    bool stopping;
    atomic_bool ready;
    atomic_uint_fast64_t steps;
    atomic_size_t batch_bytes; /* The limit of a batch; 0: librdkafka's own. */
    struct berth_batch offered;
    struct berth_publisher_mail mail;

    /* The publisher's thread's. */
    enum berth_publisher_state state;
    int rebuilds; /* Without a commit in between. */
    rd_kafka_t *handle;
    rd_kafka_topic_t *topics[BERTH_PUBLISHER_TOPICS_MAX];
    rd_kafka_t *group_handle; /* Asks for committed offsets in RESOLVING; mostly NULL. */
    struct berth_batch batch;
    bool has_batch;
    bool undecided; /* The commit of the batch was asked for and never answered. */
    bool fenced;    /* Why the producer is broken. */
    /* A record that brokers refused leaves a gap in the producer's sequence numbers: librdkafka
     * (2.8.0 too) goes on behind it, and the next transaction fails (seen with MSG_SIZE_TOO_LARGE).
     */
    bool sequence_broken;
    rd_kafka_resp_err_t failed_err;   /* The first thing that went wrong with the batch, */
    char text[BERTH_ERROR_BYTES_MAX]; /* and how it is told. */
    ptrdiff_t failed_record;
    size_t failed_records;
    struct {
        size_t delivered;
        rd_kafka_resp_err_t err;           /* The first that one of its records met. */
        size_t bytes;                      /* Of the smallest that was too large. */
    } outputs[BERTH_PUBLISHER_TOPICS_MAX]; /* What became of the batch's records of each. */
    size_t producer_batch_bytes;           /* batch_bytes, as the producer was made with. */
    int64_t fenced_ms;                     /* When it last was fenced; 0: never. */
    int64_t trouble_ms;                    /* When trouble was last told; 0: never. */
};

/* The thread's body; ctx is the publisher. */
void *berth_publisher_thread(void *ctx);

/* Makes a producer and its topics, from conf. Faults: LIBRARY; BERTH_INVALID: the properties. */
BERTH_MUST_USE enum berth_rc berth_publisher_make_producer(struct berth_publisher *publisher,
                                                           struct berth_error *reterr);
/* Destroys it within a bound. */
void berth_publisher_drop_producer(struct berth_publisher *publisher);

/*
 * What the group has committed of the batch's partitions, into a new list, as
 * berth_kafka_committed(). Blocks for a few seconds at most.
 * BERTH_FAULT_LIBRARY, BERTH_INVALID: not now; reterr says why.
 */
BERTH_MUST_USE enum berth_rc
berth_publisher_read_committed(struct berth_publisher *publisher,
                               rd_kafka_topic_partition_list_t **ret_committed,
                               struct berth_error *reterr);
/* Destroys what that left for its next call, within a bound. */
void berth_publisher_drop_group_handle(struct berth_publisher *publisher);

/* Hands one record of the batch to librdkafka. */
rd_kafka_resp_err_t berth_publisher_produce(struct berth_publisher *publisher, size_t index);

/* Keeps the first error of a batch, which is the cause of the others; NO_ERROR: only its text, and
 * until there is a real one. */
void berth_publisher_note(struct berth_publisher *publisher, rd_kafka_resp_err_t err,
                          const char *text);

/* What the batch's records say of a topic. */
struct berth_batch_output berth_publisher_output(const struct berth_publisher *publisher,
                                                 size_t topic);

/* Has it told to the loop, unless something was told less than a second ago. */
void berth_publisher_trouble(struct berth_publisher *publisher, const char *text);

/* The batch's offsets as librdkafka wants them; rd_kafka_topic_partition_list_destroy(). */
rd_kafka_topic_partition_list_t *berth_batch_offsets(const struct berth_batch *batch);

/*
 * Whether the group's committed offsets are those of the batch. Transactions are atomic, and no two
 * leave a partition alike, so one that is exactly ours proves all. Otherwise each must have been
 * moved on by another owner of its partition: a higher offset, or the same with a map that has all
 * of ours. *ret_readable becomes false when one of them can't be read.
 */
bool berth_batch_was_committed(const struct berth_batch *batch,
                               const rd_kafka_topic_partition_list_t *committed,
                               bool *ret_readable);

#endif
