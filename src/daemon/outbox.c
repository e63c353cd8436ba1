/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

static bool grow(void **array, size_t *capacity, size_t needed, size_t element_bytes);

void outbox_clear(struct outbox *outbox) {
    outbox->count = 0;
    outbox->headers_count = 0;
    outbox->offsets_count = 0;
}

void outbox_deinit(struct outbox *outbox) {
    free(outbox->records);
    free(outbox->slots);
    free(outbox->headers);
    free(outbox->offsets);
    *outbox = (struct outbox){0};
}

enum berth_rc outbox_add(struct outbox *outbox, uint32_t slot, size_t topic, struct berth_bytes key,
                         struct berth_bytes value) {
    size_t capacity = outbox->capacity;
    if (!grow((void **)&outbox->records, &capacity, outbox->count + 1, sizeof(*outbox->records)) ||
        !grow((void **)&outbox->slots, &outbox->capacity, outbox->count + 1,
              sizeof(*outbox->slots))) {
        return BERTH_FAULT_MEMORY;
    }
    outbox->records[outbox->count] =
        (struct berth_batch_record){.topic = topic, .key = key, .value = value};
    outbox->slots[outbox->count] = slot;
    outbox->count++;
    return BERTH_OK;
}

enum berth_rc outbox_add_headers(struct outbox *outbox, const struct berth_header *headers,
                                 size_t count) {
    BERTH_ASSERT(outbox->count > 0);
    if (!grow((void **)&outbox->headers, &outbox->headers_capacity, outbox->headers_count + count,
              sizeof(*outbox->headers))) {
        return BERTH_FAULT_MEMORY;
    }
    if (count > 0) {
        memcpy(outbox->headers + outbox->headers_count, headers, count * sizeof(*headers));
    }
    outbox->headers_count += count;
    outbox->records[outbox->count - 1].headers_count += count;
    return BERTH_OK;
}

enum berth_rc outbox_add_offset(struct outbox *outbox, const struct berth_batch_offset *offset) {
    if (!grow((void **)&outbox->offsets, &outbox->offsets_capacity, outbox->offsets_count + 1,
              sizeof(*outbox->offsets))) {
        return BERTH_FAULT_MEMORY;
    }
    outbox->offsets[outbox->offsets_count++] = *offset;
    return BERTH_OK;
}

void outbox_seal(struct outbox *outbox) {
    const struct berth_header *headers = outbox->headers;
    for (size_t i = 0; i < outbox->count; i++) {
        outbox->records[i].headers = headers;
        headers += outbox->records[i].headers_count;
    }
}

static bool grow(void **array, size_t *capacity, size_t needed, size_t element_bytes) {
    if (needed <= *capacity && *array != NULL) {
        return true;
    }
    size_t larger = *capacity < 16 ? 16 : *capacity;
    while (larger < needed) {
        larger *= 2;
    }
    void *memory = realloc(*array, larger * element_bytes);
    if (memory == NULL) {
        return false;
    }
    *array = memory;
    *capacity = larger;
    return true;
}
