/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_login_lock.h"

#include <stdio.h>
#include <string.h>

bool berth_sandbox_login_locked(const struct berth_sandbox_login_lock *lock, const char *name,
                                int64_t now_ms) {
    for (size_t i = 0; i < BERTH_SANDBOX_LOCKS_MAX; i++) {
        if (now_ms < lock->locks[i].until_ms &&
            strncmp(lock->locks[i].name, name, BERTH_SANDBOX_LOCK_NAME_BYTES - 1) == 0) {
            return true;
        }
    }
    return false;
}

void berth_sandbox_login_failed(struct berth_sandbox_login_lock *lock, const char *name,
                                int64_t now_ms) {
    size_t place = lock->next;
    lock->next = (lock->next + 1) % BERTH_SANDBOX_LOCKS_MAX;
    (void)snprintf(lock->locks[place].name, sizeof(lock->locks[place].name), "%s", name);
    lock->locks[place].until_ms = now_ms + lock->ms;
}
