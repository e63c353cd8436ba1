/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spoil: what a fault makes of a reply. Pure, apart from the date of Retry-After.
 */
#ifndef BERTH_SANDBOX_SPOIL_H
#define BERTH_SANDBOX_SPOIL_H

#include "sandbox_faults.h"
#include "sandbox_http.h"

/* Whether the request is kept from Harbor, because something in front of it answers. */
bool berth_sandbox_spoil_keeps_away(const struct berth_sandbox_fault *fault);

/* Changes a reply of Harbor's, or, for a request that was kept away, an empty one. */
void berth_sandbox_spoil(const struct berth_sandbox_request *request,
                         const struct berth_sandbox_fault *fault,
                         struct berth_sandbox_reply *reply);

#endif
