/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry server: one Harbor of the stand-in on its port, with its faults and its journal.
 *
 * A request without a fault is answered within evhttp's callback. One with a fault is held and
 * settled by a timer, never by sleeping, so a slow registry doesn't slow the others.
 */
#ifndef BERTH_SANDBOX_REGISTRY_SERVER_H
#define BERTH_SANDBOX_REGISTRY_SERVER_H

#include <stdint.h>

#include "berth/base/result.h"
#include "harbor_model.h"
#include "sandbox_faults.h"
#include "sandbox_journal.h"

/* Requests held at once; what comes on top is reset. */
#define BERTH_SANDBOX_HELD_MAX 10000

struct event_base;
struct berth_sandbox_registry;

struct berth_sandbox_registry_options {
    const char *name;
    uint16_t port; /* 0: a free one. */
    const char *user_name;
    const char *password;
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
struct berth_model *berth_sandbox_registry_model(struct berth_sandbox_registry *server);
struct berth_sandbox_journal *berth_sandbox_registry_journal(struct berth_sandbox_registry *server);

/* The faults that are set. A view. */
const struct berth_sandbox_faults *
berth_sandbox_registry_faults(const struct berth_sandbox_registry *server);

/*
 * Sets the faults, opening or closing the port as "away" says, and resets the connections that
 * hang. Never from within a request of this server. BERTH_FAULT_SYSTEM, BERTH_FAULT_LIBRARY: the
 * port could not be closed or opened; the faults are as they were.
 */
BERTH_MUST_USE enum berth_rc
berth_sandbox_registry_set_faults(struct berth_sandbox_registry *server,
                                  const struct berth_sandbox_faults *faults,
                                  struct berth_error *reterr);

#endif
