/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: plain values of a struct that are set from JSON and shown as JSON, by a table.
 */
#ifndef BERTH_SANDBOX_KEYS_H
#define BERTH_SANDBOX_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "berth/base/result.h"

struct json_t;

enum berth_sandbox_key_type {
    BERTH_SANDBOX_KEY_NUMBER, /* int64_t, from min to max */
    BERTH_SANDBOX_KEY_FLAG,   /* bool */
    BERTH_SANDBOX_KEY_WORD,   /* an enum whose values are the places of words */
};

struct berth_sandbox_key {
    const char *name;
    enum berth_sandbox_key_type type;
    size_t offset; /* In the struct. */
    int64_t min;
    int64_t max;
    const char *const *words; /* Ended by NULL. */
};

/* The key of that name, or NULL. */
const struct berth_sandbox_key *berth_sandbox_key_find(const struct berth_sandbox_key *keys,
                                                       size_t count, const char *name);

/* BERTH_INVALID: not a value of this key; nothing changed. */
BERTH_MUST_USE enum berth_rc berth_sandbox_key_set(const struct berth_sandbox_key *key,
                                                   void *record, const struct json_t *value,
                                                   struct berth_error *reterr);

/* The value; a new reference. */
struct json_t *berth_sandbox_key_get(const struct berth_sandbox_key *key, const void *record);

/* Copies the value from one struct to another unless it is 0. */
void berth_sandbox_key_overlay(const struct berth_sandbox_key *key, void *record, const void *from);

#endif
