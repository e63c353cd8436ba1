/* SPDX-License-Identifier: Apache-2.0 */
#include "trouble.h"

#include <stdio.h>
#include <string.h>

static size_t place_for(const struct trouble *trouble, const char *text);

bool trouble_met(struct trouble *trouble, const char *text, int64_t now_ms) {
    size_t place = place_for(trouble, text);
    bool known = strcmp(trouble->told[place].text, text) == 0;
    bool tell = !known || now_ms - trouble->told[place].told_ms >= TROUBLE_AGAIN_MS;
    if (tell) {
        (void)snprintf(trouble->told[place].text, sizeof(trouble->told[place].text), "%s", text);
        trouble->told[place].told_ms = now_ms;
    }
    trouble->newest = place;
    trouble->met_ms = now_ms;
    return tell;
}

/* Where the text is, or the place of the one that was told longest ago. */
static size_t place_for(const struct trouble *trouble, const char *text) {
    size_t oldest = 0;
    for (size_t i = 0; i < TROUBLE_TEXTS; i++) {
        if (strcmp(trouble->told[i].text, text) == 0) {
            return i;
        }
        if (trouble->told[i].told_ms < trouble->told[oldest].told_ms) {
            oldest = i;
        }
    }
    return oldest;
}

const char *trouble_now(const struct trouble *trouble, int64_t now_ms) {
    const char *text = trouble->told[trouble->newest].text;
    return text[0] != '\0' && now_ms - trouble->met_ms < TROUBLE_OVER_MS ? text : NULL;
}

void trouble_over(struct trouble *trouble) {
    *trouble = (struct trouble){.newest = 0};
}
