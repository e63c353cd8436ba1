/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Redis client share.
 *
 *   redis_client.c    life, phases, commands and their answers
 *   redis_greeting.c  what is asked right after connecting, and how the answers are judged
 *   redis_resolve.c   the address of a name
 *   redis_tls.c       TLS on a connection, and why it failed
 *
 *            +--------------------------------------------------+
 *            |  (a timer, back-off with jitter)                 |
 *            v                                                  |
 *   DOWN --> RESOLVING --> CONNECTING --> GREETING --> READY    |
 *    ^          |              |              |          |      |
 *    +----------+--------------+--------------+----------+------+
 *     no address     refused     not fit for us   silence, closed
 *
 * Invariant: connection is set in CONNECTING, GREETING and READY and in no other phase; resolve in
 * RESOLVING and in no other.
 */
#ifndef BERTH_IO_REDIS_CLIENT_PARTS_H
#define BERTH_IO_REDIS_CLIENT_PARTS_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/random.h"
#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"

struct event;
struct berth_redis_resolve;

enum redis_phase {
    REDIS_DOWN,
    REDIS_RESOLVING,
    REDIS_CONNECTING,
    REDIS_GREETING,
    REDIS_READY,
};
#define REDIS_PHASES 5

/* SHA-1 in hex: what SCRIPT LOAD answers and EVALSHA names. */
#define REDIS_SHA_LEN   40
#define REDIS_WHY_BYTES 256
/* The strings of a server; the longest name there is. */
#define REDIS_SERVER_TEXTS 8
#define REDIS_HOST_BYTES   256

struct berth_redis_client {
    struct berth_redis_client_config config; /* Its strings are the copies below. */
    char *texts[REDIS_SERVER_TEXTS];
    char host[REDIS_HOST_BYTES]; /* Of the address, without brackets; or a path. */
    uint16_t port;
    struct berth_random random;
    enum redis_phase phase;
    struct event *timer; /* Back-off when DOWN, the phase's deadline, the watch on silence. */
    struct berth_redis_resolve *resolve;
    redisAsyncContext *connection;
    SSL *tls;          /* The connection's, which owns it; NULL: none. */
    uint32_t failures; /* Rounds in a row through all addresses that didn't get to READY. */
    size_t tried;      /* Addresses that were tried in this round ... */
    size_t addresses;  /* ... of so many that the name has. */
    int64_t heard_ms;  /* When Redis last answered, or began to be asked. */
    bool freeing;

    char sha[BERTH_REDIS_SCRIPTS_MAX][REDIS_SHA_LEN + 1]; /* Empty: never loaded. */
    bool loading[BERTH_REDIS_SCRIPTS_MAX];                /* A SCRIPT LOAD is under way. */

    size_t pending;
    size_t pending_bytes;
    struct berth_redis_args args; /* For our own commands. */

    size_t greetings; /* Answers that GREETING still waits for. */
    bool appends;     /* The append-only file is on. */
    bool flaws_said[BERTH_REDIS_FLAWS];

    bool said;       /* on_state was called at least once ... */
    bool said_ready; /* ... and this is what it said. */
    char said_why[REDIS_WHY_BYTES];
    char why[REDIS_WHY_BYTES]; /* Why it is going down. */
};

/* ---- redis_client.c ---- */

/* Asks without regard to phase and bounds; script: NO_SCRIPT or an index. False: nothing was sent,
 * and fn will not be called. */
#define REDIS_NO_SCRIPT SIZE_MAX
bool redis_send(struct berth_redis_client *client, const struct berth_redis_args *args,
                size_t script, berth_redis_reply_fn fn, void *ctx);

/* Ends the connection; the reason is text, cut. */
void redis_drop(struct berth_redis_client *client, const char *format, ...) BERTH_PRINTF(2, 3);

/* GREETING is over, and all is well. */
void redis_greeted(struct berth_redis_client *client);

/* ---- redis_tls.c ---- */

/* Begins TLS on a connection that is being made. NULL: it can't; ret_why says why. The connection
 * owns what is returned. */
SSL *redis_tls_begin(const struct berth_redis_client *client, redisAsyncContext *connection,
                     char ret_why[REDIS_WHY_BYTES]);

/* Why TLS ended the connection; false: it didn't. was_ready: it had been greeted. */
bool redis_tls_why(SSL *tls, bool was_ready, char ret_why[REDIS_WHY_BYTES]);
/* Whether the handshake is over. */
bool redis_tls_up(const SSL *tls);

/* ---- redis_greeting.c ---- */

/* Asks everything at once; ends in redis_greeted() or redis_drop(). */
void redis_greet(struct berth_redis_client *client);

/* Loads a script (again) unless that is under way. */
void redis_load_script(struct berth_redis_client *client, size_t script);

#endif
