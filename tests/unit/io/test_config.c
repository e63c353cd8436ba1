/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "config_fixture.h"

/* The smallest file that berthd starts with: what is required, and defaults for all the rest. */
static void test_the_smallest_file_has_defaults_for_the_rest(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");

    const struct berth_config *config = fixture->config;
    assert_string_equal(config->path, fixture->path);
    assert_string_equal(config->deployment, "test");
    assert_int_equal(config->start, BERTH_START_EARLIEST);
    assert_string_equal(config->group, "berth");
    assert_int_equal(config->log_level, BERTH_LOG_INFO);
    assert_int_equal(config->protected_spaces.count, 1);
    assert_string_equal(config->protected_spaces.items[0], "library");
    assert_int_equal(config->lease_ms, 15000);
    assert_int_equal(config->renew_ms, 5000);
    assert_string_equal(config->topics.spaces, "berth.spaces");
    assert_string_equal(config->redis.prefix, "berth:v1:");
    assert_null(config->redis.password_file);
    assert_null(config->redis.password.text);
    assert_int_equal(config->kafka.properties_count, 1);
    assert_string_equal(config->kafka.properties[0].name, "bootstrap.servers");
    assert_string_equal(config->kafka.properties[0].value, "127.0.0.1:9092");

    assert_int_equal(config->registries_count, 1);
    const struct berth_config_registry *registry = berth_config_find_registry(config, "main");
    assert_ptr_equal(registry, &config->registries[0]);
    assert_string_equal(registry->command_topic, "berth.commands.main");
    assert_false(registry->dedicated);
    assert_int_equal(registry->limit, 16);
    assert_null(registry->ca_file);
    assert_null(berth_config_find_registry(config, "other"));
}

/* A worker's name must be stable over restarts without anybody choosing one. */
static void test_the_instance_is_the_host_name_unless_given(void **state) {
    struct config_fixture *fixture = *state;
    char host[256] = "";
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    assert_string_equal(fixture->config->instance, host);

    config_fixture_assert_accepted(
        fixture, CONFIG_BERTH "instance = worker_7\n" CONFIG_KAFKA CONFIG_REGISTRY, "");
    assert_string_equal(fixture->config->instance, "worker_7");
}

static void test_values_are_read_by_their_type(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture,
                                   CONFIG_BERTH "log_level = debug\n"
                                                "protected_spaces = library, base-images ,x.y\n"
                                                "admin_listen = [::1]:8080\n" CONFIG_KAFKA
                                                "[registry main]\n"
                                                "uid = 3F0D9A52-6F0E-4A55-9C1E-0B7F5F5D7C11\n"
                                                "url = https://harbor.example.com:8443/sub/\n"
                                                "username = robot$x\n"
                                                "password_file = @/password\n"
                                                "dedicated = yes\n"
                                                "request_timeout_ms = 3000\n",
                                   "");
    const struct berth_config *config = fixture->config;
    assert_int_equal(config->log_level, BERTH_LOG_DEBUG);
    assert_int_equal(config->protected_spaces.count, 3);
    assert_string_equal(config->protected_spaces.items[1], "base-images");
    assert_string_equal(config->protected_spaces.items[2], "x.y");
    assert_string_equal(config->admin_listen, "[::1]:8080");
    assert_string_equal(config->registries[0].uid, CONFIG_UID);
    assert_string_equal(config->registries[0].url, "https://harbor.example.com:8443/sub");
    assert_true(config->registries[0].dedicated);
    assert_int_equal(config->registries[0].request_timeout_ms, 3000);
}

/* One run shows all there is to repair, each with its line. */
static void test_all_errors_are_told_at_once(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        "[berth]\n"
        "deployment = Test\n"
        "lease_ms = 15s\n"
        "renew_ms = 99\n"
        "log_level = loud\n"
        "state_dir = var\n"
        "admin_listen = 8080\n"
        "protected_spaces = library, -x\n" CONFIG_KAFKA "[registry a]\n"
        "uid = 1\n"
        "url = harbor.example.com\n"
        "dedicated = true\n"
        "command_topic = a/b\n",
        "FILE:2: error: deployment = Test: must be 1 to 32 lower-case letters, digits and '-'\n"
        "FILE:3: error: lease_ms = 15s: must be a number from 1000 to 600000 milliseconds\n"
        "FILE:4: error: renew_ms = 99: must be a number from 100 to 300000 milliseconds\n"
        "FILE:5: error: log_level = loud: must be error, warning, info or debug\n"
        "FILE:6: error: state_dir = var: must be a whole path, from \"/\" on\n"
        "FILE:7: error: admin_listen = 8080: must be HOST:PORT, or [ADDRESS]:PORT for IPv6\n"
        "FILE:8: error: protected_spaces = library, -x: must be names of spaces, by commas; "
        "\"-x\" is not one\n"
        "FILE:12: error: uid = 1: must be a UUID, such as 3f0d9a52-6f0e-4a55-9c1e-0b7f5f5d7c11\n"
        "FILE:13: error: url = harbor.example.com: must begin with http:// or https://\n"
        "FILE:14: error: dedicated = true: must be yes or no\n"
        "FILE:15: error: command_topic = a/b: must be 1 to 249 letters, digits, '.', '_' and "
        "'-'\n"
        "FILE: error: start in [berth] is missing: Where a partition begins for which no offset "
        "was ever committed.\n"
        "FILE: error: master_key_file in [berth] is missing: The key that pull secrets are "
        "derived from; with another one, all of them change.\n"
        "FILE:11: error: username in [registry] is missing: The account that berth works with.\n"
        "FILE:11: error: password_file in [registry] is missing: The account's password.\n");
}

static void test_numbers_are_kept_to_their_range(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "[redis]\n"
                     "timeout_ms = 60001\n"
                     "database = 99999999999999999999\n",
        "FILE:13: error: timeout_ms = 60001: must be a number from 50 to 60000 milliseconds\n"
        "FILE:14: error: database = 99999999999999999999: must be a number from 0 to 65535\n");
    config_fixture_assert_accepted(fixture,
                                   CONFIG_WHOLE "limit = 1000\n"
                                                "[redis]\n"
                                                "timeout_ms = 50\n"
                                                "database = 65535\n",
                                   "");
    assert_int_equal(fixture->config->registries[0].limit, 1000);
    assert_int_equal(fixture->config->redis.timeout_ms, 50);
    assert_int_equal(fixture->config->redis.database, 65535);
}

/* A report is bounded, and says so. */
static void test_more_errors_than_fit_are_counted(void **state) {
    struct config_fixture *fixture = *state;
    struct berth_buffer text;
    berth_buffer_init(&text, 4096);
    assert_int_equal(berth_buffer_append_text(&text, CONFIG_WHOLE), BERTH_OK);
    for (int i = 0; i < BERTH_CONFIG_FINDINGS_MAX + 3; i++) {
        assert_int_equal(berth_buffer_printf(&text, "nothing%d = 1\n", i), BERTH_OK);
    }
    enum berth_rc rc =
        config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, (const char *)text.data);
    berth_buffer_deinit(&text);
    assert_int_equal(rc, BERTH_INVALID);
    assert_int_equal(fixture->report.findings_count, BERTH_CONFIG_FINDINGS_MAX);
    assert_int_equal(fixture->report.errors_count, BERTH_CONFIG_FINDINGS_MAX + 3);
    assert_non_null(strstr(config_fixture_messages(fixture), "FILE: and 3 more\n"));
}

static void test_an_unknown_option_gets_the_nearest_name(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "comand_topic = x\n"
                     "password = hunter2\n"
                     "lease_ms = 20000\n"
                     "colour = red\n"
                     "lmt = 3\n",
        "FILE:12: error: there is no option comand_topic in [registry]; did you mean "
        "command_topic?\n"
        "FILE:13: error: there is no option password in [registry]; did you mean password_file?\n"
        "FILE:14: error: there is no option lease_ms in [registry]; it belongs in [berth]\n"
        "FILE:15: error: there is no option colour in [registry]\n"
        "FILE:16: error: there is no option lmt in [registry]; did you mean limit?\n");
}

static void test_an_unknown_section_is_told_once(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "[topic]\n"
                     "results = x\n"
                     "audit = y\n"
                     "[registry]\n"
                     "[registry A]\n"
                     "[logging]\n",
        "FILE:12: error: there is no section [topic]; did you mean [topics]?\n"
        "FILE:15: error: [registry] must be [registry NAME], with 1 to 63 lower-case letters, "
        "digits and '-' as its name\n"
        "FILE:16: error: [registry A] must be [registry NAME], with 1 to 63 lower-case letters, "
        "digits and '-' as its name\n"
        "FILE:17: error: there is no section [logging], but [berth], [kafka], [topics], [redis] "
        "and [registry NAME]\n");
}

/* The second of two values would win, or the first: nobody should have to know. */
static void test_what_is_there_twice_is_refused(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "username = other\n"
                     "[kafka]\n"
                     "bootstrap.servers = b:9092\n"
                     "[registry main]\n",
        "FILE:13: error: [kafka] is there twice (first in line 5)\n"
        "FILE:15: error: [registry main] is there twice (first in line 7)\n"
        "FILE:12: error: username is set twice (first in line 10)\n"
        "FILE:14: error: bootstrap.servers is set twice\n");
}

static void test_a_file_that_cannot_be_read_says_why(void **state) {
    (void)state;
    struct berth_config *config = NULL;
    struct berth_config_report report;
    assert_int_equal(
        berth_config_load("/nonexistent/file", BERTH_CONFIG_FOR_TOOLS, &config, &report),
        BERTH_INVALID);
    assert_int_equal(report.errors_count, 1);
    assert_string_equal(report.findings[0].text, "can't be read: No such file or directory");
    assert_null(config);
}

/* `berth` is used where berthd's secrets are not. */
static void test_the_tools_need_kafka_and_no_secrets(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "[registry main]\n"
                                                      "[registry far]\n"
                                                      "password_file = /nonexistent\n"),
                     BERTH_OK);
    assert_string_equal(config_fixture_messages(fixture), "");
    assert_int_equal(fixture->config->registries_count, 2);
    assert_string_equal(fixture->config->registries[1].command_topic, "berth.commands.far");
    assert_null(fixture->config->registries[1].password.text);

    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS, "[registry main]\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE: error: bootstrap.servers in [kafka] is missing: some of the "
                        "brokers, HOST:PORT, by commas\n");
}

/* Whoever looks bindings up needs what berthd has of Redis and Harbor, and neither the master key,
 * nor Kafka, nor what only a worker is asked. */
static void test_lookups_need_the_accounts_of_redis_and_the_registries(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_LOOKUPS,
                                         "[berth]\n"
                                         "master_key_file = /nonexistent\n"
                                         "[redis]\n"
                                         "password_file = @/password\n" CONFIG_REGISTRY),
                     BERTH_OK);
    assert_string_equal(config_fixture_messages(fixture), "");
    assert_string_equal(fixture->config->redis.password.text, CONFIG_PASSWORD);
    assert_string_equal(fixture->config->registries[0].password.text, CONFIG_PASSWORD);
    assert_null(fixture->config->master_key.text);

    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_LOOKUPS,
                                         "[registry main]\n"
                                         "uid = " CONFIG_UID "\n"
                                         "url = https://main.example.com\n"
                                         "username = berth\n"),
                     BERTH_INVALID);
    assert_string_equal(
        config_fixture_messages(fixture),
        "FILE:1: error: password_file in [registry] is missing: The account's password.\n");

    /* Lists are Redis' alone: whoever may read them needs no account of Harbor. */
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_LISTS,
                                         "[redis]\n"
                                         "password_file = @/password\n"
                                         "[registry main]\n"
                                         "uid = " CONFIG_UID "\n"
                                         "[registry other]\n"
                                         "uid = 5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b22\n"
                                         "url = https://other.example.com\n"
                                         "ca_file = /nonexistent\n"
                                         "password_file = /nonexistent\n"),
                     BERTH_OK);
    assert_string_equal(config_fixture_messages(fixture), "");
    assert_string_equal(fixture->config->redis.password.text, CONFIG_PASSWORD);
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, config_fixture_setup, config_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_smallest_file_has_defaults_for_the_rest),
        TEST(test_the_instance_is_the_host_name_unless_given),
        TEST(test_values_are_read_by_their_type),
        TEST(test_all_errors_are_told_at_once),
        TEST(test_numbers_are_kept_to_their_range),
        TEST(test_more_errors_than_fit_are_counted),
        TEST(test_an_unknown_option_gets_the_nearest_name),
        TEST(test_an_unknown_section_is_told_once),
        TEST(test_what_is_there_twice_is_refused),
        TEST(test_a_file_that_cannot_be_read_says_why),
        TEST(test_the_tools_need_kafka_and_no_secrets),
        TEST(test_lookups_need_the_accounts_of_redis_and_the_registries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
