/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer group: members, generations, and who gets which partition (cooperative and sticky).
 *
 * A partition that moves is first revoked; when its owner has given it up, another rebalance gives
 * it to its new owner. Every rebalance raises the generation, which members learn one after the
 * other: what they commit in between is refused.
 */
#include "sim.h"

static void rebalance(struct sim *sim);

/* ---- Who shall have what ---- */

static int members_count(const struct sim *sim) {
    int count = 0;
    for (int i = 0; i < sim->workers_count; i++) {
        count += sim->workers[i].member;
    }
    return count;
}

static int owned_by(const struct sim *sim, int member) {
    int count = 0;
    for (int i = 0; i < sim->partitions_count; i++) {
        count += sim->partitions[i].target == member;
    }
    return count;
}

/* Everybody keeps what he has, up to his share; the rest goes to whoever has least. */
static void choose_targets(struct sim *sim) {
    int members = members_count(sim);
    int share = members == 0 ? 0 : (sim->partitions_count + members - 1) / members;
    for (int i = 0; i < sim->partitions_count; i++) {
        sim->partitions[i].target = -1;
    }
    for (int i = 0; i < sim->partitions_count && members > 0; i++) {
        int owner = sim->partitions[i].owner;
        if (owner >= 0 && sim->workers[owner].member && owned_by(sim, owner) < share) {
            sim->partitions[i].target = owner;
        }
    }
    for (int i = 0; i < sim->partitions_count && members > 0; i++) {
        if (sim->partitions[i].target >= 0) {
            continue;
        }
        int least = -1;
        for (int j = 0; j < sim->workers_count; j++) {
            int member = (i + j) % sim->workers_count;
            if (sim->workers[member].member &&
                (least < 0 || owned_by(sim, member) < owned_by(sim, least))) {
                least = member;
            }
        }
        sim->partitions[i].target = least;
    }
}

static void learn_soon(struct sim *sim, struct sim_worker *worker, int64_t delay_ms) {
    struct sim_event *joins = sim_event(sim, SIM_EVENT_JOINS, worker->number);
    joins->epoch = worker->member_id;
    sim_post(sim, joins, delay_ms);
}

static void rebalance(struct sim *sim) {
    sim->generation++;
    choose_targets(sim);
    sim_trace(sim, "generation %u, %d members", sim->generation, members_count(sim));
    for (int i = 0; i < sim->workers_count; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        if (worker->member && worker->engine != NULL && !worker->waits_to_join) {
            learn_soon(sim, &sim->workers[i], 5 + sim_below(sim, 400));
        }
    }
}

/* ---- What a member learns ---- */

static void fetch(struct sim *sim, struct sim_worker *worker, uint32_t name, int64_t delay_ms) {
    struct sim_event *fetches = sim_event(sim, SIM_EVENT_FETCHES_OFFSET, worker->number);
    fetches->number = (int)name;
    fetches->epoch = worker->assignments[name].epoch;
    sim_post(sim, fetches, delay_ms);
}

static void gain(struct sim *sim, struct sim_worker *worker, int index) {
    struct sim_partition *partition = &sim->partitions[index];
    uint32_t name = (uint32_t)sim_below(sim, SIM_NUMBERS);
    while (worker->assignments[name].in_use) {
        name = (name + 1) % SIM_NUMBERS;
    }
    partition->owner = worker->number;
    partition->epoch++;
    worker->assignments[name] =
        (struct sim_assignment){.in_use = true, .partition = index, .epoch = partition->epoch};
    fetch(sim, worker, name, 1 + sim_below(sim, 50));
}

static void lose_all(struct sim *sim, struct sim_worker *worker) {
    for (uint32_t name = 0; name < SIM_NUMBERS && worker->engine != NULL; name++) {
        struct sim_assignment *assignment = &worker->assignments[name];
        if (!assignment->in_use) {
            continue;
        }
        if (!assignment->told) {
            assignment->in_use = false;
            continue;
        }
        struct berth_event event = {.kind = BERTH_EVENT_PARTITION_LOST,
                                    .partition = {.partition = name}};
        sim_worker_tell(sim, worker, &event, assignment->epoch);
    }
}

static void revoke_what_moves(struct sim *sim, struct sim_worker *worker) {
    for (uint32_t name = 0; name < SIM_NUMBERS; name++) {
        struct sim_assignment *assignment = &worker->assignments[name];
        const struct sim_partition *partition = &sim->partitions[assignment->partition];
        if (!assignment->in_use || assignment->revoked || partition->epoch != assignment->epoch ||
            partition->target == worker->number) {
            continue;
        }
        assignment->revoked = true;
        struct berth_event event = {.kind = BERTH_EVENT_PARTITION_REVOKED,
                                    .partition = {.partition = name}};
        sim_worker_tell(sim, worker, &event, assignment->epoch);
    }
}

void sim_group_joins(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    if (!worker->member) {
        sim_trace(sim, "w%d learns that it is no member", worker->number);
        lose_all(sim, worker);
        if (!worker->draining) {
            sim_group_join(sim, worker);
        }
        return;
    }
    if (event->epoch != worker->member_id) {
        return;
    }
    worker->known_member_id = worker->member_id;
    worker->known_generation = sim->generation;
    revoke_what_moves(sim, worker);
    for (int i = 0; i < sim->partitions_count && !worker->draining; i++) {
        if (sim->partitions[i].target == worker->number && sim->partitions[i].owner < 0) {
            gain(sim, worker, i);
        }
    }
}

void sim_group_fetches(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->worker];
    struct sim_assignment *assignment = &worker->assignments[event->number];
    if (!assignment->in_use || assignment->told || assignment->epoch != event->epoch) {
        return;
    }
    struct sim_partition *partition = &sim->partitions[assignment->partition];
    if (partition->pending > 0) {
        fetch(sim, worker, (uint32_t)event->number, 100); /* UNSTABLE_OFFSET_COMMIT */
        return;
    }
    const char *map = NULL;
    struct berth_log_position position = sim_topic_position(sim, partition, &map);
    if (position.origin == BERTH_LOG_STOPPED) {
        fetch(sim, worker, (uint32_t)event->number, 5000);
        return;
    }
    bool committed = position.origin == BERTH_LOG_AT_COMMITTED;
    assignment->position = position.offset;
    assignment->log = partition->log;
    struct berth_event told = {.kind = BERTH_EVENT_PARTITION_GAINED};
    told.partition = (struct berth_engine_partition){
        .partition = (uint32_t)event->number,
        .topic = sim->registries[partition->registry].command_topic,
        .number = partition->number,
        .start_offset = assignment->position,
        .commit_start = !committed,
        .committed_offset = committed ? partition->committed : -1,
        .metadata = committed ? map : NULL,
        .log = position.log,
    };
    sim_worker_tell(sim, worker, &told, assignment->epoch);
}

void sim_group_gave_up(struct sim *sim, struct sim_worker *worker, uint32_t name) {
    const struct sim_assignment *assignment = &worker->assignments[name];
    struct sim_partition *partition = &sim->partitions[assignment->partition];
    if (partition->owner == worker->number && partition->epoch == assignment->epoch) {
        partition->owner = -1;
        rebalance(sim);
    }
}

/* ---- Members come and go ---- */

void sim_group_join(struct sim *sim, struct sim_worker *worker) {
    if (worker->member && !sim->static_members) {
        worker->waits_to_join = true; /* The session ends the membership of its last life. */
        return;
    }
    bool known = worker->member;
    worker->waits_to_join = false;
    worker->member = true;
    worker->member_id = ++sim->next_member_id;
    sim_trace(sim, "w%d joins as member %u", worker->number, worker->member_id);
    if (!known) {
        rebalance(sim);
        return;
    }
    /* A static member is back: it has what it had, and no rebalance. */
    for (int i = 0; i < sim->partitions_count; i++) {
        if (sim->partitions[i].owner == worker->number) {
            sim->partitions[i].owner = -1;
            sim->partitions[i].target = worker->number;
        }
    }
    learn_soon(sim, worker, 5 + sim_below(sim, 100));
}

void sim_group_expel(struct sim *sim, struct sim_worker *worker) {
    if (!worker->member) {
        return;
    }
    sim_trace(sim, "w%d is no member any more", worker->number);
    worker->member = false;
    for (int i = 0; i < sim->partitions_count; i++) {
        if (sim->partitions[i].owner == worker->number) {
            sim->partitions[i].owner = -1;
        }
    }
    rebalance(sim);
}

void sim_group_leave(struct sim *sim, struct sim_worker *worker) {
    if (!sim->static_members) {
        sim_group_expel(sim, worker);
    }
}

static void watch(struct sim *sim, struct sim_worker *worker) {
    struct sim_event *session = sim_event(sim, SIM_EVENT_SESSION, -1);
    session->number = worker->number;
    session->epoch = worker->member_id;
    sim_post(sim, session, SIM_SESSION_MS);
}

void sim_group_died(struct sim *sim, struct sim_worker *worker) {
    if (worker->member) {
        watch(sim, worker);
    }
}

void sim_group_session(struct sim *sim, struct sim_event *event) {
    struct sim_worker *worker = &sim->workers[event->number];
    if (!worker->member || worker->member_id != event->epoch) {
        return; /* It left, or is back as another member. */
    }
    bool frozen = worker->engine != NULL && sim_worker_frozen(sim, worker);
    bool waits = worker->engine != NULL && worker->waits_to_join;
    if (worker->engine != NULL && !frozen && !waits) {
        return;
    }
    sim_group_expel(sim, worker);
    if (waits) {
        sim_group_join(sim, worker);
    }
}

void sim_group_froze(struct sim *sim, struct sim_worker *worker, int64_t for_ms) {
    if (worker->member && for_ms > SIM_SESSION_MS) {
        watch(sim, worker);
        learn_soon(sim, worker, for_ms + 1); /* Its first heartbeat is refused. */
    }
}
