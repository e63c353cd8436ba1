/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spaces that Harbor said it doesn't have, for a few seconds: whoever asks for a name that
 * isn't there again and again doesn't ask Harbor each time.
 *
 * Never asked before Redis was, so a space that a command has made is seen at once. Bounded: the
 * oldest one makes room. No I/O, no clock.
 */
#ifndef BERTH_IO_LOOKUP_ABSENT_H
#define BERTH_IO_LOOKUP_ABSENT_H

#include <stddef.h>
#include <stdint.h>

#include "berth/core/limits.h"
#include "berth/io/redis_args.h"

#define BERTH_LOOKUP_NEGATIVE_MS  5000
#define BERTH_LOOKUP_NEGATIVE_MAX 256

struct lookup_absence {
    uint32_t registry;
    char space[BERTH_SPACE_BYTES];            /* Empty: a free place. */
    char token[BERTH_REDIS_NUMBER_BYTES + 1]; /* Of the last claim before Harbor was asked. */
    int64_t as_of_ms;                         /* Wall clock: when Harbor was asked. */
    int64_t until_ms;                         /* Monotonic. */
};

struct lookup_absent {
    struct lookup_absence places[BERTH_LOOKUP_NEGATIVE_MAX];
    size_t next; /* Where the next one goes. */
};

/* Remembers that there was none at as_of_ms, in place of what was remembered of the same space. */
void lookup_absent_add(struct lookup_absent *absent, uint32_t registry, const char *space,
                       const char *token, int64_t as_of_ms, int64_t now_ms);

/* What is remembered of the space, or NULL: nothing, or it is too old, or a command has taken
 * another token since. A view, valid until the next add. */
const struct lookup_absence *lookup_absent_find(const struct lookup_absent *absent,
                                                uint32_t registry, const char *space,
                                                const char *token, int64_t now_ms);

#endif
