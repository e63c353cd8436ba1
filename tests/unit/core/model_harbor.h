/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small Harbor in memory, for tests of plans: projects, quotas and robots with the rules that
 * plans depend on (harbor-contract.md), answering calls as the codec would report them.
 */
#ifndef MODEL_HARBOR_H
#define MODEL_HARBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/harbor_call.h"

#define MODEL_PROJECTS_MAX 8
#define MODEL_ROBOTS_MAX   2400
#define MODEL_LATE_MAX     32

struct model_project {
    int64_t id;
    bool exists;
    char name[BERTH_SPACE_BYTES];
    char owner[BERTH_ACTOR_BYTES];
    enum berth_visibility visibility;
    int64_t repositories;
    int64_t quota_id; /* 0: none is kept. */
    int64_t quota_bytes;
};

struct model_robot {
    struct berth_harbor_robot robot;
    int64_t project_id;
    bool exists;
    bool secret_derived; /* Its secret is the one berth derives, else one nobody knows. */
};

/* A write that the client gave up on and Harbor carries out later. */
struct model_late {
    struct berth_harbor_call call;
    int calls_left;
};

struct model_harbor {
    const char *account;       /* Who asks, and owns what is created. */
    bool quotas_kept;          /* quota_per_project_enable */
    bool quota_ignored;        /* The account may not set one at creation. */
    const char *refuses_robot; /* CREATE_ROBOT for this workspace is 400, or NULL. */
    bool shows_deleted;        /* A cache goes on showing deleted projects (harbor-contract 6.4). */
    bool refuses_deletion;     /* A repository appears before each deletion ... */
    bool hides_repositories;   /* ... and is not counted. */
    struct model_project projects[MODEL_PROJECTS_MAX];
    size_t projects_count;
    size_t robots_count;
    struct berth_harbor_robot page[BERTH_HARBOR_PAGE_SIZE]; /* Of the last list. */
    struct model_late late[MODEL_LATE_MAX];
    size_t late_count;
    unsigned calls[BERTH_HARBOR_CALL_KINDS];     /* Answered, by kind. */
    struct model_robot robots[MODEL_ROBOTS_MAX]; /* Last: large, and cleared only by counting. */
};

void model_harbor_init(struct model_harbor *harbor, const char *account);

/* Puts something there; the result is a view that stays valid. */
struct model_project *model_harbor_add(struct model_harbor *harbor, const char *name,
                                       const char *owner, enum berth_visibility visibility);
/* workspace NULL: a robot that is not berth's. */
struct model_robot *model_harbor_add_robot(struct model_harbor *harbor, int64_t project_id,
                                           const char *name, const char *workspace);

struct model_project *model_harbor_find(struct model_harbor *harbor, const char *name);
struct model_robot *model_harbor_find_robot(struct model_harbor *harbor, int64_t project_id,
                                            const char *name);
/* Deletes the project with its robots, as its owner would in Harbor. */
void model_harbor_remove(struct model_harbor *harbor, struct model_project *project);

/* Carries the call out and answers. The robots in the answer are valid until the next call. */
struct berth_harbor_answer model_harbor_answer(struct model_harbor *harbor,
                                               const struct berth_harbor_call *call);

/* The call will be carried out right after calls_left more calls. */
void model_harbor_later(struct model_harbor *harbor, const struct berth_harbor_call *call,
                        int calls_left);
/* One call went by: what is due is carried out. */
void model_harbor_tick(struct model_harbor *harbor);

#endif
