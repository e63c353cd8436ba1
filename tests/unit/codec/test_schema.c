/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical forms and fingerprints are those of Apache Avro's own file of test cases
 * (share/test/data/schema-tests.txt), which all its implementations are held to.
 */
#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct known_schema {
    const char *text;
    const char *canonical;
    uint64_t fingerprint;
};

static const struct known_schema KNOWN[] = {
    {"\"null\"", "\"null\"", UINT64_C(7195948357588979594)},
    {"{\"type\":\"boolean\"}", "\"boolean\"", (uint64_t)INT64_C(-6970731678124411036)},
    {"\"int\"", "\"int\"", UINT64_C(0x7275d51a3f395c8f)},
    {"{\"type\":\"long\"}", "\"long\"", (uint64_t)INT64_C(-3434872931120570953)},
    {"\"float\"", "\"float\"", UINT64_C(5583340709985441680)},
    {"\"double\"", "\"double\"", (uint64_t)INT64_C(-8181574048448539266)},
    {"\"bytes\"", "\"bytes\"", UINT64_C(5746618253357095269)},
    {"\"string\"", "\"string\"", (uint64_t)INT64_C(-8142146995180207161)},
    {"[  ]", "[]", (uint64_t)INT64_C(-1241056759729112623)},
    {"[ \"int\" , {\"type\":\"boolean\"} ]", "[\"int\",\"boolean\"]",
     UINT64_C(5392556393470105090)},
    {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"namespace\":\"x.y\"}",
     "{\"name\":\"x.y.foo\",\"type\":\"record\",\"fields\":[]}", UINT64_C(5916914534497305771)},
    {"{\"fields\":[], \"type\":\"record\", \"name\":\"a.b.foo\", \"namespace\":\"x.y\"}",
     "{\"name\":\"a.b.foo\",\"type\":\"record\",\"fields\":[]}",
     (uint64_t)INT64_C(-4616218487480524110)},
    {"{\"fields\":[], \"type\":\"record\", \"name\":\"foo\", \"doc\":\"foo\", "
     "\"aliases\":[\"foo\",\"bar\"]}",
     "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[]}",
     (uint64_t)INT64_C(-4824392279771201922)},
    {"{ \"fields\":[{\"type\":\"boolean\", \"aliases\":[], \"name\":\"f1\", \"default\":\"true\"},"
     "{\"order\":\"descending\",\"name\":\"f2\",\"doc\":\"Hello\",\"type\":\"int\"}],"
     "\"type\":\"record\", \"name\":\"foo\"}",
     "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[{\"name\":\"f1\",\"type\":\"boolean\"},"
     "{\"name\":\"f2\",\"type\":\"int\"}]}",
     (uint64_t)INT64_C(-4860222112080293046)},
    {"{\"namespace\":\"x.y.z\", \"type\":\"enum\", \"name\":\"foo\", \"doc\":\"foo bar\", "
     "\"symbols\":[\"A1\", \"A2\"]}",
     "{\"name\":\"x.y.z.foo\",\"type\":\"enum\",\"symbols\":[\"A1\",\"A2\"]}",
     (uint64_t)INT64_C(-4448647247586288245)},
    {"{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}",
     "{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}", UINT64_C(1756455273707447556)},
    {"{ \"items\":{\"type\":\"null\"}, \"type\":\"array\"}",
     "{\"type\":\"array\",\"items\":\"null\"}", (uint64_t)INT64_C(-589620603366471059)},
    {"{ \"values\":\"string\", \"type\":\"map\"}", "{\"type\":\"map\",\"values\":\"string\"}",
     (uint64_t)INT64_C(-8732877298790414990)},
    {"{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\", "
     "\"type\":[\"null\", \"int\", \"long\", \"PigValue\"]}]}",
     "{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\",\"type\":["
     "\"null\","
     "\"int\",\"long\",\"PigValue\"]}]}",
     (uint64_t)INT64_C(-1759257747318642341)},
};

static void assert_canonical(const char *text, const char *canonical) {
    struct berth_schema schema;
    struct berth_error error = {{0}};
    struct berth_buffer out;
    berth_buffer_init(&out, 4096);
    assert_int_equal(berth_schema_init(&schema, text, strlen(text), &error), BERTH_OK);
    assert_int_equal(berth_schema_canonical(schema.root, &out), BERTH_OK);
    assert_string_equal((const char *)out.data, canonical);
    berth_schema_deinit(&schema);
    berth_buffer_deinit(&out);
}

static void assert_refused(const char *text, const char *why) {
    struct berth_schema schema;
    struct berth_error error = {{0}};
    assert_int_equal(berth_schema_init(&schema, text, strlen(text), &error), BERTH_INVALID);
    if (strstr(error.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    }
}

static void test_canonical_forms_are_those_of_apache_avro(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        assert_canonical(KNOWN[i].text, KNOWN[i].canonical);
    }
}

static void test_fingerprints_are_those_of_apache_avro(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        struct berth_schema schema;
        uint64_t fingerprint = 0;
        assert_int_equal(berth_schema_init(&schema, KNOWN[i].text, strlen(KNOWN[i].text), NULL),
                         BERTH_OK);
        assert_int_equal(berth_schema_fingerprint(schema.root, &fingerprint), BERTH_OK);
        assert_true(fingerprint == KNOWN[i].fingerprint);
        berth_schema_deinit(&schema);
    }
}

/* The value that an empty text has is the polynomial itself (Avro specification). */
static void test_the_crc_of_nothing_is_its_polynomial(void **state) {
    (void)state;
    assert_true(berth_schema_crc64("", 0) == UINT64_C(0xc15d213aa4d7a795));
}

/* A name without a dot belongs to its own namespace, else to the one around it; an empty namespace
 * is none. */
static void test_names_inherit_the_namespace_around_them(void **state) {
    (void)state;
    assert_canonical(
        "{\"type\":\"record\",\"name\":\"A\",\"namespace\":\"n.m\",\"fields\":["
        "{\"name\":\"b\",\"type\":{\"type\":\"enum\",\"name\":\"B\",\"symbols\":[\"X\"]}},"
        "{\"name\":\"c\",\"type\":\"B\"},"
        "{\"name\":\"d\",\"type\":{\"type\":\"fixed\",\"name\":\"D\",\"namespace\":\"\",\"size\":1}"
        "}"
        "]}",
        "{\"name\":\"n.m.A\",\"type\":\"record\",\"fields\":["
        "{\"name\":\"b\",\"type\":{\"name\":\"n.m.B\",\"type\":\"enum\",\"symbols\":[\"X\"]}},"
        "{\"name\":\"c\",\"type\":\"n.m.B\"},"
        "{\"name\":\"d\",\"type\":{\"name\":\"D\",\"type\":\"fixed\",\"size\":1}}]}");
}

static void test_logical_types_leave_the_canonical_form_alone(void **state) {
    (void)state;
    assert_canonical("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "\"long\"");
}

static void test_only_a_long_of_milliseconds_is_a_time(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_time;
    } cases[] = {
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", true},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", false},
        {"{\"type\":\"int\",\"logicalType\":\"timestamp-millis\"}", false},
        {"\"long\"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct berth_schema schema;
        assert_int_equal(berth_schema_init(&schema, cases[i].text, strlen(cases[i].text), NULL),
                         BERTH_OK);
        assert_int_equal(schema.root->is_timestamp_ms, cases[i].is_time);
        berth_schema_deinit(&schema);
    }
}

static void test_what_is_no_schema_is_refused(void **state) {
    (void)state;
    assert_refused("", "no JSON");
    assert_refused("{", "no JSON");
    assert_refused("7", "without a known \"type\"");
    assert_refused("\"Unknown\"", "no such type was defined before: Unknown");
    assert_refused("\"no name\"", "not a type's name");
    assert_refused("{\"type\":\"array\"}", "without its items or values: array");
    assert_refused("{\"type\":\"record\",\"name\":\"A\"}", "without its fields or symbols: record");
    assert_refused("{\"type\":\"enum\",\"symbols\":[]}", "without a legal name");
    assert_refused("{\"type\":\"enum\",\"name\":\"A.\",\"symbols\":[]}", "without a legal name");
    assert_refused("{\"type\":\"enum\",\"name\":\"A\",\"symbols\":[\"1\"]}", "no name in A");
    assert_refused("{\"type\":\"fixed\",\"name\":\"A\",\"size\":-1}", "in A");
    assert_refused("{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"a\"}]}",
                   "without name or type in A");
    assert_refused("[[\"int\"]]", "a union directly within a union");
    assert_refused("{\"type\":\"union\",\"name\":\"A\"}", "written as an array");
    assert_refused("[{\"type\":\"fixed\",\"name\":\"A\",\"size\":1},"
                   "{\"type\":\"fixed\",\"name\":\"A\",\"size\":1}]",
                   "defined twice: A");
    /* Of two equal keys nobody can say which one counts. */
    assert_refused("{\"type\":\"int\",\"type\":\"long\"}", "no JSON");
}

/* A schema may come from outside one day: it must not be able to exhaust anything. */
static void test_a_schema_without_end_is_refused(void **state) {
    (void)state;
    struct berth_buffer text;
    berth_buffer_init(&text, (size_t)BERTH_SCHEMA_TEXT_BYTES_MAX * 2);
    for (int i = 0; i < BERTH_SCHEMA_DEPTH_MAX; i++) {
        assert_int_equal(berth_buffer_append_text(&text, "{\"type\":\"array\",\"items\":"),
                         BERTH_OK);
    }
    assert_int_equal(berth_buffer_append_text(&text, "\"int\""), BERTH_OK);
    for (int i = 0; i < BERTH_SCHEMA_DEPTH_MAX; i++) {
        assert_int_equal(berth_buffer_append_text(&text, "}"), BERTH_OK);
    }
    assert_refused((const char *)text.data, "nested too deeply");

    berth_buffer_clear(&text);
    assert_int_equal(berth_buffer_append_text(&text, "[\"int\""), BERTH_OK);
    for (int i = 0; i < BERTH_SCHEMA_MEMBERS_MAX; i++) {
        assert_int_equal(berth_buffer_append_text(&text, ",\"int\""), BERTH_OK);
    }
    assert_int_equal(berth_buffer_append_text(&text, "]"), BERTH_OK);
    assert_refused((const char *)text.data, "too many fields, branches or symbols");

    berth_buffer_clear(&text);
    assert_int_equal(berth_buffer_append_text(&text, "[\"int\""), BERTH_OK);
    for (int i = 0; i < BERTH_SCHEMA_NODES_MAX / 2; i++) {
        assert_int_equal(berth_buffer_append_text(&text, ",{\"type\":\"array\",\"items\":\"int\"}"),
                         BERTH_OK);
    }
    assert_int_equal(berth_buffer_append_text(&text, "]"), BERTH_OK);
    assert_refused((const char *)text.data, "too many types");

    berth_buffer_clear(&text);
    while (text.len <= BERTH_SCHEMA_TEXT_BYTES_MAX) {
        assert_int_equal(berth_buffer_append_text(&text, "          "), BERTH_OK);
    }
    assert_refused((const char *)text.data, "too long");
    berth_buffer_deinit(&text);
}

static void test_a_name_that_is_too_long_is_refused(void **state) {
    (void)state;
    char text[BERTH_SCHEMA_NAME_BYTES * 2];
    char name[BERTH_SCHEMA_NAME_BYTES + 1];
    memset(name, 'a', sizeof name);
    name[BERTH_SCHEMA_NAME_BYTES] = 0;
    (void)snprintf(text, sizeof text, "{\"type\":\"fixed\",\"name\":\"%s\",\"size\":1}", name);
    assert_refused(text, "without a legal name");
    name[BERTH_SCHEMA_NAME_BYTES - 2] = 0;
    (void)snprintf(text, sizeof text,
                   "{\"type\":\"fixed\",\"name\":\"%s\",\"namespace\":\"b\",\"size\":1}", name);
    assert_refused(text, "too long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_forms_are_those_of_apache_avro),
        cmocka_unit_test(test_fingerprints_are_those_of_apache_avro),
        cmocka_unit_test(test_the_crc_of_nothing_is_its_polynomial),
        cmocka_unit_test(test_names_inherit_the_namespace_around_them),
        cmocka_unit_test(test_logical_types_leave_the_canonical_form_alone),
        cmocka_unit_test(test_only_a_long_of_milliseconds_is_a_time),
        cmocka_unit_test(test_what_is_no_schema_is_refused),
        cmocka_unit_test(test_a_schema_without_end_is_refused),
        cmocka_unit_test(test_a_name_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
