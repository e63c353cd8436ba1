/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim [--seed N] [--seeds N] [--trace] [--jobs N] [--keep-going] [--twice] [--table]
 *     [--crashes] [--scenarios FILE] [--fresh N]
 *
 * Runs seeds, one process a processor; the fresh ones from a random number on (BERTH_FRESH_SEED
 * names another), and under CI=true, where nothing may depend on luck, none of those. A failing
 * seed prints its last lines, the sentence that doesn't hold and the command that repeats it; the
 * exit status is then 1.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "sim.h"

#define JOBS_MAX 64

#define FRESH_BASE_MIN UINT64_C(1000000)
#define FRESH_BASE_MAX UINT64_C(1000000000)

/* Shared by all processes of the run. */
struct shared {
    uint64_t next;
    uint64_t done;
    struct sim_meetings meetings;
};

struct arguments {
    uint64_t seed;
    uint64_t seeds;
    int jobs;
    bool trace;
    bool twice;
    bool table;
    bool keep_going;
    bool crashes;
    const char *scenarios;
};

static void usage(void) {
    fputs("usage: sim [--seed N] [--seeds N] [--trace] [--jobs N] [--keep-going] [--twice] "
          "[--table] [--crashes] [--scenarios FILE] [--fresh N]\n",
          stderr);
    exit(2);
}

static uint64_t number(const char *text) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || end == text || *end != '\0') {
        usage();
    }
    return value;
}

/* A number that is easily typed, and none of the fixed set. */
static uint64_t fresh_base(void) {
    const char *ci = getenv("CI");
    if (ci != NULL && strcmp(ci, "true") == 0) {
        puts("no fresh seeds: CI=true");
        exit(0);
    }
    uint64_t base = 0;
    const char *given = getenv("BERTH_FRESH_SEED");
    if (given != NULL) {
        base = number(given);
    } else if (getrandom(&base, sizeof(base), 0) != (ssize_t)sizeof(base)) {
        base = (uint64_t)getpid();
    }
    base = given != NULL ? base : FRESH_BASE_MIN + base % (FRESH_BASE_MAX - FRESH_BASE_MIN);
    printf("fresh seeds from %llu on\n", (unsigned long long)base);
    return base;
}

static struct arguments read_arguments(int argc, char **argv) {
    struct arguments arguments = {.seed = 1, .seeds = 1};
    bool many = false;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    arguments.jobs = processors > 0 && processors < JOBS_MAX ? (int)processors : 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0) {
            arguments.seed = number(argv[++i]);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            arguments.seeds = number(argv[++i]);
            many = true;
        } else if (strcmp(argv[i], "--jobs") == 0) {
            arguments.jobs = (int)number(argv[++i]);
        } else if (strcmp(argv[i], "--trace") == 0) {
            arguments.trace = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            arguments.twice = true;
        } else if (strcmp(argv[i], "--table") == 0) {
            arguments.table = true;
        } else if (strcmp(argv[i], "--scenarios") == 0 && i + 1 < argc) {
            arguments.scenarios = argv[++i];
        } else if (strcmp(argv[i], "--fresh") == 0) {
            arguments.seeds = number(argv[++i]);
            arguments.seed = fresh_base();
            many = true;
        } else if (strcmp(argv[i], "--crashes") == 0) {
            arguments.crashes = true;
        } else if (strcmp(argv[i], "--keep-going") == 0) {
            arguments.keep_going = true;
        } else {
            usage();
        }
    }
    if (!many && argc == 1) {
        arguments.seeds = 1000;
    }
    if (arguments.jobs < 1 || arguments.jobs > JOBS_MAX || arguments.seeds < 1) {
        usage();
    }
    return arguments;
}

static uint64_t seed_under_way;

/* An assertion of the engine failed: what led there is of use. */
/* NOLINTBEGIN(bugprone-signal-handler): the process ends here, one way or the other. */
static void on_signal(int signal_number) {
    sim_print_last();
    fprintf(stderr, "seed %llu failed: signal %d\n", (unsigned long long)seed_under_way,
            signal_number);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}
/* NOLINTEND(bugprone-signal-handler) */

static void run_seed(const struct arguments *arguments, struct shared *shared, uint64_t seed) {
    struct sim_options options = {
        .seed = seed, .trace = arguments->trace, .meetings = &shared->meetings};
    seed_under_way = seed;
    uint64_t hash = sim_run(&options);
    if (arguments->twice) {
        options.trace = false;
        uint64_t again = sim_run(&options);
        if (again != hash) {
            fprintf(stderr, "seed %llu failed: the same seed is not the same world\n",
                    (unsigned long long)seed);
            _Exit(1);
        }
    }
    if (arguments->trace) {
        printf("seed %llu: trace %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
    }
}

/* Takes seeds until there are none left. */
static void work(const struct arguments *arguments, struct shared *shared) {
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    for (;;) {
        uint64_t i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
        if (i >= arguments->seeds) {
            break;
        }
        run_seed(arguments, shared, arguments->seed + i);
        __atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
    }
}

/* For each plan, a crash after each of its effects: at once, and when what was asked has been
 * carried out and nobody has heard of it. */
static void run_crashes(const struct arguments *arguments, struct shared *shared) {
    static const int64_t delays_ms[] = {0, 25, 1500};
    signal(SIGABRT, on_signal);
    for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
        struct sim_crash crash = {.type = (enum berth_command_type)type};
        do {
            crash.effect++;
            for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
                crash.effects = 0;
                crash.delay_ms = delays_ms[i];
                struct sim_options options = {.seed = arguments->seed,
                                              .trace = arguments->trace,
                                              .meetings = &shared->meetings,
                                              .crash = &crash};
                (void)sim_run(&options);
                shared->done++;
            }
        } while (crash.effects >= crash.effect);
        printf("%s: a crash after each of %d effects\n", berth_command_type_name(crash.type),
               crash.effect - 1);
    }
}

/* Seeds that failed once: lines "<version> <seed> <what went wrong>". One that is of another
 * version would be another world: it has to be found anew, or taken out. */
static void run_scenarios(const struct arguments *arguments, struct shared *shared) {
    FILE *file = fopen(arguments->scenarios, "r");
    BERTH_ASSERT(file != NULL);
    signal(SIGABRT, on_signal);
    char line[512];
    while (fgets(line, sizeof(line), file) != NULL) {
        char *at = line;
        unsigned long long version = strtoull(at, &at, 10);
        unsigned long long seed = strtoull(at, &at, 10);
        if (line[0] == '#' || seed == 0) {
            continue;
        }
        if (version != SIM_VERSION) {
            fprintf(stderr, "scenario of version %llu, this is version %d:%s", version, SIM_VERSION,
                    at);
            exit(1);
        }
        printf("seed %llu:%s", seed, at);
        run_seed(arguments, shared, seed);
        shared->done++;
    }
    (void)fclose(file);
}

static int run_all(const struct arguments *arguments, struct shared *shared) {
    int failures = 0;
    int running = 0;
    int wanted = arguments->jobs;
    fflush(stdout);
    while (running > 0 || wanted > 0) {
        while (wanted > 0) {
            pid_t pid = fork();
            BERTH_ASSERT(pid >= 0);
            if (pid == 0) {
                work(arguments, shared);
                fflush(stdout);
                exit(0); /* So that a leak is found, where the build looks for some. */
            }
            running++;
            wanted--;
        }
        int status = 0;
        if (waitpid(-1, &status, 0) < 0) {
            break;
        }
        running--;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            failures++;
            if (arguments->keep_going) {
                wanted = 1;
            } else {
                __atomic_store_n(&shared->next, arguments->seeds, __ATOMIC_RELAXED);
            }
        }
    }
    return failures;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    struct arguments arguments = read_arguments(argc, argv);
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BERTH_ASSERT(shared != MAP_FAILED);
    double begun = seconds();
    int failures = 0;
    if (arguments.scenarios != NULL) {
        run_scenarios(&arguments, shared);
    } else if (arguments.crashes) {
        run_crashes(&arguments, shared);
    } else if (arguments.seeds == 1) {
        work(&arguments, shared);
    } else {
        failures = run_all(&arguments, shared);
    }
    double took = seconds() - begun;
    struct rusage usage[2];
    getrusage(RUSAGE_CHILDREN, &usage[0]);
    getrusage(RUSAGE_SELF, &usage[1]);
    double processor = 0;
    for (int i = 0; i < 2; i++) {
        processor += (double)(usage[i].ru_utime.tv_sec + usage[i].ru_stime.tv_sec) +
                     (double)(usage[i].ru_utime.tv_usec + usage[i].ru_stime.tv_usec) / 1e6;
    }
    int holes = arguments.table ? sim_table(&shared->meetings) : 0;
    printf(
        "%llu seeds in %.1f s (%.1f ms of a processor each), %llu answers, %llu writes to Harbor, "
        "%.1f virtual hours; calm after at most %.1f s (seed %llu); failures: %d\n",
        (unsigned long long)shared->done, took,
        shared->done > 0 ? processor * 1000 / (double)shared->done : 0,
        (unsigned long long)shared->meetings.answers, (unsigned long long)shared->meetings.writes,
        (double)shared->meetings.virtual_ms / 3600000, (double)shared->meetings.calm_ms_max / 1000,
        (unsigned long long)shared->meetings.calm_seed, failures);
    return failures > 0 || holes > 0 ? 1 : 0;
}
