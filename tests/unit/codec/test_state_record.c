/* SPDX-License-Identifier: Apache-2.0 */
/* What was published of a space is read back as it was; nothing else gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/codec/state_record.h"
#include "codec_fixture.h"

static struct berth_bytes text_bytes(const char *text) {
    return (struct berth_bytes){(const uint8_t *)text, strlen(text)};
}

/* The space's record of the fixture, changed before. ret_publication holds its bytes. */
static struct berth_event_record publish(struct berth_codec *codec, const struct fixture *fixture,
                                         struct berth_publication *ret_publication) {
    fixture_publish(codec, fixture, ret_publication);
    return fixture_find(ret_publication, BERTH_RECORD_SPACE);
}

static void test_a_state_is_read_back_as_it_was_published(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_state_record record;
    struct berth_error error = {""};
    fixture_init(&fixture);
    snprintf(fixture.outcome.after.created_by, BERTH_UUID_BYTES, "%s", FIXTURE_ID);
    struct berth_event_record published = publish(*state, &fixture, &publication);
    assert_int_equal(
        berth_state_record_decode(*state, published.key, published.value, &record, &error),
        BERTH_OK);

    const struct berth_space_state *after = &fixture.outcome.after;
    assert_string_equal(record.registry, fixture.command.registry);
    assert_string_equal(record.registry_uid, fixture.context.registry_uid);
    assert_string_equal(record.space, fixture.command.space);
    assert_int_equal(record.state.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(record.state.version, fixture.context.version);
    assert_true(berth_space_state_equal(&record.state, after));
    assert_string_equal(record.state.created_by, after->created_by);
    assert_string_equal(record.state.updated_by, after->updated_by);
    assert_int_equal(record.state.updated_at_ms, after->updated_at_ms);
    assert_int_equal(record.state.verified_at_ms, 0);
    berth_state_record_deinit(&record);
    berth_publication_deinit(&publication);
}

/* Null in the record is "not known" here, not zero. */
static void test_what_was_not_known_is_not_known(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_state_record record;
    fixture_init(&fixture);
    fixture.outcome.after.visibility = BERTH_VISIBILITY_UNSET;
    fixture.outcome.after.quota_bytes = BERTH_QUOTA_UNSET;
    fixture.outcome.after.created_by[0] = '\0';
    fixture.after[0].key_id[0] = '\0';
    struct berth_event_record published = publish(*state, &fixture, &publication);
    assert_int_equal(
        berth_state_record_decode(*state, published.key, published.value, &record, NULL), BERTH_OK);
    assert_int_equal(record.state.visibility, BERTH_VISIBILITY_UNSET);
    assert_int_equal(record.state.quota_bytes, BERTH_QUOTA_UNSET);
    assert_string_equal(record.state.created_by, "");
    assert_string_equal(record.state.bindings[0].key_id, "");
    berth_state_record_deinit(&record);
    berth_publication_deinit(&publication);
}

static void test_a_tombstone_names_its_space_and_nothing_else(void **state) {
    struct berth_state_record record;
    assert_int_equal(berth_state_record_decode(*state, text_bytes("alpha/team-a"),
                                               (struct berth_bytes){0}, &record, NULL),
                     BERTH_OK);
    assert_string_equal(record.registry, "alpha");
    assert_string_equal(record.space, "team-a");
    assert_string_equal(record.registry_uid, "");
    assert_int_equal(record.state.knowledge, BERTH_SPACE_UNKNOWN);
    berth_state_record_deinit(&record);
}

/* Names become keys and members of sets in Redis. */
static void test_a_key_that_is_no_space_is_refused(void **state) {
    static const char *const keys[] = {
        "",          "alpha",    "alpha/",     "/team-a",   "alpha/Team", "Alpha/a",
        "alpha/a/b", "al pha/a", "alpha/a\nb", "alpha/a b", "al:pha/a",   "alpha/te..am",
    };
    struct berth_state_record record;
    struct berth_error error = {""};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(berth_state_record_decode(*state, text_bytes(keys[i]),
                                                   (struct berth_bytes){0}, &record, &error),
                         BERTH_INVALID);
        assert_string_equal(error.text, "The record's key is not registry/space.");
    }
    assert_int_equal(berth_state_record_decode(*state, (struct berth_bytes){0},
                                               (struct berth_bytes){0}, &record, &error),
                     BERTH_INVALID);
    const uint8_t nul[] = {'a', '/', 'b', 0, 'c'};
    assert_int_equal(berth_state_record_decode(*state, (struct berth_bytes){nul, sizeof(nul)},
                                               (struct berth_bytes){0}, &record, &error),
                     BERTH_INVALID);
    char long_key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES + 8];
    memset(long_key, 'a', sizeof(long_key));
    long_key[1] = '/';
    assert_int_equal(berth_state_record_decode(
                         *state, (struct berth_bytes){(const uint8_t *)long_key, sizeof(long_key)},
                         (struct berth_bytes){0}, &record, &error),
                     BERTH_INVALID);
}

static void no_project(struct fixture *fixture) {
    fixture->outcome.after.project_id = 0;
}

static void no_version(struct fixture *fixture) {
    fixture->context.version = 0;
}

/* Lua compares versions as doubles. */
static void inexact_version(struct fixture *fixture) {
    fixture->context.version = (INT64_C(1) << 53) + 1;
}

static void odd_quota(struct fixture *fixture) {
    fixture->outcome.after.quota_bytes = -2;
}

static void no_robot(struct fixture *fixture) {
    fixture->after[0].robot_id = 0;
}

/* It would be read as three words. */
static void odd_key_id(struct fixture *fixture) {
    snprintf(fixture->after[0].key_id, BERTH_KEY_ID_BYTES, "a b");
}

static void odd_workspace(struct fixture *fixture) {
    snprintf(fixture->after[0].workspace, BERTH_WORKSPACE_BYTES, "a\nb");
}

static void odd_creator(struct fixture *fixture) {
    snprintf(fixture->outcome.after.created_by, BERTH_UUID_BYTES, "me\nand you");
}

static void test_a_field_that_breaks_a_rule_is_named(void **state) {
    static const struct {
        void (*change)(struct fixture *fixture);
        const char *field;
    } cases[] = {
        {no_project, "project_id"},  {no_version, "version"},     {inexact_version, "version"},
        {odd_quota, "quota_bytes"},  {no_robot, "bindings"},      {odd_key_id, "bindings"},
        {odd_workspace, "bindings"}, {odd_creator, "created_by"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        struct berth_publication publication;
        struct berth_state_record record;
        struct berth_error error = {""};
        char expected[128];
        fixture_init(&fixture);
        cases[i].change(&fixture);
        struct berth_event_record published = publish(*state, &fixture, &publication);
        assert_int_equal(
            berth_state_record_decode(*state, published.key, published.value, &record, &error),
            BERTH_INVALID);
        snprintf(expected, sizeof(expected), "The field %s of the SpaceState breaks a rule.",
                 cases[i].field);
        assert_string_equal(error.text, expected);
        berth_publication_deinit(&publication);
    }
}

static void test_a_state_under_another_key_is_refused(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_state_record record;
    struct berth_error error = {""};
    fixture_init(&fixture);
    struct berth_event_record published = publish(*state, &fixture, &publication);
    assert_int_equal(berth_state_record_decode(*state, text_bytes("alpha/another"), published.value,
                                               &record, &error),
                     BERTH_INVALID);
    assert_string_equal(error.text, "The record's key is not that of its space.");
    berth_publication_deinit(&publication);
}

/* Anybody who may write to the topic can put anything there. */
static void test_another_record_and_cut_bytes_are_refused(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_state_record record;
    struct berth_error error = {""};
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    struct berth_event_record result = fixture_find(&publication, BERTH_RECORD_RESULT);
    struct berth_event_record space = fixture_find(&publication, BERTH_RECORD_SPACE);
    assert_int_equal(berth_state_record_decode(*state, space.key, result.value, &record, &error),
                     BERTH_INVALID);
    assert_string_equal(error.text, "The record is a CommandResult, not a SpaceState.");
    for (size_t len = 0; len < space.value.len; len++) {
        struct berth_bytes cut = {space.value.data, len};
        assert_int_equal(berth_state_record_decode(*state, space.key, cut, &record, &error),
                         BERTH_INVALID);
    }
    berth_publication_deinit(&publication);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_state_is_read_back_as_it_was_published),
        cmocka_unit_test(test_what_was_not_known_is_not_known),
        cmocka_unit_test(test_a_tombstone_names_its_space_and_nothing_else),
        cmocka_unit_test(test_a_key_that_is_no_space_is_refused),
        cmocka_unit_test(test_a_field_that_breaks_a_rule_is_named),
        cmocka_unit_test(test_a_state_under_another_key_is_refused),
        cmocka_unit_test(test_another_record_and_cut_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
