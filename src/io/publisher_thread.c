/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "berth/io/kafka_consumer.h"
#include "kafka_client.h"
#include "publisher_parts.h"

/* How long one call may take before the thread looks whether it is to stop; the calls of a
 * transaction go on where they were. */
#define CALL_TIMEOUT_MS     1000
#define RETRY_MS            50
#define REBUILD_WAIT_MS     100
#define REBUILD_WAIT_MAX_MS 5000
#define TROUBLE_EVERY_MS    1000

enum verdict {
    VERDICT_OK,
    VERDICT_AGAIN,
    VERDICT_ABORT,
    VERDICT_BROKEN,
};

static enum berth_publisher_state run_new(struct berth_publisher *publisher);
static enum berth_publisher_state run_init(struct berth_publisher *publisher);
static enum berth_publisher_state run_resolving(struct berth_publisher *publisher);
static enum berth_publisher_state run_ready(struct berth_publisher *publisher);
static enum berth_publisher_state run_open(struct berth_publisher *publisher);
static enum berth_publisher_state run_offsets(struct berth_publisher *publisher);
static enum berth_publisher_state run_committing(struct berth_publisher *publisher);
static enum berth_publisher_state run_aborting(struct berth_publisher *publisher);
static enum berth_publisher_state run_rebuild(struct berth_publisher *publisher);
static enum berth_publisher_state run_gone(struct berth_publisher *publisher);

static enum verdict judge(struct berth_publisher *publisher, rd_kafka_error_t *take_error);
static enum verdict judge_produced(struct berth_publisher *publisher, size_t index,
                                   rd_kafka_resp_err_t err);
static void tell(struct berth_publisher *publisher, enum berth_batch_outcome outcome);
static enum berth_batch_outcome aborted_outcome(const struct berth_publisher *publisher);
static void forget_errors(struct berth_publisher *publisher);
static bool wait_for_batch(struct berth_publisher *publisher, int timeout_ms);
static void pause_ms(struct berth_publisher *publisher, int time_ms);
static bool is_stopping(struct berth_publisher *publisher);

#define BIT(name) (1U << BERTH_PUBLISHER_##name)

/* One handler a state, and where it may lead besides staying and ENDED. */
static const struct {
    enum berth_publisher_state (*run)(struct berth_publisher *publisher);
    unsigned next;
} states[BERTH_PUBLISHER_STATES] = {
    [BERTH_PUBLISHER_NEW] = {run_new, BIT(INIT)},
    [BERTH_PUBLISHER_INIT] = {run_init, BIT(READY) | BIT(RESOLVING) | BIT(REBUILD)},
    [BERTH_PUBLISHER_RESOLVING] = {run_resolving, BIT(READY)},
    [BERTH_PUBLISHER_READY] = {run_ready, BIT(OPEN) | BIT(REBUILD)},
    [BERTH_PUBLISHER_OPEN] = {run_open, BIT(OFFSETS) | BIT(ABORTING) | BIT(REBUILD)},
    [BERTH_PUBLISHER_OFFSETS] = {run_offsets, BIT(COMMITTING) | BIT(ABORTING) | BIT(REBUILD)},
    [BERTH_PUBLISHER_COMMITTING] = {run_committing, BIT(READY) | BIT(ABORTING) | BIT(REBUILD)},
    [BERTH_PUBLISHER_ABORTING] = {run_aborting, BIT(READY) | BIT(REBUILD)},
    [BERTH_PUBLISHER_REBUILD] = {run_rebuild, BIT(NEW) | BIT(GONE)},
    [BERTH_PUBLISHER_GONE] = {run_gone, 0},
};

/* The states in which the transactional id is ours. */
#define READY_STATES                                                                               \
    (BIT(READY) | BIT(OPEN) | BIT(OFFSETS) | BIT(COMMITTING) | BIT(ABORTING) | BIT(RESOLVING))
/* The states that a stop doesn't interrupt: a transaction is open. */
#define OPEN_STATES (BIT(OPEN) | BIT(OFFSETS) | BIT(COMMITTING) | BIT(ABORTING))
/* The states without a producer. */
#define BARE_STATES (BIT(NEW) | BIT(GONE) | BIT(ENDED))

void *berth_publisher_thread(void *ctx) {
    struct berth_publisher *publisher = ctx;
    forget_errors(publisher);
    while (publisher->state != BERTH_PUBLISHER_ENDED) {
        enum berth_publisher_state from = publisher->state;
        enum berth_publisher_state to = states[from].run(publisher);
        BERTH_ASSERT(to == from || (states[from].next & (1U << to)) != 0);
        BERTH_ASSERT((publisher->handle == NULL) == ((BARE_STATES & (1U << to)) != 0));
        if ((OPEN_STATES & (1U << to)) == 0 && is_stopping(publisher)) {
            to = BERTH_PUBLISHER_ENDED;
        }
        publisher->state = to;
        (void)atomic_fetch_add(&publisher->steps, 1);
        atomic_store(&publisher->ready, (READY_STATES & (1U << to)) != 0);
    }
    berth_publisher_drop_group_handle(publisher);
    berth_publisher_drop_producer(publisher);
    if (publisher->has_batch) {
        (void)berth_group_metadata_free(publisher->batch.take_group_metadata);
    }
    return NULL;
}

static enum berth_publisher_state run_new(struct berth_publisher *publisher) {
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_publisher_make_producer(publisher, &error);
    if (rc != BERTH_OK) {
        berth_publisher_trouble(publisher, berth_error_why(&error, rc));
        pause_ms(publisher, REBUILD_WAIT_MAX_MS);
        return BERTH_PUBLISHER_NEW;
    }
    return BERTH_PUBLISHER_INIT;
}

static enum berth_publisher_state run_init(struct berth_publisher *publisher) {
    enum verdict verdict =
        judge(publisher, rd_kafka_init_transactions(publisher->handle, CALL_TIMEOUT_MS));
    (void)rd_kafka_poll(publisher->handle, 0); /* What librdkafka has to say about it. */
    switch (verdict) {
    case VERDICT_OK:
        return publisher->undecided ? BERTH_PUBLISHER_RESOLVING : BERTH_PUBLISHER_READY;
    case VERDICT_AGAIN:
        berth_publisher_trouble(publisher, publisher->text);
        pause_ms(publisher, RETRY_MS);
        return BERTH_PUBLISHER_INIT;
    case VERDICT_ABORT:
    case VERDICT_BROKEN:
        break;
    }
    berth_publisher_trouble(publisher, publisher->text);
    return BERTH_PUBLISHER_REBUILD;
}

/* Claiming the transactional id has decided whatever the broken producer had left: the committed
 * offsets tell which way. */
static enum berth_publisher_state run_resolving(struct berth_publisher *publisher) {
    rd_kafka_topic_partition_list_t *committed = NULL;
    struct berth_error error = {.text = "not all can be read"};
    bool readable = berth_publisher_read_committed(publisher, &committed, &error) == BERTH_OK;
    bool done = readable && berth_batch_was_committed(&publisher->batch, committed, &readable);
    if (committed != NULL) {
        rd_kafka_topic_partition_list_destroy(committed);
    }
    if (!readable) {
        char text[BERTH_ERROR_BYTES_MAX + 80];
        (void)snprintf(text, sizeof(text),
                       "the committed offsets can't be read to see what became of a commit: %s",
                       error.text);
        berth_publisher_trouble(publisher, text);
        pause_ms(publisher, RETRY_MS);
        return BERTH_PUBLISHER_RESOLVING;
    }
    publisher->undecided = false;
    tell(publisher, done ? BERTH_BATCH_COMMITTED : aborted_outcome(publisher));
    return BERTH_PUBLISHER_READY;
}

static enum berth_publisher_state run_ready(struct berth_publisher *publisher) {
    (void)rd_kafka_poll(publisher->handle, 0); /* Tokens to be refreshed and the like. */
    if (!wait_for_batch(publisher, CALL_TIMEOUT_MS)) {
        return BERTH_PUBLISHER_READY;
    }
    if (atomic_load(&publisher->batch_bytes) != publisher->producer_batch_bytes) {
        return BERTH_PUBLISHER_REBUILD; /* batch.size is a producer's for its life. */
    }
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->batch = publisher->offered;
    publisher->handed_over = false;
    (void)pthread_mutex_unlock(&publisher->mutex);
    publisher->has_batch = true;
    return BERTH_PUBLISHER_OPEN;
}

static enum berth_publisher_state run_open(struct berth_publisher *publisher) {
    enum verdict verdict = judge(publisher, rd_kafka_begin_transaction(publisher->handle));
    for (size_t i = 0; verdict == VERDICT_OK && i < publisher->batch.records_count; i++) {
        verdict = judge_produced(publisher, i, berth_publisher_produce(publisher, i));
    }
    switch (verdict) {
    case VERDICT_OK:
        return BERTH_PUBLISHER_OFFSETS;
    case VERDICT_AGAIN: /* Never: begin is local. An abort sets it right. */
    case VERDICT_ABORT:
        return BERTH_PUBLISHER_ABORTING;
    case VERDICT_BROKEN:
        break;
    }
    return BERTH_PUBLISHER_REBUILD;
}

static enum berth_publisher_state run_offsets(struct berth_publisher *publisher) {
    rd_kafka_topic_partition_list_t *offsets = berth_batch_offsets(&publisher->batch);
    enum verdict verdict =
        judge(publisher, rd_kafka_send_offsets_to_transaction(
                             publisher->handle, offsets,
                             publisher->batch.take_group_metadata->handle, CALL_TIMEOUT_MS));
    rd_kafka_topic_partition_list_destroy(offsets);
    switch (verdict) {
    case VERDICT_OK:
        return BERTH_PUBLISHER_COMMITTING;
    case VERDICT_AGAIN:
        (void)usleep(RETRY_MS * 1000);
        return BERTH_PUBLISHER_OFFSETS;
    case VERDICT_ABORT:
        return BERTH_PUBLISHER_ABORTING;
    case VERDICT_BROKEN:
        break;
    }
    return BERTH_PUBLISHER_REBUILD;
}

static enum berth_publisher_state run_committing(struct berth_publisher *publisher) {
    switch (judge(publisher, rd_kafka_commit_transaction(publisher->handle, CALL_TIMEOUT_MS))) {
    case VERDICT_OK:
        publisher->rebuilds = 0;
        tell(publisher, BERTH_BATCH_COMMITTED);
        return BERTH_PUBLISHER_READY;
    case VERDICT_AGAIN:
        /* Undecided: it is resumed, never aborted. */
        berth_publisher_trouble(publisher, publisher->text);
        return BERTH_PUBLISHER_COMMITTING;
    case VERDICT_ABORT:
        return BERTH_PUBLISHER_ABORTING;
    case VERDICT_BROKEN:
        break;
    }
    publisher->undecided = true;
    return BERTH_PUBLISHER_REBUILD;
}

static enum berth_publisher_state run_aborting(struct berth_publisher *publisher) {
    switch (judge(publisher, rd_kafka_abort_transaction(publisher->handle, CALL_TIMEOUT_MS))) {
    case VERDICT_OK:
        tell(publisher, aborted_outcome(publisher));
        return publisher->sequence_broken ? BERTH_PUBLISHER_REBUILD : BERTH_PUBLISHER_READY;
    case VERDICT_AGAIN:
    case VERDICT_ABORT:
        berth_publisher_trouble(publisher, publisher->text);
        (void)usleep(RETRY_MS * 1000);
        return BERTH_PUBLISHER_ABORTING;
    case VERDICT_BROKEN:
        break;
    }
    return BERTH_PUBLISHER_REBUILD;
}

static enum berth_publisher_state run_rebuild(struct berth_publisher *publisher) {
    int64_t now_ms = berth_clock_monotonic_ms();
    bool twin = publisher->fenced && publisher->fenced_ms != 0 &&
                now_ms - publisher->fenced_ms < BERTH_KAFKA_TWIN_MS;
    if (publisher->fenced) {
        /* Once proves nothing: a coordinator that timed the transaction out says the same. */
        publisher->fenced_ms = now_ms;
        publisher->fenced = false;
    }
    if (publisher->text[0] != '\0') {
        berth_publisher_trouble(publisher, publisher->text);
    }
    berth_publisher_drop_producer(publisher);
    publisher->sequence_broken = false;
    if (twin) {
        if (publisher->has_batch) {
            tell(publisher, BERTH_BATCH_FENCED);
        }
        return BERTH_PUBLISHER_GONE;
    }
    if (publisher->has_batch && !publisher->undecided) {
        tell(publisher, aborted_outcome(publisher));
    }
    if (!publisher->has_batch) {
        forget_errors(publisher);
    }
    int wait_ms = REBUILD_WAIT_MS << (publisher->rebuilds < 6 ? publisher->rebuilds : 6);
    publisher->rebuilds++;
    pause_ms(publisher, wait_ms < REBUILD_WAIT_MAX_MS ? wait_ms : REBUILD_WAIT_MAX_MS);
    return BERTH_PUBLISHER_NEW;
}

static enum berth_publisher_state run_gone(struct berth_publisher *publisher) {
    if (wait_for_batch(publisher, CALL_TIMEOUT_MS)) {
        (void)pthread_mutex_lock(&publisher->mutex);
        publisher->batch = publisher->offered;
        publisher->handed_over = false;
        (void)pthread_mutex_unlock(&publisher->mutex);
        publisher->has_batch = true;
        tell(publisher, BERTH_BATCH_FENCED);
    }
    return BERTH_PUBLISHER_GONE;
}

/* In the order that librdkafka's manual asks for; what is none of these is as good as fatal. */
static enum verdict judge(struct berth_publisher *publisher, rd_kafka_error_t *take_error) {
    if (take_error == NULL) {
        return VERDICT_OK;
    }
    rd_kafka_resp_err_t err = rd_kafka_error_code(take_error);
    bool fatal = rd_kafka_error_is_fatal(take_error) != 0;
    enum verdict verdict = VERDICT_BROKEN;
    if (!fatal && rd_kafka_error_txn_requires_abort(take_error)) {
        verdict = VERDICT_ABORT;
    } else if (!fatal && rd_kafka_error_is_retriable(take_error)) {
        verdict = VERDICT_AGAIN;
    }
    if (verdict == VERDICT_BROKEN) {
        publisher->fenced = err == RD_KAFKA_RESP_ERR__FENCED ||
                            err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
                            err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
    }
    berth_publisher_note(publisher, verdict == VERDICT_AGAIN ? RD_KAFKA_RESP_ERR_NO_ERROR : err,
                         rd_kafka_error_string(take_error));
    rd_kafka_error_destroy(take_error);
    return verdict;
}

static enum verdict judge_produced(struct berth_publisher *publisher, size_t index,
                                   rd_kafka_resp_err_t err) {
    while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        /* Room comes with deliveries, or with their time-outs. */
        (void)rd_kafka_poll(publisher->handle, RETRY_MS);
        err = berth_publisher_produce(publisher, index);
    }
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return VERDICT_OK;
    }
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(publisher->handle, text, sizeof(text));
    if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        publisher->fenced = fatal == RD_KAFKA_RESP_ERR__FENCED;
        berth_publisher_note(publisher, fatal, text);
        return VERDICT_BROKEN;
    }
    (void)snprintf(text, sizeof(text), "record %zu of the batch, to %s: %s", index,
                   publisher->topic_names[publisher->batch.records[index].topic],
                   rd_kafka_err2str(err));
    if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        publisher->failed_record = (ptrdiff_t)index;
        publisher->failed_records = 1;
        /* librdkafka's own message.max.bytes; a record's headers are never in it. */
        const struct berth_batch_record *record = &publisher->batch.records[index];
        publisher->outputs[record->topic].err = err;
        publisher->outputs[record->topic].bytes = record->key.len + record->value.len;
    }
    berth_publisher_note(publisher, err, text);
    return VERDICT_ABORT;
}

static enum berth_batch_outcome aborted_outcome(const struct berth_publisher *publisher) {
    switch ((int)publisher->failed_err) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
        return BERTH_BATCH_FAILED_FOR_GOOD;
    default:
        return BERTH_BATCH_ABORTED;
    }
}

static void post(struct berth_publisher *publisher) {
    ssize_t written = write(publisher->mail_fd, &(uint64_t){1}, sizeof(uint64_t));
    BERTH_ASSERT(written == sizeof(uint64_t));
}

void berth_publisher_trouble(struct berth_publisher *publisher, const char *text) {
    int64_t now_ms = berth_clock_monotonic_ms();
    if (publisher->trouble_ms != 0 && now_ms - publisher->trouble_ms < TROUBLE_EVERY_MS) {
        return;
    }
    publisher->trouble_ms = now_ms;
    (void)pthread_mutex_lock(&publisher->mutex);
    publisher->mail.trouble = true;
    (void)snprintf(publisher->mail.trouble_text, sizeof(publisher->mail.trouble_text), "%s", text);
    (void)pthread_mutex_unlock(&publisher->mutex);
    post(publisher);
}

/* The batch is out of our hands. */
static void tell(struct berth_publisher *publisher, enum berth_batch_outcome outcome) {
    BERTH_ASSERT(publisher->has_batch);
    publisher->has_batch = false;
    publisher->undecided = false;
    publisher->batch.take_group_metadata =
        berth_group_metadata_free(publisher->batch.take_group_metadata);
    (void)pthread_mutex_lock(&publisher->mutex);
    BERTH_ASSERT(!publisher->mail.done);
    publisher->mail.done = true;
    publisher->mail.outcome = outcome;
    /* Only a single failed record is known to be the cause: those of one request fail together. */
    publisher->mail.culprit = publisher->failed_records == 1 ? publisher->failed_record : -1;
    for (size_t i = 0; i < publisher->topics_count; i++) {
        publisher->mail.outputs[i] = berth_publisher_output(publisher, i);
    }
    publisher->mail.denied = outcome != BERTH_BATCH_COMMITTED &&
                             publisher->failed_err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    publisher->mail.metadata_too_large =
        publisher->failed_err == RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE;
    (void)snprintf(publisher->mail.text, sizeof(publisher->mail.text), "%s",
                   outcome == BERTH_BATCH_COMMITTED ? "" : publisher->text);
    (void)pthread_mutex_unlock(&publisher->mutex);
    forget_errors(publisher);
    post(publisher);
}

static void forget_errors(struct berth_publisher *publisher) {
    publisher->text[0] = '\0';
    publisher->failed_err = RD_KAFKA_RESP_ERR_NO_ERROR;
    publisher->failed_record = -1;
    publisher->failed_records = 0;
    memset(publisher->outputs, 0, sizeof(publisher->outputs));
}

/* Waits for a batch or for the order to stop. Whether there is a batch. */
static bool wait_for_batch(struct berth_publisher *publisher, int timeout_ms) {
    struct timespec until = berth_kafka_time_after_ms(timeout_ms);
    (void)pthread_mutex_lock(&publisher->mutex);
    int over = 0;
    while (!publisher->handed_over && !publisher->stopping && over == 0) {
        over = pthread_cond_timedwait(&publisher->changed, &publisher->mutex, &until);
    }
    bool there = publisher->handed_over;
    (void)pthread_mutex_unlock(&publisher->mutex);
    return there;
}

/* Waits, but no longer than until it is to stop. */
static void pause_ms(struct berth_publisher *publisher, int time_ms) {
    struct timespec until = berth_kafka_time_after_ms(time_ms);
    (void)pthread_mutex_lock(&publisher->mutex);
    int over = 0;
    while (!publisher->stopping && over == 0) {
        over = pthread_cond_timedwait(&publisher->changed, &publisher->mutex, &until);
    }
    (void)pthread_mutex_unlock(&publisher->mutex);
}

static bool is_stopping(struct berth_publisher *publisher) {
    (void)pthread_mutex_lock(&publisher->mutex);
    bool stopping = publisher->stopping;
    (void)pthread_mutex_unlock(&publisher->mutex);
    return stopping;
}
