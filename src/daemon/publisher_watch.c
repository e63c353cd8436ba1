/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher_watch.h"

void publisher_watch_tick(struct publisher_watch *watch, bool busy, uint64_t steps) {
    watch->ticks = busy && steps == watch->steps ? watch->ticks + 1 : 0;
    watch->steps = steps;
}

bool publisher_watch_stuck(const struct publisher_watch *watch) {
    return watch->ticks >= PUBLISHER_WATCH_STUCK_TICKS;
}
