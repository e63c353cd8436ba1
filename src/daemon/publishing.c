/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a PUBLISH effect to one Kafka transaction, and back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/base/log.h"
#include "berth/codec/events.h"
#include "berth/codec/identity.h"
#include "berth/core/settled_map.h"
#include "berth/io/kafka_record.h"
#include "worker_parts.h"

/* A batch in which a record was too large for its topic is made again, its culprit so much smaller.
 */
#define SHRUNK 8
/* So often an item is tried alone before it is set aside. */
#define REFUSALS_MAX 3

static const uint8_t *blame(struct worker *worker, const struct berth_batch_result *result);
static void hear_outputs(struct worker *worker, const struct berth_batch_result *result);
static void add_item(struct worker *worker, const struct berth_publish_item *item);
static void add_offset(struct worker *worker, const struct berth_publish_offset *offset);
static size_t joined_len(const char *mark, const char *map);
static void leave_out_long_maps(struct worker *worker);
static void prepare(struct worker *worker, const struct berth_publish_item *item);
static enum berth_rc open_publication(const struct berth_publication *publication,
                                      enum berth_publish_form form,
                                      struct berth_publication_reader *ret_reader);
static void add_record(struct worker *worker, uint32_t slot,
                       const struct berth_event_record *record);
static void add_dead_letter(struct worker *worker, uint32_t slot,
                            const struct berth_event_record *record);
static size_t bytes_of(const struct berth_header *headers, size_t count);
static const struct smaller *make_smaller(struct worker *worker, uint32_t number,
                                          enum berth_record_kind kind, struct berth_bytes value);
static struct berth_bytes describe_omitted(char *text, size_t size, struct berth_bytes value);
static void must(struct worker *worker, enum berth_rc rc);

void worker_publish(struct worker *worker, const struct berth_effect *effect) {
    struct outbox *outbox = &worker->outbox;
    outbox_clear(outbox);
    outputs_begin(&worker->outputs);
    for (size_t i = 0; i < effect->publish.items_count; i++) {
        add_item(worker, &effect->publish.items[i]);
    }
    worker->map_len_longest = 0;
    /* What was left behind by no other transaction: the publisher may have to know it again. */
    (void)snprintf(worker->map_omitted, sizeof(worker->map_omitted), "omitted %s %" PRIu64,
                   worker->incarnation, worker->batch_number);
    for (size_t i = 0; i < effect->publish.offsets_count; i++) {
        add_offset(worker, &effect->publish.offsets[i]);
    }
    outbox_seal(outbox);
    worker->batch_refused = outputs_blame(&worker->outputs) != NULL;
    if (worker->batch_refused) {
        return; /* Without asking anybody: it is known that it would be. */
    }

    /* The group's generation is taken at this very moment, again at each new try (design 5). */
    struct berth_group_metadata *metadata = NULL;
    enum berth_rc rc = berth_consumer_group_metadata(worker->consumer, &metadata);
    if (rc == BERTH_NOT_FOUND) {
        worker->batch_refused = true;
        return;
    }
    must(worker, rc);
    if (worker->failed) {
        berth_group_metadata_free(metadata);
        return;
    }
    rc = berth_publisher_submit(worker->publisher, &(struct berth_batch){
                                                       .id = ++worker->batch_number,
                                                       .records = outbox->records,
                                                       .records_count = outbox->count,
                                                       .offsets = outbox->offsets,
                                                       .offsets_count = outbox->offsets_count,
                                                       .take_group_metadata = metadata,
                                                   });
    if (rc != BERTH_OK) {
        berth_group_metadata_free(metadata);
        worker_fail(worker, "the publisher takes no batch (%s)", berth_rc_name(rc));
    }
}

void worker_answer_refused_batch(struct worker *worker) {
    if (worker->batch_refused) {
        worker->batch_refused = false;
        worker_step(worker, &(struct berth_event){
                                .kind = BERTH_EVENT_TRANSACTION,
                                .transaction = {.refused_by = outputs_blame(&worker->outputs)}});
    }
}

static void add_offset(struct worker *worker, const struct berth_publish_offset *offset) {
    char text[BERTH_LOG_MARK_TEXT_BYTES];
    berth_log_mark_write(&offset->log, text);
    const char *mark = text;
    const char *map = offset->metadata;
    if (joined_len(mark, map) > worker->map_len_max) {
        map = worker->map_omitted;
    }
    if (joined_len(mark, map) > worker->map_len_max) {
        mark = "";
    }
    if (joined_len(mark, map) > worker->map_len_max) {
        map = "";
    }
    if (joined_len(mark, map) > worker->map_len_longest) {
        worker->map_len_longest = joined_len(mark, map);
    }
    must(worker, outbox_add_offset(&worker->outbox,
                                   &(struct berth_batch_offset){
                                       .topic = worker_lasting_topic(worker, offset->topic),
                                       .partition = offset->number,
                                       .offset = offset->offset},
                                   mark, map));
}

static size_t joined_len(const char *mark, const char *map) {
    size_t between = mark[0] != '\0' && map[0] != '\0' ? 1 : 0;
    return strlen(mark) + between + strlen(map);
}

/* The brokers take less than Kafka's default. What they refused would be refused again and again.
 */
static void leave_out_long_maps(struct worker *worker) {
    if (worker->map_len_longest == 0) {
        return;
    }
    worker->map_len_max = worker->map_len_longest - 1;
    berth_log(BERTH_LOG_ERROR, "partition.map_refused",
              "length=%zu remedy=\"set offset.metadata.max.bytes of the brokers to %d (their "
              "default): without its map, what is settled out of order is answered again after a "
              "restart\"",
              worker->map_len_longest, BERTH_METADATA_MAX);
}

/* The engine's text goes with its partition, which may be lost while the transaction is under way.
 */
const char *worker_lasting_topic(const struct worker *worker, const char *topic) {
    for (size_t i = 0; i < worker->config->registries_count; i++) {
        if (strcmp(worker->config->registries[i].command_topic, topic) == 0) {
            return worker->config->registries[i].command_topic;
        }
    }
    BERTH_UNREACHABLE("only configured topics are subscribed to");
}

void worker_published(void *ctx, const struct berth_batch_result *result) {
    struct worker *worker = ctx;
    if (result->outcome == BERTH_BATCH_FENCED) {
        worker_fail(worker,
                    "another process publishes as this instance (%s); give each worker an instance "
                    "of its own",
                    result->text);
        return;
    }
    bool committed = result->outcome == BERTH_BATCH_COMMITTED;
    const uint8_t *refused_by = NULL;
    if (committed) {
        trouble_over(&worker->kafka_trouble);
        outputs_committed(&worker->outputs);
        worker_dead_letters_published(worker);
    } else {
        hear_outputs(worker, result);
        refused_by = blame(worker, result);
        berth_log(BERTH_LOG_WARNING, "transaction.aborted",
                  "batch=%" PRIu64 " why=%s reason=\"%s\"", result->id,
                  berth_batch_outcome_name(result->outcome), result->text);
        if (result->metadata_too_large) {
            leave_out_long_maps(worker);
        }
        if (result->culprit >= 0) {
            uint32_t slot = worker->outbox.slots[result->culprit];
            berth_slot_at(&worker->slots, slot)->too_large = true;
        }
    }
    worker_step(worker, &(struct berth_event){
                            .kind = BERTH_EVENT_TRANSACTION,
                            .transaction = {.committed = committed, .refused_by = refused_by}});
}

/* What the records' own fates say of the topics. What they don't say, a look at the topics does. */
static void hear_outputs(struct worker *worker, const struct berth_batch_result *result) {
    bool look = result->denied;
    for (size_t i = 0; i < BERTH_RECORD_KINDS; i++) {
        enum berth_record_kind kind = (enum berth_record_kind)i;
        const struct berth_batch_output *output = &result->outputs[i];
        switch (output->verdict) {
        case BERTH_OUTPUT_FINE:
            continue;
        case BERTH_OUTPUT_TOO_LARGE:
            outputs_too_large(&worker->outputs, kind, output->bytes);
            berth_publisher_limit_batches(worker->publisher, outputs_batch_bytes(&worker->outputs));
            break;
        case BERTH_OUTPUT_DENIED:
        case BERTH_OUTPUT_INVALID:
        case BERTH_OUTPUT_SILENT:
            if (outputs_refuse(&worker->outputs, kind, output->text)) {
                berth_log(BERTH_LOG_ERROR, "output.refuses", "topic=%s reason=\"%s\"",
                          worker->topics[i], output->text);
            }
            break;
        }
        look = true;
    }
    if (look) {
        worker_look_at_topics(worker, outputs_refusing(&worker->outputs) == 0);
    }
}

/* Who keeps the batch from being published; NULL: nobody, as far as is known. */
static const uint8_t *blame(struct worker *worker, const struct berth_batch_result *result) {
    const uint8_t *refused_by = outputs_blame(&worker->outputs);
    bool for_good = result->outcome == BERTH_BATCH_FAILED_FOR_GOOD && !result->metadata_too_large;
    if (refused_by != NULL || worker->outputs.items_count != 1 || !(for_good || result->denied) ||
        worker->outbox.count == 0) {
        return refused_by;
    }
    /* Alone, as small as can be, and still: it must not be tried without a pause. */
    struct berth_slot *slot = berth_slot_at(&worker->slots, worker->outbox.slots[0]);
    slot->refusals++;
    if (slot->refusals < REFUSALS_MAX) {
        return NULL;
    }
    slot->refusals = 0;
    berth_log(BERTH_LOG_ERROR, "output.refuses_one", "slot=%u reason=\"%s\"",
              worker->outbox.slots[0], result->text);
    worker_look_at_topics(worker, false);
    return outputs_blame_itself(&worker->outputs);
}

void worker_make_publication(struct worker *worker, uint32_t slot,
                             const struct berth_command *command, const struct berth_source *source,
                             uint32_t registry, int64_t version,
                             const struct berth_outcome *outcome) {
    struct berth_slot *kept = berth_slot_at(&worker->slots, slot);
    bool known = registry < worker->config->registries_count;
    struct berth_event_context context = {
        .command = command,
        .source = source,
        .deployment = worker->config->deployment,
        .registry_uid = known ? worker->config->registries[registry].uid : "",
        .group = worker->config->group,
        .version = version,
        .record_time_ms = berth_record_time_ms(kept->record),
    };
    size_t limit = worker->outputs.list[BERTH_RECORD_RESULT].record_bytes_max;
    berth_publication_deinit(&kept->publication);
    berth_slot_drop_smaller(kept);
    must(worker, berth_publication_make(worker->codec, &context, outcome,
                                        kept->too_large ? limit / SHRUNK : limit,
                                        &kept->publication, &worker->error));
}

/* ---- One item ---- */

static void add_item(struct worker *worker, const struct berth_publish_item *item) {
    prepare(worker, item);
    must(worker, outputs_add_item(&worker->outputs));
    const struct berth_publication *publication =
        &berth_slot_at(&worker->slots, item->slot)->publication;
    struct berth_publication_reader reader;
    enum berth_rc rc = open_publication(publication, item->form, &reader);
    struct berth_event_record record;
    while (rc == BERTH_OK && (rc = berth_publication_next(&reader, &record)) == BERTH_OK) {
        if (record.kind == BERTH_RECORD_SPACE && item->form == BERTH_PUBLISH_STORED_QUIETLY) {
            continue;
        }
        add_record(worker, item->slot, &record);
    }
    must(worker, rc == BERTH_END ? BERTH_OK : rc);
}

/* Makes the slot's publication what its form asks for, where it isn't yet. */
static void prepare(struct worker *worker, const struct berth_publish_item *item) {
    struct berth_slot *slot = berth_slot_at(&worker->slots, item->slot);
    switch (item->form) {
    case BERTH_PUBLISH_MADE:
    case BERTH_PUBLISH_STORED:
    case BERTH_PUBLISH_STORED_QUIETLY:
        break;
    case BERTH_PUBLISH_DIRECT:
        worker_make_publication(worker, item->slot, item->command, item->source, item->registry, 0,
                                item->outcome);
        break;
    case BERTH_PUBLISH_REPLAY: {
        if (slot->replayed) {
            break; /* For a batch that was aborted. */
        }
        struct berth_publication replay = {0};
        must(worker, berth_publication_replay(worker->codec,
                                              (struct berth_bytes){.data = slot->publication.data,
                                                                   .len = slot->publication.len},
                                              item->source, &replay, &worker->error));
        berth_publication_deinit(&slot->publication);
        berth_slot_drop_smaller(slot);
        slot->publication = replay;
        slot->replayed = true;
        break;
    }
    }
}

/* What the ledger has kept is checked; what was made here a moment ago isn't. */
static enum berth_rc open_publication(const struct berth_publication *publication,
                                      enum berth_publish_form form,
                                      struct berth_publication_reader *ret_reader) {
    if (form == BERTH_PUBLISH_STORED || form == BERTH_PUBLISH_STORED_QUIETLY) {
        return berth_publication_open(
            (struct berth_bytes){.data = publication->data, .len = publication->len}, ret_reader);
    }
    berth_publication_reopen(publication, ret_reader);
    return BERTH_OK;
}

static void add_record(struct worker *worker, uint32_t slot,
                       const struct berth_event_record *record) {
    outputs_need(&worker->outputs, record->kind);
    if (record->kind == BERTH_RECORD_DEAD_LETTER) {
        add_dead_letter(worker, slot, record);
        return;
    }
    struct berth_bytes value = record->has_value ? record->value : (struct berth_bytes){0};
    const struct smaller *smaller = make_smaller(worker, slot, record->kind, value);
    if (smaller != NULL) {
        value = (struct berth_bytes){.data = smaller->value, .len = smaller->len};
    }
    must(worker, outbox_add(&worker->outbox, slot, (size_t)record->kind, record->key, value));
    must(worker, outbox_add_headers(&worker->outbox, record->headers, record->headers_count));
    if (smaller != NULL) {
        const struct berth_header omitted = {
            .name = BERTH_OMITTED_HEADER,
            .value = {(const uint8_t *)smaller->omitted, strlen(smaller->omitted)}};
        must(worker, outbox_add_headers(&worker->outbox, &omitted, 1));
    }
}

/* The record in its smaller form, which the slot keeps; NULL: its topic takes the whole one. What
 * was stored is larger than its topic takes when the limit was lowered since. */
static const struct smaller *make_smaller(struct worker *worker, uint32_t number,
                                          enum berth_record_kind kind, struct berth_bytes value) {
    struct berth_slot *slot = berth_slot_at(&worker->slots, number);
    bool fits = value.len <= worker->outputs.list[kind].record_bytes_max;
    if (value.data == NULL || (fits && !slot->too_large)) {
        return NULL;
    }
    if (slot->smaller[kind] == NULL) {
        struct berth_bytes less;
        enum berth_rc rc = berth_event_smaller(worker->codec, value, &less, &worker->error);
        struct smaller *smaller = rc == BERTH_OK ? malloc(sizeof(*smaller) + less.len) : NULL;
        must(worker, rc == BERTH_OK && smaller == NULL ? BERTH_FAULT_MEMORY : rc);
        if (smaller == NULL) {
            return NULL;
        }
        smaller->len = less.len;
        memcpy(smaller->value, less.data, less.len);
        (void)describe_omitted(smaller->omitted, sizeof(smaller->omitted), value);
        slot->smaller[kind] = smaller;
        berth_log(BERTH_LOG_WARNING, "output.smaller", "topic=%s bytes=%zu instead_of=%zu",
                  worker->topics[kind], less.len, value.len);
    }
    return slot->smaller[kind];
}

/* The original's key, value and headers, and beside them why it is here. */
static void add_dead_letter(struct worker *worker, uint32_t slot,
                            const struct berth_event_record *record) {
    struct berth_slot *kept = berth_slot_at(&worker->slots, slot);
    size_t headers_count;
    const struct berth_header *headers = berth_record_headers(kept->record, &headers_count);
    struct berth_bytes key = berth_record_key(kept->record);
    struct berth_bytes value = berth_record_value(kept->record);
    size_t limit = worker->outputs.list[BERTH_RECORD_DEAD_LETTER].record_bytes_max;
    size_t beside = key.len + bytes_of(headers, headers_count);
    bool omit = kept->too_large || beside + value.len > limit;
    if (kept->too_large || beside > limit) {
        headers_count = 0;
        key = (struct berth_bytes){0};
    }
    struct outbox *outbox = &worker->outbox;
    must(worker, outbox_add(outbox, slot, BERTH_RECORD_DEAD_LETTER, key,
                            omit ? (struct berth_bytes){0} : value));
    must(worker, outbox_add_headers(outbox, headers, headers_count));
    must(worker, outbox_add_headers(outbox, record->headers, record->headers_count));
    if (omit) {
        const struct berth_header omitted = {
            .name = "berth-dlq-omitted",
            .value = describe_omitted(kept->omitted, sizeof(kept->omitted), value)};
        must(worker, outbox_add_headers(outbox, &omitted, 1));
    }
}

static size_t bytes_of(const struct berth_header *headers, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(headers[i].name) + headers[i].value.len;
    }
    return bytes;
}

/* How to know the value again; the coordinates in the other headers say where it is. */
static struct berth_bytes describe_omitted(char *text, size_t size, struct berth_bytes value) {
    char hex[BERTH_SHA256_HEX_BYTES];
    berth_sha256_hex(value, hex);
    int len = snprintf(text, size, "bytes=%zu sha256=%s", value.len, hex);
    BERTH_ASSERT(len > 0);
    return (struct berth_bytes){.data = (const uint8_t *)text, .len = (size_t)len};
}

/* Without memory, or with damaged bytes in the ledger, nothing right can be published: the worker
 * ends, and what is under way is found again by the next one. */
static void must(struct worker *worker, enum berth_rc rc) {
    if (rc != BERTH_OK) {
        worker_fail(worker, "what is to be published can't be made: %s %s", berth_rc_name(rc),
                    worker->error.text);
    }
}
