/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "berth/base/assert.h"

/* In rising order: open(2) takes the lowest descriptor that is free. */
void berth_standard_streams_secure(void) {
    static const int modes[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            BERTH_ASSERT(open("/dev/null", modes[fd]) == fd); /* Not O_CLOEXEC: children, too. */
        }
    }
}
