/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as text: the example file, and what `berthd -t` shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"

#define TEXT_MAX ((size_t)256 * 1024)

/* The file of the repository, with a NUL behind it. */
static char *read_example(void) {
    FILE *file = fopen(BERTH_EXAMPLE, "re");
    assert_non_null(file);
    char *text = calloc(TEXT_MAX, 1);
    assert_non_null(text);
    assert_true(fread(text, 1, TEXT_MAX - 1, file) < TEXT_MAX - 1);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* The example is made from the table, so that no option is without its words. When this fails, the
 * right file is next to the test's program. */
static void test_the_example_file_is_the_tables(void **state) {
    (void)state;
    struct berth_buffer made;
    berth_buffer_init(&made, TEXT_MAX);
    assert_int_equal(berth_config_write_example(&made), BERTH_OK);
    char *there = read_example();
    if (strcmp(there, (const char *)made.data) != 0) {
        FILE *file = fopen("berth.conf.example", "we");
        assert_non_null(file);
        assert_int_equal(fwrite(made.data, 1, made.len, file), made.len);
        assert_int_equal(fclose(file), 0);
        print_error("copy berth.conf.example from the test's folder to %s\n", BERTH_EXAMPLE);
    }
    assert_string_equal(there, (const char *)made.data);
    free(there);
    berth_buffer_deinit(&made);
}

/* Every value in the example is one that is accepted. */
static void test_the_example_file_is_accepted(void **state) {
    struct config_fixture *fixture = *state;
    char *text = read_example();
    /* The secrets of the example are nowhere: the test's own take their place. */
    struct berth_buffer own;
    berth_buffer_init(&own, TEXT_MAX);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *shown = strncmp(line, "master_key_file", strlen("master_key_file")) == 0
                                ? "master_key_file = @/master"
                            : strncmp(line, "password_file", strlen("password_file")) == 0
                                ? "password_file = @/password"
                                : line;
        assert_int_equal(berth_buffer_printf(&own, "%s\n", shown), BERTH_OK);
    }
    config_fixture_assert_accepted(fixture, (const char *)own.data, "");
    berth_buffer_deinit(&own);
    free(text);
}

#define PLAIN                                                                                      \
    "security.protocol = SASL_SSL\n"                                                               \
    "sasl.mechanism = PLAIN\n"                                                                     \
    "sasl.username = berth\n"

/* What `berthd -t` shows can be used as a configuration again, and means the same. */
static void test_what_is_shown_can_be_loaded(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(
        fixture,
        CONFIG_BERTH "log_level = debug\n"
                     "protected_spaces = a, b\n" CONFIG_KAFKA
                     "sasl.password_file = @/password\n" PLAIN CONFIG_REGISTRY "dedicated = yes\n",
        "");
    struct berth_buffer first;
    struct berth_buffer second;
    berth_buffer_init(&first, TEXT_MAX);
    berth_buffer_init(&second, TEXT_MAX);
    assert_int_equal(berth_config_write(fixture->config, &first), BERTH_OK);
    const char *shown = (const char *)first.data;
    assert_non_null(strstr(shown, "log_level = debug\n"));
    assert_non_null(strstr(shown, "protected_spaces = a, b\n"));
    assert_non_null(strstr(shown, "lease_ms = 15000\n"));
    assert_non_null(strstr(shown, "[registry main]\n"));
    assert_non_null(strstr(shown, "dedicated = yes\n"));

    config_fixture_assert_accepted(fixture, shown, "");
    assert_int_equal(berth_config_write(fixture->config, &second), BERTH_OK);
    assert_string_equal(shown, (const char *)second.data);
    berth_buffer_deinit(&first);
    berth_buffer_deinit(&second);
}

static void test_secrets_are_never_shown(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(
        fixture,
        CONFIG_BERTH CONFIG_KAFKA "sasl.password_file = @/password\n" PLAIN CONFIG_REGISTRY, "");
    assert_string_equal(fixture->config->kafka.properties[1].value, CONFIG_PASSWORD);
    struct berth_buffer shown;
    berth_buffer_init(&shown, TEXT_MAX);
    assert_int_equal(berth_config_write(fixture->config, &shown), BERTH_OK);
    assert_null(strstr((const char *)shown.data, CONFIG_PASSWORD));
    assert_null(strstr((const char *)shown.data, CONFIG_MASTER_KEY));
    berth_buffer_deinit(&shown);
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, config_fixture_setup, config_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_example_file_is_the_tables),
        TEST(test_the_example_file_is_accepted),
        TEST(test_what_is_shown_can_be_loaded),
        TEST(test_secrets_are_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
