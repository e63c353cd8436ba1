/* SPDX-License-Identifier: Apache-2.0 */
/* The words that programs and people are told: codes, names, and text that fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/core/plan_parts.h"
#include "../../../src/core/text.h"
#include "berth/core/codes.h"

static bool is_code(const char *code) {
    for (size_t i = 0; i < berth_codes_count; i++) {
        if (strcmp(berth_codes[i].code, code) == 0) {
            return true;
        }
    }
    return false;
}

/* The table is the source of the documentation: dotted, short enough, once each, with a sentence.
 */
static void test_codes_are_unique_and_explained(void **state) {
    (void)state;
    assert_true(berth_codes_count > 30);
    for (size_t i = 0; i < berth_codes_count; i++) {
        const struct berth_code *code = &berth_codes[i];
        assert_true(strlen(code->code) < BERTH_CODE_BYTES);
        assert_non_null(strchr(code->code, '.'));
        assert_int_equal(code->meaning[strlen(code->meaning) - 1], '.');
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(code->code, berth_codes[k].code);
        }
    }
}

static void test_every_refusal_has_a_code_of_the_table(void **state) {
    (void)state;
    assert_null(plan_refusal_code(BERTH_REFUSAL_NONE));
    for (unsigned i = BERTH_REFUSAL_NONE + 1; i < BERTH_REFUSALS; i++) {
        assert_true(is_code(plan_refusal_code((enum berth_plan_refusal)i)));
    }
}

/* Long names are shortened in sentences, so that the remedy, at the end, is always there. */
static void test_the_longest_names_leave_room_for_the_remedy(void **state) {
    (void)state;
    static struct berth_command command = {.type = BERTH_DELETE_SPACE};
    static struct berth_binding bindings[5];
    static char robot_name[BERTH_ROBOT_NAME_BYTES];
    static char workspace[BERTH_WORKSPACE_BYTES];
    static struct berth_work work;
    memset(command.registry, 'r', sizeof(command.registry) - 1);
    memset(command.space, 's', BERTH_SPACE_NAME_BYTES_MAX);
    memset(robot_name, 'n', sizeof(robot_name) - 1);
    memset(workspace, 'w', sizeof(workspace) - 1);
    for (size_t i = 0; i < 5; i++) {
        memcpy(bindings[i].workspace, workspace, sizeof(workspace));
    }
    struct berth_plan_item item = {.workspace = workspace, .robot_name = robot_name};
    work = (struct berth_work){.command = &command, .items = &item, .items_count = 1};
    work.now.bindings = bindings;
    work.now.bindings_count = 5;
    work.now.project_id = INT64_MAX;
    work.repositories = INT64_MAX;
    work.foreign_robots = 10000;
    memset(work.foreign_example, 'n', sizeof(work.foreign_example) - 1);
    memset(work.owner, 'o', sizeof(work.owner) - 1);
    work.refused_by =
        (struct berth_harbor_said){.call = "GET /projects/(name)", .http_status = 400};
    memset(work.refused_by.words, 'h', sizeof(work.refused_by.words) - 1);
    memset(work.refused_by.request_id, 'i', sizeof(work.refused_by.request_id) - 1);

    for (unsigned i = BERTH_REFUSAL_NONE + 1; i < BERTH_REFUSALS; i++) {
        bool of_workspace = i >= BERTH_REFUSAL_WORKSPACE_HARBOR;
        work.refusal = of_workspace ? BERTH_REFUSAL_NONE : (enum berth_plan_refusal)i;
        item.refusal = of_workspace ? (enum berth_plan_refusal)i : BERTH_REFUSAL_NONE;
        struct berth_outcome outcome = {0};
        plan_detail(&outcome, "registry", command.registry);
        plan_detail(&outcome, "space", command.space);
        plan_explain_refusal(&work, &outcome);
        assert_string_equal(outcome.code, plan_refusal_code((enum berth_plan_refusal)i));
        assert_int_equal(outcome.message[strlen(outcome.message) - 1], '.');
        assert_null(strpbrk(outcome.message, "{}"));
    }
}

static void test_names_are_those_of_the_schemas(void **state) {
    (void)state;
    assert_string_equal(berth_command_type_name(BERTH_SET_WORKSPACE_BINDINGS),
                        "SetWorkspaceBindings");
    assert_string_equal(berth_outcome_kind_name(BERTH_REJECTED), "REJECTED");
    assert_string_equal(berth_binding_change_kind_name(BERTH_BINDING_UNBOUND), "UNBOUND");
    assert_string_equal(berth_harbor_verdict_name(BERTH_HARBOR_READ_ONLY), "read-only");
    assert_string_equal(berth_harbor_call_name(BERTH_HARBOR_SET_SECRET), "PATCH /robots/{id}");
}

/* Every call that doesn't GET is one that may have been applied when its reply is lost. */
static void test_writes_are_the_calls_that_do_not_get(void **state) {
    (void)state;
    for (unsigned i = 0; i < BERTH_HARBOR_CALL_KINDS; i++) {
        enum berth_harbor_call_kind kind = (enum berth_harbor_call_kind)i;
        bool gets = strncmp(berth_harbor_call_name(kind), "GET ", 4) == 0;
        assert_int_equal(berth_harbor_call_is_write(kind), !gets);
    }
}

/* A refusal is audited, a dead letter isn't: nobody knows what it wanted. */
static void test_a_refusal_is_audited_and_a_dead_letter_is_not(void **state) {
    (void)state;
    struct berth_outcome outcome;
    berth_outcome_refuse(&outcome, BERTH_REJECTED, BERTH_CODE_QUOTA_INVALID, "No.");
    assert_string_equal(outcome.code, BERTH_CODE_QUOTA_INVALID);
    assert_string_equal(outcome.message, "No.");
    assert_true(outcome.audit);
    assert_false(outcome.dead_letter);
    assert_int_equal(outcome.after.knowledge, BERTH_SPACE_UNKNOWN);

    berth_outcome_refuse(&outcome, BERTH_FAILED, "record.undecodable", "No.");
    assert_false(outcome.audit);
    assert_true(outcome.dead_letter);
}

static void test_numbers_are_written_in_full(void **state) {
    (void)state;
    char digits[TEXT_NUMBER_BYTES];
    assert_string_equal(text_number(0, digits), "0");
    assert_string_equal(text_number(-1, digits), "-1");
    assert_string_equal(text_number(1000, digits), "1000");
    assert_string_equal(text_number(INT64_MAX, digits), "9223372036854775807");
    assert_string_equal(text_number(INT64_MIN, digits), "-9223372036854775808");
}

/* What is cut stays UTF-8, and nothing follows a cut. */
static void test_text_is_cut_between_characters(void **state) {
    (void)state;
    char target[6];
    text_set(target, sizeof(target), "abc", "d", "e", NULL);
    assert_string_equal(target, "abcde");
    text_set(target, sizeof(target), "abcd\xc3\xa9", "x", NULL);
    assert_string_equal(target, "abcd");
    text_set(target, sizeof(target), "ab\xe2\x82\xac", NULL);
    assert_string_equal(target, "ab\xe2\x82\xac");
    text_set(target, sizeof(target), "abc\xe2\x82\xac", NULL);
    assert_string_equal(target, "abc");

    char shown[32];
    struct text text;
    text_init(&text, shown, sizeof(shown));
    text_add_short(&text, "abcdefghij", 10);
    text_add(&text, "|");
    text_add_short(&text, "abcdef\xc3\xa9ijk", 10);
    assert_string_equal(shown, "abcdefghij|abcdef...");
    assert_false(text.cut);
    text_add(&text, "0123456789012");
    assert_true(text.cut);
    assert_int_equal(text_room(&text), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_unique_and_explained),
        cmocka_unit_test(test_every_refusal_has_a_code_of_the_table),
        cmocka_unit_test(test_the_longest_names_leave_room_for_the_remedy),
        cmocka_unit_test(test_names_are_those_of_the_schemas),
        cmocka_unit_test(test_writes_are_the_calls_that_do_not_get),
        cmocka_unit_test(test_a_refusal_is_audited_and_a_dead_letter_is_not),
        cmocka_unit_test(test_numbers_are_written_in_full),
        cmocka_unit_test(test_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
