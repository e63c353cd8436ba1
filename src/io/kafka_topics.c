/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/clock.h"
#include "kafka_reach.h"

#define DESTROY_TIMEOUT_MS 2000
/* How long a controller is waited for that the brokers don't name: an election is short, and the
 * embedded Kafka of berth-sandbox has none at all. */
#define CONTROLLER_TIMEOUT_MS 500

static enum berth_rc make_handle(const struct berth_kafka_properties *properties, int timeout_ms,
                                 rd_kafka_t **ret_handle, struct berth_error *reterr);
static int left_ms(int64_t until_ms);
static enum berth_rc describe_place(rd_kafka_t *handle, const char *name, int timeout_ms,
                                    struct berth_topic_status *status, struct berth_error *reterr);
static void describe_more(rd_kafka_t *handle, const char *const *names, size_t count,
                          int64_t until_ms, struct berth_topic_status *statuses);
static void describe_configs(rd_kafka_t *handle, const char *const *names, size_t count,
                             int timeout_ms, struct berth_topic_status *statuses);
static void describe_permissions(rd_kafka_t *handle, const char *const *names, size_t count,
                                 int timeout_ms, struct berth_topic_status *statuses);
static bool has_controller(rd_kafka_t *handle, int timeout_ms);
static void read_configs(const rd_kafka_ConfigResource_t *resource,
                         struct berth_topic_status *status);
static rd_kafka_event_t *request(rd_kafka_t *handle, rd_kafka_admin_op_t operation, int timeout_ms,
                                 void (*send)(rd_kafka_t *handle,
                                              const rd_kafka_AdminOptions_t *options,
                                              rd_kafka_queue_t *queue, void *ctx),
                                 void *ctx);
static enum berth_rc make_specs(const struct berth_topic_spec *specs, size_t count,
                                rd_kafka_NewTopic_t **ret_topics, struct berth_error *reterr);
static enum berth_rc take_made(rd_kafka_event_t *event, const struct berth_topic_spec *specs,
                               size_t count, struct berth_topic_made *ret_made,
                               struct berth_error *reterr);

enum berth_rc berth_topics_describe(const struct berth_kafka_properties *properties,
                                    const char *const *names, size_t count, int timeout_ms,
                                    struct berth_topic_status *ret_statuses,
                                    struct berth_error *reterr) {
    BERTH_ASSERT(count <= BERTH_TOPICS_MAX);
    rd_kafka_t *handle = NULL;
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    enum berth_rc rc = make_handle(properties, timeout_ms, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        ret_statuses[i] = (struct berth_topic_status){.message_bytes_max = -1};
        rc = describe_place(handle, names[i], left_ms(until_ms), &ret_statuses[i], reterr);
        if (rc != BERTH_OK) {
            break;
        }
    }
    if (rc == BERTH_OK) {
        describe_more(handle, names, count, until_ms, ret_statuses);
    }
    (void)berth_kafka_handle_destroy(handle, 0, DESTROY_TIMEOUT_MS);
    return rc;
}

enum berth_rc berth_kafka_cluster(const struct berth_kafka_properties *properties, int timeout_ms,
                                  char ret_id[BERTH_KAFKA_CLUSTER_BYTES],
                                  struct berth_error *reterr) {
    rd_kafka_t *handle = NULL;
    enum berth_rc rc = make_handle(properties, timeout_ms, &handle, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    char *id = rd_kafka_clusterid(handle, timeout_ms);
    if (id == NULL || strlen(id) >= BERTH_KAFKA_CLUSTER_BYTES) {
        berth_error_set(reterr, "the brokers don't say which cluster they are");
        rc = BERTH_FAULT_LIBRARY;
    } else {
        (void)snprintf(ret_id, BERTH_KAFKA_CLUSTER_BYTES, "%s", id);
    }
    if (id != NULL) {
        rd_kafka_mem_free(handle, id);
    }
    (void)berth_kafka_handle_destroy(handle, 0, DESTROY_TIMEOUT_MS);
    return rc;
}

struct creation {
    rd_kafka_NewTopic_t **topics;
    size_t count;
};

static void send_create(rd_kafka_t *handle, const rd_kafka_AdminOptions_t *options,
                        rd_kafka_queue_t *queue, void *ctx) {
    struct creation *creation = ctx;
    rd_kafka_CreateTopics(handle, creation->topics, creation->count, options, queue);
}

enum berth_rc berth_topics_create(const struct berth_kafka_properties *properties,
                                  const struct berth_topic_spec *specs, size_t count,
                                  int timeout_ms, struct berth_topic_made *ret_made,
                                  struct berth_error *reterr) {
    BERTH_ASSERT(count <= BERTH_TOPICS_MAX);
    if (count == 0) {
        return BERTH_OK;
    }
    rd_kafka_NewTopic_t *topics[BERTH_TOPICS_MAX];
    enum berth_rc rc = make_specs(specs, count, topics, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    rd_kafka_t *handle = NULL;
    rc = make_handle(properties, timeout_ms, &handle, reterr);
    if (rc == BERTH_OK) {
        struct creation creation = {.topics = topics, .count = count};
        rd_kafka_event_t *event =
            request(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms, send_create, &creation);
        rc = take_made(event, specs, count, ret_made, reterr);
        rd_kafka_event_destroy(event);
        (void)berth_kafka_handle_destroy(handle, 0, DESTROY_TIMEOUT_MS);
    }
    rd_kafka_NewTopic_destroy_array(topics, count);
    return rc;
}

static enum berth_rc make_handle(const struct berth_kafka_properties *properties, int timeout_ms,
                                 rd_kafka_t **ret_handle, struct berth_error *reterr) {
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc = berth_kafka_conf_new(BERTH_KAFKA_ADMIN, properties, &conf, reterr);
    return rc == BERTH_OK
               ? berth_kafka_reached_new(BERTH_KAFKA_ADMIN, conf, timeout_ms, ret_handle, reterr)
               : rc;
}

static int left_ms(int64_t until_ms) {
    int64_t left = until_ms - berth_clock_monotonic_ms();
    return left > 1 ? (int)left : 1;
}

static enum berth_rc describe_place(rd_kafka_t *handle, const char *name, int timeout_ms,
                                    struct berth_topic_status *status, struct berth_error *reterr) {
    struct berth_kafka_place place;
    enum berth_rc rc = berth_kafka_place_of(handle, name, timeout_ms, &place, reterr);
    if (rc == BERTH_FAULT_LIBRARY && place.hidden) {
        status->hidden = true;
        return BERTH_OK;
    }
    if (rc == BERTH_OK) {
        status->exists = place.partitions > 0;
        status->partitions = place.partitions;
        status->replication_factor = place.replication_factor;
    }
    return rc;
}

struct description {
    rd_kafka_ConfigResource_t *resources[BERTH_TOPICS_MAX];
    size_t count;
};

static void send_describe(rd_kafka_t *handle, const rd_kafka_AdminOptions_t *options,
                          rd_kafka_queue_t *queue, void *ctx) {
    struct description *description = ctx;
    rd_kafka_DescribeConfigs(handle, description->resources, description->count, options, queue);
}

/* librdkafka asks the controller, and waits for one as long as it is let. */
static void describe_more(rd_kafka_t *handle, const char *const *names, size_t count,
                          int64_t until_ms, struct berth_topic_status *statuses) {
    if (has_controller(handle, left_ms(until_ms))) {
        describe_configs(handle, names, count, left_ms(until_ms), statuses);
        describe_permissions(handle, names, count, left_ms(until_ms), statuses);
        return;
    }
    int timeout_ms = left_ms(until_ms);
    describe_configs(handle, names, count,
                     timeout_ms < CONTROLLER_TIMEOUT_MS ? timeout_ms : CONTROLLER_TIMEOUT_MS,
                     statuses);
}

/* A topic whose configuration we may not see, or that nobody tells of, keeps "not readable": its
 * place is known. */
static void describe_configs(rd_kafka_t *handle, const char *const *names, size_t count,
                             int timeout_ms, struct berth_topic_status *statuses) {
    struct description description = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (statuses[i].exists) {
            description.resources[description.count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, names[i]);
        }
    }
    if (description.count == 0) {
        return;
    }
    rd_kafka_event_t *event =
        request(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms, send_describe, &description);
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t found_count = 0;
    const rd_kafka_ConfigResource_t **found =
        result == NULL ? NULL : rd_kafka_DescribeConfigs_result_resources(result, &found_count);
    for (size_t i = 0; i < found_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (strcmp(rd_kafka_ConfigResource_name(found[i]), names[j]) == 0) {
                read_configs(found[i], &statuses[j]);
            }
        }
    }
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy_array(description.resources, description.count);
}

struct names {
    const char *names[BERTH_TOPICS_MAX];
    size_t count;
};

static void send_describe_topics(rd_kafka_t *handle, const rd_kafka_AdminOptions_t *options,
                                 rd_kafka_queue_t *queue, void *ctx) {
    struct names *names = ctx;
    rd_kafka_TopicCollection_t *topics =
        rd_kafka_TopicCollection_of_topic_names(names->names, names->count);
    rd_kafka_DescribeTopics(handle, topics, options, queue);
    rd_kafka_TopicCollection_destroy(topics);
}

static void read_permissions(const rd_kafka_TopicDescription_t *topic,
                             struct berth_topic_status *status) {
    size_t count = 0;
    const rd_kafka_AclOperation_t *operations =
        rd_kafka_TopicDescription_authorized_operations(topic, &count);
    if (operations == NULL || rd_kafka_TopicDescription_error(topic) != NULL) {
        return;
    }
    status->may_read = BERTH_PERMISSION_DENIED;
    status->may_write = BERTH_PERMISSION_DENIED;
    for (size_t i = 0; i < count; i++) {
        if (operations[i] == RD_KAFKA_ACL_OPERATION_READ) {
            status->may_read = BERTH_PERMISSION_GRANTED;
        } else if (operations[i] == RD_KAFKA_ACL_OPERATION_WRITE) {
            status->may_write = BERTH_PERMISSION_GRANTED;
        }
    }
}

/* KIP-430: what brokers would let us do, without trying it. Where they don't tell (before Kafka
 * 2.3, or the embedded one), nothing is known. */
static void describe_permissions(rd_kafka_t *handle, const char *const *names, size_t count,
                                 int timeout_ms, struct berth_topic_status *statuses) {
    struct names there = {.count = 0};
    for (size_t i = 0; i < count; i++) {
        if (statuses[i].exists) {
            there.names[there.count++] = names[i];
        }
    }
    if (there.count == 0) {
        return;
    }
    rd_kafka_event_t *event =
        request(handle, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout_ms, send_describe_topics, &there);
    const rd_kafka_DescribeTopics_result_t *result = rd_kafka_event_DescribeTopics_result(event);
    size_t told_count = 0;
    const rd_kafka_TopicDescription_t **told =
        result == NULL ? NULL : rd_kafka_DescribeTopics_result_topics(result, &told_count);
    for (size_t i = 0; i < told_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (strcmp(rd_kafka_TopicDescription_name(told[i]), names[j]) == 0) {
                read_permissions(told[i], &statuses[j]);
            }
        }
    }
    rd_kafka_event_destroy(event);
}

/* Whether the brokers name one of them as the controller. */
static bool has_controller(rd_kafka_t *handle, int timeout_ms) {
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(handle, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    /* Known from the answer just got, so this doesn't wait. */
    int32_t controller = rd_kafka_controllerid(handle, timeout_ms);
    bool found = false;
    for (int i = 0; i < metadata->broker_cnt; i++) {
        found = found || metadata->brokers[i].id == controller;
    }
    rd_kafka_metadata_destroy(metadata);
    return found;
}

static void read_configs(const rd_kafka_ConfigResource_t *resource,
                         struct berth_topic_status *status) {
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == NULL) {
            continue;
        }
        if (strcmp(name, "cleanup.policy") == 0) {
            (void)snprintf(status->cleanup_policy, sizeof(status->cleanup_policy), "%s", value);
        } else if (strcmp(name, "max.message.bytes") == 0) {
            status->message_bytes_max = strtoll(value, NULL, 10);
        }
    }
}

/* Sends an admin request and waits for its answer, which librdkafka gives in any case. */
static rd_kafka_event_t *request(rd_kafka_t *handle, rd_kafka_admin_op_t operation, int timeout_ms,
                                 void (*send)(rd_kafka_t *handle,
                                              const rd_kafka_AdminOptions_t *options,
                                              rd_kafka_queue_t *queue, void *ctx),
                                 void *ctx) {
    char text[BERTH_ERROR_BYTES_MAX];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, operation);
    rd_kafka_resp_err_t err =
        rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
        /* The controller answers when the topic is known to the brokers. */
        err = rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text, sizeof(text));
        BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    if (operation == RD_KAFKA_ADMIN_OP_DESCRIBETOPICS) {
        rd_kafka_error_t *refused =
            rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
        BERTH_ASSERT(refused == NULL);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    send(handle, options, queue, ctx);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return event;
}

static enum berth_rc make_specs(const struct berth_topic_spec *specs, size_t count,
                                rd_kafka_NewTopic_t **ret_topics, struct berth_error *reterr) {
    char text[BERTH_ERROR_BYTES_MAX];
    for (size_t i = 0; i < count; i++) {
        ret_topics[i] = rd_kafka_NewTopic_new(specs[i].name, specs[i].partitions,
                                              specs[i].replication_factor, text, sizeof(text));
        if (ret_topics[i] == NULL) {
            rd_kafka_NewTopic_destroy_array(ret_topics, i);
            berth_error_set(reterr, "topic %s: %s", specs[i].name, text);
            return BERTH_INVALID;
        }
        if (specs[i].cleanup_policy != NULL) {
            rd_kafka_resp_err_t err = rd_kafka_NewTopic_set_config(ret_topics[i], "cleanup.policy",
                                                                   specs[i].cleanup_policy);
            BERTH_ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
        }
    }
    return BERTH_OK;
}

static enum berth_rc take_made(rd_kafka_event_t *event, const struct berth_topic_spec *specs,
                               size_t count, struct berth_topic_made *ret_made,
                               struct berth_error *reterr) {
    rd_kafka_resp_err_t err =
        event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || result == NULL) {
        berth_error_set(reterr, "creating topics: %s", rd_kafka_err2str(err));
        return BERTH_FAULT_LIBRARY;
    }
    size_t told_count = 0;
    const rd_kafka_topic_result_t **told = rd_kafka_CreateTopics_result_topics(result, &told_count);
    for (size_t i = 0; i < count; i++) {
        ret_made[i] = (struct berth_topic_made){.text = "the brokers said nothing about it"};
        for (size_t j = 0; j < told_count; j++) {
            if (strcmp(rd_kafka_topic_result_name(told[j]), specs[i].name) != 0) {
                continue;
            }
            rd_kafka_resp_err_t its_err = rd_kafka_topic_result_error(told[j]);
            const char *its_text = rd_kafka_topic_result_error_string(told[j]);
            ret_made[i].made = its_err == RD_KAFKA_RESP_ERR_NO_ERROR;
            ret_made[i].existed = its_err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
            (void)snprintf(ret_made[i].text, sizeof(ret_made[i].text), "%s",
                           ret_made[i].made   ? ""
                           : its_text != NULL ? its_text
                                              : rd_kafka_err2str(its_err));
        }
    }
    return BERTH_OK;
}
