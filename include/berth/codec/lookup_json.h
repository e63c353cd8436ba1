/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lookups answer, as JSON text (docs/lookups.md): a space, a page of spaces, an error.
 *
 * Written straight into a buffer, since a page of a thousand spaces is written while commands wait
 * for the loop. All text is escaped; bytes that aren't UTF-8 become U+FFFD. No secrets and no key
 * ids. Pure.
 *
 * Each function appends. BERTH_BUSY: the buffer's limit; BERTH_FAULT_MEMORY. After either of them
 * the buffer ends somewhere inside.
 */
#ifndef BERTH_CODEC_LOOKUP_JSON_H
#define BERTH_CODEC_LOOKUP_JSON_H

#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/core/space.h"

/* One space, which is PRESENT (asserted), as an object: what a page's list holds. */
BERTH_MUST_USE enum berth_rc berth_space_json_write(const char *registry, const char *space,
                                                    const struct berth_space_state *state,
                                                    struct berth_buffer *out);

/* The same with `as_of` in front: the answer about one space. Wall clock, as all times here. */
BERTH_MUST_USE enum berth_rc berth_space_json_write_as_of(int64_t as_of_ms, const char *registry,
                                                          const char *space,
                                                          const struct berth_space_state *state,
                                                          struct berth_buffer *out);

/*
 * A page: begin, then add for each space, then end. next is the cursor of the page that follows;
 * NULL: there is none.
 */
BERTH_MUST_USE enum berth_rc berth_spaces_json_begin(int64_t as_of_ms, struct berth_buffer *out);
BERTH_MUST_USE enum berth_rc berth_spaces_json_add(const char *registry, const char *space,
                                                   const struct berth_space_state *state,
                                                   struct berth_buffer *out);
BERTH_MUST_USE enum berth_rc berth_spaces_json_end(const char *next, struct berth_buffer *out);

/* {"error":{"code":...,"message":...}} and a newline: one line. */
BERTH_MUST_USE enum berth_rc berth_error_json_write(const char *code, const char *message,
                                                    struct berth_buffer *out);

#endif
