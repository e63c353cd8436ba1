/* SPDX-License-Identifier: Apache-2.0 */
#include "instance_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum berth_rc berth_instance_lock(const char *state_dir, const char *instance, int *ret_fd,
                                  struct berth_error *reterr) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s.lock", state_dir, instance);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        berth_error_set(reterr, "state_dir '%.100s...' is too long for a file name", state_dir);
        return BERTH_FAULT_SYSTEM;
    }
    if (mkdir(state_dir, 0750) != 0 && errno != EEXIST) {
        berth_error_set(reterr,
                        "can't make the folder state_dir = %s: %s; make it, or name one that "
                        "berthd may write to",
                        state_dir, strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        berth_error_set(reterr, "can't open the lock file %s: %s", path, strerror(errno));
        return BERTH_FAULT_SYSTEM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        (void)close(fd);
        if (why == EWOULDBLOCK) {
            berth_error_set(reterr,
                            "another berthd runs as instance '%s' (it holds %s); stop it, or give "
                            "this one an instance of its own",
                            instance, path);
            return BERTH_BUSY;
        }
        berth_error_set(reterr, "can't lock %s: %s", path, strerror(why));
        return BERTH_FAULT_SYSTEM;
    }
    *ret_fd = fd;
    return BERTH_OK;
}
