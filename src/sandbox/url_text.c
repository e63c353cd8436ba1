/* SPDX-License-Identifier: Apache-2.0 */
#include "url_text.h"

#include <ctype.h>
#include <stddef.h>

static bool well_formed(const char *text);
static int digit_value(char digit);

bool berth_sandbox_url_decode(char *text, bool plus_is_space) {
    if (!well_formed(text)) {
        return false;
    }
    const char *from = text;
    char *to = text;
    while (*from != '\0') {
        if (*from == '%') {
            *to++ = (char)(digit_value(from[1]) * 16 + digit_value(from[2]));
            from += 3;
        } else if (*from == '+' && plus_is_space) {
            *to++ = ' ';
            from++;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return true;
}

static bool well_formed(const char *text) {
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '%') {
            continue;
        }
        if (isxdigit((unsigned char)at[1]) == 0 || isxdigit((unsigned char)at[2]) == 0) {
            return false;
        }
        if (at[1] == '0' && at[2] == '0') {
            /* A decoded NUL would cut the text in silence. */
            return false;
        }
    }
    return true;
}

static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return (digit | 0x20) - 'a' + 10;
}
