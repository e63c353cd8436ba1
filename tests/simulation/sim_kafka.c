/* SPDX-License-Identifier: Apache-2.0 */
/* Logs, transactions and committed offsets, with Kafka's rules of who may do what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim.h"

/* ---- Logs ---- */

void sim_append(struct sim *sim, struct sim_record *record, int index) {
    struct sim_partition *partition = &sim->partitions[index];
    SIM_CHECK(sim, partition->end < SIM_RECORDS_MAX - 8, "the simulator's own logs have room");
    if (sim_chance(sim, 6)) {
        /* Markers of a producer's transactions, or what compaction left: nobody is given them. */
        partition->end += 1 + sim_below(sim, 3);
    }
    record->partition = index;
    record->log = partition->log;
    record->offset = partition->end;
    record->sent_ms = sim->now_ms;
    partition->entries[partition->end++] = record;
    sim->unanswered++;
    sim_trace(sim, "p%d@%lld #%d %s %s%s", index, (long long)record->offset, record->number,
              berth_command_type_name(record->command.type), record->key,
              record->undecodable ? " (undecodable)" : "");
    if (partition->owner >= 0 && sim->workers[partition->owner].engine != NULL) {
        struct sim_event *fetches = sim_event(sim, SIM_EVENT_TELLS, partition->owner);
        fetches->tells = (struct berth_event){.kind = BERTH_EVENT_TIME};
        sim_post(sim, fetches, 1 + sim_below(sim, 20));
    }
}

/* ---- Transactions ---- */

void sim_transaction_unref(struct sim_transaction *transaction) {
    if (--transaction->holders > 0) {
        return;
    }
    for (size_t i = 0; i < transaction->offsets_count; i++) {
        free(transaction->offsets[i].metadata);
    }
    free(transaction);
}

static void post(struct sim *sim, struct sim_transaction *transaction, enum sim_event_kind kind,
                 int64_t delay_ms) {
    struct sim_event *event = sim_event(sim, kind, transaction->worker);
    event->transaction = transaction;
    event->life = transaction->life;
    transaction->holders++;
    sim_post(sim, event, delay_ms);
}

static void add_items(struct sim *sim, struct sim_worker *worker,
                      struct sim_transaction *transaction, const struct berth_effect *effect) {
    transaction->items_count = effect->publish.items_count;
    for (size_t i = 0; i < transaction->items_count; i++) {
        const struct berth_publish_item *item = &effect->publish.items[i];
        struct sim_slot *slot = &worker->slots[item->slot];
        struct sim_item *copy = &transaction->items[i];
        SIM_CHECK(sim, slot->taken && strcmp(item->command->id, slot->record->command.id) == 0,
                  "what is published is the slot's");
        SIM_CHECK(sim, item->source->offset == slot->record->offset,
                  "what is published bears its record's source");
        if (item->form == BERTH_PUBLISH_DIRECT) {
            sim_publication_of(sim, slot, item->outcome, &slot->publication);
        }
        SIM_CHECK(sim, slot->publication.made, "what is published was made");
        copy->record = slot->record;
        copy->form = item->form;
        copy->publication = slot->publication;
        enum sim_fault fault = sim_faults_meet(sim, worker, slot, SIM_STEP_PUBLISH);
        transaction->fault = fault != SIM_NO_FAULT ? fault : transaction->fault;
        sim_trace(sim, "w%d #%d publishes %s, form %d", worker->number, slot->record->number,
                  slot->publication.result.code, (int)item->form);
    }
}

/* As the daemon does it. */
static char *join(const struct berth_log_mark *log, const char *map) {
    char mark[BERTH_LOG_MARK_TEXT_BYTES];
    berth_log_mark_write(log, mark);
    size_t bytes = strlen(mark) + strlen(map) + 2;
    char *text = malloc(bytes);
    BERTH_ASSERT(text != NULL);
    (void)snprintf(text, bytes, "%s%s%s", mark, map[0] == '\0' ? "" : " ", map);
    return text;
}

static void add_offsets(struct sim *sim, struct sim_worker *worker,
                        struct sim_transaction *transaction, const struct berth_effect *effect) {
    transaction->offsets_count = effect->publish.offsets_count;
    for (size_t i = 0; i < transaction->offsets_count; i++) {
        const struct berth_publish_offset *offset = &effect->publish.offsets[i];
        const struct sim_assignment *assignment = &worker->assignments[offset->partition];
        SIM_CHECK(sim, assignment->in_use, "only outcomes of live epochs are handed over");
        transaction->offsets[i].partition = assignment->partition;
        transaction->offsets[i].offset = offset->offset;
        transaction->offsets[i].metadata = join(&offset->log, offset->metadata);
        sim_trace(sim, "w%d offset p%d@%lld%s", worker->number, assignment->partition,
                  (long long)offset->offset, offset->metadata[0] == '\0' ? "" : " and a map");
    }
}

void sim_publish(struct sim *sim, struct sim_worker *worker, const struct berth_effect *effect) {
    SIM_CHECK(sim, effect->publish.items_count <= SIM_BATCH_MAX, "a batch keeps its bound");
    SIM_CHECK(sim, effect->publish.offsets_count <= SIM_NUMBERS, "a batch keeps its bound");
    struct sim_transaction *transaction = calloc(1, sizeof(*transaction));
    BERTH_ASSERT(transaction != NULL);
    transaction->worker = worker->number;
    transaction->life = worker->life;
    transaction->fault = SIM_NO_FAULT;
    transaction->producer_epoch = worker->producer_epoch;
    /* The group's metadata, as this worker knows it at this moment. */
    transaction->member_id = worker->known_member_id;
    transaction->generation = worker->known_generation;
    transaction->holders = 1;
    add_items(sim, worker, transaction, effect);
    add_offsets(sim, worker, transaction, effect);
    post(sim, transaction, SIM_EVENT_TRANSACTION_OPENS, 1 + sim_below(sim, 5));
    sim_transaction_unref(transaction);
}

/* Of TxnOffsetCommit: the member and the generation must be the group's; who owns a partition isn't
 * looked at. */
static bool group_takes(const struct sim *sim, const struct sim_transaction *transaction) {
    const struct sim_worker *worker = &sim->workers[transaction->worker];
    return worker->member && worker->member_id == transaction->member_id &&
           sim->generation == transaction->generation;
}

void sim_transaction_opens(struct sim *sim, struct sim_event *event) {
    struct sim_transaction *transaction = event->transaction;
    const struct sim_worker *worker = &sim->workers[transaction->worker];
    int64_t ends_ms = 1 + sim_below(sim, 20);
    if (transaction->producer_epoch == worker->producer_epoch && group_takes(sim, transaction)) {
        BERTH_ASSERT(sim->open_count < sizeof(sim->open) / sizeof(sim->open[0]));
        transaction->state = SIM_TRANSACTION_OPEN;
        transaction->holders++;
        sim->open[sim->open_count++] = transaction;
        for (size_t i = 0; i < transaction->offsets_count; i++) {
            sim->partitions[transaction->offsets[i].partition].pending++;
        }
        post(sim, transaction, SIM_EVENT_TRANSACTION_EXPIRES, SIM_TRANSACTION_MS);
        if (transaction->fault == SIM_TIMED_OUT) {
            ends_ms += 2000 + sim_below(sim, SIM_TRANSACTION_MS);
        }
    } else {
        sim_trace(sim, "w%d transaction is refused by the group", worker->number);
    }
    post(sim, transaction, SIM_EVENT_TRANSACTION_ENDS, ends_ms);
}

/* The broker looks at names only. */
static bool of_this_log(const struct sim_partition *partition, const char *metadata) {
    struct berth_log_mark mark;
    char id[BERTH_LOG_ID_BYTES];
    sim_log_id(partition, id);
    return berth_log_mark_read(metadata, &mark, NULL) && strcmp(mark.id, id) == 0;
}

static void commit(struct sim *sim, struct sim_transaction *transaction) {
    for (size_t i = 0; i < transaction->offsets_count; i++) {
        struct sim_partition *partition = &sim->partitions[transaction->offsets[i].partition];
        int64_t offset = transaction->offsets[i].offset;
        bool ours = of_this_log(partition, transaction->offsets[i].metadata);
        bool falls = of_this_log(partition, partition->metadata) && offset < partition->committed;
        SIM_CHECK(sim, !ours || !falls, "a committed offset never falls");
        SIM_CHECK(sim, !ours || offset <= partition->end,
                  "no offset beyond the log's end is committed");
        SIM_CHECK(sim, !ours || partition->committed >= 0 || offset == 0,
                  "where nothing was committed, the start comes first and alone");
        partition->committed = offset;
        SIM_CHECK(sim, strlen(transaction->offsets[i].metadata) < sizeof(partition->metadata),
                  "the bounds hold: an offset's metadata");
        (void)snprintf(partition->metadata, sizeof(partition->metadata), "%s",
                       transaction->offsets[i].metadata);
    }
    sim_check_commit(sim, transaction);
}

/* It is decided, whether by its producer, its time-out or its next start. */
static void end(struct sim *sim, struct sim_transaction *transaction, bool committed) {
    BERTH_ASSERT(transaction->state == SIM_TRANSACTION_OPEN);
    transaction->state = SIM_TRANSACTION_ENDED;
    transaction->committed = committed;
    for (size_t i = 0; i < transaction->offsets_count; i++) {
        sim->partitions[transaction->offsets[i].partition].pending--;
    }
    size_t at = 0;
    while (sim->open[at] != transaction) {
        at++;
    }
    sim->open[at] = sim->open[--sim->open_count];
    sim_trace(sim, "w%d transaction %s", transaction->worker, committed ? "commits" : "aborts");
    if (committed) {
        commit(sim, transaction);
    }
    sim_transaction_unref(transaction);
}

void sim_transaction_ends(struct sim *sim, struct sim_event *event) {
    struct sim_transaction *transaction = event->transaction;
    const struct sim_worker *worker = &sim->workers[transaction->worker];
    if (transaction->state == SIM_TRANSACTION_OPEN) {
        bool ours = transaction->producer_epoch == worker->producer_epoch;
        bool aborts = transaction->fault == SIM_ABORTED || transaction->fault == SIM_FENCED ||
                      sim_outputs_refuse(sim, transaction);
        end(sim, transaction, ours && !aborts);
    }
    post(sim, transaction, SIM_EVENT_TRANSACTION_ANSWERS,
         1 + sim_below(sim, sim_chance(sim, 5) ? 3000 : 5));
}

void sim_transaction_answers(struct sim *sim, struct sim_event *event) {
    struct sim_transaction *transaction = event->transaction;
    struct sim_worker *worker = &sim->workers[transaction->worker];
    if (transaction->fault == SIM_FENCED) {
        /* "Another process publishes as this instance": the worker ends, and is started again. */
        sim_worker_kill(sim, worker, 500 + sim_below(sim, 3000));
        return;
    }
    struct berth_event told = {.kind = BERTH_EVENT_TRANSACTION,
                               .transaction = {.committed = transaction->committed,
                                               .refused_by = transaction->refused_by}};
    sim_trace(sim, "w%d hears: %s", worker->number,
              transaction->committed ? "committed" : "aborted");
    sim_outputs_heard(sim, transaction);
    sim_worker_step(sim, worker, &told);
}

/* The coordinator aborts it and raises the producer's epoch: its owner is told that it is fenced,
 * and makes its producer anew. */
void sim_transaction_expires(struct sim *sim, struct sim_event *event) {
    struct sim_transaction *transaction = event->transaction;
    if (transaction->state == SIM_TRANSACTION_OPEN) {
        sim->workers[transaction->worker].producer_epoch++;
        end(sim, transaction, false);
    }
}

void sim_producer_starts(struct sim *sim, struct sim_worker *worker) {
    worker->producer_epoch++;
    for (size_t i = sim->open_count; i > 0; i--) {
        if (i <= sim->open_count && sim->open[i - 1]->worker == worker->number) {
            end(sim, sim->open[i - 1], false);
        }
    }
}
