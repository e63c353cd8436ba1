/* SPDX-License-Identifier: Apache-2.0 */
/* [kafka]: what is handed to librdkafka as it is, after librdkafka itself has accepted it. */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/kafka_properties.h"
#include "config_loader.h"
#include "config_report.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FILE_SUFFIX "_file"

/* Never in the configuration file itself; `<name>_file` names the file that holds it. */
static const char *const SECRETS[] = {
    "sasl.password",         "ssl.key.password",
    "ssl.keystore.password", "sasl.oauthbearer.client.secret",
    "ssl.key.pem",           "sasl.oauthbearer.config",
};

/* What kafka_properties.c has no rule for, since it never gets that far. */
static const struct {
    const char *name;
    const char *instead;
} REFUSED[] = {
    {"metadata.broker.list", "use bootstrap.servers"},
    {"acks", "berth needs all of them"},
    {"request.required.acks", "berth needs all of them"},
    {"plugin.library.paths", "berth loads no plug-in"},
    {"log.queue", "berth sets it itself"},
    {"enabled_events", "berth sets it itself"},
};

static const char *secret_of_file_option(const char *name);
static bool refused(struct berth_config_loader *loader, const struct berth_ini_entry *entry);
static bool accepted(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                     const struct berth_config_property *property);
static void report_unknown(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                           rd_kafka_conf_t *conf);
static enum berth_rc keep(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                          const char *name, const char *value, const char *file);
static void free_property(struct berth_config_property *property);

enum berth_rc berth_config_add_property(struct berth_config_loader *loader,
                                        const struct berth_ini_entry *entry) {
    if (refused(loader, entry)) {
        return BERTH_OK;
    }
    const char *name = secret_of_file_option(entry->name);
    if (name == NULL) {
        return keep(loader, entry, entry->name, entry->value, NULL);
    }
    if (entry->value[0] != '/') {
        berth_config_error(loader->report, entry->line, "%s must be a whole path, from \"/\" on",
                           entry->name);
        return BERTH_OK;
    }
    struct berth_secret secret = {0};
    enum berth_rc rc = berth_secret_read(entry->value, 1, BERTH_CONFIG_SECRET_BYTES_MAX,
                                         entry->line, loader->report, &secret);
    if (rc == BERTH_OK && secret.text != NULL) {
        rc = keep(loader, entry, name, secret.text, entry->value);
    }
    berth_secret_wipe(&secret);
    return rc;
}

void berth_config_check_properties(struct berth_config_loader *loader) {
    int index = berth_config_find_option(BERTH_SECTION_KAFKA, "bootstrap.servers");
    BERTH_ASSERT(index >= 0);
    if (loader->lines[index] == 0) {
        berth_config_error(loader->report, 0,
                           "bootstrap.servers in [kafka] is missing: some of the brokers, "
                           "HOST:PORT, by commas");
    }
}

void berth_config_free_properties(struct berth_config *config) {
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        free_property(&config->kafka.properties[i]);
    }
    free(config->kafka.properties);
    config->kafka.properties = NULL;
    config->kafka.properties_count = 0;
}

static bool refused(struct berth_config_loader *loader, const struct berth_ini_entry *entry) {
    struct berth_config *config = loader->config;
    for (size_t i = 0; i < COUNT_OF(REFUSED); i++) {
        if (strcmp(REFUSED[i].name, entry->name) == 0) {
            berth_config_error(loader->report, entry->line, "%s can't be set here: %s", entry->name,
                               REFUSED[i].instead);
            return true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(SECRETS); i++) {
        if (strcmp(SECRETS[i], entry->name) == 0) {
            berth_config_error(loader->report, entry->line,
                               "%s is a secret: put it into a file of its own and name that with "
                               "%s" FILE_SUFFIX,
                               entry->name, entry->name);
            return true;
        }
    }
    const char *secret = secret_of_file_option(entry->name);
    const char *name = secret != NULL ? secret : entry->name;
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        if (strcmp(config->kafka.properties[i].name, name) == 0) {
            berth_config_error(loader->report, entry->line, "%s is set twice", entry->name);
            return true;
        }
    }
    if (config->kafka.properties_count == BERTH_CONFIG_PROPERTIES_MAX) {
        berth_config_error(loader->report, entry->line, "[kafka] has more than %d properties",
                           BERTH_CONFIG_PROPERTIES_MAX);
        return true;
    }
    return false;
}

/* The property that "<property>_file" sets, or NULL. */
static const char *secret_of_file_option(const char *name) {
    for (size_t i = 0; i < COUNT_OF(SECRETS); i++) {
        size_t len = strlen(SECRETS[i]);
        if (strncmp(name, SECRETS[i], len) == 0 && strcmp(name + len, FILE_SUFFIX) == 0) {
            return SECRETS[i];
        }
    }
    return NULL;
}

/* Asks librdkafka and the rules of our clients. What they say of a secret is not repeated, because
 * they repeat the value. */
static bool accepted(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                     const struct berth_config_property *property) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool unknown =
        rd_kafka_conf_set(conf, property->name, property->value, NULL, 0) == RD_KAFKA_CONF_UNKNOWN;
    if (unknown) {
        report_unknown(loader, entry, conf);
    }
    rd_kafka_conf_destroy(conf);
    if (unknown) {
        return false;
    }
    struct berth_error error = {0};
    struct berth_kafka_properties alone = {.items = property, .count = 1};
    if (berth_kafka_properties_check(&alone, NULL, &error) == BERTH_OK) {
        return true;
    }
    berth_config_error(loader->report, entry->line, "%s",
                       property->file != NULL ? "librdkafka refuses what the file holds"
                                              : error.text);
    return false;
}

static void report_unknown(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                           rd_kafka_conf_t *conf) {
    /* Pairs of name and value; the names alone, to compare with. */
    size_t count = 0;
    const char **pairs = rd_kafka_conf_dump(conf, &count);
    for (size_t i = 0; i < count / 2; i++) {
        const char *name = pairs[2 * i];
        pairs[2 * i] = pairs[i];
        pairs[i] = name;
    }
    int nearest = berth_config_nearest(entry->name, pairs, count / 2);
    if (nearest >= 0) {
        berth_config_error(loader->report, entry->line,
                           "librdkafka has no property %s; did you mean %s?", entry->name,
                           pairs[nearest]);
    } else {
        berth_config_error(loader->report, entry->line, "librdkafka has no property %s",
                           entry->name);
    }
    rd_kafka_conf_dump_free(pairs, count);
}

/* Adds the property if it is accepted. */
static enum berth_rc keep(struct berth_config_loader *loader, const struct berth_ini_entry *entry,
                          const char *name, const char *value, const char *file) {
    struct berth_config *config = loader->config;
    if (config->kafka.properties == NULL) {
        config->kafka.properties =
            calloc(BERTH_CONFIG_PROPERTIES_MAX, sizeof(*config->kafka.properties));
    }
    struct berth_config_property property = {
        .name = strdup(name),
        .value = strdup(value),
        .file = file != NULL ? strdup(file) : NULL,
        .line = entry->line,
    };
    if (config->kafka.properties == NULL || property.name == NULL || property.value == NULL ||
        (file != NULL && property.file == NULL)) {
        free_property(&property);
        return BERTH_FAULT_MEMORY;
    }
    if (!accepted(loader, entry, &property)) {
        free_property(&property);
        return BERTH_OK;
    }
    BERTH_ASSERT(config->kafka.properties_count < BERTH_CONFIG_PROPERTIES_MAX);
    config->kafka.properties[config->kafka.properties_count++] = property;
    return BERTH_OK;
}

static void free_property(struct berth_config_property *property) {
    if (property->value != NULL) {
        explicit_bzero(property->value, strlen(property->value));
    }
    free(property->name);
    free(property->value);
    free(property->file);
    *property = (struct berth_config_property){0};
}
