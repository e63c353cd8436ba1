/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: the records and offsets of the one transaction that is under way. Its memory is kept
 * from one transaction to the next; keys, values and headers are views of what the slots hold,
 * metadata is its own.
 */
#ifndef BERTH_DAEMON_OUTBOX_H
#define BERTH_DAEMON_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/codec/events.h"
#include "berth/io/publisher.h"

struct outbox {
    struct berth_batch_record *records;
    uint32_t *slots; /* Whose record it is, for each. */
    size_t count;
    size_t capacity;
    struct berth_header *headers;
    size_t headers_count;
    size_t headers_capacity;
    struct berth_batch_offset *offsets;
    size_t offsets_count;
    size_t offsets_capacity;
    char **metadata; /* Owned; of each offset. */
    size_t metadata_capacity;
};

void outbox_clear(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox);

/* Adds a record without headers; BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc outbox_add(struct outbox *outbox, uint32_t slot, size_t topic,
                                        struct berth_bytes key, struct berth_bytes value);
/* Adds headers to the record that was added last; BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc outbox_add_headers(struct outbox *outbox,
                                                const struct berth_header *headers, size_t count);
/* Its metadata becomes these words, with a blank between them; either may be empty. */
BERTH_MUST_USE enum berth_rc outbox_add_offset(struct outbox *outbox,
                                               const struct berth_batch_offset *offset,
                                               const char *mark, const char *map);

/* Points each record to its headers, whose array has its final place now. */
void outbox_seal(struct outbox *outbox);

#endif
