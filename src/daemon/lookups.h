/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups over HTTP: the routes of docs/lookups.md on the admin server.
 */
#ifndef BERTH_DAEMON_LOOKUPS_H
#define BERTH_DAEMON_LOOKUPS_H

#include "berth/io/admin_http.h"
#include "berth/io/config.h"
#include "berth/io/lookup.h"

/* Both are borrowed. The lookup is freed before the server: its answers become replies. */
struct lookups {
    const struct berth_config *config;
    struct berth_lookup *lookup;
};

/* Serves them; lookups is borrowed until the server is freed. */
void lookups_serve(struct lookups *lookups, struct berth_admin_http *server);

#endif
