/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model's rows and indexes: what harbor_model.c, harbor_access.c, harbor_members.c,
 * harbor_projects.c, harbor_quotas.c and harbor_robots.c share, and nobody else includes.
 *
 * A row begins with the read-only view that is handed out, so a view leads back to its row.
 */
#ifndef BERTH_SANDBOX_HARBOR_MODEL_ROWS_H
#define BERTH_SANDBOX_HARBOR_MODEL_ROWS_H

#include <uthash.h>

#include "harbor_ids.h"
#include "harbor_members.h"
#include "harbor_model.h"

struct user_row {
    struct berth_model_user view;
    char *password;
};

struct repository_row {
    char *name;
    UT_hash_handle hh; /* In its project, by name. */
};

struct robot_row {
    struct berth_model_robot view;
    char *secret;
    struct robot_row *prev, *next; /* Of its project, of the system, or among the orphans. */
    bool orphaned;
    struct robot_row *namesake; /* The next one of the same stored name, with a higher id. */
    UT_hash_handle hh;          /* By stored name; the first of its namesakes only. */
};

struct member_row {
    struct berth_model_member view;
    struct project_row *project;
    struct member_row *prev, *next; /* Of its project, in the order of their ids. */
};

struct project_row {
    struct berth_model_project view;
    struct robot_row *robots;
    struct member_row *members;
    struct repository_row *repositories;
    UT_hash_handle hh; /* By name; live projects only. */
};

struct berth_model {
    struct berth_model_settings settings; /* Owns its prefix. */
    bool read_only;
    struct user_row *users[BERTH_MODEL_USERS_MAX];
    size_t user_count;
    int64_t user_id_next;
    struct berth_model_ids projects; /* Rows of live projects. */
    struct project_row *project_names;
    struct berth_model_ids quotas; /* The row of the project that each belongs to. */
    struct berth_model_ids robots;
    struct berth_model_ids members;
    uint64_t member_races; /* Adds that somebody else was faster than. */
    /*
     * Harbor's key is (name, project id). A project robot's name carries its project's, and robots
     * vanish with their project, so two robots share a name only if one of them is an orphan.
     */
    struct robot_row *robot_names;
    struct robot_row *system_robots;
    int64_t system_robot_count;
    struct robot_row *orphans; /* Robots whose project is gone. */
};

struct berth_model_verdict berth_model_ok(int status);

/* An error verdict; the status follows from the code (src/lib/http/error.go). */
struct berth_model_verdict berth_model_error(const char *code, const char *format, ...)
    BERTH_PRINTF(2, 3);

static inline bool berth_model_is_ok(const struct berth_model_verdict *verdict) {
    return verdict->status < 300;
}

/* 200, 401 for anonymous callers, 403 "forbidden" for others without the right. */
struct berth_model_verdict berth_model_require(const struct berth_model_caller *caller,
                                               const struct berth_model_project *project,
                                               const char *resource, const char *action);

/* 200, or 400 with Harbor's words for a limit that is none, after the prefix. */
struct berth_model_verdict berth_model_check_storage(int64_t bytes, const char *prefix);

struct project_row *berth_model_project_by_name(const struct berth_model *model, const char *name);
struct project_row *berth_model_project_by_id(const struct berth_model *model, int64_t id);

/* Makes somebody a member; for whoever creates a project. */
struct member_row *berth_model_insert_member(struct berth_model *model, struct project_row *project,
                                             const struct berth_model_user *user, int64_t role);

/* Removes all members of a project that goes. */
void berth_model_drop_members(struct berth_model *model, struct project_row *project);

/* Removes a robot from every index and frees it. */
void berth_model_drop_robot(struct berth_model *model, struct robot_row *robot);

/* Removes all repositories of a project that goes. */
void berth_model_drop_repositories(struct project_row *project);

/* Frees a project that is in no index any more. */
void berth_model_free_project(struct project_row *project);

#endif
