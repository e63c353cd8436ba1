/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/base/log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "log_parts.h"

enum writer_state {
    WRITER_OFF,     /* Whoever logs writes. */
    WRITER_RUNNING, /* The thread writes. */
    WRITER_ENDING,  /* It writes what is queued, then ends. */
    WRITER_ENDED,   /* It is to be joined. */
    WRITER_STUCK,   /* It was left behind in a write: nothing is written any more. */
};

/* Whole lines in a ring of bytes. All of it is guarded by the lock. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* Lines came, or the state moved. */
    pthread_t thread;
    enum writer_state state;
    size_t first;     /* Where the oldest byte is. */
    size_t used;      /* How many are queued. */
    uint64_t untold;  /* Lines that are missing, since the last line that said how many. */
    uint64_t dropped; /* Lines that are missing, since the start. */
    bool try_to_tell; /* Nothing failed since the last line that was dropped. */
    char bytes[BERTH_LOG_QUEUE_BYTES];
} writer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* For the last lines of the log, which tell what led to a broken assertion, to be written. */
#define LAST_WORDS_MS 1000

static void last_words(const char *text);
static void *run(void *unused);
static bool work_left(void);
static size_t next_line(char line[BERTH_LOG_LINE_BYTES_MAX], uint64_t *ret_told);
static size_t take_line(char line[BERTH_LOG_LINE_BYTES_MAX]);
static void queue_line(const char *line, size_t len);
static void count_missing(bool try_to_tell);
static bool write_line(const char *line, size_t len);

enum berth_rc berth_log_writer_start(struct berth_error *reterr) {
    BERTH_ASSERT(writer.state == WRITER_OFF);
    berth_assert_say_with(last_words);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* Signals are the loop's. */
    writer.state = WRITER_RUNNING;
    writer.untold = 0;
    int failed = pthread_create(&writer.thread, NULL, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        writer.state = WRITER_OFF;
        berth_error_set(reterr, "pthread_create: %s", strerror(failed));
        return BERTH_FAULT_SYSTEM;
    }
    return BERTH_OK;
}

void berth_log_writer_stop(int64_t timeout_ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;

    (void)pthread_mutex_lock(&writer.lock);
    if (writer.state != WRITER_RUNNING) {
        (void)pthread_mutex_unlock(&writer.lock);
        return;
    }
    writer.state = WRITER_ENDING;
    (void)pthread_cond_broadcast(&writer.changed);
    int waited = 0;
    while (writer.state != WRITER_ENDED && waited == 0) {
        waited = pthread_cond_clockwait(&writer.changed, &writer.lock, CLOCK_MONOTONIC, &until);
    }
    bool ended = writer.state == WRITER_ENDED;
    writer.state = ended ? WRITER_OFF : WRITER_STUCK;
    (void)pthread_mutex_unlock(&writer.lock);
    if (ended) {
        (void)pthread_join(writer.thread, NULL);
    } else {
        (void)pthread_detach(writer.thread);
    }
}

uint64_t berth_log_lines_dropped(void) {
    (void)pthread_mutex_lock(&writer.lock);
    uint64_t dropped = writer.dropped;
    (void)pthread_mutex_unlock(&writer.lock);
    return dropped;
}

void berth_log_write(const char *line, size_t len) {
    (void)pthread_mutex_lock(&writer.lock);
    bool off = writer.state == WRITER_OFF;
    if (!off) {
        queue_line(line, len);
    }
    (void)pthread_mutex_unlock(&writer.lock);
    if (off) {
        (void)write_line(line, len);
    }
}

/* Once a line is missing all that follow are, until it was told: so they are missing in one place.
 */
static void queue_line(const char *line, size_t len) {
    if (writer.untold > 0 || len > sizeof(writer.bytes) - writer.used) {
        count_missing(true);
        return;
    }
    size_t end = (writer.first + writer.used) % sizeof(writer.bytes);
    size_t before_wrap = sizeof(writer.bytes) - end < len ? sizeof(writer.bytes) - end : len;
    memcpy(writer.bytes + end, line, before_wrap);
    memcpy(writer.bytes, line + before_wrap, len - before_wrap);
    writer.used += len;
    (void)pthread_cond_broadcast(&writer.changed);
}

static void count_missing(bool try_to_tell) {
    writer.untold++;
    writer.dropped++;
    writer.try_to_tell = try_to_tell;
    (void)pthread_cond_broadcast(&writer.changed);
}

static void last_words(const char *text) {
    berth_log_write(text, strlen(text));
    berth_log_writer_stop(LAST_WORDS_MS);
}

/* ---- The thread ---- */

static void *run(void *unused) {
    (void)unused;
    (void)pthread_mutex_lock(&writer.lock);
    while (work_left()) {
        char line[BERTH_LOG_LINE_BYTES_MAX];
        uint64_t told = 0;
        size_t len = next_line(line, &told);
        (void)pthread_mutex_unlock(&writer.lock);
        bool written = write_line(line, len);
        (void)pthread_mutex_lock(&writer.lock);
        if (written) {
            writer.untold -= told;
        } else if (told > 0) {
            writer.try_to_tell = false;
        } else {
            count_missing(false);
        }
    }
    if (writer.state == WRITER_ENDING) {
        writer.state = WRITER_ENDED;
    }
    (void)pthread_cond_broadcast(&writer.changed);
    (void)pthread_mutex_unlock(&writer.lock);
    return NULL;
}

/* Waits until there is something to write; false: it is to end. */
static bool work_left(void) {
    while (writer.used == 0 && (writer.untold == 0 || !writer.try_to_tell)) {
        if (writer.state != WRITER_RUNNING) {
            return false;
        }
        (void)pthread_cond_wait(&writer.changed, &writer.lock);
    }
    return writer.state != WRITER_STUCK;
}

static size_t next_line(char line[BERTH_LOG_LINE_BYTES_MAX], uint64_t *ret_told) {
    if (writer.used > 0) {
        return take_line(line);
    }
    *ret_told = writer.untold;
    return berth_log_make_line(line, BERTH_LOG_WARNING, "log.lines_dropped",
                               "lines=%" PRIu64 " reason=\"nobody read them in time\"",
                               writer.untold);
}

/* To its newline; what is longer than any record (a line of the configuration's report) in parts.
 */
static size_t take_line(char line[BERTH_LOG_LINE_BYTES_MAX]) {
    size_t len = 0;
    while (len < writer.used && len < BERTH_LOG_LINE_BYTES_MAX) {
        line[len] = writer.bytes[(writer.first + len) % sizeof(writer.bytes)];
        if (line[len++] == '\n') {
            break;
        }
    }
    writer.first = (writer.first + len) % sizeof(writer.bytes);
    writer.used -= len;
    return len;
}

/* One call a line, so that lines of several threads and processes don't mix. Whoever shares the
 * open file description may have made it non-blocking. */
static bool write_line(const char *line, size_t len) {
    size_t done = 0;
    while (done < len) {
        ssize_t written = write(STDERR_FILENO, line + done, len - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
            (void)poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}
