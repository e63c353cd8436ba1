/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: what goes wrong at a registry, until it is told otherwise.
 *
 * As JSON, with every key at its default:
 *   {"latency_ms":0, "away":"no", "read_only":false, "status":0, "count":0, "route":""}
 * latency_ms  each reply comes this much later; a write is applied at that time, not before
 * away        "refuse": nothing listens, open connections are closed; "reset": a request's
 *             connection is reset before anything is applied; "reset_after": the request is
 *             applied, then its connection is reset; "hang": accepted and not answered, and not
 *             applied either: its connection is closed when "away" is set again
 * read_only   Harbor's read-only mode
 * status      every request is answered with this error, 400 to 599, and nothing is applied
 * count       after so many requests all faults are gone; 0: they stay
 * route       only requests of this route, as the counters name it ("POST /projects"); "": all
 */
#ifndef BERTH_SANDBOX_FAULTS_H
#define BERTH_SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

#define BERTH_SANDBOX_LATENCY_MS_MAX  600000
#define BERTH_SANDBOX_COUNT_MAX       1000000000
#define BERTH_SANDBOX_ROUTE_BYTES_MAX 96

struct json_t;

enum berth_sandbox_away {
    BERTH_SANDBOX_AWAY_NO,
    BERTH_SANDBOX_AWAY_REFUSE,
    BERTH_SANDBOX_AWAY_RESET,
    BERTH_SANDBOX_AWAY_RESET_AFTER,
    BERTH_SANDBOX_AWAY_HANG,
};

/* The faults that are set, or what of them happens to one request. */
struct berth_sandbox_faults {
    int64_t latency_ms;
    enum berth_sandbox_away away;
    bool read_only;
    int status;
    int64_t count;
    char route[BERTH_SANDBOX_ROUTE_BYTES_MAX];
};

/*
 * Takes over the keys that are in the JSON.
 * BERTH_INVALID: an unknown key, a value of the wrong type or out of range, or keys that don't go
 * together; nothing changed.
 */
BERTH_MUST_USE enum berth_rc berth_sandbox_faults_merge(struct berth_sandbox_faults *faults,
                                                        const struct json_t *json,
                                                        struct berth_error *reterr);

/* All keys; a new reference. */
struct json_t *berth_sandbox_faults_json(const struct berth_sandbox_faults *faults);

/* What happens to a request of this route (harbor_api.h); counts it, and ends the faults after the
 * last one. */
struct berth_sandbox_faults berth_sandbox_faults_take(struct berth_sandbox_faults *faults,
                                                      size_t route);

#endif
