/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax of the file: above all what inih would cut or misread in silence. */
#include <string.h>

#include "config_fixture.h"

static void load_with_line(struct config_fixture *fixture, const char *line, size_t len,
                           enum berth_rc expected) {
    struct berth_buffer text;
    berth_buffer_init(&text, 4096);
    assert_int_equal(berth_buffer_append_text(&text, CONFIG_KAFKA), BERTH_OK);
    assert_int_equal(berth_buffer_append(&text, line, len), BERTH_OK);
    assert_int_equal(config_fixture_load_bytes(fixture, BERTH_CONFIG_FOR_TOOLS,
                                               (const char *)text.data, text.len),
                     expected);
    berth_buffer_deinit(&text);
}

/* inih drops what is beyond 199 bytes, and would take the rest as the next line. */
static void test_a_line_too_long_is_refused_and_not_cut(void **state) {
    struct config_fixture *fixture = *state;
    char line[BERTH_CONFIG_LINE_BYTES_MAX + 2];
    memset(line, 'x', sizeof(line));
    memcpy(line, "client.id = ", strlen("client.id = "));

    load_with_line(fixture, line, BERTH_CONFIG_LINE_BYTES_MAX, BERTH_OK);
    assert_int_equal(strlen(fixture->config->kafka.properties[1].value),
                     BERTH_CONFIG_LINE_BYTES_MAX - strlen("client.id = "));

    load_with_line(fixture, line, BERTH_CONFIG_LINE_BYTES_MAX + 1, BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: the line has 200 bytes, more than 199; a list may go on on "
                        "the next line, which is then indented, after a comma\n");
}

static void test_a_comment_may_be_long(void **state) {
    struct config_fixture *fixture = *state;
    char line[1000];
    memset(line, 'x', sizeof(line));
    line[0] = '#';
    load_with_line(fixture, line, sizeof(line), BERTH_OK);
}

/* inih keeps 49 bytes of a section's name, so two long names could become one. */
static void test_a_long_registry_name_is_kept_whole(void **state) {
    struct config_fixture *fixture = *state;
    static const char name[] = "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-123";
    assert_int_equal(strlen(name), 63);
    assert_int_equal(
        config_fixture_load(
            fixture, BERTH_CONFIG_FOR_TOOLS,
            CONFIG_KAFKA
            "[registry a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-123]\n"
            "limit = 3\n"
            "[registry a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-124]\n"
            "limit = 4\n"),
        BERTH_OK);
    assert_int_equal(fixture->config->registries_count, 2);
    assert_string_equal(fixture->config->registries[0].name, name);
    assert_int_equal(fixture->config->registries[0].limit, 3);
    assert_int_equal(fixture->config->registries[1].limit, 4);
}

static void test_a_value_goes_on_after_a_comma(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         "[kafka]\n"
                                         "bootstrap.servers = a:1,\n"
                                         "    b:2,\n"
                                         "\tc:3\n"
                                         "client.id = x\n"),
                     BERTH_OK);
    assert_int_equal(fixture->config->kafka.properties_count, 2);
    assert_string_equal(fixture->config->kafka.properties[0].value, "a:1,b:2,c:3");
}

/* To inih any indented line goes on with the value before: a file that is indented for its looks
 * would become one long value. */
static void test_an_indented_line_is_an_option_of_its_own(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         "[kafka]\n"
                                         "  bootstrap.servers = a:1\n"
                                         "  client.id = x\n"
                                         "  [topics]\n"
                                         "    audit = trail\n"),
                     BERTH_OK);
    assert_int_equal(fixture->config->kafka.properties_count, 2);
    assert_string_equal(fixture->config->topics.audit, "trail");
}

/* inih takes " ;" as a comment and " #" as part of the value. */
static void test_a_comment_behind_a_value_is_refused(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "; one\n"
                                                      "   # two\n"
                                                      "client.id = x ; three\n"
                                                      "[topics] # four\n"
                                                      "audit = a;b#c\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:5: error: ';' after a blank: a comment needs a line of its own\n"
                        "FILE:6: error: '#' after a blank: a comment needs a line of its own\n"
                        "FILE:7: error: librdkafka has no property audit\n");
}

static void test_what_is_no_entry_is_refused(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         "limit = 3\n" CONFIG_KAFKA "[topics\n"
                                         "[topics] audit = x\n"
                                         "just words\n"),
                     BERTH_INVALID);
    assert_string_equal(
        config_fixture_messages(fixture),
        "FILE:1: error: limit stands before any [section]\n"
        "FILE:4: error: a section's line begins with '[' and ends with its only ']'\n"
        "FILE:5: error: a section's line begins with '[' and ends with its only ']'\n"
        "FILE:6: error: neither a [section], nor name = value, nor a comment\n");
}

static void test_files_of_other_editors_are_read(void **state) {
    struct config_fixture *fixture = *state;
    /* A byte order mark, carriage returns, no newline at the end. */
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         "\xef\xbb\xbf[kafka]\r\n"
                                         "bootstrap.servers = a:1\r\n"
                                         "client.id=x"),
                     BERTH_OK);
    assert_string_equal(fixture->config->kafka.properties[0].value, "a:1");
    assert_string_equal(fixture->config->kafka.properties[1].value, "x");
}

static void test_a_nul_byte_is_refused(void **state) {
    struct config_fixture *fixture = *state;
    static const char line[] = "client.id = x\0y\n";
    load_with_line(fixture, line, sizeof(line) - 1, BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: the line holds a NUL byte\n");
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, config_fixture_setup, config_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_too_long_is_refused_and_not_cut),
        TEST(test_a_comment_may_be_long),
        TEST(test_a_long_registry_name_is_kept_whole),
        TEST(test_a_value_goes_on_after_a_comma),
        TEST(test_an_indented_line_is_an_option_of_its_own),
        TEST(test_a_comment_behind_a_value_is_refused),
        TEST(test_what_is_no_entry_is_refused),
        TEST(test_files_of_other_editors_are_read),
        TEST(test_a_nul_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
