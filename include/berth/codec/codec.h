/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codec: Avro bytes to and from structs (design 3, "Framing").
 *
 * A record's value is Avro single-object encoding: C3 01, the CRC-64-AVRO fingerprint of the
 * writer's schema, the body. The writer's schema is one that berth ships. avro-c never sees bytes
 * that the bounded check (codec/avro_check.h) has not walked first. Single-threaded: avro-c's error
 * text is one static buffer. One codec for each thread.
 */
#ifndef BERTH_CODEC_CODEC_H
#define BERTH_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/base/result.h"
#include "berth/core/command.h"

struct berth_codec;

/* The most bytes of a record's value that are looked at; longer is record.too_large. */
#define BERTH_RECORD_BYTES_MAX (256L * 1024)

/* One header of a Kafka record. A view. */
struct berth_header {
    const char *name;
    struct berth_bytes value;
};

/* Parses the shipped schemas. Faults: MEMORY, LIBRARY. Freed with berth_codec_free(). */
BERTH_MUST_USE enum berth_rc berth_codec_new(struct berth_codec **ret_codec,
                                             struct berth_error *reterr);
struct berth_codec *berth_codec_free(struct berth_codec *codec); /* NULL is fine; returns NULL. */

/* What a record on a command topic turned out to be. */
struct berth_decoded {
    bool is_command;
    /* When it is one. Its workspaces are owned here (malloc): berth_decoded_deinit(). */
    struct berth_command command;
    /*
     * When it isn't: a stable code and a sentence, for the dead letter.
     *   record.empty, record.too_large, record.unknown_schema, record.not_a_command
     *   record.undecodable     not the framing, not valid Avro of its schema, or a field is missing
     *   command.id_invalid     the command's id is not a UUID
     *   command.field_invalid  the actor is too long or has control characters, or a symbol is
     * unknown
     */
    char reason[BERTH_CODE_BYTES];
    char text[BERTH_MESSAGE_BYTES];
    /* Then command holds what could be read, its text made printable: the id (empty: nobody can be
     * answered), the type (only when registry or space isn't empty), traceparent. */
};

/*
 * Decodes the value of a record on a command topic. Never fails: what can't be decoded is said in
 * the answer. Bounded in time and memory by the value's length and BERTH_RECORD_BYTES_MAX.
 * A registry, space or workspace that is too long or has control characters is handed on in a form
 * that no legal name has (cut and ended with U+2026, '?' for each control character), and more than
 * BERTH_COMMAND_WORKSPACES_MAX workspaces as one too many, not sorted, so that
 * berth_command_check() refuses the command.
 * headers: traceparent is taken over when it is well-formed.
 */
void berth_codec_decode_command(struct berth_codec *codec, struct berth_bytes value,
                                const struct berth_header *headers, size_t headers_count,
                                struct berth_decoded *ret_decoded);
void berth_decoded_deinit(struct berth_decoded *decoded);

/*
 * Encodes a command as a producer would (`berth send`), framed. workspaces need not be sorted;
 * nothing is checked but what Avro itself needs, so that bad input can be tried.
 * BERTH_INVALID: a field can't be written in Avro (it isn't UTF-8). BERTH_BUSY: out's limit.
 * Faults: MEMORY, LIBRARY.
 */
BERTH_MUST_USE enum berth_rc berth_codec_encode_command(struct berth_codec *codec,
                                                        const struct berth_command *command,
                                                        struct berth_buffer *out,
                                                        struct berth_error *reterr);

/*
 * Any record of ours (result, audit, state, command) as one line of JSON, with plain values (unions
 * without Avro's type wrapper), into out; ret_name (when not NULL) is the Avro record's name, a
 * view of the codec. Logical timestamps are ISO 8601 in UTC. BERTH_INVALID: the bytes are not a
 * record of a schema berth ships; reterr says why.
 */
BERTH_MUST_USE enum berth_rc berth_codec_to_json(struct berth_codec *codec,
                                                 struct berth_bytes value, struct berth_buffer *out,
                                                 const char **ret_name, struct berth_error *reterr);

#endif
