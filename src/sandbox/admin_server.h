/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admin server: where tests tell the stand-in what should go wrong, and ask what it was asked.
 *
 *   GET, DELETE /registries/NAME/counters                     requests by route; DELETE resets
 *   GET, DELETE /registries/NAME/writes                       the last writes (sandbox_journal.h);
 *                                                             X-Dropped-Count: how many went lost
 *   GET, PUT    /registries/NAME/faults                       see sandbox_faults.h; PUT merges,
 *   POST, DELETE                                              with ?reset into the defaults; POST
 *                                                             adds a rule, DELETE ends all
 *   DELETE      /registries/NAME/sessions                     Harbor's Redis was emptied
 *   DELETE      /registries/NAME/csrf-key                     a restart without a fixed CSRF_KEY
 *   PUT         /registries/NAME/users/USER                   {"password":"...","sysadmin":false}
 *   PUT, DELETE /registries/NAME/repositories/PROJECT/REPO    what a push and its undoing do
 *
 * Errors are {"error": "..."} with 400, 404, 405 or 500.
 */
#ifndef BERTH_SANDBOX_ADMIN_SERVER_H
#define BERTH_SANDBOX_ADMIN_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

struct event_base;
struct berth_sandbox_admin;
struct berth_sandbox_registry;

/* port 0: a free one. The registries are borrowed and outlive the server.
 * BERTH_FAULT_SYSTEM, BERTH_FAULT_LIBRARY: the port could not be opened. */
BERTH_MUST_USE enum berth_rc berth_sandbox_admin_new(struct event_base *base, uint16_t port,
                                                     struct berth_sandbox_registry **registries,
                                                     size_t registry_count,
                                                     struct berth_sandbox_admin **ret_server,
                                                     struct berth_error *reterr);
struct berth_sandbox_admin *berth_sandbox_admin_free(struct berth_sandbox_admin *server);

uint16_t berth_sandbox_admin_port(const struct berth_sandbox_admin *server);

#endif
