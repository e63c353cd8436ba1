/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/random.h"

#include "berth/base/assert.h"

static uint64_t rotate_left(uint64_t value, int bits) {
    return (value << bits) | (value >> (64 - bits));
}

/* splitmix64: spreads a seed of few bits over the whole state. */
static uint64_t spread(uint64_t *seed) {
    *seed += 0x9E3779B97F4A7C15u;
    uint64_t mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

void berth_random_init(struct berth_random *random, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        random->state[i] = spread(&seed);
    }
}

uint64_t berth_random_next(struct berth_random *random) {
    uint64_t *state = random->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

int64_t berth_random_below(struct berth_random *random, int64_t bound) {
    BERTH_ASSERT(bound > 0);
    /* Numbers at the top that would favour small remainders are drawn again. */
    uint64_t range = (uint64_t)bound;
    uint64_t limit = UINT64_MAX - UINT64_MAX % range;
    uint64_t drawn = berth_random_next(random);
    while (drawn >= limit) {
        drawn = berth_random_next(random);
    }
    return (int64_t)(drawn % range);
}
