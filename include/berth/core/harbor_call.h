/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call to Harbor and its answer, as data: what a plan asks for and what it is told.
 *
 * codec/harbor.h turns a call into method, path and body, and a reply into an answer; io's Harbor
 * client carries them. No secret passes here: the client derives the pull secret itself.
 */
#ifndef BERTH_CORE_HARBOR_CALL_H
#define BERTH_CORE_HARBOR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"

enum berth_harbor_call_kind {
    BERTH_HARBOR_CREATE_PROJECT,   /* POST /projects: space, visibility, quota_bytes or unset. */
    BERTH_HARBOR_GET_PROJECT_NAME, /* GET /projects/{space}, as a name. */
    BERTH_HARBOR_GET_PROJECT_ID,   /* GET /projects/{project_id}. */
    BERTH_HARBOR_UPDATE_PROJECT,   /* PUT /projects/{project_id}: visibility. */
    BERTH_HARBOR_DELETE_PROJECT,   /* DELETE /projects/{project_id}. */
    BERTH_HARBOR_GET_QUOTA,        /* GET /quotas?reference_id={project_id}. */
    BERTH_HARBOR_SET_QUOTA,        /* PUT /quotas/{quota_id}: quota_bytes. */
    BERTH_HARBOR_LIST_ROBOTS,      /* GET /robots of project_id: page, from 1. */
    BERTH_HARBOR_CREATE_ROBOT,     /* POST /robots: space, workspace, robot_name. */
    BERTH_HARBOR_SET_SECRET,       /* PATCH /robots/{robot_id}: project_id, workspace. */
    BERTH_HARBOR_MEND_ROBOT,       /* PUT /robots/{robot_id}: space, workspace, robot_name. */
    BERTH_HARBOR_DELETE_ROBOT,     /* DELETE /robots/{robot_id}. */
    BERTH_HARBOR_PROBE,            /* GET /systeminfo: is the registry well, for us? */
    BERTH_HARBOR_GET_ACCOUNT,      /* GET /users/current: what Harbor calls our account. */
};
#define BERTH_HARBOR_CALL_KINDS 14

#define BERTH_HARBOR_PAGE_SIZE 100 /* Harbor's own maximum; more is 422. */
#define BERTH_REQUEST_ID_BYTES 72

struct berth_harbor_call {
    enum berth_harbor_call_kind kind;
    uint32_t registry; /* Index in the configuration. */
    char space[BERTH_SPACE_BYTES];
    int64_t project_id;
    int64_t robot_id;
    int64_t quota_id;
    enum berth_visibility visibility;
    int64_t quota_bytes; /* BERTH_QUOTA_UNSET: leave it to Harbor's default. */
    int32_t page;
    char workspace[BERTH_WORKSPACE_BYTES];
    char robot_name[BERTH_ROBOT_NAME_BYTES];
    /* Sent as X-Request-Id: unique for each call; a write's reply counts only when it is echoed. */
    char request_id[BERTH_REQUEST_ID_BYTES];
    /* A write is not handed to the network after this (CLOCK_BOOTTIME; design 4.7).
     * INT64_MAX for reads. */
    int64_t not_after_ms;
    int64_t asked_ms; /* When the engine asked, for itself: how long it took. */
};

/* True for calls that change something in Harbor. */
bool berth_harbor_call_is_write(enum berth_harbor_call_kind kind);

enum berth_harbor_verdict {
    BERTH_HARBOR_DONE,            /* It says so, in the shape of the contract, to us. */
    BERTH_HARBOR_CONFLICT,        /* 409: it exists. */
    BERTH_HARBOR_ABSENT,          /* 404 of the object, not of the path. */
    BERTH_HARBOR_NOT_EMPTY,       /* 412: the project has repositories. */
    BERTH_HARBOR_INVALID,         /* 400, 413, 415, 422: will never work as asked. */
    BERTH_HARBOR_UNAUTHENTICATED, /* 401. */
    BERTH_HARBOR_FORBIDDEN,       /* 403, not read-only. */
    BERTH_HARBOR_READ_ONLY,       /* 403 DENIED, read-only mode. */
    BERTH_HARBOR_BUSY,            /* 429, or for a read 503 with Retry-After: not applied, later. */
    BERTH_HARBOR_NOT_SENT,        /* No connection, not_after passed: certainly not applied. */
    BERTH_HARBOR_UNKNOWN,         /* Anything else: may have been applied, may yet be. */
};
#define BERTH_HARBOR_VERDICTS 11

/* What an answer says about the registry as a whole, whatever it says about its object. */
enum berth_harbor_trouble {
    BERTH_HARBOR_TROUBLE_NONE,
    BERTH_HARBOR_TROUBLE_CONNECTION,  /* No connection, reset, no reply in time. */
    BERTH_HARBOR_TROUBLE_SERVER,      /* 5xx. */
    BERTH_HARBOR_TROUBLE_READ_ONLY,   /* Read-only mode. */
    BERTH_HARBOR_TROUBLE_CREDENTIALS, /* 401 or 403, also after the client's own new login. */
    BERTH_HARBOR_TROUBLE_RATE,        /* 429 or 503, with Retry-After or without. */
};

/* One robot of a project. */
struct berth_harbor_robot {
    int64_t id;
    char name[BERTH_ROBOT_NAME_BYTES]; /* After the "+"; cut when it is longer than any of ours. */
    /* Its description has this deployment's marker, and its name fits the workspace. */
    bool ours;     /* The marker names our master key, or none, as those of old did. */
    bool kin;      /* It names another key: ours if we have set its secret, else that of another
                    * installation which has our deployment's name. */
    bool outdated; /* The marker isn't as it would be written today. */
    char workspace[BERTH_WORKSPACE_BYTES]; /* When ours or kin. */
    bool disabled;
    bool altered; /* Its rights aren't exactly a pull from its project, or it has an end. */
};

struct berth_harbor_answer {
    enum berth_harbor_verdict verdict;
    enum berth_harbor_trouble trouble;
    int http_status;        /* 0 when there was no reply. */
    int64_t retry_after_ms; /* 0: not said. */
    char error[128];        /* For people: Harbor's code and message or curl's words, cut. */
    /* CREATE_PROJECT: project_id. GET_PROJECT_*: all of these. */
    int64_t project_id;
    enum berth_visibility visibility;
    int64_t repositories;
    char owner[BERTH_ACTOR_BYTES]; /* GET_ACCOUNT: its user name; empty if that proves nothing. */
    /* GET_QUOTA. */
    int64_t quota_id; /* 0: the project has no quota row. */
    int64_t quota_bytes;
    /* CREATE_ROBOT: robot_id. LIST_ROBOTS: this page, and how many there are in all. */
    int64_t robot_id;
    const struct berth_harbor_robot *robots; /* Borrowed for the event. */
    size_t robots_count;
    int64_t robots_total;
};

/* What Harbor answered to which call, for people. The call is NULL when it wasn't asked yet. */
struct berth_harbor_said {
    const char *call; /* A string constant: "POST /projects", ... */
    char request_id[BERTH_REQUEST_ID_BYTES];
    int http_status; /* 0: there was no reply. */
    char words[128]; /* Harbor's or curl's. */
};
#define BERTH_HARBOR_SAID_BYTES 280

void berth_harbor_said_keep(struct berth_harbor_said *said, const struct berth_harbor_call *call,
                            const struct berth_harbor_answer *answer);

/* "HTTP 500 to POST /projects: UNKNOWN: internal server error (request id ...)". */
void berth_harbor_said_text(const struct berth_harbor_said *said,
                            char ret_text[BERTH_HARBOR_SAID_BYTES]);

/* "POST /projects", ...: for traces and messages. Never NULL. */
const char *berth_harbor_call_name(enum berth_harbor_call_kind kind);
/* "conflict", ...: for traces. Never NULL. */
const char *berth_harbor_verdict_name(enum berth_harbor_verdict verdict);

#endif
