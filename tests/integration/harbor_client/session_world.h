/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scripted Harbor that knows sessions (harbor-contract 5.3b), on top of world.h: who asks with
 * the session of a user is answered as the world says, everybody else as Harbor answers strangers.
 * Include <cmocka.h> first.
 */
#ifndef BERTH_TESTS_SESSION_WORLD_H
#define BERTH_TESTS_SESSION_WORLD_H

#include "world.h"

#define UNAUTHORIZED "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"unauthorized\"}]}"
#define FORBIDDEN    "{\"errors\":[{\"code\":\"FORBIDDEN\",\"message\":\"forbidden\"}]}"
#define BAD_CSRF     "{\"errors\":[{\"code\":\"FORBIDDEN\",\"message\":\"CSRF token invalid\"}]}"

struct session_world {
    struct world world; /* First: the scripts' ctx is both. */
    int sessions;       /* The number of the last user's session: sid=user-<n>. */
    bool known;         /* Harbor has it. */
    bool with_user;     /* And its user. */
    int login_status;   /* 200, or how a login is refused. */
    bool csrf_broken;   /* No write of a session passes. */
    bool hold_login;
    int proof_status;          /* 200, or how GET /users/current of a user fails. */
    const char *stranger_body; /* What the API tells a stranger, with stranger_status. */
    int stranger_status;
    scripted_request_fn *as_user; /* Who answers the user's calls; reply_as_told by default. */

    size_t logins; /* POST /c/login. */
    size_t proofs; /* GET /users/current. */
    size_t calls;  /* All that is no errand. */
    size_t basic;  /* Of those with a password. */
    size_t unsaid; /* Writes of a session without the token, reads with it, and the like. */
    size_t notices;
    char notice[256];
    char last_form[512];
};

int session_world_set_up(void **state);
int session_world_tear_down(void **state);

/* client_start() with sessions. */
void session_world_start(struct session_world *world);
/* Asks once, so that there is a session. */
void session_world_log_in(struct session_world *world);

#endif
