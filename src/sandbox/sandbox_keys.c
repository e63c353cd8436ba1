/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_keys.h"

#include <assert.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"

static_assert(sizeof(enum berth_sandbox_key_type) == sizeof(unsigned), "enums are unsigned here");

static enum berth_rc set_number(const struct berth_sandbox_key *key, void *field,
                                const json_t *value, struct berth_error *reterr);
static enum berth_rc set_word(const struct berth_sandbox_key *key, void *field, const json_t *value,
                              struct berth_error *reterr);
static size_t size_of(const struct berth_sandbox_key *key);

const struct berth_sandbox_key *berth_sandbox_key_find(const struct berth_sandbox_key *keys,
                                                       size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

enum berth_rc berth_sandbox_key_set(const struct berth_sandbox_key *key, void *record,
                                    const struct json_t *value, struct berth_error *reterr) {
    void *field = (char *)record + key->offset;
    switch (key->type) {
    case BERTH_SANDBOX_KEY_NUMBER:
        return set_number(key, field, value, reterr);
    case BERTH_SANDBOX_KEY_WORD:
        return set_word(key, field, value, reterr);
    case BERTH_SANDBOX_KEY_FLAG:
        break;
    }
    if (!json_is_boolean(value)) {
        berth_error_set(reterr, "%s must be true or false", key->name);
        return BERTH_INVALID;
    }
    *(bool *)field = json_is_true(value);
    return BERTH_OK;
}

struct json_t *berth_sandbox_key_get(const struct berth_sandbox_key *key, const void *record) {
    const void *field = (const char *)record + key->offset;
    unsigned word = 0;
    switch (key->type) {
    case BERTH_SANDBOX_KEY_NUMBER:
        return json_integer(*(const int64_t *)field);
    case BERTH_SANDBOX_KEY_FLAG:
        return json_boolean(*(const bool *)field);
    case BERTH_SANDBOX_KEY_WORD:
        break;
    }
    memcpy(&word, field, sizeof(word));
    return json_string(key->words[word]);
}

void berth_sandbox_key_overlay(const struct berth_sandbox_key *key, void *record,
                               const void *from) {
    static const char ZERO[sizeof(int64_t)];
    const char *field = (const char *)from + key->offset;
    if (memcmp(field, ZERO, size_of(key)) != 0) {
        memcpy((char *)record + key->offset, field, size_of(key));
    }
}

static enum berth_rc set_number(const struct berth_sandbox_key *key, void *field,
                                const json_t *value, struct berth_error *reterr) {
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < key->min || number > key->max) {
        berth_error_set(reterr, "%s must be a whole number from %lld to %lld", key->name,
                        (long long)key->min, (long long)key->max);
        return BERTH_INVALID;
    }
    *(int64_t *)field = number;
    return BERTH_OK;
}

static enum berth_rc set_word(const struct berth_sandbox_key *key, void *field, const json_t *value,
                              struct berth_error *reterr) {
    char list[256] = "";
    size_t len = 0;
    for (unsigned i = 0; key->words[i] != NULL; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), key->words[i]) == 0) {
            memcpy(field, &i, sizeof(i));
            return BERTH_OK;
        }
        int written = snprintf(list + len, sizeof(list) - len, " \"%s\"", key->words[i]);
        len += (size_t)written;
        BERTH_ASSERT(written > 0);
        BERTH_ASSERT(len < sizeof(list));
    }
    berth_error_set(reterr, "%s must be one of%s", key->name, list);
    return BERTH_INVALID;
}

static size_t size_of(const struct berth_sandbox_key *key) {
    switch (key->type) {
    case BERTH_SANDBOX_KEY_NUMBER:
        return sizeof(int64_t);
    case BERTH_SANDBOX_KEY_FLAG:
        return sizeof(bool);
    case BERTH_SANDBOX_KEY_WORD:
        break;
    }
    return sizeof(unsigned);
}
