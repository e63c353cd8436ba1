/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call to the ledger in Redis and its answer, as data (design 4.2, 4.6, 4.7).
 *
 * Each call is one Lua script, and each may run twice with the same effect, because a reply can be
 * lost: io's ledger client runs them, the engine decides.
 */
#ifndef BERTH_CORE_LEDGER_CALL_H
#define BERTH_CORE_LEDGER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/core/command.h"
#include "berth/core/log_position.h"
#include "berth/core/outcome.h"
#include "berth/core/space.h"

enum berth_ledger_call_kind {
    BERTH_LEDGER_CLAIM,
    BERTH_LEDGER_REMEMBER, /* Writes the claim's `before` after Harbor was read. */
    BERTH_LEDGER_STORE,
    BERTH_LEDGER_RENEW,
    BERTH_LEDGER_SETTLED, /* What was committed: nothing waits for it, but see the bases. */
    BERTH_LEDGER_BASES,   /* Asked by the loop, not by the engine. */
};
#define BERTH_LEDGER_CALL_KINDS 6

/* Who holds a lane: three fields of the space's hash. Each is empty when it can't be ours. */
struct berth_holder {
    char instance[BERTH_INSTANCE_BYTES];
    char incarnation[BERTH_UUID_BYTES];
    char command_id[BERTH_UUID_BYTES];
};

/* What a waiter watches: unchanged for a whole lease on its own clock means the holder is gone. */
struct berth_lane_mark {
    int64_t token;
    int64_t renewals;
};

enum berth_claim_verdict {
    BERTH_CLAIM_TAKEN,     /* The lane is ours under this token. */
    BERTH_CLAIM_STORED,    /* This command has a final outcome; the answer carries its bytes. */
    BERTH_CLAIM_HELD,      /* Somebody else holds the lane. */
    BERTH_CLAIM_REUSED,    /* This id was used for other content. */
    BERTH_CLAIM_TOO_OLD,   /* Unknown id, and issued before the ledger's memory. */
    BERTH_CLAIM_IN_FUTURE, /* Unknown id, and issued in the future. */
};

/* How an issued_at looks from here; it only matters for an id that the ledger doesn't know. */
enum berth_issued {
    BERTH_ISSUED_FINE,
    BERTH_ISSUED_TOO_OLD,
    BERTH_ISSUED_IN_FUTURE,
};

struct berth_claim_call {
    const struct berth_command *command; /* Borrowed, like every pointer here. */
    const struct berth_source *source;
    enum berth_issued issued;
    /* CreateSpace with FAIL reads nothing first: its `before` is "absent" whatever Redis knows. */
    bool before_is_absent;
    /* The space is warm when Redis knows it as present and last verified at or after this (wall
     * clock); only then is `before` taken from Redis within the script. */
    int64_t warm_since_ms;
    int64_t now_wall_ms; /* Becomes received_at when this is the first claim. */
    /* Which claim of this incarnation it is, from 1 on. The same call again, because no reply came,
     * has the same number and doesn't count as another claim; no other has. */
    uint64_t number;
    bool take_over;              /* Take the lane although somebody holds it ... */
    struct berth_lane_mark mark; /* ... if it still bears this mark. */
};

struct berth_claim_answer {
    enum berth_claim_verdict verdict;
    /* TAKEN */
    int64_t token;
    int attempts; /* Claims of this command so far, this one included; a dead letter that
                   * is replayed from another record begins at 1 again. */
    bool first;   /* No earlier claim of this id, not even one that ended FAILED for
                   * another record: nothing was ever sent to Harbor under it. */
    int64_t received_at_ms;
    uint32_t burned;                 /* What renewals of earlier claims told: attempts, ... */
    int64_t paused_ms;               /* ... and for how long the command's age stood still. */
    bool before_known;               /* `before` was remembered, now or by an earlier claim. */
    struct berth_space_state before; /* Owned by whoever made the answer; the engine copies. */
    struct berth_space_state state;  /* What Redis knows of the space now. */
    /* HELD */
    struct berth_holder holder;
    struct berth_lane_mark mark;
    /* STORED */
    bool same_source;   /* It was stored for this very record. */
    bool state_current; /* The space's version is still the one that outcome left. */
    int64_t version;    /* The token under which it was stored. */
};

struct berth_remember_call {
    const struct berth_command *command;
    int64_t token;
    const struct berth_space_state *before;
    /* It replaces what CLAIM took from what Redis knew; else the first one stays. */
    bool corrects;
};

struct berth_store_call {
    const struct berth_command *command;
    const struct berth_source *source;
    int64_t token;
    const struct berth_outcome *outcome; /* Final (asserted). */
    /* What the space's hash becomes: with write_state outcome->after, which is then told (asserted;
     * version = token); otherwise the hash stays, and is marked cold unless still_warm. */
    bool write_state;
    bool still_warm; /* Nothing was written to Harbor, so what is known is as good as it was. */
    bool free_lane;  /* False while a write's outcome is still unknown. */
};

enum berth_store_verdict {
    BERTH_STORE_STORED,  /* Now, or by an earlier run of this very call (the same publication). */
    BERTH_STORE_ALREADY, /* Another outcome of this command was stored first; that is published. */
    BERTH_STORE_HELD,    /* Another holds the lane, or has held it since: drop the outcome. */
    BERTH_STORE_GONE,    /* The claim is gone (Redis lost it): claim again, store the same. */
};

struct berth_renewal {
    const struct berth_command *command;
    int64_t token;
    uint32_t slot;   /* The engine's, echoed. */
    uint32_t burned; /* The command's budget so far: the next claim goes on from there. */
    int64_t paused_ms;
};

/* An outcome whose transaction was committed, and the record that it was stored for. Neither source
 * nor version alone tells it: a dead letter may be replayed from another record under the token
 * that is still held, and an operator may have the same record read again. */
struct berth_settled {
    char command_id[BERTH_UUID_BYTES];
    int64_t version; /* The token under which it was stored. */
    const char *topic;
    int32_t partition;
    int64_t offset;
    char log_id[BERTH_LOG_ID_BYTES];
};

/* Where a partition's last committed transaction ended: everything below was settled. */
struct berth_base {
    const char *topic;
    int32_t partition;
    int64_t offset;            /* BASES: not used, like the mark. */
    struct berth_log_mark log; /* Which log that is. */
};

struct berth_ledger_call {
    enum berth_ledger_call_kind kind;
    union {
        struct berth_claim_call claim;
        struct berth_remember_call remember;
        struct berth_store_call store;
        struct {
            const struct berth_renewal *lanes;
            size_t count;
        } renew;
        struct {
            const struct berth_settled *commands;
            size_t commands_count;
            /* Never lowered within a log, so they may come late and twice. */
            const struct berth_base *bases;
            size_t bases_count;
        } settled;
        struct {
            const struct berth_base *partitions;
            size_t count;
        } bases;
    };
};

struct berth_ledger_answer {
    enum berth_ledger_call_kind kind;
    /* No reply came, or Redis refused (read-only replica, out of memory, ...): it may have run or
     * not. Nothing below is set. */
    bool unavailable;
    /* With unavailable, of CLAIM, REMEMBER and STORE: Redis refused because a key that is this
     * command's, its space's or a workspace's alone holds something that isn't berth's. Empty: it
     * isn't said which. NULL: not so. Views. */
    const char *bad_key;
    const char *bad_key_why; /* In Redis' words. */
    union {
        struct berth_claim_answer claim;
        struct {
            bool lost; /* Somebody else holds the lane, or the claim is gone. */
        } remember;
        struct {
            enum berth_store_verdict verdict;
            /* ALREADY */
            bool same_source;
            bool state_current;
            int64_t version;
        } store;
        struct {
            const bool *held; /* One for each renewal, in the call's order: still ours. */
            size_t count;
        } renew;
        struct {
            const struct berth_kept_base *kept; /* One for each partition, in the call's order. */
            size_t count;
        } bases;
    };
};

#endif
