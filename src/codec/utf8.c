/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <string.h>

#include "berth/base/assert.h"

static size_t character_len(const uint8_t *at, size_t left);
static bool is_control(const uint8_t *character, size_t len);

size_t berth_utf8_valid_len(const void *text, size_t len) {
    const uint8_t *bytes = text;
    size_t at = 0;
    while (at < len) {
        size_t step = bytes[at] < 0x80 ? 1 : character_len(bytes + at, len - at);
        if (step == 0) {
            break;
        }
        at += step;
    }
    return at;
}

bool berth_utf8_has_control(const void *text, size_t len) {
    const uint8_t *bytes = text;
    for (size_t at = 0; at < len; at++) {
        if (is_control(bytes + at, len - at)) {
            return true;
        }
    }
    return false;
}

void berth_utf8_copy_clean(const void *text, size_t len, char *ret_text, size_t ret_bytes) {
    BERTH_ASSERT(ret_bytes > 0);
    const uint8_t *bytes = text;
    size_t at = 0;
    size_t out = 0;
    while (at < len) {
        size_t step = character_len(bytes + at, len - at);
        bool bad = step == 0 || is_control(bytes + at, len - at);
        size_t written = bad ? 1 : step;
        if (out + written >= ret_bytes) {
            break;
        }
        if (bad) {
            ret_text[out] = '?';
        } else {
            memcpy(ret_text + out, bytes + at, step);
        }
        out += written;
        at += step == 0 ? 1 : step;
    }
    ret_text[out] = 0;
}

/* The length of the character that starts here; 0: it isn't one. RFC 3629, section 4. */
static size_t character_len(const uint8_t *at, size_t left) {
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    /* The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF. */
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t len = 0;
    if (first >= 0xc2 && first <= 0xdf) {
        len = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        len = 3;
        low = first == 0xe0 ? 0xa0 : low;
        high = first == 0xed ? 0x9f : high;
    } else if (first >= 0xf0 && first <= 0xf4) {
        len = 4;
        low = first == 0xf0 ? 0x90 : low;
        high = first == 0xf4 ? 0x8f : high;
    }
    if (len == 0 || left < len || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((at[i] & 0xc0U) != 0x80) {
            return 0;
        }
    }
    return len;
}

static bool is_control(const uint8_t *character, size_t len) {
    if (character[0] < 0x20 || character[0] == 0x7f) {
        return true;
    }
    /* U+0080 to U+009F are C2 80 to C2 9F; no other character begins with C2 and such a byte. */
    return character[0] == 0xc2 && len > 1 && character[1] <= 0x9f;
}
