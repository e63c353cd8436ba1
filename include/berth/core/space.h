/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a space: what berth knows of one Harbor project and its bindings.
 *
 * A value with one owned part, the array of bindings, which is sorted by workspace and comes from a
 * pool. Used as the `before` of a claim, as what a plan observed, and as what is stored.
 */
#ifndef BERTH_CORE_SPACE_H
#define BERTH_CORE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"

struct berth_pool;

enum berth_knowledge {
    BERTH_SPACE_UNKNOWN, /* Nothing reliable is known; never to be taken for "absent". */
    BERTH_SPACE_ABSENT,
    BERTH_SPACE_PRESENT,
};

struct berth_binding {
    char workspace[BERTH_WORKSPACE_BYTES];
    /* The key id with which the pull secret is known to be set; empty: not known, PATCH it. */
    char key_id[BERTH_KEY_ID_BYTES];
    bool disabled; /* A human switched the robot off in Harbor. */
    bool altered;  /* A human changed what it may do, or gave it an end. */
    bool outdated; /* Its marker is an older one. Says nothing of the binding: never kept. */
    int64_t robot_id;
};

struct berth_space_state {
    enum berth_knowledge knowledge;
    int64_t project_id; /* Harbor's; says nothing when not PRESENT. */
    enum berth_visibility visibility;
    int64_t quota_bytes;               /* -1 unlimited; BERTH_QUOTA_UNSET: not known. */
    char created_by[BERTH_UUID_BYTES]; /* Command ids; empty: not by a command of ours. */
    char updated_by[BERTH_UUID_BYTES];
    int64_t updated_at_ms;  /* Wall clock. */
    int64_t verified_at_ms; /* Wall clock; when it was last compared with Harbor. */
    int64_t version;        /* The token of its last STORE; 0: never stored, nor published. */
    struct berth_binding *bindings;
    size_t bindings_count;
    size_t bindings_capacity; /* Private: room in the array; 0 when it was made to measure. */
};

/* Sets it to "unknown, nothing bound". */
void berth_space_state_init(struct berth_space_state *state);

/* Gives the bindings back to the pool and sets it to "unknown". */
void berth_space_state_deinit(struct berth_space_state *state, struct berth_pool *pool);

/* Makes an initialised target equal to source; what it held is given back. Not onto itself. */
void berth_space_state_copy(struct berth_space_state *target,
                            const struct berth_space_state *source, struct berth_pool *pool);

/* The binding of this workspace, or NULL. A view, valid until the next change. */
struct berth_binding *berth_space_state_find(const struct berth_space_state *state,
                                             const char *workspace);

/* Adds a binding, or overwrites the one of the same workspace. More than
 * BERTH_SPACE_BINDINGS_MAX is asserted: whoever reads from outside checks first. */
void berth_space_state_put(struct berth_space_state *state, const struct berth_binding *binding,
                           struct berth_pool *pool);

/* Removes the binding of this workspace; true if there was one. */
bool berth_space_state_remove(struct berth_space_state *state, const char *workspace);

/* Whether two states say the same of the space: project, visibility, quota, creator and bindings
 * with their key ids; not who changed it last, nor when, nor the version. */
bool berth_space_state_equal(const struct berth_space_state *a, const struct berth_space_state *b);

#endif
