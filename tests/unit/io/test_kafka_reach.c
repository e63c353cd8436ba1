/* SPDX-License-Identifier: Apache-2.0 */
/* Which of librdkafka's words say why brokers can't be reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kafka_reach.h"

#define BROKER "sasl_ssl://kafka-1:9093/bootstrap: "

static void assert_reason(const char *library_text, const char *expected) {
    char text[BERTH_ERROR_BYTES_MAX];
    berth_kafka_reason_text(library_text, text, sizeof(text));
    assert_string_equal(text, expected);
}

/* Else each try would be news. */
static void test_the_same_trouble_has_the_same_text(void **state) {
    (void)state;
    assert_reason(BROKER "Connect to ipv4#10.0.0.1:9093 failed: Connection refused (after 3ms in "
                         "state CONNECT, 1 identical error(s) suppressed)",
                  BROKER "Connect to ipv4#10.0.0.1:9093 failed: Connection refused");
    assert_reason(BROKER "SSL handshake failed: wrong version number\n: ",
                  BROKER "SSL handshake failed: wrong version number");
    assert_reason("", "");
}

/* Of one try come several errors, in any order. */
static void test_what_says_most_is_kept(void **state) {
    (void)state;
    struct berth_kafka_trouble trouble = {.text = ""};
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down",
                             1000);
    assert_string_equal(trouble.text, "1/1 brokers are down");
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__TRANSPORT, "Disconnected", 1001);
    assert_string_equal(trouble.text, "Disconnected");
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__AUTHENTICATION, "wrong password", 1002);
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__TRANSPORT, "Disconnected", 1003);
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down",
                             1004);
    assert_string_equal(trouble.text, "wrong password");
    assert_int_equal(trouble.all_down_ms, 1000);
    berth_kafka_trouble_note(&trouble, RD_KAFKA_RESP_ERR__SSL, "no such authority", 1005);
    assert_string_equal(trouble.text, "no such authority");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_trouble_has_the_same_text),
        cmocka_unit_test(test_what_says_most_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
