/* SPDX-License-Identifier: Apache-2.0 */
#include "send_outgoing.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "berth/base/assert.h"
#include "berth/codec/identity.h"
#include "berth/core/command_rules.h"
#include "berth/io/clock.h"

/* Longer keys and files can't be tried. */
#define TRIED_BYTES_MAX ((size_t)16 * 1024 * 1024)

static enum cli_exit fill(struct cli_outgoing *outgoing, const struct cli *cli,
                          const struct cli_send_request *request, const char *where);
static enum cli_exit choose_topic(struct cli_outgoing *outgoing, const struct cli *cli,
                                  const struct cli_send_request *request, const char *where);
static enum cli_exit fill_raw(struct cli_outgoing *outgoing, const struct cli_send_request *request,
                              const char *where);
static enum cli_exit fill_command(struct cli_outgoing *outgoing, const struct cli *cli,
                                  const struct cli_send_request *request, const char *where);
static enum cli_exit make_command(const struct cli_send_request *request, const char *where,
                                  struct berth_command *ret_command);
static enum cli_exit check(const struct cli_outgoing *outgoing, const struct cli *cli,
                           const struct berth_command *command, const char *where);
static enum cli_exit copy(char *target, size_t size, const char *text, const char *option,
                          const char *where);
static enum cli_exit read_file(const char *path, struct berth_buffer *buffer, const char *where);
static const char *login_name(void);
static enum berth_rc make_traceparent(char ret_text[BERTH_TRACEPARENT_BYTES]);
static void deinit(struct cli_outgoing *outgoing);

enum cli_exit cli_outgoing_add(struct cli_outgoing_list *list, const struct cli *cli,
                               const struct cli_send_request *request, const char *where) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 1;
        struct cli_outgoing *items = reallocarray(list->items, capacity, sizeof(*items));
        if (items == NULL) {
            return cli_fault(BERTH_FAULT_MEMORY, NULL);
        }
        list->items = items;
        list->capacity = capacity;
    }
    struct cli_outgoing *outgoing = &list->items[list->count];
    memset(outgoing, 0, sizeof(*outgoing));
    berth_buffer_init(&outgoing->key, TRIED_BYTES_MAX);
    berth_buffer_init(&outgoing->value, TRIED_BYTES_MAX);
    enum cli_exit status = fill(outgoing, cli, request, where);
    if (status != CLI_SUCCEEDED) {
        deinit(outgoing);
        return status;
    }
    list->count++;
    return CLI_SUCCEEDED;
}

void cli_outgoing_deinit(struct cli_outgoing_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        deinit(&list->items[i]);
    }
    free(list->items);
    *list = (struct cli_outgoing_list){0};
}

static enum cli_exit fill(struct cli_outgoing *outgoing, const struct cli *cli,
                          const struct cli_send_request *request, const char *where) {
    enum cli_exit status = choose_topic(outgoing, cli, request, where);
    if (status != CLI_SUCCEEDED) {
        return status;
    }
    enum berth_rc rc = make_traceparent(outgoing->traceparent);
    if (rc == BERTH_OK && request->key != NULL) {
        rc = berth_buffer_append_text(&outgoing->key, request->key);
    } else if (rc == BERTH_OK && request->registry != NULL && request->space != NULL) {
        rc = berth_buffer_printf(&outgoing->key, "%s/%s", request->registry, request->space);
    }
    if (rc != BERTH_OK) {
        return cli_fault(rc, NULL);
    }
    return request->typed ? fill_command(outgoing, cli, request, where)
                          : fill_raw(outgoing, request, where);
}

static enum cli_exit choose_topic(struct cli_outgoing *outgoing, const struct cli *cli,
                                  const struct cli_send_request *request, const char *where) {
    if (request->topic != NULL) {
        return copy(outgoing->topic, sizeof(outgoing->topic), request->topic, "--topic", where);
    }
    const struct berth_config_registry *registry =
        berth_config_find_registry(cli->config, request->registry);
    if (registry != NULL) {
        return copy(outgoing->topic, sizeof(outgoing->topic), registry->command_topic, "topic",
                    where);
    }
    if (request->typed && !request->no_check) {
        return CLI_SUCCEEDED; /* The check says it in berthd's words. */
    }
    cli_complain("%sno registry %s is configured, so it needs --topic", where, request->registry);
    return CLI_USAGE;
}

static enum cli_exit fill_raw(struct cli_outgoing *outgoing, const struct cli_send_request *request,
                              const char *where) {
    (void)snprintf(outgoing->title, sizeof(outgoing->title), "bytes of %s", request->raw);
    return read_file(request->raw, &outgoing->value, where);
}

static enum cli_exit fill_command(struct cli_outgoing *outgoing, const struct cli *cli,
                                  const struct cli_send_request *request, const char *where) {
    struct berth_command command = {0};
    enum cli_exit status = make_command(request, where, &command);
    if (status == CLI_SUCCEEDED && !request->no_check) {
        status = check(outgoing, cli, &command, where);
    }
    if (status == CLI_SUCCEEDED) {
        struct berth_error error = {0};
        enum berth_rc rc =
            berth_codec_encode_command(cli->codec, &command, &outgoing->value, &error);
        if (rc != BERTH_OK) {
            status = cli_fault(rc, &error);
        }
    }
    if (status == CLI_SUCCEEDED) {
        memcpy(outgoing->id, command.id, sizeof(outgoing->id));
        (void)snprintf(outgoing->title, sizeof(outgoing->title), "%s %s/%s",
                       berth_command_type_name(command.type), command.registry, command.space);
    }
    free(command.workspaces);
    return status;
}

/* The workspaces are the caller's to free, also after a failure. */
static enum cli_exit make_command(const struct cli_send_request *request, const char *where,
                                  struct berth_command *ret_command) {
    struct berth_command *command = ret_command;
    command->type = request->type;
    command->issued_at_ms = berth_clock_wall_ms();
    command->visibility = request->visibility;
    command->quota_given = request->quota_given;
    command->quota_bytes = request->quota_bytes;
    command->if_exists = request->adopt ? BERTH_IF_EXISTS_ADOPT : BERTH_IF_EXISTS_FAIL;
    command->unbind = request->unbind;
    enum cli_exit status =
        copy(command->registry, sizeof(command->registry), request->registry, "--registry", where);
    if (status == CLI_SUCCEEDED) {
        status = copy(command->space, sizeof(command->space), request->space, "--space", where);
    }
    if (status == CLI_SUCCEEDED) {
        const char *actor = request->actor != NULL ? request->actor : login_name();
        status = copy(command->actor, sizeof(command->actor), actor, "--actor", where);
    }
    if (status == CLI_SUCCEEDED && request->id != NULL) {
        status = copy(command->id, sizeof(command->id), request->id, "--id", where);
    } else if (status == CLI_SUCCEEDED) {
        enum berth_rc rc = berth_uuid4(command->id);
        status = rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, NULL);
    }
    if (status == CLI_SUCCEEDED && request->workspaces_count > 0) {
        command->workspaces = calloc(request->workspaces_count, sizeof(*command->workspaces));
        if (command->workspaces == NULL) {
            return cli_fault(BERTH_FAULT_MEMORY, NULL);
        }
    }
    for (size_t i = 0; status == CLI_SUCCEEDED && i < request->workspaces_count; i++) {
        char *id = command->workspaces[command->workspaces_count++].id;
        status = copy(id, BERTH_WORKSPACE_BYTES, request->workspaces[i], "--workspace", where);
    }
    return status;
}

static enum cli_exit check(const struct cli_outgoing *outgoing, const struct cli *cli,
                           const struct berth_command *command, const char *where) {
    const struct berth_config *config = cli->config;
    const char *names[BERTH_CONFIG_REGISTRIES_MAX];
    const char *topics[BERTH_CONFIG_REGISTRIES_MAX];
    const char *protected_spaces[BERTH_CONFIG_LIST_MAX];
    for (size_t i = 0; i < config->registries_count; i++) {
        names[i] = config->registries[i].name;
        topics[i] = config->registries[i].command_topic;
    }
    for (size_t i = 0; i < config->protected_spaces.count; i++) {
        protected_spaces[i] = config->protected_spaces.items[i];
    }
    const struct berth_rules rules = {
        .registry_names = names,
        .registry_topics = topics,
        .registries_count = config->registries_count,
        .protected_spaces = protected_spaces,
        .protected_spaces_count = config->protected_spaces.count,
    };
    size_t registry = 0;
    struct berth_refusal refusal;
    if (berth_command_check(command, outgoing->topic, outgoing->key.data, outgoing->key.len, &rules,
                            &registry, &refusal)) {
        return CLI_SUCCEEDED;
    }
    cli_complain("%s%s: %s (--no-check sends it all the same)", where, refusal.code,
                 refusal.message);
    return CLI_USAGE;
}

static enum cli_exit copy(char *target, size_t size, const char *text, const char *option,
                          const char *where) {
    size_t len = strlen(text);
    if (len >= size) {
        cli_complain("%s%s is longer than %zu bytes", where, option, size - 1);
        return CLI_USAGE;
    }
    memcpy(target, text, len + 1);
    return CLI_SUCCEEDED;
}

static enum cli_exit read_file(const char *path, struct berth_buffer *buffer, const char *where) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        cli_complain("%s%s can't be read: %s", where, path, strerror(errno));
        return CLI_USAGE;
    }
    char bytes[4096];
    enum berth_rc rc = BERTH_OK;
    size_t len = 0;
    while (rc == BERTH_OK && (len = fread(bytes, 1, sizeof(bytes), file)) > 0) {
        rc = berth_buffer_append(buffer, bytes, len);
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed || rc == BERTH_BUSY) {
        cli_complain("%s%s can't be read: %s", where, path,
                     failed ? "read error" : "it is larger than 16 MiB");
        return CLI_USAGE;
    }
    return rc == BERTH_OK ? CLI_SUCCEEDED : cli_fault(rc, NULL);
}

static const char *login_name(void) {
    const struct passwd *entry = getpwuid(geteuid());
    return entry != NULL ? entry->pw_name : "unknown";
}

/* W3C trace context, version 00, sampled; its ids from the generator of UUIDs. */
static enum berth_rc make_traceparent(char ret_text[BERTH_TRACEPARENT_BYTES]) {
    char uuids[2][BERTH_UUID_BYTES];
    char digits[2][33] = {"", ""};
    for (size_t i = 0; i < 2; i++) {
        enum berth_rc rc = berth_uuid4(uuids[i]);
        if (rc != BERTH_OK) {
            return rc;
        }
        size_t len = 0;
        for (const char *at = uuids[i]; *at != '\0'; at++) {
            if (*at != '-') {
                digits[i][len++] = *at;
            }
        }
        BERTH_ASSERT(len == 32);
    }
    (void)snprintf(ret_text, BERTH_TRACEPARENT_BYTES, "00-%s-%.16s-01", digits[0], digits[1]);
    return BERTH_OK;
}

static void deinit(struct cli_outgoing *outgoing) {
    berth_buffer_deinit(&outgoing->key);
    berth_buffer_deinit(&outgoing->value);
    free(outgoing->dead_reason);
}
