/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of answers: transactions, and telling the ledger what was committed. Part of
 * engine_parts.h, whose states these are. */
#ifndef BERTH_CORE_ENGINE_PUBLISH_H
#define BERTH_CORE_ENGINE_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

struct berth_engine;
struct berth_ledger_answer;
struct item;
struct partition;

/* ---- engine_publish.c ---- */

/* The item's answer can be published. */
void publish_ready(struct berth_engine *engine, struct item *item);
/* Starts a transaction if none is under way and something waits for one. */
void publish_gather(struct berth_engine *engine);
void publish_consider(struct berth_engine *engine, struct partition *partition);
/* The transaction's end; refused_by as in BERTH_EVENT_TRANSACTION. */
void publish_done(struct berth_engine *engine, bool committed, const uint8_t *refused_by);
/* Some outputs take records again: what waited for one of them is tried again. */
void publish_outputs_open(struct berth_engine *engine, uint8_t outputs);
/* The partition winds down: what is set aside is the next owner's. */
void publish_drop_set_aside(struct berth_engine *engine, struct partition *partition);

/* ---- engine_settle.c ---- */

/* The item's answer was committed: the ledger needs no more of its outcome than the result. */
void settle_outcome(struct berth_engine *engine, const struct item *item);
/* Everything of the partition below this offset was settled, and that is committed. */
void settle_base(struct berth_engine *engine, struct partition *partition, int64_t offset);
/* Tells the ledger, unless it is being told. */
void settle_tell(struct berth_engine *engine);
void settle_told(struct berth_engine *engine, const struct berth_ledger_answer *answer);

#endif
