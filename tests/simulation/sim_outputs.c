/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics that refuse: for a while one takes no records at all, as when a right was taken away, or
 * one record, as when it is too large. What is refused is tried again by whoever published it, as
 * berthd does after its looks at the topics.
 *
 * Drawn apart from all else, in every third world, so that the others stay what they are.
 */
#include "sim.h"

/* As bits, by enum berth_record_kind; and the record itself. */
#define RESULTS      1u
#define AUDIT        2u
#define STATES       4u
#define DEAD_LETTERS 8u
#define ITSELF       128u

#define REFUSAL_MAX_MS 40000
#define REBUILT_MS     60000
#define LOOK_MIN_MS    500
#define LOOK_MAX_MS    6000

static int64_t below(struct sim *sim, int64_t bound) {
    return (int64_t)berth_random_below(&sim->outputs.random, bound);
}

void sim_outputs_init(struct sim *sim) {
    sim->outputs.draws = sim->seed % 3 == 0 && !sim->slow_world && sim->crash == NULL;
    berth_random_init(&sim->outputs.random, sim->seed ^ UINT64_C(0x6f757470757473));
}

/* Now and then a topic, or the record that is being published, falls out of favour. */
static void draw(struct sim *sim, const struct sim_transaction *transaction) {
    if (!sim->outputs.draws || sim->now_ms >= sim->faults_end_ms ||
        sim->now_ms < sim->outputs.until_ms || transaction->items_count == 0 ||
        below(sim, 60) != 0) {
        return;
    }
    sim->outputs.until_ms = sim->now_ms + 1 + below(sim, REFUSAL_MAX_MS);
    sim->outputs.large = NULL;
    sim->outputs.refusing = (uint8_t)below(sim, 16);
    if (sim->outputs.refusing == 0) {
        size_t item = (size_t)below(sim, (int64_t)transaction->items_count);
        sim->outputs.large = transaction->items[item].record;
    }
    sim_trace(sim, "outputs %d refuse for %lld ms", (int)sim->outputs.refusing,
              (long long)(sim->outputs.until_ms - sim->now_ms));
    if (sim->calm_from_ms < sim->outputs.until_ms + LOOK_MAX_MS) {
        sim->calm_from_ms = sim->outputs.until_ms + LOOK_MAX_MS;
    }
}

static uint8_t outputs_of(const struct sim_item *item) {
    const struct sim_publication *publication = &item->publication;
    unsigned outputs = item->record->number != 0 ? RESULTS : 0;
    if (item->form != BERTH_PUBLISH_REPLAY && publication->whole) {
        outputs |= publication->rest.audit != 0 ? AUDIT : 0;
        outputs |= publication->rest.dead_letter != 0 ? DEAD_LETTERS : 0;
        outputs |=
            publication->rest.publish_state != 0 && item->form != BERTH_PUBLISH_STORED_QUIETLY
                ? STATES
                : 0;
    }
    return (uint8_t)outputs;
}

/* A state that is set aside when Redis loses its data isn't in what is rebuilt (docs/simulation.md,
 * "What is not asserted"): a refusal ends there, and none begins until that is over. */
static bool redis_was_lost(const struct sim *sim) {
    return sim->redis_lost_ms >= 0 && sim->now_ms - sim->redis_lost_ms < REBUILT_MS;
}

bool sim_outputs_refuse(struct sim *sim, struct sim_transaction *transaction) {
    if (redis_was_lost(sim)) {
        sim->outputs.until_ms = sim->now_ms;
        return false;
    }
    draw(sim, transaction);
    uint8_t all = 0;
    for (size_t i = 0; i < transaction->items_count && sim->now_ms < sim->outputs.until_ms; i++) {
        const struct sim_item *item = &transaction->items[i];
        uint8_t by = outputs_of(item) & sim->outputs.refusing;
        by = item->record == sim->outputs.large ? ITSELF : by;
        transaction->refused_by[i] = by;
        all |= by;
    }
    transaction->refused = all;
    return all != 0;
}

void sim_outputs_heard(struct sim *sim, const struct sim_transaction *transaction) {
    if (transaction->refused != 0) {
        struct sim_event *looks = sim_event(sim, SIM_EVENT_TELLS, transaction->worker);
        looks->tells = (struct berth_event){.kind = BERTH_EVENT_OUTPUTS_OPEN,
                                            .outputs_open = transaction->refused};
        sim_post(sim, looks, LOOK_MIN_MS + below(sim, LOOK_MAX_MS - LOOK_MIN_MS));
    }
}
