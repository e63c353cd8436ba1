/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "berth/base/assert.h"
#include "sim_redis_parts.h"
#include "space_fields.h"

#define KEY_BYTES 512

static struct berth_bytes of(const char *text) {
    return (struct berth_bytes){(const uint8_t *)text, strlen(text)};
}

static struct sim_value *find(struct sim_redis *redis, const char *key, enum sim_key_type type) {
    return sim_find(&redis->keyspace, of(key), type);
}

/* ---- Single values ---- */

static struct berth_bytes value_of(struct sim_value *hash, const char *field) {
    return sim_bytes(hash == NULL ? NULL : sim_field(hash, of(field)));
}

/* 0 when it isn't there. */
static int64_t field_number(struct sim_value *hash, const char *name) {
    struct berth_bytes bytes = value_of(hash, name);
    return bytes.data == NULL ? 0 : strtoll((const char *)bytes.data, NULL, 10);
}

struct berth_bytes sim_redis_hash_get(struct sim_redis *redis, const char *key, const char *field) {
    return value_of(find(redis, key, SIM_KEY_HASH), field);
}

struct berth_bytes sim_redis_string_get(struct sim_redis *redis, const char *key) {
    struct sim_value *string = find(redis, key, SIM_KEY_STRING);
    return sim_bytes(string == NULL ? NULL : &string->items[0]);
}

static void copy_field(struct sim_value *hash, const char *name, char *ret_text, size_t bytes) {
    struct berth_bytes value = value_of(hash, name);
    BERTH_ASSERT(value.len < bytes);
    if (value.len > 0) {
        memcpy(ret_text, value.data, value.len);
    }
    ret_text[value.len] = '\0';
}

/* The fields and values as the scripts hand them on: one a line. */
static void parse_state(const struct sim_value *hash, struct berth_space_state *ret_state) {
    size_t len = 0;
    for (size_t i = 0; i < hash->count; i++) {
        len += hash->items[i].len + 1;
    }
    char *text = malloc(len + 1);
    BERTH_ASSERT(text != NULL);
    char *at = text;
    for (size_t i = 0; i < hash->count; i++) {
        memcpy(at, hash->items[i].data, hash->items[i].len);
        at += hash->items[i].len;
        *at++ = '\n';
    }
    enum berth_rc rc = space_fields_parse(text, len == 0 ? 0 : len - 1, ret_state);
    BERTH_ASSERT(rc == BERTH_OK);
    free(text);
}

bool sim_redis_space(struct sim_redis *redis, const char *registry, const char *space,
                     struct sim_redis_space *ret_space) {
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), SIM_REDIS_PREFIX "space:%s/%s", registry, space);
    struct sim_value *hash = find(redis, key, SIM_KEY_HASH);
    if (hash == NULL) {
        return false;
    }
    *ret_space = (struct sim_redis_space){.token = field_number(hash, "token"),
                                          .renewals = field_number(hash, "renewals")};
    struct berth_holder *holder = &ret_space->holder;
    copy_field(hash, "holder_instance", holder->instance, sizeof(holder->instance));
    copy_field(hash, "holder_incarnation", holder->incarnation, sizeof(holder->incarnation));
    copy_field(hash, "holder_command", holder->command_id, sizeof(holder->command_id));
    parse_state(hash, &ret_space->state);
    return true;
}

void sim_redis_space_deinit(struct sim_redis_space *space) {
    space_fields_free(&space->state);
}

bool sim_redis_command(struct sim_redis *redis, const char *command_id,
                       struct sim_redis_command *ret_command) {
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), SIM_REDIS_PREFIX "command:%s", command_id);
    struct sim_value *hash = find(redis, key, SIM_KEY_HASH);
    if (hash == NULL) {
        return false;
    }
    *ret_command = (struct sim_redis_command){
        .digest = value_of(hash, "digest"),
        .source = value_of(hash, "source"),
        .kind = value_of(hash, "kind"),
        .before = value_of(hash, "before"),
        .result = value_of(hash, "result"),
        .rest = value_of(hash, "rest"),
        .version = field_number(hash, "version"),
        .attempts = field_number(hash, "attempts"),
        .received_at_ms = field_number(hash, "received_at"),
        .earlier = value_of(hash, "earlier").data != NULL,
    };
    return true;
}

bool sim_redis_data_set(struct sim_redis *redis, char ret_id[BERTH_UUID_BYTES]) {
    struct berth_bytes epoch = sim_redis_string_get(redis, SIM_REDIS_PREFIX "epoch");
    if (epoch.len < BERTH_UUID_BYTES - 1) {
        return false;
    }
    memcpy(ret_id, epoch.data, BERTH_UUID_BYTES - 1);
    ret_id[BERTH_UUID_BYTES - 1] = '\0';
    return true;
}

int64_t sim_redis_sequence(struct sim_redis *redis) {
    struct berth_bytes sequence = sim_redis_string_get(redis, SIM_REDIS_PREFIX "sequence");
    return sequence.data == NULL ? 0 : strtoll((const char *)sequence.data, NULL, 10);
}

/* ---- Many ---- */

static int compare_names(const void *left, const void *right) {
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

/* The names of all keys, sorted; views, but for the array. Our names have no NUL. */
static const char **sorted_keys(struct sim_redis *redis, size_t *ret_count) {
    const char **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    uint64_t serial = 0;
    struct berth_bytes name;
    while (sim_next_key(&redis->keyspace, &serial, &name) != NULL) {
        if (count == capacity) {
            capacity = 2 * capacity + 64;
            names = realloc(names, capacity * sizeof(*names));
            BERTH_ASSERT(names != NULL);
        }
        names[count++] = (const char *)name.data;
    }
    if (count > 1) {
        qsort(names, count, sizeof(*names), compare_names);
    }
    *ret_count = count;
    return names;
}

void sim_redis_each_key(struct sim_redis *redis, const char *prefix,
                        void (*fn)(void *ctx, const char *key), void *ctx) {
    size_t count = 0;
    const char **names = sorted_keys(redis, &count);
    size_t len = strlen(prefix);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], prefix, len) == 0) {
            fn(ctx, names[i]);
        }
    }
    free(names);
}

void sim_redis_each_member(struct sim_redis *redis, const char *key,
                           void (*fn)(void *ctx, const char *member), void *ctx) {
    const struct sim_value *set = find(redis, key, SIM_KEY_SORTED_SET);
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        fn(ctx, set->items[i].data);
    }
}

bool sim_redis_has_member(struct sim_redis *redis, const char *key, const char *member) {
    const struct sim_value *set = find(redis, key, SIM_KEY_SORTED_SET);
    bool there = false;
    if (set != NULL) {
        (void)sim_member_place(set, of(member), &there);
    }
    return there;
}

/* ---- Everything ---- */

/* FNV-1a, 64 bits. */
static void add_to_digest(uint64_t *digest, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        *digest = (*digest ^ bytes[i]) * UINT64_C(1099511628211);
    }
}

static void add_text_to_digest(uint64_t *digest, struct berth_bytes text) {
    add_to_digest(digest, &text.len, sizeof(text.len));
    add_to_digest(digest, text.data, text.len);
}

uint64_t sim_redis_digest(struct sim_redis *redis) {
    uint64_t digest = UINT64_C(14695981039346656037);
    uint64_t serial = 0;
    struct berth_bytes name;
    const struct sim_value *value = NULL;
    while ((value = sim_next_key(&redis->keyspace, &serial, &name)) != NULL) {
        add_text_to_digest(&digest, name);
        add_to_digest(&digest, &value->ends_ms, sizeof(value->ends_ms));
        for (size_t i = 0; i < value->count; i++) {
            add_text_to_digest(&digest, sim_bytes(&value->items[i]));
        }
    }
    return digest;
}

/* The lines of one key, sorted: fields, members or the value, quoted as the test's own script does
 * it with a real Redis. */
static void write_value(FILE *out, const struct sim_value *value) {
    size_t step = value->type == SIM_KEY_HASH ? 2 : 1;
    size_t count = value->count / step;
    const char **lines = calloc(count + 1, sizeof(*lines));
    BERTH_ASSERT(lines != NULL);
    for (size_t i = 0; i < count; i++) {
        char *line = NULL;
        const struct sim_text *item = &value->items[i * step];
        int rc = step == 2 ? asprintf(&line, "%s=%s", item[0].data, item[1].data)
                           : asprintf(&line, "%s", item[0].data);
        BERTH_ASSERT(rc >= 0);
        lines[i] = line;
    }
    qsort(lines, count, sizeof(*lines), compare_names);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "\n  %s", lines[i]);
        free((void *)(uintptr_t)lines[i]);
    }
    free(lines);
}

char *sim_redis_text(struct sim_redis *redis) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    BERTH_ASSERT(out != NULL);
    size_t count = 0;
    const char **names = sorted_keys(redis, &count);
    for (size_t i = 0; i < count; i++) {
        const struct sim_value *value = sim_find_any(&redis->keyspace, of(names[i]));
        (void)fprintf(out, "%s%s %s", i == 0 ? "" : "\n", names[i],
                      value->ends_ms == 0 ? "stays" : "ends");
        write_value(out, value);
    }
    free(names);
    BERTH_ASSERT(fclose(out) == 0);
    return text;
}
