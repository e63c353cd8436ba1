/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "berth/base/log.h"

/* Standard error goes into a pipe for the length of a test. */
struct fixture {
    int saved;
    int from;
    char text[16384];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fixture->from = ends[0];
    fixture->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    if (fixture->saved >= 0) {
        (void)dup2(fixture->saved, STDERR_FILENO);
        (void)close(fixture->saved);
    }
    (void)close(fixture->from);
    free(fixture);
    return 0;
}

/* Everything that was logged. Standard error is itself again from here on. */
static const char *logged(struct fixture *fixture) {
    (void)dup2(fixture->saved, STDERR_FILENO);
    (void)close(fixture->saved);
    fixture->saved = -1;
    size_t len = 0;
    ssize_t got;
    while ((got = read(fixture->from, fixture->text + len, sizeof(fixture->text) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    fixture->text[len] = '\0';
    return fixture->text;
}

static void test_a_record_is_one_line_with_time_and_level(void **state) {
    berth_log_setup(BERTH_LOG_INFO, false);
    berth_log(BERTH_LOG_WARNING, "redis.away", "host=%s port=%d", "127.0.0.1", 6379);
    const char *line = logged(*state);
    /* 2026-01-31T12:34:56.789Z warning redis.away ... */
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_string_equal(line + 23, "Z warning redis.away host=127.0.0.1 port=6379\n");
}

static void test_the_journal_gets_a_priority_instead(void **state) {
    berth_log_setup(BERTH_LOG_DEBUG, true);
    berth_log(BERTH_LOG_ERROR, "one", "%s", "");
    berth_log(BERTH_LOG_WARNING, "two", "%s", "");
    berth_log(BERTH_LOG_INFO, "three", "%s", "");
    berth_log(BERTH_LOG_DEBUG, "four", "a=%d", 1);
    assert_string_equal(logged(*state), "<3>one\n<4>two\n<6>three\n<7>four a=1\n");
}

static void test_levels_below_the_chosen_one_are_left_out(void **state) {
    berth_log_setup(BERTH_LOG_WARNING, true);
    assert_true(berth_log_enabled(BERTH_LOG_ERROR));
    assert_true(berth_log_enabled(BERTH_LOG_WARNING));
    assert_false(berth_log_enabled(BERTH_LOG_INFO));
    berth_log(BERTH_LOG_INFO, "quiet", "%s", "");
    berth_log(BERTH_LOG_WARNING, "heard", "%s", "");
    assert_string_equal(logged(*state), "<4>heard\n");
}

/* Whatever a producer writes into a name, it can't forge a record or move a terminal's cursor. */
static void test_nothing_from_outside_can_forge_a_line(void **state) {
    berth_log_setup(BERTH_LOG_INFO, true);
    berth_log(BERTH_LOG_INFO, "said", "text=\"%s\"", "a\n<3>forged\x1b[2J\x7f");
    berth_log(BERTH_LOG_INFO, "said", "text=\"%s\"",
              "\xc2\x9b"
              "2J"); /* CSI as one character. */
    assert_string_equal(logged(*state), "<6>said text=\"a\\x0a<3>forged\\x1b[2J\\x7f\"\n"
                                        "<6>said text=\"\\xc2\\x9b2J\"\n");
}

static void test_utf8_stays_and_what_is_not_utf8_is_escaped(void **state) {
    berth_log_setup(BERTH_LOG_INFO, true);
    berth_log(BERTH_LOG_INFO, "said", "%s", "h\xc3\xb6he \xe2\x82\xac \xf0\x9f\x9a\xa2");
    berth_log(BERTH_LOG_INFO, "said", "%s", "\xc0\xaf \xe0\x80\xaf \xed\xa0\x80");
    berth_log(BERTH_LOG_INFO, "said", "%s", "\xf4\x90\x80\x80 \xff \xe2\x82");
    assert_string_equal(logged(*state), "<6>said h\xc3\xb6he \xe2\x82\xac \xf0\x9f\x9a\xa2\n"
                                        "<6>said \\xc0\\xaf \\xe0\\x80\\xaf \\xed\\xa0\\x80\n"
                                        "<6>said \\xf4\\x90\\x80\\x80 \\xff \\xe2\\x82\n");
}

static void test_a_line_that_is_too_long_is_cut_and_still_ends(void **state) {
    char text[3 * BERTH_LOG_LINE_BYTES_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    berth_log_setup(BERTH_LOG_INFO, true);
    berth_log(BERTH_LOG_INFO, "long", "%s", text);
    memset(text, '\n', BERTH_LOG_LINE_BYTES_MAX); /* Four times as long when it is escaped. */
    berth_log(BERTH_LOG_INFO, "long", "%s", text);
    const char *first = logged(*state);
    const char *end = strchr(first, '\n');
    assert_non_null(end);
    assert_true(end - first < BERTH_LOG_LINE_BYTES_MAX);
    const char *second = end + 1;
    end = strchr(second, '\n');
    assert_non_null(end);
    assert_true(end - second < BERTH_LOG_LINE_BYTES_MAX);
    assert_int_equal(end[1], '\0');
    assert_int_equal(strncmp(end - 4, "\\x0a", 4), 0); /* No half escape at the cut. */
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PIPE(test_a_record_is_one_line_with_time_and_level),
        WITH_PIPE(test_the_journal_gets_a_priority_instead),
        WITH_PIPE(test_levels_below_the_chosen_one_are_left_out),
        WITH_PIPE(test_nothing_from_outside_can_forge_a_line),
        WITH_PIPE(test_utf8_stays_and_what_is_not_utf8_is_escaped),
        WITH_PIPE(test_a_line_that_is_too_long_is_cut_and_still_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
