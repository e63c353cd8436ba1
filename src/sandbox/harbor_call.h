/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call: one request on its way through a handler, and what handlers share. Private to the
 * harbor_*_api.c files, harbor_api.c, harbor_routes.c, harbor_token.c and harbor_login.c.
 *
 * The binders return false when they have filled the reply (422, 400): the handler then returns.
 */
#ifndef BERTH_SANDBOX_HARBOR_CALL_H
#define BERTH_SANDBOX_HARBOR_CALL_H

#include "harbor_api.h"
#include "harbor_login_lock.h"
#include "harbor_model.h"
#include "harbor_sessions.h"
#include "sandbox_http.h"
#include "url_params.h"

#define BERTH_SANDBOX_CALL_PARAMS_MAX       3
#define BERTH_SANDBOX_CALL_KEY_BYTES        32
#define BERTH_SANDBOX_CALL_TIME_BYTES_MAX   32
#define BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX 256

struct berth_sandbox_harbor {
    struct berth_model *model;
    struct berth_sandbox_sessions *sessions;
    struct berth_sandbox_login_lock login_lock;
    berth_sandbox_random_fn *fill_random;
    char *version;                                   /* Without the "v". */
    const char *scheme;                              /* "http" or "https". */
    unsigned char key[BERTH_SANDBOX_CALL_KEY_BYTES]; /* Signs registry tokens. */
    unsigned char csrf_key[BERTH_SANDBOX_CALL_KEY_BYTES];
};

struct berth_sandbox_call {
    struct berth_sandbox_harbor *harbor;
    const struct berth_sandbox_request *request;
    const struct berth_sandbox_handling *handling;
    struct berth_sandbox_reply *reply;
    /* For a request that stops after reading, otherwise NULL: where to, and whether it did. */
    struct berth_model_reading *ret_reading;
    bool has_read;
    struct berth_model_caller caller;
    char session_id[BERTH_SANDBOX_CALL_COOKIE_BYTES_MAX]; /* The cookie's, or the new session's. */
    const char *params[BERTH_SANDBOX_CALL_PARAMS_MAX];    /* Of the path, decoded. */
    struct berth_sandbox_url_params query;
    struct json_t *body; /* Owned by the call; an object once bound. */
};

typedef void berth_sandbox_handler_fn(struct berth_sandbox_call *call);

/* The handlers, in the files named after them. */
berth_sandbox_handler_fn berth_sandbox_create_project;
berth_sandbox_handler_fn berth_sandbox_list_projects;
berth_sandbox_handler_fn berth_sandbox_head_project;
berth_sandbox_handler_fn berth_sandbox_get_project;
berth_sandbox_handler_fn berth_sandbox_update_project;
berth_sandbox_handler_fn berth_sandbox_delete_project;
berth_sandbox_handler_fn berth_sandbox_get_project_deletable;
berth_sandbox_handler_fn berth_sandbox_get_project_summary;
berth_sandbox_handler_fn berth_sandbox_list_metadata;
berth_sandbox_handler_fn berth_sandbox_get_metadata;
berth_sandbox_handler_fn berth_sandbox_update_metadata;
berth_sandbox_handler_fn berth_sandbox_list_members;
berth_sandbox_handler_fn berth_sandbox_create_member;
berth_sandbox_handler_fn berth_sandbox_get_member;
berth_sandbox_handler_fn berth_sandbox_update_member;
berth_sandbox_handler_fn berth_sandbox_delete_member;
berth_sandbox_handler_fn berth_sandbox_create_robot;
berth_sandbox_handler_fn berth_sandbox_list_robots;
berth_sandbox_handler_fn berth_sandbox_get_robot;
berth_sandbox_handler_fn berth_sandbox_update_robot;
berth_sandbox_handler_fn berth_sandbox_refresh_robot_secret;
berth_sandbox_handler_fn berth_sandbox_delete_robot;
berth_sandbox_handler_fn berth_sandbox_list_quotas;
berth_sandbox_handler_fn berth_sandbox_get_quota;
berth_sandbox_handler_fn berth_sandbox_update_quota;
berth_sandbox_handler_fn berth_sandbox_sync_quotas;
berth_sandbox_handler_fn berth_sandbox_create_user;
berth_sandbox_handler_fn berth_sandbox_delete_user;
berth_sandbox_handler_fn berth_sandbox_get_current_user;
berth_sandbox_handler_fn berth_sandbox_get_permissions;
berth_sandbox_handler_fn berth_sandbox_get_configurations;
berth_sandbox_handler_fn berth_sandbox_update_configurations;
berth_sandbox_handler_fn berth_sandbox_get_system_info;
berth_sandbox_handler_fn berth_sandbox_get_health;
berth_sandbox_handler_fn berth_sandbox_get_version;
berth_sandbox_handler_fn berth_sandbox_ping;
berth_sandbox_handler_fn berth_sandbox_get_token;
berth_sandbox_handler_fn berth_sandbox_get_manifest;
berth_sandbox_handler_fn berth_sandbox_login;
berth_sandbox_handler_fn berth_sandbox_logout;

/* Finds the route by method and path, binds the path's parameters and runs the handler; 404 and
 * 405 where there is none. path is decoded in place. */
void berth_sandbox_dispatch(struct berth_sandbox_call *call, char *path);

/* Session cookie and CSRF; the caller is the session's user, or stays as it is. False: the reply
 * says why the request goes no further. */
bool berth_sandbox_admit(struct berth_sandbox_call *call);

/* Who logs in so. A failure locks the name and delays the reply; robots know no lock. */
struct berth_model_caller berth_sandbox_call_login(struct berth_sandbox_call *call,
                                                   const char *name, const char *secret);

/* 200 without a body, or the error. */
void berth_sandbox_call_answer(struct berth_sandbox_call *call,
                               const struct berth_model_verdict *verdict);

/* Answers with an error verdict. */
void berth_sandbox_call_refuse(struct berth_sandbox_call *call,
                               const struct berth_model_verdict *verdict);

/* 422 with go-openapi's first line before the complaint. */
void berth_sandbox_call_invalid(struct berth_sandbox_call *call, const char *format, ...)
    BERTH_PRINTF(2, 3);

/* The body as a JSON object; what names it in complaints. */
bool berth_sandbox_call_bind_body(struct berth_sandbox_call *call, const char *what);

/* Fields of an object. Absent and null leave the value as it is; another type is a 422. */
bool berth_sandbox_call_bind_text(struct berth_sandbox_call *call, const struct json_t *object,
                                  const char *name, const char **value);
bool berth_sandbox_call_bind_number(struct berth_sandbox_call *call, const struct json_t *object,
                                    const char *name, int64_t *value, bool *ret_given);
bool berth_sandbox_call_bind_flag(struct berth_sandbox_call *call, const struct json_t *object,
                                  const char *name, bool *value);
bool berth_sandbox_call_bind_object(struct berth_sandbox_call *call, const struct json_t *object,
                                    const char *name, struct json_t **value);
bool berth_sandbox_call_bind_array(struct berth_sandbox_call *call, const struct json_t *object,
                                   const char *name, struct json_t **value);

/* A number in the path. */
bool berth_sandbox_call_bind_id(struct berth_sandbox_call *call, size_t param, const char *name,
                                int64_t *ret_id);

/* q, sort, page and page_size of the URL. */
bool berth_sandbox_call_bind_query(struct berth_sandbox_call *call,
                                   struct berth_model_query *ret_query);

/* The project that the path's first parameter names, as the header X-Is-Resource-Name says. */
struct berth_model_project_ref
berth_sandbox_call_project_ref(const struct berth_sandbox_call *call);

/* {"public":"true", ...}: what of its metadata a project has; a new reference. */
struct json_t *berth_sandbox_call_metadata(const struct berth_model_project *project);

/* X-Total-Count and Link. */
void berth_sandbox_call_page_headers(struct berth_sandbox_call *call,
                                     const struct berth_model_query *query, int64_t total);

/* Go-openapi's idea of a true boolean in a header or a URL; NULL is false. */
bool berth_sandbox_call_truth(const char *text);

/* 2026-08-21T05:58:10.123Z */
void berth_sandbox_call_time(int64_t ms, char ret_text[BERTH_SANDBOX_CALL_TIME_BYTES_MAX]);

#endif
