/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sequential reference: what Harbor must be like by what was answered, each command applied
 * once, in the order of its space.
 *
 * A facet is dirty from when a human touched it, or nobody could tell what is there, until an
 * answer that looked at Harbor after that. A dirty facet isn't asserted.
 */
#include <string.h>

#include "sim.h"

void sim_reference_dirty(struct sim *sim, int space, enum sim_facet facet) {
    sim->spaces[space].dirty_ms[facet] = sim->now_ms;
    sim->spaces[space].touched_ms = sim->now_ms;
}

void sim_reference_all_dirty(struct sim *sim, int space) {
    for (int facet = 0; facet < SIM_FACETS && space >= 0; facet++) {
        sim_reference_dirty(sim, space, (enum sim_facet)facet);
    }
}

bool sim_facet_equal(const struct sim_state *a, const struct sim_state *b, enum sim_facet facet) {
    bool present = a->knowledge == BERTH_SPACE_PRESENT && b->knowledge == BERTH_SPACE_PRESENT;
    switch (facet) {
    case SIM_EXISTENCE:
        return a->knowledge == b->knowledge && (!present || a->project_id == b->project_id);
    case SIM_VISIBILITY:
        return !present || a->visibility == b->visibility;
    case SIM_QUOTA:
        return !present || a->quota_bytes == b->quota_bytes ||
               a->quota_bytes == BERTH_QUOTA_UNSET || b->quota_bytes == BERTH_QUOTA_UNSET;
    case SIM_BINDINGS:
        return !present || (memcmp(a->robots, b->robots, sizeof(a->robots)) == 0 &&
                            memcmp(a->disabled, b->disabled, sizeof(a->disabled)) == 0 &&
                            memcmp(a->altered, b->altered, sizeof(a->altered)) == 0);
    }
    return false;
}

static void take_facet(struct sim_state *target, const struct sim_state *source,
                       enum sim_facet facet) {
    switch (facet) {
    case SIM_EXISTENCE:
        target->knowledge = source->knowledge;
        target->project_id = source->project_id;
        break;
    case SIM_VISIBILITY:
        target->visibility = source->visibility;
        break;
    case SIM_QUOTA:
        if (source->quota_bytes != BERTH_QUOTA_UNSET) {
            target->quota_bytes = source->quota_bytes;
        }
        break;
    case SIM_BINDINGS:
        memcpy(target->robots, source->robots, sizeof(target->robots));
        memcpy(target->disabled, source->disabled, sizeof(target->disabled));
        memcpy(target->altered, source->altered, sizeof(target->altered));
        break;
    }
}

static bool any_dirty(const struct sim_space *space) {
    for (int facet = 0; facet < SIM_FACETS; facet++) {
        if (space->dirty_ms[facet] >= 0) {
            return true;
        }
    }
    return false;
}

/* ---- What a command that succeeded leaves behind ---- */

static void bind_all(struct sim *sim, const struct berth_command *command,
                     const struct sim_result *result, const struct sim_state *reference) {
    bool wanted[SIM_WORKSPACES] = {false};
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        wanted[i] = command->type != BERTH_SET_WORKSPACE_BINDINGS && reference->robots[i] != 0;
    }
    for (size_t i = 0; i < command->workspaces_count; i++) {
        wanted[sim_workspace_of(command->workspaces[i].id)] =
            command->type != BERTH_UNBIND_WORKSPACE;
    }
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        SIM_CHECK(sim, wanted[i] == (result->after.robots[i] != 0),
                  "an answer of success says bound what the command and those before it bound");
        bool kept = reference->robots[i] != 0 && wanted[i];
        SIM_CHECK(sim, !kept || reference->robots[i] == result->after.robots[i],
                  "a binding that was there keeps its robot");
    }
}

/* A dead letter that is replayed may find that the command made the space itself; so may a
 * producer's own resend, which isn't recognised across a loss of Redis' data (design 4.9). */
static bool made_it_before(const struct sim *sim, const struct sim_item *item) {
    const struct sim_record *record = item->record;
    return record->command.type == BERTH_CREATE_SPACE &&
           strcmp(item->publication.result.code, BERTH_CODE_SPACE_CREATED) == 0 &&
           sim_harbor_maker(sim, sim->spaces[record->space].registry,
                            item->publication.result.after.project_id) == record->number;
}

static void expect_success(struct sim *sim, const struct sim_item *item,
                           const struct sim_state *reference) {
    const struct berth_command *command = &item->record->command;
    const struct sim_result *result = &item->publication.result;
    const struct sim_state *after = &result->after;
    bool deletes = command->type == BERTH_DELETE_SPACE;
    bool gone_anyway =
        command->type == BERTH_UNBIND_WORKSPACE && reference->knowledge == BERTH_SPACE_ABSENT;
    SIM_CHECK(sim,
              after->knowledge ==
                  (deletes || gone_anyway ? BERTH_SPACE_ABSENT : BERTH_SPACE_PRESENT),
              "an answer of success says what is there afterwards");
    if (after->knowledge == BERTH_SPACE_ABSENT) {
        return;
    }
    bool was_there = reference->knowledge == BERTH_SPACE_PRESENT;
    bool creates = command->type == BERTH_CREATE_SPACE;
    SIM_CHECK(sim, was_there || creates, "only CreateSpace makes a space");
    SIM_CHECK(sim, !was_there || reference->project_id == after->project_id,
              "a space that was there keeps its project");
    SIM_CHECK(sim,
              !creates || command->if_exists == BERTH_IF_EXISTS_ADOPT || !was_there ||
                  made_it_before(sim, item),
              "CreateSpace succeeds on a space that is there only with ADOPT");
    bool sets = creates || command->type == BERTH_UPDATE_SPACE;
    int visibility = sets && command->visibility != BERTH_VISIBILITY_UNSET
                         ? (int)command->visibility
                     : was_there && !made_it_before(sim, item) ? reference->visibility
                                                               : (int)BERTH_PRIVATE;
    SIM_CHECK(sim, after->visibility == visibility, "the visibility is as commanded");
    int64_t quota = sets && command->quota_given ? command->quota_bytes
                    : was_there                  ? reference->quota_bytes
                                                 : BERTH_QUOTA_UNLIMITED;
    SIM_CHECK(sim, after->quota_bytes == quota || after->quota_bytes == BERTH_QUOTA_UNSET,
              "the quota is as commanded");
    if (sets) {
        SIM_CHECK(sim, !was_there || sim_facet_equal(reference, after, SIM_BINDINGS),
                  "what a command doesn't name stays as it was");
    } else {
        bind_all(sim, command, result, reference);
    }
}

/* ---- What may be refused ---- */

static bool bound(const struct sim_state *state) {
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        if (state->robots[i] != 0) {
            return true;
        }
    }
    return false;
}

/* Only on a space where no human did anything and nobody is unsure. */
static void check_refusal(struct sim *sim, const struct sim_item *item,
                          const struct sim_space *space) {
    const char *code = item->publication.result.code;
    const struct sim_state *reference = &space->reference;
    bool present = reference->knowledge == BERTH_SPACE_PRESENT;
    if (strcmp(code, BERTH_CODE_SPACE_ALREADY_EXISTS) == 0) {
        SIM_CHECK(sim, present, "space.already_exists is said only when it existed before");
    } else if (strcmp(code, BERTH_CODE_SPACE_NOT_FOUND) == 0) {
        SIM_CHECK(sim, !present, "space.not_found is said only when it isn't there");
    } else if (strcmp(code, BERTH_CODE_SPACE_BOUND) == 0) {
        SIM_CHECK(sim, present && bound(reference), "space.bound is said only when it is bound");
    } else if (strcmp(code, BERTH_CODE_SPACE_CREATE_UNPROVED) == 0) {
        bool dedicated = sim->registries[space->registry].dedicated;
        SIM_CHECK(sim, present || !dedicated || sim->redis_losses > 0,
                  "whose project it is can be proved with an account of berth's own");
    } else {
        bool others = strncmp(code, "command.", 8) == 0 || strcmp(code, "space.not_empty") == 0 ||
                      strncmp(code, "binding.", 8) == 0 ||
                      strcmp(code, "space.foreign_robots") == 0;
        SIM_CHECK(sim, others, "a refusal that this world gives no reason for");
        SIM_CHECK(sim, sim->humans || sim->faults_done > 0 || strncmp(code, "command.", 8) == 0,
                  "nobody but a human gives a reason for this refusal");
    }
}

/* ---- An answer was committed ---- */

static void take_over(struct sim *sim, const struct sim_item *item, struct sim_space *space) {
    const struct sim_publication *publication = &item->publication;
    const struct sim_state *after = &publication->result.after;
    bool told = after->knowledge != BERTH_SPACE_UNKNOWN;
    if (!told) {
        bool refused = publication->result.kind == BERTH_REJECTED;
        for (int facet = 0; facet < SIM_FACETS && !refused; facet++) {
            space->dirty_ms[facet] = sim->now_ms;
        }
        return;
    }
    if (publication->result.kind == BERTH_FAILED && after->quota_bytes == BERTH_QUOTA_UNSET) {
        space->dirty_ms[SIM_QUOTA] = sim->now_ms;
    }
    if (after->knowledge == BERTH_SPACE_PRESENT &&
        space->reference.project_id != after->project_id) {
        /* A new project has what was asked for; of one that was found nothing is known. */
        bool made = sim_harbor_maker(sim, space->registry, after->project_id) != 0;
        space->reference.quota_bytes = made ? BERTH_QUOTA_UNLIMITED : BERTH_QUOTA_UNSET;
    }
    for (int facet = 0; facet < SIM_FACETS; facet++) {
        int64_t dirty_ms = space->dirty_ms[facet];
        bool looked = publication->rest.verified != 0 && facet != SIM_QUOTA &&
                      publication->rest.work_from_ms > dirty_ms;
        take_facet(&space->reference, after, (enum sim_facet)facet);
        if (dirty_ms >= 0 && looked) {
            space->dirty_ms[facet] = -1;
        }
    }
}

void sim_reference_answer(struct sim *sim, const struct sim_item *item) {
    if (item->form == BERTH_PUBLISH_DIRECT || item->form == BERTH_PUBLISH_REPLAY) {
        return; /* Nothing was done for it. */
    }
    struct sim_space *space = &sim->spaces[item->record->space];
    const struct sim_result *result = &item->publication.result;
    bool clean = !any_dirty(space);
    /* Was it decided before somebody touched the space? Then nobody knows. */
    bool fresh = item->publication.rest.work_from_ms > space->touched_ms;
    if (clean && fresh && result->kind == BERTH_SUCCEEDED) {
        expect_success(sim, item, &space->reference);
    } else if (clean && fresh && result->kind == BERTH_REJECTED) {
        check_refusal(sim, item, space);
    }
    take_over(sim, item, space);
}
