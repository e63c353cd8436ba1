/* SPDX-License-Identifier: Apache-2.0 */
/* Which commands are sent, and when: also twice, again, with another content, and damaged. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define HUMAN_CHANGES 8 /* Beside those that are faults. */

static void make_spaces(struct sim *sim) {
    for (int i = 0; i < sim->spaces_count; i++) {
        struct sim_space *space = &sim->spaces[i];
        space->registry = sim_chance(sim, 60) ? 0 : 1;
        space->partition =
            space->registry * sim->partitions_each + (int)sim_below(sim, sim->partitions_each);
        space->touched_ms = -1;
        space->foreign_made_ms = -1;
        (void)snprintf(space->name, sizeof(space->name), i == 1 ? "%d" : "space-%d",
                       i == 1 ? 123 : i);
        for (int facet = 0; facet < SIM_FACETS; facet++) {
            space->dirty_ms[facet] = -1;
        }
        if (sim->humans && sim_chance(sim, 25)) {
            sim_human_makes(sim, i, NULL); /* It was there before berth. */
            if (sim_chance(sim, 30)) {
                sim_human_makes(sim, i, NULL);
            }
            space->touched_ms = -1;
            for (int facet = 0; facet < SIM_FACETS; facet++) {
                space->dirty_ms[facet] = -1;
            }
        }
        sim_harbor_state(sim, i, &space->reference);
    }
}

/* Not SHA-256, but it differs where it should. */
static void digest(struct berth_command *command) {
    char text[BERTH_SPACE_BYTES + 256];
    int len = snprintf(text, sizeof(text), "%d %d %d %d %lld %d %s %s", (int)command->type,
                       (int)command->visibility, (int)command->if_exists, command->unbind,
                       (long long)command->quota_bytes, command->quota_given, command->registry,
                       command->space);
    for (size_t i = 0; i < command->workspaces_count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", command->workspaces[i].id);
    }
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(1099511628211);
        command->digest[i % BERTH_DIGEST_BYTES] ^= (uint8_t)(hash >> 32);
    }
}

static void choose_workspaces(struct sim *sim, struct sim_record *record, bool may_be_none) {
    struct berth_command *command = &record->command;
    command->workspaces = record->workspaces;
    command->workspaces_count = 0;
    int percent = sim_chance(sim, 50) ? 25 : 60;
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        bool last_chance = i == SIM_WORKSPACES - 1 && command->workspaces_count == 0;
        if (!sim_chance(sim, percent) && !(last_chance && !may_be_none)) {
            continue;
        }
        struct berth_workspace *workspace = &record->workspaces[command->workspaces_count++];
        (void)snprintf(workspace->id, sizeof(workspace->id), "t%d", i);
        (void)snprintf(workspace->robot_name, sizeof(workspace->robot_name), "ws-t%d", i);
    }
}

static void fill(struct sim *sim, struct sim_record *record) {
    struct berth_command *command = &record->command;
    switch (command->type) {
    case BERTH_CREATE_SPACE:
        command->if_exists = sim_chance(sim, 30) ? BERTH_IF_EXISTS_ADOPT : BERTH_IF_EXISTS_FAIL;
        command->visibility = (enum berth_visibility)sim_below(sim, 3);
        command->quota_given = sim_chance(sim, 40);
        break;
    case BERTH_UPDATE_SPACE:
        command->quota_given = sim_chance(sim, 60);
        command->visibility = command->quota_given ? (enum berth_visibility)sim_below(sim, 3)
                                                   : (enum berth_visibility)(1 + sim_below(sim, 2));
        break;
    case BERTH_DELETE_SPACE:
        command->unbind = sim_chance(sim, 60);
        break;
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
        choose_workspaces(sim, record, false);
        break;
    case BERTH_SET_WORKSPACE_BINDINGS:
        choose_workspaces(sim, record, true);
        break;
    }
    if (command->quota_given) {
        command->quota_bytes = sim_chance(sim, 20) ? BERTH_QUOTA_UNLIMITED : 1 + sim_below(sim, 9);
    }
}

static enum berth_command_type choose_type(struct sim *sim) {
    static const struct {
        int percent;
        enum berth_command_type type;
    } weights[BERTH_COMMAND_TYPES] = {
        {23, BERTH_CREATE_SPACE},     {16, BERTH_UPDATE_SPACE},
        {15, BERTH_DELETE_SPACE},     {19, BERTH_BIND_WORKSPACE},
        {14, BERTH_UNBIND_WORKSPACE}, {13, BERTH_SET_WORKSPACE_BINDINGS},
    };
    int64_t roll = sim_below(sim, 100);
    for (int i = 0; i < BERTH_COMMAND_TYPES; i++) {
        roll -= weights[i].percent;
        if (roll < 0) {
            return weights[i].type;
        }
    }
    return BERTH_CREATE_SPACE;
}

static struct sim_record *new_record(struct sim *sim, int number, int index) {
    struct sim_record *record = &sim->records[sim->records_count++];
    const struct sim_space *space = &sim->spaces[index];
    struct berth_command *command = &record->command;
    record->number = number;
    record->space = index;
    sim_command_id(number, command->id);
    (void)snprintf(command->registry, sizeof(command->registry), "%s",
                   sim->registries[space->registry].name);
    (void)snprintf(command->space, sizeof(command->space), "%s", space->name);
    (void)snprintf(command->actor, sizeof(command->actor), "producer");
    (void)snprintf(record->key, sizeof(record->key), "%s/%s", command->registry, command->space);
    return record;
}

static void send_at(struct sim *sim, struct sim_record *record, int64_t delay_ms) {
    struct sim_event *sends = sim_event(sim, SIM_EVENT_SENDS, -1);
    sends->record = record;
    sim_post(sim, sends, delay_ms);
}

/* The same command once more; its array of workspaces is its own. */
static struct sim_record *again(struct sim *sim, const struct sim_record *record) {
    if (sim->records_count == SIM_RECORDS_MAX) {
        return NULL;
    }
    struct sim_record *copy = new_record(sim, record->number, record->space);
    copy->command = record->command;
    memcpy(copy->workspaces, record->workspaces, sizeof(copy->workspaces));
    copy->command.workspaces = copy->workspaces;
    return copy;
}

static void send_command(struct sim *sim, int number) {
    int space = (int)sim_below(sim, sim->spaces_count);
    struct sim_record *record = new_record(sim, number, space);
    int64_t at_ms = 1000 + sim_below(sim, sim->sending_ms);
    record->command.type = choose_type(sim);
    fill(sim, record);
    digest(&record->command);
    sim->commands[number].first = record;
    if (sim_chance(sim, 2)) {
        record->undecodable = true;
    } else if (sim_chance(sim, 1)) {
        record->wrong_key = true;
        (void)snprintf(record->key, sizeof(record->key), "main/somewhere-else");
    } else if (sim_chance(sim, 15)) {
        /* The producer wasn't sure, or is asked again. */
        struct sim_record *copy = again(sim, record);
        if (copy != NULL && sim_chance(sim, 15)) {
            copy->command.type = BERTH_DELETE_SPACE;
            copy->command.workspaces_count = 0;
            memset(copy->command.digest, 0, sizeof(copy->command.digest));
            digest(&copy->command);
        }
        if (copy != NULL) {
            int64_t later_ms = sim_chance(sim, 50) ? sim_below(sim, 200) : sim_below(sim, 40000);
            send_at(sim, copy, at_ms + later_ms);
        }
    }
    send_at(sim, record, at_ms);
}

static struct sim_record *plain(struct sim *sim, int number, enum berth_command_type type,
                                int space, const char *workspaces, int64_t at_ms) {
    struct sim_record *record = new_record(sim, number, space);
    struct berth_command *command = &record->command;
    command->type = type;
    command->workspaces = record->workspaces;
    for (; *workspaces != '\0'; workspaces++) {
        struct berth_workspace *workspace = &record->workspaces[command->workspaces_count++];
        (void)snprintf(workspace->id, sizeof(workspace->id), "t%c", *workspaces);
        (void)snprintf(workspace->robot_name, sizeof(workspace->robot_name), "ws-t%c", *workspaces);
    }
    command->unbind = true;
    command->visibility = type == BERTH_UPDATE_SPACE ? BERTH_PUBLIC : BERTH_VISIBILITY_UNSET;
    command->quota_given = type == BERTH_UPDATE_SPACE || type == BERTH_CREATE_SPACE;
    command->quota_bytes = command->quota_given ? number : 0;
    digest(command);
    sim->commands[number].first = record;
    send_at(sim, record, at_ms);
    return record;
}

/* A space with two bindings, the command whose worker crashes, and one after it. */
static void send_crashed(struct sim *sim) {
    static const char *const workspaces[BERTH_COMMAND_TYPES] = {
        [BERTH_CREATE_SPACE] = "",       [BERTH_UPDATE_SPACE] = "",
        [BERTH_DELETE_SPACE] = "",       [BERTH_BIND_WORKSPACE] = "34",
        [BERTH_UNBIND_WORKSPACE] = "12", [BERTH_SET_WORKSPACE_BINDINGS] = "24",
    };
    enum berth_command_type type = sim->crash->type;
    int space = type == BERTH_CREATE_SPACE ? 1 : 0;
    (void)plain(sim, 1, BERTH_CREATE_SPACE, 0, "", 5000);
    (void)plain(sim, 2, BERTH_BIND_WORKSPACE, 0, "12", 6000);
    (void)plain(sim, SIM_CRASHED, type, space, workspaces[type], 9000);
    (void)plain(sim, 4, BERTH_BIND_WORKSPACE, space, "5", 12000);
}

void sim_producers_init(struct sim *sim) {
    make_spaces(sim);
    if (sim->crash != NULL) {
        send_crashed(sim);
        return;
    }
    for (int number = 1; number <= SIM_COMMANDS; number++) {
        send_command(sim, number);
    }
    for (int i = 0; i < HUMAN_CHANGES && sim->humans && !sim->slow_world; i++) {
        struct sim_event *human = sim_event(sim, SIM_EVENT_HUMAN, -1);
        human->number = (int)sim_below(sim, sim->spaces_count);
        sim_post(sim, human, sim_below(sim, sim->sending_ms));
    }
}

/* One more command, which binds this workspace and no other. */
void sim_producers_bind(struct sim *sim, int space, enum berth_command_type type, int workspace) {
    if (sim->records_count == SIM_RECORDS_MAX) {
        return;
    }
    int number = (int)sim->records_count + 1;
    struct sim_record *record = new_record(sim, number, space);
    record->command.type = type;
    record->command.workspaces = record->workspaces;
    record->command.workspaces_count = 1;
    (void)snprintf(record->workspaces[0].id, BERTH_WORKSPACE_BYTES, "t%d", workspace);
    (void)snprintf(record->workspaces[0].robot_name, BERTH_ROBOT_NAME_BYTES, "ws-t%d", workspace);
    digest(&record->command);
    sim->commands[number].first = record;
    send_at(sim, record, 0);
}

/* Somebody replays the dead letter. */
void sim_producers_replay(struct sim *sim, const struct sim_record *record) {
    struct sim_record *copy = sim_chance(sim, 60) ? again(sim, record) : NULL;
    if (copy != NULL && sim->now_ms < sim->faults_end_ms) {
        send_at(sim, copy, sim_below(sim, 5000));
    }
}

void sim_producers_send(struct sim *sim, struct sim_event *event) {
    struct sim_record *record = event->record;
    record->command.issued_at_ms = SIM_WALL_MS + sim->now_ms;
    sim_append(sim, record, sim->spaces[record->space].partition);
}
