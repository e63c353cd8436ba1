/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers of the Harbor client (private to io): one curl handle each, used again and again for
 * the calls to one registry; from a call to what curl is to send, and from what came to an answer.
 *
 * Life of a transfer: new -> { begin -> (the loop carries it) -> end }* -> free.
 * end may ask for another round of the same call (the PUT after the look-up of ENABLE_ROBOT).
 */
#ifndef BERTH_IO_HARBOR_CLIENT_TRANSFER_H
#define BERTH_IO_HARBOR_CLIENT_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "berth/codec/harbor.h"
#include "berth/io/harbor_client.h"

/* What all transfers to one registry share. */
struct berth_harbor_endpoint {
    const struct berth_harbor_registry_config *registry; /* Borrowed. */
    const char *deployment;
    struct berth_bytes master_key;
    char *base_url;      /* Owned: the url without slashes at its end. */
    char *authorization; /* Owned: the whole header line. A secret. */
    /* Header lines, each one the start of a list that curl reads: with a body, and without. */
    struct curl_slist content_type;
    struct curl_slist plain;
    struct curl_slist accept;
};

/*
 * Everything of config is borrowed. The endpoint is linked into itself, so it must not move.
 * BERTH_INVALID: url or username; reterr says why. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_harbor_endpoint_init(
    struct berth_harbor_endpoint *endpoint, const struct berth_harbor_client_config *config,
    const struct berth_harbor_registry_config *registry, struct berth_error *reterr);
/* Wipes the credentials. Fine on a zeroed one, and twice. */
void berth_harbor_endpoint_deinit(struct berth_harbor_endpoint *endpoint);

struct berth_harbor_transfer;

/* The endpoint and the owner are borrowed for the transfer's life. Faults: MEMORY, LIBRARY. */
BERTH_MUST_USE enum berth_rc berth_harbor_transfer_new(const struct berth_harbor_endpoint *endpoint,
                                                       void *owner,
                                                       struct berth_harbor_transfer **ret_transfer);
/* Not while the loop has it. NULL is fine; returns NULL. */
struct berth_harbor_transfer *berth_harbor_transfer_free(struct berth_harbor_transfer *transfer);

/* The handle to add to the loop, and the owner of the transfer that has this handle. */
CURL *berth_harbor_transfer_easy(const struct berth_harbor_transfer *transfer);
void *berth_harbor_transfer_owner_of(CURL *easy);

/* Makes it ready for the loop. call is borrowed until the end. Faults: MEMORY, LIBRARY. */
BERTH_MUST_USE enum berth_rc berth_harbor_transfer_begin(struct berth_harbor_transfer *transfer,
                                                         const struct berth_harbor_call *call);

/*
 * Takes in how it ended and gives back what the call held.
 * True: ret_decoded is the answer, to be freed by the caller. False: the loop is to carry the
 * transfer again.
 */
bool berth_harbor_transfer_end(struct berth_harbor_transfer *transfer, CURLcode code,
                               struct berth_harbor_decoded *ret_decoded);

/* Gives back what an unfinished call held. */
void berth_harbor_transfer_abandon(struct berth_harbor_transfer *transfer);

#endif
