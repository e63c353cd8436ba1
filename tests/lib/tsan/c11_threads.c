/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C11 threads on POSIX threads, for the thread sanitizer.
 *
 * librdkafka is built with threads.h, and gcc 12's sanitizer knows only pthread.h: it takes fault
 * at a thread that it did not see begin, and sees no order between what two threads do under a
 * mtx_t. This library is linked before the C library, so that librdkafka finds these; what they
 * call is the sanitizer's. In glibc a mtx_t, a cnd_t and a thrd_t have room for, and are used as,
 * their POSIX counterparts (nptl/thrd_priv.h), which is asserted as far as it can be seen.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mtx_t has room for a mutex");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a cnd_t has room for a condition");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "a thrd_t is a thread");

struct start {
    thrd_start_t function;
    void *argument;
};

static int result_of(int error) {
    switch (error) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

/* ---- Threads ---- */

/* The sanitizer knows the joining that counts on the wall clock only. */
int pthread_clockjoin_np(pthread_t thread, void **ret_result, clockid_t clock,
                         const struct timespec *until) {
    struct timespec now;
    struct timespec wall;
    if (clock_gettime(clock, &now) != 0 || clock_gettime(CLOCK_REALTIME, &wall) != 0) {
        return EINVAL;
    }
    wall.tv_sec += until->tv_sec - now.tv_sec;
    wall.tv_nsec += until->tv_nsec - now.tv_nsec;
    if (wall.tv_nsec < 0) {
        wall.tv_sec--;
        wall.tv_nsec += 1000000000;
    } else if (wall.tv_nsec >= 1000000000) {
        wall.tv_sec++;
        wall.tv_nsec -= 1000000000;
    }
    return pthread_timedjoin_np(thread, ret_result, &wall);
}

static void *run(void *ctx) {
    struct start start = *(struct start *)ctx;
    free(ctx);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    struct start *start = malloc(sizeof(*start));
    if (start == NULL) {
        return thrd_nomem;
    }
    *start = (struct start){.function = function, .argument = argument};
    int error = pthread_create(thread, NULL, run, start);
    if (error != 0) {
        free(start);
    }
    return result_of(error);
}

int thrd_join(thrd_t thread, int *result) {
    void *value = NULL;
    int error = pthread_join(thread, &value);
    if (error == 0 && result != NULL) {
        *result = (int)(intptr_t)value;
    }
    return result_of(error);
}

int thrd_detach(thrd_t thread) {
    return result_of(pthread_detach(thread));
}

/* ---- Mutexes ---- */

int mtx_init(mtx_t *mutex, int type) {
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    if ((type & mtx_recursive) != 0) {
        (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    }
    int error = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return result_of(error);
}

void mtx_destroy(mtx_t *mutex) {
    (void)pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int mtx_lock(mtx_t *mutex) {
    return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex) {
    return result_of(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex) {
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

/* ---- Conditions ---- */

int cnd_init(cnd_t *condition) {
    return result_of(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition) {
    (void)pthread_cond_destroy((pthread_cond_t *)condition);
}

int cnd_signal(cnd_t *condition) {
    return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition) {
    return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex) {
    return result_of(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict until) {
    return result_of(
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}
