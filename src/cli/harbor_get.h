/* SPDX-License-Identifier: Apache-2.0 */
/* One registry that is read from, with the configuration's account; blocking. */
#ifndef BERTH_CLI_HARBOR_GET_H
#define BERTH_CLI_HARBOR_GET_H

#include <stdbool.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "cli.h"

struct cli_harbor;

/* The registry is borrowed and has url, username and password. CLI_FAILED, told on standard error.
 * Freed with cli_harbor_close(), for which NULL is fine; it returns NULL. */
enum cli_exit cli_harbor_open(const struct berth_config_registry *registry,
                              struct cli_harbor **ret_harbor);
struct cli_harbor *cli_harbor_close(struct cli_harbor *harbor);

/* As it was opened with. */
const struct berth_config_registry *cli_harbor_registry(const struct cli_harbor *harbor);

/* Views that are valid until the next request. */
struct cli_harbor_reply {
    long status; /* 0: there was no reply, and `words` says why. */
    const char *words;
    bool untrusted; /* The certificate was refused. */
    struct berth_bytes body;
    const char *content_type;      /* "": none. */
    const char *location;          /* The same. */
    bool echoed;                   /* It bears the X-Request-Id that was sent. */
    int64_t date_s;                /* Its Date, seconds since 1970; -1: none. */
    int64_t certificate_expires_s; /* The same of the server's certificate; -1: not known. */
};

/* Asks for a path below the registry's url. Within the registry's time-outs. */
void cli_harbor_get(struct cli_harbor *harbor, const char *path,
                    struct cli_harbor_reply *ret_reply);

/* The same with another login than the configuration's. */
void cli_harbor_get_as(struct cli_harbor *harbor, const char *path, const char *user,
                       const char *password, struct cli_harbor_reply *ret_reply);

#endif
