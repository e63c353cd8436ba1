/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow: the way of each request of one registry from its arrival to its end, faults included.
 *
 *   waiting -> (between ->) applied -> (replying ->) (streaming ->) sent
 *   waiting -> reset, or hanging until the faults change; either may be applied later all the same
 *
 * A request with no fault on its way is answered at once, within evhttp's callback.
 */
#ifndef BERTH_SANDBOX_REQUEST_FLOW_H
#define BERTH_SANDBOX_REQUEST_FLOW_H

#include "harbor_api.h"
#include "sandbox_faults.h"
#include "sandbox_journal.h"

/* Requests held at once; what comes on top is reset. */
#define BERTH_SANDBOX_HELD_MAX 10000

struct event_base;
struct evhttp_request;
struct berth_sandbox_flow;

/* All borrowed; they outlive the flow. */
struct berth_sandbox_flow_options {
    struct event_base *base;
    struct berth_sandbox_harbor *harbor;
    struct berth_sandbox_journal *journal;
    struct berth_sandbox_faults *faults;
    const char *base_path; /* "" or "/harbor": what stands before every path. */
};

struct berth_sandbox_flow *berth_sandbox_flow_new(const struct berth_sandbox_flow_options *options);

/* What is on its way is dropped, and what would still have been applied isn't. */
struct berth_sandbox_flow *berth_sandbox_flow_free(struct berth_sandbox_flow *flow);

/* A request has come, within evhttp's callback. */
void berth_sandbox_flow_begin(struct berth_sandbox_flow *flow, struct evhttp_request *request);

/* Before the whole server goes: lets go of the requests that evhttp will free with it. What is
 * still to be applied without a connection stays. */
void berth_sandbox_flow_drop(struct berth_sandbox_flow *flow);

/* Resets the connections that hang. Never from within a request of this server. */
void berth_sandbox_flow_reset_hanging(struct berth_sandbox_flow *flow);

#endif
