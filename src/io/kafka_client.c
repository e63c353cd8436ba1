/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/io/clock.h"

#define RETRY_MS 50

static bool writes(enum berth_kafka_kind kind);
static void rdkafka_log_cb(const rd_kafka_t *handle, int level, const char *facility,
                           const char *text);
static bool start_destruction(rd_kafka_t *take_handle, int flags, pthread_t *ret_thread);
static void *destroy_handle(void *ctx);
static void read_log_ends(rd_kafka_t *handle, int64_t which, int64_t until_ms,
                          rd_kafka_topic_partition_list_t *list);
static bool may_pass(rd_kafka_resp_err_t err);
static rd_kafka_resp_err_t read_place(rd_kafka_t *handle, rd_kafka_topic_t *topic, int timeout_ms,
                                      struct berth_kafka_place *ret_place);
static rd_kafka_resp_err_t take_committed(rd_kafka_event_t *event,
                                          rd_kafka_topic_partition_list_t **ret_committed);

enum berth_rc berth_kafka_group_conf_new(enum berth_kafka_kind kind,
                                         const struct berth_kafka_properties *properties,
                                         const char *group, rd_kafka_conf_t **ret_conf,
                                         struct berth_error *reterr) {
    BERTH_ASSERT(!writes(kind));
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc = berth_kafka_conf_new(kind, properties, &conf, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rc = berth_kafka_conf_set(conf, "group.id", group, reterr);
    if (rc != BERTH_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret_conf = conf;
    return BERTH_OK;
}

static bool writes(enum berth_kafka_kind kind) {
    return kind == BERTH_KAFKA_PUBLISHER || kind == BERTH_KAFKA_PRODUCER;
}

enum berth_rc berth_kafka_handle_new(enum berth_kafka_kind kind, rd_kafka_conf_t *take_conf,
                                     rd_kafka_t **ret_handle, struct berth_error *reterr) {
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_conf_set_log_cb(take_conf, rdkafka_log_cb);
    rd_kafka_t *handle = rd_kafka_new(writes(kind) ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
                                      take_conf, text, sizeof(text));
    if (handle == NULL) {
        bool about_input = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG;
        rd_kafka_conf_destroy(take_conf); /* Taken by librdkafka only on success. */
        berth_error_set(reterr, "[kafka]: %s", text);
        return about_input ? BERTH_INVALID : BERTH_FAULT_LIBRARY;
    }
    *ret_handle = handle;
    return BERTH_OK;
}

struct destruction {
    rd_kafka_t *handle;
    int flags;
};

bool berth_kafka_handle_destroy(rd_kafka_t *take_handle, int flags, int timeout_ms) {
    pthread_t thread;
    if (take_handle == NULL || !start_destruction(take_handle, flags, &thread)) {
        return true;
    }
    if (berth_kafka_thread_join(thread, timeout_ms)) {
        return true;
    }
    (void)pthread_detach(thread);
    berth_log(BERTH_LOG_WARNING, "kafka.destroy_hangs", "waited_ms=%d", timeout_ms);
    return false;
}

void berth_kafka_handle_destroy_later(rd_kafka_t *take_handle, int flags) {
    pthread_t thread;
    if (start_destruction(take_handle, flags, &thread)) {
        (void)pthread_detach(thread);
    }
}

/* false: there is no thread for it, so it is done already. */
static bool start_destruction(rd_kafka_t *take_handle, int flags, pthread_t *ret_thread) {
    struct destruction *destruction = malloc(sizeof(*destruction));
    if (destruction != NULL) {
        *destruction = (struct destruction){.handle = take_handle, .flags = flags};
    }
    if (destruction == NULL || pthread_create(ret_thread, NULL, destroy_handle, destruction) != 0) {
        free(destruction);
        rd_kafka_destroy_flags(take_handle, flags);
        return false;
    }
    return true;
}

rd_kafka_resp_err_t berth_kafka_committed(rd_kafka_t *handle, const char *group,
                                          const rd_kafka_topic_partition_list_t *partitions,
                                          int timeout_ms,
                                          rd_kafka_topic_partition_list_t **ret_committed) {
    /* A handle without a group has no such queue; it is asked for nothing else. */
    rd_kafka_queue_t *of_group = rd_kafka_queue_get_consumer(handle);
    BERTH_ASSERT(of_group != NULL);
    rd_kafka_queue_destroy(of_group);

    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, partitions);
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    BERTH_ASSERT(refused == NULL);
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_resp_err_t err =
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);

    rd_kafka_ListConsumerGroupOffsets(handle, &request, 1, options, queue);
    /* librdkafka answers in any case when its own time-out is over. */
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    err = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : take_committed(event, ret_committed);

    rd_kafka_event_destroy(event);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return err;
}

void berth_kafka_log_ends(rd_kafka_t *handle, int64_t which, int timeout_ms,
                          rd_kafka_topic_partition_list_t *partitions) {
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    rd_kafka_topic_partition_list_sort(partitions, NULL, NULL);
    int next = 0;
    while (next < partitions->cnt) {
        int first = next;
        const char *topic = partitions->elems[first].topic;
        rd_kafka_topic_partition_list_t *some = rd_kafka_topic_partition_list_new(8);
        for (; next < partitions->cnt && strcmp(partitions->elems[next].topic, topic) == 0;
             next++) {
            rd_kafka_topic_partition_list_add(some, topic, partitions->elems[next].partition);
        }
        read_log_ends(handle, which, until_ms, some);
        for (int i = first; i < next; i++) {
            const rd_kafka_topic_partition_t *from =
                rd_kafka_topic_partition_list_find(some, topic, partitions->elems[i].partition);
            partitions->elems[i].offset = from->offset;
            partitions->elems[i].err = from->err;
        }
        rd_kafka_topic_partition_list_destroy(some);
    }
}

/* Of one topic. */
static void read_log_ends(rd_kafka_t *handle, int64_t which, int64_t until_ms,
                          rd_kafka_topic_partition_list_t *list) {
    rd_kafka_resp_err_t first_err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t left_ms = until_ms - berth_clock_monotonic_ms();
    for (; left_ms > 0; left_ms = until_ms - berth_clock_monotonic_ms()) {
        for (int i = 0; i < list->cnt; i++) {
            /* The request's "timestamp" may also be one of the two logical offsets. */
            list->elems[i].offset = which;
        }
        first_err = rd_kafka_offsets_for_times(handle, list, (int)left_ms);
        for (int i = 0; i < list->cnt && first_err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
            first_err = list->elems[i].err;
        }
        if (!may_pass(first_err)) {
            break;
        }
        (void)usleep(RETRY_MS * 1000);
    }
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *partition = &list->elems[i];
        if (partition->err == RD_KAFKA_RESP_ERR_NO_ERROR && partition->offset < 0) {
            partition->err =
                first_err != RD_KAFKA_RESP_ERR_NO_ERROR ? first_err : RD_KAFKA_RESP_ERR__NO_OFFSET;
        }
    }
}

/* Whether it is what brokers say while a topic is new, or its leader changes. */
static bool may_pass(rd_kafka_resp_err_t err) {
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
        return true;
    default:
        return false;
    }
}

enum berth_rc berth_kafka_place_of(rd_kafka_t *handle, const char *topic, int timeout_ms,
                                   struct berth_kafka_place *ret_place,
                                   struct berth_error *reterr) {
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    rd_kafka_topic_t *wanted = rd_kafka_topic_new(handle, topic, NULL);
    if (wanted == NULL) {
        berth_error_set(reterr, "topic %s: %s", topic, rd_kafka_err2str(rd_kafka_last_error()));
        return BERTH_FAULT_LIBRARY;
    }
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    int64_t left_ms = timeout_ms;
    for (; left_ms > 0; left_ms = until_ms - berth_clock_monotonic_ms()) {
        err = read_place(handle, wanted, (int)left_ms, ret_place);
        if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || !may_pass(err)) {
            break;
        }
        (void)usleep(RETRY_MS * 1000);
    }
    rd_kafka_topic_destroy(wanted);
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *ret_place = (struct berth_kafka_place){.partitions = 0};
    } else if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        *ret_place = (struct berth_kafka_place){
            .hidden = err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
        berth_error_set(reterr, "topic %s: %s", topic, rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    return BERTH_OK;
}

static rd_kafka_resp_err_t read_place(rd_kafka_t *handle, rd_kafka_topic_t *topic, int timeout_ms,
                                      struct berth_kafka_place *ret_place) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(handle, 0, topic, &metadata, timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err;
    }
    err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (metadata->topic_cnt > 0) {
        const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
        err = found->err;
        *ret_place = (struct berth_kafka_place){
            .partitions = found->partition_cnt,
            .replication_factor = found->partition_cnt > 0 ? found->partitions[0].replica_cnt : 0};
    }
    rd_kafka_metadata_destroy(metadata);
    return err;
}

rd_kafka_headers_t *berth_kafka_headers_new(const struct berth_header *headers, size_t count) {
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t err = rd_kafka_header_add(
            list, headers[i].name, -1, headers[i].value.data, (ssize_t)headers[i].value.len);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(list);
            return NULL;
        }
    }
    return list;
}

/* In whatever thread of librdkafka has something to say; our log takes lines of any thread. What is
 * wrong is an error event, too, and handed on by whoever made the handle: here it would be said
 * twice, and each second. */
static void rdkafka_log_cb(const rd_kafka_t *handle, int level, const char *facility,
                           const char *text) {
    (void)handle;
    (void)level;
    berth_log(BERTH_LOG_DEBUG, "kafka.library", "facility=%s text=\"%s\"", facility, text);
}

static void *destroy_handle(void *ctx) {
    struct destruction *destruction = ctx;
    rd_kafka_destroy_flags(destruction->handle, destruction->flags);
    free(destruction);
    return NULL;
}

bool berth_kafka_thread_join(pthread_t thread, int timeout_ms) {
    struct timespec until = berth_kafka_time_after_ms(timeout_ms);
    return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

void berth_kafka_condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    BERTH_ASSERT(failed == 0);
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    BERTH_ASSERT(failed == 0);
    failed = pthread_cond_init(condition, &attributes);
    BERTH_ASSERT(failed == 0);
    (void)pthread_condattr_destroy(&attributes);
}

struct timespec berth_kafka_time_after_ms(int timeout_ms) {
    struct timespec at;
    int failed = clock_gettime(CLOCK_MONOTONIC, &at);
    BERTH_ASSERT(failed == 0);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static rd_kafka_resp_err_t take_committed(rd_kafka_event_t *event,
                                          rd_kafka_topic_partition_list_t **ret_committed) {
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const rd_kafka_ListConsumerGroupOffsets_result_t *result =
        rd_kafka_event_ListConsumerGroupOffsets_result(event);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || result == NULL) {
        return err != RD_KAFKA_RESP_ERR_NO_ERROR ? err : RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
    if (count != 1) {
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    if (error != NULL) {
        return rd_kafka_error_code(error);
    }
    *ret_committed =
        rd_kafka_topic_partition_list_copy(rd_kafka_group_result_partitions(groups[0]));
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
