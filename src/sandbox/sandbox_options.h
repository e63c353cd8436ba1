/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of berth-sandbox's command line.
 */
#ifndef BERTH_SANDBOX_OPTIONS_H
#define BERTH_SANDBOX_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embedded_kafka.h"

#define BERTH_SANDBOX_REGISTRIES_MAX  16
#define BERTH_SANDBOX_NAME_CHARS_MAX  63
#define BERTH_SANDBOX_TOPICS_MAX      64
#define BERTH_SANDBOX_PLAIN_USERS_MAX 16

struct berth_sandbox_registry_option {
    char name[BERTH_SANDBOX_NAME_CHARS_MAX + 1];
    uint16_t port;
};

struct berth_sandbox_topic_option {
    char name[BERTH_SANDBOX_TOPIC_CHARS_MAX + 1];
    int partitions;
};

struct berth_sandbox_options {
    struct berth_sandbox_registry_option registries[BERTH_SANDBOX_REGISTRIES_MAX];
    size_t registry_count;
    struct berth_sandbox_topic_option topics[BERTH_SANDBOX_TOPICS_MAX];
    size_t topic_count;
    bool with_kafka;
    uint16_t admin_port;
    const char *user_name;
    const char *plain_users[BERTH_SANDBOX_PLAIN_USERS_MAX + 1];
    size_t plain_user_count;
    const char *base_path;
    const char *harbor_version;
    const char *tls_certificate;
    const char *tls_key;
    const char *tls_client_ca;
    const char *password_file;
    const char *ready_file;
};

/* Reads the command line, from which the texts are borrowed; what can't be is said, and ends the
 * program with status 2, as --help and --version end it with 0. */
void berth_sandbox_options_parse(int argc, char **argv, struct berth_sandbox_options *ret_options);

#endif
