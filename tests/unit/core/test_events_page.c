/* SPDX-License-Identifier: Apache-2.0 */
/* docs/events.md, the page that producers and consumers program by, says what the core says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/core/plan_parts.h"
#include "berth/core/codes.h"

#define PAGE_BYTES_MAX (64L * 1024)
#define LINE_BYTES     256

static int read_page(void **state) {
    char *page = calloc(1, PAGE_BYTES_MAX);
    assert_non_null(page);
    FILE *file = fopen(BERTH_EVENTS_PAGE, "r");
    assert_non_null(file);
    size_t len = fread(page, 1, PAGE_BYTES_MAX - 1, file);
    assert_in_range(len, 1, PAGE_BYTES_MAX - 2); /* All of it was read. */
    assert_int_equal(fclose(file), 0);
    *state = page;
    return 0;
}

static int free_page(void **state) {
    free(*state);
    return 0;
}

/* The first row of the table under a heading: what follows the line of dashes. */
static const char *first_row(const char *page, const char *heading) {
    static const char dashes[] = "\n| --- |";
    const char *section = strstr(page, heading);
    assert_non_null(section);
    const char *line = strstr(section, dashes);
    assert_non_null(line);
    return strchr(line + 1, '\n') + 1;
}

/* Every code in the order of the table, with its sentence, and no code more. */
static void test_the_table_of_codes_is_the_one_in_the_code(void **state) {
    const char *row = first_row(*state, "\n## Codes\n");
    for (size_t i = 0; i < berth_codes_count; i++) {
        char wanted[LINE_BYTES];
        int len = snprintf(wanted, sizeof(wanted), "| `%s` | %s |", berth_codes[i].code,
                           berth_codes[i].meaning);
        assert_in_range(len, 1, sizeof(wanted) - 1);
        if (strncmp(row, wanted, (size_t)len) != 0) {
            fail_msg("docs/events.md: instead of \"%s\" it says \"%.*s\"", wanted,
                     (int)strcspn(row, "\n"), row);
        }
        const char *end = strchr(row, '\n');
        const char *dead_letter = strstr(row, "dead letter");
        assert_int_equal(dead_letter != NULL && dead_letter < end, berth_codes[i].dead_letter);
        row = end + 1;
    }
    assert_int_equal(*row, '\n');
}

static void assert_explained(const char *page, const struct berth_detail *detail) {
    char wanted[LINE_BYTES];
    (void)snprintf(wanted, sizeof(wanted), "\n| `%s` |", detail->name);
    /* The page's last table. */
    const char *rows = first_row(page, "\n## Details\n") - 1;
    if (strstr(rows, wanted) == NULL) {
        fail_msg("docs/events.md: the table of details has no \"%s\"", detail->name);
    }
}

/* Whoever translates a refusal's sentence needs all of its parameters. */
static void test_every_detail_of_a_refusal_is_explained(void **state) {
    static struct berth_command command = {
        .type = BERTH_DELETE_SPACE, .registry = "alpha", .space = "team-a"};
    static struct berth_binding binding = {.workspace = "blue"};
    struct berth_plan_item item = {.workspace = "blue", .robot_name = "robot$team-a+ws-blue"};
    static struct berth_work work;
    work = (struct berth_work){.command = &command, .items = &item, .items_count = 1};
    work.now.bindings = &binding;
    work.now.bindings_count = 1;

    for (unsigned i = BERTH_REFUSAL_NONE + 1; i < BERTH_REFUSALS; i++) {
        bool of_workspace = i >= BERTH_REFUSAL_WORKSPACE_HARBOR;
        work.refusal = of_workspace ? BERTH_REFUSAL_NONE : (enum berth_plan_refusal)i;
        item.refusal = of_workspace ? (enum berth_plan_refusal)i : BERTH_REFUSAL_NONE;
        struct berth_outcome outcome = {0};
        plan_detail(&outcome, "registry", command.registry);
        plan_detail(&outcome, "space", command.space);
        plan_explain_refusal(&work, &outcome);
        for (size_t k = 0; k < outcome.details_count; k++) {
            assert_explained(*state, &outcome.details[k]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_of_codes_is_the_one_in_the_code),
        cmocka_unit_test(test_every_detail_of_a_refusal_is_explained),
    };
    return cmocka_run_group_tests(tests, read_page, free_page);
}
