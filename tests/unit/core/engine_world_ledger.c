/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's scripts on plain structs: what each means is in core/ledger_call.h. Each runs as a
 * whole at one moment, as Redis runs them.
 */
#include <stdio.h>
#include <string.h>

#include "berth/core/space.h"
#include "engine_world_parts.h"

static void run_claim(struct world *world, struct world_event *event);
static void take(struct world *world, struct world_event *event, struct world_ledger_space *space,
                 struct world_ledger_command *command);
static void run_remember(struct world *world, struct world_event *event);
static void run_store(struct world *world, struct world_event *event);
static void run_renew(struct world *world, struct world_event *event);
static void run_settled(struct world *world, const struct world_event *event);

void ledger_runs(struct world *world, struct world_event *event) {
    enum berth_ledger_call_kind kind = event->ledger_call.kind;
    bool down = world->now_ms < world->ledger_down_until_ms;
    bool refused = event->fault == WORLD_BAD_KEY && !down;
    bool runs = event->fault != WORLD_LOSE_CALL && !refused && !down;
    event->ledger_answer.kind = kind;
    if (runs) {
        switch (kind) {
        case BERTH_LEDGER_CLAIM:
            run_claim(world, event);
            break;
        case BERTH_LEDGER_REMEMBER:
            run_remember(world, event);
            break;
        case BERTH_LEDGER_STORE:
            run_store(world, event);
            break;
        case BERTH_LEDGER_RENEW:
            run_renew(world, event);
            break;
        case BERTH_LEDGER_SETTLED:
            run_settled(world, event);
            break;
        case BERTH_LEDGER_BASES:
            WORLD_CHECK(world, !"the engine never asks this");
            break;
        }
    }
    if (event->fault == WORLD_LATE_CALL) {
        return; /* Its worker was told long ago. */
    }
    struct world_event answer = *event;
    answer.kind = WORLD_LEDGER_ANSWERS;
    berth_space_state_init(&answer.state);
    answer.ledger_answer.unavailable = !runs || event->fault == WORLD_LOSE_REPLY;
    int64_t at_ms = world->now_ms + 1 + event->delay_ms;
    if (refused) {
        answer.ledger_answer.bad_key = "berth:v1:space:main/team-a";
        answer.ledger_answer.bad_key_why = "WRONGTYPE";
    } else if (answer.ledger_answer.unavailable) {
        at_ms = event->asked_ms + WORLD_LEDGER_TIMEOUT_MS;
    }
    world_post(world, &answer, at_ms - world->now_ms);
    /* The copy owns the states now. */
    berth_space_state_init(&event->ledger_answer.claim.before);
    berth_space_state_init(&event->ledger_answer.claim.state);
}

struct world_ledger_space *ledger_space(struct world *world, uint32_t registry, const char *name) {
    for (size_t i = 0; i < WORLD_SPACES_MAX; i++) {
        struct world_ledger_space *space = &world->ledger_spaces[i];
        if (space->name[0] == '\0') {
            (void)snprintf(space->name, sizeof(space->name), "%s", name);
            space->registry = registry;
        }
        if (space->registry == registry && strcmp(space->name, name) == 0) {
            return space;
        }
    }
    world_fail(world, "too many spaces", __FILE__, __LINE__);
}

struct world_ledger_command *ledger_command(struct world *world,
                                            const struct world_record *record) {
    return &world->ledger_commands[record->number];
}

static struct world_ledger_space *space_of(struct world *world, const struct world_record *record) {
    uint32_t registry = strcmp(record->command.registry, "main") == 0 ? 0 : 1;
    return ledger_space(world, registry, record->command.space);
}

static bool is_holder(const struct world_ledger_space *space, const struct world_worker *worker,
                      uint32_t life, const struct world_record *record) {
    char incarnation[BERTH_UUID_BYTES];
    incarnation_of(worker->number, life, incarnation);
    return space->held && strcmp(space->holder.instance, worker->instance) == 0 &&
           strcmp(space->holder.incarnation, incarnation) == 0 &&
           strcmp(space->holder.command_id, record->command.id) == 0;
}

static bool from_holder(const struct world *world, const struct world_event *event,
                        const struct world_ledger_space *space) {
    return is_holder(space, &world->workers[event->worker], event->life, event->record);
}

bool ledger_lane_held(struct world *world, const struct world_event *event) {
    return from_holder(world, event, space_of(world, event->record));
}

static bool from_source(const struct world_ledger_command *command,
                        const struct world_record *record) {
    return command->source_partition == record->partition &&
           command->source_offset == record->offset;
}

/* ---- CLAIM ---- */

static void run_claim(struct world *world, struct world_event *event) {
    const struct world_record *record = event->record;
    const struct berth_claim_call *call = &event->ledger_call.claim;
    struct berth_claim_answer *answer = &event->ledger_answer.claim;
    struct world_ledger_command *command = ledger_command(world, record);
    struct world_ledger_space *space = space_of(world, record);

    if (command->known &&
        memcmp(command->digest, record->command.digest, sizeof(command->digest)) != 0) {
        answer->verdict = BERTH_CLAIM_REUSED;
        return;
    }
    /* A copy of an earlier call, which comes late. */
    bool late = command->known && command->claim_worker == event->worker &&
                command->claim_life == event->life && call->number < command->claim_number;
    bool failed_elsewhere = command->stored && command->publication.kind == BERTH_FAILED &&
                            !from_source(command, record) && !late;
    if (command->stored && !failed_elsewhere) {
        answer->verdict = BERTH_CLAIM_STORED;
        answer->same_source = from_source(command, record);
        answer->state_current = space->state.version == command->version;
        answer->version = command->version;
        event->publication = command->publication;
        event->publication_found = true;
        return;
    }
    if (!command->known && call->issued != BERTH_ISSUED_FINE) {
        answer->verdict =
            call->issued == BERTH_ISSUED_TOO_OLD ? BERTH_CLAIM_TOO_OLD : BERTH_CLAIM_IN_FUTURE;
        return;
    }
    /* A lane that was kept after FAILED waits, also for the replay of that dead letter. */
    bool own = from_holder(world, event, space) && !failed_elsewhere;
    bool same_mark = space->token == call->mark.token && space->renewals == call->mark.renewals;
    if (late || (space->held && !own && !(call->take_over && same_mark))) {
        answer->verdict = BERTH_CLAIM_HELD;
        answer->holder = space->holder;
        answer->mark = (struct berth_lane_mark){.token = space->token, .renewals = space->renewals};
        return;
    }
    take(world, event, space, command);
}

static void take_lane(struct world *world, const struct world_event *event,
                      struct world_ledger_space *space) {
    const struct world_worker *worker = &world->workers[event->worker];
    int64_t clock_us = (WORLD_WALL_MS + world->now_ms) * 1000;
    int64_t above = space->token > space->state.version ? space->token : space->state.version;
    world->takeovers += space->held;
    space->taken_over = space->held;
    space->token = clock_us > above ? clock_us : above + 1;
    space->renewals = 0;
    space->held = true;
    (void)snprintf(space->holder.instance, sizeof(space->holder.instance), "%s", worker->instance);
    incarnation_of(worker->number, event->life, space->holder.incarnation);
    (void)snprintf(space->holder.command_id, sizeof(space->holder.command_id), "%s",
                   event->record->command.id);
}

static void take(struct world *world, struct world_event *event, struct world_ledger_space *space,
                 struct world_ledger_command *command) {
    const struct world_record *record = event->record;
    const struct berth_claim_call *call = &event->ledger_call.claim;
    bool own = from_holder(world, event, space) && !command->stored;
    bool repetition = own && command->known && command->claim_worker == event->worker &&
                      command->claim_life == event->life && command->claim_number == call->number;

    /* Whoever held the lane before may have changed Harbor since the space was last seen. */
    if (space->held && !repetition) {
        space->state.verified_at_ms = 0;
    }
    if (own) {
        space->renewals++;
    } else {
        take_lane(world, event, space);
    }
    if (!command->known || command->stored) {
        /* Or it may have been claimed in what was lost. */
        bool lost = record->offset < world->partitions[record->partition].lost_below;
        bool earlier = command->stored || lost;
        berth_space_state_deinit(&command->before, &world->pool);
        *command = (struct world_ledger_command){
            .known = true, .earlier = earlier, .received_at_ms = call->now_wall_ms, .attempts = 1};
        memcpy(command->digest, record->command.digest, sizeof(command->digest));
    } else if (!repetition) {
        command->attempts++;
    }
    command->claim_worker = event->worker;
    command->claim_life = event->life;
    command->claim_number = call->number;
    command->source_partition = record->partition;
    command->source_offset = record->offset;
    bool warm = space->state.knowledge == BERTH_SPACE_PRESENT &&
                space->state.verified_at_ms >= call->warm_since_ms;
    if (!command->before_known && call->before_is_absent) {
        command->before_known = true;
        command->before.knowledge = BERTH_SPACE_ABSENT;
    } else if (!command->before_known && warm) {
        command->before_known = true;
        berth_space_state_copy(&command->before, &space->state, &world->pool);
    }
    struct berth_claim_answer *answer = &event->ledger_answer.claim;
    answer->verdict = BERTH_CLAIM_TAKEN;
    answer->token = space->token;
    answer->attempts = command->attempts;
    answer->first = command->attempts == 1 && !command->earlier;
    answer->received_at_ms = command->received_at_ms;
    answer->burned = command->burned;
    answer->paused_ms = command->paused_ms;
    answer->before_known = command->before_known;
    berth_space_state_copy(&answer->before, &command->before, &world->pool);
    berth_space_state_copy(&answer->state, &space->state, &world->pool);
}

/* ---- The others ---- */

static void run_remember(struct world *world, struct world_event *event) {
    struct world_ledger_command *command = ledger_command(world, event->record);
    struct world_ledger_space *space = space_of(world, event->record);
    if (!from_holder(world, event, space) || space->token != event->ledger_call.remember.token ||
        !command->known || command->stored) {
        event->ledger_answer.remember.lost = true;
        return;
    }
    if (!command->before_known || event->ledger_call.remember.corrects) {
        command->before_known = true;
        berth_space_state_copy(&command->before, &event->state, &world->pool);
    }
}

static void run_store(struct world *world, struct world_event *event) {
    const struct berth_store_call *call = &event->ledger_call.store;
    const struct world_record *record = event->record;
    struct world_ledger_command *command = ledger_command(world, record);
    struct world_ledger_space *space = space_of(world, record);
    bool ours = from_holder(world, event, space) && space->token == call->token;
    bool frees = ours && call->free_lane;

    bool failed_elsewhere = command->stored && command->publication.kind == BERTH_FAILED &&
                            !from_source(command, record);
    if (command->stored && !failed_elsewhere) {
        bool same = from_source(command, record);
        bool settled = command->publication.result_only && command->version == call->token;
        bool repetition =
            same && (settled ? same_result(&command->publication, &event->publication)
                             : same_publication(&command->publication, &event->publication));
        space->held = space->held && !frees;
        event->ledger_answer.store.verdict = repetition ? BERTH_STORE_STORED : BERTH_STORE_ALREADY;
        event->ledger_answer.store.same_source = same;
        event->ledger_answer.store.state_current = space->state.version == command->version;
        event->ledger_answer.store.version = command->version;
        event->publication = command->publication;
        event->publication_found = true;
        return;
    }
    if (!ours) {
        bool elsewhere =
            space->token > call->token || (space->held && !from_holder(world, event, space));
        event->ledger_answer.store.verdict = elsewhere ? BERTH_STORE_HELD : BERTH_STORE_GONE;
        return;
    }
    if (!command->known ||
        memcmp(command->digest, record->command.digest, sizeof(command->digest)) != 0) {
        event->ledger_answer.store.verdict = BERTH_STORE_GONE;
        return;
    }
    if (call->write_state) {
        WORLD_CHECK(world, event->state.version == call->token);
        berth_space_state_copy(&space->state, &event->state, &world->pool);
    } else if (!call->still_warm) {
        space->state.verified_at_ms = 0;
    }
    command->stored = true;
    command->version = call->token;
    command->source_partition = record->partition;
    command->source_offset = record->offset;
    command->publication = event->publication;
    space->held = !frees;
    event->ledger_answer.store.verdict = BERTH_STORE_STORED;
}

static void run_renew(struct world *world, struct world_event *event) {
    size_t count = event->ledger_call.renew.count;
    for (size_t i = 0; i < count; i++) {
        struct world_ledger_space *space = space_of(world, event->lanes[i].record);
        bool ours =
            is_holder(space, &world->workers[event->worker], event->life, event->lanes[i].record) &&
            space->token == event->lanes[i].token;
        event->lanes_held[i] = ours;
        space->renewals += ours;
        struct world_ledger_command *command = ledger_command(world, event->lanes[i].record);
        if (ours && command->known) {
            command->burned = event->lanes[i].burned;
            command->paused_ms = event->lanes[i].paused_ms;
        }
    }
    event->ledger_answer.renew.count = count;
}

/* What was stored under this version must have been committed, for its own record, or it would be
 * lost with the next crash. */
static void run_settled(struct world *world, const struct world_event *event) {
    for (size_t i = 0; i < event->ledger_call.settled.commands_count; i++) {
        const struct berth_settled *settled = &event->settled[i];
        struct world_ledger_command *command =
            &world->ledger_commands[number_of(settled->command_id)];
        if (!command->stored || command->version != settled->version ||
            command->source_partition != settled->partition ||
            command->source_offset != settled->offset) {
            continue;
        }
        const struct world_record *record =
            &world->partitions[command->source_partition].records[command->source_offset];
        WORLD_CHECK(world,
                    record->answers == 1 || world->partitions[record->partition].map_was_lost);
        struct world_publication *publication = &command->publication;
        publication->result_only = true;
        publication->publish_state = false;
        publication->audit = false;
        publication->dead_letter = false;
        publication->version = 0;
        publication->before[0] = '\0';
    }
    for (size_t i = 0; i < WORLD_PARTITIONS; i++) {
        struct world_partition *partition = &world->partitions[i];
        WORLD_CHECK(world, event->bases[i] <= partition->committed);
        if (event->bases[i] > partition->base) {
            partition->base = event->bases[i];
        }
    }
}

void world_hold(struct world *world, const char *space, const char *instance,
                const char *incarnation) {
    struct world_ledger_space *held = ledger_space(world, 0, space);
    held->held = true;
    held->token++;
    held->renewals = 0;
    (void)snprintf(held->holder.instance, sizeof(held->holder.instance), "%s", instance);
    (void)snprintf(held->holder.incarnation, sizeof(held->holder.incarnation), "%s", incarnation);
    (void)snprintf(held->holder.command_id, sizeof(held->holder.command_id), "%s", "elsewhere");
}

struct world_ledger_space *world_ledger_space(struct world *world, const char *space) {
    return ledger_space(world, 0, space);
}

void world_ledger_lose(struct world *world) {
    for (size_t i = 0; i < WORLD_SPACES_MAX; i++) {
        berth_space_state_deinit(&world->ledger_spaces[i].state, &world->pool);
        world->ledger_spaces[i] = (struct world_ledger_space){0};
        berth_space_state_init(&world->ledger_spaces[i].state);
    }
    for (size_t i = 0; i < WORLD_COMMANDS_MAX; i++) {
        berth_space_state_deinit(&world->ledger_commands[i].before, &world->pool);
        world->ledger_commands[i] = (struct world_ledger_command){0};
        berth_space_state_init(&world->ledger_commands[i].before);
    }
    for (size_t i = 0; i < WORLD_PARTITIONS; i++) {
        world->partitions[i].base = -1;
        world->partitions[i].lost_below = world->partitions[i].end;
    }
    world->ledger_was_lost = true;
}
