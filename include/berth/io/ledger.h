/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: the engine's calls (core/ledger_call.h) as Lua scripts in one Redis.
 *
 * It performs and reports; it decides and repeats nothing. What it keeps in Redis is a documented
 * contract (docs/redis.md, design 6). One on each loop; it works on the loop's thread only.
 *
 * It works only in a data set that is whole and not older than this worker has seen it
 * (design 4.9); while it isn't, the ledger is unavailable. How it is brought up:
 * io/ledger_rebuild.h.
 *
 * A call that was taken is answered exactly once, from the loop, in no order that may be relied on.
 * "Unavailable" is an answer too: then the script may have run or not, or may even run later.
 */
#ifndef BERTH_IO_LEDGER_H
#define BERTH_IO_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/events.h"
#include "berth/core/ledger_call.h"
#include "berth/io/ledger_rebuild.h"
#include "berth/io/redis_client.h"

struct berth_ledger;
struct event_base; /* libevent's. */

#define BERTH_LEDGER_PREFIX_BYTES  65
#define BERTH_LEDGER_GROUP_BYTES   256
#define BERTH_LEDGER_CLUSTER_BYTES 128

struct berth_ledger_config {
    struct event_base *base;
    struct berth_redis_server server; /* Strings are copied. */
    const char *prefix;               /* Of every key; "berth:v1:". */
    const char *instance;    /* This worker: no blanks, shorter than BERTH_INSTANCE_BYTES. */
    const char *incarnation; /* This start of it: a UUID. */

    int64_t memory_ms; /* How long an outcome is kept, from its STORE on. */
    int64_t
        tombstone_ms;   /* How long a space that isn't there is; at least memory_ms, so that a
                         * tombstone which wasn't published yet can still be told to be current. */
    size_t pending_max; /* Calls under way. */
    uint64_t seed;      /* For the jitter of reconnects. */

    /* answer and stored are borrowed for the call. stored: the packed publication of CLAIM_STORED
     * and STORE_ALREADY, else empty. A new call may be submitted from within. */
    void (*on_answer)(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored);
    /* Available, or not (any more), and why not: one line. Once for each change, and again when the
     * reason changes. Calls under way are answered before "not" when the connection ends; when the
     * data set turns out to be unusable, the first one before and the others after it. */
    void (*on_state)(void *ctx, bool available, const char *why);
    /* Something that an operator should mend, or a call that Redis refused (the first in a row). */
    void (*on_warning)(void *ctx, const char *text);
    /* The data set is another installation's, in this sentence: this worker must end. */
    void (*on_foreign)(void *ctx, const char *text);
    /* See io/ledger_rebuild.h. May be NULL when rebuilding is never allowed. */
    void (*on_rebuild)(void *ctx, enum berth_rebuild_event event);
    void *ctx;
};

/*
 * Starts to connect; nothing is called back before the loop runs.
 * BERTH_INVALID: instance, incarnation, prefix or a time can't be used; reterr says which.
 * BERTH_FAULT_MEMORY, BERTH_FAULT_LIBRARY.
 * The caller frees it before the event base.
 */
BERTH_MUST_USE enum berth_rc berth_ledger_new(const struct berth_ledger_config *config,
                                              struct berth_ledger **ret_ledger,
                                              struct berth_error *reterr);

/* Closes. What is under way isn't answered any more. Never from within a callback. NULL is fine;
 * returns NULL. */
struct berth_ledger *berth_ledger_free(struct berth_ledger *ledger);

bool berth_ledger_available(const struct berth_ledger *ledger);

/* Says whose the data set must be: it is looked at, and written down where nothing says. Before
 * that it is not ours. Each shorter than its bound (asserted). */
void berth_ledger_set_owner(struct berth_ledger *ledger, const char *deployment, const char *group,
                            const char *cluster);

/*
 * For tools: a stopped partition goes on at place->offset of the log that place->log names. on_done
 * comes once, with the reason when it isn't so. BERTH_BUSY, BERTH_FAULT_MEMORY: nothing was sent.
 */
BERTH_MUST_USE enum berth_rc
berth_ledger_decide(struct berth_ledger *ledger, const struct berth_base *place,
                    void (*on_done)(void *ctx, bool decided, const char *why), void *ctx);

/* Whether the data set that is available is known to be the owner's. */
bool berth_ledger_is_ours(const struct berth_ledger *ledger);

/* What Redis says while it is there and refuses what everybody needs: no memory, no disk, no right.
 * Until ten seconds have passed without, and a write was taken. NULL: it doesn't. A view. */
const char *berth_ledger_refusal(const struct berth_ledger *ledger);

/*
 * Submits a call; everything it points to is borrowed until this returns. on_answer never runs
 * before that.
 * publication: STORE only, and then not empty: the outcome's packed publication. The same outcome
 * must come with the same bytes, by which the script knows a repeated STORE.
 * BERTH_BUSY: unavailable, or pending_max calls are under way. Nothing was sent.
 * BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_ledger_submit(struct berth_ledger *ledger, uint64_t call_id,
                                                 const struct berth_ledger_call *call,
                                                 const struct berth_publication *publication);

#endif
