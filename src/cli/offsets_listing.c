/* SPDX-License-Identifier: Apache-2.0 */
#include "offsets_listing.h"

#include <stdlib.h>

#include "kept_bases.h"
#include "topic_listing.h"

#define PARTITIONS_MAX 16384

static enum cli_exit list_partitions(const struct berth_config *config,
                                     struct cli_offsets *ret_listing);
static enum cli_exit read_kept(struct cli_kept_bases *kept, struct cli_offsets *listing);

enum cli_exit cli_offsets_read(const struct berth_config *config, const char *cluster,
                               struct cli_offsets *ret_offsets) {
    struct cli_kept_bases kept = {0};
    enum cli_exit status = list_partitions(config, ret_offsets);
    if (status == CLI_SUCCEEDED) {
        status = cli_kept_bases_open(config, cluster, &kept);
    }
    if (status == CLI_SUCCEEDED) {
        status = read_kept(&kept, ret_offsets);
    }
    cli_kept_bases_close(&kept);
    if (status == CLI_SUCCEEDED) {
        struct berth_error error = {0};
        enum berth_rc rc = berth_kafka_offsets(config, ret_offsets->partitions, ret_offsets->count,
                                               CLI_KAFKA_TIMEOUT_MS, &error);
        status = rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, &error);
    }
    return status;
}

void cli_offsets_free(struct cli_offsets *offsets) {
    free(offsets->partitions);
    *offsets = (struct cli_offsets){0};
}

bool cli_offsets_stopped(const struct berth_partition_offsets *partition) {
    return partition->unreadable != NULL || partition->position.origin == BERTH_LOG_STOPPED;
}

static enum cli_exit list_partitions(const struct berth_config *config,
                                     struct cli_offsets *ret_listing) {
    struct cli_topic_listing *topics = calloc(1, sizeof(*topics));
    ret_listing->partitions = calloc(PARTITIONS_MAX, sizeof(*ret_listing->partitions));
    if (topics == NULL || ret_listing->partitions == NULL) {
        free(topics);
        return cli_fault(BERTH_FAULT_MEMORY, NULL);
    }
    cli_topic_listing_make(config, topics);
    const struct berth_kafka_properties kafka = {.items = config->kafka.properties,
                                                 .count = config->kafka.properties_count};
    struct berth_error error = {0};
    enum berth_rc rc = berth_topics_describe(&kafka, topics->names, topics->commands_count,
                                             CLI_KAFKA_TIMEOUT_MS, topics->statuses, &error);
    for (size_t i = 0; rc == BERTH_OK && i < topics->commands_count; i++) {
        if (!topics->statuses[i].exists) {
            cli_complain("topic %s is missing: berth topics --create makes it", topics->names[i]);
        }
        for (int32_t n = 0; n < topics->statuses[i].partitions; n++) {
            if (ret_listing->count < PARTITIONS_MAX) {
                ret_listing->partitions[ret_listing->count++] =
                    (struct berth_partition_offsets){.topic = topics->names[i], .partition = n};
            }
        }
    }
    free(topics);
    if (rc != BERTH_OK) {
        return cli_fault(rc, &error);
    }
    return ret_listing->count > 0 ? CLI_SUCCEEDED : CLI_FAILED;
}

static enum cli_exit read_kept(struct cli_kept_bases *kept, struct cli_offsets *listing) {
    struct berth_base *places = calloc(listing->count, sizeof(*places));
    struct berth_kept_base *bases = calloc(listing->count, sizeof(*bases));
    enum cli_exit status = CLI_FAILED;
    if (places == NULL || bases == NULL) {
        status = cli_fault(BERTH_FAULT_MEMORY, NULL);
    } else {
        for (size_t i = 0; i < listing->count; i++) {
            places[i] = (struct berth_base){.topic = listing->partitions[i].topic,
                                            .partition = listing->partitions[i].partition};
        }
        status = cli_kept_bases_read(kept, places, listing->count, bases);
        for (size_t i = 0; status == CLI_SUCCEEDED && i < listing->count; i++) {
            listing->partitions[i].kept = bases[i];
        }
    }
    free(places);
    free(bases);
    return status;
}
