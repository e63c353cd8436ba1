/* SPDX-License-Identifier: Apache-2.0 */
/* docs/man/berth-events.7 lists the codes that there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/codes.h"

#define PAGE_BYTES_MAX (64L * 1024)
#define LINE_BYTES     256
#define BEGIN          ".\\\" The codes, as in src/core/codes.c: unit.events_manual compares them.\n"
#define END            ".\\\" These were the codes.\n"

/* Every code in the order of the table, with its sentence, and no code more. */
static void test_the_codes_of_the_manual_are_those_in_the_code(void **state) {
    (void)state;
    static char page[PAGE_BYTES_MAX];
    FILE *file = fopen(BERTH_EVENTS_MANUAL, "re");
    assert_non_null(file);
    size_t len = fread(page, 1, PAGE_BYTES_MAX - 1, file);
    assert_in_range(len, 1, PAGE_BYTES_MAX - 2); /* All of it was read. */
    assert_int_equal(fclose(file), 0);
    const char *at = strstr(page, BEGIN);
    assert_non_null(at);
    at += strlen(BEGIN);
    for (size_t i = 0; i < berth_codes_count; i++) {
        char wanted[LINE_BYTES];
        int wanted_len = snprintf(wanted, sizeof(wanted), ".It Cm %s\n%s\n", berth_codes[i].code,
                                  berth_codes[i].meaning);
        assert_in_range(wanted_len, 1, sizeof(wanted) - 1);
        if (strncmp(at, wanted, (size_t)wanted_len) != 0) {
            fail_msg("docs/man/berth-events.7: instead of \"%s\" it says \"%.*s\"", wanted,
                     wanted_len, at);
        }
        at += wanted_len;
    }
    assert_memory_equal(at, END, strlen(END));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_codes_of_the_manual_are_those_in_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
