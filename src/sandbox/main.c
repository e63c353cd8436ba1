/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-sandbox: several small Harbors on loopback, for trying berth and for its tests.
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
#include "registry_server.h"

#define REGISTRIES_MAX     16
#define NAME_CHARS_MAX     63
#define PASSWORD_BYTES_MAX 256
#define EXIT_USAGE         2

enum option_key {
    OPTION_REGISTRY = 'r',
    OPTION_ADMIN_PORT = 'a',
    OPTION_USER = 'u',
    OPTION_PASSWORD_FILE = 'p',
    OPTION_READY_FILE = 'f',
};

struct registry_option {
    char name[NAME_CHARS_MAX + 1];
    uint16_t port;
};

struct options {
    struct registry_option registries[REGISTRIES_MAX];
    size_t registry_count;
    uint16_t admin_port;
    const char *user_name;
    const char *password_file;
    const char *ready_file;
};

struct sandbox {
    struct event_base *base;
    struct event *signals[2];
    struct berth_sandbox_registry *registries[REGISTRIES_MAX];
    size_t registry_count;
    struct berth_sandbox_admin *admin;
};

static error_t parse_option(int key, char *argument, struct argp_state *state);
static void add_registry(struct options *options, const char *argument, struct argp_state *state);
static bool parse_port(const char *text, uint16_t *ret_port);
static enum berth_rc read_password(const char *path, char ret_password[PASSWORD_BYTES_MAX],
                                   struct berth_error *reterr);
static enum berth_rc start(struct sandbox *sandbox, const struct options *options,
                           struct berth_error *reterr);
static enum berth_rc start_registries(struct sandbox *sandbox, const struct options *options,
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
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0, "Holds the password of both", 0},
    {"ready-file", OPTION_READY_FILE, "FILE", 0,
     "Is written, with the addresses in it, once everything listens", 0},
    {0},
};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse_option,
    .doc = "A stand-in for Harbor registries, on 127.0.0.1 only, holding everything in memory.\v"
           "Prints one line for each address, then \"ready\"; stops on SIGTERM or SIGINT.",
};

int main(int argc, char **argv) {
    struct options options = {.user_name = "berth"};
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
    case OPTION_PASSWORD_FILE:
        options->password_file = argument;
        return 0;
    case OPTION_READY_FILE:
        options->ready_file = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: no argument was expected", argument);
        return 0;
    case ARGP_KEY_END:
        if (options->registry_count == 0) {
            argp_error(state, "--registry NAME=PORT is missing");
        }
        if (options->password_file == NULL) {
            argp_error(state, "--password-file FILE is missing");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
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

static bool parse_port(const char *text, uint16_t *ret_port) {
    char *end = NULL;
    errno = 0;
    long port = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || port < 0 || port > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)port;
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
    for (size_t i = 0; rc == BERTH_OK && i < options->registry_count; i++) {
        const struct berth_sandbox_registry_options registry = {.name = options->registries[i].name,
                                                                .port = options->registries[i].port,
                                                                .user_name = options->user_name,
                                                                .password = password};
        rc = berth_sandbox_registry_new(sandbox->base, &registry,
                                        &sandbox->registries[sandbox->registry_count], reterr);
        sandbox->registry_count += rc == BERTH_OK ? 1 : 0;
    }
    return rc;
}

static void stop(struct sandbox *sandbox) {
    sandbox->admin = berth_sandbox_admin_free(sandbox->admin);
    for (size_t i = 0; i < sandbox->registry_count; i++) {
        sandbox->registries[i] = berth_sandbox_registry_free(sandbox->registries[i]);
    }
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
        (void)fprintf(stream, "registry %s http://127.0.0.1:%u\n",
                      berth_sandbox_registry_name(sandbox->registries[i]),
                      (unsigned)berth_sandbox_registry_port(sandbox->registries[i]));
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
