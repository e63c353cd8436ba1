/* SPDX-License-Identifier: Apache-2.0 */
/* A login by a password, but for the password. */
#define PLAIN                                                                                      \
    "security.protocol = sasl_ssl\n"                                                               \
    "sasl.mechanism = PLAIN\n"                                                                     \
    "sasl.username = berth\n"

/* Values that are fine by themselves and not together; secrets; what goes to librdkafka. */
#include <stdio.h>
#include <string.h>

#include "config_fixture.h"

#define OTHER_UID "11111111-2222-4333-8444-555555555555"

/* Design 4.7: a write handed over at the last moment ends within the lease. */
/* A socket has no name that a certificate could bear, and what is for TLS alone would do nothing.
 */
static void test_redis_has_an_address_and_tls_fits_it(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture,
                                   CONFIG_WHOLE "[redis]\naddress = /run/redis/redis.sock\n", "");
    config_fixture_assert_accepted(
        fixture, CONFIG_WHOLE "[redis]\naddress = [::1]:6379\ntls = yes\nserver_name = r\n", "");
    static const struct {
        const char *lines;
        const char *problem;
    } BAD[] = {
        {"address = redis\n", "must be HOST:PORT, [ADDRESS]:PORT for IPv6, or the path of a Unix"},
        {"address = unix:/run/redis.sock\n", "or the path of a Unix socket, from \"/\" on"},
        {"address = /run/redis.sock\ntls = yes\n", "there is no TLS on a Unix socket: tls = no"},
        {"ca_file = @/nowhere.pem\n", "ca_file of [redis] needs tls = yes"},
        {"server_name = redis\n", "server_name of [redis] needs tls = yes"},
        {"tls = yes\nclient_key_file = @/k\n", "client_key_file needs client_cert_file"},
        {"tls = yes\nca_file = @/nowhere.pem\n", "error: ca_file: "},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), CONFIG_WHOLE "[redis]\n%s", BAD[i].lines);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text),
                         BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), BAD[i].problem));
    }
}

static void test_a_lease_outlives_two_requests_and_redis(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture, CONFIG_BERTH "lease_ms = 12000\n" CONFIG_KAFKA CONFIG_REGISTRY,
        "FILE:5: error: lease_ms (12000) must be more than two Harbor requests and Redis' "
        "time-out: 2 * request_timeout_ms + timeout_ms = 12000\n");
    config_fixture_assert_accepted(
        fixture, CONFIG_BERTH "lease_ms = 12001\n" CONFIG_KAFKA CONFIG_REGISTRY, "");
    /* The slowest registry counts. */
    config_fixture_assert_refused(
        fixture, CONFIG_WHOLE CONFIG_REGISTRY_OF("slow", OTHER_UID) "request_timeout_ms = 9000\n",
        "FILE: error: lease_ms (15000) must be more than two Harbor requests and Redis' "
        "time-out: 2 * request_timeout_ms + timeout_ms = 20000\n");
}

static void test_times_fit_each_other(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_BERTH "renew_ms = 7500\n"
                     "restart_grace_ms = 15001\n"
                     "retry_backoff_ms = 500\n"
                     "retry_backoff_max_ms = 400\n" CONFIG_KAFKA CONFIG_REGISTRY
                     "connect_timeout_ms = 5001\n",
        "FILE:5: error: renew_ms (7500) must be less than half of lease_ms (15000), so that one "
        "renewal may be lost\n"
        "FILE:6: error: restart_grace_ms (15001) must not be more than lease_ms (15000)\n"
        "FILE:7: error: retry_backoff_ms (500) must not be more than retry_backoff_max_ms (400)\n"
        "FILE:16: error: connect_timeout_ms (5001) must not be more than request_timeout_ms "
        "(5000)\n");
}

static void test_registries_are_told_apart(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture, CONFIG_WHOLE CONFIG_REGISTRY_OF("second", CONFIG_UID),
        "FILE:13: error: main and second have the same uid; each needs its own (uuidgen makes "
        "one)\n");
    config_fixture_assert_accepted(
        fixture,
        CONFIG_WHOLE "[registry second]\n"
                     "uid = " OTHER_UID "\n"
                     "url = https://main.example.com/\n"
                     "username = berth\n"
                     "password_file = @/password\n"
                     "command_topic = berth.commands.main\n",
        "FILE:14: warning: main and second are the same Harbor: commands for one space under both "
        "names are not kept in order\n"
        "FILE:17: warning: main and second share the topic berth.commands.main: a long outage of "
        "one can stop the other\n");
}

static void test_berthd_needs_a_registry(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(fixture, CONFIG_BERTH CONFIG_KAFKA,
                                  "FILE: error: there is no [registry NAME]: berthd needs one\n");
}

/* A worker that reads its own results as commands would fill its dead letters for ever. */
static void test_every_kind_of_record_has_its_own_topic(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "[topics]\n"
                     "audit = berth.results\n"
                     "dlq = berth.commands.main\n",
        "FILE:13: error: results and audit are both the topic berth.results; each needs its own\n"
        "FILE:7: error: dlq and command_topic are both the topic berth.commands.main; each needs "
        "its own\n");
}

static void test_passwords_in_the_clear_are_warned_of(void **state) {
    struct config_fixture *fixture = *state;
    static const char format[] = "[registry main]\n"
                                 "uid = " CONFIG_UID "\n"
                                 "username = berth\n"
                                 "password_file = @/password\n";
    char text[1024];
    (void)snprintf(text, sizeof(text), "%s%surl = http://harbor.example.com\n",
                   CONFIG_BERTH CONFIG_KAFKA, format);
    config_fixture_assert_accepted(
        fixture, text,
        "FILE:11: warning: passwords and pull secrets of main go over the network unencrypted; "
        "use https\n");
    (void)snprintf(text, sizeof(text), "%s%surl = http://127.0.0.1:8080\n",
                   CONFIG_BERTH CONFIG_KAFKA, format);
    config_fixture_assert_accepted(fixture, text, "");
}

static void test_a_url_holds_no_credentials(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "[registry a]\n"
                                                      "url = https://berth:x@harbor.example.com\n"
                                                      "[registry b]\n"
                                                      "url = https://harbor.example.com/?a=b\n"
                                                      "[registry c]\n"
                                                      "url = https://:99999\n"),
                     BERTH_INVALID);
    assert_int_equal(fixture->report.errors_count, 3);
    assert_int_equal(fixture->report.findings[0].line, 4);
    assert_int_equal(fixture->report.findings[1].line, 6);
    assert_int_equal(fixture->report.findings[2].line, 8);
}

/* Its path is put behind: else every request would be a 404, and look like a Harbor without
 * sessions. */
static void test_a_url_is_where_the_web_page_is(void **state) {
    struct config_fixture *fixture = *state;
    static const char *const bad[] = {"/api/v2.0", "/api/v2.0/", "/api", "/harbor/api/v2.0//"};
    static const char *const good[] = {"", "/", "/harbor", "/api/harbor", "/v2.0", "/xapi/v2"};
    char text[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(text, sizeof(text), CONFIG_KAFKA "[registry a]\nurl = https://h%s\n",
                       bad[i]);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS, text), BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), "the path of Harbor's API"));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(text, sizeof(text), CONFIG_KAFKA "[registry a]\nurl = https://h%s\n",
                       good[i]);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS, text), BERTH_OK);
    }
}

/* An editor's newline is no part of a secret; another one is. */
static void test_one_newline_at_a_secrets_end_does_not_count(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_put(fixture, "password", "one\n\n", 5, 0600);
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    assert_string_equal(fixture->config->master_key.text, CONFIG_MASTER_KEY);
    assert_int_equal(fixture->config->master_key.len, strlen(CONFIG_MASTER_KEY));
    assert_string_equal(fixture->config->registries[0].password.text, "one\n");

    config_fixture_put(fixture, "password", "two\r\n", 5, 0600);
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    assert_string_equal(fixture->config->registries[0].password.text, "two");
}

static void test_secret_files_are_checked(void **state) {
    struct config_fixture *fixture = *state;
    char expected[1024];
    config_fixture_put(fixture, "master", "0123456789abcdef0123456789abcde\n", 32, 0600);
    config_fixture_put(fixture, "password", "\n", 1, 0604);
    enum berth_rc rc = config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON,
                                           CONFIG_WHOLE "[redis]\n"
                                                        "password_file = /etc\n");
    assert_int_equal(rc, BERTH_INVALID);
    (void)snprintf(expected, sizeof(expected),
                   "FILE:4: error: %s/master must hold 32 to 1024 bytes, and holds fewer\n"
                   "FILE:13: error: /etc is not a file\n"
                   "FILE:11: warning: %s/password can be read by everybody: chmod o-rwx it\n"
                   "FILE:11: error: %s/password must hold 1 to 1024 bytes, and holds fewer\n",
                   fixture->folder, fixture->folder, fixture->folder);
    assert_string_equal(config_fixture_messages(fixture), expected);
}

static void test_a_missing_secret_file_is_named(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_refused(
        fixture,
        CONFIG_WHOLE "[redis]\n"
                     "password_file = /nonexistent/secret\n",
        "FILE:13: error: /nonexistent/secret can't be read: No such file or directory\n");
}

/* Without it librdkafka connects in vain, for ever. */
static void test_a_login_by_password_needs_its_file_and_its_user(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS, CONFIG_KAFKA PLAIN),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:4: error: PLAIN needs sasl.password_file: the path of a file that "
                        "holds the password\n");
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "security.protocol = SASL_PLAINTEXT\n"
                                                      "sasl.mechanisms = SCRAM-SHA-512\n"),
                     BERTH_INVALID);
    assert_int_equal(fixture->report.errors_count, 2);
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "security.protocol = SASL_SSL\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: SASL needs sasl.mechanism: PLAIN, SCRAM-SHA-256, "
                        "SCRAM-SHA-512, OAUTHBEARER or GSSAPI, as the brokers have it\n");
}

/* Somebody believes to be safe who isn't. */
static void test_a_login_that_is_never_used_is_warned_of(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "sasl.username = berth\n"
                                                      "ssl.ca.location = /dev/null\n"),
                     BERTH_OK);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: warning: sasl.username has no effect without security.protocol = "
                        "SASL_SSL (or SASL_PLAINTEXT)\n"
                        "FILE:4: warning: ssl.ca.location has no effect without security.protocol "
                        "= SSL or SASL_SSL\n");
}

static void test_a_password_for_kafka_in_the_clear_is_warned_of(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         "[kafka]\n"
                                         "bootstrap.servers = kafka.example.com:9092\n"
                                         "security.protocol = SASL_PLAINTEXT\n"
                                         "sasl.mechanism = PLAIN\n"
                                         "sasl.username = berth\n"
                                         "sasl.password_file = @/password\n"),
                     BERTH_OK);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: warning: the password goes over the network unencrypted; use "
                        "SASL_SSL\n");
}

/* Proved before the first command, not by it. */
static void test_the_largest_answer_must_fit_librdkafkas_own_bound(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "message.max.bytes = 131071\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: message.max.bytes must be 131072 at least: the answer to a "
                        "large command wouldn't fit\n");
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "message.max.bytes = 131072\n"),
                     BERTH_OK);
}

static void test_a_file_for_tls_that_is_not_there_is_named(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "security.protocol = SSL\n"
                                                      "ssl.ca.location = /nonexistent/ca.pem\n"),
                     BERTH_INVALID);
    assert_string_equal(
        config_fixture_messages(fixture),
        "FILE:4: error: ssl.ca.location: /nonexistent/ca.pem can't be read: No such "
        "file or directory\n");
}

/* [kafka] is checked by librdkafka itself, while there is still a line to name. */
static void test_kafka_properties_are_checked(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "sesion.timeout.ms = 6000\n"
                                                      "socket.timeout.ms = soon\n"
                                                      "group.id = other\n"
                                                      "acks = 1\n"
                                                      "isolation.level = read_uncommitted\n"
                                                      "security.protocol = SSL\n"),
                     BERTH_INVALID);
    assert_int_equal(fixture->report.errors_count, 5);
    assert_string_equal(fixture->report.findings[0].text,
                        "librdkafka has no property sesion.timeout.ms; did you mean "
                        "session.timeout.ms?");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture->report.findings[i].line, 3 + i);
    }
}

/* The configuration file is in version control; passwords aren't. */
static void test_a_kafka_secret_comes_from_a_file(void **state) {
    struct config_fixture *fixture = *state;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "sasl.password = hunter2\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: sasl.password is a secret: put it into a file of its own "
                        "and name that with sasl.password_file\n");

    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "sasl.password_file = @/password\n" PLAIN),
                     BERTH_OK);
    const struct berth_config_property *property = &fixture->config->kafka.properties[1];
    assert_string_equal(property->name, "sasl.password");
    assert_string_equal(property->value, CONFIG_PASSWORD);
    assert_non_null(property->file);
    assert_int_equal(property->line, 3);

    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA "client.id_file = @/password\n"
                                                      "sasl.password_file = password\n"),
                     BERTH_INVALID);
    assert_string_equal(config_fixture_messages(fixture),
                        "FILE:3: error: librdkafka has no property client.id_file\n"
                        "FILE:4: error: sasl.password_file must be a whole path, from \"/\" on\n");
}

int main(void) {
#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, config_fixture_setup, config_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_redis_has_an_address_and_tls_fits_it),
        TEST(test_a_lease_outlives_two_requests_and_redis),
        TEST(test_times_fit_each_other),
        TEST(test_registries_are_told_apart),
        TEST(test_berthd_needs_a_registry),
        TEST(test_every_kind_of_record_has_its_own_topic),
        TEST(test_passwords_in_the_clear_are_warned_of),
        TEST(test_a_url_holds_no_credentials),
        TEST(test_a_url_is_where_the_web_page_is),
        TEST(test_one_newline_at_a_secrets_end_does_not_count),
        TEST(test_secret_files_are_checked),
        TEST(test_a_missing_secret_file_is_named),
        TEST(test_a_login_by_password_needs_its_file_and_its_user),
        TEST(test_a_login_that_is_never_used_is_warned_of),
        TEST(test_a_password_for_kafka_in_the_clear_is_warned_of),
        TEST(test_a_file_for_tls_that_is_not_there_is_named),
        TEST(test_the_largest_answer_must_fit_librdkafkas_own_bound),
        TEST(test_kafka_properties_are_checked),
        TEST(test_a_kafka_secret_comes_from_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
