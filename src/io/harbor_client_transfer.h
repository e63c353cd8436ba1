/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers of the Harbor client (private to io): one curl handle each, used again and again for
 * the calls to one endpoint; from a call to what curl is to send, and from what came to an answer.
 * What a session asks on its own account, an errand, is carried the same way.
 *
 * Life of a transfer: new -> { begin -> (the loop carries it) -> end }* -> free.
 * end may ask for another round of the same call (the PUT after the look-up of MEND_ROBOT).
 */
#ifndef BERTH_IO_HARBOR_CLIENT_TRANSFER_H
#define BERTH_IO_HARBOR_CLIENT_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "berth/codec/harbor.h"
#include "berth/io/harbor_client.h"
#include "harbor_client_endpoint.h"
#include "harbor_session.h"

struct berth_harbor_transfer;

/* It is a user of the endpoint; the owner is borrowed for its life. Faults: MEMORY, LIBRARY. */
BERTH_MUST_USE enum berth_rc berth_harbor_transfer_new(struct berth_harbor_endpoint *endpoint,
                                                       void *owner,
                                                       struct berth_harbor_transfer **ret_transfer);
/* Not while the loop has it. NULL is fine; returns NULL. */
struct berth_harbor_transfer *berth_harbor_transfer_free(struct berth_harbor_transfer *transfer);

const struct berth_harbor_endpoint *
berth_harbor_transfer_endpoint(const struct berth_harbor_transfer *transfer);

/* The handle to add to the loop, and the owner of the transfer that has this handle. */
CURL *berth_harbor_transfer_easy(const struct berth_harbor_transfer *transfer);
void *berth_harbor_transfer_owner_of(CURL *easy);

/*
 * Makes it ready for the loop. call is borrowed until the end. keys: those of the session to use,
 * copied; NULL: Basic. Faults: MEMORY, LIBRARY.
 */
BERTH_MUST_USE enum berth_rc berth_harbor_transfer_begin(struct berth_harbor_transfer *transfer,
                                                         const struct berth_harbor_call *call,
                                                         const struct berth_harbor_keys *keys);

/*
 * Takes in how it ended and gives back what the call held.
 * True: ret_decoded is the answer, to be freed by the caller, and ret_seen what the session wants
 * to know of it, but for repeats. False: the loop is to carry the transfer again.
 */
bool berth_harbor_transfer_end(struct berth_harbor_transfer *transfer, CURLcode code,
                               struct berth_harbor_decoded *ret_decoded,
                               struct berth_harbor_seen *ret_seen);

/* The same for an errand of the session. Faults: MEMORY, LIBRARY. */
BERTH_MUST_USE enum berth_rc
berth_harbor_transfer_begin_errand(struct berth_harbor_transfer *transfer,
                                   enum berth_harbor_errand errand,
                                   const struct berth_harbor_keys *keys);
/* ret_reply is valid until the next begin or the abandoning, and so are its secrets. */
void berth_harbor_transfer_end_errand(struct berth_harbor_transfer *transfer, CURLcode code,
                                      struct berth_harbor_errand_reply *ret_reply);

/* Gives back what an unfinished call or an errand held. */
void berth_harbor_transfer_abandon(struct berth_harbor_transfer *transfer);

#endif
