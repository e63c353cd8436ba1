/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-sandbox: several small Harbors on loopback and, if wanted, an embedded Kafka, for trying
 * berth and for its tests.
 */
#include <argp.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_server.h"
#include "berth/base/assert.h"
#include "embedded_kafka.h"
#include "registry_server.h"
#include "sandbox_tls.h"

#define REGISTRIES_MAX     16
#define NAME_CHARS_MAX     63
#define PASSWORD_BYTES_MAX 256
#define TOPICS_MAX         64
#define PLAIN_USERS_MAX    16
#define EXIT_USAGE         2

enum option_key {
    OPTION_REGISTRY = 'r',
    OPTION_ADMIN_PORT = 'a',
    OPTION_USER = 'u',
    OPTION_PLAIN_USER = 'U',
    OPTION_PASSWORD_FILE = 'p',
    OPTION_READY_FILE = 'f',
    OPTION_KAFKA = 'k',
    OPTION_TOPIC = 't',
    /* Without a letter. */
    OPTION_BASE_PATH = 256,
    OPTION_HARBOR_VERSION,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_TLS_CLIENT_CA,
};

struct registry_option {
    char name[NAME_CHARS_MAX + 1];
    uint16_t port;
};

struct topic_option {
    char name[BERTH_SANDBOX_TOPIC_CHARS_MAX + 1];
    int partitions;
};

struct options {
    struct registry_option registries[REGISTRIES_MAX];
    size_t registry_count;
    struct topic_option topics[TOPICS_MAX];
    size_t topic_count;
    bool with_kafka;
    uint16_t admin_port;
    const char *user_name;
    const char *plain_users[PLAIN_USERS_MAX + 1];
    size_t plain_user_count;
    const char *base_path;
    const char *harbor_version;
    const char *tls_certificate;
    const char *tls_key;
    const char *tls_client_ca;
    const char *password_file;
    const char *ready_file;
};

struct sandbox {
    struct event_base *base;
    struct event *signals[2];
    struct berth_sandbox_registry *registries[REGISTRIES_MAX];
    size_t registry_count;
    struct berth_sandbox_tls *tls; /* NULL: http. */
    struct berth_sandbox_admin *admin;
    struct berth_sandbox_kafka *kafka; /* NULL: none was wanted. */
};

static error_t parse_option(int key, char *argument, struct argp_state *state);
static error_t parse_likeness(int key, char *argument, struct argp_state *state);
static void check_options(const struct options *options, struct argp_state *state);
static void add_plain_user(struct options *options, const char *argument, struct argp_state *state);
static void add_registry(struct options *options, const char *argument, struct argp_state *state);
static void add_topic(struct options *options, const char *argument, struct argp_state *state);
static bool parse_port(const char *text, uint16_t *ret_port);
static bool parse_number(const char *text, long max, long *ret_number);
static enum berth_rc read_password(const char *path, char ret_password[PASSWORD_BYTES_MAX],
                                   struct berth_error *reterr);
static enum berth_rc start(struct sandbox *sandbox, const struct options *options,
                           struct berth_error *reterr);
static enum berth_rc start_registries(struct sandbox *sandbox, const struct options *options,
                                      struct berth_error *reterr);
static enum berth_rc start_kafka(struct sandbox *sandbox, const struct options *options,
                                 struct berth_error *reterr);
static void stop(struct sandbox *sandbox);
static enum berth_rc announce(const struct sandbox *sandbox, const struct options *options,
                              struct berth_error *reterr);
static bool print_addresses(const struct sandbox *sandbox, FILE *stream);
static void signal_cb(evutil_socket_t signal_number, short events, void *context);

const char *argp_program_version = "berth-sandbox " BERTH_VERSION;

static const struct argp_option OPTIONS[] = {
    {"registry", OPTION_REGISTRY, "NAME=PORT", 0,
     "A Harbor of its own; may be given up to 16 times. Port 0: a free one", 0},
    {"admin-port", OPTION_ADMIN_PORT, "PORT", 0,
     "Where faults are set and counters are read (default 0: a free one)", 0},
    {"user", OPTION_USER, "NAME", 0, "A system administrator beside \"admin\" (default berth)", 0},
    {"plain-user", OPTION_PLAIN_USER, "NAME", 0,
     "A user without rights of his own; may be given up to 16 times", 0},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0, "Holds the password of all of them", 0},
    {"base-path", OPTION_BASE_PATH, "/PATH", 0,
     "What stands before every path of a registry; elsewhere it answers with a page of HTML", 0},
    {"harbor-version", OPTION_HARBOR_VERSION, "X.Y.Z", 0,
     "What the registries claim to be (default 2.14.4); they behave the same", 0},
    {"tls-cert", OPTION_TLS_CERT, "FILE", 0,
     "The registries speak https, with this certificate and its chain (PEM)", 0},
    {"tls-key", OPTION_TLS_KEY, "FILE", 0, "The certificate's key (PEM)", 0},
    {"tls-client-ca", OPTION_TLS_CLIENT_CA, "FILE", 0,
     "Only clients with a certificate of this authority are let in (PEM)", 0},
    {"ready-file", OPTION_READY_FILE, "FILE", 0,
     "Is written, with the addresses in it, once everything listens", 0},
    {"kafka", OPTION_KAFKA, NULL, 0,
     "An embedded Kafka as well, on a free port, with the topics that berth has by default: one "
     "of commands for each registry, and those of results, audit, spaces and dead letters",
     0},
    {"topic", OPTION_TOPIC, "NAME=PARTITIONS", 0,
     "A topic of the embedded Kafka; may be given up to 64 times (default: 3 partitions each)", 0},
    {0},
};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse_option,
    .doc = "A stand-in for Harbor registries, on 127.0.0.1 only, holding everything in memory.\v"
           "Prints one line for each address, then \"ready\"; stops on SIGTERM or SIGINT.\n\n"
           "The embedded Kafka is for trying: it keeps no offsets of transactions, shows aborted "
           "records and drops what is beyond 5 MiB in a partition. Its clients need "
           "fetch.wait.max.ms=10.",
};

int main(int argc, char **argv) {
    struct options options = {.user_name = "berth", .base_path = ""};
    struct sandbox sandbox = {0};
    struct berth_error error = {""};
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &options) != 0) {
        return EXIT_USAGE;
    }
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

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct options *options = state->input;
    switch (key) {
    case OPTION_REGISTRY:
        add_registry(options, argument, state);
        return 0;
    case OPTION_ADMIN_PORT:
        if (!parse_port(argument, &options->admin_port)) {
            argp_error(state, "--admin-port %s: not a port (0 to 65535)", argument);
        }
        return 0;
    case OPTION_USER:
        if (strcmp(argument, "admin") == 0 || argument[0] == '\0') {
            argp_error(state, "--user %s: \"admin\" is user 1 already", argument);
        }
        options->user_name = argument;
        return 0;
    case OPTION_PLAIN_USER:
        add_plain_user(options, argument, state);
        return 0;
    case OPTION_PASSWORD_FILE:
        options->password_file = argument;
        return 0;
    case OPTION_READY_FILE:
        options->ready_file = argument;
        return 0;
    case OPTION_KAFKA:
        options->with_kafka = true;
        return 0;
    case OPTION_TOPIC:
        add_topic(options, argument, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: no argument was expected", argument);
        return 0;
    case ARGP_KEY_END:
        check_options(options, state);
        return 0;
    default:
        return parse_likeness(key, argument, state);
    }
}

/* What the registries look like to their clients. */
static error_t parse_likeness(int key, char *argument, struct argp_state *state) {
    struct options *options = state->input;
    switch (key) {
    case OPTION_BASE_PATH:
        if (argument[0] != '/' || argument[strlen(argument) - 1] == '/') {
            argp_error(state, "--base-path %s: it begins with \"/\" and doesn't end with one",
                       argument);
        }
        options->base_path = argument;
        return 0;
    case OPTION_HARBOR_VERSION:
        options->harbor_version = argument;
        return 0;
    case OPTION_TLS_CERT:
        options->tls_certificate = argument;
        return 0;
    case OPTION_TLS_KEY:
        options->tls_key = argument;
        return 0;
    case OPTION_TLS_CLIENT_CA:
        options->tls_client_ca = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void check_options(const struct options *options, struct argp_state *state) {
    if (options->registry_count == 0) {
        argp_error(state, "--registry NAME=PORT is missing");
    }
    if (options->password_file == NULL) {
        argp_error(state, "--password-file FILE is missing");
    }
    if (options->topic_count > 0 && !options->with_kafka) {
        argp_error(state, "--topic is for the embedded Kafka: --kafka is missing");
    }
    if ((options->tls_certificate == NULL) != (options->tls_key == NULL)) {
        argp_error(state, "--tls-cert and --tls-key go together");
    }
    if (options->tls_client_ca != NULL && options->tls_certificate == NULL) {
        argp_error(state, "--tls-client-ca: --tls-cert and --tls-key are missing");
    }
    for (size_t i = 0; i < options->plain_user_count; i++) {
        if (strcmp(options->plain_users[i], options->user_name) == 0) {
            argp_error(state, "--plain-user %s: is the administrator's name", options->user_name);
        }
    }
}

static void add_plain_user(struct options *options, const char *argument,
                           struct argp_state *state) {
    bool taken = strcmp(argument, "admin") == 0;
    for (size_t i = 0; i < options->plain_user_count; i++) {
        taken = taken || strcmp(options->plain_users[i], argument) == 0;
    }
    if (taken || argument[0] == '\0') {
        argp_error(state, "--plain-user %s: there is one of that name already, or it is none",
                   argument);
    }
    if (options->plain_user_count == PLAIN_USERS_MAX) {
        argp_error(state, "--plain-user %s: more than %d", argument, PLAIN_USERS_MAX);
    }
    options->plain_users[options->plain_user_count++] = argument;
}

static void add_registry(struct options *options, const char *argument, struct argp_state *state) {
    static const char LEGAL[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    struct registry_option registry = {.name = ""};
    size_t len = strspn(argument, LEGAL);
    if (len == 0 || len > NAME_CHARS_MAX || argument[len] != '=' ||
        !parse_port(argument + len + 1, &registry.port)) {
        argp_error(state,
                   "--registry %s: wanted NAME=PORT, a name of letters a to z, digits and"
                   " \"-\", and a port from 0 to 65535",
                   argument);
    }
    memcpy(registry.name, argument, len);
    for (size_t i = 0; i < options->registry_count; i++) {
        if (strcmp(options->registries[i].name, registry.name) == 0) {
            argp_error(state, "--registry %s: there is one of that name already", argument);
        }
    }
    if (options->registry_count == REGISTRIES_MAX) {
        argp_error(state, "--registry %s: more than %d", argument, REGISTRIES_MAX);
    }
    options->registries[options->registry_count++] = registry;
}

static void add_topic(struct options *options, const char *argument, struct argp_state *state) {
    struct topic_option topic = {.name = ""};
    const char *mark = strrchr(argument, '=');
    long partitions = 0;
    size_t len = mark == NULL ? 0 : (size_t)(mark - argument);
    if (len < sizeof(topic.name)) {
        memcpy(topic.name, argument, len);
    }
    if (mark == NULL || !berth_sandbox_kafka_name_is_legal(topic.name) ||
        !parse_number(mark + 1, BERTH_SANDBOX_TOPIC_PARTITIONS_MAX, &partitions) ||
        partitions == 0) {
        argp_error(state,
                   "--topic %s: wanted NAME=PARTITIONS, a name of at most %d letters, digits,"
                   " \".\", \"_\" and \"-\", and a number from 1 to %d",
                   argument, BERTH_SANDBOX_TOPIC_CHARS_MAX, BERTH_SANDBOX_TOPIC_PARTITIONS_MAX);
    }
    topic.partitions = (int)partitions;
    for (size_t i = 0; i < options->topic_count; i++) {
        if (strcmp(options->topics[i].name, topic.name) == 0) {
            argp_error(state, "--topic %s: there is one of that name already", argument);
        }
    }
    if (options->topic_count == TOPICS_MAX) {
        argp_error(state, "--topic %s: more than %d", argument, TOPICS_MAX);
    }
    options->topics[options->topic_count++] = topic;
}

static bool parse_port(const char *text, uint16_t *ret_port) {
    long port = 0;
    if (!parse_number(text, UINT16_MAX, &port)) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

static bool parse_number(const char *text, long max, long *ret_number) {
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 0 || number > max) {
        return false;
    }
    *ret_number = number;
    return true;
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

static enum berth_rc start(struct sandbox *sandbox, const struct options *options,
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

static enum berth_rc start_registries(struct sandbox *sandbox, const struct options *options,
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
static enum berth_rc start_kafka(struct sandbox *sandbox, const struct options *options,
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
static enum berth_rc announce(const struct sandbox *sandbox, const struct options *options,
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
