/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as JSON, which people read with `berth tail` and scripts with --json.
 */
#include "berth/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codec_fixture.h"
#include "codec_parts.h"

static void encode(struct berth_codec *codec, const struct berth_command *command,
                   struct berth_buffer *out) {
    struct berth_error error = {{0}};
    berth_buffer_clear(out);
    if (berth_codec_encode_command(codec, command, out, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
}

/* Unions without Avro's wrapper, times for people, keys in the schema's order. */
static void test_a_command_is_one_line_in_the_schemas_order(void **state) {
    struct berth_command command = {.type = BERTH_CREATE_SPACE,
                                    .id = FIXTURE_ID,
                                    .registry = "main",
                                    .space = "team-a",
                                    .actor = "alice",
                                    .issued_at_ms = 1700000000123,
                                    .visibility = BERTH_PUBLIC};
    struct berth_buffer record;
    berth_buffer_init(&record, 4096);
    encode(*state, &command, &record);
    fixture_assert_json(*state, berth_buffer_view(&record),
                        "{\"command_id\":\"" FIXTURE_ID "\","
                        "\"issued_at\":\"2023-11-14T22:13:20.123Z\",\"actor\":\"alice\","
                        "\"registry\":\"main\",\"space\":\"team-a\",\"visibility\":\"PUBLIC\","
                        "\"quota_bytes\":null,\"if_exists\":\"FAIL\"}");
    berth_buffer_deinit(&record);
}

static void test_a_result_is_told_whole(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    fixture_assert_json(
        *state, fixture_find(&publication, BERTH_RECORD_RESULT).value,
        "{\"command_id\":\"" FIXTURE_ID "\",\"command\":\"BindWorkspace\",\"registry\":\"main\","
        "\"space\":\"team-a\",\"actor\":\"alice\",\"outcome\":\"SUCCEEDED\",\"changed\":true,"
        "\"code\":\"workspace.bound\",\"message\":\"Bound/Unbound workspace successfully\","
        "\"details\":{\"space\":\"team-a\"},\"space_state\":{\"visibility\":\"PRIVATE\","
        "\"workspaces\":[\"blue\",\"red\"],\"quota_bytes\":-1,\"project_id\":17},"
        "\"bindings\":[{\"workspace\":\"blue\",\"change\":\"UNCHANGED\","
        "\"code\":\"workspace.unchanged\"},{\"workspace\":\"red\",\"change\":\"BOUND\","
        "\"code\":\"workspace.bound\"}],\"attempts\":1,"
        "\"received_at\":\"2023-11-14T22:13:20.100Z\","
        "\"finished_at\":\"2023-11-14T22:13:20.200Z\","
        "\"source\":{\"topic\":\"berth.commands.main\",\"partition\":3,\"offset\":12345}}");
    berth_publication_deinit(&publication);
}

/* JSON has no four-digit year for it, so the number is what is true. */
static void test_a_time_that_no_calendar_holds_stays_a_number(void **state) {
    struct berth_command command = {.type = BERTH_DELETE_SPACE, .issued_at_ms = INT64_MAX};
    struct berth_buffer record;
    berth_buffer_init(&record, 4096);
    encode(*state, &command, &record);
    fixture_assert_json(*state, berth_buffer_view(&record),
                        "{\"command_id\":\"\",\"issued_at\":9223372036854775807,\"actor\":\"\","
                        "\"registry\":\"\",\"space\":\"\",\"unbind\":false}");
    berth_buffer_deinit(&record);
}

/* A terminal must not be steered by what a producer wrote. */
static void test_control_characters_are_escaped(void **state) {
    struct berth_buffer record;
    berth_buffer_init(&record, 4096);
    const uint8_t *frame = berth_codec_schema(*state, "DeleteSpace")->frame;
    assert_int_equal(berth_buffer_append(&record, frame, BERTH_FRAME_BYTES), BERTH_OK);
    fixture_put_literal(&record, "");
    fixture_put_long(&record, 0);
    fixture_put_literal(&record, "a\x1b[2J\0b\n");
    fixture_put_literal(&record, "\"");
    fixture_put_literal(&record, "\xc3\xab");
    fixture_put_long(&record, 0);
    fixture_assert_json(*state, berth_buffer_view(&record),
                        "{\"command_id\":\"\",\"issued_at\":\"1970-01-01T00:00:00.000Z\","
                        "\"actor\":\"a\\u001B[2J\\u0000b\\n\",\"registry\":\"\\\"\","
                        "\"space\":\"\xc3\xab\",\"unbind\":false}");
    berth_buffer_deinit(&record);
}

static void test_the_records_name_is_told_also_within_the_union(void **state) {
    struct berth_command command = {.type = BERTH_DELETE_SPACE, .id = FIXTURE_ID};
    struct berth_buffer record;
    struct berth_buffer within_union;
    struct berth_buffer json;
    const char *name = NULL;
    berth_buffer_init(&record, 4096);
    berth_buffer_init(&within_union, 4096);
    berth_buffer_init(&json, 4096);
    encode(*state, &command, &record);
    assert_int_equal(berth_codec_to_json(*state, berth_buffer_view(&record), &json, &name, NULL),
                     BERTH_OK);
    assert_string_equal(name, "DeleteSpace");

    const uint8_t *frame = berth_codec_schema(*state, "Command")->frame;
    assert_int_equal(berth_buffer_append(&within_union, frame, BERTH_FRAME_BYTES), BERTH_OK);
    fixture_put_long(&within_union, 2);
    assert_int_equal(berth_buffer_append(&within_union, record.data + BERTH_FRAME_BYTES,
                                         record.len - BERTH_FRAME_BYTES),
                     BERTH_OK);
    name = NULL;
    struct berth_buffer same;
    berth_buffer_init(&same, 4096);
    assert_int_equal(
        berth_codec_to_json(*state, berth_buffer_view(&within_union), &same, &name, NULL),
        BERTH_OK);
    assert_string_equal(name, "DeleteSpace");
    assert_string_equal((const char *)same.data, (const char *)json.data);
    berth_buffer_deinit(&record);
    berth_buffer_deinit(&within_union);
    berth_buffer_deinit(&json);
    berth_buffer_deinit(&same);
}

static void test_other_bytes_are_refused_with_a_reason(void **state) {
    struct berth_buffer json;
    struct berth_error error = {{0}};
    const uint8_t bytes[] = "no record at all";
    berth_buffer_init(&json, 4096);
    assert_int_equal(berth_codec_to_json(*state,
                                         (struct berth_bytes){.data = bytes, .len = sizeof bytes},
                                         &json, NULL, &error),
                     BERTH_INVALID);
    assert_non_null(strstr(error.text, "not Avro single-object encoding"));
    assert_int_equal(json.len, 0);
    berth_buffer_deinit(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_command_is_one_line_in_the_schemas_order),
        cmocka_unit_test(test_a_result_is_told_whole),
        cmocka_unit_test(test_a_time_that_no_calendar_holds_stays_a_number),
        cmocka_unit_test(test_control_characters_are_escaped),
        cmocka_unit_test(test_the_records_name_is_told_also_within_the_union),
        cmocka_unit_test(test_other_bytes_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
