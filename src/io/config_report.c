/* SPDX-License-Identifier: Apache-2.0 */
#include "config_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

/* Names longer than this are near nothing. */
#define NAME_BYTES_MAX 128
/* So many letters, and the beginning of a name is near it. */
#define PREFIX_BYTES_MIN 4

static void add(struct berth_config_report *report, bool warning, int line, const char *format,
                va_list arguments) __attribute__((format(printf, 4, 0)));
static size_t distance(const char *left, const char *right);

void berth_config_error(struct berth_config_report *report, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(report, false, line, format, arguments);
    va_end(arguments);
    report->errors_count++;
}

void berth_config_warning(struct berth_config_report *report, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add(report, true, line, format, arguments);
    va_end(arguments);
    report->warnings_count++;
}

enum berth_rc berth_config_report_write(const struct berth_config_report *report, const char *path,
                                        struct berth_buffer *out) {
    for (size_t i = 0; i < report->findings_count; i++) {
        const struct berth_config_finding *finding = &report->findings[i];
        const char *kind = finding->warning ? "warning" : "error";
        enum berth_rc rc =
            finding->line > 0 ? berth_buffer_printf(out, "%s:%d: %s: %s\n", path, finding->line,
                                                    kind, finding->text)
                              : berth_buffer_printf(out, "%s: %s: %s\n", path, kind, finding->text);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    size_t found = report->errors_count + report->warnings_count;
    if (found > report->findings_count) {
        return berth_buffer_printf(out, "%s: and %zu more\n", path, found - report->findings_count);
    }
    return BERTH_OK;
}

int berth_config_nearest(const char *name, const char *const *names, size_t count) {
    if (strnlen(name, NAME_BYTES_MAX) >= NAME_BYTES_MAX) {
        return -1;
    }
    int nearest = -1;
    /* Up to a third of the name may be wrong, and two letters of a short one. */
    size_t limit = strlen(name) / 3 > 2 ? strlen(name) / 3 : 2;
    for (size_t i = 0; i < count; i++) {
        if (strnlen(names[i], NAME_BYTES_MAX) >= NAME_BYTES_MAX) {
            continue;
        }
        size_t apart = distance(name, names[i]);
        if (apart <= limit && apart < strlen(names[i])) {
            nearest = (int)i;
            limit = apart;
            if (apart == 0) {
                break;
            }
            limit--;
        }
    }
    /* "password" for "password_file". */
    for (size_t i = 0; nearest < 0 && i < count; i++) {
        if (strlen(name) >= PREFIX_BYTES_MIN && strncmp(names[i], name, strlen(name)) == 0) {
            nearest = (int)i;
        }
    }
    return nearest;
}

static void add(struct berth_config_report *report, bool warning, int line, const char *format,
                va_list arguments) {
    if (report->findings_count == BERTH_CONFIG_FINDINGS_MAX) {
        return;
    }
    struct berth_config_finding *finding = &report->findings[report->findings_count++];
    finding->warning = warning;
    finding->line = line;
    (void)vsnprintf(finding->text, sizeof(finding->text), format, arguments);
}

/* The Levenshtein distance: letters to change, add or drop. One row of its table is kept. */
static size_t distance(const char *left, const char *right) {
    size_t row[NAME_BYTES_MAX + 1];
    size_t right_len = strlen(right);
    BERTH_ASSERT(right_len < NAME_BYTES_MAX);
    for (size_t j = 0; j <= right_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; left[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= right_len; j++) {
            size_t changed = diagonal + (left[i - 1] != right[j - 1] ? 1 : 0);
            size_t dropped = row[j] + 1;
            size_t added = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = changed < dropped ? changed : dropped;
            row[j] = row[j] < added ? row[j] : added;
        }
    }
    return row[right_len];
}
