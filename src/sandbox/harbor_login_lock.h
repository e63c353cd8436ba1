/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login lock: after a failed login its user name is locked for a while, for everybody: the right
 * password fails too. Source: src/core/auth/{authenticator,lock}.go. Pure: time is handed in.
 */
#ifndef BERTH_SANDBOX_HARBOR_LOGIN_LOCK_H
#define BERTH_SANDBOX_HARBOR_LOGIN_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names locked at once; the oldest lock makes room. */
#define BERTH_SANDBOX_LOCKS_MAX       64
#define BERTH_SANDBOX_LOCK_NAME_BYTES 256
/* Harbor's. */
#define BERTH_SANDBOX_LOGIN_LOCK_MS 1500

struct berth_sandbox_login_lock {
    int64_t ms;
    struct {
        char name[BERTH_SANDBOX_LOCK_NAME_BYTES]; /* Cut, when it is longer. */
        int64_t until_ms;
    } locks[BERTH_SANDBOX_LOCKS_MAX];
    size_t next;
};

bool berth_sandbox_login_locked(const struct berth_sandbox_login_lock *lock, const char *name,
                                int64_t now_ms);

void berth_sandbox_login_failed(struct berth_sandbox_login_lock *lock, const char *name,
                                int64_t now_ms);

#endif
