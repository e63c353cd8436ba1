/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch over the publisher's thread, which the loop keeps because calls of librdkafka were seen
 * that came back after minutes, or not at all (one of them ignores its time-out while the group's
 * coordinator is away).
 *
 * It counts its own ticks, one a second, in which the thread took no step although it has a batch:
 * while Kafka is away the thread tries again every second and so takes steps, and while the whole
 * process is frozen nobody ticks.
 */
#ifndef BERTH_DAEMON_PUBLISHER_WATCH_H
#define BERTH_DAEMON_PUBLISHER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define PUBLISHER_WATCH_TICK_MS 1000
/* One call in so many ticks: it won't come back; the process has to end, and a restart goes on. */
#define PUBLISHER_WATCH_STUCK_TICKS 300
/* A transaction is under way for so long: worth a word, and the worker isn't ready. */
#define PUBLISHER_WATCH_SLOW_MS 10000

struct publisher_watch {
    uint64_t steps;
    uint32_t ticks;
};

/* steps: berth_publisher_steps(). */
void publisher_watch_tick(struct publisher_watch *watch, bool busy, uint64_t steps);
bool publisher_watch_stuck(const struct publisher_watch *watch);

#endif
