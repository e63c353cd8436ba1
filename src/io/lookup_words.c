/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "berth/base/assert.h"
#include "berth/io/redis_client.h"
#include "lookup_parts.h"
#include "space_fields.h"

#define NAME_TEXT   ((size_t)(BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES))
#define KEY_TEXT    (LOOKUP_PREFIX_BYTES + NAME_TEXT + 32)
#define NUMBER_TEXT ((size_t)BERTH_REDIS_NUMBER_BYTES)
/* What every script's call has besides its fields and stretches: a few keys, names and numbers. */
#define FIXED_WORDS 16
#define FIXED_TEXT  (6 * KEY_TEXT + 4 * NUMBER_TEXT)
/* A stretch: two sets and two bounds. */
#define STRETCH_WORDS 4
#define STRETCH_TEXT  (2 * KEY_TEXT + 2 * NAME_TEXT)

/* prefix + kind + name + suffix */
static void add_key(struct berth_lookup *lookup, const char *kind, const char *name,
                    const char *suffix) {
    struct berth_redis_args *args = &lookup->args;
    berth_redis_args_append(args, lookup->config->redis.prefix);
    berth_redis_args_append(args, kind);
    berth_redis_args_append(args, name);
    berth_redis_args_append(args, suffix);
    berth_redis_args_close(args);
}

static const char *registry_name(const struct berth_lookup *lookup, uint32_t registry) {
    return lookup->config->registries[registry].name;
}

static void add_space_key(struct berth_lookup *lookup, uint32_t registry, const char *space) {
    struct berth_redis_args *args = &lookup->args;
    berth_redis_args_append(args, lookup->config->redis.prefix);
    berth_redis_args_append(args, "space:");
    berth_redis_args_append(args, registry_name(lookup, registry));
    berth_redis_args_append(args, "/");
    berth_redis_args_append(args, space);
    berth_redis_args_close(args);
}

/* ---- A page ---- */

/*
 * A list goes through its registries one after the other, in the byte order of "registry/": that is
 * the order of the names, and where a cursor may stand. '0' is the byte after '/', so "alpha0" is
 * the end of all that begins with "alpha/".
 */

/* Whether the request's list has a stretch in this registry that the cursor isn't past. */
static bool has_stretch(const struct berth_lookup *lookup, const struct lookup_request *request,
                        uint32_t registry) {
    const char *name = registry_name(lookup, registry);
    if (request->registry_name[0] != '\0' && strcmp(request->registry_name, name) != 0) {
        return false;
    }
    char end[BERTH_REGISTRY_BYTES + 1];
    size_t len = strlen(name);
    BERTH_ASSERT(len < BERTH_REGISTRY_BYTES);
    memcpy(end, name, len);
    end[len] = '0';
    end[len + 1] = '\0';
    return strcmp(request->after, end) < 0;
}

/* The sets whose union is listed in each stretch. */
static size_t sets_of(const struct lookup_request *request) {
    return request->has_workspace && request->public ? 2 : 1;
}

static void add_sets(struct berth_lookup *lookup, const struct lookup_request *request,
                     uint32_t registry) {
    if (request->has_workspace) {
        add_key(lookup, "workspace:", request->workspace, "");
    }
    if (request->public) {
        add_key(lookup, "registry:", registry_name(lookup, registry), ":public");
    } else if (!request->has_workspace) {
        add_key(lookup, "registry:", registry_name(lookup, registry), "");
    }
}

static void add_bounds(struct berth_lookup *lookup, const struct lookup_request *request,
                       uint32_t registry) {
    struct berth_redis_args *args = &lookup->args;
    const char *name = registry_name(lookup, registry);
    size_t len = strlen(name);
    bool within = strncmp(request->after, name, len) == 0 && request->after[len] == '/';
    if (within) {
        berth_redis_args_append(args, "(");
        berth_redis_args_append(args, request->after);
    } else {
        berth_redis_args_append(args, "[");
        berth_redis_args_append(args, name);
        berth_redis_args_append(args, "/");
    }
    berth_redis_args_close(args);
    berth_redis_args_append(args, "(");
    berth_redis_args_append(args, name);
    berth_redis_args_append(args, "0");
    berth_redis_args_close(args);
}

enum berth_rc lookup_words_page(struct berth_lookup *lookup, const struct lookup_request *request) {
    struct berth_redis_args *args = &lookup->args;
    size_t registries = lookup->config->registries_count;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS + STRETCH_WORDS * registries,
                                              FIXED_TEXT + STRETCH_TEXT * registries);
    if (rc != BERTH_OK) {
        return rc;
    }
    size_t stretches = 0;
    for (size_t i = 0; i < registries; i++) {
        stretches += has_stretch(lookup, request, lookup->order[i]) ? 1 : 0;
    }
    berth_redis_client_script_words(args, 1 + sets_of(request) * stretches);
    add_key(lookup, "epoch", "", "");
    for (size_t i = 0; i < registries; i++) {
        if (has_stretch(lookup, request, lookup->order[i])) {
            add_sets(lookup, request, lookup->order[i]);
        }
    }
    berth_redis_args_number(args, (int64_t)request->limit);
    berth_redis_args_number(args, BERTH_LOOKUP_PAGE_BINDINGS_MAX);
    add_key(lookup, "space:", "", "");
    berth_redis_args_number(args, (int64_t)sets_of(request));
    for (size_t i = 0; i < registries; i++) {
        if (has_stretch(lookup, request, lookup->order[i])) {
            add_bounds(lookup, request, lookup->order[i]);
        }
    }
    return BERTH_OK;
}

/* ---- One space ---- */

enum berth_rc lookup_words_space(struct berth_lookup *lookup, uint32_t registry,
                                 const char *space) {
    enum berth_rc rc = berth_redis_args_begin(&lookup->args, FIXED_WORDS, FIXED_TEXT);
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(&lookup->args, 2);
    add_key(lookup, "epoch", "", "");
    add_space_key(lookup, registry, space);
    return BERTH_OK;
}

enum berth_rc lookup_words_fill(struct berth_lookup *lookup, uint32_t registry, const char *space,
                                const struct lookup_mark *mark,
                                const struct berth_space_state *state) {
    struct berth_redis_args *args = &lookup->args;
    size_t bindings = state->bindings_count;
    enum berth_rc rc = berth_redis_args_begin(args, FIXED_WORDS + SPACE_FIELDS_WORDS(bindings),
                                              FIXED_TEXT + SPACE_FIELDS_TEXT(bindings));
    if (rc != BERTH_OK) {
        return rc;
    }
    berth_redis_client_script_words(args, 4);
    add_key(lookup, "epoch", "", "");
    add_space_key(lookup, registry, space);
    add_key(lookup, "registry:", registry_name(lookup, registry), "");
    add_key(lookup, "registry:", registry_name(lookup, registry), ":public");
    /* No epoch is empty: then nothing is filled in. */
    berth_redis_args_text(args, mark->untouched ? mark->epoch : "");
    berth_redis_args_text(args, mark->token);
    berth_redis_args_append(args, registry_name(lookup, registry));
    berth_redis_args_append(args, "/");
    berth_redis_args_append(args, space);
    berth_redis_args_close(args);
    add_key(lookup, "workspace:", "", "");
    /* No version: it was never published, and no command's outcome is this state. */
    space_fields_add(args, state, 0);
    return BERTH_OK;
}
