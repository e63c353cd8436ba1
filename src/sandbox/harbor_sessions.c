/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_sessions.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "berth/base/assert.h"
#include "sandbox_memory.h"

struct session {
    char id[BERTH_SANDBOX_SESSION_ID_CHARS + 1];
    const struct berth_model_user *user;
    int64_t used_ms;
    UT_hash_handle hh;
};

/* uthash keeps its elements in the order of their insertion; each use puts a session last, so the
 * first one is the one used least recently. */
struct berth_sandbox_sessions {
    struct session *anonymous;
    struct session *users;
};

static struct session **table_of(struct berth_sandbox_sessions *sessions,
                                 const struct berth_model_user *user);
static struct session *find(struct berth_sandbox_sessions *sessions, const char *id);
static void drop(struct berth_sandbox_sessions *sessions, struct session *session);
static void clear(struct session **table);

struct berth_sandbox_sessions *berth_sandbox_sessions_new(void) {
    return berth_sandbox_alloc(sizeof(struct berth_sandbox_sessions));
}

struct berth_sandbox_sessions *
berth_sandbox_sessions_free(struct berth_sandbox_sessions *sessions) {
    if (sessions != NULL) {
        clear(&sessions->anonymous);
        clear(&sessions->users);
        free(sessions);
    }
    return NULL;
}

bool berth_sandbox_sessions_use(struct berth_sandbox_sessions *sessions, const char *id,
                                int64_t now_ms, const struct berth_model_user **ret_user) {
    struct session *session = find(sessions, id);
    if (session == NULL) {
        return false;
    }
    if (now_ms - session->used_ms >= BERTH_SANDBOX_SESSION_TIMEOUT_MS) {
        drop(sessions, session);
        return false;
    }
    struct session **table = table_of(sessions, session->user);
    HASH_DEL(*table, session);
    HASH_ADD_STR(*table, id, session);
    session->used_ms = now_ms;
    *ret_user = session->user;
    return true;
}

void berth_sandbox_sessions_begin(struct berth_sandbox_sessions *sessions, const char *id,
                                  const struct berth_model_user *user, int64_t now_ms) {
    BERTH_ASSERT(strlen(id) == BERTH_SANDBOX_SESSION_ID_CHARS);
    BERTH_ASSERT(find(sessions, id) == NULL);
    struct session **table = table_of(sessions, user);
    unsigned limit =
        user == NULL ? BERTH_SANDBOX_SESSIONS_ANONYMOUS_MAX : BERTH_SANDBOX_SESSIONS_USERS_MAX;
    struct session *session = *table;
    if (HASH_COUNT(*table) >= limit) {
        /* The one used least recently makes room. */
        HASH_DEL(*table, session);
        memset(session, 0, sizeof(*session));
    } else {
        session = berth_sandbox_alloc(sizeof(*session));
    }
    memcpy(session->id, id, sizeof(session->id));
    session->user = user;
    session->used_ms = now_ms;
    HASH_ADD_STR(*table, id, session);
}

void berth_sandbox_sessions_end(struct berth_sandbox_sessions *sessions, const char *id) {
    struct session *session = find(sessions, id);
    if (session != NULL) {
        drop(sessions, session);
    }
}

static struct session **table_of(struct berth_sandbox_sessions *sessions,
                                 const struct berth_model_user *user) {
    return user == NULL ? &sessions->anonymous : &sessions->users;
}

static struct session *find(struct berth_sandbox_sessions *sessions, const char *id) {
    struct session *session = NULL;
    HASH_FIND_STR(sessions->users, id, session);
    if (session == NULL) {
        HASH_FIND_STR(sessions->anonymous, id, session);
    }
    return session;
}

static void drop(struct berth_sandbox_sessions *sessions, struct session *session) {
    struct session **table = table_of(sessions, session->user);
    HASH_DEL(*table, session);
    free(session);
}

static void clear(struct session **table) {
    struct session *next = *table;
    HASH_CLEAR(hh, *table);
    while (next != NULL) {
        struct session *session = next;
        next = session->hh.next;
        free(session);
    }
}
