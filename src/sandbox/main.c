/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-sandbox: several small Harbors on loopback and, if wanted, an embedded Kafka, for trying
 * berth and for its tests.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_server.h"
#include "berth/base/assert.h"
#include "berth/base/standard_streams.h"
#include "embedded_kafka.h"
#include "registry_server.h"
#include "sandbox_options.h"
#include "sandbox_tls.h"

#define PASSWORD_BYTES_MAX 256

struct sandbox {
    struct event_base *base;
    struct event *signals[2];
    struct berth_sandbox_registry *registries[BERTH_SANDBOX_REGISTRIES_MAX];
    size_t registry_count;
    struct berth_sandbox_tls *tls; /* NULL: http. */
    struct berth_sandbox_admin *admin;
    struct berth_sandbox_kafka *kafka; /* NULL: none was wanted. */
};

static enum berth_rc read_password(const char *path, char ret_password[PASSWORD_BYTES_MAX],
                                   struct berth_error *reterr);
static enum berth_rc start(struct sandbox *sandbox, const struct berth_sandbox_options *options,
                           struct berth_error *reterr);
static enum berth_rc start_registries(struct sandbox *sandbox,
                                      const struct berth_sandbox_options *options,
                                      struct berth_error *reterr);
static enum berth_rc start_kafka(struct sandbox *sandbox,
                                 const struct berth_sandbox_options *options,
                                 struct berth_error *reterr);
static void stop(struct sandbox *sandbox);
static enum berth_rc announce(const struct sandbox *sandbox,
                              const struct berth_sandbox_options *options,
                              struct berth_error *reterr);
static bool print_addresses(const struct sandbox *sandbox, FILE *stream);
static void signal_cb(evutil_socket_t signal_number, short events, void *context);

int main(int argc, char **argv) {
    berth_standard_streams_secure();
    struct berth_sandbox_options options;
    struct sandbox sandbox = {0};
    struct berth_error error = {""};
    berth_sandbox_options_parse(argc, argv, &options);
    int status = EXIT_SUCCESS;
    if (start(&sandbox, &options, &error) != BERTH_OK ||
        announce(&sandbox, &options, &error) != BERTH_OK) {
        (void)fprintf(stderr, "berth-sandbox: %s\n", error.text);
        status = EXIT_FAILURE;
    } else {
        BERTH_ASSERT(event_base_dispatch(sandbox.base) >= 0);
    }
    stop(&sandbox);
    return status;
}

/* The first line of the file. */
static enum berth_rc read_password(const char *path, char ret_password[PASSWORD_BYTES_MAX],
                                   struct berth_error *reterr) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        berth_error_set(reterr, "--password-file %s: %s", path, strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    bool read = fgets(ret_password, PASSWORD_BYTES_MAX, file) != NULL;
    (void)fclose(file);
    size_t len = read ? strcspn(ret_password, "\r\n") : 0;
    if (len == 0 || len == PASSWORD_BYTES_MAX - 1) {
        berth_error_set(reterr, "--password-file %s: its first line must have 1 to %d bytes", path,
                        PASSWORD_BYTES_MAX - 2);
        return BERTH_INVALID;
    }
    ret_password[len] = '\0';
    return BERTH_OK;
}

static enum berth_rc start(struct sandbox *sandbox, const struct berth_sandbox_options *options,
                           struct berth_error *reterr) {
    static const int SIGNALS[] = {SIGTERM, SIGINT};
    BERTH_ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    sandbox->base = event_base_new();
    if (sandbox->base == NULL) {
        berth_error_set(reterr, "event_base_new failed");
        return BERTH_FAULT_LIBRARY;
    }
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
        sandbox->signals[i] = evsignal_new(sandbox->base, SIGNALS[i], signal_cb, sandbox->base);
        if (sandbox->signals[i] == NULL || evsignal_add(sandbox->signals[i], NULL) != 0) {
            berth_error_set(reterr, "evsignal_new failed");
            return BERTH_FAULT_LIBRARY;
        }
    }
    enum berth_rc rc = start_registries(sandbox, options, reterr);
    if (rc == BERTH_OK && options->with_kafka) {
        rc = start_kafka(sandbox, options, reterr);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    return berth_sandbox_admin_new(sandbox->base, options->admin_port, sandbox->registries,
                                   sandbox->registry_count, &sandbox->admin, reterr);
}

static enum berth_rc start_registries(struct sandbox *sandbox,
                                      const struct berth_sandbox_options *options,
                                      struct berth_error *reterr) {
    char password[PASSWORD_BYTES_MAX];
    enum berth_rc rc = read_password(options->password_file, password, reterr);
    if (rc == BERTH_OK && options->tls_certificate != NULL) {
        rc = berth_sandbox_tls_new(options->tls_certificate, options->tls_key,
                                   options->tls_client_ca, &sandbox->tls, reterr);
    }
    for (size_t i = 0; rc == BERTH_OK && i < options->registry_count; i++) {
        const struct berth_sandbox_registry_options registry = {
            .name = options->registries[i].name,
            .port = options->registries[i].port,
            .base_path = options->base_path,
            .harbor = {.user_name = options->user_name,
                       .plain_users = options->plain_users,
                       .password = password,
                       .version = options->harbor_version},
            .tls = sandbox->tls,
        };
        rc = berth_sandbox_registry_new(sandbox->base, &registry,
                                        &sandbox->registries[sandbox->registry_count], reterr);
        sandbox->registry_count += rc == BERTH_OK ? 1 : 0;
    }
    return rc;
}

/* The topics that were named come first: what berth has by default is made only where missing. */
static enum berth_rc start_kafka(struct sandbox *sandbox,
                                 const struct berth_sandbox_options *options,
                                 struct berth_error *reterr) {
    static const char *const WRITTEN[] = {"berth.results", "berth.audit", "berth.spaces",
                                          "berth.dlq"};
    enum berth_rc rc = berth_sandbox_kafka_new(&sandbox->kafka, reterr);
    for (size_t i = 0; rc == BERTH_OK && i < options->topic_count; i++) {
        rc = berth_sandbox_kafka_make_topic(sandbox->kafka, options->topics[i].name,
                                            options->topics[i].partitions, reterr);
    }
    for (size_t i = 0; rc == BERTH_OK && i < sizeof(WRITTEN) / sizeof(WRITTEN[0]); i++) {
        rc = berth_sandbox_kafka_make_topic(sandbox->kafka, WRITTEN[i],
                                            BERTH_SANDBOX_TOPIC_PARTITIONS, reterr);
    }
    for (size_t i = 0; rc == BERTH_OK && i < options->registry_count; i++) {
        char name[BERTH_SANDBOX_TOPIC_CHARS_MAX + 1];
        (void)snprintf(name, sizeof(name), "berth.commands.%s", options->registries[i].name);
        rc = berth_sandbox_kafka_make_topic(sandbox->kafka, name, BERTH_SANDBOX_TOPIC_PARTITIONS,
                                            reterr);
    }
    return rc;
}

static void stop(struct sandbox *sandbox) {
    sandbox->kafka = berth_sandbox_kafka_free(sandbox->kafka);
    sandbox->admin = berth_sandbox_admin_free(sandbox->admin);
    for (size_t i = 0; i < sandbox->registry_count; i++) {
        sandbox->registries[i] = berth_sandbox_registry_free(sandbox->registries[i]);
    }
    sandbox->tls = berth_sandbox_tls_free(sandbox->tls);
    for (size_t i = 0; i < sizeof(sandbox->signals) / sizeof(sandbox->signals[0]); i++) {
        if (sandbox->signals[i] != NULL) {
            event_free(sandbox->signals[i]);
        }
    }
    if (sandbox->base != NULL) {
        event_base_free(sandbox->base);
    }
    libevent_global_shutdown();
}

/* Tells the addresses on standard output and, complete or not at all, in the ready file. */
static enum berth_rc announce(const struct sandbox *sandbox,
                              const struct berth_sandbox_options *options,
                              struct berth_error *reterr) {
    if (!print_addresses(sandbox, stdout)) {
        berth_error_set(reterr, "standard output: %s", strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    if (options->ready_file == NULL) {
        return BERTH_OK;
    }
    char *temporary = NULL;
    BERTH_ASSERT(asprintf(&temporary, "%s.tmp", options->ready_file) > 0);
    FILE *file = fopen(temporary, "we");
    bool written = file != NULL && print_addresses(sandbox, file);
    written = file != NULL && fclose(file) == 0 && written;
    written = written && rename(temporary, options->ready_file) == 0;
    if (!written) {
        berth_error_set(reterr, "--ready-file %s: %s", options->ready_file, strerror(errno));
    }
    free(temporary);
    return written ? BERTH_OK : BERTH_FAULT_SYSTEM;
}

static bool print_addresses(const struct sandbox *sandbox, FILE *stream) {
    for (size_t i = 0; i < sandbox->registry_count; i++) {
        const struct berth_sandbox_registry *registry = sandbox->registries[i];
        (void)fprintf(stream, "registry %s %s://127.0.0.1:%u%s\n",
                      berth_sandbox_registry_name(registry),
                      sandbox->tls != NULL ? "https" : "http",
                      (unsigned)berth_sandbox_registry_port(registry),
                      berth_sandbox_registry_base_path(registry));
    }
    if (sandbox->kafka != NULL) {
        (void)fprintf(stream, "kafka %s\n", berth_sandbox_kafka_address(sandbox->kafka));
    }
    (void)fprintf(stream, "admin http://127.0.0.1:%u\nready\n",
                  (unsigned)berth_sandbox_admin_port(sandbox->admin));
    return fflush(stream) == 0;
}

static void signal_cb(evutil_socket_t signal_number, short events, void *context) {
    (void)signal_number;
    (void)events;
    BERTH_ASSERT(event_base_loopbreak(context) == 0);
}
