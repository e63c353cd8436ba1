/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of writers whose schema is another version of ours: older, newer, or wrong.
 */
#include "codec_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <avro.h>
#include <cmocka.h>

#include "avro_check.h"
#include "codec_fixture.h"

#define SCHEMA(name, fields)                                                                       \
    "{\"type\":\"record\",\"name\":\"" name "\",\"namespace\":\"io.berth.v1\",\"fields\":[" fields \
    "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define STRING(name)      FIELD(name, "\"string\"")
#define BEFORE_SPACE                                                                               \
    STRING("command_id")                                                                           \
    "," FIELD("issued_at", "\"long\"") "," STRING("actor") "," STRING("registry")
#define COMMON BEFORE_SPACE "," STRING("space")

static void put_before_space(struct berth_buffer *body) {
    fixture_put_literal(body, FIXTURE_ID);
    fixture_put_long(body, 1700000000000);
    fixture_put_literal(body, "alice");
    fixture_put_literal(body, "main");
}

static void put_common(struct berth_buffer *body) {
    put_before_space(body);
    fixture_put_literal(body, "team-a");
}

/* Reads the body as the codec would, had it this schema; empties it. */
static void read_record(const char *schema_text, struct berth_buffer *body,
                        struct berth_decoded *ret_decoded) {
    struct berth_schema tree;
    struct berth_error error = {{0}};
    assert_int_equal(berth_schema_init(&tree, schema_text, strlen(schema_text), &error), BERTH_OK);
    if (berth_avro_check(tree.root, berth_buffer_view(body), &error) != BERTH_OK) {
        fail_msg("%s", error.text);
    }
    berth_schema_deinit(&tree);

    avro_schema_t schema;
    avro_value_t value;
    assert_int_equal(avro_schema_from_json_length(schema_text, strlen(schema_text), &schema), 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    assert_int_equal(avro_generic_value_new(class, &value), 0);
    avro_reader_t reader = avro_reader_memory((const char *)body->data, (int64_t)body->len);
    assert_int_equal(avro_value_read(reader, &value), 0);
    *ret_decoded = (struct berth_decoded){0};
    berth_command_from_record(&value, ret_decoded);
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    berth_buffer_deinit(body);
}

static void assert_fault(struct berth_decoded *decoded, const char *reason, const char *text) {
    assert_false(decoded->is_command);
    assert_string_equal(decoded->reason, reason);
    assert_string_equal(decoded->text, text);
    berth_decoded_deinit(decoded);
}

static void test_fields_that_we_do_not_know_are_ignored(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    fixture_put_literal(&body, "first of all");
    put_common(&body);
    fixture_put_long(&body, 1);
    fixture_put_long(&body, 2);
    read_record(SCHEMA("DeleteSpace",
                       STRING("reason") "," COMMON "," FIELD("later", "[\"null\",\"long\"]")),
                &body, &decoded);
    assert_true(decoded.is_command);
    assert_int_equal(decoded.command.type, BERTH_DELETE_SPACE);
    assert_string_equal(decoded.command.space, "team-a");
    assert_false(decoded.command.unbind);
}

static void test_the_order_of_fields_means_nothing(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    fixture_put_literal(&body, "team-a");
    put_before_space(&body);
    read_record(SCHEMA("DeleteSpace", STRING("space") "," BEFORE_SPACE), &body, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.space, "team-a");
    assert_string_equal(decoded.command.registry, "main");
}

static void test_missing_fields_take_our_defaults(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_common(&body);
    read_record(SCHEMA("CreateSpace", COMMON), &body, &decoded);
    assert_true(decoded.is_command);
    assert_int_equal(decoded.command.visibility, BERTH_VISIBILITY_UNSET);
    assert_false(decoded.command.quota_given);
    assert_int_equal(decoded.command.if_exists, BERTH_IF_EXISTS_FAIL);
}

/* The id was read, so its producer gets an answer that says what is missing. */
static void test_a_missing_field_without_a_default_is_a_fault_that_names_it(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_before_space(&body);
    read_record(SCHEMA("DeleteSpace", BEFORE_SPACE), &body, &decoded);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    assert_string_equal(decoded.command.registry, "main");
    assert_fault(&decoded, "record.undecodable", "The field space of DeleteSpace is missing.");

    put_common(&body);
    read_record(SCHEMA("BindWorkspace", COMMON), &body, &decoded);
    assert_fault(&decoded, "record.undecodable",
                 "The field workspaces of BindWorkspace is missing.");
}

static void test_null_in_a_field_without_a_default_is_a_fault(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_before_space(&body);
    fixture_put_long(&body, 0);
    read_record(SCHEMA("DeleteSpace", BEFORE_SPACE "," FIELD("space", "[\"null\",\"string\"]")),
                &body, &decoded);
    assert_fault(&decoded, "record.undecodable", "The field space of DeleteSpace is missing.");
}

static void test_a_nullable_field_is_read_where_ours_is_not(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_before_space(&body);
    fixture_put_long(&body, 1);
    fixture_put_literal(&body, "team-a");
    read_record(SCHEMA("DeleteSpace", BEFORE_SPACE "," FIELD("space", "[\"null\",\"string\"]")),
                &body, &decoded);
    assert_true(decoded.is_command);
    assert_string_equal(decoded.command.space, "team-a");
}

static void test_an_int_is_taken_for_a_long(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_common(&body);
    fixture_put_long(&body, -1);
    read_record(SCHEMA("UpdateSpace", COMMON "," FIELD("quota_bytes", "\"int\"")), &body, &decoded);
    assert_true(decoded.is_command);
    assert_true(decoded.command.quota_given);
    assert_true(decoded.command.quota_bytes == -1);
}

/* What a field holds in place of its own type, and what is said to it. */
static void assert_wrong_type(const char *schema, const char *more, size_t len, const char *text) {
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_common(&body);
    assert_int_equal(berth_buffer_append(&body, more, len), BERTH_OK);
    read_record(schema, &body, &decoded);
    assert_string_equal(decoded.command.id, FIXTURE_ID);
    assert_fault(&decoded, "record.undecodable", text);
}

static void test_a_field_of_another_type_is_a_fault(void **state) {
    (void)state;
    assert_wrong_type(SCHEMA("UpdateSpace", COMMON "," STRING("quota_bytes")),
                      "\x02"
                      "1",
                      2, "The field quota_bytes of UpdateSpace is not a whole number.");
    assert_wrong_type(SCHEMA("UpdateSpace", COMMON "," STRING("visibility")),
                      "\x02"
                      "1",
                      2, "The field visibility of UpdateSpace is not an enum.");
    assert_wrong_type(SCHEMA("CreateSpace", COMMON "," STRING("if_exists")),
                      "\x02"
                      "1",
                      2, "The field if_exists of CreateSpace is not an enum.");
    assert_wrong_type(SCHEMA("DeleteSpace", COMMON "," STRING("unbind")),
                      "\x02"
                      "1",
                      2, "The field unbind of DeleteSpace is not a boolean.");
    assert_wrong_type(SCHEMA("BindWorkspace", COMMON "," STRING("workspaces")),
                      "\x02"
                      "1",
                      2, "The field workspaces of BindWorkspace is not an array.");
    assert_wrong_type(SCHEMA("BindWorkspace", COMMON
                             "," FIELD("workspaces", "{\"type\":\"array\",\"items\":\"long\"}")),
                      "\x02\x02\x00", 3, "The field workspaces of BindWorkspace is not text.");
}

static void test_an_id_that_is_not_text_leaves_no_id(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    fixture_put_long(&body, 7);
    read_record(SCHEMA("DeleteSpace", FIELD("command_id", "\"long\"")), &body, &decoded);
    assert_string_equal(decoded.command.id, "");
    assert_fault(&decoded, "record.undecodable",
                 "The field command_id of DeleteSpace is not text.");
}

/* A newer writer may have a symbol that we can't act on: to guess would be worse than to refuse. */
static void test_a_symbol_that_we_do_not_know_is_a_fault(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_common(&body);
    fixture_put_long(&body, 0);
    read_record(SCHEMA("UpdateSpace",
                       COMMON "," FIELD("visibility", "{\"type\":\"enum\",\"name\":\"Visibility\","
                                                      "\"symbols\":[\"INTERNAL\"]}")),
                &body, &decoded);
    assert_fault(&decoded, "command.field_invalid",
                 "The field visibility of UpdateSpace is neither PRIVATE nor PUBLIC.");
    put_common(&body);
    fixture_put_long(&body, 0);
    read_record(SCHEMA("CreateSpace", COMMON
                       "," FIELD("if_exists",
                                 "{\"type\":\"enum\",\"name\":\"I\",\"symbols\":[\"RENAME\"]}")),
                &body, &decoded);
    assert_fault(&decoded, "command.field_invalid",
                 "The field if_exists of CreateSpace is neither FAIL nor ADOPT.");
}

static void test_the_first_fault_is_the_one_that_is_told(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    fixture_put_literal(&body, "no uuid");
    read_record(SCHEMA("DeleteSpace", STRING("command_id")), &body, &decoded);
    assert_fault(&decoded, "command.id_invalid",
                 "The field command_id of DeleteSpace is not a UUID.");
}

static void test_a_record_of_another_name_is_no_command(void **state) {
    (void)state;
    struct berth_buffer body;
    struct berth_decoded decoded;
    berth_buffer_init(&body, 4096);
    put_common(&body);
    read_record(SCHEMA("ReleaseWorkspace", COMMON), &body, &decoded);
    assert_fault(&decoded, "record.not_a_command",
                 "The record is a ReleaseWorkspace, which is no command.");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_that_we_do_not_know_are_ignored),
        cmocka_unit_test(test_the_order_of_fields_means_nothing),
        cmocka_unit_test(test_missing_fields_take_our_defaults),
        cmocka_unit_test(test_a_missing_field_without_a_default_is_a_fault_that_names_it),
        cmocka_unit_test(test_null_in_a_field_without_a_default_is_a_fault),
        cmocka_unit_test(test_a_nullable_field_is_read_where_ours_is_not),
        cmocka_unit_test(test_an_int_is_taken_for_a_long),
        cmocka_unit_test(test_a_field_of_another_type_is_a_fault),
        cmocka_unit_test(test_an_id_that_is_not_text_leaves_no_id),
        cmocka_unit_test(test_a_symbol_that_we_do_not_know_is_a_fault),
        cmocka_unit_test(test_the_first_fault_is_the_one_that_is_told),
        cmocka_unit_test(test_a_record_of_another_name_is_no_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
