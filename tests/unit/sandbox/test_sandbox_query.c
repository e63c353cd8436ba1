/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's q= grammar, sorting and paging (paragraphs 1.5 and 2.6 of the contract notes). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_query.h"

/* Room for the names of all ROWS. */
#define NAMES_BYTES 128

struct row {
    const char *name;
    int64_t id;
    bool disabled;
    int64_t created_ms;
};

static const struct berth_model_query_field FIELDS[] = {
    {"Name", "name", NULL, BERTH_MODEL_QUERY_TEXT, offsetof(struct row, name)},
    {"ProjectID", "project_id", NULL, BERTH_MODEL_QUERY_NUMBER, offsetof(struct row, id)},
    {"Disabled", "disabled", NULL, BERTH_MODEL_QUERY_FLAG, offsetof(struct row, disabled)},
    {"CreationTime", "creation_time", NULL, BERTH_MODEL_QUERY_TIME,
     offsetof(struct row, created_ms)},
};

static const struct berth_model_query_table TABLE = {.fields = FIELDS, .field_count = 4};

static const struct row ROWS[] = {
    {"team-a+ws-1", 1, false, 0},
    {"plain", 2, true, 86400000},
    {"123", 3, false, 172800000},
};

/* Applies the query to ROWS; what comes out is written as names with blanks between them. */
static enum berth_rc run(const struct berth_model_query *query, char ret_names[NAMES_BYTES],
                         int64_t *ret_total) {
    const size_t count = sizeof(ROWS) / sizeof(ROWS[0]);
    const void **items = malloc(count * sizeof(items[0]));
    assert_non_null(items);
    for (size_t i = 0; i < count; i++) {
        items[i] = &ROWS[i];
    }
    struct berth_model_query_page page;
    enum berth_rc rc = berth_model_query_apply(query, &TABLE, items, count, &page);
    if (rc != BERTH_OK) {
        return rc;
    }
    size_t len = 0;
    ret_names[0] = '\0';
    for (size_t i = 0; i < page.count; i++) {
        const struct row *row = page.items[i];
        len += (size_t)snprintf(ret_names + len, NAMES_BYTES - len, "%s%s", i == 0 ? "" : " ",
                                row->name);
        assert_true(len < NAMES_BYTES);
    }
    *ret_total = page.total;
    berth_model_query_page_deinit(&page);
    return BERTH_OK;
}

static void assert_finds(const char *q, const char *expected) {
    struct berth_model_query query;
    char names[NAMES_BYTES];
    int64_t total = 0;
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, q, NULL), BERTH_OK);
    assert_int_equal(run(&query, names, &total), BERTH_OK);
    assert_string_equal(names, expected);
}

static void assert_refused_by_database(const char *q) {
    struct berth_model_query query;
    char names[NAMES_BYTES];
    int64_t total = 0;
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, q, NULL), BERTH_OK);
    assert_int_equal(run(&query, names, &total), BERTH_INVALID);
}

static void test_each_kind_of_term_finds_what_it_should(void **state) {
    (void)state;
    assert_finds("name=plain", "plain");
    assert_finds("name=pla", "");
    assert_finds("name=~LAI", "plain");
    assert_finds("project_id=[2~]", "123 plain");
    assert_finds("project_id=[~2]", "plain team-a+ws-1");
    assert_finds("project_id=[2~2]", "plain");
    assert_finds("project_id={1 3}", "123 team-a+ws-1");
    assert_finds("disabled=true", "plain");
    assert_finds("creation_time=[1970-01-02T00:00:00~1970-01-02T12:00:00]", "plain");
    assert_finds("name=plain,disabled=false", "");
}

/* A number is fine as an exact name, but not within a list or range of names. */
static void test_digits_compare_with_text_only_when_exact(void **state) {
    (void)state;
    assert_finds("name=123", "123");
    assert_refused_by_database("name={123 plain}");
    assert_refused_by_database("name=[1~]");
    assert_refused_by_database("project_id=abc");
    assert_refused_by_database("disabled=maybe");
}

/* The trap: a "+" that was escaped only once has become a blank. */
static void test_the_text_is_decoded_a_second_time(void **state) {
    (void)state;
    assert_finds("Name=team-a%2Bws-1", "team-a+ws-1");
    assert_finds("Name=team-a+ws-1", "");
}

/* Go field names and columns both work; unknown keys filter nothing, which is a trap as well. */
static void test_unknown_keys_are_ignored(void **state) {
    (void)state;
    assert_finds("ProjectID=2", "plain");
    assert_finds("projectid=2", "123 plain team-a+ws-1");
    assert_finds("name=(plain team)", "123 plain team-a+ws-1");
}

static void test_malformed_queries_are_invalid(void **state) {
    (void)state;
    static const char *const MALFORMED[] = {"name",    "=x",         "name=",   "name=plain,",
                                            "id=[1]",  "id=[1~2~3]", "id=[1~2", "id=[~]",
                                            "name={a", "name=(a",    "name=~"};
    for (size_t i = 0; i < sizeof(MALFORMED) / sizeof(MALFORMED[0]); i++) {
        struct berth_model_query query;
        struct berth_error error = {""};
        berth_model_query_init(&query);
        assert_int_equal(berth_model_query_parse(&query, MALFORMED[i], &error), BERTH_INVALID);
        assert_true(strlen(error.text) > 0);
    }
}

/* Whatever is sent, the bounds hold. */
static void test_more_than_fits_is_invalid(void **state) {
    (void)state;
    struct berth_model_query query;
    char text[BERTH_MODEL_QUERY_TEXT_BYTES_MAX + 1];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    text[1] = '=';
    berth_model_query_init(&query);
    assert_int_equal(berth_model_query_parse(&query, text, NULL), BERTH_INVALID);
    text[BERTH_MODEL_QUERY_VALUE_BYTES_MAX + 2] = '\0';
    assert_int_equal(berth_model_query_parse(&query, text, NULL), BERTH_INVALID);
    berth_model_query_init(&query);
    assert_int_equal(
        berth_model_query_parse(&query,
                                "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,"
                                "o=1,p=1,q=1",
                                NULL),
        BERTH_INVALID);
}

static void test_rows_are_sorted_by_name_unless_asked_otherwise(void **state) {
    (void)state;
    static const struct {
        const char *sort;
        const char *expected;
    } CASES[] = {
        {"", "123 plain team-a+ws-1"},
        {"-name", "team-a+ws-1 plain 123"},
        {"-project_id", "123 plain team-a+ws-1"},
        {"project_id", "team-a+ws-1 plain 123"},
        {"nonsense", "123 plain team-a+ws-1"},
        {"disabled,-name", "team-a+ws-1 123 plain"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct berth_model_query query;
        char names[NAMES_BYTES];
        int64_t total = 0;
        berth_model_query_init(&query);
        berth_model_query_parse_sort(&query, CASES[i].sort);
        assert_int_equal(run(&query, names, &total), BERTH_OK);
        assert_string_equal(names, CASES[i].expected);
    }
}

static void test_pages_are_cut_and_the_total_counts_all_of_them(void **state) {
    (void)state;
    static const struct {
        int64_t page;
        int64_t page_size;
        const char *expected;
    } CASES[] = {
        {1, 2, "123 plain"},
        {2, 2, "team-a+ws-1"},
        {3, 2, ""},
        {1, 100, "123 plain team-a+ws-1"},
        {1, 0, "123 plain team-a+ws-1"},
        {1, -1, "123 plain team-a+ws-1"},
        {INT64_MAX, INT64_MAX, ""},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct berth_model_query query;
        char names[NAMES_BYTES];
        int64_t total = 0;
        berth_model_query_init(&query);
        query.page = CASES[i].page;
        query.page_size = CASES[i].page_size;
        assert_int_equal(run(&query, names, &total), BERTH_OK);
        assert_string_equal(names, CASES[i].expected);
        assert_int_equal(total, 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_term_finds_what_it_should),
        cmocka_unit_test(test_digits_compare_with_text_only_when_exact),
        cmocka_unit_test(test_the_text_is_decoded_a_second_time),
        cmocka_unit_test(test_unknown_keys_are_ignored),
        cmocka_unit_test(test_malformed_queries_are_invalid),
        cmocka_unit_test(test_more_than_fits_is_invalid),
        cmocka_unit_test(test_rows_are_sorted_by_name_unless_asked_otherwise),
        cmocka_unit_test(test_pages_are_cut_and_the_total_counts_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
