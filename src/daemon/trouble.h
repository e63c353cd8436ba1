/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Kafka's clients met last: what is to be logged of it, and what /readyz says. A broker that
 * is away or refuses the login is met again every second, by two clients and in two or three
 * wordings; each wording is told once in a while.
 */
#ifndef BERTH_DAEMON_TROUBLE_H
#define BERTH_DAEMON_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

/* Several brokers have a text each. */
#define TROUBLE_TEXTS 8
/* The same text isn't told again before. */
#define TROUBLE_AGAIN_MS 600000
/* A trouble that wasn't met again for so long is over: clients try again each second. */
#define TROUBLE_OVER_MS 15000

/* Zeroed: none. */
struct trouble {
    struct {
        char text[BERTH_ERROR_BYTES_MAX];
        int64_t told_ms;
    } told[TROUBLE_TEXTS];
    size_t newest; /* Index of the last that was met. */
    int64_t met_ms;
};

/* A text was met. Whether it is to be told. */
bool trouble_met(struct trouble *trouble, const char *text, int64_t now_ms);
/* What was met last; NULL: nothing of late. */
const char *trouble_now(const struct trouble *trouble, int64_t now_ms);
/* Kafka answers: what comes from now on is told again. */
void trouble_over(struct trouble *trouble);

#endif
