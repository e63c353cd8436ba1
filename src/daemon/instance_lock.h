/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instance's lock file: whoever holds it is the only process of this instance on this machine.
 *
 * The kernel frees a flock(2) at the holder's death and keeps it while the holder is frozen, so a
 * process that has it knows that earlier incarnations of its instance are dead, and may take over
 * their lanes after a short grace (design 4.7).
 */
#ifndef BERTH_DAEMON_INSTANCE_LOCK_H
#define BERTH_DAEMON_INSTANCE_LOCK_H

#include "berth/base/result.h"

/*
 * Takes <state_dir>/<instance>.lock, making the folder and the file when they are missing.
 * BERTH_BUSY: another process holds it. BERTH_FAULT_SYSTEM.
 * ret_fd is held until it is closed.
 */
BERTH_MUST_USE enum berth_rc berth_instance_lock(const char *state_dir, const char *instance,
                                                 int *ret_fd, struct berth_error *reterr);

#endif
