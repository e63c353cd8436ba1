/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records an outcome makes, and what is in them. Ids were computed with Python's uuid by the
 * words of events.c's header comment.
 */
#include "berth/codec/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_fixture.h"

#define RESULT_ID "fafa2e04-5052-5dab-9fe9-24689cdc2126"
#define AUDIT_ID  "d91469cc-78f2-559b-9a69-77ebf7f1c43d"
#define STATE_ID  "723a5d79-174c-5632-a453-6b831ee6b25e"

static void test_a_success_is_told_as_result_audit_and_state(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_assert_kinds(*state, &fixture, "RAS");
}

static void test_only_what_the_outcome_asks_for_is_published(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.outcome.audit = false;
    fixture_assert_kinds(*state, &fixture, "RS");
    fixture.outcome.publish_state = false;
    fixture_assert_kinds(*state, &fixture, "R");
    fixture.outcome.dead_letter = true;
    fixture_assert_kinds(*state, &fixture, "RD");
}

static void test_the_headers_are_those_of_cloudevents(void **state) {
    static const struct {
        enum berth_record_kind kind;
        const char *id;
        const char *type;
        const char *span;
    } events[] = {
        {BERTH_RECORD_RESULT, RESULT_ID, "io.berth.v1.CommandResult", "fafa2e0450525dab"},
        {BERTH_RECORD_AUDIT, AUDIT_ID, "io.berth.v1.AuditRecord", "d91469cc78f2559b"},
        {BERTH_RECORD_SPACE, STATE_ID, "io.berth.v1.SpaceState", "723a5d79174c5632"},
    };
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        struct berth_event_record record = fixture_find(&publication, events[i].kind);
        char parent[64];
        (void)snprintf(parent, sizeof parent, "00-" FIXTURE_TRACE "-%s-01", events[i].span);
        assert_int_equal(record.headers_count, 8);
        fixture_assert_header(&record, "ce_specversion", "1.0");
        fixture_assert_header(&record, "ce_id", events[i].id);
        fixture_assert_header(&record, "ce_source", "/berth/prod");
        fixture_assert_header(&record, "ce_type", events[i].type);
        fixture_assert_header(&record, "ce_time", "2023-11-14T22:13:20.200Z");
        fixture_assert_header(&record, "ce_subject", "main/team-a");
        fixture_assert_header(&record, "content-type", "application/avro");
        fixture_assert_header(&record, "traceparent", parent);
        assert_int_equal(record.key.len, strlen("main/team-a"));
        assert_memory_equal(record.key.data, "main/team-a", record.key.len);
    }
    berth_publication_deinit(&publication);
}

static void test_an_audit_record_tells_before_and_after(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    fixture_assert_json(
        *state, fixture_find(&publication, BERTH_RECORD_AUDIT).value,
        "{\"audit_id\":\"" AUDIT_ID "\",\"action\":\"Bind-Workspace\",\"actor\":\"alice\","
        "\"registry\":\"main\",\"space\":\"team-a\",\"workspaces\":[\"blue\",\"red\"],"
        "\"before\":{\"visibility\":\"PRIVATE\",\"workspaces\":[\"blue\"],\"quota_bytes\":-1,"
        "\"project_id\":17},"
        "\"after\":{\"visibility\":\"PRIVATE\",\"workspaces\":[\"blue\",\"red\"],"
        "\"quota_bytes\":-1,\"project_id\":17},"
        "\"outcome\":\"SUCCEEDED\",\"code\":\"workspace.bound\",\"command_id\":\"" FIXTURE_ID "\","
        "\"occurred_at\":\"2023-11-14T22:13:20.200Z\",\"trace_id\":\"" FIXTURE_TRACE "\"}");
    berth_publication_deinit(&publication);
}

static void test_a_state_tells_each_bindings_robot(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture.outcome.after.quota_bytes = BERTH_QUOTA_UNSET;
    fixture.outcome.after.created_by[0] = 0;
    fixture_publish(*state, &fixture, &publication);
    fixture_assert_json(
        *state, fixture_find(&publication, BERTH_RECORD_SPACE).value,
        "{\"registry\":\"main\",\"registry_uid\":\"5f0c6f0e-5b1c-4d57-9c0a-1f4f4a6d3b21\","
        "\"space\":\"team-a\",\"project_id\":17,\"visibility\":\"PRIVATE\",\"quota_bytes\":null,"
        "\"bindings\":[{\"workspace\":\"blue\",\"robot_id\":11,\"key_id\":\"0a1b2c3d\"},"
        "{\"workspace\":\"red\",\"robot_id\":12,\"key_id\":null}],"
        "\"created_by\":null,\"updated_by\":\"" FIXTURE_ID "\","
        "\"updated_at\":\"2023-11-14T22:13:20.200Z\",\"version\":1700000000000001}");
    berth_publication_deinit(&publication);
}

static void test_the_action_is_named_in_the_platforms_style(void **state) {
    static const char *const actions[BERTH_COMMAND_TYPES] = {
        [BERTH_CREATE_SPACE] = "\"action\":\"Create-RegistrySpace\"",
        [BERTH_UPDATE_SPACE] = "\"action\":\"Update-RegistrySpace\"",
        [BERTH_DELETE_SPACE] = "\"action\":\"Delete-RegistrySpace\"",
        [BERTH_BIND_WORKSPACE] = "\"action\":\"Bind-Workspace\"",
        [BERTH_UNBIND_WORKSPACE] = "\"action\":\"Unbind-Workspace\"",
        [BERTH_SET_WORKSPACE_BINDINGS] = "\"action\":\"Bind-Workspace\"",
    };
    for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
        struct fixture fixture;
        struct berth_publication publication;
        struct berth_buffer json;
        fixture_init(&fixture);
        fixture.command.type = (enum berth_command_type)type;
        fixture_publish(*state, &fixture, &publication);
        berth_buffer_init(&json, 4096);
        assert_int_equal(berth_codec_to_json(*state,
                                             fixture_find(&publication, BERTH_RECORD_AUDIT).value,
                                             &json, NULL, NULL),
                         BERTH_OK);
        assert_non_null(strstr((const char *)json.data, actions[type]));
        berth_buffer_deinit(&json);
        berth_publication_deinit(&publication);
    }
}

/* What is published again after a crash must be byte for byte the same event. */
static void test_the_same_outcome_makes_the_same_bytes(void **state) {
    struct fixture fixture;
    struct berth_publication first;
    struct berth_publication second;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &first);
    fixture_publish(*state, &fixture, &second);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    berth_publication_deinit(&first);
    berth_publication_deinit(&second);
}

/* Each record on the command topic has an answer of its own; a state is one for each version. */
static void test_ids_depend_on_source_and_version(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    char text[BERTH_MESSAGE_BYTES];
    fixture_init(&fixture);
    fixture.source.offset++;
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record result = fixture_find(&publication, BERTH_RECORD_RESULT);
    struct berth_event_record audit = fixture_find(&publication, BERTH_RECORD_AUDIT);
    struct berth_event_record space = fixture_find(&publication, BERTH_RECORD_SPACE);
    assert_string_not_equal(fixture_header(&result, "ce_id", text), RESULT_ID);
    assert_string_not_equal(fixture_header(&audit, "ce_id", text), AUDIT_ID);
    fixture_assert_header(&space, "ce_id", STATE_ID);
    berth_publication_deinit(&publication);

    fixture.source.offset--;
    fixture.context.version++;
    fixture_publish(*state, &fixture, &publication);
    result = fixture_find(&publication, BERTH_RECORD_RESULT);
    space = fixture_find(&publication, BERTH_RECORD_SPACE);
    fixture_assert_header(&result, "ce_id", RESULT_ID);
    assert_string_not_equal(fixture_header(&space, "ce_id", text), STATE_ID);
    berth_publication_deinit(&publication);
}

static void test_a_deleted_space_is_a_tombstone(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture.outcome.after = (struct berth_space_state){.knowledge = BERTH_SPACE_ABSENT};
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record space = fixture_find(&publication, BERTH_RECORD_SPACE);
    assert_false(space.has_value);
    assert_int_equal(space.value.len, 0);
    assert_int_equal(space.key.len, strlen("main/team-a"));
    fixture_assert_header(&space, "ce_type", "io.berth.v1.SpaceState");
    char version[24];
    snprintf(version, sizeof(version), "%lld", (long long)fixture.context.version);
    fixture_assert_header(&space, BERTH_VERSION_HEADER, version);
    berth_publication_deinit(&publication);
}

/* "Not known" on a compacted topic would read as "this is how it is". */
static void test_a_state_that_is_not_known_is_not_published(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.outcome.after = (struct berth_space_state){.knowledge = BERTH_SPACE_UNKNOWN};
    fixture_assert_kinds(*state, &fixture, "RA");
}

static void test_without_a_trace_there_is_none_in_the_events(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_buffer json;
    fixture_init(&fixture);
    fixture.command.traceparent[0] = 0;
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record audit = fixture_find(&publication, BERTH_RECORD_AUDIT);
    fixture_assert_header(&audit, "traceparent", NULL);
    assert_int_equal(audit.headers_count, 7);
    berth_buffer_init(&json, 4096);
    assert_int_equal(berth_codec_to_json(*state, audit.value, &json, NULL, NULL), BERTH_OK);
    assert_non_null(strstr((const char *)json.data, "\"trace_id\":null"));
    berth_buffer_deinit(&json);
    berth_publication_deinit(&publication);
}

static void test_a_result_that_is_too_large_goes_without_details(void **state) {
    struct fixture fixture;
    struct berth_publication whole;
    struct berth_publication cut;
    struct berth_error error = {{0}};
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &whole);
    size_t len = fixture_find(&whole, BERTH_RECORD_RESULT).value.len;

    assert_int_equal(
        berth_publication_make(*state, &fixture.context, &fixture.outcome, len, &cut, &error),
        BERTH_OK);
    assert_int_equal(cut.len, whole.len);
    berth_publication_deinit(&cut);

    assert_int_equal(
        berth_publication_make(*state, &fixture.context, &fixture.outcome, len - 1, &cut, &error),
        BERTH_OK);
    struct berth_buffer json;
    berth_buffer_init(&json, 4096);
    struct berth_bytes value = fixture_find(&cut, BERTH_RECORD_RESULT).value;
    assert_true(value.len < len);
    assert_int_equal(berth_codec_to_json(*state, value, &json, NULL, NULL), BERTH_OK);
    assert_non_null(strstr((const char *)json.data, "\"details\":{}"));
    assert_non_null(strstr((const char *)json.data, "\"bindings\":[{\"workspace\":\"blue\""));
    berth_buffer_deinit(&json);
    berth_publication_deinit(&cut);
    berth_publication_deinit(&whole);
}

/* A sentence of Harbor's may be cut within a character; whoever reads our records must not stumble.
 */
static void test_text_in_events_is_always_utf8(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_buffer json;
    char text[BERTH_MESSAGE_BYTES];
    fixture_init(&fixture);
    (void)snprintf(fixture.outcome.message, sizeof fixture.outcome.message, "cut \xe2\x80");
    fixture.outcome.dead_letter = true;
    fixture_publish(*state, &fixture, &publication);
    berth_buffer_init(&json, 4096);
    assert_int_equal(berth_codec_to_json(*state,
                                         fixture_find(&publication, BERTH_RECORD_RESULT).value,
                                         &json, NULL, NULL),
                     BERTH_OK);
    assert_non_null(strstr((const char *)json.data, "\"message\":\"cut ?"));
    struct berth_event_record letter = fixture_find(&publication, BERTH_RECORD_DEAD_LETTER);
    assert_string_equal(fixture_header(&letter, "berth-dlq-message", text), "cut ??");
    berth_buffer_deinit(&json);
    berth_publication_deinit(&publication);
}

/* Every bound at its limit at once. */
/* Whatever a topic takes at least (131,072 bytes, of which half is for headers and the batch) takes
 * the smaller form of any answer. */
static void assert_smaller_fit(struct berth_codec *codec,
                               const struct berth_publication *publication) {
    static const enum berth_record_kind kinds[] = {BERTH_RECORD_RESULT, BERTH_RECORD_AUDIT,
                                                   BERTH_RECORD_SPACE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct berth_bytes whole = fixture_find(publication, kinds[i]).value;
        struct berth_bytes smaller;
        struct berth_error error;
        assert_true(whole.len > BERTH_SMALLER_BYTES_MAX);
        assert_true(whole.len < BERTH_WHOLE_BYTES_MAX);
        assert_int_equal(berth_event_smaller(codec, whole, &smaller, &error), BERTH_OK);
        assert_true(smaller.len < BERTH_SMALLER_BYTES_MAX);
    }
}

/* Readers know it by its header; all else is as ever. */
static void test_the_smaller_form_has_everything_but_lists(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_bytes smaller;
    struct berth_buffer json;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    berth_buffer_init(&json, 1 << 16);

    struct berth_bytes result = fixture_find(&publication, BERTH_RECORD_RESULT).value;
    assert_int_equal(berth_event_smaller(*state, result, &smaller, NULL), BERTH_OK);
    assert_int_equal(berth_codec_to_json(*state, smaller, &json, NULL, NULL), BERTH_OK);
    assert_non_null(strstr((const char *)json.data, "\"details\":{}"));
    assert_non_null(strstr((const char *)json.data, "\"bindings\":[]"));
    assert_non_null(strstr((const char *)json.data, "\"workspaces\":[]"));
    assert_non_null(strstr((const char *)json.data, fixture.command.id));
    assert_non_null(strstr((const char *)json.data, fixture.outcome.message));

    berth_buffer_clear(&json);
    struct berth_bytes audit = fixture_find(&publication, BERTH_RECORD_AUDIT).value;
    assert_int_equal(berth_event_smaller(*state, audit, &smaller, NULL), BERTH_OK);
    assert_int_equal(berth_codec_to_json(*state, smaller, &json, NULL, NULL), BERTH_OK);
    const char *before = strstr((const char *)json.data, "\"before\":{");
    assert_non_null(before);
    assert_non_null(strstr(before, "\"workspaces\":[]"));
    assert_non_null(strstr(strstr(before, "\"after\":{"), "\"workspaces\":[]"));

    struct berth_bytes state_value = fixture_find(&publication, BERTH_RECORD_SPACE).value;
    assert_int_equal(berth_event_smaller(*state, state_value, &smaller, NULL), BERTH_OK);
    assert_true(smaller.len < state_value.len);
    struct berth_bytes nothing = {.data = NULL, .len = 0};
    assert_int_equal(berth_event_smaller(*state, nothing, &smaller, NULL), BERTH_INVALID);
    berth_buffer_deinit(&json);
    berth_publication_deinit(&publication);
}

static void test_the_largest_outcome_is_published_whole(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    char kinds[8];
    struct berth_workspace *workspaces = calloc(BERTH_COMMAND_WORKSPACES_MAX, sizeof *workspaces);
    struct berth_binding *bindings = calloc(BERTH_SPACE_BINDINGS_MAX, sizeof *bindings);
    struct berth_binding_change *changes = calloc(BERTH_COMMAND_WORKSPACES_MAX, sizeof *changes);
    assert_non_null(workspaces);
    assert_non_null(bindings);
    assert_non_null(changes);
    for (int i = 0; i < BERTH_SPACE_BINDINGS_MAX; i++) {
        (void)snprintf(workspaces[i].id, BERTH_WORKSPACE_BYTES, "%0128d", i);
        memcpy(bindings[i].workspace, workspaces[i].id, BERTH_WORKSPACE_BYTES);
        memcpy(changes[i].workspace, workspaces[i].id, BERTH_WORKSPACE_BYTES);
        bindings[i].robot_id = INT64_MAX;
        memcpy(bindings[i].key_id, "0a1b2c3d", BERTH_KEY_ID_BYTES);
        changes[i].code = "workspace.with_the_longest_code_of_all_there_is";
    }
    fixture_init(&fixture);
    fixture.command.workspaces = workspaces;
    fixture.command.workspaces_count = BERTH_COMMAND_WORKSPACES_MAX;
    fixture.outcome.bindings = changes;
    fixture.outcome.bindings_count = BERTH_COMMAND_WORKSPACES_MAX;
    fixture.outcome.before.bindings = fixture.outcome.after.bindings = bindings;
    fixture.outcome.before.bindings_count = fixture.outcome.after.bindings_count =
        BERTH_SPACE_BINDINGS_MAX;
    fixture.outcome.details_count = BERTH_DETAILS_MAX;
    for (int i = 0; i < BERTH_DETAILS_MAX; i++) {
        struct berth_detail *detail = &fixture.outcome.details[i];
        memset(detail->name, 'a' + i, sizeof detail->name - 1);
        memset(detail->value, 'x', sizeof detail->value - 1);
        detail->name[sizeof detail->name - 1] = 0;
        detail->value[sizeof detail->value - 1] = 0;
    }
    fixture.outcome.dead_letter = true;
    fixture_publish(*state, &fixture, &publication);
    assert_string_equal(fixture_kinds(&publication, kinds), "RASD");

    struct berth_buffer json;
    berth_buffer_init(&json, 1 << 21);
    struct berth_bytes audit = fixture_find(&publication, BERTH_RECORD_AUDIT).value;
    assert_int_equal(berth_codec_to_json(*state, audit, &json, NULL, NULL), BERTH_OK);
    berth_buffer_deinit(&json);
    assert_smaller_fit(*state, &publication);
    berth_publication_deinit(&publication);
    free(workspaces);
    free(bindings);
    free(changes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_success_is_told_as_result_audit_and_state),
        cmocka_unit_test(test_only_what_the_outcome_asks_for_is_published),
        cmocka_unit_test(test_the_headers_are_those_of_cloudevents),
        cmocka_unit_test(test_an_audit_record_tells_before_and_after),
        cmocka_unit_test(test_a_state_tells_each_bindings_robot),
        cmocka_unit_test(test_the_action_is_named_in_the_platforms_style),
        cmocka_unit_test(test_the_same_outcome_makes_the_same_bytes),
        cmocka_unit_test(test_ids_depend_on_source_and_version),
        cmocka_unit_test(test_a_deleted_space_is_a_tombstone),
        cmocka_unit_test(test_a_state_that_is_not_known_is_not_published),
        cmocka_unit_test(test_without_a_trace_there_is_none_in_the_events),
        cmocka_unit_test(test_a_result_that_is_too_large_goes_without_details),
        cmocka_unit_test(test_text_in_events_is_always_utf8),
        cmocka_unit_test(test_the_smaller_form_has_everything_but_lists),
        cmocka_unit_test(test_the_largest_outcome_is_published_whole),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
