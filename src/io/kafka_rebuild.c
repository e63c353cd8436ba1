/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/io/clock.h"
#include "berth/io/config.h"
#include "berth/io/kafka_reader.h"
#include "kafka_job.h"
#include "kafka_log.h"
#include "kafka_reach.h"

/* The longest that one job takes, about. */
#define ENDS_TIMEOUT_MS    10000
#define START_TIMEOUT_MS   10000
#define TAKE_TIMEOUT_MS    500
#define DESTROY_TIMEOUT_MS 2000
#define RETRY_MS           50

/* What the job does. NONE: it is idle. */
enum task {
    TASK_NONE,
    TASK_ENDS,
    TASK_START,
    TASK_TAKE,
    TASK_END, /* Frees the reader, which may block. */
};

struct berth_kafka_rebuild {
    struct berth_kafka_rebuild_options options;
    struct berth_kafka_job job;
    enum task task;
    bool stopped; /* The caller isn't interested in what is under way. */

    /* Written by the job's thread, read when it is done. */
    enum berth_rc rc;
    struct berth_error error;
    struct berth_source *ends;
    size_t ends_count;
    bool group_committed;
    bool states_written;
    struct berth_reader *reader;
    struct berth_record *records[BERTH_REBUILD_BATCH_MAX];
    size_t records_count;
    bool at_end;
};

static void work(void *ctx);
static void done(void *ctx);

/* ---- Where the logs end; in the job's thread ---- */

static enum berth_rc list_topic(rd_kafka_t *handle, const char *topic, int64_t until_ms,
                                rd_kafka_topic_partition_list_t *list, struct berth_error *reterr) {
    struct berth_kafka_place place;
    int64_t left_ms = until_ms - berth_clock_monotonic_ms();
    enum berth_rc rc =
        berth_kafka_place_of(handle, topic, left_ms > 1 ? (int)left_ms : 1, &place, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (place.partitions == 0) {
        berth_error_set(reterr, "topic %s does not exist; make it: berth topics --create", topic);
        return BERTH_NOT_FOUND;
    }
    rd_kafka_topic_partition_list_add_range(list, topic, 0, place.partitions - 1);
    return BERTH_OK;
}

static enum berth_rc read_ends_of(rd_kafka_t *handle, int64_t until_ms,
                                  rd_kafka_topic_partition_list_t *list,
                                  struct berth_error *reterr) {
    int64_t left_ms = until_ms - berth_clock_monotonic_ms();
    berth_kafka_log_ends(handle, RD_KAFKA_OFFSET_END, left_ms > 1 ? (int)left_ms : 1, list);
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            berth_error_set(reterr, "topic %s, partition %d: %s", list->elems[i].topic,
                            list->elems[i].partition, rd_kafka_err2str(list->elems[i].err));
            return BERTH_FAULT_LIBRARY;
        }
    }
    return BERTH_OK;
}

/* What brokers say while the group's coordinator is new, or moves. */
static bool may_pass(rd_kafka_resp_err_t err) {
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        return true;
    default:
        return false;
    }
}

static rd_kafka_resp_err_t ask_committed(rd_kafka_t *handle, const char *group, int64_t until_ms,
                                         const rd_kafka_topic_partition_list_t *list,
                                         rd_kafka_topic_partition_list_t **ret_committed) {
    for (;;) {
        int64_t left_ms = until_ms - berth_clock_monotonic_ms();
        rd_kafka_resp_err_t err = berth_kafka_committed(
            handle, group, list, left_ms > 1 ? (int)left_ms : 1, ret_committed);
        if (!may_pass(err) || left_ms <= RETRY_MS) {
            return err;
        }
        (void)usleep(RETRY_MS * 1000);
    }
}

/* Whether the group committed anything; a partition whose offset is undecided counts. */
static enum berth_rc read_committed(rd_kafka_t *handle, const char *group, int64_t until_ms,
                                    const rd_kafka_topic_partition_list_t *list, bool *ret_some,
                                    struct berth_error *reterr) {
    rd_kafka_topic_partition_list_t *committed = NULL;
    rd_kafka_resp_err_t err = ask_committed(handle, group, until_ms, list, &committed);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < committed->cnt; i++) {
        const rd_kafka_topic_partition_t *partition = &committed->elems[i];
        bool undecided = partition->err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
        if (undecided || partition->offset >= 0) {
            *ret_some = true;
        } else {
            err = partition->err;
        }
    }
    if (committed != NULL) {
        rd_kafka_topic_partition_list_destroy(committed);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "the committed offsets of group %s: %s", group,
                        rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static size_t topic_of(const struct berth_kafka_rebuild *rebuild, const char *topic) {
    size_t at = 0;
    while (strcmp(rebuild->options.command_topics[at], topic) != 0) {
        at++;
    }
    return at;
}

/* Which logs these are. Where the brokers can't tell, the places alone count. */
static enum berth_rc ask_ids(struct berth_kafka_rebuild *rebuild, rd_kafka_t *handle,
                             int64_t until_ms, struct berth_kafka_topic_id *ids) {
    int64_t left_ms = until_ms - berth_clock_monotonic_ms();
    for (size_t i = 0; i < rebuild->options.command_topics_count; i++) {
        ids[i].topic = rebuild->options.command_topics[i];
    }
    rd_kafka_resp_err_t err = berth_kafka_topic_ids(
        handle, ids, rebuild->options.command_topics_count, left_ms > 1 ? (int)left_ms : 1);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR && err != RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) {
        berth_error_set(&rebuild->error, "the ids of the command topics: %s",
                        rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static enum berth_rc keep_ends(struct berth_kafka_rebuild *rebuild,
                               const rd_kafka_topic_partition_list_t *list,
                               const struct berth_kafka_topic_id *ids) {
    free(rebuild->ends);
    rebuild->ends_count = 0;
    rebuild->ends = calloc((size_t)list->cnt + 1, sizeof(*rebuild->ends));
    if (rebuild->ends == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    for (int i = 0; i < list->cnt; i++) {
        struct berth_source *end = &rebuild->ends[rebuild->ends_count++];
        size_t len = strlen(list->elems[i].topic);
        BERTH_ASSERT(len < sizeof(end->topic));
        memcpy(end->topic, list->elems[i].topic, len + 1);
        end->partition = list->elems[i].partition;
        end->offset = list->elems[i].offset;
        memcpy(end->log_id, ids[topic_of(rebuild, end->topic)].id, sizeof(end->log_id));
    }
    return BERTH_OK;
}

/* The ends are asked first: what the group commits is of records before them. */
static enum berth_rc ask_ends(struct berth_kafka_rebuild *rebuild, rd_kafka_t *handle,
                              rd_kafka_topic_partition_list_t *commands,
                              rd_kafka_topic_partition_list_t *states) {
    const struct berth_kafka_rebuild_options *options = &rebuild->options;
    int64_t until_ms = berth_clock_monotonic_ms() + ENDS_TIMEOUT_MS;
    struct berth_kafka_topic_id ids[BERTH_CONFIG_REGISTRIES_MAX] = {0};
    BERTH_ASSERT(options->command_topics_count <= BERTH_CONFIG_REGISTRIES_MAX);
    enum berth_rc rc = ask_ids(rebuild, handle, until_ms, ids);
    for (size_t i = 0; rc == BERTH_OK && i < options->command_topics_count; i++) {
        rc = list_topic(handle, options->command_topics[i], until_ms, commands, &rebuild->error);
    }
    if (rc == BERTH_OK) {
        rc = list_topic(handle, options->states_topic, until_ms, states, &rebuild->error);
    }
    if (rc == BERTH_OK) {
        rc = read_ends_of(handle, until_ms, commands, &rebuild->error);
    }
    if (rc == BERTH_OK) {
        rc = read_ends_of(handle, until_ms, states, &rebuild->error);
    }
    rebuild->group_committed = false;
    rebuild->states_written = false;
    for (int i = 0; rc == BERTH_OK && i < states->cnt; i++) {
        rebuild->states_written = rebuild->states_written || states->elems[i].offset > 0;
    }
    if (rc == BERTH_OK) {
        rc = read_committed(handle, options->group, until_ms, commands, &rebuild->group_committed,
                            &rebuild->error);
    }
    return rc == BERTH_OK ? keep_ends(rebuild, commands, ids) : rc;
}

static enum berth_rc do_ends(struct berth_kafka_rebuild *rebuild) {
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = berth_kafka_group_conf_new(BERTH_KAFKA_ADMIN, &rebuild->options.properties,
                                                  rebuild->options.group, &conf, &rebuild->error);
    if (rc != BERTH_OK) {
        return rc;
    }
    /* The end of the log, not the last stable offset: a record of an undecided transaction is
     * behind that one, and counts as one that may have been claimed, which is the safe side. */
    rc = berth_kafka_conf_set(conf, "isolation.level", "read_uncommitted", &rebuild->error);
    BERTH_ASSERT(rc == BERTH_OK);
    rc =
        berth_kafka_reached_new(BERTH_KAFKA_ADMIN, conf, ENDS_TIMEOUT_MS, &handle, &rebuild->error);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_topic_partition_list_t *commands = rd_kafka_topic_partition_list_new(8);
    rd_kafka_topic_partition_list_t *states = rd_kafka_topic_partition_list_new(8);
    rc = ask_ends(rebuild, handle, commands, states);
    rd_kafka_topic_partition_list_destroy(commands);
    rd_kafka_topic_partition_list_destroy(states);
    (void)berth_kafka_handle_destroy(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     DESTROY_TIMEOUT_MS);
    return rc;
}

/* ---- The states; in the job's thread ---- */

static enum berth_rc do_take(struct berth_kafka_rebuild *rebuild) {
    enum berth_rc rc = BERTH_OK;
    while (rc == BERTH_OK && rebuild->records_count < BERTH_REBUILD_BATCH_MAX &&
           !berth_reader_at_end(rebuild->reader)) {
        /* What is there is handed over rather than waited with. */
        int timeout_ms = rebuild->records_count == 0 ? TAKE_TIMEOUT_MS : 0;
        rc = berth_reader_take(rebuild->reader, timeout_ms,
                               &rebuild->records[rebuild->records_count], &rebuild->error);
        if (rc == BERTH_OK) {
            rebuild->records_count++;
        }
    }
    rebuild->at_end = berth_reader_at_end(rebuild->reader);
    return rc == BERTH_END ? BERTH_OK : rc;
}

static enum berth_rc do_start(struct berth_kafka_rebuild *rebuild) {
    const char *topics[] = {rebuild->options.states_topic};
    enum berth_rc rc =
        berth_reader_new(&rebuild->options.properties, topics, 1, BERTH_READER_FROM_BEGINNING,
                         START_TIMEOUT_MS, &rebuild->reader, &rebuild->error);
    return rc == BERTH_OK ? do_take(rebuild) : rc;
}

/* ---- The job ---- */

static void work(void *ctx) {
    struct berth_kafka_rebuild *rebuild = ctx;
    rebuild->error.text[0] = '\0';
    switch (rebuild->task) {
    case TASK_NONE:
        break;
    case TASK_ENDS:
        rebuild->rc = do_ends(rebuild);
        break;
    case TASK_START:
        rebuild->rc = do_start(rebuild);
        break;
    case TASK_TAKE:
        rebuild->rc = do_take(rebuild);
        break;
    case TASK_END:
        rebuild->reader = berth_reader_free(rebuild->reader);
        break;
    }
}

static void free_records(struct berth_kafka_rebuild *rebuild) {
    for (size_t i = 0; i < rebuild->records_count; i++) {
        rebuild->records[i] = berth_record_free(rebuild->records[i]);
    }
    rebuild->records_count = 0;
}

static enum berth_rc start(struct berth_kafka_rebuild *rebuild, enum task task,
                           struct berth_error *reterr) {
    free_records(rebuild);
    rebuild->task = task;
    enum berth_rc rc = berth_kafka_job_start(&rebuild->job, reterr);
    if (rc != BERTH_OK) {
        rebuild->task = TASK_NONE;
    }
    return rc;
}

/* Nobody wants the reader any more. Without a thread to free it in, it is freed here. */
static void end_reader(struct berth_kafka_rebuild *rebuild) {
    free_records(rebuild);
    if (rebuild->reader != NULL && start(rebuild, TASK_END, NULL) != BERTH_OK) {
        rebuild->reader = berth_reader_free(rebuild->reader);
    }
}

static const char *reason(const struct berth_kafka_rebuild *rebuild) {
    return rebuild->error.text[0] != '\0' ? rebuild->error.text : "no memory";
}

static void tell_ends(struct berth_kafka_rebuild *rebuild) {
    struct berth_kafka_ends ends = {.ends = rebuild->ends,
                                    .count = rebuild->ends_count,
                                    .group_committed = rebuild->group_committed,
                                    .states_written = rebuild->states_written};
    bool read = rebuild->rc == BERTH_OK;
    rebuild->options.on_ends(rebuild->options.ctx, read ? &ends : NULL,
                             read ? NULL : reason(rebuild));
}

static void tell_states(struct berth_kafka_rebuild *rebuild) {
    bool read = rebuild->rc == BERTH_OK;
    if (!read) {
        free_records(rebuild);
    }
    rebuild->options.on_states(rebuild->options.ctx, rebuild->records, rebuild->records_count,
                               read && rebuild->at_end, read ? NULL : reason(rebuild));
}

static void done(void *ctx) {
    struct berth_kafka_rebuild *rebuild = ctx;
    enum task task = rebuild->task;
    rebuild->task = TASK_NONE;
    if (rebuild->stopped) {
        rebuild->stopped = false;
        end_reader(rebuild);
        return;
    }
    switch (task) {
    case TASK_NONE:
    case TASK_END:
        break;
    case TASK_ENDS:
        tell_ends(rebuild);
        break;
    case TASK_START:
    case TASK_TAKE:
        tell_states(rebuild);
        break;
    }
}

/* ---- The loop's side ---- */

bool berth_kafka_rebuild_idle(const struct berth_kafka_rebuild *rebuild) {
    return rebuild->task == TASK_NONE && rebuild->reader == NULL;
}

enum berth_rc berth_kafka_rebuild_ends(struct berth_kafka_rebuild *rebuild,
                                       struct berth_error *reterr) {
    BERTH_ASSERT(berth_kafka_rebuild_idle(rebuild));
    return start(rebuild, TASK_ENDS, reterr);
}

enum berth_rc berth_kafka_rebuild_read(struct berth_kafka_rebuild *rebuild,
                                       struct berth_error *reterr) {
    BERTH_ASSERT(rebuild->task == TASK_NONE);
    return start(rebuild, rebuild->reader == NULL ? TASK_START : TASK_TAKE, reterr);
}

void berth_kafka_rebuild_stop(struct berth_kafka_rebuild *rebuild) {
    if (rebuild->task == TASK_NONE) {
        end_reader(rebuild);
    } else if (rebuild->task != TASK_END) {
        rebuild->stopped = true;
    }
}

enum berth_rc berth_kafka_rebuild_new(struct event_base *base,
                                      const struct berth_kafka_rebuild_options *options,
                                      struct berth_kafka_rebuild **ret_rebuild,
                                      struct berth_error *reterr) {
    struct berth_kafka_rebuild *rebuild = calloc(1, sizeof(*rebuild));
    if (rebuild == NULL) {
        berth_error_set(reterr, "no memory");
        return BERTH_FAULT_MEMORY;
    }
    rebuild->options = *options;
    enum berth_rc rc = berth_kafka_job_init(&rebuild->job, base, work, done, rebuild, reterr);
    if (rc != BERTH_OK) {
        free(rebuild);
        return rc;
    }
    *ret_rebuild = rebuild;
    return BERTH_OK;
}

struct berth_kafka_rebuild *berth_kafka_rebuild_free(struct berth_kafka_rebuild *rebuild,
                                                     int timeout_ms) {
    if (rebuild == NULL) {
        return NULL;
    }
    if (!berth_kafka_job_deinit(&rebuild->job, timeout_ms)) {
        berth_log(BERTH_LOG_WARNING, "kafka.rebuild_left_behind", "waited_ms=%d", timeout_ms);
        return NULL;
    }
    free_records(rebuild);
    rebuild->reader = berth_reader_free(rebuild->reader);
    free(rebuild->ends);
    free(rebuild);
    return NULL;
}
