/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/kafka_record.h"

enum berth_rc berth_slots_init(struct berth_slots *slots, uint32_t count) {
    *slots = (struct berth_slots){.count = count};
    slots->slots = calloc(count, sizeof(*slots->slots));
    return slots->slots == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
}

void berth_slots_deinit(struct berth_slots *slots) {
    for (uint32_t i = 0; slots->slots != NULL && i < slots->count; i++) {
        berth_slot_clear(slots, i);
    }
    free(slots->slots);
    *slots = (struct berth_slots){0};
}

struct berth_slot *berth_slot_at(struct berth_slots *slots, uint32_t number) {
    BERTH_ASSERT(number < slots->count);
    return &slots->slots[number];
}

void berth_slot_clear(struct berth_slots *slots, uint32_t number) {
    struct berth_slot *slot = berth_slot_at(slots, number);
    slot->record = berth_record_free(slot->record);
    berth_publication_deinit(&slot->publication);
    berth_slot_drop_smaller(slot);
    slot->refusals = 0;
    slot->too_large = false;
    slot->replayed = false;
}

void berth_slot_drop_smaller(struct berth_slot *slot) {
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        free(slot->smaller[i]);
        slot->smaller[i] = NULL;
    }
}

enum berth_rc berth_slot_keep(struct berth_slot *slot, struct berth_bytes packed) {
    uint8_t *copy = malloc(packed.len);
    if (copy == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    memcpy(copy, packed.data, packed.len);
    berth_publication_deinit(&slot->publication);
    berth_slot_drop_smaller(slot);
    slot->publication = (struct berth_publication){.data = copy, .len = packed.len};
    return BERTH_OK;
}
