/* SPDX-License-Identifier: Apache-2.0 */
/* Where all partitions of the command topics stand, by Kafka and by Redis. */
#ifndef BERTH_CLI_OFFSETS_LISTING_H
#define BERTH_CLI_OFFSETS_LISTING_H

#include "berth/io/kafka_offsets.h"
#include "cli.h"

struct cli_offsets {
    struct berth_partition_offsets *partitions; /* Owned; NULL: not read. */
    size_t count;
};

/* Reads them. CLI_FAILED, CLI_NO_ANSWER: told on standard error. Freed in any case. */
enum cli_exit cli_offsets_read(const struct berth_config *config, const char *cluster,
                               struct cli_offsets *ret_offsets);
void cli_offsets_free(struct cli_offsets *offsets);

/* Nothing is read from it, or it can't be told. */
bool cli_offsets_stopped(const struct berth_partition_offsets *partition);

#endif
