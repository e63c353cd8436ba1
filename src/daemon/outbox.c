/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

static bool grow(void **array, size_t *capacity, size_t needed, size_t element_bytes);

void outbox_clear(struct outbox *outbox) {
    outbox->count = 0;
    outbox->headers_count = 0;
    while (outbox->offsets_count > 0) {
        free(outbox->metadata[--outbox->offsets_count]);
    }
}

void outbox_deinit(struct outbox *outbox) {
    outbox_clear(outbox);
    free(outbox->metadata);
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

enum berth_rc outbox_add_offset(struct outbox *outbox, const struct berth_batch_offset *offset,
                                const char *mark, const char *map) {
    size_t bytes = strlen(mark) + strlen(map) + 2;
    char *metadata = malloc(bytes);
    if (metadata == NULL ||
        !grow((void **)&outbox->offsets, &outbox->offsets_capacity, outbox->offsets_count + 1,
              sizeof(*outbox->offsets)) ||
        !grow((void **)&outbox->metadata, &outbox->metadata_capacity, outbox->offsets_count + 1,
              sizeof(*outbox->metadata))) {
        free(metadata);
        return BERTH_FAULT_MEMORY;
    }
    bool both = mark[0] != '\0' && map[0] != '\0';
    (void)snprintf(metadata, bytes, "%s%s%s", mark, both ? " " : "", map);
    outbox->metadata[outbox->offsets_count] = metadata;
    outbox->offsets[outbox->offsets_count] = *offset;
    outbox->offsets[outbox->offsets_count++].metadata = metadata;
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
