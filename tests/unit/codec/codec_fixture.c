/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

int fixture_codec_setup(void **state) {
    struct berth_codec *codec = NULL;
    struct berth_error error = {{0}};
    if (berth_codec_new(&codec, &error) != BERTH_OK) {
        print_error("%s\n", error.text);
        return -1;
    }
    *state = codec;
    return 0;
}

int fixture_codec_teardown(void **state) {
    *state = berth_codec_free(*state);
    return 0;
}

void fixture_init(struct fixture *fixture) {
    *fixture = (struct fixture){
        .workspaces = {{"blue", "ws-blue"}, {"red", "ws-red"}},
        .source = {.topic = "berth.commands.main", .partition = 3, .offset = 12345},
        .before = {{.workspace = "blue", .robot_id = 11, .key_id = "0a1b2c3d"}},
        .after = {{.workspace = "blue", .robot_id = 11, .key_id = "0a1b2c3d"},
                  {.workspace = "red", .robot_id = 12}},
        .changes = {{"blue", BERTH_BINDING_UNCHANGED, "workspace.unchanged"},
                    {"red", BERTH_BINDING_BOUND, "workspace.bound"}},
    };
    fixture->command = (struct berth_command){
        .type = BERTH_BIND_WORKSPACE,
        .id = FIXTURE_ID,
        .registry = "main",
        .space = "team-a",
        .actor = "alice",
        .issued_at_ms = 1700000000000,
        .workspaces = fixture->workspaces,
        .workspaces_count = 2,
        .traceparent = "00-" FIXTURE_TRACE "-b7ad6b7169203331-01",
    };
    struct berth_space_state state = {
        .knowledge = BERTH_SPACE_PRESENT,
        .project_id = 17,
        .visibility = BERTH_PRIVATE,
        .quota_bytes = BERTH_QUOTA_UNLIMITED,
        .created_by = "6a1f0c55-0d5c-4c8f-8d16-64a8b2a2a111",
        .updated_by = FIXTURE_ID,
        .updated_at_ms = 1700000000200,
    };
    fixture->outcome = (struct berth_outcome){
        .kind = BERTH_SUCCEEDED,
        .changed = true,
        .code = "workspace.bound",
        .message = "Bound/Unbound workspace successfully",
        .details = {{"space", "team-a"}},
        .details_count = 1,
        .bindings = fixture->changes,
        .bindings_count = 2,
        .attempts = 1,
        .received_at_ms = 1700000000100,
        .finished_at_ms = 1700000000200,
        .before = state,
        .after = state,
        .publish_state = true,
        .audit = true,
        .final = true,
    };
    fixture->outcome.before.bindings = fixture->before;
    fixture->outcome.before.bindings_count = 1;
    fixture->outcome.after.bindings = fixture->after;
    fixture->outcome.after.bindings_count = 2;
    fixture->context = (struct berth_event_context){
        .command = &fixture->command,
        .source = &fixture->source,
        .deployment = "prod",
        .registry_uid = "5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21",
        .group = "berth-prod",
        .version = 1700000000000001,
        .record_time_ms = 1700000000050,
    };
}

void fixture_publish(struct berth_codec *codec, const struct fixture *fixture,
                     struct berth_publication *ret_publication) {
    struct berth_error error = {{0}};
    enum berth_rc rc = berth_publication_make(codec, &fixture->context, &fixture->outcome, 1 << 20,
                                              ret_publication, &error);
    if (rc != BERTH_OK) {
        fail_msg("%s: %s", berth_rc_name(rc), error.text);
    }
}

struct berth_event_record fixture_find(const struct berth_publication *publication,
                                       enum berth_record_kind kind) {
    struct berth_publication_reader reader;
    struct berth_event_record record;
    struct berth_bytes packed = {.data = publication->data, .len = publication->len};
    assert_int_equal(berth_publication_open(packed, &reader), BERTH_OK);
    while (berth_publication_next(&reader, &record) == BERTH_OK) {
        if (record.kind == kind) {
            return record;
        }
    }
    fail_msg("no record of kind %d", (int)kind);
    return record;
}

const char *fixture_kinds(const struct berth_publication *publication, char ret_kinds[8]) {
    struct berth_publication_reader reader;
    struct berth_event_record record;
    struct berth_bytes packed = {.data = publication->data, .len = publication->len};
    size_t count = 0;
    assert_int_equal(berth_publication_open(packed, &reader), BERTH_OK);
    while (berth_publication_next(&reader, &record) == BERTH_OK) {
        assert_true(count < 7);
        ret_kinds[count++] = "RASD"[record.kind];
    }
    ret_kinds[count] = 0;
    return ret_kinds;
}

const char *fixture_header(const struct berth_event_record *record, const char *name,
                           char ret_text[BERTH_MESSAGE_BYTES]) {
    for (size_t i = 0; i < record->headers_count; i++) {
        const struct berth_header *header = &record->headers[i];
        if (strcmp(header->name, name) == 0) {
            assert_true(header->value.len < BERTH_MESSAGE_BYTES);
            memset(ret_text, 0, BERTH_MESSAGE_BYTES);
            memcpy(ret_text, header->value.data, header->value.len);
            return ret_text;
        }
    }
    return NULL;
}

void fixture_assert_kinds(struct berth_codec *codec, const struct fixture *fixture,
                          const char *expected) {
    struct berth_publication publication;
    char kinds[8];
    fixture_publish(codec, fixture, &publication);
    assert_string_equal(fixture_kinds(&publication, kinds), expected);
    berth_publication_deinit(&publication);
}

void fixture_assert_header(const struct berth_event_record *record, const char *name,
                           const char *expected) {
    char text[BERTH_MESSAGE_BYTES];
    const char *found = fixture_header(record, name, text);
    if (expected == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, expected);
}

void fixture_assert_json(struct berth_codec *codec, struct berth_bytes value,
                         const char *expected) {
    struct berth_buffer json;
    struct berth_error error = {{0}};
    berth_buffer_init(&json, 1 << 20);
    if (berth_codec_to_json(codec, value, &json, NULL, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal((const char *)json.data, expected);
    berth_buffer_deinit(&json);
}

void fixture_put_long(struct berth_buffer *out, int64_t number) {
    uint64_t bits = ((uint64_t)number << 1U) ^ (number < 0 ? UINT64_MAX : 0);
    do {
        uint8_t byte = (uint8_t)((bits & 0x7fU) | (bits > 0x7fU ? 0x80U : 0));
        assert_int_equal(berth_buffer_append(out, &byte, 1), BERTH_OK);
        bits >>= 7U;
    } while (bits > 0);
}

void fixture_put_text(struct berth_buffer *out, const char *text, size_t len) {
    fixture_put_long(out, (int64_t)len);
    assert_int_equal(berth_buffer_append(out, text, len), BERTH_OK);
}
