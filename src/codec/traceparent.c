/* SPDX-License-Identifier: Apache-2.0 */
#include "traceparent.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

#define TRACE_AT    3
#define TRACE_HEX   32
#define SPAN_AT     36
#define SPAN_HEX    16
#define FLAGS_AT    53
#define PARENT_LEN  55
#define ZERO_DIGITS "00000000000000000000000000000000"

static bool is_well_formed(struct berth_bytes text);
static bool is_hex(const char *text, size_t len);

void berth_traceparent_find(const struct berth_header *headers, size_t headers_count,
                            char ret_traceparent[BERTH_TRACEPARENT_BYTES]) {
    ret_traceparent[0] = 0;
    size_t found = 0;
    for (size_t i = 0; i < headers_count; i++) {
        if (strcmp(headers[i].name, "traceparent") != 0) {
            continue;
        }
        found++;
        if (is_well_formed(headers[i].value)) {
            memcpy(ret_traceparent, headers[i].value.data, PARENT_LEN);
            memcpy(ret_traceparent, "00", 2);
            ret_traceparent[PARENT_LEN] = 0;
        }
    }
    if (found > 1) {
        ret_traceparent[0] = 0;
    }
}

void berth_traceparent_trace_id(const char *traceparent, char ret_trace_id[BERTH_TRACE_ID_BYTES]) {
    ret_trace_id[0] = 0;
    if (traceparent[0] != 0) {
        BERTH_ASSERT(strlen(traceparent) == PARENT_LEN);
        memcpy(ret_trace_id, traceparent + TRACE_AT, TRACE_HEX);
        ret_trace_id[TRACE_HEX] = 0;
    }
}

void berth_traceparent_continue(const char *traceparent, const char *event_id,
                                char ret_traceparent[BERTH_TRACEPARENT_BYTES]) {
    ret_traceparent[0] = 0;
    if (traceparent[0] == 0) {
        return;
    }
    BERTH_ASSERT(strlen(traceparent) == PARENT_LEN);
    memcpy(ret_traceparent, traceparent, BERTH_TRACEPARENT_BYTES);
    /* The first 16 digits. The one that says the UUID's version is among them, so it's never 0. */
    size_t out = SPAN_AT;
    for (size_t i = 0; out < SPAN_AT + SPAN_HEX; i++) {
        BERTH_ASSERT(event_id[i] != 0);
        if (event_id[i] != '-') {
            ret_traceparent[out++] = event_id[i];
        }
    }
}

/* Section 3.2 of the W3C recommendation: a later version may go on behind another '-'. */
static bool is_well_formed(struct berth_bytes text) {
    const char *parent = (const char *)text.data;
    if (text.len < PARENT_LEN || !is_hex(parent, 2) || memcmp(parent, "ff", 2) == 0) {
        return false;
    }
    bool first_version = memcmp(parent, "00", 2) == 0;
    if (text.len > PARENT_LEN && (first_version || parent[PARENT_LEN] != '-')) {
        return false;
    }
    return parent[TRACE_AT - 1] == '-' && parent[SPAN_AT - 1] == '-' &&
           parent[FLAGS_AT - 1] == '-' && is_hex(parent + TRACE_AT, TRACE_HEX) &&
           is_hex(parent + SPAN_AT, SPAN_HEX) && is_hex(parent + FLAGS_AT, 2) &&
           memcmp(parent + TRACE_AT, ZERO_DIGITS, TRACE_HEX) != 0 &&
           memcmp(parent + SPAN_AT, ZERO_DIGITS, SPAN_HEX) != 0;
}

static bool is_hex(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f')) {
            return false;
        }
    }
    return true;
}
