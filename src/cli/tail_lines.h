/* SPDX-License-Identifier: Apache-2.0 */
/* What berth publishes, one line a record, for people. */
#ifndef BERTH_CLI_TAIL_LINES_H
#define BERTH_CLI_TAIL_LINES_H

#include <stdio.h>

#include "berth/codec/codec.h"
#include "berth/io/config.h"
#include "berth/io/kafka_record.h"

/* results, audit, spaces or dlq. */
struct cli_stream;

/* NULL: there is none of that name. */
const struct cli_stream *cli_stream_find(const char *name);

/* A view of the configuration. */
const char *cli_stream_topic(const struct cli_stream *stream, const struct berth_config *config);

/* The line above the first record, for those that are a table. */
void cli_stream_print_head(const struct cli_stream *stream, FILE *out);

/* One line; a record that isn't what the topic should hold is shown as what it is. */
void cli_stream_print(const struct cli_stream *stream, struct berth_codec *codec,
                      const struct berth_record *record, FILE *out);

#endif
