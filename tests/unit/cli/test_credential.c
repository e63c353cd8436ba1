/* SPDX-License-Identifier: Apache-2.0 */
/* Pull credentials: the forms in which they are printed, keys as text, what Harbor says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "credential.h"
#include "key.h"
#include "pull_proof.h"
#include "robot_login.h"

static const struct cli_credential two[] = {
    {.registry = "main",
     .host = "harbor.example.com",
     .space = "team-a",
     .login_name = "robot$team-a+ws-blue",
     .secret = "Hb1one"},
    {.registry = "main",
     .host = "harbor.example.com",
     .space = "team-b",
     .login_name = "a\"b\\team-b+ws-blue",
     .secret = "Hb1two"},
};

/* What people and scripts take apart at the tabs. */
static void test_a_line_has_space_user_and_password(void **state) {
    (void)state;
    struct cli_secret_text text = {0};
    cli_credentials_put_lines(two, 2, &text);
    assert_string_equal(text.data, "main/team-a\trobot$team-a+ws-blue\tHb1one\n"
                                   "main/team-b\ta\"b\\team-b+ws-blue\tHb1two\n");
    cli_secret_text_wipe(&text);
    assert_null(text.data);
}

/* For programs: what is in the lines above, and the host that the names of images begin with. */
static void test_a_json_object_has_all_that_a_login_needs(void **state) {
    (void)state;
    struct cli_secret_text text = {0};
    cli_credentials_put_json(two, 2, &text);
    assert_string_equal(
        text.data, "{\"registry\":\"main\",\"space\":\"team-a\",\"host\":\"harbor.example.com\","
                   "\"user\":\"robot$team-a+ws-blue\",\"password\":\"Hb1one\"}\n"
                   "{\"registry\":\"main\",\"space\":\"team-b\",\"host\":\"harbor.example.com\","
                   "\"user\":\"a\\\"b\\\\team-b+ws-blue\",\"password\":\"Hb1two\"}\n");
    cli_secret_text_wipe(&text);
}

/* One key a space: a workspace has another robot in each. The prefix of names is Harbor's to
 * configure, and may hold what JSON escapes. */
static void test_a_docker_configuration_has_one_key_for_each_space(void **state) {
    (void)state;
    struct cli_secret_text text = {0};
    cli_credentials_put_docker(two, 2, &text);
    assert_string_equal(
        text.data,
        "{\"auths\":{"
        "\"harbor.example.com/team-a\":{\"username\":\"robot$team-a+ws-blue\","
        "\"password\":\"Hb1one\",\"auth\":\"cm9ib3QkdGVhbS1hK3dzLWJsdWU6SGIxb25l\"},"
        "\"harbor.example.com/team-b\":{\"username\":\"a\\\"b\\\\team-b+ws-blue\","
        "\"password\":\"Hb1two\",\"auth\":\"YSJiXHRlYW0tYit3cy1ibHVlOkhiMXR3bw==\"}}}\n");
    cli_secret_text_wipe(&text);
}

static void test_a_kubernetes_manifest_names_what_it_is_told(void **state) {
    (void)state;
    const struct cli_k8s_names plain = {.name = "registry-secret"};
    const struct cli_k8s_names placed = {.name = "123", .name_space = "true"};
    struct cli_secret_text text = {0};
    assert_int_equal(cli_credentials_put_k8s(NULL, 0, &plain, &text), BERTH_OK);
    assert_string_equal(text.data, "apiVersion: v1\nkind: Secret\nmetadata:\n"
                                   "  name: \"registry-secret\"\n"
                                   "type: kubernetes.io/dockerconfigjson\ndata:\n"
                                   "  .dockerconfigjson: eyJhdXRocyI6e319Cg==\n");
    cli_secret_text_wipe(&text);
    assert_int_equal(cli_credentials_put_k8s(NULL, 0, &placed, &text), BERTH_OK);
    assert_non_null(strstr(text.data, "  name: \"123\"\n  namespace: \"true\"\n"));
    cli_secret_text_wipe(&text);
}

/* kubectl would be told so by the API server only after everything was made. */
static void test_a_secret_that_kubernetes_does_not_take_is_not_made(void **state) {
    (void)state;
    enum { MANY = 10000 };
    const struct cli_k8s_names names = {.name = "n"};
    struct cli_credential *many = calloc(MANY, sizeof(*many));
    assert_non_null(many);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = two[0];
    }
    struct cli_secret_text text = {0};
    assert_int_equal(cli_credentials_put_k8s(many, MANY, &names, &text), BERTH_BUSY);
    assert_null(text.data);
    free(many);
}

static void test_names_that_kubernetes_takes(void **state) {
    (void)state;
    char label[65];
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    static const char *const bad[] = {"",   "-a", "a-",  "a..b", ".a",
                                      "a.", "A",  "a_b", "a.-b", "a-.b"};
    assert_true(cli_k8s_name_legal("registry-secret"));
    assert_true(cli_k8s_name_legal("a.b-c.9"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(cli_k8s_name_legal(bad[i]));
        assert_false(cli_k8s_namespace_legal(bad[i]));
    }
    assert_true(cli_k8s_namespace_legal(label));
    assert_false(cli_k8s_namespace_legal("a.b"));
    label[63] = 'a';
    label[64] = '\0';
    assert_false(cli_k8s_namespace_legal(label));
    assert_true(cli_k8s_name_legal(label));
}

/* An image's name begins with the host; a path before /api is the web's alone. */
static void test_the_host_of_an_image_is_that_of_the_url(void **state) {
    (void)state;
    char host[CLI_HOST_BYTES];
    assert_true(cli_image_host("https://harbor.example.com/harbor", host));
    assert_string_equal(host, "harbor.example.com");
    assert_true(cli_image_host("http://[::1]:8080", host));
    assert_string_equal(host, "[::1]:8080");
    /* As images are named: an entry of another spelling is never found by who pulls. */
    assert_true(cli_image_host("https://Harbor.Example.com:443/harbor", host));
    assert_string_equal(host, "harbor.example.com");
    assert_true(cli_image_host("http://harbor:80", host));
    assert_string_equal(host, "harbor");
    assert_true(cli_image_host("https://harbor:80", host));
    assert_string_equal(host, "harbor:80");
    assert_true(cli_image_host("http://harbor:8443", host));
    assert_string_equal(host, "harbor:8443");
    char url[sizeof("http://") + CLI_HOST_BYTES] = "http://";
    memset(url + strlen(url), 'a', CLI_HOST_BYTES);
    assert_false(cli_image_host(url, host));
}

/* What `berth workspace-key` prints is what --key-file takes, and the digits are K_ws of
 * docs/credentials.md. */
static void test_a_key_is_one_line_and_back(void **state) {
    (void)state;
    static const char line[] = "ws-alpha:86517456:"
                               "f6f34aa5a33c7ebff324b667fd042f72ead292075672113c1c1b93c713e2603f";
    uint8_t master[32];
    for (size_t i = 0; i < sizeof(master); i++) {
        master[i] = (uint8_t)i;
    }
    const struct berth_bytes master_key = {master, sizeof(master)};
    struct cli_key key = {.key_id = ""};
    struct cli_key again = {.key_id = ""};
    char text[CLI_KEY_TEXT_BYTES];
    berth_workspace_key(master_key, "ws-alpha", key.key);
    berth_key_id(master_key, key.key_id);
    cli_key_format(&key, "ws-alpha", text);
    assert_string_equal(text, line);
    assert_int_equal(cli_key_parse(text, "ws-alpha", &again, NULL), BERTH_OK);
    assert_memory_equal(&key, &again, sizeof(key));
    cli_key_wipe(&again);
    assert_string_equal(again.key_id, "");
}

/* A wrong key would give a credential that only fails when somebody pulls. */
static void test_what_is_no_key_of_this_workspace_is_refused(void **state) {
    (void)state;
#define DIGITS "f6f34aa5a33c7ebff324b667fd042f72ead292075672113c1c1b93c713e2603f"
    static const char *const bad[] = {
        "",
        "blue",
        "blue:86517456",
        "blue:86517456:",
        DIGITS,
        "blue:" DIGITS,
        "blue:86517456:" DIGITS "0",
        "blue:86517456:" DIGITS " ",
        "blue:8651745:" DIGITS,
        "blue:8651745G:" DIGITS,
        "blue::" DIGITS,
    };
    struct cli_key key;
    struct berth_error error;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(cli_key_parse(bad[i], "blue", &key, &error), BERTH_INVALID);
        assert_string_equal(error.text, "this is no key as `berth workspace-key` prints it");
    }
    assert_int_equal(cli_key_parse("blue:86517456:" DIGITS, "blu", &key, &error), BERTH_INVALID);
    assert_string_equal(error.text, "this is the key of workspace blue, not of blu");
    assert_int_equal(cli_key_parse("blue:86517456:" DIGITS, "blur", &key, NULL), BERTH_INVALID);
    assert_int_equal(cli_key_parse("blue:86517456:" DIGITS, "blue", &key, NULL), BERTH_OK);
}

static enum berth_rc parse_robot(const char *body, char *ret_login_name) {
    const struct cli_binding binding = {.space = "team-a", .robot_id = 17};
    const struct berth_bytes bytes = {(const uint8_t *)body, strlen(body)};
    return cli_robot_login_parse(bytes, &binding, "blue", ret_login_name);
}

/* Harbor's prefix can be changed by an administrator, then every login name changes. */
static void test_a_login_name_is_taken_as_harbor_says_it(void **state) {
    (void)state;
    char login_name[BERTH_HARBOR_LOGIN_BYTES] = "";
    assert_int_equal(
        parse_robot("{\"id\":17,\"name\":\"bot_team-a+ws-blue\",\"disable\":false}", login_name),
        BERTH_OK);
    assert_string_equal(login_name, "bot_team-a+ws-blue");
    assert_int_equal(
        parse_robot("{\"id\":17,\"name\":\"team-a+ws-blue\",\"disable\":true}", login_name),
        BERTH_NOT_FOUND);
}

static bool allows(const char *body) {
    return cli_token_allows_pull((struct berth_bytes){(const uint8_t *)body, strlen(body)});
}

/* What the token says counts, not that there is one: Harbor gives one to everybody. */
static void test_a_token_says_whether_it_pulls(void **state) {
    (void)state;
    /* {"access":[{"actions":["pull"]}]}, and the same with other actions, padded or not. */
    assert_true(allows("{\"token\":\"x.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOlsicHVsbCJdfV19.y\"}"));
    assert_true(
        allows("{\"token\":\"x.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOlsicHVsbCIsInB1c2giXX1dfQ.y\"}"));
    assert_false(allows("{\"token\":\"x.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOlsicHVzaCJdfV19.y\"}"));
    assert_false(allows("{\"token\":\"x.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOltdfV19.y\"}"));
    assert_false(allows("{\"token\":\"x.eyJhY2Nlc3MiOlt7ImFjdGlvbnMiOm51bGx9XX0.y\"}"));
    static const char *const none[] = {"",
                                       "<html>",
                                       "{}",
                                       "{\"token\":\"\"}",
                                       "{\"token\":\"x\"}",
                                       "{\"token\":\"x..y\"}",
                                       "{\"token\":\"x.!!!!.y\"}",
                                       "{\"token\":\"x.e.y\"}",
                                       "{\"token\":1}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_false(allows(none[i]));
    }
}

static void test_a_robot_of_something_else_is_not_believed(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "<html>",
        "[]",
        "{\"id\":18,\"name\":\"robot$team-a+ws-blue\"}",
        "{\"id\":17,\"name\":\"robot$team-a+ws-blues\"}",
        "{\"id\":17,\"name\":\"robot$team-b+ws-blue\"}",
        "{\"id\":17,\"name\":\"robot:team-a+ws-blue\"}",
        "{\"id\":17,\"name\":\"robot\\tteam-a+ws-blue\"}",
        "{\"id\":17}",
        "{\"name\":\"robot$team-a+ws-blue\"}",
    };
    char login_name[BERTH_HARBOR_LOGIN_BYTES] = "untouched";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse_robot(bad[i], login_name), BERTH_INVALID);
    }
    assert_string_equal(login_name, "untouched");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_has_space_user_and_password),
        cmocka_unit_test(test_a_json_object_has_all_that_a_login_needs),
        cmocka_unit_test(test_a_docker_configuration_has_one_key_for_each_space),
        cmocka_unit_test(test_a_kubernetes_manifest_names_what_it_is_told),
        cmocka_unit_test(test_a_secret_that_kubernetes_does_not_take_is_not_made),
        cmocka_unit_test(test_names_that_kubernetes_takes),
        cmocka_unit_test(test_the_host_of_an_image_is_that_of_the_url),
        cmocka_unit_test(test_a_key_is_one_line_and_back),
        cmocka_unit_test(test_what_is_no_key_of_this_workspace_is_refused),
        cmocka_unit_test(test_a_login_name_is_taken_as_harbor_says_it),
        cmocka_unit_test(test_a_robot_of_something_else_is_not_believed),
        cmocka_unit_test(test_a_token_says_whether_it_pulls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
