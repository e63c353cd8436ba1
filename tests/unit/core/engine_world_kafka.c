/* SPDX-License-Identifier: Apache-2.0 */
/* Logs, transactions, and what follows from what was answered: what Harbor must be like. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/core/space.h"
#include "engine_world_parts.h"

static void commit(struct world *world, const struct world_event *event);
static void commit_item(struct world *world, const struct world_item *item);
static bool overtaken(struct world *world, const struct world_item *item);
static void publish_state(struct world *world, const struct world_item *item);
static void expect(struct world *world, const struct world_item *item);

/* Kafka takes offsets only from whoever owns the partition in this generation, and nothing at all
 * from a producer that was fenced by its own later start. */
static bool may_commit(struct world *world, const struct world_event *event) {
    if (event->fault == WORLD_ABORT || world->workers[event->worker].life != event->life) {
        return false;
    }
    for (size_t i = 0; i < event->offsets_count; i++) {
        const struct world_partition *partition = &world->partitions[event->partitions[i]];
        if (partition->owner != event->worker || partition->epoch != event->epochs[i]) {
            return false;
        }
    }
    return true;
}

static uint8_t outputs_of(const struct world_item *item) {
    const struct world_publication *publication = &item->publication;
    unsigned outputs = item->record->undecodable ? 0 : WORLD_RESULTS;
    if (item->form != BERTH_PUBLISH_REPLAY && !publication->result_only) {
        outputs |= publication->audit ? WORLD_AUDIT : 0;
        outputs |= publication->dead_letter ? WORLD_DEAD_LETTERS : 0;
        outputs |= publication->publish_state && item->form != BERTH_PUBLISH_STORED_QUIETLY
                       ? WORLD_STATES
                       : 0;
    }
    return (uint8_t)outputs;
}

static bool outputs_refuse(const struct world *world, struct world_event *answer) {
    for (size_t i = 0; i < answer->items_count && world->now_ms < world->outputs_refused_until_ms;
         i++) {
        answer->refused_by[i] = outputs_of(&answer->items[i]) & world->outputs_refused;
        answer->refused |= answer->refused_by[i];
    }
    return answer->refused != 0;
}

void kafka_decides(struct world *world, struct world_event *event) {
    struct world_event answer = *event;
    event->items = NULL; /* The copy owns them now. */
    answer.kind = WORLD_KAFKA_ANSWERS;
    answer.committed = may_commit(world, event) && !outputs_refuse(world, &answer);
    if (answer.committed) {
        commit(world, &answer);
    } else {
        world->aborts++;
    }
    world_post(world, &answer, 1);
}

static void commit(struct world *world, const struct world_event *event) {
    for (size_t i = 0; i < event->items_count; i++) {
        commit_item(world, &event->items[i]);
    }
    for (size_t i = 0; i < event->offsets_count; i++) {
        struct world_partition *partition = &world->partitions[event->partitions[i]];
        int64_t offset = event->offsets[i].offset;
        WORLD_CHECK(world, offset >= partition->committed);
        WORLD_CHECK(world, offset >= partition->start);
        WORLD_CHECK(world, offset <= partition->end);
        /* Where nothing was ever committed, the start comes first and alone (design 4.10). */
        WORLD_CHECK(world, partition->committed >= 0 || offset == partition->start);
        /* The engine lives, so its text is still there. */
        WORLD_CHECK(world, strlen(event->offsets[i].metadata) <= BERTH_SETTLED_TEXT_MAX);
        partition->committed = offset;
        (void)snprintf(partition->metadata, sizeof(partition->metadata), "%s",
                       event->offsets[i].metadata);
    }
    kafka_check(world);
}

/* What is settled, by committed offset and map, has one answer, and nothing else has any. */
void kafka_check(const struct world *world) {
    for (size_t p = 0; p < WORLD_PARTITIONS; p++) {
        const struct world_partition *partition = &world->partitions[p];
        if (partition->committed < 0 || partition->map_was_lost) {
            continue;
        }
        struct berth_settled_run runs[WORLD_RECORDS_MAX];
        struct berth_settled_map map;
        berth_settled_map_init(&map, runs, WORLD_RECORDS_MAX, partition->committed);
        enum berth_settled_reading reading = berth_settled_map_read(&map, partition->metadata);
        WORLD_CHECK(world, reading == BERTH_SETTLED_READ);
        int64_t first =
            partition->start > partition->log_start ? partition->start : partition->log_start;
        for (int64_t i = first; i < partition->end; i++) {
            const struct world_record *record = &partition->records[i];
            int wanted = berth_settled_map_has(&map, i) ? 1 : 0;
            WORLD_CHECK(world, record->marker || record->answers == wanted);
        }
    }
}

static void commit_item(struct world *world, const struct world_item *item) {
    struct world_record *record = item->record;
    record->answers++;
    record->form = item->form;
    record->answer = item->publication;
    trace(world, "answer #%d %s %s: \"%s\" became \"%s\"", record->number,
          berth_outcome_kind_name(item->publication.kind), item->publication.code,
          item->publication.before, item->publication.after);
    WORLD_CHECK(world, record->answers == 1 || world->partitions[record->partition].map_was_lost);
    if (item->form == BERTH_PUBLISH_DIRECT) {
        if (strcmp(item->publication.code, "ledger.key_unusable") == 0) {
            /* It may have been done, and even stored, all the same; nothing is published of it. */
            expect(world, item);
            ledger_command(world, record)->given_up = true;
            uint32_t registry = strcmp(record->command.registry, "main") == 0 ? 0 : 1;
            kafka_expected(world, registry, record->command.space)->published = false;
        }
        return;
    }
    const struct world_ledger_command *command = ledger_command(world, record);
    if (!world->ledger_was_lost) {
        WORLD_CHECK(world, command->stored);
        bool replay = item->form == BERTH_PUBLISH_REPLAY;
        WORLD_CHECK(world, replay ? same_result(&command->publication, &item->publication)
                                  : same_publication(&command->publication, &item->publication));
    }
    if (item->form != BERTH_PUBLISH_REPLAY && !overtaken(world, item)) {
        publish_state(world, item);
        expect(world, item);
    }
}

/* What it tells of the space was so once; meanwhile another command has gone past it. */
static bool overtaken(struct world *world, const struct world_item *item) {
    const struct berth_command *command = &item->record->command;
    uint32_t registry = strcmp(command->registry, "main") == 0 ? 0 : 1;
    const struct world_expected *expected = kafka_expected(world, registry, command->space);
    return item->form == BERTH_PUBLISH_STORED_QUIETLY && item->publication.version > 0 &&
           item->publication.version < expected->published_version;
}

/* The topic of spaces is compacted: what comes later in it is what counts. */
static void publish_state(struct world *world, const struct world_item *item) {
    const struct world_publication *publication = &item->publication;
    const struct berth_command *command = &item->record->command;
    if (!publication->publish_state || item->form == BERTH_PUBLISH_STORED_QUIETLY) {
        return;
    }
    uint32_t registry = strcmp(command->registry, "main") == 0 ? 0 : 1;
    struct world_expected *expected = kafka_expected(world, registry, command->space);
    WORLD_CHECK(world, publication->version > expected->published_version);
    expected->published = true;
    expected->published_version = publication->version;
    (void)snprintf(expected->published_state, sizeof(expected->published_state), "%s",
                   publication->after);
}

/* ---- What is expected ---- */

struct world_expected *kafka_expected(struct world *world, uint32_t registry, const char *name) {
    for (size_t i = 0; i < WORLD_SPACES_MAX; i++) {
        struct world_expected *expected = &world->expected[i];
        if (expected->name[0] == '\0') {
            (void)snprintf(expected->name, sizeof(expected->name), "%s", name);
            expected->registry = registry;
            expected->state.knowledge = BERTH_SPACE_ABSENT;
        }
        if (expected->registry == registry && strcmp(expected->name, name) == 0) {
            return expected;
        }
    }
    world_fail(world, "too many spaces", __FILE__, __LINE__);
}

static void expect_bindings(struct world *world, struct berth_space_state *state,
                            const struct berth_command *command) {
    if (command->type == BERTH_SET_WORKSPACE_BINDINGS) {
        state->bindings_count = 0;
    }
    for (size_t i = 0; i < command->workspaces_count; i++) {
        struct berth_binding binding = {.robot_id = 1};
        (void)snprintf(binding.workspace, sizeof(binding.workspace), "%s",
                       command->workspaces[i].id);
        if (command->type == BERTH_UNBIND_WORKSPACE) {
            (void)berth_space_state_remove(state, binding.workspace);
        } else {
            berth_space_state_put(state, &binding, &world->pool);
        }
    }
}

static void expect_success(struct world *world, struct berth_space_state *state,
                           const struct berth_command *command) {
    bool creates = command->type == BERTH_CREATE_SPACE;
    if (command->type == BERTH_DELETE_SPACE) {
        berth_space_state_deinit(state, &world->pool);
        state->knowledge = BERTH_SPACE_ABSENT;
        return;
    }
    if (creates && state->knowledge == BERTH_SPACE_ABSENT) {
        state->knowledge = BERTH_SPACE_PRESENT;
        state->visibility = BERTH_PRIVATE;
        state->quota_bytes = BERTH_QUOTA_UNLIMITED;
    }
    if (state->knowledge == BERTH_SPACE_ABSENT) {
        return; /* Unbinding from what isn't there. */
    }
    if (creates || command->type == BERTH_UPDATE_SPACE) {
        state->visibility =
            command->visibility != BERTH_VISIBILITY_UNSET ? command->visibility : state->visibility;
        state->quota_bytes = command->quota_given ? command->quota_bytes : state->quota_bytes;
        return;
    }
    expect_bindings(world, state, command);
}

/* Where a space's commands are all in one partition, what each met is what the one before had left,
 * however often it was claimed. CreateSpace with FAIL takes it for granted. */
static void check_before(struct world *world, const struct world_item *item,
                         const struct world_expected *expected) {
    const struct berth_command *command = &item->record->command;
    const struct world_publication *publication = &item->publication;
    char text[WORLD_STATE_BYTES];
    text_of_state(&expected->state, text);
    bool told = strcmp(publication->before, "unknown") != 0 && !publication->result_only;
    bool assumed =
        command->type == BERTH_CREATE_SPACE && command->if_exists == BERTH_IF_EXISTS_FAIL;
    bool lost = !world->spaces_keep_partitions || world->ledger_was_lost ||
                expected->ledger_may_differ || ledger_command(world, item->record)->given_up;
    WORLD_CHECK(world, !told || assumed || lost || strcmp(publication->before, text) == 0);
}

static void expect(struct world *world, const struct world_item *item) {
    const struct berth_command *command = &item->record->command;
    const struct world_publication *publication = &item->publication;
    uint32_t registry = strcmp(command->registry, "main") == 0 ? 0 : 1;
    struct world_expected *expected = kafka_expected(world, registry, command->space);
    char text[WORLD_STATE_BYTES];
    check_before(world, item, expected);

    /* Until somebody says again what is there. */
    expected->ledger_may_differ &= strcmp(publication->after, "unknown") == 0;
    if (publication->kind == BERTH_SUCCEEDED) {
        expect_success(world, &expected->state, command);
        text_of_state(&expected->state, text);
        WORLD_CHECK(world, strcmp(publication->after, text) == 0);
        bool binds =
            command->type == BERTH_BIND_WORKSPACE || command->type == BERTH_SET_WORKSPACE_BINDINGS;
        for (size_t i = 0; binds && i < command->workspaces_count; i++) {
            WORLD_CHECK(world, harbor_secret_set(world, registry, command->space,
                                                 command->workspaces[i].id));
        }
        return;
    }
    bool unproved = strcmp(publication->code, "space.create_unproved") == 0;
    bool partly = strncmp(publication->code, "binding.", strlen("binding.")) == 0;
    bool resumed = ledger_command(world, item->record)->given_up;
    if (publication->kind == BERTH_FAILED || unproved || partly || resumed) {
        /* How far it came is told by the answer, or by nobody. */
        harbor_state(world, registry, command->space, &expected->state);
        text_of_state(&expected->state, text);
        bool told = strcmp(publication->after, "unknown") != 0;
        WORLD_CHECK(world, !told || strcmp(publication->after, text) == 0);
        expected->ledger_may_differ = !told;
    }
}
