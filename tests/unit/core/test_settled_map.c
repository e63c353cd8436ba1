/* SPDX-License-Identifier: Apache-2.0 */
/* What is settled above a partition's base, in memory and as text (design 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/random.h"
#include "berth/core/settled_map.h"

#define RUNS 4096

/* A map with memory of its own. */
struct owned {
    struct berth_settled_map map;
    struct berth_settled_run runs[RUNS];
};

static struct owned *map_at(int64_t start) {
    struct owned *owned = malloc(sizeof(*owned));
    assert_non_null(owned);
    berth_settled_map_init(&owned->map, owned->runs, RUNS, start);
    return owned;
}

static void settle(struct berth_settled_map *map, int64_t first, int64_t end) {
    assert_int_equal(berth_settled_map_settle(map, first, end), BERTH_OK);
}

static enum berth_settled_reading reading_of(const char *text, int64_t start) {
    struct owned *owned = map_at(start);
    enum berth_settled_reading reading = berth_settled_map_read(&owned->map, text);
    bool taken = reading == BERTH_SETTLED_READ || reading == BERTH_SETTLED_CUT;
    assert_true(taken || owned->map.count == 0);
    assert_int_equal(taken ? start : owned->map.start, start);
    free(owned);
    return reading;
}

/* ---- In memory ---- */

static void test_what_is_settled_in_order_is_only_a_base(void **state) {
    (void)state;
    struct owned *owned = map_at(40);
    for (int64_t offset = 40; offset < 50; offset++) {
        settle(&owned->map, offset, offset + 1);
    }
    assert_int_equal(berth_settled_map_base(&owned->map), 50);
    assert_int_equal(berth_settled_map_bytes(&owned->map), 0);
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&owned->map, text);
    assert_string_equal(text, "");
    free(owned);
}

static void test_an_unsettled_offset_holds_the_base_and_nothing_else(void **state) {
    (void)state;
    struct owned *owned = map_at(40);
    settle(&owned->map, 42, 45);
    settle(&owned->map, 41, 42);
    assert_int_equal(berth_settled_map_base(&owned->map), 40);
    assert_int_equal(berth_settled_map_end(&owned->map), 45);
    assert_false(berth_settled_map_has(&owned->map, 40));
    assert_true(berth_settled_map_has(&owned->map, 41));
    assert_true(berth_settled_map_has(&owned->map, 44));
    assert_false(berth_settled_map_has(&owned->map, 45));
    assert_true(berth_settled_map_has(&owned->map, 39));
    settle(&owned->map, 40, 41);
    assert_int_equal(berth_settled_map_base(&owned->map), 45);
    free(owned);
}

/* A transaction that aborts leaves nothing behind: neither above the base nor below it. */
static void test_what_an_aborted_transaction_settled_is_taken_back(void **state) {
    (void)state;
    struct owned *owned = map_at(40);
    settle(&owned->map, 42, 43);
    settle(&owned->map, 40, 41);
    settle(&owned->map, 41, 42);
    assert_int_equal(berth_settled_map_base(&owned->map), 43);
    berth_settled_map_unsettle(&owned->map, 41, 42);
    berth_settled_map_unsettle(&owned->map, 40, 41);
    assert_int_equal(berth_settled_map_base(&owned->map), 40);
    assert_true(berth_settled_map_has(&owned->map, 42));
    assert_false(berth_settled_map_has(&owned->map, 41));
    free(owned);
}

/* The log's start moved past what was committed. */
static void test_a_later_start_counts_everything_below_it_as_settled(void **state) {
    (void)state;
    struct owned *owned = map_at(40);
    settle(&owned->map, 42, 43);
    settle(&owned->map, 50, 60);
    settle(&owned->map, 70, 71);
    berth_settled_map_start_at(&owned->map, 55);
    assert_int_equal(berth_settled_map_base(&owned->map), 60);
    berth_settled_map_start_at(&owned->map, 65);
    assert_int_equal(berth_settled_map_base(&owned->map), 65);
    assert_int_equal(owned->map.count, 1);
    berth_settled_map_start_at(&owned->map, 10);
    assert_int_equal(berth_settled_map_base(&owned->map), 65);
    free(owned);
}

/* ---- Against a naive model ---- */

#define MODEL_OFFSETS 400
#define MODEL_START   INT64_C(1000000)
#define UNDO_MAX      8

struct model {
    bool settled[MODEL_OFFSETS];
    int start;
};

static int model_base(const struct model *model) {
    int base = model->start;
    while (base < MODEL_OFFSETS && model->settled[base]) {
        base++;
    }
    return base;
}

static size_t number_bytes(int number) {
    return number < 128 ? 1 : number < 128 * 128 ? 2 : 3;
}

/* What runs and bits would take, by looking at each offset. */
static size_t model_bytes(const struct model *model) {
    int base = model_base(model);
    size_t runs = 0;
    int end = base;
    for (int at = base; at < MODEL_OFFSETS;) {
        int first = at;
        while (first < MODEL_OFFSETS && !model->settled[first]) {
            first++;
        }
        int past = first;
        while (past < MODEL_OFFSETS && model->settled[past]) {
            past++;
        }
        if (past > first) {
            runs += number_bytes(first - at) + number_bytes(past - first);
            end = past;
        }
        at = past;
    }
    size_t bits = end == base ? 0 : (size_t)(end - base - 1 + 7) / 8;
    return bits < runs ? bits : runs;
}

static void compare(const struct berth_settled_map *map, const struct model *model) {
    assert_int_equal(berth_settled_map_base(map), MODEL_START + model_base(model));
    assert_int_equal(berth_settled_map_bytes(map), model_bytes(model));
    for (int i = 0; i < MODEL_OFFSETS; i++) {
        bool wanted = i < model->start || model->settled[i];
        assert_int_equal(berth_settled_map_has(map, MODEL_START + i), wanted);
    }
}

static void compare_text(const struct berth_settled_map *map, const struct model *model) {
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(map, text);
    struct owned *read = map_at(berth_settled_map_base(map));
    assert_int_equal(berth_settled_map_read(&read->map, text), BERTH_SETTLED_READ);
    compare(&read->map, model);
    assert_true(berth_settled_map_covers(&read->map, map));
    assert_true(berth_settled_map_covers(map, &read->map));
    free(read);
}

/* Settles some unsettled range, short or long; returns its length, 0: there was none. */
static int settle_some(struct berth_random *random, struct owned *owned, struct model *model,
                       int *ret_first) {
    int first = (int)berth_random_below(random, MODEL_OFFSETS);
    int len = 0;
    int wanted = 1 + (int)berth_random_below(random, berth_random_below(random, 4) == 0 ? 150 : 2);
    while (first >= model->start && first + len < MODEL_OFFSETS && len < wanted &&
           !model->settled[first + len]) {
        model->settled[first + len++] = true;
    }
    if (len > 0) {
        settle(&owned->map, MODEL_START + first, MODEL_START + first + len);
    }
    *ret_first = first;
    return len;
}

/* Transactions as the engine makes them: some ranges, then all are committed or all taken back. */
static void run_transaction(struct berth_random *random, struct owned *owned, struct model *model) {
    int firsts[UNDO_MAX];
    int lens[UNDO_MAX];
    int count = (int)berth_random_below(random, UNDO_MAX);
    for (int i = 0; i < count; i++) {
        lens[i] = settle_some(random, owned, model, &firsts[i]);
    }
    compare(&owned->map, model);
    if (berth_random_below(random, 3) == 0) {
        for (int i = count - 1; i >= 0; i--) {
            if (lens[i] > 0) {
                berth_settled_map_unsettle(&owned->map, MODEL_START + firsts[i],
                                           MODEL_START + firsts[i] + lens[i]);
                memset(model->settled + firsts[i], 0, (size_t)lens[i]);
            }
        }
    } else {
        model->start = model_base(model);
        berth_settled_map_commit(&owned->map);
    }
    if (berth_random_below(random, 20) == 0) {
        int limit = model->start + (int)berth_random_below(random, 30);
        limit = limit < MODEL_OFFSETS ? limit : MODEL_OFFSETS;
        model->start = limit > model->start ? limit : model->start;
        model->start = model_base(model);
        berth_settled_map_start_at(&owned->map, MODEL_START + limit);
        berth_settled_map_commit(&owned->map);
    }
    compare(&owned->map, model);
    compare_text(&owned->map, model);
}

static void test_it_says_what_a_flag_for_each_offset_would_say(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct berth_random random;
        berth_random_init(&random, seed);
        struct owned *owned = map_at(MODEL_START);
        struct model model = {.start = 0};
        for (int i = 0; i < 60; i++) {
            run_transaction(&random, owned, &model);
        }
        free(owned);
    }
}

static void test_a_map_covers_what_it_has_and_no_more(void **state) {
    (void)state;
    struct owned *less = map_at(40);
    struct owned *more = map_at(40);
    settle(&less->map, 42, 44);
    settle(&more->map, 41, 45);
    assert_true(berth_settled_map_covers(&more->map, &less->map));
    assert_false(berth_settled_map_covers(&less->map, &more->map));
    settle(&less->map, 50, 51);
    assert_false(berth_settled_map_covers(&more->map, &less->map));
    berth_settled_map_start_at(&more->map, 60);
    assert_true(berth_settled_map_covers(&more->map, &less->map));
    free(less);
    free(more);
}

/* ---- Sizes and bounds ---- */

/* One that takes long, and a million behind it that don't: a few characters. */
static void test_a_long_run_behind_one_stuck_offset_is_short_to_say(void **state) {
    (void)state;
    struct owned *owned = map_at(40);
    settle(&owned->map, 41, 1000041);
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&owned->map, text);
    assert_true(strlen(text) < 32);
    assert_int_equal(reading_of(text, 40), BERTH_SETTLED_READ);
    free(owned);
}

/* Every second one: bits are eight times as short as runs, and are what is written. */
static void test_scattered_offsets_take_a_bit_each(void **state) {
    (void)state;
    struct owned *owned = map_at(0);
    for (int64_t offset = 1; offset < 4000; offset += 2) {
        settle(&owned->map, offset, offset + 1);
    }
    assert_int_equal(berth_settled_map_bytes(&owned->map), 500);
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&owned->map, text);
    assert_int_equal(strlen(text), (500 + 15 + 2) / 3 * 4);
    free(owned);
}

/* However they lie, so many fit below the mark at which reading stops; it is the promise of
 * BERTH_SETTLED_AHEAD_MIN. */
static void test_the_promised_number_of_offsets_never_crowds_a_map(void **state) {
    (void)state;
    struct berth_settled_run *runs = calloc(BERTH_SETTLED_RUNS_MAX, sizeof(*runs));
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, BERTH_SETTLED_RUNS_MAX, 7);
    int64_t last = 7 + BERTH_SETTLED_AHEAD_MIN;
    for (int64_t offset = last; offset > 7; offset -= 2) {
        settle(&map, offset, offset + 1);
        assert_false(berth_settled_map_crowded(&map));
    }
    settle(&map, last + 2, last + 3);
    assert_true(berth_settled_map_crowded(&map));
    free(runs);
}

/* It is as long as a broker takes, and no longer: what doesn't fit stays unsettled. */
static void test_a_map_is_never_longer_than_a_broker_takes(void **state) {
    (void)state;
    struct berth_settled_run *runs = calloc(BERTH_SETTLED_RUNS_MAX, sizeof(*runs));
    struct berth_settled_map map;
    berth_settled_map_init(&map, runs, BERTH_SETTLED_RUNS_MAX, 7);
    int64_t offset = 8;
    while (berth_settled_map_settle(&map, offset, offset + 1) == BERTH_OK) {
        offset += 2;
    }
    assert_false(berth_settled_map_has(&map, offset));
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&map, text);
    assert_int_equal(strlen(text), BERTH_SETTLED_TEXT_MAX);
    /* The front can always go on, and makes room. */
    settle(&map, 7, 8);
    settle(&map, 9, 10);
    assert_true(berth_settled_map_bytes(&map) <= BERTH_SETTLED_ROOM_BYTES);

    struct berth_settled_run *read_runs = calloc(BERTH_SETTLED_RUNS_MAX, sizeof(*read_runs));
    struct berth_settled_map read;
    berth_settled_map_init(&read, read_runs, BERTH_SETTLED_RUNS_MAX, 7);
    assert_int_equal(berth_settled_map_read(&read, text), BERTH_SETTLED_READ);
    assert_true(berth_settled_map_covers(&map, &read));
    free(read_runs);
    free(runs);
}

/* A worker with a smaller window reads the map of one with a larger: what it can't keep is done
 * again, the lower part is not. */
static void test_more_runs_than_a_map_takes_are_cut_from_above(void **state) {
    (void)state;
    struct owned *owned = map_at(0);
    for (int64_t offset = 1; offset < 20; offset += 2) {
        settle(&owned->map, offset, offset + 1);
    }
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&owned->map, text);
    struct berth_settled_run few[4];
    struct berth_settled_map map;
    berth_settled_map_init(&map, few, 4, 0);
    assert_int_equal(berth_settled_map_read(&map, text), BERTH_SETTLED_CUT);
    assert_true(berth_settled_map_has(&map, 5));
    assert_false(berth_settled_map_has(&map, 7));
    /* What would need another run waits; the front has room in any case, and makes some. */
    assert_int_equal(berth_settled_map_settle(&map, 7, 8), BERTH_BUSY);
    settle(&map, 0, 1);
    berth_settled_map_commit(&map);
    settle(&map, 7, 8);
    free(owned);
}

/* ---- Text of others, and damaged ---- */

static void some_text(char text[BERTH_SETTLED_TEXT_BYTES], bool as_bits) {
    struct owned *owned = map_at(77);
    for (int64_t offset = 78; offset < (as_bits ? 120 : 86); offset += 2) {
        settle(&owned->map, offset, offset + 1);
    }
    if (!as_bits) {
        settle(&owned->map, 1000, 5000);
    }
    berth_settled_map_write(&owned->map, text);
    free(owned);
}

static void test_what_somebody_else_wrote_is_foreign(void **state) {
    (void)state;
    assert_int_equal(reading_of("", 77), BERTH_SETTLED_READ);
    assert_int_equal(reading_of("committed by kafka-consumer-groups", 77), BERTH_SETTLED_FOREIGN);
    assert_int_equal(reading_of("AgAAAYvP", 77), BERTH_SETTLED_FOREIGN);
    assert_int_equal(reading_of("====", 77), BERTH_SETTLED_FOREIGN);
    assert_int_equal(reading_of("AAAAAAAAAAAAAAAAAAAAAAAAAAAA", 77), BERTH_SETTLED_FOREIGN);
    char longer[BERTH_SETTLED_TEXT_BYTES + 4];
    memset(longer, 'Q', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(reading_of(longer, 77), BERTH_SETTLED_FOREIGN);
}

/* Any letter that changed, and any end that is missing. */
static void test_a_damaged_text_is_never_taken_over(void **state) {
    (void)state;
    for (int form = 0; form < 2; form++) {
        char text[BERTH_SETTLED_TEXT_BYTES];
        some_text(text, form == 1);
        assert_int_equal(reading_of(text, 77), BERTH_SETTLED_READ);
        size_t len = strlen(text);
        for (size_t i = 0; i < len; i++) {
            char letter = text[i];
            text[i] = letter == 'A' ? 'B' : 'A';
            enum berth_settled_reading reading = reading_of(text, 77);
            assert_true(reading == BERTH_SETTLED_DAMAGED || reading == BERTH_SETTLED_FOREIGN);
            text[i] = letter;
        }
        for (size_t i = 1; i < len; i++) {
            char cut[BERTH_SETTLED_TEXT_BYTES];
            (void)snprintf(cut, sizeof(cut), "%.*s", (int)i, text);
            enum berth_settled_reading reading = reading_of(cut, 77);
            assert_true(reading == BERTH_SETTLED_DAMAGED || reading == BERTH_SETTLED_FOREIGN);
        }
    }
}

/* A text that was written for one offset and committed with another says nothing about it. */
static void test_a_text_counts_only_for_the_base_that_it_names(void **state) {
    (void)state;
    char text[BERTH_SETTLED_TEXT_BYTES];
    some_text(text, false);
    assert_int_equal(reading_of(text, 78), BERTH_SETTLED_OTHER_BASE);
    assert_int_equal(reading_of(text, 0), BERTH_SETTLED_OTHER_BASE);
}

/* Made by hand: right checksums over what no map of ours can say. The first is of a version to
 * come. Each: magic B, version, form, base 77, payload, CRC-32. */
static void test_what_cannot_be_is_damaged_even_with_a_right_checksum(void **state) {
    (void)state;
    assert_int_equal(reading_of("QgJyAAAAAAAAAE0BAY6OCIs=", 77), BERTH_SETTLED_VERSION);
    static const char *const impossible[] = {
        "QgF4AAAAAAAAAE0BARu/gv8=",
        "QgFyAAAAAAAAAE0AAeAL6zo=",
        "QgFyAAAAAAAAAE0BAI4X6u0=",
        "QgFyAAAAAAAAAE0Bpm9kuw==",
        "QgFyAAAAAAAAAE3///////////////97MDnV",
        "QgFyAAAAAAAAAE3//////////3///////////38MKU9a",
    };
    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
        assert_int_equal(reading_of(impossible[i], 77), BERTH_SETTLED_DAMAGED);
    }
}

/* The same bytes for ever: what one version wrote the next one reads. */
static void test_the_text_of_version_1_is_as_documented(void **state) {
    (void)state;
    struct owned *owned = map_at(77);
    settle(&owned->map, 80, 380);
    char text[BERTH_SETTLED_TEXT_BYTES];
    berth_settled_map_write(&owned->map, text);
    assert_string_equal(text, "QgFyAAAAAAAAAE0DrALjDyAF");
    free(owned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_settled_in_order_is_only_a_base),
        cmocka_unit_test(test_an_unsettled_offset_holds_the_base_and_nothing_else),
        cmocka_unit_test(test_what_an_aborted_transaction_settled_is_taken_back),
        cmocka_unit_test(test_a_later_start_counts_everything_below_it_as_settled),
        cmocka_unit_test(test_it_says_what_a_flag_for_each_offset_would_say),
        cmocka_unit_test(test_a_map_covers_what_it_has_and_no_more),
        cmocka_unit_test(test_a_long_run_behind_one_stuck_offset_is_short_to_say),
        cmocka_unit_test(test_scattered_offsets_take_a_bit_each),
        cmocka_unit_test(test_the_promised_number_of_offsets_never_crowds_a_map),
        cmocka_unit_test(test_a_map_is_never_longer_than_a_broker_takes),
        cmocka_unit_test(test_more_runs_than_a_map_takes_are_cut_from_above),
        cmocka_unit_test(test_what_somebody_else_wrote_is_foreign),
        cmocka_unit_test(test_a_damaged_text_is_never_taken_over),
        cmocka_unit_test(test_a_text_counts_only_for_the_base_that_it_names),
        cmocka_unit_test(test_what_cannot_be_is_damaged_even_with_a_right_checksum),
        cmocka_unit_test(test_the_text_of_version_1_is_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
