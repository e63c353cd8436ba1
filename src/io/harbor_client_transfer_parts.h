/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of transfers share: harbor_client_transfer.c carries requests,
 * harbor_client_errand.c makes those of the session.
 */
#ifndef BERTH_IO_HARBOR_CLIENT_TRANSFER_PARTS_H
#define BERTH_IO_HARBOR_CLIENT_TRANSFER_PARTS_H

#include "harbor_client_headers.h"
#include "harbor_client_transfer.h"

#define COOKIE_BYTES                                                                               \
    (sizeof "Cookie: sid=; _gorilla_csrf=" + BERTH_HARBOR_SID_BYTES + BERTH_HARBOR_CSRF_BYTES)
#define TOKEN_BYTES (sizeof "X-Harbor-CSRF-Token: " + BERTH_HARBOR_TOKEN_BYTES)
/* Header lines of one request, without those that the configuration adds. */
#define LINES_MAX 7

/* Why a transfer was stopped by us. */
enum stop {
    STOP_NONE,
    STOP_LATE,   /* not_after_ms passed before it was sent. */
    STOP_SECOND, /* curl was about to send a write once more. */
    STOP_LONG_HEADERS,
    STOP_LONG_BODY,
    STOP_NO_MEMORY,
};

struct berth_harbor_transfer {
    struct berth_harbor_endpoint *endpoint;
    void *owner;
    CURL *easy;
    char curl_says[CURL_ERROR_SIZE];

    const struct berth_harbor_call *call; /* NULL: idle, or on an errand. */
    enum berth_harbor_errand errand;
    bool looking_up; /* The first round of a MEND_ROBOT. */
    bool is_write;   /* Of this round's request. */
    struct berth_harbor_request request;
    char request_id_line[sizeof "X-Request-Id: " + BERTH_REQUEST_ID_BYTES];
    bool in_session;                /* With these lines, and not with Basic. Secrets. */
    char cookie_line[COOKIE_BYTES]; /* Empty: none. */
    char token_line[TOKEN_BYTES];   /* Empty: none. */
    struct curl_slist lines[LINES_MAX];

    bool sent; /* A byte of the request may have left. */
    enum stop stop;
    struct berth_harbor_headers headers;
    struct berth_buffer body;
};

/* The header lines by which a session is known; keys may be NULL. */
void transfer_carry_keys(struct berth_harbor_transfer *transfer,
                         const struct berth_harbor_keys *keys);
/* Hands the request to curl's handle. Faults: LIBRARY, MEMORY. */
BERTH_MUST_USE enum berth_rc transfer_send_round(struct berth_harbor_transfer *transfer);
/* What came; views of the transfer. */
struct berth_harbor_reply transfer_reply_of(const struct berth_harbor_transfer *transfer);
/* Why nothing came. */
const char *transfer_failure_text(const struct berth_harbor_transfer *transfer, CURLcode code);

#endif
