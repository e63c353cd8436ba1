/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules a command must meet before it is claimed (design 3 and 4.2): fields, key, topic,
 * registry. What they refuse is REJECTED without the ledger and without a Harbor call.
 */
#ifndef BERTH_CORE_COMMAND_RULES_H
#define BERTH_CORE_COMMAND_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "berth/core/command.h"

struct berth_refusal {
    char code[BERTH_CODE_BYTES];
    char message[BERTH_MESSAGE_BYTES]; /* One sentence with the remedy. */
};

struct berth_rules {
    /* The configured registries and each one's command topic, by index. Borrowed. */
    const char *const *registry_names;
    const char *const *registry_topics;
    size_t registries_count;
    const char *const *protected_spaces; /* DeleteSpace of these is space.protected. */
    size_t protected_spaces_count;
};

/*
 * True when the command is acceptable; ret_registry is then its registry's index.
 * False: ret_refusal says why (the first rule that is broken, in a fixed order: id, registry,
 * topic, space name, key, fields of the type). key: the record's key; topic: where it was read.
 */
bool berth_command_check(const struct berth_command *command, const char *topic, const void *key,
                         size_t key_len, const struct berth_rules *rules, size_t *ret_registry,
                         struct berth_refusal *ret_refusal);

/* Harbor's rule for project and robot names, ^[a-z0-9]+([._-][a-z0-9]+)*$ (harbor-contract 1.3). */
bool berth_harbor_name_legal(const char *name);

/* A workspace id: 1 to 128 letters, digits, '.', '_', '-'. */
bool berth_workspace_id_legal(const char *id);

/* 8-4-4-4-12 hex digits, either case. */
bool berth_uuid_legal(const char *text);

#endif
