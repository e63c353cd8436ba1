/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry server: one Harbor of the stand-in on its port, with its faults and its journal.
 *
 * What happens to a request is request_flow.h's: by timers, never by sleeping, so a slow registry
 * doesn't slow the others.
 */
#ifndef BERTH_SANDBOX_REGISTRY_SERVER_H
#define BERTH_SANDBOX_REGISTRY_SERVER_H

#include <stdint.h>

#include "berth/base/result.h"
#include "harbor_api.h"
#include "sandbox_faults.h"
#include "sandbox_journal.h"

struct event_base;
struct berth_sandbox_registry;
struct berth_sandbox_tls;

struct berth_sandbox_registry_options {
    const char *name;
    uint16_t port;         /* 0: a free one. */
    const char *base_path; /* "" or "/harbor": what stands before every path. */
    struct berth_sandbox_harbor_options harbor; /* Randomness and time are the server's own. */
    struct berth_sandbox_tls *tls;              /* NULL: http. Borrowed. */
};

/* BERTH_FAULT_SYSTEM, BERTH_FAULT_LIBRARY: the port could not be opened. */
BERTH_MUST_USE enum berth_rc
berth_sandbox_registry_new(struct event_base *base,
                           const struct berth_sandbox_registry_options *options,
                           struct berth_sandbox_registry **ret_server, struct berth_error *reterr);

/* Closes every connection, answered or not. Never from within a request of this server. */
struct berth_sandbox_registry *berth_sandbox_registry_free(struct berth_sandbox_registry *server);

const char *berth_sandbox_registry_name(const struct berth_sandbox_registry *server);
uint16_t berth_sandbox_registry_port(const struct berth_sandbox_registry *server);
struct berth_sandbox_harbor *berth_sandbox_registry_harbor(struct berth_sandbox_registry *server);
const char *berth_sandbox_registry_base_path(const struct berth_sandbox_registry *server);
struct berth_sandbox_journal *berth_sandbox_registry_journal(struct berth_sandbox_registry *server);

/* The faults that are set. A view. */
const struct berth_sandbox_faults *
berth_sandbox_registry_faults(const struct berth_sandbox_registry *server);

/*
 * Sets the faults, opening or closing the port as "away" says, and resets the connections that
 * hang unless there is still something that makes them. Never from within a request of this server.
 * BERTH_FAULT_SYSTEM, BERTH_FAULT_LIBRARY: the port could not be closed or opened; the faults are
 * as they were.
 */
BERTH_MUST_USE enum berth_rc
berth_sandbox_registry_set_faults(struct berth_sandbox_registry *server,
                                  const struct berth_sandbox_faults *faults,
                                  struct berth_error *reterr);

#endif
