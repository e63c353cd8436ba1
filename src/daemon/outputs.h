/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outputs: what is known of each topic that is published to. Whether it takes records at all,
 * why not, how large they may be, and which items of the transaction under way need it.
 *
 * An output that refuses is looked at again and again, with longer and longer pauses; when nothing
 * speaks against it any more, what was set aside for it is tried. Pure but for its memory.
 */
#ifndef BERTH_DAEMON_OUTPUTS_H
#define BERTH_DAEMON_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/codec/events.h"

/* Kafka's own default of max.message.bytes, for topics whose configuration may not be read. */
#define OUTPUTS_MESSAGE_BYTES 1048588
/* Between two looks at an output that refuses: doubled each time, until it is as long as that. */
#define OUTPUTS_LOOK_FIRST_MS 1000
#define OUTPUTS_LOOK_MAX_MS   60000
/* Beside the outputs' bits in what refuses an item: the item itself, since nobody knows why. */
#define OUTPUTS_ITSELF    0x80
#define OUTPUTS_WHY_BYTES 256

struct output {
    char why[OUTPUTS_WHY_BYTES]; /* Why it refuses; "": it doesn't. */
    int64_t read_bytes;          /* Its max.message.bytes when that was last read. */
    int64_t message_bytes;       /* What a batch may have, as far as we know. */
    size_t record_bytes_max;     /* What a record may have. */
};

struct outputs {
    struct output list[BERTH_RECORD_KINDS];
    uint8_t *needs; /* Of each item of the batch: a bit for each output. */
    uint8_t *blame; /* The same: which of them refuse it. */
    size_t items_count;
    size_t items_capacity;
    int64_t look_ms;        /* The pause before the next look. */
    uint8_t on_probation;   /* Refused, and nothing was committed to them since. */
    uint64_t refused_total; /* How often an output was found to refuse. */
};

void outputs_init(struct outputs *outputs);
void outputs_deinit(struct outputs *outputs);

/* An output refuses. Whether that is news: it wasn't known, or for another reason. */
bool outputs_refuse(struct outputs *outputs, enum berth_record_kind kind, const char *why);
/* Nothing speaks against it. Whether it refused before. */
bool outputs_accept(struct outputs *outputs, enum berth_record_kind kind);
/* The bits of those that refuse. */
uint8_t outputs_refusing(const struct outputs *outputs);

/* What the topic takes: its max.message.bytes, below 0: it can't be read. Whether it changed. */
bool outputs_limit(struct outputs *outputs, enum berth_record_kind kind, int64_t message_bytes);
/* The topic refused so many bytes: whatever we thought that it takes was too much. */
void outputs_too_large(struct outputs *outputs, enum berth_record_kind kind, size_t bytes);
/* What a batch may have so that every output takes it: brokers count batches, not records. */
size_t outputs_batch_bytes(const struct outputs *outputs);

/* The items of a new batch follow. */
void outputs_begin(struct outputs *outputs);
/* The next item; BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc outputs_add_item(struct outputs *outputs);
/* The last item has a record of this kind. */
void outputs_need(struct outputs *outputs, enum berth_record_kind kind);
/* For each item of the batch: the outputs that refuse it. NULL: none refuses any. */
const uint8_t *outputs_blame(struct outputs *outputs);
/* The batch's only item is refused, by nobody knows whom. */
const uint8_t *outputs_blame_itself(struct outputs *outputs);

/* The pause before the next look at those that refuse, which doubles it. */
int64_t outputs_pause_ms(struct outputs *outputs);
/* The batch was committed. Once what had refused takes records again, the next trouble is looked at
 * soon; one that only seems well is given longer and longer pauses. */
void outputs_committed(struct outputs *outputs);

#endif
