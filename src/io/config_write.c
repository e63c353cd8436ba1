/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as text: the one in force, and the example. */
#include <inttypes.h>
#include <string.h>

#include "berth/base/assert.h"
#include "config_table.h"
#include "config_values.h"

#define EXAMPLE_REGISTRY "main"

static enum berth_rc write_section(enum berth_config_section_id section, const void *base,
                                   struct berth_buffer *out);
static enum berth_rc write_properties(const struct berth_config *config, struct berth_buffer *out);
static enum berth_rc write_example_section(enum berth_config_section_id section,
                                           struct berth_buffer *out);
static enum berth_rc write_example_option(const struct berth_config_option *option,
                                          struct berth_buffer *out);
static enum berth_rc write_comment(const char *text, struct berth_buffer *out);

enum berth_rc berth_config_write(const struct berth_config *config, struct berth_buffer *out) {
    enum berth_rc rc = berth_buffer_printf(out, "# %s\n[berth]\n", config->path);
    if (rc == BERTH_OK) {
        rc = write_section(BERTH_SECTION_BERTH, config, out);
    }
    if (rc == BERTH_OK) {
        rc = write_properties(config, out);
    }
    if (rc == BERTH_OK) {
        rc = berth_buffer_append_text(out, "\n[topics]\n");
    }
    if (rc == BERTH_OK) {
        rc = write_section(BERTH_SECTION_TOPICS, config, out);
    }
    if (rc == BERTH_OK) {
        rc = berth_buffer_append_text(out, "\n[redis]\n");
    }
    if (rc == BERTH_OK) {
        rc = write_section(BERTH_SECTION_REDIS, config, out);
    }
    for (size_t i = 0; rc == BERTH_OK && i < config->registries_count; i++) {
        rc = berth_buffer_printf(out, "\n[registry %s]\n", config->registries[i].name);
        if (rc == BERTH_OK) {
            rc = write_section(BERTH_SECTION_REGISTRY, &config->registries[i], out);
        }
    }
    return rc;
}

enum berth_rc berth_config_write_example(struct berth_buffer *out) {
    enum berth_rc rc = berth_buffer_append_text(
        out,
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# The configuration of berthd and berth: every option at its default. What has no "
        "default\n"
        "# is commented out, or has an example's value where berthd can't do without it.\n"
        "#\n"
        "# A comment has a line of its own. A value that ends with a comma goes on on the next "
        "line\n"
        "# if that one is indented. Secrets are only in files of their own, whose permissions "
        "keep\n"
        "# others out; one newline at their end doesn't count. `berthd -t` checks all of it.\n");
    for (int id = 0; rc == BERTH_OK && id < BERTH_SECTIONS; id++) {
        rc = write_example_section((enum berth_config_section_id)id, out);
    }
    return rc;
}

static enum berth_rc write_section(enum berth_config_section_id section, const void *base,
                                   struct berth_buffer *out) {
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section != section || !berth_option_is_set(&table[i], base)) {
            continue;
        }
        enum berth_rc rc = berth_buffer_printf(out, "%s = ", table[i].name);
        if (rc == BERTH_OK) {
            rc = berth_option_format(&table[i], base, out);
        }
        if (rc == BERTH_OK) {
            rc = berth_buffer_append_text(out, "\n");
        }
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return BERTH_OK;
}

static enum berth_rc write_properties(const struct berth_config *config, struct berth_buffer *out) {
    enum berth_rc rc = berth_buffer_append_text(out, "\n[kafka]\n");
    for (size_t i = 0; rc == BERTH_OK && i < config->kafka.properties_count; i++) {
        const struct berth_config_property *property = &config->kafka.properties[i];
        rc = property->file != NULL
                 ? berth_buffer_printf(out, "%s_file = %s\n", property->name, property->file)
                 : berth_buffer_printf(out, "%s = %s\n", property->name, property->value);
    }
    return rc;
}

static enum berth_rc write_example_section(enum berth_config_section_id section,
                                           struct berth_buffer *out) {
    enum berth_rc rc = berth_buffer_append_text(out, "\n");
    if (rc == BERTH_OK) {
        rc = write_comment(berth_config_section_help(section), out);
    }
    if (rc == BERTH_OK) {
        const char *name = section == BERTH_SECTION_REGISTRY ? " " EXAMPLE_REGISTRY : "";
        rc = berth_buffer_printf(out, "[%s%s]\n", berth_config_section_name(section), name);
    }
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; rc == BERTH_OK && i < count; i++) {
        if (table[i].section == section) {
            rc = write_example_option(&table[i], out);
        }
    }
    return rc;
}

/* Help, what the value may be where the value itself doesn't show it, and the value. */
static enum berth_rc write_example_option(const struct berth_config_option *option,
                                          struct berth_buffer *out) {
    enum berth_rc rc = berth_buffer_append_text(out, "\n");
    if (rc == BERTH_OK) {
        rc = write_comment(option->help, out);
    }
    if (rc == BERTH_OK && option->type == BERTH_OPTION_INTEGER) {
        rc = berth_buffer_printf(out, "# %" PRId64 " to %" PRId64 "%s%s\n", option->min,
                                 option->max, option->unit != NULL ? " " : "",
                                 option->unit != NULL ? option->unit : "");
    }
    if (rc == BERTH_OK && option->type == BERTH_OPTION_BOOLEAN) {
        rc = berth_buffer_append_text(out, "# yes or no\n");
    }
    for (int i = 0; rc == BERTH_OK && option->choices[i] != NULL; i++) {
        rc = berth_buffer_printf(out, "%s%s%s", i == 0 ? "# " : ", ", option->choices[i],
                                 option->choices[i + 1] == NULL ? "\n" : "");
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    BERTH_ASSERT(option->value != NULL || option->example != NULL);
    bool commented = option->value == NULL && option->need == BERTH_OPTIONAL;
    return berth_buffer_printf(out, "%s%s = %s\n", commented ? "#" : "", option->name,
                               option->value != NULL ? option->value : option->example);
}

static enum berth_rc write_comment(const char *text, struct berth_buffer *out) {
    enum berth_rc rc = BERTH_OK;
    while (rc == BERTH_OK && *text != '\0') {
        size_t len = strcspn(text, "\n");
        rc = berth_buffer_printf(out, "# %.*s\n", (int)len, text);
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    return rc;
}
