/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: Harbor's "sid" cookies (beego sessions).
 *
 * Harbor gives a session to whoever comes without one, logged in or not. A session that it doesn't
 * know is no error: the request goes on as anonymous and the reply carries a new sid.
 * Pure: ids and time are handed in. Bounded: past the limits below, the one that was used least
 * recently is forgotten, anonymous ones and logged-in ones apart.
 */
#ifndef BERTH_SANDBOX_HARBOR_SESSIONS_H
#define BERTH_SANDBOX_HARBOR_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "harbor_model.h"

#define BERTH_SANDBOX_SESSIONS_ANONYMOUS_MAX 10000
#define BERTH_SANDBOX_SESSIONS_USERS_MAX     1000
#define BERTH_SANDBOX_SESSION_ID_CHARS       32
/* Harbor's session_timeout; each use begins it anew. */
#define BERTH_SANDBOX_SESSION_TIMEOUT_MS INT64_C(3600000)

struct berth_sandbox_sessions;

struct berth_sandbox_sessions *berth_sandbox_sessions_new(void);
struct berth_sandbox_sessions *berth_sandbox_sessions_free(struct berth_sandbox_sessions *sessions);

/* Whether the session is known (and then begins its timeout anew), and whose it is: NULL for an
 * anonymous one. */
bool berth_sandbox_sessions_use(struct berth_sandbox_sessions *sessions, const char *id,
                                int64_t now_ms, const struct berth_model_user **ret_user);

/* Begins a session with a new id of BERTH_SANDBOX_SESSION_ID_CHARS characters (asserted); user may
 * be NULL and outlives the session. */
void berth_sandbox_sessions_begin(struct berth_sandbox_sessions *sessions, const char *id,
                                  const struct berth_model_user *user, int64_t now_ms);

/* Forgets a session; fine if it isn't known. */
void berth_sandbox_sessions_end(struct berth_sandbox_sessions *sessions, const char *id);

#endif
