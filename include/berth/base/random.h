/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small seeded generator (xoshiro256**, seeded by splitmix64; Blackman and Vigna, public domain
 * algorithms) for back-off and jitter. Same seed, same numbers: the simulator relies on it.
 * Never for secrets or ids.
 */
#ifndef BERTH_BASE_RANDOM_H
#define BERTH_BASE_RANDOM_H

#include <stdint.h>

struct berth_random {
    uint64_t state[4];
};

void berth_random_init(struct berth_random *random, uint64_t seed);

uint64_t berth_random_next(struct berth_random *random);

/* Uniform in [0, bound); bound > 0 (asserted). */
int64_t berth_random_below(struct berth_random *random, int64_t bound);

#endif
