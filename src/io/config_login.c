/* SPDX-License-Identifier: Apache-2.0 */
/* Whether [kafka] has all that a login needs, and room for what is published: librdkafka would
 * connect in vain, or say it late. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "berth/io/kafka_topics.h"
#include "config_loader.h"
#include "config_report.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void check_sasl(struct berth_config_loader *loader, int line);
static void check_idle(struct berth_config_loader *loader, const char *prefix,
                       const char *protocols);
static void check_files(struct berth_config_loader *loader);
static void check_sizes(struct berth_config_loader *loader);
static void check_clear(struct berth_config_loader *loader, int line);
static const struct berth_config_property *find(const struct berth_config_loader *loader,
                                                const char *name);
static bool one_of(const char *value, const char *const *values, size_t count);

void berth_config_check_login(struct berth_config_loader *loader) {
    static const char *const sasl[] = {"sasl_plaintext", "sasl_ssl"};
    static const char *const tls[] = {"ssl", "sasl_ssl"};
    const struct berth_config_property *protocol = find(loader, "security.protocol");
    const char *value = protocol != NULL ? protocol->value : "plaintext";
    if (one_of(value, sasl, COUNT_OF(sasl))) {
        check_sasl(loader, protocol->line);
    } else {
        check_idle(loader, "sasl.", "SASL_SSL (or SASL_PLAINTEXT)");
    }
    if (!one_of(value, tls, COUNT_OF(tls))) {
        check_idle(loader, "ssl.", "SSL or SASL_SSL");
    }
    if (strcasecmp(value, "sasl_plaintext") == 0) {
        check_clear(loader, protocol->line);
    }
    check_files(loader);
    check_sizes(loader);
}

/* librdkafka's own bound, of whatever is published; topics have theirs. */
static void check_sizes(struct berth_config_loader *loader) {
    const struct berth_config_property *bytes = find(loader, "message.max.bytes");
    if (bytes != NULL && strtoll(bytes->value, NULL, 10) < BERTH_TOPIC_MESSAGE_BYTES_MIN) {
        berth_config_error(loader->report, bytes->line,
                           "message.max.bytes must be %d at least: the answer to a large command "
                           "wouldn't fit",
                           BERTH_TOPIC_MESSAGE_BYTES_MIN);
    }
}

static void check_sasl(struct berth_config_loader *loader, int line) {
    static const char *const by_password[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    const struct berth_config_property *mechanism = find(loader, "sasl.mechanism");
    mechanism = mechanism != NULL ? mechanism : find(loader, "sasl.mechanisms");
    if (mechanism == NULL) {
        /* librdkafka's own default is GSSAPI, which few mean. */
        berth_config_error(loader->report, line,
                           "SASL needs sasl.mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
                           "OAUTHBEARER or GSSAPI, as the brokers have it");
        return;
    }
    if (!one_of(mechanism->value, by_password, COUNT_OF(by_password))) {
        return;
    }
    if (find(loader, "sasl.username") == NULL) {
        berth_config_error(loader->report, mechanism->line, "%s needs sasl.username",
                           mechanism->value);
    }
    if (find(loader, "sasl.password") == NULL) {
        berth_config_error(loader->report, mechanism->line,
                           "%s needs sasl.password_file: the path of a file that holds the "
                           "password",
                           mechanism->value);
    }
}

/* What is set and has no effect: somebody believes to be safe. */
static void check_idle(struct berth_config_loader *loader, const char *prefix,
                       const char *protocols) {
    const struct berth_config *config = loader->config;
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        const struct berth_config_property *property = &config->kafka.properties[i];
        if (strncmp(property->name, prefix, strlen(prefix)) == 0) {
            berth_config_warning(loader->report, property->line,
                                 "%s has no effect without security.protocol = %s", property->name,
                                 protocols);
        }
    }
}

/* SCRAM doesn't send the password, PLAIN does. */
static void check_clear(struct berth_config_loader *loader, int line) {
    static const char *const near[] = {"127.", "localhost", "[::1]"};
    const struct berth_config_property *mechanism = find(loader, "sasl.mechanism");
    mechanism = mechanism != NULL ? mechanism : find(loader, "sasl.mechanisms");
    const struct berth_config_property *brokers = find(loader, "bootstrap.servers");
    if (mechanism == NULL || brokers == NULL || strcasecmp(mechanism->value, "PLAIN") != 0) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(near); i++) {
        if (strncmp(brokers->value, near[i], strlen(near[i])) == 0) {
            return;
        }
    }
    berth_config_warning(loader->report, line,
                         "the password goes over the network unencrypted; use SASL_SSL");
}

static void check_files(struct berth_config_loader *loader) {
    static const char *const files[] = {"ssl.ca.location", "ssl.certificate.location",
                                        "ssl.key.location", "ssl.crl.location",
                                        "ssl.keystore.location"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        const struct berth_config_property *property = find(loader, files[i]);
        if (property != NULL && strcmp(property->value, "probe") != 0 &&
            access(property->value, R_OK) != 0) {
            berth_config_error(loader->report, property->line, "%s: %s can't be read: %s",
                               property->name, property->value, strerror(errno));
        }
    }
}

static const struct berth_config_property *find(const struct berth_config_loader *loader,
                                                const char *name) {
    const struct berth_config *config = loader->config;
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        if (strcmp(config->kafka.properties[i].name, name) == 0) {
            return &config->kafka.properties[i];
        }
    }
    return NULL;
}

static bool one_of(const char *value, const char *const *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(value, values[i]) == 0) {
            return true;
        }
    }
    return false;
}
