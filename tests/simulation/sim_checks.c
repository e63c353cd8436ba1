/* SPDX-License-Identifier: Apache-2.0 */
/* The promises, each in the words in which it was given. */
#include <stdio.h>
#include <string.h>

#include "berth/core/settled_map.h"
#include "sim.h"

/* ---- Writes to Harbor ---- */

static bool goes_through_lane(const struct sim_record *record) {
    return !record->undecodable && !record->wrong_key;
}

/* Every command of the space in front of this record was answered. */
static bool is_its_turn(const struct sim *sim, const struct sim_record *record) {
    const struct sim_partition *partition = &sim->partitions[record->partition];
    if (record->log != partition->log) {
        return true; /* Its log has gone; the lane alone keeps the order. */
    }
    for (int64_t i = partition->checked; i < record->offset; i++) {
        const struct sim_record *earlier = partition->entries[i];
        if (earlier != NULL && earlier->space == record->space && goes_through_lane(earlier) &&
            earlier->answers == 0) {
            return false;
        }
    }
    return true;
}

/* A refusal by age isn't stored (design 4.2): a worker whose clock is right may do what one whose
 * clock is wrong has refused. Where Redis lost a claim, the other way round. */
static bool refused_by_age(const struct sim_record *record) {
    return record->answers > 0 && record->form == BERTH_PUBLISH_DIRECT &&
           (strcmp(record->answer.result.code, BERTH_CODE_COMMAND_TOO_OLD) == 0 ||
            strcmp(record->answer.result.code, BERTH_CODE_COMMAND_ISSUED_IN_FUTURE) == 0);
}

/* Who has seen nothing newer than an older copy of Redis may work on it until somebody who has says
 * so (design 4.9): its lanes may then have a second holder, for as long as a lease. */
static bool lane_was_lost(struct sim *sim, const struct sim_event *event) {
    if (event->olders == sim->redis_olders && !refused_by_age(event->record)) {
        return false;
    }
    sim_reference_all_dirty(sim, event->record->space);
    return true;
}

void sim_check_handed(struct sim *sim, const struct sim_event *event) {
    SIM_CHECK(sim, event->record->answers == 0 || lane_was_lost(sim, event),
              "what was settled is not done again: a write for an answered record");
}

void sim_check_write(struct sim *sim, const struct sim_event *event) {
    const struct sim_record *record = event->record;
    const struct sim_space *space = &sim->spaces[record->space];
    SIM_CHECK(sim, strcmp(event->call.space, space->name) == 0 || event->call.space[0] == '\0',
              "a write is about its command's space");
    if (record->dropped) {
        sim_reference_all_dirty(sim, record->space);
    }
    SIM_CHECK(sim, is_its_turn(sim, record) || lane_was_lost(sim, event),
              "commands of a space are carried out in their order, each after the one before was "
              "settled");
    char data_set[BERTH_UUID_BYTES];
    if (!sim_redis_data_set(sim->redis, data_set) || strcmp(data_set, event->data_set) != 0 ||
        event->olders != sim->redis_olders) {
        return; /* Who holds a lane was lost with Redis' data. */
    }
    char incarnation[BERTH_UUID_BYTES];
    (void)snprintf(incarnation, sizeof(incarnation), "00000000-0000-4000-9000-%04d%08u",
                   event->worker, event->life);
    struct sim_redis_space known;
    bool there =
        sim_redis_space(sim->redis, sim->registries[space->registry].name, space->name, &known);
    bool held = there && strcmp(known.holder.incarnation, incarnation) == 0 &&
                strcmp(known.holder.command_id, record->command.id) == 0;
    if (there) {
        sim_redis_space_deinit(&known);
    }
    SIM_CHECK(sim, held, "Harbor is written to only by whoever holds the lane");
}

/* ---- What is stored is so ---- */

static void check_bound(struct sim *sim, const struct sim_record *record,
                        const struct sim_state *there);

void sim_check_stored(struct sim *sim, const struct sim_event *event,
                      const struct sim_publication *publication) {
    const struct sim_record *record = event->record;
    const struct sim_space *space = &sim->spaces[record->space];
    const struct sim_state *after = &publication->result.after;
    struct sim_state there;
    sim->spaces[record->space].stored_by = event->worker;
    sim->spaces[record->space].stored_life = event->life;
    if (after->knowledge == BERTH_SPACE_UNKNOWN) {
        return;
    }
    sim_harbor_state(sim, record->space, &there);
    bool same = true;
    for (int facet = 0; facet < SIM_FACETS; facet++) {
        int64_t dirty_ms = space->dirty_ms[facet];
        bool looked = publication->rest.verified != 0 && facet != SIM_QUOTA &&
                      publication->rest.work_from_ms > space->touched_ms;
        if (dirty_ms < 0 || looked) {
            same &= sim_facet_equal(after, &there, (enum sim_facet)facet);
        }
    }
    if (!same) {
        char a[160];
        char b[160];
        sim_trace(sim, "#%d stores \"%s\", Harbor has \"%s\"", record->number,
                  sim_state_text(after, a, sizeof(a)), sim_state_text(&there, b, sizeof(b)));
    }
    SIM_CHECK(sim, same, "what an outcome says of the space is what Harbor has when it is stored");
    if (record->command.type == BERTH_BIND_WORKSPACE &&
        publication->result.kind == BERTH_SUCCEEDED &&
        publication->rest.work_from_ms > space->touched_ms) {
        check_bound(sim, record, &there);
    }
}

/* Whatever was done by hand before: deleted, disabled, altered, its secret set. */
static void check_bound(struct sim *sim, const struct sim_record *record,
                        const struct sim_state *there) {
    for (size_t i = 0; i < record->command.workspaces_count; i++) {
        int workspace = sim_workspace_of(record->command.workspaces[i].id);
        SIM_CHECK(sim,
                  there->robots[workspace] != 0 && !there->disabled[workspace] &&
                      !there->altered[workspace] && there->keyed[workspace],
                  "after a Bind each workspace pulls with what berth derives, and does no more");
        sim->spaces[record->space].secrets_by_hand[workspace] = 0;
    }
}

/* ---- Answers ---- */

static void check_agreement(struct sim *sim, const struct sim_item *item) {
    const struct sim_record *record = item->record;
    struct sim_command *command = &sim->commands[record->number];
    const struct sim_publication *publication = &item->publication;
    if (item->form == BERTH_PUBLISH_DIRECT || publication->result.kind == BERTH_FAILED) {
        return; /* Refused before the claim, or final for its own record only. */
    }
    if (memcmp(record->command.digest, command->first->command.digest, BERTH_DIGEST_BYTES) != 0 &&
        command->answered) {
        SIM_CHECK(sim, sim->redis_losses > command->losses,
                  "one id with two contents is answered once");
        return;
    }
    if (command->answered && command->losses == sim->redis_losses) {
        SIM_CHECK(sim, memcmp(&command->result, &publication->result, sizeof(command->result)) == 0,
                  "all final answers to one id with the same content agree");
    }
    if (!command->answered || command->losses != sim->redis_losses) {
        command->answered = true;
        command->result = publication->result;
        command->losses = publication->whole ? publication->rest.losses : sim->redis_losses;
    }
}

static void check_audit(struct sim *sim, const struct sim_item *item) {
    const struct sim_publication *publication = &item->publication;
    struct sim_command *command = &sim->commands[item->record->number];
    if (item->form == BERTH_PUBLISH_DIRECT || item->form == BERTH_PUBLISH_REPLAY ||
        publication->rest.audit == 0) {
        return;
    }
    if (command->audit_losses != publication->rest.losses) {
        command->audits_changed = 0;
        command->audit_losses = publication->rest.losses;
    }
    bool final = publication->result.kind != BERTH_FAILED;
    command->audits_changed += final && publication->result.changed != 0;
    SIM_CHECK(sim, command->audits_changed <= 1, "audit has each change once");
}

static void publish_state(struct sim *sim, const struct sim_item *item) {
    const struct sim_publication *publication = &item->publication;
    struct sim_space *space = &sim->spaces[item->record->space];
    if (publication->rest.publish_state == 0 || item->form == BERTH_PUBLISH_STORED_QUIETLY ||
        item->form == BERTH_PUBLISH_REPLAY) {
        return;
    }
    SIM_CHECK(sim, publication->rest.version > space->published_version || sim->redis_losses > 0,
              "no older state of a space is published after a newer one");
    space->published = true;
    space->published_version = publication->rest.version;
    space->published_state = publication->result.after;
    space->tombstone = publication->result.after.knowledge == BERTH_SPACE_ABSENT;
    SIM_CHECK(sim, sim->states_count < SIM_RECORDS_MAX, "the simulator's own logs have room");
    sim->states[sim->states_count].space = item->record->space;
    sim->states[sim->states_count].tombstone = space->tombstone;
    sim->states[sim->states_count].version = publication->rest.version;
    sim->states[sim->states_count].state = publication->result.after;
    sim->states_count++;
}

static void check_item(struct sim *sim, const struct sim_item *item) {
    struct sim_record *record = item->record;
    char text[160];
    record->answers++;
    record->answered_ms = sim->now_ms;
    record->form = item->form;
    record->answer = item->publication;
    sim->last_answer_ms = sim->now_ms;
    sim->unanswered -= !record->dropped;
    __atomic_add_fetch(&sim->meetings->answers, 1, __ATOMIC_RELAXED);
    sim_trace(sim, "answer #%d p%d@%lld %s %s: %s", record->number, record->partition,
              (long long)record->offset,
              berth_outcome_kind_name((enum berth_outcome_kind)item->publication.result.kind),
              item->publication.result.code,
              sim_state_text(&item->publication.result.after, text, sizeof(text)));
    SIM_CHECK(sim, record->answers == 1, "each record is answered exactly once");
    SIM_CHECK(sim, item->publication.whole || item->form == BERTH_PUBLISH_REPLAY,
              "the ledger keeps the whole of an outcome until it was committed");
    SIM_CHECK(sim, !goes_through_lane(record) || is_its_turn(sim, record),
              "commands of a space are answered in their order");
    if (refused_by_age(record)) {
        sim_reference_all_dirty(sim, record->space);
    }
    sim_reference_answer(sim, item);
    check_agreement(sim, item);
    check_audit(sim, item);
    publish_state(sim, item);
    if (item->publication.result.kind == BERTH_FAILED && record->number > 0 &&
        goes_through_lane(record)) {
        sim_producers_replay(sim, record);
    }
}

/* It is of a record that is settled, the highest one. */
static void check_mark(struct sim *sim, const struct sim_partition *partition,
                       const struct berth_log_mark *mark) {
    const struct sim_record *record = mark->offset < 0 ? NULL : partition->entries[mark->offset];
    SIM_CHECK(sim, mark->offset < 0 || record != NULL, "a mark points to a record of its log");
    SIM_CHECK(sim,
              record == NULL || (record->answers == 1 && mark->timestamp_ms == record->sent_ms &&
                                 mark->checksum == sim_record_checksum(sim, record)),
              "a mark is of a settled record");
    for (int64_t i = mark->offset + 1; i < partition->end; i++) {
        SIM_CHECK(sim, partition->entries[i] == NULL || partition->entries[i]->answers == 0,
                  "a mark is of the settled record with the highest offset");
    }
}

/* What is settled, by committed offset and map, has one answer, and nothing else has any. */
static void check_settled(struct sim *sim, struct sim_partition *partition) {
    struct berth_settled_run runs[SIM_RECORDS_MAX];
    struct berth_settled_map map;
    struct berth_log_mark mark;
    const char *map_text = NULL;
    char id[BERTH_LOG_ID_BYTES];
    berth_settled_map_init(&map, runs, SIM_RECORDS_MAX, partition->committed);
    SIM_CHECK(sim, berth_log_mark_read(partition->metadata, &mark, &map_text),
              "each committed offset bears the mark of its log");
    SIM_CHECK(sim, berth_settled_map_read(&map, map_text) == BERTH_SETTLED_READ,
              "the map that is committed with an offset can be read back");
    sim_log_id(partition, id);
    if (strcmp(mark.id, id) != 0) {
        return; /* It came late, from a reader of the log before. */
    }
    check_mark(sim, partition, &mark);
    for (int64_t i = partition->checked; i < partition->end; i++) {
        const struct sim_record *record = partition->entries[i];
        bool settled = berth_settled_map_has(&map, i);
        SIM_CHECK(sim, record == NULL || !settled || record->answers == 1,
                  "no offset is committed without its result");
        SIM_CHECK(sim, record == NULL || settled || record->answers == 0,
                  "no result is committed without its offset");
    }
    partition->checked = partition->committed;
}

void sim_check_commit(struct sim *sim, const struct sim_transaction *transaction) {
    for (size_t i = 0; i < transaction->items_count; i++) {
        check_item(sim, &transaction->items[i]);
    }
    for (size_t i = 0; i < transaction->offsets_count; i++) {
        struct sim_partition *partition = &sim->partitions[transaction->offsets[i].partition];
        check_settled(sim, partition);
    }
}

/* ---- Bounds ---- */

void sim_check_worker(struct sim *sim, const struct sim_worker *worker) {
    struct berth_engine_figures figures;
    berth_engine_figures(worker->engine, &figures);
    SIM_CHECK(sim, figures.taken_in <= worker->config.commands_max, "the bounds hold: commands");
    SIM_CHECK(sim, figures.worked_on <= worker->config.registries_count * 8,
              "the bounds hold: lanes");
    SIM_CHECK(sim, worker->pool.used_bytes <= worker->pool.limit_bytes, "the bounds hold: memory");
}

/* ---- The end ---- */

/* Whoever did what an older copy lacks can tell that it is one. When that worker is dead, and
 * nobody else has seen a higher sequence before others raised it again, nobody can. */
static bool is_unnoticed(struct sim *sim, const struct sim_space *space) {
    char data_set[BERTH_UUID_BYTES] = "";
    (void)sim_redis_data_set(sim->redis, data_set);
    const struct sim_worker *worker = &sim->workers[space->stored_by];
    bool lives = worker->engine != NULL && worker->life == space->stored_life;
    return !lives && space->stale_data_set[0] != '\0' &&
           strcmp(space->stale_data_set, data_set) == 0;
}

/* A worker whose clock is right held it for what one whose clock is wrong refused by age, and then
 * lost the record; or the record's log has gone. The next command of the space takes it over. */
static bool is_left_behind(const struct sim *sim, const struct berth_holder *holder) {
    int number = sim_number_of(holder->command_id);
    for (size_t i = 0; i < sim->records_count; i++) {
        const struct sim_record *record = &sim->records[i];
        if (record->number == number && (refused_by_age(record) || record->dropped)) {
            return true;
        }
    }
    return false;
}

static void check_space(struct sim *sim, int index) {
    const struct sim_space *space = &sim->spaces[index];
    const char *registry = sim->registries[space->registry].name;
    struct sim_state there;
    struct sim_state known = {.knowledge = BERTH_SPACE_UNKNOWN};
    struct sim_redis_space redis;
    char text[3][160];
    sim_harbor_state(sim, index, &there);
    if (sim_redis_space(sim->redis, registry, space->name, &redis)) {
        sim_state_of(&redis.state, &known);
        SIM_CHECK(sim, redis.holder.command_id[0] == '\0' || is_left_behind(sim, &redis.holder),
                  "when all is quiet every lane is free");
        sim_redis_space_deinit(&redis);
    }
    sim_trace(sim, "%s/%s: Harbor \"%s\", reference \"%s\", Redis \"%s\"", registry, space->name,
              sim_state_text(&there, text[0], sizeof(text[0])),
              sim_state_text(&space->reference, text[1], sizeof(text[1])),
              sim_state_text(&known, text[2], sizeof(text[2])));
    for (int facet = 0; facet < SIM_FACETS; facet++) {
        if (space->dirty_ms[facet] >= 0 || space->dirty_ms[SIM_EXISTENCE] >= 0) {
            continue;
        }
        SIM_CHECK(
            sim, sim_facet_equal(&there, &space->reference, (enum sim_facet)facet),
            "Harbor ends as if each command had been applied once, in the order of its space");
        SIM_CHECK(sim,
                  known.knowledge == BERTH_SPACE_UNKNOWN || is_unnoticed(sim, space) ||
                      sim_facet_equal(&there, &known, (enum sim_facet)facet),
                  "Redis agrees with Harbor when all is quiet");
    }
    for (int i = 0; i < SIM_WORKSPACES && space->dirty_ms[SIM_BINDINGS] < 0 &&
                    space->dirty_ms[SIM_EXISTENCE] < 0;
         i++) {
        bool by_hand = known.robots[i] == space->secrets_by_hand[i];
        SIM_CHECK(sim, known.robots[i] == 0 || !known.keyed[i] || there.keyed[i] || by_hand,
                  "a binding that Redis says is made has its pull secret in Harbor");
    }
}

static void check_index(struct sim *sim, int index) {
    const struct sim_space *space = &sim->spaces[index];
    const char *registry = sim->registries[space->registry].name;
    struct sim_redis_space redis;
    struct sim_state known = {.knowledge = BERTH_SPACE_UNKNOWN};
    char member[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    char key[128];
    (void)snprintf(member, sizeof(member), "%s/%s", registry, space->name);
    (void)snprintf(key, sizeof(key), "%sregistry:%s", SIM_REDIS_PREFIX, registry);
    if (sim_redis_space(sim->redis, registry, space->name, &redis)) {
        sim_state_of(&redis.state, &known);
        sim_redis_space_deinit(&redis);
    }
    bool present = known.knowledge == BERTH_SPACE_PRESENT;
    SIM_CHECK(sim, sim_redis_has_member(sim->redis, key, member) == present,
              "Redis' index of spaces has those that are there");
    for (int i = 0; i < SIM_WORKSPACES; i++) {
        (void)snprintf(key, sizeof(key), "%sworkspace:t%d", SIM_REDIS_PREFIX, i);
        SIM_CHECK(
            sim, sim_redis_has_member(sim->redis, key, member) == (present && known.robots[i] != 0),
            "Redis' index of workspaces has the spaces that they are bound to");
    }
}

/* Where nothing else goes wrong: one space answers nothing, and the others are done soon. */
static void check_neighbours(struct sim *sim) {
    for (size_t i = 0; i < sim->records_count; i++) {
        const struct sim_record *record = &sim->records[i];
        if (record->space == 0 || record->sent_ms == 0) {
            continue;
        }
        SIM_CHECK(sim, record->answered_ms - record->sent_ms < SIM_NEIGHBOUR_MS,
                  "a slow space never holds up another");
    }
}

void sim_check_end(struct sim *sim) {
    if (sim->slow_world) {
        check_neighbours(sim);
    }
    for (size_t i = 0; i < sim->records_count; i++) {
        const struct sim_record *record = &sim->records[i];
        bool right = record->answers == 1 || (record->dropped && record->answers == 0);
        SIM_CHECK(sim, record->sent_ms == 0 || right, "each record is answered exactly once");
    }
    for (int i = 0; i < sim->partitions_count; i++) {
        const struct sim_partition *partition = &sim->partitions[i];
        int64_t end = partition->end;
        while (end > 0 && partition->entries[end - 1] == NULL) {
            end--;
        }
        SIM_CHECK(sim, partition->committed >= end || (end == 0 && partition->log > 0),
                  "when all is quiet every offset is committed");
    }
    for (int i = 0; i < sim->spaces_count; i++) {
        check_space(sim, i);
        check_index(sim, i);
    }
    uint64_t calm_ms = sim->last_answer_ms > sim->calm_from_ms
                           ? (uint64_t)(sim->last_answer_ms - sim->calm_from_ms)
                           : 0;
    if (calm_ms > sim->meetings->calm_ms_max) {
        sim->meetings->calm_ms_max = calm_ms;
        sim->meetings->calm_seed = sim->seed;
    }
}
