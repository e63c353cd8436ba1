/* SPDX-License-Identifier: Apache-2.0 */
/* What is fine by itself and not together. */
#include <inttypes.h>
#include <string.h>

#include "berth/base/assert.h"
#include "config_loader.h"
#include "config_report.h"

/* The four topics that berth writes, and the registries' command topics behind them. */
#define OUTPUTS    4
#define TOPICS_MAX (OUTPUTS + BERTH_CONFIG_REGISTRIES_MAX)

struct topic {
    const char *name;
    const char *option; /* Which option names it. */
    int line;
};

static void check_times(struct berth_config_loader *loader);
static void check_retries(struct berth_config_loader *loader);
static bool is_image_host(const char *host);
static void check_redis(struct berth_config_loader *loader);
static void check_registry(struct berth_config_loader *loader, size_t index);
static void check_login(struct berth_config_loader *loader, size_t index);
static void check_pair(struct berth_config_loader *loader, size_t first, size_t second);
static void check_topics(struct berth_config_loader *loader);
static void check_two_topics(struct berth_config_loader *loader, const struct topic *first,
                             const struct topic *second);
static bool on_loopback(const char *url);
static int line_of(const struct berth_config_loader *loader, enum berth_config_section_id section,
                   const char *name);
static int registry_line_of(const struct berth_config_loader *loader, size_t registry,
                            const char *name);

void berth_config_check(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    if (loader->purpose == BERTH_CONFIG_FOR_DAEMON && config->registries_count == 0) {
        berth_config_error(loader->report, 0, "there is no [registry NAME]: berthd needs one");
    }
    check_times(loader);
    check_retries(loader);
    check_redis(loader);
    for (size_t i = 0; i < config->registries_count; i++) {
        check_registry(loader, i);
        for (size_t j = 0; j < i; j++) {
            check_pair(loader, j, i);
        }
    }
    check_topics(loader);
}

/* Design 4.7: a write that is handed over at the last moment must end within the lease. */
static void check_times(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    int64_t request_timeout_ms = 0;
    for (size_t i = 0; i < config->registries_count; i++) {
        if (config->registries[i].request_timeout_ms > request_timeout_ms) {
            request_timeout_ms = config->registries[i].request_timeout_ms;
        }
    }
    int64_t needed_ms = 2 * request_timeout_ms + config->redis.timeout_ms;
    int line = line_of(loader, BERTH_SECTION_BERTH, "lease_ms");
    if (config->lease_ms <= needed_ms) {
        berth_config_error(loader->report, line,
                           "lease_ms (%" PRId64 ") must be more than two Harbor requests and "
                           "Redis' time-out: 2 * request_timeout_ms + timeout_ms = %" PRId64,
                           config->lease_ms, needed_ms);
    }
    if (2 * config->renew_ms >= config->lease_ms) {
        berth_config_error(loader->report, line_of(loader, BERTH_SECTION_BERTH, "renew_ms"),
                           "renew_ms (%" PRId64 ") must be less than half of lease_ms (%" PRId64
                           "), so that one renewal may be lost",
                           config->renew_ms, config->lease_ms);
    }
    if (config->restart_grace_ms > config->lease_ms) {
        berth_config_error(loader->report, line_of(loader, BERTH_SECTION_BERTH, "restart_grace_ms"),
                           "restart_grace_ms (%" PRId64 ") must not be more than lease_ms (%" PRId64
                           ")",
                           config->restart_grace_ms, config->lease_ms);
    }
}

static void check_retries(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    if (config->retry_backoff_ms > config->retry_backoff_max_ms) {
        berth_config_error(loader->report, line_of(loader, BERTH_SECTION_BERTH, "retry_backoff_ms"),
                           "retry_backoff_ms (%" PRId64 ") must not be more than "
                           "retry_backoff_max_ms (%" PRId64 ")",
                           config->retry_backoff_ms, config->retry_backoff_max_ms);
    }
}

/* Clients compare it letter by letter with the beginning of an image's name. */
static bool is_image_host(const char *host) {
    return host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]")] == '\0';
}

/* TLS needs a name to compare with, and what is for TLS is of no use without it. */
static void check_redis(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    static const char *const OF_TLS[] = {"ca_file", "client_cert_file", "client_key_file",
                                         "server_name"};
    for (size_t i = 0; !config->redis.tls && i < sizeof(OF_TLS) / sizeof(OF_TLS[0]); i++) {
        int line = line_of(loader, BERTH_SECTION_REDIS, OF_TLS[i]);
        if (line != 0) {
            berth_config_error(loader->report, line, "%s of [redis] needs tls = yes", OF_TLS[i]);
        }
    }
    if (!config->redis.tls) {
        return;
    }
    if (config->redis.address[0] == '/') {
        berth_config_error(loader->report, line_of(loader, BERTH_SECTION_REDIS, "tls"),
                           "there is no TLS on a Unix socket: tls = no");
    }
    if (config->redis.client_key_file != NULL && config->redis.client_cert_file == NULL) {
        berth_config_error(loader->report, line_of(loader, BERTH_SECTION_REDIS, "client_key_file"),
                           "client_key_file needs client_cert_file");
    }
    if (loader->purpose != BERTH_CONFIG_FOR_TOOLS) {
        berth_config_check_redis_certificates(loader);
    }
}

static void check_registry(struct berth_config_loader *loader, size_t index) {
    const struct berth_config_registry *registry = &loader->config->registries[index];
    if (registry->connect_timeout_ms > registry->request_timeout_ms) {
        berth_config_error(loader->report, registry_line_of(loader, index, "connect_timeout_ms"),
                           "connect_timeout_ms (%" PRId64 ") must not be more than "
                           "request_timeout_ms (%" PRId64 ")",
                           registry->connect_timeout_ms, registry->request_timeout_ms);
    }
    check_login(loader, index);
    if (registry->pull_host != NULL && !is_image_host(registry->pull_host)) {
        berth_config_error(
            loader->report, registry_line_of(loader, index, "pull_host"),
            "pull_host must be a host as images are named: lower case, with :PORT if "
            "it isn't 443, and neither https:// nor a path");
    }
    if (registry->client_key_file != NULL && registry->client_cert_file == NULL) {
        berth_config_error(loader->report, registry_line_of(loader, index, "client_key_file"),
                           "client_key_file needs client_cert_file");
    }
    if (loader->purpose == BERTH_CONFIG_FOR_DAEMON || loader->purpose == BERTH_CONFIG_FOR_LOOKUPS) {
        berth_config_check_certificates(loader, index);
    }
    if (registry->url != NULL && strncmp(registry->url, "http://", strlen("http://")) == 0 &&
        !on_loopback(registry->url)) {
        berth_config_warning(loader->report, registry_line_of(loader, index, "url"),
                             "passwords and pull secrets of %s go over the network unencrypted; "
                             "use https",
                             registry->name);
    }
}

/* Harbor doesn't let robots log in to a session. */
static void check_login(struct berth_config_loader *loader, size_t index) {
    struct berth_config_registry *registry = &loader->config->registries[index];
    const char *username = registry->username != NULL ? registry->username : "";
    if (strchr(username, ':') != NULL) {
        berth_config_error(loader->report, registry_line_of(loader, index, "username"),
                           "a username can't hold a colon (RFC 7617)");
    }
    if (registry->login != BERTH_LOGIN_SESSION ||
        strncmp(username, BERTH_ROBOT_PREFIX, strlen(BERTH_ROBOT_PREFIX)) != 0) {
        return;
    }
    int option = berth_config_find_option(BERTH_SECTION_REGISTRY, "login");
    BERTH_ASSERT(option >= 0);
    if (loader->registry_option_lines[index][option] != 0) {
        berth_config_error(loader->report, loader->registry_option_lines[index][option],
                           "a robot account can't have a session: login = basic");
    }
    registry->login = BERTH_LOGIN_BASIC;
}

static void check_pair(struct berth_config_loader *loader, size_t first, size_t second) {
    const struct berth_config_registry *one = &loader->config->registries[first];
    const struct berth_config_registry *other = &loader->config->registries[second];
    if (one->uid != NULL && other->uid != NULL && strcmp(one->uid, other->uid) == 0) {
        berth_config_error(loader->report, registry_line_of(loader, second, "uid"),
                           "%s and %s have the same uid; each needs its own (uuidgen makes one)",
                           one->name, other->name);
    }
    if (one->url != NULL && other->url != NULL && strcmp(one->url, other->url) == 0) {
        berth_config_warning(loader->report, registry_line_of(loader, second, "url"),
                             "%s and %s are the same Harbor: commands for one space under both "
                             "names are not kept in order",
                             one->name, other->name);
    }
    if (strcmp(one->command_topic, other->command_topic) == 0) {
        berth_config_warning(loader->report, registry_line_of(loader, second, "command_topic"),
                             "%s and %s share the topic %s: a long outage of one can stop the "
                             "other",
                             one->name, other->name, other->command_topic);
    }
}

/* Everything that berth writes is for one kind of record, and none of it may be read as commands.
 */
static void check_topics(struct berth_config_loader *loader) {
    const struct berth_config *config = loader->config;
    struct topic topics[TOPICS_MAX] = {
        {config->topics.results, "results", line_of(loader, BERTH_SECTION_TOPICS, "results")},
        {config->topics.audit, "audit", line_of(loader, BERTH_SECTION_TOPICS, "audit")},
        {config->topics.spaces, "spaces", line_of(loader, BERTH_SECTION_TOPICS, "spaces")},
        {config->topics.dlq, "dlq", line_of(loader, BERTH_SECTION_TOPICS, "dlq")},
    };
    size_t count = OUTPUTS;
    for (size_t i = 0; i < config->registries_count; i++) {
        topics[count++] = (struct topic){.name = config->registries[i].command_topic,
                                         .option = "command_topic",
                                         .line = registry_line_of(loader, i, "command_topic")};
    }
    for (size_t i = 0; i < OUTPUTS; i++) {
        for (size_t j = i + 1; j < count; j++) {
            check_two_topics(loader, &topics[i], &topics[j]);
        }
    }
}

static void check_two_topics(struct berth_config_loader *loader, const struct topic *first,
                             const struct topic *second) {
    if (strcmp(first->name, second->name) == 0) {
        berth_config_error(loader->report, second->line != 0 ? second->line : first->line,
                           "%s and %s are both the topic %s; each needs its own", first->option,
                           second->option, first->name);
    }
}

static bool on_loopback(const char *url) {
    static const char *const HOSTS[] = {"http://127.", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++) {
        if (strncmp(url, HOSTS[i], strlen(HOSTS[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int line_of(const struct berth_config_loader *loader, enum berth_config_section_id section,
                   const char *name) {
    int index = berth_config_find_option(section, name);
    BERTH_ASSERT(index >= 0);
    return loader->lines[index];
}

/* The option's line, or its section's when it has its default. */
static int registry_line_of(const struct berth_config_loader *loader, size_t registry,
                            const char *name) {
    int index = berth_config_find_option(BERTH_SECTION_REGISTRY, name);
    BERTH_ASSERT(index >= 0);
    int line = loader->registry_option_lines[registry][index];
    return line != 0 ? line : loader->registry_lines[registry];
}
