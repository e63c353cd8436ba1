/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many short worlds with everything going wrong at once. A world is made of one seed; the seed of
 * one that fails is printed, and BERTH_SOAK_SEED=<seed> runs that one again with its trace.
 * BERTH_SOAK_WORLDS=<n> runs so many.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_world.h"

#define WORLDS            1500
#define ROUNDS            14
#define PARTITIONS        3
#define SPACES            3 /* Of one partition. */
#define COMMANDS_MAX      60
#define CALM_AFTER_MS     90000
#define LOSS_PERMILLE_MAX 150

/* For whoever is told of an abort: which world it was. */
static char seed_under_way[64];

static int below(struct world *world, int bound) {
    return (int)berth_random_below(&world->random, bound);
}

static bool chance(struct world *world, int percent) {
    return below(world, 100) < percent;
}

static void configure(struct world *world) {
    struct berth_engine_config *config = &world->config;
    config->window_max = 1 + (uint32_t)below(world, 12);
    config->commands_max = 1 + (uint32_t)below(world, 24);
    config->batch_max = 1 + (uint32_t)below(world, 8);
    config->retry_attempts = 1 + (uint32_t)below(world, 6);
    config->retry_age_ms = 20000 + below(world, 200000);
    config->revoke_bound_ms = 5000 + below(world, 40000);
    config->cold_after_ms = chance(world, 50) ? 3600000 : 5000;
    world->registries[0].lanes_max = 1 + (uint32_t)below(world, 6);
    world->registries[0].calls_max = 1 + (uint32_t)below(world, 12);
    world->registries[0].dedicated = chance(world, 70);
    world->pool_bytes =
        berth_engine_pool_bytes_min(config) + (size_t)below(world, 6) * BERTH_ENGINE_WORK_BYTES;
    world->intake_ms = chance(world, 30) ? below(world, 400) : 0;
    world->chances_until_ms = world->now_ms + CALM_AFTER_MS;
    for (int fault = WORLD_SLOW; fault <= WORLD_BAD_KEY; fault++) {
        world->chance_permille[fault] = chance(world, 50) ? below(world, LOSS_PERMILLE_MAX) : 0;
    }
}

/* ---- Commands ---- */

static void send_command(struct world *world, int partition, int number) {
    static const char *const sets[] = {"alpha", "beta", "alpha beta", "beta gamma", "gamma"};
    char space[32];
    (void)snprintf(space, sizeof(space), "p%d-%c", partition, 'a' + below(world, SPACES));
    enum berth_command_type type = (enum berth_command_type)below(world, BERTH_COMMAND_TYPES);
    bool names = type == BERTH_BIND_WORKSPACE || type == BERTH_UNBIND_WORKSPACE ||
                 type == BERTH_SET_WORKSPACE_BINDINGS;
    struct world_record *record =
        world_send(world, partition, type, number, space, names ? sets[below(world, 5)] : "");
    struct berth_command *command = &record->command;
    if (type == BERTH_CREATE_SPACE || type == BERTH_UPDATE_SPACE) {
        command->visibility = chance(world, 50) ? BERTH_PUBLIC : BERTH_PRIVATE;
        command->quota_given = chance(world, 30);
        command->quota_bytes = command->quota_given ? 1000 + below(world, 3) : 0;
        command->if_exists = chance(world, 30) ? BERTH_IF_EXISTS_ADOPT : BERTH_IF_EXISTS_FAIL;
    }
    command->unbind = type == BERTH_DELETE_SPACE && chance(world, 60);
    if (chance(world, 3)) {
        command->issued_at_ms -= INT64_C(30) * 24 * 3600 * 1000;
    }
    world_redigest(record);
}

/* The same command again, as a producer sends it that had no answer; or its id for another one. */
static void send_again(struct world *world, int partition) {
    struct world_partition *from = &world->partitions[partition];
    if (from->end == 0) {
        return;
    }
    const struct world_record *old = &from->records[below(world, (int)from->end)];
    if (old->undecodable || old->marker) {
        return;
    }
    struct world_record *record =
        world_send(world, partition, old->command.type, old->number, old->command.space, "");
    struct berth_workspace *workspaces = record->workspaces;
    memcpy(record->workspaces, old->workspaces, sizeof(record->workspaces));
    record->command = old->command;
    record->command.workspaces = workspaces;
    if (chance(world, 10)) {
        record->command.digest[0] ^= 1;
    }
}

static void send_some(struct world *world, int *next_number) {
    int count = below(world, 5);
    for (int i = 0; i < count && *next_number < COMMANDS_MAX; i++) {
        int partition = below(world, PARTITIONS);
        if (chance(world, 10)) {
            world_send_marker(world, partition);
        } else if (chance(world, 4)) {
            (void)world_send_garbage(world, partition);
        } else if (chance(world, 15)) {
            send_again(world, partition);
        } else {
            send_command(world, partition, (*next_number)++);
        }
    }
}

/* ---- What goes wrong ---- */

/* Whatever nobody has goes to somebody who runs. */
static void distribute(struct world *world) {
    for (int i = 0; i < PARTITIONS; i++) {
        int owner = world->partitions[i].owner;
        if (owner >= 0 && world->workers[owner].engine == NULL) {
            world_lose(world, owner, i);
        }
        int next = below(world, WORLD_WORKERS);
        next = world->workers[next].engine != NULL ? next : 1 - next;
        if (world->partitions[i].owner < 0 && world->workers[next].engine != NULL) {
            world_assign(world, next, i);
        }
    }
}

static void move_partition(struct world *world) {
    int index = below(world, PARTITIONS);
    int owner = world->partitions[index].owner;
    if (owner < 0 || world->workers[owner].engine == NULL) {
        return;
    }
    if (chance(world, 40)) {
        world_lose(world, owner, index);
        return;
    }
    for (uint32_t name = 0; name < WORLD_NUMBERS; name++) {
        const struct world_assignment *assignment = &world->workers[owner].assignments[name];
        if (assignment->in_use && assignment->partition == index &&
            assignment->epoch == world->partitions[index].epoch && !assignment->revoking) {
            world->partitions[index].next_owner = below(world, WORLD_WORKERS);
            world_revoke(world, owner, index);
            return;
        }
    }
}

/* The whole registry fails, each call in the same way. */
static void fall_sick(struct world *world) {
    static const enum world_fault faults[] = {
        WORLD_NOT_SENT,     WORLD_UNKNOWN_LOST, WORLD_BUSY,           WORLD_READ_ONLY,
        WORLD_SERVER_ERROR, WORLD_UNAUTHORIZED, WORLD_UNKNOWN_APPLIED};
    world->sick[0].fault = faults[below(world, 7)];
    world->sick[0].until_ms = world->now_ms + below(world, 30000);
    world->sick[0].delay_ms = chance(world, 50) ? below(world, 5000) : 0;
    world->sick[0].probes_fine = chance(world, 30);
}

static void something_happens(struct world *world) {
    int number = below(world, WORLD_WORKERS);
    bool runs = world->workers[number].engine != NULL;
    switch (below(world, 14)) {
    case 0:
        if (runs) {
            world_crash(world, number);
        }
        break;
    case 1:
    case 2:
        if (!runs) {
            world_start(world, number);
        }
        break;
    case 3:
        if (runs) {
            world_freeze(world, number, below(world, 25000));
        }
        break;
    case 4:
        world->ledger_down_until_ms = world->now_ms + below(world, 20000);
        break;
    case 5:
        world->harbor_down_until_ms = world->now_ms + below(world, 20000);
        break;
    case 6:
    case 7:
        move_partition(world);
        break;
    case 8:
    case 9:
        fall_sick(world);
        break;
    default:
        break;
    }
}

static void run_world(uint64_t seed, bool tracing) {
    struct world *world = world_new(seed);
    world->tracing = tracing;
    configure(world);
    world_start(world, 0);
    int next_number = 1;
    for (int round = 0; round < ROUNDS; round++) {
        send_some(world, &next_number);
        something_happens(world);
        if (chance(world, 60)) {
            distribute(world);
        }
        world_run(world, below(world, chance(world, 30) ? 20000 : 400));
    }
    /* Calm returns; what never was answered is answered now. */
    world_run(world, CALM_AFTER_MS);
    for (int i = 0; i < WORLD_WORKERS; i++) {
        if (world->workers[i].engine == NULL) {
            world_start(world, i);
        }
    }
    world_run(world, CALM_AFTER_MS);
    distribute(world);
    world_finish(world);
}

/* ---- Running many ---- */

static void tell_seed(int signal_number) {
    (void)signal_number;
    (void)!write(STDERR_FILENO, seed_under_way, strlen(seed_under_way));
}

static uint64_t number_from(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Whatever goes wrong, and in whatever order: the promises at the top of engine_world.h hold. */
static void test_every_world_ends_as_commanded(void **state) {
    (void)state;
    uint64_t only = number_from("BERTH_SOAK_SEED", 0);
    if (only != 0) {
        run_world(only, true);
        return;
    }
    uint64_t worlds = number_from("BERTH_SOAK_WORLDS", WORLDS);
    for (uint64_t seed = 1; seed <= worlds; seed++) {
        (void)snprintf(seed_under_way, sizeof(seed_under_way),
                       "soak: BERTH_SOAK_SEED=%llu failed\n", (unsigned long long)seed);
        run_world(seed, false);
    }
}

int main(void) {
    (void)signal(SIGABRT, tell_seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_world_ends_as_commanded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
