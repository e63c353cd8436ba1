/* SPDX-License-Identifier: Apache-2.0 */
/* States and answers in a form that compares as bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

void sim_command_id(int number, char ret_id[BERTH_UUID_BYTES]) {
    (void)snprintf(ret_id, BERTH_UUID_BYTES, "00000000-0000-4000-8000-%012d", number);
}

int sim_number_of(const char *command_id) {
    return command_id[0] == '\0' ? 0 : (int)strtol(command_id + 24, NULL, 10);
}

int sim_workspace_of(const char *workspace) {
    BERTH_ASSERT(workspace[0] == 't' && workspace[1] >= '0');
    BERTH_ASSERT(workspace[1] < '0' + SIM_WORKSPACES);
    return workspace[1] - '0';
}

int sim_space_of(const struct sim *sim, const char *registry, const char *space) {
    for (int i = 0; i < sim->spaces_count; i++) {
        if (strcmp(sim->spaces[i].name, space) == 0 &&
            strcmp(sim->registries[sim->spaces[i].registry].name, registry) == 0) {
            return i;
        }
    }
    return -1;
}

void sim_state_of(const struct berth_space_state *state, struct sim_state *ret_state) {
    memset(ret_state, 0, sizeof(*ret_state));
    ret_state->knowledge = state->knowledge;
    if (state->knowledge != BERTH_SPACE_PRESENT) {
        return;
    }
    ret_state->project_id = state->project_id;
    ret_state->quota_bytes = state->quota_bytes;
    ret_state->visibility = state->visibility;
    ret_state->created_by = sim_number_of(state->created_by);
    for (size_t i = 0; i < state->bindings_count; i++) {
        const struct berth_binding *binding = &state->bindings[i];
        int workspace = sim_workspace_of(binding->workspace);
        ret_state->robots[workspace] = binding->robot_id;
        ret_state->disabled[workspace] = binding->disabled;
        ret_state->altered[workspace] = binding->altered;
        ret_state->keyed[workspace] = binding->key_id[0] != '\0';
    }
}

void sim_state_to(const struct sim_state *state, struct berth_space_state *ret_state,
                  struct berth_binding ret_bindings[SIM_WORKSPACES]) {
    *ret_state = (struct berth_space_state){
        .knowledge = (enum berth_knowledge)state->knowledge,
        .project_id = state->project_id,
        .visibility = (enum berth_visibility)state->visibility,
        .quota_bytes = state->quota_bytes,
        .bindings = ret_bindings,
    };
    if (state->created_by > 0) {
        sim_command_id(state->created_by, ret_state->created_by);
    }
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        if (state->robots[i] == 0) {
            continue;
        }
        struct berth_binding *binding = &ret_bindings[ret_state->bindings_count++];
        *binding = (struct berth_binding){.robot_id = state->robots[i],
                                          .disabled = state->disabled[i] != 0,
                                          .altered = state->altered[i] != 0};
        (void)snprintf(binding->workspace, sizeof(binding->workspace), "t%d", i);
        if (state->keyed[i]) {
            (void)snprintf(binding->key_id, sizeof(binding->key_id), "%s", SIM_KEY_ID);
        }
    }
}

const char *sim_state_text(const struct sim_state *state, char *ret_text, size_t bytes) {
    if (state->knowledge != BERTH_SPACE_PRESENT) {
        return state->knowledge == BERTH_SPACE_ABSENT ? "absent" : "unknown";
    }
    int len = snprintf(ret_text, bytes, "%s id=%lld quota=%lld",
                       state->visibility == BERTH_PUBLIC ? "public" : "private",
                       (long long)state->project_id, (long long)state->quota_bytes);
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        if (state->robots[i] != 0) {
            len += snprintf(ret_text + len, bytes - (size_t)len, " t%d%s%s%s", i,
                            state->disabled[i] ? "!" : "", state->altered[i] ? "~" : "",
                            state->keyed[i] ? "" : "?");
        }
    }
    return ret_text;
}

static uint64_t hash_of(const char *text) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
    }
    return hash;
}

void sim_publication_of(struct sim *sim, const struct sim_slot *slot,
                        const struct berth_outcome *outcome, struct sim_publication *ret) {
    memset(ret, 0, sizeof(*ret));
    ret->made = true;
    ret->whole = true;
    struct sim_result *result = &ret->result;
    sim_state_of(&outcome->before, &result->before);
    sim_state_of(&outcome->after, &result->after);
    result->received_at_ms = outcome->received_at_ms;
    result->finished_at_ms = outcome->finished_at_ms;
    result->message_hash = hash_of(outcome->message);
    result->kind = outcome->kind;
    result->changed = outcome->changed;
    result->attempts = outcome->attempts;
    result->command = slot->record->number;
    (void)snprintf(result->code, sizeof(result->code), "%s", outcome->code);
    for (size_t i = 0; i < outcome->bindings_count; i++) {
        int workspace = sim_workspace_of(outcome->bindings[i].workspace);
        result->changes[workspace] = (uint8_t)(1 + outcome->bindings[i].kind);
    }
    ret->rest = (struct sim_rest){
        .version = outcome->after.version,
        .work_from_ms = slot->work_from_ms,
        .losses = sim->redis_losses,
        .verified = outcome->verified,
        .publish_state = outcome->publish_state,
        .audit = outcome->audit,
        .dead_letter = outcome->dead_letter,
    };
}

bool sim_publication_read(struct berth_bytes bytes, struct sim_publication *ret) {
    memset(ret, 0, sizeof(*ret));
    bool whole = bytes.len == sizeof(ret->result) + sizeof(ret->rest);
    if (!whole && bytes.len != sizeof(ret->result)) {
        return false;
    }
    ret->made = true;
    ret->whole = whole;
    memcpy(&ret->result, bytes.data, sizeof(ret->result));
    if (whole) {
        memcpy(&ret->rest, bytes.data + sizeof(ret->result), sizeof(ret->rest));
    }
    return true;
}
