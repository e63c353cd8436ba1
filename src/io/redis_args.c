/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/io/redis_args.h"

#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"

void berth_redis_args_init(struct berth_redis_args *args) {
    *args = (struct berth_redis_args){0};
}

void berth_redis_args_deinit(struct berth_redis_args *args) {
    free(args->words);
    free(args->lens);
    free(args->text);
    berth_redis_args_init(args);
}

static enum berth_rc make_room_for_words(struct berth_redis_args *args, size_t words_max) {
    if (words_max <= args->words_max) {
        return BERTH_OK;
    }
    const char **words = calloc(words_max, sizeof(*words));
    size_t *lens = calloc(words_max, sizeof(*lens));
    if (words == NULL || lens == NULL) {
        free(words);
        free(lens);
        return BERTH_FAULT_MEMORY;
    }
    free(args->words);
    free(args->lens);
    args->words = words;
    args->lens = lens;
    args->words_max = words_max;
    return BERTH_OK;
}

enum berth_rc berth_redis_args_begin(struct berth_redis_args *args, size_t words_max,
                                     size_t text_max) {
    args->count = 0;
    args->text_len = 0;
    args->open = 0;
    if (text_max > args->text_max) {
        char *text = malloc(text_max);
        if (text == NULL) {
            return BERTH_FAULT_MEMORY;
        }
        free(args->text);
        args->text = text;
        args->text_max = text_max;
    }
    return make_room_for_words(args, words_max);
}

void berth_redis_args_bytes(struct berth_redis_args *args, const void *data, size_t len) {
    BERTH_ASSERT(args->count < args->words_max);
    BERTH_ASSERT(args->open == args->text_len);
    args->words[args->count] = len == 0 ? "" : data;
    args->lens[args->count] = len;
    args->count++;
}

void berth_redis_args_text(struct berth_redis_args *args, const char *text) {
    berth_redis_args_bytes(args, text, strlen(text));
}

void berth_redis_args_number(struct berth_redis_args *args, int64_t number) {
    berth_redis_args_append_number(args, number);
    berth_redis_args_close(args);
}

void berth_redis_args_flag(struct berth_redis_args *args, bool flag) {
    berth_redis_args_bytes(args, flag ? "1" : "0", 1);
}

void berth_redis_args_append(struct berth_redis_args *args, const char *text) {
    berth_redis_args_append_bytes(args, text, strlen(text));
}

void berth_redis_args_append_bytes(struct berth_redis_args *args, const void *data, size_t len) {
    BERTH_ASSERT(len <= args->text_max - args->text_len);
    if (len > 0) {
        memcpy(args->text + args->text_len, data, len);
        args->text_len += len;
    }
}

/* Writes the digits that end before `end`; returns where they begin. */
static char *write_digits(char *end, uint64_t number) {
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

void berth_redis_args_append_number(struct berth_redis_args *args, int64_t number) {
    char digits[BERTH_REDIS_NUMBER_BYTES];
    char *end = digits + sizeof(digits);
    char *first = write_digits(end, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    if (number < 0) {
        *--first = '-';
    }
    berth_redis_args_append_bytes(args, first, (size_t)(end - first));
}

void berth_redis_args_close(struct berth_redis_args *args) {
    BERTH_ASSERT(args->count < args->words_max);
    args->words[args->count] = args->text + args->open;
    args->lens[args->count] = args->text_len - args->open;
    args->count++;
    args->open = args->text_len;
}

/*
 * RESP by hand: "*<words>\r\n", then "$<bytes>\r\n<word>\r\n" for each. hiredis would write it, but
 * with printf for each word's length, which was measured to be a quarter of what a claim and a
 * store cost us.
 */

static size_t digits_of(size_t number) {
    size_t digits = 1;
    for (; number >= 10; number /= 10) {
        digits++;
    }
    return digits;
}

size_t berth_redis_args_wire_len(const struct berth_redis_args *args) {
    size_t len = 1 + digits_of(args->count) + 2;
    for (size_t i = 0; i < args->count; i++) {
        len += 1 + digits_of(args->lens[i]) + 2 + args->lens[i] + 2;
    }
    return len;
}

static char *write_count(char *at, char kind, size_t count) {
    *at++ = kind;
    char *end = at + digits_of(count);
    (void)write_digits(end, count);
    *end++ = '\r';
    *end++ = '\n';
    return end;
}

void berth_redis_args_wire(const struct berth_redis_args *args, char *ret_wire) {
    char *at = write_count(ret_wire, '*', args->count);
    for (size_t i = 0; i < args->count; i++) {
        at = write_count(at, '$', args->lens[i]);
        memcpy(at, args->words[i], args->lens[i]);
        at += args->lens[i];
        *at++ = '\r';
        *at++ = '\n';
    }
}
