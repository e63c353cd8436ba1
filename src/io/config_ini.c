/* SPDX-License-Identifier: Apache-2.0 */
#include "config_ini.h"

#include <ctype.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "config_report.h"

/* What is known while inih pulls lines out of take_line() and pushes entries into on_entry(). */
struct reading {
    const char *text;
    size_t len;
    size_t at;         /* The next line's first byte. */
    int line;          /* The number of the line handed out last. */
    bool comma;        /* That line's value ended with a comma. */
    bool continuation; /* That line goes on with the value of the one before. */
    struct berth_ini *ini;
    struct berth_config_report *report;
    enum berth_rc rc;
};

static char *take_line(char *line, int size, void *stream);
static int on_entry(void *user, const char *section, const char *name, const char *value);
static size_t clean_line(struct reading *reading, const char *raw, size_t len, const char **ret_at);
static void on_section(struct reading *reading, const char *line, size_t len);
static enum berth_rc add_section(struct berth_ini *ini, const char *name, size_t len, int line);
static enum berth_rc add_entry(struct berth_ini *ini, const char *name, const char *value,
                               int line);
static enum berth_rc append_value(struct berth_ini_entry *entry, const char *value);

enum berth_rc berth_ini_parse(const char *text, size_t len, struct berth_ini *ret_ini,
                              struct berth_config_report *report) {
    struct berth_ini ini = {0};
    struct reading reading = {
        .text = text, .len = len, .ini = &ini, .report = report, .rc = BERTH_OK};

    int wrong_line = ini_parse_stream(take_line, &reading, on_entry, &reading);
    if (reading.rc != BERTH_OK || wrong_line < 0) {
        berth_ini_deinit(&ini);
        return BERTH_FAULT_MEMORY;
    }
    if (wrong_line > 0) {
        /* inih tells only the first; what follows was read all the same. */
        berth_config_error(report, wrong_line,
                           "neither a [section], nor name = value, nor a comment");
    }
    *ret_ini = ini;
    return BERTH_OK;
}

void berth_ini_deinit(struct berth_ini *ini) {
    for (size_t i = 0; i < ini->sections_count; i++) {
        free(ini->sections[i].name);
    }
    for (size_t i = 0; i < ini->entries_count; i++) {
        free(ini->entries[i].name);
        free(ini->entries[i].value);
    }
    free(ini->sections);
    free(ini->entries);
    *ini = (struct berth_ini){0};
}

/* inih's reader callback: the next line without its end, or an empty one in place of a line that is
 * a comment or was refused, so that inih counts the same lines as we do. */
static char *take_line(char *line, int size, void *stream) {
    struct reading *reading = stream;
    if (reading->at >= reading->len || reading->rc != BERTH_OK) {
        return NULL;
    }
    const char *raw = reading->text + reading->at;
    const char *end = memchr(raw, '\n', reading->len - reading->at);
    size_t raw_len = end != NULL ? (size_t)(end - raw) : reading->len - reading->at;
    reading->at += raw_len + 1;
    reading->line++;

    const char *start = raw;
    size_t len = clean_line(reading, raw, raw_len, &start);
    BERTH_ASSERT(size > 0);
    if (len >= (size_t)size) {
        /* An inih that was built for shorter lines than Debian's. */
        berth_config_error(reading->report, reading->line, "the line is longer than %d bytes",
                           size - 1);
        len = 0;
    }
    memcpy(line, start, len);
    line[len] = '\0';
    return line;
}

/* Decides what inih gets to see of a line; what it doesn't is reported here. */
static size_t clean_line(struct reading *reading, const char *raw, size_t len,
                         const char **ret_at) {
    bool after_comma = reading->comma;
    reading->comma = false;
    reading->continuation = false;
    if (reading->line == 1 && len >= 3 && memcmp(raw, "\xef\xbb\xbf", 3) == 0) {
        raw += 3; /* The byte order mark that some editors leave. */
        len -= 3;
    }
    while (len > 0 && isspace((unsigned char)raw[len - 1])) {
        len--;
    }
    size_t blanks = 0;
    while (blanks < len && isspace((unsigned char)raw[blanks])) {
        blanks++;
    }
    if (blanks == len || strchr("#;", raw[blanks]) != NULL) {
        return 0;
    }
    if (memchr(raw, '\0', len) != NULL) {
        berth_config_error(reading->report, reading->line, "the line holds a NUL byte");
        return 0;
    }
    if (len > BERTH_CONFIG_LINE_BYTES_MAX) {
        berth_config_error(reading->report, reading->line,
                           "the line has %zu bytes, more than %d; a list may go on on the next "
                           "line, which is then indented, after a comma",
                           len, BERTH_CONFIG_LINE_BYTES_MAX);
        return 0;
    }
    for (size_t i = blanks + 1; i < len; i++) {
        if ((raw[i] == '#' || raw[i] == ';') && isspace((unsigned char)raw[i - 1])) {
            berth_config_error(reading->report, reading->line,
                               "'%c' after a blank: a comment needs a line of its own", raw[i]);
            return 0;
        }
    }
    if (raw[blanks] == '[') {
        on_section(reading, raw + blanks, len - blanks);
        /* inih would keep only 49 bytes of its name, and needs it for nothing. */
        *ret_at = "[]";
        return 2;
    }
    reading->comma = raw[len - 1] == ',';
    /* An indented line is a continuation to inih; to us only after a comma, so that a file may be
     * indented as its author likes. */
    reading->continuation = after_comma && blanks > 0;
    *ret_at = reading->continuation ? raw + blanks - 1 : raw + blanks;
    return len - blanks + (reading->continuation ? 1 : 0);
}

static void on_section(struct reading *reading, const char *line, size_t len) {
    BERTH_ASSERT(len > 0);
    const char *end = memchr(line, ']', len);
    if (end != line + len - 1) {
        berth_config_error(reading->report, reading->line,
                           "a section's line begins with '[' and ends with its only ']'");
        return;
    }
    size_t name_len = len - 2;
    for (size_t i = 0; i < reading->ini->sections_count; i++) {
        const struct berth_ini_section *other = &reading->ini->sections[i];
        if (strlen(other->name) == name_len && memcmp(other->name, line + 1, name_len) == 0) {
            berth_config_error(reading->report, reading->line,
                               "[%s] is there twice (first in line %d)", other->name, other->line);
            break;
        }
    }
    reading->rc = add_section(reading->ini, line + 1, name_len, reading->line);
}

/* inih's handler callback. What is wrong with an entry is found later, so none is refused here. */
static int on_entry(void *user, const char *section, const char *name, const char *value) {
    (void)section;
    struct reading *reading = user;
    struct berth_ini *ini = reading->ini;
    if (reading->rc != BERTH_OK) {
        return 1;
    }
    if (ini->sections_count == 0) {
        berth_config_error(reading->report, reading->line, "%s stands before any [section]", name);
        return 1;
    }
    if (reading->continuation && ini->entries_count > 0) {
        reading->rc = append_value(&ini->entries[ini->entries_count - 1], value);
    } else {
        reading->rc = add_entry(ini, name, value, reading->line);
    }
    return 1;
}

static enum berth_rc add_section(struct berth_ini *ini, const char *name, size_t len, int line) {
    struct berth_ini_section *sections =
        reallocarray(ini->sections, ini->sections_count + 1, sizeof(*sections));
    if (sections == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    ini->sections = sections;
    char *copy = strndup(name, len);
    if (copy == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    sections[ini->sections_count++] = (struct berth_ini_section){.name = copy, .line = line};
    return BERTH_OK;
}

static enum berth_rc add_entry(struct berth_ini *ini, const char *name, const char *value,
                               int line) {
    struct berth_ini_entry *entries =
        reallocarray(ini->entries, ini->entries_count + 1, sizeof(*entries));
    if (entries == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    ini->entries = entries;
    struct berth_ini_entry entry = {
        .name = strdup(name),
        .value = strdup(value),
        .line = line,
        .section = ini->sections_count - 1,
    };
    if (entry.name == NULL || entry.value == NULL) {
        free(entry.name);
        free(entry.value);
        return BERTH_FAULT_MEMORY;
    }
    entries[ini->entries_count++] = entry;
    return BERTH_OK;
}

static enum berth_rc append_value(struct berth_ini_entry *entry, const char *value) {
    size_t len = strlen(entry->value);
    size_t more = strlen(value);
    char *longer = realloc(entry->value, len + more + 1);
    if (longer == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    memcpy(longer + len, value, more + 1);
    entry->value = longer;
    return BERTH_OK;
}
