/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script that is refused half-way keeps what it wrote before: each write of each script is
 * refused once, and after the repetition Redis must hold what it holds when nothing was refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "berth/io/redis_args.h"
#include "berth/io/redis_client.h"
#include "sim_redis_link.h"

#define WALL_MS   INT64_C(1800000000000)
#define MEMORY_MS INT64_C(604800000)
#define LEASE_MS  1000

extern const char berth_script_fill[];

struct world {
    struct sim_redis *redis;
    struct sim_link *link;
    struct sim_request *requests[16]; /* Run, not answered. */
    size_t requests_count;
    int64_t now_ms;
    struct berth_ledger_answer answer;
    int64_t token;
    bool available;
    bool published; /* The topic of states has one. */
};

static void on_request(void *ctx, struct sim_request *take_request) {
    struct world *world = ctx;
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
    if (answer->kind == BERTH_LEDGER_CLAIM && !answer->unavailable) {
        world->token = answer->claim.token;
    }
}

static void on_state(void *ctx, bool available, const char *why) {
    (void)why;
    struct world *world = ctx;
    world->available = available;
}

static struct berth_binding bound(const char *workspace, int64_t robot_id) {
    struct berth_binding binding = {.robot_id = robot_id, .key_id = "0badc0de"};
    (void)snprintf(binding.workspace, sizeof(binding.workspace), "%s", workspace);
    return binding;
}

static struct berth_space_state space(enum berth_visibility visibility,
                                      struct berth_binding *bindings, size_t count) {
    return (struct berth_space_state){.knowledge = BERTH_SPACE_PRESENT,
                                      .project_id = 7,
                                      .visibility = visibility,
                                      .quota_bytes = BERTH_QUOTA_UNLIMITED,
                                      .bindings = bindings,
                                      .bindings_count = count,
                                      .verified_at_ms = WALL_MS,
                                      .version = 1};
}

static bool ends(void *ctx, const struct berth_source **ret_ends, size_t *ret_count,
                 bool *ret_committed, bool *ret_written) {
    static const struct berth_source end = {.topic = "berth.commands.alpha", .offset = 5};
    const struct world *world = ctx;
    *ret_ends = &end;
    *ret_count = 1;
    *ret_committed = world->published;
    *ret_written = world->published;
    return true;
}

static bool a_state(void *ctx, size_t index, const char **ret_registry, const char **ret_space,
                    const struct berth_space_state **ret_state) {
    static struct berth_binding bindings[2];
    static struct berth_space_state state;
    const struct world *world = ctx;
    bindings[0] = bound("ant", 1);
    bindings[1] = bound("bee", 2);
    state = space(BERTH_PUBLIC, bindings, 2);
    *ret_registry = "alpha";
    *ret_space = "published";
    *ret_state = &state;
    return world->published && index == 0;
}

static const struct sim_rebuild_kafka kafka = {ends, a_state};

/* Time passes; whatever comes due is done and answered. */
static void pass(struct world *world, int64_t ms) {
    world->now_ms += ms;
    sim_redis_set_time(world->redis, WALL_MS * 1000); /* So that tokens don't depend on it. */
    sim_link_set_time(world->link, world->now_ms, WALL_MS);
    int64_t due_ms = sim_link_due_ms(world->link);
    if (ms > 1 && due_ms >= 0 && due_ms <= world->now_ms) {
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

static void wait_available(struct world *world) {
    for (int i = 0; i < 600 && !world->available; i++) {
        pass(world, 100);
    }
    assert_true(world->available);
}

static void world_init(struct world *world) {
    *world = (struct world){.redis = sim_redis_new()};
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
}

static void world_deinit(struct world *world) {
    sim_link_free(world->link);
    sim_redis_free(world->redis);
}

/* ---- Calls ---- */

static const struct berth_command *command(int number) {
    static struct berth_command commands[4];
    struct berth_command *made = &commands[number];
    *made = (struct berth_command){.type = BERTH_BIND_WORKSPACE, .registry = "alpha"};
    (void)snprintf(made->id, sizeof(made->id), "bbbbbbbb-0000-4000-8000-%012d", number);
    (void)snprintf(made->space, sizeof(made->space), "team-a");
    return made;
}

static const struct berth_source *source(int64_t offset) {
    static struct berth_source made;
    made = (struct berth_source){.topic = "berth.commands.alpha", .offset = offset};
    return &made;
}

static void submit(struct world *world, const struct berth_ledger_call *call) {
    uint8_t bytes[] = "result|rest";
    const struct berth_publication publication = {.data = bytes, .len = 11, .result_len = 7};
    bool store = call->kind == BERTH_LEDGER_STORE;
    assert_int_equal(
        berth_ledger_submit(sim_link_ledger(world->link), 1, call, store ? &publication : NULL),
        BERTH_OK);
    pass(world, 1);
}

/* A lane that is held is waited for, and taken over. */
static void claim(struct world *world, int number, int64_t offset) {
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_CLAIM,
                                     .claim = {.command = command(number),
                                               .source = source(offset),
                                               .now_wall_ms = WALL_MS,
                                               .warm_since_ms = 1}};
    submit(world, &call);
    if (!world->answer.unavailable && world->answer.claim.verdict == BERTH_CLAIM_HELD) {
        call.claim.take_over = true;
        call.claim.mark = world->answer.claim.mark;
        submit(world, &call);
    }
}

static void store(struct world *world, int number, int64_t offset, enum berth_outcome_kind kind,
                  const struct berth_space_state *after) {
    struct berth_outcome outcome = {.kind = kind, .final = true};
    if (after != NULL) {
        outcome.after = *after;
    }
    struct berth_ledger_call call = {.kind = BERTH_LEDGER_STORE,
                                     .store = {.command = command(number),
                                               .source = source(offset),
                                               .token = world->token,
                                               .outcome = &outcome,
                                               .write_state = after != NULL,
                                               .free_lane = true}};
    submit(world, &call);
    if (!world->answer.unavailable && world->answer.store.verdict == BERTH_STORE_GONE) {
        claim(world, number, offset);
        call.store.token = world->token;
        submit(world, &call);
    }
}

/* ---- Scenes ---- */

static void nothing(struct world *world) {
    (void)world;
}

static void claim_first(struct world *world) {
    claim(world, 1, 10);
}

static void store_two_bindings(struct world *world) {
    struct berth_binding bindings[2] = {bound("ant", 1), bound("bee", 2)};
    struct berth_space_state after = space(BERTH_PUBLIC, bindings, 2);
    store(world, 1, 10, BERTH_SUCCEEDED, &after);
}

static void space_is_there(struct world *world) {
    claim_first(world);
    store_two_bindings(world);
}

static void claim_second(struct world *world) {
    claim(world, 2, 11);
}

static void space_is_claimed_again(struct world *world) {
    space_is_there(world);
    claim_second(world);
}

/* One is bound, one unbound, and the space becomes private. */
static void store_other_bindings(struct world *world) {
    struct berth_binding bindings[2] = {bound("bee", 2), bound("cat", 3)};
    struct berth_space_state after = space(BERTH_PRIVATE, bindings, 2);
    store(world, 2, 11, BERTH_SUCCEEDED, &after);
}

/* Another command of the space, which takes its lane over. */
static void another_goes_on(struct world *world) {
    struct berth_binding bindings[1] = {bound("ant", 1)};
    struct berth_space_state after = space(BERTH_PUBLIC, bindings, 1);
    claim(world, 3, 12);
    store(world, 3, 12, BERTH_SUCCEEDED, &after);
}

static void another_unbinds(struct world *world) {
    struct berth_space_state after = space(BERTH_PRIVATE, NULL, 0);
    claim(world, 3, 12);
    store(world, 3, 12, BERTH_SUCCEEDED, &after);
}

static void store_absent(struct world *world) {
    struct berth_space_state after = {.knowledge = BERTH_SPACE_ABSENT, .verified_at_ms = WALL_MS};
    store(world, 2, 11, BERTH_SUCCEEDED, &after);
}

static void tombstone_is_claimed(struct world *world) {
    space_is_claimed_again(world);
    store_absent(world);
    claim(world, 3, 12);
}

static void store_present_again(struct world *world) {
    struct berth_binding bindings[1] = {bound("ant", 9)};
    struct berth_space_state after = space(BERTH_PUBLIC, bindings, 1);
    store(world, 3, 12, BERTH_SUCCEEDED, &after);
}

static void store_refusal(struct world *world) {
    store(world, 2, 11, BERTH_REJECTED, NULL);
}

static void second_has_failed(struct world *world) {
    space_is_claimed_again(world);
    store(world, 2, 11, BERTH_FAILED, NULL);
}

/* A dead letter was replayed: the id is known, its outcome isn't that of this record. */
static void claim_replayed(struct world *world) {
    claim(world, 2, 20);
    assert_true(world->answer.unavailable || !world->answer.claim.first);
}

static void remember(struct world *world) {
    struct berth_binding bindings[1] = {bound("ant", 1)};
    struct berth_space_state before = space(BERTH_PUBLIC, bindings, 1);
    submit(world, &(struct berth_ledger_call){.kind = BERTH_LEDGER_REMEMBER,
                                              .remember = {command(1), world->token, &before}});
}

static void renew(struct world *world) {
    const struct berth_renewal lane = {
        .command = command(2), .token = world->token, .burned = 3, .paused_ms = 7};
    submit(world, &(struct berth_ledger_call){.kind = BERTH_LEDGER_RENEW, .renew = {&lane, 1}});
}

static void settle(struct world *world) {
    struct berth_settled settled = {
        .version = world->token, .topic = "berth.commands.alpha", .offset = 10};
    (void)snprintf(settled.command_id, sizeof(settled.command_id), "%s", command(1)->id);
    const struct berth_base base = {.topic = "berth.commands.alpha", .offset = 11};
    submit(world, &(struct berth_ledger_call){.kind = BERTH_LEDGER_SETTLED,
                                              .settled = {&settled, 1, &base, 1}});
}

/* LOOK, CHILL, PUT and OPEN. */
static void epoch_is_lost(struct world *world) {
    space_is_there(world);
    world->published = true;
    sim_redis_flush(world->redis);
}

static void rebuild(struct world *world) {
    char id[BERTH_UUID_BYTES];
    if (sim_redis_data_set(world->redis, id)) {
        return; /* The worker has repeated what was refused by itself. */
    }
    world->available = false;
    pass(world, 6000);
    wait_available(world);
    pass(world, 1);
}

/* As a lookup does it, whose client isn't the simulator's. */
static void fill(struct world *world) {
    static const char *const words[] = {"EVALSHA",
                                        "",
                                        "4",
                                        "berth:v1:epoch",
                                        "berth:v1:space:alpha/seen",
                                        "berth:v1:registry:alpha",
                                        "berth:v1:registry:alpha:public",
                                        "",
                                        "",
                                        "alpha/seen",
                                        "berth:v1:workspace:",
                                        "state",
                                        "present",
                                        "visibility",
                                        "PUBLIC",
                                        "binding:ant",
                                        "1 - active"};
    char epoch[65];
    struct berth_bytes whole = sim_redis_string_get(world->redis, "berth:v1:epoch");
    (void)snprintf(epoch, sizeof(epoch), "%.*s", (int)whole.len, (const char *)whole.data);
    struct berth_redis_args args;
    berth_redis_args_init(&args);
    assert_int_equal(berth_redis_args_begin(&args, 32, 0), BERTH_OK);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        berth_redis_args_text(&args, i == 7 ? epoch : words[i]);
    }
    sim_redis_reply_free(sim_redis_run(world->redis, berth_script_fill, &args));
    berth_redis_args_deinit(&args);
}

static const struct scene {
    const char *name;
    void (*before)(struct world *world);
    void (*call)(struct world *world);
    void (*instead)(struct world *world); /* Of the repetition, which never comes; NULL: it does. */
} scenes[] = {
    {"a first claim", nothing, claim_first, NULL},
    {"a claim of a known space", space_is_there, claim_second, NULL},
    {"a claim of a dead letter that is replayed", second_has_failed, claim_replayed, NULL},
    {"remembering", claim_first, remember, NULL},
    {"storing a new space", claim_first, store_two_bindings, NULL},
    {"storing other bindings", space_is_claimed_again, store_other_bindings, NULL},
    {"storing other bindings, never repeated", space_is_claimed_again, store_other_bindings,
     another_goes_on},
    {"storing a new space, never repeated", claim_first, store_two_bindings, another_unbinds},
    {"storing a deletion, never repeated", space_is_claimed_again, store_absent, another_goes_on},
    {"storing a deletion", space_is_claimed_again, store_absent, NULL},
    {"storing a space that is made anew", tombstone_is_claimed, store_present_again, NULL},
    {"storing a refusal", space_is_claimed_again, store_refusal, NULL},
    {"renewing", space_is_claimed_again, renew, NULL},
    {"settling", space_is_there, settle, NULL},
    {"a rebuild", epoch_is_lost, rebuild, NULL},
    {"what a lookup read", nothing, fill, NULL},
};

/* What may differ: counters, tokens, whether the space is warm, and with it what was remembered. */
static bool may_differ(const char *line) {
    static const char *const fields[] = {"  renewals=", "  verified_at=", "  attempts=", "  token=",
                                         "  version=",  "  before=",      "  earlier="};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strncmp(line, fields[i], strlen(fields[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes text; what is returned is the caller's. */
static char *without_what_may_differ(char *text, bool commands_differ) {
    size_t bytes = strlen(text) + 2;
    size_t len = 0;
    char *kept = calloc(1, bytes);
    assert_non_null(kept);
    bool of_data_set = false;
    bool drop = false;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, SIM_REDIS_PREFIX, strlen(SIM_REDIS_PREFIX)) == 0) {
            of_data_set = strstr(line, ":epoch") != NULL || strstr(line, ":sequence") != NULL ||
                          strstr(line, ":rebuild") != NULL || /* It ends by itself. */
                          (commands_differ && strstr(line, ":command:") != NULL);
            drop = of_data_set;
        } else if (line[0] == ' ') { /* Else it goes on with the value before. */
            drop = of_data_set || may_differ(line);
        }
        if (!drop) {
            len += (size_t)snprintf(kept + len, bytes - len, "%s\n", line);
        }
    }
    free(text);
    return kept;
}

/* Refuses the nth write of the call, and repeats it; 0: refuses nothing. False: it has fewer. */
static bool play(const struct scene *scene, size_t nth, char **ret_text) {
    struct world world;
    world_init(&world);
    wait_available(&world);
    scene->before(&world);
    sim_redis_refuse_write(world.redis, nth);
    scene->call(&world);
    bool refused = sim_redis_refused(world.redis);
    if (scene->instead != NULL) {
        sim_redis_refuse_write(world.redis, 0);
        scene->instead(&world);
    } else if (refused) {
        scene->call(&world);
    }
    *ret_text = without_what_may_differ(sim_redis_text(world.redis), scene->instead != NULL);
    world_deinit(&world);
    return refused;
}

static void test_each_write_may_be_refused_and_the_repetition_repairs_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        char *whole = NULL;
        (void)play(&scenes[i], 0, &whole);
        for (size_t nth = 1;; nth++) {
            char *repaired = NULL;
            bool refused = play(&scenes[i], nth, &repaired);
            if (strcmp(repaired, whole) != 0) {
                print_error("%s, write %zu refused:\n%s", scenes[i].name, nth, repaired);
                print_error("--- and not:\n%s", whole);
                fail();
            }
            free(repaired);
            if (!refused) {
                assert_true(nth > 1);
                break;
            }
        }
        free(whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_write_may_be_refused_and_the_repetition_repairs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
