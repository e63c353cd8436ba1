/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "berth/base/assert.h"
#include "sim_redis_parts.h"

struct sim_key {
    struct sim_value value;
    char *name;
    size_t name_len;
    uint64_t serial;
    UT_hash_handle hh;
};

/* ---- Texts ---- */

struct berth_bytes sim_bytes(const struct sim_text *text) {
    if (text == NULL) {
        return (struct berth_bytes){NULL, 0};
    }
    return (struct berth_bytes){(const uint8_t *)text->data, text->len};
}

int sim_compare(struct berth_bytes a, struct berth_bytes b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0 || a.len == b.len) {
        return order;
    }
    return a.len < b.len ? -1 : 1;
}

static bool equals(const struct sim_text *text, struct berth_bytes bytes) {
    return text->len == bytes.len &&
           (bytes.len == 0 || memcmp(text->data, bytes.data, bytes.len) == 0);
}

static char *duplicate(struct berth_bytes bytes) {
    char *data = malloc(bytes.len + 1);
    BERTH_ASSERT(data != NULL);
    if (bytes.len > 0) {
        memcpy(data, bytes.data, bytes.len);
    }
    data[bytes.len] = '\0';
    return data;
}

static void assign(struct sim_text *text, struct berth_bytes bytes) {
    char *data = duplicate(bytes); /* First: the bytes may be a view of what is there. */
    free(text->data);
    *text = (struct sim_text){data, bytes.len};
}

/* ---- Items ---- */

static struct sim_text *insert(struct sim_value *value, size_t index, size_t count) {
    if (value->count + count > value->capacity) {
        value->capacity = 2 * value->capacity + count;
        value->items = realloc(value->items, value->capacity * sizeof(*value->items));
        BERTH_ASSERT(value->items != NULL);
    }
    struct sim_text *at = value->items + index;
    memmove(at + count, at, (value->count - index) * sizeof(*at));
    memset(at, 0, count * sizeof(*at));
    value->count += count;
    return at;
}

static void take_out(struct sim_value *value, size_t index, size_t count) {
    if (count == 0) {
        return;
    }
    struct sim_text *at = value->items + index;
    for (size_t i = 0; i < count; i++) {
        free(at[i].data);
    }
    memmove(at, at + count, (value->count - index - count) * sizeof(*at));
    value->count -= count;
}

void sim_string_set(struct sim_value *string, struct berth_bytes value) {
    BERTH_ASSERT(string->type == SIM_KEY_STRING);
    if (string->count == 0) {
        (void)insert(string, 0, 1);
    }
    assign(&string->items[0], value);
}

/* The place of a field; count when it isn't there. */
static size_t field_place(const struct sim_value *hash, struct berth_bytes field) {
    BERTH_ASSERT(hash->type == SIM_KEY_HASH);
    size_t index = 0;
    while (index < hash->count && !equals(&hash->items[index], field)) {
        index += 2;
    }
    return index;
}

struct sim_text *sim_field(struct sim_value *hash, struct berth_bytes field) {
    size_t index = field_place(hash, field);
    return index == hash->count ? NULL : &hash->items[index + 1];
}

bool sim_field_set(struct sim_value *hash, struct berth_bytes field, struct berth_bytes value) {
    size_t index = field_place(hash, field);
    bool new = index == hash->count;
    if (new) {
        struct sim_text *at = insert(hash, index, 2);
        assign(at, field);
    }
    assign(&hash->items[index + 1], value);
    return new;
}

bool sim_field_remove(struct sim_value *hash, struct berth_bytes field) {
    size_t index = field_place(hash, field);
    if (index == hash->count) {
        return false;
    }
    take_out(hash, index, 2);
    return true;
}

size_t sim_member_place(const struct sim_value *set, struct berth_bytes member, bool *ret_there) {
    BERTH_ASSERT(set->type == SIM_KEY_SORTED_SET);
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sim_compare(sim_bytes(&set->items[middle]), member) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_there = low < set->count && equals(&set->items[low], member);
    return low;
}

bool sim_member_add(struct sim_value *set, struct berth_bytes member) {
    bool there = false;
    size_t index = sim_member_place(set, member, &there);
    if (!there) {
        assign(insert(set, index, 1), member);
    }
    return !there;
}

bool sim_member_remove(struct sim_value *set, struct berth_bytes member) {
    bool there = false;
    size_t index = sim_member_place(set, member, &there);
    if (there) {
        take_out(set, index, 1);
    }
    return there;
}

/* ---- Keys ---- */

static void free_key(struct sim_key *key) {
    take_out(&key->value, 0, key->value.count);
    free(key->value.items);
    free(key->name);
    free(key);
}

static void forget(struct sim_keyspace *keyspace, struct sim_key *key) {
    HASH_DEL(keyspace->first, key);
    free_key(key);
}

static struct sim_key *make(struct sim_keyspace *keyspace, struct berth_bytes name,
                            enum sim_key_type type) {
    struct sim_key *key = calloc(1, sizeof(*key));
    BERTH_ASSERT(key != NULL);
    *key = (struct sim_key){.value = {.type = type},
                            .name = duplicate(name),
                            .name_len = name.len,
                            .serial = ++keyspace->serials};
    HASH_ADD_KEYPTR(hh, keyspace->first, key->name, key->name_len, key);
    return key;
}

static bool has_ended(const struct sim_keyspace *keyspace, const struct sim_key *key) {
    return key->value.ends_ms != 0 && keyspace->now_ms > key->value.ends_ms;
}

struct sim_value *sim_find_any(struct sim_keyspace *keyspace, struct berth_bytes name) {
    struct sim_key *key = NULL;
    HASH_FIND(hh, keyspace->first, name.data, name.len, key);
    if (key != NULL && has_ended(keyspace, key)) {
        forget(keyspace, key);
        key = NULL;
    }
    return key == NULL ? NULL : &key->value;
}

struct sim_value *sim_find(struct sim_keyspace *keyspace, struct berth_bytes name,
                           enum sim_key_type type) {
    struct sim_value *value = sim_find_any(keyspace, name);
    BERTH_ASSERT(value == NULL || value->type == type);
    return value;
}

struct sim_value *sim_find_or_make(struct sim_keyspace *keyspace, struct berth_bytes name,
                                   enum sim_key_type type) {
    struct sim_value *value = sim_find(keyspace, name, type);
    return value != NULL ? value : &make(keyspace, name, type)->value;
}

bool sim_delete(struct sim_keyspace *keyspace, struct berth_bytes name) {
    if (sim_find_any(keyspace, name) == NULL) {
        return false;
    }
    struct sim_key *key = NULL;
    HASH_FIND(hh, keyspace->first, name.data, name.len, key);
    forget(keyspace, key);
    return true;
}

struct sim_value *sim_next_key(struct sim_keyspace *keyspace, uint64_t *serial,
                               struct berth_bytes *ret_name) {
    struct sim_key *key = keyspace->first;
    while (key != NULL) {
        struct sim_key *next = key->hh.next;
        if (has_ended(keyspace, key)) {
            forget(keyspace, key);
        } else if (key->serial > *serial) {
            *serial = key->serial;
            *ret_name = (struct berth_bytes){(const uint8_t *)key->name, key->name_len};
            return &key->value;
        }
        key = next;
    }
    return NULL;
}

void sim_keyspace_clear(struct sim_keyspace *keyspace) {
    struct sim_key *key = keyspace->first;
    HASH_CLEAR(hh, keyspace->first);
    while (key != NULL) {
        struct sim_key *next = key->hh.next;
        free_key(key);
        key = next;
    }
}

void sim_keyspace_copy(struct sim_keyspace *target, const struct sim_keyspace *source) {
    BERTH_ASSERT(target->first == NULL);
    for (const struct sim_key *key = source->first; key != NULL; key = key->hh.next) {
        struct sim_value *value =
            &make(target, (struct berth_bytes){(const uint8_t *)key->name, key->name_len},
                  key->value.type)
                 ->value;
        value->ends_ms = key->value.ends_ms;
        BERTH_ASSERT(key->value.count > 0); /* Redis has nothing that is empty. */
        (void)insert(value, 0, key->value.count);
        for (size_t i = 0; i < key->value.count; i++) {
            assign(&value->items[i], sim_bytes(&key->value.items[i]));
        }
    }
}
