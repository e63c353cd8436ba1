/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BindWorkspace made by hand, field by field, so that its fields can be what no encoder writes.
 */
#ifndef BERTH_TESTS_RAW_COMMAND_H
#define BERTH_TESTS_RAW_COMMAND_H

#include <stddef.h>

#include "berth/base/buffer.h"
#include "berth/codec/codec.h"

/* What a record made by hand says. */
struct raw_command {
    const char *id;
    size_t id_len;
    const char *actor;
    const char *registry;
    const char *space;
    size_t space_len;
    const char *workspace;
    size_t workspaces_count; /* The same one, so many times. */
};

/* A good one. */
struct raw_command raw_command_bind(void);

/* The start of a record of this schema. */
void raw_command_put_frame(struct berth_codec *codec, struct berth_buffer *out, const char *schema);

/* The command itself. */
void raw_command_put(struct berth_buffer *out, const struct raw_command *raw);

/* Decodes a copy of exact size, so that asan sees each byte read beyond it. */
void raw_command_decode_bytes(struct berth_codec *codec, const void *data, size_t len,
                              struct berth_decoded *ret_decoded);
void raw_command_decode(struct berth_codec *codec, const struct raw_command *raw,
                        struct berth_decoded *ret_decoded);

/* Fails the test unless it is a dead letter whose text says this; gives its memory back. */
void raw_command_assert_dead_letter(struct berth_decoded *decoded, const char *reason,
                                    const char *text);

#endif
