/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publications as bytes, written: the half of codec/events.h that the reader there is the other of.
 *
 *   any number of parts: each is a publication by itself, and so are any of them joined in order
 *   part:   version (1 byte), length of its records (4, lowest byte first), the records, the first
 *           8 bytes of the SHA-256 of all these
 *   record: kind (1), has value (1), key (text), value (text), number of headers (1), headers
 *   header: length of its name (1), the name and a NUL, value (text)
 *   text:   length (4, lowest byte first), the bytes
 */
#ifndef BERTH_SRC_CODEC_PUBLICATION_H
#define BERTH_SRC_CODEC_PUBLICATION_H

#include "berth/base/buffer.h"
#include "berth/codec/events.h"

/* Result, audit record and state of a space with all its bindings, each below
 * BERTH_WRITTEN_BYTES_MAX, and headers. */
#define BERTH_PUBLICATION_BYTES_MAX (4L * 1024 * 1024)

/* Adds a header to a record that is being made; name and value are borrowed. Asserts that there is
 * room. */
void berth_pack_header(struct berth_event_record *record, const char *name, const char *value);

/* Begins a part, behind what the buffer holds; adds to it; ends the part that began there.
 * BERTH_BUSY: the buffer's limit. Faults: MEMORY. */
BERTH_MUST_USE enum berth_rc berth_pack_begin(struct berth_buffer *out, size_t *ret_part);
BERTH_MUST_USE enum berth_rc berth_pack_add(struct berth_buffer *out,
                                            const struct berth_event_record *record);
BERTH_MUST_USE enum berth_rc berth_pack_end(struct berth_buffer *out, size_t part);

#endif
