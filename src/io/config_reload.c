/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over a configuration that was read again. */
#include <stdio.h>
#include <string.h>

#include "berth/base/assert.h"
#include "berth/core/limits.h"
#include "config_table.h"
#include "config_values.h"

#define NAME_BYTES 256

/* The reload under way. */
struct reload {
    struct berth_config *config;
    struct berth_config *fresh;
    berth_config_change_fn *on_change;
    void *ctx;
    bool timeouts_fit;
};

static void reload_section(const struct reload *reload, enum berth_config_section_id section,
                           const char *prefix, void *base, void *fresh_base);
static void reload_registry(const struct reload *reload, struct berth_config_registry *registry,
                            struct berth_config_registry *fresh);
static void compare_properties(const struct reload *reload);
static bool property_differs(const struct berth_config *config, const char *name,
                             const char *value);
static bool timeouts_fit(const struct berth_config *config, const struct berth_config *fresh);
static bool differs(const struct berth_config_option *option, const void *base,
                    const void *fresh_base);
static bool lists_differ(const struct berth_config_list *one,
                         const struct berth_config_list *other);
static bool secrets_differ(const struct berth_secret *one, const struct berth_secret *other);
static void swap(void *one, void *other, size_t bytes);
static size_t field_bytes(enum berth_option_type type);
static void tell(const struct reload *reload, const char *prefix, const char *option, bool applied);

void berth_config_reload(struct berth_config *config, struct berth_config *fresh,
                         berth_config_change_fn *on_change, void *ctx) {
    const struct reload reload = {
        .config = config,
        .fresh = fresh,
        .on_change = on_change,
        .ctx = ctx,
        .timeouts_fit = timeouts_fit(config, fresh),
    };
    reload_section(&reload, BERTH_SECTION_BERTH, "berth", config, fresh);
    if (secrets_differ(&config->master_key, &fresh->master_key)) {
        tell(&reload, "berth", "master_key_file", false);
    }
    compare_properties(&reload);
    reload_section(&reload, BERTH_SECTION_TOPICS, "topics", config, fresh);
    reload_section(&reload, BERTH_SECTION_REDIS, "redis", config, fresh);
    if (secrets_differ(&config->redis.password, &fresh->redis.password)) {
        tell(&reload, "redis", "password_file", false);
    }
    for (size_t i = 0; i < config->registries_count; i++) {
        struct berth_config_registry *registry = &config->registries[i];
        size_t j = 0;
        while (j < fresh->registries_count &&
               strcmp(fresh->registries[j].name, registry->name) != 0) {
            j++;
        }
        if (j == fresh->registries_count) {
            tell(&reload, "registry ", registry->name, false);
        } else {
            reload_registry(&reload, registry, &fresh->registries[j]);
        }
    }
    for (size_t j = 0; j < fresh->registries_count; j++) {
        if (berth_config_find_registry(config, fresh->registries[j].name) == NULL) {
            tell(&reload, "registry ", fresh->registries[j].name, false);
        }
    }
}

static void reload_section(const struct reload *reload, enum berth_config_section_id section,
                           const char *prefix, void *base, void *fresh_base) {
    size_t count = 0;
    const struct berth_config_option *table = berth_config_table(&count);
    for (size_t i = 0; i < count; i++) {
        const struct berth_config_option *option = &table[i];
        if (option->section != section || !differs(option, base, fresh_base)) {
            continue;
        }
        bool timeout = strcmp(option->name, "request_timeout_ms") == 0 ||
                       strcmp(option->name, "connect_timeout_ms") == 0;
        bool applied = option->reloads && (!timeout || reload->timeouts_fit);
        if (applied) {
            swap((char *)base + option->offset, (char *)fresh_base + option->offset,
                 field_bytes(option->type));
        }
        tell(reload, prefix, option->name, applied);
    }
}

static void reload_registry(const struct reload *reload, struct berth_config_registry *registry,
                            struct berth_config_registry *fresh) {
    char prefix[NAME_BYTES];
    (void)snprintf(prefix, sizeof(prefix), "registry %s", registry->name);
    if (secrets_differ(&registry->password, &fresh->password)) {
        swap(&registry->password, &fresh->password, sizeof(registry->password));
        tell(reload, prefix, "password", true);
    }
    reload_section(reload, BERTH_SECTION_REGISTRY, prefix, registry, fresh);
}

static void compare_properties(const struct reload *reload) {
    const struct berth_config *sides[] = {reload->config, reload->fresh};
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < sides[side]->kafka.properties_count; i++) {
            const struct berth_config_property *property = &sides[side]->kafka.properties[i];
            bool both = !property_differs(sides[1 - side], property->name, NULL);
            /* What is on both sides is told once. */
            if ((both && side == 0 &&
                 property_differs(sides[1], property->name, property->value)) ||
                !both) {
                tell(reload, "kafka", property->name, false);
            }
        }
    }
}

/* value NULL: only whether it is there counts. */
static bool property_differs(const struct berth_config *config, const char *name,
                             const char *value) {
    for (size_t i = 0; i < config->kafka.properties_count; i++) {
        const struct berth_config_property *property = &config->kafka.properties[i];
        if (strcmp(property->name, name) == 0) {
            return value != NULL && strcmp(property->value, value) != 0;
        }
    }
    return true;
}

/* The rule of config_check.c, with the lease that stays and the time-outs that would come. */
static bool timeouts_fit(const struct berth_config *config, const struct berth_config *fresh) {
    int64_t longest_ms = 0;
    for (size_t i = 0; i < fresh->registries_count; i++) {
        if (fresh->registries[i].request_timeout_ms > longest_ms) {
            longest_ms = fresh->registries[i].request_timeout_ms;
        }
    }
    return config->lease_ms > 2 * longest_ms + config->redis.timeout_ms;
}

static bool differs(const struct berth_config_option *option, const void *base,
                    const void *fresh_base) {
    const void *one = (const char *)base + option->offset;
    const void *other = (const char *)fresh_base + option->offset;
    switch (option->type) {
    case BERTH_OPTION_LABEL:
    case BERTH_OPTION_WORD:
    case BERTH_OPTION_TOPIC:
    case BERTH_OPTION_TEXT:
    case BERTH_OPTION_PATH:
    case BERTH_OPTION_SECRET_FILE:
    case BERTH_OPTION_UUID:
    case BERTH_OPTION_URL:
    case BERTH_OPTION_ADDRESS:
    case BERTH_OPTION_SERVER:
    case BERTH_OPTION_PROXY: {
        const char *text = *(char *const *)one;
        const char *fresh = *(char *const *)other;
        return text == NULL || fresh == NULL ? text != fresh : strcmp(text, fresh) != 0;
    }
    case BERTH_OPTION_BOOLEAN:
        return *(const bool *)one != *(const bool *)other;
    case BERTH_OPTION_INTEGER:
        return *(const int64_t *)one != *(const int64_t *)other;
    case BERTH_OPTION_CHOICE:
        return *(const int *)one != *(const int *)other;
    case BERTH_OPTION_NAMES:
    case BERTH_OPTION_HEADERS:
        return lists_differ(one, other);
    case BERTH_OPTION_PROPERTY:
        return false; /* Compared by name. */
    }
    BERTH_UNREACHABLE("a type of option");
}

static bool lists_differ(const struct berth_config_list *one,
                         const struct berth_config_list *other) {
    if (one->count != other->count) {
        return true;
    }
    for (size_t i = 0; i < one->count; i++) {
        if (strcmp(one->items[i], other->items[i]) != 0) {
            return true;
        }
    }
    return false;
}

static bool secrets_differ(const struct berth_secret *one, const struct berth_secret *other) {
    return one->len != other->len ||
           (one->len > 0 && memcmp(one->text, other->text, one->len) != 0);
}

static void swap(void *one, void *other, size_t bytes) {
    char kept[sizeof(struct berth_config_list)];
    BERTH_ASSERT(bytes <= sizeof(kept));
    memcpy(kept, one, bytes);
    memcpy(one, other, bytes);
    memcpy(other, kept, bytes);
}

static size_t field_bytes(enum berth_option_type type) {
    switch (type) {
    case BERTH_OPTION_BOOLEAN:
        return sizeof(bool);
    case BERTH_OPTION_INTEGER:
        return sizeof(int64_t);
    case BERTH_OPTION_CHOICE:
        return sizeof(int);
    case BERTH_OPTION_NAMES:
    case BERTH_OPTION_HEADERS:
        return sizeof(struct berth_config_list);
    case BERTH_OPTION_LABEL:
    case BERTH_OPTION_WORD:
    case BERTH_OPTION_TOPIC:
    case BERTH_OPTION_TEXT:
    case BERTH_OPTION_PATH:
    case BERTH_OPTION_SECRET_FILE:
    case BERTH_OPTION_UUID:
    case BERTH_OPTION_URL:
    case BERTH_OPTION_ADDRESS:
    case BERTH_OPTION_SERVER:
    case BERTH_OPTION_PROXY:
        return sizeof(char *);
    case BERTH_OPTION_PROPERTY:
        break;
    }
    BERTH_UNREACHABLE("a type of option with a field");
}

static void tell(const struct reload *reload, const char *prefix, const char *option,
                 bool applied) {
    char name[NAME_BYTES];
    size_t len = strlen(prefix);
    bool whole = len > 0 && prefix[len - 1] == ' ';
    (void)snprintf(name, sizeof(name), "%s%s%s", prefix, whole ? "" : ".", option);
    reload->on_change(reload->ctx, name, applied);
}
