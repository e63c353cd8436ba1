/* SPDX-License-Identifier: Apache-2.0 */
/* What one command line, or one line of a batch, asks to be sent. */
#ifndef BERTH_CLI_SEND_REQUEST_H
#define BERTH_CLI_SEND_REQUEST_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"

/* Strings are views of the words that were parsed; NULL: not given. */
struct cli_send_request {
    bool typed; /* There is a command; else raw is given. */
    enum berth_command_type type;
    unsigned used; /* Private: which options were given. */
    const char *registry;
    const char *space;
    const char *actor;
    const char *id;
    const char *topic;
    const char *key;
    const char *raw;         /* A file whose bytes are the record's value. */
    const char **workspaces; /* Owned, the array alone. */
    size_t workspaces_count;
    enum berth_visibility visibility;
    bool quota_given;
    int64_t quota_bytes;
    bool adopt;
    bool unbind;
    bool no_check;
    bool in_batch; /* The commands are in a file: nothing of all this may be given. */
};

/* Options and the command's name; its input is a zeroed struct cli_send_request. */
extern const struct argp cli_send_request_argp;

void cli_send_request_deinit(struct cli_send_request *request);

/* A whole number of bytes, with K, M, G or T (or KiB, ...) for powers of 1024, or "unlimited".
 * false: it isn't one. */
bool cli_parse_quota(const char *text, int64_t *ret_bytes);

#endif
