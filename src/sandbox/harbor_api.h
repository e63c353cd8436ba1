/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API: one Harbor as its clients see it over HTTP, without sockets.
 *
 * A request goes the way that it goes through Harbor's core: request id, session, CSRF, login,
 * read-only mode, route, body (422), rights (401, 403, 404), the model. Everything is answered:
 * what is unknown with Harbor's own errors.
 * Not covered, and answered as an unknown path: user groups, repositories and their content,
 * statistics.
 */
#ifndef BERTH_SANDBOX_HARBOR_API_H
#define BERTH_SANDBOX_HARBOR_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harbor_model.h"
#include "sandbox_http.h"

/* Fills memory with random bytes; tests may hand in something that repeats. */
typedef void berth_sandbox_random_fn(void *memory, size_t bytes);

struct berth_sandbox_harbor;

struct berth_sandbox_harbor_options {
    const char *user_name;          /* A system administrator with id 3. */
    const char *const *plain_users; /* Users without rights of their own, ended by NULL; or NULL. */
    const char *password;           /* Of all of them and of admin. */
    const char *version;            /* What it claims to be: "2.14.4"; NULL: that. */
    bool with_tls;                  /* Its own URLs are https. */
    berth_sandbox_random_fn *fill_random;
    int64_t now_ms;
};

struct berth_sandbox_harbor *
berth_sandbox_harbor_new(const struct berth_sandbox_harbor_options *options);
struct berth_sandbox_harbor *berth_sandbox_harbor_free(struct berth_sandbox_harbor *harbor);

/* Its rules, for what is not done over the API. A view. */
struct berth_model *berth_sandbox_harbor_model(struct berth_sandbox_harbor *harbor);

/* A hiccup of Harbor's Redis, which keeps the sessions. */
enum berth_sandbox_session_fault {
    BERTH_SANDBOX_SESSION_KEPT,
    BERTH_SANDBOX_SESSION_UNKNOWN,  /* As if it had been forgotten: anonymous, with a new cookie. */
    BERTH_SANDBOX_SESSION_USERLESS, /* Anonymous, and no new cookie tells. */
};

/* What a request is met with besides Harbor's rules; all zero: nothing. */
struct berth_sandbox_handling {
    bool read_only; /* As if read-only mode were on. */
    enum berth_sandbox_session_fault session;
    const struct berth_model_reading *reading; /* What it read before, or NULL. */
};

/* Applies the request and fills the reply, which the caller has initialized. */
void berth_sandbox_harbor_handle_with(struct berth_sandbox_harbor *harbor,
                                      const struct berth_sandbox_request *request,
                                      const struct berth_sandbox_handling *handling,
                                      struct berth_sandbox_reply *reply);

/*
 * Does what the request reads before it writes and stops there: for the writes that Harbor doesn't
 * guard in between (POST of robots and members). False: it is none of these, or would be refused
 * already; nothing happened. Otherwise handle_with goes on from the reading.
 */
bool berth_sandbox_harbor_read(struct berth_sandbox_harbor *harbor,
                               const struct berth_sandbox_request *request,
                               const struct berth_sandbox_handling *handling,
                               struct berth_model_reading *ret_reading);

/* How many checks of a user's password the request costs: 0, 1 or 2. Robots' are cheap. */
int berth_sandbox_harbor_password_checks(const struct berth_sandbox_harbor *harbor,
                                         const struct berth_sandbox_request *request);

/* How long a failed login locks its user's name and is answered late; 1500 as in Harbor. */
void berth_sandbox_harbor_set_login_lock(struct berth_sandbox_harbor *harbor, int64_t ms);

/* Forgets all sessions, as when Harbor's Redis was emptied. */
void berth_sandbox_harbor_forget_sessions(struct berth_sandbox_harbor *harbor);

/* A restart without a fixed CSRF_KEY: the CSRF pairs from before are invalid, sessions go on. */
void berth_sandbox_harbor_change_csrf_key(struct berth_sandbox_harbor *harbor);

/* The same without any of that. */
void berth_sandbox_harbor_handle(struct berth_sandbox_harbor *harbor,
                                 const struct berth_sandbox_request *request,
                                 struct berth_sandbox_reply *reply);

/* Routes: an index for each, the last one for whatever matches none. */
size_t berth_sandbox_route_count(void);
size_t berth_sandbox_find_route(enum berth_sandbox_method method, const char *path);

/* "POST /projects", "GET /service/token", "other": without "/api/v2.0". */
void berth_sandbox_route_name(size_t route, char *ret_name, size_t size);

#endif
