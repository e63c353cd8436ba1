/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settled map: which offsets of one Kafka partition are settled above the first that isn't.
 *
 * Commands settle in any order, but a committed offset says only "everything below". The rest goes
 * into the offset's metadata, in the same transaction: a text with version, base and checksum
 * inside, at most as long as a broker takes. So what was settled is not done again by whoever reads
 * the partition next (design 5).
 *
 * What is settled is kept as runs, sorted, in memory of the caller's; how long its text would be is
 * known at any time without making it. Settling costs a binary search and the move of the runs
 * behind it. Pure: no I/O, no clock, no allocation.
 *
 *      start                base = the offset that is committed
 *        |====== settled ====|--- not ---|== settled ==|-- not --|= settled =| end
 *        +-- undecided: a transaction carries it; forgotten when that is committed
 *
 * Invariants: runs rise, are neither empty nor adjacent, and begin at start or above; the text of
 * what is above base fits (berth_settled_map_settle() sees to it).
 */
#ifndef BERTH_CORE_SETTLED_MAP_H
#define BERTH_CORE_SETTLED_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/log_mark.h"

/* Kafka: offset.metadata.max.bytes, by default; counted in characters. The mark of the log goes
 * before the map, with a blank between them. */
#define BERTH_METADATA_MAX       4096
#define BERTH_SETTLED_TEXT_MAX   (BERTH_METADATA_MAX - BERTH_LOG_MARK_TEXT_BYTES)
#define BERTH_SETTLED_TEXT_BYTES (BERTH_SETTLED_TEXT_MAX + 1)

/* Of a text's bytes before Base64: magic, version, form and base; and the checksum behind all. */
#define BERTH_SETTLED_HEAD_BYTES     11
#define BERTH_SETTLED_CHECKSUM_BYTES 4
/* What is left for runs or bits. */
#define BERTH_SETTLED_ROOM_BYTES                                                                   \
    (BERTH_SETTLED_TEXT_MAX / 4 * 3 - BERTH_SETTLED_HEAD_BYTES - BERTH_SETTLED_CHECKSUM_BYTES)

/*
 * So many offsets a partition may always run ahead of its oldest unsettled one, however they lie:
 * with one bit for each, three quarters of the room are full. Behind a few that take long it is
 * millions, because runs are short to say. A partition whose oldest command takes longer than this
 * many records take to come stops being read until that one is answered: its rate times the age at
 * which a command is given up should stay below.
 */
#define BERTH_SETTLED_AHEAD_MIN ((int64_t)(BERTH_SETTLED_ROOM_BYTES * 3 / 4) * 8)

/* More runs than fit into a text in either form, and two to spare. */
#define BERTH_SETTLED_RUNS_MAX (BERTH_SETTLED_ROOM_BYTES * 8 / 2 + 2)

struct berth_settled_run {
    int64_t first;
    int64_t end; /* One past its last. */
};

struct berth_settled_map {
    int64_t start; /* Everything below is settled. */
    struct berth_settled_run *runs;
    size_t count;
    size_t capacity;
    size_t runs_bytes; /* What all runs take, as runs. */
};

/* An empty map in the caller's memory, which must outlive it; capacity > 1. */
void berth_settled_map_init(struct berth_settled_map *map, struct berth_settled_run *runs,
                            size_t capacity, int64_t start);

/* The first offset that isn't settled: what may be committed. */
int64_t berth_settled_map_base(const struct berth_settled_map *map);
/* One past the last that is settled; the base when nothing above it is. */
int64_t berth_settled_map_end(const struct berth_settled_map *map);
bool berth_settled_map_has(const struct berth_settled_map *map, int64_t offset);
/* The first of the unsettled offsets that lie directly before this one; itself when there is none.
 */
int64_t berth_settled_map_gap_before(const struct berth_settled_map *map, int64_t offset);

/*
 * Settles [first, end), of which nothing is settled (asserted).
 * BERTH_BUSY: the text would not fit, or there is no run left; nothing changed. Never when first is
 * the base.
 */
BERTH_MUST_USE enum berth_rc berth_settled_map_settle(struct berth_settled_map *map, int64_t first,
                                                      int64_t end);
/* Takes that back: to be called for the latest first, so that every state was there before. */
void berth_settled_map_unsettle(struct berth_settled_map *map, int64_t first, int64_t end);

/* The base is committed: what led to it needn't be taken back any more. */
void berth_settled_map_commit(struct berth_settled_map *map);
/* Everything below the offset counts as settled: nothing of it will come, or it is committed. */
void berth_settled_map_start_at(struct berth_settled_map *map, int64_t offset);

/* More than three quarters of the room are used. */
bool berth_settled_map_crowded(const struct berth_settled_map *map);
/* What the map takes of BERTH_SETTLED_ROOM_BYTES. */
size_t berth_settled_map_bytes(const struct berth_settled_map *map);

/* Whether everything that is settled in the second one is settled in the first. */
bool berth_settled_map_covers(const struct berth_settled_map *map,
                              const struct berth_settled_map *other);

/* ---- Text (settled_text.c) ---- */

/* Writes the text for what is settled above the base; empty when that is nothing. */
void berth_settled_map_write(const struct berth_settled_map *map,
                             char ret_text[BERTH_SETTLED_TEXT_BYTES]);

enum berth_settled_reading {
    BERTH_SETTLED_READ,       /* Taken over; nothing at all for an empty text. */
    BERTH_SETTLED_CUT,        /* There were more runs than the map takes: the lower ones. */
    BERTH_SETTLED_FOREIGN,    /* Somebody else's text. Like the following: nothing changed. */
    BERTH_SETTLED_VERSION,    /* Of a later version. */
    BERTH_SETTLED_DAMAGED,    /* Its checksum is wrong, or what it says can't be. */
    BERTH_SETTLED_OTHER_BASE, /* It was made for another offset than it was committed with. */
};

/* Reads a text into a map that is empty and starts at the offset that the text came with. */
enum berth_settled_reading berth_settled_map_read(struct berth_settled_map *map, const char *text);

#endif
