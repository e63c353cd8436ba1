/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans: (command, what was observed) -> the next Harbor calls, or the outcome
 * (design 4.4, 4.5, 4.11).
 *
 * A plan converges: it compares what is wanted with what is observed and asks for the difference.
 * A write of unknown outcome makes the thing it touched unknown again, so the next step reads it
 * back. There is no memory of "where the plan was": after a crash the same function continues.
 *
 * Pure. Memory: the work's parts, from the pool. The engine owns retries, leases and the ledger; a
 * plan never sees time.
 *
 * Life of a work: init -> claimed -> { step -> calls -> observe }* -> outcome -> deinit.
 * Invariants: calls_outstanding is the number of calls that step handed out and that were not
 * observed. A call about the project or the list of robots is under way alone; only calls about
 * single bindings run side by side.
 */
#ifndef BERTH_CORE_PLAN_H
#define BERTH_CORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"
#include "berth/core/harbor_call.h"
#include "berth/core/outcome.h"
#include "berth/core/space.h"

struct berth_pool;

/* The most calls of one command that are under way side by side. */
#define BERTH_PLAN_CALLS_MAX 16

/* The most bytes a work and its outcome take from the pool, without the two structs themselves:
 * as many bindings as a space may have, replaced by as many others. */
#define BERTH_PLAN_BYTES_MAX ((size_t)1000 * 1024)

/* What a plan must know of its registry. */
struct berth_plan_registry {
    uint32_t index;
    bool dedicated; /* berth's account there is berth's alone (design 4.5). */
};

/* What all plans share. Borrowed. */
struct berth_plan_settings {
    const char *key_id;                  /* Of the master key in use. */
    const char *const *protected_spaces; /* Never deleted. */
    size_t protected_spaces_count;
};

/* Why a command, or one workspace of it, can't be done as asked. The codes and sentences are in one
 * table in plan_refusals.c. */
enum berth_plan_refusal {
    BERTH_REFUSAL_NONE,
    BERTH_REFUSAL_ALREADY_EXISTS,
    BERTH_REFUSAL_CREATE_UNPROVED,
    BERTH_REFUSAL_NOT_FOUND,
    BERTH_REFUSAL_REPLACED,
    BERTH_REFUSAL_PROTECTED,
    BERTH_REFUSAL_BOUND,
    BERTH_REFUSAL_NOT_EMPTY,
    BERTH_REFUSAL_FOREIGN_ROBOTS,
    BERTH_REFUSAL_TOO_MANY_ROBOTS,
    BERTH_REFUSAL_TOO_MANY_BINDINGS,
    BERTH_REFUSAL_QUOTA_UNSUPPORTED,
    BERTH_REFUSAL_CREATED_WITHOUT_QUOTA,
    BERTH_REFUSAL_HARBOR,
    /* Of one workspace: */
    BERTH_REFUSAL_WORKSPACE_HARBOR,
    BERTH_REFUSAL_WORKSPACE_FOREIGN_ROBOT,
    BERTH_REFUSAL_WORKSPACE_DISABLED,
};
#define BERTH_REFUSALS 17

/* One workspace that the command wants bound or unbound. */
struct berth_plan_item {
    const char *workspace;  /* The command's, or copy. */
    const char *robot_name; /* The command's; empty for a workspace that it doesn't name. */
    char *copy;             /* Owned: the name of a workspace that the command doesn't name. */
    bool wanted;            /* Bound in the end, or not. */
    bool outstanding;       /* A call for it is under way. */
    bool settled;           /* It is as wanted, as far as was observed. */
    bool written;           /* A write for it was done in this claim. */
    bool secret_set;        /* Its robot got the derived secret in this claim. */
    bool maybe_made;        /* A request to make its robot was sent whose reply nobody saw. */
    int64_t made_id;        /* The robot that was made for it in this claim; 0: none. */
    bool foreign;           /* The list shows somebody else's robot under its name. */
    uint8_t conflicts; /* 409s seen: twice, and no robot of ours in the list, is foreign too. */
    uint8_t surprises; /* 404s of its robot seen: from the second on they burn attempts. */
    enum berth_plan_refusal refusal;
};

/* What was written with unknown outcome and not read back since. */
enum berth_plan_unread {
    BERTH_UNREAD_PROJECT = 1,
    BERTH_UNREAD_QUOTA = 2,
    BERTH_UNREAD_ROBOTS = 4,
};

struct berth_work {
    const struct berth_command *command;
    struct berth_plan_registry registry;
    const struct berth_plan_settings *settings;
    struct berth_pool *pool;

    /* From the claim. */
    bool first_claim;      /* No earlier claim of this command may have sent anything. */
    bool before_known;     /* `before` is remembered in the ledger, or about to be. */
    bool before_read;      /* It is what was read in Harbor, and not what Redis knew ... */
    bool before_corrected; /* ... and was remembered until then. */
    struct berth_space_state before;
    struct berth_space_state known; /* What Redis knows: what was last published; key ids. */

    /* Observed: what is there now, as far as known. `now`: UNKNOWN means "read it"; its project_id
     * is then the last one seen, or 0. Its bindings count when robots_known; before that they are
     * what is remembered of them. */
    struct berth_space_state now;
    struct berth_space_state listed; /* The bindings of the list's pages so far. */
    int64_t repositories;            /* Of the project, when project_fresh. */
    int64_t quota_id;                /* When quota_fresh; 0: the project has none. */
    size_t foreign_robots;           /* Of the whole list. */
    bool account_known;              /* `account` is what Harbor calls our account, ... */
    char account[BERTH_ACTOR_BYTES]; /* ... or empty, if its name proves nothing. */
    char foreign_example[BERTH_ROBOT_NAME_BYTES];
    char owner[BERTH_ACTOR_BYTES]; /* Of the project, when project_fresh. */
    bool project_fresh;            /* The project was read from Harbor or made in this claim. */
    bool read_by_id;               /* The next read of the project asks for now.project_id. */
    bool quota_fresh;              /* now.quota_bytes was read from Harbor in this claim. */
    bool robots_known;
    bool robots_fresh;   /* They were listed in this claim, or the project is new. */
    int32_t robots_page; /* The page that comes next while listing; 0: not listing. */

    /* Of the writes in this claim. */
    int64_t created_id; /* The project that is proved to be of this command's making; 0: none. */
    int64_t gone_id;    /* The project whose deletion was answered 404; 0: none. */
    unsigned contradictions; /* Answers that made the project unknown: 404s, 409s. */
    unsigned unread;         /* Of berth_plan_unread. */
    bool write_unknown;      /* unread is not 0. */
    bool place_unread;   /* A robot was made by the project's name, and which project has that since
                          * was not read. */
    bool wrote;          /* A write was answered DONE or has an unknown outcome; ... */
    bool wrote_secret;   /* ... of a secret, which is no difference that anybody can see. */
    bool create_unknown; /* A create request may have been applied without our seeing it. */
    bool create_conflict; /* The first create request ever was answered 409. */
    bool not_empty;       /* Deletion was answered 412. */

    enum berth_plan_refusal refusal;
    struct berth_harbor_said refused_by; /* The answer to the first request that was refused. */
    struct berth_harbor_said failed_by;  /* The last answer that is no progress. */

    struct berth_plan_item *items; /* Sorted by workspace. */
    size_t items_count;

    size_t calls_outstanding;
};

enum berth_plan_step {
    BERTH_PLAN_CALLS,    /* ret_calls holds calls to make (or none while others are under way). */
    BERTH_PLAN_REMEMBER, /* Harbor was read: `before` (set from `now`) must be written to the ledger
                          * before the next step. Answered at most once. */
    BERTH_PLAN_DONE,     /* ret_outcome is filled. No call is outstanding. */
};

/*
 * Starts a work: nothing is known yet. command, settings and registry's strings are borrowed for
 * the work's life. Ended with berth_work_deinit(), at any time.
 */
void berth_work_init(struct berth_work *work, const struct berth_command *command,
                     const struct berth_plan_registry *registry,
                     const struct berth_plan_settings *settings, struct berth_pool *pool);

/*
 * Takes the claim's answer in, once, before the first step.
 * before: what was remembered, when before_known; state: what Redis knows of the space now; both
 * are copied. cold: `state` is not to be relied on, so that Harbor is read first. Besides,
 * everything but PRESENT is cold, and so is what a lookup filled in, and every claim but the first.
 * CreateSpace with FAIL never reads first in a first claim, and its `before` is "absent" even if
 * that isn't said.
 */
void berth_work_claimed(struct berth_work *work, bool first_claim, bool before_known,
                        const struct berth_space_state *before,
                        const struct berth_space_state *state, bool cold);

/* Gives all memory back; fine on a zeroed one, and twice. Calls may still be under way. */
void berth_work_deinit(struct berth_work *work);

/*
 * The next step. Writes at most capacity calls (1 to BERTH_PLAN_CALLS_MAX) and counts them as
 * outstanding; request_id and not_after_ms are left for the engine. With an outcome, memory for its
 * owned parts comes from the pool, `before` and `now` are moved into it, and nothing but deinit may
 * follow; attempts and times, after.updated_by included, are left for the engine.
 */
enum berth_plan_step berth_work_step(struct berth_work *work, struct berth_harbor_call *ret_calls,
                                     size_t capacity, size_t *ret_calls_count,
                                     struct berth_outcome *ret_outcome);

/* What the engine must do after an answer was observed. */
enum berth_observed {
    BERTH_OBSERVED_PROGRESS, /* Step again. */
    BERTH_OBSERVED_RETRY, /* It didn't work this time: back off (burns an attempt), step again. */
    BERTH_OBSERVED_RETRY_FREE, /* Not the command's fault (not sent, busy, read-only, bad
                                * credentials): back off without burning an attempt. */
};

/* Takes an answer to one of its calls in. An answer that its call can't have counts as unknown. */
enum berth_observed berth_work_observe(struct berth_work *work,
                                       const struct berth_harbor_call *call,
                                       const struct berth_harbor_answer *answer);

/*
 * Ends the work without success: FAILED with this code (a string constant, kept) and sentence, and
 * with what is really there.
 * Only with no call outstanding. state_unknown: the read-back itself failed; nothing is told of the
 * space. The engine calls berth_work_read_back() first when write_unknown. As with step, nothing
 * but deinit may follow.
 */
void berth_work_give_up(struct berth_work *work, const char *code, const char *message,
                        bool state_unknown, struct berth_outcome *ret_outcome);

/*
 * The calls that read everything back that is unknown, for giving up.
 * False: nothing is unknown any more (ret_calls_count is 0 and no call is outstanding).
 */
bool berth_work_read_back(struct berth_work *work, struct berth_harbor_call *ret_calls,
                          size_t capacity, size_t *ret_calls_count);

#endif
