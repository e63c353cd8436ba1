/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's Redis beside a real one: whatever the ledgers of some workers ask is run on both,
 * and each reply must be the same.
 *
 * Both take the time from the test: for the real one, TIME is replaced in the text of a script.
 */
#ifndef BERTH_TEST_LEDGER_DUEL_H
#define BERTH_TEST_LEDGER_DUEL_H

#include <hiredis/hiredis.h>

#include "berth/base/random.h"
#include "berth/io/redis_args.h"
#include "ledger_world.h"
#include "sim_redis.h"
#include "sim_redis_link.h"

#define WORKERS     2
#define COMMANDS    12
#define SPACES      4
#define KEPT_COPIES 24
#define STATES_MAX  512
#define WAITING_MAX 64
#define NAME_BYTES  64

/* What a worker knows of one command. */
struct known {
    int64_t token;
    struct berth_lane_mark mark; /* As its last claim met it. */
};

struct duel;

struct fighter {
    struct duel *duel;
    struct sim_link *link;
    struct known known[COMMANDS];
    struct sim_request *waiting[WAITING_MAX]; /* Run, and not answered yet; oldest first. */
    size_t waiting_count;
};

/* One key of a real Redis, as DUMP tells it. */
struct dumped {
    char *key;
    redisReply *payload;
    long long life_ms;
};

struct duel {
    struct world *world;
    struct sim_redis *sim;
    struct berth_random random;
    int64_t now_us;
    struct fighter fighters[WORKERS];
    struct sim_request *copies[KEPT_COPIES]; /* May be run once more. */
    struct berth_redis_args args;
    size_t runs;
    size_t taken;
    size_t stored;
    size_t opened;
    size_t lost;
    /* The topic of space states. */
    struct {
        char space[NAME_BYTES];
        struct berth_space_state state;
        struct berth_binding bindings[3];
    } states[STATES_MAX];
    size_t states_count;
    /* An older copy of each. */
    struct sim_redis_copy *sim_copy;
    struct dumped dumped[256];
    size_t dumped_count;
};

/* Two Redis without keys and two workers that may rebuild them. */
void duel_init(struct duel *duel, struct world *world, uint64_t seed);
void duel_deinit(struct duel *duel);

int64_t below(struct duel *duel, int64_t bound);
bool one_in(struct duel *duel, int64_t count);

/* Time passes, for all. */
void advance(struct duel *duel, int64_t us);

/* What was asked is answered; its request may be run again later. */
void answer_all(struct fighter *fighter);

/* A lost connection, a flush, a copy, a fail-over to it: mostly the first. */
void trouble(struct duel *duel, struct fighter *fighter);

/* A request that was run before is run once more. */
void run_a_late_copy(struct duel *duel);

#endif
