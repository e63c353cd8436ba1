/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A space's state as fields and values: the hash of a space, and the text of a claim's `before`
 * (docs/redis.md). The text is what HGETALL answers, one field or value a line.
 */
#ifndef BERTH_IO_SPACE_FIELDS_H
#define BERTH_IO_SPACE_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/space.h"
#include "berth/io/redis_args.h"

/* The room that the fields of a state take in a command's words. */
#define SPACE_FIELDS_WORDS(bindings) (2 * (10 + (bindings)))
#define SPACE_FIELDS_TEXT(bindings)  (256 + 192 * (bindings))

/* Adds field, value, field, value, ... of a state that is ABSENT or PRESENT (asserted). version
 * takes the place of the state's own. */
void space_fields_add(struct berth_redis_args *args, const struct berth_space_state *state,
                      int64_t version);

/* The length of the text that space_fields_text() makes is at most this. */
#define SPACE_FIELDS_LINES(bindings) (768 + 384 * (bindings))

/* Replaces the words from `from` on by one: their text, one word a line. */
void space_fields_join(struct berth_redis_args *args, size_t from);

/*
 * Reads a text. Fields it doesn't know are passed over. A text without a field "state", or one that
 * can't be understood, is UNKNOWN: then Harbor is read. The bindings are the caller's:
 * space_fields_free().
 * BERTH_FAULT_MEMORY: ret_state is not written.
 */
BERTH_MUST_USE enum berth_rc space_fields_parse(const char *text, size_t len,
                                                struct berth_space_state *ret_state);
void space_fields_free(struct berth_space_state *state);

#endif
