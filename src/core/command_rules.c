/* SPDX-License-Identifier: Apache-2.0 */
#include "berth/core/command_rules.h"

#include <stdarg.h>
#include <string.h>

#include "berth/core/codes.h"
#include "text.h"

#define UUID_CHARACTERS        36
#define HARBOR_QUOTA_BYTES_MAX ((int64_t)1 << 50) /* 1024 TiB (harbor-contract 1.3). */

/* A name that is refused is echoed as far as this. */
#define NAME_IN_SENTENCE_BYTES 64

static bool check_names(const struct berth_command *command, const char *topic, const void *key,
                        size_t key_len, const struct berth_rules *rules, size_t *ret_registry,
                        struct berth_refusal *ret_refusal);
static bool check_fields(const struct berth_command *command, const struct berth_rules *rules,
                         struct berth_refusal *ret_refusal);
static bool refuse_name(const struct berth_command *command, struct berth_refusal *ret_refusal);
static bool find_registry(const struct berth_command *command, const struct berth_rules *rules,
                          size_t *ret_registry, struct berth_refusal *ret_refusal);
static bool check_key(const struct berth_command *command, const void *key, size_t key_len,
                      struct berth_refusal *ret_refusal);
static bool check_quota(const struct berth_command *command, struct berth_refusal *ret_refusal);
static bool check_update(const struct berth_command *command, struct berth_refusal *ret_refusal);
static bool check_delete(const struct berth_command *command, const struct berth_rules *rules,
                         struct berth_refusal *ret_refusal);
static bool check_workspaces(const struct berth_command *command,
                             struct berth_refusal *ret_refusal);
static bool refuse(struct berth_refusal *refusal, const char *code, ...) __attribute__((sentinel));
static bool is_name_character(char c);
static bool is_hex_digit(char c);

bool berth_command_check(const struct berth_command *command, const char *topic, const void *key,
                         size_t key_len, const struct berth_rules *rules, size_t *ret_registry,
                         struct berth_refusal *ret_refusal) {
    size_t registry = 0;
    if (!check_names(command, topic, key, key_len, rules, &registry, ret_refusal) ||
        !check_fields(command, rules, ret_refusal)) {
        return false;
    }
    *ret_registry = registry;
    return true;
}

static bool check_names(const struct berth_command *command, const char *topic, const void *key,
                        size_t key_len, const struct berth_rules *rules, size_t *ret_registry,
                        struct berth_refusal *ret_refusal) {
    if (!berth_uuid_legal(command->id)) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_ID_INVALID,
                      "command_id must be a UUID, such as "
                      "2f0c3f6e-8f2b-4d0c-9a53-0d6f3f0c7b1a.",
                      NULL);
    }
    if (!find_registry(command, rules, ret_registry, ret_refusal)) {
        return false;
    }
    const char *own_topic = rules->registry_topics[*ret_registry];
    if (strcmp(own_topic, topic) != 0) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_WRONG_TOPIC, "Registry ", command->registry,
                      " takes its commands on topic ", own_topic, ": send it there.", NULL);
    }
    if (!berth_harbor_name_legal(command->space) ||
        strlen(command->space) > BERTH_SPACE_NAME_BYTES_MAX) {
        return refuse_name(command, ret_refusal);
    }
    return check_key(command, key, key_len, ret_refusal);
}

static bool refuse_name(const struct berth_command *command, struct berth_refusal *ret_refusal) {
    char name[NAME_IN_SENTENCE_BYTES + 1];
    struct text text;
    text_init(&text, name, sizeof(name));
    text_add_short(&text, command->space, NAME_IN_SENTENCE_BYTES);
    return refuse(ret_refusal, BERTH_CODE_SPACE_NAME_INVALID, "'", name,
                  "' can't be the name of a space, which is made of lower-case letters and digits "
                  "in groups joined by single '.', '_' or '-', at most 190 characters in all: "
                  "choose another.",
                  NULL);
}

static bool find_registry(const struct berth_command *command, const struct berth_rules *rules,
                          size_t *ret_registry, struct berth_refusal *ret_refusal) {
    for (size_t i = 0; i < rules->registries_count; i++) {
        if (strcmp(rules->registry_names[i], command->registry) == 0) {
            *ret_registry = i;
            return true;
        }
    }
    text_set(ret_refusal->code, sizeof(ret_refusal->code), BERTH_CODE_REGISTRY_UNKNOWN, NULL);
    struct text text;
    text_init(&text, ret_refusal->message, sizeof(ret_refusal->message));
    text_add(&text, "No registry '");
    text_add(&text, command->registry);
    text_add(&text, "' is configured; there is: ");
    for (size_t i = 0; i < rules->registries_count; i++) {
        const char *name = rules->registry_names[i];
        if (strlen(name) + sizeof(", , ....") > text_room(&text)) {
            text_add(&text, ", ...");
            break;
        }
        text_add(&text, i > 0 ? ", " : "");
        text_add(&text, name);
    }
    text_add(&text, ".");
    return false;
}

static bool check_key(const struct berth_command *command, const void *key, size_t key_len,
                      struct berth_refusal *ret_refusal) {
    char wanted[BERTH_REGISTRY_BYTES + BERTH_SPACE_BYTES];
    text_set(wanted, sizeof(wanted), command->registry, "/", command->space, NULL);
    if (key == NULL || key_len != strlen(wanted) || memcmp(key, wanted, key_len) != 0) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_KEY_MISMATCH,
                      "The record's key must be registry and space of its command, '", wanted,
                      "': the order of commands depends on it.", NULL);
    }
    return true;
}

static bool check_fields(const struct berth_command *command, const struct berth_rules *rules,
                         struct berth_refusal *ret_refusal) {
    switch (command->type) {
    case BERTH_CREATE_SPACE:
        return check_quota(command, ret_refusal);
    case BERTH_UPDATE_SPACE:
        return check_update(command, ret_refusal);
    case BERTH_DELETE_SPACE:
        return check_delete(command, rules, ret_refusal);
    case BERTH_BIND_WORKSPACE:
    case BERTH_UNBIND_WORKSPACE:
    case BERTH_SET_WORKSPACE_BINDINGS:
        return check_workspaces(command, ret_refusal);
    }
    return false;
}

static bool check_quota(const struct berth_command *command, struct berth_refusal *ret_refusal) {
    int64_t quota = command->quota_bytes;
    if (command->quota_given && quota != BERTH_QUOTA_UNLIMITED &&
        (quota < 1 || quota > HARBOR_QUOTA_BYTES_MAX)) {
        return refuse(ret_refusal, BERTH_CODE_QUOTA_INVALID,
                      "quota_bytes must be -1 (unlimited) or from 1 to 1125899906842624 (1024 "
                      "TiB).",
                      NULL);
    }
    return true;
}

static bool check_update(const struct berth_command *command, struct berth_refusal *ret_refusal) {
    if (command->visibility == BERTH_VISIBILITY_UNSET && !command->quota_given) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_NOTHING_TO_UPDATE,
                      "UpdateSpace needs visibility, quota_bytes or both.", NULL);
    }
    return check_quota(command, ret_refusal);
}

static bool check_delete(const struct berth_command *command, const struct berth_rules *rules,
                         struct berth_refusal *ret_refusal) {
    for (size_t i = 0; i < rules->protected_spaces_count; i++) {
        if (strcmp(rules->protected_spaces[i], command->space) == 0) {
            return refuse(ret_refusal, BERTH_CODE_SPACE_PROTECTED, "Space ", command->space,
                          " is protected from deletion: take it out of protected_spaces in berth's "
                          "configuration first.",
                          NULL);
        }
    }
    return true;
}

static bool check_workspaces(const struct berth_command *command,
                             struct berth_refusal *ret_refusal) {
    if (command->workspaces_count > BERTH_COMMAND_WORKSPACES_MAX) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_WORKSPACES_TOO_MANY,
                      "A command takes at most 1000 workspaces: send several.", NULL);
    }
    /* An empty set is a wish only where the whole set is given. */
    if (command->workspaces_count == 0 && command->type != BERTH_SET_WORKSPACE_BINDINGS) {
        return refuse(ret_refusal, BERTH_CODE_COMMAND_WORKSPACES_EMPTY,
                      berth_command_type_name(command->type), " needs at least one workspace.",
                      NULL);
    }
    for (size_t i = 0; i < command->workspaces_count; i++) {
        const char *id = command->workspaces[i].id;
        if (!berth_workspace_id_legal(id)) {
            return refuse(ret_refusal, BERTH_CODE_WORKSPACE_ID_INVALID,
                          "A workspace's id is 1 to 128 letters, digits, '.', '_' and '-': '", id,
                          "' is not.", NULL);
        }
    }
    return true;
}

bool berth_harbor_name_legal(const char *name) {
    bool joined = true; /* A group of letters and digits must begin here. */
    for (const char *c = name; *c != '\0'; c++) {
        bool joins = *c == '.' || *c == '_' || *c == '-';
        if (joins ? joined : !is_name_character(*c)) {
            return false;
        }
        joined = joins;
    }
    return !joined;
}

bool berth_workspace_id_legal(const char *id) {
    size_t len = 0;
    for (; id[len] != '\0'; len++) {
        char c = id[len];
        bool upper = c >= 'A' && c <= 'Z';
        if (!is_name_character(c) && !upper && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return len > 0 && len < BERTH_WORKSPACE_BYTES;
}

bool berth_uuid_legal(const char *text) {
    for (size_t i = 0; i < UUID_CHARACTERS; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex_digit(text[i])) {
            return false; /* The NUL of a shorter text, too. */
        }
    }
    return text[UUID_CHARACTERS] == '\0';
}

/* Sets the refusal, its sentence from the parts up to NULL, and answers "not acceptable". */
static bool refuse(struct berth_refusal *refusal, const char *code, ...) {
    text_set(refusal->code, sizeof(refusal->code), code, NULL);
    struct text text;
    text_init(&text, refusal->message, sizeof(refusal->message));
    va_list parts;
    va_start(parts, code);
    text_add_list(&text, parts);
    va_end(parts);
    return false;
}

static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
