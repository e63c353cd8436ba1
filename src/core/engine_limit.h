/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls a registry may have under way: AIMD with latency's gradient. */
#ifndef BERTH_CORE_ENGINE_LIMIT_H
#define BERTH_CORE_ENGINE_LIMIT_H

#include <stdint.h>

#include "berth/core/harbor_call.h"

/* How long calls of one kind take. */
struct latency {
    int64_t smooth_us; /* Moving average; 0: none seen. */
    int64_t floor_us;  /* The least of it in the last one to two periods, ... */
    int64_t recent_us; /* ... and in this one. */
};

struct limit {
    uint32_t calls_max;  /* As configured. */
    uint32_t calls;      /* Now: 1 to calls_max. */
    uint32_t fast_below; /* Until here every good answer raises it. */
    int64_t round_began_ms;
    uint32_t round_answers; /* To calls that were asked in this round, ... */
    uint32_t round_bad;     /* ... and how many of them say that it is too much. */
    int64_t period_began_ms;
    struct latency latencies[BERTH_HARBOR_CALL_KINDS];
};

enum limit_sign {
    LIMIT_ANSWERED, /* By somebody who is there: how long it took counts. */
    LIMIT_FAILED,   /* The same with an error: how long it took says nothing. */
    LIMIT_OVERLOADED,
    LIMIT_REFUSED, /* 429. */
};
void limit_init(struct limit *limit, uint32_t calls_max, int64_t now_ms);
void limit_answered(struct limit *limit, enum berth_harbor_call_kind kind, enum limit_sign sign,
                    int64_t asked_ms, int64_t now_ms);
/* After a pause: one call first, then quickly more. */
void limit_start_low(struct limit *limit, int64_t now_ms);

#endif
