/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded check: walks Avro bytes over their writer's schema, before avro-c sees them.
 *
 * avro-c 1.11 leaks a gigabyte on a six-byte record, takes any block count and enum number, has no
 * limit on depth, and doesn't notice what follows the record. The check allocates nothing, takes
 * time in proportion to the bytes, and refuses
 *   a variable-length number of more than 10 bytes or more than 64 bits, an int beyond 32 bits;
 *   a length that is negative or runs past the end; a boolean other than 0 and 1;
 *   text that isn't UTF-8; an enum's or union's number without a symbol or branch;
 *   a block whose size in bytes, where it's given, isn't its size;
 *   nesting beyond BERTH_SCHEMA_DEPTH_MAX, more than BERTH_AVRO_VALUES_MAX values in all;
 *   bytes behind the record.
 * What passes, avro-c reads without an error.
 */
#ifndef BERTH_SRC_CODEC_AVRO_CHECK_H
#define BERTH_SRC_CODEC_AVRO_CHECK_H

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "schema.h"

/* Fields, items and entries, at any depth. A command of 1,000 workspaces has about as many. */
#define BERTH_AVRO_VALUES_MAX 32768

/* BERTH_INVALID: a rule is broken; reterr names the rule, the field and the byte. */
BERTH_MUST_USE enum berth_rc berth_avro_check(const struct berth_schema_node *node,
                                              struct berth_bytes body, struct berth_error *reterr);

#endif
