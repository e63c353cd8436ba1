/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups: which spaces there are and who is bound to them, as Redis has it (design 6).
 *
 * A page of a list, or one space. A list names what berth knows; a single space that Redis doesn't
 * know is read from Harbor, once for all who ask at the same time, and filled in only if no command
 * has taken a token meanwhile. That Harbor has none is remembered here for seconds.
 *
 * Lists are in the byte order of "registry/space" and are read page by page, each page in one step:
 * a space is on it whole, as it was at one moment, or not at all. Pages follow by name, so what
 * comes and goes between two of them shifts nothing.
 *
 * While the data set in Redis is being rebuilt (design 4.9) nothing is answered but that: a list
 * that is only part of one would be taken for the whole.
 *
 * It has a connection to Redis and connections to Harbor of its own, so that no lookup waits behind
 * commands or holds one up. Loop thread only. Everything is bounded.
 */
#ifndef BERTH_IO_LOOKUP_H
#define BERTH_IO_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"
#include "berth/core/limits.h"
#include "berth/core/space.h"
#include "berth/io/config.h"

struct berth_lookup;
struct event_base;

#define BERTH_LOOKUP_PAGE_DEFAULT 100
#define BERTH_LOOKUP_PAGE_MAX     1000
/* A page ends early when its spaces have so many bindings in all: what is held for it, and the time
 * that Redis takes for it, stay bounded. A space is never cut. */
#define BERTH_LOOKUP_PAGE_BINDINGS_MAX 10000
/* "registry/space": where a page begins, exclusively. */
#define BERTH_LOOKUP_CURSOR_BYTES (BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES)
/* Lookups that are asked and not answered. */
#define BERTH_LOOKUP_PENDING_MAX 1024

struct berth_lookup_config {
    struct event_base *base;
    /* Redis, the registries and the deployment, loaded FOR_DAEMON or FOR_LOOKUPS. Borrowed. */
    const struct berth_config *config;
    uint64_t seed;   /* For the jitter of reconnects and logins. */
    bool redis_only; /* A space that only Harbor could tell of is HARBOR_UNAVAILABLE. */
    bool one_shot;   /* For a few lookups and no more: a session at Harbor isn't worth its while. */
};

/*
 * Starts to connect; asks nothing yet. BERTH_INVALID: a registry's url or username can't be used.
 * Faults: MEMORY, LIBRARY. Freed with berth_lookup_free(), before the event base.
 */
BERTH_MUST_USE enum berth_rc berth_lookup_new(const struct berth_lookup_config *config,
                                              struct berth_lookup **ret_lookup,
                                              struct berth_error *reterr);

/*
 * The configuration's registries have changed in place: Harbor is asked by them from now on.
 * BERTH_INVALID: a url or a username can't be used, and those registries stay as they were. Faults:
 * MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_lookup_reload(struct berth_lookup *lookup,
                                                 struct berth_error *reterr);

/* Whoever asked and wasn't answered isn't any more. Not from within a callback. NULL is fine;
 * returns NULL. */
struct berth_lookup *berth_lookup_free(struct berth_lookup *lookup);

struct berth_lookup_space {
    char registry[BERTH_REGISTRY_BYTES];
    char space[BERTH_SPACE_BYTES];
    /* PRESENT. verified_at_ms 0: not compared with Harbor since it was last doubted. Read from
     * Harbor for this answer: no version (0) unless Redis had one, and the key ids that Redis
     * remembers for the same robots. */
    struct berth_space_state state;
};

enum berth_lookup_outcome {
    BERTH_LOOKUP_FOUND,     /* Also a list with nothing in it. */
    BERTH_LOOKUP_NOT_FOUND, /* One space: Redis knows, or Harbor says, that there is none. */
    BERTH_LOOKUP_REBUILDING,
    BERTH_LOOKUP_REDIS_UNAVAILABLE,
    BERTH_LOOKUP_HARBOR_UNAVAILABLE, /* One space that only Harbor could tell of. */
    BERTH_LOOKUP_OVERLOADED,         /* BERTH_LOOKUP_PENDING_MAX are being asked already. */
};

/* Valid for the callback only. */
struct berth_lookup_answer {
    enum berth_lookup_outcome outcome;
    const char *why;  /* One line, when it is neither FOUND nor NOT_FOUND. */
    int64_t as_of_ms; /* Wall clock: when Redis, or Harbor, was asked for what is told here. */
    const struct berth_lookup_space *spaces;
    size_t spaces_count;
    bool more; /* A list: the next page begins after the last of these. */
};

/* Called once for each lookup, from the loop, never within the call that asked. */
typedef void berth_lookup_fn(void *ctx, const struct berth_lookup_answer *answer);

/* Which spaces. Without a workspace: those of the registry, or with `public` its public ones. With
 * one: those bound to it, and with `public` all public ones besides: what its members may pull. */
struct berth_lookup_query {
    const char *registry;  /* NULL: all that are configured; only with a workspace (asserted). */
    const char *workspace; /* NULL: whoever is bound. */
    bool public;
    const char *after; /* A cursor; NULL or empty: from the beginning. */
    size_t limit;      /* 1 to BERTH_LOOKUP_PAGE_MAX (asserted). */
};

/* Asks for a page; the query is borrowed for the call. A registry that isn't configured has no
 * spaces. BERTH_FAULT_MEMORY: fn is not called. */
BERTH_MUST_USE enum berth_rc berth_lookup_list(struct berth_lookup *lookup,
                                               const struct berth_lookup_query *query,
                                               berth_lookup_fn *fn, void *ctx);

/* Asks for one space of a configured registry (asserted). The name is a legal one, see
 * core/command_rules.h (asserted). BERTH_FAULT_MEMORY: fn is not called. */
BERTH_MUST_USE enum berth_rc berth_lookup_one(struct berth_lookup *lookup, const char *registry,
                                              const char *space, berth_lookup_fn *fn, void *ctx);

/*
 * Somebody met something else in Harbor than Redis says of the space: its next command reads Harbor
 * first. The same conditions; FOUND, without a space, when it is so, also when Redis knew nothing.
 * It is the one thing here that needs the right to write.
 */
BERTH_MUST_USE enum berth_rc berth_lookup_doubt(struct berth_lookup *lookup, const char *registry,
                                                const char *space, berth_lookup_fn *fn, void *ctx);

#endif
