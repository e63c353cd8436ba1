/* SPDX-License-Identifier: Apache-2.0 */
/* What is checked of a worker at each effect that it asks for. */
#include <string.h>

#include "engine_world_parts.h"

/* The engine names command and source by pointers into itself: they must be those of the slot. */
void checks_names(struct world *world, const struct world_slot *slot,
                  const struct berth_command *command, const struct berth_source *source) {
    WORLD_CHECK(world, slot->taken);
    WORLD_CHECK(world, strcmp(command->id, slot->record->command.id) == 0);
    WORLD_CHECK(
        world, memcmp(command->digest, slot->record->command.digest, sizeof(command->digest)) == 0);
    if (source != NULL) {
        WORLD_CHECK(world, source->partition == slot->record->partition);
        WORLD_CHECK(world, source->offset == slot->record->offset);
    }
}

/* From its claim until it is released an item is the only one of its space. */
void checks_lane(struct world *world, const struct world_worker *worker,
                 const struct world_slot *slot) {
    for (size_t i = 0; i < WORLD_SLOTS_MAX; i++) {
        const struct world_slot *other = &worker->slots[i];
        bool same_space =
            other != slot && other->taken && other->claimed &&
            strcmp(other->record->command.space, slot->record->command.space) == 0 &&
            strcmp(other->record->command.registry, slot->record->command.registry) == 0;
        WORLD_CHECK(world, !same_space);
    }
}

void checks_slept(const struct world *world, struct world_worker *worker) {
    int64_t patience_ms = worker->config.lease_ms / 3;
    patience_ms = patience_ms < worker->config.renew_ms ? worker->config.renew_ms : patience_ms;
    if (world->now_ms - worker->stepped_ms > patience_ms + WORLD_TIMER_SLACK_MS) {
        worker->woke_ms = world->now_ms;
    }
    worker->stepped_ms = world->now_ms;
}

void checks_asked(struct world *world, const struct world_worker *worker, struct world_slot *slot,
                  const struct berth_harbor_call *call) {
    WORLD_CHECK(world, slot->taken);
    WORLD_CHECK(world, strncmp(call->request_id, slot->record->command.id,
                               strlen(slot->record->command.id)) == 0);
    if (berth_harbor_call_is_write(call->kind)) {
        WORLD_CHECK(world,
                    call->not_after_ms <= slot->lease_end_ms - worker->config.request_timeout_ms);
        WORLD_CHECK(world, world->now_ms < call->not_after_ms);
        WORLD_CHECK(world, slot->lease_asked_ms >= worker->woke_ms);
        /* Creating asks by itself whether the project is there. */
        WORLD_CHECK(world, !slot->must_read || call->kind == BERTH_HARBOR_CREATE_PROJECT);
        world->harbor_writes++;
    } else {
        WORLD_CHECK(world, world->now_ms >= slot->read_from_ms);
        slot->must_read = false;
    }
}

/* A secret can't be read back: it is set again. */
void checks_answered(struct world *world, const struct world_event *event) {
    if (event->harbor_answer.verdict == BERTH_HARBOR_UNKNOWN &&
        event->harbor_call.kind != BERTH_HARBOR_SET_SECRET &&
        berth_harbor_call_is_write(event->harbor_call.kind)) {
        world->workers[event->worker].slots[event->slot].read_from_ms =
            world->now_ms + WORLD_READ_BACK_MS;
    }
}
