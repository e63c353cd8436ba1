/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-soak [--minutes N] [--seed N] [--jobs N]
 *
 * Runs worlds of the soak, one process a processor, from a random seed on and for as long as asked.
 * With --seed that one world, with its trace. Status 1: a world failed.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak_world.h"

#define JOBS_MAX          64
#define TELL_EVERY_S      60
#define SEED_BASE_MIN     UINT64_C(1000000)
#define SEED_BASE_MAX     UINT64_C(1000000000)
#define MINUTES_MAX       100000
#define MINUTES_IF_UNSAID 1

/* Shared by all processes of the run. */
struct shared {
    uint64_t next; /* The seed that is run next. */
    uint64_t done;
    bool stop;
};

struct arguments {
    uint64_t minutes;
    uint64_t seed; /* 0: as many as there is time for. */
    uint64_t jobs;
};

static void usage(void) {
    fputs("usage: soak [--minutes N] [--seed N] [--jobs N]\n", stderr);
    exit(2);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || end == text || *end != '\0' || value < least ||
        value > most) {
        usage();
    }
    return value;
}

static struct arguments read_arguments(int argc, char **argv) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {.minutes = MINUTES_IF_UNSAID, .jobs = 1};
    if (processors > 0 && processors <= JOBS_MAX) {
        arguments.jobs = (uint64_t)processors;
    }
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--minutes") == 0) {
            arguments.minutes = number(argv[i + 1], 1, MINUTES_MAX);
        } else if (strcmp(argv[i], "--seed") == 0) {
            arguments.seed = number(argv[i + 1], 1, UINT64_MAX);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            arguments.jobs = number(argv[i + 1], 1, JOBS_MAX);
        } else {
            usage();
        }
    }
    return arguments;
}

static int64_t seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec;
}

static uint64_t random_base(void) {
    uint64_t base = 0;
    if (getrandom(&base, sizeof(base), 0) != (ssize_t)sizeof(base)) {
        base = (uint64_t)getpid();
    }
    return SEED_BASE_MIN + base % (SEED_BASE_MAX - SEED_BASE_MIN);
}

/* ---- In the processes that run worlds ---- */

static char seed_under_way[96];

/* However the world ends that ends the process. */
static void tell_seed(void) {
    (void)!write(STDERR_FILENO, seed_under_way, strlen(seed_under_way));
}

static void on_abort(int signal_number) {
    (void)signal_number;
    tell_seed();
}

_Noreturn static void work(struct shared *shared) {
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGSEGV, on_abort);
    (void)atexit(tell_seed);
    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        uint64_t seed = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        (void)snprintf(seed_under_way, sizeof(seed_under_way),
                       "soak: seed %" PRIu64 " failed; repeat it: ./dev soak --seed %" PRIu64 "\n",
                       seed, seed);
        soak_run_world(seed, false);
        (void)__atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
    }
    seed_under_way[0] = '\0';
    exit(EXIT_SUCCESS);
}

/* ---- In the one that watches them ---- */

/* Buries who has ended; returns how many of them failed. */
static int bury(int *running) {
    int failures = 0;
    int status = 0;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        (*running)--;
        failures += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failures;
}

static int watch(struct shared *shared, int running, int64_t for_s) {
    int64_t began_s = seconds();
    int64_t told_s = began_s;
    int failures = 0;
    while (running > 0) {
        failures += bury(&running);
        int64_t now_s = seconds();
        if (failures > 0 || now_s - began_s >= for_s) {
            __atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
        }
        if (now_s - told_s >= TELL_EVERY_S) {
            told_s = now_s;
            printf("soak: %" PRIu64 " worlds in %" PRId64 " s\n",
                   __atomic_load_n(&shared->done, __ATOMIC_RELAXED), now_s - began_s);
            (void)fflush(stdout);
        }
        const struct timespec pause = {.tv_nsec = 100000000};
        (void)nanosleep(&pause, NULL);
    }
    printf("soak: %" PRIu64 " worlds in %" PRId64 " s, failures: %d\n", shared->done,
           seconds() - began_s, failures);
    return failures;
}

int main(int argc, char **argv) {
    struct arguments arguments = read_arguments(argc, argv);
    if (arguments.seed != 0) {
        soak_run_world(arguments.seed, true);
        printf("soak: seed %" PRIu64 " ends as commanded\n", arguments.seed);
        return EXIT_SUCCESS;
    }
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("soak");
        return EXIT_FAILURE;
    }
    shared->next = random_base();
    printf("soak: %" PRIu64 " minutes of worlds from seed %" PRIu64 " on, %" PRIu64
           " side by side\n",
           arguments.minutes, shared->next, arguments.jobs);
    (void)fflush(stdout);
    int running = 0;
    for (; running < (int)arguments.jobs; running++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("soak");
            __atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
            (void)watch(shared, running, 0);
            return EXIT_FAILURE;
        }
        if (pid == 0) {
            work(shared);
        }
    }
    return watch(shared, running, (int64_t)arguments.minutes * 60) > 0 ? EXIT_FAILURE
                                                                       : EXIT_SUCCESS;
}
