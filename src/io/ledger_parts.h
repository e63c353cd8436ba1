/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the ledger share.
 *
 *   ledger.c          life, submitting, handing answers on
 *   ledger_request.c  from a call to the words of a script's call
 *   ledger_reply.c    from Redis' reply to an answer
 *   ledger_data_set.c whether there is a data set that can be worked on
 *   ledger_rebuild.c  bringing one up
 *   ledger_refusal.c  what a refusal of Redis means, and whether it refuses now
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

struct event;
struct redisReply;
struct berth_redis_client;

/* The scripts, in the order in which the client gets them; BERTH_LEDGER_* are the first indexes. */
enum ledger_script {
    LEDGER_LOOK = BERTH_LEDGER_CALL_KINDS,
    LEDGER_CHILL,
    LEDGER_PUT,
    LEDGER_OPEN,
    LEDGER_DECIDE,
    LEDGER_PROBE,
    LEDGER_SCRIPTS, /* How many. */
};

/*
 * What is known of the data set.
 *
 *   AWAY ──> LOOKING ──> OPEN ──(a script says stale)──> LOOKING
 *              │
 *              v
 *   CLOSED or REBUILDING   CLOSED looks again by the timer, OPEN now and then: each look ends in
 *                          OPEN, CLOSED or REBUILDING; REBUILDING in OPEN, or CLOSED when lost
 *
 * and from everywhere to AWAY when the connection ends.
 * Invariant: id isn't empty in OPEN.
 */
enum data_set_phase {
    DATA_SET_AWAY,       /* No connection. */
    DATA_SET_LOOKING,    /* LOOK was asked, and nothing is known. */
    DATA_SET_CLOSED,     /* Not whole; somebody else may be at it. Looked at again by the timer. */
    DATA_SET_REBUILDING, /* We have the lock, which the timer renews. */
    DATA_SET_OPEN,
};
#define DATA_SET_PHASES 5

struct ledger_data_set {
    enum data_set_phase phase;
    char id[BERTH_UUID_BYTES];       /* Empty: none was ever open. */
    int64_t seen;                    /* The highest sequence; over all data sets. */
    int64_t raised;                  /* The highest that a call of ours raised, in this one. */
    struct berth_source *beginnings; /* Where it began. */
    size_t beginnings_count;
    char attempt[BERTH_UUID_BYTES]; /* Of the rebuild: the id of what it makes. */
    bool may_rebuild;
    char deployment[BERTH_DEPLOYMENT_BYTES]; /* Whose it must be; empty: not told yet. */
    char group[BERTH_LEDGER_GROUP_BYTES];
    char cluster[BERTH_LEDGER_CLUSTER_BYTES];
    bool ours;        /* It was found to be so. */
    bool asked_owner; /* The last LOOK said whose it must be, ... */
    bool asked_begin; /* ... and was a worker's. */
    bool looking;     /* A LOOK is under way. */
    struct event *timer;
    bool said; /* on_state was called at least once ... */
    bool said_available;
    char said_why[256]; /* ... with this. */
};

/* What Redis said when it refused something, and the key that a script names with it. */
#define LEDGER_TROUBLE_BYTES 512
#define LEDGER_KEY_BYTES     384

/* A refusal that is everybody's, while it is told. */
struct ledger_refusal {
    bool told;
    uint32_t probes_fine; /* Since the last one. */
    char text[LEDGER_TROUBLE_BYTES];
};

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
    void (*on_foreign)(void *ctx, const char *text);
    void (*on_rebuild)(void *ctx, enum berth_rebuild_event event);
    void *ctx;
    struct ledger_data_set data_set;
    struct ledger_refusal refusal;
    bool freeing;
};

/* ---- ledger_data_set.c ---- */

/* BERTH_FAULT_LIBRARY: libevent has no timer left. */
BERTH_MUST_USE enum berth_rc ledger_data_set_init(struct berth_ledger *ledger,
                                                  struct event_base *base);
void ledger_data_set_deinit(struct berth_ledger *ledger);

/* The connection is there, or not (any more). */
void ledger_data_set_connected(struct berth_ledger *ledger, bool ready, const char *why);
/* A guarded script refused to work. */
void ledger_data_set_stale(struct berth_ledger *ledger);
/* The rebuild came to this end: the epoch's text and the sequence that OPEN answered. */
void ledger_data_set_opened(struct berth_ledger *ledger, const struct redisReply *reply);
/* The rebuild came to nothing; drop: the lock is still ours. */
void ledger_data_set_gave_up(struct berth_ledger *ledger, const char *why, bool drop);

/* Whether the record may have been claimed in a data set that was lost. */
bool ledger_is_before_data_set(const struct ledger_data_set *data_set,
                               const struct berth_source *source);

/* Text that an operator reads of an error, or of a reply that can't be understood. */
const char *ledger_reply_text(const struct redisReply *reply);
/* Whether it is an array that begins with this word. */
bool ledger_reply_is(const struct redisReply *reply, const char *word);

/* ---- ledger_request.c ---- */

/* Words of ledger->args: one of our keys, and the lock of this attempt as its script compares it.
 */
void ledger_add_key(struct berth_ledger *ledger, const char *kind, const char *name,
                    const char *suffix);
void ledger_add_attempt(struct berth_ledger *ledger);
/* Whose the data set must be: three words. */
void ledger_add_owner(struct berth_ledger *ledger);

/* The words of DECIDE. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc ledger_request_decide(struct berth_ledger *ledger,
                                                   const struct berth_base *place);

/* Puts the words of a call into ledger->args. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc ledger_request(struct berth_ledger *ledger,
                                            const struct berth_ledger_call *call,
                                            const struct berth_publication *publication);

/* ---- ledger_refusal.c ---- */

/* What is said of a reply that isn't what its script answers. */
#define LEDGER_NOT_UNDERSTOOD "a reply that can't be understood"

/* Whether it is about a key that is one command's alone; else it is everybody's. The text becomes
 * what Redis itself said. ret_key: the key, empty when none is named. */
bool ledger_refusal_of_key(const struct berth_ledger *ledger, char text[LEDGER_TROUBLE_BYTES],
                           char ret_key[LEDGER_KEY_BYTES]);
/* One that is everybody's: it is told until Redis takes what is written to it again. */
void ledger_refusal_note(struct berth_ledger *ledger, const char *text);
/* The connection has ended: what the next one says counts. */
void ledger_refusal_forget(struct berth_ledger *ledger);
/* Tries a write. */
void ledger_refusal_probe(struct berth_ledger *ledger);

/* ---- ledger_reply.c ---- */

struct ledger_reply {
    struct berth_ledger_answer answer;
    struct berth_bytes stored;          /* A view of the reply. */
    bool *held;                         /* Owned; what answer.renew.held shows. */
    struct berth_kept_base *bases;      /* Owned; what answer.bases.kept shows. */
    int64_t sequence;                   /* Raised by the script to this; 0: it wasn't. */
    bool stale;                         /* The guard refused; unavailable, too. */
    char trouble[LEDGER_TROUBLE_BYTES]; /* Why it is unavailable although Redis replied. */
};

/* Reads a reply; NULL: none came. count: how many RENEW or BASES asked for. Ends with
 * ledger_reply_deinit(). */
void ledger_reply_read(const struct redisReply *reply, enum berth_ledger_call_kind kind,
                       size_t count, struct ledger_reply *ret_reply);
void ledger_reply_deinit(struct ledger_reply *reply);

#endif
