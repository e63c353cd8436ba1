/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the ledger share.
 *
 *   ledger.c          life, submitting, handing answers on
 *   ledger_request.c  from a call to the words of a script's call
 *   ledger_reply.c    from Redis' reply to an answer
 *   space_fields.c    a space's state as fields and values
 *   lua/              the scripts, embedded at build
 */
#ifndef BERTH_IO_LEDGER_PARTS_H
#define BERTH_IO_LEDGER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/io/ledger.h"
#include "berth/io/redis_args.h"

struct redisReply;
struct berth_redis_client;

/* The scripts, in the order in which the client gets them; BERTH_LEDGER_* are their indexes. */
#define LEDGER_SCRIPTS BERTH_LEDGER_CALL_KINDS

struct berth_ledger {
    struct berth_redis_client *client;
    struct berth_redis_args args;
    char prefix[BERTH_LEDGER_PREFIX_BYTES];
    char instance[BERTH_INSTANCE_BYTES];
    char incarnation[BERTH_UUID_BYTES];
    int64_t memory_ms;
    int64_t tombstone_ms;
    void (*on_answer)(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored);
    void (*on_state)(void *ctx, bool available, const char *why);
    void (*on_warning)(void *ctx, const char *text);
    void *ctx;
    bool begun;    /* The epoch key was asked for. */
    bool refusing; /* The last reply was a refusal, and that was said. */
    bool freeing;
};

/* ---- ledger_request.c ---- */

/* Puts the words of a call into ledger->args. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc ledger_request(struct berth_ledger *ledger,
                                            const struct berth_ledger_call *call,
                                            const struct berth_publication *publication);

/* ---- ledger_reply.c ---- */

#define LEDGER_TROUBLE_BYTES 256

struct ledger_reply {
    struct berth_ledger_answer answer;
    struct berth_bytes stored;          /* A view of the reply. */
    bool *held;                         /* Owned; what answer.renew.held shows. */
    int64_t *bases;                     /* Owned; what answer.bases.offsets shows. */
    char trouble[LEDGER_TROUBLE_BYTES]; /* Why it is unavailable although Redis replied. */
};

/* Reads a reply; NULL: none came. count: how many RENEW or BASES asked for. Ends with
 * ledger_reply_deinit(). */
void ledger_reply_read(const struct redisReply *reply, enum berth_ledger_call_kind kind,
                       size_t count, struct ledger_reply *ret_reply);
void ledger_reply_deinit(struct ledger_reply *reply);

#endif
