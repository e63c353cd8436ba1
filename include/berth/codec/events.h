/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: from an outcome to the records that are published for it, and to and from the bytes in
 * which the ledger keeps them (design 3, 4.3).
 *
 * A publication is a list of records: result, audit, space state, dead letter, in this order, each
 * at most once. It is made once, stored, and published from the stored bytes, however often.
 */
#ifndef BERTH_CODEC_EVENTS_H
#define BERTH_CODEC_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/codec/codec.h"
#include "berth/core/outcome.h"

enum berth_record_kind {
    BERTH_RECORD_RESULT,
    BERTH_RECORD_AUDIT,
    BERTH_RECORD_SPACE,
    BERTH_RECORD_DEAD_LETTER, /* Headers only: key, value and own headers are the original's. */
};
#define BERTH_RECORD_KINDS 4

/* What the outcome alone doesn't say. Borrowed strings. */
struct berth_event_context {
    const struct berth_command *command; /* id may be empty for a dead letter: then no result. */
    const struct berth_source *source;
    const char *deployment;
    const char *registry_uid; /* Empty when the registry is unknown. */
    const char *group;        /* The consumer group, for the dead letter's headers. */
    int64_t version;          /* The token of the STORE; 0 for what isn't stored. */
    int64_t record_time_ms;   /* The record's own timestamp; -1: none. */
};

/* A packed publication: owned bytes with a checked format; empty when there's nothing to publish.
 * Its first result_len bytes are a publication by themselves, of the result alone, and so is what
 * follows them, of the rest: the ledger forgets the rest when it isn't needed any more. */
struct berth_publication {
    uint8_t *data;
    size_t len;
    size_t result_len; /* 0: unknown (read from the ledger), or there is no result. */
};

/*
 * Makes the publication of an outcome. Ids, times and span ids are derived from the command, the
 * source and the outcome, so the same input gives the same bytes.
 * A result that would be larger than record_bytes_max goes without details (never without the
 * rest). Faults: MEMORY, LIBRARY.
 */
BERTH_MUST_USE enum berth_rc
berth_publication_make(struct berth_codec *codec, const struct berth_event_context *context,
                       const struct berth_outcome *outcome, size_t record_bytes_max,
                       struct berth_publication *ret_publication, struct berth_error *reterr);

/*
 * The smaller form of a result, an audit record or a space's state: the same, but that each list
 * and map in it is empty. It has less than BERTH_SMALLER_BYTES_MAX, whatever the command. ret_value
 * is a view that is valid until the codec writes the next record. BERTH_INVALID: the value is none
 * of the three. Faults: LIBRARY, MEMORY.
 */
#define BERTH_SMALLER_BYTES_MAX 16384
/* The most that any of the three has whole. */
#define BERTH_WHOLE_BYTES_MAX 524288
BERTH_MUST_USE enum berth_rc berth_event_smaller(struct berth_codec *codec,
                                                 struct berth_bytes value,
                                                 struct berth_bytes *ret_value,
                                                 struct berth_error *reterr);
/* On a record in its smaller form: what was left out, as "bytes=... sha256=..." of the whole value.
 */
#define BERTH_OMITTED_HEADER "berth-omitted"

/*
 * Makes the answer to *another* record with a known id: only the result, with this source, an event
 * id made from it, and the header berth-replayed (design 4.3).
 * BERTH_INVALID: the stored bytes are damaged.
 */
BERTH_MUST_USE enum berth_rc berth_publication_replay(struct berth_codec *codec,
                                                      struct berth_bytes stored,
                                                      const struct berth_source *source,
                                                      struct berth_publication *ret_publication,
                                                      struct berth_error *reterr);

void berth_publication_deinit(struct berth_publication *publication);

#define BERTH_EVENT_HEADERS_MAX 24

/* One record of a publication: views of the packed bytes. */
/* On tombstones: the version of the state "absent". */
#define BERTH_VERSION_HEADER "berth-version"

struct berth_event_record {
    enum berth_record_kind kind;
    struct berth_bytes key;
    bool has_value; /* False: a tombstone (SPACE), or the original's value (DEAD_LETTER). */
    struct berth_bytes value;
    struct berth_header headers[BERTH_EVENT_HEADERS_MAX];
    size_t headers_count;
};

/* Walks a packed publication. */
struct berth_publication_reader {
    struct berth_bytes rest;  /* Records of the part that is being read. */
    struct berth_bytes parts; /* Those behind it. */
};

/* BERTH_INVALID: damaged, or of a version this program doesn't know. */
BERTH_MUST_USE enum berth_rc berth_publication_open(struct berth_bytes packed,
                                                    struct berth_publication_reader *ret_reader);
/* One that this process made itself and has kept: its check isn't made a second time. */
void berth_publication_reopen(const struct berth_publication *made,
                              struct berth_publication_reader *ret_reader);
/* BERTH_END: no more. BERTH_INVALID: damaged. */
BERTH_MUST_USE enum berth_rc berth_publication_next(struct berth_publication_reader *reader,
                                                    struct berth_event_record *ret_record);

#endif
