/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas of schemas/ and their README: what others build on. A failure here usually means that
 * a promise of that README is about to be broken.
 */
#include "shipped_schemas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "codec_fixture.h"
#include "codec_parts.h"

#define README_BYTES_MAX (64L * 1024)

/* Computed with fastavro 1.13.1. */
static const struct {
    const char *name;
    uint64_t fingerprint;
} FINGERPRINTS[BERTH_SHIPPED_SCHEMAS] = {
    {"AuditRecord", UINT64_C(0xbdd7ce5684530990)},
    {"BindWorkspace", UINT64_C(0xcfe7fd2983db73e4)},
    {"Command", UINT64_C(0x7588560d5d28f594)},
    {"CommandResult", UINT64_C(0x12ef2f7996974bc8)},
    {"CreateSpace", UINT64_C(0x61999f97f462d983)},
    {"DeleteSpace", UINT64_C(0x2f7c78b5f4d1fc99)},
    {"SetWorkspaceBindings", UINT64_C(0xcdd9ed60a9ccb88a)},
    {"SpaceState", UINT64_C(0xd4bdb2e75854a7ec)},
    {"UnbindWorkspace", UINT64_C(0xe7019313cb78cd73)},
    {"UpdateSpace", UINT64_C(0xf735dbae4deb0fbe)},
};

static char *read_readme(void) {
    char *text = calloc(1, README_BYTES_MAX);
    assert_non_null(text);
    FILE *file = fopen(BERTH_SCHEMAS_README, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, README_BYTES_MAX - 1, file);
    assert_true(len > 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void assert_in_readme(const char *readme, const char *text) {
    if (strstr(readme, text) == NULL) {
        fail_msg("the README does not say: %s", text);
    }
}

/* A record made under another fingerprint is not understood: whoever changes a schema must keep the
 * old one readable. */
static void test_fingerprints_stay_what_they_were(void **state) {
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        const struct berth_codec_schema *schema = berth_codec_schema(*state, FINGERPRINTS[i].name);
        assert_true(schema->fingerprint == FINGERPRINTS[i].fingerprint);
        assert_int_equal(schema->frame[0], 0xc3);
        assert_int_equal(schema->frame[1], 0x01);
        for (unsigned byte = 0; byte < 8; byte++) {
            assert_int_equal(schema->frame[2 + byte],
                             (uint8_t)(FINGERPRINTS[i].fingerprint >> (8 * byte)));
        }
    }
}

static void test_the_readme_names_every_schema_with_its_fingerprint(void **state) {
    (void)state;
    char *readme = read_readme();
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        char row[128];
        (void)snprintf(row, sizeof row, "| `%s` | `%016llx` |", FINGERPRINTS[i].name,
                       (unsigned long long)FINGERPRINTS[i].fingerprint);
        assert_in_readme(readme, row);
    }
    free(readme);
}

/* The union is one more file, so nothing but this keeps it the same as the six. */
static void test_the_union_holds_exactly_the_six_commands(void **state) {
    const struct berth_schema_node *all = berth_codec_schema(*state, "Command")->tree.root;
    assert_int_equal(all->type, BERTH_SCHEMA_UNION);
    assert_int_equal(all->members_count, BERTH_COMMAND_TYPES);
    for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
        struct berth_buffer own;
        struct berth_buffer within;
        const char *name = berth_command_type_name((enum berth_command_type)type);
        berth_buffer_init(&own, 4096);
        berth_buffer_init(&within, 4096);
        assert_int_equal(berth_schema_canonical(berth_codec_schema(*state, name)->tree.root, &own),
                         BERTH_OK);
        assert_int_equal(berth_schema_canonical(all->members[type].node, &within), BERTH_OK);
        assert_string_equal((const char *)own.data, (const char *)within.data);
        berth_buffer_deinit(&own);
        berth_buffer_deinit(&within);
    }
}

/* Goes through a schema; each record, enum and field of a definition has a doc. */
static void assert_documented(const json_t *json, const char *where) {
    size_t index;
    const json_t *item;
    const char *key;
    if (json_is_array(json)) {
        json_array_foreach(json, index, item) {
            assert_documented(item, where);
        }
        return;
    }
    if (!json_is_object(json)) {
        return;
    }
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *doc = json_string_value(json_object_get(json, "doc"));
    if (name != NULL && (doc == NULL || doc[0] == 0)) {
        fail_msg("%s: %s has no doc", where, name);
    }
    void *iterator = json_object_iter((json_t *)(uintptr_t)json);
    while (iterator != NULL) {
        key = json_object_iter_key(iterator);
        assert_documented(json_object_iter_value(iterator), name != NULL ? name : key);
        iterator = json_object_iter_next((json_t *)(uintptr_t)json, iterator);
    }
}

static void test_every_type_and_field_has_a_doc(void **state) {
    (void)state;
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        const struct berth_shipped_schema *shipped = &berth_shipped_schemas[i];
        json_error_t error;
        json_t *json = json_loadb((const char *)shipped->text, shipped->text_len,
                                  JSON_REJECT_DUPLICATES, &error);
        assert_non_null(json);
        assert_documented(json, shipped->name);
        json_decref(json);
    }
}

static void test_every_named_type_is_in_our_namespace(void **state) {
    struct berth_codec *codec = *state;
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        const struct berth_schema_node *node = codec->schemas[i].tree.nodes;
        for (; node != NULL; node = node->next) {
            if (node->name[0] != 0) {
                assert_memory_equal(node->name, "io.berth.v1.", strlen("io.berth.v1."));
            }
        }
    }
}

/* The codec's writer of nullable fields and its JSON rely on it. */
static void test_only_types_that_the_codec_knows_are_used(void **state) {
    struct berth_codec *codec = *state;
    for (size_t i = 0; i < BERTH_SHIPPED_SCHEMAS; i++) {
        const struct berth_schema_node *node = codec->schemas[i].tree.nodes;
        for (; node != NULL; node = node->next) {
            assert_int_not_equal(node->type, BERTH_SCHEMA_FLOAT);
            assert_int_not_equal(node->type, BERTH_SCHEMA_DOUBLE);
            assert_int_not_equal(node->type, BERTH_SCHEMA_BYTES);
            assert_int_not_equal(node->type, BERTH_SCHEMA_FIXED);
            if (node->type == BERTH_SCHEMA_UNION && node != codec->schemas[i].tree.root) {
                assert_int_equal(node->members_count, 2);
                assert_int_equal(node->members[0].node->type, BERTH_SCHEMA_NULL);
            }
        }
    }
}

static void assert_example(struct berth_codec *codec, const char *readme,
                           const struct berth_command *command) {
    struct berth_buffer record;
    struct berth_buffer json;
    berth_buffer_init(&record, 4096);
    berth_buffer_init(&json, 4096);
    assert_int_equal(berth_codec_encode_command(codec, command, &record, NULL), BERTH_OK);
    assert_int_equal(berth_codec_to_json(codec, berth_buffer_view(&record), &json, NULL, NULL),
                     BERTH_OK);
    assert_in_readme(readme, (const char *)json.data);
    berth_buffer_deinit(&record);
    berth_buffer_deinit(&json);
}

static void test_the_readmes_examples_are_what_the_codec_writes(void **state) {
    char *readme = read_readme();
    struct berth_workspace workspaces[] = {{"blue", ""}, {"red", ""}};
    struct berth_command command = {.type = BERTH_CREATE_SPACE,
                                    .id = FIXTURE_ID,
                                    .registry = "main",
                                    .space = "team-a",
                                    .actor = "alice",
                                    .issued_at_ms = 1700000000000,
                                    .visibility = BERTH_PRIVATE,
                                    .quota_given = true,
                                    .quota_bytes = 10737418240};
    assert_example(*state, readme, &command);
    command.type = BERTH_UPDATE_SPACE;
    command.visibility = BERTH_PUBLIC;
    command.quota_given = false;
    assert_example(*state, readme, &command);
    command.type = BERTH_DELETE_SPACE;
    command.unbind = true;
    assert_example(*state, readme, &command);
    command.workspaces = workspaces;
    command.workspaces_count = 2;
    command.type = BERTH_BIND_WORKSPACE;
    assert_example(*state, readme, &command);
    command.type = BERTH_SET_WORKSPACE_BINDINGS;
    command.workspaces_count = 0;
    assert_example(*state, readme, &command);

    struct fixture fixture;
    struct berth_publication publication;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    for (int kind = BERTH_RECORD_RESULT; kind <= BERTH_RECORD_SPACE; kind++) {
        struct berth_buffer json;
        berth_buffer_init(&json, 4096);
        struct berth_bytes value = fixture_find(&publication, (enum berth_record_kind)kind).value;
        assert_int_equal(berth_codec_to_json(*state, value, &json, NULL, NULL), BERTH_OK);
        assert_in_readme(readme, (const char *)json.data);
        berth_buffer_deinit(&json);
    }
    berth_publication_deinit(&publication);
    free(readme);
}

/* For whoever writes a producer without a library. */
static void test_the_readmes_bytes_are_those_of_its_example(void **state) {
    char *readme = read_readme();
    struct berth_command command = {.type = BERTH_DELETE_SPACE,
                                    .id = FIXTURE_ID,
                                    .registry = "main",
                                    .space = "team-a",
                                    .actor = "alice",
                                    .issued_at_ms = 1700000000000,
                                    .unbind = true};
    struct berth_buffer record;
    char hex[4096] = "";
    size_t at = 0;
    berth_buffer_init(&record, 1024);
    assert_int_equal(berth_codec_encode_command(*state, &command, &record, NULL), BERTH_OK);
    /* Sixteen a line, as xxd -g1 has them. */
    for (size_t i = 0; i < record.len; i++) {
        const char *gap = i == 0 ? "" : (i % 16 == 0 ? "\n" : " ");
        at += (size_t)snprintf(hex + at, sizeof hex - at, "%s%02x", gap, record.data[i]);
    }
    assert_in_readme(readme, hex);
    berth_buffer_deinit(&record);
    free(readme);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fingerprints_stay_what_they_were),
        cmocka_unit_test(test_the_readme_names_every_schema_with_its_fingerprint),
        cmocka_unit_test(test_the_union_holds_exactly_the_six_commands),
        cmocka_unit_test(test_every_type_and_field_has_a_doc),
        cmocka_unit_test(test_every_named_type_is_in_our_namespace),
        cmocka_unit_test(test_only_types_that_the_codec_knows_are_used),
        cmocka_unit_test(test_the_readmes_examples_are_what_the_codec_writes),
        cmocka_unit_test(test_the_readmes_bytes_are_those_of_its_example),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
