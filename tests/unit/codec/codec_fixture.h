/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several tests of the codec need: a codec, a command with all that becomes of it, records
 * made by hand, and a look into publications.
 */
#ifndef BERTH_TESTS_CODEC_FIXTURE_H
#define BERTH_TESTS_CODEC_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/buffer.h"
#include "berth/codec/codec.h"
#include "berth/codec/events.h"

#define FIXTURE_ID    "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a"
#define FIXTURE_TRACE "0af7651916cd43dd8448eb211c80319c"

/* A group's codec: *state is a struct berth_codec. */
int fixture_codec_setup(void **state);
int fixture_codec_teardown(void **state);

/* A bind of two workspaces, one of them new, and its outcome. Points into itself: don't copy. */
struct fixture {
    struct berth_workspace workspaces[2];
    struct berth_command command;
    struct berth_source source;
    struct berth_binding before[1];
    struct berth_binding after[2];
    struct berth_binding_change changes[2];
    struct berth_outcome outcome;
    struct berth_event_context context;
};
void fixture_init(struct fixture *fixture);

/* Makes its publication; asserts that this works. */
void fixture_publish(struct berth_codec *codec, const struct fixture *fixture,
                     struct berth_publication *ret_publication);

/* The record of this kind; fails the test when there is none. */
struct berth_event_record fixture_find(const struct berth_publication *publication,
                                       enum berth_record_kind kind);
/* The kinds in order, a letter each: "RASD". */
const char *fixture_kinds(const struct berth_publication *publication, char ret_kinds[8]);
/* A header's value as text in ret_text, or NULL. */
const char *fixture_header(const struct berth_event_record *record, const char *name,
                           char ret_text[BERTH_MESSAGE_BYTES]);
/* Fails the test unless the header is this text; NULL: unless there is none. */
void fixture_assert_header(const struct berth_event_record *record, const char *name,
                           const char *expected);
/* Fails the test unless its publication has these kinds. */
void fixture_assert_kinds(struct berth_codec *codec, const struct fixture *fixture,
                          const char *expected);
/* Fails the test unless the record's value is this JSON. */
void fixture_assert_json(struct berth_codec *codec, struct berth_bytes value, const char *expected);

/* Avro by hand. */
void fixture_put_long(struct berth_buffer *out, int64_t number);
void fixture_put_text(struct berth_buffer *out, const char *text, size_t len);
#define fixture_put_literal(out, literal) fixture_put_text(out, literal, sizeof(literal) - 1)

#endif
