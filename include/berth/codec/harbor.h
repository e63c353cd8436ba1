/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Harbor's API: calls to requests, replies to answers (harbor-contract.md).
 *
 * Every call is one request, but for BERTH_HARBOR_MEND_ROBOT: Harbor's PUT overwrites the robot
 * as a whole and wants its login name repeated, whose prefix is Harbor's to configure
 * (contract 2.3, 2.7). So the robot is looked up first, and the PUT is made of what the look-up
 * found.
 */
#ifndef BERTH_CODEC_HARBOR_H
#define BERTH_CODEC_HARBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/core/harbor_call.h"

/* The most bytes of a reply's body that are read; more is an unknown outcome. */
#define BERTH_HARBOR_BODY_BYTES_MAX (1024UL * 1024)
#define BERTH_HARBOR_PATH_BYTES     1024

struct berth_harbor_request {
    const char *method;                 /* A string constant. */
    char path[BERTH_HARBOR_PATH_BYTES]; /* From "/api/v2.0" on, with query, escaped. */
    struct berth_buffer body;           /* Empty: none. JSON otherwise. May hold a secret. */
    bool resource_name;                 /* Send X-Is-Resource-Name: true. */
};

/*
 * What berth's robots are marked with, in their descriptions:
 *
 *   berth=<deployment>;key=<key id>;ws=<workspace>
 *
 * The key id is that of the master key with which the robot was made. It tells two installations
 * apart that were given one deployment name: it is the same for all workers of one, is lost with
 * nothing, and tells exactly when to set a secret would take away somebody else's. Markers of old
 * had no key; they are read as ours.
 */
struct berth_robot_marker {
    const char *deployment; /* Borrowed. */
    const char *key_id;     /* Borrowed; empty: not known to whoever reads, who takes any. */
};

/* What a request is made of besides its call. Borrowed strings; NULL where the kind has no use for
 * it. */
struct berth_harbor_request_context {
    const struct berth_robot_marker *marker; /* Always there. */
    const char *secret;                      /* SET_SECRET: the derived pull secret. */
    const char *login_name;                  /* MEND_ROBOT: what the look-up found. */
};

/*
 * Makes the request of a call. What its kind needs of the context must be there (asserted).
 * Faults: MEMORY. Freed with berth_harbor_request_deinit(), which wipes the body.
 */
BERTH_MUST_USE enum berth_rc
berth_harbor_request_make(const struct berth_harbor_call *call,
                          const struct berth_harbor_request_context *context,
                          struct berth_harbor_request *ret_request);
/* Makes the look-up that goes before a MEND_ROBOT: GET /robots/{robot_id}. Nothing to free. */
void berth_harbor_request_make_lookup(const struct berth_harbor_call *call,
                                      struct berth_harbor_request *ret_request);
/* Fine on a zeroed request, and twice. */
void berth_harbor_request_deinit(struct berth_harbor_request *request);

/* What came back over HTTP. Views. */
struct berth_harbor_reply {
    int status;
    const char *content_type; /* NULL: none. */
    const char *location;     /* NULL: none. */
    const char *request_id;   /* The echoed X-Request-Id; NULL: none. */
    int64_t total_count;      /* X-Total-Count; -1: none. */
    int64_t retry_after_ms;   /* 0: none. */
    struct berth_bytes body;
};

/* An answer with the memory of its robots. */
struct berth_harbor_decoded {
    struct berth_harbor_answer answer;
    struct berth_harbor_robot *robots; /* Owned; answer.robots points here. */
};

/*
 * Classifies a reply by one table (verdict by call kind, status and error code;
 * harbor-contract 5.8) and reads its body. No reply is trusted by status alone: content type, JSON
 * shape, the echo of request_id for writes (unless echo_waived), proof of authentication, and that
 * it is about what was asked. Never fails: what isn't understood is BERTH_HARBOR_UNKNOWN, for reads
 * too, with the reason in answer.error. ret_decoded is freed with berth_harbor_decoded_deinit().
 */
void berth_harbor_reply_decode(const struct berth_harbor_call *call,
                               const struct berth_robot_marker *marker, bool echo_waived,
                               const struct berth_harbor_reply *reply,
                               struct berth_harbor_decoded *ret_decoded);
/* Fine on a zeroed one, and twice. */
void berth_harbor_decoded_deinit(struct berth_harbor_decoded *decoded);

/* Harbor's full name of a robot: prefix, project, "+", short name; 255 bytes without the prefix. */
#define BERTH_HARBOR_LOGIN_BYTES 512

/*
 * Reads the reply to the look-up of a MEND_ROBOT.
 * BERTH_HARBOR_DONE: it is our robot, and ret_login_name holds its login name. Every other verdict
 * is the answer to the call, since the PUT was not sent: BERTH_HARBOR_ABSENT also when the robot is
 * no longer ours, BERTH_HARBOR_NOT_SENT for what isn't understood.
 */
void berth_harbor_lookup_decode(const struct berth_harbor_call *call,
                                const struct berth_robot_marker *marker, bool echo_waived,
                                const struct berth_harbor_reply *reply,
                                struct berth_harbor_answer *ret_answer,
                                char ret_login_name[BERTH_HARBOR_LOGIN_BYTES]);

/*
 * Whether the reply to GET /users/current is about that user. With an "@" it is a mail address,
 * which Harbor takes at its login but doesn't call the user by: then any user will do.
 */
bool berth_harbor_reply_names_user(const struct berth_harbor_reply *reply, const char *username);

#endif
