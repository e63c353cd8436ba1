/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One world of the soak: everything goes wrong at once, and every budget, bound and default of the
 * configuration is drawn, small ones above all.
 */
#include "soak_world.h"

#include <stdio.h>
#include <string.h>

#include "engine_world.h"

#define ROUNDS            14
#define SPACES            3 /* Of one partition; the last may be of the other registry. */
#define COMMANDS_MAX      60
#define CALM_AFTER_MS     90000
#define LOSS_PERMILLE_MAX 150
#define DAY_MS            (INT64_C(24) * 3600 * 1000)

struct soak {
    struct world *world;
    int partitions;
    bool both_registries;
    bool clock_steps;
    bool ledger_loses;
    int next_number;
    bool draining[WORLD_WORKERS];
};

static int below(struct world *world, int bound) {
    return (int)berth_random_below(&world->random, bound);
}

static bool chance(struct world *world, int percent) {
    return below(world, 100) < percent;
}

/* From `least` to `most`; half of the range above `least` is as likely as any other doubling. */
static int64_t spread(struct world *world, int64_t least, int64_t most) {
    int doublings = 0;
    while (least << doublings < most) {
        doublings++;
    }
    int64_t ceiling = least << below(world, doublings + 1);
    ceiling = ceiling < most ? ceiling : most;
    return least + berth_random_below(&world->random, ceiling - least + 1);
}

/* ---- What the configuration says ---- */

static void draw_times(struct world *world) {
    struct berth_engine_config *config = &world->config;
    config->request_timeout_ms = spread(world, 500, 10000);
    /* What -t demands of them. */
    config->lease_ms =
        2 * config->request_timeout_ms + WORLD_LEDGER_TIMEOUT_MS + spread(world, 1, 30000);
    config->renew_ms = spread(world, 100, (config->lease_ms - 1) / 2);
    config->restart_grace_ms = WORLD_READ_BACK_MS + below(world, 1000);
    config->cold_after_ms = chance(world, 20) ? 0 : spread(world, 1, 3600000);
    config->ledger_memory_ms = chance(world, 80) ? 7 * DAY_MS : spread(world, 60000, DAY_MS);
    config->future_max_ms = chance(world, 80) ? 3600000 : spread(world, 1, 3600000);
    config->retry_age_ms = spread(world, 1000, 600000);
    config->backoff_ms = spread(world, 1, 5000);
    config->backoff_max_ms = spread(world, 1, 60000);
    config->revoke_bound_ms = spread(world, 100, 290000);
}

static void draw_bounds(struct world *world) {
    struct berth_engine_config *config = &world->config;
    config->window_max = (uint32_t)spread(world, 1, WORLD_SLOTS_MAX);
    config->commands_max = (uint32_t)spread(world, 1, WORLD_SLOTS_MAX);
    config->batch_max = (uint32_t)spread(world, 1, 32);
    config->retry_attempts = (uint32_t)spread(world, 1, 20);
    for (int i = 0; i < 2; i++) {
        world->registries[i].lanes_max = (uint32_t)spread(world, 1, 16);
        world->registries[i].calls_max = (uint32_t)spread(world, 1, 16);
        world->registries[i].dedicated = chance(world, 70);
    }
    world->pool_bytes =
        berth_engine_pool_bytes_min(config) + (size_t)below(world, 6) * BERTH_ENGINE_WORK_BYTES;
}

static void configure(struct soak *soak) {
    struct world *world = soak->world;
    draw_times(world);
    draw_bounds(world);
    world->spaces_keep_partitions = true;
    soak->partitions = (int)spread(world, 1, WORLD_PARTITIONS);
    soak->both_registries = chance(world, 50);
    soak->clock_steps = chance(world, 30);
    soak->ledger_loses = chance(world, 15);
    if (soak->ledger_loses) {
        /* A record that has become too old meanwhile is refused though Harbor was asked for it by a
         * worker that is gone: its id is known nowhere any more (design 4.2, 4.9). */
        soak->clock_steps = false;
        world->config.ledger_memory_ms = 7 * DAY_MS;
        world->config.future_max_ms = 3600000;
    }
    world->intake_ms = chance(world, 30) ? below(world, 400) : 0;
    world->chances_until_ms = world->now_ms + CALM_AFTER_MS;
    for (int fault = WORLD_SLOW; fault <= WORLD_BAD_KEY; fault++) {
        world->chance_permille[fault] = chance(world, 50) ? below(world, LOSS_PERMILLE_MAX) : 0;
    }
}

/* ---- Commands ---- */

static void send_command(struct soak *soak, int partition, int number) {
    struct world *world = soak->world;
    static const char *const sets[] = {"alpha", "beta", "alpha beta", "beta gamma", "gamma"};
    char space[32];
    int place = below(world, SPACES);
    (void)snprintf(space, sizeof(space), "p%d-%c", partition, 'a' + place);
    enum berth_command_type type = (enum berth_command_type)below(world, BERTH_COMMAND_TYPES);
    bool names = type == BERTH_BIND_WORKSPACE || type == BERTH_UNBIND_WORKSPACE ||
                 type == BERTH_SET_WORKSPACE_BINDINGS;
    struct world_record *record =
        world_send(world, partition, type, number, space, names ? sets[below(world, 5)] : "");
    struct berth_command *command = &record->command;
    if (soak->both_registries && place == SPACES - 1) {
        (void)snprintf(command->registry, sizeof(command->registry), "other");
        (void)snprintf(record->key, sizeof(record->key), "other/%s", space);
    }
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
    memcpy(record->key, old->key, sizeof(record->key));
    if (chance(world, 10)) {
        record->command.digest[0] ^= 1;
    }
}

static void send_some(struct soak *soak) {
    struct world *world = soak->world;
    int count = below(world, 5);
    for (int i = 0; i < count && soak->next_number < COMMANDS_MAX; i++) {
        int partition = below(world, soak->partitions);
        if (chance(world, 10)) {
            world_send_marker(world, partition);
        } else if (chance(world, 4)) {
            (void)world_send_garbage(world, partition);
        } else if (chance(world, 15)) {
            send_again(world, partition);
        } else {
            send_command(soak, partition, soak->next_number++);
        }
    }
}

/* ---- What goes wrong ---- */

static bool may_own(const struct soak *soak, int number) {
    return soak->world->workers[number].engine != NULL && !soak->draining[number];
}

/* Whatever nobody has goes to somebody who runs. */
static void distribute(struct soak *soak) {
    struct world *world = soak->world;
    for (int i = 0; i < soak->partitions; i++) {
        int owner = world->partitions[i].owner;
        if (owner >= 0 && world->workers[owner].engine == NULL) {
            world_lose(world, owner, i);
        }
        int next = below(world, WORLD_WORKERS);
        next = may_own(soak, next) ? next : WORLD_WORKERS - 1 - next;
        if (world->partitions[i].owner < 0 && may_own(soak, next)) {
            world_assign(world, next, i);
        }
    }
}

static void start(struct soak *soak, int number) {
    soak->draining[number] = false;
    world_start(soak->world, number);
}

/* A drained process ends, and so does one whose time to drain has run out. */
static void end_drained(struct soak *soak, bool in_time) {
    for (int i = 0; i < WORLD_WORKERS; i++) {
        struct world_worker *worker = &soak->world->workers[i];
        if (worker->engine != NULL && soak->draining[i] && (worker->drained || !in_time)) {
            world_crash(soak->world, i);
        }
    }
}

static void move_partition(struct soak *soak) {
    struct world *world = soak->world;
    int index = below(world, soak->partitions);
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
            int next = below(world, WORLD_WORKERS);
            world->partitions[index].next_owner = may_own(soak, next) ? next : -1;
            world_revoke(world, owner, index);
            return;
        }
    }
}

/* The whole registry fails, each call in the same way; or it asks to be left alone. */
static void fall_sick(struct soak *soak) {
    static const enum world_fault faults[] = {
        WORLD_NOT_SENT,     WORLD_UNKNOWN_LOST, WORLD_BUSY,           WORLD_READ_ONLY,
        WORLD_SERVER_ERROR, WORLD_UNAUTHORIZED, WORLD_UNKNOWN_APPLIED};
    struct world *world = soak->world;
    int registry = soak->both_registries ? below(world, 2) : 0;
    world->sick[registry].fault = faults[below(world, 7)];
    world->sick[registry].until_ms = world->now_ms + below(world, 30000);
    world->sick[registry].delay_ms = chance(world, 50) ? spread(world, 1, 60000) : 0;
    world->sick[registry].probes_fine = chance(world, 30);
}

/* Of all machines, which have their time from one place. */
static void step_clock(struct soak *soak) {
    struct world *world = soak->world;
    int64_t by_ms = spread(world, 1, 7200000);
    if (soak->clock_steps) {
        world->wall_jump_ms += chance(world, 50) ? by_ms : -by_ms;
    }
}

/* Nobody asks it before whoever held a lane has given that up. */
static void lose_ledger(struct soak *soak) {
    struct world *world = soak->world;
    if (soak->ledger_loses) {
        world_ledger_lose(world);
        int64_t away_ms = world->config.lease_ms + below(world, 5000);
        world->ledger_down_until_ms = world->now_ms + away_ms;
    }
}

static void something_happens_to(struct soak *soak, int number) {
    struct world *world = soak->world;
    switch (below(world, 4)) {
    case 0:
        world_crash(world, number);
        break;
    case 1:
        world_freeze(world, number, spread(world, 1, 40000));
        break;
    case 2:
        if (!soak->draining[number]) {
            soak->draining[number] = true;
            world_drain(world, number);
        }
        break;
    default:
        break;
    }
}

static void something_happens(struct soak *soak) {
    struct world *world = soak->world;
    int number = below(world, WORLD_WORKERS);
    switch (below(world, 14)) {
    case 0:
    case 1:
    case 2:
        if (world->workers[number].engine == NULL) {
            start(soak, number);
        } else {
            something_happens_to(soak, number);
        }
        break;
    case 3:
        step_clock(soak);
        break;
    case 4:
        world->ledger_down_until_ms = world->now_ms + below(world, 20000);
        break;
    case 5:
        world->harbor_down_until_ms = world->now_ms + below(world, 20000);
        break;
    case 6:
    case 7:
        move_partition(soak);
        break;
    case 8:
    case 9:
        fall_sick(soak);
        break;
    case 10:
        lose_ledger(soak);
        break;
    default:
        break;
    }
}

/* Calm returns; what never was answered is answered now. */
static void calm_down(struct soak *soak) {
    struct world *world = soak->world;
    world_run(world, CALM_AFTER_MS);
    end_drained(soak, false);
    for (int i = 0; i < WORLD_WORKERS; i++) {
        if (world->workers[i].engine == NULL) {
            start(soak, i);
        }
    }
    world_run(world, CALM_AFTER_MS);
    distribute(soak);
    world_finish(world);
}

/* Longer than anything else is away. Drawn by itself, in every other world. */
static void refuse_outputs(struct world *world, struct berth_random *random) {
    if (world->seed % 2 == 0 && berth_random_below(random, 14) == 0) {
        world->outputs_refused = (uint8_t)berth_random_below(random, 16);
        world->outputs_refused_until_ms = world->now_ms + berth_random_below(random, 90000);
    }
}

void soak_run_world(uint64_t seed, bool tracing) {
    struct soak soak = {.world = world_new(seed), .next_number = 1};
    struct berth_random outputs;
    berth_random_init(&outputs, seed);
    struct world *world = soak.world;
    world->tracing = tracing;
    configure(&soak);
    world_start(world, 0);
    for (int round = 0; round < ROUNDS; round++) {
        send_some(&soak);
        something_happens(&soak);
        refuse_outputs(world, &outputs);
        if (chance(world, 60)) {
            end_drained(&soak, true);
            distribute(&soak);
        }
        world_run(world, spread(world, 1, chance(world, 30) ? 20000 : 400));
    }
    calm_down(&soak);
}
