/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few headers of a reply that matter (private to io), taken from the lines that curl hands
 * over.
 */
#ifndef BERTH_IO_HARBOR_CLIENT_HEADERS_H
#define BERTH_IO_HARBOR_CLIENT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/harbor_call.h"
#include "harbor_session.h"

/* All header lines of one request's replies together; Harbor sends less than 2 KiB. */
#define BERTH_HARBOR_HEADERS_BYTES_MAX (64UL * 1024)

/* An empty text or -1: not there. A value that is longer than any that Harbor sends reads "?",
 * which no check takes for good. */
struct berth_harbor_headers {
    char content_type[64];
    char location[256];
    char request_id[BERTH_REQUEST_ID_BYTES];
    int64_t total_count;
    struct berth_harbor_keys brought; /* Cookies that were set, and the token. Secrets. */
    size_t bytes;                     /* Of all lines so far. */
};

void berth_harbor_headers_init(struct berth_harbor_headers *headers);

/*
 * Takes one line, its end included. A status line starts a new reply: what came before was "100
 * Continue". When X-Request-Id is there more than once (a front end may add its own to Harbor's
 * echo), the one that equals request_id counts.
 * False: there are more than BERTH_HARBOR_HEADERS_BYTES_MAX.
 */
bool berth_harbor_headers_take(struct berth_harbor_headers *headers, const char *request_id,
                               const char *line, size_t len);

#endif
