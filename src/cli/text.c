/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdbool.h>
#include <string.h>

static bool is_control(const unsigned char *at, size_t len);

void cli_put_text(FILE *out, const char *text, size_t len) {
    /* Jansson takes nothing but UTF-8. */
    json_t *string = json_stringn(text, len);
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < len; i++) {
        bool wide = bytes[i] >= 0x80;
        if (is_control(bytes + i, len - i) || (wide && string == NULL)) {
            (void)fprintf(out, "\\x%02x", bytes[i]);
            if (wide && string != NULL) {
                (void)fprintf(out, "\\x%02x", bytes[++i]);
            }
        } else {
            (void)fputc(bytes[i], out);
        }
    }
    json_decref(string);
}

void cli_put_member(FILE *out, const json_t *object, const char *name) {
    const json_t *member = json_object_get(object, name);
    if (json_is_string(member)) {
        cli_put_text(out, json_string_value(member), json_string_length(member));
    } else if (json_is_integer(member)) {
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(member));
    } else if (json_is_boolean(member)) {
        (void)fputs(json_is_true(member) ? "yes" : "no", out);
    } else {
        (void)fputc('-', out);
    }
}

const char *cli_member(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

void cli_put_workspaces(FILE *out, const json_t *workspaces) {
    size_t count = json_array_size(workspaces);
    if (count == 0) {
        (void)fputs("No binding", out);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(workspaces, i);
        const char *id =
            json_is_string(item) ? json_string_value(item) : cli_member(item, "workspace");
        (void)fputs(i > 0 ? ", " : "", out);
        cli_put_text(out, id, strlen(id));
    }
}

void cli_quota_text(const json_t *quota_bytes, char ret_text[CLI_QUOTA_BYTES]) {
    static const char *const UNITS[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    json_int_t quota = json_integer_value(quota_bytes);
    if (!json_is_integer(quota_bytes) || quota < 0) {
        (void)snprintf(ret_text, CLI_QUOTA_BYTES, "%s",
                       json_is_integer(quota_bytes) ? "unlimited" : "-");
        return;
    }
    size_t unit = 0;
    while (quota > 0 && quota % 1024 == 0 && unit + 1 < sizeof(UNITS) / sizeof(UNITS[0])) {
        quota /= 1024;
        unit++;
    }
    (void)snprintf(ret_text, CLI_QUOTA_BYTES, "%" JSON_INTEGER_FORMAT " %s", quota, UNITS[unit]);
}

/* C0, DEL, and C1 as UTF-8 writes it (C2 80 to C2 9F). */
static bool is_control(const unsigned char *at, size_t len) {
    return at[0] < 0x20 || at[0] == 0x7f ||
           (at[0] == 0xc2 && len > 1 && at[1] >= 0x80 && at[1] < 0xa0);
}
