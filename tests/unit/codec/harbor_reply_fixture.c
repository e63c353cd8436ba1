/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_reply_fixture.h"

const struct berth_robot_marker fixture_marker = {.deployment = "prod", .key_id = "0a1b2c3d"};

struct berth_harbor_call any_call(enum berth_harbor_call_kind kind) {
    return (struct berth_harbor_call){
        .kind = kind,
        .space = "team-a",
        .project_id = 12,
        .robot_id = 34,
        .quota_id = 56,
        .page = 1,
        .workspace = "w1",
        .robot_name = "ws-w1",
        .request_id = "request-1",
    };
}

struct berth_harbor_reply any_reply(int status, const char *body) {
    return (struct berth_harbor_reply){
        .status = status,
        .content_type = JSON,
        .location = "/api/v2.0/projects/77",
        .request_id = "request-1",
        .total_count = 1,
        .body = {.data = (const uint8_t *)body, .len = strlen(body)},
    };
}

struct berth_harbor_decoded decode_as(enum berth_harbor_call_kind kind, bool echo_waived,
                                      struct berth_harbor_reply reply) {
    struct berth_harbor_call call = any_call(kind);
    struct berth_harbor_decoded decoded;
    berth_harbor_reply_decode(&call, &fixture_marker, echo_waived, &reply, &decoded);
    assert_int_equal(decoded.answer.http_status, reply.status);
    assert_true(decoded.answer.verdict == BERTH_HARBOR_DONE || decoded.answer.error[0] != 0);
    return decoded;
}

struct berth_harbor_answer answer_to(enum berth_harbor_call_kind kind,
                                     struct berth_harbor_reply reply) {
    struct berth_harbor_decoded decoded = decode_as(kind, false, reply);
    struct berth_harbor_answer answer = decoded.answer;
    answer.robots = NULL;
    berth_harbor_decoded_deinit(&decoded);
    return answer;
}

void assert_verdict(enum berth_harbor_call_kind kind, struct berth_harbor_reply reply,
                    enum berth_harbor_verdict expected) {
    struct berth_harbor_answer answer = answer_to(kind, reply);
    if (answer.verdict != expected) {
        print_error("%s, HTTP %d: %s, not %s (%s)\n", berth_harbor_call_name(kind), reply.status,
                    berth_harbor_verdict_name(answer.verdict), berth_harbor_verdict_name(expected),
                    answer.error);
    }
    assert_int_equal(answer.verdict, expected);
}
