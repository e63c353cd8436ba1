/* SPDX-License-Identifier: Apache-2.0 */
/* How a registry is reached and logged in to, and what of a configuration can change later. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "config_fixture.h"

#define OTHER_UID "11111111-2222-4333-8444-555555555555"

static void test_robot_accounts_log_in_with_each_request(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    assert_int_equal(fixture->config->registries[0].login, BERTH_LOGIN_SESSION);
#define ROBOT                                                                                      \
    CONFIG_BERTH CONFIG_KAFKA "[registry main]\n"                                                  \
                              "uid = " CONFIG_UID "\n"                                             \
                              "url = https://main.example.com\n"                                   \
                              "username = robot$berth\n"                                           \
                              "password_file = @/password\n"
    config_fixture_assert_accepted(fixture, ROBOT, "");
    assert_int_equal(fixture->config->registries[0].login, BERTH_LOGIN_BASIC);
    config_fixture_assert_refused(
        fixture, ROBOT "login = session\n",
        "FILE:12: error: a robot account can't have a session: login = basic\n");
}

/* Clients compare it letter by letter with the beginning of an image's name. */
static void test_a_pull_host_is_written_as_images_are(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE "pull_host = registry.example.com:8443\n",
                                   "");
    static const char *const BAD[] = {"https://registry", "registry/path", "Registry", "a b"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), CONFIG_WHOLE "pull_host = %s\n", BAD[i]);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text),
                         BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), "pull_host must be a host"));
    }
}

static void test_a_proxy_is_an_address_and_no_more(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE "proxy = http://proxy:3128\n", "");
    static const char *const BAD[] = {"proxy:3128", "https://proxy:3128", "http://proxy",
                                      "http://proxy:3128/", "http://me:secret@proxy:3128"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), CONFIG_WHOLE "proxy = %s\n", BAD[i]);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text),
                         BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), "must be http://HOST:PORT"));
    }
}

/* What berth says itself, or libcurl, must not be said twice or taken away. */
static void test_extra_headers_are_lines_that_are_not_ours(void **state) {
    struct config_fixture *fixture = *state;
    config_fixture_assert_accepted(fixture,
                                   CONFIG_WHOLE "extra_headers = X-One: a b ,\n"
                                                "  X-Two:c\n",
                                   "");
    const struct berth_config_list *headers = &fixture->config->registries[0].extra_headers;
    assert_int_equal(headers->count, 2);
    assert_string_equal(headers->items[0], "X-One: a b");
    assert_string_equal(headers->items[1], "X-Two:c");
    static const struct {
        const char *value;
        const char *problem;
    } BAD[] = {
        {"X-One", "must be header lines"},         {"X One: a", "must be header lines"},
        {": a", "must be header lines"},           {"X-One:", "must be header lines"},
        {"authorization: Basic x", "sets itself"}, {"X-One: a, COOKIE: sid=1", "sets itself"},
        {"X-Request-Id: 1", "sets itself"},        {"Host: elsewhere", "sets itself"},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), CONFIG_WHOLE "extra_headers = %s\n", BAD[i].value);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text),
                         BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), BAD[i].problem));
    }
}

/* A topic that is named twice would be asked about, and told of, twice. */
static void test_a_command_topic_that_registries_share_is_named_once(void **state) {
    struct config_fixture *fixture = *state;
#define SHARED "command_topic = shared\n"
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_KAFKA
                                         "[registry first]\n" SHARED "[registry alone]\n"
                                         "[registry second]\n" SHARED "[registry third]\n" SHARED),
                     BERTH_OK);
    const char *topics[BERTH_CONFIG_REGISTRIES_MAX];
    assert_int_equal(berth_config_command_topics(fixture->config, topics), 2);
    assert_string_equal(topics[0], "shared");
    assert_string_equal(topics[1], fixture->config->registries[1].command_topic);
}

static void put_pem(struct config_fixture *fixture, const char *name, X509 *certificate,
                    EVP_PKEY *key) {
    BIO *bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    if (certificate != NULL) {
        assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    }
    if (key != NULL) {
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    }
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    config_fixture_put(fixture, name, text, (size_t)len, 0600);
    BIO_free(bio);
}

static EVP_PKEY *make_key(X509 **ret_certificate) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    *ret_certificate = certificate;
    return key;
}

/* Found by -t, not by the first connection at night. */
static void test_certificates_and_keys_are_looked_at(void **state) {
    struct config_fixture *fixture = *state;
    X509 *certificate;
    X509 *other_certificate;
    EVP_PKEY *key = make_key(&certificate);
    EVP_PKEY *other_key = make_key(&other_certificate);
    put_pem(fixture, "both.pem", certificate, key);
    put_pem(fixture, "certificate.pem", certificate, NULL);
    put_pem(fixture, "other.key", NULL, other_key);

    config_fixture_assert_accepted(
        fixture, CONFIG_WHOLE "ca_file = @/certificate.pem\nclient_cert_file = @/both.pem\n", "");
    static const struct {
        const char *lines;
        const char *problem;
    } BAD[] = {
        {"ca_file = @/nowhere.pem\n", "FILE:12: error: ca_file: "},
        {"ca_file = @/other.key\n", "holds no certificate in PEM"},
        {"client_cert_file = @/certificate.pem\n", "holds no key in PEM"},
        {"client_cert_file = @/both.pem\nclient_key_file = @/other.key\n",
         "isn't the key of the certificate"},
        {"client_key_file = @/other.key\n", "client_key_file needs client_cert_file"},
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), CONFIG_WHOLE "%s", BAD[i].lines);
        assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, text),
                         BERTH_INVALID);
        assert_non_null(strstr(config_fixture_messages(fixture), BAD[i].problem));
    }
    /* Who only talks to Kafka has no use for them. */
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_TOOLS,
                                         CONFIG_WHOLE "ca_file = @/nowhere.pem\n"),
                     BERTH_OK);
    X509_free(certificate);
    X509_free(other_certificate);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
}

static void note(void *ctx, const char *option, bool applied) {
    struct berth_buffer *notes = ctx;
    assert_int_equal(berth_buffer_printf(notes, "%s%s\n", applied ? "" : "restart: ", option),
                     BERTH_OK);
}

/* Loads both and takes the second over from the first; what became of it, a line each. */
static struct berth_config *reload(struct config_fixture *fixture, const char *before,
                                   const char *after, struct berth_buffer *notes) {
    config_fixture_assert_accepted(fixture, before, "");
    struct berth_config *config = fixture->config;
    fixture->config = NULL;
    assert_int_equal(config_fixture_load(fixture, BERTH_CONFIG_FOR_DAEMON, after), BERTH_OK);
    berth_buffer_clear(notes);
    assert_int_equal(berth_buffer_append_text(notes, ""), BERTH_OK);
    berth_config_reload(config, fixture->config, note, notes);
    return config;
}

static void test_a_reload_takes_over_what_it_can_and_names_the_rest(void **state) {
    struct config_fixture *fixture = *state;
    struct berth_buffer notes;
    berth_buffer_init(&notes, 4096);
    struct berth_config *config =
        reload(fixture, CONFIG_WHOLE CONFIG_REGISTRY_OF("old", OTHER_UID),
               CONFIG_BERTH "log_level = debug\n"
                            "window = 7\n" CONFIG_KAFKA "fetch.wait.max.ms = 9\n"
                            "[topics]\naudit = other.audit\n"
                            "[redis]\ndatabase = 3\n" CONFIG_REGISTRY_OF(
                                "new", OTHER_UID) "[registry main]\n"
                                                  "uid = " CONFIG_UID "\n"
                                                  "url = https://elsewhere.example.com\n"
                                                  "username = robot$berth\n"
                                                  "password_file = @/password\n"
                                                  "limit = 3\n"
                                                  "extra_headers = X-One: a\n",
               &notes);
    assert_string_equal((const char *)notes.data, "berth.log_level\n"
                                                  "restart: berth.window\n"
                                                  "restart: kafka.fetch.wait.max.ms\n"
                                                  "restart: topics.audit\n"
                                                  "restart: redis.database\n"
                                                  "registry main.url\n"
                                                  "registry main.username\n"
                                                  "registry main.login\n"
                                                  "restart: registry main.limit\n"
                                                  "registry main.extra_headers\n"
                                                  "restart: registry old\n"
                                                  "restart: registry new\n");
    assert_int_equal(config->log_level, BERTH_LOG_DEBUG);
    assert_int_equal(config->window, 1024);
    assert_int_equal(config->registries_count, 2);
    assert_string_equal(config->registries[0].url, "https://elsewhere.example.com");
    assert_string_equal(config->registries[0].username, "robot$berth");
    assert_int_equal(config->registries[0].login, BERTH_LOGIN_BASIC);
    assert_int_equal(config->registries[0].limit, 16);
    assert_int_equal(config->registries[0].extra_headers.count, 1);
    assert_string_equal(config->registries[1].name, "old");
    berth_config_free(config);
    berth_buffer_deinit(&notes);
}

static void test_a_reload_of_the_same_changes_nothing(void **state) {
    struct config_fixture *fixture = *state;
    struct berth_buffer notes;
    berth_buffer_init(&notes, 4096);
    berth_config_free(reload(fixture, CONFIG_WHOLE, CONFIG_WHOLE, &notes));
    assert_int_equal(notes.len, 0);
    berth_buffer_deinit(&notes);
}

/* The file has the same name, and another password in it. */
static void test_a_password_is_compared_by_what_it_is(void **state) {
    struct config_fixture *fixture = *state;
    struct berth_buffer notes;
    berth_buffer_init(&notes, 4096);
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    struct berth_config *config = fixture->config;
    fixture->config = NULL;
    config_fixture_put(fixture, "password", "another", 7, 0600);
    config_fixture_put(fixture, "master", "fedcba9876543210fedcba9876543210", 32, 0600);
    config_fixture_assert_accepted(fixture, CONFIG_WHOLE, "");
    berth_config_reload(config, fixture->config, note, &notes);
    assert_string_equal((const char *)notes.data, "restart: berth.master_key_file\n"
                                                  "registry main.password\n");
    assert_string_equal(config->registries[0].password.text, "another");
    assert_memory_equal(config->master_key.text, CONFIG_MASTER_KEY, strlen(CONFIG_MASTER_KEY));
    berth_config_free(config);
    berth_buffer_deinit(&notes);
}

/* Design 4.7: the lease that stays must be longer than two of the requests that would come. */
static void test_time_outs_that_the_lease_does_not_bear_wait_for_the_restart(void **state) {
    struct config_fixture *fixture = *state;
    struct berth_buffer notes;
    berth_buffer_init(&notes, 4096);
    struct berth_config *config =
        reload(fixture, CONFIG_WHOLE,
               CONFIG_BERTH "lease_ms = 60000\n" CONFIG_KAFKA CONFIG_REGISTRY
                            "request_timeout_ms = 9000\n",
               &notes);
    assert_string_equal((const char *)notes.data, "restart: berth.lease_ms\n"
                                                  "restart: registry main.request_timeout_ms\n");
    assert_int_equal(config->registries[0].request_timeout_ms, 5000);
    berth_config_free(config);
    berth_buffer_deinit(&notes);
}

int main(void) {
#define CONFIG_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, config_fixture_setup, config_fixture_teardown)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_robot_accounts_log_in_with_each_request),
        CONFIG_TEST(test_a_pull_host_is_written_as_images_are),
        CONFIG_TEST(test_a_proxy_is_an_address_and_no_more),
        CONFIG_TEST(test_extra_headers_are_lines_that_are_not_ours),
        CONFIG_TEST(test_a_command_topic_that_registries_share_is_named_once),
        CONFIG_TEST(test_certificates_and_keys_are_looked_at),
        CONFIG_TEST(test_a_reload_takes_over_what_it_can_and_names_the_rest),
        CONFIG_TEST(test_a_reload_of_the_same_changes_nothing),
        CONFIG_TEST(test_a_password_is_compared_by_what_it_is),
        CONFIG_TEST(test_time_outs_that_the_lease_does_not_bear_wait_for_the_restart),
    };
    return cmocka_run_group_tests_name("config_registry", tests, NULL, NULL);
}
