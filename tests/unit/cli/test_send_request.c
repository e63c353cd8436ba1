/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a command, as on the command line and in a batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "send_request.h"

#define WORDS_MAX 32

/* Parses a line as a batch does; its words must outlive the request. */
static error_t parse(char *line, struct cli_send_request *ret_request) {
    static char name[] = "test";
    char *words[WORDS_MAX] = {name};
    int count = 1;
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(count + 1 < WORDS_MAX);
        words[count++] = word;
    }
    *ret_request = (struct cli_send_request){0};
    return argp_parse(&cli_send_request_argp, count, words, ARGP_NO_EXIT | ARGP_NO_HELP, NULL,
                      ret_request);
}

static void assert_refused(const char *text) {
    char line[256];
    assert_true(strlen(text) < sizeof(line));
    memcpy(line, text, strlen(text) + 1);
    struct cli_send_request request;
    error_t problem = parse(line, &request);
    cli_send_request_deinit(&request);
    if (problem == 0) {
        fail_msg("accepted: %s", text);
    }
}

static void test_a_command_with_all_its_options(void **state) {
    (void)state;
    char line[] = "create-space --registry alpha -s team-a --public --quota=5M --adopt --actor bob "
                  "--id 7 --topic t --key k --no-check";
    struct cli_send_request request;
    assert_int_equal(parse(line, &request), 0);
    assert_true(request.typed);
    assert_int_equal(request.type, BERTH_CREATE_SPACE);
    assert_string_equal(request.registry, "alpha");
    assert_string_equal(request.space, "team-a");
    assert_int_equal(request.visibility, BERTH_PUBLIC);
    assert_true(request.quota_given);
    assert_int_equal(request.quota_bytes, 5 << 20);
    assert_true(request.adopt);
    assert_string_equal(request.actor, "bob");
    assert_string_equal(request.id, "7");
    assert_string_equal(request.topic, "t");
    assert_string_equal(request.key, "k");
    assert_true(request.no_check);
    cli_send_request_deinit(&request);
}

static void test_workspaces_gather(void **state) {
    (void)state;
    char line[] = "-w one set-workspace-bindings -r a -s b --workspace two -wthree";
    struct cli_send_request request;
    assert_int_equal(parse(line, &request), 0);
    assert_int_equal(request.type, BERTH_SET_WORKSPACE_BINDINGS);
    assert_int_equal(request.workspaces_count, 3);
    assert_string_equal(request.workspaces[0], "one");
    assert_string_equal(request.workspaces[1], "two");
    assert_string_equal(request.workspaces[2], "three");
    cli_send_request_deinit(&request);
    assert_null(request.workspaces);
}

/* The set is replaced as a whole, so a slip of the pen would unbind everybody: nobody is bound any
 * more only where that is said. */
static void test_no_binding_at_all_must_be_said(void **state) {
    (void)state;
    assert_refused("set-workspace-bindings -r a -s b");
    assert_refused("set-workspace-bindings -r a -s b --none -w c");
    assert_refused("unbind-workspace -r a -s b --none");
    char line[] = "set-workspace-bindings -r a -s b --none";
    struct cli_send_request request;
    assert_int_equal(parse(line, &request), 0);
    assert_int_equal(request.type, BERTH_SET_WORKSPACE_BINDINGS);
    assert_int_equal(request.workspaces_count, 0);
    cli_send_request_deinit(&request);
}

/* An option that a command doesn't have would be dropped in silence: nobody should believe that
 * --private did something to a binding. */
static void test_options_of_other_commands_are_refused(void **state) {
    (void)state;
    assert_refused("create-space -r a -s b --workspace w");
    assert_refused("create-space -r a -s b --unbind");
    assert_refused("update-space -r a -s b --adopt");
    assert_refused("delete-space -r a -s b --public");
    assert_refused("bind-workspace -r a -s b -w c --private");
    assert_refused("unbind-workspace -r a -s b -w c --quota 1G");
    assert_refused("set-workspace-bindings -r a -s b --unbind");
}

static void test_what_is_incomplete_or_contradicts_itself_is_refused(void **state) {
    (void)state;
    assert_refused("");
    assert_refused("-r a -s b");
    assert_refused("create-space -r a");
    assert_refused("create-space -s b");
    assert_refused("create-space delete-space -r a -s b");
    assert_refused("make-space -r a -s b");
    assert_refused("create-space -r a -s b --public --private");
    assert_refused("create-space -r a -s b --quota much");
    assert_refused("create-space -r a -s b --nonsense");
    assert_refused("--raw file");
    assert_refused("--raw file --topic t create-space");
    assert_refused("--raw file --topic t --public");
}

/* Of what is refused people read what to type instead. */
static void test_a_slip_says_what_to_type(void **state) {
    (void)state;
    static const struct {
        const char *line;
        const char *advice;
    } cases[] = {
        {"bind-workspace -r a -s b -w blue green", "--workspace green"},
        {"-w blue green bind-workspace -r a -s b", "--workspace green"},
        {"create-space -r a -s b --quota 10GB", "such as 10G or 10GiB"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char said[1024] = "";
        FILE *into = fmemopen(said, sizeof(said), "w");
        assert_non_null(into);
        FILE *before = stderr;
        stderr = into;
        assert_refused(cases[i].line);
        stderr = before;
        assert_int_equal(fclose(into), 0);
        if (strstr(said, cases[i].advice) == NULL) {
            fail_msg("%s: %s", cases[i].line, said);
        }
    }
    char line[] = "update-space -r a -s b --quota -1";
    struct cli_send_request request;
    assert_int_equal(parse(line, &request), 0);
    assert_int_equal(request.quota_bytes, BERTH_QUOTA_UNLIMITED);
    cli_send_request_deinit(&request);
}

static void test_quotas_are_sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"1000", 1000},
        {"1K", 1024},
        {"3KiB", 3072},
        {"10G", (int64_t)10 << 30},
        {"2TiB", (int64_t)2 << 40},
        {"9223372036854775807", INT64_MAX},
        {"8388607T", (int64_t)8388607 << 40},
        {"10g", (int64_t)10 << 30},
        {"10Gi", (int64_t)10 << 30}, /* As Kubernetes writes it. */
        {"10gib", (int64_t)10 << 30},
        {"unlimited", BERTH_QUOTA_UNLIMITED},
        {"-1", BERTH_QUOTA_UNLIMITED}, /* As the record has it. */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t bytes = -2;
        assert_true(cli_parse_quota(cases[i].text, &bytes));
        assert_int_equal(bytes, cases[i].bytes);
    }
    static const char *const wrong[] = {
        "",         "G",    "-2", "1.5G", "1 G", "10GB", "10gb", "10GiBx", "9223372036854775808",
        "8388608T", "none",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t bytes = -2;
        assert_false(cli_parse_quota(wrong[i], &bytes));
        assert_int_equal(bytes, -2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_with_all_its_options),
        cmocka_unit_test(test_workspaces_gather),
        cmocka_unit_test(test_no_binding_at_all_must_be_said),
        cmocka_unit_test(test_options_of_other_commands_are_refused),
        cmocka_unit_test(test_what_is_incomplete_or_contradicts_itself_is_refused),
        cmocka_unit_test(test_a_slip_says_what_to_type),
        cmocka_unit_test(test_quotas_are_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
