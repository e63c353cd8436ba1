/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_check.h"

#include <stdbool.h>
#include <string.h>

#include "berth/io/clock.h"
#include "kafka_reach.h"

#define DESTROY_TIMEOUT_MS 2000
#define HOUR_MS            INT64_C(3600000)

static rd_kafka_resp_err_t measure(rd_kafka_t *handle, const char *group,
                                   rd_kafka_topic_partition_list_t *ends, int64_t late_ms,
                                   int timeout_ms, struct berth_group_progress *progress);
static enum berth_rc find_hidden(const struct berth_kafka_properties *properties, const char *group,
                                 const rd_kafka_topic_partition_list_t *ends, int timeout_ms,
                                 struct berth_group_progress *progress, struct berth_error *reterr);
static void find_late(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *ends,
                      const rd_kafka_topic_partition_list_t *committed, int64_t late_ms,
                      int timeout_ms, struct berth_group_progress *progress);
static bool will_pass(rd_kafka_resp_err_t err);
static void add_lag(const rd_kafka_topic_partition_t *end,
                    const rd_kafka_topic_partition_t *committed,
                    struct berth_group_progress *progress);
static void find_busiest(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *ends,
                         int timeout_ms, struct berth_group_progress *progress);
static enum berth_rc make_producer(const struct berth_kafka_properties *properties,
                                   const char *transactional_id, rd_kafka_resp_err_t *ret_delivery,
                                   rd_kafka_t **ret_handle, struct berth_error *reterr);
static enum berth_rc publish_and_abort(rd_kafka_t *handle, const char *topic, int timeout_ms,
                                       const rd_kafka_resp_err_t *delivery,
                                       struct berth_error *reterr);
static enum berth_rc take_error(const char *what, rd_kafka_error_t *take_error,
                                struct berth_error *reterr);
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque);

/* ---- How far the group has come ---- */

/* A handle that sees the log's end, or the last stable offset for its end. */
static enum berth_rc make_handle(const struct berth_kafka_properties *properties, const char *group,
                                 bool stable, int timeout_ms, rd_kafka_t **ret_handle,
                                 struct berth_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc =
        berth_kafka_group_conf_new(BERTH_KAFKA_ADMIN, properties, group, &conf, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    if (!stable) {
        rc = berth_kafka_conf_set(conf, "isolation.level", "read_uncommitted", reterr);
    }
    if (rc != BERTH_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    return berth_kafka_reached_new(BERTH_KAFKA_ADMIN, conf, timeout_ms, ret_handle, reterr);
}

static void destroy(rd_kafka_t *handle) {
    (void)berth_kafka_handle_destroy(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     DESTROY_TIMEOUT_MS);
}

enum berth_rc berth_kafka_group_progress(const struct berth_kafka_properties *properties,
                                         const char *group, const char *topic, int32_t partitions,
                                         int64_t late_ms, int timeout_ms,
                                         struct berth_group_progress *ret_progress,
                                         struct berth_error *reterr) {
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = make_handle(properties, group, false, timeout_ms, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++) {
        (void)rd_kafka_topic_partition_list_add(list, topic, i);
    }
    struct berth_group_progress progress = {.behind = 0};
    rd_kafka_resp_err_t err = measure(handle, group, list, late_ms, timeout_ms, &progress);
    destroy(handle);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && progress.behind > 0) {
        rc = find_hidden(properties, group, list, timeout_ms, &progress, reterr);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (will_pass(err)) {
        progress.partitions_unreadable = partitions;
    } else if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "%s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    if (rc == BERTH_OK) {
        *ret_progress = progress;
    }
    return rc;
}

/* Of a topic whose ends are known: what is behind a producer's open transaction. */
static enum berth_rc find_hidden(const struct berth_kafka_properties *properties, const char *group,
                                 const rd_kafka_topic_partition_list_t *ends, int timeout_ms,
                                 struct berth_group_progress *progress,
                                 struct berth_error *reterr) {
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = make_handle(properties, group, true, timeout_ms, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_topic_partition_list_t *stable = rd_kafka_topic_partition_list_copy(ends);
    berth_kafka_log_ends(handle, RD_KAFKA_OFFSET_END, timeout_ms, stable);
    destroy(handle);
    for (int i = 0; i < stable->cnt; i++) {
        int64_t hidden = ends->elems[i].offset - stable->elems[i].offset;
        bool known = ends->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                     stable->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
        progress->hidden += known && hidden > 0 ? hidden : 0;
    }
    rd_kafka_topic_partition_list_destroy(stable);
    return BERTH_OK;
}

enum berth_rc berth_kafka_group_members(const struct berth_kafka_properties *properties,
                                        const char *group, int timeout_ms, int *ret_members,
                                        struct berth_error *reterr) {
    rd_kafka_t *handle = NULL;
    const struct rd_kafka_group_list *groups = NULL;
    enum berth_rc rc = make_handle(properties, group, true, timeout_ms, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_resp_err_t err = rd_kafka_list_groups(handle, group, &groups, timeout_ms);
    if (groups != NULL) {
        *ret_members = groups->group_cnt > 0 ? groups->groups[0].member_cnt : 0;
        rd_kafka_group_list_destroy(groups);
    }
    destroy(handle);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "%s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

/* The group's coordinator is being found or is reading what it keeps. */
static bool will_pass(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           err == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           err == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
}

static rd_kafka_resp_err_t measure(rd_kafka_t *handle, const char *group,
                                   rd_kafka_topic_partition_list_t *ends, int64_t late_ms,
                                   int timeout_ms, struct berth_group_progress *progress) {
    rd_kafka_topic_partition_list_t *committed = NULL;
    rd_kafka_resp_err_t err = berth_kafka_committed(handle, group, ends, timeout_ms, &committed);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err;
    }
    berth_kafka_log_ends(handle, RD_KAFKA_OFFSET_END, timeout_ms, ends);
    for (int i = 0; i < ends->cnt; i++) {
        add_lag(&ends->elems[i],
                rd_kafka_topic_partition_list_find(committed, ends->elems[i].topic,
                                                   ends->elems[i].partition),
                progress);
    }
    find_late(handle, ends, committed, late_ms, timeout_ms, progress);
    rd_kafka_topic_partition_list_destroy(committed);
    find_busiest(handle, ends, timeout_ms, progress);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void add_lag(const rd_kafka_topic_partition_t *end,
                    const rd_kafka_topic_partition_t *committed,
                    struct berth_group_progress *progress) {
    if (end->err != RD_KAFKA_RESP_ERR_NO_ERROR || committed == NULL ||
        committed->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        progress->partitions_unreadable++;
    } else if (committed->offset < 0) {
        progress->partitions_new++;
    } else if (end->offset > committed->offset) {
        progress->behind += end->offset - committed->offset;
    }
}

/* From the first that isn't committed to the first that is young enough. */
static void find_late(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *ends,
                      const rd_kafka_topic_partition_list_t *committed, int64_t late_ms,
                      int timeout_ms, struct berth_group_progress *progress) {
    rd_kafka_topic_partition_list_t *young = rd_kafka_topic_partition_list_copy(ends);
    for (int i = 0; i < young->cnt; i++) {
        young->elems[i].offset = berth_clock_wall_ms() - late_ms;
    }
    bool told = progress->behind > 0 &&
                rd_kafka_offsets_for_times(handle, young, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; told && i < young->cnt; i++) {
        const rd_kafka_topic_partition_t *from = &young->elems[i];
        const rd_kafka_topic_partition_t *done =
            rd_kafka_topic_partition_list_find(committed, from->topic, from->partition);
        int64_t until = from->offset >= 0 ? from->offset : ends->elems[i].offset;
        if (from->err == RD_KAFKA_RESP_ERR_NO_ERROR && done != NULL && done->offset >= 0 &&
            until > done->offset) {
            progress->late_partition =
                progress->late == 0 ? from->partition : progress->late_partition;
            progress->late_offset = progress->late == 0 ? done->offset : progress->late_offset;
            progress->late += until - done->offset;
        }
    }
    rd_kafka_topic_partition_list_destroy(young);
}

/* A partition without a record that young has none of the last hour. */
static void find_busiest(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *ends,
                         int timeout_ms, struct berth_group_progress *progress) {
    rd_kafka_topic_partition_list_t *since = rd_kafka_topic_partition_list_copy(ends);
    for (int i = 0; i < since->cnt; i++) {
        since->elems[i].offset = berth_clock_wall_ms() - HOUR_MS;
    }
    if (rd_kafka_offsets_for_times(handle, since, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < since->cnt; i++) {
            const rd_kafka_topic_partition_t *from = &since->elems[i];
            int64_t count = ends->elems[i].offset - from->offset;
            if (from->err == RD_KAFKA_RESP_ERR_NO_ERROR && from->offset >= 0 &&
                count > progress->busiest_last_hour) {
                progress->busiest_last_hour = count;
                progress->busiest_partition = from->partition;
            }
        }
    }
    rd_kafka_topic_partition_list_destroy(since);
}

/* ---- Whether it may publish ---- */

enum berth_rc berth_kafka_try_publishing(const struct berth_kafka_properties *properties,
                                         const char *transactional_id, const char *topic,
                                         int timeout_ms, struct berth_error *reterr) {
    rd_kafka_resp_err_t delivery = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = make_producer(properties, transactional_id, &delivery, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = take_error("the transactional id", rd_kafka_init_transactions(handle, timeout_ms), reterr);
    if (rc == BERTH_OK) {
        rc = publish_and_abort(handle, topic, timeout_ms, &delivery, reterr);
    }
    (void)berth_kafka_handle_destroy(handle, 0, DESTROY_TIMEOUT_MS);
    return rc;
}

static enum berth_rc make_producer(const struct berth_kafka_properties *properties,
                                   const char *transactional_id, rd_kafka_resp_err_t *ret_delivery,
                                   rd_kafka_t **ret_handle, struct berth_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc = berth_kafka_conf_new(BERTH_KAFKA_PUBLISHER, properties, &conf, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_kafka_conf_set(conf, "transactional.id", transactional_id, reterr);
    if (rc != BERTH_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, rdkafka_delivered_cb);
    rd_kafka_conf_set_opaque(conf, ret_delivery);
    return berth_kafka_handle_new(BERTH_KAFKA_PUBLISHER, conf, ret_handle, reterr);
}

static enum berth_rc publish_and_abort(rd_kafka_t *handle, const char *topic, int timeout_ms,
                                       const rd_kafka_resp_err_t *delivery,
                                       struct berth_error *reterr) {
    enum berth_rc rc = take_error("a transaction", rd_kafka_begin_transaction(handle), reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_resp_err_t err =
        rd_kafka_producev(handle, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY("berth-check", 11),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)rd_kafka_flush(handle, timeout_ms);
        err = *delivery;
    }
    /* How the abort ends says nothing about the right; an open one ends by its own time-out. */
    rd_kafka_error_t *aborted = rd_kafka_abort_transaction(handle, timeout_ms);
    if (aborted != NULL) {
        rd_kafka_error_destroy(aborted);
    }
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        berth_error_set(reterr, "%s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static enum berth_rc take_error(const char *what, rd_kafka_error_t *take_error,
                                struct berth_error *reterr) {
    if (take_error == NULL) {
        return BERTH_OK;
    }
    berth_error_set(reterr, "%s: %s", what, rd_kafka_error_string(take_error));
    rd_kafka_error_destroy(take_error);
    return BERTH_FAULT_LIBRARY;
}

/* Comes from within flush and abort, so on the thread that waits for it. */
static void rdkafka_delivered_cb(rd_kafka_t *handle, const rd_kafka_message_t *message,
                                 void *opaque) {
    (void)handle;
    rd_kafka_resp_err_t *delivery = opaque;
    /* What the abort throws away afterwards was delivered or not before. */
    if (*delivery == RD_KAFKA_RESP_ERR__TIMED_OUT) {
        *delivery = message->err;
    }
}
