/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger calls of an item that Redis didn't answer, or refused. */
#ifndef BERTH_CORE_ENGINE_REFUSED_H
#define BERTH_CORE_ENGINE_REFUSED_H

struct berth_engine;
struct berth_ledger_answer;
struct item;

/* An answer that says "unavailable": it is asked again after a pause. A key that is the command's
 * own and can't be used burns its budget, and ends it when that is spent. */
void refused_or_away(struct berth_engine *engine, struct item *item,
                     const struct berth_ledger_answer *answer);

#endif
