/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker's production ledger (io/ledger.h, with its data set and its rebuild) on a connection
 * that the world plays: src/io/ledger*.c as it is, with a client and timers of our own put under it
 * by the linker (--wrap; berth_sim_redis in CMakeLists.txt does it).
 *
 *   berth_ledger_submit() ──> on_request ──(the world lets time pass)──> sim_request_run()
 *        on_answer <── sim_request_answer() <──(the world lets time pass)───┘
 *
 * Requests of one connection must be run in their order and answered in their order (asserted); any
 * may stay unrun, or unanswered, when the connection ends. A request may run more than once and
 * long after its connection has ended, as a frozen Redis works off what is in its buffers.
 * Nothing is called back from within berth_ledger_submit() but on_request.
 */
#ifndef BERTH_SIM_REDIS_LINK_H
#define BERTH_SIM_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/io/ledger.h"
#include "sim_redis.h"

struct sim_link;
struct sim_request;

struct sim_link_config {
    const char *instance;    /* Copied. */
    const char *incarnation; /* A UUID; copied. */
    int64_t memory_ms;
    int64_t tombstone_ms;
    int64_t lease_ms; /* What a rebuild waits. */
    size_t pending_max;
    uint64_t seed; /* Ids of rebuilds are made from it. */

    /* A request leaves. It is the world's now: sim_request_free(), once it was answered. */
    void (*on_request)(void *ctx, struct sim_request *take_request);
    /* As in struct berth_ledger_config. */
    void (*on_answer)(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored);
    void (*on_state)(void *ctx, bool available, const char *why);
    /* sim_link_due_ms() has changed. NULL is fine for a world that asks after each step. */
    void (*on_timer)(void *ctx);

    /* What a rebuild reads of Kafka (src/daemon/rebuild.c); see below. */
    const struct sim_rebuild_kafka *kafka;
    void *ctx;
};

/* The world's Kafka as a rebuild sees it. */
struct sim_rebuild_kafka {
    /* Where each partition of the command topics ends now. Returns how many; the array is the
     * world's and stays until the next call. ret_committed: the group has a committed offset;
     * ret_written: the topic of space states has, or had, a record. False: can't be asked. */
    bool (*ends)(void *ctx, const struct berth_source **ret_ends, size_t *ret_count,
                 bool *ret_committed, bool *ret_written);
    /* The records of the topic of space states that a read_committed reader sees, in their order;
     * state: PRESENT with its version, or UNKNOWN for a tombstone. False: index is at the end. */
    bool (*state)(void *ctx, size_t index, const char **ret_registry, const char **ret_space,
                  const struct berth_space_state **ret_state);
};

/* Not connected yet: sim_link_connect(), when the world lets it. */
struct sim_link *sim_link_new(const struct sim_link_config *config);
/* The worker died or stopped: nothing is answered any more. NULL is fine; returns NULL. */
struct sim_link *sim_link_free(struct sim_link *link);

/* The worker's clocks, to be set before each call into the link or its ledger: the monotonic one is
 * what timers run by, the wall clock is what an epoch bears. */
void sim_link_set_time(struct sim_link *link, int64_t now_ms, int64_t wall_ms);

/* The connection is up (greeted); the ledger looks at the data set, and on_state follows. */
void sim_link_connect(struct sim_link *link);
/* It ended, for this reason; what is under way is answered as unavailable, in order. Once
 * connected, and only then. */
void sim_link_disconnect(struct sim_link *link, const char *why);
bool sim_link_connected(const struct sim_link *link);

/* The production's ledger: berth_ledger_submit(), berth_ledger_available(),
 * berth_ledger_allow_rebuild() (to be called once, as the daemon does when its topics are there).
 */
struct berth_ledger *sim_link_ledger(struct sim_link *link);

/* When sim_link_tick() wants to be called; -1: not at all. And the call, at or after that time. */
int64_t sim_link_due_ms(const struct sim_link *link);
void sim_link_tick(struct sim_link *link);

/* A rebuild of this worker's is under way. */
bool sim_link_rebuilding(const struct sim_link *link);

/* ---- Requests ---- */

/* "claim", "store", "look", ...: the script's name. */
const char *sim_request_name(const struct sim_request *request);
/* The bytes of its words, for delays that grow with them. */
size_t sim_request_bytes(const struct sim_request *request);

/* Redis gets it, and works it off. The reply is kept; that of the first run counts. */
void sim_request_run(struct sim_request *request, struct sim_redis *redis);
/* The reply reaches the worker: its callback runs. Nothing happens when the connection has ended
 * (or the link was freed). Must have been run (asserted). */
void sim_request_answer(struct sim_request *request);
bool sim_request_answered(const struct sim_request *request);
/* Only when it was answered (asserted), be it by the end of the connection or of the link, and not
 * from within a callback. NULL is fine. */
void sim_request_free(struct sim_request *request);

#endif
