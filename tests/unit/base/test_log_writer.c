/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/base/log_writer.h"

/* As small as Linux makes a pipe, so that little fills it. */
#define PIPE_BYTES 4096
/* More than pipe and queue can hold. */
#define MANY 6000
/* For what ends at once when it is right. */
#define PATIENT_MS 30000

/* Standard error goes into a pipe for the length of a test. */
struct fixture {
    int saved;
    int from;
    char *text;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->text = calloc(1, 2 * BERTH_LOG_QUEUE_BYTES);
    assert_non_null(fixture->text);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
    fixture->from = ends[0];
    fixture->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    berth_log_setup(BERTH_LOG_INFO, true);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    (void)dup2(fixture->saved, STDERR_FILENO);
    (void)close(fixture->saved);
    (void)close(fixture->from);
    free(fixture->text);
    free(fixture);
    return 0;
}

static void start_writer(void) {
    struct berth_error error = {{0}};
    assert_int_equal(berth_log_writer_start(&error), BERTH_OK);
}

static void log_many(void) {
    for (int i = 0; i < MANY; i++) {
        berth_log(BERTH_LOG_INFO, "counted", "number=%d filler=%060d", i, 0);
    }
}

static void read_some(struct fixture *fixture) {
    size_t len = strlen(fixture->text);
    assert_true(len < 2 * BERTH_LOG_QUEUE_BYTES - PIPE_BYTES);
    assert_true(read(fixture->from, fixture->text + len, PIPE_BYTES) > 0);
}

/* Reads until a line has the word in it, and returns all that was read so far. */
static const char *read_until(struct fixture *fixture, const char *word) {
    const char *found = NULL;
    while (found == NULL || strchr(found, '\n') == NULL) {
        read_some(fixture);
        found = strstr(fixture->text, word);
    }
    return fixture->text;
}

/* A worker whose log nobody reads goes on, and whoever reads it later sees what is missing. */
static void test_nobody_who_logs_waits_for_a_reader_and_what_is_missing_is_told(void **state) {
    uint64_t before = berth_log_lines_dropped();
    start_writer();
    log_many();
    int kept = MANY - (int)(berth_log_lines_dropped() - before);
    assert_true(kept < MANY);
    /* More than the pipe holds was read, so there's room; it stays empty until all was told. */
    struct fixture *fixture = *state;
    while (strlen(fixture->text) <= PIPE_BYTES) {
        read_some(fixture);
    }
    berth_log(BERTH_LOG_INFO, "between", "%s", "");
    uint64_t dropped = berth_log_lines_dropped() - before;
    assert_int_equal(dropped, MANY - kept + 1);

    const char *text = read_until(*state, "log.lines_dropped");
    for (int i = 0; i < kept; i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "<6>counted number=%d filler=%060d\n", i, 0);
        assert_memory_equal(text, line, strlen(line)); /* Whole, and in order. */
        text += strlen(line);
    }
    char told[128];
    (void)snprintf(told, sizeof(told),
                   "<4>log.lines_dropped lines=%" PRIu64 " reason=\"nobody read them in time\"\n",
                   dropped);
    assert_string_equal(text, told);

    berth_log(BERTH_LOG_INFO, "after", "it=%s", "goes on");
    berth_log_writer_stop(PATIENT_MS);
    char line[64] = "";
    assert_true(read(fixture->from, line, sizeof(line) - 1) > 0);
    assert_string_equal(line, "<6>after it=goes on\n");
}

static void test_what_was_logged_is_written_when_the_writer_ends(void **state) {
    start_writer();
    berth_log(BERTH_LOG_INFO, "one", "%s", "");
    berth_log(BERTH_LOG_INFO, "two", "%s", "");
    berth_log_writer_stop(PATIENT_MS);
    assert_string_equal(read_until(*state, "two"), "<6>one\n<6>two\n");
}

/* A shell or a supervisor may have made the description that it shares with us non-blocking. */
static void test_lines_stay_whole_when_standard_error_is_non_blocking(void **state) {
    assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK), 0);
    start_writer();
    for (int i = 0; i < 100; i++) {
        berth_log(BERTH_LOG_INFO, "counted", "filler=%0120d", 0);
    }
    berth_log(BERTH_LOG_INFO, "last", "%s", "");
    const char *text = read_until(*state, "last");
    for (int i = 0; i < 100; i++) {
        const char *end = strchr(text, '\n');
        assert_int_equal(end - text, strlen("<6>counted filler=") + 120);
        text = end + 1;
    }
    assert_string_equal(text, "<6>last\n");
    berth_log_writer_stop(PATIENT_MS);
}

static void test_lines_that_standard_error_refuses_are_counted(void **state) {
    struct fixture *fixture = *state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)close(fixture->from);
    uint64_t before = berth_log_lines_dropped();
    start_writer();
    berth_log(BERTH_LOG_INFO, "one", "%s", "");
    berth_log(BERTH_LOG_INFO, "two", "%s", "");
    berth_log_writer_stop(PATIENT_MS);
    assert_int_equal(berth_log_lines_dropped() - before, 2);
    fixture->from = dup(STDERR_FILENO);
    (void)signal(SIGPIPE, SIG_DFL);
}

/* ---- Ends, each in a process of its own ---- */

static int status_of(void (*run)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)alarm(PATIENT_MS / 1000);
        run();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void end_unread(void) {
    start_writer();
    log_many();
    berth_log_writer_stop(10);
    berth_log(BERTH_LOG_INFO, "after", "%s", ""); /* Nobody writes it; nobody waits either. */
}

static void test_the_end_does_not_wait_for_a_reader(void **state) {
    (void)state;
    assert_int_equal(status_of(end_unread), 0);
}

static void break_unread(void) {
    start_writer();
    log_many();
    BERTH_UNREACHABLE("nobody comes here");
}

/* A process that is to be started anew must be able to end. */
static void test_a_broken_assertion_does_not_wait_for_a_reader(void **state) {
    (void)state;
    int status = status_of(break_unread);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void break_read(void) {
    start_writer();
    berth_log(BERTH_LOG_INFO, "before", "%s", "");
    BERTH_UNREACHABLE("nobody comes here");
}

static void test_what_was_logged_before_a_broken_assertion_is_written(void **state) {
    assert_true(WIFSIGNALED(status_of(break_read)));
    const char *text = read_until(*state, "nobody comes here");
    assert_int_equal(strncmp(text, "<6>before\nberth: ", strlen("<6>before\nberth: ")), 0);
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PIPE(test_nobody_who_logs_waits_for_a_reader_and_what_is_missing_is_told),
        WITH_PIPE(test_what_was_logged_is_written_when_the_writer_ends),
        WITH_PIPE(test_lines_stay_whole_when_standard_error_is_non_blocking),
        WITH_PIPE(test_lines_that_standard_error_refuses_are_counted),
        WITH_PIPE(test_the_end_does_not_wait_for_a_reader),
        WITH_PIPE(test_a_broken_assertion_does_not_wait_for_a_reader),
        WITH_PIPE(test_what_was_logged_before_a_broken_assertion_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
