/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated Redis and the ledger on it, where time has to pass: what a real Redis can't show
 * within a test. That scripts do the same on both is shown by integration.ledger_model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_redis_link.h"

#define WALL_MS   INT64_C(1800000000000)
#define MEMORY_MS INT64_C(604800000)
#define LEASE_MS  15000
#define SPACES    100

struct world {
    struct sim_redis *redis;
    struct sim_link *link;
    struct sim_request *requests[16]; /* Run, not answered. */
    size_t requests_count;
    int64_t now_ms;
    struct berth_ledger_answer answer;
    bool available;
    size_t states_count; /* Of the topic of states. */
    size_t chills;
};

static void on_request(void *ctx, struct sim_request *take_request) {
    struct world *world = ctx;
    world->chills += strcmp(sim_request_name(take_request), "chill") == 0 ? 1 : 0;
    sim_request_run(take_request, world->redis);
    assert_true(world->requests_count < 16);
    world->requests[world->requests_count++] = take_request;
}

static void on_answer(void *ctx, uint64_t call_id, const struct berth_ledger_answer *answer,
                      struct berth_bytes stored) {
    (void)call_id;
    (void)stored;
    struct world *world = ctx;
    world->answer = *answer;
}

static void on_state(void *ctx, bool available, const char *why) {
    (void)why;
    struct world *world = ctx;
    world->available = available;
}

static bool ends(void *ctx, const struct berth_source **ret_ends, size_t *ret_count,
                 bool *ret_committed, bool *ret_written) {
    static const struct berth_source end = {.topic = "berth.commands.alpha", .offset = 50};
    const struct world *world = ctx;
    *ret_ends = &end;
    *ret_count = 1;
    *ret_committed = world->states_count > 0;
    *ret_written = world->states_count > 0;
    return true;
}

static bool a_state(void *ctx, size_t index, const char **ret_registry, const char **ret_space,
                    const struct berth_space_state **ret_state) {
    static char name[32];
    static const struct berth_space_state state = {.knowledge = BERTH_SPACE_PRESENT,
                                                   .project_id = 7,
                                                   .visibility = BERTH_PRIVATE,
                                                   .quota_bytes = BERTH_QUOTA_UNLIMITED,
                                                   .verified_at_ms = WALL_MS,
                                                   .version = 1};
    const struct world *world = ctx;
    (void)snprintf(name, sizeof(name), "team-%zu", index);
    *ret_registry = "alpha";
    *ret_space = name;
    *ret_state = &state;
    return index < world->states_count;
}

static const struct sim_rebuild_kafka kafka = {ends, a_state};

/* Time passes; whatever comes due is done and answered. */
static void pass(struct world *world, int64_t ms) {
    world->now_ms += ms;
    sim_redis_set_time(world->redis, (WALL_MS + world->now_ms) * 1000);
    sim_link_set_time(world->link, world->now_ms, WALL_MS + world->now_ms);
    int64_t due_ms = sim_link_due_ms(world->link);
    if (due_ms >= 0 && due_ms <= world->now_ms) {
        sim_link_tick(world->link);
    }
    while (world->requests_count > 0) {
        struct sim_request *request = world->requests[0];
        world->requests_count--;
        memmove(world->requests, world->requests + 1,
                world->requests_count * sizeof(struct sim_request *));
        sim_request_answer(request);
        sim_request_free(request);
    }
}

static int setup(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->redis = sim_redis_new();
    const struct sim_link_config config = {
        .instance = "one",
        .incarnation = "aaaaaaaa-0000-4000-8000-000000000001",
        .memory_ms = MEMORY_MS,
        .tombstone_ms = MEMORY_MS,
        .lease_ms = LEASE_MS,
        .pending_max = 16,
        .seed = 1,
        .on_request = on_request,
        .on_answer = on_answer,
        .on_state = on_state,
        .kafka = &kafka,
        .ctx = world,
    };
    world->link = sim_link_new(&config);
    pass(world, 0);
    sim_link_connect(world->link);
    berth_ledger_allow_rebuild(sim_link_ledger(world->link));
    pass(world, 1);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    world->link = sim_link_free(world->link);
    assert_int_equal(world->requests_count, 0);
    world->redis = sim_redis_free(world->redis);
    free(world);
    return 0;
}

/* Until the data set is whole; at most a minute. */
static void wait_available(struct world *world) {
    for (int i = 0; i < 600 && !world->available; i++) {
        pass(world, 100);
    }
    assert_true(world->available);
}

static const struct berth_command *a_command(void) {
    static const struct berth_command command = {.type = BERTH_CREATE_SPACE,
                                                 .id = "bbbbbbbb-0000-4000-8000-000000000001",
                                                 .registry = "alpha",
                                                 .space = "team-x"};
    return &command;
}

static const struct berth_claim_answer *claim(struct world *world) {
    static const struct berth_source source = {.topic = "berth.commands.alpha", .offset = 60};
    static uint64_t claims = 1;
    struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_CLAIM,
        .claim = {
            .command = a_command(), .source = &source, .number = ++claims, .now_wall_ms = WALL_MS}};
    assert_int_equal(berth_ledger_submit(sim_link_ledger(world->link), 1, &call, NULL), BERTH_OK);
    pass(world, 1);
    return &world->answer.claim;
}

static void store(struct world *world, int64_t token) {
    static const struct berth_source source = {.topic = "berth.commands.alpha", .offset = 60};
    struct berth_outcome outcome = {.kind = BERTH_REJECTED, .final = true};
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_STORE,
                                     .store = {.command = a_command(),
                                               .source = &source,
                                               .token = token,
                                               .outcome = &outcome,
                                               .free_lane = true}};
    uint8_t bytes[] = "result";
    struct berth_publication publication = {.data = bytes, .len = 6, .result_len = 6};
    assert_int_equal(berth_ledger_submit(sim_link_ledger(world->link), 1, &call, &publication),
                     BERTH_OK);
    pass(world, 1);
    assert_int_equal(world->answer.store.verdict, BERTH_STORE_STORED);
}

static void test_a_first_start_makes_a_data_set_without_waiting(void **state) {
    struct world *world = *state;
    wait_available(world);
    char id[BERTH_UUID_BYTES];
    assert_true(sim_redis_data_set(world->redis, id));
    assert_true(world->now_ms < LEASE_MS);
    assert_true(sim_redis_sequence(world->redis) >= WALL_MS * 1000);
}

/* The ledger's memory starts at STORE; a claim without an outcome never ends. */
static void test_an_outcome_is_forgotten_after_its_time_and_a_claim_never(void **state) {
    struct world *world = *state;
    wait_available(world);
    int64_t token = claim(world)->token;
    pass(world, 10 * MEMORY_MS);
    assert_int_equal(claim(world)->verdict, BERTH_CLAIM_TAKEN);
    assert_int_equal(world->answer.claim.attempts, 2);
    store(world, token);
    pass(world, MEMORY_MS - 1000);
    assert_int_equal(claim(world)->verdict, BERTH_CLAIM_STORED);
    pass(world, 2000);
    struct sim_redis_command entry;
    assert_false(sim_redis_command(world->redis, a_command()->id, &entry));
    assert_int_equal(claim(world)->verdict, BERTH_CLAIM_TAKEN);
    assert_true(world->answer.claim.first);
}

/* By the guard of the next call; then the topic is put back, after a lease. */
static void test_data_that_is_lost_is_noticed_and_rebuilt(void **state) {
    struct world *world = *state;
    wait_available(world);
    world->states_count = SPACES;
    sim_redis_flush(world->redis);
    int64_t lost_ms = world->now_ms;
    (void)claim(world);
    assert_true(world->answer.unavailable);
    assert_false(world->available);
    assert_true(sim_link_rebuilding(world->link));
    wait_available(world);
    assert_true(world->now_ms >= lost_ms + LEASE_MS);
    assert_false(sim_link_rebuilding(world->link));
    struct sim_redis_space space;
    assert_true(sim_redis_space(world->redis, "alpha", "team-99", &space));
    assert_int_equal(space.state.knowledge, BERTH_SPACE_PRESENT);
    assert_int_equal(space.state.verified_at_ms, 0);
    sim_redis_space_deinit(&space);
    assert_true(
        sim_redis_has_member(world->redis, SIM_REDIS_PREFIX "registry:alpha", "alpha/team-99"));
}

/* More spaces than one step of SCAN sees, so that a rebuild goes through them in several. */
static void test_an_older_copy_becomes_cold_as_a_whole(void **state) {
    struct world *world = *state;
    wait_available(world);
    world->states_count = SPACES;
    sim_redis_flush(world->redis);
    (void)claim(world);
    wait_available(world);
    struct sim_redis_copy *copy = sim_redis_copy(world->redis);
    (void)claim(world); /* The copy doesn't know of it. */
    sim_redis_fail_over(world->redis, copy);
    (void)sim_redis_copy_free(copy);
    world->chills = 0;
    (void)claim(world);
    assert_true(world->answer.unavailable);
    wait_available(world);
    assert_true(world->chills > 2);
    assert_true(claim(world)->first);
}

static void test_the_end_of_a_connection_answers_everything(void **state) {
    struct world *world = *state;
    wait_available(world);
    static const struct berth_source source = {.topic = "berth.commands.alpha", .offset = 60};
    struct berth_ledger_call call = {
        .kind = BERTH_LEDGER_CLAIM,
        .claim = {.command = a_command(), .source = &source, .number = 1}};
    assert_int_equal(berth_ledger_submit(sim_link_ledger(world->link), 1, &call, NULL), BERTH_OK);
    sim_link_disconnect(world->link, "lost");
    assert_true(world->answer.unavailable);
    assert_false(world->available);
    assert_int_equal(berth_ledger_submit(sim_link_ledger(world->link), 1, &call, NULL), BERTH_BUSY);
    /* It has run, and its late answer reaches nobody. */
    world->answer.unavailable = false;
    pass(world, 1);
    assert_false(world->answer.unavailable);
    sim_link_connect(world->link);
    wait_available(world);
    assert_int_equal(claim(world)->attempts, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_first_start_makes_a_data_set_without_waiting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_an_outcome_is_forgotten_after_its_time_and_a_claim_never, setup, teardown),
        cmocka_unit_test_setup_teardown(test_data_that_is_lost_is_noticed_and_rebuilt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_older_copy_becomes_cold_as_a_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_end_of_a_connection_answers_everything, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
