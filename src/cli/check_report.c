/* SPDX-License-Identifier: Apache-2.0 */
#include "check_report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES 1024

static const char *const states[CHECK_STATES] = {
    [CHECK_OK] = "ok",
    [CHECK_WARNING] = "warning",
    [CHECK_PROBLEM] = "problem",
    [CHECK_NOT_TRIED] = "not tried",
};

void check_say(struct check_report *report, enum check_state state, const char *subject,
               const char *check, const char *remedy, const char *format, ...) {
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report->counts[state]++;
    if (report->json) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s?}", "state", states[state], "subject",
                                   subject, "check", check, "text", text, "remedy", remedy);
        if (object != NULL) {
            (void)json_dumpf(object, stdout, JSON_COMPACT);
            (void)fputc('\n', stdout);
            json_decref(object);
        }
    } else {
        (void)printf("%-9s  %-*s  %s%s%s\n", states[state], report->width, subject, text,
                     remedy == NULL ? "" : "; remedy: ", remedy == NULL ? "" : remedy);
    }
    (void)fflush(stdout); /* Each line when it is known: some take seconds. */
}
