/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup_absent.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

static bool is_about(const struct lookup_absence *absence, uint32_t registry, const char *space) {
    return absence->registry == registry && strcmp(absence->space, space) == 0;
}

void lookup_absent_add(struct lookup_absent *absent, uint32_t registry, const char *space,
                       const char *token, int64_t as_of_ms, int64_t now_ms) {
    BERTH_ASSERT(space[0] != '\0');
    struct lookup_absence *place = NULL;
    for (size_t i = 0; i < BERTH_LOOKUP_NEGATIVE_MAX && place == NULL; i++) {
        if (is_about(&absent->places[i], registry, space)) {
            place = &absent->places[i];
        }
    }
    if (place == NULL) {
        place = &absent->places[absent->next];
        absent->next = (absent->next + 1) % BERTH_LOOKUP_NEGATIVE_MAX;
    }
    *place = (struct lookup_absence){
        .registry = registry, .as_of_ms = as_of_ms, .until_ms = now_ms + BERTH_LOOKUP_NEGATIVE_MS};
    (void)snprintf(place->space, sizeof(place->space), "%s", space);
    (void)snprintf(place->token, sizeof(place->token), "%s", token);
}

const struct lookup_absence *lookup_absent_find(const struct lookup_absent *absent,
                                                uint32_t registry, const char *space,
                                                const char *token, int64_t now_ms) {
    for (size_t i = 0; i < BERTH_LOOKUP_NEGATIVE_MAX; i++) {
        const struct lookup_absence *place = &absent->places[i];
        if (is_about(place, registry, space)) {
            bool counts = now_ms < place->until_ms && strcmp(place->token, token) == 0;
            return counts ? place : NULL;
        }
    }
    return NULL;
}
