/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of lookups share.
 *
 *   lookup.c          life, the connection to Redis, asking, answers
 *   lookup_words.c    from a request to the words of a script's call
 *   lookup_reply.c    from Redis' reply to what it says
 *   lookup_flight.c   reading a space from Harbor, once for all who ask
 *   lookup_absent.c   what Harbor said isn't there, for seconds
 *   lua/              the scripts page, space, fill and doubt, embedded at build
 *
 *   berth_lookup_*() --> waiting --> asked of Redis --> answered
 *                           ^             |   |
 *                           +- no reply --+   +-- one space that Redis doesn't know --> flight
 *
 * A request is in exactly one of these places; `pending` counts them all. From `waiting` it is sent
 * when Redis is there and not too many are being asked, and answered when Redis isn't there.
 */
#ifndef BERTH_IO_LOOKUP_PARTS_H
#define BERTH_IO_LOOKUP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/pool.h"
#include "berth/base/random.h"
#include "berth/core/harbor_call.h"
#include "berth/core/space_reading.h"
#include "berth/io/lookup.h"
#include "berth/io/redis_args.h"
#include "lookup_absent.h"

struct event;
struct redisReply;
struct berth_harbor_client;
struct berth_redis_client;

enum lookup_script {
    LOOKUP_PAGE,
    LOOKUP_SPACE,
    LOOKUP_FILL,
    LOOKUP_DOUBT,
};
#define LOOKUP_SCRIPTS 4

/* Requests that Redis is asked at once. It works them off in one go, while commands wait: a page of
 * 100 takes it about 1 ms, the largest ones 20 ms. */
#define LOOKUP_ASKED_MAX 4
/* Spaces of one registry that are read from Harbor at once; more askers are told OVERLOADED. */
#define LOOKUP_FLIGHTS_MAX 32
/* Requests to one Harbor at once: commands go before lookups. */
#define LOOKUP_HARBOR_LIMIT 2

/* How long whoever asks is made to wait for Harbor, tries and pauses included. */
#define LOOKUP_PATIENCE_MS 10000

#define LOOKUP_WHY_BYTES    512
#define LOOKUP_EPOCH_BYTES  65 /* Of its beginning: see lua/space.lua. */
#define LOOKUP_PREFIX_BYTES 65

/* One lookup from being asked to its answer. */
struct lookup_request {
    struct berth_lookup *lookup;
    struct lookup_request *next; /* In the queue it is in. */
    berth_lookup_fn *fn;
    void *ctx;
    int64_t asked_ms; /* Wall clock: when Redis was asked. */
    bool refused;     /* Too many are pending. */
    bool list;
    bool doubt; /* One space: nothing is asked, it is marked cold. */
    bool public;
    bool has_workspace;
    size_t limit;
    uint32_t registry;                        /* Of one space: its index. */
    char registry_name[BERTH_REGISTRY_BYTES]; /* Of a list; empty: all. */
    char workspace[BERTH_WORKSPACE_BYTES];    /* Empty: one that can't be. */
    char space[BERTH_SPACE_BYTES];
    char after[BERTH_LOOKUP_CURSOR_BYTES];
};

struct lookup_queue {
    struct lookup_request *first;
    struct lookup_request *last;
};

struct lookup_flight;

struct berth_lookup {
    const struct berth_config *config;
    struct event_base *base;
    struct berth_redis_client *redis;
    struct berth_harbor_client *harbor; /* NULL: no registry is configured. */
    struct event *kick; /* Looks after `waiting`: never within the call that asked. */
    struct berth_redis_args args;
    struct berth_random random;
    uint32_t *order; /* The registries' indexes in the byte order of "registry/". */

    bool redis_said; /* The first attempt to connect has ended, well or not. */
    bool redis_ready;
    uint64_t connections; /* To Redis, so far. */
    char redis_why[LOOKUP_WHY_BYTES];

    struct lookup_queue waiting;
    size_t pending;
    size_t asked;
    struct lookup_flight *flights;
    size_t *flights_count; /* Of each registry, also those that nobody waits for any more. */
    uint64_t calls_made;   /* To Harbor. */
    int64_t patience_ms;   /* Tests have less. */
    uint64_t name;         /* Makes its request ids its own. */
    struct lookup_absent absent;
    bool one_shot;
    bool freeing;
};

/* ---- lookup.c ---- */

void lookup_queue_push(struct lookup_queue *queue, struct lookup_request *request);
struct lookup_request *lookup_queue_pop(struct lookup_queue *queue);

/* Answers and frees the request. lookup_end_without(): with nothing but a reason, which may be
 * NULL only with NOT_FOUND. */
void lookup_end(struct lookup_request *request, const struct berth_lookup_answer *answer);
void lookup_end_without(struct lookup_request *request, enum berth_lookup_outcome outcome,
                        const char *why, int64_t as_of_ms);
/* That the data set is being rebuilt, for people. */
extern const char lookup_rebuilding_why[];

/* ---- lookup_words.c ---- */

/* The words of a script's call, in lookup->args. BERTH_FAULT_MEMORY. */
BERTH_MUST_USE enum berth_rc lookup_words_page(struct berth_lookup *lookup,
                                               const struct lookup_request *request);
BERTH_MUST_USE enum berth_rc lookup_words_space(struct berth_lookup *lookup, uint32_t registry,
                                                const char *space);

/* What Redis said of a space before Harbor was asked. */
struct lookup_mark {
    char epoch[LOOKUP_EPOCH_BYTES];
    char token[BERTH_REDIS_NUMBER_BYTES + 1]; /* Empty: none. */
    bool untouched;                           /* Nothing is known, and no command holds the lane. */
};

BERTH_MUST_USE enum berth_rc lookup_words_fill(struct berth_lookup *lookup, uint32_t registry,
                                               const char *space, const struct lookup_mark *mark,
                                               const struct berth_space_state *state);

/* ---- lookup_reply.c ---- */

enum lookup_reply_kind {
    LOOKUP_REPLY_REBUILDING,
    LOOKUP_REPLY_PAGE,
    LOOKUP_REPLY_SPACE,
    LOOKUP_REPLY_FILLED,
    LOOKUP_REPLY_TROUBLE, /* Redis refused, or it can't be understood: see why. */
};

struct lookup_reply {
    enum lookup_reply_kind kind;
    /* PAGE: owned. */
    struct berth_lookup_space *spaces;
    size_t spaces_count;
    bool more;
    /* SPACE: its bindings are owned. UNKNOWN: Redis knows nothing that can be relied on. */
    struct berth_space_state state;
    struct lookup_mark mark;
    char why[LOOKUP_WHY_BYTES];
};

/* Reads a reply of one of the scripts. Ended with lookup_reply_deinit(). */
void lookup_reply_read(const struct redisReply *reply, struct lookup_reply *ret_reply);
void lookup_reply_deinit(struct lookup_reply *reply);

/* ---- lookup_flight.c ---- */

/* Joins the reading of the request's space that is under way, or starts one; the request is
 * answered in its end, or at once when none can be started. mark: what Redis said. */
void lookup_flight_join(struct lookup_request *request, const struct lookup_mark *mark);

/* Starts the next call or ends flights; for berth_harbor_client_config. */
void lookup_flight_answered(void *ctx, uint64_t call_id, const struct berth_harbor_call *call,
                            const struct berth_harbor_answer *answer);

/* Frees all flights with whoever waits for them, unanswered. */
void lookup_flights_free(struct berth_lookup *lookup);

#endif
