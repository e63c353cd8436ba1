/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: text of unknown origin, parts of results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record_json.h"
#include "text.h"

/* A stream that can be looked at. */
struct page {
    FILE *out;
    char *text;
    size_t len;
};

static void open_page(struct page *page) {
    page->out = open_memstream(&page->text, &page->len);
    assert_non_null(page->out);
}

static void assert_page(struct page *page, const char *expected) {
    assert_int_equal(fclose(page->out), 0);
    assert_string_equal(page->text, expected);
    free(page->text);
}

static void assert_text(const char *text, size_t len, const char *expected) {
    struct page page;
    open_page(&page);
    cli_put_text(page.out, text, len);
    assert_page(&page, expected);
}

/* A name may hold what moves the cursor or starts a new line: it is shown, and does nothing. */
static void test_control_characters_are_shown(void **state) {
    (void)state;
    assert_text("a\nb\x1b[2J\x7f", 8, "a\\x0ab\\x1b[2J\\x7f");
    assert_text("\xc2\x9b"
                "2J",
                4, "\\xc2\\x9b2J");
    assert_text("a\0b", 3, "a\\x00b");
}

static void test_text_in_any_language_stays(void **state) {
    (void)state;
    assert_text("\xe5\xb7\xa5 \xc3\xa9", 6, "\xe5\xb7\xa5 \xc3\xa9");
}

static void test_bytes_outside_utf_8_are_shown(void **state) {
    (void)state;
    assert_text("a\xff\xc3", 3, "a\\xff\\xc3");
    assert_text(NULL, 0, "");
}

static void test_the_workspace_column(void **state) {
    (void)state;
    struct page page;
    json_t *none = json_array();
    json_t *names = json_pack("[s,s]", "dev", "prod");
    json_t *bindings = json_pack("[{s:s,s:i}]", "workspace", "dev", "robot_id", 7);
    open_page(&page);
    cli_put_workspaces(page.out, none);
    (void)fputc('|', page.out);
    cli_put_workspaces(page.out, names);
    (void)fputc('|', page.out);
    cli_put_workspaces(page.out, bindings);
    (void)fputc('|', page.out);
    cli_put_workspaces(page.out, NULL);
    assert_page(&page, "No binding|dev, prod|dev|No binding");
    json_decref(none);
    json_decref(names);
    json_decref(bindings);
}

static void test_members_of_each_type(void **state) {
    (void)state;
    struct page page;
    json_t *object =
        json_pack("{s:s,s:i,s:b,s:n}", "text", "a\tb", "number", -7, "truth", 1, "none");
    static const char *const names[] = {"text", "number", "truth", "none", "absent"};
    open_page(&page);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cli_put_member(page.out, object, names[i]);
        (void)fputc('|', page.out);
    }
    assert_page(&page, "a\\x09b|-7|yes|-|-|");
    assert_string_equal(cli_member(object, "text"), "a\tb");
    assert_string_equal(cli_member(object, "number"), "");
    json_decref(object);
}

static void test_quotas_as_people_write_them(void **state) {
    (void)state;
    static const struct {
        json_int_t bytes;
        const char *text;
    } cases[] = {
        {-1, "unlimited"},
        {1, "1 bytes"},
        {1000, "1000 bytes"},
        {1536, "1536 bytes"},
        {2048, "2 KiB"},
        {(json_int_t)10 << 30, "10 GiB"},
        {(json_int_t)3 << 50, "3072 TiB"},
    };
    char text[CLI_QUOTA_BYTES];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *bytes = json_integer(cases[i].bytes);
        cli_quota_text(bytes, text);
        assert_string_equal(text, cases[i].text);
        json_decref(bytes);
    }
    cli_quota_text(json_null(), text);
    assert_string_equal(text, "-");
}

static void test_times_are_utc(void **state) {
    (void)state;
    char text[CLI_TIME_BYTES];
    cli_time_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    cli_time_text(1763780645006, text);
    assert_string_equal(text, "2025-11-22T03:04:05.006Z");
    cli_time_text(-1, text);
    assert_string_equal(text, "-");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_characters_are_shown),
        cmocka_unit_test(test_text_in_any_language_stays),
        cmocka_unit_test(test_bytes_outside_utf_8_are_shown),
        cmocka_unit_test(test_the_workspace_column),
        cmocka_unit_test(test_members_of_each_type),
        cmocka_unit_test(test_quotas_as_people_write_them),
        cmocka_unit_test(test_times_are_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
