/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/kafka_offsets.h"

#include <unistd.h>

#include "berth/io/clock.h"
#include "kafka_client.h"
#include "kafka_positions.h"

#define DESTROY_TIMEOUT_MS 2000
#define RETRY_MS           100

static enum berth_rc read_all(struct berth_kafka_positions *positions,
                              const struct berth_partition_offsets *partitions, int timeout_ms,
                              struct berth_error *reterr);

enum berth_rc berth_kafka_offsets(const struct berth_config *config,
                                  struct berth_partition_offsets *partitions, size_t count,
                                  int timeout_ms, struct berth_error *reterr) {
    const struct berth_kafka_properties properties = {.items = config->kafka.properties,
                                                      .count = config->kafka.properties_count};
    struct berth_kafka_positions positions = {.group = config->group,
                                              .start = (enum berth_config_start)config->start};
    rd_kafka_conf_t *conf = NULL;
    enum berth_rc rc =
        berth_kafka_group_conf_new(BERTH_KAFKA_CONSUMER, &properties, config->group, &conf, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    positions.conf = conf;
    rc = berth_kafka_handle_new(BERTH_KAFKA_CONSUMER, rd_kafka_conf_dup(conf), &positions.handle,
                                reterr);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, partitions[i].topic, partitions[i].partition);
    }
    positions.partitions = list;
    if (rc == BERTH_OK) {
        rc = read_all(&positions, partitions, timeout_ms, reterr);
    }
    for (size_t i = 0; rc == BERTH_OK && i < count; i++) {
        const struct berth_kafka_facts *facts = &positions.facts[i];
        partitions[i].log = facts->log;
        partitions[i].log.kept = &partitions[i].kept;
        partitions[i].unreadable =
            berth_kafka_position_of(&positions, (int)i, &partitions[i].position)
                ? NULL
                : rd_kafka_err2str(facts->err);
    }
    berth_kafka_positions_deinit(&positions);
    rd_kafka_topic_partition_list_destroy(list);
    (void)berth_kafka_handle_destroy(positions.handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
                                     DESTROY_TIMEOUT_MS);
    rd_kafka_conf_destroy(conf);
    return rc;
}

/* While a transaction is under way its partitions can't be asked: a moment later they can. */
static enum berth_rc read_all(struct berth_kafka_positions *positions,
                              const struct berth_partition_offsets *partitions, int timeout_ms,
                              struct berth_error *reterr) {
    int64_t until_ms = berth_clock_monotonic_ms() + timeout_ms;
    for (;;) {
        enum berth_rc rc = berth_kafka_positions_init(positions, positions->partitions);
        if (rc != BERTH_OK) {
            return rc;
        }
        for (int i = 0; i < positions->facts_count; i++) {
            positions->facts[i].kept = partitions[i].kept;
            positions->facts[i].kept_told = true;
        }
        berth_kafka_positions_read(positions);
        bool failed = positions->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        bool over = berth_clock_monotonic_ms() >= until_ms;
        if (failed && over) {
            berth_error_set(reterr, "the group's offsets can't be read: %s",
                            rd_kafka_err2str(positions->err));
            return BERTH_FAULT_LIBRARY;
        }
        if (over || (!failed && !positions->unstable)) {
            return BERTH_OK;
        }
        (void)usleep(RETRY_MS * 1000);
    }
}
