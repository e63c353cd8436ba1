/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls a registry may have under way: AIMD, as TCP's congestion control has it (additive
 * increase, multiplicative decrease), with latency's gradient as its early sign.
 *
 * A registry that is asked too much answers late, not at all, or 429. Asked less, it answers again;
 * asked more than it can do, it does less, not more, and whoever waits in its queue is a request
 * whose time runs out. The engine must hold calls back itself: in a queue below, waiting would look
 * like latency.
 *
 * It goes in rounds of as many answers as the limit. Only calls that were asked in a round count
 * for it: so one moment of trouble lowers the limit once, not once for each call that it met. A
 * round is bad when half of its answers are, so that a few spaces that hang don't slow down the
 * others. Latency is compared for each kind of call with the least that its moving average had of
 * late: one kind is slower than another, and single answers scatter. A registry whose latency is
 * always the same stays at its configured limit.
 */
#include "engine_limit.h"

#include <stdbool.h>
#include <stddef.h>

#include "berth/base/assert.h"

/* Late is more than so many times the floor, and so much: below that it may be the machine. */
#define SLOW_TIMES 3
#define SLOW_US    50000
/* One late answer is chance; one that is quick again shows what can be done. */
#define SMOOTHING_UP   8
#define SMOOTHING_DOWN 2
/* How long a floor is believed: a registry that has become slower for good is not asked less for
 * ever. */
#define PERIOD_MS 60000

static void begin_round(struct limit *limit, int64_t now_ms);
static void lower(struct limit *limit, uint32_t tenths, int64_t now_ms);
static bool is_slow(struct limit *limit, enum berth_harbor_call_kind kind, int64_t took_ms,
                    int64_t now_ms);

void limit_init(struct limit *limit, uint32_t calls_max, int64_t now_ms) {
    BERTH_ASSERT(calls_max > 0);
    *limit = (struct limit){.calls_max = calls_max, .calls = calls_max, .period_began_ms = now_ms};
}

void limit_start_low(struct limit *limit, int64_t now_ms) {
    limit->fast_below = limit->calls > limit->fast_below ? limit->calls : limit->fast_below;
    limit->calls = 1;
    begin_round(limit, now_ms);
}

void limit_answered(struct limit *limit, enum berth_harbor_call_kind kind, enum limit_sign sign,
                    int64_t asked_ms, int64_t now_ms) {
    bool slow = sign == LIMIT_ANSWERED && is_slow(limit, kind, now_ms - asked_ms, now_ms);
    if (asked_ms < limit->round_began_ms) {
        return;
    }
    if (sign == LIMIT_REFUSED) {
        lower(limit, 5, now_ms);
        return;
    }
    bool bad = slow || sign == LIMIT_OVERLOADED;
    limit->round_answers++;
    limit->round_bad += bad;
    if (!bad && limit->calls < limit->fast_below && limit->calls < limit->calls_max) {
        limit->calls++;
    }
    if (limit->round_answers < limit->calls) {
        return;
    }
    if (2 * limit->round_bad >= limit->round_answers) {
        lower(limit, 7, now_ms);
        return;
    }
    if (limit->calls < limit->calls_max) {
        limit->calls++;
    }
    begin_round(limit, now_ms);
}

static void begin_round(struct limit *limit, int64_t now_ms) {
    limit->round_began_ms = now_ms;
    limit->round_answers = 0;
    limit->round_bad = 0;
}

static void lower(struct limit *limit, uint32_t tenths, int64_t now_ms) {
    uint32_t calls = limit->calls * tenths / 10;
    limit->calls = calls > 0 ? calls : 1;
    limit->fast_below = limit->calls;
    begin_round(limit, now_ms);
}

static bool is_slow(struct limit *limit, enum berth_harbor_call_kind kind, int64_t took_ms,
                    int64_t now_ms) {
    if (now_ms - limit->period_began_ms >= PERIOD_MS) {
        limit->period_began_ms = now_ms;
        for (size_t i = 0; i < BERTH_HARBOR_CALL_KINDS; i++) {
            struct latency *latency = &limit->latencies[i];
            latency->floor_us = latency->recent_us;
            latency->recent_us = latency->smooth_us;
        }
    }
    struct latency *latency = &limit->latencies[kind];
    int64_t took_us = took_ms * 1000 + 1;
    if (latency->smooth_us == 0) {
        *latency = (struct latency){took_us, took_us, took_us};
    }
    int64_t off_us = took_us - latency->smooth_us;
    latency->smooth_us += off_us / (off_us > 0 ? SMOOTHING_UP : SMOOTHING_DOWN);
    if (latency->smooth_us < latency->recent_us) {
        latency->recent_us = latency->smooth_us;
    }
    if (latency->recent_us < latency->floor_us) {
        latency->floor_us = latency->recent_us;
    }
    return latency->smooth_us > SLOW_TIMES * latency->floor_us + SLOW_US;
}
