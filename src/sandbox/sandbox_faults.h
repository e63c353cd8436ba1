/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: what goes wrong at a registry, until it is told otherwise. docs/sandbox.md has examples.
 *
 * As JSON there is one base record of faults, rules (records that come on top of it), and what is
 * true of the registry as a whole. Each record has these keys, here with their defaults:
 *   {"latency_ms":0, "away":"no", "commit_ms":0, "between_ms":0, "read_only":false, "status":0,
 *    "apply":false, "retry_after_s":0, "retry_after_date":false, "body":"", "body_bytes":0,
 *    "drip_ms":0, "request_id":"echo", "session":"kept", "skip":0, "count":0, "route":""}
 * latency_ms  each reply comes this much later; a write is applied at that time, not before. N, or
 *             {"uniform":[LOW,HIGH]}, or {"p50":N,"p99":N}: a heavy tail (Pareto)
 * away        "refuse": nothing listens, open connections are closed (in the base record only);
 *             "reset": a request's connection is reset before anything is applied; "reset_after":
 *             the request is applied, then its connection is reset; "hang": accepted and not
 *             answered, and not applied either: its connection is reset when the faults change
 * commit_ms   with "reset" and "hang": the request is applied after all, this much later
 * between_ms  between what a write reads and what it inserts: POST of robots and members
 * read_only   Harbor's read-only mode
 * status      every request is answered with this error, 400 to 599, and nothing is applied;
 *             apply: it is applied, and then answered with that error all the same
 * retry_after_s  with a status: the header Retry-After, as seconds or as a date
 * body        of the reply, whatever its status: "none"; "html": a page, with 200 unless there is a
 *             status, and nothing is applied unless "apply"; "cut": half of it; "truncated":
 *             Content-Length promises more; "gigabyte": body_bytes of it (0: 1 GiB) are streamed;
 *             "drip": a byte each drip_ms (0: 1000); "wrong_type": as text/plain
 * request_id  "strip", "wrong": X-Request-Id isn't echoed, or another one is
 * session     "unknown": as if the session had been forgotten; "userless": it is known, but its
 *             user isn't, and no new cookie tells
 * skip        so many requests are spared first
 * count       after so many requests the record is gone; 0: it stays
 * route       only requests of this route, as the counters name it ("POST /projects"); "": all
 *
 * A request meets the base record and then every rule that is for it, in their order; what a later
 * one sets overrides what an earlier one did. Of the registry as a whole, with their defaults:
 *   {"password_ms":0, "cores":2, "login_lock_ms":1500, "seed":1, "rules":[]}
 * password_ms    what each check of a user's password costs of one of Harbor's cores; requests
 *                queue for them. Robots and sessions cost nothing
 * login_lock_ms  how long a failed login locks the user's name, and is answered late
 * seed           of the latencies: same seed and same requests, same latencies
 */
#ifndef BERTH_SANDBOX_FAULTS_H
#define BERTH_SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/random.h"
#include "berth/base/result.h"
#include "harbor_api.h"

#define BERTH_SANDBOX_LATENCY_MS_MAX  600000
#define BERTH_SANDBOX_COUNT_MAX       1000000000
#define BERTH_SANDBOX_ROUTE_BYTES_MAX 96
#define BERTH_SANDBOX_RULES_MAX       64
#define BERTH_SANDBOX_CORES_MAX       64
#define BERTH_SANDBOX_BODY_BYTES      (INT64_C(1) << 30)
#define BERTH_SANDBOX_DRIP_MS         1000

struct json_t;

enum berth_sandbox_away {
    BERTH_SANDBOX_AWAY_NO,
    BERTH_SANDBOX_AWAY_REFUSE,
    BERTH_SANDBOX_AWAY_RESET,
    BERTH_SANDBOX_AWAY_RESET_AFTER,
    BERTH_SANDBOX_AWAY_HANG,
};

enum berth_sandbox_body {
    BERTH_SANDBOX_BODY_AS_IT_IS,
    BERTH_SANDBOX_BODY_NONE,
    BERTH_SANDBOX_BODY_HTML,
    BERTH_SANDBOX_BODY_CUT,
    BERTH_SANDBOX_BODY_TRUNCATED,
    BERTH_SANDBOX_BODY_GIGABYTE,
    BERTH_SANDBOX_BODY_DRIP,
    BERTH_SANDBOX_BODY_WRONG_TYPE,
};

enum berth_sandbox_echo {
    BERTH_SANDBOX_ECHO_RIGHT,
    BERTH_SANDBOX_ECHO_STRIPPED,
    BERTH_SANDBOX_ECHO_WRONG,
};

enum berth_sandbox_latency_kind {
    BERTH_SANDBOX_LATENCY_FIXED,   /* low_ms */
    BERTH_SANDBOX_LATENCY_UNIFORM, /* low_ms to high_ms */
    BERTH_SANDBOX_LATENCY_TAIL,    /* half below low_ms, one in a hundred above high_ms */
};

struct berth_sandbox_latency {
    enum berth_sandbox_latency_kind kind;
    int64_t low_ms;
    int64_t high_ms;
};

/* A record, or, with a fixed latency, what happens to one request. All zero: nothing. */
struct berth_sandbox_fault {
    struct berth_sandbox_latency latency;
    enum berth_sandbox_away away;
    int64_t commit_ms;
    int64_t between_ms;
    bool read_only;
    int64_t status;
    bool apply;
    int64_t retry_after_s;
    bool retry_after_date;
    enum berth_sandbox_body body;
    int64_t body_bytes;
    int64_t drip_ms;
    enum berth_sandbox_echo request_id;
    enum berth_sandbox_session_fault session;
    int64_t skip;
    int64_t count;
    char route[BERTH_SANDBOX_ROUTE_BYTES_MAX];
};

/* Everything that is set at a registry. Plain data, to be copied. */
struct berth_sandbox_faults {
    struct berth_sandbox_fault base;
    struct berth_sandbox_fault rules[BERTH_SANDBOX_RULES_MAX];
    size_t rule_count;
    int64_t password_ms;
    int64_t cores;
    int64_t login_lock_ms;
    int64_t seed;
    struct berth_random random;
};

/* The defaults: nothing goes wrong. */
void berth_sandbox_faults_init(struct berth_sandbox_faults *faults);

/*
 * Takes over the keys that are in the JSON; "rules" replaces all of them.
 * BERTH_INVALID: an unknown key, a value of the wrong type or out of range, or keys that don't go
 * together; nothing changed.
 */
BERTH_MUST_USE enum berth_rc berth_sandbox_faults_merge(struct berth_sandbox_faults *faults,
                                                        const struct json_t *json,
                                                        struct berth_error *reterr);

/* Adds one rule behind the others. BERTH_INVALID as above, and when there are too many. */
BERTH_MUST_USE enum berth_rc berth_sandbox_faults_add_rule(struct berth_sandbox_faults *faults,
                                                           const struct json_t *json,
                                                           struct berth_error *reterr);

/* All keys; a new reference. */
struct json_t *berth_sandbox_faults_json(const struct berth_sandbox_faults *faults);

/* Whether any record makes requests hang. */
bool berth_sandbox_faults_hang(const struct berth_sandbox_faults *faults);

/* What happens to a request of this route (harbor_api.h); counts it, and ends the records after
 * their last one. Its latency is drawn and fixed. */
struct berth_sandbox_fault berth_sandbox_faults_take(struct berth_sandbox_faults *faults,
                                                     size_t route);

#endif
