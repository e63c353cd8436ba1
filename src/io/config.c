/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/core/limits.h"
#include "berth/io/redis_client.h"
#include "config_loader.h"
#include "config_report.h"
#include "config_values.h"

#define REGISTRY_PREFIX      "registry"
#define COMMAND_TOPIC_PREFIX "berth.commands."

/* Where the entries of one section of the file go. */
struct target {
    bool known;
    enum berth_config_section_id section;
    void *base; /* The struct that holds the section's fields. */
    int *lines; /* Of the options set so far. */
};

static enum berth_rc load(struct berth_config_loader *loader, const char *path);
static enum berth_rc read_file(const char *path, struct berth_config_report *report,
                               char **ret_text, size_t *ret_len);
static enum berth_rc apply(struct berth_config_loader *loader, const struct berth_ini *ini);
static enum berth_rc open_section(struct berth_config_loader *loader,
                                  const struct berth_ini_section *section,
                                  struct target *ret_target);
static enum berth_rc open_registry(struct berth_config_loader *loader,
                                   const struct berth_ini_section *section,
                                   struct target *ret_target);
static void report_section(struct berth_config_loader *loader,
                           const struct berth_ini_section *section);
static enum berth_rc apply_entry(struct berth_config_loader *loader, const struct target *target,
                                 const struct berth_ini_entry *entry);
static void report_option(struct berth_config_loader *loader, const struct target *target,
                          const struct berth_ini_entry *entry);
static enum berth_rc complete(struct berth_config_loader *loader);
static enum berth_rc complete_section(struct berth_config_loader *loader,
                                      enum berth_config_section_id section, void *base,
                                      const int *lines, int section_line);
static bool is_needed(const struct berth_config_loader *loader,
                      const struct berth_config_option *option);
static enum berth_rc complete_instance(struct berth_config_loader *loader);
static enum berth_rc complete_registry(struct berth_config_loader *loader, size_t index);
static void free_section(enum berth_config_section_id section, void *base);

enum berth_rc berth_config_load(const char *path, enum berth_config_purpose purpose,
                                struct berth_config **ret_config,
                                struct berth_config_report *ret_report) {
    memset(ret_report, 0, sizeof(*ret_report));
    struct berth_config_loader *loader = calloc(1, sizeof(*loader));
    struct berth_config *config = calloc(1, sizeof(*config));
    enum berth_rc rc = BERTH_FAULT_MEMORY;
    if (loader != NULL && config != NULL) {
        loader->config = config;
        loader->report = ret_report;
        loader->purpose = purpose;
        rc = load(loader, path);
    }
    free(loader);
    if (rc == BERTH_OK && ret_report->errors_count > 0) {
        rc = BERTH_INVALID;
    }
    if (rc != BERTH_OK) {
        berth_config_free(config);
        return rc;
    }
    *ret_config = config;
    return BERTH_OK;
}

struct berth_config *berth_config_free(struct berth_config *config) {
    if (config == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        struct berth_config_registry *registry = &config->registries[i];
        free_section(BERTH_SECTION_REGISTRY, registry);
        berth_secret_wipe(&registry->password);
        free(registry->name);
    }
    free(config->registries);
    free_section(BERTH_SECTION_BERTH, config);
    free_section(BERTH_SECTION_TOPICS, config);
    free_section(BERTH_SECTION_REDIS, config);
    berth_config_free_properties(config);
    berth_secret_wipe(&config->master_key);
    berth_secret_wipe(&config->redis.password);
    free(config->path);
    free(config);
    return NULL;
}

const struct berth_config_registry *berth_config_find_registry(const struct berth_config *config,
                                                               const char *name) {
    for (size_t i = 0; i < config->registries_count; i++) {
        if (strcmp(config->registries[i].name, name) == 0) {
            return &config->registries[i];
        }
    }
    return NULL;
}

size_t berth_config_command_topics(const struct berth_config *config,
                                   const char *ret_topics[BERTH_CONFIG_REGISTRIES_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < config->registries_count; i++) {
        const char *topic = config->registries[i].command_topic;
        bool there = false;
        for (size_t j = 0; j < count; j++) {
            there = there || strcmp(ret_topics[j], topic) == 0;
        }
        if (!there) {
            ret_topics[count++] = topic;
        }
    }
    return count;
}

static enum berth_rc load(struct berth_config_loader *loader, const char *path) {
    loader->config->path = strdup(path);
    loader->config->registries =
        calloc(BERTH_CONFIG_REGISTRIES_MAX, sizeof(*loader->config->registries));
    if (loader->config->path == NULL || loader->config->registries == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    char *text = NULL;
    size_t len = 0;
    enum berth_rc rc = read_file(path, loader->report, &text, &len);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_ini ini = {0};
    rc = berth_ini_parse(text, len, &ini, loader->report);
    free(text);
    if (rc == BERTH_OK) {
        rc = apply(loader, &ini);
    }
    berth_ini_deinit(&ini);
    if (rc == BERTH_OK) {
        rc = complete(loader);
    }
    if (rc == BERTH_OK && loader->purpose != BERTH_CONFIG_FOR_TOOLS) {
        rc = berth_config_read_secrets(loader);
    }
    /* With a value missing or misread, what is compared with it would be reported for nothing. */
    if (rc == BERTH_OK && loader->report->errors_count == 0) {
        berth_config_check(loader);
    }
    return rc;
}

/* BERTH_INVALID: it can't be read, and that is reported. */
static enum berth_rc read_file(const char *path, struct berth_config_report *report,
                               char **ret_text, size_t *ret_len) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        berth_config_error(report, 0, "can't be read: %s", strerror(errno));
        return BERTH_INVALID;
    }
    char *text = malloc(BERTH_CONFIG_FILE_BYTES_MAX + 1);
    if (text == NULL) {
        (void)fclose(file);
        return BERTH_FAULT_MEMORY;
    }
    errno = 0;
    size_t len = fread(text, 1, BERTH_CONFIG_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    int problem = errno;
    (void)fclose(file);
    if (failed || len > BERTH_CONFIG_FILE_BYTES_MAX) {
        berth_config_error(report, 0, "can't be read: %s",
                           failed ? strerror(problem) : "more than 256 KiB");
        free(text);
        return BERTH_INVALID;
    }
    *ret_text = text;
    *ret_len = len;
    return BERTH_OK;
}

static enum berth_rc apply(struct berth_config_loader *loader, const struct berth_ini *ini) {
    struct target target = {0};
    size_t entry = 0;
    for (size_t i = 0; i < ini->sections_count; i++) {
        enum berth_rc rc = open_section(loader, &ini->sections[i], &target);
        while (rc == BERTH_OK && entry < ini->entries_count && ini->entries[entry].section == i) {
            if (target.known) {
                rc = apply_entry(loader, &target, &ini->entries[entry]);
            }
            entry++;
        }
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return BERTH_OK;
}

/* A section that isn't known is reported once; its entries are passed over. */
static enum berth_rc open_section(struct berth_config_loader *loader,
                                  const struct berth_ini_section *section,
                                  struct target *ret_target) {
    *ret_target = (struct target){.base = loader->config, .lines = loader->lines};
    for (int id = 0; id < BERTH_SECTION_REGISTRY; id++) {
        if (strcmp(section->name, berth_config_section_name((enum berth_config_section_id)id)) ==
            0) {
            ret_target->known = true;
            ret_target->section = (enum berth_config_section_id)id;
            return BERTH_OK;
        }
    }
    size_t prefix_len = strlen(REGISTRY_PREFIX);
    if (strncmp(section->name, REGISTRY_PREFIX, prefix_len) == 0 &&
        (section->name[prefix_len] == ' ' || section->name[prefix_len] == '\0')) {
        return open_registry(loader, section, ret_target);
    }
    report_section(loader, section);
    return BERTH_OK;
}

static enum berth_rc open_registry(struct berth_config_loader *loader,
                                   const struct berth_ini_section *section,
                                   struct target *ret_target) {
    struct berth_config *config = loader->config;
    const char *name = section->name + strlen(REGISTRY_PREFIX);
    name += strspn(name, " ");
    if (!berth_label_legal(name, BERTH_REGISTRY_BYTES - 1)) {
        berth_config_error(loader->report, section->line,
                           "[%s] must be [registry NAME], with 1 to %d lower-case letters, digits "
                           "and '-' as its name",
                           section->name, BERTH_REGISTRY_BYTES - 1);
        return BERTH_OK;
    }
    if (config->registries_count == BERTH_CONFIG_REGISTRIES_MAX) {
        berth_config_error(loader->report, section->line, "there are more than %d registries",
                           BERTH_CONFIG_REGISTRIES_MAX);
        return BERTH_OK;
    }
    if (berth_config_find_registry(config, name) != NULL) {
        return BERTH_OK; /* The same section twice, which is already reported. */
    }
    size_t index = config->registries_count;
    config->registries[index].name = strdup(name);
    if (config->registries[index].name == NULL) {
        return BERTH_FAULT_MEMORY;
    }
    config->registries_count++;
    loader->registry_lines[index] = section->line;
    *ret_target = (struct target){.known = true,
                                  .section = BERTH_SECTION_REGISTRY,
                                  .base = &config->registries[index],
                                  .lines = loader->registry_option_lines[index]};
    return BERTH_OK;
}

static void report_section(struct berth_config_loader *loader,
                           const struct berth_ini_section *section) {
    const char *names[BERTH_SECTIONS];
    for (int id = 0; id < BERTH_SECTIONS; id++) {
        names[id] = berth_config_section_name((enum berth_config_section_id)id);
    }
    int nearest = berth_config_nearest(section->name, names, BERTH_SECTIONS);
    if (nearest >= 0) {
        berth_config_error(loader->report, section->line,
                           "there is no section [%s]; did you mean [%s%s]?", section->name,
                           names[nearest], nearest == BERTH_SECTION_REGISTRY ? " NAME" : "");
    } else {
        berth_config_error(loader->report, section->line,
                           "there is no section [%s], but [berth], [kafka], [topics], [redis] and "
                           "[registry NAME]",
                           section->name);
    }
}

static enum berth_rc apply_entry(struct berth_config_loader *loader, const struct target *target,
                                 const struct berth_ini_entry *entry) {
    int index = berth_config_find_option(target->section, entry->name);
    if (target->section == BERTH_SECTION_KAFKA) {
        if (index >= 0) {
            target->lines[index] = entry->line;
        }
        return berth_config_add_property(loader, entry);
    }
    if (index < 0) {
        report_option(loader, target, entry);
        return BERTH_OK;
    }
    if (target->lines[index] != 0) {
        berth_config_error(loader->report, entry->line, "%s is set twice (first in line %d)",
                           entry->name, target->lines[index]);
        return BERTH_OK;
    }
    target->lines[index] = entry->line;
    size_t count = 0;
    const struct berth_config_option *option = &berth_config_table(&count)[index];
    struct berth_error error = {0};
    enum berth_rc rc = berth_option_parse(option, entry->value, target->base, &error);
    if (rc == BERTH_INVALID) {
        berth_config_error(loader->report, entry->line, "%s = %s: %s", entry->name, entry->value,
                           error.text);
        return BERTH_OK;
    }
    return rc;
}

/* Says where the option belongs, or what it may have been meant for. Never the value: it may be a
 * password that was put here by mistake. */
static void report_option(struct berth_config_loader *loader, const struct target *target,
                          const struct berth_ini_entry *entry) {
    const char *section = berth_config_section_name(target->section);
    const char *names[BERTH_OPTIONS_MAX];
    size_t names_count = 0;
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section == target->section) {
            names[names_count++] = table[i].name;
        }
    }
    int nearest = berth_config_nearest(entry->name, names, names_count);
    if (nearest >= 0) {
        berth_config_error(loader->report, entry->line,
                           "there is no option %s in [%s]; did you mean %s?", entry->name, section,
                           names[nearest]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, entry->name) == 0) {
            berth_config_error(loader->report, entry->line,
                               "there is no option %s in [%s]; it belongs in [%s]", entry->name,
                               section, berth_config_section_name(table[i].section));
            return;
        }
    }
    berth_config_error(loader->report, entry->line, "there is no option %s in [%s]", entry->name,
                       section);
}

/* Defaults, and what must be there and isn't. */
static enum berth_rc complete(struct berth_config_loader *loader) {
    struct berth_config *config = loader->config;
    static const enum berth_config_section_id SINGLE[] = {BERTH_SECTION_BERTH, BERTH_SECTION_TOPICS,
                                                          BERTH_SECTION_REDIS};
    for (size_t i = 0; i < sizeof(SINGLE) / sizeof(SINGLE[0]); i++) {
        enum berth_rc rc = complete_section(loader, SINGLE[i], config, loader->lines, 0);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    if (loader->purpose == BERTH_CONFIG_FOR_DAEMON || loader->purpose == BERTH_CONFIG_FOR_TOOLS) {
        berth_config_check_properties(loader);
        berth_config_check_login(loader);
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        enum berth_rc rc = complete_registry(loader, i);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return complete_instance(loader);
}

static enum berth_rc complete_section(struct berth_config_loader *loader,
                                      enum berth_config_section_id section, void *base,
                                      const int *lines, int section_line) {
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct berth_config_option *option = &table[i];
        if (option->section != section || lines[i] != 0) {
            continue;
        }
        if (option->value != NULL) {
            enum berth_rc rc = berth_option_parse(option, option->value, base, NULL);
            if (rc != BERTH_OK) {
                BERTH_ASSERT(rc != BERTH_INVALID);
                return rc;
            }
        } else if (is_needed(loader, option)) {
            berth_config_error(loader->report, section_line, "%s in [%s] is missing: %s",
                               option->name, berth_config_section_name(section), option->help);
        }
    }
    return BERTH_OK;
}

static bool is_needed(const struct berth_config_loader *loader,
                      const struct berth_config_option *option) {
    switch (option->need) {
    case BERTH_NEEDED_BY_ALL:
        return true;
    case BERTH_NEEDED_BY_DAEMON:
        return loader->purpose == BERTH_CONFIG_FOR_DAEMON ||
               (loader->purpose == BERTH_CONFIG_FOR_LOOKUPS &&
                option->section == BERTH_SECTION_REGISTRY);
    case BERTH_OPTIONAL:
        return false;
    }
    BERTH_UNREACHABLE("every need is one of these");
}

static enum berth_rc complete_instance(struct berth_config_loader *loader) {
    int index = berth_config_find_option(BERTH_SECTION_BERTH, "instance");
    BERTH_ASSERT(index >= 0);
    if (loader->lines[index] != 0) {
        return BERTH_OK;
    }
    char host[BERTH_INSTANCE_BYTES] = "";
    bool fine = gethostname(host, sizeof(host) - 1) == 0 &&
                berth_word_legal(host, BERTH_INSTANCE_BYTES - 1);
    if (!fine && loader->purpose == BERTH_CONFIG_FOR_DAEMON) {
        berth_config_error(loader->report, 0,
                           "instance in [berth] is missing, and the host name can't stand for it");
    }
    if (fine) {
        loader->config->instance = strdup(host);
    }
    return fine && loader->config->instance == NULL ? BERTH_FAULT_MEMORY : BERTH_OK;
}

static enum berth_rc complete_registry(struct berth_config_loader *loader, size_t index) {
    struct berth_config_registry *registry = &loader->config->registries[index];
    enum berth_rc rc =
        complete_section(loader, BERTH_SECTION_REGISTRY, registry,
                         loader->registry_option_lines[index], loader->registry_lines[index]);
    if (rc == BERTH_OK && registry->command_topic == NULL &&
        asprintf(&registry->command_topic, COMMAND_TOPIC_PREFIX "%s", registry->name) < 0) {
        registry->command_topic = NULL;
        return BERTH_FAULT_MEMORY;
    }
    return rc;
}

static void free_section(enum berth_config_section_id section, void *base) {
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (table[i].section == section) {
            berth_option_free(&table[i], base);
        }
    }
}

struct berth_redis_server berth_config_redis_server(const struct berth_config *config) {
    return (struct berth_redis_server){
        .address = config->redis.address,
        .username = config->redis.username,
        .password = config->redis.password.text,
        .database = config->redis.database,
        .timeout_ms = config->redis.timeout_ms,
        .tls = config->redis.tls,
        .ca_file = config->redis.ca_file,
        .client_cert_file = config->redis.client_cert_file,
        .client_key_file = config->redis.client_key_file,
        .server_name = config->redis.server_name,
    };
}
