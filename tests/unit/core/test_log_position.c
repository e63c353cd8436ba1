/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a partition goes on, and when it may not (docs/redis.md, "Whose log is it?").
 */
#include "berth/core/log_position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A log of ten records, 0 to 9, of which eight are settled: the last of them bears this mark. */
static const struct berth_log_mark seven = {
    .id = "this", .offset = 7, .timestamp_ms = 1007, .checksum = 77};

static struct berth_kept_base nothing_kept = {.offset = -1, .from = -1};

static struct berth_log_facts committed_at_eight(void) {
    return (struct berth_log_facts){.id = "this",
                                    .start = 0,
                                    .end = 10,
                                    .committed = 8,
                                    .marked = true,
                                    .mark = seven,
                                    .kept = &nothing_kept,
                                    .look = BERTH_LOG_RECORD,
                                    .timestamp_ms = 1007,
                                    .checksum = 77};
}

static struct berth_log_facts without_ids(void) {
    struct berth_log_facts facts = committed_at_eight();
    facts.id[0] = '\0';
    facts.mark.id[0] = '\0';
    return facts;
}

static void assert_goes_on(const struct berth_log_facts *facts, enum berth_log_origin origin,
                           int64_t offset) {
    struct berth_log_position position = berth_log_position_of(facts);
    assert_int_equal(position.doubt, BERTH_LOG_PROVED);
    assert_int_equal(position.origin, origin);
    assert_int_equal(position.offset, offset);
}

static void assert_stopped(const struct berth_log_facts *facts, enum berth_log_doubt doubt) {
    struct berth_log_position position = berth_log_position_of(facts);
    assert_int_equal(position.origin, BERTH_LOG_STOPPED);
    assert_int_equal(position.doubt, doubt);
    assert_string_not_equal(berth_log_doubt_text(doubt), "");
}

static void test_the_same_log_goes_on_with_its_mark(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    struct berth_log_position position = berth_log_position_of(&facts);
    assert_int_equal(position.log.offset, 7);
    assert_int_equal(position.log.checksum, 77);
    assert_string_equal(position.log.id, "this");
    assert_int_equal(position.lost, 0);
    facts = without_ids();
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
}

/* However alike: copied from a backup, or by chance. */
static void test_another_id_is_another_log_whatever_is_in_it(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.mark.id[0] = 'T';
    assert_null(berth_log_mark_in_question(&facts));
    assert_stopped(&facts, BERTH_LOG_OTHER_ID);
}

/* Without an id, the record tells; with one, it tells that the log's end was lost. */
static void test_another_record_at_the_marks_place_stops(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.checksum++;
    assert_stopped(&facts, BERTH_LOG_OTHER_RECORD);
    facts = without_ids();
    facts.timestamp_ms++;
    assert_stopped(&facts, BERTH_LOG_OTHER_RECORD);
}

static void test_a_log_that_ends_before_the_position_or_the_mark_stops(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.end = 7;
    assert_null(berth_log_mark_in_question(&facts));
    assert_stopped(&facts, BERTH_LOG_TOO_SHORT);
    /* What is settled out of order is above the base, and proved by the mark. */
    facts = committed_at_eight();
    facts.committed = 3;
    facts.end = 5;
    assert_stopped(&facts, BERTH_LOG_TOO_SHORT);
    facts = without_ids();
    facts.marked = false;
    facts.committed = 11;
    assert_stopped(&facts, BERTH_LOG_TOO_SHORT);
}

/* Compaction removed it, or a transaction's marker is there. */
static void test_a_marked_record_that_is_gone_is_proved_by_the_id_only(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.look = BERTH_LOG_NO_RECORD;
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    facts = without_ids();
    facts.look = BERTH_LOG_NO_RECORD;
    assert_stopped(&facts, BERTH_LOG_GONE_RECORD);
}

static void test_retention_above_the_mark_is_fine_where_nothing_is_passed_over(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.start = 9;
    facts.look = BERTH_LOG_NOT_LOOKED;
    assert_null(berth_log_mark_in_question(&facts));
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 9);
    struct berth_log_position position = berth_log_position_of(&facts);
    assert_int_equal(position.lost, 1);
    assert_int_equal(position.lost_from, 8);
    facts = without_ids();
    facts.start = 8;
    facts.look = BERTH_LOG_NOT_LOOKED;
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    /* A start that was chosen, and nothing settled since: records between are passed over. */
    facts.mark.offset = 3;
    facts.start = 5;
    assert_stopped(&facts, BERTH_LOG_CUT);
    memcpy(facts.id, "this", sizeof("this"));
    memcpy(facts.mark.id, "this", sizeof("this"));
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
}

/* A start was committed and nothing came yet. */
static void test_where_nothing_is_settled_the_ids_decide(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.mark = berth_log_mark_none("this");
    facts.look = BERTH_LOG_NOT_LOOKED;
    assert_null(berth_log_mark_in_question(&facts));
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    facts.mark = berth_log_mark_none("that");
    assert_stopped(&facts, BERTH_LOG_OTHER_ID);
    facts.mark = berth_log_mark_none("");
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
}

/* An earlier version wrote it, or an operator's tool. From here on it bears a mark. */
static void test_a_position_without_a_mark_is_taken_as_it_is(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.marked = false;
    facts.look = BERTH_LOG_NOT_LOOKED;
    assert_null(berth_log_mark_in_question(&facts));
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    struct berth_log_position position = berth_log_position_of(&facts);
    assert_string_equal(position.log.id, "this");
    assert_int_equal(position.log.offset, -1);
}

/* Brokers learn to tell ids with an upgrade. */
static void test_an_id_that_is_new_is_taken_over_once_the_record_has_proved_it(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.mark.id[0] = '\0';
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
    struct berth_log_position position = berth_log_position_of(&facts);
    assert_string_equal(position.log.id, "this");
    assert_int_equal(position.log.offset, 7);
}

static void test_without_a_committed_offset_the_base_is_judged_likewise(void **state) {
    (void)state;
    struct berth_kept_base kept = {.offset = 8, .marked = true, .mark = seven, .from = -1};
    struct berth_log_facts facts = committed_at_eight();
    facts.committed = -1;
    facts.marked = false;
    facts.kept = NULL;
    assert_goes_on(&facts, BERTH_LOG_WANTS_BASE, 0);
    facts.kept = &kept;
    assert_ptr_equal(berth_log_mark_in_question(&facts), &kept.mark);
    assert_goes_on(&facts, BERTH_LOG_AT_BASE, 8);
    kept.mark.id[0] = 'T';
    assert_stopped(&facts, BERTH_LOG_OTHER_ID);
    facts.kept = &nothing_kept;
    assert_goes_on(&facts, BERTH_LOG_AT_START, 0);
    facts.from_end = true;
    assert_goes_on(&facts, BERTH_LOG_AT_START, 10);
}

/* Before anything is stopped the ledger is asked: an operator may have decided. */
static void test_a_decision_is_asked_for_before_a_partition_is_stopped(void **state) {
    (void)state;
    struct berth_log_facts facts = committed_at_eight();
    facts.mark.id[0] = 'T';
    facts.kept = NULL;
    assert_int_equal(berth_log_position_of(&facts).origin, BERTH_LOG_WANTS_BASE);
}

static void test_a_decision_for_this_log_is_followed_and_what_it_passes_over_is_told(void **state) {
    (void)state;
    struct berth_kept_base kept = {.offset = 8, .from = 4, .from_id = "this"};
    struct berth_log_facts facts = committed_at_eight();
    facts.mark.id[0] = 'T';
    facts.kept = &kept;
    assert_goes_on(&facts, BERTH_LOG_AT_DECISION, 4);
    struct berth_log_position position = berth_log_position_of(&facts);
    assert_int_equal(position.lost, 4);
    assert_int_equal(position.lost_from, 0);
    assert_int_equal(position.log.offset, -1);
    kept.from = 0;
    assert_goes_on(&facts, BERTH_LOG_AT_DECISION, 0);
    assert_int_equal(berth_log_position_of(&facts).lost, 0);
}

/* Of the log that has lost its end, what is below the position was read. */
static void test_a_decision_for_a_log_that_lost_its_end_passes_over_only_what_is_new(void **state) {
    (void)state;
    struct berth_kept_base kept = {.offset = 8, .from = 9, .from_id = "this"};
    struct berth_log_facts facts = committed_at_eight();
    facts.checksum++;
    facts.kept = &kept;
    assert_goes_on(&facts, BERTH_LOG_AT_DECISION, 9);
    assert_int_equal(berth_log_position_of(&facts).lost, 1);
    assert_int_equal(berth_log_position_of(&facts).lost_from, 8);
    kept.from = 5;
    assert_int_equal(berth_log_position_of(&facts).lost, 0);
}

/* Made anew once more, or shorter than it was: the decision was about something else. */
static void test_a_decision_for_another_log_is_not_followed(void **state) {
    (void)state;
    struct berth_kept_base kept = {.offset = 8, .from = 4, .from_id = "That"};
    struct berth_log_facts facts = committed_at_eight();
    facts.mark.id[0] = 'T';
    facts.kept = &kept;
    assert_stopped(&facts, BERTH_LOG_OTHER_ID);
    memcpy(kept.from_id, "this", sizeof("this"));
    kept.from = 11;
    assert_stopped(&facts, BERTH_LOG_OTHER_ID);
}

/* Where all is well it is left over from before. */
static void test_a_decision_moves_nothing_that_is_not_stopped(void **state) {
    (void)state;
    struct berth_kept_base kept = {.offset = 8, .from = 2, .from_id = "this"};
    struct berth_log_facts facts = committed_at_eight();
    facts.kept = &kept;
    assert_goes_on(&facts, BERTH_LOG_AT_COMMITTED, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_log_goes_on_with_its_mark),
        cmocka_unit_test(test_another_id_is_another_log_whatever_is_in_it),
        cmocka_unit_test(test_another_record_at_the_marks_place_stops),
        cmocka_unit_test(test_a_log_that_ends_before_the_position_or_the_mark_stops),
        cmocka_unit_test(test_a_marked_record_that_is_gone_is_proved_by_the_id_only),
        cmocka_unit_test(test_retention_above_the_mark_is_fine_where_nothing_is_passed_over),
        cmocka_unit_test(test_where_nothing_is_settled_the_ids_decide),
        cmocka_unit_test(test_a_position_without_a_mark_is_taken_as_it_is),
        cmocka_unit_test(test_an_id_that_is_new_is_taken_over_once_the_record_has_proved_it),
        cmocka_unit_test(test_without_a_committed_offset_the_base_is_judged_likewise),
        cmocka_unit_test(test_a_decision_is_asked_for_before_a_partition_is_stopped),
        cmocka_unit_test(test_a_decision_for_this_log_is_followed_and_what_it_passes_over_is_told),
        cmocka_unit_test(test_a_decision_for_a_log_that_lost_its_end_passes_over_only_what_is_new),
        cmocka_unit_test(test_a_decision_for_another_log_is_not_followed),
        cmocka_unit_test(test_a_decision_moves_nothing_that_is_not_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
