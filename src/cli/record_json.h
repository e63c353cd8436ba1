/* SPDX-License-Identifier: Apache-2.0 */
/* Records as JSON, for programs, and the parts of them that are printed for people. */
#ifndef BERTH_CLI_RECORD_JSON_H
#define BERTH_CLI_RECORD_JSON_H

#include <jansson.h>

#include "berth/codec/codec.h"
#include "berth/io/kafka_record.h"

/*
 * The record's value as an object, when it is a record of a schema that berth ships; else NULL
 * (also for a null value). ret_name (may be NULL) is then the Avro record's name, a view of the
 * codec. The caller owns the object.
 */
json_t *cli_record_value(struct berth_codec *codec, const struct berth_record *record,
                         const char **ret_name);

/* The headers as an object; bytes that aren't UTF-8 in base64, under the name and "_base64". Of two
 * with one name the last counts. NULL: no memory. */
json_t *cli_record_headers(const struct berth_record *record);

/* The last header of that name as text, or NULL. Owned by the caller, who frees it. */
char *cli_record_header(const struct berth_record *record, const char *name);

/*
 * {"topic", "partition", "offset", "timestamp", "key", "headers": {}, "value": {...} or null}; a
 * key or value that can't be shown is "key_base64" or "value_base64" instead. NULL: no memory.
 */
json_t *cli_record_json(struct berth_codec *codec, const struct berth_record *record);

/* ISO 8601 in UTC with milliseconds: "2026-11-22T03:04:05.678Z"; "-" for a negative time. */
#define CLI_TIME_BYTES 40
void cli_time_text(int64_t wall_ms, char ret_text[CLI_TIME_BYTES]);

#endif
