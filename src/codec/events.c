/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publications: which records an outcome makes, their ids and headers.
 *
 * An event's id is the UUIDv5 of the record's name, the command's id and what else makes it one
 * event: its source for a result and an audit record (every command record gets one answer, also
 * when a FAILED one is sent again), its version for a space's state.
 * Headers: CloudEvents 1.0.2, Kafka binding, binary mode. content-type is application/avro, as in
 * the binding's own example: there is no registered type for the single-object encoding, which
 * readers know by its first two bytes.
 */
#include "berth/codec/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "codec_parts.h"
#include "event_records.h"
#include "publication.h"
#include "traceparent.h"
#include "utf8.h"
#include "wall_time.h"

#define TYPE_PREFIX "io.berth.v1."
/* "registry/space" and the NUL, which both sizes count. */
#define KEY_BYTES (BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES)
/* A record's name, a UUID, a topic, two numbers and what joins them. */
#define EVENT_NAME_BYTES (32 + BERTH_UUID_BYTES + BERTH_TOPIC_BYTES + BERTH_LOG_ID_BYTES + 48)

/* What the records of one outcome share. */
struct maker {
    struct berth_codec *codec;
    const struct berth_event_context *context;
    const struct berth_outcome *outcome;
    size_t record_bytes_max;
    struct berth_error *reterr;
    char key[KEY_BYTES];
    size_t key_len; /* 0: neither registry nor space could be read. */
};

static enum berth_rc add_records(struct maker *maker, size_t *ret_result_len);
static enum berth_rc add_rest(struct maker *maker, bool answerable);
static enum berth_rc add_result(struct maker *maker);
static enum berth_rc add_audit(struct maker *maker);
static enum berth_rc add_state(struct maker *maker);
static enum berth_rc add_dead_letter(struct maker *maker);
static enum berth_rc add_event(struct maker *maker, enum berth_record_kind kind, const char *type,
                               const char *event_id, const struct berth_bytes *value);
static enum berth_rc take_pack(struct berth_codec *codec, enum berth_rc rc, size_t result_len,
                               struct berth_publication *ret_publication);
static void source_event_id(const char *record, const char *command_id,
                            const struct berth_source *source, char ret_id[BERTH_UUID_BYTES]);
static void hash_name(const char *name, int len, char ret_id[BERTH_UUID_BYTES]);
static enum berth_rc find_result(struct berth_bytes stored, struct berth_event_record *ret_record);
static void change_header(struct berth_event_record *answer, const struct berth_header *header,
                          const char *event_id, char traceparent[BERTH_TRACEPARENT_BYTES]);

enum berth_rc berth_publication_make(struct berth_codec *codec,
                                     const struct berth_event_context *context,
                                     const struct berth_outcome *outcome, size_t record_bytes_max,
                                     struct berth_publication *ret_publication,
                                     struct berth_error *reterr) {
    struct maker maker = {.codec = codec,
                          .context = context,
                          .outcome = outcome,
                          .record_bytes_max = record_bytes_max,
                          .reterr = reterr};
    const struct berth_command *command = context->command;
    if (command->registry[0] != 0 || command->space[0] != 0) {
        int len = snprintf(maker.key, sizeof maker.key, "%s/%s", command->registry, command->space);
        BERTH_ASSERT(len > 0);
        maker.key_len = (size_t)len;
    }
    size_t result_len = 0;
    berth_buffer_clear(&codec->pack);
    enum berth_rc rc = add_records(&maker, &result_len);
    return take_pack(codec, rc, result_len, ret_publication);
}

enum berth_rc berth_publication_replay(struct berth_codec *codec, struct berth_bytes stored,
                                       const struct berth_source *source,
                                       struct berth_publication *ret_publication,
                                       struct berth_error *reterr) {
    struct berth_event_record found;
    enum berth_rc rc = find_result(stored, &found);
    if (rc != BERTH_OK || found.headers_count >= BERTH_EVENT_HEADERS_MAX) {
        berth_error_set(reterr, "the stored answer is damaged");
        return BERTH_INVALID;
    }
    char command_id[BERTH_UUID_BYTES];
    char event_id[BERTH_UUID_BYTES];
    char traceparent[BERTH_TRACEPARENT_BYTES];
    struct berth_event_record answer = {
        .kind = BERTH_RECORD_RESULT, .key = found.key, .has_value = true};
    rc = berth_event_result_replay(codec, found.value, source, command_id, &answer.value, reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    source_event_id("CommandResult", command_id, source, event_id);
    for (size_t i = 0; i < found.headers_count; i++) {
        change_header(&answer, &found.headers[i], event_id, traceparent);
    }
    berth_pack_header(&answer, "berth-replayed", "true");

    size_t part = 0;
    berth_buffer_clear(&codec->pack);
    rc = berth_pack_begin(&codec->pack, &part);
    if (rc == BERTH_OK) {
        rc = berth_pack_add(&codec->pack, &answer);
    }
    if (rc == BERTH_OK) {
        rc = berth_pack_end(&codec->pack, part);
    }
    return take_pack(codec, rc, codec->pack.len, ret_publication);
}

/* The result is a part of its own, in front of the rest. */
static enum berth_rc add_records(struct maker *maker, size_t *ret_result_len) {
    struct berth_buffer *pack = &maker->codec->pack;
    bool answerable = maker->context->command->id[0] != 0;
    enum berth_rc rc = BERTH_OK;
    size_t part = 0;
    if (answerable) {
        rc = berth_pack_begin(pack, &part);
        if (rc == BERTH_OK) {
            rc = add_result(maker);
        }
        if (rc == BERTH_OK) {
            rc = berth_pack_end(pack, part);
        }
        *ret_result_len = pack->len;
    }
    if (rc == BERTH_OK) {
        rc = berth_pack_begin(pack, &part);
    }
    size_t empty = pack->len;
    if (rc == BERTH_OK) {
        rc = add_rest(maker, answerable);
    }
    if (rc == BERTH_OK && pack->len == empty) {
        berth_buffer_truncate(pack, part);
        return BERTH_OK;
    }
    return rc == BERTH_OK ? berth_pack_end(pack, part) : rc;
}

static enum berth_rc add_rest(struct maker *maker, bool answerable) {
    const struct berth_outcome *outcome = maker->outcome;
    enum berth_rc rc = BERTH_OK;
    if (answerable && outcome->audit) {
        rc = add_audit(maker);
    }
    if (rc == BERTH_OK && answerable && outcome->publish_state) {
        rc = add_state(maker);
    }
    if (rc == BERTH_OK && outcome->dead_letter) {
        rc = add_dead_letter(maker);
    }
    return rc;
}

static enum berth_rc add_result(struct maker *maker) {
    struct berth_bytes value;
    enum berth_rc rc = berth_event_result(maker->codec, maker->context, maker->outcome, true,
                                          &value, maker->reterr);
    if (rc == BERTH_OK && value.len > maker->record_bytes_max) {
        rc = berth_event_result(maker->codec, maker->context, maker->outcome, false, &value,
                                maker->reterr);
    }
    if (rc != BERTH_OK) {
        return rc;
    }
    char event_id[BERTH_UUID_BYTES];
    source_event_id("CommandResult", maker->context->command->id, maker->context->source, event_id);
    return add_event(maker, BERTH_RECORD_RESULT, TYPE_PREFIX "CommandResult", event_id, &value);
}

static enum berth_rc add_audit(struct maker *maker) {
    char event_id[BERTH_UUID_BYTES];
    source_event_id("AuditRecord", maker->context->command->id, maker->context->source, event_id);
    struct berth_bytes value;
    enum berth_rc rc = berth_event_audit(maker->codec, maker->context, maker->outcome, event_id,
                                         &value, maker->reterr);
    if (rc != BERTH_OK) {
        return rc;
    }
    return add_event(maker, BERTH_RECORD_AUDIT, TYPE_PREFIX "AuditRecord", event_id, &value);
}

/* What isn't known isn't published; what is absent is a tombstone. */
static enum berth_rc add_state(struct maker *maker) {
    enum berth_knowledge knowledge = maker->outcome->after.knowledge;
    if (knowledge == BERTH_SPACE_UNKNOWN) {
        return BERTH_OK;
    }
    char name[EVENT_NAME_BYTES];
    char event_id[BERTH_UUID_BYTES];
    int len = snprintf(name, sizeof name, "SpaceState|%s|%" PRId64, maker->context->command->id,
                       maker->context->version);
    hash_name(name, len, event_id);

    struct berth_bytes value = {0};
    if (knowledge == BERTH_SPACE_PRESENT) {
        enum berth_rc rc =
            berth_event_state(maker->codec, maker->context, maker->outcome, &value, maker->reterr);
        if (rc != BERTH_OK) {
            return rc;
        }
    }
    return add_event(maker, BERTH_RECORD_SPACE, TYPE_PREFIX "SpaceState", event_id,
                     knowledge == BERTH_SPACE_PRESENT ? &value : NULL);
}

/* Key, value and own headers are the original record's; whoever publishes it has them. */
static enum berth_rc add_dead_letter(struct maker *maker) {
    const struct berth_event_context *context = maker->context;
    const struct berth_outcome *outcome = maker->outcome;
    struct berth_event_record record = {.kind = BERTH_RECORD_DEAD_LETTER};
    char partition[16];
    char offset[24];
    char attempts[16];
    char timestamp[BERTH_WALL_TIME_BYTES];
    char first_seen[BERTH_WALL_TIME_BYTES];
    char failed_at[BERTH_WALL_TIME_BYTES];
    char message[BERTH_MESSAGE_BYTES];
    (void)snprintf(partition, sizeof partition, "%" PRId32, context->source->partition);
    (void)snprintf(offset, sizeof offset, "%" PRId64, context->source->offset);
    (void)snprintf(attempts, sizeof attempts, "%d", outcome->attempts);
    berth_utf8_copy_clean(outcome->message, strlen(outcome->message), message, sizeof message);

    berth_pack_header(&record, "berth-dlq-topic", context->source->topic);
    berth_pack_header(&record, "berth-dlq-partition", partition);
    berth_pack_header(&record, "berth-dlq-offset", offset);
    if (context->record_time_ms >= 0 && berth_wall_time_text(context->record_time_ms, timestamp)) {
        berth_pack_header(&record, "berth-dlq-timestamp", timestamp);
    }
    berth_pack_header(&record, "berth-dlq-group", context->group);
    berth_pack_header(&record, "berth-dlq-reason", outcome->code);
    berth_pack_header(&record, "berth-dlq-message", message);
    berth_pack_header(&record, "berth-dlq-attempts", attempts);
    if (berth_wall_time_text(berth_event_received_ms(outcome), first_seen)) {
        berth_pack_header(&record, "berth-dlq-first-seen", first_seen);
    }
    if (berth_wall_time_text(outcome->finished_at_ms, failed_at)) {
        berth_pack_header(&record, "berth-dlq-failed-at", failed_at);
    }
    return berth_pack_add(&maker->codec->pack, &record);
}

static enum berth_rc add_event(struct maker *maker, enum berth_record_kind kind, const char *type,
                               const char *event_id, const struct berth_bytes *value) {
    struct berth_event_record record = {
        .kind = kind,
        .key = {.data = (const uint8_t *)maker->key, .len = maker->key_len},
        .has_value = value != NULL,
    };
    if (value != NULL) {
        record.value = *value;
    }
    char source[sizeof "/berth/" + BERTH_DEPLOYMENT_BYTES];
    char time[BERTH_WALL_TIME_BYTES];
    char traceparent[BERTH_TRACEPARENT_BYTES];
    (void)snprintf(source, sizeof source, "/berth/%s", maker->context->deployment);
    berth_traceparent_continue(maker->context->command->traceparent, event_id, traceparent);

    berth_pack_header(&record, "ce_specversion", "1.0");
    berth_pack_header(&record, "ce_id", event_id);
    berth_pack_header(&record, "ce_source", source);
    berth_pack_header(&record, "ce_type", type);
    if (berth_wall_time_text(maker->outcome->finished_at_ms, time)) {
        berth_pack_header(&record, "ce_time", time);
    }
    if (maker->key_len > 0) {
        berth_pack_header(&record, "ce_subject", maker->key);
    }
    berth_pack_header(&record, "content-type", "application/avro");
    if (traceparent[0] != 0) {
        berth_pack_header(&record, "traceparent", traceparent);
    }
    char version[24];
    if (kind == BERTH_RECORD_SPACE && value == NULL) {
        /* A tombstone has no value to say it in. */
        (void)snprintf(version, sizeof version, "%" PRId64, maker->context->version);
        berth_pack_header(&record, BERTH_VERSION_HEADER, version);
    }
    return berth_pack_add(&maker->codec->pack, &record);
}

/* Hands the pack's bytes out, unless rc says that it failed. */
static enum berth_rc take_pack(struct berth_codec *codec, enum berth_rc rc, size_t result_len,
                               struct berth_publication *ret_publication) {
    const struct berth_buffer *pack = &codec->pack;
    /* Its limit is above what all bounds of an outcome together allow. */
    BERTH_ASSERT(rc != BERTH_BUSY);
    if (rc != BERTH_OK) {
        return rc;
    }
    struct berth_publication publication = {0};
    if (pack->len > 0) {
        publication.data = malloc(pack->len);
        if (publication.data == NULL) {
            return BERTH_FAULT_MEMORY;
        }
        memcpy(publication.data, pack->data, pack->len);
        publication.len = pack->len;
        publication.result_len = result_len;
    }
    *ret_publication = publication;
    return BERTH_OK;
}

static void source_event_id(const char *record, const char *command_id,
                            const struct berth_source *source, char ret_id[BERTH_UUID_BYTES]) {
    char name[EVENT_NAME_BYTES];
    /* A record at the place of an old one, in a topic that was made anew, is another record. */
    const char *bar = source->log_id[0] != '\0' ? "|" : "";
    int len =
        snprintf(name, sizeof name, "%s|%s|%s|%" PRId32 "|%" PRId64 "%s%s", record, command_id,
                 source->topic, source->partition, source->offset, bar, source->log_id);
    hash_name(name, len, ret_id);
}

static void hash_name(const char *name, int len, char ret_id[BERTH_UUID_BYTES]) {
    BERTH_ASSERT(len > 0);
    BERTH_ASSERT(len < EVENT_NAME_BYTES);
    berth_uuid5(name, (size_t)len, ret_id);
}

static enum berth_rc find_result(struct berth_bytes stored, struct berth_event_record *ret_record) {
    struct berth_publication_reader reader;
    enum berth_rc rc = berth_publication_open(stored, &reader);
    while (rc == BERTH_OK) {
        rc = berth_publication_next(&reader, ret_record);
        if (rc == BERTH_OK && ret_record->kind == BERTH_RECORD_RESULT) {
            return BERTH_OK;
        }
    }
    return BERTH_INVALID;
}

/* Takes a header of the stored result over, under the new id. The trace stays the one of the
 * command that was carried out. */
static void change_header(struct berth_event_record *answer, const struct berth_header *header,
                          const char *event_id, char traceparent[BERTH_TRACEPARENT_BYTES]) {
    if (strcmp(header->name, "ce_id") == 0) {
        berth_pack_header(answer, "ce_id", event_id);
    } else if (strcmp(header->name, "traceparent") == 0) {
        char parent[BERTH_TRACEPARENT_BYTES];
        berth_traceparent_find(header, 1, parent);
        berth_traceparent_continue(parent, event_id, traceparent);
        berth_pack_header(answer, "traceparent", traceparent);
    } else {
        answer->headers[answer->headers_count++] = *header;
    }
}
