/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a record on a command topic can be besides a good command: what becomes a dead
 * letter, and what is handed on so that the rules refuse it.
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

#include "berth/core/command_rules.h"
#include "codec_fixture.h"
#include "codec_parts.h"
#include "raw_command.h"

#define LONG_REGISTRY "r23456789-123456789-123456789-123456789-123456789-123456789-123"

static const char *const REGISTRY_NAMES[] = {"main", LONG_REGISTRY};
static const char *const REGISTRY_TOPICS[] = {"commands", "commands"};
static const struct berth_rules RULES = {
    .registry_names = REGISTRY_NAMES, .registry_topics = REGISTRY_TOPICS, .registries_count = 2};

/* What the rules say to a decoded command, which must be one. */
static const char *refusal_code(const struct berth_decoded *decoded,
                                char ret_code[BERTH_CODE_BYTES]) {
    struct berth_refusal refusal = {{0}, {0}};
    size_t registry;
    char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    assert_true(decoded->is_command);
    (void)snprintf(key, sizeof key, "%s/%s", decoded->command.registry, decoded->command.space);
    (void)berth_command_check(&decoded->command, "commands", key, strlen(key), &RULES, &registry,
                              &refusal);
    memcpy(ret_code, refusal.code, BERTH_CODE_BYTES);
    return ret_code;
}

/* Without an id nobody can be answered. */
static void test_an_id_that_is_no_uuid_is_a_dead_letter_without_an_id(void **state) {
    static const struct {
        const char *id;
        size_t len;
    } cases[] = {
        {"", 0},
        {"2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1", 35},
        {FIXTURE_ID "0", 37},
        {FIXTURE_ID "\0", 37},
        {"2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1g", 36},
        {"2f0c3f6e-8f2b-4d0c-9a53\0"
         "0d6f3f0c7b1a",
         36},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raw_command raw = raw_command_bind();
        struct berth_decoded decoded;
        raw.id = cases[i].id;
        raw.id_len = cases[i].len;
        raw_command_decode(*state, &raw, &decoded);
        assert_string_equal(decoded.command.id, "");
        assert_string_equal(decoded.command.space, "team-a");
        raw_command_assert_dead_letter(&decoded, "command.id_invalid",
                                       "The field command_id of BindWorkspace is not a UUID.");
    }
}

static void test_an_illegal_workspace_has_no_robot_name_and_is_refused(void **state) {
    static const char *const ids[] = {"", "a/b", "a b", "a\tb", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct raw_command raw = raw_command_bind();
        struct berth_decoded decoded;
        char code[BERTH_CODE_BYTES];
        raw.workspace = ids[i];
        raw_command_decode(*state, &raw, &decoded);
        assert_string_equal(refusal_code(&decoded, code), "workspace.id_invalid");
        assert_string_equal(decoded.command.workspaces[0].robot_name, "");
        berth_decoded_deinit(&decoded);
    }
}

/* Cut without a mark, each of these would be a legal name; the registry even a configured one. */
static void test_a_name_that_is_too_long_is_never_cut_to_a_legal_one(void **state) {
    char space[BERTH_SPACE_BYTES * 2];
    char workspace[BERTH_WORKSPACE_BYTES * 2];
    char code[BERTH_CODE_BYTES];
    struct berth_decoded decoded;
    memset(space, 'a', sizeof space);
    memset(workspace, 'a', sizeof workspace);

    struct raw_command raw = raw_command_bind();
    raw.registry = LONG_REGISTRY "4";
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "registry.unknown");
    assert_memory_equal(decoded.command.registry, LONG_REGISTRY, 60);
    assert_string_equal(decoded.command.registry + 60, "\xe2\x80\xa6");
    berth_decoded_deinit(&decoded);

    raw = raw_command_bind();
    raw.registry = LONG_REGISTRY;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    berth_decoded_deinit(&decoded);

    raw = raw_command_bind();
    raw.space = space;
    raw.space_len = BERTH_SPACE_BYTES;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "space.name_invalid");
    assert_int_equal(strlen(decoded.command.space), BERTH_SPACE_BYTES - 1);
    berth_decoded_deinit(&decoded);

    raw = raw_command_bind();
    raw.workspace = workspace;
    workspace[BERTH_WORKSPACE_BYTES] = 0;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "workspace.id_invalid");
    berth_decoded_deinit(&decoded);

    workspace[BERTH_WORKSPACE_BYTES - 1] = 0;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    berth_decoded_deinit(&decoded);
}

/* Behind a NUL a C string ends: "team-a" and more must not become "team-a". */
static void test_control_characters_make_a_name_illegal(void **state) {
    static const char *const spaces[] = {"team-a\0b", "team-a\0", "team\na", "team\x7fs"};
    static const size_t lens[] = {8, 7, 6, 6};
    for (size_t i = 0; i < 4; i++) {
        struct raw_command raw = raw_command_bind();
        struct berth_decoded decoded;
        char code[BERTH_CODE_BYTES];
        raw.space = spaces[i];
        raw.space_len = lens[i];
        raw_command_decode(*state, &raw, &decoded);
        assert_string_equal(refusal_code(&decoded, code), "space.name_invalid");
        berth_decoded_deinit(&decoded);
    }
}

static void test_an_actor_is_refused_when_it_cannot_be_kept_whole(void **state) {
    char actor[BERTH_ACTOR_BYTES + 1];
    struct berth_decoded decoded;
    struct raw_command raw = raw_command_bind();
    memset(actor, 'a', sizeof actor);
    actor[BERTH_ACTOR_BYTES] = 0;
    raw.actor = actor;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    assert_string_equal(decoded.command.space, "team-a");
    raw_command_assert_dead_letter(&decoded, "command.field_invalid",
                                   "The field actor of BindWorkspace has more than 256 bytes.");

    actor[BERTH_ACTOR_BYTES - 1] = 0;
    raw_command_decode(*state, &raw, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.actor, actor);
    berth_decoded_deinit(&decoded);

    raw.actor = "alice\x1b[2J";
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(decoded.command.actor, "alice?[2J");
    raw_command_assert_dead_letter(&decoded, "command.field_invalid", "holds a control character");
}

static void test_more_than_a_thousand_workspaces_are_refused(void **state) {
    char code[BERTH_CODE_BYTES];
    struct berth_decoded decoded;
    struct raw_command raw = raw_command_bind();
    /* Duplicates count: whoever sends more than the limit is told so, whatever is in it. */
    raw.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX + 1;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "command.workspaces_too_many");
    berth_decoded_deinit(&decoded);

    raw.workspaces_count = 30000;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "command.workspaces_too_many");
    assert_int_equal(decoded.command.workspaces_count, BERTH_COMMAND_WORKSPACES_MAX + 1);
    berth_decoded_deinit(&decoded);

    raw.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX;
    raw_command_decode(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    assert_int_equal(decoded.command.workspaces_count, 1);
    berth_decoded_deinit(&decoded);
}

static void test_what_is_no_record_of_ours_is_a_dead_letter(void **state) {
    struct berth_decoded decoded;
    raw_command_decode_bytes(*state, NULL, 0, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.empty", "has no value");
    raw_command_decode_bytes(*state, "{\"command\":\"CreateSpace\"}", 25, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.undecodable",
                                   "not Avro single-object encoding");
    raw_command_decode_bytes(*state, "\xc3\x01\x01\x02\x03\x04\x05\x06\x07", 9, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.undecodable", "it has 9 bytes");
    raw_command_decode_bytes(*state, "\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08", 10, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.unknown_schema",
                                   "fingerprint 0807060504030201");
}

static void test_a_record_that_breaks_its_schema_is_a_dead_letter(void **state) {
    struct berth_buffer record;
    struct berth_decoded decoded;
    struct raw_command raw = raw_command_bind();
    berth_buffer_init(&record, 4096);
    raw_command_put_frame(*state, &record, "BindWorkspace");
    raw_command_put(&record, &raw);
    for (size_t len = BERTH_FRAME_BYTES; len < record.len; len++) {
        raw_command_decode_bytes(*state, record.data, len, &decoded);
        raw_command_assert_dead_letter(&decoded, "record.undecodable",
                                       "The record is no valid BindWorkspace");
    }
    assert_int_equal(berth_buffer_append(&record, "", 1), BERTH_OK);
    raw_command_decode_bytes(*state, record.data, record.len, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.undecodable", "more bytes follow the record");
    berth_buffer_deinit(&record);
}

static void test_a_record_that_is_too_large_is_not_looked_at(void **state) {
    struct berth_decoded decoded;
    uint8_t *record = calloc(1, BERTH_RECORD_BYTES_MAX + 1);
    assert_non_null(record);
    raw_command_decode_bytes(*state, record, BERTH_RECORD_BYTES_MAX + 1, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.too_large", "262145 bytes, more than 262144");
    raw_command_decode_bytes(*state, record, BERTH_RECORD_BYTES_MAX, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.undecodable", "");
    free(record);
}

static void test_an_event_on_a_command_topic_is_a_dead_letter(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_decoded decoded;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record result = fixture_find(&publication, BERTH_RECORD_RESULT);
    raw_command_decode_bytes(*state, result.value.data, result.value.len, &decoded);
    raw_command_assert_dead_letter(&decoded, "record.not_a_command", "is a CommandResult");
    berth_publication_deinit(&publication);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_that_is_no_uuid_is_a_dead_letter_without_an_id),
        cmocka_unit_test(test_an_illegal_workspace_has_no_robot_name_and_is_refused),
        cmocka_unit_test(test_a_name_that_is_too_long_is_never_cut_to_a_legal_one),
        cmocka_unit_test(test_control_characters_make_a_name_illegal),
        cmocka_unit_test(test_an_actor_is_refused_when_it_cannot_be_kept_whole),
        cmocka_unit_test(test_more_than_a_thousand_workspaces_are_refused),
        cmocka_unit_test(test_what_is_no_record_of_ours_is_a_dead_letter),
        cmocka_unit_test(test_a_record_that_breaks_its_schema_is_a_dead_letter),
        cmocka_unit_test(test_a_record_that_is_too_large_is_not_looked_at),
        cmocka_unit_test(test_an_event_on_a_command_topic_is_a_dead_letter),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
