/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "berth/base/assert.h"
#include "berth/base/log_writer.h"
#include "log_parts.h"

/* Set once at start, read by every thread. */
static atomic_int highest_level = BERTH_LOG_INFO;
static atomic_bool with_journal_prefix = false;

static size_t make_line(char line[BERTH_LOG_LINE_BYTES_MAX], enum berth_log_level level,
                        const char *event, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));
static size_t write_prefix(char *line, size_t capacity, enum berth_log_level level);
static size_t escape_into(char *line, size_t used, size_t capacity, const char *text);

void berth_log_setup(enum berth_log_level level, bool journal_prefix) {
    atomic_store(&highest_level, (int)level);
    atomic_store(&with_journal_prefix, journal_prefix);
}

bool berth_log_enabled(enum berth_log_level level) {
    return (int)level <= atomic_load(&highest_level);
}

void berth_log(enum berth_log_level level, const char *event, const char *format, ...) {
    if (!berth_log_enabled(level)) {
        return;
    }
    char line[BERTH_LOG_LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    size_t len = make_line(line, level, event, format, arguments);
    va_end(arguments);
    berth_log_write(line, len);
}

size_t berth_log_make_line(char line[BERTH_LOG_LINE_BYTES_MAX], enum berth_log_level level,
                           const char *event, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t len = make_line(line, level, event, format, arguments);
    va_end(arguments);
    return len;
}

static size_t make_line(char line[BERTH_LOG_LINE_BYTES_MAX], enum berth_log_level level,
                        const char *event, const char *format, va_list arguments) {
    char pairs[BERTH_LOG_LINE_BYTES_MAX];
    (void)vsnprintf(pairs, sizeof(pairs), format, arguments);

    size_t capacity = BERTH_LOG_LINE_BYTES_MAX - 1; /* One byte stays for the newline. */
    size_t used = write_prefix(line, capacity, level);
    used = escape_into(line, used, capacity, event);
    if (pairs[0] != '\0') {
        used = escape_into(line, used, capacity, " ");
        used = escape_into(line, used, capacity, pairs);
    }
    line[used++] = '\n';
    return used;
}

static size_t write_prefix(char *line, size_t capacity, enum berth_log_level level) {
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const int priorities[] = {3, 4, 6, 7}; /* syslog(3) */

    int len;
    if (atomic_load(&with_journal_prefix)) {
        len = snprintf(line, capacity, "<%d>", priorities[level]);
    } else {
        struct timespec now;
        struct tm parts;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &parts);
        char day[32];
        (void)strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
        len = snprintf(line, capacity, "%s.%03ldZ %-7s ", day, now.tv_nsec / 1000000, names[level]);
    }
    BERTH_ASSERT(len > 0);
    return (size_t)len;
}

/* The length of the well-formed UTF-8 sequence that starts here, or 0 (RFC 3629). */
static size_t utf8_sequence(const unsigned char *text) {
    size_t len;
    if (text[0] < 0x80) {
        return 1;
    }
    if (text[0] >= 0xC2 && text[0] <= 0xDF) {
        len = 2;
    } else if (text[0] >= 0xE0 && text[0] <= 0xEF) {
        len = 3;
    } else if (text[0] >= 0xF0 && text[0] <= 0xF4) {
        len = 4;
    } else {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xED && text[1] >= 0xA0;
    bool beyond = text[0] == 0xF4 && text[1] >= 0x90;
    /* U+0080 to U+009F are control characters too: a terminal may obey them. */
    bool control = text[0] == 0xC2 && text[1] < 0xA0;
    return overlong || surrogate || beyond || control ? 0 : len;
}

/* How many bytes from here on need no look of their own: nearly all of a line. */
static size_t plain_run(const unsigned char *text, size_t len_max) {
    size_t len = 0;
    while (len < len_max && text[len] >= 0x20 && text[len] < 0x7F) {
        len++;
    }
    return len;
}

static size_t escape_into(char *line, size_t used, size_t capacity, const char *text) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t run = plain_run(at, capacity - used);
        memcpy(line + used, at, run);
        used += run;
        at += run;
        if (*at == '\0') {
            break;
        }
        size_t len = utf8_sequence(at);
        bool plain = len > 1 || (len == 1 && *at >= 0x20 && *at != 0x7F);
        size_t needed = plain ? len : 4;
        if (needed > capacity - used) {
            break;
        }
        if (plain) {
            memcpy(line + used, at, len);
            at += len;
        } else {
            const char escaped[4] = {'\\', 'x', digits[*at >> 4], digits[*at & 15]};
            memcpy(line + used, escaped, sizeof(escaped));
            at++;
        }
        used += needed;
    }
    return used;
}
