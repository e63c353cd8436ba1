/* SPDX-License-Identifier: Apache-2.0 */
/* What lookups answer, read back with jansson, which takes nothing that isn't JSON. */
#include "berth/codec/lookup_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define LIMIT (1 << 20)

static struct berth_binding bindings[] = {
    {.workspace = "blue", .key_id = "0badc0de", .robot_id = 17},
    {.workspace = "green", .key_id = "0badc0de", .robot_id = 18, .disabled = true},
    {.workspace = "pink", .key_id = "0badc0de", .robot_id = 19, .altered = true},
    {.workspace = "red", .robot_id = INT64_MAX},
};

static struct berth_space_state known_state(void) {
    return (struct berth_space_state){
        .knowledge = BERTH_SPACE_PRESENT,
        .project_id = 12,
        .visibility = BERTH_PUBLIC,
        .quota_bytes = BERTH_QUOTA_UNLIMITED,
        .created_by = "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21",
        .updated_by = "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b22",
        .updated_at_ms = 1700000000123,
        .verified_at_ms = 1700000000124,
        .version = 1700000000123456,
        .bindings = bindings,
        .bindings_count = sizeof(bindings) / sizeof(bindings[0]),
    };
}

static json_t *load(const struct berth_buffer *out) {
    json_error_t error;
    json_t *json = json_loadb((const char *)out->data, out->len, 0, &error);
    if (json == NULL) {
        print_error("%s: %s\n", error.text, (const char *)out->data);
    }
    assert_non_null(json);
    return json;
}

/* The very text, because the console's developers see it in docs/lookups.md. */
static void test_a_space_is_written_with_all_that_is_known_of_it(void **state) {
    (void)state;
    struct berth_buffer out;
    berth_buffer_init(&out, LIMIT);
    struct berth_space_state space = known_state();
    assert_int_equal(berth_space_json_write("alpha", "team-a", &space, &out), BERTH_OK);
    assert_string_equal(
        (const char *)out.data,
        "{\"registry\":\"alpha\",\"space\":\"team-a\",\"visibility\":\"PUBLIC\","
        "\"quota_bytes\":-1,\"project_id\":12,\"bindings\":["
        "{\"workspace\":\"blue\",\"robot_id\":17,\"state\":\"ACTIVE\"},"
        "{\"workspace\":\"green\",\"robot_id\":18,\"state\":\"DISABLED\"},"
        "{\"workspace\":\"pink\",\"robot_id\":19,\"state\":\"ALTERED\"},"
        "{\"workspace\":\"red\",\"robot_id\":9223372036854775807,\"state\":\"SECRET_UNKNOWN\"}],"
        "\"workspace_column\":\"blue, green, pink, red\","
        "\"created_by\":\"5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21\","
        "\"updated_by\":\"5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b22\","
        "\"updated_at\":\"2023-11-14T22:13:20.123Z\",\"verified_at\":\"2023-11-14T22:13:20.124Z\","
        "\"version\":1700000000123456}");
    json_decref(load(&out));
    berth_buffer_deinit(&out);
}

/* What isn't known is null: a console that shows a guess would be believed. */
static void test_what_is_not_known_is_null(void **state) {
    (void)state;
    struct berth_buffer out;
    berth_buffer_init(&out, LIMIT);
    const struct berth_space_state space = {.knowledge = BERTH_SPACE_PRESENT, .project_id = 3};
    assert_int_equal(berth_space_json_write_as_of(1, "alpha", "a", &space, &out), BERTH_OK);
    json_t *json = load(&out);
    static const char *const nulls[] = {"visibility", "quota_bytes", "created_by", "updated_by",
                                        "updated_at", "verified_at", "version"};
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
        assert_true(json_is_null(json_object_get(json, nulls[i])));
    }
    assert_string_equal(json_string_value(json_object_get(json, "as_of")),
                        "1970-01-01T00:00:00.001Z");
    assert_string_equal(json_string_value(json_object_get(json, "workspace_column")), "No binding");
    assert_int_equal(json_array_size(json_object_get(json, "bindings")), 0);
    json_decref(json);
    berth_buffer_deinit(&out);
}

static void test_a_page_lists_its_spaces_and_where_the_next_begins(void **state) {
    (void)state;
    struct berth_buffer out;
    berth_buffer_init(&out, LIMIT);
    const struct berth_space_state space = known_state();
    assert_int_equal(berth_spaces_json_begin(1700000000123, &out), BERTH_OK);
    assert_int_equal(berth_spaces_json_add("alpha", "a", &space, &out), BERTH_OK);
    assert_int_equal(berth_spaces_json_add("alpha", "b", &space, &out), BERTH_OK);
    assert_int_equal(berth_spaces_json_end("alpha/b", &out), BERTH_OK);
    json_t *json = load(&out);
    json_t *spaces = json_object_get(json, "spaces");
    assert_int_equal(json_array_size(spaces), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(spaces, 1), "space")),
                        "b");
    assert_string_equal(json_string_value(json_object_get(json, "next")), "alpha/b");
    assert_string_equal(json_string_value(json_object_get(json, "as_of")),
                        "2023-11-14T22:13:20.123Z");
    json_decref(json);

    berth_buffer_clear(&out);
    assert_int_equal(berth_spaces_json_begin(1700000000123, &out), BERTH_OK);
    assert_int_equal(berth_spaces_json_end(NULL, &out), BERTH_OK);
    json = load(&out);
    assert_int_equal(json_array_size(json_object_get(json, "spaces")), 0);
    assert_true(json_is_null(json_object_get(json, "next")));
    json_decref(json);
    berth_buffer_deinit(&out);
}

/* An error repeats what the caller sent, so everything that a request may hold comes through. */
static void test_any_text_comes_out_as_json(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *read_back;
    } cases[] = {
        {"say \"no\" \\ then\r\n\tgo\x01\x1f\x7f", "say \"no\" \\ then\r\n\tgo\x01\x1f\x7f"},
        {"h\xc3\xa4"
         "fen \xe2\x9a\x93 \xf0\x9f\x9a\xa2",
         "h\xc3\xa4"
         "fen \xe2\x9a\x93 \xf0\x9f\x9a\xa2"},
        {"\xff"
         "a\xc3(\xed\xa0\x80",
         "\xef\xbf\xbd"
         "a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"cut \xe2\x9a", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"</script>", "</script>"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct berth_buffer out;
        berth_buffer_init(&out, LIMIT);
        assert_int_equal(berth_error_json_write("request.invalid", cases[i].text, &out), BERTH_OK);
        assert_ptr_equal(strchr((const char *)out.data, '\n'), out.data + out.len - 1);
        json_t *json = load(&out);
        const json_t *error = json_object_get(json, "error");
        assert_string_equal(json_string_value(json_object_get(error, "code")), "request.invalid");
        assert_string_equal(json_string_value(json_object_get(error, "message")),
                            cases[i].read_back);
        json_decref(json);
        berth_buffer_deinit(&out);
    }
}

/* A limit that is passed half-way is said: nobody may send half an answer. */
static void test_an_answer_without_room_is_refused_wherever_the_room_ends(void **state) {
    (void)state;
    const struct berth_space_state space = known_state();
    struct berth_buffer whole;
    berth_buffer_init(&whole, LIMIT);
    assert_int_equal(berth_space_json_write("alpha", "team-a", &space, &whole), BERTH_OK);
    for (size_t limit = 0; limit < whole.len; limit++) {
        struct berth_buffer out;
        berth_buffer_init(&out, limit);
        assert_int_equal(berth_space_json_write("alpha", "team-a", &space, &out), BERTH_BUSY);
        berth_buffer_deinit(&out);
    }
    berth_buffer_deinit(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_space_is_written_with_all_that_is_known_of_it),
        cmocka_unit_test(test_what_is_not_known_is_null),
        cmocka_unit_test(test_a_page_lists_its_spaces_and_where_the_next_begins),
        cmocka_unit_test(test_any_text_comes_out_as_json),
        cmocka_unit_test(test_an_answer_without_room_is_refused_wherever_the_room_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
