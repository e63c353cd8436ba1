/* SPDX-License-Identifier: Apache-2.0 */
/* A login where the registry's url isn't Harbor's. */
#include "harbor_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)
#define START   INT64_C(1000000)

static enum berth_harbor_errand_end answered(struct berth_harbor_session *session, int64_t now_ms,
                                             int status, const char *location) {
    const struct berth_harbor_keys *keys;
    assert_int_equal(berth_harbor_session_ask(session, now_ms, false), BERTH_HARBOR_ACCESS_WAIT);
    const struct berth_harbor_errand_reply reply = {
        .status = status, .location = location, .words = ""};
    return berth_harbor_session_take(session, now_ms, berth_harbor_session_errand(session, &keys),
                                     &reply);
}

/* That isn't a Harbor without sessions: what to correct is said, and Basic, which would only lead
 * there as well, isn't tried. */
static void test_a_redirect_and_a_url_without_harbor_are_told_as_what_they_are(void **state) {
    (void)state;
    struct berth_harbor_session session;
    berth_harbor_session_init(&session, 7);
    assert_int_equal(answered(&session, START, 308, "https://harbor.example.com/"),
                     BERTH_HARBOR_LOGIN_FAILED);
    assert_string_equal(
        session.failure.error,
        "no login: HTTP 308, a redirect to https://harbor.example.com/: correct url");
    assert_int_equal(session.failure.trouble, BERTH_HARBOR_TROUBLE_CONNECTION);

    assert_int_equal(answered(&session, START + HOUR_MS, 404, NULL), BERTH_HARBOR_LOGIN_FAILED);
    assert_non_null(strstr(session.failure.error, "there is no Harbor at url"));
    assert_int_equal(berth_harbor_session_ask(&session, START + HOUR_MS, false),
                     BERTH_HARBOR_ACCESS_NONE);
    berth_harbor_session_deinit(&session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_redirect_and_a_url_without_harbor_are_told_as_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
