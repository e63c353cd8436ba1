/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one registry is and how it is reached (private to io): what the requests to it share. It
 * never changes; a reload makes another one, and the old one lives as long as a transfer uses it.
 */
#ifndef BERTH_IO_HARBOR_CLIENT_ENDPOINT_H
#define BERTH_IO_HARBOR_CLIENT_ENDPOINT_H

#include <curl/curl.h>

#include "berth/base/buffer.h"
#include "berth/codec/harbor.h"
#include "berth/io/harbor_client.h"

/* Headers that come out of the configuration; config_check.c counts the same. */
#define BERTH_HARBOR_EXTRA_HEADERS_MAX 16

struct berth_harbor_endpoint {
    struct berth_harbor_registry_config registry; /* Its texts are in the block below. */
    struct berth_robot_marker marker; /* The deployment is borrowed, as is the master key. */
    char key_id[BERTH_KEY_ID_BYTES];  /* Of the master key; empty without one. */
    struct berth_bytes master_key;
    char *authorization; /* Owned: the whole header line of Basic. A secret. */
    char *referer;       /* Owned: the same, for sessions over TLS; NULL: not over TLS. */
    struct curl_slist extra[BERTH_HARBOR_EXTRA_HEADERS_MAX]; /* A list, or extra_count is 0. */
    size_t extra_count;
    char *texts; /* Owned. Holds the password. */
    size_t texts_bytes;
    unsigned users;
};

/*
 * For one user. deployment and master key are borrowed, everything else is copied.
 * BERTH_INVALID: url or username; reterr says why. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc
berth_harbor_endpoint_new(const char *deployment, struct berth_bytes master_key,
                          const struct berth_harbor_registry_config *registry,
                          struct berth_harbor_endpoint **ret_endpoint, struct berth_error *reterr);

/* One user more. */
struct berth_harbor_endpoint *berth_harbor_endpoint_use(struct berth_harbor_endpoint *endpoint);
/* One less; the last one wipes and frees it. NULL is fine; returns NULL. */
struct berth_harbor_endpoint *berth_harbor_endpoint_leave(struct berth_harbor_endpoint *endpoint);

#endif
