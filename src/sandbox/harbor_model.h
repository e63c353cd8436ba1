/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model: Harbor's rules about projects, robot accounts and quotas.
 *
 * Pure: no I/O, no clock, no randomness, no globals. Time and secrets are handed in, so the same
 * calls give the same state: a server and a deterministic simulator can share it. Each call is one
 * Harbor request and one transaction of Harbor's: it happens as a whole or not at all.
 * What Harbor would answer is data: a verdict with status, error code and message. Nothing here
 * fails otherwise (sandbox_memory.h says what happens without memory).
 *
 * Source of the rules: goharbor/harbor, 2.16-dev; what 2.8 to 2.15 do otherwise is said where it
 * matters. Members of projects and local users are in harbor_members.h. Not modelled: user groups,
 * proxy-cache projects, more than one Harbor process.
 *
 * Ownership: text handed in is copied. Projects, robots and users that are handed out are read-only
 * views, valid until the next call that changes the model.
 */
#ifndef BERTH_SANDBOX_HARBOR_MODEL_H
#define BERTH_SANDBOX_HARBOR_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "harbor_query.h"

#define BERTH_MODEL_USERS_MAX        1024
#define BERTH_MODEL_PERMISSIONS_MAX  1000
#define BERTH_MODEL_REPOSITORIES_MAX 10000
#define BERTH_MODEL_MESSAGE_BYTES    640
#define BERTH_MODEL_METADATA_COUNT   7
/* The id of "admin", of project "library", and of the default owner. */
#define BERTH_MODEL_ADMIN_ID   1
#define BERTH_MODEL_LIBRARY_ID 1

struct berth_model;

/* What Harbor answers; a status below 300 has neither code nor message. */
struct berth_model_verdict {
    int status;
    const char *code; /* "CONFLICT", ...; static text, never NULL. */
    char message[BERTH_MODEL_MESSAGE_BYTES];
};

struct berth_model_user {
    int64_t id;
    const char *name;
    bool sysadmin;
    bool deleted; /* Logs in no more, and has no sessions. */
};

struct berth_model_project {
    int64_t id;
    const char *name;
    int64_t owner_id;
    const char *owner_name;
    const char *is_public; /* metadata.public: any text that a PUT has stored. */
    /* The rest of the metadata, by harbor_rules.h's keys; NULL: not there. */
    const char *metadata[BERTH_MODEL_METADATA_COUNT];
    int64_t created_ms;
    int64_t updated_ms;
    int64_t quota_id; /* Not the project's id; 0: made while projects had no quotas. */
    int64_t quota_updated_ms;
    int64_t storage_limit_bytes;
    int64_t repository_count;
    int64_t robot_count;
};

struct berth_model_access {
    const char *resource;
    const char *action;
    const char *effect; /* "" when none was given; only "" and "allow" grant. */
};

/* In a request kind and namespace are as sent; in a robot they are what Harbor shows. */
struct berth_model_permission {
    const char *kind;      /* "project" or "system". */
    const char *namespace; /* The project's name, "*" for all, "/" for the system. */
    int64_t project_id;    /* Filled by the model; 0 for "*" and "/". */
    const struct berth_model_access *access;
    size_t access_count;
};

struct berth_model_robot {
    int64_t id;
    const char *name; /* As stored: "<project>+<short>" or "<short>", without the prefix. */
    const char *level;
    int64_t project_id; /* 0 for system robots. */
    const char *description;
    int64_t duration_days;
    int64_t expires_at_s; /* Seconds since 1970; -1 never. */
    bool disabled;
    const char *creator_type; /* "local" or "robot". */
    int64_t creator_id;
    int64_t created_ms;
    int64_t updated_ms;
    const struct berth_model_permission *permissions;
    size_t permission_count;
};

enum berth_model_caller_kind {
    BERTH_MODEL_ANONYMOUS,
    BERTH_MODEL_USER,
    BERTH_MODEL_ROBOT,
};

/* On whose behalf a request runs. Made by authenticate or by one of the helpers below. */
struct berth_model_caller {
    enum berth_model_caller_kind kind;
    const struct berth_model_user *user;
    const struct berth_model_robot *robot;
};

/* A project as a URL names it: text is an id if it parses as an integer, unless it must be a name
 * (the header X-Is-Resource-Name). */
struct berth_model_project_ref {
    const char *text;
    bool is_name;
};

struct berth_model_project_request {
    const char *name;
    const char *is_public;       /* NULL or "": "false". */
    int64_t storage_limit_bytes; /* 0: the default of the settings. */
    bool has_registry;           /* registry_id was given: a proxy-cache project is asked for. */
    int64_t registry_id;
};

struct berth_model_robot_request {
    const char *name; /* The short name in a create, the full name in an update. */
    const char *level;
    const char *description;
    int64_t duration_days;
    bool has_duration; /* False only in an update: the duration stays as it is. */
    bool disable;      /* Used by an update, ignored by a create. */
    const struct berth_model_permission *permissions;
    size_t permission_count;
};

/* A hard limit of a quota: bytes of "storage", the only resource there is. */
struct berth_model_limit {
    const char *resource;
    int64_t value;
};

struct berth_model_project_list {
    const struct berth_model_query *query;
    const char *name_part;  /* name=: contains, any case; NULL: any. */
    const char *owner_name; /* owner=: exact; NULL: any. */
    const char *is_public;  /* public=: "true" or "false"; NULL: any. */
};

/* What GET and PUT /configurations are about, as far as it matters here. */
struct berth_model_settings {
    const char *robot_name_prefix; /* A change renames all robots at once. */
    bool quota_per_project;        /* Otherwise projects that are made now have no quota row. */
    int64_t storage_per_project_bytes;
    bool admins_create_only; /* project_creation_restriction "adminonly", else "everyone". */
    int64_t token_minutes;   /* How long a registry token is good for. */
};

/*
 * What a write has read before it inserts or updates. Harbor locks nothing in between, and so goes
 * on from what may have changed: a robot of a project that is gone, the secret or
 * the state that another request has just replaced.
 */
struct berth_model_reading {
    int64_t project_id; /* Of a robot's or a member's project; 0: none. */
    char project_name[BERTH_MODEL_QUERY_VALUE_BYTES_MAX];
    bool member_exists;
    char robot_secret[BERTH_MODEL_QUERY_VALUE_BYTES_MAX];
    bool robot_disabled;
};

struct berth_model_options {
    const char *robot_name_prefix; /* NULL: "robot$". */
    const char *admin_password;
    int64_t now_ms; /* Milliseconds since 1970, as everywhere here: the birth of "library". */
};

/* A Harbor with user "admin" (id 1, system administrator) and the public project "library". */
struct berth_model *berth_model_new(const struct berth_model_options *options);
struct berth_model *berth_model_free(struct berth_model *model);

/* Adds a local user. Id and name are new, at most BERTH_MODEL_USERS_MAX users (all asserted). */
const struct berth_model_user *berth_model_add_user(struct berth_model *model, int64_t id,
                                                    const char *name, const char *password,
                                                    bool sysadmin);

/* What robot names begin with when shown and when logging in. */
const char *berth_model_robot_prefix(const struct berth_model *model);

/* The settings: a view, and its replacement. In the beginning quotas are on and unlimited, everyone
 * creates projects, tokens are good for 30 minutes. */
const struct berth_model_settings *berth_model_settings(const struct berth_model *model);
void berth_model_set_settings(struct berth_model *model,
                              const struct berth_model_settings *settings);

/* In read-only mode every write is answered with 403 DENIED. */
void berth_model_set_read_only(struct berth_model *model, bool read_only);
bool berth_model_read_only(const struct berth_model *model);

/* 200, or the 403 of read-only mode. Harbor asks this before it reads a request's body. */
struct berth_model_verdict berth_model_check_writable(const struct berth_model *model);

/*
 * Who logs in with this name and secret. Wrong credentials, disabled and expired robots are
 * anonymous, not an error: Harbor goes on without rights.
 */
struct berth_model_caller berth_model_authenticate(const struct berth_model *model,
                                                   const char *name, const char *secret,
                                                   int64_t now_ms);
struct berth_model_caller berth_model_as_user(const struct berth_model_user *user);
struct berth_model_caller berth_model_as_anonymous(void);

/* The caller's name as Harbor shows it: "" for anonymous, a robot's with its prefix. */
void berth_model_caller_name(const struct berth_model *model,
                             const struct berth_model_caller *caller, char *ret_name, size_t size);

/* Whether the caller may do this in this project; project may be NULL (there is none): then only a
 * system administrator may. The project itself is resource "project". */
bool berth_model_may(const struct berth_model_caller *caller,
                     const struct berth_model_project *project, const char *resource,
                     const char *action);

/* Whether the caller may do this in the system as a whole. */
bool berth_model_may_system(const struct berth_model_caller *caller, const char *resource,
                            const char *action);

/* 200; 401 for anonymous callers; for others without this right in the system 403, which says only
 * who asked. */
struct berth_model_verdict berth_model_require_system(const struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      const char *resource, const char *action);

/* 200, or 401 for anonymous callers. */
struct berth_model_verdict berth_model_require_login(const struct berth_model_caller *caller);

/* The live project with this name or id, or NULL; asks for no rights. */
const struct berth_model_project *berth_model_find_project(const struct berth_model *model,
                                                           struct berth_model_project_ref ref);

/* 200 with the project, 401, 403, or, for a system administrator only, 404. */
struct berth_model_verdict berth_model_get_project(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   struct berth_model_project_ref ref,
                                                   const char *action,
                                                   const struct berth_model_project **ret_project);

/* The same for another resource of the project, like "metadata". */
struct berth_model_verdict
berth_model_get_project_for(const struct berth_model *model,
                            const struct berth_model_caller *caller,
                            struct berth_model_project_ref ref, const char *resource,
                            const char *action, const struct berth_model_project **ret_project);

/* 201 with the project; 400, 401, 403, 409, 422. A 409 uses up an id, as in Harbor. */
struct berth_model_verdict
berth_model_create_project(struct berth_model *model, const struct berth_model_caller *caller,
                           const struct berth_model_project_request *request, int64_t now_ms,
                           const struct berth_model_project **ret_project);

/* 200; is_public NULL changes nothing. Harbor checks the text in a create only, not here. */
struct berth_model_verdict berth_model_update_project(struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      struct berth_model_project_ref ref,
                                                      const char *is_public, int64_t now_ms);

/* Changes "public" without a question about rights. 200 or read-only mode's 403. */
struct berth_model_verdict berth_model_set_public(struct berth_model *model,
                                                  const struct berth_model_project *view,
                                                  const char *is_public, int64_t now_ms);

/* The same for another key of the metadata. */
struct berth_model_verdict berth_model_set_metadata(struct berth_model *model,
                                                    const struct berth_model_project *view,
                                                    size_t key, const char *value, int64_t now_ms);

/* 200: the project, its robots and its quota are gone and its name is free. 412 while it has
 * repositories. */
struct berth_model_verdict berth_model_delete_project(struct berth_model *model,
                                                      const struct berth_model_caller *caller,
                                                      struct berth_model_project_ref ref);

/* 200 with a page (berth_model_query_page_deinit) of struct berth_model_project. Anonymous callers
 * see public projects only. */
struct berth_model_verdict berth_model_list_projects(const struct berth_model *model,
                                                     const struct berth_model_caller *caller,
                                                     const struct berth_model_project_list *list,
                                                     struct berth_model_query_page *ret_page);

/* What a push does: the repository is there afterwards. Harbor has no such request, so no rights
 * are asked for. 200, 201, 404 (no such project), 400 (the name, or too many). */
struct berth_model_verdict berth_model_put_repository(struct berth_model *model,
                                                      const char *project_name,
                                                      const char *repository);

/* 200 or 404. */
struct berth_model_verdict berth_model_remove_repository(struct berth_model *model,
                                                         const char *project_name,
                                                         const char *repository);

/* 201 with the robot, whose secret is secret (Harbor makes one up); 400, 401, 403, 404, 409, 500.
 */
struct berth_model_verdict berth_model_create_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    const struct berth_model_robot_request *request,
                                                    const char *secret, int64_t now_ms,
                                                    const struct berth_model_robot **ret_robot);

/* The two halves of a create: everything up to the insert, and the insert. What the first answers
 * below 300 goes on to the second, at any later time. */
struct berth_model_verdict
berth_model_read_for_robot(const struct berth_model *model, const struct berth_model_caller *caller,
                           const struct berth_model_robot_request *request,
                           struct berth_model_reading *ret_reading);
struct berth_model_verdict berth_model_insert_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    const struct berth_model_robot_request *request,
                                                    const struct berth_model_reading *reading,
                                                    const char *secret, int64_t now_ms,
                                                    const struct berth_model_robot **ret_robot);

/* The first half of an update and of a new secret: 200, or 401 and 404. The second half is the
 * request itself, followed by one of the two below. */
struct berth_model_verdict berth_model_read_robot(const struct berth_model *model,
                                                  const struct berth_model_caller *caller,
                                                  int64_t id,
                                                  struct berth_model_reading *ret_reading);

/* Writes back what an update (its secret) or a new secret (its disabled) has read before. */
void berth_model_restore_robot_secret(struct berth_model *model, int64_t id,
                                      const struct berth_model_reading *reading);
void berth_model_restore_robot_state(struct berth_model *model, int64_t id,
                                     const struct berth_model_reading *reading);

/* 200 with the robot, 401, 403, 404. */
struct berth_model_verdict berth_model_get_robot(const struct berth_model *model,
                                                 const struct berth_model_caller *caller,
                                                 int64_t id,
                                                 const struct berth_model_robot **ret_robot);

/* PUT: the whole set of permissions, description and disable are overwritten. */
struct berth_model_verdict berth_model_update_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t id,
                                                    const struct berth_model_robot_request *request,
                                                    int64_t now_ms);

/* PATCH: sets the secret. A chosen one must be legal (400); a made-up one is checked by nobody. */
struct berth_model_verdict berth_model_set_robot_secret(struct berth_model *model,
                                                        const struct berth_model_caller *caller,
                                                        int64_t id, const char *secret, bool chosen,
                                                        int64_t now_ms);

/* 200, 401, 403, 404. */
struct berth_model_verdict berth_model_delete_robot(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t id);

/*
 * 200 with a page of struct berth_model_robot: the system robots, or with Level=project and
 * ProjectID=<id> in the query those of one project, also of a deleted one (orphans).
 */
struct berth_model_verdict berth_model_list_robots(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   const struct berth_model_query *query,
                                                   struct berth_model_query_page *ret_page);

/* Whether Harbor shows this permission of a robot: those on deleted projects are hidden. */
bool berth_model_permission_visible(const struct berth_model *model,
                                    const struct berth_model_permission *permission);

/* Quotas are rows of their own, one for each project. 200 with the project it belongs to. */
struct berth_model_verdict berth_model_get_quota(const struct berth_model *model,
                                                 const struct berth_model_caller *caller,
                                                 int64_t quota_id,
                                                 const struct berth_model_project **ret_project);

/* 200 with a page of struct berth_model_project. project_id 0: of all projects. */
struct berth_model_verdict berth_model_list_quotas(const struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t project_id,
                                                   const struct berth_model_query *query,
                                                   struct berth_model_query_page *ret_page);

/* 200; 400 unless there is one limit, a legal one for "storage". */
struct berth_model_verdict berth_model_update_quota(struct berth_model *model,
                                                    const struct berth_model_caller *caller,
                                                    int64_t quota_id,
                                                    const struct berth_model_limit *limits,
                                                    size_t limit_count, int64_t now_ms);

/* POST /api/internal/syncquota: projects that were made while there were no quotas get one. 200,
 * 401, 403. */
struct berth_model_verdict berth_model_sync_quotas(struct berth_model *model,
                                                   const struct berth_model_caller *caller,
                                                   int64_t now_ms);

#endif
