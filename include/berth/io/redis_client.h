/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis client: one connection to one Redis, kept up, on the loop's thread.
 *
 * It connects by itself, greets (login, database, checks, scripts), says when it is ready, notices
 * silence, and connects again with back-off. While it isn't ready it takes no commands: whoever
 * asks is told at once, and told again through on_state when it can go on.
 *
 * A command that was taken is answered exactly once: with Redis' reply, or with none (NULL) when
 * the connection ended first; then it may have run or not, or may even run later. Commands of one
 * connection run in the order in which they were given; those of an ended connection can run beside
 * those of the next one, so each must bear to be repeated.
 */
#ifndef BERTH_IO_REDIS_CLIENT_H
#define BERTH_IO_REDIS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

struct berth_redis_args;
struct berth_redis_client;
struct event_base; /* libevent's. */
struct redisReply; /* hiredis'. */

#define BERTH_REDIS_SCRIPTS_MAX 16

/* A Lua script, loaded at every connect and called by its index. Borrowed for ever. */
struct berth_redis_script {
    const char *name;
    const char *source;
};

/* What an operator should mend in a Redis; each is said once, until it has been well again. */
enum berth_redis_flaw {
    BERTH_REDIS_FLAW_EVICTION,    /* It may throw keys away when its memory is full. */
    BERTH_REDIS_FLAW_PERSISTENCE, /* A restart loses its data, or may: it doesn't say. */
};
#define BERTH_REDIS_FLAWS 2

/* Which Redis, and how it is reached and logged in to. Strings are borrowed; NULL: not given. */
struct berth_redis_server {
    const char *address;    /* "NAME:PORT", "[IPV6]:PORT", or the "/PATH" of a Unix socket. */
    const char *nameserver; /* "ADDRESS[:PORT]" to ask for the name; NULL: those of resolv.conf. */
    const char *username;
    const char *password; /* NULL or empty: no login. */
    int64_t database;
    int64_t timeout_ms; /* No reply at all for so long while something is asked: it is gone. */

    bool tls;                     /* The rest is for that. Its files are read at every connect. */
    const char *ca_file;          /* NULL: whom the system trusts. */
    const char *client_cert_file; /* What we show of ourselves, ... */
    const char *client_key_file;  /* ... and its key; NULL: in the same file. */
    const char *server_name;      /* Whose certificate it must be; NULL: the address' name. */
};

struct berth_redis_client_config {
    struct event_base *base;
    struct berth_redis_server server; /* Its strings are copied. */

    const struct berth_redis_script *scripts;
    size_t scripts_count; /* At most BERTH_REDIS_SCRIPTS_MAX. */

    size_t pending_max;       /* Commands that are asked and not answered. */
    size_t pending_bytes_max; /* Their bytes. One larger than this is never taken. */
    uint64_t seed;            /* For the jitter. */

    /*
     * Ready, or not (any more), and why not: one line. Once for each change, and again when the
     * reason changes while it stays away. Every command under way has been answered before "not".
     */
    void (*on_state)(void *ctx, bool ready, const char *why);
    /* It has a flaw: one line. Before on_state says that it is ready. */
    void (*on_warning)(void *ctx, enum berth_redis_flaw flaw, const char *text);
    void *ctx;
};

/*
 * Starts to connect: nothing is called back before the loop runs.
 * BERTH_FAULT_MEMORY; BERTH_FAULT_LIBRARY: libevent has no timer left.
 * The caller frees it before the event base.
 */
BERTH_MUST_USE enum berth_rc berth_redis_client_new(const struct berth_redis_client_config *config,
                                                    struct berth_redis_client **ret_client,
                                                    struct berth_error *reterr);

/* Answers what is under way with "no reply" and closes; on_state isn't called. Never from within a
 * callback. NULL is fine; returns NULL. */
struct berth_redis_client *berth_redis_client_free(struct berth_redis_client *client);

/* reply: borrowed for the call; NULL: none came. It may ask again from within. */
typedef void (*berth_redis_reply_fn)(void *ctx, const struct redisReply *reply);

/*
 * Asks one command; its words are borrowed for the call.
 * BERTH_BUSY: not ready, or as much is under way as may be. Nothing was sent.
 * BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_redis_client_ask(struct berth_redis_client *client,
                                                    const struct berth_redis_args *args,
                                                    berth_redis_reply_fn fn, void *ctx);

/* The words that begin the call of a script. */
#define BERTH_REDIS_SCRIPT_WORDS 3

/* Adds those words to a command that has just begun. Of the words that are added after them,
 * keys_count are KEYS and the rest is ARGV. */
void berth_redis_client_script_words(struct berth_redis_args *args, size_t keys_count);

/*
 * The same as berth_redis_client_ask() for a script, by its index. When Redis has forgotten the
 * script (SCRIPT FLUSH), it is loaded and called once more.
 */
BERTH_MUST_USE enum berth_rc berth_redis_client_run(struct berth_redis_client *client,
                                                    size_t script, struct berth_redis_args *args,
                                                    berth_redis_reply_fn fn, void *ctx);

#endif
