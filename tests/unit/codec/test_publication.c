/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publications as bytes: what comes out of the ledger is either what went in, or refused.
 */
#include "publication.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_fixture.h"

/* Opens and walks all of it. */
static enum berth_rc walk(const uint8_t *data, size_t len, size_t *ret_records) {
    struct berth_publication_reader reader;
    struct berth_event_record record;
    *ret_records = 0;
    enum berth_rc rc =
        berth_publication_open((struct berth_bytes){.data = data, .len = len}, &reader);
    while (rc == BERTH_OK) {
        rc = berth_publication_next(&reader, &record);
        *ret_records += rc == BERTH_OK;
    }
    return rc;
}

/* Bytes that aren't records, under a check that is right. */
static void assert_broken(const void *records, size_t len) {
    struct berth_buffer packed;
    size_t count;
    size_t part;
    berth_buffer_init(&packed, 1 << 16);
    assert_int_equal(berth_pack_begin(&packed, &part), BERTH_OK);
    assert_int_equal(berth_buffer_append(&packed, records, len), BERTH_OK);
    assert_int_equal(berth_pack_end(&packed, part), BERTH_OK);
    /* Of exact size, so that asan sees each byte read beyond it. */
    uint8_t *copy = malloc(packed.len);
    assert_non_null(copy);
    memcpy(copy, packed.data, packed.len);
    assert_int_equal(walk(copy, packed.len, &count), BERTH_INVALID);
    assert_int_equal(count, 0);
    free(copy);
    berth_buffer_deinit(&packed);
}

/* What was made here is walked without the check, and holds the very same records. */
static void test_a_publication_of_our_own_is_walked_again_without_its_check(void **state) {
    (void)state;
    struct berth_buffer packed;
    struct berth_publication_reader reader;
    struct berth_event_record record = {.kind = BERTH_RECORD_RESULT, .has_value = true};
    size_t part;
    berth_buffer_init(&packed, 1 << 16);
    assert_int_equal(berth_pack_begin(&packed, &part), BERTH_OK);
    assert_int_equal(berth_pack_add(&packed, &record), BERTH_OK);
    assert_int_equal(berth_pack_end(&packed, part), BERTH_OK);
    packed.data[packed.len - 1] ^= 1; /* Only a check would see it. */
    berth_publication_reopen(&(struct berth_publication){.data = packed.data, .len = packed.len},
                             &reader);
    assert_int_equal(berth_publication_next(&reader, &record), BERTH_OK);
    assert_int_equal(record.kind, BERTH_RECORD_RESULT);
    assert_int_equal(berth_publication_next(&reader, &record), BERTH_END);
    berth_publication_reopen(&(struct berth_publication){0}, &reader);
    assert_int_equal(berth_publication_next(&reader, &record), BERTH_END);
    berth_buffer_deinit(&packed);
}

static void test_records_come_back_as_they_were_packed(void **state) {
    (void)state;
    struct berth_buffer packed;
    struct berth_publication_reader reader;
    struct berth_event_record record = {.kind = BERTH_RECORD_AUDIT,
                                        .key = {.data = (const uint8_t *)"main/a", .len = 6},
                                        .has_value = true,
                                        .value = {.data = (const uint8_t *)"\0\1\2", .len = 3}};
    berth_pack_header(&record, "one", "first");
    berth_pack_header(&record, "two", "");
    struct berth_event_record tombstone = {.kind = BERTH_RECORD_SPACE};
    size_t part;
    berth_buffer_init(&packed, 4096);
    assert_int_equal(berth_pack_begin(&packed, &part), BERTH_OK);
    assert_int_equal(berth_pack_add(&packed, &record), BERTH_OK);
    assert_int_equal(berth_pack_add(&packed, &tombstone), BERTH_OK);
    assert_int_equal(berth_pack_end(&packed, part), BERTH_OK);

    struct berth_event_record found;
    assert_int_equal(berth_publication_open(berth_buffer_view(&packed), &reader), BERTH_OK);
    assert_int_equal(berth_publication_next(&reader, &found), BERTH_OK);
    assert_int_equal(found.kind, BERTH_RECORD_AUDIT);
    assert_int_equal(found.key.len, 6);
    assert_memory_equal(found.key.data, "main/a", 6);
    assert_true(found.has_value);
    assert_int_equal(found.value.len, 3);
    assert_memory_equal(found.value.data, "\0\1\2", 3);
    assert_int_equal(found.headers_count, 2);
    assert_string_equal(found.headers[0].name, "one");
    assert_int_equal(found.headers[0].value.len, 5);
    assert_memory_equal(found.headers[0].value.data, "first", 5);
    assert_string_equal(found.headers[1].name, "two");
    assert_int_equal(found.headers[1].value.len, 0);

    assert_int_equal(berth_publication_next(&reader, &found), BERTH_OK);
    assert_int_equal(found.kind, BERTH_RECORD_SPACE);
    assert_null(found.key.data);
    assert_false(found.has_value);
    assert_int_equal(found.headers_count, 0);
    assert_int_equal(berth_publication_next(&reader, &found), BERTH_END);
    assert_int_equal(berth_publication_next(&reader, &found), BERTH_END);
    berth_buffer_deinit(&packed);
}

static void test_no_bytes_are_no_records(void **state) {
    (void)state;
    size_t count;
    assert_int_equal(walk(NULL, 0, &count), BERTH_END);
    assert_int_equal(count, 0);
}

static void test_every_damaged_byte_is_noticed(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    size_t count;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    assert_int_equal(walk(publication.data, publication.len, &count), BERTH_END);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < publication.len; i++) {
        publication.data[i] ^= 0x10;
        assert_int_equal(walk(publication.data, publication.len, &count), BERTH_INVALID);
        publication.data[i] ^= 0x10;
    }
    berth_publication_deinit(&publication);
}

static void test_what_is_cut_off_is_noticed(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    size_t count;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    for (size_t len = 1; len < publication.len; len++) {
        /* Cut where a part ends it is a publication, of the result alone. */
        bool whole = len == publication.result_len;
        assert_int_equal(walk(publication.data, len, &count), whole ? BERTH_END : BERTH_INVALID);
        assert_int_equal(count, whole ? 1 : 0);
    }
    berth_publication_deinit(&publication);
}

/* The ledger keeps the result apart from the rest, and forgets the rest first. */
static void test_the_result_is_a_publication_and_so_is_the_rest(void **state) {
    struct fixture fixture;
    struct berth_publication publication;
    struct berth_publication_reader reader;
    struct berth_event_record record;
    size_t count;
    fixture_init(&fixture);
    fixture_publish(*state, &fixture, &publication);
    const uint8_t *rest = publication.data + publication.result_len;
    assert_in_range(publication.result_len, 1, publication.len - 1);
    assert_int_equal(walk(publication.data, publication.result_len, &count), BERTH_END);
    assert_int_equal(count, 1);
    assert_int_equal(walk(rest, publication.len - publication.result_len, &count), BERTH_END);
    assert_int_equal(count, 2);

    struct berth_bytes result = {.data = publication.data, .len = publication.result_len};
    assert_int_equal(berth_publication_open(result, &reader), BERTH_OK);
    assert_int_equal(berth_publication_next(&reader, &record), BERTH_OK);
    assert_int_equal(record.kind, BERTH_RECORD_RESULT);
    berth_publication_deinit(&publication);
}

/* Another version of berth may share the ledger: its bytes are refused, not guessed at. */
static void test_another_version_is_refused(void **state) {
    (void)state;
    struct berth_buffer packed;
    size_t count;
    const uint8_t start[] = {2, 0, 0, 0, 0};
    berth_buffer_init(&packed, 4096);
    assert_int_equal(berth_buffer_append(&packed, start, sizeof start), BERTH_OK);
    assert_int_equal(berth_pack_end(&packed, 0), BERTH_OK);
    assert_int_equal(walk(packed.data, packed.len, &count), BERTH_INVALID);
    berth_buffer_deinit(&packed);
}

/* Even bytes whose check is right are not trusted with a length. */
static void test_broken_records_under_a_right_check_are_refused(void **state) {
    (void)state;
    static const char good[] = "\1\1\1\0\0\0k\2\0\0\0vv\1\1h\0\1\0\0\0x";
    size_t len = sizeof good - 1;
    char bytes[sizeof good];
    for (size_t cut = 1; cut < len; cut++) {
        assert_broken(good, cut);
    }
    static const struct {
        size_t at;
        char byte;
    } breaks[] = {
        {0, BERTH_RECORD_KINDS},           /* No such kind. */
        {1, 2},                            /* Neither with nor without a value. */
        {5, 1},                            /* A key of 16 MB. */
        {10, 1},                           /* A value of 16 MB. */
        {13, BERTH_EVENT_HEADERS_MAX + 1}, /* More headers than there is room for. */
        {14, 0},                           /* A name's length that isn't its own. */
        {14, 4},                           /* Likewise, up to another NUL. */
        {16, 'a'},                         /* A name without its NUL. */
        {20, 1},                           /* A header's value of 16 MB. */
    };
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        memcpy(bytes, good, sizeof good);
        bytes[breaks[i].at] = breaks[i].byte;
        assert_broken(bytes, len);
    }
}

/* There is room for so many views and no more. */
static void test_more_headers_than_there_is_room_for_are_refused(void **state) {
    (void)state;
    struct berth_buffer records;
    berth_buffer_init(&records, 4096);
    const uint8_t start[] = {BERTH_RECORD_RESULT,        0, 0, 0, 0, 0, 0, 0, 0, 0,
                             BERTH_EVENT_HEADERS_MAX + 1};
    assert_int_equal(berth_buffer_append(&records, start, sizeof start), BERTH_OK);
    for (int i = 0; i <= BERTH_EVENT_HEADERS_MAX; i++) {
        assert_int_equal(berth_buffer_append(&records, "\1h\0\0\0\0\0", 7), BERTH_OK);
    }
    assert_broken(records.data, records.len);
    berth_buffer_deinit(&records);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_come_back_as_they_were_packed),
        cmocka_unit_test(test_a_publication_of_our_own_is_walked_again_without_its_check),
        cmocka_unit_test(test_no_bytes_are_no_records),
        cmocka_unit_test(test_every_damaged_byte_is_noticed),
        cmocka_unit_test(test_what_is_cut_off_is_noticed),
        cmocka_unit_test(test_the_result_is_a_publication_and_so_is_the_rest),
        cmocka_unit_test(test_another_version_is_refused),
        cmocka_unit_test(test_broken_records_under_a_right_check_are_refused),
        cmocka_unit_test(test_more_headers_than_there_is_room_for_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_codec_setup, fixture_codec_teardown);
}
