/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

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

static error_t parse_option(int key, char *argument, struct argp_state *state);
static error_t parse_likeness(int key, char *argument, struct argp_state *state);
static void check_options(const struct berth_sandbox_options *options, struct argp_state *state);
static void add_plain_user(struct berth_sandbox_options *options, const char *argument,
                           struct argp_state *state);
static void add_registry(struct berth_sandbox_options *options, const char *argument,
                         struct argp_state *state);
static void add_topic(struct berth_sandbox_options *options, const char *argument,
                      struct argp_state *state);
static bool parse_port(const char *text, uint16_t *ret_port);
static bool parse_number(const char *text, long max, long *ret_number);
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

void berth_sandbox_options_parse(int argc, char **argv, struct berth_sandbox_options *ret_options) {
    *ret_options = (struct berth_sandbox_options){.user_name = "berth", .base_path = ""};
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, ret_options) != 0) {
        exit(EXIT_USAGE);
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct berth_sandbox_options *options = state->input;
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
    struct berth_sandbox_options *options = state->input;
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

static void check_options(const struct berth_sandbox_options *options, struct argp_state *state) {
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

static void add_plain_user(struct berth_sandbox_options *options, const char *argument,
                           struct argp_state *state) {
    bool taken = strcmp(argument, "admin") == 0;
    for (size_t i = 0; i < options->plain_user_count; i++) {
        taken = taken || strcmp(options->plain_users[i], argument) == 0;
    }
    if (taken || argument[0] == '\0') {
        argp_error(state, "--plain-user %s: there is one of that name already, or it is none",
                   argument);
    }
    if (options->plain_user_count == BERTH_SANDBOX_PLAIN_USERS_MAX) {
        argp_error(state, "--plain-user %s: more than %d", argument, BERTH_SANDBOX_PLAIN_USERS_MAX);
    }
    options->plain_users[options->plain_user_count++] = argument;
}

static void add_registry(struct berth_sandbox_options *options, const char *argument,
                         struct argp_state *state) {
    static const char LEGAL[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    struct berth_sandbox_registry_option registry = {.name = ""};
    size_t len = strspn(argument, LEGAL);
    if (len == 0 || len > BERTH_SANDBOX_NAME_CHARS_MAX || argument[len] != '=' ||
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
    if (options->registry_count == BERTH_SANDBOX_REGISTRIES_MAX) {
        argp_error(state, "--registry %s: more than %d", argument, BERTH_SANDBOX_REGISTRIES_MAX);
    }
    options->registries[options->registry_count++] = registry;
}

static void add_topic(struct berth_sandbox_options *options, const char *argument,
                      struct argp_state *state) {
    struct berth_sandbox_topic_option topic = {.name = ""};
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
    if (options->topic_count == BERTH_SANDBOX_TOPICS_MAX) {
        argp_error(state, "--topic %s: more than %d", argument, BERTH_SANDBOX_TOPICS_MAX);
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
