/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a command to its record and back, and everything that a record on a command topic can be
 * besides a good command.
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
#include "berth/core/command_rules.h"
#include "codec_fixture.h"
#include "codec_parts.h"

#define LONG_REGISTRY "r23456789-123456789-123456789-123456789-123456789-123456789-123"

static const char *const REGISTRY_NAMES[] = {"main", LONG_REGISTRY};
static const char *const REGISTRY_TOPICS[] = {"commands", "commands"};
static const struct berth_rules RULES = {
    .registry_names = REGISTRY_NAMES, .registry_topics = REGISTRY_TOPICS, .registries_count = 2};

/* What a record made by hand says. */
struct raw {
    const char *id;
    size_t id_len;
    const char *actor;
    const char *registry;
    const char *space;
    size_t space_len;
    const char *workspace;
    size_t workspaces_count; /* The same one, so many times. */
};

static struct raw raw_bind(void) {
    return (struct raw){.id = FIXTURE_ID,
                        .id_len = 36,
                        .actor = "alice",
                        .registry = "main",
                        .space = "team-a",
                        .space_len = 6,
                        .workspace = "blue",
                        .workspaces_count = 1};
}

static void put_frame(struct berth_codec *codec, struct berth_buffer *out, const char *schema) {
    const uint8_t *frame = berth_codec_schema(codec, schema)->frame;
    assert_int_equal(berth_buffer_append(out, frame, BERTH_FRAME_BYTES), BERTH_OK);
}

static void put_bind(struct berth_buffer *out, const struct raw *raw) {
    fixture_put_text(out, raw->id, raw->id_len);
    fixture_put_long(out, 1700000000000);
    fixture_put_text(out, raw->actor, strlen(raw->actor));
    fixture_put_text(out, raw->registry, strlen(raw->registry));
    fixture_put_text(out, raw->space, raw->space_len);
    if (raw->workspaces_count > 0) {
        fixture_put_long(out, (int64_t)raw->workspaces_count);
    }
    for (size_t i = 0; i < raw->workspaces_count; i++) {
        fixture_put_text(out, raw->workspace, strlen(raw->workspace));
    }
    fixture_put_long(out, 0);
}

static void decode_bytes(struct berth_codec *codec, const void *data, size_t len,
                         struct berth_decoded *ret_decoded) {
    /* Of exact size, so that asan sees each byte read beyond it. */
    uint8_t *copy = len == 0 ? NULL : malloc(len);
    if (copy != NULL) {
        memcpy(copy, data, len);
    }
    berth_codec_decode_command(codec, (struct berth_bytes){.data = copy, .len = len}, NULL, 0,
                               ret_decoded);
    free(copy);
}

static void decode_raw(struct berth_codec *codec, const struct raw *raw,
                       struct berth_decoded *ret_decoded) {
    struct berth_buffer record;
    berth_buffer_init(&record, 1 << 20);
    put_frame(codec, &record, "BindWorkspace");
    put_bind(&record, raw);
    decode_bytes(codec, record.data, record.len, ret_decoded);
    berth_buffer_deinit(&record);
}

static void decode_command(struct berth_codec *codec, const struct berth_command *command,
                           struct berth_decoded *ret_decoded) {
    struct berth_buffer record;
    struct berth_error error = {{0}};
    berth_buffer_init(&record, 1 << 20);
    if (berth_codec_encode_command(codec, command, &record, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
    decode_bytes(codec, record.data, record.len, ret_decoded);
    berth_buffer_deinit(&record);
}

/* What the rules say to a decoded command, which must be one. */
static const char *refusal_code(const struct berth_decoded *decoded, char ret_code[BERTH_CODE_BYTES]) {
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

static void assert_dead_letter(struct berth_decoded *decoded, const char *reason, const char *text) {
    assert_false(decoded->is_command);
    assert_string_equal(decoded->reason, reason);
    if (strstr(decoded->text, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", decoded->text, text);
    }
    berth_decoded_deinit(decoded);
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

static void test_every_command_comes_back_as_it_was_sent(void **state) {
    struct berth_workspace workspaces[] = {{"blue", "ws-blue"}, {"red", "ws-red"}};
    struct berth_command base = {.id = FIXTURE_ID,
                                 .registry = "main",
                                 .space = "team-a",
                                 .actor = "Zo\xc3\xab",
                                 .issued_at_ms = INT64_MIN};
    struct berth_command commands[10];
    size_t count = 0;
    commands[count] = base;
    commands[count++].type = BERTH_CREATE_SPACE;
    commands[count] = base;
    commands[count].visibility = BERTH_PUBLIC;
    commands[count].quota_given = true;
    commands[count].quota_bytes = INT64_MAX;
    commands[count].if_exists = BERTH_IF_EXISTS_ADOPT;
    commands[count++].type = BERTH_CREATE_SPACE;
    commands[count] = base;
    commands[count].visibility = BERTH_PRIVATE;
    commands[count].quota_given = true;
    commands[count++].type = BERTH_UPDATE_SPACE;
    commands[count] = base;
    commands[count++].type = BERTH_DELETE_SPACE;
    commands[count] = base;
    commands[count].unbind = true;
    commands[count++].type = BERTH_DELETE_SPACE;
    for (int type = BERTH_BIND_WORKSPACE; type <= BERTH_SET_WORKSPACE_BINDINGS; type++) {
        commands[count] = base;
        commands[count].workspaces = workspaces;
        commands[count].workspaces_count = 2;
        commands[count++].type = (enum berth_command_type)type;
    }
    commands[count] = base;
    commands[count++].type = BERTH_SET_WORKSPACE_BINDINGS;

    for (size_t i = 0; i < count; i++) {
        struct berth_decoded decoded;
        uint8_t digest[BERTH_DIGEST_BYTES];
        decode_command(*state, &commands[i], &decoded);
        assert_true(decoded.is_command);
        assert_same_command(&decoded.command, &commands[i]);
        berth_command_digest(&commands[i], digest);
        assert_memory_equal(decoded.command.digest, digest, sizeof digest);
        berth_decoded_deinit(&decoded);
    }
}

/* A registry that wants one schema a topic has producers write the union: its branch's number, then
 * the same record. */
static void test_a_command_of_the_union_is_the_same_command(void **state) {
    struct raw raw = raw_bind();
    struct berth_decoded plain;
    decode_raw(*state, &raw, &plain);

    struct berth_buffer record;
    struct berth_decoded decoded;
    berth_buffer_init(&record, 4096);
    put_frame(*state, &record, "Command");
    fixture_put_long(&record, 3);
    put_bind(&record, &raw);
    decode_bytes(*state, record.data, record.len, &decoded);
    assert_true(decoded.is_command);
    assert_same_command(&decoded.command, &plain.command);
    berth_decoded_deinit(&plain);
    berth_decoded_deinit(&decoded);
    berth_buffer_deinit(&record);
}

static void test_an_id_is_compared_in_lower_case(void **state) {
    struct raw raw = raw_bind();
    struct berth_decoded decoded;
    raw.id = "2F0C3F6E-8F2B-4D0C-9A53-0D6F3F0C7B1A";
    decode_raw(*state, &raw, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    berth_decoded_deinit(&decoded);
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
        {"2f0c3f6e-8f2b-4d0c-9a53\0" "0d6f3f0c7b1a", 36},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raw raw = raw_bind();
        struct berth_decoded decoded;
        raw.id = cases[i].id;
        raw.id_len = cases[i].len;
        decode_raw(*state, &raw, &decoded);
        assert_string_equal(decoded.command.id, "");
        assert_string_equal(decoded.command.space, "team-a");
        assert_dead_letter(&decoded, "command.id_invalid",
                           "The field command_id of BindWorkspace is not a UUID.");
    }
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

static void test_an_illegal_workspace_has_no_robot_name_and_is_refused(void **state) {
    static const char *const ids[] = {"", "a/b", "a b", "a\tb", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct raw raw = raw_bind();
        struct berth_decoded decoded;
        char code[BERTH_CODE_BYTES];
        raw.workspace = ids[i];
        decode_raw(*state, &raw, &decoded);
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

    struct raw raw = raw_bind();
    raw.registry = LONG_REGISTRY "4";
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "registry.unknown");
    assert_memory_equal(decoded.command.registry, LONG_REGISTRY, 60);
    assert_string_equal(decoded.command.registry + 60, "\xe2\x80\xa6");
    berth_decoded_deinit(&decoded);

    raw = raw_bind();
    raw.registry = LONG_REGISTRY;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    berth_decoded_deinit(&decoded);

    raw = raw_bind();
    raw.space = space;
    raw.space_len = BERTH_SPACE_BYTES;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "space.name_invalid");
    assert_int_equal(strlen(decoded.command.space), BERTH_SPACE_BYTES - 1);
    berth_decoded_deinit(&decoded);

    raw = raw_bind();
    raw.workspace = workspace;
    workspace[BERTH_WORKSPACE_BYTES] = 0;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "workspace.id_invalid");
    berth_decoded_deinit(&decoded);

    workspace[BERTH_WORKSPACE_BYTES - 1] = 0;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    berth_decoded_deinit(&decoded);
}

/* Behind a NUL a C string ends: "team-a" and more must not become "team-a". */
static void test_control_characters_make_a_name_illegal(void **state) {
    static const char *const spaces[] = {"team-a\0b", "team-a\0", "team\na", "team\x7f" "a"};
    static const size_t lens[] = {8, 7, 6, 6};
    for (size_t i = 0; i < 4; i++) {
        struct raw raw = raw_bind();
        struct berth_decoded decoded;
        char code[BERTH_CODE_BYTES];
        raw.space = spaces[i];
        raw.space_len = lens[i];
        decode_raw(*state, &raw, &decoded);
        assert_string_equal(refusal_code(&decoded, code), "space.name_invalid");
        berth_decoded_deinit(&decoded);
    }
}

static void test_an_actor_is_refused_when_it_cannot_be_kept_whole(void **state) {
    char actor[BERTH_ACTOR_BYTES + 1];
    struct berth_decoded decoded;
    struct raw raw = raw_bind();
    memset(actor, 'a', sizeof actor);
    actor[BERTH_ACTOR_BYTES] = 0;
    raw.actor = actor;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    assert_string_equal(decoded.command.space, "team-a");
    assert_dead_letter(&decoded, "command.field_invalid",
                       "The field actor of BindWorkspace has more than 256 bytes.");

    actor[BERTH_ACTOR_BYTES - 1] = 0;
    decode_raw(*state, &raw, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.actor, actor);
    berth_decoded_deinit(&decoded);

    raw.actor = "alice\x1b[2J";
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(decoded.command.actor, "alice?[2J");
    assert_dead_letter(&decoded, "command.field_invalid", "holds a control character");
}

static void test_more_than_a_thousand_workspaces_are_refused(void **state) {
    char code[BERTH_CODE_BYTES];
    struct berth_decoded decoded;
    struct raw raw = raw_bind();
    /* Duplicates count: whoever sends more than the limit is told so, whatever is in it. */
    raw.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX + 1;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "command.workspaces_too_many");
    berth_decoded_deinit(&decoded);

    raw.workspaces_count = 30000;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "command.workspaces_too_many");
    assert_int_equal(decoded.command.workspaces_count, BERTH_COMMAND_WORKSPACES_MAX + 1);
    berth_decoded_deinit(&decoded);

    raw.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX;
    decode_raw(*state, &raw, &decoded);
    assert_string_equal(refusal_code(&decoded, code), "");
    assert_int_equal(decoded.command.workspaces_count, 1);
    berth_decoded_deinit(&decoded);
}

static void test_what_is_no_record_of_ours_is_a_dead_letter(void **state) {
    struct berth_decoded decoded;
    decode_bytes(*state, NULL, 0, &decoded);
    assert_dead_letter(&decoded, "record.empty", "has no value");
    decode_bytes(*state, "{\"command\":\"CreateSpace\"}", 25, &decoded);
    assert_dead_letter(&decoded, "record.undecodable", "not Avro single-object encoding");
    decode_bytes(*state, "\xc3\x01\x01\x02\x03\x04\x05\x06\x07", 9, &decoded);
    assert_dead_letter(&decoded, "record.undecodable", "it has 9 bytes");
    decode_bytes(*state, "\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08", 10, &decoded);
    assert_dead_letter(&decoded, "record.unknown_schema", "fingerprint 0807060504030201");
}

static void test_a_record_that_breaks_its_schema_is_a_dead_letter(void **state) {
    struct berth_buffer record;
    struct berth_decoded decoded;
    struct raw raw = raw_bind();
    berth_buffer_init(&record, 4096);
    put_frame(*state, &record, "BindWorkspace");
    put_bind(&record, &raw);
    for (size_t len = BERTH_FRAME_BYTES; len < record.len; len++) {
        decode_bytes(*state, record.data, len, &decoded);
        assert_dead_letter(&decoded, "record.undecodable", "The record is no valid BindWorkspace");
    }
    assert_int_equal(berth_buffer_append(&record, "", 1), BERTH_OK);
    decode_bytes(*state, record.data, record.len, &decoded);
    assert_dead_letter(&decoded, "record.undecodable", "more bytes follow the record");
    berth_buffer_deinit(&record);
}

static void test_a_record_that_is_too_large_is_not_looked_at(void **state) {
    struct berth_decoded decoded;
    uint8_t *record = calloc(1, BERTH_RECORD_BYTES_MAX + 1);
    assert_non_null(record);
    decode_bytes(*state, record, BERTH_RECORD_BYTES_MAX + 1, &decoded);
    assert_dead_letter(&decoded, "record.too_large", "262145 bytes, more than 262144");
    decode_bytes(*state, record, BERTH_RECORD_BYTES_MAX, &decoded);
    assert_dead_letter(&decoded, "record.undecodable", "");
    free(record);
}

static void test_an_event_on_a_command_topic_is_a_dead_letter(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_decoded decoded;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record result = fixture_find(&publication, BERTH_RECORD_RESULT);
    decode_bytes(*state, result.value.data, result.value.len, &decoded);
    assert_dead_letter(&decoded, "record.not_a_command", "is a CommandResult");
    berth_publication_deinit(&publication);
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
    struct raw raw = raw_bind();
    struct berth_decoded decoded;
    raw.workspaces_count = 5;
    decode_raw(*state, &raw, &decoded);
    berth_decoded_deinit(&decoded);
    raw.workspaces_count = 0;
    raw.actor = "";
    decode_raw(*state, &raw, &decoded);
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
        cmocka_unit_test(test_an_id_that_is_no_uuid_is_a_dead_letter_without_an_id),
        cmocka_unit_test(test_workspaces_become_a_set),
        cmocka_unit_test(test_the_order_of_workspaces_does_not_change_the_digest),
        cmocka_unit_test(test_an_illegal_workspace_has_no_robot_name_and_is_refused),
        cmocka_unit_test(test_a_name_that_is_too_long_is_never_cut_to_a_legal_one),
        cmocka_unit_test(test_control_characters_make_a_name_illegal),
        cmocka_unit_test(test_an_actor_is_refused_when_it_cannot_be_kept_whole),
        cmocka_unit_test(test_more_than_a_thousand_workspaces_are_refused),
        cmocka_unit_test(test_what_is_no_record_of_ours_is_a_dead_letter),
        cmocka_unit_test(test_a_record_that_breaks_its_schema_is_a_dead_letter),
        cmocka_unit_test(test_a_record_that_is_too_large_is_not_looked_at),
        cmocka_unit_test(test_an_event_on_a_command_topic_is_a_dead_letter),
        cmocka_unit_test(test_the_trace_is_taken_from_the_headers),
        cmocka_unit_test(test_a_command_has_nothing_of_the_one_before),
        cmocka_unit_test(test_text_that_is_not_utf8_is_not_encoded),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
