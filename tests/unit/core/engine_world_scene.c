/* SPDX-License-Identifier: Apache-2.0 */
/* What a test makes happen: workers start and stop, partitions move, commands are sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_world_parts.h"

/* ---- Workers ---- */

void world_start(struct world *world, int number) {
    struct world_worker *worker = &world->workers[number];
    WORLD_CHECK(world, worker->engine == NULL);
    worker->life++;
    incarnation_of(number, worker->life, worker->incarnation);
    worker->config = world->config;
    worker->config.instance = worker->instance;
    worker->config.incarnation = worker->incarnation;
    worker->config.seed = world->seed + worker->life;
    worker->frozen_until_ms = 0;
    worker->stepped_ms = world->now_ms;
    worker->woke_ms = 0;
    worker->drained = false;
    memset(worker->calls_under_way, 0, sizeof(worker->calls_under_way));
    memset(worker->slots, 0, sizeof(worker->slots));
    memset(worker->assignments, 0, sizeof(worker->assignments));
    for (int i = 0; i < WORLD_PARTITIONS; i++) {
        if (world->partitions[i].owner == number) {
            world->partitions[i].owner = -1;
        }
    }
    berth_pool_init(&worker->pool, world->pool_bytes);
    worker->engine = berth_engine_new(&worker->config, &worker->pool, world->now_ms);
    trace(world, "start w%d", number);
}

void world_serve(struct world *world, int partitions) {
    world_start(world, 0);
    for (int i = 0; i < partitions; i++) {
        world_assign(world, 0, i);
    }
    world_run_idle(world);
    world_trace_restart(world);
}

void world_crash(struct world *world, int number) {
    struct world_worker *worker = &world->workers[number];
    WORLD_CHECK(world, worker->engine != NULL);
    worker->engine = berth_engine_free(worker->engine);
    berth_pool_deinit(&worker->pool);
    worker->life++; /* Whatever comes back finds nobody. */
    worker->frozen_until_ms = 0;
    trace(world, "crash w%d", number);
}

void world_freeze(struct world *world, int worker, int64_t for_ms) {
    int64_t *until_ms = &world->workers[worker].frozen_until_ms;
    if (world->now_ms + for_ms > *until_ms) {
        *until_ms = world->now_ms + for_ms;
    }
    trace(world, "freeze w%d for %lld", worker, (long long)for_ms);
}

void world_drain(struct world *world, int worker) {
    struct berth_event event = {.kind = BERTH_EVENT_DRAIN};
    worker_tell(world, &world->workers[worker], &event);
}

/* ---- Partitions ---- */

void world_assign(struct world *world, int number, int index) {
    struct world_worker *worker = &world->workers[number];
    struct world_partition *partition = &world->partitions[index];
    partition->next_owner = -1;
    if (worker->engine == NULL) {
        return;
    }
    WORLD_CHECK(world, partition->owner < 0);
    uint32_t name = 0;
    while (worker->assignments[name].in_use) {
        name++;
        WORLD_CHECK(world, name < WORLD_NUMBERS);
    }
    bool first = partition->committed < 0;
    partition->owner = number;
    partition->epoch++;
    int64_t position = first ? partition->start : partition->committed;
    bool gone = position < partition->log_start;
    position = gone ? partition->log_start : position;
    worker->assignments[name] = (struct world_assignment){
        .in_use = true, .partition = index, .epoch = partition->epoch, .position = position};
    struct berth_event event = {.kind = BERTH_EVENT_PARTITION_GAINED};
    event.partition = (struct berth_engine_partition){
        .partition = name,
        .topic = world->registries[0].command_topic,
        .number = index,
        .start_offset = position,
        .commit_start = first || gone,
        .committed_offset = partition->committed,
        .metadata = partition->metadata,
    };
    worker_tell(world, worker, &event);
}

/* What the worker calls its latest assignment of the partition; WORLD_NUMBERS: it has none. */
static uint32_t name_of(const struct world *world, int number, int partition) {
    const struct world_worker *worker = &world->workers[number];
    for (uint32_t name = 0; name < WORLD_NUMBERS; name++) {
        const struct world_assignment *assignment = &worker->assignments[name];
        if (assignment->in_use && assignment->partition == partition &&
            assignment->epoch == world->partitions[partition].epoch) {
            return name;
        }
    }
    return WORLD_NUMBERS;
}

void world_revoke(struct world *world, int number, int index) {
    struct world_worker *worker = &world->workers[number];
    struct berth_event event = {.kind = BERTH_EVENT_PARTITION_REVOKED};
    event.partition.partition = name_of(world, number, index);
    WORLD_CHECK(world, event.partition.partition < WORLD_NUMBERS);
    worker->assignments[event.partition.partition].revoking = true;
    worker_tell(world, worker, &event);
}

void world_lose(struct world *world, int number, int index) {
    struct world_worker *worker = &world->workers[number];
    WORLD_CHECK(world, world->partitions[index].owner == number);
    world->partitions[index].owner = -1;
    struct berth_event event = {.kind = BERTH_EVENT_PARTITION_LOST};
    event.partition.partition = name_of(world, number, index);
    if (worker->engine != NULL && event.partition.partition < WORLD_NUMBERS) {
        worker_tell(world, worker, &event);
    }
}

/* ---- Commands ---- */

static struct world_record *append(struct world *world, int index) {
    struct world_partition *partition = &world->partitions[index];
    WORLD_CHECK(world, partition->end < WORLD_RECORDS_MAX);
    if (partition->records == NULL) {
        partition->records = calloc(WORLD_RECORDS_MAX, sizeof(*partition->records));
        WORLD_CHECK(world, partition->records != NULL);
    }
    struct world_record *record = &partition->records[partition->end];
    *record = (struct world_record){.partition = index, .offset = partition->end};
    partition->end++;
    /* Whoever reads the partition hears of it. */
    struct world_worker *reader = partition->owner >= 0 ? &world->workers[partition->owner] : NULL;
    if (reader != NULL && reader->engine != NULL) {
        struct world_event draft = {.kind = WORLD_TELLS,
                                    .worker = reader->number,
                                    .life = reader->life,
                                    .tells = {.kind = BERTH_EVENT_TIME}};
        world_post(world, &draft, 0);
    }
    return record;
}

static void add_workspaces(struct world *world, struct world_record *record, const char *names) {
    struct berth_command *command = &record->command;
    command->workspaces = record->workspaces;
    const char *at = names;
    while (*at != '\0') {
        int len = (int)strcspn(at, " ");
        WORLD_CHECK(world, command->workspaces_count < WORLD_WORKSPACES_MAX);
        struct berth_workspace *workspace = &record->workspaces[command->workspaces_count++];
        (void)snprintf(workspace->id, sizeof(workspace->id), "%.*s", len, at);
        (void)snprintf(workspace->robot_name, sizeof(workspace->robot_name), "ws-%.*s", len, at);
        at += len;
        at += *at == ' ';
    }
}

struct world_record *world_send(struct world *world, int partition, enum berth_command_type type,
                                int number, const char *space, const char *workspaces) {
    struct world_record *record = append(world, partition);
    struct berth_command *command = &record->command;
    WORLD_CHECK(world, number > 0);
    WORLD_CHECK(world, number < WORLD_COMMANDS_MAX);
    record->number = number;
    command->type = type;
    (void)snprintf(command->id, sizeof(command->id), "00000000-0000-4000-8000-%012d", number);
    (void)snprintf(command->registry, sizeof(command->registry), "%s", "main");
    (void)snprintf(command->space, sizeof(command->space), "%s", space);
    (void)snprintf(command->actor, sizeof(command->actor), "%s", "tester");
    (void)snprintf(record->key, sizeof(record->key), "main/%s", space);
    command->issued_at_ms = WORLD_WALL_MS + world->now_ms;
    add_workspaces(world, record, workspaces);
    world_redigest(record);
    (void)kafka_expected(world, 0, space);
    trace(world, "send #%d %s %s%s%s", number, berth_command_type_name(type), space,
          *workspaces != '\0' ? " " : "", workspaces);
    return record;
}

void world_send_marker(struct world *world, int partition) {
    append(world, partition)->marker = true;
}

struct world_record *world_send_garbage(struct world *world, int partition) {
    struct world_record *record = append(world, partition);
    record->undecodable = true;
    return record;
}

/* Not SHA-256, but it differs where it should. */
void world_redigest(struct world_record *record) {
    const struct berth_command *command = &record->command;
    char text[WORLD_STATE_BYTES + BERTH_SPACE_BYTES];
    int len = snprintf(text, sizeof(text), "%d %d %d %d %lld %d %s", (int)command->type,
                       (int)command->visibility, (int)command->if_exists, command->unbind,
                       (long long)command->quota_bytes, command->quota_given, command->space);
    for (size_t i = 0; i < command->workspaces_count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", command->workspaces[i].id);
    }
    memset(record->command.digest, 0, sizeof(record->command.digest));
    uint8_t mixed = 0;
    for (int i = 0; i < len; i++) {
        mixed = (uint8_t)(mixed * 31 + (uint8_t)text[i]);
        record->command.digest[i % BERTH_DIGEST_BYTES] ^= mixed;
    }
}
