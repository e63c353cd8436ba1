/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a command to its record and back.
 */
#include "berth/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/codec/identity.h"
#include "codec_fixture.h"
#include "raw_command.h"

static void decode_command(struct berth_codec *codec, const struct berth_command *command,
                           struct berth_decoded *ret_decoded) {
    struct berth_buffer record;
    struct berth_error error = {{0}};
    berth_buffer_init(&record, 1 << 20);
    if (berth_codec_encode_command(codec, command, &record, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
    raw_command_decode_bytes(codec, record.data, record.len, ret_decoded);
    berth_buffer_deinit(&record);
}

static void assert_same_command(const struct berth_command *left,
                                const struct berth_command *right) {
    assert_int_equal(left->type, right->type);
    assert_string_equal(left->id, right->id);
    assert_string_equal(left->registry, right->registry);
    assert_string_equal(left->space, right->space);
    assert_string_equal(left->actor, right->actor);
    assert_true(left->issued_at_ms == right->issued_at_ms);
    assert_int_equal(left->visibility, right->visibility);
    assert_int_equal(left->quota_given, right->quota_given);
    assert_true(left->quota_bytes == right->quota_bytes);
    assert_int_equal(left->if_exists, right->if_exists);
    assert_int_equal(left->unbind, right->unbind);
    assert_int_equal(left->workspaces_count, right->workspaces_count);
    for (size_t i = 0; i < left->workspaces_count; i++) {
        assert_string_equal(left->workspaces[i].id, right->workspaces[i].id);
        assert_string_equal(left->workspaces[i].robot_name, right->workspaces[i].robot_name);
    }
}

static void assert_comes_back(struct berth_codec *codec, const struct berth_command *command) {
    struct berth_decoded decoded;
    uint8_t digest[BERTH_DIGEST_BYTES];
    decode_command(codec, command, &decoded);
    assert_true(decoded.is_command);
    assert_same_command(&decoded.command, command);
    berth_command_digest(command, digest);
    assert_memory_equal(decoded.command.digest, digest, sizeof digest);
    berth_decoded_deinit(&decoded);
}

static void test_every_command_comes_back_as_it_was_sent(void **state) {
    struct berth_workspace workspaces[] = {{"blue", "ws-blue"}, {"red", "ws-red"}};
    const struct berth_command base = {.id = FIXTURE_ID,
                                       .registry = "main",
                                       .space = "team-a",
                                       .actor = "Zo\xc3\xab",
                                       .issued_at_ms = INT64_MIN};
    struct berth_command command = base;
    command.type = BERTH_CREATE_SPACE;
    assert_comes_back(*state, &command);
    command.visibility = BERTH_PUBLIC;
    command.quota_given = true;
    command.quota_bytes = INT64_MAX;
    command.if_exists = BERTH_IF_EXISTS_ADOPT;
    assert_comes_back(*state, &command);
    command = base;
    command.type = BERTH_UPDATE_SPACE;
    command.visibility = BERTH_PRIVATE;
    command.quota_given = true;
    assert_comes_back(*state, &command);
    command = base;
    command.type = BERTH_DELETE_SPACE;
    assert_comes_back(*state, &command);
    command.unbind = true;
    assert_comes_back(*state, &command);
    command = base;
    command.type = BERTH_SET_WORKSPACE_BINDINGS;
    assert_comes_back(*state, &command);
    command.workspaces = workspaces;
    command.workspaces_count = 2;
    assert_comes_back(*state, &command);
    command.type = BERTH_BIND_WORKSPACE;
    assert_comes_back(*state, &command);
    command.type = BERTH_UNBIND_WORKSPACE;
    assert_comes_back(*state, &command);
}

/* A registry that wants one schema a topic has producers write the union: its branch's number, then
 * the same record. */
static void test_a_command_of_the_union_is_the_same_command(void **state) {
    struct raw_command raw = raw_command_bind();
    struct berth_decoded plain;
    raw_command_decode(*state, &raw, &plain);

    struct berth_buffer record;
    struct berth_decoded decoded;
    berth_buffer_init(&record, 4096);
    raw_command_put_frame(*state, &record, "Command");
    fixture_put_long(&record, 3);
    raw_command_put(&record, &raw);
    raw_command_decode_bytes(*state, record.data, record.len, &decoded);
    assert_true(decoded.is_command);
    assert_same_command(&decoded.command, &plain.command);
    berth_decoded_deinit(&plain);
    berth_decoded_deinit(&decoded);
    berth_buffer_deinit(&record);
}

static void test_an_id_is_compared_in_lower_case(void **state) {
    struct raw_command raw = raw_command_bind();
    struct berth_decoded decoded;
    raw.id = "2F0C3F6E-8F2B-4D0C-9A53-0D6F3F0C7B1A";
    raw_command_decode(*state, &raw, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    berth_decoded_deinit(&decoded);
}

static void test_workspaces_become_a_set(void **state) {
    struct berth_workspace workspaces[] = {{"red", ""}, {"blue", ""}, {"red", ""}, {"Big.One", ""}};
    struct berth_command command = {.type = BERTH_BIND_WORKSPACE,
                                    .id = FIXTURE_ID,
                                    .workspaces = workspaces,
                                    .workspaces_count = 4};
    struct berth_decoded decoded;
    decode_command(*state, &command, &decoded);
    assert_int_equal(decoded.command.workspaces_count, 3);
    assert_string_equal(decoded.command.workspaces[0].id, "Big.One");
    assert_string_equal(decoded.command.workspaces[1].id, "blue");
    assert_string_equal(decoded.command.workspaces[2].id, "red");
    for (size_t i = 0; i < 3; i++) {
        char robot_name[BERTH_ROBOT_NAME_BYTES];
        berth_robot_name(decoded.command.workspaces[i].id, robot_name);
        assert_string_equal(decoded.command.workspaces[i].robot_name, robot_name);
    }
    berth_decoded_deinit(&decoded);
}

/* Order and duplicates mean nothing, so they must not make another command of it. */
static void test_the_order_of_workspaces_does_not_change_the_digest(void **state) {
    struct berth_workspace one[] = {{"red", ""}, {"blue", ""}, {"blue", ""}};
    struct berth_workspace other[] = {{"blue", ""}, {"red", ""}};
    struct berth_command command = {.type = BERTH_BIND_WORKSPACE, .id = FIXTURE_ID};
    struct berth_decoded first;
    struct berth_decoded second;
    command.workspaces = one;
    command.workspaces_count = 3;
    decode_command(*state, &command, &first);
    command.workspaces = other;
    command.workspaces_count = 2;
    decode_command(*state, &command, &second);
    assert_memory_equal(first.command.digest, second.command.digest, BERTH_DIGEST_BYTES);
    berth_decoded_deinit(&first);
    berth_decoded_deinit(&second);
}

/* A dead letter's answer continues the trace too. */
static void test_the_trace_is_taken_from_the_headers(void **state) {
    static const char parent[] = "00-" FIXTURE_TRACE "-b7ad6b7169203331-01";
    const struct berth_header header = {
        .name = "traceparent",
        .value = {.data = (const uint8_t *)parent, .len = sizeof parent - 1}};
    struct berth_decoded decoded;
    berth_codec_decode_command(*state, (struct berth_bytes){0}, &header, 1, &decoded);
    assert_string_equal(decoded.command.traceparent, parent);
    assert_false(decoded.is_command);
}

/* A record leaves nothing behind for the next one, though the codec uses its memory again. */
static void test_a_command_has_nothing_of_the_one_before(void **state) {
    struct raw_command raw = raw_command_bind();
    struct berth_decoded decoded;
    raw.workspaces_count = 5;
    raw_command_decode(*state, &raw, &decoded);
    berth_decoded_deinit(&decoded);
    raw.workspaces_count = 0;
    raw.actor = "";
    raw_command_decode(*state, &raw, &decoded);
    assert_true(decoded.is_command);
    assert_int_equal(decoded.command.workspaces_count, 0);
    assert_string_equal(decoded.command.actor, "");
    berth_decoded_deinit(&decoded);
}

static void test_text_that_is_not_utf8_is_not_encoded(void **state) {
    struct berth_command command = {.type = BERTH_DELETE_SPACE, .id = FIXTURE_ID, .space = "a\xff"};
    struct berth_buffer record;
    struct berth_error error = {{0}};
    berth_buffer_init(&record, 4096);
    assert_int_equal(berth_codec_encode_command(*state, &command, &record, &error), BERTH_INVALID);
    assert_string_equal(error.text, "the field space is not UTF-8, so Avro can't hold it");
    assert_int_equal(record.len, 0);
    berth_buffer_deinit(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_command_comes_back_as_it_was_sent),
        cmocka_unit_test(test_a_command_of_the_union_is_the_same_command),
        cmocka_unit_test(test_an_id_is_compared_in_lower_case),
        cmocka_unit_test(test_workspaces_become_a_set),
        cmocka_unit_test(test_the_order_of_workspaces_does_not_change_the_digest),
        cmocka_unit_test(test_the_trace_is_taken_from_the_headers),
        cmocka_unit_test(test_a_command_has_nothing_of_the_one_before),
        cmocka_unit_test(test_text_that_is_not_utf8_is_not_encoded),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
