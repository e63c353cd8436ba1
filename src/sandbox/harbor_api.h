/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API: one Harbor as its clients see it over HTTP, without sockets.
 *
 * A request goes the way that it goes through Harbor's core: request id, session, CSRF, login,
 * read-only mode, route, body (422), rights (401, 403, 404), the model. Everything is answered:
 * what is unknown with Harbor's own errors.
 * Not covered, and answered as an unknown path: members, user groups, repositories and their
 * content, configuration, statistics.
 */
#ifndef BERTH_SANDBOX_HARBOR_API_H
#define BERTH_SANDBOX_HARBOR_API_H

#include <stddef.h>
#include <stdint.h>

#include "harbor_model.h"
#include "sandbox_http.h"

/* Fills memory with random bytes; tests may hand in something that repeats. */
typedef void berth_sandbox_random_fn(void *memory, size_t bytes);

struct berth_sandbox_harbor;

struct berth_sandbox_harbor_options {
    const char *user_name; /* A system administrator with id 3. */
    const char *password;  /* Of that user and of admin. */
    berth_sandbox_random_fn *fill_random;
    int64_t now_ms;
};

struct berth_sandbox_harbor *
berth_sandbox_harbor_new(const struct berth_sandbox_harbor_options *options);
struct berth_sandbox_harbor *berth_sandbox_harbor_free(struct berth_sandbox_harbor *harbor);

/* Its rules, for what is not done over the API. A view. */
struct berth_model *berth_sandbox_harbor_model(struct berth_sandbox_harbor *harbor);

/* Applies the request and fills the reply, which the caller has initialized. */
void berth_sandbox_harbor_handle(struct berth_sandbox_harbor *harbor,
                                 const struct berth_sandbox_request *request,
                                 struct berth_sandbox_reply *reply);

/* Routes: an index for each, the last one for whatever matches none. */
size_t berth_sandbox_route_count(void);
size_t berth_sandbox_find_route(enum berth_sandbox_method method, const char *path);

/* "POST /projects", "GET /service/token", "other": without "/api/v2.0". */
void berth_sandbox_route_name(size_t route, char *ret_name, size_t size);

#endif
