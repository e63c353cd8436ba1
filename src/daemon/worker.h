/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: one loop with everything in it (design 5).
 *
 *   adapters' callbacks -> events -> engine -> effects -> adapters
 *
 * worker.c wires the parts in order, runs the loop and takes them apart; effects.c performs what
 * the engine asks for; batches.c makes one Kafka transaction of a PUBLISH effect.
 */
#ifndef BERTH_DAEMON_WORKER_H
#define BERTH_DAEMON_WORKER_H

#include "berth/base/result.h"

struct berth_config;

/*
 * Runs a worker until SIGTERM or SIGINT; then what is under way is finished and settled within
 * drain_timeout_ms, and the rest is listed as left. A second signal stops it at once. SIGHUP reads
 * the file again and changes config in place.
 * BERTH_OK: stopped as told. A fault, BERTH_BUSY (another process is this instance) or
 * BERTH_INVALID with the reason in reterr otherwise.
 */
BERTH_MUST_USE enum berth_rc berth_worker_run(struct berth_config *config,
                                              struct berth_error *reterr);

#endif
