/* SPDX-License-Identifier: Apache-2.0 */
/* A timer of the engine: a deadline that knows what it is for. */
#ifndef BERTH_CORE_ENGINE_TIMER_H
#define BERTH_CORE_ENGINE_TIMER_H

#include "berth/base/deadlines.h"

enum timer_kind {
    TIMER_ITEM,
    TIMER_PARTITION, /* The bound of a revocation. */
    TIMER_RENEW,
    TIMER_PUBLISH, /* The pause after an abort. */
    TIMER_SETTLE,  /* The pause after the ledger didn't take a base. */
    TIMER_PROBE,   /* A registry's: time for the next probe. */
    TIMER_REST,    /* A registry's: the end of what Retry-After asked for. */
};

struct timer {
    struct berth_deadline deadline; /* First, so that a deadline is its timer. */
    enum timer_kind kind;
    void *owner;
};

#endif
