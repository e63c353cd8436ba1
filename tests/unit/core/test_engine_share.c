/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry that does nothing takes in what its topic may have, and no more: the others' room is
 * theirs (design 5). Nobody answers the engine's calls here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/base/pool.h"
#include "berth/core/engine.h"

#define COMMANDS_MAX 64
#define MIB          ((size_t)1024 * 1024)

struct stage {
    struct berth_engine_registry registries[2];
    struct berth_engine_config config;
    struct berth_pool pool;
    struct berth_engine *engine;
    struct berth_workspace *workspaces;
    int taken;
};

static struct stage *stage_new(size_t pool_bytes) {
    struct stage *stage = calloc(1, sizeof(*stage));
    stage->registries[0] = (struct berth_engine_registry){
        .name = "down", .command_topic = "commands.down", .lanes_max = 4, .calls_max = 4};
    stage->registries[1] = (struct berth_engine_registry){
        .name = "well", .command_topic = "commands.well", .lanes_max = 4, .calls_max = 4};
    stage->config = (struct berth_engine_config){
        .instance = "one",
        .incarnation = "two",
        .key_id = "cafe0123",
        .registries = stage->registries,
        .registries_count = 2,
        .commands_max = COMMANDS_MAX,
        .window_max = COMMANDS_MAX,
        .batch_max = 8,
        .lease_ms = 15000,
        .renew_ms = 5000,
        .request_timeout_ms = 5000,
        .retry_attempts = 5,
        .retry_age_ms = 600000,
        .backoff_ms = 200,
        .backoff_max_ms = 10000,
    };
    berth_pool_init(&stage->pool, berth_engine_pool_bytes_min(&stage->config) + pool_bytes);
    stage->engine = berth_engine_new(&stage->config, &stage->pool, 1000);
    stage->workspaces = calloc(BERTH_COMMAND_WORKSPACES_MAX, sizeof(*stage->workspaces));
    for (int i = 0; i < BERTH_COMMAND_WORKSPACES_MAX; i++) {
        (void)snprintf(stage->workspaces[i].id, sizeof(stage->workspaces[i].id), "w-%d", i);
    }
    return stage;
}

static void stage_free(struct stage *stage) {
    (void)berth_engine_free(stage->engine);
    berth_pool_deinit(&stage->pool);
    free(stage->workspaces);
    free(stage);
}

static void step(struct stage *stage, struct berth_event *event) {
    event->now_ms = 1000;
    event->wall_ms = INT64_C(1800000000000);
    assert_int_equal(berth_engine_step(stage->engine, event), BERTH_OK);
    struct berth_effect effect;
    while (berth_engine_next_effect(stage->engine, &effect)) {
    }
}

static void gain(struct stage *stage, uint32_t partition) {
    struct berth_event event = {.kind = BERTH_EVENT_PARTITION_GAINED};
    event.partition = (struct berth_engine_partition){
        .partition = partition, .topic = stage->registries[partition].command_topic};
    step(stage, &event);
}

/* As many as are taken in, each of a space of its own. */
static int fill(struct stage *stage, uint32_t partition, size_t workspaces) {
    int count = 0;
    while (berth_engine_can_take(stage->engine, partition)) {
        struct berth_command command = {.type = BERTH_CREATE_SPACE,
                                        .issued_at_ms = INT64_C(1800000000000)};
        if (workspaces > 0) {
            command.type = BERTH_BIND_WORKSPACE;
            command.workspaces = stage->workspaces;
            command.workspaces_count = workspaces;
        }
        int number = stage->taken++;
        (void)snprintf(command.id, sizeof(command.id), "00000000-0000-4000-8000-%012d", number);
        (void)snprintf(command.registry, sizeof(command.registry), "%s",
                       stage->registries[partition].name);
        (void)snprintf(command.space, sizeof(command.space), "team-%d", number);
        (void)snprintf(command.actor, sizeof(command.actor), "tester");
        char key[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
        int len = snprintf(key, sizeof(key), "%s/%s", command.registry, command.space);
        struct berth_event event = {.kind = BERTH_EVENT_RECORD};
        event.record = (struct berth_engine_record){.partition = partition,
                                                    .offset = number,
                                                    .key = key,
                                                    .key_len = (size_t)len,
                                                    .command = &command};
        step(stage, &event);
        count++;
    }
    return count;
}

static void test_a_topic_alone_may_take_all_slots(void **state) {
    (void)state;
    struct stage *stage = stage_new(64 * MIB);
    gain(stage, 0);
    assert_int_equal(fill(stage, 0, 0), COMMANDS_MAX);
    stage_free(stage);
}

static void test_a_topic_that_takes_all_it_can_leaves_the_others_share(void **state) {
    (void)state;
    struct stage *stage = stage_new(64 * MIB);
    gain(stage, 0);
    gain(stage, 1);
    assert_int_equal(fill(stage, 0, 0), COMMANDS_MAX * 3 / 4);
    assert_int_equal(fill(stage, 1, 0), COMMANDS_MAX / 4);
    assert_false(berth_engine_can_take(stage->engine, 0));
    stage_free(stage);
}

/* Large commands fill the memory before the slots. */
static void test_large_commands_leave_the_others_memory(void **state) {
    (void)state;
    struct stage *stage = stage_new(10 * MIB);
    gain(stage, 0);
    gain(stage, 1);
    int large = fill(stage, 0, BERTH_COMMAND_WORKSPACES_MAX);
    assert_true(large > 10);
    assert_true(large < COMMANDS_MAX * 3 / 4);
    struct berth_engine_figures before;
    berth_engine_figures(stage->engine, &before);
    assert_true(fill(stage, 1, 0) >= 3);
    struct berth_engine_figures after;
    berth_engine_figures(stage->engine, &after);
    /* And they are worked on. */
    assert_true(after.worked_on > before.worked_on);
    stage_free(stage);
}

/* However little there is, somebody gets something. */
static void test_the_least_pool_still_lets_each_topic_in(void **state) {
    (void)state;
    for (uint32_t first = 0; first < 2; first++) {
        struct stage *stage = stage_new(0);
        gain(stage, 0);
        gain(stage, 1);
        assert_true(fill(stage, first, 0) > 0);
        stage_free(stage);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_topic_alone_may_take_all_slots),
        cmocka_unit_test(test_a_topic_that_takes_all_it_can_leaves_the_others_share),
        cmocka_unit_test(test_large_commands_leave_the_others_memory),
        cmocka_unit_test(test_the_least_pool_still_lets_each_topic_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
