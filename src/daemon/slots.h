/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: what the loop keeps for each record that the engine works on, by the engine's slot number:
 * the record itself (a dead letter is made of it) and the bytes that are published for it.
 */
#ifndef BERTH_DAEMON_SLOTS_H
#define BERTH_DAEMON_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/codec/events.h"

struct berth_record;

struct berth_slot {
    struct berth_record *record; /* Owned. */
    /* Made for STORE, or the ledger's, or made for publishing. Owned. */
    struct berth_publication publication;
    bool replayed;     /* The publication is the answer to another record with a known id. */
    char omitted[128]; /* What a dead letter says of a value that it goes without. */
    /* Records in their smaller form, of the publication; NULL: it isn't needed. */
    struct smaller *smaller[BERTH_RECORD_KINDS];
    uint32_t refusals; /* How often it was tried alone, and refused. */
    bool too_large;    /* Its records didn't fit: the next time without what can be left out. */
};

/* Owned by its slot. */
struct smaller {
    char omitted[128]; /* What its header says. */
    size_t len;
    uint8_t value[];
};

struct berth_slots {
    struct berth_slot *slots;
    uint32_t count;
};

/* BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc berth_slots_init(struct berth_slots *slots, uint32_t count);
void berth_slots_deinit(struct berth_slots *slots);

struct berth_slot *berth_slot_at(struct berth_slots *slots, uint32_t number);

/* Frees what the slot holds. */
void berth_slot_clear(struct berth_slots *slots, uint32_t number);

/* Forgets the smaller forms, which are those of another publication. */
void berth_slot_drop_smaller(struct berth_slot *slot);

/* Replaces the slot's publication by a copy of packed bytes. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc berth_slot_keep(struct berth_slot *slot, struct berth_bytes packed);

#endif
