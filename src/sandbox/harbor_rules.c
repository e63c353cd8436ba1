/* SPDX-License-Identifier: Apache-2.0 */
#include "harbor_rules.h"

#include <string.h>
#include <strings.h>

#include "berth/base/assert.h"
#include "harbor_model.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Actions of one resource, in one line each; PoliciesMap and NolimitProvider in rbac/const.go. */
struct resource_actions {
    const char *resource;
    const char *actions[6];
};

static const struct resource_actions PROJECT_RIGHTS[] = {
    {"log", {"list"}},
    {"project", {"read", "delete", "update"}},
    {"metadata", {"read", "create", "delete", "list", "update"}},
    {"repository", {"read", "update", "delete", "list", "pull", "push"}},
    {"artifact", {"read", "create", "list", "delete"}},
    {"scan", {"create", "read", "stop"}},
    {"sbom", {"create", "stop", "read"}},
    {"tag", {"create", "list", "delete"}},
    {"accessory", {"list"}},
    {"artifact-addition", {"read"}},
    {"artifact-label", {"create", "delete"}},
    {"scanner", {"create", "read"}},
    {"preheat-policy", {"read", "create", "delete", "list", "update"}},
    {"immutable-tag", {"create", "delete", "list", "update"}},
    {"notification-policy", {"read", "create", "delete", "list", "update"}},
    {"tag-retention", {"read", "create", "delete", "list", "update"}},
    {"label", {"read", "create", "delete", "list", "update"}},
    {"quota", {"read"}},
    {"robot", {"create", "read", "list", "delete"}},
    {"export-cve", {"create", "read"}},
    {"member", {"create", "read", "update", "list", "delete"}},
};

static const struct resource_actions SYSTEM_RIGHTS[] = {
    {"audit-log", {"list"}},
    {"preheat-instance", {"read", "create", "delete", "list", "update"}},
    {"project", {"list", "create"}},
    {"replication-policy", {"read", "create", "delete", "list", "update"}},
    {"replication", {"read", "create", "list"}},
    {"replication-adapter", {"list"}},
    {"registry", {"read", "create", "delete", "list", "update"}},
    {"scan-all", {"read", "update", "stop", "create"}},
    {"system-volumes", {"read"}},
    {"garbage-collection", {"read", "create", "list", "update", "stop"}},
    {"purge-audit", {"read", "create", "list", "update", "stop"}},
    {"jobservice-monitor", {"list", "stop"}},
    {"scanner", {"read", "create", "delete", "list", "update"}},
    {"label", {"read", "create", "delete", "update"}},
    {"security-hub", {"read", "list"}},
    {"catalog", {"read"}},
    {"quota", {"read", "list", "update"}},
    {"robot", {"create", "read", "list", "delete"}},
    {"user", {"create", "read", "update", "list", "delete"}},
    {"ldap-user", {"create", "list"}},
    {"user-group", {"create", "read", "update", "list", "delete"}},
};

/* By role; what isn't listed, nobody may: not even a projectAdmin lists metadata. */
static const struct resource_actions ADMIN_ROLE[] = {
    {"project", {"read", "delete", "update"}},
    {"metadata", {"read", "create", "delete", "update"}},
    {"member", {"read", "create", "delete", "list", "update"}},
    {"robot", {"read", "create", "delete", "list", "update"}},
    {"repository", {"read", "update", "delete", "list", "pull", "push"}},
    {"quota", {"read"}},
};

static const struct resource_actions MAINTAINER_ROLE[] = {
    {"project", {"read"}},
    {"metadata", {"read", "create", "delete", "update"}},
    {"member", {"read", "list"}},
    {"robot", {"read", "list"}},
    {"repository", {"read", "update", "delete", "list", "pull", "push"}},
    {"quota", {"read"}},
};

static const struct resource_actions DEVELOPER_ROLE[] = {
    {"project", {"read"}},       {"member", {"read", "list"}},
    {"robot", {"read", "list"}}, {"repository", {"read", "update", "list", "pull", "push"}},
    {"quota", {"read"}},
};

static const struct resource_actions GUEST_ROLE[] = {
    {"project", {"read"}},       {"member", {"read", "list"}},
    {"robot", {"read", "list"}}, {"repository", {"read", "list", "pull"}},
    {"quota", {"read"}},
};

static const struct resource_actions LIMITED_GUEST_ROLE[] = {
    {"project", {"read"}},
    {"repository", {"list", "pull"}},
    {"quota", {"read"}},
};

/* src/pkg/project/models/pro_meta.go */
static const struct {
    const char *key;
    bool is_flag;
} METADATA[BERTH_MODEL_METADATA_COUNT] = {
    {"enable_content_trust", true},
    {"enable_content_trust_cosign", true},
    {"prevent_vul", true},
    {"severity", false},
    {"auto_scan", true},
    {"auto_sbom_generation", true},
    {"reuse_sys_cve_allowlist", true},
};

static bool letter_or_digit(char c);
static bool right_listed(const struct resource_actions *rights, size_t count, const char *resource,
                         const char *action);

bool berth_model_rules_name_legal(const char *name) {
    bool after_separator = true; /* The start wants a letter or a digit too. */
    for (const char *at = name; *at != '\0'; at++) {
        if (letter_or_digit(*at)) {
            after_separator = false;
        } else if (strchr("._-", *at) != NULL && !after_separator) {
            after_separator = true;
        } else {
            return false;
        }
    }
    return !after_separator;
}

bool berth_model_rules_secret_legal(const char *secret) {
    bool lower = false;
    bool upper = false;
    bool digit = false;
    for (const char *at = secret; *at != '\0'; at++) {
        lower = lower || (*at >= 'a' && *at <= 'z');
        upper = upper || (*at >= 'A' && *at <= 'Z');
        digit = digit || (*at >= '0' && *at <= '9');
    }
    size_t len = strlen(secret);
    return len >= BERTH_MODEL_SECRET_BYTES_MIN && len <= BERTH_MODEL_SECRET_BYTES_MAX && lower &&
           upper && digit;
}

bool berth_model_rules_duration_legal(int64_t days) {
    return days == -1 || (days > 0 && days < INT32_MAX);
}

bool berth_model_rules_storage_legal(int64_t bytes) {
    return bytes == BERTH_MODEL_UNLIMITED || (bytes > 0 && bytes <= BERTH_MODEL_STORAGE_BYTES_MAX);
}

bool berth_model_rules_project_right(const char *resource, const char *action) {
    return right_listed(PROJECT_RIGHTS, COUNT_OF(PROJECT_RIGHTS), resource, action);
}

bool berth_model_rules_system_right(const char *resource, const char *action) {
    return right_listed(SYSTEM_RIGHTS, COUNT_OF(SYSTEM_RIGHTS), resource, action);
}

bool berth_model_rules_role_may(int64_t role, const char *resource, const char *action) {
    static const struct {
        int64_t role;
        const struct resource_actions *rights;
        size_t count;
    } ROLES[] = {
        {BERTH_MODEL_ROLE_ADMIN, ADMIN_ROLE, COUNT_OF(ADMIN_ROLE)},
        {BERTH_MODEL_ROLE_DEVELOPER, DEVELOPER_ROLE, COUNT_OF(DEVELOPER_ROLE)},
        {BERTH_MODEL_ROLE_GUEST, GUEST_ROLE, COUNT_OF(GUEST_ROLE)},
        {BERTH_MODEL_ROLE_MAINTAINER, MAINTAINER_ROLE, COUNT_OF(MAINTAINER_ROLE)},
        {BERTH_MODEL_ROLE_LIMITED_GUEST, LIMITED_GUEST_ROLE, COUNT_OF(LIMITED_GUEST_ROLE)},
    };
    for (size_t i = 0; i < COUNT_OF(ROLES); i++) {
        if (ROLES[i].role == role) {
            return right_listed(ROLES[i].rights, ROLES[i].count, resource, action);
        }
    }
    return false;
}

bool berth_model_rules_right_at(bool of_project, size_t index, const char **ret_resource,
                                const char **ret_action) {
    const struct resource_actions *rights = of_project ? PROJECT_RIGHTS : SYSTEM_RIGHTS;
    size_t count = of_project ? COUNT_OF(PROJECT_RIGHTS) : COUNT_OF(SYSTEM_RIGHTS);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(rights[i].actions) && rights[i].actions[j] != NULL; j++) {
            if (index == 0) {
                *ret_resource = rights[i].resource;
                *ret_action = rights[i].actions[j];
                return true;
            }
            index--;
        }
    }
    return false;
}

const char *berth_model_rules_metadata_key(size_t index) {
    BERTH_ASSERT(index < COUNT_OF(METADATA));
    return METADATA[index].key;
}

bool berth_model_rules_metadata_is_flag(size_t index) {
    BERTH_ASSERT(index < COUNT_OF(METADATA));
    return METADATA[index].is_flag;
}

bool berth_model_rules_truth(const char *text) {
    return strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
}

static bool letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool right_listed(const struct resource_actions *rights, size_t count, const char *resource,
                         const char *action) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rights[i].resource, resource) != 0) {
            continue;
        }
        for (size_t j = 0; j < COUNT_OF(rights[i].actions) && rights[i].actions[j] != NULL; j++) {
            if (strcmp(rights[i].actions[j], action) == 0) {
                return true;
            }
        }
        return false;
    }
    return false;
}
