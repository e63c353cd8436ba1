/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "berth/base/standard_streams.h"

/* What a child finds after it closed some of its descriptors and secured them. */
static int child_status(bool (*holds)(void), int first_closed, int last_closed) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (int fd = first_closed; fd <= last_closed; fd++) {
            (void)close(fd);
        }
        berth_standard_streams_secure();
        _exit(holds() ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool the_next_file_is_none_of_them(void) {
    return open("/dev/null", O_RDONLY) > STDERR_FILENO;
}

/* Else the loop's own pipe would be standard error, and log lines would go into it. */
static void test_no_other_file_gets_the_number_of_a_closed_stream(void **state) {
    (void)state;
    assert_int_equal(child_status(the_next_file_is_none_of_them, 0, 2), 0);
    assert_int_equal(child_status(the_next_file_is_none_of_them, 1, 1), 0);
    assert_int_equal(child_status(the_next_file_is_none_of_them, 2, 2), 0);
}

static bool closed_streams_fail_and_standard_error_swallows(void) {
    char byte = 'x';
    bool unread = read(STDIN_FILENO, &byte, 1) == -1 && errno == EBADF;
    bool unwritten = write(STDOUT_FILENO, &byte, 1) == -1 && errno == EBADF;
    return unread && unwritten && write(STDERR_FILENO, &byte, 1) == 1;
}

/* A program that can't print must not say that it succeeded. */
static void test_printing_fails_as_it_would_into_a_closed_stream(void **state) {
    (void)state;
    assert_int_equal(child_status(closed_streams_fail_and_standard_error_swallows, 0, 2), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_other_file_gets_the_number_of_a_closed_stream),
        cmocka_unit_test(test_printing_fails_as_it_would_into_a_closed_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
