/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Valid records, changed at random from a fixed seed: whatever the bounded check lets pass, avro-c
 * must read without an error, to the last byte. Under asan nothing may leak or be read beyond its
 * end.
 */
#include "codec_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avro.h>
#include <cmocka.h>

#include "avro_check.h"
#include "berth/base/random.h"
#include "codec_fixture.h"

#define ROUNDS_PER_RECORD 3000
#define BODY_BYTES_MAX    2048

struct mutant {
    uint8_t bytes[BODY_BYTES_MAX];
    size_t len;
};

struct tally {
    size_t passed;
    size_t refused;
};

static void change(struct mutant *mutant, struct berth_random *random) {
    /* Bytes that mean something to Avro are likelier to get far than random ones. */
    static const uint8_t telling[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x7f, 0x80, 0xff};
    size_t at = (size_t)berth_random_below(random, (int64_t)mutant->len);
    uint8_t byte = berth_random_below(random, 2) == 0
                       ? telling[berth_random_below(random, sizeof telling)]
                       : (uint8_t)berth_random_next(random);
    switch (berth_random_below(random, 5)) {
    case 0:
        mutant->bytes[at] ^= (uint8_t)(1U << (unsigned)berth_random_below(random, 8));
        return;
    case 1:
        mutant->bytes[at] = byte;
        return;
    case 2:
        memmove(mutant->bytes + at, mutant->bytes + at + 1, mutant->len - at - 1);
        mutant->len--;
        return;
    case 3:
        if (mutant->len < BODY_BYTES_MAX) {
            memmove(mutant->bytes + at + 1, mutant->bytes + at, mutant->len - at);
            mutant->bytes[at] = byte;
            mutant->len++;
        }
        return;
    default:
        mutant->len = at + 1;
        return;
    }
}

/* Reads what passed the check, and writes it again: the same number of bytes, unless it was written
 * in a longer form than avro-c's own. */
static void assert_avro_takes(const struct berth_codec_schema *schema, const uint8_t *body,
                              size_t len) {
    size_t size = 0;
    avro_reader_t reader = avro_reader_memory((const char *)body, (int64_t)len);
    if (avro_value_read(reader, schema->value) != 0) {
        fail_msg("%s: avro-c refuses what passed the check: %s", schema->name, avro_strerror());
    }
    assert_int_equal(avro_value_sizeof(schema->value, &size), 0);
    assert_true(size <= len);
    avro_reader_free(reader);
}

static void try_mutants(struct berth_codec *codec, const char *name, struct berth_bytes record,
                        struct berth_random *random, struct tally *tally) {
    const struct berth_codec_schema *schema = berth_codec_schema(codec, name);
    size_t body_len = record.len - BERTH_FRAME_BYTES;
    assert_memory_equal(record.data, schema->frame, BERTH_FRAME_BYTES);
    assert_true(body_len > 0);
    assert_true(body_len < BODY_BYTES_MAX);
    for (int round = 0; round < ROUNDS_PER_RECORD; round++) {
        struct mutant mutant = {.len = body_len};
        memcpy(mutant.bytes, record.data + BERTH_FRAME_BYTES, body_len);
        int64_t changes = 1 + berth_random_below(random, 3);
        for (int64_t i = 0; i < changes && mutant.len > 0; i++) {
            change(&mutant, random);
        }
        /* Of exact size, so that asan sees each byte read beyond it. */
        uint8_t *body = malloc(mutant.len == 0 ? 1 : mutant.len);
        assert_non_null(body);
        memcpy(body, mutant.bytes, mutant.len);
        struct berth_bytes view = {.data = body, .len = mutant.len};
        if (berth_avro_check(schema->tree.root, view, NULL) == BERTH_OK) {
            tally->passed++;
            assert_avro_takes(schema, body, mutant.len);
        } else {
            tally->refused++;
        }
        free(body);
    }
}

static void test_avro_c_reads_every_mutant_that_passes_the_check(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_random random;
    struct tally tally = {0, 0};
    berth_random_init(&random, 20261122);
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    try_mutants(*state, "CommandResult", fixture_find(&publication, BERTH_RECORD_RESULT).value,
                &random, &tally);
    try_mutants(*state, "AuditRecord", fixture_find(&publication, BERTH_RECORD_AUDIT).value,
                &random, &tally);
    try_mutants(*state, "SpaceState", fixture_find(&publication, BERTH_RECORD_SPACE).value, &random,
                &tally);
    berth_publication_deinit(&publication);

    struct berth_buffer record;
    berth_buffer_init(&record, 4096);
    for (int type = 0; type < BERTH_COMMAND_TYPES; type++) {
        fixture.command.type = (enum berth_command_type)type;
        fixture.command.quota_given = true;
        berth_buffer_clear(&record);
        assert_int_equal(berth_codec_encode_command(*state, &fixture.command, &record, NULL),
                         BERTH_OK);
        try_mutants(*state, berth_command_type_name(fixture.command.type),
                    berth_buffer_view(&record), &random, &tally);
    }
    berth_buffer_deinit(&record);
    /* Neither side of the check may be tried by chance only. */
    assert_true(tally.passed > 2000);
    assert_true(tally.refused > 2000);
}

/* The whole way, frame and all: no record may do more than be refused. */
static void test_every_mutant_of_a_record_is_decoded_to_an_answer(void **state) {
    struct fixture fixture;
    struct berth_random random;
    struct berth_buffer record;
    size_t commands = 0;
    size_t dead_letters = 0;
    berth_random_init(&random, 7);
    fixture_init(&fixture);
    berth_buffer_init(&record, 4096);
    assert_int_equal(berth_codec_encode_command(*state, &fixture.command, &record, NULL), BERTH_OK);
    for (int round = 0; round < ROUNDS_PER_RECORD; round++) {
        struct mutant mutant = {.len = record.len};
        struct berth_decoded decoded;
        memcpy(mutant.bytes, record.data, record.len);
        change(&mutant, &random);
        berth_codec_decode_command(*state,
                                   (struct berth_bytes){.data = mutant.bytes, .len = mutant.len},
                                   NULL, 0, &decoded);
        commands += decoded.is_command;
        dead_letters += !decoded.is_command && decoded.reason[0] != 0 && decoded.text[0] != 0;
        berth_decoded_deinit(&decoded);
    }
    assert_int_equal(commands + dead_letters, ROUNDS_PER_RECORD);
    assert_true(commands > 100);
    assert_true(dead_letters > 100);
    berth_buffer_deinit(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avro_c_reads_every_mutant_that_passes_the_check),
        cmocka_unit_test(test_every_mutant_of_a_record_is_decoded_to_an_answer),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
