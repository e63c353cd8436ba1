/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A redis-server of the test's own: one that may be stopped, frozen and set up in odd ways. On a
 * free port of loopback, below BERTH_TEST_DIR; it dies with the test.
 */
#ifndef BERTH_TEST_OWN_REDIS_H
#define BERTH_TEST_OWN_REDIS_H

#include <stdint.h>
#include <sys/types.h>

struct own_redis {
    pid_t pid; /* 0: not running. */
    uint16_t port;
    char folder[256];
};

/* Chooses port and folder; nothing runs yet. */
void own_redis_init(struct own_redis *redis);

/* Starts it with these options on top (NULL at the end; NULL: none), and waits until it answers.
 * One that is empty gets the signs of a data set. */
void own_redis_start(struct own_redis *redis, const char *const *options);

/* Ends it as an operator would; its data stays. Fine when it isn't running. */
void own_redis_stop(struct own_redis *redis);

void own_redis_freeze(struct own_redis *redis);
void own_redis_thaw(struct own_redis *redis);

#endif
