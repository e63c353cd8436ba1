/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of one Redis command, put together without a copy of what the caller has anyway.
 *
 * Reused from command to command: its memory grows to what the largest one needed and stays.
 * Room is asked for at the beginning, so that adding words never fails and pointers stay valid;
 * more than was asked for is asserted.
 */
#ifndef BERTH_IO_REDIS_ARGS_H
#define BERTH_IO_REDIS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

struct berth_redis_args {
    const char **words; /* Owned; what they point to is the caller's, or in text. */
    size_t *lens;
    size_t count;
    size_t words_max;
    char *text; /* Owned: the words that were put together here. */
    size_t text_len;
    size_t text_max;
    size_t open; /* Where the word under construction begins. */
};

/* The bytes of text that a number takes at most. */
#define BERTH_REDIS_NUMBER_BYTES 20

void berth_redis_args_init(struct berth_redis_args *args);
void berth_redis_args_deinit(struct berth_redis_args *args);

/*
 * Starts a command of at most words_max words, of which those made here take at most text_max
 * bytes. BERTH_FAULT_MEMORY.
 */
BERTH_MUST_USE enum berth_rc berth_redis_args_begin(struct berth_redis_args *args, size_t words_max,
                                                    size_t text_max);

/* Adds a word that stays where it is until the command was handed over. */
void berth_redis_args_bytes(struct berth_redis_args *args, const void *data, size_t len);
void berth_redis_args_text(struct berth_redis_args *args, const char *text);

/* Adds a word that is made here. */
void berth_redis_args_number(struct berth_redis_args *args, int64_t number);
void berth_redis_args_flag(struct berth_redis_args *args, bool flag); /* "1" or "0". */

/* Adds a word in parts: any number of appends, then one close. While a word is open, no other kind
 * of word may be added (asserted). */
void berth_redis_args_append(struct berth_redis_args *args, const char *text);
void berth_redis_args_append_bytes(struct berth_redis_args *args, const void *data, size_t len);
void berth_redis_args_append_number(struct berth_redis_args *args, int64_t number);
void berth_redis_args_close(struct berth_redis_args *args);

/* The bytes of the whole command in Redis' protocol (RESP2), and the command, written to as many.
 */
size_t berth_redis_args_wire_len(const struct berth_redis_args *args);
void berth_redis_args_wire(const struct berth_redis_args *args, char *ret_wire);

#endif
