/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is published when a record is given up, and what is told again to another record with a
 * known id. Ids were computed with Python's uuid by the words of events.c's header comment.
 */
#include "berth/codec/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "berth/core/plan.h"
#include "codec_fixture.h"

#define REPLAY_ID "b332bdee-b135-5823-ab5a-a3029eb5c75f"

static void test_a_dead_letter_says_where_it_was_and_why(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    berth_outcome_refuse(&fixture.outcome, BERTH_FAILED, "space.state_unknown",
                         "Nobody knows. Look at it.");
    fixture.outcome.attempts = 7;
    fixture.outcome.received_at_ms = 1700000000100;
    fixture.outcome.finished_at_ms = 1700000000200;
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record letter = fixture_find(&publication, BERTH_RECORD_DEAD_LETTER);
    assert_int_equal(letter.key.len, 0);
    assert_false(letter.has_value);
    assert_int_equal(letter.headers_count, 10);
    fixture_assert_header(&letter, "berth-dlq-topic", "berth.commands.main");
    fixture_assert_header(&letter, "berth-dlq-partition", "3");
    fixture_assert_header(&letter, "berth-dlq-offset", "12345");
    fixture_assert_header(&letter, "berth-dlq-timestamp", "2023-11-14T22:13:20.050Z");
    fixture_assert_header(&letter, "berth-dlq-group", "berth-prod");
    fixture_assert_header(&letter, "berth-dlq-reason", "space.state_unknown");
    fixture_assert_header(&letter, "berth-dlq-message", "Nobody knows. Look at it.");
    fixture_assert_header(&letter, "berth-dlq-attempts", "7");
    fixture_assert_header(&letter, "berth-dlq-first-seen", "2023-11-14T22:13:20.100Z");
    fixture_assert_header(&letter, "berth-dlq-failed-at", "2023-11-14T22:13:20.200Z");
    berth_publication_deinit(&publication);
}

static void test_a_record_without_a_timestamp_has_no_header_for_it(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture.outcome.dead_letter = true;
    fixture.context.record_time_ms = -1;
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record letter = fixture_find(&publication, BERTH_RECORD_DEAD_LETTER);
    fixture_assert_header(&letter, "berth-dlq-timestamp", NULL);
    berth_publication_deinit(&publication);
}

static void test_without_an_id_there_is_only_the_dead_letter(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.command.id[0] = 0;
    fixture.outcome.dead_letter = true;
    fixture_assert_kinds(*state, &fixture, "D");
    fixture.outcome.dead_letter = false;
    struct berth_publication publication;
    fixture_publish(*state, &fixture, &publication);
    assert_null(publication.data);
    assert_int_equal(publication.len, 0);
}

/* Nothing but the id could be read: its answer must not claim more. */
static void test_an_answer_to_an_unreadable_command_does_not_name_its_type(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_command command = {.id = FIXTURE_ID};
    fixture_init(&fixture);
    fixture.context.command = &command;
    berth_outcome_refuse(&fixture.outcome, BERTH_FAILED, "record.undecodable", "No.");
    fixture.outcome.finished_at_ms = 1700000000200;
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record result = fixture_find(&publication, BERTH_RECORD_RESULT);
    assert_int_equal(result.key.len, 0);
    fixture_assert_header(&result, "ce_subject", NULL);
    fixture_assert_json(
        *state, result.value,
        "{\"command_id\":\"" FIXTURE_ID "\",\"command\":\"UNKNOWN\",\"registry\":\"\","
        "\"space\":\"\",\"actor\":\"\",\"outcome\":\"FAILED\",\"changed\":false,"
        "\"code\":\"record.undecodable\",\"message\":\"No.\",\"details\":{},\"space_state\":null,"
        "\"bindings\":[],\"attempts\":0,\"received_at\":\"2023-11-14T22:13:20.200Z\","
        "\"finished_at\":\"2023-11-14T22:13:20.200Z\",\"source\":{\"topic\":"
        "\"berth.commands.main\",\"partition\":3,\"offset\":12345}}");
    berth_publication_deinit(&publication);
}

static void replay(struct berth_codec *codec, const struct berth_publication *stored,
                   int64_t offset, struct berth_publication *ret_answer) {
    struct berth_source source = {.topic = "berth.commands.main", .partition = 4, .offset = offset};
    struct berth_error error = {{0}};
    struct berth_bytes bytes = {.data = stored->data, .len = stored->len};
    if (berth_publication_replay(codec, bytes, &source, ret_answer, &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
}

/* The same answer, told to another record: its source, its id, its span, nothing else. */
static void test_a_replay_is_the_same_answer_to_another_record(void **state) {
    struct fixture fixture;
    struct berth_publication stored;
    struct berth_publication answer;
    char kinds[8];
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &stored);
    replay(*state, &stored, 99, &answer);
    assert_string_equal(fixture_kinds(&answer, kinds), "R");
    struct berth_event_record record = fixture_find(&answer, BERTH_RECORD_RESULT);
    assert_int_equal(record.headers_count, 9);
    fixture_assert_header(&record, "berth-replayed", "true");
    fixture_assert_header(&record, "ce_id", REPLAY_ID);
    fixture_assert_header(&record, "ce_time", "2023-11-14T22:13:20.200Z");
    fixture_assert_header(&record, "traceparent", "00-" FIXTURE_TRACE "-b332bdeeb1355823-01");
    assert_int_equal(record.key.len, strlen("main/team-a"));

    /* The whole value, made afresh for that source, is the expectation. */
    struct berth_publication fresh;
    fixture.source.partition = 4;
    fixture.source.offset = 99;
    fixture_publish(*state, &fixture, &fresh);
    struct berth_bytes expected = fixture_find(&fresh, BERTH_RECORD_RESULT).value;
    assert_int_equal(record.value.len, expected.len);
    assert_memory_equal(record.value.data, expected.data, expected.len);
    berth_publication_deinit(&fresh);
    berth_publication_deinit(&answer);
    berth_publication_deinit(&stored);
}

static void test_a_replay_of_what_is_damaged_is_refused(void **state) {
    struct fixture fixture;
    struct berth_publication stored;
    struct berth_publication answer;
    struct berth_error error = {{0}};
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &stored);
    stored.data[stored.len / 2] ^= 1;
    assert_int_equal(berth_publication_replay(
                         *state, (struct berth_bytes){.data = stored.data, .len = stored.len},
                         &fixture.source, &answer, &error),
                     BERTH_INVALID);
    assert_int_equal(
        berth_publication_replay(*state, (struct berth_bytes){0}, &fixture.source, &answer, &error),
        BERTH_INVALID);
    berth_publication_deinit(&stored);
}

/* A ledger entry that holds a dead letter alone has nothing to answer with. */
static void test_a_replay_needs_a_result(void **state) {
    struct fixture fixture;
    struct berth_publication stored;
    struct berth_publication answer;
    struct berth_error error = {{0}};
    fixture_init(&fixture);
    fixture.command.id[0] = 0;
    fixture.outcome.dead_letter = true;
    fixture_publish(*state, &fixture, &stored);
    assert_int_equal(berth_publication_replay(
                         *state, (struct berth_bytes){.data = stored.data, .len = stored.len},
                         &fixture.source, &answer, &error),
                     BERTH_INVALID);
    berth_publication_deinit(&stored);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dead_letter_says_where_it_was_and_why),
        cmocka_unit_test(test_a_record_without_a_timestamp_has_no_header_for_it),
        cmocka_unit_test(test_without_an_id_there_is_only_the_dead_letter),
        cmocka_unit_test(test_an_answer_to_an_unreadable_command_does_not_name_its_type),
        cmocka_unit_test(test_a_replay_is_the_same_answer_to_another_record),
        cmocka_unit_test(test_a_replay_of_what_is_damaged_is_refused),
        cmocka_unit_test(test_a_replay_needs_a_result),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
