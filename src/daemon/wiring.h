/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wiring: makes the worker's parts from the configuration, in order, and takes them apart again.
 */
#ifndef BERTH_DAEMON_WIRING_H
#define BERTH_DAEMON_WIRING_H

#include "berth/base/result.h"

struct worker;

/* Codec, pool, engine and slots. */
BERTH_MUST_USE enum berth_rc wire_engine(struct worker *worker, struct berth_error *reterr);
void unwire_engine(struct worker *worker);

/* Admin HTTP, Harbor client, ledger, publisher, and the check of the topics. The consumer comes
 * when they are fine and the ledger was available once. */
BERTH_MUST_USE enum berth_rc wire_adapters(struct worker *worker, struct berth_error *reterr);
void unwire_adapters(struct worker *worker);

BERTH_MUST_USE enum berth_rc wire_topics_check(struct worker *worker, struct berth_error *reterr);
void unwire_topics_check(struct worker *worker);
/* What rebuilds the data set in Redis, for when the ledger says so. */
BERTH_MUST_USE enum berth_rc wire_rebuild(struct worker *worker, struct berth_error *reterr);
void unwire_rebuild(struct worker *worker);
/* What brings the work in; everything else is in place. */
BERTH_MUST_USE enum berth_rc wire_consumer(struct worker *worker, struct berth_error *reterr);

#endif
