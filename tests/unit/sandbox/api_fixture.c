/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fixture.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Bytes that never repeat and are the same in every run. */
static void count_up(void *memory, size_t bytes) {
    static uint64_t counter;
    memset(memory, 0, bytes);
    counter++;
    memcpy(memory, &counter, bytes < sizeof(counter) ? bytes : sizeof(counter));
}

int api_setup(void **state) {
    static const char *const PLAIN_USERS[] = {"carol", NULL};
    const struct berth_sandbox_harbor_options options = {.plain_users = PLAIN_USERS,
                                                         .user_name = "berth",
                                                         .password = "Secret123",
                                                         .fill_random = count_up,
                                                         .now_ms = NOW_MS};
    struct berth_sandbox_harbor *harbor = berth_sandbox_harbor_new(&options);
    /* Time stands still in these tests, so a lock would never end. */
    berth_sandbox_harbor_set_login_lock(harbor, 0);
    *state = harbor;
    return 0;
}

int api_teardown(void **state) {
    berth_sandbox_harbor_free(*state);
    return 0;
}

struct berth_sandbox_request request_of(enum berth_sandbox_method method, const char *path,
                                        const char *body) {
    return (struct berth_sandbox_request){
        .method = method,
        .path = path,
        .host = "127.0.0.1",
        .authorization = BERTH,
        .content_type = body == NULL ? NULL : "application/json",
        .body = body,
        .body_bytes = body == NULL ? 0 : strlen(body),
        .now_ms = NOW_MS,
    };
}

struct berth_sandbox_reply call(struct berth_sandbox_harbor *harbor,
                                const struct berth_sandbox_request *request) {
    struct berth_sandbox_reply reply;
    berth_sandbox_reply_init(&reply);
    berth_sandbox_harbor_handle(harbor, request, &reply);
    return reply;
}

void call_expecting(struct berth_sandbox_harbor *harbor,
                    const struct berth_sandbox_request *request, int expected_status) {
    struct berth_sandbox_reply reply = call(harbor, request);
    assert_int_equal(reply.status, expected_status);
    berth_sandbox_reply_deinit(&reply);
}

const char *header_of(const struct berth_sandbox_reply *reply, const char *name,
                      const char *prefix) {
    for (size_t i = 0; i < reply->header_count; i++) {
        if (strcmp(reply->headers[i].name, name) == 0 &&
            strncmp(reply->headers[i].value, prefix, strlen(prefix)) == 0) {
            return reply->headers[i].value;
        }
    }
    return NULL;
}

void assert_error(const struct berth_sandbox_reply *reply, int status, const char *code,
                  const char *message) {
    assert_int_equal(reply->status, status);
    assert_string_equal(reply->content_type, "application/json; charset=utf-8");
    assert_int_equal(reply->body[reply->body_bytes - 1], '\n');
    json_t *json = json_loads(reply->body, 0, NULL);
    const json_t *error = json_array_get(json_object_get(json, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_string_equal(json_string_value(json_object_get(error, "message")), message);
    json_decref(json);
}
