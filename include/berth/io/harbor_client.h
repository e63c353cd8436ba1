/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harbor client: carries calls to the configured registries and their answers back, on the loop.
 *
 * Each registry has a limit of requests at once and a queue in front of it (first come, first
 * served), so that curl never holds a request back while its time-out runs already. Connections are
 * kept alive and reused; no redirect is followed.
 *
 * A user logs in once and works in a session (harbor-contract 5.3b); a robot account, and whoever
 * is configured so, sends its password with each request. The session's own requests go besides the
 * limit, one at a time. A call whose reply shows that it was not made as us, and that nothing was
 * done, is sent again after a new login without a word; so not_after_ms is checked for each
 * sending, and a write that may have been done is never among them. While there is no session and a
 * login has failed lately, calls are answered at once: BERTH_HARBOR_NOT_SENT, or
 * BERTH_HARBOR_UNAUTHENTICATED when it was refused. docs/harbor.md says more.
 *
 * What an answer means for a write (design 4.4, 4.5, 4.7):
 * - BERTH_HARBOR_NOT_SENT: not a byte of it left, because there was no connection or not_after_ms
 * had passed. That is checked when the request is handed to curl and again right before it is sent.
 * - BERTH_HARBOR_UNKNOWN: it may have been applied. No write is ever sent twice: curl by itself
 * sends a request again when a reused connection dies before the reply, and that is stopped.
 *
 * Single-threaded: everything happens on the thread that runs the loop.
 */
#ifndef BERTH_IO_HARBOR_CLIENT_H
#define BERTH_IO_HARBOR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/core/harbor_call.h"

struct berth_config_registry;
struct berth_harbor_client;
struct event_base;

/* One registry; a call names it by its index. */
struct berth_harbor_registry_config {
    const char *name;
    const char *uid;      /* Goes into derived secrets. */
    const char *url;      /* http or https, host and perhaps a path; slashes at its end are fine. */
    const char *username; /* Without a colon (RFC 7617). */
    const char *password;
    bool basic_login;             /* The password with each request, instead of a session. */
    const char *ca_file;          /* PEM; NULL: the system's. */
    const char *client_cert_file; /* PEM; NULL: none. */
    const char *client_key_file;  /* PEM; NULL: in client_cert_file. */
    const char *proxy;            /* http://HOST:PORT; NULL: none, whatever the environment says. */
    const char *const *extra_headers; /* "Name: value" each. */
    size_t extra_headers_count;
    size_t limit;           /* Requests at once, at least 1. */
    size_t queue_max;       /* Calls that wait besides. */
    int connect_timeout_ms; /* Until there is a connection, TLS included. */
    int request_timeout_ms; /* For the whole request, connecting included. */
    bool echo_waived;       /* Replies to writes count without the echo of X-Request-Id. */
};

/* What the configuration says of a registry; limit and queue_max are left to the caller. Borrows
 * from it. */
struct berth_harbor_registry_config
berth_harbor_registry_configured(const struct berth_config_registry *registry);

/* Sets on a handle of curl's (CURL *) what every request to the registry is made with, but for URL
 * and headers: for whoever has a curl of his own. Zero when all went well. */
int berth_harbor_set_up_curl(void *easy, const struct berth_harbor_registry_config *registry);

/*
 * Called for each submitted call once, from the loop, never within berth_harbor_client_submit().
 * call is a copy of what was submitted; it and the answer are borrowed until the callback returns.
 * Submitting from here is fine, freeing the client isn't (asserted).
 */
typedef void berth_harbor_answer_fn(void *ctx, uint64_t call_id,
                                    const struct berth_harbor_call *call,
                                    const struct berth_harbor_answer *answer);

/* What the operator should know of a registry's login: once when it begins, and when it is over.
 * trouble: something is wrong. Called from the loop. */
typedef void berth_harbor_notice_fn(void *ctx, const char *registry, bool trouble,
                                    const char *text);

/* The deployment and the master key are borrowed until the client is freed, everything else only
 * for the call. */
struct berth_harbor_client_config {
    struct event_base *base;
    const char *deployment;
    const struct berth_harbor_registry_config *registries;
    size_t registries_count;
    struct berth_bytes master_key;
    uint64_t seed; /* For the jitter of logins. */
    berth_harbor_answer_fn *on_answer;
    berth_harbor_notice_fn *on_notice; /* NULL: nobody wants to know. */
    void *ctx;
};

/*
 * Connects to nothing yet. The proxies of the environment are not used.
 * BERTH_INVALID: a url or a username can't be used. Faults: MEMORY, LIBRARY.
 */
BERTH_MUST_USE enum berth_rc
berth_harbor_client_new(const struct berth_harbor_client_config *config,
                        struct berth_harbor_client **ret_client, struct berth_error *reterr);

/*
 * Takes over what is configured now for the registry of that index: new requests are made by it,
 * those under way end as they were begun. Name, uid, limit and queue_max stay as they are. A
 * session that serves goes on serving until its successor is there, unless url, username or
 * basic_login changed.
 * BERTH_INVALID: url or username can't be used, and nothing changed. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc
berth_harbor_client_reload(struct berth_harbor_client *client, size_t index,
                           const struct berth_harbor_registry_config *registry,
                           struct berth_error *reterr);

/*
 * Ends every session at Harbor, all side by side, and waits for that: at most a second. To be
 * called before the client is freed, without the loop; calls that are still under way are cut off.
 */
void berth_harbor_client_log_out(struct berth_harbor_client *client);

/*
 * Closes every connection at once. Calls that are queued or under way are dropped: nobody is called
 * back for them, and a write among them may have been applied. NULL is fine; returns NULL.
 */
struct berth_harbor_client *berth_harbor_client_free(struct berth_harbor_client *client);

/*
 * Takes a call; call_id is handed back with the answer and means nothing here.
 * BERTH_BUSY: the registry's queue is full. Faults: MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_harbor_client_submit(struct berth_harbor_client *client,
                                                        uint64_t call_id,
                                                        const struct berth_harbor_call *call);

/* The calls that are queued or under way. */
size_t berth_harbor_client_in_flight(const struct berth_harbor_client *client);

#endif
