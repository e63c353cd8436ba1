/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a real broker can't be made to do on demand: answers with an error of our choice, from
 * librdkafka's mock cluster. It keeps offsets that a consumer commits, and throws those of
 * transactions away, so nothing here is about what is committed in the end.
 */
#include "kafka_world.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/io/kafka_check.h"

/* Keys of the protocol. */
#define API_FETCH        1
#define API_OFFSET_FETCH 9
#define API_JOIN_GROUP   11
#define API_HEARTBEAT    12
#define API_SYNC_GROUP   14
#define API_END_TXN      26

#define SYNC_ERRORS 20
/* A heartbeat, two requests to join, and the 6 s session of the member that was: only the client
 * was told that it is unknown, so the mock cluster waits for it. */
#define REJOINED_S 12
/* More than a look-up makes tries before the test gives up. */
#define COORDINATOR_ERRORS 500

struct mock {
    struct world *world;
    rd_kafka_t *client;
    rd_kafka_mock_cluster_t *cluster;
    struct member member;
    struct outlet outlet;
};

#define COMMANDS "commands"
#define GROUP    "group"

static void set_coordinator(struct mock *mock, const char *group, int32_t broker) {
    assert_int_equal(rd_kafka_mock_coordinator_set(mock->cluster, "group", group, broker),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* The next so many requests of this kind to broker 1, which is the coordinator at first. */
static void refuse_at_first_broker(struct mock *mock, int16_t api, int count,
                                   rd_kafka_resp_err_t err) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(
            rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, 1, api, 1, err, 0),
            RD_KAFKA_RESP_ERR_NO_ERROR);
    }
}

/* How many of them weren't answered yet. */
static size_t left_at_first_broker(struct mock *mock, int16_t api) {
    size_t left = 0;
    assert_int_equal(rd_kafka_mock_broker_error_stack_cnt(mock->cluster, 1, api, &left),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    return left;
}

/* Before the group has members: then the mock cluster takes it. */
static void commit_offset(struct world *world, int64_t offset, const char *metadata) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(
        rd_kafka_conf_set(conf, "bootstrap.servers", world->bootstrap, text, sizeof(text)),
        RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", GROUP, text, sizeof(text)),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *partition = rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    partition->offset = offset;
    partition->metadata = strdup(metadata);
    partition->metadata_size = strlen(metadata);
    assert_int_equal(rd_kafka_commit(client, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
}

static struct mock *mock_new(int brokers) {
    struct mock *mock = calloc(1, sizeof(*mock));
    assert_non_null(mock);
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    mock->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(mock->client);
    mock->cluster = rd_kafka_mock_cluster_new(mock->client, brokers);
    assert_non_null(mock->cluster);
    set_coordinator(mock, GROUP, 1);
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, COMMANDS, 2, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, "results", 1, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    mock->world = world_new(rd_kafka_mock_cluster_bootstraps(mock->cluster));
    produce(mock->world, COMMANDS, 0, "command", 10);
    commit_offset(mock->world, 7, "map");
    static const char *const topics[] = {"results"};
    member_join(&mock->member, mock->world, GROUP, NULL, COMMANDS, BERTH_START_EARLIEST);
    outlet_open(&mock->outlet, mock->world, GROUP, "worker", topics, 1);
    member_wait_held(&mock->member, 2);
    return mock;
}

/* Once for all tests: the mock cluster lets the first member of a group wait for 3 s. */
static int mock_setup(void **state) {
    *state = mock_new(1);
    return 0;
}

/* For what takes another broker. */
static int two_brokers_setup(void **state) {
    *state = mock_new(2);
    return 0;
}

static int mock_teardown(void **state) {
    struct mock *mock = *state;
    outlet_close(&mock->outlet);
    member_leave(&mock->member);
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->client);
    world_teardown((void **)&mock->world);
    free(mock);
    return 0;
}

static enum berth_batch_outcome publish(struct mock *mock, int64_t offset, const char *metadata) {
    outlet_submit(&mock->outlet, &mock->member, "result", COMMANDS, offset, metadata);
    return outlet_wait(&mock->outlet);
}

/* The producer broke with the commit under way. The group's offsets say that it was done: to
 * publish the batch again would give every command a second answer. */
static void test_a_commit_whose_producer_broke_is_looked_up_and_was_done(void **state) {
    struct mock *mock = *state;
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    /* The offset that the group has, as if the lost commit had put it there. */
    assert_int_equal(publish(mock, 7, "map"), BERTH_BATCH_COMMITTED);
    assert_string_equal(mock->outlet.text, "");
    assert_true(berth_publisher_ready(mock->outlet.publisher));
    assert_int_equal(publish(mock, 8, NULL), BERTH_BATCH_COMMITTED);
}

/* The same, but it wasn't done: to believe it would lose the answers. */
static void test_a_commit_whose_producer_broke_is_looked_up_and_was_not_done(void **state) {
    struct mock *mock = *state;
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    assert_int_equal(publish(mock, 8, "map"), BERTH_BATCH_ABORTED);
    assert_string_not_equal(mock->outlet.text, "");
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    assert_int_equal(publish(mock, 7, "other map"), BERTH_BATCH_ABORTED);
    assert_int_equal(publish(mock, 7, "other map"), BERTH_BATCH_COMMITTED);
}

/* Brokers restart one after the other, so a commit that lost its producer and a group whose
 * coordinator moves come together. librdkafka (2.8.0 too) crashes on that answer when the handle
 * that asked has no group, which no producer has. */
static void test_a_look_up_whose_coordinator_just_moved_is_made_again(void **state) {
    struct mock *mock = *state;
    rd_kafka_mock_push_request_errors(mock->cluster, API_OFFSET_FETCH, 1,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    assert_int_equal(publish(mock, 7, "map"), BERTH_BATCH_COMMITTED);
    rd_kafka_mock_push_request_errors(mock->cluster, API_OFFSET_FETCH, 1,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    assert_int_equal(publish(mock, 8, "map"), BERTH_BATCH_ABORTED);
}

/* The same crash in `berth check`. */
static void test_how_far_a_group_is_can_be_asked_while_its_coordinator_moves(void **state) {
    struct mock *mock = *state;
    struct berth_group_progress progress;
    struct berth_error error = {.text = ""};
    rd_kafka_mock_push_request_errors(mock->cluster, API_OFFSET_FETCH, 1,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    assert_int_equal(berth_kafka_group_progress(&mock->world->properties, GROUP, COMMANDS, 2, 60000,
                                                5000, &progress, &error),
                     BERTH_OK);
    assert_int_equal(progress.partitions_unreadable, 2);
    assert_int_equal(berth_kafka_group_progress(&mock->world->properties, GROUP, COMMANDS, 2, 60000,
                                                5000, &progress, &error),
                     BERTH_OK);
    assert_int_equal(progress.partitions_unreadable, 0);
    assert_int_equal(progress.behind, 3);
    assert_int_equal(progress.partitions_new, 1);
}

static bool was_in_trouble(void *ctx) {
    const struct outlet *outlet = ctx;
    return strstr(outlet->trouble, "what became of a commit") != NULL;
}

/* A broker that gave the group up stays up, and librdkafka goes on asking the one that it once
 * knew as the coordinator. */
static void test_a_look_up_follows_the_group_to_another_coordinator(void **state) {
    struct mock *mock = *state;
    refuse_at_first_broker(mock, API_OFFSET_FETCH, COORDINATOR_ERRORS,
                           RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
    outlet_submit(&mock->outlet, &mock->member, "result", COMMANDS, 7, "map");
    run_until(mock->world, was_in_trouble, &mock->outlet);
    set_coordinator(mock, GROUP, 2);
    assert_int_equal(outlet_wait(&mock->outlet), BERTH_BATCH_COMMITTED);
}

static void test_a_coordinator_that_is_not_there_is_asked_again(void **state) {
    struct mock *mock = *state;
    rd_kafka_mock_push_request_errors(mock->cluster, API_END_TXN, 2,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                      RD_KAFKA_RESP_ERR__TRANSPORT);
    assert_int_equal(publish(mock, 7, NULL), BERTH_BATCH_COMMITTED);
}

static bool was_told_lost(void *ctx) {
    return member_was_told(ctx, "lost");
}

/* The group went on without us: what is in flight isn't ours any more, and there is nothing to give
 * up. */
static void test_a_partition_of_a_member_that_was_thrown_out_is_lost(void **state) {
    struct mock *mock = *state;
    uint64_t epoch = mock->member.slots[0].epoch;
    mock->member.gives_up = false;
    rd_kafka_mock_push_request_errors(mock->cluster, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    run_until(mock->world, was_told_lost, &mock->member);
    assert_int_equal(mock->member.revoked_count, 0);
    member_wait_held(&mock->member, 2);
    assert_true(mock->member.slots[member_slot_of(&mock->member, 0)].epoch > epoch);
}

/*
 * A worker that was frozen for longer than its session, and then hears of a rebalance first, asks
 * to join under an id that the group has forgotten. librdkafka then joins under another one and
 * goes on with what it holds, without a word: what it published would put the group's offsets back
 * to where it was.
 */
static void forget_member(struct mock *mock) {
    berth_buffer_clear(&mock->member.told);
    rd_kafka_mock_push_request_errors(mock->cluster, API_JOIN_GROUP, 1,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    rd_kafka_mock_push_request_errors(mock->cluster, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
}

static void test_what_was_held_under_a_forgotten_member_id_is_lost(void **state) {
    struct mock *mock = *state;
    forget_member(mock);
    run_until(mock->world, was_told_lost, &mock->member);
    member_wait_held(&mock->member, 2);
    assert_int_equal(publish(mock, 7, NULL), BERTH_BATCH_COMMITTED);
}

/* Nothing is published between that and the turn that tells of it, which comes late here: the
 * member has its other id by then, with which brokers would take the offsets. */
static void test_a_forgotten_member_id_commits_no_offset(void **state) {
    struct mock *mock = *state;
    forget_member(mock);
    (void)sleep(REJOINED_S);
    struct berth_group_metadata *metadata = NULL;
    assert_int_equal(berth_consumer_group_metadata(mock->member.consumer, &metadata),
                     BERTH_NOT_FOUND);
    assert_int_equal(mock->member.held_count, 2);
    run_until(mock->world, was_told_lost, &mock->member);
    member_wait_held(&mock->member, 2);
}

static bool was_refused_offsets(void *ctx) {
    return left_at_first_broker(ctx, API_OFFSET_FETCH) < COORDINATOR_ERRORS;
}

/* The same for where a partition starts, which is asked with the consumer's own handle: again and
 * again, so that this one never forgets the coordinator that it asks. */
static void test_where_a_partition_starts_is_asked_of_another_coordinator(void **state) {
    struct mock *mock = *state;
    refuse_at_first_broker(mock, API_OFFSET_FETCH, COORDINATOR_ERRORS,
                           RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rd_kafka_mock_push_request_errors(mock->cluster, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    run_until(mock->world, was_told_lost, &mock->member);
    run_until(mock->world, was_refused_offsets, mock);
    set_coordinator(mock, GROUP, 2);
    member_wait_held(&mock->member, 2);
}

static bool waits_for_a_base(void *ctx) {
    const struct member *member = ctx;
    return member->held_count == 1 && berth_consumer_bases_wanted(member->consumer) == 1;
}

static bool was_asked_again(void *ctx) {
    return member_was_told(ctx, "base wanted 1") && waits_for_a_base(ctx);
}

/* Nobody was told of it, so nobody is told that it is lost; when it is ours again it is asked for
 * again. */
static void test_a_partition_that_waits_for_its_base_may_be_lost(void **state) {
    struct mock *mock = *state;
    mock->member.says_bases = false;
    rd_kafka_mock_push_request_errors(mock->cluster, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    run_until(mock->world, waits_for_a_base, &mock->member);
    berth_buffer_clear(&mock->member.told);
    rd_kafka_mock_push_request_errors(mock->cluster, API_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    run_until(mock->world, was_told_lost, &mock->member);
    run_until(mock->world, was_asked_again, &mock->member);
    assert_false(member_was_told(&mock->member, "lost 1"));
    member_set_base(&mock->member, COMMANDS, 1, -1);
    member_wait_held(&mock->member, 2);
    mock->member.says_bases = true;
}

static bool was_told_stopped(void *ctx) {
    struct member *member = ctx;
    if (member->held_count == 2) {
        (void)member_take(member, member_slot_of(member, 0), 100);
    }
    return member_was_told(member, "stopped 0");
}

/* Retention overtook a partition while it was read: it must neither jump nor stop in silence.
 * Another member looks where it goes on. */
static void test_a_position_that_is_gone_while_reading_is_looked_at_again(void **state) {
    struct mock *mock = *state;
    berth_buffer_clear(&mock->member.told);
    rd_kafka_mock_push_request_errors(mock->cluster, API_FETCH, 2,
                                      RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
                                      RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
    run_until(mock->world, was_told_stopped, &mock->member);
    assert_true(member_was_told(&mock->member, "is gone from the log"));
    run_until(mock->world, was_told_lost, &mock->member);
    member_wait_held(&mock->member, 2);
    const char *topic = NULL;
    const char *text = NULL;
    int32_t partition = 0;
    assert_int_equal(berth_consumer_stopped(mock->member.consumer, &topic, &partition, &text), 0);
}

static bool was_refused_a_sync(void *ctx) {
    return left_at_first_broker(ctx, API_SYNC_GROUP) < SYNC_ERRORS;
}

/* While a group rebalances for long, a member is in it and has no assignment yet. librdkafka before
 * 2.3 aborts the process that destroys such a member. */
static void test_a_member_that_never_got_an_assignment_can_go(void **state) {
    struct mock *mock = *state;
    refuse_at_first_broker(mock, API_SYNC_GROUP, SYNC_ERRORS,
                           RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    struct member late;
    member_join(&late, mock->world, "late", NULL, COMMANDS, BERTH_START_EARLIEST);
    run_until(mock->world, was_refused_a_sync, mock);
    member_leave(&late);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commit_whose_producer_broke_is_looked_up_and_was_done),
        cmocka_unit_test(test_a_commit_whose_producer_broke_is_looked_up_and_was_not_done),
        cmocka_unit_test(test_a_look_up_whose_coordinator_just_moved_is_made_again),
        cmocka_unit_test(test_how_far_a_group_is_can_be_asked_while_its_coordinator_moves),
        cmocka_unit_test(test_a_coordinator_that_is_not_there_is_asked_again),
        cmocka_unit_test(test_a_partition_of_a_member_that_was_thrown_out_is_lost),
        cmocka_unit_test(test_what_was_held_under_a_forgotten_member_id_is_lost),
        cmocka_unit_test(test_a_forgotten_member_id_commits_no_offset),
        cmocka_unit_test(test_a_partition_that_waits_for_its_base_may_be_lost),
        cmocka_unit_test(test_a_position_that_is_gone_while_reading_is_looked_at_again),
        cmocka_unit_test(test_a_member_that_never_got_an_assignment_can_go),
    };
    const struct CMUnitTest with_two_brokers[] = {
        cmocka_unit_test_setup_teardown(test_a_look_up_follows_the_group_to_another_coordinator,
                                        two_brokers_setup, mock_teardown),
        cmocka_unit_test_setup_teardown(
            test_where_a_partition_starts_is_asked_of_another_coordinator, two_brokers_setup,
            mock_teardown),
    };
    int failed = cmocka_run_group_tests(tests, mock_setup, mock_teardown);
    return failed + cmocka_run_group_tests(with_two_brokers, NULL, NULL);
}
