/* SPDX-License-Identifier: Apache-2.0 */
/* How `berth offsets` shows partitions. */
#ifndef BERTH_CLI_OFFSETS_PRINT_H
#define BERTH_CLI_OFFSETS_PRINT_H

#include "berth/io/kafka_offsets.h"
#include "cli.h"

/* A table, or one JSON object a line. CLI_FAILED: one is stopped or can't be read, or it couldn't
 * be printed. */
enum cli_exit cli_offsets_print(const struct berth_partition_offsets *partitions, size_t count,
                                bool json);

#endif
