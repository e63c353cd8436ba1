/* SPDX-License-Identifier: Apache-2.0 */
#include "raw_kafka.h"

#include <stdlib.h>
#include <string.h>

rd_kafka_t *raw_client(struct world *world, rd_kafka_type_t type, const char *name,
                       const char *value) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(
        rd_kafka_conf_set(conf, "bootstrap.servers", world->bootstrap, text, sizeof(text)),
        RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, name, value, text, sizeof(text)), RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    assert_non_null(client);
    return client;
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
