/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of plans, shared by their files:
 *
 *   plan.c           life of a work, the common step, dispatch of answers by verdict
 *   plan_read.c      what is unknown and how it is read: project, quota, list of robots
 *   plan_create.c    CreateSpace: creating, and whose project it is
 *   plan_update.c    UpdateSpace, and visibility and quota of every plan that may set them
 *   plan_delete.c    DeleteSpace
 *   plan_bindings.c  BindWorkspace, UnbindWorkspace, SetWorkspaceBindings
 *   plan_items.c     the workspaces of a binding command
 *   plan_outcome.c   from the finished work to its outcome
 *   plan_refusals.c  the table of refusals: codes, sentences with the remedy
 *   plan_details.c   the details of an outcome, and sentences made from them
 *
 * Each command has one plan function, which looks at what is known and asks for what differs. It is
 * called only when everything that it needs is known and `before` is remembered; if it neither asks
 * nor refuses and no call is under way, the command is done.
 * Each kind of call has one function that takes its answer in; it sees only the verdicts that the
 * table in plan.c lists for it.
 */
#ifndef BERTH_CORE_PLAN_PARTS_H
#define BERTH_CORE_PLAN_PARTS_H

#include "berth/core/plan.h"

/* The calls that a step writes. */
struct plan_calls {
    struct berth_harbor_call *calls;
    size_t capacity;
    size_t count;
};

/* ---- plan.c ---- */

/* Adds a call about the work's space and counts it as outstanding. There must be room. */
struct berth_harbor_call *plan_call(struct berth_work *work, struct plan_calls *calls,
                                    enum berth_harbor_call_kind kind);

/* Whether one more call fits into the step and the work's bound. */
bool plan_has_room(const struct berth_work *work, const struct plan_calls *calls);

/* Ends the command as soon as nothing is under way. The first refusal stays. */
void plan_refuse(struct berth_work *work, enum berth_plan_refusal refusal);

/* Remembers what Harbor said to a request that it refused for good; the first words stay. */

/* ---- plan_read.c ---- */

/* Something that the plan must know is unknown. */
bool plan_must_read(const struct berth_work *work);

/* Asks for the next unknown thing: project, then quota if the command sets one, then robots. */
void plan_read(struct berth_work *work, struct plan_calls *calls);

/* Makes the project, or the list of robots, unknown. by_id: the project is asked for by the id that
 * was last seen, and by name only if that is gone. */
void plan_forget_project(struct berth_work *work, bool by_id);
void plan_forget_robots(struct berth_work *work);

/* A robot was made by the project's name, and the project wasn't read since: makes it unknown. Only
 * with no call under way. False: there is nothing to doubt. */
bool plan_doubt_place(struct berth_work *work);

/* The same, because an answer contradicts what was known of the project. Once that is plain
 * progress; a registry that goes on contradicting itself burns attempts. */
enum berth_observed plan_doubt_project(struct berth_work *work, bool by_id);

/* The project that the command found, or its absence, is not what has the name now. */
bool plan_replaced(const struct berth_work *work);

/* The space is known to be absent, or to be this project: a different one than before has nothing
 * of it but what Redis knows. */
void plan_set_absent(struct berth_work *work);
void plan_set_project(struct berth_work *work, int64_t project_id);

enum berth_observed plan_project_answered(struct berth_work *work,
                                          const struct berth_harbor_call *call,
                                          const struct berth_harbor_answer *answer);
enum berth_observed plan_account_answered(struct berth_work *work,
                                          const struct berth_harbor_call *call,
                                          const struct berth_harbor_answer *answer);
enum berth_observed plan_quota_answered(struct berth_work *work,
                                        const struct berth_harbor_call *call,
                                        const struct berth_harbor_answer *answer);
enum berth_observed plan_robots_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer);

/* ---- plan_create.c ---- */

void plan_create(struct berth_work *work, struct plan_calls *calls);

/* Whether a project is of this command's making rests on whose account ours is, which wasn't asked
 * yet. */
bool plan_create_must_know_account(const struct berth_work *work);

/* The space is there: whether it is of this command's making, which is recorded in it then. */
bool plan_create_owns(struct berth_work *work);
enum berth_observed plan_create_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer);

/* ---- plan_update.c ---- */

void plan_update(struct berth_work *work, struct plan_calls *calls);

/* Asks for the first difference in visibility (UNSET: leave it) and the command's quota, if any. */
void plan_converge_project(struct berth_work *work, enum berth_visibility visibility,
                           struct plan_calls *calls);
enum berth_observed plan_update_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer);
enum berth_observed plan_set_quota_answered(struct berth_work *work,
                                            const struct berth_harbor_call *call,
                                            const struct berth_harbor_answer *answer);

/* ---- plan_delete.c ---- */

void plan_delete(struct berth_work *work, struct plan_calls *calls);
enum berth_observed plan_delete_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer);

/* ---- plan_bindings.c ---- */

void plan_bindings(struct berth_work *work, struct plan_calls *calls);
enum berth_observed plan_bind_answered(struct berth_work *work,
                                       const struct berth_harbor_call *call,
                                       const struct berth_harbor_answer *answer);
enum berth_observed plan_robot_answered(struct berth_work *work,
                                        const struct berth_harbor_call *call,
                                        const struct berth_harbor_answer *answer);
enum berth_observed plan_unbind_answered(struct berth_work *work,
                                         const struct berth_harbor_call *call,
                                         const struct berth_harbor_answer *answer);

/* ---- plan_items.c ---- */

/* The command is one about bindings. */
bool plan_has_items(const struct berth_command *command);

/* Makes an item of each workspace that the command names. */
void plan_items_make(struct berth_work *work);
void plan_items_free(struct berth_work *work);

/* SetWorkspaceBindings: adds an item for each binding that the command doesn't name, to undo it. */
void plan_items_cover(struct berth_work *work, const struct berth_space_state *state);

/* Everything must be looked at again: the list of robots was read anew. */
void plan_items_reopen(struct berth_work *work);

/* What was seen of the workspaces' robots was seen of another project's. */
void plan_items_forget_project(struct berth_work *work);

/* A robot of somebody else has this name. */
void plan_items_mark_foreign(struct berth_work *work, const char *robot_name);

/* The item of this workspace, or NULL. */
struct berth_plan_item *plan_items_find(const struct berth_work *work, const char *workspace);

/* ---- plan_outcome.c ---- */

/* The outcome of a work that is done or refused. */
void plan_finish(struct berth_work *work, struct berth_outcome *ret_outcome);

/* ---- plan_details.c ---- */

/* Adds a detail; there is room for BERTH_DETAILS_MAX of them (asserted). */
void plan_detail(struct berth_outcome *outcome, const char *name, const char *value);
void plan_detail_number(struct berth_outcome *outcome, const char *name, int64_t value);

/* The details "workspaces", as many names as fit, and "workspaces_count". */
void plan_detail_bindings(struct berth_outcome *outcome, const struct berth_space_state *state);
void plan_detail_workspaces(struct berth_outcome *outcome, const struct berth_command *command);

/* The details "foreign_robots", a number, and "foreign_robot", the name of one. */
void plan_detail_foreign(struct berth_outcome *outcome, const struct berth_work *work);
/* What Harbor answered: harbor, harbor_status, harbor_call, harbor_request. */
void plan_detail_said(struct berth_outcome *outcome, const struct berth_harbor_said *said);

/* Writes the message: the sentence with each {name} replaced by that detail, shortened if need be.
 */
void plan_say(struct berth_outcome *outcome, const char *sentence);

/* ---- plan_refusals.c ---- */

/* The code of a refusal, a string constant; NULL for NONE. */
const char *plan_refusal_code(enum berth_plan_refusal refusal);

/* The first item that is refused, or NULL. */
const struct berth_plan_item *plan_refused_item(const struct berth_work *work);

/* Writes code, sentence and details of the work's refusal, or else of its first refused item. */
void plan_explain_refusal(const struct berth_work *work, struct berth_outcome *outcome);

#endif
