/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_kafka.h"

#include <stdlib.h>
#include <string.h>

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char text[256];
    assert_int_equal(rd_kafka_conf_set(conf, name, value, text, sizeof(text)), RD_KAFKA_CONF_OK);
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *take_conf) {
    char text[256];
    rd_kafka_t *client = rd_kafka_new(type, take_conf, text, sizeof(text));
    assert_non_null(client);
    return client;
}

rd_kafka_t *raw_client(struct world *world, rd_kafka_type_t type, const char *name,
                       const char *value) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", world->bootstrap);
    set(conf, name, value);
    return make(type, conf);
}

void take_place_and_vanish(struct world *world, const char *group, const char *instance,
                           const char *topic) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", world->bootstrap);
    set(conf, "group.id", group);
    set(conf, "group.instance.id", instance);
    set(conf, "partition.assignment.strategy", "cooperative-sticky");
    rd_kafka_t *client = make(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(client, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    for (int assigned = 0; assigned == 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
        assert_int_equal(rd_kafka_assignment(client, &list), RD_KAFKA_RESP_ERR_NO_ERROR);
        assigned = list->cnt;
        rd_kafka_topic_partition_list_destroy(list);
    }
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void commit_offset(struct world *world, const char *group, const char *topic, int64_t offset,
                   const char *metadata) {
    rd_kafka_t *client = raw_client(world, RD_KAFKA_CONSUMER, "group.id", group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *partition = rd_kafka_topic_partition_list_add(list, topic, 0);
    partition->offset = offset;
    partition->metadata = strdup(metadata);
    partition->metadata_size = strlen(metadata);
    assert_int_equal(rd_kafka_commit(client, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

void delete_records_below(struct world *world, const char *topic, int64_t offset) {
    rd_kafka_t *client = raw_client(world, RD_KAFKA_PRODUCER, "client.id", "test");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_DeleteRecords(client, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}
