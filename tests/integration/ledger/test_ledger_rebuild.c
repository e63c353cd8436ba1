/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a data set up in Redis: the lock, each step, and what is left when one is cut off. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_world.h"

#define EPOCH_KEY "berth:v1:epoch"
#define LOCK_KEY  "berth:v1:rebuild"
#define SPACE_KEY "berth:v1:space:alpha/team-a"

/* A worker that may rebuild. */
struct builder {
    struct worker worker; /* First, so that the callbacks' ctx is both. */
    size_t begun;
    size_t chilled;
    size_t puts;
    size_t lost;
};

static void count_event(void *ctx, enum berth_rebuild_event event) {
    struct builder *builder = ctx;
    switch (event) {
    case BERTH_REBUILD_BEGUN:
        builder->begun++;
        break;
    case BERTH_REBUILD_CHILLED:
        builder->chilled++;
        break;
    case BERTH_REBUILD_PUT:
        builder->puts++;
        break;
    case BERTH_REBUILD_LOST:
        builder->lost++;
        break;
    }
}

static void builder_start(struct world *world, struct builder *builder, int number) {
    struct berth_ledger_config config;
    *builder = (struct builder){0};
    worker_config(world, &builder->worker, number, &config);
    config.on_rebuild = count_event;
    worker_start(&builder->worker, &config);
    berth_ledger_allow_rebuild(builder->worker.ledger);
}

static bool has_begun(void *ctx) {
    return ((struct builder *)ctx)->begun > 0;
}

static bool has_lost(void *ctx) {
    return ((struct builder *)ctx)->lost > 0;
}

static bool has_chilled(void *ctx) {
    return ((struct builder *)ctx)->chilled > 0;
}

static bool has_put(void *ctx) {
    return ((struct builder *)ctx)->puts > 0;
}

static bool waits_for_another(void *ctx) {
    struct worker *worker = ctx;
    return strstr(worker->why, "by another worker (aaaaaaaa-0000-4000-8000-000000000001)") != NULL;
}

static void begin(struct builder *builder) {
    world_run_until(builder->worker.world, has_begun, builder);
}

static void chill(struct builder *builder) {
    builder->chilled = 0;
    assert_int_equal(berth_ledger_rebuild_chill(builder->worker.ledger), BERTH_OK);
    world_run_until(builder->worker.world, has_chilled, builder);
}

static void put(struct builder *builder, const struct berth_space_state *state) {
    builder->puts = 0;
    assert_int_equal(berth_ledger_rebuild_put(builder->worker.ledger, "alpha", "team-a", state),
                     BERTH_OK);
    world_run_until(builder->worker.world, has_put, builder);
}

static void open_it(struct builder *builder) {
    struct berth_source beginning = {.topic = "berth.commands.alpha", .partition = 3, .offset = 50};
    assert_int_equal(berth_ledger_rebuild_open(builder->worker.ledger, &beginning, 1), BERTH_OK);
    worker_wait_available(&builder->worker);
}

static struct berth_space_state a_version(int64_t version, struct berth_binding *bindings,
                                          size_t count) {
    struct berth_space_state state = a_space(BERTH_PUBLIC, bindings, count);
    state.version = version;
    return state;
}

static void empty(struct world *world) {
    assert_string_equal(redis_says(world, "FLUSHALL"), "OK");
}

static void test_an_empty_redis_becomes_a_data_set(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    struct berth_binding binding = a_binding("blue", 17);
    struct berth_space_state space = a_version(77, &binding, 1);
    chill(&builder);
    put(&builder, &space);
    assert_string_equal(redis_says(world, "EXISTS " EPOCH_KEY), "0");
    open_it(&builder);

    assert_string_equal(redis_says(world, "EXISTS " LOCK_KEY), "0");
    assert_non_null(strstr(redis_says(world, "GET " EPOCH_KEY), "\nberth.commands.alpha 3 50"));
    assert_true(strtoll(redis_says(world, "GET berth:v1:sequence"), NULL, 10) > 1000000000000000);
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha 0 -1"), "alpha/team-a");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:registry:alpha:public 0 -1"),
                        "alpha/team-a");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"), "alpha/team-a");
    /* Cold, and no token comes that isn't above its version. */
    assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " version token verified_at"),
                        "77 77 0");
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(49);
    const struct berth_claim_answer *claim = take(&builder.worker, &command, &source);
    assert_true(claim->token > 77);
    assert_false(claim->first);
    assert_false(claim->before_known);
    assert_int_equal(claim->state.project_id, 41);
    assert_int_equal(builder.lost, 0);
    worker_deinit(&builder.worker);
}

/* Redis' clock may have been set back since. */
static void test_a_token_is_above_a_version_that_is_ahead_of_the_clock(void **state) {
    struct world *world = *state;
    struct builder builder;
    int64_t ahead = INT64_C(1) << 52;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    struct berth_space_state space = a_version(ahead, NULL, 0);
    put(&builder, &space);
    open_it(&builder);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(70);
    assert_int_equal(take(&builder.worker, &command, &source)->token, ahead + 1);
    worker_deinit(&builder.worker);
}

/* The lock is for one; the other goes on as soon as the data set is whole. */
static void test_one_of_two_workers_rebuilds(void **state) {
    struct world *world = *state;
    struct builder one;
    struct builder two;
    empty(world);
    builder_start(world, &one, 1);
    begin(&one);
    builder_start(world, &two, 2);
    world_run_until(world, waits_for_another, &two.worker);
    /* If the first one dies, the other's turn comes. */
    assert_true(strtoll(redis_says(world, "PTTL " LOCK_KEY), NULL, 10) > 0);
    open_it(&one);
    worker_wait_available(&two.worker);
    assert_int_equal(two.begun, 0);
    worker_deinit(&one.worker);
    worker_deinit(&two.worker);
}

/* Dead, or frozen for too long: its lock ends, and what it left is no harm. */
static void test_who_lost_the_lock_changes_nothing_any_more(void **state) {
    struct world *world = *state;
    struct berth_space_state old = a_version(5, NULL, 0);
    for (int step = 0; step < 3; step++) {
        struct builder one;
        struct builder two;
        empty(world);
        builder_start(world, &one, 1);
        begin(&one);
        put(&one, &old);
        assert_string_equal(redis_says(world, "DEL " LOCK_KEY), "1"); /* Its time ended. */
        builder_start(world, &two, 2);
        begin(&two);
        redis_says(world,
                   "HSET " SPACE_KEY " verified_at 5 holder_command x"); /* Warm, and held. */
        char *before = redis_snapshot(world);
        struct berth_source beginning = {.topic = "t", .offset = 1};
        enum berth_rc rc = BERTH_OK;
        if (step == 0) {
            rc = berth_ledger_rebuild_chill(one.worker.ledger);
        } else if (step == 1) {
            struct berth_space_state newer = a_version(6, NULL, 0);
            rc = berth_ledger_rebuild_put(one.worker.ledger, "alpha", "team-a", &newer);
        } else {
            rc = berth_ledger_rebuild_open(one.worker.ledger, &beginning, 1);
        }
        assert_int_equal(rc, BERTH_OK);
        world_run_until(world, has_lost, &one);
        assert_int_equal(one.chilled, 0);
        char *after = redis_snapshot(world);
        assert_string_equal(before, after);
        free(before);
        free(after);
        struct berth_space_state again = a_version(5, NULL, 0);
        chill(&two);
        put(&two, &again);
        open_it(&two);
        assert_int_equal(two.lost, 0);
        worker_deinit(&one.worker);
        worker_deinit(&two.worker);
    }
}

/* A process that starts again as another incarnation waits for the lock's end; one that only lost
 * its connection doesn't. */
static void test_a_rebuild_that_lost_its_connection_begins_anew_at_once(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    builder.begun = 0;
    redis_says(world, "CLIENT KILL TYPE normal SKIPME yes");
    world_run_until(world, has_lost, &builder);
    struct berth_space_state space = a_version(1, NULL, 0);
    assert_int_equal(berth_ledger_rebuild_put(builder.worker.ledger, "alpha", "team-a", &space),
                     BERTH_BUSY);
    begin(&builder);
    open_it(&builder);
    worker_deinit(&builder.worker);
}

/* It is over as if it had never been, and somebody else may come at once. */
static void test_a_rebuild_that_is_dropped_leaves_the_lock_to_others(void **state) {
    struct world *world = *state;
    struct builder one;
    struct builder two;
    empty(world);
    builder_start(world, &one, 1);
    begin(&one);
    berth_ledger_rebuild_drop(one.worker.ledger, "no luck with Kafka");
    assert_string_equal(one.worker.why, "no luck with Kafka");
    builder_start(world, &two, 2);
    begin(&two);
    assert_int_equal(one.lost, 0);
    worker_deinit(&one.worker);
    worker_deinit(&two.worker);
}

/* What a copy has stays where nothing newer is told; all of it is cold, and free. */
static void test_an_older_copy_keeps_what_is_as_new_and_becomes_cold(void **state) {
    struct world *world = *state;
    struct worker worker;
    worker_init(world, &worker, 1);
    struct berth_binding bindings[] = {a_binding("blue", 17), a_binding("red", 18)};
    struct berth_space_state space = a_space(BERTH_PUBLIC, bindings, 2);
    struct berth_command command = a_command(1, "team-a");
    struct berth_command claimed = a_command(2, "team-b");
    struct berth_source source = a_source(10);
    int64_t version = settle(&worker, &command, &source, &space, "one");
    take(&worker, &claimed, &source);
    worker_deinit(&worker);
    redis_says(world, "DEL " EPOCH_KEY);

    struct builder builder;
    builder_start(world, &builder, 2);
    begin(&builder);
    chill(&builder);
    struct berth_binding other = a_binding("green", 19);
    struct berth_space_state older = a_version(version - 1, &other, 1);
    struct berth_space_state same = a_version(version, &other, 1);
    put(&builder, &older);
    put(&builder, &same);
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"), "alpha/team-a");
    assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " verified_at binding:red"),
                        "0 18 0badc0de active");
    assert_string_equal(redis_says(world, "HEXISTS berth:v1:space:alpha/team-b holder_command"),
                        "0");

    /* A newer one wins, and what it doesn't bind is bound no more. */
    struct berth_space_state newer = a_version(version + 1, &other, 1);
    newer.visibility = BERTH_PRIVATE;
    put(&builder, &newer);
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "berth:v1:workspace:green");
    assert_string_equal(redis_says(world, "EXISTS berth:v1:registry:alpha:public"), "0");
    open_it(&builder);

    /* The ledger's entries are there still. */
    struct berth_ledger_call claim = a_claim(&command, &source);
    assert_int_equal(worker_ask(&builder.worker, &claim, NULL)->answer.claim.verdict,
                     BERTH_CLAIM_STORED);
    const struct berth_claim_answer *second = take(&builder.worker, &claimed, &source);
    assert_int_equal(second->attempts, 2);
    assert_false(second->first);
    worker_deinit(&builder.worker);
}

/* A tombstone removes; a state after it in the topic brings the space back. */
static void test_a_tombstone_removes_a_space_from_everywhere(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    struct berth_binding binding = a_binding("blue", 17);
    struct berth_space_state space = a_version(7, &binding, 1);
    struct berth_space_state gone = {.knowledge = BERTH_SPACE_UNKNOWN};
    put(&builder, &gone); /* Nothing was there: nothing is left. */
    assert_string_equal(redis_says(world, "KEYS berth:v1:space:*"), "");
    put(&builder, &space);
    put(&builder, &gone);
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "");
    assert_string_equal(redis_says(world, "KEYS berth:v1:registry:*"), "");
    /* Not known, rather than absent; its tokens go on rising. */
    assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " state version token"), "(nil) 7 7");
    assert_true(strtoll(redis_says(world, "PTTL " SPACE_KEY), NULL, 10) > 0);
    struct berth_space_state again = a_version(9, &binding, 1);
    put(&builder, &again);
    assert_string_equal(redis_says(world, "PTTL " SPACE_KEY), "-1");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"), "alpha/team-a");
    worker_deinit(&builder.worker);
}

/* An older copy may hold a state that nobody came to publish, of a space that was deleted before
 * and made anew: the tombstone of that deletion is older. */
static void test_a_tombstone_leaves_a_state_that_is_newer(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    struct berth_binding binding = a_binding("blue", 17);
    struct berth_space_state unpublished = a_version(9, &binding, 1);
    struct berth_space_state older = {.knowledge = BERTH_SPACE_UNKNOWN, .version = 8};
    struct berth_space_state before = a_version(8, NULL, 0);
    struct berth_space_state newer = {.knowledge = BERTH_SPACE_UNKNOWN, .version = 10};
    put(&builder, &unpublished);
    put(&builder, &older);
    put(&builder, &before);
    assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " state version"), "present 9");
    assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"), "alpha/team-a");
    put(&builder, &newer);
    assert_string_equal(redis_says(world, "KEYS berth:v1:workspace:*"), "");
    worker_deinit(&builder.worker);
}

/* Cut off after any step, begun anew by whoever comes: the end is the same. */
static void test_a_rebuild_cut_off_anywhere_can_be_repeated(void **state) {
    struct world *world = *state;
    struct berth_binding binding = a_binding("blue", 17);
    struct berth_space_state first = a_version(7, NULL, 0);
    struct berth_space_state second = a_version(8, &binding, 1);
    for (int steps = 0; steps < 5; steps++) {
        struct builder one;
        struct builder two;
        empty(world);
        builder_start(world, &one, 1);
        begin(&one);
        if (steps > 0) {
            chill(&one);
        }
        if (steps > 1) {
            put(&one, &first);
        }
        if (steps > 2) {
            put(&one, &second);
        }
        if (steps > 3) {
            struct berth_space_state gone = {.knowledge = BERTH_SPACE_UNKNOWN};
            put(&one, &gone);
        }
        worker_deinit(&one.worker);
        redis_says(world, "DEL " LOCK_KEY);
        builder_start(world, &two, 2);
        begin(&two);
        chill(&two);
        put(&two, &first);
        put(&two, &second);
        open_it(&two);
        assert_string_equal(redis_says(world, "HMGET " SPACE_KEY " version verified_at"), "8 0");
        assert_string_equal(redis_says(world, "ZRANGE berth:v1:workspace:blue 0 -1"),
                            "alpha/team-a");
        worker_deinit(&two.worker);
    }
}

/* The reply of the last step can be lost like any other. */
static void test_a_data_set_that_was_opened_without_a_reply_is_open(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    builder_start(world, &builder, 1);
    begin(&builder);
    struct berth_source beginning = {.topic = "t", .offset = 1};
    assert_int_equal(berth_ledger_rebuild_open(builder.worker.ledger, &beginning, 1), BERTH_OK);
    assert_int_equal(berth_ledger_rebuild_open(builder.worker.ledger, &beginning, 1), BERTH_OK);
    worker_wait_available(&builder.worker);
    struct berth_command command = a_command(1, "team-a");
    struct berth_source source = a_source(10);
    take(&builder.worker, &command, &source); /* Answered after the second one. */
    assert_int_equal(builder.lost, 0);
    worker_deinit(&builder.worker);
}

/* More than one step of SCAN, and other keys beside them. */
static void test_all_spaces_of_a_large_copy_become_cold(void **state) {
    struct world *world = *state;
    struct builder builder;
    empty(world);
    redis_says(world, "EVAL %s 0",
               "for i = 1, 5000 do\n"
               "  redis.call('HSET', 'berth:v1:space:alpha/s' .. i, 'state', 'present',\n"
               "             'verified_at', '5', 'holder_command', 'x')\n"
               "  redis.call('HSET', 'berth:v1:command:' .. i, 'verified_at', '5')\n"
               "end");
    builder_start(world, &builder, 1);
    begin(&builder);
    chill(&builder);
    assert_string_equal(redis_says(world, "EVAL %s 0",
                                   "local warm = 0\n"
                                   "for i = 1, 5000 do\n"
                                   "  local key = 'berth:v1:space:alpha/s' .. i\n"
                                   "  if redis.call('HGET', key, 'verified_at') ~= '0'\n"
                                   "      or redis.call('HEXISTS', key, 'holder_command') == 1\n"
                                   "      or redis.call('HGET', 'berth:v1:command:' .. i,\n"
                                   "                    'verified_at') ~= '5' then\n"
                                   "    warm = warm + 1\n"
                                   "  end\n"
                                   "end\n"
                                   "return warm"),
                        "0");
    worker_deinit(&builder.worker);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_redis_becomes_a_data_set),
        TEST(a_token_is_above_a_version_that_is_ahead_of_the_clock),
        TEST(one_of_two_workers_rebuilds),
        TEST(who_lost_the_lock_changes_nothing_any_more),
        TEST(a_rebuild_that_lost_its_connection_begins_anew_at_once),
        TEST(a_rebuild_that_is_dropped_leaves_the_lock_to_others),
        TEST(an_older_copy_keeps_what_is_as_new_and_becomes_cold),
        TEST(a_tombstone_removes_a_space_from_everywhere),
        TEST(a_tombstone_leaves_a_state_that_is_newer),
        TEST(a_rebuild_cut_off_anywhere_can_be_repeated),
        TEST(a_data_set_that_was_opened_without_a_reply_is_open),
        TEST(all_spaces_of_a_large_copy_become_cold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
