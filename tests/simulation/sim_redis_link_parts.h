/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a simulated worker's ledger share.
 *
 *   sim_redis_link.c     the connection and the timers that the ledger believes to have
 *   sim_redis_rebuild.c  what the daemon does when the ledger says that a rebuild has begun
 */
#ifndef BERTH_SIM_REDIS_LINK_PARTS_H
#define BERTH_SIM_REDIS_LINK_PARTS_H

#include "berth/base/random.h"
#include "sim_redis_link.h"

struct event;
struct berth_redis_client;

/* As in src/daemon/rebuild.c; measuring takes no time. */
enum sim_rebuild_phase {
    SIM_REBUILD_IDLE,
    SIM_REBUILD_CHILLING,
    SIM_REBUILD_WAITING,
    SIM_REBUILD_PUTTING,
    SIM_REBUILD_OPENING,
};

struct sim_rebuild {
    enum sim_rebuild_phase phase;
    int64_t begun_ms;
    int64_t due_ms; /* WAITING: until then. */
    bool wait;
    struct berth_source *beginnings;
    size_t beginnings_count;
    size_t next; /* State to be put. */
    size_t outstanding;
};

struct sim_link {
    struct sim_link_config config;
    struct berth_ledger *ledger;
    struct berth_redis_client *client;
    struct event *timer;
    struct berth_random random;
    int64_t now_ms;
    int64_t wall_ms;
    bool connected;
    bool freeing;
    struct sim_request *pending; /* Oldest first. */
    size_t pending_count;
    size_t pending_bytes;
    uint64_t sent; /* Requests of this connection, and those of them that were run. */
    uint64_t ran;
    struct sim_rebuild rebuild;
};

void sim_link_timer_changed(struct sim_link *link);

/* on_rebuild of the ledger; ctx is the link. */
void sim_rebuild_event(void *ctx, enum berth_rebuild_event event);
/* The data set is whole. */
void sim_rebuild_available(struct sim_link *link);
int64_t sim_rebuild_due_ms(const struct sim_link *link);
void sim_rebuild_tick(struct sim_link *link);
void sim_rebuild_deinit(struct sim_link *link);

#endif
